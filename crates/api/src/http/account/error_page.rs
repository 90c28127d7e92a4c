//! Errors as pages, where browsers are navigated to: the redirects of providers, and the pages that read the store.

use axum::body::Body;
use axum::response::Response;
use denizen_domain::one_time::Purpose;
use denizen_infra::mail::Links;
use http::header::{ACCEPT, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Request};

use super::escape;
use super::frame::Frame;
use super::texts::Texts;
use crate::http::encoding::entry_of;
use crate::http::problem::Problem;

const PAGE: &str = include_str!("error.html");
const PROVIDER_FLOW: &str = "/api/v1/auth/";
/// How many entries of `Accept` are read.
const ENTRIES_MAX: usize = 32;

/// What error pages contain besides the error.
pub(crate) struct ErrorPages {
    /// The path of the public URL.
    pub(crate) prefix: Box<str>,
    /// The name of the product.
    pub(crate) product: Box<str>,
}

/// The error page for a request, in the language of its reader.
#[derive(Clone, Copy)]
pub(crate) struct ErrorPage<'a> {
    pages: &'a ErrorPages,
    texts: &'static Texts,
}

impl ErrorPages {
    /// The page for an error of this request, if the request is a navigation of a browser.
    pub(crate) fn wanted<B>(&self, request: &Request<B>) -> Option<ErrorPage<'_>> {
        let is_page = is_navigated_to(request.uri().path()) && prefers_html(request.headers());
        is_page.then(|| ErrorPage { pages: self, texts: Texts::of_request(request.headers()) })
    }
}

impl ErrorPage<'_> {
    /// The response with the page as its body.
    pub(crate) fn render(self, problem: &Problem, response: Response, request_id: &str) -> Response {
        let (mut parts, _) = response.into_parts();
        parts.headers.remove(CONTENT_LENGTH);
        parts.headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
        parts.headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        Response::from_parts(parts, Body::from(self.written(problem, request_id)))
    }

    fn written(self, problem: &Problem, request_id: &str) -> String {
        let Self { pages, texts } = self;
        let base = format!("{}/account/", pages.prefix);
        let main = texts
            .fill(PAGE)
            .replace("{base}", &escape(&base))
            .replace("{request_id}", &escape(request_id))
            .replace("{message}", &escape(self.message(problem)));
        Frame { texts, product: &pages.product, title: "error_page.title", base: &base, script: None }.around(&main)
    }

    /// The text for the first invalid field, or for the error.
    fn message(self, problem: &Problem) -> &'static str {
        let code = problem.fields().next().map_or(problem.code(), |(_, code, _)| code);
        let key = match (code, problem.status()) {
            ("provider_unavailable", _) => code,
            (_, 429 | 503) => "overloaded",
            _ => code,
        };
        match self.texts.say(&format!("error.{key}")) {
            "" => self.texts.say("failed"),
            text => text,
        }
    }
}

/// Whether browsers are navigated to the path.
fn is_navigated_to(path: &str) -> bool {
    let is_flow = |name: &str| name != "providers" && !name.is_empty() && !name.contains('/');
    let flow = path.strip_prefix(PROVIDER_FLOW).map(|rest| rest.strip_suffix("/callback").unwrap_or(rest));
    flow.is_some_and(is_flow) || [Purpose::SignIn, Purpose::Invitation].map(Links::path).contains(&path)
}

/// Whether the client names HTML, and does not prefer JSON (RFC 9110 §12.5.1).
pub(in crate::http) fn prefers_html(headers: &HeaderMap) -> bool {
    let values = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let entries: Vec<_> = values.flat_map(|value| value.split(',')).take(ENTRIES_MAX).map(entry_of).collect();
    let quality_of = |name: &str| {
        entries.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map_or(0, |(_, quality)| *quality)
    };
    let html = quality_of("text/html");
    html > 0 && html >= quality_of("application/json")
}

#[cfg(test)]
mod tests {
    use http::header::ACCEPT;
    use http::{HeaderMap, StatusCode};

    use super::{ErrorPage, ErrorPages, Texts, is_navigated_to, prefers_html};
    use crate::http::problem::Problem;

    #[test]
    fn browsers_prefer_html_and_programs_do_not() {
        for (accept, expected) in [
            ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", true),
            ("application/json;q=0.5, TEXT/HTML", true),
            ("*/*", false),
            ("application/json", false),
            ("application/json, text/html;q=0.9", false),
            ("text/html;q=0", false),
            ("", false),
        ] {
            let headers = HeaderMap::from_iter([(ACCEPT, accept.parse().unwrap())]);
            assert_eq!(prefers_html(&headers), expected, "{accept}");
        }
        assert!(!prefers_html(&HeaderMap::new()));
    }

    #[test]
    fn navigations_are_the_flows_and_the_pages_that_read_the_store() {
        for path in
            ["/api/v1/auth/google", "/api/v1/auth/google/callback", "/account/sign-in", "/account/accept-invitation"]
        {
            assert!(is_navigated_to(path), "{path}");
        }
        for path in [
            "/api/v1/auth/",
            "/api/v1/auth/providers",
            "/api/v1/auth/google/nonces",
            "/api/v1/users",
            "/account/page.js",
        ] {
            assert!(!is_navigated_to(path), "{path}");
        }
    }

    #[test]
    fn a_page_is_whole_in_every_language() {
        let pages = ErrorPages { prefix: "/auth".into(), product: "A <b> & {message}".into() };
        let page = |texts, code| {
            let problem = Problem::new(StatusCode::BAD_REQUEST, code, "English");
            ErrorPage { pages: &pages, texts }.written(&problem, "id-1")
        };
        for texts in Texts::all() {
            for code in ["invalid_state", "provider_not_found", "nothing_known"] {
                let written = page(texts, code);
                assert!(written.contains("A &lt;b&gt; &amp; {message}") && written.contains("id-1"), "{written}");
                assert!(written.contains("href=\"/auth/account/sign-in\""), "{written}");
                let rest = written.replace("A &lt;b&gt; &amp; {message}", "");
                assert!(!rest.contains(['{', '}']) && !rest.contains("English"), "{rest}");
            }
            assert_ne!(page(texts, "invalid_state"), page(texts, "provider_not_found"));
        }
    }
}
