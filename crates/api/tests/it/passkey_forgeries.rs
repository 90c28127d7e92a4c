//! Passkey responses that were changed after the authenticator made them, and authenticators that contradict themselves.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::Response;
use serde_json::{Value, json};

use crate::authenticator::{Authenticator, PRESENT, SYNCED, VERIFIED, encoded};
use crate::harness::{SignedIn, TestApp, field_problem, on_both, problem};
use crate::passkeys::{MINE, SIGN_IN};

/// The flags in authenticator data: after the hash of the relying party (WebAuthn Level 3 §6.1).
const FLAGS_AT: usize = 32;
/// The credential may be synchronized.
const ELIGIBLE: u8 = 0x08;

fn bytes(value: &Value) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(value.as_str().unwrap()).unwrap()
}

fn replaced(object: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let at = object.windows(from.len()).position(|window| window == from).expect("the bytes are there");
    [&object[..at], to, &object[at + from.len()..]].concat()
}

/// The client data with a member more.
fn with_member(response: &Value, name: &str, value: &Value) -> Value {
    let mut data: Value = serde_json::from_slice(&bytes(&response["clientDataJSON"])).unwrap();
    data[name] = value.clone();
    json!(encoded(data.to_string().as_bytes()))
}

async fn sign_in(app: &TestApp, device: &mut Authenticator, change: impl FnOnce(&mut Value)) -> Response {
    let options = app.passkey_options(SIGN_IN, None).await;
    let mut credential = device.get(&options["publicKey"]);
    change(&mut credential);
    app.post(SIGN_IN, &json!({"state": options["state"], "credential": credential})).await
}

/// Registers a credential whose attestation object was changed.
async fn register(app: &TestApp, user: &SignedIn, change: impl FnOnce(&[u8], &Authenticator) -> Vec<u8>) -> Response {
    let mut device = app.authenticator();
    let options = app.passkey_options(MINE, Some(&user.token)).await;
    let mut credential = device.create(&options["publicKey"]);
    let object = bytes(&credential["response"]["attestationObject"]);
    credential["response"]["attestationObject"] = json!(encoded(&change(&object, &device)));
    app.post_as(MINE, &user.token, &json!({"state": options["state"], "credential": credential})).await
}

on_both! {
    async fn a_changed_assertion_is_rejected(app: TestApp) {
        let user = app.user().await;
        let mut device = app.authenticator();
        app.register(&user, &mut device).await;
        // The verification of the user is stated after the signature.
        device.flags = PRESENT;
        let response = sign_in(&app, &mut device, |credential| {
            let mut data = bytes(&credential["response"]["authenticatorData"]);
            data[FLAGS_AT] |= VERIFIED;
            credential["response"]["authenticatorData"] = json!(encoded(&data));
        }).await;
        problem(response, 401, "invalid_passkey").await;
        device.flags = PRESENT | VERIFIED;
        for (name, value) in [("topOrigin", json!("https://evil.example")), ("crossOrigin", json!(true)), ("extra", json!(1))] {
            let response = sign_in(&app, &mut device, |credential| {
                credential["response"]["clientDataJSON"] = with_member(&credential["response"], name, &value);
            }).await;
            problem(response, 401, "invalid_passkey").await;
        }
        for data in [vec![], vec![0; 36], vec![0xff; 37], vec![0x81; 60_000]] {
            let response = sign_in(&app, &mut device, |credential| {
                credential["response"]["authenticatorData"] = json!(encoded(&data));
            }).await;
            problem(response, 401, "invalid_passkey").await;
        }
        for signature in [vec![], vec![0; 64], vec![0x30; 200_000]] {
            let response = sign_in(&app, &mut device, |credential| {
                credential["response"]["signature"] = json!(encoded(&signature));
            }).await;
            problem(response, 401, "invalid_passkey").await;
        }
        assert_eq!(sign_in(&app, &mut device, |_| ()).await.status(), 201);
    }

    async fn a_passkey_that_changes_its_nature_is_rejected(app: TestApp) {
        let user = app.user().await;
        let mut device = app.authenticator();
        app.register(&user, &mut device).await;
        // It could not be synchronized at the registration.
        for flags in [SYNCED, ELIGIBLE, SYNCED & !ELIGIBLE] {
            device.flags = PRESENT | VERIFIED | flags;
            problem(sign_in(&app, &mut device, |_| ()).await, 401, "invalid_passkey").await;
        }
        device.flags = PRESENT | VERIFIED;
        assert_eq!(sign_in(&app, &mut device, |_| ()).await.status(), 201);
        let mut contradictory = app.authenticator();
        contradictory.flags = PRESENT | VERIFIED | (SYNCED & !ELIGIBLE);
        let response = app.try_register(&user, &mut contradictory).await;
        field_problem(response, "credential", "credential_rejected").await;
    }

    async fn a_changed_attestation_is_rejected(app: TestApp) {
        let user = app.user().await;
        let refused = async |response: Response| field_problem(response, "credential", "credential_rejected").await;
        // A statement that is nested deeply, and one that is not announced.
        for depth in [200, 20_000] {
            let nested = [b"\x67attStmt".as_slice(), &vec![0x81; depth], b"\xa0"].concat();
            refused(register(&app, &user, |object, _| replaced(object, b"\x67attStmt\xa0", &nested)).await).await;
        }
        refused(register(&app, &user, |object, _| replaced(object, b"\x64none", b"\x64what")).await).await;
        refused(register(&app, &user, |object, _| replaced(object, b"\x64none", b"\x66packed")).await).await;
        // A credential id longer than the data, an algorithm that was not offered, and a point that is not on the curve.
        refused(register(&app, &user, |object, device| {
            let id = &device.credential_id;
            replaced(object, &[&[0, 32], id.as_slice()].concat(), &[&[0xff, 0xff], id.as_slice()].concat())
        }).await).await;
        refused(register(&app, &user, |object, _| replaced(object, b"\x01\x02\x03\x26", b"\x01\x02\x03\x27")).await).await;
        refused(register(&app, &user, |object, _| {
            let at = object.len() - 32;
            [&object[..at], &[0; 32]].concat()
        }).await).await;
        refused(register(&app, &user, |object, _| object[..object.len() - 1].to_vec()).await).await;
        assert_eq!(app.json(MINE, &user.token).await["data"], json!([]));
        assert_eq!(register(&app, &user, |object, _| object.to_vec()).await.status(), 201);
    }

    async fn a_challenge_is_completed_by_its_user_only(app: TestApp) {
        let (user, other, admin) = (app.user().await, app.user().await, app.admin().await);
        let (mut device, mut foreign) = (app.authenticator(), app.authenticator());
        app.register(&user, &mut device).await;
        app.register(&other, &mut foreign).await;
        let (challenge, _) = app.challenge(&user.email).await;
        let path = format!("{challenge}/passkey");
        let options = app.passkey_options(&path, None).await;
        // The passkey of the user, stated to be another user's.
        let mut credential = device.get(&options["publicKey"]);
        credential["response"]["userHandle"] = json!(encoded(&foreign.user_handle));
        let body = json!({"state": options["state"], "credential": credential});
        problem(app.post(&path, &body).await, 401, "invalid_passkey").await;
        // A user who was disabled meanwhile.
        let body = json!({"state": options["state"], "credential": device.get(&options["publicKey"])});
        let disabled = app.patch(&user.path(), &admin.token, &json!({"status": "disabled"})).await;
        assert_eq!(disabled.status(), 200);
        problem(app.post(&path, &body).await, 401, "invalid_code").await;
        // An unknown credential is named as such here too.
        let (challenge, _) = app.challenge(&other.email).await;
        let path = format!("{challenge}/passkey");
        let options = app.passkey_options(&path, None).await;
        let mut stranger = app.authenticator();
        "localhost".clone_into(&mut stranger.rp_id);
        let body = json!({"state": options["state"], "credential": stranger.get(&options["publicKey"])});
        problem(app.post(&path, &body).await, 404, "unknown_passkey").await;
    }
}
