//! Settings of a server for tests, and its start.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Router;
use denizen::config::{Config, Overrides, Sources};
use denizen::hooks::Hooks;
use denizen::types::Timestamp;
use denizen::{Builder, Denizen};
use denizen_testkit::FakeClock;
use denizen_testkit::postgres::PostgresDatabase;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::provider::{CLIENT_ID, CLIENT_SECRET};
use crate::{FakeProvider, TestServer};

/// Makes the router of an application around the server.
type MakeApp = Box<dyn FnOnce(&Denizen) -> Router + Send>;
/// Adds hooks.
type AddHooks = Box<dyn FnOnce(Builder) -> Builder + Send>;

/// Settings of a [`TestServer`].
#[derive(Default)]
#[must_use = "call start()"]
pub struct TestServerBuilder {
    settings: Vec<(String, String)>,
    is_on_postgres: bool,
    make_app: Option<MakeApp>,
    add_hooks: Option<AddHooks>,
}

impl TestServerBuilder {
    /// Sets a configuration key, such as `signup.mode`.
    pub fn set(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.settings.push((key.into(), value.into()));
        self
    }

    /// Uses a new database on the PostgreSQL server that the environment variable `DENIZEN_TEST_POSTGRES_URL` names, instead
    /// of a SQLite file. The database is dropped with the server.
    pub fn postgres(mut self) -> Self {
        self.is_on_postgres = true;
        self
    }

    /// Serves this application instead of the routes of Denizen alone. It merges
    /// [`Denizen::router`](denizen::Denizen::router) itself.
    pub fn app(mut self, make_app: impl FnOnce(&Denizen) -> Router + Send + 'static) -> Self {
        self.make_app = Some(Box::new(make_app));
        self
    }

    /// Offers an outside provider under this name. After a sign-in there, the browser goes to `redirect_url`.
    pub fn provider(self, name: &str, provider: &FakeProvider, redirect_url: &str) -> Self {
        let key = |key: &str| format!("providers.{name}.{key}");
        self.set(key("issuer"), provider.url())
            .set(key("client_id"), CLIENT_ID)
            .set(key("client_secret"), CLIENT_SECRET)
            .set("sign_in.provider_allowed_hosts", "127.0.0.1")
            .set("sign_in.redirect_urls", redirect_url)
    }

    /// Calls these hooks before and after sign-up, sign-in and deletion.
    pub fn hooks(mut self, hooks: impl Hooks) -> Self {
        self.add_hooks = Some(Box::new(|builder| builder.hooks(hooks)));
        self
    }

    /// Starts the server on a free port of `127.0.0.1`.
    ///
    /// # Panics
    /// If it does not start: a setting is invalid, or PostgreSQL is not available.
    pub async fn start(self) -> TestServer {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let database = if self.is_on_postgres { Some(PostgresDatabase::create().await) } else { None };
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("the address of the listener"));

        let path = |name: &str| folder.path().join(name).display().to_string();
        let database_url = database.as_ref().map(|database| database.url().to_owned());
        let mut overrides = Overrides::default();
        for (key, value) in [
            ("database.url", database_url.unwrap_or_else(|| format!("sqlite://{}", path("denizen.db")))),
            ("server.public_url", url.clone()),
            ("mail.folder", path("mail")),
            ("mail.request_delay_ms", "0".to_owned()),
            ("security.master_key_file", path("master.key")),
            // Hashes are cheap, which only `APP_ENV=dev` permits.
            ("security.argon2_memory_kib", "64".to_owned()),
            ("security.argon2_iterations", "1".to_owned()),
        ] {
            overrides.push(key, value, "test server");
        }
        for (key, value) in self.settings {
            overrides.push(key, value, "test server");
        }
        let env = BTreeMap::from([("APP_ENV".to_owned(), "dev".to_owned())]);
        let sources = Sources { dir: folder.path().to_owned(), config_dir: None, env_file: None, env };
        let config = Config::from_sources(&sources, &overrides).unwrap_or_else(|errors| panic!("{errors}")).config;

        let clock = Arc::new(FakeClock::at(now()));
        let builder = Denizen::builder().config(config).clock(Arc::clone(&clock) as Arc<_>);
        let builder = match self.add_hooks {
            Some(add_hooks) => add_hooks(builder),
            None => builder,
        };
        let denizen = builder.build().await.unwrap_or_else(|error| panic!("the server does not start: {error}"));
        let app = self.make_app.map_or_else(|| denizen.router(), |make_app| make_app(&denizen));
        let stop = CancellationToken::new();
        let until = stop.clone();
        tokio::spawn(async move {
            let app = app.into_make_service_with_connect_info::<SocketAddr>();
            axum::serve(listener, app).with_graceful_shutdown(until.cancelled_owned()).await
        });
        TestServer::new(url, denizen, clock, stop.drop_guard(), (folder, database))
    }
}

/// Now, so that tokens are valid for verifiers with the clock of the system.
#[expect(clippy::disallowed_methods, reason = "the one reading of the clock, from which the test moves on")]
fn now() -> Timestamp {
    let age = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    Timestamp::from_micros(i64::try_from(age.as_micros()).unwrap_or(i64::MAX))
}
