//! Signing keys come and go while requests go on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use denizen::app::Ambience;
use denizen_domain::keys::{self, Takeover};
use denizen_testkit::{FakeClock, SeededRandom};
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{TestApp, World, eventually, on_both, problem};

fn kid(token: &str) -> String {
    let header = URL_SAFE_NO_PAD.decode(token.split('.').next().unwrap()).unwrap();
    serde_json::from_slice::<Value>(&header).unwrap()["kid"].as_str().unwrap().to_owned()
}

async fn published(app: &TestApp) -> Vec<String> {
    let response = app.request(Method::GET, "/.well-known/jwks.json", None).send().await.unwrap();
    let keys: Value = response.json().await.unwrap();
    keys["keys"].as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
}

async fn on_a_clock(world: &World, settings: &[(&str, &str)]) -> (TestApp, Arc<FakeClock>) {
    let clock = Arc::new(FakeClock::default());
    let ambience = Ambience { clock: Arc::clone(&clock) as Arc<_>, random: Arc::new(SeededRandom::new(11)) };
    (world.serve_in(settings, ambience).await, clock)
}

on_both! {
    async fn a_rotation_under_load_fails_nobody(world: World) {
        // The rate limit per address goes by the clock, which stands still here.
        let settings = [("limits.address_per_second", "0")];
        let (one, clock) = on_a_clock(&world, &settings).await;
        let ambience = Ambience { clock: Arc::clone(&clock) as Arc<_>, random: Arc::new(SeededRandom::new(13)) };
        let apps = [one, world.serve_in(&settings, ambience).await];
        let user = apps[0].user().await;
        let stop = Arc::new(AtomicBool::new(false));
        let asked = Arc::new(AtomicU32::new(0));
        let load: Vec<_> = (0..6_usize).map(|at| {
            let (stop, asked) = (Arc::clone(&stop), Arc::clone(&asked));
            let clients = [apps[at % 2].client.clone(), apps[(at + 1) % 2].client.clone()];
            let urls = [apps[at % 2].url.clone(), apps[(at + 1) % 2].url.clone()];
            let (mut access, email) = (user.token.clone(), user.email.clone());
            tokio::spawn(async move {
                let body = json!({"email": email, "password": crate::harness::PASSWORD});
                let response = clients[0].post(format!("{}/api/v1/sessions", urls[0])).json(&body).send().await.unwrap();
                let mut refresh = response.json::<Value>().await.unwrap()["refresh_token"].as_str().unwrap().to_owned();
                while !stop.load(Ordering::SeqCst) {
                    // Signed by one node, verified by the other.
                    for (client, url) in clients.iter().zip(&urls) {
                        let response = client.get(format!("{url}/api/v1/me")).bearer_auth(&access).send().await.unwrap();
                        assert_eq!(response.status(), 200, "a token of key {} is refused", kid(&access));
                    }
                    let response = clients[0].post(format!("{}/api/v1/sessions/refresh", urls[0]))
                        .json(&json!({"refresh_token": refresh})).send().await.unwrap();
                    assert_eq!(response.status(), 200);
                    let body: Value = response.json().await.unwrap();
                    body["access_token"].as_str().unwrap().clone_into(&mut access);
                    body["refresh_token"].as_str().unwrap().clone_into(&mut refresh);
                    asked.fetch_add(1, Ordering::SeqCst);
                }
                kid(&access)
            })
        }).collect();

        let first = published(&apps[0]).await;
        let next = keys::rotate(&apps[0].operator(), Takeover::Announced).await.unwrap();
        eventually("the other node publishes it", Duration::from_secs(5), async || published(&apps[1]).await.contains(&next.id)).await;
        assert!(published(&apps[0]).await.contains(&first[0]), "the old one is published still");
        eventually("enough was asked", Duration::from_secs(30), async || asked.load(Ordering::SeqCst) > 40).await;
        assert_eq!(kid(&apps[1].sign_in(&user.email).await.token), first[0], "the announced key does not sign yet");

        // It takes over while everybody goes on with what the old one signed.
        clock.advance_s(601);
        let so_far = asked.load(Ordering::SeqCst);
        eventually("enough was asked", Duration::from_secs(30), async || asked.load(Ordering::SeqCst) > so_far + 40).await;
        stop.store(true, Ordering::SeqCst);
        for task in load {
            assert_eq!(task.await.unwrap(), next.id, "the new key signs");
        }
    }

    async fn a_key_is_announced_takes_over_and_goes(world: World) {
        let settings = [("tokens.key_lead_s", "600"), ("sessions.access_ttl_s", "900")];
        let (app, clock) = on_a_clock(&world, &settings).await;
        let user = app.user().await;
        let first = kid(&user.token);
        let next = keys::rotate(&app.operator(), Takeover::Announced).await.unwrap().id;
        assert_eq!(published(&app).await, [next.clone(), first.clone()]);

        clock.advance_s(599);
        assert_eq!(kid(&app.sign_in(&user.email).await.token), first);
        clock.advance_s(1);
        let newer = app.sign_in(&user.email).await;
        assert_eq!(kid(&newer.token), next);
        assert_eq!(app.me_status(&user.token).await, 200, "what the old one signed is good");

        clock.advance_s(899);
        assert_eq!(app.me_status(&newer.token).await, 200);
        keys::keep(&app.services).await.unwrap();
        assert_eq!(published(&app).await.len(), 2, "a clock may be a minute off");
        clock.advance_s(61);
        keys::keep(&app.services).await.unwrap();
        assert_eq!(published(&app).await, [next]);
    }

    async fn the_schedule_rotates_by_itself_and_once(world: World) {
        let settings = [("tokens.key_rotation_days", "1"), ("sessions.idle_ttl_s", "600000")];
        let (app, clock) = on_a_clock(&world, &settings).await;
        let ambience = Ambience { clock: Arc::clone(&clock) as Arc<_>, random: Arc::new(SeededRandom::new(12)) };
        let other = world.serve_in(&settings, ambience).await;
        let first = published(&app).await;
        clock.advance_s(24 * 3_600 - 601);
        keys::keep(&app.services).await.unwrap();
        assert_eq!(published(&app).await, first);
        clock.advance_s(1);
        let (one, two) = tokio::join!(keys::keep(&app.services), keys::keep(&other.services));
        one.unwrap();
        two.unwrap();
        keys::keep(&app.services).await.unwrap();
        let both = published(&app).await;
        assert_eq!((both.len(), &both[1]), (2, &first[0]));
        clock.advance_s(600);
        assert_eq!(kid(&app.user().await.token), both[0]);
        eventually("the other node follows", Duration::from_secs(5), async || published(&other).await == both).await;
    }

    async fn a_withdrawn_key_is_dead_and_the_session_goes_on(world: World) {
        let (app, other) = (world.serve(&[]).await, world.serve(&[]).await);
        let (user, admin) = (app.user().await, app.admin().await);
        let first = kid(&user.token);
        assert_eq!((app.me_status(&user.token).await, other.me_status(&user.token).await), (200, 200));
        let withdrawn = app.delete(&format!("/api/v1/signing-keys/{first}"), &admin.token).await;
        assert_eq!(withdrawn.status(), 204);
        problem(app.get("/api/v1/me", &user.token).await, 401, "invalid_token").await;
        eventually("the other node follows", Duration::from_secs(5), async || other.me_status(&user.token).await == 401).await;
        assert!(!published(&app).await.contains(&first));
        let response = app.post("/api/v1/sessions/refresh", &json!({"refresh_token": user.refresh_token})).await;
        let body: Value = response.json().await.unwrap();
        let token = body["access_token"].as_str().unwrap();
        assert_ne!(kid(token), first);
        assert_eq!((app.me_status(token).await, other.me_status(token).await), (200, 200));
    }

    async fn another_algorithm_takes_over_in_order(world: World) {
        let (before, clock) = on_a_clock(&world, &[]).await;
        let user = before.user().await;
        drop(before);
        for (seed, algorithm) in [(21, "EdDSA"), (22, "RS256"), (23, "ES256")] {
            let ambience = Ambience { clock: Arc::clone(&clock) as Arc<_>, random: Arc::new(SeededRandom::new(seed)) };
            let app = world.serve_in(&[("tokens.algorithm", algorithm)], ambience).await;
            keys::rotate(&app.operator(), Takeover::Immediate).await.unwrap();
            clock.advance_s(1);
            let token = app.sign_in(&user.email).await.token;
            let header = URL_SAFE_NO_PAD.decode(token.split('.').next().unwrap()).unwrap();
            assert_eq!(serde_json::from_slice::<Value>(&header).unwrap()["alg"], algorithm);
            assert_eq!(app.me_status(&token).await, 200);
            assert!(published(&app).await.contains(&kid(&token)));
        }
    }

    async fn a_secret_signs_alone_and_is_published_nowhere(world: World) {
        let es256 = world.serve(&[]).await;
        let user = es256.user().await;
        let secret = "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEYq8Z2";
        let settings = [("tokens.algorithm", "HS256"), ("tokens.hs256_secret", secret)];
        let (app, other) = (world.serve(&settings).await, world.serve(&settings).await);
        assert_eq!(published(&app).await, Vec::<String>::new());
        problem(app.get("/api/v1/me", &user.token).await, 401, "invalid_token").await;
        let (admin, again) = (app.admin().await, app.sign_in(&user.email).await);
        assert_eq!((app.me_status(&again.token).await, other.me_status(&again.token).await), (200, 200));
        problem(es256.get("/api/v1/me", &again.token).await, 401, "invalid_token").await;
        let rotate = app.request(Method::POST, "/api/v1/signing-keys", Some(&admin.token)).json(&json!({})).send().await;
        problem(rotate.unwrap(), 409, "signing_by_secret").await;
    }
}
