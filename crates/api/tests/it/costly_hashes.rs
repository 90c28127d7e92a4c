//! Imported password hashes that cost far more than ours: what is refused, and what others notice of the rest.

use std::sync::Arc;
use std::time::Duration;

use denizen_domain::access::Origin;
use denizen_domain::credentials::{Password, PasswordAttempt, PasswordHash};
use denizen_domain::id::UserId;
use denizen_domain::ports::PasswordHasher;
use denizen_infra::clock::SystemChance;
use denizen_infra::passwords::{AdmissionLimits, Argon2Hasher, Cost};
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{PASSWORD, TestApp, on_both, problem, timed};

/// A hash of [`PASSWORD`] that takes a third of a second: the slow lane, and still within what an import accepts.
async fn costly_hash() -> String {
    let cost = Cost { memory_kib: 65_536, iterations: 8, parallelism: 1 };
    let limits = AdmissionLimits { concurrency: 1, queue: 1, deadline: Duration::from_secs(30) };
    let hasher = Argon2Hasher::new(cost, limits, Arc::new(SystemChance)).unwrap();
    let password = Password::from_verified(&PasswordAttempt::parse(&PASSWORD.into()).unwrap());
    hasher.hash(&password, &Origin::default()).await.unwrap().expose().to_owned()
}

async fn sign_in_from(app: &TestApp, address: &str, email: &str, password: &str) -> u16 {
    let body = json!({"email": email, "password": password});
    let request = app.request(Method::POST, "/api/v1/sessions", None).header("x-forwarded-for", address);
    request.json(&body).send().await.unwrap().status().as_u16()
}

async fn stored_hash(app: &TestApp, id: UserId) -> String {
    app.services.store.read().await.unwrap().find_password(id).await.unwrap().unwrap().expose().to_owned()
}

on_both! {
    async fn a_hash_beyond_the_bounds_is_refused_by_the_import(app: TestApp) {
        let admin = app.admin().await;
        let tail = "$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";
        let hashes = [
            format!("$argon2id$v=19$m=1048576,t=20,p=1{tail}"),
            format!("$argon2id$v=19$m=262144,t=7,p=1{tail}"),
            format!("{{ARGON2}}$argon2id$v=19$m=1048576,t=1,p=1{tail}"),
            "$2b$15$LTZTMn.LSWggOtk/CkByme/CuSGVEkgKwFeakF9vFroKnryimlKWO".to_owned(),
            "$scrypt$ln=18,r=8,p=2$c2FsdA$kEXVRrwFPwCAgHhxuuxKJKS/gHCQ9DOjFeaWR90jSvY".to_owned(),
        ];
        for hash in hashes {
            let line = json!({"email": "a@example.com", "name": "A", "password_hash": hash}).to_string();
            let report = app.import(&admin, line).await;
            let error = &report["errors"][0];
            let field = &error["fields"][0];
            assert_eq!((&error["line"], &field["field"]), (&json!(1), &json!("password_hash")), "{report}");
            assert_eq!(field["code"], "hash_too_costly", "{report}");
            assert!(!report.to_string().contains(&hash));
        }
    }

    async fn a_stored_hash_beyond_the_bounds_is_never_computed(app: TestApp, "security.hash_concurrency" = "1") {
        let user = app.user().await;
        let id = UserId::parse(&user.id).unwrap();
        let tail = "$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";
        let stored = PasswordHash::from_encoded(format!("$argon2id$v=19$m=1048576,t=20,p=1{tail}"));
        let mut tx = app.services.store.write().await.unwrap();
        tx.set_password(id, &stored, app.services.clock.now()).await.unwrap();
        tx.commit().await.unwrap();
        let (answer, took) = timed(app.try_sign_in(&user.email, PASSWORD)).await;
        problem(answer, 401, "invalid_credentials").await;
        assert!(took < Duration::from_secs(2), "{took:?}");
        // A reset by mail replaces it.
        assert_eq!(app.post("/api/v1/password-resets", &json!({"email": user.email})).await.status(), 202);
        let token = app.token_to(&user.email, "reset-password").await;
        let body = json!({"token": token, "new_password": PASSWORD});
        assert_eq!(app.post("/api/v1/password-resets/confirm", &body).await.status(), 204);
        app.sign_in(&user.email).await;
    }

    async fn others_sign_in_while_costly_hashes_are_tried(
        app: TestApp, "security.hash_concurrency" = "1", "security.hash_queue" = "8", "server.trusted_proxies" = "127.0.0.0/8"
    ) {
        let admin = app.admin().await;
        let hash = costly_hash().await;
        let costly: Vec<String> = (0..4).map(|n| format!("costly{n}@example.com")).collect();
        let lines: Vec<_> = costly.iter().map(|email| json!({"email": email, "name": "C", "password_hash": hash}).to_string()).collect();
        assert_eq!(app.import(&admin, lines.join("\n")).await["created"], 4);
        let ordinary = app.user().await;

        let app = Arc::new(app);
        let guesses: Vec<_> = (0..24)
            .map(|n| {
                let (app, email) = (Arc::clone(&app), costly[n % 4].clone());
                tokio::spawn(async move { sign_in_from(&app, &format!("192.0.2.{n}"), &email, "a guess").await })
            })
            .collect();
        let mut signed_in = 0;
        let mut longest = Duration::ZERO;
        while guesses.iter().any(|guess| !guess.is_finished()) {
            let (status, took) = timed(sign_in_from(&app, "198.51.100.1", &ordinary.email, PASSWORD)).await;
            // So many sign-ins of one account at once are limited by themselves.
            if status == 429 {
                break;
            }
            assert_eq!(status, 201, "after {signed_in}");
            (signed_in, longest) = (signed_in + 1, longest.max(took));
        }
        assert!(signed_in >= 3, "{signed_in}");
        assert!(longest < Duration::from_secs(2), "{longest:?}");
        for guess in guesses {
            let status = guess.await.unwrap();
            assert!(matches!(status, 401 | 429 | 503), "{status}");
        }

        // The owner gets in, and the hash is one of ours from then on.
        let user: Value = app.json(&format!("/api/v1/users?email={}", costly[0]), &admin.token).await;
        let id = UserId::parse(user[0]["id"].as_str().unwrap()).unwrap();
        assert_eq!(stored_hash(&app, id).await, hash);
        assert_eq!(sign_in_from(&app, "203.0.113.1", &costly[0], PASSWORD).await, 201);
        assert!(stored_hash(&app, id).await.starts_with("$argon2id$v=19$m=64,t=1,p=1$"));
    }
}
