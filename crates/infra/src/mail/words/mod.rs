//! What mails say: templates with the messages of a language, built in, and overridden by the files of a folder.
//!
//! A mail is made of a subject and paragraphs, which are messages (`messages/*.json`, a file for each language), laid
//! out by a template (`templates/layout.txt` and `.html`). `docs/mail.md` is for those who write their own.

mod catalogue;
mod language;
mod overrides;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::OnceLock;

use denizen_domain::ports::{Letter, Opening};
use denizen_domain::time::Timestamp;
use denizen_domain::users::Locale;
use minijinja::{AutoEscape, Environment, Output, UndefinedBehavior, Value, context};
use secrecy::ExposeSecret;

use self::catalogue::{Catalogue, UNITS};
use self::overrides::Overrides;
use super::Links;

/// How much of a template's work a mail may take: a loop without an end is an error, not a standstill.
const FUEL: u64 = 100_000;
/// The names of the languages that are built in, and their messages.
const BUILT_IN: &[(&str, &str)] = &[
    ("de", include_str!("messages/de.json")),
    ("en", include_str!("messages/en.json")),
    ("es", include_str!("messages/es.json")),
    ("fr", include_str!("messages/fr.json")),
    ("ja", include_str!("messages/ja.json")),
    ("zh-Hans", include_str!("messages/zh-Hans.json")),
];
const LAYOUT_TXT: &str = include_str!("templates/layout.txt");
const LAYOUT_HTML: &str = include_str!("templates/layout.html");

/// What is wrong with the words: one line that names the file.
#[derive(Debug, thiserror::Error)]
#[error("{file}: {problem}")]
pub struct WordsError {
    file: String,
    problem: String,
}

impl WordsError {
    fn new(file: impl Into<String>, problem: impl std::fmt::Display) -> Self {
        // A template's own error tells where in several lines.
        let problem = problem.to_string();
        Self { file: file.into(), problem: problem.split_whitespace().collect::<Vec<_>>().join(" ") }
    }
}

/// What is written about, the same in every mail.
#[derive(Debug, Clone)]
pub struct About {
    /// What the product is called.
    pub product: String,
    /// Where its links lead.
    pub links: Links,
    /// The language of those who read none that there is.
    pub default_locale: Locale,
}

/// The words of every mail.
pub struct Words {
    about: About,
    host: String,
    default_language: String,
    languages: BTreeMap<String, Catalogue>,
    overrides: Overrides,
    /// Made for the first mail: parsing it all takes longer than the rest of a start.
    env: OnceLock<Environment<'static>>,
}

/// A mail in words.
#[derive(Debug)]
pub(super) struct Written {
    pub(super) subject: String,
    pub(super) text: String,
    pub(super) html: String,
    /// What it opens, for the developer who waits for it.
    pub(super) link: Option<String>,
    pub(super) code: Option<String>,
}

impl Words {
    /// The words that are built in.
    ///
    /// # Errors
    /// When the default language is not one of them.
    pub fn built_in(about: About) -> Result<Self, WordsError> {
        Self::with(about, Overrides::default())
    }

    /// The same, overridden by the files of a folder. Every template is tried out.
    ///
    /// # Errors
    /// When the folder cannot be read, or something in it is of no use: one line that names the file.
    pub fn from_folder(about: About, folder: &Path) -> Result<Self, WordsError> {
        let words = Self::with(about, overrides::read(folder)?)?;
        words.try_out()?;
        Ok(words)
    }

    fn with(about: About, overrides: Overrides) -> Result<Self, WordsError> {
        let mut languages = BTreeMap::new();
        for (language, json) in BUILT_IN {
            languages.insert((*language).to_owned(), Catalogue::read(&format!("{language}.json"), json)?);
        }
        for (language, (file, json)) in &overrides.messages {
            let given = Catalogue::read(file, json)?;
            let whole = match languages.remove(language) {
                Some(built_in) => built_in.overridden_by(given),
                None => given,
            };
            whole.check_complete(file)?;
            languages.insert(language.clone(), whole);
        }
        let default_language = language::choose(&languages, &about.default_locale).ok_or_else(|| {
            let known = languages.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
            WordsError::new(
                "mail.default_locale",
                format!("there are no messages in this language; expected one of {known}"),
            )
        })?;
        let (_, host) = about.links.base.split_once("://").unwrap_or(("", &about.links.base));
        let host = host.split('/').next().unwrap_or_default().to_owned();
        Ok(Self { about, host, default_language, languages, overrides, env: OnceLock::new() })
    }

    /// Puts a letter into words.
    /// Whether there are messages in this language.
    pub(super) fn supports(&self, locale: &Locale) -> bool {
        language::choose(&self.languages, locale).is_some()
    }

    pub(super) fn write(&self, letter: &Letter<'_>) -> Result<Written, WordsError> {
        let mail = letter.mail;
        let language = mail.locale.as_ref().and_then(|locale| language::choose(&self.languages, locale));
        let language = language.as_deref().unwrap_or(&self.default_language);
        let (link, code) = match &letter.opening {
            Opening::Nothing => (None, None),
            Opening::Link(purpose, token) => (Some(self.about.links.to(*purpose, token.expose_secret())), None),
            Opening::Code(code) => (None, Some(code.expose_secret().to_owned())),
        };
        let seconds_left = mail.expires_at.as_seconds() - letter.sent_at.as_seconds();
        let facts = Facts {
            kind: mail.subject.as_str(),
            language,
            name: shown_name(mail.name.as_str()),
            email: mail.to.as_str(),
            link: link.as_deref(),
            code: code.as_deref(),
            at: minute(mail.created_at),
            good_for: self.duration(language, seconds_left)?,
        };
        let (subject, text, html) = self.lay_out(&facts)?;
        Ok(Written { subject, text, html, link, code })
    }

    fn lay_out(&self, facts: &Facts<'_>) -> Result<(String, String, String), WordsError> {
        let Facts { kind, language, .. } = *facts;
        let given = self.given(facts);
        let say = |key: &str| self.say(language, key, &given);
        let own = |part: &str| {
            let key = format!("{kind}.{part}");
            if self.languages[language].has(&key) { say(&key) } else { Ok(String::new()) }
        };
        // A subject is one line, whatever a message or a product's name contains.
        let subject = say(&format!("{kind}.subject"))?.split_whitespace().collect::<Vec<_>>().join(" ");
        let whole = context! {
            subject => subject,
            greeting => say("greeting")?,
            before => paragraphs(&own("before")?),
            button => own("button")?,
            after => paragraphs(&own("after")?),
            link_hint => say("link_hint")?,
            footer => say("footer")?,
            ..given.clone()
        };
        let text = self.render(&self.overrides.template_for(kind, language, "txt"), &whole)?;
        let html = self.render(&self.overrides.template_for(kind, language, "html"), &whole)?;
        Ok((subject, text, html))
    }

    /// What every message and every template is given.
    fn given(&self, facts: &Facts<'_>) -> Value {
        let Facts { kind, language, name, email, link, code, ref at, ref good_for } = *facts;
        let product = &self.about.product;
        let host = &self.host;
        context! { product, host, kind, language, name, email, link, code, at, good_for }
    }

    fn say(&self, language: &str, key: &str, given: &Value) -> Result<String, WordsError> {
        self.render(&message_name(language, key), given)
    }

    fn render(&self, template: &str, given: &Value) -> Result<String, WordsError> {
        let env = if let Some(env) = self.env.get() {
            env
        } else {
            let env = environment(&self.languages, &self.overrides)?;
            self.env.get_or_init(|| env)
        };
        let rendered = env.get_template(template).and_then(|template| template.render(given));
        rendered.map_err(|error| WordsError::new(template, error))
    }

    /// For how long something is good, in the largest unit that says it well.
    fn duration(&self, language: &str, seconds: i64) -> Result<String, WordsError> {
        let minutes = (seconds + 30).div_euclid(60).max(1);
        // A mail that is a few minutes on its way is still good for seven days.
        let (unit, n) = match minutes {
            2_820.. => (UNITS[2], (minutes + 60) / 1_440),
            115.. => (UNITS[1], (minutes + 5) / 60),
            58..=60 => (UNITS[1], 1),
            _ => (UNITS[0], minutes),
        };
        self.say(language, unit, &context! { n })
    }

    /// Writes every mail in every language with made-up facts.
    fn try_out(&self) -> Result<(), WordsError> {
        for language in self.languages.keys() {
            for kind in catalogue::kinds() {
                let made_up = Facts {
                    kind: kind.name,
                    language,
                    name: Some("Ada Lovelace"),
                    email: "ada@example.com",
                    link: kind.has_link.then_some("https://accounts.example.com/account?token=dno_"),
                    code: kind.has_code.then_some("012345"),
                    at: "2026-01-01 00:00".to_owned(),
                    good_for: self.duration(language, 3_600)?,
                };
                self.lay_out(&made_up)?;
            }
        }
        Ok(())
    }
}

/// What one mail is about.
struct Facts<'a> {
    kind: &'a str,
    language: &'a str,
    name: Option<&'a str>,
    email: &'a str,
    link: Option<&'a str>,
    code: Option<&'a str>,
    at: String,
    good_for: String,
}

/// Escapes what is special in HTML text and attributes. minijinja would escape `/` too, and some mail programs then do
/// not recognize links.
fn write_html(out: &mut Output<'_>, text: &str) -> Result<(), minijinja::Error> {
    for char in text.chars() {
        match char {
            '&' => out.write_str("&amp;")?,
            '<' => out.write_str("&lt;")?,
            '>' => out.write_str("&gt;")?,
            '"' => out.write_str("&quot;")?,
            '\'' => out.write_str("&#x27;")?,
            _ => out.write_str(char.encode_utf8(&mut [0; 4]))?,
        }
    }
    Ok(())
}

/// Every template and message, parsed.
fn environment(
    languages: &BTreeMap<String, Catalogue>,
    overrides: &Overrides,
) -> Result<Environment<'static>, WordsError> {
    let mut env = Environment::new();
    env.set_undefined_behavior(UndefinedBehavior::Strict);
    env.set_fuel(Some(FUEL));
    // Messages become part of HTML only through a template, which escapes them there.
    env.set_auto_escape_callback(|name| match name.rsplit_once('.') {
        Some((_, "html")) => AutoEscape::Html,
        _ => AutoEscape::None,
    });
    env.set_formatter(|out, state, value| match value.as_str() {
        Some(text) if state.auto_escape() == AutoEscape::Html && !value.is_safe() => write_html(out, text),
        _ => minijinja::escape_formatter(out, state, value),
    });
    let mut add = |name: String, source: String| {
        env.add_template_owned(name.clone(), source).map_err(|error| WordsError::new(name, error))
    };
    add("layout.txt".to_owned(), LAYOUT_TXT.to_owned())?;
    add("layout.html".to_owned(), LAYOUT_HTML.to_owned())?;
    for (name, source) in &overrides.templates {
        add(name.clone(), source.clone())?;
    }
    for (language, catalogue) in languages {
        for (key, message) in catalogue.messages() {
            add(message_name(language, key), message.to_owned())?;
        }
    }
    Ok(env)
}

fn message_name(language: &str, key: &str) -> String {
    format!("{language}.json: {key}")
}

fn paragraphs(text: &str) -> Vec<&str> {
    text.split("\n\n").map(str::trim).filter(|paragraph| !paragraph.is_empty()).collect()
}

/// A moment to the minute, in UTC: `2026-01-31 09:30`.
fn minute(moment: Timestamp) -> String {
    moment.to_string().replace('T', " ").chars().take(16).collect()
}

/// A name to greet by; `None` for what looks like an address of the web. Whoever signs up with somebody else's address
/// must not put a link before their eyes.
pub(super) fn shown_name(name: &str) -> Option<&str> {
    let is_dotted = |pair: &[char]| pair[0] == '.' && pair[1].is_alphanumeric();
    let letters: Vec<char> = name.chars().collect();
    let is_harmless = letters.len() <= 64
        && !name.contains(['/', '\\', ':', '@', '<', '>'])
        && !letters.windows(2).any(is_dotted)
        && !letters.iter().any(|c| c.is_control());
    is_harmless.then_some(name)
}
