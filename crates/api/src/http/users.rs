//! `/api/v1/users`.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use denizen_domain::error::RuleBroken;
use denizen_domain::id::UserId;
use denizen_domain::roles::RoleName;
use denizen_domain::users::{
    self, Attributes, AttributesChange, DeletionTime, DisplayName, EmailAddress, Locale, SignUp, Status, UserChange,
};
use denizen_domain::value::{Object, object_or_null};
use http::header::{ETAG, LOCATION};
use http::{HeaderMap, StatusCode};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::answers::{
    AdminRemains, Always, BadBody, BadInput, Collision, EmailFree, Fresh, Grantable, Permitted, SignedIn, SignupOpen,
    UserExists,
};
use super::body::UserBody;
use super::extract::{Caller, Fields, IdPath, JsonBody, Query};
use super::problem::Problem;
use super::strength::PasswordStrength;
use super::{Shared, etag};
use crate::new_user::{self, RawUser};

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(create)).routes(routes!(get, replace, patch, delete)).routes(routes!(restore))
}

/// A new user.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"email": "ada@example.com", "password": "correct horse battery", "name": "Ada Lovelace"}))]
struct CreateUserBody {
    /// The email address; unique among users.
    #[schema(format = Email, max_length = 254)]
    email: String,
    /// 8 to 128 characters of any script. Common passwords and passwords derived from the name of the user or the
    /// product are rejected.
    #[schema(value_type = String, format = Password, min_length = 8, max_length = 128)]
    password: SecretString,
    /// Display name: 1 to 200 characters.
    #[schema(min_length = 1, max_length = 200)]
    name: String,
    /// The role. A role other than `user` can only be set by an administrator.
    role: Option<String>,
    /// Preferred language (BCP 47), used for mail.
    #[schema(max_length = 35)]
    locale: Option<String>,
    /// Custom attributes, writable by users themselves: do not base authorization or billing decisions on them.
    #[schema(value_type = Option<Object>)]
    #[serde(default, deserialize_with = "object_or_null")]
    attributes: Option<Object>,
    /// Custom attributes that the user can read but not change. Administrators only.
    #[schema(value_type = Option<Object>)]
    #[serde(default, deserialize_with = "object_or_null")]
    app_attributes: Option<Object>,
}

/// Create a user.
///
/// Anyone can sign up if `signup.mode` is `open`; otherwise `users:write` is required, and anonymous callers receive
/// 403 `signup_closed`. With `signup.conceal_existing`, callers without `users:write` receive 202 whether or not the
/// address is taken; the mail contains the result. The user can sign in when the email address is verified.
#[utoipa::path(
    post, path = "/api/v1/users", tag = "users", operation_id = "users.create",
    params(("Idempotency-Key" = Option<String>, Header, description = "Replays the first response for 24 hours.")),
    request_body = CreateUserBody,
    responses(
        (status = 201, description = "The user was created.", body = UserBody, headers(
            ("Location" = String, description = "The URL of the user."),
            ("ETag" = String, description = "The version of the user."),
            ("Password-Strength" = String, description = "Estimated strength: `weak`, `fair`, `good` or `strong`."),
        )),
        (status = 202, description = "With `signup.conceal_existing`: a mail is sent to the address, either with a \
                                      verification link or with a notice that an account already exists.", headers(
            ("Password-Strength" = String, description = "Estimated strength: `weak`, `fair`, `good` or `strong`."),
        )),
        BadBody, SignedIn, SignupOpen, EmailFree, Always,
    ),
    security((), ("bearer" = [])),
)]
async fn create(
    State(shared): State<Shared>,
    Caller(ctx): Caller,
    JsonBody(body): JsonBody<CreateUserBody>,
) -> Result<Response, Problem> {
    let mut fields = Fields::default();
    let raw = RawUser {
        email: &body.email,
        password: &body.password,
        name: &body.name,
        role: body.role.as_deref(),
        locale: body.locale.as_deref(),
        attributes: Attributes::parse(body.attributes.unwrap_or_default()),
        app_attributes: body.app_attributes.map(Attributes::parse).transpose(),
    };
    let new = new_user::parse(&mut fields, raw, &shared.services.policy);
    let new = fields.finish(new)?;
    let strength = PasswordStrength(new.password.strength());

    let user = match users::sign_up(&ctx, new).await? {
        SignUp::Created(user) => *user,
        SignUp::Concealed => return Ok((StatusCode::ACCEPTED, strength, ()).into_response()),
    };
    let headers = [(LOCATION, format!("/api/v1/users/{}", user.id)), (ETAG, etag::of_user(&user))];
    Ok((StatusCode::CREATED, headers, strength, Json(UserBody::from(user))).into_response())
}

/// Get a user.
///
/// Visible to the user and to administrators; for other callers the user does not exist.
#[utoipa::path(
    get, path = "/api/v1/users/{id}", tag = "users", operation_id = "users.get",
    params(("id" = String, Path, format = Uuid, description = "The id of the user.")),
    responses(
        (status = 200, description = "The user.", body = UserBody,
            headers(("ETag" = String, description = "The version of the user."))),
        (status = 304, description = "The resource has not changed since the version in `If-None-Match`."),
        BadInput, SignedIn, UserExists, Always,
    ),
    security(("bearer" = [])),
)]
async fn get(Caller(ctx): Caller, IdPath(id): IdPath<UserId>, headers: HeaderMap) -> Result<Response, Problem> {
    let user = users::get(&ctx, id).await?;
    Ok(etag::respond(&headers, &etag::of_user(&user), Json(UserBody::from(user))))
}

/// A full replacement of a user.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"email": "ada@example.com", "name": "Ada King", "attributes": {"theme": "dark"}}))]
struct ReplaceUserBody {
    /// The email address. A new address must be verified.
    #[schema(format = Email, max_length = 254)]
    email: String,
    /// Display name: 1 to 200 characters.
    #[schema(min_length = 1, max_length = 200)]
    name: String,
    /// The role. Administrators only. Unchanged if omitted.
    role: Option<String>,
    /// `active` or `disabled`. Administrators only. Unchanged if omitted.
    #[schema(pattern = "^(active|disabled)$")]
    status: Option<String>,
    /// Preferred language (BCP 47). If omitted, none.
    #[schema(max_length = 35)]
    locale: Option<String>,
    /// Custom attributes, writable by users themselves. If omitted, none.
    #[schema(value_type = Option<Object>)]
    #[serde(default, deserialize_with = "object_or_null")]
    attributes: Option<Object>,
    /// Custom attributes that the user can read but not change. Administrators only. Unchanged if omitted.
    #[schema(value_type = Option<Object>)]
    #[serde(default, deserialize_with = "object_or_null")]
    app_attributes: Option<Object>,
}

/// Replace a user.
#[utoipa::path(
    put, path = "/api/v1/users/{id}", tag = "users", operation_id = "users.replace",
    params(
        ("id" = String, Path, format = Uuid, description = "The id of the user."),
        ("If-Match" = Option<String>, Header, description = "Fails with 412 unless the user has this version."),
    ),
    request_body = ReplaceUserBody,
    responses(
        (status = 200, description = "The updated user.", body = UserBody,
            headers(("ETag" = String, description = "The version of the user."))),
        BadBody, SignedIn, Grantable, UserExists, Collision, Fresh, Always,
    ),
    security(("bearer" = [])),
)]
async fn replace(
    Caller(ctx): Caller,
    IdPath(id): IdPath<UserId>,
    headers: HeaderMap,
    JsonBody(body): JsonBody<ReplaceUserBody>,
) -> Result<Response, Problem> {
    let mut fields = Fields::default();
    let attributes = fields.check("attributes", Attributes::parse(body.attributes.unwrap_or_default()));
    let app_attributes = fields.check("app_attributes", body.app_attributes.map(Attributes::parse).transpose());
    let change = UserChange {
        email: fields.check("email", EmailAddress::parse(&body.email)),
        name: fields.check("name", DisplayName::parse(&body.name)),
        role: body.role.and_then(|raw| fields.check("role", RoleName::reference(&raw))),
        status: body.status.and_then(|raw| fields.check("status", settable_status(&raw))),
        locale: fields.check("locale", body.locale.as_deref().map(Locale::parse).transpose()),
        attributes: attributes.map(AttributesChange::Replace),
        app_attributes: app_attributes.flatten().map(AttributesChange::Replace),
    };
    let change = fields.finish(Some(change))?;
    update(&ctx, id, &headers, change).await
}

/// An update of a user, as a JSON Merge Patch (RFC 7396).
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(example = json!({"name": "Ada King", "attributes": {"theme": "dark", "sidebar": null}}))]
struct PatchUserBody {
    /// The new email address; it must be verified.
    #[schema(nullable = false, format = Email, max_length = 254)]
    #[serde(deserialize_with = "said")]
    email: Option<String>,
    /// Display name: 1 to 200 characters.
    #[schema(nullable = false, min_length = 1, max_length = 200)]
    #[serde(deserialize_with = "said")]
    name: Option<String>,
    /// The role. Administrators only.
    #[serde(deserialize_with = "said")]
    #[schema(nullable = false)]
    role: Option<String>,
    /// `active` or `disabled`. Administrators only.
    #[serde(deserialize_with = "said")]
    #[schema(nullable = false, pattern = "^(active|disabled)$")]
    status: Option<String>,
    /// Preferred language (BCP 47); `null` removes it.
    #[schema(value_type = Option<String>, max_length = 35)]
    locale: LocalePatch,
    /// Merged into the custom attributes, which users can write themselves; `null` removes an attribute.
    #[schema(value_type = Option<Object>)]
    attributes: AttributesPatch,
    /// Merged into the custom attributes that the user can read but not change; `null` removes an attribute.
    /// Administrators only.
    #[schema(value_type = Option<Object>)]
    app_attributes: AttributesPatch,
}

/// In a merge patch `null` removes, and these cannot be removed: only a value will do.
pub(super) fn said<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    String::deserialize(deserializer).map(Some)
}

/// The language in a merge patch. Serialized only as the default in the OpenAPI document.
#[derive(Default, Serialize)]
#[serde(untagged)]
enum LocalePatch {
    #[default]
    Absent,
    Present(Option<String>),
}

impl<'de> Deserialize<'de> for LocalePatch {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Option::deserialize(deserializer).map(Self::Present)
    }
}

/// Attributes in a merge patch.
#[derive(Default)]
enum AttributesPatch {
    #[default]
    Absent,
    Clear,
    Merge(Object),
}

impl<'de> Deserialize<'de> for AttributesPatch {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        object_or_null(deserializer).map(|patch| patch.map_or(Self::Clear, Self::Merge))
    }
}

impl From<AttributesPatch> for Option<AttributesChange> {
    fn from(patch: AttributesPatch) -> Self {
        match patch {
            AttributesPatch::Absent => None,
            AttributesPatch::Clear => Some(AttributesChange::Replace(Attributes::default())),
            AttributesPatch::Merge(patch) => Some(AttributesChange::Merge(patch)),
        }
    }
}

/// Update a user.
#[utoipa::path(
    patch, path = "/api/v1/users/{id}", tag = "users", operation_id = "users.update",
    params(
        ("id" = String, Path, format = Uuid, description = "The id of the user."),
        ("If-Match" = Option<String>, Header, description = "Fails with 412 unless the user has this version."),
    ),
    request_body(content((PatchUserBody = "application/merge-patch+json"), (PatchUserBody = "application/json"))),
    responses(
        (status = 200, description = "The updated user.", body = UserBody,
            headers(("ETag" = String, description = "The version of the user."))),
        BadBody, SignedIn, Grantable, UserExists, Collision, Fresh, Always,
    ),
    security(("bearer" = [])),
)]
async fn patch(
    Caller(ctx): Caller,
    IdPath(id): IdPath<UserId>,
    headers: HeaderMap,
    JsonBody(body): JsonBody<PatchUserBody>,
) -> Result<Response, Problem> {
    let mut fields = Fields::default();
    let change = UserChange {
        email: body.email.and_then(|raw| fields.check("email", EmailAddress::parse(&raw))),
        name: body.name.and_then(|raw| fields.check("name", DisplayName::parse(&raw))),
        role: body.role.and_then(|raw| fields.check("role", RoleName::reference(&raw))),
        status: body.status.and_then(|raw| fields.check("status", settable_status(&raw))),
        locale: match body.locale {
            LocalePatch::Absent => None,
            LocalePatch::Present(raw) => fields.check("locale", raw.as_deref().map(Locale::parse).transpose()),
        },
        attributes: body.attributes.into(),
        app_attributes: body.app_attributes.into(),
    };
    let change = fields.finish(Some(change))?;
    update(&ctx, id, &headers, change).await
}

async fn update(
    ctx: &denizen_domain::Ctx,
    id: UserId,
    headers: &HeaderMap,
    change: UserChange,
) -> Result<Response, Problem> {
    let expected = etag::if_match(headers)?;
    let user = users::update(ctx, id, change, expected.as_deref()).await?;
    Ok(([(ETAG, etag::of_user(&user))], Json(UserBody::from(user))).into_response())
}

/// A status that can be given.
pub(super) fn settable_status(raw: &str) -> Result<Status, RuleBroken> {
    let settable = Status::parse(raw).filter(|status| matches!(status, Status::Active | Status::Disabled));
    settable.ok_or_else(|| RuleBroken { code: "invalid_value", message: "must be active or disabled".to_owned() })
}

/// How to delete a user.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct DeleteParams {
    /// Whether to delete without a grace period. Requires `users:write` if there is one.
    #[serde(default)]
    now: bool,
}

/// Delete a user.
///
/// Permanently deletes the user and all data that belongs to the user. All sessions end. With
/// `users.deletion_grace_days`, the user is disabled and deleted after the grace period.
#[utoipa::path(
    delete, path = "/api/v1/users/{id}", tag = "users", operation_id = "users.delete",
    params(
        ("id" = String, Path, format = Uuid, description = "The id of the user."),
        DeleteParams,
        ("If-Match" = Option<String>, Header, description = "Fails with 412 unless the user has this version."),
    ),
    responses(
        (status = 204, description = "The user was deleted, or the deletion was scheduled."),
        BadInput, SignedIn, Permitted, UserExists, AdminRemains, Fresh, Always,
    ),
    security(("bearer" = [])),
)]
async fn delete(
    Caller(ctx): Caller,
    IdPath(id): IdPath<UserId>,
    Query(params): Query<DeleteParams>,
    headers: HeaderMap,
) -> Result<StatusCode, Problem> {
    let expected = etag::if_match(&headers)?;
    let time = if params.now { DeletionTime::Now } else { DeletionTime::AfterGracePeriod };
    users::delete(&ctx, id, expected.as_deref(), time).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Restore a user.
///
/// Cancels the scheduled deletion of a user, and restores the previous status.
#[utoipa::path(
    post, path = "/api/v1/users/{id}/restore", tag = "users", operation_id = "users.restore",
    params(("id" = String, Path, format = Uuid, description = "The id of the user.")),
    responses(
        (status = 200, description = "The user.", body = UserBody,
            headers(("ETag" = String, description = "The version of the user."))),
        BadInput, SignedIn, Permitted, UserExists, Always,
    ),
    security(("bearer" = [])),
)]
async fn restore(Caller(ctx): Caller, IdPath(id): IdPath<UserId>) -> Result<Response, Problem> {
    let user = users::restore(&ctx, id).await?;
    Ok(([(ETAG, etag::of_user(&user))], Json(UserBody::from(user))).into_response())
}
