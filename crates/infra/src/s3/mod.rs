//! Objects in S3-compatible storage: listed, uploaded in parts, deleted. Requests that fail for a moment are retried.

mod error;
mod upload;
mod xml;

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use reqwest::redirect::Policy;
use reqwest::{Client, Method, StatusCode, Url};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::{self, PemObject};
use rusty_s3::actions::ListObjectsV2;
use rusty_s3::{Bucket, Credentials, S3Action, UrlStyle};
use secrecy::{ExposeSecret, SecretString};
use tokio::time::sleep;

pub use error::S3Error;
pub use upload::{ObjectWriter, Upload};

use crate::outside::{begin, tls_of};

/// How long a signed request may be sent, after which the storage refuses it.
const SIGNED_FOR: Duration = Duration::from_hours(1);
/// How long a connection may take, and a request including its body.
/// How many pages of a listing are read; each has up to 1000 keys.
const PAGES_MAX: usize = 1_000;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const REQUEST_TIMEOUT: Duration = Duration::from_mins(5);
/// How often a request is sent, and the delay before the second attempt, which doubles with each further one.
const ATTEMPTS: u32 = 5;
const FIRST_DELAY: Duration = Duration::from_millis(250);
/// The largest response: a list of 1,000 objects with keys of 1 KiB.
const RESPONSE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// A bucket, and the credentials to use it.
pub struct S3Settings {
    /// The URL of the storage.
    pub endpoint: Url,
    /// The name of the bucket.
    pub bucket: String,
    /// The region of the bucket.
    pub region: String,
    /// Whether the bucket is part of the path, not of the host.
    pub path_style: bool,
    /// The identifier of the access key.
    pub access_key_id: String,
    /// The secret of the access key.
    pub secret_access_key: SecretString,
    /// Certificate authorities that are trusted in addition to the public ones.
    pub authorities: Vec<CertificateDer<'static>>,
}

/// The certificates in a file, in PEM.
///
/// # Errors
/// If the file cannot be read.
pub fn trusted_certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, pem::Error> {
    CertificateDer::pem_file_iter(file)?.collect()
}

/// A client for one bucket.
#[derive(Clone)]
pub struct S3 {
    client: Client,
    bucket: Bucket,
    credentials: Credentials,
}

/// A complete response with the status of success.
struct Success {
    etag: Option<String>,
    body: String,
}

/// An upload that was started and is not complete.
struct Unfinished {
    key: String,
    id: String,
    /// When it was started (RFC 3339).
    initiated: String,
}

impl S3 {
    /// A client. Nothing is sent yet.
    ///
    /// # Errors
    /// If the endpoint and the bucket are not a valid URL.
    pub fn new(settings: S3Settings) -> Result<Self, S3Error> {
        let style = if settings.path_style { UrlStyle::Path } else { UrlStyle::VirtualHost };
        let bucket = Bucket::new(settings.endpoint, style, settings.bucket, settings.region)?;
        let client = Client::builder()
            .tls_backend_preconfigured(tls_of(&settings.authorities))
            .redirect(Policy::none())
            .no_proxy()
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(REQUEST_TIMEOUT)
            .build()?;
        let credentials = Credentials::new(settings.access_key_id, settings.secret_access_key.expose_secret());
        Ok(Self { client, bucket, credentials })
    }

    /// The keys of all objects whose key begins like this, in their order.
    ///
    /// # Errors
    /// If the storage refuses the request or does not answer.
    pub async fn list(&self, prefix: &str) -> Result<Vec<String>, S3Error> {
        let mut keys = Vec::new();
        let mut next = None;
        for _ in 0..PAGES_MAX {
            let mut action = self.bucket.list_objects_v2(Some(&self.credentials));
            action.with_prefix(prefix);
            if let Some(token) = next {
                action.with_continuation_token(token);
            }
            let listed = self.send(&action, Bytes::new()).await?;
            let listed = ListObjectsV2::parse_response(&listed.body).map_err(|_| S3Error::Response)?;
            keys.extend(listed.contents.into_iter().map(|object| object.key));
            next = listed.next_continuation_token;
            if next.is_none() {
                return Ok(keys);
            }
        }
        Err(S3Error::Response)
    }

    /// Deletes an object. Deleting it twice is not an error.
    ///
    /// # Errors
    /// As for [`S3::list`].
    pub async fn delete(&self, key: &str) -> Result<(), S3Error> {
        self.send(&self.bucket.delete_object(Some(&self.credentials), key), Bytes::new()).await.map(drop)
    }

    /// Starts to upload an object, which appears when it is complete. If the writer is dropped before it is finished,
    /// the upload is aborted.
    #[must_use]
    pub fn upload(&self, key: String) -> (ObjectWriter, Upload) {
        upload::start(self.clone(), key)
    }

    /// Aborts uploads that were never completed, which use storage: those whose key begins like this and satisfies
    /// `is_abandoned`, with the time at which the upload was started (RFC 3339).
    ///
    /// # Errors
    /// As for [`S3::list`].
    pub async fn abort_uploads(&self, prefix: &str, is_abandoned: impl Fn(&str, &str) -> bool) -> Result<(), S3Error> {
        for upload in self.unfinished(prefix).await? {
            if is_abandoned(&upload.key, &upload.initiated) {
                self.abort(&upload.key, &upload.id).await?;
            }
        }
        Ok(())
    }

    /// The first 1,000 uploads that are not complete.
    async fn unfinished(&self, prefix: &str) -> Result<Vec<Unfinished>, S3Error> {
        let (url, region) = (self.bucket.base_url(), self.bucket.region());
        let sign = || {
            let (key, secret) = (self.credentials.key(), self.credentials.secret());
            let query = [("prefix", prefix), ("uploads", "")];
            let (expires, now) = (SIGNED_FOR.as_secs(), jiff::Timestamp::now());
            let method = rusty_s3::Method::Get;
            let headers = std::iter::empty();
            rusty_s3::signing::sign(
                &now,
                method,
                url.clone(),
                key,
                secret,
                None,
                region,
                expires,
                query.into_iter(),
                headers,
            )
        };
        let listed = self.send_signed(Method::GET, sign, Bytes::new()).await?;
        Ok(xml::uploads(&listed.body))
    }

    async fn abort(&self, key: &str, id: &str) -> Result<(), S3Error> {
        let action = self.bucket.abort_multipart_upload(Some(&self.credentials), key, id);
        match self.send(&action, Bytes::new()).await {
            Err(error) if error.is_code("NoSuchUpload") => Ok(()),
            aborted => aborted.map(drop),
        }
    }

    /// Sends a request, again if it fails for a moment.
    async fn send<'a, A: S3Action<'a>>(&self, action: &A, body: Bytes) -> Result<Success, S3Error> {
        let method = Method::from_bytes(A::METHOD.to_str().as_bytes()).map_err(|_| S3Error::Response)?;
        self.send_signed(method, || action.sign(SIGNED_FOR), body).await
    }

    async fn send_signed(&self, method: Method, sign: impl Fn() -> Url, body: Bytes) -> Result<Success, S3Error> {
        let mut delay = FIRST_DELAY;
        for _ in 1..ATTEMPTS {
            match self.attempt(method.clone(), sign(), body.clone()).await {
                Err(error) if error.is_temporary() => sleep(delay).await,
                done => return done,
            }
            delay *= 2;
        }
        self.attempt(method, sign(), body).await
    }

    async fn attempt(&self, method: Method, url: Url, body: Bytes) -> Result<Success, S3Error> {
        let mut response = begin(self.client.request(method, url).body(body)).await?;
        let status = response.status();
        let etag = response.headers().get("etag").and_then(|etag| etag.to_str().ok()).map(str::to_owned);
        let mut text = Vec::new();
        while let Some(chunk) = response.chunk().await? {
            if text.len() + chunk.len() > RESPONSE_BYTES_MAX {
                return Err(S3Error::Response);
            }
            text.extend_from_slice(&chunk);
        }
        let body = String::from_utf8_lossy(&text).into_owned();
        // A response that begins before the work is done can turn out to be an error.
        // It goes into messages and the log.
        let is_code = |code: &String| code.len() <= 64 && code.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let code = xml::error_code(&body).map(|code| if is_code(&code) { code } else { "invalid".to_owned() });
        if status.is_success() && code.is_none() {
            return Ok(Success { etag, body });
        }
        let status = if status.is_success() { StatusCode::INTERNAL_SERVER_ERROR } else { status };
        Err(S3Error::Refused { status, code: code.unwrap_or_default(), bucket: self.bucket.name().to_owned() })
    }
}
