//! `/api/v1/sessions`: who is signed in where, and ending it from elsewhere.

use std::sync::Arc;

use denizen::app::Ambience;
use denizen_testkit::{FakeClock, SeededRandom};
use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::harness::{PASSWORD, SignedIn, TestApp, field_problem, on_both, problem};

const SESSIONS: &str = "/api/v1/sessions";

fn path(session: &SignedIn) -> String {
    format!("{SESSIONS}/{}", session.session_id)
}

async fn ids(app: &TestApp, token: &str, query: &str) -> Vec<String> {
    let sessions = app.json(&format!("{SESSIONS}?{query}"), token).await;
    sessions.as_array().unwrap().iter().map(|session| session["id"].as_str().unwrap().to_owned()).collect()
}

async fn sign_in_labelled(app: &TestApp, email: &str, label: Value) -> Response {
    let body = json!({"email": email, "password": PASSWORD, "label": label});
    app.request(Method::POST, SESSIONS, None).header("user-agent", "A Test/1.0").json(&body).send().await.unwrap()
}

async fn ended(response: Response) -> Value {
    assert_eq!(response.status(), 200);
    response.json::<Value>().await.unwrap()
}

async fn refresh_status(app: &TestApp, session: &SignedIn) -> u16 {
    let body = json!({"refresh_token": session.refresh_token});
    app.post("/api/v1/sessions/refresh", &body).await.status().as_u16()
}

on_both! {
    async fn one_sees_where_one_is_signed_in(app: TestApp) {
        let first = app.user().await;
        let second: Value = sign_in_labelled(&app, &first.email, json!(" Ada's laptop ")).await.json().await.unwrap();
        let token = second["access_token"].as_str().unwrap();
        let sessions = app.json(SESSIONS, token).await;
        assert_eq!(sessions.as_array().unwrap().len(), 2);
        let (here, there) = (&sessions[0], &sessions[1]);
        assert_eq!((&here["id"], &there["id"]), (&second["session_id"], &json!(first.session_id)));
        assert_eq!((&here["is_current"], &there["is_current"]), (&json!(true), &json!(false)));
        assert_eq!((&here["label"], &there["label"]), (&json!("Ada's laptop"), &json!(null)));
        assert_eq!(here["user_agent"], "A Test/1.0");
        assert_eq!(here["address"], "127.0.0.1");
        assert_eq!(here["user_id"], first.id);
        assert_eq!(here["created_at"], here["refreshed_at"]);
        assert!(here["expires_at"].as_str() > here["created_at"].as_str());
        assert!(here["last_used_at"].as_str() >= here["created_at"].as_str());
        assert_eq!(here.as_object().unwrap().len(), 14);
        assert_eq!(app.json(SESSIONS, &first.token).await[0]["is_current"], false);
    }

    async fn a_label_keeps_the_rules(app: TestApp) {
        let user = app.user().await;
        for (label, code) in [(json!("a".repeat(201)), "too_long"), (json!("a\nb"), "invalid_characters"), (json!("\u{202e}a"), "invalid_characters"), (json!(1), "wrong_type")] {
            field_problem(sign_in_labelled(&app, &user.email, label).await, "label", code).await;
        }
        assert_eq!(sign_in_labelled(&app, &user.email, json!("a".repeat(200))).await.status(), 201);
        assert_eq!(sign_in_labelled(&app, &user.email, json!(null)).await.status(), 201);
    }

    async fn a_session_ends_with_the_earlier_of_its_two_ends(world: World) {
        let clock = Arc::new(FakeClock::default());
        let ambience = Ambience { clock: Arc::clone(&clock) as Arc<_>, random: Arc::new(SeededRandom::new(12)) };
        let settings = [("sessions.idle_ttl_s", "100"), ("sessions.absolute_ttl_s", "150"), ("sessions.access_ttl_s", "100")];
        let app = world.serve_in(&settings, ambience).await;
        let (user, begun) = (app.user().await, app.services.clock.now());
        let ends = async |token: &str| app.json(SESSIONS, token).await[0]["expires_at"].as_str().unwrap().to_owned();
        assert_eq!(ends(&user.token).await, begun.plus_seconds(100).to_string());
        clock.advance_s(99);
        let body = json!({"refresh_token": user.refresh_token});
        let refreshed: Value = app.post("/api/v1/sessions/refresh", &body).await.json().await.unwrap();
        let token = refreshed["access_token"].as_str().unwrap();
        assert_eq!(ends(token).await, begun.plus_seconds(150).to_string());
        assert_eq!(app.json(SESSIONS, token).await[0]["refreshed_at"], begun.plus_seconds(99).to_string());
        clock.advance_s(51);
        problem(app.get(SESSIONS, token).await, 401, "invalid_token").await;
        let again = app.sign_in(&user.email).await;
        assert_eq!(ids(&app, &again.token, "").await, [again.session_id], "what is over is not listed");
    }

    async fn ending_one_leaves_the_others(app: TestApp) {
        let here = app.user().await;
        let (there, elsewhere) = (app.sign_in(&here.email).await, app.sign_in(&here.email).await);
        for _ in 0..2 {
            assert_eq!(app.delete(&path(&there), &here.token).await.status(), 204, "twice is no error");
        }
        problem(app.get("/api/v1/me", &there.token).await, 401, "invalid_token").await;
        assert_eq!(refresh_status(&app, &there).await, 401);
        assert_eq!(ids(&app, &here.token, "").await, [elsewhere.session_id.clone(), here.session_id.clone()]);
        assert_eq!(app.me_status(&elsewhere.token).await, 200);
        assert_eq!(app.delete(&path(&here), &here.token).await.status(), 204, "also the one that asks");
        assert_eq!(app.me_status(&here.token).await, 401);
        assert_eq!(app.delete("/api/v1/sessions/current", &elsewhere.token).await.status(), 204);
        assert_eq!(app.me_status(&elsewhere.token).await, 401);
    }

    async fn ending_the_others_leaves_the_one_that_asks(app: TestApp) {
        let (here, stranger) = (app.user().await, app.user().await);
        let others = [app.sign_in(&here.email).await, app.sign_in(&here.email).await];
        assert_eq!(ended(app.delete(&format!("{SESSIONS}?except=current"), &here.token).await).await, json!({"ended": 2}));
        for other in &others {
            assert_eq!(app.me_status(&other.token).await, 401);
            assert_eq!(refresh_status(&app, other).await, 401);
        }
        assert_eq!(app.me_status(&here.token).await, 200);
        assert_eq!(ended(app.delete(&format!("{SESSIONS}?except=current"), &here.token).await).await, json!({"ended": 0}));
        app.sign_in(&here.email).await;
        assert_eq!(ended(app.delete(SESSIONS, &here.token).await).await, json!({"ended": 2}));
        assert_eq!(app.me_status(&here.token).await, 401);
        assert_eq!(refresh_status(&app, &here).await, 401);
        assert_eq!(app.me_status(&stranger.token).await, 200);
    }

    async fn others_sessions_are_for_those_who_may(app: TestApp) {
        let (user, stranger) = (app.user().await, app.user().await);
        let (reader, writer) = (app.user_who_may("sessions:read").await, app.user_who_may("sessions:write").await);
        let theirs = format!("user_id={}", user.id);
        assert_eq!(ids(&app, &reader.token, &theirs).await, [user.session_id.as_str()]);
        for token in [&stranger.token, &writer.token] {
            problem(app.get(&format!("{SESSIONS}?{theirs}"), token).await, 404, "user_not_found").await;
        }
        problem(app.delete(&path(&user), &stranger.token).await, 404, "session_not_found").await;
        problem(app.delete(&format!("{SESSIONS}?{theirs}"), &stranger.token).await, 404, "user_not_found").await;
        // To one who sees them anyway they exist.
        problem(app.delete(&path(&user), &reader.token).await, 403, "forbidden").await;
        problem(app.delete(&format!("{SESSIONS}?{theirs}"), &reader.token).await, 403, "forbidden").await;
        assert_eq!(app.me_status(&user.token).await, 200);
        assert_eq!(app.delete(&path(&user), &writer.token).await.status(), 204);
        assert_eq!(app.me_status(&user.token).await, 401);
        let again = app.sign_in(&user.email).await;
        // What is kept is the caller's, not one of theirs.
        assert_eq!(ended(app.delete(&format!("{SESSIONS}?{theirs}&except=current"), &writer.token).await).await, json!({"ended": 1}));
        assert_eq!((app.me_status(&again.token).await, app.me_status(&writer.token).await), (401, 200));
        let admin = app.admin().await;
        assert_eq!(app.json(&format!("{SESSIONS}?{theirs}"), &admin.token).await, json!([]));
        let nobody = "/api/v1/sessions/019365a8-6a5c-7f3e-9d0c-7b1f0a1c2d3e";
        problem(app.delete(nobody, &admin.token).await, 404, "session_not_found").await;
    }

    async fn parameters_out_of_bounds_are_named(app: TestApp) {
        let admin = app.admin().await;
        for (query, field, code) in [
            ("user_id=me", "user_id", "invalid_id"),
            ("user_id=", "user_id", "invalid_id"),
            ("limit=0", "limit", "out_of_range"),
            ("after=x", "after", "invalid_cursor"),
            ("except=current", "except", "unknown_field"),
        ] {
            field_problem(app.get(&format!("{SESSIONS}?{query}"), &admin.token).await, field, code).await;
        }
        for (query, field, code) in [
            ("user_id=me", "user_id", "invalid_id"),
            ("except=all", "except", "invalid_value"),
            ("except=", "except", "invalid_value"),
            ("all=true", "all", "unknown_field"),
        ] {
            field_problem(app.delete(&format!("{SESSIONS}?{query}"), &admin.token).await, field, code).await;
        }
        field_problem(app.delete(&format!("{SESSIONS}/currently"), &admin.token).await, "id", "invalid_id").await;
        assert_eq!(app.me_status(&admin.token).await, 200);
    }

    async fn sessions_come_in_pages(app: TestApp) {
        let user = app.user().await;
        let mut expected = vec![user.session_id.clone()];
        for _ in 0..4 {
            expected.insert(0, app.sign_in(&user.email).await.session_id);
        }
        let first = app.get(&format!("{SESSIONS}?limit=3&count=true&user_id={}", user.id), &user.token).await;
        assert_eq!(first.headers()["x-total-count"], "5");
        let link = first.headers()["link"].to_str().unwrap().to_owned();
        let next = link.strip_prefix("</api/v1/sessions?").unwrap().strip_suffix(">; rel=\"next\"").unwrap();
        assert!(next.contains("user_id="), "{next}");
        assert_eq!(ids(&app, &user.token, next).await, expected[3..]);
        assert_eq!(ids(&app, &user.token, "limit=2&offset=1").await, expected[1..3]);
    }
}
