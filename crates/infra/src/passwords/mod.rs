//! Argon2id (RFC 9106) behind bounded admission; and the hashes of other systems, until their first sign-in.

mod admission;
mod cost;
mod foreign;
mod phc;
mod turns;

use std::sync::Arc;

use async_trait::async_trait;
use aws_lc_rs::constant_time::verify_slices_are_equal;
use denizen_domain::access::Origin;
use denizen_domain::credentials::{Password, PasswordAttempt, PasswordHash};
use denizen_domain::ports::{HashError, HashLoad, HashRefusal, PasswordHasher, Random, Verdict};
use zeroize::Zeroizing;

use admission::Admission;
pub use admission::AdmissionLimits;
use cost::{Estimate, Lane};
use foreign::Foreign;
use phc::{Encoded, Unreadable};

/// What a hash of today costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cost {
    /// Memory, in KiB.
    pub memory_kib: u32,
    /// Passes over the memory.
    pub iterations: u32,
    /// Lanes.
    pub parallelism: u32,
}

impl Cost {
    /// How much memory is written in all: what makes one hash dearer than another.
    fn work(self) -> u64 {
        u64::from(self.memory_kib) * u64::from(self.iterations)
    }
}

/// Hashes with Argon2id, off the async threads, a fixed number at once and in turns between clients. Imported hashes
/// that cost far more than ours are verified in a slow lane beside it.
pub struct Argon2Hasher {
    cost: Cost,
    ordinary: Admission,
    slow: Admission,
    random: Arc<dyn Random>,
}

/// The cost is not one that Argon2 can have.
#[derive(Debug, thiserror::Error)]
#[error("the argon2 parameters are out of range")]
pub struct CostError(#[source] argon2::Error);

impl Argon2Hasher {
    /// A hasher with today's cost.
    ///
    /// # Errors
    /// When the parameters contradict each other.
    pub fn new(cost: Cost, limits: AdmissionLimits, random: Arc<dyn Random>) -> Result<Self, CostError> {
        phc::params(cost).map_err(CostError)?;
        Ok(Self { cost, ordinary: Admission::new(limits), slow: Admission::slow(limits), random })
    }

    async fn derive(&self, password: &str, like: Encoded, origin: &Origin) -> Result<Encoded, HashError> {
        let password = Zeroizing::new(password.as_bytes().to_vec());
        let admission = self.lane(Estimate::of_argon2(like.cost), self.ours());
        admission.run(origin.client(), move |memory| like.derive(&password, memory)).await?.map_err(failed)
    }

    fn ours(&self) -> Estimate {
        Estimate::of_argon2(self.cost)
    }

    fn lane(&self, estimate: Estimate, ours: Estimate) -> &Admission {
        match estimate.lane(ours) {
            Lane::Ordinary => &self.ordinary,
            Lane::Slow => &self.slow,
        }
    }

    /// A stored hash that costs too much is not computed: no password is right for it, and the user resets theirs. It
    /// takes the time of an account that does not exist.
    async fn refuse_costly(&self, attempt: &PasswordAttempt, origin: &Origin) -> Result<Verdict, HashError> {
        tracing::warn!("a stored password hash is too expensive to verify; the user must reset the password");
        self.verify_nobody(attempt, origin).await?;
        Ok(Verdict::Wrong)
    }

    /// Verifies the password as typed or in NFC: which of the two another system hashed is not known.
    async fn verify_foreign(
        &self,
        attempt: &PasswordAttempt,
        stored: Foreign,
        origin: &Origin,
    ) -> Result<Verdict, HashError> {
        let ours = attempt.forms().fold(Estimate::default(), |sum, _| sum.then(self.ours()));
        let Some(estimate) = affordable(attempt, &stored, ours) else {
            // As for an account that does not exist.
            self.verify_nobody(attempt, origin).await?;
            return Ok(Verdict::Wrong);
        };
        let admission = self.lane(estimate, ours);
        let stored = Arc::new(stored);
        for form in attempt.forms() {
            let password = Zeroizing::new(form.as_bytes().to_vec());
            let stored = Arc::clone(&stored);
            // A wrong password costs a hash of today's too, as a right one will and as that of nobody does: how fast
            // the other system hashed must not tell who came from it.
            let today = Encoded::unhashed(self.cost, &[0; phc::SALT_BYTES]);
            let verified = admission.run(origin.client(), move |memory| {
                if stored.matches(&password, memory) {
                    return Ok(Verdict::RightButOutdated);
                }
                today.derive(&password, memory).map(|_| Verdict::Wrong)
            });
            if verified.await?.map_err(failed)? == Verdict::RightButOutdated {
                return Ok(Verdict::RightButOutdated);
            }
        }
        Ok(Verdict::Wrong)
    }
}

/// What the verification of all forms of a password costs; `None` if it must not be computed, because a form is too
/// long or the forms together cost too much at their length.
fn affordable(attempt: &PasswordAttempt, stored: &Foreign, ours: Estimate) -> Option<Estimate> {
    let (mut needed, mut usual) = (Estimate::default(), Estimate::default());
    for form in attempt.forms() {
        needed = needed.then(stored.estimate_for(form.as_bytes())?);
        usual = usual.then(stored.estimate());
    }
    needed.is_affordable(usual, ours).then_some(needed)
}

/// Whether it is Argon2's own text, whoever made it.
fn is_argon2(encoded: &str) -> bool {
    encoded.starts_with("$argon2")
}

#[async_trait]
impl PasswordHasher for Argon2Hasher {
    fn check_room(&self, origin: &Origin) -> Result<(), HashError> {
        self.ordinary.check_room(origin.client())
    }

    fn load(&self) -> HashLoad {
        let (ordinary, slow) = (self.ordinary.load(), self.slow.load());
        HashLoad {
            running: ordinary.running + slow.running,
            queued: ordinary.queued + slow.queued,
            computed: ordinary.computed + slow.computed,
            computing: ordinary.computing + slow.computing,
            refused: ordinary.refused + slow.refused,
        }
    }

    async fn hash(&self, password: &Password, origin: &Origin) -> Result<PasswordHash, HashError> {
        let mut salt = [0; phc::SALT_BYTES];
        self.random.fill(&mut salt);
        let hashed = self.derive(password.expose(), Encoded::unhashed(self.cost, &salt), origin).await?;
        Ok(PasswordHash::from_encoded(hashed.to_string()))
    }

    async fn verify(
        &self,
        attempt: &PasswordAttempt,
        stored: &PasswordHash,
        origin: &Origin,
    ) -> Result<Verdict, HashError> {
        if !is_argon2(stored.expose()) {
            return match Foreign::parse(stored.expose()) {
                Ok(foreign) if foreign.estimate().is_verifiable(self.ours()) => {
                    self.verify_foreign(attempt, foreign, origin).await
                }
                Err(reason) if !cost::is_about_cost(reason) => Err(failed(Unreadable(reason))),
                Ok(_) | Err(_) => self.refuse_costly(attempt, origin).await,
            };
        }
        let stored = match Encoded::parse(stored.expose()) {
            Ok(stored) if Estimate::of_argon2(stored.cost).is_verifiable(self.ours()) => stored,
            Err(unreadable) if !cost::is_about_cost(unreadable.0) => return Err(failed(unreadable)),
            Ok(_) | Err(_) => return self.refuse_costly(attempt, origin).await,
        };
        // What needs the slow lane is replaced too: the next sign-in should not wait there.
        let is_slow = Estimate::of_argon2(stored.cost).lane(self.ours()) == Lane::Slow;
        let is_outdated = is_slow || stored.cost.work() < self.cost.work() || !stored.is_argon2id();
        for form in attempt.forms() {
            let derived = self.derive(form, stored.clone(), origin).await?;
            if verify_slices_are_equal(&derived.output, &stored.output).is_err() {
                continue;
            }
            // Another system hashed what was typed. Hashed again in NFC it is right on every keyboard.
            let is_outdated = is_outdated || form != attempt.expose();
            return Ok(if is_outdated { Verdict::RightButOutdated } else { Verdict::Right });
        }
        Ok(Verdict::Wrong)
    }

    async fn verify_nobody(&self, attempt: &PasswordAttempt, origin: &Origin) -> Result<(), HashError> {
        // As often as a wrong password is hashed for an account that exists.
        for form in attempt.forms() {
            self.derive(form, Encoded::unhashed(self.cost, &[0; phc::SALT_BYTES]), origin).await?;
        }
        Ok(())
    }

    fn adopt(&self, encoded: &str) -> Result<Option<PasswordHash>, HashRefusal> {
        if foreign::is_no_password(encoded) {
            return Ok(None);
        }
        let parsed = if is_argon2(encoded) { foreign::parse_argon2(encoded) } else { Foreign::parse(encoded) };
        let hash = parsed.map_err(|reason| match reason {
            reason if cost::is_about_cost(reason) => HashRefusal::TooCostly(reason),
            reason => HashRefusal::Unsupported(reason),
        })?;
        if !hash.estimate().is_importable(self.ours()) {
            return Err(HashRefusal::TooCostly(hash.cost_bound()));
        }
        Ok(Some(PasswordHash::from_encoded(encoded.to_owned())))
    }
}

fn failed(error: impl std::error::Error + Send + Sync + 'static) -> HashError {
    HashError::Failed(Box::new(error))
}

#[cfg(test)]
mod tests;
