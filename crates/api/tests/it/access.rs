//! Every operation for every kind of caller, in one table. An operation without a row fails the test.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{PASSWORD, SignedIn, TestApp, on_both};

/// What each caller gets: nobody, the user that the path names, another user, an admin.
struct Row {
    operation: &'static str,
    anonymous: u16,
    oneself: u16,
    other: u16,
    admin: u16,
}

const fn row(operation: &'static str, [anonymous, oneself, other, admin]: [u16; 4]) -> Row {
    Row { operation, anonymous, oneself, other, admin }
}

const TABLE: &[Row] = &[
    //                                nobody  self  other admin
    row("health.get", [200, 200, 200, 200]),
    row("health.live", [200, 200, 200, 200]),
    row("health.ready", [200, 200, 200, 200]),
    row("me.change_password", [401, 204, 204, 204]),
    row("me.get", [401, 200, 200, 200]),
    row("metadata.get", [200, 200, 200, 200]),
    row("metadata.jwks", [200, 200, 200, 200]),
    row("sessions.create", [201, 201, 201, 201]),
    row("sessions.end_current", [401, 204, 204, 204]),
    row("sessions.refresh", [200, 200, 200, 200]),
    row("users.create", [201, 201, 201, 201]),
    row("users.create with a role", [401, 403, 403, 201]),
    row("users.delete", [401, 204, 404, 204]),
    row("users.export", [401, 403, 403, 200]),
    row("users.get", [401, 200, 404, 200]),
    row("users.import", [401, 403, 403, 200]),
    row("users.list", [401, 403, 403, 200]),
    row("users.replace", [401, 200, 404, 200]),
    row("users.replace with a role", [401, 403, 404, 200]),
    row("users.update", [401, 200, 404, 200]),
    row("users.update with a role", [401, 403, 404, 200]),
    row("users.update with a status", [401, 403, 404, 200]),
];

/// The request of an operation upon a user.
fn request(operation: &str, target: &SignedIn, fresh_email: &str) -> (Method, String, Option<Value>) {
    let user = format!("/api/v1/users/{}", target.id);
    let new = json!({"email": fresh_email, "password": PASSWORD, "name": "New"});
    let with = |mut body: Value, name: &str, value: &str| {
        body[name] = json!(value);
        Some(body)
    };
    let replaced = json!({"email": target.email, "name": "Replaced"});
    match operation {
        "health.get" => (Method::GET, "/health".into(), None),
        "health.live" => (Method::GET, "/health/live".into(), None),
        "health.ready" => (Method::GET, "/health/ready".into(), None),
        "me.get" => (Method::GET, "/api/v1/me".into(), None),
        "me.change_password" => {
            let body = json!({"current_password": PASSWORD, "new_password": "another good one"});
            (Method::PUT, "/api/v1/me/password".into(), Some(body))
        }
        "metadata.get" => (Method::GET, "/.well-known/openid-configuration".into(), None),
        "metadata.jwks" => (Method::GET, "/.well-known/jwks.json".into(), None),
        "sessions.create" => {
            (Method::POST, "/api/v1/sessions".into(), Some(json!({"email": target.email, "password": PASSWORD})))
        }
        "sessions.end_current" => (Method::DELETE, "/api/v1/sessions/current".into(), None),
        "sessions.refresh" => {
            (Method::POST, "/api/v1/sessions/refresh".into(), Some(json!({"refresh_token": target.refresh_token})))
        }
        "users.create" => (Method::POST, "/api/v1/users".into(), Some(new)),
        "users.create with a role" => (Method::POST, "/api/v1/users".into(), with(new, "role", "admin")),
        "users.delete" => (Method::DELETE, user, None),
        "users.export" => (Method::GET, "/api/v1/users/export".into(), None),
        "users.get" => (Method::GET, user, None),
        "users.import" => (Method::POST, "/api/v1/users/import".into(), None),
        "users.list" => (Method::GET, "/api/v1/users".into(), None),
        "users.replace" => (Method::PUT, user, Some(replaced)),
        "users.replace with a role" => (Method::PUT, user, with(replaced, "role", "admin")),
        "users.update" => (Method::PATCH, user, Some(json!({"name": "Patched"}))),
        "users.update with a role" => (Method::PATCH, user, Some(json!({"role": "admin"}))),
        "users.update with a status" => (Method::PATCH, user, Some(json!({"status": "disabled"}))),
        unknown => panic!("no request is written for {unknown}"),
    }
}

async fn check(app: &TestApp, row: &Row) {
    for (who, expected) in
        [("anonymous", row.anonymous), ("oneself", row.oneself), ("other", row.other), ("admin", row.admin)]
    {
        let target = app.user().await;
        let token = match who {
            "anonymous" => None,
            "oneself" => Some(target.token.clone()),
            "other" => Some(app.user().await.token),
            _ => Some(app.admin().await.token),
        };
        let (method, path, body) = request(row.operation, &target, &app.fresh_email());
        let request = app.request(method, &path, token.as_deref());
        let request = match body {
            Some(body) => request.json(&body),
            None if row.operation == "users.import" => {
                let line = format!("{{\"email\":\"{}\",\"name\":\"Imported\"}}\n", app.fresh_email());
                request.header("content-type", "application/x-ndjson").body(line)
            }
            None => request,
        };
        let status = request.send().await.unwrap().status().as_u16();
        assert_eq!(status, expected, "{} by {who}", row.operation);
    }
}

on_both! {
    async fn every_operation_for_every_caller(app: TestApp) {
        for row in TABLE {
            check(&app, row).await;
        }
    }
}

#[test]
fn every_operation_has_a_row() {
    let document: Value = serde_json::from_str(&denizen::openapi::document().to_json().unwrap()).unwrap();
    let paths = document["paths"].as_object().unwrap().values();
    let operations = paths.flat_map(|path| path.as_object().unwrap().values());
    let served: BTreeSet<&str> = operations.map(|operation| operation["operationId"].as_str().unwrap()).collect();
    let written: BTreeSet<&str> = TABLE.iter().map(|row| row.operation.split(' ').next().unwrap()).collect();
    assert_eq!(served, written);
}
