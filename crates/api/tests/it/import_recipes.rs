//! The recipes of `docs/imports.md`, as they stand there, on samples of what other systems export.

use std::process::Stdio;

use denizen_domain::id::UserId;
use serde_json::{Value, json};
use tokio::process::Command;

use crate::harness::{PASSWORD, SignedIn, TestApp, on_both, problem};

const PAGE: &str = include_str!("../../../../docs/imports.md");

/// The shell blocks of the page that read this file.
fn recipes(reads: &str) -> Vec<&'static str> {
    let blocks = PAGE.split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    blocks.filter(|block| block.contains(reads)).collect()
}

/// The hash in the first example below a heading, as an object.
fn example(heading: &str) -> Value {
    let (_, section) = PAGE.split_once(&format!("\n## {heading}\n")).unwrap();
    let line = section.lines().find(|line| line.starts_with("{\"email\"")).unwrap();
    let line: Value = serde_json::from_str(line).unwrap();
    serde_json::from_str(line["password_hash"].as_str().unwrap()).unwrap()
}

/// Runs a recipe on an export, and imports what it writes.
async fn convert(app: &TestApp, admin: &SignedIn, recipe: &str, (file, export): (&str, &Value)) -> Value {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(file), export.to_string()).unwrap();
    let mut command = Command::new("sh");
    command.args(["-euc", recipe]).current_dir(folder.path()).stdin(Stdio::null());
    let output = command.output().await.unwrap();
    assert!(output.status.success(), "{output:?}");
    app.import(admin, std::fs::read(folder.path().join("people.ndjson")).unwrap()).await
}

async fn find(app: &TestApp, admin: &SignedIn, email: &str) -> Value {
    app.json(&format!("/api/v1/users?email={email}"), &admin.token).await[0].clone()
}

/// What every recipe must make of its sample.
async fn check(app: &TestApp, admin: &SignedIn, report: &Value) {
    assert_eq!((&report["created"], &report["failed"]), (&json!(6), &json!(0)), "{report}");
    let user = async |email: &str| find(app, admin, email).await;
    let ada = user("ada@example.com").await;
    assert_eq!((&ada["name"], &ada["status"], &ada["email_verified"]), (&json!("Ada"), &json!("active"), &json!(true)));
    assert_eq!(app.try_sign_in("ada@example.com", PASSWORD).await.status(), 201);

    // Disabled there, disabled here: the right password opens nothing.
    assert_eq!(user("off@example.com").await["status"], "disabled");
    problem(app.try_sign_in("off@example.com", PASSWORD).await, 401, "invalid_credentials").await;

    for email in ["nameless@example.com", "blank@example.com"] {
        assert_eq!(user(email).await["name"], email, "without a name the address is the name");
        assert_eq!(app.try_sign_in(email, PASSWORD).await.status(), 201);
    }

    let without = user("nopassword@example.com").await;
    assert_eq!((&without["name"], &without["email_verified"]), (&json!("No Password"), &json!(false)));
    let id = UserId::parse(without["id"].as_str().unwrap()).unwrap();
    assert!(app.services.store.read().await.unwrap().find_password(id).await.unwrap().is_none());

    assert_eq!(user("jose@xn--bcher-kva.example").await["name"], "José 王小明");
    assert_eq!(app.try_sign_in("jose@bücher.example", PASSWORD).await.status(), 201);
}

#[test]
fn every_recipe_of_the_page_is_run() {
    let count =
        PAGE.split("```sh\n").skip(1).filter(|block| block.split("```").next().unwrap().contains("jq ")).count();
    assert_eq!((count, recipes(" users.json ").len(), recipes(" realm.json ").len()), (2, 1, 1));
}

on_both! {
    async fn the_recipe_for_firebase(app: TestApp) {
        let admin = app.admin().await;
        let example = example("Firebase");
        let (hash, salt) = (&example["passwordHash"], &example["salt"]);
        let export = json!({"users": [
            {"localId": "1", "email": "ada@example.com", "emailVerified": true, "displayName": "Ada",
                "passwordHash": hash, "salt": salt, "disabled": false},
            {"localId": "2", "email": "off@example.com", "emailVerified": true, "displayName": "Off",
                "passwordHash": hash, "salt": salt, "disabled": true},
            {"localId": "3", "email": "nameless@example.com", "emailVerified": true, "passwordHash": hash, "salt": salt},
            {"localId": "4", "email": "blank@example.com", "displayName": " ", "passwordHash": hash, "salt": salt},
            {"localId": "5", "email": "nopassword@example.com", "displayName": "No Password", "emailVerified": false},
            {"localId": "6", "email": "jose@bücher.example", "displayName": "José 王小明",
                "passwordHash": hash, "salt": salt},
            // Signed in by telephone, or not at all.
            {"localId": "7", "phoneNumber": "+15555550100"},
        ]});
        let recipe = recipes(" users.json ")[0].replace(
            r#""base64_signer_key":"…""#,
            &format!(r#""base64_signer_key":{}"#, example["base64_signer_key"]),
        );
        let report = convert(&app, &admin, &recipe, ("users.json", &export)).await;
        check(&app, &admin, &report).await;
    }

    async fn the_recipe_for_keycloak(app: TestApp) {
        let admin = app.admin().await;
        let example = example("Keycloak");
        let mut password = example.clone();
        password["type"] = json!("password");
        let credentials = json!([{"type": "otp", "secretData": "{}", "credentialData": "{}"}, password]);
        let export = json!({"realm": "example", "users": [
            {"username": "ada", "email": "ada@example.com", "emailVerified": true, "enabled": true, "firstName": "Ada",
                "credentials": credentials},
            {"username": "off", "email": "off@example.com", "emailVerified": true, "enabled": false, "firstName": "Off",
                "lastName": "Line", "credentials": credentials},
            {"username": "nameless", "email": "nameless@example.com", "enabled": true, "credentials": credentials},
            {"username": "blank", "email": "blank@example.com", "enabled": true, "firstName": "", "lastName": " ",
                "credentials": credentials},
            {"username": "nopassword", "email": "nopassword@example.com", "emailVerified": false, "enabled": true,
                "firstName": "No", "lastName": "Password", "credentials": []},
            {"username": "jose", "email": "jose@bücher.example", "enabled": true, "firstName": "José", "lastName": "王小明",
                "credentials": credentials},
            // A realm exports its service accounts as users without an address.
            {"username": "service-account-app", "enabled": true, "serviceAccountClientId": "app"},
        ]});
        let report = convert(&app, &admin, recipes(" realm.json ")[0], ("realm.json", &export)).await;
        check(&app, &admin, &report).await;
    }
}
