//! `denizen.v1.ServiceAccountService`.

use denizen_domain::error::RuleBroken;
use denizen_domain::id::ServiceAccountId;
use denizen_domain::roles::{Description, RoleName};
use denizen_domain::service_accounts::{self, NewServiceAccount, ServiceAccount, ServiceAccountChange};
use denizen_domain::users::{DisplayName, Status as AccountStatus};
use denizen_proto::v1;
use denizen_proto::v1::service_account_service_server::ServiceAccountService;
use tonic::{Request, Response, Status, async_trait};

use super::call::{Call, by_caller};
use super::convert::{self, moment};
use super::mask::Mask;
use super::page::{self, asked};
use super::status::Refusal;
use crate::http::page::List;
use crate::http::{Shared, etag};
use crate::json_form::Fields;

const KNOWN: [&str; 4] = ["name", "description", "role", "status"];

/// The service.
pub(super) struct ServiceAccounts(pub(super) Shared);

#[async_trait]
impl ServiceAccountService for ServiceAccounts {
    async fn create_service_account(
        &self,
        request: Request<v1::CreateServiceAccountRequest>,
    ) -> Result<Response<v1::CreateServiceAccountResponse>, Status> {
        by_caller(&self.0, request, create).await
    }

    async fn get_service_account(
        &self,
        request: Request<v1::GetServiceAccountRequest>,
    ) -> Result<Response<v1::GetServiceAccountResponse>, Status> {
        by_caller(&self.0, request, get).await
    }

    async fn list_service_accounts(
        &self,
        request: Request<v1::ListServiceAccountsRequest>,
    ) -> Result<Response<v1::ListServiceAccountsResponse>, Status> {
        by_caller(&self.0, request, list).await
    }

    async fn update_service_account(
        &self,
        request: Request<v1::UpdateServiceAccountRequest>,
    ) -> Result<Response<v1::UpdateServiceAccountResponse>, Status> {
        by_caller(&self.0, request, update).await
    }

    async fn delete_service_account(
        &self,
        request: Request<v1::DeleteServiceAccountRequest>,
    ) -> Result<Response<v1::DeleteServiceAccountResponse>, Status> {
        by_caller(&self.0, request, delete).await
    }
}

async fn create(
    call: Call,
    request: v1::CreateServiceAccountRequest,
) -> Result<v1::CreateServiceAccountResponse, Refusal> {
    let mut fields = Fields::default();
    let name = fields.check("name", DisplayName::parse(&request.name));
    let description = fields.check("description", Description::parse(&request.description));
    let role = request.role.map_or(Ok(RoleName::user()), |raw| RoleName::reference(&raw));
    let role = fields.check("role", role);
    let new = (|| {
        Some(NewServiceAccount { name: name?, description: description?, role: role?, status: AccountStatus::Active })
    })();
    let account = service_accounts::create(&call.ctx, fields.finish(new)?).await?;
    Ok(v1::CreateServiceAccountResponse { service_account: Some(body(&account)) })
}

async fn get(call: Call, request: v1::GetServiceAccountRequest) -> Result<v1::GetServiceAccountResponse, Refusal> {
    let id = convert::id("id", &request.id, ServiceAccountId::parse)?;
    let account = service_accounts::get(&call.ctx, id).await?;
    Ok(v1::GetServiceAccountResponse { service_account: Some(body(&account)) })
}

async fn list(call: Call, request: v1::ListServiceAccountsRequest) -> Result<v1::ListServiceAccountsResponse, Refusal> {
    let vault = call.shared.services.vault.as_ref();
    let (page, total) = asked!(request).read(vault, List::ServiceAccounts)?;
    let listed = service_accounts::list(&call.ctx, page, total).await?;
    Ok(v1::ListServiceAccountsResponse {
        next_page_token: page::next(vault, List::ServiceAccounts, listed.next),
        total_size: page::total(listed.total),
        total_size_limited: page::is_limited(listed.total),
        service_accounts: listed.items.iter().map(body).collect(),
    })
}

async fn update(
    call: Call,
    request: v1::UpdateServiceAccountRequest,
) -> Result<v1::UpdateServiceAccountResponse, Refusal> {
    let account = request.service_account.ok_or_else(|| convert::required("service_account"))?;
    let id = convert::id("id", &account.id, ServiceAccountId::parse)?;
    let mask = Mask::read(request.update_mask, &KNOWN)?;
    let mut fields = Fields::default();
    let means_name = mask.means("name", !account.name.is_empty());
    let means_description = mask.means("description", !account.description.is_empty());
    let means_role = mask.means_if_said("role", !account.role.is_empty());
    let means_status = mask.means_if_said("status", account.status != 0);
    let change = ServiceAccountChange {
        name: means_name.then(|| fields.check("name", DisplayName::parse(&account.name))).flatten(),
        description: means_description
            .then(|| fields.check("description", Description::parse(&account.description)))
            .flatten(),
        role: means_role.then(|| fields.check("role", RoleName::reference(&account.role))).flatten(),
        status: means_status.then(|| fields.check("status", read_status(account.status))).flatten(),
    };
    let change = fields.finish(Some(change))?;

    let expected = convert::expected(&account.etag)?;
    let account = service_accounts::update(&call.ctx, id, change, expected.as_deref()).await?;
    Ok(v1::UpdateServiceAccountResponse { service_account: Some(body(&account)) })
}

async fn delete(
    call: Call,
    request: v1::DeleteServiceAccountRequest,
) -> Result<v1::DeleteServiceAccountResponse, Refusal> {
    let id = convert::id("id", &request.id, ServiceAccountId::parse)?;
    let expected = convert::expected(&request.etag)?;
    service_accounts::delete(&call.ctx, id, expected.as_deref()).await?;
    Ok(v1::DeleteServiceAccountResponse {})
}

fn read_status(number: i32) -> Result<AccountStatus, RuleBroken> {
    match v1::AccountStatus::try_from(number) {
        Ok(v1::AccountStatus::Active) => Ok(AccountStatus::Active),
        Ok(v1::AccountStatus::Disabled) => Ok(AccountStatus::Disabled),
        Ok(v1::AccountStatus::Unspecified) | Err(_) => {
            Err(convert::broken("invalid_value", "must be active or disabled"))
        }
    }
}

fn body(account: &ServiceAccount) -> v1::ServiceAccount {
    let status = match account.status {
        AccountStatus::Active => v1::AccountStatus::Active,
        // A program is never invited.
        AccountStatus::Disabled | AccountStatus::Invited => v1::AccountStatus::Disabled,
    };
    v1::ServiceAccount {
        id: account.id.to_string(),
        name: account.name.to_string(),
        description: account.description.as_str().to_owned(),
        role: account.role.to_string(),
        status: status.into(),
        created_at: Some(moment(account.created_at)),
        updated_at: Some(moment(account.updated_at)),
        etag: etag::of_version(account.version),
    }
}
