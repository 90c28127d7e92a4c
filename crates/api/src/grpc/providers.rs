//! `denizen.v1.ProviderService`.

use denizen_domain::providers::manage::{self, ManagedProvider, NewProvider, ProviderChange};
use denizen_domain::providers::{EmailTrust, Finding, LinkPolicy, ProviderName, ProviderSettings};
use denizen_proto::v1;
use denizen_proto::v1::provider_service_server::ProviderService;
use secrecy::SecretString;
use tonic::{Request, Response, Status, async_trait};

use super::call::{Call, by_caller};
use super::convert::{self, moment};
use super::identities::provider_name;
use super::mask::Mask;
use super::status::Refusal;
use crate::http::{Shared, etag};
use crate::json_form::Fields;

/// The service.
pub(super) struct Providers(pub(super) Shared);

#[async_trait]
impl ProviderService for Providers {
    async fn create_provider(
        &self,
        request: Request<v1::CreateProviderRequest>,
    ) -> Result<Response<v1::CreateProviderResponse>, Status> {
        by_caller(&self.0, request, create).await
    }

    async fn get_provider(
        &self,
        request: Request<v1::GetProviderRequest>,
    ) -> Result<Response<v1::GetProviderResponse>, Status> {
        by_caller(&self.0, request, get).await
    }

    async fn list_providers(
        &self,
        request: Request<v1::ListProvidersRequest>,
    ) -> Result<Response<v1::ListProvidersResponse>, Status> {
        by_caller(&self.0, request, list).await
    }

    async fn update_provider(
        &self,
        request: Request<v1::UpdateProviderRequest>,
    ) -> Result<Response<v1::UpdateProviderResponse>, Status> {
        by_caller(&self.0, request, update).await
    }

    async fn delete_provider(
        &self,
        request: Request<v1::DeleteProviderRequest>,
    ) -> Result<Response<v1::DeleteProviderResponse>, Status> {
        by_caller(&self.0, request, delete).await
    }

    async fn test_provider(
        &self,
        request: Request<v1::TestProviderRequest>,
    ) -> Result<Response<v1::TestProviderResponse>, Status> {
        by_caller(&self.0, request, test).await
    }
}

async fn create(call: Call, request: v1::CreateProviderRequest) -> Result<v1::CreateProviderResponse, Refusal> {
    let mut fields = Fields::default();
    let name = fields.check("name", ProviderName::parse(&request.name));
    let name = fields.finish(name)?;
    let new = NewProvider {
        name,
        settings: read(request.settings.unwrap_or_default()),
        client_secret: request.client_secret.map(SecretString::from),
        is_enabled: request.enabled.unwrap_or(true),
    };
    Ok(v1::CreateProviderResponse { provider: Some(body(manage::create(&call.ctx, new).await?)) })
}

async fn get(call: Call, request: v1::GetProviderRequest) -> Result<v1::GetProviderResponse, Refusal> {
    let provider = manage::get(&call.ctx, &provider_name("name", &request.name)?).await?;
    Ok(v1::GetProviderResponse { provider: Some(body(provider)) })
}

async fn list(call: Call, _: v1::ListProvidersRequest) -> Result<v1::ListProvidersResponse, Refusal> {
    Ok(v1::ListProvidersResponse { providers: manage::list(&call.ctx).await?.into_iter().map(body).collect() })
}

async fn update(call: Call, request: v1::UpdateProviderRequest) -> Result<v1::UpdateProviderResponse, Refusal> {
    let provider = request.provider.ok_or_else(|| convert::required("provider"))?;
    let mask = Mask::read(request.update_mask, &["settings", "enabled"])?;
    let name = provider_name("provider.name", &provider.name)?;
    let expected = convert::expected(&provider.etag)?;
    let change = ProviderChange {
        settings: mask
            .means("settings", provider.settings.is_some())
            .then(|| read(provider.settings.unwrap_or_default())),
        client_secret: request.client_secret.map(|secret| Some(secret).filter(|text| !text.is_empty()).map(Into::into)),
        is_enabled: mask.means_if_said("enabled", provider.enabled).then_some(provider.enabled),
    };
    let provider = manage::update(&call.ctx, &name, change, expected.as_deref()).await?;
    Ok(v1::UpdateProviderResponse { provider: Some(body(provider)) })
}

async fn delete(call: Call, request: v1::DeleteProviderRequest) -> Result<v1::DeleteProviderResponse, Refusal> {
    let name = provider_name("name", &request.name)?;
    manage::delete(&call.ctx, &name, convert::expected(&request.etag)?.as_deref()).await?;
    Ok(v1::DeleteProviderResponse {})
}

async fn test(call: Call, request: v1::TestProviderRequest) -> Result<v1::TestProviderResponse, Refusal> {
    let findings = manage::test(&call.ctx, &provider_name("name", &request.name)?).await?;
    let passed = findings.iter().all(|finding| finding.has_passed);
    let check = |Finding { check, has_passed, message }| v1::ProviderCheck {
        check: check.to_owned(),
        passed: has_passed,
        message,
    };
    Ok(v1::TestProviderResponse { passed, checks: findings.into_iter().map(check).collect() })
}

fn read(settings: v1::ProviderSettings) -> ProviderSettings {
    ProviderSettings {
        email_trust: match settings.email_trust() {
            v1::EmailTrust::Unspecified => None,
            v1::EmailTrust::Never => Some(EmailTrust::Never),
            v1::EmailTrust::Claim => Some(EmailTrust::Claim),
            v1::EmailTrust::Always => Some(EmailTrust::Always),
        },
        link: match settings.link() {
            v1::LinkPolicy::Unspecified | v1::LinkPolicy::Never => LinkPolicy::Never,
            v1::LinkPolicy::Verified => LinkPolicy::Verified,
        },
        preset: settings.preset,
        label: settings.label,
        issuer: settings.issuer,
        authorization_url: settings.authorization_url,
        token_url: settings.token_url,
        userinfo_url: settings.userinfo_url,
        client_id: settings.client_id,
        native_client_ids: settings.native_client_ids,
        native_redirect_urls: settings.native_redirect_urls,
        scopes: settings.scopes,
        signup: settings.signup.unwrap_or(true),
        allowed_domains: settings.allowed_domains,
        trust_mfa: settings.trust_mfa,
        update_profile: settings.update_profile,
        keep_tokens: settings.keep_tokens,
        claims: settings.claims.into_iter().collect(),
        role_claim: settings.role_claim,
        roles: settings.roles.into_iter().collect(),
        authorization_params: settings.authorization_params.into_iter().collect(),
        team_id: settings.team_id,
        key_id: settings.key_id,
    }
}

fn settings(settings: ProviderSettings) -> v1::ProviderSettings {
    let email_trust = match settings.email_trust {
        None => v1::EmailTrust::Unspecified,
        Some(EmailTrust::Never) => v1::EmailTrust::Never,
        Some(EmailTrust::Claim) => v1::EmailTrust::Claim,
        Some(EmailTrust::Always) => v1::EmailTrust::Always,
    };
    let link = match settings.link {
        LinkPolicy::Never => v1::LinkPolicy::Never,
        LinkPolicy::Verified => v1::LinkPolicy::Verified,
    };
    v1::ProviderSettings {
        preset: settings.preset,
        label: settings.label,
        issuer: settings.issuer,
        authorization_url: settings.authorization_url,
        token_url: settings.token_url,
        userinfo_url: settings.userinfo_url,
        client_id: settings.client_id,
        native_client_ids: settings.native_client_ids,
        native_redirect_urls: settings.native_redirect_urls,
        scopes: settings.scopes,
        email_trust: email_trust.into(),
        link: link.into(),
        signup: Some(settings.signup),
        allowed_domains: settings.allowed_domains,
        trust_mfa: settings.trust_mfa,
        update_profile: settings.update_profile,
        keep_tokens: settings.keep_tokens,
        claims: settings.claims.into_iter().collect(),
        role_claim: settings.role_claim,
        roles: settings.roles.into_iter().collect(),
        authorization_params: settings.authorization_params.into_iter().collect(),
        team_id: settings.team_id,
        key_id: settings.key_id,
    }
}

fn body(provider: ManagedProvider) -> v1::Provider {
    let stored = provider.stored;
    v1::Provider {
        name: provider.name.to_string(),
        settings: Some(settings(provider.settings)),
        has_secret: provider.has_secret,
        enabled: provider.is_enabled,
        configured: stored.is_none(),
        created_at: stored.map(|stored| moment(stored.created_at)),
        updated_at: stored.map(|stored| moment(stored.updated_at)),
        etag: stored.map(|stored| etag::of_version(stored.version)).unwrap_or_default(),
    }
}
