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
//! Where a run has a warm-up, requests are counted apart by whether they were due before its end, and
//! the whole is the sum of both.
//!
//! Deliberately not: a clock. Time is what events say it is, so that a simulated hour and a real
//! one are recorded alike, and a recorded one can be recorded again.

mod conclusion;
pub mod early;
pub mod ends;
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

pub use conclusion::Conclusion;
use early::{EarlyStop, Missed, Standing};
use histograms::{Histograms, Timing};
use interval::{INTERVAL, Interval};
use measured::Measured;
use meter::Meter;
use tally::{EndedAttempt, Tally};

use crate::expect::{Expectation, Metric, Scope};
use crate::outcome::{ClassIndex, Event, Failure, ModelIndex, RequestRecord};
use crate::price::Price;
use crate::quota::Quota;
use crate::time::Instant;
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
    /// Requests that were due earlier than this do not count in pass marks; zero if all do.
    pub warm_up: Duration,
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
    /// By prompt class; without the histograms of the open interval, and without requests of the
    /// warm-up.
    tallies: Vec<Tally>,
    /// By model.
    meters: Vec<Meter>,
    /// None if the run has none.
    warm_up: Option<WarmUp>,
    /// The marks that may end the run.
    early: Option<EarlyStop>,
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

/// What is kept besides for a run whose beginning does not count.
#[derive(Clone, Debug)]
struct WarmUp {
    /// When it ends.
    until: Instant,
    /// Requests that were due before, by prompt class.
    tallies: Vec<Tally>,
    /// Those of them that finish in the open interval.
    open: Vec<Histograms>,
    /// Use of the quotas from its end on, by model.
    meters: Vec<Meter>,
}

impl Recorder {
    /// For a run that has not begun.
    #[must_use]
    pub fn new(settings: RecorderSettings) -> Self {
        let (duration, offset) = (settings.duration, settings.clock_offset);
        let meter = Meter::new(duration, offset, Duration::ZERO);
        let warm_up = (!settings.warm_up.is_zero()).then(|| WarmUp {
            until: Instant::ZERO + settings.warm_up,
            tallies: vec![Tally::default(); settings.classes.len()],
            open: vec![Histograms::default(); settings.classes.len()],
            meters: vec![Meter::new(duration, offset, settings.warm_up); settings.models.len()],
        });
        Self {
            warm_up,
            early: None,
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

    /// Looks at these marks whenever an interval ends; see [`early`]. Call before the first event.
    pub fn watch(&mut self, marks: &[Expectation]) {
        let settings = &self.settings;
        self.early = (marks.iter().any(|mark| mark.abort_on_fail))
            .then(|| EarlyStop::new(marks, settings.duration, settings.warm_up));
    }

    /// The first of the watched marks that is clearly missed, if one is.
    #[must_use]
    pub fn missed(&self) -> Option<Missed> {
        let (mark, at) = self.early.as_ref()?.missed()?;
        let of = self.settings.name_of(mark.of);
        Some(Missed {
            mark,
            name: verdict::name(&mark.metric.to_string(), of),
            at,
        })
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
                self.tally(*at, *class).counts.intended += 1;
                self.open.counts.intended += 1;
            }
            Event::Sent { at, due, class, .. } => {
                self.advance(*at);
                self.tally(*due, *class).send();
                self.open.sent += 1;
                self.in_flight += 1;
            }
            &Event::Ended {
                at,
                due,
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
                self.tally(due, class).end(attempt);
                self.meters[usize::from(model.0)].settle(at, settled);
                if let Some(warm_up) = &mut self.warm_up {
                    warm_up.meters[usize::from(model.0)].settle(at, settled);
                }
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
    pub fn finish(self, now: Instant) -> (Measured, Vec<Interval>) {
        let conclusion = self.conclude(now, &[]);
        (conclusion.measured, conclusion.intervals)
    }

    /// As [`Self::finish`], and judges the run by its pass marks, in their order.
    ///
    /// # Panics
    ///
    /// As [`Self::finish`].
    #[must_use]
    pub fn conclude(mut self, now: Instant, marks: &[Expectation]) -> Conclusion {
        let missed = self.missed().map(|missed| missed.mark);
        // What is clear only now has stopped nothing.
        self.early = None;
        let last = self.last;
        self.end_pause(last);
        self.advance(now);
        self.open.end = now.max(last).max(self.open.start);
        self.close();
        conclusion::conclude(self, last, marks, missed)
    }

    /// Where a request of this prompt class is counted that was due then.
    fn tally(&mut self, due: Instant, class: ClassIndex) -> &mut Tally {
        let class = usize::from(class.0);
        match &mut self.warm_up {
            Some(warm_up) if due < warm_up.until => &mut warm_up.tallies[class],
            _ => &mut self.tallies[class],
        }
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
        let mut closed = std::mem::replace(&mut self.open, next);
        if self.settings.intervals {
            closed.in_flight = self.in_flight;
            for (tally, histograms) in self.tallies.iter_mut().zip(&closed.classes) {
                tally.histograms.merge(histograms);
            }
            if let Some(warm_up) = &mut self.warm_up {
                warm_up.close(&mut closed.classes);
            }
            (closed.latency_p50_ns, closed.latency_p99_ns) = latency_quantiles(&closed.classes);
            self.closed.push_back(closed);
        }
        if let Some(mut early) = self.early.take() {
            let at = self.open.start;
            early.look(at, |mark| self.standing(mark.of, mark.metric));
            self.early = Some(early);
        }
    }

    /// The totals of a part of the requests after the warm-up, with no histogram but the metric's own.
    fn standing(&self, of: Scope, metric: Metric) -> Standing {
        let mut sum = Tally::default();
        let mut cost = Some(Usd::ZERO);
        let classes = self.settings.classes.iter().zip(&self.tallies);
        for (class, (&(_, model), tally)) in (0..).zip(classes) {
            let counts = match of {
                Scope::All => true,
                Scope::Class(chosen) => chosen.0 == class,
                Scope::Model(chosen) => chosen == model,
            };
            if counts {
                sum.merge_numbers(tally);
                if let Metric::Time(timing, _) = metric {
                    sum.histograms.merge_one(&tally.histograms, timing);
                }
                let price = self.settings.models[usize::from(model.0)].price;
                cost = add_costs(cost, tally.cost(price));
            }
        }
        Standing { sum, cost }
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
        let model = usize::from(request.model.0);
        self.meters[model].finish(request);
        self.open.counts.end(request.outcome);
        let (tally, open) = match &mut self.warm_up {
            None => (&mut self.tallies[class], &mut self.open.classes[class]),
            Some(warm_up) => {
                warm_up.meters[model].finish(request);
                if request.due < warm_up.until {
                    (&mut warm_up.tallies[class], &mut warm_up.open[class])
                } else {
                    (&mut self.tallies[class], &mut self.open.classes[class])
                }
            }
        };
        tally.finish(request);
        let histograms = if self.settings.intervals {
            open
        } else {
            &mut tally.histograms
        };
        tally::record_timings(histograms, request);
    }
}

impl RecorderSettings {
    /// The name of the prompt class or the model; none of all.
    fn name_of(&self, of: Scope) -> Option<&str> {
        match of {
            Scope::All => None,
            Scope::Class(class) => Some(&self.classes[usize::from(class.0)].0),
            Scope::Model(model) => Some(&self.models[usize::from(model.0)].name),
        }
    }
}

impl WarmUp {
    /// Adds what finished in an interval to its own totals, and to the histograms of the interval.
    fn close(&mut self, interval: &mut [Histograms]) {
        let classes = self.tallies.iter_mut().zip(&mut self.open).zip(interval);
        for ((tally, open), shown) in classes {
            let finished = std::mem::take(open);
            tally.histograms.merge(&finished);
            shown.merge(&finished);
        }
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
