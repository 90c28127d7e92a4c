//! The browser flow from end to end.

use serde_json::json;

use super::issuer::Issuer;
use super::{APP, Browser, VERIFIER, ada, challenge, exchange, location, param, signed_in};
use crate::harness::{TestApp, on_both, problem};

/// Makes the second factor mandatory for ordinary users.
async fn require_second_factor(app: &TestApp) {
    let admin = app.admin().await;
    let role = app.json("/api/v1/roles/user", &admin.token).await;
    let role = json!({"description": role["description"], "permissions": [], "second_factor": "required"});
    assert_eq!(app.put("/api/v1/roles/user", &admin.token, &role).await.status(), 200);
}

on_both! {
    async fn a_first_sign_in_creates_a_user_and_the_next_one_finds_it(world: World) {
        let issuer = Issuer::start().await;
        let app = world.serve(&issuer.settings(&[])).await;
        issuer.user(ada());
        let first = signed_in(&app, &Browser::new().sign_in(&app).await).await;
        assert_eq!(first["user"]["email"], "ada@example.com");
        assert_eq!((&first["user"]["email_verified"], &first["user"]["locale"]), (&json!(true), &json!("de")));
        assert_eq!(first["user"]["name"], "Ada Lovelace");
        assert_eq!(app.me_status(first["access_token"].as_str().unwrap()).await, 200);

        issuer.user(json!({"sub": "ada-1", "email": "new@example.com", "email_verified": true, "name": "Other"}));
        let again = signed_in(&app, &Browser::new().sign_in(&app).await).await;
        assert_eq!(again["user"]["id"], first["user"]["id"]);
        // The identity is issuer and subject; without update_profile the profile is the user's own.
        assert_eq!((&again["user"]["email"], &again["user"]["name"]), (&json!("ada@example.com"), &json!("Ada Lovelace")));
        let token = again["access_token"].as_str().unwrap();
        let identities = app.json("/api/v1/me/identities", token).await;
        assert_eq!(identities.as_array().unwrap().len(), 1);
        assert_eq!((&identities[0]["provider"], &identities[0]["subject"]), (&json!("acme"), &json!("ada-1")));
        assert_eq!((&identities[0]["email"], &identities[0]["issuer"]), (&json!("new@example.com"), &json!(issuer.url())));
    }

    async fn the_providers_are_public_and_tell_no_secret(world: World) {
        let issuer = Issuer::start().await;
        let app = world.serve(&issuer.settings(&[("providers.acme.label", "Acme"), ("providers.github.preset", "github"),
            ("providers.github.client_id", "x"), ("providers.github.client_secret", "the-secret")])).await;
        let list = app.request(reqwest::Method::GET, "/api/v1/auth/providers", None).send().await.unwrap();
        let list: serde_json::Value = list.json().await.unwrap();
        assert_eq!(list, json!([{"name": "acme", "label": "Acme", "icon": "generic"},
            {"name": "github", "label": "GitHub", "icon": "github"}]));
    }

    async fn a_user_who_cancels_comes_back_with_an_error(world: World) {
        let issuer = Issuer::start().await;
        let app = world.serve(&issuer.settings(&[])).await;
        issuer.cancel();
        let mut browser = Browser::new();
        let callback = browser.at_callback(&app).await;
        let end = location(&browser.get(&callback).await);
        assert!(end.starts_with(APP), "{end}");
        assert_eq!((param(&end, "error").as_deref(), param(&end, "code")), (Some("access_denied"), None));
    }

    async fn a_provider_that_fails_is_reported_by_code(world: World) {
        let issuer = Issuer::start().await;
        let app = world.serve(&issuer.settings(&[])).await;
        let mut browser = Browser::new();
        let callback = browser.at_callback(&app).await;
        issuer.go_down();
        let end = location(&browser.get(&callback).await);
        assert_eq!(param(&end, "error").as_deref(), Some("provider_unavailable"));
    }

    async fn a_flow_that_began_on_one_node_finishes_on_another(world: World) {
        let issuer = Issuer::start().await;
        let (one, other) = (world.serve(&issuer.settings(&[])).await, world.serve(&issuer.settings(&[])).await);
        issuer.user(ada());
        let mut browser = Browser::new();
        let callback = browser.at_callback(&one).await;
        let end = location(&browser.get(&callback.replace(&one.url, &other.url)).await);
        let code = param(&end, "code");
        // The redirect URI of the request is that of the node that began: the nodes of this test have different URLs.
        if code.is_none() {
            assert_eq!(param(&end, "error").as_deref(), Some("provider_refused"));
        }
        let code = Browser::new().sign_in(&one).await;
        signed_in(&other, &code).await;
    }

    async fn a_code_works_once_and_a_flow_opens_one_session(world: World) {
        let issuer = Issuer::start().await;
        let app = world.serve(&issuer.settings(&[])).await;
        issuer.user(ada());
        let code = Browser::new().sign_in(&app).await;
        signed_in(&app, &code).await;
        problem(exchange(&app, &code).await, 401, "invalid_code").await;
    }

    async fn many_exchanges_of_one_code_open_one_session(world: World) {
        let issuer = Issuer::start().await;
        let app = world.serve(&issuer.settings(&[])).await;
        issuer.user(ada());
        let code = Browser::new().sign_in(&app).await;
        let tries = (0..8).map(|_| exchange(&app, &code));
        let statuses: Vec<_> = futures_util::future::join_all(tries).await.iter().map(|r| r.status().as_u16()).collect();
        assert_eq!(statuses.iter().filter(|status| **status == 201).count(), 1, "{statuses:?}");
        assert!(statuses.iter().all(|status| matches!(status, 201 | 401)), "{statuses:?}");
    }

    async fn two_first_sign_ins_at_once_make_one_user(world: World) {
        let issuer = Issuer::start().await;
        let app = world.serve(&issuer.settings(&[])).await;
        issuer.user(ada());
        let (one, other) = (Browser::new().sign_in(&app).await, Browser::new().sign_in(&app).await);
        let (one, other) = tokio::join!(exchange(&app, &one), exchange(&app, &other));
        let statuses = [one.status().as_u16(), other.status().as_u16()];
        assert!(statuses.contains(&201) && statuses.iter().all(|status| matches!(status, 201 | 409)), "{statuses:?}");
        let admin = app.admin().await;
        let users = app.json("/api/v1/users?email=ada@example.com", &admin.token).await;
        assert_eq!(users.as_array().unwrap().len(), 1);
    }

    async fn a_second_factor_is_still_required(world: World) {
        let issuer = Issuer::start().await;
        let app = world.serve(&issuer.settings(&[])).await;
        require_second_factor(&app).await;
        issuer.user(ada());
        let response = exchange(&app, &Browser::new().sign_in(&app).await).await;
        assert_eq!(response.status(), 202);
        let body: serde_json::Value = response.json().await.unwrap();
        assert_eq!(body["owed"], "enrolment");
    }

    async fn a_trusted_provider_satisfies_the_second_factor(world: World) {
        let issuer = Issuer::start().await;
        let app = world.serve(&issuer.settings(&[("providers.acme.trust_mfa", "true")])).await;
        require_second_factor(&app).await;
        issuer.user(ada());
        assert_eq!(exchange(&app, &Browser::new().sign_in(&app).await).await.status(), 202, "no amr");
        let mut claims = ada();
        claims["amr"] = json!(["pwd", "mfa"]);
        issuer.user(claims);
        let body = signed_in(&app, &Browser::new().sign_in(&app).await).await;
        assert_eq!(app.me_status(body["access_token"].as_str().unwrap()).await, 200);
    }

    async fn a_profile_is_mapped_and_updated_where_configured(world: World) {
        let issuer = Issuer::start().await;
        let app = world.serve(&issuer.settings(&[
            ("providers.acme.update_profile", "true"),
            ("providers.acme.claims.name", "display"),
            ("providers.acme.claims.attributes.team", "/team/name"),
            ("providers.acme.role_claim", "groups"),
            ("providers.acme.roles.staff", "support"),
        ])).await;
        let admin = app.admin().await;
        let role = json!({"name": "support", "permissions": ["users:read"]});
        let created = app.request(reqwest::Method::POST, "/api/v1/roles", Some(&admin.token)).json(&role).send().await.unwrap();
        assert_eq!(created.status(), 201);
        let claims = |name: &str, groups: &[&str]| json!({"sub": "1", "email": "a@example.com", "email_verified": true,
            "display": name, "team": {"name": "blue"}, "groups": groups});
        issuer.user(claims("One", &[]));
        let body = signed_in(&app, &Browser::new().sign_in(&app).await).await;
        assert_eq!((&body["user"]["name"], &body["user"]["role"]), (&json!("One"), &json!("user")));
        assert_eq!(body["user"]["attributes"], json!({"team": "blue"}));
        issuer.user(claims("Two", &["other", "staff"]));
        let body = signed_in(&app, &Browser::new().sign_in(&app).await).await;
        assert_eq!((&body["user"]["name"], &body["user"]["role"]), (&json!("Two"), &json!("support")));
        // A user who leaves the group at the provider loses the role.
        issuer.user(claims("Two", &["other"]));
        let body = signed_in(&app, &Browser::new().sign_in(&app).await).await;
        assert_eq!(body["user"]["role"], "user");
    }

    async fn a_flow_may_end_at_the_sign_in_page_of_the_server(world: World) {
        let issuer = Issuer::start().await;
        let app = world.serve(&issuer.settings(&[("sign_in.redirect_urls", "")])).await;
        issuer.user(ada());
        let begin = async |browser: &mut Browser, redirect_to: &str| {
            let challenge = challenge();
            let url = format!("{}/api/v1/auth/acme?redirect_to={redirect_to}&code_challenge={challenge}", app.url);
            browser.get(&url).await
        };
        let mut browser = Browser::new();
        let own = format!("{}/account/sign-in?return_to=/docs/", app.url);
        let at_provider = location(&begin(&mut browser, &own.replace('?', "%3F").replace('=', "%3D")).await);
        let callback = location(&browser.get(&at_provider).await);
        let end = location(&browser.get(&callback).await);
        assert!(end.starts_with(&format!("{own}&code=")), "{end}");
        signed_in(&app, &param(&end, "code").unwrap()).await;
        for other in [format!("{}/account/", app.url), format!("{}/account/sign-in/x", app.url), super::APP.to_owned()] {
            problem(begin(&mut browser, &other).await, 400, "invalid_input").await;
        }
    }

    async fn cookies_carry_the_session_where_wanted(world: World) {
        let issuer = Issuer::start().await;
        let app = world.serve(&issuer.settings(&[])).await;
        issuer.user(ada());
        let code = Browser::new().sign_in(&app).await;
        let body = json!({"code": code, "code_verifier": VERIFIER, "cookies": true});
        let response = app.post("/api/v1/sessions/exchange", &body).await;
        assert_eq!(response.status(), 201);
        let cookies: Vec<_> = response.headers().get_all("set-cookie").iter().map(|c| c.to_str().unwrap()).collect();
        assert!(cookies.iter().any(|cookie| cookie.starts_with("__Host-denizen_access=")), "{cookies:?}");
    }
}
