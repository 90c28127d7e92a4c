//! Made-up users, sessions, roles, service accounts and keys: valid, distinct, and the same at every call. Change what a test is about:
//! `User { role: RoleName::admin(), ..build::user(1) }`.

use denizen_domain::access::{Credential, Origin, Permission, Permissions, Subject};
use denizen_domain::api_keys::ApiKey;
use denizen_domain::auth_methods::AuthMethods;
use denizen_domain::events::{EventActor, EventType, Happened, NewEvent};
use denizen_domain::id::{ApiKeyId, EventId, MailId, RoleId, ServiceAccountId, SessionId, UserId, WebhookId};
use denizen_domain::mail::{Mail, MailSubject};
use denizen_domain::roles::{Description, Role, RoleName, SecondFactorPolicy};
use denizen_domain::service_accounts::ServiceAccount;
use denizen_domain::sessions::{EndReason, Session};
use denizen_domain::time::Timestamp;
use denizen_domain::users::{Attributes, DisplayName, EmailAddress, Status, User};
use denizen_domain::webhooks::{EventTypes, Health, Webhook, WebhookStatus, WebhookUrl};
use uuid::Uuid;

/// When made-up things begin: 2026-01-01T00:00:00Z.
pub const EPOCH: Timestamp = Timestamp::from_micros(1_767_225_600_000_000);

/// A moment so many seconds after [`EPOCH`].
#[must_use]
pub const fn moment(seconds: u32) -> Timestamp {
    EPOCH.plus_seconds(seconds)
}

/// The `n`th user: `user{n}@example.com`, created `n` seconds after [`EPOCH`].
#[must_use]
pub fn user(n: u32) -> User {
    User {
        id: UserId::from_uuid(id(n, 1)),
        email: EmailAddress::from_stored(format!("user{n}@example.com")),
        email_verified: false,
        name: DisplayName::from_stored(format!("User {n}")),
        role: RoleName::user(),
        status: Status::Active,
        locale: None,
        attributes: Attributes::default(),
        app_attributes: Attributes::default(),
        created_at: moment(n),
        updated_at: moment(n),
        last_sign_in_at: None,
        version: 1,
        deletion: None,
    }
}

/// The `n`th user, as an active admin.
#[must_use]
pub fn admin(n: u32) -> User {
    User { role: RoleName::admin(), ..user(n) }
}

/// The `n`th session, opened by the user `n` seconds after [`EPOCH`], for an hour at most.
#[must_use]
pub fn session(user: &User, n: u32) -> Session {
    Session {
        id: SessionId::from_uuid(id(n, 2)),
        user_id: user.id,
        generation: 0,
        created_at: moment(n),
        refreshed_at: moment(n),
        idle_expires_at: moment(n).plus_seconds(1_800),
        expires_at: moment(n).plus_seconds(3_600),
        last_used_at: moment(n),
        proven_at: moment(n),
        second_factor_at: None,
        authenticated: AuthMethods::PASSWORD.into(),
        origin: Origin::default(),
        label: None,
    }
}

/// The `n`th role: `role-{n}`, created `n` seconds after [`EPOCH`], which may see users.
#[must_use]
pub fn role(n: u32) -> Role {
    Role {
        id: RoleId::from_uuid(id(n, 3)),
        name: RoleName::from_stored(format!("role-{n}")),
        description: Description::from_stored(format!("What role {n} is for")),
        permissions: Permissions::of(&[Permission::UsersRead]),
        second_factor: SecondFactorPolicy::Optional,
        created_at: moment(n),
        updated_at: moment(n),
        version: 1,
    }
}

/// The `n`th service account: `Service {n}`, active, created `n` seconds after [`EPOCH`].
#[must_use]
pub fn service_account(n: u32) -> ServiceAccount {
    ServiceAccount {
        id: ServiceAccountId::from_uuid(id(n, 4)),
        name: DisplayName::from_stored(format!("Service {n}")),
        description: Description::from_stored(format!("What service {n} is for")),
        role: RoleName::user(),
        status: Status::Active,
        created_at: moment(n),
        updated_at: moment(n),
        version: 1,
    }
}

/// The `n`th API key, made for the owner `n` seconds after [`EPOCH`], which never expires and may see users.
#[must_use]
pub fn api_key(owner: Subject, n: u32) -> ApiKey {
    ApiKey {
        id: ApiKeyId::from_uuid(id(n, 5)),
        owner,
        name: DisplayName::from_stored(format!("Key {n}")),
        scopes: Permissions::of(&[Permission::UsersRead]),
        expires_at: None,
        created_at: moment(n),
        rotated_at: None,
        last_used_at: None,
        version: 1,
    }
}

/// The `n`th webhook: active, told of everything, created `n` seconds after [`EPOCH`].
#[must_use]
pub fn webhook(n: u32) -> Webhook {
    Webhook {
        id: WebhookId::from_uuid(id(n, 8)),
        url: WebhookUrl::from_stored(format!("https://example.com/hooks/{n}")),
        description: Description::from_stored(format!("What webhook {n} is for")),
        types: EventTypes::default(),
        status: WebhookStatus::Active,
        disabled_reason: None,
        created_by: None,
        since: 0,
        created_at: moment(n),
        updated_at: moment(n),
        version: 1,
        health: Health::default(),
    }
}

/// The `n`th mail: news for the `n`th user, written `n` seconds after [`EPOCH`] and worth sending for an hour.
#[must_use]
pub fn mail(n: u32) -> Mail {
    let user = user(n);
    Mail {
        id: MailId::from_uuid(id(n, 6)),
        subject: MailSubject::PasswordChanged,
        to: user.email,
        name: user.name,
        locale: None,
        created_at: moment(n),
        expires_at: moment(n).plus_seconds(3_600),
    }
}

/// The `n`th event: the end of a session of the `n`th user's, by themselves, `n` seconds after [`EPOCH`].
#[must_use]
pub fn event(n: u32) -> NewEvent {
    let user = user(n);
    let session = session(&user, n);
    NewEvent {
        id: EventId::from_uuid(id(n, 7)),
        kind: EventType::SessionEnded,
        about: user.id.into(),
        actor: EventActor::known(Subject::User(user.id), Some(Credential::Session(session.id))),
        address: Some([192, 0, 2, 7].into()),
        user_agent: Some("a \"browser\"".to_owned()),
        occurred_at: moment(n),
        data: Happened::SessionEnded { session_id: session.id, reason: EndReason::SignedOut }.data(),
        trace: None,
    }
}

fn id(n: u32, kind: u8) -> Uuid {
    let millis = moment(n).as_micros().cast_unsigned() / 1_000;
    let mut chance = [kind; 10];
    chance[..4].copy_from_slice(&n.to_be_bytes());
    uuid::Builder::from_unix_timestamp_millis(millis, &chance).into_uuid()
}
