//! Everything that is stored about a user, as one JSON document, which is sent while it is read from the database.

use std::io;

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use denizen_domain::Ctx;
use denizen_domain::access::Subject;
use denizen_domain::error::Error;
use denizen_domain::events::EventPage;
use denizen_domain::id::UserId;
use denizen_domain::ports::Vault;
use denizen_domain::tokens;
use denizen_domain::users::{self, UserData};
use http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE};
use serde::Serialize;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tracing::Instrument;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Shared;
use super::answers::{Always, BadInput, Permitted, SignedIn, UserExists};
use super::api_keys::ApiKeyBody;
use super::body::UserBody;
use super::events::body::EventBody;
use super::extract::{Caller, IdPath};
use super::factors::FactorsBody;
use super::identities::IdentityBody;
use super::passkeys::PasskeyBody;
use super::problem::{Chain, Problem};
use super::sessions::SessionBody;

/// How many pages of events are buffered for a slow client.
const PAGES_AHEAD: usize = 2;
/// The end of the document.
const END: &[u8] = b"]}\n";

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(own)).routes(routes!(of))
}

/// The data that is stored about a user. It contains no secrets.
#[derive(Serialize, ToSchema)]
struct UserDataBody {
    /// The user.
    user: UserBody,
    /// The authentication factors.
    factors: FactorsBody,
    /// The newest open sessions; at most 1,000.
    sessions: Vec<SessionBody>,
    /// The passkeys.
    passkeys: Vec<PasskeyBody>,
    /// The identities at outside providers.
    identities: Vec<IdentityBody>,
    /// The newest API keys; at most 1,000.
    api_keys: Vec<ApiKeyBody>,
    /// The retained events that concern the user, oldest first.
    events: Vec<EventBody>,
}

impl From<UserData> for UserDataBody {
    fn from(data: UserData) -> Self {
        Self {
            user: UserBody::from(data.user),
            factors: FactorsBody::from(data.factors),
            sessions: data.sessions.into_iter().map(|session| SessionBody::of(session, None)).collect(),
            passkeys: data.passkeys.into_iter().map(PasskeyBody::from).collect(),
            identities: data.identities.into_iter().map(IdentityBody::from).collect(),
            api_keys: data.api_keys.into_iter().map(ApiKeyBody::from).collect(),
            events: Vec::new(),
        }
    }
}

/// Get the caller's data.
///
/// Returns the data that is stored about the caller as one JSON document, streamed: the user, factors, sessions, passkeys,
/// identities, API keys and events. It contains no secrets. The connection breaks if the document cannot be completed.
#[utoipa::path(
    get, path = "/api/v1/me/data", tag = "me", operation_id = "me.data",
    responses((status = 200, description = "The data.", body = UserDataBody), SignedIn, Permitted, Always),
    security(("bearer" = [])),
)]
async fn own(State(shared): State<Shared>, Caller(ctx): Caller) -> Result<Response, Problem> {
    let Subject::User(id) = ctx.principal()?.subject else { return Err(Error::Forbidden.into()) };
    respond(shared, ctx, id).await
}

/// Get the data of a user.
///
/// Returns the data that is stored about a user, as `GET /api/v1/me/data` does. Visible to the user and to callers with
/// `users:read`, `sessions:read`, `api_keys:read` and `events:read`.
#[utoipa::path(
    get, path = "/api/v1/users/{id}/data", tag = "users", operation_id = "users.data",
    params(("id" = String, Path, format = Uuid, description = "The id of the user.")),
    responses((status = 200, description = "The data.", body = UserDataBody), BadInput, SignedIn, Permitted, UserExists, Always),
    security(("bearer" = [])),
)]
async fn of(
    State(shared): State<Shared>,
    Caller(ctx): Caller,
    IdPath(id): IdPath<UserId>,
) -> Result<Response, Problem> {
    respond(shared, ctx, id).await
}

async fn respond(shared: Shared, ctx: Ctx, id: UserId) -> Result<Response, Problem> {
    // Read before the response begins, so that a refused request still gets a status.
    let mut document = Document::begin(&ctx, id).await?;
    let (sender, receiver) = mpsc::channel(PAGES_AHEAD);
    let headers = [
        (CONTENT_TYPE, "application/json".to_owned()),
        (CACHE_CONTROL, "no-store".to_owned()),
        (CONTENT_DISPOSITION, format!("attachment; filename=\"user-{id}.json\"")),
    ];
    let sending = async move {
        let vault = shared.services.vault.as_ref();
        while let Some(part) = document.take(vault) {
            // The channel is closed when the client disconnects.
            if sender.send(Ok(part)).await.is_err() {
                return;
            }
            // The client may be slow, and may have lost its permissions in the meantime: check them for each page.
            let read = async { document.read(&tokens::renew(&ctx).await?).await };
            if let Err(error) = read.await {
                tracing::warn!(error = %Chain(&error), "export of user data aborted");
                // Breaks the connection: a truncated document must not look complete.
                let _ = sender.send(Err(io::Error::other("the export was aborted"))).await;
                return;
            }
        }
    };
    tokio::spawn(sending.in_current_span());
    Ok((headers, Body::from_stream(ReceiverStream::new(receiver))).into_response())
}

/// The document while it is written, part by part.
pub(crate) struct Document {
    id: UserId,
    /// Serialized and not sent yet.
    text: Vec<u8>,
    /// The page that is written next; `None` after the last one.
    page: Option<EventPage>,
    has_events: bool,
    is_complete: bool,
}

impl Document {
    /// Reads the data without events, and the first page of events.
    pub(crate) async fn begin(ctx: &Ctx, id: UserId) -> denizen_domain::Result<Self> {
        let data = users::data(ctx, id).await?;
        let mut text = serde_json::to_vec(&UserDataBody::from(data)).expect("data of a user serialises");
        // The list of events is the last member, and still empty: events are appended to it.
        text.truncate(text.len() - "]}".len());
        let page = Some(users::data_events(ctx, id, None).await?);
        Ok(Self { id, text, page, has_events: false, is_complete: false })
    }

    /// The next part; `None` after the last one.
    pub(crate) fn take(&mut self, vault: &dyn Vault) -> Option<Bytes> {
        if self.is_complete {
            return None;
        }
        if let Some(page) = &mut self.page {
            for event in std::mem::take(&mut page.events) {
                if std::mem::replace(&mut self.has_events, true) {
                    self.text.push(b',');
                }
                serde_json::to_writer(&mut self.text, &EventBody::new(vault, event)).expect("an event serialises");
            }
        } else {
            self.text.extend_from_slice(END);
            self.is_complete = true;
        }
        Some(Bytes::from(std::mem::take(&mut self.text)))
    }

    /// Reads the next page of events, if there is one.
    pub(crate) async fn read(&mut self, ctx: &Ctx) -> denizen_domain::Result<()> {
        self.page = match self.page.take().filter(|page| page.has_more) {
            Some(page) => Some(users::data_events(ctx, self.id, Some(page.read_to)).await?),
            None => None,
        };
        Ok(())
    }
}
