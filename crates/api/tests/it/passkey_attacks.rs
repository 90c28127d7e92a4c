//! Passkey responses with one thing wrong: each is rejected, and a correct one is accepted after it.

use reqwest::Response;
use serde_json::{Value, json};

use crate::authenticator::{Authenticator, PRESENT, VERIFIED, encoded};
use crate::harness::{SignedIn, TestApp, field_problem, on_both, problem};
use crate::passkeys::{MINE, SIGN_IN};

/// Origins that are not that of the server, which differ from it as little as possible.
fn other_origins(origin: &str) -> Vec<String> {
    let (host, port) = origin.rsplit_once(':').unwrap();
    vec![
        origin.replace("http:", "https:"),
        format!("{host}:1"),
        host.to_owned(),
        format!("{origin}0"),
        origin.replace("localhost", "evil.localhost"),
        origin.replace("localhost", "localhost.evil.example"),
        origin.replace("localhost", "notlocalhost"),
        format!("http://localhost@evil.example:{port}"),
        "null".to_owned(),
        "https://evil.example".to_owned(),
    ]
}

/// Signs in with a response that was changed.
async fn sign_in(app: &TestApp, device: &mut Authenticator, change: impl FnOnce(&mut Value)) -> Response {
    let options = app.passkey_options(SIGN_IN, None).await;
    let mut credential = device.get(&options["publicKey"]);
    change(&mut credential);
    app.post(SIGN_IN, &json!({"state": options["state"], "credential": credential})).await
}

async fn refused(app: &TestApp, device: &mut Authenticator, change: impl FnOnce(&mut Value)) {
    problem(sign_in(app, device, change).await, 401, "invalid_passkey").await;
}

async fn not_registered(app: &TestApp, user: &SignedIn, device: &mut Authenticator) {
    field_problem(app.try_register(user, device).await, "credential", "credential_rejected").await;
}

on_both! {
    async fn an_assertion_with_one_thing_wrong_is_rejected(app: TestApp) {
        let (user, other) = (app.user().await, app.user().await);
        let mut device = app.authenticator();
        let mut foreign = app.authenticator();
        app.register(&user, &mut device).await;
        app.register(&other, &mut foreign).await;
        let origin = device.origin.clone();
        for wrong in other_origins(&origin) {
            device.origin = wrong;
            refused(&app, &mut device, |_| ()).await;
        }
        device.origin = origin;
        "evil.example".clone_into(&mut device.rp_id);
        refused(&app, &mut device, |_| ()).await;
        "localhost".clone_into(&mut device.rp_id);
        for flags in [PRESENT, VERIFIED, 0] {
            device.flags = flags;
            refused(&app, &mut device, |_| ()).await;
        }
        device.flags = PRESENT | VERIFIED;
        device.is_framed = true;
        refused(&app, &mut device, |_| ()).await;
        device.is_framed = false;

        let signature = foreign.get(&json!({"challenge": "AAAA"}))["response"]["signature"].clone();
        refused(&app, &mut device, |credential| credential["response"]["signature"] = signature).await;
        refused(&app, &mut device, |credential| credential["type"] = json!("password")).await;
        // The user must be stated, and must be the owner.
        refused(&app, &mut device, |credential| drop(credential["response"].as_object_mut().unwrap().remove("userHandle"))).await;
        let handle = json!(encoded(&foreign.user_handle));
        refused(&app, &mut device, |credential| credential["response"]["userHandle"] = handle).await;
        // The id of one passkey beside the signature of another one.
        let id = json!(encoded(&foreign.credential_id));
        refused(&app, &mut device, |credential| {
            credential["rawId"] = id.clone();
            credential["id"] = id;
        }).await;
        // The challenge of other options, and the answer to `create`.
        let (one, two) = (app.passkey_options(SIGN_IN, None).await, app.passkey_options(SIGN_IN, None).await);
        let body = json!({"state": one["state"], "credential": device.get(&two["publicKey"])});
        problem(app.post(SIGN_IN, &body).await, 401, "invalid_passkey").await;
        let body = json!({"state": one["state"], "credential": device.answer("webauthn.create", &one["publicKey"])});
        problem(app.post(SIGN_IN, &body).await, 401, "invalid_passkey").await;
        assert_eq!(sign_in(&app, &mut device, |_| ()).await.status(), 201);
    }

    async fn a_counter_that_does_not_increase_is_rejected(app: TestApp) {
        let user = app.user().await;
        let mut device = app.authenticator();
        device.counter = 10;
        app.register(&user, &mut device).await;
        assert_eq!(sign_in(&app, &mut device, |_| ()).await.status(), 201);
        // A copy of the authenticator is behind.
        device.counter = 5;
        refused(&app, &mut device, |_| ()).await;
        device.counter = 10;
        refused(&app, &mut device, |_| ()).await;
        device.counter = 0;
        refused(&app, &mut device, |_| ()).await;
        device.counter = 20;
        assert_eq!(sign_in(&app, &mut device, |_| ()).await.status(), 201);
    }

    async fn what_changes_during_a_flow_counts(app: TestApp) {
        let (user, admin) = (app.user().await, app.admin().await);
        let mut device = app.authenticator();
        let passkey = app.register(&user, &mut device).await;
        let options = app.passkey_options(SIGN_IN, None).await;
        let body = json!({"state": options["state"], "credential": device.get(&options["publicKey"])});
        let status = async |status: &str| app.patch(&user.path(), &admin.token, &json!({"status": status})).await.status();
        assert_eq!(status("disabled").await, 200);
        problem(app.post(SIGN_IN, &body).await, 401, "invalid_passkey").await;
        assert_eq!(status("active").await, 200);
        // The refusal did not use the state.
        assert_eq!(app.post(SIGN_IN, &body).await.status(), 201);

        let options = app.passkey_options(SIGN_IN, None).await;
        let body = json!({"state": options["state"], "credential": device.get(&options["publicKey"])});
        let path = format!("{}/passkeys/{}", user.path(), passkey["id"].as_str().unwrap());
        assert_eq!(app.delete(&path, &admin.token).await.status(), 204);
        problem(app.post(SIGN_IN, &body).await, 404, "unknown_passkey").await;
    }

    async fn a_registration_with_one_thing_wrong_is_rejected(app: TestApp) {
        let (user, other) = (app.user().await, app.user().await);
        let mut device = app.authenticator();
        let origin = device.origin.clone();
        for wrong in other_origins(&origin) {
            device.origin = wrong;
            not_registered(&app, &user, &mut device).await;
        }
        device.origin = origin;
        for flags in [PRESENT, VERIFIED, 0] {
            device.flags = flags;
            not_registered(&app, &user, &mut device).await;
        }
        device.flags = PRESENT | VERIFIED;
        device.is_framed = true;
        not_registered(&app, &user, &mut device).await;
        device.is_framed = false;

        let options = app.passkey_options(MINE, Some(&user.token)).await;
        let send = async |credential: &Value| {
            app.post_as(MINE, &user.token, &json!({"state": options["state"], "credential": credential})).await
        };
        let good = device.create(&options["publicKey"]);
        let mut foreign = options["publicKey"].clone();
        foreign["rp"]["id"] = json!("evil.example");
        field_problem(send(&device.create(&foreign)).await, "credential", "credential_rejected").await;
        let another = app.passkey_options(MINE, Some(&user.token)).await;
        field_problem(send(&device.create(&another["publicKey"])).await, "credential", "credential_rejected").await;
        let mut resident = good.clone();
        resident["clientExtensionResults"]["credProps"]["rk"] = json!(false);
        field_problem(send(&resident).await, "credential", "credential_rejected").await;
        let as_assertion = device.get(&options["publicKey"]);
        field_problem(send(&as_assertion).await, "credential", "invalid_credential").await;
        for object in [vec![0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], vec![0x81; 60_000], vec![0; 200_000], vec![]] {
            let mut bomb = good.clone();
            bomb["response"]["attestationObject"] = json!(encoded(&object));
            field_problem(send(&bomb).await, "credential", "credential_rejected").await;
        }
        for malformed in [json!({}), json!([]), json!("x"), json!(null), json!({"id": 1}), json!({"id": "", "rawId": "%", "type": "public-key", "response": {}})] {
            field_problem(send(&malformed).await, "credential", "invalid_credential").await;
        }
        assert_eq!(send(&good).await.status(), 201);
        field_problem(send(&good).await, "state", "invalid_state").await;
        // The credential is known, for this user and for everyone else.
        problem(app.try_register(&user, &mut device).await, 409, "passkey_taken").await;
        problem(app.try_register(&other, &mut device).await, 409, "passkey_taken").await;
        assert_eq!(app.json(MINE, &other.token).await["data"], json!([]));
    }
}
