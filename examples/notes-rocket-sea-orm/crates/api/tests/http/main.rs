//! The HTTP API, through the test client of the framework, on a real database.

#![expect(clippy::unwrap_used, reason = "a failure in a helper fails the test")]

mod client;
mod support;

use domain::{MockNotes, NoteService, StoreError};
use serde_json::{Value, json};
use testkit::TestIssuer;
use uuid::Uuid;

use crate::client::Client;
use crate::support::{Call, World};

#[tokio::test]
async fn a_user_creates_reads_replaces_and_deletes_notes() {
    let world = World::start().await;
    let ada = world.issuer.user().token();
    let created = world.send(Call::post("/notes", &json!({"title": " Groceries "})).token(&ada)).await;
    assert_eq!(created.status, 201);
    let note = created.json();
    assert_eq!(note, json!({"id": note["id"], "title": "Groceries", "body": ""}));
    let path = format!("/notes/{}", note["id"].as_str().unwrap());

    let draft = json!({"title": "Groceries", "body": "Bread\nOlives"});
    let replaced = world.send(Call::put(&path, &draft).token(&ada)).await.json();
    assert_eq!(replaced, json!({"id": note["id"], "title": "Groceries", "body": "Bread\nOlives"}));
    assert_eq!(world.send(Call::get(&path).token(&ada)).await.json(), replaced);

    let deleted = world.send(Call::delete(&path).token(&ada)).await;
    assert_eq!((deleted.status, deleted.body.as_slice()), (204, &b""[..]));
    assert_eq!(world.send(Call::delete(&path).token(&ada)).await.error(), (404, "not_found".to_owned()));
}

#[tokio::test]
async fn notes_of_other_users_do_not_exist() {
    let world = World::start().await;
    let (ada, bob) = (world.issuer.user().token(), world.issuer.user().token());
    let note = world.send(Call::post("/notes", &json!({"title": "Groceries"})).token(&ada)).await.json();
    let path = format!("/notes/{}", note["id"].as_str().unwrap());
    for call in [Call::get(&path), Call::put(&path, &json!({"title": "Mine"})), Call::delete(&path)] {
        assert_eq!(world.send(call.token(&bob)).await.error(), (404, "not_found".to_owned()));
    }
    assert_eq!(world.send(Call::get("/notes").token(&bob)).await.json(), json!({"notes": [], "next": null}));
    assert_eq!(world.send(Call::delete("/notes").token(&bob)).await.json(), json!({"deleted": 0}));
    assert_eq!(world.send(Call::get(&path).token(&ada)).await.json(), note);
}

#[tokio::test]
async fn notes_are_listed_in_pages() {
    let world = World::start().await;
    let ada = world.issuer.user().token();
    for title in ["1", "2", "3"] {
        world.send(Call::post("/notes", &json!({"title": title})).token(&ada)).await;
    }
    let titles = |page: &Value| -> Vec<String> {
        page["notes"].as_array().unwrap().iter().map(|note| note["title"].as_str().unwrap().to_owned()).collect()
    };
    let page = world.send(Call::get("/notes?limit=2").token(&ada)).await.json();
    assert_eq!(titles(&page), ["3", "2"]);
    let rest = format!("/notes?limit=2&before={}", page["next"].as_str().unwrap());
    let page = world.send(Call::get(&rest).token(&ada)).await.json();
    assert_eq!((titles(&page), &page["next"]), (vec!["1".to_owned()], &Value::Null));
    for query in ["limit=0", "limit=201", "limit=x", "before=x", "unknown=1"] {
        let refused = world.send(Call::get(&format!("/notes?{query}")).token(&ada)).await;
        assert_eq!(refused.error(), (400, "invalid_input".to_owned()), "{query}");
    }
}

#[tokio::test]
async fn invalid_input_is_refused() {
    let world = World::start().await;
    let ada = world.issuer.user().token();
    let large = format!(r#"{{"title":"a","body":"{}"}}"#, "b".repeat(300_000));
    let cases = [
        ("application/json", r#"{"title":""}"#, 400, "invalid_input"),
        ("application/json", r#"{"title":"a","owner_id":"b"}"#, 400, "invalid_input"),
        ("application/json", "{}", 400, "invalid_input"),
        ("application/json", "{", 400, "invalid_input"),
        ("application/json", &large, 413, "body_too_large"),
        ("text/plain", r#"{"title":"a"}"#, 415, "unsupported_media_type"),
    ];
    for (content_type, body, status, code) in cases {
        let refused = world.send(Call::new("POST", "/notes").body(content_type, body).token(&ada)).await;
        let shown: String = body.chars().take(40).collect();
        assert_eq!(refused.error(), (status, code.to_owned()), "{shown}");
    }
    assert_eq!(world.send(Call::get("/notes/x").token(&ada)).await.error(), (404, "not_found".to_owned()));
    assert_eq!(world.send(Call::get("/nothing")).await.error(), (404, "not_found".to_owned()));
    let patched = world.send(Call::new("PATCH", "/notes").token(&ada)).await;
    assert!(matches!(patched.status, 404 | 405), "{}", patched.status);
}

#[tokio::test]
async fn a_valid_token_is_required() {
    let world = World::start().await;
    let id = Uuid::now_v7();
    let realm = "Bearer realm=\"denizen\"";
    let invalid = format!("{realm}, error=\"invalid_token\"");
    let (expired, forged) =
        (world.issuer.user().subject(id).expires_in_s(-60).token(), TestIssuer::new().user().subject(id).token());
    let cases = [
        (None, "unauthenticated", realm),
        (Some("nonsense"), "invalid_token", invalid.as_str()),
        (Some(expired.as_str()), "invalid_token", &invalid),
        (Some(forged.as_str()), "invalid_token", &invalid),
    ];
    let path = format!("/notes/{id}");
    let draft = json!({"title": "a"});
    for (token, code, challenge) in cases {
        for call in [
            Call::get("/notes"),
            Call::post("/notes", &draft),
            Call::delete("/notes"),
            Call::get(&path),
            Call::put(&path, &draft),
            Call::delete(&path),
        ] {
            let what = format!("{} {} with {token:?}", call.method, call.path);
            let refused = world.send(if let Some(token) = token { call.token(token) } else { call }).await;
            assert_eq!(refused.error(), (401, code.to_owned()), "{what}");
            assert_eq!(refused.header("www-authenticate"), Some(challenge), "{what}");
        }
    }
}

#[tokio::test]
async fn deleting_all_notes_requires_a_recent_authentication() {
    let world = World::start().await;
    let id = Uuid::now_v7();
    world.send(Call::post("/notes", &json!({"title": "a"})).token(&world.issuer.user().subject(id).token())).await;
    let refused = world
        .send(Call::delete("/notes").token(&world.issuer.user().subject(id).authenticated_s_ago(600).token()))
        .await;
    assert_eq!(refused.error(), (401, "insufficient_user_authentication".to_owned()));
    let challenge = refused.header("www-authenticate").unwrap();
    assert!(challenge.ends_with("max_age=\"300\""), "{challenge}");
    let deleted = world.send(Call::delete("/notes").token(&world.issuer.user().subject(id).token())).await;
    assert_eq!((deleted.status, deleted.json()), (200, json!({"deleted": 1})));
}

#[tokio::test]
async fn the_document_describes_every_operation() {
    let world = World::start().await;
    let document = world.send(Call::get("/openapi.json")).await.json();
    let operations: Vec<String> = document["paths"]
        .as_object()
        .unwrap()
        .iter()
        .flat_map(|(path, item)| item.as_object().unwrap().keys().map(move |method| format!("{method} {path}")))
        .collect();
    for operation in
        ["get /notes", "post /notes", "delete /notes", "get /notes/{id}", "put /notes/{id}", "delete /notes/{id}"]
    {
        assert!(operations.iter().any(|documented| documented == operation), "{operation} in {operations:?}");
    }
    assert_eq!(document["components"]["securitySchemes"]["denizen"]["scheme"], "bearer");
}

#[tokio::test]
async fn failures_of_the_database_are_not_explained_to_clients() {
    let mut store = MockNotes::new();
    store.expect_list().returning(|_, _, _| Err(StoreError::new("the disk is full")));
    store.expect_ping().returning(|| Err(StoreError::new("the disk is full")));
    let issuer = TestIssuer::new();
    let client = Client::new(&issuer.verifier(), &NoteService::new(store)).await;
    let token = issuer.user().token();
    for call in [Call::get("/notes").token(&token), Call::get("/health")] {
        let reply = client.send(&call).await;
        assert_eq!(reply.error(), (500, "internal".to_owned()));
        assert!(!String::from_utf8_lossy(&reply.body).contains("disk"));
    }
}

#[tokio::test]
async fn the_health_check_needs_no_token() {
    let world = World::start().await;
    assert_eq!(world.send(Call::get("/health")).await.status, 200);
}
