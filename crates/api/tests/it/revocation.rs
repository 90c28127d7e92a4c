//! What ends access ends it everywhere: within a second where it was done, within five on every other node.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::harness::{PASSWORD, SignedIn, TestApp, eventually, on_both, problem};
use crate::process::Process;

const HERE: Duration = Duration::from_secs(1);
const ELSEWHERE: Duration = Duration::from_secs(5);

async fn refresh(app: &TestApp, token: &str) -> reqwest::Response {
    app.post("/api/v1/sessions/refresh", &json!({"refresh_token": token})).await
}

/// Waits until the node refuses the token, whose session it knows from a moment ago.
async fn refused_within(app: &TestApp, token: &str, within: Duration, what: &str) {
    eventually(what, within, async || app.me_status(token).await == 401).await;
}

/// A way to end a user's access.
#[derive(Debug, Clone, Copy)]
enum Ending {
    SignOut,
    RevokeOne,
    RevokeAll,
    Disable,
    Delete,
    OtherPassword,
}

const ENDINGS: [Ending; 6] =
    [Ending::SignOut, Ending::RevokeOne, Ending::RevokeAll, Ending::Disable, Ending::Delete, Ending::OtherPassword];

async fn end(app: &TestApp, how: Ending, user: &SignedIn, admin: &SignedIn) {
    let response = match how {
        Ending::SignOut => app.delete("/api/v1/sessions/current", &user.token).await,
        Ending::RevokeOne => {
            let session = app.json("/api/v1/me", &user.token).await["session"]["id"].as_str().unwrap().to_owned();
            app.delete(&format!("/api/v1/sessions/{session}"), &admin.token).await
        }
        Ending::RevokeAll => app.delete("/api/v1/sessions", &user.token).await,
        Ending::Disable => app.patch(&user.path(), &admin.token, &json!({"status": "disabled"})).await,
        Ending::Delete => app.delete(&user.path(), &admin.token).await,
        Ending::OtherPassword => {
            let other = app.sign_in(&user.email).await;
            let body = json!({"current_password": PASSWORD, "new_password": "another good one"});
            app.put("/api/v1/me/password", &other.token, &body).await
        }
    };
    assert!(response.status().is_success(), "{how:?}: {}", response.status());
}

on_both! {
    async fn every_ending_is_felt_on_every_node(world: World) {
        let (here, there) = (world.serve(&[]).await, world.serve(&[]).await);
        let admin = here.admin().await;
        for how in ENDINGS {
            let user = here.user().await;
            // Both nodes know the session well.
            for _ in 0..3 {
                assert_eq!((here.me_status(&user.token).await, there.me_status(&user.token).await), (200, 200));
            }
            end(&here, how, &user, &admin).await;
            refused_within(&here, &user.token, HERE, &format!("{how:?} where it was done")).await;
            refused_within(&there, &user.token, ELSEWHERE, &format!("{how:?} on another node")).await;
            problem(refresh(&there, &user.refresh_token).await, 401, "invalid_refresh_token").await;
        }
    }

    async fn a_role_is_felt_on_every_node(world: World) {
        let (here, there) = (world.serve(&[]).await, world.serve(&[]).await);
        let (admin, user) = (here.admin().await, here.user().await);
        assert_eq!(there.get("/api/v1/users", &user.token).await.status(), 403);
        assert_eq!(here.patch(&user.path(), &admin.token, &json!({"role": "admin"})).await.status(), 200);
        eventually("raised", ELSEWHERE, async || there.get("/api/v1/users", &user.token).await.status() == 200).await;
        assert_eq!(here.patch(&user.path(), &admin.token, &json!({"role": "user"})).await.status(), 200);
        assert_eq!(here.get("/api/v1/users", &user.token).await.status(), 403);
        eventually("lowered", ELSEWHERE, async || there.get("/api/v1/users", &user.token).await.status() == 403).await;
    }

    async fn after_a_revocation_nothing_lives(world: World) {
        let apps = [world.serve(&[]).await, world.serve(&[]).await];
        for round in 0..20 {
            let user = apps[0].user().await;
            let mut refreshes = JoinSet::new();
            for at in 0..8 {
                let body = json!({"refresh_token": user.refresh_token});
                let request = apps[at % 2].request(Method::POST, "/api/v1/sessions/refresh", None).json(&body);
                refreshes.spawn(async move { request.send().await.unwrap() });
            }
            tokio::time::sleep(Duration::from_millis(round % 5)).await;
            let ended = apps[1].request(Method::DELETE, "/api/v1/sessions/current", Some(&user.token)).send().await.unwrap();
            assert_eq!(ended.status(), 204);
            while let Some(response) = refreshes.join_next().await {
                let response = response.unwrap();
                if response.status() == 200 {
                    let body: Value = response.json().await.unwrap();
                    let (access, next) = (body["access_token"].as_str().unwrap(), body["refresh_token"].as_str().unwrap());
                    assert_eq!(apps[1].me_status(access).await, 401, "an access token outlived the revocation");
                    for app in &apps {
                        problem(refresh(app, next).await, 401, "invalid_refresh_token").await;
                    }
                    refused_within(&apps[0], access, ELSEWHERE, "the other node").await;
                } else {
                    problem(response, 401, "invalid_refresh_token").await;
                }
            }
        }
    }

    async fn a_revocation_survives_the_process(world: World) {
        let server = Process::start(&world, &[]).await;
        let email = world.fresh_email();
        assert_eq!(server.sign_up(&email).await.unwrap().status(), 201);
        let (ended, kept) = (server.token(&email, PASSWORD).await.unwrap(), server.token(&email, PASSWORD).await.unwrap());
        let request = server.request(Method::DELETE, "/api/v1/sessions?except=current", Some(&kept));
        let response: Value = request.send().await.unwrap().json().await.unwrap();
        assert_eq!(response["ended"], 1);
        server.kill().await;
        let server = Process::start(&world, &[]).await;
        assert_eq!(server.status("/api/v1/me", Some(&ended)).await, 401);
        assert_eq!(server.status("/api/v1/me", Some(&kept)).await, 200);
    }
}
