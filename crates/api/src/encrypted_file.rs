//! Files encrypted in the age format (<https://age-encryption.org/v1>), written and read as streams: `age` and `rage`
//! decrypt them too.

use std::fmt;
use std::io::{self, BufRead, ErrorKind, Read, Write};
use std::iter;

use age::stream::{StreamReader, StreamWriter};
use age::{DecryptError, Decryptor, Encryptor, Identity, Recipient, scrypt, x25519};
use secrecy::{ExposeSecret, SecretString};

mod args;
#[cfg(test)]
mod tests;

pub(crate) use args::{DecryptionArgs, EncryptionArgs};

/// How every encrypted file begins.
pub(crate) const MAGIC: &[u8] = b"age-encryption.org/v1";
/// The first line of every encrypted file.
const FIRST_LINE: &[u8] = b"age-encryption.org/v1\n";
/// The work factor of new files: scrypt with N = 2^18, 256 MiB, about one second.
const WORK_FACTOR: u8 = 18;
/// The highest accepted work factor: 1 GiB, about four seconds. A file contains the factor that it requires.
const WORK_FACTOR_MAX: u8 = 20;

/// Who can decrypt a new file.
pub(crate) enum Recipients {
    /// The owners of these X25519 keys; at least one.
    Keys(Vec<x25519::Recipient>),
    /// Everyone who knows the passphrase.
    Passphrase(SecretString),
}

impl Recipients {
    /// Reads public keys; at least one must be given.
    pub(crate) fn parse(keys: &[String]) -> Result<Self, EncryptedFileError> {
        let parse = |key: &String| key.parse().map_err(|_| EncryptedFileError::Recipient(key.to_owned()));
        keys.iter().map(parse).collect::<Result<_, _>>().map(Self::Keys)
    }
}

/// What decrypts a file.
pub(crate) enum Identities {
    /// X25519 keys; one of them is enough.
    Keys(Vec<x25519::Identity>),
    /// A passphrase.
    Passphrase(SecretString),
}

/// Why a file cannot be encrypted or decrypted, in one sentence.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EncryptedFileError {
    /// Not a key of the X25519 type.
    #[error("{0} is not an age public key: it begins with age1 and is printed by age-keygen -y")]
    Recipient(String),
    /// An identity file without a key.
    #[error("{0} contains no age secret key (AGE-SECRET-KEY-1…)")]
    NoIdentity(String),
    /// An identity file with a line that is not a key.
    #[error("line {line} of {file} is not an age secret key (AGE-SECRET-KEY-1…)")]
    Identity {
        /// The file.
        file: String,
        /// Its line, from 1.
        line: usize,
    },
    /// A file or a prompt without a passphrase.
    #[error("the passphrase is empty")]
    EmptyPassphrase,
    /// Two different passphrases were entered.
    #[error("the passphrases are different; nothing was written")]
    DifferentPassphrases,
    /// A passphrase file that is too long.
    #[error("{0} is too long to be a passphrase (more than 4096 bytes)")]
    LongPassphrase(String),
    /// A passphrase is needed, and there is no terminal to ask for one.
    #[error("the file is encrypted with a passphrase; use --passphrase-file")]
    PassphraseRequired,
    /// A key is needed.
    #[error("the file is encrypted to a key; use --identity-file")]
    IdentityRequired,
    /// No key opens the file.
    #[error("none of the keys decrypts the file; it is encrypted to another key")]
    WrongIdentity,
    /// The passphrase does not open the file.
    #[error("the passphrase is wrong")]
    WrongPassphrase,
    /// The file requires a work factor above the maximum.
    #[error("the file requires a scrypt work factor of {0}; at most {WORK_FACTOR_MAX} is accepted")]
    ExcessiveWork(u8),
    /// The file was changed or truncated.
    #[error("the encrypted file is damaged or incomplete")]
    Damaged,
    /// The file is of another kind or version.
    #[error("the file is not encrypted in the age format, version 1")]
    UnknownFormat,
    /// A file could not be read or written.
    #[error("{0}")]
    File(String, #[source] io::Error),
    /// The stream could not be read or written.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Whether a file that begins with these bytes is encrypted. Needs as many bytes as [`MAGIC`] has.
pub(crate) fn is_encrypted(head: &[u8]) -> bool {
    head.starts_with(MAGIC)
}

/// Encrypts what is written to it. Without [`EncryptingWriter::finish`], the file is incomplete and does not decrypt.
pub(crate) struct EncryptingWriter<W: Write>(StreamWriter<W>);

impl<W: Write> EncryptingWriter<W> {
    /// Writes the header of the file.
    pub(crate) fn new(writer: W, recipients: &Recipients) -> Result<Self, EncryptedFileError> {
        let encryptor = match recipients {
            Recipients::Keys(keys) => Encryptor::with_recipients(keys.iter().map(|key| key as &dyn Recipient)),
            Recipients::Passphrase(passphrase) => {
                let mut recipient = scrypt::Recipient::new(passphrase.expose_secret().into());
                recipient.set_work_factor(WORK_FACTOR);
                Encryptor::with_recipients(iter::once(&recipient as &dyn Recipient))
            }
        };
        let encryptor = encryptor.map_err(|error| EncryptedFileError::Io(io::Error::other(error)))?;
        Ok(Self(encryptor.wrap_output(writer)?))
    }

    /// Writes the last part, and returns the writer.
    pub(crate) fn finish(self) -> io::Result<W> {
        self.0.finish()
    }
}

impl<W: Write> Write for EncryptingWriter<W> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.0.write(buffer)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// An encrypted file whose header has been read: it determines which kind of secret decrypts the file.
pub(crate) struct EncryptedFile<R>(Decryptor<R>);

impl<R: BufRead> EncryptedFile<R> {
    /// Reads the header.
    pub(crate) fn open(mut reader: R) -> Result<Self, EncryptedFileError> {
        // The library does not tell apart reliably a damaged header and a header of another format.
        let head = reader.fill_buf()?;
        let is_other_format = !head.starts_with(FIRST_LINE) && !FIRST_LINE.starts_with(head);
        Decryptor::new_buffered(reader).map(Self).map_err(|error| match error {
            DecryptError::UnknownFormat | DecryptError::InvalidHeader if is_other_format => {
                EncryptedFileError::UnknownFormat
            }
            error => decrypt_error(error, false),
        })
    }

    /// Whether a passphrase opens it.
    pub(crate) fn needs_passphrase(&self) -> bool {
        self.0.is_scrypt()
    }

    /// The decrypted contents. Reading fails with [`EncryptedFileError::Damaged`] if the file was changed or truncated.
    pub(crate) fn decrypt(self, identities: &Identities) -> Result<DecryptingReader<R>, EncryptedFileError> {
        let by_passphrase = self.needs_passphrase();
        let opened = match identities {
            Identities::Keys(_) if by_passphrase => return Err(EncryptedFileError::PassphraseRequired),
            Identities::Passphrase(_) if !by_passphrase => return Err(EncryptedFileError::IdentityRequired),
            Identities::Keys(keys) => self.0.decrypt(keys.iter().map(|key| key as &dyn Identity)),
            Identities::Passphrase(passphrase) => {
                let mut identity = scrypt::Identity::new(passphrase.expose_secret().into());
                identity.set_max_work_factor(WORK_FACTOR_MAX);
                self.0.decrypt(iter::once(&identity as &dyn Identity))
            }
        };
        opened.map(DecryptingReader).map_err(|error| decrypt_error(error, by_passphrase))
    }
}

/// Decrypts what is read from it.
pub(crate) struct DecryptingReader<R>(StreamReader<R>);

impl<R: Read> Read for DecryptingReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer).map_err(|error| match error.kind() {
            ErrorKind::InvalidData | ErrorKind::InvalidInput | ErrorKind::UnexpectedEof | ErrorKind::Other => {
                io::Error::new(ErrorKind::InvalidData, EncryptedFileError::Damaged)
            }
            _ => error,
        })
    }
}

fn decrypt_error(error: DecryptError, by_passphrase: bool) -> EncryptedFileError {
    match error {
        DecryptError::NoMatchingKeys | DecryptError::KeyDecryptionFailed | DecryptError::DecryptionFailed
            if by_passphrase =>
        {
            EncryptedFileError::WrongPassphrase
        }
        DecryptError::NoMatchingKeys => EncryptedFileError::WrongIdentity,
        DecryptError::ExcessiveWork { required, .. } => EncryptedFileError::ExcessiveWork(required),
        DecryptError::Io(error) if !matches!(error.kind(), ErrorKind::UnexpectedEof | ErrorKind::InvalidData) => {
            EncryptedFileError::Io(error)
        }
        // The library may add further variants.
        _ => EncryptedFileError::Damaged,
    }
}

impl fmt::Debug for Recipients {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Keys(_) => "Keys",
            Self::Passphrase(_) => "Passphrase",
        })
    }
}
