//! A run of bedload as a recording.

use super::recording::{Record, Recording, UNSET};
use crate::outcome::{Outcome, RequestRecord};

/// What a run's scenario says of one of its prompt classes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunClass {
    /// Its name.
    pub name: String,
    /// Its model's id.
    pub model: String,
    /// The operation, by its name in scenarios.
    pub api: &'static str,
    /// Its `max_tokens`; none where it has none.
    pub max_tokens: Option<u32>,
}

/// The requests of a run that began at `began` (nanoseconds since 1970).
///
/// A request that was not answered has no length of its own; it gets that of another of its class.
///
/// # Errors
///
/// The first that `rows` has.
pub fn of_run<E>(
    began: i64,
    classes: &[RunClass],
    rows: impl Iterator<Item = Result<RequestRecord, E>>,
) -> Result<Recording, E> {
    let mut recording = Recording::default();
    let mut numbers = Vec::new();
    for class in classes {
        let model = recording.models.number(&class.model).unwrap_or_default();
        let key = recording.keys.number(&class.name).unwrap_or_default();
        let operation = super::recording::OPERATIONS
            .iter()
            .find(|(_, api)| *api == class.api);
        recording.operation(model, operation.map_or("", |(name, _)| name));
        numbers.push((model, key));
    }
    let mut answered: Vec<Vec<(u32, u32)>> = vec![Vec::new(); classes.len()];
    let mut unanswered = Vec::new();
    for row in rows {
        let row = row?;
        let class = usize::from(row.class.0);
        let (model, key) = numbers[class];
        let at = began.saturating_add(i64::try_from(row.due.as_nanos()).unwrap_or(i64::MAX));
        let tokens = |tokens: u64| u32::try_from(tokens).unwrap_or(u32::MAX);
        let mut record = Record {
            at,
            input: tokens(row.input_estimate.0),
            output: 0,
            max_tokens: classes[class].max_tokens.unwrap_or(UNSET),
            model,
            key,
        };
        if row.outcome == Outcome::Completed {
            // Usage is of all attempts together; those that failed have little of it.
            record.input = tokens(row.usage.input.0 / u64::from(row.attempts.max(1)));
            record.output = tokens(row.usage.output.0);
            answered[class].push((record.input, record.output));
        } else {
            unanswered.push((recording.records.len(), class));
        }
        recording.records.push(record);
    }
    let mut borrowed = 0_u64;
    for (number, (place, class)) in unanswered.iter().rev().enumerate() {
        let lengths = &answered[*class];
        if lengths.is_empty() {
            recording.records.remove(*place);
            *recording
                .failed
                .entry("of classes without any answer".to_owned())
                .or_default() += 1;
        } else {
            let (input, output) = lengths[number % lengths.len()];
            let record = &mut recording.records[*place];
            (record.input, record.output) = (input, output);
            borrowed += 1;
        }
    }
    if borrowed > 0 {
        recording.note(format!(
            "{} requests were not answered; each has the lengths of another of its class",
            super::classes::count(borrowed)
        ));
    }
    recording.sort();
    Ok(recording)
}
