//! JSON bodies that several resources share.

use denizen_domain::time::Timestamp;
use denizen_domain::users::{Locale, User};
use denizen_domain::value::Object;
use serde::Serialize;
use utoipa::ToSchema;

/// A user.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({
    "id": "019365a8-6a5c-7f3e-9d0c-7b1f0a1c2d3e", "email": "ada@example.com", "email_verified": false,
    "name": "Ada Lovelace", "role": "user", "status": "active", "created_at": "2026-11-22T17:30:18.000001Z",
    "updated_at": "2026-11-22T17:30:18.000001Z", "last_sign_in_at": null, "locale": "en", "attributes": {"theme": "dark"},
    "app_attributes": {"plan": "pro"}
}))]
pub struct UserBody {
    /// Unique identifier of the user: a UUIDv7.
    #[schema(format = Uuid)]
    id: String,
    /// The email address in canonical form.
    #[schema(format = Email, max_length = 254)]
    email: String,
    /// Whether the email address is verified.
    email_verified: bool,
    /// Display name.
    #[schema(max_length = 200)]
    name: String,
    /// The role.
    role: String,
    /// `active`, `disabled` or `invited`.
    #[schema(pattern = "^(active|disabled|invited)$")]
    status: &'static str,
    /// Creation time.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// Time of the last change.
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
    /// Time of the last sign-in.
    #[schema(required = true, value_type = Option<String>, format = DateTime)]
    last_sign_in_at: Option<Timestamp>,
    /// Preferred language (BCP 47), if known.
    #[schema(required = true, max_length = 35)]
    locale: Option<String>,
    /// Custom attributes, writable by users themselves: do not base authorization or billing decisions on them. At most
    /// 16 KiB, 512 values and 8 levels.
    #[schema(value_type = Object)]
    attributes: Object,
    /// Custom attributes that administrators and programs with `users:write` set, and the user can read. The limits are
    /// those of `attributes`.
    // Not required: a client of this release reads responses of the release before, which has no such field.
    #[schema(value_type = Object, required = false)]
    app_attributes: Object,
    /// When the user is deleted, if the deletion is scheduled.
    #[schema(nullable = false, value_type = Option<String>, format = DateTime)]
    #[serde(skip_serializing_if = "Option::is_none")]
    delete_after: Option<Timestamp>,
}

impl From<User> for UserBody {
    fn from(user: User) -> Self {
        Self {
            id: user.id.to_string(),
            email: user.email.into_string(),
            email_verified: user.email_verified,
            name: user.name.into_string(),
            role: user.role.into_string(),
            status: user.status.as_str(),
            created_at: user.created_at,
            updated_at: user.updated_at,
            last_sign_in_at: user.last_sign_in_at,
            locale: user.locale.map(Locale::into_string),
            attributes: user.attributes.into_object(),
            app_attributes: user.app_attributes.into_object(),
            delete_after: user.deletion.map(|deletion| deletion.after),
        }
    }
}
