//! The layers of configuration and their values, in order.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read};
use std::path::Path;

use config::{File, FileFormat, Map, Source as _, Value, ValueKind};

use super::declare::sections;
use super::mistake::Mistake;
use super::providers::{self, ProviderConfig, ProviderLayers};
use super::raw::Raw;
use super::rule::Rule;
use super::table::NAMES;
use super::{AppEnv, ENV_PREFIX, Entry, Overrides, Source, Sources, UnknownAppEnv, env_name};

/// The largest configuration file, in bytes.
const FILE_BYTES_MAX: u64 = 1024 * 1024;
/// The environments that need no overlay.
const ENVS_BUILT_IN: &[&str] = &["prod", "dev"];

/// All values of all layers, and the result of reading them.
pub(super) struct Layers {
    /// The values of each key, in order of increasing precedence.
    values: BTreeMap<&'static str, Vec<(Raw, Source)>>,
    /// The values of the outside providers.
    providers: ProviderLayers,
    /// The environment.
    pub(super) app_env: AppEnv,
    /// The errors.
    pub(super) mistakes: Vec<Mistake>,
    /// Variables of `.env` that are ignored and look like a key.
    pub(super) ignored: Vec<Mistake>,
    /// The keys read so far.
    pub(super) entries: Vec<Entry>,
}

impl Layers {
    /// Reads all layers. Records errors instead of returning the first, so that one start reports all of them.
    pub(super) fn gather(sources: &Sources, unknown: UnknownAppEnv, flags: &Overrides) -> Self {
        let app_env = AppEnv { name: "prod".to_owned(), source: Source::BuiltIn };
        let mut layers = Self {
            values: BTreeMap::new(),
            providers: ProviderLayers::default(),
            app_env,
            mistakes: Vec::new(),
            ignored: Vec::new(),
            entries: Vec::new(),
        };
        let dot_env_name =
            sources.env_file.as_ref().map_or_else(|| ".env".to_owned(), |path| path.display().to_string());
        let dot_env_source = Source::DotEnv(dot_env_name.clone());
        let dot_env = layers.read_dot_env(sources, &dot_env_name);
        layers.choose_app_env(sources, unknown, (&dot_env, &dot_env_source));
        layers.add_files(sources, unknown);
        for (name, value) in dot_env {
            // A section after a single underscore is a slip here; in the environment Kubernetes sets DENIZEN_PORT and the
            // like. Other names are for other programs, such as those that compose.yaml refers to.
            if name.starts_with(ENV_PREFIX) || names_section(&name) {
                layers.add_variable(&name, value, dot_env_source.clone());
            } else if name.starts_with("DENIZEN_") {
                layers.ignored.extend(Mistake::ignored_variable(&name, &dot_env_source));
            }
        }
        for (name, value) in sources.env.iter().filter(|(name, _)| name.starts_with(ENV_PREFIX)) {
            layers.add_variable(name, value.clone(), Source::Environment(name.clone()));
        }
        for (key, value, flag) in &flags.0 {
            layers.add(key, Raw::Untyped(value.clone()), Source::Flag(flag.clone()));
        }
        layers
    }

    /// The value of a key from the layer with the highest precedence. `None`, with an error recorded, if any layer is
    /// invalid.
    pub(super) fn read<T: 'static>(&mut self, key: &'static str, default: &str, rule: &Rule<T>) -> Option<T> {
        let mut best = None;
        let built_in = (Raw::Untyped(default.to_owned()), Source::BuiltIn);
        // Also the layers that are overruled: a mistake in a file must not wait for a variable to go away.
        for (raw, source) in std::iter::once(built_in).chain(self.values.remove(key).unwrap_or_default()) {
            if let Some(value) = rule.read(&raw) {
                best = Some((value, raw, source));
            } else {
                let found = rule.may_quote().then_some(&raw);
                let expected = format!("{}{}", rule.expected, rule.form_hint(&raw));
                self.mistakes.push(Mistake::malformed(key, &source, found, &expected));
            }
        }
        let (value, raw, source) = best?;
        self.entries.push(Entry { key: key.into(), shown_value: rule.shown(&raw), source });
        Some(value)
    }

    /// The outside providers; errors are recorded.
    pub(super) fn read_providers(&mut self) -> Vec<ProviderConfig> {
        let providers = std::mem::take(&mut self.providers);
        providers.read(&mut self.entries, &mut self.mistakes)
    }

    /// The source of the value of a key that was read.
    pub(super) fn source_of(&self, key: &str) -> Source {
        let entry = self.entries.iter().find(|entry| entry.key == key);
        entry.map_or(Source::BuiltIn, |entry| entry.source.clone())
    }

    fn add(&mut self, key: &str, raw: Raw, source: Source) {
        if let Some(rest) = key.strip_prefix(providers::SECTION).and_then(|rest| rest.strip_prefix('.')) {
            self.providers.add_key(rest, raw, source);
        } else if let Some(name) = NAMES.iter().find(|name| **name == key) {
            self.values.entry(name).or_default().push((raw, source));
        } else {
            self.mistakes.push(Mistake::unknown(key, &source));
        }
    }

    fn add_variable(&mut self, name: &str, value: String, source: Source) {
        if let Some(rest) = name.strip_prefix(providers::ENV_PREFIX) {
            self.providers.add_variable(rest, Raw::Untyped(value), source);
        } else if let Some(key) = NAMES.iter().find(|key| env_name(key) == name) {
            self.values.entry(key).or_default().push((Raw::Untyped(value), source));
        } else {
            self.mistakes.push(Mistake::unknown_variable(name, &source));
        }
    }

    fn choose_app_env(
        &mut self,
        sources: &Sources,
        unknown: UnknownAppEnv,
        (dot_env, dot_env_source): (&[(String, String)], &Source),
    ) {
        let from_env = sources.env.get("APP_ENV").map(|name| (name, Source::Environment("APP_ENV".to_owned())));
        let from_file =
            || dot_env.iter().rev().find(|(name, _)| name == "APP_ENV").map(|(_, name)| (name, dot_env_source.clone()));
        let said = from_env.filter(|(name, _)| !name.is_empty()).or_else(from_file);
        let Some((name, source)) = said.filter(|(name, _)| !name.is_empty()) else { return };
        let is_letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'_';
        if name.len() <= 32 && name.bytes().all(is_letter) && name != "default" {
            self.app_env = AppEnv { name: name.clone(), source };
        } else if unknown == UnknownAppEnv::Accept {
            self.app_env.source = source;
        } else {
            let found = Raw::Untyped(name.clone());
            let expected = "a name of at most 32 lowercase letters, digits, - and _, other than default";
            self.mistakes.push(Mistake::malformed("APP_ENV", &source, Some(&found), expected));
        }
    }

    fn add_files(&mut self, sources: &Sources, unknown: UnknownAppEnv) {
        let dir = sources.config_dir.clone().unwrap_or_else(|| "config".into());
        let found = sources.dir.join(&dir);
        if sources.config_dir.is_some() && !found.is_dir() {
            let line = format!("--config-dir {} does not exist; expected a directory with default.toml", dir.display());
            self.mistakes.push(Mistake::new(line));
            return;
        }
        self.add_file(&found.join("default.toml"), &dir.join("default.toml"));
        let overlay = format!("{}.toml", self.app_env.name);
        let is_there = self.add_file(&found.join(&overlay), &dir.join(&overlay));
        let may_be_absent = unknown == UnknownAppEnv::Accept;
        if !is_there && !may_be_absent && !ENVS_BUILT_IN.contains(&self.app_env.name.as_str()) {
            let AppEnv { name, source } = &self.app_env;
            let expected =
                format!("dev, prod, or the name of an overlay: {} does not exist", dir.join(&overlay).display());
            self.mistakes.push(Mistake::refused("APP_ENV", source, &format!("{name:?}"), &expected));
        }
    }

    /// Whether the file exists.
    fn add_file(&mut self, path: &Path, shown: &Path) -> bool {
        let Some(text) = self.read_text(path, shown) else { return false };
        match File::from_str(&text, FileFormat::Toml).collect() {
            Ok(table) => self.add_table("", table, &Source::File(shown.display().to_string())),
            Err(error) => {
                let expected = "expected TOML like `[server]`, then `port = 8080`";
                let line =
                    format!("{} is not valid TOML: {}; {expected}", shown.display(), toml_problem(&error.to_string()));
                self.mistakes.push(Mistake::new(line));
            }
        }
        true
    }

    fn add_table(&mut self, path: &str, table: Map<String, Value>, source: &Source) {
        let mut members: Vec<_> = table.into_iter().collect();
        members.sort_by(|(a, _), (b, _)| a.cmp(b));
        for (name, value) in members {
            let key = if path.is_empty() { name } else { format!("{path}.{name}") };
            if key == providers::SECTION {
                self.providers.add_section(value, source, &mut self.mistakes);
                continue;
            }
            let is_key = NAMES.contains(&key.as_str());
            let is_section = !is_key && sections().any(|section| section == key);
            match value.kind {
                ValueKind::Table(inner) if is_section || !(is_key || inner.is_empty()) => {
                    self.add_table(&key, inner, source);
                }
                kind if is_section => {
                    let found = Raw::from(kind).kind();
                    self.mistakes.push(Mistake::refused(&key, source, found, &format!("a section, [{key}]")));
                }
                kind => self.add(&key, Raw::from(kind), source.clone()),
            }
        }
    }

    fn read_dot_env(&mut self, sources: &Sources, shown: &str) -> Vec<(String, String)> {
        let Some(text) = self.read_text(&sources.dir.join(shown), Path::new(shown)) else {
            if sources.env_file.is_some() && self.mistakes.is_empty() {
                self.mistakes.push(Mistake::new(format!("--env-file {shown} does not exist; expected a file")));
            }
            return Vec::new();
        };
        let mut variables = Vec::new();
        for variable in dotenvy::from_read_iter(text.as_bytes()) {
            match variable {
                Ok(variable) => variables.push(variable),
                Err(error) => {
                    let line = dot_env_line(&text, &error);
                    let expected =
                        "expected NAME=value, with the value in single quotes if it contains white space, # or $";
                    self.mistakes.push(Mistake::new(format!("{shown}{line} is not valid; {expected}")));
                }
            }
        }
        variables
    }

    /// The text of a file, if it exists.
    fn read_text(&mut self, path: &Path, shown: &Path) -> Option<String> {
        let mut text = String::new();
        let read = std::fs::File::open(path).and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_string(&mut text));
        let problem = match read {
            Ok(_) if text.len() as u64 <= FILE_BYTES_MAX => {
                // Windows programs begin a text file with a byte order mark.
                return Some(text.strip_prefix('\u{FEFF}').map_or_else(|| text.clone(), str::to_owned));
            }
            Ok(_) => "too large".to_owned(),
            Err(error) if error.kind() == ErrorKind::NotFound => return None,
            Err(error) => format!("not readable: {error}"),
        };
        let expected = format!("expected a text file of at most {FILE_BYTES_MAX} bytes");
        self.mistakes.push(Mistake::new(format!("{} is {problem}; {expected}", shown.display())));
        None
    }
}

/// Whether a variable begins like a key, with a single underscore before the section: `DENIZEN_SERVER_PORT`.
fn names_section(name: &str) -> bool {
    let Some(rest) = name.strip_prefix("DENIZEN_") else { return false };
    let rest = rest.to_ascii_lowercase();
    sections().any(|section| rest.strip_prefix(section).is_some_and(|key| key.starts_with('_')))
}

/// The position of a TOML error, without the line itself, which may contain a secret.
fn toml_problem(error: &str) -> String {
    let place = error.lines().next().unwrap_or_default();
    let place = place.strip_prefix("TOML parse error at ").unwrap_or("unknown position");
    // The report is: place, three lines that quote the file, and then the problem.
    let problem: Vec<&str> = error.lines().skip(4).filter(|line| !line.is_empty()).collect();
    if problem.is_empty() { place.to_owned() } else { format!("{place}: {}", problem.join(", ")) }
}

/// The number of an invalid line of `.env`, without the line itself, which may contain a secret.
fn dot_env_line(text: &str, error: &dotenvy::Error) -> String {
    let dotenvy::Error::LineParse(line, _) = error else { return String::new() };
    let start = line.lines().next().unwrap_or_default().trim();
    let is_it = |line: &str| !line.trim_start().starts_with('#') && line.contains(start);
    text.lines().position(is_it).map_or_else(String::new, |at| format!(" line {}", at + 1))
}
