//! Service accounts.

use denizen_domain::Ctx;
use denizen_domain::error::{FieldError, Result};
use denizen_domain::page::Total;
use denizen_domain::roles::RoleName;
use denizen_domain::service_accounts::{self, NewServiceAccount, ServiceAccount, ServiceAccountChange};
use denizen_domain::users::{DisplayName, Status};
use serde_json::{Map, Value, json};

use super::all;
use crate::declarative::kind::{Identity, Info, Issued, Kind, Secrets, typed};
use crate::declarative::plan::Planned;
use crate::declarative::schema::ItemSchema;
use crate::http::service_accounts::{ReplaceServiceAccountBody, ServiceAccountBody};

pub(crate) struct ServiceAccounts;

impl Kind for ServiceAccounts {
    type Resource = ServiceAccount;
    type Change = ServiceAccountChange;

    const INFO: Info = Info {
        section: "service_accounts",
        argument: "service-accounts",
        singular: "service account",
        key: "name",
        has_id: true,
        max: None,
    };

    fn schema() -> ItemSchema {
        let id = json!({
            "description": "The id, if several service accounts have the same name, or to change the name.",
            "type": "string", "format": "uuid",
        });
        ItemSchema::of::<ReplaceServiceAccountBody>().with("id", id)
    }

    async fn list(ctx: &Ctx) -> Result<Vec<ServiceAccount>> {
        all(|page| service_accounts::list(ctx, page, Total::Skip)).await
    }

    fn identity(account: &ServiceAccount) -> Identity {
        Identity { id: Some(account.id.to_string()), key: account.name.to_string() }
    }

    /// Display names are normalised.
    fn stored_key(raw: &str) -> String {
        DisplayName::parse(raw).map_or_else(|_| raw.to_owned(), |name| name.to_string())
    }

    fn body(account: &ServiceAccount) -> Value {
        json!(ServiceAccountBody::from(account.clone()))
    }

    fn read(
        fields: Map<String, Value>,
        _: Option<&ServiceAccount>,
        _: Secrets,
    ) -> Result<ServiceAccountChange, Vec<FieldError>> {
        typed::<ReplaceServiceAccountBody>(fields)?.into_change()
    }

    fn after(change: &ServiceAccountChange, before: &ServiceAccount) -> ServiceAccount {
        change.clone().applied_to(before)
    }

    fn check(_: &Ctx, change: &ServiceAccountChange, _: Option<&ServiceAccount>, planned: &Planned) -> Vec<FieldError> {
        let role = change.role.as_ref().filter(|role| !planned.has("roles", role.as_str()));
        role.map(|_| FieldError::new("role", "unknown_role", "must be the name of a role")).into_iter().collect()
    }

    fn role(account: &ServiceAccount) -> Option<String> {
        Some(account.role.to_string())
    }

    async fn create(ctx: &Ctx, change: ServiceAccountChange) -> Result<Option<Issued>> {
        let ServiceAccountChange { name, description, role, status } = change;
        let new = NewServiceAccount {
            name: name.ok_or_else(|| FieldError::new("name", "required", "is required"))?,
            description: description.unwrap_or_default(),
            role: role.unwrap_or_else(RoleName::user),
            status: status.unwrap_or(Status::Active),
        };
        service_accounts::create(ctx, new).await.map(|_| None)
    }

    async fn update(ctx: &Ctx, before: &ServiceAccount, change: ServiceAccountChange) -> Result<()> {
        service_accounts::update(ctx, before.id, change, Some(&[before.version])).await.map(drop)
    }

    async fn delete(ctx: &Ctx, before: &ServiceAccount) -> Result<()> {
        service_accounts::delete(ctx, before.id, Some(&[before.version])).await
    }
}
