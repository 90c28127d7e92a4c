//! `examples/signin`: the same code as in the documentation, and it works.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::Router;
use axum::response::IntoResponse;
use axum::routing::get;
use denizen::app::Ambience;
use denizen_domain::ports::Clock;
use denizen_infra::clock::{SystemChance, SystemClock};
use denizen_testkit::FakeClock;
use http::header::CONTENT_TYPE;
use tokio::net::TcpListener;

use super::driver::{Page, Touch, Verification};
use super::signed_in;
use crate::harness::{Db, PASSWORD, TestApp, World};
use crate::providers::{ada, issuer::Issuer};

/// The server that the example calls.
const API_ORIGIN: &str = "http://localhost:8080";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn script() -> String {
    std::fs::read_to_string(root().join("examples/signin/signin.js")).unwrap()
}

/// The JavaScript blocks of a page, without the indentation of a list.
fn blocks(page: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        let Some(indentation) = line.strip_suffix("```js") else { continue };
        let block = lines.by_ref().take_while(|line| line.trim() != "```");
        blocks.push(block.map(|line| line.strip_prefix(indentation).unwrap_or(line).to_owned() + "\n").collect());
    }
    blocks
}

#[test]
fn the_documentation_shows_the_code_of_the_example() {
    let script = script();
    for (page, count) in [("passkeys.md", 6), ("providers.md", 2)] {
        let text = std::fs::read_to_string(root().join("docs").join(page)).unwrap();
        let blocks = blocks(&text);
        assert_eq!(blocks.len(), count, "{page}");
        for block in blocks {
            let block = block.replace("const API = 'https://id.example.com/api/v1';\n", "");
            assert!(script.contains(block.trim()), "examples/signin/signin.js differs from docs/{page}:\n{block}");
        }
    }
}

/// Serves the example as any static server does; returns its origin.
async fn serve_example(api: &str) -> (TcpListener, String, Router) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://localhost:{}", listener.local_addr().unwrap().port());
    let page = std::fs::read_to_string(root().join("examples/signin/index.html")).unwrap();
    let script = script().replace(API_ORIGIN, api);
    let file = |content_type: &'static str, text: String| {
        get(async move || ([(CONTENT_TYPE, content_type)], text).into_response())
    };
    let router = Router::new().route("/", file("text/html", page)).route("/signin.js", file("text/javascript", script));
    (listener, origin, router)
}

/// The server and the example, each with an origin of its own.
async fn serve(issuer: &Issuer, clock: Arc<FakeClock>) -> (TestApp, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let own = format!("http://localhost:{}", listener.local_addr().unwrap().port());
    let (files, origin, router) = serve_example(&own).await;
    tokio::spawn(async move { axum::serve(files, router).await });
    let (origins, redirect) = (format!("{own},{origin}"), format!("{origin}/"));
    let settings = issuer.settings(&[
        ("server.public_url", &own),
        ("webauthn.rp_id", "localhost"),
        ("webauthn.origins", &origins),
        ("sign_in.redirect_urls", &redirect),
    ]);
    let ambience = Ambience { clock, random: Arc::new(SystemChance) };
    (World::new(Db::Sqlite).await.serve_on(listener, &settings, ambience).await, origin)
}

async fn enter_password(page: &Page, email: &str) {
    page.fill("[name=email]", email).await;
    page.fill("[name=password]", PASSWORD).await;
    page.click("#password button").await;
}

async fn sign_out(page: &Page) {
    page.touch(Touch::Never).await;
    super::sign_out(page).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_example_signs_in_by_password_passkey_and_provider() {
    let issuer = Issuer::start().await;
    let clock = Arc::new(FakeClock::default());
    // The provider lives by real time.
    clock.advance_us(SystemClock.now().as_micros() - clock.now().as_micros());
    let (app, origin) = serve(&issuer, Arc::clone(&clock)).await;
    issuer.user(ada());
    let user = app.user().await;
    let page = Page::start().await;
    page.open(&format!("{origin}/")).await;
    page.click("[data-provider=acme]").await;
    signed_in(&page, "ada@example.com").await;
    assert_eq!(page.eval("location.search + Object.keys(localStorage)").await, "");
    sign_out(&page).await;

    page.touch(Touch::AtOnce).await;
    enter_password(&page, &user.email).await;
    signed_in(&page, &user.email).await;
    page.click("#add").await;
    page.read("was added").await;
    assert_eq!(page.passkeys().await, 1);

    // By autofill, on the page as it is after signing out.
    page.click("#sign-out").await;
    page.called("/sessions/passkeys").await;
    signed_in(&page, &user.email).await;

    // By the button. A passkey that does not verify its user is refused.
    sign_out(&page).await;
    page.verify_user(Verification::Fails).await;
    page.touch(Touch::AtOnce).await;
    page.click("#passkey").await;
    page.wait("document.querySelector('#problem').textContent !== ''").await;
    page.verify_user(Verification::Succeeds).await;
    page.click("#passkey").await;
    signed_in(&page, &user.email).await;

    // The sign-in is no longer recent: the passkey authenticates again.
    clock.advance_s(11 * 60);
    page.click("#codes").await;
    page.called("/sessions/current/step-up").await;
    page.wait("document.querySelectorAll('#shown li').length === 10").await;

    // As the second factor.
    sign_out(&page).await;
    enter_password(&page, &user.email).await;
    page.see("#factor").await;
    page.touch(Touch::AtOnce).await;
    page.click("#factor-passkey").await;
    signed_in(&page, &user.email).await;

    // A passkey that was deleted at the server is deleted in the authenticator when it is used.
    sign_out(&page).await;
    let admin = app.admin().await;
    let path = format!("/api/v1/users/{}/factors", user.id);
    assert_eq!(app.delete(&path, &admin.token).await.status(), 204);
    page.touch(Touch::AtOnce).await;
    page.open(&format!("{origin}/")).await;
    page.wait_for_passkeys(0).await;
    page.check();
}
