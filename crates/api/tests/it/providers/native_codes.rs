//! Native applications: an authorization code that the application obtained from the provider itself.

use std::sync::Arc;

use denizen::app::Ambience;
use denizen_testkit::{FakeClock, SeededRandom};
use reqwest::Response;
use serde_json::{Value, json};

use super::issuer::{Issuer, NATIVE_ID};
use super::native::nonce;
use super::{Browser, VERIFIER, ada, challenge, param};
use crate::harness::{TestApp, World, field_problem, fields_problem, on_both, problem};

/// The redirect URI of the application, registered with the provider and listed in its settings.
const REDIRECT: &str = "com.example.app:/oauth2redirect";

async fn serve(world: &World, issuer: &Issuer) -> TestApp {
    let plain = issuer.plain_settings();
    let mut settings = issuer.settings(&[
        ("providers.acme.native_client_ids", NATIVE_ID),
        ("providers.acme.native_redirect_urls", REDIRECT),
        ("providers.plain.native_redirect_urls", REDIRECT),
    ]);
    settings.extend(plain.iter().map(|(key, value)| (*key, value.as_str())));
    world.serve(&settings).await
}

async fn sign_in(app: &TestApp, provider: &str, body: &Value) -> Response {
    app.post(&format!("/api/v1/sessions/{provider}"), body).await
}

async fn email_of(response: Response) -> String {
    assert_eq!(response.status(), 201);
    let body: Value = response.json().await.unwrap();
    body["user"]["email"].as_str().unwrap().to_owned()
}

on_both! {
    async fn a_code_is_not_redeemed_before_recent_authentication(world: World) {
        let issuer = Issuer::start().await;
        let clock = Arc::new(FakeClock::default());
        let ambience = Ambience { clock: Arc::clone(&clock) as Arc<_>, random: Arc::new(SeededRandom::new(3)) };
        let app = world.serve_in(&issuer.settings(&[]), ambience).await;
        let user = app.user().await;
        clock.advance_s(11 * 60);
        let nonce = nonce(&app).await;
        let body = json!({"authorization_code": issuer.code(&[("nonce", &nonce)]), "nonce": nonce});
        let response = app.post_as("/api/v1/me/identities/acme", &user.token, &body).await;
        problem(response, 403, "step_up_required").await;
        assert_eq!(issuer.redeemed(), 0);
    }

    async fn a_code_of_an_sdk_signs_in_once(world: World) {
        let issuer = Issuer::start().await;
        let app = serve(&world, &issuer).await;
        issuer.user(ada());
        // As Sign in with Apple and Google issue them: without redirect URI and PKCE, bound by the nonce.
        let nonce = nonce(&app).await;
        let code = issuer.code(&[("nonce", &nonce)]);
        let body = json!({"authorization_code": code, "nonce": nonce});
        assert_eq!(email_of(sign_in(&app, "acme", &body).await).await, "ada@example.com");
        problem(sign_in(&app, "acme", &body).await, 401, "provider_refused").await;
        // The nonce is used up, whatever is presented with it.
        let other = json!({"authorization_code": issuer.code(&[("nonce", &nonce)]), "nonce": nonce});
        problem(sign_in(&app, "acme", &other).await, 401, "invalid_code").await;
        let token = json!({"id_token": issuer.id_token(&nonce, &ada()), "nonce": nonce});
        problem(sign_in(&app, "acme", &token).await, 401, "invalid_code").await;
    }

    async fn a_public_client_signs_in_with_pkce(world: World) {
        let issuer = Issuer::start().await;
        let app = serve(&world, &issuer).await;
        issuer.user(ada());
        let nonce = nonce(&app).await;
        let request = [("nonce", nonce.as_str()), ("client_id", NATIVE_ID), ("redirect_uri", REDIRECT),
            ("code_challenge", &challenge())];
        let code = issuer.code(&request);
        let body = json!({"authorization_code": code, "nonce": nonce, "client_id": NATIVE_ID, "redirect_uri": REDIRECT});
        field_problem(sign_in(&app, "acme", &body).await, "code_verifier", "required").await;
        let mut wrong = body.clone();
        wrong["code_verifier"] = json!("x".repeat(43));
        problem(sign_in(&app, "acme", &wrong).await, 401, "provider_refused").await;
        let mut good = body.clone();
        good["code_verifier"] = json!(VERIFIER);
        good["authorization_code"] = json!(issuer.code(&request));
        assert_eq!(email_of(sign_in(&app, "acme", &good).await).await, "ada@example.com");
    }

    async fn a_plain_oauth2_server_requires_pkce(world: World) {
        let issuer = Issuer::start().await;
        let app = serve(&world, &issuer).await;
        issuer.user(ada());
        let response = app.post("/api/v1/auth/plain/nonces", &json!({})).await;
        let made: Value = response.json().await.unwrap();
        let request = [("redirect_uri", REDIRECT), ("code_challenge", &challenge())];
        let body = |verifier: Option<&str>| {
            json!({"authorization_code": issuer.code(&request), "nonce": made["nonce"], "redirect_uri": REDIRECT,
                "code_verifier": verifier})
        };
        field_problem(sign_in(&app, "plain", &body(None)).await, "code_verifier", "required").await;
        problem(sign_in(&app, "plain", &body(Some(&"y".repeat(43)))).await, 401, "provider_refused").await;
        assert_eq!(email_of(sign_in(&app, "plain", &body(Some(VERIFIER))).await).await, "ada@example.com");
        problem(sign_in(&app, "plain", &body(Some(VERIFIER))).await, 401, "invalid_code").await;
    }

    async fn codes_that_are_not_bound_to_the_nonce_are_refused(world: World) {
        let issuer = Issuer::start().await;
        let app = serve(&world, &issuer).await;
        issuer.user(ada());
        let good = nonce(&app).await;
        let others: Value = app.post("/api/v1/auth/plain/nonces", &json!({})).await.json().await.unwrap();
        let others = others["nonce"].as_str().unwrap().to_owned();
        let another = nonce(&app).await;
        // A stolen code was issued for the nonce of another sign-in, or for none.
        for (at_provider, sent) in
            [(another.as_str(), good.as_str()), ("", &good), (&others, &others), ("AAAA", "AAAA"), (&good, &good[1..])]
        {
            let body = json!({"authorization_code": issuer.code(&[("nonce", at_provider)]), "nonce": sent});
            problem(sign_in(&app, "acme", &body).await, 401, "provider_refused").await;
        }
        // The nonce is still good.
        let body = json!({"authorization_code": issuer.code(&[("nonce", &good)]), "nonce": good});
        assert_eq!(sign_in(&app, "acme", &body).await.status(), 201);
    }

    async fn unlisted_redirect_uris_and_client_ids_never_reach_the_provider(world: World) {
        let issuer = Issuer::start().await;
        let app = serve(&world, &issuer).await;
        issuer.user(ada());
        let nonce = nonce(&app).await;
        let own_callback = format!("{}/api/v1/auth/acme/callback", app.url);
        for uri in ["com.example.app:/oauth2redirect?x=y", "com.example.app:/other", "https://evil.example/", "", &own_callback] {
            let code = issuer.code(&[("nonce", &nonce), ("redirect_uri", uri)]);
            let body = json!({"authorization_code": code, "nonce": nonce, "redirect_uri": uri});
            field_problem(sign_in(&app, "acme", &body).await, "redirect_uri", "redirect_not_allowed").await;
        }
        let code = issuer.code(&[("nonce", &nonce), ("client_id", "another")]);
        let body = json!({"authorization_code": code, "nonce": nonce, "client_id": "another", "code_verifier": VERIFIER});
        field_problem(sign_in(&app, "acme", &body).await, "client_id", "invalid_value").await;
        // The code of the native application presented as that of the confidential client.
        let code = issuer.code(&[("nonce", &nonce), ("client_id", NATIVE_ID)]);
        let body = json!({"authorization_code": code, "nonce": nonce});
        problem(sign_in(&app, "acme", &body).await, 401, "provider_refused").await;
        assert_eq!(issuer.redeemed(), 0);
    }

    async fn codes_of_the_browser_flow_are_not_accepted(world: World) {
        let issuer = Issuer::start().await;
        let app = serve(&world, &issuer).await;
        issuer.user(ada());
        let nonce = nonce(&app).await;
        let ours = json!({"authorization_code": Browser::new().sign_in(&app).await, "nonce": nonce, "code_verifier": VERIFIER});
        field_problem(sign_in(&app, "acme", &ours).await, "authorization_code", "invalid_value").await;
        // The code of the provider in the browser flow, with everything that a thief can have.
        let callback = Browser::new().at_callback(&app).await;
        let stolen = param(&callback, "code").unwrap();
        let body = json!({"authorization_code": stolen, "nonce": nonce});
        problem(sign_in(&app, "acme", &body).await, 401, "provider_refused").await;
        fields_problem(sign_in(&app, "acme", &json!({"authorization_code": "", "nonce": ""})).await,
            &[("authorization_code", "required"), ("nonce", "required")]).await;
        let both = json!({"authorization_code": "x", "id_token": "y", "nonce": nonce});
        field_problem(sign_in(&app, "acme", &both).await, "id_token", "not_allowed").await;
        let stray = json!({"id_token": "y", "nonce": nonce, "redirect_uri": REDIRECT});
        field_problem(sign_in(&app, "acme", &stray).await, "redirect_uri", "not_allowed").await;
    }

    async fn a_code_links_an_identity(world: World) {
        let issuer = Issuer::start().await;
        let app = serve(&world, &issuer).await;
        let user = app.user().await;
        issuer.user(ada());
        let nonce = nonce(&app).await;
        let body = |code: String| json!({"authorization_code": code, "nonce": nonce});
        let path = "/api/v1/me/identities/acme";
        let wrong = app.post_as(path, &user.token, &body("guess".to_owned())).await;
        field_problem(wrong, "authorization_code", "provider_refused").await;
        let linked = app.post_as(path, &user.token, &body(issuer.code(&[("nonce", &nonce)]))).await;
        assert_eq!(linked.status(), 201);
        let again = app.post_as(path, &user.token, &body(issuer.code(&[("nonce", &nonce)]))).await;
        field_problem(again, "authorization_code", "provider_refused").await;
    }
}
