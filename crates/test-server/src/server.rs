//! A running server, its users and its mail.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use denizen::Denizen;
use denizen::accounts::NewAccount;
use denizen::types::{ExposeSecret, SecretString, SessionId, User};
use denizen_domain::Ctx;
use denizen_domain::access::{Actor, Origin};
use denizen_domain::credentials::PasswordAttempt;
use denizen_domain::sessions::{self, DeviceClaim, Outcome};
use denizen_domain::users::TypedEmail;
use denizen_testkit::FakeClock;
use denizen_testkit::postgres::PostgresDatabase;
use tempfile::TempDir;
use tokio::time::{sleep, timeout};
use tokio_util::sync::DropGuard;

use crate::{Mail, TestServerBuilder, mail};

/// The password of the users that [`TestServer::user`] creates.
pub const PASSWORD: &str = "correct horse battery";
/// How long a mail may take.
const MAIL_WITHIN: Duration = Duration::from_secs(10);
/// The interval in which the folder of mail is read.
const MAIL_INTERVAL: Duration = Duration::from_millis(10);

/// A server in the process of the test. Dropped, it stops and removes its database.
pub struct TestServer {
    url: String,
    denizen: Denizen,
    clock: Arc<FakeClock>,
    users: AtomicU32,
    _stop: DropGuard,
    folder: TempDir,
    database: Option<PostgresDatabase>,
}

/// A user with a session.
#[derive(Debug, Clone)]
pub struct SignedInUser {
    /// The user.
    pub user: User,
    /// The email address.
    pub email: String,
    /// The session.
    pub session_id: SessionId,
    /// An access token, which is valid for 15 minutes of the clock unless `sessions.access_ttl_s` is set.
    pub access_token: String,
    /// A refresh token.
    pub refresh_token: String,
}

impl TestServer {
    /// A server on a temporary SQLite file, with the default settings.
    ///
    /// # Panics
    /// If it does not start.
    pub async fn start() -> Self {
        Self::builder().start().await
    }

    /// Settings for a server.
    pub fn builder() -> TestServerBuilder {
        TestServerBuilder::default()
    }

    pub(crate) fn new(
        url: String,
        denizen: Denizen,
        clock: Arc<FakeClock>,
        stop: DropGuard,
        (folder, database): (TempDir, Option<PostgresDatabase>),
    ) -> Self {
        Self { url, denizen, clock, users: AtomicU32::new(1), _stop: stop, folder, database }
    }

    /// The URL of the server, which is also the issuer of its tokens.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The server, for example for its [`accounts`](Denizen::accounts).
    #[must_use]
    pub fn denizen(&self) -> &Denizen {
        &self.denizen
    }

    /// The clock. It starts at the time of the system and stands still until the test moves it.
    #[must_use]
    pub fn clock(&self) -> &FakeClock {
        &self.clock
    }

    /// The URL of the database, for tables of the application.
    #[must_use]
    pub fn database_url(&self) -> String {
        let file = || format!("sqlite://{}", self.folder.path().join("denizen.db").display());
        self.database.as_ref().map_or_else(file, |database| database.url().to_owned())
    }

    /// Creates a user with the role `user` and signs them in.
    ///
    /// # Panics
    /// If the server refuses.
    pub async fn user(&self) -> SignedInUser {
        self.user_with(|new| new).await
    }

    /// The same with a role, a language or attributes: `server.user_with(|new| new.role("admin"))`.
    ///
    /// # Panics
    /// If the server refuses.
    pub async fn user_with(&self, complete: impl FnOnce(NewAccount) -> NewAccount) -> SignedInUser {
        let email = format!("user{}@example.com", self.users.fetch_add(1, Ordering::Relaxed));
        let new = complete(NewAccount::new(email.as_str(), PASSWORD, "Test User"));
        let created = self.denizen.accounts().create_user(new).await;
        created.unwrap_or_else(|error| panic!("creating {email}: {error:?}"));
        self.sign_in(&email, PASSWORD).await
    }

    /// Signs a user in by password.
    ///
    /// # Panics
    /// If the server refuses, or requires a second factor.
    pub async fn sign_in(&self, email: &str, password: &str) -> SignedInUser {
        let ctx = Ctx::new(Arc::clone(&self.denizen.app().services), Actor::Anonymous, Origin::default());
        let address = TypedEmail::parse(email).expect("an email address");
        let attempt = PasswordAttempt::parse(&SecretString::from(password)).expect("a password");
        let outcome = sessions::sign_in(&ctx, &address, attempt, DeviceClaim::default()).await;
        match outcome.unwrap_or_else(|error| panic!("signing in {email}: {error:?}")) {
            Outcome::SignedIn(signed_in) => SignedInUser {
                email: email.to_owned(),
                session_id: signed_in.session_id,
                access_token: expose(&signed_in.access_token),
                refresh_token: expose(&signed_in.refresh_token),
                user: signed_in.user,
            },
            Outcome::Challenged(_) => panic!("signing in {email}: a second factor is required"),
        }
    }

    /// The mails to an address so far, the oldest first.
    #[must_use]
    pub fn mails_to(&self, email: &str) -> Vec<Mail> {
        let mut mails = mail::read(&self.mail_folder());
        mails.retain(|mail| mail.to == email);
        mails
    }

    /// Waits until a mail to an address has a subject that contains this text, and returns it.
    ///
    /// # Panics
    /// If there is none within ten seconds.
    pub async fn mail_to(&self, email: &str, subject: &str) -> Mail {
        let arrived = async {
            loop {
                if let Some(mail) = self.mails_to(email).into_iter().find(|mail| mail.subject.contains(subject)) {
                    return mail;
                }
                sleep(MAIL_INTERVAL).await;
            }
        };
        let mail = timeout(MAIL_WITHIN, arrived).await;
        mail.unwrap_or_else(|_| panic!("no mail to {email} has {subject:?} in its subject"))
    }

    fn mail_folder(&self) -> PathBuf {
        self.folder.path().join("mail")
    }
}

fn expose(secret: &SecretString) -> String {
    secret.expose_secret().to_owned()
}
