//! Reads what a caller may do at this moment.

use crate::access::{Credential, Principal, Subject};
use crate::api_keys::secret::is_secret_of;
use crate::id::{ApiKeyId, ServiceAccountId, SessionId, UserId};
use crate::roles::permissions_of;
use crate::sessions::SessionState;
use crate::store::{ReadTx, StoreError};
use crate::time::Timestamp;
use crate::users::Status;

/// The same caller as they are now; `None` when their credential no longer works.
pub(crate) async fn current(
    tx: &mut dyn ReadTx,
    now: Timestamp,
    before: &Principal,
) -> Result<Option<Principal>, StoreError> {
    let found = match (before.subject, before.credential) {
        (Subject::User(id), Credential::Session(session_id)) => {
            of_session(tx.session_state(session_id).await?, now, id, session_id)
        }
        (_, Credential::ApiKey(key_id)) => of_key(tx, now, key_id, before).await?,
        // What the token did not carry before, it does not carry now.
        (Subject::ServiceAccount(_), Credential::ClientToken(key_id)) => {
            let found = of_key(tx, now, key_id, before).await?;
            found.map(|found| Principal { permissions: found.permissions.and(before.permissions), ..found })
        }
        (_, Credential::Certificate(id)) => of_certificate(tx, id).await?,
        (Subject::User(_), Credential::ClientToken(_)) | (Subject::ServiceAccount(_), Credential::Session(_)) => None,
    };
    // The end of a token is in the token.
    Ok(found.map(|found| Principal { expires_at: found.expires_at.or(before.expires_at), ..found }))
}

/// The user in a session of theirs, if it is live.
pub(super) fn of_session(
    state: Option<SessionState>,
    now: Timestamp,
    id: UserId,
    session_id: SessionId,
) -> Option<Principal> {
    let live = state.filter(|state| state.user_id == id && state.is_live(now));
    live.map(|state| Principal {
        subject: Subject::User(id),
        credential: Credential::Session(session_id),
        role: state.role,
        permissions: state.permissions,
        expires_at: None,
        key_digest: None,
    })
}

/// The service account that a client certificate names, if it is active.
pub(super) async fn of_certificate(tx: &mut dyn ReadTx, id: ServiceAccountId) -> Result<Option<Principal>, StoreError> {
    let account = tx.find_service_account(id).await?.filter(|account| account.status == Status::Active);
    let Some(account) = account else { return Ok(None) };
    Ok(Some(Principal {
        subject: Subject::ServiceAccount(id),
        credential: Credential::Certificate(id),
        permissions: permissions_of(tx, &account.role).await?,
        expires_at: None,
        role: account.role,
        key_digest: None,
    }))
}

/// The owner of an API key, if it is live. A secret that was presented must still be one of the key's.
async fn of_key(
    tx: &mut dyn ReadTx,
    now: Timestamp,
    key_id: ApiKeyId,
    before: &Principal,
) -> Result<Option<Principal>, StoreError> {
    let state = tx.api_key_state(key_id).await?;
    let live = state.filter(|state| {
        let is_known = before.key_digest.is_none_or(|digest| is_secret_of(state, &digest, now));
        state.owner == before.subject && state.is_live(now) && is_known
    });
    Ok(live.map(|state| Principal {
        subject: state.owner,
        credential: before.credential,
        permissions: state.effective(),
        expires_at: matches!(before.credential, Credential::ApiKey(_)).then_some(state.expires_at).flatten(),
        role: state.role,
        key_digest: before.key_digest,
    }))
}
