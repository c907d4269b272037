//! Folds what happens in a run into totals, an interval series and histograms.
//!
//! ```text
//! Event ─► observe ─► open interval ──(every 5 s of event time)──► poll_interval
//!             │            └── its histograms are merged into the class's when it closes
//!             ├──────► a tally for each prompt class ──┐
//!             └──────► a meter for each model ─────────┴──────────► finish ─► Measured
//! ```
//!
//! Promises: memory does not grow with the run (the caller takes intervals out as they close);
//! each value is recorded once; models and the whole are sums of prompt classes, so that no two
//! numbers of a run can contradict each other; and
//! intended = completed + failed + dropped + cancelled is checked in every run.
//!
//! Deliberately not: a clock. Time is what events say it is, so that a simulated hour and a real
//! one are recorded alike, and a recorded one can be recorded again.

pub mod histograms;
pub mod interval;
pub mod measured;
mod meter;
mod spread;
mod tally;
pub mod verdict;
mod warnings;

use std::collections::VecDeque;
use std::time::Duration;

use histograms::{Histograms, Timing};
use interval::{INTERVAL, Interval};
use measured::Measured;
use meter::Meter;
use tally::{EndedAttempt, Frame, Tally};

use crate::outcome::{Event, Failure, ModelIndex, RequestRecord};
use crate::price::Price;
use crate::quota::Quota;
use crate::time::{Instant, nanos};
use crate::units::Usd;

/// What a recorder needs to know of a run before it begins.
#[derive(Clone, Debug, PartialEq)]
pub struct RecorderSettings {
    /// The prompt classes in the scenario's order: name and model.
    pub classes: Vec<(String, ModelIndex)>,
    /// The models in the scenario's order.
    pub models: Vec<ModelInfo>,
    /// How long load is offered.
    pub duration: Duration,
    /// How far into a minute of the wall clock the run begins; zero in virtual time.
    pub clock_offset: Duration,
    /// Whether answers are streamed, so that there are first tokens to time.
    pub streaming: bool,
    /// Whether intervals are wanted. If so, the caller takes them out by
    /// [`Recorder::poll_interval`]; if not, none are kept, and recording is faster.
    pub intervals: bool,
}

/// What a recorder needs to know of a model.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelInfo {
    /// Its name in the scenario.
    pub name: String,
    /// The quota that its use is compared with.
    pub quota: Quota,
    /// What its tokens cost, if known.
    pub price: Option<Price>,
}

/// Folds what happens in a run into what it measured.
#[derive(Clone, Debug)]
pub struct Recorder {
    settings: RecorderSettings,
    /// By prompt class; without the histograms of the open interval.
    tallies: Vec<Tally>,
    /// By model.
    meters: Vec<Meter>,
    /// The interval that is being filled.
    open: Interval,
    closed: VecDeque<Interval>,
    /// Attempts under way.
    in_flight: u64,
    /// Since when the run is paused, if it is.
    paused_since: Option<Instant>,
    /// How long it was paused before.
    paused: Duration,
    /// When the last thing happened.
    last: Instant,
}

impl Recorder {
    /// For a run that has not begun.
    #[must_use]
    pub fn new(settings: RecorderSettings) -> Self {
        let meter = Meter::new(settings.duration, settings.clock_offset);
        Self {
            tallies: vec![Tally::default(); settings.classes.len()],
            meters: vec![meter; settings.models.len()],
            open: new_interval(Instant::ZERO, settings.classes.len()),
            closed: VecDeque::new(),
            in_flight: 0,
            paused_since: None,
            paused: Duration::ZERO,
            last: Instant::ZERO,
            settings,
        }
    }

    /// Takes in one event. Events come in the order in which they happened; one that comes late
    /// counts in the interval that is open, since a closed one never changes.
    ///
    /// # Panics
    ///
    /// If the event is of a prompt class or a model that the settings do not have.
    pub fn observe(&mut self, event: &Event) {
        match event {
            Event::Due { at, class } => {
                self.advance(*at);
                self.tallies[usize::from(class.0)].counts.intended += 1;
                self.open.counts.intended += 1;
            }
            Event::Sent { at, class, .. } => {
                self.advance(*at);
                self.tallies[usize::from(class.0)].send();
                self.open.sent += 1;
                self.in_flight += 1;
            }
            &Event::Ended {
                at,
                class,
                model,
                reserved,
                settled,
                usage,
                failure,
            } => {
                self.advance(at);
                let attempt = EndedAttempt {
                    reserved,
                    settled,
                    usage,
                    failure,
                };
                self.tallies[usize::from(class.0)].end(attempt);
                self.meters[usize::from(model.0)].settle(at, settled);
                self.in_flight = self.in_flight.saturating_sub(1);
                self.end_in_interval(attempt);
            }
            Event::Finished(request) => {
                self.advance(request.finished);
                self.finish_request(request);
            }
            Event::Paused { at } => {
                self.advance(*at);
                self.paused_since = Some(*at);
            }
            Event::Resumed { at } => {
                self.advance(*at);
                self.end_pause(*at);
            }
        }
    }

    /// The next interval that has closed, if there is one. Call until there is none.
    pub fn poll_interval(&mut self) -> Option<Interval> {
        self.closed.pop_front()
    }

    /// Ends the run at `now`: what it measured, and the intervals that were not yet taken out, the
    /// last of which ends at `now`.
    ///
    /// # Panics
    ///
    /// In debug builds, if requests were lost or counted twice; otherwise [`Measured::conserved`]
    /// says so.
    #[must_use]
    pub fn finish(mut self, now: Instant) -> (Measured, Vec<Interval>) {
        let last = self.last;
        self.end_pause(last);
        self.advance(now);
        self.open.end = now.max(last).max(self.open.start);
        self.close();
        let frame = Frame {
            elapsed: last - Instant::ZERO,
            streaming: self.settings.streaming,
        };
        let intervals = self.closed.drain(..).collect();
        (self.measured(frame), intervals)
    }

    fn end_pause(&mut self, at: Instant) {
        if let Some(since) = self.paused_since.take() {
            self.paused += at.since(since);
        }
    }

    /// Closes every interval that ends at or before `at`.
    fn advance(&mut self, at: Instant) {
        self.last = self.last.max(at);
        while at >= self.open.start + INTERVAL {
            self.close();
        }
    }

    fn close(&mut self) {
        let classes = self.tallies.len();
        let next = new_interval(self.open.start + INTERVAL, classes);
        if !self.settings.intervals {
            self.open = next;
            return;
        }
        let mut closed = std::mem::replace(&mut self.open, next);
        closed.in_flight = self.in_flight;
        for (tally, histograms) in self.tallies.iter_mut().zip(&closed.classes) {
            tally.histograms.merge(histograms);
        }
        (closed.latency_p50_ns, closed.latency_p99_ns) = latency_quantiles(&closed.classes);
        self.closed.push_back(closed);
    }

    fn end_in_interval(&mut self, attempt: EndedAttempt) {
        let open = &mut self.open;
        open.usage += attempt.usage;
        open.settled += attempt.settled;
        let throttled = attempt
            .failure
            .is_some_and(|failure: Failure| open.throttled.count(failure, 1));
        if !throttled {
            open.reserved += attempt.reserved;
            open.failed_attempts += u64::from(attempt.failure.is_some());
        }
    }

    fn finish_request(&mut self, request: &RequestRecord) {
        let class = usize::from(request.class.0);
        let tally = &mut self.tallies[class];
        tally.finish(request);
        self.meters[usize::from(request.model.0)].finish(request);
        self.open.counts.end(request.outcome);
        let histograms = if self.settings.intervals {
            &mut self.open.classes[class]
        } else {
            &mut tally.histograms
        };
        tally::record_timings(histograms, request);
    }

    fn measured(self, frame: Frame) -> Measured {
        let settings = &self.settings;
        let price = |model: ModelIndex| settings.models[usize::from(model.0)].price;
        let costs: Vec<Option<Usd>> = settings
            .classes
            .iter()
            .zip(&self.tallies)
            .map(|(&(_, model), tally)| tally.cost(price(model)))
            .collect();
        let sum_of = |name: &str, chosen: &dyn Fn(ModelIndex) -> bool| {
            let mut sum = Tally::default();
            let mut cost = Some(Usd::ZERO);
            for (position, &(_, model)) in settings.classes.iter().enumerate() {
                if chosen(model) {
                    sum.merge(&self.tallies[position]);
                    cost = add_costs(cost, costs[position]);
                }
            }
            sum.group(name, cost, frame)
        };
        let total = sum_of("total", &|_| true);
        let conserved = total.counts.conserved();
        debug_assert!(
            conserved,
            "requests were lost or counted twice: {:?}",
            total.counts
        );
        let mut measured = Measured {
            window_ns: nanos(settings.duration),
            elapsed_ns: nanos(frame.elapsed),
            paused_ns: nanos(self.paused),
            clock_offset_ns: nanos(settings.clock_offset),
            conserved,
            classes: (settings.classes.iter().zip(&self.tallies).zip(&costs))
                .map(|(((name, _), tally), &cost)| tally.group(name, cost, frame))
                .collect(),
            models: (0_u16..)
                .zip(&settings.models)
                .map(|(position, model)| sum_of(&model.name, &|of| of.0 == position))
                .collect(),
            quota_use: (self.meters.into_iter().zip(&settings.models))
                .map(|(meter, model)| meter.quota_use(&model.name, model.quota, frame.elapsed))
                .collect(),
            total,
            warnings: Vec::new(),
        };
        measured.warnings = warnings::warnings(&measured);
        measured
    }
}

fn new_interval(start: Instant, classes: usize) -> Interval {
    Interval {
        start,
        end: start + INTERVAL,
        classes: vec![Histograms::default(); classes],
        ..Interval::default()
    }
}

/// Median and 99th percentile of the latency of all prompt classes together.
fn latency_quantiles(classes: &[Histograms]) -> (Option<u64>, Option<u64>) {
    let mut recorded = classes
        .iter()
        .filter_map(|class| class.get(Timing::Latency));
    let Some(first) = recorded.next() else {
        return (None, None);
    };
    let quantiles = |all: &hdrhistogram::Histogram<u64>| {
        (
            Some(all.value_at_quantile(0.5)),
            Some(all.value_at_quantile(0.99)),
        )
    };
    let mut others = recorded.peekable();
    if others.peek().is_none() {
        return quantiles(first);
    }
    let mut all = first.clone();
    for other in others {
        all.add(other)
            .expect("a histogram grows to hold another's values");
    }
    quantiles(&all)
}

fn add_costs(left: Option<Usd>, right: Option<Usd>) -> Option<Usd> {
    let mut sum = left?;
    sum += right?;
    Some(sum)
}

#[cfg(test)]
mod tests;
