//! The files that the code decides, committed so that a change to them is seen.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, ensure};

use crate::{client, contract, sqlx_data};

/// The files that `crates/api/examples/derived.rs` prints, each with the name it goes by there.
const DERIVED: &[(&str, &str)] = &[
    ("openapi", "openapi.json"),
    ("config", "config/default.toml"),
    ("env", ".env.example"),
    ("events", "docs/event-catalogue.md"),
    ("schemas", "schemas/events.json"),
    ("apply", "schemas/denizen.json"),
    ("metrics", "docs/metrics.md"),
];

/// Writes every derived file anew. The query data comes before the rest: without it the server does not compile.
pub(crate) fn generate(root: &Path) -> anyhow::Result<()> {
    contract::generate(root)?;
    sqlx_data::generate()?;
    println!("crates/infra-{{sqlite,postgres}}/.sqlx: written");
    for (name, path) in DERIVED {
        let fresh = derive(root, name)?;
        let file = root.join(path);
        if let Some(folder) = file.parent() {
            fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
        }
        fs::write(&file, fresh).with_context(|| format!("writing {path}"))?;
        println!("{path}: written");
    }
    client::generate(root)
}

/// Fails when a derived file is not what [`generate`] would write; changes nothing.
pub(crate) fn check(root: &Path) -> anyhow::Result<()> {
    let mut stale = Vec::new();
    for (name, path) in DERIVED {
        let fresh = derive(root, name)?;
        // A file that is not there is as out of date as one that differs.
        let committed = fs::read(root.join(path)).unwrap_or_default();
        match first_difference(&committed, &fresh) {
            Some(line) => stale.push(format!("{path}:{line}: differs from what the code says")),
            None => println!("{path}: up to date"),
        }
    }
    ensure!(stale.is_empty(), "run `make generate` and look at what changed:\n{}", stale.join("\n"));
    client::check(root)?;
    contract::check(root)?;
    sqlx_data::check()?;
    println!("crates/infra-{{sqlite,postgres}}/.sqlx: up to date");
    Ok(())
}

fn derive(root: &Path, name: &str) -> anyhow::Result<Vec<u8>> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let arguments = ["run", "--quiet", "--locked", "--package", "denizen", "--example", "derived", "--", name];
    let output = Command::new(cargo)
        .args(arguments)
        .current_dir(root)
        .stderr(std::process::Stdio::inherit())
        .output()
        .context("running cargo")?;
    ensure!(output.status.success(), "the example `derived` of the server could not print {name}");
    ensure!(!output.stdout.is_empty(), "the example `derived` of the server printed nothing for {name}");
    Ok(output.stdout)
}

/// The line at which two files begin to differ.
fn first_difference(committed: &[u8], fresh: &[u8]) -> Option<usize> {
    if committed == fresh {
        return None;
    }
    let lines = |bytes: &[u8]| bytes.split(|&byte| byte == b'\n').map(<[u8]>::to_vec).collect::<Vec<_>>();
    let (committed, fresh) = (lines(committed), lines(fresh));
    let same = committed.iter().zip(&fresh).take_while(|(a, b)| a == b).count();
    Some(same + 1)
}

#[cfg(test)]
mod tests {
    use super::first_difference;

    #[test]
    fn the_first_line_that_differs_is_told() {
        assert_eq!(first_difference(b"a\nb\n", b"a\nb\n"), None);
        assert_eq!(first_difference(b"a\nb\n", b"a\nc\n"), Some(2));
        assert_eq!(first_difference(b"", b"a\n"), Some(1));
    }
}
