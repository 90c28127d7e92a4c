//! Pages for people: the start page, `/docs`, and those of `docs/`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use reqwest::{Method, Response};

use crate::harness::{Db, TestApp, problem};

async fn get(app: &TestApp, path: &str, accept: &str) -> Response {
    app.request(Method::GET, path, None).header("accept", accept).send().await.unwrap()
}

#[tokio::test]
async fn the_start_page_leads_on() {
    for (public_url, prefix) in [("", ""), ("https://example.com/auth", "/auth")] {
        let app =
            TestApp::start_with(Db::Sqlite, &[("server.public_url", public_url), ("product.name", "A <b> & co")]).await;
        let response = get(&app, "/", "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8").await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/html; charset=utf-8");
        let policy = response.headers()["content-security-policy"].to_str().unwrap().to_owned();
        assert!(policy.contains("style-src 'self'"), "{policy}");
        let page = response.text().await.unwrap();
        assert!(page.contains("A &lt;b&gt; &amp; co") && !page.contains(['{', '}']), "{page}");
        assert!(page.contains("name=\"viewport\""), "{page}");
        let links: Vec<&str> = page.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
        assert!(links.len() >= 5, "{links:?}");
        for link in links {
            let path = link.strip_prefix(prefix).unwrap_or_else(|| panic!("{link} leaves {prefix}"));
            assert_eq!(get(&app, path, "*/*").await.status(), 200, "{link}");
        }

        let body: serde_json::Value = get(&app, "/", "*/*").await.json().await.unwrap();
        assert_eq!(body["links"]["docs"], format!("{prefix}/docs/"));
        assert_eq!(body["name"], "A <b> & co");
        problem(get(&app, "/nothing", "text/html").await, 404, "route_not_found").await;
    }
}

#[tokio::test]
async fn the_documentation_fits_a_phone() {
    let app = TestApp::start(Db::Sqlite).await;
    let page = get(&app, "/docs/", "text/html").await.text().await.unwrap();
    assert!(page.contains("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">"), "{page}");
    assert!(page.contains("<title>API documentation"), "{page}");
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// README.md and every page of `docs/`.
fn pages() -> BTreeMap<String, String> {
    let docs = std::fs::read_dir(root().join("docs")).unwrap().map(|entry| entry.unwrap().file_name());
    let docs = docs
        .filter_map(|name| name.into_string().ok())
        .filter(|name| Path::new(name).extension().is_some_and(|extension| extension == "md"));
    let names = docs.map(|name| format!("docs/{name}")).chain(["README.md".to_owned()]);
    names.map(|name| (name.clone(), read(&name))).collect()
}

/// The lines of the examples for a shell.
fn shell_lines(page: &str) -> Vec<&str> {
    let (mut lines, mut inside) = (Vec::new(), false);
    for line in page.lines() {
        match line.trim() {
            "```sh" => inside = true,
            start if start.starts_with("```") => inside = false,
            _ if inside => lines.push(line),
            _ => {}
        }
    }
    lines
}

#[test]
fn the_table_of_grpc_lists_every_method() {
    let page = read("docs/grpc.md");
    let mut services = 0;
    for entry in std::fs::read_dir(root().join("proto/denizen/v1")).unwrap() {
        let proto = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        let mut row = "";
        for line in proto.lines() {
            let name = |rest: &str| rest.split([' ', '(', '{']).next().unwrap_or_default().to_owned();
            if let Some(rest) = line.strip_prefix("service ") {
                let start = format!("| `{}` |", name(rest));
                row = page.lines().find(|line| line.starts_with(&start)).unwrap_or_else(|| panic!("no row {start}"));
                services += 1;
            } else if let Some(rest) = line.trim().strip_prefix("rpc ") {
                assert!(row.contains(&format!("`{}`", name(rest))), "{} is not in {row}", name(rest));
            }
        }
    }
    assert!(services >= 11, "{services}");
}

#[test]
fn every_error_code_is_listed_once() {
    let page = read("docs/errors.md");
    for section in page.split("\n## ").skip(1) {
        let mut seen = BTreeSet::new();
        for line in section.lines().filter(|line| line.starts_with("| `")) {
            let code = line.split('`').nth(1).unwrap();
            assert!(seen.insert(code), "{code} is listed twice");
        }
    }
}

#[test]
fn examples_show_errors_and_share_their_variables() {
    const SHARED: [&str; 7] = ["SERVER", "API", "JSON", "TOKEN", "ADMIN", "KEY", "ID"];
    for (name, page) in pages() {
        let lines = shell_lines(&page);
        let text = lines.join("\n");
        for line in &lines {
            for after in line.split("curl ").skip(1) {
                assert!(after.starts_with("-sS"), "{name}: curl without -sS: {line}");
            }
            if !line.contains("curl ") {
                continue;
            }
            for variable in line.split('$').skip(1) {
                let variable: String = variable.chars().take_while(|c| c.is_ascii_uppercase() || *c == '_').collect();
                let is_set = text.contains(&format!("{variable}="));
                assert!(variable.is_empty() || is_set || SHARED.contains(&&*variable), "{name}: ${variable} in {line}");
            }
        }
    }
}
