//! PostgreSQL stops answering, or refuses connections: requests are answered in time, and afterwards all is as before.

use std::time::Duration;

use reqwest::Method;
use serde_json::json;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};

use crate::harness::{Db, PASSWORD, SignedIn, TestApp, World, eventually, problem, timed};
use crate::outage::{Way, start, status};

/// The statement timeout and the margin of the server, and two seconds for a loaded machine.
const ANSWER_WITHIN: Duration = Duration::from_secs(4);

/// Reads and writes at once, each of which is refused in time.
async fn check_refused(app: &TestApp, user: &SignedIn) {
    let sign_in = json!({"email": user.email, "password": PASSWORD});
    let sign_up = json!({"email": app.fresh_email(), "password": PASSWORD, "name": "New"});
    let refresh = json!({"refresh_token": user.refresh_token});
    let name = json!({"name": "Another"});
    let requests = [
        app.request(Method::GET, "/api/v1/me", Some(&user.token)),
        app.request(Method::GET, "/api/v1/sessions", Some(&user.token)),
        app.request(Method::PATCH, &user.path(), Some(&user.token))
            .header("content-type", "application/merge-patch+json")
            .body(name.to_string()),
        app.request(Method::POST, "/api/v1/sessions", None).json(&sign_in),
        app.request(Method::POST, "/api/v1/users", None).json(&sign_up),
        app.request(Method::POST, "/api/v1/sessions/refresh", None).json(&refresh),
    ];
    let tasks: Vec<_> = requests.into_iter().map(|request| tokio::spawn(timed(request.send()))).collect();
    for task in tasks {
        let (response, waited) = task.await.unwrap();
        let response = response.unwrap();
        let path = response.url().path().to_owned();
        problem(response, 503, "database_unavailable").await;
        assert!(waited < ANSWER_WITHIN, "{path}: {waited:?}");
    }
    let (ready, waited) = timed(status(app, "/health/ready")).await;
    assert!(ready == 503 && waited < ANSWER_WITHIN, "{ready} after {waited:?}");
}

async fn check_serves(app: &TestApp, user: &SignedIn) {
    eventually("ready again", Duration::from_secs(10), async || status(app, "/health/ready").await == 200).await;
    eventually("reads", Duration::from_secs(5), async || app.me_status(&user.token).await == 200).await;
    // More at once than there are connections: none of them is missing.
    let tasks: Vec<_> = (0..12)
        .map(|_| {
            let body = json!({"email": app.fresh_email(), "password": PASSWORD, "name": "New"});
            tokio::spawn(app.request(Method::POST, "/api/v1/users", None).json(&body).send())
        })
        .collect();
    for task in tasks {
        assert_eq!(task.await.unwrap().unwrap().status(), 201);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frozen_server_is_not_waited_for() {
    // The deadline of requests is far away: it is not what answers them.
    let settings =
        [("database.statement_timeout_s", "1"), ("database.max_connections", "4"), ("limits.request_timeout_s", "60")];
    let (app, proxy, user) = start(&settings).await;
    for _ in 0..2 {
        check_serves(&app, &user).await;
        proxy.set(Way::Silent);
        check_refused(&app, &user).await;
        check_refused(&app, &user).await;
        proxy.set(Way::Open);
    }
    check_serves(&app, &user).await;
    let response = app.post("/api/v1/sessions/refresh", &json!({"refresh_token": user.refresh_token})).await;
    assert_eq!(response.status(), 200, "a refresh that failed spent nothing");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_lets_nobody_in_is_unavailable() {
    let world = World::new(Db::Postgres).await;
    let settings = [("database.acquire_timeout_s", "3"), ("database.statement_timeout_s", "1")];
    let app = world.serve(&settings).await;
    let user = app.user().await;
    let (before, name) = world.database_url.rsplit_once('/').unwrap();
    let mut other = PgConnection::connect(&format!("{before}/postgres")).await.unwrap();
    let database = name.split('?').next().unwrap();
    let allow = async |other: &mut PgConnection, is_allowed: bool| {
        let sql = format!("ALTER DATABASE \"{database}\" ALLOW_CONNECTIONS {is_allowed}");
        other.execute(AssertSqlSafe(sql)).await.unwrap();
    };
    allow(&mut other, false).await;
    let cut = format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{database}'");
    other.execute(AssertSqlSafe(cut)).await.unwrap();
    check_refused(&app, &user).await;
    check_refused(&app, &user).await;
    allow(&mut other, true).await;
    check_serves(&app, &user).await;
}
