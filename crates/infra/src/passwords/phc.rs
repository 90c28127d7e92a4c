//! Argon2 hashes in the PHC string format, with bounded cost.

use std::fmt;

use argon2::password_hash::phc::{Output, ParamsString, PasswordHash as PhcString, Salt};
use argon2::{Algorithm, Argon2, Block, Params, Version};

use super::Cost;
use super::cost::reasons;

/// The salt of our own hashes (RFC 9106 §3.1 recommends 16 bytes).
pub(super) const SALT_BYTES: usize = 16;
const OUTPUT_BYTES: usize = 32;

/// The C library maps a buffer of more than 32 MiB by itself and returns it when it is freed; a smaller one it
/// may keep for later, once for each thread. Room that is never touched costs nothing.
const RETURNED_BLOCKS_MIN: usize = 33 * 1024;

// What can be read; what may be imported and what is computed is bounded by `cost`.
const MEMORY_KIB_MAX: u32 = 1024 * 1024;
const ITERATIONS_MAX: u32 = 20;
const PARALLELISM_MAX: u32 = 16;

/// A PHC string taken apart.
#[derive(Clone)]
pub(super) struct Encoded {
    pub(super) cost: Cost,
    pub(super) output: Vec<u8>,
    algorithm: Algorithm,
    version: Version,
    salt: Vec<u8>,
}

/// What is wrong with an encoded hash.
#[derive(Debug, thiserror::Error)]
#[error("invalid password hash: {0}")]
pub(super) struct Unreadable(pub(super) &'static str);

/// What is wrong with the computation.
#[derive(Debug, thiserror::Error)]
#[error("computing argon2")]
pub(super) struct DeriveError(#[source] argon2::Error);

impl Encoded {
    /// A hash yet to be computed, with today's cost.
    pub(super) fn unhashed(cost: Cost, salt: &[u8]) -> Self {
        let output = vec![0; OUTPUT_BYTES];
        Self { cost, output, algorithm: Algorithm::Argon2id, version: Version::V0x13, salt: salt.to_vec() }
    }

    pub(super) fn parse(encoded: &str) -> Result<Self, Unreadable> {
        let phc = PhcString::new(encoded).map_err(|_| Unreadable("not a PHC string"))?;
        let algorithm = Algorithm::try_from(phc.algorithm.as_str()).map_err(|_| Unreadable("not an Argon2 hash"))?;
        let version = phc.version.map_or(Ok(Version::V0x10), Version::try_from);
        let version = version.map_err(|_| Unreadable("an unknown Argon2 version"))?;
        let params = Params::try_from(&phc).map_err(|_| Unreadable("invalid Argon2 parameters"))?;
        let cost = Cost { memory_kib: params.m_cost(), iterations: params.t_cost(), parallelism: params.p_cost() };
        let is_bounded = cost.memory_kib <= MEMORY_KIB_MAX
            && cost.iterations <= ITERATIONS_MAX
            && cost.parallelism <= PARALLELISM_MAX;
        if !is_bounded {
            return Err(Unreadable(reasons::ARGON2));
        }
        let salt = phc.salt.ok_or(Unreadable("no salt"))?.to_vec();
        let output = phc.hash.ok_or(Unreadable("no hash"))?.as_bytes().to_vec();
        Ok(Self { cost, output, algorithm, version, salt })
    }

    pub(super) fn is_argon2id(&self) -> bool {
        self.algorithm == Algorithm::Argon2id && self.version == Version::V0x13
    }

    /// The same parameters and salt over a password. The memory is grown to what the cost asks for.
    pub(super) fn derive(mut self, password: &[u8], memory: &mut Vec<Block>) -> Result<Self, DeriveError> {
        let params = params(self.cost).map_err(DeriveError)?;
        memory.reserve_exact(RETURNED_BLOCKS_MIN.max(params.block_count()).saturating_sub(memory.len()));
        memory.resize(params.block_count(), Block::new());
        Argon2::new(self.algorithm, self.version, params)
            .hash_password_into_with_memory(password, &self.salt, &mut self.output, memory)
            .map_err(DeriveError)?;
        Ok(self)
    }
}

impl fmt::Display for Encoded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let params = params(self.cost).map_err(|_| fmt::Error)?;
        let phc = PhcString {
            algorithm: self.algorithm.ident(),
            version: Some(self.version.into()),
            params: ParamsString::try_from(&params).map_err(|_| fmt::Error)?,
            salt: Some(Salt::new(&self.salt).map_err(|_| fmt::Error)?),
            hash: Some(Output::new(&self.output).map_err(|_| fmt::Error)?),
        };
        phc.fmt(f)
    }
}

/// The parameters of a cost; the length of the output goes with the buffer it is written to.
pub(super) fn params(cost: Cost) -> Result<Params, argon2::Error> {
    Params::new(cost.memory_kib, cost.iterations, cost.parallelism, None)
}
