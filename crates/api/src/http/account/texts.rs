//! What the pages say, in every language that mails are written in.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use denizen_domain::users::Locale;

/// The texts of one language, each under its key.
pub(super) struct Texts {
    pub(super) language: &'static str,
    texts: BTreeMap<String, String>,
}

/// Every language; the first is for those who read none of them.
static LANGUAGES: LazyLock<Vec<Texts>> = LazyLock::new(|| {
    let read = |language, json| Texts { language, texts: serde_json::from_str(json).expect("a test reads every text") };
    vec![
        read("en", include_str!("texts/en.json")),
        read("de", include_str!("texts/de.json")),
        read("es", include_str!("texts/es.json")),
        read("fr", include_str!("texts/fr.json")),
        read("ja", include_str!("texts/ja.json")),
        read("zh-Hans", include_str!("texts/zh-Hans.json")),
    ]
});

impl Texts {
    /// The texts that a reader understands.
    pub(super) fn for_reader(locale: Option<&Locale>) -> &'static Self {
        let is_traditional = |tag: &str| tag.split('-').any(|part| matches!(part, "Hant" | "TW" | "HK" | "MO"));
        let wanted = locale.map(|locale| match locale.language() {
            // Whoever reads one script does not thereby read the other.
            "zh" if is_traditional(locale.as_str()) => "",
            "zh" => "zh-Hans",
            language => language,
        });
        let found = LANGUAGES.iter().find(|texts| Some(texts.language) == wanted);
        found.unwrap_or(&LANGUAGES[0])
    }

    #[cfg(test)]
    pub(super) fn all() -> &'static [Self] {
        &LANGUAGES
    }

    /// A text; empty for a key that there is not, which a test would have found.
    pub(super) fn say(&self, key: &str) -> &str {
        self.texts.get(key).map_or("", String::as_str)
    }
}

/// The text as HTML, within an element or an attribute.
pub(in crate::http) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#39;")
}

#[cfg(test)]
mod tests {
    use denizen_domain::users::Locale;

    use super::Texts;

    #[test]
    fn every_language_says_the_same() {
        let english: Vec<_> = Texts::for_reader(None).texts.keys().collect();
        for texts in Texts::all() {
            assert_eq!(texts.texts.keys().collect::<Vec<_>>(), english, "{}", texts.language);
            assert!(texts.texts.values().all(|text| !text.is_empty()), "{}", texts.language);
        }
    }

    #[test]
    fn a_reader_gets_a_language_they_understand() {
        for (tag, expected) in [("de-CH", "de"), ("zh-CN", "zh-Hans"), ("zh-TW", "en"), ("tlh", "en"), ("en-GB", "en")]
        {
            assert_eq!(Texts::for_reader(Some(&Locale::parse(tag).unwrap())).language, expected, "{tag}");
        }
    }
}
