//! YAML as a tree whose values know their places in the file. JSON is YAML, too.

use std::fmt;

use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Number, Value};
use serde_saphyr::{DuplicateKeyPolicy, Spanned};

/// The largest file, in bytes.
pub(crate) const FILE_BYTES_MAX: usize = 1_048_576;
/// How many values a file may have, those that aliases repeat included.
const VALUES_MAX: usize = 200_000;
/// How deep values may be nested.
const DEPTH_MAX: usize = 32;

/// A place in a file. Both numbers start at 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) line: u64,
    pub(crate) column: u64,
}

/// A value and its place.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) place: Place,
    pub(crate) content: Content,
}

/// A value.
#[derive(Debug)]
pub(crate) enum Content {
    Scalar(Value),
    List(Vec<Node>),
    Map(Vec<Member>),
}

/// A member of a map, and the place of its name.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) name: String,
    pub(crate) place: Place,
    pub(crate) value: Node,
}

/// Why a text is not YAML, or more than is accepted.
#[derive(Debug)]
pub(crate) struct SyntaxError {
    pub(crate) place: Option<Place>,
    pub(crate) message: String,
}

impl Node {
    /// Reads a file that has one document.
    pub(crate) fn read(text: &str) -> Result<Self, SyntaxError> {
        let options = serde_saphyr::options! {
            budget: serde_saphyr::budget! {
                max_nodes: VALUES_MAX,
                max_events: 4 * VALUES_MAX,
                max_depth: DEPTH_MAX,
                max_total_scalar_bytes: 4 * FILE_BYTES_MAX,
                max_recorded_anchor_events: VALUES_MAX,
                max_recorded_anchor_bytes: 4 * FILE_BYTES_MAX,
            },
            alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: VALUES_MAX },
            duplicate_keys: DuplicateKeyPolicy::Error,
            strict_booleans: true,
            // A snippet could show a secret.
            with_snippet: false,
        };
        serde_saphyr::from_str_with_options(text, options).map_err(|error| {
            let place = error.location().map(|at| Place { line: at.line(), column: at.column() });
            SyntaxError { place: place.filter(|place| place.line > 0), message: message_of(error.without_snippet()) }
        })
    }

    /// The value without places.
    pub(crate) fn to_value(&self) -> Value {
        match &self.content {
            Content::Scalar(value) => value.clone(),
            Content::List(items) => Value::Array(items.iter().map(Self::to_value).collect()),
            Content::Map(members) => Value::Object(members_of(members)),
        }
    }

    /// The members of a map.
    pub(crate) fn members(&self) -> Option<&[Member]> {
        match &self.content {
            Content::Map(members) => Some(members),
            _ => None,
        }
    }

    /// The place of a field such as `settings.claims.name` or `types[2]`, or else of the part of it that exists.
    pub(crate) fn place_of(&self, path: &str) -> Place {
        let path = path.strip_prefix('.').unwrap_or(path);
        if let Some((index, rest)) = path.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            let Content::List(items) = &self.content else { return self.place };
            let item = index.parse().ok().and_then(|index: usize| items.get(index));
            return item.map_or(self.place, |item| item.place_of(rest));
        }
        // A name may itself contain a dot.
        let leads_to = |member: &&Member| {
            let rest = path.strip_prefix(&member.name);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        };
        let found = self.members().unwrap_or_default().iter().filter(leads_to).max_by_key(|member| member.name.len());
        match found {
            Some(member) if member.name.len() == path.len() => member.place,
            Some(member) => member.value.place_of(&path[member.name.len()..]),
            None => self.place,
        }
    }
}

/// What is wrong, without the place.
fn message_of(error: &serde_saphyr::Error) -> String {
    match error {
        serde_saphyr::Error::MultipleDocuments { .. } => "must be one YAML document".to_owned(),
        serde_saphyr::Error::DuplicateMappingKey { key, .. } => {
            format!("{}: must not be repeated", key.as_deref().unwrap_or("a key"))
        }
        other => {
            let said = other.to_string();
            said.split(" at line ").next().unwrap_or(&said).replace('\n', " ")
        }
    }
}

/// Members as a JSON object.
fn members_of(members: &[Member]) -> Map<String, Value> {
    members.iter().map(|member| (member.name.clone(), member.value.to_value())).collect()
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<Content>::deserialize(deserializer)?;
        Ok(Self { place: place_of(&spanned), content: spanned.value })
    }
}

fn place_of<T>(spanned: &Spanned<T>) -> Place {
    Place { line: spanned.referenced.line(), column: spanned.referenced.column() }
}

impl<'de> Deserialize<'de> for Content {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ContentVisitor)
    }
}

struct ContentVisitor;

impl<'de> Visitor<'de> for ContentVisitor {
    type Value = Content;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Content, E> {
        Ok(Content::Scalar(Value::Null))
    }

    fn visit_none<E>(self) -> Result<Content, E> {
        Ok(Content::Scalar(Value::Null))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Content, E> {
        Ok(Content::Scalar(Value::Bool(value)))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Content, E> {
        Ok(Content::Scalar(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Content, E> {
        Ok(Content::Scalar(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Content, E> {
        Ok(Content::Scalar(Number::from_f64(value).map_or(Value::Null, Value::Number)))
    }

    fn visit_str<E>(self, value: &str) -> Result<Content, E> {
        Ok(Content::Scalar(value.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Content, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = sequence.next_element()? {
            items.push(item);
        }
        Ok(Content::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Content, A::Error> {
        let mut members = Vec::new();
        while let Some((name, value)) = map.next_entry::<Spanned<String>, Node>()? {
            members.push(Member { place: place_of(&name), name: name.value, value });
        }
        Ok(Content::Map(members))
    }
}

/// Writes a value as YAML.
pub(crate) fn to_yaml(value: &impl Serialize) -> anyhow::Result<String> {
    // Block scalars are not used: a description of several lines stays one quoted string that nothing can reflow.
    let options = serde_saphyr::ser_options! { prefer_block_scalars: false };
    Ok(serde_saphyr::to_string_with_options(value, options)?)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Node, Place, to_yaml};

    #[test]
    fn values_know_their_places() {
        let text =
            "roles:\n  - name: editor\n    settings:\n      claims: {attributes.team: \"/t\"}\n      list: [a, b]\n";
        let tree = Node::read(text).unwrap();
        let expected = json!({"roles": [{"name": "editor", "settings": {"claims": {"attributes.team": "/t"}, "list": ["a", "b"]}}]});
        assert_eq!(tree.to_value(), expected);
        for (path, line, column) in [
            ("roles", 1, 1),
            ("roles[0].name", 2, 5),
            ("roles[0].settings.claims.attributes.team", 4, 16),
            ("roles[0].settings.list[1]", 5, 17),
            ("roles[0].settings.absent", 4, 7),
        ] {
            assert_eq!(tree.place_of(path), Place { line, column }, "{path}");
        }
    }

    #[test]
    fn plain_words_are_read_as_yaml_1_2_does() {
        let text = "a: no\nb: on\nc: true\nd: ~\ne: 1\nf: 1.5\ng: \"1\"\nh: 2026-01-01\n";
        let expected =
            json!({"a": "no", "b": "on", "c": true, "d": null, "e": 1, "f": 1.5, "g": "1", "h": "2026-01-01"});
        assert_eq!(Node::read(text).unwrap().to_value(), expected);
        assert_eq!(Node::read("{\"a\": [1, null]}").unwrap().to_value(), json!({"a": [1, null]}));
        assert_eq!(Node::read("").unwrap().to_value(), Value::Null);
    }

    #[test]
    fn what_is_no_single_document_is_refused_with_its_place() {
        for (text, line) in
            [("a: [1\n", None), ("a: 1\na: 2\n", Some(2)), ("a: *b\n", Some(1)), ("a: 1\n---\nb: 2\n", Some(3))]
        {
            let error = Node::read(text).unwrap_err();
            assert!(!error.message.contains(" line "), "{error:?}");
            if let Some(line) = line {
                assert_eq!(error.place.map(|place| place.line), Some(line), "{error:?}");
            }
        }
    }

    #[test]
    fn aliases_are_followed_but_not_without_end() {
        let text = "a: &x {name: one}\nb: *x\n";
        assert_eq!(Node::read(text).unwrap().to_value(), json!({"a": {"name": "one"}, "b": {"name": "one"}}));
        let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..12 {
            let items = vec![format!("*a{}", level - 1); 10].join(", ");
            bomb = format!("{bomb}a{level}: &a{level} [{items}]\n");
        }
        assert!(Node::read(&bomb).is_err());
        assert!(Node::read(&"[".repeat(100)).is_err());
    }

    #[test]
    fn written_values_come_back() {
        for text in [
            "no",
            "1",
            "a: b",
            "- x",
            "",
            " ",
            "~",
            "null",
            "日本 é",
            "two\nlines\n\n",
            "'\"\\",
            "#",
            "a #b",
            "0x1F",
            "1e3",
            "\u{feff}\u{2028}\t",
            "2026-01-01",
            "<<",
            "=",
            "!tag",
            "&a",
            "*a",
            "%",
            "@",
            "`",
            "{}",
            "[]",
            "y",
            "Off",
        ] {
            let value = json!({"name": text, "list": [text, {"inner": text}]});
            let yaml = to_yaml(&value).unwrap();
            assert_eq!(Node::read(&yaml).unwrap().to_value(), value, "{yaml}");
        }
    }
}
