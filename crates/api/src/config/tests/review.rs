use super::super::UnknownAppEnv;
use super::{Config, Place, STRONG_KEY};

#[test]
fn an_embedding_application_keeps_its_app_env() {
    let load = |place: &Place| Config::merge(&place.sources, UnknownAppEnv::Accept, &place.flags);
    for name in ["staging", "Production", "default", "../../etc"] {
        let place = Place::new().env("APP_ENV", name).env("DENIZEN__SECURITY__ARGON2_ITERATIONS", "1");
        let lines = load(&place).unwrap_err().to_string();
        assert!(lines.starts_with("security.argon2_iterations") && lines.lines().count() == 1, "{name}: {lines}");
        let loaded = load(&Place::new().env("APP_ENV", name)).unwrap();
        assert!(!loaded.app_env.is_dev() && loaded.config.mail.folder.is_none(), "{name}");
    }
    let overlaid = Place::new().env("APP_ENV", "staging").file("config/staging.toml", "server.port = 3");
    assert_eq!(load(&overlaid).unwrap().config.server.port, 3);
    assert!(load(&Place::new().env("APP_ENV", "dev")).unwrap().app_env.is_dev());
}

#[test]
fn the_message_for_a_wrong_form_shows_the_right_one() {
    let check = |toml: &str, end: &str| {
        let lines = Place::new().file("config/default.toml", toml).lines();
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert!(lines[0].ends_with(end), "{lines:?}");
    };
    check("server.port = \"8080\"", "from 0 to 65535, without quotes");
    check("database.migrate_on_start = \"true\"", "true or false, without quotes");
    check("mail.smtp_password = 12345", ", in quotes");
    check("server.cors_origins = \"https://app.example.com\"", ", in square brackets");
    check("product.name = [\"Example\"]", ", without square brackets");
    // Quotes are not the fault of these.
    check("server.port = \"eighty\"", "from 0 to 65535");
    check("server.port = 99999", "from 0 to 65535");
    check("signup.mode = \"opened\"", "open or closed");
    check("signup.mode = 1", "open or closed");
}

#[test]
fn a_database_url_is_refused_with_the_reason() {
    for (url, reason) in [
        ("sqlite::memory:", "in-memory"),
        ("sqlite://data/x.db?mode=ro", "parameters"),
        ("sqlite://data/", "a folder"),
        ("postgres://denizen:hunter2/@db/denizen", "percent-encoded"),
    ] {
        let lines = Place::new().env("DENIZEN__DATABASE__URL", url).lines();
        assert_eq!(lines.len(), 1, "{lines:?}");
        let start = "database.url from environment DENIZEN__DATABASE__URL is ";
        assert!(lines[0].starts_with(start) && lines[0].contains(reason), "{lines:?}");
        assert!(!lines[0].contains("hunter2"), "{lines:?}");
    }
}

#[test]
fn a_placeholder_is_no_password() {
    let base = || {
        Place::new()
            .env("DENIZEN__SECURITY__MASTER_KEY", STRONG_KEY)
            .env("DENIZEN__SERVER__PUBLIC_URL", "https://accounts.example.com")
    };
    let mail = || {
        base()
            .env("DENIZEN__MAIL__SMTP_HOST", "smtp.example.com")
            .env("DENIZEN__MAIL__FROM", "no-reply@example.com")
            .env("DENIZEN__MAIL__SMTP_USER", "denizen")
    };
    for password in ["changeme", "ChangeMe", "password", "PASSWORD", "secret", "xxxx", "${SMTP_PASSWORD}"] {
        let lines = mail().env("DENIZEN__MAIL__SMTP_PASSWORD", password).lines();
        assert!(lines.len() == 1 && lines[0].starts_with("mail.smtp_password from"), "{lines:?}");
        let url = format!("postgres://denizen:{password}@db/denizen");
        let lines = base().env("DENIZEN__DATABASE__URL", &url).lines();
        assert!(lines.len() == 1 && lines[0].contains("is weak: the password is a placeholder"), "{lines:?}");
    }
    let lines = base().env("DENIZEN__DATABASE__URL", "postgres://denizen@db/denizen?password=changeme").lines();
    assert!(lines.len() == 1 && lines[0].contains("placeholder"), "{lines:?}");
    for password in ["correct horse", "xerxes", "tr0ub4dor"] {
        mail().env("DENIZEN__MAIL__SMTP_PASSWORD", password).load().unwrap();
    }
    base().env("DENIZEN__DATABASE__URL", "postgres://denizen:@db/denizen").load().unwrap();
}

#[test]
fn what_is_probably_not_meant_is_found_and_lets_the_server_start() {
    let findings = |settings: &[(&str, &str)]| {
        let place = settings.iter().fold(Place::new(), |place, (name, value)| place.env(name, value));
        let findings = place.load().unwrap().review();
        findings.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let check = |settings: &[(&str, &str)], start: &str| {
        let found = findings(settings);
        assert!(found.len() == 1 && found[0].starts_with(start), "{settings:?}: {found:?}");
    };
    assert_eq!(findings(&[]), Vec::<String>::new());
    let public_url = "DENIZEN__SERVER__PUBLIC_URL";
    check(&[(public_url, "http://accounts.example.com")], "server.public_url from environment");
    check(&[(public_url, "http://10.0.0.7:8080")], "server.public_url from environment");
    check(&[("DENIZEN__MAIL__LINK_BASE", "http://app.example.com")], "mail.link_base from");
    check(&[("DENIZEN__TOKENS__ISSUER", "http://accounts.example.com")], "tokens.issuer from");
    check(&[("DENIZEN__SERVER__HOST", "0.0.0.0")], "server.public_url from built-in default is not set");
    check(&[("DENIZEN__SIGN_IN__MAGIC_LINKS", "true")], "sign_in.magic_links from");
    check(&[("DENIZEN__SIGN_IN__MAILED_CODES", "true")], "sign_in.mailed_codes from");
    check(&[("DENIZEN__MAIL__FROM", "no-reply@example.com")], "mail.smtp_host from built-in default is not set");
    check(
        &[("DENIZEN__AUDIT__HEAD_FILE", "heads"), ("DENIZEN__AUDIT__HEAD_INTERVAL_S", "0")],
        "audit.head_interval_s from",
    );
    let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let hook = |url| [("DENIZEN__SIGN_IN__HOOK_URL", url), ("DENIZEN__SIGN_IN__HOOK_SECRET", secret)];
    check(&hook("http://old.example.com/sign-in"), "sign_in.hook_url from");
    assert_eq!(findings(&hook("https://old.example.com/sign-in")), Vec::<String>::new());
    for url in ["https://accounts.example.com", "http://localhost:8080", "http://127.0.0.1", "http://[::1]:8080"] {
        assert_eq!(findings(&[(public_url, url)]), Vec::<String>::new(), "{url}");
    }
    assert_eq!(findings(&[(public_url, "http://accounts.example.com"), ("APP_ENV", "dev")]), Vec::<String>::new());
}

#[test]
fn origins_of_passkeys_belong_to_their_relying_party() {
    let place = |rp_id: &str, origins: &str| {
        Place::new().env("DENIZEN__WEBAUTHN__RP_ID", rp_id).env("DENIZEN__WEBAUTHN__ORIGINS", origins)
    };
    for (rp_id, origins, reason) in [
        ("example.com", "http://app.example.com", "https:"),
        ("example.com", "https://example.de", "example.com"),
        ("example.com", "https://notexample.com", "example.com"),
        ("example.com", "", "example.com"),
    ] {
        let lines = place(rp_id, origins).lines();
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert!(lines[0].starts_with("webauthn.origins") && lines[0].contains(reason), "{lines:?}");
    }
    for rp_id in ["https://example.com", "example.com:443", "Example.com"] {
        let lines = place(rp_id, "https://example.com").lines();
        assert!(lines[0].starts_with("webauthn.rp_id"), "{lines:?}");
    }
    for origins in [
        "https://example.com",
        "https://app.example.com,https://example.de",
        "http://localhost:3000,https://example.com",
    ] {
        assert!(place("example.com", origins).load().unwrap().config.webauthn.rp_id.is_some());
    }
}

#[test]
fn object_storage_is_configured_as_a_whole() {
    let bucket = || Place::new().env("DENIZEN__BACKUPS__S3_BUCKET", "example-backups");
    let lines = bucket().lines();
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].starts_with("backups.s3_endpoint") && lines[0].contains("backups.s3_bucket is set"), "{lines:?}");
    let lines = bucket().env("DENIZEN__BACKUPS__S3_ENDPOINT", "https://s3.example.com").lines();
    let keys = ["backups.s3_access_key_id", "backups.s3_secret_access_key"];
    assert!(lines.len() == 2 && keys.iter().all(|key| lines.iter().any(|line| line.starts_with(key))), "{lines:?}");
}
