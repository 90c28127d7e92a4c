//! When credentials were last used, kept without a write for each use: uses are noted in memory and brought to the
//! store together.

use crate::access::Credential;
use crate::ctx::Services;
use crate::error::Result;
use crate::id::{ApiKeyId, SessionId};
use crate::time::Timestamp;

/// How many uses are kept in one transaction.
const BATCH: usize = 500;

/// Brings what was noted since the last time to the store. What fails is lost: a moment of use is no promise.
pub async fn record(services: &Services) -> Result<()> {
    let noted = services.usage.take();
    for batch in noted.chunks(BATCH) {
        let sessions: Vec<(SessionId, Timestamp)> = batch.iter().filter_map(session_use).collect();
        let keys: Vec<(ApiKeyId, Timestamp)> = batch.iter().filter_map(key_use).collect();
        let mut tx = services.store.write().await?;
        tx.touch_sessions(&sessions).await?;
        tx.touch_api_keys(&keys).await?;
        tx.commit().await?;
    }
    Ok(())
}

fn session_use(&(credential, at): &(Credential, Timestamp)) -> Option<(SessionId, Timestamp)> {
    match credential {
        Credential::Session(id) => Some((id, at)),
        Credential::ApiKey(_) | Credential::ClientToken(_) | Credential::Certificate(_) => None,
    }
}

fn key_use(&(credential, at): &(Credential, Timestamp)) -> Option<(ApiKeyId, Timestamp)> {
    match credential {
        Credential::ApiKey(id) | Credential::ClientToken(id) => Some((id, at)),
        Credential::Session(_) | Credential::Certificate(_) => None,
    }
}
