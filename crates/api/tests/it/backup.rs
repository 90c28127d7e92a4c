//! Backups and restores by the command line, beside a running server.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Db, PASSWORD, World, on_both};
use crate::process::{Done, Process, command_on, run_on};

fn text(path: &Path) -> String {
    path.display().to_string()
}

async fn denizen(world: &World, arguments: &[&str]) -> Done {
    run_on(world, &[], arguments, "").await
}

async fn create_user(world: &World, email: &str) {
    let arguments = ["users", "create", "--email", email, "--name", "Zoë", "--password-stdin"];
    assert_eq!(run_on(world, &[], &arguments, PASSWORD).await.code, 0);
}

/// Makes a backup of the world and returns its path.
async fn back_up(world: &World, extra: &[&str]) -> String {
    let file = text(&world.folder().join("accounts.backup"));
    let made = denizen(world, &[&["backup", &file], extra].concat()).await;
    assert_eq!(made.code, 0, "{made:?}");
    file
}

on_both! {
    async fn a_backup_is_restored_into_either_database(world: World) {
        let server = Process::start(&world, &[]).await;
        create_user(&world, "ada@example.com").await;
        let session = server.session("ada@example.com").await;
        let token = session["access_token"].as_str().unwrap();
        let request = server.request(Method::POST, "/api/v1/api-keys", Some(token));
        let key: Value = request.json(&json!({"name": "ci", "scopes": []})).send().await.unwrap().json().await.unwrap();
        let key = key["secret"].as_str().or(key["key"].as_str()).unwrap_or_else(|| panic!("{key}")).to_owned();
        let file = back_up(&world, &[]).await;
        create_user(&world, "late@example.com").await;
        server.kill().await;

        let same = world.same_kind().await;
        for target in [same, world.other_kind().await] {
            let master_key = world.master_key_file();
            let settings = [("security.master_key_file", master_key.as_str())];
            let restored = run_on(&target, &settings, &["restore", &file, "--output", "json"], "").await.json();
            assert_eq!((&restored["backup"]["users"], &restored["ended_sessions"]), (&json!(1), &json!(1)), "{restored}");
            let verified = run_on(&target, &settings, &["audit", "verify"], "").await;
            assert_eq!(verified.code, 0, "{verified:?}");

            let server = Process::start(&target, &settings).await;
            assert_eq!(server.status("/api/v1/me", Some(token)).await, 401, "tokens of before are dead");
            assert_eq!(server.refresh_status(&session).await, 401);
            assert_eq!(server.status("/api/v1/me", Some(&key)).await, 200, "API keys live on");
            assert!(server.token("late@example.com", PASSWORD).await.is_none());
            let renewed = server.session("ada@example.com").await;
            assert_eq!(renewed["user"]["name"], "Zoë");
            assert_eq!(server.status("/api/v1/me", renewed["access_token"].as_str()).await, 200);
            let events = run_on(&target, &settings, &["events", "list", "--types", "database.restored", "--output", "json"], "").await;
            assert!(events.stdout.contains("backup_created_at"), "{events:?}");
        }
    }

    async fn a_database_with_users_is_replaced_only_when_told(world: World) {
        create_user(&world, "ada@example.com").await;
        let file = back_up(&world, &[]).await;
        create_user(&world, "late@example.com").await;

        let refused = denizen(&world, &["restore", &file]).await;
        assert!(refused.only_line(1).contains("2 users; pass --replace"), "{refused:?}");
        let unconfirmed = denizen(&world, &["restore", &file, "--replace"]).await;
        assert_eq!(unconfirmed.code, 2, "{unconfirmed:?}");
        let dry = denizen(&world, &["restore", &file, "--dry-run"]).await;
        assert!(dry.stdout.contains("would restore 1 user,") && dry.stdout.contains("contains 2 users"), "{dry:?}");

        let server = Process::start(&world, &[]).await;
        let busy = denizen(&world, &["restore", &file, "--replace", "--yes"]).await;
        assert_eq!((busy.code, server.token("late@example.com", PASSWORD).await.is_some()), (1, true), "{busy:?}");
        server.terminate().await;
        server.ended(Duration::from_secs(20)).await;

        let done = denizen(&world, &["restore", &file, "--replace", "--yes", "--output", "json"]).await.json();
        let users = denizen(&world, &["users", "list", "--output", "json"]).await.json();
        assert_eq!(users.as_array().unwrap().len(), 1, "{users}");
        if world.sqlite_file().is_some() {
            let previous = done["previous_database"].as_str().unwrap();
            let kept = [("database.url", format!("sqlite://{previous}"))];
            let kept: Vec<_> = kept.iter().map(|(key, value)| (*key, value.as_str())).collect();
            let users = run_on(&world, &kept, &["users", "list", "--output", "json"], "").await.json();
            assert_eq!(users.as_array().unwrap().len(), 2, "{users}");
        }
    }

    async fn what_is_no_backup_changes_nothing(world: World) {
        create_user(&world, "ada@example.com").await;
        let file = back_up(&world, &[]).await;
        let whole = std::fs::read(&file).unwrap();
        let damaged = world.folder().join("damaged.backup");
        let verify = async |bytes: &[u8]| {
            std::fs::write(&damaged, bytes).unwrap();
            let verified = denizen(&world, &["backup", "verify", &text(&damaged)]).await;
            let restored = denizen(&world, &["restore", &text(&damaged), "--replace", "--yes"]).await;
            assert_eq!(restored.code, 1, "{restored:?}");
            verified.only_line(1).to_owned()
        };
        assert!(verify(b"").await.contains("not a backup"));
        assert!(verify(b"{\"email\":\"a@example.com\"}\n").await.contains("not a backup"));
        for at in [whole.len() / 3, whole.len() - 5] {
            assert!(verify(&whole[..at]).await.contains("damaged"), "cut at {at}");
        }
        for at in [whole.len() / 2, whole.len() - 9] {
            let mut flipped = whole.clone();
            flipped[at] ^= 1;
            assert!(verify(&flipped).await.contains("damaged"), "flipped at {at}");
        }
        // Decompressed, changed and compressed again, it does not fit its checksum.
        let lines = String::from_utf8(zstd::decode_all(whole.as_slice()).unwrap()).unwrap();
        let forged = lines.replace("ada@example.com", "eve@example.com");
        assert!(verify(&zstd::encode_all(forged.as_bytes(), 3).unwrap()).await.contains("checksum"));
        let short: Vec<_> = lines.split_inclusive('\n').filter(|line| !line.contains("ada@example.com")).collect();
        let short = short.concat();
        assert!(verify(&zstd::encode_all(short.as_bytes(), 3).unwrap()).await.contains("rows are missing"));
        let newer = lines.replacen("\"denizen_snapshot\":1", "\"denizen_snapshot\":2", 1);
        assert!(verify(&zstd::encode_all(newer.as_bytes(), 3).unwrap()).await.contains("format 2"));

        let stranger = World::new(Db::Sqlite).await;
        create_user(&stranger, "eve@example.com").await;
        let foreign = denizen(&stranger, &["restore", &file, "--replace", "--yes"]).await;
        assert!(foreign.only_line(1).contains("master key"), "{foreign:?}");
        let verified = denizen(&world, &["backup", "verify", &file]).await;
        assert!(verified.stdout.contains("complete and unchanged: 1 user,"), "{verified:?}");
        let users = denizen(&world, &["users", "list", "--output", "json"]).await.json();
        assert_eq!(users.as_array().unwrap().len(), 1);
    }

    async fn an_encrypted_backup_opens_with_its_passphrase_only(world: World) {
        create_user(&world, "ada@example.com").await;
        let (right, wrong) = (world.folder().join("right"), world.folder().join("wrong"));
        std::fs::write(&right, "correct horse battery\n").unwrap();
        std::fs::write(&wrong, "something else\n").unwrap();
        let file = back_up(&world, &["--passphrase-file", &text(&right)]).await;
        assert!(std::fs::read(&file).unwrap().starts_with(b"age-encryption.org/v1"));
        let refused = denizen(&world, &["backup", "verify", &file, "--passphrase-file", &text(&wrong)]).await;
        assert!(refused.only_line(1).contains("passphrase is wrong"), "{refused:?}");
        let verified = denizen(&world, &["backup", "verify", &file, "--passphrase-file", &text(&right)]).await;
        assert_eq!(verified.code, 0, "{verified:?}");
        let restored = denizen(&world, &["restore", &file, "--replace", "--yes", "--passphrase-file", &text(&right)]).await;
        assert_eq!(restored.code, 0, "{restored:?}");
    }

    async fn a_backup_under_writes_has_all_that_was_acknowledged_before(world: World) {
        let server = Arc::new(Process::start(&world, &[]).await);
        let stop = Arc::new(AtomicBool::new(false));
        let mut writers = tokio::task::JoinSet::new();
        for _ in 0..4 {
            let (server, world, stop) = (Arc::clone(&server), world.clone(), Arc::clone(&stop));
            writers.spawn(async move {
                while !stop.load(Ordering::SeqCst) {
                    let email = world.fresh_email();
                    assert_eq!(server.sign_up(&email).await.unwrap().status(), 201, "{email}");
                }
            });
        }
        let mut before = Vec::new();
        for _ in 0..10 {
            let email = world.fresh_email();
            assert_eq!(server.sign_up(&email).await.unwrap().status(), 201);
            before.push(email);
        }
        let file = back_up(&world, &[]).await;
        stop.store(true, Ordering::SeqCst);
        while let Some(writer) = writers.join_next().await {
            writer.unwrap();
        }
        let target = world.other_kind().await;
        let master_key = world.master_key_file();
            let settings = [("security.master_key_file", master_key.as_str())];
        assert_eq!(run_on(&target, &settings, &["restore", &file], "").await.code, 0);
        let verified = run_on(&target, &settings, &["audit", "verify"], "").await;
        assert_eq!(verified.code, 0, "{verified:?}");
        let server = Process::start(&target, &settings).await;
        for email in before {
            assert!(server.token(&email, PASSWORD).await.is_some(), "{email} cannot sign in");
        }
    }

    async fn a_restore_that_is_killed_changes_nothing(world: World) {
        let line = |at| format!("{{\"email\":\"u{at}@example.com\",\"name\":\"U\"}}");
        let lines = (0..2_000).map(line).collect::<Vec<_>>().join("\n");
        assert_eq!(denizen(&world, &["migrate"]).await.code, 0);
        assert_eq!(run_on(&world, &[], &["users", "import", "-"], &lines).await.code, 0);
        let file = back_up(&world, &[]).await;
        create_user(&world, "late@example.com").await;
        let mut is_restored = false;
        for round in 0..6_u64 {
            let mut command = command_on(&world, &[]);
            let mut child = command.args(["restore", &file, "--replace", "--yes"]).spawn().unwrap();
            tokio::time::sleep(Duration::from_millis(60 * (round + 1))).await;
            child.kill().await.unwrap();
            let count = denizen(&world, &["users", "list", "--q", "late@", "--output", "json"]).await.json();
            let total = denizen(&world, &["users", "list", "--limit", "1", "--count"]).await;
            is_restored |= count == json!([]);
            let expected = if is_restored { "2000" } else { "2001" };
            assert!(total.stderr.contains(&format!("total: {expected}")), "round {round}: {total:?}");
        }
        assert_eq!(denizen(&world, &["restore", &file, "--replace", "--yes"]).await.code, 0);
        let total = denizen(&world, &["users", "list", "--limit", "1", "--count"]).await;
        assert!(total.stderr.contains("total: 2000"), "{total:?}");
    }
}

/// The backups in a folder.
fn backups_in(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.retain(|name| !name.starts_with('.'));
    names.sort();
    names
}

on_both! {
    async fn backups_are_made_on_a_schedule_and_old_ones_deleted(world: World) {
        create_user(&world, "ada@example.com").await;
        let folder = world.folder().join("backups");
        std::fs::create_dir(&folder).unwrap();
        let old = ["denizen-20260101T000000Z.backup", "denizen-20260102T000000Z.backup", "notes.txt"];
        for name in old {
            std::fs::write(folder.join(name), "x").unwrap();
        }
        let settings = [("backups.folder", text(&folder)), ("backups.keep", "2".to_owned())];
        let settings: Vec<_> = settings.iter().map(|(key, value)| (*key, value.as_str())).collect();
        let config = world.config(&settings);
        let app = denizen::app::App::open_in(&config, denizen::app::Ambience::default()).await.unwrap();
        app.back_up().await.unwrap();
        let names = backups_in(&folder);
        assert_eq!((names.len(), names[0].as_str(), names[2].as_str()), (3, old[1], old[2]), "{names:?}");
        let made = text(&folder.join(&names[1]));
        assert_eq!(denizen(&world, &["backup", "verify", &made]).await.code, 0);
        app.back_up().await.unwrap();
        assert_eq!(backups_in(&folder), names, "the next one is due tomorrow");
        app.services.store.close().await;
    }
}

#[tokio::test]
async fn a_write_ahead_log_without_its_database_is_not_applied_to_a_restored_one() {
    let world = World::new(Db::Sqlite).await;
    create_user(&world, "ada@example.com").await;
    let file = back_up(&world, &[]).await;
    let server = Process::start(&world, &[]).await;
    assert_eq!(server.sign_up("late@example.com").await.unwrap().status(), 201);
    server.kill().await;
    let database = world.sqlite_file().unwrap();
    let log = database.with_extension("db-wal");
    assert!(std::fs::metadata(&log).unwrap().len() > 0, "the killed server leaves its log");
    std::fs::remove_file(&database).unwrap();

    assert_eq!(denizen(&world, &["restore", &file]).await.code, 0);
    let users = denizen(&world, &["users", "list", "--output", "json"]).await.json();
    assert_eq!(users.as_array().unwrap().len(), 1, "{users}");
}

#[tokio::test]
async fn a_restore_follows_a_symbolic_link() {
    let world = World::new(Db::Sqlite).await;
    create_user(&world, "ada@example.com").await;
    let file = back_up(&world, &[]).await;
    let (real, link) = (world.sqlite_file().unwrap(), world.folder().join("link.db"));
    std::os::unix::fs::symlink(&real, &link).unwrap();
    let settings = [("database.url", format!("sqlite://{}", link.display()))];
    let settings: Vec<_> = settings.iter().map(|(key, value)| (*key, value.as_str())).collect();
    let restored = run_on(&world, &settings, &["restore", &file, "--replace", "--yes"], "").await;
    assert_eq!(restored.code, 0, "{restored:?}");
    assert!(link.symlink_metadata().unwrap().is_symlink() && real.is_file());
    let users = denizen(&world, &["users", "list", "--output", "json"]).await.json();
    assert_eq!(users.as_array().unwrap().len(), 1, "{users}");
}

#[tokio::test]
async fn a_damaged_database_can_be_replaced() {
    let world = World::new(Db::Sqlite).await;
    create_user(&world, "ada@example.com").await;
    let file = back_up(&world, &[]).await;
    let database = world.sqlite_file().unwrap();
    std::fs::write(&database, b"not a database at all".repeat(1_000)).unwrap();
    let refused = denizen(&world, &["restore", &file]).await;
    assert!(refused.only_line(1).contains("cannot be read"), "{refused:?}");
    let restored = denizen(&world, &["restore", &file, "--replace", "--yes"]).await;
    assert_eq!(restored.code, 0, "{restored:?}");
    let users = denizen(&world, &["users", "list", "--output", "json"]).await.json();
    assert_eq!(users.as_array().unwrap().len(), 1, "{users}");
}
