//! Our own hashes, those of others, and what they may cost.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::*;
use crate::clock::SystemChance;

/// The salt and the key of a hash of crypt(3).
const SHA256_CRYPT: &str = "saltstringsaltst$3xv.VbSHBb41AL9AvLeujZkZRBAwqFMz2.opqey6IcA";
const SHA512_CRYPT: &str =
    "saltsalt$L6.ZdHUsljNg.HopVtkzF0p.hTmaoZ8oiaeDIx46nPnpka6kJBgrtuZDyhtrMy.TjML/FSbd8dD.gBmqzEGWl/";

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
    let stored =
        hasher(CHEAP, 4).hash(&Password::from_verified(&attempt("correct horse")), &Origin::default()).await.unwrap();
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
    let pbkdf2 = |digest: &str, iterations: u32, key_bytes: usize| {
        format!("$pbkdf2-{digest}$i={iterations},l={key_bytes}$c2FsdA${}", STANDARD.encode(vec![7; key_bytes]))
    };
    let scrypt = |params: &str| format!("$scrypt${params}$c2FsdA$kEXVRrwFPwCAgHhxuuxKJKS/gHCQ9DOjFeaWR90jSvY");
    for encoded in [
        bcrypt(10),
        bcrypt(14),
        argon2("m=65536,t=3,p=4"),
        argon2("m=102400,t=2,p=8"),
        argon2("m=65536,t=4,p=1"),
        argon2("m=262144,t=3,p=1"),
        pbkdf2("sha256", 2_000_000, 32),
        pbkdf2("sha512", 1_500_000, 64),
        scrypt("ln=16,r=8,p=2"),
        scrypt("ln=17,r=8,p=1"),
        format!("$5$rounds=1000000${SHA256_CRYPT}"),
        format!("$6$rounds=1000000${SHA512_CRYPT}"),
        "$P$IIQRaTwmfeRo7ud9Fh4E2PdI0S3r.L0".to_owned(),
        "$S$IrandomsaOpYrAZqwxGynirQbWYCb3ejW4BwGH81LJcOzbzeVd02".to_owned(),
    ] {
        assert!(matches!(adopt(&encoded), Ok(Some(_))), "{encoded}");
    }
    for encoded in [
        bcrypt(15),
        bcrypt(16),
        argon2("m=262145,t=1,p=1"),
        argon2("m=1048576,t=20,p=1"),
        argon2("m=131072,t=13,p=1"),
        argon2("m=131072,t=7,p=1"),
        argon2("m=262144,t=4,p=1"),
        argon2("m=64,t=21,p=1"),
        format!("{{ARGON2}}{}", argon2("m=1048576,t=1,p=1")),
        pbkdf2("sha256", 2_000_001, 32),
        pbkdf2("sha512", 2_000_000, 64),
        scrypt("ln=18,r=8,p=1"),
        scrypt("ln=18,r=8,p=2"),
        scrypt("ln=19,r=8,p=1"),
        // The memory and the PBKDF2 of r and p, whatever N is.
        scrypt("ln=1,r=131072,p=8"),
        scrypt("ln=1,r=2097152,p=1"),
        // The pepper is a part of every password.
        format!("$denizen-pre$pepper={}$$6$rounds=1000000${SHA512_CRYPT}", STANDARD.encode([b'x'; 512])),
        // More than 512 bytes after NFKC, and of two.
        format!("$denizen-pre$pepper={},nfkc$$6${SHA512_CRYPT}", STANDARD.encode("\u{fdfa}".repeat(170))),
        format!("$denizen-pre$pepper={0},pepper={0}$$6${SHA512_CRYPT}", STANDARD.encode([b'x'; 257])),
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
fn lane_follows_from_the_bytes_that_are_hashed() {
    let ours = Estimate::of_argon2(Cost { memory_kib: 19_456, iterations: 2, parallelism: 1 });
    let lane = |encoded: &str, password: &str| {
        let forms = attempt(password);
        let ours = forms.forms().fold(Estimate::default(), |sum, _| sum.then(ours));
        affordable(&forms, &Foreign::parse(encoded).ok().unwrap(), ours).map(|estimate| estimate.lane(ours))
    };
    let long = "x".repeat(512);
    for (id, key) in [("5", SHA256_CRYPT), ("6", SHA512_CRYPT)] {
        let crypt = |rounds: u32| format!("${id}$rounds={rounds}${key}");
        assert_eq!(lane(&crypt(5_000), "letmein1"), Some(Lane::Ordinary));
        assert_eq!(lane(&crypt(5_000), &long), Some(Lane::Ordinary));
        assert_eq!(lane(&crypt(300_000), "letmein1"), Some(Lane::Ordinary));
        assert_eq!(lane(&crypt(300_000), &long), Some(Lane::Slow));
        assert_eq!(lane(&crypt(1_000_000), &long[..128]), Some(Lane::Slow));
        assert_eq!(lane(&crypt(1_000_000), &long), None);
    }
    for phpass in ["$P$IIQRaTwmfeRo7ud9Fh4E2PdI0S3r.L0", "$S$IrandomsaOpYrAZqwxGynirQbWYCb3ejW4BwGH81LJcOzbzeVd02"] {
        assert_eq!(lane(phpass, &long[..128]), Some(Lane::Slow), "{phpass}");
        assert_eq!(lane(phpass, &long), None, "{phpass}");
    }
    // Two forms cost what both of them cost.
    let crypt = format!("$6$rounds=150000${SHA512_CRYPT}");
    assert_eq!(lane(&crypt, &"é".repeat(120)), Some(Lane::Ordinary));
    assert_eq!(lane(&crypt, &"e\u{301}".repeat(120)), Some(Lane::Slow));
}

#[tokio::test]
async fn input_too_long_after_nfkc_is_wrong_without_being_hashed() {
    // 4,224 bytes of 384.
    let password = "\u{fdfa}".repeat(128);
    let pepper = STANDARD.encode([b'x'; 512]);
    let bcrypt = bcrypt::hash_with_salt("x", 4, [7; 16]).unwrap().to_string();
    for encoded in [
        format!("$denizen-pre$nfkc$$6$rounds=300000${SHA512_CRYPT}"),
        format!("$denizen-pre$nfkc,pepper={pepper}${bcrypt}"),
        format!("$denizen-pre$nfkc,pepper={pepper}$U$S$9saltsalt0hk5YH/fVEVLpGTcVha3ineC115beFITO.7jkbaoZeG"),
    ] {
        let foreign = Foreign::parse(&encoded).ok().unwrap();
        assert_eq!(affordable(&attempt(&password), &foreign, Estimate::default()), None, "{encoded}");
        let stored = PasswordHash::from_encoded(encoded);
        let verdict = hasher(CHEAP, 4).verify(&attempt(&password), &stored, &Origin::default()).await.unwrap();
        assert_eq!(verdict, Verdict::Wrong);
    }
    // What is not too long is hashed as before: 29 of them are 957 bytes.
    let long = "\u{fdfa}".repeat(29);
    let expanded: String = unicode_normalization::UnicodeNormalization::nfkc(long.as_str()).collect();
    let bcrypt = bcrypt::hash_with_salt(&expanded.as_bytes()[..72], 4, [7; 16]).unwrap().to_string();
    let stored = hasher(CHEAP, 4).adopt(&format!("$denizen-pre$nfkc${bcrypt}")).unwrap().unwrap();
    let verdict = hasher(CHEAP, 4).verify(&attempt(&long), &stored, &Origin::default()).await.unwrap();
    assert_eq!(verdict, Verdict::RightButOutdated);
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
    let refused = outcomes.iter().filter(|o| matches!(o, Err(HashError::Overloaded { retry_after_s: 1.. }))).count();
    let done = outcomes.iter().filter(|o| o.is_ok()).count();
    assert_eq!(done + refused, 20);
    assert!(done >= 4 && refused >= 1, "{done} done, {refused} refused");
}
