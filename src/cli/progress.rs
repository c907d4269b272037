//! One line on stderr while a run goes on, where somebody watches.

use std::time::Duration;

use bedload::engine::Engine;
use bedload::outcome::{Failure, Outcome, RequestRecord};
use bedload::time::Instant;
use bedload::units::grouped;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::output;

/// The line, and the counts that it shows.
pub struct Progress {
    bar: ProgressBar,
    completed: u64,
    throttled: u64,
    failed: u64,
    dropped: u64,
}

impl Progress {
    /// A line for a run of this length; none if `quiet` or if nobody watches.
    pub fn new(duration: Duration, quiet: bool) -> Self {
        let bar = ProgressBar::new(duration.as_millis().try_into().unwrap_or(u64::MAX));
        if quiet || !output::is_watched() {
            bar.set_draw_target(ProgressDrawTarget::hidden());
        }
        if let Ok(style) =
            ProgressStyle::with_template("{wide_bar:.cyan/dim} {percent:>3} %  {msg}")
        {
            bar.set_style(style.progress_chars("━╸─"));
        }
        Self {
            bar,
            completed: 0,
            throttled: 0,
            failed: 0,
            dropped: 0,
        }
    }

    /// Counts a request that has ended.
    pub fn finished(&mut self, record: &RequestRecord) {
        match record.outcome {
            Outcome::Completed => self.completed += 1,
            Outcome::Failed(failure) if Failure::is_throttle(failure) => self.throttled += 1,
            Outcome::Failed(_) => self.failed += 1,
            Outcome::Dropped(_) => self.dropped += 1,
            Outcome::Cancelled => {}
        }
    }

    /// Draws the line.
    pub fn show(&self, now: Instant, engine: &Engine) {
        if self.bar.is_hidden() {
            return;
        }
        self.bar.set_position(now.as_nanos() / 1_000_000);
        self.bar.set_message(format!(
            "{} done, {} throttled, {} failed, {} dropped, {} waiting, {} under way",
            count(self.completed),
            count(self.throttled),
            count(self.failed),
            count(self.dropped),
            engine.waiting(),
            engine.in_flight()
        ));
    }

    /// Takes the line away.
    pub fn clear(&self) {
        self.bar.finish_and_clear();
    }
}

fn count(number: u64) -> String {
    grouped(i64::try_from(number).unwrap_or(i64::MAX))
}
