//! From credentials to the context of the request: who asks.

use axum::extract::Request;
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

/// The request with its [`Ctx`]. Credentials that are given must be good.
pub(super) async fn identify(shared: &Shared, request: Request) -> Result<Request, Problem> {
    let actor = actor_of(shared, request.headers()).await?;
    Ok(with_context(shared, actor, request))
}

/// The request with the [`Ctx`] of anybody, whatever credentials they send along.
pub(super) fn anybody(shared: &Shared, request: Request) -> Request {
    with_context(shared, Actor::Anonymous, request)
}

fn with_context(shared: &Shared, actor: Actor, mut request: Request) -> Request {
    let origin = Origin {
        address: request.extensions().get::<ClientAddress>().and_then(|client| client.0),
        user_agent: user_agent(request.headers()),
    };
    request.extensions_mut().insert(Ctx::new(shared.services.clone(), actor, origin));
    request
}

async fn actor_of(shared: &Shared, headers: &HeaderMap) -> Result<Actor, Error> {
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
