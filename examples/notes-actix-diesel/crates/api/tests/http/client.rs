//! Sends requests to the application, without a socket.

use actix_web::App;
use actix_web::body::to_bytes;
use actix_web::http::Method;
use actix_web::test::{TestRequest, call_service, init_service};
use api::configure;
use denizen_client::Verifier;
use domain::NoteService;

use crate::support::{Call, Reply};

pub(crate) struct Client {
    verifier: Verifier,
    notes: NoteService,
}

impl Client {
    #[expect(clippy::unused_async, reason = "the same signature for every framework")]
    pub(crate) async fn new(verifier: &Verifier, notes: &NoteService) -> Self {
        Self { verifier: verifier.clone(), notes: notes.clone() }
    }

    pub(crate) async fn send(&self, call: &Call) -> Reply {
        let app = init_service(App::new().configure(configure(self.verifier.clone(), self.notes.clone()))).await;
        let method = Method::from_bytes(call.method.as_bytes()).unwrap();
        let mut request = TestRequest::with_uri(&call.path).method(method).set_payload(call.body.clone());
        for header in call.headers() {
            request = request.insert_header(header);
        }
        let response = call_service(&app, request.to_request()).await;
        let status = response.status().as_u16();
        let headers = response.headers().iter();
        let headers = headers.map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect();
        let body = to_bytes(response.into_body()).await.unwrap_or_else(|_| panic!("the body can be read")).to_vec();
        Reply { status, headers, body }
    }
}
