//! `/api/v1/events/tickets`: how a browser says who it is when it opens a WebSocket.

use axum::Json;
use axum::response::{IntoResponse, Response};
use denizen_domain::events::tickets;
use http::StatusCode;
use http::header::CACHE_CONTROL;
use secrecy::ExposeSecret;
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::answers::{Always, BadInput, Permitted, Repeatable, SignedIn};
use crate::http::extract::Caller;
use crate::http::problem::Problem;

/// A ticket.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({"ticket": "dnt_AZNlqHsffD6NDAocLT5PUMdq…", "expires_in": 30}))]
struct TicketBody {
    /// What to send as `ticket=` in the address, once.
    ticket: String,
    /// How long it can be used, in seconds.
    expires_in: u32,
}

/// Get a ticket.
///
/// It opens one stream of events, in place of the caller's credentials. Browsers cannot send an `Authorization` header with
/// a WebSocket, and a token in an address would end up in logs; a ticket in a log opens nothing any more.
#[utoipa::path(
    post, path = "/api/v1/events/tickets", tag = "events", operation_id = "events.tickets.create",
    responses((status = 201, description = "The ticket.", body = TicketBody), BadInput, SignedIn, Permitted, Repeatable, Always),
    security(("bearer" = [])),
)]
pub(super) async fn create(Caller(ctx): Caller) -> Result<Response, Problem> {
    let ticket = tickets::issue(&ctx).await?;
    let body = TicketBody { ticket: ticket.expose_secret().to_owned(), expires_in: tickets::TTL_S };
    Ok((StatusCode::CREATED, [(CACHE_CONTROL, "no-store")], Json(body)).into_response())
}
