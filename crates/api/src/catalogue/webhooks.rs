//! The `webhooks` of the OpenAPI document: what a receiver is sent, type by type.

use denizen_domain::events::catalogue::{FieldInfo, Form};
use denizen_domain::events::{ActorKind, EventType};
use utoipa::openapi::path::{OperationBuilder, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::schema::{ArrayBuilder, Object, SchemaType};
use utoipa::openapi::{
    ContentBuilder, HttpMethod, KnownFormat, ObjectBuilder, OpenApi, PathItem, PathsBuilder, Ref, Required,
    ResponseBuilder, SchemaFormat, Type,
};

use super::example;

/// Describes what webhooks send.
pub(crate) fn describe(document: &mut OpenApi) {
    let components = document.components.get_or_insert_default();
    let mut webhooks = PathsBuilder::new();
    for &kind in EventType::ALL {
        let name = format!("{kind:?}Event");
        webhooks = webhooks.path(kind.as_str(), webhook(kind, &name));
        components.schemas.insert(name, payload(kind).into());
    }
    document.webhooks = Some(webhooks.build());
}

fn webhook(kind: EventType, schema: &str) -> PathItem {
    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name(schema))).build();
    let body = RequestBodyBuilder::new().content("application/json", content).required(Some(Required::True));
    let taken = ResponseBuilder::new().description("Any 2xx: the event is taken. Everything else is tried again.");
    let operation = OperationBuilder::new()
        .operation_id(Some(format!("webhook.{}", kind.as_str())))
        .tag("events")
        .summary(Some(kind.as_str()))
        .description(Some(kind.description()))
        .parameter(header("webhook-id", "The id of the event: a repetition has the same."))
        .parameter(header("webhook-timestamp", "When it was sent, in seconds since 1970."))
        .parameter(header("webhook-signature", "`v1,` and a code over both and the body (Standard Webhooks)."))
        .request_body(Some(body.build()))
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
    let data = kind.fields().iter().fold(ObjectBuilder::new(), |data, field| {
        let data = match field.form {
            Form::Texts => data.property(field.name, texts(field)),
            _ => data.property(field.name, property(field)),
        };
        if field.is_optional { data } else { data.required(field.name) }
    });
    let actors = ActorKind::ALL.iter().map(|kind| kind.as_str());
    let actor = ObjectBuilder::new()
        .property("type", ObjectBuilder::new().schema_type(Type::String).enum_values(Some(actors)))
        .property("id", formatted(KnownFormat::Uuid))
        .required("type");
    let whole = ObjectBuilder::new()
        .description(Some(kind.description()))
        .property("cursor", text())
        .property("id", formatted(KnownFormat::Uuid))
        .property("type", named(kind.as_str()))
        .property("subject", subject)
        .property("actor", actor)
        .property("occurred_at", formatted(KnownFormat::DateTime))
        .property("data", data);
    let required = ["cursor", "id", "type", "subject", "actor", "occurred_at", "data"];
    required.into_iter().fold(whole, ObjectBuilder::required).examples([example(kind)]).build()
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
