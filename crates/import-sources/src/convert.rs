//! The trait of the converters of all systems.

use crate::draft::Draft;
use crate::fields::Object;
use crate::options::Options;
use crate::report::Report;
use crate::{Error, input};

/// Reads the records of one system.
pub(crate) trait Convert: Send {
    /// The paths of records in its JSON files.
    fn paths(&self) -> input::Paths {
        &[&[], &["*"]]
    }

    /// How its CSV files are read.
    fn csv(&self) -> input::Format<'_> {
        input::Format::default()
    }

    /// Checks the columns of a CSV file.
    fn check_columns(&mut self, _columns: &[String]) {}

    /// Whether all files are read once before users are converted, because other records are joined to users.
    fn joins(&self, files: usize) -> bool {
        files > 1
    }

    /// Stores a record that is joined to users.
    fn read_joined(&mut self, _kind: &str, _record: &Object) {}

    /// Checks the joined records before any user is converted.
    fn check(&mut self, _options: &Options) -> Result<(), Error> {
        Ok(())
    }

    /// Fills the draft of a user.
    fn convert(&mut self, kind: &str, record: &Object, draft: &mut Draft<'_>) -> Kind;

    /// Counts stored records that were joined to no user.
    fn finish(&mut self, _report: &mut Report) {}
}

/// What a record is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A user.
    User,
    /// A record that is joined to users.
    Joined,
    /// A user who is left out, and already counted.
    LeftOut,
    /// Any other record.
    Unknown,
}
