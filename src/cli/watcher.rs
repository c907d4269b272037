//! Watches a run: everything that happens is recorded, written down and shown.

use std::time::Duration;

use bedload::drive::{Observer, Wish};
use bedload::engine::{Engine, StopCause};
use bedload::expect::{Expectation, Metric, Scope};
use bedload::outcome::Event;
use bedload::recorder::early::Missed;
use bedload::recorder::{Conclusion, Recorder};
use bedload::results::{Ending, ResultsError, Run, RunState, RunWriter};
use bedload::scenario::Scenario;
use bedload::time::Instant;

use super::feeds::Feeds;
use super::output;
use super::progress::Progress;
use super::pulse::Pulse;
use super::signals::Signals;

/// How often rows are handed to the operating system, so that a killed run keeps them.
const FLUSH_EVERY: Duration = Duration::from_secs(1);

/// The observer of a run.
pub struct Watcher {
    recorder: Recorder,
    writer: RunWriter,
    pulse: Pulse,
    /// Whether anybody looks at it; otherwise nothing is folded into it.
    is_watched: bool,
    progress: Progress,
    feeds: Feeds,
    signals: Signals,
    flushed: Instant,
    write_error: Option<ResultsError>,
    wish: Wish,
    /// The pass mark that ended the run, if one did.
    missed: Option<Missed>,
}

impl Watcher {
    pub fn new(
        mut recorder: Recorder,
        scenario: &Scenario,
        writer: RunWriter,
        pulse: Pulse,
        progress: Progress,
        feeds: Feeds,
        signals: Signals,
    ) -> Self {
        recorder.watch(&scenario.expect);
        Self {
            recorder,
            writer,
            pulse,
            is_watched: progress.is_shown() || feeds.is_serving(),
            progress,
            feeds,
            signals,
            flushed: Instant::ZERO,
            write_error: None,
            wish: Wish::GoOn,
            missed: None,
        }
    }

    /// Ends the watch: writes what was measured and judges it. `failure` is why the run could not go
    /// on, if it could not.
    pub fn finish(
        mut self,
        now: Instant,
        scenario: &Scenario,
        stopped: Option<StopCause>,
        failure: Option<&anyhow::Error>,
    ) -> Result<Run, ResultsError> {
        let missed = self.missed.take();
        let Conclusion {
            measured,
            after_warm_up,
            intervals,
            verdicts,
        } = self.recorder.conclude(now, &pass_marks(scenario));
        for interval in &intervals {
            self.writer.interval(interval);
            self.feeds.interval(interval);
        }
        let state = match (failure, stopped) {
            (Some(_), _) => RunState::Failed,
            (None, Some(_)) => RunState::Interrupted,
            (None, None) => RunState::Complete,
        };
        if let Some(problem) = self.feeds.finish(now, state, measured.total.counts) {
            self.progress.say(&problem);
        }
        self.progress.clear();
        let error = match stopped {
            _ if failure.is_some() => failure.map(|error| format!("{error:#}")),
            Some(StopCause::Cost) => Some("`run.max_cost` was reached".to_owned()),
            Some(StopCause::Tokens) => Some("`run.max_total_tokens` was reached".to_owned()),
            Some(StopCause::Requested) => missed.as_ref().map(reason),
            None => None,
        };
        self.writer.finish(Ending {
            state,
            measured: Some(measured),
            measured_after_warm_up: after_warm_up,
            verdicts,
            error,
        })
    }
}

/// Why the run was stopped for a pass mark.
fn reason(missed: &Missed) -> String {
    let seconds = (missed.at - Instant::ZERO).as_secs();
    let name = &missed.name;
    format!("{name} had clearly missed its pass mark after {seconds} s")
}

/// The largest share of requests that may fail, for whatever reason, where the scenario does not say.
const MAX_FAILED: f64 = 0.01;

/// The scenario's own pass marks, and those that no run is spared: something succeeded, no more was
/// throttled than `run.max_throttled`, and no more failed than that or one in a hundred. A mark of the
/// scenario's own for the same share takes the place of the last two.
fn pass_marks(scenario: &Scenario) -> Vec<Expectation> {
    let mut marks = scenario.expect.clone();
    let at_most = |metric, share| Expectation {
        at_most: Some(share),
        ..Expectation::of_all(metric)
    };
    let own = |metric| {
        let of_all = |mark: &&Expectation| mark.metric == metric && mark.of == Scope::All;
        let mut own = scenario.expect.iter().filter(of_all);
        own.find_map(|mark| mark.at_most)
    };
    let throttled = own(Metric::ThrottleShare).unwrap_or_else(|| {
        let share = scenario.run.max_throttled.fraction();
        marks.push(at_most(Metric::ThrottleShare, share));
        share
    });
    if own(Metric::FailureShare).is_none() {
        marks.push(at_most(Metric::FailureShare, throttled.max(MAX_FAILED)));
    }
    marks.push(Expectation {
        at_least: Some(1.0),
        ..Expectation::of_all(Metric::Completed)
    });
    marks
}

impl Watcher {
    /// Hands over what was written. What could not be is said once.
    fn flush(&mut self) {
        if let Err(error) = self.writer.flush()
            && self.write_error.is_none()
        {
            let complaint = format!("{error}; the run goes on without these rows");
            self.progress.say(&output::complaint(&complaint));
            self.write_error = Some(error);
        }
        if let Some(problem) = self.feeds.flush(&self.pulse) {
            self.progress.say(&problem);
        }
    }
}

impl Observer for Watcher {
    fn event(&mut self, event: &Event) {
        self.recorder.observe(event);
        if self.is_watched {
            self.pulse.event(event);
        }
        self.feeds.event(event);
        if let Event::Finished(record) = event {
            self.writer.record(record);
        }
        while let Some(interval) = self.recorder.poll_interval() {
            self.writer.interval(&interval);
            self.pulse.interval(&interval);
            self.feeds.interval(&interval);
            // Marks are looked at where intervals end. What was asked for before is no miss.
            if self.missed.is_none() && self.wish == Wish::GoOn {
                self.missed = self.recorder.missed();
                if let Some(missed) = &self.missed {
                    self.progress
                        .remark(&format!("stopping early: {}", reason(missed)));
                }
            }
        }
    }

    fn wish(&self) -> Wish {
        if self.missed.is_some() {
            Wish::Stop
        } else {
            Wish::GoOn
        }
    }

    fn tick(&mut self, now: Instant, engine: &Engine) -> Wish {
        if self.is_watched {
            self.pulse.sample(now, engine);
        }
        if now.since(self.flushed) >= FLUSH_EVERY {
            self.flushed = now;
            self.flush();
        }
        self.progress.show(&self.pulse);
        let wish = self.signals.wish();
        if wish > self.wish {
            self.wish = wish;
            self.progress.remark(match wish {
                Wish::Abandon => "giving up what is under way",
                _ => "stopping: waiting for what is under way (Ctrl-C again gives up waiting)",
            });
        }
        if wish == Wish::GoOn && self.progress.wants_pause() {
            return Wish::Pause;
        }
        wish
    }
}
