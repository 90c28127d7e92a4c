//! The way in over REST: one file per resource, and what they share.

pub(crate) mod account;
pub(crate) mod answers;
pub(crate) mod api_keys;
mod api_keys_list;
mod assets;
pub(crate) mod audit;
pub(crate) mod auth;
pub mod body;
mod challenges;
pub(crate) mod cookies;
mod docs;
mod email_verifications;
pub(crate) mod encoding;
pub(crate) mod etag;
pub(crate) mod events;
pub(crate) mod extract;
pub(crate) mod factors;
pub(crate) mod health;
pub(crate) mod idempotency;
pub(crate) mod identities;
mod invitations;
mod mailed;
mod me;
pub(crate) mod oauth2;
pub(crate) mod origins;
mod outcome;
pub(crate) mod page;
pub(crate) mod passkeys;
mod password_resets;
pub(crate) mod permissions;
pub(crate) mod problem;
pub(crate) mod providers;
pub(crate) mod roles;
pub(crate) mod service_accounts;
pub(crate) mod sessions;
pub(crate) mod shape;
mod sign_in;
pub(crate) mod signing_keys;
pub(crate) mod start;
mod step_up;
pub(crate) mod strength;
pub(crate) mod transfer;
pub(crate) mod user_data;
mod users;
pub(crate) mod users_list;
pub(crate) mod webhooks;
pub(crate) mod well_known;

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock};

use axum::Router;
use denizen_domain::Services;
use denizen_infra::stores::ServerClaim;
use denizen_infra::tokens::KeyRing;
use http::StatusCode;
use tokio_util::sync::CancellationToken;
use utoipa_axum::router::OpenApiRouter;

use crate::config::Limits;
use crate::feed::Feed;
use crate::heartbeats::Heartbeats;
use crate::metrics::Metrics;
use crate::middleware::{self, Capacity};
use origins::Origins;
use problem::Problem;
use start::StartPage;
use well_known::{Document, PublicKeys};

/// What handlers share.
pub(crate) type Shared = Arc<SharedState>;

/// What handlers share.
pub(crate) struct SharedState {
    /// The ports, for use cases.
    pub(crate) services: Arc<Services>,
    /// The keys that sign access tokens.
    pub(crate) ring: Arc<KeyRing>,
    /// Their public halves, as they are answered.
    pub(crate) jwks: PublicKeys,
    /// The metadata of the issuer.
    pub(crate) metadata: Document,
    /// What is at `/`.
    pub(crate) start_page: StartPage,
    /// The pages of the product that password managers open.
    pub(crate) product_pages: passkeys::ProductPages,
    /// Cancelled when the server begins to stop.
    pub(crate) draining: CancellationToken,
    /// The log as it goes on.
    pub(crate) feed: Arc<Feed>,
    /// The origins whose pages may call, and use cookies.
    pub(crate) origins: Arc<Origins>,
    /// The path of the public URL; empty for a bare origin.
    pub(crate) prefix: String,
    /// The OpenAPI document below that path.
    pub(crate) openapi: OnceLock<Document>,
    /// Bounds on requests.
    pub(crate) limits: Limits,
    /// How many requests are worked on at once.
    pub(crate) capacity: Capacity,
    /// Requests with an idempotency key that this node works on.
    pub(crate) running: idempotency::Running,
    /// Whether clients of the public network can name the trace of their request.
    pub(crate) accepts_public_traces: bool,
    /// The metrics of this server.
    pub(crate) metrics: Arc<Metrics>,
    /// When background jobs last ran.
    pub(crate) heartbeats: Heartbeats,
    /// Whether the server was ready once.
    pub(crate) has_started: AtomicBool,
    /// The right to serve the database.
    #[expect(dead_code, reason = "held, not read")]
    pub(crate) claim: Option<Arc<ServerClaim>>,
}

/// Every route, documented, in groups that differ in what they pass on the way in.
pub(crate) struct Groups {
    /// Bounded requests that need no access token and look at none.
    pub(crate) open: OpenApiRouter<Shared>,
    /// Bounded requests.
    pub(crate) requests: OpenApiRouter<Shared>,
    /// Streams, which bound each line and each wait instead of body and time.
    pub(crate) streams: OpenApiRouter<Shared>,
}

/// Every route.
pub(crate) fn documented() -> Groups {
    Groups {
        open: OpenApiRouter::new()
            .merge(health::routes())
            .merge(sign_in::open_routes())
            .merge(challenges::open_routes())
            .merge(auth::open_routes())
            .merge(passkeys::open_routes())
            .merge(password_resets::open_routes())
            .merge(email_verifications::open_routes())
            .merge(invitations::open_routes())
            .merge(oauth2::routes())
            .merge(events::open_routes())
            .merge(well_known::routes()),
        requests: OpenApiRouter::new()
            .merge(users::routes())
            .merge(users_list::routes())
            .merge(me::routes())
            .merge(factors::routes())
            .merge(identities::routes())
            .merge(providers::routes())
            .merge(passkeys::routes())
            .merge(email_verifications::routes())
            .merge(invitations::routes())
            .merge(step_up::routes())
            .merge(sign_in::routes())
            .merge(sessions::routes())
            .merge(permissions::routes())
            .merge(roles::routes())
            .merge(service_accounts::routes())
            .merge(api_keys::routes())
            .merge(api_keys_list::routes())
            .merge(signing_keys::routes())
            .merge(events::routes())
            .merge(audit::routes())
            .merge(webhooks::routes()),
        streams: transfer::routes().merge(user_data::routes()).merge(audit::stream_routes()).merge(events::streams()),
    }
}

/// The whole REST surface, without the outer middleware.
pub(crate) fn router(shared: &Shared) -> Router {
    let Groups { open, requests, streams } = documented();
    let open = middleware::for_open_requests(
        Router::from(open)
            .merge(docs::routes())
            .merge(account::routes())
            .merge(well_known::path_suffixed_routes())
            .merge(passkeys::page_routes()),
        shared,
    );
    let requests = middleware::for_requests(Router::from(requests), shared);
    let streams = middleware::for_streams(Router::from(streams), shared);
    open.merge(requests)
        .merge(streams)
        .fallback(start::fallback)
        .method_not_allowed_fallback(async || Problem::of_status(StatusCode::METHOD_NOT_ALLOWED))
        .with_state(Arc::clone(shared))
}

/// The documents at the root of the host when the server is mounted under a path.
pub(crate) fn root_documents(shared: &Shared) -> Router {
    let routes = well_known::root_routes(&shared.services.policy.issuer);
    middleware::for_open_requests(routes, shared).with_state(Arc::clone(shared))
}
