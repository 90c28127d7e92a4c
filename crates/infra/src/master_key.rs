//! The master key: 32 bytes from configuration, from a file that is made on first start, or from a command's output.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use denizen_domain::ports::Random;
use secrecy::{ExposeSecret, SecretString};
use tokio::io::AsyncReadExt;
use tokio::process::Command;
use zeroize::{Zeroize, Zeroizing};

/// What a master key must be, for messages.
pub const EXPECTED: &str = "32 random bytes in base64 or hexadecimal, for example from `openssl rand -base64 32`";

/// The length of the key, in bytes.
const KEY_BYTES: usize = 32;
/// The most that is read of a file or a command's output, in bytes. A key is short; whatever is longer is not one.
const TEXT_BYTES_MAX: usize = 1024;
/// How long a command may take.
const COMMAND_DEADLINE: Duration = Duration::from_secs(10);
/// The fewest different bytes in a random key. 32 random bytes have fewer than once in 10¹² keys.
const DIFFERENT_BYTES_MIN: usize = 18;

/// The key that the [root key](crate::root) is sealed under.
pub struct MasterKey(Zeroizing<[u8; KEY_BYTES]>);

/// Why there is no master key.
#[derive(Debug, thiserror::Error)]
pub enum MasterKeyError {
    /// The text in the file is no key.
    #[error("{path} must contain {EXPECTED}")]
    Malformed {
        /// Which file.
        path: PathBuf,
    },
    /// The file cannot be read or made.
    #[error("reading or creating the master key {path}")]
    File {
        /// Which file.
        path: PathBuf,
        /// The I/O error.
        #[source]
        source: io::Error,
    },
    /// There is no file, and the database was set up under a key that must have been in it.
    #[error(
        "the master key {path} is missing, but the database was set up with it: restore the file from a backup, or set \
         security.master_key_file to its path"
    )]
    Missing {
        /// Which file.
        path: PathBuf,
    },
    /// The command cannot be run.
    #[error("running the command for the master key")]
    Command(#[source] io::Error),
    /// The command says that it failed.
    #[error("the command for the master key failed: {0}")]
    CommandFailed(ExitStatus),
    /// The command did not end in time.
    #[error("the command for the master key did not finish within {} s", COMMAND_DEADLINE.as_secs())]
    CommandSlow,
    /// The command's output is no key. It is not quoted: it may be most of one.
    #[error("the command for the master key must print {EXPECTED}, and nothing else")]
    CommandMalformed,
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
        if let Some(key) = Self::find_in_file(path)? {
            return Ok(key);
        }
        create(path, random).map_err(|source| MasterKeyError::File { path: path.to_owned(), source })?;
        Self::from_existing_file(path)
    }

    /// Reads the key from a file that must exist: the database was set up under the key in it.
    ///
    /// # Errors
    /// [`MasterKeyError::Missing`] when there is no file; none is created.
    pub fn from_existing_file(path: &Path) -> Result<Self, MasterKeyError> {
        Self::find_in_file(path)?.ok_or_else(|| MasterKeyError::Missing { path: path.to_owned() })
    }

    /// Reads the key from a file; `None` when there is no file.
    ///
    /// # Errors
    /// When the file cannot be read, or holds no key.
    pub fn find_in_file(path: &Path) -> Result<Option<Self>, MasterKeyError> {
        let text = match read(path) {
            Ok(text) => SecretString::from(text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(MasterKeyError::File { path: path.to_owned(), source }),
        };
        Self::parse(&text).map(Some).ok_or_else(|| MasterKeyError::Malformed { path: path.to_owned() })
    }

    /// Reads the key from what a shell command prints within ten seconds. Its input is closed, and what it says on
    /// its error output goes to ours.
    pub async fn from_command(command: &str) -> Result<Self, MasterKeyError> {
        Self::from_command_within(command, COMMAND_DEADLINE).await
    }

    async fn from_command_within(command: &str, deadline: Duration) -> Result<Self, MasterKeyError> {
        let ended = tokio::time::timeout(deadline, run(command)).await;
        let (status, output) = ended.map_err(|_| MasterKeyError::CommandSlow)?.map_err(MasterKeyError::Command)?;
        if output.len() > TEXT_BYTES_MAX {
            // Whether it failed is not asked: we stopped listening.
            return Err(MasterKeyError::CommandMalformed);
        }
        if !status.success() {
            return Err(MasterKeyError::CommandFailed(status));
        }
        let text = str::from_utf8(&output).map(SecretString::from).ok();
        text.and_then(|text| Self::parse(&text)).ok_or(MasterKeyError::CommandMalformed)
    }

    /// The bytes, for the derivation of keys.
    pub(crate) fn expose(&self) -> &[u8; KEY_BYTES] {
        &self.0
    }
}

/// Runs a command and reads the beginning of its output: enough to see that it is too long.
async fn run(command: &str) -> io::Result<(ExitStatus, Zeroizing<Vec<u8>>)> {
    let mut child = Command::new("sh")
        .args(["-c", command])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        // When the deadline drops it, it must not live on.
        .kill_on_drop(true)
        .spawn()?;
    // All the room at once: a buffer that grows leaves copies behind.
    let mut output = Zeroizing::new(Vec::with_capacity(2 * TEXT_BYTES_MAX));
    if let Some(stdout) = child.stdout.take() {
        stdout.take(TEXT_BYTES_MAX as u64 + 1).read_to_end(&mut output).await?;
    }
    Ok((child.wait().await?, output))
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
    File::open(path)?.take(TEXT_BYTES_MAX as u64).read_to_string(&mut text)?;
    if text.starts_with('\u{FEFF}') {
        text.remove(0);
    }
    Ok(text)
}

fn create(path: &Path, random: &dyn Random) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)?;
    let mut bytes = [0; KEY_BYTES];
    random.fill(&mut bytes);

    // Written to a temporary file, which only the owner can read, and moved into place without replacing anything: no
    // process reads half a key, and the first key stays. The name is random: process ids repeat across containers.
    let mut draft = tempfile::Builder::new().prefix(".master.key.").tempfile_in(folder)?;
    writeln!(draft, "{}", STANDARD.encode(bytes))?;
    draft.as_file().sync_all()?;
    bytes.zeroize();
    match draft.persist_noclobber(path) {
        Err(refused) if refused.error.kind() != io::ErrorKind::AlreadyExists => return Err(refused.error),
        _ => {}
    }
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::{MasterKey, MasterKeyError, STANDARD};
    use crate::clock::SystemChance;
    use base64::Engine;
    use std::error::Error;
    use std::time::Duration;

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

    #[test]
    fn concurrent_starts_agree_on_one_key() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("master.key");
        let start = std::sync::Barrier::new(8);
        let keys: Vec<_> = std::thread::scope(|scope| {
            let starts: Vec<_> = (0..8)
                .map(|_| {
                    scope.spawn(|| {
                        start.wait();
                        *MasterKey::from_file(&path, &SystemChance).unwrap().0
                    })
                })
                .collect();
            starts.into_iter().map(|start| start.join().unwrap()).collect()
        });
        assert!(keys.iter().all(|key| key == &keys[0]));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "no draft is left");
    }

    #[tokio::test]
    async fn a_command_prints_the_key() {
        let expected = *MasterKey::parse(&KEY_HEX.into()).unwrap().0;
        for command in [&format!("echo {KEY_HEX}"), &format!("cat >&2; printf %s {KEY_BASE64}")] {
            assert_eq!(*MasterKey::from_command(command).await.unwrap().0, expected, "{command}");
        }
    }

    #[tokio::test]
    async fn a_command_that_gives_no_key_is_told_without_its_output() {
        let short = &KEY_HEX[2..];
        let check = async |command: &str, is_expected: fn(&MasterKeyError) -> bool| {
            let error = MasterKey::from_command(command).await.err().unwrap();
            assert!(is_expected(&error), "{command}: {error:?}");
            let source = error.source().map(ToString::to_string).unwrap_or_default();
            assert!(!format!("{error}{error:?}{source}").contains(short), "{command}: {error:?}");
        };
        let is_malformed = |error: &MasterKeyError| matches!(error, MasterKeyError::CommandMalformed);
        let has_failed = |error: &MasterKeyError| matches!(error, MasterKeyError::CommandFailed(_));
        check("true", is_malformed).await;
        check(&format!("echo {short}"), is_malformed).await;
        check(&format!("echo {KEY_HEX}; echo {KEY_HEX}"), is_malformed).await;
        // A key, and then more than is read.
        check(&format!("echo {KEY_HEX}; head -c 1500 /dev/zero | tr '\\0' ' '; echo x"), is_malformed).await;
        check("printf '\\377'", is_malformed).await;
        check(&format!("echo {KEY_HEX}; exit 3"), has_failed).await;
        check("/no/such/program 2>/dev/null", has_failed).await;
    }

    #[tokio::test]
    async fn a_command_that_does_not_end_is_given_up() {
        // A deadline of nothing has passed at the first look: no test waits for a clock.
        let given_up = MasterKey::from_command_within("exec sleep 600", Duration::ZERO).await;
        assert!(matches!(given_up, Err(MasterKeyError::CommandSlow)));
    }
}
