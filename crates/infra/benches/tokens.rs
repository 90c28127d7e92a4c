//! What a request pays for its credentials: `cargo bench --package denizen-infra`.

use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, criterion_group, criterion_main};
use denizen_domain::access::Permissions;
use denizen_domain::auth_methods::AuthMethods;
use denizen_domain::id::{SessionId, UserId};
use denizen_domain::keys::{Algorithm, StoredKey};
use denizen_domain::ports::{AccessTokens, Clock, SigningKeys, Vault};
use denizen_domain::roles::RoleName;
use denizen_domain::time::Timestamp;
use denizen_domain::tokens::{AccessClaims, Authentication, TokenSubject};
use denizen_domain::users::EmailAddress;
use denizen_infra::clock::{SystemChance, SystemClock};
use denizen_infra::root::RootKey;
use denizen_infra::tokens::{KeyRing, Signing};
use denizen_infra::vault::MasterVault;

const ALGORITHMS: [Algorithm; 3] = [Algorithm::Es256, Algorithm::EdDsa, Algorithm::Rs256];

/// A ring whose only key is of this algorithm.
fn ring(algorithm: Algorithm, vault: &Arc<MasterVault>) -> KeyRing {
    let (random, clock) = (Arc::new(SystemChance), Arc::new(SystemClock));
    let (issuer, audience) = ("https://id.example".to_owned(), "denizen".to_owned());
    let ring = KeyRing::new(Arc::<MasterVault>::clone(vault), random, clock, issuer, audience, Signing::Stored);
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime can be built");
    let made = runtime.block_on(ring.make(algorithm)).expect("a key can be made");
    let key = StoredKey {
        id: made.id,
        sequence: 1,
        algorithm,
        public_key: made.public_key,
        sealed_private_key: made.sealed_private_key,
        created_at: Timestamp::from_micros(0),
        activates_at: Timestamp::from_micros(0),
        withdrawn_at: None,
    };
    ring.adopt(&[key]).expect("the key is good");
    ring
}

fn claims() -> AccessClaims {
    let (clock, chance) = (SystemClock, SystemChance);
    AccessClaims {
        issuer: "https://id.example".to_owned(),
        audience: "denizen".to_owned(),
        subject: TokenSubject::User {
            id: UserId::new(&clock, &chance),
            session_id: SessionId::new(&clock, &chance),
            email: EmailAddress::from_stored("ada@example.com".to_owned()),
            email_verified: true,
            authentication: Authentication { at: clock.now(), methods: AuthMethods::PASSWORD },
        },
        role: RoleName::admin(),
        scope: Permissions::ALL,
        issued_at: clock.now(),
        expires_at: clock.now().plus_seconds(900),
        custom: Vec::new(),
    }
}

fn tokens(c: &mut Criterion) {
    let vault = Arc::new(MasterVault::new(&RootKey::from_bytes([7; 32])));
    for algorithm in ALGORITHMS {
        let (ring, claims, now) = (ring(algorithm, &vault), claims(), SystemClock.now());
        let name = algorithm.as_str();
        let token = ring.sign(&claims).expect("the key signs");
        c.bench_function(&format!("{name}: sign"), |b| b.iter(|| ring.sign(black_box(&claims))));
        c.bench_function(&format!("{name}: check a token seen before"), |b| {
            b.iter(|| ring.verify(black_box(&token), now));
        });
        c.bench_function(&format!("{name}: check a token never seen"), |b| {
            let fresh = || ring.sign(&claims).expect("the key signs");
            b.iter_batched(fresh, |token| ring.verify(black_box(&token), now), criterion::BatchSize::SmallInput);
        });
    }
    c.bench_function("the code of a refresh token or an API key", |b| {
        b.iter(|| vault.mac("api key", black_box(&[7; 32])));
    });
}

criterion_group!(benches, tokens);
criterion_main!(benches);
