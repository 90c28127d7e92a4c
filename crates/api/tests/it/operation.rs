//! What an operator meets: a configuration that is checked before a start, one server per SQLite file, and errors of the
//! database that say what to do.

use std::time::Duration;

use crate::harness::{Db, PASSWORD, World};
use crate::process::{Done, Process, command, command_on, run, run_on};

fn tls<'a>(cert: &'a str, key: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![("server.tls_cert_file", cert), ("server.tls_key_file", key)]
}

/// `denizen config check` with these settings, under the strict rules.
async fn check(world: &World, settings: &[(&str, &str)]) -> Done {
    let mut command = command(world.folder());
    command.env("APP_ENV", "prod");
    for (key, value) in settings {
        command.env(format!("DENIZEN__{}", key.replace('.', "__").to_uppercase()), value);
    }
    run(command, &["config", "check"], "").await
}

#[tokio::test]
async fn config_check_finds_files_that_cannot_be_used() {
    let world = World::new(Db::Sqlite).await;
    let path = |name: &str| world.folder().join(name).display().to_string();
    let (absent, folder, nonsense) = (path("absent.pem"), path("folder"), path("nonsense.pem"));
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(&nonsense, "nonsense").unwrap();
    let authority = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let (cert, key) = (path("cert.pem"), path("key.pem"));
    std::fs::write(&cert, authority.cert.pem()).unwrap();
    std::fs::write(&key, authority.signing_key.serialize_pem()).unwrap();
    let smtp = [
        ("mail.smtp_host", "smtp.example.com"),
        ("mail.from", "a@example.com"),
        ("server.public_url", "https://a.example"),
    ];
    let with_mail = |key: &'static str, value| [&smtp[..], &[(key, value)]].concat();
    let (heads, nested, root_ca) =
        (path("absent/heads"), format!("sqlite://{nonsense}/x.db"), format!("postgres://a@b/c?sslrootcert={absent}"));

    assert_eq!(check(&world, &[]).await.stdout, "ok\n");
    assert_eq!(check(&world, &tls(&cert, &key)).await.stdout, "ok\n");
    assert_eq!(check(&world, &smtp).await.stdout, "ok\n");
    assert!(!world.folder().join("data").exists(), "nothing is made");
    for (settings, start) in [
        (tls(&absent, &key), "server.tls_cert_file from"),
        (tls(&cert, &absent), "server.tls_key_file from"),
        (tls(&cert, &folder), "server.tls_key_file from"),
        (tls(&cert, &nonsense), "server.tls_cert_file from"),
        (
            [tls(&cert, &key), vec![("server.tls_client_ca_file", absent.as_str())]].concat(),
            "server.tls_client_ca_file from",
        ),
        (with_mail("mail.smtp_ca_file", &absent), "mail.smtp_ca_file from"),
        (with_mail("mail.smtp_ca_file", &folder), "mail.smtp_ca_file from"),
        (with_mail("mail.templates", &absent), "mail.templates from"),
        (with_mail("mail.templates", &nonsense), "mail.templates from"),
        (vec![("mail.folder", &*nonsense)], "mail.folder from"),
        (vec![("security.master_key_file", &*nonsense)], "security.master_key_file from"),
        (vec![("security.master_key_file", &*folder)], "security.master_key_file from"),
        (vec![("audit.head_file", heads.as_str())], "audit.head_file from"),
        (vec![("audit.head_file", &*folder)], "audit.head_file from"),
        (vec![("database.url", nested.as_str())], "database.url from"),
        (vec![("database.url", root_ca.as_str())], "database.url from"),
    ] {
        let done = check(&world, &settings).await;
        let line = done.stderr.lines().next().unwrap_or_default();
        assert!(done.code == 2 && line.starts_with(&format!("denizen: {start}")), "{settings:?}: {done:?}");
    }
}

#[tokio::test]
async fn config_check_refuses_what_a_start_only_warns_of() {
    let world = World::new(Db::Sqlite).await;
    let done =
        check(&world, &[("sign_in.magic_links", "true"), ("server.public_url", "http://accounts.example.com")]).await;
    assert_eq!((done.code, done.stderr.lines().count()), (2, 2), "{done:?}");
    let settings = [("sign_in.magic_links", "true"), ("mail.folder", ""), ("server.public_url", "http://a.example")];
    let mut command = command_on(&world, &settings);
    command.env("APP_ENV", "prod").env_remove("DENIZEN__SECURITY__ARGON2_MEMORY_KIB");
    command.env_remove("DENIZEN__SECURITY__ARGON2_ITERATIONS").arg("serve");
    let server = Process::start_command(command).await;
    assert!(server.log().contains("sign_in.magic_links from environment"), "{}", server.log());
    assert!(server.log().contains("server.public_url from environment"), "{}", server.log());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sqlite_file_has_one_server() {
    let world = World::new(Db::Sqlite).await;
    let first = Process::start(&world, &[]).await;
    assert_eq!(first.sign_up("ada@example.com").await.unwrap().status(), 201);

    let refused = run_on(&world, &[], &["serve"], "").await;
    let line = refused.only_line(1);
    for part in ["another server", &first.id().to_string(), "denizen.db", "PostgreSQL"] {
        assert!(line.contains(part), "{line}");
    }
    assert_eq!(first.status("/health/ready", None).await, 200, "the first is not disturbed");

    // The command line works beside it.
    for arguments in
        [&["users", "list"][..], &["audit", "verify"], &["config", "check"], &["keys", "list"], &["migrate", "plan"]]
    {
        let done = run_on(&world, &[], arguments, "").await;
        assert_eq!(done.code, 0, "{arguments:?}: {done:?}");
    }
    let create =
        ["users", "create", "--email", "root@example.com", "--name", "Root", "--role", "admin", "--password-stdin"];
    assert_eq!(run_on(&world, &[], &create, PASSWORD).await.code, 0);

    // However it ends, the lock ends with it.
    first.kill().await;
    let second = Process::start(&world, &[]).await;
    assert!(second.token("ada@example.com", PASSWORD).await.is_some());
    second.terminate().await;
    assert!(second.ended(Duration::from_secs(15)).await.success());
    Process::start(&world, &[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_embedded_server_counts_as_one() {
    let world = World::new(Db::Sqlite).await;
    let config = world.config(&[]);
    denizen::app::store_options(&config).unwrap().migrate().await.unwrap();
    let router = denizen::App::open(&config).await.unwrap().router();
    assert!(denizen::App::open(&config).await.err().unwrap().to_string().contains("another server"));
    let refused = run_on(&world, &[], &["serve"], "").await;
    assert!(refused.only_line(1).contains("another server"), "{refused:?}");
    drop(router);
    Process::start(&world, &[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_error_of_postgresql_says_where_and_what_to_do() {
    let world = World::new(Db::Postgres).await;
    let url = world.database_url.clone();
    let (authority, name) = url.rsplit_once('/').unwrap();
    let port = authority.rsplit_once(':').unwrap().1;
    let absent = format!("{authority}/{name}_absent");
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for (url, parts) in [
        (absent.as_str(), vec![port, "_absent\" does not exist", "createdb -h 127.0.0.1 -p"]),
        (&format!("postgres://denizen:hunter2@{free}/accounts"), vec!["database \"accounts\"", "Start PostgreSQL"]),
        ("postgres://denizen:hunter2@nowhere.invalid/accounts", vec!["nowhere.invalid:5432", "Correct "]),
        (&url.replace("denizen@", "nobody_here:hunter2@"), vec!["nobody_here", "role"]),
    ] {
        for arguments in [&["serve"][..], &["users", "list"], &["migrate", "plan"], &["serve", "--no-migrate"]] {
            let done = run_on(&world, &[("database.url", url)], arguments, "").await;
            let line = done.only_line(1);
            assert!(
                line.contains("PostgreSQL at ") && parts.iter().all(|part| line.contains(part)),
                "{arguments:?}: {line}"
            );
            assert!(!line.contains("hunter2") && !line.contains(" at line "), "{line}");
        }
    }
    for url in [url.as_str(), &format!("sqlite://{}", world.folder().join("fresh.db").display())] {
        let done = run_on(&world, &[("database.url", url)], &["serve", "--no-migrate"], "").await;
        assert!(done.only_line(1).contains("run `denizen migrate` first"), "{done:?}");
    }
}
