//! `denizen.v1.SigningKeyService`.

use denizen_domain::error::FieldError;
use denizen_domain::keys::{self, KeyInfo, KeyState, Takeover};
use denizen_proto::v1;
use denizen_proto::v1::signing_key_service_server::SigningKeyService;
use tonic::{Request, Response, Status, async_trait};

use super::call::{Call, by_caller};
use super::convert::moment;
use super::status::Refusal;
use crate::http::Shared;

/// The service.
pub(super) struct SigningKeys(pub(super) Shared);

#[async_trait]
impl SigningKeyService for SigningKeys {
    async fn list_signing_keys(
        &self,
        request: Request<v1::ListSigningKeysRequest>,
    ) -> Result<Response<v1::ListSigningKeysResponse>, Status> {
        by_caller(&self.0, request, list).await
    }

    async fn rotate_signing_key(
        &self,
        request: Request<v1::RotateSigningKeyRequest>,
    ) -> Result<Response<v1::RotateSigningKeyResponse>, Status> {
        by_caller(&self.0, request, rotate).await
    }

    async fn withdraw_signing_key(
        &self,
        request: Request<v1::WithdrawSigningKeyRequest>,
    ) -> Result<Response<v1::WithdrawSigningKeyResponse>, Status> {
        by_caller(&self.0, request, withdraw).await
    }
}

async fn list(call: Call, _: v1::ListSigningKeysRequest) -> Result<v1::ListSigningKeysResponse, Refusal> {
    let keys = keys::list(&call.ctx).await?;
    Ok(v1::ListSigningKeysResponse { signing_keys: keys.into_iter().map(body).collect() })
}

async fn rotate(call: Call, request: v1::RotateSigningKeyRequest) -> Result<v1::RotateSigningKeyResponse, Refusal> {
    let takeover = match v1::Takeover::try_from(request.takeover) {
        Ok(v1::Takeover::Unspecified | v1::Takeover::Announced) => Takeover::Announced,
        Ok(v1::Takeover::Immediate) => Takeover::Immediate,
        Err(_) => return Err(FieldError::new("takeover", "invalid_value", "must be announced or immediate").into()),
    };
    let key = keys::rotate(&call.ctx, takeover).await?;
    Ok(v1::RotateSigningKeyResponse { signing_key: Some(body(key)) })
}

async fn withdraw(
    call: Call,
    request: v1::WithdrawSigningKeyRequest,
) -> Result<v1::WithdrawSigningKeyResponse, Refusal> {
    keys::withdraw(&call.ctx, &request.id).await?;
    Ok(v1::WithdrawSigningKeyResponse {})
}

fn body(key: KeyInfo) -> v1::SigningKey {
    let state = match key.state {
        KeyState::Next => v1::SigningKeyState::Next,
        KeyState::Current => v1::SigningKeyState::Current,
        KeyState::Previous => v1::SigningKeyState::Previous,
        KeyState::Retired => v1::SigningKeyState::Retired,
        KeyState::Withdrawn => v1::SigningKeyState::Withdrawn,
    };
    v1::SigningKey {
        id: key.id,
        algorithm: key.algorithm.as_str().to_owned(),
        state: state.into(),
        created_at: Some(moment(key.created_at)),
        activates_at: Some(moment(key.activates_at)),
        withdrawn_at: key.withdrawn_at.map(moment),
    }
}
