//! Passkeys that stop working because the id of the relying party has changed: browsers use a passkey with the domain only
//! that it was created for.

use crate::ctx::Services;
use crate::error::Result;

/// The passkeys of one former relying party.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormerPasskeys {
    /// The id of the relying party.
    pub rp_id: String,
    /// The number of its passkeys.
    pub count: u64,
}

/// The passkeys of relying parties other than the present one and the accepted ones. Without any, one query whose cost
/// does not depend on the number of passkeys.
pub async fn former(services: &Services, accepted: &[String]) -> Result<Vec<FormerPasskeys>> {
    let mut read = services.store.read().await?;
    let mut former = Vec::new();
    for rp_id in read.list_rp_ids().await? {
        if rp_id != services.webauthn.rp_id() && !accepted.contains(&rp_id) {
            let count = read.count_passkeys_of_rp(&rp_id).await?;
            former.push(FormerPasskeys { rp_id, count });
        }
    }
    Ok(former)
}
