//! What mails say, in every language.

use denizen_domain::id::{ChallengeId, MailId, OneTimeTokenId};
use denizen_domain::mail::{Mail, MailSubject};
use denizen_domain::one_time::Purpose;
use denizen_domain::ports::{Letter, Opening};
use denizen_domain::time::Timestamp;
use denizen_domain::users::{DisplayName, EmailAddress, Locale};
use uuid::Uuid;

use super::catalogue::kinds;
use super::{About, BUILT_IN, Words, Written, shown_name};
use crate::mail::Links;

const TOKEN: &str = "dno_AbC-_9";

fn about() -> About {
    About {
        product: "Muster & Söhne".to_owned(),
        links: Links { base: "https://accounts.example.com/in".to_owned() },
        default_locale: Locale::parse("en").unwrap(),
    }
}

fn mail(kind: &str, locale: Option<&str>) -> Mail {
    Mail {
        id: MailId::from_uuid(Uuid::from_u128(1)),
        subject: MailSubject::from_stored(kind, Some(Uuid::from_u128(2))).unwrap(),
        to: EmailAddress::parse("ada@example.com").unwrap(),
        name: DisplayName::parse("Ada & Co").unwrap(),
        locale: locale.map(|tag| Locale::parse(tag).unwrap()),
        created_at: Timestamp::parse("2026-01-31T09:30:59Z").unwrap(),
        expires_at: Timestamp::parse("2026-01-31T10:30:59Z").unwrap(),
    }
}

fn opening(kind: &str) -> Opening {
    let token = OneTimeTokenId::from_uuid(Uuid::nil());
    let purpose = match MailSubject::from_stored(kind, Some(Uuid::nil())).unwrap() {
        subject if subject == MailSubject::PasswordReset(token) => Purpose::PasswordReset,
        subject if subject == MailSubject::EmailVerification(token) => Purpose::EmailVerification,
        subject if subject == MailSubject::EmailChange(token) => Purpose::EmailChange,
        subject if subject == MailSubject::Invitation(token) => Purpose::Invitation,
        subject if subject == MailSubject::SignInLink(token) => Purpose::SignIn,
        subject if subject == MailSubject::SignInCode(ChallengeId::from_uuid(Uuid::nil())) => {
            return Opening::Code("012345".into());
        }
        _ => return Opening::Nothing,
    };
    Opening::Link(purpose, TOKEN.into())
}

fn write(words: &Words, kind: &str, locale: Option<&str>) -> Written {
    let mail = mail(kind, locale);
    words.write(&Letter { mail: &mail, opening: opening(kind), sent_at: mail.created_at }).unwrap()
}

#[test]
fn every_mail_is_written_in_every_language() {
    let words = Words::built_in(about()).unwrap();
    let mut subjects = std::collections::BTreeSet::new();
    for (language, _) in BUILT_IN {
        for kind in kinds() {
            let Written { subject, text, html, link, code } = write(&words, kind.name, Some(language));
            assert!(subject.contains("Muster & Söhne"), "{subject}");
            assert!(html.contains("Muster &amp; Söhne") && !html.contains("Muster & "), "{html}");
            assert!(html.contains(&format!("<html lang=\"{language}\">")));
            assert!(text.contains("ada@example.com") && text.contains("accounts.example.com"), "{text}");
            assert_eq!((link.is_some(), code.is_some()), (kind.has_link, kind.has_code), "{}", kind.name);
            for opens in link.iter().chain(&code) {
                assert!(text.lines().any(|line| line.trim() == opens), "{text}");
                assert!(html.contains(opens) && !html.contains("&#x2f;"), "{html}");
            }
            // Nothing is left to be filled in.
            for part in [&subject, &text, &html] {
                assert!(!part.contains("{{") && !part.contains("{%"), "{part}");
            }
            assert!(subjects.insert(subject), "two mails have one subject");
        }
    }
}

#[test]
fn a_link_leads_to_its_page_below_the_configured_url() {
    let words = Words::built_in(about()).unwrap();
    for (kind, path) in [
        ("password_reset", "reset-password"),
        ("email_verification", "verify-email"),
        ("email_change", "confirm-email"),
        ("invitation", "accept-invitation"),
        ("sign_in_link", "sign-in"),
    ] {
        let expected = format!("https://accounts.example.com/in/account/{path}?token={TOKEN}");
        assert_eq!(write(&words, kind, None).link.unwrap(), expected);
    }
}

#[test]
fn the_language_is_the_readers_or_the_default() {
    let words = Words::built_in(about()).unwrap();
    for (locale, beginning) in [
        (None, "Hello Ada"),
        (Some("de-AT"), "Hallo Ada"),
        (Some("es-419"), "Hola, Ada"),
        (Some("zh-CN"), "Ada"),
        (Some("zh-TW"), "Hello Ada"),
        (Some("tlh"), "Hello Ada"),
    ] {
        let text = write(&words, "password_changed", locale).text;
        assert!(text.starts_with(beginning), "{locale:?}: {text}");
    }
    let german = Words::built_in(About { default_locale: Locale::parse("de-CH").unwrap(), ..about() }).unwrap();
    assert!(write(&german, "password_changed", Some("tlh")).text.starts_with("Hallo"));
    let unknown = Words::built_in(About { default_locale: Locale::parse("tlh").unwrap(), ..about() }).err().unwrap();
    assert!(unknown.to_string().contains("expected one of de, en, es, fr, ja, zh-Hans"), "{unknown}");
}

#[test]
fn how_long_is_said_in_the_unit_that_says_it_well() {
    let words = Words::built_in(about()).unwrap();
    for (seconds, expected) in [
        (-5, "1 minute"),
        (20, "1 minute"),
        (600, "10 minutes"),
        (900, "15 minutes"),
        (3_600, "1 hour"),
        (3_570, "1 hour"),
        (3_000, "50 minutes"),
        (86_400, "24 hours"),
        (86_300, "24 hours"),
        (604_800, "7 days"),
        (604_000, "7 days"),
    ] {
        assert_eq!(words.duration("en", seconds).unwrap(), expected, "{seconds}");
    }
    assert_eq!(words.duration("de", 7_200).unwrap(), "2 Stunden");
}

#[test]
fn a_name_that_could_be_a_link_is_not_shown() {
    for name in ["Ada Lovelace", "J. R. R. Tolkien", "Dr.", "王小明", "O'Neil, Jr."] {
        assert_eq!(shown_name(name), Some(name));
    }
    for name in ["evil.com", "Win at https://evil.com", "a@b", "evil。com/x", "www.evil.de now", &"x".repeat(65)] {
        assert_eq!(shown_name(name), None, "{name}");
    }
}

/// A folder with these files, read.
fn overridden(files: &[(&str, &str)]) -> Result<Words, String> {
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in files {
        std::fs::write(folder.path().join(name), content).unwrap();
    }
    let shown = folder.path().display().to_string();
    Words::from_folder(about(), folder.path()).map_err(|error| error.to_string().replace(&shown, "FOLDER"))
}

#[test]
fn the_most_special_template_is_taken() {
    let words = overridden(&[
        ("layout.txt", "L {{ kind }}"),
        ("layout.de.txt", "LD {{ greeting }}"),
        ("password_reset.txt", "K {{ link }}"),
        ("password_reset.de.txt", "KD {{ good_for }}"),
        ("README.md", "{{ not a template"),
    ])
    .unwrap();
    let text = |kind, locale| write(&words, kind, Some(locale)).text;
    assert_eq!(text("password_reset", "de"), "KD 1 Stunde");
    assert!(text("password_reset", "fr").starts_with("K https://"));
    assert_eq!(text("password_changed", "de"), "LD Hallo Ada & Co,");
    assert_eq!(text("password_changed", "fr"), "L password_changed");
    assert!(write(&words, "password_changed", Some("fr")).html.contains("Bonjour Ada &amp; Co"), "built in as before");
}

#[test]
fn messages_are_overridden_one_by_one_and_languages_are_added() {
    let words = overridden(&[("de.json", r#"{"greeting": "Servus!"}"#)]).unwrap();
    let german = write(&words, "password_changed", Some("de"));
    assert!(german.text.starts_with("Servus!") && german.subject.contains("geändert"));
    let english = BUILT_IN.iter().find(|(language, _)| *language == "en").unwrap().1;
    let words = overridden(&[("pt-BR.json", &english.replace("Hello", "Oi"))]).unwrap();
    assert!(write(&words, "password_changed", Some("pt-BR")).text.starts_with("Oi"));
}

#[test]
fn what_is_wrong_with_a_folder_is_told_in_one_line() {
    for (file, content, expected) in [
        ("password_reset.html", "{% if %}", "password_reset.html: syntax error"),
        ("password_reset.txt", "{{ lnik }}", "password_reset.txt: undefined value"),
        ("layout.txt", "{% for a in range(100000) %}{{ a }}{% endfor %}", "layout.txt: "),
        ("pasword_reset.html", "", "FOLDER/pasword_reset.html: the file name does not match a mail"),
        ("layout.zh-cn.html", "", "FOLDER/layout.zh-cn.html: the file name does not match a mail"),
        ("de.json", r#"{"greting": ""}"#, "FOLDER/de.json: \"greting\" is not a known message"),
        ("de.json", r#"{"greeting": "{{"}"#, "de.json: greeting: syntax error"),
        ("de.json", r#"{"greeting": 1}"#, "FOLDER/de.json: invalid type"),
        ("pt.json", r#"{"greeting": "Oi"}"#, "FOLDER/pt.json: lacks the message"),
        ("deutsch.json", "{}", "FOLDER/deutsch.json: the file name is not a language tag"),
    ] {
        let error = overridden(&[(file, content)]).err().unwrap_or_else(|| panic!("{file}: {content} passes"));
        assert!(error.starts_with(expected) && !error.contains('\n'), "{error}");
    }
    assert!(Words::from_folder(about(), std::path::Path::new("/nowhere/at/all")).is_err());
}
