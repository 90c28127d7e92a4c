//! Commands name the database that they work on, and create and migrate nothing unless they say so.

use std::path::Path;

use sqlx::{AssertSqlSafe, Connection, Executor};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::harness::{Db, PASSWORD, World, on_both};
use crate::process::{Done, Process, command, run, run_on};

const NOBODY: &str = "019365a8-6a5c-7f3e-9d0c-7b1f0a1c2d3e";
/// Commands that read.
const READING: &[&[&str]] = &[
    &["users", "list"],
    &["users", "get", NOBODY],
    &["users", "export", "-"],
    &["users", "import", "-", "--dry-run"],
    &["sessions", "list", NOBODY],
    &["roles", "list"],
    &["roles", "get", "admin"],
    &["providers", "list"],
    &["providers", "test", "acme"],
    &["service-accounts", "list"],
    &["api-keys", "list"],
    &["webhooks", "list"],
    &["events", "list"],
    &["keys", "list"],
    &["master-key", "status"],
    &["audit", "verify"],
    &["audit", "head"],
    &["audit", "export", "-"],
];
/// Commands that change what must exist.
const CHANGING: &[&[&str]] = &[
    &["users", "set-role", NOBODY, "admin"],
    &["users", "disable", NOBODY],
    &["sessions", "revoke", NOBODY],
    &["roles", "delete", "support"],
    &["keys", "rotate"],
    &["master-key", "retire"],
    &["audit", "reseal"],
];

async fn denizen(world: &World, arguments: &[&str]) -> Done {
    run_on(world, &[], arguments, "").await
}

async fn execute(world: &World, sql: &str) {
    let sql = AssertSqlSafe(sql.to_owned());
    if let Some(file) = world.sqlite_file() {
        let mut connection = sqlx::SqliteConnection::connect(&format!("sqlite://{}", file.display())).await.unwrap();
        connection.execute(sql).await.unwrap();
        connection.close().await.unwrap();
    } else {
        let mut connection = sqlx::PgConnection::connect(&world.database_url).await.unwrap();
        connection.execute(sql).await.unwrap();
    }
}

async fn pending(world: &World) -> usize {
    let plan = denizen(world, &["migrate", "plan", "--output", "json"]).await.json();
    plan["pending"].as_array().unwrap().len()
}

fn files(folder: &Path) -> Vec<String> {
    let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<String> = names.map(|name| name.to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

on_both! {
    async fn an_absent_database_is_neither_created_nor_migrated(world: World) {
        let all = pending(&world).await;
        for arguments in READING.iter().chain(CHANGING) {
            let done = denizen(&world, arguments).await;
            let line = done.only_line(1);
            let expected = if world.sqlite_file().is_some() { "does not exist" } else { "has no tables" };
            assert!(line.contains(expected) && line.contains("`denizen migrate`"), "{arguments:?}: {line}");
        }
        assert_eq!(files(world.folder()), Vec::<String>::new());
        assert_eq!(pending(&world).await, all, "no migration was applied");
    }

    async fn an_outdated_database_is_not_migrated(world: World) {
        assert_eq!(denizen(&world, &["migrate"]).await.code, 0);
        execute(&world, "DELETE FROM _sqlx_migrations WHERE version = (SELECT max(version) FROM _sqlx_migrations)").await;
        let creating = &["roles", "create", "support", "--no-permissions"][..];
        for arguments in READING.iter().chain(CHANGING).chain([&creating]) {
            let done = denizen(&world, arguments).await;
            let line = done.only_line(1);
            assert!(line.contains("needs 1 migrations: run `denizen migrate` first"), "{arguments:?}: {line}");
        }
        assert_eq!(pending(&world).await, 1);
    }

    async fn reading_a_database_that_no_server_used_creates_no_key(world: World) {
        assert_eq!(denizen(&world, &["migrate"]).await.code, 0);
        let before = files(world.folder());
        for (arguments, expected) in [
            (&["users", "list", "--output", "json"][..], "[]\n"),
            (&["keys", "list", "--output", "json"], "[]\n"),
            (&["master-key", "status"], "the database has no root key yet; the first start creates it\n"),
        ] {
            let done = denizen(&world, arguments).await;
            assert_eq!((done.code, done.stdout.as_str()), (0, expected), "{arguments:?}: {done:?}");
        }
        for arguments in [&["master-key", "retire"][..], &["master-key", "rotate", "--to-file", "next.key"]] {
            let done = denizen(&world, arguments).await;
            assert!(done.only_line(1).contains("no root key yet"), "{done:?}");
        }
        assert_eq!(files(world.folder()), before);
        // The first write sets it up.
        let created = denizen(&world, &["roles", "create", "support", "--no-permissions"]).await;
        assert_eq!(created.code, 0, "{created:?}");
        assert!(files(world.folder()).contains(&"master.key".to_owned()));
        assert_eq!(denizen(&world, &["keys", "list", "--output", "json"]).await.json().as_array().unwrap().len(), 1);
    }

    async fn a_missing_master_key_is_named_and_not_replaced(world: World) {
        assert_eq!(denizen(&world, &["roles", "create", "support", "--no-permissions"]).await.code, 0);
        let key = world.folder().join("master.key");
        std::fs::remove_file(&key).unwrap();
        let before = files(world.folder());
        for arguments in READING.iter().chain(CHANGING) {
            let done = denizen(&world, arguments).await;
            let line = done.only_line(1);
            assert!(line.contains(&*key.to_string_lossy()) && line.contains("is missing"), "{arguments:?}: {line}");
        }
        assert_eq!(files(world.folder()), before);
    }

    async fn the_database_is_named_without_its_password(world: World) {
        let name = if let Some(file) = world.sqlite_file() {
            format!("SQLite {}", file.display())
        } else {
            let url: url::Url = world.database_url.parse().unwrap();
            let place = format!("{}:{}", url.host_str().unwrap(), url.port().unwrap_or(5432));
            let (database, user) = (url.path().trim_start_matches('/'), url.username());
            format!("PostgreSQL at {place}, database \"{database}\", user \"{user}\"")
        };
        let name = Some(name);
        assert_eq!(denizen(&world, &["migrate"]).await.database, name);
        for output in ["text", "json"] {
            let done = denizen(&world, &["users", "list", "--output", output]).await;
            assert_eq!((done.code, done.stderr.as_str(), &done.database), (0, "", &name), "{done:?}");
        }
        assert_eq!(denizen(&world, &["users", "list", "--quiet"]).await.database, None);
        assert_eq!(denizen(&world, &["roles", "permissions"]).await.database, None, "works on no database");
    }

    async fn commands_that_write_work_beside_a_server(world: World) {
        let server = Process::start(&world, &[]).await;
        let arguments = ["users", "create", "--email", "ada@example.com", "--name", "Ada", "--password-stdin"];
        assert_eq!(run_on(&world, &[], &arguments, PASSWORD).await.code, 0);
        assert!(server.token("ada@example.com", PASSWORD).await.is_some());
        assert_eq!(denizen(&world, &["users", "disable", "ada@example.com"]).await.code, 0);
    }
}

#[tokio::test]
async fn a_killed_server_leaves_its_file_to_the_next() {
    let world = World::new(Db::Sqlite).await;
    let first = Process::start(&world, &[]).await;
    let second = denizen(&world, &["serve", "--port", "0"]).await;
    assert!(second.only_line(1).contains("another server"), "{second:?}");
    first.kill().await;
    Process::start(&world, &[]).await.kill().await;
}

/// What a PostgreSQL server answers a client that it refuses.
async fn refusing_server(code: &str, message: &str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let fields = format!("SFATAL\0VFATAL\0C{code}\0M{message}\0\0");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut startup = [0; 1024];
            let _ = stream.read(&mut startup).await;
            let length = u32::try_from(fields.len() + 4).unwrap();
            let answer = [&b"E"[..], &length.to_be_bytes(), fields.as_bytes()].concat();
            let _ = stream.write_all(&answer).await;
        }
    });
    format!("postgres://app:hunter2@127.0.0.1:{port}/accounts?sslmode=disable")
}

#[tokio::test]
async fn what_postgresql_refuses_is_explained() {
    let folder = tempfile::tempdir().unwrap();
    for (code, message, remedy) in [
        ("28P01", "password authentication failed for user \"app\"", "Correct user and password in database.url"),
        (
            "28000",
            "no pg_hba.conf entry for host \"::1\", user \"app\", database \"accounts\", no encryption",
            "sslmode=require",
        ),
        ("28000", "role \"app\" does not exist", "Create the role"),
        ("3D000", "database \"accounts\" does not exist", "createdb"),
        ("53300", "sorry, too many clients already", "database.max_connections"),
        ("57P03", "the database system is starting up", "try again"),
    ] {
        let url = refusing_server(code, message).await;
        let mut command = command(folder.path());
        command.env("DENIZEN__DATABASE__URL", &url);
        let done = run(command, &["users", "list"], "").await;
        let line = done.only_line(1);
        let target = "database \"accounts\", user \"app\"";
        assert!(line.contains(message) && line.contains(remedy) && line.contains(target), "{code}: {line}");
        assert!(!done.stderr.contains("hunter2"), "{done:?}");
    }
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    for (url, expected) in [
        (format!("postgres://app:hunter2@{free}/accounts"), "Start PostgreSQL, or correct host and port"),
        ("postgres://app:hunter2@db.invalid/accounts".to_owned(), "Correct the host in database.url"),
    ] {
        let mut command = command(folder.path());
        command.env("DENIZEN__DATABASE__URL", &url);
        let done = run(command, &["users", "list"], "").await;
        assert!(done.only_line(1).contains(expected) && !done.stderr.contains("hunter2"), "{done:?}");
    }
    assert_eq!(files(folder.path()), Vec::<String>::new());
}

#[tokio::test]
async fn the_remedies_are_those_of_a_real_server() {
    let world = World::new(Db::Postgres).await;
    let mut url: url::Url = world.database_url.parse().unwrap();
    let line_of = async |url: &url::Url| {
        let done = run_on(&world, &[("database.url", url.as_str())], &["migrate"], "").await;
        done.only_line(1).to_owned()
    };
    let role = format!("guest_{}", std::process::id());
    execute(&world, &format!("CREATE ROLE {role} LOGIN")).await;
    url.set_username(&role).unwrap();
    let line = line_of(&url).await;
    execute(&world, &format!("DROP ROLE {role}")).await;
    assert!(line.contains("(SQLSTATE 42501)") && line.contains("ALTER SCHEMA public OWNER TO"), "{line}");

    let mut url: url::Url = world.database_url.parse().unwrap();
    url.set_path("/no_such_database");
    assert!(line_of(&url).await.contains("createdb"));
    let mut url: url::Url = world.database_url.parse().unwrap();
    url.set_query(Some("sslmode=require"));
    let line = line_of(&url).await;
    assert!(line.contains("TLS") && line.contains("ssl = on"), "{line}");
}
