//! `signup.require_verified_email`: no session before the address is verified. `signup.allowed_domains`.

use denizen_domain::id::UserId;
use denizen_domain::roles::RoleName;
use denizen_domain::users::{self, UserChange};
use denizen_proto::v1;
use reqwest::Method;
use serde_json::{Value, json};
use tonic::Code;

use crate::grpc::{Rpc, refused};
use crate::harness::{PASSWORD, SignedIn, TestApp, field_problem, on_both, problem};
use crate::process::run_on;

fn new_user(email: &str) -> Value {
    json!({"email": email, "password": PASSWORD, "name": "Ada"})
}

async fn confirm(app: &TestApp, email: &str, token: &str) {
    let body = json!({"token": token, "password": PASSWORD});
    assert_eq!(app.post("/api/v1/email-verifications/confirm", &body).await.status(), 204, "{email}");
}

/// Signs up, verifies the address and signs in.
async fn verified(app: &TestApp) -> SignedIn {
    let email = app.fresh_email();
    assert_eq!(app.post("/api/v1/users", &new_user(&email)).await.status(), 201);
    let token = app.token_to(&email, "verify-email").await;
    confirm(app, &email, &token).await;
    app.sign_in(&email).await
}

async fn verified_admin(app: &TestApp) -> SignedIn {
    let user = verified(app).await;
    let change = UserChange { role: Some(RoleName::admin()), ..UserChange::default() };
    users::update(&app.operator(), UserId::parse(&user.id).unwrap(), change, None).await.unwrap();
    user
}

fn sign_in_request(email: &str, password: &str) -> v1::SignInRequest {
    v1::SignInRequest { email: email.into(), password: password.into(), ..Default::default() }
}

on_both! {
    async fn the_first_session_needs_a_verified_address(app: TestApp, "signup.require_verified_email" = "true") {
        let made = app.post("/api/v1/users", &new_user("ada@example.com")).await;
        assert_eq!(made.status(), 201);
        let made: Value = made.json().await.unwrap();
        assert!(made.get("access_token").is_none() && made["status"] == "active", "{made}");
        let first = app.token_to("ada@example.com", "verify-email").await;
        problem(app.try_sign_in("ada@example.com", "another password").await, 401, "invalid_credentials").await;
        problem(app.try_sign_in("nobody@example.com", PASSWORD).await, 401, "invalid_credentials").await;
        problem(app.try_sign_in("ada@example.com", PASSWORD).await, 403, "verification_required").await;
        let links = app.tokens_to("ada@example.com", "verify-email", 2).await;
        problem(app.post("/api/v1/email-verifications/confirm", &json!({"token": first})).await, 400, "invalid_input").await;
        confirm(&app, "ada@example.com", &links[1]).await;
        app.sign_in("ada@example.com").await;
    }

    async fn it_is_the_same_over_grpc(app: TestApp, "signup.require_verified_email" = "true") {
        assert_eq!(app.post("/api/v1/users", &new_user("ada@example.com")).await.status(), 201);
        let sign_in = async |password: &str| {
            Rpc::to(&app).sessions().sign_in(sign_in_request("ada@example.com", password)).await
        };
        refused(sign_in("another password").await, Code::Unauthenticated, "invalid_credentials");
        refused(sign_in(PASSWORD).await, Code::PermissionDenied, "verification_required");
    }

    async fn the_owner_is_neither_locked_out_nor_flooded(
        app: TestApp, "signup.require_verified_email" = "true", "limits.failures_free" = "3", "limits.mails_per_hour" = "3"
    ) {
        assert_eq!(app.post("/api/v1/users", &new_user("ada@example.com")).await.status(), 201);
        for _ in 0..8 {
            problem(app.try_sign_in("ada@example.com", PASSWORD).await, 403, "verification_required").await;
        }
        let links = app.tokens_to("ada@example.com", "verify-email", 3).await;
        confirm(&app, "ada@example.com", &links[2]).await;
        app.sign_in("ada@example.com").await;
        assert_eq!(app.tokens_so_far("ada@example.com", "verify-email").len(), 3);
    }

    async fn passkeys_and_second_factors_do_not_get_around_it(app: TestApp, "signup.require_verified_email" = "true") {
        let (admin, user) = (verified_admin(&app).await, verified(&app).await);
        let mut device = app.authenticator();
        app.register(&user, &mut device).await;
        assert_eq!(app.passkey_sign_in(&mut device).await.status(), 201);
        let (challenge, _) = app.challenge(&user.email).await;
        let moved = app.patch(&user.path(), &admin.token, &json!({"email": "moved@example.com"})).await;
        assert_eq!(moved.json::<Value>().await.unwrap()["email_verified"], false);
        problem(app.passkey_sign_in(&mut device).await, 403, "verification_required").await;
        problem(app.try_sign_in("moved@example.com", PASSWORD).await, 403, "verification_required").await;
        let options = app.request(Method::POST, &format!("{challenge}/passkey/options"), None).send().await.unwrap();
        if options.status() == 200 {
            let options: Value = options.json().await.unwrap();
            let answer = json!({"state": options["state"], "credential": device.get(&options["publicKey"])});
            problem(app.post(&format!("{challenge}/passkey"), &answer).await, 403, "verification_required").await;
        }
        let links = app.tokens_to("moved@example.com", "verify-email", 3).await;
        confirm(&app, "moved@example.com", &links[2]).await;
        assert_eq!(app.passkey_sign_in(&mut device).await.status(), 201);
    }

    async fn a_mailed_code_is_a_proof(app: TestApp, "signup.require_verified_email" = "true", "sign_in.mailed_codes" = "true") {
        assert_eq!(app.post("/api/v1/users", &new_user("ada@example.com")).await.status(), 201);
        let asked = app.post("/api/v1/sessions/codes", &json!({"email": "ada@example.com"})).await;
        let id = asked.json::<Value>().await.unwrap()["challenge_id"].as_str().unwrap().to_owned();
        let code = app.codes_to("ada@example.com", 1).await.remove(0);
        let signed_in = app.post(&format!("/api/v1/sessions/challenges/{id}"), &json!({"code": code})).await;
        assert_eq!(signed_in.status(), 201);
        assert_eq!(signed_in.json::<Value>().await.unwrap()["user"]["email_verified"], true);
    }

    async fn addresses_of_other_domains_cannot_sign_up(app: TestApp, "signup.allowed_domains" = "example.com,BÜCHER.example") {
        for email in ["a@example.org", "b@sub.example.com", "c@example.com.evil.example", "d@xn--bcher-kva.example.org"] {
            field_problem(app.post("/api/v1/users", &new_user(email)).await, "email", "domain_not_allowed").await;
            let request = v1::CreateUserRequest { email: email.into(), password: PASSWORD.into(), name: "A".into(), ..Default::default() };
            refused(Rpc::to(&app).users().create_user(request).await, Code::InvalidArgument, "invalid_input");
        }
        for email in ["a@EXAMPLE.com", "b@bücher.example", "c@xn--bcher-kva.example"] {
            assert_eq!(app.post("/api/v1/users", &new_user(email)).await.status(), 201, "{email}");
        }
    }

    async fn a_change_of_address_keeps_to_the_domains(app: TestApp, "signup.allowed_domains" = "example.com") {
        let user = app.user().await;
        let change = json!({"email": "me@example.org"});
        field_problem(app.patch(&user.path(), &user.token, &change).await, "email", "domain_not_allowed").await;
        field_problem(app.post_as("/api/v1/email-changes", &user.token, &change).await, "email", "domain_not_allowed").await;
        let allowed = json!({"email": "me@example.com"});
        assert_eq!(app.post_as("/api/v1/email-changes", &user.token, &allowed).await.status(), 202);
    }

    async fn administrators_invitations_and_imports_are_exempt(app: TestApp, "signup.allowed_domains" = "example.com") {
        let (admin, user) = (app.admin().await, app.user().await);
        assert_eq!(app.post_as("/api/v1/users", &admin.token, &new_user("a@example.org")).await.status(), 201);
        assert_eq!(app.post_as("/api/v1/invitations", &admin.token, &json!({"email": "b@example.org"})).await.status(), 201);
        assert_eq!(app.import(&admin, json!({"email": "c@example.org", "name": "C"}).to_string()).await["created"], 1);
        let moved = app.patch(&user.path(), &admin.token, &json!({"email": "d@example.org"})).await;
        assert_eq!(moved.status(), 200);
        let token = app.token_to("b@example.org", "accept-invitation").await;
        let accepted = app.post("/api/v1/invitations/accept", &json!({"token": token, "password": PASSWORD})).await;
        assert_eq!(accepted.status(), 200);
    }

    async fn concealed_sign_up_answers_by_the_domain_alone(
        app: TestApp, "signup.allowed_domains" = "example.com", "signup.conceal_existing" = "true"
    ) {
        let admin = app.admin().await;
        assert_eq!(app.post_as("/api/v1/users", &admin.token, &new_user("taken@example.org")).await.status(), 201);
        for email in ["taken@example.org", "free@example.org"] {
            field_problem(app.post("/api/v1/users", &new_user(email)).await, "email", "domain_not_allowed").await;
        }
    }

    async fn settings_that_cannot_work_are_refused(world: World) {
        let domains = run_on(&world, &[("signup.allowed_domains", "*.example.com")], &["config", "check"], "").await;
        assert!(domains.only_line(2).contains("without wildcards"), "{domains:?}");
    }
}
