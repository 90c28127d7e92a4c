//! Log lines as JSON: one flat object with the fields of the event and of the spans around it.
//!
//! The fields of a span are formatted once, when they are recorded, and copied into each line. Every request writes a line,
//! so this is part of the cost of each request.

use std::collections::BTreeMap;
use std::fmt::{self, Debug, Write as _};
use std::io;

use serde::Serializer as _;
use serde_json::value::RawValue;
use tracing::field::{Field, Visit};
use tracing::span::Record;
use tracing::{Event, Subscriber};
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, FormattedFields};
use tracing_subscriber::registry::LookupSpan;

/// Formats fields as members of an object, each with a comma before it.
#[derive(Debug)]
pub(super) struct JsonFields;

impl<'writer> FormatFields<'writer> for JsonFields {
    fn format_fields<R: RecordFields>(&self, mut writer: Writer<'writer>, fields: R) -> fmt::Result {
        let mut members = Members { writer: &mut writer, result: Ok(()) };
        fields.record(&mut members);
        members.result
    }

    fn add_fields(&self, current: &'writer mut FormattedFields<Self>, fields: &Record<'_>) -> fmt::Result {
        let mut added = FormattedFields::<Self>::new(String::new());
        self.format_fields(added.as_writer(), fields)?;
        let new = parse(&added);
        // Most fields are recorded once. A text that looks like a name costs time only.
        if !new.iter().any(|(name, _)| current.fields.contains(&format!(",{name}:"))) {
            return current.fields.write_str(&added);
        }
        let (mut members, added) = (parse(current), new);
        members.retain(|(name, _)| added.iter().all(|(other, _)| other != name));
        current.fields.clear();
        members.iter().chain(&added).try_for_each(|(name, value)| write!(current.fields, ",{name}:{value}"))
    }
}

/// Formats an event as a line.
#[derive(Debug)]
pub(super) struct JsonLine;

impl<S, N> FormatEvent<S, N> for JsonLine
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let metadata = event.metadata();
        writer.write_str("{\"timestamp\":\"")?;
        SystemTime.format_time(&mut writer)?;
        writer.write_str("\",\"level\":\"")?;
        writer.write_str(metadata.level().as_str())?;
        writer.write_char('"')?;
        context.format_fields(writer.by_ref(), event)?;
        writer.write_str(",\"target\":")?;
        text(&mut writer, metadata.target())?;
        let mut inner = vec![metadata.fields()];
        for span in context.event_scope().into_iter().flatten() {
            let names = span.metadata().fields();
            if let Some(fields) = span.extensions().get::<FormattedFields<N>>() {
                let is_repeated = |name: &str| inner.iter().any(|inner| inner.field(name).is_some());
                if names.iter().any(|field| is_repeated(field.name()) || is_own(field.name())) {
                    write_others(&mut writer, fields, |name| is_repeated(name) || is_own(name))?;
                } else {
                    writer.write_str(fields)?;
                }
            }
            inner.push(names);
        }
        writer.write_str("}\n")
    }
}

/// Whether every line has a member with this name.
fn is_own(name: &str) -> bool {
    ["timestamp", "level", "target"].contains(&name)
}

/// Writes the members whose names are not those of inner spans or the event, which count.
fn write_others(writer: &mut Writer<'_>, fields: &str, is_repeated: impl Fn(&str) -> bool) -> fmt::Result {
    let others = parse(fields).into_iter().filter(|(name, _)| !is_repeated(name.trim_matches('"')));
    others.into_iter().try_for_each(|(name, value)| write!(writer, ",{name}:{value}"))
}

/// The members that [`JsonFields`] wrote, as JSON texts.
fn parse(fields: &str) -> Vec<(String, Box<RawValue>)> {
    let object = format!("{{{}}}", fields.strip_prefix(',').unwrap_or(fields));
    let members: BTreeMap<String, Box<RawValue>> = serde_json::from_str(&object).unwrap_or_default();
    members.into_iter().map(|(name, value)| (serde_json::Value::from(name).to_string(), value)).collect()
}

/// Writes fields as members.
struct Members<'a, 'writer> {
    writer: &'a mut Writer<'writer>,
    result: fmt::Result,
}

impl Members<'_, '_> {
    fn member(&mut self, field: &Field, value: impl FnOnce(&mut Json<'_, '_>) -> serde_json::Result<()>) {
        let name = field.name();
        // As the library names raw identifiers.
        let name = name.strip_prefix("r#").unwrap_or(name);
        let write = |writer: &mut Writer<'_>| {
            writer.write_char(',')?;
            text(writer, name)?;
            writer.write_char(':')?;
            value(&mut serde_json::Serializer::new(Bytes(writer))).map_err(|_| fmt::Error)
        };
        self.result = self.result.and_then(|()| write(self.writer));
    }
}

impl Visit for Members<'_, '_> {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.member(field, |json| json.serialize_f64(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.member(field, |json| json.serialize_i64(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.member(field, |json| json.serialize_u64(value));
    }

    fn record_i128(&mut self, field: &Field, value: i128) {
        self.member(field, |json| json.serialize_i128(value));
    }

    fn record_u128(&mut self, field: &Field, value: u128) {
        self.member(field, |json| json.serialize_u128(value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.member(field, |json| json.serialize_bool(value));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.member(field, |json| json.serialize_str(value));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.member(field, |json| json.collect_str(&format_args!("{value:?}")));
    }
}

type Json<'a, 'writer> = serde_json::Serializer<Bytes<'a, 'writer>>;

fn text(writer: &mut Writer<'_>, text: &str) -> fmt::Result {
    serde_json::Serializer::new(Bytes(writer)).serialize_str(text).map_err(|_| fmt::Error)
}

/// Takes the bytes of the serializer, which are UTF-8 in each call.
struct Bytes<'a, 'writer>(&'a mut Writer<'writer>);

impl io::Write for Bytes<'_, '_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = str::from_utf8(bytes).map_err(io::Error::other)?;
        self.0.write_str(text).map_err(io::Error::other)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::io::{self, Write};
    use std::sync::{Arc, Mutex};

    use serde::de::{IgnoredAny, MapAccess, Visitor};
    use serde::{Deserialize, Deserializer};
    use serde_json::{Value, json};
    use tracing::field::Empty;
    use tracing_subscriber::fmt;
    use tracing_subscriber::layer::SubscriberExt;

    use super::{JsonFields, JsonLine};

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// The names of the members of an object, also those that are repeated.
    struct Members(Vec<String>);

    impl<'de> Deserialize<'de> for Members {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            deserializer.deserialize_map(Self(Vec::new()))
        }
    }

    impl<'de> Visitor<'de> for Members {
        type Value = Self;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Self, A::Error> {
            while let Some((name, IgnoredAny)) = map.next_entry()? {
                self.0.push(name);
            }
            Ok(self)
        }
    }

    fn lines(log: impl FnOnce()) -> Vec<Value> {
        let lines = Lines::default();
        let writer = lines.clone();
        let layer = fmt::layer().fmt_fields(JsonFields).event_format(JsonLine).with_writer(move || writer.clone());
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), log);
        let bytes = lines.0.lock().unwrap().clone();
        let text = String::from_utf8(bytes).unwrap();
        assert!(text.ends_with('\n'));
        for line in text.lines() {
            let members: Members = serde_json::from_str(line).unwrap();
            let names: BTreeSet<_> = members.0.iter().collect();
            assert_eq!(names.len(), members.0.len(), "{line}");
        }
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn a_line_has_the_fields_of_the_event_and_of_the_spans() {
        let logged = lines(|| {
            let span = tracing::info_span!("request", request_id = "one", trace_id = Empty, absent = Empty);
            span.in_scope(|| tracing::warn!(target: "denizen::access", status = 200_u16, r#type = "x", "done"));
            span.record("trace_id", "two");
            let inner = tracing::info_span!(parent: &span, "inner", depth = 2);
            inner.in_scope(|| tracing::info!("again"));
            tracing::info!("alone");
        });
        let without_time = |line: &Value| {
            let mut line = line.clone();
            let time = line.as_object_mut().unwrap().remove("timestamp").unwrap();
            assert!(time.as_str().is_some_and(|time| time.len() == 27 && time.ends_with('Z')), "{time}");
            line
        };
        let module = module_path!();
        assert_eq!(
            logged.iter().map(without_time).collect::<Vec<_>>(),
            [
                json!({"level": "WARN", "message": "done", "target": "denizen::access", "status": 200, "type": "x", "request_id": "one"}),
                json!({"level": "INFO", "message": "again", "target": module, "request_id": "one", "trace_id": "two", "depth": 2}),
                json!({"level": "INFO", "message": "alone", "target": module}),
            ]
        );
    }

    #[test]
    fn each_name_is_once_in_a_line_and_the_innermost_value_counts() {
        let logged = lines(|| {
            let outer = tracing::info_span!("request", method = "outer", route = "outer", level = 1, host = "a\"b");
            let inner = tracing::info_span!(parent: &outer, "request", route = "inner", at = 1);
            inner.record("at", 2).record("at", 3);
            inner.in_scope(|| tracing::info!(method = "event", "done"));
        });
        let mut line = logged[0].clone();
        line.as_object_mut().unwrap().remove("timestamp");
        assert_eq!(
            line,
            json!({"level": "INFO", "message": "done", "target": module_path!(), "method": "event", "route": "inner", "at": 3,
                "host": "a\"b"})
        );
    }

    #[test]
    fn values_keep_their_types_and_are_escaped() {
        let error = io::Error::other("broken \"pipe\"");
        let logged = lines(|| {
            tracing::info!(
                flag = true,
                none = None::<u8>,
                some = Some(7),
                large = u64::MAX,
                negative = -1,
                ratio = 0.25,
                nan = f64::NAN,
                shown = %"a\tb\u{1}\u{1F600}",
                debugged = ?["x\ny"],
                error = &error as &(dyn std::error::Error + 'static),
                "say \"{}\"\n",
                "hello\u{2028}"
            );
        });
        let line = &logged[0];
        for (name, expected) in [
            ("flag", json!(true)),
            ("some", json!(7)),
            ("large", json!(u64::MAX)),
            ("negative", json!(-1)),
            ("ratio", json!(0.25)),
            ("nan", Value::Null),
            ("shown", json!("a\tb\u{1}\u{1F600}")),
            ("debugged", json!("[\"x\\ny\"]")),
            ("error", json!("broken \"pipe\"")),
            ("message", json!("say \"hello\u{2028}\"\n")),
        ] {
            assert_eq!(line[name], expected, "{name}");
        }
        assert_eq!(line.get("none"), None);
    }
}
