//! `PUT` and `PATCH /api/v1/users/{id}`, and the conditions `If-Match` and `If-None-Match`.

use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::harness::{PASSWORD, SignedIn, TestApp, field_problem, fields_problem, on_both, problem};

async fn user_now(app: &TestApp, user: &SignedIn) -> Value {
    app.json(&user.path(), &user.token).await
}

async fn tag_now(app: &TestApp, user: &SignedIn) -> String {
    app.get(&user.path(), &user.token).await.headers()["etag"].to_str().unwrap().to_owned()
}

/// The answer to a patch that must succeed.
async fn patched(app: &TestApp, user: &SignedIn, patch: Value) -> Value {
    let response = app.patch(&user.path(), &user.token, &patch).await;
    assert_eq!(response.status(), 200, "{patch}");
    response.json().await.unwrap()
}

async fn send_if_match(app: &TestApp, method: Method, user: &SignedIn, tag: &str) -> Response {
    let body = match method {
        Method::PUT => json!({"email": user.email, "name": "Replaced"}),
        _ => json!({"name": "Patched"}),
    };
    let request = app.request(method.clone(), &user.path(), Some(&user.token)).header("if-match", tag);
    if method == Method::DELETE { request.send().await.unwrap() } else { request.json(&body).send().await.unwrap() }
}

on_both! {
    async fn a_patch_changes_what_it_names(app: TestApp) {
        let user = app.user().await;
        let before = user_now(&app, &user).await;
        let after = patched(&app, &user, json!({"name": "New Name"})).await;
        assert_eq!(after["name"], "New Name");
        assert!(after["updated_at"].as_str() > before["updated_at"].as_str());
        for same in ["id", "email", "email_verified", "role", "status", "created_at", "last_sign_in_at", "attributes"] {
            assert_eq!(after[same], before[same], "{same}");
        }
        assert_eq!(user_now(&app, &user).await, after);
    }

    async fn a_patch_that_changes_nothing_is_no_change(app: TestApp) {
        let user = app.user().await;
        let (before, tag) = (user_now(&app, &user).await, tag_now(&app, &user).await);
        assert_eq!(patched(&app, &user, json!({})).await, before);
        assert_eq!(patched(&app, &user, json!({"name": before["name"], "email": before["email"]})).await, before);
        assert_eq!(tag_now(&app, &user).await, tag);
    }

    async fn attributes_are_merged(app: TestApp) {
        let user = app.user().await;
        for (patch, expected) in [
            (json!({"a": 1, "b": {"c": 2, "d": 3}}), json!({"a": 1, "b": {"c": 2, "d": 3}})),
            (json!({"a": null, "b": {"c": 4}}), json!({"b": {"c": 4, "d": 3}})),
            (json!({"b": {"d": null, "e": {"f": []}}}), json!({"b": {"c": 4, "e": {"f": []}}})),
            (json!({"b": [1, null]}), json!({"b": [1, null]})),
            (json!({"b": {"x": 1}}), json!({"b": {"x": 1}})),
            (json!({"missing": null}), json!({"b": {"x": 1}})),
            (json!({}), json!({"b": {"x": 1}})),
        ] {
            assert_eq!(patched(&app, &user, json!({"attributes": patch})).await["attributes"], expected, "{patch}");
        }
        assert_eq!(patched(&app, &user, json!({"attributes": null})).await["attributes"], json!({}));
    }

    async fn merged_attributes_keep_their_bounds(app: TestApp) {
        let user = app.user().await;
        patched(&app, &user, json!({"attributes": {"a": "x".repeat(9_000)}})).await;
        let response = app.patch(&user.path(), &user.token, &json!({"name": "No", "attributes": {"b": "x".repeat(9_000)}})).await;
        field_problem(response, "attributes", "too_large").await;
        let deep = (0..8).fold(json!({}), |inner, _| json!({"a": inner}));
        let response = app.patch(&user.path(), &user.token, &json!({"attributes": deep})).await;
        field_problem(response, "attributes", "too_deep").await;
        let now = user_now(&app, &user).await;
        assert_eq!((now["name"].as_str(), now["attributes"].as_object().unwrap().len()), (Some("Some Body"), 1));
    }

    async fn what_cannot_be_removed_is_not(app: TestApp) {
        let (user, admin) = (app.user().await, app.admin().await);
        for field in ["email", "name", "role", "status"] {
            let response = app.patch(&user.path(), &admin.token, &json!({field: null})).await;
            field_problem(response, field, "wrong_type").await;
        }
    }

    async fn bad_changes_name_every_field(app: TestApp) {
        let (user, admin) = (app.user().await, app.admin().await);
        let body = json!({"email": "nobody", "name": "", "role": "No Role", "status": "invited"});
        let expected = [("email", "invalid_email"), ("name", "required"), ("role", "unknown_role"), ("status", "invalid_value")];
        fields_problem(app.patch(&user.path(), &admin.token, &body).await, &expected).await;
        fields_problem(app.put(&user.path(), &admin.token, &body).await, &expected).await;
        for foreign in ["id", "email_verified", "password", "created_at", "version"] {
            let response = app.patch(&user.path(), &admin.token, &json!({foreign: "x"})).await;
            field_problem(response, foreign, "unknown_field").await;
        }
        field_problem(app.patch(&user.path(), &admin.token, &json!([])).await, "body", "wrong_type").await;
        field_problem(app.put(&user.path(), &admin.token, &json!({"name": "A"})).await, "email", "required").await;
    }

    async fn an_ordinary_user_gives_themselves_no_role(app: TestApp) {
        let user = app.user().await;
        for body in [json!({"role": "admin"}), json!({"role": "user"}), json!({"status": "active", "name": "Sly"})] {
            problem(app.patch(&user.path(), &user.token, &body).await, 403, "forbidden").await;
        }
        let body = json!({"email": user.email, "name": "Sly", "role": "admin"});
        problem(app.put(&user.path(), &user.token, &body).await, 403, "forbidden").await;
        let now = user_now(&app, &user).await;
        assert_eq!((&now["role"], &now["status"], &now["name"]), (&json!("user"), &json!("active"), &json!("Some Body")));
    }

    async fn a_put_replaces_and_keeps_role_and_status(app: TestApp) {
        let (user, admin) = (app.user().await, app.admin().await);
        patched(&app, &user, json!({"attributes": {"a": 1}})).await;
        let response = app.put(&user.path(), &user.token, &json!({"email": user.email, "name": "Replaced"})).await;
        assert_eq!(response.status(), 200);
        let tag = response.headers()["etag"].to_str().unwrap().to_owned();
        let now: Value = response.json().await.unwrap();
        assert_eq!((&now["name"], &now["attributes"]), (&json!("Replaced"), &json!({})));
        assert_eq!((&now["role"], &now["status"]), (&json!("user"), &json!("active")));
        assert_eq!(tag_now(&app, &user).await, tag);

        let body = json!({"email": user.email, "name": "B", "role": "admin", "attributes": {"b": [2]}});
        let now: Value = app.put(&user.path(), &admin.token, &body).await.json().await.unwrap();
        assert_eq!((&now["role"], &now["attributes"]), (&json!("admin"), &json!({"b": [2]})));
        let now: Value = app.put(&user.path(), &admin.token, &json!({"email": user.email, "name": "B"})).await.json().await.unwrap();
        assert_eq!(now["role"], "admin");
    }

    async fn a_new_address_has_yet_to_be_verified(app: TestApp) {
        let admin = app.admin().await;
        app.import(&admin, "{\"email\":\"ada@example.com\",\"name\":\"Ada\",\"email_verified\":true}\n").await;
        let users = app.json("/api/v1/users?email=ada@example.com", &admin.token).await;
        assert_eq!(users[0]["email_verified"], true);
        let path = format!("/api/v1/users/{}", users[0]["id"].as_str().unwrap());
        let change = async |body: Value| -> Value { app.patch(&path, &admin.token, &body).await.json().await.unwrap() };
        assert_eq!(change(json!({"email": "ADA@example.com", "name": "Ada K"})).await["email_verified"], true);
        let moved = change(json!({"email": "ada@other.example"})).await;
        assert_eq!((&moved["email"], &moved["email_verified"]), (&json!("ada@other.example"), &json!(false)));
        assert_eq!(change(json!({"email": "ada@example.com"})).await["email_verified"], false);
    }

    async fn one_signs_in_under_the_new_address(app: TestApp) {
        let (user, admin) = (app.user().await, app.admin().await);
        // Of oneself it would have to be confirmed first.
        let response = app.patch(&user.path(), &admin.token, &json!({"email": "moved@example.com"})).await;
        assert_eq!(response.status(), 200);
        assert_eq!(app.me_status(&user.token).await, 200);
        assert_eq!(app.try_sign_in("moved@example.com", PASSWORD).await.status(), 201);
        problem(app.try_sign_in(&user.email, PASSWORD).await, 401, "invalid_credentials").await;
    }

    async fn a_taken_address_changes_nothing(app: TestApp) {
        let (user, other) = (app.user().await, app.user().await);
        let before = user_now(&app, &user).await;
        let body = json!({"email": other.email.to_uppercase(), "name": "Changed", "attributes": {"a": 1}});
        for response in [app.patch(&user.path(), &user.token, &body).await, app.put(&user.path(), &user.token, &body).await] {
            let error = problem(response, 409, "email_taken").await;
            assert_eq!((&error["fields"][0]["field"], &error["fields"][0]["code"]), (&json!("email"), &json!("taken")));
        }
        assert_eq!(user_now(&app, &user).await, before);
    }

    async fn a_stale_write_is_refused(app: TestApp) {
        for method in [Method::PUT, Method::PATCH, Method::DELETE] {
            let user = app.user().await;
            let old = tag_now(&app, &user).await;
            patched(&app, &user, json!({"name": "Meanwhile"})).await;
            problem(send_if_match(&app, method.clone(), &user, &old).await, 412, "stale").await;
            problem(send_if_match(&app, method.clone(), &user, "\"nonsense\"").await, 412, "stale").await;
            assert_eq!(user_now(&app, &user).await["name"], "Meanwhile");
            let now = tag_now(&app, &user).await;
            problem(send_if_match(&app, method.clone(), &user, &format!("W/{old}")).await, 412, "stale").await;
            field_problem(send_if_match(&app, method.clone(), &user, "3").await, "If-Match", "malformed").await;
            let response = send_if_match(&app, method.clone(), &user, &format!("{old}, {now}")).await;
            assert!(response.status().is_success(), "{method}");
        }
    }

    async fn any_version_will_do_for_a_star(app: TestApp) {
        let user = app.user().await;
        for method in [Method::PUT, Method::PATCH, Method::DELETE] {
            assert!(send_if_match(&app, method, &user, "*").await.status().is_success());
        }
    }

    async fn a_sign_in_does_not_make_a_write_stale(app: TestApp) {
        let user = app.user().await;
        let tag = tag_now(&app, &user).await;
        app.sign_in(&user.email).await;
        assert_ne!(tag_now(&app, &user).await, tag);
        assert_eq!(send_if_match(&app, Method::PATCH, &user, &tag).await.status(), 200);
    }

    async fn what_is_known_is_not_sent_again(app: TestApp) {
        let user = app.user().await;
        for path in [user.path(), "/api/v1/me".to_owned()] {
            let get = async |known: &str| {
                app.request(Method::GET, &path, Some(&user.token)).header("if-none-match", known).send().await.unwrap()
            };
            let tag = tag_now(&app, &user).await;
            for known in [tag.clone(), format!("\"other\", {tag}"), format!("W/{tag}"), "*".to_owned()] {
                let response = get(&known).await;
                assert_eq!(response.status(), 304, "{known}");
                assert_eq!(response.headers()["etag"].to_str().unwrap(), tag);
                assert!(response.bytes().await.unwrap().is_empty());
            }
            assert_eq!(get("\"other\"").await.status(), 200);
            patched(&app, &user, json!({"attributes": {"path": path}})).await;
            assert_eq!(get(&tag).await.status(), 200);
        }
    }

    async fn one_of_two_concurrent_writers_is_refused(app: TestApp) {
        let user = app.user().await;
        let tag = tag_now(&app, &user).await;
        let tasks: Vec<_> = (0..16).map(|at| {
            let request = app.request(Method::PATCH, &user.path(), Some(&user.token)).header("if-match", &tag);
            tokio::spawn(request.json(&json!({"name": format!("Writer {at}")})).send())
        }).collect();
        let mut statuses = Vec::new();
        for task in tasks {
            statuses.push(task.await.unwrap().unwrap().status().as_u16());
        }
        statuses.sort_unstable();
        assert_eq!(statuses, [vec![200], vec![412; 15]].concat());
    }

    async fn concurrent_merges_lose_nothing(app: TestApp) {
        let user = app.user().await;
        let tasks: Vec<_> = (0..16).map(|at| {
            let request = app.request(Method::PATCH, &user.path(), Some(&user.token));
            tokio::spawn(request.json(&json!({"attributes": {format!("k{at}"): at}})).send())
        }).collect();
        for task in tasks {
            assert_eq!(task.await.unwrap().unwrap().status(), 200);
        }
        assert_eq!(user_now(&app, &user).await["attributes"].as_object().unwrap().len(), 16);
    }
}
