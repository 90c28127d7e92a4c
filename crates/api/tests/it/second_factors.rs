//! Second factors: set up, owed, met, replaced and taken away.

use std::sync::Arc;

use denizen::app::Ambience;
use denizen_domain::ports::Clock;
use denizen_testkit::{FakeClock, SeededRandom};
use reqwest::{Method, Response};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::docs::{document, operations};
use crate::harness::{PASSWORD, SignedIn, TestApp, World, field_problem, on_both, problem};
use crate::holders::filled;
use crate::totp::Authenticator;

const NEW: &str = "another good one";

/// A server whose clock stands still until it is moved.
pub(crate) struct Stage {
    pub(crate) app: TestApp,
    clock: Arc<FakeClock>,
}

/// Somebody with an app that shows codes.
struct Enrolled {
    user: SignedIn,
    codes: Authenticator,
    recovery: Vec<String>,
}

fn texts(list: &Value) -> Vec<String> {
    list.as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect()
}

impl Stage {
    async fn set(world: &World) -> Self {
        let clock = Arc::new(FakeClock::default());
        let ambience = Ambience { clock: Arc::clone(&clock) as Arc<_>, random: Arc::new(SeededRandom::new(5)) };
        Self { app: world.serve_in(&[("sessions.access_ttl_s", "3600")], ambience).await, clock }
    }

    /// What the app shows in the next half minute: a code that was not used.
    fn next_code(&self, app: &Authenticator) -> String {
        self.clock.advance_s(30);
        app.code(self.clock.now())
    }

    async fn enrol(&self, user: SignedIn) -> Enrolled {
        let app = &self.app;
        let response = app.post_as("/api/v1/me/totp", &user.token, &json!({})).await;
        assert_eq!(response.status(), 201);
        let made: Value = response.json().await.unwrap();
        let codes = Authenticator::scan(made["uri"].as_str().unwrap());
        let response =
            app.post_as("/api/v1/me/totp/confirm", &user.token, &json!({"code": self.next_code(&codes)})).await;
        assert_eq!(response.status(), 200);
        let recovery = texts(&response.json::<Value>().await.unwrap()["recovery_codes"]);
        Enrolled { user, codes, recovery }
    }

    /// Signs in as far as the challenge.
    async fn challenge(&self, email: &str, password: &str) -> (String, Value) {
        let response = self.app.try_sign_in(email, password).await;
        assert_eq!(response.status(), 202);
        let body: Value = response.json().await.unwrap();
        (body["challenge_id"].as_str().unwrap().to_owned(), body)
    }

    async fn finish(&self, challenge: &str, code: &str) -> Response {
        self.app.post(&format!("/api/v1/sessions/challenges/{challenge}"), &json!({"code": code})).await
    }

    async fn step_up(&self, token: &str, code: &str) -> Response {
        self.app.post_as("/api/v1/sessions/current/step-up", token, &json!({"code": code})).await
    }
}

on_both! {
    async fn a_confirmed_factor_is_owed_by_every_sign_in(world: World) {
        let stage = Stage::set(&world).await;
        let app = &stage.app;
        let user = app.user().await;
        let elsewhere = app.sign_in(&user.email).await;
        let made = app.post_as("/api/v1/me/totp", &user.token, &json!({})).await.json::<Value>().await.unwrap();
        let secret = made["secret"].as_str().unwrap();
        let uri = made["uri"].as_str().unwrap();
        assert!(uri.starts_with("otpauth://totp/Denizen:user1%40example.com?secret="), "{uri}");
        assert!(uri.contains(secret) && secret.len() == 32, "{uri}");
        assert!(made["qr_svg"].as_str().unwrap().contains("<svg"));
        // Not confirmed, it is owed by nobody.
        app.sign_in(&user.email).await;
        let before = app.json("/api/v1/me/factors", &user.token).await;
        assert_eq!((before["password"].as_bool(), before["totp"].is_null()), (Some(true), true));

        let codes = Authenticator::scan(uri);
        let code = stage.next_code(&codes);
        let confirm = async |code: &str| app.post_as("/api/v1/me/totp/confirm", &user.token, &json!({"code": code})).await;
        let wrong = if code == "000000" { "000001" } else { "000000" };
        field_problem(confirm(wrong).await, "code", "wrong_code").await;
        let response = confirm(&code).await;
        assert_eq!(response.status(), 200);
        assert_eq!(texts(&response.json::<Value>().await.unwrap()["recovery_codes"]).len(), 10);
        assert_eq!(app.me_status(&user.token).await, 200, "it has just proven the factor");
        assert_eq!(app.me_status(&elsewhere.token).await, 401, "it has not");
        app.news_to(&user.email, "Two-factor").await;

        let (challenge, body) = stage.challenge(&user.email, PASSWORD).await;
        assert!(challenge.starts_with("dnc_"));
        assert_eq!((body["owed"].as_str(), body["expires_in"].as_u64()), (Some("second_factor"), Some(600)));
        assert_eq!(body.as_object().unwrap().len(), 4, "nothing of the account: {body}");
        problem(stage.finish(&challenge, &code).await, 401, "invalid_code").await;
        let response = stage.finish(&challenge, &stage.next_code(&codes)).await;
        assert_eq!(response.status(), 201);
        let signed_in: Value = response.json().await.unwrap();
        assert_eq!(app.me_status(signed_in["access_token"].as_str().unwrap()).await, 200);
        let refresh = json!({"refresh_token": signed_in["refresh_token"]});
        assert_eq!(app.post("/api/v1/sessions/refresh", &refresh).await.status(), 200);
    }

    async fn a_sign_in_that_owes_a_factor_opens_no_route(world: World) {
        let stage = Stage::set(&world).await;
        let app = &stage.app;
        let Enrolled { user, .. } = stage.enrol(app.user().await).await;
        let (challenge, _) = stage.challenge(&user.email, PASSWORD).await;
        for operation in operations(&document()) {
            let is_oauth = operation.id.starts_with("oauth2.");
            let needs_token = !is_oauth && operation.body["security"].to_string().contains("\"bearer\"");
            let is_open_too = operation.body["security"].to_string().contains("{}");
            if needs_token && !is_open_too {
                let path = filled(&operation.path, &user.id);
                let response = app.request(operation.method.clone(), &path, Some(&challenge)).send().await.unwrap();
                assert_eq!(response.status(), 401, "{} {path}", operation.method);
            }
        }
        let refresh = json!({"refresh_token": challenge});
        problem(app.post("/api/v1/sessions/refresh", &refresh).await, 401, "invalid_refresh_token").await;
    }

    async fn a_code_is_good_once_even_for_fifty(world: World) {
        let stage = Arc::new(Stage::set(&world).await);
        let Enrolled { user, codes, .. } = stage.enrol(stage.app.user().await).await;
        let mut challenges = Vec::new();
        for _ in 0..12 {
            challenges.push(stage.challenge(&user.email, PASSWORD).await.0);
        }
        let code = stage.next_code(&codes);
        let mut tasks = JoinSet::new();
        for n in 0..48 {
            let (stage, challenge, code) = (Arc::clone(&stage), challenges[n % 12].clone(), code.clone());
            tasks.spawn(async move { stage.finish(&challenge, &code).await.status().as_u16() });
        }
        let statuses = tasks.join_all().await;
        assert_eq!(statuses.iter().filter(|status| **status == 201).count(), 1, "{statuses:?}");
        assert!(statuses.iter().all(|status| matches!(status, 201 | 401 | 429)), "{statuses:?}");
    }

    async fn guesses_stop_at_five_whoever_makes_them_at_once(world: World) {
        let stage = Arc::new(Stage::set(&world).await);
        let Enrolled { user, codes, .. } = stage.enrol(stage.app.user().await).await;
        let (challenge, _) = stage.challenge(&user.email, PASSWORD).await;
        let right = stage.next_code(&codes);
        let mut tasks = JoinSet::new();
        for n in 0..100_u32 {
            let (stage, challenge) = (Arc::clone(&stage), challenge.clone());
            let guess = format!("{:06}", (right.parse::<u32>().unwrap() + 1 + n) % 1_000_000);
            tasks.spawn(async move { stage.finish(&challenge, &guess).await.status().as_u16() });
        }
        let statuses = tasks.join_all().await;
        assert!(statuses.iter().all(|status| matches!(status, 401 | 429)), "{statuses:?}");
        // The right code comes too late for this challenge.
        problem(stage.finish(&challenge, &right).await, 401, "invalid_code").await;
    }

    async fn recovery_codes_stand_in_once_each(world: World) {
        let stage = Stage::set(&world).await;
        let app = &stage.app;
        let Enrolled { user, recovery, codes } = stage.enrol(app.user().await).await;
        let (challenge, _) = stage.challenge(&user.email, PASSWORD).await;
        let typed = recovery[0].to_uppercase().replace('-', " ");
        assert_eq!(stage.finish(&challenge, &typed).await.status(), 201);
        let (challenge, _) = stage.challenge(&user.email, PASSWORD).await;
        problem(stage.finish(&challenge, &recovery[0]).await, 401, "invalid_code").await;
        assert_eq!(stage.finish(&challenge, &recovery[1]).await.status(), 201);
        assert_eq!(app.json("/api/v1/me/factors", &user.token).await["recovery_codes_left"], 8);

        let response = app.post_as("/api/v1/me/recovery-codes", &user.token, &json!({})).await;
        assert_eq!(response.status(), 200);
        let fresh = texts(&response.json::<Value>().await.unwrap()["recovery_codes"]);
        let (challenge, _) = stage.challenge(&user.email, PASSWORD).await;
        problem(stage.finish(&challenge, &recovery[2]).await, 401, "invalid_code").await;
        assert_eq!(stage.finish(&challenge, &fresh[9]).await.status(), 201);
        // A code of one user is none of another's.
        let other = stage.enrol(app.user().await).await;
        let (challenge, _) = stage.challenge(&other.user.email, PASSWORD).await;
        problem(stage.finish(&challenge, &fresh[3]).await, 401, "invalid_code").await;
        problem(stage.finish(&challenge, &stage.next_code(&codes)).await, 401, "invalid_code").await;
    }

    async fn a_challenge_dies_in_time_and_with_the_password(world: World) {
        let stage = Stage::set(&world).await;
        let app = &stage.app;
        let Enrolled { user, codes, .. } = stage.enrol(app.user().await).await;
        let (challenge, _) = stage.challenge(&user.email, PASSWORD).await;
        stage.clock.advance_s(600);
        problem(stage.finish(&challenge, &stage.next_code(&codes)).await, 401, "invalid_code").await;

        let (challenge, _) = stage.challenge(&user.email, PASSWORD).await;
        assert_eq!(stage.step_up(&user.token, &stage.next_code(&codes)).await.status(), 204);
        let change = json!({"current_password": PASSWORD, "new_password": NEW});
        assert_eq!(app.put("/api/v1/me/password", &user.token, &change).await.status(), 204);
        problem(stage.finish(&challenge, &stage.next_code(&codes)).await, 401, "invalid_code").await;

        let (challenge, _) = stage.challenge(&user.email, NEW).await;
        let admin = app.admin().await;
        assert_eq!(app.patch(&user.path(), &admin.token, &json!({"status": "disabled"})).await.status(), 200);
        problem(stage.finish(&challenge, &stage.next_code(&codes)).await, 401, "invalid_code").await;
        for forged in ["dnc_", "x", &challenge[..20], &user.session_id] {
            problem(stage.finish(forged, "123456").await, 401, "invalid_code").await;
        }
    }

    async fn what_matters_needs_a_recent_code(world: World) {
        let stage = Stage::set(&world).await;
        let app = &stage.app;
        let Enrolled { user, codes, .. } = stage.enrol(app.user().await).await;
        stage.clock.advance_s(600);
        let token = &user.token;
        let change = json!({"current_password": PASSWORD, "new_password": NEW});
        problem(app.put("/api/v1/me/password", token, &change).await, 403, "step_up_required").await;
        let email = json!({"email": "new@example.com"});
        problem(app.post_as("/api/v1/email-changes", token, &email).await, 403, "step_up_required").await;
        problem(app.post_as("/api/v1/me/recovery-codes", token, &json!({})).await, 403, "step_up_required").await;
        problem(app.delete("/api/v1/me/totp", token).await, 403, "step_up_required").await;
        // The password is not enough for whoever has more.
        let body = json!({"password": PASSWORD});
        let response = app.post_as("/api/v1/sessions/current/step-up", token, &body).await;
        field_problem(response, "code", "required").await;
        assert_eq!(stage.step_up(token, &stage.next_code(&codes)).await.status(), 204);
        assert_eq!(app.put("/api/v1/me/password", token, &change).await.status(), 204);
        assert_eq!(app.delete("/api/v1/me/totp", token).await.status(), 204);
        app.news_to(&user.email, "Two-factor").await;
        assert_eq!(app.try_sign_in(&user.email, NEW).await.status(), 201);
        problem(app.delete("/api/v1/me/totp", token).await, 404, "second_factor_not_found").await;
    }

    async fn an_admin_helps_whoever_has_lost_it(world: World) {
        let stage = Stage::set(&world).await;
        let app = &stage.app;
        let Enrolled { user, .. } = stage.enrol(app.user().await).await;
        let admin = app.admin().await;
        let factors = format!("{}/factors", user.path());
        assert!(app.json(&factors, &admin.token).await["totp"]["confirmed_at"].is_string());
        assert_eq!(app.delete(&factors, &admin.token).await.status(), 204);
        assert_eq!(app.me_status(&user.token).await, 401);
        app.sign_in(&user.email).await;
        problem(app.delete(&factors, &admin.token).await, 404, "second_factor_not_found").await;
        // Nobody takes away what guards somebody who may do more.
        let boss = stage.enrol(app.admin().await).await;
        let clerk = app.user_who_may("users:write").await;
        let response = app.delete(&format!("{}/factors", boss.user.path()), &clerk.token).await;
        problem(response, 403, "forbidden").await;
    }

    async fn a_role_that_demands_a_factor_is_felt_at_once(world: World) {
        let stage = Stage::set(&world).await;
        let app = &stage.app;
        let admin = app.admin().await;
        let Enrolled { user: enrolled, codes, .. } = stage.enrol(app.user().await).await;
        let user = app.user().await;
        let role = json!({"description": "Whoever signs up.", "permissions": [], "second_factor": "required"});
        let response = app.put("/api/v1/roles/user", &admin.token, &role).await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.json::<Value>().await.unwrap()["second_factor"], "required");
        assert_eq!(app.me_status(&user.token).await, 401);
        let refresh = json!({"refresh_token": user.refresh_token});
        problem(app.post("/api/v1/sessions/refresh", &refresh).await, 401, "invalid_refresh_token").await;
        assert_eq!(app.me_status(&enrolled.token).await, 200, "this one has proven one");
        assert_eq!(app.me_status(&admin.token).await, 200, "another role");

        // Whoever has none sets one up while signing in.
        let (challenge, body) = stage.challenge(&user.email, PASSWORD).await;
        assert_eq!(body["owed"], "enrolment");
        problem(stage.finish(&challenge, "123456").await, 401, "invalid_code").await;
        let path = format!("/api/v1/sessions/challenges/{challenge}/totp");
        let response = app.request(Method::POST, &path, None).send().await.unwrap();
        assert_eq!(response.status(), 201);
        let made: Value = response.json().await.unwrap();
        let own = Authenticator::scan(made["uri"].as_str().unwrap());
        problem(stage.finish(&challenge, &codes.code(stage.clock.now())).await, 401, "invalid_code").await;
        let response = stage.finish(&challenge, &stage.next_code(&own)).await;
        assert_eq!(response.status(), 201);
        let signed_in: Value = response.json().await.unwrap();
        assert_eq!(texts(&signed_in["recovery_codes"]).len(), 10);
        assert_eq!(app.me_status(signed_in["access_token"].as_str().unwrap()).await, 200);
        // Whoever has one cannot have it replaced by knowing the password alone.
        let (challenge, body) = stage.challenge(&user.email, PASSWORD).await;
        assert_eq!(body["owed"], "second_factor");
        let path = format!("/api/v1/sessions/challenges/{challenge}/totp");
        let response = app.request(Method::POST, &path, None).send().await.unwrap();
        problem(response, 409, "second_factor_present").await;
        // Of a built-in role nothing else changes.
        let role = json!({"permissions": ["users:read"], "second_factor": "optional"});
        problem(app.put("/api/v1/roles/user", &admin.token, &role).await, 409, "role_built_in").await;
    }

    async fn a_reset_does_not_stand_in_for_the_factor(world: World) {
        let stage = Stage::set(&world).await;
        let app = &stage.app;
        let user = app.user().await;
        let token = app.token_to(&user.email, "verify-email").await;
        let verified = app.post_as("/api/v1/email-verifications/confirm", &user.token, &json!({"token": token})).await;
        assert_eq!(verified.status(), 204);
        let Enrolled { user, codes, .. } = stage.enrol(user).await;
        assert_eq!(app.post("/api/v1/password-resets", &json!({"email": user.email})).await.status(), 202);
        let token = app.token_to(&user.email, "reset-password").await;
        let body = json!({"token": token, "new_password": NEW});
        assert_eq!(app.post("/api/v1/password-resets/confirm", &body).await.status(), 204);
        let (challenge, _) = stage.challenge(&user.email, NEW).await;
        assert_eq!(stage.finish(&challenge, &stage.next_code(&codes)).await.status(), 201);
    }

    async fn cookies_come_after_the_factor_too(world: World) {
        let stage = Stage::set(&world).await;
        let app = &stage.app;
        let Enrolled { user, codes, .. } = stage.enrol(app.user().await).await;
        let body = json!({"email": user.email, "password": PASSWORD, "cookies": true});
        let response = app.post("/api/v1/sessions", &body).await;
        assert_eq!(response.status(), 202);
        assert!(!response.headers().contains_key("set-cookie"));
        let challenge = response.json::<Value>().await.unwrap()["challenge_id"].as_str().unwrap().to_owned();
        let body = json!({"code": stage.next_code(&codes), "cookies": true});
        let response = app.post(&format!("/api/v1/sessions/challenges/{challenge}"), &body).await;
        assert_eq!(response.status(), 201);
        assert!(response.headers().get_all("set-cookie").iter().count() >= 2);
        let body: Value = response.json().await.unwrap();
        assert!(body["csrf_token"].is_string() && body["access_token"].is_null());
    }
}
