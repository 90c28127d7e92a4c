//! The log by server-sent events.

use serde_json::json;

use super::client::{PATIENCE, Sse};
use crate::harness::{Db, TestApp, World, eventually, fields_problem, on_both, problem};

const STREAM: &str = "/api/v1/events/stream";

async fn follow(app: &TestApp, token: &str, query: &str, last: Option<&str>) -> Sse {
    let path = format!("{STREAM}?{query}");
    Sse::open(&app.client, &app.url, &path, token, last).await.unwrap_or_else(|refusal| panic!("{refusal:?}"))
}

on_both! {
    async fn events_come_as_they_happen_and_again_from_a_cursor(app: TestApp) {
        let admin = app.admin().await;
        let mut stream = follow(&app, &admin.token, "", None).await;
        let first = stream.next().await.unwrap();
        assert_eq!((first.kind.as_str(), &first.data["type"]), ("heartbeat", &json!("heartbeat")));
        let user = app.user().await;
        let mut seen = Vec::new();
        for kind in ["user.created", "user.link_created", "session.started"] {
            let event = stream.event().await;
            assert_eq!((&event["type"], &event["subject"]), (&json!(kind), &json!(user.id)));
            seen.push(event);
        }
        // The header of a browser that comes again wins over the address that it began with.
        let begun = first.data["cursor"].as_str().unwrap();
        let mut again = follow(&app, &admin.token, &format!("after={begun}"), seen[0]["cursor"].as_str()).await;
        assert_eq!([again.event().await, again.event().await], seen[1..]);
        let mut from_begin = follow(&app, &admin.token, &format!("after={begun}&types=session.*"), None).await;
        assert_eq!(from_begin.event().await, seen[2]);
    }

    async fn ordinary_users_follow_what_concerns_them(app: TestApp) {
        let (user, other) = (app.user().await, app.user().await);
        let mut stream = follow(&app, &user.token, "", None).await;
        stream.next().await.unwrap();
        app.patch(&other.path(), &other.token, &json!({"name": "Not theirs"})).await;
        app.patch(&user.path(), &user.token, &json!({"name": "Theirs"})).await;
        assert_eq!(stream.event().await["data"]["name"], "Theirs");
    }

    async fn a_stream_that_ends_says_why(app: TestApp) {
        let (admin, user) = (app.admin().await, app.user().await);
        let mut stream = follow(&app, &user.token, "", None).await;
        stream.next().await.unwrap();
        assert_eq!(app.delete("/api/v1/sessions/current", &user.token).await.status(), 204);
        let last = loop {
            let line = stream.next().await.unwrap();
            if line.kind == "error" {
                break line.data;
            }
        };
        assert_eq!(last["error"]["code"], "invalid_token", "{last}");
        assert_eq!(last["error"]["status"], 401);
        assert!(last["cursor"].is_string());
        assert!(stream.next().await.is_none(), "and nothing after it");
        let refused = Sse::open(&app.client, &app.url, STREAM, &user.token, None).await;
        problem(refused.err().expect("refused"), 401, "invalid_token").await;
        for path in [STREAM, "/api/v1/events/revocations"] {
            for wrong in ["nonsense", "\u{e9}\u{e9}"] {
                let refused = Sse::open(&app.client, &app.url, path, &admin.token, Some(wrong)).await;
                fields_problem(refused.err().expect("refused"), &[("Last-Event-ID", "invalid_cursor")]).await;
            }
        }
    }

    async fn heartbeats_come_when_nothing_happens(app: TestApp, "events.heartbeat_s" = "1") {
        let user = app.user().await;
        let mut stream = follow(&app, &user.token, "", None).await;
        for _ in 0..3 {
            let line = stream.next().await.unwrap();
            assert_eq!(line.kind, "heartbeat");
            assert_eq!(line.id.as_deref(), line.data["cursor"].as_str());
        }
    }

    async fn places_are_bounded(app: TestApp, "events.followers_per_account" = "2", "events.followers" = "3") {
        let (user, other) = (app.user().await, app.user().await);
        let first = follow(&app, &user.token, "", None).await;
        let _second = follow(&app, &user.token, "", None).await;
        let refused = Sse::open(&app.client, &app.url, STREAM, &user.token, None).await;
        problem(refused.err().expect("refused"), 429, "too_many_requests").await;
        let _third = follow(&app, &other.token, "", None).await;
        let refused = Sse::open(&app.client, &app.url, STREAM, &other.token, None).await;
        problem(refused.err().expect("refused"), 503, "overloaded").await;
        drop(first);
        eventually("a place is free again", PATIENCE, async || {
            Sse::open(&app.client, &app.url, STREAM, &other.token, None).await.is_ok()
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_on_one_node_is_seen_by_followers_of_another() {
    let world = World::new(Db::Postgres).await;
    let (one, other) = (world.serve(&[]).await, world.serve(&[]).await);
    let admin = one.admin().await;
    let mut stream = follow(&other, &admin.token, "types=user.created", None).await;
    stream.next().await.unwrap();
    let mut made = Vec::new();
    for n in 0..10 {
        let on = if n % 2 == 0 { &one } else { &other };
        made.push(on.user().await.id);
    }
    for id in made {
        assert_eq!(stream.event().await["subject"], id);
    }
}
