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
    /// The ticket; send it once as the query parameter `ticket`.
    ticket: String,
    /// Seconds until the ticket expires.
    expires_in: u32,
}

/// Create a stream ticket.
///
/// A ticket opens one event stream in place of the caller's credentials. Browsers cannot send an `Authorization` header
/// when they open a WebSocket, and a token in a URL would be logged; a ticket can be used only once.
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
