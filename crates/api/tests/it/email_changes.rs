//! Addresses: verified by a link, changed at the new one, announced at the old one.

use std::sync::Arc;

use denizen::app::Ambience;
use denizen_testkit::{FakeClock, SeededRandom};
use reqwest::Response;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::harness::{PASSWORD, SignedIn, TestApp, field_problem, on_both, problem};

const VERIFY: &str = "verify-email";
const CHANGE: &str = "confirm-email";

async fn verify(app: &TestApp, token: &str) -> Response {
    app.post("/api/v1/email-verifications/confirm", &json!({"token": token})).await
}

async fn change(app: &TestApp, user: &SignedIn, email: &str) -> Response {
    app.post_as("/api/v1/email-changes", &user.token, &json!({"email": email})).await
}

async fn confirm(app: &TestApp, token: &str) -> Response {
    app.post("/api/v1/email-changes/confirm", &json!({"token": token})).await
}

async fn me(app: &TestApp, user: &SignedIn) -> Value {
    app.json("/api/v1/me", &user.token).await
}

on_both! {
    async fn whoever_signs_up_verifies_their_address(app: TestApp) {
        let user = app.user().await;
        assert_eq!(me(&app, &user).await["email_verified"], false);
        let first = app.token_to(&user.email, VERIFY).await;
        // Again: the one before is dead.
        assert_eq!(app.post("/api/v1/email-verifications", &json!({"email": user.email})).await.status(), 202);
        let second = app.tokens_to(&user.email, VERIFY, 2).await.remove(1);
        field_problem(verify(&app, &first).await, "token", "invalid_token").await;
        // By the session that signed up: without it, or the password, the session would end.
        let body = json!({"token": second});
        assert_eq!(app.post_as("/api/v1/email-verifications/confirm", &user.token, &body).await.status(), 204);
        assert_eq!(me(&app, &user).await["email_verified"], true);
        field_problem(verify(&app, &second).await, "token", "invalid_token").await;
        // There is nothing more to verify.
        assert_eq!(app.post("/api/v1/email-verifications", &json!({"email": user.email})).await.status(), 202);
        app.all_is_sent().await;
        app.tokens_to(&user.email, VERIFY, 2).await;
    }

    async fn a_new_address_is_confirmed_there_and_announced_at_the_old_one(app: TestApp) {
        let user = app.user().await;
        let new = app.fresh_email();
        assert_eq!(change(&app, &user, &new).await.status(), 202);
        assert_eq!(me(&app, &user).await["email"], user.email.as_str(), "nothing has changed yet");
        let token = app.token_to(&new, CHANGE).await;
        assert_eq!(confirm(&app, &token).await.status(), 204);
        let now = me(&app, &user).await;
        assert_eq!((now["email"].as_str(), now["email_verified"].as_bool()), (Some(new.as_str()), Some(true)));
        app.news_to(&user.email, "address").await;
        problem(app.try_sign_in(&user.email, PASSWORD).await, 401, "invalid_credentials").await;
        app.sign_in(&new).await;
        field_problem(confirm(&app, &token).await, "token", "invalid_token").await;
    }

    async fn a_patch_of_oneself_waits_for_the_same_link(app: TestApp) {
        let user = app.user().await;
        let new = app.fresh_email();
        let response = app.patch(&user.path(), &user.token, &json!({"email": new, "name": "Another Name"})).await;
        assert_eq!(response.status(), 200);
        let body: Value = response.json().await.unwrap();
        assert_eq!((body["email"].as_str(), body["name"].as_str()), (Some(user.email.as_str()), Some("Another Name")));
        let other = app.fresh_email();
        let replaced = json!({"email": other, "name": "Another Name"});
        assert_eq!(app.put(&user.path(), &user.token, &replaced).await.status(), 200);
        let first = app.token_to(&new, CHANGE).await;
        let second = app.token_to(&other, CHANGE).await;
        field_problem(confirm(&app, &first).await, "token", "invalid_token").await;
        assert_eq!(confirm(&app, &second).await.status(), 204);
        assert_eq!(me(&app, &user).await["email"], other.as_str());
    }

    async fn links_to_the_old_address_die_with_the_change(app: TestApp) {
        let user = app.user().await;
        let verification = app.token_to(&user.email, VERIFY).await;
        assert_eq!(app.post("/api/v1/password-resets", &json!({"email": user.email})).await.status(), 202);
        let reset = app.token_to(&user.email, "reset-password").await;
        let new = app.fresh_email();
        assert_eq!(change(&app, &user, &new).await.status(), 202);
        assert_eq!(confirm(&app, &app.token_to(&new, CHANGE).await).await.status(), 204);
        field_problem(verify(&app, &verification).await, "token", "invalid_token").await;
        let body = json!({"token": reset, "new_password": "another good one"});
        field_problem(app.post("/api/v1/password-resets/confirm", &body).await, "token", "invalid_token").await;
    }

    async fn a_taken_address_is_not_told(app: TestApp) {
        let (user, other) = (app.user().await, app.user().await);
        let (free, taken) = (change(&app, &user, "free@example.com").await, change(&app, &user, &other.email).await);
        assert_eq!((free.status(), taken.status()), (202.try_into().unwrap(), 202.try_into().unwrap()));
        app.all_is_sent().await;
        assert!(app.letters_to(&other.email).iter().all(|letter| !letter.text.contains(CHANGE)));
    }

    async fn of_fifty_who_confirm_one_does(app: TestApp) {
        let user = app.user().await;
        assert_eq!(change(&app, &user, "new@example.com").await.status(), 202);
        let token = app.token_to("new@example.com", CHANGE).await;
        let app = Arc::new(app);
        let mut tasks = JoinSet::new();
        for _ in 0..50 {
            let (app, token) = (Arc::clone(&app), token.clone());
            tasks.spawn(async move { confirm(&app, &token).await.status().as_u16() });
        }
        let statuses = tasks.join_all().await;
        assert_eq!(statuses.iter().filter(|status| **status == 204).count(), 1, "{statuses:?}");
        assert!(statuses.iter().all(|status| matches!(status, 204 | 400)), "{statuses:?}");
    }

    async fn an_address_that_was_taken_meanwhile_is_a_conflict(app: TestApp) {
        let user = app.user().await;
        assert_eq!(change(&app, &user, "wanted@example.com").await.status(), 202);
        let token = app.token_to("wanted@example.com", CHANGE).await;
        let body = json!({"email": "wanted@example.com", "password": PASSWORD, "name": "Quicker"});
        assert_eq!(app.post("/api/v1/users", &body).await.status(), 201);
        problem(confirm(&app, &token).await, 409, "email_taken").await;
        assert_eq!(me(&app, &user).await["email"], user.email.as_str());
    }

    async fn an_admin_changes_at_once_and_it_is_announced(app: TestApp) {
        let (user, admin) = (app.user().await, app.admin().await);
        let new = app.fresh_email();
        let response = app.patch(&user.path(), &admin.token, &json!({"email": new})).await;
        assert_eq!(response.status(), 200);
        let body: Value = response.json().await.unwrap();
        assert_eq!((body["email"].as_str(), body["email_verified"].as_bool()), (Some(new.as_str()), Some(false)));
        app.news_to(&user.email, "address").await;
        assert_eq!(verify(&app, &app.token_to(&new, VERIFY).await).await.status(), 204);
    }

    async fn an_old_sign_in_must_prove_itself_once_more(world: World) {
        let clock = Arc::new(FakeClock::default());
        let ambience = Ambience { clock: Arc::clone(&clock) as Arc<_>, random: Arc::new(SeededRandom::new(3)) };
        let app = world.serve_in(&[("sessions.access_ttl_s", "3600")], ambience).await;
        let user = app.user().await;
        clock.advance_s(600);
        problem(change(&app, &user, "new@example.com").await, 403, "step_up_required").await;
        let patch = app.patch(&user.path(), &user.token, &json!({"email": "new@example.com"})).await;
        problem(patch, 403, "step_up_required").await;
        let step_up = async |body: Value| app.post_as("/api/v1/sessions/current/step-up", &user.token, &body).await;
        field_problem(step_up(json!({"password": "not the password"})).await, "password", "wrong_password").await;
        field_problem(step_up(json!({"code": "123456"})).await, "code", "wrong_code").await;
        field_problem(step_up(json!({})).await, "password", "required").await;
        problem(change(&app, &user, "new@example.com").await, 403, "step_up_required").await;
        assert_eq!(step_up(json!({"password": PASSWORD})).await.status(), 204);
        clock.advance_s(599);
        assert_eq!(change(&app, &user, "new@example.com").await.status(), 202);
        clock.advance_s(1);
        problem(change(&app, &user, "other@example.com").await, 403, "step_up_required").await;
    }
}
