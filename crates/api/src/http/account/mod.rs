//! The pages for users: the sign-in page, and the pages behind the links of mails. The latter ask before they call the API,
//! so that programs which follow every link of a mail use none of them up. No page runs or loads anything from elsewhere.

mod buttons;
pub(crate) mod error_page;
mod frame;
mod icons;
mod sign_in;
mod texts;

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use denizen_domain::one_time::Purpose;
use denizen_domain::providers;
use denizen_infra::mail::Links;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, StatusCode};

use self::buttons::Displays;
use self::frame::{Frame, Script, attribute};
use self::texts::Texts;
pub(super) use self::texts::escape;
use super::assets::Asset;
use super::extract::Caller;
use super::problem::Problem;
use super::{Shared, SharedState};

const PAGE: &str = include_str!("page.html");
/// What the pages load.
const FILES: [&str; 4] = ["/account/page.css", "/account/common.js", "/account/page.js", "/account/sign-in.js"];

/// What a page asks for.
#[derive(Clone, Copy, PartialEq)]
enum Field {
    Name,
    /// A new password, under the name that the operation knows it by.
    Password(&'static str),
    /// The password that the account has already, which may be left out.
    OwnPassword,
}

/// A page, and the operation that it calls.
#[derive(Clone, Copy)]
struct Page {
    purpose: Purpose,
    /// The operation's path below `/api/v1/`.
    call: &'static str,
    fields: &'static [Field],
    /// The path of the operation that registers a passkey in place of the password, if there is one.
    passkeys: Option<&'static str>,
    other: Other,
    then: Then,
}

/// What a page offers instead of its operation.
#[derive(Clone, Copy, PartialEq)]
enum Other {
    Nothing,
    /// A link to the sign-in page.
    SignIn,
    /// The providers with which an invitation can be accepted.
    Providers,
}

/// What follows the operation.
#[derive(Clone, Copy, PartialEq)]
enum Then {
    /// The page says that it is done, and leads to the sign-in page.
    Done,
    /// The operation has opened a session, which the browser stores as cookies.
    Session,
    /// The user is signed in with the new password.
    SignIn,
}

/// The page of mailed sign-in links.
const LINK: Page = Page {
    purpose: Purpose::SignIn,
    call: "sessions/magic-links/confirm",
    fields: &[],
    passkeys: None,
    other: Other::Nothing,
    then: Then::Session,
};

const PAGES: [Page; 4] = [
    Page {
        purpose: Purpose::PasswordReset,
        call: "password-resets/confirm",
        fields: &[Field::Password("new_password")],
        passkeys: Some("password-resets/passkeys"),
        other: Other::SignIn,
        then: Then::Done,
    },
    Page {
        purpose: Purpose::EmailVerification,
        call: "email-verifications/confirm",
        fields: &[Field::OwnPassword],
        passkeys: None,
        other: Other::SignIn,
        then: Then::Done,
    },
    Page {
        purpose: Purpose::EmailChange,
        call: "email-changes/confirm",
        fields: &[],
        passkeys: None,
        other: Other::Nothing,
        then: Then::Done,
    },
    Page {
        purpose: Purpose::Invitation,
        call: "invitations/accept",
        fields: &[Field::Name, Field::Password("password")],
        passkeys: Some("invitations/passkeys"),
        other: Other::Providers,
        then: Then::SignIn,
    },
];

/// The pages, and what they load.
pub(super) fn routes() -> Router<Shared> {
    let mut router = Router::new().route(Links::path(Purpose::SignIn), get(sign_in::show));
    for path in FILES {
        router = router.route(path, get(async move |headers: HeaderMap| file(path, &headers)));
    }
    for page in PAGES {
        let show = async move |State(shared): State<Shared>, Caller(ctx): Caller, headers: HeaderMap| {
            let displays = match page.other {
                Other::Providers => providers::displays_for_invitation(&ctx).await?,
                Other::Nothing | Other::SignIn => Vec::new(),
            };
            Ok::<_, Problem>(page.show(&shared, &headers, &displays))
        };
        router = router.route(Links::path(page.purpose), get(show));
    }
    router
}

/// What a page needs to know of the server.
struct Facts<'a> {
    product: &'a str,
    password_chars_min: u32,
    sign_in_url: &'a str,
    /// The origins whose pages can use passkeys.
    passkey_origins: &'a [String],
    providers: &'a Displays,
}

impl Page {
    fn show(self, shared: &SharedState, headers: &HeaderMap, providers: &Displays) -> Response {
        let policy = &shared.services.policy;
        let facts = Facts {
            product: &policy.product_name,
            password_chars_min: policy.password_chars_min,
            sign_in_url: &sign_in::url(policy),
            passkey_origins: shared.services.webauthn.origins(),
            providers,
        };
        page(self.written(Texts::of_request(headers), &facts))
    }

    /// The page in a language. Every value is escaped, including those of the configuration.
    fn written(self, texts: &Texts, facts: &Facts<'_>) -> String {
        let name = Links::path(self.purpose).rsplit('/').next().unwrap_or_default();
        let fields: String = self.fields.iter().map(|field| field.written(texts, facts.password_chars_min)).collect();
        let mut main = texts.fill(PAGE);
        for part in ["title", "intro", "button", "done"] {
            main = main.replace(&format!("{{{part}}}"), &escape(texts.say(&format!("{name}.{part}"))));
        }
        let is = |then| if self.then == then { "true" } else { "false" };
        let way_other = format!("<p class=\"back\"><a href=\"sign-in\">{}</a></p>\n", escape(texts.say("way_other")));
        let passkeys = self.passkeys.filter(|_| !facts.passkey_origins.is_empty());
        let main = main
            .replace("{call}", self.call)
            .replace("{cookies}", is(Then::Session))
            .replace("{sign_in}", is(Then::SignIn))
            .replace("{other}", if self.other == Other::SignIn { &way_other } else { "" })
            .replace("{fields}", &fields)
            .replace("{instead}", &buttons::instead_of_password(texts, passkeys, facts.providers));
        let mut settings = texts.errors();
        if passkeys.is_some() {
            settings += &attribute("passkeys", &facts.passkey_origins.join(" "));
        }
        if !facts.providers.is_empty() {
            settings += &attribute("self", facts.sign_in_url);
        }
        let script = Some(Script { file: "page.js", settings });
        Frame { texts, product: facts.product, title: &format!("{name}.title"), base: "", script }.around(&main)
    }
}

impl Field {
    fn written(self, texts: &Texts, password_chars_min: u32) -> String {
        match self {
            Self::Name => {
                let label = escape(texts.say("name"));
                format!("<label>{label}<input name=\"name\" autocomplete=\"name\" maxlength=\"200\"></label>\n")
            }
            Self::OwnPassword => password(texts, "own_password", "password", "autocomplete=\"current-password\""),
            Self::Password(name) => {
                let rules = format!("autocomplete=\"new-password\" minlength=\"{password_chars_min}\" required");
                password(texts, "new_password", name, &rules)
            }
        }
    }
}

/// A password field with a button that shows the password.
fn password(texts: &Texts, label: &str, name: &str, rules: &str) -> String {
    let [label, show, hide] = [label, "sign_in_form.show", "sign_in_form.hide"].map(|key| escape(texts.say(key)));
    format!(
        "<label for=\"secret-password\">{label}</label>\n<div class=\"with-button\"><input id=\"secret-password\" \
         type=\"password\" name=\"{name}\" maxlength=\"128\" {rules}><button type=\"button\" data-show=\"{show}\" \
         data-hide=\"{hide}\" aria-pressed=\"false\" aria-controls=\"secret-password\">{show}</button></div>\n"
    )
}

/// A page as a response. Its address may contain a token or a code.
fn page(html: String) -> Response {
    ([(CONTENT_TYPE, "text/html; charset=utf-8"), (CACHE_CONTROL, "no-store")], html).into_response()
}

fn file(path: &str, headers: &HeaderMap) -> Response {
    Asset::at(path).map_or_else(|| StatusCode::NOT_FOUND.into_response(), |asset| asset.respond(headers))
}

#[cfg(test)]
mod tests {
    use denizen_domain::providers::{ProviderDisplay, ProviderName};

    use super::sign_in::{self, Offer, Visit};
    use super::texts::Texts;
    use super::{Displays, Facts, LINK, PAGES, Purpose};

    const PRODUCT: &str = "A <b> & {title}";
    const URL: &str = "https://id.example.com/auth/account/sign-in";
    /// How large a page may be, in bytes.
    const PAGE_BYTES_MAX: usize = 15 * 1024;

    fn facts<'a>(passkey_origins: &'a [String], providers: &'a Displays) -> Facts<'a> {
        Facts { product: PRODUCT, password_chars_min: 8, sign_in_url: URL, passkey_origins, providers }
    }

    fn check(written: &str, language: &str) {
        assert!(written.contains("A &lt;b&gt; &amp; {title}"), "{written}");
        let rest = written.replace("A &lt;b&gt; &amp; {title}", "");
        assert!(!rest.contains(['{', '}']), "{rest}");
        assert!(!rest.contains("http:") && !rest.contains("https:") && !rest.contains("<style"), "{rest}");
        assert!(rest.contains(&format!("<html lang=\"{language}\">")));
        assert!(written.len() <= PAGE_BYTES_MAX, "{language}: {} bytes", written.len());
    }

    fn display(name: &str, label: &str, icon: &str) -> (ProviderName, ProviderDisplay) {
        (ProviderName::parse(name).unwrap(), ProviderDisplay { label: label.to_owned(), icon: icon.to_owned() })
    }

    #[test]
    fn every_page_is_whole_in_every_language() {
        for texts in Texts::all() {
            for page in PAGES.into_iter().chain([LINK]) {
                let written = page.written(texts, &facts(&[], &[]));
                check(&written, texts.language);
                let has_link = written.contains("<p class=\"back\"><a href=\"sign-in\">");
                assert_eq!(has_link, matches!(page.purpose, Purpose::PasswordReset | Purpose::EmailVerification));
            }
            check(&sign_in::written(texts, PRODUCT, &Offer::default(), &Visit::default()), texts.language);
        }
    }

    #[test]
    fn the_page_of_an_invitation_offers_providers() {
        let page = PAGES.into_iter().find(|page| page.purpose == Purpose::Invitation).unwrap();
        for texts in Texts::all() {
            let written = page.written(texts, &facts(&[], &[display("acme", "<Acme>", "generic")]));
            for part in ["data-provider=\"acme\"", "&lt;Acme&gt;", "class=\"or\"", &format!("data-self=\"{URL}\"")] {
                assert!(written.contains(part), "{part}: {written}");
            }
            let written = page.written(texts, &facts(&[], &[]));
            assert!(!written.contains("class=\"or\"") && !written.contains("data-self"), "{written}");
        }
    }

    #[test]
    fn a_passkey_is_offered_in_place_of_a_password() {
        let origins = ["https://id.example.com".to_owned(), "https://app.example.com".to_owned()];
        let acme = [display("acme", "<Acme>", "generic")];
        for page in PAGES.into_iter().chain([LINK]) {
            for (texts, providers) in Texts::all().iter().flat_map(|texts| [(texts, &[][..]), (texts, &acme[..])]) {
                let written = page.written(texts, &facts(&origins, providers));
                assert!(written.len() <= PAGE_BYTES_MAX, "{}: {} bytes", texts.language, written.len());
                assert_eq!(written.contains("id=\"by-passkey\""), page.passkeys.is_some());
                let settings = "data-passkeys=\"https://id.example.com https://app.example.com\"";
                assert_eq!(written.contains(settings), page.passkeys.is_some());
                // Without JavaScript, neither the button nor a divider above nothing is visible.
                let is_alone = page.passkeys.is_some() && providers.is_empty();
                assert_eq!(written.contains("<p class=\"or\" data-needs-passkeys hidden>"), is_alone);
            }
        }
    }

    #[test]
    fn the_sign_in_page_offers_what_the_server_offers() {
        let offer = Offer {
            providers: vec![display("acme", "<Acme>", "generic"), display("google", "Google", "google")],
            passkey_origins: vec!["https://id.example.com".to_owned()],
            sends_mail: true,
            mailed_codes: true,
            magic_links: true,
        };
        let return_to = Some("https://app.example.com/?a=\"b".to_owned());
        let visit = Visit { return_to, may_be_signed_in: true, ..Visit::default() };
        for texts in Texts::all() {
            let written = sign_in::written(texts, "Product", &offer, &visit);
            for part in [
                "data-provider=\"acme\"",
                "&lt;Acme&gt;",
                "<i aria-hidden=\"true\">&lt;</i>",
                "data-provider=\"google\"",
                "id=\"passkey\"",
                "data-passkeys=\"https://id.example.com\"",
                "data-return=\"https://app.example.com/?a=&quot;b\"",
                "data-forgot",
                "data-mailed=\"codes\"",
                "data-mailed=\"magic-links\"",
                "data-session=\"1\"",
            ] {
                assert!(written.contains(part), "{part}: {written}");
            }
            assert!(written.len() <= PAGE_BYTES_MAX, "{}: {} bytes", texts.language, written.len());
            let written = sign_in::written(texts, "Product", &Offer::default(), &Visit::default());
            for part in
                ["data-provider", "id=\"passkey\"", "data-forgot", "data-mailed", "class=\"or\"", "data-session"]
            {
                assert!(!written.contains(part), "{part}: {written}");
            }
        }
    }
}
