//! Who answers for a webhook, and what becomes of it without them.

use std::time::Duration;

use denizen_domain::id::UserId;
use serde_json::{Value, json};

use crate::harness::{SignedIn, TestApp, eventually, on_both};
use crate::webhook_sinks::{Mood, Sink};

const WEBHOOKS: &str = "/api/v1/webhooks";
const URL: &str = "https://nowhere.invalid/hook";
const RIGHTS: &str = "webhooks:read webhooks:write events:read";
const SOON: Duration = Duration::from_secs(20);

/// A user with this role.
async fn with_role(app: &TestApp, admin: &SignedIn, role: &str) -> SignedIn {
    let user = app.user().await;
    assert_eq!(app.patch(&user.path(), &admin.token, &json!({"role": role})).await.status(), 200);
    user
}

/// Creates a webhook with a token and answers its path.
async fn create(app: &TestApp, token: &str, url: &str) -> String {
    let response = app.post_as(WEBHOOKS, token, &json!({"url": url, "types": ["user.created"]})).await;
    assert_eq!(response.status(), 201);
    response.headers()["location"].to_str().unwrap().to_owned()
}

fn by(kind: &str, id: &str) -> Value {
    json!({"type": kind, "id": id})
}

/// Asserts that a webhook is disabled for a reason, and that this was recorded.
async fn is_disabled(app: &TestApp, admin: &SignedIn, path: &str, reason: &str) {
    let webhook = app.json(path, &admin.token).await;
    assert_eq!((&webhook["status"], &webhook["disabled_reason"]), (&json!("disabled"), &json!(reason)), "{webhook}");
    let id = webhook["id"].as_str().unwrap();
    let events = app.json("/api/v1/events?types=webhook.disabled&limit=200", &admin.token).await;
    let data = json!({"webhook_id": id, "reason": reason});
    assert!(events.as_array().unwrap().iter().any(|event| event["data"] == data), "{events}");
}

on_both! {
    async fn a_webhook_shows_who_created_it(app: TestApp) {
        let admin = app.admin().await;
        let path = create(&app, &admin.token, URL).await;
        assert_eq!(app.json(&path, &admin.token).await["created_by"], by("user", &admin.id));
        let account = app.service_account("admin").await;
        let key = app.service_key(&account, RIGHTS).await.secret;
        let path = create(&app, &key, URL).await;
        assert_eq!(app.json(&path, &admin.token).await["created_by"], by("service_account", &account));
        let path = format!("{WEBHOOKS}/{}", app.a_webhook().await);
        assert!(app.json(&path, &admin.token).await["disabled_reason"].is_null());
    }

    async fn a_webhook_ends_with_what_its_creator_may_do(app: TestApp) {
        let admin = app.admin().await;
        for (event, reason) in [
            ("deleted", "creator_deleted"), ("disabled", "creator_disabled"), ("another role", "creator_not_permitted"),
            ("a narrower role", "creator_not_permitted"), ("no events", "creator_not_permitted"),
        ] {
            let role = app.fresh_role(RIGHTS).await;
            let user = with_role(&app, &admin, &role).await;
            let path = create(&app, &user.token, URL).await;
            let role = format!("/api/v1/roles/{role}");
            let status = match event {
                "deleted" => app.delete(&user.path(), &admin.token).await,
                "disabled" => app.patch(&user.path(), &admin.token, &json!({"status": "disabled"})).await,
                "another role" => app.patch(&user.path(), &admin.token, &json!({"role": "user"})).await,
                "a narrower role" => app.put(&role, &admin.token, &json!({"permissions": ["events:read"]})).await,
                _ => app.put(&role, &admin.token, &json!({"permissions": ["webhooks:write"]})).await,
            };
            assert!(status.status().is_success(), "{event}: {}", status.status());
            is_disabled(&app, &admin, &path, reason).await;
        }
    }

    async fn a_webhook_ends_with_its_service_account(app: TestApp) {
        let admin = app.admin().await;
        for (event, reason) in [
            ("deleted", "creator_deleted"), ("disabled", "creator_disabled"), ("another role", "creator_not_permitted"),
        ] {
            let account = app.service_account("admin").await;
            let key = app.service_key(&account, RIGHTS).await.secret;
            let path = create(&app, &key, URL).await;
            let of = format!("/api/v1/service-accounts/{account}");
            let status = match event {
                "deleted" => app.delete(&of, &admin.token).await,
                "disabled" => app.patch(&of, &admin.token, &json!({"status": "disabled"})).await,
                _ => app.patch(&of, &admin.token, &json!({"role": "user"})).await,
            };
            assert!(status.status().is_success(), "{event}: {}", status.status());
            is_disabled(&app, &admin, &path, reason).await;
        }
    }

    async fn nothing_is_delivered_until_somebody_takes_it_over(
        app: TestApp, "webhooks.allowed_hosts" = "127.0.0.1", "webhooks.retry_first_ms" = "20"
    ) {
        let (admin, sink) = (app.admin().await, Sink::that(Mood::Answer(200, "ok")).await);
        let user = with_role(&app, &admin, "admin").await;
        let path = create(&app, &user.token, &sink.url).await;
        let first = app.user().await;
        eventually("the first arrives", SOON, async || sink.came().len() == 1).await;
        assert_eq!(sink.came()[0].event()["subject"], first.id.as_str());
        assert_eq!(app.delete(&user.path(), &admin.token).await.status(), 204);
        app.user().await;
        is_disabled(&app, &admin, &path, "creator_deleted").await;
        let enabled = app.patch(&path, &admin.token, &json!({"status": "active"})).await;
        assert_eq!(enabled.status(), 200);
        let enabled: Value = enabled.json().await.unwrap();
        assert_eq!(enabled["created_by"], by("user", &admin.id));
        assert!(enabled["disabled_reason"].is_null());
        let last = app.user().await;
        eventually("the last arrives", SOON, async || sink.came().len() >= 2).await;
        assert_eq!(sink.came()[1].event()["subject"], last.id.as_str(), "and none between");
    }

    async fn whoever_changes_the_url_answers_for_it(app: TestApp) {
        let (admin, maker) = (app.admin().await, app.admin().await);
        let other = with_role(&app, &admin, "admin").await;
        let path = create(&app, &maker.token, URL).await;
        let described = app.patch(&path, &other.token, &json!({"description": "Described"})).await;
        assert_eq!(described.json::<Value>().await.unwrap()["created_by"], by("user", &maker.id));
        let moved = app.patch(&path, &other.token, &json!({"url": "https://elsewhere.invalid/"})).await;
        assert_eq!(moved.json::<Value>().await.unwrap()["created_by"], by("user", &other.id));
        assert_eq!(app.delete(&maker.path(), &admin.token).await.status(), 204);
        assert_eq!(app.json(&path, &admin.token).await["status"], "active");
        assert_eq!(app.delete(&other.path(), &admin.token).await.status(), 204);
        is_disabled(&app, &admin, &path, "creator_deleted").await;
    }

    async fn a_creator_who_vanished_unnoticed_is_found_before_a_delivery(
        app: TestApp, "webhooks.allowed_hosts" = "127.0.0.1", "webhooks.retry_first_ms" = "20"
    ) {
        let (admin, sink) = (app.admin().await, Sink::that(Mood::Answer(200, "ok")).await);
        let user = with_role(&app, &admin, "admin").await;
        let path = create(&app, &user.token, &sink.url).await;
        // As a release does that knows nothing of creators.
        let mut tx = app.services.store.write().await.unwrap();
        assert!(tx.delete_user(UserId::parse(&user.id).unwrap()).await.unwrap());
        tx.commit().await.unwrap();
        app.user().await;
        eventually("it is disabled", SOON, async || {
            app.json(&path, &admin.token).await["status"] == "disabled"
        }).await;
        is_disabled(&app, &admin, &path, "creator_deleted").await;
        assert!(sink.came().is_empty());
    }
}
