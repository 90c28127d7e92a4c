//! Progress of long commands on standard error: a bar on a terminal, otherwise a line from time to time.

use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// How often a line is printed where there is no terminal, in milliseconds.
const LINE_INTERVAL_MS: u64 = 10_000;

/// A bar that stays below all printed lines.
pub(crate) struct Progress {
    bar: ProgressBar,
    /// The unit.
    unit: &'static str,
    /// When the next line is printed, in milliseconds since the start.
    next_line_ms: AtomicU64,
}

impl Progress {
    /// A bar that counts bytes, of a total if it is known.
    pub(crate) fn of_bytes(total: Option<u64>) -> Self {
        Self::new(total, "bytes", "{bar:40} {bytes}/{total_bytes} {msg}, {eta} left", "{spinner} {bytes} {msg}")
    }

    /// A bar that counts items.
    pub(crate) fn of(unit: &'static str) -> Self {
        Self::new(None, unit, "", &format!("{{spinner}} {{pos}} {unit} {{msg}}"))
    }

    /// Whether the bar is visible.
    pub(crate) fn is_visible(&self) -> bool {
        !self.bar.is_hidden()
    }

    pub(crate) fn set_total(&self, total: u64) {
        self.bar.set_length(total);
        self.bar.set_style(style(&format!("{{bar:40}} {{pos}}/{{len}} {} {{msg}}, {{eta}} left", self.unit)));
    }

    pub(crate) fn advance_to(&self, position: u64, message: String) {
        self.bar.set_position(position);
        self.bar.set_message(message);
    }

    /// Advances, and shows how many items are done and how many per second.
    pub(crate) fn advance_counting(&self, position: u64, count: u64, unit: &str) {
        let elapsed_ms = u64::try_from(self.bar.elapsed().as_millis()).unwrap_or(u64::MAX).max(1);
        let message = format!("{count} {unit}, {}/s", count.saturating_mul(1000) / elapsed_ms);
        if !self.is_visible() && elapsed_ms >= self.next_line_ms.load(Ordering::Relaxed) {
            self.next_line_ms.store(elapsed_ms + LINE_INTERVAL_MS, Ordering::Relaxed);
            let total = self.bar.length().filter(|total| (1..=*total).contains(&position));
            let left = total.map(|total| {
                let left_s = u128::from(elapsed_ms) * u128::from(total - position) / u128::from(position) / 1000;
                format!(", {} %, {left_s} s left", u128::from(position) * 100 / u128::from(total))
            });
            // Standard error may be closed.
            drop(writeln!(std::io::stderr(), "{message}{}", left.unwrap_or_default()));
        }
        self.advance_to(position, message);
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
        Self { bar, unit, next_line_ms: AtomicU64::new(LINE_INTERVAL_MS) }
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
