//! `denizen apply`, `denizen diff` and `denizen get`: what files describe, and what the database has.

use std::os::unix::fs::PermissionsExt;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

use crate::harness::{PASSWORD, World, eventually, on_both};
use crate::process::{Done, Process};

const SECRET: &str = "GOCSPX-of-the-test";
/// Longer than a comparison may take on a busy machine.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(30);

const DOCUMENT: &str = r#"
version: 1
roles:
  - name: editor
    description: "Writes: everything"
    permissions: [users:read, users:write]
  - name: reader
    permissions: [users:read]
service_accounts:
  - name: Billing
    description: Monthly
    role: editor
  - {name: Reports, role: reader, status: disabled}
webhooks:
  - url: https://crm.example.com/hooks/a
    types: [user.created, user.deleted]
    description: CRM
  - url: https://crm.example.com/hooks/b
    status: disabled
providers:
  - name: google
    enabled: false
    client_secret_env: GOOGLE_SECRET
    settings:
      preset: google
      client_id: abc
      roles: {staff: editor}
      role_claim: groups
"#;

async fn denizen(world: &World, arguments: &[&str], stdin: &str) -> Done {
    let mut command = crate::process::command_on(world, &[]);
    command.env("GOOGLE_SECRET", SECRET);
    crate::process::run(command, arguments, stdin).await
}

/// Applies a document that is accepted, and returns what was done.
async fn apply(world: &World, document: &str, arguments: &[&str]) -> Value {
    let done = denizen(world, &[&["apply", "-f", "-", "--output", "json"], arguments].concat(), document).await;
    assert_eq!(done.code, 0, "{done:?}");
    done.json()
}

fn summary(report: &Value) -> [u64; 4] {
    ["created", "changed", "deleted", "unchanged"].map(|name| report["summary"][name].as_u64().unwrap())
}

async fn get(world: &World, arguments: &[&str]) -> String {
    let done = denizen(world, &[&["get"], arguments].concat(), "").await;
    assert_eq!(done.code, 0, "{done:?}");
    done.stdout
}

async fn ids(world: &World, kind: &str) -> Vec<String> {
    let listed = denizen(world, &[kind, "list", "--output", "json"], "").await.json();
    listed.as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
}

async fn event_types(world: &World) -> Vec<String> {
    let listed = denizen(world, &["events", "list", "--limit", "200", "--output", "json"], "").await;
    assert!(!listed.stdout.contains(SECRET));
    listed.json().as_array().unwrap().iter().map(|event| event["type"].as_str().unwrap().to_owned()).collect()
}

/// The lines of a failure, which changes nothing and shows no secret.
async fn refused(world: &World, document: &str, arguments: &[&str]) -> Vec<String> {
    let before = get(world, &[]).await;
    let done = denizen(world, &[&["apply", "-f", "-", "--yes"], arguments].concat(), document).await;
    assert_eq!((done.code, done.stdout.as_str()), (2, ""), "{done:?}");
    assert!(!done.stderr.contains(SECRET), "{done:?}");
    assert_eq!(get(world, &[]).await, before);
    let lines = done.stderr.lines().map(|line| line.trim_start_matches("denizen: ").to_owned());
    lines.filter(|line| !line.starts_with("Database: ")).collect()
}

on_both! {
    async fn all_kinds_are_created_and_a_second_run_changes_nothing(world: World) {
        let secrets = world.folder().join("secrets.ndjson");
        let created = apply(&world, DOCUMENT, &["--secrets-out", secrets.to_str().unwrap()]).await;
        assert_eq!(summary(&created), [7, 0, 0, 0]);
        assert!(created["changes"].as_array().unwrap().iter().all(|change| change["done"] == true), "{created}");

        let text = std::fs::read_to_string(&secrets).unwrap();
        let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), 2);
        assert!(lines[0]["url"] == "https://crm.example.com/hooks/a" && lines[0]["secret"].as_str().unwrap().starts_with("whsec_"));
        assert_eq!(std::fs::metadata(&secrets).unwrap().permissions().mode() & 0o777, 0o600);

        let again = apply(&world, DOCUMENT, &["--secrets-out", secrets.to_str().unwrap()]).await;
        assert_eq!((summary(&again), &again["changes"]), ([0, 0, 0, 7], &json!([])));
        let same = denizen(&world, &["diff", "-f", "-"], DOCUMENT).await;
        assert_eq!((same.code, same.stdout.as_str()), (0, "0 to create, 0 to change, 0 to delete, 7 unchanged\n"));
        let types = event_types(&world).await;
        for kind in ["role.created", "service_account.created", "webhook.created", "provider.created"] {
            assert!(types.iter().any(|known| known == kind), "{kind} in {types:?}");
        }
        assert!(!types.iter().any(|kind| kind.ends_with(".updated")), "what is created disabled is not changed to that: {types:?}");
    }

    async fn changes_are_shown_made_and_pruned(world: World) {
        apply(&world, DOCUMENT, &[]).await;
        let changed = DOCUMENT
            .replace("[user.created, user.deleted]", "[user.created]")
            .replace("permissions: [users:read, users:write]", "permissions: [users:read]")
            .replace("  - {name: Reports, role: reader, status: disabled}\n", "")
            .replace("  - name: reader\n    permissions: [users:read]\n", "")
            .replace("client_id: abc", "client_id: def");
        let dry = denizen(&world, &["apply", "-f", "-", "--prune", "--dry-run"], &changed).await;
        assert_eq!(dry.stdout, "\
~ role editor: permissions [users:read, users:write] → [users:read]
~ provider google: settings.client_id abc → def
~ webhook https://crm.example.com/hooks/a: types [user.created, user.deleted] → [user.created]
- service account Reports
- role reader
dry run: 0 to create, 3 to change, 2 to delete, 2 unchanged
");
        let differs = denizen(&world, &["diff", "-f", "-", "--prune"], &changed).await;
        assert_eq!((differs.code, differs.stdout.replace("dry run: ", "")), (1, dry.stdout.replace("dry run: ", "")));
        assert_eq!(ids(&world, "service-accounts").await.len(), 2, "a dry run changes nothing");

        let unconfirmed = denizen(&world, &["apply", "-f", "-", "--prune"], &changed).await;
        assert_eq!(unconfirmed.code, 2, "{unconfirmed:?}");
        assert_eq!(ids(&world, "service-accounts").await.len(), 2);
        let done = denizen(&world, &["apply", "-f", "-", "--prune", "--yes"], &changed).await;
        assert_eq!(done.code, 0, "{done:?}");
        assert!(done.stdout.ends_with("0 created, 3 changed, 2 deleted, 2 unchanged\n"), "{done:?}");
        assert_eq!(denizen(&world, &["diff", "-f", "-", "--prune"], &changed).await.code, 0);

        // A kind whose key is absent is not managed.
        let pruned = apply(&world, "roles: [{name: editor, description: \"Writes: everything\", permissions: [users:read]}]", &["--prune", "--yes"]).await;
        assert_eq!(summary(&pruned), [0, 0, 0, 1]);
        let none = apply(&world, "webhooks: []", &["--prune", "--yes"]).await;
        assert_eq!(summary(&none), [0, 0, 2, 0]);
    }

    async fn what_is_got_can_be_applied(world: World) {
        apply(&world, DOCUMENT, &[]).await;
        let long = "word ".repeat(39);
        let descriptions = ["no", "1", "a: b", "日本 é", "# x", "two  lines: [x]", "- a", "''\"", "~", long.trim()];
        let names = ["no", "1", "a: b", "日本", "- x", "true", "0x1F", "Off", "1e3", "2026-01-01"];
        for (name, description) in names.iter().zip(descriptions) {
            let (name, description) = (format!("--name={name}"), format!("--description={description}"));
            let arguments = ["service-accounts", "create", &name, &description, "--role", "user"];
            assert_eq!(denizen(&world, &arguments, "").await.code, 0, "{description:?}");
        }
        for arguments in [&[][..], &["-o", "yaml"], &["-o", "json"], &["all"]] {
            let document = get(&world, arguments).await;
            assert!(!document.contains(SECRET) && !document.contains("has_secret"), "{document}");
            let again = denizen(&world, &["diff", "-f", "-", "--prune"], &document).await;
            assert_eq!(again.code, 0, "{document}\n{again:?}");
            assert!(again.stdout.starts_with("0 to create") && again.stdout.contains(" 19 unchanged"), "{again:?}");
        }
        let one = get(&world, &["service-accounts", "no", "-o", "json"]).await;
        let expected = json!({"version": 1, "service_accounts": [{"name": "no", "description": "no", "role": "user", "status": "active"}]});
        assert_eq!(serde_json::from_str::<Value>(&one).unwrap(), expected);
        assert_eq!(denizen(&world, &["get", "roles", "nobody"], "").await.only_line(1), "there is no role nobody");
        assert!(denizen(&world, &["users", "list", "-o", "yaml"], "").await.only_line(2).contains("only for `denizen get`"));
    }

    async fn random_names_come_back(world: World) {
        let mut runner = TestRunner::deterministic();
        let text = proptest::collection::vec("[ -~\u{a0}-\u{ff}\u{3040}-\u{309f}\u{1f600}]{1,30}", 30);
        let items: Vec<Value> = text.new_tree(&mut runner).unwrap().current().into_iter().enumerate()
            .map(|(index, text)| json!({"name": format!("{} {index}", text.trim()), "description": text, "role": "user"})).collect();
        let document = json!({"service_accounts": items}).to_string();
        assert_eq!(summary(&apply(&world, &document, &[]).await), [30, 0, 0, 0]);
        let described = get(&world, &["service-accounts"]).await;
        assert_eq!(summary(&apply(&world, &described, &["--prune", "--yes"]).await), [0, 0, 0, 30], "{described}");
        assert_eq!(summary(&apply(&world, &document, &["--prune", "--yes"]).await), [0, 0, 0, 30]);
    }

    async fn everything_that_is_wrong_is_reported_before_anything_is_written(world: World) {
        assert_eq!(denizen(&world, &["migrate"], "").await.code, 0);
        let document = format!("\
roles:
  - name: Editor
    permissions: [users:read, users:fly]
  - name: support
    permisions: []
service_accounts:
  - name: Billing
    role: nobody
    colour: red
  - name: Reports
    role: nobody
  - name: Reports
    role: user
  - role: user
webhooks:
  - url: http://127.0.0.1/hook
    types: [user.flown]
  - url: https://crm.example.com/a
    id: 019365a8-6a5c-7f3e-9d0c-7b1f0a1c2d3e
providers:
  - name: google
    client_secret: {SECRET}
    client_secret_env: GOOGLE_SECRET
    settings: {{preset: google, colour: red}}
  - name: other
    client_secret_env: NO_SUCH_VARIABLE
    settings: {{preset: gogle, client_id: a}}
webhook: []
");
        let lines = refused(&world, &document, &[]).await;
        assert_eq!(lines, ["standard input:28:1: webhook: is not a known field; did you mean webhooks?"]);
        let lines = refused(&world, &document.replace("webhook: []\n", ""), &[]).await;
        let expected = [
            ":2:5: role Editor: name: must be a lowercase letter",
            ":3:5: role Editor: permissions: must be permissions",
            ":4:5: role support: permissions: is required",
            ":5:5: role support: permisions: is not a known field; did you mean permissions?",
            ":9:5: service account Billing: colour: is not a known field; expected one of description, id, name, role, status",
            ":11:5: service account Reports: role: must be the name of a role",
            ":12:5: name: Reports is already at standard input:10:5",
            ":14:5: name: is required",
            ":17:5: webhook http://127.0.0.1/hook: types: must be event types",
            ":19:5: id: there is no webhook with this id",
            "client_secret: must be the only one of client_secret, client_secret_env and client_secret_file",
            "settings.colour: is not a known field",
            "client_secret_env: cannot be read: environment variable not found",
        ];
        for line in expected {
            assert!(lines.iter().any(|known| known.contains(line)), "{line} in {lines:#?}");
        }
        for (document, expected) in [
            ("roles: {}", "standard input:1:1: roles: must be a list"),
            ("version: 2", "standard input:1:1: version: must be 1"),
            ("- a", "must be a map of sections"),
            ("roles: [a]", "standard input:1:9: must be a map that describes a role"),
            ("roles: [{name: a, name: b}]", "standard input:1:19: name: must not be repeated"),
            ("roles: [{name: admin, permissions: []}]", "permissions: must be omitted or as it is, because the role is built in"),
            ("webhooks: [{url: \"http://127.0.0.1/x\"}]", "url: "),
            ("providers: [{name: x, settings: {preset: google, client_id: a, role_claim: g, roles: {a: nobody}}, client_secret: s}]", "there is no role nobody"),
            (&"x".repeat(1_048_577), "must be at most 1048576 bytes"),
        ] {
            let lines = refused(&world, document, &[]).await;
            assert!(lines.len() == 1 && lines[0].contains(expected), "{expected} in {lines:?}");
        }
        let missing = denizen(&world, &["diff", "-f", "absent.yaml"], "").await;
        assert!(missing.only_line(2).contains("absent.yaml"), "{missing:?}");
    }

    async fn ambiguous_names_need_an_id(world: World) {
        for _ in 0..2 {
            denizen(&world, &["service-accounts", "create", "--name", "Twin", "--role", "user"], "").await;
        }
        let twins = ids(&world, "service-accounts").await;
        let lines = refused(&world, "service_accounts: [{name: Twin}]", &[]).await;
        assert!(twins.iter().all(|id| lines[0].contains(id.as_str())), "{lines:?}");
        let document = get(&world, &["service-accounts"]).await;
        assert!(twins.iter().all(|id| document.contains(id.as_str())), "{document}");
        assert_eq!(summary(&apply(&world, &document, &["--prune", "--yes"]).await), [0, 0, 0, 2]);
        let renamed = format!("service_accounts: [{{id: {}, name: Other}}]", twins[0]);
        assert_eq!(summary(&apply(&world, &renamed, &[]).await), [0, 1, 0, 0]);

        apply(&world, "webhooks: [{url: \"https://a.example.com/1\"}]", &[]).await;
        let id = ids(&world, "webhooks").await.remove(0);
        let moved = apply(&world, &format!("webhooks: [{{id: {id}, url: \"https://a.example.com/2\"}}]"), &[]).await;
        assert_eq!(moved["changes"][0]["fields"], json!([{"field": "url", "before": "https://a.example.com/1", "after": "https://a.example.com/2"}]));
    }

    async fn secrets_are_set_once_and_never_shown(world: World) {
        apply(&world, DOCUMENT, &[]).await;
        let other = DOCUMENT.replace("client_secret_env: GOOGLE_SECRET", "client_secret: GOCSPX-another");
        let dry = denizen(&world, &["diff", "-f", "-"], &other).await;
        assert_eq!((dry.code, dry.stdout.lines().next().unwrap()), (1, "~ provider google: client_secret: changed"));
        for text in [&dry.stdout, &dry.stderr] {
            assert!(!text.contains("GOCSPX"), "{dry:?}");
        }
        let changed = apply(&world, &other, &[]).await;
        assert_eq!((summary(&changed), changed.to_string().contains("GOCSPX")), ([0, 1, 0, 6], false));
        assert_eq!(summary(&apply(&world, &other, &[]).await), [0, 0, 0, 7]);
        // A secret that is not given stays as it is.
        let omitted = DOCUMENT.replace("    client_secret_env: GOOGLE_SECRET\n", "");
        assert_eq!(summary(&apply(&world, &omitted, &[]).await), [0, 0, 0, 7]);
        std::fs::write(world.folder().join("google.secret"), format!("{SECRET}\n")).unwrap();
        let file = DOCUMENT.replace("client_secret_env: GOOGLE_SECRET", "client_secret_file: google.secret");
        assert_eq!(summary(&apply(&world, &file, &[]).await), [0, 1, 0, 6]);
        event_types(&world).await;

        let secrets = world.folder().join("taken");
        std::fs::write(&secrets, "mine").unwrap();
        let document = "webhooks: [{url: \"https://b.example.com/\"}]";
        let refused = denizen(&world, &["apply", "-f", "-", "--secrets-out", "taken"], document).await;
        assert_eq!((refused.code, std::fs::read_to_string(&secrets).unwrap().as_str()), (1, "mine"), "{refused:?}");
        let without = denizen(&world, &["apply", "-f", "-"], document).await;
        let hint = without.stderr.split('`').nth(1).expect("it says how to get a secret").to_owned();
        let arguments: Vec<&str> = hint.split(' ').skip(1).collect();
        assert!(denizen(&world, &arguments, "").await.stdout.contains("whsec_"), "{hint}");
    }

    async fn a_role_that_is_assigned_is_not_pruned(world: World) {
        apply(&world, DOCUMENT, &[]).await;
        let arguments = ["users", "create", "--email", "a@example.com", "--name", "A", "--role", "editor", "--password-stdin"];
        assert_eq!(denizen(&world, &arguments, PASSWORD).await.code, 0);
        let lines = refused(&world, "roles: []", &["--prune"]).await;
        assert_eq!(lines, [
            "--prune: role editor cannot be deleted: it is assigned to users; assign another role to them first",
            "--prune: service account Billing has the role editor, which is deleted",
            "--prune: service account Reports has the role reader, which is deleted",
        ]);
    }

    async fn names_are_compared_as_they_are_stored(world: World) {
        let document = "service_accounts: [{name: \" Spaced \", description: \" x \"}]\nwebhooks: [{url: \"https://a.example.com/\", types: [user.created, user.created]}]";
        assert_eq!(summary(&apply(&world, document, &[]).await), [2, 0, 0, 0]);
        assert_eq!(summary(&apply(&world, document, &["--prune", "--yes"]).await), [0, 0, 0, 2]);
    }

    async fn folders_are_read_in_order_and_duplicates_name_both_places(world: World) {
        let folder = world.folder().join("conf");
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("10-roles.yaml"), "# comment\nroles:\n- {name: a, permissions: []}\n").unwrap();
        std::fs::write(folder.join("20.json"), "{\"roles\": [{\"name\": \"b\", \"permissions\": []}]}").unwrap();
        std::fs::write(folder.join("README.md"), "not read").unwrap();
        let done = denizen(&world, &["apply", "-f", "conf"], "").await;
        assert_eq!(done.stdout, "+ role a\n+ role b\n2 created, 0 changed, 0 deleted, 0 unchanged\n", "{done:?}");
        let twice = denizen(&world, &["apply", "-f", "conf", "-f", "-"], "roles:\n- name: b\n  permissions: []\n").await;
        assert_eq!(twice.only_line(2), "standard input:2:3: name: b is already at conf/20.json:1:12");
    }

    async fn the_example_of_the_page_is_applied(world: World) {
        let page = include_str!("../../../../docs/declarative-configuration.md");
        let block = page.split("```yaml\n").nth(1).unwrap().split("   ```").next().unwrap();
        let lines: Vec<&str> = block.lines().map(|line| line.strip_prefix("   ").unwrap_or(line)).collect();
        let document = lines.join("\n").replace("GOOGLE_CLIENT_SECRET", "GOOGLE_SECRET");
        assert_eq!(summary(&apply(&world, &document, &[]).await), [5, 0, 0, 0]);
        assert_eq!(summary(&apply(&world, &document, &["--prune", "--yes"]).await), [0, 0, 0, 5]);
    }

    async fn drift_is_recorded_when_it_appears_changes_and_ends(world: World) {
        apply(&world, DOCUMENT, &[]).await;
        let file = world.folder().join("denizen.yaml");
        std::fs::write(&file, DOCUMENT).unwrap();
        let path = file.to_str().unwrap().to_owned();
        let settings = [("apply.files", path.as_str()), ("apply.check_interval_min", "1"), ("telemetry.log_filter", "info,denizen=debug")];
        let drift = async || -> Vec<Value> {
            let listed = denizen(&world, &["events", "list", "--types", "configuration.*", "--output", "json"], "").await;
            listed.json().as_array().unwrap().clone()
        };
        // A server compares at its start, and logs that it did.
        let compare_on_one = async || {
            let server = Process::start(&world, &settings).await;
            eventually("the server compares", PATIENCE, async || {
                server.log().contains("compared the database with the files")
            })
            .await;
            server.kill().await;
        };
        // On PostgreSQL, two nodes find the same at the same time.
        let compare = async || match world.sqlite_file() {
            Some(_) => compare_on_one().await,
            None => drop(tokio::join!(compare_on_one(), compare_on_one())),
        };
        let describe = async |text: &str| {
            assert_eq!(denizen(&world, &["roles", "set", "editor", "--description", text], "").await.code, 0);
        };
        let names = async || -> Vec<String> {
            drift().await.iter().map(|event| format!("{} {}", event["type"].as_str().unwrap(), event["data"]["resources"])).collect()
        };
        compare().await;
        assert_eq!(names().await, Vec::<String>::new());

        describe("one").await;
        compare().await;
        compare().await;
        let first = "configuration.drifted [\"role editor\"]";
        assert_eq!(names().await, [first], "the same drift is recorded once");
        describe("two").await;
        compare().await;
        assert_eq!(names().await, [first, first], "and again when it changes");

        assert_eq!(summary(&apply(&world, DOCUMENT, &[]).await), [0, 1, 0, 6]);
        compare().await;
        compare().await;
        let ended = "configuration.drift_resolved null";
        assert_eq!(names().await, [first, first, ended]);
        describe("one").await;
        denizen(&world, &["webhooks", "delete", &ids(&world, "webhooks").await[1], "--yes"], "").await;
        compare().await;
        let events = drift().await;
        assert_eq!(events[3]["data"]["resources"], json!(["role editor", "webhook crm.example.com"]));
        assert!(!json!(events).to_string().contains("/hooks/"), "the path of a URL may be secret");
    }

    async fn built_in_roles_keep_their_permissions(world: World) {
        let document = "roles: [{name: admin, second_factor: required}, {name: user}]";
        assert_eq!(summary(&apply(&world, document, &["--prune", "--yes"]).await), [0, 1, 0, 1]);
        let described = get(&world, &["roles"]).await;
        assert_eq!(described, "version: 1\nroles:\n- name: admin\n  second_factor: required\n- name: user\n  second_factor: optional\n");
    }

    async fn an_interrupted_run_is_completed_by_the_next(world: World) {
        assert_eq!(denizen(&world, &["migrate"], "").await.code, 0);
        break_inserts(&world, "webhooks").await;
        let done = denizen(&world, &["apply", "-f", "-"], DOCUMENT).await;
        assert_eq!(done.code, 1, "{done:?}");
        for line in [
            "denizen: done: role editor, role reader, provider google, service account Billing, service account Reports",
            "denizen: not done: webhook https://crm.example.com/hooks/a, webhook https://crm.example.com/hooks/b; correct the cause and run the command again",
        ] {
            assert!(done.stderr.lines().any(|printed| printed == line), "{line} in {done:?}");
        }
        mend(&world, "webhooks").await;
        assert_eq!(summary(&apply(&world, DOCUMENT, &[]).await), [2, 0, 0, 5]);
    }

    async fn a_resource_that_changes_meanwhile_is_not_overwritten(world: World) {
        apply(&world, DOCUMENT, &[]).await;
        // Changing the role stands for another request that changes the service account at the same moment.
        bump_with_roles(&world).await;
        let changed = DOCUMENT.replace("Writes: everything", "Writes").replace("Monthly", "Weekly");
        let done = denizen(&world, &["apply", "-f", "-"], &changed).await;
        assert_eq!(done.code, 1, "{done:?}");
        assert!(done.stderr.contains("service account Billing: the resource was changed by another request"), "{done:?}");
        assert!(get(&world, &["service-accounts"]).await.contains("Monthly"));
        assert_eq!(summary(&apply(&world, &changed, &[]).await), [0, 1, 0, 6]);
    }
}

#[tokio::test]
async fn the_schema_accepts_what_is_accepted_and_refuses_unknown_fields() {
    let folder = tempfile::tempdir().unwrap();
    let printed = crate::process::run(crate::process::command(folder.path()), &["schema"], "").await;
    let schema = printed.json();
    let committed = include_str!("../../../../schemas/denizen.json");
    assert_eq!(schema, serde_json::from_str::<Value>(committed).unwrap(), "run `cargo xtask generate`");
    let validator = jsonschema::draft202012::new(&schema).unwrap();
    for (document, is_valid) in [
        (json!({}), true),
        (json!({"version": 1, "roles": null}), false),
        (json!({"version": 1, "roles": []}), true),
        (
            json!({"roles": [{"name": "editor", "permissions": []}, {"name": "admin", "second_factor": "required"}]}),
            true,
        ),
        (
            json!({"service_accounts": [{"name": "A", "id": "019365a8-6a5c-7f3e-9d0c-7b1f0a1c2d3e", "role": "user"}]}),
            true,
        ),
        (json!({"webhooks": [{"url": "https://a.example.com/", "types": ["user.*"], "status": "active"}]}), true),
        (
            json!({"providers": [{"name": "google", "client_secret_env": "X", "settings": {"preset": "google", "client_id": "a"}}]}),
            true,
        ),
        (json!({"role": []}), false),
        (json!({"version": 2}), false),
        (json!({"roles": [{"permissions": []}]}), false),
        (json!({"roles": [{"name": "editor"}]}), false),
        (json!({"roles": [{"name": "editor", "permissions": [], "id": "x"}]}), false),
        (json!({"webhooks": [{"types": []}]}), false),
        (json!({"providers": [{"name": "google", "settings": {"colour": "red"}}]}), false),
        (json!({"providers": [{"name": "google"}]}), false),
    ] {
        assert_eq!(validator.is_valid(&document), is_valid, "{document}");
    }
}

async fn execute(world: &World, sqlite: &str, postgres: &str) {
    use sqlx::{AssertSqlSafe, Connection, Executor};
    if let Some(file) = world.sqlite_file() {
        let mut connection = sqlx::SqliteConnection::connect(&format!("sqlite://{}", file.display())).await.unwrap();
        connection.execute(AssertSqlSafe(sqlite.to_owned())).await.unwrap();
    } else {
        let mut connection = sqlx::PgConnection::connect(&world.database_url).await.unwrap();
        connection.execute(AssertSqlSafe(postgres.to_owned())).await.unwrap();
    }
}

async fn break_inserts(world: &World, table: &str) {
    let sqlite = format!("CREATE TRIGGER broken BEFORE INSERT ON {table} BEGIN SELECT RAISE(ABORT, 'broken'); END");
    let postgres = format!(
        "CREATE FUNCTION broken() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'broken'; END $$; \
         CREATE TRIGGER broken BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION broken()"
    );
    execute(world, &sqlite, &postgres).await;
}

async fn mend(world: &World, table: &str) {
    execute(world, "DROP TRIGGER broken", &format!("DROP TRIGGER broken ON {table}")).await;
}

async fn bump_with_roles(world: &World) {
    let bump = "UPDATE service_accounts SET version = version + 1";
    let sqlite = format!("CREATE TRIGGER bump AFTER UPDATE ON roles BEGIN {bump}; END");
    let postgres = format!(
        "CREATE FUNCTION bump() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {bump}; RETURN NULL; END $$; \
         CREATE TRIGGER bump AFTER UPDATE ON roles FOR EACH ROW EXECUTE FUNCTION bump()"
    );
    execute(world, &sqlite, &postgres).await;
}
