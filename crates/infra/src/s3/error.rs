//! Why a request to the storage failed, in one sentence.

use std::fmt;

use reqwest::StatusCode;
use rusty_s3::BucketError;

/// Why a request to the storage failed. Contains no signature: that would be part of the URL.
#[derive(Debug)]
pub enum S3Error {
    /// The endpoint and the bucket are not a valid URL.
    Settings(BucketError),
    /// There is no connection, or no response in time.
    Unreachable(reqwest::Error),
    /// The storage refused the request.
    Refused {
        /// The status.
        status: StatusCode,
        /// The error code of the storage; empty if there is none.
        code: String,
        /// The name of the bucket.
        bucket: String,
    },
    /// The response is not that of S3-compatible storage, or too large.
    Response,
    /// The upload was canceled before it was complete.
    Canceled,
}

impl S3Error {
    /// Whether the same request can succeed later.
    pub(super) fn is_temporary(&self) -> bool {
        match self {
            Self::Unreachable(error) => !error.is_builder(),
            Self::Refused { status, code, .. } => {
                status.is_server_error()
                    || matches!(*status, StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT)
                    || ["RequestTimeout", "SlowDown"].contains(&code.as_str())
            }
            Self::Settings(_) | Self::Response | Self::Canceled => false,
        }
    }

    /// Whether the storage refused the request with this code.
    pub(super) fn is_code(&self, expected: &str) -> bool {
        matches!(self, Self::Refused { code, .. } if code == expected)
    }
}

impl fmt::Display for S3Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (status, code, bucket) = match self {
            Self::Settings(_) => return f.write_str("the endpoint and the bucket are not a valid URL"),
            Self::Unreachable(_) => return f.write_str("the object storage does not respond"),
            Self::Response => return f.write_str("the response is not that of S3-compatible storage"),
            Self::Canceled => return f.write_str("the upload was canceled"),
            Self::Refused { status, code, bucket } => (status.as_u16(), code.as_str(), bucket),
        };
        match code {
            "NoSuchBucket" => write!(f, "the bucket {bucket:?} does not exist")?,
            "InvalidAccessKeyId" => f.write_str("the access key does not exist")?,
            "SignatureDoesNotMatch" => f.write_str("the secret access key is wrong")?,
            "AuthorizationHeaderMalformed" | "AuthorizationQueryParametersError" | "PermanentRedirect" => {
                write!(f, "the bucket {bucket:?} is in another region, or has another endpoint")?;
            }
            "RequestTimeTooSkewed" => f.write_str("the clock of this machine is wrong")?,
            "AccessDenied" => write!(f, "the access key may not use the bucket {bucket:?} for this")?,
            _ => f.write_str("the object storage refused the request")?,
        }
        if code.is_empty() { write!(f, " (status {status})") } else { write!(f, " ({code}, status {status})") }
    }
}

impl std::error::Error for S3Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Settings(error) => Some(error),
            Self::Unreachable(error) => Some(error),
            Self::Refused { .. } | Self::Response | Self::Canceled => None,
        }
    }
}

impl From<BucketError> for S3Error {
    fn from(error: BucketError) -> Self {
        Self::Settings(error)
    }
}

impl From<reqwest::Error> for S3Error {
    /// The URL is left out: it is signed.
    fn from(error: reqwest::Error) -> Self {
        Self::Unreachable(error.without_url())
    }
}
