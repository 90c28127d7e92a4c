//! The way in over gRPC and gRPC-web: one file per service, each method a use case that REST calls too.
//!
//! `call` is how a method comes to know who asks; `status` is the map from outcomes; `convert`, `page` and `mask` read
//! and write what messages share. What every call passes on its way in is `middleware::rpc`.

mod api_keys;
mod audit;
mod call;
mod challenges;
mod convert;
mod credentials;
mod deliveries;
mod events;
mod export;
mod flow;
mod health;
mod identities;
mod import;
mod mask;
mod page;
mod passkeys;
mod providers;
mod roles;
mod service_accounts;
mod sessions;
mod signing_keys;
pub(crate) mod status;
mod tokens;
mod user_change;
mod users;
mod watch;
mod webhooks;

use std::sync::Arc;

use axum::Router;
use denizen_proto::v1;
use tonic::codec::CompressionEncoding::{Gzip, Zstd};
use tonic::service::Routes;

use crate::http::Shared;
use crate::middleware;

/// Every service, bounded and able to speak gzip and zstd with whoever asks for it.
macro_rules! routes {
    ($shared:ident, $($server:path => $service:path),+ $(,)?) => {{
        let message_bytes_max = $shared.limits.body_bytes as usize;
        Routes::default()$(.add_service({
            use $server as Server;
            Server::new($service(Arc::clone($shared)))
                .accept_compressed(Gzip)
                .accept_compressed(Zstd)
                .send_compressed(Gzip)
                .send_compressed(Zstd)
                .max_decoding_message_size(message_bytes_max)
        }))+
    }};
}

/// Our services, by their full names: what `grpc.health.v1` knows.
const SERVICES: [&str; 14] = [
    v1::api_key_service_server::SERVICE_NAME,
    v1::audit_service_server::SERVICE_NAME,
    v1::credential_service_server::SERVICE_NAME,
    v1::event_service_server::SERVICE_NAME,
    v1::identity_service_server::SERVICE_NAME,
    v1::passkey_service_server::SERVICE_NAME,
    v1::provider_service_server::SERVICE_NAME,
    v1::role_service_server::SERVICE_NAME,
    v1::service_account_service_server::SERVICE_NAME,
    v1::session_service_server::SERVICE_NAME,
    v1::signing_key_service_server::SERVICE_NAME,
    v1::token_service_server::SERVICE_NAME,
    v1::user_service_server::SERVICE_NAME,
    v1::webhook_service_server::SERVICE_NAME,
];

/// The whole gRPC surface, without the outer middleware.
pub(crate) fn router(shared: &Shared) -> Router {
    let routes = routes!(shared,
        v1::api_key_service_server::ApiKeyServiceServer => api_keys::ApiKeys,
        v1::audit_service_server::AuditServiceServer => audit::Audit,
        v1::credential_service_server::CredentialServiceServer => credentials::Credentials,
        v1::event_service_server::EventServiceServer => events::Events,
        v1::identity_service_server::IdentityServiceServer => identities::Identities,
        v1::passkey_service_server::PasskeyServiceServer => passkeys::Passkeys,
        v1::provider_service_server::ProviderServiceServer => providers::Providers,
        v1::role_service_server::RoleServiceServer => roles::Roles,
        v1::service_account_service_server::ServiceAccountServiceServer => service_accounts::ServiceAccounts,
        v1::session_service_server::SessionServiceServer => sessions::Sessions,
        v1::signing_key_service_server::SigningKeyServiceServer => signing_keys::SigningKeys,
        v1::token_service_server::TokenServiceServer => tokens::Tokens,
        v1::user_service_server::UserServiceServer => users::Users,
        v1::webhook_service_server::WebhookServiceServer => webhooks::Webhooks,
        tonic_health::pb::health_server::HealthServer => health::Health,
    );
    let reflection = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(denizen_proto::FILE_DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    let routes = routes
        .add_service(reflection().build_v1().expect("the descriptors are those we were built from"))
        .add_service(reflection().build_v1alpha().expect("the descriptors are those we were built from"));
    // What is no method of a service is the business of the one fallback.
    middleware::for_rpcs(routes.prepare().into_axum_router().reset_fallback(), shared)
}
