//! What admins do to others and to each other: roles, status, and that one of them remains.

use denizen_domain::access::Permission;
use serde_json::{Value, json};

use crate::harness::{PASSWORD, SignedIn, TestApp, on_both, problem};

async fn active_admins(app: &TestApp) -> usize {
    use denizen_domain::page::{Page, Total};
    use denizen_domain::roles::RoleName;
    use denizen_domain::users::{self, Status, UserFilter};
    let filter = UserFilter { role: Some(RoleName::admin()), status: Some(Status::Active), ..UserFilter::default() };
    let page = Page::new(None, None, None).unwrap();
    users::list(&app.operator(), &filter, page, Total::Skip).await.unwrap().items.len()
}

async fn set(app: &TestApp, by: &SignedIn, whom: &SignedIn, body: Value) {
    let response = app.patch(&whom.path(), &by.token, &body).await;
    assert_eq!(response.status(), 200, "{body}");
}

on_both! {
    async fn a_disabled_user_is_out_until_enabled(app: TestApp) {
        let (admin, user) = (app.admin().await, app.user().await);
        set(&app, &admin, &user, json!({"status": "disabled"})).await;
        problem(app.get("/api/v1/me", &user.token).await, 401, "invalid_token").await;
        problem(app.try_sign_in(&user.email, PASSWORD).await, 401, "invalid_credentials").await;
        set(&app, &admin, &user, json!({"status": "active"})).await;
        assert_eq!(app.me_status(&user.token).await, 401, "the old session stays ended");
        assert_eq!(app.me_status(&app.sign_in(&user.email).await.token).await, 200);
    }

    async fn a_role_is_felt_by_the_token_at_hand(app: TestApp) {
        let (admin, user) = (app.admin().await, app.user().await);
        assert_eq!(app.get("/api/v1/users", &user.token).await.status(), 403);
        set(&app, &admin, &user, json!({"role": "admin"})).await;
        assert_eq!(app.get("/api/v1/users", &user.token).await.status(), 200);
        assert_eq!(app.json("/api/v1/me", &user.token).await["permissions"], json!(Permission::ALL.iter().map(|permission| permission.as_str()).collect::<Vec<_>>()));
        set(&app, &admin, &user, json!({"role": "user"})).await;
        assert_eq!(app.get("/api/v1/users", &user.token).await.status(), 403);
        assert_eq!(app.json("/api/v1/me", &user.token).await["permissions"], json!([]));
    }

    async fn the_last_admin_stays(app: TestApp) {
        let admin = app.admin().await;
        for body in [json!({"role": "user"}), json!({"status": "disabled"})] {
            problem(app.patch(&admin.path(), &admin.token, &body).await, 409, "last_admin").await;
        }
        let body = json!({"email": admin.email, "name": "A", "role": "user"});
        problem(app.put(&admin.path(), &admin.token, &body).await, 409, "last_admin").await;
        problem(app.delete(&admin.path(), &admin.token).await, 409, "last_admin").await;
        let now = app.json("/api/v1/me", &admin.token).await;
        assert_eq!((&now["role"], &now["status"], &now["name"]), (&json!("admin"), &json!("active"), &json!("An Admin")));
    }

    async fn a_disabled_admin_does_not_count_as_one(app: TestApp) {
        let (first, second) = (app.admin().await, app.admin().await);
        set(&app, &first, &second, json!({"status": "disabled"})).await;
        problem(app.delete(&first.path(), &first.token).await, 409, "last_admin").await;
        set(&app, &first, &second, json!({"status": "active"})).await;
        assert_eq!(app.delete(&first.path(), &first.token).await.status(), 204);
        let second = app.sign_in(&second.email).await;
        problem(app.delete(&second.path(), &second.token).await, 409, "last_admin").await;
    }

    async fn of_two_admins_who_demote_each_other_one_remains(app: TestApp) {
        for _ in 0..6 {
            let (one, two) = (app.admin().await, app.admin().await);
            // Whoever remained from the round before makes room.
            let others = app.json("/api/v1/users?role=admin&status=active", &one.token).await;
            for other in others.as_array().unwrap() {
                if other["id"] != json!(one.id) && other["id"] != json!(two.id) {
                    let path = format!("/api/v1/users/{}", other["id"].as_str().unwrap());
                    assert_eq!(app.delete(&path, &one.token).await.status(), 204);
                }
            }
            assert_eq!(active_admins(&app).await, 2);
            let (demote, disable) = (json!({"role": "user"}), json!({"status": "disabled"}));
            let (two_path, one_path) = (two.path(), one.path());
            let (by_one, by_two) = tokio::join!(
                app.patch(&two_path, &one.token, &demote),
                app.patch(&one_path, &two.token, &disable),
            );
            let statuses = [by_one.status().as_u16(), by_two.status().as_u16()];
            assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
            // The other comes too late: no longer an admin, before the request or within it, no longer signed in, or the
            // last one.
            assert!(statuses.iter().all(|status| [200, 401, 403, 404, 409].contains(status)), "{statuses:?}");
            assert_eq!(active_admins(&app).await, 1);
        }
    }

    async fn of_many_admins_who_leave_at_once_one_remains(app: TestApp) {
        let mut admins = Vec::new();
        for _ in 0..6 {
            admins.push(app.admin().await);
        }
        let requests = admins.iter().map(|admin| {
            tokio::spawn(app.request(reqwest::Method::DELETE, &admin.path(), Some(&admin.token)).send())
        });
        let mut statuses = Vec::new();
        for task in requests.collect::<Vec<_>>() {
            statuses.push(task.await.unwrap().unwrap().status().as_u16());
        }
        statuses.sort_unstable();
        assert_eq!(statuses, [204, 204, 204, 204, 204, 409]);
        assert_eq!(active_admins(&app).await, 1);
    }
}
