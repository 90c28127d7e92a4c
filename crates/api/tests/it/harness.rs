//! A server of one's own for every test: random port, fresh database, real requests.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use denizen::App;
use denizen::config::{Config, Overrides, Sources};
use denizen_domain::access::{Actor, Origin};
use denizen_domain::credentials::Password;
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

/// Runs an async test body, `async fn(TestApp)`, on both databases.
macro_rules! on_both {
    ($(async fn $name:ident($app:ident: TestApp $(, $key:literal = $value:literal)*) $body:block)+) => {$(
        mod $name {
            #[allow(unused_imports, reason = "not every body needs all of its module")]
            use super::*;
            async fn run(db: $crate::harness::Db) {
                let $app = $crate::harness::TestApp::start_with(db, &[$(($key, $value)),*]).await;
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

/// A running server.
pub(crate) struct TestApp {
    pub(crate) url: String,
    pub(crate) services: Arc<Services>,
    pub(crate) client: reqwest::Client,
    next: AtomicU32,
    _stop: DropGuard,
    _database: Option<PostgresDatabase>,
    _folder: tempfile::TempDir,
}

/// Somebody who is signed in.
#[derive(Clone)]
pub(crate) struct SignedIn {
    pub(crate) id: String,
    pub(crate) email: String,
    pub(crate) token: String,
}

impl TestApp {
    pub(crate) async fn start(db: Db) -> Self {
        Self::start_with(db, &[]).await
    }

    /// A server with these configuration keys set. Hashes are cheap, which only `APP_ENV=dev` allows.
    pub(crate) async fn start_with(db: Db, settings: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let database = match db {
            Db::Sqlite => None,
            Db::Postgres => Some(PostgresDatabase::create().await),
        };
        let database_url = match &database {
            Some(database) => database.url().to_owned(),
            None => format!("sqlite://{}", folder.path().join("denizen.db").display()),
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut flags = Overrides::default();
        let key_file = folder.path().join("master.key").display().to_string();
        let port = address.port().to_string();
        let basics = [
            ("server.port", port.as_str()),
            ("database.url", &database_url),
            ("security.master_key_file", &key_file),
            ("security.argon2_memory_kib", "64"),
            ("security.argon2_iterations", "1"),
        ];
        for (key, value) in basics.iter().chain(settings) {
            flags.push(*key, *value, "test");
        }
        let env = BTreeMap::from([("APP_ENV".to_owned(), "dev".to_owned())]);
        let sources = Sources { dir: folder.path().to_owned(), config_dir: None, env };
        let config = Config::from_sources(&sources, &flags).unwrap().config;

        denizen::app::store_options(&config).unwrap().migrate().await.unwrap();
        let app = App::open(&config).await.unwrap();
        let services = Arc::clone(&app.services);
        let stop = CancellationToken::new();
        let until = stop.clone();
        tokio::spawn(async move { denizen::lifecycle::run(&app, &config, listener, until).await });
        Self {
            url: format!("http://{address}"),
            services,
            client: reqwest::Client::builder().no_proxy().build().unwrap(),
            next: AtomicU32::new(1),
            _stop: stop.drop_guard(),
            _database: database,
            _folder: folder,
        }
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

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Response {
        self.request(Method::POST, path, None).json(body).send().await.unwrap()
    }

    /// An address nobody has used in this test.
    pub(crate) fn fresh_email(&self) -> String {
        format!("user{}@example.com", self.next.fetch_add(1, Ordering::Relaxed))
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
            password: Password::parse(&PASSWORD.into(), 8).unwrap(),
            name: DisplayName::parse("An Admin").unwrap(),
            role: Some(RoleName::admin()),
            attributes: Attributes::default(),
        };
        users::create(&self.operator(), new).await.unwrap();
        self.sign_in(&email).await
    }

    pub(crate) fn operator(&self) -> Ctx {
        Ctx::new(Arc::clone(&self.services), Actor::Operator, Origin::default())
    }

    pub(crate) async fn sign_in(&self, email: &str) -> SignedIn {
        let response = self.post("/api/v1/sessions", &json!({"email": email, "password": PASSWORD})).await;
        assert_eq!(response.status(), StatusCode::CREATED);
        let body: Value = response.json().await.unwrap();
        SignedIn {
            id: body["user"]["id"].as_str().unwrap().to_owned(),
            email: email.to_owned(),
            token: body["access_token"].as_str().unwrap().to_owned(),
        }
    }
}

/// Asserts the one error shape and returns the whole `error` object.
pub(crate) async fn problem(response: Response, status: u16, code: &str) -> Value {
    assert_eq!(response.headers()["content-type"], "application/json");
    let request_id = response.headers()["x-request-id"].to_str().unwrap().to_owned();
    let is_status = response.status().as_u16() == status;
    let body: Value = response.json().await.unwrap();
    assert!(is_status, "expected {status} {code}, got {body}");
    let error = body["error"].clone();
    assert_eq!(error["code"], code, "{body}");
    assert_eq!(error["status"], status);
    assert_eq!(error["request_id"], request_id);
    assert!(error["message"].as_str().is_some_and(|message| !message.is_empty()));
    assert!(error["fields"].is_array());
    assert_eq!(body.as_object().unwrap().len(), 1);
    error
}

/// The same, naming the one field at fault.
pub(crate) async fn field_problem(response: Response, field: &str, code: &str) {
    let error = problem(response, 400, "invalid_input").await;
    let fields: Vec<_> = error["fields"].as_array().unwrap().iter().map(|at| (at["field"].as_str().unwrap(), at["code"].as_str().unwrap())).collect();
    assert_eq!(fields, [(field, code)]);
}
