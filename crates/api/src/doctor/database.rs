//! The database: whether it answers, what it is, and whether it fits this release.

use std::path::Path;
use std::sync::Arc;

use denizen_domain::store::{Store, StoreError};
use denizen_infra::clock::SystemClock;
use denizen_infra::inspection::{Inspection, PoolerInspection, PostgresInspection, SqliteInspection};
use denizen_infra::stores::{PoolerMode, Schema};

use super::{Findings, counted};
use crate::app::store_options;
use crate::cli::chain;
use crate::config::Config;

/// The oldest supported PostgreSQL.
const POSTGRES_MIN: i32 = 150_000;
/// A slower round trip is noticed by users: a request makes several, in microseconds.
const LATENCY_US_MAX: i64 = 10_000;
/// How far the clocks may differ before it is reported, in microseconds.
const CLOCK_US_WARNING: i64 = 1_000_000;
/// How far they may differ before tokens and links are affected, in microseconds.
const CLOCK_US_ERROR: i64 = 30_000_000;
/// How many tables a message names.
const TABLES_NAMED: usize = 5;

/// Examines the database. Returns the store if it can be read and its schema is current.
pub(super) async fn check(config: &Config, findings: &mut Findings) -> Option<Arc<dyn Store>> {
    let options = match store_options(config) {
        Ok(options) => options,
        Err(error) => {
            findings.error("database", chain(&error), "Correct database.url");
            return None;
        }
    };
    let schema = match options.schema().await {
        Ok(Schema::Absent) => {
            let remedy = "Correct database.url (a relative path starts at the working directory), or create the \
                          database with `denizen migrate` or by starting the server";
            findings.error("database", format!("{options} does not exist"), remedy);
            return None;
        }
        Ok(schema) => schema,
        Err(error) => {
            unreachable(&options.to_string(), error, findings);
            return None;
        }
    };
    match options.inspect(&SystemClock).await {
        Ok(Inspection::Sqlite { path, found }) => check_sqlite(&path, &found, findings),
        Ok(Inspection::Postgres(found)) => check_postgres(&options.to_string(), config, &found, findings),
        Err(error) => {
            unreachable(&options.to_string(), error, findings);
            return None;
        }
    }
    // Behind a pooler that does not fit the settings, nothing else works.
    if !check_schema(schema, config, findings) || findings.has_problem("database_pooler") {
        return None;
    }
    match options.open() {
        Ok(store) => Some(store),
        Err(error) => {
            unreachable(&options.to_string(), error, findings);
            None
        }
    }
}

fn unreachable(name: &str, error: StoreError, findings: &mut Findings) {
    let line = chain(&error.into());
    // Errors of PostgreSQL name the server and the remedy themselves.
    let line = if line.contains("PostgreSQL at ") { line } else { format!("{name}: {line}") };
    findings.error("database", line, "The server does not start before the database answers");
}

/// Whether the schema is current.
fn check_schema(schema: Schema, config: &Config, findings: &mut Findings) -> bool {
    let by_itself = config.database.migrate_on_start;
    let how = if by_itself { "Start the server, or run `denizen migrate`" } else { "Run `denizen migrate`" };
    match schema {
        Schema::Current => {
            findings.ok("schema", "all migrations are applied");
            true
        }
        Schema::Empty | Schema::Absent => {
            findings.error("schema", "the database has no tables", how);
            false
        }
        Schema::Outdated { pending } => {
            let line = format!("{pending} migrations are pending");
            if by_itself {
                findings.warn("schema", line, "The next start applies them; `denizen migrate plan` lists them");
            } else {
                findings.error("schema", line, "Run `denizen migrate`; `denizen migrate plan` lists them");
            }
            false
        }
    }
}

fn check_sqlite(path: &Path, found: &SqliteInspection, findings: &mut Findings) {
    let SqliteInspection { version, journal_mode, bytes, latency_us } = found;
    let name = format!("SQLite {version}, {}, {} KiB", path.display(), bytes / 1024);
    if journal_mode != "wal" {
        let line = format!("{name}: the journal mode is {journal_mode}");
        findings.warn("database", line, "The next start of the server sets it to wal; end programs that changed it");
        return;
    }
    let (check, line) = ("database", format!("{name}, a read takes {} ms", millis(*latency_us)));
    if *latency_us > LATENCY_US_MAX {
        findings.warn(check, line, "Keep the file on a local disk that is not overloaded");
    } else {
        findings.ok(check, line);
    }
}

fn check_postgres(name: &str, config: &Config, found: &PostgresInspection, findings: &mut Findings) {
    let check = "database";
    let line = format!("{name}, version {}, round trip {} ms", found.version, millis(found.latency_us));
    if found.version_number < POSTGRES_MIN {
        findings.error(check, line, format!("Upgrade the server to PostgreSQL {} or later", POSTGRES_MIN / 10_000));
    } else if found.latency_us > LATENCY_US_MAX {
        findings.warn(check, line, "Run the server close to its database: a request makes several round trips");
    } else {
        findings.ok(check, line);
    }
    check_pooler(config, found.pooler, findings);
    check_permissions(config, found, findings);
    check_connections(config, found, findings);
    check_clock(found.clock_ahead_us, findings);
}

fn check_pooler(config: &Config, found: PoolerInspection, findings: &mut Findings) {
    let (check, database) = ("database_pooler", &config.database);
    let is_transaction_mode = database.pooler_mode == PoolerMode::Transaction;
    if found.listen_shares_sessions == Some(true) {
        let line = "a pooler in transaction mode is in front of database.listen_url: notifications are lost";
        findings.error(check, line, "Name the server itself in database.listen_url, or a pooler in session mode");
    } else if found.shares_sessions && !is_transaction_mode {
        let remedy = "Set database.pooler_mode = \"transaction\"; and database.prepared_statements = false unless the \
                      pooler tracks prepared statements (max_prepared_statements of PgBouncer 1.21)";
        findings.error(check, "a pooler in transaction mode is in front of the server", remedy);
    } else if !found.tracks_statements {
        let remedy = "Set max_prepared_statements in PgBouncer 1.21 or later, or database.prepared_statements = false";
        findings.error(check, "the pooler does not track prepared statements", remedy);
    } else if is_transaction_mode && database.listen_url.is_none() {
        let line = "transaction mode without database.listen_url: changes on other nodes are noticed by polling";
        findings.ok(check, line);
    } else if is_transaction_mode {
        findings.ok(check, "transaction mode; notifications and migrations use database.listen_url");
    } else {
        findings.ok(check, "each connection has a session for itself");
    }
}

fn check_permissions(config: &Config, found: &PostgresInspection, findings: &mut Findings) {
    let check = "database_permissions";
    if found.is_standby {
        findings.error(check, "the server is a standby and refuses writes", "Name the primary in database.url");
    } else if !found.denied_tables.is_empty() {
        let named: Vec<&str> = found.denied_tables.iter().take(TABLES_NAMED).map(String::as_str).collect();
        let more = if found.denied_tables.len() > TABLES_NAMED { ", …" } else { "" };
        let count = counted(found.denied_tables.len(), "table");
        let line = format!("the role may not read and write {count}: {}{more}", named.join(", "));
        let remedy =
            "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO the role, or make it the owner";
        findings.error(check, line, remedy);
    } else if config.database.migrate_on_start && !found.can_create {
        let remedy = "GRANT CREATE ON SCHEMA public TO the role; or set database.migrate_on_start = false and run \
                      `denizen migrate` as the owner of the tables";
        findings.warn(check, "the role may not create tables, so the next upgrade cannot migrate", remedy);
    } else {
        let encrypted = if found.is_encrypted { "encrypted" } else { "not encrypted" };
        findings.ok(check, format!("the role may read and write all tables; the connection is {encrypted}"));
    }
}

fn check_connections(config: &Config, found: &PostgresInspection, findings: &mut Findings) {
    let ours = i64::from(config.database.max_connections);
    if ours >= i64::from(found.connections_max) {
        let line = format!("database.max_connections is {ours}, the server accepts {}", found.connections_max);
        let remedy = "Lower it, or raise max_connections of the server: each node opens up to database.max_connections";
        findings.warn("database_connections", line, remedy);
    }
}

fn check_clock(ahead_us: i64, findings: &mut Findings) {
    let check = "database_clock";
    let direction = if ahead_us < 0 { "behind" } else { "ahead of" };
    let line = format!("the clock of the database is {} ms {direction} this machine's", millis(ahead_us.abs()));
    let remedy = "Synchronize both clocks (NTP); all nodes that share a database need the same time";
    match ahead_us.abs() {
        difference if difference >= CLOCK_US_ERROR => findings.error(check, line, remedy),
        difference if difference >= CLOCK_US_WARNING => findings.warn(check, line, remedy),
        _ => findings.ok(check, line),
    }
}

/// Milliseconds with one decimal.
fn millis(micros: i64) -> String {
    format!("{}.{}", micros / 1_000, micros % 1_000 / 100)
}

#[cfg(test)]
mod tests {
    use super::super::tests::config;
    use super::super::{Findings, Severity};
    use super::{
        check_clock, check_connections, check_permissions, check_pooler, check_postgres, check_sqlite, millis,
    };
    use denizen_infra::inspection::{PoolerInspection, PostgresInspection, SqliteInspection};

    fn server() -> PostgresInspection {
        PostgresInspection {
            version: "17.2".to_owned(),
            version_number: 170_002,
            is_standby: false,
            is_encrypted: true,
            can_create: true,
            denied_tables: Vec::new(),
            connections_max: 100,
            clock_ahead_us: 0,
            latency_us: 400,
            pooler: DIRECT,
        }
    }

    #[track_caller]
    fn expect(run: impl FnOnce(&mut Findings), check: &str, severity: Severity, part: &str) {
        let mut findings = Findings::default();
        run(&mut findings);
        let found = findings.iter().find(|found| found.check == check).unwrap_or_else(|| panic!("no {check}"));
        assert_eq!(found.severity, severity, "{found:?}");
        assert!(found.message.contains(part), "{found:?}");
        assert_eq!(found.remedy.is_some(), severity != Severity::Ok, "{found:?}");
    }

    #[test]
    fn a_difference_of_clocks_is_judged_by_its_size() {
        let judge = |ahead, severity, part: &str| expect(|to| check_clock(ahead, to), "database_clock", severity, part);
        judge(-2_300, Severity::Ok, "2.3 ms behind");
        judge(1_000_000, Severity::Warning, "1000.0 ms ahead");
        judge(-30_000_000, Severity::Error, "behind");
        assert_eq!(millis(99), "0.0");
    }

    const DIRECT: PoolerInspection =
        PoolerInspection { shares_sessions: false, listen_shares_sessions: None, tracks_statements: true };

    #[test]
    fn a_pooler_is_judged_by_the_settings() {
        let check = |settings: &[(&str, &str)], found: PoolerInspection, severity, part: &str| {
            expect(|to| check_pooler(&config(settings), found, to), "database_pooler", severity, part);
        };
        let shared = PoolerInspection { shares_sessions: true, ..DIRECT };
        check(&[], DIRECT, Severity::Ok, "session for itself");
        check(&[], shared, Severity::Error, "transaction mode is in front of the server");
        let url = ("database.url", "postgres://denizen@db/denizen");
        let transaction = [url, ("database.pooler_mode", "transaction")];
        check(&transaction, shared, Severity::Ok, "polling");
        let untracked = PoolerInspection { tracks_statements: false, ..shared };
        check(&transaction, untracked, Severity::Error, "does not track");
        let listening = [transaction[0], transaction[1], ("database.listen_url", url.1)];
        check(
            &listening,
            PoolerInspection { listen_shares_sessions: Some(false), ..shared },
            Severity::Ok,
            "use database.listen_url",
        );
        let lost = PoolerInspection { listen_shares_sessions: Some(true), ..shared };
        check(&listening, lost, Severity::Error, "notifications are lost");
    }

    #[test]
    fn what_a_server_says_is_judged() {
        let check = |found: PostgresInspection, check: &str, severity, part: &str| {
            expect(|to| check_postgres("PostgreSQL at db", &config(&[]), &found, to), check, severity, part);
        };
        check(server(), "database", Severity::Ok, "version 17.2, round trip 0.4 ms");
        check(server(), "database_permissions", Severity::Ok, "encrypted");
        check(PostgresInspection { version_number: 140_009, ..server() }, "database", Severity::Error, "version");
        check(PostgresInspection { latency_us: 20_000, ..server() }, "database", Severity::Warning, "20.0 ms");
        let standby = PostgresInspection { is_standby: true, ..server() };
        check(standby, "database_permissions", Severity::Error, "standby");
        let poor = PostgresInspection { denied_tables: vec!["users".to_owned()], ..server() };
        check(poor, "database_permissions", Severity::Error, "users");
        let fixed = PostgresInspection { can_create: false, ..server() };
        check(fixed.clone(), "database_permissions", Severity::Warning, "may not create tables");
        let unmigrated = config(&[("database.migrate_on_start", "false")]);
        expect(|to| check_permissions(&unmigrated, &fixed, to), "database_permissions", Severity::Ok, "all tables");
        let small = PostgresInspection { connections_max: 20, ..server() };
        expect(|to| check_connections(&config(&[]), &small, to), "database_connections", Severity::Warning, "20");
    }

    #[test]
    fn what_a_file_says_is_judged() {
        let file = SqliteInspection { version: "3.51.3", journal_mode: "wal".to_owned(), bytes: 8_192, latency_us: 50 };
        let path = std::path::Path::new("x.db");
        let check = |found: SqliteInspection, severity, part: &str| {
            expect(|to| check_sqlite(path, &found, to), "database", severity, part);
        };
        check(file.clone(), Severity::Ok, "x.db, 8 KiB, a read takes 0.0 ms");
        check(SqliteInspection { latency_us: 50_000, ..file.clone() }, Severity::Warning, "50.0 ms");
        check(SqliteInspection { journal_mode: "delete".to_owned(), ..file }, Severity::Warning, "delete");
    }
}
