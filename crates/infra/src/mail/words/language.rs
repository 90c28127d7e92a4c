//! Which of the languages that there are somebody reads.

use std::collections::BTreeMap;

use denizen_domain::users::Locale;

/// The language whose messages fit a tag best (RFC 4647 §3.4): the tag itself, then the same with ever less said.
pub(super) fn choose<T>(languages: &BTreeMap<String, T>, locale: &Locale) -> Option<String> {
    candidates(locale).find(|candidate| languages.contains_key(candidate))
}

fn candidates(locale: &Locale) -> impl Iterator<Item = String> {
    let tag = locale.as_str();
    let ends = tag.match_indices('-').map(|(at, _)| at);
    let mut tags: Vec<String> = ends.chain([tag.len()]).map(|end| tag[..end].to_owned()).collect();
    tags.reverse();
    if locale.language() == "zh" {
        // Whoever reads one script does not thereby read the other.
        let is_traditional = tag.split('-').any(|part| matches!(part, "Hant" | "TW" | "HK" | "MO"));
        let script = if is_traditional { "zh-Hant" } else { "zh-Hans" };
        if is_traditional {
            tags.retain(|tag| tag != "zh");
        }
        tags.push(script.to_owned());
    }
    tags.into_iter()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use denizen_domain::users::Locale;

    use super::choose;

    #[test]
    fn the_closest_language_is_chosen() {
        let languages: BTreeMap<String, bool> =
            ["de", "en", "pt-BR", "zh-Hans"].into_iter().map(|tag| (tag.to_owned(), true)).collect();
        for (tag, expected) in [
            ("de", Some("de")),
            ("de-CH-1996", Some("de")),
            ("EN-gb", Some("en")),
            ("pt-br", Some("pt-BR")),
            ("pt", None),
            ("zh", Some("zh-Hans")),
            ("zh-CN", Some("zh-Hans")),
            ("zh-Hans-SG", Some("zh-Hans")),
            ("zh-TW", None),
            ("zh-Hant-HK", None),
            ("den", None),
        ] {
            assert_eq!(choose(&languages, &Locale::parse(tag).unwrap()).as_deref(), expected, "{tag}");
        }
    }
}
