//! The audit view over REST and gRPC: what is in it, what it can be asked, and the exports.

use denizen_domain::events::chain;
use denizen_proto::v1;
use reqwest::Method;
use serde_json::{Value, json};
use tonic::Code;

use crate::audit_verify::Tamperer;
use crate::events_walk::head;
use crate::grpc::client::{Rpc, refused};
use crate::harness::{SignedIn, TestApp, field_problem, fields_problem, on_both, problem};

const AUDIT: &str = "/api/v1/audit";

/// Every record that passes a filter, by following the links.
async fn all(app: &TestApp, admin: &SignedIn, query: &str) -> Vec<Value> {
    let mut found = Vec::new();
    let mut next = Some(format!("{AUDIT}?{query}"));
    while let Some(path) = next {
        let response = app.get(&path, &admin.token).await;
        assert_eq!(response.status(), 200, "{path}");
        let link = response.headers().get("link").map(|link| link.to_str().unwrap().to_owned());
        next = link.map(|link| link[1..link.find('>').unwrap()].to_owned());
        found.extend(response.json::<Vec<Value>>().await.unwrap());
    }
    found
}

fn types(records: &[Value]) -> Vec<&str> {
    records.iter().map(|record| record["type"].as_str().unwrap()).collect()
}

async fn export(app: &TestApp, admin: &SignedIn, query: &str) -> String {
    let response = app.get(&format!("{AUDIT}/export?{query}"), &admin.token).await;
    assert_eq!(response.status(), 200);
    response.text().await.unwrap()
}

/// Reads CSV as RFC 4180 says.
fn cells(text: &str) -> Vec<Vec<String>> {
    let (mut rows, mut row, mut cell, mut is_quoted) = (Vec::new(), Vec::new(), String::new(), false);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if is_quoted && chars.peek() == Some(&'"') => {
                chars.next();
                cell.push('"');
            }
            '"' => is_quoted = !is_quoted,
            ',' if !is_quoted => row.push(std::mem::take(&mut cell)),
            '\r' if !is_quoted => {}
            '\n' if !is_quoted => {
                row.push(std::mem::take(&mut cell));
                rows.push(std::mem::take(&mut row));
            }
            c => cell.push(c),
        }
    }
    assert!(cell.is_empty() && row.is_empty() && !is_quoted, "the last line is ended");
    rows
}

on_both! {
    async fn a_record_says_who_did_what_from_where_and_by_what(app: TestApp) {
        let (admin, user) = (app.admin().await, app.user().await);
        let request = app.request(Method::DELETE, &format!("/api/v1/sessions/{}", user.session_id), Some(&admin.token));
        let response = request.header("user-agent", "=cmd|' /C calc'!A1").send().await.unwrap();
        assert_eq!(response.status(), 204);
        let records = all(&app, &admin, &format!("subject={}&types=session.ended", user.id)).await;
        let [record] = records.as_slice() else { panic!("{records:?}") };
        assert_eq!(record["actor"], json!({
            "type": "user", "id": admin.id, "credential": {"type": "session", "id": admin.session_id},
        }));
        assert_eq!((&record["subject"], &record["address"]), (&json!(user.id), &json!("127.0.0.1")));
        assert_eq!(record["user_agent"], "=cmd|' /C calc'!A1");
        assert_eq!(record["data"], json!({"session_id": user.session_id, "reason": "revoked"}));
        let hash = record["hash"].as_str().unwrap();
        assert!(hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()));
        assert_eq!(record.as_object().unwrap().len(), 11);
        let program = all(&app, &admin, "types=user.created").await;
        assert!(program.iter().any(|record| record["actor"] == json!({"type": "operator", "id": null, "credential": null})));

        // The same over gRPC.
        let rpc = Rpc::to(&app).by(&admin.token);
        let filter = v1::AuditFilter { subject: Some(user.id.clone()), types: vec!["session.ended".into()], ..Default::default() };
        let request = v1::ListRecordsRequest { filter: Some(filter), ..Default::default() };
        let answer = rpc.audit().list_records(request).await.unwrap().into_inner();
        let same = &answer.records[0];
        assert_eq!((same.position, &*same.cursor), (record["position"].as_i64().unwrap(), record["cursor"].as_str().unwrap()));
        let actor = same.actor.as_ref().unwrap();
        assert_eq!((&*actor.credential_type, &actor.credential_id), ("session", &admin.session_id));
        assert_eq!(chain::hexadecimal(&same.hash), hash);

        // In a spreadsheet it is a text.
        let csv = cells(&export(&app, &admin, &format!("format=csv&subject={}&types=session.ended", user.id)).await);
        assert_eq!((csv.len(), csv[0].len()), (2, 13));
        let column = |name: &str| csv[0].iter().position(|head| head == name).unwrap();
        assert_eq!(csv[1][column("user_agent")], "'=cmd|' /C calc'!A1");
        assert_eq!(csv[1][column("credential_id")], admin.session_id);
        assert_eq!(serde_json::from_str::<Value>(&csv[1][column("data")]).unwrap(), record["data"]);
        assert_eq!(csv[1][column("hash")], hash);
    }

    async fn filters_go_together_and_pages_follow_on_each_other(app: TestApp) {
        let (admin, user, other) = (app.admin().await, app.user().await, app.user().await);
        app.delete(&other.path(), &admin.token).await;
        let whole = all(&app, &admin, "limit=200").await;
        assert_eq!(all(&app, &admin, "limit=1").await, whole);
        assert_eq!(all(&app, &admin, "limit=3").await, whole);
        let positions: Vec<i64> = whole.iter().map(|record| record["position"].as_i64().unwrap()).collect();
        assert_eq!(positions, (1..=i64::try_from(whole.len()).unwrap()).collect::<Vec<_>>(), "oldest first, without a gap");

        let passing = |wanted: &dyn Fn(&Value) -> bool| whole.iter().filter(|record| wanted(record)).cloned().collect::<Vec<_>>();
        let by_admin = all(&app, &admin, &format!("actor={}&limit=2", admin.id)).await;
        assert_eq!(by_admin, passing(&|record| record["actor"]["id"] == admin.id));
        assert_eq!(types(&by_admin).last(), Some(&"user.deleted"));
        let both = all(&app, &admin, &format!("actor={}&subject={}&types=session.*", admin.id, other.id)).await;
        assert_eq!(types(&both), ["session.ended"]);
        assert!(all(&app, &admin, &format!("actor={}&subject={}", other.id, user.id)).await.is_empty());

        // The moment of a record is within what begins with it, and not within what ends with it.
        let middle = &whole[whole.len() / 2];
        let at = middle["occurred_at"].as_str().unwrap();
        let later = all(&app, &admin, &format!("from={at}&limit=2")).await;
        assert_eq!(later, passing(&|record| record["occurred_at"].as_str().unwrap() >= at));
        let earlier = all(&app, &admin, &format!("until={at}&limit=2")).await;
        assert_eq!(earlier, passing(&|record| record["occurred_at"].as_str().unwrap() < at));
        let far = all(&app, &admin, "from=2000-01-01T00:00:00Z&until=2001-01-01T00:00:00Z").await;
        assert!(far.is_empty());
        assert!(all(&app, &admin, "from=9000-01-01T00:00:00Z").await.is_empty());

        // What was seen is gone on from.
        let cursor = middle["cursor"].as_str().unwrap();
        let rest = all(&app, &admin, &format!("after={cursor}&limit=200")).await;
        assert_eq!(rest, whole[whole.len() / 2 + 1..]);
    }

    async fn what_is_asked_wrongly_is_named(app: TestApp) {
        let admin = app.admin().await;
        let get = async |query: &str| app.get(&format!("{AUDIT}?{query}"), &admin.token).await;
        field_problem(get("actor=me").await, "actor", "invalid_id").await;
        field_problem(get("subject=").await, "subject", "invalid_id").await;
        field_problem(get("subject=%00").await, "subject", "invalid_id").await;
        field_problem(get("types=nothing").await, "types", "unknown_type").await;
        field_problem(get("types=,").await, "types", "required").await;
        field_problem(get("from=yesterday").await, "from", "invalid_value").await;
        field_problem(get("from=2026-01-02T00:00:00Z&until=2026-01-01T00:00:00Z").await, "until", "out_of_range").await;
        field_problem(get("limit=0").await, "limit", "out_of_range").await;
        field_problem(get("limit=201").await, "limit", "out_of_range").await;
        field_problem(get("limit=x").await, "limit", "wrong_type").await;
        field_problem(get("after=AAAAAAAAACrWxLK4J2BoTv5rEQfnkFLC").await, "after", "invalid_cursor").await;
        field_problem(get("order=random").await, "order", "unknown_field").await;
        fields_problem(get("actor=1&types=2&from=3").await, &[("actor", "invalid_id"), ("types", "unknown_type"), ("from", "invalid_value")]).await;
        field_problem(get("actor=1&actor=2").await, "actor", "duplicate").await;
        field_problem(app.get(&format!("{AUDIT}/export?format=xml"), &admin.token).await, "format", "invalid_value").await;
        field_problem(app.get(&format!("{AUDIT}/export?limit=1"), &admin.token).await, "limit", "unknown_field").await;

        let rpc = Rpc::to(&app).by(&admin.token);
        let list = async |request| rpc.audit().list_records(request).await;
        let filter = v1::AuditFilter { actor: Some("me".into()), ..Default::default() };
        refused(list(v1::ListRecordsRequest { filter: Some(filter), ..Default::default() }).await, Code::InvalidArgument, "invalid_input");
        refused(list(v1::ListRecordsRequest { page_size: -1, ..Default::default() }).await, Code::InvalidArgument, "invalid_input");
        refused(list(v1::ListRecordsRequest { page_token: "x".into(), ..Default::default() }).await, Code::InvalidArgument, "invalid_input");
        let known = v1::VerifyLogRequest { known: vec!["1".into()] };
        refused(rpc.audit().verify_log(known).await, Code::InvalidArgument, "invalid_input");
    }

    async fn it_needs_its_own_permission(app: TestApp) {
        let (reader, auditor) = (app.user_who_may("events:read users:read").await, app.user_who_may("audit:read").await);
        problem(app.get(AUDIT, &reader.token).await, 403, "forbidden").await;
        problem(app.get(&format!("{AUDIT}/export"), &reader.token).await, 403, "forbidden").await;
        assert!(!all(&app, &auditor, "").await.is_empty());
        problem(app.get("/api/v1/events", &auditor.token).await, 403, "forbidden").await;
        let rpc = Rpc::to(&app);
        refused(rpc.by(&reader.token).audit().verify_log(v1::VerifyLogRequest::default()).await, Code::PermissionDenied, "forbidden");
        let report = rpc.by(&auditor.token).audit().verify_log(v1::VerifyLogRequest::default()).await.unwrap().into_inner();
        assert!(report.is_whole && report.fault.is_none() && report.floor == 0);
        assert!(report.head.starts_with(&format!("{}:", report.checked)), "{report:?}");
        let known = v1::VerifyLogRequest { known: vec![format!("1:{}", "0".repeat(64))] };
        let report = rpc.by(&auditor.token).audit().verify_log(known).await.unwrap().into_inner();
        assert_eq!((report.is_whole, &*report.fault.unwrap().code), (false, "known_differs"));
    }

    async fn an_export_holds_every_record_once(app: TestApp) {
        let admin = app.admin().await;
        let lines: Vec<String> = (0..450).map(|at| json!({"email": format!("p{at}@example.com"), "name": "P"}).to_string()).collect();
        assert_eq!(app.import(&admin, lines.join("\n")).await["created"], 450);
        let listed = all(&app, &admin, "limit=200").await;
        assert!(listed.len() > 450);
        let exported = export(&app, &admin, "").await;
        let exported: Vec<Value> = exported.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(exported, listed);
        let response = app.get(&format!("{AUDIT}/export?format=csv&types=user.created"), &admin.token).await;
        assert_eq!(response.headers()["content-type"], "text/csv; charset=utf-8; header=present");
        assert_eq!(response.headers()["content-disposition"], "attachment; filename=\"audit.csv\"");
        let csv = cells(&response.text().await.unwrap());
        assert_eq!(csv.len(), 452, "a head, the admin, and 450 who were imported");
        assert!(csv.iter().all(|row| row.len() == 13));
        let none = export(&app, &admin, "format=csv&types=role.deleted").await;
        assert_eq!(cells(&none).len(), 1, "the head alone");
        assert_eq!(export(&app, &admin, "types=role.deleted").await, "");

        let rpc = Rpc::to(&app).by(&admin.token);
        let mut stream = rpc.audit().export_records(v1::ExportRecordsRequest::default()).await.unwrap().into_inner();
        let mut positions = Vec::new();
        while let Some(message) = stream.message().await.unwrap() {
            positions.extend(message.records.iter().map(|record| record.position));
        }
        assert_eq!(positions, listed.iter().map(|record| record["position"].as_i64().unwrap()).collect::<Vec<_>>());
    }

    async fn whoever_may_no_longer_read_gets_no_further_page(app: TestApp) {
        let admin = app.admin().await;
        let auditor = app.user_who_may("audit:read").await;
        // More than a connection holds, so that the export waits for its reader.
        let base = head(&app).await;
        let hands = Tamperer { world: &app.world };
        let rows = if app.world.sqlite_file().is_some() {
            "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 3000)
             INSERT INTO events (position, id, type, actor_type, user_agent, occurred_at, data, hash)
             SELECT BASE + n, randomblob(16), 'user.enabled', 'system', replace(hex(zeroblob(5000)), '0', 'x'), 0, '{}', zeroblob(32)
             FROM n"
        } else {
            "INSERT INTO events (position, id, type, actor_type, user_agent, occurred_at, data, hash)
             SELECT BASE + n, gen_random_uuid(), 'user.enabled', 'system', repeat('x', 10000), 0, '{}', sha256('')
             FROM generate_series(1, 3000) AS n"
        };
        hands.run(&rows.replace("BASE", &base.to_string())).await;
        hands.run(&format!("UPDATE event_log SET head_position = {}", base + 3000)).await;
        let mut response = app.get(&format!("{AUDIT}/export"), &auditor.token).await;
        assert!(response.chunk().await.unwrap().is_some());
        assert_eq!(app.delete(&auditor.path(), &admin.token).await.status(), 204);
        let broken = loop {
            match response.chunk().await {
                Ok(Some(_)) => {}
                Ok(None) => break false,
                Err(_) => break true,
            }
        };
        assert!(broken, "a cut export must not look like a whole one");
    }
}
