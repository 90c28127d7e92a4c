//! What a server mails, read from the folder that it writes to.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use denizen_domain::mail::LEASE_S;
use mail_parser::MessageParser;

use crate::harness::{TestApp, eventually};

/// How long a mail may take.
const DELIVERY: Duration = Duration::from_secs(20);

/// A mail.
#[derive(Debug, Clone)]
pub(crate) struct Letter {
    pub(crate) to: String,
    pub(crate) subject: String,
    pub(crate) text: String,
}

impl Letter {
    fn read(raw: &[u8]) -> Self {
        let message = MessageParser::default().parse(raw).expect("a message");
        let to = message.to().and_then(|to| to.first()).and_then(|to| to.address()).unwrap();
        Self {
            to: to.to_owned(),
            subject: message.subject().unwrap().to_owned(),
            text: message.body_text(0).unwrap().into_owned(),
        }
    }

    /// The token of a link in it that leads to this page.
    fn token(&self, page: &str) -> Option<String> {
        let (_, rest) = self.text.split_once(&format!("/account/{page}?token="))?;
        let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || "-_".contains(c))).unwrap_or(rest.len());
        Some(rest[..end].to_owned())
    }

    /// The six digits in it that stand alone.
    fn code(&self) -> Option<String> {
        let is_code = |word: &&str| word.len() == 6 && word.bytes().all(|byte| byte.is_ascii_digit());
        self.text.split_whitespace().find(is_code).map(str::to_owned)
    }
}

impl TestApp {
    /// Where the server's mail is.
    pub(crate) fn mail_folder(&self) -> PathBuf {
        self.world.folder().join("mail")
    }

    /// What was mailed to an address so far, in order.
    pub(crate) fn letters_to(&self, email: &str) -> Vec<Letter> {
        let Ok(files) = fs::read_dir(self.mail_folder()) else { return Vec::new() };
        let files = files.map(|file| file.unwrap().path()).filter(|path| path.extension().is_some_and(|e| e == "eml"));
        // Files are named by ids, which sort as time does.
        let mut files: Vec<PathBuf> = files.collect();
        files.sort();
        let letters = files.iter().map(|path| Letter::read(&fs::read(path).unwrap()));
        letters.filter(|letter| letter.to == email).collect()
    }

    /// The tokens of the links to a page that were mailed to an address; waits until there are so many.
    pub(crate) async fn tokens_to(&self, email: &str, page: &str, count: usize) -> Vec<String> {
        let found = || self.letters_to(email).iter().filter_map(|letter| letter.token(page)).collect::<Vec<_>>();
        eventually(&format!("{count} links to {page} for {email}"), DELIVERY, async || found().len() >= count).await;
        let tokens = found();
        assert_eq!(tokens.len(), count, "links to {page} for {email}");
        tokens
    }

    /// The tokens of the links to a page that were mailed to an address so far, however many.
    pub(crate) fn tokens_so_far(&self, email: &str, page: &str) -> Vec<String> {
        self.letters_to(email).iter().filter_map(|letter| letter.token(page)).collect()
    }

    /// The token of the one link to a page that was mailed to an address.
    pub(crate) async fn token_to(&self, email: &str, page: &str) -> String {
        self.tokens_to(email, page, 1).await.remove(0)
    }

    /// The codes that were mailed to an address; waits until there are so many.
    pub(crate) async fn codes_to(&self, email: &str, count: usize) -> Vec<String> {
        let found = || self.letters_to(email).iter().filter_map(Letter::code).collect::<Vec<_>>();
        eventually(&format!("{count} codes for {email}"), DELIVERY, async || found().len() >= count).await;
        found()
    }

    /// Waits until something was mailed to an address whose subject says this.
    pub(crate) async fn news_to(&self, email: &str, subject: &str) {
        let found = async || self.letters_to(email).iter().any(|letter| letter.subject.contains(subject));
        eventually(&format!("{subject:?} for {email}"), DELIVERY, found).await;
    }

    /// Waits until nothing is left to be sent, nor being sent: what is being sent is due again when its lease ends.
    pub(crate) async fn all_is_sent(&self) {
        let services = &self.services;
        eventually("an empty outbox", DELIVERY, async || {
            let end_of_leases = services.clock.now().plus_seconds(LEASE_S);
            let mut read = services.store.read().await.unwrap();
            !read.is_mail_due(end_of_leases).await.unwrap()
        })
        .await;
    }
}
