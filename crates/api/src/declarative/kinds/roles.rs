//! Roles.

use denizen_domain::Ctx;
use denizen_domain::error::{FieldError, Result};
use denizen_domain::page::{Page, Total};
use denizen_domain::roles::{self, NewRole, Role, RoleChange, RoleKey, RoleName};
use denizen_domain::users::{self, UserFilter};
use serde_json::{Map, Value, json};

use super::all;
use crate::declarative::kind::{Identity, Info, Issued, Kind, Secrets, typed};
use crate::declarative::plan::Planned;
use crate::declarative::schema::ItemSchema;
use crate::http::permissions::names;
use crate::http::roles::{ReplaceRoleBody, RoleBody};

pub(crate) struct Roles;

impl Kind for Roles {
    type Resource = Role;
    type Change = RoleChange;

    const INFO: Info =
        Info { section: "roles", argument: "roles", singular: "role", key: "name", has_id: false, max: None };

    fn schema() -> ItemSchema {
        let is_built_in =
            json!({"properties": {"name": {"enum": [RoleName::admin().as_str(), RoleName::user().as_str()]}}});
        let name = json!({
            "description": "The unique name; it cannot be changed.",
            "type": "string", "maxLength": 64, "pattern": "^[a-z][a-z0-9._:-]{0,63}$",
        });
        ItemSchema::of::<ReplaceRoleBody>()
            .with("name", name)
            .requiring("name")
            .requiring_unless("permissions", is_built_in)
    }

    async fn list(ctx: &Ctx) -> Result<Vec<Role>> {
        all(|page| roles::list(ctx, page, Total::Skip)).await
    }

    fn identity(role: &Role) -> Identity {
        Identity { id: None, key: role.name.to_string() }
    }

    fn body(role: &Role) -> Value {
        json!(RoleBody::from(role.clone()))
    }

    /// A built-in role is described by what can be changed: its permissions grow with each release.
    fn described(role: &Role, mut fields: Map<String, Value>) -> Map<String, Value> {
        if role.name.built_in().is_some() {
            fields.retain(|name, _| name == "name" || name == "second_factor");
        }
        fields
    }

    fn is_deletable(role: &Role) -> bool {
        role.name.built_in().is_none()
    }

    fn read(mut fields: Map<String, Value>, before: Option<&Role>, _: Secrets) -> Result<RoleChange, Vec<FieldError>> {
        if let Some(role) = before.filter(|role| role.name.built_in().is_some()) {
            fields.entry("permissions").or_insert_with(|| json!(names(role.permissions)));
            fields.entry("description").or_insert_with(|| json!(role.description.as_str()));
        }
        typed::<ReplaceRoleBody>(fields)?.into_change()
    }

    fn after(change: &RoleChange, before: &Role) -> Role {
        change.applied_to(before)
    }

    fn check(ctx: &Ctx, change: &RoleChange, before: Option<&Role>, _: &Planned) -> Vec<FieldError> {
        let Some(before) = before else {
            let policy = change.second_factor.unwrap_or_default();
            return policy.require_available(ctx).err().into_iter().flat_map(fields_of).collect();
        };
        let after = change.applied_to(before);
        let mut faults = Vec::new();
        if before.name.built_in().is_some() {
            let message = "must be omitted or as it is, because the role is built in";
            let is_changed = [
                ("description", after.description != before.description),
                ("permissions", after.permissions != before.permissions),
            ];
            let changed = is_changed.into_iter().filter(|(_, is_changed)| *is_changed);
            faults.extend(changed.map(|(field, _)| FieldError::new(field, "immutable", message)));
        }
        if after.second_factor != before.second_factor {
            faults.extend(after.second_factor.require_available(ctx).err().into_iter().flat_map(fields_of));
        }
        faults
    }

    async fn undeletable(ctx: &Ctx, role: &Role) -> Result<Option<String>> {
        let filter = UserFilter { role: Some(role.name.clone()), ..UserFilter::default() };
        let users = users::list(ctx, &filter, Page::new(Some(1), None, None)?, Total::Skip).await?;
        Ok((!users.items.is_empty()).then(|| "it is assigned to users; assign another role to them first".to_owned()))
    }

    async fn create(ctx: &Ctx, change: RoleChange) -> Result<Option<Issued>> {
        let RoleChange { name, description, permissions, second_factor } = change;
        let new = NewRole {
            name: name.ok_or_else(|| FieldError::new("name", "required", "is required"))?,
            description: description.unwrap_or_default(),
            permissions: permissions.unwrap_or_default(),
            second_factor: second_factor.unwrap_or_default(),
        };
        roles::create(ctx, new).await.map(|_| None)
    }

    async fn update(ctx: &Ctx, before: &Role, change: RoleChange) -> Result<()> {
        roles::update(ctx, &RoleKey::Id(before.id), change, Some(&[before.version])).await.map(drop)
    }

    async fn delete(ctx: &Ctx, before: &Role) -> Result<()> {
        roles::delete(ctx, &RoleKey::Id(before.id), Some(&[before.version])).await
    }
}

/// The fields at fault.
fn fields_of(error: denizen_domain::Error) -> Vec<FieldError> {
    match error {
        denizen_domain::Error::Invalid(fields) => fields,
        _ => Vec::new(),
    }
}
