//! `denizen.v1.CredentialService`.

use denizen_domain::credentials::{NewPassword, PasswordAttempt, Strength, reset, verify_email};
use denizen_domain::factors::{self, SecondFactorCode};
use denizen_domain::id::UserId;
use denizen_domain::roles::RoleName;
use denizen_domain::users::{self, DisplayName, EmailAddress, Invitation, Locale, change_email};
use denizen_proto::v1;
use denizen_proto::v1::credential_service_server::CredentialService;
use tonic::{Request, Response, Status, async_trait};

use super::call::{Call, by_anybody, by_caller};
use super::challenges::{address, secret};
use super::convert::{self, moment, said};
use super::status::Refusal;
use crate::http::Shared;
use crate::http::factors::exposed;
use crate::json_form::Fields;

/// The service.
pub(super) struct Credentials(pub(super) Shared);

#[async_trait]
impl CredentialService for Credentials {
    async fn request_password_reset(
        &self,
        request: Request<v1::RequestPasswordResetRequest>,
    ) -> Result<Response<v1::RequestPasswordResetResponse>, Status> {
        by_anybody(&self.0, request, request_reset).await
    }

    async fn confirm_password_reset(
        &self,
        request: Request<v1::ConfirmPasswordResetRequest>,
    ) -> Result<Response<v1::ConfirmPasswordResetResponse>, Status> {
        by_anybody(&self.0, request, confirm_reset).await
    }

    async fn request_email_verification(
        &self,
        request: Request<v1::RequestEmailVerificationRequest>,
    ) -> Result<Response<v1::RequestEmailVerificationResponse>, Status> {
        by_anybody(&self.0, request, request_verification).await
    }

    async fn confirm_email_verification(
        &self,
        request: Request<v1::ConfirmEmailVerificationRequest>,
    ) -> Result<Response<v1::ConfirmEmailVerificationResponse>, Status> {
        by_caller(&self.0, request, confirm_verification).await
    }

    async fn request_email_change(
        &self,
        request: Request<v1::RequestEmailChangeRequest>,
    ) -> Result<Response<v1::RequestEmailChangeResponse>, Status> {
        by_caller(&self.0, request, request_change).await
    }

    async fn confirm_email_change(
        &self,
        request: Request<v1::ConfirmEmailChangeRequest>,
    ) -> Result<Response<v1::ConfirmEmailChangeResponse>, Status> {
        by_anybody(&self.0, request, confirm_change).await
    }

    async fn create_invitation(
        &self,
        request: Request<v1::CreateInvitationRequest>,
    ) -> Result<Response<v1::CreateInvitationResponse>, Status> {
        by_caller(&self.0, request, invite).await
    }

    async fn accept_invitation(
        &self,
        request: Request<v1::AcceptInvitationRequest>,
    ) -> Result<Response<v1::AcceptInvitationResponse>, Status> {
        by_anybody(&self.0, request, accept).await
    }

    async fn get_factors(
        &self,
        request: Request<v1::GetFactorsRequest>,
    ) -> Result<Response<v1::GetFactorsResponse>, Status> {
        by_caller(&self.0, request, get_factors).await
    }

    async fn begin_totp(
        &self,
        request: Request<v1::BeginTotpRequest>,
    ) -> Result<Response<v1::BeginTotpResponse>, Status> {
        by_caller(&self.0, request, begin_totp).await
    }

    async fn confirm_totp(
        &self,
        request: Request<v1::ConfirmTotpRequest>,
    ) -> Result<Response<v1::ConfirmTotpResponse>, Status> {
        by_caller(&self.0, request, confirm_totp).await
    }

    async fn remove_totp(
        &self,
        request: Request<v1::RemoveTotpRequest>,
    ) -> Result<Response<v1::RemoveTotpResponse>, Status> {
        by_caller(&self.0, request, remove_totp).await
    }

    async fn replace_recovery_codes(
        &self,
        request: Request<v1::ReplaceRecoveryCodesRequest>,
    ) -> Result<Response<v1::ReplaceRecoveryCodesResponse>, Status> {
        by_caller(&self.0, request, replace_recovery_codes).await
    }

    async fn remove_factors(
        &self,
        request: Request<v1::RemoveFactorsRequest>,
    ) -> Result<Response<v1::RemoveFactorsResponse>, Status> {
        by_caller(&self.0, request, remove_factors).await
    }
}

async fn request_reset(
    call: Call,
    request: v1::RequestPasswordResetRequest,
) -> Result<v1::RequestPasswordResetResponse, Refusal> {
    reset::request(&call.ctx, &address(&request.email)?).await?;
    Ok(v1::RequestPasswordResetResponse {})
}

async fn confirm_reset(
    call: Call,
    request: v1::ConfirmPasswordResetRequest,
) -> Result<v1::ConfirmPasswordResetResponse, Refusal> {
    let mut fields = Fields::default();
    let new = NewPassword::parse(&request.new_password.into(), call.ctx.policy().password_chars_min);
    let new = fields.check("new_password", new);
    let new = fields.finish(new)?;
    let password_strength = strength(new.strength());
    reset::confirm(&call.ctx, &request.token.into(), new).await?;
    Ok(v1::ConfirmPasswordResetResponse { password_strength })
}

async fn request_verification(
    call: Call,
    request: v1::RequestEmailVerificationRequest,
) -> Result<v1::RequestEmailVerificationResponse, Refusal> {
    verify_email::request(&call.ctx, &address(&request.email)?).await?;
    Ok(v1::RequestEmailVerificationResponse {})
}

async fn confirm_verification(
    call: Call,
    request: v1::ConfirmEmailVerificationRequest,
) -> Result<v1::ConfirmEmailVerificationResponse, Refusal> {
    let mut fields = Fields::default();
    let password = match request.password {
        Some(password) => fields.check("password", PasswordAttempt::parse(&password.into())).map(Some),
        None => Some(None),
    };
    verify_email::confirm(&call.ctx, &request.token.into(), fields.finish(password)?).await?;
    Ok(v1::ConfirmEmailVerificationResponse {})
}

async fn request_change(
    call: Call,
    request: v1::RequestEmailChangeRequest,
) -> Result<v1::RequestEmailChangeResponse, Refusal> {
    call.ctx.signed_in()?;
    change_email::request(&call.ctx, &address(&request.email)?).await?;
    Ok(v1::RequestEmailChangeResponse {})
}

async fn confirm_change(
    call: Call,
    request: v1::ConfirmEmailChangeRequest,
) -> Result<v1::ConfirmEmailChangeResponse, Refusal> {
    change_email::confirm(&call.ctx, &request.token.into()).await?;
    Ok(v1::ConfirmEmailChangeResponse {})
}

async fn invite(call: Call, request: v1::CreateInvitationRequest) -> Result<v1::CreateInvitationResponse, Refusal> {
    let mut fields = Fields::default();
    let email = fields.check("email", EmailAddress::parse(&request.email));
    let name = fields.check("name", request.name.as_deref().map(DisplayName::parse).transpose());
    let role = fields.check("role", request.role.as_deref().map(RoleName::reference).transpose());
    let locale = fields.check("locale", request.locale.as_deref().map(Locale::parse).transpose());
    let invitation = (|| Some(Invitation { email: email?, name: name?, role: role?, locale: locale? }))();
    let user = users::invite(&call.ctx, fields.finish(invitation)?).await?;
    Ok(v1::CreateInvitationResponse { user: Some(convert::user(user)) })
}

async fn accept(call: Call, request: v1::AcceptInvitationRequest) -> Result<v1::AcceptInvitationResponse, Refusal> {
    let mut fields = Fields::default();
    let password = NewPassword::parse(&request.password.into(), call.ctx.policy().password_chars_min);
    let password = fields.check("password", password);
    let name = fields.check("name", request.name.as_deref().map(DisplayName::parse).transpose());
    let (password, name) = fields.finish(password.zip(name))?;
    let password_strength = strength(password.strength());
    let user = users::accept(&call.ctx, &request.token.into(), password, name).await?;
    Ok(v1::AcceptInvitationResponse { user: Some(convert::user(user)), password_strength })
}

fn strength(of: Strength) -> i32 {
    convert::strength(of).into()
}

async fn get_factors(call: Call, request: v1::GetFactorsRequest) -> Result<v1::GetFactorsResponse, Refusal> {
    let user = match said(&request.user_id) {
        Some(raw) => convert::id("user_id", raw, UserId::parse)?,
        None => call.ctx.signed_in()?.0,
    };
    let found = factors::get(&call.ctx, user).await?;
    Ok(v1::GetFactorsResponse {
        password: found.has_password,
        totp_confirmed_at: found.totp_confirmed_at.map(moment),
        recovery_codes_left: i64::try_from(found.recovery_codes_left).unwrap_or(i64::MAX),
        second_factor_required: found.is_required,
        passkeys: i64::try_from(found.passkeys).unwrap_or(i64::MAX),
        security_keys: i64::try_from(found.security_keys).unwrap_or(i64::MAX),
        passkey_required: found.is_passkey_required,
    })
}

async fn begin_totp(call: Call, _: v1::BeginTotpRequest) -> Result<v1::BeginTotpResponse, Refusal> {
    Ok(v1::BeginTotpResponse { secret: Some(secret(&factors::begin(&call.ctx).await?)) })
}

async fn confirm_totp(call: Call, request: v1::ConfirmTotpRequest) -> Result<v1::ConfirmTotpResponse, Refusal> {
    call.ctx.signed_in()?;
    let mut fields = Fields::default();
    let code = fields.check("code", SecondFactorCode::parse(&request.code.into()));
    let codes = factors::confirm(&call.ctx, &fields.finish(code)?).await?;
    Ok(v1::ConfirmTotpResponse { recovery_codes: exposed(&codes) })
}

async fn remove_totp(call: Call, _: v1::RemoveTotpRequest) -> Result<v1::RemoveTotpResponse, Refusal> {
    factors::remove(&call.ctx).await?;
    Ok(v1::RemoveTotpResponse {})
}

async fn replace_recovery_codes(
    call: Call,
    _: v1::ReplaceRecoveryCodesRequest,
) -> Result<v1::ReplaceRecoveryCodesResponse, Refusal> {
    let codes = factors::replace_recovery_codes(&call.ctx).await?;
    Ok(v1::ReplaceRecoveryCodesResponse { recovery_codes: exposed(&codes) })
}

async fn remove_factors(call: Call, request: v1::RemoveFactorsRequest) -> Result<v1::RemoveFactorsResponse, Refusal> {
    let user = convert::id("user_id", &request.user_id, UserId::parse)?;
    factors::remove_of(&call.ctx, user).await?;
    Ok(v1::RemoveFactorsResponse {})
}
