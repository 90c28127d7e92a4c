//! From credentials to the context of the request: who asks.

use std::sync::Arc;

use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use denizen_domain::Ctx;
use denizen_domain::access::{Actor, Origin};
use denizen_domain::error::{Error, Unauthenticated};
use denizen_domain::id::SessionId;
use denizen_domain::tokens;
use denizen_domain::users::Locale;
use denizen_infra::tracing_context;
use http::header::{ACCEPT_LANGUAGE, AUTHORIZATION, USER_AGENT};
use http::{HeaderMap, Method};
use secrecy::{ExposeSecret, SecretString};

use super::address::{ClientAddress, PeerProgram};
use super::exchange::Exchange;
use crate::http::problem::Problem;
use crate::http::{Shared, cookies};

const USER_AGENT_CHARS_MAX: usize = 256;

/// A cookie that does not count, as an extension of the request, and what to answer where credentials are needed.
#[derive(Clone)]
pub(super) struct IgnoredCookie(Arc<Problem>);

/// The request with its [`Ctx`]. A bearer that is given must be good, and wins over cookies. A cookie that is no longer
/// good is ignored: the browser sends it along whether the page wants it or not. So is, where anybody may ask, the cookie
/// of a change that does not show the CSRF token of its session.
pub(super) async fn identify(shared: &Shared, request: Request) -> Result<Request, Problem> {
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
        return Ok(without_cookie(shared, request, invalid().into()));
    };
    if !request.method().is_safe() {
        let vault = shared.services.vault.as_ref();
        match shared.origins.check_change(vault, session, request.headers()) {
            Ok(()) => {}
            Err(problem) if is_open_to_anybody(&request) => return Ok(without_cookie(shared, request, problem)),
            Err(problem) => return Err(problem),
        }
    }
    Ok(with_context(shared, actor, request))
}

/// Whether this is an operation beside which a session does not matter: signing up.
fn is_open_to_anybody(request: &Request) -> bool {
    request.method() == Method::POST && request.uri().path() == "/api/v1/users"
}

/// The request as if it had come without its cookie.
fn without_cookie(shared: &Shared, mut request: Request, problem: Problem) -> Request {
    request.extensions_mut().insert(IgnoredCookie(Arc::new(problem)));
    anybody(shared, request)
}

/// The cookie of a request that was ignored, if there was one.
pub(super) fn ignored_cookie_of(request: &Request) -> Option<IgnoredCookie> {
    request.extensions().get().cloned()
}

/// The answer; when it asks for credentials, what was wrong with the cookie in its place.
pub(super) fn blame(ignored: Option<IgnoredCookie>, response: Response) -> Response {
    let asks_for_credentials = |problem: &Problem| matches!(problem.code(), "unauthenticated" | "signup_closed");
    match ignored {
        Some(IgnoredCookie(problem)) if response.extensions().get().is_some_and(asks_for_credentials) => {
            Arc::unwrap_or_clone(problem).into_response()
        }
        _ => response,
    }
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
    pub(super) fn of(shared: &Shared, request: &Request) -> Self {
        let headers = request.headers();
        let bearer = match bearer_of(headers) {
            _ if !headers.contains_key(AUTHORIZATION) => Bearer::None,
            None => Bearer::Malformed,
            Some(token) => Bearer::Token(token.into()),
        };
        Self { bearer, program: request.extensions().get().copied(), origin: origin_of(shared, request) }
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
    let origin = origin_of(shared, &request);
    if let Some(exchange) = request.extensions().get::<Arc<Exchange>>() {
        exchange.identify(&actor);
    }
    request.extensions_mut().insert(Ctx::new(shared.services.clone(), actor, origin));
    request
}

fn origin_of(shared: &Shared, request: &Request) -> Origin {
    Origin {
        address: request.extensions().get::<ClientAddress>().and_then(|client| client.0),
        user_agent: user_agent(request.headers()),
        language: language(shared, request.headers()),
        trace: tracing_context::current(),
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

/// The language of the request's mail: of those that mail can be written in, the one with the most weight.
fn language(shared: &Shared, headers: &HeaderMap) -> Option<Locale> {
    let accepted = headers.get(ACCEPT_LANGUAGE)?.to_str().ok()?;
    Locale::preferred(accepted, |locale| shared.services.mailer.supports(locale))
}

/// The `User-Agent` as text: UTF-8, which clients send against RFC 9110, or else ISO 8859-1, without control characters.
fn user_agent(headers: &HeaderMap) -> Option<String> {
    let bytes = headers.get(USER_AGENT)?.as_bytes();
    let latin1 = || bytes.iter().copied().map(char::from).collect();
    let text = std::str::from_utf8(bytes).map_or_else(|_| latin1(), str::to_owned);
    Some(text.chars().filter(|c| !c.is_control()).take(USER_AGENT_CHARS_MAX).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_agent_is_kept_in_any_encoding() {
        let check = |bytes: &[u8], expected: &str| {
            let headers = HeaderMap::from_iter([(USER_AGENT, http::HeaderValue::from_bytes(bytes).unwrap())]);
            assert_eq!(user_agent(&headers).as_deref(), Some(expected));
        };
        check(b"Mozilla/5.0", "Mozilla/5.0");
        check("Zürich/1.0 (日本)".as_bytes(), "Zürich/1.0 (日本)");
        check(b"Z\xfcrich/1.0", "Zürich/1.0");
        check(b"a\tb\x85\xff", "abÿ");
        check("ü".repeat(300).as_bytes(), &"ü".repeat(256));
        assert_eq!(user_agent(&HeaderMap::new()), None);
    }
}
