//! Revocations against the requests of those who lose by them: whatever was revoked does nothing more, on any node.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use denizen_domain::events::Event;
use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::events_walk::{head, records_after};
use crate::harness::{PASSWORD, SignedIn, TestApp, World, eventually, on_both};
use crate::totp::Authenticator;

const NEW: &str = "another good one";
/// How many connections keep asking.
const CONNECTIONS: usize = 8;
/// How often each asks again after the revocation was answered.
const AFTERWARDS: usize = 2;

type Nodes = Arc<[TestApp; 2]>;

async fn nodes(world: &World) -> Nodes {
    Arc::new([world.serve(&[]).await, world.serve(&[]).await])
}

/// The same request over and over, over several connections to two nodes.
struct Flood {
    is_over: Arc<AtomicBool>,
    begun: Arc<AtomicUsize>,
    tasks: JoinSet<Vec<u16>>,
}

impl Flood {
    async fn of(nodes: &Nodes, request: impl Fn(&TestApp, usize) -> RequestBuilder + Send + Sync + 'static) -> Self {
        let request = Arc::new(request);
        let flood = Self { is_over: Arc::default(), begun: Arc::default(), tasks: JoinSet::new() };
        let mut flood = flood;
        for at in 0..CONNECTIONS {
            let (nodes, request) = (Arc::clone(nodes), Arc::clone(&request));
            let (is_over, begun) = (Arc::clone(&flood.is_over), Arc::clone(&flood.begun));
            flood.tasks.spawn(async move {
                let (mut statuses, mut left) = (Vec::new(), AFTERWARDS);
                for round in 0.. {
                    if is_over.load(Ordering::Relaxed) {
                        if left == 0 {
                            break;
                        }
                        left -= 1;
                    }
                    let response = request(&nodes[at % 2], round * CONNECTIONS + at).send().await.unwrap();
                    statuses.push(response.status().as_u16());
                    begun.fetch_add(1, Ordering::Relaxed);
                }
                statuses
            });
        }
        // All of them are at it.
        eventually("the flood", Duration::from_secs(20), async || flood.begun.load(Ordering::Relaxed) >= CONNECTIONS)
            .await;
        flood
    }

    /// Ends it; what was asked meanwhile was answered, and never by a failure.
    async fn end(self) -> Vec<u16> {
        self.is_over.store(true, Ordering::Relaxed);
        let statuses = self.tasks.join_all().await.concat();
        assert!(statuses.iter().all(|status| *status < 500 || *status == 503), "{statuses:?}");
        statuses
    }
}

fn patch(app: &TestApp, path: &str, token: &str, body: &Value) -> RequestBuilder {
    let request = app.request(Method::PATCH, path, Some(token));
    request.header("content-type", "application/merge-patch+json").body(body.to_string())
}

/// The records of what a credential did after it was revoked.
async fn done_by_the_dead(app: &TestApp, since: i64, credential: &str, is_end: impl Fn(&Event) -> bool) -> Vec<String> {
    // Every record has its place once the log has been sealed.
    app.services.store.seal_events().await.unwrap();
    let records = records_after(app, since).await;
    let end = records.iter().position(is_end).expect("the revocation is recorded");
    let is_of_it = |event: &&Event| event.actor.credential.is_some_and(|(_, id)| id.to_string() == credential);
    records[end + 1..].iter().filter(is_of_it).map(|event| event.kind.clone()).collect()
}

fn is_end_of(event: &Event, kind: &str, field: &str, id: &str) -> bool {
    event.kind == kind && serde_json::to_value(&event.data).unwrap()[field] == id
}

async fn demoted(app: &TestApp, boss: &SignedIn, whom: &SignedIn, body: &Value) {
    let response = app.patch(&whom.path(), &boss.token, body).await;
    assert_eq!(response.status(), 200, "the revocation is not kept waiting");
}

/// A way to end a thief's session.
#[derive(Debug, Clone, Copy)]
enum Ending {
    PasswordChange,
    PasswordReset,
    SignOutEverywhere,
    ByAnAdmin,
    SecondFactor,
}

const ENDINGS: [Ending; 5] =
    [Ending::PasswordChange, Ending::PasswordReset, Ending::SignOutEverywhere, Ending::ByAnAdmin, Ending::SecondFactor];

impl Ending {
    /// What the owner asks for that ends the other sessions.
    async fn request(self, app: &TestApp, owner: &SignedIn, admin: &SignedIn) -> RequestBuilder {
        let own = |method, path: &str| app.request(method, path, Some(&owner.token));
        match self {
            Self::PasswordChange => own(Method::PUT, "/api/v1/me/password")
                .json(&json!({"current_password": PASSWORD, "new_password": NEW})),
            Self::PasswordReset => {
                assert_eq!(app.post("/api/v1/password-resets", &json!({"email": owner.email})).await.status(), 202);
                let token = app.token_to(&owner.email, "reset-password").await;
                let request = app.request(Method::POST, "/api/v1/password-resets/confirm", None);
                request.json(&json!({"token": token, "new_password": NEW}))
            }
            Self::SignOutEverywhere => own(Method::DELETE, "/api/v1/sessions"),
            Self::ByAnAdmin => {
                app.request(Method::DELETE, &format!("/api/v1/sessions?user_id={}", owner.id), Some(&admin.token))
            }
            Self::SecondFactor => {
                let made: Value = app.post_as("/api/v1/me/totp", &owner.token, &json!({})).await.json().await.unwrap();
                let code = Authenticator::scan(made["uri"].as_str().unwrap()).code(app.services.clock.now());
                own(Method::POST, "/api/v1/me/totp/confirm").json(&json!({"code": code}))
            }
        }
    }
}

async fn confirm_all(app: &TestApp, email: &str) -> Vec<u16> {
    app.all_is_sent().await;
    let mut statuses = Vec::new();
    for token in app.tokens_so_far(email, "confirm-email") {
        let response: Response = app.post("/api/v1/email-changes/confirm", &json!({"token": token})).await;
        statuses.push(response.status().as_u16());
    }
    statuses
}

on_both! {
    async fn an_admin_who_is_demoted_or_disabled_stays_so(world: World) {
        let nodes = nodes(&world).await;
        let boss = nodes[0].admin().await;
        for round in 0..6 {
            let admin = nodes[round % 2].admin().await;
            let (path, token) = (admin.path(), admin.token.clone());
            let flood = Flood::of(&nodes, move |app, _| patch(app, &path, &token, &json!({"role": "admin", "status": "active"}))).await;
            let change = if round % 2 == 0 { json!({"role": "user"}) } else { json!({"status": "disabled"}) };
            demoted(&nodes[0], &boss, &admin, &change).await;
            flood.end().await;
            let now = nodes[0].json(&admin.path(), &boss.token).await;
            for (field, value) in change.as_object().unwrap() {
                assert_eq!(now[field], *value, "round {round}");
            }
        }
    }

    async fn a_role_that_is_narrowed_is_not_widened_by_its_holders(world: World) {
        let nodes = nodes(&world).await;
        let boss = nodes[0].admin().await;
        let wide = "users:read roles:read roles:write";
        for round in 0..6 {
            let role = nodes[0].fresh_role(wide).await;
            let holders = [nodes[0].holder(&role).await, nodes[1].holder(&role).await];
            let path = format!("/api/v1/roles/{role}");
            let body = json!({"permissions": wide.split(' ').collect::<Vec<_>>()});
            let (target, tokens) = (path.clone(), holders.map(|holder| holder.token));
            let flood = Flood::of(&nodes, move |app, at| {
                app.request(Method::PUT, &target, Some(&tokens[at / 2 % 2])).json(&body)
            }).await;
            let narrow = json!({"permissions": ["roles:read"]});
            assert_eq!(nodes[round % 2].put(&path, &boss.token, &narrow).await.status(), 200);
            flood.end().await;
            assert_eq!(nodes[0].json(&path, &boss.token).await["permissions"], narrow["permissions"], "round {round}");
        }
    }

    async fn a_session_that_was_ended_begins_no_change_of_address(world: World) {
        let nodes = nodes(&world).await;
        let admin = nodes[0].admin().await;
        for how in ENDINGS {
            let owner = nodes[0].user().await;
            let thief = nodes[1].sign_in(&owner.email).await;
            let (email, token) = (nodes[0].fresh_email(), thief.token.clone());
            let ending = how.request(&nodes[0], &owner, &admin).await;
            let since = head(&nodes[0]).await;
            let body = json!({"email": email});
            let flood = Flood::of(&nodes, move |app, _| {
                app.request(Method::POST, "/api/v1/email-changes", Some(&token)).json(&body)
            }).await;
            let ended = ending.send().await.unwrap();
            assert!(ended.status().is_success(), "{how:?}: {}", ended.status());
            let statuses = flood.end().await;
            assert!(statuses.contains(&401), "{how:?}: {statuses:?}");
            let is_end = |event: &Event| is_end_of(event, "session.ended", "session_id", &thief.session_id);
            let done = done_by_the_dead(&nodes[0], since, &thief.session_id, is_end).await;
            assert!(done.is_empty(), "{how:?}: {done:?}");
            if matches!(how, Ending::PasswordChange | Ending::PasswordReset) {
                let confirmed = confirm_all(&nodes[1], &email).await;
                assert!(!confirmed.contains(&204), "{how:?}: {confirmed:?}");
                assert_eq!(nodes[0].json(&owner.path(), &admin.token).await["email"], owner.email.as_str(), "{how:?}");
            }
        }
    }

    async fn a_program_that_was_revoked_does_nothing_more(world: World) {
        let nodes = nodes(&world).await;
        let admin = nodes[0].admin().await;
        let role = nodes[0].fresh_role("roles:write roles:read").await;
        for round in 0..4 {
            let account = nodes[0].service_account(&role).await;
            let key = nodes[0].service_key(&account, "roles:write roles:read").await;
            let secret = key.secret.clone();
            let since = head(&nodes[0]).await;
            let flood = Flood::of(&nodes, move |app, at| {
                let body = json!({"name": format!("made-{round}-{at}"), "permissions": []});
                app.request(Method::POST, "/api/v1/roles", Some(&secret)).json(&body)
            }).await;
            let path = format!("/api/v1/service-accounts/{account}");
            let (response, kind) = match round {
                0 => (nodes[1].delete(&key.path(), &admin.token).await, "api_key.deleted"),
                1 => {
                    let body = json!({"overlap_s": 0});
                    (nodes[1].post_as(&format!("{}/rotate", key.path()), &admin.token, &body).await, "api_key.rotated")
                }
                2 => (nodes[0].patch(&path, &admin.token, &json!({"status": "disabled"})).await, "service_account.updated"),
                _ => (nodes[0].delete(&path, &admin.token).await, "service_account.deleted"),
            };
            assert!(response.status().is_success(), "{kind}: {}", response.status());
            let statuses = flood.end().await;
            assert!(statuses.contains(&201), "{kind}: {statuses:?}");
            let done = done_by_the_dead(&nodes[0], since, &key.id, |event| event.kind == kind).await;
            assert!(done.is_empty(), "{kind}: {done:?}");
        }
    }

    async fn sixty_four_changes_of_oneself_wait_for_each_other(world: World) {
        let nodes = nodes(&world).await;
        let user = nodes[0].user().await;
        let tasks: Vec<_> = (0..64).map(|at| {
            let request = patch(&nodes[at % 2], &user.path(), &user.token, &json!({"name": format!("Name {at}")}));
            tokio::spawn(request.send())
        }).collect();
        for task in tasks {
            assert_eq!(task.await.unwrap().unwrap().status(), 200);
        }
    }

    async fn two_admins_who_change_each_other_never_wait_in_a_circle(world: World) {
        let nodes = nodes(&world).await;
        let (boss, admins) = (nodes[0].admin().await, [nodes[0].admin().await, nodes[1].admin().await]);
        let tasks: Vec<_> = (0..48).map(|at| {
            let (by, whom) = (&admins[at / 2 % 2], &admins[1 - at / 2 % 2]);
            tokio::spawn(patch(&nodes[at % 2], &whom.path(), &by.token, &json!({"name": format!("Name {at}")})).send())
        }).collect();
        for task in tasks {
            assert_eq!(task.await.unwrap().unwrap().status(), 200);
        }
        // Of two who demote each other one wins, and the other one has lost the right to.
        for _ in 0..4 {
            let tasks: Vec<_> = (0..2).map(|at| {
                let request = patch(&nodes[at], &admins[1 - at].path(), &admins[at].token, &json!({"role": "user"}));
                tokio::spawn(request.send())
            }).collect();
            let mut statuses = Vec::new();
            for task in tasks {
                statuses.push(task.await.unwrap().unwrap().status().as_u16());
            }
            statuses.sort_unstable();
            // Refused by the write, or, where the node knows already, like anybody who may not see users.
            assert!(matches!(statuses[..], [200, 403 | 404]), "{statuses:?}");
            for admin in &admins {
                assert_eq!(nodes[0].patch(&admin.path(), &boss.token, &json!({"role": "admin"})).await.status(), 200);
            }
            for (at, admin) in admins.iter().enumerate() {
                let knows = async || nodes[at].get("/api/v1/users", &admin.token).await.status() == 200;
                eventually("an admin again", Duration::from_secs(5), knows).await;
            }
        }
    }
}
