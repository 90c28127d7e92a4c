//! `denizen.v1.SessionService`.

use denizen_domain::credentials::PasswordAttempt;
use denizen_domain::id::SessionId;
use denizen_domain::sessions::{self, DeviceClaim, Outcome, Session, SignedIn};
use denizen_domain::users::{DisplayName, TypedEmail};
use denizen_proto::v1;
use denizen_proto::v1::session_service_server::SessionService;
use secrecy::ExposeSecret;
use tonic::{Request, Response, Status, async_trait};

use super::call::{Call, by_anybody, by_caller};
use super::challenges;
use super::convert::{self, moment, said};
use super::page::{self, asked};
use super::status::Refusal;
use crate::http::Shared;
use crate::http::page::List;
use crate::http::sessions::whose;
use crate::json_form::Fields;

/// The service.
pub(super) struct Sessions(pub(super) Shared);

#[async_trait]
impl SessionService for Sessions {
    async fn sign_in(&self, request: Request<v1::SignInRequest>) -> Result<Response<v1::SignInResponse>, Status> {
        by_anybody(&self.0, request, sign_in).await
    }

    async fn refresh_session(
        &self,
        request: Request<v1::RefreshSessionRequest>,
    ) -> Result<Response<v1::RefreshSessionResponse>, Status> {
        by_anybody(&self.0, request, refresh).await
    }

    async fn finish_challenge(
        &self,
        request: Request<v1::FinishChallengeRequest>,
    ) -> Result<Response<v1::FinishChallengeResponse>, Status> {
        by_anybody(&self.0, request, challenges::finish).await
    }

    async fn enrol_challenge(
        &self,
        request: Request<v1::EnrolChallengeRequest>,
    ) -> Result<Response<v1::EnrolChallengeResponse>, Status> {
        by_anybody(&self.0, request, challenges::enrol).await
    }

    async fn request_sign_in_code(
        &self,
        request: Request<v1::RequestSignInCodeRequest>,
    ) -> Result<Response<v1::RequestSignInCodeResponse>, Status> {
        by_anybody(&self.0, request, challenges::request_code).await
    }

    async fn request_sign_in_link(
        &self,
        request: Request<v1::RequestSignInLinkRequest>,
    ) -> Result<Response<v1::RequestSignInLinkResponse>, Status> {
        by_anybody(&self.0, request, challenges::request_link).await
    }

    async fn follow_sign_in_link(
        &self,
        request: Request<v1::FollowSignInLinkRequest>,
    ) -> Result<Response<v1::FollowSignInLinkResponse>, Status> {
        by_anybody(&self.0, request, challenges::follow_link).await
    }

    async fn step_up(&self, request: Request<v1::StepUpRequest>) -> Result<Response<v1::StepUpResponse>, Status> {
        by_caller(&self.0, request, challenges::step_up).await
    }

    async fn sign_out(&self, request: Request<v1::SignOutRequest>) -> Result<Response<v1::SignOutResponse>, Status> {
        by_caller(&self.0, request, sign_out).await
    }

    async fn list_sessions(
        &self,
        request: Request<v1::ListSessionsRequest>,
    ) -> Result<Response<v1::ListSessionsResponse>, Status> {
        by_caller(&self.0, request, list).await
    }

    async fn revoke_session(
        &self,
        request: Request<v1::RevokeSessionRequest>,
    ) -> Result<Response<v1::RevokeSessionResponse>, Status> {
        by_caller(&self.0, request, revoke).await
    }

    async fn revoke_all_sessions(
        &self,
        request: Request<v1::RevokeAllSessionsRequest>,
    ) -> Result<Response<v1::RevokeAllSessionsResponse>, Status> {
        by_caller(&self.0, request, revoke_all).await
    }
}

async fn sign_in(call: Call, request: v1::SignInRequest) -> Result<v1::SignInResponse, Refusal> {
    let mut fields = Fields::default();
    let email = fields.check("email", TypedEmail::parse(&request.email));
    let attempt = fields.check("password", PasswordAttempt::parse(&request.password.into()));
    let label = request.label.as_deref().map(|raw| fields.check("label", DisplayName::parse(raw)));
    let (email, attempt) = fields.finish(email.zip(attempt))?;

    let device = DeviceClaim { label: label.flatten(), token: request.device_token.map(Into::into) };
    Ok(match sessions::sign_in(&call.ctx, &email, attempt, device).await? {
        Outcome::SignedIn(signed_in) => {
            let (tokens, session_id, user) = parts(*signed_in);
            v1::SignInResponse { tokens, session_id, user, challenge: None }
        }
        Outcome::Challenged(owing) => {
            v1::SignInResponse { challenge: Some(challenges::body(&owing)), ..Default::default() }
        }
    })
}

async fn refresh(call: Call, request: v1::RefreshSessionRequest) -> Result<v1::RefreshSessionResponse, Refusal> {
    if request.refresh_token.is_empty() {
        return Err(convert::required("refresh_token").into());
    }
    let signed_in = sessions::refresh(&call.ctx, &request.refresh_token.into()).await?;
    let (tokens, session_id, user) = parts(signed_in);
    Ok(v1::RefreshSessionResponse { tokens, session_id, user })
}

pub(super) fn parts(signed_in: SignedIn) -> (Option<v1::Tokens>, String, Option<v1::User>) {
    let tokens = v1::Tokens {
        access_token: signed_in.access_token.expose_secret().to_owned(),
        expires_in_s: i32::try_from(signed_in.expires_in_s).unwrap_or(i32::MAX),
        refresh_token: signed_in.refresh_token.expose_secret().to_owned(),
        device_token: signed_in.device_token.map(|token| token.expose_secret().to_owned()).unwrap_or_default(),
    };
    (Some(tokens), signed_in.session_id.to_string(), Some(convert::user(signed_in.user)))
}

async fn sign_out(call: Call, _: v1::SignOutRequest) -> Result<v1::SignOutResponse, Refusal> {
    sessions::end_current(&call.ctx).await?;
    Ok(v1::SignOutResponse {})
}

async fn list(call: Call, request: v1::ListSessionsRequest) -> Result<v1::ListSessionsResponse, Refusal> {
    let vault = call.shared.services.vault.as_ref();
    let (page, total) = asked!(request).read(vault, List::Sessions)?;
    let user = whose(&call.ctx, said(&request.user_id))?;
    let current = call.ctx.signed_in().ok().map(|(_, session)| session);
    let listed = sessions::list(&call.ctx, user, page, total).await?;
    Ok(v1::ListSessionsResponse {
        next_page_token: page::next(vault, List::Sessions, listed.next),
        total_size: page::total(listed.total),
        sessions: listed.items.into_iter().map(|session| body(session, current)).collect(),
    })
}

fn body(session: Session, current: Option<SessionId>) -> v1::Session {
    v1::Session {
        id: session.id.to_string(),
        user_id: session.user_id.to_string(),
        label: session.label.map(|label| label.to_string()),
        address: session.origin.address.map(|address| address.to_string()),
        user_agent: session.origin.user_agent,
        created_at: Some(moment(session.created_at)),
        refreshed_at: Some(moment(session.refreshed_at)),
        last_used_at: Some(moment(session.last_used_at)),
        expires_at: Some(moment(session.idle_expires_at.min(session.expires_at))),
        is_current: current == Some(session.id),
        authenticated_at: Some(moment(session.proven_at)),
        amr: session.authenticated.methods.names().map(str::to_owned).collect(),
        acr: session.authenticated.methods.acr().as_str().to_owned(),
        identity_id: session.authenticated.identity_id.map(|id| id.to_string()),
    }
}

async fn revoke(call: Call, request: v1::RevokeSessionRequest) -> Result<v1::RevokeSessionResponse, Refusal> {
    let id = convert::id("id", &request.id, SessionId::parse)?;
    sessions::end(&call.ctx, id).await?;
    Ok(v1::RevokeSessionResponse {})
}

async fn revoke_all(
    call: Call,
    request: v1::RevokeAllSessionsRequest,
) -> Result<v1::RevokeAllSessionsResponse, Refusal> {
    let user = whose(&call.ctx, said(&request.user_id))?;
    let keep = if request.keep_current { Some(call.ctx.signed_in()?.1) } else { None };
    let ended = sessions::end_of_user(&call.ctx, user, keep).await?;
    Ok(v1::RevokeAllSessionsResponse { ended: i64::try_from(ended).unwrap_or(i64::MAX) })
}
