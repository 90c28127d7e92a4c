//! Refreshes: what a busy deployment writes most, on a few connections that go from one to the next.
//!
//! A connection that is given back to the pool is tried out first, which costs as much as a refresh. Here it is given
//! back when nobody waits.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use denizen_domain::sessions::SessionState;
use denizen_domain::sessions::store::{Rotated, Rotation, SessionReads};
use denizen_domain::store::StoreError;
use denizen_domain::users::User;
use denizen_domain::users::store::UserReads;
use sqlx::query_file;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use crate::error::{store_error, unavailable};
use crate::lend::{Lender, Lent};
use crate::recent::Recent;
use crate::shared::sessions::SessionStateRow;
use crate::shared::users::UserRow;
use crate::to_forget::ToForget;
use crate::tx::PostgresTx;

/// How many connections refresh at once, at most; never more than half of those there are.
const WORKERS_MAX: u32 = 8;
/// How many may wait; whoever comes then waits to wait.
const QUEUE_MAX: usize = 1_024;

/// Takes refreshes and does them.
#[derive(Debug)]
pub(crate) struct Rotations {
    jobs: Mutex<Option<mpsc::Sender<Job>>>,
    /// How long a caller waits, for the queue and the answer.
    within: Duration,
}

#[derive(Debug)]
struct Job {
    rotation: Rotation,
    told: oneshot::Sender<Result<Rotated, StoreError>>,
}

type Queue = Arc<tokio::sync::Mutex<mpsc::Receiver<Job>>>;

impl Rotations {
    /// Workers on the connections of this lender. Call it within a tokio runtime; they end with the store.
    pub(crate) fn new(lender: &Lender, recent: &Arc<Recent>, max_connections: u32) -> Self {
        let (jobs, queue) = mpsc::channel(QUEUE_MAX);
        let queue = Arc::new(tokio::sync::Mutex::new(queue));
        for _ in 0..(max_connections / 2).clamp(1, WORKERS_MAX) {
            tokio::spawn(serve(Arc::clone(&queue), lender.clone(), Arc::clone(recent)));
        }
        Self { jobs: Mutex::new(Some(jobs)), within: lender.answer_within() }
    }

    /// Does one. What has not begun when its asker leaves is not done.
    pub(crate) async fn run(&self, rotation: Rotation) -> Result<Rotated, StoreError> {
        let (told, answer) = oneshot::channel();
        let jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let closed = || unavailable("the store is closed");
        let jobs = jobs.ok_or_else(closed)?;
        let done = async {
            jobs.send(Job { rotation, told }).await.map_err(|_| closed())?;
            answer.await.map_err(|_| unavailable("the refresh was given up"))?
        };
        timeout(self.within, done).await.map_err(unavailable)?
    }

    /// Takes no more.
    pub(crate) fn close(&self) {
        drop(self.jobs.lock().unwrap_or_else(PoisonError::into_inner).take());
    }
}

async fn serve(queue: Queue, lender: Lender, recent: Arc<Recent>) {
    loop {
        let first = queue.lock().await.recv().await;
        let Some(first) = first else { return };
        match lender.lend().await {
            Ok(connection) => serve_on(connection, first, &queue, &recent).await,
            // Whoever left is not told.
            Err(error) => drop(first.told.send(Err(error))),
        }
    }
}

/// Does one refresh after the other for as long as some wait.
async fn serve_on(mut connection: Lent, first: Job, queue: &Queue, recent: &Arc<Recent>) {
    let mut next = Some(first);
    while let Some(Job { rotation, told }) = next {
        if !told.is_closed() {
            let mut changed = ToForget::nothing(recent);
            changed.kept.add(rotation.id.as_uuid());
            let forgets = changed.forget_on_drop();
            let rotated = rotate(&mut connection, &rotation).await;
            drop(forgets);
            match rotated {
                Ok(Some(found)) => drop(told.send(Ok(Rotated { is_rotated: true, found: Some(found) }))),
                Ok(None) => {
                    drop(told.send(as_it_is(connection, &rotation).await));
                    return;
                }
                // The connection may be as broken as the refresh is: the pool finds out.
                Err(error) => {
                    drop(told.send(Err(error)));
                    return;
                }
            }
        }
        // Who holds the queue waits for the next one: then there is none.
        next = queue.try_lock().ok().and_then(|mut queue| queue.try_recv().ok());
    }
}

/// What was not rotated, by statements of their own: they see what another who rotated it meanwhile has committed.
async fn as_it_is(connection: Lent, rotation: &Rotation) -> Result<Rotated, StoreError> {
    let mut read = PostgresTx::single_statements(connection);
    let state = read.session_state(rotation.id).await?;
    let user = match &state {
        Some(state) => read.find_user(state.user_id).await?,
        None => None,
    };
    Ok(Rotated { is_rotated: false, found: state.zip(user) })
}

/// Makes the step in one statement and one round trip; nothing when it is not made.
async fn rotate(connection: &mut Lent, rotation: &Rotation) -> Result<Option<(SessionState, User)>, StoreError> {
    let (id, at) = (rotation.id.as_uuid(), rotation.at.as_micros());
    let idle_expires_at = rotation.idle_expires_at.as_micros();
    let query = query_file!("queries/rotate_and_find_session.sql", id, rotation.from_generation, at, idle_expires_at);
    let Some(row) = query.fetch_optional(connection).await.map_err(store_error)? else {
        return Ok(None);
    };
    let state = SessionStateRow {
        user_id: row.id,
        role: row.role.clone(),
        permissions: row.permissions,
        status: row.status.clone(),
        generation: row.generation,
        refreshed_at: row.refreshed_at,
        idle_expires_at: row.idle_expires_at,
        expires_at: row.expires_at,
        proven_at: row.proven_at,
        second_factor_at: row.second_factor_at,
        auth_methods: row.auth_methods,
        owes_second_factor: row.owes_second_factor,
        is_ended: false,
    };
    let user = UserRow {
        id: row.id,
        email: row.email,
        email_verified: row.email_verified,
        name: row.name,
        role: row.role,
        status: row.status,
        created_at: row.created_at,
        updated_at: row.updated_at,
        last_sign_in_at: row.last_sign_in_at,
        version: row.version,
        locale: row.locale,
        attributes: row.attributes,
        app_attributes: row.app_attributes,
        delete_after: row.delete_after,
        status_before_deletion: row.status_before_deletion,
    };
    Ok(Some((state.try_into()?, user.try_into()?)))
}
