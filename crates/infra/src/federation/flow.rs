//! The authorization code flow: the URL that it begins with, and the identity that it ends with.

use std::borrow::Cow;
use std::collections::BTreeMap;

use denizen_domain::providers::{
    AuthorizationGrant, AuthorizationRequest, CodeBinding, NativeGrant, OutsideIdentity, Provider, ProviderTokens,
    Redeemed,
};
use oauth2::{AuthUrl, ClientId, CsrfToken, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, Scope};
use secrecy::{ExposeSecret, SecretString};

use super::HttpFederation;
use super::cache::Demand;
use super::exchange::{Client, Grant, TokenRequest, Tokens, exchange};
use super::failure::Failure;
use super::id_token::{Expectation, Header, NonceForm, Signature, Verified, verify};
use super::mapping::{add_apple_name, identity};
use super::metadata::Endpoints;
use super::presets::{Protocol, SecretKind};
use super::resolve::{Resolved, is_issuer, origin_of};
use super::token_response::ExchangeError;
use super::userinfo::{add_userinfo, user_of};

/// The length of a PKCE verifier (RFC 7636 §4.1), in bytes.
const VERIFIER_BYTES: std::ops::RangeInclusive<usize> = 43..=128;

/// What the response and the ID token must say.
struct Expected<'a> {
    nonce: &'a str,
    nonce_form: NonceForm,
    /// The `iss` of the authorization response, if there was one.
    response_issuer: Option<&'a str>,
}

impl HttpFederation {
    /// The authorization request (RFC 6749 §4.1.1, OpenID Connect Core 1.0 §3.1.2.1).
    pub(super) async fn authorize(
        &self,
        provider: &Resolved<'_>,
        request: &AuthorizationRequest<'_>,
    ) -> Result<String, Failure> {
        let endpoints = self.endpoints(provider, Demand::AtOnce).await?;
        // The browser of a user is not sent to an address that this server would refuse.
        self.rules.permit(&endpoints.authorization)?;
        authorization_url(provider, &endpoints, request)
    }

    /// Redeems an authorization code.
    pub(super) async fn redeem_code(
        &self,
        provider: &Provider,
        grant: &AuthorizationGrant<'_>,
    ) -> Result<Redeemed, Failure> {
        let resolved = Resolved::new(&provider.settings)?;
        let endpoints = self.endpoints(&resolved, Demand::AtOnce).await?;
        // Before the code is sent anywhere: it may be meant for another provider (RFC 9207 §2.4).
        check_response_issuer(&resolved, &endpoints, grant.issuer)?;
        let secret = self.client_secret(provider, &resolved)?;
        let code = Grant::Code {
            code: grant.code,
            redirect_uri: Some(grant.redirect_uri),
            code_verifier: resolved.has_pkce().then_some(grant.code_verifier),
        };
        let request = token_request(&resolved, &endpoints, secret.as_deref(), code);
        let tokens = exchange(&self.outside()?, &request).await?;
        let expected = Expected { nonce: grant.nonce, nonce_form: NonceForm::Exact, response_issuer: grant.issuer };
        let identity = self.user_of_tokens(&resolved, &endpoints, &tokens, expected, grant.user).await?;
        Ok(Redeemed { identity, tokens: issued(tokens, resolved.client_id) })
    }

    /// Redeems an authorization code that a native application obtained.
    pub(super) async fn redeem_native_code(
        &self,
        provider: &Provider,
        grant: &NativeGrant<'_>,
    ) -> Result<Redeemed, Failure> {
        let resolved = Resolved { client_id: grant.client_id, ..Resolved::new(&provider.settings)? };
        // The rule of the domain, once more where the code leaves.
        let is_bound = match code_binding(provider, &resolved, grant.client_id) {
            CodeBinding::Nonce => true,
            CodeBinding::Verifier => grant.code_verifier.is_some(),
            CodeBinding::None => false,
        };
        if !is_bound {
            return Err(Failure::because("pkce", "nothing binds the code to the application"));
        }
        let endpoints = self.endpoints(&resolved, Demand::AtOnce).await?;
        let secret = self.client_secret(provider, &resolved)?;
        let code =
            Grant::Code { code: grant.code, redirect_uri: grant.redirect_uri, code_verifier: grant.code_verifier };
        let request = token_request(&resolved, &endpoints, secret.as_deref(), code);
        let tokens = exchange(&self.outside()?, &request).await?;
        let expected = Expected { nonce: grant.nonce, nonce_form: NonceForm::ExactOrDigest, response_issuer: None };
        let identity = self.user_of_tokens(&resolved, &endpoints, &tokens, expected, None).await?;
        Ok(Redeemed { identity, tokens: issued(tokens, resolved.client_id) })
    }

    /// Exchanges a refresh token; `None` if the provider rejects it.
    pub(super) async fn refresh_tokens(
        &self,
        provider: &Provider,
        client_id: &str,
        refresh_token: &SecretString,
    ) -> Result<Option<ProviderTokens>, Failure> {
        let resolved = Resolved { client_id, ..Resolved::new(&provider.settings)? };
        let endpoints = self.endpoints(&resolved, Demand::AtOnce).await?;
        let secret = self.client_secret(provider, &resolved)?;
        let request = token_request(&resolved, &endpoints, secret.as_deref(), Grant::RefreshToken(refresh_token));
        match exchange(&self.outside()?, &request).await {
            Ok(tokens) => Ok(Some(issued(tokens, client_id))),
            // The second one is GitHub's.
            Err(ExchangeError::Answered { error, .. }) if matches!(&*error, "invalid_grant" | "bad_refresh_token") => {
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The user that the tokens were issued for.
    async fn user_of_tokens(
        &self,
        resolved: &Resolved<'_>,
        endpoints: &Endpoints,
        tokens: &Tokens,
        expected: Expected<'_>,
        user: Option<&str>,
    ) -> Result<OutsideIdentity, Failure> {
        let outside = self.outside()?;
        if resolved.protocol == Protocol::Oauth2 {
            let issuer =
                resolved.plain_issuer().ok_or_else(|| Failure::because("settings", "the issuer is missing"))?;
            let claims = user_of(&outside, resolved, endpoints, tokens).await?;
            return identity(resolved, issuer, &claims);
        }
        let id_token = tokens.id_token.as_ref().ok_or_else(|| Failure::because("id_token", "there is no ID token"))?;
        let Expected { nonce, nonce_form, response_issuer } = expected;
        let access_token = Some(tokens.access_token.expose_secret());
        let expected = Expectation { nonce_form, access_token, ..self.expectation(resolved, nonce)? };
        let Verified { issuer, mut claims } = self.verified(endpoints, id_token, &expected).await?;
        if response_issuer.is_some_and(|named| named != issuer) {
            return Err(Failure::refused("response_issuer"));
        }
        add_userinfo(&outside, resolved, endpoints, tokens, &mut claims).await?;
        if let Some(user) = user.filter(|_| resolved.secret_kind() == SecretKind::PrivateKey) {
            add_apple_name(&mut claims, user);
        }
        identity(resolved, issuer, &claims)
    }

    /// Verifies an ID token that a native application obtained.
    pub(super) async fn verify_native(
        &self,
        provider: &Resolved<'_>,
        id_token: &SecretString,
        nonce: &str,
    ) -> Result<OutsideIdentity, Failure> {
        if provider.protocol != Protocol::OpenidConnect {
            return Err(Failure::because("id_token", "the provider issues no ID tokens"));
        }
        let endpoints = self.endpoints(provider, Demand::AtOnce).await?;
        let settings = provider.settings;
        let native = settings.native_client_ids.iter().chain([&settings.client_id]);
        let client_ids: Vec<&str> = native.map(String::as_str).collect();
        let expected = self.expectation(provider, nonce)?;
        let expected = Expectation { client_ids: &client_ids, nonce_form: NonceForm::ExactOrDigest, ..expected };
        let Verified { issuer, claims } = self.verified(&endpoints, id_token, &expected).await?;
        identity(provider, issuer, &claims)
    }

    /// The client secret: the one that is stored, or for Apple one that the stored key signs. It belongs to the client id
    /// of the settings; those of native applications are public clients (RFC 8252 §8.4), except at Apple.
    pub(super) fn client_secret<'a>(
        &self,
        provider: &'a Provider,
        resolved: &Resolved<'_>,
    ) -> Result<Option<Cow<'a, SecretString>>, Failure> {
        if resolved.secret_kind() == SecretKind::PrivateKey {
            return Ok(Some(Cow::Owned(self.apple_secrets.secret(provider, resolved.client_id, self.clock.now())?)));
        }
        let secret = provider.client_secret.as_ref().filter(|_| resolved.client_id == provider.settings.client_id);
        Ok(secret.map(Cow::Borrowed))
    }

    /// What an ID token must say that the provider issued to us.
    fn expectation<'a>(&self, provider: &'a Resolved<'_>, nonce: &'a str) -> Result<Expectation<'a>, Failure> {
        Ok(Expectation {
            issuer: provider.issuer().ok_or_else(|| Failure::because("settings", "the issuer is missing"))?,
            issuer_aliases: provider.preset.map_or(&[], |preset| &preset.issuer_aliases),
            client_ids: std::slice::from_ref(&provider.client_id),
            nonce,
            nonce_form: NonceForm::Exact,
            access_token: None,
            now: self.clock.now(),
        })
    }

    async fn verified(
        &self,
        endpoints: &Endpoints,
        id_token: &SecretString,
        expected: &Expectation<'_>,
    ) -> Result<Verified, Failure> {
        let token = id_token.expose_secret();
        // Whatever is wrong with the header needs no keys to be refused.
        let header = Header::parse(token)?;
        for demand in [Demand::Fresh, Demand::Newer] {
            let keys = self.key_set(&endpoints.jwks, demand).await?;
            if let Signature::Valid(verified) = verify(token, &header, &keys, expected)? {
                return Ok(*verified);
            }
        }
        Err(Failure::because("key", "the provider publishes no such key"))
    }
}

fn issued(tokens: Tokens, client_id: &str) -> ProviderTokens {
    ProviderTokens {
        access_token: tokens.access_token,
        token_type: tokens.token_type,
        refresh_token: tokens.refresh_token,
        scope: tokens.scope,
        expires_in_s: tokens.expires_in_s,
        client_id: client_id.to_owned(),
    }
}

/// What binds a code of a native application: plain OAuth 2 has no nonce, and a client without a secret proves nothing
/// else.
pub(super) fn code_binding(provider: &Provider, resolved: &Resolved<'_>, client_id: &str) -> CodeBinding {
    let has_id_token = resolved.protocol == Protocol::OpenidConnect;
    // A private key signs a secret for every client; any other secret is that of the server's own client.
    let has_secret = provider.client_secret.is_some()
        && (client_id == provider.settings.client_id || resolved.secret_kind() == SecretKind::PrivateKey);
    match (has_id_token, has_secret) {
        (true, true) => CodeBinding::Nonce,
        (true, false) => CodeBinding::Verifier,
        (false, _) if resolved.has_pkce() => CodeBinding::Verifier,
        (false, _) => CodeBinding::None,
    }
}

/// The token request of a provider.
pub(super) fn token_request<'a>(
    provider: &Resolved<'a>,
    endpoints: &'a Endpoints,
    client_secret: Option<&'a SecretString>,
    grant: Grant<'a>,
) -> TokenRequest<'a> {
    static NONE: BTreeMap<String, String> = BTreeMap::new();
    TokenRequest {
        url: &endpoints.token,
        client_id: provider.client_id,
        client_secret,
        client_auth: endpoints.client_auth,
        grant,
        headers: provider.preset.map_or(&NONE, |preset| &preset.token_headers),
        is_json: provider.preset.is_some_and(|preset| preset.token_request_json),
    }
}

/// The URL of the authorization request.
pub(super) fn authorization_url(
    provider: &Resolved<'_>,
    endpoints: &Endpoints,
    request: &AuthorizationRequest<'_>,
) -> Result<String, Failure> {
    let malformed = |_| Failure::because("settings", "the authorization endpoint or the redirect URI is not a URL");
    let client = Client::new(ClientId::new(provider.settings.client_id.clone()))
        .set_auth_uri(AuthUrl::new(endpoints.authorization.clone()).map_err(malformed)?)
        .set_redirect_uri(RedirectUrl::new(request.redirect_uri.to_owned()).map_err(malformed)?);
    let scopes = provider.scopes().into_iter().map(|scope| Scope::new(scope.to_owned()));
    let mut authorization = client.authorize_url(|| CsrfToken::new(request.state.to_owned())).add_scopes(scopes);
    if provider.has_pkce() {
        if !VERIFIER_BYTES.contains(&request.code_verifier.expose_secret().len()) {
            return Err(Failure::because("settings", "the PKCE verifier must have 43 to 128 characters"));
        }
        let verifier = PkceCodeVerifier::new(request.code_verifier.expose_secret().to_owned());
        authorization = authorization.set_pkce_challenge(PkceCodeChallenge::from_code_verifier_sha256(&verifier));
    }
    if provider.protocol == Protocol::OpenidConnect {
        authorization = authorization.add_extra_param("nonce", request.nonce);
        if let Some(locale) = request.locale {
            authorization = authorization.add_extra_param("ui_locales", locale.as_str());
        }
    }
    if let Some(hint) = request.login_hint {
        authorization = authorization.add_extra_param("login_hint", hint);
    }
    for (name, value) in provider.authorization_params() {
        authorization = authorization.add_extra_param(name, value);
    }
    let (url, _) = authorization.url();
    Ok(url.into())
}

/// Compares the `iss` of the authorization response (RFC 9207 §2.4).
fn check_response_issuer(provider: &Resolved<'_>, endpoints: &Endpoints, named: Option<&str>) -> Result<(), Failure> {
    let Some(named) = named else {
        return if endpoints.names_issuer { Err(Failure::refused("response_issuer")) } else { Ok(()) };
    };
    let is_expected = match provider.protocol {
        Protocol::OpenidConnect => provider.issuer().is_some_and(|issuer| is_issuer(named, issuer)),
        // The issuer identifier of a server without metadata is not known, but it is where the server is.
        Protocol::Oauth2 => origin_of(named).is_some_and(|origin| Some(origin) == origin_of(&endpoints.authorization)),
    };
    if is_expected { Ok(()) } else { Err(Failure::refused("response_issuer")) }
}
