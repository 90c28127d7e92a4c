//! One-time tickets: a browser cannot say who asks when it opens a WebSocket, other than in the address.
//!
//! A ticket stands for whoever asked for it, once and for a moment. The token is derived from the id of a row.

use secrecy::SecretString;
use uuid::Uuid;

use crate::access::{Actor, Credential, Permissions, Principal, Subject};
use crate::ctx::{Ctx, Services};
use crate::derived::Kind;
use crate::error::{Error, Result, Unauthenticated};
use crate::id::TicketId;
use crate::roles::RoleName;
use crate::time::Timestamp;
use crate::tokens;

/// What every ticket begins with, so that scanners find leaked ones.
pub const PREFIX: &str = "dnt_";
/// How long a ticket can be used, in seconds.
pub const TTL_S: u32 = 30;
const KIND: Kind = Kind { prefix: PREFIX, purpose: "ticket to events" };

/// What is kept of a ticket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ticket {
    /// What the token is derived from.
    pub id: TicketId,
    /// Who asked for it.
    pub subject: Subject,
    /// By what.
    pub credential: Credential,
    /// What the credential carried.
    pub permissions: Permissions,
    /// When the credential stops working by itself, if it says so.
    pub credential_expires_at: Option<Timestamp>,
    /// Until when the ticket can be used.
    pub expires_at: Timestamp,
}

/// Makes a ticket for the caller, who signed in or holds what may follow events.
pub async fn issue(ctx: &Ctx) -> Result<SecretString> {
    super::require_following(ctx)?;
    let Principal { subject, credential, permissions, expires_at, .. } = *ctx.principal()?;
    let ticket = Ticket {
        id: TicketId::from_uuid(ctx.new_id()),
        subject,
        credential,
        permissions,
        credential_expires_at: expires_at,
        expires_at: ctx.now().plus_seconds(TTL_S),
    };
    let mut tx = ctx.write().await?;
    tx.insert_ticket(&ticket).await?;
    ctx.commit(tx).await?;
    Ok(KIND.token(ctx.services().vault.as_ref(), ticket.id.as_uuid().as_bytes()))
}

/// Whoever asked for the ticket, as they are now. It is used up by it.
pub async fn redeem(ctx: &Ctx, token: &SecretString) -> Result<Ctx> {
    let refused = || Error::Unauthenticated(Unauthenticated::InvalidToken);
    let id = KIND.open(ctx.services().vault.as_ref(), token).ok_or_else(refused)?;
    let mut tx = ctx.write().await?;
    let ticket = tx.take_ticket(TicketId::from_uuid(Uuid::from_bytes(id)), ctx.now()).await?.ok_or_else(refused)?;
    ctx.commit(tx).await?;
    let principal = Principal {
        subject: ticket.subject,
        credential: ticket.credential,
        // Looked up below, as all else that may have changed.
        role: RoleName::user(),
        permissions: ticket.permissions,
        expires_at: ticket.credential_expires_at,
        key_digest: None,
    };
    tokens::renew(&ctx.by(Actor::Known(principal))).await
}

/// Removes at most so many tickets that nobody used in time, and says how many.
pub async fn purge_tickets(services: &Services, limit: u32) -> Result<u64> {
    let mut tx = services.store.write().await?;
    let removed = tx.purge_tickets(services.clock.now(), limit).await?;
    tx.commit().await?;
    Ok(removed)
}
