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
    Keyed(hmac::Algorithm, Vec<u8>),
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
        let algorithm = digest.hmac().ok_or("an HMAC over MD5")?;
        Self::with(Function::Keyed(algorithm, key), digest, pieces, hash)
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
            Function::Keyed(algorithm, key) => {
                hmac::verify(&hmac::Key::new(*algorithm, key), &pieces.concat(), &self.hash).is_ok()
            }
        }
    }
}
