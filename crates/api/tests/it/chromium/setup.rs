//! The page for the first administrator.

use denizen_domain::setup;
use secrecy::ExposeSecret;

use super::driver::Page;
use super::{serve, signed_in};
use crate::harness::PASSWORD;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_setup_link_creates_an_administrator_and_signs_them_in() {
    let (app, origin) = serve(&[]).await;
    let link = setup::issue(&app.operator()).await.unwrap().unwrap();
    let page = Page::start().await;
    page.open(&format!("{origin}/setup?token={}", link.token.expose_secret())).await;
    page.see("#setup").await;
    assert_eq!(page.eval("location.search").await, "", "the token is removed from the address");
    page.fill("#email", "ada@example.com").await;
    page.fill("[name=name]", "Ada").await;
    page.fill("#secret-password", "password").await;
    page.click("#setup > button").await;
    page.read("This password is too common.").await;
    page.fill("#secret-password", PASSWORD).await;
    page.click("#setup > button").await;
    signed_in(&page, "ada@example.com").await;
    assert_eq!(page.eval("location.pathname").await, "/account/sign-in");
}
