//! Loads a snapshot into an empty database.

use std::io::Read;

use denizen_domain::rows::{Cell, Content, Put, RowWriter, Table};
use denizen_domain::sessions::EndReason;
use denizen_domain::time::Timestamp;
use tokio::task::spawn_blocking;

use super::{Contents, OnProgress, ROWS_AT_ONCE, SnapshotError, SnapshotReader};

/// The period of TOTP codes, in seconds.
const TOTP_STEP_S: i64 = 30;

/// What was loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loaded {
    /// The rows.
    pub contents: Contents,
    /// How many sessions were live in the snapshot. They are ended.
    pub ended_sessions: u64,
}

/// Loads all rows. What was live when the snapshot was made is not live afterwards: sessions are ended and signing keys are
/// withdrawn, so no refresh token and no access token of before the restore is accepted, whether it was revoked since or
/// not.
///
/// # Errors
/// When the snapshot is damaged or the database fails. Nothing may be committed then.
pub async fn load<R: Read + Send + 'static>(
    mut snapshot: SnapshotReader<R>,
    target: &mut dyn RowWriter,
    now: Timestamp,
    on_progress: OnProgress<'_>,
) -> Result<Loaded, SnapshotError> {
    target.clear().await?;
    let mut ended_sessions = 0;
    let made_at = Timestamp::parse(&snapshot.header().created_at);
    let age_us = made_at.map_or(0, |made_at| (now.as_micros() - made_at.as_micros()).max(0));
    loop {
        let reading = spawn_blocking(move || {
            let rows = snapshot.next_rows(ROWS_AT_ONCE as usize);
            (snapshot, rows)
        });
        let (read, rows) = reading.await.map_err(std::io::Error::other)?;
        snapshot = read;
        let Some((table, mut rows)) = rows? else { break };
        if table.content == Content::Transient {
            continue;
        }
        for row in &mut rows {
            ended_sessions += u64::from(revoke(&table, row, now));
            postpone_deletion(&table, row, age_us);
        }
        if target.put(&table, rows).await? == Put::Conflict {
            return Err(SnapshotError::Damaged("two rows have the same unique value"));
        }
        on_progress(snapshot.contents().rows());
    }
    Ok(Loaded { contents: snapshot.contents().clone(), ended_sessions })
}

/// Ends a live session, withdraws a signing key, forgets known devices, and makes TOTP codes of before unusable. Returns
/// whether it was a live session.
fn revoke(table: &Table, row: &mut [Cell], now: Timestamp) -> bool {
    let mut set_if_null = |column, value: Cell| {
        let cell = table.column(column).and_then(|at| row.get_mut(at)).filter(|cell| **cell == Cell::Null);
        cell.map(|cell| *cell = value).is_some()
    };
    let step = Cell::Integer(now.as_seconds() / TOTP_STEP_S);
    let now = Cell::Integer(now.as_micros());
    match table.name.as_str() {
        "sessions" => {
            let reason = Cell::Text(EndReason::DatabaseRestored.as_str().to_owned());
            set_if_null("ended_at", now) && set_if_null("end_reason", reason)
        }
        "signing_keys" => {
            set_if_null("withdrawn_at", now);
            false
        }
        "users" => {
            set(table, row, "devices_since", now);
            false
        }
        "totp_factors" => {
            set(table, row, "last_step", step);
            false
        }
        _ => false,
    }
}

/// Gives a user whose deletion is scheduled the time that was left when the snapshot was made.
fn postpone_deletion(table: &Table, row: &mut [Cell], age_us: i64) {
    if table.name != "users" {
        return;
    }
    for column in ["delete_after", "deletion_due_at"] {
        let cell = table.column(column).and_then(|at| row.get_mut(at));
        if let Some(Cell::Integer(moment)) = cell {
            *moment = moment.saturating_add(age_us);
        }
    }
}

fn set(table: &Table, row: &mut [Cell], column: &str, value: Cell) {
    if let Some(cell) = table.column(column).and_then(|at| row.get_mut(at)) {
        *cell = value;
    }
}
