//! `Idempotency-Key`: a `POST` that is sent twice is done once.

use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::harness::{PASSWORD, TestApp, World, field_problem, on_both, problem};

const USERS: &str = "/api/v1/users";
const SESSIONS: &str = "/api/v1/sessions";
const KEYS: &str = "/api/v1/api-keys";

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
        let token = app.admin().await.token;
        let send = async |path, body: Value| post(&app, path, "key", Some(&token), &body).await;
        assert_eq!(send(USERS, new_user("a@example.com")).await.status(), 201);
        problem(send(USERS, new_user("b@example.com")).await, 409, "idempotency_key_reused").await;
        let elsewhere = send("/api/v1/invitations", json!({"email": "b@example.com"})).await;
        problem(elsewhere, 409, "idempotency_key_reused").await;
        problem(app.try_sign_in("b@example.com", PASSWORD).await, 401, "invalid_credentials").await;
    }

    async fn a_key_of_an_anonymous_caller_cannot_be_taken_by_another(app: TestApp) {
        assert_eq!(post(&app, USERS, "key", None, &new_user("a@example.com")).await.status(), 201);
        // The same key in another request is another key.
        let response = post(&app, USERS, "key", None, &new_user("b@example.com")).await;
        assert_eq!((response.status().as_u16(), is_replayed(&response)), (201, false));
        let other_password = json!({"email": "a@example.com", "password": "another good one", "name": "Some Body"});
        problem(post(&app, USERS, "key", None, &other_password).await, 409, "email_taken").await;
        for email in ["a@example.com", "b@example.com"] {
            assert!(is_replayed(&post(&app, USERS, "key", None, &new_user(email)).await));
        }
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

    async fn a_refusal_is_decided_again(app: TestApp) {
        let admin = app.admin().await;
        for token in [None, Some(admin.token.as_str())] {
            let taken = new_user(&admin.email);
            for _ in 0..2 {
                let response = post(&app, USERS, "taken", token, &taken).await;
                assert!(!is_replayed(&response));
                problem(response, 409, "email_taken").await;
            }
        }
        // The key of a refused request is free.
        let bad = json!({"email": "nobody", "password": PASSWORD, "name": "A"});
        problem(post(&app, USERS, "bad", Some(&admin.token), &bad).await, 400, "invalid_input").await;
        assert_eq!(post(&app, USERS, "bad", Some(&admin.token), &new_user("a@example.com")).await.status(), 201);
    }

    async fn a_sign_in_is_never_replayed(app: TestApp) {
        let user = app.user().await;
        let body = json!({"email": user.email, "password": PASSWORD});
        let mut sessions = Vec::new();
        for _ in 0..2 {
            let response = post(&app, SESSIONS, "key", None, &body).await;
            assert_eq!((response.status().as_u16(), is_replayed(&response)), (201, false));
            sessions.push(response.json::<Value>().await.unwrap()["session_id"].clone());
        }
        assert_ne!(sessions[0], sessions[1]);
    }

    async fn a_request_for_mail_does_not_tell_who_has_an_account(app: TestApp) {
        let email = app.user().await.email;
        for path in ["/api/v1/password-resets", "/api/v1/email-verifications"] {
            for email in [email.as_str(), "nobody@example.com"] {
                for _ in 0..2 {
                    let response = post(&app, path, "key", None, &json!({"email": email})).await;
                    assert_eq!((response.status().as_u16(), is_replayed(&response)), (202, false), "{path} {email}");
                }
            }
        }
    }

    async fn a_secret_is_replayed_to_the_same_session_only(app: TestApp) {
        let user = app.user().await;
        let body = json!({"name": "K", "scopes": []});
        let first = post(&app, KEYS, "key", Some(&user.token), &body).await.json::<Value>().await.unwrap();
        let other = app.sign_in(&user.email).await;
        problem(post(&app, KEYS, "key", Some(&other.token), &body).await, 409, "idempotency_key_reused").await;
        let again = post(&app, KEYS, "key", Some(&user.token), &body).await;
        assert!(is_replayed(&again));
        assert_eq!(again.json::<Value>().await.unwrap(), first);
        // Nor does a session that has ended get anything.
        assert_eq!(app.delete("/api/v1/sessions/current", &user.token).await.status(), 204);
        problem(post(&app, KEYS, "key", Some(&user.token), &body).await, 401, "invalid_token").await;
        assert_eq!(app.json(KEYS, &other.token).await.as_array().unwrap().len(), 1);
    }

    async fn answers_with_second_factor_secrets_or_tickets_are_not_stored(app: TestApp) {
        let admin = app.admin().await;
        for path in ["/api/v1/me/totp", "/api/v1/events/tickets"] {
            let mut seen = Vec::new();
            for _ in 0..2 {
                let response = post(&app, path, "key", Some(&admin.token), &json!({})).await;
                assert_eq!((response.status().as_u16(), is_replayed(&response)), (201, false), "{path}");
                seen.push(response.text().await.unwrap());
            }
            assert_ne!(seen[0], seen[1], "{path}");
        }
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
        let response = post(&app, KEYS, "a-key-to-find", Some(&user.token), &json!({"name": "K", "scopes": []})).await;
        let body: Value = response.json().await.unwrap();
        let secret = body["key"].as_str().unwrap();
        let kept = dump(&world).await;
        assert!(kept.len() > secret.len(), "something was kept");
        for hidden in [secret, &secret[4..], &secret[secret.len() / 2..], "a-key-to-find"] {
            assert!(!contains(&kept, hidden), "{hidden} is in the database");
        }
    }

    async fn another_server_of_the_deployment_replays_it_too(world: World) {
        let (one, two) = (world.serve(&[]).await, world.serve(&[]).await);
        let first = answer(post(&one, USERS, "key", None, &new_user("a@example.com")).await).await;
        let again = post(&two, USERS, "key", None, &new_user("a@example.com")).await;
        assert!(is_replayed(&again));
        assert_eq!(answer(again).await, first);
    }

    async fn two_servers_at_once_do_it_once(world: World) {
        let (one, two) = (world.serve(&[]).await, world.serve(&[]).await);
        let admin = one.admin().await;
        let accounts = "/api/v1/service-accounts";
        for round in 0..20 {
            let (key, body) = (format!("key-{round}"), json!({"name": format!("account-{round}"), "role": "user"}));
            let send = |app| post(app, accounts, &key, Some(&admin.token), &body);
            let (first, second) = tokio::join!(send(&one), send(&two));
            let replayed = [is_replayed(&first), is_replayed(&second)];
            let (first, second) = (answer(first).await, answer(second).await);
            assert_eq!((first.0, &first), (201, &second), "round {round}");
            assert_eq!(replayed.iter().filter(|replayed| **replayed).count(), 1, "round {round}: {replayed:?}");
        }
        assert_eq!(one.json(&format!("{accounts}?limit=200"), &admin.token).await.as_array().unwrap().len(), 20);
    }

    async fn two_servers_at_once_sign_up_once(world: World) {
        let (one, two) = (world.serve(&[]).await, world.serve(&[]).await);
        for round in 0..5 {
            let (key, body) = (format!("key-{round}"), new_user(&format!("user{round}@example.com")));
            let send = |app| post(app, USERS, &key, None, &body);
            let (first, second) = tokio::join!(send(&one), send(&two));
            let (first, second) = (answer(first).await, answer(second).await);
            assert_eq!((first.0, &first), (201, &second), "round {round}");
        }
    }

    async fn a_rotation_of_keys_is_repeated_once_it_is_done(app: TestApp) {
        let admin = app.admin().await;
        let keys = "/api/v1/signing-keys";
        let before = app.json(keys, &admin.token).await.as_array().unwrap().len();
        let body = json!({"takeover": "immediate"});
        let first = answer(post(&app, keys, "key", Some(&admin.token), &body).await).await;
        assert_eq!(first.0, 201);
        let made: Value = serde_json::from_str(&first.2).unwrap();
        // The node that did it signs with the new key by the time it answers.
        let token = app.sign_in(&admin.email).await.token;
        let head = jsonwebtoken::decode_header(&token).unwrap();
        assert_eq!(head.kid.as_deref(), made["id"].as_str());
        let again = post(&app, keys, "key", Some(&admin.token), &body).await;
        assert!(is_replayed(&again));
        assert_eq!(answer(again).await, first);
        assert_eq!(app.json(keys, &admin.token).await.as_array().unwrap().len(), before + 1);
    }

    async fn a_replay_of_deliveries_in_several_transactions_is_answered_again(app: TestApp) {
        let admin = app.admin().await;
        let body = json!({"url": "https://example.com/hook", "types": ["user.created"]});
        let made = app.request(Method::POST, "/api/v1/webhooks", Some(&admin.token)).json(&body).send().await.unwrap();
        let made: Value = made.json().await.unwrap();
        let path = format!("/api/v1/webhooks/{}/replay", made["id"].as_str().unwrap());
        let first = answer(post(&app, &path, "key", Some(&admin.token), &json!({"state": "parked"})).await).await;
        assert_eq!(first.0 / 100, 2, "{}", first.2);
        let again = post(&app, &path, "key", Some(&admin.token), &json!({"state": "parked"})).await;
        assert!(is_replayed(&again));
        assert_eq!(answer(again).await, first);
    }
}
