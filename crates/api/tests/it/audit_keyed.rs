//! The chain of the audit log is keyed: write access to the database does not suffice to forge it.

use std::time::Duration;

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use denizen_domain::events::chain::{ChainKey, GENESIS};
use denizen_domain::events::store::follow_on;
use denizen_domain::events::{Event, chain};
use denizen_domain::value::Value as Said;
use denizen_proto::v1;
use serde_json::{Value, json};

use crate::audit_verify::{Tamperer, found, head_of, whole, written};
use crate::events_walk::{head, records_after};
use crate::grpc::Rpc;
use crate::harness::{TestApp, eventually, on_both};
use crate::process::{Process, run_on};

const UPDATE_WITHIN: Duration = Duration::from_secs(10);

/// Rewrites the log from a record on with hashes that need no key, as an attacker does who can write the database.
async fn rewrite(hands: &Tamperer<'_>, records: &mut [Event], from: usize) {
    let before = from.checked_sub(1).map_or((0, GENESIS), |before| (records[before].position, records[before].hash));
    follow_on(&mut records[from..], None, before.0, before.1);
    for record in &records[from..] {
        let data = serde_json::to_string(&record.data).unwrap().replace('\'', "''");
        let hash = hands.bytes(&record.hash);
        hands
            .run(&format!("UPDATE events SET data = '{data}', hash = {hash} WHERE position = {}", record.position))
            .await;
    }
    let last = records.last().unwrap();
    let hash = hands.bytes(&last.hash);
    hands.run(&format!("UPDATE event_log SET head_position = {}, head_hash = {hash}", last.position)).await;
}

fn forge(record: &mut Event) {
    record.data.insert("email".to_owned(), Said::String("forged@example.com".to_owned()));
}

/// Makes the log what the release before leaves: no record has a key, and nothing is sealed.
async fn as_by_the_release_before(hands: &Tamperer<'_>, app: &TestApp) -> Vec<Event> {
    let mut records = records_after(app, 0).await;
    rewrite(hands, &mut records, 0).await;
    hands
        .run("UPDATE event_log SET keyed_position = NULL, keyed_hash = NULL, keyed_seal = NULL, floor_seal = NULL")
        .await;
    records
}

on_both! {
    async fn a_chain_made_without_the_key_is_found(world: World) {
        let app = world.serve(&[]).await;
        let end = written(&app).await;
        let mut records = records_after(&app, 0).await;
        let key = ChainKey::derive(app.services.vault.as_ref());
        assert_eq!(records[0].hash, key.hash(&GENESIS, &records[0]), "the first record is keyed");
        let hands = Tamperer { world: &world };
        hands.keep_a_copy().await;

        forge(&mut records[4]);
        rewrite(&hands, &mut records, 4).await;
        found(&hands.verify(&[]).await, 5, "unkeyed", "a rewritten rest");
        hands.restore().await;

        let columns = "id, type, subject, actor_type, actor_id, credential_type, credential_id, address, user_agent, occurred_at, data";
        let mut records = records_after(&app, 0).await;
        let mut forged = records[1].clone();
        forged.position = end + 1;
        forged.hash = chain::hash(&records.last().unwrap().hash, &forged);
        let hash = hands.bytes(&forged.hash);
        hands.run(&format!("INSERT INTO events (position, {columns}, hash) SELECT {}, {columns}, {hash} FROM events WHERE position = 2", end + 1)).await;
        hands.run(&format!("UPDATE event_log SET head_position = {}, head_hash = {hash}", end + 1)).await;
        found(&hands.verify(&[]).await, end + 1, "unkeyed", "an appended record");
        hands.restore().await;

        // The seals are of no use elsewhere.
        hands.run(&format!("UPDATE event_log SET keyed_position = {end}")).await;
        found(&hands.verify(&[]).await, end, "unsealed_start", "a start that was moved");
        hands.restore().await;
        let floor = hands.bytes(&records[2].hash);
        hands.run("DELETE FROM events WHERE position <= 3").await;
        hands.run(&format!("UPDATE event_log SET floor_position = 3, floor_hash = {floor}")).await;
        found(&hands.verify(&[]).await, 3, "unsealed_floor", "a beginning that was cut off");
        hands.restore().await;
        whole(&hands.verify(&[]).await);

        // Without its seals the log looks like one of the release before, which the next start seals; a head that was kept
        // tells.
        let kept = run_on(&world, &[], &["audit", "head"], "").await.stdout;
        rewrite(&hands, &mut records, 0).await;
        hands.run("UPDATE event_log SET keyed_position = NULL, keyed_hash = NULL, keyed_seal = NULL, floor_seal = NULL").await;
        found(&hands.verify(&[]).await, 0, "unsealed_start", "a log whose seals were removed");
        drop(world.serve(&[]).await);
        let report = whole(&hands.verify(&[]).await);
        assert_eq!(report["keyed_from"].as_i64(), Some(end + 1), "a check says how much is without a key: {report}");
        found(&hands.verify(&[kept.trim()]).await, end, "known_differs", "a log without seals");
    }

    async fn an_end_that_was_cut_off_is_found_by_a_signed_head(world: World) {
        let app = world.serve(&[]).await;
        let end = written(&app).await;
        let records = records_after(&app, 0).await;
        let hands = Tamperer { world: &world };
        let body = run_on(&world, &[], &["audit", "head", "--output", "json"], "").await.json();
        assert_eq!((&body["head"], &body["keyed_from"]), (&Value::from(head_of(&records)), &Value::from(1)), "{body}");
        let signed = body["signed"].as_str().unwrap();
        whole(&hands.verify(&[signed]).await);
        let text = run_on(&world, &[], &["audit", "verify"], "").await.stdout;
        assert!(text.contains("\nnot proven without a stored head (--known, --known-file): that no later records were truncated"), "{text}");

        hands.run(&format!("DELETE FROM events WHERE position > {}", end - 2)).await;
        let hash = hands.bytes(&records[usize::try_from(end - 3).unwrap()].hash);
        hands.run(&format!("UPDATE event_log SET head_position = {}, head_hash = {hash}", end - 2)).await;
        whole(&hands.verify(&[]).await);
        found(&hands.verify(&[signed]).await, end, "known_missing", "an end that was cut");
        let forged = signed.replacen('.', ".A", 1);
        let refused = hands.verify(&[&forged]).await;
        assert_eq!(refused.only_line(2), "--known: must be a signed head of this deployment");
    }

    async fn a_log_of_the_release_before_goes_on_keyed(world: World) {
        let app = world.serve(&[]).await;
        written(&app).await;
        let hands = Tamperer { world: &world };
        let old = as_by_the_release_before(&hands, &app).await;
        drop(app);
        let app = world.serve(&[]).await;
        let last_old = i64::try_from(old.len()).unwrap();
        app.user().await;
        let report = whole(&hands.verify(&[&head_of(&old)]).await);
        assert_eq!((report["unkeyed"].as_i64(), report["keyed_from"].as_i64()), (Some(last_old), Some(last_old + 1)));

        // What is without a key is bound by what follows.
        hands.keep_a_copy().await;
        let mut records = records_after(&app, 0).await;
        forge(&mut records[4]);
        records.truncate(old.len());
        let kept_head = "UPDATE event_log SET head_position = (SELECT head_position FROM kept_log), head_hash = (SELECT head_hash FROM kept_log)";
        rewrite(&hands, &mut records, 4).await;
        hands.run(kept_head).await;
        found(&hands.verify(&[]).await, last_old, "changed", "the old part");
        hands.restore().await;

        // A node of the release before writes once more, as during an upgrade.
        let mut records = records_after(&app, 0).await;
        let last = records.len() - 1;
        rewrite(&hands, &mut records, last).await;
        let end = i64::try_from(records.len()).unwrap();
        found(&hands.verify(&[]).await, end, "unkeyed", "a record of the release before");
        let done = run_on(&world, &[], &["audit", "reseal"], "").await;
        assert_eq!(done.code, 0, "{done:?}");
        app.user().await;
        let report = whole(&hands.verify(&[]).await);
        assert_eq!(report["keyed_from"].as_i64(), Some(end + 1), "{report}");
    }

    async fn heads_are_exported_while_the_server_runs(world: World) {
        let file = world.folder().join("heads.txt");
        let path = file.display().to_string();
        let server = Process::start(&world, &[("audit.head_interval_s", "1"), ("audit.head_file", &path)]).await;
        let lines = || std::fs::read_to_string(&file).unwrap_or_default().lines().count();
        eventually("the head at the start", UPDATE_WITHIN, async || lines() >= 1).await;
        server.sign_up("a@example.com").await.unwrap();
        eventually("the head of a log that has grown", UPDATE_WITHIN, async || lines() >= 2).await;
        eventually("the log of the server", UPDATE_WITHIN, async || server.log().contains("signed head of the audit log")).await;
        let hands = Tamperer { world: &world };
        let arguments = ["audit", "verify", "--output", "json", "--known-file", &path];
        whole(&run_on(&world, &[], &arguments, "").await);
        hands.run("DELETE FROM events").await;
        hands.run("UPDATE event_log SET head_position = floor_position, head_hash = floor_hash").await;
        let done = run_on(&world, &[], &arguments, "").await;
        let report: Value = serde_json::from_str(&done.stdout).unwrap();
        assert_eq!((done.code, report["fault"]["code"].as_str()), (1, Some("known_missing")), "{report}");
    }

    async fn the_head_over_rest_and_grpc_is_the_signed_one_and_a_check_accepts_it(world: World) {
        let app = world.serve(&[]).await;
        let admin = app.admin().await;
        written(&app).await;
        let head = app.json("/api/v1/audit/head", &admin.token).await;
        let printed = run_on(&world, &[], &["audit", "head", "--output", "json"], "").await.json();
        for member in ["position", "head", "keyed_from", "public_key"] {
            assert_eq!(head[member], printed[member], "{member}");
        }
        let over_grpc = Rpc::to(&app).by(&admin.token).audit().get_head(v1::GetHeadRequest {}).await.unwrap().into_inner();
        assert_eq!((Some(over_grpc.position), Some(&*over_grpc.head)), (head["position"].as_i64(), head["head"].as_str()));
        let key = over_grpc.public_key.unwrap();
        assert_eq!(json!({"kty": key.kty, "crv": key.crv, "alg": key.alg, "use": key.r#use, "x": key.x}), head["public_key"]);

        // The public key alone verifies the signature (RFC 8037).
        let public = URL_SAFE_NO_PAD.decode(&key.x).unwrap();
        for signed in [head["signed"].as_str().unwrap(), &over_grpc.signed] {
            let (message, signature) = signed.rsplit_once('.').unwrap();
            let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
            UnparsedPublicKey::new(&ED25519, &public).verify(message.as_bytes(), &signature).unwrap();
        }

        // As a system stores it: answers of the API, and a line, in one file.
        let stored = world.folder().join("heads").display().to_string();
        std::fs::write(&stored, format!("{head}{printed:#}\n{}\n", over_grpc.signed)).unwrap();
        let verify = ["audit", "verify", "--output", "json", "--known-file", &stored];
        whole(&run_on(&world, &[], &verify, "").await);
        let hands = Tamperer { world: &world };
        hands.run("DELETE FROM events").await;
        hands.run("UPDATE event_log SET head_position = floor_position, head_hash = floor_hash").await;
        let report: Value = serde_json::from_str(&run_on(&world, &[], &verify, "").await.stdout).unwrap();
        assert_eq!(report["fault"]["code"], "known_missing", "{report}");
        std::fs::write(&stored, r#"{"error":{}}"#).unwrap();
        let refused = run_on(&world, &[], &verify, "").await;
        assert!(refused.only_line(2).starts_with("--known-file: must contain one head per line, or JSON objects"), "{refused:?}");
        std::fs::write(&stored, "\n").unwrap();
        let empty = run_on(&world, &[], &verify, "").await;
        assert_eq!(empty.only_line(2), "--known-file: must contain at least one head");
    }

    async fn a_changed_master_key_leaves_the_chain_and_its_heads_valid(world: World) {
        let next = world.folder().join("next.key").display().to_string();
        let renewed = [("security.master_key_file", next.as_str())];
        let before = world.serve(&[]).await;
        written(&before).await;
        let known = run_on(&world, &[], &["audit", "head", "--output", "json"], "").await.json();
        let signed = known["signed"].as_str().unwrap();
        assert_eq!(run_on(&world, &[], &["master-key", "rotate", "--to-file", &next], "").await.code, 0);

        // Nodes change one after the other, and write one chain.
        let after = world.serve(&renewed).await;
        for app in [&before, &after, &before, &after] {
            app.user().await;
        }
        drop(before);
        let retired = run_on(&world, &renewed, &["master-key", "retire"], "").await;
        assert_eq!(retired.code, 0, "{retired:?}");
        after.user().await;
        let end = head(&after).await;
        let verify = ["audit", "verify", "--output", "json", "--known", signed];
        let report = whole(&run_on(&world, &renewed, &verify, "").await);
        assert_eq!((report["checked"].as_i64(), report["unkeyed"].as_i64()), (Some(end), Some(0)), "{report}");
        let later = run_on(&world, &renewed, &["audit", "head", "--output", "json"], "").await.json();
        assert_eq!(later["public_key"], known["public_key"], "who checks signatures needs no other key");

        // What was written before the change cannot be altered after it either.
        Tamperer { world: &world }.run("UPDATE events SET user_agent = 'curl' WHERE position = 5").await;
        found(&run_on(&world, &renewed, &verify, "").await, 5, "changed", "a record from before the change");
    }

    async fn both_nodes_write_one_keyed_chain(world: World) {
        let (one, other) = tokio::join!(world.serve(&[]), world.serve(&[]));
        for _ in 0..5 {
            tokio::join!(one.user(), other.user());
        }
        assert!(head(&one).await >= 10);
        let report = whole(&Tamperer { world: &world }.verify(&[]).await);
        assert_eq!((report["unkeyed"].as_i64(), report["keyed_from"].as_i64()), (Some(0), Some(1)), "{report}");
    }
}
