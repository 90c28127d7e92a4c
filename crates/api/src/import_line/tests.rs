use super::{ImportLine, faults};
use crate::json_form;

fn faults_of(line: &str) -> Vec<(String, &'static str)> {
    let error = json_form::read::<ImportLine>(line.as_bytes()).err().unwrap();
    let found = faults::all(line.as_bytes(), error, |_| Vec::new());
    assert!(found.iter().all(|fault| !fault.message.contains("hunter2")), "{line}: {found:?}");
    found.into_iter().map(|fault| (fault.field, fault.code)).collect()
}

fn check(line: &str, field: &str, code: &'static str) {
    assert_eq!(faults_of(line)[0], (field.to_owned(), code), "{line}");
}

#[test]
fn faults_of_a_malformed_line_name_the_field() {
    check("", "line", "invalid_json");
    check("{", "line", "invalid_json");
    check(r#"{"email":"a@example.com","name":"A"} x"#, "line", "invalid_json");
    check("\u{1}", "line", "invalid_json");
    check("[]", "line", "wrong_type");
    check(r#"["a@example.com","A",null,null,null,null,null,null]"#, "line", "wrong_type");
    check(r#""hunter2""#, "line", "wrong_type");
    check("{}", "email", "required");
    check(r#"{"email":"a@example.com"}"#, "name", "required");
    check(r#"{"email":"a@example.com","name":"A","password":"hunter2"}"#, "password", "unknown_field");
    check(r#"{"email":"a@example.com","email":"a@example.com","name":"A"}"#, "email", "duplicate");
    check(r#"{"email":"a@example.com","name":"A","password_hash":["hunter2"]}"#, "password_hash", "wrong_type");
    check(r#"{"email":"a@example.com","name":"A","email_verified":"hunter2"}"#, "email_verified", "wrong_type");
    check(r#"{"email":"a@example.com","name":"A","attributes":"hunter2"}"#, "attributes", "wrong_type");
    check(r#"{"email":"a@example.com","name":"A","totp":{"confirmed_at":null}}"#, "totp.secret", "required");
    check(
        r#"{"email":"a@example.com","name":"A","passkeys":[{"counter":"hunter2"}]}"#,
        "passkeys[0].counter",
        "wrong_type",
    );
    let deep = format!(r#"{{"email":"a@example.com","name":"A","attributes":{{"a":{}}}}}"#, "[".repeat(500));
    check(&deep, "line", "invalid_json");
}

#[test]
fn all_faults_of_a_malformed_line_are_reported_at_once() {
    let unknown: Vec<_> = (0..64).map(|at| format!(r#""x{at:02}":1"#)).collect();
    let line = format!(r#"{{"email":7,"role":true,"locale":[],{}}}"#, unknown.join(","));
    let found = faults_of(&line);
    let expected = |field: &str, code| assert!(found.contains(&(field.to_owned(), code)), "{field}: {found:?}");
    (0..64).for_each(|at| expected(&format!("x{at:02}"), "unknown_field"));
    expected("email", "wrong_type");
    expected("name", "required");
    expected("role", "wrong_type");
    expected("locale", "wrong_type");
    assert_eq!(found.len(), 68, "{found:?}");
}

#[test]
fn names_of_unknown_fields_are_truncated() {
    let line = format!(r#"{{"email":"a@example.com","name":"A","{}":1,"totp":1}}"#, "é".repeat(1_000));
    let cut = format!("{}…", "é".repeat(64));
    assert_eq!(faults_of(&line), [(cut, "unknown_field"), ("totp".to_owned(), "wrong_type")]);
}

#[test]
fn a_well_formed_line_is_parsed() {
    let least: ImportLine = json_form::read(br#"{"email":"a@example.com","name":"A"}"#).unwrap();
    assert!(least.password_hash.is_none() && least.role.is_none());
    let nulls =
        br#"{"email":"a@example.com","name":"A","role":null,"created_at":null,"attributes":null,"passkeys":null} "#;
    let nulls: ImportLine = json_form::read(nulls).unwrap();
    assert!(nulls.attributes.is_none() && nulls.passkeys.is_none());
}
