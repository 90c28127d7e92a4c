//! The service as a process, with tokens of a running Denizen. `README.md` says how to run it.

#![expect(clippy::unwrap_used, reason = "a failure in a helper fails the test")]

mod support;

use std::time::Duration;

use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::support::{Denizen, Service, SignedIn, eventually};

const SIGN_OUT_SEEN_WITHIN: Duration = Duration::from_secs(5);

async fn send(service: &Service, method: Method, path: &str, user: &SignedIn, body: Option<Value>) -> Response {
    let request = reqwest::Client::new().request(method, format!("http://{}{path}", service.address));
    let request = request.bearer_auth(&user.token);
    let request = if let Some(body) = body { request.json(&body) } else { request };
    request.send().await.unwrap()
}

#[tokio::test]
async fn notes_belong_to_their_user_until_the_sign_out() {
    let denizen = Denizen::from_environment();
    let service = Service::start(&denizen).await;
    let (ada, bob) = (denizen.user().await, denizen.user().await);

    let created = send(&service, Method::POST, "/notes", &ada, Some(json!({"title": "Groceries"}))).await;
    assert_eq!(created.status(), 201);
    let note: Value = created.json().await.unwrap();
    let path = format!("/notes/{}", note["id"].as_str().unwrap());
    let found: Value = send(&service, Method::GET, &path, &ada, None).await.json().await.unwrap();
    assert_eq!(found, note);

    // To others, the note does not exist.
    assert_eq!(send(&service, Method::GET, &path, &bob, None).await.status(), 404);
    let listed: Value = send(&service, Method::GET, "/notes", &bob, None).await.json().await.unwrap();
    assert_eq!(listed, json!({"notes": [], "next": null}));

    denizen.sign_out(&ada).await;
    let is_refused = async || send(&service, Method::GET, &path, &ada, None).await.status() == 401;
    eventually("the sign-out", SIGN_OUT_SEEN_WITHIN, is_refused).await;
    let refused = send(&service, Method::GET, &path, &ada, None).await;
    assert_eq!(refused.headers()["www-authenticate"], "Bearer realm=\"denizen\", error=\"invalid_token\"");

    // The other session is not affected, nor are the notes in the next session.
    assert_eq!(send(&service, Method::GET, "/notes", &bob, None).await.status(), 200);
    let again = denizen.sign_in(&ada.email).await;
    let found: Value = send(&service, Method::GET, &path, &again, None).await.json().await.unwrap();
    assert_eq!(found, note);

    service.stop().await;
}
