//! A server below a path: `server.public_url` has one, and a proxy in front takes it off requests.

use reqwest::{Method, redirect};
use serde_json::{Value, json};

use crate::harness::{Db, PASSWORD, TestApp, on_both};

on_both! {
    async fn addresses_stay_below_the_path(app: TestApp, "server.public_url" = "https://example.com/auth/v2") {
        let admin = app.admin().await;
        let body = json!({"email": app.fresh_email(), "password": PASSWORD, "name": "A"});
        let create = async || {
            let request = app.request(Method::POST, "/api/v1/users", None).header("idempotency-key", "one");
            request.json(&body).send().await.unwrap()
        };
        let (first, replayed) = (create().await, create().await);
        for response in [first, replayed] {
            let location = response.headers()["location"].to_str().unwrap().to_owned();
            let user: Value = response.json().await.unwrap();
            assert_eq!(location, format!("/auth/v2/api/v1/users/{}", user["id"].as_str().unwrap()));
        }
        for path in ["/api/v1/users?limit=1", "/api/v1/roles?limit=1", "/api/v1/events?limit=1", "/api/v1/audit?limit=1"] {
            let listed = app.get(path, &admin.token).await;
            let link = listed.headers()["link"].to_str().unwrap();
            let bare = path.split('?').next().unwrap();
            assert!(link.starts_with(&format!("</auth/v2{bare}?limit=1&after=")), "{link}");
        }
    }
}

#[tokio::test]
async fn the_documentation_finds_its_document_below_the_path() {
    let app = TestApp::start_with(Db::Sqlite, &[("server.public_url", "https://example.com/auth")]).await;
    let client = reqwest::Client::builder().no_proxy().redirect(redirect::Policy::none()).build().unwrap();
    let redirected = client.get(format!("{}/docs", app.url)).send().await.unwrap();
    assert_eq!(redirected.headers()["location"], "/auth/docs/");
    let initializer = app.request(Method::GET, "/docs/swagger-initializer.js", None).send().await.unwrap();
    let initializer = initializer.text().await.unwrap();
    assert!(initializer.contains("url: \"../api/v1/openapi.json\""), "{initializer}");
    let document: Value = app.json("/api/v1/openapi.json", "").await;
    assert_eq!(document["servers"][0]["url"], "/auth");
    let metadata: Value = app.json("/.well-known/jwks.json", "").await;
    assert!(metadata["keys"].is_array());
    // Pages behind mailed links refer to their files and to the API by relative addresses.
    let page = app.request(Method::GET, "/account/reset-password", None).send().await.unwrap().text().await.unwrap();
    assert!(page.contains("href=\"page.css\"") && page.contains("src=\"page.js\""), "{page}");
    let script = app.request(Method::GET, "/account/common.js", None).send().await.unwrap().text().await.unwrap();
    assert!(script.contains("\"../api/v1/\""), "{script}");
}

#[tokio::test]
async fn without_a_path_addresses_are_as_they_were() {
    let app = TestApp::start_with(Db::Sqlite, &[("server.public_url", "https://example.com")]).await;
    let admin = app.admin().await;
    let listed = app.get("/api/v1/roles?limit=1", &admin.token).await;
    assert!(listed.headers()["link"].to_str().unwrap().starts_with("</api/v1/roles?limit=1&after="));
    let document: Value = app.json("/api/v1/openapi.json", "").await;
    assert_eq!(document["servers"][0]["url"], "/");
}
