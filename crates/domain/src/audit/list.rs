//! Read the log with all that is in it, a page at a time, oldest first.

use uuid::Uuid;

use crate::access::Permission;
use crate::ctx::Ctx;
use crate::error::{FieldError, Result};
use crate::events::list::page;
use crate::events::store::RecordFilter;
use crate::events::{EventFilter, EventPage, EventType};
use crate::time::Timestamp;

/// The longest id that anything goes by, with room to spare.
const SUBJECT_CHARS_MAX: usize = 200;

/// Which records.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// Done by this user or service account.
    pub actor: Option<Uuid>,
    /// That concern this.
    pub subject: Option<String>,
    /// Of these types; of all when nothing is said.
    pub kinds: Option<Vec<EventType>>,
    /// Lower bound of the time range, inclusive.
    pub from: Option<Timestamp>,
    /// Upper bound of the time range, exclusive.
    pub until: Option<Timestamp>,
}

/// The same as it is said from outside; nothing is no condition.
#[derive(Debug, Clone, Copy, Default)]
#[expect(missing_docs, reason = "the fields of the filter")]
pub struct RawFilter<'a> {
    pub actor: Option<&'a str>,
    pub subject: Option<&'a str>,
    pub types: Option<&'a str>,
    pub from: Option<&'a str>,
    pub until: Option<&'a str>,
}

impl AuditFilter {
    /// Reads a filter.
    ///
    /// # Errors
    /// Every field at fault.
    pub fn parse(raw: RawFilter<'_>) -> Result<Self, Vec<FieldError>> {
        let mut faults = Vec::new();
        let filter = Self {
            actor: said(raw.actor.map(read_actor), &mut faults),
            subject: said(raw.subject.map(read_subject), &mut faults),
            kinds: said(raw.types.map(EventFilter::parse_types), &mut faults),
            from: said(raw.from.map(|raw| read_moment("from", raw)), &mut faults),
            until: said(raw.until.map(|raw| read_moment("until", raw)), &mut faults),
        };
        match filter.checked() {
            Ok(filter) if faults.is_empty() => Ok(filter),
            Ok(_) => Err(faults),
            Err(fault) => Err(faults.into_iter().chain([fault]).collect()),
        }
    }

    /// The filter, unless its stretch of time ends before it begins.
    ///
    /// # Errors
    /// The field `until`.
    pub fn checked(self) -> Result<Self, FieldError> {
        if self.from.zip(self.until).is_some_and(|(from, until)| until <= from) {
            return Err(FieldError::new("until", "out_of_range", "must be later than from"));
        }
        Ok(self)
    }

    fn records(&self) -> RecordFilter {
        RecordFilter {
            kinds: self.kinds.as_ref().map(|kinds| kinds.iter().map(|kind| kind.as_str()).collect()),
            about: self.subject.clone(),
            actor: self.actor,
            from: self.from,
            until: self.until,
        }
    }
}

fn said<T>(read: Option<Result<T, FieldError>>, faults: &mut Vec<FieldError>) -> Option<T> {
    read.transpose().unwrap_or_else(|fault| {
        faults.push(fault);
        None
    })
}

fn read_actor(raw: &str) -> Result<Uuid, FieldError> {
    // One form only, as everywhere: a UUID has several.
    let id = Uuid::try_parse(raw).ok().filter(|_| raw.len() == uuid::fmt::Hyphenated::LENGTH);
    id.ok_or_else(|| FieldError::new("actor", "invalid_id", "must be the id of a user or service account"))
}

fn read_subject(raw: &str) -> Result<String, FieldError> {
    // A NUL is in no id, and PostgreSQL takes none.
    let is_id = !raw.is_empty() && raw.len() <= SUBJECT_CHARS_MAX && !raw.contains(char::is_control);
    if is_id {
        return Ok(raw.to_owned());
    }
    let message = format!("must be an id of at most {SUBJECT_CHARS_MAX} characters");
    Err(FieldError::new("subject", "invalid_id", message))
}

fn read_moment(field: &str, raw: &str) -> Result<Timestamp, FieldError> {
    let message = "must be an RFC 3339 time such as 2026-11-22T17:30:18Z";
    Timestamp::parse(raw).ok_or_else(|| FieldError::new(field, "invalid_value", message))
}

/// A page of the log, from after a record on; from the first that is kept when nothing is said.
///
/// # Errors
/// [`crate::Error::CursorExpired`] when records after that one were removed.
pub async fn list(ctx: &Ctx, filter: &AuditFilter, after: Option<i64>, limit: Option<u32>) -> Result<EventPage> {
    ctx.require(Permission::AuditRead)?;
    page(ctx, &filter.records(), after, limit).await
}

#[cfg(test)]
mod tests {
    use super::{AuditFilter, RawFilter};

    fn check(raw: RawFilter<'_>, expected: &[&str]) {
        let faults = AuditFilter::parse(raw).err().unwrap_or_default();
        assert_eq!(faults.iter().map(|fault| &*fault.field).collect::<Vec<_>>(), expected, "{raw:?}");
    }

    #[test]
    fn a_filter_names_all_that_is_wrong_with_it() {
        let id = "019365a8-6a5c-7f3e-9d0c-7b1f0a1c2d3e";
        let (from, until) = ("2026-11-22T17:30:18Z", "2026-11-22T19:30:18+01:00");
        check(RawFilter::default(), &[]);
        let whole = RawFilter {
            actor: Some(id),
            subject: Some(id),
            types: Some("user.*"),
            from: Some(from),
            until: Some(until),
        };
        check(whole, &[]);
        check(RawFilter { from: Some(until), until: Some(from), ..whole }, &["until"]);
        check(RawFilter { from: Some(from), until: Some(from), ..whole }, &["until"]);
        let long = "x".repeat(201);
        for subject in ["", "a\0b", &long] {
            check(RawFilter { subject: Some(subject), ..whole }, &["subject"]);
        }
        let compact = id.replace('-', "");
        for actor in ["", "me", &compact, &format!("{{{id}}}")] {
            check(RawFilter { actor: Some(actor), ..whole }, &["actor"]);
        }
        let nothing = RawFilter {
            actor: Some("x"),
            subject: Some(""),
            types: Some("nothing"),
            from: Some("yesterday"),
            until: Some("2026"),
        };
        check(nothing, &["actor", "subject", "types", "from", "until"]);
    }
}
