//! Signed heads of the audit log: made, read, and exported while the server runs.
//!
//! A signed head is a JWS in compact form (RFC 7515) under `EdDSA` (RFC 8037). Its key is derived from the root key, so that
//! it stays when signing keys for tokens are rotated and when the master key changes. The public key alone checks a head,
//! without this server.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use denizen_domain::Services;
use denizen_domain::audit::{self, Head, KnownHead};
use denizen_domain::error::FieldError;
use denizen_domain::ports::Vault;
use serde::{Deserialize, Serialize};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use utoipa::ToSchema;

use crate::config::Audit;
use crate::upkeep::report;

/// What the signature is for: it cannot be taken for one of a token.
const TYPE: &str = "denizen-audit-head+jws";
/// The longest signed head, in bytes.
const SIGNED_BYTES_MAX: usize = 1_024;

/// The protected header.
#[derive(Serialize, Deserialize)]
struct Header {
    alg: String,
    typ: String,
}

/// What is signed.
#[derive(Serialize, Deserialize)]
struct Claims {
    position: i64,
    hash: String,
    keyed_from: i64,
    iat: i64,
}

/// The public key that verifies signed heads (RFC 7517, RFC 8037).
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct HeadKeyBody {
    /// The key type: `OKP`.
    pub(crate) kty: &'static str,
    /// The curve: `Ed25519`.
    pub(crate) crv: &'static str,
    /// The algorithm: `EdDSA`.
    pub(crate) alg: &'static str,
    /// The use of the key: `sig`.
    #[serde(rename = "use")]
    pub(crate) purpose: &'static str,
    /// The public key, in base64url.
    pub(crate) x: String,
}

/// The key that signs heads.
pub(crate) struct HeadSigner(Ed25519KeyPair);

impl HeadSigner {
    /// Derives the key.
    pub(crate) fn derive(vault: &dyn Vault) -> Self {
        let seed = vault.mac("audit head signing key", b"v1");
        Self(Ed25519KeyPair::from_seed_unchecked(&seed).expect("32 bytes are a seed"))
    }

    /// The public key.
    pub(crate) fn public_key(&self) -> HeadKeyBody {
        let x = URL_SAFE_NO_PAD.encode(self.0.public_key().as_ref());
        HeadKeyBody { kty: "OKP", crv: "Ed25519", alg: "EdDSA", purpose: "sig", x }
    }

    /// Signs a head.
    pub(crate) fn sign(&self, head: &Head) -> String {
        let header = Header { alg: "EdDSA".to_owned(), typ: TYPE.to_owned() };
        let last = head.last.to_string();
        let hash = last.split_once(':').map_or("", |(_, hash)| hash).to_owned();
        let iat = head.at.as_micros() / 1_000_000;
        let claims = Claims { position: head.last.position, hash, keyed_from: head.keyed_from, iat };
        let signed = format!("{}.{}", part(&header), part(&claims));
        let signature = URL_SAFE_NO_PAD.encode(self.0.sign(signed.as_bytes()));
        format!("{signed}.{signature}")
    }

    /// Reads a head that was kept: `POSITION:HASH`, or a signed one, whose signature must hold.
    ///
    /// # Errors
    /// The named field, when it is neither, or the signature is another's.
    pub(crate) fn read(&self, field: &str, raw: &str) -> Result<KnownHead, FieldError> {
        if !is_signed(raw) {
            return KnownHead::parse(field, raw);
        }
        let head = self.open(raw).map(|claims| format!("{}:{}", claims.position, claims.hash));
        let message = "must be a signed head of this deployment";
        let head = head.ok_or_else(|| FieldError::new(field, "invalid_value", message))?;
        KnownHead::parse(field, &head)
    }

    fn open(&self, raw: &str) -> Option<Claims> {
        let (signed, signature) = raw.rsplit_once('.')?;
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        let key = UnparsedPublicKey::new(&ED25519, self.0.public_key().as_ref());
        key.verify(signed.as_bytes(), &signature).ok()?;
        let (header, claims) = signed.split_once('.')?;
        let read = |part: &str| URL_SAFE_NO_PAD.decode(part).ok();
        let header: Header = serde_json::from_slice(&read(header)?).ok()?;
        let is_ours = header.alg == "EdDSA" && header.typ == TYPE;
        is_ours.then(|| serde_json::from_slice(&read(claims)?).ok())?
    }
}

/// An answer of `GET /api/v1/audit/head`, or an output of `denizen audit head --output json`, that was stored.
#[derive(Deserialize)]
struct StoredHead {
    signed: String,
}

/// The heads of a file, in order: one a line, signed or as `POSITION:HASH`, or JSON objects that have a signed head.
///
/// # Errors
/// The named field, when a JSON object has none.
pub(crate) fn read_file(field: &str, text: &str) -> Result<Vec<String>, FieldError> {
    let (mut heads, mut rest) = (Vec::new(), text.trim_start());
    while !rest.is_empty() {
        let read = if rest.starts_with('{') {
            let mut objects = serde_json::Deserializer::from_str(rest).into_iter::<StoredHead>();
            let Some(Ok(StoredHead { signed })) = objects.next() else {
                let message = "must contain one head per line, or JSON objects with the member `signed`";
                return Err(FieldError::new(field, "invalid_value", message));
            };
            heads.push(signed);
            objects.byte_offset()
        } else {
            let line = rest.lines().next().unwrap_or_default();
            heads.push(line.trim_end().to_owned());
            line.len()
        };
        rest = rest[read..].trim_start();
    }
    Ok(heads)
}

/// Whether this has the form of a signed head.
pub(crate) fn is_signed(raw: &str) -> bool {
    raw.len() <= SIGNED_BYTES_MAX && raw.bytes().filter(|byte| *byte == b'.').count() == 2
}

fn part(value: &impl Serialize) -> String {
    URL_SAFE_NO_PAD.encode(serde_json::to_vec(value).expect("plain fields are JSON"))
}

/// Exports the head at the start and at each interval, when the log has grown, until `stop` is cancelled: to the log, and
/// to a file when one is configured.
pub(crate) async fn export(services: &Arc<Services>, config: &Audit, stop: &CancellationToken) {
    if config.head_interval_s == 0 {
        return;
    }
    let signer = HeadSigner::derive(services.vault.as_ref());
    let interval = Duration::from_secs(config.head_interval_s.into());
    let (mut exported, mut is_failing) = (None, false);
    loop {
        let outcome = match audit::last_head(services).await {
            Ok(head) if exported == Some(head.last) => Ok(()),
            Ok(head) => match export_one(&signer, &head, config.head_file.as_deref()).await {
                Ok(()) => {
                    exported = Some(head.last);
                    Ok(())
                }
                Err(error) => Err(denizen_domain::error::Error::Internal(error.into())),
            },
            Err(error) => Err(error),
        };
        is_failing = report("exporting the head of the audit log", is_failing, outcome);
        tokio::select! {
            () = stop.cancelled() => return,
            () = sleep(interval) => {}
        }
    }
}

async fn export_one(signer: &HeadSigner, head: &Head, file: Option<&Path>) -> std::io::Result<()> {
    let line = signer.sign(head);
    // First to the log: a file that cannot be written does not keep the head from both.
    tracing::info!(target: "audit", position = head.last.position, head = line, "signed head of the audit log");
    if let Some(file) = file.map(PathBuf::from) {
        let line = format!("{line}\n");
        tokio::task::spawn_blocking(move || append(&file, line.as_bytes())).await.map_err(std::io::Error::other)??;
    }
    Ok(())
}

/// Adds a line to a file that its owner alone can read.
fn append(file: &Path, line: &[u8]) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(file)?;
    file.write_all(line)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use denizen_domain::time::Timestamp;

    use super::{Head, HeadSigner, KnownHead, Vault, read_file};

    struct Key(u8);

    impl Vault for Key {
        fn seal(&self, _: &[u8], plain: &[u8]) -> Vec<u8> {
            plain.to_vec()
        }

        fn open(&self, _: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
            Some(sealed.to_vec())
        }

        fn mac(&self, _: &str, _: &[u8]) -> [u8; 32] {
            [self.0; 32]
        }
    }

    #[test]
    fn a_signed_head_is_read_under_the_key_that_signed_it_alone() {
        let last = KnownHead { position: 42, hash: [7; 32] };
        let head = Head { last, keyed_from: 1, at: Timestamp::from_micros(1_000_000) };
        let signer = HeadSigner::derive(&Key(1));
        let jws = signer.sign(&head);
        assert_eq!(signer.read("known", &jws).unwrap(), last);
        assert_eq!(signer.read("known", &last.to_string()).unwrap(), last);
        assert!(HeadSigner::derive(&Key(2)).read("known", &jws).is_err());
        for at in 0..jws.len() {
            let mut altered = jws.clone().into_bytes();
            altered[at] = if altered[at] == b'A' { b'B' } else { b'A' };
            assert!(signer.read("known", &String::from_utf8(altered).unwrap()).is_err(), "byte {at}");
        }
    }

    #[test]
    fn a_file_of_heads_has_lines_or_json_objects() {
        let read = |text: &str| read_file("--known-file", text).unwrap();
        assert_eq!(read(" \n\n"), Vec::<String>::new());
        assert_eq!(read("a.b.c \n\r\n  1:00\r\n"), ["a.b.c", "1:00"]);
        let mixed = "{\"position\":1,\"signed\":\"a.b.c\"}{\n  \"signed\": \"d.e.f\"\n}\n1:00\n{\"signed\":\"g.h.i\"}";
        assert_eq!(read(mixed), ["a.b.c", "d.e.f", "1:00", "g.h.i"]);
        for text in ["{}", "{\"signed\":1}", "{\"signed\":\"a.b.c\"", "1:00\n{\"error\":{}}"] {
            assert!(read_file("--known-file", text).is_err(), "{text}");
        }
    }
}
