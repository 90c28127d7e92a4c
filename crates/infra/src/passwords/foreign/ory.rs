//! The digests of Ory Kratos: `$sha256$pf=…$salt$hash` and the like, `$md5$hash`, and `$hmac-sha256$hash$key`.

use super::digest::Digest;
use super::encoding::{hex, padded_base64};
use super::salted::{Piece, Salted};
use super::{Foreign, Reason, crypt3};

const FORM: Reason = "not $digest$pf=format$salt$hash, $md5$hash or $hmac-digest$hash$key";

/// Reads a hash, if its scheme is one of Ory's own.
pub(super) fn parse(scheme: &str, text: &str) -> Option<Result<Foreign, Reason>> {
    let hash = match scheme {
        "md5" | "sha1" | "sha256" | "sha512" => digest(text).map(Foreign::Salted),
        "md5-crypt" => crypt(text, "$1"),
        "sha256-crypt" => crypt(text, "$5"),
        "sha512-crypt" => crypt(text, "$6"),
        scheme if scheme.starts_with("hmac-") => parse_hmac(text).map(Foreign::Salted),
        _ => return None,
    };
    Some(hash)
}

/// crypt(3) under another name.
fn crypt(text: &str, id: &str) -> Result<Foreign, Reason> {
    let rest = text.get(1..).and_then(|rest| rest.find('$').map(|at| &rest[at..])).ok_or(FORM)?;
    crypt3::parse(&format!("{id}{rest}")).map(Foreign::Crypt3)
}

fn digest(text: &str) -> Result<Salted, Reason> {
    let parts: Vec<&str> = text.split('$').collect();
    let (name, pieces, hash) = match *parts.as_slice() {
        ["", "md5", hash] => ("md5", vec![Piece::Password], hash),
        ["", name, format, salt, hash] => {
            let format = padded_base64(format.strip_prefix("pf=").ok_or(FORM)?)?;
            (name, pieces(&format, &padded_base64(salt)?), hash)
        }
        _ => return Err(FORM),
    };
    let digest = Digest::named(name).ok_or(FORM)?;
    Salted::new(digest, pieces, padded_base64(hash)?)
}

/// The pieces of a format such as `{SALT}$${PASSWORD}`.
fn pieces(format: &[u8], salt: &[u8]) -> Vec<Piece> {
    const SALT: &[u8] = b"{SALT}";
    const PASSWORD: &[u8] = b"{PASSWORD}";
    let mut pieces = Vec::new();
    let mut text = Vec::new();
    let mut rest = format;
    while let [first, after @ ..] = rest {
        if let Some(after) = rest.strip_prefix(PASSWORD) {
            pieces.push(Piece::Salt(std::mem::take(&mut text)));
            pieces.push(Piece::Password);
            rest = after;
        } else if let Some(after) = rest.strip_prefix(SALT) {
            text.extend_from_slice(salt);
            rest = after;
        } else {
            text.push(*first);
            rest = after;
        }
    }
    pieces.push(Piece::Salt(text));
    pieces
}

/// The hash is the base64 of its hexadecimal digits.
fn parse_hmac(text: &str) -> Result<Salted, Reason> {
    let parts: Vec<&str> = text.split('$').collect();
    let &["", name, hash, key] = parts.as_slice() else {
        return Err(FORM);
    };
    let digest = name.strip_prefix("hmac-").and_then(Digest::named).ok_or("an HMAC over an unknown digest")?;
    let digits = String::from_utf8(padded_base64(hash)?).map_err(|_| FORM)?;
    Salted::keyed(digest, padded_base64(key)?, vec![Piece::Password], hex(&digits)?)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{LETMEIN, is_refused, verifies};

    // ory/kratos, hash/hasher_test.go.
    #[test]
    fn digests() {
        for hash in [
            "$sha1$pf=e1NBTFR9e1BBU1NXT1JEfQ==$NW9wbWtnejAzcg==$2qU2SGWP8viTM1md3FiI3+rjWXQ=",
            "$sha1$pf=Pz9zdGF0aWNQcmVmaXg/P3tTQUxUfXtQQVNTV09SRH0=$NW9wbWtnejAzcg==$SAAxMUn7jxckQXkBmsVF0nHwqso=",
            "$sha1$pf=e1BBU1NXT1JEfSUle1NBTFR9$NW9wbWtnejAzcg==$YX0AW8/MW5ojUlnzTaR43ucHCog=",
            "$sha1$pf=JHtQQVNTV09SRH0ke1NBTFR9JA==$NW9wbWtnejAzcg==$iE5n1yjX3oAdxRHwZ4u57I4LpQo=",
            "$sha256$pf=e1NBTFR9e1BBU1NXT1JEfQ==$NW9wbWtnejAzcg==$0gfRVLCvtBCk20udLDEY5vNhujWx7RGjwRIS1ebMsLY=",
            "$sha256$pf=e1NBTFR9JCR7UEFTU1dPUkR9$NW9wbWtnejAzcg==$HokCOi9OtiZaZRvnkgemV3B4UUHpI7kA8zq/EZWH2NY=",
            "$sha512$pf=e1NBTFR9e1BBU1NXT1JEfQ==$NW9wbWtnejAzcg==$6ctpVuApMNp0CgBXcdHw/GC562eFEFGr4gpgANX8ZYsX+j5B19Ik\
             dmOY2Fytsz3QUwSWdGcUjbqwgJGTH0UYvw==",
            "$md5$CY9rzUYh03PK3k6DJie09g==",
            "$md5$pf=e1NBTFR9e1BBU1NXT1JEfQ==$MTIz$q+RdKCgc+ipCAcm5ChQwlQ==",
            "$md5$pf=e1NBTFR9JCR7UEFTU1dPUkR9$MTIzNA==$ud392Z8rfZ+Ou7ZFXYLKbA==",
        ] {
            verifies("test", hash);
        }
        verifies("ory", "$md5$pf=e1BBU1NXT1JEfXtTQUxUfSQ/$MTIzNDU2Nzg5$8PhwWanVRnpJAFK4NUjR0w==");
    }

    // Python's hmac.
    #[test]
    fn hmac() {
        verifies(LETMEIN, "$hmac-md5$MWRkMWM2ZjA1YzAwNjA3ZTBiOTg4YmI3M2Q4YjQwODE=$a2V5");
        let hash = "YjA5OWFjMThlODNjNDI5YThmZTllZGJmMDI3ZjAyMjcxYmQ5MjMxZjUxMGM2ZWU4MTFjMjM1ODVhZmU3ZjI0MQ==";
        verifies(LETMEIN, &format!("$hmac-sha256${hash}$a2V5"));
    }

    // ory/kratos, hash/hasher_test.go.
    #[test]
    fn crypt() {
        verifies("test", "$md5-crypt$TVEiiKNb$SN6/pUaRQS/E8Jh46As2C/");
        verifies("test", "$md5-crypt$$whuMjZj.HMFoaTaZRRtkO0");
        let sha256 = "$sha256-crypt$rounds=535000$05R.9KB6UC2kLI3w$Q/zslzx./JjkAVPTwp6th7nW5l7JU91Gte/UmIh.U78";
        verifies("test", sha256);
    }

    #[test]
    fn others_are_refused() {
        for hash in [
            "$md5$$",
            "$md5$",
            "$md5$pf=$$",
            "$md5$pf=MTIz$Z$",
            "$sha1$pf=$NW9wbWtnejAzcg==$2qU2SGWP8viTM1md3FiI3+rjWXQ=",
            "$sha1$$NW9wbWtnejAzcg==$2qU2SGWP8viTM1md3FiI3+rjWXQ=",
            "$sha1$NW9wbWtnejAzcg==$2qU2SGWP8viTM1md3FiI3+rjWXQ=",
            "$sha256$CY9rzUYh03PK3k6DJie09g==",
            "$hmac-md4$ZmU4Njk3Zjc0MmQwODA0MDVkMTI3MGU2MTYzMzE2Zjk=$MTIzNDU=",
            "$hmac-invalid$ZmU4Njk3Zjc0MmQwODA0MDVkMTI3MGU2MTYzMzE2Zjk=$MTIzNDU=",
            "$hmac-md5$$MTIzNDU=",
            "$hmac-md5$MTIzNDU=",
            "$md5-crypt$$",
            "$sha256-crypt$whuMjZj.HMFoaTaZRRtkO0",
        ] {
            is_refused(hash);
        }
    }
}
