//! Faults of settings, all together.

use std::collections::BTreeMap;

use super::*;

fn faults(settings: &ProviderSettings, has_secret: bool) -> Vec<(String, &'static str)> {
    let clock: Arc<dyn Clock> = Arc::new(FakeClock::default());
    let federation = HttpFederation::new(FederationOptions::default(), clock, Arc::new(SystemChance)).unwrap();
    let faults = federation.check(settings, has_secret).err().unwrap_or_default();
    faults.into_iter().map(|fault| (fault.field, fault.code)).collect()
}

fn named<'a>(faults: &'a [(String, &'static str)]) -> Vec<(&'a str, &'static str)> {
    faults.iter().map(|(field, code)| (field.as_str(), *code)).collect()
}

fn of_preset(name: &str) -> ProviderSettings {
    ProviderSettings { preset: Some(name.to_owned()), client_id: CLIENT.to_owned(), ..ProviderSettings::default() }
}

fn one(name: &str, value: &str) -> BTreeMap<String, String> {
    [(name.to_owned(), value.to_owned())].into()
}

#[test]
fn presets_need_little() {
    for name in super::super::presets::names() {
        let mut settings = of_preset(name);
        if matches!(name, "entra" | "keycloak" | "okta" | "auth0") {
            assert_eq!(named(&faults(&settings, true)), [("issuer", "required")], "{name}");
            settings.issuer = Some("https://id.example.com/".to_owned());
        }
        if name == "apple" {
            assert_eq!(named(&faults(&settings, true)), [("team_id", "required"), ("key_id", "required")]);
            settings.team_id = Some("TEAM123456".to_owned());
            settings.key_id = Some("KEY1234567".to_owned());
        }
        assert_eq!(named(&faults(&settings, true)), [], "{name}");
    }
    assert_eq!(named(&faults(&of_preset("google"), false)), [("client_secret", "required")]);
    assert_eq!(named(&faults(&of_preset("gitlab"), false)), []);
}

#[test]
fn all_faults_are_reported_together() {
    let settings = ProviderSettings {
        preset: Some("gogle".to_owned()),
        issuer: Some("http://id.example.com".to_owned()),
        authorization_url: Some("nonsense".to_owned()),
        token_url: Some("https://10.0.0.1/token".to_owned()),
        userinfo_url: Some("https://user@id.example.com/".to_owned()),
        scopes: vec!["a b".to_owned()],
        allowed_domains: vec!["nonsense".to_owned()],
        claims: BTreeMap::from([
            ("surname".to_owned(), "family_name".to_owned()),
            ("attributes.".to_owned(), "x".to_owned()),
            ("name".to_owned(), String::new()),
        ]),
        roles: one("staff", "Not A Role"),
        authorization_params: one("state", "x"),
        ..ProviderSettings::default()
    };
    let expected = [
        ("preset", "unknown_preset"),
        ("issuer", "not_https"),
        ("authorization_url", "invalid_url"),
        ("token_url", "private_address"),
        ("userinfo_url", "invalid_url"),
        ("client_id", "required"),
        ("claims.attributes.", "unknown_field"),
        ("claims.name", "invalid_claim"),
        ("claims.surname", "unknown_field"),
        ("roles.staff", "invalid_role_name"),
        ("role_claim", "required"),
        ("allowed_domains", "invalid_domain"),
        ("scopes", "invalid_scope"),
        ("authorization_params.state", "reserved_parameter"),
    ];
    assert_eq!(named(&faults(&settings, false)), expected);
}

#[test]
fn a_provider_without_a_preset_is_described_in_full() {
    let mut settings = ProviderSettings { client_id: CLIENT.to_owned(), ..ProviderSettings::default() };
    assert_eq!(named(&faults(&settings, false)), [("issuer", "required")]);
    settings.userinfo_url = Some("https://api.example.com/me".to_owned());
    let missing = [("authorization_url", "required"), ("token_url", "required")];
    assert_eq!(named(&faults(&settings, false)), missing);
    settings.authorization_url = Some("https://example.com/authorize".to_owned());
    settings.token_url = Some("https://example.com/token".to_owned());
    assert_eq!(named(&faults(&settings, false)), []);
    settings.role_claim = Some("groups".to_owned());
    assert_eq!(named(&faults(&settings, false)), [("roles", "required")]);
}

#[test]
fn an_unknown_preset_has_a_suggestion() {
    let clock: Arc<dyn Clock> = Arc::new(FakeClock::default());
    let federation = HttpFederation::new(FederationOptions::default(), clock, Arc::new(SystemChance)).unwrap();
    let faults = federation.check(&of_preset("gogle"), true).unwrap_err();
    assert!(faults[0].message.contains("amazon, apple") && faults[0].message.contains("Did you mean google?"));
}

#[test]
fn a_provider_is_shown_by_its_label_its_preset_or_its_name() {
    let clock: Arc<dyn Clock> = Arc::new(FakeClock::default());
    let federation = HttpFederation::new(FederationOptions::default(), clock, Arc::new(SystemChance)).unwrap();
    let shown = |settings: ProviderSettings| {
        let display = federation.display(&provider(settings));
        (display.label, display.icon)
    };
    let expected = |label: &str, icon: &str| (label.to_owned(), icon.to_owned());
    assert_eq!(shown(of_preset("github")), expected("GitHub", "github"));
    assert_eq!(shown(ProviderSettings::default()), expected("acme", "generic"));
    let settings = ProviderSettings { label: Some("ACME".to_owned()), ..of_preset("okta") };
    assert_eq!(shown(settings), expected("ACME", "okta"));
}

#[test]
fn certificate_authorities_that_cannot_be_read_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let setup = |path: std::path::PathBuf| {
        let options = FederationOptions { extra_ca: Some(path), ..FederationOptions::default() };
        HttpFederation::new(options, Arc::new(FakeClock::default()), Arc::new(SystemChance))
            .err()
            .map(|e| e.to_string())
    };
    assert!(setup(folder.path().join("absent.pem")).unwrap().starts_with("reading the certificate authorities in "));
    let empty = folder.path().join("empty.pem");
    std::fs::write(&empty, "no certificate").unwrap();
    assert!(setup(empty).unwrap().starts_with("there is no certificate in "));
}
