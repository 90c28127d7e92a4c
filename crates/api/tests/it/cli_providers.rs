//! The command line on outside providers.

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

on_both! {
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
