//! The client-credentials grant (RFC 6749 §4.4).

use secrecy::SecretString;

use super::{AccessClaims, Client, TokenSubject};
use crate::access::Permissions;
use crate::ctx::Ctx;
use crate::error::{Error, GrantError, Result};

/// An access token for a client. There is no refresh token: the client asks again (RFC 6749 §4.4.3).
#[derive(Debug)]
pub struct ClientGrant {
    /// The signed access token.
    pub access_token: SecretString,
    /// How long it lives, in seconds.
    pub expires_in_s: u32,
    /// What it carries.
    pub scope: Permissions,
}

/// Grants a client an access token with the scopes it asks for, or with all that its key carries.
pub fn client_credentials(ctx: &Ctx, client: &Client, scope: Option<&str>) -> Result<ClientGrant> {
    let scope = match scope {
        None => client.permissions,
        Some(asked) => {
            let asked = Permissions::parse(asked).map_err(|_| Error::Grant(GrantError::InvalidScope))?;
            if !client.permissions.contains_all(asked) {
                return Err(Error::Grant(GrantError::InvalidScope));
            }
            asked
        }
    };
    let policy = ctx.policy();
    let now = ctx.now();
    let claims = AccessClaims {
        issuer: policy.issuer.clone(),
        audience: policy.audience.clone(),
        subject: TokenSubject::Client { id: client.id, key_id: client.key_id },
        role: client.role.clone(),
        scope,
        issued_at: now,
        expires_at: now.plus_seconds(policy.access_ttl_s),
        custom: Vec::new(),
    };
    let access_token = ctx.services().tokens.sign(&claims)?.into();
    Ok(ClientGrant { access_token, expires_in_s: policy.access_ttl_s, scope })
}
