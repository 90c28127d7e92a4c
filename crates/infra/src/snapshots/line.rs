//! The lines of a snapshot.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use denizen_domain::rows::{Cell, Row, Table};
use serde::de::{self, MapAccess, Visitor};
use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The beginning of a table.
#[derive(Serialize, Deserialize)]
pub(super) struct TableLine {
    table: String,
    columns: Vec<String>,
    key: usize,
}

impl TableLine {
    pub(super) fn of(table: &Table) -> Self {
        Self { table: table.name.clone(), columns: table.columns.clone(), key: table.key_len }
    }

    /// The table; `None` if this release has none like it.
    pub(super) fn table(mut self) -> Option<Table> {
        if self.key == 0 || self.key > self.columns.len() || !self.columns.iter().all(|column| is_name(column)) {
            return None;
        }
        let expected = self.columns.clone();
        let others = self.columns.split_off(self.key);
        Table::new(&self.table, self.columns, others).filter(|table| table.columns == expected)
    }
}

/// Names of columns become part of statements.
fn is_name(column: &str) -> bool {
    !column.is_empty() && column.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'))
}

/// The end of a snapshot.
#[derive(Serialize, Deserialize)]
pub(super) struct EndLine {
    pub(super) rows: u64,
    pub(super) sha256: String,
}

/// A row to write.
pub(super) struct RowLine<'a>(pub(super) &'a [Cell]);

impl Serialize for RowLine<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut cells = serializer.serialize_seq(Some(self.0.len()))?;
        self.0.iter().try_for_each(|cell| cells.serialize_element(&CellValue(cell)))?;
        cells.end()
    }
}

struct CellValue<'a>(&'a Cell);

impl Serialize for CellValue<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Cell::Null => serializer.serialize_unit(),
            Cell::Integer(number) => serializer.serialize_i64(*number),
            Cell::Text(text) => serializer.serialize_str(text),
            Cell::Bytes(bytes) => {
                let mut map = serializer.serialize_map(Some(1))?;
                map.serialize_entry("b64", &STANDARD.encode(bytes))?;
                map.end()
            }
        }
    }
}

/// Reads a row of so many columns.
pub(super) fn read_row(line: &[u8], width: usize) -> Option<Row> {
    let cells: Vec<OwnedCell> = serde_json::from_slice(line).ok()?;
    (cells.len() == width).then(|| cells.into_iter().map(|cell| cell.0).collect())
}

struct OwnedCell(Cell);

impl<'de> Deserialize<'de> for OwnedCell {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(CellVisitor).map(Self)
    }
}

struct CellVisitor;

impl<'de> Visitor<'de> for CellVisitor {
    type Value = Cell;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("null, a whole number, a text or bytes")
    }

    fn visit_unit<E>(self) -> Result<Cell, E> {
        Ok(Cell::Null)
    }

    fn visit_i64<E>(self, number: i64) -> Result<Cell, E> {
        Ok(Cell::Integer(number))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Cell, E> {
        i64::try_from(number).map(Cell::Integer).map_err(E::custom)
    }

    fn visit_str<E>(self, text: &str) -> Result<Cell, E> {
        Ok(Cell::Text(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Cell, E> {
        Ok(Cell::Text(text))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Cell, A::Error> {
        let bytes = match map.next_entry::<String, String>()? {
            Some((name, text)) if name == "b64" => STANDARD.decode(text).map_err(de::Error::custom)?,
            _ => return Err(de::Error::custom("bytes have the form {\"b64\":…}")),
        };
        if map.next_key::<String>()?.is_some() {
            Err(de::Error::custom("one key is expected"))
        } else {
            Ok(Cell::Bytes(bytes))
        }
    }
}
