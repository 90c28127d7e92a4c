//! The pages in a real browser: headless Chromium with a virtual authenticator, driven by the protocol of its debugger (CDP).
//!
//! `scripts/chromium` installs it where there is none.

mod driver;
mod example;
mod link_passkeys;
mod pages;
mod required_passkeys;

use denizen::app::Ambience;
use tokio::net::TcpListener;

use self::driver::Page;
use crate::harness::{Db, PASSWORD, TestApp, World};

/// A server at `http://localhost:PORT`, where browsers use passkeys without TLS.
async fn serve(settings: &[(&str, &str)]) -> (TestApp, String) {
    serve_in(settings, Ambience::default()).await
}

/// The same with another clock.
async fn serve_in(settings: &[(&str, &str)], ambience: Ambience) -> (TestApp, String) {
    let world = World::new(Db::Sqlite).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://localhost:{}", listener.local_addr().unwrap().port());
    let settings = [&[("server.public_url", origin.as_str())][..], settings].concat();
    (world.serve_on(listener, &settings, ambience).await, origin)
}

/// Signs in with the password on the sign-in page.
async fn enter_password(page: &Page, email: &str) {
    page.fill("#email", email).await;
    page.fill("#secret-password", PASSWORD).await;
    page.click("#password > button").await;
}

/// Waits until the page shows the user of this address as signed in.
async fn signed_in(page: &Page, email: &str) {
    page.see("#signed-in").await;
    page.read(email).await;
}

async fn sign_out(page: &Page) {
    page.click("#sign-out").await;
    page.see("#sign-in").await;
}
