//! Finds every fault in the form of a JSON body. A derived reader stops at the first one: the fault is taken out of the
//! body, and the rest is read again.

use denizen_domain::error::FieldError;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_path_to_error::Segment;

use super::field_of;

/// How many faults are reported.
const FAULTS_MAX: usize = 32;
/// How often a body is read, and how long it may be for that: what a client gets wrong must not cost more than what it
/// gets right.
const PASSES_MAX: usize = 64;
const BYTES_MAX: usize = 32 * 1024;

/// The faults of a body that is JSON; `first` is the one that its reader has met.
pub(super) fn all<T: DeserializeOwned>(text: &[u8], first: FieldError) -> Vec<FieldError> {
    let mut faults = vec![first];
    if text.len() > BYTES_MAX {
        return faults;
    }
    let Ok(mut body) = serde_json::from_slice::<Value>(text) else { return faults };
    let mut substitutes = Substitutes::default();
    for _ in 0..PASSES_MAX {
        let Err(error) = serde_path_to_error::deserialize::<_, T>(&body) else { break };
        let path: Vec<Segment> = error.path().iter().cloned().collect();
        if !substitutes.is_at(&path) {
            let fault = field_of(&error.path().to_string(), error.inner());
            if !faults.contains(&fault) {
                faults.push(fault);
            }
        }
        if faults.len() >= FAULTS_MAX || remedy(&mut body, path, &error.inner().to_string(), &mut substitutes).is_none()
        {
            break;
        }
    }
    faults
}

/// Takes one fault out of the body; `None` when that is not possible.
fn remedy(body: &mut Value, mut path: Vec<Segment>, message: &str, substitutes: &mut Substitutes) -> Option<()> {
    let named = message.split('`').nth(1).unwrap_or_default();
    let is_named = |segment: &Segment| matches!(segment, Segment::Map { key } if key == named);
    if message.starts_with("unknown field") {
        // The reader's path ends with the name already, or above it.
        path.pop_if(|segment| is_named(segment));
        at(body, &path)?.as_object_mut()?.remove(named)?;
        return Some(());
    }
    if message.starts_with("missing field") {
        path.pop_if(|segment| is_named(segment));
        let substitute = substitutes.next_at(&[path.as_slice(), &[Segment::Map { key: named.to_owned() }]].concat())?;
        at(body, &path)?.as_object_mut()?.insert(named.to_owned(), substitute);
        return Some(());
    }
    if path.is_empty() {
        return None;
    }
    let substitute = substitutes.next_at(&path)?;
    *at(body, &path)? = substitute;
    Some(())
}

/// The value at a path.
fn at<'a>(body: &'a mut Value, path: &[Segment]) -> Option<&'a mut Value> {
    path.iter().try_fold(body, |value, segment| match segment {
        Segment::Map { key } => value.get_mut(key),
        Segment::Seq { index } => value.get_mut(*index),
        Segment::Enum { .. } | Segment::Unknown => None,
    })
}

/// Values that stand where a fault was, one kind after the other until the reader accepts one.
#[derive(Default)]
struct Substitutes(Vec<(Vec<String>, usize)>);

impl Substitutes {
    const KINDS: [fn() -> Value; 6] = [
        || Value::from(""),
        || Value::from(0),
        || Value::Bool(false),
        || Value::Array(Vec::new()),
        || Value::Object(serde_json::Map::new()),
        || Value::Null,
    ];

    fn is_at(&self, path: &[Segment]) -> bool {
        let path = texts(path);
        self.0.iter().any(|(known, _)| *known == path)
    }

    /// The next kind to try at a path; `None` when the reader has refused all.
    fn next_at(&mut self, path: &[Segment]) -> Option<Value> {
        let path = texts(path);
        let at = self.0.iter().position(|(known, _)| *known == path).unwrap_or_else(|| {
            self.0.push((path, 0));
            self.0.len() - 1
        });
        let (_, tried) = &mut self.0[at];
        let kind = Self::KINDS.get(*tried)?;
        *tried += 1;
        Some(kind())
    }
}

fn texts(path: &[Segment]) -> Vec<String> {
    path.iter().map(ToString::to_string).collect()
}
