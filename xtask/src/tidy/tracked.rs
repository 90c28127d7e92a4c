//! What no file of the project may name, and which files come in pairs.

use std::collections::BTreeSet;

use super::Violation;
use super::imports::SHARED;

/// Hosts of package registries and places on one person's machine. The project is to be built from any
/// mirror and in any folder. In pieces, or the table would find itself.
const NEVER_NAMED: &[(&str, &str)] = &[
    (concat!("crates", ".io"), "the host of a registry"),
    (concat!("pypi", ".org"), "the host of a registry"),
    (concat!("registry.", "npmjs"), "the host of a registry"),
    (concat!("deb.", "debian.org"), "the host of a registry"),
    (concat!("docker", ".io"), "the host of a registry"),
    (concat!("gcr", ".io"), "the host of a registry"),
    (concat!("quay", ".io"), "the host of a registry"),
    (concat!("/ho", "me/"), "a place on one machine"),
    (concat!("/ro", "ot/"), "a place on one machine"),
    (concat!("/wo", "rk/"), "a place on one machine"),
    (concat!("/Use", "rs/"), "a place on one machine"),
];

/// Files that a tool writes, and that must name registries.
const WRITTEN_BY_TOOLS: &[&str] = &["Cargo.lock", "crates/api/tests/passkey-client/Cargo.lock"];

/// The folders that hold the same names, file for file.
const TWINS: (&str, &str) = ("crates/infra-sqlite/migrations/", "crates/infra-postgres/migrations/");

/// The violations in one file of any kind.
pub(super) fn check(path: &str, text: &str) -> Vec<Violation> {
    let mut found = Vec::new();
    if WRITTEN_BY_TOOLS.contains(&path) {
        return found;
    }
    for (at, line) in text.lines().enumerate() {
        for (name, what) in NEVER_NAMED.iter().filter(|(name, _)| is_named(line, name)) {
            found.push(Violation::new(path, at + 1, format!("names {what}: {name}")));
        }
    }
    found
}

/// The migrations that one database has and the other lacks.
pub(super) fn check_twins(paths: &[String]) -> Vec<Violation> {
    let names = |folder: &str| -> BTreeSet<String> {
        paths.iter().filter_map(|path| path.strip_prefix(folder)).map(ToOwned::to_owned).collect()
    };
    let (left, right) = (names(TWINS.0), names(TWINS.1));
    let lacking = |have: &BTreeSet<String>, others: &BTreeSet<String>, folder: &str| -> Vec<Violation> {
        let missing = others.difference(have);
        missing
            .map(|name| {
                Violation::new(&format!("{folder}{name}"), 1, "is there for the other database only".to_owned())
            })
            .collect()
    };
    [lacking(&left, &right, TWINS.0), lacking(&right, &left, TWINS.1)].concat()
}

/// The shared sources that no store compiles: those that `mod.rs` does not declare.
pub(super) fn check_shared(paths: &[String], module: &str) -> Vec<Violation> {
    let is_declared = |name: &str| module.lines().any(|line| line.ends_with(&format!("mod {name};")));
    let sources = paths.iter().filter_map(|path| {
        let name = path.strip_prefix(SHARED)?.strip_prefix("/src/")?.strip_suffix(".rs")?;
        Some((path, name))
    });
    sources
        .filter(|(_, name)| *name != "mod" && !is_declared(name))
        .map(|(path, _)| Violation::new(path, 1, "is not declared in the mod.rs beside it".to_owned()))
        .collect()
}

/// Whether the line names it, rather than a longer path or host that contains it.
fn is_named(line: &str, name: &str) -> bool {
    line.match_indices(name).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        // `example.com/work/` is somebody's URL, `network/work/` a relative path.
        !name.starts_with('/')
            || !before.is_some_and(|c| c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '}' | '*'))
    })
}

#[cfg(test)]
mod tests {
    use super::{check, check_shared, check_twins};

    #[test]
    fn registries_and_machines_are_not_named() {
        let line = |parts: &[&str]| check("README.md", &parts.concat()).len();
        assert_eq!(line(&["see https://crates", ".io/x"]), 1);
        assert_eq!(line(&["cd /wo", "rk/main"]), 1);
        assert_eq!(line(&["https://example.com/wo", "rk/main"]), 0);
        assert_eq!(check("Cargo.lock", concat!("crates", ".io")).len(), 0);
    }

    #[test]
    fn shared_sources_are_compiled() {
        let paths = ["crates/store-shared/src/mod.rs", "crates/store-shared/src/a.rs", "crates/store-shared/src/b.rs"];
        let found = check_shared(&paths.map(ToOwned::to_owned), "mod a;\n");
        assert_eq!(found.iter().map(|violation| violation.path.as_str()).collect::<Vec<_>>(), [paths[2]]);
    }

    #[test]
    fn migrations_come_in_pairs() {
        let paths = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let pair = ["crates/infra-sqlite/migrations/0001_a.sql", "crates/infra-postgres/migrations/0001_a.sql"];
        assert!(check_twins(&paths(&pair)).is_empty());
        let found = check_twins(&paths(&pair[..1]));
        assert_eq!(found[0].path, "crates/infra-postgres/migrations/0001_a.sql");
    }
}
