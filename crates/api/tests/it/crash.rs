//! `kill -9` amid writes: nothing acknowledged is lost, nothing is half done.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::task::JoinSet;

use crate::harness::{PASSWORD, World, on_both, timed};
use crate::process::{Process, run_on};

const ROUNDS: usize = 3;
const WRITERS: usize = 8;
const READY_WITHIN: Duration = Duration::from_secs(5);

/// Signs people up until the server is gone, and returns who was acknowledged and whose answer never came.
async fn sign_up_until_killed(server: Process, world: &World, acknowledged_min: usize) -> (Vec<String>, Vec<String>) {
    let server = Arc::new(server);
    let acknowledged = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let mut writers = JoinSet::new();
    for _ in 0..WRITERS {
        let (server, world, count) = (Arc::clone(&server), world.clone(), Arc::clone(&acknowledged));
        writers.spawn(async move {
            let mut emails = Vec::new();
            loop {
                let email = world.fresh_email();
                match server.sign_up(&email).await.map(|response| response.status().as_u16()) {
                    Ok(201) => emails.push(email),
                    Ok(status) => panic!("{email} was answered {status}"),
                    Err(_) => return (emails, email),
                }
                count.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            }
        });
    }
    crate::harness::eventually("enough are signed up", Duration::from_secs(30), async || {
        acknowledged.load(std::sync::atomic::Ordering::SeqCst) >= acknowledged_min
    })
    .await;
    server.kill_now().await;
    let (mut told, mut untold) = (Vec::new(), Vec::new());
    while let Some(writer) = writers.join_next().await {
        let (emails, last) = writer.unwrap();
        told.extend(emails);
        untold.push(last);
    }
    (told, untold)
}

on_both! {
    async fn what_was_acknowledged_survives(world: World) {
        let mut everybody = Vec::new();
        for round in 0..ROUNDS {
            let (server, waited) = timed(Process::start(&world, &[])).await;
            assert!(round == 0 || waited < READY_WITHIN, "ready again only after {waited:?}");
            assert_eq!(server.status("/health/ready", None).await, 200);
            let (told, untold) = sign_up_until_killed(server, &world, 20 + 10 * round).await;
            everybody.extend(told);

            let (server, waited) = timed(Process::start(&world, &[])).await;
            assert!(waited < READY_WITHIN, "ready again only after {waited:?}");
            // Who was not told is there as a whole or not at all: signing up again says which.
            for email in untold {
                let status = server.sign_up(&email).await.unwrap().status().as_u16();
                assert!([201, 409].contains(&status), "{email}: {status}");
                assert!(server.token(&email, PASSWORD).await.is_some(), "{email} is half there");
            }
            server.kill().await;
        }

        let listed = run_on(&world, &[], &["users", "export", "-"], "").await;
        assert_eq!(listed.code, 0, "{listed:?}");
        let found: std::collections::BTreeSet<String> = listed.stdout.lines()
            .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["email"].as_str().unwrap().to_owned())
            .collect();
        let lost: Vec<_> = everybody.iter().filter(|email| !found.contains(*email)).collect();
        assert_eq!(lost, Vec::<&String>::new(), "of {} acknowledged", everybody.len());
        let server = Process::start(&world, &[]).await;
        for email in everybody.iter().step_by(7) {
            assert!(server.token(email, PASSWORD).await.is_some(), "{email} cannot sign in");
        }
    }

    async fn sessions_and_changes_survive(world: World) {
        let server = Process::start(&world, &[]).await;
        let email = world.fresh_email();
        assert_eq!(server.sign_up(&email).await.unwrap().status(), 201);
        let kept = server.token(&email, PASSWORD).await.unwrap();
        let ended = server.token(&email, PASSWORD).await.unwrap();
        let signed_out = server.request(reqwest::Method::DELETE, "/api/v1/sessions/current", Some(&ended)).send().await.unwrap();
        assert_eq!(signed_out.status(), 204);
        let body = json!({"current_password": PASSWORD, "new_password": "another good one"});
        let changed = server.request(reqwest::Method::PUT, "/api/v1/me/password", Some(&kept)).json(&body).send().await.unwrap();
        assert_eq!(changed.status(), 204);
        server.kill().await;

        let server = Process::start(&world, &[]).await;
        assert_eq!(server.status("/api/v1/me", Some(&kept)).await, 200);
        assert_eq!(server.status("/api/v1/me", Some(&ended)).await, 401);
        assert!(server.token(&email, PASSWORD).await.is_none());
        assert!(server.token(&email, "another good one").await.is_some());
    }

    async fn a_refresh_whose_answer_was_lost_is_answered_again(world: World) {
        // Long enough that a restart on a busy machine falls within it.
        let settings = [("sessions.refresh_grace_s", "120")];
        let email = world.fresh_email();
        let mut server = Process::start(&world, &settings).await;
        assert_eq!(server.sign_up(&email).await.unwrap().status(), 201);
        let body = json!({"email": email, "password": PASSWORD});
        let signed_in = server.request(reqwest::Method::POST, "/api/v1/sessions", None).json(&body).send().await.unwrap();
        let mut parent = refresh_token(signed_in).await;
        for round in 0..REPLAYS {
            let request = refresh(&server, &parent);
            let flight = tokio::spawn(async move { request.send().await });
            // Before it arrives, amid the rotation, between rotation and answer, after the answer.
            tokio::time::sleep(Duration::from_micros(round * 37 % 4_000)).await;
            server.kill_now().await;
            let told = match flight.await.unwrap() {
                Ok(response) if response.status() == 200 => response.json::<serde_json::Value>().await.ok(),
                _ => None,
            };
            server = Process::start(&world, &settings).await;
            // Whatever came of it, the client that lost the answer asks again and gets the child.
            let child = refresh_token(refresh(&server, &parent).send().await.unwrap()).await;
            if let Some(told) = told {
                assert_eq!(told["refresh_token"], child.as_str(), "round {round}: two children");
            }
            let again = refresh_token(refresh(&server, &parent).send().await.unwrap()).await;
            assert_eq!(again, child, "round {round}");
            parent = child;
        }
    }
}

const REPLAYS: u64 = 100;

fn refresh(server: &Process, token: &str) -> reqwest::RequestBuilder {
    server.request(reqwest::Method::POST, "/api/v1/sessions/refresh", None).json(&json!({"refresh_token": token}))
}

async fn refresh_token(response: reqwest::Response) -> String {
    assert!(response.status().is_success(), "{}", response.status());
    response.json::<serde_json::Value>().await.unwrap()["refresh_token"].as_str().unwrap().to_owned()
}
