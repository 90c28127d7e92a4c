//! Fields that are named by a map, or by the columns of a generic CSV file.

use serde_json::Value;

use crate::draft::Draft;
use crate::fields::{self, Object};

impl Draft<'_> {
    /// Sets the fields and attributes of the map.
    pub(crate) fn apply_map(&mut self, source: &Object) {
        let map = &self.options.map;
        for (name, selector) in &map.attributes {
            self.attribute(name, selected(source, selector.names()));
        }
        for (name, selector) in &map.app_attributes {
            self.app_attribute(name, selected(source, selector.names()));
        }
        for (name, selector) in &map.fields {
            if let Some(value) = selected(source, selector.names()) {
                self.set_field(name, &value);
            }
        }
    }

    /// Sets a field of a map or of a generic CSV file.
    pub(crate) fn set_field(&mut self, name: &str, value: &Value) {
        let text = fields::as_text(value);
        let flag = fields::as_flag(value);
        match name {
            "id" => self.id(text),
            "email" => self.email(text),
            "name" => self.name(text),
            "password_hash" => self.password_hash(text),
            "email_verified" => self.record.email_verified = Some(self.is_true("email_verified", value)),
            "role" => self.roles_in(Some(value)),
            "status" => self.set_status(value),
            "disabled" => self.disable_if(flag != Some(false)),
            "enabled" => self.disable_if(flag != Some(true)),
            "locale" => self.locale(text),
            "created_at" => self.created_at(Some(value)),
            "updated_at" => self.updated_at(Some(value)),
            "last_sign_in_at" => self.last_sign_in_at(Some(value)),
            "phone" => self.attribute("phone", text.map(Value::from)),
            "phone_verified" => self.attribute("phone_verified", flag.map(Value::from)),
            "username" => self.username(text),
            "totp_secret" => {
                if let Some(secret) = text {
                    self.totp(&secret, None);
                }
            }
            _ => {}
        }
    }

    /// A boolean; or a time, which counts as true.
    fn is_true(&mut self, field: &'static str, value: &Value) -> bool {
        match fields::as_flag(value) {
            Some(flag) => flag,
            None => self.moment(field, Some(value)).is_some(),
        }
    }

    fn set_status(&mut self, value: &Value) {
        let text = fields::as_text(value).unwrap_or_default();
        if self.options.map.disabled.iter().any(|disabled| disabled.eq_ignore_ascii_case(&text)) {
            return self.disable_if(true);
        }
        match text.to_ascii_lowercase().as_str() {
            "active" | "enabled" | "confirmed" => {}
            "disabled" | "inactive" | "blocked" | "banned" | "suspended" | "locked" | "deactivated" | "deleted" => {
                self.disable_if(true);
            }
            // If the map lists the values for disabled, all others mean active.
            _ if !self.options.map.disabled.is_empty() => {}
            _ => self.fault("status", "is unknown; list the values that mean disabled under disabled in --map"),
        }
    }
}

fn selected(source: &Object, names: &[String]) -> Option<Value> {
    if let [name] = names {
        return fields::value(source, name).cloned();
    }
    let texts: Vec<String> = names.iter().filter_map(|name| fields::text(source, name)).collect();
    (!texts.is_empty()).then(|| texts.join(" ").into())
}
