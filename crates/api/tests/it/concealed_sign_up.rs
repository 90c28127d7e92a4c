//! `signup.conceal_existing`: no answer tells whether an address has an account.

use std::time::Duration;

use denizen_proto::v1;
use reqwest::Response;
use serde_json::{Value, json};
use tonic::Code;

use crate::grpc::{Rpc, refused};
use crate::harness::{PASSWORD, SignedIn, TestApp, eventually, on_both, problem, timed};

const USERS: &str = "/api/v1/users";
/// The password of every sign-up here.
const CHOSEN: &str = "a stable and a battery";
/// No concealed answer comes sooner.
const ANSWER_AFTER: Duration = Duration::from_millis(500);

fn body(email: &str) -> Value {
    json!({"email": email, "password": CHOSEN, "name": "Some Body"})
}

/// What a client sees of an answer, without the value of what differs for each request.
async fn seen(response: Response) -> (u16, Vec<(String, usize)>, usize) {
    let status = response.status().as_u16();
    let headers = response.headers().iter().map(|(name, value)| (name.to_string(), value.as_bytes().len()));
    let mut headers: Vec<_> = headers.collect();
    headers.sort();
    (status, headers, response.bytes().await.unwrap().len())
}

/// Adds a user as an admin does, who sees what comes of it.
async fn add(app: &TestApp, admin: &SignedIn, email: &str) {
    let body = json!({"email": email, "password": PASSWORD, "name": "Some Body"});
    assert_eq!(app.post_as(USERS, &admin.token, &body).await.status(), 201);
}

async fn find(app: &TestApp, admin: &SignedIn, email: &str) -> Value {
    app.json(&format!("{USERS}?email={email}"), &admin.token).await[0].clone()
}

async fn verify(app: &TestApp, token: &str, password: Option<&str>) -> u16 {
    let mut body = json!({"token": token});
    if let Some(password) = password {
        body["password"] = json!(password);
    }
    app.post("/api/v1/email-verifications/confirm", &body).await.status().as_u16()
}

on_both! {
    async fn taken_and_free_addresses_are_answered_alike(app: TestApp, "signup.conceal_existing" = "true") {
        let admin = app.admin().await;
        let (taken, free) = ("taken@example.com", "free1@example.com");
        add(&app, &admin, taken).await;
        let before = find(&app, &admin, taken).await;

        let mut answers = Vec::new();
        // The address that was free is pending by the third time.
        for email in [taken, free, free] {
            let (response, took) = timed(app.post(USERS, &body(email))).await;
            assert!(took >= ANSWER_AFTER, "{email}: {took:?}");
            answers.push(seen(response).await);
        }
        assert_eq!((answers[0].0, answers[0].2), (202, 0), "{answers:?}");
        assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");

        // With an idempotency key, and again with the same key.
        let mut answers = Vec::new();
        for email in [taken, "free2@example.com"] {
            let send = async || {
                let request = app.request(reqwest::Method::POST, USERS, None).json(&body(email));
                seen(request.header("idempotency-key", format!("key of {email}").replace(' ', "-")).send().await.unwrap()).await
            };
            answers.push((send().await, send().await));
        }
        assert_eq!(answers[0], answers[1]);
        assert_eq!((answers[0].0.0, answers[0].1.0), (202, 202));

        // Nor does what was chosen open anything, or a guess look another way.
        let mut answers = Vec::new();
        for email in [taken, free] {
            answers.push(seen(app.try_sign_in(email, CHOSEN).await).await);
            answers.push(seen(app.try_sign_in(email, "another password").await).await);
        }
        assert_eq!(answers[0].0, 401);
        assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");

        // The mailboxes learn what the client does not.
        app.token_to("free2@example.com", "verify-email").await;
        app.tokens_to(free, "verify-email", 2).await;
        let notices = || app.letters_to(taken).iter().filter(|letter| letter.subject.contains("already have")).count();
        eventually("the owner is told each time", Duration::from_secs(20), async || notices() == 2).await;
        assert_eq!(find(&app, &admin, taken).await["updated_at"], before["updated_at"], "nothing changed");
        assert_eq!(find(&app, &admin, free).await["status"], "invited");
        app.sign_in(taken).await;
    }

    async fn an_account_opens_once_its_address_is_verified(app: TestApp, "signup.conceal_existing" = "true") {
        let admin = app.admin().await;
        for email in ["with@example.com", "without@example.com"] {
            assert_eq!(app.post(USERS, &body(email)).await.status(), 202);
            problem(app.try_sign_in(email, CHOSEN).await, 401, "invalid_credentials").await;
        }
        let token = app.token_to("with@example.com", "verify-email").await;
        assert_eq!(verify(&app, &token, Some(CHOSEN)).await, 204);
        let user = find(&app, &admin, "with@example.com").await;
        assert_eq!((&user["status"], &user["email_verified"]), (&json!("active"), &json!(true)));
        assert_eq!(app.try_sign_in("with@example.com", CHOSEN).await.status(), 201);

        // By the link alone the chosen password is removed, and the owner sets another one.
        let token = app.token_to("without@example.com", "verify-email").await;
        assert_eq!(verify(&app, &token, None).await, 204);
        assert_eq!(find(&app, &admin, "without@example.com").await["status"], "active");
        problem(app.try_sign_in("without@example.com", CHOSEN).await, 401, "invalid_credentials").await;
        assert_eq!(app.post("/api/v1/password-resets", &json!({"email": "without@example.com"})).await.status(), 202);
        let token = app.token_to("without@example.com", "reset-password").await;
        let reset = json!({"token": token, "new_password": PASSWORD});
        assert_eq!(app.post("/api/v1/password-resets/confirm", &reset).await.status(), 204);
        app.sign_in("without@example.com").await;
    }

    async fn an_account_opens_with_the_role_that_it_was_given_meanwhile(app: TestApp, "signup.conceal_existing" = "true") {
        let (admin, email) = (app.admin().await, "ada@example.com");
        assert_eq!(app.post(USERS, &body(email)).await.status(), 202);
        let token = app.token_to(email, "verify-email").await;
        let path = format!("{USERS}/{}", find(&app, &admin, email).await["id"].as_str().unwrap());
        assert_eq!(app.patch(&path, &admin.token, &json!({"role": "admin"})).await.status(), 200);
        assert_eq!(verify(&app, &token, Some(CHOSEN)).await, 204);
        let user = app.json(&path, &admin.token).await;
        assert_eq!((&user["status"], &user["role"]), (&json!("active"), &json!("admin")));
        assert_eq!(app.try_sign_in(email, CHOSEN).await.status(), 201);
    }

    async fn a_pending_account_gets_its_link_whatever_is_asked_for(app: TestApp, "signup.conceal_existing" = "true") {
        let email = "ada@example.com";
        assert_eq!(app.post(USERS, &body(email)).await.status(), 202);
        for (count, path) in [(2, "email-verifications"), (3, "password-resets")] {
            assert_eq!(app.post(&format!("/api/v1/{path}"), &json!({"email": email})).await.status(), 202);
            app.tokens_to(email, "verify-email", count).await;
        }
        let token = app.tokens_to(email, "verify-email", 3).await.pop().unwrap();
        assert_eq!(verify(&app, &token, Some(CHOSEN)).await, 204);
        assert_eq!(app.try_sign_in(email, CHOSEN).await.status(), 201);
    }

    async fn those_who_write_users_are_answered_as_ever(app: TestApp, "signup.conceal_existing" = "true") {
        let admin = app.admin().await;
        add(&app, &admin, "ada@example.com").await;
        problem(app.post_as(USERS, &admin.token, &body("ada@example.com")).await, 409, "email_taken").await;
        let ada = app.sign_in("ada@example.com").await;
        // A user without `users:write` does not learn it either.
        assert_eq!(app.post_as(USERS, &ada.token, &body(&admin.email)).await.status(), 202);
    }

    async fn a_users_own_new_address_tells_nothing(app: TestApp, "signup.conceal_existing" = "true") {
        let admin = app.admin().await;
        add(&app, &admin, "ada@example.com").await;
        let ada = app.sign_in("ada@example.com").await;
        let mut answers = Vec::new();
        for email in [admin.email.as_str(), "user0@example.com"] {
            assert_eq!(email.len(), "user0@example.com".len());
            answers.push(seen(app.patch(&ada.path(), &ada.token, &json!({"email": email})).await).await);
        }
        assert_eq!(answers[0].0, 200);
        assert_eq!(answers[0], answers[1]);
        app.token_to("user0@example.com", "confirm-email").await;
        app.all_is_sent().await;
        assert_eq!(app.tokens_so_far(&admin.email, "confirm-email").len(), 0, "the owner of a taken address gets no link");
    }

    async fn grpc_answers_alike_too(app: TestApp, "signup.conceal_existing" = "true") {
        let admin = app.admin().await;
        add(&app, &admin, "taken@example.com").await;
        let rpc = Rpc::to(&app);
        let new = |email: &str| v1::CreateUserRequest {
            email: email.into(),
            password: CHOSEN.into(),
            name: "Some Body".into(),
            ..v1::CreateUserRequest::default()
        };
        let mut answers = Vec::new();
        for email in ["taken@example.com", "free1@example.com"] {
            let (answer, took) = timed(async { rpc.users().create_user(new(email)).await }).await;
            assert!(took >= ANSWER_AFTER, "{email}: {took:?}");
            answers.push(answer.unwrap().into_inner());
        }
        assert!(answers[0].user.is_none());
        assert_eq!(answers[0], answers[1]);
        let by_admin = rpc.by(&admin.token);
        refused(by_admin.users().create_user(new("taken@example.com")).await, Code::AlreadyExists, "email_taken");
        assert!(by_admin.users().create_user(new("free2@example.com")).await.unwrap().into_inner().user.is_some());
    }

    async fn of_many_sign_ups_at_once_all_are_answered_alike(app: TestApp, "signup.conceal_existing" = "true") {
        let admin = app.admin().await;
        let body = body("ada@example.com");
        let sent = [(); 6].map(|()| app.post(USERS, &body));
        let statuses: Vec<u16> =
            futures_util::future::join_all(sent).await.iter().map(|response| response.status().as_u16()).collect();
        assert_eq!(statuses, [202; 6]);
        let users = app.json(&format!("{USERS}?email=ada@example.com"), &admin.token).await;
        assert_eq!(users.as_array().unwrap().len(), 1);
    }

    async fn mail_is_bounded_alike(
        app: TestApp, "signup.conceal_existing" = "true", "limits.sign_up_mails_per_hour" = "2", "limits.mails_per_hour" = "1"
    ) {
        let admin = app.admin().await;
        let taken = "taken@example.com";
        app.import(&admin, json!({"email": taken, "name": "T"}).to_string()).await;
        // Beyond the budget of the mailbox nothing is sent, and the answer is the same.
        for _ in 0..2 {
            assert_eq!(app.post(USERS, &body(taken)).await.status(), 202);
        }
        // Beyond the budget of the client nothing is made.
        for email in [taken, "free1@example.com"] {
            problem(app.post(USERS, &body(email)).await, 429, "too_many_requests").await;
        }
        assert!(find(&app, &admin, "free1@example.com").await.is_null());
        app.news_to(taken, "You already have an account").await;
        app.all_is_sent().await;
        assert_eq!(app.letters_to(taken).len(), 1);
    }
}
