//! Query parameters: unknown ones are refused on every route, and `+` is not misread silently.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Db, PASSWORD, TestApp, field_problem, fields_problem, on_both, problem};

#[tokio::test]
async fn unknown_parameters_are_refused_on_every_route() {
    let app = TestApp::start(Db::Sqlite).await;
    let admin = app.admin().await;
    let document: Value = app.json("/api/v1/openapi.json", "").await;
    let mut walked = 0;
    for (template, item) in document["paths"].as_object().unwrap() {
        let path = template.replace("{id}", &admin.id).replace("{delivery_id}", &admin.id).replace("{role}", "user");
        for method in ["get", "post", "put", "patch", "delete"].iter().filter(|method| item.get(**method).is_some()) {
            let is_tolerant = ["/oauth2/", "/.well-known/"].iter().any(|prefix| path.starts_with(prefix));
            if is_tolerant || path.contains('{') {
                continue;
            }
            let method = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
            let path = format!("{path}?unknown=1");
            let response = app.request(method.clone(), &path, Some(&admin.token)).send().await.unwrap();
            assert_eq!(response.status(), 400, "{method} {path}");
            field_problem(response, "unknown", "unknown_field").await;
            walked += 1;
        }
    }
    assert!(walked > 70, "{walked} operations");
}

on_both! {
    async fn a_parameter_of_another_operation_does_nothing(app: TestApp) {
        let admin = app.admin().await;
        let email = app.fresh_email();
        let body = json!({"email": email, "password": PASSWORD, "name": "A"});
        field_problem(app.post("/api/v1/users?dry_run=true", &body).await, "dry_run", "unknown_field").await;
        problem(app.try_sign_in(&email, PASSWORD).await, 401, "invalid_credentials").await;
        field_problem(app.get("/api/v1/users/export?role=admin", &admin.token).await, "role", "unknown_field").await;
        let removed = app.delete(&format!("{}?dry_run=true&force=1", admin.path()), &admin.token).await;
        fields_problem(removed, &[("dry_run", "unknown_field"), ("force", "unknown_field")]).await;
        let head = app.request(Method::HEAD, "/api/v1/me?x=1", Some(&admin.token)).send().await.unwrap();
        assert_eq!(head.status(), 400);
        assert_eq!(app.get("/api/v1/me?", &admin.token).await.status(), 200);
    }

    async fn an_offset_that_is_not_encoded_is_explained(app: TestApp) {
        let admin = app.admin().await;
        let get = async |query: &str| app.get(&format!("/api/v1/users?{query}"), &admin.token).await;
        let error = problem(get("created_after=2026-01-01T00:00:00+02:00").await, 400, "invalid_input").await;
        assert!(error["fields"][0]["message"].as_str().unwrap().contains("%2B"), "{error}");
        assert_eq!(get("created_after=2026-01-01T00:00:00%2B02:00").await.status(), 200);
        for query in ["q=ada+x@example.com", "email=ada+x@example.com"] {
            let error = problem(get(query).await, 400, "invalid_input").await;
            assert!(error["fields"][0]["message"].as_str().unwrap().contains("%2B"), "{error}");
        }
        for query in ["q=ada%2Bx@example.com", "email=ada%2Bx@example.com", "q=Ada+Lovelace", "q=Ada%20Lovelace"] {
            assert_eq!(get(query).await.status(), 200, "{query}");
        }
    }
}
