//! The digests that other systems build their hashes on.

use aws_lc_rs::{digest, hmac, pbkdf2};
use md5::Digest as _;

/// A digest function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Digest {
    Md5,
    Sha1,
    Sha224,
    Sha256,
    Sha384,
    Sha512,
}

impl Digest {
    /// The digest of a name such as `sha256`, in either case.
    pub(super) fn named(name: &str) -> Option<Self> {
        let known = match name.to_ascii_lowercase().as_str() {
            "md5" => Self::Md5,
            "sha1" => Self::Sha1,
            "sha224" => Self::Sha224,
            "sha256" => Self::Sha256,
            "sha384" => Self::Sha384,
            "sha512" => Self::Sha512,
            _ => return None,
        };
        Some(known)
    }

    /// How long its output is, in bytes.
    pub(super) fn bytes(self) -> usize {
        match self {
            Self::Md5 => 16,
            Self::Sha1 => 20,
            Self::Sha224 => 28,
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }

    /// About how long the digest of so many bytes takes, in nanoseconds.
    pub(super) fn nanos(self, bytes: usize) -> u64 {
        /// Whatever the length.
        const CALL_NANOS: u64 = 130;
        let (block_bytes, padding_bytes, block_nanos) = match self {
            Self::Md5 | Self::Sha1 | Self::Sha224 | Self::Sha256 => (64, 9, 120),
            Self::Sha384 | Self::Sha512 => (128, 17, 250),
        };
        CALL_NANOS + block_nanos * (bytes + padding_bytes).div_ceil(block_bytes) as u64
    }

    /// The digest of the parts, one after the other.
    pub(super) fn of(self, parts: &[&[u8]]) -> Vec<u8> {
        let algorithm = match self {
            Self::Md5 => {
                let mut context = md5::Md5::new();
                for part in parts {
                    context.update(part);
                }
                return context.finalize().to_vec();
            }
            Self::Sha1 => &digest::SHA1_FOR_LEGACY_USE_ONLY,
            Self::Sha224 => &digest::SHA224,
            Self::Sha256 => &digest::SHA256,
            Self::Sha384 => &digest::SHA384,
            Self::Sha512 => &digest::SHA512,
        };
        let mut context = digest::Context::new(algorithm);
        for part in parts {
            context.update(part);
        }
        context.finish().as_ref().to_vec()
    }

    /// HMAC over this digest, for those that have one here.
    pub(super) fn hmac(self) -> Option<hmac::Algorithm> {
        match self {
            Self::Md5 => None,
            Self::Sha1 => Some(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY),
            Self::Sha224 => Some(hmac::HMAC_SHA224),
            Self::Sha256 => Some(hmac::HMAC_SHA256),
            Self::Sha384 => Some(hmac::HMAC_SHA384),
            Self::Sha512 => Some(hmac::HMAC_SHA512),
        }
    }

    /// PBKDF2 over this digest, for those that have one here.
    pub(super) fn pbkdf2(self) -> Option<pbkdf2::Algorithm> {
        match self {
            Self::Md5 | Self::Sha224 => None,
            Self::Sha1 => Some(pbkdf2::PBKDF2_HMAC_SHA1),
            Self::Sha256 => Some(pbkdf2::PBKDF2_HMAC_SHA256),
            Self::Sha384 => Some(pbkdf2::PBKDF2_HMAC_SHA384),
            Self::Sha512 => Some(pbkdf2::PBKDF2_HMAC_SHA512),
        }
    }
}
