//! The checksum of a table, the same for both databases.

use aws_lc_rs::digest::{Context, SHA256};
use denizen_domain::events::chain::hexadecimal;
use denizen_domain::rows::{Row, RowReader, Table};
use denizen_domain::store::StoreError;

use super::ROWS_AT_ONCE;
use super::line::RowLine;

/// The number and the checksum of the rows of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableDigest {
    /// How many rows it has.
    pub rows: u64,
    /// The SHA-256 of its rows in the order of their keys, in hexadecimal digits.
    pub sha256: String,
}

/// Reads a table to compute its checksum.
///
/// # Errors
/// When the database fails.
pub async fn digest(reader: &mut dyn RowReader, table: &Table) -> Result<TableDigest, StoreError> {
    let mut context = Context::new(&SHA256);
    let (mut count, mut last, mut line) = (0, None::<Row>, Vec::new());
    loop {
        let rows = reader.rows_after(table, last.as_deref(), ROWS_AT_ONCE).await?;
        for row in &rows {
            line.clear();
            serde_json::to_writer(&mut line, &RowLine(row)).map_err(|error| StoreError::Broken(error.into()))?;
            line.push(b'\n');
            context.update(&line);
        }
        count += rows.len() as u64;
        let is_last = rows.len() < ROWS_AT_ONCE as usize;
        last = rows.last().map(|row| table.key(row).to_vec());
        if is_last {
            return Ok(TableDigest { rows: count, sha256: hexadecimal(context.finish().as_ref()) });
        }
    }
}
