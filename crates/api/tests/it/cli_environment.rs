//! The command line in the environment of the service, on a terminal, and its manual pages.

use std::path::Path;

use crate::harness::{Db, PASSWORD, World};
use crate::process::{Done, command, command_on, run};

async fn denizen(folder: &Path, arguments: &[&str]) -> Done {
    run(command(folder), arguments, "").await
}

#[tokio::test]
async fn a_file_names_the_environment_of_the_service() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("service.env");
    std::fs::write(&file, "# Comment\nDENIZEN__SERVER__PORT=9001\nDENIZEN__PRODUCT__NAME='Acme & Co'\nOTHER=x\n")
        .unwrap();
    std::fs::write(folder.path().join(".env"), "DENIZEN__SERVER__PORT=9002\nDENIZEN__SERVER__HOST=::1\n").unwrap();
    let shown = async |arguments: &[&str]| {
        let done = denizen(folder.path(), &[arguments, &["config", "show", "--output", "json"]].concat()).await;
        let entries = done.json();
        let find = |key: &str| {
            let entry = entries.as_array().unwrap().iter().find(|entry| entry["key"] == key).unwrap();
            (entry["value"].as_str().unwrap().to_owned(), entry["source"].as_str().unwrap().to_owned())
        };
        [find("server.port"), find("server.host"), find("product.name")]
    };
    let [port, host, name] = shown(&[]).await;
    assert_eq!((port.0.as_str(), host.1.as_str(), name.0.as_str()), ("9002", ".env", "Denizen"));
    let [port, host, name] = shown(&["--env-file", "service.env"]).await;
    assert_eq!(port, ("9001".to_owned(), "service.env".to_owned()));
    assert_eq!((host.1.as_str(), name.0.as_str()), ("built-in default", "Acme & Co"), ".env is not read");

    // The environment of the process takes precedence, and can name the file.
    let mut with = command(folder.path());
    with.env("DENIZEN_ENV_FILE", &file).env("DENIZEN__SERVER__PORT", "9003");
    let done = run(with, &["config", "show"], "").await;
    assert!(done.stdout.contains("9003") && done.stdout.contains("Acme & Co"), "{done:?}");

    let done = denizen(folder.path(), &["config", "show", "--env-file", "absent.env"]).await;
    assert_eq!(done.only_line(2), "--env-file absent.env does not exist; expected a file");
    std::fs::write(&file, "DENIZEN__SERVER__PROT=1\nDENIZEN_SERVER_HOST=::1\n").unwrap();
    let done = denizen(folder.path(), &["config", "show", "--env-file", "service.env"]).await;
    assert_eq!((done.code, done.stderr.lines().count()), (2, 2), "{done:?}");
    assert!(done.stderr.contains("DENIZEN__SERVER__PROT from service.env is not a known key"), "{done:?}");
    assert!(done.stderr.contains("DENIZEN_SERVER_HOST from service.env is not a known key"), "{done:?}");
}

#[tokio::test]
async fn the_variables_of_compose_break_no_command() {
    let compose = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../compose.yaml")).unwrap();
    let names: Vec<&str> = compose
        .split("${")
        .skip(1)
        .map(|rest| rest.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).next().unwrap())
        .collect();
    assert!(!names.is_empty());
    let lines = names.iter().map(|name| format!("{name}=x\n")).collect::<Vec<_>>().concat();
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(".env"), lines).unwrap();
    let done = denizen(folder.path(), &["config", "check"]).await;
    assert_eq!((done.code, done.stdout.as_str()), (0, "ok\n"), "{names:?}: {done:?}");
}

/// Runs a command on a terminal of its own, with what is typed there.
async fn on_terminal(world: &World, arguments: &str, typed: &str) -> (i32, String) {
    let denizen = command_on(world, &[]);
    let mut terminal = tokio::process::Command::new("script");
    let line = format!("{} {arguments}", env!("CARGO_BIN_EXE_denizen"));
    terminal.args(["--quiet", "--return", "--echo", "never", "--command", &line, "/dev/null"]);
    terminal.env_clear().current_dir(world.folder()).kill_on_drop(true);
    terminal.envs(denizen.as_std().get_envs().filter_map(|(name, value)| Some((name, value?))));
    terminal.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    let done = run(terminal, &[], typed).await;
    (done.code, done.stdout)
}

#[tokio::test]
async fn a_password_is_asked_for_twice_on_a_terminal() {
    let world = World::new(Db::Sqlite).await;
    let create = "users create --email ada@example.com --name Ada";
    let (code, shown) = on_terminal(&world, create, &format!("{PASSWORD}\nanother one here\n")).await;
    assert!(code == 1 && shown.contains("the passwords are different"), "{code}: {shown}");
    let (code, shown) = on_terminal(&world, create, &format!("{PASSWORD}\n{PASSWORD}\n")).await;
    assert!(code == 0 && shown.contains("New password:") && shown.contains("created "), "{code}: {shown}");
    assert!(!shown.contains(PASSWORD), "{shown}");
    let (code, shown) = on_terminal(&world, "users set-password ada@example.com", "short\nshort\n").await;
    assert!(code == 1 && shown.contains("at least 8 characters"), "{code}: {shown}");
}

#[tokio::test]
async fn every_command_has_a_manual_page() {
    let folder = tempfile::tempdir().unwrap();
    let done = denizen(folder.path(), &["man", "--out", "share/man1"]).await;
    assert_eq!(done.code, 0, "{done:?}");
    let read = |name: &str| std::fs::read_to_string(folder.path().join("share/man1").join(name)).unwrap();
    for (page, text) in [
        ("denizen.1", "accounts backend"),
        ("denizen-serve.1", "Runs the server"),
        ("denizen-users-create.1", "Examples"),
        ("denizen-master-key-rotate.1", "without downtime"),
    ] {
        let page = read(page);
        assert!(page.starts_with(".ie") && page.contains(".TH ") && page.contains(text), "{page}");
    }
}

#[tokio::test]
async fn a_usage_error_names_the_help_of_its_command() {
    let folder = tempfile::tempdir().unwrap();
    for (arguments, help) in [
        (&["users", "create"][..], "see `denizen users create --help`"),
        (&["users", "frobnicate"], "see `denizen users --help`"),
        (&["keys", "rotate", "--later"], "see `denizen keys rotate --help`"),
        (&["--outptu", "json"], "see `denizen --help`"),
    ] {
        let done = denizen(folder.path(), arguments).await;
        assert!(done.only_line(2).ends_with(help), "{arguments:?}: {done:?}");
    }
}
