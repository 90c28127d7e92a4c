//! The log of requests.

use rocket::fairing::{Fairing, Info, Kind};
use rocket::{Request, Response};

/// Logs each request, without its query and headers.
pub(crate) struct RequestLog;

#[rocket::async_trait]
impl Fairing for RequestLog {
    fn info(&self) -> Info {
        Info { name: "request log", kind: Kind::Response }
    }

    async fn on_response<'r>(&self, request: &'r Request<'_>, response: &mut Response<'r>) {
        let route = request.route().map_or_else(|| "unknown".to_owned(), |route| route.uri.to_string());
        tracing::info!(method = %request.method(), route, status = response.status().code, "responded");
    }
}
