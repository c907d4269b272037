//! Measures a run again from its rows, for runs that never came to their end.
//!
//! Promises: every whole row of `requests.csv` is counted once, through the same recorder as when
//! the run went on, so that latencies, outcomes and attempts are those that it would have had.
//!
//! What rows cannot tell: requests that were under way when the program was killed have none, so
//! they are not counted at all; a row has the tokens and the settlement of all its attempts
//! together, and they are put to the last. The whole file is held in memory, because rows are in
//! the order of their ends and a recorder wants the order of events.

use std::path::Path;
use std::time::Duration;

use super::error::ResultsError;
use super::rows::RequestRows;
use super::run_file::Settings;
use crate::outcome::{Event, Failure, ModelIndex, Outcome, RequestRecord};
use crate::recorder::measured::Measured;
use crate::recorder::{ModelInfo, Recorder, RecorderSettings};
use crate::time::Instant;
use crate::units::{TokenUsage, Tokens};

/// What is known of a run that never came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartialNote {
    /// The requests that could be measured: those that had ended and were written.
    pub rows: u64,
    /// Whether the last row was cut off, and left out.
    pub torn_line: bool,
}

impl Settings {
    /// What a recorder needs to know of a run with these settings.
    #[must_use]
    pub fn recorder(&self, intervals: bool) -> RecorderSettings {
        RecorderSettings {
            classes: self
                .classes
                .iter()
                .map(|class| (class.name.clone(), ModelIndex(class.model)))
                .collect(),
            models: self
                .models
                .iter()
                .map(|model| ModelInfo {
                    name: model.name.clone(),
                    quota: model.quota,
                    price: model.price,
                })
                .collect(),
            duration: Duration::from_nanos(self.duration_ns),
            clock_offset: Duration::from_nanos(self.clock_offset_ns),
            streaming: self.streaming,
            intervals,
        }
    }
}

/// What the rows in a directory measure; nothing if there are none.
pub(super) fn measure_rows(
    dir: &Path,
    settings: &Settings,
) -> Result<(Option<Measured>, PartialNote), ResultsError> {
    let mut note = PartialNote {
        rows: 0,
        torn_line: false,
    };
    if !settings.request_rows {
        return Ok((None, note));
    }
    let rows = RequestRows::open(dir, settings)?;
    note.torn_line = rows.torn_line();
    let mut happened = Vec::new();
    for record in rows {
        note.rows += 1;
        events_of(record?, &mut happened);
    }
    if note.rows == 0 {
        return Ok((None, note));
    }
    // Stable, so that what happened to a request at one instant stays in its order.
    happened.sort_by_key(|(at, _)| *at);
    let mut recorder = Recorder::new(settings.recorder(false));
    let mut last = Instant::ZERO;
    for (at, event) in &happened {
        recorder.observe(event);
        last = *at;
    }
    let (measured, _) = recorder.finish(last);
    Ok((Some(measured), note))
}

/// Adds what happened to one request, with the instants at which it did.
fn events_of(record: RequestRecord, happened: &mut Vec<(Instant, Event)>) {
    let sent = |at| Event::Sent {
        at,
        class: record.class,
        model: record.model,
        reserved: record.reserved,
    };
    let ended = |at, settled, usage, failure: Option<Failure>| Event::Ended {
        at,
        class: record.class,
        model: record.model,
        reserved: record.reserved,
        settled,
        usage,
        failure,
    };
    happened.push((
        record.due,
        Event::Due {
            at: record.due,
            class: record.class,
        },
    ));
    let ended_in_last = record.attempts as usize > record.earlier.len();
    for (place, attempt) in record.earlier.iter().enumerate() {
        // When the last attempt was never made, the one before it carries the request's tokens.
        let carries = !ended_in_last && place + 1 == record.earlier.len();
        let (settled, usage) = if carries {
            (record.settled, record.usage)
        } else {
            (Tokens::ZERO, TokenUsage::default())
        };
        happened.push((attempt.sent, sent(attempt.sent)));
        let failure = Some(attempt.failure);
        happened.push((
            attempt.finished,
            ended(attempt.finished, settled, usage, failure),
        ));
    }
    if ended_in_last {
        let at = record
            .last_admitted
            .or(record.sent)
            .unwrap_or(record.finished);
        happened.push((at, sent(at)));
        let failure = match record.outcome {
            Outcome::Failed(failure) => Some(Some(failure)),
            Outcome::Completed => Some(None),
            // It was under way when the run gave up waiting, so this attempt has no end.
            Outcome::Cancelled | Outcome::Dropped(_) => None,
        };
        if let Some(failure) = failure {
            let at = record.finished;
            happened.push((at, ended(at, record.settled, record.usage, failure)));
        }
    }
    happened.push((record.finished, Event::Finished(record)));
}
