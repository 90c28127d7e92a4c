//! What other nodes changed, as they tell it.
//!
//! Notifications only make it faster: whatever is lost, what is remembered is good for seconds only. So every trouble
//! is met in the same way: connect anew, and forget everything, because nobody knows what was missed.

use std::sync::Arc;
use std::time::Duration;

use sqlx::Executor;
use sqlx::postgres::{PgConnectOptions, PgListener, PgPoolOptions};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use crate::changes::{CHANNEL, Changes, EVENTS_CHANNEL};
use crate::recent::Recent;
use crate::wake::Waiting;

/// After how long a silence the connection is tried: a peer that vanished says nothing either.
const SILENCE_MAX: Duration = Duration::from_secs(15);
/// How long the server has to answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// The first pause before connecting anew; it doubles up to the longest.
const PAUSE_MIN: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// Listens for as long as it exists, from the moment on when something is remembered. Its connection is its own.
#[derive(Debug)]
pub(crate) struct Listening {
    task: JoinHandle<()>,
    wanted: Arc<Notify>,
}

impl Listening {
    /// Prepares to listen; connects nothing. Without options it never does. Call it within a tokio runtime.
    pub(crate) fn prepare(options: Option<PgConnectOptions>, recent: &Arc<Recent>, waiting: &Waiting) -> Self {
        let wanted = Arc::default();
        let task = tokio::spawn(listen(options, Arc::clone(recent), Arc::clone(&waiting.events), Arc::clone(&wanted)));
        Self { task, wanted }
    }

    /// Somebody waits for what other nodes tell.
    pub(crate) fn want(&self) {
        self.wanted.notify_one();
    }

    /// Stops and disconnects.
    pub(crate) fn close(&self) {
        self.task.abort();
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.close();
    }
}

async fn listen(options: Option<PgConnectOptions>, recent: Arc<Recent>, events: Arc<Notify>, wanted: Arc<Notify>) {
    tokio::select! {
        () = recent.is_used() => {}
        () = wanted.notified() => {}
    }
    let Some(options) = options else {
        tracing::info!("no LISTEN in database.pooler_mode transaction without database.listen_url; polling instead");
        return;
    };
    let mut pause = PAUSE_MIN;
    loop {
        match hear(&options, &recent, &events, &mut pause).await {
            Ok(()) => {
                tracing::warn!("lost the connection on which nodes tell their changes: noticed seconds later now");
            }
            // Once is enough until it is back.
            Err(error) if pause == PAUSE_MIN => {
                let error: &dyn std::error::Error = &error;
                tracing::warn!(error, "cannot hear what other nodes change: it is noticed seconds later now");
            }
            Err(_) => {}
        }
        sleep(pause).await;
        pause = (pause * 2).min(PAUSE_MAX);
    }
}

/// Listens until the connection is lost.
async fn hear(options: &PgConnectOptions, recent: &Recent, events: &Notify, pause: &mut Duration) -> sqlx::Result<()> {
    // A pool for each connection: one that hangs when it is to be given back is in nobody's way.
    let pool = PgPoolOptions::new().max_connections(1).acquire_timeout(ANSWER_WITHIN);
    let pool = pool.idle_timeout(None).max_lifetime(None).connect_lazy_with(options.clone());
    let mut listener = PgListener::connect_with(&pool).await?;
    listener.eager_reconnect(false);
    let heard = timeout(ANSWER_WITHIN, listener.listen_all([CHANNEL, EVENTS_CHANNEL])).await;
    heard.unwrap_or_else(|_| Err(sqlx::Error::Io(std::io::ErrorKind::TimedOut.into())))?;
    *pause = PAUSE_MIN;
    // From here on nothing is missed; what was told before, nobody knows.
    recent.forget(&Changes::Everything);
    events.notify_one();
    loop {
        match timeout(SILENCE_MAX, listener.try_recv()).await {
            // In the order in which they were told: what changed is forgotten before its event is seen.
            Ok(Ok(Some(told))) if told.channel() == EVENTS_CHANNEL => events.notify_one(),
            Ok(Ok(Some(told))) => recent.forget(&Changes::parse(told.payload())),
            Ok(Ok(None)) => return Ok(()),
            Ok(Err(error)) => return Err(error),
            Err(_silence) => match timeout(ANSWER_WITHIN, listener.execute("SELECT 1")).await {
                Ok(answered) => {
                    answered?;
                }
                Err(_silence) => return Err(sqlx::Error::Io(std::io::ErrorKind::TimedOut.into())),
            },
        }
    }
}
