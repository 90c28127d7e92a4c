//! `denizen keys`: the keys that sign access tokens.

use clap::{Args, Subcommand};
use denizen_domain::Ctx;
use denizen_domain::keys::{self, KeyInfo, KeyState, Takeover};

use super::confirm::confirm;
use super::failure::Failure;
use super::output::{Output, moment_or, print, print_json, table};
use super::{Globals, operator};
use crate::http::signing_keys::SigningKeyBody;

/// How soon a running server follows, for messages.
const FOLLOWED_WITHIN: &str = "running servers follow within seconds";

/// What to do with signing keys.
#[derive(Subcommand)]
#[command(after_help = "\
Keys rotate by themselves, every tokens.key_rotation_days; nothing here needs to be done regularly. Running
servers follow within seconds.

Examples:
  denizen keys list
  denizen keys rotate
  denizen keys withdraw NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs")]
pub(super) enum KeysCommand {
    /// Lists the signing keys, newest first.
    #[command(after_help = "\
A key is `next` while it is published and does not sign yet, `current` while it signs, `previous` while what it
signed is good, `retired` just before it is removed, `withdrawn` when nothing it signed is good.

Examples:
  denizen keys list
  denizen keys list --output json")]
    List,
    /// Makes a key that takes over from the current one; what that one signed stays good.
    Rotate(RotateArgs),
    /// Makes everything that a key signed invalid, at once and for good.
    Withdraw(WithdrawArgs),
}

/// When the new key takes over.
#[derive(Args)]
#[command(after_help = "\
The new key is published at once, and signs after tokens.key_lead_s: by then every cache of the JWK Set has seen
it. With --now it signs at once, and a verifier that keeps the JWK Set may refuse new tokens until it fetches it
again.

Examples:
  denizen keys rotate
  denizen keys rotate --now")]
pub(super) struct RotateArgs {
    /// Takes over at once rather than after `tokens.key_lead_s`.
    #[arg(long)]
    now: bool,
}

/// The key that may be in wrong hands.
#[derive(Args)]
#[command(after_help = "\
For a key that may be in wrong hands. Every access token it signed is refused from now on; clients refresh, as
they do when a token expires, and nobody signs in again. When the key is the current one, a new one takes over
at once. It cannot be undone. A key that is merely old is better rotated.

Examples:
  denizen keys withdraw NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs
  denizen keys withdraw NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs --yes")]
pub(super) struct WithdrawArgs {
    /// The id of the key, as `denizen keys list` and the header `kid` of its tokens have it.
    #[arg(value_name = "KID", allow_hyphen_values = true)]
    id: String,
    /// Does not ask; needed where there is no terminal.
    #[arg(long)]
    yes: bool,
}

pub(super) async fn run(globals: &Globals, command: KeysCommand) -> Result<(), Failure> {
    let config = globals.config()?;
    if let KeysCommand::Withdraw(args) = &command {
        confirm(args.yes, "withdrawing a signing key ends every access token it signed; clients must refresh")?;
    }
    let ctx = operator::open(&config).await?;
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
            "the {} key {} is published, and takes over at {}\n",
            key.algorithm.as_str(),
            key.id,
            key.activates_at
        )),
    }
}

async fn withdraw(ctx: &Ctx, id: &str) -> Result<(), Failure> {
    keys::withdraw(ctx, id).await?;
    print(&format!("{id} is withdrawn: nothing it signed is good; {FOLLOWED_WITHIN}\n"))
}
