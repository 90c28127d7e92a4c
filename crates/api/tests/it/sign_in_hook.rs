//! Users who are taken over from an old system at their first sign-in: asked once, signed, in time.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_lc_rs::hmac;
use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response as Answer};
use axum::routing::post;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, StatusCode};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::events_walk::records_after;
use crate::harness::{PASSWORD, TestApp, World, eventually, on_both, problem};
use crate::process::{AT_ONCE, Process};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// A password as a Mac may send it: the accent is a character of its own.
const DECOMPOSED: &str = "cafe\u{301} correct horse";

/// What the old system was asked.
#[derive(Clone, Default)]
struct OldSystem(Arc<Mutex<Vec<(HeaderMap, String)>>>);

impl OldSystem {
    /// Starts it and returns its address.
    async fn start(&self) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().route("/sign-in", post(answer)).with_state(self.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        format!("http://{address}/sign-in")
    }

    fn asked(&self) -> Vec<(HeaderMap, String)> {
        self.0.lock().unwrap().clone()
    }
}

async fn answer(State(old): State<OldSystem>, headers: HeaderMap, body: String) -> Answer {
    let asked: Value = serde_json::from_str(&body).unwrap();
    old.0.lock().unwrap().push((headers, body));
    let (email, password) = (asked["data"]["email"].as_str().unwrap(), asked["data"]["password"].as_str().unwrap());
    match email.split('@').next().unwrap() {
        "slow" => {
            tokio::time::sleep(Duration::from_secs(30)).await;
            StatusCode::OK.into_response()
        }
        "broken" => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        "chatty" => "x".repeat(100_000).into_response(),
        "moved" => (StatusCode::FOUND, [("location", "http://127.0.0.1:1/")]).into_response(),
        "odd" => "not json".into_response(),
        "wrong" => axum::Json(json!({"email_verified": "yes"})).into_response(),
        "null" => axum::Json(json!({"name": null, "email_verified": null, "locale": null})).into_response(),
        _ if email == "Ada.Lovelace@B\u{fc}cher.example" && password == DECOMPOSED => {
            axum::Json(json!({})).into_response()
        }
        _ if password == PASSWORD => {
            axum::Json(json!({"name": "Ada from before", "email_verified": true, "locale": "fr"})).into_response()
        }
        _ => StatusCode::UNAUTHORIZED.into_response(),
    }
}

async fn with_hook(world: &World, url: &str) -> TestApp {
    let settings = [
        ("sign_in.hook_url", url),
        ("sign_in.hook_secret", SECRET),
        ("sign_in.hook_allowed_hosts", "127.0.0.1"),
        ("sign_in.hook_timeout_ms", "400"),
    ];
    world.serve(&settings).await
}

on_both! {
    async fn whoever_is_known_there_is_asked_for_once(world: World) {
        let old = OldSystem::default();
        let app = with_hook(&world, &old.start().await).await;
        problem(app.try_sign_in("ada@example.com", "not the password").await, 401, "invalid_credentials").await;
        let response = app.try_sign_in("ada@example.com", PASSWORD).await;
        assert_eq!(response.status(), 201);
        let body: Value = response.json().await.unwrap();
        assert_eq!(body["user"]["name"], "Ada from before");
        assert_eq!(body["user"]["email_verified"], true);
        assert_eq!(body["user"]["locale"], "fr");
        assert_eq!(body["user"]["role"], "user");
        assert_eq!(old.asked().len(), 2);
        let mut told = records_after(&app, 0).await;
        told.retain(|record| record.about.as_str() == body["user"]["id"].as_str());
        let types: Vec<&str> = told.iter().map(|record| &*record.kind).collect();
        assert_eq!(types, ["user.created", "password.changed", "session.started"]);
        assert_eq!(json!(told[0].data)["source"], "sign_in_hook");
        assert_eq!(json!(told[1].data)["cause"], "migrated");
        // From now on the password is ours.
        app.sign_in("ada@example.com").await;
        problem(app.try_sign_in("ada@example.com", "not the password").await, 401, "invalid_credentials").await;
        assert_eq!(old.asked().len(), 2);
    }

    async fn a_factor_that_the_role_demands_is_owed_at_the_first_sign_in_too(world: World) {
        let old = OldSystem::default();
        let app = with_hook(&world, &old.start().await).await;
        let admin = app.admin().await;
        let role = json!({"description": "Whoever signs up.", "permissions": [], "second_factor": "required"});
        assert_eq!(app.put("/api/v1/roles/user", &admin.token, &role).await.status(), 200);
        let response = app.try_sign_in("ada@example.com", PASSWORD).await;
        assert_eq!(response.status(), 202);
        assert_eq!(response.json::<Value>().await.unwrap()["owed"], "enrolment");
    }

    async fn the_question_is_signed(world: World) {
        let old = OldSystem::default();
        let app = with_hook(&world, &old.start().await).await;
        assert_eq!(app.try_sign_in("ada@example.com", PASSWORD).await.status(), 201);
        let (headers, body) = old.asked().remove(0);
        let text = |name: &str| headers[name].to_str().unwrap().to_owned();
        let signed = format!("{}.{}.{body}", text("webhook-id"), text("webhook-timestamp"));
        let key = STANDARD.decode(&SECRET[6..]).unwrap();
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), signed.as_bytes());
        assert_eq!(text("webhook-signature"), format!("v1,{}", STANDARD.encode(tag)));
        let said: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(said["type"], "sign_in.migrate");
        let expected = json!({"email": "ada@example.com", "canonical_email": "ada@example.com", "password": PASSWORD});
        assert_eq!(said["data"], expected);
    }

    async fn the_old_system_gets_the_address_and_the_password_as_typed(world: World) {
        let old = OldSystem::default();
        let app = with_hook(&world, &old.start().await).await;
        let response = app.try_sign_in("Ada.Lovelace@B\u{fc}cher.example", DECOMPOSED).await;
        assert_eq!(response.status(), 201);
        let body: Value = response.json().await.unwrap();
        let canonical = "ada.lovelace@xn--bcher-kva.example";
        assert_eq!((&body["user"]["email"], &body["user"]["name"]), (&json!(canonical), &json!(canonical)));
        let asked: Value = serde_json::from_str(&old.asked().remove(0).1).unwrap();
        assert_eq!(asked["data"]["canonical_email"], canonical);
        // From now on any spelling and either form of the accent signs in.
        assert_eq!(app.try_sign_in(canonical, "caf\u{e9} correct horse").await.status(), 201);
        assert_eq!(app.try_sign_in(canonical, DECOMPOSED).await.status(), 201);
        assert_eq!(old.asked().len(), 1);
    }

    async fn members_of_the_answer_may_be_null(world: World) {
        let old = OldSystem::default();
        let app = with_hook(&world, &old.start().await).await;
        let response = app.try_sign_in("null@example.com", PASSWORD).await;
        assert_eq!(response.status(), 201);
        let body: Value = response.json().await.unwrap();
        assert_eq!(body["user"]["name"], "null@example.com");
        assert_eq!((&body["user"]["email_verified"], &body["user"]["locale"]), (&json!(false), &Value::Null));
    }

    async fn a_failing_system_lets_nobody_in(world: World) {
        let old = OldSystem::default();
        let app = with_hook(&world, &old.start().await).await;
        for email in ["slow@example.com", "broken@example.com", "chatty@example.com", "moved@example.com", "odd@example.com"] {
            problem(app.try_sign_in(email, PASSWORD).await, 401, "invalid_credentials").await;
        }
        assert_eq!(old.asked().len(), 5, "a redirect is not followed");
    }

    async fn who_has_a_password_here_or_is_disabled_is_not_asked_for(world: World) {
        let old = OldSystem::default();
        let app = with_hook(&world, &old.start().await).await;
        let user = app.user().await;
        problem(app.try_sign_in(&user.email, "not the password").await, 401, "invalid_credentials").await;
        let admin = app.admin().await;
        let line = json!({"email": "off@example.com", "name": "Off", "status": "disabled"}).to_string();
        app.import(&admin, line).await;
        problem(app.try_sign_in("off@example.com", PASSWORD).await, 401, "invalid_credentials").await;
        assert_eq!(old.asked().len(), 0);
        // Who was imported without a password is asked for.
        let line = json!({"email": "known@example.com", "name": "Known", "email_verified": true}).to_string();
        app.import(&admin, line).await;
        let response = app.try_sign_in("known@example.com", PASSWORD).await;
        assert_eq!(response.status(), 201);
        let body: Value = response.json().await.unwrap();
        assert_eq!(body["user"]["name"], "Known", "what is known here counts");
        assert_eq!(old.asked().len(), 1);
    }

    async fn of_many_first_sign_ins_all_are_the_same_user(world: World) {
        let old = OldSystem::default();
        let app = Arc::new(with_hook(&world, &old.start().await).await);
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..8 {
            let app = Arc::clone(&app);
            tasks.spawn(async move { app.try_sign_in("ada@example.com", PASSWORD).await.status().as_u16() });
        }
        let statuses = tasks.join_all().await;
        assert!(statuses.iter().all(|status| matches!(status, 201 | 401)), "{statuses:?}");
        assert!(statuses.contains(&201));
        app.sign_in("ada@example.com").await;
        let admin = app.admin().await;
        let users = app.json("/api/v1/users?email=ada@example.com", &admin.token).await;
        assert_eq!(users.as_array().unwrap().len(), 1);
    }
}

#[tokio::test]
async fn an_answer_of_another_form_is_logged_with_what_is_expected() {
    let world = World::new(crate::harness::Db::Sqlite).await;
    let old = OldSystem::default();
    let url = old.start().await;
    let settings =
        [("sign_in.hook_url", &*url), ("sign_in.hook_secret", SECRET), ("sign_in.hook_allowed_hosts", "127.0.0.1")];
    let process = Process::start(&world, &settings).await;
    let body = json!({"email": "wrong@example.com", "password": PASSWORD});
    let request = process.request(Method::POST, "/api/v1/sessions", None).json(&body);
    problem(request.send().await.unwrap(), 401, "invalid_credentials").await;
    let expected = "the response of the hook is not valid; expected true, false or null as `email_verified`";
    eventually("it is logged", AT_ONCE * 10, async || process.log().contains(expected)).await;
    assert!(!process.log().contains("wrong@example.com"));
}

#[tokio::test]
async fn the_private_network_is_out_of_reach_unless_it_is_allowed() {
    let world = World::new(crate::harness::Db::Sqlite).await;
    let old = OldSystem::default();
    let url = old.start().await;
    let app = world.serve(&[("sign_in.hook_url", &url), ("sign_in.hook_secret", SECRET)]).await;
    problem(app.try_sign_in("ada@example.com", PASSWORD).await, 401, "invalid_credentials").await;
    assert_eq!(old.asked().len(), 0);
}
