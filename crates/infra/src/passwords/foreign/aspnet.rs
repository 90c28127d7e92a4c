//! The blobs of ASP.NET Identity, versions 2 and 3.

use super::Reason;
use super::digest::Digest;
use super::encoding::padded_base64;
use super::pbkdf2::Pbkdf2;

const SALT_BYTES_V2: usize = 16;
const KEY_BYTES_V2: usize = 32;
const ITERATIONS_V2: u32 = 1000;
/// The least of version 3, as in the original.
const SALT_BYTES_MIN: usize = 16;
/// The keys that are made: what is cut off, or added, shows.
const KEY_BYTES: [usize; 3] = [16, 32, 64];

const FORM: Reason = "an unknown kind of hash";

/// Base64 of `00 salt key`, or of `01 prf iterations salt-length salt key` with big-endian numbers of 32 bits.
pub(super) fn parse(text: &str) -> Result<Pbkdf2, Reason> {
    let blob = padded_base64(text).map_err(|_| FORM)?;
    match blob.split_first() {
        Some((0, rest)) if rest.len() == SALT_BYTES_V2 + KEY_BYTES_V2 => {
            let (salt, key) = rest.split_at(SALT_BYTES_V2);
            Pbkdf2::new(Digest::Sha1, ITERATIONS_V2, salt.to_vec(), key.to_vec())
        }
        Some((1, rest)) => parse_v3(rest),
        _ => Err(FORM),
    }
}

fn parse_v3(rest: &[u8]) -> Result<Pbkdf2, Reason> {
    let (prf, rest) = take_number(rest)?;
    let (iterations, rest) = take_number(rest)?;
    let (salt_bytes, rest) = take_number(rest)?;
    let digest = match prf {
        0 => Digest::Sha1,
        1 => Digest::Sha256,
        2 => Digest::Sha512,
        _ => return Err(FORM),
    };
    let salt_bytes = usize::try_from(salt_bytes).map_err(|_| FORM)?;
    let (salt, key) = rest.split_at_checked(salt_bytes).ok_or(FORM)?;
    if salt.len() < SALT_BYTES_MIN || !KEY_BYTES.contains(&key.len()) {
        return Err("an ASP.NET hash whose salt is too short, or whose key is not 16, 32 or 64 bytes long");
    }
    Pbkdf2::new(digest, iterations, salt.to_vec(), key.to_vec())
}

fn take_number(bytes: &[u8]) -> Result<(u32, &[u8]), Reason> {
    let (number, rest) = bytes.split_first_chunk().ok_or(FORM)?;
    Ok((u32::from_be_bytes(*number), rest))
}

#[cfg(test)]
mod tests {
    use super::super::Foreign;
    use super::super::tests::{is_refused, verifies};

    // dotnet/aspnetcore, src/Identity/test/Identity.Test/PasswordHasherTest.cs, here and below.
    #[test]
    fn version_2() {
        verifies("my password", "AAABAgMEBQYHCAkKCwwNDg+ukCEMDf0yyQ29NYubggHIVY0sdEUfdyeM+E1LtH1uJg==");
        verifies("my password", "ANXrDknc7fGPpigibZXXZFMX4aoqz44JveK6jQuwY3eH/UyPhvr5xTPeGYEckLxz9A==");
    }

    #[test]
    fn version_3() {
        for blob in [
            "AQAAAAEAACcQAAAAEAABAgMEBQYHCAkKCwwNDg+yWU7rLgUwPZb1Itsmra7cbxw2EFpwpVFIEtP+JIuUEw==",
            "AQAAAAIAAAAyAAAAEOMwvh3+FZxqkdMBz2ekgGhwQ4B6pZWND6zgESBuWiHw",
            "AQAAAAIAAAD6AAAAIJbVi5wbMR+htSfFp8fTw8N8GOS/Sje+S/4YZcgBfU7EQuqv4OkVYmc4VJl9AGZzmRTxSkP7LtVi9IWy\
             UxX8IAAfZ8v+ZfhjCcudtC1YERSqE1OEdXLW9VukPuJWBBjLuw==",
            "AQAAAAAAAAD6AAAAEAhftMyfTJylOlZT+eEotFXd1elee8ih5WsjXaR3PA9M",
            "AQAAAAEAA9CQAAAAIESkQuj2Du8Y+kbc5lcN/W/3NiAZFEm11P27nrSN5/tId+bR1SwV8CO1Jd72r4C08OLvplNlCDc3oQZ8efcW+jQ=",
        ] {
            verifies("my password", blob);
        }
    }

    #[test]
    fn short_long_and_dear_ones_are_refused() {
        for blob in [
            "AAABAgMEBQYHCAkKCwwNDg+ukCEMDf0yyQ29NYubggE=",
            "AAABAgMEBQYHCAkKCwwNDg+ukCEMDf0yyQ29NYubggHIVY0sdEUfdyeM+E1LtH1uJgAAAAAAAAAAAAA=",
            "AQAAAAIAAAAyAAAAEOMwvh3+FZxqkdMBz2ekgGhwQ4A=",
            "AQAAAAIAAAAyAAAAEOMwvh3+FZxqkdMBz2ekgGhwQ4B6pZWND6zgESBuWiHwAAAAAAAAAAAA",
            // 4,294,967,295 iterations; a salt of as many bytes; a fourth PRF.
            "AQAAAAL/////AAAAEOMwvh3+FZxqkdMBz2ekgGhwQ4B6pZWND6zgESBuWiHw",
            "AQAAAAIAAAAy/////+Mwvh3+FZxqkdMBz2ekgGhwQ4B6pZWND6zgESBuWiHw",
            "AQAAAAMAAAAyAAAAEOMwvh3+FZxqkdMBz2ekgGhwQ4B6pZWND6zgESBuWiHw",
            "AQ==",
            "AA==",
            "",
        ] {
            is_refused(blob);
        }
        for blob in [
            "AAABAgMEBQYHCAkKCwwNDg+uAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAALtH1uJg==",
            "AQAAAAAAAAD6AAAAEAhftMyfTJyAAAAAAAAAAAAAAAAAAAih5WsjXaR3PA9M",
        ] {
            assert!(!Foreign::parse(blob).ok().unwrap().matches(b"my password", &mut Vec::new()), "{blob}");
        }
    }
}
