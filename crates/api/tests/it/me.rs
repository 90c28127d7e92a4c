//! `/api/v1/me`: the caller, and their password.

use denizen_domain::access::Permission;
use reqwest::Response;
use serde_json::json;

use crate::harness::{PASSWORD, SignedIn, TestApp, field_problem, fields_problem, on_both, problem};

const NEW_PASSWORD: &str = "another good one";

async fn change(app: &TestApp, user: &SignedIn, current: &str, new: &str) -> Response {
    let body = json!({"current_password": current, "new_password": new});
    app.put("/api/v1/me/password", &user.token, &body).await
}

on_both! {
    async fn one_sees_oneself_with_session_and_permissions(app: TestApp) {
        let (user, admin) = (app.user().await, app.admin().await);
        let mut me = app.json("/api/v1/me", &user.token).await;
        assert_eq!(me["permissions"], json!([]));
        let session = me["session"].as_object().unwrap();
        assert_eq!(session.len(), 1);
        assert_eq!(session["id"].as_str().unwrap().len(), 36);
        for beyond in ["session", "api_key", "permissions"] {
            me.as_object_mut().unwrap().remove(beyond);
        }
        assert_eq!(me, app.json(&user.path(), &user.token).await);
        let me = app.json("/api/v1/me", &admin.token).await;
        assert_eq!((&me["role"], &me["permissions"]), (&json!("admin"), &json!(Permission::ALL.iter().map(|permission| permission.as_str()).collect::<Vec<_>>())));
    }

    async fn a_changed_password_ends_the_other_sessions(app: TestApp) {
        let here = app.user().await;
        let elsewhere = [app.sign_in(&here.email).await, app.sign_in(&here.email).await];
        let stranger = app.user().await;
        assert_eq!(change(&app, &here, PASSWORD, NEW_PASSWORD).await.status(), 204);
        for session in &elsewhere {
            problem(app.get("/api/v1/me", &session.token).await, 401, "invalid_token").await;
        }
        assert_eq!(app.me_status(&here.token).await, 200);
        assert_eq!(app.me_status(&stranger.token).await, 200);
        problem(app.try_sign_in(&here.email, PASSWORD).await, 401, "invalid_credentials").await;
        assert_eq!(app.try_sign_in(&here.email, NEW_PASSWORD).await.status(), 201);
    }

    async fn a_wrong_password_changes_nothing(app: TestApp) {
        let here = app.user().await;
        let elsewhere = app.sign_in(&here.email).await;
        field_problem(change(&app, &here, "not this one", NEW_PASSWORD).await, "current_password", "wrong_password").await;
        assert_eq!(app.me_status(&elsewhere.token).await, 200);
        assert_eq!(app.try_sign_in(&here.email, PASSWORD).await.status(), 201);
        problem(app.try_sign_in(&here.email, NEW_PASSWORD).await, 401, "invalid_credentials").await;
    }

    async fn a_new_password_keeps_the_rules(app: TestApp) {
        let user = app.user().await;
        field_problem(change(&app, &user, PASSWORD, "short").await, "new_password", "too_short").await;
        field_problem(change(&app, &user, PASSWORD, &"a".repeat(129)).await, "new_password", "too_long").await;
        let expected = [("current_password", "required"), ("new_password", "too_short")];
        fields_problem(change(&app, &user, "", "").await, &expected).await;
        let answer = change(&app, &user, "not this secret one", "short and secret").await.text().await.unwrap();
        assert!(!answer.contains("secret"), "{answer}");
    }

    async fn tries_at_the_current_password_are_counted(app: TestApp, "limits.failures_free" = "3", "limits.failures_delay_s" = "60") {
        let user = app.user().await;
        for _ in 0..3 {
            field_problem(change(&app, &user, "a guess", NEW_PASSWORD).await, "current_password", "wrong_password").await;
        }
        problem(change(&app, &user, PASSWORD, NEW_PASSWORD).await, 429, "too_many_requests").await;
        // A session that was stolen does not keep the owner out.
        assert_eq!(app.try_sign_in(&user.email, PASSWORD).await.status(), 201);
        assert_eq!(app.me_status(&user.token).await, 200);
    }

    async fn of_two_concurrent_changes_one_wins(app: TestApp) {
        for _ in 0..4 {
            let user = app.user().await;
            let (one, two) = tokio::join!(
                change(&app, &user, PASSWORD, "the first new one"),
                change(&app, &user, PASSWORD, "the second new one"),
            );
            let mut statuses = [one.status().as_u16(), two.status().as_u16()];
            statuses.sort_unstable();
            assert_eq!(statuses, [204, 400]);
        }
    }
}
