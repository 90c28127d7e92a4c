//! The generated Rust client of every service, as somebody.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use denizen_proto::v1::api_key_service_client::ApiKeyServiceClient;
use denizen_proto::v1::audit_service_client::AuditServiceClient;
use denizen_proto::v1::credential_service_client::CredentialServiceClient;
use denizen_proto::v1::event_service_client::EventServiceClient;
use denizen_proto::v1::identity_service_client::IdentityServiceClient;
use denizen_proto::v1::passkey_service_client::PasskeyServiceClient;
use denizen_proto::v1::provider_service_client::ProviderServiceClient;
use denizen_proto::v1::role_service_client::RoleServiceClient;
use denizen_proto::v1::service_account_service_client::ServiceAccountServiceClient;
use denizen_proto::v1::session_service_client::SessionServiceClient;
use denizen_proto::v1::signing_key_service_client::SigningKeyServiceClient;
use denizen_proto::v1::token_service_client::TokenServiceClient;
use denizen_proto::v1::user_service_client::UserServiceClient;
use denizen_proto::v1::webhook_service_client::WebhookServiceClient;
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, GrpcMethod, Request, Status};
use tonic_health::pb::health_client::HealthClient;
use tonic_types::StatusExt;

use crate::harness::TestApp;

/// Clients over one connection.
#[derive(Clone)]
pub(crate) struct Rpc {
    channel: Channel,
    sends: Sends,
}

/// Sends a bearer token along, and remembers which methods were called.
#[derive(Clone, Default)]
pub(crate) struct Sends {
    token: Option<String>,
    called: Arc<Mutex<BTreeSet<String>>>,
}

impl Interceptor for Sends {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(method) = request.extensions().get::<GrpcMethod<'_>>() {
            self.called.lock().unwrap().insert(format!("{}/{}", method.service(), method.method()));
        }
        if let Some(token) = &self.token {
            request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
        }
        Ok(request)
    }
}

pub(crate) type Wire = InterceptedService<Channel, Sends>;

macro_rules! clients {
    ($($name:ident: $Client:ident),+ $(,)?) => {$(
        pub(crate) fn $name(&self) -> $Client<Wire> {
            $Client::with_interceptor(self.channel.clone(), self.sends.clone())
        }
    )+};
}

impl Rpc {
    /// As nobody.
    pub(crate) fn to(app: &TestApp) -> Self {
        Self::at(&app.url)
    }

    pub(crate) fn at(url: &str) -> Self {
        let channel = Endpoint::from_shared(url.to_owned()).unwrap().connect_lazy();
        Self::over(channel)
    }

    pub(crate) fn over(channel: Channel) -> Self {
        Self { channel, sends: Sends::default() }
    }

    /// The same as somebody.
    pub(crate) fn by(&self, token: &str) -> Self {
        self.by_whom(Some(token))
    }

    pub(crate) fn by_whom(&self, token: Option<&str>) -> Self {
        let sends = Sends { token: token.map(str::to_owned), called: Arc::clone(&self.sends.called) };
        Self { channel: self.channel.clone(), sends }
    }

    /// The methods that were called.
    pub(crate) fn called(&self) -> BTreeSet<String> {
        self.sends.called.lock().unwrap().clone()
    }

    clients!(
        users: UserServiceClient,
        audit: AuditServiceClient,
        credentials: CredentialServiceClient,
        identities: IdentityServiceClient,
        passkeys: PasskeyServiceClient,
        providers: ProviderServiceClient,
        sessions: SessionServiceClient,
        tokens: TokenServiceClient,
        roles: RoleServiceClient,
        service_accounts: ServiceAccountServiceClient,
        api_keys: ApiKeyServiceClient,
        signing_keys: SigningKeyServiceClient,
        webhooks: WebhookServiceClient,
        events: EventServiceClient,
        health: HealthClient,
    );
}

/// Asserts that a call was refused with this code and reason, in the name of a request.
pub(crate) fn refused<T: std::fmt::Debug>(answer: Result<T, Status>, code: Code, reason: &str) -> Status {
    let status = answer.expect_err("the call is refused");
    let details = status.get_error_details();
    let info = details.error_info().unwrap_or_else(|| panic!("no ErrorInfo: {status:?}"));
    assert_eq!((status.code(), info.reason.as_str()), (code, reason), "{status:?}");
    assert_eq!(info.domain, "denizen");
    assert!(details.request_info().is_some_and(|request| !request.request_id.is_empty()), "{status:?}");
    assert!(!status.message().is_empty());
    status
}
