//! Who holds what: people with a role, programs with a key.

use denizen_domain::access::Permissions;
use denizen_domain::api_keys::{self, NewApiKey};
use denizen_domain::credentials::NewPassword;
use denizen_domain::id::ServiceAccountId;
use denizen_domain::page::{Page, Total};
use denizen_domain::providers::manage::{self as providers, NewProvider};
use denizen_domain::providers::{ProviderName, ProviderSettings};
use denizen_domain::roles::{self, Description, NewRole, RoleName, SecondFactorPolicy};
use denizen_domain::service_accounts::{self, NewServiceAccount};
use denizen_domain::users::{self, Attributes, DisplayName, EmailAddress, NewUser, Status};
use denizen_domain::webhooks::{self, EventTypes, NewWebhook, WebhookChange, WebhookStatus, WebhookUrl};
use reqwest::{Method, Response};
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use crate::harness::{PASSWORD, SignedIn, TestApp};

/// An API key and its secret.
#[derive(Debug, Clone)]
pub(crate) struct Key {
    pub(crate) id: String,
    pub(crate) secret: String,
}

impl Key {
    pub(crate) fn path(&self) -> String {
        format!("/api/v1/api-keys/{}", self.id)
    }
}

impl TestApp {
    /// Sends JSON as somebody.
    pub(crate) async fn post_as(&self, path: &str, token: &str, body: &Value) -> Response {
        self.request(Method::POST, path, Some(token)).json(body).send().await.unwrap()
    }

    /// Makes a role, as the command line does.
    pub(crate) async fn role(&self, name: &str, permissions: &str) {
        let new = NewRole {
            name: RoleName::parse(name).unwrap(),
            description: Description::default(),
            permissions: Permissions::parse(permissions).unwrap(),
            second_factor: SecondFactorPolicy::Optional,
        };
        roles::create(&self.operator(), new).await.unwrap();
    }

    /// Makes a role that nobody has named, as the command line does.
    pub(crate) async fn fresh_role(&self, permissions: &str) -> String {
        let name = format!("role-of-{}", self.fresh_email().replace('@', "."));
        self.role(&name, permissions).await;
        name
    }

    /// Makes a user with a role, as the command line does, and signs them in.
    pub(crate) async fn holder(&self, role: &str) -> SignedIn {
        let email = self.fresh_email();
        let new = NewUser {
            email: EmailAddress::parse(&email).unwrap(),
            password: NewPassword::parse(&PASSWORD.into(), 8).unwrap(),
            name: DisplayName::parse("A Holder").unwrap(),
            role: Some(RoleName::parse(role).unwrap()),
            locale: None,
            attributes: Attributes::default(),
            app_attributes: None,
        };
        users::create(&self.operator(), new).await.unwrap();
        self.sign_in(&email).await
    }

    /// Makes a user who may do exactly this, and signs them in.
    pub(crate) async fn user_who_may(&self, permissions: &str) -> SignedIn {
        let role = self.fresh_role(permissions).await;
        self.holder(&role).await
    }

    /// Makes a service account with a role, as the command line does, and returns its id.
    pub(crate) async fn service_account(&self, role: &str) -> String {
        let new = NewServiceAccount {
            name: DisplayName::parse("A Program").unwrap(),
            description: Description::default(),
            role: RoleName::parse(role).unwrap(),
            status: Status::Active,
        };
        service_accounts::create(&self.operator(), new).await.unwrap().id.to_string()
    }

    /// Makes an API key for a service account, as the command line does.
    pub(crate) async fn service_key(&self, account: &str, scopes: &str) -> Key {
        let new = NewApiKey {
            name: DisplayName::parse("A key").unwrap(),
            scopes: Permissions::parse(scopes).unwrap(),
            expires_at: None,
            service_account: ServiceAccountId::parse(account),
        };
        let issued = api_keys::create(&self.operator(), new).await.unwrap();
        Key { id: issued.key.id.to_string(), secret: issued.secret.expose_secret().to_owned() }
    }

    /// A webhook that is not told anything: there may not be one for each test.
    pub(crate) async fn a_webhook(&self) -> String {
        let ctx = self.operator();
        let page = Page::new(Some(1), None, None).unwrap();
        if let Some(known) = webhooks::list(&ctx, page, Total::Skip).await.unwrap().items.first() {
            return known.id.to_string();
        }
        let new = NewWebhook {
            url: WebhookUrl::parse("https://nowhere.invalid/hook").unwrap(),
            description: Description::default(),
            types: EventTypes::default(),
            status: WebhookStatus::Active,
        };
        let id = webhooks::create(&ctx, new).await.unwrap().webhook.id;
        let change = WebhookChange { status: Some(WebhookStatus::Disabled), ..WebhookChange::default() };
        webhooks::update(&ctx, id, change, None).await.unwrap();
        id.to_string()
    }

    /// The name of a provider of the database at an address that leads nowhere.
    pub(crate) async fn a_provider(&self) -> String {
        let ctx = self.operator();
        let known = providers::list(&ctx).await.unwrap();
        if let Some(known) = known.iter().find(|known| known.stored.is_some()) {
            return known.name.to_string();
        }
        let settings = ProviderSettings {
            issuer: Some("https://nowhere.invalid".to_owned()),
            client_id: "denizen".to_owned(),
            ..ProviderSettings::default()
        };
        let name = ProviderName::parse("nowhere").unwrap();
        let new = NewProvider { name, settings, client_secret: Some("secret".into()), is_enabled: true };
        providers::create(&ctx, new).await.unwrap().name.to_string()
    }

    /// Makes an API key of one's own, over REST.
    pub(crate) async fn api_key(&self, owner: &SignedIn, scopes: &[&str]) -> Key {
        let response =
            self.post_as("/api/v1/api-keys", &owner.token, &json!({"name": "A key", "scopes": scopes})).await;
        assert_eq!(response.status(), 201);
        Key::of(&response.json().await.unwrap())
    }
}

impl Key {
    /// The key in the answer to its making or rotation.
    pub(crate) fn of(body: &Value) -> Self {
        Self { id: body["id"].as_str().unwrap().to_owned(), secret: body["key"].as_str().unwrap().to_owned() }
    }
}

/// A user, and one of each thing that a path can name besides.
pub(crate) struct Targets {
    pub(crate) user: SignedIn,
    /// Of the user.
    pub(crate) key: Key,
    pub(crate) role: String,
    pub(crate) account: String,
    /// The newest signing key.
    pub(crate) kid: String,
    /// Disabled, and at an address that leads nowhere.
    pub(crate) webhook: String,
    /// At an address that leads nowhere.
    pub(crate) provider: String,
}

impl Targets {
    pub(crate) async fn around(app: &TestApp, user: SignedIn) -> Self {
        let jwks = app.json("/.well-known/jwks.json", &user.token).await;
        Self {
            key: app.api_key(&user, &[]).await,
            role: app.fresh_role("users:read").await,
            account: app.service_account("user").await,
            kid: jwks["keys"][0]["kid"].as_str().unwrap().to_owned(),
            webhook: app.a_webhook().await,
            provider: app.a_provider().await,
            user,
        }
    }

    /// What the parameter of a documented path stands for.
    pub(crate) fn named_in(&self, path: &str) -> &str {
        match path.trim_start_matches("/api/v1/").split('/').next().unwrap() {
            "api-keys" => &self.key.id,
            "roles" => &self.role,
            "service-accounts" => &self.account,
            "sessions" => &self.user.session_id,
            "signing-keys" => &self.kid,
            "webhooks" => &self.webhook,
            "auth" | "providers" => &self.provider,
            _ => &self.user.id,
        }
    }
}

/// A documented path with its parameters, if it has any, replaced.
pub(crate) fn filled(path: &str, value: &str) -> String {
    match (path.find('{'), path.find('}')) {
        (Some(from), Some(to)) => format!("{}{value}{}", &path[..from], filled(&path[to + 1..], value)),
        _ => path.to_owned(),
    }
}
