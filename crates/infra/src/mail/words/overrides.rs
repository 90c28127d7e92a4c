//! The files of a folder that stand in place of what is built in.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use denizen_domain::users::Locale;

use super::WordsError;
use super::catalogue::kinds;

/// The largest file, in bytes, and the most files.
const FILE_BYTES_MAX: u64 = 256 * 1024;
const FILES_MAX: usize = 1_000;
/// What templates are for.
const FORMATS: [&str; 2] = ["txt", "html"];
/// The template of every kind that has none of its own.
const LAYOUT: &str = "layout";

/// What a folder holds.
#[derive(Default)]
pub(super) struct Overrides {
    /// Templates by the names of their files.
    pub(super) templates: BTreeMap<String, String>,
    /// Languages, with the names of their files and what these hold.
    pub(super) messages: BTreeMap<String, (String, String)>,
}

impl Overrides {
    /// The name of the template for a mail, the most special first: of its kind and language, of its kind, of its
    /// language, of all. The last one is built in.
    pub(super) fn template_for(&self, kind: &str, language: &str, format: &str) -> String {
        let names = [
            format!("{kind}.{language}.{format}"),
            format!("{kind}.{format}"),
            format!("{LAYOUT}.{language}.{format}"),
        ];
        let found = names.into_iter().find(|name| self.templates.contains_key(name));
        found.unwrap_or_else(|| format!("{LAYOUT}.{format}"))
    }
}

/// Reads a folder.
pub(super) fn read(folder: &Path) -> Result<Overrides, WordsError> {
    let shown = folder.display().to_string();
    let unreadable = |error: std::io::Error| WordsError::new(shown.clone(), error);
    let mut found = Overrides::default();
    for (at, entry) in fs::read_dir(folder).map_err(unreadable)?.enumerate() {
        if at >= FILES_MAX {
            return Err(WordsError::new(shown, format!("contains more than {FILES_MAX} files")));
        }
        let path = entry.map_err(unreadable)?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let file = path.display().to_string();
        let Some((stem, format)) = name.rsplit_once('.') else { continue };
        if format == "json" {
            let language =
                Locale::parse(stem).map_err(|_| WordsError::new(&file, "the file name is not a language tag"))?;
            let messages = (file.clone(), text(&path, &file)?);
            found.messages.insert(language.as_str().to_owned(), messages);
        } else if FORMATS.contains(&format) {
            if !is_template(stem) {
                return Err(WordsError::new(
                    &file,
                    "the file name does not match a mail; expected KIND.html or KIND.LANGUAGE.html",
                ));
            }
            found.templates.insert(name, text(&path, &file)?);
        }
    }
    Ok(found)
}

/// Whether a name, without its format, is one that is looked for.
fn is_template(stem: &str) -> bool {
    let (kind, language) = stem.split_once('.').map_or((stem, None), |(kind, language)| (kind, Some(language)));
    let is_kind = kind == LAYOUT || kinds().any(|known| known.name == kind);
    // Only in its usual case is it found.
    is_kind && language.is_none_or(|tag| Locale::parse(tag).is_ok_and(|locale| locale.as_str() == tag))
}

fn text(path: &Path, shown: &str) -> Result<String, WordsError> {
    let size = fs::metadata(path).map_err(|error| WordsError::new(shown, error))?.len();
    if size > FILE_BYTES_MAX {
        return Err(WordsError::new(shown, format!("is larger than {FILE_BYTES_MAX} bytes")));
    }
    let text = fs::read_to_string(path).map_err(|error| WordsError::new(shown, error))?;
    Ok(text.strip_prefix('\u{FEFF}').map_or_else(|| text.clone(), str::to_owned))
}
