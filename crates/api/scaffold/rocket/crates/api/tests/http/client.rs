//! Sends requests to the application, without a socket.

use std::net::{Ipv4Addr, SocketAddr};

use api::app;
use denizen_client::Verifier;
use domain::NoteService;
use rocket::http::{Header, Method};
use rocket::local::asynchronous::Client as LocalClient;

use crate::support::{Call, Reply};

pub(crate) struct Client(LocalClient);

impl Client {
    pub(crate) async fn new(verifier: &Verifier, notes: &NoteService) -> Self {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Self(LocalClient::untracked(app(address, verifier.clone(), notes.clone())).await.unwrap())
    }

    pub(crate) async fn send(&self, call: &Call) -> Reply {
        let method: Method = call.method.parse().unwrap();
        let mut request = self.0.req(method, &call.path).body(&call.body);
        for (name, value) in call.headers() {
            request.add_header(Header::new(name, value));
        }
        let response = request.dispatch().await;
        let status = response.status().code;
        let headers = response.headers().iter();
        let headers = headers.map(|header| (header.name().to_string(), header.value().to_owned())).collect();
        let body = response.into_bytes().await.unwrap_or_default();
        Reply { status, headers, body }
    }
}
