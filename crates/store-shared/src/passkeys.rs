//! Passkeys.

use async_trait::async_trait;
use denizen_domain::id::{PasskeyId, UserId};
use denizen_domain::passkeys::port::VerifiedUse;
use denizen_domain::passkeys::store::{PasskeyReads, PasskeyWrites};
use denizen_domain::passkeys::{CredentialId, CredentialKind, Passkey, RegisteredCredential};
use denizen_domain::store::StoreError;
use denizen_domain::time::Timestamp;
use denizen_domain::users::DisplayName;
use uuid::Uuid;

use crate::error::broken;
use crate::shared::concurrency::Concurrency;
use crate::shared::values::{ROWS_AT_ONCE_MAX, hex, ids_json, rows_json};
use crate::sql::{execute, fetch_all, fetch_all_scalars, fetch_optional, fetch_scalar, row};
use crate::tx::Tx;

#[async_trait]
impl PasskeyReads for Tx {
    async fn find_passkey(&mut self, credential: &CredentialId) -> Result<Option<Passkey>, StoreError> {
        let id = credential.as_bytes();
        let row = fetch_optional!(self, PasskeyRow, "../store-shared/queries/find_passkey.sql", id)?;
        row.map(Passkey::try_from).transpose()
    }

    async fn list_passkeys(&mut self, user: UserId) -> Result<Vec<Passkey>, StoreError> {
        let rows = fetch_all!(self, PasskeyRow, "../store-shared/queries/list_passkeys.sql", user.as_uuid())?;
        rows.into_iter().map(Passkey::try_from).collect()
    }

    async fn passkeys_of(&mut self, users: &[UserId]) -> Result<Vec<Passkey>, StoreError> {
        let mut passkeys = Vec::new();
        for users in users.chunks(ROWS_AT_ONCE_MAX) {
            let ids = ids_json(users)?;
            let rows = fetch_all!(self, PasskeyRow, "queries/passkeys_of.sql", ids)?;
            passkeys.extend(rows.into_iter().map(Passkey::try_from).collect::<Result<Vec<_>, _>>()?);
        }
        passkeys.sort_by_key(|passkey| (passkey.created_at, passkey.id.as_uuid()));
        Ok(passkeys)
    }

    async fn count_passkeys(&mut self, user: UserId, kind: CredentialKind) -> Result<u64, StoreError> {
        let (user, kind) = (user.as_uuid(), kind.as_str());
        let count = fetch_scalar!(self, i64, "../store-shared/queries/count_passkeys.sql", user, kind)?;
        Ok(count.cast_unsigned())
    }

    async fn list_rp_ids(&mut self) -> Result<Vec<String>, StoreError> {
        fetch_all_scalars!(self, String, "../store-shared/queries/list_rp_ids.sql")
    }

    async fn count_passkeys_of_rp(&mut self, rp_id: &str) -> Result<u64, StoreError> {
        let count = fetch_scalar!(self, i64, "../store-shared/queries/count_passkeys_of_rp.sql", rp_id)?;
        Ok(count.cast_unsigned())
    }
}

#[async_trait]
impl PasskeyWrites for Tx {
    async fn insert_passkey(&mut self, passkey: &Passkey) -> Result<bool, StoreError> {
        let credential = &passkey.credential;
        let inserted = execute!(
            self,
            "../store-shared/queries/insert_passkey.sql",
            passkey.id.as_uuid(),
            passkey.user_id.as_uuid(),
            passkey.user_handle.as_slice(),
            credential.id.as_bytes(),
            credential.document.as_str(),
            passkey.name.as_str(),
            credential.aaguid,
            credential.transports.join(" "),
            credential.backup_eligible,
            credential.backed_up,
            i64::from(credential.counter),
            passkey.created_at.as_micros(),
            passkey.last_used_at.map(Timestamp::as_micros),
            passkey.rp_id.as_deref(),
            passkey.kind.as_str()
        )?;
        if inserted == 1 {
            self.changed(passkey.user_id.as_uuid());
        }
        Ok(inserted == 1)
    }

    async fn insert_passkeys(&mut self, passkeys: &[&Passkey]) -> Result<Vec<PasskeyId>, StoreError> {
        let mut inserted = Vec::with_capacity(passkeys.len());
        for passkeys in passkeys.chunks(ROWS_AT_ONCE_MAX) {
            let rows = passkeys.iter().map(|passkey| {
                (
                    passkey.id.as_uuid().simple().to_string(),
                    passkey.user_id.as_uuid().simple().to_string(),
                    hex(&passkey.user_handle),
                    hex(passkey.credential.id.as_bytes()),
                    passkey.credential.document.as_str(),
                    passkey.name.as_str(),
                    passkey.credential.aaguid.simple().to_string(),
                    passkey.credential.transports.join(" "),
                    passkey.credential.backup_eligible,
                    passkey.credential.backed_up,
                    passkey.credential.counter,
                    passkey.created_at.as_micros(),
                    passkey.last_used_at.map(Timestamp::as_micros),
                    passkey.rp_id.as_deref(),
                    passkey.kind.as_str(),
                )
            });
            let rows = rows_json(&rows.collect::<Vec<_>>())?;
            let ids = fetch_all_scalars!(self, Uuid, "queries/insert_passkeys.sql", rows)?;
            inserted.extend(ids.into_iter().map(PasskeyId::from_uuid));
            for passkey in passkeys {
                self.changed(passkey.user_id.as_uuid());
            }
        }
        Ok(inserted)
    }

    async fn use_passkey(
        &mut self,
        id: PasskeyId,
        used: VerifiedUse,
        rp_id: &str,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        let (id, counter, at) = (id.as_uuid(), i64::from(used.counter), at.as_micros());
        Ok(execute!(self, "../store-shared/queries/use_passkey.sql", id, counter, used.backed_up, at, rp_id)? == 1)
    }

    async fn rename_passkey(&mut self, user: UserId, id: PasskeyId, name: &DisplayName) -> Result<bool, StoreError> {
        let (user, id, name) = (user.as_uuid(), id.as_uuid(), name.as_str());
        Ok(execute!(self, "../store-shared/queries/rename_passkey.sql", user, id, name)? == 1)
    }

    async fn remove_passkey(&mut self, user: UserId, id: PasskeyId) -> Result<bool, StoreError> {
        let user = user.as_uuid();
        let is_removed = execute!(self, "../store-shared/queries/remove_passkey.sql", user, id.as_uuid())? == 1;
        if is_removed {
            self.changed(user);
        }
        Ok(is_removed)
    }
}

row! {
    /// A row of `passkeys`.
    struct PasskeyRow {
        id: Uuid,
        user_id: Uuid,
        user_handle: Vec<u8>,
        credential_id: Vec<u8>,
        credential: String,
        name: String,
        aaguid: Uuid,
        transports: String,
        backup_eligible: bool,
        backed_up: bool,
        counter: i64,
        created_at: i64,
        last_used_at: Option<i64>,
        rp_id: Option<String>,
        kind: String,
    }
}

impl TryFrom<PasskeyRow> for Passkey {
    type Error = StoreError;

    fn try_from(row: PasskeyRow) -> Result<Self, StoreError> {
        let damaged = |column: &str| broken(format!("the column {column} of a passkey is damaged"));
        Ok(Self {
            id: PasskeyId::from_uuid(row.id),
            kind: CredentialKind::parse(&row.kind).ok_or_else(|| damaged("kind"))?,
            user_id: UserId::from_uuid(row.user_id),
            user_handle: row.user_handle.try_into().map_err(|_| damaged("user_handle"))?,
            name: DisplayName::from_stored(row.name),
            credential: RegisteredCredential {
                id: CredentialId::from_stored(row.credential_id),
                document: row.credential,
                aaguid: row.aaguid,
                transports: row.transports.split_whitespace().map(str::to_owned).collect(),
                backup_eligible: row.backup_eligible,
                backed_up: row.backed_up,
                counter: row.counter.try_into().map_err(|_| damaged("counter"))?,
            },
            created_at: Timestamp::from_micros(row.created_at),
            last_used_at: row.last_used_at.map(Timestamp::from_micros),
            rp_id: row.rp_id,
        })
    }
}
