//! The transport over reqwest and rustls.

use std::time::Duration;

use bytes::Bytes;
use reqwest::Client;
use reqwest::header::{ACCEPT, CONTENT_TYPE};
use reqwest::redirect::Policy;

use super::{Body, BoxFuture, Request, Response, Transport, TransportError};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Sends requests with [reqwest](https://docs.rs/reqwest), over rustls with aws-lc and the certificates of the platform.
///
/// ```
/// # tokio_test(async {
/// use denizen_client::transport::ReqwestTransport;
///
/// // With your own client: a proxy, or a certificate authority of your own.
/// let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
/// let transport = ReqwestTransport::with_client(client);
/// # let _ = transport;
/// # });
/// # fn tokio_test(work: impl Future<Output = ()>) {
/// #     tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work);
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct ReqwestTransport(Client);

impl ReqwestTransport {
    /// A client that follows no redirects.
    pub fn new() -> Result<Self, TransportError> {
        let client = Client::builder()
            .user_agent(concat!("denizen-client/", env!("CARGO_PKG_VERSION")))
            .redirect(Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .build();
        client.map(Self).map_err(TransportError::new)
    }

    /// Uses this client. It should not follow redirects, and must not have a total timeout if it is used for the
    /// revocation feed, which is an unbounded stream.
    #[must_use]
    pub fn with_client(client: Client) -> Self {
        Self(client)
    }
}

impl Transport for ReqwestTransport {
    fn get<'a>(&'a self, request: Request<'a>) -> BoxFuture<'a, Result<Response, TransportError>> {
        let mut builder = self.0.get(request.url).header(ACCEPT, request.accept);
        if let Some(token) = request.bearer {
            builder = builder.bearer_auth(token);
        }
        if let Some(id) = request.last_event_id {
            builder = builder.header("last-event-id", id);
        }
        Box::pin(async move {
            // Without the URL, which the caller knows.
            let response = builder.send().await.map_err(|error| TransportError::new(error.without_url()))?;
            let content_type = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
            Ok(Response {
                status: response.status().as_u16(),
                content_type: content_type.unwrap_or_default().to_owned(),
                body: Box::new(Chunks(response)),
            })
        })
    }
}

struct Chunks(reqwest::Response);

impl Body for Chunks {
    fn chunk(&mut self) -> BoxFuture<'_, Result<Option<Bytes>, TransportError>> {
        Box::pin(async { self.0.chunk().await.map_err(|error| TransportError::new(error.without_url())) })
    }
}
