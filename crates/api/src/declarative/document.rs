//! The files of a configuration as one document: bounds, and places of all that is wrong.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::SECTIONS;
use super::tree::{Content, FILE_BYTES_MAX, Node, Place};
use crate::suggestion::nearest;

/// The version of the format.
const VERSION: i64 = 1;
/// How many files a document may have.
const FILES_MAX: usize = 1_000;
/// Names of other keys than those of the sections.
const VERSION_KEY: &str = "version";

/// What is wrong with a document, in one line.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Fault {
    file: Arc<str>,
    place: Option<(u64, u64)>,
    message: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.place {
            Some((line, column)) => write!(f, "{}:{line}:{column}: {}", self.file, self.message),
            None => write!(f, "{}: {}", self.file, self.message),
        }
    }
}

impl Fault {
    pub(super) fn at(file: &Arc<str>, place: Option<Place>, message: impl Into<String>) -> Self {
        let place = place.map(|place| (place.line, place.column));
        Self { file: Arc::clone(file), place, message: message.into() }
    }
}

/// What the files say, by section. A section that no file has is not managed.
#[derive(Debug, Default)]
pub(crate) struct Document {
    sections: BTreeMap<&'static str, Vec<Item>>,
}

/// A resource in a file.
#[derive(Debug)]
pub(crate) struct Item {
    pub(super) file: Arc<str>,
    pub(super) node: Node,
}

impl Item {
    /// The fault of a field of this resource.
    pub(super) fn fault(&self, field: &str, message: impl Into<String>) -> Fault {
        Fault::at(&self.file, Some(self.node.place_of(field)), message)
    }

    /// Where it stands, for messages about another place.
    pub(super) fn position(&self) -> String {
        format!("{}:{}:{}", self.file, self.node.place.line, self.node.place.column)
    }
}

impl Document {
    /// Reads files: YAML or JSON, folders of them, and `-` for standard input.
    ///
    /// # Errors
    /// All that is wrong with their form.
    pub(crate) fn load(paths: &[PathBuf]) -> Result<Self, Vec<Fault>> {
        let (mut document, mut faults) = (Self::default(), Vec::new());
        let mut files = Vec::new();
        for path in paths {
            match files_of(path) {
                Ok(found) => files.extend(found),
                Err(error) => faults.push(unreadable(path, &error)),
            }
        }
        if files.len() > FILES_MAX {
            let name = Arc::from(paths.first().map(|path| path.display().to_string()).unwrap_or_default());
            return Err(vec![Fault::at(&name, None, format!("must be at most {FILES_MAX} files"))]);
        }
        for path in files {
            match text_of(&path) {
                Ok(text) => document.add(&name_of(&path), &text, &mut faults),
                Err(error) => faults.push(unreadable(&path, &error)),
            }
        }
        if faults.is_empty() { Ok(document) } else { Err(faults) }
    }

    /// The resources of a section; `None` if it is not managed.
    pub(super) fn section(&self, name: &str) -> Option<&[Item]> {
        self.sections.get(name).map(Vec::as_slice)
    }

    fn add(&mut self, file: &Arc<str>, text: &str, faults: &mut Vec<Fault>) {
        let tree = match Node::read(text) {
            Ok(tree) => tree,
            Err(error) => return faults.push(Fault::at(file, error.place, error.message)),
        };
        let members = match tree.content {
            Content::Map(members) => members,
            // An empty file, or one of comments alone.
            Content::Scalar(serde_json::Value::Null) => return,
            _ => return faults.push(Fault::at(file, Some(tree.place), "must be a map of sections")),
        };
        for member in members {
            if member.name == VERSION_KEY {
                if member.value.to_value() != VERSION {
                    faults.push(Fault::at(file, Some(member.place), format!("version: must be {VERSION}")));
                }
                continue;
            }
            let names = SECTIONS.iter().map(|section| section.info().section);
            let Some(section) = names.clone().find(|name| *name == member.name) else {
                let known = names.chain([VERSION_KEY]).collect::<Vec<_>>();
                let message = format!("{}: is not a known field; {}", member.name, hint(&member.name, &known));
                faults.push(Fault::at(file, Some(member.place), message));
                continue;
            };
            let items = self.sections.entry(section).or_default();
            if let Content::List(nodes) = member.value.content {
                items.extend(nodes.into_iter().map(|node| Item { file: Arc::clone(file), node }));
            } else {
                // An empty value is probably a mistake, and `--prune` would delete everything.
                let message = format!("{section}: must be a list; write [] if there are no resources");
                faults.push(Fault::at(file, Some(member.place), message));
            }
        }
    }
}

/// What to write instead of an unknown name.
pub(super) fn hint(name: &str, known: &[&str]) -> String {
    match nearest(name, known) {
        Some(nearest) => format!("did you mean {nearest}?"),
        None => format!("expected one of {}", known.join(", ")),
    }
}

fn unreadable(path: &Path, error: &io::Error) -> Fault {
    Fault::at(&name_of(path), None, error.to_string())
}

fn name_of(path: &Path) -> Arc<str> {
    if is_stdin(path) { Arc::from("standard input") } else { Arc::from(path.display().to_string()) }
}

fn is_stdin(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// The file itself, or the YAML and JSON files of a folder in the order of their names.
fn files_of(path: &Path) -> io::Result<Vec<PathBuf>> {
    if is_stdin(path) || !fs::metadata(path)?.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(path)? {
        let file = entry?.path();
        let extension = file.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        if matches!(extension, "yaml" | "yml" | "json") && fs::metadata(&file)?.is_file() {
            files.push(file);
        }
    }
    files.sort_unstable();
    if files.is_empty() {
        return Err(io::Error::new(io::ErrorKind::NotFound, "the folder has no .yaml, .yml or .json files"));
    }
    Ok(files)
}

fn text_of(path: &Path) -> io::Result<String> {
    let mut source: Box<dyn Read> =
        if is_stdin(path) { Box::new(io::stdin()) } else { Box::new(fs::File::open(path)?) };
    let mut bytes = Vec::new();
    source.by_ref().take(FILE_BYTES_MAX as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > FILE_BYTES_MAX {
        return Err(io::Error::other(format!("must be at most {FILE_BYTES_MAX} bytes")));
    }
    String::from_utf8(bytes).map_err(|_| io::Error::other("must be UTF-8"))
}
