//! `denizen doctor`.

use clap::Args;
use denizen_domain::users::EmailAddress;
use serde::Serialize;

use super::Globals;
use super::failure::{Failure, printable};
use super::output::{Output, print, print_json};
use super::wanted::parse_email;
use crate::config::Overrides;
use crate::doctor::{self, Finding, Findings, Severity, counted};

/// What to do besides the checks.
#[derive(Args)]
#[command(after_help = "\
Checks configuration, database, files and their modes, keys, mail, outside providers, TLS, public URL, proxies and free
space, and says what to do about each finding. Writes and migrates nothing. Run it as the user of the server, with the
same environment. Exit code 0 if there is no error, 1 if there is one; warnings do not count.

Examples:
  denizen doctor
  denizen doctor --env-file /etc/denizen/denizen.env --config-dir /etc/denizen
  denizen doctor --send-to ada@example.com --output json")]
pub(super) struct DoctorArgs {
    /// Sends a test mail to this address.
    #[arg(long, value_name = "ADDRESS", value_parser = parse_email)]
    send_to: Option<EmailAddress>,
}

#[derive(Serialize)]
struct ReportBody<'a> {
    errors: usize,
    warnings: usize,
    findings: Vec<&'a Finding>,
}

pub(super) async fn run(globals: &Globals, args: DoctorArgs) -> Result<(), Failure> {
    let findings = match globals.load(Overrides::default()) {
        Ok(loaded) => doctor::examine(&loaded, args.send_to.as_ref()).await,
        Err(Failure::Config(errors)) => doctor::unreadable(&errors),
        Err(failure) => return Err(failure),
    };
    let (errors, warnings) = (findings.count(Severity::Error), findings.count(Severity::Warning));
    match globals.output {
        Output::Json => print_json(&ReportBody { errors, warnings, findings: findings.iter().collect() })?,
        Output::Text => print(&text(&findings, errors, warnings))?,
    }
    if errors == 0 {
        return Ok(());
    }
    Err(anyhow::anyhow!("doctor found {}", counted(errors, "error")).into())
}

fn text(findings: &Findings, errors: usize, warnings: usize) -> String {
    let line = |Finding { check, severity, message, remedy }: &Finding| {
        let mark = match severity {
            Severity::Ok => "ok     ",
            Severity::Warning => "WARNING",
            Severity::Error => "ERROR  ",
        };
        let remedy = remedy.as_ref().map(|remedy| format!("         → {}\n", printable(remedy)));
        format!("{mark}  {check}: {}\n{}", printable(message), remedy.unwrap_or_default())
    };
    let lines: String = findings.iter().map(line).collect();
    format!("{lines}{}, {}\n", counted(errors, "error"), counted(warnings, "warning"))
}
