//! The server against an independent implementation of WebAuthn: the crate `passkey`, in a process of its own. What the
//! authenticator and the browser around it can be made to do wrong is rejected, and nothing is written.

use std::process::Stdio;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use denizen_domain::events::ActorKind;
use reqwest::Response;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use crate::authenticator::encoded;
use crate::events_walk::records_after;
use crate::harness::{SignedIn, TestApp, field_problem, on_both, problem};
use crate::passkeys::{MINE, SIGN_IN, opened};

/// An authenticator with one passkey, and the browser that it is used in.
struct Device {
    origin: String,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
    _process: Child,
}

impl Device {
    /// One whose pages have the origin of the server.
    async fn start(app: &TestApp) -> Self {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scripts/passkey-client");
        let built = Command::new(script).stderr(Stdio::inherit()).output().await.unwrap();
        assert!(built.status.success(), "{script} failed");
        let program = String::from_utf8(built.stdout).unwrap();
        let mut command = Command::new(program.trim());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut process = command.spawn().unwrap();
        let input = process.stdin.take().unwrap();
        let output = BufReader::new(process.stdout.take().unwrap()).lines();
        Self { origin: app.url.replace("127.0.0.1", "localhost"), input, output, _process: process }
    }

    async fn run(&mut self, command: Value) -> Value {
        self.input.write_all(format!("{command}\n").as_bytes()).await.unwrap();
        let line = self.output.next_line().await.unwrap().expect("the authenticator has ended");
        serde_json::from_str(&line).unwrap()
    }

    /// The credential that a command makes.
    async fn credential(&mut self, command: Value) -> Value {
        let mut result = self.run(command).await;
        assert!(result.get("error").is_none(), "{result}");
        result["credential"].take()
    }

    async fn create(&mut self, options: &Value) -> Value {
        let options = json!({"publicKey": options});
        self.credential(json!({"do": "create", "origin": self.origin, "options": options})).await
    }

    async fn get(&mut self, options: &Value) -> Value {
        self.get_with(options, json!({})).await
    }

    /// The same with something different in the client data.
    async fn get_with(&mut self, options: &Value, client_data: Value) -> Value {
        let options = json!({"publicKey": options});
        let command = json!({"do": "get", "origin": self.origin, "options": options, "client_data": client_data});
        self.credential(command).await
    }

    async fn set_counter(&mut self, counter: u32) {
        self.run(json!({"do": "set_counter", "counter": counter})).await;
    }

    async fn set_verifying(&mut self, is_verifying: bool) {
        self.run(json!({"do": "set_verifying", "is_verifying": is_verifying})).await;
    }

    async fn register(&mut self, app: &TestApp, user: &SignedIn) -> Value {
        let options = app.passkey_options(MINE, Some(&user.token)).await;
        let credential = self.create(&options["publicKey"]).await;
        opened(register(app, user, &options, &credential).await).await
    }
}

async fn register(app: &TestApp, user: &SignedIn, options: &Value, credential: &Value) -> Response {
    app.post_as(MINE, &user.token, &json!({"state": options["state"], "credential": credential})).await
}

async fn sign_in(app: &TestApp, options: &Value, credential: &Value) -> Response {
    app.post(SIGN_IN, &json!({"state": options["state"], "credential": credential})).await
}

/// Options that the authenticator accepts although the server does not want what it does with them.
fn changed(options: &Value, change: impl FnOnce(&mut Value)) -> Value {
    let mut public_key = options["publicKey"].clone();
    change(&mut public_key);
    public_key
}

/// The passkeys, the sessions and the events of a user. What the server does by itself, such as sending mail, is left out.
async fn stored(app: &TestApp, user: &SignedIn) -> (Value, Vec<Value>, usize) {
    let sessions = app.json("/api/v1/sessions", &user.token).await;
    let sessions = sessions.as_array().unwrap().iter().map(|session| session["id"].clone()).collect();
    let mut events = records_after(app, 0).await;
    events.retain(|event| event.about.as_str() == Some(&user.id) && event.actor.kind != ActorKind::System);
    (app.json(MINE, &user.token).await, sessions, events.len())
}

on_both! {
    async fn a_passkey_of_another_implementation_works(app: TestApp) {
        let user = app.user().await;
        let mut device = Device::start(&app).await;
        let passkey = device.register(&app, &user).await;
        assert_eq!(passkey["aaguid"], "09090909-0909-0909-0909-090909090909");
        assert_eq!((&passkey["kind"], &passkey["transports"]), (&json!("passkey"), &json!(["internal", "hybrid"])));
        for _ in 0..2 {
            let options = app.passkey_options(SIGN_IN, None).await;
            let credential = device.get(&options["publicKey"]).await;
            let signed_in = opened(sign_in(&app, &options, &credential).await).await;
            assert_eq!(signed_in["user"]["id"], json!(user.id));
        }
        // As the second factor, with the id of the credential in the options.
        let (challenge, _) = app.challenge(&user.email).await;
        let path = format!("{challenge}/passkey");
        let options = app.passkey_options(&path, None).await;
        let credential = device.get(&options["publicKey"]).await;
        assert_eq!(app.post(&path, &json!({"state": options["state"], "credential": credential})).await.status(), 201);
    }

    async fn an_attack_on_a_sign_in_is_rejected(app: TestApp) {
        let (user, other) = (app.user().await, app.user().await);
        let (mut device, mut foreign) = (Device::start(&app).await, Device::start(&app).await);
        device.register(&app, &user).await;
        foreign.register(&app, &other).await;
        let unregistered = {
            let options = app.passkey_options(MINE, Some(&user.token)).await;
            let mut stranger = Device::start(&app).await;
            stranger.create(&options["publicKey"]).await;
            let options = app.passkey_options(SIGN_IN, None).await;
            let credential = stranger.get(&options["publicKey"]).await;
            (options, credential)
        };
        let options = app.passkey_options(SIGN_IN, None).await;
        let public_key = options["publicKey"].clone();
        let registration = app.passkey_options(MINE, Some(&user.token)).await;
        let before = (stored(&app, &user).await, stored(&app, &other).await);
        let refused = async |options: &Value, credential: &Value| {
            problem(sign_in(&app, options, credential).await, 401, "invalid_passkey").await;
        };

        problem(sign_in(&app, &unregistered.0, &unregistered.1).await, 404, "unknown_passkey").await;
        // A page of another origin: with its own relying party, and with that of the server.
        let own = std::mem::replace(&mut device.origin, "https://evil.example".to_owned());
        let credential = device.get(&changed(&options, |options| options["rpId"] = json!("evil.example"))).await;
        refused(&options, &credential).await;
        "http://localhost:1".clone_into(&mut device.origin);
        refused(&options, &device.get(&public_key).await).await;
        device.origin = own;
        // Client data that is not what was signed.
        let hash = digest(&SHA256, b"other client data").as_ref().to_vec();
        refused(&options, &device.get_with(&public_key, json!({"hash": hash})).await).await;
        let framed = json!({"members": {"topOrigin": "https://evil.example"}});
        refused(&options, &device.get_with(&public_key, framed).await).await;
        let mut credential = device.get(&public_key).await;
        let data = URL_SAFE_NO_PAD.decode(credential["response"]["clientDataJSON"].as_str().unwrap()).unwrap();
        let data = String::from_utf8(data).unwrap().replace("webauthn.get", "webauthn.create");
        credential["response"]["clientDataJSON"] = json!(encoded(data.as_bytes()));
        refused(&options, &credential).await;
        // The challenge of a registration, and the state of one.
        let challenge = registration["publicKey"]["challenge"].clone();
        let credential = device.get(&changed(&options, |options| options["challenge"] = challenge)).await;
        refused(&options, &credential).await;
        refused(&registration, &credential).await;
        // A user who was not verified.
        device.set_verifying(false).await;
        let unverified = changed(&options, |options| options["userVerification"] = json!("discouraged"));
        refused(&options, &device.get(&unverified).await).await;
        device.set_verifying(true).await;
        // The passkey of one user for another one: the handle, the id, both.
        let (mine, theirs) = (device.get(&public_key).await, foreign.get(&public_key).await);
        let swapped = |parts: &[&str]| {
            let mut credential = mine.clone();
            for part in parts {
                match *part {
                    "handle" => credential["response"]["userHandle"] = theirs["response"]["userHandle"].clone(),
                    part => credential[part] = theirs[part].clone(),
                }
            }
            credential
        };
        for parts in [&["handle"][..], &["id", "rawId"], &["id", "rawId", "handle"]] {
            refused(&options, &swapped(parts)).await;
        }
        for (member, bytes) in [("signature", 300_000), ("authenticatorData", 300_000), ("userHandle", 100_000), ("clientDataJSON", 300_000)] {
            let mut oversized = mine.clone();
            oversized["response"][member] = json!(encoded(&vec![0x81; bytes]));
            refused(&options, &oversized).await;
        }
        let mut oversized = mine.clone();
        oversized["rawId"] = json!(encoded(&[7; 1_024]));
        field_problem(sign_in(&app, &options, &oversized).await, "credential", "invalid_credential").await;
        oversized["response"]["signature"] = json!("A".repeat(1_100_000));
        problem(sign_in(&app, &options, &oversized).await, 413, "body_too_large").await;

        assert_eq!((stored(&app, &user).await, stored(&app, &other).await), before, "nothing was written");
        // The state was not used by what was refused; it is used once.
        assert_eq!(sign_in(&app, &options, &mine).await.status(), 201);
        refused(&options, &mine).await;
        refused(&options, &device.get(&public_key).await).await;
    }

    async fn a_copy_of_an_authenticator_is_rejected(app: TestApp) {
        let user = app.user().await;
        let mut device = Device::start(&app).await;
        device.register(&app, &user).await;
        let attempt = async |device: &mut Device, counter: u32| {
            // It is increased before it is signed.
            device.set_counter(counter - 1).await;
            let options = app.passkey_options(SIGN_IN, None).await;
            let credential = device.get(&options["publicKey"]).await;
            sign_in(&app, &options, &credential).await
        };
        assert_eq!(attempt(&mut device, 10).await.status(), 201);
        let before = stored(&app, &user).await;
        for counter in [10, 9, 1] {
            problem(attempt(&mut device, counter).await, 401, "invalid_passkey").await;
        }
        assert_eq!(stored(&app, &user).await, before, "nothing was written");
        assert_eq!(attempt(&mut device, 11).await.status(), 201);
    }

    async fn an_attack_on_a_registration_is_rejected(app: TestApp) {
        let (user, other) = (app.user().await, app.user().await);
        let mut device = Device::start(&app).await;
        let options = app.passkey_options(MINE, Some(&user.token)).await;
        let theirs = app.passkey_options(MINE, Some(&other.token)).await;
        let sign_in_options = app.passkey_options(SIGN_IN, None).await;
        let before = (stored(&app, &user).await, stored(&app, &other).await);
        let refused = async |credential: &Value| {
            field_problem(register(&app, &user, &options, credential).await, "credential", "credential_rejected").await;
        };

        // An algorithm that was not offered: EdDSA, which the authenticator supports.
        assert!(!options["publicKey"]["pubKeyCredParams"].to_string().contains("-8"), "{options}");
        let algorithm = json!([{"type": "public-key", "alg": -8}]);
        refused(&device.create(&changed(&options, |options| options["pubKeyCredParams"] = algorithm)).await).await;
        // A page of another origin: with its own relying party, and with that of the server.
        let own = std::mem::replace(&mut device.origin, "https://evil.example".to_owned());
        refused(&device.create(&changed(&options, |options| options["rp"]["id"] = json!("evil.example"))).await).await;
        "http://localhost:1".clone_into(&mut device.origin);
        refused(&device.create(&options["publicKey"]).await).await;
        device.origin = own;
        // A user who was not verified.
        device.set_verifying(false).await;
        let unverified = changed(&options, |options| options["authenticatorSelection"]["userVerification"] = json!("discouraged"));
        refused(&device.create(&unverified).await).await;
        device.set_verifying(true).await;
        // The challenges of another user and of a sign-in.
        for challenge in [&theirs["publicKey"]["challenge"], &sign_in_options["publicKey"]["challenge"]] {
            refused(&device.create(&changed(&options, |options| options["challenge"] = challenge.clone())).await).await;
        }
        // For another account: the states are those of one user.
        let mine = device.create(&options["publicKey"]).await;
        field_problem(register(&app, &other, &options, &mine).await, "state", "invalid_state").await;
        field_problem(register(&app, &other, &theirs, &mine).await, "credential", "credential_rejected").await;
        field_problem(register(&app, &user, &sign_in_options, &mine).await, "state", "invalid_state").await;
        for object in [vec![0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], vec![0xa1; 100_000], vec![0x5f; 100_000]] {
            let mut oversized = mine.clone();
            oversized["response"]["attestationObject"] = json!(encoded(&object));
            refused(&oversized).await;
        }
        assert_eq!((stored(&app, &user).await, stored(&app, &other).await), before, "nothing was written");

        assert_eq!(register(&app, &user, &options, &mine).await.status(), 201);
        field_problem(register(&app, &user, &options, &mine).await, "state", "invalid_state").await;
        // An answer to `create` signs nobody in.
        field_problem(sign_in(&app, &sign_in_options, &mine).await, "credential", "invalid_credential").await;
        let list = app.json(MINE, &user.token).await;
        assert_eq!(list["data"].as_array().unwrap().len(), 1);
        assert_eq!(app.json(MINE, &other.token).await["data"], json!([]));
    }
}
