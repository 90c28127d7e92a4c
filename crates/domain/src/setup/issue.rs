//! Issue a link.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::SecretString;

use super::{PREFIX, SetupLink, StoredLink, TOKEN_BYTES, TTL_S, admin_exists, mac};
use crate::access::Actor;
use crate::ctx::{Ctx, Services};
use crate::error::{Error, Result};
use crate::page::Count;
use crate::time::Timestamp;
use crate::users::UserFilter;

/// A node that starts does not replace a link that was issued less than this many seconds ago.
const REISSUE_AFTER_S: u32 = 60;

/// Issues a link in place of the previous one, for the operator; `None` if there is an active administrator.
pub async fn issue(ctx: &Ctx) -> Result<Option<SetupLink>> {
    if !matches!(ctx.actor(), Actor::Operator) {
        return Err(Error::Forbidden);
    }
    // No link is created after this moment, so any is replaced.
    match put(ctx.services(), Timestamp::from_micros(i64::MAX)).await? {
        Put::Stored(link) => Ok(Some(link)),
        Put::AdminExists | Put::IssuedBefore => Ok(None),
    }
}

/// What a node that starts does about a link.
#[derive(Debug)]
pub enum AtStart {
    /// It issued this one.
    Issued(SetupLink),
    /// Another node, or this one before a restart, issued a link a moment ago, which stays.
    IssuedBefore,
    /// There are users.
    NotNeeded,
}

/// Issues a link when a node starts and there is no user. Of several nodes that start at once, one issues it.
pub async fn issue_on_start(services: &Services) -> Result<AtStart> {
    let users = services.store.read().await?.count_users(&UserFilter::default(), 1).await?;
    if users != Count::Exactly(0) {
        return Ok(AtStart::NotNeeded);
    }
    Ok(match put(services, services.clock.now().minus_seconds(REISSUE_AFTER_S)).await? {
        Put::Stored(link) => AtStart::Issued(link),
        Put::IssuedBefore => AtStart::IssuedBefore,
        Put::AdminExists => AtStart::NotNeeded,
    })
}

/// What became of a new link.
enum Put {
    /// It is valid, in place of the previous one.
    Stored(SetupLink),
    /// There is an active administrator, so no link is valid.
    AdminExists,
    /// The previous one was created too short a time ago, and stays.
    IssuedBefore,
}

async fn put(services: &Services, unless_after: Timestamp) -> Result<Put> {
    let now = services.clock.now();
    let token = new_token(services);
    let link = StoredLink {
        token_mac: mac(services.vault.as_ref(), &token),
        created_at: now,
        expires_at: now.plus_seconds(TTL_S),
    };
    let mut tx = services.store.write().await?;
    if admin_exists(&mut *tx).await? {
        return Ok(Put::AdminExists);
    }
    if !tx.put_setup_link(&link, unless_after).await? {
        return Ok(Put::IssuedBefore);
    }
    tx.commit().await?;
    Ok(Put::Stored(SetupLink { token, expires_at: link.expires_at }))
}

fn new_token(services: &Services) -> SecretString {
    let mut bytes = [0; TOKEN_BYTES];
    services.random.fill(&mut bytes);
    let mut token = PREFIX.to_owned();
    URL_SAFE_NO_PAD.encode_string(bytes, &mut token);
    token.into()
}
