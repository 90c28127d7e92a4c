//! A passkey in place of a password, on the pages of invitations and of password resets.

use serde_json::{Value, json};

use super::driver::{Page, Scripts, Touch, Verification};
use super::{enter_password, serve, sign_out, signed_in};
use crate::harness::{PASSWORD, SignedIn, TestApp};

const BY_PASSKEY: &str = "#by-passkey";

async fn invitation(app: &TestApp, origin: &str, email: &str) -> String {
    let admin = app.admin().await;
    let body = json!({"email": email, "name": "Grace Hopper"});
    assert_eq!(app.post_as("/api/v1/invitations", &admin.token, &body).await.status(), 201);
    format!("{origin}/account/accept-invitation?token={}", app.token_to(email, "accept-invitation").await)
}

async fn reset(app: &TestApp, origin: &str, user: &SignedIn) -> String {
    assert_eq!(app.post("/api/v1/password-resets", &json!({"email": user.email})).await.status(), 202);
    format!("{origin}/account/reset-password?token={}", app.token_to(&user.email, "reset-password").await)
}

/// What the server says of the session of the browser.
async fn fetched(page: &Page, path: &str) -> Value {
    page.eval(&format!("fetch('../api/v1/{path}').then((response) => response.json())")).await
}

/// Saves the recovery codes that follow a first passkey.
async fn save_codes(page: &Page) {
    page.see("#recovery").await;
    assert_eq!(page.eval("document.querySelectorAll('#codes li').length").await, 10);
    page.click("#saved").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_invited_user_joins_with_a_passkey() {
    let (app, origin) = serve(&[]).await;
    let link = invitation(&app, &origin, "grace@example.com").await;
    let page = Page::start().await;
    page.open(&link).await;
    page.read("Create a passkey instead").await;
    page.fill("input[name=name]", "Admiral Hopper").await;
    page.verify_user(Verification::Fails).await;
    page.click(BY_PASSKEY).await;
    page.read("No passkey or security key was used.").await;
    page.verify_user(Verification::Succeeds).await;
    page.click(BY_PASSKEY).await;
    save_codes(&page).await;
    signed_in(&page, "grace@example.com").await;
    assert_eq!(page.eval("location.href").await, json!(format!("{origin}/account/sign-in")));
    assert_eq!(page.eval("Object.keys(sessionStorage).length").await, 0);
    assert_eq!(page.passkeys().await, 1);
    let me = fetched(&page, "me").await;
    assert_eq!(
        (&me["name"], &me["status"], &me["email_verified"]),
        (&json!("Admiral Hopper"), &json!("active"), &json!(true))
    );
    let factors = fetched(&page, "me/factors").await;
    assert_eq!(
        (&factors["password"], &factors["passkeys"], &factors["recovery_codes_left"]),
        (&json!(false), &json!(1), &json!(10))
    );

    // It signs in, and the link is used.
    page.forget_calls().await;
    page.click("#sign-out").await;
    page.called("/sessions/passkeys").await;
    signed_in(&page, "grace@example.com").await;
    page.open(&link).await;
    page.click(BY_PASSKEY).await;
    page.read("This link is not valid").await;
    assert!(page.sees("#way-on a").await && !page.sees(BY_PASSKEY).await);
    page.check();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_passkey_replaces_a_forgotten_password() {
    let (app, origin) = serve(&[]).await;
    let (user, other) = (app.user().await, app.user().await);
    let page = Page::start().await;
    // A session of another user in the same browser does not matter.
    page.touch(Touch::Never).await;
    page.open(&format!("{origin}/account/sign-in")).await;
    enter_password(&page, &other.email).await;
    signed_in(&page, &other.email).await;
    page.touch(Touch::AtOnce).await;
    page.open(&reset(&app, &origin, &user).await).await;
    page.click(BY_PASSKEY).await;
    save_codes(&page).await;
    signed_in(&page, &user.email).await;
    assert_eq!(page.passkeys().await, 1);
    assert_eq!(fetched(&page, "me/factors").await["password"], false);

    // The password signs in no more, the passkey does.
    page.touch(Touch::Never).await;
    sign_out(&page).await;
    enter_password(&page, &user.email).await;
    page.read("The email address or the password is incorrect.").await;
    page.touch(Touch::AtOnce).await;
    page.click("#passkey").await;
    signed_in(&page, &user.email).await;
    page.check();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_with_a_second_factor_sets_a_password() {
    let (app, origin) = serve(&[]).await;
    let user = app.user().await;
    let proof = json!({"token": app.token_to(&user.email, "verify-email").await});
    assert_eq!(app.post_as("/api/v1/email-verifications/confirm", &user.token, &proof).await.status(), 204);
    app.register_key(&user, &mut app.security_key()).await;
    let page = Page::start().await;
    page.open(&reset(&app, &origin, &user).await).await;
    page.click(BY_PASSKEY).await;
    page.read("Your account has a second factor.").await;
    assert_eq!(page.passkeys().await, 0);
    page.fill("#secret-password", PASSWORD).await;
    page.click("#ask > button").await;
    page.read("Your password is set.").await;
    page.check();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_browser_without_passkeys_offers_the_password_only() {
    let (app, origin) = serve(&[]).await;
    let link = invitation(&app, &origin, "grace@example.com").await;
    let page = Page::start().await;
    // Without scripts, the page says what it needs.
    page.run_scripts(Scripts::Disabled).await;
    page.open(&link).await;
    assert!(!page.sees(BY_PASSKEY).await && !page.sees(".or").await && !page.sees("#by-passkey-note").await);
    page.run_scripts(Scripts::Enabled).await;
    page.remove_passkeys().await;
    page.open(&link).await;
    page.see("#secret-password").await;
    assert!(!page.sees(BY_PASSKEY).await && !page.sees(".or").await && !page.sees("#by-passkey-note").await);
    page.fill("#secret-password", PASSWORD).await;
    page.click("#ask > button").await;
    signed_in(&page, "grace@example.com").await;
    page.check();
}
