//! Starting and stopping, by the real binary.

use std::time::Duration;

use reqwest::Method;
use serde_json::Value;

use crate::harness::{Db, PASSWORD, World, eventually, on_both, timed};
use crate::process::{Process, command, run, run_on};
use crate::raw::RawClient;

const STOP_WITHIN: Duration = Duration::from_secs(10);

async fn key_ids(server: &Process) -> Vec<String> {
    let response = server.request(Method::GET, "/.well-known/jwks.json", None).send().await.unwrap();
    let body: Value = response.json().await.unwrap();
    body["keys"].as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
}

/// A sign-up whose body stops in the middle, and the rest of it.
async fn begin_sign_up(server: &Process, email: &str) -> (RawClient, String) {
    let body = format!("{{\"email\":\"{email}\",\"password\":\"{PASSWORD}\",\"name\":\"A\"}}");
    let (begun, rest) = body.split_at(10);
    let mut client = RawClient::connect_to(&server.url).await;
    let head = format!(
        "POST /api/v1/users HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    client.send(head).await;
    client.send(begun).await;
    (client, rest.to_owned())
}

on_both! {
    async fn a_stop_lets_requests_in_flight_finish(world: World) {
        let server = Process::start(&world, &[]).await;
        let (mut client, rest) = begin_sign_up(&server, "a@example.com").await;
        assert_eq!(server.status("/health/ready", None).await, 200);
        server.terminate().await;
        eventually("readiness falls", STOP_WITHIN, async || server.status("/health/ready", None).await != 200).await;
        client.send(rest).await;
        let answer = client.answer().await;
        assert_eq!(answer.status, 201, "{answer:?}");
        let (status, waited) = timed(server.ended(STOP_WITHIN)).await;
        assert_eq!(status.code(), Some(0), "{}", server.log());
        assert!(waited < STOP_WITHIN);
        let found = run_on(&world, &[], &["users", "get", "a@example.com", "--output", "json"], "").await.json();
        assert_eq!(found["email"], "a@example.com");
    }

    async fn another_master_key_is_refused_in_one_line(world: World) {
        Process::start(&world, &[]).await.kill().await;
        let other = "fbefbe3f0a9cd17e6624b85d8ff04c11927aa3c85e016bd4f73920ee81b6457d";
        let done = run_on(&world, &[("security.master_key", other)], &["serve"], "").await;
        let line = done.only_line(1);
        assert!(line.contains("master key"), "{line}");
        assert!(!line.contains(other), "{line}");
    }

    async fn a_second_wish_to_stop_is_granted_at_once(world: World) {
        let server = Process::start(&world, &[]).await;
        let (_client, _rest) = begin_sign_up(&server, "a@example.com").await;
        server.terminate().await;
        eventually("the first wish is heard", STOP_WITHIN, async || server.status("/health/ready", None).await != 200).await;
        server.terminate().await;
        let (status, waited) = timed(server.ended(STOP_WITHIN)).await;
        assert!(waited < Duration::from_secs(3), "{waited:?}");
        assert_eq!(status.code(), Some(0));
    }

    async fn a_request_that_never_ends_does_not_hold_up_the_stop(world: World) {
        let server = Process::start(&world, &[("server.shutdown_timeout_s", "1")]).await;
        let (_client, _rest) = begin_sign_up(&server, "a@example.com").await;
        let _idle = RawClient::connect_to(&server.url).await;
        server.terminate().await;
        let (status, waited) = timed(server.ended(STOP_WITHIN)).await;
        assert_eq!(status.code(), Some(0));
        assert!(waited < Duration::from_secs(6), "{waited:?}");
    }
}

// A SQLite file has one server.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_that_start_at_once_share_one_key() {
    let world = World::new(Db::Postgres).await;
    let (one, two) = tokio::join!(Process::start(&world, &[]), Process::start(&world, &[]));
    let keys = key_ids(&one).await;
    assert_eq!(keys.len(), 1);
    assert_eq!(key_ids(&two).await, keys);
    assert_eq!(one.sign_up("a@example.com").await.unwrap().status(), 201);
    let token = two.token("a@example.com", PASSWORD).await.expect("the other knows them");
    assert_eq!(one.status("/api/v1/me", Some(&token)).await, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readiness_falls_while_requests_are_still_taken() {
    let world = World::new(Db::Sqlite).await;
    let server = Process::start(&world, &[]).await;
    server.terminate().await;
    let response = server.request(Method::GET, "/health/ready", None);
    eventually("readiness falls", Duration::from_secs(5), async || {
        let answered = response.try_clone().unwrap().send().await;
        answered.is_ok_and(|response| response.status() == 503)
    })
    .await;
    assert_eq!(server.status("/health/live", None).await, 200, "still served while balancers take notice");
    assert_eq!(server.ended(STOP_WITHIN).await.code(), Some(0));
}

#[tokio::test]
async fn a_taken_port_is_told_in_one_line() {
    let world = World::new(Db::Sqlite).await;
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let done = run_on(&world, &[("server.port", &port)], &["serve"], "").await;
    let line = done.only_line(1);
    assert!(line.contains(&format!("127.0.0.1:{port}")), "{line}");
}

#[tokio::test]
async fn a_database_that_is_away_at_the_start_is_told_in_one_line() {
    let world = World::new(Db::Sqlite).await;
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = format!("postgres://denizen:hunter2@127.0.0.1:{free}/denizen");
    let settings = [("database.url", url.as_str()), ("database.acquire_timeout_s", "1")];
    let (done, waited) = timed(run_on(&world, &settings, &["serve"], "")).await;
    let line = done.only_line(1);
    assert!(line.contains("database"), "{line}");
    assert!(!line.contains("hunter2"), "{line}");
    assert!(waited < Duration::from_secs(20), "{waited:?}");
}

#[tokio::test]
async fn a_folder_where_nothing_can_be_kept_is_told_in_one_line() {
    let world = World::new(Db::Sqlite).await;
    std::fs::write(world.folder().join("file"), "").unwrap();
    let url = format!("sqlite://{}", world.folder().join("file/denizen.db").display());
    let done = run_on(&world, &[("database.url", &url)], &["serve"], "").await;
    let line = done.only_line(1);
    assert!(line.contains("database"), "{line}");
}

#[tokio::test]
async fn with_no_configuration_at_all_everything_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = command(folder.path());
    // The one thing that two tests cannot share is the port.
    command.env("DENIZEN__SERVER__PORT", "0").env_remove("APP_ENV");
    let mut child = command.arg("serve").spawn().unwrap();
    let key = folder.path().join("data/master.key");
    let database = folder.path().join("data/denizen.db");
    eventually("the files are made", Duration::from_secs(30), async || key.exists() && database.exists()).await;
    #[cfg(unix)]
    for file in [&key, &database] {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(std::fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600, "{}", file.display());
    }
    child.kill().await.unwrap();
}

#[tokio::test]
async fn a_weak_configuration_is_refused_outside_development() {
    let folder = tempfile::tempdir().unwrap();
    let mut weak = command(folder.path());
    weak.env("APP_ENV", "prod").env("DENIZEN__SECURITY__ARGON2_ITERATIONS", "1");
    let done = run(weak, &["serve"], "").await;
    let line = done.only_line(2);
    assert!(
        line.contains("security.argon2_iterations") && line.contains("DENIZEN__SECURITY__ARGON2_ITERATIONS"),
        "{line}"
    );
    assert!(!folder.path().join("data").exists(), "nothing is made");
}
