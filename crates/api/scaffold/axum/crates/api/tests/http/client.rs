//! Sends requests to the router, without a socket.

use api::app;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::Request;
use denizen_client::Verifier;
use domain::NoteService;
use tower::ServiceExt;

use crate::support::{Call, Reply};

pub(crate) struct Client(Router);

impl Client {
    #[expect(clippy::unused_async, reason = "the same signature for every framework")]
    pub(crate) async fn new(verifier: &Verifier, notes: &NoteService) -> Self {
        Self(app(verifier.clone(), notes.clone()))
    }

    pub(crate) async fn send(&self, call: &Call) -> Reply {
        let mut request = Request::builder().method(call.method).uri(&call.path);
        for (name, value) in call.headers() {
            request = request.header(name, value);
        }
        let request = request.body(Body::from(call.body.clone())).unwrap();
        let response = self.0.clone().oneshot(request).await.unwrap();
        let status = response.status().as_u16();
        let headers = response.headers().iter();
        let headers = headers.map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect();
        let body = to_bytes(response.into_body(), usize::MAX).await.unwrap().to_vec();
        Reply { status, headers, body }
    }
}
