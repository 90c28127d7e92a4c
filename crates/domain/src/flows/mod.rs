//! Flows that leave no row before they finish: what a client carries from one step to the next is sealed, and the
//! transaction that finishes a flow notes that it is used.

pub mod purge;
pub(crate) mod sealed;
pub mod store;

pub use purge::purge;
