//! Security keys that cannot verify their user: second factors, and nothing else.

use denizen_domain::id::UserId;
use serde_json::{Value, json};

use crate::authenticator::{Authenticator, PRESENT, VERIFIED, encoded};
use crate::harness::{PASSWORD, SignedIn, TestApp, field_problem, on_both, problem};
use crate::passkeys::{MINE, SIGN_IN, STEP_UP, opened, stage, token};

impl TestApp {
    pub(crate) fn security_key(&self) -> Authenticator {
        Authenticator::security_key(&self.url.replace("127.0.0.1", "localhost"))
    }

    /// Options to create a security key.
    async fn key_options(&self, user: &SignedIn) -> Value {
        let response = self.post_as(&format!("{MINE}/options"), &user.token, &json!({"kind": "security_key"})).await;
        assert_eq!(response.status(), 200);
        response.json().await.unwrap()
    }

    pub(crate) async fn register_key(&self, user: &SignedIn, key: &mut Authenticator) -> Value {
        let options = self.key_options(user).await;
        let body = json!({"state": options["state"], "credential": key.create(&options["publicKey"])});
        opened(self.post_as(MINE, &user.token, &body).await).await
    }
}

/// Completes a sign-in with a password, and returns the status and the options.
async fn complete(app: &TestApp, email: &str, device: &mut Authenticator) -> (u16, Value) {
    let (challenge, _) = app.challenge(email).await;
    let path = format!("{challenge}/passkey");
    let options = app.passkey_options(&path, None).await;
    let body = json!({"state": options["state"], "credential": device.get(&options["publicKey"])});
    (app.post(&path, &body).await.status().as_u16(), options)
}

on_both! {
    async fn a_security_key_completes_a_sign_in_with_a_password(app: TestApp) {
        let user = app.user().await;
        let mut key = app.security_key();
        let options = app.key_options(&user).await;
        let selection = json!({"authenticatorAttachment": "cross-platform", "residentKey": "discouraged",
            "requireResidentKey": false, "userVerification": "discouraged"});
        assert_eq!(options["publicKey"]["authenticatorSelection"], selection);
        assert_eq!(options["publicKey"]["attestation"], "none");
        let body = json!({"state": options["state"], "credential": key.create(&options["publicKey"])});
        let registered = opened(app.post_as(MINE, &user.token, &body).await).await;
        assert_eq!((&registered["kind"], &registered["name"]), (&json!("security_key"), &json!("Security key")));
        assert_eq!(app.json(MINE, &user.token).await["data"][0]["kind"], "security_key");
        let factors = app.json("/api/v1/me/factors", &user.token).await;
        assert_eq!((&factors["passkeys"], &factors["security_keys"]), (&json!(0), &json!(1)));

        let (challenge, body) = app.challenge(&user.email).await;
        assert_eq!(body["factors"], json!(["security_key", "recovery_code"]));
        let path = format!("{challenge}/passkey");
        let options = app.passkey_options(&path, None).await;
        let public_key = &options["publicKey"];
        assert_eq!(public_key["userVerification"], "discouraged");
        assert_eq!(public_key["allowCredentials"][0]["id"], encoded(&key.credential_id));
        let answer = key.get(public_key);
        assert_eq!(answer["response"]["userHandle"], Value::Null);
        let body = json!({"state": options["state"], "credential": answer});
        let signed_in = opened(app.post(&path, &body).await).await;
        assert_eq!(app.me_status(token(&signed_in)).await, 200);
        // Once only.
        problem(app.post(&path, &body).await, 401, "invalid_code").await;

        let response = app.post_as(&format!("{MINE}/options"), &user.token, &json!({"kind": "u2f"})).await;
        field_problem(response, "kind", "invalid_value").await;
    }

    async fn a_security_key_is_no_first_factor(app: TestApp) {
        let user = app.user().await;
        let mut key = app.security_key();
        app.register_key(&user, &mut key).await;
        // The client can state the user for the key, and a key with a PIN can verify its user.
        key.is_discoverable = true;
        for flags in [PRESENT, PRESENT | VERIFIED] {
            key.flags = flags;
            problem(app.passkey_sign_in(&mut key).await, 401, "invalid_passkey").await;
        }
        key.is_discoverable = false;
        problem(app.passkey_sign_in(&mut key).await, 401, "invalid_passkey").await;
        assert_eq!(complete(&app, &user.email, &mut key).await.0, 201, "it is a second factor still");
    }

    async fn the_kind_is_that_of_the_options(app: TestApp) {
        let user = app.user().await;
        // A key that cannot verify its user does not become a passkey.
        for is_discoverable in [false, true] {
            let mut key = app.security_key();
            key.is_discoverable = is_discoverable;
            let response = app.try_register(&user, &mut key).await;
            field_problem(response, "credential", "credential_rejected").await;
        }
        // An authenticator that could be a passkey stays the security key that it was registered as.
        let mut device = app.authenticator();
        assert_eq!(app.register_key(&user, &mut device).await["kind"], "security_key");
        problem(app.passkey_sign_in(&mut device).await, 401, "invalid_passkey").await;
        problem(app.try_register(&user, &mut device).await, 409, "passkey_taken").await;
    }

    async fn a_passkey_verifies_its_user_beside_a_security_key(app: TestApp) {
        let user = app.user().await;
        let (mut key, mut passkey) = (app.security_key(), app.authenticator());
        app.register_key(&user, &mut key).await;
        let before = app.passkey_options(STEP_UP, Some(&user.token)).await;
        assert_eq!(before["publicKey"]["userVerification"], "discouraged");
        app.register(&user, &mut passkey).await;

        // Options for a security key do not lower what is required of a passkey.
        passkey.flags = PRESENT;
        let answer = json!({"state": before["state"], "credential": passkey.get(&before["publicKey"])});
        let response = app.post_as(STEP_UP, &user.token, &json!({"passkey": answer})).await;
        field_problem(response, "passkey", "wrong_passkey").await;
        let (status, options) = complete(&app, &user.email, &mut passkey).await;
        assert_eq!((status, &options["publicKey"]["userVerification"]), (401, &json!("preferred")));
        assert_eq!(options["publicKey"]["allowCredentials"].as_array().unwrap().len(), 2);
        passkey.flags = PRESENT | VERIFIED;
        assert_eq!(complete(&app, &user.email, &mut passkey).await.0, 201);
        assert_eq!(complete(&app, &user.email, &mut key).await.0, 201);
        assert_eq!(app.passkey_sign_in(&mut passkey).await.status(), 201);
        let (_, body) = app.challenge(&user.email).await;
        assert_eq!(body["factors"], json!(["passkey", "security_key", "recovery_code"]));
    }

    async fn a_copied_security_key_is_rejected(app: TestApp) {
        let (user, other) = (app.user().await, app.user().await);
        let (mut key, mut foreign) = (app.security_key(), app.security_key());
        app.register_key(&user, &mut key).await;
        app.register_key(&other, &mut foreign).await;
        key.counter = 10;
        assert_eq!(complete(&app, &user.email, &mut key).await.0, 201);
        key.counter = 5;
        assert_eq!(complete(&app, &user.email, &mut key).await.0, 401, "a copy is behind");
        key.counter = 20;
        // Without the presence of the user, of another relying party, and of another user.
        key.flags = 0;
        assert_eq!(complete(&app, &user.email, &mut key).await.0, 401);
        key.flags = PRESENT;
        "evil.example".clone_into(&mut key.rp_id);
        assert_eq!(complete(&app, &user.email, &mut key).await.0, 401);
        "localhost".clone_into(&mut key.rp_id);
        assert_eq!(complete(&app, &user.email, &mut foreign).await.0, 401);
        assert_eq!(complete(&app, &user.email, &mut key).await.0, 201);
    }

    async fn a_security_key_steps_up_like_a_code(world: World) {
        let (app, clock) = stage(&world).await;
        let user = app.user().await;
        let mut key = app.security_key();
        let registered = app.register_key(&user, &mut key).await;
        clock.advance_s(601);
        let path = format!("{MINE}/{}", registered["id"].as_str().unwrap());
        problem(app.delete(&path, &user.token).await, 403, "step_up_required").await;
        let response = app.post_as(STEP_UP, &user.token, &json!({"password": PASSWORD})).await;
        field_problem(response, "code", "required").await;
        let options = app.passkey_options(STEP_UP, Some(&user.token)).await;
        assert_eq!(options["publicKey"]["userVerification"], "discouraged");
        let answer = json!({"state": options["state"], "credential": key.get(&options["publicKey"])});
        assert_eq!(app.post_as(STEP_UP, &user.token, &json!({"passkey": answer})).await.status(), 204);
        let events = app.json("/api/v1/me/events?limit=100", &user.token).await.to_string();
        assert!(events.contains("\"factor\":\"security_key\""), "{events}");
        assert_eq!(app.delete(&path, &user.token).await.status(), 204);
        assert_eq!(app.try_sign_in(&user.email, PASSWORD).await.status(), 201, "no factor is left");
    }

    async fn a_security_key_is_no_sign_in_method(app: TestApp) {
        let (user, admin) = (app.user().await, app.admin().await);
        let (mut passkey, mut key) = (app.authenticator(), app.security_key());
        let passkey = app.register(&user, &mut passkey).await;
        let key = app.register_key(&user, &mut key).await;
        let mut tx = app.services.store.write().await.unwrap();
        tx.remove_password(UserId::parse(&user.id).unwrap()).await.unwrap();
        tx.commit().await.unwrap();
        let of = |body: &Value| format!("{MINE}/{}", body["id"].as_str().unwrap());
        problem(app.delete(&of(&passkey), &user.token).await, 409, "last_way_in").await;
        assert_eq!(app.delete(&of(&key), &user.token).await.status(), 204);
        problem(app.delete(&of(&passkey), &user.token).await, 409, "last_way_in").await;
        problem(app.delete(&format!("{}/factors", user.path()), &admin.token).await, 409, "last_way_in").await;

        // All factors of a user with a password and a security key are removed.
        let user = app.user().await;
        app.register_key(&user, &mut app.security_key()).await;
        assert_eq!(app.delete(&format!("{}/factors", user.path()), &admin.token).await.status(), 204);
        app.sign_in(&user.email).await;
        let options = app.passkey_options(SIGN_IN, None).await;
        assert_eq!(options["publicKey"]["userVerification"], "required");
    }
}
