//! `/api/v1/sessions`: sign in, sign out, and who no longer counts as signed in.

use std::time::Duration;

use denizen_domain::id::UserId;
use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::harness::{PASSWORD, TestApp, eventually, field_problem, on_both, problem};

/// Everything of an answer that a client can tell apart, but for the time.
async fn seen(response: Response) -> (u16, Vec<(String, String)>, String) {
    let status = response.status().as_u16();
    let headers = response.headers().iter().map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()));
    let mut headers: Vec<_> = headers.filter(|(name, _)| name != "date").collect();
    headers.sort();
    (status, headers, response.text().await.unwrap())
}

async fn stored_hash(app: &TestApp, id: &str) -> String {
    let hash = app.services.store.read().await.unwrap().find_password(UserId::parse(id).unwrap()).await.unwrap();
    hash.unwrap().expose().to_owned()
}

/// Waits until another node than the one that did it refuses the token.
pub(crate) async fn felt(there: &TestApp, token: &str) {
    eventually("felt on another node", Duration::from_secs(5), async || there.me_status(token).await == 401).await;
}

on_both! {
    async fn signing_in_gives_a_token_and_the_user(app: TestApp) {
        let user = app.user().await;
        let response = app.try_sign_in(&user.email.to_uppercase(), PASSWORD).await;
        assert_eq!(response.status(), 201);
        assert_eq!(response.headers()["cache-control"], "no-store");
        let body: Value = response.json().await.unwrap();
        assert_eq!((&body["token_type"], &body["expires_in"]), (&json!("Bearer"), &json!(900)));
        let me = app.json("/api/v1/me", body["access_token"].as_str().unwrap()).await;
        assert_eq!(me["session"]["id"], body["session_id"]);
        assert_eq!((&me["id"], &me["last_sign_in_at"]), (&body["user"]["id"], &body["user"]["last_sign_in_at"]));
        let mut names: Vec<_> = body.as_object().unwrap().keys().collect();
        names.sort();
        assert_eq!(names, ["access_token", "device_token", "expires_in", "refresh_token", "session_id", "token_type", "user"]);
    }

    async fn a_refused_sign_in_does_not_say_why(app: TestApp) {
        let (known, disabled, admin) = (app.user().await, app.user().await, app.admin().await);
        assert_eq!(app.patch(&disabled.path(), &admin.token, &json!({"status": "disabled"})).await.status(), 200);
        app.import(&admin, concat!(
            "{\"email\":\"passwordless@example.com\",\"name\":\"P\"}\n",
            "{\"email\":\"invited@example.com\",\"name\":\"I\",\"status\":\"invited\"}\n",
        )).await;
        let mut answers = Vec::new();
        for (email, password) in [
            (known.email.as_str(), "not the right one"),
            (&disabled.email, PASSWORD),
            (&disabled.email, "not the right one"),
            ("nobody@example.com", PASSWORD),
            ("passwordless@example.com", PASSWORD),
            ("invited@example.com", PASSWORD),
            (&known.email, &format!("{PASSWORD} ")),
            (&known.email, "x"),
        ] {
            let request = app.request(Method::POST, "/api/v1/sessions", None).header("x-request-id", "the-same");
            let body = json!({"email": email, "password": password});
            answers.push(seen(request.json(&body).send().await.unwrap()).await);
        }
        assert_eq!(answers[0].0, 401);
        assert!(answers[0].2.contains("invalid_credentials"));
        for answer in &answers[1..] {
            assert_eq!(answer, &answers[0]);
        }
    }

    async fn malformed_credentials_are_bad_input(app: TestApp) {
        let post = async |body: Value| app.post("/api/v1/sessions", &body).await;
        field_problem(post(json!({"email": "nobody", "password": "x"})).await, "email", "invalid_email").await;
        field_problem(post(json!({"email": "a@b.example", "password": ""})).await, "password", "required").await;
        field_problem(post(json!({"email": "a@b.example", "password": "x".repeat(513)})).await, "password", "too_long").await;
        field_problem(post(json!({"email": "a@b.example"})).await, "password", "required").await;
        field_problem(post(json!({"email": "a@b.example", "password": "x", "otp": "1"})).await, "otp", "unknown_field").await;
        field_problem(post(json!(["a@b.example", "x"])).await, "body", "wrong_type").await;
    }

    async fn signing_out_ends_this_session_alone(app: TestApp) {
        let here = app.user().await;
        let elsewhere = app.sign_in(&here.email).await;
        assert_eq!(app.delete("/api/v1/sessions/current", &here.token).await.status(), 204);
        problem(app.get("/api/v1/me", &here.token).await, 401, "invalid_token").await;
        problem(app.delete("/api/v1/sessions/current", &here.token).await, 401, "invalid_token").await;
        assert_eq!(app.me_status(&elsewhere.token).await, 200);
    }

    async fn another_server_of_the_deployment_feels_it_too(world: World) {
        let (one, two) = (world.serve(&[]).await, world.serve(&[]).await);
        let (user, admin) = (one.user().await, one.admin().await);
        assert_eq!(two.me_status(&user.token).await, 200, "the key and the session are shared");
        assert_eq!(one.delete("/api/v1/sessions/current", &user.token).await.status(), 204);
        felt(&two, &user.token).await;

        let again = two.sign_in(&user.email).await;
        assert_eq!(one.me_status(&again.token).await, 200);
        assert_eq!(two.patch(&user.path(), &admin.token, &json!({"status": "disabled"})).await.status(), 200);
        felt(&one, &again.token).await;
        assert_eq!(one.delete(&user.path(), &admin.token).await.status(), 204);
        assert_eq!(two.get(&user.path(), &admin.token).await.status(), 404);
    }

    async fn credentials_come_one_at_a_time_and_as_a_bearer(app: TestApp) {
        let user = app.user().await;
        let bearer = format!("Bearer {}", user.token);
        let get = async |values: &[&str]| {
            let mut request = app.request(Method::GET, "/api/v1/me", None);
            for value in values {
                request = request.header("authorization", *value);
            }
            request.send().await.unwrap()
        };
        assert_eq!(get(&[&bearer]).await.status(), 200);
        assert_eq!(get(&[&bearer.replace("Bearer", "bEARER")]).await.status(), 200);
        problem(get(&[]).await, 401, "unauthenticated").await;
        for values in [
            vec![bearer.as_str(), bearer.as_str()],
            vec![bearer.as_str(), "Basic YTpi"],
            vec!["Basic YTpi"],
            vec!["Bearer"],
            vec!["Bearer "],
            vec![""],
            vec![user.token.as_str()],
            vec![&bearer.replace("Bearer ", "Bearer,")],
            vec![&bearer.replace("Bearer", "Token")],
            vec![&format!("{bearer} {}", user.token)],
            vec![&format!("{bearer}, {bearer}")],
            vec!["Bearer \u{fffd}"],
        ] {
            let response = get(&values).await;
            let challenge = response.headers()["www-authenticate"].to_str().unwrap().to_owned();
            assert_eq!(challenge, "Bearer realm=\"denizen\", error=\"invalid_token\"", "{values:?}");
            problem(response, 401, "invalid_token").await;
        }
    }

    async fn bad_credentials_fail_where_none_are_needed(app: TestApp) {
        let body = json!({"email": "a@example.com", "password": PASSWORD, "name": "A"});
        let response = app.request(Method::POST, "/api/v1/users", Some("nonsense")).json(&body).send().await.unwrap();
        problem(response, 401, "invalid_token").await;
        problem(app.try_sign_in("a@example.com", PASSWORD).await, 401, "invalid_credentials").await;
    }

    async fn a_stale_token_stands_in_nobodys_way_to_a_new_one(app: TestApp) {
        let user = app.user().await;
        assert_eq!(app.delete("/api/v1/sessions/current", &user.token).await.status(), 204);
        for token in [user.token.as_str(), "nonsense"] {
            for path in ["/health", "/health/live", "/.well-known/jwks.json", "/docs/", "/api/v1/openapi.json"] {
                assert_eq!(app.get(path, token).await.status(), 200, "{path}");
            }
            let body = json!({"email": user.email, "password": PASSWORD});
            let response = app.request(Method::POST, "/api/v1/sessions", Some(token)).json(&body).send().await.unwrap();
            assert_eq!(response.status(), 201);
        }
    }

    async fn an_account_can_be_tried_so_often(app: TestApp, "limits.failures_free" = "5", "limits.failures_delay_s" = "60") {
        let (user, other) = (app.user().await, app.user().await);
        for _ in 0..5 {
            assert_eq!(app.try_sign_in(&user.email, PASSWORD).await.status(), 201, "what is right is not counted");
        }
        for _ in 0..5 {
            problem(app.try_sign_in(&user.email, "a guess").await, 401, "invalid_credentials").await;
        }
        // Another spelling is the same account, the right password is one more try, and nobody is told which it was.
        for (spelling, password) in [(user.email.to_uppercase(), "a guess"), (user.email.clone(), PASSWORD)] {
            let response = app.try_sign_in(&spelling, password).await;
            let retry_after: u32 = response.headers()["retry-after"].to_str().unwrap().parse().unwrap();
            assert!((1..=60).contains(&retry_after), "{retry_after}");
            problem(response, 429, "too_many_requests").await;
        }
        assert_eq!(app.me_status(&user.token).await, 200);
        assert_eq!(app.try_sign_in(&other.email, PASSWORD).await.status(), 201);
        for _ in 0..5 {
            problem(app.try_sign_in("nobody@example.com", "a guess").await, 401, "invalid_credentials").await;
        }
        problem(app.try_sign_in("nobody@example.com", "a guess").await, 429, "too_many_requests").await;
    }

    async fn the_bound_on_tries_holds_in_parallel(app: TestApp, "limits.failures_free" = "10", "limits.failures_delay_s" = "60") {
        let body = json!({"email": "nobody@example.com", "password": "a guess"});
        let tries: Vec<_> = (0..100).map(|_| {
            tokio::spawn(app.request(Method::POST, "/api/v1/sessions", None).json(&body).send())
        }).collect();
        let mut admitted = 0;
        for one in tries {
            match one.await.unwrap().unwrap().status().as_u16() {
                401 => admitted += 1,
                status => assert_eq!(status, 429),
            }
        }
        assert_eq!(admitted, 10);
    }

    async fn a_password_is_hashed_anew_when_parameters_rise(world: World) {
        let before = world.serve(&[]).await;
        let user = before.user().await;
        let old = stored_hash(&before, &user.id).await;
        assert!(old.contains("$m=64,t=1,p=1$"), "{old}");
        let after = world.serve(&[("security.argon2_iterations", "2")]).await;
        problem(after.try_sign_in(&user.email, "a guess").await, 401, "invalid_credentials").await;
        assert_eq!(stored_hash(&after, &user.id).await, old, "a wrong password changes nothing");
        let tag = after.get(&user.path(), &user.token).await.headers()["etag"].to_str().unwrap().split('.').next().unwrap().to_owned();
        let again = after.sign_in(&user.email).await;
        let new = stored_hash(&after, &user.id).await;
        assert!(new.contains("$m=64,t=2,p=1$"), "{new}");
        assert_eq!(after.me_status(&user.token).await, 200, "other sessions live on");
        after.sign_in(&user.email).await;
        assert_eq!(stored_hash(&after, &user.id).await, new, "once is enough");
        let now = after.get(&user.path(), &again.token).await;
        assert!(now.headers()["etag"].to_str().unwrap().starts_with(&tag), "the user did not change");
    }
}
