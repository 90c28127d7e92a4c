//! Users who are asked to join.

use std::sync::Arc;

use reqwest::Response;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::harness::{PASSWORD, SignedIn, TestApp, field_problem, on_both, problem};

const PAGE: &str = "accept-invitation";

async fn invite(app: &TestApp, admin: &SignedIn, body: Value) -> Response {
    app.post_as("/api/v1/invitations", &admin.token, &body).await
}

async fn accept(app: &TestApp, token: &str, password: &str) -> Response {
    app.post("/api/v1/invitations/accept", &json!({"token": token, "password": password})).await
}

on_both! {
    async fn whoever_is_invited_joins_by_the_link(app: TestApp) {
        let admin = app.admin().await;
        let email = app.fresh_email();
        let body = json!({"email": email, "name": "Grace Hopper", "role": "admin", "locale": "de"});
        let response = invite(&app, &admin, body).await;
        assert_eq!(response.status(), 201);
        let location = response.headers()["location"].to_str().unwrap().to_owned();
        let invited: Value = response.json().await.unwrap();
        assert_eq!((invited["status"].as_str(), invited["role"].as_str()), (Some("invited"), Some("admin")));
        assert_eq!(app.json(&location, &admin.token).await["status"], "invited");
        problem(app.try_sign_in(&email, PASSWORD).await, 401, "invalid_credentials").await;
        assert_eq!(app.post("/api/v1/password-resets", &json!({"email": email})).await.status(), 202);
        // Whoever sends mail looks who it is for: while they are invited still.
        app.all_is_sent().await;

        let token = app.token_to(&email, PAGE).await;
        field_problem(accept(&app, &token, "Grace Hopper").await, "password", "contains_context").await;
        let response = accept(&app, &token, PASSWORD).await;
        assert_eq!(response.status(), 200);
        let joined: Value = response.json().await.unwrap();
        assert_eq!((joined["status"].as_str(), joined["email_verified"].as_bool()), (Some("active"), Some(true)));
        assert_eq!((joined["name"].as_str(), joined["id"].as_str()), (Some("Grace Hopper"), invited["id"].as_str()));
        app.sign_in(&email).await;
        field_problem(accept(&app, &token, PASSWORD).await, "token", "invalid_token").await;
        app.all_is_sent().await;
        assert!(app.letters_to(&email).iter().all(|letter| !letter.text.contains("reset-password")));
    }

    async fn inviting_again_mails_a_new_link(app: TestApp) {
        let admin = app.admin().await;
        let email = app.fresh_email();
        for _ in 0..2 {
            assert_eq!(invite(&app, &admin, json!({"email": email})).await.status(), 201);
        }
        let tokens = app.tokens_to(&email, PAGE, 2).await;
        field_problem(accept(&app, &tokens[0], PASSWORD).await, "token", "invalid_token").await;
        let body = json!({"token": tokens[1], "password": PASSWORD, "name": "My Own Name"});
        let response = app.post("/api/v1/invitations/accept", &body).await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.json::<Value>().await.unwrap()["name"], "My Own Name");
        problem(invite(&app, &admin, json!({"email": email})).await, 409, "email_taken").await;
    }

    async fn nobody_invites_somebody_who_may_more(app: TestApp) {
        let clerk = app.user_who_may("users:write").await;
        let email = app.fresh_email();
        problem(invite(&app, &clerk, json!({"email": email, "role": "admin"})).await, 403, "permission_not_held").await;
        let admin = app.admin().await;
        assert_eq!(invite(&app, &admin, json!({"email": email, "role": "admin"})).await.status(), 201);
        // Nor hands an invitation that is out to another role.
        problem(invite(&app, &clerk, json!({"email": email})).await, 409, "email_taken").await;
    }

    async fn of_fifty_who_accept_one_joins(app: TestApp) {
        let admin = app.admin().await;
        let email = app.fresh_email();
        assert_eq!(invite(&app, &admin, json!({"email": email})).await.status(), 201);
        let token = app.token_to(&email, PAGE).await;
        let app = Arc::new(app);
        let mut tasks = JoinSet::new();
        for _ in 0..50 {
            let (app, token) = (Arc::clone(&app), token.clone());
            tasks.spawn(async move {
                loop {
                    let status = accept(&app, &token, PASSWORD).await.status().as_u16();
                    if status != 503 {
                        return status;
                    }
                }
            });
        }
        let statuses = tasks.join_all().await;
        assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
        assert!(statuses.iter().all(|status| matches!(status, 200 | 400)), "{statuses:?}");
    }

    async fn a_deleted_or_enabled_invitee_cannot_accept(app: TestApp) {
        let admin = app.admin().await;
        for change in ["delete", "active"] {
            let email = app.fresh_email();
            let response = invite(&app, &admin, json!({"email": email})).await;
            let id = response.json::<Value>().await.unwrap()["id"].as_str().unwrap().to_owned();
            let token = app.token_to(&email, PAGE).await;
            let path = format!("/api/v1/users/{id}");
            let response = match change {
                "delete" => app.delete(&path, &admin.token).await,
                status => app.patch(&path, &admin.token, &json!({"status": status})).await,
            };
            assert!(response.status().is_success());
            field_problem(accept(&app, &token, PASSWORD).await, "token", "invalid_token").await;
        }
    }
}
