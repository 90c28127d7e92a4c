//! Faults of files and of single users.

#![expect(clippy::unwrap_used, reason = "a test")]

use std::fs;
use std::path::PathBuf;

use denizen_import_sources::{Error, Options, RECORD_BYTES_MAX, Row, Source, read};
use proptest::prelude::*;
use tempfile::TempDir;

/// Files in a temporary directory.
struct Files(TempDir);

impl Files {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let file = self.0.path().join(name);
        fs::write(&file, content).unwrap();
        file
    }
}

fn rows(source: Source, content: impl AsRef<[u8]>) -> Vec<Row> {
    let files = Files::new();
    let file = files.write("users", content);
    let options = Options { assume_active: true, ..Options::default() };
    read(source, &[file], options).unwrap().collect()
}

fn error(source: Source, content: &str) -> Error {
    let files = Files::new();
    match read(source, &[files.write("users", content)], Options::default()) {
        Ok(_) => panic!("{content} is read"),
        Err(error) => error,
    }
}

fn email(row: &Row) -> &str {
    &row.result.as_ref().unwrap().email
}

fn faults(row: &Row) -> Vec<(&'static str, &str)> {
    row.result.as_ref().unwrap_err().iter().map(|fault| (fault.field, fault.reason.as_str())).collect()
}

#[test]
fn files_of_another_system_are_recognised() {
    for (source, content, expected) in [
        (Source::Auth0, r#"{"users":[{"localId":"1"}]}"#, "this looks like a Firebase export: use --from firebase"),
        (Source::Csv, r#"[{"schema_id":"a","traits":{}}]"#, "this looks like an Ory Kratos export: use --from kratos"),
        (Source::Devise, "id,email,encrypted_password,raw_app_meta_data\n", "use --from supabase"),
        (Source::Csv, r#"{"email":"a@example.com"}"#, "import one object per line without --from"),
    ] {
        let error = error(source, content).to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn files_without_the_status_of_users_are_refused() {
    for (source, content) in [
        (Source::Okta, "login,email\na@example.com,a@example.com\n"),
        (Source::Cognito, "email,cognito:username\na@example.com,a\n"),
        (Source::Clerk, "id,primary_email_address,password_hasher\nuser_1,a@example.com,\n"),
        (Source::Supabase, "id,email,raw_user_meta_data\n1,a@example.com,{}\n"),
        (Source::Zitadel, r#"{"orgs":[{"humanUsers":[{"userId":"1","user":{}}]}]}"#),
        (Source::Auth0, r#"{"_id":{"$oid":"1"},"email":"a@example.com","passwordHash":"x"}"#),
    ] {
        assert!(matches!(error(source, content), Error::NoStatus(_)), "{content}");
    }
}

#[test]
fn missing_files_and_folders() {
    let missing = read(Source::Csv, &["/nonexistent/users.csv".into()], Options::default()).err().unwrap();
    assert_eq!(missing.to_string(), "reading /nonexistent/users.csv");
    let files = Files::new();
    assert!(read(Source::Csv, &[files.0.path().to_owned()], Options::default()).is_err());
}

#[test]
fn a_duplicate_address_reports_the_line_of_the_first_user() {
    let read = rows(Source::Csv, "email,name\na@example.com,A\nb@example.com,B\nA@Example.com,C\n");
    assert_eq!(read.len(), 3);
    assert_eq!((read[2].line, read[2].index), (4, 3));
    assert_eq!(faults(&read[2]), [("email", "is also the address of the user on line 2")]);
}

#[test]
fn all_faults_of_a_user_are_reported_at_once() {
    let read = rows(Source::Devise, "id,email,encrypted_password,created_at,updated_at\n1,a\0b,,tomorrow,never\n");
    let named: Vec<_> = faults(&read[0]).into_iter().map(|(field, _)| field).collect();
    assert_eq!(named, ["created_at", "updated_at", "name"]);
}

#[test]
fn encodings_and_line_ends() {
    let text = "email,name\r\na@example.com,\"A\r\nB\"\r\n\r\nb@example.com,Zoë\r\n";
    let utf_16: Vec<u8> = std::iter::once(0xfeff).chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect();
    let marked = [b"\xef\xbb\xbf", text.as_bytes()].concat();
    for content in [text.as_bytes().to_vec(), utf_16, marked] {
        let read = rows(Source::Csv, content);
        assert_eq!((email(&read[0]), read[0].line), ("a@example.com", 2));
        assert_eq!((email(&read[1]), read[1].line), ("b@example.com", 5));
        assert_eq!(read[1].result.as_ref().unwrap().name, "Zoë");
    }
    let latin_1 = rows(Source::Csv, b"email,name\na@example.com,Zo\xeb\nb@example.com,B\n");
    assert!(faults(&latin_1[0])[0].1.starts_with("column name is not UTF-8"));
    assert_eq!(email(&latin_1[1]), "b@example.com");
}

#[test]
fn lines_of_json_do_not_affect_each_other() {
    let long = "x".repeat(RECORD_BYTES_MAX);
    let user = |name: &str| format!(r#"{{"user_id":"auth0|{name}","email":"{name}@example.com"}}"#);
    let content = format!(
        "{}\n{{\"user_id\":\n{}\n{{\"user_id\":\"{long}\"}}\n{{\"email\":\"d\",\"email\":\"e\"}}\n[]\n{}",
        user("a"),
        user("b"),
        user("c")
    );
    let read = rows(Source::Auth0, content);
    assert_eq!(read.iter().map(|row| row.line).collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6, 7]);
    assert_eq!(
        (email(&read[0]), email(&read[2]), email(&read[6])),
        ("a@example.com", "b@example.com", "c@example.com")
    );
    assert!(faults(&read[1])[0].1.starts_with("invalid JSON at column"));
    assert_eq!(faults(&read[3]), [("record", "has more than 1 MiB")]);
    assert_eq!(faults(&read[4]), [("record", "duplicate name in a JSON object: email")]);
    assert_eq!(faults(&read[5]), [("record", "not a JSON object")]);
}

#[test]
fn the_rest_of_a_broken_document_is_reported() {
    let read = rows(Source::Firebase, "{\"users\":[{\"localId\":\"1\",\"email\":\"a@example.com\"},\n{\"localId\"");
    assert_eq!(email(&read[0]), "a@example.com");
    let reason = "invalid JSON on line 2: unexpected end of file; the rest of the file was not read";
    assert_eq!(faults(&read[1]), [("file", reason)]);
    assert_eq!(read.len(), 2);
}

#[test]
fn firebase_hashes_require_the_project_parameters() {
    let content = r#"{"users":[{"localId":"1","email":"a@example.com","passwordHash":"x","salt":"y"}]}"#;
    assert_eq!(faults(&rows(Source::Firebase, content)[0])[0].0, "password_hash");
}

#[test]
fn users_beyond_the_first_file_are_found() {
    let files = Files::new();
    let users = |name: &str, user: &str| {
        let content = format!(r#"{{"realm":"a","users":[{{"email":"{user}@example.com","enabled":false}}]}}"#);
        files.write(name, content)
    };
    let paths = [users("0.json", "a"), users("1.json", "b"), users("2.json", "a")];
    let read: Vec<Row> = read(Source::Keycloak, &paths, Options::default()).unwrap().collect();
    assert_eq!((email(&read[0]), email(&read[1])), ("a@example.com", "b@example.com"));
    assert!(read[..2].iter().all(|row| row.result.as_ref().unwrap().status == Some("disabled")));
    assert!(faults(&read[2])[0].1.ends_with("0.json"), "{:?}", read[2]);
}

/// Names and values that the systems use, in no order.
const FRAGMENTS: &str = concat!(
    r#"([{}\[\],:"]|\\"|\\u0000|\n|\r\n|"users":|"Users":|"Resources":|"orgs":|"humanUsers":|"email":"a@b.c""#,
    r#"|"localId":|"user_id":"auth0\|1"|"fields":|"model":|"pk":1|"credentials":|"type":"password"|"traits":"#,
    r#"|"identities":|"_id":\{"\$oid":"1"\}|"\$date":|-?[0-9]{1,20}|[a-z@.;,]{0,9}|é|1e999|null|true){0,30}"#,
);

fn reads_without_panic(content: &[u8]) {
    let files = Files::new();
    let file = files.write("users", content);
    for source in Source::ALL {
        let options = Options { assume_active: true, ..Options::default() };
        if let Ok(mut rows) = read(source, std::slice::from_ref(&file), options) {
            let count = (&mut rows).take(1_000).count();
            assert!(count < 1_000);
            assert_eq!(rows.report().users() + rows.report().faulty(), count as u64);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn random_bytes_cause_no_panic(content in prop::collection::vec(any::<u8>(), 0..400)) {
        reads_without_panic(&content);
    }

    #[test]
    fn mixed_fragments_cause_no_panic(start in "(\u{feff}|\\{|\\[|email,name\n|)", content in FRAGMENTS) {
        reads_without_panic(format!("{start}{content}").as_bytes());
    }
}

#[test]
fn truncated_fixtures_cause_no_panic() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let mut count = 0;
    for system in fs::read_dir(folder).unwrap() {
        for file in fs::read_dir(system.unwrap().path()).unwrap() {
            let content = fs::read(file.unwrap().path()).unwrap();
            for parts in 1..7 {
                reads_without_panic(&content[..content.len() * parts / 7]);
            }
            count += 1;
        }
    }
    assert!(count > 40);
}
