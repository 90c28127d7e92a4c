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

/// A UUIDv7 whose clock and chance are inputs.
pub fn uuid_v7(clock: &dyn Clock, random: &dyn Random) -> Uuid {
    let mut chance = [0; 10];
    random.fill(&mut chance);
    let millis = clock.now().as_micros().max(0) / 1_000;
    uuid::Builder::from_unix_timestamp_millis(millis.cast_unsigned(), &chance).into_uuid()
}
