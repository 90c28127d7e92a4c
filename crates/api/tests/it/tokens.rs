//! Access tokens and the public keys, seen with another implementation's eyes.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use denizen::app::Ambience;
use denizen_domain::access::Permissions;
use denizen_domain::auth_methods::AuthMethods;
use denizen_domain::id::{SessionId, UserId};
use denizen_domain::roles::RoleName;
use denizen_domain::time::Timestamp;
use denizen_domain::tokens::{AccessClaims, Authentication, TokenSubject};
use denizen_domain::users::EmailAddress;
use denizen_testkit::{FakeClock, SeededRandom};
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{SignedIn, TestApp, on_both, problem};

const ISSUER: &str = "https://accounts.example.com";

async fn jwks(app: &TestApp) -> JwkSet {
    app.request(Method::GET, "/.well-known/jwks.json", None).send().await.unwrap().json().await.unwrap()
}

/// The claims, verified as a service that knows nothing but the published keys does it.
async fn verified(app: &TestApp, token: &str) -> Value {
    let header = jsonwebtoken::decode_header(token).unwrap();
    let keys = jwks(app).await;
    let key = keys.find(header.kid.as_ref().unwrap()).expect("the key is published");
    let mut validation = Validation::new(Algorithm::ES256);
    validation.set_audience(&["denizen"]);
    validation.set_issuer(&[ISSUER]);
    validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
    jsonwebtoken::decode::<Value>(token, &DecodingKey::from_jwk(key).unwrap(), &validation).unwrap().claims
}

fn part(token: &str, at: usize) -> Value {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token.split('.').nth(at).unwrap()).unwrap()).unwrap()
}

fn encoded(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

async fn session_of(app: &TestApp, user: &SignedIn) -> SessionId {
    let me = app.json("/api/v1/me", &user.token).await;
    SessionId::parse(me["session"]["id"].as_str().unwrap()).unwrap()
}

/// A token of the server's own key with good claims but for what the test changes.
async fn signed(app: &TestApp, user: &SignedIn, change: impl FnOnce(&mut AccessClaims)) -> String {
    let now = app.services.clock.now();
    let mut claims = AccessClaims {
        issuer: ISSUER.to_owned(),
        audience: "denizen".to_owned(),
        subject: TokenSubject::User {
            id: UserId::parse(&user.id).unwrap(),
            session_id: session_of(app, user).await,
            email: EmailAddress::parse(&user.email).unwrap(),
            email_verified: false,
            authentication: Authentication { at: now, methods: AuthMethods::PASSWORD },
        },
        role: RoleName::user(),
        scope: Permissions::default(),
        issued_at: now,
        expires_at: now.plus_seconds(60),
        custom: Vec::new(),
    };
    change(&mut claims);
    app.services.tokens.sign(&claims).unwrap()
}

fn subject(claims: &mut AccessClaims) -> &mut UserId {
    let TokenSubject::User { id, .. } = &mut claims.subject else { panic!("a user's token") };
    id
}

fn session(claims: &mut AccessClaims) -> &mut SessionId {
    let TokenSubject::User { session_id, .. } = &mut claims.subject else { panic!("a user's token") };
    session_id
}

on_both! {
    async fn a_token_says_who_and_what(app: TestApp) {
        let (user, admin) = (app.user().await, app.admin().await);
        let claims = verified(&app, &user.token).await;
        let me = app.json("/api/v1/me", &user.token).await;
        assert_eq!(claims["iss"], ISSUER);
        assert_eq!(claims["aud"], "denizen");
        assert_eq!((&claims["sub"], &claims["email"]), (&me["id"], &me["email"]));
        assert_eq!(claims["sid"], me["session"]["id"]);
        assert_eq!((&claims["role"], &claims["scope"]), (&json!("user"), &json!("")));
        assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 900);
        assert!(claims["jti"].as_str().unwrap().len() >= 20);
        assert_eq!((&claims["client_id"], &claims["email_verified"]), (&json!("denizen"), &json!(false)));
        assert_eq!((&claims["amr"], &claims["acr"]), (&json!(["pwd"]), &json!("aal1")));
        assert!((claims["iat"].as_i64().unwrap() - claims["auth_time"].as_i64().unwrap()) < 60);
        assert_eq!(claims.as_object().unwrap().len(), 15);

        let header = part(&user.token, 0);
        assert_eq!((&header["typ"], &header["alg"]), (&json!("at+jwt"), &json!("ES256")));
        assert_eq!(header.as_object().unwrap().len(), 3);

        let claims = verified(&app, &admin.token).await;
        assert_eq!((&claims["role"], &claims["scope"]), (&json!("admin"), &json!(Permissions::ALL.to_string())));
    }

    async fn the_published_keys_are_public_and_cached(app: TestApp) {
        let response = app.request(Method::GET, "/.well-known/jwks.json", None).send().await.unwrap();
        assert_eq!(response.headers()["content-type"], "application/json");
        assert_eq!(response.headers()["cache-control"], "public, max-age=300");
        let tag = response.headers()["etag"].clone();
        let body: Value = response.json().await.unwrap();
        let keys = body["keys"].as_array().unwrap();
        assert_eq!(keys.len(), 1);
        let mut names: Vec<_> = keys[0].as_object().unwrap().keys().map(String::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["alg", "crv", "kid", "kty", "use", "x", "y"], "nothing private");
        let again = app.request(Method::GET, "/.well-known/jwks.json", None).header("if-none-match", tag).send().await.unwrap();
        assert_eq!(again.status(), 304);

        let metadata = app.request(Method::GET, "/.well-known/openid-configuration", None).send().await.unwrap();
        let metadata: Value = metadata.json().await.unwrap();
        assert_eq!(metadata["issuer"], ISSUER);
        assert_eq!(metadata["jwks_uri"], format!("{ISSUER}/.well-known/jwks.json"));
    }

    async fn a_token_that_was_tampered_with_is_refused(app: TestApp) {
        let (user, admin) = (app.user().await, app.admin().await);
        let [header, payload, signature] = <[&str; 3]>::try_from(user.token.split('.').collect::<Vec<_>>()).unwrap();
        let admin_payload = admin.token.split('.').nth(1).unwrap();
        let with_header = |change: &dyn Fn(&mut Value)| {
            let mut value = part(&user.token, 0);
            change(&mut value);
            format!("{}.{payload}.{signature}", encoded(&value))
        };
        let mut raised = part(&user.token, 1);
        raised["role"] = json!("admin");
        let mut flipped = URL_SAFE_NO_PAD.decode(signature).unwrap();
        flipped[10] ^= 1;
        let kid = part(&user.token, 0)["kid"].as_str().unwrap().to_owned();
        // Key confusion: the public key as the secret of an HMAC.
        let public = serde_json::to_vec(&jwks(&app).await).unwrap();
        let hmac_header = Header { kid: Some(kid.clone()), typ: Some("at+jwt".into()), ..Header::new(Algorithm::HS256) };
        let hmac_key = EncodingKey::from_secret(&public).unwrap();
        let hmac = jsonwebtoken::encode(&hmac_header, &part(&user.token, 1), &hmac_key).unwrap();
        for forged in [
            format!("{header}.{admin_payload}.{signature}"),
            format!("{header}.{}.{signature}", encoded(&raised)),
            format!("{header}.{payload}.{}", URL_SAFE_NO_PAD.encode(flipped)),
            format!("{header}.{payload}."),
            format!("{header}.{payload}"),
            format!("{header}.{payload}.{signature}."),
            format!("{header}.{payload}.{signature}A"),
            format!("{header}.{payload}.{}", URL_SAFE_NO_PAD.encode([0; 64])),
            format!("{}.{payload}.", encoded(&json!({"typ": "at+jwt", "alg": "none", "kid": kid}))),
            with_header(&|header| header["alg"] = json!("none")),
            with_header(&|header| header["typ"] = json!("JWT")),
            with_header(&|header| header["kid"] = json!("../../etc/passwd")),
            with_header(&|header| header["jku"] = json!("https://evil.example/jwks.json")),
            with_header(&|header| header["crit"] = json!(["exp"])),
            hmac,
            "x".repeat(5_000),
            "..".to_owned(),
        ] {
            problem(app.get("/api/v1/me", &forged).await, 401, "invalid_token").await;
        }
        assert_eq!(app.me_status(&user.token).await, 200);
    }

    async fn good_signatures_under_wrong_claims_are_refused(app: TestApp) {
        let (user, other) = (app.user().await, app.user().await);
        let foreign = session_of(&app, &other).await;
        let now = app.services.clock.now();
        let good = signed(&app, &user, |_| {}).await;
        assert_eq!(app.me_status(&good).await, 200);
        for bad in [
            signed(&app, &user, |claims| claims.issuer = "https://evil.example".into()).await,
            signed(&app, &user, |claims| claims.issuer = format!("{ISSUER}/")).await,
            signed(&app, &user, |claims| claims.audience = "another".into()).await,
            signed(&app, &user, |claims| *session(claims) = foreign).await,
            signed(&app, &user, |claims| *session(claims) = SessionId::parse(&user.id).unwrap()).await,
            signed(&app, &user, |claims| *subject(claims) = UserId::parse(&other.id).unwrap()).await,
            signed(&app, &user, |claims| claims.expires_at = now).await,
            signed(&app, &user, |claims| claims.expires_at = Timestamp::from_micros(0)).await,
            signed(&app, &user, |claims| claims.issued_at = now.plus_seconds(90)).await,
        ] {
            problem(app.get("/api/v1/me", &bad).await, 401, "invalid_token").await;
        }
    }

    async fn the_role_in_a_token_opens_nothing(app: TestApp) {
        let user = app.user().await;
        let raised = signed(&app, &user, |claims| {
            claims.role = RoleName::admin();
            claims.scope = Permissions::ALL;
        }).await;
        assert_eq!(app.get("/api/v1/users", &raised).await.status(), 403, "the store is asked, not the token");
    }

    async fn a_token_lives_so_long_and_no_longer(world: World) {
        let clock = Arc::new(FakeClock::default());
        let ambience = Ambience { clock: Arc::clone(&clock) as Arc<_>, random: Arc::new(SeededRandom::new(7)) };
        let app = world.serve_in(&[("sessions.access_ttl_s", "300")], ambience).await;
        let user = app.user().await;
        assert_eq!(app.me_status(&user.token).await, 200);
        clock.advance_s(299);
        assert_eq!(app.me_status(&user.token).await, 200);
        clock.advance_s(2);
        problem(app.get("/api/v1/me", &user.token).await, 401, "invalid_token").await;
        assert_eq!(app.me_status(&app.sign_in(&user.email).await.token).await, 200);
    }

    async fn a_session_ends_in_any_case(world: World) {
        let clock = Arc::new(FakeClock::default());
        let ambience = Ambience { clock: Arc::clone(&clock) as Arc<_>, random: Arc::new(SeededRandom::new(8)) };
        let settings = [("sessions.absolute_ttl_s", "100"), ("sessions.idle_ttl_s", "100"), ("sessions.access_ttl_s", "100")];
        let app = world.serve_in(&settings, ambience).await;
        let user = app.user().await;
        let longer = signed(&app, &user, |claims| claims.expires_at = claims.issued_at.plus_seconds(1_000)).await;
        clock.advance_s(99);
        assert_eq!(app.me_status(&longer).await, 200);
        clock.advance_s(2);
        problem(app.get("/api/v1/me", &longer).await, 401, "invalid_token").await;
    }

    async fn a_restart_keeps_tokens_good(world: World) {
        let before = world.serve(&[]).await;
        let user = before.user().await;
        let keys = serde_json::to_value(jwks(&before).await).unwrap();
        drop(before);
        let after = world.serve(&[]).await;
        assert_eq!(serde_json::to_value(jwks(&after).await).unwrap(), keys);
        assert_eq!(after.me_status(&user.token).await, 200);
    }
}
