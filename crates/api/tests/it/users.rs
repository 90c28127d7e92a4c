//! `/api/v1/users`.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{PASSWORD, TestApp, field_problem, on_both, problem};

on_both! {
    async fn a_user_signs_up_and_sees_themselves(app: TestApp) {
        let body = json!({"email": "Ada@Example.COM", "password": PASSWORD, "name": " Ada Lovelace "});
        let response = app.post("/api/v1/users", &body).await;
        assert_eq!(response.status(), 201);
        let location = response.headers()["location"].to_str().unwrap().to_owned();
        let tag = response.headers()["etag"].to_str().unwrap().to_owned();
        let user: Value = response.json().await.unwrap();
        assert_eq!(user["email"], "ada@example.com");
        assert_eq!(user["name"], "Ada Lovelace");
        assert_eq!((&user["role"], &user["status"]), (&json!("user"), &json!("active")));
        assert_eq!((&user["email_verified"], &user["last_sign_in_at"]), (&json!(false), &Value::Null));
        assert_eq!(user["attributes"], json!({}));
        assert_eq!(location, format!("/api/v1/users/{}", user["id"].as_str().unwrap()));

        let ada = app.sign_in("ADA@example.com").await;
        let response = app.get(&location, &ada.token).await;
        assert_ne!(response.headers()["etag"].to_str().unwrap(), tag, "the sign-in shows");
        let seen: Value = response.json().await.unwrap();
        assert!(seen["last_sign_in_at"].is_string());
        assert_eq!(seen["updated_at"], user["updated_at"]);
    }

    async fn an_address_is_taken_once_in_every_spelling(app: TestApp) {
        let user = app.user().await;
        let body = json!({"email": user.email.to_uppercase(), "password": PASSWORD, "name": "Twin"});
        let error = problem(app.post("/api/v1/users", &body).await, 409, "email_taken").await;
        assert_eq!(error["fields"][0]["field"], "email");
    }

    async fn a_stale_change_is_refused(app: TestApp) {
        let user = app.user().await;
        let path = format!("/api/v1/users/{}", user.id);
        let tag = app.get(&path, &user.token).await.headers()["etag"].to_str().unwrap().to_owned();
        let patch = |name: &str, tag: &str| {
            let request = app.request(Method::PATCH, &path, Some(&user.token)).header("if-match", tag);
            request.header("content-type", "application/merge-patch+json").body(json!({"name": name}).to_string()).send()
        };
        let first = patch("First", &tag).await.unwrap();
        assert_eq!(first.status(), 200);
        problem(patch("Second", &tag).await.unwrap(), 412, "stale").await;
        let tag = first.headers()["etag"].to_str().unwrap();
        assert_eq!(patch("Third", tag).await.unwrap().status(), 200);
    }

    async fn unknown_fields_and_wrong_types_name_the_field(app: TestApp) {
        let post = async |body: Value| app.post("/api/v1/users", &body).await;
        field_problem(post(json!({"email": "a@b.example", "password": PASSWORD, "name": "A", "email_verified": true})).await, "email_verified", "unknown_field").await;
        field_problem(post(json!({"email": 5, "password": PASSWORD, "name": "A"})).await, "email", "wrong_type").await;
        field_problem(post(json!({"email": "a@b.example", "password": PASSWORD})).await, "name", "required").await;
        field_problem(post(json!([])).await, "body", "wrong_type").await;
    }
}
