//! Link and unlink identities.

use reqwest::{Method, Response};
use serde_json::{Value, json};

use super::issuer::Issuer;
use super::{Browser, VERIFIER, ada, exchange, signed_in};
use crate::anonymous_growth::sql;
use crate::harness::{PASSWORD, SignedIn, TestApp, field_problem, on_both, problem};

async fn link(app: &TestApp, token: &str, code: &str) -> Response {
    let request = app.request(Method::POST, "/api/v1/me/identities/acme", Some(token));
    request.json(&json!({"code": code, "code_verifier": VERIFIER})).send().await.unwrap()
}

async fn linked(app: &TestApp, user: &SignedIn) -> String {
    let response = link(app, &user.token, &Browser::new().sign_in(app).await).await;
    assert_eq!(response.status(), 201);
    let body: Value = response.json().await.unwrap();
    body["id"].as_str().unwrap().to_owned()
}

on_both! {
    async fn a_linked_identity_signs_its_user_in(world: World) {
        let issuer = Issuer::start().await;
        let app = world.serve(&issuer.settings(&[])).await;
        let user = app.user().await;
        issuer.user(json!({"sub": "1", "email": "elsewhere@example.com"}));
        linked(&app, &user).await;
        // The address at the provider is another one, and not even verified: the link decides.
        let body = signed_in(&app, &Browser::new().sign_in(&app).await).await;
        assert_eq!(body["user"]["id"], user.id.as_str());
        app.news_to(&user.email, "sign-in method was added").await;
        // Linked twice is linked once.
        linked(&app, &user).await;
        assert_eq!(app.json("/api/v1/me/identities", &user.token).await.as_array().unwrap().len(), 1);
    }

    async fn an_identity_of_another_user_cannot_be_linked(world: World) {
        let issuer = Issuer::start().await;
        let app = world.serve(&issuer.settings(&[])).await;
        let (one, other) = (app.user().await, app.user().await);
        issuer.user(ada());
        linked(&app, &one).await;
        problem(link(&app, &other.token, &Browser::new().sign_in(&app).await).await, 409, "identity_taken").await;
    }

    async fn an_invited_user_joins_with_an_identity_of_the_invited_address(world: World) {
        let issuer = Issuer::start().await;
        let closed = ("signup.mode", "closed");
        let app = world.serve(&issuer.settings(&[closed, ("providers.acme.link", "verified")])).await;
        let never = world.serve(&issuer.settings(&[closed])).await;
        let admin = app.admin().await;
        let invitation = json!({"email": "ada@example.com", "role": "admin"});
        assert_eq!(app.post_as("/api/v1/invitations", &admin.token, &invitation).await.status(), 201);
        let token = app.token_to("ada@example.com", "accept-invitation").await;

        let mut unverified = ada();
        unverified["email_verified"] = json!(false);
        issuer.user(unverified);
        problem(exchange(&app, &Browser::new().sign_in(&app).await).await, 403, "email_unverified").await;
        issuer.user(ada());
        problem(exchange(&never, &Browser::new().sign_in(&never).await).await, 409, "link_required").await;

        let until = "UPDATE one_time_tokens SET expires_at = expires_at";
        sql(&world, &format!("{until} - 1000000000000")).await;
        problem(exchange(&app, &Browser::new().sign_in(&app).await).await, 409, "link_required").await;
        sql(&world, &format!("{until} + 1000000000000")).await;

        let joined = signed_in(&app, &Browser::new().sign_in(&app).await).await;
        let user = &joined["user"];
        assert_eq!((&user["status"], &user["email_verified"], &user["role"]), (&json!("active"), &json!(true), &json!("admin")));
        assert_eq!(user["name"], "Ada Lovelace", "the invitation had none");
        let body = json!({"token": token, "password": PASSWORD});
        field_problem(app.post("/api/v1/invitations/accept", &body).await, "token", "invalid_token").await;
        let again = signed_in(&app, &Browser::new().sign_in(&app).await).await;
        assert_eq!(again["user"]["id"], user["id"]);
    }

    async fn a_code_is_linked_at_its_own_provider_only(world: World) {
        let issuer = Issuer::start().await;
        let app = world.serve(&issuer.settings(&[
            ("providers.other.issuer", issuer.url()), ("providers.other.client_id", "x"), ("providers.other.client_secret", "y"),
        ])).await;
        let user = app.user().await;
        issuer.user(ada());
        let code = Browser::new().sign_in(&app).await;
        let request = app.request(Method::POST, "/api/v1/me/identities/other", Some(&user.token));
        let response = request.json(&json!({"code": code, "code_verifier": VERIFIER})).send().await.unwrap();
        field_problem(response, "code", "wrong_code").await;
        // It was not used up.
        assert_eq!(link(&app, &user.token, &code).await.status(), 201);
    }

    async fn a_wrong_proof_does_not_look_like_the_end_of_the_session(world: World) {
        let issuer = Issuer::start().await;
        let app = world.serve(&issuer.settings(&[])).await;
        let user = app.user().await;
        issuer.user(ada());
        let path = "/api/v1/me/identities/acme";
        let code = Browser::new().sign_in(&app).await;
        let wrong = json!({"code": code, "code_verifier": "x".repeat(43)});
        field_problem(app.post_as(path, &user.token, &wrong).await, "code", "wrong_code").await;
        assert_eq!(link(&app, &user.token, &code).await.status(), 201);
        field_problem(link(&app, &user.token, &code).await, "code", "wrong_code").await;
        let token = json!({"id_token": "a.b.c", "nonce": "A"});
        field_problem(app.post_as(path, &user.token, &token).await, "id_token", "provider_refused").await;
        let both = json!({"code": code, "id_token": "a.b.c", "code_verifier": VERIFIER});
        field_problem(app.post_as(path, &user.token, &both).await, "id_token", "not_allowed").await;
        assert_eq!(app.me_status(&user.token).await, 200);
    }

    async fn of_two_users_who_link_at_once_one_does(world: World) {
        let issuer = Issuer::start().await;
        let app = world.serve(&issuer.settings(&[])).await;
        let (one, other) = (app.user().await, app.user().await);
        issuer.user(ada());
        let codes = [Browser::new().sign_in(&app).await, Browser::new().sign_in(&app).await];
        let (a, b) = tokio::join!(link(&app, &one.token, &codes[0]), link(&app, &other.token, &codes[1]));
        let mut statuses = [a.status().as_u16(), b.status().as_u16()];
        statuses.sort_unstable();
        assert_eq!(statuses, [201, 409]);
    }

    async fn an_unlinked_identity_signs_nobody_in(world: World) {
        let issuer = Issuer::start().await;
        let app = world.serve(&issuer.settings(&[("signup.mode", "closed")])).await;
        let user = app.admin().await;
        issuer.user(ada());
        let id = linked(&app, &user).await;
        let path = format!("/api/v1/me/identities/{id}");
        assert_eq!(app.delete(&path, &user.token).await.status(), 204);
        problem(app.delete(&path, &user.token).await, 404, "identity_not_found").await;
        problem(exchange(&app, &Browser::new().sign_in(&app).await).await, 403, "signup_closed").await;
        app.news_to(&user.email, "sign-in method was removed").await;
    }

    async fn the_last_way_in_stays(world: World) {
        let issuer = Issuer::start().await;
        let app = world.serve(&issuer.settings(&[])).await;
        issuer.user(ada());
        let body = signed_in(&app, &Browser::new().sign_in(&app).await).await;
        let token = body["access_token"].as_str().unwrap().to_owned();
        issuer.user(json!({"sub": "2", "email": "ada@example.org"}));
        assert_eq!(link(&app, &token, &Browser::new().sign_in(&app).await).await.status(), 201);
        let identities = app.json("/api/v1/me/identities", &token).await;
        let path = |at: usize| format!("/api/v1/me/identities/{}", identities[at]["id"].as_str().unwrap());
        // Both at once: one of them is the last.
        let (first, second) = (path(0), path(1));
        let (one, other) = tokio::join!(app.delete(&first, &token), app.delete(&second, &token));
        let mut statuses = [one.status().as_u16(), other.status().as_u16()];
        statuses.sort_unstable();
        assert_eq!(statuses, [204, 409]);
        assert_eq!(app.json("/api/v1/me/identities", &token).await.as_array().unwrap().len(), 1);
    }

    async fn an_admin_sees_and_unlinks_the_identities_of_others(world: World) {
        let issuer = Issuer::start().await;
        let app = world.serve(&issuer.settings(&[])).await;
        let (admin, user, stranger) = (app.admin().await, app.user().await, app.user().await);
        issuer.user(ada());
        let id = linked(&app, &user).await;
        let list = format!("/api/v1/users/{}/identities", user.id);
        assert_eq!(app.json(&list, &admin.token).await[0]["id"], id.as_str());
        assert_eq!(app.json(&list, &user.token).await[0]["id"], id.as_str());
        problem(app.get(&list, &stranger.token).await, 404, "user_not_found").await;
        let path = format!("{list}/{id}");
        problem(app.delete(&path, &stranger.token).await, 403, "forbidden").await;
        assert_eq!(app.delete(&path, &admin.token).await.status(), 204);
        assert_eq!(app.me_status(&user.token).await, 401, "all sessions of the user end");
    }
}
