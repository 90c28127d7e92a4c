//! The transport over reqwest and rustls.

use std::time::Duration;

use bytes::Bytes;
use reqwest::Client;
use reqwest::header::{ACCEPT, CONTENT_TYPE};
use reqwest::redirect::Policy;

use super::{Body, BoxFuture, Method, Request, Response, Transport, TransportError};

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
    fn send<'a>(&'a self, request: Request<'a>) -> BoxFuture<'a, Result<Response, TransportError>> {
        let method = match request.method {
            Method::Get => reqwest::Method::GET,
            Method::Post => reqwest::Method::POST,
            Method::Put => reqwest::Method::PUT,
            Method::Patch => reqwest::Method::PATCH,
            Method::Delete => reqwest::Method::DELETE,
        };
        let mut builder = self.0.request(method, request.url).header(ACCEPT, request.accept);
        if let Some(token) = request.bearer {
            builder = builder.bearer_auth(token);
        }
        for (name, value) in request.headers {
            builder = builder.header(*name, *value);
        }
        if let Some(json) = request.json {
            builder = builder.header(CONTENT_TYPE, "application/json").body(json.to_vec());
        }
        Box::pin(async move {
            // Without the URL, which the caller knows.
            let response = builder.send().await.map_err(|error| TransportError::new(error.without_url()))?;
            let content_type = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
            let headers = response.headers().iter();
            let headers =
                headers.filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned())));
            Ok(Response {
                status: response.status().as_u16(),
                content_type: content_type.unwrap_or_default().to_owned(),
                headers: headers.collect(),
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
