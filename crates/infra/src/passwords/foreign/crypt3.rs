//! The hashes of crypt(3): `$1$` on MD5, `$5$` on SHA-256 and `$6$` on SHA-512; and Apache's `$apr1$`, which is `$1$` with
//! another prefix.

use sha_crypt::{Params, sha256_crypt, sha512_crypt};

use super::digest::Digest;
use super::encoding::{crypt_text, is_crypt_text, number};
use super::{Reason, is_same};
use crate::passwords::cost::{Estimate, reasons};

/// The largest known default is 656,000.
const ROUNDS_MAX: u32 = 1_000_000;
const MD5_ROUNDS: usize = 1000;

#[derive(Clone, Copy)]
enum Kind {
    /// With the prefix, which is part of the hashed data.
    Md5(&'static [u8]),
    Sha256(Params),
    Sha512(Params),
}

impl Kind {
    fn salt_chars_max(self) -> usize {
        if matches!(self, Self::Md5(_)) { 8 } else { 16 }
    }

    fn digest(self) -> Digest {
        match self {
            Self::Md5(_) => Digest::Md5,
            Self::Sha256(_) => Digest::Sha256,
            Self::Sha512(_) => Digest::Sha512,
        }
    }

    fn key_chars(self) -> usize {
        match self {
            Self::Md5(_) => 22,
            Self::Sha256(_) => 43,
            Self::Sha512(_) => 86,
        }
    }
}

pub(in crate::passwords) struct Crypt3 {
    kind: Kind,
    rounds: u32,
    salt: String,
    key: String,
}

impl Crypt3 {
    /// A round reads the last digest, the salt and the password twice.
    pub(super) fn estimate(&self, password_bytes: usize) -> Estimate {
        let digest = self.kind.digest();
        let bytes = digest.bytes() + self.salt.len() + 2 * password_bytes;
        Estimate::of_nanos(u64::from(self.rounds).saturating_mul(digest.nanos(bytes)))
    }

    pub(super) fn matches(&self, password: &[u8]) -> bool {
        // To crypt(3) a zero byte is the end of the password: it would take others for the right one.
        if password.contains(&0) {
            return false;
        }
        let salt = self.salt.as_bytes();
        let derived = match self.kind {
            Kind::Md5(name) => crypt_text(&md5_order(&md5_crypt(name, password, salt))),
            Kind::Sha256(params) => crypt_text(&sha256_order(&sha256_crypt(password, salt, params))),
            Kind::Sha512(params) => crypt_text(&sha512_order(&sha512_crypt(password, salt, params))),
        };
        is_same(derived.as_bytes(), self.key.as_bytes())
    }
}

/// `$1$salt$key`, `$5$rounds=5000$salt$key` or `$6$…`; the rounds may be left out.
pub(super) fn parse(text: &str) -> Result<Crypt3, Reason> {
    const FORM: Reason = "not $1$salt$key, $5$rounds=n$salt$key or $6$rounds=n$salt$key";
    let parts: Vec<&str> = text.split('$').collect();
    let (id, rounds, salt, key) = match *parts.as_slice() {
        ["", id, salt, key] => (id, None, salt, key),
        ["", id @ ("5" | "6"), rounds, salt, key] => (id, Some(rounds.strip_prefix("rounds=").ok_or(FORM)?), salt, key),
        _ => return Err(FORM),
    };
    let rounds = rounds.map_or(Ok(Params::RECOMMENDED_ROUNDS), number)?;
    // Fewer than the least is written as the least by who makes a hash.
    if rounds < Params::ROUNDS_MIN {
        return Err("fewer than 1000 rounds of crypt(3)");
    }
    if rounds > ROUNDS_MAX {
        return Err(reasons::CRYPT3);
    }
    let params = Params::new(rounds).map_err(|_| FORM)?;
    let kind = match id {
        "1" => Kind::Md5(b"$1$"),
        "apr1" => Kind::Md5(b"$apr1$"),
        "5" => Kind::Sha256(params),
        "6" => Kind::Sha512(params),
        _ => return Err(FORM),
    };
    if salt.len() > kind.salt_chars_max() || key.len() != kind.key_chars() || !is_crypt_text(key) {
        return Err(FORM);
    }
    Ok(Crypt3 { kind, rounds, salt: salt.to_owned(), key: key.to_owned() })
}

/// Poul-Henning Kamp's MD5 scheme (FreeBSD, `crypt-md5.c`).
fn md5_crypt(name: &[u8], password: &[u8], salt: &[u8]) -> Vec<u8> {
    let inner = Digest::Md5.of(&[password, salt, password]);
    let mut start: Vec<&[u8]> = vec![password, name, salt];
    start.extend(password.chunks(inner.len()).map(|chunk| &inner[..chunk.len()]));
    let mut left = password.len();
    while left > 0 {
        start.push(if left & 1 == 1 { b"\0" } else { &password[..1] });
        left >>= 1;
    }
    (0..MD5_ROUNDS).fold(Digest::Md5.of(&start), |last, round| {
        let (first, second): (&[u8], &[u8]) = if round % 2 == 1 { (password, &last) } else { (&last, password) };
        let salt = if round % 3 == 0 { b"" } else { salt };
        let again = if round % 7 == 0 { b"" } else { password };
        Digest::Md5.of(&[first, salt, again, second])
    })
}

// The orders in which crypt(3) writes the bytes, from the three specifications: groups of three, then the rest.

fn md5_order(bytes: &[u8]) -> Vec<u8> {
    let groups = (0..5).flat_map(|i| [if i == 4 { 5 } else { i + 12 }, i + 6, i]);
    groups.chain([11]).map(|at| bytes[at]).collect()
}

fn sha256_order(bytes: &[u8]) -> Vec<u8> {
    let groups = rotated([0, 10, 20], 10, |[a, b, c]| [c + 1, a + 1, b + 1]);
    groups.chain([30, 31]).map(|at| bytes[at]).collect()
}

fn sha512_order(bytes: &[u8]) -> Vec<u8> {
    let groups = rotated([0, 21, 42], 21, |[a, b, c]| [b + 1, c + 1, a + 1]);
    groups.chain([63]).map(|at| bytes[at]).collect()
}

/// Groups of three places, each made from the one before, and each written from its end.
fn rotated(first: [usize; 3], groups: usize, next: impl Fn([usize; 3]) -> [usize; 3]) -> impl Iterator<Item = usize> {
    std::iter::successors(Some(first), move |group| Some(next(*group))).take(groups).flat_map(|[a, b, c]| [c, b, a])
}

#[cfg(test)]
mod tests {
    use super::super::tests::{LETMEIN, is_refused, verifies};

    // passlib 1.7.4 and its tests/test_handlers.py.
    #[test]
    fn apache() {
        verifies("myPassword", "$apr1$r31.....$HqJZimcKQFAMYayBlzkrA/");
        verifies(LETMEIN, "$apr1$x8QkupCW$LFuaVMts3Znr13wDx3f/k0");
        is_refused("$apr1$r31.....$HqJZimcKQFAMYayBlzkrA!");
        is_refused("$apr1$rounds=1000$r31.....$HqJZimcKQFAMYayBlzkrA/");
    }

    // zitadel/passwap, internal/testvalues/md5.go; ory/kratos, hash/hasher_test.go (its $md5-crypt$ is $1$);
    // OpenSSL 3's `openssl passwd -1`.
    #[test]
    fn md5() {
        verifies("password", "$1$kJ4QkJaQ$3EbD/pJddrq5HW3mpZ4KZ1");
        verifies("test", "$1$TVEiiKNb$SN6/pUaRQS/E8Jh46As2C/");
        verifies("test", "$1$$whuMjZj.HMFoaTaZRRtkO0");
        verifies(LETMEIN, "$1$saltsalt$2vaStslqeqfwdYRxuy0Po1");
    }

    // Ulrich Drepper's SHA-crypt.txt; OpenSSL 3's `openssl passwd -5`.
    #[test]
    fn sha256() {
        verifies("Hello world!", "$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5");
        verifies("Hello world!", "$5$rounds=10000$saltstringsaltst$3xv.VbSHBb41AL9AvLeujZkZRBAwqFMz2.opqey6IcA");
        verifies(
            "a very much longer text to encrypt.  This one even stretches over morethan one line.",
            "$5$rounds=1400$anotherlongsalts$Rx.j8H.h8HjEDGomFU8bDkXm3XIUnzyxf12oP84Bnq1",
        );
        verifies(LETMEIN, "$5$saltsalt$fu/.nDR5rkCVWf0j/BbX0yY60o021995VQeLVEUDay3");
    }

    // Ulrich Drepper's SHA-crypt.txt; zitadel/passwap, sha2/sha2_test.go; OpenSSL 3's `openssl passwd -6`.
    #[test]
    fn sha512() {
        verifies(
            "Hello world!",
            "$6$rounds=10000$saltstringsaltst$\
             OW1/O6BYHV6BcXZu8QVeXbDWra3Oeqh0sbHbbMCVNSnCM/UrjmM0Dp8vOuZeHBy/YTBmSK6H9qs/y3RnOaw5v.",
        );
        verifies(
            "the minimum number is still observed",
            "$6$rounds=1000$roundstoolow$\
             kUMsbe306n21p9R.FRkW3IGn.S9NPN0x50YhH1xhLsPuWGsUSklZt58jaTfF4ZEQpyUNGc0dqbpBYYBaHHrsX.",
        );
        verifies(
            LETMEIN,
            "$6$saltsalt$L6.ZdHUsljNg.HopVtkzF0p.hTmaoZ8oiaeDIx46nPnpka6kJBgrtuZDyhtrMy.TjML/FSbd8dD.gBmqzEGWl/",
        );
    }

    #[test]
    fn costs_and_forms_are_bounded() {
        for hash in [
            "$1$",
            "$1$$",
            "$1$123456789$3EbD/pJddrq5HW3mpZ4KZ1",
            "$1$rounds=1000$kJ4QkJaQ$3EbD/pJddrq5HW3mpZ4KZ1",
            "$1$kJ4QkJaQ$3EbD/pJddrq5HW3mpZ4K!1",
            "$5$rounds=1000001$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5",
            "$5$rounds=999$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5",
            "$5$rounds=x$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5",
            "$5$5000$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5",
            "$6$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5",
        ] {
            is_refused(hash);
        }
    }
}
