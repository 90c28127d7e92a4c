//! The master key: 32 bytes from configuration or from a file that is made on first start.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use denizen_domain::ports::Random;
use secrecy::{ExposeSecret, SecretString};
use zeroize::{Zeroize, Zeroizing};

/// How many bytes the key has.
pub const MASTER_KEY_BYTES: usize = 32;

/// The key that everything secret is sealed under.
pub struct MasterKey(Zeroizing<[u8; MASTER_KEY_BYTES]>);

/// Why there is no master key.
#[derive(Debug, thiserror::Error)]
pub enum MasterKeyError {
    /// The text is not 32 bytes.
    #[error("{origin} must hold 32 random bytes in base64 or hexadecimal, as `openssl rand -base64 32` prints")]
    Malformed {
        /// The configuration key or the file.
        origin: String,
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
    /// Reads the key from its text form.
    ///
    /// # Errors
    /// [`MasterKeyError::Malformed`] unless it is 32 bytes in base64 or hexadecimal that are not all equal.
    pub fn parse(text: &SecretString, origin: &str) -> Result<Self, MasterKeyError> {
        let malformed = || MasterKeyError::Malformed { origin: origin.to_owned() };
        let text = text.expose_secret().trim();
        let mut bytes = decode(text).ok_or_else(malformed)?;
        let is_flat = bytes.windows(2).all(|pair| pair[0] == pair[1]);
        let key = <[u8; MASTER_KEY_BYTES]>::try_from(bytes.as_slice()).ok().filter(|_| !is_flat);
        bytes.zeroize();
        key.map(|key| Self(Zeroizing::new(key))).ok_or_else(malformed)
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
        Self::parse(&text, &path.display().to_string())
    }

    /// The bytes, for the derivation of keys.
    pub(crate) fn expose(&self) -> &[u8] {
        self.0.as_slice()
    }
}

fn decode(text: &str) -> Option<Vec<u8>> {
    if text.len() == MASTER_KEY_BYTES * 2 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok()).collect();
    }
    STANDARD.decode(text).ok()
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
    let mut bytes = [0; MASTER_KEY_BYTES];
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
    use super::MasterKey;
    use crate::clock::SystemChance;

    #[test]
    fn both_encodings_are_read_and_weak_keys_refused() {
        let read = |text: &str| MasterKey::parse(&text.into(), "security.master_key").ok().map(|key| *key.0);
        let hex = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
        assert_eq!(read(hex), read("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n"));
        assert!(read(hex).is_some());
        for weak in ["", "changeme", &"00".repeat(32), "AAECAwQFBgcICQoLDA0ODw==", &"é".repeat(32)] {
            assert_eq!(read(weak), None, "{weak}");
        }
    }

    #[test]
    fn a_file_is_made_once_and_kept_to_its_owner() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/master.key");
        let first = MasterKey::from_file(&path, &SystemChance).unwrap();
        let second = MasterKey::from_file(&path, &SystemChance).unwrap();
        assert_eq!(first.0, second.0);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
        assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }
}
