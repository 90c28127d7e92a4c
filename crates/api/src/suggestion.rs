//! Suggestions for mistyped names.

/// A name is suggested if at most one of this many of its characters is mistyped.
const TYPO_SHARE: usize = 3;
/// The most characters that may be mistyped.
const TYPOS_MAX: usize = 4;

/// The most similar of the known names, if one is similar.
pub(crate) fn nearest<'a>(raw: &str, known: &[&'a str]) -> Option<&'a str> {
    let (distance, name) = known.iter().map(|name| (edit_distance(raw, name), *name)).min()?;
    (distance <= (name.len() / TYPO_SHARE).min(TYPOS_MAX)).then_some(name)
}

/// How many characters to insert, delete or replace (Levenshtein). Only the start of a long text counts.
fn edit_distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().take(64).enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(from != *to);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::edit_distance;

    #[test]
    fn the_distance_counts_edits() {
        assert_eq!(edit_distance("kitten", "sitting"), 3);
        assert_eq!(edit_distance("", "abc"), 3);
        assert_eq!(edit_distance("same", "same"), 0);
    }
}
