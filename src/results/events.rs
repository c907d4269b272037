//! What happens in a run, line by line, for programs that follow it: JSON objects, one a line.
//!
//! Promises: the first line says what is run and the last how it ended; each line has `kind` and
//! `at_ns`; times are whole nanoseconds since the run began, tokens are whole; prompt classes, models,
//! failures and outcomes have the names that scenarios and `requests.csv` have. From the lines alone
//! intended = completed + failed + dropped + cancelled can be counted again. `docs/events.md` lists
//! the fields.
//!
//! Deliberately not: prompts, answers, credentials. The service's words about a failure are there, as
//! in `requests.csv`.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::outcome::{Event, RequestRecord};
use crate::recorder::interval::Interval;
use crate::recorder::measured::Counts;
use crate::results::{RunState, Target};
use crate::time::Instant;
use crate::units::{TokenUsage, Tokens};

/// The version of the format that is written. It grows when a field changes its meaning or goes away.
pub const EVENTS_VERSION: u32 = 1;

/// One line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum EventLine<'a> {
    /// The first line.
    Run {
        /// Zero.
        at_ns: u64,
        /// The version of this format: 1.
        events_version: u32,
        /// The scenario's name.
        scenario: Cow<'a, str>,
        /// Where requests go.
        target: Target,
        /// What the run's randomness is made from.
        seed: u64,
        /// When it began, by RFC 3339; none in virtual time.
        started: Option<Cow<'a, str>>,
        /// How long requests become due.
        duration_ns: u64,
        /// The prompt classes, in the scenario's order.
        classes: Vec<Cow<'a, str>>,
        /// The models, in the scenario's order.
        models: Vec<Cow<'a, str>>,
    },
    /// A request became due.
    Due {
        /// When.
        at_ns: u64,
        /// Its prompt class.
        class: Cow<'a, str>,
    },
    /// An attempt was handed over to be sent.
    Sent {
        /// When it was admitted.
        at_ns: u64,
        /// Its prompt class.
        class: Cow<'a, str>,
        /// Its model.
        model: Cow<'a, str>,
        /// What it reserves of the tokens-per-minute quota.
        reserved: Tokens,
    },
    /// An attempt came to its end.
    Ended {
        /// When.
        at_ns: u64,
        /// Its prompt class.
        class: Cow<'a, str>,
        /// Its model.
        model: Cow<'a, str>,
        /// What it had reserved.
        reserved: Tokens,
        /// What it cost against the tokens-per-minute quota.
        settled: Tokens,
        /// Tokens by the service's count.
        usage: TokenUsage,
        /// How it failed; none if it was answered.
        failure: Option<Cow<'a, str>>,
    },
    /// A request came to its end.
    Finished(Box<FinishedLine<'a>>),
    /// Five seconds are over.
    Interval(Box<IntervalLine>),
    /// Somebody paused the run: nothing is admitted.
    Paused {
        /// When.
        at_ns: u64,
    },
    /// Admission goes on.
    Resumed {
        /// When.
        at_ns: u64,
    },
    /// Whoever reads was too slow: lines before this one are missing.
    Lost {
        /// When that was noticed.
        at_ns: u64,
        /// How many.
        lines: u64,
    },
    /// The last line.
    End {
        /// When the run ended.
        at_ns: u64,
        /// How far it came.
        state: RunState,
        /// Requests by how they ended, as in `run.json`.
        counts: Counts,
    },
}

/// A request that came to its end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FinishedLine<'a> {
    /// When.
    pub at_ns: u64,
    /// Its number, from 0 in due order.
    pub id: u64,
    /// Its prompt class.
    pub class: Cow<'a, str>,
    /// Its model.
    pub model: Cow<'a, str>,
    /// `completed`, `failed`, `dropped` or `cancelled`.
    pub outcome: Cow<'a, str>,
    /// The class of the failure, or why it was dropped.
    pub reason: Option<Cow<'a, str>>,
    /// Attempts that were sent.
    pub attempts: u32,
    /// When it should have started.
    pub due_ns: u64,
    /// When the limiter first let it go.
    pub admitted_ns: Option<u64>,
    /// When its last attempt was really begun.
    pub sent_ns: Option<u64>,
    /// When the first token of its last attempt came; streams only.
    pub first_token_ns: Option<u64>,
    /// Tokens by the service's count, over all attempts.
    pub usage: TokenUsage,
    /// What all attempts cost against the tokens-per-minute quota.
    pub settled: Tokens,
    /// The service's words about its last failure.
    pub message: Option<Cow<'a, str>>,
}

/// Five seconds that are over, as in `intervals.csv`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IntervalLine {
    /// When it ended.
    pub at_ns: u64,
    /// When it began.
    pub start_ns: u64,
    /// Requests that became due or ended in it.
    pub counts: Counts,
    /// Attempts that were sent in it.
    pub sent: u64,
    /// Attempts that were throttled in it.
    pub throttled: u64,
    /// Attempts that failed in it in any other way.
    pub failed_attempts: u64,
    /// Attempts under way when it ended.
    pub in_flight: u64,
    /// Tokens by the service's count, of attempts that ended in it.
    pub usage: TokenUsage,
    /// Tokens settled by attempts that ended in it.
    pub settled: Tokens,
    /// Median latency of requests that completed in it.
    pub latency_p50_ns: Option<u64>,
    /// Their latency's 99th percentile, however few they were.
    pub latency_p99_ns: Option<u64>,
}

/// The names that lines carry, by position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names {
    /// Prompt classes.
    pub classes: Vec<String>,
    /// Models.
    pub models: Vec<String>,
}

impl Names {
    /// The line of an event.
    ///
    /// # Panics
    /// If the event is of a prompt class or a model that has no name here.
    #[must_use]
    pub fn line<'a>(&'a self, event: &'a Event) -> EventLine<'a> {
        match event {
            Event::Due { at, class } => EventLine::Due {
                at_ns: at.as_nanos(),
                class: name(&self.classes, class.0),
            },
            Event::Sent {
                at,
                class,
                model,
                reserved,
                ..
            } => EventLine::Sent {
                at_ns: at.as_nanos(),
                class: name(&self.classes, class.0),
                model: name(&self.models, model.0),
                reserved: *reserved,
            },
            Event::Ended {
                at,
                class,
                model,
                reserved,
                settled,
                usage,
                failure,
                ..
            } => EventLine::Ended {
                at_ns: at.as_nanos(),
                class: name(&self.classes, class.0),
                model: name(&self.models, model.0),
                reserved: *reserved,
                settled: *settled,
                usage: *usage,
                failure: failure.map(|failure| Cow::Borrowed(failure.name())),
            },
            Event::Finished(record) => EventLine::Finished(Box::new(self.finished(record))),
            Event::Paused { at } => EventLine::Paused {
                at_ns: at.as_nanos(),
            },
            Event::Resumed { at } => EventLine::Resumed {
                at_ns: at.as_nanos(),
            },
        }
    }

    fn finished<'a>(&'a self, record: &'a RequestRecord) -> FinishedLine<'a> {
        FinishedLine {
            at_ns: record.finished.as_nanos(),
            id: record.id,
            class: name(&self.classes, record.class.0),
            model: name(&self.models, record.model.0),
            outcome: Cow::Borrowed(record.outcome.name()),
            reason: record.outcome.reason().map(Cow::Borrowed),
            attempts: record.attempts,
            due_ns: record.due.as_nanos(),
            admitted_ns: record.admitted.map(Instant::as_nanos),
            sent_ns: record.sent.map(Instant::as_nanos),
            first_token_ns: record.first_token.map(Instant::as_nanos),
            usage: record.usage,
            settled: record.settled,
            message: record.message.as_deref().map(Cow::Borrowed),
        }
    }
}

impl From<&Interval> for EventLine<'_> {
    fn from(interval: &Interval) -> Self {
        Self::Interval(Box::new(IntervalLine {
            at_ns: interval.end.as_nanos(),
            start_ns: interval.start.as_nanos(),
            counts: interval.counts,
            sent: interval.sent,
            throttled: interval.throttled.total(),
            failed_attempts: interval.failed_attempts,
            in_flight: interval.in_flight,
            usage: interval.usage,
            settled: interval.settled,
            latency_p50_ns: interval.latency_p50_ns,
            latency_p99_ns: interval.latency_p99_ns,
        }))
    }
}

impl EventLine<'_> {
    /// Appends the line, with its end.
    pub fn push(&self, out: &mut Vec<u8>) {
        serde_json::to_writer(&mut *out, self)
            .expect("lines are made of structs, strings and numbers, which all have a JSON form");
        out.push(b'\n');
    }
}

fn name(names: &[String], position: u16) -> Cow<'_, str> {
    Cow::Borrowed(&names[usize::from(position)])
}
