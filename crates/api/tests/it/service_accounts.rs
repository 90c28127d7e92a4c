//! `/api/v1/service-accounts`: programs with an account of their own.

use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::harness::{SignedIn, TestApp, field_problem, fields_problem, on_both, problem};

const ACCOUNTS: &str = "/api/v1/service-accounts";
const NOBODY: &str = "/api/v1/service-accounts/019365a8-6a5c-7f3e-9d0c-7b1f0a1c2d3e";

async fn create(app: &TestApp, by: &SignedIn, body: Value) -> Response {
    app.post_as(ACCOUNTS, &by.token, &body).await
}

async fn path_of(app: &TestApp, by: &SignedIn, body: Value) -> String {
    let response = create(app, by, body).await;
    assert_eq!(response.status(), 201);
    response.headers()["location"].to_str().unwrap().to_owned()
}

fn tag(response: &Response) -> String {
    response.headers()["etag"].to_str().unwrap().to_owned()
}

on_both! {
    async fn an_account_comes_back_as_it_was_made(app: TestApp) {
        let admin = app.admin().await;
        app.role("biller", "users:read").await;
        let response = create(&app, &admin, json!({"name": " Billing ", "description": "Bills.", "role": "biller"})).await;
        assert_eq!(response.status(), 201);
        let (etag, path) = (tag(&response), response.headers()["location"].to_str().unwrap().to_owned());
        let made: Value = response.json().await.unwrap();
        assert_eq!(path, format!("{ACCOUNTS}/{}", made["id"].as_str().unwrap()));
        for (name, expected) in [("name", "Billing"), ("description", "Bills."), ("role", "biller"), ("status", "active")] {
            assert_eq!(made[name], expected);
        }
        assert_eq!(made["created_at"], made["updated_at"]);
        assert_eq!(made.as_object().unwrap().len(), 7);
        let got = app.get(&path, &admin.token).await;
        assert_eq!(tag(&got), etag);
        assert_eq!(got.json::<Value>().await.unwrap(), made);
        let known = app.request(Method::GET, &path, Some(&admin.token)).header("if-none-match", &etag);
        assert_eq!(known.send().await.unwrap().status(), 304);
        let plain: Value = create(&app, &admin, json!({"name": "Plain"})).await.json().await.unwrap();
        assert_eq!((&plain["description"], &plain["role"]), (&json!(""), &json!("user")));
        let listed = app.json(ACCOUNTS, &admin.token).await;
        assert_eq!(listed, json!([plain, made]));
    }

    async fn an_account_that_breaks_a_rule_is_refused(app: TestApp) {
        let admin = app.admin().await;
        let path = path_of(&app, &admin, json!({"name": "A"})).await;
        for (body, field, code) in [
            (json!({"name": ""}), "name", "required"),
            (json!({"name": "a".repeat(201)}), "name", "too_long"),
            (json!({"name": "a\u{0}"}), "name", "invalid_characters"),
            (json!({"name": "A", "description": "a".repeat(201)}), "description", "too_long"),
            (json!({"name": "A", "role": "nobody"}), "role", "unknown_role"),
            (json!({"name": "A", "role": "No Role"}), "role", "unknown_role"),
            (json!({"name": "A", "id": "1"}), "id", "unknown_field"),
            (json!({"name": 1}), "name", "wrong_type"),
            (json!({}), "name", "required"),
        ] {
            field_problem(create(&app, &admin, body.clone()).await, field, code).await;
            field_problem(app.put(&path, &admin.token, &body).await, field, code).await;
        }
        field_problem(create(&app, &admin, json!({"name": "A", "status": "disabled"})).await, "status", "unknown_field").await;
        for (patch, field, code) in [
            (json!({"name": null}), "name", "wrong_type"),
            (json!({"description": null}), "description", "wrong_type"),
            (json!({"status": "invited"}), "status", "invalid_value"),
            (json!({"status": "gone"}), "status", "invalid_value"),
            (json!({"role": "nobody"}), "role", "unknown_role"),
            (json!({"created_at": "2026-01-01T00:00:00Z"}), "created_at", "unknown_field"),
        ] {
            field_problem(app.patch(&path, &admin.token, &patch).await, field, code).await;
        }
        let several = app.patch(&path, &admin.token, &json!({"name": "", "role": "R", "status": "x"})).await;
        fields_problem(several, &[("name", "required"), ("role", "unknown_role"), ("status", "invalid_value")]).await;
    }

    async fn an_account_is_changed_and_replaced(app: TestApp) {
        let admin = app.admin().await;
        let path = path_of(&app, &admin, json!({"name": "A", "description": "Does it.", "role": "admin"})).await;
        let patched: Value = app.patch(&path, &admin.token, &json!({"name": "B", "status": "disabled"})).await.json().await.unwrap();
        assert_eq!((&patched["name"], &patched["description"]), (&json!("B"), &json!("Does it.")));
        let response = app.put(&path, &admin.token, &json!({"name": "C"})).await;
        let etag = tag(&response);
        let replaced: Value = response.json().await.unwrap();
        assert_eq!((&replaced["name"], &replaced["description"]), (&json!("C"), &json!("")));
        assert_eq!((&replaced["role"], &replaced["status"]), (&json!("admin"), &json!("disabled")), "what is unsaid stays");
        assert!(replaced["updated_at"].as_str() > replaced["created_at"].as_str());
        let same = app.patch(&path, &admin.token, &json!({"name": "C"})).await;
        assert_eq!(tag(&same), etag, "what changes nothing is no change");
        let cleared: Value = app.patch(&path, &admin.token, &json!({"description": ""})).await.json().await.unwrap();
        assert_eq!(cleared, replaced);
    }

    async fn a_lost_update_is_refused(app: TestApp) {
        let admin = app.admin().await;
        let response = create(&app, &admin, json!({"name": "A"})).await;
        let (first, path) = (tag(&response), response.headers()["location"].to_str().unwrap().to_owned());
        assert_eq!(app.patch(&path, &admin.token, &json!({"name": "B"})).await.status(), 200);
        let send = async |method: Method, tag: &str| {
            let request = app.request(method.clone(), &path, Some(&admin.token)).header("if-match", tag);
            let request = if method == Method::DELETE { request } else { request.json(&json!({"name": "C"})) };
            request.send().await.unwrap()
        };
        for method in [Method::PUT, Method::PATCH, Method::DELETE] {
            problem(send(method.clone(), &first).await, 412, "stale").await;
            field_problem(send(method, "first").await, "If-Match", "malformed").await;
        }
        let now = tag(&app.get(&path, &admin.token).await);
        assert_eq!(send(Method::PUT, &now).await.status(), 200);
        assert_eq!(send(Method::DELETE, "*").await.status(), 204);
    }

    async fn who_is_not_there_is_not_found(app: TestApp) {
        let admin = app.admin().await;
        problem(app.get(NOBODY, &admin.token).await, 404, "service_account_not_found").await;
        problem(app.patch(NOBODY, &admin.token, &json!({})).await, 404, "service_account_not_found").await;
        problem(app.put(NOBODY, &admin.token, &json!({"name": "A"})).await, 404, "service_account_not_found").await;
        problem(app.delete(NOBODY, &admin.token).await, 404, "service_account_not_found").await;
        field_problem(app.get(&format!("{ACCOUNTS}/admin"), &admin.token).await, "id", "invalid_id").await;
    }

    async fn a_disabled_account_can_do_nothing_until_enabled(app: TestApp) {
        let admin = app.admin().await;
        let account = app.service_account("admin").await;
        let key = app.service_key(&account, "users:read").await;
        let path = format!("{ACCOUNTS}/{account}");
        for _ in 0..3 {
            assert_eq!(app.get("/api/v1/users", &key.secret).await.status(), 200);
            assert_eq!(app.patch(&path, &admin.token, &json!({"status": "disabled"})).await.status(), 200);
            problem(app.get("/api/v1/users", &key.secret).await, 401, "invalid_token").await;
            assert_eq!(app.patch(&path, &admin.token, &json!({"status": "active"})).await.status(), 200);
        }
        assert_eq!(app.get("/api/v1/users", &key.secret).await.status(), 200);
        assert_eq!(app.delete(&path, &admin.token).await.status(), 204);
        problem(app.get("/api/v1/users", &key.secret).await, 401, "invalid_token").await;
        problem(app.get(&key.path(), &admin.token).await, 404, "api_key_not_found").await;
        problem(app.delete(&path, &admin.token).await, 404, "service_account_not_found").await;
    }

    async fn a_program_sees_itself_and_is_no_user(app: TestApp) {
        let account = app.service_account("user").await;
        let key = app.service_key(&account, "").await;
        let itself = app.json(&format!("{ACCOUNTS}/{account}"), &key.secret).await;
        assert_eq!(itself["id"], account);
        let other = app.service_account("user").await;
        problem(app.get(&format!("{ACCOUNTS}/{other}"), &key.secret).await, 403, "forbidden").await;
        problem(app.patch(&format!("{ACCOUNTS}/{account}"), &key.secret, &json!({"name": "A"})).await, 403, "forbidden").await;
        problem(app.get("/api/v1/me", &key.secret).await, 403, "forbidden").await;
        problem(app.get("/api/v1/sessions", &key.secret).await, 403, "forbidden").await;
        problem(app.get("/api/v1/api-keys", &key.secret).await, 403, "forbidden").await;
    }

    async fn nobody_makes_a_program_that_may_do_more_than_they(app: TestApp) {
        let rights = "service_accounts:write service_accounts:read users:read tokens:introspect";
        let keeper = app.user_who_may(rights).await;
        app.role("reader", "users:read").await;
        let admins = app.service_account("admin").await;
        let admins_path = format!("{ACCOUNTS}/{admins}");
        problem(create(&app, &keeper, json!({"name": "A", "role": "admin"})).await, 403, "permission_not_held").await;
        let path = path_of(&app, &keeper, json!({"name": "A", "role": "reader"})).await;
        for body in [json!({"name": "A", "role": "admin"}), json!({"name": "B", "role": "admin", "status": "active"})] {
            problem(app.patch(&path, &keeper.token, &body).await, 403, "permission_not_held").await;
            problem(app.put(&path, &keeper.token, &body).await, 403, "permission_not_held").await;
        }
        for body in [json!({"name": "B"}), json!({"name": "B", "role": "user"}), json!({"name": "B", "status": "disabled"})] {
            problem(app.patch(&admins_path, &keeper.token, &body).await, 403, "forbidden").await;
            problem(app.put(&admins_path, &keeper.token, &body).await, 403, "forbidden").await;
        }
        problem(app.delete(&admins_path, &keeper.token).await, 403, "forbidden").await;
        // Nor a key that may: neither beyond the keeper, nor beyond the account.
        let key = async |account: &str, scopes: Value| {
            let body = json!({"name": "K", "scopes": scopes, "service_account_id": account});
            app.post_as("/api/v1/api-keys", &keeper.token, &body).await
        };
        let account = path.rsplit('/').next().unwrap();
        problem(key(&admins, json!(["users:write"])).await, 403, "permission_not_held").await;
        problem(key(account, json!(["service_accounts:read"])).await, 403, "permission_not_held").await;
        assert_eq!(key(account, json!(["users:read"])).await.status(), 201);
        // Every service account may introspect: who lets one in must be allowed to.
        let half = app.user_who_may("service_accounts:write service_accounts:read").await;
        let body = json!({"name": "K", "scopes": [], "service_account_id": account});
        problem(app.post_as("/api/v1/api-keys", &half.token, &body).await, 403, "permission_not_held").await;
        // A new secret of a key that may do more is as good as that key.
        let wide = app.service_key(&admins, "users:write").await;
        let rotate = app.post_as(&format!("{}/rotate", wide.path()), &keeper.token, &json!({})).await;
        problem(rotate, 403, "permission_not_held").await;
        assert_eq!(app.delete(&path, &keeper.token).await.status(), 204);
    }

    async fn accounts_come_in_pages(app: TestApp) {
        let admin = app.admin().await;
        for name in ["a", "b", "c"] {
            assert_eq!(create(&app, &admin, json!({"name": name})).await.status(), 201);
        }
        let names = async |query: &str| {
            let found = app.json(&format!("{ACCOUNTS}?{query}"), &admin.token).await;
            found.as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        let first = app.get(&format!("{ACCOUNTS}?limit=2&count=true"), &admin.token).await;
        assert_eq!(first.headers()["x-total-count"], "3");
        let link = first.headers()["link"].to_str().unwrap().to_owned();
        let next = link.strip_prefix("</api/v1/service-accounts?").unwrap().strip_suffix(">; rel=\"next\"").unwrap();
        assert_eq!(names(next).await, ["a"]);
        assert_eq!(names("limit=2&offset=1").await, ["b", "a"]);
        field_problem(app.get(&format!("{ACCOUNTS}?role=user"), &admin.token).await, "role", "unknown_field").await;
    }
}
