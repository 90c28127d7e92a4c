//! The server inside an application, which has its own routes and listener.

mod accounts;
pub(crate) mod hooks;
mod mounted;
mod transactions;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::routing::get;
use denizen::{BuildError, Builder, Denizen};
use reqwest::Method;
use serde_json::json;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::harness::{Db, PASSWORD, TestApp, World, on_both};

/// Where the tests mount it.
const PATH: &str = "/auth/v2";

/// An application with a route `/hello` of its own, on the listener of axum. The public URL of the server has this path.
async fn embed(
    world: &World,
    path: &str,
    build: impl AsyncFnOnce(Builder) -> Result<Denizen, BuildError>,
    mount: impl FnOnce(Router, &Denizen) -> Router,
) -> (TestApp, Denizen) {
    embed_with(world, path, &[], build, mount).await
}

/// The same with more settings.
async fn embed_with(
    world: &World,
    path: &str,
    settings: &[(&str, &str)],
    build: impl AsyncFnOnce(Builder) -> Result<Denizen, BuildError>,
    mount: impl FnOnce(Router, &Denizen) -> Router,
) -> (TestApp, Denizen) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let public_url = format!("{url}{path}");
    let basics = [("server.public_url", &*public_url), ("tokens.issuer", "")];
    let config = world.config(&[&basics[..], settings].concat());
    let denizen = build(Denizen::builder().config(config)).await.unwrap();
    let app = mount(Router::new().route("/hello", get(async || "hello")), &denizen);
    let stop = CancellationToken::new();
    let (until, serving) = (stop.clone(), denizen.clone());
    tokio::spawn(async move {
        let app = app.into_make_service_with_connect_info::<SocketAddr>();
        axum::serve(listener, app).with_graceful_shutdown(until.cancelled_owned()).await.unwrap();
        serving.stop().await;
    });
    (world.app_at(url, Arc::clone(&denizen.app().services), stop), denizen)
}

on_both! {
    async fn merged_routes_serve_next_to_those_of_the_application(world: World) {
        let build = async |builder: Builder| builder.build().await;
        let (app, _) = embed(&world, "", build, |own, denizen| own.merge(denizen.router())).await;
        let user = app.user().await;
        let sessions = app.json("/api/v1/sessions", &user.token).await;
        assert_eq!(sessions[0]["address"], "127.0.0.1", "{sessions}");
        let hello = app.request(Method::GET, "/hello", None).send().await.unwrap();
        assert_eq!(hello.text().await.unwrap(), "hello");
    }
}

#[tokio::test]
async fn the_listener_serves_until_it_is_drained() {
    let world = World::new(Db::Sqlite).await;
    let config = world.config(&[]);
    let denizen = Denizen::builder().config(config).build().await.unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let app = Router::new().route("/hello", get(async || "hello")).merge(denizen.router());
    let serving = tokio::spawn({
        let denizen = denizen.clone();
        async move { denizen.serve(listener, app).await }
    });
    let app = world.app_at(url, Arc::clone(&denizen.app().services), CancellationToken::new());
    let user = app.user().await;
    let sessions = app.json("/api/v1/sessions", &user.token).await;
    assert_eq!(sessions[0]["address"], "127.0.0.1", "{sessions}");
    assert_eq!(app.request(Method::GET, "/hello", None).send().await.unwrap().status(), 200);
    denizen.drain();
    assert_eq!(app.request(Method::GET, "/health/ready", None).send().await.unwrap().status(), 503);
    serving.await.unwrap().unwrap();
    assert!(app.request(Method::GET, "/hello", None).send().await.is_err());
}

#[tokio::test]
async fn settings_in_code_take_precedence_and_are_validated() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    let settings = || {
        let database = format!("sqlite://{}", at("denizen.db"));
        let builder = Denizen::builder().database(database).public_url("https://example.com/auth");
        builder.set("security.master_key_file", at("master.key")).set("signup.mode", "closed")
    };
    let denizen = settings().build().await.unwrap();
    let policy = &denizen.app().services.policy;
    assert_eq!(
        (policy.issuer.as_str(), policy.public_url.as_str()),
        ("https://example.com/auth", "https://example.com/auth")
    );
    let taken = settings().build().await.err().unwrap().to_string();
    assert!(taken.contains("another server"), "{taken}");
    denizen.stop().await;

    let error = |built: Result<Denizen, BuildError>| built.err().unwrap().to_string();
    let wrong = error(settings().set("server.port", "many").set("signup.mood", "x").build().await);
    assert!(wrong.contains("server.port from flag Builder::set is \"many\""), "{wrong}");
    assert!(wrong.contains("signup.mood"), "{wrong}");
    let wrong = error(settings().mount_path("auth/").build().await);
    assert_eq!(wrong, "the mount path \"auth/\" is not valid; expected a path such as /auth, without a trailing slash");
    let world = World::new(Db::Sqlite).await;
    let both = error(Denizen::builder().config(world.config(&[])).set("signup.mode", "closed").build().await);
    assert!(both.contains("both given"), "{both}");
}

/// Signs up at the given address, and returns the response.
async fn sign_up(app: &TestApp, path: &str, email: &str) -> reqwest::Response {
    app.post(path, &json!({"email": email, "password": PASSWORD, "name": "Ada"})).await
}
