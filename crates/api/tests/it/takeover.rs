//! Accounts that somebody else had a hand in: registered first, guessed at by the side door, kept from their owner.

use serde_json::{Value, json};

use crate::harness::{PASSWORD, TestApp, on_both, problem};
use crate::totp::Authenticator;

const NEW: &str = "another good one";

/// A stranger signs up with an address that is not theirs, and leaves a key and a second factor.
async fn claimed(app: &TestApp) -> (crate::harness::SignedIn, String) {
    let stranger = app.user().await;
    let key = app.api_key(&stranger, &[]).await.secret;
    let made = app.post_as("/api/v1/me/totp", &stranger.token, &json!({})).await.json::<Value>().await.unwrap();
    let code = Authenticator::scan(made["uri"].as_str().unwrap()).code(app.services.clock.now());
    let confirmed = app.post_as("/api/v1/me/totp/confirm", &stranger.token, &json!({"code": code})).await;
    assert_eq!(confirmed.status(), 200);
    (stranger, key)
}

on_both! {
    async fn whoever_reads_the_mail_gets_the_account_as_a_whole(app: TestApp) {
        let (stranger, key) = claimed(&app).await;
        assert_eq!(app.post("/api/v1/password-resets", &json!({"email": stranger.email})).await.status(), 202);
        let token = app.token_to(&stranger.email, "reset-password").await;
        let body = json!({"token": token, "new_password": NEW});
        assert_eq!(app.post("/api/v1/password-resets/confirm", &body).await.status(), 204);
        assert_eq!(app.me_status(&key).await, 401);
        assert_eq!(app.me_status(&stranger.token).await, 401);
        assert_eq!(app.try_sign_in(&stranger.email, NEW).await.status(), 201, "no factor of a stranger's is owed");
    }

    async fn a_sign_in_by_mail_takes_a_strangers_password_away(app: TestApp, "sign_in.magic_links" = "true") {
        let (stranger, key) = claimed(&app).await;
        assert_eq!(app.post("/api/v1/sessions/magic-links", &json!({"email": stranger.email})).await.status(), 202);
        let token = app.token_to(&stranger.email, "sign-in").await;
        let response = app.post("/api/v1/sessions/magic-links/confirm", &json!({"token": token})).await;
        assert_eq!(response.status(), 201);
        assert_eq!((app.me_status(&key).await, app.me_status(&stranger.token).await), (401, 401));
        problem(app.try_sign_in(&stranger.email, PASSWORD).await, 401, "invalid_credentials").await;
    }

    async fn a_verified_owner_keeps_their_factor_and_keys(app: TestApp) {
        let user = app.user().await;
        let token = app.token_to(&user.email, "verify-email").await;
        assert_eq!(app.post_as("/api/v1/email-verifications/confirm", &user.token, &json!({"token": token})).await.status(), 204);
        let key = app.api_key(&user, &[]).await.secret;
        assert_eq!(app.post("/api/v1/password-resets", &json!({"email": user.email})).await.status(), 202);
        let token = app.token_to(&user.email, "reset-password").await;
        let body = json!({"token": token, "new_password": NEW});
        assert_eq!(app.post("/api/v1/password-resets/confirm", &body).await.status(), 204);
        assert_eq!(app.me_status(&key).await, 200);
    }

    async fn an_account_of_ones_own_does_not_excuse_guesses_at_another(
        app: TestApp, "limits.failures_free" = "5", "limits.failures_delay_s" = "600"
    ) {
        let victim = app.user().await;
        let email = victim.email.replace('@', "+evil@");
        let body = json!({"email": email, "password": PASSWORD, "name": "Evil Twin"});
        assert_eq!(app.post("/api/v1/users", &body).await.status(), 201);
        let mut refused = Vec::new();
        for _ in 0..3 {
            for _ in 0..4 {
                refused.push(app.try_sign_in(&victim.email, "a guess").await.status().as_u16());
            }
            app.try_sign_in(&email, PASSWORD).await;
        }
        assert_eq!(refused.iter().filter(|status| **status == 401).count(), 5, "{refused:?}");
    }

    async fn whoever_is_signed_in_is_not_kept_waiting_by_a_stranger(
        app: TestApp, "limits.failures_free" = "3", "limits.failures_delay_s" = "600"
    ) {
        let user = app.user().await;
        for _ in 0..4 {
            app.try_sign_in(&user.email, "a guess").await;
        }
        problem(app.try_sign_in(&user.email, PASSWORD).await, 429, "too_many_requests").await;
        let step_up = app.post_as("/api/v1/sessions/current/step-up", &user.token, &json!({"password": PASSWORD})).await;
        assert_eq!(step_up.status(), 204);
        let change = json!({"current_password": PASSWORD, "new_password": NEW});
        assert_eq!(app.put("/api/v1/me/password", &user.token, &change).await.status(), 204);
        // A reset lets the owner in from anywhere.
        assert_eq!(app.post("/api/v1/password-resets", &json!({"email": user.email})).await.status(), 202);
        let token = app.token_to(&user.email, "reset-password").await;
        let body = json!({"token": token, "new_password": PASSWORD});
        assert_eq!(app.post("/api/v1/password-resets/confirm", &body).await.status(), 204);
        app.sign_in(&user.email).await;
    }

    async fn a_stranger_who_asks_for_mail_does_not_use_the_owners_up(app: TestApp, "limits.mails_per_hour" = "3") {
        let user = app.user().await;
        let email = json!({"email": user.email});
        for _ in 0..6 {
            assert_eq!(app.post("/api/v1/email-verifications", &email).await.status(), 202);
        }
        assert_eq!(app.post("/api/v1/password-resets", &email).await.status(), 202);
        app.token_to(&user.email, "reset-password").await;
        app.tokens_to(&user.email, "verify-email", 3).await;
    }

    async fn a_key_of_oneself_proves_nothing(app: TestApp) {
        let admin = app.admin().await;
        let key = app.api_key(&admin, &["users:read", "users:write", "roles:write", "sessions:write"]).await.secret;
        let patch = app.patch(&admin.path(), &key, &json!({"email": "elsewhere@example.com"})).await;
        assert_eq!(patch.status(), 403);
        assert_eq!(app.delete(&format!("{}/factors", admin.path()), &key).await.status(), 403);
    }
}
