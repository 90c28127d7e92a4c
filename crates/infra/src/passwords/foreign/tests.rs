//! What holds for every form.

use proptest::prelude::*;

use super::Foreign;

/// The password of the vectors that were made for these tests.
pub(super) const LETMEIN: &str = "lètmein pässwörd";

/// How many characters a hash may miss at its end in these tests.
const CUT_CHARS_MAX: usize = 8;

/// The password is right and a longer one is not.
pub(super) fn takes(password: &str, text: &str) {
    let hash = match Foreign::parse(text) {
        Ok(hash) => hash,
        Err(reason) => panic!("{text}: {reason}"),
    };
    let mut memory = Vec::new();
    assert!(hash.matches(password.as_bytes(), &mut memory), "{text}");
    assert!(!hash.matches(format!("{password}x").as_bytes(), &mut memory), "{text}");
}

/// The same, and a hash that is cut off does not take it.
pub(super) fn verifies(password: &str, text: &str) {
    takes(password, text);
    let mut memory = Vec::new();
    // Padding stands for nothing.
    let text = text.trim_end_matches('=');
    for (end, _) in text.char_indices().rev().take(CUT_CHARS_MAX) {
        let cut = Foreign::parse(&text[..end]);
        assert!(!cut.is_ok_and(|cut| cut.matches(password.as_bytes(), &mut memory)), "{}", &text[..end]);
    }
}

pub(super) fn is_refused(text: &str) {
    assert!(Foreign::parse(text).is_err(), "{text}");
}

/// One of each form, of little cost.
const CHEAP: [(&str, &str); 20] = [
    ("U*U", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"),
    ("password", "$pbkdf2-sha256$12$cmFuZG9tc2FsdGlzaGFyZA$OFvEcLOIPFd/oq8egf10i.qJLI7A8nDjPLnolCWarQY"),
    (LETMEIN, "pbkdf2_sha256$1000$seasalt2$lcDfeauKFa8MaaftP+G+ovG2dYkEUAtDu9P3ou9cJJc="),
    (LETMEIN, "$scrypt$ln=8,r=8,p=1$UwphzLn3PickRGjtfW+ttQ$kEXVRrwFPwCAgHhxuuxKJKS/gHCQ9DOjFeaWR90jSvY"),
    (LETMEIN, "$1$saltsalt$2vaStslqeqfwdYRxuy0Po1"),
    (LETMEIN, "$5$rounds=1000$JgOp1Hj361skAgao$N2Tfg34q.KI276i1mRIphNB5ICFP.yYzZ5q79Og/4TA"),
    (LETMEIN, "$P$62JvZEjFxhCFd8enWLPiriIDq0Z8B80"),
    (LETMEIN, "U$S$9saltsalt0hk5YH/fVEVLpGTcVha3ineC115beFITO.7jkbaoZeG"),
    (LETMEIN, "{SSHA}DrrKCe5hRauPFbqAdPqIrBHXGQmJsfYe"),
    ("my password", "AQAAAAIAAAAyAAAAEOMwvh3+FZxqkdMBz2ekgGhwQ4B6pZWND6zgESBuWiHw"),
    ("secret", "argon2$argon2i$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$YC9+jJCrQhs5R6db7LlN8Q"),
    (LETMEIN, "pbkdf2:sha1:1000$qAFhdhQO8M90c1Wq$cbcc73a5a562cfce719309c331448c6f6e9deb49"),
    ("password", "$bcrypt-sha256$v=2,t=2b,r=5$5Hg1DKFqPE8C2aflZ5vVoe$wOK1VFFtS8IGTrGa7.h5fs0u84qyPbS"),
    ("password", "{sha256}97cde38028ad898ebc02e690819fa220e88c62e0699403e94fff291cfffaf8410849f27605abcbc0"),
    (LETMEIN, "{MD5}{c2FsdHk=}9bc367cb064e3295ed31ebf1554d7f4d"),
    ("admin", "{PKCS5S2}c4xaeTQM0lUieMS3V5voiexyX9XhqC2dBd5ecVy60IPksHChwoTAVYFrhsgoq8/p"),
    ("myPassword", "$apr1$r31.....$HqJZimcKQFAMYayBlzkrA/"),
    ("test", "$md5$pf=e1NBTFR9e1BBU1NXT1JEfQ==$MTIz$q+RdKCgc+ipCAcm5ChQwlQ=="),
    (LETMEIN, "$hmac-md5$MWRkMWM2ZjA1YzAwNjA3ZTBiOTg4YmI3M2Q4YjQwODE=$a2V5"),
    ("password123", r#"["sha256",["salt123","@"],"c465f66c6ac481a7a17e9ed5b4e2e7e7288d892f12bf1c95c140901e9a70436e"]"#),
];

/// What the forms are made of, in no order.
const SCRAPS: &str = concat!(
    r#"(\$(2b|2y|wp|1|5|6|P|S|scrypt|pbkdf2-sha256|firescrypt|fbscrypt|f_scrypt|argon2id|apr1|md5|sha256|hmac-md5|bcrypt-sha256|de"#,
    r#"nizen-pre)\$|\{(SSHA|CRYPT|PBKDF2|ARGON2|PKCS5S2|pbkdf2|scrypt|sha256|ldap|MD5)\}|pbkdf2:sha1:|s2:|pf=|v=2,t=2b,r=|pbkdf2_sha256\$|scrypt\$|U\$S\$|(ln|r|p|"#,
    r#"i|l|v|n|m|t|ss|sk|s|k|rounds)=|[0-9]{1,11}|[,:$@é"\[\]{}]|AQAAAAIAAAAy|[A-Za-z0-9+/."#,
    r#"=]{1,24}|nfkc|"algorithm":|"hash":|"value":|"secretData":|"passwordHash":){0,12}"#,
);

proptest! {
    #[test]
    fn no_text_breaks_the_reader(text in any::<String>()) {
        let _ = Foreign::parse(&text);
    }

    #[test]
    fn no_mixture_breaks_the_reader(text in SCRAPS) {
        let _ = Foreign::parse(&text);
    }

    // Of the last half: the costs stand before it. The last letter has bits that stand for nothing.
    #[test]
    fn a_bent_hash_takes_nobody(which in 0..CHEAP.len(), at in any::<prop::sample::Index>(), put in "[0-9A-Za-z./+$é]\
     [0-9A-Za-z./+$é]") {
        let (password, text) = CHEAP[which];
        let half = text.len() / 2;
        let at = half + at.index(text.len() - half - 1);
        prop_assume!(!text[at..=at].eq_ignore_ascii_case(&put));
        let bent = format!("{}{put}{}", &text[..at], &text[at + 1..]);
        if let Ok(hash) = Foreign::parse(&bent) {
            prop_assert!(!hash.matches(password.as_bytes(), &mut Vec::new()), "{bent}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn another_password_never_matches(which in 0..CHEAP.len(), other in "\\PC{0,40}|[a-z\0]{0,80}") {
        let (password, text) = CHEAP[which];
        prop_assume!(other != password);
        let hash = Foreign::parse(text).ok().unwrap();
        prop_assert!(!hash.matches(other.as_bytes(), &mut Vec::new()), "{text} takes {other:?}");
    }
}

// supabase/auth, internal/crypto/password_test.go.
#[test]
fn argon2() {
    verifies("test", "$argon2i$v=19$m=16,t=2,p=1$bGJRWThNOHJJTVBSdHl2dQ$NfEnUOuUpb7F2fQkgFUG4g");
    verifies("test", "$argon2id$v=19$m=32,t=3,p=2$SFVpOWJ0eXhjRzVkdGN1RQ$RXnb8rh7LaDcn07xsssqqulZYXOM/EUCEFMVcAcyYVk");
}

#[test]
fn every_example_of_the_documentation_verifies() {
    let page = include_str!("../../../../../docs/imports.md");
    let examples: Vec<serde_json::Value> = page
        .lines()
        .filter(|line| line.starts_with("{\"email\""))
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    for example in &examples {
        takes("correct horse battery", example["password_hash"].as_str().unwrap());
    }
    assert_eq!(examples.len(), 44);
}

#[test]
fn the_longest_text_and_the_longest_salt() {
    is_refused(&format!("pbkdf2_sha256$1${}$lcDfeauKFa8MaaftP+G+ovG2dYkEUAtDu9P3ou9cJJc=", "s".repeat(513)));
    is_refused(&" ".repeat(4097));
    let salt = "s".repeat(512);
    assert!(Foreign::parse(&format!("pbkdf2_sha256$1${salt}$lcDfeauKFa8MaaftP+G+ovG2dYkEUAtDu9P3ou9cJJc=")).is_ok());
}

#[test]
fn reasons_never_quote() {
    for (_, text) in CHEAP {
        for (end, _) in text.char_indices() {
            if let Err(reason) = Foreign::parse(&text[..end]) {
                assert!(reason.len() < 120 && !reason.contains("saltsalt") && !reason.contains("hunter2"), "{reason}");
            }
        }
    }
}
