//! The catalogue as a page.

use std::fmt::Write;

use denizen_domain::events::EventType;
use denizen_domain::events::catalogue::{FieldInfo, Form};

use super::example;

const HEAD: &str = "\
# The catalogue of events

Made of the types by `make generate`. Every event is `{cursor, id, type, subject, actor, occurred_at, data}`; what is in
`data` is said here, type by type. The same as JSON Schemas: [schemas/events.json](../schemas/events.json), and
`GET /api/v1/events/schemas` of a running server. Types and fields may be added: take no notice of what you do not know.

No event holds a secret.
";

/// The page.
#[must_use]
pub fn page() -> String {
    let mut page = HEAD.to_owned();
    page.push_str("\n| type | what it tells |\n| --- | --- |\n");
    for kind in EventType::ALL {
        let (name, anchor) = (kind.as_str(), kind.as_str().replace('.', ""));
        say(&mut page, format_args!("| [`{name}`](#{anchor}) | {} |\n", kind.description()));
    }
    for kind in EventType::ALL {
        section(&mut page, *kind);
    }
    page
}

fn section(page: &mut String, kind: EventType) {
    say(page, format_args!("\n## `{}`\n\n{}\n", kind.as_str(), kind.description()));
    if kind.fields().is_empty() {
        page.push_str("\nIts `data` is empty.\n");
    } else {
        page.push_str("\n| field | form | |\n| --- | --- | --- |\n");
        for field in kind.fields() {
            say(page, format_args!("| `{}` | {} | {} |\n", field.name, form(field), field.description));
        }
    }
    let example = serde_json::to_string_pretty(&example(kind)).expect("JSON serialises");
    say(page, format_args!("\n```json\n{example}\n```\n"));
}

fn form(field: &FieldInfo) -> String {
    let form = match field.form {
        Form::Text if field.values.is_empty() => "text".to_owned(),
        Form::Text => field.values.iter().map(|value| format!("`{value}`")).collect::<Vec<_>>().join(", "),
        Form::Uuid => "UUID".to_owned(),
        Form::Moment => "RFC 3339".to_owned(),
        Form::Flag => "true or false".to_owned(),
        Form::Texts => "list of texts".to_owned(),
    };
    if field.is_optional { form + "; may be absent" } else { form }
}

fn say(page: &mut String, text: std::fmt::Arguments<'_>) {
    page.write_fmt(text).expect("writing to a string cannot fail");
}
