//! A provider that stalls, and what it costs the others.

use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

use super::super::isolation::CONCURRENT_MAX;
use super::*;

const SHORT: Duration = Duration::from_millis(400);

fn stalled(fixture: &Fixture) {
    fixture.respond("/token", ResponseTemplate::new(200).set_delay(Duration::from_secs(30)));
}

#[tokio::test]
async fn a_slow_provider_is_unavailable_within_the_timeout() {
    let fixture = Fixture::with_timeout(SHORT).await;
    stalled(&fixture);
    let provider = fixture.provider();
    let outcome = fixture.redeem_with(&provider, None, None);
    let outcome = tokio::time::timeout(Duration::from_secs(5), outcome).await.unwrap();
    assert_eq!(outcome.unwrap_err(), "unavailable");
}

#[tokio::test]
async fn a_provider_that_sends_byte_by_byte_is_unavailable_within_the_timeout() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let issuer = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 60000\r\n\r\n").await;
                while stream.write_all(b" ").await.is_ok() {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            });
        }
    });
    let fixture = Fixture::with_timeout(SHORT).await;
    let settings = ProviderSettings { issuer: Some(issuer), ..fixture.settings() };
    let outcome =
        tokio::time::timeout(Duration::from_secs(5), async { fixture.authorization_url(&provider(settings)).await });
    assert_eq!(outcome.await.unwrap().unwrap_err(), "unavailable");
}

#[tokio::test]
async fn a_stalled_provider_is_refused_at_once_when_full_and_costs_others_nothing() {
    let fixture = Arc::new(Fixture::with_timeout(Duration::from_secs(20)).await);
    stalled(&fixture);
    let mut waiting = Vec::new();
    for _ in 0..CONCURRENT_MAX {
        let fixture = Arc::clone(&fixture);
        waiting.push(tokio::spawn(async move { fixture.redeem_with(&fixture.provider(), None, None).await }));
    }
    while fixture.requests_of("/token").await < CONCURRENT_MAX {
        tokio::task::yield_now().await;
    }
    let full = tokio::time::timeout(Duration::from_secs(1), fixture.redeem_with(&fixture.provider(), None, None)).await;
    assert_eq!(full.unwrap().unwrap_err(), "unavailable");
    // The start of a sign-in needs no request.
    assert!(fixture.authorization_url(&fixture.provider()).await.is_ok());
    let mut other = fixture.provider();
    other.name = ProviderName::parse("other").unwrap();
    other.settings.token_url = Some(format!("{}/other", fixture.issuer()));
    let answer = json!({"access_token": ACCESS_TOKEN, "token_type": "Bearer", "id_token": fixture.token(json!({}))});
    fixture.answer("/other", answer);
    let outcome = tokio::time::timeout(Duration::from_secs(2), fixture.redeem_with(&other, None, None)).await;
    assert!(outcome.unwrap().is_ok());
    waiting.iter().for_each(tokio::task::JoinHandle::abort);
}

#[tokio::test]
async fn the_start_of_a_sign_in_uses_metadata_that_cannot_be_refreshed() {
    let fixture = Fixture::new().await;
    assert!(fixture.authorization_url(&fixture.provider()).await.is_ok());
    let path = "/.well-known/openid-configuration";
    fixture.respond(path, ResponseTemplate::new(200).set_delay(Duration::from_secs(30)));
    fixture.clock.advance_s(12 * 3_600);
    let provider = fixture.provider();
    let url = tokio::time::timeout(Duration::from_millis(500), fixture.authorization_url(&provider)).await;
    assert!(url.unwrap().is_ok());
}

#[tokio::test]
async fn a_provider_that_is_down_is_unavailable() {
    let fixture = Fixture::new().await;
    let settings = ProviderSettings { issuer: Some("http://127.0.0.1:1".to_owned()), ..fixture.settings() };
    assert_eq!(fixture.authorization_url(&provider(settings)).await.unwrap_err(), "unavailable");
}
