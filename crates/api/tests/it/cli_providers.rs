//! The command line on outside providers.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::harness::{World, on_both};
use crate::process::{Done, run_on};

const SECRET: &str = "GOCSPX-of-the-test";

async fn denizen(world: &World, arguments: &[&str], stdin: &str) -> Done {
    run_on(world, &[], &[&["providers"], arguments].concat(), stdin).await
}

/// A command that succeeds, and what it prints.
async fn text_of(world: &World, arguments: &[&str]) -> String {
    let done = denizen(world, arguments, "").await;
    assert_eq!(done.code, 0, "{arguments:?}: {done:?}");
    done.stdout
}

async fn json_of(world: &World, arguments: &[&str]) -> Value {
    serde_json::from_str(&text_of(world, &[arguments, &["--output", "json"]].concat()).await).unwrap()
}

async fn create(world: &World) -> String {
    let settings = ["preset=google", "client_id=abc", "allowed_domains=example.com, example.org", "claims.name=nick"];
    let settings = settings.iter().flat_map(|setting| ["--setting", *setting]);
    let arguments: Vec<&str> = ["create", "google", "--secret-file", "-"].into_iter().chain(settings).collect();
    let done = denizen(world, &arguments, &format!("{SECRET}\n")).await;
    assert_eq!(done.code, 0, "{done:?}");
    done.stdout
}

/// The commands of `docs/provider-guides.md`, in its order.
fn guided() -> Vec<Vec<String>> {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/provider-guides.md");
    let text = std::fs::read_to_string(page).unwrap().replace("\\\n", " ");
    // In a block, or in a line of text.
    let commands = text.lines().filter_map(|line| line.split_once("denizen providers create ")?.1.split('`').next());
    commands.map(|command| command.split_whitespace().map(str::to_owned).collect()).collect()
}

/// The files that the guides name.
fn write_secrets(world: &World) {
    let key = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new()).unwrap();
    let key = format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", STANDARD.encode(key));
    for (name, text) in [("secret.txt", SECRET), ("google-secret.txt", SECRET), ("AuthKey_FGHIJ67890.p8", &key)] {
        std::fs::write(world.folder().join(name), text).unwrap();
    }
}

on_both! {
    async fn the_commands_of_the_guides_work(world: World) {
        write_secrets(&world);
        let commands = guided();
        assert_eq!(commands.len(), 14);
        for command in commands {
            let arguments: Vec<&str> = ["create"].into_iter().chain(command.iter().map(String::as_str)).collect();
            text_of(&world, &arguments).await;
            text_of(&world, &["delete", &command[0], "--yes"]).await;
        }
    }

    async fn a_provider_is_created_updated_and_deleted(world: World) {
        let created = create(&world).await;
        assert_eq!(created, text_of(&world, &["get", "google"]).await);
        assert!(!created.contains(SECRET), "{created}");
        for line in ["secret          yes", "source          database", "  preset=google", "  client_id=abc",
            "  allowed_domains=example.com,example.org", "  claims.name=nick", "  link=never"] {
            assert!(created.lines().any(|printed| printed == line), "{line} in {created}");
        }

        text_of(&world, &["update", "google", "--setting", "link=verified", "--setting", "claims.name="]).await;
        let body = json_of(&world, &["get", "google"]).await;
        assert_eq!((&body["settings"]["link"], &body["settings"]["claims"]), (&json!("verified"), &json!({})));
        assert_eq!(body["has_secret"], true);

        text_of(&world, &["disable", "google"]).await;
        assert_eq!(json_of(&world, &["list"]).await[0]["enabled"], false);
        text_of(&world, &["enable", "google"]).await;
        assert_eq!(json_of(&world, &["list"]).await[0]["enabled"], true);

        assert_eq!(text_of(&world, &["delete", "google", "--yes"]).await, "deleted the provider google\n");
        assert_eq!(json_of(&world, &["list"]).await, json!([]));
    }

    async fn what_is_wrong_with_a_provider_is_one_line(world: World) {
        create(&world).await;
        for (arguments, code, expected) in [
            (&["create", "Bad_Name", "--setting", "preset=google"][..], 2, "must be a lowercase letter"),
            (&["create", "google", "--setting", "preset"], 2, "expected KEY=VALUE"),
            (&["create", "other", "--setting", "preset=gogle"], 1, "Did you mean google?"),
            (&["create", "other", "--setting", "colour=red"], 1, "settings.colour: is not a known field"),
            (&["create", "other", "--setting", "preset=google"], 1, "settings.client_id"),
            (&["update", "google", "--setting", "link=maybe"], 1, "must be one of never, verified"),
            (&["update", "google", "--setting", "signup=perhaps"], 1, "settings.signup"),
            (&["get", "other"], 1, "the provider does not exist"),
            (&["test", "other"], 1, "the provider does not exist"),
            (&["delete", "google"], 2, "--yes"),
            (&["delete", "other", "--yes"], 1, "the provider does not exist"),
        ] {
            let done = denizen(&world, arguments, "").await;
            let line = done.only_line(code);
            assert!(line.contains(expected), "{arguments:?}: {line}");
        }
        assert_eq!(json_of(&world, &["list"]).await.as_array().unwrap().len(), 1);
    }
}
