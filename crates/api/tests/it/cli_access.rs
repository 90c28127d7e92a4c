//! The command line on sessions, roles, keys and service accounts, beside a running server that feels it.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{PASSWORD, World, eventually, on_both};
use crate::process::{AT_ONCE, Done, Process, run_on};

/// How soon a change of signing keys is felt.
const SOON: Duration = Duration::from_secs(5);
const NOBODY: &str = "019365a8-6a5c-7f3e-9d0c-7b1f0a1c2d3e";

async fn denizen(world: &World, arguments: &[&str]) -> Done {
    run_on(world, &[], arguments, "").await
}

async fn json_of(world: &World, arguments: &[&str]) -> Value {
    denizen(world, &[arguments, &["--output", "json"]].concat()).await.json()
}

/// A command that succeeds, and what it prints.
async fn text_of(world: &World, arguments: &[&str]) -> String {
    let done = denizen(world, arguments).await;
    assert_eq!(done.code, 0, "{arguments:?}: {done:?}");
    done.stdout
}

async fn create_user(world: &World, email: &str, role: &str) {
    let arguments = ["users", "create", "--email", email, "--name", "Ada", "--role", role, "--password-stdin"];
    let done = run_on(world, &[], &arguments, PASSWORD).await;
    assert_eq!(done.code, 0, "{done:?}");
}

/// A service account with a role of its own that may see users, and its id.
async fn create_service_account(world: &World) -> String {
    text_of(world, &["roles", "create", "reader", "--permission", "users:read", "roles:read"]).await;
    let id = text_of(world, &["service-accounts", "create", "--name", "Billing", "--role", "reader"]).await;
    id.trim().to_owned()
}

async fn sign_in(server: &Process, email: &str) -> Value {
    let body = json!({"email": email, "password": PASSWORD});
    let response = server.request(Method::POST, "/api/v1/sessions", None).json(&body).send().await.unwrap();
    assert_eq!(response.status(), 201);
    response.json().await.unwrap()
}

/// The ids of the keys that the server publishes.
async fn published(server: &Process) -> Vec<String> {
    let response = server.request(Method::GET, "/.well-known/jwks.json", None).send().await.unwrap();
    let body: Value = response.json().await.unwrap();
    body["keys"].as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
}

fn kid(token: &str) -> String {
    let head = URL_SAFE_NO_PAD.decode(token.split('.').next().unwrap()).unwrap();
    serde_json::from_slice::<Value>(&head).unwrap()["kid"].as_str().unwrap().to_owned()
}

on_both! {
    async fn sessions_are_listed_and_revoked(world: World) {
        let server = Process::start(&world, &[]).await;
        create_user(&world, "ada@example.com", "user").await;
        let mut tokens = Vec::new();
        for _ in 0..3 {
            tokens.push(server.token("ada@example.com", PASSWORD).await.unwrap());
        }
        for token in &tokens {
            assert_eq!(server.status("/api/v1/me", Some(token)).await, 200);
        }
        let page = denizen(&world, &["sessions", "list", "ada@example.com", "--limit", "2", "--count", "--output", "json"]).await;
        assert!(page.stderr.contains("total: 3"), "{page:?}");
        let cursor = page.stderr.split("--after ").nth(1).expect("the way on is told").trim();
        let rest = json_of(&world, &["sessions", "list", "ada@example.com", "--after", cursor]).await;
        let oldest = rest[0]["id"].as_str().unwrap();
        assert_eq!((page.json().as_array().unwrap().len(), rest.as_array().unwrap().len()), (2, 1));
        assert_eq!(rest[0]["address"], json!("127.0.0.1"));
        let text = text_of(&world, &["sessions", "list", "ada@example.com"]).await;
        assert!(text.starts_with("ID ") && text.contains(oldest), "{text}");

        text_of(&world, &["sessions", "revoke", oldest]).await;
        server.becomes("/api/v1/me", &tokens[0], 401, AT_ONCE).await;
        assert_eq!(server.status("/api/v1/me", Some(&tokens[1])).await, 200);

        assert_eq!(json_of(&world, &["sessions", "revoke-all", "ada@example.com"]).await, json!({"ended": 2}));
        server.becomes("/api/v1/me", &tokens[1], 401, AT_ONCE).await;
        server.becomes("/api/v1/me", &tokens[2], 401, AT_ONCE).await;
        assert_eq!(json_of(&world, &["sessions", "list", "ada@example.com"]).await, json!([]));
    }

    async fn webhooks_are_made_tried_listed_and_deleted(world: World) {
        let arguments = ["webhooks", "create", "--url", "http://127.0.0.1:1/hook", "--type", "user.*", "--type", "role.created"];
        assert!(denizen(&world, &arguments).await.only_line(1).contains("https"), "a host that is not allowed");
        let made = json_of(&world, &[&arguments[..], &["--set", "webhooks.allowed_hosts=127.0.0.1"]].concat()).await;
        assert_eq!(made["types"], json!(["user.*", "role.created"]));
        assert!(made["secret"].as_str().unwrap().starts_with("whsec_"));
        let id = made["id"].as_str().unwrap();
        let listed = json_of(&world, &["webhooks", "list"]).await;
        assert_eq!((listed[0]["id"].as_str(), listed[0].get("secret")), (Some(id), None));
        let text = text_of(&world, &["webhooks", "list"]).await;
        assert!(text.starts_with("ID ") && text.contains("http://127.0.0.1:1/hook"), "{text}");
        assert_eq!(json_of(&world, &["webhooks", "get", id]).await, listed[0]);
        assert!(text_of(&world, &["webhooks", "get", id]).await.contains("role.created"));
        let changed = json_of(&world, &["webhooks", "update", id, "--all-types", "--description", "CRM", "--status", "disabled"]).await;
        assert_eq!((&changed["types"], &changed["description"], &changed["status"]), (&json!([]), &json!("CRM"), &json!("disabled")));
        assert_eq!(changed["url"], listed[0]["url"], "what is not given stays");
        assert_eq!(json_of(&world, &["webhooks", "update", id, "--status", "active"]).await["status"], "active");
        let refused: [&[&str]; 3] = [&[], &["--status", "gone"], &["--type", "nothing"]];
        for arguments in refused {
            assert_eq!(denizen(&world, &[&["webhooks", "update", id], arguments].concat()).await.code, 2, "{arguments:?}");
        }
        let refused = denizen(&world, &["webhooks", "update", id, "--url", "ftp://example.com/"]).await;
        assert!(refused.only_line(1).contains("url"), "{refused:?}");
        let tested = json_of(&world, &["webhooks", "test", id, "--set", "webhooks.allowed_hosts=127.0.0.1"]).await;
        assert_eq!((&tested["delivered"], &tested["error"]), (&json!(false), &json!("unreachable")));
        assert!(denizen(&world, &["webhooks", "test", id]).await.only_line(1).contains("not_allowed"));
        assert_eq!(json_of(&world, &["webhooks", "deliveries", id, "--state", "parked"]).await, json!([]));
        assert_eq!(json_of(&world, &["webhooks", "replay", id]).await, json!({"count": 0}));
        assert_eq!(denizen(&world, &["webhooks", "create", "--url", "https://nowhere.invalid/", "--type", "nothing"]).await.code, 2);
        text_of(&world, &["webhooks", "delete", id, "--yes"]).await;
        assert_eq!(json_of(&world, &["webhooks", "list"]).await, json!([]));
    }

    async fn roles_are_made_changed_and_felt(world: World) {
        let server = Process::start(&world, &[]).await;
        let made = json_of(&world, &["roles", "create", "support", "--permission", "users:read", "--description", "First level"]).await;
        assert_eq!((&made["name"], &made["permissions"], &made["description"]), (&json!("support"), &json!(["users:read"]), &json!("First level")));
        create_user(&world, "ada@example.com", "support").await;
        let token = server.token("ada@example.com", PASSWORD).await.unwrap();
        assert_eq!(server.status("/api/v1/users", Some(&token)).await, 200);

        let set = json_of(&world, &["roles", "set", "support", "--permission", "sessions:read,roles:read"]).await;
        assert_eq!((&set["permissions"], &set["description"]), (&json!(["sessions:read", "roles:read"]), &json!("First level")));
        server.becomes("/api/v1/users", &token, 403, AT_ONCE).await;
        let set = json_of(&world, &["roles", "set", "support", "--description", ""]).await;
        assert_eq!((&set["permissions"], &set["description"]), (&json!(["sessions:read", "roles:read"]), &json!("")));
        text_of(&world, &["roles", "set", made["id"].as_str().unwrap(), "--permission", "users:read"]).await;
        server.becomes("/api/v1/users", &token, 200, AT_ONCE).await;
        assert_eq!(text_of(&world, &["roles", "set", "support", "--no-permissions"]).await, "permissions of support: none\n");
        server.becomes("/api/v1/users", &token, 403, AT_ONCE).await;

        let names: Vec<Value> = json_of(&world, &["roles", "list"]).await.as_array().unwrap().iter().map(|role| role["name"].clone()).collect();
        assert!(["support", "admin", "user"].iter().all(|name| names.contains(&json!(name))), "{names:?}");
        assert_eq!(json_of(&world, &["roles", "get", "support"]).await["permissions"], json!([]));
        assert!(text_of(&world, &["roles", "permissions"]).await.contains("users:write "));

        let refused = denizen(&world, &["roles", "delete", "support"]).await;
        assert!(refused.only_line(1).contains("the role is assigned"));
        text_of(&world, &["users", "set-role", "ada@example.com", "user"]).await;
        text_of(&world, &["roles", "delete", "support"]).await;
        assert_eq!(denizen(&world, &["roles", "get", "support"]).await.only_line(1), "the role does not exist");
    }

    async fn keys_of_service_accounts_work_from_a_shell_variable(world: World) {
        let server = Process::start(&world, &[]).await;
        let account = create_service_account(&world).await;
        let create = ["api-keys", "create", "--service-account", &account, "--name", "ci", "--scope", "users:read"];
        let made = denizen(&world, &create).await;
        assert_eq!((made.code, made.stdout.lines().count(), made.stderr.lines().count()), (0, 1, 1), "{made:?}");
        let first = made.stdout.trim().to_owned();
        assert!(first.starts_with("dnk_") && !made.stderr.contains("dnk_"), "{made:?}");
        assert_eq!(server.status("/api/v1/users", Some(&first)).await, 200);
        assert_eq!(server.status("/api/v1/roles", Some(&first)).await, 403, "its scopes bound it, not its role alone");

        let listed = json_of(&world, &["api-keys", "list", "--service-account", &account]).await;
        assert_eq!((&listed[0]["scopes"], &listed[0]["service_account_id"]), (&json!(["users:read"]), &json!(account)));
        assert!(!listed.to_string().contains("dnk_"), "{listed}");
        let id = listed[0]["id"].as_str().unwrap();

        let second = text_of(&world, &["api-keys", "rotate", id]).await.trim().to_owned();
        for key in [&second, &first] {
            // Both work for a while.
            server.becomes("/api/v1/users", key, 200, AT_ONCE).await;
        }
        let third = text_of(&world, &["api-keys", "rotate", id, "--overlap-s", "0"]).await.trim().to_owned();
        server.becomes("/api/v1/users", &second, 401, AT_ONCE).await;
        server.becomes("/api/v1/users", &third, 200, AT_ONCE).await;

        let set = async |arguments: &[&str]| {
            let arguments = [&["service-accounts", "set", &account], arguments].concat();
            json_of(&world, &arguments).await
        };
        set(&["--role", "user"]).await;
        server.becomes("/api/v1/users", &third, 403, AT_ONCE).await;
        set(&["--role", "reader"]).await;
        server.becomes("/api/v1/users", &third, 200, AT_ONCE).await;
        let changed = set(&["--status", "disabled", "--name", "Old", "--description", "Invoices"]).await;
        assert_eq!((&changed["name"], &changed["status"], &changed["role"]), (&json!("Old"), &json!("disabled"), &json!("reader")));
        server.becomes("/api/v1/users", &third, 401, AT_ONCE).await;
        set(&["--status", "active"]).await;
        server.becomes("/api/v1/users", &third, 200, AT_ONCE).await;

        text_of(&world, &["api-keys", "revoke", id]).await;
        server.becomes("/api/v1/users", &third, 401, AT_ONCE).await;
        let made = json_of(&world, &[&create[..], &["--expires-in-days", "90"]].concat()).await;
        let last = made["key"].as_str().unwrap();
        assert!(made["expires_at"].is_string());
        assert_eq!(server.status("/api/v1/users", Some(last)).await, 200);
        assert!(denizen(&world, &["service-accounts", "delete", &account]).await.only_line(2).contains("--yes"));
        text_of(&world, &["service-accounts", "delete", &account, "--yes"]).await;
        server.becomes("/api/v1/users", last, 401, AT_ONCE).await;
        assert_eq!(json_of(&world, &["api-keys", "list"]).await, json!([]));
    }

    async fn signing_keys_rotate_and_are_withdrawn_under_a_running_server(world: World) {
        let server = Process::start(&world, &[]).await;
        create_user(&world, "ada@example.com", "user").await;
        let before = sign_in(&server, "ada@example.com").await;
        let token = before["access_token"].as_str().unwrap();

        let next = json_of(&world, &["keys", "rotate"]).await;
        let next_id = next["id"].as_str().unwrap().to_owned();
        assert_eq!(next["state"], json!("next"));
        assert!(next["activates_at"].as_str() > next["created_at"].as_str(), "{next}");
        eventually("the next key is published", SOON, async || published(&server).await.contains(&next_id)).await;
        assert_eq!(kid(&server.token("ada@example.com", PASSWORD).await.unwrap()), kid(token), "it does not sign yet");

        let said = text_of(&world, &["keys", "rotate", "--now"]).await;
        let states = json_of(&world, &["keys", "list"]).await;
        let of = |state: &str| states.as_array().unwrap().iter().filter(|key| key["state"] == state).map(|key| key["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>();
        let [current] = of("current").try_into().unwrap();
        assert!(said.contains(&current), "{said}");
        assert_eq!((of("next"), of("previous")), (vec![next_id], vec![kid(token)]));
        eventually("the new key is published", SOON, async || published(&server).await.contains(&current)).await;
        let after = sign_in(&server, "ada@example.com").await;
        let stolen = after["access_token"].as_str().unwrap();
        assert_eq!(kid(stolen), current);
        assert_eq!(server.status("/api/v1/me", Some(token)).await, 200, "what the key before signed is good");

        let asked = denizen(&world, &["keys", "withdraw", "--", &current]).await;
        assert!(asked.only_line(2).contains("--yes"), "{asked:?}");
        assert_eq!(server.status("/api/v1/me", Some(stolen)).await, 200);
        text_of(&world, &["keys", "withdraw", "--yes", "--", &current]).await;
        server.becomes("/api/v1/me", stolen, 401, SOON).await;
        assert!(!published(&server).await.contains(&current));
        assert_eq!(server.status("/api/v1/me", Some(token)).await, 200, "another key signed it");

        let body = json!({"refresh_token": after["refresh_token"]});
        let refreshed = server.request(Method::POST, "/api/v1/sessions/refresh", None).json(&body).send().await.unwrap();
        assert_eq!(refreshed.status(), 200, "the session lives on");
        let refreshed: Value = refreshed.json().await.unwrap();
        let renewed = refreshed["access_token"].as_str().unwrap();
        assert_ne!(kid(renewed), current);
        assert_eq!(server.status("/api/v1/me", Some(renewed)).await, 200);
        let states = json_of(&world, &["keys", "list"]).await;
        let withdrawn = states.as_array().unwrap().iter().find(|key| key["id"] == json!(current)).unwrap();
        assert!(withdrawn["state"] == "withdrawn" && withdrawn["withdrawn_at"].is_string(), "{withdrawn}");
    }

    async fn the_master_key_changes_without_anybody_signing_in_again(world: World) {
        let next = world.folder().join("next.key").display().to_string();
        let renewed = [("security.master_key_file", next.as_str())];
        let server = Process::start(&world, &[]).await;
        create_user(&world, "ada@example.com", "user").await;
        let before = sign_in(&server, "ada@example.com").await;
        let token = before["access_token"].as_str().unwrap();
        let account = create_service_account(&world).await;
        let create = ["api-keys", "create", "--service-account", &account, "--name", "ci", "--scope", "users:read"];
        let key = text_of(&world, &create).await.trim().to_owned();
        assert_eq!(json_of(&world, &["master-key", "status"]).await, json!({"master_keys": 1, "fits": true}));

        let present = world.folder().join("master.key").display().to_string();
        let same = denizen(&world, &["master-key", "rotate", "--to-file", &present]).await;
        assert!(same.only_line(1).contains("is the configured one"), "{same:?}");
        let done = denizen(&world, &["master-key", "rotate", "--to-file", &next]).await;
        assert!(done.code == 0 && done.stdout.contains("database: 2;") && done.stderr.contains("master-key retire"), "{done:?}");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(std::fs::metadata(&next).unwrap().permissions().mode() & 0o777, 0o600);
        }
        let again = json_of(&world, &["master-key", "rotate", "--to-command", &format!("cat '{next}'")]).await;
        assert_eq!(again, json!({"master_keys": 2, "fits": true}), "the same key by another way changes nothing");

        // Both keys open it: nodes change one after the other. A SQLite file has one server at a time.
        let mut servers = vec![server];
        if world.sqlite_file().is_some() {
            servers.remove(0).kill().await;
        }
        servers.push(Process::start(&world, &renewed).await);
        for server in &servers {
            assert_eq!(server.status("/api/v1/me", Some(token)).await, 200);
            assert_eq!(server.status("/api/v1/users", Some(&key)).await, 200);
        }
        let second = servers.pop().unwrap();
        for server in servers {
            server.kill().await;
        }
        let retired = run_on(&world, &renewed, &["master-key", "retire"], "").await;
        assert_eq!(retired.stdout, "removed master keys: 1\n", "{retired:?}");
        assert_eq!(run_on(&world, &renewed, &["master-key", "status", "--output", "json"], "").await.json(), json!({"master_keys": 1, "fits": true}));
        let refused = denizen(&world, &["master-key", "status", "--output", "json"]).await;
        assert_eq!(refused.json(), json!({"master_keys": 1, "fits": false}));
        for arguments in [&["users", "list"][..], &["master-key", "retire"], &["master-key", "rotate", "--to-file", "third.key"]] {
            let refused = denizen(&world, arguments).await;
            assert!(refused.only_line(1).contains("does not match the database"), "{arguments:?}: {refused:?}");
        }
        assert!(!world.folder().join("third.key").exists(), "no key is made for what does not open");

        let body = json!({"refresh_token": before["refresh_token"]});
        let refreshed = second.request(Method::POST, "/api/v1/sessions/refresh", None).json(&body).send().await.unwrap();
        assert_eq!(refreshed.status(), 200);
        assert_eq!(second.status("/api/v1/users", Some(&key)).await, 200);
    }

    async fn what_cannot_be_done_is_one_line(world: World) {
        create_user(&world, "ada@example.com", "admin").await;
        let account = create_service_account(&world).await;
        let create = ["api-keys", "create", "--service-account", &account, "--name", "ci", "--scope"];
        for (arguments, code, expected) in [
            (&["sessions", "list", "nobody@example.com"][..], 1, "the user does not exist"),
            (&["sessions", "list", "ada@example.com", "--limit", "0"], 2, "--limit must be 1 to 200"),
            (&["sessions", "list", "ada@example.com", "--after", "nonsense"], 2, "--after must be a cursor"),
            (&["sessions", "revoke", NOBODY], 1, "the session does not exist"),
            (&["roles", "create", "reader", "--no-permissions"], 1, "another role already has this name"),
            (&["roles", "set", "admin", "--no-permissions"], 1, "built in"),
            (&["roles", "delete", "user"], 1, "built in"),
            (&["roles", "delete", "reader"], 1, "the role is assigned"),
            (&["roles", "get", "Reader"], 2, "must be the name of a role"),
            (&["roles", "create", "x", "--permission", "users:fly"], 2, "denizen roles permissions"),
            (&["service-accounts", "get", NOBODY], 1, "the service account does not exist"),
            (&["service-accounts", "create", "--name", "B", "--role", "king"], 1, "role: must be the name of a role"),
            (&["service-accounts", "set", &account, "--status", "invited"], 2, "active or disabled"),
            (&[&create[..], &["users:write"]].concat(), 1, "does not hold all scopes"),
            (&[&create[..], &["users:read", "--expires-at", "2020-01-01T00:00:00Z"]].concat(), 1, "in the future"),
            (&["api-keys", "revoke", NOBODY], 1, "the API key does not exist"),
            (&["keys", "withdraw", "nothing", "--yes"], 1, "the signing key does not exist"),
            (&["keys", "withdraw", "nothing"], 2, "--yes"),
            (&["master-key", "rotate", "--to-command", "echo changeme"], 1, "must print"),
        ] {
            let done = denizen(&world, arguments).await;
            let line = done.only_line(code);
            assert!(line.contains(expected), "{arguments:?}: {line}");
        }
        let pasted = denizen(&world, &["api-keys", "revoke", "dnk_secret"]).await;
        assert!(pasted.only_line(2).contains("not the key itself") && !pasted.stderr.contains("dnk_secret"), "{pasted:?}");
    }

    async fn with_a_secret_there_are_no_keys_to_rotate(world: World) {
        let settings = [("tokens.algorithm", "HS256"), ("tokens.hs256_secret", "Jb6vYl2QmK9sXw4tZr8uNc1pHd5gFe7a")];
        assert_eq!(denizen(&world, &["migrate"]).await.code, 0);
        for arguments in [&["keys", "rotate"][..], &["keys", "withdraw", "x", "--yes"]] {
            let done = run_on(&world, &settings, arguments, "").await;
            assert!(done.only_line(1).contains("tokens.hs256_secret"), "{done:?}");
        }
    }
}
