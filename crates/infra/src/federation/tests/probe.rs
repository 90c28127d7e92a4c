//! What `test` says of providers that are set up wrongly.

use std::collections::BTreeMap;

use serde_json::json;

use super::super::probe::Verdict;
use super::*;

const NOW_HTTP: &str = "Fri, 15 Jan 2027 08:00:00 GMT";

async fn findings(fixture: &Fixture, provider: &Provider) -> BTreeMap<&'static str, (bool, String)> {
    let found = fixture.federation.test(provider, REDIRECT_URI).await;
    found.into_iter().map(|finding| (finding.check, (finding.has_passed, finding.message))).collect()
}

fn sound(fixture: &Fixture) {
    let metadata = ResponseTemplate::new(200).set_body_json(fixture.metadata(&fixture.issuer()));
    fixture.respond("/.well-known/openid-configuration", metadata.insert_header("date", NOW_HTTP));
    fixture.respond("/authorize", ResponseTemplate::new(302).insert_header("location", "/login"));
    fixture.respond("/token", ResponseTemplate::new(400).set_body_json(json!({"error": "invalid_grant"})));
}

#[tokio::test]
async fn a_sound_provider_passes_every_check() {
    let fixture = Fixture::new().await;
    sound(&fixture);
    let found = findings(&fixture, &fixture.provider()).await;
    assert!(found.values().all(|(has_passed, _)| *has_passed), "{found:?}");
    let names: Vec<_> = found.keys().copied().collect();
    assert_eq!(names, ["client", "clock", "discovery", "keys", "redirect_uri", "settings"]);
}

#[tokio::test]
async fn each_fault_is_named_by_its_check() {
    let json_of = |status: u16, body: Value| ResponseTemplate::new(status).set_body_json(body);
    let discovery = "/.well-known/openid-configuration";
    for (path, response, check, says) in [
        (discovery, json_of(200, json!({"issuer": "x"})), "discovery", "metadata"),
        (discovery, ResponseTemplate::new(404), "discovery", "Check the issuer"),
        (discovery, ResponseTemplate::new(302).insert_header("location", "/x"), "discovery", "redirect"),
        ("/keys", json_of(200, json!({"keys": []})), "keys", "RS256"),
        ("/keys", ResponseTemplate::new(503), "keys", "reach"),
        ("/authorize", ResponseTemplate::new(400), "redirect_uri", "register exactly"),
        ("/token", json_of(401, json!({"error": "invalid_client"})), "client", "client secret"),
        ("/token", json_of(200, json!({"error": "incorrect_client_credentials"})), "client", "client secret"),
        ("/token", json_of(400, json!({"error": "redirect_uri_mismatch"})), "redirect_uri", "Register exactly"),
        ("/token", json_of(400, json!({"error": "unsupported_grant_type"})), "client", "authorization code flow"),
        ("/token", ResponseTemplate::new(500), "client", "status 500"),
    ] {
        let fixture = Fixture::new().await;
        sound(&fixture);
        fixture.respond(path, response);
        let found = findings(&fixture, &fixture.provider()).await;
        let (has_passed, message) = &found[check];
        assert!(!has_passed && message.contains(says), "{path}: {found:?}");
        let failed = found.values().filter(|(has_passed, _)| !has_passed).count();
        assert_eq!(failed, 1, "{path}: {found:?}");
        assert!(!message.contains("the-secret"), "{message}");
    }
}

#[tokio::test]
async fn clocks_that_differ_are_a_finding() {
    let fixture = Fixture::new().await;
    sound(&fixture);
    for (difference_s, expected) in [(-61, false), (-60, true), (60, true), (61, false)] {
        fixture.clock.set(Timestamp::from_micros((NOW_S + difference_s) * 1_000_000));
        let found = findings(&fixture, &fixture.provider()).await;
        assert_eq!(found["clock"].0, expected, "{difference_s}: {found:?}");
    }
}

#[tokio::test]
async fn faults_of_the_settings_come_first_and_alone() {
    let fixture = Fixture::new().await;
    let mut provider = fixture.provider();
    provider.settings.client_id.clear();
    let found = findings(&fixture, &provider).await;
    assert_eq!(found.keys().copied().collect::<Vec<_>>(), ["settings"]);
    assert!(!found["settings"].0 && found["settings"].1.starts_with("client_id: "));
    assert_eq!(fixture.requests_of("/token").await, 0);
}

#[test]
fn token_errors_of_real_providers_are_told_apart() {
    let client = |error: &str| Some(Verdict::Client(error.to_owned()));
    for (status, error, description, expected) in [
        (400, "invalid_grant", "malformed auth code.", None),
        (401, "invalid_client", "the oauth client was not found.", client("invalid_client")),
        (400, "invalid_grant", "aadsts9002313: invalid request. the code is invalid", None),
        (401, "invalid_client", "aadsts7000215: invalid client secret provided.", client("invalid_client")),
        (400, "invalid_client", "aadsts50011: the redirect uri does not match", Some(Verdict::RedirectUri)),
        (200, "bad_verification_code", "the code passed is incorrect or expired.", None),
        (200, "redirect_uri_mismatch", "", Some(Verdict::RedirectUri)),
        (400, "OAuthException", "invalid verification code format.", None),
        (400, "OAuthException", "error validating client secret.", client("OAuthException")),
        (400, "unknown", "invalid authorization code", None),
        (403, "unknown", "invalid client secret", client("unknown")),
        (400, "invalid_request", "value passed for the authorization code was invalid.", None),
        (200, "invalid_code", "", None),
        (200, "bad_client_secret", "", client("bad_client_secret")),
        (400, "server_error", "", Some(Verdict::Other("server_error".to_owned()))),
    ] {
        assert_eq!(Verdict::of(status, error, description), expected, "{error}: {description}");
    }
}
