//! How records are bound to each other: each carries a SHA-256 over itself and the hash of the one before.
//!
//! Whoever changes, takes out or moves a record breaks the chain from there on. Whoever can write the whole database can
//! make a whole new chain: keep the head that a check tells somewhere else, and the next one is checked against it.

use sha2::{Digest, Sha256};

use super::Event;
use crate::value::{Object, Value};

/// What the first record follows on.
pub const GENESIS: [u8; 32] = [0; 32];
/// Changes with the form of what is hashed.
const FORM: &[u8] = b"denizen event 1";

/// The hash of a record that follows on one with this hash.
#[must_use]
pub fn hash(previous: &[u8; 32], event: &Event) -> [u8; 32] {
    let mut digest = Sha256::new();
    digest.update(FORM);
    digest.update(previous);
    digest.update(event.position.to_be_bytes());
    digest.update(event.id.as_uuid().as_bytes());
    text(&mut digest, Some(&event.kind));
    text(&mut digest, event.about.as_str());
    text(&mut digest, Some(event.actor.kind.as_str()));
    text(&mut digest, event.actor.id.map(|id| id.to_string()).as_deref());
    text(&mut digest, event.actor.credential.map(|(kind, _)| kind.as_str()));
    text(&mut digest, event.actor.credential.map(|(_, id)| id.to_string()).as_deref());
    text(&mut digest, event.address.map(|address| address.to_string()).as_deref());
    text(&mut digest, event.user_agent.as_deref());
    digest.update(event.occurred_at.as_micros().to_be_bytes());
    object(&mut digest, &event.data);
    digest.finalize().into()
}

/// A hash in hexadecimal.
#[must_use]
pub fn hexadecimal(hash: &[u8; 32]) -> String {
    let digits = hash.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.filter_map(|digit| char::from_digit(digit.into(), 16)).collect()
}

/// A text with its length before it, so that none can be taken for two.
fn text(digest: &mut Sha256, text: Option<&str>) {
    match text {
        None => digest.update([0]),
        Some(text) => {
            digest.update([1]);
            digest.update((text.len() as u64).to_be_bytes());
            digest.update(text);
        }
    }
}

fn object(digest: &mut Sha256, members: &Object) {
    digest.update((members.len() as u64).to_be_bytes());
    for (name, member) in members {
        text(digest, Some(name));
        value(digest, member);
    }
}

fn value(digest: &mut Sha256, value_of: &Value) {
    match value_of {
        Value::Null => digest.update([2]),
        Value::Bool(flag) => digest.update([3, u8::from(*flag)]),
        Value::Integer(number) => {
            digest.update([4]);
            digest.update(number.to_be_bytes());
        }
        Value::Float(number) => {
            digest.update([5]);
            digest.update(number.to_bits().to_be_bytes());
        }
        Value::String(string) => {
            digest.update([6]);
            text(digest, Some(string));
        }
        Value::Array(items) => {
            digest.update([7]);
            digest.update((items.len() as u64).to_be_bytes());
            for item in items {
                value(digest, item);
            }
        }
        Value::Object(members) => {
            digest.update([8]);
            object(digest, members);
        }
    }
}
