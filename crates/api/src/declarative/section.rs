//! Planning for one kind of resource: which resource of a document is which of the database, and what differs.

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::sync::Arc;

use denizen_domain::Ctx;
use denizen_domain::error::{FieldError, Result};
use futures_util::future::BoxFuture;
use serde_json::{Map, Value};

use super::diff::{FieldChange, differences};
use super::document::{Item, hint};
use super::kind::{Info, Kind, Shown};
use super::plan::{Action, Options, Planned, Step, Work};
use super::schema::ItemSchema;

/// A kind behind one type, so that all of them can be in one list.
pub(crate) trait Section: Send + Sync {
    /// The names of the kind.
    fn info(&self) -> &'static Info;

    /// The JSON Schema of one resource.
    fn schema(&self) -> ItemSchema;

    /// Adds to the plan what has to be done for this kind. `items` is `None` if the document does not manage it.
    fn plan<'a>(
        &'a self,
        ctx: &'a Ctx,
        items: Option<&'a [Item]>,
        options: Options,
        planned: &'a mut Planned,
    ) -> BoxFuture<'a, Result<()>>;

    /// The resources as a document describes them, by key; only those with this key, if there is one.
    fn describe<'a>(&'a self, ctx: &'a Ctx, key: Option<&'a str>) -> BoxFuture<'a, Result<Vec<Shown>>>;
}

/// The section of a kind.
pub(crate) struct Of<K>(PhantomData<fn() -> K>);

impl<K> Of<K> {
    pub(super) const SECTION: Self = Self(PhantomData);
}

impl<K: Kind> Section for Of<K> {
    fn info(&self) -> &'static Info {
        &K::INFO
    }

    fn schema(&self) -> ItemSchema {
        K::schema()
    }

    fn plan<'a>(
        &'a self,
        ctx: &'a Ctx,
        items: Option<&'a [Item]>,
        options: Options,
        planned: &'a mut Planned,
    ) -> BoxFuture<'a, Result<()>> {
        Box::pin(plan::<K>(ctx, items, options, planned))
    }

    fn describe<'a>(&'a self, ctx: &'a Ctx, key: Option<&'a str>) -> BoxFuture<'a, Result<Vec<Shown>>> {
        Box::pin(describe::<K>(ctx, key))
    }
}

/// A resource of the document, and the one of the database that it is.
struct Entry<'a> {
    item: &'a Item,
    fields: Map<String, Value>,
    id: Option<String>,
    key: String,
    before: Option<usize>,
}

async fn plan<K: Kind>(ctx: &Ctx, items: Option<&[Item]>, options: Options, planned: &mut Planned) -> Result<()> {
    let existing = K::list(ctx).await?;
    let names = field_names::<K>();
    let entries = entries::<K>(items.unwrap_or_default(), &existing, planned);
    let is_listed = |index: usize| entries.iter().any(|entry| entry.before == Some(index));
    let is_pruning = options.is_pruning && items.is_some();
    let is_deleted =
        |index: usize, resource: &K::Resource| is_pruning && !is_listed(index) && K::is_deletable(resource);

    let keys = planned.keys.entry(K::INFO.section).or_default();
    keys.extend(entries.iter().map(|entry| entry.key.clone()));
    for (index, resource) in existing.iter().enumerate() {
        let key = K::identity(resource).key;
        if is_deleted(index, resource) {
            planned.deleted.entry(K::INFO.section).or_default().insert(key);
        } else if !is_listed(index) {
            planned.keys.entry(K::INFO.section).or_default().insert(key);
            check_role::<K>(resource, None, planned);
        }
    }
    let created = entries.iter().filter(|entry| entry.before.is_none()).count();
    for entry in &entries {
        plan_entry::<K>(ctx, entry, &existing, &names, options, planned).await?;
    }
    if let Some(max) = K::INFO.max.filter(|max| created > 0 && (existing.len() + created) as u64 > *max) {
        let message = format!("there can be at most {max} {}s; deletions come last", K::INFO.singular);
        let first = entries.iter().find(|entry| entry.before.is_none());
        planned.faults.extend(first.map(|entry| entry.item.fault("", message)));
    }
    for (index, resource) in existing.into_iter().enumerate() {
        if is_deleted(index, &resource) {
            plan_deletion::<K>(ctx, resource, planned).await?;
        }
    }
    Ok(())
}

async fn plan_entry<K: Kind>(
    ctx: &Ctx,
    entry: &Entry<'_>,
    existing: &[K::Resource],
    names: &[String],
    options: Options,
    planned: &mut Planned,
) -> Result<()> {
    let before = entry.before.and_then(|index| existing.get(index));
    let change = match K::read(entry.fields.clone(), before, options.secrets) {
        Ok(change) => change,
        Err(faults) => {
            report::<K>(entry, faults, planned);
            return Ok(());
        }
    };
    let faults = K::check(ctx, &change, before, planned);
    if !faults.is_empty() {
        report::<K>(entry, faults, planned);
        return Ok(());
    }
    let Some(before) = before.cloned() else {
        let changes = differences(&Map::new(), &visible::<K>(&entry.fields));
        let changes = changes.into_iter().filter(|change| change.field != K::INFO.key).collect();
        let work: Work = Box::new(move |ctx| Box::pin(K::create(ctx, change)));
        planned.steps.push(step::<K>(Action::Create, None, &entry.key, &K::public_key(ctx, &entry.key), changes, work));
        return Ok(());
    };
    let after = K::after(&change, &before);
    check_role::<K>(&after, Some(entry), planned);
    let mut changes = differences(&fields_of::<K>(&before, names), &fields_of::<K>(&after, names));
    changes.extend(K::changed_secrets(ctx, &change, &before).await?.into_iter().map(FieldChange::of_secret));
    if changes.is_empty() {
        planned.unchanged += 1;
        return Ok(());
    }
    let identity = K::identity(&before);
    let public_key = identity.id.clone().unwrap_or_else(|| identity.key.clone());
    let work: Work = Box::new(move |ctx| Box::pin(async move { K::update(ctx, &before, change).await.map(|()| None) }));
    planned.steps.push(step::<K>(Action::Update, identity.id, &identity.key, &public_key, changes, work));
    Ok(())
}

async fn plan_deletion<K: Kind>(ctx: &Ctx, resource: K::Resource, planned: &mut Planned) -> Result<()> {
    let identity = K::identity(&resource);
    if let Some(reason) = K::undeletable(ctx, &resource).await? {
        planned.refuse_pruning(format!("{} {} cannot be deleted: {reason}", K::INFO.singular, identity.key));
        return Ok(());
    }
    let public_key = identity.id.clone().unwrap_or_else(|| identity.key.clone());
    let work: Work = Box::new(move |ctx| Box::pin(async move { K::delete(ctx, &resource).await.map(|()| None) }));
    planned.deletions.push(step::<K>(Action::Delete, identity.id, &identity.key, &public_key, Vec::new(), work));
    Ok(())
}

fn step<K: Kind>(
    action: Action,
    id: Option<String>,
    key: &str,
    public_key: &str,
    changes: Vec<FieldChange>,
    work: Work,
) -> Step {
    let public_name = format!("{} {public_key}", K::INFO.singular);
    Step { info: &K::INFO, action, id, key: key.to_owned(), public_name, changes, work }
}

/// A role that is deleted must not be assigned afterwards.
fn check_role<K: Kind>(resource: &K::Resource, entry: Option<&Entry<'_>>, planned: &mut Planned) {
    let Some(role) = K::role(resource).filter(|role| planned.deletes("roles", role)) else { return };
    let message = format!("{} {} has the role {role}, which is deleted", K::INFO.singular, K::identity(resource).key);
    match entry {
        Some(entry) => planned.faults.push(entry.item.fault("role", message)),
        None => planned.refuse_pruning(message),
    }
}

/// Finds for each resource of the document the one of the database.
fn entries<'a, K: Kind>(items: &'a [Item], existing: &[K::Resource], planned: &mut Planned) -> Vec<Entry<'a>> {
    let identities: Vec<_> = existing.iter().map(K::identity).collect();
    let mut entries: Vec<Entry<'_>> = items.iter().filter_map(|item| entry::<K>(item, planned)).collect();
    let mut taken: BTreeMap<usize, &Item> = BTreeMap::new();
    let mut keys: BTreeMap<String, &Item> = BTreeMap::new();
    // Ids decide first: what they name is not meant by a key.
    entries.sort_by_key(|entry| entry.id.is_none());
    entries.retain_mut(|entry| {
        let item = entry.item;
        let found: Vec<usize> = match &entry.id {
            Some(id) => (0..identities.len()).filter(|&at| identities[at].id.as_ref() == Some(id)).collect(),
            None => (0..identities.len()).filter(|&at| identities[at].key == entry.key).collect(),
        };
        let fault = match (&entry.id, found.as_slice()) {
            (Some(_), []) => Some(item.fault("id", format!("id: there is no {} with this id", K::INFO.singular))),
            (_, [at]) => {
                entry.before = Some(*at);
                taken.insert(*at, item).map(|other| repeated::<K>(entry, other))
            }
            (None, []) => keys.insert(entry.key.clone(), item).map(|other| repeated::<K>(entry, other)),
            (_, several) => {
                let ids: Vec<_> = several.iter().filter_map(|&at| identities[at].id.as_deref()).collect();
                let message = format!(
                    "{}: there are several {}s with this {}; give the `id` of one: {}",
                    K::INFO.key,
                    K::INFO.singular,
                    K::INFO.key,
                    ids.join(", ")
                );
                Some(item.fault(K::INFO.key, message))
            }
        };
        let is_found = fault.is_none();
        planned.faults.extend(fault);
        is_found
    });
    entries
}

fn repeated<K: Kind>(entry: &Entry<'_>, other: &Item) -> super::document::Fault {
    let message = format!("{}: {} is already at {}", K::INFO.key, entry.key, other.position());
    entry.item.fault(K::INFO.key, message)
}

fn entry<'a, K: Kind>(item: &'a Item, planned: &mut Planned) -> Option<Entry<'a>> {
    let Value::Object(mut fields) = item.node.to_value() else {
        planned.faults.push(item.fault("", format!("must be a map that describes a {}", K::INFO.singular)));
        return None;
    };
    let mut text = |name: &str, value: Option<Value>| match value {
        Some(Value::String(text)) => Some(text),
        Some(_) => {
            planned.faults.push(item.fault(name, format!("{name}: must be a string")));
            None
        }
        None => {
            planned.faults.push(item.fault("", format!("{name}: is required")));
            None
        }
    };
    let key = text(K::INFO.key, fields.get(K::INFO.key).cloned()).map(|raw| K::stored_key(&raw));
    let id = if K::INFO.has_id { fields.remove("id").map(|id| text("id", Some(id))) } else { None };
    Some(Entry { item, fields, id: id.flatten(), key: key?, before: None })
}

/// Notes fields at fault, with a suggestion for unknown ones.
fn report<K: Kind>(entry: &Entry<'_>, faults: Vec<FieldError>, planned: &mut Planned) {
    let schema = K::schema();
    for FieldError { field, code, message } in faults {
        let hint = if code == "unknown_field" {
            let (within, name) = field.rsplit_once('.').unwrap_or(("", &field));
            format!("; {}", hint(name, &schema.names(within)))
        } else {
            String::new()
        };
        let name = format!("{} {}", K::INFO.singular, entry.key);
        let field_name = if field.is_empty() { String::new() } else { format!("{field}: ") };
        planned.faults.push(entry.item.fault(&field, format!("{name}: {field_name}{message}{hint}")));
    }
}

/// The fields of a document, of what the REST API returns.
fn fields_of<K: Kind>(resource: &K::Resource, names: &[String]) -> Map<String, Value> {
    let Value::Object(body) = K::body(resource) else { return Map::new() };
    body.into_iter().filter(|(name, _)| names.contains(name)).collect()
}

/// The names of the fields that describe a resource, without the one that only identifies it.
fn field_names<K: Kind>() -> Vec<String> {
    K::schema().names("").into_iter().filter(|name| *name != "id").map(str::to_owned).collect()
}

/// The fields whose values may be shown.
fn visible<K: Kind>(fields: &Map<String, Value>) -> Map<String, Value> {
    let is_secret = |name: &str| name.starts_with("client_secret");
    fields.iter().filter(|(name, _)| !is_secret(name)).map(|(name, value)| (name.clone(), value.clone())).collect()
}

async fn describe<K: Kind>(ctx: &Ctx, key: Option<&str>) -> Result<Vec<Shown>> {
    let mut existing: Vec<_> = K::list(ctx).await?.into_iter().map(|it| (K::identity(&it), it)).collect();
    existing.sort_by(|(one, _), (other, _)| (&one.key, &one.id).cmp(&(&other.key, &other.id)));
    let mut count: BTreeMap<Arc<str>, usize> = BTreeMap::new();
    for (identity, _) in &existing {
        *count.entry(Arc::from(identity.key.as_str())).or_default() += 1;
    }
    let names = field_names::<K>();
    let wanted = existing.into_iter().filter(|(identity, _)| key.is_none_or(|key| key == identity.key));
    let shown = wanted.map(|(identity, resource)| {
        let mut fields = K::described(&resource, fields_of::<K>(&resource, &names));
        let is_ambiguous = count.get(identity.key.as_str()).is_some_and(|count| *count > 1);
        let id = identity.id.filter(|_| is_ambiguous).map(|id| ("id".to_owned(), Value::String(id)));
        let key = fields.remove_entry(K::INFO.key);
        Shown(id.into_iter().chain(key).chain(fields).collect())
    });
    Ok(shown.collect())
}
