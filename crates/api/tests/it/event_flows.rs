//! What the log says of flows that need what a mail or an authenticator says, of what the server does by itself, and that
//! no secret is ever in it.

use std::sync::Arc;

use denizen::app::Ambience;
use denizen_domain::credentials::{self, NewPassword};
use denizen_domain::events::Event;
use denizen_domain::id::UserId;
use denizen_domain::keys;
use denizen_domain::ports::Clock;
use denizen_testkit::{FakeClock, SeededRandom};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::events_walk::{head, records_after};
use crate::harness::{PASSWORD, SignedIn, TestApp, World, on_both};
use crate::totp::Authenticator;

const NEW: &str = "another good one";

/// A server whose clock stands still, and where its log was last looked at.
struct Stage {
    app: TestApp,
    clock: Arc<FakeClock>,
    seen: i64,
}

impl Stage {
    async fn set(world: &World) -> Self {
        let clock = Arc::new(FakeClock::default());
        let ambience = Ambience { clock: Arc::clone(&clock) as Arc<_>, random: Arc::new(SeededRandom::new(7)) };
        let settings = [
            ("sessions.access_ttl_s", "3600"),
            ("sign_in.mailed_codes", "true"),
            ("sign_in.magic_links", "true"),
            ("tokens.key_rotation_days", "30"),
        ];
        Self { app: world.serve_in(&settings, ambience).await, clock, seen: 0 }
    }

    /// What was recorded of somebody since the last time.
    async fn news(&mut self, of: &str) -> Vec<Event> {
        let mut records = records_after(&self.app, self.seen).await;
        self.seen = head(&self.app).await;
        records.retain(|record| record.about.as_str() == Some(of));
        records
    }

    /// The types of what was recorded of somebody since the last time, and by whom.
    async fn told(&mut self, of: &str) -> Vec<String> {
        let said = |record: Event| format!("{} by {}", record.kind, record.actor.kind.as_str());
        self.news(of).await.into_iter().map(said).collect()
    }

    async fn post(&self, path: &str, token: Option<&str>, body: Value) -> Value {
        let response = self.app.request(Method::POST, path, token).json(&body).send().await.unwrap();
        assert!(response.status().is_success(), "{path}: {}", response.status());
        response.json().await.unwrap_or_default()
    }

    /// A code that was not used.
    fn code(&self, app: &Authenticator) -> String {
        self.clock.advance_s(30);
        app.code(self.clock.now())
    }

    /// Sets a second factor up; returns the app, the secret and the recovery codes.
    async fn enrol(&self, user: &SignedIn) -> (Authenticator, String, Vec<String>) {
        let made = self.post("/api/v1/me/totp", Some(&user.token), json!({})).await;
        let app = Authenticator::scan(made["uri"].as_str().unwrap());
        let code = json!({"code": self.code(&app)});
        let confirmed = self.post("/api/v1/me/totp/confirm", Some(&user.token), code).await;
        let codes = confirmed["recovery_codes"].as_array().unwrap();
        let codes = codes.iter().map(|code| code.as_str().unwrap().to_owned()).collect();
        (app, made["secret"].as_str().unwrap().to_owned(), codes)
    }
}

on_both! {
    async fn mailed_links_are_recorded_when_made_and_when_used(world: World) {
        let mut stage = Stage::set(&world).await;
        let user = stage.app.user().await;
        let (id, email) = (user.id.clone(), user.email.clone());
        assert_eq!(stage.told(&id).await, ["user.created by anonymous", "user.link_created by user", "session.started by user"]);

        let token = stage.app.token_to(&email, "verify-email").await;
        stage.post("/api/v1/email-verifications/confirm", Some(&user.token), json!({"token": token})).await;
        assert_eq!(stage.told(&id).await, ["user.updated by user", "user.email_verified by user"]);

        stage.post("/api/v1/password-resets", None, json!({"email": email})).await;
        let token = stage.app.token_to(&email, "reset-password").await;
        assert_eq!(stage.told(&id).await, ["user.link_created by system"]);
        stage.post("/api/v1/password-resets/confirm", None, json!({"token": token, "new_password": NEW})).await;
        assert_eq!(stage.told(&id).await, ["password.changed by user", "session.ended by user"]);

        stage.post("/api/v1/sessions/magic-links", None, json!({"email": email})).await;
        let token = stage.app.token_to(&email, "sign-in").await;
        assert_eq!(stage.told(&id).await, ["user.link_created by system"]);
        stage.post("/api/v1/sessions/magic-links/confirm", None, json!({"token": token})).await;
        let news = stage.news(&id).await;
        assert_eq!((news.len(), news[0].kind.as_str()), (1, "session.started"));
        assert_eq!(json!(news[0].data)["method"], "magic_link");
        let credential = news[0].actor.credential.map(|(kind, id)| (kind.as_str(), id.to_string()));
        assert_eq!(credential, Some(("session", json!(news[0].data)["session_id"].as_str().unwrap().to_owned())));

        let asked = stage.post("/api/v1/sessions/codes", None, json!({"email": email})).await;
        let code = stage.app.codes_to(&email, 1).await.remove(0);
        let path = format!("/api/v1/sessions/challenges/{}", asked["challenge_id"].as_str().unwrap());
        let signed_in = stage.post(&path, None, json!({"code": code})).await;
        assert_eq!(stage.told(&id).await, ["session.started by user"]);

        let new = stage.app.fresh_email();
        let token = signed_in["access_token"].as_str().unwrap();
        stage.post("/api/v1/email-changes", Some(token), json!({"email": new})).await;
        assert_eq!(stage.told(&id).await, ["user.link_created by user", "user.email_change_requested by user"]);
        let token = stage.app.token_to(&new, "confirm-email").await;
        stage.post("/api/v1/email-changes/confirm", None, json!({"token": token})).await;
        let expected = ["user.updated by user", "user.email_changed by user", "user.email_verified by user"];
        assert_eq!(stage.told(&id).await, expected);
    }

    async fn who_joins_is_told_with_all_that_changed(world: World) {
        let mut stage = Stage::set(&world).await;
        let admin = stage.app.admin().await;
        let email = stage.app.fresh_email();
        let invited = stage.post("/api/v1/invitations", Some(&admin.token), json!({"email": email})).await;
        let id = invited["id"].as_str().unwrap().to_owned();
        assert_eq!(stage.told(&id).await, ["user.created by user", "user.invited by user", "user.link_created by user"]);
        let token = stage.app.token_to(&email, "accept-invitation").await;
        stage.post("/api/v1/invitations/accept", None, json!({"token": token, "password": PASSWORD})).await;
        let expected = ["user.updated by user", "user.email_verified by user", "user.joined by user", "password.changed by user"];
        assert_eq!(stage.told(&id).await, expected);
    }

    async fn an_unproven_address_that_is_taken_back_loses_everything_and_that_is_told(world: World) {
        let mut stage = Stage::set(&world).await;
        let user = stage.app.user().await;
        stage.app.api_key(&user, &[]).await;
        stage.enrol(&user).await;
        stage.told(&user.id).await;
        stage.post("/api/v1/sessions/magic-links", None, json!({"email": user.email})).await;
        let token = stage.app.token_to(&user.email, "sign-in").await;
        stage.told(&user.id).await;
        stage.post("/api/v1/sessions/magic-links/confirm", None, json!({"token": token})).await;
        assert_eq!(stage.told(&user.id).await, [
            "factor.removed by user", "api_key.deleted by user", "password.changed by user", "session.ended by user",
            "user.updated by user", "user.email_verified by user", "session.started by user",
        ]);
    }

    async fn second_factors_are_told_from_the_first_step_to_the_last(world: World) {
        let mut stage = Stage::set(&world).await;
        let user = stage.app.user().await;
        stage.app.sign_in(&user.email).await;
        stage.told(&user.id).await;
        let (app, _, codes) = stage.enrol(&user).await;
        assert_eq!(stage.told(&user.id).await, ["factor.enrolment_started by user", "factor.added by user", "session.ended by user"]);

        let response = stage.app.try_sign_in(&user.email, PASSWORD).await;
        assert_eq!(response.status(), StatusCode::ACCEPTED);
        let challenge: Value = response.json().await.unwrap();
        assert_eq!(stage.told(&user.id).await, ["session.challenged by user"]);
        let path = format!("/api/v1/sessions/challenges/{}", challenge["challenge_id"].as_str().unwrap());
        stage.post(&path, None, json!({"code": stage.code(&app)})).await;
        assert_eq!(stage.told(&user.id).await, ["session.started by user"]);

        stage.post("/api/v1/sessions/current/step-up", Some(&user.token), json!({"code": codes[0]})).await;
        let news = stage.news(&user.id).await;
        assert_eq!((news.len(), &json!(news[0].data)["factor"]), (1, &json!("recovery_code")));
        stage.post("/api/v1/me/recovery-codes", Some(&user.token), json!({})).await;
        assert_eq!(stage.told(&user.id).await, ["factor.recovery_codes_replaced by user"]);
        assert_eq!(stage.app.delete("/api/v1/me/totp", &user.token).await.status(), 204);
        assert_eq!(stage.told(&user.id).await, ["factor.removed by user", "session.ended by user"]);

        stage.enrol(&user).await;
        let admin = stage.app.admin().await;
        stage.told(&user.id).await;
        let path = format!("/api/v1/users/{}/factors", user.id);
        assert_eq!(stage.app.delete(&path, &admin.token).await.status(), 204);
        let news = stage.news(&user.id).await;
        assert!(news.iter().all(|record| record.actor.id.is_some_and(|id| id.to_string() == admin.id)));
        assert_eq!(news.iter().map(|record| &*record.kind).collect::<Vec<_>>(), ["factor.removed", "session.ended"]);
    }

    async fn a_role_that_demands_a_factor_has_it_set_up_on_the_way_in(world: World) {
        let mut stage = Stage::set(&world).await;
        let (admin, user) = (stage.app.admin().await, stage.app.user().await);
        let body = json!({"name": "careful", "permissions": [], "second_factor": "required"});
        stage.post("/api/v1/roles", Some(&admin.token), body).await;
        let changed = stage.app.patch(&user.path(), &admin.token, &json!({"role": "careful"})).await;
        assert_eq!(changed.status(), 200);
        stage.told(&user.id).await;
        let challenge: Value = stage.app.try_sign_in(&user.email, PASSWORD).await.json().await.unwrap();
        let path = format!("/api/v1/sessions/challenges/{}", challenge["challenge_id"].as_str().unwrap());
        let made = stage.post(&format!("{path}/totp"), None, json!({})).await;
        let app = Authenticator::scan(made["uri"].as_str().unwrap());
        stage.post(&path, None, json!({"code": stage.code(&app)})).await;
        assert_eq!(stage.told(&user.id).await, [
            "session.challenged by user", "factor.enrolment_started by user", "factor.added by user", "session.started by user",
        ]);
    }

    async fn a_refresh_token_in_two_hands_ends_its_session(world: World) {
        let mut stage = Stage::set(&world).await;
        let user = stage.app.user().await;
        let body = json!({"refresh_token": user.refresh_token});
        stage.post("/api/v1/sessions/refresh", None, body.clone()).await;
        stage.told(&user.id).await;
        stage.clock.advance_s(60);
        assert_eq!(stage.app.post("/api/v1/sessions/refresh", &body).await.status(), 401);
        let news = stage.news(&user.id).await;
        assert_eq!((news.len(), json!(news[0].data)), (1, json!({"session_id": user.session_id, "reason": "refresh_token_reused"})));
        assert_eq!(news[0].actor.kind.as_str(), "anonymous", "whoever used it is not known to be the user");
    }

    async fn who_is_deleted_or_locked_out_has_each_session_ended(world: World) {
        let mut stage = Stage::set(&world).await;
        let admin = stage.app.admin().await;
        for reason in ["user_deleted", "user_disabled", "password_changed"] {
            let user = stage.app.user().await;
            let mut sessions = vec![user.session_id.clone(), stage.app.sign_in(&user.email).await.session_id];
            let key = stage.app.api_key(&user, &[]).await;
            stage.told(&user.id).await;
            match reason {
                "user_deleted" => assert_eq!(stage.app.delete(&user.path(), &admin.token).await.status(), 204),
                "user_disabled" => {
                    let change = json!({"status": "disabled"});
                    assert_eq!(stage.app.patch(&user.path(), &admin.token, &change).await.status(), 200);
                }
                _ => {
                    let new = NewPassword::parse(&NEW.into(), 8).unwrap();
                    credentials::set(&stage.app.operator(), UserId::parse(&user.id).unwrap(), new).await.unwrap();
                }
            }
            let news = stage.news(&user.id).await;
            let ended = news.iter().filter(|record| record.kind == "session.ended").map(|record| json!(record.data));
            let ended: Vec<Value> = ended.collect();
            assert!(ended.iter().all(|data| data["reason"] == reason), "{ended:?}");
            let mut told: Vec<&str> = ended.iter().map(|data| data["session_id"].as_str().unwrap()).collect();
            told.sort_unstable();
            sessions.sort_unstable();
            assert_eq!(told, sessions);
            let keys: Vec<_> = news.iter().filter(|record| record.kind == "api_key.deleted").collect();
            assert_eq!(keys.len(), usize::from(reason == "password_changed"));
            assert!(keys.iter().all(|record| json!(record.data)["api_key_id"] == key.id));
        }
    }

    async fn keys_that_the_server_changes_are_told_once(world: World) {
        let stage = Stage::set(&world).await;
        let services = &stage.app.services;
        let before = head(&stage.app).await;
        stage.clock.advance_s(30 * 24 * 3600);
        keys::keep(services).await.unwrap();
        stage.clock.advance_s(2 * 24 * 3600);
        keys::keep(services).await.unwrap();
        keys::keep(services).await.unwrap();
        let records = records_after(&stage.app, before).await;
        let told: Vec<String> = records.iter().map(|at| format!("{} by {}", at.kind, at.actor.kind.as_str())).collect();
        assert_eq!(told, ["signing_key.rotated by system", "signing_key.removed by system"]);
    }

    async fn an_import_tells_of_those_who_were_taken(world: World) {
        let stage = Stage::set(&world).await;
        let admin = stage.app.admin().await;
        let line = |email: &str| json!({"email": email, "name": "Imported"}).to_string();
        let text = [line("a@example.com"), line("b@example.com"), line("A@example.com"), "{".to_owned()].join("\n");
        let before = head(&stage.app).await;
        assert_eq!(stage.app.import(&admin, text.clone()).await["created"], 2);
        let records = records_after(&stage.app, before).await;
        assert_eq!(records.iter().map(|at| &*at.kind).collect::<Vec<_>>(), ["user.created"; 2]);
        assert!(records.iter().all(|record| json!(record.data)["source"] == "import"));
        let request = stage.app.request(Method::POST, "/api/v1/users/import?dry_run=true", Some(&admin.token));
        let request = request.header("content-type", "application/x-ndjson").body(line("c@example.com"));
        assert_eq!(request.send().await.unwrap().status(), 200);
        assert_eq!(records_after(&stage.app, before).await.len(), 2, "a dry run changes nothing");
    }

    async fn no_secret_is_in_the_log(world: World) {
        let stage = Stage::set(&world).await;
        let (user, admin) = (stage.app.user().await, stage.app.admin().await);
        let key = stage.app.api_key(&user, &[]).await;
        let mut secrets = vec![PASSWORD.to_owned(), NEW.to_owned(), key.secret.clone()];
        let rotated = stage.post(&format!("{}/rotate", key.path()), Some(&user.token), json!({})).await;
        secrets.push(rotated["key"].as_str().unwrap().to_owned());
        let (app, secret, codes) = stage.enrol(&user).await;
        secrets.extend(codes.iter().map(|code| code.replace('-', "")));
        secrets.extend(codes);
        secrets.push(secret);
        let challenge: Value = stage.app.try_sign_in(&user.email, PASSWORD).await.json().await.unwrap();
        let challenge = challenge["challenge_id"].as_str().unwrap().to_owned();
        let code = json!({"code": stage.code(&app)});
        let signed_in = stage.post(&format!("/api/v1/sessions/challenges/{challenge}"), None, code).await;
        secrets.push(challenge);
        for name in ["access_token", "refresh_token", "device_token"] {
            secrets.extend(signed_in[name].as_str().map(str::to_owned));
        }
        stage.post("/api/v1/password-resets", None, json!({"email": user.email})).await;
        let reset = stage.app.token_to(&user.email, "reset-password").await;
        stage.post("/api/v1/password-resets/confirm", None, json!({"token": reset, "new_password": NEW})).await;
        stage.post("/api/v1/sessions/codes", None, json!({"email": user.email})).await;
        secrets.extend([reset, stage.app.token_to(&user.email, "verify-email").await, admin.token.clone()]);
        secrets.extend([user.token.clone(), user.refresh_token.clone(), admin.refresh_token.clone()]);

        let records = records_after(&stage.app, 0).await;
        assert!(records.len() > 12);
        let mut said: Vec<String> = records.iter().map(|record| format!("{record:?}")).collect();
        for path in ["/api/v1/events?limit=200", "/api/v1/audit?limit=200", "/api/v1/audit/export?format=csv"] {
            let response = stage.app.get(path, &admin.token).await;
            assert_eq!(response.status(), 200, "{path}");
            said.push(response.text().await.unwrap());
        }
        for secret in secrets {
            assert!(secret.len() > 5, "{secret}");
            assert!(said.iter().all(|text| !text.contains(&secret)), "{secret} is told");
        }
    }
}
