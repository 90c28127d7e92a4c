//! The life of keys: made, adopted, active, withdrawn.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;

fn es256() -> KeyMaterial {
    pair::generate(&vault(0), Algorithm::Es256).unwrap()
}

fn empty() -> (KeyRing, Arc<FakeClock>) {
    let clock = Arc::new(FakeClock::at(NOW));
    (ring_with(Signing::Stored, Arc::clone(&clock)), clock)
}

fn kid(token: &str) -> String {
    part(token, 0)["kid"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn what_is_made_can_be_adopted_and_signs() {
    let (ring, _) = empty();
    for algorithm in STORED {
        let made = ring.make(algorithm).await.unwrap();
        assert_eq!(made.algorithm, algorithm);
        ring.adopt(&[stored(&made, 1)]).unwrap();
        let token = ring.sign(&user()).unwrap();
        assert_eq!(kid(&token), made.id);
        assert!(ring.verify(&token, NOW).is_some());
    }
    assert!(ring.make(Algorithm::Hs256).await.is_err());
}

#[test]
fn without_an_active_key_the_one_that_is_active_first_signs() {
    let (ring, _) = empty();
    assert!(ring.sign(&user()).is_err());
    let first = StoredKey { activates_at: NOW.plus_seconds(1), ..stored(&es256(), 1) };
    let next = StoredKey { activates_at: NOW.plus_seconds(300), ..stored(&es256(), 2) };
    ring.adopt(&[next, first.clone()]).unwrap();
    assert_eq!(kid(&ring.sign(&user()).unwrap()), first.id);
}

#[test]
fn a_key_verifies_before_it_signs_and_takes_over_by_the_clock() {
    let (ring, clock) = empty();
    let old = stored(&es256(), 1);
    let next = StoredKey { activates_at: NOW.plus_seconds(300), ..stored(&es256(), 2) };
    let keys = [next.clone(), old.clone()];
    ring.adopt(&keys).unwrap();
    assert_eq!(kid(&ring.sign(&user()).unwrap()), old.id);

    // A node whose clock is ahead signs with it already.
    let (ahead, _) = empty();
    ahead.adopt(&[StoredKey { activates_at: NOW, ..next.clone() }]).unwrap();
    assert!(ring.verify(&ahead.sign(&user()).unwrap(), NOW).is_some());

    clock.advance_s(299);
    assert_eq!(kid(&ring.sign(&user()).unwrap()), old.id);
    clock.advance_s(1);
    assert_eq!(kid(&ring.sign(&user()).unwrap()), next.id);
}

#[test]
fn the_highest_active_sequence_signs_whatever_the_order_of_the_list() {
    let (ring, _) = empty();
    let keys: Vec<StoredKey> = [2, 3, 1].map(|sequence| stored(&es256(), sequence)).into();
    ring.adopt(&keys).unwrap();
    assert_eq!(kid(&ring.sign(&user()).unwrap()), keys[1].id);
}

#[test]
fn what_the_old_key_signed_verifies_until_the_key_is_dropped() {
    let (ring, _) = empty();
    let (old, new) = (stored(&es256(), 1), stored(&MADE[&Algorithm::EdDsa], 2));
    ring.adopt(std::slice::from_ref(&old)).unwrap();
    let token = ring.sign(&user()).unwrap();
    assert!(ring.verify(&token, NOW).is_some());
    assert_eq!(ring.present().verified.len(), 1);

    ring.adopt(&[new.clone(), old]).unwrap();
    assert_eq!(ring.present().verified.len(), 1, "what is remembered stays when a key is added");
    assert!(ring.verify(&token, NOW).is_some());
    assert_eq!(kid(&ring.sign(&user()).unwrap()), new.id);

    ring.adopt(&[new]).unwrap();
    assert!(ring.verify(&token, NOW).is_none());
}

#[test]
fn a_withdrawn_key_is_dead_at_once_and_for_good() {
    let (ring, _) = empty();
    let (kept, doomed) = (stored(&es256(), 1), stored(&es256(), 2));
    ring.adopt(std::slice::from_ref(&kept)).unwrap();
    let of_kept = ring.sign(&user()).unwrap();
    let before = [doomed.clone(), kept.clone()];
    ring.adopt(&before).unwrap();
    let of_doomed = ring.sign(&user()).unwrap();
    for token in [&of_kept, &of_doomed] {
        assert!(ring.verify(token, NOW).is_some());
    }

    ring.adopt(&[StoredKey { withdrawn_at: Some(NOW), ..doomed.clone() }, kept.clone()]).unwrap();
    assert!(ring.verify(&of_doomed, NOW).is_none(), "though it was remembered");
    assert!(ring.verify(&of_kept, NOW).is_some());
    assert_eq!(kid(&ring.sign(&user()).unwrap()), kept.id);
    assert!(!ring.jwks().body.contains(&doomed.id));

    // A list read before the withdrawal and adopted after it.
    ring.adopt(&before).unwrap();
    assert!(ring.verify(&of_doomed, NOW).is_none());
}

#[test]
fn a_token_verified_while_its_key_is_taken_away_is_not_remembered() {
    let (ring, _) = empty();
    let key = stored(&es256(), 1);
    ring.adopt(std::slice::from_ref(&key)).unwrap();
    let token = ring.sign(&user()).unwrap();
    let during = ring.present();
    ring.adopt(&[StoredKey { withdrawn_at: Some(NOW), ..key }]).unwrap();
    // What a check does that began before.
    let verified = jwt::verify(&during, &token, ISSUER, "denizen", NOW).unwrap();
    during.verified.insert(sha256(token.as_bytes()), verified);
    assert!(ring.verify(&token, NOW).is_none());
}

#[test]
fn a_list_read_before_a_key_was_added_does_not_take_it_away() {
    let (ring, _) = empty();
    let keys = [stored(&es256(), 2), stored(&es256(), 1)];
    ring.adopt(&keys).unwrap();
    let token = ring.sign(&user()).unwrap();
    for late in [&keys[1..], &[]] {
        ring.adopt(late).unwrap();
        assert!(ring.verify(&token, NOW).is_some());
    }
}

#[test]
fn keys_that_cannot_be_used_are_named_and_the_others_adopted() {
    let good = stored(&es256(), 1);
    let foreign = stored(&pair::generate(&vault(1), Algorithm::Es256).unwrap(), 2);
    let mislabelled = StoredKey { algorithm: Algorithm::Rs256, ..stored(&es256(), 2) };
    let secret = StoredKey { algorithm: Algorithm::Hs256, ..stored(&es256(), 2) };
    let renamed = StoredKey { id: "another".to_owned(), ..stored(&es256(), 2) };
    for (bad, message) in [
        (
            &foreign,
            format!("signing key {} cannot be decrypted: it was altered, or belongs to another database", foreign.id),
        ),
        (
            &renamed,
            "signing key another cannot be decrypted: it was altered, or belongs to another database".to_owned(),
        ),
        (&mislabelled, format!("signing key {} is not a valid key", mislabelled.id)),
        (&secret, format!("signing key {} is not a valid key", secret.id)),
    ] {
        let (ring, _) = empty();
        let error = ring.adopt(&[bad.clone(), good.clone()]).unwrap_err();
        assert_eq!(error.0.to_string(), message);
        assert_eq!(kid(&ring.sign(&user()).unwrap()), good.id);
    }
}

struct CountingVault {
    vault: crate::vault::MasterVault,
    opened: AtomicUsize,
}

impl Vault for CountingVault {
    fn seal(&self, context: &[u8], plain: &[u8]) -> Vec<u8> {
        self.vault.seal(context, plain)
    }

    fn open(&self, context: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
        self.opened.fetch_add(1, Ordering::Relaxed);
        self.vault.open(context, sealed)
    }

    fn mac(&self, purpose: &str, message: &[u8]) -> [u8; 32] {
        self.vault.mac(purpose, message)
    }
}

#[test]
fn a_key_is_opened_once_and_the_published_set_made_once_per_change() {
    let vault = Arc::new(CountingVault { vault: vault(0), opened: AtomicUsize::new(0) });
    let ring = KeyRing { vault: Arc::<CountingVault>::clone(&vault), ..empty().0 };
    let before = ring.jwks();
    assert_eq!((before.body.as_str(), before.version), (r#"{"keys":[]}"#, 1));

    let keys = [stored(&es256(), 2), stored(&es256(), 1)];
    for _ in 0..10 {
        ring.adopt(&keys).unwrap();
    }
    assert_eq!(vault.opened.load(Ordering::Relaxed), 2);
    let published = ring.jwks();
    assert_eq!(published.version, 2);

    // When it signs is not published.
    ring.adopt(&keys.clone().map(|key| StoredKey { activates_at: NOW.plus_seconds(1), ..key })).unwrap();
    assert!(Arc::ptr_eq(&published, &ring.jwks()));
    ring.adopt(&keys[..1]).unwrap();
    assert_eq!(ring.jwks().version, 3);
    assert_eq!(vault.opened.load(Ordering::Relaxed), 2);
}

#[test]
fn a_secret_is_never_published_and_follows_no_store() {
    let ring = ring(Algorithm::Hs256);
    assert_eq!(ring.jwks().body, r#"{"keys":[]}"#);
    let token = ring.sign(&user()).unwrap();
    ring.adopt(&[stored(&MADE[&Algorithm::Es256], 1)]).unwrap();
    assert!(ring.verify(&token, NOW).is_some());
    assert_eq!(kid(&ring.sign(&user()).unwrap()), kid(&token));
    assert_eq!(ring.jwks().body, r#"{"keys":[]}"#);
    let other = self::ring(Algorithm::Es256).sign(&user()).unwrap();
    assert!(ring.verify(&other, NOW).is_none());
}

#[test]
fn a_secret_is_named_the_same_everywhere_and_has_its_length() {
    let name = |secret: &str| SigningSecret::parse(&secret.into()).map(|secret| secret.id().to_owned());
    let id = name(SECRET).unwrap();
    assert!(id.starts_with("hs256-") && id.len() == 22, "{id}");
    assert_eq!(name(SECRET), Some(id.clone()));
    assert_ne!(name(&format!("{SECRET}.")), Some(id));
    assert!(name(&"a".repeat(31)).is_none());
    assert!(name(&"a".repeat(32)).is_some());
}
