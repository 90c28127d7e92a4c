//! Records that are past their time are removed, and whoever followed them is told.

use std::sync::Arc;

use denizen::app::Ambience;
use denizen_domain::events;
use denizen_proto::v1;
use denizen_testkit::{FakeClock, SeededRandom};
use serde_json::Value;
use sqlx::Connection;
use tonic::Code;

use crate::events_walk::{head, records_after};
use crate::grpc::client::{Rpc, refused};
use crate::harness::{TestApp, World, on_both, problem};
use crate::process::run_on;

const DAY_S: u32 = 24 * 60 * 60;

async fn on_a_clock(world: &World) -> (TestApp, Arc<FakeClock>) {
    let clock = Arc::new(FakeClock::default());
    let ambience = Ambience { clock: Arc::clone(&clock) as Arc<_>, random: Arc::new(SeededRandom::new(17)) };
    let settings = [
        ("events.retention_days", "30"),
        ("sessions.idle_ttl_s", "31536000"),
        ("sessions.absolute_ttl_s", "31536000"),
        // After the clock was set back, a rate counts as spent for a moment.
        ("limits.address_per_second", "0"),
    ];
    (world.serve_in(&settings, ambience).await, clock)
}

async fn floor(app: &TestApp) -> i64 {
    app.services.store.read().await.unwrap().log_bounds().await.unwrap().floor
}

on_both! {
    async fn old_records_go_in_batches_and_cursors_before_them_expire(world: World) {
        let (app, clock) = on_a_clock(&world).await;
        for _ in 0..4 {
            app.user().await;
        }
        let old = head(&app).await;
        clock.advance_s(29 * DAY_S);
        assert_eq!(events::purge(&app.services, 5).await.unwrap(), 0, "nothing is past its time");
        let admin = app.admin().await;
        let young = records_after(&app, old).await;
        let before: Vec<Value> = serde_json::from_value(app.json("/api/v1/audit?limit=200", &admin.token).await).unwrap();

        clock.advance_s(DAY_S + 1);
        let mut removed = Vec::new();
        loop {
            match events::purge(&app.services, 5).await.unwrap() {
                0 => break,
                some => removed.push(some),
            }
        }
        assert!(removed.len() > 1 && removed.iter().all(|batch| *batch <= 5), "{removed:?}");
        assert_eq!(removed.iter().sum::<u64>(), u64::try_from(old).unwrap());
        assert_eq!(floor(&app).await, old);
        assert_eq!(records_after(&app, old).await, young, "what is young stays as it is");

        let token = app.sign_in(&admin.email).await.token;
        let cursor = |at: i64| before[usize::try_from(at - 1).unwrap()]["cursor"].as_str().unwrap().to_owned();
        for path in ["/api/v1/audit", "/api/v1/events", "/api/v1/me/events"] {
            problem(app.get(&format!("{path}?after={}", cursor(old - 1)), &token).await, 410, "cursor_expired").await;
            assert_eq!(app.get(&format!("{path}?after={}", cursor(old)), &token).await.status(), 200, "{path}");
        }
        let first = app.json(&format!("/api/v1/audit?limit=1&after={}", cursor(old)), &token).await;
        assert_eq!(first[0]["position"], old + 1, "nothing was missed");
        assert_eq!(app.json("/api/v1/audit?limit=1", &token).await, first, "without a cursor it is the first that is kept");

        let rpc = Rpc::to(&app).by(&token);
        let list = async |at| {
            rpc.audit().list_records(v1::ListRecordsRequest { page_token: cursor(at), ..Default::default() }).await
        };
        refused(list(1).await, Code::OutOfRange, "cursor_expired");
        assert_eq!(list(old).await.unwrap().into_inner().records[0].position, old + 1);

        let done = run_on(&world, &[], &["audit", "verify"], "").await;
        assert_eq!(done.code, 0, "{done:?}");
        assert!(done.stdout.contains(&format!("records 1 to {old} are past the retention period")), "{done:?}");
    }

    async fn a_young_record_keeps_those_behind_it(world: World) {
        let (app, clock) = on_a_clock(&world).await;
        clock.advance_s(40 * DAY_S);
        let before = head(&app).await;
        app.user().await;
        // A clock that was put back: what follows says that it is older.
        clock.advance_us(-i64::from(39 * DAY_S) * 1_000_000);
        app.user().await;
        let last = head(&app).await;
        clock.advance_us(i64::from(39 * DAY_S) * 1_000_000);
        while events::purge(&app.services, 500).await.unwrap() > 0 {}
        assert_eq!(floor(&app).await, before, "the log has no holes");
        clock.advance_s(31 * DAY_S);
        while events::purge(&app.services, 500).await.unwrap() > 0 {}
        assert_eq!(floor(&app).await, last);
    }

    async fn what_has_no_number_yet_is_not_removed(world: World) {
        let (app, clock) = on_a_clock(&world).await;
        app.user().await;
        let numbered = head(&app).await;
        if world.sqlite_file().is_some() {
            return;
        }
        // As a node leaves it that dies between its commit and the numbering.
        let mut connection = sqlx::PgConnection::connect(&world.database_url).await.unwrap();
        let pending = "INSERT INTO pending_events (id, type, actor_type, occurred_at, data)
            VALUES (gen_random_uuid(), 'user.disabled', 'system', 0, '{}')";
        // One statement with the removal, so that nobody numbers it between.
        clock.advance_s(31 * DAY_S);
        sqlx::query(pending).execute(&mut connection).await.unwrap();
        let removed = events::purge(&app.services, 500).await.unwrap();
        assert!(removed >= u64::try_from(numbered).unwrap());
        let bounds = app.services.store.read().await.unwrap().log_bounds().await.unwrap();
        assert!(bounds.floor <= bounds.head);
        assert!(head(&app).await > numbered, "it got its number, in its turn");
        let done = run_on(&world, &[], &["audit", "verify"], "").await;
        assert_eq!(done.code, 0, "{done:?}");
    }
}
