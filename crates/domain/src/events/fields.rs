//! What can be said in an event: the forms of fields, and the words that are used in more than one type.

use crate::access::Permissions;
use crate::id::{ApiKeyId, IdentityId, PasskeyId, SessionId, WebhookId};
use crate::keys::Algorithm;
use crate::one_time::Purpose;
use crate::roles::RoleName;
use crate::sessions::EndReason;
use crate::time::Timestamp;
use crate::users::{DisplayName, EmailAddress, Locale, Status};
use crate::value::Value;
use crate::webhooks::DisabledReason;

/// The form of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A text.
    Text,
    /// A UUID.
    Uuid,
    /// A moment (RFC 3339).
    Moment,
    /// True or false.
    Flag,
    /// A list of texts.
    Texts,
}

/// A field of an event, for documents.
#[derive(Debug, Clone, Copy)]
pub struct FieldInfo {
    /// Its name in `data`.
    pub name: &'static str,
    /// What it says.
    pub description: &'static str,
    /// Its form.
    pub form: Form,
    /// Whether it may be absent.
    pub is_optional: bool,
    /// Whether it is personal data of a user.
    pub is_personal: bool,
    /// All that a text can be, when that is known.
    pub values: &'static [&'static str],
}

/// What can be said in an event. No secret is.
pub trait Field {
    /// Its form.
    const FORM: Form;
    /// Whether it may be absent.
    const IS_OPTIONAL: bool = false;
    /// Whether it is personal data of a user.
    const IS_PERSONAL: bool = false;
    /// All that a text can be, when that is known.
    const VALUES: &'static [&'static str] = &[];

    /// What is said; `None` when nothing is.
    fn value(self) -> Option<Value>;
}

macro_rules! fields {
    ($($Type:ty: $form:ident, $this:ident => $value:expr;)+) => {$(
        impl Field for $Type {
            const FORM: Form = Form::$form;

            fn value(self) -> Option<Value> {
                let $this = self;
                Some($value)
            }
        }
    )+};
}

fields! {
    RoleName: Text, this => Value::String(this.as_str().to_owned());
    Locale: Text, this => Value::String(this.as_str().to_owned());
    String: Text, this => Value::String(this);
    IdentityId: Uuid, this => Value::String(this.to_string());
    SessionId: Uuid, this => Value::String(this.to_string());
    ApiKeyId: Uuid, this => Value::String(this.to_string());
    PasskeyId: Uuid, this => Value::String(this.to_string());
    WebhookId: Uuid, this => Value::String(this.to_string());
    Timestamp: Moment, this => Value::String(this.to_string());
    bool: Flag, this => Value::Bool(this);
    Permissions: Texts, this => Value::Array(
        this.iter().map(|permission| Value::String(permission.as_str().to_owned())).collect());
    Vec<String>: Texts, this => Value::Array(this.into_iter().map(Value::String).collect());
    Vec<&'static str>: Texts, this => Value::Array(
        this.into_iter().map(|text| Value::String(text.to_owned())).collect());
}

macro_rules! personal {
    ($($Type:ty),+) => {$(
        impl Field for $Type {
            const FORM: Form = Form::Text;
            const IS_PERSONAL: bool = true;

            fn value(self) -> Option<Value> {
                Some(Value::String(self.as_str().to_owned()))
            }
        }
    )+};
}

personal!(EmailAddress, DisplayName);

macro_rules! choices {
    ($($Type:ty: $($choice:path),+;)+) => {$(
        // Compiles only while the list names every variant.
        const _: fn($Type) = |choice| match choice {
            $($choice)|+ => {}
        };

        impl Field for $Type {
            const FORM: Form = Form::Text;
            const VALUES: &'static [&'static str] = &[$($choice.as_str()),+];

            fn value(self) -> Option<Value> {
                Some(Value::String(self.as_str().to_owned()))
            }
        }
    )+};
}

choices! {
    Status: Status::Active, Status::Disabled, Status::Invited;
    Source: Source::SignUp, Source::Admin, Source::Import, Source::Invitation, Source::SignInHook,
        Source::Provider;
    Way: Way::Password, Way::MailedCode, Way::MagicLink, Way::SecondFactor, Way::Provider,
        Way::Passkey;
    Cause: Cause::Changed, Cause::Reset, Cause::Set, Cause::Joined, Cause::Migrated, Cause::Reclaimed,
        Cause::Removed;
    FactorKind: FactorKind::Password, FactorKind::Totp, FactorKind::RecoveryCode, FactorKind::Passkey,
        FactorKind::SecurityKey;
    EndReason: EndReason::SignedOut, EndReason::Revoked, EndReason::UserDisabled, EndReason::UserDeleted,
        EndReason::PasswordChanged, EndReason::SecondFactorChanged, EndReason::TooManySessions,
        EndReason::RefreshTokenReused, EndReason::ProviderDisabled, EndReason::DatabaseRestored;
    Purpose: Purpose::PasswordReset, Purpose::EmailVerification, Purpose::EmailChange, Purpose::Invitation,
        Purpose::SignIn;
    DisabledReason: DisabledReason::Gone, DisabledReason::CreatorDeleted, DisabledReason::CreatorDisabled,
        DisabledReason::CreatorNotPermitted;
    Algorithm: Algorithm::Es256, Algorithm::EdDsa, Algorithm::Rs256, Algorithm::Hs256;
}

impl<T: Field> Field for Option<T> {
    const FORM: Form = T::FORM;
    const IS_OPTIONAL: bool = true;
    const IS_PERSONAL: bool = T::IS_PERSONAL;
    const VALUES: &'static [&'static str] = T::VALUES;

    fn value(self) -> Option<Value> {
        self.and_then(Field::value)
    }
}

macro_rules! words {
    ($(#[$doc:meta])* $Name:ident { $($(#[$item:meta])* $Item:ident = $name:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $Name {
            $($(#[$item])* $Item,)+
        }

        impl $Name {
            /// Its name.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$Item => $name,)+
                }
            }
        }
    };
}

words! {
    /// How an account came to be.
    Source {
        /// Somebody signed up.
        SignUp = "sign_up",
        /// Somebody who may write users made it.
        Admin = "admin",
        /// It was taken over from another system.
        Import = "import",
        /// Somebody was invited.
        Invitation = "invitation",
        /// It was taken over at the first sign-in.
        SignInHook = "sign_in_hook",
        /// The user signed in through an outside provider for the first time.
        Provider = "provider",
    }
}

words! {
    /// How a session was opened.
    Way {
        /// By password.
        Password = "password",
        /// By a mailed code.
        MailedCode = "mailed_code",
        /// By a mailed link.
        MagicLink = "magic_link",
        /// By a second factor after a first one.
        SecondFactor = "second_factor",
        /// Through an outside provider.
        Provider = "provider",
        /// By a passkey, which is both factors.
        Passkey = "passkey",
    }
}

words! {
    /// Why a password is another one.
    Cause {
        /// Its user changed it.
        Changed = "changed",
        /// Its user reset it by mail.
        Reset = "reset",
        /// Somebody who may set it did.
        Set = "set",
        /// An invited user chose it.
        Joined = "joined",
        /// It was taken over from another system at a sign-in.
        Migrated = "migrated",
        /// It was removed when somebody else proved to own the address.
        Reclaimed = "reclaimed",
        /// Removed by a password reset that registered a passkey instead.
        Removed = "removed",
    }
}

words! {
    /// The verified factor.
    FactorKind {
        /// The password.
        Password = "password",
        /// A time-based one-time password.
        Totp = "totp",
        /// A recovery code.
        RecoveryCode = "recovery_code",
        /// A passkey.
        Passkey = "passkey",
        /// A security key.
        SecurityKey = "security_key",
    }
}
