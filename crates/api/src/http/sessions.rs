//! `/api/v1/sessions`: see who is signed in where, and end it.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use denizen_domain::Ctx;
use denizen_domain::access::Subject;
use denizen_domain::error::{Error, FieldError, RuleBroken};
use denizen_domain::id::{SessionId, UserId};
use denizen_domain::sessions::{self, Session};
use denizen_domain::time::Timestamp;
use http::{StatusCode, Uri};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Shared;
use super::answers::{Always, BadInput, Permitted, SessionExists, SignedIn, UserExists};
use super::extract::{Caller, IdPath, ListQuery, Query};
use super::page::{self, List, PageParams};
use super::problem::Problem;

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(list, end_all)).routes(routes!(end))
}

/// An active session.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({
    "id": "019365a8-7b1f-7c3e-8d0c-0a1c2d3e4f50", "user_id": "019365a8-6a5c-7f3e-9d0c-7b1f0a1c2d3e",
    "label": "Ada's laptop", "address": "192.0.2.7", "user_agent": "Mozilla/5.0",
    "created_at": "2026-11-22T17:30:18.000001Z", "refreshed_at": "2026-11-22T17:45:18.000001Z",
    "last_used_at": "2026-11-22T17:50:18.000001Z", "expires_at": "2026-12-06T17:45:18.000001Z", "is_current": true
}))]
pub(crate) struct SessionBody {
    /// The id of the session (claim `sid`).
    #[schema(format = Uuid)]
    id: String,
    /// Whose it is.
    #[schema(format = Uuid)]
    user_id: String,
    /// The device label given at sign-in.
    #[schema(required = true, max_length = 200)]
    label: Option<String>,
    /// The IP address of the client at sign-in.
    #[schema(required = true)]
    address: Option<String>,
    /// The `User-Agent` of the client at sign-in, truncated to 256 characters.
    #[schema(required = true, max_length = 256)]
    user_agent: Option<String>,
    /// Creation time.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// Time of the last refresh.
    #[schema(value_type = String, format = DateTime)]
    refreshed_at: Timestamp,
    /// Time of the last use, accurate to about one minute.
    #[schema(value_type = String, format = DateTime)]
    last_used_at: Timestamp,
    /// Expiry time. Each refresh extends it, up to `sessions.absolute_ttl_s`.
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
    /// When the user last authenticated in the session; the claim `auth_time` of its access tokens.
    #[schema(value_type = String, format = DateTime)]
    authenticated_at: Timestamp,
    /// How the user authenticated (RFC 8176): `pwd`, `otp` (a TOTP or recovery code), `email` (a mailed code or link), `fed`
    /// (an outside provider), `hwk` (a device-bound key), `swk` (a synchronized key), `user` (user presence), `mfa`. Empty
    /// if unknown.
    #[schema(max_items = 16, example = json!(["pwd", "otp", "mfa"]))]
    amr: Vec<&'static str>,
    /// The assurance level: `aal1`, `aal2` (two factors), or `phr` (two factors, phishing-resistant).
    #[schema(pattern = "^(aal1|aal2|phr)$", value_type = String, example = "aal2")]
    acr: &'static str,
    /// The id of the linked identity with which the session was opened.
    #[schema(required = true, format = Uuid)]
    identity_id: Option<String>,
    /// Whether this is the session of the caller.
    is_current: bool,
}

impl SessionBody {
    pub(crate) fn of(session: Session, current: Option<SessionId>) -> Self {
        Self {
            id: session.id.to_string(),
            user_id: session.user_id.to_string(),
            label: session.label.map(|label| label.to_string()),
            address: session.origin.address.map(|address| address.to_string()),
            user_agent: session.origin.user_agent,
            created_at: session.created_at,
            refreshed_at: session.refreshed_at,
            last_used_at: session.last_used_at,
            expires_at: session.idle_expires_at.min(session.expires_at),
            authenticated_at: session.proven_at,
            amr: session.authenticated.methods.names().collect(),
            acr: session.authenticated.methods.acr().as_str(),
            identity_id: session.authenticated.identity_id.map(|id| id.to_string()),
            is_current: current == Some(session.id),
        }
    }
}

/// Which sessions to list.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct FilterParams {
    /// The id of the user. Default: the caller.
    #[param(format = Uuid)]
    user_id: Option<String>,
}

/// List active sessions, newest first.
///
/// Returns the caller's own sessions. Listing those of another user requires `sessions:read`.
#[utoipa::path(
    get, path = "/api/v1/sessions", tag = "sessions", operation_id = "sessions.list",
    params(PageParams, FilterParams),
    responses(
        (status = 200, description = "A page of sessions.", body = [SessionBody], headers(
            ("Link" = String, description = "`rel=\"next\"`: the next page, if there is one (RFC 8288)."),
            ("X-Total-Count" = u64, description = "The total number of items, with `count=true`."),
        )),
        BadInput, SignedIn, Permitted, UserExists, Always,
    ),
    security(("bearer" = [])),
)]
async fn list(
    State(shared): State<Shared>,
    Caller(ctx): Caller,
    uri: Uri,
    ListQuery { page, filter: params }: ListQuery<FilterParams>,
) -> Result<Response, Problem> {
    let vault = shared.services.vault.as_ref();
    let (page, total) = page.read(vault, List::Sessions)?;
    let user = whose(&ctx, params.user_id.as_deref())?;
    let current = ctx.signed_in().ok().map(|(_, session)| session);
    let listed = sessions::list(&ctx, user, page, total).await?;
    Ok(page::respond(vault, List::Sessions, &uri, listed, |session| SessionBody::of(session, current)))
}

/// The user that is meant: the caller, when none is named.
pub(crate) fn whose(ctx: &Ctx, named: Option<&str>) -> Result<UserId, Error> {
    if let Some(raw) = named {
        let broken = || RuleBroken { code: "invalid_id", message: "must be a UUID".to_owned() };
        return Ok(UserId::parse(raw).ok_or_else(|| broken().at("user_id"))?);
    }
    match ctx.principal()?.subject {
        Subject::User(id) => Ok(id),
        // A program has no sessions.
        Subject::ServiceAccount(_) => Err(Error::Forbidden),
    }
}

/// End a session.
///
/// Ending a session of another user requires `sessions:write`. The tokens of the session stop working immediately.
/// Ending an ended session is not an error.
#[utoipa::path(
    delete, path = "/api/v1/sessions/{id}", tag = "sessions", operation_id = "sessions.end",
    params(("id" = String, Path, format = Uuid, description = "The id of the session.")),
    responses(
        (status = 204, description = "The session has ended."),
        BadInput, SignedIn, Permitted, SessionExists, Always,
    ),
    security(("bearer" = [])),
)]
async fn end(Caller(ctx): Caller, IdPath(id): IdPath<SessionId>) -> Result<StatusCode, Problem> {
    sessions::end(&ctx, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Which sessions to end.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct EndParams {
    /// The id of the user. Default: the caller.
    #[param(format = Uuid)]
    user_id: Option<String>,
    /// `current` excludes the session of the caller.
    #[param(pattern = "^current$")]
    except: Option<String>,
}

/// The number of sessions that were ended.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({"ended": 3}))]
pub(crate) struct EndedBody {
    /// The number of sessions that were active before the request.
    pub(crate) ended: u64,
}

/// End all sessions of a user.
///
/// Ending the sessions of another user requires `sessions:write`. With `except=current`, the session of the caller
/// remains active.
#[utoipa::path(
    delete, path = "/api/v1/sessions", tag = "sessions", operation_id = "sessions.end_all",
    params(EndParams),
    responses(
        (status = 200, description = "The sessions have ended.", body = EndedBody),
        BadInput, SignedIn, Permitted, UserExists, Always,
    ),
    security(("bearer" = [])),
)]
async fn end_all(Caller(ctx): Caller, Query(params): Query<EndParams>) -> Result<Json<EndedBody>, Problem> {
    let user = whose(&ctx, params.user_id.as_deref())?;
    let keep = match params.except.as_deref() {
        None => None,
        Some("current") => Some(ctx.signed_in()?.1),
        Some(_) => return Err(FieldError::new("except", "invalid_value", "must be current").into()),
    };
    let ended = sessions::end_of_user(&ctx, user, keep).await?;
    Ok(Json(EndedBody { ended }))
}
