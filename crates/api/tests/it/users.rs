//! `POST /api/v1/users`, and `GET` and `DELETE /api/v1/users/{id}`.

use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::harness::{PASSWORD, TestApp, field_problem, fields_problem, on_both, problem};

async fn sign_up(app: &TestApp, email: &str, password: &str, name: &str) -> Response {
    app.post("/api/v1/users", &json!({"email": email, "password": password, "name": name})).await
}

/// Signs somebody up under a new address and returns them.
async fn created(app: &TestApp, mut extra: Value) -> Value {
    for (name, value) in [("email", app.fresh_email()), ("password", PASSWORD.into()), ("name", "Some Body".into())] {
        if extra[name].is_null() {
            extra[name] = json!(value);
        }
    }
    let response = app.post("/api/v1/users", &extra).await;
    assert_eq!(response.status(), 201, "{extra}");
    response.json().await.unwrap()
}

on_both! {
    async fn a_user_signs_up_and_sees_themselves(app: TestApp) {
        let body = json!({"email": "Ada@Example.COM", "password": PASSWORD, "name": " Ada Lovelace "});
        let response = app.post("/api/v1/users", &body).await;
        assert_eq!(response.status(), 201);
        let location = response.headers()["location"].to_str().unwrap().to_owned();
        let tag = response.headers()["etag"].to_str().unwrap().to_owned();
        let user: Value = response.json().await.unwrap();
        assert_eq!(user["email"], "ada@example.com");
        assert_eq!(user["name"], "Ada Lovelace");
        assert_eq!((&user["role"], &user["status"]), (&json!("user"), &json!("active")));
        assert_eq!((&user["email_verified"], &user["last_sign_in_at"]), (&json!(false), &Value::Null));
        assert_eq!(user["attributes"], json!({}));
        assert_eq!(location, format!("/api/v1/users/{}", user["id"].as_str().unwrap()));

        let ada = app.sign_in("ADA@example.com").await;
        let response = app.get(&location, &ada.token).await;
        assert_ne!(response.headers()["etag"].to_str().unwrap(), tag, "the sign-in shows");
        let seen: Value = response.json().await.unwrap();
        assert!(seen["last_sign_in_at"].is_string());
        assert_eq!(seen["updated_at"], user["updated_at"]);
    }

    async fn an_address_is_taken_once_in_every_spelling(app: TestApp) {
        let user = app.user().await;
        let body = json!({"email": user.email.to_uppercase(), "password": PASSWORD, "name": "Twin"});
        let error = problem(app.post("/api/v1/users", &body).await, 409, "email_taken").await;
        assert_eq!(error["fields"][0]["field"], "email");
    }

    async fn unknown_fields_and_wrong_types_name_the_field(app: TestApp) {
        let post = async |body: Value| app.post("/api/v1/users", &body).await;
        let whole = json!({"email": "a@b.example", "password": PASSWORD, "name": "A"});
        for foreign in ["email_verified", "status", "id", "created_at", "passwords"] {
            let mut body = whole.clone();
            body[foreign] = json!(true);
            field_problem(post(body).await, foreign, "unknown_field").await;
        }
        field_problem(post(json!({"email": 5, "password": PASSWORD, "name": "A"})).await, "email", "wrong_type").await;
        field_problem(post(json!({"email": "a@b.example", "password": PASSWORD})).await, "name", "required").await;
        field_problem(post(json!({"email": null, "password": PASSWORD, "name": "A"})).await, "email", "wrong_type").await;
        field_problem(post(json!({"email": "a@b.example", "password": PASSWORD, "name": "A", "attributes": []})).await, "attributes", "wrong_type").await;
        field_problem(post(json!([])).await, "body", "wrong_type").await;
        field_problem(post(json!(["a@b.example", PASSWORD, "A", null, null])).await, "body", "wrong_type").await;
        field_problem(post(json!("text")).await, "body", "wrong_type").await;
        field_problem(post(Value::Null).await, "body", "wrong_type").await;
    }

    async fn every_field_at_fault_is_named_at_once(app: TestApp) {
        let body = json!({"email": "nobody", "password": "short", "name": " ", "role": "No Role"});
        let expected = [("email", "invalid_email"), ("password", "too_short"), ("name", "required"), ("role", "unknown_role")];
        fields_problem(app.post("/api/v1/users", &body).await, &expected).await;
    }

    async fn addresses_that_are_none_are_refused(app: TestApp) {
        let long_local = format!("{}@example.com", "a".repeat(65));
        let long = format!("{}@{}.example", "a".repeat(64), ["b".repeat(63), "c".repeat(63), "d".repeat(63)].join("."));
        for (raw, code) in [
            ("", "invalid_email"),
            ("ada", "invalid_email"),
            ("ada@", "invalid_email"),
            ("@example.com", "invalid_email"),
            ("ada@example", "invalid_email"),
            ("ada@example.com.", "invalid_email"),
            ("ada@.example.com", "invalid_email"),
            ("ada@-example.com", "invalid_email"),
            ("ada..king@example.com", "invalid_email"),
            ("a b@example.com", "invalid_email"),
            (" ada@example.com", "invalid_email"),
            ("\"ada\"@example.com", "invalid_email"),
            ("ada@[127.0.0.1]", "invalid_email"),
            ("ada@127.0.0.1", "invalid_email"),
            ("ada@example.com\r\nBcc: eve@example.com", "invalid_email"),
            ("ada\0@example.com", "invalid_email"),
            ("ada\u{FF20}example.com", "invalid_email"),
            ("\u{430}da@example.com", "invalid_email"),
            ("ada@example\u{3002}com", "invalid_email"),
            (&long_local, "invalid_email"),
            (&long, "too_long"),
        ] {
            field_problem(sign_up(&app, raw, PASSWORD, "A").await, "email", code).await;
        }
    }

    async fn spellings_of_an_address_are_one(app: TestApp) {
        for (raw, canonical) in [
            ("ADA+tag@Example.Com", "ada+tag@example.com"),
            ("bob@BÜCHER.example", "bob@xn--bcher-kva.example"),
            ("o'neil!#$%&*/=?^_`{|}~-@sub.example.com", "o'neil!#$%&*/=?^_`{|}~-@sub.example.com"),
        ] {
            let user = created(&app, json!({"email": raw})).await;
            assert_eq!(user["email"], canonical);
            problem(sign_up(&app, canonical, PASSWORD, "Twin").await, 409, "email_taken").await;
        }
    }

    async fn names_that_deceive_are_refused(app: TestApp) {
        for (raw, code) in [
            ("", "required"),
            (" \t ", "required"),
            (&"a".repeat(201), "too_long"),
            (&"𝒂".repeat(300), "too_long"),
            ("line\nfeed", "invalid_characters"),
            ("nul\0byte", "invalid_characters"),
            ("\u{1b}[31mred", "invalid_characters"),
            ("right\u{202E}left", "invalid_characters"),
            ("\u{200B}", "invalid_characters"),
            ("\u{3164}", "invalid_characters"),
        ] {
            field_problem(sign_up(&app, &app.fresh_email(), PASSWORD, raw).await, "name", code).await;
        }
    }

    async fn names_of_every_script_are_kept(app: TestApp) {
        let longest = "𝒂".repeat(200);
        for (raw, kept) in [
            ("王小明", "王小明"),
            ("عبد الله", "عبد الله"),
            ("👩\u{200D}🚀", "👩\u{200D}🚀"),
            ("Jose\u{301}", "José"),
            ("'; DROP TABLE users; --", "'; DROP TABLE users; --"),
            ("<b>&amp;</b> %s \\", "<b>&amp;</b> %s \\"),
            (&longest, &longest),
        ] {
            assert_eq!(created(&app, json!({"name": raw})).await["name"], kept);
        }
    }

    async fn passwords_are_bounded_in_characters_and_bytes(app: TestApp) {
        for (raw, code) in [
            ("", "too_short"),
            ("1234567", "too_short"),
            ("e\u{301}e\u{301}e\u{301}e\u{301}", "too_short"),
            (&"a".repeat(129), "too_long"),
            (&"𝒂".repeat(129), "too_long"),
            (&"a".repeat(513), "too_long"),
        ] {
            let response = sign_up(&app, &app.fresh_email(), raw, "A").await;
            field_problem(response, "password", code).await;
        }
        for raw in ["83920174", "пароль78", " spaces ", "nul\0nul\0nul", &"a".repeat(128), &"𝒂".repeat(128)] {
            let user = created(&app, json!({"password": raw})).await;
            let response = app.try_sign_in(user["email"].as_str().unwrap(), raw).await;
            assert_eq!(response.status(), 201, "{raw:?}");
        }
    }

    async fn both_forms_of_a_letter_are_one_password(app: TestApp) {
        let user = created(&app, json!({"password": "cafe\u{301}-latte"})).await;
        let email = user["email"].as_str().unwrap();
        assert_eq!(app.try_sign_in(email, "caf\u{e9}-latte").await.status(), 201);
        assert_eq!(app.try_sign_in(email, "cafe-latte").await.status(), 401);
    }

    async fn a_longer_minimum_can_be_asked_for(app: TestApp, "security.password_min_chars" = "12") {
        field_problem(sign_up(&app, "a@example.com", "elevenchars", "A").await, "password", "too_short").await;
        assert_eq!(sign_up(&app, "a@example.com", "twelve chars", "A").await.status(), 201);
    }

    async fn attributes_come_back_as_they_went(app: TestApp) {
        let attributes = json!({
            "": "empty name", "text": "nul \u{0} ✓ 𝒂", "n\u{0}": 1, "list": [1, [2.5, null], {}], "big": i64::MAX, "small": i64::MIN,
            "float": 1.5e-7, "bool": true, "null": null, "deep": {"a": {"b": {"c": {"d": {"e": {}}}}}},
        });
        let user = created(&app, json!({"attributes": attributes})).await;
        assert_eq!(user["attributes"], attributes);
        let ada = app.sign_in(user["email"].as_str().unwrap()).await;
        assert_eq!(app.json(&ada.path(), &ada.token).await["attributes"], attributes);
    }

    async fn attributes_have_bounds(app: TestApp) {
        let nested = |depth: usize| (1..depth).fold(json!({}), |inner, _| json!({"a": inner}));
        let many = |count: usize| Value::Object((0..count).map(|at| (format!("k{at}"), json!(1))).collect());
        created(&app, json!({"attributes": nested(8)})).await;
        created(&app, json!({"attributes": many(512)})).await;
        created(&app, json!({"attributes": {"a": "x".repeat(16 * 1024 - 9)}})).await;
        for (attributes, code) in [
            (nested(9), "too_deep"),
            (many(513), "too_large"),
            (json!({"a": "x".repeat(16 * 1024 - 8)}), "too_large"),
            (json!({"x".repeat(16 * 1024): 1}), "too_large"),
        ] {
            let body = json!({"email": "a@example.com", "password": PASSWORD, "name": "A", "attributes": attributes});
            field_problem(app.post("/api/v1/users", &body).await, "attributes", code).await;
        }
    }

    async fn a_closed_sign_up_admits_admins_only(app: TestApp, "signup.mode" = "closed") {
        let body = |email: &str| json!({"email": email, "password": PASSWORD, "name": "A"});
        problem(app.post("/api/v1/users", &body("a@example.com")).await, 403, "signup_closed").await;
        let admin = app.admin().await;
        let post = async |token: &str, email: &str| {
            app.request(Method::POST, "/api/v1/users", Some(token)).json(&body(email)).send().await.unwrap()
        };
        assert_eq!(post(&admin.token, "a@example.com").await.status(), 201);
        let user = app.sign_in("a@example.com").await;
        problem(post(&user.token, "b@example.com").await, 403, "forbidden").await;
        problem(app.try_sign_in("b@example.com", PASSWORD).await, 401, "invalid_credentials").await;
    }

    async fn only_an_admin_gives_a_role(app: TestApp) {
        let body = json!({"email": "a@example.com", "password": PASSWORD, "name": "A", "role": "admin"});
        problem(app.post("/api/v1/users", &body).await, 401, "unauthenticated").await;
        problem(app.try_sign_in("a@example.com", PASSWORD).await, 401, "invalid_credentials").await;
        let admin = app.admin().await;
        let response = app.request(Method::POST, "/api/v1/users", Some(&admin.token)).json(&body).send().await.unwrap();
        assert_eq!(response.status(), 201);
        assert_eq!(response.json::<Value>().await.unwrap()["role"], "admin");
    }

    async fn what_one_may_not_see_looks_like_what_is_not_there(app: TestApp) {
        let (one, other) = (app.user().await, app.user().await);
        let mut answers = Vec::new();
        for path in [one.path(), "/api/v1/users/019365a8-6a5c-7f3e-9d0c-7b1f0a1c2d3e".to_owned()] {
            for method in [Method::GET, Method::DELETE] {
                let request = app.request(method, &path, Some(&other.token)).header("x-request-id", "same");
                answers.push(request.send().await.unwrap().text().await.unwrap());
            }
        }
        assert!(answers.iter().all(|answer| answer == &answers[0]), "{answers:?}");
        assert!(answers[0].contains("user_not_found"));
    }

    async fn an_id_is_a_uuid_or_bad_input(app: TestApp) {
        let admin = app.admin().await;
        for id in ["1", "me", "019365a86a5c7f3e9d0c7b1f0a1c2d3e", "%7B019365a8-6a5c-7f3e-9d0c-7b1f0a1c2d%7D", "%00", "%ff", "..%2f"] {
            field_problem(app.get(&format!("/api/v1/users/{id}"), &admin.token).await, "id", "invalid_id").await;
        }
    }

    async fn a_deleted_user_is_gone_with_their_sessions(app: TestApp) {
        let (user, admin) = (app.user().await, app.admin().await);
        assert_eq!(app.delete(&user.path(), &user.token).await.status(), 204);
        assert_eq!(app.me_status(&user.token).await, 401);
        problem(app.get(&user.path(), &admin.token).await, 404, "user_not_found").await;
        problem(app.delete(&user.path(), &admin.token).await, 404, "user_not_found").await;
        problem(app.try_sign_in(&user.email, PASSWORD).await, 401, "invalid_credentials").await;
        assert_eq!(sign_up(&app, &user.email, PASSWORD, "Next").await.status(), 201, "the address is free again");
        assert_eq!(app.me_status(&user.token).await, 401, "the next one is somebody else");
    }
}
