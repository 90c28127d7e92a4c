//! Exchanges authorization codes and refresh tokens for tokens (RFC 6749 §4.1.3, §6), by the crate `oauth2` over our own client.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;

use http::header::{AUTHORIZATION, CONTENT_TYPE, USER_AGENT};
use http::{HeaderValue, StatusCode};
use oauth2::basic::{
    BasicErrorResponse, BasicRevocationErrorResponse, BasicTokenIntrospectionResponse, BasicTokenType,
};
use oauth2::{
    AuthType, AuthorizationCode, ClientId, ClientSecret, ExtraTokenFields, HttpRequest, HttpResponse, PkceCodeVerifier,
    RedirectUrl, RefreshToken, RequestTokenError, StandardRevocableToken, StandardTokenResponse, TokenResponse,
    TokenUrl,
};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::failure::Failure;
use super::fetch::{PROGRAM, expect_no_failure};
use super::presets::ClientAuth;
use super::token_response::{self, ExchangeError};
use crate::outside::{Answer, Outside, send};

/// What is used of a token response beyond RFC 6749.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Extra {
    id_token: Option<String>,
    #[serde(flatten)]
    others: Map<String, Value>,
}

impl ExtraTokenFields for Extra {}

/// A client whose token responses have [`Extra`] members.
pub(super) type Client<HasAuthUrl = oauth2::EndpointNotSet, HasTokenUrl = oauth2::EndpointNotSet> = oauth2::Client<
    BasicErrorResponse,
    StandardTokenResponse<Extra, BasicTokenType>,
    BasicTokenIntrospectionResponse,
    StandardRevocableToken,
    BasicRevocationErrorResponse,
    HasAuthUrl,
    oauth2::EndpointNotSet,
    oauth2::EndpointNotSet,
    oauth2::EndpointNotSet,
    HasTokenUrl,
>;

/// A token request.
pub(super) struct TokenRequest<'a> {
    pub(super) url: &'a str,
    pub(super) client_id: &'a str,
    pub(super) client_secret: Option<&'a SecretString>,
    pub(super) client_auth: ClientAuth,
    pub(super) grant: Grant<'a>,
    pub(super) headers: &'a BTreeMap<String, String>,
    /// Whether the provider expects JSON instead of a form.
    pub(super) is_json: bool,
}

/// What is exchanged for tokens.
#[derive(Clone, Copy)]
pub(super) enum Grant<'a> {
    /// An authorization code.
    Code {
        code: &'a SecretString,
        /// The redirect URI of the authorization request, if it had one.
        redirect_uri: Option<&'a str>,
        /// The PKCE verifier, if the provider supports that.
        code_verifier: Option<&'a SecretString>,
    },
    /// A refresh token.
    RefreshToken(&'a SecretString),
}

/// The tokens.
pub(super) struct Tokens {
    pub(super) access_token: SecretString,
    pub(super) token_type: String,
    pub(super) refresh_token: Option<SecretString>,
    /// As the provider writes it.
    pub(super) scope: Option<String>,
    /// In seconds.
    pub(super) expires_in_s: Option<u32>,
    pub(super) id_token: Option<SecretString>,
    /// The members that neither RFC 6749 nor OpenID Connect define.
    pub(super) others: Value,
}

/// Exchanges the code or the refresh token.
pub(super) async fn exchange(outside: &Outside, request: &TokenRequest<'_>) -> Result<Tokens, ExchangeError> {
    let malformed = |_| ExchangeError::Failed(Failure::because("settings", "the token endpoint is not a URL"));
    let url = TokenUrl::new(request.url.to_owned()).map_err(malformed)?;
    let mut client =
        Client::new(ClientId::new(request.client_id.to_owned())).set_auth_type(match request.client_auth {
            ClientAuth::Basic => AuthType::BasicAuth,
            ClientAuth::Post => AuthType::RequestBody,
        });
    if let Some(secret) = request.client_secret {
        client = client.set_client_secret(ClientSecret::new(secret.expose_secret().to_owned()));
    }
    let client = client.set_token_uri(url);
    let http = TokenEndpoint { outside, headers: request.headers, is_json: request.is_json };
    let response = match request.grant {
        Grant::Code { code, redirect_uri, code_verifier } => {
            let mut exchange = client.exchange_code(AuthorizationCode::new(code.expose_secret().to_owned()));
            if let Some(uri) = redirect_uri {
                exchange = exchange.set_redirect_uri(Cow::Owned(RedirectUrl::new(uri.to_owned()).map_err(malformed)?));
            }
            if let Some(verifier) = code_verifier {
                exchange = exchange.set_pkce_verifier(PkceCodeVerifier::new(verifier.expose_secret().to_owned()));
            }
            exchange.request_async(&http).await
        }
        Grant::RefreshToken(token) => {
            let token = RefreshToken::new(token.expose_secret().to_owned());
            client.exchange_refresh_token(&token).request_async(&http).await
        }
    };
    let response = response.map_err(|error| match error {
        RequestTokenError::Request(error) => error.0,
        // The body is in the error, and may hold tokens.
        _ => ExchangeError::Failed(Failure::because("token_response", "the response is not that of RFC 6749")),
    })?;
    let scopes =
        response.scopes().map(|scopes| scopes.iter().map(|scope| scope.as_str()).collect::<Vec<_>>().join(" "));
    let expires_in_s = response.expires_in().map(|lifetime| u32::try_from(lifetime.as_secs()).unwrap_or(u32::MAX));
    Ok(Tokens {
        access_token: response.access_token().secret().as_str().into(),
        token_type: response.token_type().as_ref().to_owned(),
        refresh_token: response.refresh_token().map(|token| token.secret().as_str().into()),
        scope: scopes.filter(|scopes| !scopes.is_empty()),
        expires_in_s,
        id_token: response.extra_fields().id_token.as_deref().map(Into::into),
        others: Value::Object(response.extra_fields().others.clone()),
    })
}

/// The client that `oauth2` sends token requests with.
struct TokenEndpoint<'a> {
    outside: &'a Outside,
    headers: &'a BTreeMap<String, String>,
    is_json: bool,
}

/// Why `oauth2` has no response.
#[derive(Debug, thiserror::Error)]
#[error("the token request failed")]
struct TokenEndpointError(ExchangeError);

impl<'c> oauth2::AsyncHttpClient<'c> for TokenEndpoint<'_> {
    type Error = TokenEndpointError;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, TokenEndpointError>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(async move { self.send(request).await.map_err(TokenEndpointError) })
    }
}

impl TokenEndpoint<'_> {
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, ExchangeError> {
        let answer = self.answer(request).await.map_err(ExchangeError::Failed)?;
        let document = token_response::parse(&answer)?;
        let mut response = HttpResponse::new(document.to_string().into_bytes());
        *response.status_mut() = StatusCode::OK;
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Ok(response)
    }

    async fn answer(&self, request: HttpRequest) -> Result<Answer, Failure> {
        let (parts, body) = request.into_parts();
        let mut headers = parts.headers;
        let mut body = body;
        if let Some(credentials) = headers.get_mut(AUTHORIZATION) {
            credentials.set_sensitive(true);
        }
        if self.is_json {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            body = form_to_json(&body);
        }
        let mut request = self.outside.post(&parts.uri.to_string())?.headers(headers).header(USER_AGENT, PROGRAM);
        for (name, value) in self.headers {
            request = request.header(name, value);
        }
        let answer = send(request.body(body)).await?;
        expect_no_failure(&answer)?;
        Ok(answer)
    }
}

/// The members of a form as a JSON object.
fn form_to_json(form: &[u8]) -> Vec<u8> {
    let base = reqwest::Url::parse("https://form.invalid/").map(|mut url| {
        url.set_query(std::str::from_utf8(form).ok());
        url
    });
    let members: Map<String, Value> = base
        .iter()
        .flat_map(reqwest::Url::query_pairs)
        .map(|(name, value)| (name.into_owned(), json!(value)))
        .collect();
    Value::Object(members).to_string().into_bytes()
}
