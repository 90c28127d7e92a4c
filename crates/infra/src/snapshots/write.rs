//! Writes a snapshot.

use std::io::Write;

use aws_lc_rs::digest::{Context, SHA256};
use denizen_domain::rows::{Content, Row, RowReader, Table};
use denizen_domain::store::StoreError;
use serde::Serialize;
use tokio::task::spawn_blocking;

use super::line::{EndLine, RowLine, TableLine};
use super::{Contents, FORMAT, Header, OnProgress, ROWS_AT_ONCE, SnapshotError};
use denizen_domain::events::chain::hexadecimal;

/// The level of zstd: its default, which compresses faster than rows are read.
const LEVEL: i32 = 3;

/// Writes all tables but the transient ones. While rows are compressed on a blocking thread, the next ones are read.
///
/// # Errors
/// When the database or the stream fails.
pub async fn write<W: Write + Send + 'static>(
    source: &mut dyn RowReader,
    header: Header,
    sink: W,
    on_progress: OnProgress<'_>,
) -> Result<(W, Contents), SnapshotError> {
    let mut stream = blocking(move || {
        let mut stream = Stream::new(sink)?;
        stream.line(&header)?;
        Ok(stream)
    })
    .await?;
    let tables: Vec<_> = source.tables().iter().filter(|table| table.content != Content::Transient).cloned().collect();
    let mut contents = Contents::default();
    let mut done = 0;
    for table in tables {
        let line = TableLine::of(&table);
        stream = blocking(move || stream.line(&line).map(|()| stream)).await?;
        let mut count = 0;
        let mut rows = source.rows_after(&table, None, ROWS_AT_ONCE).await?;
        while !rows.is_empty() {
            let last = rows.last().map(|row| table.key(row).to_vec());
            let is_full = rows.len() == ROWS_AT_ONCE as usize;
            count += rows.len() as u64;
            done += rows.len() as u64;
            let writing = spawn_blocking(move || stream.rows(&rows).map(|()| stream));
            let next = next_rows(source, &table, last.filter(|_| is_full)).await;
            stream = writing.await.map_err(std::io::Error::other)??;
            rows = next?;
            on_progress(done);
        }
        contents.tables.push((table.name, count));
    }
    let rows = contents.rows();
    let sink = blocking(move || stream.finish(rows)).await?;
    Ok((sink, contents))
}

/// Runs work that may wait for a slow sink.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, SnapshotError> + Send + 'static,
) -> Result<T, SnapshotError> {
    spawn_blocking(work).await.map_err(std::io::Error::other)?
}

async fn next_rows(source: &mut dyn RowReader, table: &Table, last: Option<Row>) -> Result<Vec<Row>, StoreError> {
    match last {
        Some(last) => source.rows_after(table, Some(&last), ROWS_AT_ONCE).await,
        None => Ok(Vec::new()),
    }
}

impl Header {
    /// The header of a new snapshot.
    #[must_use]
    pub fn new(source: &dyn RowReader, created_at: String, release: &str, database: &str) -> Self {
        Self {
            denizen_snapshot: FORMAT,
            created_at,
            release: release.to_owned(),
            schema_version: source.schema_version(),
            database: database.to_owned(),
        }
    }
}

struct Stream<W: Write> {
    encoder: zstd::Encoder<'static, W>,
    digest: Context,
    buffer: Vec<u8>,
}

impl<W: Write> Stream<W> {
    fn new(sink: W) -> Result<Self, SnapshotError> {
        let mut encoder = zstd::Encoder::new(sink, LEVEL)?;
        encoder.include_checksum(true)?;
        Ok(Self { encoder, digest: Context::new(&SHA256), buffer: Vec::new() })
    }

    fn line(&mut self, line: &impl Serialize) -> Result<(), SnapshotError> {
        self.put(line)?;
        self.flush()
    }

    fn rows(&mut self, rows: &[Row]) -> Result<(), SnapshotError> {
        rows.iter().try_for_each(|row| self.put(&RowLine(row)))?;
        self.flush()
    }

    fn put(&mut self, line: &impl Serialize) -> Result<(), SnapshotError> {
        serde_json::to_writer(&mut self.buffer, line).map_err(std::io::Error::from)?;
        self.buffer.push(b'\n');
        Ok(())
    }

    fn flush(&mut self) -> Result<(), SnapshotError> {
        self.digest.update(&self.buffer);
        self.encoder.write_all(&self.buffer)?;
        self.buffer.clear();
        Ok(())
    }

    fn finish(mut self, rows: u64) -> Result<W, SnapshotError> {
        let sha256 = hexadecimal(self.digest.finish().as_ref());
        let mut end = serde_json::to_vec(&EndLine { rows, sha256 }).map_err(std::io::Error::from)?;
        end.push(b'\n');
        self.encoder.write_all(&end)?;
        Ok(self.encoder.finish()?)
    }
}
