use std::io::{Read, Write};

use age::{Encryptor, Recipient, scrypt, x25519};
use secrecy::SecretString;

use super::{EncryptedFile, EncryptedFileError, EncryptingWriter, Identities, Recipients, is_encrypted};

/// More than one chunk of the format, which has 64 KiB.
fn text() -> Vec<u8> {
    (0..200_000_u32).map(|at| (at % 251).to_le_bytes()[0]).collect()
}

fn encrypt(recipients: &Recipients) -> Vec<u8> {
    let mut writer = EncryptingWriter::new(Vec::new(), recipients).unwrap();
    text().chunks(777).for_each(|part| writer.write_all(part).unwrap());
    writer.finish().unwrap()
}

fn decrypt(file: &[u8], identities: &Identities) -> Result<Vec<u8>, String> {
    let file = EncryptedFile::open(file).map_err(|error| error.to_string())?;
    let mut reader = file.decrypt(identities).map_err(|error| error.to_string())?;
    let mut text = Vec::new();
    reader.read_to_end(&mut text).map(|_| text).map_err(|error| error.to_string())
}

fn passphrase(text: &str) -> SecretString {
    SecretString::from(text)
}

#[test]
fn each_recipient_decrypts_the_file_and_no_other_key_does() {
    let keys: Vec<_> = (0..3).map(|_| x25519::Identity::generate()).collect();
    let file = encrypt(&Recipients::Keys(keys[..2].iter().map(x25519::Identity::to_public).collect()));
    assert!(is_encrypted(&file) && !is_encrypted(b"{}"));
    for key in &keys[..2] {
        assert_eq!(decrypt(&file, &Identities::Keys(vec![keys[2].clone(), key.clone()])), Ok(text()));
    }
    let refused = EncryptedFileError::WrongIdentity.to_string();
    assert_eq!(decrypt(&file, &Identities::Keys(vec![keys[2].clone()])), Err(refused));
    let refused = EncryptedFileError::IdentityRequired.to_string();
    assert_eq!(decrypt(&file, &Identities::Passphrase(passphrase("a"))), Err(refused));
}

#[test]
fn a_damaged_or_truncated_file_is_refused() {
    let key = x25519::Identity::generate();
    let file = encrypt(&Recipients::Keys(vec![key.to_public()]));
    let damaged = EncryptedFileError::Damaged.to_string();
    let identities = Identities::Keys(vec![key]);
    for cut in [0, 10, 30, 150, 200, 70_000, file.len() - 65_552, file.len() - 1] {
        assert_eq!(decrypt(&file[..cut], &identities), Err(damaged.clone()), "{cut}");
    }
    let altered = |at: usize| {
        let mut altered = file.clone();
        altered[at] ^= 1;
        decrypt(&altered, &identities)
    };
    // The header ends with a line of dashes and a MAC. Its length varies: it contains a part of random length that
    // readers ignore.
    let last_line = file.windows(5).position(|part| part == b"\n--- ").unwrap() + 1;
    let header_end = last_line + file[last_line..].iter().position(|&byte| byte == b'\n').unwrap() + 1;
    let other_key = EncryptedFileError::WrongIdentity.to_string();
    for at in super::MAGIC.len() + 1..header_end {
        let refused = altered(at).unwrap_err();
        assert!(refused == damaged || refused == other_key, "{at}: {refused}");
    }
    for at in [header_end, header_end + 16, 70_000, file.len() - 1] {
        assert_eq!(altered(at), Err(damaged.clone()), "{at}");
    }
}

#[test]
fn a_file_of_another_format_is_named_as_such() {
    let key = x25519::Identity::generate();
    let file = encrypt(&Recipients::Keys(vec![key.to_public()]));
    let identities = Identities::Keys(vec![key]);
    let refused = EncryptedFileError::UnknownFormat.to_string();
    let version_2 = [b"age-encryption.org/v2", &file[super::MAGIC.len()..]].concat();
    assert_eq!(decrypt(&version_2, &identities), Err(refused.clone()));
    assert_eq!(decrypt(&vec![b'x'; 1000], &identities), Err(refused));
}

#[test]
fn a_passphrase_decrypts_and_a_wrong_one_does_not() {
    let file = encrypt(&Recipients::Passphrase(passphrase("correct horse")));
    assert_eq!(decrypt(&file, &Identities::Passphrase(passphrase("correct horse"))), Ok(text()));
    let refused = EncryptedFileError::WrongPassphrase.to_string();
    assert_eq!(decrypt(&file, &Identities::Passphrase(passphrase("correct"))), Err(refused));
    let refused = EncryptedFileError::PassphraseRequired.to_string();
    assert_eq!(decrypt(&file, &Identities::Keys(vec![x25519::Identity::generate()])), Err(refused));
}

#[test]
fn a_work_factor_above_the_maximum_is_refused() {
    let mut recipient = scrypt::Recipient::new("a".into());
    recipient.set_work_factor(1);
    let encryptor = Encryptor::with_recipients(std::iter::once(&recipient as &dyn Recipient)).unwrap();
    let file = encryptor.wrap_output(Vec::new()).unwrap().finish().unwrap();
    // The header contains the factor as text, after the salt.
    let line = file.iter().position(|&byte| byte == b'\n').unwrap() + 1;
    let end = line + file[line..].iter().position(|&byte| byte == b'\n').unwrap();
    let altered = [&file[..end - 1], b"40", &file[end..]].concat();
    let refused = EncryptedFileError::ExcessiveWork(40).to_string();
    assert_eq!(decrypt(&altered, &Identities::Passphrase(passphrase("a"))), Err(refused));
}
