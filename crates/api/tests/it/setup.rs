//! The first administrator: a one-time link, and the page that it opens.

use std::sync::Arc;

use denizen::app::Ambience;
use denizen_domain::setup::{self, AtStart, SetupLink};
use denizen_testkit::FakeClock;
use reqwest::{Method, Response};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::harness::{PASSWORD, TestApp, field_problem, fields_problem, on_both};
use crate::process::{Process, run_on};

async fn link(app: &TestApp) -> SetupLink {
    setup::issue(&app.operator()).await.unwrap().expect("there is no administrator")
}

fn body(token: &str, email: &str) -> Value {
    json!({"token": token, "email": email, "name": "Ada Lovelace", "password": PASSWORD})
}

async fn submit(app: &TestApp, link: &SetupLink, email: &str) -> Response {
    app.post("/account/setup", &body(link.token.expose_secret(), email)).await
}

async fn open(app: &TestApp, token: &str, language: &str) -> String {
    let request = app.request(Method::GET, &format!("/account/setup?token={token}"), None);
    let response = request.header("accept", "text/html").header("accept-language", language).send().await.unwrap();
    assert_eq!(response.headers()["cache-control"], "no-store");
    assert_eq!(response.headers()["content-type"], "text/html; charset=utf-8");
    assert!(response.headers()["content-security-policy"].to_str().unwrap().contains("default-src"));
    assert_eq!(response.status(), 200);
    response.text().await.unwrap()
}

/// Whether the page of a link has the form, on a server of its own.
async fn is_open(server: &Process, token: &str) -> bool {
    let response = server.request(Method::GET, &format!("/account/setup?token={token}"), None).send().await.unwrap();
    response.text().await.unwrap().contains("<form id=\"setup\">")
}

async fn state(app: &TestApp) -> String {
    let response = app.request(Method::GET, "/", None).header("accept", "application/json").send().await.unwrap();
    response.json::<Value>().await.unwrap()["state"].as_str().unwrap().to_owned()
}

/// The token in a line that contains a setup link.
fn token_in(text: &str) -> &str {
    let rest = text.split("/setup?token=").nth(1).unwrap_or_else(|| panic!("no link: {text}"));
    rest.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '_')).next().unwrap()
}

on_both! {
    async fn a_link_creates_the_first_administrator_once(app: TestApp) {
        assert_eq!(state(&app).await, "setup_required");
        let link = link(&app).await;
        let token = link.token.expose_secret();
        // 32 random bytes, and a prefix that scanners find.
        assert!(token.starts_with("dns_") && token.len() == 4 + 43, "{}", token.len());
        let page = open(&app, token, "de-AT, en;q=0.5").await;
        assert!(page.contains("Server einrichten") && page.contains("<html lang=\"de\">"), "{page}");
        assert!(page.contains("src=\"setup.js\"") && !page.contains(token), "{page}");
        let short = app.request(Method::GET, &format!("/setup?token={token}"), None).send().await.unwrap();
        assert_eq!((short.url().path(), short.url().query()), ("/account/setup", Some(&*format!("token={token}"))));
        assert_eq!(app.request(Method::GET, "/account/setup.js", None).send().await.unwrap().status(), 200);
        for token in ["", "dns_wrong", &format!("{token}x")] {
            let page = open(&app, token, "en").await;
            assert!(page.contains("denizen setup-link") && !page.contains("<form"), "{page}");
            field_problem(app.post("/account/setup", &body(token, "ada@example.com")).await, "token", "invalid_token").await;
        }
        let weak = json!({"token": token, "email": "ada", "name": "", "password": "short"});
        fields_problem(app.post("/account/setup", &weak).await, &[("email", "invalid_email"), ("name", "required"), ("password", "too_short")]).await;
        let more = json!({"token": token, "email": "a@example.com", "name": "A", "password": PASSWORD, "role": "user"});
        assert_eq!(app.post("/account/setup", &more).await.status(), 400, "unknown fields are refused");

        let created = submit(&app, &link, "ada@example.com").await;
        assert_eq!((created.status().as_u16(), created.headers()["cache-control"].to_str().unwrap()), (201, "no-store"));
        let user: Value = created.json().await.unwrap();
        assert_eq!((&user["role"], &user["status"], &user["email_verified"]), (&json!("admin"), &json!("active"), &json!(false)));
        let admin = app.sign_in("ada@example.com").await;
        app.services.store.seal_events().await.unwrap();
        let events = app.json("/api/v1/audit?limit=200", &admin.token).await;
        let created = events.as_array().unwrap().iter().find(|event| event["type"] == "user.created").unwrap();
        assert_eq!(created["actor"]["type"], "operator", "{events}");

        field_problem(submit(&app, &link, "eve@example.com").await, "token", "invalid_token").await;
        assert!(!open(&app, token, "en").await.contains("<form"));
        assert!(setup::issue(&app.operator()).await.unwrap().is_none(), "there is an administrator");
        assert_eq!(state(&app).await, "ready");
    }

    async fn a_new_link_replaces_the_previous_one(app: TestApp) {
        let (first, second) = (link(&app).await, link(&app).await);
        field_problem(submit(&app, &first, "eve@example.com").await, "token", "invalid_token").await;
        assert_eq!(submit(&app, &second, "ada@example.com").await.status(), 201);
    }

    async fn a_link_expires_after_a_day(world: World) {
        let clock = Arc::new(FakeClock::at(denizen_domain::time::Timestamp::from_micros(1_900_000_000_000_000)));
        let app = world.serve_in(&[], Ambience { clock: clock.clone(), ..Ambience::default() }).await;
        let link = link(&app).await;
        clock.advance_s(24 * 60 * 60);
        assert!(!open(&app, link.token.expose_secret(), "en").await.contains("<form"));
        field_problem(submit(&app, &link, "ada@example.com").await, "token", "invalid_token").await;
    }

    async fn a_link_is_refused_once_there_is_an_administrator(app: TestApp) {
        let link = link(&app).await;
        app.admin().await;
        assert!(!open(&app, link.token.expose_secret(), "en").await.contains("<form"));
        field_problem(submit(&app, &link, "eve@example.com").await, "token", "invalid_token").await;
    }

    async fn users_do_not_end_the_setup(app: TestApp) {
        let user = app.user().await;
        assert!(matches!(setup::issue_on_start(&app.services).await.unwrap(), AtStart::NotNeeded));
        let link = link(&app).await;
        // A taken address does not use the link up.
        assert_eq!(submit(&app, &link, &user.email).await.status(), 409);
        assert_eq!(submit(&app, &link, "ada@example.com").await.status(), 201);
    }

    async fn of_many_on_two_nodes_one_creates_the_administrator(world: World) {
        let nodes = [Arc::new(world.serve(&[]).await), Arc::new(world.serve(&[]).await)];
        let link = link(&nodes[0]).await;
        let mut tasks = JoinSet::new();
        for n in 0..16 {
            let (app, link) = (Arc::clone(&nodes[n % 2]), link.clone());
            tasks.spawn(async move { submit(&app, &link, &format!("user{n}@example.com")).await.status().as_u16() });
        }
        let mut statuses = tasks.join_all().await;
        statuses.sort_unstable();
        assert_eq!((statuses[0], &statuses[1..]), (201, &[400; 15][..]), "{statuses:?}");
        let listed = run_on(&world, &[], &["users", "list", "--output", "json"], "").await.json();
        assert_eq!(listed.as_array().unwrap().len(), 1);
    }

    async fn nodes_that_start_together_issue_one_link(world: World) {
        let nodes = [world.serve(&[]).await, world.serve(&[]).await];
        let (first, second) = tokio::join!(setup::issue_on_start(&nodes[0].services), setup::issue_on_start(&nodes[1].services));
        let issued: Vec<SetupLink> = [first.unwrap(), second.unwrap()]
            .into_iter()
            .filter_map(|at| if let AtStart::Issued(link) = at { Some(link) } else { None })
            .collect();
        assert_eq!(issued.len(), 1, "{issued:?}");
        assert_eq!(submit(&nodes[1], &issued[0], "ada@example.com").await.status(), 201);
    }

    async fn the_server_prints_a_link_and_the_command_another(world: World) {
        let server = Process::start(&world, &[]).await;
        crate::harness::eventually("the link is printed", std::time::Duration::from_secs(10), async || {
            server.log().contains("/setup?token=")
        })
        .await;
        assert_eq!(server.log().matches("/setup?token=").count(), 1, "{}", server.log());
        let printed = token_in(&server.log()).to_owned();
        assert!(is_open(&server, &printed).await);

        let done = run_on(&world, &[("server.public_url", "https://id.example.com/auth")], &["setup-link"], "").await;
        assert!(done.code == 0 && done.stdout.starts_with("https://id.example.com/auth/account/setup?token=dns_"), "{done:?}");
        assert!(!is_open(&server, &printed).await, "invalidated");
        let token = token_in(&done.stdout);
        let created = server.request(Method::POST, "/account/setup", None).json(&body(token, "ada@example.com")).send().await.unwrap();
        assert_eq!(created.status(), 201);
        let refused = run_on(&world, &[], &["setup-link"], "").await;
        assert!(refused.only_line(1).contains("there is an administrator already"), "{refused:?}");
        server.kill().await;
        let again = Process::start(&world, &[]).await;
        assert_eq!(again.status("/health", None).await, 200);
        assert!(!again.log().contains("/setup?token="), "{}", again.log());
    }

    async fn in_json_the_link_is_one_line_of_the_log(world: World) {
        let server = Process::start(&world, &[("telemetry.log_format", "json")]).await;
        crate::harness::eventually("the link is logged", std::time::Duration::from_secs(10), async || {
            server.log().contains("/setup?token=")
        })
        .await;
        let lines: Vec<Value> = server.log().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let texts = lines.iter().map(Value::to_string);
        let with_link: Vec<String> = texts.filter(|line| line.contains("/setup?token=")).collect();
        assert_eq!(with_link.len(), 1, "{lines:?}");
        let start = with_link[0].find("http://127.0.0.1").unwrap();
        let url = with_link[0][start..].split('"').next().unwrap();
        let page = server.client.get(url).send().await.unwrap().text().await.unwrap();
        assert!(page.contains("<form id=\"setup\">"), "{url}");
    }
}
