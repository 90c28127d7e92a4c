//! The composition root, the only one: from configuration to a server that can be mounted anywhere.

mod database;
mod keys;
mod policy;

use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::{Context, ensure};
use axum::Router;
use axum::response::Redirect;
use axum::routing::get;
use denizen_domain::Services;
use denizen_domain::hooks::Hooks;
use denizen_domain::ports::{Clock, Random, SignInHook, WebhookSender};
use denizen_domain::providers::{Federation, Provider, Providers};
use denizen_domain::sessions::SignInTotals;
use denizen_domain::users::Totals;
use denizen_infra::account_throttle::AccountRates;
use denizen_infra::clock::{SystemChance, SystemClock};
use denizen_infra::federation::{FederationOptions, HttpFederation};
use denizen_infra::mail::NoMail;
use denizen_infra::outside::{Outside, SigningSecret};
use denizen_infra::passwords::{AdmissionLimits, Argon2Hasher, Cost};
use denizen_infra::sign_in_hook::HttpSignInHook;
use denizen_infra::stores::{ServerClaim, StoreOptions};
use denizen_infra::tokens::KeyRing;
use denizen_infra::usage::RecentUses;
use denizen_infra::vault::MasterVault;
use denizen_infra::webhook_sender::HttpWebhookSender;
use secrecy::SecretString;
use tokio_util::sync::CancellationToken;

use crate::backup::Schedule;
use crate::config::{Audit, Config, ProviderConfig, Security, SignIn, Webhooks};
use crate::declarative::drift::DriftCheck;
use crate::feed::Feed;
use crate::heartbeats::Heartbeats;
use crate::http::idempotency::Running;
use crate::http::origins::Origins;
use crate::http::passkeys::ProductPages;
use crate::http::start::StartPage;
use crate::http::well_known::{PublicKeys, metadata_of};
use crate::http::{self, Shared, SharedState};
use crate::metrics::{self, Metrics};
use crate::post::mailer;
use crate::{attributes_schemas, grpc, middleware, relying_party, upkeep};
pub use database::store_options;
pub(crate) use keys::existing_master_key;
pub use keys::master_key;
use keys::{MissingKeys, signing};
use policy::policy;

/// How long a call to an outside provider may take.
const PROVIDER_TIMEOUT: Duration = Duration::from_secs(10);
/// The largest file with the secret of a provider, in bytes.
const SECRET_BYTES_MAX: usize = 16 * 1024;

/// A server, wired but not listening.
pub struct App {
    /// The ports, for use cases: the command line calls them as the transports do.
    pub services: Arc<Services>,
    /// The routes of REST, the pages and the documents.
    http: Router,
    /// The services of gRPC.
    rpc: Router,
    /// Documents that belong to the root of the host even if the rest is mounted under a path.
    root_documents: Router,
    shared: Shared,
    audit: Audit,
    backups: Option<Arc<Schedule>>,
    drift: Option<Arc<DriftCheck>>,
    draining: CancellationToken,
    /// Also held by the router, which may outlive this.
    _claim: Option<Arc<ServerClaim>>,
}

/// Where time and chance come from; tests bring their own.
#[derive(Clone)]
pub struct Ambience {
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// The chance.
    pub random: Arc<dyn Random>,
}

impl Default for Ambience {
    fn default() -> Self {
        Self { clock: Arc::new(SystemClock), random: Arc::new(SystemChance) }
    }
}

/// What a database is opened for.
enum OpenFor {
    /// To serve it.
    Serve(Arc<ServerClaim>),
    /// To change it, beside a server that may have claimed it.
    Change,
    /// To read it: nothing is created.
    Read,
}

impl OpenFor {
    fn is_read(&self) -> bool {
        matches!(self, Self::Read)
    }

    fn claim(self) -> Option<Arc<ServerClaim>> {
        match self {
            Self::Serve(claim) => Some(claim),
            Self::Change | Self::Read => None,
        }
    }
}

impl App {
    /// Wires a server over the configured database, which must be migrated, and claims a SQLite file for it, until the
    /// last [router](Self::router) is dropped.
    ///
    /// # Errors
    /// When another server has the SQLite file, the database does not answer, the master key does not fit it, or passkeys
    /// belong to another relying party.
    pub async fn open(config: &Config) -> anyhow::Result<Self> {
        let claim = store_options(config)?.claim()?;
        Self::open_claimed(config, claim).await
    }

    /// The same over a database that is claimed already.
    ///
    /// # Errors
    /// When the database does not answer, the master key does not fit it, or passkeys belong to a relying party that is
    /// neither the configured one nor listed in `webauthn.former_rp_ids`.
    pub async fn open_claimed(config: &Config, claim: ServerClaim) -> anyhow::Result<Self> {
        Self::wire(config, Ambience::default(), None, OpenFor::Serve(Arc::new(claim))).await
    }

    /// The same for an application that brings its own clock, randomness or hooks.
    pub(crate) async fn open_embedded(
        config: &Config,
        claim: ServerClaim,
        ambience: Ambience,
        hooks: Option<Arc<dyn Hooks>>,
    ) -> anyhow::Result<Self> {
        Self::wire(config, ambience, hooks, OpenFor::Serve(Arc::new(claim))).await
    }

    /// The same with another clock and another randomness, and beside a server that may have claimed the database:
    /// for the command line and for tests.
    ///
    /// # Errors
    /// As [`App::open_claimed`].
    pub async fn open_in(config: &Config, ambience: Ambience) -> anyhow::Result<Self> {
        Self::wire(config, ambience, None, OpenFor::Change).await
    }

    /// The same over a database that exists, for commands that only read: creates no key, no file and no record.
    ///
    /// # Errors
    /// As [`App::open_claimed`].
    pub async fn open_to_read(config: &Config) -> anyhow::Result<Self> {
        Self::wire(config, Ambience::default(), None, OpenFor::Read).await
    }

    async fn wire(
        config: &Config,
        ambience: Ambience,
        hooks: Option<Arc<dyn Hooks>>,
        purpose: OpenFor,
    ) -> anyhow::Result<Self> {
        let Ambience { clock, random } = ambience;
        let options = store_options(config)?;
        if !config.database.migrate_on_start {
            require_schema(&options).await?;
        }
        let store = options.open().context("opening the database")?;
        let keys = MissingKeys::of(purpose.is_read());
        let vault = Arc::new(keys.vault(&config.security, store.as_ref(), clock.as_ref(), random.as_ref()).await?);
        let policy = policy(config);
        let ring = Arc::new(KeyRing::new(
            Arc::<MasterVault>::clone(&vault),
            Arc::clone(&random),
            Arc::clone(&clock),
            policy.issuer.clone(),
            policy.audience.clone(),
            signing(&config.tokens)?,
        ));
        let services = Arc::new(Services {
            store,
            hasher: Arc::new(hasher(&config.security, Arc::clone(&random))?),
            tokens: Arc::<KeyRing>::clone(&ring),
            signing_keys: Arc::<KeyRing>::clone(&ring),
            usage: Arc::new(RecentUses::default()),
            vault,
            account_throttle: Arc::new(AccountRates::new(config.limits.account_writes_per_minute)),
            mailer: if purpose.is_read() { Arc::new(NoMail) } else { mailer(config, &clock)? },
            sign_in_hook: sign_in_hook(&config.sign_in, &clock, &random)?,
            hooks,
            providers: providers(config)?,
            federation: federation(&config.sign_in, &clock, &random)?,
            webhook_sender: webhook_sender(&config.webhooks, &clock)?,
            webauthn: Arc::new(relying_party::of(config).context("webauthn.rp_id and webauthn.origins")?),
            attributes_schemas: attributes_schemas::of(&config.users)?,
            user_totals: Totals::default(),
            sign_ins: SignInTotals::default(),
            random,
            clock,
            policy,
        });
        let claim = purpose.claim();
        if claim.is_some() {
            relying_party::require_unchanged(config, &services).await?;
        }
        keys.start(&services).await?;
        let draining = CancellationToken::new();
        let shared = share(config, &services, ring, draining.clone(), (claim.clone(), options.system_name()));
        let surface = [http::router(&shared), grpc::router(&shared), http::root_documents(&shared)];
        let [http, rpc, root_documents] = middleware::around_all(surface, &shared, &config.server);
        let audit = config.audit.clone();
        let backups = Schedule::new(&config.backups, options)?.map(Arc::new);
        let drift = DriftCheck::new(&config.apply).map(Arc::new);
        Ok(Self { services, http, rpc, root_documents, shared, audit, backups, drift, draining, _claim: claim })
    }

    /// Every route with its middleware, to be served or mounted in another Axum application.
    ///
    /// The client's address is read from [`PeerAddress`](crate::PeerAddress), which our own listener adds, or from
    /// [`ConnectInfo<SocketAddr>`](axum::extract::ConnectInfo).
    pub fn router(&self) -> Router {
        self.http.clone().merge(self.rpc.clone())
    }

    /// The same routes under a path such as `/auth`, which must end the path of `server.public_url`. gRPC and the
    /// metadata documents of RFC 8414 §3.1 stay at the root: their clients cannot put a path in front.
    pub(crate) fn router_at(&self, path: &str) -> Router {
        // `nest` does not match the path with a slash at its end.
        let to_start = Redirect::temporary(path);
        let below = Router::new().nest(path, self.http.clone()).route(&format!("{path}/"), get(async || to_start));
        // Other paths are the application's: only the nested routes bring a fallback.
        let at_root = self.rpc.clone().reset_fallback().merge(self.root_documents.clone().reset_fallback());
        below.merge(at_root)
    }

    /// The work beside the requests, until `stop` is cancelled: reading the log of events for those who follow it, sending
    /// mail, following and rotating the signing keys, recording when credentials were used, removing what is past its time. Our own
    /// [lifecycle](crate::lifecycle) does it; whoever mounts the [router](Self::router) spawns it once.
    pub fn upkeep(&self, stop: CancellationToken) -> impl Future<Output = ()> + Send + use<> {
        let (backups, drift) = (self.backups.clone(), self.drift.clone());
        upkeep::run(Arc::clone(&self.shared), self.audit.clone(), backups, drift, stop)
    }

    /// Makes a scheduled backup if one is due. [Upkeep](Self::upkeep) does it every minute.
    ///
    /// # Errors
    /// When the backup cannot be written.
    pub async fn back_up(&self) -> anyhow::Result<()> {
        match &self.backups {
            Some(schedule) => Ok(schedule.run(&self.services).await?),
            None => Ok(()),
        }
    }

    /// `/metrics`, for an application that serves it itself. It is not part of the [router](Self::router): metrics are not
    /// for the public.
    pub fn metrics_router(&self) -> Router {
        metrics::router(&self.shared)
    }

    /// Where connections are counted.
    pub(crate) fn metrics(&self) -> Arc<Metrics> {
        Arc::clone(&self.shared.metrics)
    }

    /// Makes `/health/ready` answer 503, so that no new requests are sent here.
    pub fn drain(&self) {
        self.draining.cancel();
    }
}

/// Refuses a database that has to be migrated first.
async fn require_schema(options: &StoreOptions) -> anyhow::Result<()> {
    let pending = options.pending().await.context("checking for pending migrations")?.len();
    ensure!(
        pending == 0,
        "{pending} migrations are pending: run `denizen migrate` first (database.migrate_on_start is false)"
    );
    Ok(())
}

fn share(
    config: &Config,
    services: &Arc<Services>,
    ring: Arc<KeyRing>,
    draining: CancellationToken,
    (claim, database): (Option<Arc<ServerClaim>>, &'static str),
) -> Shared {
    let policy = &services.policy;
    Arc::new(SharedState {
        services: Arc::clone(services),
        ring,
        jwks: PublicKeys::default(),
        metadata: metadata_of(&policy.issuer, policy.token_algorithm),
        start_page: StartPage::new(config),
        product_pages: ProductPages::of(config),
        draining,
        feed: Arc::new(Feed::new(Arc::clone(services), &config.events)),
        origins: Arc::new(Origins::of(config)),
        prefix: middleware::path_of(&config.server.public_url()).to_owned(),
        openapi: OnceLock::new(),
        limits: config.limits.clone(),
        capacity: middleware::Capacity::new(&config.limits),
        running: Running::default(),
        accepts_public_traces: config.telemetry.accept_public_traces,
        metrics: Metrics::new(database),
        heartbeats: Heartbeats::default(),
        has_started: AtomicBool::new(false),
        claim,
    })
}

fn sign_in_hook(
    config: &SignIn,
    clock: &Arc<dyn Clock>,
    random: &Arc<dyn Random>,
) -> anyhow::Result<Option<Arc<dyn SignInHook>>> {
    let Some((address, secret)) = config.hook_url.as_ref().zip(config.hook_secret.as_ref()) else { return Ok(None) };
    let timeout = Duration::from_millis(config.hook_timeout_ms.into());
    let outside = Outside::new(timeout, &config.hook_allowed_hosts).context("sign_in.hook_url")?;
    let secret = SigningSecret::parse(secret).context("sign_in.hook_secret")?;
    let (clock, random) = (Arc::clone(clock), Arc::clone(random));
    Ok(Some(Arc::new(HttpSignInHook::new(outside, address.clone(), secret, clock, random))))
}

/// The providers of the configuration, with their secrets.
fn providers(config: &Config) -> anyhow::Result<Providers> {
    let provider = |configured: &ProviderConfig| {
        let client_secret = match (&configured.client_secret, &configured.client_secret_file) {
            (Some(secret), _) => Some(secret.clone()),
            (None, Some(path)) => Some(secret_of(path).with_context(|| {
                format!("providers.{}.client_secret_file: reading {}", configured.name, path.display())
            })?),
            (None, None) => None,
        };
        anyhow::Ok(Provider { name: configured.name.clone(), settings: configured.settings.clone(), client_secret })
    };
    Ok(Providers::new(config.providers.iter().map(provider).collect::<anyhow::Result<_>>()?))
}

/// The secret in a file, without the line feed at its end.
fn secret_of(path: &Path) -> anyhow::Result<SecretString> {
    let text = std::fs::read_to_string(path)?;
    ensure!(text.len() <= SECRET_BYTES_MAX, "the file is larger than {SECRET_BYTES_MAX} bytes");
    Ok(text.trim_end().to_owned().into())
}

fn federation(
    config: &SignIn,
    clock: &Arc<dyn Clock>,
    random: &Arc<dyn Random>,
) -> anyhow::Result<Arc<dyn Federation>> {
    let options = FederationOptions {
        allowed_hosts: config.provider_allowed_hosts.clone(),
        extra_ca: config.provider_ca_file.clone(),
        timeout: PROVIDER_TIMEOUT,
    };
    let federation = HttpFederation::new(options, Arc::clone(clock), Arc::clone(random));
    Ok(Arc::new(federation.context("sign_in.provider_ca_file")?))
}

fn webhook_sender(config: &Webhooks, clock: &Arc<dyn Clock>) -> anyhow::Result<Arc<dyn WebhookSender>> {
    let timeout = Duration::from_secs(config.timeout_s.into());
    let outside = Outside::new(timeout, &config.allowed_hosts).context("setting up the HTTP client for webhooks")?;
    Ok(Arc::new(HttpWebhookSender::new(outside, Arc::clone(clock))))
}

fn hasher(security: &Security, random: Arc<dyn Random>) -> anyhow::Result<Argon2Hasher> {
    let cores = || std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let concurrency = match security.hash_concurrency {
        0 => u32::try_from(cores()).unwrap_or(1),
        fixed => fixed,
    };
    let cost = Cost {
        memory_kib: security.argon2_memory_kib,
        iterations: security.argon2_iterations,
        parallelism: security.argon2_parallelism,
    };
    let limits = AdmissionLimits {
        concurrency,
        queue: security.hash_queue,
        deadline: Duration::from_millis(security.hash_queue_timeout_ms.into()),
    };
    Ok(Argon2Hasher::new(cost, limits, random)?)
}
