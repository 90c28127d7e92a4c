//! A WebSocket over HTTP/2 (RFC 8441).

use std::time::Duration;

use h2::ext::Protocol;
use http::{Method, Request, Version};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::client::PATIENCE;
use crate::harness::{eventually, on_both};

/// The text of the first frame of a server, when all of it is there.
fn text_of(bytes: &[u8]) -> Option<Value> {
    let (&kind, &length) = (bytes.first()?, bytes.get(1)?);
    assert_eq!(kind, 0x81, "a whole text");
    let (from, length) = match length {
        126 => (4, usize::from(u16::from_be_bytes([*bytes.get(2)?, *bytes.get(3)?]))),
        short => (2, usize::from(short)),
    };
    serde_json::from_slice(bytes.get(from..from + length)?).ok()
}

on_both! {
    async fn events_come_over_http2_too(app: TestApp) {
        let user = app.user().await;
        let address = app.url.strip_prefix("http://").unwrap();
        let stream = TcpStream::connect(address).await.unwrap();
        let (client, connection) = h2::client::handshake(stream).await.unwrap();
        let driving = tokio::spawn(connection);
        let mut client = client.ready().await.unwrap();
        eventually("the server says that it can", Duration::from_secs(5), async || {
            client.is_extended_connect_protocol_enabled()
        })
        .await;
        let request = Request::builder()
            .method(Method::CONNECT)
            .version(Version::HTTP_2)
            .uri(format!("{}/api/v1/events/ws", app.url))
            .header("authorization", format!("Bearer {}", user.token))
            .header("sec-websocket-version", "13")
            .extension(Protocol::from_static("websocket"))
            .body(())
            .unwrap();
        let (response, _sending) = client.send_request(request, false).unwrap();
        let response = timeout(PATIENCE, response).await.unwrap().unwrap();
        assert_eq!(response.status(), 200);
        let mut body = response.into_body();
        let mut read = Vec::new();
        let first = loop {
            if let Some(text) = text_of(&read) {
                break text;
            }
            read.extend_from_slice(&timeout(PATIENCE, body.data()).await.unwrap().unwrap().unwrap());
        };
        assert_eq!(first["type"], "heartbeat");
        read.clear();
        app.patch(&user.path(), &user.token, &serde_json::json!({"name": "Over HTTP/2"})).await;
        let second = loop {
            if let Some(text) = text_of(&read) {
                break text;
            }
            read.extend_from_slice(&timeout(PATIENCE, body.data()).await.unwrap().unwrap().unwrap());
        };
        assert_eq!(second["event"]["data"]["name"], "Over HTTP/2");
        driving.abort();
    }
}
