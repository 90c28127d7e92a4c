//! The commands of `docs/migrating.md`, as they stand there, on exports of the other systems.

use std::path::Path;

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{PASSWORD, World, on_both};
use crate::process::{Done, Process, command, run, run_on};

const PAGE: &str = include_str!("../../../../docs/migrating.md");

const ROOT: &str = "root@example.com";

/// Systems whose exports have hashes.
const WITH_PASSWORDS: [&str; 12] = [
    "auth0",
    "firebase",
    "keycloak",
    "supabase",
    "django",
    "clerk",
    "zitadel",
    "kratos",
    "fusionauth",
    "wordpress",
    "devise",
    "csv",
];

/// The commands of the page, each with its system.
fn commands() -> Vec<(&'static str, Vec<&'static str>)> {
    let blocks = PAGE.split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let lines = blocks.flat_map(str::lines).filter_map(|line| line.strip_prefix("denizen "));
    let commands = lines.map(|line| line.split_whitespace().collect::<Vec<_>>());
    commands.map(|words| (words[words.iter().position(|word| *word == "--from").unwrap() + 1], words)).collect()
}

fn fixtures(source: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../import-sources/tests/fixtures").join(source)
}

/// Runs a command where the fixtures are, with `arguments` appended.
async fn import(world: &World, source: &str, words: &[&str], arguments: &[&str]) -> Done {
    let folder = tempfile::tempdir().unwrap();
    for file in std::fs::read_dir(fixtures(source)).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), folder.path().join(file.file_name())).unwrap();
    }
    // Paths of the page are relative to the export.
    let path = |word: &&str| match folder.path().join(word) {
        path if path.is_file() => path.to_str().unwrap().to_owned(),
        _ => (*word).to_owned(),
    };
    let words: Vec<String> = words.iter().chain(arguments).map(path).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    run_on(world, &[], &words, "").await
}

async fn denizen(world: &World, arguments: &[&str]) -> Done {
    run_on(world, &[], arguments, "").await
}

async fn get(server: &Process, token: &str, path: &str) -> Value {
    server.request(Method::GET, path, Some(token)).send().await.unwrap().json().await.unwrap()
}

async fn user(server: &Process, token: &str, email: &str) -> Value {
    get(server, token, &format!("/api/v1/users?email={email}")).await[0].clone()
}

/// Deletes everybody but the administrator.
async fn clear(server: &Process, token: &str) {
    for user in get(server, token, "/api/v1/users?limit=200").await.as_array().unwrap() {
        if user["email"] != ROOT {
            let path = format!("/api/v1/users/{}", user["id"].as_str().unwrap());
            let deleted = server.request(Method::DELETE, &path, Some(token)).send().await.unwrap();
            assert_eq!(deleted.status(), 204, "{user}");
        }
    }
}

/// What every command must make of its export.
async fn check(server: &Process, token: &str, source: &str, done: &Done) {
    assert_eq!(done.code, 0, "{source}: {done:?}");
    let ada = user(server, token, "ada@example.com").await;
    assert_eq!((&ada["name"], &ada["status"]), (&json!("Ada Lovelace"), &json!("active")), "{source}");
    if WITH_PASSWORDS.contains(&source) {
        // With a second factor, the right password gets a challenge instead of a token.
        let status = sign_in(server, "ada@example.com").await;
        assert!(matches!(status, 201 | 202), "{source}: {status}");
    }

    // Disabled there, disabled here: the right password opens nothing. After some attempts, it is not even verified.
    let blaise = user(server, token, "blaise@example.com").await;
    assert_eq!((&blaise["name"], &blaise["status"]), (&json!("Blaise Pascal"), &json!("disabled")), "{source}");
    let status = sign_in(server, "blaise@example.com").await;
    assert!(matches!(status, 401 | 429), "{source}: {status}");
}

async fn sign_in(server: &Process, email: &str) -> u16 {
    let body = json!({"email": email, "password": PASSWORD});
    server.request(Method::POST, "/api/v1/sessions", None).json(&body).send().await.unwrap().status().as_u16()
}

#[test]
fn every_system_has_a_command() {
    let mut systems: Vec<&str> = commands().into_iter().map(|(source, _)| source).collect();
    systems.dedup();
    let mut folders: Vec<String> = std::fs::read_dir(fixtures(""))
        .unwrap()
        .map(|folder| folder.unwrap().file_name().into_string().unwrap())
        .collect();
    folders.sort();
    let mut sorted = systems.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, folders);
}

on_both! {
    async fn the_commands_of_the_page(world: World) {
        let arguments = ["users", "create", "--email", ROOT, "--name", "Root", "--role", "admin", "--password-stdin"];
        let server = Process::start(&world, &[]).await;
        assert_eq!(run_on(&world, &[], &arguments, PASSWORD).await.code, 0);
        let token = server.token(ROOT, PASSWORD).await.unwrap();
        for (source, words) in commands() {
            let dry = import(&world, source, &words, &["--dry-run", "--output", "json"]).await;
            assert_eq!(dry.code, 0, "{source}: {dry:?}");
            let done = import(&world, source, &words, &["--output", "json"]).await;
            check(&server, &token, source, &done).await;
            assert_eq!(dry.json()["created"], done.json()["created"]);
            clear(&server, &token).await;
        }
    }

    async fn an_export_of_another_system_is_named(world: World) {
        assert_eq!(denizen(&world, &["migrate"]).await.code, 0);
        let file = fixtures("firebase").join("users.json");
        let file = file.to_str().unwrap();
        let done = denizen(&world, &["users", "import", "--from", "auth0", file]).await;
        assert!(done.only_line(1).contains("this looks like a Firebase export: use --from firebase"), "{done:?}");
        let done = denizen(&world, &["users", "import", "--from", "firebase", file]).await;
        assert_eq!(done.code, 1);
        assert!(done.stderr.contains("password_hash: needs the parameters of the project"), "{done:?}");
        assert!(done.stdout.contains("not carried over: 1 users without an email address: left out"), "{done:?}");
        let done = denizen(&world, &["users", "import", "--from", "csv", "-"]).await;
        assert!(done.only_line(2).contains("--from reads files"), "{done:?}");
        let done = denizen(&world, &["users", "import", "--from", "ldap", file]).await;
        assert_eq!(done.code, 2);
    }
}

#[tokio::test]
async fn options_for_other_systems_need_the_system() {
    let folder = tempfile::tempdir().unwrap();
    for arguments in [["--map", "map.toml"], ["--role-map", "a=b"], ["--devise-pepper-file", "a"]] {
        let arguments = [&["users", "import", "people.ndjson"], arguments.as_slice()].concat();
        let done = run(command(folder.path()), &arguments, "").await;
        assert_eq!(done.code, 2, "{done:?}");
        assert!(done.stderr.contains("--from"), "{done:?}");
    }
}
