//! The documents that are made from the table: `config/default.toml` and `.env.example`.

use std::fmt::Write;

use super::env_name;
use super::table::{Key, keys};

/// `config/default.toml`: every key, described, with its default commented out.
#[must_use]
pub fn default_toml() -> String {
    let head = "Every configuration key of Denizen, with its default.\n\
        Made from the code by `cargo xtask generate`; change crates/api/src/config/table.rs instead.\n\
        \n\
        A later layer wins: these defaults, config/default.toml, config/{APP_ENV}.toml, .env, the environment\n\
        (DENIZEN__SECTION__KEY), flags. APP_ENV is prod unless set; only dev lets weak secrets pass.\n\
        `denizen config show` prints every value with its source, `denizen config check` every mistake.\n";
    let heading = |name: &str, doc: &str| format!("{}[{name}]\n", comment(doc));
    let line = |key: &Key, field: &str| format!("# {field} = {}\n", key.default_toml);
    document(head, heading, line)
}

/// `.env.example`: every key as an environment variable, described, with its default commented out.
#[must_use]
pub fn env_example() -> String {
    let head = "Copy this file to .env and uncomment what you change. The server reads .env itself.\n\
        Made from the code by `cargo xtask generate`; change crates/api/src/config/table.rs instead.\n\
        Put a value in single quotes when it holds white space, # or $. Lists are separated by commas.\n\
        \n\
        Which overlay config/{APP_ENV}.toml is read. prod is strict; only dev lets weak secrets pass.\n\
        APP_ENV=prod\n";
    let heading = |name: &str, doc: &str| format!("# --- {name}: {}\n", doc.trim());
    let line = |key: &Key, _: &str| format!("# {}={}\n", env_name(key.name), key.default);
    document(head, heading, line)
}

fn document(head: &str, heading: impl Fn(&str, &str) -> String, line: impl Fn(&Key, &str) -> String) -> String {
    let mut text = comment(head);
    let mut section = "";
    for key in keys() {
        let (name, doc) = key.section;
        if name != section {
            section = name;
            text.push('\n');
            text.push_str(&heading(name, doc));
        }
        let field = key.name.split_once('.').map_or(key.name, |(_, field)| field);
        // Writing to a string cannot fail.
        let _ = write!(text, "\n{}# Expected: {}.\n{}", comment(key.doc), key.expected, line(&key, field));
    }
    text
}

/// Every line as a comment.
fn comment(text: &str) -> String {
    let line = |line: &str| match line.trim() {
        "" => "#\n".to_owned(),
        line => format!("# {line}\n"),
    };
    text.lines().map(line).collect()
}
