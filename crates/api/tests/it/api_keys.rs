//! `/api/v1/api-keys`, and API keys as callers: what they may do, and until when.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use denizen::app::Ambience;
use denizen_testkit::{FakeClock, SeededRandom};
use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::harness::{SignedIn, TestApp, World, field_problem, fields_problem, on_both, problem};
use crate::holders::Key;

const KEYS: &str = "/api/v1/api-keys";
const DAY_S: u32 = 24 * 60 * 60;

async fn create(app: &TestApp, token: &str, body: Value) -> Response {
    app.post_as(KEYS, token, &body).await
}

async fn rotate(app: &TestApp, token: &str, key: &Key, body: Value) -> Response {
    app.post_as(&format!("{}/rotate", key.path()), token, &body).await
}

async fn rotated(app: &TestApp, owner: &SignedIn, key: &Key, body: Value) -> Key {
    let response = rotate(app, &owner.token, key, body).await;
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["cache-control"], "no-store");
    Key::of(&response.json().await.unwrap())
}

async fn ids(app: &TestApp, token: &str, query: &str) -> Vec<String> {
    let keys = app.json(&format!("{KEYS}?{query}"), token).await;
    keys.as_array().unwrap().iter().map(|key| key["id"].as_str().unwrap().to_owned()).collect()
}

/// A server whose clock moves when told.
async fn under_a_fake_clock(world: &World, settings: &[(&str, &str)]) -> (TestApp, Arc<FakeClock>) {
    let clock = Arc::new(FakeClock::default());
    let ambience = Ambience { clock: Arc::clone(&clock) as Arc<_>, random: Arc::new(SeededRandom::new(11)) };
    (world.serve_in(settings, ambience).await, clock)
}

on_both! {
    async fn a_secret_is_shown_once(app: TestApp) {
        let user = app.user().await;
        let response = create(&app, &user.token, json!({"name": " Nightly ", "scopes": []})).await;
        assert_eq!(response.status(), 201);
        assert_eq!(response.headers()["cache-control"], "no-store");
        let (location, etag) = (response.headers()["location"].clone(), response.headers()["etag"].clone());
        let mut made: Value = response.json().await.unwrap();
        let key = Key::of(&made);
        assert_eq!(location, key.path());
        assert!(key.secret.starts_with("dnk_") && key.secret.len() == 68, "{}", key.secret.len());
        made.as_object_mut().unwrap().remove("key");
        assert_eq!((&made["name"], &made["scopes"]), (&json!("Nightly"), &json!([])));
        assert_eq!((&made["user_id"], &made["service_account_id"]), (&json!(user.id), &json!(null)));
        for unset in ["expires_at", "rotated_at", "last_used_at"] {
            assert_eq!(made[unset], json!(null));
        }
        assert_eq!(made.as_object().unwrap().len(), 9);
        let got = app.get(&key.path(), &user.token).await;
        assert_eq!(got.headers()["etag"], etag);
        let text = got.text().await.unwrap();
        assert!(!text.contains("dnk_"), "{text}");
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), made);
        assert_eq!(app.json(KEYS, &user.token).await, json!([made]));
    }

    async fn a_repeated_request_gets_the_same_key(app: TestApp) {
        let user = app.user().await;
        let send = async |token: &str| {
            let request = app.request(Method::POST, KEYS, Some(token)).header("idempotency-key", "one");
            request.json(&json!({"name": "K", "scopes": []})).send().await.unwrap()
        };
        let first = send(&user.token).await;
        let first: Value = first.json().await.unwrap();
        let again = send(&user.token).await;
        assert_eq!((again.headers()["idempotency-replayed"].clone(), again.headers()["cache-control"].clone()), ("true".parse().unwrap(), "no-store".parse().unwrap()));
        assert_eq!(again.json::<Value>().await.unwrap(), first);
        // A key of the same user is another caller: it learns nothing of the answer.
        problem(send(&Key::of(&first).secret).await, 403, "forbidden").await;
        assert_eq!(ids(&app, &user.token, "").await.len(), 1);
    }

    async fn a_key_that_breaks_a_rule_is_refused(app: TestApp) {
        let admin = app.admin().await;
        for (body, field, code) in [
            (json!({"name": "", "scopes": []}), "name", "required"),
            (json!({"name": "a".repeat(201), "scopes": []}), "name", "too_long"),
            (json!({"name": "K", "scopes": ["fly"]}), "scopes", "unknown_permission"),
            (json!({"name": "K", "scopes": vec!["users:read"; 65]}), "scopes", "too_many"),
            (json!({"name": "K", "scopes": "users:read"}), "scopes", "wrong_type"),
            (json!({"name": "K"}), "scopes", "required"),
            (json!({"scopes": []}), "name", "required"),
            (json!({"name": "K", "scopes": [], "expires_at": "tomorrow"}), "expires_at", "invalid_value"),
            (json!({"name": "K", "scopes": [], "expires_at": "2020-01-01T00:00:00Z"}), "expires_at", "in_the_past"),
            (json!({"name": "K", "scopes": [], "expires_at": 1_900_000_000}), "expires_at", "wrong_type"),
            (json!({"name": "K", "scopes": [], "service_account_id": "me"}), "service_account_id", "invalid_id"),
            (json!({"name": "K", "scopes": [], "user_id": admin.id}), "user_id", "unknown_field"),
            (json!({"name": "K", "scopes": [], "key": "dnk_mine"}), "key", "unknown_field"),
        ] {
            field_problem(create(&app, &admin.token, body).await, field, code).await;
        }
        let several = json!({"name": "", "scopes": ["x"], "expires_at": "x", "service_account_id": "x"});
        let expected = [("name", "required"), ("scopes", "unknown_permission"), ("expires_at", "invalid_value"), ("service_account_id", "invalid_id")];
        fields_problem(create(&app, &admin.token, several).await, &expected).await;
        let nobody = json!({"name": "K", "scopes": [], "service_account_id": admin.id});
        problem(create(&app, &admin.token, nobody).await, 404, "service_account_not_found").await;
        let key = app.api_key(&admin, &[]).await;
        for (body, code) in [(json!({"overlap_s": 2_592_001}), "out_of_range"), (json!({"overlap_s": -1}), "wrong_type"), (json!({"overlap_s": "1"}), "wrong_type"), (json!({"overlap_s": 1.5}), "wrong_type")] {
            field_problem(rotate(&app, &admin.token, &key, body).await, "overlap_s", code).await;
        }
        field_problem(rotate(&app, &admin.token, &key, json!({"overlap": 1})).await, "overlap", "unknown_field").await;
        for path in [format!("{KEYS}/{}", admin.id), format!("{KEYS}/019365a8-6a5c-7f3e-9d0c-7b1f0a1c2d3e")] {
            problem(app.get(&path, &admin.token).await, 404, "api_key_not_found").await;
            problem(app.delete(&path, &admin.token).await, 404, "api_key_not_found").await;
            problem(app.post_as(&format!("{path}/rotate"), &admin.token, &json!({})).await, 404, "api_key_not_found").await;
        }
        field_problem(app.get(&format!("{KEYS}/dnk_"), &admin.token).await, "id", "invalid_id").await;
    }

    async fn a_key_does_what_its_scopes_say_and_no_more(app: TestApp) {
        let (admin, other) = (app.admin().await, app.user().await);
        let reader = app.api_key(&admin, &["users:read"]).await.secret;
        assert_eq!(app.get("/api/v1/users", &reader).await.status(), 200);
        assert_eq!(app.get(&other.path(), &reader).await.status(), 200);
        problem(app.patch(&other.path(), &reader, &json!({"name": "A"})).await, 403, "forbidden").await;
        problem(app.get("/api/v1/roles", &reader).await, 403, "forbidden").await;
        problem(app.get("/api/v1/signing-keys", &reader).await, 403, "forbidden").await;
        let writer = app.api_key(&admin, &["users:write"]).await.secret;
        assert_eq!(app.patch(&other.path(), &writer, &json!({"name": "A"})).await.status(), 200);
        problem(app.get("/api/v1/users", &writer).await, 403, "forbidden").await;
        problem(app.patch(&other.path(), &writer, &json!({"role": "admin"})).await, 403, "permission_not_held").await;
        // The admin may do more than their key: to it, they are above.
        for body in [json!({"name": "A"}), json!({"email": app.fresh_email()}), json!({"role": "user"}), json!({"status": "disabled"})] {
            problem(app.patch(&admin.path(), &writer, &body).await, 403, "forbidden").await;
        }
        problem(app.delete(&admin.path(), &writer).await, 403, "forbidden").await;
    }

    async fn a_key_sees_its_owner(app: TestApp) {
        let user = app.user().await;
        let key = app.api_key(&user, &[]).await;
        let me = app.json("/api/v1/me", &key.secret).await;
        assert_eq!((&me["id"], &me["session"], &me["permissions"]), (&json!(user.id), &json!(null), &json!([])));
        assert_eq!(me["api_key"], json!({"id": key.id}));
        assert_eq!(app.json(&user.path(), &key.secret).await["email"], user.email);
        problem(app.get(&app.user().await.path(), &key.secret).await, 404, "user_not_found").await;
    }

    async fn a_key_is_not_its_owner(app: TestApp) {
        for user in [app.user().await, app.admin().await] {
            let key = app.api_key(&user, &[]).await.secret;
            let password = json!({"current_password": crate::harness::PASSWORD, "new_password": "another good one"});
            problem(app.put("/api/v1/me/password", &key, &password).await, 403, "forbidden").await;
            problem(create(&app, &key, json!({"name": "K", "scopes": []})).await, 403, "forbidden").await;
            problem(app.get(KEYS, &key).await, 403, "forbidden").await;
            problem(app.get("/api/v1/sessions", &key).await, 403, "forbidden").await;
            problem(app.delete("/api/v1/sessions", &key).await, 403, "forbidden").await;
            problem(app.delete("/api/v1/sessions/current", &key).await, 403, "forbidden").await;
            problem(app.delete(&format!("/api/v1/sessions/{}", user.session_id), &key).await, 403, "forbidden").await;
            problem(app.patch(&user.path(), &key, &json!({"name": "A"})).await, 403, "forbidden").await;
            problem(app.delete(&user.path(), &key).await, 403, "forbidden").await;
            assert_eq!(app.me_status(&user.token).await, 200);
        }
    }

    async fn a_key_with_the_scope_looks_after_sessions(app: TestApp) {
        let (admin, user) = (app.admin().await, app.user().await);
        let key = app.api_key(&admin, &["sessions:read", "sessions:write"]).await.secret;
        assert_eq!(app.json("/api/v1/sessions", &key).await[0]["is_current"], json!(false));
        assert_eq!(app.json(&format!("/api/v1/sessions?user_id={}", user.id), &key).await[0]["id"], user.session_id);
        assert_eq!(app.delete(&format!("/api/v1/sessions/{}", user.session_id), &key).await.status(), 204);
        assert_eq!(app.me_status(&user.token).await, 401);
        problem(app.delete("/api/v1/sessions?except=current", &key).await, 403, "forbidden").await;
        // It carries less than its owner holds, so it is not the owner.
        problem(app.delete("/api/v1/sessions", &key).await, 403, "forbidden").await;
        assert_eq!(app.me_status(&admin.token).await, 200);
        let clerk = app.user_who_may("sessions:read sessions:write").await;
        let key = app.api_key(&clerk, &["sessions:read", "sessions:write"]).await.secret;
        assert_eq!(app.delete("/api/v1/sessions", &key).await.json::<Value>().await.unwrap(), json!({"ended": 1}));
        assert_eq!(app.me_status(&clerk.token).await, 401);
        assert_eq!(app.me_status(&key).await, 200, "a key is no session");
    }

    async fn a_key_carries_no_more_than_its_owner_holds(app: TestApp) {
        let (user, clerk) = (app.user().await, app.user_who_may("users:read").await);
        for (who, scopes) in [(&user, json!(["users:read"])), (&clerk, json!(["users:read", "users:write"]))] {
            problem(create(&app, &who.token, json!({"name": "K", "scopes": scopes})).await, 403, "permission_not_held").await;
        }
        assert_eq!(create(&app, &clerk.token, json!({"name": "K", "scopes": ["users:read"]})).await.status(), 201);
    }

    async fn a_key_narrows_with_its_owner(app: TestApp) {
        let (admin, other) = (app.admin().await, app.admin().await);
        let key = app.api_key(&other, &["users:read", "roles:read"]).await;
        app.role("support", "users:read").await;
        for (role, users, roles) in [("support", 200, 403), ("user", 403, 403), ("admin", 200, 200), ("user", 403, 403)] {
            assert_eq!(app.patch(&other.path(), &admin.token, &json!({"role": role})).await.status(), 200);
            assert_eq!(app.get("/api/v1/users", &key.secret).await.status(), users, "{role}");
            assert_eq!(app.get("/api/v1/roles", &key.secret).await.status(), roles, "{role}");
        }
        assert_eq!(app.json("/api/v1/me", &key.secret).await["permissions"], json!([]));
        assert_eq!(app.json(&key.path(), &other.token).await["scopes"], json!(["users:read", "roles:read"]));
        problem(rotate(&app, &other.token, &key, json!({})).await, 403, "permission_not_held").await;
    }

    async fn a_key_dies_with_its_owner(app: TestApp) {
        let (admin, user) = (app.admin().await, app.user().await);
        let key = app.api_key(&user, &[]).await;
        for (status, expected) in [("disabled", 401), ("active", 200)] {
            assert_eq!(app.patch(&user.path(), &admin.token, &json!({"status": status})).await.status(), 200);
            assert_eq!(app.me_status(&key.secret).await, expected);
        }
        assert_eq!(app.delete(&user.path(), &admin.token).await.status(), 204);
        problem(app.get("/api/v1/me", &key.secret).await, 401, "invalid_token").await;
        problem(app.get(&key.path(), &admin.token).await, 404, "api_key_not_found").await;
    }

    async fn a_deleted_key_is_dead_at_once(app: TestApp) {
        let user = app.user().await;
        let (key, kept) = (app.api_key(&user, &[]).await, app.api_key(&user, &[]).await);
        assert_eq!(app.me_status(&key.secret).await, 200);
        let stale = app.request(Method::DELETE, &key.path(), Some(&user.token)).header("if-match", "\"7\"");
        problem(stale.send().await.unwrap(), 412, "stale").await;
        assert_eq!(app.delete(&key.path(), &user.token).await.status(), 204);
        problem(app.get("/api/v1/me", &key.secret).await, 401, "invalid_token").await;
        problem(app.delete(&key.path(), &user.token).await, 404, "api_key_not_found").await;
        assert_eq!(app.me_status(&kept.secret).await, 200);
        assert_eq!(ids(&app, &user.token, "").await, [kept.id]);
    }

    async fn a_key_ends_when_it_says(world: World) {
        let (app, clock) = under_a_fake_clock(&world, &[]).await;
        let user = app.user().await;
        let me = app.json("/api/v1/me", &user.token).await;
        let now = denizen_domain::time::Timestamp::parse(me["created_at"].as_str().unwrap()).unwrap();
        let until = now.plus_seconds(100).to_string();
        let response = create(&app, &user.token, json!({"name": "K", "scopes": [], "expires_at": until})).await;
        let body: Value = response.json().await.unwrap();
        assert_eq!(body["expires_at"], until);
        let key = Key::of(&body).secret;
        clock.advance_s(99);
        assert_eq!(app.me_status(&key).await, 200);
        clock.advance_us(999_999);
        assert_eq!(app.me_status(&key).await, 200);
        clock.advance_us(1);
        problem(app.get("/api/v1/me", &key).await, 401, "invalid_token").await;
        clock.advance_us(-1_000_000);
        let past = json!({"name": "K", "scopes": [], "expires_at": app.services.clock.now().to_string()});
        field_problem(create(&app, &user.token, past).await, "expires_at", "in_the_past").await;
    }

    async fn the_secret_before_works_for_the_overlap(world: World) {
        let (app, clock) = under_a_fake_clock(&world, &[("sessions.access_ttl_s", "3600")]).await;
        let user = app.user().await;
        let first = app.api_key(&user, &[]).await;
        let second = rotated(&app, &user, &first, json!({"overlap_s": 60})).await;
        assert_eq!(second.id, first.id);
        assert_ne!(second.secret, first.secret);
        clock.advance_us(59_999_999);
        assert_eq!((app.me_status(&first.secret).await, app.me_status(&second.secret).await), (200, 200));
        clock.advance_us(1);
        assert_eq!((app.me_status(&first.secret).await, app.me_status(&second.secret).await), (401, 200));
        let third = rotated(&app, &user, &second, json!({"overlap_s": 0})).await;
        assert_eq!((app.me_status(&second.secret).await, app.me_status(&third.secret).await), (401, 200));
        let fourth = rotated(&app, &user, &third, json!({"overlap_s": 600})).await;
        let fifth = rotated(&app, &user, &fourth, json!({"overlap_s": 600})).await;
        assert_eq!(app.me_status(&third.secret).await, 401, "two secrets work at most");
        assert_eq!((app.me_status(&fourth.secret).await, app.me_status(&fifth.secret).await), (200, 200));
        let shown = app.json(&fifth.path(), &user.token).await;
        assert_eq!(shown["rotated_at"], json!(app.services.clock.now().to_string()));
        assert_eq!(app.delete(&fifth.path(), &user.token).await.status(), 204);
        assert_eq!((app.me_status(&fourth.secret).await, app.me_status(&fifth.secret).await), (401, 401));
    }

    async fn an_overlap_is_a_day_when_nothing_is_said(world: World) {
        let (app, clock) = under_a_fake_clock(&world, &[]).await;
        let user = app.user().await;
        let first = app.api_key(&user, &[]).await;
        rotated(&app, &user, &first, json!({})).await;
        clock.advance_s(DAY_S - 1);
        assert_eq!(app.me_status(&first.secret).await, 200);
        clock.advance_s(1);
        assert_eq!(app.me_status(&first.secret).await, 401);
    }

    async fn of_many_rotations_from_one_version_one_wins(app: TestApp) {
        let user = app.user().await;
        let key = app.api_key(&user, &[]).await;
        let tag = app.get(&key.path(), &user.token).await.headers()["etag"].clone();
        let tasks: Vec<_> = (0..16).map(|_| {
            let request = app.request(Method::POST, &format!("{}/rotate", key.path()), Some(&user.token));
            tokio::spawn(request.header("if-match", tag.clone()).json(&json!({})).send())
        }).collect();
        let mut winners = Vec::new();
        for task in tasks {
            let response = task.await.unwrap().unwrap();
            if response.status() == 200 {
                winners.push(Key::of(&response.json().await.unwrap()));
            } else {
                problem(response, 412, "stale").await;
            }
        }
        assert_eq!(winners.len(), 1);
        assert_eq!(app.me_status(&winners[0].secret).await, 200);
    }

    async fn a_key_that_was_tampered_with_is_refused(app: TestApp) {
        let user = app.user().await;
        let (key, other) = (app.api_key(&user, &[]).await.secret, app.api_key(&user, &[]).await.secret);
        let encoded = key.strip_prefix("dnk_").unwrap();
        let bytes = URL_SAFE_NO_PAD.decode(encoded).unwrap();
        let mut forged: Vec<String> = (0..bytes.len()).map(|at| {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1 << (at % 8);
            format!("dnk_{}", URL_SAFE_NO_PAD.encode(flipped))
        }).collect();
        forged.extend([4, 5, 10, 26, 50, 66, 67].map(|length| key[..length].to_owned()));
        forged.extend(["A", "=", "==", "AAAA", "\u{e9}"].map(|more| format!("{key}{more}")));
        forged.push(format!("dnk_{}{}", &encoded[..22], &other[26..]));
        forged.push(format!("dnk_{}", &encoded.replace(['-', '_'], "+")[..63]));
        forged.push(format!("DNK_{encoded}"));
        forged.push(encoded.to_owned());
        forged.push(format!("dnr_{encoded}"));
        forged.push(format!("dnk_{}", "A".repeat(64)));
        forged.push(format!("dnk_{}", "A".repeat(5_000)));
        for key in forged {
            let response = app.request(Method::GET, "/api/v1/me", None).header("authorization", format!("Bearer {key}").as_bytes());
            problem(response.send().await.unwrap(), 401, "invalid_token").await;
        }
        assert_eq!(app.me_status(&key).await, 200);
    }

    async fn lists_say_whose_keys(app: TestApp) {
        let (admin, user) = (app.admin().await, app.user().await);
        let account = app.service_account("admin").await;
        let theirs = app.api_key(&user, &[]).await.id;
        let programs = app.service_key(&account, "service_accounts:read").await;
        let own = [app.api_key(&admin, &[]).await.id, app.api_key(&admin, &[]).await.id];
        let newest = vec![own[1].clone(), own[0].clone()];
        assert_eq!(ids(&app, &admin.token, "").await, newest);
        assert_eq!(ids(&app, &admin.token, "all=false").await, newest);
        assert_eq!(ids(&app, &admin.token, "limit=1&offset=1").await, [own[0].clone()]);
        assert_eq!(ids(&app, &admin.token, &format!("user_id={}", user.id)).await, [theirs.as_str()]);
        assert_eq!(ids(&app, &admin.token, &format!("service_account_id={account}")).await, [programs.id.as_str()]);
        assert_eq!(ids(&app, &programs.secret, "").await, [programs.id.as_str()], "a program's own");
        let all = [newest, vec![programs.id.clone(), theirs]].concat();
        assert_eq!(ids(&app, &admin.token, "all=true").await, all);
        let first = app.get(&format!("{KEYS}?all=true&limit=3&count=true"), &admin.token).await;
        assert_eq!(first.headers()["x-total-count"], "4");
        let link = first.headers()["link"].to_str().unwrap().to_owned();
        let next = link.strip_prefix("</api/v1/api-keys?").unwrap().strip_suffix(">; rel=\"next\"").unwrap();
        assert_eq!(ids(&app, &admin.token, next).await, all[3..]);
        let (by_user, by_account) = (format!("user_id={}", user.id), format!("service_account_id={account}"));
        for (query, field, code) in [
            (format!("{by_user}&{by_account}"), "service_account_id", "not_allowed"),
            (format!("{by_user}&all=true"), "all", "not_allowed"),
            (format!("{by_account}&all=true"), "all", "not_allowed"),
            ("all=yes".to_owned(), "all", "invalid_value"),
            ("user_id=me".to_owned(), "user_id", "invalid_id"),
            ("service_account_id=".to_owned(), "service_account_id", "invalid_id"),
            ("owner=me".to_owned(), "owner", "unknown_field"),
        ] {
            field_problem(app.get(&format!("{KEYS}?{query}"), &admin.token).await, field, code).await;
        }
    }

    async fn others_keys_are_seen_and_deleted_by_those_who_may(app: TestApp) {
        let (reader, writer, user) = (app.user_who_may("api_keys:read").await, app.user_who_may("api_keys:write").await, app.user().await);
        let key = app.api_key(&user, &[]).await;
        let account = app.service_account("user").await;
        let programs = app.service_key(&account, "").await;
        assert_eq!(app.json(&key.path(), &reader.token).await["user_id"], user.id);
        problem(app.delete(&key.path(), &reader.token).await, 403, "forbidden").await;
        problem(app.get(&key.path(), &writer.token).await, 404, "api_key_not_found").await;
        problem(rotate(&app, &writer.token, &key, json!({})).await, 404, "api_key_not_found").await;
        for token in [&reader.token, &writer.token] {
            problem(app.get(&programs.path(), token).await, 404, "api_key_not_found").await;
            problem(app.delete(&programs.path(), token).await, 404, "api_key_not_found").await;
        }
        problem(app.get(&format!("{KEYS}?all=true"), &reader.token).await, 403, "forbidden").await;
        assert_eq!(app.delete(&key.path(), &writer.token).await.status(), 204);
        assert_eq!(app.me_status(&key.secret).await, 401);
    }

    async fn a_use_is_noted(app: TestApp) {
        let user = app.user().await;
        let key = app.api_key(&user, &[]).await;
        let before = app.get(&key.path(), &user.token).await.headers()["etag"].to_str().unwrap().to_owned();
        assert_eq!(app.me_status(&key.secret).await, 200);
        denizen_domain::usage::record(&app.services).await.unwrap();
        let response = app.request(Method::GET, &key.path(), Some(&user.token)).header("if-none-match", &before).send().await.unwrap();
        assert_eq!(response.status(), 200, "what shows has changed");
        assert!(response.json::<Value>().await.unwrap()["last_used_at"].is_string());
        // A use is not a change: the tag from before still allows one.
        let request = app.request(Method::DELETE, &key.path(), Some(&user.token)).header("if-match", before);
        assert_eq!(request.send().await.unwrap().status(), 204);
    }
}
