//! What the server says about itself, for diagnosis.

use std::time::Duration;

use denizen_domain::ports::Clock;
use denizen_domain::store::StoreError;
use denizen_domain::time::Timestamp;
use sqlx::{Connection, PgConnection, query, query_scalar};
use tokio::time::sleep;

use crate::PostgresOptions;
use crate::pooler::{PoolerInspection, observe};

/// How often the round trip is measured; the shortest one counts.
const ROUNDS: u32 = 5;

/// How often, and at what interval, other connections are counted: that of a process that has just ended is still there
/// for a moment.
const CLOSING_CHECKS: u32 = 20;
const CLOSING_PAUSE: Duration = Duration::from_millis(100);

/// What a server says about itself and about the rights of the role.
#[derive(Debug, Clone)]
pub struct Inspection {
    /// Its version, as text.
    pub version: String,
    /// Its version as a number: 150004 for 15.4.
    pub version_number: i32,
    /// Whether it is a standby, which refuses writes.
    pub is_standby: bool,
    /// Whether the connection is encrypted.
    pub is_encrypted: bool,
    /// Whether the role may create tables, which migrations do.
    pub can_create: bool,
    /// The tables of the schema that the role may not read or write.
    pub denied_tables: Vec<String>,
    /// How many connections the server accepts.
    pub connections_max: i32,
    /// How far its clock is ahead of ours, in microseconds.
    pub clock_ahead_us: i64,
    /// The duration of a round trip, in microseconds.
    pub latency_us: i64,
    /// What is in front of it.
    pub pooler: PoolerInspection,
}

/// Asks a server about itself. Changes nothing.
///
/// # Errors
/// When it does not answer.
pub async fn inspect(options: &PostgresOptions, clock: &dyn Clock) -> Result<Inspection, StoreError> {
    // First: behind a pooler that shares sessions without our knowledge, everything else may fail.
    let pooler = observe(options).await?;
    let prepared_statements = options.prepared_statements && pooler.tracks_statements;
    let options = &PostgresOptions { prepared_statements, ..options.clone() };
    let mut connection = options.connect_once().await?;
    let asked = async {
        let mut transaction = options.pin(&mut connection).await?;
        let found = ask(&mut transaction, pooler, clock).await?;
        options.release(transaction).await.map(|()| found)
    };
    let found = asked.await.map_err(|error| options.explain(error))?;
    // An error while closing the connection is ignored.
    let _ = connection.close().await;
    Ok(found)
}

async fn ask(connection: &mut PgConnection, pooler: PoolerInspection, clock: &dyn Clock) -> sqlx::Result<Inspection> {
    let mut latency_us = i64::MAX;
    for _ in 0..ROUNDS {
        let begun = clock.now();
        connection.ping().await?;
        latency_us = latency_us.min(clock.now().as_micros() - begun.as_micros());
    }
    let begun = clock.now();
    let time = query_scalar!(r#"SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS "now!""#);
    let theirs = time.fetch_one(&mut *connection).await?;
    let ours = midpoint(begun, clock.now());
    let server = query!(
        r#"SELECT current_setting('server_version') AS "version!",
            current_setting('server_version_num')::integer AS "version_number!",
            pg_is_in_recovery() AS "is_standby!",
            coalesce((SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()), false) AS "is_encrypted!",
            coalesce(has_schema_privilege(current_schema(), 'CREATE'), false) AS "can_create!",
            current_setting('max_connections')::integer AS "connections_max!""#
    );
    let server = server.fetch_one(&mut *connection).await?;
    let denied = query_scalar!(
        r#"SELECT relname::text AS "name!" FROM pg_class
        WHERE relnamespace = to_regnamespace(current_schema()::text) AND relkind IN ('r', 'p')
            AND relname <> '_sqlx_migrations'
            AND NOT (has_table_privilege(oid, 'SELECT') AND has_table_privilege(oid, 'INSERT')
                AND has_table_privilege(oid, 'UPDATE') AND has_table_privilege(oid, 'DELETE'))
        ORDER BY relname"#
    );
    Ok(Inspection {
        version: server.version,
        version_number: server.version_number,
        is_standby: server.is_standby,
        is_encrypted: server.is_encrypted,
        can_create: server.can_create,
        denied_tables: denied.fetch_all(&mut *connection).await?,
        connections_max: server.connections_max,
        clock_ahead_us: theirs - ours,
        latency_us,
        pooler,
    })
}

/// When the server answered, by our clock: halfway between question and answer.
fn midpoint(begun: Timestamp, ended: Timestamp) -> i64 {
    i64::midpoint(begun.as_micros(), ended.as_micros())
}

/// How many other connections of Denizen the database has, as far as the role may see them.
///
/// # Errors
/// When the server does not answer.
pub async fn other_connections(options: &PostgresOptions) -> Result<u64, StoreError> {
    let mut connection = options.connect_once().await?;
    let mut attempts = 0;
    let count = loop {
        let count = query_scalar!(
            r#"SELECT count(*) AS "count!" FROM pg_stat_activity
        WHERE datname = current_database() AND application_name LIKE 'denizen%' AND pid <> pg_backend_pid()"#
        );
        let count = count.fetch_one(&mut connection).await.map_err(|error| options.explain(error))?;
        attempts += 1;
        if count == 0 || attempts == CLOSING_CHECKS {
            break count;
        }
        sleep(CLOSING_PAUSE).await;
    };
    // An error while closing the connection is ignored.
    let _ = connection.close().await;
    Ok(count.unsigned_abs())
}

#[cfg(test)]
mod tests {
    use denizen_domain::time::Timestamp;
    use denizen_testkit::FakeClock;
    use denizen_testkit::postgres::PostgresDatabase;
    use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};

    use super::inspect;
    use crate::{PostgresOptions, migrate};

    #[tokio::test]
    async fn a_server_says_what_it_is_and_what_the_role_may_do() {
        let database = PostgresDatabase::create().await;
        let options = PostgresOptions::new(database.url().to_owned());
        migrate(&options).await.unwrap();
        let clock = FakeClock::at(Timestamp::from_micros(0));
        let found = inspect(&options, &clock).await.unwrap();
        assert!(
            found.version_number >= 150_000 && found.version.starts_with(|c: char| c.is_ascii_digit()),
            "{found:?}"
        );
        assert!(found.can_create && !found.is_standby && found.denied_tables.is_empty(), "{found:?}");
        assert!(found.clock_ahead_us > 0, "the clock of the test stands far behind: {found:?}");

        let role = format!("inspected_{}", std::process::id());
        let mut owner = PgConnection::connect(database.url()).await.unwrap();
        owner.execute(AssertSqlSafe(format!("CREATE ROLE {role} LOGIN"))).await.unwrap();
        let url = database.url().replacen("denizen@", &format!("{role}@"), 1);
        let found = inspect(&PostgresOptions::new(url), &clock).await;
        owner.execute(AssertSqlSafe(format!("DROP ROLE {role}"))).await.unwrap();
        let found = found.unwrap();
        assert!(!found.can_create && found.denied_tables.contains(&"users".to_owned()), "{found:?}");
    }
}
