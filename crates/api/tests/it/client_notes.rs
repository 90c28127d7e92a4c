//! The example services against this server: what they show works.

use std::sync::Arc;
use std::time::Duration;

use denizen::app::Ambience;
use denizen_domain::ports::Clock;
use denizen_infra::clock::{SystemChance, SystemClock};
use denizen_testkit::FakeClock;
use reqwest::{Method, Response};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::client::service;
use crate::harness::{Db, SignedIn, TestApp, World, eventually, on_both};

/// A running notes service.
struct Notes {
    url: String,
    client: reqwest::Client,
    _folder: tempfile::TempDir,
}

impl Notes {
    async fn start(app: &TestApp) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let database = format!("sqlite://{}", folder.path().join("notes.db").display());
        let notes = denizen_notes_axum_sqlx::open_database(&database).await.unwrap();
        let (verifier, _) = service(app).await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = denizen_notes_axum_sqlx::app(verifier, notes);
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, client: app.client.clone(), _folder: folder }
    }

    async fn send(&self, method: Method, path: &str, user: Option<&SignedIn>, body: Option<Value>) -> Response {
        let mut request = self.client.request(method, format!("{}{path}", self.url));
        if let Some(user) = user {
            request = request.bearer_auth(&user.token);
        }
        if let Some(body) = body {
            request = request.json(&body);
        }
        request.send().await.unwrap()
    }

    async fn status(&self, method: Method, path: &str, user: Option<&SignedIn>, body: Option<Value>) -> u16 {
        self.send(method, path, user, body).await.status().as_u16()
    }

    async fn create(&self, user: &SignedIn, title: &str) -> Value {
        let response = self.send(Method::POST, "/notes", Some(user), Some(json!({"title": title}))).await;
        assert_eq!(response.status(), 201);
        response.json().await.unwrap()
    }

    async fn titles(&self, user: &SignedIn, query: &str) -> Vec<String> {
        let response = self.send(Method::GET, &format!("/notes{query}"), Some(user), None).await;
        let notes: Vec<Value> = response.json().await.unwrap();
        notes.iter().map(|note| note["title"].as_str().unwrap().to_owned()).collect()
    }
}

on_both! {
    async fn notes_belong_to_their_user_until_the_sign_out(app: TestApp) {
        let notes = Notes::start(&app).await;
        let (ada, bob) = (app.user().await, app.user().await);
        let note = notes.create(&ada, "Groceries").await;
        let path = format!("/notes/{}", note["id"].as_str().unwrap());
        let draft = || Some(json!({"title": "Mine", "body": "now"}));

        // To others, the note does not exist.
        assert_eq!(notes.titles(&bob, "").await, [""; 0]);
        assert_eq!(notes.status(Method::GET, &path, Some(&bob), None).await, 404);
        assert_eq!(notes.status(Method::PUT, &path, Some(&bob), draft()).await, 404);
        assert_eq!(notes.status(Method::DELETE, &path, Some(&bob), None).await, 404);
        assert_eq!(notes.status(Method::GET, &path, None, None).await, 401);

        let replaced: Value = notes.send(Method::PUT, &path, Some(&ada), draft()).await.json().await.unwrap();
        assert_eq!(replaced, json!({"id": note["id"], "title": "Mine", "body": "now"}));
        let found: Value = notes.send(Method::GET, &path, Some(&ada), None).await.json().await.unwrap();
        assert_eq!(found, replaced);

        app.delete("/api/v1/sessions/current", &ada.token).await;
        let is_refused = async || notes.status(Method::GET, &path, Some(&ada), None).await == 401;
        eventually("the sign-out", Duration::from_secs(1), is_refused).await;
        let refused = notes.send(Method::GET, &path, Some(&ada), None).await;
        assert_eq!(refused.headers()["www-authenticate"], "Bearer realm=\"denizen\", error=\"invalid_token\"");
        assert_eq!(refused.json::<Value>().await.unwrap()["error"], "invalid_token");

        // The next session of the same user has the same notes.
        let again = app.sign_in(&ada.email).await;
        assert_eq!(notes.titles(&again, "").await, ["Mine"]);
        assert_eq!(notes.status(Method::DELETE, &path, Some(&again), None).await, 204);
        assert_eq!(notes.status(Method::DELETE, &path, Some(&again), None).await, 404);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn notes_are_listed_in_pages_and_input_is_validated() {
    let app = TestApp::start(Db::Sqlite).await;
    let (notes, user) = (Notes::start(&app).await, app.user().await);
    for title in ["1", "2", "3"] {
        notes.create(&user, title).await;
    }
    assert_eq!(notes.titles(&user, "?limit=2").await, ["3", "2"]);
    let page = notes.send(Method::GET, "/notes?limit=2", Some(&user), None).await.json::<Value>().await.unwrap();
    let last = page[1]["id"].as_str().unwrap();
    assert_eq!(notes.titles(&user, &format!("?limit=2&before={last}")).await, ["1"]);
    for query in ["?limit=0", "?limit=201", "?before=x", "?unknown=1"] {
        assert_eq!(notes.status(Method::GET, &format!("/notes{query}"), Some(&user), None).await, 400, "{query}");
    }
    for body in [json!({}), json!({"title": ""}), json!({"title": "a", "owner_id": "b"}), json!([])] {
        assert_eq!(notes.status(Method::POST, "/notes", Some(&user), Some(body)).await, 400);
    }
    assert_eq!(notes.status(Method::GET, "/notes/x", Some(&user), None).await, 404);
    let document: Value = notes.send(Method::GET, "/openapi.json", None, None).await.json().await.unwrap();
    assert!(document["paths"]["/notes/{id}"]["put"].is_object());
    assert_eq!(notes.status(Method::GET, "/health", None, None).await, 200);
    let deleted: Value = notes.send(Method::DELETE, "/notes", Some(&user), None).await.json().await.unwrap();
    assert_eq!((deleted, notes.titles(&user, "").await), (json!({"deleted": 3}), Vec::new()));
}

/// The clock of the server is ten minutes slow: to the service, each sign-in is that old.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_notes_are_deleted_after_a_recent_authentication_only() {
    let clock = Arc::new(FakeClock::default());
    clock.set(SystemClock.now().minus_seconds(600));
    let ambience = Ambience { clock, random: Arc::new(SystemChance) };
    let app = World::new(Db::Sqlite).await.serve_in(&[], ambience).await;
    let (notes, user) = (Notes::start(&app).await, app.user().await);
    notes.create(&user, "Groceries").await;
    let refused = notes.send(Method::DELETE, "/notes", Some(&user), None).await;
    assert_eq!(refused.status(), 401);
    let challenge = "Bearer realm=\"denizen\", error=\"insufficient_user_authentication\", max_age=\"300\"";
    assert_eq!(refused.headers()["www-authenticate"], challenge);
    assert_eq!(notes.titles(&user, "").await, ["Groceries"]);
}
