//! Update a returning user from the claims of the provider.

use super::code::ProvenIdentity;
use crate::ctx::Ctx;
use crate::error::Result;
use crate::providers::OutsideIdentity;
use crate::roles::RoleKey;
use crate::roles::RoleName;
use crate::store::WriteTx;
use crate::users::{User, record_update};

/// Updates name, language, mapped attributes and mapped role of a
/// [locked](crate::users::store::UserWrites::lock_user) user. What the provider does not say stays, but for the role, which
/// becomes `user`; the last administrator stays one.
pub(super) async fn update(ctx: &Ctx, tx: &mut dyn WriteTx, before: User, proven: &ProvenIdentity) -> Result<User> {
    let ProvenIdentity { identity, provider, .. } = proven;
    let mut user = before.clone();
    if let Some(name) = &identity.name {
        user.name = name.clone();
    }
    if let Some(locale) = &identity.locale {
        user.locale = Some(locale.clone());
    }
    // Attributes that would exceed the bounds or violate the schema are left as they are: the user must still be able to
    // sign in.
    if let Ok(attributes) = user.attributes.merged(identity.attributes.clone())
        && ctx.services().attributes_schemas.accepts(&attributes)
    {
        user.attributes = attributes;
    }
    if provider.settings.role_claim.is_some() {
        // A user who lost the mapped role at the provider loses it here.
        user.role = known_role(tx, identity).await?.unwrap_or_else(RoleName::user);
    }
    if before.is_active_admin() && !user.is_active_admin() && !tx.has_other_active_admin(user.id).await? {
        user.role = before.role.clone();
    }
    if user == before {
        return Ok(user);
    }
    user.version += 1;
    user.updated_at = ctx.now();
    if !tx.update_user(&user).await? {
        return Ok(before);
    }
    record_update(ctx, tx, &before, &user);
    if user.role != before.role {
        crate::webhooks::disable_unauthorized(ctx, tx).await?;
    }
    Ok(user)
}

/// The mapped role, if there is such a role.
pub(super) async fn known_role(tx: &mut dyn WriteTx, identity: &OutsideIdentity) -> Result<Option<RoleName>> {
    let Some(name) = &identity.role else { return Ok(None) };
    if name.built_in().is_some() {
        return Ok(Some(name.clone()));
    }
    Ok(tx.find_role(&RoleKey::Name(name.clone())).await?.map(|role| role.name))
}
