//! The redirects to a provider and back.

use axum::extract::State;
use axum::response::{AppendHeaders, IntoResponse, Response};
use denizen_domain::identities::{self, Begin, Callback};
use http::header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, LOCATION};
use http::{HeaderMap, StatusCode, Uri};
use secrecy::SecretString;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::ProviderPath;
use crate::http::answers::{Always, BadForm, BadInput, ProviderAnswers, ProviderExists};
use crate::http::extract::{Caller, Query, read_problem};
use crate::http::problem::Problem;
use crate::http::{Shared, cookies};

/// The most that a provider sends in a form, in bytes.
const FORM_BYTES_MAX: usize = 16 * 1024;
/// How much of a provider's error code the log quotes.
const LOGGED_CHARS_MAX: usize = 64;

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(begin)).routes(routes!(callback, receive_form))
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct BeginParams {
    /// Where the browser is sent in the end: one of `sign_in.redirect_urls`, with any query.
    #[param(required = true)]
    redirect_to: Option<String>,
    /// The PKCE challenge: the base64url-encoded SHA-256 digest of a verifier that the application keeps (RFC 7636).
    #[param(required = true, min_length = 43, max_length = 43)]
    code_challenge: Option<String>,
    /// The email address that the provider should suggest.
    login_hint: Option<String>,
}

/// Sign in through a provider.
///
/// Navigate the browser here. It is redirected to the provider, and after the sign-in there to `redirect_to` with a `code`
/// for `POST /api/v1/sessions/exchange`, or with an `error`: `access_denied` (the user cancelled), `provider_refused`,
/// `provider_unavailable`, `provider_not_found` or `too_many_requests`.
#[utoipa::path(
    get, path = "/api/v1/auth/{provider}", tag = "providers", operation_id = "auth.begin",
    params(("provider" = String, Path, description = "The name of the provider."), BeginParams),
    responses(
        (status = 303, description = "Go on at the provider.", headers(("Location" = String, description = "The URL at the provider."))),
        BadInput, ProviderExists, ProviderAnswers, Always,
    ),
    security(()),
)]
async fn begin(
    Caller(ctx): Caller,
    ProviderPath(name): ProviderPath,
    headers: HeaderMap,
    Query(params): Query<BeginParams>,
) -> Result<Response, Problem> {
    let begin = Begin {
        redirect_to: params.redirect_to.unwrap_or_default(),
        code_challenge: params.code_challenge.unwrap_or_default(),
        login_hint: params.login_hint,
        browser: cookies::flow_of(&headers),
    };
    let started = identities::begin(&ctx, &name, begin).await?;
    let cookie = cookies::flow(&started.browser, identities::begin::TTL_S);
    Ok((AppendHeaders([cookie]), see_other(&started.location)).into_response())
}

/// What providers send back. Other parameters are ignored (RFC 6749 §4.1.2).
#[derive(Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct CallbackParams {
    /// The `state` of the request.
    state: Option<String>,
    /// The authorization code.
    #[param(value_type = Option<String>)]
    code: Option<SecretString>,
    /// The error code.
    error: Option<String>,
    /// The issuer (RFC 9207).
    iss: Option<String>,
    /// A response that the provider sent as a form, sealed by this server.
    form: Option<String>,
}

/// Receive the response of a provider.
///
/// Register this URL with the provider as the redirect URI. The browser is redirected to the application.
#[utoipa::path(
    get, path = "/api/v1/auth/{provider}/callback", tag = "providers", operation_id = "auth.callback",
    params(("provider" = String, Path, description = "The name of the provider."), CallbackParams),
    responses(
        (status = 303, description = "Go on at the application.", headers(("Location" = String, description = "`redirect_to` with `code` or `error`."))),
        BadInput, ProviderExists, Always,
    ),
    security(()),
)]
async fn callback(
    Caller(ctx): Caller,
    ProviderPath(name): ProviderPath,
    headers: HeaderMap,
    uri: Uri,
) -> Result<Response, Problem> {
    let params: CallbackParams = read(uri.query().unwrap_or_default());
    let received = match params.form.as_deref() {
        Some(sealed) => identities::callback::open_form(&ctx, &name, sealed)?,
        None => {
            Callback { state: params.state, code: params.code, error: params.error, issuer: params.iss, user: None }
        }
    };
    if let Some(error) = &received.error {
        let error: String = error.chars().take(LOGGED_CHARS_MAX).collect();
        tracing::info!(provider = %name, ?error, "the provider returned an error");
    }
    let location = identities::callback(&ctx, &name, received, cookies::flow_of(&headers).as_ref()).await?;
    Ok(see_other(&location).into_response())
}

/// Receive the response of a provider as a form.
///
/// For providers with `response_mode=form_post`. Browsers send no cookie with a form of another site: the browser is
/// redirected to `GET`, which gets the cookie.
#[utoipa::path(
    post, path = "/api/v1/auth/{provider}/callback", tag = "providers", operation_id = "auth.callback_form",
    params(("provider" = String, Path, description = "The name of the provider.")),
    request_body(content = ProviderForm, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 303, description = "Go on with `GET`.", headers(("Location" = String, description = "This URL, with the sealed response."))),
        BadForm, ProviderExists, Always,
    ),
    security(()),
)]
async fn receive_form(
    State(shared): State<Shared>,
    Caller(ctx): Caller,
    ProviderPath(name): ProviderPath,
    request: axum::extract::Request,
) -> Result<Response, Problem> {
    check_form(request.headers())?;
    let body = axum::body::to_bytes(request.into_body(), FORM_BYTES_MAX).await.map_err(|error| read_problem(&error))?;
    let form: ProviderForm = read(str::from_utf8(&body).unwrap_or_default());
    let received =
        Callback { state: form.state, code: form.code, error: form.error, issuer: form.iss, user: form.user };
    let sealed = identities::callback::seal_form(&ctx, &name, received)?;
    Ok(see_other(&format!("{}/api/v1/auth/{name}/callback?form={sealed}", shared.prefix)).into_response())
}

/// The response of a provider as a form. Other parameters are ignored.
#[derive(Default, Deserialize, ToSchema)]
#[schema(example = json!({"state": "k3Zt8Q", "code": "SplxlOBeZQQYbYS6WxSbIA"}))]
struct ProviderForm {
    /// The `state` of the request.
    state: Option<String>,
    /// The authorization code.
    #[schema(value_type = Option<String>)]
    code: Option<SecretString>,
    /// The error code.
    error: Option<String>,
    /// The issuer (RFC 9207).
    iss: Option<String>,
    /// The profile that Apple sends once: JSON.
    user: Option<String>,
}

fn check_form(headers: &HeaderMap) -> Result<(), Problem> {
    let media_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = media_type.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("application/x-www-form-urlencoded") && !headers.contains_key(CONTENT_ENCODING) {
        return Ok(());
    }
    let message = "Send the body as application/x-www-form-urlencoded, without a content encoding.";
    Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", message))
}

/// Reads known parameters. A malformed response, or one that repeats a parameter, has none: its `state` is refused.
fn read<T: serde::de::DeserializeOwned + Default>(query: &str) -> T {
    serde_urlencoded::from_str(query).unwrap_or_default()
}

/// Neither caches nor the next site learn what the URL contains.
fn see_other(location: &str) -> impl IntoResponse + use<> {
    (StatusCode::SEE_OTHER, [(LOCATION, location.to_owned()), (CACHE_CONTROL, "no-store".to_owned())])
}
