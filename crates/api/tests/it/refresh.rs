//! `POST /api/v1/sessions/refresh`: one session, one generation at a time.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use denizen::app::Ambience;
use denizen_testkit::{FakeClock, SeededRandom};
use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::harness::{TestApp, World, field_problem, on_both, problem};

async fn refresh(app: &TestApp, token: &str) -> Response {
    app.post("/api/v1/sessions/refresh", &json!({"refresh_token": token})).await
}

async fn next(app: &TestApp, token: &str) -> Value {
    let response = refresh(app, token).await;
    assert_eq!(response.status(), 200);
    response.json().await.unwrap()
}

async fn refused(app: &TestApp, token: &str) {
    let response = refresh(app, token).await;
    assert!(response.headers().contains_key("www-authenticate"));
    problem(response, 401, "invalid_refresh_token").await;
}

fn text(body: &Value, name: &str) -> String {
    body[name].as_str().unwrap().to_owned()
}

/// A server whose clock the test moves.
async fn on_a_clock(world: &World, settings: &[(&str, &str)]) -> (TestApp, Arc<FakeClock>) {
    let clock = Arc::new(FakeClock::default());
    let ambience = Ambience { clock: Arc::clone(&clock) as Arc<_>, random: Arc::new(SeededRandom::new(9)) };
    (world.serve_in(settings, ambience).await, clock)
}

on_both! {
    async fn a_session_goes_on_with_new_tokens(app: TestApp) {
        let user = app.user().await;
        assert!(user.refresh_token.starts_with("dnr_"));
        let response = refresh(&app, &user.refresh_token).await;
        assert_eq!(response.headers()["cache-control"], "no-store");
        let body: Value = response.json().await.unwrap();
        assert_eq!((&body["token_type"], &body["expires_in"]), (&json!("Bearer"), &json!(900)));
        assert_eq!(body["user"]["id"], user.id.as_str());
        let me = app.json("/api/v1/me", &text(&body, "access_token")).await;
        assert_eq!(me["session"]["id"], body["session_id"]);
        let again = next(&app, &text(&body, "refresh_token")).await;
        assert_eq!(again["session_id"], body["session_id"]);
        assert_ne!(again["refresh_token"], body["refresh_token"]);
        assert_eq!(app.me_status(&user.token).await, 200, "the session is one and lives");
    }

    async fn within_the_grace_the_same_parent_has_the_same_child(world: World) {
        let (app, clock) = on_a_clock(&world, &[]).await;
        let user = app.user().await;
        let first = next(&app, &user.refresh_token).await;
        clock.advance_s(9);
        let second = next(&app, &user.refresh_token).await;
        assert_eq!(first["refresh_token"], second["refresh_token"]);
        clock.advance_s(2);
        refused(&app, &user.refresh_token).await;
        refused(&app, &text(&first, "refresh_token")).await;
        assert_eq!(app.me_status(&text(&second, "access_token")).await, 401, "a token in two hands ends the session");
    }

    async fn two_generations_back_ends_the_session(app: TestApp) {
        let user = app.user().await;
        let first = next(&app, &user.refresh_token).await;
        let second = next(&app, &text(&first, "refresh_token")).await;
        refused(&app, &user.refresh_token).await;
        refused(&app, &text(&second, "refresh_token")).await;
        assert_eq!(app.me_status(&text(&second, "access_token")).await, 401);
    }

    async fn strict_has_no_grace(world: World) {
        let app = world.serve(&[("sessions.refresh_grace_s", "0")]).await;
        let user = app.user().await;
        let child = next(&app, &user.refresh_token).await;
        refused(&app, &user.refresh_token).await;
        refused(&app, &text(&child, "refresh_token")).await;
    }

    async fn fifty_at_once_are_one_rotation(world: World) {
        let apps = [world.serve(&[]).await, world.serve(&[]).await];
        let user = apps[0].user().await;
        let tasks: Vec<_> = (0..50).map(|at| {
            let body = json!({"refresh_token": user.refresh_token});
            tokio::spawn(apps[at % 2].request(Method::POST, "/api/v1/sessions/refresh", None).json(&body).send())
        }).collect();
        let mut children = Vec::new();
        for task in tasks {
            let response = task.await.unwrap().unwrap();
            assert_eq!(response.status(), 200);
            children.push(text(&response.json().await.unwrap(), "refresh_token"));
        }
        children.dedup();
        assert_eq!(children.len(), 1, "the same parent has the same child, on every node");
    }

    async fn an_unused_session_ends(world: World) {
        let settings = [("sessions.access_ttl_s", "30"), ("sessions.idle_ttl_s", "60"), ("sessions.absolute_ttl_s", "100")];
        let (app, clock) = on_a_clock(&world, &settings).await;
        let (idle, used) = (app.user().await, app.user().await);
        clock.advance_s(50);
        let used = next(&app, &used.refresh_token).await;
        clock.advance_s(11);
        refused(&app, &idle.refresh_token).await;
        clock.advance_s(29);
        let used = next(&app, &text(&used, "refresh_token")).await;
        assert_eq!(used["expires_in"], 10, "no token outlives its session");
        clock.advance_s(11);
        refused(&app, &text(&used, "refresh_token")).await;
    }

    async fn what_ends_a_session_ends_its_refresh(app: TestApp) {
        let admin = app.admin().await;
        let (signed_out, disabled, deleted) = (app.user().await, app.user().await, app.user().await);
        let sign_out = app.request(Method::DELETE, "/api/v1/sessions/current", Some(&signed_out.token));
        assert_eq!(sign_out.send().await.unwrap().status(), 204);
        assert_eq!(app.patch(&disabled.path(), &admin.token, &json!({"status": "disabled"})).await.status(), 200);
        let delete = app.request(Method::DELETE, &deleted.path(), Some(&admin.token));
        assert_eq!(delete.send().await.unwrap().status(), 204);
        for user in [signed_out, disabled, deleted] {
            refused(&app, &user.refresh_token).await;
        }
    }

    async fn a_role_is_the_one_of_now(app: TestApp) {
        let (admin, user) = (app.admin().await, app.user().await);
        assert_eq!(app.patch(&user.path(), &admin.token, &json!({"role": "admin"})).await.status(), 200);
        let body = next(&app, &user.refresh_token).await;
        let payload = text(&body, "access_token").split('.').nth(1).unwrap().to_owned();
        let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap();
        assert_eq!((&claims["role"], &claims["scope"]), (&json!("admin"), &json!(denizen_domain::access::Permissions::ALL.to_string())));
    }

    async fn bent_cut_and_foreign_tokens_are_refused(app: TestApp) {
        let (user, admin) = (app.user().await, app.admin().await);
        let good = user.refresh_token.as_str();
        for at in 4..good.len() {
            let mut bent = good.as_bytes().to_vec();
            bent[at] = if bent[at] == b'A' { b'B' } else { b'A' };
            refused(&app, std::str::from_utf8(&bent).unwrap()).await;
        }
        let longer = format!("{good}A");
        let bare = good.strip_prefix("dnr_").unwrap();
        // The id of one session under the code of another.
        let spliced = format!("{}{}", &admin.refresh_token[..30], &good[30..]);
        for token in ["", "dnr_", &good[..good.len() - 1], &longer, bare, &spliced, &user.token] {
            refused(&app, token).await;
        }
        field_problem(app.post("/api/v1/sessions/refresh", &json!({})).await, "refresh_token", "required").await;
        assert_eq!(refresh(&app, good).await.status(), 200, "none of it did harm");
    }

    async fn a_stale_access_token_does_not_stand_in_the_way(app: TestApp) {
        let user = app.user().await;
        let body = json!({"refresh_token": user.refresh_token});
        let request = app.request(Method::POST, "/api/v1/sessions/refresh", Some("stale")).json(&body);
        assert_eq!(request.send().await.unwrap().status(), 200);
    }
}
