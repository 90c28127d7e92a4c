//! `denizen.v1.UserService`.

use std::pin::Pin;

use denizen_domain::access::{Permission, Subject};
use denizen_domain::credentials::{self, NewPassword, PasswordAttempt};
use denizen_domain::error::{Error, FieldError};
use denizen_domain::id::UserId;
use denizen_domain::roles::RoleName;
use denizen_domain::users::{self, Attributes, DeletionTime, EmailAddress, SignUp, UserFilter};
use denizen_proto::v1;
use denizen_proto::v1::get_me_response::Credential;
use denizen_proto::v1::user_service_server::UserService;
use tokio_stream::Stream;
use tonic::{Request, Response, Status, Streaming, async_trait};

use super::call::{Call, by_caller, identify};
use super::page::{self, asked};
use super::status::Refusal;
use super::user_change::change;
use super::{convert, export, import};
use crate::concealment;
use crate::http::Shared;
use crate::http::page::List;
use crate::http::users_list::prefix;
use crate::json_form::Fields;
use crate::new_user::{self, RawUser};

/// How many users can be got at once.
const BATCH_MAX: usize = 100;

/// The service.
pub(super) struct Users(pub(super) Shared);

#[async_trait]
impl UserService for Users {
    async fn create_user(
        &self,
        request: Request<v1::CreateUserRequest>,
    ) -> Result<Response<v1::CreateUserResponse>, Status> {
        by_caller(&self.0, request, create).await
    }

    async fn get_user(&self, request: Request<v1::GetUserRequest>) -> Result<Response<v1::GetUserResponse>, Status> {
        by_caller(&self.0, request, get).await
    }

    async fn batch_get_users(
        &self,
        request: Request<v1::BatchGetUsersRequest>,
    ) -> Result<Response<v1::BatchGetUsersResponse>, Status> {
        by_caller(&self.0, request, batch_get).await
    }

    async fn list_users(
        &self,
        request: Request<v1::ListUsersRequest>,
    ) -> Result<Response<v1::ListUsersResponse>, Status> {
        by_caller(&self.0, request, list).await
    }

    async fn update_user(
        &self,
        request: Request<v1::UpdateUserRequest>,
    ) -> Result<Response<v1::UpdateUserResponse>, Status> {
        by_caller(&self.0, request, update).await
    }

    async fn delete_user(
        &self,
        request: Request<v1::DeleteUserRequest>,
    ) -> Result<Response<v1::DeleteUserResponse>, Status> {
        by_caller(&self.0, request, delete).await
    }

    async fn restore_user(
        &self,
        request: Request<v1::RestoreUserRequest>,
    ) -> Result<Response<v1::RestoreUserResponse>, Status> {
        by_caller(&self.0, request, restore).await
    }

    async fn get_me(&self, request: Request<v1::GetMeRequest>) -> Result<Response<v1::GetMeResponse>, Status> {
        by_caller(&self.0, request, get_me).await
    }

    async fn change_password(
        &self,
        request: Request<v1::ChangePasswordRequest>,
    ) -> Result<Response<v1::ChangePasswordResponse>, Status> {
        by_caller(&self.0, request, change_password).await
    }

    async fn import_users(
        &self,
        request: Request<Streaming<v1::ImportUsersRequest>>,
    ) -> Result<Response<v1::ImportUsersResponse>, Status> {
        by_caller(&self.0, request, import::import).await
    }

    type ExportUsersStream = Pin<Box<dyn Stream<Item = Result<v1::ExportUsersResponse, Status>> + Send>>;

    async fn export_users(
        &self,
        request: Request<v1::ExportUsersRequest>,
    ) -> Result<Response<Self::ExportUsersStream>, Status> {
        let (call, _) = identify(&self.0, request).await?;
        Ok(Response::new(export::export(call).await?))
    }
}

async fn create(call: Call, request: v1::CreateUserRequest) -> Result<v1::CreateUserResponse, Refusal> {
    let mut fields = Fields::default();
    let read = |attributes| convert::read_object(attributes).and_then(Attributes::parse);
    let raw = RawUser {
        email: &request.email,
        password: &request.password.into(),
        name: &request.name,
        role: request.role.as_deref(),
        locale: request.locale.as_deref(),
        attributes: read(request.attributes.unwrap_or_default()),
        app_attributes: request.app_attributes.map(read).transpose(),
    };
    let new = new_user::parse(&mut fields, raw, call.ctx.policy());
    let new = fields.finish(new)?;
    let strength = convert::strength(new.password.strength());
    let earliest_answer = concealment::earliest_answer(call.ctx.policy());
    let outcome = users::sign_up(&call.ctx, new).await;
    if let Some(earliest_answer) = earliest_answer
        && !matches!(outcome, Ok(SignUp::Created(_)))
    {
        earliest_answer.await;
    }
    let user = match outcome? {
        SignUp::Created(user) => Some(convert::user(*user)),
        SignUp::Concealed => None,
    };
    Ok(v1::CreateUserResponse { user, password_strength: strength.into() })
}

async fn get(call: Call, request: v1::GetUserRequest) -> Result<v1::GetUserResponse, Refusal> {
    let id = convert::id("id", &request.id, UserId::parse)?;
    let user = users::get(&call.ctx, id).await?;
    Ok(v1::GetUserResponse { user: Some(convert::user(user)) })
}

async fn batch_get(call: Call, request: v1::BatchGetUsersRequest) -> Result<v1::BatchGetUsersResponse, Refusal> {
    if request.ids.is_empty() || request.ids.len() > BATCH_MAX {
        return Err(FieldError::new("ids", "out_of_range", format!("must be 1 to {BATCH_MAX}")).into());
    }
    let read = |raw: &String| convert::id("ids", raw, UserId::parse);
    let ids: Vec<UserId> = request.ids.iter().map(read).collect::<Result<_, _>>()?;
    let users = users::get_many(&call.ctx, &ids).await?;
    Ok(v1::BatchGetUsersResponse { users: users.into_iter().map(convert::user).collect() })
}

async fn list(call: Call, request: v1::ListUsersRequest) -> Result<v1::ListUsersResponse, Refusal> {
    let vault = call.shared.services.vault.as_ref();
    let mut fields = Fields::default();
    let email = convert::said(&request.email).map(|raw| fields.check("email", EmailAddress::parse(raw)));
    let role = convert::said(&request.role).map(|raw| fields.check("role", RoleName::reference(raw)));
    let status = fields.check("status", convert::read_status(request.status));
    let created_after = request.created_after.as_ref();
    let created_after = created_after.map(|at| fields.check("created_after", convert::read_moment(at)));
    let prefix = fields.check("prefix", prefix(&request.prefix));
    let filter = UserFilter {
        email: email.flatten(),
        prefix: prefix.flatten(),
        role: role.flatten(),
        status: status.flatten(),
        created_after: created_after.flatten(),
    };
    let asked = asked!(request).read(vault, List::Users).map_err(|field| fields.refuse(field)).ok();
    let (filter, page, total) = fields.finish(asked.map(|(page, total)| (filter, page, total)))?;

    let listed = users::list(&call.ctx, &filter, page, total).await?;
    Ok(v1::ListUsersResponse {
        next_page_token: page::next(vault, List::Users, listed.next),
        total_size: page::total(listed.total),
        total_size_limited: page::is_limited(listed.total),
        users: listed.items.into_iter().map(convert::user).collect(),
    })
}

async fn update(call: Call, request: v1::UpdateUserRequest) -> Result<v1::UpdateUserResponse, Refusal> {
    let user = request.user.ok_or_else(|| convert::required("user"))?;
    let id = convert::id("id", &user.id, UserId::parse)?;
    let expected = convert::expected(&user.etag)?;
    let change = change(user, request.update_mask)?;
    let user = users::update(&call.ctx, id, change, expected.as_deref()).await?;
    Ok(v1::UpdateUserResponse { user: Some(convert::user(user)) })
}

async fn delete(call: Call, request: v1::DeleteUserRequest) -> Result<v1::DeleteUserResponse, Refusal> {
    let id = convert::id("id", &request.id, UserId::parse)?;
    let expected = convert::expected(&request.etag)?;
    let time = if request.now { DeletionTime::Now } else { DeletionTime::AfterGracePeriod };
    let after = users::delete(&call.ctx, id, expected.as_deref(), time).await?;
    Ok(v1::DeleteUserResponse { delete_after: after.map(convert::moment) })
}

async fn restore(call: Call, request: v1::RestoreUserRequest) -> Result<v1::RestoreUserResponse, Refusal> {
    let id = convert::id("id", &request.id, UserId::parse)?;
    let user = users::restore(&call.ctx, id).await?;
    Ok(v1::RestoreUserResponse { user: Some(convert::user(user)) })
}

async fn get_me(call: Call, _: v1::GetMeRequest) -> Result<v1::GetMeResponse, Refusal> {
    let principal = call.ctx.principal()?;
    let Subject::User(id) = principal.subject else { return Err(Error::Forbidden.into()) };
    let user = users::get(&call.ctx, id).await?;
    let credential = principal.credential.to_string();
    let is_session = principal.signed_in().is_some();
    Ok(v1::GetMeResponse {
        user: Some(convert::user(user)),
        credential: Some(if is_session { Credential::SessionId(credential) } else { Credential::ApiKeyId(credential) }),
        permissions: principal.permissions.iter().map(Permission::as_str).map(str::to_owned).collect(),
    })
}

async fn change_password(
    call: Call,
    request: v1::ChangePasswordRequest,
) -> Result<v1::ChangePasswordResponse, Refusal> {
    let mut fields = Fields::default();
    let current = fields.check("current_password", PasswordAttempt::parse(&request.current_password.into()));
    let new = NewPassword::parse(&request.new_password.into(), call.ctx.policy().password_chars_min);
    let new = fields.check("new_password", new);
    let (current, new) = fields.finish(current.zip(new))?;
    let strength = convert::strength(new.strength());
    credentials::change(&call.ctx, current, new).await?;
    Ok(v1::ChangePasswordResponse { password_strength: strength.into() })
}
