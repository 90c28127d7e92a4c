//! What the bounds of one address let pass: health checks, and refusals that are left unread.

use bytes::Bytes;
use futures_util::future::select_all;
use h2::client::SendRequest;
use http::Request;
use tokio::time::timeout;

use crate::harness::on_both;
use crate::strangers::{SOON, half_sent, http2, others_are_served};

const CHECK: &str = "/grpc.health.v1.Health/Check";

/// Begins requests whose answers are not read until no more are accepted, at most so many, and says how many those are.
async fn begin_unread(sender: &SendRequest<Bytes>, url: &str, count: usize) -> usize {
    let mut sender = sender.clone();
    let mut unread = Vec::new();
    while unread.len() < count {
        let Ok(Ok(mut ready)) = timeout(SOON, sender.ready()).await else { break };
        let request = Request::get(url).body(()).unwrap();
        let Ok((answer, _)) = ready.send_request(request, true) else { break };
        let Ok(Ok(answer)) = timeout(SOON, answer).await else { break };
        unread.push(answer);
        sender = ready;
    }
    unread.len()
}

on_both! {
    async fn half_sent_health_checks_are_counted_against_their_client(app: TestApp) {
        let half = Bytes::from_static(b"\0\0\0\0\x20abc");
        let mut begun = half_sent(&app.url, (2, 100), (CHECK, "application/grpc"), &half).await;
        let (answers, _streams): (Vec<_>, Vec<_>) = begun.iter_mut().flat_map(|(_, begun)| begun.drain(..)).unzip();
        let (answer, ..) = timeout(SOON, select_all(answers)).await.expect("the surplus is refused at once");
        let exhausted = (tonic::Code::ResourceExhausted as i32).to_string();
        assert_eq!(answer.unwrap().headers()["grpc-status"], exhausted);
        assert_eq!(app.client.get(format!("{}/health/ready", app.url)).send().await.unwrap().status(), 200);
    }

    async fn connections_with_health_checks_alone_make_room(
        app: TestApp, "limits.connections" = "12", "limits.address_connections" = "12"
    ) {
        let mut senders = Vec::new();
        for _ in 0..12 {
            let sender = http2(&app.url, 0).await;
            assert_eq!(begin_unread(&sender, &format!("{}/health", app.url), 1).await, 1);
            senders.push(sender);
        }
        others_are_served(&app).await;
    }

    async fn a_client_that_leaves_its_refusals_unread_loses_the_connection(app: TestApp, "limits.address_requests" = "3") {
        let sender = http2(&app.url, 0).await;
        let begun = begin_unread(&sender, &format!("{}/.well-known/jwks.json", app.url), 50).await;
        // Three requests and three refusals; some more may be answered before the connection is closed.
        assert!((6..20).contains(&begun), "{begun}");
        others_are_served(&app).await;
    }
}
