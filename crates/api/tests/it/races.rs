//! Many at once: the database decides, and nobody sees a half-done thing.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{PASSWORD, eventually, on_both, problem};

on_both! {
    async fn of_many_sign_ups_of_one_address_one_wins(app: TestApp) {
        let spellings = ["ada@example.com", "ADA@example.com", "Ada@Example.Com"];
        let tasks: Vec<_> = (0..64).map(|at| {
            let body = json!({"email": spellings[at % 3], "password": format!("password number {at}"), "name": "Ada"});
            tokio::spawn(app.request(Method::POST, "/api/v1/users", None).json(&body).send())
        }).collect();
        let mut winners = Vec::new();
        for (at, task) in tasks.into_iter().enumerate() {
            let response = task.await.unwrap().unwrap();
            if response.status() == 201 {
                winners.push((at, response.json::<Value>().await.unwrap()["id"].clone()));
            } else {
                problem(response, 409, "email_taken").await;
            }
        }
        assert_eq!(winners.len(), 1, "{winners:?}");
        let response = app.try_sign_in("ada@example.com", &format!("password number {}", winners[0].0)).await;
        assert_eq!(response.json::<Value>().await.unwrap()["user"]["id"], winners[0].1, "the winner's password is kept");
    }

    async fn two_servers_give_an_address_once(world: World) {
        let apps = [world.serve(&[]).await, world.serve(&[]).await];
        let tasks: Vec<_> = (0..32).map(|at| {
            let body = json!({"email": "ada@example.com", "password": PASSWORD, "name": "Ada"});
            tokio::spawn(apps[at % 2].request(Method::POST, "/api/v1/users", None).json(&body).send())
        }).collect();
        let mut statuses = Vec::new();
        for task in tasks {
            statuses.push(task.await.unwrap().unwrap().status().as_u16());
        }
        statuses.sort_unstable();
        assert_eq!(statuses, [vec![201], vec![409; 31]].concat());
    }

    async fn of_many_who_move_to_one_address_one_arrives(app: TestApp) {
        for _ in 0..8 {
            let user = app.user().await;
            let asked = app.post_as("/api/v1/email-changes", &user.token, &json!({"email": "there@example.com"})).await;
            assert_eq!(asked.status(), 202);
        }
        let tokens = app.tokens_to("there@example.com", "confirm-email", 8).await;
        let tasks: Vec<_> = tokens.iter().map(|token| {
            let request = app.request(Method::POST, "/api/v1/email-changes/confirm", None);
            tokio::spawn(request.json(&json!({"token": token})).send())
        }).collect();
        let mut statuses = Vec::new();
        for task in tasks {
            statuses.push(task.await.unwrap().unwrap().status().as_u16());
        }
        statuses.sort_unstable();
        assert_eq!(statuses, [204, 409, 409, 409, 409, 409, 409, 409]);
    }

    async fn a_sign_in_amid_disabling_leaves_no_live_session(app: TestApp) {
        let admin = app.admin().await;
        for _ in 0..8 {
            let user = app.user().await;
            let sign_ins: Vec<_> = (0..6).map(|_| {
                let body = json!({"email": user.email, "password": PASSWORD});
                tokio::spawn(app.request(Method::POST, "/api/v1/sessions", None).json(&body).send())
            }).collect();
            let disabled = app.patch(&user.path(), &admin.token, &json!({"status": "disabled"})).await;
            assert_eq!(disabled.status(), 200);
            assert_eq!(app.me_status(&user.token).await, 401);
            for sign_in in sign_ins {
                let response = sign_in.await.unwrap().unwrap();
                if response.status() == 201 {
                    let body: Value = response.json().await.unwrap();
                    assert_eq!(app.me_status(body["access_token"].as_str().unwrap()).await, 401);
                } else {
                    problem(response, 401, "invalid_credentials").await;
                }
            }
            let body = json!({"status": "active"});
            assert_eq!(app.patch(&user.path(), &admin.token, &body).await.status(), 200);
            assert_eq!(app.me_status(&user.token).await, 401, "nothing lives again");
        }
    }

    async fn a_sign_in_amid_a_change_of_password_leaves_no_session_of_the_old_one(app: TestApp) {
        for _ in 0..6 {
            let user = app.user().await;
            let sign_ins: Vec<_> = (0..4).map(|_| {
                let body = json!({"email": user.email, "password": PASSWORD});
                tokio::spawn(app.request(Method::POST, "/api/v1/sessions", None).json(&body).send())
            }).collect();
            let body = json!({"current_password": PASSWORD, "new_password": "another good one"});
            assert_eq!(app.put("/api/v1/me/password", &user.token, &body).await.status(), 204);
            for sign_in in sign_ins {
                let response = sign_in.await.unwrap().unwrap();
                if response.status() == 201 {
                    let body: Value = response.json().await.unwrap();
                    assert_eq!(app.me_status(body["access_token"].as_str().unwrap()).await, 401);
                }
            }
            assert_eq!(app.me_status(&user.token).await, 200);
        }
    }

    async fn deleting_amid_changes_leaves_nothing_half_done(app: TestApp) {
        let admin = app.admin().await;
        for _ in 0..4 {
            let user = app.user().await;
            let patches: Vec<_> = (0..8).map(|at| {
                let request = app.request(Method::PATCH, &user.path(), Some(&admin.token));
                tokio::spawn(request.json(&json!({"name": format!("Name {at}")})).send())
            }).collect();
            assert_eq!(app.delete(&user.path(), &admin.token).await.status(), 204);
            for patch in patches {
                let status = patch.await.unwrap().unwrap().status().as_u16();
                assert!([200, 404].contains(&status), "{status}");
            }
            assert_eq!(app.get(&user.path(), &admin.token).await.status(), 404);
        }
    }

    async fn readers_go_on_while_many_write(app: TestApp) {
        let user = app.user().await;
        let writers: Vec<_> = (0..40).map(|at| {
            let body = json!({"email": format!("w{at}@example.com"), "password": PASSWORD, "name": "W"});
            tokio::spawn(app.request(Method::POST, "/api/v1/users", None).json(&body).send())
        }).collect();
        for _ in 0..40 {
            assert_eq!(app.get(&user.path(), &user.token).await.status(), 200);
        }
        for writer in writers {
            assert_eq!(writer.await.unwrap().unwrap().status(), 201);
        }
    }

    async fn a_client_that_leaves_holds_nothing(app: TestApp) {
        for at in 0..20 {
            let body = json!({"email": format!("gone{at}@example.com"), "password": PASSWORD, "name": "G"});
            let request = app.request(Method::POST, "/api/v1/users", None).timeout(Duration::from_millis(1 + at % 7));
            // Some are answered in time, most are not.
            let _ = request.json(&body).send().await;
        }
        eventually("the next one is served", Duration::from_secs(5), async || {
            let body = json!({"email": app.fresh_email(), "password": PASSWORD, "name": "N"});
            app.post("/api/v1/users", &body).await.status() == 201
        }).await;
    }
}
