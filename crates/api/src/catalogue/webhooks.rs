//! The `webhooks` of the OpenAPI document: the requests to receivers, by event type.

use denizen_domain::events::EventType;
use denizen_domain::events::catalogue::{FieldInfo, Form};
use utoipa::openapi::path::{OperationBuilder, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::schema::{AnyOfBuilder, ArrayBuilder, Discriminator, Object, OneOfBuilder, Schema, SchemaType};
use utoipa::openapi::{
    ContentBuilder, HttpMethod, KnownFormat, ObjectBuilder, OpenApi, PathItem, PathsBuilder, Ref, RefOr, Required,
    ResponseBuilder, SchemaFormat, Type,
};

use super::example;

/// Describes the webhook requests, and the data of events and audit records.
pub(crate) fn describe(document: &mut OpenApi) {
    let components = document.components.get_or_insert_default();
    let mut webhooks = PathsBuilder::new();
    for &kind in EventType::ALL {
        let name = event_name(kind);
        webhooks = webhooks.path(kind.as_str(), webhook(kind, &name));
        components.schemas.insert(name, payload(kind).into());
        components.schemas.insert(data_name(kind), data(kind).into());
    }
    document.webhooks = Some(webhooks.build());
    components.schemas.insert("EventBody".to_owned(), any_event().into());
    let record = components.schemas.get_mut("RecordBody");
    if let Some(RefOr::T(Schema::Object(record))) = record {
        record.properties.insert("data".to_owned(), any_data().into());
    }
}

fn event_name(kind: EventType) -> String {
    format!("{kind:?}Event")
}

fn data_name(kind: EventType) -> String {
    format!("{kind:?}Data")
}

/// An event of any type, discriminated by its member `type`.
fn any_event() -> Schema {
    let kinds = EventType::ALL.iter();
    let mapping = kinds.map(|&kind| (kind.as_str(), format!("#/components/schemas/{}", event_name(kind))));
    let any = OneOfBuilder::new()
        .description(Some("An event. Later versions may add types: ignore unknown ones."))
        .discriminator(Some(Discriminator::with_mapping("type", mapping)))
        .examples([example(EventType::SessionEnded)]);
    let any = EventType::ALL.iter().fold(any, |any, &kind| any.item(Ref::from_schema_name(event_name(kind))));
    Schema::OneOf(any.build())
}

/// The data of an audit record, which depends on its type.
fn any_data() -> Schema {
    let any = AnyOfBuilder::new().description(Some("The data of the event; its schema depends on the type."));
    let any = EventType::ALL.iter().fold(any, |any, &kind| any.item(Ref::from_schema_name(data_name(kind))));
    Schema::AnyOf(any.build())
}

fn webhook(kind: EventType, schema: &str) -> PathItem {
    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name(schema))).build();
    let body = RequestBodyBuilder::new().content("application/json", content).required(Some(Required::True));
    let taken =
        ResponseBuilder::new().description("Any 2xx status acknowledges the event. Any other status is retried.");
    let operation = OperationBuilder::new()
        .operation_id(Some(format!("webhook.{}", kind.as_str())))
        .tag("events")
        .summary(Some(kind.as_str()))
        .description(Some(kind.description()))
        .parameter(header("webhook-id", "The id of the event. Retries carry the same id; use it to detect duplicates."))
        .parameter(header("webhook-timestamp", "The time of sending, in Unix seconds."))
        .parameter(header(
            "webhook-signature",
            "`v1,` followed by the base64 HMAC-SHA256 of id, timestamp and body (Standard Webhooks).",
        ))
        .request_body(Some(body.build()))
        // The signature authenticates the sender; the receiver asks for nothing.
        .securities(Some([]))
        .response("2XX", taken.build());
    PathItem::new(HttpMethod::Post, operation.build())
}

fn header(name: &str, description: &str) -> Parameter {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Header)
        .required(Required::True)
        .description(Some(description))
        .schema(Some(text()))
        .build()
}

fn text() -> Object {
    Object::with_type(Type::String)
}

fn formatted(format: KnownFormat) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String).format(Some(SchemaFormat::KnownFormat(format)))
}

fn payload(kind: EventType) -> Object {
    let named = |value: &'static str| ObjectBuilder::new().schema_type(Type::String).enum_values(Some([value]));
    let subject = ObjectBuilder::new().schema_type(SchemaType::from_iter([Type::String, Type::Null]));
    let whole = ObjectBuilder::new()
        .description(Some(kind.description()))
        .property("cursor", ObjectBuilder::new().schema_type(Type::String).pattern(Some("^[A-Za-z0-9_-]{32}$")))
        .property("id", formatted(KnownFormat::Uuid))
        .property("type", named(kind.as_str()))
        .property("subject", subject)
        .property("actor", Ref::from_schema_name("ActorBody"))
        .property("occurred_at", formatted(KnownFormat::DateTime))
        .property("data", Ref::from_schema_name(data_name(kind)));
    let required = ["cursor", "id", "type", "subject", "actor", "occurred_at", "data"];
    required.into_iter().fold(whole, ObjectBuilder::required).examples([example(kind)]).build()
}

fn data(kind: EventType) -> Object {
    let whole = ObjectBuilder::new().description(Some(format!("The data of an event `{}`.", kind.as_str())));
    let data = kind.fields().iter().fold(whole, |data, field| {
        let data = match field.form {
            Form::Texts => data.property(field.name, texts(field)),
            _ => data.property(field.name, property(field)),
        };
        if field.is_optional { data } else { data.required(field.name) }
    });
    data.build()
}

fn property(field: &FieldInfo) -> ObjectBuilder {
    let builder = match field.form {
        Form::Uuid => formatted(KnownFormat::Uuid),
        Form::Moment => formatted(KnownFormat::DateTime),
        Form::Flag => ObjectBuilder::new().schema_type(Type::Boolean),
        Form::Text | Form::Texts => ObjectBuilder::new().schema_type(Type::String),
    };
    let values = (!field.values.is_empty()).then(|| field.values.iter().copied());
    builder.enum_values(values).description(Some(field.description))
}

fn texts(field: &FieldInfo) -> ArrayBuilder {
    ArrayBuilder::new().items(text()).description(Some(field.description))
}
