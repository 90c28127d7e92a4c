//! Forgotten passwords: what a mailed link can do, once, and for an hour.

use std::sync::Arc;

use denizen::app::Ambience;
use denizen_testkit::{FakeClock, SeededRandom};
use reqwest::header::HOST;
use reqwest::{Method, Response};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::harness::{PASSWORD, SignedIn, TestApp, field_problem, on_both, problem};

const PAGE: &str = "reset-password";
const NEW: &str = "another good one";

async fn request(app: &TestApp, email: &str) -> Response {
    app.post("/api/v1/password-resets", &json!({"email": email})).await
}

async fn confirm(app: &TestApp, token: &str, new: &str) -> Response {
    app.post("/api/v1/password-resets/confirm", &json!({"token": token, "new_password": new})).await
}

/// A user who has asked for a link.
async fn asked(app: &TestApp) -> (SignedIn, String) {
    let user = app.user().await;
    assert_eq!(request(app, &user.email).await.status(), 202);
    let token = app.token_to(&user.email, PAGE).await;
    (user, token)
}

on_both! {
    async fn a_link_sets_a_new_password_and_ends_every_session(app: TestApp) {
        let (user, token) = asked(&app).await;
        assert!(token.starts_with("dno_"));
        let response = confirm(&app, &token, NEW).await;
        assert_eq!(response.status(), 204);
        assert!(response.headers().contains_key("password-strength"));
        assert_eq!(app.me_status(&user.token).await, 401);
        let refresh = json!({"refresh_token": user.refresh_token});
        problem(app.post("/api/v1/sessions/refresh", &refresh).await, 401, "invalid_refresh_token").await;
        problem(app.try_sign_in(&user.email, PASSWORD).await, 401, "invalid_credentials").await;
        let response = app.try_sign_in(&user.email, NEW).await;
        assert_eq!(response.status(), 201);
        let body: Value = response.json().await.unwrap();
        assert_eq!(body["user"]["email_verified"], true, "whoever reads the mail has the address");
        app.news_to(&user.email, "password").await;
    }

    async fn a_link_is_good_once_of_fifty(app: TestApp) {
        let (user, token) = asked(&app).await;
        let app = Arc::new(app);
        let mut tasks = JoinSet::new();
        for n in 0..50 {
            let (app, token) = (Arc::clone(&app), token.clone());
            tasks.spawn(async move {
                let new = format!("try {n} of fifty words");
                // Hashes are admitted: whoever is turned away comes again.
                loop {
                    let status = confirm(&app, &token, &new).await.status().as_u16();
                    if status != 503 {
                        return (status, new);
                    }
                }
            });
        }
        let outcomes = tasks.join_all().await;
        let won: Vec<_> = outcomes.iter().filter(|(status, _)| *status == 204).collect();
        assert_eq!(won.len(), 1, "{outcomes:?}");
        assert!(outcomes.iter().all(|(status, _)| matches!(status, 204 | 400)));
        assert_eq!(app.try_sign_in(&user.email, &won[0].1).await.status(), 201);
        field_problem(confirm(&app, &token, NEW).await, "token", "invalid_token").await;
    }

    async fn a_new_link_takes_the_place_of_the_one_before(app: TestApp) {
        let (user, first) = asked(&app).await;
        assert_eq!(request(&app, &user.email).await.status(), 202);
        let second = app.tokens_to(&user.email, PAGE, 2).await.remove(1);
        assert_ne!(first, second);
        field_problem(confirm(&app, &first, NEW).await, "token", "invalid_token").await;
        assert_eq!(confirm(&app, &second, NEW).await.status(), 204);
    }

    async fn what_is_refused_uses_nothing_up(app: TestApp) {
        let (_, token) = asked(&app).await;
        field_problem(confirm(&app, &token, "short").await, "new_password", "too_short").await;
        field_problem(confirm(&app, &token, "Some Body 1").await, "new_password", "contains_context").await;
        assert_eq!(confirm(&app, &token, NEW).await.status(), 204);
    }

    async fn only_the_very_token_opens(app: TestApp) {
        let (user, token) = asked(&app).await;
        let verification = app.token_to(&user.email, "verify-email").await;
        let mut flipped = token.clone().into_bytes();
        for at in [4, 10, 30, flipped.len() - 2] {
            let before = flipped[at];
            flipped[at] = if before == b'A' { b'B' } else { b'A' };
            let forged = String::from_utf8(flipped.clone()).unwrap();
            field_problem(confirm(&app, &forged, NEW).await, "token", "invalid_token").await;
            flipped[at] = before;
        }
        let longer = format!("{token}A");
        for forged in ["", "dno_", &token[4..], &token[..token.len() - 1], &longer, &verification] {
            field_problem(confirm(&app, forged, NEW).await, "token", "invalid_token").await;
        }
        let verify = app.post("/api/v1/email-verifications/confirm", &json!({"token": token})).await;
        field_problem(verify, "token", "invalid_token").await;
        assert_eq!(confirm(&app, &token, NEW).await.status(), 204);
    }

    async fn who_cannot_sign_in_gets_no_link(app: TestApp) {
        let user = app.user().await;
        let admin = app.admin().await;
        let off = json!({"status": "disabled"});
        assert_eq!(app.patch(&user.path(), &admin.token, &off).await.status(), 200);
        assert_eq!(request(&app, &user.email).await.status(), 202);
        assert_eq!(request(&app, "nobody@example.com").await.status(), 202);
        app.all_is_sent().await;
        assert!(app.letters_to(&user.email).iter().all(|letter| !letter.text.contains(PAGE)));
        assert!(app.letters_to("nobody@example.com").is_empty());
    }

    async fn a_disabled_user_cannot_follow_a_link_of_before(app: TestApp) {
        let (user, token) = asked(&app).await;
        let admin = app.admin().await;
        assert_eq!(app.patch(&user.path(), &admin.token, &json!({"status": "disabled"})).await.status(), 200);
        field_problem(confirm(&app, &token, NEW).await, "token", "invalid_token").await;
        assert_eq!(app.patch(&user.path(), &admin.token, &json!({"status": "active"})).await.status(), 200);
        field_problem(confirm(&app, &token, NEW).await, "token", "invalid_token").await;
    }

    async fn a_changed_password_kills_the_link(app: TestApp) {
        let (user, token) = asked(&app).await;
        let change = json!({"current_password": PASSWORD, "new_password": NEW});
        assert_eq!(app.put("/api/v1/me/password", &user.token, &change).await.status(), 204);
        field_problem(confirm(&app, &token, "a third good one").await, "token", "invalid_token").await;
    }

    async fn links_lead_where_configuration_says_whatever_a_request_claims(
        app: TestApp, "server.public_url" = "https://id.example.com/auth"
    ) {
        let user = app.user().await;
        let request = app.request(Method::POST, "/api/v1/password-resets", None).json(&json!({"email": user.email}));
        let request = request.header(HOST, "evil.example").header("x-forwarded-host", "evil.example");
        let request = request.header("forwarded", "host=evil.example").header("x-forwarded-proto", "gopher");
        assert_eq!(request.send().await.unwrap().status(), 202);
        app.token_to(&user.email, PAGE).await;
        for letter in app.letters_to(&user.email) {
            assert!(letter.text.contains("https://id.example.com/auth/account/"), "{}", letter.text);
            assert!(!letter.text.contains("evil"), "{}", letter.text);
        }
    }

    async fn look_alike_addresses_reset_nobody(app: TestApp) {
        let user = app.user().await;
        for email in ["usеr1@example.com", "user1@example.com.", "user1＠example.com", "user1@example.com\r\nBcc: x@y.zz"] {
            let response = request(&app, email).await;
            assert_eq!(response.status(), 400, "{email:?}");
        }
        // Another spelling of the same mailbox gets its mail at the stored form.
        assert_eq!(request(&app, &user.email.to_uppercase()).await.status(), 202);
        app.token_to(&user.email, PAGE).await;
    }

    async fn a_link_expires_to_the_second(world: World) {
        let clock = Arc::new(FakeClock::default());
        let ambience = Ambience { clock: Arc::clone(&clock) as Arc<_>, random: Arc::new(SeededRandom::new(7)) };
        let app = world.serve_in(&[], ambience).await;
        let (user, first) = asked(&app).await;
        clock.advance_s(60 * 60);
        field_problem(confirm(&app, &first, NEW).await, "token", "invalid_token").await;
        assert_eq!(request(&app, &user.email).await.status(), 202);
        let second = app.tokens_to(&user.email, PAGE, 2).await.remove(1);
        clock.advance_s(60 * 60 - 1);
        assert_eq!(confirm(&app, &second, NEW).await.status(), 204);
    }
}
