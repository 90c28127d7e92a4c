//! How a connection is made, what is set on it, and what to do when there is none.

use std::fmt;
use std::time::Duration;

use denizen_domain::store::StoreError;
use secrecy::{ExposeSecret, SecretString};
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Executor, PgConnection};
use tokio::time::timeout;

use crate::error::{PostgresError, broken, is_unavailable};
use crate::{PoolerMode, PostgresOptions};

/// What to set behind a pooler in transaction mode.
pub(crate) const TRANSACTION_MODE: &str = "database.pooler_mode = \"transaction\"";
/// What to set behind a pooler in transaction mode that does not track prepared statements.
pub(crate) const UNNAMED_STATEMENTS: &str = "database.prepared_statements = false unless it tracks prepared statements (max_prepared_statements of PgBouncer 1.21)";

/// How long a transaction may sit idle, in seconds: longer than the pauses between its statements, shorter
/// than anybody can wait for its locks.
const IDLE_IN_TRANSACTION_TIMEOUT_S: u32 = 30;

impl PostgresOptions {
    /// Whether the URLs can be understood. Connects nothing.
    ///
    /// # Errors
    /// When one cannot.
    pub fn check(&self) -> Result<(), StoreError> {
        self.connect()?;
        self.connect_directly().map(drop)
    }

    /// Host, port, database and user, for messages. Never the password.
    #[must_use]
    pub fn target(&self) -> String {
        self.connect().map_or_else(|_| "PostgreSQL".to_owned(), |options| target(&options))
    }

    /// How every connection is made. Nothing is sent at the start that a connection pooler such as PgBouncer refuses.
    pub(crate) fn connect(&self) -> Result<PgConnectOptions, StoreError> {
        parse(&self.url)
    }

    /// How a connection is made that has a session of the server for itself: to `listen_url`, or to `url` unless a pooler in
    /// transaction mode is in front of it. `None` if there is no such connection.
    pub(crate) fn connect_directly(&self) -> Result<Option<PgConnectOptions>, StoreError> {
        match (&self.listen_url, self.pooler_mode) {
            (Some(url), _) => parse(url).map(Some),
            (None, PoolerMode::Session) => parse(&self.url).map(Some),
            (None, PoolerMode::Transaction) => Ok(None),
        }
    }

    /// What is set on every connection of the pool, in one round trip after it is made: as startup parameters, a
    /// connection pooler would refuse them. Nothing if sessions are shared: then every transaction
    /// [sets it](Self::local_settings).
    pub(crate) fn settings(&self) -> Option<String> {
        if self.pooler_mode == PoolerMode::Transaction {
            return None;
        }
        // The isolation: a statement that stands alone must not fail because it waited for another.
        // Read-only: each connection reads a default of the database once, and would keep it after it was reset.
        // The scans: every query has its index, and statistics that lag must not make the planner read a whole table.
        // JIT: a scan that cannot be avoided counts as so costly that a query of one row would be compiled.
        Some(format!(
            "SET statement_timeout = '{}s'; \
             SET idle_in_transaction_session_timeout = '{IDLE_IN_TRANSACTION_TIMEOUT_S}s'; \
             SET default_transaction_isolation = 'read committed'; \
             SET default_transaction_read_only = off; \
             SET enable_seqscan = off; \
             SET jit = off",
            self.statement_timeout_s
        ))
    }

    /// What every transaction sets for itself, in the round trip of its `BEGIN`, if a pooler shares the sessions of the
    /// server. Isolation and access mode are part of each `BEGIN`.
    pub(crate) fn local_settings(&self) -> Option<String> {
        (self.pooler_mode == PoolerMode::Transaction).then(|| {
            format!(
                "SET LOCAL statement_timeout = '{}s'; \
                 SET LOCAL idle_in_transaction_session_timeout = '{IDLE_IN_TRANSACTION_TIMEOUT_S}s'; \
                 SET LOCAL enable_seqscan = off; \
                 SET LOCAL jit = off",
                self.statement_timeout_s
            )
        })
    }

    /// A connection of its own, outside the pool.
    ///
    /// # Errors
    /// Names the server, the database and what to do.
    pub(crate) async fn connect_once(&self) -> Result<PgConnection, StoreError> {
        self.connect_with(&self.connect()?).await
    }

    /// The same with other options.
    pub(crate) async fn connect_with(&self, options: &PgConnectOptions) -> Result<PgConnection, StoreError> {
        let within = Duration::from_secs(self.acquire_timeout_s.into());
        let connected = timeout(within, options.connect()).await;
        connected.unwrap_or_else(|_| Err(silent())).map_err(|error| explain(error, options))
    }

    /// Says of an error at which server and database it occurred, and what to do.
    pub(crate) fn explain(&self, error: sqlx::Error) -> StoreError {
        let Ok(options) = self.connect() else { return broken(error) };
        explain(error, &options)
    }
}

/// The parser's own error may quote the URL, and with it the password.
fn parse(url: &SecretString) -> Result<PgConnectOptions, StoreError> {
    let options: PgConnectOptions = url.expose_secret().parse().map_err(|_| broken("the database URL is malformed"))?;
    Ok(options.application_name("denizen").extra_float_digits(None))
}

/// Says of an error at which server and database it occurred, and what to do.
pub(crate) fn explain(error: sqlx::Error, options: &PgConnectOptions) -> StoreError {
    let is_unavailable = is_unavailable(&error);
    let explained = Box::new(ConnectError { remedy: remedy(&error, options), target: target(options), error });
    if is_unavailable { StoreError::Unavailable(explained) } else { StoreError::Broken(explained) }
}

/// Sets the [settings](PostgresOptions::settings) on a new connection.
pub(crate) async fn set(connection: &mut PgConnection, settings: String, within: Duration) -> sqlx::Result<()> {
    let done = timeout(within, connection.execute(AssertSqlSafe(settings))).await;
    done.unwrap_or_else(|_| Err(silent())).map(drop)
}

pub(crate) fn silent() -> sqlx::Error {
    sqlx::Error::Io(std::io::Error::new(std::io::ErrorKind::TimedOut, "no answer in time"))
}

/// Why the database cannot be used, where it is, and what to do.
#[derive(Debug)]
struct ConnectError {
    target: String,
    error: sqlx::Error,
    remedy: String,
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { target, error, remedy } = self;
        let dot = if remedy.is_empty() { "" } else { ". " };
        match PostgresError::of(error) {
            Some(error) => write!(f, "{target}: {error}{dot}{remedy}"),
            None => write!(f, "{target}: {error}{dot}{remedy}"),
        }
    }
}

impl std::error::Error for ConnectError {}

/// The host without the brackets that an IPv6 address has in a URL.
fn host(options: &PgConnectOptions) -> &str {
    options.get_host().trim_matches(['[', ']'])
}

pub(crate) fn target(options: &PgConnectOptions) -> String {
    let database = options.get_database().unwrap_or(options.get_username());
    let user = options.get_username();
    let (host, port) = (host(options), options.get_port());
    let place = match options.get_socket() {
        Some(socket) => socket.display().to_string(),
        None if host.contains(':') => format!("[{host}]:{port}"),
        None => format!("{host}:{port}"),
    };
    format!("PostgreSQL at {place}, database \"{database}\", user \"{user}\"")
}

fn remedy(error: &sqlx::Error, options: &PgConnectOptions) -> String {
    match error {
        sqlx::Error::Database(error) => {
            remedy_of(error.code().as_deref().unwrap_or_default(), error.message(), options)
        }
        sqlx::Error::Io(error) => match error.kind() {
            std::io::ErrorKind::ConnectionRefused => {
                "Start PostgreSQL, or correct host and port in database.url".to_owned()
            }
            std::io::ErrorKind::TimedOut => {
                "Correct host and port in database.url, and look for a firewall in between".to_owned()
            }
            _ => "Correct the host in database.url".to_owned(),
        },
        sqlx::Error::Tls(error) if error.to_string().contains("does not support TLS") => {
            "Enable TLS on the server (ssl = on), or use sslmode=prefer in database.url in a trusted network".to_owned()
        }
        sqlx::Error::Tls(_) => "Correct sslmode and sslrootcert in database.url".to_owned(),
        sqlx::Error::Protocol(_) => "Check that a PostgreSQL server, 15 or later, listens there".to_owned(),
        _ => String::new(),
    }
}

/// By SQLSTATE (<https://www.postgresql.org/docs/current/errcodes-appendix.html>).
fn remedy_of(code: &str, message: &str, options: &PgConnectOptions) -> String {
    let user = options.get_username();
    let database = options.get_database().unwrap_or(user);
    let (host, port) = (host(options), options.get_port());
    match code {
        "3D000" => {
            format!("Create it: createdb -h {host} -p {port} -U {user} {database}; or correct the name in database.url")
        }
        "28P01" => "Correct user and password in database.url; special characters of a password are percent-encoded, \
                    @ as %40 for example"
            .to_owned(),
        "28000" if message.contains("no encryption") => "The server accepts encrypted connections only: append \
                    sslmode=require to database.url, or sslmode=verify-full and sslrootcert"
            .to_owned(),
        "28000" if message.contains("pg_hba.conf") => {
            format!(
                "Add a line for database \"{database}\", user \"{user}\" and this host to pg_hba.conf of the server"
            )
        }
        "28000" => "Create the role, or let it connect: see pg_hba.conf of the server".to_owned(),
        "42501" => format!(
            "Make the role the owner of the database: ALTER DATABASE \"{database}\" OWNER TO \"{user}\"; and of its \
             schema: ALTER SCHEMA public OWNER TO \"{user}\""
        ),
        "53300" => "Lower database.max_connections, or raise max_connections of the server".to_owned(),
        "57P03" => "The server is starting, stopping or recovering: try again".to_owned(),
        "25006" => "The server is read-only, a standby for example: name the primary in database.url".to_owned(),
        "42P05" | "26000" => format!(
            "A connection pooler shares sessions between clients. In transaction mode (pool_mode = transaction in \
             PgBouncer) set {TRANSACTION_MODE}, and {UNNAMED_STATEMENTS}; or connect without the pooler"
        ),
        _ if message.contains("startup parameter") => {
            "A connection pooler refuses it: remove options from database.url and PGOPTIONS from the environment"
                .to_owned()
        }
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use denizen_testkit::postgres::PostgresDatabase;
    use sqlx::{Row, raw_sql};

    use super::{remedy_of, target};
    use crate::{PostgresOptions, PostgresStore};

    #[tokio::test]
    async fn every_connection_of_the_pool_is_set_up() {
        let database = PostgresDatabase::create().await;
        let options = PostgresOptions { statement_timeout_s: 7, ..PostgresOptions::new(database.url().to_owned()) };
        let store = PostgresStore::open(&options).unwrap();
        let mut lent = [store.lender.lend().await.unwrap(), store.lender.lend().await.unwrap()];
        for connection in &mut lent {
            for (query, value) in [
                ("SHOW statement_timeout", "7s"),
                ("SHOW idle_in_transaction_session_timeout", "30s"),
                ("SHOW default_transaction_isolation", "read committed"),
                ("SHOW default_transaction_read_only", "off"),
                ("SHOW enable_seqscan", "off"),
                ("SHOW jit", "off"),
                ("SHOW application_name", "denizen"),
            ] {
                let shown: String = raw_sql(query).fetch_one(&mut *connection).await.unwrap().get(0);
                assert_eq!(shown, value, "{query}");
            }
        }
    }

    #[test]
    fn a_target_names_everything_but_the_password() {
        let target = |url: &str| target(&PostgresOptions::new(url.to_owned()).connect().unwrap());
        assert_eq!(
            target("postgres://app:hunter2@db.example.com:5433/accounts"),
            "PostgreSQL at db.example.com:5433, database \"accounts\", user \"app\""
        );
        assert_eq!(target("postgres://app@[::1]/x"), "PostgreSQL at [::1]:5432, database \"x\", user \"app\"");
        assert_eq!(
            target("postgres://app@localhost/x?host=/run/postgresql"),
            "PostgreSQL at /run/postgresql, database \"x\", user \"app\""
        );
    }

    #[test]
    fn common_failures_have_a_remedy() {
        let options = PostgresOptions::new("postgres://app@db/accounts".to_owned()).connect().unwrap();
        let remedy = |code| remedy_of(code, "", &options);
        assert!(remedy("3D000").contains("createdb -h db -p 5432 -U app accounts"));
        for code in ["28P01", "28000", "42501", "53300", "57P03", "25006", "42P05"] {
            assert!(!remedy(code).is_empty(), "{code}");
        }
        let refused = |message| remedy_of("28000", message, &options);
        assert!(
            refused("no pg_hba.conf entry for host \"::1\", user \"app\", no encryption").contains("sslmode=require")
        );
        assert!(refused("no pg_hba.conf entry for host \"::1\", user \"app\", SSL encryption").contains("Add a line"));
        assert!(refused("role \"app\" does not exist").contains("Create the role"));
        assert!(remedy_of("08P01", "unsupported startup parameter: options", &options).contains("PGOPTIONS"));
    }
}
