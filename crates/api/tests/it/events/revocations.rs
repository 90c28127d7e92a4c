//! What verifiers of tokens must know.

use serde_json::{Value, json};

use super::client::{Line, Sse};
use crate::harness::{TestApp, on_both, problem};

const FEED: &str = "/api/v1/events/revocations";

async fn open(app: &TestApp, token: &str, query: &str) -> Sse {
    let path = format!("{FEED}?{query}");
    Sse::open(&app.client, &app.url, &path, token, None).await.unwrap_or_else(|refusal| panic!("{refusal:?}"))
}

/// What comes before the first heartbeat: all that concerns tokens which may be alive.
async fn snapshot(feed: &mut Sse) -> Vec<Value> {
    let mut found = Vec::new();
    loop {
        let Line { kind, data, .. } = feed.next().await.unwrap();
        match kind.as_str() {
            "heartbeat" => return found,
            "revocation" => found.push(data),
            _ => panic!("{kind}: {data}"),
        }
    }
}

on_both! {
    async fn whoever_comes_late_is_told_everything_that_matters(app: TestApp) {
        let admin = app.admin().await;
        let (out, disabled, deleted) = (app.user().await, app.user().await, app.user().await);
        app.delete("/api/v1/sessions/current", &out.token).await;
        app.patch(&disabled.path(), &admin.token, &json!({"status": "disabled"})).await;
        app.delete(&deleted.path(), &admin.token).await;
        app.patch(&admin.path(), &admin.token, &json!({"name": "No revocation"})).await;

        let mut feed = open(&app, &admin.token, "").await;
        let told = snapshot(&mut feed).await;
        let what = |entry: &Value| {
            ["session_id", "subject"].iter().find_map(|name| entry[*name].as_str()).unwrap().to_owned()
        };
        let expected = [&out.session_id, &disabled.session_id, &disabled.id, &deleted.session_id, &deleted.id];
        let mut found: Vec<String> = told.iter().map(what).collect();
        let mut wanted: Vec<String> = expected.into_iter().cloned().collect();
        found.sort();
        wanted.sort();
        assert_eq!(found, wanted);
        assert!(told.iter().all(|entry| entry["since"].is_string() && entry["cursor"].is_string()));
        assert!(!told.iter().any(|entry| entry.to_string().contains('@')), "no address: {told:?}");

        let late = app.user().await;
        app.delete("/api/v1/sessions/current", &late.token).await;
        let live = feed.event().await;
        assert_eq!(live["session_id"], late.session_id);
        let cursor = told.last().unwrap()["cursor"].as_str().unwrap().to_owned();
        let mut again = open(&app, &admin.token, &format!("after={cursor}")).await;
        assert_eq!(again.event().await, live);
    }

    async fn only_verifiers_are_told(app: TestApp) {
        let user = app.user().await;
        let refused = Sse::open(&app.client, &app.url, FEED, &user.token, None).await;
        problem(refused.err().expect("refused"), 403, "forbidden").await;
    }
}
