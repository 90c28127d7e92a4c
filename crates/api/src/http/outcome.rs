//! From an outcome to its problem: one exhaustive map.

use denizen_domain::error::{Conflict, Error, GrantError, Resource, Unauthenticated};
use denizen_domain::store::StoreError;
use http::StatusCode;

use super::problem::{Chain, Problem};

/// How long to wait when the database is away, in seconds: about as long as a fail-over's first step.
const STORE_RETRY_AFTER_S: u32 = 2;

impl Problem {
    fn unauthenticated(reason: Unauthenticated) -> Self {
        let (code, message, challenge) = match reason {
            Unauthenticated::Missing => (
                "unauthenticated",
                "Sign in and send the access token as Authorization: Bearer.",
                "Bearer realm=\"denizen\"",
            ),
            Unauthenticated::InvalidToken => (
                "invalid_token",
                "The access token is invalid, or its session has ended. Sign in again.",
                "Bearer realm=\"denizen\", error=\"invalid_token\"",
            ),
            Unauthenticated::InvalidRefreshToken => (
                "invalid_refresh_token",
                "The refresh token is invalid, or its session has ended. Sign in again.",
                "Bearer realm=\"denizen\"",
            ),
            Unauthenticated::InvalidCredentials => {
                ("invalid_credentials", "The email address or the password is wrong.", "Bearer realm=\"denizen\"")
            }
            Unauthenticated::InvalidCode => (
                "invalid_code",
                "The code is wrong or already used, or the sign-in has ended. Request a new code or sign in again.",
                "Bearer realm=\"denizen\"",
            ),
            Unauthenticated::ProviderRefused => (
                "provider_refused",
                "The sign-in at the provider was not accepted. Start again.",
                "Bearer realm=\"denizen\"",
            ),
            Unauthenticated::InvalidPasskey => (
                "invalid_passkey",
                "The passkey was rejected, or its state has expired or was used. Request new options and try again.",
                "Bearer realm=\"denizen\"",
            ),
            Unauthenticated::InvalidClient => (
                "invalid_client",
                "Client authentication failed: the client is unknown or its secret is wrong.",
                "Basic realm=\"denizen\"",
            ),
        };
        Self::new(StatusCode::UNAUTHORIZED, code, message).challenged(challenge)
    }

    fn grant(error: GrantError) -> Self {
        let (code, message) = match error {
            GrantError::InvalidGrant => ("invalid_grant", "The token is invalid, or was not issued to this client."),
            GrantError::InvalidScope => ("invalid_scope", "The scope is unknown, or exceeds the scopes of the client."),
            GrantError::UnsupportedTokenType => {
                ("unsupported_token_type", "Tokens of this type cannot be revoked separately. Revoke the API key.")
            }
        };
        Self::new(StatusCode::BAD_REQUEST, code, message)
    }

    fn not_found(resource: Resource) -> Self {
        let (code, message) = match resource {
            Resource::User => ("user_not_found", "The user does not exist."),
            Resource::Session => ("session_not_found", "The session does not exist."),
            Resource::Role => ("role_not_found", "The role does not exist."),
            Resource::ServiceAccount => ("service_account_not_found", "The service account does not exist."),
            Resource::ApiKey => ("api_key_not_found", "The API key does not exist."),
            Resource::SecondFactor => ("second_factor_not_found", "There is no second factor."),
            Resource::Passkey => ("passkey_not_found", "The passkey does not exist."),
            Resource::PasskeyCredential => {
                ("unknown_passkey", "No user has this passkey. Remove it from the authenticator.")
            }
            Resource::Webhook => ("webhook_not_found", "The webhook does not exist."),
            Resource::Delivery => ("delivery_not_found", "The delivery does not exist."),
            Resource::Provider => ("provider_not_found", "The provider does not exist."),
            Resource::Identity => ("identity_not_found", "The identity does not exist."),
            Resource::SigningKey => ("signing_key_not_found", "The signing key does not exist."),
        };
        Self::new(StatusCode::NOT_FOUND, code, message)
    }

    fn conflict(conflict: Conflict) -> Self {
        let new = |code, message: &'static str| Self::new(StatusCode::CONFLICT, code, message);
        match conflict {
            Conflict::EmailTaken => new("email_taken", "Another user already has this email address.").with_field(
                "email",
                "taken",
                "must not be another user's address",
            ),
            Conflict::LastAdmin => new("last_admin", "The operation would leave no active administrator."),
            Conflict::RoleNameTaken => new("role_name_taken", "Another role already has this name.").with_field(
                "name",
                "taken",
                "must not be another role's name",
            ),
            Conflict::RoleInUse => new(
                "role_in_use",
                "The role is assigned to users or service accounts. Assign another role to them first.",
            ),
            Conflict::RoleBuiltIn => new("role_built_in", "The role is built in and cannot be changed or deleted."),
            Conflict::TooManyApiKeys => {
                new("too_many_api_keys", "The limit of 200 API keys is reached. Delete unused keys.")
            }
            Conflict::TooManyWebhooks => {
                new("too_many_webhooks", "The limit of 50 webhooks is reached. Delete unused webhooks.")
            }
            Conflict::SecondFactorPresent => new(
                "second_factor_present",
                "The user already has a second factor, which must be removed first. A reset link can set a new password instead.",
            ),
            Conflict::IdentityTaken => new("identity_taken", "The identity is linked to another user."),
            Conflict::LinkRequired => new(
                "link_required",
                "A user with this email address exists. Sign in as that user, then link the identity.",
            ),
            Conflict::LastWayIn => new(
                "last_way_in",
                "The user could no longer sign in. Set a password or add another sign-in method first.",
            ),
            Conflict::ProviderNameTaken => new("provider_name_taken", "Another provider already has this name.")
                .with_field("name", "taken", "must not be another provider's name"),
            Conflict::ProviderConfigured => {
                new("provider_configured", "The provider is part of the configuration of the server. Change it there.")
            }
            Conflict::ProviderTokensGone => new(
                "provider_tokens_gone",
                "There are no tokens of the provider, or it no longer accepts them. The user must sign in through it again.",
            ),
            Conflict::TooManyProviders => {
                new("too_many_providers", "The limit of 100 providers is reached. Delete unused providers.")
            }
            Conflict::TooManyIdentities => {
                new("too_many_identities", "The limit of 20 identities is reached. Unlink unused identities.")
            }
            Conflict::TooManyPasskeys => {
                new("too_many_passkeys", "The limit of 20 passkeys is reached. Delete unused passkeys.")
            }
            Conflict::PasskeyTaken => new("passkey_taken", "This passkey is already registered."),
            Conflict::PasskeyRequired => {
                new("passkey_required", "Your role requires a passkey or a security key. Register another one first.")
            }
            Conflict::SigningBySecret => new(
                "signing_by_secret",
                "Access tokens are signed with a configured secret; there are no signing keys.",
            ),
            Conflict::IdempotencyKeyReused => new(
                "idempotency_key_reused",
                "This idempotency key was already used with a different request. Use a new key.",
            ),
            Conflict::IdempotencyInProgress => {
                new("idempotency_in_progress", "The first request with this idempotency key is still in progress.")
                    .retry_after(1)
            }
        }
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::Invalid(fields) => Self::invalid(fields),
            Error::Unauthenticated(reason) => Self::unauthenticated(reason),
            Error::Forbidden => Self::new(StatusCode::FORBIDDEN, "forbidden", "You do not have permission to do this."),
            Error::StepUpRequired => Self::new(
                StatusCode::FORBIDDEN,
                "step_up_required",
                "Recent authentication is required: POST /api/v1/sessions/current/step-up.",
            ),
            Error::ProviderUnavailable { retry_after_s } => Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "provider_unavailable",
                "The provider is unavailable. Retry later, or sign in in another way.",
            )
            .retry_after(retry_after_s),
            Error::EmailUnverified => Self::new(
                StatusCode::FORBIDDEN,
                "email_unverified",
                "The provider reports no verified email address. Verify the address there, or sign up with a password.",
            ),
            Error::VerificationRequired => Self::new(
                StatusCode::FORBIDDEN,
                "verification_required",
                "Verify your email address first. If the limits of mail allow it, another link has been sent to it.",
            ),
            Error::SignupClosed => Self::new(
                StatusCode::FORBIDDEN,
                "signup_closed",
                "Sign-up is closed. Ask an administrator for an account or an invitation.",
            ),
            Error::HookRefused(refusal) => {
                Self::new(StatusCode::FORBIDDEN, "hook_refused", refusal.message().to_owned())
            }
            Error::HookFailed { retry_after_s } => Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "hook_failed",
                "A check of the application failed or did not answer in time. Retry later.",
            )
            .retry_after(retry_after_s),
            Error::NotOffered => Self::new(
                StatusCode::FORBIDDEN,
                "not_offered",
                "This is disabled: the sign-in method is turned off, or the server does not send mail.",
            ),
            Error::NotHeld => Self::new(
                StatusCode::FORBIDDEN,
                "permission_not_held",
                "You cannot grant permissions that you do not hold.",
            ),
            Error::Grant(error) => Self::grant(error),
            Error::NotFound(resource) => Self::not_found(resource),
            Error::Conflict(conflict) => Self::conflict(conflict),
            Error::Stale => Self::new(
                StatusCode::PRECONDITION_FAILED,
                "stale",
                "The resource has changed since you read it. Read it again and retry.",
            ),
            Error::CursorExpired => {
                Self::new(StatusCode::GONE, "cursor_expired", "The cursor has expired. Start again without a cursor.")
            }
            Error::TooManyRequests { retry_after_s } => {
                Self::new(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", "Too many requests. Retry later.")
                    .retry_after(retry_after_s)
            }
            Error::Overloaded { retry_after_s } => Self::overloaded(retry_after_s),
            Error::Store(error @ StoreError::Unavailable(_)) => {
                tracing::warn!(error = %Chain(&error), "the database is unavailable");
                Self::new(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "database_unavailable",
                    "The database is unavailable. Retry later.",
                )
                .retry_after(STORE_RETRY_AFTER_S)
            }
            Error::Store(error @ StoreError::Broken(_)) => {
                tracing::error!(error = %Chain(&error), "database error");
                Self::internal()
            }
            Error::Internal(source) => {
                tracing::error!(error = %Chain(source.as_ref()), "internal error");
                Self::internal()
            }
        }
    }
}
