#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "actix")]
pub mod actix;
#[cfg(feature = "api")]
pub mod api;
#[cfg(feature = "axum")]
pub mod axum;
mod backoff;
mod claims;
mod clock;
mod error;
#[cfg(any(feature = "tower", feature = "warp"))]
mod http_response;
mod keys;
mod policy;
mod revocations;
#[cfg(feature = "rocket")]
pub mod rocket;
#[cfg(feature = "test-util")]
pub mod test_util;
mod token;
#[cfg(feature = "tonic")]
pub mod tonic;
#[cfg(feature = "tower")]
pub mod tower;
pub mod transport;
mod url;
mod verifier;
#[cfg(feature = "warp")]
pub mod warp;

pub use claims::{Acr, Claims, User};
pub use clock::{Clock, SystemClock};
pub use error::{AuthError, BuildError, InvalidToken, VerifyError};
pub use policy::{Authorized, OptionalUser, Policy, Requirement};
pub use revocations::{RevocationFeed, RevocationFeedBuilder, WhenStale};
pub use url::UrlError;
pub use verifier::{RefreshError, Verifier, VerifierBuilder};

/// The examples of the guide compile.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/rust-services.md")]
struct Guide;
