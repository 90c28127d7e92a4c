//! Sends requests to the filters, without a socket.

use api::app;
use denizen_client::Verifier;
use domain::NoteService;
use warp::filters::BoxedFilter;
use warp::reply::Response;

use crate::support::{Call, Reply};

pub(crate) struct Client(BoxedFilter<(Response,)>);

impl Client {
    #[expect(clippy::unused_async, reason = "the same signature for every framework")]
    pub(crate) async fn new(verifier: &Verifier, notes: &NoteService) -> Self {
        Self(app(verifier, notes))
    }

    pub(crate) async fn send(&self, call: &Call) -> Reply {
        let mut request = warp::test::request().method(call.method).path(&call.path).body(&call.body);
        for (name, value) in call.headers() {
            request = request.header(name, value);
        }
        let request = request.header("content-length", call.body.len());
        let response = request.reply(&self.0).await;
        let status = response.status().as_u16();
        let headers = response.headers().iter();
        let headers = headers.map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect();
        Reply { status, headers, body: response.into_body().to_vec() }
    }
}
