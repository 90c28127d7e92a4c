//! Content encodings: which one a client prefers (RFC 9110 §12.5.3), and whole bodies in it.

use std::io::{self, Read, Write};

use flate2::Compression;
use flate2::write::GzEncoder;
use http::HeaderMap;
use http::header::ACCEPT_ENCODING;

/// The window of Brotli: with it and a quality below 5 an encoder needs less than a megabyte.
const BROTLI_WINDOW_BITS: u32 = 18;
const BROTLI_QUALITY: u32 = 4;
const BROTLI_BUFFER_BYTES: usize = 16 * 1024;
const GZIP_LEVEL: u32 = 4;
const ZSTD_LEVEL: i32 = 1;
/// How many entries of `Accept-Encoding` are read.
const ENTRIES_MAX: usize = 32;

/// A content encoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// RFC 7932.
    Brotli,
    /// RFC 1952.
    Gzip,
    /// RFC 8878.
    Zstd,
}

impl Encoding {
    /// Its name in HTTP.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Brotli => "br",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }

    /// The offered encoding with the highest quality value that the client accepts; of equal ones the first offered.
    pub(crate) fn preferred(headers: &HeaderMap, offered: &[Self]) -> Option<Self> {
        let values = headers.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
        let entries: Vec<(&str, u16)> =
            values.flat_map(|value| value.split(',')).take(ENTRIES_MAX).map(entry_of).collect();
        let quality_of = |name: &str| {
            let named = entries.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
            named.or_else(|| entries.iter().find(|(known, _)| *known == "*")).map_or(0, |(_, quality)| *quality)
        };
        let mut best = None;
        for encoding in offered {
            let quality = quality_of(encoding.name());
            if quality > best.map_or(0, |(_, quality)| quality) {
                best = Some((*encoding, quality));
            }
        }
        best.map(|(encoding, _)| encoding)
    }

    /// A whole body in this encoding. The encoder exists only within this call, which never waits: there are never more of
    /// them than threads that serve requests.
    pub(crate) fn encode(self, bytes: &[u8]) -> io::Result<Vec<u8>> {
        match self {
            Self::Brotli => {
                let mut encoded = Vec::with_capacity(bytes.len() / 4);
                brotli::CompressorReader::new(bytes, BROTLI_BUFFER_BYTES, BROTLI_QUALITY, BROTLI_WINDOW_BITS)
                    .read_to_end(&mut encoded)?;
                Ok(encoded)
            }
            Self::Gzip => {
                let mut encoder = GzEncoder::new(Vec::with_capacity(bytes.len() / 4), Compression::new(GZIP_LEVEL));
                encoder.write_all(bytes)?;
                encoder.finish()
            }
            Self::Zstd => zstd::bulk::compress(bytes, ZSTD_LEVEL),
        }
    }
}

/// The name of an entry of an `Accept` header and its quality value in thousandths; 0 when it is malformed.
pub(super) fn entry_of(entry: &str) -> (&str, u16) {
    let mut parts = entry.split(';').map(str::trim);
    let name = parts.next().unwrap_or_default();
    let quality = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
    (name, quality.map_or(1000, thousandths))
}

fn thousandths(quality: &str) -> u16 {
    let (whole, fraction) = quality.split_once('.').unwrap_or((quality, ""));
    let is_malformed = fraction.len() > 3 || !fraction.bytes().all(|byte| byte.is_ascii_digit());
    match whole {
        "1" if !is_malformed => 1000,
        "0" if !is_malformed => format!("{fraction:0<3}").parse().unwrap_or(0),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(accept: &str, expected: Option<Encoding>) {
        let headers = HeaderMap::from_iter([(ACCEPT_ENCODING, accept.parse().unwrap())]);
        assert_eq!(Encoding::preferred(&headers, &[Encoding::Brotli, Encoding::Gzip]), expected, "{accept}");
    }

    #[test]
    fn the_highest_quality_value_wins() {
        check("gzip, deflate, br, zstd", Some(Encoding::Brotli));
        check("gzip, br;q=0.9", Some(Encoding::Gzip));
        check("GZIP", Some(Encoding::Gzip));
        check("br;q=0, gzip;q=0.001", Some(Encoding::Gzip));
        check("*", Some(Encoding::Brotli));
        check("*, br;q=0", Some(Encoding::Gzip));
        check("", None);
        check("zstd", None);
        check("gzip;q=0.0", None);
        check("gzip;q=nonsense", None);
        assert_eq!(Encoding::preferred(&HeaderMap::new(), &[Encoding::Gzip]), None);
    }
}
