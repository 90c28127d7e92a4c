//! Devices that a user has signed in on. Their token opens nothing: it has a budget of guesses of its own, so that
//! nobody who fails elsewhere keeps the owner out ("Device cookies", OWASP).

use secrecy::SecretString;
use uuid::Uuid;

use crate::ctx::Ctx;
use crate::derived::Kind;
use crate::error::Result;
use crate::id::UserId;
use crate::store::ReadTx;
use crate::time::Timestamp;
use crate::users::DisplayName;

/// What every device token begins with.
pub const PREFIX: &str = "dnd_";
/// How long a device is known after a sign-in on it, in seconds (180 days).
pub const TTL_S: u32 = 180 * 24 * 60 * 60;
const KIND: Kind = Kind { prefix: PREFIX, purpose: "device" };
const ID_BYTES: usize = 16;
const MOMENT_BYTES: usize = 8;
const CHANCE_BYTES: usize = 8;
const MESSAGE_BYTES: usize = ID_BYTES + MOMENT_BYTES + CHANCE_BYTES;

/// What a client says of the device it signs in on.
#[derive(Debug, Default)]
pub struct DeviceClaim {
    /// What the user calls it.
    pub label: Option<DisplayName>,
    /// The token of an earlier sign-in on it. One that is not good is as none.
    pub token: Option<SecretString>,
}

/// A device that its user has signed in on: the user, the moment and chance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Device([u8; MESSAGE_BYTES]);

impl Device {
    /// The device that a token names, when it was issued to this user, is not too old, and was not forgotten since.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn find(
        ctx: &Ctx,
        read: &mut dyn ReadTx,
        user: UserId,
        token: Option<&SecretString>,
    ) -> Result<Option<Self>> {
        let Some(device) = Self::of(ctx, user, token) else { return Ok(None) };
        let since = read.devices_since(user).await?;
        Ok(since.is_none_or(|since| device.issued_at() >= since).then_some(device))
    }

    fn of(ctx: &Ctx, user: UserId, token: Option<&SecretString>) -> Option<Self> {
        let device = Self(KIND.open(ctx.services().vault.as_ref(), token?)?);
        (device.user_id() == user && ctx.now() < device.issued_at().plus_seconds(TTL_S)).then_some(device)
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    fn user_id(&self) -> UserId {
        let (id, _) = self.0.split_first_chunk().expect("the message begins with an id");
        UserId::from_uuid(Uuid::from_bytes(*id))
    }

    fn issued_at(&self) -> Timestamp {
        let (moment, _) = self.0[ID_BYTES..].split_first_chunk().expect("the moment follows the id");
        Timestamp::from_micros(i64::from_be_bytes(*moment))
    }
}

/// A token for the device that the user is signing in on.
#[must_use]
pub fn device_token(ctx: &Ctx, user: UserId) -> SecretString {
    let mut message = [0; MESSAGE_BYTES];
    message[..ID_BYTES].copy_from_slice(user.as_uuid().as_bytes());
    message[ID_BYTES..][..MOMENT_BYTES].copy_from_slice(&ctx.now().as_micros().to_be_bytes());
    ctx.services().random.fill(&mut message[ID_BYTES + MOMENT_BYTES..]);
    KIND.token(ctx.services().vault.as_ref(), &message)
}
