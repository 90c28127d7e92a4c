//! Passkeys: registered, used as both factors, as the second one and for step-up, renamed and removed.

use std::sync::Arc;

use denizen::app::Ambience;
use denizen_domain::id::UserId;
use denizen_testkit::{FakeClock, SeededRandom};
use reqwest::{Method, Response};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::authenticator::{Authenticator, SYNCED, encoded};
use crate::browser::Browser;
use crate::harness::{PASSWORD, SignedIn, TestApp, World, field_problem, on_both, problem};

pub(crate) const MINE: &str = "/api/v1/me/passkeys";
pub(crate) const SIGN_IN: &str = "/api/v1/sessions/passkeys";
pub(crate) const STEP_UP: &str = "/api/v1/sessions/current/step-up";

impl TestApp {
    /// An authenticator in a browser with a page of the server.
    pub(crate) fn authenticator(&self) -> Authenticator {
        Authenticator::new(&self.url.replace("127.0.0.1", "localhost"))
    }

    /// Options of a ceremony: `publicKey` and `state`.
    pub(crate) async fn passkey_options(&self, path: &str, token: Option<&str>) -> Value {
        let response = self.request(Method::POST, &format!("{path}/options"), token).send().await.unwrap();
        assert_eq!(response.status(), 200, "{path}");
        assert_eq!(response.headers()["cache-control"], "no-store");
        response.json().await.unwrap()
    }

    /// Creates a passkey and sends it.
    pub(crate) async fn try_register(&self, user: &SignedIn, device: &mut Authenticator) -> Response {
        let options = self.passkey_options(MINE, Some(&user.token)).await;
        let credential = device.create(&options["publicKey"]);
        self.post_as(MINE, &user.token, &json!({"state": options["state"], "credential": credential})).await
    }

    pub(crate) async fn register(&self, user: &SignedIn, device: &mut Authenticator) -> Value {
        let response = self.try_register(user, device).await;
        assert_eq!(response.status(), 201);
        response.json().await.unwrap()
    }

    pub(crate) async fn passkey_sign_in(&self, device: &mut Authenticator) -> Response {
        let options = self.passkey_options(SIGN_IN, None).await;
        let credential = device.get(&options["publicKey"]);
        self.post(SIGN_IN, &json!({"state": options["state"], "credential": credential})).await
    }

    /// Signs in with the password as far as the challenge.
    pub(crate) async fn challenge(&self, email: &str) -> (String, Value) {
        let response = self.try_sign_in(email, PASSWORD).await;
        assert_eq!(response.status(), 202);
        let body: Value = response.json().await.unwrap();
        (format!("/api/v1/sessions/challenges/{}", body["challenge_id"].as_str().unwrap()), body)
    }
}

/// A server whose clock stands still until it is moved.
pub(crate) async fn stage(world: &World) -> (TestApp, Arc<FakeClock>) {
    let clock = Arc::new(FakeClock::default());
    let ambience = Ambience { clock: Arc::clone(&clock) as Arc<_>, random: Arc::new(SeededRandom::new(7)) };
    (world.serve_in(&[("sessions.access_ttl_s", "3600")], ambience).await, clock)
}

pub(crate) async fn opened(response: Response) -> Value {
    assert_eq!(response.status(), 201);
    response.json().await.unwrap()
}

pub(crate) fn token(signed_in: &Value) -> &str {
    signed_in["access_token"].as_str().unwrap()
}

on_both! {
    async fn a_passkey_is_registered_and_signs_in(app: TestApp) {
        let user = app.user().await;
        let elsewhere = app.sign_in(&user.email).await;
        let options = app.passkey_options(MINE, Some(&user.token)).await;
        let public_key = &options["publicKey"];
        let selection = json!({"residentKey": "required", "requireResidentKey": true, "userVerification": "required"});
        assert_eq!(public_key["authenticatorSelection"], selection);
        assert_eq!((&public_key["attestation"], &public_key["excludeCredentials"]), (&json!("none"), &json!([])));
        assert_eq!(public_key["rp"], json!({"id": "localhost", "name": "Denizen"}));
        assert_eq!((&public_key["user"]["name"], &public_key["user"]["displayName"]), (&json!(user.email), &json!("Some Body")));
        assert!(!options.to_string().contains(&user.id), "the options do not contain the id of the user");

        let mut device = app.authenticator();
        device.flags |= SYNCED;
        let body = json!({"state": options["state"], "credential": device.create(public_key), "name": " Phone "});
        let passkey = opened(app.post_as(MINE, &user.token, &body).await).await;
        assert_eq!((&passkey["name"], &passkey["aaguid"]), (&json!("Phone"), &json!("07070707-0707-0707-0707-070707070707")));
        assert_eq!(passkey["credential_id"], encoded(&device.credential_id));
        assert_eq!(passkey["transports"], json!(["internal", "hybrid"]));
        assert_eq!((&passkey["backup_eligible"], &passkey["backed_up"], &passkey["last_used_at"]), (&json!(true), &json!(true), &Value::Null));
        assert_eq!(app.me_status(&user.token).await, 200, "the session has proven the passkey");
        assert_eq!(app.me_status(&elsewhere.token).await, 401, "this one has not");
        app.news_to(&user.email, "passkey was added").await;

        let options = app.passkey_options(SIGN_IN, None).await;
        let public_key = &options["publicKey"];
        assert_eq!((&public_key["allowCredentials"], &public_key["userVerification"]), (&json!([]), &json!("required")));
        assert_eq!((&public_key["rpId"], &options["mediation"]), (&json!("localhost"), &Value::Null));
        let body = json!({"state": options["state"], "credential": device.get(public_key), "label": "Laptop"});
        let signed_in = opened(app.post(SIGN_IN, &body).await).await;
        assert_eq!(signed_in["user"]["id"], json!(user.id));
        // Both factors are proven: the new session registers a second passkey at once.
        let mut second = app.authenticator();
        let user = SignedIn { token: token(&signed_in).to_owned(), ..user };
        let options = app.passkey_options(MINE, Some(&user.token)).await;
        assert_eq!(options["publicKey"]["excludeCredentials"][0]["id"], encoded(&device.credential_id));
        app.register(&user, &mut second).await;
        assert_eq!(second.user_handle, device.user_handle, "all passkeys of a user have one handle");
        let list = app.json(MINE, &user.token).await;
        assert_eq!(list["data"].as_array().unwrap().len(), 2);
        assert!(list["data"][0]["last_used_at"].is_string());
        assert_eq!((&list["rp_id"], &list["user_handle"]), (&json!("localhost"), &json!(encoded(&device.user_handle))));
        assert_eq!((&list["user_name"], &list["user_display_name"]), (&json!(user.email), &json!("Some Body")));
        assert_eq!(app.json("/api/v1/me/factors", &user.token).await["passkeys"], 2);
        let events = app.json("/api/v1/me/events?limit=100", &user.token).await.to_string();
        assert!(events.contains("\"method\":\"passkey\"") && events.contains("passkey.added"), "{events}");
    }

    async fn a_password_sign_in_requires_the_passkey(app: TestApp) {
        let user = app.user().await;
        let mut device = app.authenticator();
        app.register(&user, &mut device).await;
        let (challenge, body) = app.challenge(&user.email).await;
        assert_eq!((&body["owed"], &body["factors"]), (&json!("second_factor"), &json!(["passkey", "recovery_code"])));
        let response = app.request(Method::POST, &format!("{challenge}/totp"), None).send().await.unwrap();
        problem(response, 409, "second_factor_present").await;
        problem(app.post(&challenge, &json!({"code": "123456"})).await, 401, "invalid_code").await;
        let path = format!("{challenge}/passkey");
        let options = app.passkey_options(&path, None).await;
        assert_eq!(options["publicKey"]["allowCredentials"][0]["id"], encoded(&device.credential_id));
        let body = json!({"state": options["state"], "credential": device.get(&options["publicKey"])});
        let signed_in = opened(app.post(&path, &body).await).await;
        assert_eq!(app.me_status(token(&signed_in)).await, 200);
        problem(app.post(&path, &body).await, 401, "invalid_code").await;

        // A recovery code replaces a lost passkey.
        let response = app.post_as("/api/v1/me/recovery-codes", token(&signed_in), &json!({})).await;
        let code = response.json::<Value>().await.unwrap()["recovery_codes"][0].clone();
        let (challenge, _) = app.challenge(&user.email).await;
        assert_eq!(app.post(&challenge, &json!({"code": code})).await.status(), 201);
    }

    async fn another_users_passkey_completes_nothing(app: TestApp) {
        let (user, other) = (app.user().await, app.user().await);
        let (mut own, mut foreign) = (app.authenticator(), app.authenticator());
        app.register(&user, &mut own).await;
        app.register(&other, &mut foreign).await;
        let (challenge, _) = app.challenge(&user.email).await;
        let path = format!("{challenge}/passkey");
        let options = app.passkey_options(&path, None).await;
        let body = json!({"state": options["state"], "credential": foreign.get(&options["publicKey"])});
        problem(app.post(&path, &body).await, 401, "invalid_passkey").await;
        // The state of one challenge is not accepted for another one.
        let (second, _) = app.challenge(&user.email).await;
        let body = json!({"state": options["state"], "credential": own.get(&options["publicKey"])});
        problem(app.post(&format!("{second}/passkey"), &body).await, 401, "invalid_passkey").await;
        assert_eq!(app.post(&path, &body).await.status(), 201);

        let options = app.passkey_options(STEP_UP, Some(&user.token)).await;
        let answer = json!({"state": options["state"], "credential": foreign.get(&options["publicKey"])});
        let response = app.post_as(STEP_UP, &user.token, &json!({"passkey": answer})).await;
        field_problem(response, "passkey", "wrong_passkey").await;
        // A user without passkeys has nothing to prove.
        let third = app.user().await;
        let path = format!("{STEP_UP}/options");
        problem(app.post_as(&path, &third.token, &json!({})).await, 404, "passkey_not_found").await;
    }

    async fn a_passkey_is_a_recent_proof(world: World) {
        let (app, clock) = stage(&world).await;
        let user = app.user().await;
        let mut device = app.authenticator();
        let passkey = app.register(&user, &mut device).await;
        clock.advance_s(601);
        let path = format!("{MINE}/{}", passkey["id"].as_str().unwrap());
        problem(app.delete(&path, &user.token).await, 403, "step_up_required").await;
        let options = format!("{MINE}/options");
        problem(app.post_as(&options, &user.token, &json!({})).await, 403, "step_up_required").await;
        // The password is not enough for a user with a second factor.
        let response = app.post_as(STEP_UP, &user.token, &json!({"password": PASSWORD})).await;
        field_problem(response, "code", "required").await;
        let options = app.passkey_options(STEP_UP, Some(&user.token)).await;
        let answer = json!({"state": options["state"], "credential": device.get(&options["publicKey"])});
        let both = json!({"passkey": answer, "password": PASSWORD});
        field_problem(app.post_as(STEP_UP, &user.token, &both).await, "password", "duplicate").await;
        assert_eq!(app.post_as(STEP_UP, &user.token, &json!({"passkey": answer})).await.status(), 204);
        let response = app.post_as(STEP_UP, &user.token, &json!({"passkey": answer})).await;
        field_problem(response, "passkey", "wrong_passkey").await;
        assert_eq!(app.delete(&path, &user.token).await.status(), 204);
        app.news_to(&user.email, "passkey was removed").await;
        assert_eq!(app.try_sign_in(&user.email, PASSWORD).await.status(), 201, "no factor is left");
    }

    async fn a_state_expires_and_belongs_to_its_session(world: World) {
        let (app, clock) = stage(&world).await;
        let (user, other) = (app.user().await, app.user().await);
        let mut device = app.authenticator();
        let options = app.passkey_options(MINE, Some(&user.token)).await;
        let body = json!({"state": options["state"], "credential": device.create(&options["publicKey"])});
        field_problem(app.post_as(MINE, &other.token, &body).await, "state", "invalid_state").await;
        let elsewhere = app.sign_in(&user.email).await;
        field_problem(app.post_as(MINE, &elsewhere.token, &body).await, "state", "invalid_state").await;
        clock.advance_s(300);
        field_problem(app.post_as(MINE, &user.token, &body).await, "state", "invalid_state").await;
        app.register(&user, &mut device).await;

        let options = app.passkey_options(SIGN_IN, None).await;
        let body = json!({"state": options["state"], "credential": device.get(&options["publicKey"])});
        // A state for one purpose is not accepted for another one.
        let step_up = app.post_as(STEP_UP, &user.token, &json!({"passkey": body})).await;
        field_problem(step_up, "passkey", "wrong_passkey").await;
        clock.advance_s(299);
        assert_eq!(app.post(SIGN_IN, &body).await.status(), 201);
        clock.advance_s(2);
        problem(app.post(SIGN_IN, &body).await, 401, "invalid_passkey").await;
        let options = app.passkey_options(SIGN_IN, None).await;
        let credential = device.get(&options["publicKey"]);
        clock.advance_s(300);
        let late = json!({"state": options["state"], "credential": credential});
        problem(app.post(SIGN_IN, &late).await, 401, "invalid_passkey").await;
        for state in [json!(""), json!("x"), json!("AAAA".repeat(5_000))] {
            let forged = json!({"state": state, "credential": credential});
            problem(app.post(SIGN_IN, &forged).await, 401, "invalid_passkey").await;
        }
    }

    async fn an_answer_signs_in_once(app: TestApp) {
        let app = Arc::new(app);
        let user = app.user().await;
        let mut device = app.authenticator();
        app.register(&user, &mut device).await;
        let options = app.passkey_options(SIGN_IN, None).await;
        let body = json!({"state": options["state"], "credential": device.get(&options["publicKey"])});
        let mut tasks = JoinSet::new();
        for _ in 0..20 {
            let (app, body) = (Arc::clone(&app), body.clone());
            tasks.spawn(async move { app.post(SIGN_IN, &body).await.status().as_u16() });
        }
        let statuses = tasks.join_all().await;
        assert_eq!(statuses.iter().filter(|status| **status == 201).count(), 1, "{statuses:?}");
        assert!(statuses.iter().all(|status| matches!(status, 201 | 401 | 429)), "{statuses:?}");
    }

    async fn a_flow_that_begins_on_one_node_finishes_on_another(world: World) {
        let shared = [("server.public_url", "http://localhost:8080")];
        let (one, other) = (world.serve(&shared).await, world.serve(&shared).await);
        let user = one.user().await;
        let mut device = Authenticator::new("http://localhost:8080");
        let options = one.passkey_options(MINE, Some(&user.token)).await;
        let body = json!({"state": options["state"], "credential": device.create(&options["publicKey"])});
        assert_eq!(other.post_as(MINE, &user.token, &body).await.status(), 201);
        let options = other.passkey_options(SIGN_IN, None).await;
        let body = json!({"state": options["state"], "credential": device.get(&options["publicKey"])});
        assert_eq!(one.post(SIGN_IN, &body).await.status(), 201);
        problem(other.post(SIGN_IN, &body).await, 401, "invalid_passkey").await;
    }

    async fn cookies_are_set_after_a_passkey(app: TestApp) {
        let user = app.user().await;
        let mut device = app.authenticator();
        app.register(&user, &mut device).await;
        let options = app.passkey_options(SIGN_IN, None).await;
        let body = json!({"state": options["state"], "credential": device.get(&options["publicKey"]), "cookies": true});
        let browser = Browser::default();
        let response = browser.send(&app, Method::POST, SIGN_IN, Some(&body), &[]).await;
        assert_eq!(response.status(), 201);
        let body = browser.keep_token(response).await;
        assert!(body["access_token"].is_null());
        assert_eq!(browser.me(&app).await.status(), 200);
        let elsewhere = [("origin", "https://evil.example")];
        let response = browser.send(&app, Method::POST, SIGN_IN, Some(&json!({"state": "", "credential": {}, "cookies": true})), &elsewhere).await;
        problem(response, 403, "csrf_failed").await;
    }

    async fn two_parallel_deletes_leave_a_way_in(app: TestApp) {
        let app = Arc::new(app);
        let user = app.user().await;
        let mut ids = Vec::new();
        for _ in 0..2 {
            ids.push(app.register(&user, &mut app.authenticator()).await["id"].as_str().unwrap().to_owned());
        }
        let mut tx = app.services.store.write().await.unwrap();
        tx.remove_password(UserId::parse(&user.id).unwrap()).await.unwrap();
        tx.commit().await.unwrap();
        let mut tasks = JoinSet::new();
        for id in ids {
            let (app, token) = (Arc::clone(&app), user.token.clone());
            tasks.spawn(async move { app.delete(&format!("{MINE}/{id}"), &token).await.status().as_u16() });
        }
        let mut statuses = tasks.join_all().await;
        statuses.sort_unstable();
        assert_eq!(statuses, [204, 409]);
        let left = app.json(MINE, &user.token).await["data"].clone();
        let path = format!("{MINE}/{}", left[0]["id"].as_str().unwrap());
        problem(app.delete(&path, &user.token).await, 409, "last_way_in").await;
        let admin = app.admin().await;
        let path = format!("{}/passkeys/{}", user.path(), left[0]["id"].as_str().unwrap());
        problem(app.delete(&path, &admin.token).await, 409, "last_way_in").await;
    }

    async fn a_verified_mail_sign_in_is_a_way_in(app: TestApp, "sign_in.magic_links" = "true") {
        let user = app.user().await;
        let passkey = app.register(&user, &mut app.authenticator()).await;
        let mut tx = app.services.store.write().await.unwrap();
        tx.remove_password(UserId::parse(&user.id).unwrap()).await.unwrap();
        tx.commit().await.unwrap();
        let path = format!("{MINE}/{}", passkey["id"].as_str().unwrap());
        problem(app.delete(&path, &user.token).await, 409, "last_way_in").await;
        let admin = app.admin().await;
        assert_eq!(app.patch(&user.path(), &admin.token, &json!({"name": "Other"})).await.status(), 200);
        let id = UserId::parse(&user.id).unwrap();
        let mut tx = app.services.store.write().await.unwrap();
        let found = tx.lock_user(id).await.unwrap().unwrap();
        let verified = denizen_domain::users::User { email_verified: true, version: found.version + 1, ..found };
        assert!(tx.update_user(&verified).await.unwrap());
        tx.commit().await.unwrap();
        assert_eq!(app.delete(&path, &user.token).await.status(), 204);
    }

    async fn passkeys_are_managed_by_their_user_and_by_admins(app: TestApp) {
        let (user, other, admin) = (app.user().await, app.user().await, app.admin().await);
        let mut device = app.authenticator();
        let passkey = app.register(&user, &mut device).await;
        assert_eq!(passkey["name"], "Passkey");
        let path = format!("{MINE}/{}", passkey["id"].as_str().unwrap());
        problem(app.patch(&path, &other.token, &json!({"name": "Stolen"})).await, 404, "passkey_not_found").await;
        problem(app.delete(&path, &other.token).await, 404, "passkey_not_found").await;
        field_problem(app.patch(&path, &user.token, &json!({"name": ""})).await, "name", "required").await;
        let renamed: Value = app.patch(&path, &user.token, &json!({"name": "Key"})).await.json().await.unwrap();
        assert_eq!(renamed["name"], "Key");
        let theirs = format!("{}/passkeys", user.path());
        problem(app.get(&theirs, &other.token).await, 404, "user_not_found").await;
        assert_eq!(app.json(&theirs, &admin.token).await["data"][0]["name"], "Key");
        let path = format!("{theirs}/{}", passkey["id"].as_str().unwrap());
        problem(app.delete(&path, &other.token).await, 403, "forbidden").await;
        let of_other = format!("{}/passkeys/{}", other.path(), passkey["id"].as_str().unwrap());
        problem(app.delete(&of_other, &admin.token).await, 404, "passkey_not_found").await;
        assert_eq!(app.delete(&path, &admin.token).await.status(), 204);
        assert_eq!(app.me_status(&user.token).await, 401, "all sessions of the user have ended");
        problem(app.passkey_sign_in(&mut device).await, 404, "unknown_passkey").await;
        // Nobody removes the passkey of a user with more permissions.
        let passkey = app.register(&admin, &mut app.authenticator()).await;
        let clerk = app.user_who_may("users:write").await;
        let path = format!("{}/passkeys/{}", admin.path(), passkey["id"].as_str().unwrap());
        problem(app.delete(&path, &clerk.token).await, 403, "forbidden").await;
    }

    async fn an_admin_removes_all_lost_factors(app: TestApp) {
        let (user, admin) = (app.user().await, app.admin().await);
        let mut device = app.authenticator();
        app.register(&user, &mut device).await;
        app.register(&user, &mut app.authenticator()).await;
        let factors = format!("{}/factors", user.path());
        assert_eq!(app.json(&factors, &admin.token).await["passkeys"], 2);
        assert_eq!(app.delete(&factors, &admin.token).await.status(), 204);
        problem(app.passkey_sign_in(&mut device).await, 404, "unknown_passkey").await;
        app.sign_in(&user.email).await;
        problem(app.delete(&factors, &admin.token).await, 404, "second_factor_not_found").await;

        let user = app.user().await;
        app.register(&user, &mut app.authenticator()).await;
        let mut tx = app.services.store.write().await.unwrap();
        tx.remove_password(UserId::parse(&user.id).unwrap()).await.unwrap();
        tx.commit().await.unwrap();
        problem(app.delete(&format!("{}/factors", user.path()), &admin.token).await, 409, "last_way_in").await;
    }

    async fn a_user_has_twenty_passkeys_at_most(app: TestApp) {
        let user = app.user().await;
        let mut options = app.passkey_options(MINE, Some(&user.token)).await;
        for n in 0..20 {
            if n == 19 {
                options = app.passkey_options(MINE, Some(&user.token)).await;
            }
            app.register(&user, &mut app.authenticator()).await;
        }
        let path = format!("{MINE}/options");
        problem(app.post_as(&path, &user.token, &json!({})).await, 409, "too_many_passkeys").await;
        let body = json!({"state": options["state"], "credential": app.authenticator().create(&options["publicKey"])});
        problem(app.post_as(MINE, &user.token, &body).await, 409, "too_many_passkeys").await;
    }

    async fn the_first_proof_of_an_address_removes_passkeys(app: TestApp) {
        let attacker = app.user().await;
        let mut device = app.authenticator();
        app.register(&attacker, &mut device).await;
        assert_eq!(app.post("/api/v1/password-resets", &json!({"email": attacker.email})).await.status(), 202);
        let token = app.token_to(&attacker.email, "reset-password").await;
        let body = json!({"token": token, "new_password": "another good one"});
        assert_eq!(app.post("/api/v1/password-resets/confirm", &body).await.status(), 204);
        problem(app.passkey_sign_in(&mut device).await, 404, "unknown_passkey").await;
        assert_eq!(app.try_sign_in(&attacker.email, "another good one").await.status(), 201);
    }

    async fn browsers_and_password_managers_find_what_they_need(app: TestApp,
        "webauthn.rp_id" = "example.com", "webauthn.origins" = "https://app.example.com,https://example.de",
        "webauthn.enroll_url" = "https://app.example.com/new", "product.change_password_url" = "https://app.example.com/password") {
        let get = async |path: &str| app.request(Method::GET, path, None).send().await.unwrap();
        let origins: Value = get("/.well-known/webauthn").await.json().await.unwrap();
        assert_eq!(origins, json!({"origins": ["https://app.example.com", "https://example.de"]}));
        let pages: Value = get("/.well-known/passkey-endpoints").await.json().await.unwrap();
        assert_eq!(pages, json!({"enroll": "https://app.example.com/new"}));
        let client = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        let response = client.get(format!("{}/.well-known/change-password", app.url)).send().await.unwrap();
        assert_eq!((response.status().as_u16(), &response.headers()["location"]), (302, &"https://app.example.com/password".parse().unwrap()));
        // Pages of a related origin use the passkeys of the relying party.
        let user = app.user().await;
        let mut device = Authenticator::new("https://example.de");
        app.register(&user, &mut device).await;
        assert_eq!(device.rp_id, "example.com");
        assert_eq!(app.passkey_sign_in(&mut device).await.status(), 201);
    }

    async fn a_server_without_tls_offers_no_passkeys(app: TestApp, "server.public_url" = "http://id.example.com") {
        problem(app.post(&format!("{SIGN_IN}/options"), &json!({})).await, 403, "not_offered").await;
    }

    async fn a_server_at_an_address_offers_no_passkeys(app: TestApp, "server.public_url" = "http://10.0.0.1:8080") {
        let user = app.user().await;
        let path = format!("{MINE}/options");
        problem(app.post_as(&path, &user.token, &json!({})).await, 403, "not_offered").await;
        problem(app.post(&format!("{SIGN_IN}/options"), &json!({})).await, 403, "not_offered").await;
    }
}
