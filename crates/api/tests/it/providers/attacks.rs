//! What must not work.

use serde_json::{Value, json};

use super::issuer::Issuer;
use super::{APP, Browser, VERIFIER, ada, challenge, exchange, location, param, signed_in};
use crate::harness::{field_problem, fields_problem, on_both, problem};
use crate::totp::Authenticator;

on_both! {
    async fn a_callback_in_another_browser_is_refused(world: World) {
        let issuer = Issuer::start().await;
        let app = world.serve(&issuer.settings(&[])).await;
        issuer.user(ada());
        let callback = Browser::new().at_callback(&app).await;
        // The victim's browser has no cookie, or that of a flow of its own.
        field_problem(Browser::new().get(&callback).await, "state", "invalid_state").await;
        let mut victim = Browser::new();
        victim.begin(&app).await;
        field_problem(victim.get(&callback).await, "state", "invalid_state").await;
        assert_eq!(issuer.redeemed(), 0);
    }

    async fn missing_parameters_are_required(world: World) {
        let issuer = Issuer::start().await;
        let app = world.serve(&issuer.settings(&[])).await;
        let body = problem(Browser::new().get(&format!("{}/api/v1/auth/acme", app.url)).await, 400, "invalid_input").await;
        let fields: Vec<_> = body["fields"].as_array().unwrap().iter().map(|field| (&field["field"], &field["code"])).collect();
        let required = json!("required");
        assert_eq!(fields, [(&json!("redirect_to"), &required), (&json!("code_challenge"), &required)]);
    }

    async fn a_state_that_was_altered_or_is_of_another_provider_is_refused(world: World) {
        let issuer = Issuer::start().await;
        let app = world.serve(&issuer.settings(&[
            ("providers.other.issuer", issuer.url()), ("providers.other.client_id", "x"), ("providers.other.client_secret", "y"),
        ])).await;
        issuer.user(ada());
        let mut browser = Browser::new();
        let callback = browser.at_callback(&app).await;
        let state = param(&callback, "state").unwrap();
        let mut altered = state.clone().into_bytes();
        altered[20] = if altered[20] == b'A' { b'B' } else { b'A' };
        let altered = String::from_utf8(altered).unwrap();
        field_problem(browser.get(&callback.replace(&state, &altered)).await, "state", "invalid_state").await;
        field_problem(browser.get(&callback.replace("/acme/", "/other/")).await, "state", "invalid_state").await;
        field_problem(browser.get(&format!("{}/api/v1/auth/acme/callback", app.url)).await, "state", "invalid_state").await;
    }

    async fn a_response_of_another_issuer_is_refused(world: World) {
        let issuer = Issuer::start().await;
        let app = world.serve(&issuer.settings(&[])).await;
        issuer.user(ada());
        let mut browser = Browser::new();
        let callback = browser.at_callback(&app).await;
        let iss = reqwest::Url::parse_with_params("http://x/", [("iss", issuer.url())]).unwrap();
        let own = iss.query().unwrap();
        for other in ["", "iss=https://evil.example"] {
            let altered = callback.replace(own, other).replace(&format!("iss={}", issuer.url()), other);
            assert_ne!(altered, callback);
            let end = location(&browser.get(&altered).await);
            assert_eq!(param(&end, "error").as_deref(), Some("provider_refused"), "{end}");
        }
        assert_eq!(issuer.redeemed(), 0, "the code never left");
    }

    async fn a_code_needs_the_verifier_of_its_application(world: World) {
        let issuer = Issuer::start().await;
        let app = world.serve(&issuer.settings(&[])).await;
        issuer.user(ada());
        let code = Browser::new().sign_in(&app).await;
        let body = json!({"code": code, "code_verifier": "x".repeat(43)});
        problem(app.post("/api/v1/sessions/exchange", &body).await, 401, "invalid_code").await;
        let state = json!({"code": "dnx_AAAA", "code_verifier": VERIFIER});
        problem(app.post("/api/v1/sessions/exchange", &state).await, 401, "invalid_code").await;
        fields_problem(app.post("/api/v1/sessions/exchange", &json!({})).await,
            &[("code", "required"), ("code_verifier", "required")]).await;
        // A wrong verifier does not use the code up.
        signed_in(&app, &code).await;
    }

    async fn a_browser_is_sent_to_listed_urls_only(world: World) {
        let issuer = Issuer::start().await;
        let app = world.serve(&issuer.settings(&[])).await;
        let evil = ["https://evil.example/", "//evil.example", "https://app.example.com.evil.example/signed-in",
            "https://app.example.com/signed-in/..", "https://app.example.com@evil.example/signed-in", "javascript:alert(1)",
            "https://app.example.com\\@evil.example/signed-in", "https://app.example.com/signed-in%23", " "];
        for redirect_to in evil {
            let mut url = reqwest::Url::parse(&format!("{}/api/v1/auth/acme", app.url)).unwrap();
            url.query_pairs_mut().append_pair("redirect_to", redirect_to).append_pair("code_challenge", &challenge());
            field_problem(Browser::new().get(url.as_str()).await, "redirect_to", "redirect_not_allowed").await;
        }
        let url = format!("{}/api/v1/auth/acme?redirect_to={APP}&code_challenge=short", app.url);
        field_problem(Browser::new().get(&url).await, "code_challenge", "invalid_code_challenge").await;
        problem(Browser::new().get(&url.replace("acme", "nobody")).await, 404, "provider_not_found").await;
    }

    async fn an_unverified_address_makes_no_user_and_links_none(world: World) {
        let issuer = Issuer::start().await;
        let app = world.serve(&issuer.settings(&[("providers.acme.link", "verified")])).await;
        issuer.user(json!({"sub": "1", "email": "ada@example.com", "email_verified": false}));
        problem(exchange(&app, &Browser::new().sign_in(&app).await).await, 403, "email_unverified").await;
        issuer.user(json!({"sub": "1"}));
        problem(exchange(&app, &Browser::new().sign_in(&app).await).await, 403, "email_unverified").await;
        let user = app.user().await;
        issuer.user(json!({"sub": "1", "email": user.email, "email_verified": false}));
        // The same for an address that has an account: it is not revealed.
        problem(exchange(&app, &Browser::new().sign_in(&app).await).await, 403, "email_unverified").await;
    }

    async fn an_account_that_was_prepared_by_somebody_else_is_not_linked(world: World) {
        let issuer = Issuer::start().await;
        let app = world.serve(&issuer.settings(&[("providers.acme.link", "verified")])).await;
        // The address of the account was never verified: another person may have chosen the password.
        let user = app.user().await;
        issuer.user(json!({"sub": "1", "email": user.email, "email_verified": true}));
        problem(exchange(&app, &Browser::new().sign_in(&app).await).await, 409, "link_required").await;
    }

    async fn a_verified_account_is_linked_only_where_configured(world: World) {
        let issuer = Issuer::start().await;
        let never = world.serve(&issuer.settings(&[])).await;
        let verified = world.serve(&issuer.settings(&[("providers.acme.link", "verified")])).await;
        let admin = never.admin().await;
        let line = json!({"email": "ada@example.com", "name": "Ada", "email_verified": true}).to_string();
        never.import(&admin, line).await;
        issuer.user(ada());
        problem(exchange(&never, &Browser::new().sign_in(&never).await).await, 409, "link_required").await;
        let body = signed_in(&verified, &Browser::new().sign_in(&verified).await).await;
        assert_eq!(body["user"]["name"], "Ada");
        signed_in(&never, &Browser::new().sign_in(&never).await).await;
    }

    async fn a_user_with_a_second_factor_links_only_after_proving_it(world: World) {
        let issuer = Issuer::start().await;
        let settings = [("providers.acme.link", "verified"), ("providers.acme.trust_mfa", "true")];
        let app = world.serve(&issuer.settings(&settings)).await;
        let admin = app.admin().await;
        app.import(&admin, json!({"email": "ada@example.com", "name": "Ada", "email_verified": true}).to_string()).await;
        // An attacker with access to the mailbox has an account at the provider, with a second factor of their own.
        let mut claims = ada();
        claims["amr"] = json!(["pwd", "mfa"]);
        issuer.user(claims.clone());
        let role = app.json("/api/v1/roles/user", &admin.token).await;
        let required = json!({"description": role["description"], "permissions": [], "second_factor": "required"});
        assert_eq!(app.put("/api/v1/roles/user", &admin.token, &required).await.status(), 200);
        let response = exchange(&app, &Browser::new().sign_in(&app).await).await;
        assert_eq!(response.status(), 202, "the factor of the provider does not count for a link that is new");
        app.news_to("ada@example.com", "sign-in method was added").await;
    }

    async fn an_account_with_a_second_factor_is_never_linked_silently(world: World) {
        let issuer = Issuer::start().await;
        let app = world.serve(&issuer.settings(&[("providers.acme.link", "verified")])).await;
        let user = app.user().await;
        let verification = json!({"token": app.token_to(&user.email, "verify-email").await});
        assert_eq!(app.post_as("/api/v1/email-verifications/confirm", &user.token, &verification).await.status(), 204);
        let begun: Value = app.post_as("/api/v1/me/totp", &user.token, &json!({})).await.json().await.unwrap();
        let code = Authenticator::scan(begun["uri"].as_str().unwrap()).code(app.services.clock.now());
        let confirmed = app.post_as("/api/v1/me/totp/confirm", &user.token, &json!({"code": code})).await;
        assert_eq!(confirmed.status(), 200);
        issuer.user(json!({"sub": "1", "email": user.email, "email_verified": true}));
        problem(exchange(&app, &Browser::new().sign_in(&app).await).await, 409, "link_required").await;
    }

    async fn an_outage_of_the_provider_is_not_counted_against_the_client(world: World) {
        let issuer = Issuer::start().await;
        let app = world.serve(&issuer.settings(&[("limits.address_failures_free", "1")])).await;
        issuer.go_down();
        for _ in 0..4 {
            let mut browser = Browser::new();
            let callback = browser.at_callback(&app).await;
            let end = location(&browser.get(&callback).await);
            assert_eq!(param(&end, "error").as_deref(), Some("provider_unavailable"), "{end}");
        }
    }

    async fn closed_sign_up_and_disabled_users_stay_out(world: World) {
        let issuer = Issuer::start().await;
        let closed = world.serve(&issuer.settings(&[("signup.mode", "closed")])).await;
        let open = world.serve(&issuer.settings(&[])).await;
        issuer.user(ada());
        problem(exchange(&closed, &Browser::new().sign_in(&closed).await).await, 403, "signup_closed").await;
        let body = signed_in(&open, &Browser::new().sign_in(&open).await).await;
        let admin = open.admin().await;
        let path = format!("/api/v1/users/{}", body["user"]["id"].as_str().unwrap());
        let code = Browser::new().sign_in(&open).await;
        assert_eq!(open.patch(&path, &admin.token, &json!({"status": "disabled"})).await.status(), 200);
        // Disabled between callback and exchange.
        problem(exchange(&open, &code).await, 401, "invalid_code").await;
        problem(exchange(&open, &Browser::new().sign_in(&open).await).await, 401, "invalid_code").await;
    }

    async fn a_provider_that_is_removed_meanwhile_opens_nothing(world: World) {
        let issuer = Issuer::start().await;
        let with = world.serve(&issuer.settings(&[])).await;
        let without = world.serve(&[]).await;
        issuer.user(ada());
        let code = Browser::new().sign_in(&with).await;
        problem(exchange(&without, &code).await, 404, "provider_not_found").await;
    }

    async fn an_identity_that_was_linked_before_the_address_was_proven_is_unlinked(world: World) {
        let issuer = Issuer::start().await;
        let app = world.serve(&issuer.settings(&[])).await;
        // An attacker signs up with the address of another person, and links an identity.
        let attacker = app.user().await;
        issuer.user(json!({"sub": "attacker", "email": "evil@example.com", "email_verified": true}));
        let code = Browser::new().sign_in(&app).await;
        let request = app.request(reqwest::Method::POST, "/api/v1/me/identities/acme", Some(&attacker.token));
        let linked = request.json(&json!({"code": code, "code_verifier": VERIFIER})).send().await.unwrap();
        assert_eq!(linked.status(), 201);
        // The owner of the address proves it.
        app.post("/api/v1/password-resets", &json!({"email": attacker.email})).await;
        let token = app.token_to(&attacker.email, "reset-password").await;
        let reset = json!({"token": token, "new_password": "a better password altogether"});
        assert_eq!(app.post("/api/v1/password-resets/confirm", &reset).await.status(), 204);
        let body: Value = exchange(&app, &Browser::new().sign_in(&app).await).await.json().await.unwrap();
        assert_ne!(body["user"]["id"], attacker.id.as_str(), "{body}");
    }
}
