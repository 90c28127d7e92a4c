//! `denizen users import --from`: files that other systems wrote.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use anyhow::Context;
use clap::Args;
use clap::builder::PossibleValuesParser;
use clap::builder::TypedValueParser;
use denizen_domain::error::FieldError;
use denizen_import_sources::{Fault, FieldMap, FirebaseHashConfig, Options, RoleMap, Row, Rows, Source};

use super::import::source::{Input, Source as LineSource, SourceLine};
use crate::cli::failure::Failure;
use crate::lines::Line;

/// Counts of the data that is not carried over, by kind. Complete once all lines have been read.
pub(crate) type NotCarriedCounts = Arc<Mutex<BTreeMap<String, u64>>>;

/// Arguments for the files of another system.
#[derive(Args)]
pub(crate) struct FromArgs {
    /// Further files of the same export: hashes, identities or metadata that are joined to the users.
    #[arg(value_name = "FILE", requires = "from")]
    further: Vec<String>,
    /// The system that wrote the files.
    #[arg(long, value_name = "SOURCE", value_parser = sources())]
    from: Option<Source>,
    /// A TOML file that maps columns or claims to fields and attributes.
    #[arg(long, value_name = "FILE", requires = "from")]
    map: Option<PathBuf>,
    /// The role for a role or group of the other system. Can be repeated; the first match applies. Default: user.
    #[arg(long, value_name = "SOURCE=ROLE", requires = "from")]
    role_map: Vec<RoleMap>,
    /// The password hash parameters of the Firebase project, as shown by the console or as JSON.
    #[arg(long, value_name = "FILE", requires = "from")]
    firebase_hash_config: Option<PathBuf>,
    /// A file with the pepper of Devise.
    #[arg(long, value_name = "FILE", requires = "from")]
    devise_pepper_file: Option<PathBuf>,
    /// Imports users as active if the files do not contain their status.
    #[arg(long, requires = "from")]
    assume_active: bool,
}

fn sources() -> impl TypedValueParser<Value = Source> {
    PossibleValuesParser::new(Source::ALL.map(Source::name)).try_map(|name| name.parse::<Source>())
}

impl FromArgs {
    /// Opens the files; `None` without `--from`.
    pub(super) fn open(&self, file: &str) -> Result<Option<Input>, Failure> {
        let Some(source) = self.from else { return Ok(None) };
        let files: Vec<PathBuf> =
            std::iter::once(file).chain(self.further.iter().map(String::as_str)).map(PathBuf::from).collect();
        if files.iter().any(|file| file.as_os_str() == "-") {
            return Err(Failure::Usage("--from reads files, not standard input".to_owned()));
        }
        let has_several = files.len() > 1;
        let rows = denizen_import_sources::read(source, &files, self.options()?).map_err(anyhow::Error::from)?;
        let counts = NotCarriedCounts::default();
        let total_bytes = Some(rows.bytes_total());
        let source = Box::new(Records { rows, has_several, counts: Arc::clone(&counts) });
        Ok(Some(Input { source, total_bytes, roots: Vec::new(), not_carried: Some(counts) }))
    }

    /// The files after the first one.
    pub(super) fn further(&self) -> impl Iterator<Item = &str> {
        self.further.iter().map(String::as_str)
    }

    fn options(&self) -> Result<Options, Failure> {
        let map = self.map.as_deref().map(FieldMap::open).transpose().map_err(anyhow::Error::from)?;
        let firebase = self.firebase_hash_config.as_deref().map(FirebaseHashConfig::open);
        let pepper = self.devise_pepper_file.as_deref().map(|file| {
            let mut pepper = fs::read(file).with_context(|| format!("reading {}", file.display()))?;
            while matches!(pepper.last(), Some(b'\n' | b'\r')) {
                pepper.pop();
            }
            anyhow::Ok(pepper)
        });
        Ok(Options {
            roles: self.role_map.clone(),
            map: map.unwrap_or_default(),
            firebase: firebase.transpose().map_err(anyhow::Error::from)?,
            devise_pepper: pepper.transpose()?,
            assume_active: self.assume_active,
        })
    }
}

/// The users of another system as lines of an import. Line numbers are those of its files.
struct Records {
    rows: Rows,
    /// Whether lines need the name of their file.
    has_several: bool,
    counts: NotCarriedCounts,
}

impl LineSource for Records {
    fn next_line(&mut self) -> io::Result<Option<SourceLine>> {
        let Some(Row { file, line, result, .. }) = self.rows.next() else {
            let counts = self.rows.report().counts().map(|(kind, count)| (kind.to_owned(), count));
            if let Ok(mut shared) = self.counts.lock() {
                shared.extend(counts);
            }
            return Ok(None);
        };
        let content = match result {
            Ok(record) => Ok(Line::Whole(serde_json::to_vec(&record)?)),
            Err(faults) => Err(faults.into_iter().map(field_error).collect()),
        };
        let file = self.has_several.then(|| file.display().to_string());
        Ok(Some(SourceLine { number: line, file, content }))
    }

    fn position(&self) -> u64 {
        self.rows.bytes_read()
    }
}

fn field_error(fault: Fault) -> FieldError {
    let code = match fault.field {
        "record" | "file" => "invalid_record",
        _ if fault.reason == "is missing" => "required",
        _ => "invalid_value",
    };
    FieldError::new(fault.field, code, fault.reason)
}
