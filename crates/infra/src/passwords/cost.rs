//! The bounds of what one verification may cost, and the estimate that they are compared with.
//!
//! Times are those of one core of a small server. An estimate above the bounds of the ordinary lane is verified in the
//! slow lane, one at a time and at the lowest priority.

use super::Cost;

/// What one verification needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Estimate {
    /// Memory, in KiB.
    pub(super) memory_kib: u64,
    /// Time of one core, in milliseconds.
    pub(super) millis: u64,
}

/// Which queue a verification waits in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lane {
    /// Shared with our own hashes.
    Ordinary,
    /// One at a time, at the lowest priority.
    Slow,
}

/// The ordinary lane: at most this much, or what a hash of ours needs.
const ORDINARY: Estimate = Estimate { memory_kib: 32 * 1024, millis: 300 };
/// An import accepts at most this much.
const IMPORTED: Estimate = Estimate { memory_kib: 256 * 1024, millis: 1_000 };
/// A sign-in computes at most this much. It is more than an import accepts, for the sake of hashes that earlier releases
/// have imported.
const STORED: Estimate = Estimate { memory_kib: 256 * 1024, millis: 2_000 };

/// Argon2 writes about 1.5 GiB a second within the processor's caches, and half of it beyond them.
const ARGON2_KIB_PER_MS: u64 = 1_573;
const ARGON2_KIB_PER_MS_UNCACHED: u64 = 787;
/// Above this much memory, in KiB, the caches are assumed not to help.
const CACHED_KIB_MAX: u32 = 32 * 1024;

/// Why a hash is refused for its cost. Each names the bounds of an import.
pub(super) mod reasons {
    pub(in crate::passwords) const ARGON2: &str =
        "an Argon2 cost above m=262144 (256 MiB), m*t=787000 (0.75 GiB), t=20 or p=16";
    pub(in crate::passwords) const BCRYPT: &str = "a bcrypt cost above 14";
    pub(in crate::passwords) const CRYPT3: &str =
        "more than 1000000 rounds of crypt(3), or too many together with the pepper";
    pub(in crate::passwords) const PBKDF2: &str =
        "more than 2000000 PBKDF2 iterations, or 1500000 on SHA-384 or SHA-512, counted for each block of the key";
    pub(in crate::passwords) const PEPPER: &str = "peppers of more than 512 bytes in total";
    pub(in crate::passwords) const PHPASS: &str =
        "more than 2^20 rounds of phpass, or too many together with the pepper";
    pub(in crate::passwords) const SCRYPT: &str = "an scrypt cost above N*r*p=1048576, or r*p out of proportion to N";
    pub(super) const ALL: [&str; 7] = [ARGON2, BCRYPT, CRYPT3, PBKDF2, PEPPER, PHPASS, SCRYPT];
}

/// Whether a reason is about the cost of a hash, not about its form.
pub(super) fn is_about_cost(reason: &str) -> bool {
    reasons::ALL.contains(&reason)
}

impl Estimate {
    /// What Argon2 needs for this cost.
    pub(super) fn of_argon2(cost: Cost) -> Self {
        let is_cached = cost.memory_kib <= CACHED_KIB_MAX;
        let rate = if is_cached { ARGON2_KIB_PER_MS } else { ARGON2_KIB_PER_MS_UNCACHED };
        Self { memory_kib: cost.memory_kib.into(), millis: cost.work().div_ceil(rate) }
    }

    /// Time alone.
    pub(super) fn of_millis(millis: u64) -> Self {
        Self { memory_kib: 0, millis }
    }

    /// Time alone, in nanoseconds.
    pub(super) fn of_nanos(nanos: u64) -> Self {
        Self::of_millis(nanos / 1_000_000)
    }

    /// Both, one after the other.
    pub(super) fn then(self, next: Self) -> Self {
        Self { memory_kib: self.memory_kib.max(next.memory_kib), millis: self.millis.saturating_add(next.millis) }
    }

    /// Whether a sign-in computes a hash that costs `self` for the entered password and `usual` for an ordinary one. The
    /// length of a password must not raise the cost above what an import accepts.
    pub(super) fn is_affordable(self, usual: Self, ours: Self) -> bool {
        self.is_within(IMPORTED.or_more(usual).or_more(ours))
    }

    /// The lane for it beside hashes of ours that need `ours`.
    pub(super) fn lane(self, ours: Self) -> Lane {
        if self.is_within(ORDINARY.or_more(ours)) { Lane::Ordinary } else { Lane::Slow }
    }

    /// Whether an import accepts it.
    pub(super) fn is_importable(self, ours: Self) -> bool {
        self.is_within(IMPORTED.or_more(ours))
    }

    /// Whether a sign-in computes it.
    pub(super) fn is_verifiable(self, ours: Self) -> bool {
        self.is_within(STORED.or_more(ours))
    }

    fn or_more(self, other: Self) -> Self {
        Self { memory_kib: self.memory_kib.max(other.memory_kib), millis: self.millis.max(other.millis) }
    }

    fn is_within(self, bound: Self) -> bool {
        self.memory_kib <= bound.memory_kib && self.millis <= bound.millis
    }
}
