//! A Rust source as the rules read it: without comments and texts, and knowing which lines are tests.

use std::path::Path;

/// A source file.
pub(super) struct Source {
    /// Its path within the workspace.
    pub(super) path: String,
    /// Its lines, comments and the contents of literals blanked out.
    pub(super) lines: Vec<String>,
    /// For each line, whether it lies in a test.
    is_test_line: Vec<bool>,
    /// The modules that it declares for tests only, as the files that may hold them.
    pub(super) test_modules: Vec<String>,
    /// Whether all of it is a test.
    pub(super) is_test: bool,
    /// Whether it is written by `make generate`.
    pub(super) is_generated: bool,
}

impl Source {
    /// Reads a file.
    pub(super) fn new(path: &str, text: &str) -> Self {
        let code = blank(text);
        let mut test_modules = Vec::new();
        let is_test_line = mark_tests(path, &code, &mut test_modules);
        let lines: Vec<String> = code.lines().map(ToOwned::to_owned).collect();
        let (is_test, is_generated) = (is_test_path(path), text.starts_with("// @generated"));
        Self { path: path.to_owned(), lines, is_test_line, test_modules, is_test, is_generated }
    }

    /// The crate's folder: `crates/domain` or `xtask`.
    pub(super) fn crate_folder(&self) -> &str {
        let depth = if self.path.starts_with("crates/") { 2 } else { 1 };
        self.path.match_indices('/').nth(depth - 1).map_or("", |(at, _)| &self.path[..at])
    }

    /// The numbered lines, each with whether it lies in a test.
    pub(super) fn numbered(&self) -> impl Iterator<Item = (usize, &str, bool)> {
        let is_test = |at: usize| self.is_test || self.is_test_line.get(at).copied().unwrap_or(false);
        self.lines.iter().enumerate().map(move |(at, line)| (at + 1, line.as_str(), is_test(at)))
    }
}

/// Whether the word stands alone in the line: not as a part of a longer one.
pub(super) fn has_word(line: &str, word: &str) -> bool {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        !line[..at].chars().next_back().is_some_and(is_word) && !line[at + word.len()..].starts_with(is_word)
    })
}

fn is_test_path(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    let is_named_so = name == "tests.rs" || name.ends_with("_tests.rs");
    // The whole testkit is test code.
    is_named_so
        || path.starts_with("crates/testkit/")
        || path.split('/').any(|part| part == "tests" || part == "benches")
}

/// Marks the lines of everything under a `#[cfg(test)]`.
fn mark_tests(path: &str, code: &str, modules: &mut Vec<String>) -> Vec<bool> {
    let mut marked = vec![false; code.lines().count()];
    for (at, _) in code.match_indices("#[cfg(test)]") {
        let Some(end) = item_end(&code[at..]).map(|length| at + length) else { continue };
        let line_of = |offset: usize| code[..offset].matches('\n').count();
        for mark in marked.iter_mut().take(line_of(end) + 1).skip(line_of(at)) {
            *mark = true;
        }
        modules.extend(module_files(path, &code[at..end]));
    }
    marked
}

/// Where the item that begins here ends: at its `;`, or where its braces close.
fn item_end(code: &str) -> Option<usize> {
    let mut depth = 0_u32;
    for (at, byte) in code.bytes().enumerate() {
        match byte {
            b'{' => depth += 1,
            b'}' if depth <= 1 => return Some(at + 1),
            b'}' => depth -= 1,
            b';' if depth == 0 => return Some(at + 1),
            _ => {}
        }
    }
    None
}

/// The files where `mod name;` looks for the module.
fn module_files(path: &str, item: &str) -> Vec<String> {
    let name = item.strip_suffix(';').and_then(|item| item.rsplit_once("mod ")).map(|(_, name)| name.trim());
    let (Some(name), Some(folder)) = (name, Path::new(path).parent().and_then(Path::to_str)) else { return Vec::new() };
    let stem = Path::new(path).file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    [folder.to_owned(), format!("{folder}/{stem}")]
        .iter()
        .flat_map(|folder| [format!("{folder}/{name}.rs"), format!("{folder}/{name}/")])
        .collect()
}

/// The text with comments and the contents of literals turned to blanks; every byte stays in its place.
fn blank(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let (keep, length) = token(text, at);
        for &byte in &bytes[at..at + length] {
            // Letters outside ASCII only ever stand in comments and literals here, and are several bytes.
            out.push(if keep && byte.is_ascii() || byte == b'\n' { byte } else { b' ' });
        }
        at += length;
    }
    String::from_utf8(out).unwrap_or_default()
}

/// Whether the token that begins here is code, and its length in bytes; never zero.
fn token(text: &str, at: usize) -> (bool, usize) {
    let rest = &text.as_bytes()[at..];
    let begins_word = at == 0 || !(text.as_bytes()[at - 1].is_ascii_alphanumeric() || text.as_bytes()[at - 1] == b'_');
    match rest {
        [b'/', b'/', ..] => (false, rest.iter().position(|&byte| byte == b'\n').unwrap_or(rest.len())),
        [b'/', b'*', ..] => (false, block_comment(rest)),
        [b'"', ..] => (false, quoted(rest, 1)),
        [b'b' | b'c', b'"', ..] if begins_word => (false, quoted(rest, 2)),
        [b'r', b'"' | b'#', ..] if begins_word => raw(rest, 1),
        [b'b' | b'c', b'r', b'"' | b'#', ..] if begins_word => raw(rest, 2),
        [b'\'', b'\\', ..] => {
            (false, 3 + rest.iter().skip(3).position(|&byte| byte == b'\'').map_or(0, |more| more + 1))
        }
        [b'\'', first, ..] => {
            let width = match first {
                0x00..=0x7F => 1,
                0x80..=0xDF => 2,
                0xE0..=0xEF => 3,
                _ => 4,
            };
            // A lifetime otherwise.
            if rest.get(1 + width) == Some(&b'\'') { (false, width + 2) } else { (true, 1) }
        }
        _ => (true, 1),
    }
}

fn block_comment(rest: &[u8]) -> usize {
    let (mut depth, mut at) = (0_u32, 0);
    while at < rest.len() {
        match &rest[at..] {
            [b'/', b'*', ..] => (depth, at) = (depth + 1, at + 2),
            [b'*', b'/', ..] if depth == 1 => return at + 2,
            [b'*', b'/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
    }
    rest.len()
}

fn quoted(rest: &[u8], opening: usize) -> usize {
    let mut at = opening;
    while at < rest.len() {
        match rest[at] {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

/// A raw text, or a raw identifier.
fn raw(rest: &[u8], prefix: usize) -> (bool, usize) {
    let hashes = rest[prefix..].iter().take_while(|&&byte| byte == b'#').count();
    let opening = prefix + hashes;
    if rest.get(opening) != Some(&b'"') {
        return (true, opening);
    }
    let closing: Vec<u8> = std::iter::once(b'"').chain(std::iter::repeat_n(b'#', hashes)).collect();
    let body = &rest[opening + 1..];
    let end = body.windows(closing.len()).position(|window| window == closing).unwrap_or(body.len());
    (false, (opening + 1 + end + closing.len()).min(rest.len()))
}

#[cfg(test)]
mod tests {
    use super::{Source, blank, has_word};

    #[test]
    fn comments_and_literals_are_blank() {
        let check = |text: &str, expected: &str| assert_eq!(blank(text), expected, "{text}");
        check("a // b\nc", "a     \nc");
        check("a /* b /* c */ d */ e", "a                   e");
        check(r#"f("a\"b", 'c', '\'', 'a)"#, "f(      ,    ,     , 'a)");
        check("f(r#\"a\"b\"#) r#type b\"x\"", "f(        ) r#type     ");
        check("'é' \"é\"", "          ".get(..9).unwrap());
    }

    #[test]
    fn words_stand_alone() {
        assert!(has_word("use tokio::sync;", "tokio"));
        assert!(!has_word("use tokio_util::sync;", "tokio"));
        assert!(!has_word("is_unsafe", "unsafe"));
    }

    #[test]
    fn tests_are_known_as_such() {
        let text = "a\n#[cfg(test)]\nmod tests {\n  {}\n}\nb\n#[cfg(test)]\nmod more_tests;\n";
        let source = Source::new("crates/domain/src/users/mod.rs", text);
        let tests: Vec<usize> = source.numbered().filter(|(_, _, is_test)| *is_test).map(|(line, ..)| line).collect();
        assert_eq!(tests, [2, 3, 4, 5, 7, 8]);
        assert!(source.test_modules.contains(&"crates/domain/src/users/more_tests.rs".to_owned()));
        assert_eq!(source.crate_folder(), "crates/domain");
        assert!(Source::new("crates/api/tests/it/main.rs", "").is_test);
        assert_eq!(Source::new("xtask/src/main.rs", "").crate_folder(), "xtask");
    }
}
