//! `denizen audit`: whoever bends the log with the database in their hands is found.

use denizen_domain::events::chain::ChainKey;
use denizen_domain::events::store::follow_on;
use denizen_domain::events::{Event, chain};
use denizen_domain::value::Value as Said;
use serde_json::Value;
use sqlx::{AssertSqlSafe, Connection, Executor};

use crate::events_walk::{head, records_after};
use crate::harness::{TestApp, World, on_both};
use crate::process::{Done, run_on};

/// The hands of somebody who can write the database.
pub(crate) struct Tamperer<'a> {
    pub(crate) world: &'a World,
}

impl Tamperer<'_> {
    pub(crate) async fn run(&self, sql: &str) {
        let sql = AssertSqlSafe(sql.to_owned());
        if let Some(file) = self.world.sqlite_file() {
            let url = format!("sqlite://{}", file.display());
            let mut connection = sqlx::SqliteConnection::connect(&url).await.unwrap();
            connection.execute(sql).await.unwrap();
            connection.close().await.unwrap();
        } else {
            let mut connection = sqlx::PgConnection::connect(&self.world.database_url).await.unwrap();
            connection.execute(sql).await.unwrap();
            connection.close().await.unwrap();
        }
    }

    /// Bytes as the database writes them.
    pub(crate) fn bytes(&self, bytes: &[u8; 32]) -> String {
        let digits = chain::hexadecimal(bytes);
        if self.world.sqlite_file().is_some() { format!("x'{digits}'") } else { format!("'\\x{digits}'") }
    }

    fn id(&self) -> String {
        let id = "019365a8-6a5c-7f3e-9d0c-7b1f0a1c2d3e";
        if self.world.sqlite_file().is_some() { format!("x'{}'", id.replace('-', "")) } else { format!("'{id}'") }
    }

    pub(crate) async fn keep_a_copy(&self) {
        self.run("CREATE TABLE kept_events AS SELECT * FROM events").await;
        self.run("CREATE TABLE kept_log AS SELECT * FROM event_log").await;
    }

    pub(crate) async fn restore(&self) {
        self.run("DELETE FROM events").await;
        self.run("DELETE FROM event_log").await;
        self.run("INSERT INTO events SELECT * FROM kept_events ORDER BY position").await;
        self.run("INSERT INTO event_log SELECT * FROM kept_log").await;
    }

    pub(crate) async fn verify(&self, known: &[&str]) -> Done {
        let mut arguments = vec!["audit", "verify", "--output", "json"];
        for head in known {
            arguments.extend(["--known", head]);
        }
        run_on(self.world, &[], &arguments, "").await
    }

    /// Bends the log, asserts that this is found, and puts it right again.
    async fn check(&self, sql: &[&str], position: i64, code: &str) {
        for statement in sql {
            self.run(statement).await;
        }
        let done = self.verify(&[]).await;
        found(&done, position, code, sql.last().unwrap());
        self.restore().await;
    }
}

pub(crate) fn found(done: &Done, position: i64, code: &str, what: &str) {
    assert_eq!(done.code, 1, "{what}: {done:?}");
    let report: Value = serde_json::from_str(&done.stdout).unwrap_or_else(|_| panic!("{what}: {done:?}"));
    let fault = &report["fault"];
    assert_eq!((fault["position"].as_i64(), fault["code"].as_str()), (Some(position), Some(code)), "{what}: {report}");
    assert_eq!(report["is_whole"], false, "{what}");
    assert!(done.stderr.starts_with("denizen: the log is not intact: record"), "{what}: {done:?}");
}

pub(crate) fn whole(done: &Done) -> Value {
    let report = done.json();
    assert_eq!((&report["is_whole"], &report["fault"]), (&Value::Bool(true), &Value::Null), "{report}");
    report
}

/// A log of a dozen records, and its end.
pub(crate) async fn written(app: &TestApp) -> i64 {
    for _ in 0..4 {
        app.user().await;
    }
    let end = head(app).await;
    assert_eq!(
        records_after(app, 0).await[4].kind,
        "user.created",
        "what is bent below was done by nobody who is known"
    );
    assert!(end >= 12);
    end
}

pub(crate) fn head_of(records: &[Event]) -> String {
    let last = records.last().unwrap();
    format!("{}:{}", last.position, chain::hexadecimal(&last.hash))
}

on_both! {
    async fn a_field_that_was_changed_is_found_in_every_column(world: World) {
        let app = world.serve(&[]).await;
        written(&app).await;
        let hands = Tamperer { world: &world };
        hands.keep_a_copy().await;
        whole(&hands.verify(&[]).await);
        let (id, zeros) = (hands.id(), hands.bytes(&[0; 32]));
        let changes = [
            format!("id = {id}"),
            "type = 'user.enabled'".to_owned(),
            "subject = 'somebody'".to_owned(),
            "subject = NULL".to_owned(),
            "actor_type = 'operator'".to_owned(),
            // What cannot be read is no more taken for what was there than what can.
            "actor_type = 'bogus'".to_owned(),
            format!("actor_id = {id}"),
            "credential_type = 'session'".to_owned(),
            format!("credential_id = {id}"),
            format!("credential_type = 'bogus', credential_id = {id}"),
            "address = '10.0.0.1'".to_owned(),
            "address = NULL".to_owned(),
            "address = 'bogus'".to_owned(),
            "user_agent = 'curl'".to_owned(),
            "occurred_at = occurred_at + 1".to_owned(),
            "data = '{}'".to_owned(),
            "data = 'bogus'".to_owned(),
            "data = data || ' '".to_owned(),
            "form = 2".to_owned(),
            format!("erased_origin = {zeros}"),
            format!("erased_origin = {zeros}, address = NULL, user_agent = NULL"),
            format!("erased_data = {zeros}"),
            format!("hash = {zeros}"),
        ];
        for change in changes {
            hands.check(&[&format!("UPDATE events SET {change} WHERE position = 5")], 5, "changed").await;
        }
        whole(&hands.verify(&[]).await);
    }

    async fn records_that_are_gone_moved_or_put_in_are_found(world: World) {
        let app = world.serve(&[]).await;
        let end = written(&app).await;
        let hands = Tamperer { world: &world };
        hands.keep_a_copy().await;
        let columns = "id, type, subject, actor_type, actor_id, credential_type, credential_id, address, user_agent, occurred_at, data, hash, form";
        let copy = |from: i64, to: i64| format!("INSERT INTO events (position, {columns}) SELECT {to}, {columns} FROM events WHERE position = {from}");
        let shift = |from: i64, to: i64| format!("UPDATE events SET position = {to} WHERE position = {from}");

        hands.check(&["DELETE FROM events WHERE position = 1"], 1, "missing").await;
        hands.check(&["DELETE FROM events WHERE position = 5"], 5, "missing").await;
        hands.check(&["DELETE FROM events WHERE position IN (5, 6, 9)"], 5, "missing").await;
        hands.check(&[&format!("DELETE FROM events WHERE position = {end}")], end, "missing").await;
        hands.check(&["DELETE FROM events"], 1, "missing").await;
        hands.check(&[&shift(3, 1003), &shift(6, 3), &shift(1003, 6)], 3, "moved").await;
        // In the middle, what follows being moved on; and at the end.
        let moves: Vec<String> = (5..=end).rev().map(|at| shift(at, at + 1)).collect();
        let mut statements: Vec<&str> = moves.iter().map(String::as_str).collect();
        let forged = copy(2, 5);
        statements.push(&forged);
        statements.push("UPDATE event_log SET head_position = head_position + 1 WHERE head_position < (SELECT max(position) FROM events)");
        hands.check(&statements, 5, "moved").await;
        statements.push("UPDATE events SET user_agent = 'forged' WHERE position = 5");
        hands.check(&statements, 5, "changed").await;
        // SQLite takes it for the new end, and PostgreSQL does not.
        let code = if world.sqlite_file().is_some() { "moved" } else { "beyond_head" };
        hands.check(&[&copy(2, end + 1)], end + 1, code).await;
        whole(&hands.verify(&[]).await);
    }

    async fn where_the_log_begins_and_ends_cannot_be_moved(world: World) {
        let app = world.serve(&[]).await;
        let end = written(&app).await;
        let records = records_after(&app, 0).await;
        let hands = Tamperer { world: &world };
        hands.keep_a_copy().await;
        let hash_of = |at: i64| hands.bytes(&records[usize::try_from(at - 1).unwrap()].hash);
        let floor = format!("UPDATE event_log SET floor_position = 2, floor_hash = {}", hash_of(2));
        hands.check(&[&floor], 1, "before_floor").await;
        hands.check(&["UPDATE event_log SET floor_position = 2"], 1, "before_floor").await;
        let other = hands.bytes(&[7; 32]);
        hands.check(&[&format!("UPDATE event_log SET floor_hash = {other}")], 1, "changed").await;
        hands.check(&[&format!("UPDATE event_log SET head_hash = {other}")], end, "other_head").await;
        hands.check(&["UPDATE event_log SET head_position = head_position + 5"], end + 1, "missing").await;
        let back = format!("UPDATE event_log SET head_position = {}, head_hash = {}", end - 1, hash_of(end - 1));
        hands.check(&[&back], end, "beyond_head").await;

        // What was removed because it was past its time leaves a log that is whole, and begins where it says.
        let removal = "DELETE FROM events WHERE position <= 3";
        let floor = format!("UPDATE event_log SET floor_position = 3, floor_hash = {}", hash_of(3));
        hands.run(removal).await;
        hands.run(&floor).await;
        found(&hands.verify(&[]).await, 3, "unsealed_floor", "a beginning that was cut off");
        let seal = ChainKey::derive(app.services.vault.as_ref()).seal_floor(3, &records[2].hash);
        hands.run(&format!("UPDATE event_log SET floor_seal = {}", hands.bytes(&seal))).await;
        let known = [head_of(&records[..2]), head_of(&records[..3]), head_of(&records[..5])];
        let report = whole(&hands.verify(&known.each_ref().map(String::as_str)).await);
        assert_eq!((&report["floor"], &report["checked"]), (&Value::from(3), &Value::from(end - 3)));
        assert_eq!(report["forgotten"], Value::from(vec![known[0].clone()]), "of what is no longer kept nothing is said");
        hands.run("UPDATE event_log SET floor_position = 1").await;
        found(&hands.verify(&[]).await, 2, "missing", "a floor that was lowered");
    }

    async fn a_log_that_was_written_anew_is_found_by_a_head_that_is_known(world: World) {
        let app = world.serve(&[]).await;
        let end = written(&app).await;
        let mut records = records_after(&app, 0).await;
        let hands = Tamperer { world: &world };
        hands.keep_a_copy().await;
        let text = run_on(&world, &[], &["audit", "verify"], "").await;
        let known = text.stdout.lines().last().unwrap().strip_prefix("head ").unwrap().to_owned();
        assert_eq!(known, head_of(&records), "{text:?}");
        let middle = head_of(&records[..6]);

        // One record with a hash that fits it: the next one no longer follows.
        let before = records[3].hash;
        records[4].data.insert("email".to_owned(), Said::String("forged@example.com".to_owned()));
        // Even with the key.
        let key = ChainKey::derive(app.services.vault.as_ref());
        follow_on(&mut records[4..], Some(&key), 4, before);
        let update = |record: &Event| {
            let data = serde_json::to_string(&record.data).unwrap().replace('\'', "''");
            let hash = hands.bytes(&record.hash);
            format!("UPDATE events SET data = '{data}', hash = {hash} WHERE position = {}", record.position)
        };
        hands.check(&[&update(&records[4])], 6, "changed").await;

        // The whole rest, and where it ends.
        for record in &records[4..] {
            hands.run(&update(record)).await;
        }
        hands.run(&format!("UPDATE event_log SET head_hash = {}", hands.bytes(&records.last().unwrap().hash))).await;
        whole(&hands.verify(&[]).await);
        found(&hands.verify(&[&known]).await, end, "known_differs", "the head");
        found(&hands.verify(&[&known, &middle]).await, 6, "known_differs", "the first of two that are known");
        hands.restore().await;

        // A log that was cut, and says so.
        let kept = records_after(&app, 0).await;
        hands.run(&format!("DELETE FROM events WHERE position > {}", end - 2)).await;
        let hash = hands.bytes(&kept[usize::try_from(end - 3).unwrap()].hash);
        hands.run(&format!("UPDATE event_log SET head_position = {}, head_hash = {hash}", end - 2)).await;
        whole(&hands.verify(&[&middle]).await);
        found(&hands.verify(&[&known, &middle]).await, end, "known_missing", "an end that was cut");
    }

    async fn a_long_log_is_walked_page_by_page(world: World) {
        let app = world.serve(&[]).await;
        let admin = app.admin().await;
        let line = |at: u32| format!("{{\"email\":\"p{at}@example.com\",\"name\":\"P\"}}");
        let lines: Vec<String> = (0..2_300).map(line).collect();
        assert_eq!(app.import(&admin, lines.join("\n")).await["created"], 2_300);
        let hands = Tamperer { world: &world };
        let report = whole(&hands.verify(&[]).await);
        assert!(report["checked"].as_u64().unwrap() > 2_300);
        // The last of a page, and the first of the next.
        hands.keep_a_copy().await;
        hands.check(&["UPDATE events SET user_agent = 'x' WHERE position = 1000"], 1_000, "changed").await;
        hands.check(&["UPDATE events SET user_agent = 'x' WHERE position = 1001"], 1_001, "changed").await;
        hands.check(&["DELETE FROM events WHERE position = 2001"], 2_001, "missing").await;

        let export = |arguments: &'static [&'static str]| run_on(&world, &[], arguments, "");
        let everything = export(&["audit", "export"]).await;
        assert_eq!(everything.stdout.lines().count(), usize::try_from(head(&app).await).unwrap());
        let done = export(&["audit", "export", "people.csv", "--format", "csv", "--types", "user.created"]).await;
        assert_eq!((done.code, done.stdout.as_str()), (0, ""), "{done:?}");
        let text = std::fs::read_to_string(world.folder().join("people.csv")).unwrap();
        assert_eq!(text.lines().count(), 2_302, "a head, the admin, and those who were imported");
        assert!(text.starts_with("position,id,type,subject,") && text.ends_with("\r\n"));
        assert_eq!(export(&["audit", "export", "--actor", "me"]).await.only_line(2), "actor: must be the id of a user or service account");
        assert!(export(&["audit", "verify", "--known", "1:x"]).await.only_line(2).starts_with("--known: must be POSITION:HASH"));
    }
}
