//! Sessions that were opened through a provider: how they were authenticated, and that they end with the provider.

use std::time::Duration;

use serde_json::{Value, json};
use sqlx::{Connection, Executor};

use super::issuer::{CLIENT_ID, CLIENT_SECRET, Issuer};
use super::{APP, Browser, ada, exchange, signed_in};
use crate::anonymous_growth::sql;
use crate::assurance::assurance;
use crate::harness::{SignedIn, TestApp, World, eventually, on_both, problem};
use crate::sessions::felt;
use crate::totp::Authenticator as Codes;

const ACME: &str = "/api/v1/providers/acme";

/// A server whose provider `acme` is in the database.
async fn serve(world: &World, issuer: &Issuer) -> (TestApp, SignedIn) {
    let app = world.serve(&[("sign_in.redirect_urls", APP), ("sign_in.provider_allowed_hosts", "127.0.0.1")]).await;
    let admin = app.admin().await;
    let settings = json!({"issuer": issuer.url(), "client_id": CLIENT_ID, "trust_mfa": true});
    let body = json!({"name": "acme", "settings": settings, "client_secret": CLIENT_SECRET});
    assert_eq!(app.post_as("/api/v1/providers", &admin.token, &body).await.status(), 201);
    (app, admin)
}

async fn sign_in(app: &TestApp, issuer: &Issuer, name: &str, amr: Value) -> String {
    let mut claims = ada();
    claims["sub"] = json!(name);
    claims["email"] = json!(format!("{name}@example.com"));
    claims["amr"] = amr;
    issuer.user(claims);
    let body = signed_in(app, &Browser::new().sign_in(app).await).await;
    body["access_token"].as_str().unwrap().to_owned()
}

on_both! {
    async fn a_session_names_its_methods_and_its_identity(world: World) {
        let issuer = Issuer::start().await;
        let (app, _) = serve(&world, &issuer).await;
        for (amr, expected, acr) in [(json!(["pwd"]), &["fed"][..], "aal1"), (json!(["pwd", "mfa"]), &["fed", "mfa"], "aal2")] {
            let token = sign_in(&app, &issuer, "ada", amr).await;
            let found = assurance(&app, &token).await;
            assert_eq!((found.0.iter().map(String::as_str).collect::<Vec<_>>().as_slice(), found.1.as_str()), (expected, acr));
            let identities = app.json("/api/v1/me/identities", &token).await;
            let sessions = app.json("/api/v1/sessions", &token).await;
            assert_eq!(sessions[0]["identity_id"], identities[0]["id"]);
        }
    }

    async fn disabling_a_provider_ends_its_sessions_on_every_node(world: World) {
        let issuer = Issuer::start().await;
        let (app, admin) = serve(&world, &issuer).await;
        let there = world.serve(&[("sign_in.redirect_urls", APP), ("sign_in.provider_allowed_hosts", "127.0.0.1")]).await;
        let mut tokens = Vec::new();
        for name in ["ada", "grace", "ada"] {
            tokens.push(sign_in(&app, &issuer, name, json!([])).await);
            assert_eq!(there.me_status(&tokens[tokens.len() - 1]).await, 200);
        }
        let elsewhere = app.user().await;
        assert_eq!(app.patch(ACME, &admin.token, &json!({"enabled": false})).await.status(), 200);
        for token in &tokens {
            assert_eq!(app.me_status(token).await, 401);
            felt(&there, token).await;
        }
        assert_eq!(app.me_status(&elsewhere.token).await, 200, "it was opened with a password");
        assert_eq!(app.me_status(&admin.token).await, 200);
        let events = app.json("/api/v1/audit?limit=200", &admin.token).await;
        let ended = events.as_array().unwrap().iter().filter(|event| event["type"] == "session.ended");
        let reasons: Vec<_> = ended.map(|event| &event["data"]["reason"]).collect();
        assert_eq!(reasons, [&json!("provider_disabled"); 3]);
    }

    async fn a_sign_in_that_is_not_finished_ends_with_its_provider(world: World) {
        let issuer = Issuer::start().await;
        let (app, admin) = serve(&world, &issuer).await;
        let role = app.json("/api/v1/roles/user", &admin.token).await;
        let required = json!({"description": role["description"], "permissions": [], "second_factor": "required"});
        assert_eq!(app.put("/api/v1/roles/user", &admin.token, &required).await.status(), 200);
        issuer.user(ada());
        let challenged = exchange(&app, &Browser::new().sign_in(&app).await).await;
        assert_eq!(challenged.status(), 202);
        let body: Value = challenged.json().await.unwrap();
        let path = format!("/api/v1/sessions/challenges/{}", body["challenge_id"].as_str().unwrap());
        let made: Value = app.post(&format!("{path}/totp"), &json!({})).await.json().await.unwrap();
        let code = Codes::scan(made["uri"].as_str().unwrap()).code(app.services.clock.now());

        assert_eq!(app.patch(ACME, &admin.token, &json!({"enabled": false})).await.status(), 200);
        problem(app.post(&path, &json!({"code": code})).await, 401, "invalid_code").await;
        problem(app.post(&format!("{path}/totp"), &json!({})).await, 401, "invalid_code").await;
    }

    async fn the_database_decides_between_a_sign_in_and_the_end_of_its_provider(world: World) {
        // On SQLite, one write follows the other.
        if world.sqlite_file().is_some() {
            return;
        }
        let issuer = Issuer::start().await;
        let (app, _) = serve(&world, &issuer).await;
        issuer.user(ada());
        let code = Browser::new().sign_in(&app).await;
        let mut other = sqlx::PgConnection::connect(&world.database_url).await.unwrap();
        other.execute("BEGIN").await.unwrap();
        other.execute("UPDATE providers SET is_enabled = false").await.unwrap();
        let finish = async {
            eventually("a sign-in that waits", Duration::from_secs(10), async || {
                sql(&world, "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()").await == 1
            })
            .await;
            other.execute("COMMIT").await.unwrap();
        };
        let (response, ()) = tokio::join!(exchange(&app, &code), finish);
        problem(response, 404, "provider_not_found").await;
        assert_eq!(sql(&world, "SELECT count(*) FROM sessions WHERE identity_id IS NOT NULL").await, 0);
    }

    async fn an_interrupted_deletion_can_be_continued(world: World) {
        let issuer = Issuer::start().await;
        let (app, admin) = serve(&world, &issuer).await;
        let token = sign_in(&app, &issuer, "ada", json!([])).await;
        sql(&world, "UPDATE providers SET is_enabled = false, version = version + 1").await;
        assert_eq!(app.me_status(&token).await, 200);
        assert_eq!(app.delete(ACME, &admin.token).await.status(), 204);
        assert_eq!(app.me_status(&token).await, 401);
        assert_eq!(app.get(ACME, &admin.token).await.status(), 404);
    }

    async fn an_expired_session_does_not_delay_the_end_of_its_provider(world: World) {
        let issuer = Issuer::start().await;
        let (app, admin) = serve(&world, &issuer).await;
        sign_in(&app, &issuer, "ada", json!([])).await;
        sql(&world, "UPDATE sessions SET expires_at = 1 WHERE identity_id IS NOT NULL").await;
        assert_eq!(app.patch(ACME, &admin.token, &json!({"enabled": false})).await.status(), 200);
        assert_eq!(app.delete(ACME, &admin.token).await.status(), 204);
    }

    async fn deleting_a_provider_ends_its_sessions(world: World) {
        let issuer = Issuer::start().await;
        let (app, admin) = serve(&world, &issuer).await;
        let token = sign_in(&app, &issuer, "ada", json!([])).await;
        assert_eq!(app.delete(ACME, &admin.token).await.status(), 204);
        assert_eq!(app.me_status(&token).await, 401);
    }
}
