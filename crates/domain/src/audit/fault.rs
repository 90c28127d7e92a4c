//! What a check of the log can find.

use std::fmt;

/// What is wrong with the log, and where it begins to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// There are records from before the place where the log is said to begin.
    BeforeFloor {
        /// The first of them.
        position: i64,
    },
    /// Records are not there.
    Missing {
        /// The first of them.
        position: i64,
        /// The last of them.
        until: i64,
    },
    /// A record does not bear its hash: it was changed, or put in, or the one before it was and had its hash made anew.
    Changed {
        /// Its number.
        position: i64,
    },
    /// A record stands at another place than it was given.
    Moved {
        /// Where it stands.
        position: i64,
        /// Where it belongs.
        belongs_at: i64,
    },
    /// A record stands behind what is said to be the last.
    BeyondHead {
        /// Its number.
        position: i64,
    },
    /// The last record is not the one that the log is said to end with.
    OtherHead {
        /// Its number.
        position: i64,
    },
    /// A record has no key where every record should: an earlier release, or a program without the key, wrote it.
    Unkeyed {
        /// Its number.
        position: i64,
    },
    /// Where the keyed records are said to begin is not sealed under the key.
    UnsealedStart {
        /// The record that is said to be the last without a key.
        position: i64,
    },
    /// Where the log is said to begin is not sealed under the key: an earlier release, or a program without the key,
    /// moved it.
    UnsealedFloor {
        /// The record that is said to be the last that was removed.
        position: i64,
    },
    /// The log ends before a head that was known once.
    KnownMissing {
        /// The number of that head.
        position: i64,
    },
    /// The record has another hash than was known once: the log was written anew from there, or from before.
    KnownDiffers {
        /// Its number.
        position: i64,
    },
}

impl Fault {
    /// A stable name.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::BeforeFloor { .. } => "before_floor",
            Self::Missing { .. } => "missing",
            Self::Changed { .. } => "changed",
            Self::Moved { .. } => "moved",
            Self::BeyondHead { .. } => "beyond_head",
            Self::OtherHead { .. } => "other_head",
            Self::Unkeyed { .. } => "unkeyed",
            Self::UnsealedStart { .. } => "unsealed_start",
            Self::UnsealedFloor { .. } => "unsealed_floor",
            Self::KnownMissing { .. } => "known_missing",
            Self::KnownDiffers { .. } => "known_differs",
        }
    }

    /// The first record that is at fault.
    #[must_use]
    pub const fn position(self) -> i64 {
        match self {
            Self::BeforeFloor { position }
            | Self::Missing { position, .. }
            | Self::Changed { position }
            | Self::Moved { position, .. }
            | Self::BeyondHead { position }
            | Self::OtherHead { position }
            | Self::Unkeyed { position }
            | Self::UnsealedStart { position }
            | Self::UnsealedFloor { position }
            | Self::KnownMissing { position }
            | Self::KnownDiffers { position } => position,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BeforeFloor { position } => {
                write!(f, "record {position} precedes the recorded start of the log")
            }
            Self::Missing { position, until } if position == until => write!(f, "record {position} is missing"),
            Self::Missing { position, until } => write!(f, "records {position} to {until} are missing"),
            Self::Changed { position } => {
                write!(f, "record {position} was changed, or its hash does not match the previous record")
            }
            Self::Moved { position, belongs_at } => {
                write!(f, "record {position} is out of order: it belongs at position {belongs_at}")
            }
            Self::BeyondHead { position } => write!(f, "record {position} is after the recorded end of the log"),
            Self::OtherHead { position } => {
                write!(f, "record {position} is not the recorded last record of the log")
            }
            Self::Unkeyed { position } => write!(
                f,
                "record {position} has no keyed hash: it was written by a previous release during an upgrade, or by a \
                 program without the key"
            ),
            Self::UnsealedStart { position } => {
                write!(
                    f,
                    "record {position} is recorded as the last record without a keyed hash, but this entry has no \
                     valid seal"
                )
            }
            Self::UnsealedFloor { position } => write!(
                f,
                "record {position} is recorded as the last removed record, but this entry has no valid seal: a \
                 previous release, or a program without the key, removed records"
            ),
            Self::KnownMissing { position } => {
                write!(f, "record {position} is in a stored head but is missing from the log")
            }
            Self::KnownDiffers { position } => {
                write!(f, "record {position} has another hash than in a stored head: the log was rewritten")
            }
        }
    }
}
