//! `/api/v1/roles` and `/api/v1/permissions`: who may do what, and that nobody gives what they do not hold.

use std::collections::BTreeSet;

use denizen_domain::access::Permission;
use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::harness::{PASSWORD, SignedIn, TestApp, field_problem, fields_problem, on_both, problem};

const ROLES: &str = "/api/v1/roles";
const ACCOUNTS: &str = "/api/v1/service-accounts";

fn role(name: &str) -> String {
    format!("{ROLES}/{name}")
}

async fn create(app: &TestApp, by: &SignedIn, name: &str, permissions: &[&str]) -> Response {
    app.post_as(ROLES, &by.token, &json!({"name": name, "permissions": permissions})).await
}

async fn names(app: &TestApp, by: &SignedIn, query: &str) -> Vec<String> {
    let roles = app.json(&format!("{ROLES}?{query}"), &by.token).await;
    roles.as_array().unwrap().iter().map(|role| role["name"].as_str().unwrap().to_owned()).collect()
}

fn tag(response: &Response) -> String {
    response.headers()["etag"].to_str().unwrap().to_owned()
}

async fn replace_if(app: &TestApp, by: &SignedIn, name: &str, tag: &str) -> Response {
    let request = app.request(Method::PUT, &role(name), Some(&by.token)).header("if-match", tag);
    request.json(&json!({"permissions": ["users:read"]})).send().await.unwrap()
}

on_both! {
    async fn a_role_comes_back_as_it_was_made(app: TestApp) {
        let admin = app.admin().await;
        let body = json!({"name": "support", "description": " Read-only access to users. ", "permissions": ["sessions:read", "users:read", "users:read"]});
        let response = app.post_as(ROLES, &admin.token, &body).await;
        assert_eq!(response.status(), 201);
        assert_eq!(response.headers()["location"], "/api/v1/roles/support");
        let etag = tag(&response);
        let made: Value = response.json().await.unwrap();
        assert_eq!(made["name"], "support");
        assert_eq!(made["description"], "Read-only access to users.");
        assert_eq!(made["permissions"], json!(["users:read", "sessions:read"]));
        assert_eq!(made["built_in"], false);
        assert_eq!(made["second_factor"], "optional");
        assert_eq!(made["created_at"], made["updated_at"]);
        assert_eq!(made.as_object().unwrap().len(), 8);
        for key in ["support", made["id"].as_str().unwrap()] {
            let response = app.get(&role(key), &admin.token).await;
            assert_eq!(tag(&response), etag);
            assert_eq!(response.json::<Value>().await.unwrap(), made);
        }
        let known = app.request(Method::GET, &role("support"), Some(&admin.token)).header("if-none-match", &etag);
        assert_eq!(known.send().await.unwrap().status(), 304);
        assert_eq!(names(&app, &admin, "").await, ["support", "user", "admin"]);
    }

    async fn a_role_that_breaks_a_rule_is_refused(app: TestApp) {
        let admin = app.admin().await;
        let post = async |body: Value| app.post_as(ROLES, &admin.token, &body).await;
        for (body, field, code) in [
            (json!({"name": "Support", "permissions": []}), "name", "invalid_role_name"),
            (json!({"name": "", "permissions": []}), "name", "invalid_role_name"),
            (json!({"name": "a b", "permissions": []}), "name", "invalid_role_name"),
            (json!({"name": "019365a8-6a5c-7f3e-9d0c-7b1f0a1c2d3e", "permissions": []}), "name", "invalid_role_name"),
            (json!({"name": "a19365a8-6a5c-7f3e-9d0c-7b1f0a1c2d3e", "permissions": []}), "name", "invalid_role_name"),
            (json!({"name": "a".repeat(65), "permissions": []}), "name", "invalid_role_name"),
            (json!({"name": "a", "permissions": ["users:fly"]}), "permissions", "unknown_permission"),
            (json!({"name": "a", "permissions": [""]}), "permissions", "unknown_permission"),
            (json!({"name": "a", "permissions": ["users:read users:write"]}), "permissions", "unknown_permission"),
            (json!({"name": "a", "permissions": vec!["users:read"; 65]}), "permissions", "too_many"),
            (json!({"name": "a", "permissions": "users:read"}), "permissions", "wrong_type"),
            (json!({"name": "a", "permissions": [1]}), "permissions[0]", "wrong_type"),
            (json!({"name": "a", "permissions": null}), "permissions", "wrong_type"),
            (json!({"name": "a"}), "permissions", "required"),
            (json!({"permissions": []}), "name", "required"),
            (json!({"name": "a", "permissions": [], "description": "a".repeat(201)}), "description", "too_long"),
            (json!({"name": "a", "permissions": [], "description": "a\nb"}), "description", "invalid_characters"),
            (json!({"name": "a", "permissions": [], "built_in": true}), "built_in", "unknown_field"),
        ] {
            field_problem(post(body).await, field, code).await;
        }
        let all = json!({"name": "A", "permissions": ["x"], "description": "\u{0}"});
        let expected = [("name", "invalid_role_name"), ("description", "invalid_characters"), ("permissions", "unknown_permission")];
        fields_problem(post(all).await, &expected).await;
        assert_eq!(names(&app, &admin, "").await.len(), 2);
        assert_eq!(post(json!({"name": "a".repeat(64), "permissions": vec!["users:read"; 64], "description": null})).await.status(), 201);
    }

    async fn a_role_is_replaced_but_for_its_name(app: TestApp) {
        let admin = app.admin().await;
        let made: Value = create(&app, &admin, "support", &["users:read"]).await.json().await.unwrap();
        let id = made["id"].as_str().unwrap();
        let body = json!({"name": "support", "description": "New", "permissions": ["users:write"]});
        let after: Value = app.put(&role("support"), &admin.token, &body).await.json().await.unwrap();
        assert_eq!((&after["description"], &after["permissions"]), (&json!("New"), &json!(["users:write"])));
        assert_eq!((&after["id"], &after["created_at"]), (&made["id"], &made["created_at"]));
        assert!(after["updated_at"].as_str() > made["updated_at"].as_str());
        let again = app.put(&role(id), &admin.token, &body).await;
        assert_eq!(tag(&again), tag(&app.get(&role(id), &admin.token).await), "what changes nothing is no change");
        assert_eq!(again.json::<Value>().await.unwrap(), after);
        let bare: Value = app.put(&role(id), &admin.token, &json!({"permissions": []})).await.json().await.unwrap();
        assert_eq!((&bare["description"], &bare["permissions"]), (&json!(""), &json!([])));
        for key in ["support", id] {
            let renamed = app.put(&role(key), &admin.token, &json!({"name": "helpers", "permissions": []})).await;
            field_problem(renamed, "name", "immutable").await;
        }
        let malformed = app.put(&role("support"), &admin.token, &json!({"name": "S", "permissions": ["x"]})).await;
        fields_problem(malformed, &[("name", "invalid_role_name"), ("permissions", "unknown_permission")]).await;
    }

    async fn a_lost_update_is_refused(app: TestApp) {
        let admin = app.admin().await;
        let first = tag(&create(&app, &admin, "support", &[]).await);
        let second = replace_if(&app, &admin, "support", &first).await;
        assert_eq!(second.status(), 200);
        problem(replace_if(&app, &admin, "support", &first).await, 412, "stale").await;
        let delete = async |tag: &str| {
            let request = app.request(Method::DELETE, &role("support"), Some(&admin.token));
            request.header("if-match", tag).send().await.unwrap()
        };
        problem(delete(&first).await, 412, "stale").await;
        field_problem(delete("1").await, "If-Match", "malformed").await;
        assert_eq!(delete(&tag(&second)).await.status(), 204);
        problem(app.get(&role("support"), &admin.token).await, 404, "role_not_found").await;
    }

    async fn what_is_built_in_stays(app: TestApp) {
        let admin = app.admin().await;
        let all: Vec<&str> = Permission::ALL.iter().map(|permission| permission.as_str()).collect();
        for (name, permissions) in [("admin", json!(all)), ("user", json!([]))] {
            let shown = app.json(&role(name), &admin.token).await;
            assert_eq!((&shown["permissions"], &shown["built_in"]), (&permissions, &json!(true)));
            let body = json!({"permissions": ["users:read"]});
            for key in [name, shown["id"].as_str().unwrap()] {
                problem(app.put(&role(key), &admin.token, &body).await, 409, "role_built_in").await;
                problem(app.delete(&role(key), &admin.token).await, 409, "role_built_in").await;
            }
            problem(create(&app, &admin, name, &[]).await, 409, "role_name_taken").await;
        }
    }

    async fn what_cannot_name_a_role_names_none(app: TestApp) {
        let admin = app.admin().await;
        for key in ["nobody", "Admin", "019365a8-6a5c-7f3e-9d0c-7b1f0a1c2d3e", "%20", "%ff%fe", "a%2fb", &"a".repeat(5_000)] {
            problem(app.get(&role(key), &admin.token).await, 404, "role_not_found").await;
            problem(app.put(&role(key), &admin.token, &json!({"permissions": []})).await, 404, "role_not_found").await;
            problem(app.delete(&role(key), &admin.token).await, 404, "role_not_found").await;
        }
    }

    async fn of_sixty_four_who_make_one_role_one_does(app: TestApp) {
        let admin = app.admin().await;
        let tasks: Vec<_> = (0..64).map(|at| {
            let body = json!({"name": "support", "description": at.to_string(), "permissions": []});
            tokio::spawn(app.request(Method::POST, ROLES, Some(&admin.token)).json(&body).send())
        }).collect();
        let mut winners = Vec::new();
        for (at, task) in tasks.into_iter().enumerate() {
            let response = task.await.unwrap().unwrap();
            if response.status() == 201 {
                winners.push(at.to_string());
            } else {
                let error = problem(response, 409, "role_name_taken").await;
                assert_eq!((&error["fields"][0]["field"], &error["fields"][0]["code"]), (&json!("name"), &json!("taken")));
            }
        }
        assert_eq!(winners.len(), 1);
        assert_eq!(app.json(&role("support"), &admin.token).await["description"], winners[0]);
    }

    async fn two_servers_give_a_name_once(world: World) {
        let apps = [world.serve(&[]).await, world.serve(&[]).await];
        let admin = apps[0].admin().await;
        let tasks: Vec<_> = (0..32).map(|at| {
            let body = json!({"name": "support", "permissions": []});
            tokio::spawn(apps[at % 2].request(Method::POST, ROLES, Some(&admin.token)).json(&body).send())
        }).collect();
        let mut statuses = Vec::new();
        for task in tasks {
            statuses.push(task.await.unwrap().unwrap().status().as_u16());
        }
        statuses.sort_unstable();
        assert_eq!(statuses, [vec![201], vec![409; 31]].concat());
    }

    async fn roles_come_in_pages(app: TestApp) {
        let admin = app.admin().await;
        for name in ["a", "b", "c"] {
            assert_eq!(create(&app, &admin, name, &[]).await.status(), 201);
        }
        let first = app.get(&format!("{ROLES}?limit=2&count=true"), &admin.token).await;
        assert_eq!(first.headers()["x-total-count"], "5");
        let link = first.headers()["link"].to_str().unwrap().to_owned();
        let next = link.strip_prefix("</api/v1/roles?").unwrap().strip_suffix(">; rel=\"next\"").unwrap().to_owned();
        assert_eq!(names(&app, &admin, &next).await, ["a", "user"]);
        assert_eq!(names(&app, &admin, "limit=2&offset=4").await, ["admin"]);
        for (query, field, code) in [("limit=0", "limit", "out_of_range"), ("q=a", "q", "unknown_field"), ("after=x", "after", "invalid_cursor")] {
            field_problem(app.get(&format!("{ROLES}?{query}"), &admin.token).await, field, code).await;
        }
        // The cursor of one list is no cursor of another.
        let cursor = next.split("after=").nth(1).unwrap();
        field_problem(app.get(&format!("/api/v1/users?after={cursor}"), &admin.token).await, "after", "invalid_cursor").await;
    }

    async fn a_role_that_somebody_has_cannot_go(app: TestApp) {
        let admin = app.admin().await;
        app.role("support", "users:read").await;
        let user = app.holder("support").await;
        problem(app.delete(&role("support"), &admin.token).await, 409, "role_in_use").await;
        assert_eq!(app.patch(&user.path(), &admin.token, &json!({"role": "user"})).await.status(), 200);
        let account = app.service_account("support").await;
        problem(app.delete(&role("support"), &admin.token).await, 409, "role_in_use").await;
        assert_eq!(app.delete(&format!("/api/v1/service-accounts/{account}"), &admin.token).await.status(), 204);
        assert_eq!(app.delete(&role("support"), &admin.token).await.status(), 204);
        field_problem(app.patch(&user.path(), &admin.token, &json!({"role": "support"})).await, "role", "unknown_role").await;
        let body = json!({"name": "A program", "role": "support"});
        field_problem(app.post_as(ACCOUNTS, &admin.token, &body).await, "role", "unknown_role").await;
    }

    async fn nobody_keeps_a_role_that_went(app: TestApp) {
        let admin = app.admin().await;
        let users = [app.user().await, app.user().await, app.user().await];
        for round in 0..8 {
            let name = format!("role{round}");
            app.role(&name, "users:read").await;
            let given: Vec<_> = users.iter().map(|user| {
                let request = app.request(Method::PATCH, &user.path(), Some(&admin.token));
                tokio::spawn(request.json(&json!({"role": name})).send())
            }).collect();
            let program = json!({"name": "A program", "role": name});
            let program = app.request(Method::POST, ACCOUNTS, Some(&admin.token)).json(&program).send();
            let program = tokio::spawn(program);
            let gone = app.delete(&role(&name), &admin.token).await;
            let is_gone = gone.status() == 204;
            if !is_gone {
                problem(gone, 409, "role_in_use").await;
            }
            for one in given {
                let response = one.await.unwrap().unwrap();
                if response.status() == 200 {
                    assert!(!is_gone, "round {round}: given and gone");
                } else {
                    field_problem(response, "role", "unknown_role").await;
                }
            }
            let program = program.await.unwrap().unwrap();
            if program.status() == 201 {
                assert!(!is_gone, "round {round}: made and gone");
                let path = program.headers()["location"].to_str().unwrap().to_owned();
                assert_eq!(app.delete(&path, &admin.token).await.status(), 204);
            } else {
                field_problem(program, "role", "unknown_role").await;
            }
            for user in &users {
                let now = app.json(&user.path(), &admin.token).await["role"].as_str().unwrap().to_owned();
                assert_eq!(app.get(&role(&now), &admin.token).await.status(), 200, "{now}");
                assert_eq!(app.patch(&user.path(), &admin.token, &json!({"role": "user"})).await.status(), 200);
            }
        }
    }

    async fn a_change_of_a_role_is_felt_at_once(app: TestApp) {
        let admin = app.admin().await;
        app.role("support", "users:read").await;
        let user = app.holder("support").await;
        let key = app.api_key(&user, &["users:read"]).await;
        let account = app.service_account("support").await;
        let program = app.service_key(&account, "users:read").await;
        for _ in 0..3 {
            for (permissions, expected) in [(json!([]), 403), (json!(["users:read", "roles:read"]), 200)] {
                let body = json!({"permissions": permissions});
                assert_eq!(app.put(&role("support"), &admin.token, &body).await.status(), 200);
                for token in [&user.token, &key.secret, &program.secret] {
                    assert_eq!(app.get("/api/v1/users", token).await.status(), expected);
                }
                assert_eq!(app.json("/api/v1/me", &user.token).await["permissions"], permissions);
            }
        }
        assert_eq!(app.get(ROLES, &user.token).await.status(), 200);
        assert_eq!(app.get(ROLES, &key.secret).await.status(), 403, "a key has the scopes it was made with");
    }

    async fn nobody_makes_a_role_that_may_do_more_than_they(app: TestApp) {
        let keeper = app.user_who_may("roles:write roles:read users:read").await;
        problem(create(&app, &keeper, "wide", &["users:read", "users:write"]).await, 403, "permission_not_held").await;
        assert_eq!(create(&app, &keeper, "narrow", &["users:read"]).await.status(), 201);
        let widen = json!({"permissions": ["users:read", "signing_keys:write"]});
        problem(app.put(&role("narrow"), &keeper.token, &widen).await, 403, "permission_not_held").await;
        app.role("above", "users:write").await;
        let narrow = json!({"permissions": []});
        problem(app.put(&role("above"), &keeper.token, &narrow).await, 403, "permission_not_held").await;
        assert_eq!(app.json(&role("above"), &keeper.token).await["permissions"], json!(["users:write"]));
        // Not even one's own.
        let own = app.json("/api/v1/me", &keeper.token).await["role"].as_str().unwrap().to_owned();
        let more = json!({"permissions": ["roles:write", "roles:read", "users:read", "users:write"]});
        problem(app.put(&role(&own), &keeper.token, &more).await, 403, "permission_not_held").await;
        // A key of the keeper's makes no more than it carries itself.
        let key = app.api_key(&keeper, &["roles:write"]).await;
        let body = json!({"name": "by-a-key", "permissions": ["users:read"]});
        problem(app.post_as(ROLES, &key.secret, &body).await, 403, "permission_not_held").await;
    }

    async fn who_may_write_users_stays_below_admins(app: TestApp) {
        let (clerk, admin, user) = (app.user_who_may("users:write users:read").await, app.admin().await, app.user().await);
        app.role("above", "users:write users:read roles:read").await;
        let above = app.holder("above").await;
        for role in ["admin", "above"] {
            let new = json!({"email": app.fresh_email(), "password": PASSWORD, "name": "New", "role": role});
            problem(app.post_as("/api/v1/users", &clerk.token, &new).await, 403, "permission_not_held").await;
            for whom in [&user, &clerk] {
                problem(app.patch(&whom.path(), &clerk.token, &json!({"role": role})).await, 403, "permission_not_held").await;
                let body = json!({"email": whom.email, "name": "A", "role": role});
                problem(app.put(&whom.path(), &clerk.token, &body).await, 403, "permission_not_held").await;
            }
            let line = json!({"email": app.fresh_email(), "name": "New", "role": role});
            let report = app.import(&clerk, format!("{line}\n")).await;
            assert_eq!((&report["created"], &report["errors"][0]["fields"][0]["code"]), (&json!(0), &json!("not_allowed")));
        }
        for whom in [&admin, &above] {
            for body in [json!({"role": "user"}), json!({"status": "disabled"}), json!({"email": app.fresh_email()}), json!({"name": "A"})] {
                problem(app.patch(&whom.path(), &clerk.token, &body).await, 403, "forbidden").await;
            }
            problem(app.delete(&whom.path(), &clerk.token).await, 403, "forbidden").await;
            assert_eq!(app.me_status(&whom.token).await, 200);
        }
        let new = json!({"email": app.fresh_email(), "password": PASSWORD, "name": "New", "role": "user"});
        assert_eq!(app.post_as("/api/v1/users", &clerk.token, &new).await.status(), 201);
        assert_eq!(app.patch(&user.path(), &clerk.token, &json!({"status": "disabled"})).await.status(), 200);
        assert_eq!(app.delete(&user.path(), &clerk.token).await.status(), 204);
    }

    async fn the_catalogue_is_whole(app: TestApp) {
        let user = app.user().await;
        let catalogue = app.json("/api/v1/permissions", &user.token).await;
        let listed: Vec<&str> = catalogue.as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
        assert_eq!(listed, Permission::ALL.iter().map(|one| one.as_str()).collect::<Vec<_>>());
        assert_eq!(listed.iter().collect::<BTreeSet<_>>().len(), listed.len());
        for one in catalogue.as_array().unwrap() {
            assert!(one["description"].as_str().unwrap().ends_with('.'), "{one}");
            assert_eq!(one.as_object().unwrap().len(), 2);
        }
    }
}
