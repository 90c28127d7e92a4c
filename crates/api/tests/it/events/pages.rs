//! The log, a page at a time.

use serde_json::Value;

use crate::harness::{TestApp, fields_problem, on_both, problem};

/// Every event from after a cursor on, by following the links.
pub(super) async fn all(app: &TestApp, token: &str, first: &str) -> Vec<Value> {
    let mut found = Vec::new();
    let mut path = first.to_owned();
    loop {
        let response = app.get(&path, token).await;
        assert_eq!(response.status(), 200, "{path}");
        let link = response.headers().get("link").map(|link| link.to_str().unwrap().to_owned());
        found.extend(response.json::<Vec<Value>>().await.unwrap());
        let Some(link) = link else { return found };
        link.split(['<', '>']).nth(1).unwrap().clone_into(&mut path);
    }
}

pub(super) fn kinds(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["type"].as_str().unwrap()).collect()
}

on_both! {
    async fn an_admin_reads_everything_in_order(app: TestApp) {
        let admin = app.admin().await;
        let user = app.user().await;
        let changed = app.patch(&user.path(), &user.token, &serde_json::json!({"name": "Another"})).await;
        assert_eq!(changed.status(), 200);
        assert_eq!(app.delete(&user.path(), &admin.token).await.status(), 204);

        let events = all(&app, &admin.token, "/api/v1/events?limit=2").await;
        let of_user: Vec<Value> = events.iter().filter(|event| event["subject"] == user.id).cloned().collect();
        assert_eq!(kinds(&of_user), [
            "user.created", "user.link_created", "session.started", "user.updated", "session.ended", "user.deleted",
        ]);
        assert_eq!(of_user[0]["actor"], serde_json::json!({"type": "anonymous"}));
        assert_eq!(of_user[2]["actor"], serde_json::json!({"type": "user", "id": user.id}));
        assert_eq!(of_user[2]["data"]["session_id"], user.session_id);
        assert_eq!(of_user[3]["data"]["changed"], serde_json::json!(["name"]));
        assert_eq!(of_user[4]["data"]["reason"], "user_deleted");
        assert_eq!(of_user[5]["actor"]["id"], admin.id);
        let cursors: std::collections::BTreeSet<_> = events.iter().map(|event| event["cursor"].to_string()).collect();
        assert_eq!(cursors.len(), events.len());

        // From any cursor on, the rest.
        let third = events[2]["cursor"].as_str().unwrap();
        let rest = all(&app, &admin.token, &format!("/api/v1/events?after={third}&limit=200")).await;
        assert_eq!(rest, events[3..]);
        let some = all(&app, &admin.token, "/api/v1/events?types=session.*,user.deleted&limit=1").await;
        let expected: Vec<Value> = events.iter()
            .filter(|event| matches!(event["type"].as_str().unwrap(), "session.started" | "session.ended" | "user.deleted"))
            .cloned()
            .collect();
        assert_eq!(some, expected);
    }

    async fn a_user_reads_what_concerns_them(app: TestApp) {
        let admin = app.admin().await;
        let (user, other) = (app.user().await, app.user().await);
        let own = all(&app, &user.token, "/api/v1/me/events").await;
        assert_eq!(kinds(&own), ["user.created", "user.link_created", "session.started"]);
        assert!(own.iter().all(|event| event["subject"] == user.id), "{own:?}");
        assert!(!serde_json::to_string(&own).unwrap().contains(&other.id));
        let disabled = app.patch(&other.path(), &admin.token, &serde_json::json!({"status": "disabled"})).await;
        assert_eq!(disabled.status(), 200);
        assert_eq!(all(&app, &user.token, "/api/v1/me/events").await, own);
        problem(app.get("/api/v1/events", &user.token).await, 403, "forbidden").await;
    }

    async fn wrong_wishes_are_told(app: TestApp) {
        let admin = app.admin().await;
        for (query, field, code) in [
            ("after=nonsense", "after", "invalid_cursor"),
            ("after=AAAAAAAAAAEAAAAAAAAAAAAAAAAAAAAA", "after", "invalid_cursor"),
            ("types=user.exploded", "types", "unknown_type"),
            ("types=", "types", "required"),
            ("limit=0", "limit", "out_of_range"),
            ("limit=201", "limit", "out_of_range"),
            ("limit=many", "limit", "wrong_type"),
            ("offset=1", "offset", "unknown_field"),
        ] {
            for list in ["events", "me/events"] {
                let response = app.get(&format!("/api/v1/{list}?{query}"), &admin.token).await;
                fields_problem(response, &[(field, code)]).await;
            }
        }
        // A cursor of another list is none of this one.
        let users = app.get("/api/v1/users?limit=1", &admin.token).await;
        if let Some(link) = users.headers().get("link") {
            let cursor = link.to_str().unwrap().split("after=").nth(1).unwrap().split('>').next().unwrap().to_owned();
            let response = app.get(&format!("/api/v1/events?after={cursor}"), &admin.token).await;
            fields_problem(response, &[("after", "invalid_cursor")]).await;
        }
    }
}
