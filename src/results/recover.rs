//! Measures a run again from its rows, for runs that never came to their end.
//!
//! Promises: every whole row of `requests.csv` is counted once, through the same recorder as when
//! the run went on, so that latencies, outcomes and attempts are those that it would have had.
//!
//! What rows cannot tell: requests that were under way when the program was killed have none, so
//! they are not counted at all; a row has the tokens and the settlement of all its attempts
//! together, and they are put to the last; nor can rows tell whether the run was paused. The whole
//! file is held in memory, because rows are in the order of their ends and a recorder wants the
//! order of events.

use std::path::Path;
use std::time::Duration;

use super::error::ResultsError;
use super::rows::RequestRows;
use super::run_file::Settings;
use crate::outcome::{Event, Failure, ModelIndex, Outcome, RequestRecord};
use crate::recorder::{Conclusion, ModelInfo, Recorder, RecorderSettings};
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
            warm_up: Duration::from_nanos(self.warm_up_ns),
            streaming: self.streaming,
            intervals,
        }
    }
}

/// What the rows in a directory measure; nothing if there are none.
pub(super) fn measure_rows(
    dir: &Path,
    settings: &Settings,
) -> Result<(Option<Conclusion>, PartialNote), ResultsError> {
    let mut note = PartialNote {
        rows: 0,
        torn_line: false,
    };
    if !settings.request_rows {
        return Ok((None, note));
    }
    let rows = RequestRows::open(dir, settings)?;
    note.torn_line = rows.torn_line();
    let records: Vec<RequestRecord> = rows.collect::<Result<_, _>>()?;
    note.rows = records.len() as u64;
    let measured = (!records.is_empty()).then(|| measure(&records, settings));
    Ok((measured, note))
}

fn measure(records: &[RequestRecord], settings: &Settings) -> Conclusion {
    let mut steps = Vec::with_capacity(4 * records.len());
    for (place, record) in records.iter().enumerate() {
        push_steps(record, |at, step| steps.push((at, place, step)));
    }
    // Stable, so that what happened to a request at one instant stays in its order.
    steps.sort_by_key(|&(at, ..)| at);
    let mut recorder = Recorder::new(settings.recorder(false));
    for &(at, place, step) in &steps {
        recorder.observe(&event(&records[place], at, step));
    }
    let end = steps.last().map_or(Instant::ZERO, |&(at, ..)| at);
    recorder.conclude(end, &[])
}

/// Something that happened to a request. Steps are sorted in place of events, which are ten times
/// as large.
#[derive(Clone, Copy, Debug)]
enum Step {
    Due,
    Sent,
    /// An attempt ended; `carries` if it is the request's last, which has the tokens of all.
    Ended {
        failure: Option<Failure>,
        carries: bool,
    },
    Finished,
}

/// What happened to one request, in order.
fn push_steps(record: &RequestRecord, mut push: impl FnMut(Instant, Step)) {
    push(record.due, Step::Due);
    let last_was_made = record.attempts as usize > record.earlier.len();
    for (place, attempt) in record.earlier.iter().enumerate() {
        push(attempt.sent, Step::Sent);
        let ended = Step::Ended {
            failure: Some(attempt.failure),
            carries: !last_was_made && place + 1 == record.earlier.len(),
        };
        push(attempt.finished, ended);
    }
    if last_was_made {
        let admitted = record.last_admitted.or(record.sent);
        push(admitted.unwrap_or(record.finished), Step::Sent);
        let failure = match record.outcome {
            Outcome::Failed(failure) => Some(Some(failure)),
            Outcome::Completed => Some(None),
            // It was under way when the run gave up waiting, so this attempt has no end.
            Outcome::Cancelled | Outcome::Dropped(_) => None,
        };
        if let Some(failure) = failure {
            let carries = true;
            push(record.finished, Step::Ended { failure, carries });
        }
    }
    push(record.finished, Step::Finished);
}

fn event(record: &RequestRecord, at: Instant, step: Step) -> Event {
    let (class, model, reserved) = (record.class, record.model, record.reserved);
    let due = record.due;
    match step {
        Step::Due => Event::Due { at, class },
        Step::Sent => Event::Sent {
            at,
            due,
            class,
            model,
            reserved,
        },
        Step::Ended { failure, carries } => {
            let (settled, usage) = if carries {
                (record.settled, record.usage)
            } else {
                (Tokens::ZERO, TokenUsage::default())
            };
            Event::Ended {
                at,
                due,
                class,
                model,
                reserved,
                settled,
                usage,
                failure,
            }
        }
        Step::Finished => Event::Finished(record.clone()),
    }
}
