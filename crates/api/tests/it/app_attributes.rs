//! `app_attributes`: written by administrators and programs, read by the user.

use denizen_proto::v1;
use prost_types::value::Kind;
use prost_types::{FieldMask, Struct};
use serde_json::{Value, json};
use tonic::Code;

use crate::grpc::client::{Rpc, refused};
use crate::harness::{PASSWORD, SignedIn, TestApp, field_problem, on_both, problem};
use crate::process::run_on;

/// Sets the attributes of a user, as this caller.
async fn patch(app: &TestApp, user: &SignedIn, token: &str, patch: &Value) -> Value {
    let response = app.patch(&user.path(), token, &json!({"app_attributes": patch})).await;
    assert_eq!(response.status(), 200, "{patch}");
    response.json::<Value>().await.unwrap()["app_attributes"].clone()
}

fn structure(name: &str, value: &str) -> Struct {
    let value = prost_types::Value { kind: Some(Kind::StringValue(value.to_owned())) };
    Struct { fields: [(name.to_owned(), value)].into() }
}

on_both! {
    async fn an_administrator_sets_them_and_the_user_reads_them(app: TestApp) {
        let (admin, user) = (app.admin().await, app.user().await);
        assert_eq!(app.json(&user.path(), &user.token).await["app_attributes"], json!({}));
        assert_eq!(patch(&app, &user, &admin.token, &json!({"plan": "pro", "seats": {"max": 3}})).await, json!({"plan": "pro", "seats": {"max": 3}}));
        assert_eq!(patch(&app, &user, &admin.token, &json!({"seats": {"used": 1}, "plan": null})).await, json!({"seats": {"max": 3, "used": 1}}));
        let expected = json!({"seats": {"max": 3, "used": 1}});
        for path in [user.path().as_str(), "/api/v1/me"] {
            let shown = app.json(path, &user.token).await;
            assert_eq!((&shown["app_attributes"], &shown["attributes"]), (&expected, &json!({})), "{path}");
        }
        let page = app.json("/api/v1/users?limit=10", &admin.token).await;
        let listed = page.as_array().unwrap().iter().find(|listed| listed["id"] == json!(user.id)).unwrap();
        assert_eq!(listed["app_attributes"], expected);
        let export = app.get("/api/v1/users/export", &admin.token).await.text().await.unwrap();
        let line = export.lines().find(|line| line.contains(&user.id)).unwrap();
        assert_eq!(serde_json::from_str::<Value>(line).unwrap()["app_attributes"], expected);
        assert_eq!(patch(&app, &user, &admin.token, &Value::Null).await, json!({}));
    }

    async fn users_cannot_set_their_own(app: TestApp) {
        let (admin, user) = (app.admin().await, app.user().await);
        patch(&app, &user, &admin.token, &json!({"plan": "free"})).await;
        for body in [json!({"app_attributes": {"plan": "pro"}}), json!({"app_attributes": {}}), json!({"app_attributes": null, "name": "Changed"})] {
            problem(app.patch(&user.path(), &user.token, &body).await, 403, "forbidden").await;
        }
        let whole = json!({"email": user.email, "name": "Changed", "app_attributes": {"plan": "pro"}});
        problem(app.put(&user.path(), &user.token, &whole).await, 403, "forbidden").await;
        let now = app.json(&user.path(), &user.token).await;
        assert_eq!((&now["app_attributes"], &now["name"]), (&json!({"plan": "free"}), &json!("Some Body")));
        let sign_up = json!({"email": "b@example.com", "password": PASSWORD, "name": "B", "app_attributes": {"plan": "pro"}});
        problem(app.post("/api/v1/users", &sign_up).await, 401, "unauthenticated").await;
        problem(app.post_as("/api/v1/users", &user.token, &sign_up).await, 403, "forbidden").await;

        // A replacement by the user leaves them as they are.
        let own = app.put(&user.path(), &user.token, &json!({"email": user.email, "name": "Mine"})).await;
        assert_eq!(own.json::<Value>().await.unwrap()["app_attributes"], json!({"plan": "free"}));
    }

    async fn programs_that_write_users_set_them(app: TestApp) {
        app.role("billing", "users:read users:write").await;
        app.role("reporting", "users:read").await;
        let user = app.user().await;
        let billing = app.service_key(&app.service_account("billing").await, "users:read users:write").await;
        let reporting = app.service_key(&app.service_account("reporting").await, "users:read").await;
        assert_eq!(patch(&app, &user, &billing.secret, &json!({"plan": "pro"})).await, json!({"plan": "pro"}));
        let refused = app.patch(&user.path(), &reporting.secret, &json!({"app_attributes": {"plan": "free"}})).await;
        problem(refused, 403, "forbidden").await;
        assert_eq!(app.json(&user.path(), &reporting.secret).await["app_attributes"], json!({"plan": "pro"}));
    }

    async fn they_are_created_replaced_and_bounded(app: TestApp) {
        let admin = app.admin().await;
        let new = json!({"email": "ada@example.com", "password": PASSWORD, "name": "Ada", "app_attributes": {"plan": "pro"}});
        let made: Value = app.post_as("/api/v1/users", &admin.token, &new).await.json().await.unwrap();
        assert_eq!(made["app_attributes"], json!({"plan": "pro"}));
        let ada = app.sign_in("ada@example.com").await;
        let replace = async |attributes: Value| {
            let body = json!({"email": "ada@example.com", "name": "Ada", "app_attributes": attributes});
            app.put(&ada.path(), &admin.token, &body).await
        };
        assert_eq!(replace(json!({"tier": 2})).await.json::<Value>().await.unwrap()["app_attributes"], json!({"tier": 2}));
        assert_eq!(replace(Value::Null).await.json::<Value>().await.unwrap()["app_attributes"], json!({"tier": 2}), "unchanged");
        assert_eq!(replace(json!({})).await.json::<Value>().await.unwrap()["app_attributes"], json!({}));
        field_problem(replace(json!({"a": "x".repeat(17_000)})).await, "app_attributes", "too_large").await;
        field_problem(replace(json!([])).await, "app_attributes", "wrong_type").await;
        let deep = (0..8).fold(json!({}), |inner, _| json!({"a": inner}));
        let response = app.patch(&ada.path(), &admin.token, &json!({"app_attributes": deep})).await;
        field_problem(response, "app_attributes", "too_deep").await;
    }

    async fn a_change_moves_the_version_and_is_recorded_by_name(app: TestApp) {
        let (admin, user) = (app.admin().await, app.user().await);
        let tag = app.get(&user.path(), &user.token).await.headers()["etag"].to_str().unwrap().to_owned();
        patch(&app, &user, &admin.token, &json!({"plan": "secret-plan"})).await;
        patch(&app, &user, &admin.token, &json!({"plan": "secret-plan"})).await;
        let stale = app.request(reqwest::Method::PATCH, &user.path(), Some(&admin.token)).header("if-match", &tag);
        problem(stale.json(&json!({"app_attributes": {"plan": "other"}})).send().await.unwrap(), 412, "stale").await;
        let events = app.json("/api/v1/events?limit=100&types=user.updated", &admin.token).await;
        let changed: Vec<_> = events.as_array().unwrap().iter().map(|event| event["data"]["changed"].clone()).collect();
        assert_eq!(changed, [json!(["app_attributes"])], "the second patch changed nothing");
        assert!(!events.to_string().contains("secret-plan"));
    }

    async fn an_import_brings_them(app: TestApp) {
        let admin = app.admin().await;
        let lines = [
            json!({"email": "a@example.com", "name": "A", "app_attributes": {"plan": "pro"}}),
            json!({"email": "b@example.com", "name": "B", "app_attributes": null}),
            json!({"email": "c@example.com", "name": "C", "app_attributes": {"a": "x".repeat(20_000)}}),
        ];
        let report = app.import(&admin, lines.map(|line| line.to_string()).join("\n")).await;
        assert_eq!((&report["created"], &report["errors"][0]["fields"][0]["field"]), (&json!(2), &json!("app_attributes")));
        for (email, expected) in [("a@example.com", json!({"plan": "pro"})), ("b@example.com", json!({}))] {
            let found = app.json(&format!("/api/v1/users?email={email}"), &admin.token).await;
            assert_eq!(found[0]["app_attributes"], expected);
        }
    }

    async fn they_are_the_same_over_grpc(app: TestApp) {
        let (admin, user) = (app.admin().await, app.user().await);
        let rpc = Rpc::to(&app);
        let update = async |token: &str, app_attributes: Option<Struct>, paths: &[&str]| {
            let user = v1::User { id: user.id.clone(), name: "Changed".into(), email: user.email.clone(), app_attributes, ..v1::User::default() };
            let update_mask = Some(FieldMask { paths: paths.iter().map(ToString::to_string).collect() });
            let answer = rpc.by(token).users().update_user(v1::UpdateUserRequest { user: Some(user), update_mask }).await;
            answer.map(|answer| answer.into_inner().user.unwrap().app_attributes)
        };
        let pro = Some(structure("plan", "pro"));
        assert_eq!(update(&admin.token, pro.clone(), &["app_attributes"]).await.unwrap(), pro);
        assert_eq!(update(&user.token, None, &["*"]).await.unwrap(), pro, "a replacement without them leaves them");
        for paths in [&["app_attributes"][..], &["app_attributes.plan"], &["*"], &[]] {
            refused(update(&user.token, Some(structure("plan", "max")), paths).await, Code::PermissionDenied, "forbidden");
        }
        assert_eq!(update(&admin.token, None, &["app_attributes.plan"]).await.unwrap(), Some(Struct::default()));
        assert_eq!(update(&admin.token, pro.clone(), &["app_attributes.plan"]).await.unwrap(), pro);
        let me = rpc.by(&user.token).users().get_me(v1::GetMeRequest {}).await.unwrap().into_inner();
        assert_eq!(me.user.unwrap().app_attributes, pro);

        let new = |email: &str| v1::CreateUserRequest {
            email: email.into(), password: PASSWORD.into(), name: "New".into(), app_attributes: Some(structure("plan", "pro")), ..Default::default()
        };
        let made = rpc.by(&admin.token).users().create_user(new("x@example.com")).await.unwrap().into_inner();
        assert_eq!(made.user.unwrap().app_attributes, pro);
        refused(rpc.users().create_user(new("y@example.com")).await, Code::Unauthenticated, "unauthenticated");
    }

    async fn the_command_line_sets_them(world: World) {
        let arguments = ["users", "create", "--email", "ada@example.com", "--name", "Ada", "--password-stdin", "--app-attributes", r#"{"plan":"pro"}"#];
        assert_eq!(run_on(&world, &[], &arguments, PASSWORD).await.code, 0);
        let change = |patch: &'static str| ["users", "set-app-attributes", "ada@example.com", patch, "--output", "json"];
        let changed = run_on(&world, &[], &change(r#"{"seats":3,"plan":null}"#), "").await;
        assert_eq!(changed.json()["app_attributes"], json!({"seats": 3}));
        let shown = run_on(&world, &[], &["users", "get", "ada@example.com"], "").await.stdout;
        assert!(shown.contains(r#"{"seats":3}"#), "{shown}");
        for patch in ["[]", "null", "{", r#"{"a":1,"a":2}"#, "{} {}"] {
            let refused = run_on(&world, &[], &change(patch), "").await;
            assert_eq!(refused.code, 2, "{patch}: {refused:?}");
        }
    }
}
