//! The log over a WebSocket.

use std::time::Duration;

use serde_json::{Value, json};

use super::client::{Said, Sse, Ws};
use crate::harness::{Db, SignedIn, TestApp, World, on_both, timed};

/// How soon a connection ends whose credentials do, on the node where they did; and on every other.
const ENDS_WITHIN: Duration = Duration::from_secs(1);
const ENDS_EVERYWHERE_WITHIN: Duration = Duration::from_secs(5);

async fn ticket(app: &TestApp, who: &SignedIn) -> String {
    let response = app.request(reqwest::Method::POST, "/api/v1/events/tickets", Some(&who.token)).send().await.unwrap();
    assert_eq!(response.status(), 201);
    assert_eq!(response.headers()["cache-control"], "no-store");
    let body: Value = response.json().await.unwrap();
    assert_eq!(body["expires_in"], 30);
    let ticket = body["ticket"].as_str().unwrap().to_owned();
    assert!(ticket.starts_with("dnt_"));
    ticket
}

async fn open(app: &TestApp, query: &str, headers: &[(&str, &str)]) -> Result<Ws, u16> {
    Ws::open(&app.url, &format!("/api/v1/events/ws?{query}"), headers).await
}

on_both! {
    async fn frames_are_as_they_are_documented(app: TestApp) {
        let admin = app.admin().await;
        let mut ws = Ws::follow(&app.url, &admin.token, "").await;
        let user = app.user().await;
        let frame = ws.frame().await;
        assert_eq!(frame["type"], "event");
        let event = &frame["event"];
        assert_eq!(event["type"], "user.created");
        assert_eq!(event["subject"], user.id);
        let members: Vec<&String> = event.as_object().unwrap().keys().collect();
        assert_eq!(members, ["actor", "cursor", "data", "id", "occurred_at", "subject", "type"]);
        let rest = [ws.event().await, ws.event().await];
        let cursor = event["cursor"].as_str().unwrap();
        let mut again = Ws::follow(&app.url, &admin.token, &format!("after={cursor}")).await;
        assert_eq!([again.event().await, again.event().await], rest);
        let mut some = Ws::follow(&app.url, &admin.token, &format!("after={cursor}&types=session.started")).await;
        assert_eq!(some.event().await, rest[1]);
    }

    async fn a_ticket_opens_once(app: TestApp) {
        let user = app.user().await;
        let ticket = ticket(&app, &user).await;
        let tries = (0..50).map(|_| {
            let (url, path) = (app.url.clone(), format!("/api/v1/events/ws?ticket={ticket}"));
            tokio::spawn(async move { Ws::open(&url, &path, &[]).await })
        });
        let mut opened = Vec::new();
        for tried in tries.collect::<Vec<_>>() {
            match tried.await.unwrap() {
                Ok(ws) => opened.push(ws),
                Err(status) => assert_eq!(status, 401),
            }
        }
        assert_eq!(opened.len(), 1);
        let mut ws = opened.remove(0);
        assert_eq!(ws.frame().await["type"], "heartbeat");
        app.patch(&user.path(), &user.token, &json!({"name": "Seen"})).await;
        assert_eq!(ws.event().await["data"]["name"], "Seen");
        assert_eq!(open(&app, &format!("ticket={ticket}"), &[]).await.err(), Some(401));
        for wrong in ["dnt_", "nonsense", &user.token, &ticket[..ticket.len() - 2]] {
            assert_eq!(open(&app, &format!("ticket={wrong}"), &[]).await.err(), Some(401), "{wrong}");
        }
        assert_eq!(open(&app, "", &[]).await.err(), Some(401));
    }

    async fn a_ticket_of_a_session_that_ended_opens_nothing(app: TestApp) {
        let user = app.user().await;
        let ticket = ticket(&app, &user).await;
        assert_eq!(app.delete("/api/v1/sessions/current", &user.token).await.status(), 204);
        assert_eq!(open(&app, &format!("ticket={ticket}"), &[]).await.err(), Some(401));
    }

    async fn only_pages_of_our_origins_follow(app: TestApp, "server.cors_origins" = "https://app.example.com") {
        let user = app.user().await;
        let bearer = format!("Bearer {}", user.token);
        for (origin, expected) in [
            ("https://app.example.com", None),
            (app.url.as_str(), None),
            ("https://evil.example", Some(403)),
            ("https://app.example.com.evil.example", Some(403)),
            ("null", Some(403)),
        ] {
            let opened = open(&app, "", &[("authorization", &bearer), ("origin", origin)]).await;
            assert_eq!(opened.err(), expected, "{origin}");
        }
    }

    async fn what_ends_the_credentials_ends_the_connection(app: TestApp) {
        let admin = app.admin().await;
        let key = |who: SignedIn| {
            let app = &app;
            async move {
                let body = json!({"name": "follower", "scopes": ["events:read"]});
                let request = app.request(reqwest::Method::POST, "/api/v1/api-keys", Some(&who.token)).json(&body);
                let made: Value = request.send().await.unwrap().json().await.unwrap();
                (made["id"].as_str().unwrap().to_owned(), made["key"].as_str().unwrap().to_owned())
            }
        };
        // Signed out.
        let user = app.user().await;
        let mut ws = Ws::follow(&app.url, &user.token, "").await;
        app.delete("/api/v1/sessions/current", &user.token).await;
        check_end(&mut ws, "invalid_token", 4401, ENDS_WITHIN).await;
        // Disabled.
        let user = app.user().await;
        let mut ws = Ws::follow(&app.url, &user.token, "types=role.*").await;
        app.patch(&user.path(), &admin.token, &json!({"status": "disabled"})).await;
        check_end(&mut ws, "invalid_token", 4401, ENDS_WITHIN).await;
        // Deleted.
        let user = app.user().await;
        let mut ws = Ws::follow(&app.url, &user.token, "").await;
        app.delete(&user.path(), &admin.token).await;
        check_end(&mut ws, "invalid_token", 4401, ENDS_WITHIN).await;
        // Another password: the other sessions end.
        let user = app.user().await;
        let elsewhere = app.sign_in(&user.email).await;
        let mut ws = Ws::follow(&app.url, &elsewhere.token, "").await;
        let mut kept = Ws::follow(&app.url, &user.token, "types=user.updated").await;
        let body = json!({"current_password": crate::harness::PASSWORD, "new_password": "another good one"});
        assert_eq!(app.put("/api/v1/me/password", &user.token, &body).await.status(), 204);
        check_end(&mut ws, "invalid_token", 4401, ENDS_WITHIN).await;
        app.patch(&user.path(), &user.token, &json!({"name": "Still here"})).await;
        assert_eq!(kept.event().await["data"]["name"], "Still here");
        // A key that is deleted.
        let second = app.admin().await;
        let (id, secret) = key(second.clone()).await;
        let mut ws = Ws::follow(&app.url, &secret, "").await;
        app.delete(&format!("/api/v1/api-keys/{id}"), &second.token).await;
        check_end(&mut ws, "invalid_token", 4401, ENDS_WITHIN).await;
        // A role that may do less.
        let mut ws = Ws::follow(&app.url, &second.token, "").await;
        app.patch(&second.path(), &admin.token, &json!({"role": "user"})).await;
        check_end(&mut ws, "forbidden", 4403, ENDS_WITHIN).await;
    }

    async fn a_withdrawn_key_ends_what_its_tokens_opened(app: TestApp) {
        let (admin, user) = (app.admin().await, app.user().await);
        let keys = app.json("/api/v1/signing-keys", &admin.token).await;
        let kid = keys.as_array().unwrap().iter().find(|key| key["state"] == "current").unwrap()["id"].as_str().unwrap();
        let mut ws = Ws::follow(&app.url, &user.token, "").await;
        assert_eq!(app.delete(&format!("/api/v1/signing-keys/{kid}"), &admin.token).await.status(), 204);
        check_end(&mut ws, "invalid_token", 4401, ENDS_WITHIN).await;
    }

    async fn a_busy_log_is_no_reason_to_give_a_client_up(app: TestApp, "events.heartbeat_s" = "1") {
        let user = app.user().await;
        let mut ws = Ws::follow(&app.url, &user.token, "").await;
        // Longer than a client may be silent, and never quiet for as long as a heartbeat.
        for n in 0..14 {
            let name = format!("Name {n}");
            app.patch(&user.path(), &user.token, &json!({"name": name})).await;
            assert_eq!(ws.event().await["data"]["name"], name.as_str());
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
        for _ in 0..2 {
            assert_eq!(ws.frame().await["type"], "heartbeat");
        }
    }

    async fn an_access_token_that_expires_ends_the_connection(app: TestApp, "sessions.access_ttl_s" = "3") {
        // The real clock: what is bounded is that it ends by itself at all.
        let user = app.user().await;
        let mut ws = Ws::follow(&app.url, &user.token, "").await;
        let (ended, waited) = timed(async {
            loop {
                if let Ok(end) = tokio::time::timeout(Duration::from_secs(5), ws.said()).await
                    && let Said::Frame(frame) = end
                    && frame["type"] == "error"
                {
                    return frame;
                }
            }
        }).await;
        assert_eq!(ended["error"]["code"], "invalid_token");
        assert!(waited < Duration::from_secs(5), "{waited:?}");
    }

    async fn whoever_says_too_much_is_cut_off(app: TestApp) {
        let user = app.user().await;
        let mut ws = Ws::follow(&app.url, &user.token, "").await;
        for _ in 0..61 {
            ws.send("{}").await;
        }
        let (error, _, code) = ws.end().await;
        assert_eq!((error.as_str(), code), ("too_many_requests", 4429));
        let mut ws = Ws::follow(&app.url, &user.token, "").await;
        ws.send(&"x".repeat(5_000)).await;
        assert!(matches!(ws.said().await, Said::Closed(_)), "a message too long");
    }

    async fn whoever_reads_too_slowly_is_cut_off_and_can_go_on(app: TestApp, "events.queue" = "64", "events.lag_s" = "1") {
        const USERS: usize = 6_000;
        let admin = app.admin().await;
        let mut ws = Ws::open_small(&app.url, &admin.token).await;
        assert_eq!(ws.frame().await["type"], "heartbeat");
        // More than all buffers on the way hold.
        let name = "\u{1F994}".repeat(200);
        let line = |n| format!("{{\"email\":\"slow{n}@example.com\",\"name\":\"{name}\"}}");
        let lines: Vec<String> = (0..USERS).map(line).collect();
        assert_eq!(app.import(&admin, lines.join("\n")).await["created"], USERS);
        // As long as it may lag behind, and a little more.
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        let mut met = Vec::new();
        let (code, cursor) = loop {
            let frame = ws.frame().await;
            match frame["type"].as_str() {
                Some("event") => met.push(frame["event"].clone()),
                Some("error") => break (frame["error"]["code"].clone(), frame["cursor"].as_str().unwrap().to_owned()),
                _ => {}
            }
        };
        assert_eq!(code, "too_slow");
        assert_eq!(ws.said().await, Said::Closed(Some(4408)));
        assert!(met.len() < USERS, "all of it was taken: {}", met.len());
        assert_eq!(met.last().unwrap()["cursor"], cursor.as_str());
        let mut again = Ws::follow(&app.url, &admin.token, &format!("after={cursor}")).await;
        while met.len() < USERS {
            met.push(again.event().await);
        }
        let subjects: std::collections::BTreeSet<_> = met.iter().map(|event| event["subject"].to_string()).collect();
        assert_eq!(subjects.len(), USERS, "each once");
    }

    async fn what_is_no_websocket_is_told_so(app: TestApp) {
        let user = app.user().await;
        let response = app.get("/api/v1/events/ws", &user.token).await;
        assert_eq!(response.headers()["upgrade"], "websocket");
        crate::harness::problem(response, 426, "upgrade_required").await;
    }
}

async fn check_end(ws: &mut Ws, error: &str, code: u16, within: Duration) {
    let (end, waited) = timed(ws.end()).await;
    assert_eq!((end.0.as_str(), end.2), (error, code));
    assert!(waited < within, "only after {waited:?}");
}

on_both! {
    async fn a_server_that_stops_tells_its_followers(world: World) {
        let server = crate::process::Process::start(&world, &[]).await;
        assert_eq!(server.sign_up("a@example.com").await.unwrap().status(), 201);
        let token = server.token("a@example.com", crate::harness::PASSWORD).await.unwrap();
        let mut ws = Ws::follow(&server.url, &token, "").await;
        let stream = "/api/v1/events/stream";
        let mut sse = Sse::open(&server.client, &server.url, stream, &token, None).await.unwrap();
        assert_eq!(sse.next().await.unwrap().kind, "heartbeat");
        server.terminate().await;
        let (error, _, code) = ws.end().await;
        assert_eq!((error.as_str(), code), ("server_stopping", 1012));
        let line = sse.next().await.unwrap();
        assert_eq!((line.kind.as_str(), &line.data["error"]["code"]), ("error", &json!("server_stopping")));
        assert!(sse.next().await.is_none());
        assert!(server.ended(Duration::from_secs(10)).await.success());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn credentials_that_end_on_one_node_end_connections_on_another() {
    let world = World::new(Db::Postgres).await;
    let (one, other) = (world.serve(&[]).await, world.serve(&[]).await);
    let admin = one.admin().await;
    let (user, disabled) = (one.user().await, one.user().await);
    let mut ws = Ws::follow(&other.url, &user.token, "").await;
    one.delete("/api/v1/sessions/current", &user.token).await;
    check_end(&mut ws, "invalid_token", 4401, ENDS_EVERYWHERE_WITHIN).await;
    let mut ws = Ws::follow(&other.url, &disabled.token, "").await;
    one.patch(&disabled.path(), &admin.token, &json!({"status": "disabled"})).await;
    check_end(&mut ws, "invalid_token", 4401, ENDS_EVERYWHERE_WITHIN).await;
    let second = one.admin().await;
    let mut ws = Ws::follow(&other.url, &second.token, "").await;
    one.patch(&second.path(), &admin.token, &json!({"role": "user"})).await;
    check_end(&mut ws, "forbidden", 4403, ENDS_EVERYWHERE_WITHIN).await;
}
