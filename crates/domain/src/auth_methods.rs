//! How a user authenticated: the claims `amr` (RFC 8176) and `acr` (OpenID Connect Core §2).

use crate::id::IdentityId;

/// An authentication method; a value of the claim `amr`. The order is stored: new methods are appended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthMethod {
    /// `pwd`: a password.
    Password,
    /// `otp`: a TOTP code or a recovery code.
    OneTimePassword,
    /// `email`: a code or link that was mailed. Not in RFC 8176.
    Email,
    /// `fed`: a sign-in at an outside provider. Not in RFC 8176.
    Federated,
    /// `hwk`: a key that does not leave its device.
    HardwareKey,
    /// `swk`: a key that can be synchronized between devices.
    SoftwareKey,
    /// `user`: the user was present and confirmed the use of a key.
    UserPresence,
    /// `mfa`: more than one factor.
    MultiFactor,
}

impl AuthMethod {
    /// All methods, in the order in which they are reported.
    pub const ALL: [Self; 8] = [
        Self::Password,
        Self::OneTimePassword,
        Self::Email,
        Self::Federated,
        Self::HardwareKey,
        Self::SoftwareKey,
        Self::UserPresence,
        Self::MultiFactor,
    ];

    /// The value in `amr`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Password => "pwd",
            Self::OneTimePassword => "otp",
            Self::Email => "email",
            Self::Federated => "fed",
            Self::HardwareKey => "hwk",
            Self::SoftwareKey => "swk",
            Self::UserPresence => "user",
            Self::MultiFactor => "mfa",
        }
    }

    const fn bit(self) -> u16 {
        1 << self as u16
    }
}

/// A set of authentication methods. Stored as a bit set, so that one statement can add methods to a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AuthMethods(u16);

impl AuthMethods {
    /// A password.
    pub const PASSWORD: Self = Self::of(&[AuthMethod::Password]);
    /// A code or link that was mailed.
    pub const EMAIL: Self = Self::of(&[AuthMethod::Email]);
    /// A one-time password as the second factor.
    pub const SECOND_FACTOR_CODE: Self = Self::of(&[AuthMethod::OneTimePassword, AuthMethod::MultiFactor]);

    /// The set of these methods.
    #[must_use]
    pub const fn of(methods: &[AuthMethod]) -> Self {
        let (mut bits, mut rest) = (0, methods);
        while let [method, others @ ..] = rest {
            bits |= method.bit();
            rest = others;
        }
        Self(bits)
    }

    /// The methods of both sets.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Reads the stored form. Methods that a later release added are omitted.
    #[must_use]
    pub fn from_stored(bits: i64) -> Self {
        let known = Self::of(&AuthMethod::ALL).0;
        Self((bits & i64::from(known)).try_into().unwrap_or(0))
    }

    /// The stored form.
    #[must_use]
    pub fn stored(self) -> i64 {
        self.0.into()
    }

    /// Whether the set contains a method.
    #[must_use]
    pub const fn contains(self, method: AuthMethod) -> bool {
        self.0 & method.bit() != 0
    }

    /// Whether more than one factor was proven.
    #[must_use]
    pub const fn is_multi_factor(self) -> bool {
        self.contains(AuthMethod::MultiFactor)
    }

    /// The values of the claim `amr`.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        AuthMethod::ALL.into_iter().filter(move |method| self.contains(*method)).map(AuthMethod::as_str)
    }

    /// The assurance level that these methods reach.
    #[must_use]
    pub const fn acr(self) -> Acr {
        let has_key = self.contains(AuthMethod::HardwareKey) || self.contains(AuthMethod::SoftwareKey);
        match (self.is_multi_factor(), has_key) {
            (false, _) => Acr::Aal1,
            (true, false) => Acr::Aal2,
            (true, true) => Acr::PhishingResistant,
        }
    }
}

/// The authentication context class of a session: the claim `acr`. A greater value is stronger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Acr {
    /// `aal1`: one factor (NIST SP 800-63B-4 §2.1).
    Aal1,
    /// `aal2`: two factors (NIST SP 800-63B-4 §2.2).
    Aal2,
    /// `phr`: two factors, and phishing-resistant (OpenID Connect Extended Authentication Profile §3).
    PhishingResistant,
}

impl Acr {
    /// The value of the claim.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Aal1 => "aal1",
            Self::Aal2 => "aal2",
            Self::PhishingResistant => "phr",
        }
    }
}

/// How a session, or the first step of a sign-in, was authenticated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Authenticated {
    /// The methods that were used.
    pub methods: AuthMethods,
    /// The identity that was used, if one was.
    pub identity_id: Option<IdentityId>,
}

impl Authenticated {
    /// The same, with the methods of a further step.
    #[must_use]
    pub fn with(self, methods: AuthMethods) -> Self {
        Self { methods: self.methods.and(methods), ..self }
    }
}

impl From<AuthMethods> for Authenticated {
    fn from(methods: AuthMethods) -> Self {
        Self { methods, identity_id: None }
    }
}

#[cfg(test)]
mod tests {
    use super::{Acr, AuthMethod, AuthMethods};

    #[test]
    fn stored_methods_are_read_again() {
        for method in AuthMethod::ALL {
            let methods = AuthMethods::of(&[method, AuthMethod::Password]);
            assert_eq!(AuthMethods::from_stored(methods.stored()), methods);
            assert!(methods.contains(method));
        }
        // The numbers are in databases, and that of the keys in statements.
        assert_eq!(AuthMethods::of(&[AuthMethod::HardwareKey, AuthMethod::SoftwareKey]).stored(), 48);
        assert_eq!(AuthMethods::of(&AuthMethod::ALL).stored(), 0b1111_1111);
        assert_eq!(AuthMethods::of(&[AuthMethod::Email, AuthMethod::MultiFactor]).stored(), 0b1000_0100);
    }

    #[test]
    fn methods_of_a_later_release_are_omitted() {
        assert_eq!(AuthMethods::from_stored((1 << 40) | 1), AuthMethods::PASSWORD);
        assert_eq!(AuthMethods::from_stored(-1), AuthMethods::of(&AuthMethod::ALL));
    }

    #[test]
    fn only_a_key_resists_phishing() {
        let key = AuthMethods::of(&[AuthMethod::SoftwareKey, AuthMethod::UserPresence, AuthMethod::MultiFactor]);
        for (methods, expected) in [
            (AuthMethods::default(), Acr::Aal1),
            (AuthMethods::PASSWORD, Acr::Aal1),
            (AuthMethods::PASSWORD.and(AuthMethods::SECOND_FACTOR_CODE), Acr::Aal2),
            (AuthMethods::of(&[AuthMethod::HardwareKey]), Acr::Aal1),
            (key, Acr::PhishingResistant),
        ] {
            assert_eq!(methods.acr(), expected, "{methods:?}");
        }
        assert_eq!(key.names().collect::<Vec<_>>(), ["swk", "user", "mfa"]);
    }
}
