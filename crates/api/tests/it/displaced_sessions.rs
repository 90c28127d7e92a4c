//! What a session asked for ends with it, also when it ends because the user has too many.

use serde_json::json;

use crate::harness::{TestApp, field_problem, on_both};

const CHANGES: &str = "/api/v1/email-changes";

/// Asks for a change of address in a session of its own, and returns the token of the link.
async fn ask_in_a_new_session(app: &TestApp, owner: &str) -> String {
    let asking = app.sign_in(owner).await;
    let email = app.fresh_email();
    assert_eq!(app.post_as(CHANGES, &asking.token, &json!({"email": email})).await.status(), 202);
    app.token_to(&email, "confirm-email").await
}

async fn is_refused(app: &TestApp, token: &str) {
    let response = app.post(&format!("{CHANGES}/confirm"), &json!({"token": token})).await;
    field_problem(response, "token", "invalid_token").await;
}

on_both! {
    async fn an_address_change_ends_with_the_session_that_makes_room_for_a_sign_in(
        app: TestApp, "sessions.per_user_max" = "2", "limits.account_writes_per_minute" = "0"
    ) {
        let owner = app.user().await;
        let token = ask_in_a_new_session(&app, &owner.email).await;
        for _ in 0..2 {
            app.sign_in(&owner.email).await;
        }
        is_refused(&app, &token).await;
    }

    async fn an_address_change_ends_with_the_session_that_makes_room_for_a_mailed_link(
        app: TestApp, "sessions.per_user_max" = "1", "sign_in.magic_links" = "true"
    ) {
        let owner = app.user().await;
        // The first proof of the address ends everything: it must not be what ends the change.
        let token = app.token_to(&owner.email, "verify-email").await;
        let verified = app.post_as("/api/v1/email-verifications/confirm", &owner.token, &json!({"token": token})).await;
        assert_eq!(verified.status(), 204);
        let token = ask_in_a_new_session(&app, &owner.email).await;
        assert_eq!(app.post("/api/v1/sessions/magic-links", &json!({"email": owner.email})).await.status(), 202);
        let link = app.token_to(&owner.email, "sign-in").await;
        let signed_in = app.post("/api/v1/sessions/magic-links/confirm", &json!({"token": link})).await;
        assert_eq!(signed_in.status(), 201);
        is_refused(&app, &token).await;
    }

    async fn another_session_that_makes_room_leaves_an_address_change_alone(
        app: TestApp, "sessions.per_user_max" = "2", "limits.account_writes_per_minute" = "0"
    ) {
        let owner = app.user().await;
        let token = ask_in_a_new_session(&app, &owner.email).await;
        app.sign_in(&owner.email).await;
        let response = app.post(&format!("{CHANGES}/confirm"), &json!({"token": token})).await;
        assert_eq!(response.status(), 204);
    }
}
