//! The command line, on the database of a running server and felt by it.

use serde_json::{Value, json};

use crate::harness::{Db, PASSWORD, World, on_both};
use crate::process::{AT_ONCE, Done, Process, command, run, run_on};

async fn denizen(world: &World, arguments: &[&str]) -> Done {
    run_on(world, &[], arguments, "").await
}

async fn create(world: &World, email: &str, role: &str) -> Value {
    let arguments =
        ["users", "create", "--email", email, "--name", "Ada", "--role", role, "--password-stdin", "--output", "json"];
    run_on(world, &[], &arguments, PASSWORD).await.json()
}

async fn alone(arguments: &[&str], env: &[(&str, &str)]) -> Done {
    let folder = tempfile::tempdir().unwrap();
    let mut command = command(folder.path());
    for (name, value) in env {
        command.env(name, value);
    }
    let done = run(command, arguments, "").await;
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is made by {arguments:?}");
    done
}

on_both! {
    async fn what_the_operator_does_is_felt_by_the_server(world: World) {
        let server = Process::start(&world, &[]).await;
        let ada = create(&world, "Ada@example.com", "admin").await;
        assert_eq!((&ada["email"], &ada["role"], &ada["status"]), (&json!("ada@example.com"), &json!("admin"), &json!("active")));
        create(&world, "eve@example.com", "admin").await;
        let token = server.token("ada@example.com", PASSWORD).await.expect("who was created signs in");
        assert_eq!(server.status("/api/v1/users", Some(&token)).await, 200);

        assert_eq!(denizen(&world, &["users", "set-role", "ada@example.com", "user"]).await.code, 0);
        server.becomes("/api/v1/users", &token, 403, AT_ONCE).await;

        assert_eq!(denizen(&world, &["users", "disable", ada["id"].as_str().unwrap()]).await.code, 0);
        server.becomes("/api/v1/me", &token, 401, AT_ONCE).await;
        assert!(server.token("ada@example.com", PASSWORD).await.is_none());
        assert_eq!(denizen(&world, &["users", "enable", "ada@example.com"]).await.code, 0);

        let token = server.token("ada@example.com", PASSWORD).await.unwrap();
        let set = run_on(&world, &[], &["users", "set-password", "ada@example.com", "--password-stdin"], "\u{FEFF}another good one\r\n").await;
        assert_eq!(set.code, 0, "{set:?}");
        server.becomes("/api/v1/me", &token, 401, AT_ONCE).await;
        assert!(server.token("ada@example.com", PASSWORD).await.is_none());
        let token = server.token("ada@example.com", "another good one").await.expect("neither the byte order mark nor the line feed is part of it");

        assert_eq!(denizen(&world, &["users", "delete", "ada@example.com", "--yes"]).await.code, 0);
        server.becomes("/api/v1/me", &token, 401, AT_ONCE).await;
        assert_eq!(denizen(&world, &["users", "get", "ada@example.com"]).await.only_line(1), "the user does not exist");
    }

    async fn accounts_are_listed_and_shown(world: World) {
        for name in ["ann", "ben", "cat"] {
            create(&world, &format!("{name}@example.com"), if name == "ann" { "admin" } else { "user" }).await;
        }
        let emails = async |arguments: &[&str]| -> Vec<String> {
            let arguments = [&["users", "list", "--output", "json"], arguments].concat();
            let users = denizen(&world, &arguments).await.json();
            users.as_array().unwrap().iter().map(|user| user["email"].as_str().unwrap().replace("@example.com", "")).collect()
        };
        assert_eq!(emails(&[]).await, ["cat", "ben", "ann"]);
        assert_eq!(emails(&["--role", "admin"]).await, ["ann"]);
        assert_eq!(emails(&["--q", "BE"]).await, ["ben"]);
        assert_eq!(emails(&["--status", "disabled"]).await, Vec::<String>::new());
        assert_eq!(emails(&["--limit", "1", "--offset", "1"]).await, ["ben"]);

        let page = denizen(&world, &["users", "list", "--limit", "2", "--count", "--output", "json"]).await;
        assert!(page.stderr.contains("total: 3"), "{page:?}");
        let cursor = page.stderr.split("--after ").nth(1).expect("the way on is told").trim();
        assert_eq!(emails(&["--after", cursor]).await, ["ann"]);

        let text = denizen(&world, &["users", "list"]).await.stdout;
        assert!(text.starts_with("ID ") && text.contains("cat@example.com"), "{text}");
        let text = denizen(&world, &["users", "get", "ann@example.com"]).await.stdout;
        assert!(text.contains("ann@example.com") && !text.contains("argon2"), "{text}");
    }

    async fn accounts_move_in_and_out_by_file(world: World) {
        let file = world.folder().join("in.ndjson");
        std::fs::write(&file, "\u{FEFF}{\"email\":\"a@example.com\",\"name\":\"A\"}\nnonsense\n\n{\"email\":\"b@example.com\",\"name\":\"B\"}\n").unwrap();
        let file = file.to_str().unwrap();
        assert_eq!(denizen(&world, &["migrate"]).await.code, 0);
        let dry = denizen(&world, &["users", "import", file, "--dry-run"]).await;
        assert!(dry.stdout.contains("would create 2"), "{dry:?}");
        assert_eq!(denizen(&world, &["users", "list", "--output", "json"]).await.json(), json!([]));

        let done = denizen(&world, &["users", "import", file, "--output", "json"]).await;
        assert_eq!(done.code, 1, "a refused line is told by the exit code too");
        let lines: Vec<Value> = done.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!((&lines[0]["line"], &lines[1]["created"], &lines[1]["failed"]), (&json!(2), &json!(2), &json!(1)));

        let out = world.folder().join("out.ndjson");
        assert_eq!(denizen(&world, &["users", "export", out.to_str().unwrap()]).await.code, 0);
        let text = std::fs::read_to_string(out).unwrap();
        let emails: Vec<Value> = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["email"].clone()).collect();
        assert_eq!(emails, ["b@example.com", "a@example.com"]);
        let piped = run_on(&world, &[], &["users", "import", "-"], "{\"email\":\"c@example.com\",\"name\":\"C\"}").await;
        assert_eq!((piped.code, piped.stdout.as_str()), (0, "created 1, rejected 0\n"));
        assert_eq!(denizen(&world, &["users", "export", "-"]).await.stdout.lines().count(), 3);
    }

    async fn what_the_operator_may_not_do_is_one_line(world: World) {
        create(&world, "ada@example.com", "admin").await;
        for (arguments, code, expected) in [
            (&["users", "set-role", "ada@example.com", "user"][..], 1, "this would leave no active administrator"),
            (&["users", "disable", "ada@example.com"], 1, "this would leave no active administrator"),
            (&["users", "delete", "ada@example.com", "--yes"], 1, "this would leave no active administrator"),
            (&["users", "delete", "ada@example.com"], 2, "--yes"),
            (&["users", "get", "nobody@example.com"], 1, "the user does not exist"),
            (&["users", "get", "nobody"], 2, "must be the id or email address"),
            (&["users", "set-role", "ada@example.com", "King"], 2, "role"),
            (&["users", "set-role", "ada@example.com", "king"], 1, "role: must be the name of a role"),
            (&["users", "list", "--limit", "0"], 2, "--limit must be 1 to 200"),
            (&["users", "list", "--after", "nonsense"], 2, "--after must be a cursor"),
            (&["users", "create", "--email", "b@example.com", "--name", "B"], 2, "--password-stdin"),
            (&["users", "import", "no-such-file"], 1, "no-such-file"),
        ] {
            let done = denizen(&world, arguments).await;
            let line = done.only_line(code);
            assert!(line.contains(expected), "{arguments:?}: {line}");
        }
        let arguments = ["users", "create", "--email", "ADA@example.com", "--name", "Twin", "--password-stdin"];
        assert_eq!(run_on(&world, &[], &arguments, PASSWORD).await.only_line(1), "another user already has this email address");
        let arguments = ["users", "create", "--email", "b@example.com", "--name", "B", "--password-stdin"];
        let done = run_on(&world, &[], &arguments, "hunter2").await;
        assert!(done.only_line(1).contains("at least 8 characters") && !done.stderr.contains("hunter2"), "{done:?}");
    }

    async fn pending_migrations_are_shown_and_applied(world: World) {
        let plan = denizen(&world, &["migrate", "plan", "--output", "json"]).await.json();
        assert!(!plan["pending"].as_array().unwrap().is_empty());
        assert_eq!(denizen(&world, &["migrate"]).await.code, 0);
        assert_eq!(denizen(&world, &["migrate", "plan", "--output", "json"]).await.json()["pending"], json!([]));
        assert_eq!(denizen(&world, &["migrate", "run"]).await.stdout, "the schema is up to date\n");
    }
}

#[tokio::test]
async fn the_health_of_a_server_is_an_exit_code() {
    let world = World::new(Db::Sqlite).await;
    let server = Process::start(&world, &[]).await;
    let port = server.url.rsplit(':').next().unwrap().to_owned();
    let check = async || run_on(&world, &[("server.port", &port)], &["healthcheck"], "").await;
    let done = check().await;
    assert_eq!((done.code, done.stdout.as_str()), (0, "ready\n"), "{done:?}");
    let anywhere = [("server.port", port.as_str()), ("server.host", "0.0.0.0")];
    assert_eq!(run_on(&world, &anywhere, &["healthcheck"], "").await.code, 0);
    server.kill().await;
    assert!(check().await.only_line(1).contains("no server is listening at 127.0.0.1"));
}

#[tokio::test]
async fn the_configuration_is_shown_without_its_secrets() {
    let env = [
        ("DENIZEN__DATABASE__URL", "postgres://denizen:hunter2@db.example/denizen"),
        ("DENIZEN__SECURITY__MASTER_KEY", "fbefbe3f0a9cd17e6624b85d8ff04c11927aa3c85e016bd4f73920ee81b6457d"),
        ("DENIZEN__SERVER__PORT", "9999"),
    ];
    for output in ["text", "json"] {
        let done = alone(&["config", "show", "--output", output, "--set", "limits.body_bytes=65536"], &env).await;
        assert_eq!(done.code, 0, "{done:?}");
        assert!(!done.stdout.contains("hunter2") && !done.stdout.contains("fbefbe3f"), "{}", done.stdout);
        assert!(done.stdout.contains("postgres://denizen:[redacted]@db.example/denizen"), "{}", done.stdout);
        assert!(done.stdout.contains("DENIZEN__SERVER__PORT") && done.stdout.contains("--set"), "{}", done.stdout);
    }
    let shown = alone(&["config", "show", "--output", "json"], &env).await.json();
    let entry = |key: &str| shown.as_array().unwrap().iter().find(|entry| entry["key"] == key).unwrap().clone();
    assert_eq!(entry("security.master_key")["value"], "[redacted]");
    assert_eq!(entry("server.port")["value"], "9999");
    assert_eq!(entry("server.host")["source"], "built-in default");
}

#[tokio::test]
async fn a_mistake_in_the_configuration_is_one_line_and_exit_code_2() {
    assert_eq!(alone(&["config", "check"], &[]).await.stdout, "ok\n");
    for (name, value, expected) in [
        ("DENIZEN__SERVER__PORT", "eighty", "server.port from environment DENIZEN__SERVER__PORT"),
        ("DENIZEN__SERVER__PROT", "80", "did you mean DENIZEN__SERVER__PORT?"),
        ("DENIZEN__DATABASE__URL", "mysql://root:hunter2@db/x", "database.url"),
        ("DENIZEN__SECURITY__MASTER_KEY", "hunter2", "security.master_key"),
        ("DENIZEN__LIMITS__REQUEST_TIMEOUT_S", "0", "from 1 to 600"),
    ] {
        for arguments in [&["config", "check"][..], &["serve"], &["users", "list"]] {
            let done = alone(arguments, &[(name, value)]).await;
            let line = done.only_line(2);
            assert!(line.contains(expected) && !line.contains("hunter2"), "{arguments:?}: {line}");
        }
    }
    let done = alone(&["config", "check"], &[("DENIZEN__SERVER__PORT", "x"), ("DENIZEN__SERVER__HOST", "y")]).await;
    assert_eq!((done.code, done.stderr.lines().count()), (2, 2), "each mistake has its line: {done:?}");
}

#[tokio::test]
async fn the_binary_explains_itself() {
    let printed = alone(&["openapi"], &[]).await;
    let printed: Value = serde_json::from_str(&printed.stdout).unwrap();
    let document: Value = serde_json::from_str(&denizen::openapi::document().to_json().unwrap()).unwrap();
    assert_eq!(printed, document);
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = alone(&["completions", shell], &[]).await;
        assert!(script.code == 0 && script.stdout.contains("healthcheck"), "{shell}");
    }
    let help = alone(&["--help"], &[]).await;
    assert!(help.code == 0 && help.stdout.contains("serve") && help.stdout.contains("Exit codes"), "{help:?}");
    let version = alone(&["--version"], &[]).await;
    assert_eq!(version.stdout, format!("denizen {}\n", env!("CARGO_PKG_VERSION")));
    assert!(alone(&["serv"], &[]).await.only_line(2).contains("serve"));
}
