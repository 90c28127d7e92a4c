//! Passkeys and security keys that a role requires, on the sign-in page.

use std::sync::Arc;

use denizen::app::Ambience;
use denizen_domain::ports::Clock;
use denizen_infra::clock::SystemChance;
use denizen_testkit::FakeClock;
use serde_json::json;

use super::driver::{Device, Page, Touch, Verification};
use super::{enter_password, serve, serve_in, sign_out, signed_in};
use crate::required_passkeys::{enrol_totp, require};

const CREATE: &str = "[data-enrol=passkey]";
const CREATE_KEY: &str = "[data-enrol=security_key]";
/// The buttons and forms of the second factor.
const USE: &str = "#factor-passkey";
const CODE: &str = "#factor-code";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_required_passkey_is_created_while_signing_in() {
    let (app, origin) = serve(&[("sign_in.magic_links", "true")]).await;
    let (user, linked) = (app.user().await, app.user().await);
    require(&app, &[&user, &linked]).await;
    let page = Page::start().await;
    let sign_in = format!("{origin}/account/sign-in");
    // After a mailed link.
    page.open(&sign_in).await;
    page.fill("#email", &linked.email).await;
    page.click("[data-mailed=magic-links]").await;
    page.see("#sent").await;
    let token = app.token_to(&linked.email, "sign-in").await;
    page.open(&format!("{sign_in}?token={token}")).await;
    page.click("#ask > button").await;
    page.see(CREATE).await;
    assert_eq!(page.eval("location.href").await, json!(sign_in));
    page.click("#enrol-passkey [data-back]").await;

    // After a password.
    enter_password(&page, &user.email).await;
    page.see(CREATE).await;
    assert!(!page.sees(CODE).await && !page.sees("#enrol").await);
    page.verify_user(Verification::Fails).await;
    page.click(CREATE).await;
    page.read("No passkey or security key was used.").await;
    page.verify_user(Verification::Succeeds).await;
    page.click(CREATE).await;
    signed_in(&page, &user.email).await;
    assert_eq!(page.passkeys().await, 1);
    assert!(!page.sees("#offer").await && !page.sees("#recovery").await);

    // It signs in alone, and after the password.
    page.forget_calls().await;
    page.click("#sign-out").await;
    page.called("/sessions/passkeys").await;
    signed_in(&page, &user.email).await;
    page.touch(Touch::Never).await;
    sign_out(&page).await;
    enter_password(&page, &user.email).await;
    page.read("Use your passkey or security key to complete the sign-in.").await;
    assert!(page.sees(USE).await && !page.sees(CODE).await);
    page.touch(Touch::AtOnce).await;
    page.click(USE).await;
    signed_in(&page, &user.email).await;
    page.check();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_code_precedes_the_registration_of_a_required_passkey() {
    let clock = Arc::new(FakeClock::default());
    let ambience = Ambience { clock: Arc::clone(&clock) as Arc<_>, random: Arc::new(SystemChance) };
    let (app, origin) = serve_in(&[], ambience).await;
    let user = app.user().await;
    let (codes, _) = enrol_totp(&app, &clock, &user).await;
    require(&app, &[&user]).await;
    clock.advance_s(30);
    let page = Page::start().await;
    page.open(&format!("{origin}/account/sign-in")).await;
    enter_password(&page, &user.email).await;
    page.read("Enter the code from your authenticator app").await;
    assert!(page.sees(CODE).await && !page.sees(USE).await);
    page.fill("#factor input", &codes.code(clock.now())).await;
    page.click("#factor-code button").await;
    page.see(CREATE).await;
    // The challenge expires.
    clock.advance_s(3_600);
    page.click(CREATE).await;
    page.read("This sign-in was started in another window, or too long ago.").await;
    page.click("#enrol-passkey [data-back]").await;
    enter_password(&page, &user.email).await;
    page.fill("#factor input", &codes.code(clock.now())).await;
    page.click("#factor-code button").await;
    page.click(CREATE).await;
    signed_in(&page, &user.email).await;
    assert_eq!(page.passkeys().await, 1);
    page.check();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_security_key_completes_a_sign_in_with_the_password() {
    let (app, origin) = serve(&[]).await;
    let users = [app.user().await, app.user().await];
    let admin = require(&app, &[&users[0], &users[1]]).await;
    for (user, device) in users.iter().zip([Device::SecurityKey, Device::U2fKey]) {
        let page = Page::start_with(device).await;
        page.open(&format!("{origin}/account/sign-in")).await;
        enter_password(&page, &user.email).await;
        page.click(CREATE_KEY).await;
        signed_in(&page, &user.email).await;
        let list = app.json(&format!("{}/passkeys", user.path()), &admin.token).await;
        assert_eq!((list["data"].as_array().unwrap().len(), &list["data"][0]["kind"]), (1, &json!("security_key")));

        sign_out(&page).await;
        enter_password(&page, &user.email).await;
        page.see(USE).await;
        assert!(!page.sees(CODE).await, "codes are refused");
        page.click(USE).await;
        signed_in(&page, &user.email).await;

        // A role without the requirement accepts recovery codes too.
        assert_eq!(app.patch(&user.path(), &admin.token, &json!({"role": "user"})).await.status(), 200);
        sign_out(&page).await;
        enter_password(&page, &user.email).await;
        page.read("Use your passkey or security key, or enter a recovery code.").await;
        assert!(page.sees(CODE).await);
        page.click(USE).await;
        signed_in(&page, &user.email).await;
        page.check();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_browser_without_passkeys_says_so() {
    let (app, origin) = serve(&[]).await;
    let (staff, keyed) = (app.user().await, app.user().await);
    let admin = require(&app, &[&staff]).await;
    app.register_key(&keyed, &mut app.security_key()).await;
    let page = Page::start().await;
    page.remove_passkeys().await;
    page.open(&format!("{origin}/account/sign-in")).await;
    assert!(!page.sees("#passkey").await);
    enter_password(&page, &keyed.email).await;
    page.read("Enter a recovery code. This browser cannot use your passkey or security key").await;
    assert!(page.sees(CODE).await && !page.sees(USE).await);
    page.click("#factor [data-back]").await;
    assert_eq!(app.patch(&keyed.path(), &admin.token, &json!({"role": "staff"})).await.status(), 200);
    // One has no key yet, the other one cannot use it here.
    for user in [&staff, &keyed] {
        enter_password(&page, &user.email).await;
        page.read("this browser can use neither on this page").await;
        assert!(!page.sees(CODE).await && !page.sees(USE).await && !page.sees(CREATE).await);
        page.click("#factor [data-back]").await;
    }
    page.check();
}
