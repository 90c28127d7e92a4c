//! The offline query data in `.sqlx/` of each database crate: what the databases say about every checked query.
//!
//! This is what `cargo sqlx prepare` does, without a tool to install: with a live database and
//! `SQLX_OFFLINE_DIR`, the query macros write what they learn while the crate compiles.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use sqlx::migrate::Migrator;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor, PgConnection};

const POSTGRES_URL_VAR: &str = "DENIZEN_TEST_POSTGRES_URL";

/// File names and their contents.
type QueryData = BTreeMap<String, Vec<u8>>;

/// Writes `.sqlx/` of both database crates anew. Needs the PostgreSQL at `DENIZEN_TEST_POSTGRES_URL`.
pub(crate) fn generate() -> Result<()> {
    for (folder, fresh) in describe_all()? {
        for stale in read(&folder)?.keys().filter(|name| !fresh.contains_key(*name)) {
            fs::remove_file(folder.join(stale))?;
        }
        fs::create_dir_all(&folder)?;
        for (name, content) in fresh {
            fs::write(folder.join(name), content)?;
        }
    }
    Ok(())
}

/// Fails when `.sqlx/` of a database crate is not what [`generate`] would write; changes nothing.
pub(crate) fn check() -> Result<()> {
    let mut differences = Vec::new();
    for (folder, fresh) in describe_all()? {
        let committed = read(&folder)?;
        let names = fresh.keys().chain(committed.keys());
        let differing = names.filter(|name| fresh.get(*name) != committed.get(*name));
        differences.extend(differing.map(|name| folder.join(name).display().to_string()));
    }
    differences.sort();
    differences.dedup();
    ensure!(
        differences.is_empty(),
        "offline query data is out of date, run `cargo xtask generate`:\n{}",
        differences.join("\n")
    );
    Ok(())
}

/// What each crate's `.sqlx/` should hold.
fn describe_all() -> Result<Vec<(PathBuf, QueryData)>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    Ok(vec![describe_sqlite(&runtime)?, describe_postgres(&runtime)?])
}

fn describe_sqlite(runtime: &tokio::runtime::Runtime) -> Result<(PathBuf, QueryData)> {
    let scratch = root().join("target/sqlx-data");
    fs::create_dir_all(&scratch)?;
    let path = scratch.join("scratch.db");
    if path.exists() {
        fs::remove_file(&path)?;
    }
    runtime.block_on(async {
        let options = SqliteConnectOptions::new().filename(&path).create_if_missing(true);
        let mut connection = options.connect().await?;
        migrations("infra-sqlite").await?.run(&mut connection).await?;
        anyhow::Ok(connection.close().await?)
    })?;
    let url = format!("sqlite://{}", path.display());
    describe("infra-sqlite", "SQLITE_DATABASE_URL", &url)
}

fn describe_postgres(runtime: &tokio::runtime::Runtime) -> Result<(PathBuf, QueryData)> {
    let server = std::env::var(POSTGRES_URL_VAR).with_context(|| {
        format!("{POSTGRES_URL_VAR} is not set: `export {POSTGRES_URL_VAR}=$(scripts/postgres start)`")
    })?;
    let (base, _) = server.rsplit_once('/').context("the URL names no database")?;
    let name = format!("denizen_sqlx_data_{}", std::process::id());
    let url = format!("{base}/{name}");
    runtime.block_on(async {
        let mut connection = PgConnection::connect(&server).await?;
        connection.execute(AssertSqlSafe(format!("CREATE DATABASE {name} TEMPLATE template0"))).await?;
        connection.close().await?;
        let mut connection = PgConnection::connect(&url).await?;
        migrations("infra-postgres").await?.run(&mut connection).await?;
        anyhow::Ok(connection.close().await?)
    })?;
    let described = describe("infra-postgres", "POSTGRES_DATABASE_URL", &url);
    runtime.block_on(async {
        let mut connection = PgConnection::connect(&server).await?;
        connection.execute(AssertSqlSafe(format!("DROP DATABASE {name} WITH (FORCE)"))).await?;
        anyhow::Ok(connection.close().await?)
    })?;
    described
}

/// Compiles one crate against a live database and gathers what its queries turned out to be.
fn describe(folder: &str, url_var: &str, url: &str) -> Result<(PathBuf, QueryData)> {
    let home = root().join("crates").join(folder);
    let output = root().join("target/sqlx-data").join(folder);
    if output.exists() {
        fs::remove_dir_all(&output)?;
    }
    fs::create_dir_all(&output)?;

    // Cargo does not know that the macros read the environment: only a newer file makes it compile again.
    // Afterwards the file is as old as before, so that nothing else is compiled for it.
    let entry = File::options().append(true).open(home.join("src/lib.rs"))?;
    let modified = entry.metadata()?.modified()?;
    #[expect(clippy::disallowed_methods, reason = "a file's modification time is compared with the real clock")]
    entry.set_modified(std::time::SystemTime::now())?;
    let status = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["check", "--quiet", "--lib", "--package", &format!("denizen-{folder}")])
        .current_dir(root())
        .env("SQLX_OFFLINE", "false")
        .env("SQLX_OFFLINE_DIR", &output)
        .env(url_var, url)
        .status();
    entry.set_modified(modified)?;
    if !status.context("running cargo")?.success() {
        bail!("crates/{folder} does not compile against its database");
    }
    Ok((home.join(".sqlx"), read(&output)?))
}

async fn migrations(folder: &str) -> Result<Migrator> {
    Ok(Migrator::new(root().join("crates").join(folder).join("migrations")).await?)
}

fn read(folder: &Path) -> Result<QueryData> {
    if !folder.exists() {
        return Ok(QueryData::new());
    }
    let mut data = QueryData::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with("query-") {
            data.insert(name.into_owned(), fs::read(&path)?);
        }
    }
    Ok(data)
}

fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_owned()
}
