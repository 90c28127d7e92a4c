//! `/api/v1/signing-keys`.

use axum::Json;
use axum::extract::FromRequestParts;
use axum::response::{IntoResponse, Response};
use denizen_domain::error::FieldError;
use denizen_domain::keys::{self, KeyInfo, Takeover};
use denizen_domain::time::Timestamp;
use http::StatusCode;
use http::request::Parts;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Shared;
use super::answers::{Always, BadBody, KeysAreStored, Permitted, SignedIn, SigningKeyExists};
use super::extract::{Caller, OptionalJsonBody, path_param};
use super::problem::Problem;

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(list, rotate)).routes(routes!(withdraw))
}

/// The `{kid}` of a path.
struct KidPath(String);

impl<S: Send + Sync> FromRequestParts<S> for KidPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        Ok(Self(path_param(parts, state, "kid").await.unwrap_or_default()))
    }
}

/// A key that signs access tokens, without its private key.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({
    "id": "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs", "algorithm": "ES256", "state": "current",
    "created_at": "2026-11-22T17:30:18.000001Z", "activates_at": "2026-11-22T17:30:18.000001Z", "withdrawn_at": null
}))]
pub(crate) struct SigningKeyBody {
    /// The `kid` (RFC 7517 §4.5).
    id: String,
    /// The `alg`: `ES256`, `EdDSA` or `RS256`.
    #[schema(pattern = "^(ES256|EdDSA|RS256)$")]
    algorithm: &'static str,
    /// `next`: published, not signing yet; `current`: signing; `previous`: still accepted for verification; `retired`:
    /// all tokens that it signed have expired; `withdrawn`: the tokens that it signed are rejected.
    #[schema(pattern = "^(next|current|previous|retired|withdrawn)$")]
    state: &'static str,
    /// Creation time.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// The time from which the key signs.
    #[schema(value_type = String, format = DateTime)]
    activates_at: Timestamp,
    /// The time of withdrawal.
    #[schema(required = true, value_type = Option<String>, format = DateTime)]
    withdrawn_at: Option<Timestamp>,
}

impl From<KeyInfo> for SigningKeyBody {
    fn from(key: KeyInfo) -> Self {
        Self {
            id: key.id,
            algorithm: key.algorithm.as_str(),
            state: key.state.as_str(),
            created_at: key.created_at,
            activates_at: key.activates_at,
            withdrawn_at: key.withdrawn_at,
        }
    }
}

/// List the signing keys, newest first.
///
/// Returns all keys, without pagination.
#[utoipa::path(
    get, path = "/api/v1/signing-keys", tag = "signing-keys", operation_id = "signing_keys.list",
    responses((status = 200, description = "All signing keys.", body = [SigningKeyBody]), SignedIn, Permitted, Always),
    security(("bearer" = [])),
)]
async fn list(Caller(ctx): Caller) -> Result<Json<Vec<SigningKeyBody>>, Problem> {
    let keys = keys::list(&ctx).await?;
    Ok(Json(keys.into_iter().map(SigningKeyBody::from).collect()))
}

/// When the new key becomes current.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"takeover": "announced"}))]
struct RotateBody {
    /// `announced` (default): after caches have had time to fetch the new key; `immediate`: at once, in which case
    /// verifiers with cached keys may reject tokens until they fetch the new ones.
    #[schema(pattern = "^(announced|immediate)$")]
    takeover: Option<String>,
}

/// Rotate the signing key.
///
/// Creates the next key. Tokens that the current key has signed remain valid.
#[utoipa::path(
    post, path = "/api/v1/signing-keys", tag = "signing-keys", operation_id = "signing_keys.rotate",
    params(("Idempotency-Key" = Option<String>, Header, description = "Replays the first response for 24 hours.")),
    request_body = RotateBody,
    responses(
        (status = 201, description = "The new key.", body = SigningKeyBody),
        BadBody, SignedIn, Permitted, KeysAreStored, Always,
    ),
    security(("bearer" = [])),
)]
async fn rotate(
    Caller(ctx): Caller,
    OptionalJsonBody(body): OptionalJsonBody<RotateBody>,
) -> Result<Response, Problem> {
    let takeover = match body.takeover.as_deref() {
        None | Some("announced") => Takeover::Announced,
        Some("immediate") => Takeover::Immediate,
        Some(_) => {
            return Err(FieldError::new("takeover", "invalid_value", "must be announced or immediate").into());
        }
    };
    let key = keys::rotate(&ctx, takeover).await?;
    Ok((StatusCode::CREATED, Json(SigningKeyBody::from(key))).into_response())
}

/// Withdraw a signing key.
///
/// For a key that may be compromised: all tokens that it has signed become invalid. If it is the current key, another
/// key replaces it immediately. Withdrawing a withdrawn key is not an error.
#[utoipa::path(
    delete, path = "/api/v1/signing-keys/{kid}", tag = "signing-keys", operation_id = "signing_keys.withdraw",
    params(("kid" = String, Path, description = "The id of the key.")),
    responses(
        (status = 204, description = "The key was withdrawn."),
        SignedIn, Permitted, SigningKeyExists, KeysAreStored, Always,
    ),
    security(("bearer" = [])),
)]
async fn withdraw(Caller(ctx): Caller, KidPath(kid): KidPath) -> Result<StatusCode, Problem> {
    keys::withdraw(&ctx, &kid).await?;
    Ok(StatusCode::NO_CONTENT)
}
