//! The statements of migrations, in words.

/// The words of each statement, in lower case, without comments. A text, or the body of a function, is the word `'…'`. Brackets,
/// commas and operators are words.
pub(crate) fn statements(sql: &str) -> Vec<Vec<String>> {
    let mut statements = vec![Vec::new()];
    let mut rest = sql;
    while let Some(first) = rest.chars().next() {
        let (word, after) = match first {
            _ if first.is_whitespace() => (None, &rest[first.len_utf8()..]),
            '-' if rest.starts_with("--") => (None, after(rest, 2, "\n")),
            '/' if rest.starts_with("/*") => (None, after(rest, 2, "*/")),
            // A doubled quote is the beginning of another text.
            '\'' => (Some("'…'".to_owned()), after(rest, 1, "'")),
            '$' => {
                let tag_end = rest[1..].find('$').map_or(rest.len(), |end| end + 2);
                (Some("'…'".to_owned()), after(rest, tag_end, &rest[..tag_end]))
            }
            '"' => {
                let after = after(rest, 1, "\"");
                (Some(rest[1..rest.len() - after.len()].trim_end_matches('"').to_owned()), after)
            }
            _ if is_word(first) => {
                let end = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
                (Some(rest[..end].to_lowercase()), &rest[end..])
            }
            _ => (Some(first.to_string()), &rest[first.len_utf8()..]),
        };
        rest = after;
        let (Some(word), Some(statement)) = (word, statements.last_mut()) else { continue };
        if word == ";" && !is_within_trigger(statement) {
            statements.push(Vec::new());
        } else {
            statement.push(word);
        }
    }
    statements.retain(|statement| !statement.is_empty());
    statements
}

/// What follows the end of something that begins here.
fn after<'a>(text: &'a str, begin: usize, end: &str) -> &'a str {
    text[begin..].find(end).map_or("", |at| &text[begin + at + end.len()..])
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '.')
}

/// Whether a statement is the beginning of a trigger of SQLite, whose statements end in semicolons.
fn is_within_trigger(statement: &[String]) -> bool {
    let has = |word: &str| statement.iter().any(|found| found == word);
    statement.first().is_some_and(|word| word == "create")
        && statement.get(1).is_some_and(|word| word == "trigger")
        && has("begin")
        && statement.last().is_none_or(|word| word != "end")
}

/// The word that follows another one.
pub(crate) fn word_after<'a>(words: &[&'a str], word: &str) -> Option<&'a str> {
    words.iter().position(|found| *found == word).and_then(|at| words.get(at + 1)).copied()
}

/// The parts of a list that is separated by commas, outside of brackets.
pub(crate) fn parts<'a, 'b>(words: &'b [&'a str]) -> Vec<&'b [&'a str]> {
    let mut depth = 0_i32;
    let is_separator = |word: &&str| {
        match *word {
            "(" => depth += 1,
            ")" => depth -= 1,
            _ => {}
        }
        *word == "," && depth == 0
    };
    words.split(is_separator).collect()
}

#[cfg(test)]
mod tests {
    use super::{parts, statements};

    #[test]
    fn a_migration_is_split_into_words() {
        let sql = "-- A; comment.\nCREATE TABLE \"A\" (b text DEFAULT 'it''s;', /* ; */ c int);\n\
                   CREATE FUNCTION f() RETURNS void AS $x$ BEGIN; END $x$;\n\
                   CREATE TRIGGER t AFTER INSERT ON a BEGIN UPDATE a SET b = 1; END;";
        let found = statements(sql);
        assert_eq!(found.len(), 3, "{found:?}");
        assert_eq!(found[0].join(" "), "create table A ( b text default '…' '…' , c int )");
        assert_eq!(found[1].join(" "), "create function f ( ) returns void as '…'");
        assert_eq!(found[2].last().unwrap(), "end");
    }

    #[test]
    fn commas_in_brackets_do_not_separate() {
        let words = ["add", "a", "(", "1", ",", "2", ")", ",", "add", "b"];
        assert_eq!(parts(&words), [&words[..7], &words[8..]]);
    }
}
