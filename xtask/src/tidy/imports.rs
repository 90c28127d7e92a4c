//! Which way imports run: `api → infra → infra-{sqlite,postgres} → domain`, `testkit → domain`,
//! `api → proto`.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, ensure};
use serde_json::Value;

use super::Violation;

/// What the domain names nowhere outside its tests.
pub(super) const DOMAIN_NEVER: &[&str] = &["tokio", "sqlx", "axum", "tonic", "reqwest", "serde_json"];

/// The folder of sources that both store crates compile. It is no crate: what it may use is what both of them may.
pub(super) const SHARED: &str = "crates/store-shared";

/// What those sources name nowhere: a driver, or one database's unit of work.
pub(super) const SHARED_NEVER: &[&str] = &["sqlx", "rusqlite", "SqliteTx", "PostgresTx"];

/// Each crate, and the crates of this workspace that it may import.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("denizen-domain", &[]),
    ("denizen-infra-sqlite", &["denizen-domain"]),
    ("denizen-infra-postgres", &["denizen-domain"]),
    ("denizen-infra", &["denizen-infra-sqlite", "denizen-infra-postgres", "denizen-domain"]),
    ("denizen-testkit", &["denizen-domain"]),
    ("denizen-proto", &[]),
    // Published on its own: applications that verify tokens get nothing of the server.
    ("denizen-client", &[]),
    ("denizen-notes-axum-sqlx", &["denizen-client"]),
    // Exports of other systems are read without the rules of this one.
    ("denizen-import-sources", &[]),
    ("denizen", &["denizen-infra", "denizen-domain", "denizen-proto", "denizen-import-sources"]),
    ("denizen-embedding-example", &["denizen"]),
    // For tests of applications: the server, and the fake clock.
    ("denizen-test-server", &["denizen", "denizen-domain", "denizen-testkit"]),
    (
        "xtask",
        &[
            "denizen",
            "denizen-proto",
            "denizen-infra",
            "denizen-infra-sqlite",
            "denizen-infra-postgres",
            "denizen-domain",
        ],
    ),
];

/// What a crate may import for its tests besides.
const TESTS_MAY_IMPORT: &[&str] = &["denizen-testkit", "denizen-domain", "denizen-client", "denizen-notes-axum-sqlx"];

/// Crates from outside that are kept to a few rooms: rows live in `infra-*`, transports in `api`.
const KEPT_TO: &[(&str, &[&str])] = &[
    (
        "sqlx",
        &["denizen-infra-sqlite", "denizen-infra-postgres", "denizen-testkit", "denizen-notes-axum-sqlx", "xtask"],
    ),
    ("rusqlite", &["denizen-infra-sqlite"]),
    ("axum", &["denizen", "denizen-embedding-example", "denizen-notes-axum-sqlx", "denizen-test-server", "xtask"]),
    ("tonic", &["denizen", "denizen-proto", "denizen-client", "xtask"]),
];

/// One line of a manifest: who imports what.
struct Import<'a> {
    from: &'a str,
    to: &'a str,
    is_for_tests: bool,
}

/// The violations in the manifests of the workspace.
pub(super) fn check(root: &Path) -> anyhow::Result<Vec<Violation>> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let arguments = ["metadata", "--no-deps", "--offline", "--format-version", "1"];
    let output = Command::new(cargo).args(arguments).current_dir(root).output().context("running cargo metadata")?;
    ensure!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).context("reading cargo metadata")?;

    let packages: Vec<&Value> = metadata["packages"].as_array().into_iter().flatten().collect();
    let members: Vec<&str> = packages.iter().filter_map(|package| package["name"].as_str()).collect();
    let mut found = Vec::new();
    for package in &packages {
        let name = package["name"].as_str().unwrap_or_default();
        let path = package["manifest_path"].as_str().context("a package without a manifest")?;
        let text = fs::read_to_string(path).with_context(|| format!("reading {path}"))?;
        let shown = Path::new(path).strip_prefix(root).map_or(path.into(), Path::to_string_lossy).into_owned();
        let mut say = |line: usize, message: String| found.push(Violation::new(&shown, line, message));

        if !inherits_lints(&text) {
            say(1, "lacks `[lints] workspace = true`".to_owned());
        }
        if !MAY_IMPORT.iter().any(|(member, _)| *member == name) {
            say(1, format!("{name} has no row in the table of imports (xtask/src/tidy/imports.rs)"));
        }
        for dependency in package["dependencies"].as_array().into_iter().flatten() {
            let to = dependency["name"].as_str().unwrap_or_default();
            let import = Import { from: name, to, is_for_tests: dependency["kind"].as_str() == Some("dev") };
            if let Some(message) = judge(&import, &members) {
                say(line_of(&text, to), message);
            }
        }
    }
    Ok(found)
}

/// What is wrong with an import.
fn judge(import: &Import<'_>, members: &[&str]) -> Option<String> {
    let &Import { from, to, is_for_tests } = import;
    if is_for_tests {
        let is_fine = !members.contains(&to) || TESTS_MAY_IMPORT.contains(&to) || may_import(from, to);
        return (!is_fine).then(|| {
            format!(
                "the tests of {from} import {to}; tests may import testkit, domain, client and the examples besides"
            )
        });
    }
    if members.contains(&to) && !may_import(from, to) {
        return Some(format!("{from} imports {to}: imports run api → infra → infra-{{sqlite,postgres}} → domain"));
    }
    if from == "denizen-domain" && DOMAIN_NEVER.contains(&to) {
        return Some(format!("the domain depends on {to}: it knows no runtime, database, transport or JSON"));
    }
    let rooms = KEPT_TO.iter().find(|(kept, _)| *kept == to).map(|(_, rooms)| rooms)?;
    (!rooms.contains(&from)).then(|| format!("{from} depends on {to}, which is kept to {}", rooms.join(", ")))
}

fn may_import(from: &str, to: &str) -> bool {
    MAY_IMPORT.iter().any(|(member, imports)| *member == from && imports.contains(&to))
}

fn inherits_lints(manifest: &str) -> bool {
    let mut lines = manifest.lines().map(str::trim).skip_while(|line| *line != "[lints]").skip(1);
    lines.find(|line| !line.is_empty() && !line.starts_with('#')) == Some("workspace = true")
}

/// The line that names the dependency.
fn line_of(manifest: &str, name: &str) -> usize {
    let names = |line: &str| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['.', ' ', '=']));
    manifest.lines().position(names).map_or(1, |at| at + 1)
}

#[cfg(test)]
mod tests {
    use super::{Import, inherits_lints, judge, line_of};

    fn refuses(from: &str, to: &str, is_for_tests: bool) -> bool {
        let members = [
            "denizen-domain",
            "denizen-infra",
            "denizen-infra-sqlite",
            "denizen-testkit",
            "denizen",
            "denizen-client",
            "xtask",
        ];
        judge(&Import { from, to, is_for_tests }, &members).is_some()
    }

    #[test]
    fn imports_run_one_way() {
        assert!(!refuses("denizen", "denizen-infra", false));
        assert!(!refuses("denizen-infra", "denizen-infra-sqlite", false));
        assert!(refuses("denizen-infra-sqlite", "denizen-infra", false));
        assert!(refuses("denizen", "denizen-infra-sqlite", false));
        assert!(refuses("denizen-domain", "denizen-testkit", false));
        assert!(refuses("denizen-testkit", "denizen", false));
        assert!(!refuses("xtask", "denizen", false));
    }

    #[test]
    fn tests_import_the_testkit_and_nobody_the_server() {
        assert!(!refuses("denizen-infra", "denizen-testkit", true));
        assert!(refuses("denizen-testkit", "denizen", true));
        assert!(!refuses("denizen-domain", "serde_json", true));
    }

    #[test]
    fn the_client_and_the_server_meet_in_tests_only() {
        assert!(!refuses("denizen", "denizen-client", true));
        assert!(refuses("denizen", "denizen-client", false));
        assert!(refuses("denizen-client", "denizen-domain", false));
    }

    #[test]
    fn crates_from_outside_keep_to_their_rooms() {
        assert!(refuses("denizen-domain", "tokio", false));
        assert!(refuses("denizen-domain", "serde_json", false));
        assert!(refuses("denizen", "sqlx", false));
        assert!(!refuses("denizen", "tokio", false));
    }

    #[test]
    fn manifests_are_read() {
        assert!(inherits_lints("[package]\n\n[lints]\nworkspace = true\n"));
        assert!(!inherits_lints("[package]\nworkspace = true\n"));
        assert_eq!(line_of("a = 1\nsqlx-core = 1\nsqlx = 1\n", "sqlx"), 3);
    }
}
