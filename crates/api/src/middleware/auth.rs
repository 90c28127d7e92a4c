//! From credentials to the context of the request: who asks.

use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use denizen_domain::Ctx;
use denizen_domain::access::{Actor, Origin};
use denizen_domain::error::{Error, Unauthenticated};
use denizen_domain::id::SessionId;
use denizen_domain::tokens;
use denizen_domain::users::Locale;
use http::HeaderMap;
use http::header::{ACCEPT_LANGUAGE, AUTHORIZATION, USER_AGENT};
use secrecy::{ExposeSecret, SecretString};

use super::address::{ClientAddress, PeerProgram};
use crate::http::problem::Problem;
use crate::http::{Shared, cookies};

const USER_AGENT_CHARS_MAX: usize = 256;

/// A cookie that is no longer good, as an extension of the request.
#[derive(Clone, Copy)]
pub(super) struct StaleCookie;

/// The request with its [`Ctx`]. A bearer that is given must be good, and wins over cookies. A stale cookie is as good
/// as none: the browser sends it along whether the page wants it or not.
pub(super) async fn identify(shared: &Shared, mut request: Request) -> Result<Request, Problem> {
    if !cookies::are_in_use(request.headers()) {
        let actor = actor_of_bearer(shared, request.headers()).await?;
        return Ok(with_context(shared, actor, request));
    }
    let Some(token) = cookies::access_of(request.headers()) else {
        let actor = actor_of_certificate(shared, request.extensions().get().copied()).await?;
        return Ok(with_context(shared, actor, request));
    };
    // Boxed: programs send no cookies, and should not carry the room that this takes.
    let Some((actor, session)) = Box::pin(actor_of_cookie(shared, &token)).await? else {
        request.extensions_mut().insert(StaleCookie);
        return Ok(anybody(shared, request));
    };
    if !request.method().is_safe() {
        shared.origins.check_change(shared.services.vault.as_ref(), session, request.headers())?;
    }
    Ok(with_context(shared, actor, request))
}

/// The stale cookie of a request, if it has one.
pub(super) fn stale_cookie_of(request: &Request) -> Option<StaleCookie> {
    request.extensions().get().copied()
}

/// The answer, which tells whoever had to be known that the cookie is why they are not.
pub(super) fn blame(stale: Option<StaleCookie>, response: Response) -> Response {
    let is_for_the_unknown = |problem: &Problem| problem.code() == "unauthenticated";
    if stale.is_some() && response.extensions().get::<Problem>().is_some_and(is_for_the_unknown) {
        return Problem::from(invalid()).into_response();
    }
    response
}

/// The request with the [`Ctx`] of anybody, whatever credentials they send along.
pub(super) fn anybody(shared: &Shared, request: Request) -> Request {
    with_context(shared, Actor::Anonymous, request)
}

/// What the head of a call over gRPC says of who asks. It is read before the message is, and looked at after: whoever
/// takes their time must still be allowed to ask then. Trailers, which may come with the message, say nothing.
#[derive(Clone)]
pub(crate) struct Presented {
    bearer: Bearer,
    program: Option<PeerProgram>,
    origin: Origin,
}

#[derive(Clone)]
enum Bearer {
    None,
    Malformed,
    Token(SecretString),
}

impl Presented {
    pub(super) fn of(request: &Request) -> Self {
        let headers = request.headers();
        let bearer = match bearer_of(headers) {
            _ if !headers.contains_key(AUTHORIZATION) => Bearer::None,
            None => Bearer::Malformed,
            Some(token) => Bearer::Token(token.into()),
        };
        Self { bearer, program: request.extensions().get().copied(), origin: origin_of(request) }
    }

    /// The context of whoever this is: a bearer that is given must be good, and without one it is the program that the
    /// certificate names, or nobody. Cookies do not count here.
    pub(crate) async fn caller(&self, shared: &Shared) -> Result<Ctx, Error> {
        let actor = match &self.bearer {
            Bearer::None => actor_of_certificate(shared, self.program).await?,
            Bearer::Malformed => return Err(invalid()),
            Bearer::Token(token) => Actor::Known(tokens::authenticate(&shared.services, token.expose_secret()).await?),
        };
        Ok(Ctx::new(shared.services.clone(), actor, self.origin.clone()))
    }

    /// The context of anybody, whatever credentials they send along.
    pub(crate) fn anybody(&self, shared: &Shared) -> Ctx {
        Ctx::new(shared.services.clone(), Actor::Anonymous, self.origin.clone())
    }

    /// Whether there is anything that says who asks, good or not.
    pub(crate) fn is_somebody(&self) -> bool {
        !matches!(self.bearer, Bearer::None) || self.program.is_some()
    }
}

/// The context of the caller whom a bearer names, on a route that asks for none. An invalid bearer is ignored.
pub(crate) async fn with_bearer(ctx: &Ctx, headers: &HeaderMap) -> Result<Ctx, Error> {
    let Some(token) = bearer_of(headers) else { return Ok(ctx.clone()) };
    match tokens::authenticate(ctx.services(), token).await {
        Ok(principal) => Ok(ctx.by(Actor::Known(principal))),
        Err(Error::Unauthenticated(_)) => Ok(ctx.clone()),
        Err(error) => Err(error),
    }
}

fn with_context(shared: &Shared, actor: Actor, mut request: Request) -> Request {
    let origin = origin_of(&request);
    request.extensions_mut().insert(Ctx::new(shared.services.clone(), actor, origin));
    request
}

fn origin_of(request: &Request) -> Origin {
    Origin {
        address: request.extensions().get::<ClientAddress>().and_then(|client| client.0),
        user_agent: user_agent(request.headers()),
        language: language(request.headers()),
    }
}

async fn actor_of_bearer(shared: &Shared, headers: &HeaderMap) -> Result<Actor, Error> {
    let token = bearer_of(headers).ok_or_else(invalid)?;
    tokens::authenticate(&shared.services, token).await.map(Actor::Known)
}

/// The token of the one `Authorization: Bearer`.
fn bearer_of(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let value = values.next().filter(|_| values.next().is_none())?;
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// The program that the certificate of the connection names, when there is one and nothing else says who asks.
async fn actor_of_certificate(shared: &Shared, program: Option<PeerProgram>) -> Result<Actor, Error> {
    let Some(PeerProgram(id)) = program else { return Ok(Actor::Anonymous) };
    // Boxed: few connections have one, and the others should not carry the room that this takes.
    Box::pin(tokens::authenticate_certificate(&shared.services, id)).await.map(Actor::Known)
}

/// Whoever signed in with a browser, and their session; `None` when the cookie is not good, or no longer.
async fn actor_of_cookie(shared: &Shared, token: &SecretString) -> Result<Option<(Actor, SessionId)>, Error> {
    match tokens::authenticate(&shared.services, token.expose_secret()).await {
        Ok(principal) => Ok(principal.signed_in().map(|(_, session)| (Actor::Known(principal), session))),
        Err(Error::Unauthenticated(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

fn invalid() -> Error {
    Error::Unauthenticated(Unauthenticated::InvalidToken)
}

fn language(headers: &HeaderMap) -> Option<Locale> {
    Locale::preferred(headers.get(ACCEPT_LANGUAGE)?.to_str().ok()?)
}

fn user_agent(headers: &HeaderMap) -> Option<String> {
    let text = headers.get(USER_AGENT)?.to_str().ok()?;
    Some(text.chars().take(USER_AGENT_CHARS_MAX).collect())
}
