//! One digest, or one HMAC, over the password and what stands around it.

use aws_lc_rs::hmac;

use super::digest::Digest;
use super::{Reason, is_same};

/// A piece of what is hashed.
pub(super) enum Piece {
    Password,
    Salt(Vec<u8>),
}

enum Function {
    Plain(Digest),
    /// The digest, applied repeatedly: the number of rounds, including the first.
    Repeated(Digest, u32),
    Keyed(hmac::Algorithm, Vec<u8>),
    KeyedMd5(Vec<u8>),
}

pub(in crate::passwords) struct Salted {
    function: Function,
    pieces: Vec<Piece>,
    hash: Vec<u8>,
}

impl Salted {
    /// A digest over the pieces.
    pub(super) fn new(digest: Digest, pieces: Vec<Piece>, hash: Vec<u8>) -> Result<Self, Reason> {
        Self::with(Function::Plain(digest), digest, pieces, hash)
    }

    /// An HMAC over the pieces.
    pub(super) fn keyed(digest: Digest, key: Vec<u8>, pieces: Vec<Piece>, hash: Vec<u8>) -> Result<Self, Reason> {
        let function = match digest.hmac() {
            Some(algorithm) => Function::Keyed(algorithm, key),
            None => Function::KeyedMd5(key),
        };
        Self::with(function, digest, pieces, hash)
    }

    /// A digest over the pieces, which is digested again. Only for few rounds: their cost is not counted.
    pub(super) fn repeated(digest: Digest, rounds: u32, pieces: Vec<Piece>, hash: Vec<u8>) -> Result<Self, Reason> {
        Self::with(Function::Repeated(digest, rounds), digest, pieces, hash)
    }

    fn with(function: Function, digest: Digest, pieces: Vec<Piece>, hash: Vec<u8>) -> Result<Self, Reason> {
        if hash.len() != digest.bytes() {
            return Err("a hash whose length does not match its digest");
        }
        if !pieces.iter().any(|piece| matches!(piece, Piece::Password)) {
            return Err("a hash without the password");
        }
        Ok(Self { function, pieces, hash })
    }

    pub(super) fn matches(&self, password: &[u8]) -> bool {
        let piece = |piece| match piece {
            &Piece::Password => password,
            Piece::Salt(salt) => salt,
        };
        let pieces: Vec<&[u8]> = self.pieces.iter().map(piece).collect();
        match &self.function {
            Function::Plain(digest) => is_same(&digest.of(&pieces), &self.hash),
            Function::Repeated(digest, rounds) => {
                let derived = (1..*rounds).fold(digest.of(&pieces), |last, _| digest.of(&[&last]));
                is_same(&derived, &self.hash)
            }
            Function::KeyedMd5(key) => is_same(&hmac_md5(key, &pieces), &self.hash),
            Function::Keyed(algorithm, key) => {
                hmac::verify(&hmac::Key::new(*algorithm, key), &pieces.concat(), &self.hash).is_ok()
            }
        }
    }
}

/// HMAC (RFC 2104) over MD5, which aws-lc does not offer.
fn hmac_md5(key: &[u8], pieces: &[&[u8]]) -> Vec<u8> {
    const BLOCK_BYTES: usize = 64;
    let mut block = if key.len() > BLOCK_BYTES { Digest::Md5.of(&[key]) } else { key.to_vec() };
    block.resize(BLOCK_BYTES, 0);
    let padded = |pad: u8| block.iter().map(|byte| byte ^ pad).collect::<Vec<u8>>();
    let inner = Digest::Md5.of(&[&[padded(0x36).as_slice()], pieces].concat());
    Digest::Md5.of(&[&padded(0x5c), &inner])
}

#[cfg(test)]
mod tests {
    use super::super::encoding::hex;
    use super::hmac_md5;

    // RFC 2202 §2, cases 1, 2 and 6.
    #[test]
    fn hmac_md5_of_the_rfc() {
        let digits = |digits: &str| hex(digits).ok().unwrap();
        assert_eq!(hmac_md5(&[0x0b; 16], &[b"Hi ", b"There"]), digits("9294727a3638bb1c13f48ef8158bfc9d"));
        let case_2 = hmac_md5(b"Jefe", &[b"what do ya want for nothing?"]);
        assert_eq!(case_2, digits("750c783e6ab0b503eaa86e310a5db738"));
        let long = b"Test Using Larger Than Block-Size Key - Hash Key First";
        assert_eq!(hmac_md5(&[0xaa; 80], &[long]), digits("6b1ab7fe4bd7bf8f0b62e6ce61b9d0cd"));
    }
}
