//! Typed identifiers, all of them UUIDv7 (RFC 9562): they sort by the time of their making.

use std::fmt;

use uuid::Uuid;

use crate::ports::{Clock, Random};

macro_rules! typed_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Uuid);

        impl $name {
            /// A new identifier from the given clock and chance.
            #[must_use]
            pub fn new(clock: &dyn Clock, random: &dyn Random) -> Self {
                Self(uuid_v7(clock, random))
            }

            /// Reads the hyphenated form; any other spelling is refused.
            #[must_use]
            pub fn parse(raw: &str) -> Option<Self> {
                let hyphenated = raw.len() == uuid::fmt::Hyphenated::LENGTH;
                hyphenated.then(|| Uuid::try_parse(raw).ok()).flatten().map(Self)
            }

            /// Takes over an identifier that a store kept.
            #[must_use]
            pub const fn from_uuid(id: Uuid) -> Self {
                Self(id)
            }

            /// The bare UUID, for a store to keep.
            #[must_use]
            pub const fn as_uuid(self) -> Uuid {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

typed_id!(
    /// Names one user, for ever.
    UserId
);
typed_id!(
    /// Names one session; the claim `sid` of an access token.
    SessionId
);
typed_id!(
    /// Names one role, for ever.
    RoleId
);
typed_id!(
    /// Names one service account; its `client_id` (RFC 6749 §2.2).
    ServiceAccountId
);
typed_id!(
    /// Names one API key, whatever its secret is at the moment.
    ApiKeyId
);

typed_id!(
    /// Names one mail in the outbox.
    MailId
);
typed_id!(
    /// Names one link that is good once.
    OneTimeTokenId
);
typed_id!(
    /// Names one sign-in that still owes something.
    ChallengeId
);
typed_id!(
    /// Names one event, for ever.
    EventId
);
typed_id!(
    /// Identifies the link between a user and an identity at an outside provider.
    IdentityId
);
typed_id!(
    /// Names one webhook.
    WebhookId
);
typed_id!(
    /// Names one delivery of an event to a webhook.
    DeliveryId
);
typed_id!(
    /// Identifies one passkey.
    PasskeyId
);
typed_id!(
    /// Names one ticket to a stream of events.
    TicketId
);

/// A UUIDv7 whose clock and chance are inputs. The bits after the milliseconds hold the fraction of one (RFC 9562
/// §6.2, method 3), so that what is made one after the other also sorts so, to a quarter of a microsecond.
pub fn uuid_v7(clock: &dyn Clock, random: &dyn Random) -> Uuid {
    let micros = clock.now().as_micros().max(0).cast_unsigned();
    let mut chance = [0; 10];
    random.fill(&mut chance);
    let fraction = micros % 1_000 * 4_096 / 1_000;
    let [.., high, low] = fraction.to_be_bytes();
    chance[..2].copy_from_slice(&[high, low]);
    uuid::Builder::from_unix_timestamp_millis(micros / 1_000, &chance).into_uuid()
}

#[cfg(test)]
mod tests {
    use super::uuid_v7;
    use crate::ports::{Clock, Random};
    use crate::time::Timestamp;

    struct At(i64);

    impl Clock for At {
        fn now(&self) -> Timestamp {
            Timestamp::from_micros(self.0)
        }
    }

    struct Filled(u8);

    impl Random for Filled {
        fn fill(&self, buffer: &mut [u8]) {
            buffer.fill(self.0);
        }
    }

    #[test]
    fn ids_sort_by_the_microsecond_of_their_making_whatever_chance_says() {
        let start = 1_800_000_000_000_000;
        let ids: Vec<_> =
            (0..3_000).map(|us| uuid_v7(&At(start + us), &Filled(if us % 2 == 0 { 0xFF } else { 0 }))).collect();
        assert!(ids.is_sorted_by(|a, b| a < b));
        assert!(ids.iter().all(|id| id.get_version_num() == 7));
    }
}
