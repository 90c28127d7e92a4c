//! What the operations around mailed links share.

use denizen_domain::users::EmailAddress;
use secrecy::SecretString;
use serde::Deserialize;
use utoipa::ToSchema;

use super::extract::Fields;
use super::problem::Problem;

/// An email address.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"email": "ada@example.com"}))]
pub(super) struct EmailBody {
    /// The email address.
    #[schema(format = Email, max_length = 254)]
    email: String,
}

impl EmailBody {
    /// The address, parsed.
    pub(super) fn email(&self) -> Result<EmailAddress, Problem> {
        let mut fields = Fields::default();
        let email = fields.check("email", EmailAddress::parse(&self.email));
        Ok(fields.finish(email)?)
    }
}

/// The token of a mailed link.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"token": "dno_AZNlqHsffD6NDAocLT5PUAAAAAAAAAAAr4vT1m0Xg5h1cD2q8g"}))]
pub(super) struct TokenBody {
    /// The token of the link; it begins with `dno_`.
    #[schema(value_type = String, format = Password)]
    pub(super) token: SecretString,
}
