//! What webhooks are told: signed, in order, at least once, whatever the other side does.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use denizen_domain::id::WebhookId;
use denizen_domain::webhooks::store::SealedSecrets;
use serde_json::{Value, json};

use crate::harness::{SignedIn, TestApp, eventually, on_both, problem};
use crate::webhook_sinks::{Came, Mood, Sink};

const SOON: Duration = Duration::from_secs(20);
const QUICK: [(&str, &str); 3] =
    [("webhooks.allowed_hosts", "127.0.0.1"), ("webhooks.retry_first_ms", "20"), ("webhooks.timeout_s", "20")];

/// A webhook as its maker knows it.
struct Hook {
    path: String,
    secret: String,
}

async fn hook(app: &TestApp, admin: &SignedIn, url: &str, types: &[&str]) -> Hook {
    let response = app.post_as("/api/v1/webhooks", &admin.token, &json!({"url": url, "types": types})).await;
    assert_eq!(response.status(), 201);
    let path = response.headers()["location"].to_str().unwrap().to_owned();
    let made: Value = response.json().await.unwrap();
    Hook { path, secret: made["secret"].as_str().unwrap().to_owned() }
}

async fn deliveries(app: &TestApp, admin: &SignedIn, hook: &Hook, query: &str) -> Vec<Value> {
    let listed = app.json(&format!("{}/deliveries?limit=200{query}", hook.path), &admin.token).await;
    listed.as_array().unwrap().clone()
}

/// Waits until so many deliveries are of a state.
async fn until(app: &TestApp, admin: &SignedIn, hook: &Hook, state: &str, count: usize) -> Vec<Value> {
    let query = format!("&state={state}");
    eventually(&format!("{count} are {state}"), SOON, async || {
        deliveries(app, admin, hook, &query).await.len() == count
    })
    .await;
    deliveries(app, admin, hook, &query).await
}

async fn rename(app: &TestApp, user: &SignedIn, times: usize) {
    for n in 0..times {
        let body = json!({"name": format!("Name {n}")});
        assert_eq!(app.patch(&user.path(), &user.token, &body).await.status(), 200);
    }
}

fn ok() -> Mood {
    Mood::Answer(200, "ok")
}

on_both! {
    async fn an_event_arrives_signed_and_is_in_the_log_of_deliveries(world: World) {
        let app = world.serve(&QUICK).await;
        let admin = app.admin().await;
        let sink = Sink::that(Mood::Answer(201, "got it")).await;
        let hook = hook(&app, &admin, &sink.url, &["user.created"]).await;
        let user = app.user().await;
        let delivered = until(&app, &admin, &hook, "delivered", 1).await.remove(0);
        let came = sink.came();
        assert_eq!(came.len(), 1, "what was before, and other types, are not told");
        let (headers, event) = (&came[0], came[0].event());
        assert!(headers.is_signed_by(&[&hook.secret]));
        assert_eq!(headers.header("content-type"), "application/json");
        assert!(headers.header("user-agent").starts_with("Denizen-Webhooks/"));
        let of_log = app.json("/api/v1/events?types=user.created&limit=200", &admin.token).await;
        let of_log = of_log.as_array().unwrap().iter().find(|event| event["subject"] == json!(user.id)).unwrap();
        assert_eq!(&event, of_log, "the same as over REST");
        assert_eq!(headers.id(), event["id"].as_str().unwrap());
        for (name, value) in [
            ("event_id", event["id"].clone()), ("type", json!("user.created")), ("subject", json!(user.id)), ("attempts", json!(1)),
            ("last_status", json!(201)), ("last_answer", json!("got it")), ("last_error", Value::Null), ("due_at", Value::Null),
        ] {
            assert_eq!(delivered[name], value, "{name}");
        }
        assert!(delivered["last_latency_ms"].is_u64() && delivered["last_attempt_at"].is_string());
        let path = format!("{}/deliveries/{}", hook.path, delivered["id"].as_str().unwrap());
        assert_eq!(app.json(&path, &admin.token).await, delivered);
    }

    async fn two_secrets_sign_while_one_takes_over(world: World) {
        let app = world.serve(&QUICK).await;
        let admin = app.admin().await;
        let sink = Sink::that(ok()).await;
        let hook = hook(&app, &admin, &sink.url, &["user.created"]).await;
        let rotate = async |overlap_s: u32| {
            let response = app.post_as(&format!("{}/rotate-secret", hook.path), &admin.token, &json!({"overlap_s": overlap_s})).await;
            response.json::<Value>().await.unwrap()["secret"].as_str().unwrap().to_owned()
        };
        let second = rotate(3_600).await;
        app.user().await;
        until(&app, &admin, &hook, "delivered", 1).await;
        assert!(sink.came()[0].is_signed_by(&[&second, &hook.secret]));
        let third = rotate(0).await;
        app.user().await;
        until(&app, &admin, &hook, "delivered", 2).await;
        assert!(sink.came()[1].is_signed_by(&[&third]), "the one before is good no longer");
    }

    async fn the_events_of_a_subject_arrive_in_order_whatever_fails(world: World) {
        let app = world.serve(&QUICK).await;
        let admin = app.admin().await;
        // Every event fails once, in one of several ways.
        let sink = Sink::that_chooses(|came, event| {
            let before = came.iter().filter(|came| event["id"] == came.id()).count();
            match (before, came.len() % 3) {
                (0, 0) => Mood::Answer(500, "no"),
                (0, 1) => Mood::Answer(404, ""),
                (0, _) => Mood::With(302, "location", "http://127.0.0.1:1/".to_owned()),
                _ => ok(),
            }
        }).await;
        let hook = hook(&app, &admin, &sink.url, &["user.created", "user.updated"]).await;
        let (one, other) = (app.user().await, app.user().await);
        tokio::join!(rename(&app, &one, 6), rename(&app, &other, 6));
        until(&app, &admin, &hook, "delivered", 14).await;
        let came = sink.came();
        let log = app.json("/api/v1/events?types=user.created,user.updated&limit=200", &admin.token).await;
        for user in [&one, &other] {
            let of = |event: &&Value| event["subject"] == json!(user.id);
            let expected: Vec<_> = log.as_array().unwrap().iter().filter(of).collect();
            let about: Vec<&Came> = came.iter().filter(|came| came.event()["subject"] == json!(user.id)).collect();
            let taken: Vec<_> = about.iter().filter(|came| came.is_taken).map(|came| came.event()).collect();
            assert_eq!(taken.iter().collect::<Vec<_>>(), expected, "once each, in the order of the log");
            for pair in about.chunks(2) {
                assert!(!pair[0].is_taken && pair[1].is_taken, "none goes on before the one before it arrived");
                assert_eq!((pair[0].id(), &pair[0].body), (pair[1].id(), &pair[1].body), "a repetition is the same");
                assert!(pair.iter().all(|came| came.is_signed_by(&[&hook.secret])));
            }
        }
    }

    async fn who_hangs_holds_up_nobody_else(world: World) {
        let app = world.serve(&QUICK).await;
        let admin = app.admin().await;
        let (stalled, healthy) = (Sink::that(Mood::Stall).await, Sink::that(ok()).await);
        let mut hanging = Vec::new();
        for _ in 0..3 {
            hanging.push(hook(&app, &admin, &stalled.url, &["user.created"]).await);
        }
        let well = hook(&app, &admin, &healthy.url, &["user.created"]).await;
        for _ in 0..12 {
            app.user().await;
        }
        until(&app, &admin, &well, "delivered", 12).await;
        assert_eq!(healthy.came().len(), 12);
        for hook in &hanging {
            assert_eq!(deliveries(&app, &admin, hook, "&state=pending").await.len(), 12);
        }
        assert!(stalled.came().len() <= 3 * 4, "each has its share and no more");
    }

    async fn an_answer_without_an_end_is_left_where_it_is(world: World) {
        let app = world.serve(&QUICK).await;
        let admin = app.admin().await;
        let (endless, dripping) = (Sink::that(Mood::Endless).await, Sink::that(Mood::Drip).await);
        let zeros = hook(&app, &admin, &endless.url, &["user.created"]).await;
        let drops = hook(&app, &admin, &dripping.url, &["user.created"]).await;
        app.user().await;
        let delivered = until(&app, &admin, &zeros, "delivered", 1).await.remove(0);
        let answer = delivered["last_answer"].as_str().unwrap();
        assert!(!answer.is_empty() && answer.len() <= 4_096 && answer.chars().all(|c| c == '\u{FFFD}'));
        let delivered = until(&app, &admin, &drops, "delivered", 1).await.remove(0);
        let answer = delivered["last_answer"].as_str().unwrap();
        assert!(answer.len() < 1_000 && answer.chars().all(|c| c == '.'), "{answer}");
        eventually("both answers are left", SOON, async || endless.is_left() && dripping.is_left()).await;
        assert_eq!((endless.came().len(), dripping.came().len()), (1, 1));
    }

    async fn a_redirect_leads_nowhere(world: World) {
        let app = world.serve(&QUICK).await;
        let admin = app.admin().await;
        let inside = Sink::that(ok()).await;
        let (status, target) = (307, inside.url.clone());
        let sink = Sink::that(Mood::With(status, "location", target)).await;
        let hook = hook(&app, &admin, &sink.url, &["user.created"]).await;
        app.user().await;
        eventually("it was tried twice", SOON, async || sink.came().len() >= 2).await;
        let pending = deliveries(&app, &admin, &hook, "&state=pending").await.remove(0);
        assert_eq!((&pending["last_status"], &pending["last_error"]), (&json!(307), &json!("http_status")));
        assert_eq!(inside.came().len(), 0);
    }

    async fn a_host_that_is_no_longer_allowed_is_not_reached(world: World) {
        let sink = Sink::that(ok()).await;
        let (admin, hook) = {
            let app = world.serve(&QUICK).await;
            let admin = app.admin().await;
            let hook = hook(&app, &admin, &sink.url, &["user.created"]).await;
            (admin, hook)
        };
        let app = world.serve(&QUICK[1..]).await;
        app.user().await;
        eventually("it was tried", SOON, async || {
            deliveries(&app, &admin, &hook, "").await.first().is_some_and(|delivery| delivery["last_error"] == "not_allowed")
        }).await;
        assert_eq!(sink.came().len(), 0);
        let tested: Value = app.post_as(&format!("{}/test", hook.path), &admin.token, &json!({})).await.json().await.unwrap();
        assert_eq!(tested["error"], "not_allowed");
    }

    async fn what_is_given_up_is_parked_and_replayed(world: World) {
        let settings = [QUICK[0], QUICK[1], ("webhooks.retry_for_s", "1")];
        let app = world.serve(&settings).await;
        let admin = app.admin().await;
        let is_well = Arc::new(AtomicBool::new(false));
        let well = Arc::clone(&is_well);
        let sink = Sink::that_chooses(move |_, _| {
            if well.load(Ordering::Relaxed) { ok() } else { Mood::Answer(503, "later") }
        }).await;
        let hook = hook(&app, &admin, &sink.url, &["user.created"]).await;
        app.user().await;
        let parked = until(&app, &admin, &hook, "parked", 1).await.remove(0);
        assert!(parked["attempts"].as_u64().unwrap() >= 2, "{parked}");
        assert_eq!((&parked["last_status"], &parked["last_answer"]), (&json!(503), &json!("later")));
        is_well.store(true, Ordering::Relaxed);
        let replay = async |body: Value| {
            let response = app.post_as(&format!("{}/replay", hook.path), &admin.token, &body).await;
            assert_eq!(response.status(), 202);
            response.json::<Value>().await.unwrap()["count"].as_u64().unwrap()
        };
        assert_eq!(replay(json!({"to": parked["created_at"]})).await, 0, "the end is not in the range");
        assert_eq!(replay(json!({"state": "delivered"})).await, 0);
        assert_eq!(replay(json!({"from": parked["created_at"]})).await, 1);
        until(&app, &admin, &hook, "delivered", 1).await;
        let ids: BTreeSet<_> = sink.came().iter().map(|came| came.id().to_owned()).collect();
        assert_eq!(ids.len(), 1, "always the same id");
        // What arrived can be told again, too: one, or a range.
        let count = sink.came().len();
        let path = format!("{}/deliveries/{}/retry", hook.path, parked["id"].as_str().unwrap());
        assert_eq!(app.post_as(&path, &admin.token, &json!({})).await.status(), 202);
        eventually("it arrives again", SOON, async || sink.came().len() == count + 1).await;
        until(&app, &admin, &hook, "delivered", 1).await;
        assert_eq!(replay(json!({"state": "delivered"})).await, 1);
        eventually("and once more", SOON, async || sink.came().len() == count + 2).await;
    }

    async fn who_fails_again_and_again_is_left_alone_until_it_answers(world: World) {
        let app = world.serve(&QUICK).await;
        let admin = app.admin().await;
        let sink = Sink::that_chooses(|came, _| if came.len() < 7 { Mood::Answer(500, "") } else { ok() }).await;
        let hook = hook(&app, &admin, &sink.url, &["user.created"]).await;
        app.user().await;
        eventually("it is left alone", SOON, async || {
            let now = app.json(&hook.path, &admin.token).await;
            now["failures"].as_u64().unwrap() >= 5 && now["paused_until"].is_string()
        }).await;
        until(&app, &admin, &hook, "delivered", 1).await;
        let now = app.json(&hook.path, &admin.token).await;
        assert_eq!((&now["failures"], &now["paused_until"], &now["status"]), (&json!(0), &Value::Null, &json!("active")));
        assert_eq!(sink.came().len(), 8);
    }

    async fn who_refuses_one_kind_of_event_is_told_the_others(world: World) {
        let app = world.serve(&QUICK).await;
        let admin = app.admin().await;
        let sink = Sink::that_chooses(|_, event| {
            if event["type"] == "user.created" { Mood::Answer(422, "no") } else { ok() }
        }).await;
        let hook = hook(&app, &admin, &sink.url, &["user.created", "role.created"]).await;
        for _ in 0..6 {
            app.user().await;
        }
        eventually("it refused often", SOON, async || sink.came().len() > 10).await;
        let role = json!({"name": "told", "permissions": []});
        assert_eq!(app.post_as("/api/v1/roles", &admin.token, &role).await.status(), 201);
        until(&app, &admin, &hook, "delivered", 1).await;
        let now = app.json(&hook.path, &admin.token).await;
        assert_eq!((&now["failures"], &now["paused_until"]), (&json!(0), &Value::Null));
    }

    async fn a_secret_that_cannot_be_opened_stops_nobody_else(world: World) {
        let app = world.serve(&QUICK).await;
        let admin = app.admin().await;
        let sink = Sink::that(ok()).await;
        let broken = hook(&app, &admin, &sink.url, &["user.created"]).await;
        let id = WebhookId::parse(broken.path.rsplit('/').next().unwrap()).unwrap();
        let mut tx = app.services.store.write().await.unwrap();
        tx.set_webhook_secrets(id, &SealedSecrets { current: vec![0; 60], previous: None }).await.unwrap();
        tx.commit().await.unwrap();
        let hook = hook(&app, &admin, &sink.url, &["user.created"]).await;
        app.user().await;
        until(&app, &admin, &hook, "delivered", 1).await;
        eventually("it is told why", SOON, async || {
            deliveries(&app, &admin, &broken, "&state=pending").await.first().is_some_and(|delivery| delivery["last_error"] == "secret_unreadable")
        }).await;
        let tested: Value = app.post_as(&format!("{}/test", broken.path), &admin.token, &json!({})).await.json().await.unwrap();
        assert_eq!((&tested["delivered"], &tested["error"]), (&json!(false), &json!("secret_unreadable")));
        assert_eq!(sink.came().len(), 1);
    }

    async fn what_happened_before_a_change_is_told_as_it_was_then(world: World) {
        let app = world.serve(&QUICK).await;
        let admin = app.admin().await;
        let sink = Sink::that(ok()).await;
        let hook = hook(&app, &admin, &sink.url, &["user.created"]).await;
        let change = async |body: Value| assert_eq!(app.patch(&hook.path, &admin.token, &body).await.status(), 200);
        // Whoever disables it at once is as quick as whoever fans out.
        for n in 1..=5 {
            app.user().await;
            change(json!({"types": ["role.created"]})).await;
            app.user().await;
            change(json!({"types": ["user.created"]})).await;
            app.user().await;
            change(json!({"status": "disabled"})).await;
            app.user().await;
            change(json!({"status": "active"})).await;
            until(&app, &admin, &hook, "delivered", 2 * n).await;
        }
    }

    async fn who_asks_to_wait_is_left_alone(world: World) {
        let app = world.serve(&QUICK).await;
        let admin = app.admin().await;
        let sink = Sink::that(Mood::With(429, "retry-after", "3600".to_owned())).await;
        let hook = hook(&app, &admin, &sink.url, &["user.created"]).await;
        app.user().await;
        eventually("it is left alone", SOON, async || {
            let now = app.json(&hook.path, &admin.token).await;
            now["failures"] == 1 && now["paused_until"].is_string()
        }).await;
        assert_eq!(sink.came().len(), 1);
    }

    async fn who_is_gone_is_told_nothing_more(world: World) {
        let app = world.serve(&QUICK).await;
        let admin = app.admin().await;
        let sink = Sink::that(Mood::Answer(410, "")).await;
        let hook = hook(&app, &admin, &sink.url, &["user.created"]).await;
        app.user().await;
        until(&app, &admin, &hook, "parked", 1).await;
        assert_eq!(app.json(&hook.path, &admin.token).await["status"], "disabled");
        let events = app.json("/api/v1/events?types=webhook.disabled", &admin.token).await;
        assert_eq!((&events[0]["actor"]["type"], events.as_array().unwrap().len()), (&json!("system"), 1));
        // What happens meanwhile it never hears of; what happens later it does.
        app.user().await;
        assert_eq!(app.patch(&hook.path, &admin.token, &json!({"status": "active"})).await.status(), 200);
        let later = app.user().await;
        eventually("it is told again", SOON, async || sink.came().len() == 2).await;
        assert_eq!(sink.came()[1].event()["subject"], json!(later.id));
    }

    async fn two_nodes_tell_each_event_once(world: World) {
        let (one, other) = (world.serve(&QUICK).await, world.serve(&QUICK).await);
        let admin = one.admin().await;
        let sink = Sink::that(ok()).await;
        let hook = hook(&one, &admin, &sink.url, &["user.created", "session.started", "user.updated"]).await;
        let write = async |app: &TestApp| {
            for _ in 0..8 {
                let user = app.user().await;
                rename(app, &user, 3).await;
            }
        };
        tokio::join!(write(&one), write(&other));
        // Each user is made, signs in and is renamed three times.
        until(&one, &admin, &hook, "delivered", 2 * 8 * 5).await;
        let came = sink.came();
        let ids: BTreeSet<_> = came.iter().map(|came| came.id().to_owned()).collect();
        assert_eq!((came.len(), ids.len()), (80, 80), "none twice");
    }

    async fn what_a_stopped_server_left_another_one_tells(world: World) {
        let is_well = Arc::new(AtomicBool::new(false));
        let well = Arc::clone(&is_well);
        let sink = Sink::that_chooses(move |_, _| {
            if well.load(Ordering::Relaxed) { ok() } else { Mood::Answer(500, "") }
        }).await;
        let (admin, hook, user) = {
            let app = world.serve(&QUICK).await;
            let admin = app.admin().await;
            let hook = hook(&app, &admin, &sink.url, &["user.created", "user.updated"]).await;
            let user = app.user().await;
            eventually("it was tried", SOON, async || !sink.came().is_empty()).await;
            rename(&app, &user, 2).await;
            (admin, hook, user)
        };
        is_well.store(true, Ordering::Relaxed);
        let app = world.serve(&QUICK).await;
        until(&app, &admin, &hook, "delivered", 3).await;
        assert_eq!(sink.taken_types(), ["user.created", "user.updated", "user.updated"]);
        assert!(sink.came().iter().all(|came| came.event()["subject"] == json!(user.id)));
    }

    async fn a_deleted_webhook_leaves_nothing(world: World) {
        let app = world.serve(&QUICK).await;
        let admin = app.admin().await;
        let sink = Sink::that(Mood::Stall).await;
        let hook = hook(&app, &admin, &sink.url, &["user.created"]).await;
        app.user().await;
        eventually("it is under way", SOON, async || sink.came().len() == 1).await;
        assert_eq!(app.delete(&hook.path, &admin.token).await.status(), 204);
        problem(app.get(&format!("{}/deliveries", hook.path), &admin.token).await, 404, "webhook_not_found").await;
        app.user().await;
    }
}
