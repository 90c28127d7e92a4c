//! Personal data of deleted users is erased from the log, which still verifies.

use std::sync::Arc;

use denizen::app::Ambience;
use denizen_domain::events::{self, Event, RecordForm};
use denizen_proto::v1;
use denizen_testkit::{FakeClock, SeededRandom};
use serde_json::{Value, json};

use crate::audit_verify::{Tamperer, found, head_of, whole};
use crate::events_walk::{head, records_after};
use crate::grpc::Rpc;
use crate::harness::{SignedIn, TestApp, World, on_both};
use crate::process::run_on;

const DAY_S: u32 = 24 * 60 * 60;

async fn on_a_clock(world: &World) -> (TestApp, Arc<FakeClock>) {
    let clock = Arc::new(FakeClock::default());
    let ambience = Ambience { clock: Arc::clone(&clock) as Arc<_>, random: Arc::new(SeededRandom::new(23)) };
    let settings = [
        ("sessions.idle_ttl_s", "31536000"),
        ("sessions.absolute_ttl_s", "31536000"),
        ("sessions.access_ttl_s", "3600"),
        ("limits.address_per_second", "0"),
    ];
    (world.serve_in(&settings, ambience).await, clock)
}

/// Erases what is due, in transactions of so many records; the number of steps.
async fn pseudonymize(app: &TestApp, batch: u32) -> u32 {
    app.services.store.seal_events().await.unwrap();
    let mut run = events::Pseudonymization::default();
    let mut steps = 0;
    while run.step(&app.services, batch).await.unwrap() {
        steps += 1;
    }
    steps
}

/// A user with records of every kind: about them by others, about others by them, and those of their own.
async fn with_a_past(app: &TestApp, admin: &SignedIn) -> SignedIn {
    let user = app.user().await;
    let path = format!("/api/v1/users/{}", user.id);
    assert_eq!(app.patch(&path, &admin.token, &json!({"name": "Grace Brewster Hopper"})).await.status(), 200);
    assert_eq!(app.patch(&path, &admin.token, &json!({"role": "admin"})).await.status(), 200);
    let other = app.user().await;
    let path = format!("/api/v1/users/{}", other.id);
    assert_eq!(app.patch(&path, &user.token, &json!({"name": "Changed by another"})).await.status(), 200);
    let key = json!({"name": "Grace's key", "scopes": ["users:read"]});
    assert_eq!(
        app.request(reqwest::Method::POST, "/api/v1/api-keys", Some(&user.token))
            .json(&key)
            .send()
            .await
            .unwrap()
            .status(),
        201
    );
    user
}

/// The text of everything that is stored of a record, but for its hash.
fn text(record: &Event) -> String {
    format!("{:?} {:?} {:?}", record.address, record.user_agent, record.data)
}

on_both! {
    async fn personal_data_of_deleted_users_is_erased_and_the_log_verifies(world: World) {
        let (app, clock) = on_a_clock(&world).await;
        let admin = app.admin().await;
        let user = with_a_past(&app, &admin).await;
        let path = format!("/api/v1/users/{}", user.id);
        assert_eq!(app.delete(&path, &admin.token).await.status(), 204);
        let end = head(&app).await;
        let before = records_after(&app, 0).await;
        assert!(before.iter().all(|record| record.form == RecordForm::Digested));
        let known = head_of(&before);

        clock.advance_s(30 * DAY_S - 60);
        assert_eq!(pseudonymize(&app, 3).await, 0, "the period has not passed");
        clock.advance_s(61);
        assert!(pseudonymize(&app, 3).await > 3, "in batches");
        assert_eq!(pseudonymize(&app, 3).await, 0, "once");

        let after = records_after(&app, 0).await;
        for (before, after) in before.iter().zip(&after) {
            let is_subject = before.about.as_str() == Some(user.id.as_str());
            let is_actor = before.actor.id.is_some_and(|id| id.to_string() == user.id);
            let what = format!("{before:?}\n{after:?}");
            assert_eq!((before.hash, before.position, &before.kind), (after.hash, after.position, &after.kind), "{what}");
            assert_eq!((&before.about, before.actor, before.id), (&after.about, after.actor, after.id), "{what}");
            if is_subject {
                assert!(!text(after).contains(&user.email) && !text(after).contains("Grace"), "{what}");
                assert_eq!(before.data.len(), after.data.len(), "{what}");
            } else {
                assert_eq!(before.data, after.data, "{what}");
            }
            if is_actor {
                assert_eq!((after.address, &after.user_agent), (None, &None), "{what}");
            } else if before.actor.id.is_some() {
                assert_eq!((before.address, &before.user_agent), (after.address, &after.user_agent), "{what}");
            }
            assert!(is_subject || is_actor || before == after, "{what}");
        }
        assert!(after.len() >= before.len() && end > 12);

        let tamperer = Tamperer { world: &world };
        let report = whole(&tamperer.verify(&[&known]).await);
        assert!(report["checked"].as_i64().unwrap() >= end, "{report}");
    }

    async fn readers_see_placeholders(world: World) {
        let (app, clock) = on_a_clock(&world).await;
        let admin = app.admin().await;
        let user = with_a_past(&app, &admin).await;
        assert_eq!(app.delete(&format!("/api/v1/users/{}", user.id), &admin.token).await.status(), 204);
        clock.advance_s(30 * DAY_S + 1);
        pseudonymize(&app, 500).await;

        let admin = app.sign_in(&admin.email).await;
        let path = format!("/api/v1/audit?subject={}&limit=200", user.id);
        let records: Vec<Value> = serde_json::from_value(app.json(&path, &admin.token).await).unwrap();
        let one = |kind: &str| records.iter().find(|record| record["type"] == kind).unwrap().clone();
        let created = one("user.created");
        assert_eq!(created["data"]["email"], format!("{}@erased.invalid", user.id));
        assert_eq!((&created["data"]["name"], &created["data"]["role"]), (&json!("[erased]"), &json!("user")));
        assert_eq!((&created["address"], &created["user_agent"]), (&Value::Null, &Value::Null));
        assert_eq!(created["pseudonymized"], true);
        assert_eq!(one("api_key.created")["data"]["name"], "[erased]");
        let deleted = one("user.deleted");
        assert_eq!(deleted["data"]["email"], format!("{}@erased.invalid", user.id));
        assert!(deleted["address"].is_string(), "the address is that of the administrator: {deleted}");
        let all: Vec<Value> = serde_json::from_value(app.json("/api/v1/audit?limit=200", &admin.token).await).unwrap();
        assert!(all.iter().any(|record| record.get("pseudonymized").is_none()), "records of others have no such field");

        let rpc = Rpc::to(&app).by(&admin.token);
        let filter = Some(v1::AuditFilter { subject: Some(user.id.clone()), ..Default::default() });
        let request = v1::ListRecordsRequest { filter, page_size: 200, ..Default::default() };
        let listed = rpc.audit().list_records(request).await.unwrap().into_inner().records;
        assert_eq!(listed.len(), records.len());
        assert!(listed.iter().filter(|record| record.r#type == "user.created").all(|record| record.pseudonymized));
    }

    async fn an_interrupted_run_is_completed_by_the_next_one(world: World) {
        let (app, clock) = on_a_clock(&world).await;
        let admin = app.admin().await;
        let users = [with_a_past(&app, &admin).await, with_a_past(&app, &admin).await];
        for user in &users {
            assert_eq!(app.delete(&format!("/api/v1/users/{}", user.id), &admin.token).await.status(), 204);
        }
        clock.advance_s(30 * DAY_S + 1);
        app.services.store.seal_events().await.unwrap();
        // Each run ends after one step, and two nodes run at once.
        let mut runs = [events::Pseudonymization::default(), events::Pseudonymization::default()];
        for run in &mut runs {
            assert!(run.step(&app.services, 2).await.unwrap());
        }
        let (first, second) = tokio::join!(pseudonymize(&app, 2), pseudonymize(&app, 5));
        assert!(first + second > 0);
        for user in &users {
            for record in records_after(&app, 0).await {
                assert!(!text(&record).contains(&user.email), "{record:?}");
            }
        }
        whole(&Tamperer { world: &world }.verify(&[]).await);
    }

    async fn a_database_writer_cannot_alter_erased_records(world: World) {
        let (app, clock) = on_a_clock(&world).await;
        let admin = app.admin().await;
        let user = with_a_past(&app, &admin).await;
        let created = records_after(&app, 0).await.into_iter().find(|record| {
            record.kind == "user.created" && record.about.as_str() == Some(user.id.as_str())
        });
        let position = created.unwrap().position;
        assert_eq!(app.delete(&format!("/api/v1/users/{}", user.id), &admin.token).await.status(), 204);
        clock.advance_s(30 * DAY_S + 1);
        pseudonymize(&app, 500).await;
        let tamperer = Tamperer { world: &world };
        whole(&tamperer.verify(&[]).await);
        tamperer.keep_a_copy().await;
        let other = tamperer.bytes(&[7; 32]);
        for change in [
            "address = '203.0.113.9'".to_owned(),
            "user_agent = 'curl'".to_owned(),
            "data = replace(data, '[erased]', 'Grace')".to_owned(),
            "data = replace(data, '@erased.invalid', '@example.com')".to_owned(),
            "data = replace(data, '\"user\"', '\"admin\"')".to_owned(),
            "erased_data = NULL".to_owned(),
            "erased_origin = NULL".to_owned(),
            format!("erased_data = {other}"),
            format!("erased_origin = {other}"),
            "form = 2".to_owned(),
        ] {
            tamperer.run(&format!("UPDATE events SET {change} WHERE position = {position}")).await;
            found(&tamperer.verify(&[]).await, position, "changed", &change);
            tamperer.restore().await;
        }
        whole(&tamperer.verify(&[]).await);
    }

    async fn only_authentic_records_of_users_who_do_not_exist_are_erased(world: World) {
        let (app, clock) = on_a_clock(&world).await;
        let admin = app.admin().await;
        let user = with_a_past(&app, &admin).await;
        let gone = with_a_past(&app, &admin).await;
        assert_eq!(app.delete(&format!("/api/v1/users/{}", gone.id), &admin.token).await.status(), 204);
        let records = records_after(&app, 0).await;
        clock.advance_s(30 * DAY_S + 1);
        let tamperer = Tamperer { world: &world };
        tamperer.keep_a_copy().await;
        let created = |id: &str| {
            let is_it = |record: &&Event| record.kind == "user.created" && record.about.as_str() == Some(id);
            records.iter().find(is_it).unwrap().position
        };
        let erased = async || {
            let after = records_after(&app, 0).await;
            let changed = records.iter().zip(&after).filter(|(before, after)| before.data != after.data);
            changed.map(|(before, _)| before.about.as_str().unwrap_or_default().to_owned()).collect::<Vec<_>>()
        };
        // A record of another user as that of a deletion, and a foreign record as one about the deleted user.
        let forged = format!("UPDATE events SET type = 'user.deleted', occurred_at = 0 WHERE position = {}", created(&user.id));
        tamperer.run(&forged).await;
        tamperer.run(&format!("UPDATE events SET subject = '{}' WHERE position = {}", gone.id, created(&admin.id))).await;
        pseudonymize(&app, 3).await;
        let found = erased().await;
        assert!(!found.is_empty() && found.iter().all(|id| *id == gone.id), "{found:?}");
        tamperer.restore().await;
        whole(&tamperer.verify(&[]).await);

        // The user was created again, with the same id.
        let file = world.folder().join("again.ndjson");
        std::fs::write(&file, json!({"id": gone.id, "email": gone.email, "name": "Grace"}).to_string()).unwrap();
        let imported = run_on(&world, &[], &["users", "import", "--keep-ids", file.to_str().unwrap()], "").await;
        assert_eq!(imported.code, 0, "{imported:?}");
        pseudonymize(&app, 3).await;
        assert_eq!(erased().await, Vec::<String>::new());
    }

    async fn records_of_the_previous_release_stay_and_verify(world: World) {
        let (app, clock) = on_a_clock(&world).await;
        let admin = app.admin().await;
        let user = with_a_past(&app, &admin).await;
        assert_eq!(app.delete(&format!("/api/v1/users/{}", user.id), &admin.token).await.status(), 204);
        // As the previous release writes them.
        let key = denizen_domain::events::chain::ChainKey::derive(app.services.vault.as_ref());
        let mut previous = denizen_domain::events::chain::GENESIS;
        let tamperer = Tamperer { world: &world };
        let records = records_after(&app, 0).await;
        for record in &records {
            let record = Event { form: RecordForm::Whole, ..record.clone() };
            previous = key.hash(&previous, &record);
            let hash = tamperer.bytes(&previous);
            tamperer.run(&format!("UPDATE events SET form = 2, hash = {hash} WHERE position = {}", record.position)).await;
        }
        tamperer.run(&format!("UPDATE event_log SET head_hash = {}", tamperer.bytes(&previous))).await;
        whole(&tamperer.verify(&[]).await);
        clock.advance_s(30 * DAY_S + 1);
        assert_eq!(pseudonymize(&app, 500).await, 0);
        let after = records_after(&app, 0).await;
        assert!(records.iter().zip(&after).all(|(before, after)| before.data == after.data));
        // The next record follows on, in the new form.
        app.user().await;
        whole(&tamperer.verify(&[]).await);
    }
}
