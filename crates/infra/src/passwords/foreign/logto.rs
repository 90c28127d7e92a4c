//! Logto's lists: a digest, what it is taken of with `@` for the password, and the outcome.

use super::digest::Digest;
use super::encoding::{hex, number, raw};
use super::pbkdf2::Pbkdf2;
use super::salted::{Piece, Salted};
use super::{Foreign, Reason};

const PASSWORD: &str = "@";

/// `["sha256", ["salt", "@"], "hex"]`, or `["pbkdf2", ["salt", "1000", "20", "sha512", "@"], "hex"]`.
pub(super) fn parse(json: &str) -> Result<Foreign, Reason> {
    let (algorithm, arguments, hash): (String, Vec<String>, String) =
        serde_json::from_str(json).map_err(|_| r#"not ["digest", ["salt", "@"], "hex"]"#)?;
    let hash = hex(&hash)?;
    if algorithm == "pbkdf2" {
        return stretched(&arguments, hash).map(Foreign::Pbkdf2);
    }
    let digest = Digest::named(&algorithm).ok_or("a digest other than md5, sha1, sha224, sha256, sha384 and sha512")?;
    let piece = |argument: &String| match argument.as_str() {
        PASSWORD => Ok(Piece::Password),
        salt => raw(salt).map(Piece::Salt),
    };
    let pieces = arguments.iter().map(piece).collect::<Result<_, _>>()?;
    Salted::new(digest, pieces, hash).map(Foreign::Salted)
}

fn stretched(arguments: &[String], key: Vec<u8>) -> Result<Pbkdf2, Reason> {
    let [salt, iterations, key_bytes, digest, password] = arguments else {
        return Err(r#"not ["pbkdf2", ["salt", "iterations", "length", "digest", "@"], "hex"]"#);
    };
    if password != PASSWORD || usize::try_from(number(key_bytes)?) != Ok(key.len()) {
        return Err("PBKDF2 without the password, or a key whose length does not match the parameters");
    }
    let digest = Digest::named(digest).ok_or("an unknown PBKDF2 digest")?;
    let salt = salt.strip_prefix("hex:").map_or_else(|| raw(salt), hex)?;
    Pbkdf2::new(digest, number(iterations)?, salt, key)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{LETMEIN, is_refused, verifies};

    // logto, packages/core/src/utils/password.test.ts.
    #[test]
    fn digests() {
        verifies(
            "password123",
            r#"["sha256", ["salt123", "@"], "c465f66c6ac481a7a17e9ed5b4e2e7e7288d892f12bf1c95c140901e9a70436e"]"#,
        );
        verifies("simple_password", r#"["md5",["@"],"51533f457802f105fc615463db7f0e20"]"#);
        verifies("mypass", r#"["sha1",["prefix","@","suffix"],"1e51b70835fc01a385d43117299e147203d098c6"]"#);
    }

    // The first as in password.test.ts; both by Node.js's crypto, as Logto does it.
    #[test]
    fn pbkdf2() {
        verifies(
            "Password123!",
            concat!(
                r#"["pbkdf2",["hex:80ff00414243","1000","32","sha256","@"],"#,
                r#""75d87d232694f0918d8e1ae49bce5f0a665e862da3e23e8b3eddf368db16d2cf"]"#,
            ),
        );
        verifies(LETMEIN, r#"["pbkdf2",["salt","1000","20","sha512","@"],"524d9fa30793c9de6226afa8437a3266465f66b3"]"#);
    }

    #[test]
    fn other_lists_are_refused() {
        for json in [
            "[]",
            "[1]",
            r#"["md5",["salt"],"51533f457802f105fc615463db7f0e20"]"#,
            r#"["md5","@","51533f457802f105fc615463db7f0e20"]"#,
            r#"["md5",["@"],"51533f457802f105fc615463db7f0e2"]"#,
            r#"["md5",["@"],"51533f457802f105fc615463db7f0e"]"#,
            r#"["md5",["@"],"51533f457802f105fc615463db7f0e20",1]"#,
            r#"["blake2b512",["@"],"51533f457802f105fc615463db7f0e20"]"#,
            r#"["pbkdf2",["salt","2000001","20","sha512","@"],"524d9fa30793c9de6226afa8437a3266465f66b3"]"#,
            r#"["pbkdf2",["salt","1000","16","sha512","@"],"524d9fa30793c9de6226afa8437a3266465f66b3"]"#,
            r#"["pbkdf2",["hex:zz","1000","20","sha512","@"],"524d9fa30793c9de6226afa8437a3266465f66b3"]"#,
            r#"["pbkdf2",["salt","1000","20","sha512","x"],"524d9fa30793c9de6226afa8437a3266465f66b3"]"#,
        ] {
            is_refused(json);
        }
    }
}
