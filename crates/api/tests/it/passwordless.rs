//! Sign in by mail, where it is offered.

use std::sync::Arc;

use reqwest::Response;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::harness::{PASSWORD, TestApp, field_problem, on_both, problem};

const PAGE: &str = "sign-in";

async fn ask_code(app: &TestApp, email: &str) -> String {
    let response = app.post("/api/v1/sessions/codes", &json!({"email": email, "label": "My laptop"})).await;
    assert_eq!(response.status(), 202);
    let body: Value = response.json().await.unwrap();
    assert_eq!((body["owed"].as_str(), body.as_object().unwrap().len()), (Some("mailed_code"), 4));
    body["challenge_id"].as_str().unwrap().to_owned()
}

async fn finish(app: &TestApp, challenge: &str, code: &str) -> Response {
    app.post(&format!("/api/v1/sessions/challenges/{challenge}"), &json!({"code": code})).await
}

async fn follow(app: &TestApp, token: &str) -> Response {
    app.post("/api/v1/sessions/magic-links/confirm", &json!({"token": token, "label": "My laptop"})).await
}

on_both! {
    async fn a_mailed_code_signs_in_and_proves_the_address(app: TestApp, "sign_in.mailed_codes" = "true") {
        let user = app.user().await;
        let challenge = ask_code(&app, &user.email).await;
        let code = app.codes_to(&user.email, 1).await.remove(0);
        let wrong = if code == "111111" { "222222" } else { "111111" };
        problem(finish(&app, &challenge, wrong).await, 401, "invalid_code").await;
        let response = finish(&app, &challenge, &code).await;
        assert_eq!(response.status(), 201);
        let body: Value = response.json().await.unwrap();
        assert_eq!(body["user"]["email_verified"], true);
        let sessions = app.json("/api/v1/sessions", body["access_token"].as_str().unwrap()).await;
        assert!(sessions.to_string().contains("My laptop"), "{sessions}");
        problem(finish(&app, &challenge, &code).await, 401, "invalid_code").await;
    }

    async fn a_code_belongs_to_its_challenge(app: TestApp, "sign_in.mailed_codes" = "true") {
        let (one, other) = (app.user().await, app.user().await);
        let first = ask_code(&app, &one.email).await;
        let second = ask_code(&app, &other.email).await;
        let codes = [app.codes_to(&one.email, 1).await.remove(0), app.codes_to(&other.email, 1).await.remove(0)];
        if codes[0] != codes[1] {
            problem(finish(&app, &first, &codes[1]).await, 401, "invalid_code").await;
            problem(finish(&app, &second, &codes[0]).await, 401, "invalid_code").await;
        }
        assert_eq!(finish(&app, &first, &codes[0]).await.status(), 201);
        assert_eq!(finish(&app, &second, &codes[1]).await.status(), 201);
    }

    async fn guesses_stop_at_five(app: TestApp, "sign_in.mailed_codes" = "true") {
        let user = app.user().await;
        let challenge = ask_code(&app, &user.email).await;
        let code = app.codes_to(&user.email, 1).await.remove(0);
        let app = Arc::new(app);
        let mut tasks = JoinSet::new();
        for n in 1..=50_u32 {
            let (app, challenge) = (Arc::clone(&app), challenge.clone());
            let guess = format!("{:06}", (code.parse::<u32>().unwrap() + n) % 1_000_000);
            tasks.spawn(async move { finish(&app, &challenge, &guess).await.status().as_u16() });
        }
        let statuses = tasks.join_all().await;
        assert!(statuses.iter().all(|status| matches!(status, 401 | 429)), "{statuses:?}");
        assert!(matches!(finish(&app, &challenge, &code).await.status().as_u16(), 401 | 429));
    }

    async fn nobodys_code_is_like_any_other(app: TestApp, "sign_in.mailed_codes" = "true") {
        let challenge = ask_code(&app, "nobody@example.com").await;
        for _ in 0..6 {
            problem(finish(&app, &challenge, "123456").await, 401, "invalid_code").await;
        }
        app.all_is_sent().await;
        assert!(app.letters_to("nobody@example.com").is_empty());
    }

    async fn a_mailed_link_signs_in_once(app: TestApp, "sign_in.magic_links" = "true") {
        let user = app.user().await;
        assert_eq!(app.post("/api/v1/sessions/magic-links", &json!({"email": user.email})).await.status(), 202);
        let token = app.token_to(&user.email, PAGE).await;
        let app = Arc::new(app);
        let mut tasks = JoinSet::new();
        for _ in 0..50 {
            let (app, token) = (Arc::clone(&app), token.clone());
            tasks.spawn(async move { follow(&app, &token).await.status().as_u16() });
        }
        let statuses = tasks.join_all().await;
        assert_eq!(statuses.iter().filter(|status| **status == 201).count(), 1, "{statuses:?}");
        field_problem(follow(&app, &token).await, "token", "invalid_token").await;
    }

    async fn a_second_factor_is_owed_after_mail_too(
        app: TestApp, "sign_in.magic_links" = "true", "sign_in.mailed_codes" = "true"
    ) {
        let admin = app.admin().await;
        let user = app.user().await;
        let role = json!({"description": "Whoever signs up.", "permissions": [], "second_factor": "required"});
        assert_eq!(app.put("/api/v1/roles/user", &admin.token, &role).await.status(), 200);
        assert_eq!(app.post("/api/v1/sessions/magic-links", &json!({"email": user.email})).await.status(), 202);
        let response = follow(&app, &app.token_to(&user.email, PAGE).await).await;
        assert_eq!(response.status(), 202);
        assert_eq!(response.json::<Value>().await.unwrap()["owed"], "enrolment");
        let challenge = ask_code(&app, &user.email).await;
        let response = finish(&app, &challenge, &app.codes_to(&user.email, 1).await.remove(0)).await;
        assert_eq!(response.status(), 202);
        assert_eq!(response.json::<Value>().await.unwrap()["owed"], "enrolment");
    }

    async fn what_is_not_offered_is_refused(app: TestApp) {
        let email = json!({"email": "ada@example.com"});
        problem(app.post("/api/v1/sessions/codes", &email).await, 403, "not_offered").await;
        problem(app.post("/api/v1/sessions/magic-links", &email).await, 403, "not_offered").await;
        problem(follow(&app, "dno_x").await, 403, "not_offered").await;
        let user = app.user().await;
        assert_eq!(app.try_sign_in(&user.email, PASSWORD).await.status(), 201);
    }
}
