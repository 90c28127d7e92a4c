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
    /// The cursor to go on after; when nothing is said, everything that a token which is still alive could meet comes first.
    after: Option<String>,
}

/// What is dead before its time: one of `session_id`, `api_key_id` and `subject` is there.
#[derive(Debug, Default, Serialize, ToSchema)]
#[schema(example = json!({
    "cursor": "AAAAAAAAAAfWxLK4J2BoTv5rEQfnkFLC", "session_id": "019365a8-7b1f-7c3e-8d0c-0a1c2d3e4f50",
    "since": "2026-11-22T17:30:18.000001Z"
}))]
pub(crate) struct RevocationBody {
    /// Where to go on after it.
    cursor: String,
    /// Every token with this `sid` is dead.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, format = Uuid)]
    session_id: Option<String>,
    /// Every token with this `key_id` is dead.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, format = Uuid)]
    api_key_id: Option<String>,
    /// Every token with this `sub` that was issued (`iat`) before `since` is dead.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, format = Uuid)]
    subject: Option<String>,
    /// Since when.
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

/// Follow revocations as server-sent events.
///
/// For verifiers that check tokens by themselves: ended sessions, deleted API keys, disabled and deleted accounts, as events
/// `revocation`. Without a cursor it begins with all that concern a token which is still alive; the first `heartbeat` says
/// that these are complete. Service accounts may follow, and holders of `tokens:introspect` or `events:read`.
#[utoipa::path(
    get, path = "/api/v1/events/revocations", tag = "events", operation_id = "events.revocations",
    params(RevocationParams,
        ("Last-Event-ID" = Option<String>, Header, description = "The cursor to go on after.")),
    responses(
        (status = 200, description = "The revocations, without an end.", content_type = "text/event-stream",
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
