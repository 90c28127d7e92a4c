//! What the pages say, in every language that mails are written in.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::LazyLock;

use denizen_domain::users::Locale;
use http::HeaderMap;
use http::header::ACCEPT_LANGUAGE;

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
    /// The texts that the reader of a response understands.
    pub(super) fn of_request(headers: &HeaderMap) -> &'static Self {
        let accepted = headers.get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
        let locale = accepted.and_then(|accepted| Locale::preferred(accepted, |locale| Self::find(locale).is_some()));
        Self::for_reader(locale.as_ref())
    }

    /// A page in which every `{key}` of a text is replaced by that text. Other names in braces stay.
    pub(super) fn fill(&self, page: &str) -> String {
        let mut filled = String::with_capacity(2 * page.len());
        let mut rest = page;
        while let Some((before, after)) = rest.split_once('{') {
            filled.push_str(before);
            match after.split_once('}') {
                Some((key, after)) if self.texts.contains_key(key) => {
                    filled.push_str(&escape(self.say(key)));
                    rest = after;
                }
                _ => {
                    filled.push('{');
                    rest = after;
                }
            }
        }
        filled + rest
    }

    /// The messages of the scripts, as attributes: `error.some_code` becomes `data-error-some-code`.
    pub(super) fn errors(&self) -> String {
        let mut attributes = String::new();
        for (name, key) in [("failed", "failed"), ("dead", "link_dead"), ("wrong-code", "wrong_code")] {
            write!(attributes, " data-{name}=\"{}\"", escape(self.say(key))).expect("a string can be written");
        }
        let errors = self.texts.iter().filter_map(|(key, text)| Some((key.strip_prefix("error.")?, text)));
        for (code, text) in errors {
            let name = code.replace('_', "-");
            write!(attributes, " data-error-{name}=\"{}\"", escape(text)).expect("a string can be written");
        }
        attributes.split_off(1)
    }

    /// The texts that a reader understands; English when there are none in their language.
    pub(super) fn for_reader(locale: Option<&Locale>) -> &'static Self {
        locale.and_then(Self::find).unwrap_or(&LANGUAGES[0])
    }

    /// The texts in a language, if there are any.
    pub(super) fn find(locale: &Locale) -> Option<&'static Self> {
        let is_traditional = |tag: &str| tag.split('-').any(|part| matches!(part, "Hant" | "TW" | "HK" | "MO"));
        let wanted = match locale.language() {
            // A reader of one script does not necessarily read the other.
            "zh" if is_traditional(locale.as_str()) => "",
            "zh" => "zh-Hans",
            language => language,
        };
        LANGUAGES.iter().find(|texts| texts.language == wanted)
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
