//! `denizen.v1.TokenService`.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use denizen_domain::access::{Credential, Subject};
use denizen_domain::ctx::Policy;
use denizen_domain::error::{Error, Unauthenticated};
use denizen_domain::tokens::{self, Client, ClientCredentials, FIRST_PARTY_CLIENT_ID, Introspection, TokenKind};
use denizen_proto::v1;
use denizen_proto::v1::token_service_server::TokenService;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use tonic::{Request, Response, Status, async_trait};

use super::call::{Call, by_anybody, by_caller};
use super::convert::{self, moment, said};
use super::status::Refusal;
use crate::http::problem::Problem;
use crate::http::{Shared, oauth2};

/// The service.
pub(super) struct Tokens(pub(super) Shared);

#[async_trait]
impl TokenService for Tokens {
    async fn grant_token(
        &self,
        request: Request<v1::GrantTokenRequest>,
    ) -> Result<Response<v1::GrantTokenResponse>, Status> {
        by_anybody(&self.0, request, grant).await
    }

    async fn introspect(
        &self,
        request: Request<v1::IntrospectRequest>,
    ) -> Result<Response<v1::IntrospectResponse>, Status> {
        by_caller(&self.0, request, introspect).await
    }

    async fn revoke(&self, request: Request<v1::RevokeRequest>) -> Result<Response<v1::RevokeResponse>, Status> {
        by_anybody(&self.0, request, revoke).await
    }

    async fn get_keys(&self, request: Request<v1::GetKeysRequest>) -> Result<Response<v1::GetKeysResponse>, Status> {
        by_anybody(&self.0, request, get_keys).await
    }
}

async fn grant(call: Call, request: v1::GrantTokenRequest) -> Result<v1::GrantTokenResponse, Refusal> {
    let client = client(&call, request.client).await?;
    let scope = request.scope.filter(|scope| !scope.is_empty());
    let expires_in = |seconds| i32::try_from(seconds).unwrap_or(i32::MAX);
    let Some(token) = request.refresh_token.filter(|token| !token.is_empty()) else {
        let client = client.ok_or_else(refused)?;
        let granted = tokens::client_credentials(&call.ctx, &client, scope.as_deref())?;
        return Ok(v1::GrantTokenResponse {
            access_token: granted.access_token.expose_secret().to_owned(),
            expires_in_s: expires_in(granted.expires_in_s),
            refresh_token: None,
            scope: granted.scope.to_string(),
        });
    };
    let scope = scope.map(SecretString::from);
    let signed_in = oauth2::refresh(&call.ctx, &token.into(), scope.as_ref()).await?;
    Ok(v1::GrantTokenResponse {
        access_token: signed_in.access_token.expose_secret().to_owned(),
        expires_in_s: expires_in(signed_in.expires_in_s),
        refresh_token: Some(signed_in.refresh_token.expose_secret().to_owned()),
        scope: signed_in.scope.to_string(),
    })
}

async fn introspect(call: Call, request: v1::IntrospectRequest) -> Result<v1::IntrospectResponse, Refusal> {
    if request.client.is_some() && call.presented().is_somebody() {
        return Err(oauth2::invalid_request("Use exactly one client authentication method.").into());
    }
    match client(&call, request.client).await? {
        Some(_) => {}
        None if !call.presented().is_somebody() => return Err(refused().into()),
        None => tokens::require_introspection(&call.ctx)?,
    }
    let found = tokens::introspect(&call.ctx, &given(request.token)?).await?;
    Ok(found.map_or_else(v1::IntrospectResponse::default, |found| told(&found, call.ctx.policy())))
}

fn told(found: &Introspection, policy: &Policy) -> v1::IntrospectResponse {
    use v1::introspect_response::Subject as Told;
    let kind = match found.kind {
        TokenKind::Access => v1::TokenKind::AccessToken,
        TokenKind::Refresh => v1::TokenKind::RefreshToken,
        TokenKind::ApiKey => v1::TokenKind::ApiKey,
    };
    let session_id = match found.credential {
        Credential::Session(session) => Some(session.to_string()),
        Credential::ApiKey(_) | Credential::ClientToken(_) | Credential::Certificate(_) => None,
    };
    v1::IntrospectResponse {
        active: true,
        kind: kind.into(),
        permissions: convert::names(found.scope),
        subject: Some(match found.subject {
            Subject::User(id) => Told::UserId(id.to_string()),
            Subject::ServiceAccount(id) => Told::ServiceAccountId(id.to_string()),
        }),
        email: found.address.as_ref().map(|address| address.email.to_string()),
        role: found.role.to_string(),
        issued_at: found.issued_at.map(moment),
        expires_at: found.expires_at.map(moment),
        // A refresh token is for nobody but us.
        audience: (found.kind != TokenKind::Refresh).then(|| policy.audience.clone()),
        issuer: policy.issuer.clone(),
        token_id: found.token_id.map(|id| URL_SAFE_NO_PAD.encode(id)),
        session_id,
        email_verified: found.address.as_ref().map(|address| address.is_verified),
        client_id: found.client_id(),
        authenticated_at: found.authentication.map(|authentication| moment(authentication.at)),
        amr: found.authentication.iter().flat_map(|by| by.methods.names()).map(str::to_owned).collect(),
        acr: found.authentication.map(|authentication| authentication.methods.acr().as_str().to_owned()),
        claims: (!found.custom.is_empty()).then(|| convert::object(found.custom.iter().cloned().collect())),
    }
}

async fn revoke(call: Call, request: v1::RevokeRequest) -> Result<v1::RevokeResponse, Refusal> {
    let client = client(&call, request.client).await?;
    tokens::revoke(&call.ctx, client.as_ref(), &given(request.token)?).await?;
    Ok(v1::RevokeResponse {})
}

/// The client that authenticated. `None` if there are no credentials, or those of the public client, which has no secret.
async fn client(call: &Call, credentials: Option<v1::ClientCredentials>) -> Result<Option<Client>, Refusal> {
    let Some(v1::ClientCredentials { client_id: id, client_secret }) = credentials else { return Ok(None) };
    if id == FIRST_PARTY_CLIENT_ID && client_secret.is_empty() {
        return Ok(None);
    }
    let credentials = ClientCredentials { id, secret: client_secret.into() };
    Ok(Some(tokens::authenticate_client(&call.ctx, &credentials).await?))
}

fn given(token: String) -> Result<SecretString, Problem> {
    let missing = || oauth2::invalid_request("The token is missing.");
    if said(&token).is_some() { Ok(token.into()) } else { Err(missing()) }
}

/// The answer to a client that did not prove who it is.
fn refused() -> Error {
    Error::Unauthenticated(Unauthenticated::InvalidClient)
}

/// The JWK Set as the key ring writes it.
#[derive(Deserialize)]
struct JwkSet {
    keys: Vec<Jwk>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Jwk {
    kid: String,
    kty: String,
    alg: String,
    #[serde(rename = "use")]
    purpose: String,
    crv: String,
    x: String,
    y: String,
    n: String,
    e: String,
}

async fn get_keys(call: Call, _: v1::GetKeysRequest) -> Result<v1::GetKeysResponse, Refusal> {
    let jwks = call.shared.ring.jwks();
    let set: JwkSet = serde_json::from_str(&jwks.body).map_err(|error| Error::Internal(Box::new(error)))?;
    let key = |Jwk { kid, kty, alg, purpose, crv, x, y, n, e }| v1::JsonWebKey {
        kid,
        kty,
        alg,
        r#use: purpose,
        crv,
        x,
        y,
        n,
        e,
    };
    Ok(v1::GetKeysResponse { keys: set.keys.into_iter().map(key).collect() })
}
