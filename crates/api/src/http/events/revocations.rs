//! `/api/v1/events/revocations`: what verifiers of access tokens must know.

use axum::body::Bytes;
use axum::extract::State;
use axum::response::Response;
use denizen_domain::events::{EventFilter, Revocation, Revoked, follow};
use denizen_domain::ports::Vault;
use denizen_domain::time::Timestamp;
use http::HeaderMap;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::body::cursor;
use super::follow::{Named, begin};
use super::sse::respond;
use crate::feed::Told;
use crate::http::Shared;
use crate::http::answers::{Always, BadInput, CursorExpired, Permitted, SignedIn};
use crate::http::extract::{Caller, Query};
use crate::http::problem::Problem;

/// From where to follow revocations.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct RevocationParams {
    /// The cursor of the last revocation already received. If omitted, the stream starts with all revocations that can
    /// affect an unexpired token.
    after: Option<String>,
}

/// A revocation. Exactly one of `session_id`, `api_key_id` and `subject` is present.
#[derive(Debug, Default, Serialize, ToSchema)]
#[schema(example = json!({
    "cursor": "AAAAAAAAAAfWxLK4J2BoTv5rEQfnkFLC", "session_id": "019365a8-7b1f-7c3e-8d0c-0a1c2d3e4f50",
    "since": "2026-11-22T17:30:18.000001Z"
}))]
pub(crate) struct RevocationBody {
    /// The cursor of the event. Pass it as `after` to continue after it.
    cursor: String,
    /// Tokens with this `sid` are revoked.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, format = Uuid)]
    session_id: Option<String>,
    /// Tokens with this `key_id` are revoked.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, format = Uuid)]
    api_key_id: Option<String>,
    /// Tokens with this `sub` that were issued (`iat`) before `since` are revoked.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, format = Uuid)]
    subject: Option<String>,
    /// The time of the revocation.
    #[schema(required = true, value_type = Option<String>, format = DateTime)]
    since: Option<Timestamp>,
}

impl RevocationBody {
    fn new(vault: &dyn Vault, revocation: Revocation) -> Self {
        let body =
            Self { cursor: cursor(vault, revocation.position), since: Some(revocation.since), ..Self::default() };
        match revocation.revoked {
            Revoked::Session(id) => Self { session_id: Some(id), ..body },
            Revoked::ApiKey(id) => Self { api_key_id: Some(id), ..body },
            Revoked::Subject(id) => Self { subject: Some(id), ..body },
        }
    }
}

/// Stream revocations as server-sent events.
///
/// For resource servers that validate access tokens locally. Ended sessions, deleted API keys, and disabled and deleted
/// accounts are sent as events of type `revocation`. Without a cursor, the stream starts with all revocations that can
/// affect an unexpired token; the first `heartbeat` marks the end of these. Requires a service account,
/// `tokens:introspect` or `events:read`.
#[utoipa::path(
    get, path = "/api/v1/events/revocations", tag = "events", operation_id = "events.revocations",
    params(RevocationParams,
        ("Last-Event-ID" = Option<String>, Header, description = "The cursor of the last revocation received.")),
    responses(
        (status = 200, description = "Unbounded stream of revocations.", content_type = "text/event-stream",
            body = RevocationBody),
        BadInput, SignedIn, Permitted, CursorExpired, Always,
    ),
    security(("bearer" = [])),
)]
pub(super) async fn follow_revocations(
    State(shared): State<Shared>,
    Caller(ctx): Caller,
    Named(request_id): Named,
    headers: HeaderMap,
    Query(params): Query<RevocationParams>,
) -> Result<Response, Problem> {
    let vault = shared.services.vault.as_ref();
    follow::require_revocations(&ctx)?;
    let after = match begin(vault, &headers, params.after.as_deref())? {
        Some(after) => after,
        None => follow::revocations_begin(&ctx).await?,
    };
    let filter = EventFilter { kinds: Some(Revocation::KINDS.to_vec()), about: None };
    let follower = shared.feed.follow_as(&ctx, filter, Some(after)).await?;
    Ok(respond(follower, request_id, lines))
}

fn lines(vault: &dyn Vault, told: &Told) -> Option<Bytes> {
    let body = RevocationBody::new(vault, Revocation::of(&told.event)?);
    let json = serde_json::to_string(&body).expect("a revocation serialises");
    Some(Bytes::from(format!("id: {}\nevent: revocation\ndata: {json}\n\n", body.cursor)))
}
