//! `denizen keys`: the keys that sign access tokens.

use clap::{Args, Subcommand};
use denizen_domain::Ctx;
use denizen_domain::keys::{self, KeyInfo, KeyState, Takeover};

use super::Globals;
use super::confirm::confirm;
use super::failure::Failure;
use super::operator::{self, Access};
use super::output::{Output, moment_or, print, print_json, table};
use crate::http::signing_keys::SigningKeyBody;

/// How soon a running server applies the change, for messages.
const FOLLOWED_WITHIN: &str = "running servers apply this within seconds";

/// Subcommands of `keys`.
#[derive(Subcommand)]
#[command(after_help = "\
Keys are rotated automatically every tokens.key_rotation_days; no regular action is needed. Changes take effect on
running servers within seconds.

Examples:
  denizen keys list
  denizen keys rotate
  denizen keys withdraw NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs")]
pub(super) enum KeysCommand {
    /// Lists the signing keys, newest first.
    #[command(after_help = "\
States: `next`: published, not signing yet; `current`: signing; `previous`: still accepted for verification;
`retired`: all tokens that it signed have expired; `withdrawn`: the tokens that it signed are rejected.

Examples:
  denizen keys list
  denizen keys list --output json")]
    List,
    /// Creates a key that replaces the current one; tokens that the current key has signed remain valid.
    Rotate(RotateArgs),
    /// Permanently invalidates all tokens that a key has signed.
    Withdraw(WithdrawArgs),
}

/// When the new key becomes current.
#[derive(Args)]
#[command(after_help = "\
The new key is published immediately and signs after tokens.key_lead_s, when all caches of the JWK Set contain it.
With --now it signs immediately, and verifiers with a cached JWK Set may reject new tokens until they fetch it again.

Examples:
  denizen keys rotate
  denizen keys rotate --now")]
pub(super) struct RotateArgs {
    /// Signs with the new key immediately, without waiting for `tokens.key_lead_s`.
    #[arg(long)]
    now: bool,
}

/// The compromised key.
#[derive(Args)]
#[command(after_help = "\
For a key that may be compromised. All access tokens that it has signed are rejected from now on; clients refresh, as
they do when a token expires, and users do not have to sign in again. If the key is the current one, a new key
replaces it immediately. This cannot be undone. For a key that is not compromised, use `rotate`.

Examples:
  denizen keys withdraw NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs
  denizen keys withdraw NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs --yes")]
pub(super) struct WithdrawArgs {
    /// The id of the key, as shown by `denizen keys list` and in the header `kid` of tokens.
    #[arg(value_name = "KID", allow_hyphen_values = true)]
    id: String,
    /// Skips the confirmation; required without a terminal.
    #[arg(long)]
    yes: bool,
}

impl KeysCommand {
    /// What it does with the database.
    fn access(&self) -> Access {
        match self {
            Self::List => Access::Read,
            Self::Rotate(_) | Self::Withdraw(_) => Access::Change,
        }
    }
}

pub(super) async fn run(globals: &Globals, command: KeysCommand) -> Result<(), Failure> {
    let config = globals.config()?;
    if let KeysCommand::Withdraw(args) = &command {
        confirm(
            args.yes,
            "withdrawing a signing key invalidates every access token that it signed; clients must refresh",
        )?;
    }
    let ctx = operator::open(globals, &config, command.access()).await?;
    let outcome = match command {
        KeysCommand::List => list(&ctx, globals.output).await,
        KeysCommand::Rotate(args) => rotate(&ctx, &args, globals.output).await,
        KeysCommand::Withdraw(args) => withdraw(&ctx, &args.id).await,
    };
    ctx.store().close().await;
    outcome
}

async fn list(ctx: &Ctx, output: Output) -> Result<(), Failure> {
    let keys = keys::list(ctx).await?;
    if output == Output::Json {
        return print_json(&keys.into_iter().map(SigningKeyBody::from).collect::<Vec<_>>());
    }
    let head = ["ID", "ALGORITHM", "STATE", "CREATED", "ACTIVATES", "WITHDRAWN"].map(str::to_owned);
    let row = |key: KeyInfo| {
        [
            key.id,
            key.algorithm.as_str().to_owned(),
            key.state.as_str().to_owned(),
            key.created_at.to_string(),
            key.activates_at.to_string(),
            moment_or(key.withdrawn_at, "-"),
        ]
    };
    print(&table(std::iter::once(head).chain(keys.into_iter().map(row))))
}

async fn rotate(ctx: &Ctx, args: &RotateArgs, output: Output) -> Result<(), Failure> {
    let takeover = if args.now { Takeover::Immediate } else { Takeover::Announced };
    let key = keys::rotate(ctx, takeover).await?;
    match output {
        Output::Json => print_json(&SigningKeyBody::from(key)),
        Output::Text if key.state == KeyState::Current => {
            print(&format!("the {} key {} signs from now on; {FOLLOWED_WITHIN}\n", key.algorithm.as_str(), key.id))
        }
        Output::Text => print(&format!(
            "the {} key {} is published and becomes current at {}\n",
            key.algorithm.as_str(),
            key.id,
            key.activates_at
        )),
    }
}

async fn withdraw(ctx: &Ctx, id: &str) -> Result<(), Failure> {
    keys::withdraw(ctx, id).await?;
    print(&format!("withdrew {id}: the tokens that it signed are rejected; {FOLLOWED_WITHIN}\n"))
}
