//! Records as CSV (RFC 4180), safe to be opened in a spreadsheet.

use super::body::RecordBody;

/// The names of the columns, a line.
pub(crate) const HEAD: &str = "position,id,type,subject,actor_type,actor_id,credential_type,credential_id,address,\
                               user_agent,occurred_at,data,hash\r\n";

/// What a spreadsheet takes for the beginning of a formula.
const FORMULA: [char; 6] = ['=', '+', '-', '@', '\t', '\r'];

/// A record, a line. What is absent is an empty cell.
pub(crate) fn line(record: &RecordBody) -> String {
    let credential = record.actor.credential.as_ref();
    let data = serde_json::to_string(&record.data).expect("an object of texts serialises");
    let cells = [
        &record.position.to_string(),
        &record.id,
        &record.kind,
        record.subject.as_deref().unwrap_or_default(),
        record.actor.kind,
        record.actor.id.as_deref().unwrap_or_default(),
        credential.map(|credential| credential.kind).unwrap_or_default(),
        credential.map(|credential| &*credential.id).unwrap_or_default(),
        record.address.as_deref().unwrap_or_default(),
        record.user_agent.as_deref().unwrap_or_default(),
        &record.occurred_at.to_string(),
        &data,
        &record.hash,
    ];
    cells.map(cell).join(",") + "\r\n"
}

/// A cell. What a spreadsheet would run gets an apostrophe before it, which makes it a text.
fn cell(text: &str) -> String {
    let guard = if text.starts_with(FORMULA) { "'" } else { "" };
    if text.contains(['"', ',', '\r', '\n']) {
        format!("\"{guard}{}\"", text.replace('"', "\"\""))
    } else {
        format!("{guard}{text}")
    }
}

#[cfg(test)]
mod tests {
    use super::cell;

    #[test]
    fn a_cell_is_quoted_where_it_must_be_and_never_a_formula() {
        for (text, expected) in [
            ("", ""),
            ("plain text", "plain text"),
            ("a,b", "\"a,b\""),
            ("say \"hi\"", "\"say \"\"hi\"\"\""),
            ("two\r\nlines", "\"two\r\nlines\""),
            ("=1+1", "'=1+1"),
            ("+49", "'+49"),
            ("-1", "'-1"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("\tx", "'\tx"),
            ("\rx", "\"'\rx\""),
            ("=HYPERLINK(\"x\",1)", "\"'=HYPERLINK(\"\"x\"\",1)\""),
            ("{\"a\":1}", "\"{\"\"a\"\":1}\""),
        ] {
            assert_eq!(cell(text), expected);
        }
    }
}
