//! Zitadel: the export of the admin API (`POST /admin/v1/export` with `withPasswords` and `withOtp`), and with it the
//! response of the user search (`POST /v2/users`), which contains the state and the times of users: they are missing
//! from the export.
//!
//! Formats: `DataOrg` and `ExportHumanUser` of `proto/zitadel/v1.proto`, `ImportHumanUserRequest`, `AddUserGrantRequest` and
//! `SetUserMetadataRequest` of `proto/zitadel/management.proto`, `IDPUserLink` of `proto/zitadel/idp.proto`, and `User` of
//! `proto/zitadel/user/v2/user.proto`, in the JSON of Protocol Buffers.

use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::without_address;
use crate::Error;
use crate::convert::{Convert, Kind};
use crate::draft::{Details, Draft};
use crate::fields::{self, Object};
use crate::input::Paths;
use crate::options::Options;

#[derive(Default)]
pub(super) struct Zitadel {
    /// Issuers of providers by id.
    issuers: HashMap<String, String>,
    joined: HashMap<String, Joined>,
    has_export: bool,
    has_search: bool,
}

/// Records that are joined to a user.
#[derive(Default)]
struct Joined {
    links: Vec<Object>,
    roles: Vec<String>,
    metadata: Object,
    found: Option<Object>,
}

const USERS: [&str; 2] = ["humanUsers", "human_users"];

impl Convert for Zitadel {
    fn paths(&self) -> Paths {
        &[
            &["orgs", "*", "humanUsers", "*"],
            &["orgs", "*", "userLinks", "*"],
            &["orgs", "*", "userGrants", "*"],
            &["orgs", "*", "userMetadata", "*"],
            &["orgs", "*", "oidcIdps", "*"],
            &["orgs", "*", "human_users", "*"],
            &["orgs", "*", "user_links", "*"],
            &["orgs", "*", "user_grants", "*"],
            &["orgs", "*", "user_metadata", "*"],
            &["orgs", "*", "oidc_idps", "*"],
            &["dataOrgs", "orgs", "*", "humanUsers", "*"],
            &["dataOrgs", "orgs", "*", "userLinks", "*"],
            &["dataOrgs", "orgs", "*", "userGrants", "*"],
            &["dataOrgs", "orgs", "*", "userMetadata", "*"],
            &["dataOrgs", "orgs", "*", "oidcIdps", "*"],
            &["result", "*"],
        ]
    }

    fn joins(&self, _files: usize) -> bool {
        true
    }

    fn read_joined(&mut self, kind: &str, record: &Object) {
        if USERS.contains(&kind) {
            self.has_export = true;
            return;
        }
        if matches!(kind, "oidcIdps" | "oidc_idps") {
            let id = fields::first_text(record, &["idpId", "idp_id"]);
            if let (Some(id), Some(issuer)) = (id, fields::text(record, "/idp/issuer")) {
                self.issuers.insert(id, issuer);
            }
            return;
        }
        let user = match kind {
            "result" => fields::first_text(record, &["userId", "id"]),
            "userMetadata" | "user_metadata" => fields::text(record, "id"),
            _ => fields::first_text(record, &["userId", "user_id"]),
        };
        let Some(user) = user else { return };
        let joined = self.joined.entry(user).or_default();
        match kind {
            "result" => {
                self.has_search = true;
                joined.found = Some(record.clone());
            }
            "userLinks" | "user_links" => joined.links.push(record.clone()),
            "userMetadata" | "user_metadata" => {
                if let (Some(key), Some(value)) = (fields::text(record, "key"), fields::text(record, "value")) {
                    joined.metadata.insert(key, metadata_value(&value));
                }
            }
            _ => {
                let roles = fields::value(record, "roleKeys").or_else(|| fields::value(record, "role_keys"));
                let roles = roles.and_then(Value::as_array).into_iter().flatten().filter_map(fields::as_text);
                joined.roles.extend(roles);
            }
        }
    }

    fn check(&mut self, options: &Options) -> Result<(), Error> {
        if self.has_export && !self.has_search && !options.assume_active {
            return Err(Error::NoStatus("add the response of Zitadel's user search (POST /v2/users)"));
        }
        Ok(())
    }

    fn convert(&mut self, kind: &str, record: &Object, draft: &mut Draft<'_>) -> Kind {
        if kind == "result" && !self.has_export {
            let id = fields::first_text(record, &["userId", "id"]);
            let joined = id.as_ref().and_then(|id| self.joined.remove(id)).unwrap_or_default();
            let Some(Value::Object(human)) = record.get("human") else {
                draft.omit("service users: left out");
                return Kind::LeftOut;
            };
            draft.omit("passwords: not in the response of the user search; use the export too");
            return self.user(id, human, record, &joined, draft);
        }
        if !USERS.contains(&kind) {
            return Kind::Joined;
        }
        let id = fields::first_text(record, &["userId", "user_id"]);
        let joined = id.as_ref().and_then(|id| self.joined.remove(id)).unwrap_or_default();
        let user = fields::object(record, "user");
        let found = joined.found.clone().unwrap_or_default();
        if found.is_empty() && !draft.options.assume_active {
            draft.fault("status", "the user is not in the response of the user search");
        }
        self.user(id, &user, &found, &joined, draft)
    }
}

impl Zitadel {
    /// `user` is that of the export, or `human` of the search; `found` the entry of the search.
    fn user(&self, id: Option<String>, user: &Object, found: &Object, joined: &Joined, draft: &mut Draft<'_>) -> Kind {
        let Some(email) = fields::text(user, "/email/email") else { return without_address(draft) };
        draft.email(Some(email));
        draft.id(id);
        let is_flag =
            |names: [&str; 3]| names.iter().find_map(|name| fields::value(user, name)).and_then(fields::as_flag);
        let email_flags = ["/email/isEmailVerified", "/email/is_email_verified", "/email/isVerified"];
        draft.record.email_verified = Some(is_flag(email_flags) == Some(true));
        let state = fields::text(found, "state").unwrap_or_default();
        draft.disable_if(state.ends_with("INACTIVE") || state.ends_with("LOCKED") || state.ends_with("DELETED"));
        let profile = fields::object(user, "profile");
        draft.name(fields::first_text(&profile, &["displayName", "display_name"]));
        draft.name_parts(
            fields::first_text(&profile, &["firstName", "first_name", "givenName"]),
            fields::first_text(&profile, &["lastName", "last_name", "familyName"]),
        );
        let username = fields::first_text(user, &["userName", "user_name"]);
        draft.username(username.or_else(|| fields::first_text(found, &["username", "userName"])));
        draft.attribute("nickname", fields::first_text(&profile, &["nickName", "nick_name"]).map(Value::from));
        draft.locale(fields::first_text(&profile, &["preferredLanguage", "preferred_language"]));
        let phone_flags = ["/phone/isPhoneVerified", "/phone/is_phone_verified", "/phone/isVerified"];
        draft.phone(fields::text(user, "/phone/phone"), is_flag(phone_flags));
        let hash = ["/hashedPassword/value", "/hashed_password/value"];
        draft.password_hash(fields::first_text(user, &hash));
        if fields::text(user, "password").is_some() {
            draft.omit("passwords in plain text: not imported");
        }
        draft.created_at(fields::value(found, "/details/creationDate"));
        draft.updated_at(fields::value(found, "/details/changeDate"));
        if let Some(secret) = fields::first_text(user, &["otpCode", "otp_code"]) {
            draft.totp(&secret, None);
        }
        joined.roles.iter().for_each(|role| draft.role(role.clone()));
        for (name, value) in &joined.metadata {
            draft.app_attribute(name, Some(value.clone()));
        }
        for link in &joined.links {
            let idp = fields::first_text(link, &["idpId", "idp_id"]).unwrap_or_default();
            let name = fields::first_text(link, &["idpName", "idp_name"]).unwrap_or(idp.clone());
            let issuer = self.issuers.get(&idp).map(String::as_str);
            let subject = fields::first_text(link, &["providedUserId", "provided_user_id"]);
            draft.identity(&name, subject, Details { issuer, ..Details::default() });
        }
        Kind::User
    }
}

/// Metadata values are base64-encoded bytes, usually of text.
fn metadata_value(base64: &str) -> Value {
    let text = STANDARD.decode(base64).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    text.unwrap_or_else(|| base64.to_owned()).into()
}
