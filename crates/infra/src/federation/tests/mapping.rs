//! From claims to a user.

use denizen_domain::providers::EmailTrust;
use denizen_domain::value;
use serde_json::json;

use super::*;

async fn map(fixture: &Fixture, settings: ProviderSettings, changes: Value) -> Result<OutsideIdentity, String> {
    fixture.redeem(&provider(settings), &fixture.token(changes)).await
}

fn mapped(fixture: &Fixture, claims: &[(&str, &str)]) -> ProviderSettings {
    let claims = claims.iter().map(|(field, claim)| ((*field).to_owned(), (*claim).to_owned())).collect();
    ProviderSettings { claims, ..fixture.settings() }
}

#[tokio::test]
async fn claims_are_found_by_name_and_by_pointer() {
    let fixture = Fixture::new().await;
    let settings = mapped(
        &fixture,
        &[
            ("name", "/profile/full"),
            ("locale", "lang"),
            ("attributes.department", "https://acme.example/department"),
            ("attributes.groups", "/profile/groups"),
            ("attributes.absent", "absent"),
        ],
    );
    let changes = json!({
        "profile": {"full": "Countess", "groups": ["a", "b"]}, "lang": "en_GB",
        "https://acme.example/department": "R&D",
    });
    fixture.answer("/userinfo", json!({"sub": "user-1"}));
    let identity = map(&fixture, settings, changes).await.unwrap();
    assert_eq!(identity.name.unwrap().as_str(), "Countess");
    assert_eq!(identity.locale.unwrap().as_str(), "en-GB");
    let text = |text: &str| value::Value::String(text.to_owned());
    let expected = [
        ("department".to_owned(), text("R&D")),
        ("groups".to_owned(), value::Value::Array(vec![text("a"), text("b")])),
    ];
    assert_eq!(identity.attributes, expected.into());
}

#[tokio::test]
async fn attributes_that_do_not_fit_are_ignored() {
    let fixture = Fixture::new().await;
    let names: Vec<String> = (0..40).map(|at| format!("attributes.a{at:02}")).collect();
    let claims: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "big")).collect();
    let identity = map(&fixture, mapped(&fixture, &claims), json!({"big": "x".repeat(1_000)})).await.unwrap();
    assert!((10..=16).contains(&identity.attributes.len()), "{}", identity.attributes.len());
    let identity = map(&fixture, mapped(&fixture, &claims), json!({"big": "x"})).await.unwrap();
    assert_eq!(identity.attributes.len(), 32);
    let deep = (0..20).fold(json!(1), |value, _| json!([value]));
    for value in [json!("x".repeat(1_023)), deep] {
        let identity = map(&fixture, mapped(&fixture, &claims), json!({ "big": value })).await.unwrap();
        assert!(identity.attributes.is_empty());
    }
}

#[tokio::test]
async fn names_that_are_none_are_dropped_and_long_ones_cut() {
    let fixture = Fixture::new().await;
    fixture.answer("/userinfo", json!({"sub": "user-1"}));
    for (changes, expected) in [
        (json!({"name": "x".repeat(5_000)}), Some("x".repeat(200))),
        (json!({"name": "Ada\u{202e}"}), None),
        (json!({"name": ""}), None),
        (json!({"name": 7}), None),
        (json!({"name": null, "given_name": "Ada", "family_name": "Lovelace"}), Some("Ada Lovelace".to_owned())),
        (json!({"name": null, "given_name": "Ada"}), Some("Ada".to_owned())),
    ] {
        let identity = map(&fixture, fixture.settings(), changes.clone()).await.unwrap();
        assert_eq!(identity.name.map(denizen_domain::users::DisplayName::into_string), expected, "{changes}");
    }
    let odd = json!({"locale": "not a locale", "email": "not an address"});
    let identity = map(&fixture, fixture.settings(), odd).await.unwrap();
    assert_eq!((identity.locale, identity.email, identity.email_verified), (None, None, false));
}

#[tokio::test]
async fn only_verified_addresses_of_allowed_domains_pass() {
    let fixture = Fixture::new().await;
    let allowed_domains = vec!["Example.com".to_owned(), "bücher.example".to_owned()];
    let settings = ProviderSettings { allowed_domains, ..fixture.settings() };
    for (changes, is_allowed) in [
        (json!({}), true),
        (json!({"email": "a@xn--bcher-kva.example"}), true),
        (json!({"email_verified": false}), false),
        (json!({"email": "ada@sub.example.com"}), false),
        (json!({"email": "ada@example.com.evil.example"}), false),
        (json!({"email": "example.com@evil.example"}), false),
        (json!({"email": 7}), false),
    ] {
        let outcome = map(&fixture, settings.clone(), changes.clone()).await;
        assert_eq!(outcome.err().as_deref(), (!is_allowed).then_some("allowed_domains"), "{changes}");
    }
    let never = ProviderSettings { email_trust: Some(EmailTrust::Never), ..settings };
    assert_eq!(map(&fixture, never, json!({})).await.unwrap_err(), "allowed_domains");
}

#[tokio::test]
async fn the_role_is_that_of_the_first_value_that_the_claim_has() {
    let fixture = Fixture::new().await;
    let roles = [("admins", "admin"), ("staff", "user")].map(|(value, role)| (value.to_owned(), role.to_owned()));
    let settings =
        ProviderSettings { role_claim: Some("/realm/groups".to_owned()), roles: roles.into(), ..fixture.settings() };
    fixture.answer("/userinfo", json!({"sub": "user-1"}));
    for (groups, expected) in [
        (json!(["staff", "admins"]), Some("admin")),
        (json!(["staff"]), Some("user")),
        (json!("staff"), Some("user")),
        (json!("staff admins"), None),
        (json!({"admins": true}), None),
        (json!(null), None),
    ] {
        let identity = map(&fixture, settings.clone(), json!({"realm": {"groups": groups}})).await.unwrap();
        assert_eq!(identity.role.as_ref().map(denizen_domain::roles::RoleName::as_str), expected, "{groups}");
    }
}

#[tokio::test]
async fn a_second_factor_is_believed_only_of_trusted_providers() {
    let fixture = Fixture::new().await;
    let trusted = ProviderSettings { trust_mfa: true, ..fixture.settings() };
    for (methods, expected) in [
        (json!(["pwd", "mfa"]), true),
        (json!(["pwd", "otp"]), true),
        (json!(["face", "hwk"]), true),
        (json!(["pwd", "pin"]), false),
        (json!(["pwd", "user"]), false),
        (json!("mfa"), false),
        (json!([]), false),
        (json!(null), false),
    ] {
        let changes = json!({ "amr": methods });
        let identity = map(&fixture, trusted.clone(), changes.clone()).await.unwrap();
        assert_eq!(identity.has_proven_second_factor, expected, "{methods}");
        let identity = map(&fixture, fixture.settings(), changes).await.unwrap();
        assert!(!identity.has_proven_second_factor, "{methods}");
    }
}

#[tokio::test]
async fn userinfo_is_fetched_only_for_missing_claims_and_for_the_same_subject() {
    let fixture = Fixture::new().await;
    let without = json!({"email": null, "email_verified": null});
    let user = json!({"sub": "user-1", "email": "ada@example.com", "email_verified": true, "name": "Other"});
    fixture.answer("/userinfo", user);
    let identity = map(&fixture, fixture.settings(), without.clone()).await.unwrap();
    assert_eq!(identity.email.unwrap().as_str(), "ada@example.com");
    assert!(identity.email_verified);
    assert_eq!(identity.name.unwrap().as_str(), "Ada Lovelace", "the ID token takes precedence");
    assert_eq!(fixture.requests_of("/userinfo").await, 1);
    for other in [json!({"sub": "victim", "email": "v@example.com"}), json!({"email": "v@example.com"})] {
        fixture.answer("/userinfo", other);
        let outcome = map(&fixture, fixture.settings(), without.clone()).await;
        assert_eq!(outcome.unwrap_err(), "userinfo_subject");
    }
    fixture.respond("/userinfo", ResponseTemplate::new(200).set_body_string("eyJ.eyJ.x"));
    assert_eq!(map(&fixture, fixture.settings(), without).await.unwrap_err(), "userinfo");
}
