//! `denizen.v1.PasskeyService`.

use denizen_domain::error::RuleBroken;
use denizen_domain::id::{PasskeyId, UserId};
use denizen_domain::passkeys::register::RegistrationOptions;
use denizen_domain::passkeys::{self, AssertionOptions, CredentialKind, NewPasskey, Passkey, PasskeyAnswer};
use denizen_domain::sessions::{self, Outcome, link_passkey};
use denizen_domain::users::DisplayName;
use denizen_proto::v1;
use denizen_proto::v1::passkey_service_server::PasskeyService;
use secrecy::SecretString;
use tonic::{Request, Response, Status, async_trait};

use super::call::{Call, by_anybody, by_caller};
use super::convert::{self, moment, required, said};
use super::sessions::parts;
use super::status::Refusal;
use crate::http::Shared;
use crate::http::problem::Problem;
use crate::json_form::Fields;

/// The service.
pub(super) struct Passkeys(pub(super) Shared);

#[async_trait]
impl PasskeyService for Passkeys {
    async fn create_registration_options(
        &self,
        request: Request<v1::CreateRegistrationOptionsRequest>,
    ) -> Result<Response<v1::CreateRegistrationOptionsResponse>, Status> {
        by_caller(&self.0, request, registration_options).await
    }

    async fn register_passkey(
        &self,
        request: Request<v1::RegisterPasskeyRequest>,
    ) -> Result<Response<v1::RegisterPasskeyResponse>, Status> {
        by_caller(&self.0, request, register).await
    }

    async fn list_passkeys(
        &self,
        request: Request<v1::ListPasskeysRequest>,
    ) -> Result<Response<v1::ListPasskeysResponse>, Status> {
        by_caller(&self.0, request, list).await
    }

    async fn rename_passkey(
        &self,
        request: Request<v1::RenamePasskeyRequest>,
    ) -> Result<Response<v1::RenamePasskeyResponse>, Status> {
        by_caller(&self.0, request, rename).await
    }

    async fn delete_passkey(
        &self,
        request: Request<v1::DeletePasskeyRequest>,
    ) -> Result<Response<v1::DeletePasskeyResponse>, Status> {
        by_caller(&self.0, request, delete).await
    }

    async fn create_sign_in_options(
        &self,
        request: Request<v1::CreateSignInOptionsRequest>,
    ) -> Result<Response<v1::CreateSignInOptionsResponse>, Status> {
        by_anybody(&self.0, request, sign_in_options).await
    }

    async fn sign_in_with_passkey(
        &self,
        request: Request<v1::SignInWithPasskeyRequest>,
    ) -> Result<Response<v1::SignInWithPasskeyResponse>, Status> {
        by_anybody(&self.0, request, sign_in).await
    }

    async fn create_challenge_options(
        &self,
        request: Request<v1::CreateChallengeOptionsRequest>,
    ) -> Result<Response<v1::CreateChallengeOptionsResponse>, Status> {
        by_anybody(&self.0, request, challenge_options).await
    }

    async fn finish_challenge_with_passkey(
        &self,
        request: Request<v1::FinishChallengeWithPasskeyRequest>,
    ) -> Result<Response<v1::FinishChallengeWithPasskeyResponse>, Status> {
        by_anybody(&self.0, request, finish_challenge).await
    }

    async fn create_enrolment_options(
        &self,
        request: Request<v1::CreateEnrolmentOptionsRequest>,
    ) -> Result<Response<v1::CreateEnrolmentOptionsResponse>, Status> {
        by_anybody(&self.0, request, enrolment_options).await
    }

    async fn finish_challenge_with_new_passkey(
        &self,
        request: Request<v1::FinishChallengeWithNewPasskeyRequest>,
    ) -> Result<Response<v1::FinishChallengeWithNewPasskeyResponse>, Status> {
        by_anybody(&self.0, request, finish_enrolment).await
    }

    async fn create_step_up_options(
        &self,
        request: Request<v1::CreateStepUpOptionsRequest>,
    ) -> Result<Response<v1::CreateStepUpOptionsResponse>, Status> {
        by_caller(&self.0, request, step_up_options).await
    }

    async fn create_reset_options(
        &self,
        request: Request<v1::CreateResetOptionsRequest>,
    ) -> Result<Response<v1::CreateResetOptionsResponse>, Status> {
        by_anybody(&self.0, request, reset_options).await
    }

    async fn reset_with_passkey(
        &self,
        request: Request<v1::ResetWithPasskeyRequest>,
    ) -> Result<Response<v1::ResetWithPasskeyResponse>, Status> {
        by_anybody(&self.0, request, reset).await
    }

    async fn create_invitation_options(
        &self,
        request: Request<v1::CreateInvitationOptionsRequest>,
    ) -> Result<Response<v1::CreateInvitationOptionsResponse>, Status> {
        by_anybody(&self.0, request, invitation_options).await
    }

    async fn accept_invitation_with_passkey(
        &self,
        request: Request<v1::AcceptInvitationWithPasskeyRequest>,
    ) -> Result<Response<v1::AcceptInvitationWithPasskeyResponse>, Status> {
        by_anybody(&self.0, request, accept_invitation).await
    }
}

async fn registration_options(
    call: Call,
    request: v1::CreateRegistrationOptionsRequest,
) -> Result<v1::CreateRegistrationOptionsResponse, Refusal> {
    call.ctx.signed_in()?;
    let mut fields = Fields::default();
    let kind = fields.check("kind", read_kind(request.kind));
    let options = passkeys::register::options(&call.ctx, fields.finish(kind)?).await?;
    Ok(v1::CreateRegistrationOptionsResponse { options: Some(creation(options)) })
}

async fn enrolment_options(
    call: Call,
    request: v1::CreateEnrolmentOptionsRequest,
) -> Result<v1::CreateEnrolmentOptionsResponse, Refusal> {
    let mut fields = Fields::default();
    let kind = fields.check("kind", read_kind(request.kind));
    let kind = fields.finish(kind)?;
    let options = sessions::enrol_passkey::options(&call.ctx, &request.challenge_id.into(), kind).await?;
    Ok(v1::CreateEnrolmentOptionsResponse { options: Some(creation(options)) })
}

async fn finish_enrolment(
    call: Call,
    request: v1::FinishChallengeWithNewPasskeyRequest,
) -> Result<v1::FinishChallengeWithNewPasskeyResponse, Refusal> {
    let mut fields = Fields::default();
    let name = fields.check("name", request.name.as_deref().map(DisplayName::parse).transpose());
    let new = NewPasskey { state: request.state, credential: request.credential_json, name: fields.finish(name)? };
    let finished = sessions::enrol_passkey::finish(&call.ctx, &request.challenge_id.into(), new).await?;
    let Outcome::SignedIn(signed_in) = finished.outcome else { return Err(Problem::internal().into()) };
    let (tokens, session_id, user) = parts(*signed_in);
    Ok(v1::FinishChallengeWithNewPasskeyResponse { tokens, session_id, user })
}

fn creation(options: RegistrationOptions) -> v1::PasskeyOptions {
    let expires_in_s = seconds(options.expires_in_s);
    v1::PasskeyOptions { options_json: options.options, state: options.state, expires_in_s }
}

async fn register(call: Call, request: v1::RegisterPasskeyRequest) -> Result<v1::RegisterPasskeyResponse, Refusal> {
    call.ctx.signed_in()?;
    let mut fields = Fields::default();
    let name = fields.check("name", request.name.as_deref().map(DisplayName::parse).transpose());
    let new = NewPasskey { state: request.state, credential: request.credential_json, name: fields.finish(name)? };
    let passkey = passkeys::register(&call.ctx, new).await?;
    Ok(v1::RegisterPasskeyResponse { passkey: Some(body(passkey)) })
}

async fn list(call: Call, request: v1::ListPasskeysRequest) -> Result<v1::ListPasskeysResponse, Refusal> {
    let user = match said(&request.user_id) {
        Some(raw) => convert::id("user_id", raw, UserId::parse)?,
        None => call.ctx.signed_in()?.0,
    };
    let list = passkeys::list(&call.ctx, user).await?;
    Ok(v1::ListPasskeysResponse {
        passkeys: list.passkeys.into_iter().map(body).collect(),
        rp_id: list.rp_id,
        user_handle: list.user_handle.to_vec(),
        user_name: list.user.email.into_string(),
        user_display_name: list.user.name.into_string(),
    })
}

async fn rename(call: Call, request: v1::RenamePasskeyRequest) -> Result<v1::RenamePasskeyResponse, Refusal> {
    call.ctx.signed_in()?;
    let id = convert::id("id", &request.id, PasskeyId::parse)?;
    let mut fields = Fields::default();
    let name = fields.check("name", DisplayName::parse(&request.name));
    let passkey = passkeys::rename(&call.ctx, id, fields.finish(name)?).await?;
    Ok(v1::RenamePasskeyResponse { passkey: Some(body(passkey)) })
}

async fn delete(call: Call, request: v1::DeletePasskeyRequest) -> Result<v1::DeletePasskeyResponse, Refusal> {
    let id = convert::id("id", &request.id, PasskeyId::parse)?;
    match said(&request.user_id) {
        Some(raw) => passkeys::remove_of(&call.ctx, convert::id("user_id", raw, UserId::parse)?, id).await?,
        None => passkeys::remove(&call.ctx, id).await?,
    }
    Ok(v1::DeletePasskeyResponse {})
}

async fn sign_in_options(
    call: Call,
    _: v1::CreateSignInOptionsRequest,
) -> Result<v1::CreateSignInOptionsResponse, Refusal> {
    let options = sessions::passkey::options(&call.ctx)?;
    Ok(v1::CreateSignInOptionsResponse { options: Some(assertion(options)) })
}

async fn sign_in(call: Call, request: v1::SignInWithPasskeyRequest) -> Result<v1::SignInWithPasskeyResponse, Refusal> {
    let mut fields = Fields::default();
    let label = fields.check("label", request.label.as_deref().map(DisplayName::parse).transpose());
    let label = fields.finish(label)?;
    let answer = answer(request.passkey.ok_or_else(|| required("passkey"))?);
    let (tokens, session_id, user) = parts(sessions::passkey::sign_in(&call.ctx, answer, label).await?);
    Ok(v1::SignInWithPasskeyResponse { tokens, session_id, user })
}

async fn challenge_options(
    call: Call,
    request: v1::CreateChallengeOptionsRequest,
) -> Result<v1::CreateChallengeOptionsResponse, Refusal> {
    let options = sessions::passkey::challenge_options(&call.ctx, &request.challenge_id.into()).await?;
    Ok(v1::CreateChallengeOptionsResponse { options: Some(assertion(options)) })
}

async fn finish_challenge(
    call: Call,
    request: v1::FinishChallengeWithPasskeyRequest,
) -> Result<v1::FinishChallengeWithPasskeyResponse, Refusal> {
    let device: Option<SecretString> = request.device_token.map(Into::into);
    let answer = answer(request.passkey.ok_or_else(|| required("passkey"))?);
    let id = request.challenge_id.into();
    let finished = sessions::passkey::finish_challenge(&call.ctx, &id, answer, device.as_ref()).await?;
    let Outcome::SignedIn(signed_in) = finished.outcome else { return Err(Problem::internal().into()) };
    let (tokens, session_id, user) = parts(*signed_in);
    Ok(v1::FinishChallengeWithPasskeyResponse { tokens, session_id, user })
}

async fn step_up_options(
    call: Call,
    _: v1::CreateStepUpOptionsRequest,
) -> Result<v1::CreateStepUpOptionsResponse, Refusal> {
    let options = sessions::step_up::passkey_options(&call.ctx).await?;
    Ok(v1::CreateStepUpOptionsResponse { options: Some(assertion(options)) })
}

async fn reset_options(
    call: Call,
    request: v1::CreateResetOptionsRequest,
) -> Result<v1::CreateResetOptionsResponse, Refusal> {
    let options = link_passkey::reset_options(&call.ctx, &request.token.into()).await?;
    Ok(v1::CreateResetOptionsResponse { options: Some(creation(options)) })
}

async fn reset(call: Call, request: v1::ResetWithPasskeyRequest) -> Result<v1::ResetWithPasskeyResponse, Refusal> {
    let mut fields = Fields::default();
    let passkey_name =
        fields.check("passkey_name", request.passkey_name.as_deref().map(DisplayName::parse).transpose());
    let label = fields.check("label", request.label.as_deref().map(DisplayName::parse).transpose());
    let (name, label) = fields.finish(passkey_name.zip(label))?;
    let new = NewPasskey { state: request.state, credential: request.credential_json, name };
    let (tokens, session_id, user) = parts(link_passkey::reset(&call.ctx, &request.token.into(), new, label).await?);
    Ok(v1::ResetWithPasskeyResponse { tokens, session_id, user })
}

async fn invitation_options(
    call: Call,
    request: v1::CreateInvitationOptionsRequest,
) -> Result<v1::CreateInvitationOptionsResponse, Refusal> {
    let options = link_passkey::invitation_options(&call.ctx, &request.token.into()).await?;
    Ok(v1::CreateInvitationOptionsResponse { options: Some(creation(options)) })
}

async fn accept_invitation(
    call: Call,
    request: v1::AcceptInvitationWithPasskeyRequest,
) -> Result<v1::AcceptInvitationWithPasskeyResponse, Refusal> {
    let mut fields = Fields::default();
    let passkey_name =
        fields.check("passkey_name", request.passkey_name.as_deref().map(DisplayName::parse).transpose());
    let label = fields.check("label", request.label.as_deref().map(DisplayName::parse).transpose());
    let name = fields.check("name", request.name.as_deref().map(DisplayName::parse).transpose());
    let (name, (passkey_name, label)) = fields.finish(name.zip(passkey_name.zip(label)))?;
    let new = NewPasskey { state: request.state, credential: request.credential_json, name: passkey_name };
    let signed_in = link_passkey::join(&call.ctx, &request.token.into(), new, name, label).await?;
    let (tokens, session_id, user) = parts(signed_in);
    Ok(v1::AcceptInvitationWithPasskeyResponse { tokens, session_id, user })
}

/// A passkey that is used.
pub(super) fn answer(answer: v1::PasskeyAnswer) -> PasskeyAnswer {
    PasskeyAnswer { state: answer.state, credential: answer.credential_json }
}

fn assertion(options: AssertionOptions) -> v1::PasskeyOptions {
    let expires_in_s = seconds(options.expires_in_s);
    v1::PasskeyOptions { options_json: options.options, state: options.state, expires_in_s }
}

fn seconds(seconds: u32) -> i32 {
    i32::try_from(seconds).unwrap_or(i32::MAX)
}

/// The kind that a number stands for.
fn read_kind(number: i32) -> Result<CredentialKind, RuleBroken> {
    match v1::CredentialKind::try_from(number) {
        Ok(v1::CredentialKind::Unspecified | v1::CredentialKind::Passkey) => Ok(CredentialKind::Passkey),
        Ok(v1::CredentialKind::SecurityKey) => Ok(CredentialKind::SecurityKey),
        Err(_) => Err(convert::broken("invalid_value", "must be a passkey or a security key")),
    }
}

fn body(passkey: Passkey) -> v1::Passkey {
    let credential = passkey.credential;
    v1::Passkey {
        id: passkey.id.to_string(),
        kind: match passkey.kind {
            CredentialKind::Passkey => v1::CredentialKind::Passkey.into(),
            CredentialKind::SecurityKey => v1::CredentialKind::SecurityKey.into(),
        },
        name: passkey.name.into_string(),
        credential_id: credential.id.as_bytes().to_vec(),
        aaguid: credential.aaguid.to_string(),
        transports: credential.transports,
        backup_eligible: credential.backup_eligible,
        backed_up: credential.backed_up,
        created_at: Some(moment(passkey.created_at)),
        last_used_at: passkey.last_used_at.map(moment),
        rp_id: passkey.rp_id,
    }
}
