//! Requests and responses, independent of the framework, and what a test needs to send them.

use domain::NoteService;
use infra::Database;
use serde_json::Value;
use testkit::{TestDatabase, TestIssuer};

use crate::client::Client;

/// A request.
pub(crate) struct Call {
    pub(crate) method: &'static str,
    pub(crate) path: String,
    pub(crate) token: Option<String>,
    pub(crate) content_type: Option<String>,
    pub(crate) body: String,
}

impl Call {
    pub(crate) fn new(method: &'static str, path: &str) -> Self {
        Self { method, path: path.to_owned(), token: None, content_type: None, body: String::new() }
    }

    pub(crate) fn get(path: &str) -> Self {
        Self::new("GET", path)
    }

    pub(crate) fn delete(path: &str) -> Self {
        Self::new("DELETE", path)
    }

    pub(crate) fn post(path: &str, body: &Value) -> Self {
        Self::new("POST", path).body("application/json", &body.to_string())
    }

    pub(crate) fn put(path: &str, body: &Value) -> Self {
        Self::new("PUT", path).body("application/json", &body.to_string())
    }

    pub(crate) fn body(self, content_type: &str, body: &str) -> Self {
        Self { content_type: Some(content_type.to_owned()), body: body.to_owned(), ..self }
    }

    pub(crate) fn token(self, token: &str) -> Self {
        Self { token: Some(token.to_owned()), ..self }
    }

    /// The headers.
    pub(crate) fn headers(&self) -> Vec<(&'static str, String)> {
        let token = self.token.as_ref().map(|token| ("authorization", format!("Bearer {token}")));
        let content_type = self.content_type.as_ref().map(|content_type| ("content-type", content_type.clone()));
        token.into_iter().chain(content_type).collect()
    }
}

/// A response.
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    pub(crate) fn json(&self) -> Value {
        let text = String::from_utf8_lossy(&self.body);
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {} {text:?}", self.status))
    }

    /// The status and the error code. The body must have the format of errors.
    pub(crate) fn error(&self) -> (u16, String) {
        let body = self.json();
        assert!(body["error_description"].is_string(), "{body}");
        (self.status, body["error"].as_str().unwrap().to_owned())
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

/// The service on a database of its own.
pub(crate) struct World {
    pub(crate) issuer: TestIssuer,
    client: Client,
    _database: TestDatabase,
}

impl World {
    pub(crate) async fn start() -> Self {
        let database = TestDatabase::create().await;
        let store = Database::open(database.url(), 2).await.unwrap();
        let issuer = TestIssuer::new();
        let client = Client::new(&issuer.verifier(), &NoteService::new(store)).await;
        Self { issuer, client, _database: database }
    }

    pub(crate) async fn send(&self, call: Call) -> Reply {
        self.client.send(&call).await
    }
}
