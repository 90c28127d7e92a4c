//! Everything that belongs to users leaves one server and arrives at another one.

use std::path::{Path, PathBuf};

use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::authenticator::Authenticator as Device;
use crate::harness::{Db, PASSWORD, SignedIn, TestApp, World, on_both};
use crate::process::{Done, run_on};
use crate::providers::ada;
use crate::providers::issuer::Issuer;
use crate::totp::Authenticator as Codes;

const PASSPHRASE: &str = "nine small gray horses";

/// A user with a credential of every kind.
struct Person {
    user: SignedIn,
    codes: Codes,
    recovery: Vec<String>,
    device: Device,
    api_key: String,
}

async fn created(response: Response) -> Value {
    assert_eq!(response.status(), 201);
    response.json().await.unwrap()
}

impl Person {
    async fn enrol(app: &TestApp) -> Self {
        let user = app.admin().await;
        let made = created(app.post_as("/api/v1/me/totp", &user.token, &json!({})).await).await;
        let codes = Codes::scan(made["uri"].as_str().unwrap());
        let code = codes.code(app.services.clock.now());
        let confirmed = app.post_as("/api/v1/me/totp/confirm", &user.token, &json!({"code": code})).await;
        let body: Value = confirmed.json().await.unwrap();
        let recovery = body["recovery_codes"].as_array().unwrap_or_else(|| panic!("{body}")).iter();
        let recovery = recovery.map(|code| code.as_str().unwrap().to_owned()).collect();
        let mut device = app.authenticator();
        app.register(&user, &mut device).await;
        let key = json!({"name": "Nightly", "scopes": ["users:read"]});
        let key = created(app.post_as("/api/v1/api-keys", &user.token, &key).await).await;
        let api_key = key["key"].as_str().unwrap_or_else(|| panic!("{key}")).to_owned();
        Self { user, codes, recovery, device, api_key }
    }
}

fn passphrase_file(world: &World) -> String {
    let file = world.folder().join("passphrase");
    std::fs::write(&file, format!("{PASSPHRASE}\n")).unwrap();
    text(&file)
}

fn text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}

async fn another(world: &World) -> World {
    World::new(if world.database.is_some() { Db::Postgres } else { Db::Sqlite }).await
}

async fn export(world: &World, settings: &[(&str, &str)]) -> (PathBuf, Done) {
    let file = world.folder().join("sealed.age");
    let passphrase = passphrase_file(world);
    let arguments = ["users", "export", &text(&file), "--with-credentials", "--passphrase-file", &passphrase];
    let done = run_on(world, settings, &arguments, "").await;
    (file, done)
}

/// The lines of an export in plain text, the header left out, by the addresses of their users.
async fn exported(world: &World, settings: &[(&str, &str)]) -> Vec<Value> {
    let done = run_on(world, settings, &["users", "export", "-", "--with-credentials", "--plaintext"], "").await;
    assert_eq!(done.code, 0, "{done:?}");
    let mut lines: Vec<Value> = done.stdout.lines().skip(1).map(|line| serde_json::from_str(line).unwrap()).collect();
    lines.sort_by_key(|line| line["email"].as_str().unwrap().to_owned());
    lines
}

async fn import(world: &World, settings: &[(&str, &str)], file: &Path, more: &[&str]) -> Done {
    let (file, passphrase) = (text(file), passphrase_file(world));
    let arguments = ["users", "import", &file, "--passphrase-file", &passphrase, "--output", "json"];
    run_on(world, settings, &[&arguments, more].concat(), "").await
}

async fn challenge(app: &TestApp, email: &str) -> String {
    let response = app.try_sign_in(email, PASSWORD).await;
    assert_eq!(response.status(), 202);
    let body: Value = response.json().await.unwrap();
    format!("/api/v1/sessions/challenges/{}", body["challenge_id"].as_str().unwrap())
}

async fn finish(app: &TestApp, email: &str, code: &str) -> u16 {
    let challenge = challenge(app, email).await;
    app.post(&challenge, &json!({"code": code})).await.status().as_u16()
}

async fn provider_sign_in(app: &TestApp, issuer: &Issuer) -> Value {
    let nonce = created(app.post("/api/v1/auth/acme/nonces", &json!({})).await).await;
    let nonce = nonce["nonce"].as_str().unwrap();
    let body = json!({"id_token": issuer.id_token(nonce, &ada()), "nonce": nonce});
    created(app.post("/api/v1/sessions/acme", &body).await).await
}

/// What does not depend on the root key.
async fn check_credentials(app: &TestApp, person: &mut Person, issuer: &Issuer, ada_id: &str) {
    let email = person.user.email.clone();
    let code = person.codes.code(app.services.clock.now());
    assert_eq!(finish(app, &email, &code).await, 201, "the password and a code");
    person.device.origin = app.url.replace("127.0.0.1", "localhost");
    let signed_in = created(app.passkey_sign_in(&mut person.device).await).await;
    assert_eq!(signed_in["user"]["id"], person.user.id.as_str(), "the passkey");
    assert_eq!(provider_sign_in(app, issuer).await["user"]["id"], ada_id, "the identity");
}

async fn key_status(app: &TestApp, key: &str) -> u16 {
    app.request(Method::GET, "/api/v1/users", Some(key)).send().await.unwrap().status().as_u16()
}

on_both! {
    async fn every_credential_arrives_at_a_server_with_the_same_master_key(world: World) {
        let issuer = Issuer::start().await;
        let settings = issuer.settings(&[]);
        let app = world.serve(&settings).await;
        let mut person = Person::enrol(&app).await;
        let ada_id = provider_sign_in(&app, &issuer).await["user"]["id"].as_str().unwrap().to_owned();
        app.user().await;
        let (file, done) = export(&world, &settings).await;
        assert!(done.code == 0 && done.stderr.contains("exported 3 users"), "{done:?}");
        let bytes = std::fs::read(&file).unwrap();
        assert!(bytes.starts_with(b"age-encryption.org/v1"));
        let events = app.json("/api/v1/events?types=users.exported", &person.user.token).await;
        assert_eq!(events[0]["data"], json!({"credentials": true}), "{events}");

        let other = another(&world).await;
        std::fs::copy(world.folder().join("master.key"), other.folder().join("master.key")).unwrap();
        let done = import(&other, &settings, &file, &["--keep-ids"]).await;
        let report: Value = serde_json::from_str(&done.stdout).unwrap_or_else(|_| panic!("{done:?}"));
        assert_eq!((&report["created"], &report["failed"]), (&json!(3), &json!(0)), "{done:?}");
        assert_eq!(report["not_carried"], json!({"recovery_codes": 0, "passkeys": 0, "identities": 0, "api_keys": 0}));
        assert_eq!(exported(&world, &settings).await, exported(&other, &settings).await);

        let arrived = other.serve(&settings).await;
        check_credentials(&arrived, &mut person, &issuer, &ada_id).await;
        assert_eq!(finish(&arrived, &person.user.email, &person.recovery[0]).await, 201, "a recovery code");
        assert_eq!(finish(&arrived, &person.user.email, &person.recovery[0]).await, 401, "it was used");
        assert_eq!(key_status(&arrived, &person.api_key).await, 200, "the API key");

        // Again: nobody is changed.
        let again = import(&other, &settings, &file, &["--keep-ids", "--on-conflict", "skip"]).await;
        assert_eq!((&again.json()["created"], &again.json()["skipped"]), (&json!(0), &json!(3)));
    }

    async fn what_another_master_key_does_not_accept_is_counted(world: World) {
        let issuer = Issuer::start().await;
        let settings = issuer.settings(&[]);
        let app = world.serve(&settings).await;
        let mut person = Person::enrol(&app).await;
        let ada_id = provider_sign_in(&app, &issuer).await["user"]["id"].as_str().unwrap().to_owned();
        let (file, done) = export(&world, &settings).await;
        assert_eq!(done.code, 0, "{done:?}");

        let other = another(&world).await;
        let done = import(&other, &settings, &file, &["--keep-ids"]).await;
        assert_eq!(done.json()["created"], 2, "{done:?}");
        assert_eq!(done.json()["not_carried"], json!({"recovery_codes": 10, "passkeys": 0, "identities": 0, "api_keys": 1}));
        let arrived = other.serve(&settings).await;
        check_credentials(&arrived, &mut person, &issuer, &ada_id).await;
        assert_eq!(finish(&arrived, &person.user.email, &person.recovery[0]).await, 401);
        assert_eq!(key_status(&arrived, &person.api_key).await, 401);

        // With new ids, the same file makes other users of a third server; codes are bound to the ids.
        let third = another(&world).await;
        let done = import(&third, &settings, &file, &[]).await;
        assert_eq!(done.json()["created"], 2, "{done:?}");
        let ids = |lines: Vec<Value>| lines.into_iter().map(|line| line["id"].clone()).collect::<Vec<_>>();
        assert_ne!(ids(exported(&third, &settings).await), ids(exported(&world, &settings).await));
    }

    async fn a_file_is_decrypted_by_its_owner_only(world: World) {
        let app = world.serve(&[]).await;
        app.user().await;
        let key = age::x25519::Identity::generate();
        let identity = world.folder().join("key.txt");
        std::fs::write(&identity, format!("# a comment\n{}\n", secrecy::ExposeSecret::expose_secret(&key.to_string()))).unwrap();
        let file = world.folder().join("users.age");
        let (file, public) = (text(&file), key.to_public().to_string());
        let refused = run_on(&world, &[], &["users", "export", &file, "--with-credentials"], "").await;
        assert!(refused.only_line(2).contains("must be encrypted"), "{refused:?}");
        let done = run_on(&world, &[], &["users", "export", &file, "--with-credentials", "--recipient", &public], "").await;
        assert_eq!(done.code, 0, "{done:?}");

        let other = another(&world).await;
        let failed = async |file: &str, arguments: &[&str]| {
            let done = run_on(&other, &[], &[&["users", "import", file], arguments].concat(), "").await;
            done.only_line(1).to_owned()
        };
        let wrong = world.folder().join("wrong.txt");
        let stranger = age::x25519::Identity::generate().to_string();
        std::fs::write(&wrong, secrecy::ExposeSecret::expose_secret(&stranger)).unwrap();
        let line = failed(&file, &["--identity-file", &text(&wrong)]).await;
        assert!(line.ends_with("none of the keys decrypts the file; it is encrypted to another key"), "{line}");
        let line = failed(&file, &[]).await;
        assert!(line.ends_with("the file is encrypted to a key; use --identity-file"), "{line}");
        let whole = std::fs::read(&file).unwrap();
        let cut = world.folder().join("cut.age");
        std::fs::write(&cut, &whole[..whole.len() - 10]).unwrap();
        let line = failed(&text(&cut), &["--identity-file", &text(&identity)]).await;
        assert!(line.contains("the encrypted file is damaged or incomplete"), "{line}");

        let (sealed, done) = export(&world, &[]).await;
        assert_eq!(done.code, 0, "{done:?}");
        let passphrase = world.folder().join("another");
        std::fs::write(&passphrase, "another").unwrap();
        let line = failed(&text(&sealed), &["--passphrase-file", &text(&passphrase)]).await;
        assert!(line.ends_with("the passphrase is wrong"), "{line}");
        let done = run_on(&other, &[], &["users", "import", &file, "--identity-file", &text(&identity)], "").await;
        assert_eq!((done.code, done.stdout.as_str()), (0, "created 1, rejected 0\n"), "{done:?}");
    }

    async fn a_plain_export_is_imported_as_it_is(world: World) {
        let app = world.serve(&[]).await;
        let (admin, _) = (app.admin().await, app.user().await);
        let body = json!({"locale": "de", "attributes": {"plan": "pro"}});
        assert_eq!(app.patch(&admin.path(), &admin.token, &body).await.status(), 200);
        let file = text(&world.folder().join("people.ndjson"));
        assert_eq!(run_on(&world, &[], &["users", "export", &file], "").await.code, 0);
        let over_rest = app.get("/api/v1/users/export", &admin.token).await.text().await.unwrap();
        assert_eq!(over_rest, std::fs::read_to_string(&file).unwrap());

        let other = another(&world).await;
        let done = run_on(&other, &[], &["users", "import", &file, "--keep-ids"], "").await;
        assert_eq!((done.code, done.stdout.as_str()), (0, "created 2, rejected 0\n"), "{done:?}");
        let back = run_on(&other, &[], &["users", "export", "-"], "").await;
        assert_eq!(back.stdout, std::fs::read_to_string(&file).unwrap());
    }
}
