//! The pages behind the links of mails: each asks before it calls the API, so that programs which follow every link of
//! a mail use none of them up. No page runs or loads anything from elsewhere.

mod texts;

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use denizen_domain::one_time::Purpose;
use denizen_domain::users::Locale;
use denizen_infra::mail::Links;
use http::header::{ACCEPT_LANGUAGE, CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, StatusCode};

use self::texts::Texts;
pub(super) use self::texts::escape;
use super::Shared;
use super::assets::Asset;

const PAGE: &str = include_str!("page.html");
const SCRIPT_PATH: &str = "/account/page.js";
const STYLE_PATH: &str = "/account/page.css";

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
    /// Whether the operation opens a session, which the browser then keeps as cookies.
    signs_in: bool,
}

const PAGES: [Page; 5] = [
    Page {
        purpose: Purpose::PasswordReset,
        call: "password-resets/confirm",
        fields: &[Field::Password("new_password")],
        signs_in: false,
    },
    Page {
        purpose: Purpose::EmailVerification,
        call: "email-verifications/confirm",
        fields: &[Field::OwnPassword],
        signs_in: false,
    },
    Page { purpose: Purpose::EmailChange, call: "email-changes/confirm", fields: &[], signs_in: false },
    Page {
        purpose: Purpose::Invitation,
        call: "invitations/accept",
        fields: &[Field::Name, Field::Password("password")],
        signs_in: false,
    },
    Page { purpose: Purpose::SignIn, call: "sessions/magic-links/confirm", fields: &[], signs_in: true },
];

/// The pages, and what they load.
pub(super) fn routes() -> Router<Shared> {
    let mut router = Router::new()
        .route(SCRIPT_PATH, get(async |headers: HeaderMap| file(SCRIPT_PATH, &headers)))
        .route(STYLE_PATH, get(async |headers: HeaderMap| file(STYLE_PATH, &headers)));
    for page in PAGES {
        let show = async move |State(shared): State<Shared>, headers: HeaderMap| page.show(&shared, &headers);
        router = router.route(Links::path(page.purpose), get(show));
    }
    router
}

impl Page {
    fn show(self, shared: &Shared, headers: &HeaderMap) -> Response {
        let said = headers.get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
        let texts = Texts::for_reader(said.and_then(Locale::preferred).as_ref());
        let policy = &shared.services.policy;
        let mut response =
            with_type("text/html; charset=utf-8", self.written(texts, &policy.product_name, policy.password_chars_min));
        // The address carries a token.
        response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }

    /// The page in a language. What is filled in comes from us or from the operator, and is escaped all the same.
    fn written(self, texts: &Texts, product: &str, password_chars_min: u32) -> String {
        let name = Links::path(self.purpose).rsplit('/').next().unwrap_or_default();
        let fields: String = self.fields.iter().map(|field| field.written(texts, password_chars_min)).collect();
        let own = ["title", "intro", "button", "done"].map(|part| (part, texts.say(&format!("{name}.{part}"))));
        let shared = ["link_dead", "failed", "enrol", "wrong_code", "noscript", "factor", "code"];
        let shared = shared.map(|part| (part, texts.say(part)));
        let mut page = PAGE.to_owned();
        for (part, text) in own.into_iter().chain(shared) {
            page = page.replace(&format!("{{{part}}}"), &escape(text));
        }
        let cookies = if self.signs_in { "true" } else { "false" };
        page.replace("{language}", texts.language)
            .replace("{call}", self.call)
            .replace("{cookies}", cookies)
            .replace("{fields}", &fields)
            // Last: a product's name is never searched for places to fill.
            .replace("{product}", &escape(product))
    }
}

impl Field {
    fn written(self, texts: &Texts, password_chars_min: u32) -> String {
        match self {
            Self::Name => {
                let label = escape(texts.say("name"));
                format!("<label>{label}<input name=\"name\" autocomplete=\"name\" maxlength=\"200\"></label>\n")
            }
            Self::OwnPassword => {
                let label = escape(texts.say("own_password"));
                format!(
                    "<label>{label}<input type=\"password\" name=\"password\" autocomplete=\"current-password\" \
                     maxlength=\"128\"></label>\n"
                )
            }
            Self::Password(name) => {
                let label = escape(texts.say("new_password"));
                format!(
                    "<label>{label}<input type=\"password\" name=\"{name}\" autocomplete=\"new-password\" \
                     minlength=\"{password_chars_min}\" maxlength=\"128\" required></label>\n"
                )
            }
        }
    }
}

fn file(path: &str, headers: &HeaderMap) -> Response {
    Asset::at(path).map_or_else(|| StatusCode::NOT_FOUND.into_response(), |asset| asset.respond(headers))
}

fn with_type(content_type: &'static str, body: String) -> Response {
    ([(CONTENT_TYPE, content_type)], body).into_response()
}

#[cfg(test)]
mod tests {
    use super::PAGES;
    use super::texts::Texts;

    #[test]
    fn every_page_is_whole_in_every_language() {
        for texts in Texts::all() {
            for page in PAGES {
                let written = page.written(texts, "A <b> & {title}", 8);
                assert!(written.contains("A &lt;b&gt; &amp; {title}"), "{written}");
                let rest = written.replace("A &lt;b&gt; &amp; {title}", "");
                assert!(!rest.contains(['{', '}']), "{rest}");
                assert!(!rest.contains("http:") && !rest.contains("https:") && !rest.contains("<style"), "{rest}");
                assert!(rest.contains(&format!("<html lang=\"{}\">", texts.language)));
            }
        }
    }
}
