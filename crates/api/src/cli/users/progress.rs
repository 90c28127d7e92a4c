//! A progress bar, on standard error and only when that is a terminal.

use std::io::Write;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A bar that stands below everything printed.
pub(super) struct Progress(ProgressBar);

impl Progress {
    /// A bar that counts bytes, of so many if that is known.
    pub(super) fn of_bytes(total: Option<u64>) -> Self {
        Self::new(total, "{bar:40} {bytes}/{total_bytes} {msg}", "{spinner} {bytes} {msg}")
    }

    /// A bar that counts users.
    pub(super) fn of_users() -> Self {
        Self::new(None, "{bar:40} {pos}/{len} users", "{spinner} {pos} users")
    }

    /// Whether anybody sees it.
    pub(super) fn is_visible(&self) -> bool {
        !self.0.is_hidden()
    }

    pub(super) fn set_total(&self, total: u64) {
        self.0.set_length(total);
        self.0.set_style(style("{bar:40} {pos}/{len} users"));
    }

    pub(super) fn advance_to(&self, position: u64, message: String) {
        self.0.set_position(position);
        self.0.set_message(message);
    }

    /// Prints a line of its own on standard error.
    pub(super) fn say(&self, line: &str) {
        // Nobody is left to be told when standard error is closed.
        self.0.suspend(|| drop(writeln!(std::io::stderr(), "{line}")));
    }

    /// Takes the bar away, before the result is printed.
    pub(super) fn clear(&self) {
        self.0.finish_and_clear();
    }

    fn new(total: Option<u64>, bounded: &str, unbounded: &str) -> Self {
        let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::stderr());
        bar.set_style(style(if total.is_some() { bounded } else { unbounded }));
        Self(bar)
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.clear();
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
