//! What no source may contain.

use super::Violation;
use super::imports::{DOMAIN_NEVER, SHARED, SHARED_NEVER};
use super::source::{Source, has_word};

/// The longest source file, in lines. Long tests move beside.
const LINES_MAX: usize = 400;

/// What may stand in no source, and what to do about it.
const NOWHERE: &[(&str, &str)] = &[
    ("todo!", "finish it, or leave it out"),
    ("unimplemented!", "finish it, or leave it out"),
    ("dbg!", "remove it, or trace"),
    ("#[ignore", "a test runs or goes"),
];

/// The violations in one source.
pub(super) fn check(source: &Source) -> Vec<Violation> {
    let mut found = Vec::new();
    for (line, code, is_test) in source.numbered() {
        let mut say = |message: String| found.push(Violation::new(&source.path, line, message));
        for (pattern, remedy) in NOWHERE {
            if has(code, pattern) {
                say(format!("`{pattern}`: {remedy}"));
            }
        }
        // In tests a macro may need it: what it expands to is not always at fault.
        let is_excused = is_test && code.contains("reason =");
        if (code.contains("#[allow(") || code.contains("#![allow(")) && !is_excused {
            say("`allow`: use `expect` with a reason".to_owned());
        }
        if has_word(code, "unsafe") {
            say("`unsafe` is forbidden here".to_owned());
        }
        if is_test {
            continue;
        }
        if code.contains(".unwrap()") {
            say("`.unwrap()` outside a test: return the error, or `expect` with the reason it cannot happen".to_owned());
        }
        if source.crate_folder() == "crates/domain" {
            for name in DOMAIN_NEVER.iter().filter(|name| has_word(code, name)) {
                say(format!("the domain names `{name}`: it knows no runtime, database, transport or JSON"));
            }
        }
        // Migrations are those of sqlx on both databases.
        if source.crate_folder() == SHARED && !code.contains("sqlx::migrate") {
            for name in SHARED_NEVER.iter().filter(|name| has_word(code, name)) {
                say(format!("a shared source names `{name}`: use `crate::tx::Tx` and the macros of `crate::sql`"));
            }
        }
    }
    if !source.is_test && !source.is_generated && source.lines.len() > LINES_MAX {
        let message = format!("{} lines; at most {LINES_MAX}: split it by role", source.lines.len());
        found.push(Violation::new(&source.path, LINES_MAX + 1, message));
    }
    found
}

/// Whether the pattern stands in the line, its first letter not the tail of a longer word.
fn has(code: &str, pattern: &str) -> bool {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(pattern).any(|(at, _)| !code[..at].chars().next_back().is_some_and(is_word))
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::tidy::source::Source;

    fn lines(path: &str, text: &str) -> Vec<usize> {
        check(&Source::new(path, text)).iter().map(|violation| violation.line).collect()
    }

    #[test]
    fn what_is_forbidden_is_found_in_its_line() {
        let text = "fn f() {\n todo!()\n}\n#[ignore]\n#[allow(x)]\nunsafe {}\ndbg!(1)\nx.unwrap()\n";
        assert_eq!(lines("crates/api/src/a.rs", text), [2, 4, 5, 6, 7, 8]);
    }

    #[test]
    fn words_in_texts_comments_and_longer_words_are_not() {
        let text = "// todo!()\nlet a = \"unsafe\"; unsafe_code(); my_dbg!(1);\n";
        assert!(lines("crates/api/src/a.rs", text).is_empty());
    }

    #[test]
    fn tests_may_unwrap_and_the_domain_is_pure_outside_of_them() {
        let text = "use tokio::x;\n#[cfg(test)]\nmod tests {\n use serde_json::x;\n x.unwrap();\n}\n";
        assert_eq!(lines("crates/domain/src/a.rs", text), [1]);
        assert!(lines("crates/infra/src/a.rs", text).is_empty());
    }

    #[test]
    fn shared_sources_name_no_driver() {
        let text = "use crate::tx::Tx;\nuse sqlx::query;\n// rusqlite\nimpl X for SqliteTx {}\n";
        assert_eq!(lines("crates/store-shared/src/a.rs", text), [2, 4]);
        assert!(lines("crates/infra-sqlite/src/a.rs", text).is_empty());
    }

    #[test]
    fn long_files_are_told() {
        assert_eq!(lines("crates/api/src/a.rs", &"\n".repeat(401)), [401]);
        assert!(lines("crates/api/src/a.rs", &"\n".repeat(400)).is_empty());
        assert!(lines("crates/api/tests/it/a.rs", &"\n".repeat(900)).is_empty());
    }
}
