//! What has to be done so that the database is as a document describes it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use denizen_domain::Ctx;
use denizen_domain::error::Result;
use futures_util::future::BoxFuture;
use serde::Serialize;

use super::SECTIONS;
use super::diff::FieldChange;
use super::document::{Document, Fault};
use super::kind::{Info, Issued, Secrets};

/// How to plan.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Options {
    /// Whether resources that the document does not have are deleted, of the kinds that it manages.
    pub(crate) is_pruning: bool,
    /// How secrets are read.
    pub(crate) secrets: Secrets,
}

/// What is done to a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Action {
    Create,
    Update,
    Delete,
}

/// What is still to be done.
pub(super) type Work = Box<dyn for<'a> FnOnce(&'a Ctx) -> BoxFuture<'a, Result<Option<Issued>>> + Send>;

/// One change of one resource.
pub(crate) struct Step {
    pub(crate) info: &'static Info,
    pub(crate) action: Action,
    /// The id of a resource that exists, if its kind has ids.
    pub(crate) id: Option<String>,
    pub(crate) key: String,
    /// What an event may say of it.
    pub(crate) public_name: String,
    pub(crate) changes: Vec<FieldChange>,
    pub(super) work: Work,
}

/// All changes, in the order in which they are made.
pub(crate) struct Plan {
    pub(crate) steps: Vec<Step>,
    /// How many resources are as the document describes them.
    pub(crate) unchanged: usize,
}

/// How many resources are changed in which way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub(crate) struct Summary {
    pub(crate) created: usize,
    pub(crate) changed: usize,
    pub(crate) deleted: usize,
    pub(crate) unchanged: usize,
}

/// What the sections have planned so far.
#[derive(Default)]
pub(crate) struct Planned {
    pub(super) steps: Vec<Step>,
    pub(super) deletions: Vec<Step>,
    pub(super) unchanged: usize,
    pub(super) faults: Vec<Fault>,
    /// The keys that there will be, by section.
    pub(super) keys: BTreeMap<&'static str, BTreeSet<String>>,
    /// The keys that there will no longer be, by section.
    pub(super) deleted: BTreeMap<&'static str, BTreeSet<String>>,
}

impl Planned {
    /// Whether there will be a resource with this key.
    pub(super) fn has(&self, section: &str, key: &str) -> bool {
        self.keys.get(section).is_some_and(|keys| keys.contains(key))
    }

    /// Whether the resource with this key will be deleted.
    pub(super) fn deletes(&self, section: &str, key: &str) -> bool {
        self.deleted.get(section).is_some_and(|keys| keys.contains(key))
    }

    /// Notes why resources cannot be deleted.
    pub(super) fn refuse_pruning(&mut self, message: String) {
        self.faults.push(Fault::at(&Arc::from("--prune"), None, message));
    }
}

/// Compares a document with the database. Nothing is changed.
///
/// # Errors
/// The inner error lists everything that is wrong with the document, in the order of the files.
pub(crate) async fn plan(ctx: &Ctx, document: &Document, options: Options) -> Result<Result<Plan, Vec<Fault>>> {
    let mut planned = Planned::default();
    for section in SECTIONS {
        section.plan(ctx, document.section(section.info().section), options, &mut planned).await?;
    }
    let Planned { mut steps, deletions, unchanged, mut faults, .. } = planned;
    if !faults.is_empty() {
        faults.sort();
        faults.dedup();
        return Ok(Err(faults));
    }
    // What others refer to is deleted after them.
    steps.extend(deletions.into_iter().rev());
    Ok(Ok(Plan { steps, unchanged }))
}

impl Plan {
    /// Whether the database is as the document describes it.
    pub(crate) fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// How many resources are changed in which way.
    pub(crate) fn summary(&self) -> Summary {
        let count = |action| self.steps.iter().filter(|step| step.action == action).count();
        Summary {
            created: count(Action::Create),
            changed: count(Action::Update),
            deleted: count(Action::Delete),
            unchanged: self.unchanged,
        }
    }
}

impl Step {
    /// Does it.
    pub(crate) async fn run(self, ctx: &Ctx) -> Result<Option<Issued>> {
        (self.work)(ctx).await
    }
}
