//! A typed client of the REST API.
//!
//! Each operation of the server is a method of its group, such as [`UsersApi::create`]; its name is the `operationId` of
//! the OpenAPI document. A method returns a [`Call`] or a [`List`], which is sent when it is awaited:
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use denizen_client::api::{Api, CreateUser, UsersListQuery};
//! use futures_util::TryStreamExt;
//!
//! let api = Api::builder("https://accounts.example.com").api_key("dnk_…").build()?;
//! let user = api.users().create(&CreateUser::new("ada@example.com", "Ada", "correct horse battery")).await?;
//! let mut support = api.users().list(&UsersListQuery::new().role("support")).stream();
//! while let Some(user) = support.try_next().await? {
//!     println!("{}", user.email);
//! }
//! # let _ = user;
//! # Ok(())
//! # }
//! ```
//!
//! **Deadline**: a call takes at most 30 seconds, attempts included; see [`ApiBuilder::deadline`] and [`Call::deadline`].
//!
//! **Retries**: a call that gets no response, or status 429, 502, 503 or 504, is sent up to three times, with growing
//! pauses and as `Retry-After` demands. Requests that create something are only repeated with an `Idempotency-Key`, which
//! is set by itself where the operation takes one, so that nothing is created twice.
//!
//! **Tokens** of a session are refreshed before they expire, by one request for all calls; see [`ApiBuilder::session`].

mod builder;
mod call;
mod credentials;
mod error;
mod generated;
mod pages;
mod prelude;
mod retry;
mod secret;
mod send;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

pub use builder::ApiBuilder;
pub use call::Call;
pub use credentials::SessionTokens;
pub use error::{ApiError, FieldError, Refusal};
pub use generated::*;
pub use pages::{List, Page};
pub use prelude::SignInResult;
pub use secret::Secret;

use crate::transport::Transport;
use credentials::Credentials;

/// A client of the REST API. Cheap to clone; clones share connections and tokens.
#[derive(Clone)]
pub struct Api(Arc<Inner>);

struct Inner {
    /// Without a slash at the end.
    server_url: String,
    transport: Arc<dyn Transport>,
    credentials: Credentials,
    deadline: Duration,
    attempts: u32,
}

impl Api {
    /// Starts to configure a client of the server at this URL.
    pub fn builder(server_url: impl Into<String>) -> ApiBuilder {
        ApiBuilder::new(server_url.into())
    }

    /// The tokens of the session, if the client has one. Each refresh replaces them.
    #[must_use]
    pub fn session_tokens(&self) -> Option<SessionTokens> {
        self.0.credentials.session_tokens()
    }
}

impl fmt::Debug for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Api").field("server_url", &self.0.server_url).finish_non_exhaustive()
    }
}
