//! The systems whose exports can be read, and how their files are recognised.

use std::fmt;
use std::str::FromStr;

/// A system whose exports can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Auth0.
    Auth0,
    /// Firebase Authentication.
    Firebase,
    /// Keycloak.
    Keycloak,
    /// Supabase Auth.
    Supabase,
    /// Amazon Cognito.
    Cognito,
    /// Django.
    Django,
    /// Clerk.
    Clerk,
    /// Zitadel.
    Zitadel,
    /// Ory Kratos.
    Kratos,
    /// `FusionAuth`.
    Fusionauth,
    /// Okta.
    Okta,
    /// `WordPress`.
    Wordpress,
    /// Devise (Ruby on Rails).
    Devise,
    /// Any CSV file.
    Csv,
    /// SCIM 2.0.
    Scim,
}

impl Source {
    /// All of them.
    pub const ALL: [Self; 15] = [
        Self::Auth0,
        Self::Firebase,
        Self::Keycloak,
        Self::Supabase,
        Self::Cognito,
        Self::Django,
        Self::Clerk,
        Self::Zitadel,
        Self::Kratos,
        Self::Fusionauth,
        Self::Okta,
        Self::Wordpress,
        Self::Devise,
        Self::Csv,
        Self::Scim,
    ];

    /// The name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Auth0 => "auth0",
            Self::Firebase => "firebase",
            Self::Keycloak => "keycloak",
            Self::Supabase => "supabase",
            Self::Cognito => "cognito",
            Self::Django => "django",
            Self::Clerk => "clerk",
            Self::Zitadel => "zitadel",
            Self::Kratos => "kratos",
            Self::Fusionauth => "fusionauth",
            Self::Okta => "okta",
            Self::Wordpress => "wordpress",
            Self::Devise => "devise",
            Self::Csv => "csv",
            Self::Scim => "scim",
        }
    }

    /// The name in messages.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Auth0 => "Auth0",
            Self::Firebase => "Firebase",
            Self::Keycloak => "Keycloak",
            Self::Supabase => "Supabase",
            Self::Cognito => "Amazon Cognito",
            Self::Django => "Django",
            Self::Clerk => "Clerk",
            Self::Zitadel => "Zitadel",
            Self::Kratos => "Ory Kratos",
            Self::Fusionauth => "FusionAuth",
            Self::Okta => "Okta",
            Self::Wordpress => "WordPress",
            Self::Devise => "Devise",
            Self::Csv => "CSV",
            Self::Scim => "SCIM",
        }
    }

    /// A noun phrase for its files: "a Firebase export".
    #[must_use]
    pub fn description(self) -> &'static str {
        match self {
            Self::Auth0 => "an Auth0 export",
            Self::Firebase => "a Firebase export",
            Self::Keycloak => "a Keycloak realm",
            Self::Supabase => "a Supabase export",
            Self::Cognito => "an Amazon Cognito export",
            Self::Django => "a Django export",
            Self::Clerk => "a Clerk export",
            Self::Zitadel => "a Zitadel export",
            Self::Kratos => "an Ory Kratos export",
            Self::Fusionauth => "a FusionAuth export",
            Self::Okta => "an Okta export",
            Self::Wordpress => "a WordPress export",
            Self::Devise => "an export of a Devise table",
            Self::Csv => "a CSV file",
            Self::Scim => "a SCIM list",
        }
    }

    /// Texts that identify its files: a file matches if it contains all texts of any group.
    fn markers(self) -> &'static [&'static [&'static str]] {
        match self {
            Self::Auth0 => &[&["\"user_id\"", "|"], &["user_id", "auth0|"], &["\"$oid\"", "\"passwordHash\""]],
            Self::Firebase => &[&["\"localId\""]],
            Self::Keycloak => &[&["\"credentialData\""], &["\"createdTimestamp\""], &["\"realm\"", "\"enabled\""]],
            Self::Supabase => &[&["raw_app_meta_data"], &["raw_user_meta_data"], &["\"app_metadata\"", "\"aud\""]],
            Self::Cognito => &[&["cognito:username"], &["\"UserCreateDate\""], &["\"UserStatus\""]],
            Self::Django => &[&["\"model\"", "\"fields\""], &["is_superuser", "is_active"]],
            Self::Clerk => &[&["primary_email_address", "password_hasher"], &["\"primary_email_address_id\""]],
            Self::Zitadel => &[&["\"humanUsers\""], &["\"human_users\""], &["USER_STATE_"]],
            Self::Kratos => &[&["\"schema_id\"", "\"traits\""], &["\"verifiable_addresses\""]],
            Self::Fusionauth => &[&["\"encryptionScheme\""], &["\"insertInstant\""], &["\"identityProviderLinks\""]],
            Self::Okta => &[&["\"statusChanged\""], &["\"passwordChanged\"", "\"profile\""]],
            Self::Wordpress => &[&["user_login", "user_email"], &["meta_key", "meta_value"]],
            Self::Scim => &[&["urn:ietf:params:scim:"]],
            Self::Devise => &[&["encrypted_password"]],
            Self::Csv => &[],
        }
    }

    /// Whether the beginning of a file matches the format of this system.
    pub(crate) fn matches(self, head: &str) -> bool {
        let has_markers = self.markers().iter().any(|group| group.iter().all(|marker| head.contains(marker)));
        // Files of Supabase have the column of Devise, too.
        has_markers && !(self == Self::Devise && Self::Supabase.matches(head))
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Source {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|source| source.name() == name).ok_or_else(|| {
            let names: Vec<&str> = Self::ALL.into_iter().map(Self::name).collect();
            format!("must be one of {}", names.join(", "))
        })
    }
}

/// The system that wrote a file, by the file's beginning.
///
/// `None` if it is unknown; a CSV file is recognised only by the columns of such a system.
#[must_use]
pub fn recognise(head: &[u8]) -> Option<Source> {
    let head = String::from_utf8_lossy(head);
    Source::ALL.into_iter().find(|source| source.matches(&head))
}

#[cfg(test)]
mod tests {
    use super::{Source, recognise};

    #[test]
    fn names_are_parsed() {
        for source in Source::ALL {
            assert_eq!(source.name().parse(), Ok(source));
        }
        assert!("ldap".parse::<Source>().is_err());
    }

    #[test]
    fn files_are_recognised() {
        for (head, source) in [
            (r#"{"users":[{"localId":"1"}]}"#, Some(Source::Firebase)),
            (r#"{"user_id":"auth0|1","email":"a@example.com"}"#, Some(Source::Auth0)),
            ("id,email,encrypted_password,created_at", Some(Source::Devise)),
            ("id,email,encrypted_password,raw_app_meta_data", Some(Source::Supabase)),
            (r#"{"Users":[{"Username":"a","UserCreateDate":1}]}"#, Some(Source::Cognito)),
            ("email,name\n", None),
            (r#"{"email":"a@example.com","name":"A"}"#, None),
            ("", None),
        ] {
            assert_eq!(recognise(head.as_bytes()), source, "{head}");
        }
        assert_eq!(recognise(b"\xff\xfe\0"), None);
    }
}
