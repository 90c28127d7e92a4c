//! Arguments for the recipients of an encrypted file, and for the secrets that decrypt it. Secrets are read from files
//! or from the terminal, because arguments are visible in the process list and in the shell history.

use std::fs::File;
use std::io::{self, BufRead, BufReader, IsTerminal, Read};
use std::path::{Path, PathBuf};

use age::x25519;
use clap::Args;
use secrecy::zeroize::Zeroize;
use secrecy::{ExposeSecret, SecretString};

use super::{DecryptingReader, EncryptedFile, EncryptedFileError, Identities, Recipients};

/// The longest passphrase, in bytes.
const PASSPHRASE_BYTES_MAX: usize = 4096;
/// The longest identity file, in bytes.
const IDENTITIES_BYTES_MAX: u64 = 1024 * 1024;
const BYTE_ORDER_MARK: char = '\u{FEFF}';

/// Who can decrypt a new file.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct EncryptionArgs {
    /// Encrypts the file to an age public key (age1…). Can be repeated; each of the keys decrypts the file.
    #[arg(long, value_name = "KEY", conflicts_with_all = ["passphrase", "passphrase_file"])]
    recipient: Vec<String>,
    /// Encrypts the file with the passphrase in the first line of FILE.
    #[arg(long, value_name = "FILE", conflicts_with = "passphrase")]
    passphrase_file: Option<PathBuf>,
    /// Prompts for a passphrase on the terminal, and encrypts the file with it.
    #[arg(long)]
    passphrase: bool,
}

impl EncryptionArgs {
    /// Whether the file is to be encrypted.
    pub(crate) fn is_given(&self) -> bool {
        !self.recipient.is_empty() || self.passphrase_file.is_some() || self.passphrase
    }

    /// The recipients; `None` if the file is not to be encrypted.
    pub(crate) fn recipients(&self) -> Result<Option<Recipients>, EncryptedFileError> {
        if !self.recipient.is_empty() {
            return Recipients::parse(&self.recipient).map(Some);
        }
        if let Some(file) = &self.passphrase_file {
            return read_passphrase(file).map(Recipients::Passphrase).map(Some);
        }
        if !self.passphrase {
            return Ok(None);
        }
        let (first, second) = (ask("Passphrase: ")?, ask("Repeat the passphrase: ")?);
        if first.expose_secret() != second.expose_secret() {
            return Err(EncryptedFileError::DifferentPassphrases);
        }
        Ok(Some(Recipients::Passphrase(first)))
    }
}

/// What decrypts a file.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct DecryptionArgs {
    /// Decrypts the file with the age secret keys in FILE, as written by age-keygen.
    #[arg(long, value_name = "FILE", conflicts_with = "passphrase_file")]
    identity_file: Option<PathBuf>,
    /// Decrypts the file with the passphrase in the first line of FILE. By default, prompts for the passphrase on the
    /// terminal.
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
}

impl DecryptionArgs {
    /// Decrypts a file, whose header is read from `reader` first.
    pub(crate) fn open<R: BufRead>(&self, reader: R) -> Result<DecryptingReader<R>, EncryptedFileError> {
        let file = EncryptedFile::open(reader)?;
        let identities = self.identities(file.needs_passphrase())?;
        file.decrypt(&identities)
    }

    /// What decrypts a file; a passphrase is asked for if it needs one and no file with it is given.
    pub(crate) fn identities(&self, needs_passphrase: bool) -> Result<Identities, EncryptedFileError> {
        if let Some(file) = &self.identity_file {
            return read_identities(file).map(Identities::Keys);
        }
        if let Some(file) = &self.passphrase_file {
            return read_passphrase(file).map(Identities::Passphrase);
        }
        if !needs_passphrase {
            return Err(EncryptedFileError::IdentityRequired);
        }
        ask("Passphrase: ").map(Identities::Passphrase)
    }
}

fn ask(prompt: &str) -> Result<SecretString, EncryptedFileError> {
    if !(io::stdin().is_terminal() && io::stderr().is_terminal()) {
        return Err(EncryptedFileError::PassphraseRequired);
    }
    let passphrase = rpassword::prompt_password(prompt).map(SecretString::from)?;
    if passphrase.expose_secret().is_empty() { Err(EncryptedFileError::EmptyPassphrase) } else { Ok(passphrase) }
}

fn open(file: &Path) -> Result<File, EncryptedFileError> {
    File::open(file).map_err(|error| unreadable(file, error))
}

fn unreadable(file: &Path, error: io::Error) -> EncryptedFileError {
    EncryptedFileError::File(format!("reading {}", file.display()), error)
}

/// The first line, without its end. A byte order mark before it is not part of it.
fn read_passphrase(file: &Path) -> Result<SecretString, EncryptedFileError> {
    let mut text = String::with_capacity(PASSPHRASE_BYTES_MAX + 1);
    let read = open(file)?.take(PASSPHRASE_BYTES_MAX as u64 + 1).read_to_string(&mut text);
    read.map_err(|error| unreadable(file, error))?;
    let is_too_long = text.len() > PASSPHRASE_BYTES_MAX;
    let line = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&text).lines().next().unwrap_or_default();
    let passphrase = SecretString::from(line);
    text.zeroize();
    if is_too_long {
        return Err(EncryptedFileError::LongPassphrase(file.display().to_string()));
    }
    if passphrase.expose_secret().is_empty() { Err(EncryptedFileError::EmptyPassphrase) } else { Ok(passphrase) }
}

/// The keys of a file; blank lines and lines that begin with `#` are skipped.
fn read_identities(file: &Path) -> Result<Vec<x25519::Identity>, EncryptedFileError> {
    let name = || file.display().to_string();
    let mut keys = Vec::new();
    for (at, line) in BufReader::new(open(file)?.take(IDENTITIES_BYTES_MAX)).lines().enumerate() {
        let mut line = line.map_err(|error| unreadable(file, error))?;
        let text = line.trim();
        if !text.is_empty() && !text.starts_with('#') {
            let key = text.parse().map_err(|_| EncryptedFileError::Identity { file: name(), line: at + 1 });
            keys.push(key?);
        }
        line.zeroize();
    }
    if keys.is_empty() { Err(EncryptedFileError::NoIdentity(name())) } else { Ok(keys) }
}
