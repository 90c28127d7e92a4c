use std::path::Path;

use super::choice::{Backend, Choice, Framework, Library};
use super::files::{Service, check_name};

#[test]
fn every_offered_combination_is_complete() {
    let choices: Vec<Choice> = Choice::all().collect();
    assert_eq!(choices.len(), 35);
    for choice in choices {
        let service = Service { name: "my-notes", choice, denizen_path: Some("../denizen") };
        let files = service.files().unwrap();
        for required in [
            ".env.example",
            ".github/workflows/ci.yml",
            ".gitignore",
            "Cargo.toml",
            "Dockerfile",
            "README.md",
            "compose.yaml",
            "crates/api/src/main.rs",
            "crates/api/tests/running_denizen/main.rs",
            "crates/domain/src/service.rs",
            "crates/infra/src/notes.rs",
            "crates/infra/src/pool.rs",
            "crates/infra/tests/notes.rs",
            "crates/testkit/src/database.rs",
        ] {
            assert!(files.contains_key(Path::new(required)), "{required} is missing: {choice}");
        }
        for (path, text) in &files {
            let path = path.display();
            for marker in ["{%", "{#", "%}", "denizen_path", "is_postgres"] {
                assert!(!text.contains(marker), "{marker} in {path}: {choice}");
            }
            assert!(text.ends_with('\n') && !text.contains("\n\n\n"), "blank lines in {path}: {choice}");
            assert!(!text.lines().any(|line| line.ends_with(' ')), "trailing space in {path}: {choice}");
        }
    }
}

#[test]
fn a_combination_that_is_not_offered_is_refused_with_the_reason() {
    let refused = Choice::new(Framework::Axum, Library::TokioPostgres, Backend::Sqlite).unwrap_err();
    assert!(refused.contains("PostgreSQL only") && refused.contains("--postgres"), "{refused}");
}

#[test]
fn names_are_validated() {
    for valid in ["a", "notes", "my-notes-2", &"a".repeat(50)] {
        check_name(valid).unwrap();
    }
    for invalid in
        ["", "Notes", "2notes", "-a", "a-", "a--b", "a_b", "a/b", "..", "a b", "é", "api", "deps", &"a".repeat(51)]
    {
        assert!(check_name(invalid).is_err(), "{invalid:?}");
    }
}

#[test]
fn the_version_is_named_without_a_path() {
    let choice = Choice::new(Framework::Warp, Library::Sqlx, Backend::Sqlite).unwrap();
    let files = Service { name: "notes", choice, denizen_path: None }.files().unwrap();
    let manifest = &files[Path::new("Cargo.toml")];
    let line = format!("denizen-client = \"{}\"\n", env!("CARGO_PKG_VERSION"));
    assert!(manifest.contains(&line), "{manifest}");
}

/// The example services of this repository, which `scripts/example-services` writes.
#[test]
fn the_examples_are_what_the_command_writes() {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    for (name, framework, library, backend) in [
        ("notes-actix-diesel", Framework::Actix, Library::Diesel, Backend::Postgres),
        ("notes-rocket-sea-orm", Framework::Rocket, Library::SeaOrm, Backend::Sqlite),
        ("notes-warp-tokio-postgres", Framework::Warp, Library::TokioPostgres, Backend::Postgres),
        ("notes-tonic-sqlx", Framework::Tonic, Library::Sqlx, Backend::Postgres),
    ] {
        let choice = Choice::new(framework, library, backend).unwrap();
        for (path, text) in (Service { name, choice, denizen_path: Some("../..") }).files().unwrap() {
            let path = examples.join(name).join(path);
            let example = std::fs::read_to_string(&path).unwrap_or_default();
            assert!(example == text, "{} is outdated: run scripts/example-services", path.display());
        }
    }
}
