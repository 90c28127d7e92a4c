//! `GET /api/v1/me/data` and `GET /api/v1/users/{id}/data`: everything that is stored about a user.

use serde_json::{Value, json};

use crate::harness::{PASSWORD, SignedIn, TestApp, on_both, problem};
use crate::process::run_on;

async fn data(app: &TestApp, path: &str, token: &str) -> Value {
    let response = app.get(path, token).await;
    assert_eq!(response.status(), 200, "{path}");
    assert_eq!(response.headers()["cache-control"], "no-store");
    assert_eq!(response.headers()["content-type"], "application/json");
    assert!(response.headers()["content-disposition"].to_str().unwrap().starts_with("attachment; filename="));
    let text = response.text().await.unwrap();
    assert!(!text.contains(PASSWORD) && !text.contains("$argon2"), "{text}");
    serde_json::from_str(&text).unwrap()
}

fn types(data: &Value) -> Vec<&str> {
    data["events"].as_array().unwrap().iter().map(|event| event["type"].as_str().unwrap()).collect()
}

async fn change(app: &TestApp, user: &SignedIn, times: usize) {
    for at in 0..times {
        let response = app.patch(&user.path(), &user.token, &json!({"name": format!("Name {at}")})).await;
        assert_eq!(response.status(), 200);
    }
}

on_both! {
    async fn the_document_is_complete(app: TestApp) {
        let (admin, user, other) = (app.admin().await, app.user().await, app.user().await);
        assert_eq!(app.patch(&user.path(), &admin.token, &json!({"app_attributes": {"plan": "pro"}})).await.status(), 200);
        let key = app.api_key(&user, &[]).await;
        app.register(&user, &mut app.authenticator()).await;
        change(&app, &other, 1).await;
        let found = data(&app, "/api/v1/me/data", &user.token).await;
        assert_eq!((&found["user"]["id"], &found["user"]["app_attributes"]), (&json!(user.id), &json!({"plan": "pro"})));
        assert_eq!(found["sessions"].as_array().unwrap().iter().map(|session| &session["id"]).collect::<Vec<_>>(), [&json!(user.session_id)]);
        assert_eq!(found["factors"]["password"], true);
        assert_eq!((found["passkeys"].as_array().unwrap().len(), found["identities"].as_array().unwrap().len()), (1, 0));
        assert_eq!(found["api_keys"][0]["id"], json!(key.id));
        assert!(!found.to_string().contains(&key.secret));
        let types = types(&found);
        assert_eq!(types[0], "user.created", "{types:?}");
        for kind in ["session.started", "user.updated", "api_key.created", "passkey.added"] {
            assert!(types.contains(&kind), "{kind} in {types:?}");
        }
        assert!(found["events"].as_array().unwrap().iter().all(|event| event["subject"] == json!(user.id)));

        let by_admin = data(&app, &format!("{}/data", user.path()), &admin.token).await;
        assert_eq!((&by_admin["user"], &by_admin["events"]), (&found["user"], &found["events"]));
    }

    async fn many_events_are_streamed_in_order(app: TestApp, "limits.account_writes_per_minute" = "1000000") {
        let user = app.user().await;
        change(&app, &user, 430).await;
        let found = data(&app, "/api/v1/me/data", &user.token).await;
        let names: Vec<_> = found["events"].as_array().unwrap().iter().filter_map(|event| event["data"]["name"].as_str()).collect();
        let expected: Vec<_> = (0..430).map(|at| format!("Name {at}")).collect();
        assert_eq!(names[1..], expected, "after the event of the sign-up");
    }

    async fn reading_users_alone_is_not_enough(app: TestApp) {
        let user = app.user().await;
        let path = format!("{}/data", user.path());
        let reader = app.user_who_may("users:read").await;
        problem(app.get(&path, &reader.token).await, 403, "forbidden").await;
        let support = app.user_who_may("users:read sessions:read api_keys:read events:read").await;
        data(&app, &path, &support.token).await;
        problem(app.get(&path, &app.user().await.token).await, 404, "user_not_found").await;
        let nobody = "/api/v1/users/019365a8-6a5c-7f3e-9d0c-7b1f0a1c2d3e/data";
        problem(app.get(nobody, &support.token).await, 404, "user_not_found").await;
    }

    async fn the_command_line_writes_it(world: World) {
        let arguments = ["users", "create", "--email", "ada@example.com", "--name", "Ada", "--password-stdin"];
        assert_eq!(run_on(&world, &[], &arguments, PASSWORD).await.code, 0);
        let printed = run_on(&world, &[], &["users", "data", "ada@example.com"], "").await.json();
        assert_eq!((&printed["user"]["email"], types(&printed)), (&json!("ada@example.com"), vec!["user.created", "user.link_created"]));
        let file = world.folder().join("ada.json");
        let done = run_on(&world, &[], &["users", "data", "ada@example.com", file.to_str().unwrap()], "").await;
        assert_eq!(done.code, 0, "{done:?}");
        assert_eq!(serde_json::from_slice::<Value>(&std::fs::read(&file).unwrap()).unwrap(), printed);
        assert_eq!(run_on(&world, &[], &["users", "data", "eve@example.com"], "").await.only_line(1), "the user does not exist");
    }
}
