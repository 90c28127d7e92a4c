//! Providers without ID tokens.

use serde_json::json;

use super::*;

/// A preset whose endpoints are those of the test.
fn preset(fixture: &Fixture, name: &str) -> Provider {
    let uri = fixture.issuer();
    provider(ProviderSettings {
        preset: Some(name.to_owned()),
        authorization_url: Some(format!("{uri}/authorize")),
        token_url: Some(format!("{uri}/token")),
        userinfo_url: Some(format!("{uri}/user")),
        client_id: CLIENT.to_owned(),
        ..ProviderSettings::default()
    })
}

fn answer_token(fixture: &Fixture) {
    fixture.answer("/token", json!({"access_token": ACCESS_TOKEN, "token_type": "bearer", "scope": ["a"]}));
}

#[tokio::test]
async fn an_own_provider_is_identified_by_the_origin_of_its_authorization_endpoint() {
    let fixture = Fixture::new().await;
    answer_token(&fixture);
    fixture.answer("/user", json!({"uid": 42, "mail": "Ada@Example.com", "ok": "true", "name": "Ada"}));
    let mut own = preset(&fixture, "");
    own.settings.preset = None;
    for (field, claim) in [("subject", "uid"), ("email", "/mail"), ("email_verified", "ok")] {
        own.settings.claims.insert(field.to_owned(), claim.to_owned());
    }
    let identity = fixture.redeem_with(&own, None, None).await.unwrap();
    assert_eq!((identity.issuer, identity.subject.as_str()), (fixture.issuer(), "42"));
    assert_eq!((identity.email.unwrap().as_str(), identity.email_verified), ("ada@example.com", true));

    let requests = fixture.server.received_requests().await.unwrap();
    let request = requests.iter().find(|request| request.url.path() == "/user").unwrap();
    assert_eq!(request.headers["authorization"].to_str().unwrap(), format!("Bearer {ACCESS_TOKEN}"));
    let query = query(&fixture.authorization_url(&own).await.unwrap());
    assert!(!query.contains_key("nonce") && query.contains_key("code_challenge"));

    let token = SecretString::from(fixture.token(json!({})));
    let outcome = fixture.federation.verify_id_token(&own, &token, NONCE).await;
    assert_eq!(check_of(&outcome.unwrap_err()), "id_token");
    let evil = fixture.redeem_with(&own, Some("https://evil.example"), None).await;
    assert_eq!(evil.unwrap_err(), "response_issuer");
    let own_issuer = format!("{}/oauth", fixture.issuer());
    assert!(fixture.redeem_with(&own, Some(&own_issuer), None).await.is_ok());
}

#[tokio::test]
async fn subjects_that_identify_nobody_are_refused() {
    let fixture = Fixture::new().await;
    answer_token(&fixture);
    let discord = preset(&fixture, "discord");
    for id in [json!(null), json!(""), json!(1.5), json!(true), json!([1]), json!("x".repeat(256))] {
        fixture.answer("/user", json!({ "id": id }));
        assert_eq!(fixture.redeem_with(&discord, None, None).await.unwrap_err(), "subject", "{id}");
    }
}

#[tokio::test]
async fn an_address_of_github_is_verified_by_the_list_of_addresses_only() {
    let fixture = Fixture::new().await;
    answer_token(&fixture);
    fixture.answer("/user", json!({"id": 1, "name": "Ada", "email": "public@example.com", "email_verified": true}));
    let github = preset(&fixture, "github");
    let list = |primary: bool, verified: bool| {
        json!([
            {"email": "other@example.com", "primary": false, "verified": true},
            {"email": "ada@example.com", "primary": primary, "verified": verified},
        ])
    };
    for (emails, expected) in [
        (list(true, true), ("ada@example.com", true)),
        (list(true, false), ("ada@example.com", false)),
        (list(false, true), ("public@example.com", false)),
        (json!([]), ("public@example.com", false)),
        (json!({"message": "?"}), ("public@example.com", false)),
    ] {
        fixture.answer("/user/emails", emails.clone());
        let identity = fixture.redeem_with(&github, None, None).await.unwrap();
        assert_eq!((identity.email.unwrap().as_str(), identity.email_verified), expected, "{emails}");
    }
    fixture.respond("/user/emails", ResponseTemplate::new(403));
    assert!(!fixture.redeem_with(&github, None, None).await.unwrap().email_verified);
    fixture.respond("/user/emails", ResponseTemplate::new(502));
    assert_eq!(fixture.redeem_with(&github, None, None).await.unwrap_err(), "unavailable");
}

#[tokio::test]
async fn discord_zoom_and_x_are_mapped() {
    let fixture = Fixture::new().await;
    answer_token(&fixture);
    for (name, user, expected) in [
        (
            "discord",
            json!({"id": "80351110224678912", "email": "ada@example.com", "verified": true, "global_name": "Ada"}),
            ("80351110224678912", true, "Ada"),
        ),
        (
            "discord",
            json!({"id": "8", "email": "ada@example.com", "verified": false, "global_name": "Ada"}),
            ("8", false, "Ada"),
        ),
        (
            "zoom",
            json!({"id": "z", "email": "ada@example.com", "verified": 1, "display_name": "Ada"}),
            ("z", true, "Ada"),
        ),
        ("x", json!({"data": {"id": "2244994945", "name": "Ada", "username": "ada"}}), ("2244994945", false, "Ada")),
        ("spotify", json!({"id": "s", "email": "ada@example.com", "display_name": "Ada"}), ("s", false, "Ada")),
        ("facebook", json!({"id": "10", "email": "ada@example.com", "name": "Ada"}), ("10", false, "Ada")),
        ("amazon", json!({"user_id": "amzn1", "email": "ada@example.com", "name": "Ada"}), ("amzn1", false, "Ada")),
        (
            "linkedin",
            json!({"sub": "li", "email": "ada@example.com", "email_verified": true, "name": "Ada",
                   "locale": {"country": "US", "language": "en"}}),
            ("li", true, "Ada"),
        ),
    ] {
        fixture.answer("/user", user);
        let identity = fixture.redeem_with(&preset(&fixture, name), None, None).await.unwrap();
        let found = (identity.subject.as_str(), identity.email_verified, identity.name.as_ref().unwrap().as_str());
        assert_eq!(found, expected, "{name}");
    }
}

#[tokio::test]
async fn bitbucket_lists_addresses_in_pages() {
    let fixture = Fixture::new().await;
    answer_token(&fixture);
    fixture.answer("/user", json!({"uuid": "{1}", "display_name": "Ada"}));
    let item = json!({"email": "ada@example.com", "is_primary": true, "is_confirmed": true});
    fixture.answer("/user/emails", json!({"values": [item]}));
    let identity = fixture.redeem_with(&preset(&fixture, "bitbucket"), None, None).await.unwrap();
    assert_eq!((identity.subject.as_str(), identity.email_verified), ("{1}", true));
    let body = fixture.last_body("/token").await;
    assert!(!body.contains("client_secret") && !body.contains("code_verifier"), "{body}");
}

#[tokio::test]
async fn notion_takes_json_and_describes_the_user_beside_the_token() {
    let fixture = Fixture::new().await;
    let user = json!({"id": "n", "name": "Ada", "person": {"email": "ada@example.com"}});
    let answer = json!({"access_token": ACCESS_TOKEN, "token_type": "bearer", "owner": {"type": "user", "user": user}});
    fixture.answer("/token", answer);
    let notion = preset(&fixture, "notion");
    let identity = fixture.redeem_with(&notion, None, None).await.unwrap();
    assert_eq!((identity.subject.as_str(), identity.email_verified), ("n", false));
    assert_eq!(identity.email.unwrap().as_str(), "ada@example.com");
    let body: Value = serde_json::from_str(&fixture.last_body("/token").await).unwrap();
    assert_eq!(body, json!({"grant_type": "authorization_code", "code": CODE, "redirect_uri": REDIRECT_URI}));
    let requests = fixture.server.received_requests().await.unwrap();
    let request = requests.iter().find(|request| request.url.path() == "/token").unwrap();
    assert!(request.headers["authorization"].to_str().unwrap().starts_with("Basic "));
    assert_eq!(request.headers["notion-version"], "2022-06-28");
    assert_eq!(request.headers.get_all("content-type").iter().count(), 1);

    fixture.answer("/token", json!({"access_token": ACCESS_TOKEN, "owner": {"type": "workspace"}}));
    assert_eq!(fixture.redeem_with(&notion, None, None).await.unwrap_err(), "userinfo");
}

#[tokio::test]
async fn a_preset_at_other_endpoints_is_another_issuer() {
    let fixture = Fixture::new().await;
    answer_token(&fixture);
    fixture.answer("/user", json!({"id": 1}));
    let github = preset(&fixture, "github");
    assert_eq!(fixture.redeem_with(&github, None, None).await.unwrap().issuer, fixture.issuer());
}
