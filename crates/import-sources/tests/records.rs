//! The records of the fixtures of every system, and their reports.

#![expect(clippy::unwrap_used, reason = "a test")]

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use denizen_import_sources::{FieldMap, FirebaseHashConfig, Options, Source, read};

fn fixture(source: Source, name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(source.name()).join(name)
}

/// The options that the guide uses for this system.
fn options(source: Source) -> Options {
    let role = |source: &str| format!("{source}=admin").parse().unwrap();
    let roles = ["admins", "superuser", "administrator", "admin"].map(role).to_vec();
    let mut options = Options { roles, ..Options::default() };
    match source {
        Source::Firebase => {
            options.firebase = Some(FirebaseHashConfig::open(&fixture(source, "hash-config.txt")).unwrap());
        }
        Source::Devise => options.devise_pepper = Some(b"the pepper".to_vec()),
        Source::Csv => options.map = FieldMap::open(&fixture(source, "map.toml")).unwrap(),
        _ => {}
    }
    options
}

/// Compares the records and the report with `expected`, which `UPDATE_FIXTURES=1` rewrites.
fn check(source: Source, files: &[&str], expected: &str) {
    let files: Vec<PathBuf> = files.iter().map(|name| fixture(source, name)).collect();
    let mut options = options(source);
    options.assume_active = expected.ends_with("_hashes_alone.expected");
    let mut rows = read(source, &files, options).unwrap();
    let mut text = String::new();
    for row in &mut rows {
        match row.result {
            Ok(record) => text += &serde_json::to_string(&record).unwrap(),
            Err(faults) => {
                write!(text, "# line {}:", row.line).unwrap();
                for fault in faults {
                    write!(text, " {} {};", fault.field, fault.reason).unwrap();
                }
            }
        }
        text.push('\n');
    }
    for line in rows.report().lines() {
        writeln!(text, "# not carried over: {line}").unwrap();
    }
    assert_eq!(rows.bytes_read(), rows.bytes_total());
    let path = fixture(source, expected);
    if std::env::var_os("UPDATE_FIXTURES").is_some() {
        fs::write(&path, &text).unwrap();
    }
    let written = fs::read_to_string(&path).unwrap();
    for (line, (found, wanted)) in text.lines().zip(written.lines()).enumerate() {
        assert_eq!(found, wanted, "{}:{}", path.display(), line + 1);
    }
    assert_eq!(text.lines().count(), written.lines().count());
}

macro_rules! fixtures {
    ($($name:ident: $source:ident $files:expr;)*) => {
        $(#[test]
        fn $name() {
            check(Source::$source, &$files, concat!(stringify!($name), ".expected"));
        })*
    };
}

fixtures! {
    auth0: Auth0 ["users.ndjson", "hashes.ndjson"];
    auth0_hashes_alone: Auth0 ["hashes.ndjson"];
    clerk: Clerk ["users.csv", "users.json"];
    clerk_api_alone: Clerk ["users.json"];
    cognito: Cognito ["users.json"];
    cognito_csv: Cognito ["users.csv"];
    csv: Csv ["people.csv"];
    devise: Devise ["users.csv", "identities.csv"];
    django: Django ["dump.json"];
    django_csv: Django ["auth_user.csv", "account_emailaddress.csv"];
    firebase: Firebase ["users.json"];
    firebase_csv: Firebase ["users.csv"];
    fusionauth: Fusionauth ["users.json", "links.json"];
    keycloak: Keycloak ["realm.json"];
    kratos: Kratos ["identities.json"];
    okta: Okta ["users.json"];
    okta_csv: Okta ["users.csv"];
    scim: Scim ["users.json"];
    supabase: Supabase ["users.csv", "identities.csv", "mfa_factors.csv"];
    wordpress: Wordpress ["wp_users.csv", "wp_usermeta.csv"];
    wordpress_phpmyadmin: Wordpress ["phpmyadmin.json"];
    zitadel: Zitadel ["export.json", "users.json"];
}
