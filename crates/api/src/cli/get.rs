//! `denizen get`: resources as a document for `denizen apply`.

use clap::Args;
use clap::builder::PossibleValuesParser;
use denizen_domain::Ctx;
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use super::Globals;
use super::failure::Failure;
use super::operator::{self, Access};
use super::output::{Format, print, print_json};
use crate::declarative::SECTIONS;
use crate::declarative::kind::Shown;
use crate::declarative::tree::to_yaml;

pub(super) const SCHEMA_EXAMPLES: &str = "\
Editors with a language server for YAML complete and check a file that begins with the comment
# yaml-language-server: $schema=denizen.schema.json

Example:
  denizen schema > denizen.schema.json";

/// The version of the format.
const VERSION: u32 = 1;
/// All kinds.
const ALL: &str = "all";

/// What to print.
#[derive(Args)]
#[command(after_help = "\
The document contains no secrets. `denizen apply` accepts it and reports no changes.

Examples:
  denizen get > denizen.yaml
  denizen get roles
  denizen get providers google --output json")]
pub(super) struct GetArgs {
    /// The kind of resource.
    #[arg(value_name = "KIND", default_value = ALL, value_parser = kinds())]
    kind: String,
    /// Only the resource with this name; of webhooks, with this URL.
    #[arg(value_name = "NAME")]
    name: Option<String>,
}

/// The kinds as they are named on the command line.
fn kinds() -> PossibleValuesParser {
    PossibleValuesParser::new(std::iter::once(ALL).chain(SECTIONS.iter().map(|it| it.info().argument)))
}

/// The sections of a document.
struct Sections(Vec<(&'static str, Vec<Shown>)>);

impl Serialize for Sections {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("version", &VERSION)?;
        for (section, items) in &self.0 {
            map.serialize_entry(section, items)?;
        }
        map.end()
    }
}

pub(super) async fn run(globals: &Globals, args: &GetArgs) -> Result<(), Failure> {
    if args.kind == ALL && args.name.is_some() {
        return Err(Failure::Usage("a name needs a kind, such as `denizen get roles NAME`".to_owned()));
    }
    let ctx = operator::open(globals, &globals.config()?, Access::Read).await?;
    let outcome = get(&ctx, args, globals.format).await;
    ctx.store().close().await;
    outcome
}

async fn get(ctx: &Ctx, args: &GetArgs, format: Format) -> Result<(), Failure> {
    let mut sections = Vec::new();
    for section in SECTIONS.iter().filter(|it| args.kind == ALL || args.kind == it.info().argument) {
        let info = section.info();
        let items = section.describe(ctx, args.name.as_deref()).await?;
        if let Some(name) = args.name.as_ref().filter(|_| items.is_empty()) {
            return Err(anyhow::anyhow!("there is no {} {name}", info.singular).into());
        }
        sections.push((info.section, items));
    }
    let document = Sections(sections);
    match format {
        Format::Json => print_json(&document),
        Format::Text | Format::Yaml => print(&to_yaml(&document)?),
    }
}
