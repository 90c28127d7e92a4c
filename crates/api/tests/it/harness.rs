//! A server of one's own for every test: random port, fresh database, real requests.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use denizen::App;
use denizen::app::Ambience;
use denizen::config::{Config, Overrides, Sources};
use denizen_domain::access::{Actor, Origin};
use denizen_domain::credentials::NewPassword;
use denizen_domain::roles::RoleName;
use denizen_domain::users::{self, Attributes, DisplayName, EmailAddress, NewUser};
use denizen_domain::{Ctx, Services};
use denizen_testkit::postgres::PostgresDatabase;
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

pub(crate) const PASSWORD: &str = "correct horse battery";

/// Which database a test runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Db {
    Sqlite,
    Postgres,
}

/// Runs an async test body on both databases: `async fn(TestApp)` gets a server, with configuration keys of
/// its own if need be; `async fn(World)` gets a database, to start servers and processes on.
macro_rules! on_both {
    ($(async fn $name:ident($what:ident: $kind:ident $(, $key:literal = $value:literal)*) $body:block)+) => {$(
        mod $name {
            #[allow(unused_imports, reason = "not every body needs all of its module")]
            use super::*;
            async fn run(db: $crate::harness::Db) {
                let $what = $crate::harness::$kind::start_with(db, &[$(($key, $value)),*]).await;
                $body
            }
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                run($crate::harness::Db::Sqlite).await;
            }
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                run($crate::harness::Db::Postgres).await;
            }
        }
    )+};
}
pub(crate) use on_both;

/// A database of its own and a master key for it: what several servers of one deployment share.
#[derive(Clone)]
pub(crate) struct World(Arc<Place>);

pub(crate) struct Place {
    pub(crate) database_url: String,
    pub(crate) database: Option<PostgresDatabase>,
    folder: tempfile::TempDir,
    next: AtomicU32,
}

impl Deref for World {
    type Target = Place;

    fn deref(&self) -> &Place {
        &self.0
    }
}

impl World {
    pub(crate) async fn new(db: Db) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let database = match db {
            Db::Sqlite => None,
            Db::Postgres => Some(PostgresDatabase::create().await),
        };
        let database_url = match &database {
            Some(database) => database.url().to_owned(),
            None => format!("sqlite://{}", folder.path().join("denizen.db").display()),
        };
        Self(Arc::new(Place { database_url, database, folder, next: AtomicU32::new(1) }))
    }

    pub(crate) async fn start_with(db: Db, _: &[(&str, &str)]) -> Self {
        Self::new(db).await
    }

    /// An empty world on the same kind of database.
    pub(crate) async fn same_kind(&self) -> Self {
        Self::new(if self.sqlite_file().is_some() { Db::Sqlite } else { Db::Postgres }).await
    }

    /// An empty world on the other kind of database.
    pub(crate) async fn other_kind(&self) -> Self {
        Self::new(if self.sqlite_file().is_some() { Db::Postgres } else { Db::Sqlite }).await
    }

    pub(crate) async fn serve(&self, settings: &[(&str, &str)]) -> TestApp {
        self.serve_in(settings, Ambience::default()).await
    }

    /// A server in this process, under another clock and another chance.
    pub(crate) async fn serve_in(&self, settings: &[(&str, &str)], ambience: Ambience) -> TestApp {
        self.serve_on(TcpListener::bind("127.0.0.1:0").await.unwrap(), settings, ambience).await
    }

    /// A server on a port that is known beforehand.
    pub(crate) async fn serve_on(
        &self,
        listener: TcpListener,
        settings: &[(&str, &str)],
        ambience: Ambience,
    ) -> TestApp {
        let address = listener.local_addr().unwrap();
        let port = address.port().to_string();
        let config = self.config(&[&[("server.port", port.as_str())][..], settings].concat());

        denizen::app::store_options(&config).unwrap().migrate().await.unwrap();
        let app = App::open_in(&config, ambience).await.unwrap();
        let services = Arc::clone(&app.services);
        let stop = CancellationToken::new();
        let until = stop.clone();
        tokio::spawn(async move { denizen::lifecycle::run(&app, &config, listener, until).await });
        TestApp {
            url: format!("http://{address}"),
            services,
            client: reqwest::Client::builder().no_proxy().build().unwrap(),
            _stop: stop.drop_guard(),
            world: self.clone(),
        }
    }

    /// A server that the test runs, at this URL.
    pub(crate) fn app_at(&self, url: String, services: Arc<Services>, stop: CancellationToken) -> TestApp {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        TestApp { url, services, client, _stop: stop.drop_guard(), world: self.clone() }
    }

    /// The configuration of a server here.
    pub(crate) fn config(&self, settings: &[(&str, &str)]) -> Config {
        let mut flags = Overrides::default();
        for (key, value) in self.basics() {
            flags.push(key, value, "test");
        }
        for (key, value) in settings {
            flags.push(*key, *value, "test");
        }
        let env = BTreeMap::from([("APP_ENV".to_owned(), "dev".to_owned())]);
        let sources = Sources { dir: self.folder().to_owned(), config_dir: None, env_file: None, env };
        Config::from_sources(&sources, &flags).unwrap().config
    }
}

impl Place {
    /// What every server here is configured with. Hashes are cheap, which only `APP_ENV=dev` allows.
    pub(crate) fn basics(&self) -> Vec<(&'static str, String)> {
        vec![
            ("database.url", self.database_url.clone()),
            // Mail that is asked for is looked into at once: most tests wait for it.
            ("mail.request_delay_ms", "0".to_owned()),
            ("mail.folder", self.folder().join("mail").display().to_string()),
            ("security.master_key_file", self.master_key_file()),
            ("security.argon2_memory_kib", "64".to_owned()),
            ("security.argon2_iterations", "1".to_owned()),
            ("tokens.issuer", "https://accounts.example.com".to_owned()),
            // Each test has its own server, and there is one such port.
            ("metrics.enabled", "false".to_owned()),
        ]
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The file of the master key.
    pub(crate) fn master_key_file(&self) -> String {
        self.folder().join("master.key").display().to_string()
    }

    /// The SQLite file, where the database is one.
    pub(crate) fn sqlite_file(&self) -> Option<PathBuf> {
        self.database_url.strip_prefix("sqlite://").map(PathBuf::from)
    }

    /// An address nobody has used in this test.
    pub(crate) fn fresh_email(&self) -> String {
        format!("user{}@example.com", self.next.fetch_add(1, Ordering::Relaxed))
    }
}

/// A running server.
pub(crate) struct TestApp {
    pub(crate) url: String,
    pub(crate) services: Arc<Services>,
    pub(crate) client: reqwest::Client,
    _stop: DropGuard,
    pub(crate) world: World,
}

/// Somebody who is signed in.
#[derive(Debug, Clone)]
pub(crate) struct SignedIn {
    pub(crate) id: String,
    pub(crate) email: String,
    pub(crate) token: String,
    pub(crate) refresh_token: String,
    pub(crate) session_id: String,
}

impl SignedIn {
    pub(crate) fn path(&self) -> String {
        format!("/api/v1/users/{}", self.id)
    }
}

impl TestApp {
    pub(crate) async fn start(db: Db) -> Self {
        Self::start_with(db, &[]).await
    }

    /// A server with these configuration keys set.
    pub(crate) async fn start_with(db: Db, settings: &[(&str, &str)]) -> Self {
        World::new(db).await.serve(settings).await
    }

    /// A request to a path, with a bearer token when there is one.
    pub(crate) fn request(&self, method: Method, path: &str, token: Option<&str>) -> RequestBuilder {
        let request = self.client.request(method, format!("{}{path}", self.url));
        match token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    pub(crate) async fn get(&self, path: &str, token: &str) -> Response {
        self.request(Method::GET, path, Some(token)).send().await.unwrap()
    }

    pub(crate) async fn json(&self, path: &str, token: &str) -> Value {
        let response = self.get(path, token).await;
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        response.json().await.unwrap()
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Response {
        self.request(Method::POST, path, None).json(body).send().await.unwrap()
    }

    pub(crate) async fn put(&self, path: &str, token: &str, body: &Value) -> Response {
        self.request(Method::PUT, path, Some(token)).json(body).send().await.unwrap()
    }

    pub(crate) async fn patch(&self, path: &str, token: &str, body: &Value) -> Response {
        let request = self.request(Method::PATCH, path, Some(token));
        request.header("content-type", "application/merge-patch+json").body(body.to_string()).send().await.unwrap()
    }

    pub(crate) async fn delete(&self, path: &str, token: &str) -> Response {
        self.request(Method::DELETE, path, Some(token)).send().await.unwrap()
    }

    /// What `GET /api/v1/me` answers this token.
    pub(crate) async fn me_status(&self, token: &str) -> u16 {
        self.get("/api/v1/me", token).await.status().as_u16()
    }

    /// An address nobody has used in this test.
    pub(crate) fn fresh_email(&self) -> String {
        self.world.fresh_email()
    }

    /// Signs a new user up over REST, and in.
    pub(crate) async fn user(&self) -> SignedIn {
        let email = self.fresh_email();
        let body = json!({"email": email, "password": PASSWORD, "name": "Some Body"});
        let response = self.post("/api/v1/users", &body).await;
        assert_eq!(response.status(), StatusCode::CREATED);
        self.sign_in(&email).await
    }

    /// Makes a new admin as the command line does, and signs them in.
    pub(crate) async fn admin(&self) -> SignedIn {
        let email = self.fresh_email();
        let new = NewUser {
            email: EmailAddress::parse(&email).unwrap(),
            password: NewPassword::parse(&PASSWORD.into(), 8).unwrap(),
            name: DisplayName::parse("An Admin").unwrap(),
            role: Some(RoleName::admin()),
            locale: None,
            attributes: Attributes::default(),
            app_attributes: None,
        };
        users::create(&self.operator(), new).await.unwrap();
        self.sign_in(&email).await
    }

    pub(crate) fn operator(&self) -> Ctx {
        Ctx::new(Arc::clone(&self.services), Actor::Operator, Origin::default())
    }

    /// Tries to sign in.
    pub(crate) async fn try_sign_in(&self, email: &str, password: &str) -> Response {
        self.post("/api/v1/sessions", &json!({"email": email, "password": password})).await
    }

    pub(crate) async fn sign_in(&self, email: &str) -> SignedIn {
        let response = self.try_sign_in(email, PASSWORD).await;
        assert_eq!(response.status(), StatusCode::CREATED);
        let body: Value = response.json().await.unwrap();
        SignedIn {
            id: body["user"]["id"].as_str().unwrap().to_owned(),
            email: email.to_owned(),
            token: body["access_token"].as_str().unwrap().to_owned(),
            refresh_token: body["refresh_token"].as_str().unwrap().to_owned(),
            session_id: body["session_id"].as_str().unwrap().to_owned(),
        }
    }

    /// Imports lines as an admin and returns the report.
    pub(crate) async fn import(&self, admin: &SignedIn, lines: impl Into<reqwest::Body>) -> Value {
        let request = self.request(Method::POST, "/api/v1/users/import", Some(&admin.token));
        let response = request.header("content-type", "application/x-ndjson").body(lines).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        response.json().await.unwrap()
    }
}

/// Asserts the one error shape and returns the whole `error` object.
pub(crate) async fn problem(response: Response, status: u16, code: &str) -> Value {
    assert_eq!(response.headers()["content-type"], "application/json");
    let request_id = response.headers()["x-request-id"].to_str().unwrap().to_owned();
    let got = response.status().as_u16();
    let has_retry_after = response.headers().get("retry-after").is_some_and(is_seconds);
    let has_challenge = response.headers().contains_key("www-authenticate");
    let body: Value = response.json().await.unwrap();
    assert!(got == status, "expected {status} {code}, got {body}");
    assert!(!matches!(status, 429 | 503) || has_retry_after, "no Retry-After: {body}");
    assert!(status != 401 || has_challenge, "no WWW-Authenticate: {body}");
    check_error_body(&body, status, code, &request_id);
    body["error"].clone()
}

/// Asserts the body of the one error shape.
pub(crate) fn check_error_body(body: &Value, status: u16, code: &str, request_id: &str) {
    let error = &body["error"];
    assert_eq!(error["code"], code, "{body}");
    assert_eq!(error["status"], status);
    assert_eq!(error["request_id"], request_id);
    assert!(error["message"].as_str().is_some_and(|message| !message.is_empty()), "{body}");
    for field in error["fields"].as_array().expect("fields is a list") {
        for part in ["field", "code", "message"] {
            assert!(field[part].as_str().is_some_and(|text| !text.is_empty()), "{body}");
        }
        assert_eq!(field.as_object().unwrap().len(), 3, "{body}");
    }
    assert_eq!(error.as_object().unwrap().len(), 5, "{body}");
    assert_eq!(body.as_object().unwrap().len(), 1, "{body}");
}

fn is_seconds(value: &reqwest::header::HeaderValue) -> bool {
    value.to_str().is_ok_and(|text| text.parse::<u32>().is_ok_and(|seconds| seconds >= 1))
}

/// The same, naming the fields at fault and the rule that each breaks.
pub(crate) async fn fields_problem(response: Response, expected: &[(&str, &str)]) {
    let error = problem(response, 400, "invalid_input").await;
    let fields = error["fields"].as_array().unwrap().iter();
    let fields: Vec<_> = fields.map(|at| (at["field"].as_str().unwrap(), at["code"].as_str().unwrap())).collect();
    assert_eq!(fields, expected, "{error}");
}

/// The same, naming the one field at fault.
pub(crate) async fn field_problem(response: Response, field: &str, code: &str) {
    fields_problem(response, &[(field, code)]).await;
}

/// Waits until something holds, and fails when it does not in time.
pub(crate) async fn eventually(what: &str, within: Duration, mut holds: impl AsyncFnMut() -> bool) {
    let waiting = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    assert!(tokio::time::timeout(within, waiting).await.is_ok(), "not within {within:?}: {what}");
}

/// How long something takes.
#[expect(clippy::disallowed_methods, reason = "what a client waits is real time")]
pub(crate) async fn timed<T>(work: impl Future<Output = T>) -> (T, Duration) {
    let begun = std::time::Instant::now();
    let done = work.await;
    (done, begun.elapsed())
}
