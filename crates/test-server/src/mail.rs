//! Captured mail.

use std::fs;
use std::path::{Path, PathBuf};

use mail_parser::MessageParser;

/// A mail of the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// The address of the recipient.
    pub to: String,
    /// The subject.
    pub subject: String,
    /// The text.
    pub text: String,
}

impl Mail {
    /// The first link in the text.
    #[must_use]
    pub fn link(&self) -> Option<&str> {
        self.text.split_whitespace().find(|word| word.starts_with("http://") || word.starts_with("https://"))
    }

    /// The token of the first link: the value of its parameter `token`.
    #[must_use]
    pub fn token(&self) -> Option<&str> {
        let (_, query) = self.link()?.split_once('?')?;
        query.split('&').find_map(|pair| pair.strip_prefix("token="))
    }

    /// The six-digit code.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        let is_code = |word: &&str| word.len() == 6 && word.bytes().all(|byte| byte.is_ascii_digit());
        self.text.split_whitespace().find(is_code)
    }

    fn parse(raw: &[u8]) -> Option<Self> {
        let message = MessageParser::default().parse(raw)?;
        let to = message.to()?.first()?.address()?.to_owned();
        Some(Self { to, subject: message.subject()?.to_owned(), text: message.body_text(0)?.into_owned() })
    }
}

/// The mails in a folder, the oldest first: files are named by identifiers that sort by time.
pub(crate) fn read(folder: &Path) -> Vec<Mail> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let files = entries.filter_map(|entry| entry.ok().map(|entry| entry.path()));
    let mut files: Vec<PathBuf> =
        files.filter(|path| path.extension().is_some_and(|extension| extension == "eml")).collect();
    files.sort();
    files.iter().filter_map(|path| Mail::parse(&fs::read(path).ok()?)).collect()
}
