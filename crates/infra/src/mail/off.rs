//! No mail at all.

use async_trait::async_trait;
use denizen_domain::ports::{Letter, MailError, Mailer};
use denizen_domain::users::Locale;

/// Sends nothing: for servers without a mail server. Whoever asks is told that it may go better later.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoMail;

#[async_trait]
impl Mailer for NoMail {
    async fn send(&self, _letter: &Letter<'_>) -> Result<(), MailError> {
        Err(MailError::Temporary("mail is not configured".into()))
    }

    async fn rest(&self) {}

    fn supports(&self, _locale: &Locale) -> bool {
        false
    }
}
