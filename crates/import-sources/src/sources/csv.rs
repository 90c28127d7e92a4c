//! Any CSV file with a header. Columns with the names of fields, or common ones for them, need no map.

use super::without_address;
use crate::convert::{Convert, Kind};
use crate::draft::Draft;
use crate::fields::{self, Object};
use crate::options::MAPPED_FIELDS;

#[derive(Default)]
pub(super) struct Csv {
    /// The field of each column.
    columns: Vec<(String, Option<&'static str>)>,
}

impl Convert for Csv {
    fn check_columns(&mut self, columns: &[String]) {
        for column in columns {
            if !self.columns.iter().any(|(known, _)| known == column) {
                self.columns.push((column.clone(), field(column)));
            }
        }
    }

    fn convert(&mut self, _kind: &str, record: &Object, draft: &mut Draft<'_>) -> Kind {
        let map = &draft.options.map;
        let is_mapped = |field: &str| map.fields.contains_key(field);
        let selectors = map.fields.values().chain(map.attributes.values()).chain(map.app_attributes.values());
        let used: Vec<&String> = selectors.flat_map(crate::options::Selector::names).collect();
        let (mut given, mut family, mut is_found) = (None, None, is_mapped("email"));
        let has = |wanted: &str| is_mapped(wanted) || self.columns.iter().any(|(_, field)| *field == Some(wanted));
        // Fields that are not in the file are unchanged in existing users.
        if !["status", "disabled", "enabled"].into_iter().any(has) {
            draft.record.status = None;
        }
        draft.record.email_verified = has("email_verified").then_some(false);
        // The address first: a user name that equals it is ignored.
        let email_first = |(_, field): &&(String, Option<&str>)| *field != Some("email");
        let mut columns: Vec<_> = self.columns.iter().collect();
        columns.sort_by_key(email_first);
        for (column, field) in columns {
            let Some(value) = fields::value(record, column) else { continue };
            match *field {
                Some("given_name") => given = fields::as_text(value),
                Some("family_name") => family = fields::as_text(value),
                Some(field) if !is_mapped(field) => {
                    is_found |= field == "email";
                    draft.set_field(field, value);
                }
                _ if used.contains(&column) => {}
                _ => draft.omit(&format!("values of the column {column}: not in --map")),
            }
        }
        draft.name_parts(given, family);
        if is_found { Kind::User } else { without_address(draft) }
    }
}

/// The field of a column.
fn field(column: &str) -> Option<&'static str> {
    let plain = |character: char| if character.is_ascii_alphanumeric() { character.to_ascii_lowercase() } else { '_' };
    let name: String = column.chars().map(plain).collect();
    let field = match name.trim_matches('_') {
        "email" | "e_mail" | "mail" | "email_address" | "e_mail_address" => "email",
        "name" | "full_name" | "fullname" | "display_name" | "displayname" => "name",
        "first_name" | "firstname" | "given_name" | "givenname" => return Some("given_name"),
        "last_name" | "lastname" | "family_name" | "familyname" | "surname" => return Some("family_name"),
        "username" | "user_name" | "login" => "username",
        "password_hash" | "passwordhash" | "password_digest" | "hashed_password" | "encrypted_password" => {
            "password_hash"
        }
        "email_verified" | "emailverified" | "verified" | "email_confirmed" | "email_verified_at" => "email_verified",
        "role" | "roles" | "group" | "groups" => "role",
        "status" | "state" => "status",
        "disabled" | "blocked" | "banned" | "suspended" | "locked" | "deactivated" => "disabled",
        "enabled" | "active" | "is_active" => "enabled",
        "locale" | "language" | "lang" => "locale",
        "created_at" | "createdat" | "created" | "registered_at" | "registered" | "signup_date" => "created_at",
        "updated_at" | "updatedat" | "updated" => "updated_at",
        "last_sign_in_at" | "last_login" | "last_login_at" | "lastlogin" | "last_sign_in" => "last_sign_in_at",
        "phone" | "phone_number" | "mobile" => "phone",
        "phone_verified" => "phone_verified",
        "totp_secret" | "otp_secret" => "totp_secret",
        "id" | "uuid" | "user_id" => "id",
        _ => return None,
    };
    MAPPED_FIELDS.into_iter().find(|known| *known == field)
}
