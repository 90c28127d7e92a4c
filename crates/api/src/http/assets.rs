//! Static files, compressed when the server is built: an answer is bytes of the binary, whatever the encoding.

use axum::body::{Body, Bytes};
use axum::response::Response;
use http::header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, VARY};
use http::{HeaderMap, HeaderValue};

use super::encoding::Encoding;
use super::etag;

/// How long a cache may use a file without asking again: an upgrade is seen within five minutes.
const CACHING: &str = "public, max-age=300";

/// The files. The table is written by `build.rs`.
static ASSETS: &[Asset] = &include!(concat!(env!("OUT_DIR"), "/assets.rs"));

/// One file in each of its encodings.
pub(super) struct Asset {
    path: &'static str,
    content_type: &'static str,
    /// Changes with the content.
    version: &'static str,
    identity: &'static [u8],
    gzip: Option<&'static [u8]>,
    brotli: Option<&'static [u8]>,
}

impl Asset {
    /// The file that is served at a path.
    pub(super) fn at(path: &str) -> Option<&'static Self> {
        ASSETS.iter().find(|asset| asset.path == path)
    }

    /// The file in the encoding that the request prefers, or 304. Entity tags differ per encoding (RFC 9110 §8.8.3).
    pub(super) fn respond(&self, headers: &HeaderMap) -> Response {
        let encoding = Encoding::preferred(headers, &[Encoding::Brotli, Encoding::Gzip]);
        let encoded = match encoding {
            Some(Encoding::Brotli) => self.brotli,
            Some(Encoding::Gzip) => self.gzip,
            Some(Encoding::Zstd) | None => None,
        };
        let name = encoding.filter(|_| encoded.is_some()).map(Encoding::name);
        let tag = format!("\"{}{}\"", self.version, name.map(|name| format!("-{name}")).unwrap_or_default());
        let body = Bytes::from_static(encoded.unwrap_or(self.identity));
        let mut response = etag::respond(headers, &tag, Body::from(body));
        let is_whole = response.status().is_success();
        let head = response.headers_mut();
        head.insert(CACHE_CONTROL, HeaderValue::from_static(CACHING));
        head.insert(VARY, HeaderValue::from_static("accept-encoding"));
        if is_whole {
            head.insert(CONTENT_TYPE, HeaderValue::from_static(self.content_type));
            if let Some(name) = name {
                head.insert(CONTENT_ENCODING, HeaderValue::from_static(name));
            }
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::ASSETS;

    #[test]
    fn every_encoding_decodes_to_the_same_file() {
        for asset in ASSETS {
            let mut decoded = Vec::new();
            if let Some(mut gzip) = asset.gzip.map(flate2::read::GzDecoder::new) {
                gzip.read_to_end(&mut decoded).unwrap();
                assert!(decoded == asset.identity, "{}", asset.path);
            }
            if let Some(bytes) = asset.brotli {
                let mut decoded = Vec::new();
                brotli::Decompressor::new(bytes, 4096).read_to_end(&mut decoded).unwrap();
                assert!(decoded == asset.identity, "{}", asset.path);
            }
            assert!(asset.gzip.is_some() || asset.content_type == "image/png", "{}", asset.path);
        }
    }
}
