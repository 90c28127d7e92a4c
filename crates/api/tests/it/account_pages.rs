//! The pages behind the links of mails.

use reqwest::Method;
use serde_json::{Value, json};

use crate::docs::document;
use crate::harness::{PASSWORD, TestApp, on_both, problem};

const PAGES: [&str; 5] = ["reset-password", "verify-email", "confirm-email", "accept-invitation", "sign-in"];

/// What stands between two texts.
fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(before)?;
    Some(rest.split_once(after)?.0)
}

/// The names of the inputs of the form that asks.
fn inputs(page: &str) -> Vec<&str> {
    let form = between(page, "<form id=\"ask\"", "</form>").unwrap();
    form.split("<input").skip(1).map(|input| between(input, " name=\"", "\"").unwrap()).collect()
}

#[tokio::test]
async fn pages_are_shown_and_keep_to_themselves() {
    let app = TestApp::start_with(crate::harness::Db::Sqlite, &[("product.name", "Ben & Co")]).await;
    for name in PAGES {
        let path = format!("/account/{name}?token=dno_SECRET");
        let response = app.request(Method::GET, &path, None).header("accept-language", "de-CH").send().await.unwrap();
        assert_eq!(response.status(), 200, "{path}");
        let header = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
        assert_eq!(header("content-type"), "text/html; charset=utf-8");
        assert_eq!(header("cache-control"), "no-store");
        assert_eq!(header("referrer-policy"), "no-referrer");
        let policy = header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'; script-src 'self';") && !policy.contains("unsafe"), "{policy}");
        let page = response.text().await.unwrap();
        assert!(page.contains("<html lang=\"de\">") && page.contains("Ben &amp; Co"), "{page}");
        // The only URLs are the origins whose pages can use passkeys.
        let origins = between(&page, " data-passkeys=\"", "\"").unwrap_or_default();
        let rest = page.replace(&format!(" data-passkeys=\"{origins}\""), "");
        assert!(!rest.contains("SECRET") && !rest.contains("://"), "{page}");
        assert_eq!(page.contains("id=\"by-passkey\""), matches!(name, "reset-password" | "accept-invitation"));
        // Scripts and styles come by a path of their own, so that the policy need not allow any inside.
        assert!(!page.contains("<style") && !page.contains("style=") && !page.contains(" on"), "{page}");
        for posted in [Method::POST, Method::PUT] {
            assert_eq!(app.request(posted, &path, None).send().await.unwrap().status(), 405);
        }
    }
    for (file, content_type) in [
        ("common.js", "text/javascript; charset=utf-8"),
        ("page.js", "text/javascript; charset=utf-8"),
        ("sign-in.js", "text/javascript; charset=utf-8"),
        ("page.css", "text/css; charset=utf-8"),
    ] {
        let response = app.request(Method::GET, &format!("/account/{file}"), None).send().await.unwrap();
        assert_eq!(
            (response.status().as_u16(), &response.headers()["content-type"]),
            (200, &content_type.parse().unwrap())
        );
    }
    assert_eq!(app.request(Method::GET, "/account/nothing", None).send().await.unwrap().status(), 404);
}

#[tokio::test]
async fn pages_ask_for_what_their_operations_take() {
    let app = TestApp::start(crate::harness::Db::Sqlite).await;
    let document = document();
    for name in PAGES {
        let path = format!("/account/{name}?token=dno_SECRET");
        let page = app.request(Method::GET, &path, None).send().await.unwrap().text().await.unwrap();
        let by_passkey = between(&page, "id=\"by-passkey\" data-call=\"", "\"").map(|call| format!("/api/v1/{call}"));
        for path in by_passkey.iter().flat_map(|path| [path.clone(), format!("{path}/options")]) {
            assert!(document["paths"][&path].get("post").is_some(), "{path}");
        }
        let operation = format!("/api/v1/{}", between(&page, "data-call=\"", "\"").unwrap());
        let body = &document["paths"][&operation]["post"]["requestBody"]["content"]["application/json"]["schema"];
        let reference = body["$ref"].as_str().unwrap_or_else(|| panic!("{operation} takes no body"));
        let schema = document.pointer(reference.strip_prefix('#').unwrap()).unwrap();
        let is_known = |field: &str| schema["properties"].get(field).is_some();
        let mut sent = vec!["token"];
        sent.extend(inputs(&page));
        if page.contains("data-cookies=\"true\"") {
            sent.push("cookies");
        }
        assert!(sent.iter().all(|field| is_known(field)), "{operation} does not take all of {sent:?}");
        let required = schema["required"].as_array().cloned().unwrap_or_default();
        for field in required.iter().filter_map(Value::as_str) {
            assert!(sent.contains(&field), "{path} does not send {field}");
        }
    }
}

on_both! {
    async fn browsers_get_errors_of_a_provider_sign_in_as_a_page(
        app: TestApp, "server.public_url" = "https://id.example.com/auth", "product.name" = "Ben & Co",
        "providers.github.preset" = "github", "providers.github.client_id" = "x", "providers.github.client_secret" = "y"
    ) {
        const BROWSER: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
        let challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
        for (method, path, status, code, expected) in [
            (Method::GET, "/api/v1/auth/github/callback?state=x&code=y".to_owned(), 400, "invalid_input", "in einem anderen Fenster"),
            (Method::GET, "/api/v1/auth/github/callback?form=x".to_owned(), 400, "invalid_input", "in einem anderen Fenster"),
            (Method::GET, format!("/api/v1/auth/github?redirect_to=https://evil.example/&code_challenge={challenge}"), 400,
                "invalid_input", "nicht richtig eingerichtet"),
            (Method::GET, format!("/api/v1/auth/acme?redirect_to=x&code_challenge={challenge}"), 404, "provider_not_found",
                "Diesen Anbieter gibt es hier nicht"),
            (Method::GET, "/api/v1/auth/github?unknown=<script>".to_owned(), 400, "invalid_input", "nicht geklappt"),
            (Method::POST, "/api/v1/auth/github/callback".to_owned(), 415, "unsupported_media_type", "nicht geklappt"),
        ] {
            let request = app.request(method.clone(), &path, None).header("accept", BROWSER).header("accept-language", "de");
            let response = request.send().await.unwrap();
            assert_eq!(response.status(), status, "{path}");
            let header = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
            assert_eq!((header("content-type"), header("cache-control")), ("text/html; charset=utf-8".into(), "no-store".into()));
            assert!(header("content-security-policy").contains("script-src 'self'"), "{path}");
            assert!(header("permissions-policy").contains("publickey-credentials-get=(self)"), "{path}");
            let request_id = header("x-request-id");
            let page = response.text().await.unwrap();
            for part in [expected, "<html lang=\"de\">", "Ben &amp; Co", &request_id, "href=\"/auth/account/sign-in\""] {
                assert!(page.contains(part), "{path} {part}: {page}");
            }
            assert!(!page.contains("evil.example") && !page.contains("<script"), "{page}");
            for accept in ["*/*", "application/json", "application/json, text/html;q=0.5"] {
                let request = app.request(method.clone(), &path, None).header("accept", accept);
                problem(request.send().await.unwrap(), status, code).await;
            }
        }
    }

    async fn the_sign_in_page_shows_what_is_offered(
        app: TestApp, "server.public_url" = "https://id.example.com/auth", "product.name" = "Ben & Co",
        "sign_in.redirect_urls" = "https://app.example.com/signed-in", "sign_in.magic_links" = "true",
        "providers.github.preset" = "github", "providers.github.client_id" = "x", "providers.github.client_secret" = "y"
    ) {
        let show = async |query: &str, cookie: &str| {
            let request = app.request(Method::GET, &format!("/account/sign-in{query}"), None);
            let response = request.header("accept-language", "es").header("cookie", cookie).send().await.unwrap();
            assert_eq!((response.status().as_u16(), &response.headers()["cache-control"]), (200, &"no-store".parse().unwrap()));
            response.text().await.unwrap()
        };
        let page = show("", "").await;
        assert!(page.contains("<html lang=\"es\">") && page.contains("Ben &amp; Co"), "{page}");
        assert!(page.contains("data-provider=\"github\"") && page.contains("Continuar con GitHub"), "{page}");
        assert!(page.contains("data-self=\"https://id.example.com/auth/account/sign-in\""), "{page}");
        assert!(page.contains("data-passkeys=\"https://id.example.com\"") && page.contains("id=\"passkey\""), "{page}");
        assert!(page.contains("data-mailed=\"magic-links\"") && !page.contains("data-mailed=\"codes\""), "{page}");
        assert!(!page.contains("data-return") && !page.contains("data-session"), "{page}");
        assert!(!page.contains("<style") && !page.contains("style=") && !page.contains("onclick"), "{page}");
        let is_form_hidden = |page: &str| page.contains("<section id=\"sign-in\" hidden>");
        assert!(!is_form_hidden(&page));
        // Nothing flashes up that the script replaces at once.
        assert!(is_form_hidden(&show("", "__Host-denizen_refresh=dnr_x").await));
        assert!(is_form_hidden(&show("?code=dnx_SECRET", "").await));
        for (return_to, expected) in [
            ("https%3A%2F%2Fapp.example.com%2Fsigned-in%3Fa%3Db", Some("https://app.example.com/signed-in?a=b")),
            ("%2Fauth%2Fdocs%2F", Some("https://id.example.com/auth/docs/")),
            ("https%3A%2F%2Fevil.example%2F", None),
            ("%2F%2Fevil.example%2F", None),
            ("%2F%5Cevil.example%2F", None),
            ("javascript%3Aalert(1)", None),
        ] {
            let page = show(&format!("?return_to={return_to}&code=dnx_SECRET"), "").await;
            assert_eq!(between(&page, "data-return=\"", "\""), expected, "{return_to}");
            assert!(!page.contains("SECRET") && !page.contains("evil"), "{page}");
        }
    }

    async fn the_page_of_an_invitation_offers_providers_that_link_verified_addresses(
        app: TestApp, "server.public_url" = "https://id.example.com/auth",
        "providers.github.preset" = "github", "providers.github.client_id" = "x", "providers.github.client_secret" = "y",
        "providers.github.link" = "verified",
        "providers.google.preset" = "google", "providers.google.client_id" = "x", "providers.google.client_secret" = "y"
    ) {
        for (name, offered) in [("accept-invitation", true), ("reset-password", false), ("verify-email", false)] {
            let request = app.request(Method::GET, &format!("/account/{name}?token=dno_SECRET"), None);
            let page = request.header("accept-language", "fr").send().await.unwrap().text().await.unwrap();
            let url = offered.then_some("https://id.example.com/auth/account/sign-in");
            assert_eq!(between(&page, "data-self=\"", "\""), url, "{name}");
            assert_eq!(page.contains("Continuer avec GitHub"), offered, "{name}");
            assert_eq!(page.contains("Se connecter autrement"), !offered, "{name}");
            assert!(!page.contains("data-provider=\"google\""), "{page}");
        }
    }

    async fn opening_a_page_does_not_use_its_link_up(app: TestApp) {
        let user = app.user().await;
        let asked = app.post("/api/v1/password-resets", &json!({"email": user.email})).await;
        assert_eq!(asked.status(), 202);
        let token = app.token_to(&user.email, "reset-password").await;
        let mut page = String::new();
        for _ in 0..3 {
            let path = format!("/account/reset-password?token={token}");
            page = app.request(Method::GET, &path, None).send().await.unwrap().text().await.unwrap();
        }
        // What the page's script sends when its button is pressed.
        let operation = format!("/api/v1/{}", between(&page, "data-call=\"", "\"").unwrap());
        let mut body = json!({"token": token});
        for input in inputs(&page) {
            body[input] = json!(format!("{PASSWORD} 2"));
        }
        assert_eq!(app.post(&operation, &body).await.status(), 204);
        assert_eq!(app.try_sign_in(&user.email, &format!("{PASSWORD} 2")).await.status(), 201);
    }

    async fn a_link_begins_with_the_configured_url(
        app: TestApp, "server.public_url" = "https://accounts.example.com", "mail.link_base" = "https://app.example.com/in"
    ) {
        let user = app.user().await;
        let request = app.request(Method::POST, "/api/v1/password-resets", None).json(&json!({"email": user.email}));
        let request = request.header("host", "evil.example").header("x-forwarded-host", "evil.example");
        assert_eq!(request.header("forwarded", "host=evil.example").send().await.unwrap().status(), 202);
        app.token_to(&user.email, "reset-password").await;
        let letter = app.letters_to(&user.email).into_iter().find(|letter| letter.text.contains("reset-password?")).unwrap();
        assert!(letter.text.contains("\nhttps://app.example.com/in/account/reset-password?token=dno_"), "{}", letter.text);
        assert!(!letter.text.contains("evil") && letter.text.contains("app.example.com)"), "{}", letter.text);
    }
}
