//! The master key: 32 bytes from configuration or from a file that is made on first start.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use denizen_domain::ports::Random;
use secrecy::{ExposeSecret, SecretString};
use zeroize::{Zeroize, Zeroizing};

/// What a master key must be, for messages.
pub const EXPECTED: &str = "32 random bytes in base64 or hexadecimal, as `openssl rand -base64 32` makes them";

/// The length of the key, in bytes.
const KEY_BYTES: usize = 32;
/// The fewest different bytes in a random key. 32 random bytes have fewer than once in 10¹² keys.
const DIFFERENT_BYTES_MIN: usize = 18;

/// The key that everything secret is sealed under.
pub struct MasterKey(Zeroizing<[u8; KEY_BYTES]>);

/// Why there is no master key.
#[derive(Debug, thiserror::Error)]
pub enum MasterKeyError {
    /// The text in the file is no key.
    #[error("{path} must hold {EXPECTED}")]
    Malformed {
        /// Which file.
        path: PathBuf,
    },
    /// The file cannot be read or made.
    #[error("reading or creating the master key {path}")]
    File {
        /// Which file.
        path: PathBuf,
        /// What went wrong.
        #[source]
        source: io::Error,
    },
}

impl MasterKey {
    /// Reads the key from its text form; `None` unless it is 32 bytes in base64 or hexadecimal.
    #[must_use]
    pub fn parse(text: &SecretString) -> Option<Self> {
        let text = text.expose_secret().trim();
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        let is_hex = text.len() == KEY_BYTES * 2;
        let length = if is_hex { decode_hex(text, &mut *key) } else { STANDARD.decode_slice(text, &mut *key).ok() };
        (length == Some(KEY_BYTES)).then_some(Self(key))
    }

    /// Whether the bytes were thought up rather than drawn: repeated, counted up, or text.
    #[must_use]
    pub fn is_weak(&self) -> bool {
        let mut seen = [false; 256];
        for &byte in self.0.iter() {
            seen[usize::from(byte)] = true;
        }
        let different = seen.iter().filter(|&&is_seen| is_seen).count();
        let step = self.0[1].wrapping_sub(self.0[0]);
        let is_counted = self.0.windows(2).all(|pair| pair[1].wrapping_sub(pair[0]) == step);
        let is_text = self.0.iter().all(|byte| byte.is_ascii_graphic() || byte.is_ascii_whitespace());
        different < DIFFERENT_BYTES_MIN || is_counted || is_text
    }

    /// Reads the key from a file, which is made, readable by its owner alone, when it does not exist.
    /// Of several processes that make it at once, one wins and all read the same key.
    pub fn from_file(path: &Path, random: &dyn Random) -> Result<Self, MasterKeyError> {
        let failed = |source| MasterKeyError::File { path: path.to_owned(), source };
        match read(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => create(path, random).map_err(failed)?,
            other => other.map(drop).map_err(failed)?,
        }
        let text = SecretString::from(read(path).map_err(failed)?);
        Self::parse(&text).ok_or_else(|| MasterKeyError::Malformed { path: path.to_owned() })
    }

    /// The bytes, for the derivation of keys.
    pub(crate) fn expose(&self) -> &[u8] {
        self.0.as_slice()
    }
}

fn decode_hex(text: &str, key: &mut [u8]) -> Option<usize> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let (pairs, _) = text.as_bytes().as_chunks::<2>();
    for (slot, &[high, low]) in key.iter_mut().zip(pairs) {
        *slot = digit(high)? << 4 | digit(low)?;
    }
    Some(pairs.len())
}

fn read(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    // A key is short; whatever is longer is not one, and is not read.
    File::open(path)?.take(1024).read_to_string(&mut text)?;
    Ok(text)
}

fn create(path: &Path, random: &dyn Random) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)?;
    let mut bytes = [0; KEY_BYTES];
    random.fill(&mut bytes);

    // Written aside and linked into place: nobody ever sees half a key, and the first one stays.
    let draft = folder.join(format!(".master.key.{}", std::process::id()));
    let mut file = owner_only().create(true).truncate(true).write(true).open(&draft)?;
    writeln!(file, "{}", STANDARD.encode(bytes))?;
    file.sync_all()?;
    bytes.zeroize();
    let linked = std::fs::hard_link(&draft, path);
    std::fs::remove_file(&draft)?;
    match linked {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    File::open(folder)?.sync_all()
}

fn owner_only() -> OpenOptions {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

#[cfg(test)]
mod tests {
    use super::{MasterKey, STANDARD};
    use crate::clock::SystemChance;
    use base64::Engine;

    const KEY_HEX: &str = "fbefbe3f0a9cd17e6624b85d8ff04c11927aa3c85e016bd4f73920ee81b6457d";
    const KEY_BASE64: &str = "++++Pwqc0X5mJLhdj/BMEZJ6o8heAWvU9zkg7oG2RX0=";

    #[test]
    fn every_spelling_of_a_key_is_the_same_key() {
        let key = *MasterKey::parse(&KEY_HEX.into()).unwrap().0;
        for raw in [KEY_BASE64, &KEY_HEX.to_uppercase(), &format!(" {KEY_HEX}\n")] {
            assert_eq!(MasterKey::parse(&raw.into()).map(|key| *key.0), Some(key), "{raw}");
        }
    }

    #[test]
    fn what_is_not_32_bytes_is_no_key() {
        let short = &KEY_HEX[2..];
        let long = format!("{KEY_HEX}00");
        for raw in ["", "changeme", short, &long, &"g".repeat(64), &"A".repeat(44), &"A".repeat(42), &"é".repeat(32)] {
            assert!(MasterKey::parse(&raw.into()).is_none(), "{raw}");
        }
    }

    #[test]
    fn keys_that_were_thought_up_are_weak() {
        let counted = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
        let text = STANDARD.encode("correct horse battery staple, 42");
        for raw in [&"00".repeat(32), &"a1b2".repeat(16), counted, &text] {
            assert!(MasterKey::parse(&raw.into()).unwrap().is_weak(), "{raw}");
        }
        assert!(!MasterKey::parse(&KEY_HEX.into()).unwrap().is_weak());
    }

    #[test]
    fn a_file_is_made_once_and_kept_to_its_owner() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/master.key");
        let first = MasterKey::from_file(&path, &SystemChance).unwrap();
        let second = MasterKey::from_file(&path, &SystemChance).unwrap();
        assert_eq!(first.0, second.0);
        assert!(!first.is_weak());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
        assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }
}
