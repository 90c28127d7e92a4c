//! What `/health/ready` and `/health/startup` check, and what `denizen migrate plan` says about locks.

use reqwest::Method;
use serde_json::{Value, json};

use crate::anonymous_growth::sql;
use crate::harness::on_both;
use crate::process::{Process, run_on};

on_both! {
    async fn a_schema_that_is_older_than_the_server_is_not_ready(world: World) {
        let server = Process::start(&world, &[]).await;
        assert_eq!(server.status("/health/ready", None).await, 200);
        assert_eq!(server.status("/health/startup", None).await, 200);

        sql(&world, "DELETE FROM _sqlx_migrations WHERE version IN (16, 21, 22, 24)").await;
        let response = server.request(Method::GET, "/health/ready", None).send().await.unwrap();
        assert_eq!(response.status(), 503);
        let body: Value = response.json().await.unwrap();
        assert_eq!(body["status"], "unavailable");
        assert_eq!((&body["checks"]["database"], &body["checks"]["migrations"]), (&json!("ok"), &json!("pending")));
        assert_eq!(server.status("/health/startup", None).await, 200, "the start was complete before");

        let plan = run_on(&world, &[], &["migrate", "plan", "--output", "json"], "").await.json();
        let text = run_on(&world, &[], &["migrate", "plan"], "").await.stdout;
        let pending = plan["pending"].as_array().unwrap();
        let versions: Vec<&Value> = pending.iter().map(|step| &step["version"]).collect();
        assert_eq!(versions, [&json!(16), &json!(21), &json!(22), &json!(24)]);
        if world.sqlite_file().is_some() {
            let lock = json!({"table": "*", "mode": "WRITE", "blocks_reads": false, "blocks_writes": true, "work": "none"});
            assert_eq!(pending[1]["locks"], json!([lock]));
            assert!(text.contains("  all tables: WRITE lock, blocks writes\n"), "{text}");
        } else {
            let lock = json!({"table": "challenges", "mode": "ACCESS EXCLUSIVE", "blocks_reads": true,
                "blocks_writes": true, "work": "none"});
            assert!(pending[0]["locks"].as_array().unwrap().contains(&lock), "{plan}");
            assert_eq!(pending[1]["locks"], json!([]), "it only adds a table");
            assert!(text.contains("  sessions: ACCESS EXCLUSIVE lock, blocks reads and writes, reads all rows\n"), "{text}");
            assert!(text.contains("  locks no existing table\n"), "{text}");
        }
    }
}
