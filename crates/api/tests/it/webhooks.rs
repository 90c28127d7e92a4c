//! `/api/v1/webhooks`: made, seen, changed, and by whom.

use std::time::Duration;

use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::harness::{SignedIn, TestApp, eventually, field_problem, fields_problem, on_both, problem};
use crate::webhook_sinks::{Mood, Sink};

const WEBHOOKS: &str = "/api/v1/webhooks";
const NOBODY: &str = "/api/v1/webhooks/019365a8-6a5c-7f3e-9d0c-7b1f0a1c2d3e";
const URL: &str = "https://nowhere.invalid/hook?token=abc";

async fn create(app: &TestApp, by: &SignedIn, body: Value) -> Response {
    app.post_as(WEBHOOKS, &by.token, &body).await
}

async fn created(app: &TestApp, by: &SignedIn, body: Value) -> (String, Value) {
    let response = create(app, by, body).await;
    assert_eq!(response.status(), 201);
    let path = response.headers()["location"].to_str().unwrap().to_owned();
    (path, response.json().await.unwrap())
}

fn tag(response: &Response) -> String {
    response.headers()["etag"].to_str().unwrap().to_owned()
}

on_both! {
    async fn a_webhook_comes_back_as_it_was_made_less_its_secret(app: TestApp) {
        let admin = app.admin().await;
        let body = json!({"url": URL, "types": ["user.*", "role.created"], "description": "The CRM."});
        let response = create(&app, &admin, body).await;
        assert_eq!(response.status(), 201);
        assert_eq!(response.headers()["cache-control"], "no-store");
        let (etag, path) = (tag(&response), response.headers()["location"].to_str().unwrap().to_owned());
        let mut made: Value = response.json().await.unwrap();
        let secret = made.as_object_mut().unwrap().remove("secret").unwrap();
        assert!(secret.as_str().unwrap().starts_with("whsec_") && secret.as_str().unwrap().len() == 50);
        assert_eq!(path, format!("{WEBHOOKS}/{}", made["id"].as_str().unwrap()));
        let expected = [("url", json!(URL)), ("types", json!(["user.*", "role.created"])), ("status", json!("active")),
            ("description", json!("The CRM.")), ("failures", json!(0)), ("paused_until", Value::Null),
            ("disabled_reason", Value::Null), ("created_by", json!({"type": "user", "id": admin.id}))];
        for (name, value) in expected {
            assert_eq!(made[name], value, "{name}");
        }
        assert_eq!(made.as_object().unwrap().len(), 11);
        let got = app.get(&path, &admin.token).await;
        assert_eq!(tag(&got), etag);
        assert_eq!(got.json::<Value>().await.unwrap(), made);
        let (_, mut plain) = created(&app, &admin, json!({"url": URL})).await;
        plain.as_object_mut().unwrap().remove("secret");
        assert_eq!((&plain["types"], &plain["description"]), (&json!([]), &json!("")));
        assert_eq!(app.json(WEBHOOKS, &admin.token).await, json!([plain, made]));
    }

    async fn a_webhook_that_breaks_a_rule_is_refused(app: TestApp, "webhooks.allowed_hosts" = "hooks.internal") {
        let admin = app.admin().await;
        let (path, _) = created(&app, &admin, json!({"url": "http://hooks.internal:8080/"})).await;
        let long = format!("https://example.com/{}", "a".repeat(2_048));
        for (url, code) in [
            ("", "required"), (long.as_str(), "too_long"), ("nonsense", "invalid_url"), ("https://exa mple.com/", "invalid_url"),
            ("https://user:secret@example.com/", "invalid_url"), ("https://example.com/#part", "invalid_url"),
            ("ftp://example.com/", "invalid_url"), ("file:///etc/passwd", "invalid_url"), ("http://example.com/", "not_https"),
            ("https://127.0.0.1/", "private_address"), ("https://[::1]/", "private_address"), ("https://2130706433/", "private_address"),
            ("https://169.254.169.254/latest/meta-data", "private_address"), ("https://10.0.0.1/", "private_address"),
            ("https://localhost/", "private_address"), ("https://[::ffff:10.0.0.1]/", "private_address"),
        ] {
            field_problem(create(&app, &admin, json!({"url": url})).await, "url", code).await;
            field_problem(app.put(&path, &admin.token, &json!({"url": url})).await, "url", code).await;
            field_problem(app.patch(&path, &admin.token, &json!({"url": url})).await, "url", code).await;
        }
        for (body, field, code) in [
            (json!({}), "url", "required"), (json!({"url": 1}), "url", "wrong_type"),
            (json!({"url": URL, "types": ["nothing.*"]}), "types", "unknown_type"),
            (json!({"url": URL, "types": ["user.created role.created"]}), "types", "unknown_type"),
            (json!({"url": URL, "types": vec!["user.*"; 65]}), "types", "too_many"),
            (json!({"url": URL, "description": "a".repeat(201)}), "description", "too_long"),
            (json!({"url": URL, "secret": "whsec_chosen"}), "secret", "unknown_field"),
        ] {
            field_problem(create(&app, &admin, body).await, field, code).await;
        }
        for (patch, field, code) in [
            (json!({"status": "gone"}), "status", "invalid_value"), (json!({"url": null}), "url", "wrong_type"),
            (json!({"types": null}), "types", "wrong_type"), (json!({"failures": 0}), "failures", "unknown_field"),
        ] {
            field_problem(app.patch(&path, &admin.token, &patch).await, field, code).await;
        }
    }

    async fn a_webhook_is_changed_replaced_and_deleted(app: TestApp) {
        let admin = app.admin().await;
        let response = create(&app, &admin, json!({"url": URL, "types": ["user.*"], "description": "The CRM."})).await;
        let (first, path) = (tag(&response), response.headers()["location"].to_str().unwrap().to_owned());
        let patched: Value = app.patch(&path, &admin.token, &json!({"status": "disabled", "types": []})).await.json().await.unwrap();
        assert_eq!((&patched["status"], &patched["types"], &patched["url"]), (&json!("disabled"), &json!([]), &json!(URL)));
        let replaced = app.put(&path, &admin.token, &json!({"url": "https://nowhere.invalid/other"})).await;
        let now = tag(&replaced);
        let replaced: Value = replaced.json().await.unwrap();
        assert_eq!((&replaced["description"], &replaced["status"]), (&json!(""), &json!("disabled")), "what is unsaid stays");
        let same = app.patch(&path, &admin.token, &json!({"description": ""})).await;
        assert_eq!(tag(&same), now, "what changes nothing is no change");
        let send = async |method: Method, tag: &str| {
            let request = app.request(method.clone(), &path, Some(&admin.token)).header("if-match", tag);
            let request = if method == Method::DELETE { request } else { request.json(&json!({"url": URL})) };
            request.send().await.unwrap()
        };
        for method in [Method::PUT, Method::PATCH, Method::DELETE] {
            problem(send(method, &first).await, 412, "stale").await;
        }
        let rotate = app.request(Method::POST, &format!("{path}/rotate-secret"), Some(&admin.token)).header("if-match", &first);
        problem(rotate.json(&json!({})).send().await.unwrap(), 412, "stale").await;
        assert_eq!(send(Method::DELETE, &now).await.status(), 204);
        problem(app.get(&path, &admin.token).await, 404, "webhook_not_found").await;
        assert_eq!(app.json(WEBHOOKS, &admin.token).await, json!([]));
    }

    async fn what_is_not_there_is_not_found(app: TestApp) {
        let admin = app.admin().await;
        let (path, _) = created(&app, &admin, json!({"url": URL})).await;
        let delivery = "019365a8-7b1f-7c3e-8d0c-0a1c2d3e4f50";
        for base in [NOBODY, &path] {
            let code = if base == NOBODY { "webhook_not_found" } else { "delivery_not_found" };
            problem(app.get(&format!("{base}/deliveries/{delivery}"), &admin.token).await, 404, code).await;
            problem(app.post_as(&format!("{base}/deliveries/{delivery}/retry"), &admin.token, &json!({})).await, 404, code).await;
        }
        for (method, more, body) in [
            (Method::GET, "", None), (Method::PUT, "", Some(json!({"url": URL}))), (Method::PATCH, "", Some(json!({}))),
            (Method::DELETE, "", None), (Method::GET, "/deliveries", None), (Method::POST, "/test", None),
            (Method::POST, "/rotate-secret", Some(json!({}))), (Method::POST, "/replay", Some(json!({}))),
        ] {
            let request = app.request(method, &format!("{NOBODY}{more}"), Some(&admin.token));
            let request = match body { Some(body) => request.json(&body), None => request };
            problem(request.send().await.unwrap(), 404, "webhook_not_found").await;
        }
        field_problem(app.get(&format!("{path}/deliveries/1"), &admin.token).await, "delivery_id", "invalid_id").await;
        field_problem(app.get(&format!("{path}/deliveries?state=lost"), &admin.token).await, "state", "invalid_value").await;
        for (body, field, code) in [
            (json!({"state": "pending"}), "state", "invalid_value"), (json!({"from": "yesterday"}), "from", "invalid_value"),
            (json!({"from": "2026-01-02T00:00:00Z", "to": "2026-01-01T00:00:00Z"}), "to", "out_of_range"),
            (json!({"from": "2999-01-01T00:00:00Z"}), "from", "out_of_range"),
        ] {
            field_problem(app.post_as(&format!("{path}/replay"), &admin.token, &body).await, field, code).await;
        }
        let all = json!({"state": "gone", "from": "yesterday", "to": "tomorrow"});
        let response = app.post_as(&format!("{path}/replay"), &admin.token, &all).await;
        let expected = ["state", "from", "to"].map(|field| (field, "invalid_value"));
        fields_problem(response, &expected).await;
        let response = app.post_as(&format!("{path}/rotate-secret"), &admin.token, &json!({"overlap_s": 2_592_001})).await;
        field_problem(response, "overlap_s", "out_of_range").await;
    }

    async fn there_are_fifty_at_most(app: TestApp) {
        let admin = app.admin().await;
        for _ in 0..50 {
            assert_eq!(create(&app, &admin, json!({"url": URL})).await.status(), 201);
        }
        problem(create(&app, &admin, json!({"url": URL})).await, 409, "too_many_webhooks").await;
        let counted = app.get(&format!("{WEBHOOKS}?count=true&limit=1"), &admin.token).await;
        assert_eq!(counted.headers()["x-total-count"], "50");
        assert!(counted.headers().contains_key("link"));
    }

    async fn who_may_not_read_events_does_not_send_them_anywhere(app: TestApp) {
        let writer = app.user_who_may("webhooks:read webhooks:write").await;
        let reader = app.user_who_may("webhooks:read events:read").await;
        let both = app.user_who_may("webhooks:write events:read").await;
        problem(create(&app, &writer, json!({"url": URL})).await, 403, "forbidden").await;
        problem(create(&app, &reader, json!({"url": URL})).await, 403, "forbidden").await;
        let (path, _) = created(&app, &both, json!({"url": URL})).await;
        for by in [&writer, &reader] {
            problem(app.patch(&path, &by.token, &json!({"url": "https://evil.example/"})).await, 403, "forbidden").await;
            problem(app.put(&path, &by.token, &json!({"url": "https://evil.example/"})).await, 403, "forbidden").await;
            assert_eq!(app.get(&path, &by.token).await.status(), 200);
        }
        let delivery = format!("{path}/deliveries/019365a8-7b1f-7c3e-8d0c-0a1c2d3e4f50");
        assert_eq!(app.get(&format!("{path}/deliveries"), &reader.token).await.status(), 200);
        problem(app.get(&delivery, &reader.token).await, 404, "delivery_not_found").await;
        for shown in [format!("{path}/deliveries"), delivery.clone()] {
            problem(app.get(&shown, &writer.token).await, 403, "forbidden").await;
        }
        for told in [format!("{delivery}/retry"), format!("{path}/replay"), format!("{path}/rotate-secret")] {
            problem(app.post_as(&told, &writer.token, &json!({})).await, 403, "forbidden").await;
        }
        problem(app.get(&path, &both.token).await, 403, "forbidden").await;
        for (more, body) in [("test", json!({})), ("rotate-secret", json!({})), ("replay", json!({}))] {
            problem(app.post_as(&format!("{path}/{more}"), &reader.token, &body).await, 403, "forbidden").await;
        }
        assert_eq!(app.delete(&path, &writer.token).await.status(), 204);
    }

    async fn a_ping_tells_what_came_of_it(app: TestApp, "webhooks.allowed_hosts" = "127.0.0.1", "webhooks.timeout_s" = "1") {
        let admin = app.admin().await;
        let test = async |path: &str| {
            let response = app.post_as(&format!("{path}/test"), &admin.token, &json!({})).await;
            assert_eq!(response.status(), 200);
            response.json::<Value>().await.unwrap()
        };
        let sink = Sink::that(Mood::Answer(202, "thanks")).await;
        let (path, made) = created(&app, &admin, json!({"url": sink.url, "types": ["role.deleted"]})).await;
        assert_eq!(app.patch(&path, &admin.token, &json!({"status": "disabled"})).await.status(), 200);
        let told = test(&path).await;
        assert_eq!((&told["delivered"], &told["status"], &told["answer"], &told["error"]), (&json!(true), &json!(202), &json!("thanks"), &Value::Null));
        let came = sink.came().remove(0);
        assert!(came.is_signed_by(&[made["secret"].as_str().unwrap()]));
        assert_eq!(came.id(), told["event_id"].as_str().unwrap());
        let event = came.event();
        assert_eq!((&event["type"], &event["id"], &event["actor"]["id"]), (&json!("webhook.test"), &told["event_id"], &json!(admin.id)));
        assert_eq!(event["data"], json!({"webhook_id": made["id"]}));
        assert_eq!(app.json(&format!("{path}/deliveries"), &admin.token).await, json!([]));
        for (mood, status, error) in [
            (Mood::Answer(500, "no"), json!(500), "http_status"), (Mood::Stall, Value::Null, "timeout"),
            (Mood::With(302, "location", sink.url.clone()), json!(302), "http_status"),
        ] {
            let failing = Sink::that(mood).await;
            let (path, _) = created(&app, &admin, json!({"url": failing.url, "types": ["role.deleted"]})).await;
            let told = test(&path).await;
            assert_eq!((&told["delivered"], &told["status"], &told["error"]), (&json!(false), &status, &json!(error)));
        }
        assert_eq!(sink.came().len(), 1, "a redirect is not followed");
        let (path, _) = created(&app, &admin, json!({"url": "http://127.0.0.1:1/"})).await;
        assert_eq!(test(&path).await["error"], "unreachable");
    }

    async fn what_is_done_to_webhooks_is_in_the_log_without_their_secrets(app: TestApp) {
        let admin = app.admin().await;
        let (path, made) = created(&app, &admin, json!({"url": URL})).await;
        app.patch(&path, &admin.token, &json!({"description": "Another."})).await;
        let rotated: Value = app.post_as(&format!("{path}/rotate-secret"), &admin.token, &json!({})).await.json().await.unwrap();
        assert_ne!(rotated["secret"], made["secret"]);
        app.delete(&path, &admin.token).await;
        let events = app.json("/api/v1/events?types=webhook.*", &admin.token).await;
        let types: Vec<_> = events.as_array().unwrap().iter().map(|event| event["type"].as_str().unwrap()).collect();
        assert_eq!(types, ["webhook.created", "webhook.updated", "webhook.secret_rotated", "webhook.deleted"]);
        assert_eq!(events[0]["data"], json!({"webhook_id": made["id"], "host": "nowhere.invalid"}));
        assert_eq!(events[1]["data"]["changed"], json!(["description"]));
        let text = events.to_string();
        assert!(!text.contains("whsec_") && !text.contains("token=abc"), "{text}");
    }

    async fn a_webhook_with_many_deliveries_is_disabled_before_it_is_deleted(app: TestApp) {
        let admin = app.admin().await;
        let (path, _) = created(&app, &admin, json!({"url": URL, "types": ["user.created"]})).await;
        let lines = |count: u32, at: &str| {
            (0..count).map(|n| json!({"email": format!("u{n}@{at}.example"), "name": "U"}).to_string() + "\n").collect::<String>()
        };
        app.import(&admin, lines(1_001, "first")).await;
        eventually("all deliveries are there", Duration::from_secs(30), async || {
            let response = app.get(&format!("{path}/deliveries?count=true&limit=1"), &admin.token).await;
            response.headers()["x-total-count"] == "1001"
        }).await;
        assert_eq!(app.delete(&path, &admin.token).await.status(), 204);
        problem(app.get(&path, &admin.token).await, 404, "webhook_not_found").await;

        let (small, _) = created(&app, &admin, json!({"url": URL, "types": ["user.created"]})).await;
        app.import(&admin, lines(10, "second")).await;
        assert_eq!(app.delete(&small, &admin.token).await.status(), 204);
        let events = app.json("/api/v1/events?types=webhook.*", &admin.token).await;
        let said: Vec<_> = events.as_array().unwrap().iter().map(|event| (event["type"].as_str().unwrap(), &event["data"]["changed"])).collect();
        let status = json!(["status"]);
        let expected = [
            ("webhook.created", &Value::Null), ("webhook.updated", &status), ("webhook.deleted", &Value::Null),
            ("webhook.created", &Value::Null), ("webhook.deleted", &Value::Null),
        ];
        assert_eq!(said, expected);
    }

}
