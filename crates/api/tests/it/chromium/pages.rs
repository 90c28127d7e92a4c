//! The sign-in page, and the pages behind mailed links.

use denizen_domain::ports::Clock;
use denizen_infra::clock::SystemClock;
use serde_json::{Value, json};

use super::driver::{Page, Touch, Verification};
use super::{enter_password, serve, sign_out, signed_in};
use crate::harness::{PASSWORD, TestApp};
use crate::providers::{ada, issuer::Issuer};
use crate::totp::Authenticator;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_passkey_signs_in_by_button_by_autofill_and_as_the_second_factor() {
    let (app, origin) = serve(&[]).await;
    let (admin, user) = (app.admin().await, app.user().await);
    let page = Page::start().await;
    page.touch(Touch::Never).await;
    page.open(&format!("{origin}/account/sign-in")).await;
    page.fill("#email", &user.email).await;
    page.fill("#secret-password", "a wrong one").await;
    page.click("#password > button").await;
    page.read("The email address or the password is incorrect.").await;
    enter_password(&page, &user.email).await;
    signed_in(&page, &user.email).await;

    page.touch(Touch::AtOnce).await;
    page.click("#create-passkey").await;
    page.see("#recovery").await;
    let code = page.eval("document.querySelector('#codes li').textContent").await.as_str().unwrap().to_owned();
    page.click("#saved").await;
    signed_in(&page, &user.email).await;
    assert_eq!(page.passkeys().await, 1);
    assert_eq!(page.eval("document.querySelector('#offer').hidden").await, true);
    // The session is in cookies, out of reach of scripts.
    assert_eq!(page.eval("document.cookie + Object.keys(localStorage) + Object.keys(sessionStorage)").await, "");
    page.open(&format!("{origin}/account/sign-in")).await;
    signed_in(&page, &user.email).await;

    // Autofill: the user selects the passkey in the list of the address.
    page.forget_calls().await;
    page.click("#sign-out").await;
    page.called("/sessions/passkeys").await;
    signed_in(&page, &user.email).await;

    // The button. A passkey that does not verify its user is refused by the browser.
    page.touch(Touch::Never).await;
    sign_out(&page).await;
    page.verify_user(Verification::Fails).await;
    page.touch(Touch::AtOnce).await;
    page.click("#passkey").await;
    page.read("No passkey or security key was used.").await;
    page.touch(Touch::Never).await;
    page.verify_user(Verification::Succeeds).await;

    // The second factor, after a password: a passkey, or a recovery code.
    enter_password(&page, &user.email).await;
    page.see("#factor-passkey").await;
    page.fill("#factor input", "00000-00000").await;
    page.click("#factor-code button").await;
    page.read("The code is incorrect").await;
    page.touch(Touch::AtOnce).await;
    page.click("#factor-passkey").await;
    signed_in(&page, &user.email).await;
    page.touch(Touch::Never).await;
    sign_out(&page).await;
    enter_password(&page, &user.email).await;
    page.fill("#factor input", &code).await;
    page.click("#factor-code button").await;
    signed_in(&page, &user.email).await;

    // A passkey that was deleted here is deleted in the authenticator when it is used.
    let path = format!("/api/v1/users/{}/factors", user.id);
    assert_eq!(app.delete(&path, &admin.token).await.status(), 204);
    page.touch(Touch::AtOnce).await;
    page.open(&format!("{origin}/account/sign-in")).await;
    page.read("This passkey belongs to no account here.").await;
    page.wait_for_passkeys(0).await;
    page.check();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_provider_signs_in_and_errors_are_explained() {
    let issuer = Issuer::start().await;
    let (_app, origin) = serve(&issuer.settings(&[("providers.acme.label", "Acme")])).await;
    issuer.user(ada());
    let page = Page::start().await;
    let sign_in = format!("{origin}/account/sign-in");
    // A code that this browser did not ask for: it would sign the user in to the account of another.
    page.open(&format!("{sign_in}?code=dnx_of_another&return_to=%2Fdocs%2F")).await;
    page.read("This sign-in was started in another window").await;
    assert_eq!(page.eval("new URLSearchParams(location.search).get('code')").await, Value::Null);
    page.open(&sign_in).await;
    page.read("Continue with Acme").await;
    page.click("[data-provider=acme]").await;
    signed_in(&page, "ada@example.com").await;
    assert_eq!(page.eval("location.href").await, json!(sign_in));
    assert_eq!(page.eval("Object.keys(sessionStorage).length").await, 0);
    sign_out(&page).await;

    // On to where the user came from.
    page.open(&format!("{sign_in}?return_to=%2Fhealth")).await;
    page.click("[data-provider=acme]").await;
    page.wait("location.pathname === '/health'").await;

    // A callback that belongs to no flow of this browser.
    page.open(&format!("{origin}/api/v1/auth/acme/callback?state=x&code=y")).await;
    page.read("This sign-in was started in another window").await;
    assert_eq!(page.eval("getComputedStyle(document.querySelector('main')).maxWidth").await, "416px");
    page.click("a.button").await;
    signed_in(&page, "ada@example.com").await;
    sign_out(&page).await;
    issuer.cancel();
    page.click("[data-provider=acme]").await;
    page.read("You cancelled the sign-in at the provider.").await;
    page.check();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mailed_links_lead_to_a_session() {
    let (app, origin) = serve(&[("sign_in.magic_links", "true"), ("sign_in.mailed_codes", "true")]).await;
    let (admin, user) = (app.admin().await, app.user().await);
    let page = Page::start().await;
    page.open(&format!("{origin}/account/sign-in")).await;
    page.fill("#email", &user.email).await;
    page.click("[data-forgot]").await;
    page.click("#forgot-email button").await;
    page.see("#sent").await;
    let token = app.token_to(&user.email, "reset-password").await;
    page.open(&format!("{origin}/account/reset-password?token={token}")).await;
    assert_eq!(page.eval("location.search").await, "");
    assert!(page.sees("#ask a[href=sign-in]").await && !page.sees("#way-on").await);
    page.fill("#secret-password", "password").await;
    page.click("#ask > button").await;
    page.read("This password is too common.").await;
    page.fill("#secret-password", PASSWORD).await;
    page.click("#ask > button").await;
    page.read("Your password is set.").await;
    assert!(!page.sees("#ask a").await);
    page.click("#way-on a").await;
    enter_password(&page, &user.email).await;
    signed_in(&page, &user.email).await;
    sign_out(&page).await;

    page.fill("#email", &user.email).await;
    page.click("[data-mailed=codes]").await;
    page.read("we sent a code").await;
    let code = app.codes_to(&user.email, 1).await.remove(0);
    page.fill("#factor input", &code).await;
    page.click("#factor-code button").await;
    signed_in(&page, &user.email).await;
    sign_out(&page).await;

    page.fill("#email", &user.email).await;
    page.click("[data-mailed=magic-links]").await;
    page.see("#sent").await;
    let token = app.token_to(&user.email, "sign-in").await;
    page.open(&format!("{origin}/account/sign-in?token={token}")).await;
    page.click("#ask > button").await;
    signed_in(&page, &user.email).await;

    invite(&app, &admin.token, &json!({"email": "grace@example.com"})).await;
    let token = app.token_to("grace@example.com", "accept-invitation").await;
    page.open(&format!("{origin}/account/accept-invitation?token={token}")).await;
    page.fill("#secret-password", PASSWORD).await;
    page.click("#ask > button").await;
    signed_in(&page, "grace@example.com").await;
    page.open(&format!("{origin}/account/accept-invitation?token={token}")).await;
    page.fill("#secret-password", PASSWORD).await;
    page.click("#ask > button").await;
    page.read("This link is not valid").await;
    page.see("#way-on a").await;
    page.check();
}

async fn invite(app: &TestApp, token: &str, invitation: &Value) {
    assert_eq!(app.post_as("/api/v1/invitations", token, invitation).await.status(), 201);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_invited_user_joins_through_a_provider() {
    let issuer = Issuer::start().await;
    let settings = issuer.settings(&[
        ("signup.mode", "closed"),
        ("providers.acme.label", "Acme"),
        ("providers.acme.link", "verified"),
        ("providers.github.preset", "github"),
        ("providers.github.client_id", "x"),
        ("providers.github.client_secret", "y"),
    ]);
    let (app, origin) = serve(&settings).await;
    issuer.user(ada());
    let admin = app.admin().await;
    invite(&app, &admin.token, &json!({"email": "ada@example.com", "role": "admin"})).await;
    let token = app.token_to("ada@example.com", "accept-invitation").await;
    let page = Page::start().await;
    page.open(&format!("{origin}/account/accept-invitation?token={token}")).await;
    page.read("Continue with Acme").await;
    assert!(!page.sees("[data-provider=github]").await, "its identities cannot be linked");
    page.click("[data-provider=acme]").await;
    signed_in(&page, "ada@example.com").await;
    assert_eq!(page.eval("location.href").await, json!(format!("{origin}/account/sign-in")));
    assert_eq!(page.eval("Object.keys(sessionStorage).length").await, 0);
    let me = page.eval("fetch('../api/v1/me').then((response) => response.json())").await;
    assert_eq!((&me["role"], &me["status"]), (&json!("admin"), &json!("active")));
    // The link does not work any more.
    page.open(&format!("{origin}/account/accept-invitation?token={token}")).await;
    page.fill("#secret-password", PASSWORD).await;
    page.click("#ask > button").await;
    page.read("This link is not valid").await;
    assert!(page.sees("#way-on a").await && !page.sees("[data-provider=acme]").await);
    page.check();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_required_second_factor_is_set_up_while_signing_in() {
    let (app, origin) = serve(&[]).await;
    let (admin, user) = (app.admin().await, app.user().await);
    let role = app.json("/api/v1/roles/user", &admin.token).await;
    let role = json!({"description": role["description"], "permissions": [], "second_factor": "required"});
    assert_eq!(app.put("/api/v1/roles/user", &admin.token, &role).await.status(), 200);
    let page = Page::start().await;
    page.open(&format!("{origin}/account/sign-in")).await;
    enter_password(&page, &user.email).await;
    page.see("#enrol").await;
    page.wait("document.querySelector('#qr').naturalWidth > 0").await;
    let uri = page.eval("document.querySelector('#secret').href").await;
    let code = Authenticator::scan(uri.as_str().unwrap()).code(SystemClock.now());
    page.fill("#enrol input", &code).await;
    page.click("#enrol-code button").await;
    page.see("#recovery").await;
    page.click("#saved").await;
    signed_in(&page, &user.email).await;
    page.check();
}
