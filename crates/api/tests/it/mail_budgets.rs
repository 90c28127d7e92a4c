//! How much mail one client, one account and one mailbox cause or receive, over every route.

use std::time::Duration;

use denizen_proto::v1;
use reqwest::{Method, Response};
use serde_json::{Value, json};
use tonic::Code;

use crate::grpc::{Rpc, refused};
use crate::harness::{PASSWORD, SignedIn, TestApp, eventually, on_both, problem};

async fn post_from(app: &TestApp, address: &str, path: &str, body: &Value) -> Response {
    let request = app.request(Method::POST, path, None).header("x-forwarded-for", address);
    request.json(body).send().await.unwrap()
}

async fn sign_up_from(app: &TestApp, address: &str) -> Response {
    let body = json!({"email": app.fresh_email(), "password": PASSWORD, "name": "Some Body"});
    post_from(app, address, "/api/v1/users", &body).await
}

async fn change(app: &TestApp, user: &SignedIn, email: &str) -> Response {
    app.post_as("/api/v1/email-changes", &user.token, &json!({"email": email})).await
}

async fn invite(app: &TestApp, admin: &SignedIn, email: &str) -> Response {
    app.post_as("/api/v1/invitations", &admin.token, &json!({"email": email})).await
}

on_both! {
    async fn sign_ups_of_one_client_are_bounded(
        app: TestApp, "limits.sign_up_mails_per_hour" = "5", "server.trusted_proxies" = "127.0.0.0/8"
    ) {
        for n in 0..5 {
            assert_eq!(sign_up_from(&app, &format!("2001:db8:1:2::{n}")).await.status(), 201);
        }
        problem(sign_up_from(&app, "2001:db8:1:2:ffff::9").await, 429, "too_many_requests").await;
        let request = v1::CreateUserRequest {
            email: app.fresh_email(), password: PASSWORD.into(), name: "Some Body".into(), ..Default::default()
        };
        let mut request = tonic::Request::new(request);
        request.metadata_mut().insert("x-forwarded-for", "2001:db8:1:2::7".parse().unwrap());
        refused(Rpc::to(&app).users().create_user(request).await, Code::ResourceExhausted, "too_many_requests");
        assert_eq!(sign_up_from(&app, "2001:db8:1:3::1").await.status(), 201);
        // An administrator is not counted by the client that they share with others.
        let admin = app.admin().await;
        let body = json!({"email": app.fresh_email(), "password": PASSWORD, "name": "Some Body"});
        let request = app.request(Method::POST, "/api/v1/users", Some(&admin.token)).header("x-forwarded-for", "2001:db8:1:2::1");
        assert_eq!(request.json(&body).send().await.unwrap().status(), 201);
        app.all_is_sent().await;
        let mails = || (1..20).map(|n| app.letters_to(&format!("user{n}@example.com")).len()).sum::<usize>();
        eventually("eight mails", Duration::from_secs(10), async || mails() == 8).await;
    }

    async fn one_account_asks_for_few_address_changes(app: TestApp, "limits.account_mails_per_hour" = "3") {
        let (user, other) = (app.user().await, app.user().await);
        for n in 0..3 {
            assert_eq!(change(&app, &user, &format!("victim{n}@example.org")).await.status(), 202);
        }
        problem(change(&app, &user, "victim3@example.org").await, 429, "too_many_requests").await;
        let patched = app.patch(&user.path(), &user.token, &json!({"email": "victim4@example.org"})).await;
        problem(patched, 429, "too_many_requests").await;
        let request = v1::RequestEmailChangeRequest { email: "victim5@example.org".into() };
        let answer = Rpc::to(&app).by(&user.token).credentials().request_email_change(request).await;
        refused(answer, Code::ResourceExhausted, "too_many_requests");
        assert_eq!(change(&app, &other, "mine@example.org").await.status(), 202);
        app.all_is_sent().await;
        let counts: Vec<_> = (0..6).map(|n| app.letters_to(&format!("victim{n}@example.org")).len()).collect();
        assert_eq!(counts, [1, 1, 1, 0, 0, 0]);
        // What is refused changes nothing: the last link that was mailed is still the pending one.
        let token = app.token_to("victim2@example.org", "confirm-email").await;
        assert_eq!(app.post("/api/v1/email-changes/confirm", &json!({"token": token})).await.status(), 204);
    }

    async fn one_account_is_bounded_over_two_nodes(world: World) {
        let settings = [("limits.account_mails_per_hour", "4")];
        let nodes = [world.serve(&settings).await, world.serve(&settings).await];
        let user = nodes[0].user().await;
        let changes = (0..16).map(|n| {
            let body = json!({"email": format!("victim{n}@example.org")});
            let request = nodes[n % 2].request(Method::POST, "/api/v1/email-changes", Some(&user.token)).json(&body);
            tokio::spawn(async move { request.send().await.unwrap().status().as_u16() })
        });
        let mut accepted = 0;
        for one in changes.collect::<Vec<_>>() {
            match one.await.unwrap() {
                202 => accepted += 1,
                status => assert_eq!(status, 429),
            }
        }
        assert_eq!(accepted, 4);
    }

    async fn known_and_unknown_addresses_are_counted_alike(
        app: TestApp, "limits.mail_requests_per_hour" = "6", "server.trusted_proxies" = "127.0.0.0/8",
        "sign_in.mailed_codes" = "true", "sign_in.magic_links" = "true"
    ) {
        let user = app.user().await;
        let routes = ["/api/v1/password-resets", "/api/v1/email-verifications", "/api/v1/sessions/magic-links"];
        for (n, email) in [user.email.as_str(), "nobody@example.com"].iter().enumerate() {
            let address = format!("192.0.2.{n}");
            for path in routes.iter().chain(&routes) {
                assert_eq!(post_from(&app, &address, path, &json!({"email": email})).await.status(), 202, "{path}");
            }
            for path in routes {
                problem(post_from(&app, &address, path, &json!({"email": email})).await, 429, "too_many_requests").await;
            }
        }
    }

    async fn one_mailbox_is_not_flooded_by_invitations(app: TestApp, "limits.mails_per_hour" = "2") {
        let admin = app.admin().await;
        for _ in 0..5 {
            assert_eq!(invite(&app, &admin, "guest@example.org").await.status(), 201);
        }
        app.all_is_sent().await;
        assert_eq!(app.letters_to("guest@example.org").len(), 2);
        // The last link that was mailed stays valid.
        let token = app.tokens_to("guest@example.org", "accept-invitation", 2).await.remove(1);
        let body = json!({"token": token, "password": PASSWORD});
        assert_eq!(app.post("/api/v1/invitations/accept", &body).await.status(), 200);
    }

    async fn a_stranger_gets_few_notifications_of_an_account_with_their_address(
        app: TestApp, "limits.account_mails_per_hour" = "2"
    ) {
        let user = app.user().await;
        let passwords = ["brown horses under rain", PASSWORD];
        let change = async |n: usize| {
            let (current, new) = (passwords[(n + 1) % 2], passwords[n % 2]);
            let body = json!({"current_password": current, "new_password": new});
            assert_eq!(app.put("/api/v1/me/password", &user.token, &body).await.status(), 204);
        };
        let notices = || app.letters_to(&user.email).iter().filter(|letter| letter.subject.contains("password")).count();
        for n in 0..4 {
            change(n).await;
        }
        eventually("two notices", Duration::from_secs(10), async || notices() == 2).await;
        // Once the address is proven, its owner hears of every change.
        let token = app.tokens_to(&user.email, "verify-email", 1).await.remove(0);
        let body = json!({"token": token, "password": PASSWORD});
        assert_eq!(app.post("/api/v1/email-verifications/confirm", &body).await.status(), 204);
        for n in 0..2 {
            change(n).await;
        }
        eventually("four notices", Duration::from_secs(10), async || notices() >= 4).await;
        app.all_is_sent().await;
        assert_eq!(notices(), 4);
    }

    async fn an_administrator_invites_many(app: TestApp, "limits.account_mails_per_hour" = "1") {
        let admin = app.admin().await;
        for n in 0..50 {
            assert_eq!(invite(&app, &admin, &format!("guest{n}@example.org")).await.status(), 201);
        }
        problem(invite(&app, &admin, "guest50@example.org").await, 429, "too_many_requests").await;
    }
}
