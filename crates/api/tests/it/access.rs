//! Every operation for every kind of caller, in one table. An operation without a row fails the test.

use std::collections::BTreeSet;

use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::harness::{PASSWORD, TestApp, on_both};
use crate::holders::Targets;

/// What each caller gets: nobody; a key, without scopes, of the user that the path names; that user; another user; a
/// program whose role is `user`; an admin.
pub(crate) struct Row {
    pub(crate) operation: &'static str,
    pub(crate) expected: [u16; 6],
}

pub(crate) const CALLERS: [&str; 6] = ["nobody", "a key of oneself", "oneself", "another", "a program", "an admin"];

const fn row(operation: &'static str, expected: [u16; 6]) -> Row {
    Row { operation, expected }
}

pub(crate) const TABLE: &[Row] = &[
    //                                            nobody key self other program admin
    row("api_keys.create", [401, 403, 201, 201, 403, 201]),
    row("api_keys.create for a service account", [401, 403, 403, 403, 403, 201]),
    row("api_keys.delete", [401, 404, 204, 404, 404, 204]),
    row("api_keys.get", [401, 404, 200, 404, 404, 200]),
    row("api_keys.list", [401, 403, 200, 200, 403, 200]),
    row("api_keys.list of a user", [401, 403, 200, 404, 404, 200]),
    row("api_keys.list of a service account", [401, 403, 403, 403, 403, 200]),
    row("api_keys.list of all", [401, 403, 403, 403, 403, 200]),
    row("api_keys.rotate", [401, 404, 200, 404, 404, 403]),
    row("audit.export", [401, 403, 403, 403, 403, 200]),
    row("audit.head", [401, 403, 403, 403, 403, 200]),
    row("audit.list", [401, 403, 403, 403, 403, 200]),
    row("auth.begin", [400, 400, 400, 400, 400, 400]),
    row("auth.callback", [400, 400, 400, 400, 400, 400]),
    row("auth.callback_form", [415, 415, 415, 415, 415, 415]),
    row("auth.nonces.create", [201, 201, 201, 201, 201, 201]),
    row("auth.providers", [200, 200, 200, 200, 200, 200]),
    row("challenges.enrol", [401, 401, 401, 401, 401, 401]),
    row("challenges.finish", [401, 401, 401, 401, 401, 401]),
    row("challenges.passkey", [401, 401, 401, 401, 401, 401]),
    row("challenges.passkey_options", [401, 401, 401, 401, 401, 401]),
    row("challenges.passkeys.create", [401, 401, 401, 401, 401, 401]),
    row("challenges.passkeys.options", [401, 401, 401, 401, 401, 401]),
    row("email_changes.confirm", [400, 400, 400, 400, 400, 400]),
    row("email_changes.create", [401, 403, 202, 202, 403, 202]),
    row("email_verifications.confirm", [400, 400, 400, 400, 400, 400]),
    row("email_verifications.create", [202, 202, 202, 202, 202, 202]),
    row("events.list", [401, 403, 403, 403, 403, 200]),
    row("events.revocations", [401, 403, 403, 403, 200, 200]),
    row("events.schemas", [200, 200, 200, 200, 200, 200]),
    row("events.stream", [401, 403, 200, 200, 403, 200]),
    row("events.tickets.create", [401, 403, 201, 201, 403, 201]),
    row("events.ws", [401, 403, 426, 426, 403, 426]),
    row("health.get", [200, 200, 200, 200, 200, 200]),
    row("health.live", [200, 200, 200, 200, 200, 200]),
    row("health.ready", [200, 200, 200, 200, 200, 200]),
    row("health.startup", [200, 200, 200, 200, 200, 200]),
    row("invitations.accept", [400, 400, 400, 400, 400, 400]),
    row("invitations.create", [401, 403, 403, 403, 403, 201]),
    row("invitations.passkeys.create", [400, 400, 400, 400, 400, 400]),
    row("invitations.passkeys.options", [400, 400, 400, 400, 400, 400]),
    row("me.change_password", [401, 403, 204, 204, 403, 204]),
    row("me.data", [401, 403, 200, 200, 403, 200]),
    row("me.events", [401, 403, 200, 200, 403, 200]),
    row("me.factors", [401, 403, 200, 200, 403, 200]),
    row("me.get", [401, 200, 200, 200, 403, 200]),
    row("me.identities.link", [401, 403, 400, 400, 403, 400]),
    row("me.identities.list", [401, 403, 200, 200, 403, 200]),
    row("me.identities.unlink", [401, 403, 404, 404, 403, 404]),
    row("me.passkeys.create", [401, 403, 400, 400, 403, 400]),
    row("me.passkeys.delete", [401, 403, 404, 404, 403, 404]),
    row("me.passkeys.list", [401, 403, 200, 200, 403, 200]),
    row("me.passkeys.options", [401, 403, 200, 200, 403, 200]),
    row("me.passkeys.update", [401, 403, 404, 404, 403, 404]),
    row("me.recovery_codes.replace", [401, 403, 404, 404, 403, 404]),
    row("me.totp.confirm", [401, 403, 404, 404, 403, 404]),
    row("me.totp.create", [401, 403, 201, 201, 403, 201]),
    row("me.totp.delete", [401, 403, 404, 404, 403, 404]),
    row("metadata.get", [200, 200, 200, 200, 200, 200]),
    row("metadata.jwks", [200, 200, 200, 200, 200, 200]),
    row("metadata.oauth", [200, 200, 200, 200, 200, 200]),
    row("metadata.passkey_endpoints", [200, 200, 200, 200, 200, 200]),
    row("metadata.webauthn", [200, 200, 200, 200, 200, 200]),
    row("oauth2.introspect", [401, 403, 403, 403, 200, 200]),
    row("oauth2.revoke", [200, 200, 200, 200, 200, 200]),
    row("oauth2.token", [200, 200, 200, 200, 200, 200]),
    row("password_resets.confirm", [400, 400, 400, 400, 400, 400]),
    row("password_resets.create", [202, 202, 202, 202, 202, 202]),
    row("password_resets.passkeys.create", [400, 400, 400, 400, 400, 400]),
    row("password_resets.passkeys.options", [400, 400, 400, 400, 400, 400]),
    row("permissions.list", [401, 200, 200, 200, 200, 200]),
    row("providers.create", [401, 403, 403, 403, 403, 201]),
    row("providers.delete", [401, 403, 403, 403, 403, 204]),
    row("providers.get", [401, 403, 403, 403, 403, 200]),
    row("providers.list", [401, 403, 403, 403, 403, 200]),
    row("providers.replace", [401, 403, 403, 403, 403, 200]),
    row("providers.test", [401, 403, 403, 403, 403, 200]),
    row("providers.update", [401, 403, 403, 403, 403, 200]),
    row("roles.create", [401, 403, 403, 403, 403, 201]),
    row("roles.delete", [401, 403, 403, 403, 403, 204]),
    row("roles.get", [401, 403, 403, 403, 403, 200]),
    row("roles.list", [401, 403, 403, 403, 403, 200]),
    row("roles.replace", [401, 403, 403, 403, 403, 200]),
    row("service_accounts.create", [401, 403, 403, 403, 403, 201]),
    row("service_accounts.delete", [401, 403, 403, 403, 403, 204]),
    row("service_accounts.get", [401, 403, 403, 403, 403, 200]),
    row("service_accounts.list", [401, 403, 403, 403, 403, 200]),
    row("service_accounts.replace", [401, 403, 403, 403, 403, 200]),
    row("service_accounts.update", [401, 403, 403, 403, 403, 200]),
    row("sessions.create", [201, 201, 201, 201, 201, 201]),
    row("sessions.csrf_token", [401, 401, 401, 401, 401, 401]),
    row("sessions.end", [401, 403, 204, 404, 404, 204]),
    row("sessions.end_all", [401, 403, 200, 200, 403, 200]),
    row("sessions.end_all of a user", [401, 403, 200, 404, 404, 200]),
    row("sessions.end_current", [401, 403, 204, 204, 403, 204]),
    row("sessions.follow_link", [400, 400, 400, 400, 400, 400]),
    row("sessions.list", [401, 403, 200, 200, 403, 200]),
    row("sessions.list of a user", [401, 403, 200, 404, 404, 200]),
    row("sessions.create_by_id_token", [401, 401, 401, 401, 401, 401]),
    row("sessions.exchange", [401, 401, 401, 401, 401, 401]),
    row("sessions.passkeys.create", [401, 401, 401, 401, 401, 401]),
    row("sessions.passkeys.options", [200, 200, 200, 200, 200, 200]),
    row("sessions.refresh", [200, 200, 200, 200, 200, 200]),
    row("sessions.request_code", [202, 202, 202, 202, 202, 202]),
    row("sessions.request_link", [202, 202, 202, 202, 202, 202]),
    row("sessions.step_up", [401, 403, 204, 204, 403, 204]),
    row("sessions.step_up_options", [401, 403, 404, 404, 403, 404]),
    row("signing_keys.list", [401, 403, 403, 403, 403, 200]),
    row("signing_keys.rotate", [401, 403, 403, 403, 403, 201]),
    row("signing_keys.withdraw", [401, 403, 403, 403, 403, 204]),
    row("users.create", [201, 201, 201, 201, 201, 201]),
    row("users.create with a role", [401, 403, 403, 403, 403, 201]),
    row("users.data", [401, 403, 200, 404, 404, 200]),
    row("users.delete", [401, 403, 204, 404, 404, 204]),
    row("users.export", [401, 403, 403, 403, 403, 200]),
    row("users.factors", [401, 200, 200, 404, 404, 200]),
    row("users.factors.delete", [401, 403, 403, 403, 403, 404]),
    row("users.get", [401, 200, 200, 404, 404, 200]),
    row("users.import", [401, 403, 403, 403, 403, 200]),
    row("users.list", [401, 403, 403, 403, 403, 200]),
    row("users.identities.list", [401, 200, 200, 404, 404, 200]),
    row("users.identities.token", [401, 403, 403, 403, 403, 404]),
    row("users.identities.unlink", [401, 403, 403, 403, 403, 404]),
    row("users.passkeys.delete", [401, 403, 403, 403, 403, 404]),
    row("users.passkeys.list", [401, 200, 200, 404, 404, 200]),
    row("users.restore", [401, 403, 403, 403, 403, 200]),
    row("users.replace", [401, 403, 200, 404, 404, 200]),
    row("users.replace with a role", [401, 403, 403, 404, 404, 200]),
    row("users.update", [401, 403, 200, 404, 404, 200]),
    row("users.update with a role", [401, 403, 403, 404, 404, 200]),
    row("users.update with a status", [401, 403, 403, 404, 404, 200]),
    row("webhooks.create", [401, 403, 403, 403, 403, 201]),
    row("webhooks.delete", [401, 403, 403, 403, 403, 204]),
    row("webhooks.deliveries", [401, 403, 403, 403, 403, 200]),
    row("webhooks.delivery", [401, 403, 403, 403, 403, 404]),
    row("webhooks.get", [401, 403, 403, 403, 403, 200]),
    row("webhooks.list", [401, 403, 403, 403, 403, 200]),
    row("webhooks.replace", [401, 403, 403, 403, 403, 200]),
    row("webhooks.replay", [401, 403, 403, 403, 403, 202]),
    row("webhooks.retry", [401, 403, 403, 403, 403, 404]),
    row("webhooks.rotate_secret", [401, 403, 403, 403, 403, 200]),
    row("webhooks.test", [401, 403, 403, 403, 403, 200]),
    row("webhooks.update", [401, 403, 403, 403, 403, 200]),
];

/// The request of an operation.
pub(crate) fn request(operation: &str, targets: &Targets) -> (Method, String, Option<Value>) {
    let on_users = on_users(operation, targets);
    let found = on_users
        .or_else(|| on_sessions(operation, targets))
        .or_else(|| on_access(operation, targets))
        .or_else(|| on_credentials(operation, targets))
        .or_else(|| on_passkeys(operation, targets))
        .or_else(|| on_providers(operation, targets))
        .or_else(|| on_webhooks(operation, targets));
    let (method, path, body) = found.unwrap_or_else(|| panic!("no request is written for {operation}"));
    let path = if path.starts_with('/') { path } else { format!("/api/v1/{path}") };
    (method, path, body)
}

type Request = Option<(Method, String, Option<Value>)>;

fn on_users(operation: &str, targets: &Targets) -> Request {
    let Targets { user, .. } = targets;
    let path = format!("users/{}", user.id);
    let new = json!({"email": format!("new.{}", user.email), "password": PASSWORD, "name": "New"});
    let with = |mut body: Value, name: &str, value: &str| {
        body[name] = json!(value);
        Some(body)
    };
    let replaced = json!({"email": user.email, "name": "Replaced"});
    Some(match operation {
        "health.get" => (Method::GET, "/health".into(), None),
        "health.live" => (Method::GET, "/health/live".into(), None),
        "health.ready" => (Method::GET, "/health/ready".into(), None),
        "health.startup" => (Method::GET, "/health/startup".into(), None),
        "me.get" => (Method::GET, "me".into(), None),
        "me.change_password" => {
            let body = json!({"current_password": PASSWORD, "new_password": "another good one"});
            (Method::PUT, "me/password".into(), Some(body))
        }
        "metadata.get" => (Method::GET, "/.well-known/openid-configuration".into(), None),
        "metadata.jwks" => (Method::GET, "/.well-known/jwks.json".into(), None),
        "metadata.oauth" => (Method::GET, "/.well-known/oauth-authorization-server".into(), None),
        "users.create" => (Method::POST, "users".into(), Some(new)),
        "users.create with a role" => (Method::POST, "users".into(), with(new, "role", "admin")),
        "users.data" => (Method::GET, format!("{path}/data"), None),
        "users.delete" => (Method::DELETE, path, None),
        "users.restore" => (Method::POST, format!("{path}/restore"), None),
        "users.export" => (Method::GET, "users/export".into(), None),
        "users.get" => (Method::GET, path, None),
        "users.import" => (Method::POST, "users/import".into(), None),
        "users.list" => (Method::GET, "users".into(), None),
        "users.replace" => (Method::PUT, path, Some(replaced)),
        "users.replace with a role" => (Method::PUT, path, with(replaced, "role", "admin")),
        "users.update" => (Method::PATCH, path, Some(json!({"name": "Patched"}))),
        "users.update with a role" => (Method::PATCH, path, Some(json!({"role": "admin"}))),
        "users.update with a status" => (Method::PATCH, path, Some(json!({"status": "disabled"}))),
        _ => return None,
    })
}

fn on_sessions(operation: &str, targets: &Targets) -> Request {
    let Targets { user, kid, .. } = targets;
    Some(match operation {
        "oauth2.introspect" => (Method::POST, "/oauth2/introspect".into(), Some(json!({"token": user.token}))),
        "oauth2.revoke" => (Method::POST, "/oauth2/revoke".into(), Some(json!({"token": user.refresh_token}))),
        "oauth2.token" => {
            let form = json!({"grant_type": "refresh_token", "refresh_token": user.refresh_token});
            (Method::POST, "/oauth2/token".into(), Some(form))
        }
        "sessions.create" => {
            (Method::POST, "sessions".into(), Some(json!({"email": user.email, "password": PASSWORD})))
        }
        "sessions.csrf_token" => (Method::GET, "sessions/csrf-token".into(), None),
        "sessions.end" => (Method::DELETE, format!("sessions/{}", user.session_id), None),
        "sessions.end_all" => (Method::DELETE, "sessions".into(), None),
        "sessions.end_all of a user" => (Method::DELETE, format!("sessions?user_id={}", user.id), None),
        "sessions.end_current" => (Method::DELETE, "sessions/current".into(), None),
        "sessions.list" => (Method::GET, "sessions".into(), None),
        "sessions.list of a user" => (Method::GET, format!("sessions?user_id={}", user.id), None),
        "sessions.refresh" => {
            (Method::POST, "sessions/refresh".into(), Some(json!({"refresh_token": user.refresh_token})))
        }
        "signing_keys.list" => (Method::GET, "signing-keys".into(), None),
        "signing_keys.rotate" => (Method::POST, "signing-keys".into(), Some(json!({}))),
        "signing_keys.withdraw" => (Method::DELETE, format!("signing-keys/{kid}"), None),
        _ => return None,
    })
}

fn on_access(operation: &str, targets: &Targets) -> Request {
    let Targets { user, key, role, account, .. } = targets;
    let new_key = json!({"name": "A key", "scopes": []});
    let keys = |query: &str| format!("api-keys?{query}");
    Some(match operation {
        "api_keys.create" => (Method::POST, "api-keys".into(), Some(new_key)),
        "api_keys.create for a service account" => {
            let body = json!({"name": "A key", "scopes": [], "service_account_id": account});
            (Method::POST, "api-keys".into(), Some(body))
        }
        "api_keys.delete" => (Method::DELETE, key.path(), None),
        "api_keys.get" => (Method::GET, key.path(), None),
        "api_keys.list" => (Method::GET, "api-keys".into(), None),
        "api_keys.list of a user" => (Method::GET, keys(&format!("user_id={}", user.id)), None),
        "api_keys.list of a service account" => (Method::GET, keys(&format!("service_account_id={account}")), None),
        "api_keys.list of all" => (Method::GET, keys("all=true"), None),
        "api_keys.rotate" => (Method::POST, format!("{}/rotate", key.path()), Some(json!({}))),
        "audit.export" => (Method::GET, "audit/export".into(), None),
        "audit.head" => (Method::GET, "audit/head".into(), None),
        "audit.list" => (Method::GET, "audit".into(), None),
        "events.list" => (Method::GET, "events".into(), None),
        "events.schemas" => (Method::GET, "events/schemas".into(), None),
        "events.revocations" => (Method::GET, "events/revocations".into(), None),
        "events.stream" => (Method::GET, "events/stream".into(), None),
        "events.tickets.create" => (Method::POST, "events/tickets".into(), None),
        "events.ws" => (Method::GET, "events/ws".into(), None),
        "me.data" => (Method::GET, "me/data".into(), None),
        "me.events" => (Method::GET, "me/events".into(), None),
        "permissions.list" => (Method::GET, "permissions".into(), None),
        "roles.create" => {
            (Method::POST, "roles".into(), Some(json!({"name": format!("{role}-too"), "permissions": []})))
        }
        "roles.delete" => (Method::DELETE, format!("roles/{role}"), None),
        "roles.get" => (Method::GET, format!("roles/{role}"), None),
        "roles.list" => (Method::GET, "roles".into(), None),
        "roles.replace" => (Method::PUT, format!("roles/{role}"), Some(json!({"permissions": ["users:write"]}))),
        "service_accounts.create" => (Method::POST, "service-accounts".into(), Some(json!({"name": "A program"}))),
        "service_accounts.delete" => (Method::DELETE, format!("service-accounts/{account}"), None),
        "service_accounts.get" => (Method::GET, format!("service-accounts/{account}"), None),
        "service_accounts.list" => (Method::GET, "service-accounts".into(), None),
        "service_accounts.replace" => {
            (Method::PUT, format!("service-accounts/{account}"), Some(json!({"name": "Replaced"})))
        }
        "service_accounts.update" => {
            (Method::PATCH, format!("service-accounts/{account}"), Some(json!({"name": "Patched"})))
        }
        _ => return None,
    })
}

/// The id of a delivery that there is not.
pub(crate) const NO_DELIVERY: &str = "019365a8-7b1f-7c3e-8d0c-0a1c2d3e4f50";
pub(crate) const NOWHERE: &str = "https://nowhere.invalid/other";

fn on_webhooks(operation: &str, targets: &Targets) -> Request {
    let path = format!("webhooks/{}", targets.webhook);
    let of = |more: &str| format!("{path}/{more}");
    let url = Some(json!({"url": NOWHERE}));
    Some(match operation {
        "webhooks.create" => (Method::POST, "webhooks".into(), url),
        "webhooks.delete" => (Method::DELETE, path, None),
        "webhooks.deliveries" => (Method::GET, of("deliveries"), None),
        "webhooks.delivery" => (Method::GET, of(&format!("deliveries/{NO_DELIVERY}")), None),
        "webhooks.get" => (Method::GET, path, None),
        "webhooks.list" => (Method::GET, "webhooks".into(), None),
        "webhooks.replace" => (Method::PUT, path, url),
        "webhooks.replay" => (Method::POST, of("replay"), Some(json!({}))),
        "webhooks.retry" => (Method::POST, of(&format!("deliveries/{NO_DELIVERY}/retry")), None),
        "webhooks.rotate_secret" => (Method::POST, of("rotate-secret"), Some(json!({}))),
        "webhooks.test" => (Method::POST, of("test"), None),
        "webhooks.update" => (Method::PATCH, path, Some(json!({"description": "Patched"}))),
        _ => return None,
    })
}

/// Well-formed, and of no link.
const LINK_TOKEN: &str = "dno_AZNlqHsffD6NDAocLT5PUAAAAAAAAAAAr4vT1m0Xg5h1cD2q8g";

fn on_credentials(operation: &str, targets: &Targets) -> Request {
    let email = json!({"email": targets.user.email});
    let token = json!({"token": LINK_TOKEN});
    let with = |mut body: Value, name: &str, value: &str| {
        body[name] = json!(value);
        Some(body)
    };
    let challenge = "sessions/challenges/dnc_AZNlqHsffD6NDAocLT5PUAAAAAAAAAAAr4vT1m0Xg5h1cD2q8g";
    let code = Some(json!({"code": "123456"}));
    let factors = format!("users/{}/factors", targets.user.id);
    let (method, path, body) = match operation {
        "challenges.enrol" => (Method::POST, format!("{challenge}/totp"), None),
        "challenges.finish" => (Method::POST, challenge.into(), code),
        "email_changes.confirm" => (Method::POST, "email-changes/confirm".into(), Some(token)),
        "email_changes.create" => (Method::POST, "email-changes".into(), Some(json!({"email": "new@example.com"}))),
        "email_verifications.confirm" => (Method::POST, "email-verifications/confirm".into(), Some(token)),
        "email_verifications.create" => (Method::POST, "email-verifications".into(), Some(email)),
        "invitations.accept" => (Method::POST, "invitations/accept".into(), with(token, "password", PASSWORD)),
        "invitations.create" => {
            let body = json!({"email": format!("invited.{}", targets.user.email)});
            (Method::POST, "invitations".into(), Some(body))
        }
        "me.factors" => (Method::GET, "me/factors".into(), None),
        "me.recovery_codes.replace" => (Method::POST, "me/recovery-codes".into(), None),
        "me.totp.confirm" => (Method::POST, "me/totp/confirm".into(), code),
        "me.totp.create" => (Method::POST, "me/totp".into(), None),
        "me.totp.delete" => (Method::DELETE, "me/totp".into(), None),
        "password_resets.confirm" => {
            (Method::POST, "password-resets/confirm".into(), with(token, "new_password", PASSWORD))
        }
        "password_resets.create" => (Method::POST, "password-resets".into(), Some(email)),
        "sessions.follow_link" => (Method::POST, "sessions/magic-links/confirm".into(), Some(token)),
        "sessions.request_code" => (Method::POST, "sessions/codes".into(), Some(email)),
        "sessions.request_link" => (Method::POST, "sessions/magic-links".into(), Some(email)),
        "sessions.step_up" => (Method::POST, "sessions/current/step-up".into(), Some(json!({"password": PASSWORD}))),
        "users.factors" => (Method::GET, factors, None),
        "users.factors.delete" => (Method::DELETE, factors, None),
        _ => return None,
    };
    Some((method, path, body))
}

fn on_providers(operation: &str, targets: &Targets) -> Request {
    let path = format!("providers/{}", targets.provider);
    let auth = format!("auth/{}", targets.provider);
    let theirs = format!("users/{}/identities", targets.user.id);
    let settings = json!({"issuer": "https://nowhere.invalid", "client_id": "other"});
    let name = fresh_provider(targets);
    let (code, id_token) = (json!({"code": "dnx_A", "code_verifier": "A"}), json!({"id_token": "A", "nonce": "A"}));
    let (method, path, body) = match operation {
        "auth.begin" => (Method::GET, auth, None),
        "auth.callback" => (Method::GET, format!("{auth}/callback"), None),
        "auth.callback_form" => (Method::POST, format!("{auth}/callback"), None),
        "auth.nonces.create" => (Method::POST, format!("{auth}/nonces"), None),
        "auth.providers" => (Method::GET, "auth/providers".into(), None),
        "me.identities.link" => (Method::POST, format!("me/identities/{}", targets.provider), Some(code)),
        "me.identities.list" => (Method::GET, "me/identities".into(), None),
        "me.identities.unlink" => (Method::DELETE, format!("me/identities/{NO_DELIVERY}"), None),
        "providers.create" => {
            (Method::POST, "providers".into(), Some(json!({"name": name, "settings": settings, "client_secret": "x"})))
        }
        "providers.delete" => (Method::DELETE, path, None),
        "providers.get" => (Method::GET, path, None),
        "providers.list" => (Method::GET, "providers".into(), None),
        "providers.replace" => (Method::PUT, path, Some(json!({"settings": settings}))),
        "providers.test" => (Method::POST, format!("{path}/test"), None),
        "providers.update" => (Method::PATCH, path, Some(json!({"settings": {"label": "Nowhere"}}))),
        "sessions.create_by_id_token" => (Method::POST, format!("sessions/{}", targets.provider), Some(id_token)),
        "sessions.exchange" => (Method::POST, "sessions/exchange".into(), Some(code)),
        "users.identities.list" => (Method::GET, theirs, None),
        "users.identities.token" => (Method::POST, format!("{theirs}/{NO_DELIVERY}/token"), None),
        "users.identities.unlink" => (Method::DELETE, format!("{theirs}/{NO_DELIVERY}"), None),
        _ => return None,
    };
    Some((method, path, body))
}

/// A name that no provider has.
pub(crate) fn fresh_provider(targets: &Targets) -> String {
    format!("p{}", &targets.user.id[24..])
}

/// The id of a passkey that does not exist.
const NO_PASSKEY: &str = "019365a8-7b1f-7c3e-8d0c-0a1c2d3e4f50";

fn on_passkeys(operation: &str, targets: &Targets) -> Request {
    let challenge = "sessions/challenges/dnc_AZNlqHsffD6NDAocLT5PUAAAAAAAAAAAr4vT1m0Xg5h1cD2q8g/passkey";
    let answer = Some(json!({"state": "expired", "credential": {}}));
    let token = json!({"token": LINK_TOKEN});
    let linked = Some(json!({"token": LINK_TOKEN, "state": "expired", "credential": {}}));
    let mine = format!("me/passkeys/{NO_PASSKEY}");
    let theirs = format!("users/{}/passkeys", targets.user.id);
    let (method, path, body) = match operation {
        "challenges.passkey" => (Method::POST, challenge.into(), answer),
        "challenges.passkey_options" => (Method::POST, format!("{challenge}/options"), None),
        "challenges.passkeys.create" => (Method::POST, format!("{challenge}s"), answer),
        "challenges.passkeys.options" => (Method::POST, format!("{challenge}s/options"), None),
        "invitations.passkeys.create" => (Method::POST, "invitations/passkeys".into(), linked),
        "invitations.passkeys.options" => (Method::POST, "invitations/passkeys/options".into(), Some(token)),
        "me.passkeys.create" => (Method::POST, "me/passkeys".into(), answer),
        "me.passkeys.delete" => (Method::DELETE, mine, None),
        "me.passkeys.list" => (Method::GET, "me/passkeys".into(), None),
        "me.passkeys.options" => (Method::POST, "me/passkeys/options".into(), None),
        "me.passkeys.update" => (Method::PATCH, mine, Some(json!({"name": "Renamed"}))),
        "metadata.passkey_endpoints" => (Method::GET, "/.well-known/passkey-endpoints".into(), None),
        "metadata.webauthn" => (Method::GET, "/.well-known/webauthn".into(), None),
        "password_resets.passkeys.create" => (Method::POST, "password-resets/passkeys".into(), linked),
        "password_resets.passkeys.options" => (Method::POST, "password-resets/passkeys/options".into(), Some(token)),
        "sessions.passkeys.create" => (Method::POST, "sessions/passkeys".into(), answer),
        "sessions.passkeys.options" => (Method::POST, "sessions/passkeys/options".into(), None),
        "sessions.step_up_options" => (Method::POST, "sessions/current/step-up/options".into(), None),
        "users.passkeys.delete" => (Method::DELETE, format!("{theirs}/{NO_PASSKEY}"), None),
        "users.passkeys.list" => (Method::GET, theirs, None),
        _ => return None,
    };
    Some((method, path, body))
}

pub(crate) async fn credential(app: &TestApp, who: &str, targets: &Targets) -> Option<String> {
    match who {
        "nobody" => None,
        "a key of oneself" => Some(app.api_key(&targets.user, &[]).await.secret),
        "oneself" => Some(targets.user.token.clone()),
        "another" => Some(app.user().await.token),
        "a program" => {
            let account = app.service_account("user").await;
            Some(app.service_key(&account, "").await.secret)
        }
        "an admin" => Some(app.admin().await.token),
        unknown => panic!("who is {unknown}?"),
    }
}

/// What somebody gets for an operation over REST, around targets of its own: the status, and the code of an error.
pub(crate) async fn outcome(app: &TestApp, operation: &str, who: &str) -> (u16, Option<String>) {
    let targets = Targets::around(app, app.user().await).await;
    let token = credential(app, who, &targets).await;
    let response = send(app, operation, &targets, token.as_deref()).await;
    let status = response.status().as_u16();
    // What is followed has no end.
    if response.headers().get("content-type").is_some_and(|kind| kind == "text/event-stream") {
        return (status, None);
    }
    let error = response.json::<Value>().await.ok().map(|body| body["error"]["code"].clone());
    (status, error.and_then(|code| code.as_str().map(str::to_owned)))
}

/// Asks for an operation over REST.
pub(crate) async fn send(app: &TestApp, operation: &str, targets: &Targets, token: Option<&str>) -> Response {
    let (method, path, body) = request(operation, targets);
    let request = app.request(method, &path, token);
    let request = match body {
        Some(body) if operation.starts_with("oauth2.") => {
            let form = serde_urlencoded::to_string(body.as_object().unwrap()).unwrap();
            request.header("content-type", "application/x-www-form-urlencoded").body(form)
        }
        Some(body) => request.json(&body),
        None if operation == "users.import" => {
            let line = format!("{{\"email\":\"{}\",\"name\":\"Imported\"}}\n", app.fresh_email());
            request.header("content-type", "application/x-ndjson").body(line)
        }
        None => request,
    };
    request.send().await.unwrap()
}

async fn check(app: &TestApp, row: &Row) {
    for (who, expected) in CALLERS.into_iter().zip(row.expected) {
        let (status, _) = outcome(app, row.operation, who).await;
        assert_eq!(status, expected, "{} by {who}", row.operation);
    }
}

on_both! {
    async fn every_operation_for_every_caller(
        app: TestApp, "sign_in.mailed_codes" = "true", "sign_in.magic_links" = "true",
        "limits.sign_up_mails_per_hour" = "100000", "limits.mail_requests_per_hour" = "100000"
    ) {
        for row in TABLE {
            check(&app, row).await;
        }
    }
}

#[test]
fn every_operation_has_a_row() {
    let document: Value = serde_json::from_str(&denizen::openapi::document().to_json().unwrap()).unwrap();
    let paths = document["paths"].as_object().unwrap().values();
    let operations = paths.flat_map(|path| path.as_object().unwrap().values());
    let served: BTreeSet<&str> = operations.map(|operation| operation["operationId"].as_str().unwrap()).collect();
    let written: BTreeSet<&str> = TABLE.iter().map(|row| row.operation.split(' ').next().unwrap()).collect();
    assert_eq!(served, written);
}
