//! Nobody can tell from a refusal whether there is an account: neither by what it says nor by what it costs.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use denizen_domain::access::{Actor, Origin};
use denizen_domain::credentials::{Password, PasswordAttempt, PasswordHash};
use denizen_domain::error::{Error, Unauthenticated};
use denizen_domain::ports::{HashError, HashLoad, HashRefusal, PasswordHasher, Verdict};
use denizen_domain::sessions::{self, DeviceClaim, SignInTotals};
use denizen_domain::users::{AttributesSchemas, Totals, TypedEmail};
use denizen_domain::{Ctx, Services};
use reqwest::Response;
use serde_json::{Value, json};

use crate::harness::{PASSWORD, TestApp, on_both};

/// Notes what is hashed, and has another one do it.
struct Counting {
    hasher: Arc<dyn PasswordHasher>,
    done: Arc<Mutex<Vec<&'static str>>>,
}

impl Counting {
    fn note(&self, what: &'static str) {
        self.done.lock().unwrap().push(what);
    }
}

#[async_trait]
impl PasswordHasher for Counting {
    fn check_room(&self, origin: &Origin) -> Result<(), HashError> {
        self.hasher.check_room(origin)
    }

    async fn hash(&self, password: &Password, origin: &Origin) -> Result<PasswordHash, HashError> {
        self.note("another hash");
        self.hasher.hash(password, origin).await
    }

    async fn verify(
        &self,
        attempt: &PasswordAttempt,
        stored: &PasswordHash,
        origin: &Origin,
    ) -> Result<Verdict, HashError> {
        self.note("one hash");
        self.hasher.verify(attempt, stored, origin).await
    }

    fn load(&self) -> HashLoad {
        self.hasher.load()
    }

    async fn verify_nobody(&self, attempt: &PasswordAttempt, origin: &Origin) -> Result<(), HashError> {
        self.note("one hash");
        self.hasher.verify_nobody(attempt, origin).await
    }

    fn adopt(&self, encoded: &str) -> Result<Option<PasswordHash>, HashRefusal> {
        self.hasher.adopt(encoded)
    }
}

/// The services of a server with a hasher that counts.
fn counting(app: &TestApp) -> (Arc<Services>, Arc<Mutex<Vec<&'static str>>>) {
    let (of, done) = (&app.services, Arc::<Mutex<Vec<_>>>::default());
    let services = Services {
        store: Arc::clone(&of.store),
        clock: Arc::clone(&of.clock),
        random: Arc::clone(&of.random),
        hasher: Arc::new(Counting { hasher: Arc::clone(&of.hasher), done: Arc::clone(&done) }),
        tokens: Arc::clone(&of.tokens),
        signing_keys: Arc::clone(&of.signing_keys),
        usage: Arc::clone(&of.usage),
        vault: Arc::clone(&of.vault),
        account_throttle: Arc::clone(&of.account_throttle),
        mailer: Arc::clone(&of.mailer),
        sign_in_hook: None,
        hooks: None,
        providers: of.providers.clone(),
        federation: Arc::clone(&of.federation),
        webhook_sender: Arc::clone(&of.webhook_sender),
        webauthn: Arc::clone(&of.webauthn),
        attributes_schemas: AttributesSchemas::default(),
        user_totals: Totals::default(),
        sign_ins: SignInTotals::default(),
        policy: of.policy.clone(),
    };
    (Arc::new(services), done)
}

/// An answer as somebody sees it who cannot read what differs for each request.
async fn seen(response: Response) -> (u16, Vec<(String, usize)>, Value) {
    let status = response.status().as_u16();
    let mut headers: Vec<_> =
        response.headers().iter().map(|(name, value)| (name.to_string(), value.as_bytes().len())).collect();
    headers.sort();
    let mut body: Value = response.json().await.unwrap_or(Value::Null);
    if let Some(id) = body.pointer_mut("/error/request_id") {
        *id = json!(id.as_str().unwrap().len());
    }
    if let Some(id) = body.get_mut("challenge_id") {
        *id = json!(id.as_str().unwrap().len());
    }
    (status, headers, body)
}

on_both! {
    async fn known_and_unknown_addresses_are_answered_alike(
        app: TestApp, "sign_in.mailed_codes" = "true", "sign_in.magic_links" = "true"
    ) {
        let user = app.user().await;
        let unknown = "nobody1@example.com".replace("nobody1", &"n".repeat(user.email.find('@').unwrap()));
        assert_eq!(unknown.len(), user.email.len());
        for (path, mut body) in [
            ("sessions", json!({"password": "not the password"})),
            ("password-resets", json!({})),
            ("email-verifications", json!({})),
            ("sessions/codes", json!({})),
            ("sessions/magic-links", json!({})),
        ] {
            let path = format!("/api/v1/{path}");
            body["email"] = json!(user.email);
            let known = seen(app.post(&path, &body).await).await;
            body["email"] = json!(unknown);
            let other = seen(app.post(&path, &body).await).await;
            assert_eq!(known, other, "{path}");
        }
        let change = async |email: &str| {
            let other = app.user().await;
            seen(app.post_as("/api/v1/email-changes", &other.token, &json!({"email": email})).await).await
        };
        assert_eq!(change(&user.email).await, change(&unknown).await);
    }

    async fn every_refused_sign_in_costs_one_hash(app: TestApp) {
        let (known, disabled, admin) = (app.user().await, app.user().await, app.admin().await);
        assert_eq!(app.patch(&disabled.path(), &admin.token, &json!({"status": "disabled"})).await.status(), 200);
        app.import(&admin, concat!(
            "{\"email\":\"passwordless@example.com\",\"name\":\"P\"}\n",
            "{\"email\":\"invited@example.com\",\"name\":\"I\",\"status\":\"invited\"}\n",
        )).await;
        let (services, done) = counting(&app);
        for (email, password) in [
            (known.email.as_str(), "a wrong password"),
            ("nobody@example.com", "a wrong password"),
            (&disabled.email, "a wrong password"),
            (&disabled.email, PASSWORD),
            ("passwordless@example.com", PASSWORD),
            ("invited@example.com", PASSWORD),
        ] {
            let ctx = Ctx::new(Arc::clone(&services), Actor::Anonymous, Origin::default());
            let attempt = PasswordAttempt::parse(&password.into()).unwrap();
            let refused = sessions::sign_in(&ctx, &TypedEmail::parse(email).unwrap(), attempt, DeviceClaim::default()).await;
            assert!(matches!(refused, Err(Error::Unauthenticated(Unauthenticated::InvalidCredentials))), "{email}");
            assert_eq!(std::mem::take(&mut *done.lock().unwrap()), ["one hash"], "{email}");
        }
    }

    async fn known_and_unknown_accounts_look_alike(app: TestApp, "limits.failures_free" = "3", "limits.failures_delay_s" = "600") {
        let user = app.user().await;
        for n in 0..5 {
            let mut answers = Vec::new();
            for email in [user.email.as_str(), "nobody@example.com"] {
                let response = app.try_sign_in(email, "a guess").await;
                let status = response.status().as_u16();
                let names: Vec<_> = response.headers().keys().map(ToString::to_string).collect();
                let told = ["retry-after", "www-authenticate", "content-length", "cache-control"].map(|name| response.headers().get(name).cloned());
                answers.push((status, names, told, response.bytes().await.unwrap().len()));
            }
            // What is left to wait may have passed a second in between.
            let [known, unknown] = &answers[..] else { unreachable!() };
            assert_eq!((known.0, &known.1, known.3), (unknown.0, &unknown.1, unknown.3), "try {n}");
            assert_eq!(known.2[1..], unknown.2[1..], "try {n}");
            assert_eq!(known.0, if n < 3 { 401 } else { 429 });
        }
    }
}
