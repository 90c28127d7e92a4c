//! What can happen: every type of event with what it says, from which the documentation, the JSON Schemas and the
//! `webhooks` of the OpenAPI document are made.

use crate::access::Permissions;
use crate::id::{ApiKeyId, IdentityId, PasskeyId, SessionId, WebhookId};
use crate::keys::Algorithm;
use crate::one_time::Purpose;
use crate::roles::RoleName;
use crate::sessions::EndReason;
use crate::time::Timestamp;
use crate::users::{DisplayName, EmailAddress, Locale, Status};
use crate::value::{Object, Value};
use crate::webhooks::DisabledReason;

use super::declare::events;
pub use super::fields::{Cause, FactorKind, Field, FieldInfo, Form, Source, Way};

events! {
    /// A user was created.
    UserCreated = "user.created" {
        /// The email address.
        email: EmailAddress,
        /// Whether the email address is verified.
        email_verified: bool,
        /// Display name.
        name: DisplayName,
        /// The role.
        role: RoleName,
        /// The status of the user.
        status: Status,
        /// How the user was created.
        source: Source,
    }
    /// A user was changed. The data contains the current values; `changed` lists the fields that changed.
    UserUpdated = "user.updated" {
        /// The names of the fields that changed.
        changed: Vec<&'static str>,
        /// The email address.
        email: EmailAddress,
        /// Whether the email address is verified.
        email_verified: bool,
        /// Display name.
        name: DisplayName,
        /// The role.
        role: RoleName,
        /// The status of the user.
        status: Status,
        /// Preferred language.
        locale: Option<Locale>,
    }
    /// A user was disabled. Follows `user.updated` and precedes a `session.ended` for each session.
    UserDisabled = "user.disabled" {}
    /// A user was enabled. Follows `user.updated`.
    UserEnabled = "user.enabled" {}
    /// A user was permanently deleted, including its API keys. Follows a `session.ended` for each session.
    UserDeleted = "user.deleted" {
        /// The former email address.
        email: EmailAddress,
    }
    /// The deletion of a user was scheduled. Follows `user.updated`.
    UserDeletionScheduled = "user.deletion_scheduled" {
        /// When the user is deleted.
        delete_after: Timestamp,
    }
    /// The scheduled deletion of a user was canceled. Follows `user.updated`.
    UserRestored = "user.restored" {}
    /// All users were exported to a file, by the operator.
    UsersExported = "users.exported" {
        /// Whether the file contains credentials.
        credentials: bool,
    }
    /// A user was invited, for the first time or again.
    UserInvited = "user.invited" {
        /// The email address.
        email: EmailAddress,
    }
    /// An invited user accepted the invitation. Follows `user.updated`.
    UserJoined = "user.joined" {}
    /// A user verified the email address. Follows `user.updated`.
    EmailVerified = "user.email_verified" {
        /// The email address.
        email: EmailAddress,
    }
    /// A user requested a new email address. It takes effect when it is verified.
    EmailChangeRequested = "user.email_change_requested" {
        /// The requested email address.
        email: EmailAddress,
    }
    /// The email address of a user changed. Follows `user.updated`.
    EmailChanged = "user.email_changed" {
        /// The email address.
        email: EmailAddress,
        /// The previous email address.
        previous_email: EmailAddress,
    }
    /// A one-time link was created and sent by mail.
    LinkCreated = "user.link_created" {
        /// The purpose.
        purpose: Purpose,
        /// Expiry time.
        expires_at: Timestamp,
    }
    /// The password of a user was changed or removed.
    PasswordChanged = "password.changed" {
        /// The reason.
        cause: Cause,
    }
    /// The enrollment of a second factor started. The factor is not active yet.
    FactorBegun = "factor.enrolment_started" {}
    /// A second factor was added.
    FactorAdded = "factor.added" {
        /// The type of the factor.
        factor: FactorKind,
    }
    /// The second factor of a user was removed.
    FactorRemoved = "factor.removed" {
        /// The type of the factor.
        factor: FactorKind,
    }
    /// The recovery codes of a user were replaced.
    RecoveryCodesReplaced = "factor.recovery_codes_replaced" {}
    /// An identity at an outside provider was linked to a user.
    IdentityLinked = "identity.linked" {
        /// The identity.
        identity_id: IdentityId,
        /// The name of the provider.
        provider: String,
    }
    /// An identity at an outside provider was unlinked from a user.
    IdentityUnlinked = "identity.unlinked" {
        /// The identity.
        identity_id: IdentityId,
        /// The name of the provider.
        provider: String,
    }
    /// A user registered a passkey.
    PasskeyAdded = "passkey.added" {
        /// The passkey.
        passkey_id: PasskeyId,
        /// The name of the passkey.
        name: DisplayName,
    }
    /// A passkey was renamed.
    PasskeyRenamed = "passkey.renamed" {
        /// The passkey.
        passkey_id: PasskeyId,
        /// The name of the passkey.
        name: DisplayName,
    }
    /// A passkey was removed. It can no longer be used to sign in.
    PasskeyRemoved = "passkey.removed" {
        /// The passkey.
        passkey_id: PasskeyId,
        /// The name of the passkey.
        name: DisplayName,
    }
    /// The first factor was verified, and another one is required before the session starts.
    SignInChallenged = "session.challenged" {}
    /// A user signed in.
    SessionStarted = "session.started" {
        /// The session.
        session_id: SessionId,
        /// The authentication method.
        method: Way,
        /// The device label.
        label: Option<DisplayName>,
    }
    /// A factor was verified again in a session.
    SessionProven = "session.proven" {
        /// The session.
        session_id: SessionId,
        /// The verified factor.
        factor: FactorKind,
    }
    /// A session ended before it expired.
    SessionEnded = "session.ended" {
        /// The session.
        session_id: SessionId,
        /// The reason.
        reason: EndReason,
    }
    /// A role was created.
    RoleCreated = "role.created" {
        /// The name of the role.
        name: RoleName,
        /// The permissions of the role.
        permissions: Permissions,
        /// Whether holders of the role must authenticate with a second factor.
        requires_second_factor: bool,
        /// Whether the second factor must be a passkey or a security key.
        requires_passkey: bool,
    }
    /// A role was changed. The change takes effect immediately for all holders.
    RoleUpdated = "role.updated" {
        /// The name of the role.
        name: RoleName,
        /// The permissions of the role.
        permissions: Permissions,
        /// Whether holders of the role must authenticate with a second factor.
        requires_second_factor: bool,
        /// Whether the second factor must be a passkey or a security key.
        requires_passkey: bool,
    }
    /// A role was deleted.
    RoleDeleted = "role.deleted" {
        /// The former name of the role.
        name: RoleName,
    }
    /// A service account was created.
    ServiceAccountCreated = "service_account.created" {
        /// Display name.
        name: DisplayName,
        /// The role.
        role: RoleName,
    }
    /// A service account was changed.
    ServiceAccountUpdated = "service_account.updated" {
        /// The names of the fields that changed.
        changed: Vec<&'static str>,
        /// Display name.
        name: DisplayName,
        /// The role.
        role: RoleName,
        /// The status of the service account.
        status: Status,
    }
    /// A service account was permanently deleted, including its API keys.
    ServiceAccountDeleted = "service_account.deleted" {
        /// The former name.
        name: DisplayName,
    }
    /// An API key was created.
    ApiKeyCreated = "api_key.created" {
        /// The key.
        api_key_id: ApiKeyId,
        /// Display name.
        name: DisplayName,
        /// The scopes.
        scopes: Permissions,
        /// Expiry time.
        expires_at: Option<Timestamp>,
    }
    /// The secret of an API key was rotated.
    ApiKeyRotated = "api_key.rotated" {
        /// The key.
        api_key_id: ApiKeyId,
        /// When the previous secret expires.
        previous_until: Timestamp,
    }
    /// An API key was deleted, and all access tokens issued for it were revoked.
    ApiKeyDeleted = "api_key.deleted" {
        /// The key.
        api_key_id: ApiKeyId,
    }
    /// A new signing key was created. It becomes current at `activates_at`.
    SigningKeyRotated = "signing_key.rotated" {
        /// The algorithm.
        algorithm: Algorithm,
        /// The time from which the key signs.
        activates_at: Timestamp,
    }
    /// A signing key was withdrawn: all tokens that it signed are rejected.
    SigningKeyWithdrawn = "signing_key.withdrawn" {}
    /// A retired signing key that no valid token needs was removed.
    SigningKeyRemoved = "signing_key.removed" {}
    /// An outside provider was created.
    ProviderCreated = "provider.created" {
        /// The name of the provider.
        name: String,
    }
    /// An outside provider was changed.
    ProviderUpdated = "provider.updated" {
        /// The name of the provider.
        name: String,
        /// Whether users can sign in with it.
        enabled: bool,
    }
    /// An outside provider was deleted.
    ProviderDeleted = "provider.deleted" {
        /// The former name of the provider.
        name: String,
    }
    /// A webhook was created.
    WebhookCreated = "webhook.created" {
        /// The webhook.
        webhook_id: WebhookId,
        /// The host of the URL; the rest of the URL may be secret.
        host: String,
    }
    /// A webhook was changed.
    WebhookUpdated = "webhook.updated" {
        /// The webhook.
        webhook_id: WebhookId,
        /// The host of the URL; the rest of the URL may be secret.
        host: String,
        /// The names of the fields that changed.
        changed: Vec<&'static str>,
    }
    /// The server disabled a webhook: the receiver returned 410, or the responsible account is no longer permitted to
    /// have it.
    WebhookDisabled = "webhook.disabled" {
        /// The webhook.
        webhook_id: WebhookId,
        /// The reason.
        reason: DisabledReason,
    }
    /// The secret of a webhook was rotated.
    WebhookSecretRotated = "webhook.secret_rotated" {
        /// The webhook.
        webhook_id: WebhookId,
        /// Until when requests are also signed with the previous secret.
        previous_until: Timestamp,
    }
    /// A webhook was deleted.
    WebhookDeleted = "webhook.deleted" {
        /// The webhook.
        webhook_id: WebhookId,
    }
    /// The database differs from the files that describe it (`apply.files`): recorded when that is found, and when the
    /// differences change.
    ConfigurationDrifted = "configuration.drifted" {
        /// The resources that differ, such as `role editor`: at most 50, and how many more there are.
        resources: Vec<String>,
        /// A digest of the differences.
        digest: String,
    }
    /// The database agrees with the files that describe it again.
    ConfigurationDriftResolved = "configuration.drift_resolved" {}
    /// The database was restored from a backup. Changes that were made after the backup are lost, all sessions have ended
    /// and all signing keys were withdrawn.
    DatabaseRestored = "database.restored" {
        /// When the backup was made.
        backup_created_at: Timestamp,
    }
    /// Everything was moved to this database from another one.
    DatabaseMoved = "database.moved" {}
}

impl EventType {
    /// Reads the name of a type.
    #[must_use]
    pub fn parse(raw: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.as_str() == raw)
    }

    /// The types that a selection names: one, or with `*` at its end, all that begin so.
    #[must_use]
    pub fn select(raw: &str) -> Vec<Self> {
        match raw.strip_suffix('*') {
            Some(prefix) => Self::ALL.iter().copied().filter(|kind| kind.as_str().starts_with(prefix)).collect(),
            None => Self::parse(raw).into_iter().collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{EventType, Form};

    #[test]
    fn names_are_said_once_and_found_again() {
        for &kind in EventType::ALL {
            assert_eq!(EventType::parse(kind.as_str()), Some(kind));
            assert!(!kind.description().is_empty() && kind.fields().iter().all(|field| !field.description.is_empty()));
        }
        let names: std::collections::BTreeSet<_> = EventType::ALL.iter().map(|kind| kind.as_str()).collect();
        assert_eq!(names.len(), EventType::ALL.len());
    }

    #[test]
    fn a_selection_is_a_name_or_its_beginning() {
        assert_eq!(EventType::select("session.ended"), [EventType::SessionEnded]);
        assert!(EventType::select("session.*").contains(&EventType::SessionStarted));
        assert_eq!(EventType::select("*").len(), EventType::ALL.len());
        assert_eq!(EventType::select("nothing.*"), []);
        assert_eq!(EventType::select("session."), []);
    }

    #[test]
    fn choices_are_texts() {
        for field in EventType::ALL.iter().flat_map(|kind| kind.fields()) {
            assert!(field.values.is_empty() || field.form == Form::Text, "{}", field.name);
        }
    }
}
