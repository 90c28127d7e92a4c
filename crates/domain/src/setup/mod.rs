//! The first administrator: created in the browser, with a one-time link that only the operator has.
//!
//! There is at most one link, for all nodes: a new one replaces the previous one. The store has a MAC of its token. Once
//! there is an active administrator, no link is issued or accepted.

mod complete;
mod issue;
pub mod store;

pub use complete::{NewAdmin, complete, require_open};
pub use issue::{AtStart, issue, issue_on_start};

use secrecy::{ExposeSecret, SecretString};

use crate::ctx::Services;
use crate::error::Result;
use crate::page::Count;
use crate::ports::Vault;
use crate::roles::RoleName;
use crate::store::ReadTx;
use crate::time::Timestamp;
use crate::users::{Status, UserFilter};

/// What every token begins with, so that scanners find leaked ones.
pub const PREFIX: &str = "dns_";
/// The lifetime of a link, in seconds.
pub const TTL_S: u32 = 24 * 60 * 60;
/// The length of a token, in random bytes.
const TOKEN_BYTES: usize = 32;
/// What the MAC of a token is bound to.
const PURPOSE: &str = "setup link";

/// A link, for the operator.
#[derive(Debug, Clone)]
pub struct SetupLink {
    /// The token of the link.
    pub token: SecretString,
    /// When it expires.
    pub expires_at: Timestamp,
}

/// What the store keeps of a link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredLink {
    /// The MAC of the token.
    pub token_mac: [u8; 32],
    /// Creation time.
    pub created_at: Timestamp,
    /// When it expires.
    pub expires_at: Timestamp,
}

/// Whether there is an active administrator. For display: only [`complete`] decides.
pub async fn has_admin(services: &Services) -> Result<bool> {
    admin_exists(&mut *services.store.read().await?).await
}

async fn admin_exists(read: &mut dyn ReadTx) -> Result<bool> {
    let filter = UserFilter { role: Some(RoleName::admin()), status: Some(Status::Active), ..UserFilter::default() };
    Ok(read.count_users(&filter, 1).await? != Count::Exactly(0))
}

fn mac(vault: &dyn Vault, token: &SecretString) -> [u8; 32] {
    vault.mac(PURPOSE, token.expose_secret().as_bytes())
}
