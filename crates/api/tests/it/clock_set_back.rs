//! The clock of the server is set back by two hours, or jumps forward and back again: no client, mail or webhook waits
//! longer than its documented bound, and sign-ins go on.

use std::sync::Arc;
use std::time::Duration;

use denizen::app::Ambience;
use denizen_domain::ports::Clock;
use denizen_domain::time::Timestamp;
use denizen_domain::{keys, mail, webhooks};
use denizen_infra::clock::SystemChance;
use denizen_testkit::FakeClock;
use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::harness::{PASSWORD, SignedIn, TestApp, World, eventually, on_both, problem};
use crate::totp::Authenticator;
use crate::webhook_sinks::{Mood, Sink};

const TWO_HOURS_US: i64 = 2 * 60 * 60 * 1_000_000;
const SOON: Duration = Duration::from_secs(20);
/// The longest wait after failed sign-ins, in seconds.
const WAIT_MAX_S: u32 = 900;
/// Rates would count what a test does under a clock that stands still. One test is about them.
const NO_RATES: [(&str, &str); 2] = [("limits.address_per_second", "0"), ("limits.account_writes_per_minute", "0")];

/// A server whose clock stands still until it is moved.
struct Stage {
    app: TestApp,
    clock: Arc<FakeClock>,
}

impl Stage {
    async fn set(world: &World, settings: &[(&str, &str)]) -> Self {
        let clock = Arc::new(FakeClock::default());
        Self { app: serve(world, settings, &clock).await, clock }
    }

    fn set_back(&self) {
        self.clock.advance_us(-TWO_HOURS_US);
    }

    fn set_forward(&self) {
        self.clock.advance_us(TWO_HOURS_US);
    }

    async fn guess(&self, email: &str) -> Response {
        self.app.try_sign_in(email, "a guess").await
    }

    /// Fails at an account until it is blocked.
    async fn block(&self, email: &str, free: u32) {
        for _ in 0..free {
            problem(self.guess(email).await, 401, "invalid_credentials").await;
        }
        assert_eq!(wait_s(self.guess(email).await).await, WAIT_MAX_S);
    }
}

async fn serve(world: &World, settings: &[(&str, &str)], clock: &Arc<FakeClock>) -> TestApp {
    let clock = Arc::clone(clock) as Arc<dyn Clock>;
    // What a test sets itself comes later, and counts.
    world.serve_in(&[&NO_RATES[..], settings].concat(), Ambience { clock, random: Arc::new(SystemChance) }).await
}

/// How long a refused client is asked to wait.
async fn wait_s(response: Response) -> u32 {
    let seconds = response.headers().get("retry-after").map(|value| value.to_str().unwrap().parse().unwrap());
    problem(response, 429, "too_many_requests").await;
    seconds.unwrap()
}

async fn from(app: &TestApp, address: &str, path: &str, body: &Value) -> Response {
    let request = app.request(Method::POST, path, None).header("x-forwarded-for", address);
    request.json(body).send().await.unwrap()
}

async fn rename(app: &TestApp, user: &SignedIn, name: &str) -> Response {
    app.patch(&user.path(), &user.token, &json!({"name": name})).await
}

async fn refresh(app: &TestApp, token: &str) -> Response {
    app.post("/api/v1/sessions/refresh", &json!({"refresh_token": token})).await
}

/// The access token and the refresh token of an answer.
async fn tokens(response: Response, status: u16) -> (String, String) {
    assert_eq!(response.status().as_u16(), status);
    let body: Value = response.json().await.unwrap();
    let token = |name: &str| body[name].as_str().unwrap().to_owned();
    (token("access_token"), token("refresh_token"))
}

async fn published(app: &TestApp) -> usize {
    let response = app.request(Method::GET, "/.well-known/jwks.json", None).send().await.unwrap();
    response.json::<Value>().await.unwrap()["keys"].as_array().unwrap().len()
}

async fn finish(app: &TestApp, challenge: &str, code: &str) -> Response {
    app.post(&format!("/api/v1/sessions/challenges/{challenge}"), &json!({"code": code})).await
}

on_both! {
    async fn the_wait_after_failed_sign_ins_is_bounded(world: World) {
        let settings = [("limits.failures_free", "3"), ("limits.failures_delay_s", "900"), ("limits.address_failures_free", "8")];
        let stage = Stage::set(&world, &settings).await;
        let owner = stage.app.user().await;
        // At an account that exists and at one that does not; both set the clock back, and one forward before.
        stage.block(&owner.email, 3).await;
        stage.set_back();
        let wait = wait_s(stage.guess(&owner.email).await).await;
        assert!((1..=WAIT_MAX_S).contains(&wait), "{wait} s");
        stage.clock.advance_s(wait);
        assert_eq!(stage.app.try_sign_in(&owner.email, PASSWORD).await.status(), 201);

        stage.set_forward();
        stage.block("nobody@example.com", 3).await;
        stage.set_back();
        let wait = wait_s(stage.guess("nobody@example.com").await).await;
        assert!((1..=WAIT_MAX_S).contains(&wait), "{wait} s");
        stage.clock.advance_s(wait);
        problem(stage.guess("nobody@example.com").await, 401, "invalid_credentials").await;

        // The client address is blocked as well by now: its wait ends too.
        for n in 0..9 {
            let response = stage.guess(&format!("nobody{n}@example.com")).await;
            if response.status() == 429 {
                break;
            }
            assert!(n < 8, "the client address is not blocked");
        }
        stage.set_back();
        let wait = wait_s(stage.guess("nobody10@example.com").await).await;
        assert!((1..=WAIT_MAX_S).contains(&wait), "{wait} s");
        stage.clock.advance_s(wait);
        problem(stage.guess("nobody10@example.com").await, 401, "invalid_credentials").await;
    }

    async fn the_rate_of_a_client_address_holds_it_for_its_window(world: World) {
        let settings = [
            ("server.trusted_proxies", "127.0.0.0/8"), ("limits.address_per_second", "1"), ("limits.address_burst", "40"),
        ];
        let stage = Stage::set(&world, &settings).await;
        let app = &stage.app;
        let ask = async |address: &str| from(app, address, "/api/v1/password-resets", &json!({"email": "no-address"})).await;
        for _ in 0..40 {
            assert_eq!(ask("192.0.2.1").await.status(), 400);
        }
        assert_eq!(wait_s(ask("192.0.2.1").await).await, 1);
        stage.set_back();
        assert_eq!(wait_s(ask("192.0.2.1").await).await, 1);
        stage.clock.advance_s(1);
        assert_eq!(ask("192.0.2.1").await.status(), 400);
        stage.set_forward();
        assert_eq!(ask("192.0.2.1").await.status(), 400);
    }

    async fn the_rates_of_an_account_and_of_mail_hold_for_their_window(world: World) {
        let settings = [
            ("server.trusted_proxies", "127.0.0.0/8"), ("limits.account_writes_per_minute", "2"),
            ("limits.mail_requests_per_hour", "2"), ("limits.mails_per_hour", "1"),
        ];
        let stage = Stage::set(&world, &settings).await;
        let app = &stage.app;
        let user = app.user().await;
        for n in 0..4 {
            assert_eq!(rename(app, &user, &format!("Name {n}")).await.status(), 200);
        }
        assert_eq!(wait_s(rename(app, &user, "Another").await).await, 30);
        stage.set_back();
        assert_eq!(wait_s(rename(app, &user, "Another").await).await, 30);
        stage.clock.advance_s(30);
        assert_eq!(rename(app, &user, "Another").await.status(), 200);
        stage.set_forward();

        // Mail: of the client, and to the mailbox.
        let reset = async || from(app, "192.0.2.2", "/api/v1/password-resets", &json!({"email": user.email})).await;
        assert_eq!((reset().await.status(), reset().await.status()), (202.try_into().unwrap(), 202.try_into().unwrap()));
        assert!(wait_s(reset().await).await <= 3_600);
        app.tokens_to(&user.email, "reset-password", 1).await;
        stage.set_back();
        assert_eq!(reset().await.status(), 202);
        app.tokens_to(&user.email, "reset-password", 2).await;
    }

    async fn mail_and_webhooks_that_were_due_go_out(world: World) {
        let settings = [
            ("mail.request_delay_ms", "5000"), ("webhooks.allowed_hosts", "127.0.0.1"), ("webhooks.retry_first_ms", "600000"),
        ];
        let stage = Stage::set(&world, &settings).await;
        let app = &stage.app;
        let (user, admin) = (app.user().await, app.admin().await);
        let sink = Sink::that_chooses(|came, _| Mood::Answer(if came.is_empty() { 503 } else { 200 }, "")).await;
        let hook = json!({"url": sink.url, "types": ["user.updated"]});
        let response = app.post_as("/api/v1/webhooks", &admin.token, &hook).await;
        let path = response.headers()["location"].to_str().unwrap().to_owned();
        assert_eq!(rename(app, &user, "Another").await.status(), 200);
        let failed = format!("{path}/deliveries?state=pending");
        eventually("an attempt that failed", SOON, async || {
            app.json(&failed, &admin.token).await[0]["last_status"] == json!(503)
        }).await;
        assert_eq!(app.post("/api/v1/password-resets", &json!({"email": user.email})).await.status(), 202);

        // What the server does once a minute.
        stage.set_back();
        mail::hasten(&app.services).await.unwrap();
        webhooks::hasten(&app.services).await.unwrap();
        // The mail was due within moments; a delay of at most seconds begins again when the mail is looked into.
        eventually("the mail that was due", SOON, async || {
            stage.clock.advance_us(100_000);
            app.tokens_so_far(&user.email, "reset-password").len() == 1
        }).await;
        eventually("the delivery that was due", SOON, async || sink.taken_types() == ["user.updated"]).await;

        // What happens from now on is not held up either.
        assert_eq!(rename(app, &user, "Yet another").await.status(), 200);
        eventually("a delivery under the earlier clock", SOON, async || sink.taken_types().len() == 2).await;
        stage.set_forward();
        assert_eq!(rename(app, &user, "One more").await.status(), 200);
        eventually("a delivery under the later clock", SOON, async || sink.taken_types().len() == 3).await;
    }

    async fn sessions_refresh_and_step_ups_go_on(world: World) {
        let stage = Stage::set(&world, &[]).await;
        let app = &stage.app;
        let other = serve(&world, &[], &stage.clock).await;
        let user = app.user().await;
        let (_, before) = tokens(refresh(app, &user.refresh_token).await, 200).await;
        stage.set_back();
        let (access, next) = tokens(refresh(app, &before).await, 200).await;
        let (again, _) = tokens(refresh(app, &before).await, 200).await;
        for token in [&access, &again] {
            assert_eq!((app.me_status(token).await, other.me_status(token).await), (200, 200));
        }
        // A proof from the future is none: it would be recent for two hours more than it may be.
        let change = async |email: &str| app.post_as("/api/v1/email-changes", &access, &json!({"email": email})).await;
        problem(change("new@example.com").await, 403, "step_up_required").await;
        let step_up = app.post_as("/api/v1/sessions/current/step-up", &access, &json!({"password": PASSWORD})).await;
        assert_eq!(step_up.status(), 204);
        assert_eq!(change("new@example.com").await.status(), 202);

        // A session of the earlier clock goes on under the later one, and ends by a sign-out.
        stage.set_forward();
        problem(app.get("/api/v1/me", &access).await, 401, "invalid_token").await;
        let (access, last) = tokens(refresh(&other, &next).await, 200).await;
        assert_eq!(app.delete("/api/v1/sessions/current", &access).await.status(), 204);
        stage.set_back();
        problem(refresh(app, &last).await, 401, "invalid_refresh_token").await;
        problem(app.get("/api/v1/me", &access).await, 401, "invalid_token").await;
        assert_eq!(app.sign_in(&user.email).await.id, user.id);
    }

    async fn devices_that_were_known_before_are_forgotten(world: World) {
        let stage = Stage::set(&world, &[("limits.failures_free", "3"), ("limits.failures_delay_s", "900")]).await;
        let app = &stage.app;
        let user = app.user().await;
        let signed_in: Value = app.try_sign_in(&user.email, PASSWORD).await.json().await.unwrap();
        let on_device = json!({"email": user.email, "password": PASSWORD, "device_token": signed_in["device_token"]});
        stage.set_back();
        let (access, _) = tokens(refresh(app, &user.refresh_token).await, 200).await;
        assert_eq!(app.delete("/api/v1/sessions", &access).await.status(), 200);
        // Neither a sign-in under the earlier clock nor another end of all sessions makes it known again.
        let again = app.sign_in(&user.email).await;
        assert_eq!(app.delete("/api/v1/sessions", &again.token).await.status(), 200);
        stage.set_forward();
        stage.block(&user.email, 3).await;
        assert_eq!(wait_s(app.post("/api/v1/sessions", &on_device).await).await, WAIT_MAX_S);
    }

    async fn codes_and_links_are_good_once(world: World) {
        let stage = Stage::set(&world, &[("sign_in.mailed_codes", "true"), ("sign_in.magic_links", "true")]).await;
        let app = &stage.app;
        let user = app.user().await;
        // The first proof of the address would end the other one.
        let token = app.token_to(&user.email, "verify-email").await;
        let body = json!({"token": token, "password": PASSWORD});
        assert_eq!(app.post("/api/v1/email-verifications/confirm", &body).await.status(), 204);
        for moved_us in [-TWO_HOURS_US, TWO_HOURS_US] {
            let asked = app.letters_to(&user.email).len();
            let response = app.post("/api/v1/sessions/codes", &json!({"email": user.email})).await;
            let body: Value = response.json().await.unwrap();
            let challenge = body["challenge_id"].as_str().unwrap();
            // Mails are sorted by when they were written, so those under the earlier clock come first.
            let code = app.codes_to(&user.email, usize::from(moved_us > 0) + 1).await.remove(0);
            assert_eq!(app.post("/api/v1/sessions/magic-links", &json!({"email": user.email})).await.status(), 202);
            eventually("a link", SOON, async || app.letters_to(&user.email).len() >= asked + 2).await;
            let link = app.tokens_so_far(&user.email, "sign-in").remove(0);
            let follow = async || app.post("/api/v1/sessions/magic-links/confirm", &json!({"token": link})).await;

            stage.clock.advance_us(moved_us);
            let expected = if moved_us < 0 { 201 } else { 401 };
            assert_eq!(finish(app, challenge, &code).await.status(), expected, "moved by {moved_us} µs");
            assert_eq!(follow().await.status().is_success(), moved_us < 0, "moved by {moved_us} µs");
            assert_eq!(finish(app, challenge, &code).await.status(), 401, "it is used up or over");
            assert!(!follow().await.status().is_success(), "it is used up or over");
        }
    }

    async fn a_time_based_code_is_good_once(world: World) {
        let stage = Stage::set(&world, &[]).await;
        let app = &stage.app;
        let user = app.user().await;
        let made: Value = app.post_as("/api/v1/me/totp", &user.token, &json!({})).await.json().await.unwrap();
        let phone = Authenticator::scan(made["uri"].as_str().unwrap());
        let code = phone.code(stage.clock.now());
        let response = app.post_as("/api/v1/me/totp/confirm", &user.token, &json!({"code": code})).await;
        let recovery = response.json::<Value>().await.unwrap()["recovery_codes"][0].as_str().unwrap().to_owned();
        let challenge = async || {
            let body: Value = app.try_sign_in(&user.email, PASSWORD).await.json().await.unwrap();
            body["challenge_id"].as_str().unwrap().to_owned()
        };
        // The phone knows the time; the server does not for a while.
        let now: Timestamp = stage.clock.now();
        stage.set_back();
        problem(finish(app, &challenge().await, &phone.code(now)).await, 401, "invalid_code").await;
        assert_eq!(finish(app, &challenge().await, &recovery).await.status(), 201);
        problem(finish(app, &challenge().await, &recovery).await, 401, "invalid_code").await;
        stage.set_forward();
        problem(finish(app, &challenge().await, &code).await, 401, "invalid_code").await;
        stage.clock.advance_s(30);
        let next = phone.code(stage.clock.now());
        assert_eq!(finish(app, &challenge().await, &next).await.status(), 201);
        problem(finish(app, &challenge().await, &next).await, 401, "invalid_code").await;
    }

    async fn sign_ins_go_on_before_the_first_signing_key_is_active(world: World) {
        let stage = Stage::set(&world, &[]).await;
        let user = stage.app.user().await;
        for (back_us, accepted_by_others) in [(2_000_000, true), (TWO_HOURS_US, false)] {
            let behind = Arc::new(FakeClock::at(stage.clock.now()));
            behind.advance_us(-back_us);
            let app = serve(&world, &[], &behind).await;
            let token = app.sign_in(&user.email).await.token;
            assert_eq!(app.me_status(&token).await, 200, "{back_us} µs before the first key");
            let elsewhere = stage.app.me_status(&token).await;
            // Beyond its lifetime it has expired where the clock is right.
            assert_eq!(elsewhere == 200, accepted_by_others, "{back_us} µs before the first key: {elsewhere}");
            assert_eq!(published(&app).await, 1, "no key was added");
        }
    }

    async fn signing_goes_on_after_a_jump_over_a_rotation_and_back(world: World) {
        let settings = [("tokens.key_rotation_days", "1"), ("sessions.idle_ttl_s", "600000")];
        let stage = Stage::set(&world, &settings).await;
        let app = &stage.app;
        let user = app.user().await;
        // The next key is announced, takes over, and the first one is removed.
        let jump_s = 2 * 24 * 60 * 60;
        stage.clock.advance_s(jump_s);
        keys::keep(&app.services).await.unwrap();
        stage.clock.advance_s(601);
        assert_eq!(app.sign_in(&user.email).await.id, user.id);
        stage.clock.advance_s(961);
        keys::keep(&app.services).await.unwrap();
        assert_eq!(published(app).await, 1);

        stage.clock.advance_us(-i64::from(jump_s) * 1_000_000);
        for _ in 0..2 {
            keys::keep(&app.services).await.unwrap();
            let token = app.sign_in(&user.email).await.token;
            assert_eq!(app.me_status(&token).await, 200);
        }
        assert_eq!(published(app).await, 1, "no key is added for each time that the keys are looked after");
        let restarted = serve(&world, &settings, &stage.clock).await;
        let token = restarted.sign_in(&user.email).await.token;
        assert_eq!((restarted.me_status(&token).await, app.me_status(&token).await), (200, 200));
        let (_, refreshed) = tokens(refresh(&restarted, &user.refresh_token).await, 200).await;
        assert_eq!(refresh(app, &refreshed).await.status(), 200);
    }
}
