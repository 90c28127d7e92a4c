//! The text format of `COPY`: <https://www.postgresql.org/docs/current/sql-copy.html>.

use denizen_domain::rows::{Cell, Row};
use uuid::Uuid;

use super::Type;

/// What is wrong with a value.
type Malformed = &'static str;

const MALFORMED: Malformed = "a value does not have the type of its column";

/// Appends a row as a line.
///
/// # Errors
/// When a value does not fit the type of its column.
pub(super) fn write(line: &mut Vec<u8>, row: &[Cell], types: &[Type]) -> Result<(), Malformed> {
    for (at, (cell, kind)) in row.iter().zip(types).enumerate() {
        if at > 0 {
            line.push(b'\t');
        }
        match (cell, kind) {
            (Cell::Null, _) => line.extend_from_slice(b"\\N"),
            (Cell::Integer(0 | 1), Type::Boolean) => line.push(if *cell == Cell::Integer(1) { b't' } else { b'f' }),
            (Cell::Integer(number), Type::Integer) => line.extend_from_slice(number.to_string().as_bytes()),
            (Cell::Text(text), Type::Text) => text.bytes().for_each(|byte| escape(line, byte)),
            (Cell::Bytes(bytes), Type::Uuid) => {
                let id = Uuid::from_slice(bytes).map_err(|_| MALFORMED)?;
                line.extend_from_slice(id.simple().encode_lower(&mut Uuid::encode_buffer()).as_bytes());
            }
            (Cell::Bytes(bytes), Type::Bytes) => {
                line.extend_from_slice(b"\\\\x");
                hexadecimal(line, bytes);
            }
            _ => return Err(MALFORMED),
        }
    }
    line.push(b'\n');
    Ok(())
}

fn escape(line: &mut Vec<u8>, byte: u8) {
    match byte {
        b'\\' => line.extend_from_slice(b"\\\\"),
        b'\n' => line.extend_from_slice(b"\\n"),
        b'\r' => line.extend_from_slice(b"\\r"),
        b'\t' => line.extend_from_slice(b"\\t"),
        byte => line.push(byte),
    }
}

fn hexadecimal(line: &mut Vec<u8>, bytes: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for byte in bytes {
        line.extend_from_slice(&[DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
    }
}

/// Reads lines.
///
/// # Errors
/// When a value does not have the type of its column.
pub(super) fn read(lines: &[u8], types: &[Type]) -> Result<Vec<Row>, Malformed> {
    let lines = lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines.map(|line| line_to_row(line, types)).collect()
}

fn line_to_row(line: &[u8], types: &[Type]) -> Result<Row, Malformed> {
    let mut fields = line.split(|byte| *byte == b'\t');
    let row: Row = types.iter().map(|kind| cell(fields.next().ok_or(MALFORMED)?, *kind)).collect::<Result<_, _>>()?;
    if fields.next().is_some() { Err(MALFORMED) } else { Ok(row) }
}

fn cell(field: &[u8], kind: Type) -> Result<Cell, Malformed> {
    if field == b"\\N" {
        return Ok(Cell::Null);
    }
    let text = String::from_utf8(unescape(field)?).map_err(|_| MALFORMED)?;
    Ok(match kind {
        Type::Text => Cell::Text(text),
        Type::Integer => Cell::Integer(text.parse().map_err(|_| MALFORMED)?),
        Type::Boolean => Cell::Integer(match text.as_str() {
            "t" => 1,
            "f" => 0,
            _ => return Err(MALFORMED),
        }),
        Type::Uuid => Cell::Bytes(Uuid::parse_str(&text).map_err(|_| MALFORMED)?.as_bytes().to_vec()),
        Type::Bytes => Cell::Bytes(from_hexadecimal(text.strip_prefix("\\x").ok_or(MALFORMED)?)?),
    })
}

fn unescape(field: &[u8]) -> Result<Vec<u8>, Malformed> {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field.iter().copied();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'\\' => match rest.next().ok_or(MALFORMED)? {
                b'b' => 8,
                b'f' => 12,
                b'n' => b'\n',
                b'r' => b'\r',
                b't' => b'\t',
                b'v' => 11,
                other => other,
            },
            byte => byte,
        });
    }
    Ok(bytes)
}

fn from_hexadecimal(text: &str) -> Result<Vec<u8>, Malformed> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok()).ok_or(MALFORMED);
    let pairs = text.as_bytes().chunks(2);
    pairs
        .map(|pair| if let [high, low] = pair { Ok(digit(*high)? << 4 | digit(*low)?) } else { Err(MALFORMED) })
        .collect()
}

#[cfg(test)]
mod tests {
    use denizen_domain::rows::Cell;

    use super::{Type, read, write};

    #[test]
    fn every_value_comes_back() {
        let types = [Type::Text, Type::Bytes, Type::Uuid, Type::Integer, Type::Boolean];
        let row = |text: &str, number| {
            vec![
                Cell::Text(text.to_owned()),
                Cell::Bytes(vec![0, 9, 10, 92, 255]),
                Cell::Bytes(vec![7; 16]),
                Cell::Integer(number),
                Cell::Integer(1),
            ]
        };
        let rows = vec![
            row("tab\t, line\n, return\r, \\N, \\., \u{8}\u{b}\u{c} and Zoë", i64::MIN),
            row("", 0),
            vec![Cell::Null; 5],
        ];
        let mut lines = Vec::new();
        for row in &rows {
            write(&mut lines, row, &types).unwrap();
        }
        assert_eq!(read(&lines, &types).unwrap(), rows);
    }

    #[test]
    fn a_value_of_another_type_is_refused() {
        for (cell, kind) in [
            (Cell::Text("1".to_owned()), Type::Integer),
            (Cell::Integer(2), Type::Boolean),
            (Cell::Bytes(vec![1; 15]), Type::Uuid),
            (Cell::Bytes(vec![1]), Type::Text),
        ] {
            assert!(write(&mut Vec::new(), &[cell], &[kind]).is_err(), "{kind:?}");
        }
        for (line, kind) in
            [("x", Type::Integer), ("1", Type::Boolean), ("\\\\x0", Type::Bytes), ("1\t2", Type::Integer)]
        {
            assert!(read(line.as_bytes(), &[kind]).is_err(), "{line}");
        }
    }
}
