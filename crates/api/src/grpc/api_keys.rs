//! `denizen.v1.ApiKeyService`.

use denizen_domain::access::Subject;
use denizen_domain::api_keys::{self, ApiKey, KeyFilter, NewApiKey, OVERLAP_DEFAULT_S, OVERLAP_MAX_S};
use denizen_domain::error::{FieldError, RuleBroken};
use denizen_domain::id::{ApiKeyId, ServiceAccountId, UserId};
use denizen_domain::users::DisplayName;
use denizen_proto::v1;
use denizen_proto::v1::api_key::Owner;
use denizen_proto::v1::api_key_service_server::ApiKeyService;
use denizen_proto::v1::list_api_keys_request::Owner as Wanted;
use prost_types::Duration;
use secrecy::ExposeSecret;
use tonic::{Request, Response, Status, async_trait};

use super::call::{Call, by_caller};
use super::convert::{self, moment};
use super::page::{self, asked};
use super::status::Refusal;
use crate::http::page::List;
use crate::http::{Shared, etag, permissions};
use crate::json_form::Fields;

/// The service.
pub(super) struct ApiKeys(pub(super) Shared);

#[async_trait]
impl ApiKeyService for ApiKeys {
    async fn create_api_key(
        &self,
        request: Request<v1::CreateApiKeyRequest>,
    ) -> Result<Response<v1::CreateApiKeyResponse>, Status> {
        by_caller(&self.0, request, create).await
    }

    async fn get_api_key(
        &self,
        request: Request<v1::GetApiKeyRequest>,
    ) -> Result<Response<v1::GetApiKeyResponse>, Status> {
        by_caller(&self.0, request, get).await
    }

    async fn list_api_keys(
        &self,
        request: Request<v1::ListApiKeysRequest>,
    ) -> Result<Response<v1::ListApiKeysResponse>, Status> {
        by_caller(&self.0, request, list).await
    }

    async fn rotate_api_key(
        &self,
        request: Request<v1::RotateApiKeyRequest>,
    ) -> Result<Response<v1::RotateApiKeyResponse>, Status> {
        by_caller(&self.0, request, rotate).await
    }

    async fn delete_api_key(
        &self,
        request: Request<v1::DeleteApiKeyRequest>,
    ) -> Result<Response<v1::DeleteApiKeyResponse>, Status> {
        by_caller(&self.0, request, delete).await
    }
}

async fn create(call: Call, request: v1::CreateApiKeyRequest) -> Result<v1::CreateApiKeyResponse, Refusal> {
    let mut fields = Fields::default();
    let name = fields.check("name", DisplayName::parse(&request.name));
    let scopes = fields.check("scopes", permissions::read(&request.scopes));
    let expires_at = request.expires_at.map(|at| fields.check("expires_at", convert::read_moment(&at)));
    let malformed = || RuleBroken { code: "invalid_id", message: "must be a UUID".to_owned() };
    let account = request
        .service_account_id
        .map(|raw| fields.check("service_account_id", ServiceAccountId::parse(&raw).ok_or_else(malformed)));
    let new = (|| {
        Some(NewApiKey {
            name: name?,
            scopes: scopes?,
            expires_at: expires_at.flatten(),
            service_account: account.flatten(),
        })
    })();
    let issued = api_keys::create(&call.ctx, fields.finish(new)?).await?;
    let secret = issued.secret.expose_secret().to_owned();
    Ok(v1::CreateApiKeyResponse { api_key: Some(body(&issued.key)), secret })
}

async fn get(call: Call, request: v1::GetApiKeyRequest) -> Result<v1::GetApiKeyResponse, Refusal> {
    let id = convert::id("id", &request.id, ApiKeyId::parse)?;
    let key = api_keys::get(&call.ctx, id).await?;
    Ok(v1::GetApiKeyResponse { api_key: Some(body(&key)) })
}

async fn list(call: Call, request: v1::ListApiKeysRequest) -> Result<v1::ListApiKeysResponse, Refusal> {
    let vault = call.shared.services.vault.as_ref();
    let (page, total) = asked!(request).read(vault, List::ApiKeys)?;
    let filter = match request.owner {
        None | Some(Wanted::All(false)) => KeyFilter::Owner(call.ctx.principal()?.subject),
        Some(Wanted::All(true)) => KeyFilter::All,
        Some(Wanted::UserId(raw)) => KeyFilter::Owner(Subject::User(convert::id("user_id", &raw, UserId::parse)?)),
        Some(Wanted::ServiceAccountId(raw)) => {
            let id = convert::id("service_account_id", &raw, ServiceAccountId::parse)?;
            KeyFilter::Owner(Subject::ServiceAccount(id))
        }
    };
    let listed = api_keys::list(&call.ctx, filter, page, total).await?;
    Ok(v1::ListApiKeysResponse {
        next_page_token: page::next(vault, List::ApiKeys, listed.next),
        total_size: page::total(listed.total),
        total_size_limited: page::is_limited(listed.total),
        api_keys: listed.items.iter().map(body).collect(),
    })
}

async fn rotate(call: Call, request: v1::RotateApiKeyRequest) -> Result<v1::RotateApiKeyResponse, Refusal> {
    let id = convert::id("id", &request.id, ApiKeyId::parse)?;
    let overlap_s = overlap_s(request.overlap.as_ref())?;
    let expected = convert::expected(&request.etag)?;
    let issued = api_keys::rotate(&call.ctx, id, overlap_s, expected.as_deref()).await?;
    let secret = issued.secret.expose_secret().to_owned();
    Ok(v1::RotateApiKeyResponse { api_key: Some(body(&issued.key)), secret })
}

fn overlap_s(overlap: Option<&Duration>) -> Result<u32, FieldError> {
    let Some(Duration { seconds, nanos }) = overlap else { return Ok(OVERLAP_DEFAULT_S) };
    let whole = u32::try_from(*seconds).ok().filter(|seconds| *nanos == 0 && *seconds <= OVERLAP_MAX_S);
    whole.ok_or_else(|| {
        FieldError::new("overlap", "out_of_range", format!("must be 0 to {OVERLAP_MAX_S} whole seconds"))
    })
}

async fn delete(call: Call, request: v1::DeleteApiKeyRequest) -> Result<v1::DeleteApiKeyResponse, Refusal> {
    let id = convert::id("id", &request.id, ApiKeyId::parse)?;
    let expected = convert::expected(&request.etag)?;
    api_keys::revoke(&call.ctx, id, expected.as_deref()).await?;
    Ok(v1::DeleteApiKeyResponse {})
}

fn body(key: &ApiKey) -> v1::ApiKey {
    let etag = etag::of_api_key(key);
    v1::ApiKey {
        id: key.id.to_string(),
        name: key.name.to_string(),
        scopes: convert::names(key.scopes),
        owner: Some(match key.owner {
            Subject::User(id) => Owner::UserId(id.to_string()),
            Subject::ServiceAccount(id) => Owner::ServiceAccountId(id.to_string()),
        }),
        expires_at: key.expires_at.map(moment),
        created_at: Some(moment(key.created_at)),
        rotated_at: key.rotated_at.map(moment),
        last_used_at: key.last_used_at.map(moment),
        etag,
    }
}
