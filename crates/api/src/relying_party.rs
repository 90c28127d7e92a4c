//! The relying party of passkeys, from the configuration.

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
