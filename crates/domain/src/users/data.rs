//! Everything that is stored about a user, without secrets.

use super::{User, get};
use crate::access::{Permission, Subject};
use crate::api_keys::{self, ApiKey, KeyFilter};
use crate::ctx::Ctx;
use crate::error::{Error, Result};
use crate::events::store::RecordFilter;
use crate::events::{EventPage, list};
use crate::factors::{self, Factors};
use crate::id::UserId;
use crate::identities::{self, Identity};
use crate::page::{Listed, PAGE_MAX, Page, Start, Total};
use crate::passkeys::{self, Passkey};
use crate::sessions::{self, Session};

/// The maximum number of sessions, and of API keys, in the data: more than a user can have by default.
const ITEMS_MAX: usize = 1_000;
const FIRST: Page = Page { limit: PAGE_MAX, start: Start::Offset(0) };

/// A user and what belongs to them. The events are read by [`data_events`], because there can be many.
#[derive(Debug)]
pub struct UserData {
    /// The user.
    pub user: User,
    /// The authentication factors.
    pub factors: Factors,
    /// The newest live sessions.
    pub sessions: Vec<Session>,
    /// The passkeys.
    pub passkeys: Vec<Passkey>,
    /// The identities at outside providers.
    pub identities: Vec<Identity>,
    /// The newest API keys.
    pub api_keys: Vec<ApiKey>,
}

/// Returns what is stored about a user. Users can read their own data; other callers need the permissions to read
/// users, sessions, API keys and events.
///
/// # Errors
/// [`Error::Forbidden`] if the caller lacks one of these permissions.
pub async fn data(ctx: &Ctx, id: UserId) -> Result<UserData> {
    require(ctx, id)?;
    let user = get(ctx, id).await?;
    let (mut sessions, mut page) = (Vec::new(), Some(FIRST));
    while let Some(asked) = page {
        page = append(&mut sessions, sessions::list(ctx, id, asked, Total::Skip).await?);
    }
    let owned = KeyFilter::Owner(Subject::User(id));
    let (mut api_keys, mut page) = (Vec::new(), Some(FIRST));
    while let Some(asked) = page {
        page = append(&mut api_keys, api_keys::list(ctx, owned, asked, Total::Skip).await?);
    }
    Ok(UserData {
        user,
        factors: factors::get(ctx, id).await?,
        sessions,
        passkeys: passkeys::list(ctx, id).await?.passkeys,
        identities: identities::list_of(ctx, id).await?,
        api_keys,
    })
}

/// A page of the events that concern a user, oldest first, after a position in the log. Events that were deleted in the
/// meantime are skipped.
///
/// # Errors
/// As for [`data`].
pub async fn data_events(ctx: &Ctx, id: UserId, after: Option<i64>) -> Result<EventPage> {
    require(ctx, id)?;
    let filter = RecordFilter { about: Some(id.to_string()), ..RecordFilter::default() };
    match list::page(ctx, &filter, after, Some(PAGE_MAX)).await {
        Err(Error::CursorExpired) => list::page(ctx, &filter, None, Some(PAGE_MAX)).await,
        page => page,
    }
}

fn require(ctx: &Ctx, id: UserId) -> Result<()> {
    ctx.require_self_or(id, Permission::UsersRead)?;
    if ctx.is_user(id) {
        return ctx.signed_in().map(drop);
    }
    let needed = [Permission::SessionsRead, Permission::ApiKeysRead, Permission::EventsRead];
    needed.into_iter().try_for_each(|permission| ctx.require(permission))
}

/// Appends the items of a page. Returns the next page to read; `None` after the last one and at [`ITEMS_MAX`].
fn append<T>(items: &mut Vec<T>, listed: Listed<T>) -> Option<Page> {
    items.extend(listed.items);
    let position = listed.next.filter(|_| items.len() < ITEMS_MAX)?;
    Some(Page { limit: PAGE_MAX, start: Start::After(position) })
}
