//! `denizen openapi`.

use super::failure::Failure;
use super::output::print_json;

pub(super) fn run() -> Result<(), Failure> {
    print_json(&crate::openapi::document())
}
