//! The example of `docs/embedding.md`: the same on the page as in this crate, and it works: a mail arrives.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::process::Command;
use tokio::time::{sleep, timeout};

/// Longer than a start takes on a busy machine.
const PATIENCE: Duration = Duration::from_mins(1);

/// The text of the first fenced block of a language.
fn block<'a>(page: &'a str, language: &str) -> &'a str {
    let start = format!("```{language}\n");
    let (_, rest) = page.split_once(&start).unwrap_or_else(|| panic!("no block of {language}"));
    rest.split_once("```").expect("a block ends").0
}

#[test]
fn the_page_shows_this_crate() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = std::fs::read_to_string(root.join("../../docs/embedding.md")).unwrap();
    let source = std::fs::read_to_string(root.join("src/main.rs")).unwrap();
    assert_eq!(block(&page, "rust"), source, "docs/embedding.md differs from src/main.rs");

    let manifest = std::fs::read_to_string(root.join("Cargo.toml")).unwrap();
    let (_, dependencies) = manifest.split_once("[dependencies]").unwrap();
    let (dependencies, _) = dependencies.split_once("\n[").unwrap();
    let shown = block(&page, "toml").replace("../denizen/crates/api", "../api");
    let (_, shown) = shown.split_once("[dependencies]").unwrap();
    assert_eq!(shown.trim(), dependencies.trim(), "docs/embedding.md differs from Cargo.toml");
}

#[test]
fn the_readme_shows_its_example() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = std::fs::read_to_string(root.join("../../README.md")).unwrap();
    let source = std::fs::read_to_string(root.join("examples/readme.rs")).unwrap();
    let shown = block(&readme, "rust");
    assert_eq!(source.strip_prefix("//! The example of `README.md`.\n\n"), Some(shown), "README.md differs");
    assert!(shown.lines().count() <= 15, "the example is short");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_example_serves_and_sends_mail() {
    let folder = tempfile::tempdir().unwrap();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let host = format!("http://127.0.0.1:{port}");
    let url = format!("{host}/auth");
    let mut command = Command::new(env!("CARGO_BIN_EXE_denizen-embedding-example"));
    // The application's own APP_ENV, which has no overlay.
    command.env_clear().env("APP_ENV", "staging").env("DENIZEN__SERVER__PORT", port.to_string());
    command.env("DENIZEN__SERVER__PUBLIC_URL", &host).env("DENIZEN__MAIL__FOLDER", "mail");
    command.current_dir(folder.path()).stdin(Stdio::null()).kill_on_drop(true);
    let mut application = command.spawn().unwrap();

    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let ready = async {
        while !client.get(format!("{url}/health/ready")).send().await.is_ok_and(|response| response.status() == 200) {
            sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(PATIENCE, ready).await.expect("the application starts");
    let hello = client.get(format!("{host}/hello")).send().await.unwrap().text().await.unwrap();
    assert_eq!(hello, "hello");

    let body = json!({"email": "ada@example.com", "password": "correct horse battery", "name": "Ada"});
    let created = client.post(format!("{url}/api/v1/users")).json(&body).send().await.unwrap();
    assert_eq!(created.status(), 201);
    let body = json!({"email": "ada@example.com", "password": "correct horse battery"});
    let signed_in = client.post(format!("{url}/api/v1/sessions")).json(&body).send().await.unwrap();
    let token = signed_in.json::<Value>().await.unwrap()["access_token"].as_str().unwrap().to_owned();
    let sessions = client.get(format!("{url}/api/v1/sessions")).bearer_auth(token).send().await.unwrap();
    assert!(sessions.text().await.unwrap().contains("127.0.0.1"), "sessions know from where they were opened");

    let reset = client.post(format!("{url}/api/v1/password-resets")).json(&json!({"email": "ada@example.com"}));
    assert_eq!(reset.send().await.unwrap().status(), 202);
    let arrives = async {
        while !has_reset_link(&folder.path().join("mail"), &url) {
            sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(PATIENCE, arrives).await.expect("a mail arrives");

    let id = application.id().unwrap().to_string();
    assert!(Command::new("sh").args(["-c", "kill -TERM \"$0\"", &id]).status().await.unwrap().success());
    let ended = timeout(PATIENCE, application.wait()).await.expect("it stops").unwrap();
    assert!(ended.success(), "{ended}");
}

/// Whether a file in the folder is a mail with a link that resets a password. Long lines of a mail are folded.
fn has_reset_link(folder: &Path, url: &str) -> bool {
    let Ok(files) = std::fs::read_dir(folder) else { return false };
    let mails = files.filter_map(|file| std::fs::read_to_string(file.ok()?.path()).ok());
    let link = format!("{url}/account/reset-password");
    mails.map(|mail| mail.replace("=\r\n", "").replace("=\n", "")).any(|mail| mail.contains(&link))
}
