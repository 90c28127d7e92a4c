//! `kill -9` amid requests with an idempotency key: each is done once, however often it is repeated.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::harness::{PASSWORD, eventually, on_both};
use crate::process::{Process, run_on};

const ROUNDS: usize = 3;
const WRITERS: usize = 8;
const PATH: &str = "/api/v1/service-accounts";
const ADMIN: &str = "root@example.com";

/// Creates a service account: nothing about it is unique but the key.
async fn create(server: &Process, token: &str, key: &str) -> reqwest::Result<(u16, Value)> {
    let request = server.request(Method::POST, PATH, Some(token)).header("idempotency-key", key);
    let response = request.json(&json!({"name": key, "role": "user"})).send().await?;
    let status = response.status().as_u16();
    Ok((status, response.json().await?))
}

/// Creates until the server is gone. Every key that was sent, with the answer if one came.
async fn create_until_killed(server: Process, token: &str, round: usize) -> BTreeMap<String, Option<Value>> {
    let server = Arc::new(server);
    let answered = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        let (server, token, count) = (Arc::clone(&server), token.to_owned(), Arc::clone(&answered));
        writers.spawn(async move {
            let mut sent = BTreeMap::new();
            for at in 0.. {
                let key = format!("key-{round}-{writer}-{at}");
                let outcome = create(&server, &token, &key).await;
                let is_gone = outcome.is_err();
                let body = outcome.ok().map(|(status, body)| {
                    assert_eq!(status, 201, "{key}: {body}");
                    body
                });
                sent.insert(key, body);
                if is_gone {
                    break;
                }
                count.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            }
            sent
        });
    }
    eventually("enough are created", Duration::from_secs(30), async || {
        answered.load(std::sync::atomic::Ordering::SeqCst) >= 60 + 17 * round
    })
    .await;
    server.kill_now().await;
    writers.join_all().await.into_iter().flatten().collect()
}

/// How many service accounts there are of each name.
async fn counted(server: &Process, token: &str) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    let mut path = format!("{PATH}?limit=200");
    loop {
        let response = server.request(Method::GET, &path, Some(token)).send().await.unwrap();
        let link = response.headers().get("link").map(|link| link.to_str().unwrap().to_owned());
        for account in response.json::<Value>().await.unwrap().as_array().unwrap() {
            *counts.entry(account["name"].as_str().unwrap().to_owned()).or_default() += 1;
        }
        match link.and_then(|link| Some(link.split_once('<')?.1.split_once('>')?.0.to_owned())) {
            Some(next) => path = next,
            None => return counts,
        }
    }
}

on_both! {
    async fn each_repeated_request_is_done_once(world: World) {
        let arguments = ["users", "create", "--email", ADMIN, "--name", "Root", "--role", "admin", "--password-stdin"];
        assert_eq!(run_on(&world, &[], &arguments, PASSWORD).await.code, 0);
        let mut expected: BTreeMap<String, usize> = BTreeMap::new();
        for round in 0..ROUNDS {
            let server = Process::start(&world, &[]).await;
            let token = server.token(ADMIN, PASSWORD).await.unwrap();
            let sent = create_until_killed(server, &token, round).await;
            let unanswered = sent.values().filter(|answer| answer.is_none()).count();
            assert!(unanswered > 0, "the server was killed amid requests");

            let server = Process::start(&world, &[]).await;
            let token = server.token(ADMIN, PASSWORD).await.unwrap();
            for (key, answer) in &sent {
                // At once: nothing of the killed process is waited for.
                let (status, again) = create(&server, &token, key).await.unwrap();
                assert_eq!(status, 201, "{key}: {again}");
                assert!(answer.as_ref().is_none_or(|answer| *answer == again), "{key}: another answer");
            }
            expected.extend(sent.into_keys().map(|key| (key, 1)));
            assert_eq!(counted(&server, &token).await, expected);
            server.kill().await;
        }
    }
}
