//! `denizen.v1.RoleService`.

use denizen_domain::access::Permission;
use denizen_domain::error::{Error, Resource, RuleBroken};
use denizen_domain::roles::{self, Description, NewRole, Role, RoleChange, RoleKey, RoleName, SecondFactorPolicy};
use denizen_proto::v1;
use denizen_proto::v1::role_service_server::RoleService;
use tonic::{Request, Response, Status, async_trait};

use super::call::{Call, by_caller};
use super::convert::{self, moment, said};
use super::mask::Mask;
use super::page::{self, asked};
use super::status::Refusal;
use crate::http::page::List;
use crate::http::roles::key_of;
use crate::http::{Shared, etag, permissions};
use crate::json_form::Fields;

/// The service.
pub(super) struct Roles(pub(super) Shared);

#[async_trait]
impl RoleService for Roles {
    async fn create_role(
        &self,
        request: Request<v1::CreateRoleRequest>,
    ) -> Result<Response<v1::CreateRoleResponse>, Status> {
        by_caller(&self.0, request, create).await
    }

    async fn get_role(&self, request: Request<v1::GetRoleRequest>) -> Result<Response<v1::GetRoleResponse>, Status> {
        by_caller(&self.0, request, get).await
    }

    async fn list_roles(
        &self,
        request: Request<v1::ListRolesRequest>,
    ) -> Result<Response<v1::ListRolesResponse>, Status> {
        by_caller(&self.0, request, list).await
    }

    async fn update_role(
        &self,
        request: Request<v1::UpdateRoleRequest>,
    ) -> Result<Response<v1::UpdateRoleResponse>, Status> {
        by_caller(&self.0, request, update).await
    }

    async fn delete_role(
        &self,
        request: Request<v1::DeleteRoleRequest>,
    ) -> Result<Response<v1::DeleteRoleResponse>, Status> {
        by_caller(&self.0, request, delete).await
    }

    async fn list_permissions(
        &self,
        request: Request<v1::ListPermissionsRequest>,
    ) -> Result<Response<v1::ListPermissionsResponse>, Status> {
        by_caller(&self.0, request, list_permissions).await
    }
}

async fn create(call: Call, request: v1::CreateRoleRequest) -> Result<v1::CreateRoleResponse, Refusal> {
    let mut fields = Fields::default();
    let name = fields.check("name", RoleName::parse(&request.name));
    let description = fields.check("description", Description::parse(&request.description));
    let permissions = fields.check("permissions", permissions::read(&request.permissions));
    let second_factor = fields.check("second_factor", read_policy(request.second_factor)).flatten();
    let second_factor = second_factor.unwrap_or_default();
    let new = (|| Some(NewRole { name: name?, description: description?, permissions: permissions?, second_factor }))();
    let role = roles::create(&call.ctx, fields.finish(new)?).await?;
    Ok(v1::CreateRoleResponse { role: Some(body(&role)) })
}

async fn get(call: Call, request: v1::GetRoleRequest) -> Result<v1::GetRoleResponse, Refusal> {
    let role = roles::get(&call.ctx, &key(&request.role)?).await?;
    Ok(v1::GetRoleResponse { role: Some(body(&role)) })
}

async fn list(call: Call, request: v1::ListRolesRequest) -> Result<v1::ListRolesResponse, Refusal> {
    let vault = call.shared.services.vault.as_ref();
    let (page, total) = asked!(request).read(vault, List::Roles)?;
    let listed = roles::list(&call.ctx, page, total).await?;
    Ok(v1::ListRolesResponse {
        next_page_token: page::next(vault, List::Roles, listed.next),
        total_size: page::total(listed.total),
        roles: listed.items.iter().map(body).collect(),
    })
}

async fn update(call: Call, request: v1::UpdateRoleRequest) -> Result<v1::UpdateRoleResponse, Refusal> {
    let role = request.role.ok_or_else(|| convert::required("role"))?;
    let mask = Mask::read(request.update_mask, &["description", "permissions", "second_factor"])?;
    let key = key(said(&role.id).unwrap_or(&role.name))?;
    let mut fields = Fields::default();
    let name = said(&role.name).and_then(|raw| fields.check("name", RoleName::parse(raw)));
    let means_description = mask.means("description", !role.description.is_empty());
    let description = || fields.check("description", Description::parse(&role.description));
    let description = means_description.then(description).flatten();
    let means_permissions = mask.means("permissions", !role.permissions.is_empty());
    let granted = || fields.check("permissions", permissions::read(&role.permissions));
    let permissions = means_permissions.then(granted).flatten();
    let means_policy = mask.means_if_said("second_factor", role.second_factor != 0);
    let policy = || fields.check("second_factor", read_policy(role.second_factor)).flatten();
    let second_factor = means_policy.then(policy).flatten();
    let change = fields.finish(Some(RoleChange { name, description, permissions, second_factor }))?;

    let expected = convert::expected(&role.etag)?;
    let role = roles::update(&call.ctx, &key, change, expected.as_deref()).await?;
    Ok(v1::UpdateRoleResponse { role: Some(body(&role)) })
}

async fn delete(call: Call, request: v1::DeleteRoleRequest) -> Result<v1::DeleteRoleResponse, Refusal> {
    let expected = convert::expected(&request.etag)?;
    roles::delete(&call.ctx, &key(&request.role)?, expected.as_deref()).await?;
    Ok(v1::DeleteRoleResponse {})
}

async fn list_permissions(call: Call, _: v1::ListPermissionsRequest) -> Result<v1::ListPermissionsResponse, Refusal> {
    call.ctx.require_identity()?;
    let body = |permission: &Permission| v1::Permission {
        name: permission.as_str().to_owned(),
        description: permission.description().to_owned(),
    };
    Ok(v1::ListPermissionsResponse { permissions: Permission::ALL.iter().map(body).collect() })
}

/// The role that a name or an id stands for. Whatever can be neither is no role.
fn key(raw: &str) -> Result<RoleKey, Error> {
    key_of(raw).ok_or(Error::NotFound(Resource::Role))
}

fn body(role: &Role) -> v1::Role {
    v1::Role {
        id: role.id.as_uuid().to_string(),
        built_in: role.name.built_in().is_some(),
        name: role.name.to_string(),
        description: role.description.as_str().to_owned(),
        permissions: convert::names(role.permissions),
        created_at: Some(moment(role.created_at)),
        updated_at: Some(moment(role.updated_at)),
        etag: etag::of_version(role.version),
        second_factor: match role.second_factor {
            SecondFactorPolicy::Optional => v1::SecondFactorPolicy::Optional.into(),
            SecondFactorPolicy::Required => v1::SecondFactorPolicy::Required.into(),
            SecondFactorPolicy::Passkey => v1::SecondFactorPolicy::Passkey.into(),
        },
    }
}

/// The policy that a number stands for; `None` when nothing is said.
fn read_policy(number: i32) -> Result<Option<SecondFactorPolicy>, RuleBroken> {
    match v1::SecondFactorPolicy::try_from(number) {
        Ok(v1::SecondFactorPolicy::Unspecified) => Ok(None),
        Ok(v1::SecondFactorPolicy::Optional) => Ok(Some(SecondFactorPolicy::Optional)),
        Ok(v1::SecondFactorPolicy::Required) => Ok(Some(SecondFactorPolicy::Required)),
        Ok(v1::SecondFactorPolicy::Passkey) => Ok(Some(SecondFactorPolicy::Passkey)),
        Err(_) => Err(convert::broken("invalid_value", "must be optional, required or passkey")),
    }
}
