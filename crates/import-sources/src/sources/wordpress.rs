//! `WordPress`: the tables `wp_users` and `wp_usermeta` as CSV files or as the JSON of phpMyAdmin, or the output of
//! `wp user list --format=csv` (or `json`) with `--fields=…,user_pass`.
//!
//! Formats: <https://developer.wordpress.org/plugins/users/working-with-user-metadata/>, `wp-admin/includes/schema.php`, and
//! `libraries/classes/Plugins/Export/ExportJson.php` of phpMyAdmin. Roles are a serialized array of PHP.

use std::collections::HashMap;

use serde_json::Value;

use super::{hex_digest, without_address};
use crate::convert::{Convert, Kind};
use crate::draft::Draft;
use crate::fields::{self, Object};
use crate::input::{Format, Paths};

#[derive(Default)]
pub(super) struct Wordpress {
    /// By user.
    meta: HashMap<String, Object>,
}

/// The keys of metadata that are read.
const META_KEYS: [&str; 10] = [
    "first_name",
    "last_name",
    "nickname",
    "description",
    "locale",
    "billing_phone",
    "last_login",
    "wc_last_active",
    "ja_disable_user",
    "_is_disabled",
];

impl Convert for Wordpress {
    fn paths(&self) -> Paths {
        &[&[], &["*"], &["*", "data", "*"], &["data", "*"]]
    }

    fn csv(&self) -> Format<'_> {
        Format { detects_escape: true, ..Format::default() }
    }

    fn joins(&self, _files: usize) -> bool {
        true
    }

    fn read_joined(&mut self, _kind: &str, record: &Object) {
        let texts = ["user_id", "meta_key", "meta_value"].map(|name| fields::text(record, name));
        let [Some(user), Some(key), Some(value)] = texts else { return };
        if META_KEYS.contains(&key.as_str()) || key.ends_with("capabilities") {
            self.meta.entry(user).or_default().insert(key, value.into());
        }
    }

    fn convert(&mut self, _kind: &str, record: &Object, draft: &mut Draft<'_>) -> Kind {
        let login = fields::text(record, "user_login");
        if record.contains_key("meta_key") || login.is_none() && record.contains_key("type") {
            return Kind::Joined;
        }
        let Some(login) = login else { return Kind::Unknown };
        let Some(email) = fields::text(record, "user_email") else { return without_address(draft) };
        let id = fields::text(record, "ID");
        let meta = id.as_ref().and_then(|id| self.meta.remove(id)).unwrap_or_default();
        draft.email(Some(email));
        draft.id(id);
        draft.password_hash(fields::text(record, "user_pass").map(password_hash));
        let is_set = |object: &Object, name| fields::flag(object, name) == Some(true);
        // Set in networks of sites, and by the plugin Disable Users.
        draft.disable_if(["spam", "deleted", "user_status"].iter().any(|name| is_set(record, name)));
        draft.disable_if(is_set(&meta, "ja_disable_user") || is_set(&meta, "_is_disabled"));
        // The display name of a new user is the login.
        draft.name(fields::text(record, "display_name").filter(|name| *name != login));
        draft.name_parts(
            fields::text(record, "first_name").or_else(|| fields::text(&meta, "first_name")),
            fields::text(record, "last_name").or_else(|| fields::text(&meta, "last_name")),
        );
        let nickname = fields::text(&meta, "nickname").filter(|name| *name != login);
        draft.attribute("nickname", nickname.map(Value::from));
        draft.username(Some(login));
        draft.attribute("description", fields::value(&meta, "description").cloned());
        draft.attribute("website", fields::value(record, "user_url").cloned());
        draft.phone(fields::text(&meta, "billing_phone"), None);
        draft.locale(fields::text(&meta, "locale"));
        draft.created_at(fields::value(record, "user_registered"));
        draft.last_sign_in_at(fields::value(&meta, "last_login").or_else(|| fields::value(&meta, "wc_last_active")));
        let names = fields::text(record, "roles").unwrap_or_default();
        names.split(',').map(str::trim).filter(|name| !name.is_empty()).for_each(|name| draft.role(name.to_owned()));
        for (key, value) in meta.iter().filter(|(key, _)| key.ends_with("capabilities")) {
            let site = site_of(key);
            for role in php_flags(value.as_str().unwrap_or_default()) {
                draft.role(site.map_or_else(|| role.clone(), |site| format!("{site}/{role}")));
            }
        }
        Kind::User
    }
}

/// Before `WordPress` 2.5, hashes were plain MD5.
fn password_hash(hash: String) -> String {
    if hash.len() == 32 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()) { hex_digest("md5", &hash) } else { hash }
}

/// The number of another site of a network: 7 in `wp_7_capabilities`.
fn site_of(key: &str) -> Option<&str> {
    let (_, site) = key.strip_suffix("_capabilities")?.rsplit_once('_')?;
    (!site.is_empty() && site.bytes().all(|byte| byte.is_ascii_digit())).then_some(site)
}

/// The names with `true` in `a:1:{s:13:"administrator";b:1;}`.
fn php_flags(text: &str) -> Vec<String> {
    let pairs = text.split("s:").skip(1);
    let name = |pair: &str| {
        let (_, rest) = pair.split_once(":\"")?;
        let (name, value) = rest.split_once("\";")?;
        value.starts_with("b:1;").then(|| name.to_owned())
    };
    pairs.filter_map(name).collect()
}

#[cfg(test)]
mod tests {
    use super::{php_flags, site_of};

    #[test]
    fn sites_of_a_network() {
        assert_eq!(site_of("wp_7_capabilities"), Some("7"));
        for key in ["wp_capabilities", "wp2_capabilities", "capabilities", "my_wp_capabilities", "wp__capabilities"] {
            assert_eq!(site_of(key), None, "{key}");
        }
    }

    #[test]
    fn roles_of_php() {
        assert_eq!(php_flags(r#"a:1:{s:13:"administrator";b:1;}"#), ["administrator"]);
        assert_eq!(php_flags(r#"a:3:{s:6:"editor";b:1;s:6:"author";b:0;s:8:"customer";b:1;}"#), ["editor", "customer"]);
        assert!(php_flags("a:0:{}").is_empty() && php_flags("s:").is_empty());
    }
}
