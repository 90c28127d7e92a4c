//! A progress bar on standard error, only if that is a terminal.

use std::io::Write;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A bar that stays below all printed lines.
pub(crate) struct Progress {
    bar: ProgressBar,
    /// The unit.
    unit: &'static str,
}

impl Progress {
    /// A bar that counts bytes, of a total if it is known.
    pub(crate) fn of_bytes(total: Option<u64>) -> Self {
        Self::new(total, "bytes", "{bar:40} {bytes}/{total_bytes} {msg}", "{spinner} {bytes} {msg}")
    }

    /// A bar that counts items.
    pub(crate) fn of(unit: &'static str) -> Self {
        Self::new(None, unit, "", &format!("{{spinner}} {{pos}} {unit}"))
    }

    /// Whether the bar is visible.
    pub(crate) fn is_visible(&self) -> bool {
        !self.bar.is_hidden()
    }

    pub(crate) fn set_total(&self, total: u64) {
        self.bar.set_length(total);
        self.bar.set_style(style(&format!("{{bar:40}} {{pos}}/{{len}} {}", self.unit)));
    }

    pub(crate) fn advance_to(&self, position: u64, message: String) {
        self.bar.set_position(position);
        self.bar.set_message(message);
    }

    /// Prints a line on standard error.
    pub(crate) fn say(&self, line: &str) {
        // Nobody is left to be told when standard error is closed.
        self.bar.suspend(|| drop(writeln!(std::io::stderr(), "{line}")));
    }

    /// Removes the bar, before the result is printed.
    pub(crate) fn clear(&self) {
        self.bar.finish_and_clear();
    }

    fn new(total: Option<u64>, unit: &'static str, bounded: &str, unbounded: &str) -> Self {
        let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::stderr());
        bar.set_style(style(if total.is_some() { bounded } else { unbounded }));
        Self { bar, unit }
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
