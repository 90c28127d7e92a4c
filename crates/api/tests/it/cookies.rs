//! Cookie mode: what a browser on the same site keeps and sends, and what other sites' pages cannot make it do.

use std::sync::Arc;

use denizen::app::Ambience;
use denizen_testkit::{FakeClock, SeededRandom};
use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::browser::{ACCESS, Browser, DEVICE, REFRESH};
use crate::harness::{PASSWORD, TestApp, field_problem, on_both, problem};

const CURRENT: &str = "/api/v1/sessions/current";

fn set_cookies(response: &Response) -> Vec<String> {
    response.headers().get_all("set-cookie").iter().map(|line| line.to_str().unwrap().to_owned()).collect()
}

/// A server whose clock the test moves.
async fn on_a_clock(world: &crate::harness::World, settings: &[(&str, &str)]) -> (TestApp, Arc<FakeClock>) {
    let clock = Arc::new(FakeClock::default());
    let ambience = Ambience { clock: Arc::clone(&clock) as Arc<_>, random: Arc::new(SeededRandom::new(9)) };
    (world.serve_in(settings, ambience).await, clock)
}

on_both! {
    async fn signing_in_sets_cookies_and_shows_no_token(app: TestApp) {
        let email = app.user().await.email;
        let body = json!({"email": email, "password": PASSWORD, "cookies": true});
        let response = app.post("/api/v1/sessions", &body).await;
        assert_eq!((response.status().as_u16(), response.headers()["cache-control"].to_str().unwrap()), (201, "no-store"));
        let lines = set_cookies(&response);
        let parts: Vec<_> = lines.iter().map(|line| line.split_once('=').unwrap()).collect();
        let attributes = |line: &str| line.split_once("; ").unwrap().1.to_owned();
        assert_eq!([parts[0].0, parts[1].0, parts[2].0], [ACCESS, REFRESH, DEVICE]);
        assert_eq!(attributes(parts[0].1), "Max-Age=900; Path=/; HttpOnly; Secure; SameSite=Lax");
        assert_eq!(attributes(parts[1].1), "Max-Age=1209600; Path=/; HttpOnly; Secure; SameSite=Lax");
        assert_eq!(attributes(parts[2].1), "Max-Age=15552000; Path=/; HttpOnly; Secure; SameSite=Lax");
        assert!(parts[1].1.starts_with("dnr_") && parts[2].1.starts_with("dnd_") && lines.len() == 3);
        let text = response.text().await.unwrap();
        let values = parts.iter().map(|(_, rest)| rest.split(';').next().unwrap());
        values.for_each(|value| assert!(!text.contains(value), "{value} is where scripts can read it"));
        let body: Value = serde_json::from_str(&text).unwrap();
        let mut names: Vec<_> = body.as_object().unwrap().keys().collect();
        names.sort();
        assert_eq!(names, ["csrf_token", "expires_in", "session_id", "user"]);
    }

    async fn bearer_mode_sets_no_cookie(app: TestApp) {
        let user = app.user().await;
        for cookies in [json!({"email": user.email, "password": PASSWORD}), json!({"email": user.email, "password": PASSWORD, "cookies": false})] {
            let response = app.post("/api/v1/sessions", &cookies).await;
            assert_eq!((response.status().as_u16(), set_cookies(&response).len()), (201, 0));
        }
        let response = app.post("/api/v1/sessions/refresh", &json!({"refresh_token": user.refresh_token})).await;
        assert_eq!((response.status().as_u16(), set_cookies(&response).len()), (200, 0));
        let response = app.delete(CURRENT, &user.token).await;
        assert_eq!((response.status().as_u16(), set_cookies(&response).len()), (204, 0));
    }

    async fn a_device_may_have_a_label(app: TestApp) {
        let email = app.user().await.email;
        let sign_in = async |label: Value| app.post("/api/v1/sessions", &json!({"email": email, "password": PASSWORD, "label": label})).await;
        assert_eq!(sign_in(json!("Ada's laptop")).await.status(), 201);
        assert_eq!(sign_in(Value::Null).await.status(), 201);
        field_problem(sign_in(json!("x".repeat(201))).await, "label", "too_long").await;
        field_problem(sign_in(json!("")).await, "label", "required").await;
        field_problem(sign_in(json!("a\u{202e}b")).await, "label", "invalid_characters").await;
    }

    async fn a_page_reads_by_its_cookies_and_gets_the_csrf_token_again(app: TestApp) {
        let user = app.user().await;
        let browser = Browser::signed_in(&app, &user.email).await;
        let response = browser.me(&app).await;
        assert_eq!(response.status(), 200);
        let me: Value = response.json().await.unwrap();
        assert_eq!((&me["id"], me["csrf_token"].as_str().unwrap()), (&json!(user.id), browser.token().as_str()));
        assert_eq!(app.json("/api/v1/me", &user.token).await.get("csrf_token"), None, "a bearer needs none");
    }

    async fn a_page_gets_its_csrf_token_back_when_the_access_token_has_expired(world: World) {
        let (app, clock) = on_a_clock(&world, &[("sessions.access_ttl_s", "60")]).await;
        let email = app.user().await.email;
        let browser = Browser::signed_in(&app, &email).await;
        clock.advance_s(180);
        browser.forget(ACCESS);
        let known = std::mem::take(&mut *browser.csrf_token.lock().unwrap());
        let path = "/api/v1/sessions/csrf-token";
        let response = browser.send(&app, Method::GET, path, None, &[]).await;
        assert_eq!((response.status().as_u16(), response.headers()["cache-control"].to_str().unwrap()), (200, "no-store"));
        browser.keep_token(response).await;
        assert_eq!(browser.token(), known);
        assert_eq!(browser.refresh(&app).await.status(), 200);
        problem(Browser::default().send(&app, Method::GET, path, None, &[]).await, 401, "unauthenticated").await;
        let forged = format!("{REFRESH}=dnr_x");
        let response = Browser::default().send(&app, Method::GET, path, None, &[("cookie", &forged)]).await;
        problem(response, 401, "invalid_refresh_token").await;
    }

    async fn a_change_needs_the_csrf_token_of_the_session(app: TestApp) {
        let user = app.user().await;
        let (browser, other) = (Browser::signed_in(&app, &user.email).await, Browser::signed_in(&app, &user.email).await);
        let body = json!({"name": "Changed"});
        let good = browser.token();
        let bent = format!("{}{}", if good.starts_with('A') { "B" } else { "A" }, &good[1..]);
        for token in ["", "x", &bent, &good[..good.len() - 1], &format!("{good}A"), &other.token(), "AAAA"] {
            let response = browser.send(&app, Method::PATCH, &user.path(), Some(&body), &[("x-csrf-token", token)]).await;
            problem(response, 403, "csrf_failed").await;
        }
        for (method, path) in [(Method::PATCH, user.path()), (Method::DELETE, user.path()), (Method::DELETE, CURRENT.to_owned()),
            (Method::PUT, "/api/v1/me/password".to_owned()), (Method::POST, "/api/v1/users/import".to_owned())] {
            problem(browser.send(&app, method, &path, Some(&body), &[]).await, 403, "csrf_failed").await;
        }
        assert_eq!(browser.change(&app, Method::PATCH, &user.path(), Some(&body)).await.status(), 200);
        assert_eq!(app.json("/api/v1/me", &user.token).await["name"], "Changed");
    }

    async fn a_change_comes_from_a_page_of_ours(app: TestApp, "server.cors_origins" = "https://app.example.com") {
        let user = app.user().await;
        let browser = Browser::signed_in(&app, &user.email).await;
        let (token, body) = (browser.token(), json!({"name": "Changed"}));
        let own = app.url.clone();
        let change = async |more: &[(&str, &str)]| {
            let headers = [&[("x-csrf-token", token.as_str())], more].concat();
            browser.send(&app, Method::PATCH, &user.path(), Some(&body), &headers).await
        };
        for more in [
            vec![("origin", own.as_str()), ("sec-fetch-site", "same-origin")], vec![("origin", "https://app.example.com"), ("sec-fetch-site", "same-site")],
            vec![("sec-fetch-site", "none")], vec![("origin", own.as_str())], vec![],
        ] {
            assert_eq!(change(&more).await.status(), 200, "{more:?}");
        }
        for more in [
            vec![("sec-fetch-site", "cross-site")], vec![("sec-fetch-site", "")], vec![("sec-fetch-site", "Same-Origin")],
            vec![("origin", "https://evil.example")], vec![("origin", "null")], vec![("origin", "")], vec![("origin", "https://app.example.com.evil.example")],
            vec![("origin", "http://app.example.com")], vec![("origin", own.as_str()), ("sec-fetch-site", "cross-site")],
            vec![("origin", own.as_str()), ("origin", "https://evil.example")],
        ] {
            problem(change(&more).await, 403, "csrf_failed").await;
        }
    }

    async fn a_page_of_another_site_signs_nobody_in(app: TestApp) {
        let email = app.user().await.email;
        let sign_in = async |cookies: bool, name: &str, value: &str| {
            let body = json!({"email": email, "password": PASSWORD, "cookies": cookies});
            app.request(Method::POST, "/api/v1/sessions", None).json(&body).header(name, value).send().await.unwrap()
        };
        for (name, value) in [("sec-fetch-site", "cross-site"), ("origin", "https://evil.example"), ("origin", "null")] {
            let response = sign_in(true, name, value).await;
            assert!(set_cookies(&response).is_empty());
            problem(response, 403, "csrf_failed").await;
            assert_eq!(sign_in(false, name, value).await.status(), 201, "tokens in a body are the page's own affair");
        }
    }

    async fn a_bearer_wins_over_cookies_and_needs_no_csrf_token(app: TestApp) {
        let (user, other) = (app.user().await, app.user().await);
        let browser = Browser::signed_in(&app, &other.email).await;
        let bearer = format!("Bearer {}", user.token);
        let headers = [("authorization", bearer.as_str()), ("sec-fetch-site", "cross-site")];
        let me = browser.send(&app, Method::GET, "/api/v1/me", None, &headers).await;
        assert_eq!(me.json::<Value>().await.unwrap()["id"], user.id.as_str());
        let body = json!({"name": "Changed"});
        assert_eq!(browser.send(&app, Method::PATCH, &user.path(), Some(&body), &headers).await.status(), 200);
        let stale = browser.send(&app, Method::GET, "/api/v1/me", None, &[("authorization", "Bearer stale")]).await;
        problem(stale, 401, "invalid_token").await;
        let out = browser.send(&app, Method::DELETE, CURRENT, None, &headers).await;
        assert_eq!((out.status().as_u16(), set_cookies(&out).len()), (204, 0));
        assert_eq!(app.me_status(&user.token).await, 401);
        assert_eq!(browser.me(&app).await.status(), 200, "the session of the cookies goes on");
    }

    async fn signing_out_takes_the_cookies_away(app: TestApp) {
        let email = app.user().await.email;
        let browser = Browser::signed_in(&app, &email).await;
        let (access, refresh) = (browser.value(ACCESS), browser.value(REFRESH));
        let response = browser.change(&app, Method::DELETE, CURRENT, None).await;
        assert_eq!(response.status(), 204);
        assert_eq!(set_cookies(&response), [
            format!("{ACCESS}=; Max-Age=0; Path=/; HttpOnly; Secure; SameSite=Lax"),
            format!("{REFRESH}=; Max-Age=0; Path=/; HttpOnly; Secure; SameSite=Lax"),
        ]);
        assert_eq!(browser.names(), [DEVICE], "it opens nothing, and keeps the device known");
        assert_eq!(app.me_status(&access).await, 401);
        let late = app.post("/api/v1/sessions/refresh", &json!({"refresh_token": refresh})).await;
        problem(late, 401, "invalid_refresh_token").await;
        problem(browser.me(&app).await, 401, "unauthenticated").await;
    }

    async fn a_session_goes_on_by_its_refresh_cookie(app: TestApp) {
        let email = app.user().await.email;
        let browser = Browser::signed_in(&app, &email).await;
        let before = browser.value(REFRESH);
        for headers in [vec![], vec![("x-csrf-token", "x")]] {
            let response = browser.send(&app, Method::POST, "/api/v1/sessions/refresh", Some(&json!({})), &headers).await;
            problem(response, 403, "csrf_failed").await;
        }
        let token = browser.token();
        let headers = [("x-csrf-token", token.as_str()), ("origin", "https://evil.example")];
        let response = browser.send(&app, Method::POST, "/api/v1/sessions/refresh", Some(&json!({})), &headers).await;
        problem(response, 403, "csrf_failed").await;
        let response = browser.refresh(&app).await;
        assert_eq!((response.status().as_u16(), set_cookies(&response).len()), (200, 2));
        let body = browser.keep_token(response).await;
        assert_eq!((body.get("access_token"), body.get("refresh_token")), (None, None));
        assert_eq!(browser.token(), token, "one token for one session");
        assert_ne!(browser.value(REFRESH), before);
        assert_eq!(browser.me(&app).await.status(), 200);
        field_problem(app.post("/api/v1/sessions/refresh", &json!({})).await, "refresh_token", "required").await;
    }

    async fn the_refresh_cookie_outlives_the_access_token(world: World) {
        let (app, clock) = on_a_clock(&world, &[("sessions.access_ttl_s", "60")]).await;
        let email = app.user().await.email;
        let browser = Browser::signed_in(&app, &email).await;
        clock.advance_s(180);
        problem(browser.me(&app).await, 401, "invalid_token").await;
        assert_eq!(browser.refresh(&app).await.status(), 200);
        assert_eq!(browser.me(&app).await.status(), 200);
        clock.advance_s(180);
        let response = browser.send(&app, Method::DELETE, CURRENT, None, &[]).await;
        problem(response, 403, "csrf_failed").await;
        browser.forget(ACCESS);
        let refresh = browser.value(REFRESH);
        assert_eq!(browser.change(&app, Method::DELETE, CURRENT, None).await.status(), 204);
        assert_eq!(browser.names(), [DEVICE]);
        let late = app.post("/api/v1/sessions/refresh", &json!({"refresh_token": refresh})).await;
        problem(late, 401, "invalid_refresh_token").await;
    }

    async fn no_cookie_outlives_its_session(world: World) {
        let settings = [("sessions.access_ttl_s", "60"), ("sessions.idle_ttl_s", "100"), ("sessions.absolute_ttl_s", "150")];
        let (app, clock) = on_a_clock(&world, &settings).await;
        let email = app.user().await.email;
        let browser = Browser::signed_in(&app, &email).await;
        clock.advance_s(95);
        let lines = set_cookies(&browser.refresh(&app).await);
        assert!(lines[0].contains("; Max-Age=55; ") && lines[1].contains("; Max-Age=55; "), "{lines:?}");
    }

    async fn two_tabs_that_refresh_at_once_both_live(app: TestApp) {
        let email = app.user().await.email;
        let browser = Browser::signed_in(&app, &email).await;
        let (one, two) = tokio::join!(browser.refresh(&app), browser.refresh(&app));
        assert_eq!((one.status().as_u16(), two.status().as_u16()), (200, 200));
        let refresh_of = |response: &Response| set_cookies(response)[1].clone();
        assert_eq!(refresh_of(&one), refresh_of(&two), "the same parent has the same child");
        assert_eq!(browser.me(&app).await.status(), 200);
        assert_eq!(browser.refresh(&app).await.status(), 200);
        assert_eq!(browser.me(&app).await.status(), 200);
    }

    async fn a_stale_cookie_stands_in_nobodys_way(app: TestApp) {
        let user = app.user().await;
        let browser = Browser::signed_in(&app, &user.email).await;
        let (access, refresh) = (browser.value(ACCESS), browser.value(REFRESH));
        assert_eq!(app.delete(CURRENT, &access).await.status(), 204);
        for cookie in [format!("{ACCESS}={access}; {REFRESH}={refresh}"), format!("{ACCESS}=x"), format!("{ACCESS}={refresh}")] {
            let stale = [("cookie", cookie.as_str())];
            let nobody = Browser::default();
            let sign_up = json!({"email": app.fresh_email(), "password": PASSWORD, "name": "New"});
            assert_eq!(nobody.send(&app, Method::POST, "/api/v1/users", Some(&sign_up), &stale).await.status(), 201);
            let sign_in = json!({"email": user.email, "password": PASSWORD, "cookies": true});
            assert_eq!(nobody.send(&app, Method::POST, "/api/v1/sessions", Some(&sign_in), &stale).await.status(), 201);
            let refresh = json!({"refresh_token": app.user().await.refresh_token});
            assert_eq!(Browser::default().send(&app, Method::POST, "/api/v1/sessions/refresh", Some(&refresh), &stale).await.status(), 200);
            let nobody = Browser::default();
            for (method, path) in [(Method::GET, "/api/v1/me"), (Method::GET, "/api/v1/users"), (Method::GET, "/api/v1/users/export"), (Method::DELETE, "/api/v1/users/019365a8-6a5c-7f3e-9d0c-7b1f0a1c2d3e")] {
                problem(nobody.send(&app, method, path, None, &stale).await, 401, "invalid_token").await;
            }
        }
        problem(browser.refresh(&app).await, 401, "invalid_refresh_token").await;
    }

    async fn only_sessions_live_in_cookies(app: TestApp) {
        let program = crate::oauth2::Program::create(&app, "users:read").await;
        let token = program.token(&app, "users:read").await;
        for value in [&program.secret, &token] {
            let cookie = format!("{ACCESS}={value}");
            let response = Browser::default().send(&app, Method::GET, "/api/v1/users", None, &[("cookie", &cookie)]).await;
            problem(response, 401, "invalid_token").await;
        }
    }

    async fn a_key_of_idempotency_replays_cookies_to_nobody(app: TestApp) {
        let email = app.user().await.email;
        let key = ("idempotency-key", "the-same");
        let body = json!({"email": email, "password": PASSWORD, "cookies": true});
        let mut seen = Vec::new();
        for _ in 0..2 {
            let browser = Browser::default();
            let signed_in = browser.send(&app, Method::POST, "/api/v1/sessions", Some(&body), &[key]).await;
            let token = signed_in.headers().get_all("set-cookie").iter().count();
            assert_eq!((signed_in.status().as_u16(), token), (201, 3));
            assert!(!signed_in.headers().contains_key("idempotency-replayed"));
            seen.push(set_cookies(&signed_in));
        }
        assert_ne!(seen[0], seen[1], "a session each");

        // From another page's origin the same key gets nothing.
        let evil = [key, ("origin", "https://evil.example")];
        let response = Browser::default().send(&app, Method::POST, "/api/v1/sessions", Some(&body), &evil).await;
        problem(response, 403, "csrf_failed").await;
    }

    async fn a_refused_csrf_token_is_not_kept_for_a_repetition(app: TestApp) {
        let email = app.user().await.email;
        let browser = Browser::signed_in(&app, &email).await;
        let good = browser.token();
        for (token, status) in [("x", 403), (good.as_str(), 200)] {
            let headers = [("x-csrf-token", token), ("idempotency-key", "key")];
            let response = browser.send(&app, Method::POST, "/api/v1/sessions/refresh", Some(&json!({})), &headers).await;
            assert_eq!(response.status(), status);
        }
    }

    async fn pages_of_configured_origins_may_send_cookies(app: TestApp, "server.cors_origins" = "https://app.example.com") {
        let asked = [("origin", "https://app.example.com"), ("access-control-request-method", "POST"), ("access-control-request-headers", "content-type,x-csrf-token")];
        let response = Browser::default().send(&app, Method::OPTIONS, "/api/v1/sessions", None, &asked).await;
        assert_eq!(response.headers()["access-control-allow-credentials"], "true");
        assert!(response.headers()["access-control-allow-headers"].to_str().unwrap().contains("x-csrf-token"));
        let response = Browser::default().send(&app, Method::GET, "/health", None, &[("origin", "https://evil.example")]).await;
        assert!(!response.headers().contains_key("access-control-allow-origin"));
    }
}
