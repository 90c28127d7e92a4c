//! What can happen: every type of event with what it says, from which the documentation, the JSON Schemas and the
//! `webhooks` of the OpenAPI document are made.

use crate::access::Permissions;
use crate::id::{ApiKeyId, SessionId, WebhookId};
use crate::keys::Algorithm;
use crate::one_time::Purpose;
use crate::roles::RoleName;
use crate::sessions::EndReason;
use crate::time::Timestamp;
use crate::users::{DisplayName, EmailAddress, Locale, Status};
use crate::value::{Object, Value};
use crate::webhooks::DisabledReason;

pub use super::fields::{Cause, FactorKind, Field, FieldInfo, Form, Source, Way};

macro_rules! events {
    ($($(#[doc = $doc:literal])+ $Name:ident = $name:literal {
        $($(#[doc = $field_doc:literal])+ $field:ident: $Type:ty,)*
    })+) => {
        /// What happened, with what there is to say of it.
        #[derive(Debug, Clone)]
        #[expect(missing_docs, reason = "each field is documented where it is listed")]
        pub enum Happened {
            $($(#[doc = $doc])+ $Name { $($field: $Type,)* },)+
        }

        /// A type of event.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum EventType {
            $($(#[doc = $doc])+ $Name,)+
        }

        impl Happened {
            /// Its type.
            #[must_use]
            pub const fn kind(&self) -> EventType {
                match self {
                    $(Self::$Name { .. } => EventType::$Name,)+
                }
            }

            /// What there is to say, by name.
            #[must_use]
            pub fn data(self) -> Object {
                match self {
                    $(Self::$Name { $($field,)* } => {
                        let fields: [(&str, Option<Value>); _] = [$((stringify!($field), $field.value()),)*];
                        fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
                    })+
                }
            }
        }

        impl EventType {
            /// The catalogue.
            pub const ALL: &[Self] = &[$(Self::$Name,)+];

            /// Its name.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$Name => $name,)+
                }
            }

            /// What it tells, for a person.
            #[must_use]
            pub fn description(self) -> &'static str {
                match self {
                    $(Self::$Name => concat!($($doc),+).trim_start(),)+
                }
            }

            /// The fields of its `data`.
            #[must_use]
            pub const fn fields(self) -> &'static [FieldInfo] {
                match self {
                    $(Self::$Name => const { &[$(FieldInfo {
                        name: stringify!($field),
                        description: concat!($($field_doc),+).trim_ascii_start(),
                        form: <$Type as Field>::FORM,
                        is_optional: <$Type as Field>::IS_OPTIONAL,
                        values: <$Type as Field>::VALUES,
                    },)*] },)+
                }
            }
        }
    };
}

events! {
    /// An account was made.
    UserCreated = "user.created" {
        /// The address.
        email: EmailAddress,
        /// Whether the address is proven.
        email_verified: bool,
        /// What to call them.
        name: DisplayName,
        /// The role.
        role: RoleName,
        /// Whether they can sign in.
        status: Status,
        /// How it came to be.
        source: Source,
    }
    /// An account changed. What it is now is said; `changed` names what was different before.
    UserUpdated = "user.updated" {
        /// The fields that changed.
        changed: Vec<&'static str>,
        /// The address.
        email: EmailAddress,
        /// Whether the address is proven.
        email_verified: bool,
        /// What to call them.
        name: DisplayName,
        /// The role.
        role: RoleName,
        /// Whether they can sign in.
        status: Status,
        /// The language that they read.
        locale: Option<Locale>,
    }
    /// A user can no longer sign in. It follows on `user.updated`, and the end of each session follows on it.
    UserDisabled = "user.disabled" {}
    /// A user can sign in again. It follows on `user.updated`.
    UserEnabled = "user.enabled" {}
    /// An account is gone for good, and its API keys with it. It follows on the end of each session.
    UserDeleted = "user.deleted" {
        /// The address that it had.
        email: EmailAddress,
    }
    /// Somebody was invited, for the first time or again.
    UserInvited = "user.invited" {
        /// The address.
        email: EmailAddress,
    }
    /// An invited user has joined. It follows on `user.updated`.
    UserJoined = "user.joined" {}
    /// A user proved to read mail at their address. It follows on `user.updated`.
    EmailVerified = "user.email_verified" {
        /// The address.
        email: EmailAddress,
    }
    /// A user asked for another address; it is theirs once it is proven.
    EmailChangeRequested = "user.email_change_requested" {
        /// The address to be.
        email: EmailAddress,
    }
    /// A user has another address. It follows on `user.updated`.
    EmailChanged = "user.email_changed" {
        /// The address.
        email: EmailAddress,
        /// The one before.
        previous_email: EmailAddress,
    }
    /// A link that is good once was made and is mailed.
    LinkCreated = "user.link_created" {
        /// What it is good for.
        purpose: Purpose,
        /// Until when.
        expires_at: Timestamp,
    }
    /// A user has another password, or none any more.
    PasswordChanged = "password.changed" {
        /// Why.
        cause: Cause,
    }
    /// A second factor is being set up. It counts for nothing yet.
    FactorBegun = "factor.enrolment_started" {}
    /// A user has a second factor.
    FactorAdded = "factor.added" {
        /// Of which kind.
        factor: FactorKind,
    }
    /// A user has no second factor any more.
    FactorRemoved = "factor.removed" {
        /// Of which kind.
        factor: FactorKind,
    }
    /// A user has other recovery codes.
    RecoveryCodesReplaced = "factor.recovery_codes_replaced" {}
    /// A first factor was right, and another one is owed: nothing is open yet.
    SignInChallenged = "session.challenged" {}
    /// Somebody signed in.
    SessionStarted = "session.started" {
        /// The session.
        session_id: SessionId,
        /// How it was opened.
        method: Way,
        /// What its user calls the device.
        label: Option<DisplayName>,
    }
    /// A factor was proven once more in a session.
    SessionProven = "session.proven" {
        /// The session.
        session_id: SessionId,
        /// What was proven.
        factor: FactorKind,
    }
    /// A session is over before its time.
    SessionEnded = "session.ended" {
        /// The session.
        session_id: SessionId,
        /// Why.
        reason: EndReason,
    }
    /// A role was made.
    RoleCreated = "role.created" {
        /// Its name.
        name: RoleName,
        /// What whoever has it may do.
        permissions: Permissions,
        /// Whether whoever has it must prove a second factor.
        requires_second_factor: bool,
    }
    /// A role changed. Whoever has it may do so much at once.
    RoleUpdated = "role.updated" {
        /// Its name.
        name: RoleName,
        /// What whoever has it may do.
        permissions: Permissions,
        /// Whether whoever has it must prove a second factor.
        requires_second_factor: bool,
    }
    /// A role is gone.
    RoleDeleted = "role.deleted" {
        /// The name that it had.
        name: RoleName,
    }
    /// A service account was made.
    ServiceAccountCreated = "service_account.created" {
        /// What to call it.
        name: DisplayName,
        /// The role.
        role: RoleName,
    }
    /// A service account changed.
    ServiceAccountUpdated = "service_account.updated" {
        /// The fields that changed.
        changed: Vec<&'static str>,
        /// What to call it.
        name: DisplayName,
        /// The role.
        role: RoleName,
        /// Whether its credentials work.
        status: Status,
    }
    /// A service account is gone for good, and its API keys with it.
    ServiceAccountDeleted = "service_account.deleted" {
        /// What it was called.
        name: DisplayName,
    }
    /// An API key was made for its owner.
    ApiKeyCreated = "api_key.created" {
        /// The key.
        api_key_id: ApiKeyId,
        /// What to call it.
        name: DisplayName,
        /// What it may do.
        scopes: Permissions,
        /// When it stops working.
        expires_at: Option<Timestamp>,
    }
    /// An API key has another secret.
    ApiKeyRotated = "api_key.rotated" {
        /// The key.
        api_key_id: ApiKeyId,
        /// Until when the secret before works.
        previous_until: Timestamp,
    }
    /// An API key is gone, and every token that was got for it.
    ApiKeyDeleted = "api_key.deleted" {
        /// The key.
        api_key_id: ApiKeyId,
    }
    /// There is another signing key, which takes over at its time.
    SigningKeyRotated = "signing_key.rotated" {
        /// The algorithm.
        algorithm: Algorithm,
        /// From when it signs.
        activates_at: Timestamp,
    }
    /// A signing key is withdrawn: nothing that it signed is good any more.
    SigningKeyWithdrawn = "signing_key.withdrawn" {}
    /// A signing key that no token needs any more is gone.
    SigningKeyRemoved = "signing_key.removed" {}
    /// A webhook was made.
    WebhookCreated = "webhook.created" {
        /// The webhook.
        webhook_id: WebhookId,
        /// The host that is called; the rest of the address may be secret.
        host: String,
    }
    /// A webhook changed.
    WebhookUpdated = "webhook.updated" {
        /// The webhook.
        webhook_id: WebhookId,
        /// The host that is called; the rest of the address may be secret.
        host: String,
        /// The fields that changed.
        changed: Vec<&'static str>,
    }
    /// The server disabled a webhook: its receiver answered 410, or the account that answers for it may no longer have it.
    WebhookDisabled = "webhook.disabled" {
        /// The webhook.
        webhook_id: WebhookId,
        /// Why.
        reason: DisabledReason,
    }
    /// A webhook signs with another secret.
    WebhookSecretRotated = "webhook.secret_rotated" {
        /// The webhook.
        webhook_id: WebhookId,
        /// Until when it signs with the secret before, too.
        previous_until: Timestamp,
    }
    /// A webhook is gone.
    WebhookDeleted = "webhook.deleted" {
        /// The webhook.
        webhook_id: WebhookId,
    }
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
