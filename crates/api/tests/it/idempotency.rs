//! `Idempotency-Key`: a `POST` that is sent twice is done once.

use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::harness::{PASSWORD, TestApp, World, field_problem, on_both, problem};

const USERS: &str = "/api/v1/users";
const SESSIONS: &str = "/api/v1/sessions";

async fn post(app: &TestApp, path: &str, key: &str, token: Option<&str>, body: &Value) -> Response {
    app.request(Method::POST, path, token).header("idempotency-key", key).json(body).send().await.unwrap()
}

fn new_user(email: &str) -> Value {
    json!({"email": email, "password": PASSWORD, "name": "Some Body"})
}

fn is_replayed(response: &Response) -> bool {
    response.headers().get("idempotency-replayed").is_some_and(|value| value == "true")
}

/// Everything of an answer that belongs to it.
async fn answer(response: Response) -> (u16, Vec<Option<String>>, String) {
    let names = ["content-type", "location", "etag", "cache-control"];
    let headers = names.map(|name| response.headers().get(name).map(|value| value.to_str().unwrap().to_owned()));
    (response.status().as_u16(), headers.to_vec(), response.text().await.unwrap())
}

async fn users(app: &TestApp) -> usize {
    let admin = app.admin().await;
    app.json("/api/v1/users?role=user&limit=200", &admin.token).await.as_array().unwrap().len()
}

/// Every byte that the database keeps, as far as a dump shows it.
async fn dump(world: &World) -> Vec<u8> {
    if let Some(database) = &world.database {
        let rows = database.texts("SELECT encode(sealed_answer, 'escape') || encode(key, 'escape') || encode(fingerprint, 'escape') FROM idempotency_keys WHERE sealed_answer IS NOT NULL").await;
        return rows.join("\n").into_bytes();
    }
    let file = world.sqlite_file().unwrap();
    let journal = std::fs::read(format!("{}-wal", file.display())).unwrap_or_default();
    [std::fs::read(file).unwrap(), journal].concat()
}

fn contains(haystack: &[u8], needle: &str) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle.as_bytes())
}

on_both! {
    async fn the_first_answer_is_given_again(app: TestApp) {
        let first = post(&app, USERS, "key-1", None, &new_user("a@example.com")).await;
        assert!(!is_replayed(&first));
        let first = answer(first).await;
        assert_eq!(first.0, 201);
        for _ in 0..3 {
            let again = post(&app, USERS, "key-1", None, &new_user("a@example.com")).await;
            assert!(is_replayed(&again));
            assert_eq!(answer(again).await, first);
        }
        assert_eq!(users(&app).await, 1);
        let fresh = post(&app, USERS, "key-2", None, &new_user("a@example.com")).await;
        problem(fresh, 409, "email_taken").await;
    }

    async fn a_repetition_has_a_request_id_of_its_own(app: TestApp) {
        let ids = [post(&app, USERS, "k", None, &new_user("a@example.com")).await, post(&app, USERS, "k", None, &new_user("a@example.com")).await]
            .map(|response| response.headers()["x-request-id"].clone());
        assert_ne!(ids[0], ids[1]);
    }

    async fn another_request_under_the_key_is_refused(app: TestApp) {
        assert_eq!(post(&app, USERS, "key", None, &new_user("a@example.com")).await.status(), 201);
        problem(post(&app, USERS, "key", None, &new_user("b@example.com")).await, 409, "idempotency_key_reused").await;
        let elsewhere = post(&app, SESSIONS, "key", None, &json!({"email": "a@example.com", "password": PASSWORD})).await;
        problem(elsewhere, 409, "idempotency_key_reused").await;
        problem(app.try_sign_in("b@example.com", PASSWORD).await, 401, "invalid_credentials").await;
    }

    async fn fifty_at_once_do_it_once(app: TestApp) {
        let tasks: Vec<_> = (0..50).map(|_| {
            let request = app.request(Method::POST, USERS, None).header("idempotency-key", "key");
            tokio::spawn(request.json(&new_user("a@example.com")).send())
        }).collect();
        let (mut created, mut bodies) = (0, Vec::new());
        for task in tasks {
            let response = task.await.unwrap().unwrap();
            match response.status().as_u16() {
                201 => {
                    created += usize::from(!is_replayed(&response));
                    bodies.push(response.text().await.unwrap());
                }
                _ => drop(problem(response, 409, "idempotency_in_progress").await),
            }
        }
        assert_eq!(created, 1);
        assert!(bodies.iter().all(|body| *body == bodies[0]));
        assert_eq!(users(&app).await, 1);
        assert!(is_replayed(&post(&app, USERS, "key", None, &new_user("a@example.com")).await));
    }

    async fn keys_are_the_callers_own(app: TestApp) {
        let admins = [app.admin().await, app.admin().await];
        assert_eq!(post(&app, USERS, "key", None, &new_user("a@example.com")).await.status(), 201);
        for (at, admin) in admins.iter().enumerate() {
            let response = post(&app, USERS, "key", Some(&admin.token), &new_user(&format!("b{at}@example.com"))).await;
            assert_eq!(response.status(), 201);
            assert!(!is_replayed(&response));
        }
        // The same caller by another session is the same caller.
        let again = app.sign_in(&admins[0].email).await;
        assert!(is_replayed(&post(&app, USERS, "key", Some(&again.token), &new_user("b0@example.com")).await));
        // By a key that may do less they are another one.
        let key = app.request(Method::POST, "/api/v1/api-keys", Some(&again.token));
        let key = key.json(&json!({"name": "reader", "scopes": ["users:read"]})).send().await.unwrap();
        let key = key.json::<Value>().await.unwrap()["key"].as_str().unwrap().to_owned();
        assert_eq!(post(&app, USERS, "key", Some(&key), &new_user("b0@example.com")).await.status(), 409);
    }

    async fn a_key_is_visible_and_bounded(app: TestApp) {
        for key in ["", "two words", "tab\tbed", "ü", &"k".repeat(256)] {
            let response = post(&app, USERS, key, None, &new_user("a@example.com")).await;
            field_problem(response, "Idempotency-Key", "malformed").await;
        }
        assert_eq!(users(&app).await, 0);
        assert_eq!(post(&app, USERS, &"k".repeat(255), None, &new_user("a@example.com")).await.status(), 201);
    }

    async fn a_refusal_is_given_again_too(app: TestApp) {
        let bad = json!({"email": "nobody", "password": PASSWORD, "name": "A"});
        let first = problem(post(&app, USERS, "bad", None, &bad).await, 400, "invalid_input").await;
        let again = post(&app, USERS, "bad", None, &bad).await;
        assert!(is_replayed(&again));
        let again = problem(again, 400, "invalid_input").await;
        assert_eq!(again["fields"], first["fields"]);
        assert_ne!(again["request_id"], first["request_id"]);

        app.user().await;
        problem(post(&app, USERS, "taken", None, &new_user("user1@example.com")).await, 409, "email_taken").await;
        let again = post(&app, USERS, "taken", None, &new_user("user1@example.com")).await;
        assert!(is_replayed(&again));
        problem(again, 409, "email_taken").await;
    }

    async fn what_a_repetition_could_do_better_is_not_kept(app: TestApp) {
        let body = json!({"email": "a@example.com", "password": PASSWORD});
        problem(post(&app, SESSIONS, "key", None, &body).await, 401, "invalid_credentials").await;
        assert_eq!(app.post(USERS, &new_user("a@example.com")).await.status(), 201);
        let response = post(&app, SESSIONS, "key", None, &body).await;
        assert_eq!(response.status(), 201);
        assert!(!is_replayed(&response));
    }

    async fn a_replayed_sign_in_is_the_same_session(app: TestApp) {
        let user = app.user().await;
        let body = json!({"email": user.email, "password": PASSWORD});
        let first = answer(post(&app, SESSIONS, "key", None, &body).await).await;
        let again = answer(post(&app, SESSIONS, "key", None, &body).await).await;
        assert_eq!((first.0, &first), (201, &again));
        let token = serde_json::from_str::<Value>(&first.2).unwrap()["access_token"].as_str().unwrap().to_owned();
        assert_eq!(app.delete("/api/v1/sessions/current", &token).await.status(), 204);
        let late = post(&app, SESSIONS, "key", None, &body).await;
        let token = late.json::<Value>().await.unwrap()["access_token"].as_str().unwrap().to_owned();
        assert_eq!(app.me_status(&token).await, 401, "a replay revives nothing");
    }

    async fn the_key_means_nothing_to_other_methods(app: TestApp) {
        let user = app.user().await;
        for name in ["One", "Two"] {
            let request = app.request(Method::PATCH, &user.path(), Some(&user.token)).header("idempotency-key", "key");
            let response = request.json(&json!({"name": name})).send().await.unwrap();
            assert!(!is_replayed(&response));
            assert_eq!(response.json::<Value>().await.unwrap()["name"], name);
        }
    }

    async fn what_is_kept_does_not_show_a_secret(world: World) {
        let app = world.serve(&[]).await;
        let user = app.user().await;
        let body = json!({"email": user.email, "password": PASSWORD});
        let response = post(&app, SESSIONS, "a-key-to-find", None, &body).await;
        let body: Value = response.json().await.unwrap();
        let (token, refresh) = (body["access_token"].as_str().unwrap(), body["refresh_token"].as_str().unwrap());
        let kept = dump(&world).await;
        assert!(kept.len() > token.len(), "something was kept");
        for secret in [token, refresh, &refresh[4..], token.split('.').nth(1).unwrap(), token.rsplit('.').next().unwrap(), PASSWORD, "a-key-to-find"] {
            assert!(!contains(&kept, secret), "{secret} is in the database");
        }
    }

    async fn another_server_of_the_deployment_replays_it_too(world: World) {
        let (one, two) = (world.serve(&[]).await, world.serve(&[]).await);
        let first = answer(post(&one, USERS, "key", None, &new_user("a@example.com")).await).await;
        let again = post(&two, USERS, "key", None, &new_user("a@example.com")).await;
        assert!(is_replayed(&again));
        assert_eq!(answer(again).await, first);
    }
}
