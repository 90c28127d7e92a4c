//! A flow across several nodes that are killed between its steps.

use reqwest::{Method, Response};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::issuer::Issuer;
use super::{APP, Browser, VERIFIER, ada, challenge, location, param};
use crate::harness::{World, on_both, problem};
use crate::process::Process;

/// Where all nodes are reached, as browsers and the provider see it.
const PUBLIC_URL: &str = "http://127.0.0.1:8090";

/// A node at a port of its own, behind the public URL.
async fn start(world: &World, settings: &[(&str, &str)]) -> Process {
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port().to_string();
    let mut node = Process::start(world, &[settings, &[("server.port", &port)]].concat()).await;
    node.url = format!("http://127.0.0.1:{port}");
    node
}

async fn exchange(node: &Process, code: &str) -> Response {
    let body = json!({"code": code, "code_verifier": VERIFIER});
    node.request(Method::POST, "/api/v1/sessions/exchange", None).json(&body).send().await.unwrap()
}

on_both! {
    async fn a_flow_survives_the_nodes_that_began_it(world: World) {
        let issuer = Issuer::start().await;
        issuer.user(ada());
        let settings = issuer.settings(&[("server.public_url", PUBLIC_URL)]);
        let mut browser = Browser::new();

        let node = start(&world, &settings).await;
        let begin = format!("{}/api/v1/auth/acme?redirect_to={APP}&code_challenge={}", node.url, challenge());
        let at_provider = location(&browser.get(&begin).await);
        node.kill().await;

        let callback = location(&browser.client.get(&at_provider).send().await.unwrap());
        assert!(callback.starts_with(PUBLIC_URL), "{callback}");
        let node = start(&world, &settings).await;
        let end = location(&browser.get(&callback.replace(PUBLIC_URL, &node.url)).await);
        let code = param(&end, "code").unwrap();
        node.kill().await;

        let node = start(&world, &settings).await;
        // The provider redeems its code once, so the callback cannot be repeated.
        let again = location(&browser.get(&callback.replace(PUBLIC_URL, &node.url)).await);
        assert_eq!(param(&again, "code"), None);
        // SQLite has one node.
        let other = if world.sqlite_file().is_none() { Some(start(&world, &settings).await) } else { None };
        let (one, two) = tokio::join!(exchange(&node, &code), exchange(other.as_ref().unwrap_or(&node), &code));
        let (opened, refused) = if one.status() == 201 { (one, two) } else { (two, one) };
        problem(refused, 401, "invalid_code").await;
        assert_eq!(opened.status(), 201);
        let body: Value = opened.json().await.unwrap();
        node.kill().await;

        let node = if let Some(other) = other { other } else { start(&world, &settings).await };
        assert_eq!(node.status("/api/v1/me", body["access_token"].as_str()).await, 200);
        problem(exchange(&node, &code).await, 401, "invalid_code").await;
    }
}
