//! A fixed number of hashes at once, a bounded queue before them, in turns between clients, and a deadline in it.
//!
//! Hashes run on threads of their own, which keep their memory for as long as there is work: a hash writes 19 MiB, and
//! to be given them anew by the system costs a fifth of what it takes to fill them. Idle threads give it back and end.

use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use argon2::Block;
use denizen_domain::ports::{HashError, HashLoad};
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::cost::Lane;
use super::turns::{Full, Turns};

/// How long an idle thread keeps its memory, and then how long it stays.
const KEPT: Duration = Duration::from_secs(1);
/// How much the time of one hash moves what is known of all: an eighth.
const MEAN_SHIFT: u32 = 3;
/// The nice value of the thread of the slow lane.
#[cfg(target_os = "linux")]
const LOWEST_PRIORITY: i32 = 19;

/// How much hashing is taken on.
#[derive(Debug, Clone, Copy)]
pub struct AdmissionLimits {
    /// How many run at once.
    pub concurrency: u32,
    /// How many more may wait.
    pub queue: u32,
    /// How long one may wait.
    pub deadline: Duration,
}

/// Lends memory to work. Dropped undone, it tells its asker that there was no room.
type Job = Box<dyn FnOnce(&mut Vec<Block>) + Send>;

pub(super) struct Admission(Arc<Shared>);

struct Shared {
    limits: AdmissionLimits,
    lane: Lane,
    state: Mutex<State>,
    is_work: Condvar,
}

struct State {
    waiting: Turns<Job>,
    /// How many threads there are, and how many of them hash.
    threads: u32,
    busy: u32,
    /// How long a hash takes, about.
    mean: Duration,
    /// What was done since the start.
    computed: u64,
    computing: Duration,
    refused: u64,
}

impl Admission {
    pub(super) fn new(limits: AdmissionLimits) -> Self {
        Self::on(Lane::Ordinary, AdmissionLimits { concurrency: limits.concurrency.max(1), ..limits })
    }

    /// An admission beside the ordinary one, for hashes that cost far more than ours: one at a time, on a thread of the
    /// lowest priority, so that it uses the time that ordinary hashes leave.
    pub(super) fn slow(limits: AdmissionLimits) -> Self {
        Self::on(Lane::Slow, AdmissionLimits { concurrency: 1, ..limits })
    }

    fn on(lane: Lane, limits: AdmissionLimits) -> Self {
        let state = State {
            waiting: Turns::default(),
            threads: 0,
            busy: 0,
            mean: Duration::ZERO,
            computed: 0,
            computing: Duration::ZERO,
            refused: 0,
        };
        Self(Arc::new(Shared { limits, lane, state: Mutex::new(state), is_work: Condvar::new() }))
    }

    /// Refuses a client for whom there is no room now.
    pub(super) fn check_room(&self, client: Option<IpAddr>) -> Result<(), HashError> {
        let mut state = self.0.lock();
        if state.waiting.has_room(client, self.0.room(&state)) { Ok(()) } else { Err(self.0.overloaded(&mut state)) }
    }

    /// How much capacity is used.
    pub(super) fn load(&self) -> HashLoad {
        let state = self.0.lock();
        let State { busy, computed, computing, refused, .. } = *state;
        HashLoad { running: busy, queued: state.waiting.len(), computed, computing, refused }
    }

    /// Does the work on a thread for it, when it is the client's turn. A caller who leaves while waiting takes the work
    /// along unhashed; so does the deadline.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        client: Option<IpAddr>,
        work: impl FnOnce(&mut Vec<Block>) -> T + Send + 'static,
    ) -> Result<T, HashError> {
        let (tell, mut told) = oneshot::channel();
        let job: Job = Box::new(move |memory| {
            let done = catch_unwind(AssertUnwindSafe(|| work(memory)));
            // Whoever left meanwhile is not told.
            let _ = tell.send(done.map_err(|_| HashError::Failed("hashing panicked".into())));
        });
        let place = Place { shared: &self.0, client, ticket: self.0.enter(client, job)? };
        let told = match timeout(self.0.limits.deadline, &mut told).await {
            Ok(told) => told,
            Err(_) if place.leave() => return Err(self.0.overloaded(&mut self.0.lock())),
            // It is being hashed.
            Err(_) => told.await,
        };
        // Not told at all: it had to make room for another client's.
        told.unwrap_or_else(|_| Err(self.0.overloaded(&mut self.0.lock())))
    }
}

impl Shared {
    fn enter(self: &Arc<Self>, client: Option<IpAddr>, job: Job) -> Result<u64, HashError> {
        let mut state = self.lock();
        let room = self.room(&state);
        let entered = state.waiting.enter(client, job, room).map_err(|Full| self.overloaded(&mut state))?;
        let idle = state.threads - state.busy;
        if state.waiting.len() > idle && state.threads < self.limits.concurrency {
            let shared = Arc::clone(self);
            let spawned = std::thread::Builder::new().name("hash".to_owned()).spawn(move || shared.serve());
            if let Err(error) = spawned {
                tracing::warn!(%error, "cannot start a thread for password hashing");
            } else {
                state.threads += 1;
            }
        }
        drop(state);
        self.is_work.notify_one();
        Ok(entered)
    }

    /// Does what waits, one after the other.
    #[expect(clippy::disallowed_methods, reason = "how long a hash takes is real time, whatever the clock says")]
    fn serve(&self) {
        if self.lane == Lane::Slow {
            lower_priority();
        }
        let mut memory = Vec::new();
        let mut state = self.lock();
        loop {
            if let Some(job) = state.waiting.next() {
                state.busy += 1;
                drop(state);
                let begun = Instant::now();
                job(&mut memory);
                if self.lane == Lane::Slow {
                    // Far more than the next one is likely to need.
                    memory = Vec::new();
                }
                let took = begun.elapsed();
                state = self.lock();
                state.busy -= 1;
                state.computed += 1;
                state.computing += took;
                state.mean = match state.mean {
                    Duration::ZERO => took,
                    mean => mean.saturating_sub(mean / (1 << MEAN_SHIFT)) + took / (1 << MEAN_SHIFT),
                };
                continue;
            }
            let (guard, waited) = self.is_work.wait_timeout(state, KEPT).unwrap_or_else(PoisonError::into_inner);
            state = guard;
            if !waited.timed_out() || state.waiting.len() > 0 {
                continue;
            }
            if memory.capacity() == 0 {
                state.threads -= 1;
                return;
            }
            drop(state);
            memory = Vec::new();
            state = self.lock();
        }
    }

    /// How many may be waiting: those that can begin at once do not count.
    fn room(&self, state: &State) -> u32 {
        self.limits.queue + self.limits.concurrency.saturating_sub(state.busy)
    }

    /// It is worth trying again when what waits now is done.
    fn overloaded(&self, state: &mut State) -> HashError {
        state.refused += 1;
        let ahead = state.mean * (state.waiting.len() + state.busy) / self.limits.concurrency;
        let retry_after_s = u32::try_from(ahead.as_millis().div_ceil(1_000)).unwrap_or(u32::MAX);
        HashError::Overloaded { retry_after_s: retry_after_s.max(1) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// On Linux this concerns the calling thread alone; elsewhere it would concern the process.
fn lower_priority() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::setpriority_process(None, LOWEST_PRIORITY) {
        tracing::debug!(%error, "cannot lower the priority of the background hashing thread");
    }
}

/// A place in the queue, given up when its caller leaves.
struct Place<'a> {
    shared: &'a Shared,
    client: Option<IpAddr>,
    ticket: u64,
}

impl Place<'_> {
    /// Takes the work out of the queue; `false` when it has begun.
    fn leave(&self) -> bool {
        let job = self.shared.lock().waiting.leave(self.client, self.ticket);
        job.is_some()
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.leave();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use tokio::task::JoinHandle;

    use super::*;

    const DEADLINE: Duration = Duration::from_secs(30);

    /// One hash at once, which a test holds; and what was done, in order.
    struct Bench {
        admission: Arc<Admission>,
        done: Arc<Mutex<Vec<&'static str>>>,
        hold: Option<mpsc::Sender<()>>,
    }

    impl Bench {
        async fn held(queue: u32, deadline: Duration) -> Self {
            let admission = Arc::new(Admission::new(AdmissionLimits { concurrency: 1, queue, deadline }));
            let (hold, freed) = mpsc::channel::<()>();
            let (begin, has_begun) = oneshot::channel();
            let first = Arc::clone(&admission);
            tokio::spawn(async move {
                let work = move |_: &mut Vec<Block>| {
                    let _ = begin.send(());
                    let _ = freed.recv();
                };
                first.run(None, work).await
            });
            has_begun.await.unwrap();
            Self { admission, done: Arc::default(), hold: Some(hold) }
        }

        /// Asks for work, and returns once it waits or was refused.
        async fn ask(&self, client: u8, name: &'static str) -> JoinHandle<Result<(), HashError>> {
            let (admission, done) = (Arc::clone(&self.admission), Arc::clone(&self.done));
            let task = tokio::spawn(async move {
                let work = move |_: &mut Vec<Block>| done.lock().unwrap().push(name);
                admission.run(Some([192, 0, 2, client].into()), work).await
            });
            // On one thread the task runs until it waits.
            tokio::task::yield_now().await;
            task
        }

        /// Lets the first one end, and waits until all is done.
        async fn done(&mut self) -> Vec<&'static str> {
            self.hold = None;
            // One more would take the place of one that waits.
            while self.admission.0.lock().waiting.len() > 0 {
                tokio::task::yield_now().await;
            }
            self.admission.run(None, |_| ()).await.unwrap();
            self.done.lock().unwrap().clone()
        }
    }

    fn is_overloaded(outcome: &Result<(), HashError>) -> bool {
        matches!(outcome, Err(HashError::Overloaded { retry_after_s: 1.. }))
    }

    #[tokio::test]
    async fn clients_take_turns() {
        let mut bench = Bench::held(9, DEADLINE).await;
        for (client, name) in [(1, "a1"), (1, "a2"), (1, "a3"), (2, "b1"), (3, "c1"), (2, "b2")] {
            bench.ask(client, name).await;
        }
        assert_eq!(bench.done().await, ["a1", "b1", "c1", "a2", "b2", "a3"]);
    }

    #[tokio::test]
    async fn who_takes_many_places_makes_room_for_others() {
        let mut bench = Bench::held(4, DEADLINE).await;
        let mut asked = Vec::new();
        for (client, name) in [(1, "a1"), (1, "a2"), (1, "a3"), (1, "a4"), (1, "a5"), (2, "b1"), (3, "c1"), (3, "c2")] {
            asked.push(bench.ask(client, name).await);
        }
        let full = |client: u8| bench.admission.check_room(Some([192, 0, 2, client].into()));
        assert!(full(1).is_err() && full(3).is_err() && full(4).is_ok());
        let done = bench.done().await;
        assert_eq!(done, ["a1", "b1", "c1", "a2"], "each has a place, and whoever was first the one that is left");
        let mut refused = Vec::new();
        for (at, task) in asked.into_iter().enumerate() {
            if is_overloaded(&task.await.unwrap()) {
                refused.push(at);
            }
        }
        assert_eq!(refused, [2, 3, 4, 7]);
    }

    #[tokio::test]
    async fn who_leaves_takes_the_work_along_unhashed() {
        let mut bench = Bench::held(2, DEADLINE).await;
        let leaving = bench.ask(1, "left").await;
        bench.ask(2, "stayed").await;
        assert!(bench.admission.check_room(None).is_err(), "it is full");
        leaving.abort();
        assert!(leaving.await.unwrap_err().is_cancelled());
        assert!(bench.admission.check_room(None).is_ok(), "the place is free at once");
        assert_eq!(bench.done().await, ["stayed"]);
    }

    #[tokio::test]
    async fn the_deadline_takes_the_work_out_unhashed() {
        let mut bench = Bench::held(2, Duration::from_millis(20)).await;
        let late = bench.ask(1, "late").await;
        assert!(is_overloaded(&late.await.unwrap()));
        assert!(bench.done().await.is_empty());
    }

    #[tokio::test]
    async fn what_panics_fails_alone() {
        let mut bench = Bench::held(2, DEADLINE).await;
        let admission = Arc::clone(&bench.admission);
        let broken = tokio::spawn(async move { admission.run(None, |_| panic!("broken")).await });
        tokio::task::yield_now().await;
        bench.ask(1, "whole").await;
        assert_eq!(bench.done().await, ["whole"]);
        assert!(matches!(broken.await.unwrap(), Err::<(), _>(HashError::Failed(_))));
    }
}
