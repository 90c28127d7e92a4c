//! What `SessionService` does of sign-ins that owe something, or come by mail.

use denizen_domain::credentials::PasswordAttempt;
use denizen_domain::error::FieldError;
use denizen_domain::factors::{Enrolment, SecondFactorCode};
use denizen_domain::sessions::step_up::Given;
use denizen_domain::sessions::{self, Challenged, Outcome, Owed};
use denizen_domain::users::{DisplayName, EmailAddress};
use denizen_proto::v1;
use denizen_proto::v1::step_up_request::Factor;
use secrecy::{ExposeSecret, SecretString};

use super::call::Call;
use super::passkeys;
use super::sessions::parts;
use super::status::Refusal;
use crate::http::factors::exposed;
use crate::json_form::Fields;

/// A challenge.
pub(super) fn body(challenged: &Challenged) -> v1::Challenge {
    let owed = match challenged.owed {
        Owed::SecondFactor(_) => v1::Owed::SecondFactor,
        Owed::Enrolment => v1::Owed::Enrolment,
        Owed::PasskeyEnrolment => v1::Owed::PasskeyEnrolment,
        Owed::MailedCode => v1::Owed::MailedCode,
    };
    v1::Challenge {
        challenge_id: challenged.token.expose_secret().to_owned(),
        owed: owed.into(),
        expires_in_s: i32::try_from(challenged.expires_in_s).unwrap_or(i32::MAX),
    }
}

/// A secret that is shown once.
pub(super) fn secret(enrolment: &Enrolment) -> v1::TotpSecret {
    v1::TotpSecret {
        secret: enrolment.secret.expose_secret().to_owned(),
        uri: enrolment.uri.expose_secret().to_owned(),
    }
}

pub(super) async fn finish(
    call: Call,
    request: v1::FinishChallengeRequest,
) -> Result<v1::FinishChallengeResponse, Refusal> {
    let device: Option<SecretString> = request.device_token.map(Into::into);
    let (id, code) = (request.challenge_id.into(), request.code.into());
    let finished = sessions::finish(&call.ctx, &id, &code, device.as_ref()).await?;
    let recovery_codes = finished.recovery_codes.as_deref().map(exposed).unwrap_or_default();
    Ok(match finished.outcome {
        Outcome::SignedIn(signed_in) => {
            let (tokens, session_id, user) = parts(*signed_in);
            v1::FinishChallengeResponse { tokens, session_id, user, challenge: None, recovery_codes }
        }
        Outcome::Challenged(owing) => {
            v1::FinishChallengeResponse { challenge: Some(body(&owing)), ..Default::default() }
        }
    })
}

pub(super) async fn enrol(
    call: Call,
    request: v1::EnrolChallengeRequest,
) -> Result<v1::EnrolChallengeResponse, Refusal> {
    let enrolment = sessions::enrol(&call.ctx, &request.challenge_id.into()).await?;
    Ok(v1::EnrolChallengeResponse { secret: Some(secret(&enrolment)) })
}

pub(super) async fn request_code(
    call: Call,
    request: v1::RequestSignInCodeRequest,
) -> Result<v1::RequestSignInCodeResponse, Refusal> {
    let mut fields = Fields::default();
    let email = fields.check("email", EmailAddress::parse(&request.email));
    let label = fields.check("label", request.label.as_deref().map(DisplayName::parse).transpose());
    let (email, label) = fields.finish(email.zip(label))?;
    let challenged = sessions::request_code(&call.ctx, &email, label).await?;
    Ok(v1::RequestSignInCodeResponse { challenge: Some(body(&challenged)) })
}

pub(super) async fn request_link(
    call: Call,
    request: v1::RequestSignInLinkRequest,
) -> Result<v1::RequestSignInLinkResponse, Refusal> {
    sessions::request_link(&call.ctx, &address(&request.email)?).await?;
    Ok(v1::RequestSignInLinkResponse {})
}

pub(super) async fn follow_link(
    call: Call,
    request: v1::FollowSignInLinkRequest,
) -> Result<v1::FollowSignInLinkResponse, Refusal> {
    let mut fields = Fields::default();
    let label = fields.check("label", request.label.as_deref().map(DisplayName::parse).transpose());
    let label = fields.finish(label)?;
    Ok(match sessions::follow_link(&call.ctx, &request.token.into(), label).await? {
        Outcome::SignedIn(signed_in) => {
            let (tokens, session_id, user) = parts(*signed_in);
            v1::FollowSignInLinkResponse { tokens, session_id, user, challenge: None }
        }
        Outcome::Challenged(owing) => {
            v1::FollowSignInLinkResponse { challenge: Some(body(&owing)), ..Default::default() }
        }
    })
}

pub(super) async fn step_up(call: Call, request: v1::StepUpRequest) -> Result<v1::StepUpResponse, Refusal> {
    call.ctx.signed_in()?;
    let mut fields = Fields::default();
    let given = match request.factor {
        Some(Factor::Password(password)) => {
            fields.check("password", PasswordAttempt::parse(&password.into())).map(Given::Password)
        }
        Some(Factor::Code(code)) => fields.check("code", SecondFactorCode::parse(&code.into())).map(Given::Code),
        Some(Factor::Passkey(passkey)) => Some(Given::Passkey(passkeys::answer(passkey))),
        None => {
            fields.refuse(FieldError::new("password", "required", "is required, unless code or passkey is set"));
            None
        }
    };
    sessions::step_up(&call.ctx, fields.finish(given)?).await?;
    Ok(v1::StepUpResponse {})
}

/// An address, parsed.
pub(super) fn address(raw: &str) -> Result<EmailAddress, Refusal> {
    let mut fields = Fields::default();
    let email = fields.check("email", EmailAddress::parse(raw));
    Ok(fields.finish(email)?)
}
