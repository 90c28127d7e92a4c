//! The files of a service, from the folders of `scaffold/` that the choice needs.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use include_dir::{Dir, include_dir};
use minijinja::{AutoEscape, Environment, UndefinedBehavior, context};

use super::choice::{Backend, Choice, Framework, Library};

/// A file is copied as it is; one that ends in `.j2` is rendered.
static SCAFFOLD: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/scaffold");
const RENDERED: &str = "j2";
const NAME_BYTES_MAX: usize = 50;
/// The crates of the service, and folders that `cargo build` creates beside the binary.
const RESERVED: [&str; 8] = ["api", "build", "deps", "domain", "examples", "incremental", "infra", "testkit"];

/// Names that Cargo refuses for packages: the keywords of Rust, and crates of its distribution.
const REFUSED_BY_CARGO: [&str; 55] = [
    "abstract", "alloc", "as", "async", "await", "become", "box", "break", "const", "continue", "core", "crate", "do",
    "dyn", "else", "enum", "extern", "false", "final", "fn", "for", "gen", "if", "impl", "in", "let", "loop", "macro",
    "match", "mod", "move", "mut", "override", "priv", "pub", "ref", "return", "self", "static", "std", "struct",
    "super", "test", "trait", "true", "try", "type", "typeof", "unsafe", "unsized", "use", "virtual", "where", "while",
    "yield",
];

/// A service to be written.
#[derive(Debug, Clone)]
pub(crate) struct Service<'a> {
    /// The name of the folder and of the binary.
    pub(crate) name: &'a str,
    pub(crate) choice: Choice,
    /// The path of a clone of this repository as seen from the service; without it, the version is named.
    pub(crate) denizen_path: Option<&'a str>,
}

impl Service<'_> {
    /// The files by their paths, relative to the service.
    ///
    /// # Errors
    /// If a template is defective.
    pub(crate) fn files(&self) -> anyhow::Result<BTreeMap<PathBuf, String>> {
        let mut files = BTreeMap::new();
        for layer in self.layers() {
            // Not every pair of a library and a database has files of its own.
            if let Some(folder) = SCAFFOLD.get_dir(&layer) {
                self.add(folder, Path::new(&layer), &mut files)?;
            }
        }
        Ok(files)
    }

    /// The folders. A path exists in one of them only.
    fn layers(&self) -> Vec<String> {
        let Choice { framework, library, backend } = self.choice;
        let mut layers = vec!["common".to_owned()];
        if framework != Framework::Tonic {
            layers.push("rest".to_owned());
        }
        let own = [framework.name(), library.name(), backend.name()].map(ToOwned::to_owned);
        layers.extend(own);
        layers.push(format!("{}-{}", library.name(), backend.name()));
        // Diesel's connections to PostgreSQL are those of tokio-postgres.
        if backend == Backend::Postgres && matches!(library, Library::Diesel | Library::TokioPostgres) {
            layers.push("postgres-driver".to_owned());
        }
        layers
    }

    fn add(&self, folder: &Dir<'_>, layer: &Path, files: &mut BTreeMap<PathBuf, String>) -> anyhow::Result<()> {
        for file in folder.files() {
            let source = file.path();
            let text = file.contents_utf8().with_context(|| format!("{} is not text", source.display()))?;
            let mut path = source.strip_prefix(layer)?.to_owned();
            let text = if path.extension().is_some_and(|extension| extension == RENDERED) {
                path.set_extension("");
                self.render(text).with_context(|| format!("rendering {}", source.display()))?
            } else {
                text.to_owned()
            };
            if files.insert(path, text).is_some() {
                bail!("{} exists in another folder", source.display());
            }
        }
        folder.dirs().try_for_each(|folder| self.add(folder, layer, files))
    }

    fn render(&self, template: &str) -> anyhow::Result<String> {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_auto_escape_callback(|_| AutoEscape::None);
        environment.set_keep_trailing_newline(true);
        environment.set_trim_blocks(true);
        environment.set_lstrip_blocks(true);
        let Choice { framework, library, backend } = self.choice;
        let values = context! {
            name => self.name,
            framework => framework.name(),
            framework_title => framework.title(),
            database => library.name(),
            database_title => library.title(),
            backend => backend.name(),
            backend_title => backend.title(),
            is_grpc => framework == Framework::Tonic,
            is_postgres => backend == Backend::Postgres,
            denizen_path => self.denizen_path,
            denizen_version => env!("CARGO_PKG_VERSION"),
        };
        Ok(environment.render_str(template, values)?)
    }
}

/// Checks the name of a service: it names a folder, a binary, a database and a container.
///
/// # Errors
/// What a name looks like.
pub(crate) fn check_name(name: &str) -> anyhow::Result<()> {
    let is_valid = (1..=NAME_BYTES_MAX).contains(&name.len())
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        && !name.ends_with('-')
        && !name.contains("--");
    ensure!(
        is_valid,
        "the name must have 1 to 50 lowercase letters, digits and single hyphens, and start with a letter"
    );
    let is_reserved = RESERVED.contains(&name) || REFUSED_BY_CARGO.contains(&name);
    ensure!(!is_reserved, "the name {name:?} is reserved; choose another one");
    Ok(())
}
