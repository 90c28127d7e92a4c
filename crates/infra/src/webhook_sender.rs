//! Sends what happened to webhooks, by signed requests to public addresses.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use denizen_domain::error::RuleBroken;
use denizen_domain::ports::{Clock, WebhookAnswer, WebhookMessage, WebhookSender};
use denizen_domain::webhooks::ANSWER_BYTES_MAX;
use reqwest::header::{RETRY_AFTER, USER_AGENT};
use reqwest::{RequestBuilder, Response, StatusCode};

use crate::outside::{self, NoPublicAddress, Outside, SigningSecret, sign_with};

/// How long the body of an answer is read, after its status.
const BODY_PATIENCE: Duration = Duration::from_secs(1);
/// Who asks, for the log of the other side.
const PROGRAM: &str = concat!("Denizen-Webhooks/", env!("CARGO_PKG_VERSION"));

/// Sends over HTTPS, and over HTTP to hosts that are allowed.
pub struct HttpWebhookSender {
    outside: Outside,
    clock: Arc<dyn Clock>,
}

impl HttpWebhookSender {
    /// Sends by this client.
    #[must_use]
    pub fn new(outside: Outside, clock: Arc<dyn Clock>) -> Self {
        Self { outside, clock }
    }

    fn request(&self, message: WebhookMessage<'_>) -> Result<RequestBuilder, &'static str> {
        let request = self.outside.post(message.url).map_err(|_| "not_allowed")?;
        let secrets: Result<Vec<_>, _> = message.secrets.iter().map(SigningSecret::parse).collect();
        let secrets = secrets.map_err(|_| "not_allowed")?;
        let request = sign_with(&secrets, request, message.id, message.sent_at, message.body);
        Ok(request.header(USER_AGENT, PROGRAM))
    }

    fn elapsed_ms(&self, message_sent_at: i64) -> u32 {
        let micros = self.clock.now().as_micros().saturating_sub(message_sent_at).max(0);
        u32::try_from(micros / 1_000).unwrap_or(u32::MAX)
    }
}

#[async_trait]
impl WebhookSender for HttpWebhookSender {
    fn host_of(&self, url: &str) -> Result<String, RuleBroken> {
        self.outside.host_of(url)
    }

    async fn send(&self, message: WebhookMessage<'_>) -> WebhookAnswer {
        let begun = self.clock.now().as_micros();
        let request = match self.request(message) {
            Ok(request) => request,
            Err(error) => return WebhookAnswer::failed(error),
        };
        let response = match outside::begin(request).await {
            Ok(response) => response,
            Err(error) => {
                return WebhookAnswer { latency_ms: self.elapsed_ms(begun), ..WebhookAnswer::failed(reason(&error)) };
            }
        };
        let latency_ms = self.elapsed_ms(begun);
        let status = response.status();
        let may_wait = matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE);
        WebhookAnswer {
            status: Some(status.as_u16()),
            latency_ms,
            error: (!status.is_success()).then_some("http_status"),
            retry_after_s: retry_after_s(&response).filter(|_| may_wait),
            answer: beginning(response).await,
        }
    }
}

/// Why there is no status.
fn reason(error: &reqwest::Error) -> &'static str {
    let mut source: Option<&(dyn Error + 'static)> = error.source();
    while let Some(error) = source {
        if error.is::<NoPublicAddress>() {
            return "not_allowed";
        }
        source = error.source();
    }
    if error.is_timeout() { "timeout" } else { "unreachable" }
}

fn retry_after_s(response: &Response) -> Option<u32> {
    response.headers().get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()
}

/// The beginning of the body. What follows is never read: the connection is dropped with the response.
async fn beginning(mut response: Response) -> String {
    let mut bytes = Vec::new();
    let read = async {
        // The status counts; a body that breaks off, drips or never ends changes nothing about it.
        while let Ok(Some(chunk)) = response.chunk().await {
            let room = ANSWER_BYTES_MAX - bytes.len();
            bytes.extend_from_slice(&chunk[..chunk.len().min(room)]);
            if bytes.len() == ANSWER_BYTES_MAX {
                break;
            }
        }
    };
    let _ = tokio::time::timeout(BODY_PATIENCE, read).await;
    text_of(&bytes)
}

/// What can be kept as text: a byte that is none takes the place of three, and no database takes a NUL.
fn text_of(bytes: &[u8]) -> String {
    let mut text = String::from_utf8_lossy(bytes).replace('\0', "\u{FFFD}");
    text.truncate(text.floor_char_boundary(ANSWER_BYTES_MAX));
    text
}

#[cfg(test)]
mod tests {
    use super::text_of;
    use denizen_domain::webhooks::ANSWER_BYTES_MAX;

    #[test]
    fn an_answer_is_short_text_whatever_it_is() {
        assert_eq!(text_of(b"ok"), "ok");
        assert_eq!(text_of(b"a\0\xFFb"), "a\u{FFFD}\u{FFFD}b");
        assert!(text_of(&[0; 4_096]).len() <= ANSWER_BYTES_MAX);
        assert!(text_of("é".repeat(4_096).as_bytes()).len() <= ANSWER_BYTES_MAX);
    }
}
