//! The access table over both: what REST does gRPC does, and it answers the same.
//!
//! A new operation needs an arm in one of the functions below, or a row in `REST_ONLY` with its reason.

use std::collections::BTreeSet;

use denizen_proto::v1;
use denizen_proto::v1::list_api_keys_request::Owner;
use prost::Message;
use prost_types::{FieldMask, FileDescriptorSet};
use tokio_stream::StreamExt;
use tonic::{Code, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_types::StatusExt;

use super::client::Rpc;
use crate::access::{CALLERS, NO_DELIVERY, NOWHERE, TABLE, credential, fresh_provider, outcome};
use crate::harness::{PASSWORD, TestApp, on_both};
use crate::holders::Targets;

/// What is not on gRPC, and why.
const REST_ONLY: &[(&str, &str)] = &[
    ("auth.begin", "a browser is redirected"),
    ("auth.callback", "a browser is redirected"),
    ("auth.callback_form", "a browser is redirected"),
    ("events.schemas", "a document of JSON Schema, which is fetched over HTTP"),
    ("metadata.passkey_endpoints", "a document for password managers, which is fetched over HTTP"),
    ("metadata.webauthn", "a document for browsers, which is fetched over HTTP"),
    ("me.data", "one JSON document for a person, which is downloaded over HTTP"),
    ("metadata.get", "a document of OpenID Connect, which is fetched over HTTP"),
    ("metadata.oauth", "a document of OAuth 2 (RFC 8414), which is fetched over HTTP"),
    ("users.data", "one JSON document for a person, which is downloaded over HTTP"),
    ("sessions.csrf_token", "for pages that sign in by cookies; cookies do not count over gRPC"),
];

/// What is on gRPC alone: several operations of REST in one, and what the command line does.
const GRPC_ONLY: &[&str] = &["denizen.v1.UserService/BatchGetUsers", "denizen.v1.AuditService/VerifyLog"];

/// The canonical codes that an HTTP status stands for: the one map between the two.
fn codes_of(http: u16) -> &'static [Code] {
    match http {
        // 426: whoever may follow has not asked for a WebSocket over REST.
        200..=299 | 426 => &[Code::Ok],
        400 => &[Code::InvalidArgument],
        401 => &[Code::Unauthenticated],
        403 => &[Code::PermissionDenied],
        404 => &[Code::NotFound],
        409 => &[Code::AlreadyExists, Code::FailedPrecondition, Code::Aborted],
        412 => &[Code::Aborted],
        413 | 429 | 431 => &[Code::ResourceExhausted],
        503 => &[Code::Unavailable, Code::DeadlineExceeded],
        _ => &[Code::Internal],
    }
}

macro_rules! said {
    ($client:expr, $method:ident($($message:tt)*)) => {
        $client.$method(v1::$($message)*).await.map(drop)
    };
}

type Answer = Result<(), Status>;

/// An operation of the table; `None` when it is not written here.
async fn call(operation: &str, rpc: &Rpc, app: &TestApp, targets: &Targets) -> Option<Answer> {
    if let Some(answer) = on_users(operation, rpc, app, targets).await {
        return Some(answer);
    }
    if let Some(answer) = on_sessions(operation, rpc, targets).await {
        return Some(answer);
    }
    if let Some(answer) = on_keys(operation, rpc, targets).await {
        return Some(answer);
    }
    if let Some(answer) = on_access(operation, rpc, targets).await {
        return Some(answer);
    }
    if let Some(answer) = on_events(operation, rpc).await {
        return Some(answer);
    }
    if let Some(answer) = on_challenges(operation, rpc, targets).await {
        return Some(answer);
    }
    if let Some(answer) = on_webhooks(operation, rpc, targets).await {
        return Some(answer);
    }
    if let Some(answer) = on_passkeys(operation, rpc, targets).await {
        return Some(answer);
    }
    if let Some(answer) = on_providers(operation, rpc, targets).await {
        return Some(answer);
    }
    on_credentials(operation, rpc, targets).await
}

async fn on_providers(operation: &str, rpc: &Rpc, targets: &Targets) -> Option<Answer> {
    let (user_id, id, name) = (targets.user.id.clone(), NO_DELIVERY.to_owned(), targets.provider.clone());
    let code = || v1::ProviderCode { code: "dnx_A".into(), code_verifier: "A".into() };
    let id_token = || v1::ProviderIdToken { provider: name.clone(), id_token: "A".into(), nonce: "A".into() };
    let settings = || {
        let (issuer, client_id) = (Some("https://nowhere.invalid".to_owned()), "other".to_owned());
        Some(v1::ProviderSettings { issuer, client_id, ..Default::default() })
    };
    let sign_in = async |proof| {
        rpc.identities()
            .sign_in_with_provider(v1::SignInWithProviderRequest { proof: Some(proof), label: None })
            .await
            .map(drop)
    };
    let update = async |provider: v1::Provider| {
        said!(
            rpc.providers(),
            update_provider(UpdateProviderRequest { provider: Some(provider), ..Default::default() })
        )
    };
    Some(match operation {
        "auth.nonces.create" => said!(rpc.identities(), create_nonce(CreateNonceRequest { provider: name })),
        "auth.providers" => said!(rpc.identities(), list_sign_in_providers(ListSignInProvidersRequest {})),
        "me.identities.link" => {
            let proof = Some(v1::link_identity_request::Proof::Code(code()));
            said!(rpc.identities(), link_identity(LinkIdentityRequest { proof }))
        }
        "me.identities.list" => said!(rpc.identities(), list_identities(ListIdentitiesRequest::default())),
        "me.identities.unlink" => {
            said!(rpc.identities(), unlink_identity(UnlinkIdentityRequest { id, user_id: String::new() }))
        }
        "providers.create" => {
            let (name, client_secret) = (fresh_provider(targets), Some("x".to_owned()));
            said!(
                rpc.providers(),
                create_provider(CreateProviderRequest { name, settings: settings(), client_secret, enabled: None })
            )
        }
        "providers.delete" => {
            said!(rpc.providers(), delete_provider(DeleteProviderRequest { name, ..Default::default() }))
        }
        "providers.get" => said!(rpc.providers(), get_provider(GetProviderRequest { name })),
        "providers.list" => said!(rpc.providers(), list_providers(ListProvidersRequest {})),
        "providers.replace" => update(v1::Provider { name, settings: settings(), ..Default::default() }).await,
        "providers.test" => said!(rpc.providers(), test_provider(TestProviderRequest { name })),
        "providers.update" => update(v1::Provider { name, enabled: true, ..Default::default() }).await,
        "sessions.create_by_id_token" => sign_in(v1::sign_in_with_provider_request::Proof::IdToken(id_token())).await,
        "sessions.exchange" => sign_in(v1::sign_in_with_provider_request::Proof::Code(code())).await,
        "users.identities.list" => said!(rpc.identities(), list_identities(ListIdentitiesRequest { user_id })),
        "users.identities.token" => {
            said!(rpc.identities(), get_provider_token(GetProviderTokenRequest { id, user_id }))
        }
        "users.identities.unlink" => said!(rpc.identities(), unlink_identity(UnlinkIdentityRequest { id, user_id })),
        _ => return None,
    })
}

async fn on_passkeys(operation: &str, rpc: &Rpc, targets: &Targets) -> Option<Answer> {
    let (user_id, id) = (targets.user.id.clone(), NO_DELIVERY.to_owned());
    let (challenge_id, token) = (TOKEN.replace("dno_", "dnc_"), TOKEN.to_owned());
    let (state, credential_json) = ("expired".to_owned(), "{}".to_owned());
    let passkey = Some(v1::PasskeyAnswer { state: state.clone(), credential_json: credential_json.clone() });
    let mut rpc = rpc.passkeys();
    Some(match operation {
        "challenges.passkey" => {
            let request = v1::FinishChallengeWithPasskeyRequest { challenge_id, passkey, device_token: None };
            rpc.finish_challenge_with_passkey(request).await.map(drop)
        }
        "challenges.passkey_options" => {
            said!(rpc, create_challenge_options(CreateChallengeOptionsRequest { challenge_id }))
        }
        "challenges.passkeys.create" => {
            let request = v1::FinishChallengeWithNewPasskeyRequest { challenge_id, state, credential_json, name: None };
            rpc.finish_challenge_with_new_passkey(request).await.map(drop)
        }
        "challenges.passkeys.options" => {
            said!(rpc, create_enrolment_options(CreateEnrolmentOptionsRequest { challenge_id, kind: 0 }))
        }
        "invitations.passkeys.create" => {
            let request =
                v1::AcceptInvitationWithPasskeyRequest { token, state, credential_json, ..Default::default() };
            rpc.accept_invitation_with_passkey(request).await.map(drop)
        }
        "invitations.passkeys.options" => {
            said!(rpc, create_invitation_options(CreateInvitationOptionsRequest { token }))
        }
        "me.passkeys.create" => {
            said!(rpc, register_passkey(RegisterPasskeyRequest { state, credential_json, name: None }))
        }
        "me.passkeys.delete" => said!(rpc, delete_passkey(DeletePasskeyRequest { id, user_id: String::new() })),
        "me.passkeys.list" => said!(rpc, list_passkeys(ListPasskeysRequest::default())),
        "me.passkeys.options" => said!(rpc, create_registration_options(CreateRegistrationOptionsRequest::default())),
        "me.passkeys.update" => said!(rpc, rename_passkey(RenamePasskeyRequest { id, name: "Renamed".into() })),
        "password_resets.passkeys.create" => {
            let request = v1::ResetWithPasskeyRequest { token, state, credential_json, ..Default::default() };
            rpc.reset_with_passkey(request).await.map(drop)
        }
        "password_resets.passkeys.options" => said!(rpc, create_reset_options(CreateResetOptionsRequest { token })),
        "sessions.passkeys.create" => {
            said!(rpc, sign_in_with_passkey(SignInWithPasskeyRequest { passkey, label: None }))
        }
        "sessions.passkeys.options" => said!(rpc, create_sign_in_options(CreateSignInOptionsRequest {})),
        "sessions.step_up_options" => said!(rpc, create_step_up_options(CreateStepUpOptionsRequest {})),
        "users.passkeys.delete" => said!(rpc, delete_passkey(DeletePasskeyRequest { id, user_id })),
        "users.passkeys.list" => said!(rpc, list_passkeys(ListPasskeysRequest { user_id })),
        _ => return None,
    })
}

const TOKEN: &str = "dno_AZNlqHsffD6NDAocLT5PUAAAAAAAAAAAr4vT1m0Xg5h1cD2q8g";

async fn on_challenges(operation: &str, rpc: &Rpc, targets: &Targets) -> Option<Answer> {
    let (email, token) = (targets.user.email.clone(), TOKEN.to_owned());
    let challenge_id = TOKEN.replace("dno_", "dnc_");
    Some(match operation {
        "challenges.enrol" => said!(rpc.sessions(), enrol_challenge(EnrolChallengeRequest { challenge_id })),
        "challenges.finish" => {
            let code = "123456".to_owned();
            said!(rpc.sessions(), finish_challenge(FinishChallengeRequest { challenge_id, code, device_token: None }))
        }
        "sessions.follow_link" => {
            said!(rpc.sessions(), follow_sign_in_link(FollowSignInLinkRequest { token, label: None }))
        }
        "sessions.request_code" => {
            said!(rpc.sessions(), request_sign_in_code(RequestSignInCodeRequest { email, label: None }))
        }
        "sessions.request_link" => said!(rpc.sessions(), request_sign_in_link(RequestSignInLinkRequest { email })),
        "sessions.step_up" => {
            let factor = Some(v1::step_up_request::Factor::Password(PASSWORD.to_owned()));
            said!(rpc.sessions(), step_up(StepUpRequest { factor }))
        }
        _ => return None,
    })
}

async fn on_webhooks(operation: &str, rpc: &Rpc, targets: &Targets) -> Option<Answer> {
    let (webhook_id, id) = (targets.webhook.clone(), targets.webhook.clone());
    let delivery = NO_DELIVERY.to_owned();
    let update = async |webhook: v1::Webhook, paths: &[&str]| {
        let webhook = Some(v1::Webhook { id: targets.webhook.clone(), ..webhook });
        said!(rpc.webhooks(), update_webhook(UpdateWebhookRequest { webhook, update_mask: Some(mask(paths)) }))
    };
    Some(match operation {
        "webhooks.create" => {
            said!(rpc.webhooks(), create_webhook(CreateWebhookRequest { url: NOWHERE.into(), ..Default::default() }))
        }
        "webhooks.delete" => {
            said!(rpc.webhooks(), delete_webhook(DeleteWebhookRequest { id, ..Default::default() }))
        }
        "webhooks.deliveries" => {
            said!(rpc.webhooks(), list_deliveries(ListDeliveriesRequest { webhook_id, ..Default::default() }))
        }
        "webhooks.delivery" => {
            said!(rpc.webhooks(), get_delivery(GetDeliveryRequest { webhook_id, id: delivery }))
        }
        "webhooks.get" => said!(rpc.webhooks(), get_webhook(GetWebhookRequest { id })),
        "webhooks.list" => said!(rpc.webhooks(), list_webhooks(ListWebhooksRequest::default())),
        "webhooks.replace" => update(v1::Webhook { url: NOWHERE.into(), ..Default::default() }, &["*"]).await,
        "webhooks.replay" => {
            said!(rpc.webhooks(), replay_deliveries(ReplayDeliveriesRequest { webhook_id, ..Default::default() }))
        }
        "webhooks.retry" => {
            said!(rpc.webhooks(), retry_delivery(RetryDeliveryRequest { webhook_id, id: delivery }))
        }
        "webhooks.rotate_secret" => {
            said!(rpc.webhooks(), rotate_webhook_secret(RotateWebhookSecretRequest { id, ..Default::default() }))
        }
        "webhooks.test" => said!(rpc.webhooks(), test_webhook(TestWebhookRequest { id })),
        "webhooks.update" => {
            update(v1::Webhook { description: "Patched".into(), ..Default::default() }, &["description"]).await
        }
        _ => return None,
    })
}

async fn on_credentials(operation: &str, rpc: &Rpc, targets: &Targets) -> Option<Answer> {
    let (email, token) = (targets.user.email.clone(), TOKEN.to_owned());
    let (user_id, code) = (targets.user.id.clone(), "123456".to_owned());
    let mut rpc = rpc.credentials();
    Some(match operation {
        "email_changes.confirm" => said!(rpc, confirm_email_change(ConfirmEmailChangeRequest { token })),
        "email_changes.create" => {
            said!(rpc, request_email_change(RequestEmailChangeRequest { email: "new@example.com".into() }))
        }
        "email_verifications.confirm" => {
            said!(rpc, confirm_email_verification(ConfirmEmailVerificationRequest { token, password: None }))
        }
        "email_verifications.create" => {
            said!(rpc, request_email_verification(RequestEmailVerificationRequest { email }))
        }
        "invitations.accept" => {
            let password = PASSWORD.to_owned();
            said!(rpc, accept_invitation(AcceptInvitationRequest { token, password, name: None }))
        }
        "invitations.create" => {
            let email = format!("invited.{email}");
            said!(rpc, create_invitation(CreateInvitationRequest { email, ..Default::default() }))
        }
        "me.factors" => said!(rpc, get_factors(GetFactorsRequest::default())),
        "me.recovery_codes.replace" => said!(rpc, replace_recovery_codes(ReplaceRecoveryCodesRequest {})),
        "me.totp.confirm" => said!(rpc, confirm_totp(ConfirmTotpRequest { code })),
        "me.totp.create" => said!(rpc, begin_totp(BeginTotpRequest {})),
        "me.totp.delete" => said!(rpc, remove_totp(RemoveTotpRequest {})),
        "password_resets.confirm" => {
            let new_password = PASSWORD.to_owned();
            said!(rpc, confirm_password_reset(ConfirmPasswordResetRequest { token, new_password }))
        }
        "password_resets.create" => said!(rpc, request_password_reset(RequestPasswordResetRequest { email })),
        "users.factors" => said!(rpc, get_factors(GetFactorsRequest { user_id })),
        "users.factors.delete" => said!(rpc, remove_factors(RemoveFactorsRequest { user_id })),
        _ => return None,
    })
}

fn mask(paths: &[&str]) -> FieldMask {
    FieldMask { paths: paths.iter().map(ToString::to_string).collect() }
}

async fn on_users(operation: &str, rpc: &Rpc, app: &TestApp, targets: &Targets) -> Option<Answer> {
    let Targets { user, .. } = targets;
    let id = user.id.clone();
    let of = |user: v1::User| v1::User { id: id.clone(), ..user };
    let update = async |user: v1::User, paths: &[&str]| {
        said!(rpc.users(), update_user(UpdateUserRequest { user: Some(of(user)), update_mask: Some(mask(paths)) }))
    };
    let new = v1::CreateUserRequest {
        email: format!("new.{}", user.email),
        password: PASSWORD.into(),
        name: "New".into(),
        ..Default::default()
    };
    let replaced = v1::User { email: user.email.clone(), name: "Replaced".into(), ..Default::default() };
    let role = v1::User { role: "admin".into(), ..Default::default() };
    Some(match operation {
        "health.get" | "health.live" | "health.ready" | "health.startup" => {
            rpc.health().check(HealthCheckRequest::default()).await.map(drop)
        }
        "me.get" => said!(rpc.users(), get_me(GetMeRequest {})),
        "me.change_password" => said!(
            rpc.users(),
            change_password(ChangePasswordRequest {
                current_password: PASSWORD.into(),
                new_password: "another good one".into(),
            })
        ),
        "users.create" => rpc.users().create_user(new).await.map(drop),
        "users.create with a role" => {
            rpc.users().create_user(v1::CreateUserRequest { role: Some("admin".into()), ..new }).await.map(drop)
        }
        "users.restore" => said!(rpc.users(), restore_user(RestoreUserRequest { id })),
        "users.delete" => said!(rpc.users(), delete_user(DeleteUserRequest { id, ..Default::default() })),
        "users.export" => export(rpc).await,
        "users.get" => said!(rpc.users(), get_user(GetUserRequest { id })),
        "users.import" => {
            let row = v1::ImportUser { email: app.fresh_email(), name: "Imported".into(), ..Default::default() };
            let message = v1::ImportUsersRequest { users: vec![row], ..Default::default() };
            rpc.users().import_users(tokio_stream::once(message)).await.map(drop)
        }
        "users.list" => said!(rpc.users(), list_users(ListUsersRequest::default())),
        "users.replace" => update(replaced, &["*"]).await,
        "users.replace with a role" => update(v1::User { role: "admin".into(), ..replaced }, &["*"]).await,
        "users.update" => update(v1::User { name: "Patched".into(), ..Default::default() }, &["name"]).await,
        "users.update with a role" => update(role, &["role"]).await,
        "users.update with a status" => {
            let disabled = v1::User { status: v1::UserStatus::Disabled.into(), ..Default::default() };
            update(disabled, &["status"]).await
        }
        _ => return None,
    })
}

async fn on_events(operation: &str, rpc: &Rpc) -> Option<Answer> {
    let mut rpc = rpc.events();
    // Of what has no end, the first message or the status decides.
    macro_rules! first {
        ($method:ident($request:expr)) => {
            match rpc.$method($request).await {
                Ok(stream) => stream.into_inner().message().await.map(drop),
                Err(status) => Err(status),
            }
        };
    }
    Some(match operation {
        "events.list" => said!(rpc, list_events(ListEventsRequest::default())),
        "events.revocations" => first!(watch_revocations(v1::WatchRevocationsRequest::default())),
        "events.stream" => first!(watch(v1::WatchRequest::default())),
        "events.tickets.create" => said!(rpc, create_ticket(CreateTicketRequest {})),
        "events.ws" => {
            let start = v1::follow_request::Said::Start(v1::FollowStart::default());
            let start = tokio_stream::once(v1::FollowRequest { said: Some(start) });
            first!(follow(start.chain(tokio_stream::pending())))
        }
        "me.events" => said!(rpc, list_my_events(ListMyEventsRequest::default())),
        _ => return None,
    })
}

async fn export(rpc: &Rpc) -> Answer {
    let mut stream = rpc.users().export_users(v1::ExportUsersRequest {}).await?.into_inner();
    while stream.message().await?.is_some() {}
    Ok(())
}

async fn on_sessions(operation: &str, rpc: &Rpc, targets: &Targets) -> Option<Answer> {
    let Targets { user, kid, .. } = targets;
    let user_id = user.id.clone();
    let refresh_token = user.refresh_token.clone();
    Some(match operation {
        "metadata.jwks" => said!(rpc.tokens(), get_keys(GetKeysRequest {})),
        "oauth2.introspect" => {
            said!(rpc.tokens(), introspect(IntrospectRequest { token: user.token.clone(), client: None }))
        }
        "oauth2.revoke" => said!(rpc.tokens(), revoke(RevokeRequest { token: refresh_token, client: None })),
        "oauth2.token" => said!(
            rpc.tokens(),
            grant_token(GrantTokenRequest { refresh_token: Some(refresh_token), ..Default::default() })
        ),
        "sessions.create" => said!(
            rpc.sessions(),
            sign_in(SignInRequest { email: user.email.clone(), password: PASSWORD.into(), ..Default::default() })
        ),
        "sessions.end" => {
            said!(rpc.sessions(), revoke_session(RevokeSessionRequest { id: user.session_id.clone() }))
        }
        "sessions.end_all" => said!(rpc.sessions(), revoke_all_sessions(RevokeAllSessionsRequest::default())),
        "sessions.end_all of a user" => {
            said!(rpc.sessions(), revoke_all_sessions(RevokeAllSessionsRequest { user_id, keep_current: false }))
        }
        "sessions.end_current" => said!(rpc.sessions(), sign_out(SignOutRequest {})),
        "sessions.list" => said!(rpc.sessions(), list_sessions(ListSessionsRequest::default())),
        "sessions.list of a user" => {
            said!(rpc.sessions(), list_sessions(ListSessionsRequest { user_id, ..Default::default() }))
        }
        "sessions.refresh" => said!(rpc.sessions(), refresh_session(RefreshSessionRequest { refresh_token })),
        "signing_keys.list" => said!(rpc.signing_keys(), list_signing_keys(ListSigningKeysRequest {})),
        "signing_keys.rotate" => {
            said!(rpc.signing_keys(), rotate_signing_key(RotateSigningKeyRequest::default()))
        }
        "signing_keys.withdraw" => {
            said!(rpc.signing_keys(), withdraw_signing_key(WithdrawSigningKeyRequest { id: kid.clone() }))
        }
        _ => return None,
    })
}

async fn on_keys(operation: &str, rpc: &Rpc, targets: &Targets) -> Option<Answer> {
    let Targets { user, key, account, .. } = targets;
    let id = key.id.clone();
    let new = v1::CreateApiKeyRequest { name: "A key".into(), ..Default::default() };
    let list = async |owner| said!(rpc.api_keys(), list_api_keys(ListApiKeysRequest { owner, ..Default::default() }));
    Some(match operation {
        "api_keys.create" => rpc.api_keys().create_api_key(new).await.map(drop),
        "api_keys.create for a service account" => {
            let new = v1::CreateApiKeyRequest { service_account_id: Some(account.clone()), ..new };
            rpc.api_keys().create_api_key(new).await.map(drop)
        }
        "api_keys.delete" => said!(rpc.api_keys(), delete_api_key(DeleteApiKeyRequest { id, ..Default::default() })),
        "api_keys.get" => said!(rpc.api_keys(), get_api_key(GetApiKeyRequest { id })),
        "api_keys.list" => list(None).await,
        "api_keys.list of a user" => list(Some(Owner::UserId(user.id.clone()))).await,
        "api_keys.list of a service account" => list(Some(Owner::ServiceAccountId(account.clone()))).await,
        "api_keys.list of all" => list(Some(Owner::All(true))).await,
        "api_keys.rotate" => said!(rpc.api_keys(), rotate_api_key(RotateApiKeyRequest { id, ..Default::default() })),
        _ => return None,
    })
}

async fn on_access(operation: &str, rpc: &Rpc, targets: &Targets) -> Option<Answer> {
    let Targets { role, account, .. } = targets;
    let (role, id) = (role.clone(), account.clone());
    let update = async |account: v1::ServiceAccount, paths: &[&str]| {
        let service_account = Some(v1::ServiceAccount { id: id.clone(), ..account });
        let request = v1::UpdateServiceAccountRequest { service_account, update_mask: Some(mask(paths)) };
        rpc.service_accounts().update_service_account(request).await.map(drop)
    };
    let named = |name: &str| v1::ServiceAccount { name: name.into(), ..Default::default() };
    Some(match operation {
        "audit.export" => {
            let stream = rpc.audit().export_records(v1::ExportRecordsRequest::default()).await;
            match stream {
                Ok(stream) => stream.into_inner().message().await.map(drop),
                Err(status) => Err(status),
            }
        }
        "audit.head" => said!(rpc.audit(), get_head(GetHeadRequest {})),
        "audit.list" => said!(rpc.audit(), list_records(ListRecordsRequest::default())),
        "permissions.list" => said!(rpc.roles(), list_permissions(ListPermissionsRequest {})),
        "roles.create" => {
            said!(rpc.roles(), create_role(CreateRoleRequest { name: format!("{role}-too"), ..Default::default() }))
        }
        "roles.delete" => said!(rpc.roles(), delete_role(DeleteRoleRequest { role, ..Default::default() })),
        "roles.get" => said!(rpc.roles(), get_role(GetRoleRequest { role })),
        "roles.list" => said!(rpc.roles(), list_roles(ListRolesRequest::default())),
        "roles.replace" => {
            let role = v1::Role { name: role, permissions: vec!["users:write".into()], ..Default::default() };
            said!(rpc.roles(), update_role(UpdateRoleRequest { role: Some(role), update_mask: Some(mask(&["*"])) }))
        }
        "service_accounts.create" => {
            let new = v1::CreateServiceAccountRequest { name: "A program".into(), ..Default::default() };
            rpc.service_accounts().create_service_account(new).await.map(drop)
        }
        "service_accounts.delete" => {
            let request = v1::DeleteServiceAccountRequest { id, ..Default::default() };
            rpc.service_accounts().delete_service_account(request).await.map(drop)
        }
        "service_accounts.get" => {
            said!(rpc.service_accounts(), get_service_account(GetServiceAccountRequest { id }))
        }
        "service_accounts.list" => {
            said!(rpc.service_accounts(), list_service_accounts(ListServiceAccountsRequest::default()))
        }
        "service_accounts.replace" => update(named("Replaced"), &["*"]).await,
        "service_accounts.update" => update(named("Patched"), &["name"]).await,
        _ => return None,
    })
}

async fn check(app: &TestApp, rpc: &Rpc, operation: &str, who: &str) {
    let (http, code) = outcome(app, operation, who).await;
    let targets = Targets::around(app, app.user().await).await;
    let token = credential(app, who, &targets).await;
    let answer = call(operation, &rpc.by_whom(token.as_deref()), app, &targets).await;
    let answer = answer.unwrap_or_else(|| panic!("{operation} is not written for gRPC, nor is it REST_ONLY"));
    let got = answer.as_ref().err().map_or(Code::Ok, Status::code);
    assert!(codes_of(http).contains(&got), "{operation} by {who}: {http} over REST, {answer:?} over gRPC");
    // The errors of OAuth have names of their own over HTTP.
    if let Err(status) = answer
        && !operation.starts_with("oauth2.")
    {
        let reason = status.get_error_details().error_info().map(|info| info.reason.clone());
        assert_eq!(reason, code, "{operation} by {who}");
    }
}

on_both! {
    async fn what_rest_does_grpc_does_and_answers_the_same(
        app: TestApp, "sign_in.mailed_codes" = "true", "sign_in.magic_links" = "true",
        "limits.sign_up_mails_per_hour" = "100000", "limits.mail_requests_per_hour" = "100000"
    ) {
        let rpc = Rpc::to(&app);
        let is_on_both = |operation: &str| !REST_ONLY.iter().any(|(known, _)| *known == operation);
        for row in TABLE.iter().filter(|row| is_on_both(row.operation)) {
            for who in CALLERS {
                check(&app, &rpc, row.operation, who).await;
            }
        }
        let called: BTreeSet<String> =
            rpc.called().into_iter().filter(|method| method.starts_with("denizen.")).collect();
        let known: BTreeSet<String> = methods().into_iter().filter(|method| !GRPC_ONLY.contains(&method.as_str())).collect();
        assert_eq!(called, known, "what gRPC does REST does");
    }
}

/// Every method of the contract.
pub(super) fn methods() -> BTreeSet<String> {
    let set = FileDescriptorSet::decode(denizen_proto::FILE_DESCRIPTOR_SET).unwrap();
    let services = set.file.iter().filter(|file| file.package() == "denizen.v1").flat_map(|file| &file.service);
    let named = |service: &prost_types::ServiceDescriptorProto| {
        let name = service.name().to_owned();
        service.method.iter().map(move |method| format!("denizen.v1.{name}/{}", method.name())).collect::<Vec<_>>()
    };
    services.flat_map(named).collect()
}

#[test]
fn what_is_rest_only_is_in_the_table() {
    for (operation, reason) in REST_ONLY {
        assert!(TABLE.iter().any(|row| row.operation == *operation), "{operation}");
        assert!(!reason.is_empty());
    }
}
