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
        "429" "too_many_requests" "Too many requests. Retry after the number of seconds in `Retry-After`.",
        "500" "internal" "Internal server error.",
        "503" "overloaded" "The server is overloaded or the database is unavailable. Retry after the number of seconds in `Retry-After`.",
    ];
    /// What every operation may answer, whatever it is: the head of the request is looked at first.
    HeadTooLarge => ["431" "headers_too_large" "The request line and headers exceed `limits.header_bytes`."];
    /// Parameters that break a rule.
    BadInput => ["400" "invalid_input" "The input is invalid; `fields` lists the invalid fields."];
    /// A body that cannot be taken.
    BadBody => [
        "400" "invalid_input" "The input is invalid; `fields` lists the invalid fields.",
        "408" "body_timeout" "The request body was not received in time.",
        "413" "body_too_large" "The request body exceeds 1 MiB.",
        "415" "unsupported_media_type" "The request body is not JSON, or has an unsupported content encoding.",
    ];
    /// A form that cannot be taken.
    BadForm => [
        "400" "invalid_input" "The response of the provider is invalid.",
        "408" "body_timeout" "The request body was not received in time.",
        "413" "body_too_large" "The request body exceeds 16 KiB.",
        "415" "unsupported_media_type" "The request body is not form-encoded.",
    ];
    /// The caller must be known.
    SignedIn => ["401" "unauthenticated" "The credentials are missing or invalid."];
    /// The credentials in the body are not good.
    BadCredentials => ["401" "invalid_credentials" "The email address is unknown, the password is wrong, or the account is disabled. The response does not reveal which."];
    /// The proof of a sign-in at a provider is not valid.
    BadProof => ["401" "invalid_code" "`invalid_code`: the code or its verifier is wrong, used or expired; `provider_refused`: the ID token, the authorization code or the nonce is not valid."];
    /// The provider must exist.
    ProviderExists => ["404" "provider_not_found" "The provider does not exist."];
    /// The name must be free, and there must be room for one more provider.
    ProviderNameFree => ["409" "provider_name_taken" "`provider_name_taken`: another provider has this name; `too_many_providers`: the limit of 100 providers is reached; `idempotency_key_reused`: the idempotency key was used with a different request."];
    /// The provider must not be part of the configuration.
    ProviderWritable => ["409" "provider_configured" "The provider is part of the configuration of the server."];
    /// The provider must answer.
    ProviderAnswers => ["503" "provider_unavailable" "The provider, the database or this server is unavailable. Retry after the number of seconds in `Retry-After`."];
    /// The identity must be linked, or it must be possible to link it or to create a user.
    IdentityUsable => [
        "403" "signup_closed" "`signup_closed`: only administrators can create accounts; `hook_refused`: the application refused it; `email_unverified`: the provider reports no verified email address; `verification_required`: the email address must be verified first; `csrf_failed`: in cookie mode, the origin is not allowed.",
        "409" "link_required" "`link_required`: a user with this email address exists, sign in as that user and link the identity; `idempotency_key_reused`: the idempotency key was used with a different request.",
    ];
    /// The identity must not be linked to another user.
    IdentityFree => [
        "404" "provider_not_found" "The provider does not exist.",
        "409" "identity_taken" "`identity_taken`: the identity is linked to another user; `too_many_identities`: the user has 20 identities; `idempotency_key_reused`: the idempotency key was used with a different request.",
    ];
    /// The identity must exist.
    IdentityExists => ["404" "identity_not_found" "`user_not_found`; or `identity_not_found`: the user has no such identity."];
    /// The identity must be visible to the caller, and its provider enabled.
    TokensExist => [
        "404" "identity_not_found" "`user_not_found`; `identity_not_found`: the user has no such identity; or `provider_not_found`: the provider is disabled or was removed.",
        "409" "provider_tokens_gone" "There are no tokens of the provider, or it no longer accepts them: the user must sign in through it again.",
    ];
    /// The user must be allowed to sign in.
    SignInAllowed => ["403" "verification_required" "`verification_required`: the email address must be verified first; `hook_refused`: the application refused it; `csrf_failed`: in cookie mode, the origin is not allowed."];
    /// The code in the body is not good.
    BadCode => ["401" "invalid_code" "The code is wrong or already used, or the challenge is no longer valid. The response does not reveal which."];
    /// The passkey in the body is not accepted.
    BadPasskey => ["401" "invalid_passkey" "The passkey was rejected, its state has expired or was used, or the account is disabled. The response does not reveal which."];
    /// The passkey in the body is not accepted, or the challenge has ended.
    BadChallengePasskey => ["401" "invalid_passkey" "`invalid_passkey`: the passkey was rejected, or its state has expired or was used; `invalid_code`: the challenge is no longer valid."];
    /// The caller must have proven a factor lately.
    SteppedUp => ["403" "step_up_required" "`step_up_required`: authenticate again with `POST /api/v1/sessions/current/step-up`; `forbidden`: the caller did not sign in with a session."];
    /// The way to sign in must be offered.
    Offered => ["403" "not_offered" "This sign-in method is disabled by the configuration."];
    /// Mail must be sent.
    MailSent => ["403" "not_offered" "Mail is disabled on this server."];
    /// There must be a second factor.
    FactorExists => ["404" "second_factor_not_found" "There is no second factor."];
    /// The passkey must exist.
    PasskeyExists => ["404" "passkey_not_found" "The passkey does not exist."];
    /// A user must have the passkey.
    PasskeyKnown => ["404" "unknown_passkey" "No user has this passkey. Call `signalUnknownCredential` to remove it from the authenticator."];
    /// There must be room for one more passkey, and it must be new.
    PasskeyRoom => ["409" "too_many_passkeys" "`too_many_passkeys`: the limit of 20 passkeys is reached; `passkey_taken`: the passkey is already registered."];
    /// Another sign-in method must remain.
    WayInRemains => ["409" "last_way_in" "The user would have no sign-in method left."];
    /// Another sign-in method, and a passkey if the role requires one, must remain.
    PasskeyRemains => ["409" "last_way_in" "`last_way_in`: the user would have no sign-in method left; `passkey_required`: the role requires a passkey or a security key, and this is the last one."];
    /// There must be no second factor yet, and the role must accept a TOTP secret.
    TotpEnrollable => ["409" "second_factor_present" "`second_factor_present`: the user already has a second factor; `passkey_required`: the role requires a passkey or a security key."];
    /// There must be no passkey or security key yet.
    PasskeyEnrollable => ["409" "second_factor_present" "`second_factor_present`: the user already has a passkey or a security key; `passkey_taken`: the passkey is already registered."];
    /// The passkey must be new, and the user must have no second factor.
    ResetByPasskey => [
        "403" "not_offered" "`not_offered`: passkeys are not available on this server; `csrf_failed`: in cookie mode, the origin is not allowed.",
        "409" "second_factor_present" "`second_factor_present`: the user has a second factor, so set a password instead; `passkey_taken`: the passkey is already registered; `idempotency_key_reused`: the idempotency key was used with a different request.",
    ];
    /// The passkey must be new.
    JoinedByPasskey => [
        "403" "not_offered" "`not_offered`: passkeys are not available on this server; `csrf_failed`: in cookie mode, the origin is not allowed.",
        "409" "passkey_taken" "`passkey_taken`: the passkey is already registered; `idempotency_key_reused`: the idempotency key was used with a different request.",
    ];
    /// There must be no second factor yet.
    FactorFree => ["409" "second_factor_present" "The user already has a second factor."];
    /// The refresh token in the body is not good.
    BadRefreshToken => ["401" "invalid_refresh_token" "The refresh token is invalid, or its session has ended."];
    /// The caller must hold a permission.
    Permitted => ["403" "forbidden" "The caller lacks the required permission."];
    /// What is done by cookies must come from a page of ours.
    FromOurPages => ["403" "csrf_failed" "Cookie mode: the CSRF token is missing or invalid, or the origin is not allowed."];
    /// The user must exist and be visible to the caller.
    UserExists => ["404" "user_not_found" "The user does not exist or is not visible to the caller."];
    /// The caller must hold a permission, and whatever they grant.
    Grantable => ["403" "permission_not_held" "`forbidden`: the caller lacks the required permission; `permission_not_held`: callers can grant only permissions that they hold."];
    /// Sign-up must be open, or the caller must hold a permission and whatever they grant.
    SignupOpen => ["403" "signup_closed" "`signup_closed`: only administrators can create accounts; `hook_refused`: the application refused it; `permission_not_held`: callers can grant only permissions that they hold."];
    /// The session must exist and be visible to the caller.
    SessionExists => ["404" "session_not_found" "The session does not exist or is not visible to the caller."];
    /// The role must exist.
    RoleExists => ["404" "role_not_found" "The role does not exist."];
    /// The service account must exist.
    ServiceAccountExists => ["404" "service_account_not_found" "The service account does not exist."];
    /// The API key must exist and be visible to the caller.
    ApiKeyExists => ["404" "api_key_not_found" "The API key does not exist or is not visible to the caller."];
    /// The webhook must exist.
    WebhookExists => ["404" "webhook_not_found" "The webhook does not exist."];
    /// The webhook and its delivery must exist.
    DeliveryExists => ["404" "delivery_not_found" "`webhook_not_found`; or `delivery_not_found`: the delivery does not exist or its retention period has passed."];
    /// There must be room for one more webhook.
    WebhookRoom => ["409" "too_many_webhooks" "`too_many_webhooks`: the limit of 50 webhooks is reached; `idempotency_key_reused`: the idempotency key was used with a different request, or its first request is still in progress."];
    /// The signing key must exist.
    SigningKeyExists => ["404" "signing_key_not_found" "The signing key does not exist."];
    /// The name of the role must be free.
    RoleNameFree => ["409" "role_name_taken" "Another role already has this name."];
    /// The role must not be built in.
    RoleOpen => ["409" "role_built_in" "The role is built in and cannot be changed."];
    /// Nobody may have the role, and it must not be built in.
    RoleFree => ["409" "role_in_use" "`role_in_use`: the role is assigned to users or service accounts; `role_built_in`: the role is built in and cannot be deleted."];
    /// There must be keys.
    KeysAreStored => ["409" "signing_by_secret" "Access tokens are signed with a configured secret; there are no signing keys."];
    /// The address must be free.
    EmailFree => ["409" "email_taken" "Another user already has this email address."];
    /// An admin must remain.
    AdminRemains => ["409" "last_admin" "The operation would leave no active administrator."];
    /// The change collides with what is.
    Collision => ["409" "email_taken" "`email_taken`; or `last_admin`: the operation would leave no active administrator."];
    /// An idempotency key must fit its request.
    Repeatable => ["409" "idempotency_key_reused" "The idempotency key was used with a different request, or its first request is still in progress."];
    /// It must be asked to become something else.
    UpgradeRequired => ["426" "upgrade_required" "The request is not a WebSocket handshake: send `Upgrade: websocket`."];
    /// What follows on the cursor must be kept.
    CursorExpired => ["410" "cursor_expired" "The cursor has expired. Start again without a cursor."];
    /// `If-Match` must name the present version.
    Fresh => ["412" "stale" "The current version of the resource does not match `If-Match`."];
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
        response = response.header("Retry-After", header(Type::Integer, "Seconds to wait before retrying."));
    }
    if status == 401 {
        response = response.header("WWW-Authenticate", header(Type::String, "The Bearer challenge (RFC 6750 §3)."));
    }
    response.build()
}
