//! PostgreSQL goes away and comes back, and the server lives through it.

use std::net::SocketAddr;
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::harness::{Db, PASSWORD, SignedIn, TestApp, World, eventually, problem, timed};

/// How the way to the database is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Way {
    Open,
    /// Every connection breaks, and new ones are refused as by a machine that is up.
    Cut,
    /// Connections stay and nothing comes through, as behind a dead router.
    Silent,
}

/// A stretch of the way to the database that a test can cut.
pub(crate) struct Proxy {
    address: SocketAddr,
    way: watch::Sender<Way>,
}

impl Proxy {
    pub(crate) async fn to(target: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, receiver) = watch::channel(Way::Open);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(carry(client, target.clone(), receiver.clone()));
            }
        });
        Self { address, way: sender }
    }

    pub(crate) fn set(&self, way: Way) {
        self.way.send_replace(way);
    }
}

async fn carry(mut client: TcpStream, target: String, mut way: watch::Receiver<Way>) {
    if way.wait_for(|way| *way != Way::Silent).await.is_err() || *way.borrow() == Way::Cut {
        return;
    }
    let Ok(mut server) = TcpStream::connect(target).await else { return };
    tokio::select! {
        _ = copy_bidirectional(&mut client, &mut server) => return,
        _ = way.wait_for(|way| *way != Way::Open) => {}
    }
    // Of a silent connection both ends stay, and nobody hears from the other.
    let _ = way.wait_for(|way| *way != Way::Silent).await;
}

/// A server whose way to its database leads through a proxy, and somebody who is signed in.
pub(crate) async fn start(settings: &[(&str, &str)]) -> (TestApp, Proxy, SignedIn) {
    let world = World::new(Db::Postgres).await;
    let url = world.database_url.clone();
    let (before, rest) = url.split_once('@').expect("the URL names a user");
    let (target, name) = rest.split_once('/').unwrap();
    let proxy = Proxy::to(target.to_owned()).await;
    let through = format!("{before}@{}/{name}", proxy.address);
    let settings = [&[("database.url", through.as_str()), ("database.acquire_timeout_s", "1")], settings].concat();
    let app = world.serve(&settings).await;
    let user = app.user().await;
    (app, proxy, user)
}

pub(crate) async fn status(app: &TestApp, path: &str) -> u16 {
    app.request(Method::GET, path, None).send().await.unwrap().status().as_u16()
}

/// Every kind of request while the database is away.
async fn check_away(app: &TestApp, user: &SignedIn) {
    let new = json!({"email": "new@example.com", "password": PASSWORD, "name": "New"});
    for (method, path, token, body) in [
        (Method::GET, "/api/v1/me", Some(&user.token), None),
        (Method::POST, "/api/v1/users", None, Some(new.clone())),
        (Method::POST, "/api/v1/sessions", None, Some(json!({"email": user.email, "password": PASSWORD}))),
        (Method::DELETE, "/api/v1/sessions/current", Some(&user.token), None),
    ] {
        let request = app.request(method, path, token.map(String::as_str));
        let request = if let Some(body) = &body { request.json(body) } else { request };
        let (response, waited) = timed(request.send()).await;
        problem(response.unwrap(), 503, "database_unavailable").await;
        assert!(waited < Duration::from_secs(6), "{path}: {waited:?}");
    }
    let keyed = app.request(Method::POST, "/api/v1/users", None).header("idempotency-key", "key").json(&new);
    problem(keyed.send().await.unwrap(), 503, "database_unavailable").await;
}

async fn check_health_away(app: &TestApp) {
    assert_eq!(app.get("/health/live", "nonsense").await.status(), 200, "nothing else is looked at");
    assert_eq!(status(app, "/.well-known/jwks.json").await, 200, "verifiers elsewhere need it");
    for path in ["/health", "/health/ready"] {
        let (response, waited) = timed(app.request(Method::GET, path, None).send()).await;
        let response = response.unwrap();
        assert_eq!(response.status(), 503);
        assert!(waited < Duration::from_secs(4), "{waited:?}");
        assert!(response.headers().contains_key("retry-after"));
        let body: Value = response.json().await.unwrap();
        assert_eq!((&body["status"], &body["checks"]["database"]), (&json!("unavailable"), &json!("unavailable")));
    }
}

async fn check_back(app: &TestApp, user: &SignedIn) {
    eventually("ready again", Duration::from_secs(10), async || status(app, "/health/ready").await == 200).await;
    eventually("the session lives", Duration::from_secs(5), async || app.me_status(&user.token).await == 200).await;
    // The same key as during the outage: the failure was not kept.
    let new = json!({"email": "new@example.com", "password": PASSWORD, "name": "New"});
    let keyed = app.request(Method::POST, "/api/v1/users", None).header("idempotency-key", "key").json(&new);
    assert_eq!(keyed.send().await.unwrap().status(), 201);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cut_database_is_told_and_recovered_from() {
    let (app, proxy, user) = start(&[]).await;
    for round in 0..2 {
        proxy.set(Way::Cut);
        check_away(&app, &user).await;
        check_health_away(&app).await;
        proxy.set(Way::Open);
        if round == 0 {
            eventually("ready again", Duration::from_secs(10), async || status(&app, "/health/ready").await == 200)
                .await;
        } else {
            check_back(&app, &user).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_says_nothing_is_not_waited_for() {
    let (app, proxy, user) = start(&[("limits.request_timeout_s", "3")]).await;
    proxy.set(Way::Silent);
    let (response, waited) = timed(app.get("/api/v1/me", &user.token)).await;
    assert_eq!(response.status(), 503);
    assert!(waited < Duration::from_secs(6), "{waited:?}");
    check_health_away(&app).await;
    proxy.set(Way::Open);
    check_back(&app, &user).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outage_amid_sign_ups_loses_nobody_who_was_told() {
    let (app, proxy, _) = start(&[]).await;
    let mut told = Vec::new();
    for round in 0..3 {
        let tasks: Vec<_> = (0..20)
            .map(|at| {
                let email = format!("r{round}p{at}@example.com");
                let body = json!({"email": email, "password": PASSWORD, "name": "P"});
                let request = app.request(Method::POST, "/api/v1/users", None).json(&body).send();
                tokio::spawn(async move { (email, request.await.unwrap().status().as_u16()) })
            })
            .collect();
        proxy.set(Way::Cut);
        for task in tasks {
            match task.await.unwrap() {
                (email, 201) => told.push(email),
                (_, status) => assert_eq!(status, 503),
            }
        }
        proxy.set(Way::Open);
        eventually("ready again", Duration::from_secs(10), async || status(&app, "/health/ready").await == 200).await;
    }
    for email in told {
        assert_eq!(app.try_sign_in(&email, PASSWORD).await.status(), 201, "{email} is lost");
    }
}
