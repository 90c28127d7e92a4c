//! What is counted together.

use std::net::IpAddr;

use crate::access::{Origin, Subject};
use crate::id::{ChallengeId, SessionId, UserId};
use crate::ports::Vault;
use crate::sessions::Device;
use crate::users::EmailAddress;

/// Names a budget: a MAC under the master key, so that the table tells nobody who was tried from where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BudgetKey([u8; 32]);

impl BudgetKey {
    /// A key of these bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// An account, whether there is one or not.
    pub(super) fn account(vault: &dyn Vault, email: &EmailAddress) -> Self {
        Self(vault.mac("budget account", email.as_str().as_bytes()))
    }

    /// All accounts that the same mailbox may have.
    pub(super) fn mailbox(vault: &dyn Vault, email: &EmailAddress) -> Self {
        Self(vault.mac("budget mailbox", mailbox(email).as_bytes()))
    }

    /// Whoever is signed in, in one session of theirs.
    pub(super) fn session(vault: &dyn Vault, session: SessionId) -> Self {
        Self(vault.mac("budget session", session.as_uuid().as_bytes()))
    }

    /// How much one client may have mailed.
    pub(super) fn mail_requests(vault: &dyn Vault, origin: &Origin) -> Option<Self> {
        let Self(client) = Self::client(vault, origin)?;
        Some(Self(vault.mac("budget mail requests", &client)))
    }

    /// How many accounts one client may create.
    pub(super) fn sign_up_mails(vault: &dyn Vault, origin: &Origin) -> Option<Self> {
        let Self(client) = Self::client(vault, origin)?;
        Some(Self(vault.mac("budget sign-up mails", &client)))
    }

    /// How large the attributes may be with which one client signs up.
    pub(super) fn sign_up_attributes(vault: &dyn Vault, origin: &Origin) -> Option<Self> {
        let Self(client) = Self::client(vault, origin)?;
        Some(Self(vault.mac("budget sign-up attributes", &client)))
    }

    /// How much mail one account may cause.
    pub(super) fn account_mails(vault: &dyn Vault, account: &Subject) -> Self {
        Self(vault.mac("budget account mails", account.to_string().as_bytes()))
    }

    /// How many secrets a second factor is given in one sign-in.
    pub(crate) fn enrolments(vault: &dyn Vault, challenge: ChallengeId) -> Self {
        Self(vault.mac("budget enrolments", challenge.as_uuid().as_bytes()))
    }

    /// How many idempotent answers one caller may have stored.
    pub(crate) fn answers(vault: &dyn Vault, caller: &[u8]) -> Self {
        Self(vault.mac("budget idempotent answers", caller))
    }

    /// The same of one client address.
    pub(crate) fn answers_to_client(vault: &dyn Vault, origin: &Origin) -> Option<Self> {
        let Self(client) = Self::client(vault, origin)?;
        Some(Self::answers(vault, &client))
    }

    /// Where a request comes from; nowhere when nobody knows.
    pub(super) fn client(vault: &dyn Vault, origin: &Origin) -> Option<Self> {
        let mac = |bytes: &[u8]| Self(vault.mac("budget client", bytes));
        Some(match origin.client()? {
            IpAddr::V4(v4) => mac(&v4.octets()),
            IpAddr::V6(v6) => mac(&v6.octets()),
        })
    }

    /// A device that its user has signed in on.
    pub(super) fn device(vault: &dyn Vault, device: &Device) -> Self {
        Self(vault.mac("budget device", device.as_bytes()))
    }

    /// A user's second factors.
    pub(super) fn factor(vault: &dyn Vault, user: UserId) -> Self {
        Self(vault.mac("budget factor", user.as_uuid().as_bytes()))
    }

    /// The same, tried from a device that the user has signed in on.
    pub(super) fn factor_on(vault: &dyn Vault, device: &Device) -> Self {
        Self(vault.mac("budget factor on device", device.as_bytes()))
    }

    /// A mailbox that is written to, for one purpose: a stranger who asks for one thing does not keep the owner from
    /// another.
    pub(super) fn mail(vault: &dyn Vault, email: &EmailAddress, purpose: &str) -> Self {
        Self(vault.mac("budget mail", format!("{purpose} {}", mailbox(email)).as_bytes()))
    }

    /// Whether the address is what its mailbox is called without anything besides.
    pub(super) fn is_bare(email: &EmailAddress) -> bool {
        mailbox(email) == email.as_str()
    }
}

/// The address without what its mailbox may be called besides: a tag after `+`, and at Google dots. Two accounts may
/// differ in those, and then share a budget: that errs on the careful side.
fn mailbox(email: &EmailAddress) -> String {
    let address = email.as_str();
    let (local, domain) = address.rsplit_once('@').unwrap_or((address, ""));
    let name = local.split_once('+').map_or(local, |(name, _)| name);
    // Nothing but a tag is a name of its own.
    let name = if name.is_empty() { local } else { name };
    match domain {
        "gmail.com" | "googlemail.com" => format!("{}@gmail.com", name.replace('.', "")),
        _ => format!("{name}@{domain}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Shows what it is given; good enough to tell messages apart.
    struct Plain;

    impl Vault for Plain {
        fn seal(&self, _: &[u8], plain: &[u8]) -> Vec<u8> {
            plain.to_vec()
        }

        fn open(&self, _: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
            Some(sealed.to_vec())
        }

        fn mac(&self, purpose: &str, message: &[u8]) -> [u8; 32] {
            let mut bytes = [0_u8; 32];
            for (at, byte) in purpose.bytes().chain(message.iter().copied()).enumerate() {
                bytes[at % 32] = bytes[at % 32].wrapping_mul(31).wrapping_add(byte);
            }
            bytes
        }
    }

    #[test]
    fn forms_of_one_mailbox_are_one() {
        for (raw, expected) in [
            ("Ada@Example.COM", "ada@example.com"),
            ("ada+shop@example.com", "ada@example.com"),
            ("ada+a+b@EXAMPLE.com", "ada@example.com"),
            ("a.da@example.com", "a.da@example.com"),
            ("A.d.a+x@gmail.com", "ada@gmail.com"),
            ("ada@googlemail.com", "ada@gmail.com"),
            ("+x@gmail.com", "+x@gmail.com"),
            ("ada@ｅｘａｍｐｌｅ.com", "ada@example.com"),
        ] {
            assert_eq!(mailbox(&EmailAddress::parse(raw).unwrap()), expected, "{raw}");
        }
    }

    #[test]
    fn addresses_of_one_customer_are_one() {
        let key = |raw: &str| {
            let origin = Origin { address: Some(raw.parse().unwrap()), ..Origin::default() };
            BudgetKey::client(&Plain, &origin).unwrap()
        };
        assert_eq!(key("2001:db8:1:2::1"), key("2001:db8:1:2:ffff::9"));
        assert_ne!(key("2001:db8:1:2::1"), key("2001:db8:1:3::1"));
        assert_eq!(key("192.0.2.1"), key("::ffff:192.0.2.1"));
        assert_ne!(key("192.0.2.1"), key("192.0.2.2"));
        assert_eq!(BudgetKey::client(&Plain, &Origin::default()), None);
    }
}
