//! The relying party of passkeys, from the configuration.

use anyhow::{Context, ensure};
use denizen_domain::Services;
use denizen_domain::passkeys::relying_party::{self, FormerPasskeys};
use denizen_infra::webauthn::{RelyingParty, RelyingPartyError};

use crate::config::{Config, origin};

/// The configured relying party; by default, that of the pages at the public URL. If these are not secure, or their port is
/// chosen at start, passkeys are not available.
pub(crate) fn of(config: &Config) -> Result<RelyingParty, RelyingPartyError> {
    let (host, origin) = origin::of_pages(&config.server.public_url()).unzip();
    let id = config.webauthn.rp_id.clone().or(host).unwrap_or_default();
    let origins = match config.webauthn.origins.as_slice() {
        [] => origin.into_iter().collect(),
        configured => configured.to_vec(),
    };
    let is_configured = config.webauthn.rp_id.is_some() || !config.webauthn.origins.is_empty();
    match RelyingParty::new(id.clone(), origins, &config.product.name) {
        Err(_) if !is_configured => RelyingParty::new(id, Vec::new(), &config.product.name),
        made => made,
    }
}

/// Refuses to start if passkeys of users would stop working: the relying party id is not the one that they were created
/// for, and the change is not accepted in the configuration.
pub(crate) async fn require_unchanged(config: &Config, services: &Services) -> anyhow::Result<()> {
    let accepted = &config.webauthn.former_rp_ids;
    let former = relying_party::former(services, accepted).await.context("reading the relying parties of passkeys")?;
    let current = services.webauthn.rp_id();
    let list = |item: fn(&FormerPasskeys) -> String| former.iter().map(item).collect::<Vec<_>>().join(", ");
    ensure!(
        former.is_empty(),
        "webauthn.rp_id is {current:?}, so passkeys of other relying parties would stop working ({}): set webauthn.rp_id \
         back, or accept the change with webauthn.former_rp_ids = [{}]",
        list(|passkeys| format!("{} of {:?}", passkeys.count, passkeys.rp_id)),
        list(|passkeys| format!("{:?}", passkeys.rp_id)),
    );
    Ok(())
}
