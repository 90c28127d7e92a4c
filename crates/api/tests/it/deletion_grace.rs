//! `users.deletion_grace_days`: a deleted user is disabled first, and can be restored.

use std::sync::Arc;

use denizen::app::Ambience;
use denizen_domain::time::Timestamp;
use denizen_domain::users;
use denizen_proto::v1;
use denizen_testkit::{FakeClock, SeededRandom};
use reqwest::Response;
use serde_json::{Value, json};
use tonic::Code;

use crate::events_walk::records_after;
use crate::grpc::client::{Rpc, refused};
use crate::harness::{PASSWORD, SignedIn, TestApp, World, on_both, problem};
use crate::process::run_on;

const DAY_S: u32 = 24 * 60 * 60;
const GRACE: (&str, &str) = ("users.deletion_grace_days", "30");

async fn restore(app: &TestApp, user: &SignedIn, token: &str) -> Response {
    app.post_as(&format!("{}/restore", user.path()), token, &Value::Null).await
}

async fn restored(app: &TestApp, user: &SignedIn, token: &str) -> Value {
    let response = restore(app, user, token).await;
    assert_eq!(response.status(), 200);
    let etag = response.headers()["etag"].clone();
    let body: Value = response.json().await.unwrap();
    assert_eq!(app.get(&user.path(), token).await.headers()["etag"], etag);
    assert_eq!(body["delete_after"], Value::Null);
    body
}

async fn delete_twice(app: &TestApp, user: &SignedIn, token: &str) {
    for _ in 0..2 {
        assert_eq!(app.delete(&user.path(), token).await.status(), 204);
    }
}

/// The types of the events about a user.
async fn types_about(app: &TestApp, user: &str) -> Vec<String> {
    let records = records_after(app, 0).await;
    let about = records.iter().filter(|record| record.about.as_str() == Some(user));
    about.map(|record| record.kind.as_str().to_owned()).collect()
}

/// A server on a clock of the test, with sessions that outlive the grace period.
async fn on_a_clock(world: &World, seed: u64) -> (TestApp, Arc<FakeClock>) {
    let clock = Arc::new(FakeClock::default());
    let ambience = Ambience { clock: Arc::clone(&clock) as Arc<_>, random: Arc::new(SeededRandom::new(seed)) };
    (world.serve_in(&[GRACE], ambience).await, clock)
}

on_both! {
    async fn a_deleted_user_is_disabled_and_can_be_restored(app: TestApp, "users.deletion_grace_days" = "30") {
        let (admin, user) = (app.admin().await, app.user().await);
        assert_eq!(app.delete(&user.path(), &user.token).await.status(), 204);
        assert_eq!(app.me_status(&user.token).await, 401);
        problem(app.try_sign_in(&user.email, PASSWORD).await, 401, "invalid_credentials").await;
        let body = app.json(&user.path(), &admin.token).await;
        assert_eq!(body["status"], "disabled");
        assert!(body["delete_after"].as_str() > body["updated_at"].as_str(), "{body}");
        let again = json!({"email": user.email, "password": PASSWORD, "name": "Again"});
        problem(app.post("/api/v1/users", &again).await, 409, "email_taken").await;
        app.news_to(&user.email, "will be deleted").await;
        let letters = app.letters_to(&user.email);
        assert!(letters.iter().any(|letter| letter.text.contains("In 30 days, the account")), "{letters:?}");

        problem(restore(&app, &user, &app.user().await.token).await, 403, "forbidden").await;
        let body = restored(&app, &user, &admin.token).await;
        assert_eq!(body["status"], "active");
        assert_eq!(app.me_status(&user.token).await, 401, "sessions stay ended");
        assert_eq!(restored(&app, &user, &admin.token).await, body, "nothing to do");
        app.sign_in(&user.email).await;
        let types = types_about(&app, &user.id).await;
        let changes: Vec<_> = types.iter().filter(|kind| kind.starts_with("user.") && *kind != "user.link_created").collect();
        assert_eq!(changes, [
            "user.created", "user.updated", "user.disabled", "user.deletion_scheduled", "user.updated", "user.enabled", "user.restored",
        ]);
    }

    async fn the_previous_status_is_restored(app: TestApp, "users.deletion_grace_days" = "30") {
        let (admin, user) = (app.admin().await, app.user().await);
        assert_eq!(app.patch(&user.path(), &admin.token, &json!({"status": "disabled"})).await.status(), 200);
        assert_eq!(app.delete(&user.path(), &admin.token).await.status(), 204);
        assert_eq!(restored(&app, &user, &admin.token).await["status"], "disabled");
        let invitation = json!({"email": "invited@example.com"});
        let invited: Value = app.post_as("/api/v1/invitations", &admin.token, &invitation).await.json().await.unwrap();
        let invited = SignedIn { id: invited["id"].as_str().unwrap().to_owned(), ..user };
        assert_eq!(app.delete(&invited.path(), &admin.token).await.status(), 204);
        assert_eq!(restored(&app, &invited, &admin.token).await["status"], "invited");
    }

    async fn enabling_a_user_cancels_the_deletion(app: TestApp, "users.deletion_grace_days" = "30") {
        let (admin, user) = (app.admin().await, app.user().await);
        assert_eq!(app.delete(&user.path(), &admin.token).await.status(), 204);
        let patch = async |body: Value| {
            app.patch(&user.path(), &admin.token, &body).await.json::<Value>().await.unwrap()
        };
        let renamed = patch(json!({"name": "Ada", "status": "disabled"})).await;
        assert!(renamed["delete_after"].is_string(), "other changes do not cancel it: {renamed}");
        let enabled = patch(json!({"status": "active"})).await;
        assert_eq!((&enabled["status"], &enabled["delete_after"]), (&json!("active"), &Value::Null));
        assert_eq!(types_about(&app, &user.id).await.last().unwrap(), "user.restored");
    }

    async fn a_repeated_request_does_not_shorten_the_grace_period(app: TestApp, "users.deletion_grace_days" = "30") {
        let (admin, user) = (app.admin().await, app.user().await);
        delete_twice(&app, &user, &admin.token).await;
        let body = app.json(&user.path(), &admin.token).await;
        delete_twice(&app, &user, &admin.token).await;
        assert_eq!(app.json(&user.path(), &admin.token).await, body);

        let other = app.user().await;
        let now = format!("{}?now=true", other.path());
        problem(app.delete(&now, &other.token).await, 403, "forbidden").await;
        assert_eq!(app.me_status(&other.token).await, 200);
        for user in [&user, &other] {
            assert_eq!(app.delete(&format!("{}?now=true", user.path()), &admin.token).await.status(), 204);
            problem(app.get(&user.path(), &admin.token).await, 404, "user_not_found").await;
            problem(restore(&app, user, &admin.token).await, 404, "user_not_found").await;
        }
        problem(app.delete(&format!("{}?now=maybe", admin.path()), &admin.token).await, 400, "invalid_input").await;
    }

    async fn the_last_administrator_stays(app: TestApp, "users.deletion_grace_days" = "30") {
        let admin = app.admin().await;
        problem(app.delete(&admin.path(), &admin.token).await, 409, "last_admin").await;
        let other = app.admin().await;
        assert_eq!(app.delete(&other.path(), &admin.token).await.status(), 204);
        problem(app.delete(&admin.path(), &admin.token).await, 409, "last_admin").await;
    }

    async fn without_a_grace_period_users_are_deleted_at_once(app: TestApp) {
        let (admin, user, other) = (app.admin().await, app.user().await, app.user().await);
        assert_eq!(app.delete(&user.path(), &user.token).await.status(), 204);
        assert_eq!(app.delete(&format!("{}?now=true", other.path()), &other.token).await.status(), 204);
        for user in [&user, &other] {
            problem(app.get(&user.path(), &admin.token).await, 404, "user_not_found").await;
        }
    }

    async fn users_are_deleted_when_the_grace_period_has_passed(world: World) {
        let (app, clock) = on_a_clock(&world, 1).await;
        let (admin, user, kept) = (app.admin().await, app.user().await, app.user().await);
        for user in [&user, &kept] {
            assert_eq!(app.delete(&user.path(), &user.token).await.status(), 204);
        }
        clock.advance_s(29 * DAY_S);
        assert_eq!(users::purge(&app.services, 10).await.unwrap(), 0);
        let admin = app.sign_in(&admin.email).await;
        restored(&app, &kept, &admin.token).await;
        clock.advance_s(DAY_S);
        assert_eq!(users::purge(&app.services, 10).await.unwrap(), 1);
        assert_eq!(users::purge(&app.services, 10).await.unwrap(), 0);
        let admin = app.sign_in(&admin.email).await;
        problem(app.get(&user.path(), &admin.token).await, 404, "user_not_found").await;
        assert_eq!(app.json(&kept.path(), &admin.token).await["status"], "active");
        let records = records_after(&app, 0).await;
        let deleted: Vec<_> = records.iter().filter(|record| record.kind.as_str() == "user.deleted").collect();
        assert_eq!(deleted.len(), 1);
        assert_eq!(deleted[0].actor.kind.as_str(), "system");
    }

    async fn a_user_is_either_restored_or_deleted(world: World) {
        let (app, clock) = on_a_clock(&world, 2).await;
        let second = Ambience { clock: Arc::clone(&clock) as Arc<_>, random: Arc::new(SeededRandom::new(3)) };
        let node = if world.sqlite_file().is_some() { None } else { Some(world.serve_in(&[GRACE], second).await) };
        let admin = app.admin().await;
        let mut users = Vec::new();
        for _ in 0..12 {
            let user = app.user().await;
            assert_eq!(app.delete(&user.path(), &user.token).await.status(), 204);
            users.push(user);
        }
        clock.advance_s(30 * DAY_S);
        let admin = app.sign_in(&admin.email).await;
        let purge = async |app: Option<&TestApp>| {
            let mut due = 0;
            if let Some(app) = app {
                for _ in 0..4 {
                    due += users::purge(&app.services, 3).await.unwrap();
                }
            }
            due
        };
        let restores = futures_util::future::join_all(users.iter().map(|user| restore(&app, user, &admin.token)));
        let (here, there, restores) = tokio::join!(purge(Some(&app)), purge(node.as_ref()), restores);
        assert!(here + there <= 12, "each is taken by one node");
        while users::purge(&app.services, 10).await.unwrap() > 0 {}
        for (user, response) in users.iter().zip(restores) {
            let types = types_about(&app, &user.id).await;
            let count = |kind: &str| types.iter().filter(|found| *found == kind).count();
            let found = app.get(&user.path(), &admin.token).await.status().as_u16();
            let outcome = (response.status().as_u16(), found, count("user.restored"), count("user.deleted"));
            assert!([(200, 200, 1, 0), (404, 404, 0, 1)].contains(&outcome), "{outcome:?}");
        }
    }

    async fn grpc_and_the_command_line_have_it(world: World) {
        let app = world.serve(&[GRACE]).await;
        let (admin, user) = (app.admin().await, app.user().await);
        let rpc = Rpc::to(&app).by(&admin.token);
        let request = v1::DeleteUserRequest { id: user.id.clone(), ..Default::default() };
        let deleted = rpc.users().delete_user(request.clone()).await.unwrap().into_inner();
        let found = rpc.users().get_user(v1::GetUserRequest { id: user.id.clone() }).await.unwrap().into_inner();
        let found = found.user.unwrap();
        assert_eq!((found.status(), found.delete_after), (v1::UserStatus::Disabled, deleted.delete_after));
        assert!(deleted.delete_after.is_some());
        let restore = v1::RestoreUserRequest { id: user.id.clone() };
        let restored = rpc.users().restore_user(restore.clone()).await.unwrap().into_inner().user.unwrap();
        assert_eq!((restored.status(), restored.delete_after), (v1::UserStatus::Active, None));

        let run = async |arguments: &[&str]| run_on(&world, &[GRACE], arguments, "").await;
        let deleted = run(&["users", "delete", &user.email, "--yes"]).await;
        assert!(deleted.stdout.contains("will be deleted after"), "{deleted:?}");
        assert!(run(&["users", "get", &user.email]).await.stdout.contains("deletion"));
        assert!(run(&["users", "get", &user.email, "--output", "json"]).await.json()["delete_after"].is_string());
        let restored = run(&["users", "restore", &user.id]).await;
        assert_eq!(restored.stdout, format!("restored {}; the status is active\n", user.email));
        let deleted = run(&["users", "delete", &user.email, "--now", "--yes"]).await;
        assert_eq!(deleted.stdout, format!("deleted {}\n", user.email));
        refused(rpc.users().restore_user(restore).await, Code::NotFound, "user_not_found");
        let now = rpc.users().delete_user(v1::DeleteUserRequest { id: app.user().await.id, now: true, ..request }).await;
        assert_eq!(now.unwrap().into_inner().delete_after, None);
    }

    async fn who_is_disabled_during_the_grace_period_stays_disabled(app: TestApp, "users.deletion_grace_days" = "30") {
        let (admin, user) = (app.admin().await, app.user().await);
        assert_eq!(app.delete(&user.path(), &user.token).await.status(), 204);
        let scheduled = app.json(&user.path(), &admin.token).await["delete_after"].clone();
        let disabled = app.patch(&user.path(), &admin.token, &json!({"status": "disabled"})).await;
        assert_eq!(disabled.status(), 200);
        assert_eq!(app.json(&user.path(), &admin.token).await["delete_after"], scheduled);
        assert_eq!(restored(&app, &user, &admin.token).await["status"], "disabled");
    }

    async fn exports_imports_and_moves_carry_it(world: World) {
        let app = world.serve(&[GRACE]).await;
        let (admin, user) = (app.admin().await, app.user().await);
        assert_eq!(app.delete(&user.path(), &admin.token).await.status(), 204);
        let scheduled = app.json(&user.path(), &admin.token).await["delete_after"].clone();
        let exported = app.get("/api/v1/users/export", &admin.token).await.text().await.unwrap();
        let line = exported.lines().find(|line| line.contains(&user.email)).unwrap().to_owned();
        assert_eq!(serde_json::from_str::<Value>(&line).unwrap()["delete_after"], scheduled);

        let file = world.folder().join("grace.backup").display().to_string();
        assert_eq!(run_on(&world, &[], &["backup", &file], "").await.code, 0);
        let (target, master_key) = (world.other_kind().await, world.master_key_file());
        let run = async |arguments: &[&str]| {
            run_on(&target, &[("security.master_key_file", &master_key)], arguments, "").await
        };
        assert_eq!(run(&["restore", &file]).await.code, 0);
        let moved = run(&["users", "get", &user.email, "--output", "json"]).await.json();
        // The user has as much time as was left when the backup was made.
        let moment = |value: &Value| Timestamp::parse(value.as_str().unwrap()).unwrap().as_micros();
        let postponed_us = moment(&moved["delete_after"]) - moment(&scheduled);
        assert_eq!(moved["status"], "disabled");
        assert!((1..600_000_000).contains(&postponed_us), "{postponed_us}");
        assert!(run(&["users", "restore", &user.email]).await.stdout.ends_with("the status is active\n"));

        let other = world.same_kind().await.serve(&[]).await;
        let their_admin = other.admin().await;
        assert_eq!(other.import(&their_admin, line).await["created"], 1);
        let listed = other.json(&format!("/api/v1/users?email={}", user.email), &their_admin.token).await;
        assert_eq!((&listed[0]["status"], &listed[0]["delete_after"]), (&json!("disabled"), &scheduled));
        let imported = SignedIn { id: listed[0]["id"].as_str().unwrap().to_owned(), ..user };
        assert_eq!(restored(&other, &imported, &their_admin.token).await["status"], "disabled", "the safe status");
        let types = types_about(&other, &imported.id).await;
        assert_eq!(types[..2], ["user.created", "user.deletion_scheduled"]);
    }
}
