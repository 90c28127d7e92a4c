//! The standard output of commands.

use std::io::{self, Write};

use denizen_domain::time::Timestamp;
use serde::Serialize;

use super::failure::{Failure, printable};

/// The output format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Output {
    /// Human-readable text.
    Text,
    /// JSON.
    Json,
}

/// The output format as it is named on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// Human-readable text.
    Text,
    /// JSON.
    Json,
    /// YAML.
    Yaml,
}

/// Prints text as it is.
pub(super) fn print(text: &str) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()?;
    Ok(())
}

/// Prints one JSON document, indented.
pub(super) fn print_json(value: &impl Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(value).map_err(anyhow::Error::from)?;
    print(&format!("{text}\n"))
}

/// Prints one JSON document in one line.
pub(super) fn print_json_line(value: &impl Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string(value).map_err(anyhow::Error::from)?;
    print(&format!("{text}\n"))
}

/// Aligned columns. The first row is the header.
pub(super) fn table<const COLUMNS: usize>(rows: impl IntoIterator<Item = [String; COLUMNS]>) -> String {
    let rows: Vec<[String; COLUMNS]> = rows.into_iter().map(|row| row.map(|cell| printable(&cell))).collect();
    let mut widths = [0; COLUMNS];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |row: &[String; COLUMNS]| {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
        format!("{}\n", cells.collect::<Vec<_>>().join("  ").trim_end())
    };
    rows.iter().map(line).collect()
}

/// One record, with one line per field.
pub(super) fn record<const LINES: usize>(lines: [(&str, String); LINES]) -> String {
    lines.map(|(name, value)| format!("{name:15} {}\n", printable(&value))).concat()
}

/// A time, or a text if there is none.
pub(super) fn moment_or(moment: Option<Timestamp>, none: &str) -> String {
    moment.map_or_else(|| none.to_owned(), |moment| moment.to_string())
}
