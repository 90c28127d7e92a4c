//! The rules of the house that a linter cannot know, each told with its file and line.
//!
//! `imports` (which way they run) · `code` (what no source may contain) · `tracked` (what no file may
//! name). A test holds them, so `cargo test` does.

mod code;
mod imports;
mod source;
mod tracked;

use std::fmt;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, bail, ensure};

use source::Source;

/// A rule broken in a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Violation {
    path: String,
    line: usize,
    message: String,
}

impl Violation {
    fn new(path: &str, line: usize, message: String) -> Self {
        Self { path: path.to_owned(), line, message }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.message)
    }
}

/// Checks the rules and prints what breaks them.
pub(crate) fn run(root: &Path) -> anyhow::Result<()> {
    let violations = check(root)?;
    for violation in &violations {
        println!("{violation}");
    }
    if !violations.is_empty() {
        bail!("{} violations of the rules of the house", violations.len());
    }
    println!("The house is tidy.");
    Ok(())
}

/// Everything that breaks a rule.
fn check(root: &Path) -> anyhow::Result<Vec<Violation>> {
    let paths = tracked_files(root)?;
    ensure!(!paths.is_empty(), "no files found under {}", root.display());
    let mut found = imports::check(root)?;
    found.extend(tracked::check_twins(&paths));
    let shared = root.join(imports::SHARED).join("src/mod.rs");
    let shared = fs::read_to_string(&shared).with_context(|| format!("reading {}", shared.display()))?;
    found.extend(tracked::check_shared(&paths, &shared));
    let mut sources = Vec::new();
    for path in &paths {
        // What is not text has no lines to break a rule in.
        let Ok(text) = fs::read_to_string(root.join(path)) else { continue };
        found.extend(tracked::check(path, &text));
        if Path::new(path).extension().is_some_and(|extension| extension == "rs") {
            sources.push(Source::new(path, &text));
        }
    }
    mark_test_modules(&mut sources);
    found.extend(sources.iter().flat_map(code::check));
    found.sort_by(|a, b| (&a.path, a.line).cmp(&(&b.path, b.line)));
    Ok(found)
}

/// A module that another file declares under `#[cfg(test)]` is a test as a whole.
fn mark_test_modules(sources: &mut [Source]) {
    let modules: Vec<String> = sources.iter().flat_map(|source| source.test_modules.clone()).collect();
    for source in sources {
        let is_within =
            |module: &String| source.path == *module || (module.ends_with('/') && source.path.starts_with(module));
        source.is_test = source.is_test || modules.iter().any(is_within);
    }
}

/// What git knows or would add, or every file where there is no git (in a container's build, for one).
fn tracked_files(root: &Path) -> anyhow::Result<Vec<String>> {
    if !root.join(".git").exists() {
        let mut paths = Vec::new();
        walk(root, root, &mut paths)?;
        return Ok(paths);
    }
    let arguments = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
    let output = Command::new("git").args(arguments).current_dir(root).output().context("running git ls-files")?;
    ensure!(output.status.success(), "git ls-files: {}", String::from_utf8_lossy(&output.stderr));
    let listed = String::from_utf8(output.stdout).context("a file name that is not UTF-8")?;
    // A file can be deleted and still be tracked.
    let exists = |path: &&str| !path.is_empty() && root.join(path).is_file();
    let mut paths: Vec<String> = listed.split('\0').filter(exists).map(ToOwned::to_owned).collect();
    paths.sort();
    paths.dedup();
    Ok(paths)
}

fn walk(root: &Path, folder: &Path, paths: &mut Vec<String>) -> anyhow::Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))? {
        let entry = entry?;
        let path = entry.path();
        if entry.file_type()?.is_dir() {
            if entry.file_name() != "target" && entry.file_name() != "data" {
                walk(root, &path, paths)?;
            }
        } else if let Some(path) = path.strip_prefix(root).ok().and_then(Path::to_str) {
            paths.push(path.to_owned());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::root;

    #[test]
    fn the_house_is_tidy() {
        let violations: Vec<String> = check(&root()).unwrap().iter().map(ToString::to_string).collect();
        assert!(violations.is_empty(), "\n{}", violations.join("\n"));
    }
}
