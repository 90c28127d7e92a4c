//! The error answers of operations, for the OpenAPI document: one set for each reason.

use std::collections::BTreeMap;

use serde_json::json;
use utoipa::IntoResponses;
use utoipa::openapi::response::{Response, ResponseBuilder};
use utoipa::openapi::{ContentBuilder, HeaderBuilder, ObjectBuilder, Ref, RefOr, Type};

macro_rules! answers {
    ($($(#[$doc:meta])* $name:ident => [$($status:literal $code:literal $description:literal),+ $(,)?];)+) => {$(
        $(#[$doc])*
        pub(crate) struct $name;

        impl IntoResponses for $name {
            fn responses() -> BTreeMap<String, RefOr<Response>> {
                BTreeMap::from([$(($status.to_owned(), RefOr::T(answer($status, $code, $description)))),+])
            }
        }
    )+};
}

answers! {
    /// What any operation may answer.
    Always => [
        "429" "too_many_requests" "Too many requests; `Retry-After` says when to return.",
        "500" "internal" "A defect on the server's side.",
        "503" "overloaded" "Overloaded, or the database is away; `Retry-After` says when to return.",
    ];
    /// What every operation may answer, whatever it is: the head of the request is looked at first.
    HeadTooLarge => ["431" "headers_too_large" "The address and the headers are larger than `limits.header_bytes`."];
    /// Parameters that break a rule.
    BadInput => ["400" "invalid_input" "The input breaks a rule; `fields` names what is at fault."];
    /// A body that cannot be taken.
    BadBody => [
        "400" "invalid_input" "The input breaks a rule; `fields` names what is at fault.",
        "408" "body_timeout" "The body arrived too slowly.",
        "413" "body_too_large" "The body is larger than 1 MiB.",
        "415" "unsupported_media_type" "The body is not JSON, or is encoded.",
    ];
    /// The caller must be known.
    SignedIn => ["401" "unauthenticated" "No credentials, or none that are good."];
    /// The credentials in the body are not good.
    BadCredentials => ["401" "invalid_credentials" "Unknown address, wrong password or disabled account: the same for all."];
    /// The code in the body is not good.
    BadCode => ["401" "invalid_code" "The code is wrong or used, or the challenge is over: the same for all."];
    /// The caller must have proven a factor lately.
    SteppedUp => ["403" "step_up_required" "`step_up_required`: prove a factor once more; `forbidden`: the caller has not signed in themselves."];
    /// The way to sign in must be offered.
    Offered => ["403" "not_offered" "This way to sign in is not offered by configuration."];
    /// Mail must be sent.
    MailSent => ["403" "not_offered" "No mail is sent by this server."];
    /// There must be a second factor.
    FactorExists => ["404" "second_factor_not_found" "There is no second factor to confirm or remove."];
    /// There must be no second factor yet.
    FactorFree => ["409" "second_factor_present" "There is a second factor already."];
    /// The refresh token in the body is not good.
    BadRefreshToken => ["401" "invalid_refresh_token" "The refresh token is not valid, or its session is over."];
    /// The caller must hold a permission.
    Permitted => ["403" "forbidden" "The caller may not do this."];
    /// What is done by cookies must come from a page of ours.
    FromOurPages => ["403" "csrf_failed" "In cookie mode: the CSRF token or the origin is not right."];
    /// The user must exist and be visible to the caller.
    UserExists => ["404" "user_not_found" "There is no such user, or the caller may not see it."];
    /// The caller must hold a permission, and whatever they grant.
    Grantable => ["403" "permission_not_held" "`forbidden`: the caller may not do this; `permission_not_held`: nobody grants what they do not hold."];
    /// Sign-up must be open, or the caller must hold a permission and whatever they grant.
    SignupOpen => ["403" "signup_closed" "`signup_closed`: only administrators create accounts here; `permission_not_held`: nobody grants what they do not hold."];
    /// The session must exist and be visible to the caller.
    SessionExists => ["404" "session_not_found" "There is no such session, or the caller may not see it."];
    /// The role must exist.
    RoleExists => ["404" "role_not_found" "There is no such role."];
    /// The service account must exist.
    ServiceAccountExists => ["404" "service_account_not_found" "There is no such service account."];
    /// The API key must exist and be visible to the caller.
    ApiKeyExists => ["404" "api_key_not_found" "There is no such API key, or the caller may not see it."];
    /// The webhook must exist.
    WebhookExists => ["404" "webhook_not_found" "There is no such webhook."];
    /// The webhook and its delivery must exist.
    DeliveryExists => ["404" "delivery_not_found" "`webhook_not_found`, or `delivery_not_found`: it may be longer past than is kept."];
    /// There must be room for one more webhook.
    WebhookRoom => ["409" "too_many_webhooks" "`too_many_webhooks`: there are 50 already; `idempotency_key_reused`: the idempotency key belongs to another request, or to one that is still running."];
    /// The signing key must exist.
    SigningKeyExists => ["404" "signing_key_not_found" "There is no such signing key."];
    /// The name of the role must be free.
    RoleNameFree => ["409" "role_name_taken" "Another role has this name."];
    /// The role must not be built in.
    RoleOpen => ["409" "role_built_in" "The role is built in and stays as it is."];
    /// Nobody may have the role, and it must not be built in.
    RoleFree => ["409" "role_in_use" "`role_in_use`: somebody has the role; `role_built_in`: it stays as it is."];
    /// There must be keys.
    KeysAreStored => ["409" "signing_by_secret" "Access tokens are signed with a configured secret; there are no keys."];
    /// The address must be free.
    EmailFree => ["409" "email_taken" "Another user has this email address."];
    /// An admin must remain.
    AdminRemains => ["409" "last_admin" "This would leave no active admin."];
    /// The change collides with what is.
    Collision => ["409" "email_taken" "`email_taken`, or `last_admin`: this would leave no active admin."];
    /// An idempotency key must fit its request.
    Repeatable => ["409" "idempotency_key_reused" "The idempotency key belongs to another request, or to one that is still running."];
    /// It must be asked to become something else.
    UpgradeRequired => ["426" "upgrade_required" "This is no WebSocket: send `Upgrade: websocket`."];
    /// What follows on the cursor must be kept.
    CursorExpired => ["410" "cursor_expired" "What followed on the cursor is no longer kept; begin without one."];
    /// `If-Match` must name the present version.
    Fresh => ["412" "stale" "The resource is no longer in the version that `If-Match` names."];
}

fn answer(status: &str, code: &str, description: &str) -> Response {
    let status: u16 = status.parse().expect("the table holds numbers");
    let example = json!({"error": {
        "status": status,
        "code": code,
        "message": description,
        "request_id": "019365a8-6a5c-7f3e-9d0c-7b1f0a1c2d3e",
        "fields": [],
    }});
    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("ErrorBody"))).example(Some(example)).build();
    let mut response = ResponseBuilder::new().description(description).content("application/json", content);
    let header = |kind, description: &str| {
        let schema = ObjectBuilder::new().schema_type(kind).build();
        HeaderBuilder::new().schema(Some(schema)).description(Some(description)).build()
    };
    if matches!(status, 429 | 503) {
        response = response.header("Retry-After", header(Type::Integer, "Seconds until it is worth trying again."));
    }
    if status == 401 {
        response = response.header("WWW-Authenticate", header(Type::String, "The Bearer challenge (RFC 6750 §3)."));
    }
    response.build()
}
