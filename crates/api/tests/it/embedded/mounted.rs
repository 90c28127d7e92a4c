//! The server under a path of the application: with `mount_path`, and with `Router::nest`.

use denizen::Builder;
use denizen_proto::v1::GetMeRequest;
use reqwest::{Method, Response};
use serde_json::Value;

use super::{PATH, embed, sign_up};
use crate::browser::Browser;
use crate::grpc::client::Rpc;
use crate::harness::{TestApp, on_both, problem};

/// The public URL of a server that is mounted at [`PATH`], as the client of `denizen-client` and every page see it.
fn below(mut app: TestApp) -> TestApp {
    app.url.push_str(PATH);
    app
}

/// The address in `Location` or `Link`, from the root of the host.
fn target(response: &Response, name: &str) -> Option<String> {
    let value = response.headers().get(name)?.to_str().unwrap();
    Some(value.trim_start_matches('<').split('>').next().unwrap().to_owned())
}

async fn text(app: &TestApp, path: &str) -> String {
    let response = app.request(Method::GET, path, None).send().await.unwrap();
    assert_eq!(response.status(), 200, "{path}");
    response.text().await.unwrap()
}

/// Everything that names an address names one below the path, and it is served there.
async fn check(app: TestApp) {
    let host = app.url.clone();
    let app = below(app);
    let at_root = async |path: &str, token: &str| {
        app.client.get(format!("{host}{path}")).bearer_auth(token).send().await.unwrap()
    };

    let admin = app.admin().await;
    let created = sign_up(&app, "/api/v1/users", "ada@example.com").await;
    let location = target(&created, "location").unwrap();
    assert!(location.starts_with(&format!("{PATH}/api/v1/users/")), "{location}");
    let user: Value = at_root(&location, &admin.token).await.json().await.unwrap();
    assert_eq!(user["email"], "ada@example.com");

    let (mut next, mut seen) = (Some(format!("{PATH}/api/v1/roles?limit=1")), 0);
    while let Some(page) = next {
        let response = at_root(&page, &admin.token).await;
        assert_eq!(response.status(), 200, "{page}");
        next = target(&response, "link").filter(|_| seen < 10);
        seen += response.json::<Value>().await.unwrap().as_array().unwrap().len();
    }
    assert!((2..10).contains(&seen), "{seen} roles");

    for path in ["", "/docs/", "/account/sign-in", "/account/page.css", "/health/ready"] {
        text(&app, path).await;
    }
    let page =
        app.request(Method::GET, "", None).header("accept", "text/html").send().await.unwrap().text().await.unwrap();
    assert!(page.contains(&format!("href=\"{PATH}/docs/\"")), "{page}");
    let document: Value = app.json("/api/v1/openapi.json", "").await;
    assert_eq!(document["servers"][0]["url"], PATH);

    let metadata: Value = app.json("/.well-known/openid-configuration", "").await;
    assert_eq!(metadata["issuer"], app.url);
    let keys = app.client.get(metadata["jwks_uri"].as_str().unwrap()).send().await.unwrap();
    assert_eq!(keys.json::<Value>().await.unwrap()["keys"].as_array().unwrap().len(), 1);
    // A service that knows the issuer only.
    let verifier = denizen_client::Verifier::builder(&app.url).audience("denizen").allow_http().build().unwrap();
    verifier.verify(&admin.token).await.expect("a token of the mounted server");

    let browser = Browser::signed_in(&app, "ada@example.com").await;
    assert_eq!(browser.me(&app).await.status(), 200);
    assert_eq!(browser.refresh(&app).await.status(), 200);
    assert_eq!(browser.change(&app, Method::DELETE, "/api/v1/sessions/current", None).await.status(), 204);
    assert_eq!(browser.me(&app).await.status(), 401);

    app.post("/api/v1/password-resets", &serde_json::json!({"email": "ada@example.com"})).await;
    let token = app.token_to("ada@example.com", "reset-password").await;
    let link = format!("{}/account/reset-password?token={token}", app.url);
    assert!(app.letters_to("ada@example.com").iter().any(|letter| letter.text.contains(&link)), "{link}");
    assert_eq!(app.client.get(link).send().await.unwrap().status(), 200);

    let sessions = app.json("/api/v1/sessions", &admin.token).await;
    assert_eq!(sessions[0]["address"], "127.0.0.1");
    problem(app.get("/nothing", &admin.token).await, 404, "route_not_found").await;
    assert_eq!(at_root("/hello", "").await.text().await.unwrap(), "hello");
    let outside = at_root("/api/v1/users", &admin.token).await;
    assert_eq!((outside.status().as_u16(), outside.text().await.unwrap().as_str()), (404, ""), "the application's own");
}

on_both! {
    async fn mount_path_puts_everything_under_the_path(world: World) {
        let build = async |builder: Builder| builder.mount_path(PATH).build().await;
        let (app, _) = embed(&world, "", build, |own, denizen| own.merge(denizen.router())).await;
        let host = app.url.clone();
        for document in ["oauth-authorization-server", "openid-configuration"] {
            let at_root = app.json(&format!("/.well-known/{document}{PATH}"), "").await;
            assert_eq!(at_root["issuer"], format!("{host}{PATH}"));
        }
        text(&app, &format!("{PATH}/")).await;
        let rpc = Rpc::at(&host);
        let health = rpc.health().check(tonic_health::pb::HealthCheckRequest::default()).await.unwrap();
        assert_eq!(health.into_inner().status, 1, "gRPC stays at the root");
        let refused = rpc.users().get_me(GetMeRequest::default()).await.unwrap_err();
        assert_eq!(refused.code(), tonic::Code::Unauthenticated);
        check(app).await;
    }

    async fn nested_routes_use_the_path_of_the_public_url(world: World) {
        let build = async |builder: Builder| builder.build().await;
        let (app, _) = embed(&world, PATH, build, |own, denizen| own.nest(PATH, denizen.router())).await;
        check(app).await;
    }
}
