//! Imports of the generated files.

pub(super) use std::collections::BTreeMap;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, PercentEncode, utf8_percent_encode};
pub(super) use serde::{Deserialize, Serialize};
pub(super) use serde_json::{Map, Value};
pub(super) use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
pub(super) use uuid::Uuid;

pub(super) use super::call::Call;
pub(super) use super::generated::*;
pub(super) use super::pages::List;
pub(super) use super::{Api, Secret};
pub(super) use crate::transport::Method;

/// The unreserved characters (RFC 3986 §2.3) are sent as they are.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The result of a sign-in.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(untagged)]
#[expect(clippy::large_enum_variant, reason = "one for each sign-in")]
#[non_exhaustive]
pub enum SignInResult {
    /// The session was created.
    SignedIn(SignedIn),
    /// More is required: see [`Challenge::owed`].
    Challenge(Challenge),
}

/// A value in a path or a query.
pub(super) fn encode(text: &str) -> PercentEncode<'_> {
    utf8_percent_encode(text, RESERVED)
}

/// A time in a query.
pub(super) fn rfc3339(time: OffsetDateTime) -> String {
    // Only years beyond 9999 have no form.
    time.format(&Rfc3339).unwrap_or_default()
}
