//! From credentials to the context of the request: who asks.

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use denizen_domain::Ctx;
use denizen_domain::access::{Actor, Origin};
use denizen_domain::error::{Error, Unauthenticated};
use denizen_domain::sessions;
use http::HeaderMap;
use http::header::{AUTHORIZATION, USER_AGENT};

use super::address::ClientAddress;
use crate::http::Shared;
use crate::http::problem::Problem;

const USER_AGENT_CHARS_MAX: usize = 256;

/// Lays the [`Ctx`] of the request. Credentials that are given must be good, on every route.
pub(super) async fn layer(State(shared): State<Shared>, mut request: Request, next: Next) -> Response {
    let actor = match identify(&shared, request.headers()).await {
        Ok(actor) => actor,
        Err(error) => return Problem::from(error).into_response(),
    };
    lay_context(&shared, actor, &mut request);
    next.run(request).await
}

/// Lays the [`Ctx`] of a request that anybody may make, whatever credentials they send along.
pub(super) async fn anonymous(State(shared): State<Shared>, mut request: Request, next: Next) -> Response {
    lay_context(&shared, Actor::Anonymous, &mut request);
    next.run(request).await
}

fn lay_context(shared: &Shared, actor: Actor, request: &mut Request) {
    let origin = Origin {
        address: request.extensions().get::<ClientAddress>().and_then(|client| client.0),
        user_agent: user_agent(request.headers()),
    };
    request.extensions_mut().insert(Ctx::new(shared.services.clone(), actor, origin));
}

async fn identify(shared: &Shared, headers: &HeaderMap) -> Result<Actor, Error> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Ok(Actor::Anonymous) };
    let invalid = || Error::Unauthenticated(Unauthenticated::InvalidToken);
    if values.next().is_some() {
        return Err(invalid());
    }
    let (scheme, token) = value.to_str().ok().and_then(|text| text.split_once(' ')).ok_or_else(invalid)?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(invalid());
    }
    let verified = shared.verifier.verify(token.trim(), shared.services.clock.now()).map_err(|rejected| {
        tracing::debug!(reason = %rejected, "token rejected");
        invalid()
    })?;
    sessions::authenticate(&shared.services, verified.subject, verified.session_id).await.map(Actor::User)
}

fn user_agent(headers: &HeaderMap) -> Option<String> {
    let text = headers.get(USER_AGENT)?.to_str().ok()?;
    Some(text.chars().take(USER_AGENT_CHARS_MAX).collect())
}
