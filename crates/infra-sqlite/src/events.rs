//! How events get their place in SQLite's log: one write runs at a time, so that a record has its place when it is written.

use denizen_domain::events::Event;
use denizen_domain::events::chain::ChainKey;
use denizen_domain::events::store::{EventReads, EventRow, TicketRow, follow_on};
use denizen_domain::store::StoreError;

use crate::codec::EVENT_ROWS_AT_ONCE_MAX;
use crate::error::broken;
use crate::shared::events::rows_json;
use crate::sql::{execute, row};
use crate::tx::SqliteTx;

/// Where the log ended when it was last seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Head {
    position: i64,
    hash: [u8; 32],
}

impl SqliteTx {
    /// Writes the events of this write at the end of the log. Where it ended when it was last seen is tried first: that is so
    /// unless another process wrote meanwhile.
    pub(crate) async fn append_events(&mut self) -> Result<(), StoreError> {
        let Some((mut events, key, mut head)) = self.take_events() else { return Ok(()) };
        for events in events.chunks_mut(EVENT_ROWS_AT_ONCE_MAX) {
            let is_written = match head {
                Some(head) => self.append(events, key.as_ref(), head).await?,
                None => false,
            };
            if !is_written {
                let bounds = self.log_bounds().await?;
                let now = Head { position: bounds.head, hash: bounds.head_hash };
                if !self.append(events, key.as_ref(), now).await? {
                    return Err(broken("the log of events moved under the one who writes it"));
                }
            }
            head = events.last().map(Head::of);
        }
        self.set_head(head);
        Ok(())
    }

    async fn append(&mut self, events: &mut [Event], key: Option<&ChainKey>, head: Head) -> Result<bool, StoreError> {
        follow_on(events, key, head.position, head.hash);
        let rows = rows_json(events)?;
        Ok(execute!(self, "queries/append_events.sql", rows, head.hash.as_slice())? > 0)
    }
}

impl Head {
    fn of(event: &Event) -> Self {
        Self { position: event.position, hash: event.hash }
    }
}

row! {
    impl EventRow {
        position,
        id,
        kind,
        about,
        actor_kind,
        actor_id,
        credential_kind,
        credential_id,
        address,
        user_agent,
        occurred_at,
        data,
        hash,
        form,
        erased_origin,
        erased_data,
    }
}

row! {
    impl TicketRow {
        id,
        subject_kind,
        subject_id,
        credential_kind,
        credential_id,
        permissions,
        credential_expires_at,
        expires_at,
    }
}
