//! What verifiers ask: the JWK Set, and introspection.

use std::sync::Arc;

use anyhow::{Context, ensure};
use serde_json::json;

use super::client::{Client, form_request, request};
use super::load::{Plan, run};
use super::server::{ADMIN, Binary, Server, Site};
use super::{Row, Scale, ms};

/// How many clients ask at once.
const CLIENTS: usize = 64;
/// How long, in seconds.
const RUN_S: u64 = 5;

pub(super) async fn measure(binary: &Binary, scale: Scale) -> anyhow::Result<Vec<Row>> {
    println!("tokens: {:?} each, {CLIENTS} clients", scale.time(RUN_S));
    let site = Site::new(binary, None).await?;
    let (server, _) = site.start().await?;
    let (token, _) = server.sign_in(ADMIN).await?;
    let (client_id, client_secret) = client(&server, &token).await?;
    let parameters = format!("client_id={client_id}&client_secret={client_secret}&token=");
    let asked = [
        ("`GET /.well-known/jwks.json`", request("GET", "/.well-known/jwks.json", None, None)),
        ("introspections of an access token", form_request("/oauth2/introspect", &format!("{parameters}{token}"))),
        ("introspections of an API key", form_request("/oauth2/introspect", &format!("{parameters}{client_secret}"))),
    ];
    let mut rows = Vec::new();
    for (figure, asked) in asked {
        let plan = Plan {
            address: server.address,
            requests: Arc::new(vec![asked]),
            expected_status: 200,
            clients: CLIENTS,
            duration: scale.time(RUN_S),
        };
        let outcome = run(&plan).await?;
        let (p50, p99) = (ms(outcome.percentile(50)), ms(outcome.percentile(99)));
        rows.push(Row::shown(figure, format!("{:.0}/s, p50 {p50}, p99 {p99}", outcome.rate())));
    }
    server.stop().await?;
    Ok(rows)
}

/// A service account and one of its keys.
async fn client(server: &Server, token: &str) -> anyhow::Result<(String, String)> {
    let mut client = Client::connect(server.address).await?;
    let body = json!({ "name": "bench" }).to_string();
    let status = client.send(&request("POST", "/api/v1/service-accounts", Some(token), Some(&body))).await?;
    ensure!(status == 201, "answered {status}: {}", String::from_utf8_lossy(client.body()));
    let id = client.json()?["id"].as_str().context("no id")?.to_owned();
    let body = json!({ "name": "bench", "scopes": [], "service_account_id": id }).to_string();
    let status = client.send(&request("POST", "/api/v1/api-keys", Some(token), Some(&body))).await?;
    ensure!(status == 201, "answered {status}: {}", String::from_utf8_lossy(client.body()));
    let key = client.json()?["key"].as_str().context("no key")?.to_owned();
    Ok((id, key))
}
