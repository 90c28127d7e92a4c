//! Any bytes to any route: never a 5xx, never a hung connection, always the one error shape, and never a status
//! that the document does not name. The chance is seeded: a failure repeats.

use std::collections::BTreeSet;
use std::time::Duration;

use denizen_domain::ports::Random;
use denizen_testkit::SeededRandom;
use reqwest::header::{HeaderName, HeaderValue};
use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::docs::{Operation, document, example, operations};
use crate::harness::{PASSWORD, check_error_body, on_both};
use crate::holders::{Targets, filled};
use crate::raw::RawClient;

const REQUESTS: u32 = 8_000;
const HEADERS: &[&str] = &[
    "if-match",
    "if-none-match",
    "idempotency-key",
    "x-request-id",
    "content-type",
    "content-encoding",
    "accept",
    "accept-encoding",
    "authorization",
    "origin",
    "range",
    "expect-nothing",
    "x-forwarded-for",
    "forwarded",
    "cookie",
    "x-csrf-token",
    "sec-fetch-site",
    "accept-language",
    "if-modified-since",
    "x-http-method-override",
    "te",
    "user-agent",
];
const TEXTS: &[&str] = &[
    "",
    " ",
    "*",
    "\"1.0\"",
    "W/\"1\"",
    "null",
    "true",
    "-1",
    "0",
    "1",
    "200",
    "9223372036854775808",
    "1e309",
    "NaN",
    "a@example.com",
    "A@EXAMPLE.com",
    "ada@localhost",
    "admin",
    "user",
    "active",
    "disabled",
    "2026-01-01T00:00:00Z",
    "../../etc/passwd",
    "%00",
    "%",
    "' OR 1=1 --",
    "${jndi:x}",
    "\u{0}",
    "\u{202e}",
    "\u{fffe}",
    "👩\u{200d}🚀",
    "e\u{301}",
    "application/json",
    "gzip",
    "bytes=0-1",
    "019365a8-6a5c-7f3e-9d0c-7b1f0a1c2d3e",
    "{\"a\":",
    "[[[[",
    PASSWORD,
];

struct Chance(SeededRandom);

impl Chance {
    fn below(&self, bound: usize) -> usize {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes);
        usize::try_from(u64::from_le_bytes(bytes) % bound as u64).unwrap()
    }

    fn one_in(&self, of: usize) -> bool {
        self.below(of) == 0
    }

    fn pick<'a, T>(&self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len())]
    }

    fn bytes(&self, bound: usize) -> Vec<u8> {
        let mut bytes = vec![0; self.below(bound)];
        self.0.fill(&mut bytes);
        bytes
    }

    fn text(&self) -> String {
        match self.below(6) {
            0 => String::from_utf8_lossy(&self.bytes(40)).into_owned(),
            1 => self.pick(TEXTS).repeat(1 + self.below(60)),
            _ => (*self.pick(TEXTS)).to_owned(),
        }
    }

    fn json(&self, depth: usize) -> Value {
        match self.below(if depth == 0 { 5 } else { 7 }) {
            0 => Value::Null,
            1 => json!(self.one_in(2)),
            2 => json!(self.below(usize::MAX)),
            3 => json!(f64::from(u32::try_from(self.below(1 << 30)).unwrap()) * -1.7e-9),
            4 => json!(self.text()),
            5 => (0..self.below(4)).map(|_| self.json(depth - 1)).collect(),
            _ => Value::Object((0..self.below(4)).map(|_| (self.text(), self.json(depth - 1))).collect()),
        }
    }

    /// A body near the documented one, or nowhere near it.
    fn body(&self, example: Option<&str>) -> Vec<u8> {
        let near = example.and_then(|text| serde_json::from_str::<Value>(text).ok()).filter(Value::is_object);
        let Some(mut near) = near.filter(|_| !self.one_in(4)) else {
            return if self.one_in(2) { self.bytes(300) } else { self.json(4).to_string().into_bytes() };
        };
        let names: Vec<String> = near.as_object().unwrap().keys().cloned().collect();
        if near.get("email").is_some() && self.one_in(2) {
            near["email"] = json!(format!("p{}@example.com", self.below(1 << 20)));
        }
        for _ in 0..self.below(3) {
            let name = if self.one_in(4) { self.text() } else { self.pick(&names).clone() };
            near[name] = if self.one_in(2) { json!(self.text()) } else { self.json(3) };
        }
        let mut bytes = near.to_string().into_bytes();
        if self.one_in(4) {
            let at = self.below(bytes.len());
            bytes[at] = self.bytes(2).first().copied().unwrap_or(b'"');
        }
        bytes
    }

    /// A form near the documented one, or nowhere near it.
    fn form(&self, example: &str) -> Vec<u8> {
        if self.one_in(4) {
            return self.bytes(300);
        }
        let mut pairs: Vec<(String, String)> = serde_urlencoded::from_str(example).unwrap();
        for _ in 0..self.below(3) {
            let at = self.below(pairs.len());
            if self.one_in(2) {
                pairs[at].1 = self.text();
            } else {
                pairs.push((self.text(), self.text()));
            }
        }
        serde_urlencoded::to_string(pairs).unwrap().into_bytes()
    }

    /// A part of an address, its every byte legal there.
    fn part(&self) -> String {
        let bytes = if self.one_in(3) { self.bytes(20) } else { self.text().into_bytes() };
        bytes
            .iter()
            .map(
                |byte| {
                    if byte.is_ascii_alphanumeric() { char::from(*byte).to_string() } else { format!("%{byte:02x}") }
                },
            )
            .collect()
    }

    fn path(&self, operation: &Operation, targets: &Targets) -> String {
        let id = if self.one_in(3) { self.part() } else { targets.named_in(&operation.path).to_owned() };
        // Of nothing but dots a client makes another address.
        let id = if id.replace("%2e", "").is_empty() { "%20".to_owned() } else { id };
        let mut path = filled(&operation.path, &id);
        let names: Vec<&str> = operation.body["parameters"]
            .as_array()
            .into_iter()
            .flatten()
            .filter(|at| at["in"] == "query")
            .filter_map(|at| at["name"].as_str())
            .collect();
        for at in 0..self.below(4) {
            // What an operation does not have is refused: most requests have to get further than that.
            if names.is_empty() && !self.one_in(20) {
                break;
            }
            let name = if names.is_empty() || self.one_in(5) { self.part() } else { (*self.pick(&names)).to_owned() };
            path.push(if at == 0 { '?' } else { '&' });
            path = format!("{path}{name}={}", self.part());
        }
        path
    }

    fn headers(&self) -> Vec<(HeaderName, HeaderValue)> {
        let header = |_| {
            let value = if self.one_in(3) { self.bytes(60) } else { self.text().into_bytes() };
            // What no client library sends is for the test of raw bytes.
            let legal = value.into_iter().filter(|byte| *byte >= 0x20 && *byte != 0x7f).collect::<Vec<_>>();
            Some((HeaderName::from_static(HEADERS[self.below(HEADERS.len())]), HeaderValue::from_bytes(&legal).ok()?))
        };
        (0..self.below(3)).filter_map(header).collect()
    }
}

/// The operations that never succeeded. What no chance finds is a good token or code, a second factor, or a delivery.
fn missed<'a>(operations: &'a [Operation], met: &BTreeSet<(String, u16)>) -> Vec<&'a Operation> {
    let reached: BTreeSet<&str> = met.iter().filter(|(_, status)| *status < 400).map(|(id, _)| id.as_str()).collect();
    let is_missed = |operation: &&Operation| {
        !reached.contains(operation.id.as_str()) && !NEEDS_A_TOKEN.contains(&operation.id.as_str())
    };
    operations.iter().filter(is_missed).collect()
}

async fn check(operation: &Operation, request: &str, response: Response) -> u16 {
    let status = response.status().as_u16();
    assert!(status < 500, "{request}: {status} {:?}", response.text().await);
    let is_documented = operation.body["responses"][status.to_string()].is_object();
    assert!(is_documented || status == 431, "{request}: {status} is not documented");
    if status >= 400 {
        let request_id = response.headers()["x-request-id"].to_str().unwrap().to_owned();
        let body: Value = response.json().await.unwrap_or_else(|error| panic!("{request}: {error}"));
        if operation.id.starts_with("oauth2.") {
            assert!(body["error"].is_string() && body["error_description"].is_string(), "{request}: {body}");
        } else {
            check_error_body(&body, status, body["error"]["code"].as_str().unwrap(), &request_id);
        }
    } else if response.headers().get("content-type").is_some_and(|kind| kind == "text/event-stream") {
        // It has no end.
        drop(response);
    } else {
        response.bytes().await.unwrap_or_else(|error| panic!("{request}: {error}"));
    }
    status
}

/// What is refused without a token or a code that is good once, or by a client that speaks HTTP only.
const NEEDS_A_TOKEN: [&str; 43] = [
    "auth.begin",
    "auth.callback",
    "auth.callback_form",
    "me.identities.link",
    "me.identities.unlink",
    "providers.create",
    "providers.replace",
    "sessions.create_by_id_token",
    "sessions.exchange",
    "users.identities.token",
    "users.identities.unlink",
    "challenges.enrol",
    "challenges.finish",
    "email_changes.confirm",
    "email_verifications.confirm",
    "events.ws",
    "invitations.accept",
    "me.recovery_codes.replace",
    "me.totp.confirm",
    "me.totp.delete",
    "oauth2.token",
    "password_resets.confirm",
    "sessions.csrf_token",
    "sessions.follow_link",
    "sessions.refresh",
    "sessions.step_up",
    "users.factors.delete",
    "webhooks.delivery",
    "webhooks.retry",
    "me.passkeys.create",
    "me.passkeys.delete",
    "me.passkeys.update",
    "challenges.passkey",
    "challenges.passkey_options",
    "challenges.passkeys.create",
    "challenges.passkeys.options",
    "invitations.passkeys.create",
    "invitations.passkeys.options",
    "password_resets.passkeys.create",
    "password_resets.passkeys.options",
    "sessions.step_up_options",
    "sessions.passkeys.create",
    "users.passkeys.delete",
];

on_both! {
    async fn any_request_to_any_route_is_answered_as_documented(app: TestApp, "limits.failures_free" = "100000", "limits.address_per_second" = "0",
        "limits.address_failures_free" = "0",
        "limits.sign_up_mails_per_hour" = "100000", "limits.account_writes_per_minute" = "0",
        "sign_in.mailed_codes" = "true", "sign_in.magic_links" = "true") {
        let chance = Chance(SeededRandom::new(20_261_201));
        let document = document();
        let operations = operations(&document);
        let mut met = BTreeSet::new();
        let mut targets = Vec::new();
        for at in 0..REQUESTS * 2 {
            // Chance may have missed some: then only those are tried.
            let rest = if at < REQUESTS { Vec::new() } else { missed(&operations, &met) };
            if at >= REQUESTS && rest.is_empty() {
                break;
            }
            if at % 25 == 0 {
                let (user, admin) = (app.user().await, app.admin().await);
                targets = vec![Targets::around(&app, user).await, Targets::around(&app, admin).await];
            }
            let operation = if rest.is_empty() { chance.pick(&operations) } else { chance.pick(&rest) };
            let (media_type, text) = example(&document, operation).unzip();
            let path = chance.path(operation, chance.pick(&targets));
            let token = match chance.below(5) {
                0 => None,
                1 => Some(chance.part()),
                2 => Some(targets[0].user.token.clone()),
                _ => Some(targets[1].user.token.clone()),
            };
            let mut request = app.request(operation.method.clone(), &path, token.as_deref()).timeout(Duration::from_secs(10));
            if let Some(media_type) = media_type {
                request = request.header("content-type", media_type);
            }
            for (name, value) in chance.headers() {
                request = request.header(name, value);
            }
            if text.is_some() || chance.one_in(5) {
                let form = text.as_deref().filter(|_| operation.id.starts_with("oauth2."));
                request = request.body(form.map_or_else(|| chance.body(text.as_deref()), |form| chance.form(form)));
            }
            let said = format!("request {at}, {} {path}", operation.id);
            let response = request.send().await.unwrap_or_else(|error| panic!("{said}: {error:?}"));
            met.insert((operation.id.clone(), check(operation, &said, response).await));
        }
        let missed: Vec<&str> = missed(&operations, &met).into_iter().map(|operation| operation.id.as_str()).collect();
        assert!(missed.is_empty(), "too far from the mark to tell anything: {missed:?}");
        assert_eq!(app.request(Method::GET, "/health/ready", None).send().await.unwrap().status(), 200);
    }

    async fn any_bytes_are_answered_or_hung_up_on(app: TestApp, "limits.header_timeout_s" = "1", "limits.request_timeout_s" = "1") {
        let chance = Chance(SeededRandom::new(42));
        let heads = ["", "GET ", "GET / HTTP/1.1\r\n", "POST /api/v1/users HTTP/1.1\r\nHost: x\r\n", "POST /api/v1/sessions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 20\r\n\r\n",
            "GET /api/v1/users?", "GET /api/v1/users HTTP/1.1\r\nAuthorization: Bearer ", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"];
        let mut clients = Vec::new();
        for at in 0..200 {
            let mut bytes = chance.pick(&heads).as_bytes().to_vec();
            bytes.extend(chance.bytes(200));
            bytes.extend(b"\r\n\r\n");
            let mut client = RawClient::connect(&app).await;
            client.send(&bytes).await;
            if chance.one_in(2) {
                client.shut().await;
            }
            clients.push((at, bytes, client));
        }
        for (at, bytes, mut client) in clients {
            let said = || format!("client {at}: {:?}", String::from_utf8_lossy(&bytes));
            let answer = client.read_all().await.unwrap_or_else(|| panic!("still open: {}", said()));
            if let Some(answer) = crate::raw::parse(&answer) {
                assert!(answer.status < 500 || answer.body.contains("\"timeout\""), "{}: {answer:?}", said());
            }
        }
        assert_eq!(app.request(Method::GET, "/health/ready", None).send().await.unwrap().status(), 200);
    }
}
