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
use denizen_domain::ports::{HashError, HashRefusal, PasswordHasher, Random, Verdict};
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
        let admission = self.lane(Estimate::of_argon2(like.cost));
        admission.run(origin.client(), move |memory| like.derive(&password, memory)).await?.map_err(failed)
    }

    fn ours(&self) -> Estimate {
        Estimate::of_argon2(self.cost)
    }

    fn lane(&self, estimate: Estimate) -> &Admission {
        match estimate.lane(self.ours()) {
            Lane::Ordinary => &self.ordinary,
            Lane::Slow => &self.slow,
        }
    }

    /// A stored hash that costs too much is not computed: no password is right for it, and the user resets theirs. It
    /// takes the time of an account that does not exist.
    async fn refuse_costly(&self, attempt: &PasswordAttempt, origin: &Origin) -> Result<Verdict, HashError> {
        tracing::warn!("a stored password hash costs too much to verify; its user must reset the password");
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
        let admission = self.lane(stored.estimate());
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

/// Whether it is Argon2's own text, whoever made it.
fn is_argon2(encoded: &str) -> bool {
    encoded.starts_with("$argon2")
}

#[async_trait]
impl PasswordHasher for Argon2Hasher {
    fn check_room(&self, origin: &Origin) -> Result<(), HashError> {
        self.ordinary.check_room(origin.client())
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
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::clock::SystemChance;

    const CHEAP: Cost = Cost { memory_kib: 64, iterations: 1, parallelism: 1 };

    fn hasher(cost: Cost, queue: u32) -> Argon2Hasher {
        let limits = AdmissionLimits { concurrency: 1, queue, deadline: Duration::from_secs(30) };
        Argon2Hasher::new(cost, limits, Arc::new(SystemChance)).unwrap()
    }

    fn attempt(raw: &str) -> PasswordAttempt {
        PasswordAttempt::parse(&raw.into()).unwrap()
    }

    #[tokio::test]
    async fn the_right_password_verifies_and_a_higher_cost_outdates_it() {
        let stored = hasher(CHEAP, 4)
            .hash(&Password::from_verified(&attempt("correct horse")), &Origin::default())
            .await
            .unwrap();
        assert!(stored.expose().starts_with("$argon2id$v=19$m=64,t=1,p=1$"));
        let verdict =
            async |hasher: &Argon2Hasher, raw| hasher.verify(&attempt(raw), &stored, &Origin::default()).await.unwrap();
        assert_eq!(verdict(&hasher(CHEAP, 4), "correct horse").await, Verdict::Right);
        assert_eq!(verdict(&hasher(CHEAP, 4), "correct horsf").await, Verdict::Wrong);
        let dearer = Cost { iterations: 2, ..CHEAP };
        assert_eq!(verdict(&hasher(dearer, 4), "correct horse").await, Verdict::RightButOutdated);
    }

    // The reference implementation's own vectors: phc-winner-argon2, src/test.c.
    #[tokio::test]
    async fn hashes_of_the_reference_implementation_verify() {
        for (encoded, expected) in [
            // Far dearer than today's.
            (
                "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
                Verdict::RightButOutdated,
            ),
            (
                "$argon2i$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$wWKIMhR9lyDFvRz9YTZweHKfbftvj+qf+YFY4NeBbtA",
                Verdict::RightButOutdated,
            ),
        ] {
            let adopted = hasher(CHEAP, 4).adopt(encoded).unwrap().unwrap();
            let verdict = hasher(CHEAP, 4).verify(&attempt("password"), &adopted, &Origin::default()).await.unwrap();
            assert_eq!(verdict, expected, "{encoded}");
        }
    }

    #[tokio::test]
    async fn a_foreign_hash_is_right_once_and_kept_as_given() {
        let encoded = "$2b$05$LTZTMn.LSWggOtk/CkByme/CuSGVEkgKwFeakF9vFroKnryimlKWO";
        let adopted = hasher(CHEAP, 4).adopt(encoded).unwrap().unwrap();
        assert_eq!(adopted.expose(), encoded);
        let verdict = async |raw| hasher(CHEAP, 4).verify(&attempt(raw), &adopted, &Origin::default()).await.unwrap();
        assert_eq!(verdict("lètmein pässwörd").await, Verdict::RightButOutdated);
        assert_eq!(verdict("lètmein passwörd").await, Verdict::Wrong);
    }

    #[tokio::test]
    async fn hashes_verify_against_the_password_as_typed_and_in_nfc() {
        const TYPED: &str = "cafe\u{301} crème";
        const NFC: &str = "café crème";
        for (hashed, tried, expected) in [
            (TYPED, TYPED, Verdict::RightButOutdated),
            (NFC, TYPED, Verdict::RightButOutdated),
            (NFC, NFC, Verdict::RightButOutdated),
            (TYPED, NFC, Verdict::Wrong),
            (NFC, "cafe\u{301} creme", Verdict::Wrong),
        ] {
            let bcrypt = bcrypt::hash_with_salt(hashed, 4, [7; 16]).unwrap().to_string();
            let stored = hasher(CHEAP, 4).adopt(&bcrypt).unwrap().unwrap();
            let verdict = hasher(CHEAP, 4).verify(&attempt(tried), &stored, &Origin::default()).await.unwrap();
            assert_eq!(verdict, expected, "{hashed} {tried}");
        }
        let argon2 = |password: &str| {
            Encoded::unhashed(CHEAP, &[7; phc::SALT_BYTES]).derive(password.as_bytes(), &mut Vec::new()).unwrap()
        };
        for (hashed, tried, expected) in [
            (TYPED, TYPED, Verdict::RightButOutdated),
            (NFC, TYPED, Verdict::Right),
            (NFC, NFC, Verdict::Right),
            (TYPED, NFC, Verdict::Wrong),
        ] {
            let stored = PasswordHash::from_encoded(argon2(hashed).to_string());
            let verdict = hasher(CHEAP, 4).verify(&attempt(tried), &stored, &Origin::default()).await.unwrap();
            assert_eq!(verdict, expected, "{hashed} {tried}");
        }
    }

    #[test]
    fn markers_of_no_password_are_no_password() {
        for marker in [
            "",
            "!",
            "!!",
            "!vKlZ7eXQpr0cB4YMCqLDpBzqvQ9xkWcYAsqKqHnb",
            "!$6$/eGW2z0U0xiChF1k$zt3cgyQwvG4MIOo7vnmeNcbmeQzID7AbZexGFsF7bcDb09QJPSHdkByeozrBj6t80S",
            "*",
            "*0",
            "*1",
            "*LK*",
            "*NP*",
            "{CRYPT}!",
            "{crypt}*",
        ] {
            assert!(matches!(hasher(CHEAP, 4).adopt(marker), Ok(None)), "{marker}");
        }
        // A hash of MySQL's, and others that begin like a marker.
        for hash in ["*2470C0C06DEE42FD1618BB99005ADCA2EC9D1E19", "*LOCKED*", " ", "x"] {
            assert!(hasher(CHEAP, 4).adopt(hash).is_err(), "{hash}");
        }
    }

    #[tokio::test]
    async fn stored_hash_that_costs_too_much_is_wrong_without_being_computed() {
        for encoded in [
            "$2b$31$LTZTMn.LSWggOtk/CkByme/CuSGVEkgKwFeakF9vFroKnryimlKWO",
            "$argon2id$v=19$m=1048576,t=20,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
            "{ARGON2}$argon2id$v=19$m=1048576,t=20,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
        ] {
            let stored = PasswordHash::from_encoded(encoded.to_owned());
            let (hasher, attempt, origin) = (hasher(CHEAP, 4), attempt("x"), Origin::default());
            let verdict = tokio::time::timeout(Duration::from_secs(2), hasher.verify(&attempt, &stored, &origin)).await;
            assert_eq!(verdict.expect("it is not computed").unwrap(), Verdict::Wrong, "{encoded}");
        }
    }

    #[test]
    fn usual_costs_are_adopted_and_excessive_ones_name_their_bound() {
        let adopt = |encoded: &str| hasher(CHEAP, 4).adopt(encoded);
        let bcrypt = |cost: u32| format!("$2b${cost:02}$LTZTMn.LSWggOtk/CkByme/CuSGVEkgKwFeakF9vFroKnryimlKWO");
        let argon2 =
            |params: &str| format!("$argon2id$v=19${params}$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc");
        let scrypt = |params: &str| format!("$scrypt${params}$c2FsdA$kEXVRrwFPwCAgHhxuuxKJKS/gHCQ9DOjFeaWR90jSvY");
        for encoded in [
            bcrypt(10),
            bcrypt(14),
            argon2("m=65536,t=3,p=4"),
            argon2("m=102400,t=2,p=8"),
            argon2("m=262144,t=6,p=1"),
            scrypt("ln=17,r=8,p=1"),
            scrypt("ln=18,r=8,p=1"),
        ] {
            assert!(matches!(adopt(&encoded), Ok(Some(_))), "{encoded}");
        }
        for encoded in [
            bcrypt(15),
            bcrypt(16),
            argon2("m=262145,t=1,p=1"),
            argon2("m=1048576,t=20,p=1"),
            argon2("m=131072,t=13,p=1"),
            argon2("m=64,t=21,p=1"),
            format!("{{ARGON2}}{}", argon2("m=1048576,t=1,p=1")),
            scrypt("ln=18,r=8,p=2"),
            scrypt("ln=19,r=8,p=1"),
        ] {
            assert!(matches!(adopt(&encoded), Err(HashRefusal::TooCostly(_))), "{encoded}");
        }
    }

    #[test]
    fn only_hashes_near_our_own_cost_share_the_ordinary_lane() {
        let ours = Estimate::of_argon2(Cost { memory_kib: 19_456, iterations: 2, parallelism: 1 });
        let lane = |encoded: &str| Foreign::parse(encoded).ok().unwrap().estimate().lane(ours);
        let key = "LTZTMn.LSWggOtk/CkByme/CuSGVEkgKwFeakF9vFroKnryimlKWO";
        assert_eq!(ours.lane(ours), Lane::Ordinary);
        assert_eq!(lane(&format!("$2b$12${key}")), Lane::Ordinary);
        assert_eq!(lane(&format!("$2b$13${key}")), Lane::Slow);
        let argon2 = "$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";
        assert_eq!(lane(&format!("$argon2id$v=19$m=19456,t=2,p=1{argon2}")), Lane::Ordinary);
        assert_eq!(lane(&format!("$argon2id$v=19$m=65536,t=3,p=4{argon2}")), Lane::Slow);
    }

    #[test]
    fn dangerous_costs_and_other_encodings_are_not_adopted() {
        for encoded in [
            "$argon2id$",
            "$2b$10$abcdefghijklmnopqrstuv",
            "$argon2id$v=19$m=4194304,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
            "$argon2id$v=19$m=65536,t=99,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
            "$argon2id$v=19$m=65536,t=2,p=64$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
            "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ",
        ] {
            assert!(hasher(CHEAP, 4).adopt(encoded).is_err(), "{encoded}");
        }
    }

    #[tokio::test]
    async fn work_beyond_the_queue_is_refused_and_the_rest_is_done() {
        let hasher = Arc::new(hasher(Cost { memory_kib: 8192, ..CHEAP }, 3));
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..20 {
            let hasher = Arc::clone(&hasher);
            tasks.spawn(async move { hasher.verify_nobody(&attempt("anything"), &Origin::default()).await });
        }
        let outcomes = tasks.join_all().await;
        let refused =
            outcomes.iter().filter(|o| matches!(o, Err(HashError::Overloaded { retry_after_s: 1.. }))).count();
        let done = outcomes.iter().filter(|o| o.is_ok()).count();
        assert_eq!(done + refused, 20);
        assert!(done >= 4 && refused >= 1, "{done} done, {refused} refused");
    }
}
