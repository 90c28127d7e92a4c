//! Mail into a folder: for development, and for programs that take it from there.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use denizen_domain::ports::{Letter, MailError, Mailer};
use denizen_domain::time::Timestamp;
use denizen_domain::users::{EmailAddress, Locale};

use super::Writer;
use super::message::{compose, test_mail};
use super::words::Written;

/// Whether what mails open is also printed to the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Printing {
    /// Links and codes are printed, for the developer who waits for them.
    Openings,
    /// Nothing is.
    Nothing,
}

/// Writes each mail to a file of its own, `{id}.eml`: ids sort as time does.
pub struct FolderMailer {
    folder: PathBuf,
    writer: Writer,
    printing: Printing,
}

impl FolderMailer {
    /// Makes the folder, readable by its owner only, when it is not there.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn open(folder: PathBuf, writer: Writer, printing: Printing) -> io::Result<Self> {
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(&folder)?;
        Ok(Self { folder, writer, printing })
    }

    /// Writes a test mail now.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub async fn send_test(&self, to: &EmailAddress, now: Timestamp) -> Result<(), MailError> {
        let message = test_mail(&self.writer.sender, to, now)?;
        let target = self.folder.join(format!("test-{}.eml", now.as_micros()));
        let writing = tokio::task::spawn_blocking(move || write(&target, &message.formatted()));
        writing
            .await
            .map_err(|error| MailError::Temporary(error.into()))?
            .map_err(|error| MailError::Temporary(error.into()))
    }

    fn print(&self, written: &Written, path: &Path) {
        let file = path.display();
        if self.printing == Printing::Nothing {
            return;
        }
        if let Some(link) = &written.link {
            tracing::info!(%file, "mail written with a link: {link}");
        } else if let Some(code) = &written.code {
            tracing::info!(%file, "mail written with a code: {code}");
        } else {
            tracing::info!(%file, "mail: {}", written.subject);
        }
    }
}

#[async_trait]
impl Mailer for FolderMailer {
    async fn send(&self, letter: &Letter<'_>) -> Result<(), MailError> {
        let (message, written) = compose(&self.writer, letter)?;
        let path = self.folder.join(format!("{}.eml", letter.mail.id.as_uuid()));
        let target = path.clone();
        let writing = tokio::task::spawn_blocking(move || write(&target, &message.formatted()));
        match writing.await {
            Ok(Ok(())) => {
                self.print(&written, &path);
                Ok(())
            }
            Ok(Err(error)) => Err(MailError::Temporary(error.into())),
            Err(error) => Err(MailError::Temporary(error.into())),
        }
    }

    async fn rest(&self) {}

    fn supports(&self, locale: &Locale) -> bool {
        self.writer.words.supports(locale)
    }
}

/// Writes a file that is there as a whole or not at all. A repetition takes its own place.
fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    let unfinished = path.with_extension("unfinished");
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file: File = options.open(&unfinished)?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(&unfinished, path)
}
