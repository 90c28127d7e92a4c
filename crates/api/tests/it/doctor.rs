//! `denizen doctor`: what it finds, and that it changes nothing.

use std::path::Path;

use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use serde_json::Value;
use sqlx::{AssertSqlSafe, Connection, Executor};

use crate::harness::{Db, World, on_both};
use crate::process::{Done, Process, command, run, run_on};
use crate::smtp::{Certificates, MailServer, Settings};

/// The findings of `denizen doctor`, and its exit code.
async fn examine(world: &World, settings: &[(&str, &str)], arguments: &[&str]) -> (Vec<Value>, i32) {
    let arguments = [&["doctor", "--output", "json"], arguments].concat();
    let done = run_on(world, settings, &arguments, "").await;
    findings(&done)
}

fn findings(done: &Done) -> (Vec<Value>, i32) {
    let report: Value = serde_json::from_str(&done.stdout).unwrap_or_else(|_| panic!("no JSON: {done:?}"));
    let findings = report["findings"].as_array().unwrap().clone();
    for (severity, count) in [("error", &report["errors"]), ("warning", &report["warnings"])] {
        assert_eq!(findings.iter().filter(|found| found["severity"] == severity).count() as u64, *count, "{report}");
    }
    for found in &findings {
        let is_ok = found["severity"] == "ok";
        assert_eq!(found["remedy"].as_str().is_some_and(|remedy| !remedy.is_empty()), !is_ok, "{found}");
    }
    assert_eq!(done.code, i32::from(report["errors"] != 0), "{done:?}");
    (findings, done.code)
}

#[track_caller]
fn expect(found: &[Value], check: &str, severity: &str, part: &str) {
    let is_it = |found: &&Value| {
        found["check"] == check
            && found["severity"] == severity
            && (found["message"].as_str().unwrap().contains(part)
                || found["remedy"].as_str().is_some_and(|remedy| remedy.contains(part)))
    };
    assert!(found.iter().any(|found| is_it(&found)), "no {severity} of {check} with {part:?}: {found:#?}");
}

async fn execute(world: &World, sql: String) {
    if let Some(file) = world.sqlite_file() {
        let mut connection = sqlx::SqliteConnection::connect(&format!("sqlite://{}", file.display())).await.unwrap();
        connection.execute(AssertSqlSafe(sql)).await.unwrap();
        connection.close().await.unwrap();
    } else {
        sqlx::PgConnection::connect(&world.database_url).await.unwrap().execute(AssertSqlSafe(sql)).await.unwrap();
    }
}

/// Sets a database up, without a server that goes on.
async fn set_up(world: &World) {
    let done = run_on(world, &[], &["roles", "create", "support", "--no-permissions"], "").await;
    assert_eq!(done.code, 0, "{done:?}");
}

fn files(folder: &Path) -> Vec<(String, u64)> {
    let entry = |entry: std::io::Result<std::fs::DirEntry>| {
        let entry = entry.unwrap();
        (entry.file_name().to_string_lossy().into_owned(), entry.metadata().unwrap().len())
    };
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(entry).collect();
    files.sort();
    files
}

on_both! {
    async fn a_server_that_runs_has_no_errors(world: World) {
        let server = Process::start(&world, &[]).await;
        let (found, code) = examine(&world, &[], &[]).await;
        assert_eq!(code, 0, "{found:#?}");
        expect(&found, "configuration", "ok", "settings are valid");
        expect(&found, "database", "ok", if world.sqlite_file().is_some() { "SQLite 3." } else { "round trip" });
        expect(&found, "schema", "ok", "all migrations are applied");
        expect(&found, "master_key", "ok", "opens the root key and 1 signing key");
        expect(&found, "signing_keys", "ok", "ES256 signs since 0 days; the next rotation is due in 90 days");
        expect(&found, "mail", "ok", "the folder");
        expect(&found, "tls", "ok", "plain HTTP");
        expect(&found, "proxies", "ok", "directly");
        assert!(found.iter().any(|found| found["check"] == "disk"), "{found:#?}");
        if world.sqlite_file().is_none() {
            expect(&found, "database_permissions", "ok", "may read and write all tables");
            expect(&found, "database_clock", "ok", "ms");
        }
        assert_eq!(server.status("/health/ready", None).await, 200);
    }

    async fn nothing_is_created_or_changed(world: World) {
        let (found, code) = examine(&world, &[], &[]).await;
        assert_eq!(code, 1);
        match world.sqlite_file() {
            Some(_) => expect(&found, "database", "error", "does not exist"),
            None => expect(&found, "schema", "error", "has no tables"),
        }
        assert_eq!(files(world.folder()), []);
        set_up(&world).await;
        let before = files(world.folder());
        let text = run_on(&world, &[], &["doctor"], "").await;
        assert!(text.code == 0 && text.stdout.contains("ok       schema: all migrations are applied\n"), "{text:?}");
        assert!(text.stdout.contains("WARNING  public_url: tokens.issuer is") && text.stdout.contains("         → "), "{text:?}");
        assert!(text.stdout.lines().last().unwrap().starts_with("0 errors, "), "{text:?}");
        assert_eq!(files(world.folder()), before);
    }

    async fn pending_migrations_are_found(world: World) {
        set_up(&world).await;
        execute(&world, "DELETE FROM _sqlx_migrations WHERE version = (SELECT max(version) FROM _sqlx_migrations)".to_owned()).await;
        let (found, code) = examine(&world, &[], &[]).await;
        expect(&found, "schema", "warning", "1 migrations are pending");
        assert_eq!(code, 0, "the next start applies them");
        let (found, code) = examine(&world, &[("database.migrate_on_start", "false")], &[]).await;
        expect(&found, "schema", "error", "Run `denizen migrate`");
        assert_eq!(code, 1);
    }

    async fn a_master_key_that_opens_nothing_is_found(world: World) {
        set_up(&world).await;
        let key = world.folder().join("master.key");
        let kept = world.folder().join("kept.key");
        std::fs::rename(&key, &kept).unwrap();
        expect(&examine(&world, &[], &[]).await.0, "master_key", "error", "is missing");
        assert!(!key.exists());
        std::fs::write(&key, "fbefbe3f0a9cd17e6624b85d8ff04c11927aa3c85e016bd4f73920ee81b6457d").unwrap();
        expect(&examine(&world, &[], &[]).await.0, "master_key", "error", "does not match the database");
        std::fs::rename(&kept, &key).unwrap();
        let next = world.folder().join("next.key");
        let rotated = run_on(&world, &[], &["master-key", "rotate", "--to-file", next.to_str().unwrap()], "").await;
        assert_eq!(rotated.code, 0, "{rotated:?}");
        expect(&examine(&world, &[], &[]).await.0, "master_key", "warning", "master-key retire");
        execute(&world, "UPDATE signing_keys SET id = 'altered'".to_owned()).await;
        expect(&examine(&world, &[], &[]).await.0, "master_key", "error", "the signing key altered cannot be decrypted");
    }

    async fn old_signing_keys_are_found(world: World) {
        set_up(&world).await;
        let day_us: i64 = 24 * 60 * 60 * 1_000_000;
        execute(&world, format!("UPDATE signing_keys SET created_at = created_at - {0}, activates_at = activates_at - {0}", 91 * day_us)).await;
        expect(&examine(&world, &[], &[]).await.0, "signing_keys", "warning", "the rotation is overdue");
        let never = [("tokens.key_rotation_days", "0")];
        expect(&examine(&world, &never, &[]).await.0, "signing_keys", "ok", "automatic rotation is disabled");
        execute(&world, format!("UPDATE signing_keys SET activates_at = activates_at - {}", 300 * day_us)).await;
        expect(&examine(&world, &never, &[]).await.0, "signing_keys", "warning", "denizen keys rotate");
        expect(&examine(&world, &[("tokens.algorithm", "EdDSA")], &[]).await.0, "signing_keys", "warning", "tokens.algorithm is EdDSA");
    }
}

#[tokio::test]
async fn a_role_without_rights_is_found() {
    let world = World::new(Db::Postgres).await;
    set_up(&world).await;
    let role = format!("examined_{}", std::process::id());
    execute(&world, format!("CREATE ROLE {role} LOGIN")).await;
    let url = world.database_url.replacen("denizen@", &format!("{role}@"), 1);
    execute(&world, format!("GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}")).await;
    let (poor, _) = examine(&world, &[("database.url", &url)], &[]).await;
    execute(&world, format!("GRANT ALL ON ALL TABLES IN SCHEMA public TO {role}")).await;
    let (fixed, code) = examine(&world, &[("database.url", &url)], &[]).await;
    execute(&world, format!("DROP OWNED BY {role}; DROP ROLE {role}")).await;
    expect(&poor, "database_permissions", "error", "GRANT SELECT, INSERT, UPDATE, DELETE");
    expect(&fixed, "database_permissions", "warning", "may not create tables");
    assert_eq!(code, 0, "{fixed:#?}");
}

#[tokio::test]
async fn a_database_that_does_not_answer_is_found() {
    let world = World::new(Db::Sqlite).await;
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url = format!("postgres://denizen:hunter2@{free}/accounts");
    let (found, _) = examine(&world, &[("database.url", &url)], &[]).await;
    expect(&found, "database", "error", "Start PostgreSQL, or correct host and port");
    assert!(!found.iter().any(|found| found.to_string().contains("hunter2")), "{found:#?}");
    std::fs::write(world.sqlite_file().unwrap(), "not a database, but some other file".repeat(200)).unwrap();
    expect(&examine(&world, &[], &[]).await.0, "database", "error", "denizen.db");
}

#[tokio::test]
async fn mistakes_of_the_configuration_are_findings() {
    let folder = tempfile::tempdir().unwrap();
    let mut with = command(folder.path());
    with.env("DENIZEN__SERVER__PROT", "80").env("DENIZEN__SERVER__HOST", "x");
    let (found, code) = findings(&run(with, &["doctor", "--output", "json"], "").await);
    assert_eq!((found.len(), code), (2, 1));
    expect(&found, "configuration", "error", "did you mean DENIZEN__SERVER__PORT?");

    let mut with = command(folder.path());
    with.env("APP_ENV", "prod").env("DENIZEN__SERVER__PUBLIC_URL", "http://id.example.com");
    with.env("DENIZEN__MAIL__FROM", "a@example.com").env("DENIZEN__AUDIT__HEAD_FILE", "absent/heads");
    std::fs::write(folder.path().join(".env"), "DENIZEN_MASTER_KEY=x\nDENIZEN_IMAGE=y\n").unwrap();
    let (found, _) = findings(&run(with, &["doctor", "--output", "json"], "").await);
    expect(&found, "configuration", "warning", "the setting is DENIZEN__SECURITY__MASTER_KEY");
    expect(&found, "public_url", "error", "passwords and tokens are sent unencrypted");
    expect(&found, "configuration", "warning", "mail.from is set and no mail is sent");
    expect(&found, "files", "error", "in a folder that does not exist");
    expect(&found, "mail", "warning", "no mail is sent");
}

#[cfg(unix)]
#[tokio::test]
async fn secrets_that_others_can_read_are_found() {
    use std::os::unix::fs::PermissionsExt;
    let world = World::new(Db::Sqlite).await;
    set_up(&world).await;
    expect(&examine(&world, &[], &[]).await.0, "files", "ok", "private");
    let secrets = world.folder().join("service.env");
    std::fs::write(&secrets, "DENIZEN__SIGN_IN__HOOK_SECRET=whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n").unwrap();
    let key = world.folder().join("master.key");
    for (path, mode) in [(&key, 0o644), (&world.sqlite_file().unwrap(), 0o620), (&secrets, 0o604)] {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }
    let (found, code) = examine(&world, &[], &["--env-file", "service.env"]).await;
    expect(&found, "files", "warning", "contains the master key and has mode 644");
    expect(&found, "files", "warning", "contains the database and has mode 620");
    expect(&found, "files", "warning", "contains secrets of the configuration and has mode 604");
    assert_eq!(code, 0);
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o640)).unwrap();
    let (found, _) = examine(&world, &[], &[]).await;
    assert!(!found.iter().any(|found| found["message"].as_str().unwrap().contains("master key and")), "{found:#?}");
}

#[tokio::test]
async fn the_mail_server_is_tried_and_a_test_mail_sent() {
    let world = World::new(Db::Sqlite).await;
    set_up(&world).await;
    let (found, code) = examine(&world, &[], &["--send-to", "ada@example.com"]).await;
    expect(&found, "test_mail", "ok", "sent to ada@example.com");
    assert_eq!((code, std::fs::read_dir(world.folder().join("mail")).unwrap().count()), (0, 1));

    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let (found, code) = examine(&world, &Settings::to(free).pairs(), &[]).await;
    expect(&found, "mail", "error", "firewall");
    assert_eq!(code, 1);

    let server = MailServer::start().await;
    let (found, _) = examine(&world, &server.settings().pairs(), &[]).await;
    expect(&found, "mail", "ok", "without encryption");
    assert!(server.events("mail", "").is_empty(), "a check sends no mail");
    let (found, code) = examine(&world, &server.settings().pairs(), &["--send-to", "ada@example.com"]).await;
    expect(&found, "test_mail", "ok", "look for it in the mailbox");
    assert_eq!(code, 0, "{found:#?}");
    let (found, _) = examine(&world, &server.settings().with("mail.smtp_tls", "starttls").pairs(), &[]).await;
    expect(&found, "mail", "error", "STARTTLS");
    let refused = server.settings().with("mail.smtp_user", "denizen").with("mail.smtp_password", "hunter2");
    let (found, _) = examine(&world, &refused.pairs(), &[]).await;
    expect(&found, "mail", "error", "authenticating");
    assert!(!found.iter().any(|found| found.to_string().contains("hunter2")), "{found:#?}");
}

#[tokio::test]
async fn certificates_are_judged() {
    let world = World::new(Db::Sqlite).await;
    set_up(&world).await;
    let files = Certificates::make(world.folder());
    let tls =
        |key: &str| [("server.tls_cert_file", files.certificate.clone()), ("server.tls_key_file", key.to_owned())];
    let url = ("server.public_url", "https://localhost:8080");
    let with = async |key: &str, url: (&str, &str)| {
        let tls = tls(key);
        let settings: Vec<(&str, &str)> = tls.iter().map(|(key, value)| (*key, value.as_str())).chain([url]).collect();
        examine(&world, &settings, &[]).await.0
    };
    expect(&with(&files.key, url).await, "tls", "ok", "certificate and key match");
    let elsewhere = with(&files.key, ("server.public_url", "https://id.example.com")).await;
    expect(&elsewhere, "tls", "warning", "not for id.example.com");
    let other = KeyPair::generate().unwrap().serialize_pem();
    let other_key = world.folder().join("other.pem");
    std::fs::write(&other_key, other).unwrap();
    expect(&with(other_key.to_str().unwrap(), url).await, "tls", "error", "do not match");

    let key = KeyPair::generate().unwrap();
    let mut expired = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    (expired.not_before, expired.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2020, 4, 1));
    std::fs::write(&files.certificate, expired.self_signed(&key).unwrap().pem()).unwrap();
    std::fs::write(&files.key, key.serialize_pem()).unwrap();
    expect(&with(&files.key, url).await, "tls", "error", "expired");
}

#[tokio::test]
async fn providers_proxies_and_passkeys_are_examined() {
    let world = World::new(Db::Sqlite).await;
    set_up(&world).await;
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let folder = world.folder().join("config");
    std::fs::create_dir(&folder).unwrap();
    let text = format!(
        "[providers.acme]\nissuer = \"http://{free}\"\nclient_id = \"denizen\"\nclient_secret = \"s3cr3t-of-acme\"\n"
    );
    std::fs::write(folder.join("default.toml"), text).unwrap();
    let settings = [
        ("server.public_url", "https://id.example.com"),
        ("server.trusted_proxies", "0.0.0.0/0"),
        ("sign_in.provider_allowed_hosts", "127.0.0.1"),
    ];
    let (found, code) = examine(&world, &settings, &[]).await;
    assert_eq!(code, 1);
    expect(&found, "provider acme", "error", "denizen providers test acme");
    expect(&found, "proxies", "error", "every client can choose its address");
    expect(&found, "relying_party", "ok", "id.example.com");
    assert!(!found.iter().any(|found| found.to_string().contains("s3cr3t")), "{found:#?}");
    let plain = [("server.public_url", "http://192.0.2.1"), ("sign_in.provider_allowed_hosts", "127.0.0.1")];
    expect(&examine(&world, &plain, &[]).await.0, "relying_party", "warning", "passkeys are not available");
}

#[tokio::test]
async fn the_command_of_the_master_key_runs_before_the_first_start() {
    let world = World::new(Db::Sqlite).await;
    let command = |text| [("security.master_key_command", text)];
    let (found, _) = examine(&world, &command("echo AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA="), &[]).await;
    let of_key = |found: &[Value]| found.iter().find(|found| found["check"] == "master_key").unwrap().clone();
    assert_eq!(of_key(&found)["severity"], "ok", "{found:?}");
    let (found, code) = examine(&world, &command("exit 3"), &[]).await;
    assert_eq!((&of_key(&found)["severity"], code), (&Value::from("error"), 1), "{found:?}");
}
