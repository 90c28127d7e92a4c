//! Who answers for a webhook, and what becomes of it without them.
//!
//! A webhook sends everything that happens to an address that an account chose, so it works only while that account could
//! read events itself: it exists, is active, and holds `webhooks:write` and `events:read`. The transaction that ends
//! this disables the webhook ([`disable_unauthorized`]); deliveries are taken only after asking again
//! ([`still_authorized`]), which covers webhooks made at the same moment on another node.

use super::{Webhook, WebhookStatus};
use crate::access::{Actor, Permission, Permissions, Subject};
use crate::ctx::Ctx;
use crate::error::Result;
use crate::events::{Happened, record};
use crate::page::{Page, Start};
use crate::roles::permissions_of;
use crate::store::{ReadTx, StoreError, WriteTx};
use crate::time::Timestamp;
use crate::users::Status;

/// What an account needs to hold for its webhooks to work.
const NEEDED: Permissions = Permissions::of(&[Permission::WebhooksWrite, Permission::EventsRead]);

/// Who answers for a webhook: the account that created it, or last changed its URL or enabled it again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Creator {
    /// A user or a service account.
    Account(Subject),
    /// The command line. Such a webhook works until it is disabled or deleted.
    Operator,
}

impl Creator {
    /// The caller as a creator; `None` for a caller who cannot create webhooks.
    pub(super) fn of(actor: &Actor) -> Option<Self> {
        match actor {
            Actor::Known(principal) => Some(Self::Account(principal.subject)),
            Actor::Operator | Actor::System => Some(Self::Operator),
            Actor::Anonymous => None,
        }
    }

    /// Of what kind it is.
    #[must_use]
    pub const fn kind(self) -> &'static str {
        match self {
            Self::Account(Subject::User(_)) => "user",
            Self::Account(Subject::ServiceAccount(_)) => "service_account",
            Self::Operator => "operator",
        }
    }
}

/// Why a webhook was disabled other than by request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DisabledReason {
    /// The receiver answered 410.
    Gone,
    /// The account that answers for it was deleted.
    CreatorDeleted,
    /// The account that answers for it was disabled.
    CreatorDisabled,
    /// The account that answers for it no longer holds `webhooks:write` and `events:read`.
    CreatorNotPermitted,
}

impl DisabledReason {
    /// Every reason.
    pub const ALL: &[Self] = &[Self::Gone, Self::CreatorDeleted, Self::CreatorDisabled, Self::CreatorNotPermitted];

    /// Reads a stored name.
    #[must_use]
    pub fn parse(raw: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|reason| reason.as_str() == raw)
    }

    /// Its stored name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Gone => "gone",
            Self::CreatorDeleted => "creator_deleted",
            Self::CreatorDisabled => "creator_disabled",
            Self::CreatorNotPermitted => "creator_not_permitted",
        }
    }
}

/// Disables the webhooks whose creator may no longer have them, with the transaction that changed an account or a role.
pub(crate) async fn disable_unauthorized(ctx: &Ctx, tx: &mut dyn WriteTx) -> Result<()> {
    let all = Page { limit: u32::try_from(super::WEBHOOKS_MAX).unwrap_or(u32::MAX), start: Start::Offset(0) };
    let mut webhooks = tx.list_webhooks(all).await?;
    // In one order for everybody, so that two transactions do not wait for each other.
    webhooks.sort_by_key(|webhook| webhook.id);
    for webhook in webhooks {
        let Err(reason) = still_authorized(tx, &webhook).await? else { continue };
        // Another transaction may have changed it since it was listed.
        let Some(webhook) = tx.lock_webhook(webhook.id).await? else { continue };
        if still_authorized(tx, &webhook).await?.is_err() {
            let id = webhook.id;
            tx.update_webhook(&disabled(webhook, reason, ctx.now())).await?;
            record(ctx, tx, id, Happened::WebhookDisabled { webhook_id: id, reason });
        }
    }
    Ok(())
}

/// Why an active webhook must not be delivered to; `Ok` for one that may, and for one that is disabled.
pub(super) async fn still_authorized(
    tx: &mut dyn ReadTx,
    webhook: &Webhook,
) -> Result<Result<(), DisabledReason>, StoreError> {
    let subject = match webhook.created_by {
        Some(Creator::Account(subject)) if webhook.status == WebhookStatus::Active => subject,
        _ => return Ok(Ok(())),
    };
    let account = match subject {
        Subject::User(id) => tx.find_user(id).await?.map(|user| (user.status, user.role)),
        Subject::ServiceAccount(id) => tx.find_service_account(id).await?.map(|account| (account.status, account.role)),
    };
    let Some((status, role)) = account else { return Ok(Err(DisabledReason::CreatorDeleted)) };
    if status != Status::Active {
        return Ok(Err(DisabledReason::CreatorDisabled));
    }
    let holds = permissions_of(tx, &role).await?.contains_all(NEEDED);
    Ok(if holds { Ok(()) } else { Err(DisabledReason::CreatorNotPermitted) })
}

/// The webhook once it is disabled for this reason.
pub(super) fn disabled(webhook: Webhook, reason: DisabledReason, now: Timestamp) -> Webhook {
    Webhook {
        status: WebhookStatus::Disabled,
        disabled_reason: Some(reason),
        version: webhook.version + 1,
        updated_at: now,
        health: super::Health::default(),
        ..webhook
    }
}
