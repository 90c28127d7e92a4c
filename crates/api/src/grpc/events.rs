//! `EventService`: the log, and how to follow it.

use denizen_domain::error::FieldError;
use denizen_domain::events::{self, EventFilter, EventPage, Revocation, follow, require_following, tickets};
use denizen_domain::page::PAGE_MAX;
use denizen_domain::ports::Vault;
use denizen_proto::v1;
use denizen_proto::v1::event_service_server::EventService;
use denizen_proto::v1::{watch_response, watch_revocations_response};
use secrecy::ExposeSecret;
use tonic::{Request, Response, Status, Streaming, async_trait};

use super::call::{Call, by_caller, identify};
use super::flow;
use super::status::Refusal;
use super::watch::{End, Messages, Watching, event, kinds, read_cursor, revocation, wish};
use crate::feed::Told;
use crate::http::Shared;
use crate::http::events::body::cursor;

/// The service.
pub(super) struct Events(pub(super) Shared);

#[async_trait]
impl EventService for Events {
    async fn list_events(
        &self,
        request: Request<v1::ListEventsRequest>,
    ) -> Result<Response<v1::ListEventsResponse>, Status> {
        by_caller(&self.0, request, list).await
    }

    async fn list_my_events(
        &self,
        request: Request<v1::ListMyEventsRequest>,
    ) -> Result<Response<v1::ListMyEventsResponse>, Status> {
        by_caller(&self.0, request, list_own).await
    }

    async fn create_ticket(
        &self,
        request: Request<v1::CreateTicketRequest>,
    ) -> Result<Response<v1::CreateTicketResponse>, Status> {
        by_caller(&self.0, request, create_ticket).await
    }

    type WatchStream = Messages<v1::WatchResponse>;

    async fn watch(&self, request: Request<v1::WatchRequest>) -> Result<Response<Self::WatchStream>, Status> {
        let (call, request) = identify(&self.0, request).await?;
        let watching = watch(&call, &request).await.map_err(|refusal| call.refuse(refusal))?;
        Ok(Response::new(watching.messages()))
    }

    type FollowStream = Messages<v1::FollowResponse>;

    async fn follow(
        &self,
        request: Request<Streaming<v1::FollowRequest>>,
    ) -> Result<Response<Self::FollowStream>, Status> {
        let (call, said) = identify(&self.0, request).await?;
        let messages = flow::follow(&call, said).await.map_err(|refusal| call.refuse(refusal))?;
        Ok(Response::new(messages))
    }

    type WatchRevocationsStream = Messages<v1::WatchRevocationsResponse>;

    async fn watch_revocations(
        &self,
        request: Request<v1::WatchRevocationsRequest>,
    ) -> Result<Response<Self::WatchRevocationsStream>, Status> {
        let (call, request) = identify(&self.0, request).await?;
        let watching = watch_revocations(&call, &request).await.map_err(|refusal| call.refuse(refusal))?;
        Ok(Response::new(watching.messages()))
    }
}

/// Which page of the log.
struct Asked {
    filter: EventFilter,
    after: Option<i64>,
    limit: Option<u32>,
}

impl Asked {
    fn read(vault: &dyn Vault, size: i32, token: &str, types: &[String]) -> Result<Self, FieldError> {
        let negative = |_| FieldError::new("page_size", "out_of_range", "must not be negative");
        // More than there can be is as much as there can be (AIP-158).
        let limit = Some(u32::try_from(size).map_err(negative)?.min(PAGE_MAX)).filter(|size| *size > 0);
        let filter = EventFilter { kinds: kinds(types)?, about: None };
        Ok(Self { filter, after: read_cursor(vault, "page_token", token)?, limit })
    }
}

/// The events of a page, the token of the next one, and up to where the log was read.
fn parts(vault: &dyn Vault, page: &EventPage) -> (Vec<v1::Event>, String, String) {
    let read_to = cursor(vault, page.read_to);
    let next = if page.has_more { read_to.clone() } else { String::new() };
    (page.events.iter().map(|of| event(vault, of)).collect(), next, read_to)
}

async fn list(call: Call, request: v1::ListEventsRequest) -> Result<v1::ListEventsResponse, Refusal> {
    let vault = call.shared.services.vault.as_ref();
    let asked = Asked::read(vault, request.page_size, &request.page_token, &request.types)?;
    let page = events::list(&call.ctx, &asked.filter, asked.after, asked.limit).await?;
    let (events, next_page_token, cursor) = parts(vault, &page);
    Ok(v1::ListEventsResponse { events, next_page_token, cursor })
}

async fn list_own(call: Call, request: v1::ListMyEventsRequest) -> Result<v1::ListMyEventsResponse, Refusal> {
    let vault = call.shared.services.vault.as_ref();
    let asked = Asked::read(vault, request.page_size, &request.page_token, &request.types)?;
    let page = events::list_own(&call.ctx, &asked.filter, asked.after, asked.limit).await?;
    let (events, next_page_token, cursor) = parts(vault, &page);
    Ok(v1::ListMyEventsResponse { events, next_page_token, cursor })
}

async fn create_ticket(call: Call, _: v1::CreateTicketRequest) -> Result<v1::CreateTicketResponse, Refusal> {
    let ticket = tickets::issue(&call.ctx).await?.expose_secret().to_owned();
    let expires_in_s = i32::try_from(tickets::TTL_S).expect("a ticket is short-lived");
    Ok(v1::CreateTicketResponse { ticket, expires_in_s })
}

async fn watch(call: &Call, request: &v1::WatchRequest) -> Result<Watching<v1::WatchResponse>, Refusal> {
    require_following(&call.ctx)?;
    let end = End::of(call);
    let wish = wish(call.shared.services.vault.as_ref(), &request.after, &request.types)?;
    let follower = call.shared.feed.follow(&call.ctx, wish).await?;
    Ok(Watching {
        follower,
        end,
        of_event: |vault, told| {
            let told = watch_response::Told::Event(event(vault, &told.event));
            Some(v1::WatchResponse { told: Some(told) })
        },
        of_heartbeat: |heartbeat| v1::WatchResponse { told: Some(watch_response::Told::Heartbeat(heartbeat)) },
    })
}

async fn watch_revocations(
    call: &Call,
    request: &v1::WatchRevocationsRequest,
) -> Result<Watching<v1::WatchRevocationsResponse>, Refusal> {
    follow::require_revocations(&call.ctx)?;
    let end = End::of(call);
    let after = match read_cursor(call.shared.services.vault.as_ref(), "after", &request.after)? {
        Some(after) => after,
        None => follow::revocations_begin(&call.ctx).await?,
    };
    let filter = EventFilter { kinds: Some(Revocation::KINDS.to_vec()), about: None };
    let follower = call.shared.feed.follow_as(&call.ctx, filter, Some(after)).await?;
    Ok(Watching { follower, end, of_event: revoked, of_heartbeat: no_news })
}

fn revoked(vault: &dyn Vault, told: &Told) -> Option<v1::WatchRevocationsResponse> {
    let told = watch_revocations_response::Told::Revocation(revocation(vault, &told.event)?);
    Some(v1::WatchRevocationsResponse { told: Some(told) })
}

fn no_news(heartbeat: v1::EventHeartbeat) -> v1::WatchRevocationsResponse {
    v1::WatchRevocationsResponse { told: Some(watch_revocations_response::Told::Heartbeat(heartbeat)) }
}
