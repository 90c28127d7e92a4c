//! What is read when the metrics are: states of the server, and of the database.

use std::time::Duration;

use denizen_domain::keys::Schedule;
use denizen_domain::sessions::{SignInMethod, SignInResult};
use denizen_domain::store::{Backlog, StoreError};
use denizen_domain::time::Timestamp;
use denizen_domain::{Services, ports::HashLoad, store::StoreLoad};
use tokio::runtime::Handle;
use tokio::time::{Instant, timeout};

use super::families::{
    FloatGauge, NoLabels, ResultLabels, SignInLabels, StateLabels, gauge_of, set_float_total, set_total,
};
use super::{Metrics, process, seconds_of};
use crate::http::SharedState;

/// A database that takes longer counts as unavailable.
const DATABASE_PATIENCE: Duration = Duration::from_secs(2);
const NO_LABELS: NoLabels = [];

/// What the database knows.
struct Database {
    mail: Backlog,
    deliveries: Backlog,
    log_end: i64,
    distributed: i64,
    keys: Schedule,
}

impl Metrics {
    /// Brings the values up to date that are not counted as they happen.
    pub(super) async fn sample(&self, shared: &SharedState) {
        let services = &shared.services;
        self.sample_sign_ins(services);
        self.sample_hashes(services.hasher.load());
        self.sample_store(services.store.load());
        self.families.event_streams.set(shared.feed.followers().into());
        set_total(&self.families.log_dropped, crate::telemetry::dropped_lines());
        self.sample_runtime();
        process::sample(&self.families);

        #[expect(clippy::disallowed_methods, reason = "how long the database takes is real time")]
        let begun = Instant::now();
        let found = timeout(DATABASE_PATIENCE, Database::ask(services)).await;
        self.families.database_latency.set(begun.elapsed().as_secs_f64());
        self.sample_database(found.ok().and_then(Result::ok), services.clock.now());
    }

    fn sample_sign_ins(&self, services: &Services) {
        for method in SignInMethod::ALL {
            for result in SignInResult::ALL {
                let labels = SignInLabels { method: method.as_str(), result: result.as_str() };
                set_total(&self.families.sign_ins.get_or_create(&labels), services.sign_ins.get(method, result));
            }
        }
    }

    fn sample_hashes(&self, load: HashLoad) {
        let HashLoad { running, queued, computed, computing, refused } = load;
        self.families.hashes_running.set(running.into());
        self.families.hashes_queued.set(queued.into());
        set_total(&self.families.hashes, computed);
        set_float_total(&self.families.hashing_time, computing.as_secs_f64());
        set_total(&self.families.hashes_refused, refused);
    }

    fn sample_store(&self, load: StoreLoad) {
        let StoreLoad { connections_max, connections_used, writes_queued, cache_hits, cache_misses } = load;
        self.families.database_max.set(connections_max.into());
        self.families.database_used.set(connections_used.into());
        self.families.database_queued.set(writes_queued.into());
        for (result, total) in [("hit", cache_hits), ("miss", cache_misses)] {
            set_total(&self.families.cache_reads.get_or_create(&ResultLabels { result }), total);
        }
    }

    fn sample_runtime(&self) {
        let runtime = Handle::current().metrics();
        self.families.tokio_workers.set(gauge_of(runtime.num_workers()));
        self.families.tokio_tasks.set(gauge_of(runtime.num_alive_tasks()));
        self.families.tokio_queue.set(gauge_of(runtime.global_queue_depth()));
        let busy: Duration = (0..runtime.num_workers()).map(|worker| runtime.worker_total_busy_duration(worker)).sum();
        set_float_total(&self.families.tokio_busy, busy.as_secs_f64());
    }

    /// What is not known is absent rather than old.
    fn sample_database(&self, found: Option<Database>, now: Timestamp) {
        let families = &self.families;
        families.database_up.set(found.is_some().into());
        for gauge in
            [&families.mail_backlog, &families.webhook_backlog, &families.webhook_events, &families.event_position]
        {
            gauge.clear();
        }
        families.mail_lag.clear();
        families.webhook_lag.clear();
        families.key_age.clear();
        let Some(Database { mail, deliveries, log_end, distributed, keys }) = found else { return };
        families.mail_backlog.get_or_create(&NO_LABELS).set(gauge_of(mail.count));
        set_lag(&families.mail_lag.get_or_create(&NO_LABELS), mail, now);
        families.webhook_backlog.get_or_create(&NO_LABELS).set(gauge_of(deliveries.count));
        set_lag(&families.webhook_lag.get_or_create(&NO_LABELS), deliveries, now);
        families.webhook_events.get_or_create(&NO_LABELS).set((log_end - distributed).max(0));
        families.event_position.get_or_create(&NO_LABELS).set(log_end);
        // The oldest first: the newest key of each state overwrites the others.
        for (key, state) in keys.entries().iter().rev() {
            let age = seconds_of(now) - seconds_of(key.created_at);
            families.key_age.get_or_create(&StateLabels { state: state.as_str() }).set(age);
        }
    }
}

impl Database {
    async fn ask(services: &Services) -> Result<Self, StoreError> {
        let now = services.clock.now();
        let mut read = services.store.read().await?;
        Ok(Self {
            mail: read.mail_backlog(now).await?,
            deliveries: read.delivery_backlog(now).await?,
            log_end: read.log_bounds().await?.head,
            distributed: read.webhook_cursor().await?,
            keys: Schedule::new(read.signing_keys().await?, &services.policy, now),
        })
    }
}

fn set_lag(gauge: &FloatGauge, backlog: Backlog, now: Timestamp) {
    let lag = backlog.oldest_due_at.map_or(0.0, |due_at| seconds_of(now) - seconds_of(due_at));
    gauge.set(lag.max(0.0));
}
