//! Huge pages for the memory of password hashes.
//!
//! A hash walks through 19 MiB in no order; with pages of 4 KiB a tenth of its time is spent on finding them. Linux gives
//! pages of 2 MiB to whoever asks, and glibc's allocator asks when it is told to before a program starts. So the server
//! starts once more, as the same process, and tells it.

use std::env;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// What glibc reads before `main`.
const TUNABLES: &str = "GLIBC_TUNABLES";
const ASK: &str = "glibc.malloc.hugetlb=1";
/// To whom Linux gives huge pages; what is in force is in brackets.
const POLICY: &str = "/sys/kernel/mm/transparent_hugepage/enabled";

/// Starts this program once more with huge pages, if it is a server and they are there for the asking. Returns when there
/// is nothing to gain, or it did not work: hashes then take a little longer. Whoever has tuned glibc has had their say.
pub(crate) fn ask_for() {
    let is_server = env::args_os().any(|argument| argument == "serve");
    let is_for_the_asking = || std::fs::read_to_string(POLICY).is_ok_and(|policy| policy.contains("[madvise]"));
    if !is_server || env::var_os(TUNABLES).is_some() || !is_for_the_asking() {
        return;
    }
    let Ok(program) = env::current_exe() else { return };
    let mut arguments = env::args_os();
    let mut again = Command::new(program);
    again.arg0(arguments.next().unwrap_or_default()).args(arguments).env(TUNABLES, ASK);
    // It comes back only with an error.
    drop(again.exec());
}
