//! What the converters of all systems implement.

use crate::draft::Draft;
use crate::fields::Object;
use crate::options::Options;
use crate::report::Report;
use crate::{Error, input};

/// Reads the records of one system.
pub(crate) trait Convert: Send {
    /// Where its JSON files contain records.
    fn paths(&self) -> input::Paths {
        &[&[], &["*"]]
    }

    /// How its CSV files are read.
    fn csv(&self) -> input::Format<'_> {
        input::Format::default()
    }

    /// Checks the columns of a CSV file.
    fn check_columns(&mut self, _columns: &[String]) {}

    /// Whether all files are read once before the users: something is joined to them.
    fn joins(&self, files: usize) -> bool {
        files > 1
    }

    /// Keeps what is joined to users.
    fn learn(&mut self, _kind: &str, _record: &Object) {}

    /// Checks what was learned, before any user is converted.
    fn check(&mut self, _options: &Options) -> Result<(), Error> {
        Ok(())
    }

    /// Fills the draft of a user.
    fn convert(&mut self, kind: &str, record: &Object, draft: &mut Draft<'_>) -> Kind;

    /// Counts what was learned and joined to no user.
    fn finish(&mut self, _report: &mut Report) {}
}

/// What a record is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A user.
    User,
    /// Something that is joined to users, or read for them.
    Joined,
    /// A user who is left out; counted already.
    LeftOut,
    /// Something else.
    Unknown,
}
