//! Recovery codes: for the day that the second factor is lost.

use secrecy::{ExposeSecret, SecretString};

use super::RecoveryCodeHash;
use crate::ctx::Ctx;
use crate::error::{Error, Resource, Result};
use crate::events::{Happened, record};
use crate::id::UserId;
use crate::mail::{self, MailSubject};
use crate::pending::{self, Ending};
use crate::ports::{Random, Vault};
use crate::sessions::step_up;
use crate::store::WriteTx;

/// How many codes a user gets.
pub const RECOVERY_CODES: usize = 10;
/// How many characters a code has: 50 bits, too many to guess at the rate that is let through.
pub(super) const CODE_CHARS: usize = 10;
/// Base32 (RFC 4648 §6) in lower case: nothing in it is mistaken for something else in it.
pub(super) const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
const PURPOSE: &str = "recovery code";

/// Replaces the caller's recovery codes. They are shown this once.
///
/// # Errors
/// [`Error::NotFound`] when there is no second factor that they could stand in for.
pub async fn replace_recovery_codes(ctx: &Ctx) -> Result<Vec<SecretString>> {
    let (id, _) = ctx.signed_in()?;
    let mut tx = ctx.write_on(&[id.into()]).await?;
    let user = tx.lock_user(id).await?.ok_or(Error::NotFound(Resource::User))?;
    if !tx.second_factor_standing(id).await?.is_enrolled() {
        return Err(Error::NotFound(Resource::SecondFactor));
    }
    step_up::require(ctx, &mut *tx).await?;
    let codes = set(ctx, &mut *tx, id).await?;
    pending::end(ctx, &mut *tx, id, Ending::RecoveryCodes).await?;
    record(ctx, &mut *tx, id, Happened::RecoveryCodesReplaced {});
    mail::tell(ctx, &mut *tx, &user, MailSubject::RecoveryCodesReplaced).await?;
    ctx.commit(tx).await?;
    Ok(codes)
}

/// Gives the user new codes, in place of all before.
pub(super) async fn set(ctx: &Ctx, tx: &mut dyn WriteTx, user: UserId) -> Result<Vec<SecretString>> {
    let services = ctx.services();
    let codes: Vec<_> = (0..RECOVERY_CODES).map(|_| generate(services.random.as_ref())).collect();
    let hashes: Vec<_> = codes.iter().map(|code| hash(services.vault.as_ref(), user, code)).collect();
    tx.set_recovery_codes(user, &hashes).await?;
    Ok(codes.iter().map(shown).collect())
}

/// What is kept of a code.
pub(super) fn hash(vault: &dyn Vault, user: UserId, code: &SecretString) -> RecoveryCodeHash {
    vault.mac(PURPOSE, &[user.as_uuid().as_bytes(), code.expose_secret().as_bytes()].concat())
}

fn generate(random: &dyn Random) -> SecretString {
    let mut bytes = [0; CODE_CHARS];
    random.fill(&mut bytes);
    // 32 divides 256: every character is as likely as any other.
    bytes.iter().map(|byte| char::from(ALPHABET[usize::from(byte % 32)])).collect::<String>().into()
}

/// In two halves, which is how people read it.
fn shown(code: &SecretString) -> SecretString {
    let (head, tail) = code.expose_secret().split_at(CODE_CHARS / 2);
    format!("{head}-{tail}").into()
}
