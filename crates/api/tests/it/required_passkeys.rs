//! Roles that require a passkey or a security key.

use denizen_domain::ports::Clock;
use denizen_proto::v1;
use denizen_testkit::FakeClock;
use reqwest::Response;
use serde_json::{Value, json};

use crate::grpc::Rpc;
use crate::harness::{PASSWORD, SignedIn, TestApp, field_problem, on_both, problem};
use crate::passkeys::{MINE, opened, stage, token};
use crate::process::run_on;
use crate::totp;

/// A role that requires a passkey, given to these users by an administrator with a passkey.
pub(crate) async fn require(app: &TestApp, users: &[&SignedIn]) -> SignedIn {
    let admin = app.admin().await;
    let role = json!({"name": "staff", "permissions": [], "second_factor": "passkey"});
    let role = opened(app.post_as("/api/v1/roles", &admin.token, &role).await).await;
    assert_eq!(role["second_factor"], "passkey");
    for user in users {
        assert_eq!(app.patch(&user.path(), &admin.token, &json!({"role": "staff"})).await.status(), 200);
    }
    admin
}

/// Confirms an authenticator app for the user: the app, and a recovery code.
pub(crate) async fn enrol_totp(app: &TestApp, clock: &FakeClock, user: &SignedIn) -> (totp::Authenticator, Value) {
    let made: Value = app.post_as("/api/v1/me/totp", &user.token, &json!({})).await.json().await.unwrap();
    let codes = totp::Authenticator::scan(made["uri"].as_str().unwrap());
    let body = json!({"code": codes.code(clock.now())});
    let confirmed = app.post_as("/api/v1/me/totp/confirm", &user.token, &body).await;
    assert_eq!(confirmed.status(), 200);
    let recovery = confirmed.json::<Value>().await.unwrap()["recovery_codes"][0].clone();
    (codes, recovery)
}

async fn owed(response: Response) -> (String, Value) {
    assert_eq!(response.status(), 202);
    let body: Value = response.json().await.unwrap();
    (format!("/api/v1/sessions/challenges/{}", body["challenge_id"].as_str().unwrap()), body)
}

on_both! {
    async fn a_user_without_a_passkey_registers_one_to_sign_in(app: TestApp) {
        let user = app.user().await;
        let admin = require(&app, &[&user]).await;
        assert_eq!(app.me_status(&user.token).await, 401, "the session has proven no passkey");
        let factors = app.json(&format!("{}/factors", user.path()), &admin.token).await;
        assert_eq!((&factors["second_factor_required"], &factors["passkey_required"]), (&json!(true), &json!(true)));
        let (challenge, body) = owed(app.try_sign_in(&user.email, PASSWORD).await).await;
        assert_eq!((&body["owed"], &body["factors"]), (&json!("enrolment"), &json!(["passkey", "security_key"])));
        // No other factor takes its place.
        problem(app.post(&format!("{challenge}/totp"), &json!({})).await, 401, "invalid_code").await;
        problem(app.post(&challenge, &json!({"code": "123456"})).await, 401, "invalid_code").await;
        problem(app.post(&format!("{challenge}/passkey/options"), &json!({})).await, 401, "invalid_code").await;

        let path = format!("{challenge}/passkeys");
        let mut device = app.authenticator();
        let options = app.passkey_options(&path, None).await;
        assert_eq!(options["publicKey"]["authenticatorSelection"]["userVerification"], "required");
        // The state belongs to the challenge.
        let (other, _) = owed(app.try_sign_in(&user.email, PASSWORD).await).await;
        let body = json!({"state": options["state"], "credential": device.create(&options["publicKey"]), "name": "Phone"});
        field_problem(app.post(&format!("{other}/passkeys"), &body).await, "state", "invalid_state").await;
        let signed_in = opened(app.post(&path, &body).await).await;
        assert_eq!(app.me_status(token(&signed_in)).await, 200);
        problem(app.post(&path, &body).await, 401, "invalid_code").await;
        problem(app.post(&format!("{other}/passkeys/options"), &json!({})).await, 401, "invalid_code").await;
        app.news_to(&user.email, "passkey was added").await;

        // From now on, the passkey signs in, alone or after the password.
        assert_eq!(app.passkey_sign_in(&mut device).await.status(), 201);
        let (challenge, body) = owed(app.try_sign_in(&user.email, PASSWORD).await).await;
        assert_eq!((&body["owed"], &body["factors"]), (&json!("second_factor"), &json!(["passkey"])));
        let path = format!("{challenge}/passkey");
        let options = app.passkey_options(&path, None).await;
        let body = json!({"state": options["state"], "credential": device.get(&options["publicKey"])});
        let user = SignedIn { token: token(&opened(app.post(&path, &body).await).await).to_owned(), ..user };

        // The last one stays while it is required.
        let list = app.json(MINE, &user.token).await;
        assert_eq!((list["data"].as_array().unwrap().len(), &list["data"][0]["name"]), (1, &json!("Phone")));
        let first = format!("{MINE}/{}", list["data"][0]["id"].as_str().unwrap());
        problem(app.delete(&first, &user.token).await, 409, "passkey_required").await;
        let second = app.register(&user, &mut app.authenticator()).await;
        assert_eq!(app.delete(&first, &user.token).await.status(), 204);
        let second = format!("{MINE}/{}", second["id"].as_str().unwrap());
        problem(app.delete(&second, &user.token).await, 409, "passkey_required").await;
        // An administrator removes a lost one; the user registers another one.
        assert_eq!(app.delete(&format!("{}/factors", user.path()), &admin.token).await.status(), 204);
        let (_, body) = owed(app.try_sign_in(&user.email, PASSWORD).await).await;
        assert_eq!(body["owed"], "enrolment");
    }

    async fn a_code_does_not_replace_a_required_passkey(world: World) {
        let (app, clock) = stage(&world).await;
        let user = app.user().await;
        let (codes, recovery) = enrol_totp(&app, &clock, &user).await;
        let next = || {
            clock.advance_s(30);
            json!({"code": codes.code(clock.now())})
        };
        require(&app, &[&user]).await;
        assert_eq!(app.me_status(&user.token).await, 401, "a code was proven in the session, and no passkey");
        // The password alone does not lead to the registration: the code comes first.
        let (challenge, body) = owed(app.try_sign_in(&user.email, PASSWORD).await).await;
        assert_eq!((&body["owed"], &body["factors"]), (&json!("second_factor"), &json!(["totp", "recovery_code"])));
        problem(app.post(&format!("{challenge}/passkeys/options"), &json!({})).await, 401, "invalid_code").await;
        let (enrolment, body) = owed(app.post(&challenge, &next()).await).await;
        assert_eq!((&body["owed"], &body["factors"]), (&json!("enrolment"), &json!(["passkey", "security_key"])));

        let path = format!("{enrolment}/passkeys");
        let response = app.post(&format!("{path}/options"), &json!({"kind": "security_key"})).await;
        let options: Value = response.json().await.unwrap();
        let mut key = app.security_key();
        let body = json!({"state": options["state"], "credential": key.create(&options["publicKey"])});
        assert_eq!(app.me_status(token(&opened(app.post(&path, &body).await).await)).await, 200);

        let (challenge, body) = owed(app.try_sign_in(&user.email, PASSWORD).await).await;
        assert_eq!(body["factors"], json!(["security_key"]));
        problem(app.post(&challenge, &next()).await, 401, "invalid_code").await;
        problem(app.post(&challenge, &json!({"code": recovery})).await, 401, "invalid_code").await;
        let path = format!("{challenge}/passkey");
        let options = app.passkey_options(&path, None).await;
        let body = json!({"state": options["state"], "credential": key.get(&options["publicKey"])});
        assert_eq!(app.post(&path, &body).await.status(), 201);
    }

    async fn sessions_without_a_passkey_end_when_it_is_required(world: World) {
        let (app, clock) = stage(&world).await;
        let user = app.user().await;
        let mut device = app.authenticator();
        app.register(&user, &mut device).await;
        let (codes, _) = enrol_totp(&app, &clock, &user).await;
        let by_passkey = opened(app.passkey_sign_in(&mut device).await).await;
        let (challenge, body) = owed(app.try_sign_in(&user.email, PASSWORD).await).await;
        assert_eq!(body["factors"], json!(["totp", "passkey", "recovery_code"]));
        let (pending, _) = owed(app.try_sign_in(&user.email, PASSWORD).await).await;
        clock.advance_s(30);
        let by_code = opened(app.post(&challenge, &json!({"code": codes.code(clock.now())})).await).await;
        assert_eq!(app.me_status(token(&by_code)).await, 200);

        require(&app, &[&user]).await;
        assert_eq!(app.me_status(token(&by_passkey)).await, 200);
        assert_eq!(app.me_status(&user.token).await, 200, "the passkey was registered in it");
        assert_eq!(app.me_status(token(&by_code)).await, 401);
        let refresh = json!({"refresh_token": by_code["refresh_token"]});
        problem(app.post("/api/v1/sessions/refresh", &refresh).await, 401, "invalid_refresh_token").await;
        let refresh = json!({"refresh_token": by_passkey["refresh_token"]});
        assert_eq!(app.post("/api/v1/sessions/refresh", &refresh).await.status(), 200);
        // A sign-in that began before does not escape it.
        clock.advance_s(30);
        problem(app.post(&pending, &json!({"code": codes.code(clock.now())})).await, 401, "invalid_code").await;
    }

    async fn a_sign_in_over_grpc_registers_a_passkey(app: TestApp) {
        let user = app.user().await;
        let admin = require(&app, &[&user]).await;
        let rpc = Rpc::to(&app);
        let request = v1::GetRoleRequest { role: "staff".into() };
        let role = rpc.by(&admin.token).roles().get_role(request).await.unwrap().into_inner().role.unwrap();
        assert_eq!(role.second_factor(), v1::SecondFactorPolicy::Passkey);
        let credentials = v1::SignInRequest { email: user.email.clone(), password: PASSWORD.into(), ..Default::default() };
        let challenge = rpc.sessions().sign_in(credentials).await.unwrap().into_inner().challenge.unwrap();
        assert_eq!(challenge.owed(), v1::Owed::PasskeyEnrolment);
        let challenge_id = challenge.challenge_id;
        let kind = v1::CredentialKind::SecurityKey.into();
        let request = v1::CreateEnrolmentOptionsRequest { challenge_id: challenge_id.clone(), kind };
        let options = rpc.passkeys().create_enrolment_options(request).await.unwrap().into_inner().options.unwrap();
        let credential = app.security_key().create(&serde_json::from_str(&options.options_json).unwrap());
        let request = v1::FinishChallengeWithNewPasskeyRequest {
            challenge_id,
            state: options.state,
            credential_json: credential.to_string(),
            name: Some("Key".into()),
        };
        let finished = rpc.passkeys().finish_challenge_with_new_passkey(request).await.unwrap().into_inner();
        let token = finished.tokens.unwrap().access_token;
        let list = rpc.by(&token).passkeys().list_passkeys(v1::ListPasskeysRequest::default()).await.unwrap().into_inner();
        assert_eq!((list.passkeys[0].kind(), list.passkeys[0].name.as_str()), (v1::CredentialKind::SecurityKey, "Key"));
        assert_eq!(list.passkeys[0].rp_id.as_deref(), Some("localhost"));
        let factors = rpc.by(&token).credentials().get_factors(v1::GetFactorsRequest::default()).await.unwrap().into_inner();
        assert_eq!((factors.security_keys, factors.passkeys, factors.passkey_required), (1, 0, true));
    }

    async fn a_server_without_passkeys_does_not_require_them(world: World) {
        let before = world.serve(&[]).await;
        require(&before, &[]).await;
        drop(before);
        let settings = [("server.public_url", "https://192.0.2.1")];
        let app = world.serve(&settings).await;
        let admin = app.admin().await;
        let refused = async |response: Response| field_problem(response, "second_factor", "passkeys_not_offered").await;
        let role = json!({"name": "keyed", "permissions": [], "second_factor": "passkey"});
        refused(app.post_as("/api/v1/roles", &admin.token, &role).await).await;
        let user = app.json("/api/v1/roles/user", &admin.token).await;
        let role = json!({"description": user["description"], "permissions": user["permissions"], "second_factor": "passkey"});
        refused(app.put("/api/v1/roles/user", &admin.token, &role).await).await;
        assert_eq!(app.json("/api/v1/roles/user", &admin.token).await, user);
        let set = ["roles", "set", "user", "--second-factor", "passkey"];
        let done = run_on(&world, &settings, &set, "").await;
        let line = done.only_line(1);
        assert!(line.contains("which this server does not offer"), "{line}");
        // A role that requires them already can be changed otherwise.
        let role = json!({"description": "Employees", "permissions": [], "second_factor": "passkey"});
        assert_eq!(app.put("/api/v1/roles/staff", &admin.token, &role).await.status(), 200);
    }

    async fn the_command_line_requires_passkeys(world: World) {
        let app = world.serve(&[]).await;
        let set = ["roles", "set", "user", "--second-factor", "passkey", "--output", "json"];
        // The command has the configuration of the server, whose port the system has chosen.
        let settings = [("server.public_url", &*app.url)];
        assert_eq!(run_on(&world, &settings, &set, "").await.json()["second_factor"], "passkey");
        let email = world.fresh_email();
        let body = json!({"email": email, "password": PASSWORD, "name": "Some Body"});
        assert!(app.post("/api/v1/users", &body).await.status().is_success());
        let (_, body) = owed(app.try_sign_in(&email, PASSWORD).await).await;
        assert_eq!(body["owed"], "enrolment");
    }
}
