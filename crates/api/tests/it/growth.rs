//! How much one user can make the database grow: rates of what leaves rows, and a bound of sessions.

use denizen_proto::v1;
use prost_types::FieldMask;
use reqwest::Response;
use serde_json::json;
use tokio::task::JoinSet;
use tonic::Code;

use crate::grpc::{Rpc, refused};
use crate::harness::{PASSWORD, SignedIn, TestApp, on_both, problem};

const SESSIONS: &str = "/api/v1/sessions";

async fn rename(app: &TestApp, user: &SignedIn, name: &str) -> Response {
    app.patch(&user.path(), &user.token, &json!({"name": name})).await
}

/// Changes the own name until that is refused, and says how often it was not.
async fn flood(app: &TestApp, user: &SignedIn) -> usize {
    for n in 0..200 {
        let response = rename(app, user, &format!("Name {n}")).await;
        if response.status() != 200 {
            problem(response, 429, "too_many_requests").await;
            return n;
        }
    }
    panic!("two hundred changes were accepted");
}

/// A user who must set a second factor up to sign in.
async fn with_owed_enrolment(app: &TestApp) -> SignedIn {
    let (admin, user) = (app.admin().await, app.user().await);
    let role = json!({"description": "Whoever signs up.", "permissions": [], "second_factor": "required"});
    assert_eq!(app.put("/api/v1/roles/user", &admin.token, &role).await.status(), 200);
    user
}

/// A sign-in that owes a second factor.
async fn challenge(app: &TestApp, user: &SignedIn) -> String {
    let response = app.try_sign_in(&user.email, PASSWORD).await;
    assert_eq!(response.status(), 202);
    response.json::<serde_json::Value>().await.unwrap()["challenge_id"].as_str().unwrap().to_owned()
}

async fn enrol(app: &TestApp, challenge: &str) -> Response {
    let path = format!("{SESSIONS}/challenges/{challenge}/totp");
    app.request(reqwest::Method::POST, &path, None).send().await.unwrap()
}

async fn head(app: &TestApp) -> i64 {
    app.services.store.seal_events().await.unwrap();
    app.services.store.read().await.unwrap().log_bounds().await.unwrap().head
}

async fn live_sessions(app: &TestApp, token: &str) -> Vec<String> {
    let sessions = app.json(&format!("{SESSIONS}?limit=100"), token).await;
    sessions.as_array().unwrap().iter().map(|session| session["id"].as_str().unwrap().to_owned()).collect()
}

/// The ids of the user's sessions that ended because there were too many.
async fn displaced(app: &TestApp, user: &SignedIn) -> Vec<String> {
    app.services.store.seal_events().await.unwrap();
    let events = app.services.store.read().await.unwrap().events_between(0, i64::MAX, 1_000).await.unwrap();
    let of_user = events.into_iter().filter(|event| event.about.as_str() == Some(user.id.as_str()));
    let data = of_user.filter(|event| event.kind == "session.ended").map(|event| json!(event.data));
    let displaced = data.filter(|data| data["reason"] == "too_many_sessions");
    displaced.map(|data| data["session_id"].as_str().unwrap().to_owned()).collect()
}

on_both! {
    async fn a_user_who_floods_changes_is_bounded_over_both_transports(app: TestApp) {
        let (user, other) = (app.user().await, app.user().await);
        let before = head(&app).await;
        let changes = flood(&app, &user).await;
        assert!((60..75).contains(&changes), "{changes}");
        assert!(head(&app).await - before <= 75);

        let update = v1::UpdateUserRequest {
            user: Some(v1::User { id: user.id.clone(), name: "Another".into(), ..Default::default() }),
            update_mask: Some(FieldMask { paths: vec!["name".into()] }),
        };
        let mut answers = Vec::new();
        for _ in 0..3 {
            answers.push(Rpc::to(&app).by(&user.token).users().update_user(update.clone()).await);
        }
        // A change is admitted every two seconds.
        let last = answers.into_iter().find(Result::is_err).expect("one of three is refused");
        refused(last, Code::ResourceExhausted, "too_many_requests");
        for (path, body) in [("/api/v1/api-keys", json!({"name": "a key", "scopes": []})), ("/api/v1/me/totp", json!({}))] {
            let mut limited = 0;
            for _ in 0..3 {
                limited += usize::from(app.post_as(path, &user.token, &body).await.status() == 429);
            }
            assert!(limited >= 1, "{path}");
        }

        assert_eq!(rename(&app, &other, "Not Concerned").await.status(), 200);
        // What only ends something is never refused: a flood of changes does not keep the owner from it.
        let change = json!({"current_password": PASSWORD, "new_password": "another horse battery"});
        assert_eq!(app.put("/api/v1/me/password", &user.token, &change).await.status(), 204);
        assert_eq!(app.delete("/api/v1/sessions/current", &user.token).await.status(), 204);
    }

    async fn enrolments_of_one_sign_in_are_bounded(world: World) {
        let settings = [("limits.account_writes_per_minute", "0")];
        let nodes = [world.serve(&settings).await, world.serve(&settings).await];
        let user = with_owed_enrolment(&nodes[0]).await;
        let challenge = challenge(&nodes[0], &user).await;
        let before = head(&nodes[0]).await;
        let mut tasks = JoinSet::new();
        for n in 0..30 {
            let path = format!("{SESSIONS}/challenges/{challenge}/totp");
            let request = nodes[n % 2].request(reqwest::Method::POST, &path, None);
            tasks.spawn(async move { request.send().await.unwrap() });
        }
        let mut made = 0;
        for response in tasks.join_all().await {
            if response.status() == 201 {
                made += 1;
            } else {
                problem(response, 429, "too_many_requests").await;
            }
        }
        assert_eq!(made, 5);
        assert_eq!(head(&nodes[0]).await - before, 5, "an event for each secret, and none for what is refused");
        // Another sign-in begins again.
        let next = self::challenge(&nodes[1], &user).await;
        assert_eq!(enrol(&nodes[1], &next).await.status(), 201);
    }

    async fn enrolments_while_signing_in_are_changes_of_the_account(app: TestApp, "limits.account_writes_per_minute" = "4") {
        let user = with_owed_enrolment(&app).await;
        let mut made = 0;
        for _ in 0..5 {
            let challenge = challenge(&app, &user).await;
            for _ in 0..3 {
                made += usize::from(enrol(&app, &challenge).await.status() == 201);
            }
        }
        // Eight at once, and one more every fifteen seconds.
        assert!((8..12).contains(&made), "{made}");
    }

    async fn administrators_may_change_far_more(app: TestApp) {
        let (admin, user) = (app.admin().await, app.user().await);
        for n in 0..100 {
            let response = app.patch(&user.path(), &admin.token, &json!({"name": format!("Name {n}")})).await;
            assert_eq!(response.status(), 200);
        }
    }

    async fn a_change_that_changes_nothing_records_nothing(app: TestApp) {
        let user = app.user().await;
        assert_eq!(rename(&app, &user, "The Same").await.status(), 200);
        let before = head(&app).await;
        for _ in 0..5 {
            assert_eq!(rename(&app, &user, "The Same").await.status(), 200);
        }
        assert_eq!(head(&app).await, before);
    }

    async fn sign_ins_of_one_account_are_bounded(app: TestApp, "limits.account_writes_per_minute" = "5") {
        let (user, other) = (app.user().await, app.user().await);
        let mut accepted = 0;
        loop {
            let response = app.try_sign_in(&user.email, PASSWORD).await;
            if response.status() != 201 {
                problem(response, 429, "too_many_requests").await;
                break;
            }
            accepted += 1;
            assert!(accepted < 20);
        }
        assert!((9..12).contains(&accepted), "{accepted}");
        // Who does not know the password learns nothing of it.
        problem(app.try_sign_in(&user.email, "a guess").await, 401, "invalid_credentials").await;
        assert_eq!(app.try_sign_in(&other.email, PASSWORD).await.status(), 201);
    }

    async fn the_oldest_session_ends_beyond_the_bound(
        app: TestApp, "sessions.per_user_max" = "5", "limits.account_writes_per_minute" = "0"
    ) {
        let first = app.user().await;
        let mut opened = vec![first.clone()];
        for _ in 0..11 {
            opened.push(app.sign_in(&first.email).await);
        }
        let newest = opened.last().unwrap();
        let mut expected: Vec<_> = opened[7..].iter().rev().map(|session| session.session_id.clone()).collect();
        assert_eq!(live_sessions(&app, &newest.token).await, expected);
        assert_eq!(app.me_status(&first.token).await, 401);
        let refreshed = app.post("/api/v1/sessions/refresh", &json!({"refresh_token": first.refresh_token})).await;
        assert_eq!(refreshed.status(), 401);
        expected = opened[..7].iter().map(|session| session.session_id.clone()).collect();
        assert_eq!(displaced(&app, &first).await, expected);
    }

    async fn many_sign_ins_at_once_keep_the_bound_over_two_nodes(world: World) {
        let settings = [("sessions.per_user_max", "5"), ("limits.failures_free", "100"), ("limits.account_writes_per_minute", "0")];
        let nodes = [world.serve(&settings).await, world.serve(&settings).await];
        let user = nodes[0].user().await;
        let mut tasks = JoinSet::new();
        for n in 0..30 {
            let body = json!({"email": user.email, "password": PASSWORD});
            let request = nodes[n % 2].request(reqwest::Method::POST, SESSIONS, None).json(&body);
            tasks.spawn(async move { request.send().await.unwrap().status() });
        }
        for status in tasks.join_all().await {
            assert_eq!(status, 201);
        }
        let last = nodes[1].sign_in(&user.email).await;
        assert_eq!(live_sessions(&nodes[0], &last.token).await.len(), 5);
    }

    async fn the_same_news_is_not_mailed_over_and_over(
        app: TestApp, "limits.mails_per_hour" = "2", "limits.account_writes_per_minute" = "0"
    ) {
        let user = app.user().await;
        for n in 0..5 {
            let (before, after) = (if n == 0 { PASSWORD.to_owned() } else { format!("horse battery {n}") }, format!("horse battery {}", n + 1));
            let change = json!({"current_password": before, "new_password": after});
            assert_eq!(app.put("/api/v1/me/password", &user.token, &change).await.status(), 204);
        }
        app.all_is_sent().await;
        let news = app.letters_to(&user.email);
        let news: Vec<_> = news.iter().filter(|letter| letter.subject.to_lowercase().contains("password")).collect();
        assert_eq!(news.len(), 2, "{news:?}");
    }
}
