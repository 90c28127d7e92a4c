//! Imports of users who exist, of rejected lines, and imports that are interrupted.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{PASSWORD, SignedIn, TestApp, World, on_both, problem};
use crate::process::{Done, command_on, run_on};

const IMPORT: &str = "/api/v1/users/import";
const IDS: [&str; 3] = [
    "019365a8-6a5c-7f3e-9d0c-7b1f0a1c2d01",
    "019365a8-6a5c-7f3e-9d0c-7b1f0a1c2d02",
    "019365a8-6a5c-7f3e-9d0c-7b1f0a1c2d03",
];

async fn import(app: &TestApp, admin: &SignedIn, query: &str, lines: &[Value]) -> Value {
    let lines: Vec<_> = lines.iter().map(Value::to_string).collect();
    let request = app.request(Method::POST, &format!("{IMPORT}?{query}"), Some(&admin.token));
    let response = request.header("content-type", "application/x-ndjson").body(lines.join("\n")).send().await.unwrap();
    assert_eq!(response.status(), 200, "{query}");
    response.json().await.unwrap()
}

fn counts(report: &Value) -> [u64; 4] {
    ["created", "updated", "skipped", "failed"].map(|name| report[name].as_u64().unwrap())
}

fn faults(report: &Value) -> Vec<(u64, String, String)> {
    let faults = report["errors"].as_array().unwrap().iter().flat_map(|error| {
        let line = error["line"].as_u64().unwrap();
        let text = |field: &Value, name: &str| field[name].as_str().unwrap().to_owned();
        error["fields"].as_array().unwrap().iter().map(move |field| (line, text(field, "field"), text(field, "code")))
    });
    faults.collect()
}

fn fault(line: u64, field: &str, code: &str) -> (u64, String, String) {
    (line, field.to_owned(), code.to_owned())
}

async fn by_email(app: &TestApp, admin: &SignedIn, email: &str) -> Value {
    app.json(&format!("/api/v1/users?email={email}"), &admin.token).await[0].clone()
}

async fn cli(world: &World, arguments: &[&str], stdin: &str) -> Done {
    run_on(world, &[], &[&["users"], arguments].concat(), stdin).await
}

on_both! {
    async fn a_conflict_is_refused_skipped_or_stops(app: TestApp) {
        let admin = app.admin().await;
        let line = |id: usize, email: &str, name: &str| json!({"id": IDS[id], "email": email, "name": name});
        let report = import(&app, &admin, "keep_ids=true", &[line(0, "a@example.com", "A")]).await;
        assert_eq!(counts(&report), [1, 0, 0, 0], "{report}");
        assert_eq!(by_email(&app, &admin, "a@example.com").await["id"], IDS[0]);

        let same_id = line(0, "other@example.com", "B");
        let same_address = line(1, "A@example.com", "B");
        let new = line(2, "c@example.com", "C");
        let report = import(&app, &admin, "keep_ids=true", &[same_id.clone(), same_address.clone()]).await;
        assert_eq!(faults(&report), [fault(1, "id", "taken"), fault(2, "email", "taken")]);
        let report = import(&app, &admin, "keep_ids=true&on_conflict=skip", &[same_id.clone(), same_address.clone()]).await;
        assert_eq!(counts(&report), [0, 0, 2, 0], "{report}");
        let report = import(&app, &admin, "keep_ids=true&on_conflict=fail", &[new.clone(), same_address.clone(), same_id]).await;
        assert_eq!((counts(&report), &report["stopped"]), ([0, 0, 0, 1], &json!(true)), "{report}");
        assert_eq!(faults(&report), [fault(2, "email", "taken")]);
        assert!(by_email(&app, &admin, "c@example.com").await.is_null(), "nothing of the batch is written");
        let report = import(&app, &admin, "on_conflict=skip&dry_run=true", &[new.clone(), same_address]).await;
        assert_eq!(counts(&report), [1, 0, 1, 0], "{report}");
        // Without `keep_ids`, an id of the file is not used.
        let report = import(&app, &admin, "", &[json!({"id": IDS[0], "email": "d@example.com", "name": "D"})]).await;
        assert_eq!(counts(&report), [1, 0, 0, 0], "{report}");
        assert_ne!(by_email(&app, &admin, "d@example.com").await["id"], IDS[0]);
    }

    async fn an_update_replaces_what_is_given_and_ends_sessions(app: TestApp) {
        let (admin, user) = (app.admin().await, app.user().await);
        let profile = json!({"email": user.email, "name": "New Name", "locale": "fr"});
        let report = import(&app, &admin, "on_conflict=update", std::slice::from_ref(&profile)).await;
        assert_eq!(counts(&report), [0, 1, 0, 0], "{report}");
        let now = app.json(&user.path(), &admin.token).await;
        assert_eq!((&now["name"], &now["locale"], &now["role"]), (&json!("New Name"), &json!("fr"), &json!("user")));
        assert_eq!(app.me_status(&user.token).await, 200, "a profile ends no session");
        let report = import(&app, &admin, "on_conflict=update", std::slice::from_ref(&profile)).await;
        assert_eq!(counts(&report), [0, 0, 1, 0], "nothing changed: {report}");

        let mut password = profile;
        password["password_hash"] = bcrypt::hash_with_salt("another good one", 4, [7; 16]).unwrap().to_string().into();
        password["totp"] = json!({"secret": "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"});
        let report = import(&app, &admin, "on_conflict=update", &[password]).await;
        assert_eq!(counts(&report), [0, 1, 0, 0], "{report}");
        assert_eq!(app.me_status(&user.token).await, 401);
        assert_eq!(app.try_sign_in(&user.email, PASSWORD).await.status(), 401);
        assert_eq!(app.try_sign_in(&user.email, "another good one").await.status(), 202, "a code is required");
        let events = app.json("/api/v1/events?limit=200", &admin.token).await;
        let about = events.as_array().unwrap().iter().filter(|event| event["subject"] == user.id.as_str());
        let kinds: BTreeSet<&str> = about.map(|event| event["type"].as_str().unwrap()).collect();
        for kind in ["user.updated", "password.changed", "factor.added", "session.ended"] {
            assert!(kinds.contains(kind), "{kind}: {kinds:?}");
        }

        let other = app.user().await;
        let disabled = json!({"email": other.email, "name": "O", "status": "disabled"});
        assert_eq!(counts(&import(&app, &admin, "on_conflict=update", &[disabled]).await), [0, 1, 0, 0]);
        assert_eq!(app.me_status(&other.token).await, 401);
        // The caller and the last administrator are not changed.
        let own = json!({"email": admin.email, "name": "X", "role": "user"});
        let report = import(&app, &admin, "on_conflict=update", std::slice::from_ref(&own)).await;
        assert_eq!(faults(&report), [fault(1, "email", "not_allowed")]);
        let done = cli(&app.world, &["import", "-", "--on-conflict", "update"], &own.to_string()).await;
        assert!(done.code == 1 && done.stderr.contains("must leave an active administrator"), "{done:?}");
    }

    async fn ids_and_api_keys_need_further_permissions(app: TestApp) {
        let clerk = app.user_who_may("users:write users:read").await;
        let line = json!({"id": IDS[0], "email": app.fresh_email(), "name": "A", "api_keys": []});
        let request = app.request(Method::POST, &format!("{IMPORT}?keep_ids=true"), Some(&clerk.token));
        let request = request.header("content-type", "application/x-ndjson").body(line.to_string());
        problem(request.send().await.unwrap(), 403, "forbidden").await;
        let report = import(&app, &clerk, "", std::slice::from_ref(&line)).await;
        assert_eq!(faults(&report), [fault(1, "api_keys", "not_allowed")]);
        let able = app.user_who_may("users:write users:read api_keys:write events:read").await;
        assert_eq!(counts(&import(&app, &able, "keep_ids=true", &[line]).await), [1, 0, 0, 0]);
    }

    async fn all_faults_of_a_line_are_reported_at_once(app: TestApp) {
        let admin = app.admin().await;
        let mut line = json!({"email": "nobody", "name": "", "status": "asleep", "password_hash": "plain",
            "totp": {"secret": "1"}, "recovery_codes": ["x"], "identities": [{"issuer": ""}]});
        for at in 0..57 {
            line[format!("unknown{at:02}")] = json!(at);
        }
        let report = import(&app, &admin, "", &[line]).await;
        let found = faults(&report);
        let expected = |field: &str, code: &str| assert!(found.contains(&fault(1, field, code)), "{field}: {found:?}");
        (0..57).for_each(|at| expected(&format!("unknown{at:02}"), "unknown_field"));
        expected("email", "invalid_email");
        expected("name", "required");
        expected("status", "invalid_value");
        expected("password_hash", "unsupported_hash");
        expected("totp.secret", "invalid_value");
        expected("recovery_codes[0]", "invalid_value");
        expected("identities[0].subject", "required");
        assert_eq!(found.len(), 64, "{found:?}");
    }

    async fn rejected_lines_are_corrected_and_imported(world: World) {
        let lines = "{\"email\":\"a@example.com\",\"name\":\"A\"}\n\n{\"email\": \"b\",  \"name\":\"B\"}\r\nnonsense\n";
        let input = world.folder().join("in.ndjson");
        std::fs::write(&input, lines).unwrap();
        let errors = world.folder().join("errors.ndjson");
        let (input, errors) = (input.to_str().unwrap(), errors.to_str().unwrap());
        let done = cli(&world, &["import", input, "--errors", input], "").await;
        assert!(done.only_line(2).contains("must not overwrite the input"), "{done:?}");
        let done = cli(&world, &["import", input, "--errors", errors], "").await;
        assert_eq!((done.code, done.stdout.as_str()), (1, "created 1, rejected 2\n"), "{done:?}");
        let rejected = std::fs::read_to_string(errors).unwrap();
        assert_eq!(rejected, "{\"email\": \"b\",  \"name\":\"B\"}\nnonsense\n", "exactly as they were");
        let faults = std::fs::read_to_string(format!("{errors}.faults")).unwrap();
        let faults: Vec<Value> = faults.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!((&faults[0]["line"], &faults[0]["input_line"]), (&json!(1), &json!(3)));
        assert_eq!((&faults[0]["fields"][0]["field"], &faults[0]["fields"][0]["code"]), (&json!("email"), &json!("invalid_email")));
        assert_eq!((&faults[1]["line"], &faults[1]["input_line"]), (&json!(2), &json!(4)));

        let corrected = rejected.replace("\"b\"", "\"b@example.com\"").replace("nonsense", "");
        std::fs::write(errors, corrected).unwrap();
        let done = cli(&world, &["import", errors], "").await;
        assert_eq!((done.code, done.stdout.as_str()), (0, "created 1, rejected 0\n"), "{done:?}");
    }

    async fn a_killed_import_is_continued_by_the_same_command(world: World) {
        const USERS: usize = 6_000;
        assert_eq!(run_on(&world, &[], &["migrate"], "").await.code, 0);
        let hash = bcrypt::hash_with_salt(PASSWORD, 4, [7; 16]).unwrap().to_string();
        let line = |at: usize| json!({"email": format!("u{at}@example.com"), "name": "U", "password_hash": hash}).to_string() + "\n";
        let input = world.folder().join("in.ndjson");
        std::fs::write(&input, (0..USERS).map(line).collect::<String>()).unwrap();
        let app = world.serve(&[]).await;
        let arguments = ["users", "import", input.to_str().unwrap(), "--on-conflict", "skip"];
        let mut killed = command_on(&world, &[]).args(arguments).spawn().unwrap();
        let last = |at: usize| json!({"email": format!("u{at}@example.com"), "password": PASSWORD});
        crate::harness::eventually("a batch is written", std::time::Duration::from_secs(30), async || {
            app.post("/api/v1/sessions", &last(0)).await.status() == 201
        })
        .await;
        killed.kill().await.unwrap();

        let there = run_on(&world, &[], &["users", "export", "-"], "").await.stdout.lines().count();
        assert!((1..=USERS).contains(&there) && (there == USERS || there % 500 == 0), "{there}: whole batches only");
        let done = run_on(&world, &[], &arguments, "").await;
        let expected = format!("created {}, skipped {there}, rejected 0\n", USERS - there);
        assert_eq!((done.code, done.stdout), (0, expected), "{}", done.stderr);
        // Everyone is there as a whole.
        for at in (0..USERS).step_by(997) {
            assert_eq!(app.post("/api/v1/sessions", &last(at)).await.status(), 201, "{at}");
        }
        let again = run_on(&world, &[], &arguments, "").await;
        assert_eq!(again.stdout, format!("created 0, skipped {USERS}, rejected 0\n"));
    }
}
