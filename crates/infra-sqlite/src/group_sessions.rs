//! What is written most, a refresh and a sign-in, as [group](crate::group) writes: by the text that sqlx has checked.

use std::sync::{Arc, OnceLock};

use denizen_domain::credentials::PasswordHash;
use denizen_domain::events::chain::ChainKey;
use denizen_domain::factors::Standing;
use denizen_domain::id::SessionId;
use denizen_domain::one_time::Purpose;
use denizen_domain::sessions::store::{Displacement, Opened, Opening, Rotated, Rotation};
use denizen_domain::sessions::{Session, SessionState};
use denizen_domain::store::StoreError;
use denizen_domain::time::Timestamp;
use denizen_domain::users::{DisplayName, Status, User};
use rusqlite::{Connection, OptionalExtension, Result, Row, params};
use uuid::Uuid;

use crate::budgets::forgive_in;
use crate::events::append_in;
use crate::group::{GroupWriter, execute, fetch_all};
use crate::in_place::InPlaceRow;
use crate::shared::factors::StandingRow;
use crate::shared::sessions::SessionStateRow;
use crate::shared::users::UserRow;

const ROTATE_SESSION: &str = include_str!("../queries/rotate_session.sql");
const SESSION_STATE: &str = include_str!("../queries/session_state.sql");
const FIND_USER: &str = include_str!("../../store-shared/queries/find_user.sql");
const FIND_PASSWORD: &str = include_str!("../../store-shared/queries/find_password.sql");
const SET_PASSWORD: &str = include_str!("../../store-shared/queries/set_password.sql");
const SECOND_FACTOR_STANDING: &str = include_str!("../queries/second_factor_standing.sql");
const RECORD_SIGN_IN: &str = include_str!("../../store-shared/queries/record_sign_in.sql");
const END_OLDEST_SESSIONS: &str = include_str!("../queries/end_oldest_sessions.sql");
const INSERT_SESSION: &str = include_str!("../../store-shared/queries/insert_session.sql");
const REMOVE_EMAIL_CHANGE_BY: &str = include_str!("../../store-shared/queries/remove_email_change_by.sql");

pub(crate) async fn rotate(group: &GroupWriter, rotation: Rotation) -> Result<Rotated, StoreError> {
    let (is_rotated, found) = group
        .run(move |connection| {
            let id = rotation.id.as_uuid();
            let values = params![
                id.as_bytes().as_slice(),
                rotation.from_generation,
                rotation.at.as_micros(),
                rotation.idle_expires_at.as_micros()
            ];
            let is_rotated = execute(connection, ROTATE_SESSION, values)? == 1;
            let Some(state) = find(connection, SESSION_STATE, id, SessionStateRow::read_in_place)? else {
                return Ok((is_rotated, None));
            };
            let user = find(connection, FIND_USER, state.user_id, UserRow::read_in_place)?;
            Ok((is_rotated, user.map(|user| (state, user))))
        })
        .await?;
    let parse = |(state, user)| Ok::<_, StoreError>((SessionState::try_from(state)?, User::try_from(user)?));
    Ok(Rotated { is_rotated, found: found.map(parse).transpose()? })
}

/// What became of an opening, in rows.
enum OpenedRows {
    Session(Box<(UserRow, SessionStateRow)>),
    Owes(Standing),
    Refused,
}

pub(crate) async fn open(
    group: &GroupWriter,
    chain_key: Arc<OnceLock<ChainKey>>,
    opening: Opening,
) -> Result<Opened, StoreError> {
    Ok(match group.run(move |connection| open_in(connection, chain_key.get(), &opening)).await? {
        OpenedRows::Session(rows) => {
            let (user, state) = *rows;
            Opened::Session(Box::new((User::try_from(user)?, SessionState::try_from(state)?.permissions)))
        }
        OpenedRows::Owes(standing) => Opened::Owes(standing),
        OpenedRows::Refused => Opened::Refused,
    })
}

fn open_in(connection: &Connection, chain_key: Option<&ChainKey>, opening: &Opening) -> Result<OpenedRows> {
    let Opening { session, proven, renewed, forgiven, event, displacement } = opening;
    let user_id = session.user_id.as_uuid();
    let user = find(connection, FIND_USER, user_id, UserRow::read_in_place)?;
    let user = user.filter(|user| user.status == Status::Active.as_str());
    let Some(user) = user else { return Ok(OpenedRows::Refused) };
    let current: Option<String> = find(connection, FIND_PASSWORD, user_id, |row| row.get(0))?;
    if current.as_deref() != Some(proven.expose()) {
        return Ok(OpenedRows::Refused);
    }
    let standing = find(connection, SECOND_FACTOR_STANDING, user_id, StandingRow::read_in_place)?;
    let standing = standing.map(Standing::from).unwrap_or_default();
    if standing.owes() {
        return Ok(OpenedRows::Owes(standing));
    }
    let at = session.created_at.as_micros();
    if let Some(renewed) = renewed.as_ref().map(PasswordHash::expose) {
        execute(connection, SET_PASSWORD, params![user_id.as_bytes().as_slice(), renewed, at])?;
    }
    execute(connection, RECORD_SIGN_IN, params![user_id.as_bytes().as_slice(), at])?;
    insert(connection, session)?;
    forgive_in(connection, forgiven)?;
    append_in(connection, chain_key, event.clone())?;
    let ended = end_oldest(connection, session, displacement)?;
    for event in displacement.events_of(&ended) {
        append_in(connection, chain_key, event)?;
    }
    for id in ended {
        let (user, id) = (user_id.as_bytes().as_slice(), id.as_uuid());
        let values = params![user, Purpose::EmailChange.as_str(), id.as_bytes().as_slice()];
        execute(connection, REMOVE_EMAIL_CHANGE_BY, values)?;
    }
    let state = find(connection, SESSION_STATE, session.id.as_uuid(), SessionStateRow::read_in_place)?;
    Ok(state.map_or(OpenedRows::Refused, |state| OpenedRows::Session(Box::new((user, state)))))
}

fn end_oldest(connection: &Connection, session: &Session, displacement: &Displacement) -> Result<Vec<SessionId>> {
    let user = session.user_id.as_uuid();
    let values =
        params![user.as_bytes().as_slice(), displacement.keep, displacement.limit(), session.created_at.as_micros()];
    let id = |row: &Row<'_>| row.get(0).map(|id: [u8; 16]| SessionId::from_uuid(Uuid::from_bytes(id)));
    fetch_all(connection, END_OLDEST_SESSIONS, values, id)
}

fn insert(connection: &Connection, session: &Session) -> Result<usize> {
    let (id, user) = (session.id.as_uuid(), session.user_id.as_uuid());
    let values = params![
        id.as_bytes().as_slice(),
        user.as_bytes().as_slice(),
        session.generation,
        session.created_at.as_micros(),
        session.refreshed_at.as_micros(),
        session.idle_expires_at.as_micros(),
        session.expires_at.as_micros(),
        session.last_used_at.as_micros(),
        session.origin.address.map(|address| address.to_string()),
        session.origin.user_agent.as_deref(),
        session.label.as_ref().map(DisplayName::as_str),
        session.proven_at.as_micros(),
        session.second_factor_at.map(Timestamp::as_micros)
    ];
    execute(connection, INSERT_SESSION, values)
}

fn find<T>(connection: &Connection, sql: &str, id: Uuid, read: fn(&Row<'_>) -> Result<T>) -> Result<Option<T>> {
    connection.prepare_cached(sql)?.query_row([id.as_bytes().as_slice()], read).optional()
}
