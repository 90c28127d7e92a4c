//! `denizen new`: a service is written to a new folder, or nothing is.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::process::{Done, command, run};

const REPOSITORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
const COMPLETE: [&str; 5] = ["--framework", "axum", "--database", "sqlx", "--sqlite"];

async fn denizen_new(folder: &TempDir, name: &str, options: &[&str]) -> Done {
    run(command(folder.path()), &[&["new", name], options].concat(), "").await
}

fn files(folder: &Path) -> BTreeSet<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { BTreeSet::from([path]) }).collect()
}

#[tokio::test]
async fn a_service_is_written_as_the_dry_run_lists_it() {
    let folder = tempfile::tempdir().unwrap();
    let options = [&COMPLETE[..], &["--denizen-path", REPOSITORY]].concat();
    let dry = denizen_new(&folder, "my-notes", &[&options[..], &["--dry-run"]].concat()).await;
    assert_eq!((dry.code, dry.stderr.as_str()), (0, ""), "{dry:?}");
    assert_eq!(files(folder.path()), BTreeSet::new());

    let written = denizen_new(&folder, "my-notes", &options).await;
    assert_eq!((written.code, written.stdout.as_str()), (0, ""), "{written:?}");
    assert!(written.stderr.contains("Axum, SQLx and SQLite") && written.stderr.contains("my-notes/README.md"));
    let listed: BTreeSet<PathBuf> = dry.stdout.lines().map(|line| folder.path().join(line)).collect();
    assert_eq!(files(folder.path()), listed);
    assert!(listed.contains(&folder.path().join("my-notes/crates/api/src/main.rs")), "{listed:?}");
    let manifest = fs::read_to_string(folder.path().join("my-notes/Cargo.toml")).unwrap();
    assert!(manifest.contains("crates/client\" }"), "{manifest}");
}

#[tokio::test]
async fn an_existing_folder_is_not_changed() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("notes")).unwrap();
    fs::write(folder.path().join("notes/README.md"), "mine").unwrap();
    let refused = denizen_new(&folder, "notes", &COMPLETE).await;
    assert_eq!(refused.only_line(1), "notes exists already; choose another name");
    assert_eq!(files(folder.path()), BTreeSet::from([folder.path().join("notes/README.md")]));
    assert_eq!(fs::read_to_string(folder.path().join("notes/README.md")).unwrap(), "mine");
}

#[tokio::test]
async fn what_cannot_be_written_is_refused_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let cases: [(&str, &[&str], &str); 8] = [
        ("../notes", &COMPLETE, "lowercase letters, digits and single hyphens"),
        ("Notes", &COMPLETE, "lowercase letters, digits and single hyphens"),
        ("deps", &COMPLETE, "reserved"),
        ("self", &COMPLETE, "reserved"),
        ("notes", &["--framework", "axum", "--database", "sqlx"], "--postgres or --sqlite is required"),
        ("notes", &["--database", "sqlx", "--sqlite"], "--framework is required"),
        ("notes", &["--framework", "axum", "--database", "tokio-postgres", "--sqlite"], "PostgreSQL only"),
        ("notes", &["--framework", "axum", "--database", "sqlx", "--sqlite", "--postgres"], "cannot be used with"),
    ];
    for (name, options, reason) in cases {
        let refused = denizen_new(&folder, name, options).await;
        assert!(refused.only_line(2).contains(reason), "{refused:?}");
    }
    let refused = denizen_new(&folder, "notes", &[&COMPLETE[..], &["--denizen-path", "nowhere"]].concat()).await;
    assert_eq!(refused.only_line(1), "--denizen-path: nowhere/crates/client/Cargo.toml does not exist");
    assert_eq!(files(folder.path()), BTreeSet::new());
}

#[tokio::test]
async fn help_says_which_choice_fits_which_need() {
    let folder = tempfile::tempdir().unwrap();
    let help = run(command(folder.path()), &["new", "--help"], "").await;
    assert_eq!(help.code, 0);
    for name in ["axum", "actix", "rocket", "warp", "tonic", "sqlx", "diesel", "sea-orm", "tokio-postgres"] {
        let is_explained = help.stdout.lines().any(|line| line.trim_start().starts_with(&format!("{name}  ")));
        assert!(is_explained, "{name}: {}", help.stdout);
    }
}
