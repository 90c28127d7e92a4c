//! What refused requests of anonymous callers leave in the database.

use reqwest::{Method, Response};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection, Executor, Row};

use crate::harness::{PASSWORD, TestApp, World, on_both, problem};

const USERS: &str = "/api/v1/users";
/// What an error quotes at most: 64 characters and an ellipsis.
const QUOTED_CHARS_MAX: usize = 65;

async fn post(app: &TestApp, path: &str, key: &str, token: Option<&str>, body: &Value) -> Response {
    app.request(Method::POST, path, token).header("idempotency-key", key).json(body).send().await.unwrap()
}

fn new_user(email: &str) -> Value {
    json!({"email": email, "password": PASSWORD, "name": "Some Body"})
}

/// Runs a statement on the database of the test; the first number of the first row, if there is one.
pub(crate) async fn sql(world: &World, text: &str) -> i64 {
    let text = AssertSqlSafe(text.to_owned());
    if let Some(file) = world.sqlite_file() {
        let mut connection = sqlx::SqliteConnection::connect(&format!("sqlite://{}", file.display())).await.unwrap();
        let row = connection.fetch_optional(text).await.unwrap();
        connection.close().await.unwrap();
        row.map_or(0, |row| row.get(0))
    } else {
        let mut connection = sqlx::PgConnection::connect(&world.database_url).await.unwrap();
        let row = connection.fetch_optional(text).await.unwrap();
        connection.close().await.unwrap();
        row.map_or(0, |row| row.get(0))
    }
}

/// How many rows there are in everything that anonymous requests may write.
async fn rows(app: &TestApp) -> i64 {
    // On PostgreSQL events reach their table a moment after the commit.
    app.services.store.seal_events().await.unwrap();
    let tables =
        ["idempotency_keys", "budgets", "challenges", "outbox", "one_time_tokens", "events", "sessions", "users"];
    let counts = tables.map(|table| format!("(SELECT count(*) FROM {table})")).join(" + ");
    sql(&app.world, &format!("SELECT {counts}")).await
}

async fn answers(world: &World) -> i64 {
    sql(world, "SELECT count(*) FROM idempotency_keys").await
}

fn check_quotes(body: &Value) {
    for field in body["fields"].as_array().unwrap() {
        let length = field["field"].as_str().unwrap().chars().count();
        assert!(length <= QUOTED_CHARS_MAX, "{length} characters are quoted");
    }
}

on_both! {
    async fn refused_requests_leave_nothing(world: World) {
        let app = world.serve(&[]).await;
        let taken = app.user().await.email;
        let long = "x".repeat(100_000);
        let nested = json!({"email": "a@example.com", "password": PASSWORD, "name": "A", "attributes": {&long: {&long[..9]: Value::Null}}});
        let bodies = [
            (json!({&long: 1}), 400),
            (json!({"email": long, "password": long, "name": long, "role": long, "locale": long}), 400),
            (nested, 400),
            (json!([long]), 400),
            (new_user(&taken), 409),
        ];
        // What is sent leaves the outbox.
        app.all_is_sent().await;
        let before = rows(&app).await;
        for (at, (body, status)) in bodies.iter().enumerate() {
            for key in 0..3 {
                let response = post(&app, USERS, &format!("{at}-{key}"), None, body).await;
                assert_eq!(response.status().as_u16(), *status, "{at}");
                let text = response.text().await.unwrap();
                assert!(text.len() < 4_096, "{at}: an error of {} bytes", text.len());
            }
        }
        for path in ["/api/v1/invitations/accept", "/api/v1/password-resets/confirm", "/api/v1/email-changes/confirm"] {
            let body = json!({"token": format!("dno_{}", &long[..1000]), "new_password": PASSWORD, "password": PASSWORD});
            assert_eq!(post(&app, path, "key", None, &body).await.status(), 400, "{path}");
        }
        assert_eq!(rows(&app).await, before);
    }

    async fn errors_quote_a_bounded_part_of_what_was_sent(app: TestApp) {
        let admin = app.admin().await;
        let (long, wide) = ("x".repeat(5_000), "é".repeat(1_000));
        for name in [&long, &wide] {
            let response = app.post(USERS, &json!({name: 1})).await;
            check_quotes(&problem(response, 400, "invalid_input").await);
            let query = reqwest::Url::parse_with_params(&format!("{}{USERS}", app.url), [(name, "1")]).unwrap();
            let response = app.client.get(query).bearer_auth(&admin.token).send().await.unwrap();
            check_quotes(&problem(response, 400, "invalid_input").await);
        }
        for (query, status) in [("after", 400), ("limit", 400), ("created_after", 400), ("status", 400), ("role", 400)] {
            let response = app.get(&format!("{USERS}?{query}={long}"), &admin.token).await;
            assert_eq!(response.status(), status, "{query}");
            assert!(response.text().await.unwrap().len() < 1_024, "{query}");
        }
        for path in [format!("{USERS}/{long}"), format!("/api/v1/roles/{long}"), format!("/{long}")] {
            let text = app.get(&path, &admin.token).await.text().await.unwrap();
            assert!(text.len() < 1_024 && !text.contains(&long[..100]), "{text}");
        }
    }

    async fn failed_guesses_of_one_client_leave_a_bounded_number_of_rows(world: World) {
        let app = world.serve(&[("limits.address_failures_free", "3"), ("limits.failures_delay_s", "600")]).await;
        let before = rows(&app).await;
        for at in 0..12 {
            let status = app.try_sign_in(&format!("nobody{at}@example.com"), PASSWORD).await.status().as_u16();
            assert_eq!(status, if at < 3 { 401 } else { 429 }, "{at}");
        }
        let grown = rows(&app).await - before;
        assert!(grown <= 1 + 2 * 3, "{grown} rows");
    }

    async fn requested_mail_of_one_client_leaves_a_bounded_number_of_rows(world: World) {
        let settings = [("limits.mail_requests_per_hour", "3"), ("sign_in.mailed_codes", "true")];
        let app = world.serve(&settings).await;
        for at in 0..3 {
            assert_eq!(app.post("/api/v1/sessions/codes", &json!({"email": format!("nobody{at}@example.com")})).await.status(), 202);
        }
        let before = sql(&world, "SELECT (SELECT count(*) FROM challenges) + (SELECT count(*) FROM budgets)").await;
        for at in 3..12 {
            let response = app.post("/api/v1/sessions/codes", &json!({"email": format!("nobody{at}@example.com")})).await;
            problem(response, 429, "too_many_requests").await;
        }
        assert_eq!(sql(&world, "SELECT (SELECT count(*) FROM challenges) + (SELECT count(*) FROM budgets)").await, before);
    }

    async fn one_client_stores_a_bounded_size_of_attributes(
        app: TestApp, "limits.sign_up_attributes_kib_per_hour" = "20", "server.trusted_proxies" = "127.0.0.0/8"
    ) {
        let sign_up = async |at: u32, address: &str, kib: usize| {
            let mut body = new_user(&format!("client{at}@example.com"));
            body["attributes"] = json!({"note": "x".repeat(kib * 1024 - 12)});
            app.request(Method::POST, USERS, None).header("x-forwarded-for", address).json(&body).send().await.unwrap()
        };
        assert_eq!(sign_up(1, "2001:db8:1:2::1", 16).await.status(), 201);
        let refused = sign_up(2, "2001:db8:1:2:ffff::9", 5).await;
        assert!(refused.headers().contains_key("retry-after"));
        problem(refused, 429, "too_many_requests").await;
        assert_eq!(sign_up(2, "2001:db8:1:2::1", 4).await.status(), 201, "what was refused was not counted");
        problem(sign_up(3, "2001:db8:1:2::1", 1).await, 429, "too_many_requests").await;
        let plain = app.request(Method::POST, USERS, None).header("x-forwarded-for", "2001:db8:1:2::1");
        assert_eq!(plain.json(&new_user("plain@example.com")).send().await.unwrap().status(), 201, "without attributes");
        assert_eq!(sign_up(4, "2001:db8:1:3::1", 16).await.status(), 201);
        // Callers who may write users are not counted.
        let admin = app.admin().await;
        for at in 5..8 {
            let mut body = new_user(&format!("client{at}@example.com"));
            body["attributes"] = json!({"note": "x".repeat(16_000)});
            assert_eq!(app.post_as(USERS, &admin.token, &body).await.status(), 201);
        }
    }

    async fn beyond_their_share_the_key_of_anonymous_callers_is_ignored(world: World) {
        let settings = ["limits.sign_up_mails_per_hour", "limits.mail_requests_per_hour"].map(|key| (key, "1000000"));
        let app = world.serve(&settings).await;
        assert_eq!(post(&app, USERS, "one", None, &new_user("a@example.com")).await.status(), 201);
        assert_eq!(answers(&world).await, 1);
        // Within the budget of sign-ups, and far beyond that of stored answers.
        sql(&world, "UPDATE budgets SET spent = 999998").await;
        assert_eq!(post(&app, USERS, "two", None, &new_user("b@example.com")).await.status(), 201);
        assert_eq!(answers(&world).await, 1);
        problem(post(&app, USERS, "two", None, &new_user("b@example.com")).await, 409, "email_taken").await;
        let first = post(&app, USERS, "one", None, &new_user("a@example.com")).await;
        assert_eq!(first.headers()["idempotency-replayed"], "true");
    }

    async fn beyond_their_share_authenticated_callers_are_refused_and_nothing_is_done(world: World) {
        let app = world.serve(&[]).await;
        let admin = app.admin().await;
        let accounts = "/api/v1/service-accounts";
        let body = json!({"name": "A", "role": "user"});
        assert_eq!(post(&app, accounts, "one", Some(&admin.token), &body).await.status(), 201);
        sql(&world, "UPDATE budgets SET spent = 1000000").await;
        problem(post(&app, accounts, "two", Some(&admin.token), &body).await, 429, "too_many_requests").await;
        assert_eq!(app.json(accounts, &admin.token).await.as_array().unwrap().len(), 1);
        let again = post(&app, accounts, "one", Some(&admin.token), &body).await;
        assert_eq!(again.headers()["idempotency-replayed"], "true");
    }
}
