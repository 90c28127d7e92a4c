//! What the revocation feed makes of tokens, and how it survives a broken connection.

use std::time::Duration;

use bytes::Bytes;
use denizen_client::{Claims, InvalidToken, RevocationFeed, RevocationFeedBuilder, Verifier, VerifyError, WhenStale};
use serde_json::{Value, json};
use tokio::sync::mpsc::UnboundedSender;

use crate::support::{API_KEY, AUDIENCE, ISSUER, Issuer, NOW_S, Net, Reply, SESSION, TestClock, USER};

const REVOKED: Result<(), VerifyError> = Err(VerifyError::Invalid(InvalidToken::Revoked));
const UNAVAILABLE: Result<(), VerifyError> = Err(VerifyError::RevocationsUnavailable);
/// The time at which tests begin, as the server writes it.
const NOW: &str = "2027-01-15T08:00:00Z";

/// A verifier with a feed, whose stream the test writes.
struct Followed {
    verifier: Verifier,
    feed: RevocationFeed,
    clock: TestClock,
    net: Net,
    stream: UnboundedSender<Bytes>,
}

impl Followed {
    fn start(configure: impl FnOnce(RevocationFeedBuilder) -> RevocationFeedBuilder) -> Self {
        let clock = TestClock::default();
        Self::with_clocks(clock.clone(), clock, configure)
    }

    /// With separate clocks for the feed and the verifier.
    fn with_clocks(
        feed_clock: TestClock,
        clock: TestClock,
        configure: impl FnOnce(RevocationFeedBuilder) -> RevocationFeedBuilder,
    ) -> Self {
        let net = Net::default();
        net.serve_issuer(Issuer::shared());
        let (reply, stream) = Reply::stream();
        net.reply(Net::FEED, reply);
        let builder = RevocationFeed::builder(ISSUER).api_key("dnk_secret").clock(feed_clock).transport(net.clone());
        let feed = configure(builder).start().unwrap();
        let builder = Verifier::builder(ISSUER).audience(AUDIENCE).revocations(feed.clone());
        let verifier = builder.clock(clock.clone()).transport(net.clone()).build().unwrap();
        Self { verifier, feed, clock, net, stream }
    }

    /// After an empty snapshot.
    async fn current() -> Self {
        let followed = Self::start(|builder| builder);
        followed.heartbeat(0);
        followed.feed.caught_up().await;
        followed
    }

    fn send(&self, kind: &str, data: &Value) {
        send(&self.stream, kind, data);
    }

    fn heartbeat(&self, cursor: u32) {
        self.send("heartbeat", &json!({"type": "heartbeat", "cursor": cursor.to_string()}));
    }

    fn revoke(&self, cursor: u32, what: &str, id: &str, since: &str) {
        self.send("revocation", &json!({"cursor": cursor.to_string(), what: id, "since": since}));
    }

    async fn outcome(&self, token: &str) -> Result<(), VerifyError> {
        self.verifier.verify(token).await.map(drop)
    }

    /// Lets the feed read what was written.
    async fn settle(&self) {
        for _ in 0..50 {
            tokio::task::yield_now().await;
        }
    }
}

fn send(stream: &UnboundedSender<Bytes>, kind: &str, data: &Value) {
    stream.send(Bytes::from(format!("id: x\nevent: {kind}\ndata: {data}\n\n"))).unwrap();
}

fn token() -> String {
    Issuer::shared().token()
}

#[tokio::test]
async fn a_token_is_refused_when_its_session_ends() {
    let followed = Followed::current().await;
    let other = Issuer::shared().token_with(&json!({"sid": "01a20480-ffff-7ef8-9a3f-6b05e0590813"}));
    assert_eq!((followed.outcome(&token()).await, followed.outcome(&other).await), (Ok(()), Ok(())));
    followed.revoke(1, "session_id", SESSION, NOW);
    followed.settle().await;
    assert_eq!((followed.outcome(&token()).await, followed.outcome(&other).await), (REVOKED, Ok(())));
    assert_eq!(followed.verifier.verify_now(&token()).map(drop), REVOKED);
}

#[tokio::test]
async fn a_token_is_refused_when_its_api_key_is_deleted() {
    let followed = Followed::current().await;
    let token = Issuer::shared().service_token(&json!({}));
    assert_eq!(followed.outcome(&token).await, Ok(()));
    followed.revoke(1, "api_key_id", API_KEY, NOW);
    followed.settle().await;
    assert_eq!(followed.outcome(&token).await, REVOKED);
}

#[tokio::test]
async fn tokens_of_an_account_are_refused_if_they_are_older() {
    let followed = Followed::current().await;
    let issued = |at: u64| Issuer::shared().token_with(&json!({"iat": at}));
    followed.revoke(1, "subject", USER, "2027-01-15T07:59:50.000001Z");
    followed.settle().await;
    assert_eq!(followed.outcome(&issued(NOW_S - 11)).await, REVOKED);
    assert_eq!(followed.outcome(&issued(NOW_S - 10)).await, REVOKED);
    assert_eq!(followed.outcome(&issued(NOW_S - 9)).await, Ok(()));
    // Exactly a whole second: a token of that second is not before it.
    followed.revoke(2, "subject", USER, "2027-01-15T07:59:55Z");
    followed.settle().await;
    assert_eq!(followed.outcome(&issued(NOW_S - 6)).await, REVOKED);
    assert_eq!(followed.outcome(&issued(NOW_S - 5)).await, Ok(()));
}

#[tokio::test]
async fn tokens_are_refused_until_the_snapshot_is_complete() {
    let followed = Followed::start(|builder| builder);
    followed.revoke(1, "session_id", "01a20480-ffff-7ef8-9a3f-6b05e0590813", NOW);
    followed.settle().await;
    assert_eq!((followed.outcome(&token()).await, followed.feed.staleness()), (UNAVAILABLE, None));
    followed.heartbeat(2);
    followed.feed.caught_up().await;
    assert_eq!((followed.outcome(&token()).await, followed.feed.len()), (Ok(()), 1));
    let sent = followed.net.sent_to(Net::FEED);
    assert_eq!((sent[0].bearer.as_deref(), sent[0].header("last-event-id")), (Some("dnk_secret"), None));
}

#[tokio::test]
async fn a_stale_feed_fails_closed_or_open() {
    for (when_stale, expected) in [(WhenStale::FailClosed, UNAVAILABLE), (WhenStale::FailOpen, Ok(()))] {
        let followed = Followed::start(|builder| builder.when_stale(when_stale));
        let ended = Issuer::shared().token_with(&json!({"sid": "01a20480-ffff-7ef8-9a3f-6b05e0590813"}));
        assert_eq!(followed.outcome(&token()).await, expected, "before the snapshot");
        followed.revoke(1, "session_id", "01a20480-ffff-7ef8-9a3f-6b05e0590813", NOW);
        followed.heartbeat(2);
        followed.feed.caught_up().await;
        followed.clock.advance(30);
        assert_eq!((followed.outcome(&token()).await, followed.feed.is_current()), (Ok(()), true));
        followed.clock.advance(1);
        assert_eq!((followed.outcome(&token()).await, followed.feed.is_current()), (expected, false));
        // What is known to be revoked is refused in any case.
        assert_eq!(followed.outcome(&ended).await, REVOKED);
        followed.heartbeat(3);
        followed.settle().await;
        assert_eq!(followed.outcome(&token()).await, Ok(()));
    }
}

#[tokio::test]
async fn staleness_is_measured_with_the_clock_of_the_feed() {
    for (feed_origin_s, verifier_origin_s) in [(100, 0), (0, 100)] {
        let (feed_clock, clock) = (TestClock::default(), TestClock::default());
        feed_clock.advance(feed_origin_s);
        clock.advance(verifier_origin_s);
        let followed = Followed::with_clocks(feed_clock.clone(), clock.clone(), |builder| builder);
        followed.heartbeat(0);
        followed.feed.caught_up().await;
        let pass = |seconds| [&feed_clock, &clock].map(|clock| clock.advance(seconds));
        pass(30);
        assert_eq!(followed.outcome(&token()).await, Ok(()), "{feed_origin_s} {verifier_origin_s}");
        pass(1);
        assert_eq!(followed.outcome(&token()).await, UNAVAILABLE, "{feed_origin_s} {verifier_origin_s}");
        assert_eq!(followed.verifier.verify_now(&token()).map(drop), UNAVAILABLE);
    }
}

#[tokio::test(start_paused = true)]
async fn a_broken_connection_continues_after_the_last_message() {
    let followed = Followed::current().await;
    followed.revoke(7, "session_id", SESSION, NOW);
    followed.settle().await;
    let (reply, stream) = Reply::stream();
    followed.net.replies(Net::FEED, vec![Reply::Unreachable, Reply::status(503), reply]);
    let Followed { verifier, feed, clock, net, stream: broken } = followed;
    drop(broken);
    tokio::time::sleep(Duration::from_secs(5)).await;
    let sent = net.sent_to(Net::FEED);
    assert_eq!(sent.len(), 4);
    assert!(sent[1..].iter().all(|sent| sent.header("last-event-id") == Some("7")), "{sent:?}");
    // Messages of the past do not make it current; the heartbeat after them does.
    clock.advance(31);
    let other = "01a20480-ffff-7ef8-9a3f-6b05e0590813";
    send(&stream, "revocation", &json!({"cursor": "8", "session_id": other, "since": NOW}));
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert_eq!((feed.len(), feed.is_current()), (2, false));
    send(&stream, "heartbeat", &json!({"cursor": "9"}));
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert!(feed.is_current());
    assert_eq!(verifier.verify(&token()).await.map(drop), REVOKED);
}

#[tokio::test(start_paused = true)]
async fn an_expired_cursor_starts_again_with_a_snapshot() {
    let gone = Reply::status(410);
    let (by_server, writer) = Reply::stream();
    send(&writer, "error", &json!({"type": "error", "error": {"status": 410, "code": "cursor_expired"}}));
    for ending in [gone, by_server] {
        let followed = Followed::current().await;
        let (reply, stream) = Reply::stream();
        followed.net.replies(Net::FEED, vec![ending, reply]);
        let Followed { verifier, feed, net, stream: broken, .. } = followed;
        drop(broken);
        tokio::time::sleep(Duration::from_secs(5)).await;
        let cursors: Vec<_> =
            net.sent_to(Net::FEED).into_iter().map(|sent| sent.header("last-event-id").map(str::to_owned)).collect();
        assert_eq!(cursors, [None, Some("0".to_owned()), None]);
        assert_eq!(verifier.verify(&token()).await.map(drop), UNAVAILABLE);
        send(&stream, "heartbeat", &json!({"cursor": "9"}));
        feed.caught_up().await;
        assert!(verifier.verify(&token()).await.is_ok());
    }
}

#[tokio::test(start_paused = true)]
async fn a_silent_or_malformed_stream_is_replaced() {
    let endless_line = Bytes::from(vec![b'x'; 20_000]);
    let invalid = |data: &str| Bytes::from(format!("event: revocation\ndata: {data}\n\n"));
    let messages = [
        None,
        Some(endless_line),
        Some(invalid("{")),
        Some(invalid(r#"{"cursor":"1","session_id":"x","since":"2027-01-15T08:00:00Z"}"#)),
        Some(invalid(r#"{"cursor":"1","session_id":null,"since":"today"}"#)),
    ];
    for message in messages {
        let followed = Followed::current().await;
        let (reply, _stream) = Reply::stream();
        followed.net.reply(Net::FEED, reply);
        if let Some(message) = &message {
            followed.stream.send(message.clone()).unwrap();
            tokio::time::sleep(Duration::from_secs(1)).await;
        } else {
            // Single bytes are no message.
            for _ in 0..62 {
                tokio::time::sleep(Duration::from_millis(500)).await;
                let _ = followed.stream.send(Bytes::from_static(b":"));
            }
        }
        assert_eq!(followed.net.count(Net::FEED), 2, "{message:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn responses_that_are_no_stream_are_refused_and_not_repeated_at_once() {
    for reply in [Reply::status(401), Reply::status(403), Reply::status(200), Reply::Hangs] {
        let followed = Followed::start(|builder| builder);
        followed.net.reply(Net::FEED, reply);
        drop(followed.stream);
        tokio::time::sleep(Duration::from_mins(10)).await;
        let count = followed.net.count(Net::FEED);
        assert!((10..=230).contains(&count), "{count}");
        assert_eq!(followed.feed.staleness(), None);
    }
}

#[tokio::test]
async fn old_revocations_are_deleted_and_tokens_that_outlive_them_are_refused() {
    let followed = Followed::start(|builder| builder.token_lifetime(Duration::from_mins(15)));
    followed.revoke(1, "session_id", SESSION, NOW);
    followed.heartbeat(2);
    followed.feed.caught_up().await;
    assert_eq!(followed.outcome(&Issuer::shared().token_with(&json!({"exp": NOW_S + 841}))).await, {
        Err(InvalidToken::LifetimeTooLong.into())
    });
    followed.clock.advance(900 + 120);
    followed.heartbeat(3);
    followed.settle().await;
    assert_eq!(followed.feed.len(), 1);
    followed.clock.advance(61);
    followed.heartbeat(4);
    followed.settle().await;
    assert_eq!((followed.feed.len(), followed.feed.is_empty()), (0, true));
}

#[tokio::test]
async fn too_many_revocations_make_the_feed_stale() {
    let followed = Followed::start(|builder| builder.entries_max(1));
    followed.revoke(1, "session_id", SESSION, NOW);
    followed.heartbeat(2);
    followed.feed.caught_up().await;
    followed.revoke(3, "session_id", USER, NOW);
    followed.settle().await;
    assert_eq!((followed.feed.len(), followed.feed.staleness()), (1, None));
}

#[tokio::test]
async fn the_connection_ends_with_the_last_clone() {
    let Followed { verifier, feed, stream, .. } = Followed::current().await;
    drop(feed);
    assert!(!stream.is_closed());
    drop(verifier);
    stream.closed().await;
}

#[tokio::test]
async fn messages_of_later_releases_do_not_harm() {
    let followed = Followed::current().await;
    followed.send("signing_key.withdrawn", &json!({"kid": "x"}));
    followed.send("revocation", &json!({"cursor": "1", "device_id": "x", "since": NOW}));
    followed.settle().await;
    assert_eq!(followed.outcome(&token()).await, Ok(()));
}

/// The API key and addresses of users are in no log.
#[tokio::test]
async fn secrets_are_not_printed() {
    let builder = RevocationFeed::builder(ISSUER).api_key("dnk_secret");
    assert!(!format!("{builder:?}").contains("dnk_secret"));
    let followed = Followed::current().await;
    let claims: Claims = followed.verifier.verify(&token()).await.unwrap();
    assert!(!format!("{:?} {:?} {claims:?}", followed.feed, followed.verifier).contains("ada@"));
}
