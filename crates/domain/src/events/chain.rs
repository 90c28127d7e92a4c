//! How records are bound to each other: each carries a code over itself and the hash of the one before.
//!
//! The code is an HMAC-SHA-256 under a key derived from the root key, so that write access to the database is not enough
//! to change, remove, insert or move a record. Records of earlier releases carry a SHA-256 without a key; where the keyed
//! records begin is sealed under the same key ([`ChainKey::seal_start`]).

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use super::personal::{is_personal, personal};
use super::store::{KeyedStart, LogBounds};
use super::{Event, RecordForm};
use crate::ports::Vault;
use crate::value::{Object, Value};

/// What the first record follows on.
pub const GENESIS: [u8; 32] = [0; 32];
/// Changes with the form of what is hashed.
const FORM: &[u8] = b"denizen event 1";
/// The form of keyed records without digests.
const KEYED_FORM: &[u8] = b"denizen event 2";
/// The form of keyed records with digests of personal data.
const DIGESTED_FORM: &[u8] = b"denizen event 3\0";

/// What a record has for the value of a personal member. No value begins with it.
const ERASABLE: u8 = 9;

/// The key of the chain.
#[derive(Clone)]
pub struct ChainKey(Hmac<Sha256>);

impl ChainKey {
    /// Derives the key. It stays the same when the master key changes, as the root key does.
    #[must_use]
    pub fn derive(vault: &dyn Vault) -> Self {
        // HMAC fills a key up to the block with zeros (RFC 2104).
        let mut block = [0; 64];
        block[..32].copy_from_slice(&vault.mac("audit log chain key", b"v1"));
        Self(Hmac::new(&block.into()))
    }

    /// The hash of a record that follows on one with this hash.
    #[must_use]
    pub fn hash(&self, previous: &[u8; 32], event: &Event) -> [u8; 32] {
        let mut code = self.0.clone();
        match event.form {
            RecordForm::Whole => write(&mut code, KEYED_FORM, previous, event),
            RecordForm::Digested => self.write_digested(&mut code, previous, event),
        }
        code.finalize().into_bytes().into()
    }

    fn write_digested(&self, code: &mut Hmac<Sha256>, previous: &[u8; 32], event: &Event) {
        code.put(DIGESTED_FORM);
        code.put(previous);
        write_head(code, event);
        code.put(event.occurred_at.as_micros().to_be_bytes());
        digest(code, self.origin_digest(event).as_ref());
        digest(code, self.data_digest(event).as_ref());
        code.put((event.data.len() as u64).to_be_bytes());
        for (name, member) in &event.data {
            text(code, Some(name));
            if is_personal(name) {
                code.put([ERASABLE]);
            } else {
                value(code, member);
            }
        }
    }

    /// The digest of the address and the user agent of a record; `None` if it has neither. Of what was erased, it is the
    /// digest that was kept.
    #[must_use]
    pub fn origin_digest(&self, event: &Event) -> Option<[u8; 32]> {
        if event.erased.origin.is_some() || (event.address.is_none() && event.user_agent.is_none()) {
            return event.erased.origin;
        }
        let mut code = self.0.clone();
        code.put(b"denizen origin 3\0");
        code.put(event.id.as_uuid().as_bytes());
        text(&mut code, event.address.map(|address| address.to_string()).as_deref());
        text(&mut code, event.user_agent.as_deref());
        Some(code.finalize().into_bytes().into())
    }

    /// The digest of the personal members of the data of a record; `None` if it has none. Of what was erased, it is the
    /// digest that was kept.
    #[must_use]
    pub fn data_digest(&self, event: &Event) -> Option<[u8; 32]> {
        if event.erased.data.is_some() {
            return event.erased.data;
        }
        let mut members = personal(&event.data).peekable();
        members.peek()?;
        let mut code = self.0.clone();
        code.put(b"denizen personal data 3\0");
        code.put(event.id.as_uuid().as_bytes());
        for (name, member) in members {
            text(&mut code, Some(name));
            value(&mut code, member);
        }
        Some(code.finalize().into_bytes().into())
    }

    /// Seals where the keyed records begin: behind this record.
    #[must_use]
    pub fn seal_start(&self, position: i64, hash: &[u8; 32]) -> [u8; 32] {
        self.seal(b"denizen log keyed after", position, hash)
    }

    /// Whether the start of the keyed records is sealed under this key.
    #[must_use]
    pub fn is_start(&self, start: &KeyedStart) -> bool {
        self.is_sealed(b"denizen log keyed after", start.position, &start.hash, &start.seal)
    }

    /// Seals where the log begins.
    #[must_use]
    pub fn seal_floor(&self, position: i64, hash: &[u8; 32]) -> [u8; 32] {
        self.seal(b"denizen log floor", position, hash)
    }

    /// Whether the beginning of the log is sealed under this key.
    #[must_use]
    pub fn is_floor(&self, bounds: &LogBounds, seal: &[u8]) -> bool {
        self.is_sealed(b"denizen log floor", bounds.floor, &bounds.floor_hash, seal)
    }

    fn seal(&self, purpose: &[u8], position: i64, hash: &[u8; 32]) -> [u8; 32] {
        self.code(purpose, position, hash).finalize().into_bytes().into()
    }

    fn is_sealed(&self, purpose: &[u8], position: i64, hash: &[u8; 32], seal: &[u8]) -> bool {
        self.code(purpose, position, hash).verify_slice(seal).is_ok()
    }

    fn code(&self, purpose: &[u8], position: i64, hash: &[u8; 32]) -> Hmac<Sha256> {
        let mut code = self.0.clone();
        code.update(purpose);
        code.update(&position.to_be_bytes());
        code.update(hash);
        code
    }
}

impl std::fmt::Debug for ChainKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ChainKey([redacted])")
    }
}

/// The hash without a key, as earlier releases write it.
#[must_use]
pub fn hash(previous: &[u8; 32], event: &Event) -> [u8; 32] {
    let mut digest = Sha256::new();
    write(&mut digest, FORM, previous, event);
    digest.finalize().into()
}

/// What takes the bytes of a record: a hash or a code.
trait Sink {
    fn put(&mut self, bytes: impl AsRef<[u8]>);
}

impl Sink for Sha256 {
    fn put(&mut self, bytes: impl AsRef<[u8]>) {
        Digest::update(self, bytes);
    }
}

impl Sink for Hmac<Sha256> {
    fn put(&mut self, bytes: impl AsRef<[u8]>) {
        Mac::update(self, bytes.as_ref());
    }
}

fn write(sink: &mut impl Sink, form: &[u8], previous: &[u8; 32], event: &Event) {
    sink.put(form);
    sink.put(previous);
    write_head(sink, event);
    text(sink, event.address.map(|address| address.to_string()).as_deref());
    text(sink, event.user_agent.as_deref());
    sink.put(event.occurred_at.as_micros().to_be_bytes());
    object(sink, &event.data);
}

/// Which record it is, and who did what.
fn write_head(sink: &mut impl Sink, event: &Event) {
    sink.put(event.position.to_be_bytes());
    sink.put(event.id.as_uuid().as_bytes());
    text(sink, Some(&event.kind));
    text(sink, event.about.as_str());
    text(sink, Some(event.actor.kind.as_str()));
    text(sink, event.actor.id.map(|id| id.to_string()).as_deref());
    text(sink, event.actor.credential.map(|(kind, _)| kind.as_str()));
    text(sink, event.actor.credential.map(|(_, id)| id.to_string()).as_deref());
}

/// A digest, or that there is none.
fn digest(sink: &mut impl Sink, digest: Option<&[u8; 32]>) {
    match digest {
        None => sink.put([0]),
        Some(digest) => {
            sink.put([1]);
            sink.put(digest);
        }
    }
}

/// Bytes in hexadecimal.
#[must_use]
pub fn hexadecimal(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.filter_map(|digit| char::from_digit(digit.into(), 16)).collect()
}

/// A text with its length before it, so that none can be taken for two.
fn text(sink: &mut impl Sink, text: Option<&str>) {
    match text {
        None => sink.put([0]),
        Some(text) => {
            sink.put([1]);
            sink.put((text.len() as u64).to_be_bytes());
            sink.put(text);
        }
    }
}

fn object(sink: &mut impl Sink, members: &Object) {
    sink.put((members.len() as u64).to_be_bytes());
    for (name, member) in members {
        text(sink, Some(name));
        value(sink, member);
    }
}

fn value(sink: &mut impl Sink, value_of: &Value) {
    match value_of {
        Value::Null => sink.put([2]),
        Value::Bool(flag) => sink.put([3, u8::from(*flag)]),
        Value::Integer(number) => {
            sink.put([4]);
            sink.put(number.to_be_bytes());
        }
        Value::Float(number) => {
            sink.put([5]);
            sink.put(number.to_bits().to_be_bytes());
        }
        Value::String(string) => {
            sink.put([6]);
            text(sink, Some(string));
        }
        Value::Array(items) => {
            sink.put([7]);
            sink.put((items.len() as u64).to_be_bytes());
            for item in items {
                value(sink, item);
            }
        }
        Value::Object(members) => {
            sink.put([8]);
            object(sink, members);
        }
    }
}
