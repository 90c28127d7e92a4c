//! Devise (Ruby on Rails): the table of users as CSV or JSON, and a table of identities with the columns
//! `user_id`, `provider` and `uid`, as used by `OmniAuth`.
//!
//! Format: <https://github.com/heartcombo/devise> (`lib/devise/models/`, `lib/generators/active_record/`), and the columns
//! of devise-two-factor.

use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::without_address;
use crate::convert::{Convert, Kind};
use crate::draft::{Details, Draft};
use crate::fields::{self, Object};

#[derive(Default)]
pub(super) struct Devise {
    /// By user.
    identities: HashMap<String, Vec<Object>>,
}

/// Times at which a user was locked out, by Devise or by a common convention.
const DISABLED_AT: [&str; 8] = [
    "locked_at",
    "disabled_at",
    "deactivated_at",
    "discarded_at",
    "deleted_at",
    "banned_at",
    "blocked_at",
    "suspended_at",
];
const DISABLED: [&str; 8] =
    ["disabled", "deactivated", "discarded", "deleted", "banned", "blocked", "suspended", "locked"];

impl Convert for Devise {
    fn read_joined(&mut self, _kind: &str, record: &Object) {
        if let Some(user) = fields::text(record, "user_id").filter(|_| is_identity(record)) {
            self.identities.entry(user).or_default().push(record.clone());
        }
    }

    fn convert(&mut self, _kind: &str, record: &Object, draft: &mut Draft<'_>) -> Kind {
        if is_identity(record) && record.contains_key("user_id") {
            return Kind::Joined;
        }
        let Some(email) = fields::text(record, "email") else {
            return if record.contains_key("encrypted_password") { without_address(draft) } else { Kind::Unknown };
        };
        draft.email(Some(email));
        let id = fields::text(record, "id");
        let identities = id.as_ref().and_then(|id| self.identities.remove(id)).unwrap_or_default();
        draft.id(id);
        draft.record.email_verified = Some(fields::value(record, "confirmed_at").is_some());
        draft.disable_if(DISABLED_AT.iter().any(|name| fields::value(record, name).is_some()));
        draft.disable_if(DISABLED.iter().any(|name| fields::flag(record, name) == Some(true)));
        draft.disable_if(["active", "enabled"].iter().any(|name| fields::flag(record, name) == Some(false)));
        draft.name(fields::first_text(record, &["name", "full_name", "display_name"]));
        draft.name_parts(fields::text(record, "first_name"), fields::text(record, "last_name"));
        draft.username(fields::first_text(record, &["username", "login"]));
        draft.phone(fields::first_text(record, &["phone", "phone_number"]), None);
        draft.attribute("picture", fields::value(record, "avatar_url").cloned());
        draft.locale(fields::first_text(record, &["locale", "language"]));
        draft.created_at(fields::value(record, "created_at"));
        draft.updated_at(fields::value(record, "updated_at"));
        let last = fields::value(record, "current_sign_in_at").or_else(|| fields::value(record, "last_sign_in_at"));
        draft.last_sign_in_at(last);
        draft.roles_in(fields::value(record, "role").or_else(|| fields::value(record, "roles")));
        if fields::flag(record, "admin") == Some(true) {
            draft.role("admin".to_owned());
        }
        if let Some(hash) = fields::text(record, "encrypted_password") {
            let pepper = draft.options.devise_pepper.as_deref();
            draft.password_hash(Some(peppered(hash, pepper)));
        }
        if fields::value(record, "unconfirmed_email").is_some() {
            draft.omit("unconfirmed changes of the address: the user changes it again");
        }
        for account in identities.iter().chain(is_identity(record).then_some(record)) {
            let created_at = fields::value(account, "created_at").filter(|_| account.contains_key("user_id"));
            let name = fields::text(account, "provider").unwrap_or_default();
            draft.identity(&name, fields::text(account, "uid"), Details { created_at, ..Details::default() });
        }
        totp(record, draft);
        Kind::User
    }
}

fn is_identity(record: &Object) -> bool {
    record.contains_key("provider") && record.contains_key("uid")
}

/// Devise appends the pepper to the password before bcrypt.
fn peppered(hash: String, pepper: Option<&[u8]>) -> String {
    match pepper {
        Some(pepper) if hash.starts_with("$2") => {
            format!("$denizen-pre$pepper={}${hash}", STANDARD.encode(pepper))
        }
        _ => hash,
    }
}

fn totp(record: &Object, draft: &mut Draft<'_>) {
    if fields::flag(record, "otp_required_for_login") != Some(true) {
        return;
    }
    match fields::value(record, "otp_secret").map(|secret| (secret, fields::as_text(secret))) {
        // Active Record Encryption.
        Some((Value::Object(_), _)) | None => draft.omit("TOTP secrets: encrypted; export them decrypted"),
        Some((_, Some(secret))) if secret.starts_with('{') => {
            draft.omit("TOTP secrets: encrypted; export them decrypted");
        }
        Some((_, secret)) => draft.totp(&secret.unwrap_or_default(), None),
    }
    draft.omit_many("recovery codes: users get new ones", fields::list(record, "otp_backup_codes").len());
}
