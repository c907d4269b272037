//! What goes on in a run, as small as whoever watches needs it: the model behind the live view, the
//! plain lines and `/metrics`.
//!
//! Promises: memory is bounded, whatever the length of the run; taking in an event costs less than a
//! microsecond; a copy is a few tens of kilobytes, so that whoever draws or serves it can do so on
//! another thread.
//!
//! Deliberately not: what is measured. That is the recorder's, and nothing here goes into results.

mod buckets;
mod minute;
mod mishaps;
mod seconds;

use std::time::Duration;

use bedload::engine::Engine;
use bedload::outcome::{Event, Failure, ModelIndex, Outcome, RequestRecord};
use bedload::quota::{Gauge, Quota};
use bedload::recorder::interval::Interval;
use bedload::scenario::Scenario;
use bedload::time::{Instant, nanos};
use bedload::units::{TokenUsage, Tokens, Usd};

pub use self::buckets::{BOUNDS, Buckets};
pub use self::minute::Minute;
pub use self::mishaps::{Mishap, Mishaps};
pub use self::seconds::Seconds;

/// What goes on. See the module's documentation.
#[derive(Clone)]
pub struct Pulse {
    /// The scenario's name.
    pub scenario: String,
    /// Where its requests go.
    pub target: &'static str,
    /// How long requests become due.
    pub duration: Duration,
    /// The time that it is.
    pub now: Instant,
    /// By prompt class, in the scenario's order.
    pub classes: Vec<ClassPulse>,
    /// By model, in the scenario's order.
    pub models: Vec<ModelPulse>,
    /// Requests that wait for quota, or for the end of a pause.
    pub waiting: u64,
    /// Calls under way.
    pub under_way: u64,
    /// Requests that wait to be tried again.
    pub retrying: u64,
    /// What has been spent by the list prices that are known.
    pub spent: Usd,
    /// Whether all of the models' prices are known.
    pub priced: bool,
    /// The last minutes, second by second.
    pub seconds: Seconds,
    /// The last five seconds that are over: median and 99th percentile of latency, in nanoseconds.
    pub latency: Option<(u64, u64)>,
    /// What went wrong last.
    pub mishaps: Mishaps,
    /// Since when admission is paused, if it is.
    pub paused_since: Option<Instant>,
    paused_before: Duration,
}

/// What goes on in one prompt class.
#[derive(Clone)]
pub struct ClassPulse {
    /// Its name.
    pub name: String,
    /// Its model.
    pub model: ModelIndex,
    /// Requests that became due.
    pub due: u64,
    /// Requests that were answered.
    pub completed: u64,
    /// Requests whose last attempt failed.
    pub failed: u64,
    /// Requests that were never sent.
    pub dropped: u64,
    /// Requests that the end of the run cut off.
    pub cancelled: u64,
    /// Due → finished, of completed requests.
    pub latency: Buckets,
    /// Due → admitted.
    pub limiter_wait: Buckets,
    /// Last admitted → sent.
    pub dispatch_lag: Buckets,
}

/// What goes on with one model.
#[derive(Clone)]
pub struct ModelPulse {
    /// Its name in the scenario.
    pub name: String,
    /// What the account may use of it.
    pub quota: Quota,
    /// What our limiter has left of it; empty without one.
    pub gauges: Vec<Gauge>,
    /// Attempts that were sent.
    pub sent: u64,
    /// Attempts that were answered.
    pub answered: u64,
    /// Attempts that failed, by class.
    pub failed: [u64; Failure::ALL.len()],
    /// Tokens by the service's count.
    pub usage: TokenUsage,
    /// Tokens that attempts cost against the quota in the end.
    pub settled: Tokens,
    /// Tokens that calls under way reserve.
    pub reserved: Tokens,
    /// Calls under way.
    pub under_way: u64,
    /// What was used in the last sixty seconds by calls that have ended.
    pub minute: Minute,
}

impl Pulse {
    /// A run that has not begun.
    pub fn new(scenario: &Scenario, target: &'static str) -> Self {
        Self {
            scenario: scenario.name.clone(),
            target,
            duration: scenario.run.duration,
            now: Instant::ZERO,
            classes: scenario
                .prompts
                .iter()
                .map(|prompt| ClassPulse::new(prompt.name.clone(), prompt.model))
                .collect(),
            models: scenario
                .models
                .iter()
                .map(|model| ModelPulse::new(model.name.clone(), model.quota))
                .collect(),
            waiting: 0,
            under_way: 0,
            retrying: 0,
            spent: Usd::ZERO,
            priced: (scenario.models.iter()).all(|model| model.facts.price.is_some()),
            seconds: Seconds::default(),
            latency: None,
            mishaps: Mishaps::default(),
            paused_since: None,
            paused_before: Duration::ZERO,
        }
    }

    /// Takes in what happened.
    pub fn event(&mut self, event: &Event) {
        match event {
            Event::Due { class, .. } => self.classes[usize::from(class.0)].due += 1,
            Event::Sent {
                model, reserved, ..
            } => {
                let model = &mut self.models[usize::from(model.0)];
                model.sent += 1;
                model.under_way += 1;
                model.reserved += *reserved;
            }
            Event::Ended {
                at,
                class,
                model,
                reserved,
                settled,
                usage,
                failure,
                ..
            } => {
                let model = &mut self.models[usize::from(model.0)];
                model.end(*at, *reserved, *settled, *usage, *failure);
                if let Some(failure) = failure {
                    self.mishaps.add(*at, class.0, failure.name());
                }
            }
            Event::Finished(record) => self.finish(record),
            Event::Paused { at } => self.paused_since = Some(*at),
            Event::Resumed { at } => {
                self.paused_before = self.paused_for(*at);
                self.paused_since = None;
            }
        }
    }

    /// Takes in an interval that is over.
    pub fn interval(&mut self, interval: &Interval) {
        self.latency = interval.latency_p50_ns.zip(interval.latency_p99_ns);
    }

    /// Takes in what only the engine knows.
    pub fn sample(&mut self, now: Instant, engine: &Engine) {
        self.now = now;
        self.waiting = engine.waiting() as u64;
        self.under_way = u64::from(engine.in_flight());
        self.retrying = engine.retrying() as u64;
        self.spent = engine.spent();
        self.seconds.advance(now);
        for (position, model) in (0_u16..).zip(&mut self.models) {
            model.gauges.clear();
            if let Some(limiter) = engine.limiter(ModelIndex(position)) {
                model.gauges.extend(limiter.meters().gauges(now));
            }
            model.minute.advance(now);
        }
    }

    /// How long admission has been paused in all.
    pub fn paused_for(&self, now: Instant) -> Duration {
        let open = self.paused_since.map_or(Duration::ZERO, |at| now.since(at));
        self.paused_before + open
    }

    /// A count over all prompt classes.
    pub fn sum(&self, of: impl Fn(&ClassPulse) -> u64) -> u64 {
        self.classes.iter().map(of).sum()
    }

    /// Attempts that were throttled so far.
    pub fn throttled(&self) -> u64 {
        let all = Failure::ALL.iter().enumerate();
        let throttles = all.filter(|(_, failure)| failure.is_throttle());
        throttles
            .map(|(place, _)| {
                self.models
                    .iter()
                    .map(|model| model.failed[place])
                    .sum::<u64>()
            })
            .sum()
    }

    fn finish(&mut self, record: &RequestRecord) {
        let class = &mut self.classes[usize::from(record.class.0)];
        class.finish(record);
        match record.outcome {
            Outcome::Completed => {
                let latency = nanos(record.finished.since(record.due));
                self.seconds.complete(record.finished, latency);
            }
            Outcome::Failed(failure) => {
                let message = record.message.as_deref();
                self.mishaps
                    .explain(record.class.0, failure.name(), message);
            }
            Outcome::Dropped(reason) => {
                self.mishaps
                    .add(record.finished, record.class.0, reason.name());
            }
            Outcome::Cancelled => {}
        }
        if record.outcome == Outcome::Cancelled && record.attempts > record.earlier.len() as u32 {
            // It was under way and never came to its end.
            let model = &mut self.models[usize::from(record.model.0)];
            model.under_way = model.under_way.saturating_sub(1);
            model.reserved = model.reserved.saturating_sub(record.reserved);
        }
    }
}

impl ClassPulse {
    fn new(name: String, model: ModelIndex) -> Self {
        Self {
            name,
            model,
            due: 0,
            completed: 0,
            failed: 0,
            dropped: 0,
            cancelled: 0,
            latency: Buckets::default(),
            limiter_wait: Buckets::default(),
            dispatch_lag: Buckets::default(),
        }
    }

    fn finish(&mut self, record: &RequestRecord) {
        match record.outcome {
            Outcome::Completed => {
                self.completed += 1;
                self.latency.add(record.finished.since(record.due));
            }
            Outcome::Failed(_) => self.failed += 1,
            Outcome::Dropped(_) => self.dropped += 1,
            Outcome::Cancelled => self.cancelled += 1,
        }
        if let Some(admitted) = record.admitted {
            self.limiter_wait.add(admitted.since(record.due));
        }
        if let (Some(admitted), Some(sent)) = (record.last_admitted, record.sent)
            && admitted <= sent
        {
            self.dispatch_lag.add(sent.since(admitted));
        }
    }
}

impl ModelPulse {
    fn new(name: String, quota: Quota) -> Self {
        Self {
            name,
            quota,
            gauges: Vec::new(),
            sent: 0,
            answered: 0,
            failed: [0; Failure::ALL.len()],
            usage: TokenUsage::default(),
            settled: Tokens::ZERO,
            reserved: Tokens::ZERO,
            under_way: 0,
            minute: Minute::default(),
        }
    }

    fn end(
        &mut self,
        at: Instant,
        reserved: Tokens,
        settled: Tokens,
        usage: TokenUsage,
        failure: Option<Failure>,
    ) {
        self.under_way = self.under_way.saturating_sub(1);
        self.reserved = self.reserved.saturating_sub(reserved);
        self.settled += settled;
        self.usage += usage;
        match failure {
            None => self.answered += 1,
            Some(failure) => self.failed[failure as usize] += 1,
        }
        // What is throttled takes nothing of the quota.
        if !failure.is_some_and(Failure::is_throttle) {
            self.minute.add(at, settled);
        }
    }
}

#[cfg(test)]
mod tests;
