//! Guesses at passwords: what is counted, against whom, and who gets in all the same.

use std::sync::Arc;

use denizen::app::Ambience;
use denizen_infra::clock::SystemChance;
use denizen_testkit::FakeClock;
use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::harness::{Db, PASSWORD, SignedIn, TestApp, World, on_both, problem};

const ADDRESS: &str = "x-forwarded-for";

async fn guess(app: &TestApp, email: &str) -> u16 {
    app.try_sign_in(email, "a guess").await.status().as_u16()
}

/// Signs in with a device token.
async fn try_on_device(app: &TestApp, email: &str, password: &str, token: &str) -> Response {
    app.post("/api/v1/sessions", &json!({"email": email, "password": password, "device_token": token})).await
}

/// The device token of a sign-in.
async fn device_of(app: &TestApp, user: &SignedIn) -> String {
    let body: Value = app.try_sign_in(&user.email, PASSWORD).await.json().await.unwrap();
    let token = body["device_token"].as_str().unwrap();
    assert!(token.starts_with("dnd_"), "{token}");
    token.to_owned()
}

/// What tries from an address answer.
async fn from(app: &TestApp, address: &str, email: &str, password: &str) -> u16 {
    let body = json!({"email": email, "password": password});
    let request = app.request(Method::POST, "/api/v1/sessions", None).header(ADDRESS, address);
    request.json(&body).send().await.unwrap().status().as_u16()
}

/// A hundred wrong tries at once, over these nodes: how many were admitted.
async fn admitted_of_a_hundred(apps: &[&TestApp], email: &str) -> usize {
    let body = json!({"email": email, "password": "a guess"});
    let tries: Vec<_> = (0..100)
        .map(|n| {
            let app = apps[n % apps.len()];
            tokio::spawn(app.request(Method::POST, "/api/v1/sessions", None).json(&body).send())
        })
        .collect();
    let mut admitted = 0;
    for one in tries {
        match one.await.unwrap().unwrap().status().as_u16() {
            401 => admitted += 1,
            status => assert_eq!(status, 429),
        }
    }
    admitted
}

on_both! {
    async fn forms_of_one_mailbox_share_a_budget(app: TestApp, "limits.failures_free" = "6", "limits.failures_delay_s" = "600") {
        for form in ["ada@gmail.com", "ADA@gmail.com", "a.d.a@googlemail.com", "ada+x@gmail.com", "ada+y@ｇｍａｉｌ.com", "Ada@Gmail.COM"] {
            assert_eq!(guess(&app, form).await, 401, "{form}");
        }
        for form in ["ada@gmail.com", "ad.a+z@googlemail.com"] {
            assert_eq!(guess(&app, form).await, 429, "{form}");
        }
        assert_eq!(guess(&app, "ada@example.com").await, 401);
    }

    async fn a_client_address_has_a_budget(app: TestApp, "server.trusted_proxies" = "127.0.0.0/8",
        "limits.address_failures_free" = "4", "limits.failures_delay_s" = "600", "limits.failures_free" = "100") {
        let user = app.user().await;
        // Being right at one's own account does not clear what was wrong at others.
        for n in 0..4 {
            let host = format!("2001:db8:1:2::{n}");
            assert_eq!(from(&app, &host, &user.email, PASSWORD).await, 201);
            assert_eq!(from(&app, &host, &format!("nobody{n}@example.com"), "a guess").await, 401);
        }
        assert_eq!(from(&app, "2001:db8:1:2:ffff::1", "nobody9@example.com", "a guess").await, 429, "the same /64");
        assert_eq!(from(&app, "2001:db8:1:3::1", "nobody9@example.com", "a guess").await, 401, "another /64");
        assert_eq!(from(&app, "192.0.2.1", "nobody9@example.com", "a guess").await, 401);
        // A known device does not wait for what others do at the same address.
        let token = device_of(&app, &user).await;
        let body = json!({"email": user.email, "password": PASSWORD, "device_token": token});
        let request = app.request(Method::POST, "/api/v1/sessions", None).header(ADDRESS, "2001:db8:1:2::1");
        assert_eq!(request.json(&body).send().await.unwrap().status(), 201);
        assert_eq!(from(&app, "2001:db8:1:2::1", &user.email, PASSWORD).await, 429);
    }

    async fn a_stranger_does_not_lock_the_owner_out(app: TestApp, "limits.failures_free" = "3", "limits.failures_delay_s" = "600") {
        let user = app.user().await;
        let token = device_of(&app, &user).await;
        for _ in 0..3 {
            assert_eq!(guess(&app, &user.email).await, 401);
        }
        assert_eq!(guess(&app, &user.email).await, 429);
        assert_eq!(app.try_sign_in(&user.email, PASSWORD).await.status(), 429, "where the owner was never before");
        for _ in 0..9 {
            assert_eq!(try_on_device(&app, &user.email, PASSWORD, &token).await.status(), 201);
        }
        // It is soft for the device too, apart from all others, and being right there tells nothing of the stranger.
        assert_eq!(guess(&app, &user.email).await, 429);
        for _ in 0..3 {
            problem(try_on_device(&app, &user.email, "a guess", &token).await, 401, "invalid_credentials").await;
        }
        problem(try_on_device(&app, &user.email, PASSWORD, &token).await, 429, "too_many_requests").await;
        assert_eq!(app.me_status(&user.token).await, 200, "sessions go on");
    }

    async fn a_device_is_known_for_its_user_only_and_opens_nothing(app: TestApp, "limits.failures_free" = "3", "limits.failures_delay_s" = "600") {
        let (user, other) = (app.user().await, app.user().await);
        let token = device_of(&app, &user).await;
        let forged = format!("{}AAAA", &token[..token.len() - 4]);
        for _ in 0..3 {
            assert_eq!(guess(&app, &other.email).await, 401);
        }
        for bad in [token.as_str(), forged.as_str(), "dnd_", "nonsense", "", &user.refresh_token] {
            assert_eq!(try_on_device(&app, &other.email, PASSWORD, bad).await.status(), 429, "{bad}");
            assert_eq!(try_on_device(&app, &user.email, PASSWORD, bad).await.status(), 201, "{bad}");
        }
        assert_eq!(app.me_status(&token).await, 401);
        let refreshed = app.post("/api/v1/sessions/refresh", &json!({"refresh_token": token})).await;
        problem(refreshed, 401, "invalid_refresh_token").await;
        let refreshed = app.post("/api/v1/sessions/refresh", &json!({"refresh_token": user.refresh_token})).await;
        let body: Value = refreshed.json().await.unwrap();
        assert!(body.get("device_token").is_none(), "only a password makes a device known");
    }

    async fn a_browser_keeps_its_device_token_in_a_cookie(app: TestApp, "limits.failures_free" = "2", "limits.failures_delay_s" = "600") {
        let user = app.user().await;
        let body = json!({"email": user.email, "password": PASSWORD, "cookies": true});
        let response = app.post("/api/v1/sessions", &body).await;
        let set = response.headers().get_all("set-cookie").iter().map(|value| value.to_str().unwrap());
        let cookie = set.filter(|value| value.starts_with("__Host-denizen_device=dnd_")).collect::<Vec<_>>();
        let [cookie] = cookie[..] else { panic!("one device cookie: {cookie:?}") };
        assert!(cookie.contains("Max-Age=15552000; Path=/; HttpOnly; Secure; SameSite=Lax"), "{cookie}");
        let cookie = cookie.split(';').next().unwrap().to_owned();
        let answer: Value = response.json().await.unwrap();
        assert!(answer.get("device_token").is_none(), "{answer}");
        for _ in 0..2 {
            assert_eq!(guess(&app, &user.email).await, 401);
        }
        assert_eq!(app.post("/api/v1/sessions", &body).await.status(), 429);
        let request = app.request(Method::POST, "/api/v1/sessions", None).header("cookie", cookie);
        assert_eq!(request.json(&body).send().await.unwrap().status(), 201);
    }

    async fn waits_grow_and_are_forgotten(world: World) {
        let clock = Arc::new(FakeClock::default());
        let ambience = Ambience { clock: Arc::<FakeClock>::clone(&clock), random: Arc::new(SystemChance) };
        let app = world.serve_in(&[("limits.failures_free", "2"), ("limits.failures_delay_s", "10"), ("limits.failures_delay_max_s", "30"),
            ("limits.failures_forgotten_s", "100")], ambience).await;
        let wait = async |email: &str| {
            let response = app.try_sign_in(email, "a guess").await;
            let seconds = response.headers().get("retry-after").map(|value| value.to_str().unwrap().to_owned());
            problem(response, 429, "too_many_requests").await;
            seconds.unwrap().parse::<u32>().unwrap()
        };
        let user = app.user().await;
        for email in [user.email.as_str(), "nobody@example.com"] {
            assert_eq!((guess(&app, email).await, guess(&app, email).await), (401, 401));
            for expected in [10, 20, 30, 30] {
                assert_eq!(wait(email).await, expected, "{email}");
                clock.advance_s(expected);
                assert_eq!(guess(&app, email).await, 401, "{email}");
            }
            clock.advance_s(30 + 100);
            assert_eq!((guess(&app, email).await, guess(&app, email).await), (401, 401), "{email}: all is forgotten");
            assert_eq!(wait(email).await, 10);
            clock.advance_s(10);
        }
        assert_eq!(app.try_sign_in(&user.email, PASSWORD).await.status(), 201);
        assert_eq!((guess(&app, &user.email).await, guess(&app, &user.email).await), (401, 401), "being right forgives");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_bound_holds_over_two_nodes() {
    let world = World::new(Db::Postgres).await;
    let settings = [("limits.failures_free", "10"), ("limits.failures_delay_s", "600")];
    let (one, two) = (world.serve(&settings).await, world.serve(&settings).await);
    for email in ["nobody@example.com", &one.user().await.email] {
        assert_eq!(admitted_of_a_hundred(&[&one, &two], email).await, 10, "{email}");
    }
}
