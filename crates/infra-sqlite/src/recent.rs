//! A cache of the three reads on the path of every request.
//!
//! An entry is valid until something that it shows changes. Changes are counted, and each leaves its count in the slot of the
//! changed id; an entry whose read began before that count is invalid. So a read that began before a commit is never used
//! after it. A slot is shared by a few ids, which costs a read now and then.
//!
//! Writes of this process name the ids that they change, and count them after the commit and before it is answered. A commit
//! of another process, the command line for example, shows in the time and the size of the write-ahead log, and invalidates
//! all entries. While this process holds the write lock of the database no other process commits, so changes of the log
//! are its own. A commit of another process goes unnoticed between the end of a write here and the look at the log that follows,
//! and when it leaves the log with the same time and size. Hence no entry is valid for more than a fifth of a second. Under
//! load the log is looked at every [`LOOK_INTERVAL`], not for each read. Only single reads use the cache: writes, and reads
//! that must agree, ask the database.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock};
use std::time::{Duration, Instant, SystemTime};

use denizen_domain::api_keys::ApiKeyState;
use denizen_domain::sessions::SessionState;
use denizen_domain::users::User;
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use uuid::Uuid;

use crate::shared::cached::{CacheCounts, Cached};
use crate::shared::changes::{ChangeCounts, Changes};

const GOOD_FOR: Duration = Duration::from_millis(200);
/// How much later than its commit a change of another process may be noticed: far less than that process needs to report it.
pub(crate) const LOOK_INTERVAL: Duration = Duration::from_micros(200);
/// How much is remembered of each kind, in bytes, roughly.
const BYTES_MAX: u64 = 8 * 1024 * 1024;
/// What an entry takes besides the part of it that varies, in bytes, roughly.
const ENTRY_BYTES: usize = 512;

/// 32 KiB of slots. With a thousand changes a second, one slot sees one in four seconds.
const SLOT_BITS: u32 = 12;
/// What was found, and the count of changes.
pub(crate) struct Recent {
    log_path: PathBuf,
    log: RwLock<Log>,
    look_interval: Duration,
    opened_at: Instant,
    /// When the log was looked at last, in nanoseconds since `opened_at`.
    looked_at_ns: AtomicU64,
    changes: ChangeCounts,
    counts: CacheCounts,
    pub(crate) sessions: Entries<SessionState>,
    pub(crate) api_keys: Entries<ApiKeyState>,
    users: Entries<User>,
}

/// The write-ahead log as this process last saw it.
struct Log {
    state: Option<(SystemTime, u64)>,
    /// How many writes of this process are under way: one, and those that have just ended.
    writes: u32,
}

/// Finds of one kind.
pub(crate) struct Entries<T>(Cache<Uuid, Entry<T>, ByBytes>);

#[derive(Clone)]
struct Entry<T> {
    found: T,
    bytes: usize,
    reading: Reading,
}

/// The moment before a read: a change in between makes the find stale from the start.
#[derive(Clone, Copy)]
pub(crate) struct Reading {
    changes: u64,
    at: Instant,
}

#[derive(Clone)]
struct ByBytes;

impl<T> Weighter<Uuid, Entry<T>> for ByBytes {
    fn weight(&self, _: &Uuid, entry: &Entry<T>) -> u64 {
        entry.bytes as u64
    }
}

impl Cached for User {
    fn entries(recent: &Recent) -> &Entries<Self> {
        &recent.users
    }

    fn owner(&self) -> Uuid {
        self.id.as_uuid()
    }
}

impl Recent {
    /// An empty cache for the database at the path. `look_interval` bounds how often its write-ahead log is checked.
    pub(crate) fn new(database: &Path, look_interval: Duration) -> Self {
        let mut log = database.as_os_str().to_owned();
        log.push("-wal");
        Self {
            log_path: log.into(),
            log: RwLock::new(Log { state: None, writes: 0 }),
            look_interval,
            opened_at: now(),
            looked_at_ns: AtomicU64::new(0),
            changes: ChangeCounts::new(SLOT_BITS),
            counts: CacheCounts::default(),
            sessions: Entries::new(),
            users: Entries::new(),
            api_keys: Entries::new(),
        }
    }

    /// What was found under the id, if it is still valid.
    pub(crate) fn get<T: Cached>(&self, id: Uuid) -> Option<T> {
        self.counts.count(self.find(id))
    }

    /// How many reads were answered here, and how many were not.
    pub(crate) fn counts(&self) -> (u64, u64) {
        self.counts.get()
    }

    fn find<T: Cached>(&self, id: Uuid) -> Option<T> {
        let Entry { found, reading, .. } = T::entries(self).0.get(&id)?;
        let now = self.begin();
        let is_unchanged = self.changes.are_unchanged([id, found.owner()], reading.changes);
        (is_unchanged && now.at.duration_since(reading.at) < GOOD_FOR).then_some(found)
    }

    /// Begins to read.
    pub(crate) fn begin(&self) -> Reading {
        let at = now();
        let at_ns = u64::try_from(at.duration_since(self.opened_at).as_nanos()).unwrap_or(u64::MAX);
        let age = Duration::from_nanos(at_ns.saturating_sub(self.looked_at_ns.load(Ordering::Acquire)));
        if age >= self.look_interval {
            self.notice_other_processes();
            self.looked_at_ns.store(at_ns, Ordering::Release);
        }
        Reading { changes: self.changes.now(), at }
    }

    /// Begins a write. Call it while the write lock of the database is held.
    pub(crate) fn begin_write(&self) {
        let mut log = self.log.write().unwrap_or_else(PoisonError::into_inner);
        self.compare(&mut log);
        log.writes += 1;
    }

    /// Ends a write that was begun: committed, or possibly so.
    pub(crate) fn end_write<'a>(&self, changes: impl IntoIterator<Item = &'a Changes>) {
        for changes in changes {
            self.changes.note(changes);
        }
        let mut log = self.log.write().unwrap_or_else(PoisonError::into_inner);
        log.writes = log.writes.saturating_sub(1);
        log.state = self.log_state();
    }

    /// Remembers what was found.
    pub(crate) fn remember<T: Cached>(&self, id: Uuid, found: &T, reading: Reading) {
        self.remember_sized(id, found, 0, reading);
    }

    /// The same; `bytes` is the size of what varies in it.
    pub(crate) fn remember_sized<T: Cached>(&self, id: Uuid, found: &T, bytes: usize, reading: Reading) {
        let entry = Entry { found: found.clone(), bytes: ENTRY_BYTES + bytes, reading };
        T::entries(self).0.insert(id, entry);
    }

    /// Looks at the log, and invalidates all entries if another process has written to it.
    fn notice_other_processes(&self) {
        {
            let log = self.log.read().unwrap_or_else(PoisonError::into_inner);
            if log.writes > 0 || log.state == self.log_state() {
                return;
            }
        }
        self.compare(&mut self.log.write().unwrap_or_else(PoisonError::into_inner));
    }

    fn compare(&self, log: &mut Log) {
        if log.writes == 0 {
            let state = self.log_state();
            if log.state != state {
                log.state = state;
                self.invalidate_all();
            }
        }
    }

    fn log_state(&self) -> Option<(SystemTime, u64)> {
        std::fs::metadata(&self.log_path).and_then(|log| Ok((log.modified()?, log.len()))).ok()
    }

    fn invalidate_all(&self) {
        self.changes.note(&Changes::Everything);
    }
}

#[expect(clippy::disallowed_methods, reason = "how long a find is remembered is no matter of the domain")]
fn now() -> Instant {
    Instant::now()
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
    use crate::shared::changes::Changes;
    use denizen_domain::auth_methods::AuthMethods;
    use denizen_domain::sessions::SessionState;
    use denizen_domain::users::User;
    use denizen_testkit::build;
    use std::time::Duration;

    #[test]
    fn a_commit_invalidates_what_it_changed_even_if_it_is_being_read() {
        let recent = Recent::new("none.db".as_ref(), Duration::ZERO);
        let (user, other) = (build::user(1), build::user(2));
        let (id, other_id) = (user.id.as_uuid(), other.id.as_uuid());
        recent.remember(id, &user, recent.begin());
        recent.remember(other_id, &other, recent.begin());
        let reading = recent.begin();

        recent.begin_write();
        assert_eq!(recent.get::<User>(id), Some(user.clone()), "nothing is committed yet");
        recent.end_write([&Changes::Of(vec![id])]);
        assert_eq!(recent.get::<User>(id), None);
        assert_eq!(recent.get::<User>(other_id), Some(other.clone()));

        // Read before the commit, remembered after it.
        recent.remember(id, &user, reading);
        assert_eq!(recent.get::<User>(id), None);
        recent.remember(id, &user, recent.begin());
        assert_eq!(recent.get::<User>(id), Some(user));

        recent.begin_write();
        recent.end_write([&Changes::Everything]);
        assert_eq!(recent.get::<User>(other_id), None);
    }

    #[test]
    fn a_change_of_the_user_invalidates_the_sessions() {
        let recent = Recent::new("none.db".as_ref(), Duration::ZERO);
        let user = build::user(1);
        let id = build::session(&user, 1).id.as_uuid();
        let state = SessionState {
            user_id: user.id,
            permissions: user.role.permissions(None),
            role: user.role.clone(),
            status: user.status,
            generation: 0,
            refreshed_at: user.created_at,
            idle_expires_at: user.created_at,
            expires_at: user.created_at,
            proven_at: user.created_at,
            second_factor_at: None,
            auth_methods: AuthMethods::PASSWORD,
            owes_second_factor: false,
            is_ended: false,
        };
        recent.remember(id, &state, recent.begin());
        assert!(recent.get::<SessionState>(id).is_some());
        recent.begin_write();
        recent.end_write([&Changes::Of(vec![user.id.as_uuid()])]);
        assert!(recent.get::<SessionState>(id).is_none());
    }

    #[test]
    fn a_commit_of_another_process_invalidates_all_and_one_of_this_process_does_not() {
        let folder = tempfile::TempDir::new().unwrap();
        let (database, log) = (folder.path().join("a.db"), folder.path().join("a.db-wal"));
        let recent = Recent::new(&database, Duration::ZERO);
        let user = build::user(1);
        let id = user.id.as_uuid();
        let remember = || recent.remember(id, &user, recent.begin());

        remember();
        std::fs::write(&log, "another process").unwrap();
        assert_eq!(recent.get::<User>(id), None);

        remember();
        recent.begin_write();
        std::fs::write(&log, "this process, with another length").unwrap();
        assert!(recent.get::<User>(id).is_some());
        recent.end_write([]);
        assert!(recent.get::<User>(id).is_some());

        std::fs::write(&log, "another").unwrap();
        recent.begin_write();
        recent.end_write([]);
        assert_eq!(recent.get::<User>(id), None, "noticed when the write began");
    }

    #[test]
    fn no_more_is_remembered_than_there_is_room_for() {
        let recent = Recent::new("none.db".as_ref(), Duration::ZERO);
        for n in 0..2_000 {
            let user = build::user(n);
            recent.remember_sized(user.id.as_uuid(), &user, 16 * 1024, recent.begin());
        }
        assert!(recent.users.0.weight() <= super::BYTES_MAX);
        assert!(recent.users.0.len() > 100);
    }
}
