//! Records that are joined to users, and fields that the files do not contain.

#![expect(clippy::unwrap_used, reason = "a test")]

use std::fs;

use denizen_import_sources::{Options, Record, Source, read};

/// The users of a file, by address.
fn users(source: Source, content: &str) -> Vec<Record> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("users");
    fs::write(&file, content).unwrap();
    let options = Options {
        assume_active: true,
        roles: ["admin=admin".parse().unwrap(), "a/admin=admin".parse().unwrap()].to_vec(),
        ..Options::default()
    };
    let rows = read(source, &[file], options).unwrap();
    rows.filter_map(|row| row.result.ok()).collect()
}

fn user(source: Source, content: &str) -> Record {
    users(source, content).pop().unwrap()
}

const SOCIAL: &str = r#"{"user_id":"google-oauth2|1","email":"ada@example.com","blocked":false}"#;
const DATABASE: &str = r#"{"user_id":"auth0|x","email":"ada@example.com","blocked":false}"#;
const RENAMED: &str = r#"{"user_id":"auth0|own-id","email":"Ada@example.com","blocked":false}"#;
const HASH: &str = r#"{"_id":{"$oid":"x"},"email":"ada@example.com","passwordHash":"$2b$10$x"}"#;
const OTHER_HASH: &str = r#"{"_id":{"$oid":"y"},"email":"ada@example.com","passwordHash":"$2b$10$y"}"#;

fn hashes(lines: &[&str]) -> Vec<Option<String>> {
    users(Source::Auth0, &lines.join("\n")).into_iter().map(|user| user.password_hash).collect()
}

#[test]
fn database_passwords_are_not_joined_to_social_accounts() {
    // Of two users with an address, the second one is rejected.
    assert_eq!(hashes(&[SOCIAL, DATABASE, HASH]), [None]);
    assert_eq!(hashes(&[DATABASE, SOCIAL, HASH]), [Some("$2b$10$x".to_owned())]);
    assert_eq!(hashes(&[SOCIAL, HASH]), [None]);
    assert_eq!(hashes(&[HASH, SOCIAL]), [None]);
}

#[test]
fn hashes_are_joined_by_address_only_if_it_is_unique() {
    let hash = Some("$2b$10$x".to_owned());
    assert_eq!(hashes(&[RENAMED, HASH]), std::slice::from_ref(&hash));
    assert_eq!(hashes(&[r#"{"email":"ada@example.com"}"#, HASH]), std::slice::from_ref(&hash));
    assert_eq!(hashes(&[RENAMED, HASH, OTHER_HASH]), [None]);
    assert_eq!(hashes(&[RENAMED, DATABASE, HASH]), [None]);
    assert_eq!(hashes(&[DATABASE, OTHER_HASH, HASH]), std::slice::from_ref(&hash));
    // Auth0 has linked both accounts.
    let linked = SOCIAL.replace("false}", r#"false,"identities":[{"provider":"auth0","user_id":"x"}]}"#);
    assert_eq!(hashes(&[&linked, HASH]), [hash]);
}

#[test]
fn django_names_that_equal_ids_are_joined_correctly() {
    let users_of = |owner: &str| {
        let user = |id: &str, name: &str| {
            let fields =
                format!(r#"{{"username":"{name}","email":"{name}@example.com","password":"!","is_active":true}}"#);
            format!(r#"{{"model":"auth.user","pk":{id},"fields":{fields}}}"#)
        };
        let address = r#""email":"ada@example.com","verified":true"#;
        let address = format!(r#"{{"model":"account.emailaddress","pk":5,"fields":{{"user":{owner},{address}}}}}"#);
        let account = r#""provider":"google","uid":"7","extra_data":{}"#;
        let account =
            format!(r#"{{"model":"socialaccount.socialaccount","pk":6,"fields":{{"user":{owner},{account}}}}}"#);
        let users = users(Source::Django, &format!("[{},{},{address},{account}]", user("2", "1"), user("1", "ada")));
        users.into_iter().map(|user| (user.email, user.identities.len())).collect::<Vec<_>>()
    };
    let counts =
        |named: usize, ada: usize| vec![("1@example.com".to_owned(), named), ("ada@example.com".to_owned(), ada)];
    assert_eq!(users_of("1"), counts(0, 1));
    assert_eq!(users_of(r#"["ada"]"#), counts(0, 1));
    assert_eq!(users_of(r#"["1"]"#), counts(1, 0));
}

#[test]
fn a_confirmed_phone_does_not_verify_the_address() {
    let is_verified = |fields: &str| {
        let content = format!(r#"[{{"id":"1","email":"ada@example.com","banned_until":null,{fields}}}]"#);
        user(Source::Supabase, &content).email_verified
    };
    let time = "\"2024-01-01T00:00:00Z\"";
    let confirmed = format!(r#""confirmed_at":{time}"#);
    assert_eq!(is_verified(&confirmed), Some(true));
    assert_eq!(is_verified(&format!(r#"{confirmed},"phone_confirmed_at":{time}"#)), Some(false));
    assert_eq!(is_verified(&format!(r#"{confirmed},"email_confirmed_at":null"#)), Some(false));
    assert_eq!(is_verified(&format!(r#""email_confirmed_at":{time}"#)), Some(true));
}

#[test]
fn roles_are_prefixed_if_there_are_several_applications() {
    let role = |other: &str| {
        let registration = format!(r#"{{"applicationId":"{other}","roles":["admin"]}}"#);
        let user = r#""active":true,"email":"ada@example.com""#;
        let first = r#"{"email":"b@example.com","active":true,"registrations":[{"applicationId":"a","roles":[]}]}"#;
        user_role(&format!(r#"{{"users":[{first},{{{user},"registrations":[{registration}]}}]}}"#))
    };
    assert_eq!(role("a"), Some("admin".to_owned()));
    assert_eq!(role("b"), None);
}

fn user_role(content: &str) -> Option<String> {
    user(Source::Fusionauth, content).role
}

#[test]
fn absent_status_and_verification_remain_absent() {
    let stated = |source, content: &str| {
        let user = user(source, content);
        (user.status, user.email_verified)
    };
    assert_eq!(stated(Source::Csv, "email,name\na@example.com,A\n"), (None, None));
    assert_eq!(stated(Source::Csv, "email,blocked,verified\na@example.com,,\n"), (Some("active"), Some(false)));
    assert_eq!(
        stated(Source::Csv, "email,enabled,verified\na@example.com,false,true\n"),
        (Some("disabled"), Some(true))
    );
    assert_eq!(stated(Source::Scim, r#"[{"userName":"a@example.com"}]"#), (None, None));
    assert_eq!(stated(Source::Scim, r#"[{"userName":"a@example.com","active":true}]"#), (Some("active"), None));
}
