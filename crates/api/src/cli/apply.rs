//! `denizen apply` and `denizen diff`: the database and the files that describe it.

use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use denizen_domain::Ctx;
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::Globals;
use super::confirm::confirm;
use super::failure::{Failure, printable};
use super::operator::{self, Access};
use super::output::{Output, print, print_json};
use crate::declarative::diff::{FieldChange, shown};
use crate::declarative::document::Document;
use crate::declarative::kind::{Issued, Secrets};
use crate::declarative::plan::{Action, Options, Plan, Step, Summary, plan};

/// The files, and whether resources that they do not have are deleted.
#[derive(Args)]
struct Files {
    /// A YAML or JSON file, a folder of them, or - for standard input. Can be repeated.
    #[arg(long = "file", short = 'f', value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Deletes resources that the files do not have, of the kinds that the files manage. Built-in roles remain.
    #[arg(long)]
    prune: bool,
}

/// What to apply.
#[derive(Args)]
#[command(after_help = "\
The files have the keys roles, service_accounts, webhooks and providers. The resources of a key that is omitted are not
changed, and not deleted by --prune. Everything is checked before the first change. See docs/declarative-configuration.md.

Examples:
  denizen get > denizen.yaml
  denizen apply -f denizen.yaml --dry-run
  denizen apply -f denizen.yaml --secrets-out webhook-secrets.ndjson
  denizen apply -f config.d/ --prune --yes")]
pub(super) struct ApplyArgs {
    #[command(flatten)]
    files: Files,
    /// Shows what would be changed, and changes nothing.
    #[arg(long)]
    dry_run: bool,
    /// Skips the confirmation of deletions; required without a terminal.
    #[arg(long)]
    yes: bool,
    /// The file that the signing secrets of created webhooks are written to, one JSON object per line. It must not exist.
    #[arg(long, value_name = "FILE")]
    secrets_out: Option<PathBuf>,
}

/// What to compare.
#[derive(Args)]
#[command(after_help = "\
Exit codes: 0 no differences, 1 differences, 2 errors.

Examples:
  denizen diff -f denizen.yaml
  denizen diff -f config.d/ --prune --output json")]
pub(super) struct DiffArgs {
    #[command(flatten)]
    files: Files,
}

pub(super) async fn diff(globals: &Globals, args: DiffArgs) -> Result<(), Failure> {
    let outcome = compare(globals, &args).await.map_err(Failure::into_trouble)?;
    if outcome.is_empty() { Ok(()) } else { Err(Failure::Differs) }
}

async fn compare(globals: &Globals, args: &DiffArgs) -> Result<Plan, Failure> {
    let document = load(&args.files)?;
    let ctx = operator::open(globals, &globals.config()?, Access::Read).await?;
    let planned = planned(&ctx, &document, args.files.prune).await;
    ctx.store().close().await;
    let planned = planned?;
    match globals.output {
        Output::Json => print_json(&report(&planned))?,
        Output::Text => print(&format!("{}{}\n", lines(&planned.steps), outlook(planned.summary())))?,
    }
    Ok(planned)
}

pub(super) async fn run(globals: &Globals, args: ApplyArgs) -> Result<(), Failure> {
    let document = load(&args.files)?;
    let access = if args.dry_run { Access::Read } else { Access::Create };
    let ctx = operator::open(globals, &globals.config()?, access).await?;
    let outcome = apply(&ctx, &document, &args, globals.output).await;
    ctx.store().close().await;
    outcome
}

async fn apply(ctx: &Ctx, document: &Document, args: &ApplyArgs, output: Output) -> Result<(), Failure> {
    let planned = planned(ctx, document, args.files.prune).await?;
    if args.dry_run {
        return match output {
            Output::Json => print_json(&report(&planned)),
            Output::Text => print(&format!("{}dry run: {}\n", lines(&planned.steps), outlook(planned.summary()))),
        };
    }
    if output == Output::Text {
        ignore_closed(print(&lines(&planned.steps)))?;
    }
    let deleted = planned.summary().deleted;
    if deleted > 0 {
        confirm(args.yes, &format!("resources that will be deleted, which cannot be undone: {deleted}"))?;
    }
    let mut secrets = SecretsOut::create(args.secrets_out.as_deref(), &planned)?;
    let summary = planned.summary();
    let mut described = report(&planned);
    for change in described["changes"].as_array_mut().into_iter().flatten() {
        change["done"] = Value::Bool(false);
    }
    let outcome = execute(ctx, planned, &mut secrets, &mut described).await;
    let secrets_kept = secrets.delete_if_empty();
    let printed = match output {
        Output::Json => print_json(&described),
        Output::Text if outcome.is_ok() => print(&format!("{}\n", done(summary))),
        Output::Text => Ok(()),
    };
    outcome.and(secrets_kept).and(ignore_closed(printed))
}

/// The changes are made even if nobody reads what they are.
fn ignore_closed(printed: Result<(), Failure>) -> Result<(), Failure> {
    match printed {
        Err(Failure::ReaderGone) => Ok(()),
        printed => printed,
    }
}

/// Makes the changes one after the other. Stops at the first that fails, and says what was done.
async fn execute(ctx: &Ctx, plan: Plan, secrets: &mut SecretsOut, report: &mut Value) -> Result<(), Failure> {
    let names: Vec<String> = plan.steps.iter().map(head).collect();
    for (index, step) in plan.steps.into_iter().enumerate() {
        let key = step.key.clone();
        let (failed_at, error) = match step.run(ctx).await {
            Ok(issued) => {
                report["changes"][index]["done"] = Value::Bool(true);
                let Some(issued) = issued else { continue };
                report["changes"][index]["id"] = issued.id.clone().into();
                match secrets.write(&key, &issued) {
                    Ok(()) => continue,
                    // The webhook was created.
                    Err(error) => (index + 1, error),
                }
            }
            Err(error) => (index, Failure::line_of(error)),
        };
        let (done, rest) = names.split_at(failed_at);
        let listed = |names: &[String]| if names.is_empty() { "nothing".to_owned() } else { names.join(", ") };
        report["error"] = error.clone().into();
        return Err(Failure::Incomplete(vec![
            format!("{}: {error}", names[index]),
            format!("done: {}", listed(done)),
            format!("not done: {}; correct the cause and run the command again", listed(rest)),
        ]));
    }
    Ok(())
}

fn load(files: &Files) -> Result<Document, Failure> {
    Document::load(&files.files).map_err(|faults| invalid(&faults))
}

async fn planned(ctx: &Ctx, document: &Document, is_pruning: bool) -> Result<Plan, Failure> {
    let options = Options { is_pruning, secrets: Secrets::Required };
    plan(ctx, document, options).await?.map_err(|faults| invalid(&faults))
}

fn invalid(faults: &[crate::declarative::document::Fault]) -> Failure {
    Failure::Document(faults.iter().map(ToString::to_string).collect())
}

/// `role editor`.
fn head(step: &Step) -> String {
    format!("{} {}", step.info.singular, step.key)
}

/// The differences for readers.
fn lines(steps: &[Step]) -> String {
    let mut text = String::new();
    for step in steps {
        let mark = match step.action {
            Action::Create => '+',
            Action::Update => '~',
            Action::Delete => '-',
        };
        let mut changes: Vec<String> = step.changes.iter().map(|change| described(change, step.action)).collect();
        let inline = if step.action == Action::Update && changes.len() == 1 { changes.pop() } else { None };
        let inline = inline.map(|change| format!(": {change}")).unwrap_or_default();
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{mark} {}", printable(&format!("{}{inline}", head(step))));
        for change in changes {
            let _ = writeln!(text, "    {}", printable(&change));
        }
    }
    text
}

fn described(change: &FieldChange, action: Action) -> String {
    let value = |value: &Option<Value>| value.as_ref().map(shown).unwrap_or_default();
    match (change.secret, action) {
        (true, _) => format!("{}: changed", change.field),
        (false, Action::Create) => format!("{} {}", change.field, value(&change.after)),
        (false, _) => format!("{} {} → {}", change.field, value(&change.before), value(&change.after)),
    }
}

fn done(summary: Summary) -> String {
    let Summary { created, changed, deleted, unchanged } = summary;
    format!("{created} created, {changed} changed, {deleted} deleted, {unchanged} unchanged")
}

fn outlook(summary: Summary) -> String {
    let Summary { created, changed, deleted, unchanged } = summary;
    format!("{created} to create, {changed} to change, {deleted} to delete, {unchanged} unchanged")
}

/// The same for programs.
fn report(plan: &Plan) -> Value {
    let change = |step: &Step| {
        json!({
            "action": step.action,
            "kind": step.info.section,
            "id": step.id,
            step.info.key: step.key,
            "fields": step.changes,
        })
    };
    json!({ "changes": plan.steps.iter().map(change).collect::<Vec<_>>(), "summary": plan.summary() })
}

/// Where the signing secrets of created webhooks go.
struct SecretsOut {
    file: Option<(File, PathBuf)>,
    is_empty: bool,
}

impl SecretsOut {
    /// Creates the file, if it is needed: before the first change, because the secrets cannot be read again.
    fn create(path: Option<&Path>, plan: &Plan) -> Result<Self, Failure> {
        let creates = plan.steps.iter().any(|step| step.action == Action::Create && step.info.section == "webhooks");
        let Some(path) = path.filter(|_| creates) else {
            return Ok(Self { file: None, is_empty: true });
        };
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(path).with_context(|| format!("creating {}", path.display()))?;
        Ok(Self { file: Some((file, path.to_owned())), is_empty: true })
    }

    /// Writes a secret. The error is one line.
    fn write(&mut self, url: &str, issued: &Issued) -> Result<(), String> {
        let another = format!("`denizen webhooks rotate-secret {}` prints another one", issued.id);
        let Some((file, path)) = &mut self.file else {
            // A closed standard error does not end the run.
            let _ = writeln!(io::stderr(), "webhook {}: the signing secret was not written; {another}", printable(url));
            return Ok(());
        };
        let line = json!({ "webhook_id": issued.id, "url": url, "secret": issued.secret.expose_secret() });
        let written = writeln!(file, "{line}").and_then(|()| file.sync_data());
        written.map_err(|error| format!("writing the signing secret to {}: {error}; {another}", path.display()))?;
        self.is_empty = false;
        Ok(())
    }

    /// Deletes a file without secrets, so that the same command can be run again.
    fn delete_if_empty(self) -> Result<(), Failure> {
        let Some((file, path)) = self.file.filter(|_| self.is_empty) else { return Ok(()) };
        drop(file);
        Ok(std::fs::remove_file(&path).with_context(|| format!("deleting {}", path.display()))?)
    }
}
