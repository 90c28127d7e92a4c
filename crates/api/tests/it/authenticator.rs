//! A software authenticator (WebAuthn Level 3 §6) with everything that a test may want to get wrong.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

/// The user was present.
pub(crate) const PRESENT: u8 = 0x01;
/// The user was verified.
pub(crate) const VERIFIED: u8 = 0x04;
/// The credential may be synchronized, and is.
pub(crate) const SYNCED: u8 = 0x08 | 0x10;
/// The data contains a new credential.
const ATTESTED: u8 = 0x40;
const AAGUID: [u8; 16] = [7; 16];

/// An authenticator with one discoverable credential, and the browser that it is used in.
pub(crate) struct Authenticator {
    key: EcdsaKeyPair,
    pub(crate) credential_id: Vec<u8>,
    pub(crate) user_handle: Vec<u8>,
    pub(crate) rp_id: String,
    pub(crate) origin: String,
    pub(crate) flags: u8,
    /// The counter before the next use; it stays 0 if it is 0.
    pub(crate) counter: u32,
    pub(crate) is_framed: bool,
    /// Whether it keeps its credential, and states the user with it.
    pub(crate) is_discoverable: bool,
}

impl Authenticator {
    /// One whose pages have this origin.
    pub(crate) fn new(origin: &str) -> Self {
        let random = SystemRandom::new();
        let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random).unwrap();
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, document.as_ref()).unwrap();
        let credential_id = digest(&SHA256, key.public_key().as_ref()).as_ref().to_vec();
        Self {
            key,
            credential_id,
            user_handle: Vec::new(),
            rp_id: String::new(),
            origin: origin.to_owned(),
            flags: PRESENT | VERIFIED,
            counter: 0,
            is_framed: false,
            is_discoverable: true,
        }
    }

    /// A security key without a PIN, whose counter counts.
    pub(crate) fn security_key(origin: &str) -> Self {
        Self { flags: PRESENT, counter: 1, is_discoverable: false, ..Self::new(origin) }
    }

    /// `navigator.credentials.create`: the response to `publicKey` of options.
    pub(crate) fn create(&mut self, options: &Value) -> Value {
        text(&options["rp"]["id"]).clone_into(&mut self.rp_id);
        self.user_handle = decoded(text(&options["user"]["id"]));
        let client_data = self.client_data("webauthn.create", options);
        let data = self.data(ATTESTED);
        let public = self.key.public_key().as_ref();
        let length = u16::try_from(self.credential_id.len()).unwrap().to_be_bytes();
        let data = [data.as_slice(), &AAGUID, &length, &self.credential_id, &cose_key(public)].concat();
        let length = u8::try_from(data.len()).unwrap();
        let object = [b"\xa3\x63fmt\x64none\x67attStmt\xa0\x68authData\x58".as_slice(), &[length], &data].concat();
        json!({
            "id": encoded(&self.credential_id), "rawId": encoded(&self.credential_id), "type": "public-key",
            "authenticatorAttachment": "platform", "clientExtensionResults": {"credProps": {"rk": self.is_discoverable}},
            "response": {
                "clientDataJSON": encoded(client_data.as_bytes()), "attestationObject": encoded(&object),
                "transports": ["internal", "hybrid"], "publicKeyAlgorithm": -7,
            },
        })
    }

    /// `navigator.credentials.get`: the response to `publicKey` of options.
    pub(crate) fn get(&mut self, options: &Value) -> Value {
        self.answer("webauthn.get", options)
    }

    /// The same with another type in the client data.
    pub(crate) fn answer(&mut self, kind: &str, options: &Value) -> Value {
        if self.counter > 0 {
            self.counter += 1;
        }
        let client_data = self.client_data(kind, options);
        let data = self.data(0);
        let signed = [data.as_slice(), digest(&SHA256, client_data.as_bytes()).as_ref()].concat();
        let signature = self.key.sign(&SystemRandom::new(), &signed).unwrap();
        let handle = self.is_discoverable.then(|| encoded(&self.user_handle));
        json!({
            "id": encoded(&self.credential_id), "rawId": encoded(&self.credential_id), "type": "public-key",
            "authenticatorAttachment": "platform", "clientExtensionResults": {},
            "response": {
                "clientDataJSON": encoded(client_data.as_bytes()), "authenticatorData": encoded(&data),
                "signature": encoded(signature.as_ref()), "userHandle": handle,
            },
        })
    }

    fn client_data(&self, kind: &str, options: &Value) -> String {
        let (challenge, origin) = (&options["challenge"], &self.origin);
        json!({"type": kind, "challenge": challenge, "origin": origin, "crossOrigin": self.is_framed}).to_string()
    }

    fn data(&self, more: u8) -> Vec<u8> {
        let hash = digest(&SHA256, self.rp_id.as_bytes());
        [hash.as_ref(), &[self.flags | more], &self.counter.to_be_bytes()].concat()
    }
}

/// A P-256 key in COSE (RFC 9053 §7.1.1), from its uncompressed point.
fn cose_key(point: &[u8]) -> Vec<u8> {
    [b"\xa5\x01\x02\x03\x26\x20\x01\x21\x58\x20".as_slice(), &point[1..33], b"\x22\x58\x20", &point[33..]].concat()
}

pub(crate) fn encoded(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn decoded(text: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text).unwrap()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}
