//! `denizen setup-link`.

use denizen_domain::setup::{self, SetupLink};
use secrecy::ExposeSecret;
use serde::Serialize;

use super::Globals;
use super::failure::Failure;
use super::operator::{self, Access};
use super::output::{Output, print, print_json};
use crate::http::account::setup::PATH;

pub(super) const EXAMPLES: &str = "\
Prints a link that creates the first administrator in the browser, and invalidates the previous one. It can be used once
and expires after 24 hours. Fails if there is an administrator already. `denizen serve` prints one while there is no user.

Examples:
  denizen setup-link
  denizen setup-link --output json";

#[derive(Serialize)]
struct LinkBody {
    url: String,
    expires_at: String,
}

pub(super) async fn run(globals: &Globals) -> Result<(), Failure> {
    let config = globals.config()?;
    let ctx = operator::open(globals, &config, Access::Create).await?;
    let issued = setup::issue(&ctx).await;
    ctx.store().close().await;
    let Some(link) = issued? else {
        return Err(anyhow::anyhow!(
            "there is an administrator already; create others with `denizen users create --role admin`"
        )
        .into());
    };
    let url = url(&config.server.public_url(), &link);
    match globals.output {
        Output::Json => print_json(&LinkBody { url, expires_at: link.expires_at.to_string() }),
        Output::Text => print(&format!("{url}\n")),
    }
}

/// The URL of a link: the alphabet of its token needs no escaping.
pub(crate) fn url(public_url: &str, link: &SetupLink) -> String {
    format!("{public_url}{PATH}?token={}", link.token.expose_secret())
}
