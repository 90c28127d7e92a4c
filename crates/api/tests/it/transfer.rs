//! `/api/v1/users/import` and `/api/v1/users/export`.

use std::collections::BTreeSet;

use denizen_domain::id::UserId;
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{PASSWORD, SignedIn, TestApp, field_problem, on_both, problem};
use crate::raw::RawClient;

const IMPORT: &str = "/api/v1/users/import";

fn errors(report: &Value) -> Vec<(u64, &str, &str)> {
    let lines = report["errors"].as_array().unwrap().iter();
    lines
        .map(|at| {
            let field = &at["fields"][0];
            (at["line"].as_u64().unwrap(), field["field"].as_str().unwrap(), field["code"].as_str().unwrap())
        })
        .collect()
}

fn counts(report: &Value) -> (u64, u64, u64) {
    let count = |name: &str| report[name].as_u64().unwrap();
    (count("lines"), count("created"), count("failed"))
}

fn line(email: &str) -> String {
    json!({"email": email, "name": "Some Body"}).to_string()
}

async fn find(app: &TestApp, admin: &SignedIn, email: &str) -> Value {
    app.json(&format!("/api/v1/users?email={email}"), &admin.token).await[0].clone()
}

async fn exported(app: &TestApp, admin: &SignedIn) -> Vec<Value> {
    let response = app.get("/api/v1/users/export", &admin.token).await;
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-type"], "application/x-ndjson");
    let text = response.text().await.unwrap();
    assert!(text.ends_with('\n'));
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

on_both! {
    async fn a_line_that_is_refused_stops_nothing(app: TestApp) {
        let (admin, existing) = (app.admin().await, app.user().await);
        let lines = [
            line("a@example.com"),
            "{".to_owned(),
            json!({"email": "nobody", "name": ""}).to_string(),
            line(&existing.email.to_uppercase()),
            line("A@EXAMPLE.com"),
            json!({"email": "b@example.com", "name": "B", "shoe_size": 42}).to_string(),
            json!({"email": "c@example.com"}).to_string(),
            "[\"d@example.com\",\"D\"]".to_owned(),
            json!({"email": "e@example.com", "name": "E", "role": "king"}).to_string(),
            json!({"email": "f@example.com", "name": "F", "created_at": "9000-01-01T00:00:00Z"}).to_string(),
            json!({"email": "g@example.com", "name": "G", "password_hash": "$2b$10$abcdefghijklmnopqrstuv"}).to_string(),
            json!({"email": "h@example.com", "name": "H", "attributes": {"a": "x".repeat(20_000)}}).to_string(),
            line("last@example.com"),
        ];
        let report = app.import(&admin, lines.join("\n")).await;
        assert_eq!(counts(&report), (13, 2, 11), "{report}");
        let mut found = errors(&report);
        found.sort_unstable();
        assert_eq!(found, [
            (2, "line", "invalid_json"),
            (3, "email", "invalid_email"),
            (4, "email", "taken"),
            (5, "email", "taken"),
            (6, "shoe_size", "unknown_field"),
            (7, "name", "required"),
            (8, "line", "wrong_type"),
            (9, "role", "unknown_role"),
            (10, "created_at", "out_of_range"),
            (11, "password_hash", "unsupported_hash"),
            (12, "attributes", "too_large"),
        ]);
        assert_eq!(report["dry_run"], false);
        assert!(find(&app, &admin, "last@example.com").await.is_object());
        assert!(find(&app, &admin, "g@example.com").await.is_null());
    }

    async fn lines_end_as_files_end_them(app: TestApp) {
        let admin = app.admin().await;
        let text = format!("\n{}\r\n\r\n  \t\n{}\n\n{}", line("a@example.com"), line("b@example.com"), line("c@example.com"));
        assert_eq!(counts(&app.import(&admin, text).await), (3, 3, 0));
        assert_eq!(counts(&app.import(&admin, "").await), (0, 0, 0));
        assert_eq!(counts(&app.import(&admin, "\n\n\n").await), (0, 0, 0));
        let report = app.import(&admin, format!("\n\n{}\n{{", line("d@example.com"))).await;
        assert_eq!(errors(&report), [(4, "line", "invalid_json")], "blank lines count as lines of the file");
        let report = app.import(&admin, b"\xff\xfe\n{\"email\":\"\xff\",\"name\":\"A\"}\n".to_vec()).await;
        assert_eq!(counts(&report), (2, 0, 2));
    }

    async fn a_line_has_a_bound(app: TestApp, "limits.import_line_bytes" = "1024") {
        let admin = app.admin().await;
        let long = json!({"email": "long@example.com", "name": "L", "attributes": {"a": "x".repeat(5_000)}});
        let text = format!("{}\n{long}\n{}\n", line("a@example.com"), line("b@example.com"));
        let report = app.import(&admin, text).await;
        assert_eq!((counts(&report), errors(&report)), ((3, 2, 1), vec![(2, "line", "too_long")]));
        let report = app.import(&admin, "x".repeat(2_000_000)).await;
        assert_eq!(errors(&report), [(1, "line", "too_long")], "beyond the bound on bodies as well");
    }

    async fn everything_that_is_known_is_taken_over(app: TestApp) {
        let admin = app.admin().await;
        let whole = json!({"email": "A@example.com", "name": " A ", "email_verified": true, "role": "admin", "status": "disabled",
            "attributes": {"plan": "pro"}, "created_at": "2020-01-02T03:04:05.678901+02:00", "password_hash": null});
        assert_eq!(app.import(&admin, whole.to_string()).await["created"], 1);
        let user = find(&app, &admin, "a@example.com").await;
        assert_eq!(user["name"], "A");
        assert_eq!((&user["email_verified"], &user["role"], &user["status"]), (&json!(true), &json!("admin"), &json!("disabled")));
        assert_eq!(user["attributes"], json!({"plan": "pro"}));
        assert_eq!(user["created_at"], "2020-01-02T01:04:05.678901Z");
        assert_eq!(user["last_sign_in_at"], Value::Null);
    }

    async fn a_dry_run_keeps_nothing(app: TestApp) {
        let admin = app.admin().await;
        let text = format!("{}\n{}\n{{\n", line("a@example.com"), line("a@example.com"));
        let request = app.request(Method::POST, &format!("{IMPORT}?dry_run=true"), Some(&admin.token));
        let response = request.header("content-type", "application/x-ndjson").body(text).send().await.unwrap();
        let report: Value = response.json().await.unwrap();
        assert_eq!((counts(&report), &report["dry_run"]), ((3, 1, 2), &json!(true)));
        assert!(find(&app, &admin, "a@example.com").await.is_null());
    }

    async fn hashes_of_other_systems_sign_in_and_are_made_ours(app: TestApp) {
        let admin = app.admin().await;
        // The reference implementation's own vectors: phc-winner-argon2, src/test.c.
        for (at, hash) in [
            "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
            "$argon2i$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$wWKIMhR9lyDFvRz9YTZweHKfbftvj+qf+YFY4NeBbtA",
        ].iter().enumerate() {
            let email = format!("old{at}@example.com");
            let report = app.import(&admin, json!({"email": email, "name": "Old", "password_hash": hash}).to_string()).await;
            assert_eq!(report["created"], 1, "{report}");
            problem(app.try_sign_in(&email, "passwore").await, 401, "invalid_credentials").await;
            assert_eq!(app.try_sign_in(&email, "password").await.status(), 201);
            let id = UserId::parse(find(&app, &admin, &email).await["id"].as_str().unwrap()).unwrap();
            let now = app.services.store.read().await.unwrap().find_password(id).await.unwrap().unwrap();
            assert!(now.expose().starts_with("$argon2id$v=19$"), "{}", now.expose());
            assert_eq!(app.try_sign_in(&email, "password").await.status(), 201);
        }
    }

    async fn a_refused_hash_is_not_repeated(app: TestApp) {
        let admin = app.admin().await;
        let unsupported = "unsupported_hash";
        for (hash, code) in [
            ("md5:5f4dcc3b5aa765d61d8327deb882cf99", unsupported),
            ("$argon2id$v=19$m=4194304,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc", "hash_too_costly"),
            ("plain secret", unsupported),
        ] {
            let report = app.import(&admin, json!({"email": "a@example.com", "name": "A", "password_hash": hash}).to_string()).await;
            assert_eq!(errors(&report), [(1, "password_hash", code)]);
            assert!(!report.to_string().contains(hash));
        }
    }

    async fn markers_of_no_password_bring_a_user_without_one(app: TestApp) {
        let admin = app.admin().await;
        for (at, marker) in ["", "!", "!vKlZ7eXQpr0cB4YMCqLDpBzqvQ9xkWcYAsqKqHnb", "*", "{CRYPT}!"].into_iter().enumerate() {
            let email = format!("none{at}@example.com");
            let report = app.import(&admin, json!({"email": email, "name": "N", "password_hash": marker}).to_string()).await;
            assert_eq!(counts(&report), (1, 1, 0), "{marker}: {report}");
            let id = UserId::parse(find(&app, &admin, &email).await["id"].as_str().unwrap()).unwrap();
            assert!(app.services.store.read().await.unwrap().find_password(id).await.unwrap().is_none(), "{marker}");
            problem(app.try_sign_in(&email, "!").await, 401, "invalid_credentials").await;
        }
    }

    async fn imported_hashes_are_of_the_password_as_typed_or_in_nfc(app: TestApp) {
        let admin = app.admin().await;
        let (decomposed, composed) = ("cafe\u{301} correct horse", "caf\u{e9} correct horse");
        for (email, hashed, tried) in [
            ("typed@example.com", decomposed, decomposed),
            ("nfc@example.com", composed, decomposed),
            ("both@example.com", composed, composed),
        ] {
            let hash = bcrypt::hash_with_salt(hashed, 4, [7; 16]).unwrap().to_string();
            let report = app.import(&admin, json!({"email": email, "name": "N", "password_hash": hash}).to_string()).await;
            assert_eq!(counts(&report), (1, 1, 0), "{report}");
            problem(app.try_sign_in(email, "cafe correct horse").await, 401, "invalid_credentials").await;
            assert_eq!(app.try_sign_in(email, tried).await.status(), 201, "{email}");
            // The hash of ours that replaced it is right for both forms.
            assert_eq!(app.try_sign_in(email, composed).await.status(), 201, "{email}");
            assert_eq!(app.try_sign_in(email, decomposed).await.status(), 201, "{email}");
        }
    }

    async fn a_byte_order_mark_at_the_start_is_skipped(app: TestApp) {
        let admin = app.admin().await;
        let report = app.import(&admin, format!("\u{FEFF}{}\n{}\n", line("a@example.com"), line("b@example.com"))).await;
        assert_eq!(counts(&report), (2, 2, 0), "{report}");
        let report = app.import(&admin, format!("{}\n\u{FEFF}{}\n", line("c@example.com"), line("d@example.com"))).await;
        assert_eq!((counts(&report), errors(&report)), ((2, 1, 1), vec![(2, "line", "invalid_json")]));
    }

    async fn the_way_to_ask_is_checked_first(app: TestApp) {
        let (admin, user) = (app.admin().await, app.user().await);
        let send = async |path: &str, media_type: &str, token: Option<&str>| {
            let request = app.request(Method::POST, path, token).header("content-type", media_type);
            request.body(line("a@example.com")).send().await.unwrap()
        };
        for media_type in ["application/json", "text/plain", ""] {
            problem(send(IMPORT, media_type, Some(&admin.token)).await, 415, "unsupported_media_type").await;
        }
        field_problem(send(&format!("{IMPORT}?dry_run=maybe"), "application/x-ndjson", Some(&admin.token)).await, "dry_run", "invalid_value").await;
        field_problem(send(&format!("{IMPORT}?dryrun=true"), "application/x-ndjson", Some(&admin.token)).await, "dryrun", "unknown_field").await;
        problem(send(IMPORT, "application/x-ndjson", Some(&user.token)).await, 403, "forbidden").await;
        problem(send(IMPORT, "application/x-ndjson", None).await, 401, "unauthenticated").await;
        problem(app.get("/api/v1/users/export", &user.token).await, 403, "forbidden").await;
        assert!(find(&app, &admin, "a@example.com").await.is_null());
    }

    async fn an_upload_that_breaks_off_keeps_whole_batches_only(app: TestApp) {
        let admin = app.admin().await;
        let mut client = RawClient::connect(&app).await;
        let head = format!("POST {IMPORT} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {}\r\nContent-Type: application/x-ndjson\r\nContent-Length: 100000\r\n\r\n", admin.token);
        client.send(head).await;
        client.send(format!("{}\n", line("a@example.com"))).await;
        client.shut().await;
        if let Some(answer) = crate::raw::parse(&client.read_all().await.unwrap()) {
            answer.problem(400, "unreadable_body");
        }
        assert!(find(&app, &admin, "a@example.com").await.is_null());
    }

    async fn an_export_holds_everybody_once(app: TestApp) {
        let admin = app.admin().await;
        let lines: Vec<String> = (0..450).map(|at| line(&format!("p{at}@example.com"))).collect();
        assert_eq!(app.import(&admin, lines.join("\n")).await["created"], 450);
        let users = exported(&app, &admin).await;
        let emails: BTreeSet<&str> = users.iter().map(|user| user["email"].as_str().unwrap()).collect();
        assert_eq!((users.len(), emails.len()), (451, 451));
        assert_eq!(users[450]["email"], admin.email, "newest first");
        assert_eq!(users[0], app.json("/api/v1/users?limit=1", &admin.token).await[0], "each as REST shows it");
        assert!(users.iter().all(|user| user.get("password_hash").is_none()));
    }

    async fn what_was_imported_signs_in_with_what_it_had(app: TestApp) {
        let (admin, user) = (app.admin().await, app.user().await);
        let id = UserId::parse(&user.id).unwrap();
        let hash = app.services.store.read().await.unwrap().find_password(id).await.unwrap().unwrap();
        let twin = json!({"email": "twin@example.com", "name": "Twin", "password_hash": hash.expose()});
        assert_eq!(app.import(&admin, twin.to_string()).await["created"], 1);
        assert_eq!(app.try_sign_in("twin@example.com", PASSWORD).await.status(), 201);
    }
}
