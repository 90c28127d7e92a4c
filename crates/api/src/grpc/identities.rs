//! `denizen.v1.IdentityService`.

use denizen_domain::error::FieldError;
use denizen_domain::id::{IdentityId, UserId};
use denizen_domain::identities::{self, Identity, NativeCode, Proof};
use denizen_domain::providers::{self, ProviderName};
use denizen_domain::sessions::Outcome;
use denizen_domain::users::DisplayName;
use denizen_proto::v1;
use denizen_proto::v1::identity_service_server::IdentityService;
use denizen_proto::v1::{link_identity_request as link, sign_in_with_provider_request as sign_in};
use secrecy::ExposeSecret;
use tonic::{Request, Response, Status, async_trait};

use super::call::{Call, by_anybody, by_caller};
use super::challenges;
use super::convert::{self, moment, said};
use super::sessions::parts;
use super::status::Refusal;
use crate::completion::to_completion;
use crate::http::Shared;
use crate::json_form::Fields;

/// The service.
pub(super) struct Identities(pub(super) Shared);

#[async_trait]
impl IdentityService for Identities {
    async fn list_sign_in_providers(
        &self,
        request: Request<v1::ListSignInProvidersRequest>,
    ) -> Result<Response<v1::ListSignInProvidersResponse>, Status> {
        by_anybody(&self.0, request, list_sign_in_providers).await
    }

    async fn create_nonce(
        &self,
        request: Request<v1::CreateNonceRequest>,
    ) -> Result<Response<v1::CreateNonceResponse>, Status> {
        by_anybody(&self.0, request, create_nonce).await
    }

    async fn sign_in_with_provider(
        &self,
        request: Request<v1::SignInWithProviderRequest>,
    ) -> Result<Response<v1::SignInWithProviderResponse>, Status> {
        by_anybody(&self.0, request, sign_in_with_provider).await
    }

    async fn link_identity(
        &self,
        request: Request<v1::LinkIdentityRequest>,
    ) -> Result<Response<v1::LinkIdentityResponse>, Status> {
        by_caller(&self.0, request, link_identity).await
    }

    async fn list_identities(
        &self,
        request: Request<v1::ListIdentitiesRequest>,
    ) -> Result<Response<v1::ListIdentitiesResponse>, Status> {
        by_caller(&self.0, request, list_identities).await
    }

    async fn unlink_identity(
        &self,
        request: Request<v1::UnlinkIdentityRequest>,
    ) -> Result<Response<v1::UnlinkIdentityResponse>, Status> {
        by_caller(&self.0, request, unlink_identity).await
    }

    async fn get_provider_token(
        &self,
        request: Request<v1::GetProviderTokenRequest>,
    ) -> Result<Response<v1::GetProviderTokenResponse>, Status> {
        by_caller(&self.0, request, get_provider_token).await
    }
}

async fn list_sign_in_providers(
    call: Call,
    _: v1::ListSignInProvidersRequest,
) -> Result<v1::ListSignInProvidersResponse, Refusal> {
    let body = |(name, display): (ProviderName, providers::ProviderDisplay)| v1::SignInProvider {
        name: name.to_string(),
        label: display.label,
        icon: display.icon,
    };
    Ok(v1::ListSignInProvidersResponse {
        providers: providers::displays(&call.ctx).await?.into_iter().map(body).collect(),
    })
}

async fn create_nonce(call: Call, request: v1::CreateNonceRequest) -> Result<v1::CreateNonceResponse, Refusal> {
    let nonce = identities::nonce(&call.ctx, &provider_name("provider", &request.provider)?).await?;
    let expires_in_s = i32::try_from(identities::begin::TTL_S).unwrap_or(i32::MAX);
    Ok(v1::CreateNonceResponse { nonce: nonce.expose_secret().to_owned(), expires_in_s })
}

async fn sign_in_with_provider(
    call: Call,
    request: v1::SignInWithProviderRequest,
) -> Result<v1::SignInWithProviderResponse, Refusal> {
    let proof = match request.proof {
        Some(sign_in::Proof::Code(code)) => by_code(code)?,
        Some(sign_in::Proof::IdToken(token)) => by_id_token(token)?,
        Some(sign_in::Proof::AuthorizationCode(code)) => by_authorization_code(code)?,
        None => return Err(convert::required("code").into()),
    };
    let mut fields = Fields::default();
    let label = fields.check("label", request.label.as_deref().map(DisplayName::parse).transpose());
    let label = fields.finish(label)?;
    Ok(match identities::sign_in(&call.ctx, proof, label).await? {
        Outcome::SignedIn(signed_in) => {
            let (tokens, session_id, user) = parts(*signed_in);
            v1::SignInWithProviderResponse { tokens, session_id, user, challenge: None }
        }
        Outcome::Challenged(owing) => {
            v1::SignInWithProviderResponse { challenge: Some(challenges::body(&owing)), ..Default::default() }
        }
    })
}

async fn link_identity(call: Call, request: v1::LinkIdentityRequest) -> Result<v1::LinkIdentityResponse, Refusal> {
    call.ctx.signed_in()?;
    let proof = match request.proof {
        Some(link::Proof::Code(code)) => by_code(code)?,
        Some(link::Proof::IdToken(token)) => by_id_token(token)?,
        Some(link::Proof::AuthorizationCode(code)) => by_authorization_code(code)?,
        None => return Err(convert::required("code").into()),
    };
    let identity = identities::link(&call.ctx, proof).await?;
    Ok(v1::LinkIdentityResponse { identity: Some(body(identity)) })
}

async fn list_identities(
    call: Call,
    request: v1::ListIdentitiesRequest,
) -> Result<v1::ListIdentitiesResponse, Refusal> {
    let listed = match said(&request.user_id) {
        Some(raw) => identities::list_of(&call.ctx, convert::id("user_id", raw, UserId::parse)?).await?,
        None => identities::list(&call.ctx).await?,
    };
    Ok(v1::ListIdentitiesResponse { identities: listed.into_iter().map(body).collect() })
}

async fn unlink_identity(
    call: Call,
    request: v1::UnlinkIdentityRequest,
) -> Result<v1::UnlinkIdentityResponse, Refusal> {
    let id = convert::id("id", &request.id, IdentityId::parse);
    if let Some(raw) = said(&request.user_id) {
        identities::unlink_of(&call.ctx, convert::id("user_id", raw, UserId::parse)?, id?).await?;
    } else {
        call.ctx.signed_in()?;
        identities::unlink(&call.ctx, id?).await?;
    }
    Ok(v1::UnlinkIdentityResponse {})
}

async fn get_provider_token(
    call: Call,
    request: v1::GetProviderTokenRequest,
) -> Result<v1::GetProviderTokenResponse, Refusal> {
    let user = convert::id("user_id", &request.user_id, UserId::parse)?;
    let id = convert::id("id", &request.id, IdentityId::parse)?;
    let ctx = call.ctx;
    let token = to_completion(async move { identities::token(&ctx, user, id).await }).await?;
    Ok(v1::GetProviderTokenResponse {
        access_token: token.access_token.expose_secret().to_owned(),
        token_type: token.token_type,
        expires_at: token.expires_at.map(moment),
        scope: token.scope,
    })
}

fn by_code(code: v1::ProviderCode) -> Result<Proof, Refusal> {
    let missing = [("code.code", code.code.is_empty()), ("code.code_verifier", code.code_verifier.is_empty())];
    check_required(&missing)?;
    Ok(Proof::Code { code: code.code.into(), verifier: code.code_verifier.into(), provider: None })
}

fn by_id_token(token: v1::ProviderIdToken) -> Result<Proof, Refusal> {
    let missing = [("id_token.id_token", token.id_token.is_empty()), ("id_token.nonce", token.nonce.is_empty())];
    check_required(&missing)?;
    let provider = provider_name("id_token.provider", &token.provider)?;
    Ok(Proof::IdToken { provider, id_token: token.id_token.into(), nonce: token.nonce.into() })
}

fn by_authorization_code(code: v1::ProviderAuthorizationCode) -> Result<Proof, Refusal> {
    check_required(&[
        ("authorization_code.authorization_code", code.authorization_code.is_empty()),
        ("authorization_code.nonce", code.nonce.is_empty()),
    ])?;
    let provider = provider_name("authorization_code.provider", &code.provider)?;
    let native = NativeCode {
        code: code.authorization_code.into(),
        code_verifier: code.code_verifier.filter(|text| !text.is_empty()).map(Into::into),
        redirect_uri: code.redirect_uri.filter(|text| !text.is_empty()),
        client_id: code.client_id.filter(|text| !text.is_empty()),
    };
    Ok(Proof::AuthorizationCode { provider, code: native, nonce: code.nonce.into() })
}

fn check_required(missing: &[(&str, bool)]) -> Result<(), Refusal> {
    let faults: Vec<FieldError> =
        missing.iter().filter(|(_, is_missing)| *is_missing).map(|(field, _)| convert::required(field)).collect();
    if faults.is_empty() { Ok(()) } else { Err(faults.into()) }
}

/// The provider that a field names.
pub(super) fn provider_name(field: &str, raw: &str) -> Result<ProviderName, Refusal> {
    let mut fields = Fields::default();
    let name = fields.check(field, ProviderName::parse(raw));
    Ok(fields.finish(name)?)
}

fn body(identity: Identity) -> v1::Identity {
    v1::Identity {
        id: identity.id.to_string(),
        provider: identity.provider.to_string(),
        issuer: identity.issuer,
        subject: identity.subject,
        email: identity.email,
        created_at: Some(moment(identity.created_at)),
        last_used_at: Some(moment(identity.last_used_at)),
    }
}
