//! What the three reads on the path of every request found a moment ago.
//!
//! It is good until somebody commits. A commit of this process is counted; one of another process, the command
//! line's for example, shows in the write-ahead log's time and size, but a read that falls between its writing and
//! its end may miss it. Hence nothing is good for more than a fifth of a second. Only single reads look here;
//! whoever writes, or wants reads that agree, asks the database.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use denizen_domain::api_keys::ApiKeyState;
use denizen_domain::sessions::SessionState;
use denizen_domain::users::User;
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use uuid::Uuid;

const GOOD_FOR: Duration = Duration::from_millis(200);
/// How much is remembered of each kind, in bytes, roughly.
const BYTES_MAX: u64 = 8 * 1024 * 1024;
/// What an entry takes besides the part of it that varies, in bytes, roughly.
const ENTRY_BYTES: usize = 512;

/// What was found, and the count of commits.
pub(crate) struct Recent {
    log: PathBuf,
    commits: AtomicU64,
    sessions: Entries<SessionState>,
    users: Entries<User>,
    api_keys: Entries<ApiKeyState>,
}

/// Finds of one kind.
pub(crate) struct Entries<T>(Cache<Uuid, Entry<T>, ByBytes>);

#[derive(Clone)]
struct Entry<T> {
    found: T,
    bytes: usize,
    reading: Reading,
}

/// The moment before a read: a commit in between makes the find stale from the start.
#[derive(Clone, Copy)]
pub(crate) struct Reading {
    seen: Seen,
    at: Instant,
}

/// What changes with a commit.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Seen {
    commits: u64,
    log: Option<(SystemTime, u64)>,
}

#[derive(Clone)]
struct ByBytes;

impl<T> Weighter<Uuid, Entry<T>> for ByBytes {
    fn weight(&self, _: &Uuid, entry: &Entry<T>) -> u64 {
        entry.bytes as u64
    }
}

/// A kind of find that is remembered.
pub(crate) trait Remembered: Clone {
    /// Where it is.
    fn entries(recent: &Recent) -> &Entries<Self>;
}

impl Remembered for SessionState {
    fn entries(recent: &Recent) -> &Entries<Self> {
        &recent.sessions
    }
}

impl Remembered for User {
    fn entries(recent: &Recent) -> &Entries<Self> {
        &recent.users
    }
}

impl Remembered for ApiKeyState {
    fn entries(recent: &Recent) -> &Entries<Self> {
        &recent.api_keys
    }
}

impl Recent {
    /// Nothing yet of the database at the path.
    pub(crate) fn new(database: &Path) -> Self {
        let mut log = database.as_os_str().to_owned();
        log.push("-wal");
        Self {
            log: log.into(),
            commits: AtomicU64::new(0),
            sessions: Entries::new(),
            users: Entries::new(),
            api_keys: Entries::new(),
        }
    }

    /// What was found under the id, if it is still good.
    pub(crate) fn get<T: Remembered>(&self, id: Uuid) -> Option<T> {
        let entry = T::entries(self).0.get(&id)?;
        let now = self.begin();
        let is_good = entry.reading.seen == now.seen && now.at.duration_since(entry.reading.at) < GOOD_FOR;
        is_good.then_some(entry.found)
    }

    /// Begins to read.
    pub(crate) fn begin(&self) -> Reading {
        #[expect(clippy::disallowed_methods, reason = "how long a find is remembered is no matter of the domain")]
        let at = Instant::now();
        let log = std::fs::metadata(&self.log).and_then(|log| Ok((log.modified()?, log.len()))).ok();
        Reading { seen: Seen { commits: self.commits.load(Ordering::SeqCst), log }, at }
    }

    /// Remembers what was found; `bytes` is the size of what varies in it.
    pub(crate) fn remember<T: Remembered>(&self, id: Uuid, found: &T, bytes: usize, reading: Reading) {
        let entry = Entry { found: found.clone(), bytes: ENTRY_BYTES + bytes, reading };
        T::entries(self).0.insert(id, entry);
    }

    /// Forgets everything: a write was committed, or may have been.
    pub(crate) fn forget(&self) {
        self.commits.fetch_add(1, Ordering::SeqCst);
    }
}

impl<T: Clone> Entries<T> {
    fn new() -> Self {
        let items = usize::try_from(BYTES_MAX).unwrap_or(usize::MAX) / ENTRY_BYTES;
        Self(Cache::with_weighter(items, BYTES_MAX, ByBytes))
    }
}

#[cfg(test)]
mod tests {
    use super::Recent;
    use denizen_domain::users::User;
    use denizen_testkit::build;

    #[test]
    fn a_commit_forgets_even_what_is_being_read() {
        let recent = Recent::new("none.db".as_ref());
        let user = build::user(1);
        let id = user.id.as_uuid();
        recent.remember(id, &user, 2, recent.begin());
        assert_eq!(recent.get::<User>(id), Some(user.clone()));
        recent.forget();
        assert_eq!(recent.get::<User>(id), None);

        let reading = recent.begin();
        recent.forget();
        recent.remember(id, &user, 2, reading);
        assert_eq!(recent.get::<User>(id), None);
    }

    #[test]
    fn no_more_is_remembered_than_there_is_room_for() {
        let recent = Recent::new("none.db".as_ref());
        for n in 0..2_000 {
            let user = build::user(n);
            recent.remember(user.id.as_uuid(), &user, 16 * 1024, recent.begin());
        }
        assert!(recent.users.0.weight() <= super::BYTES_MAX);
        assert!(recent.users.0.len() > 100);
    }
}
