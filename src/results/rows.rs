//! `requests.csv`: one row for each request, in the order in which they ended.
//!
//! Promises: a row carries all of a [`RequestRecord`] (a message without its control characters and
//! after 400 bytes cut off); a row is one line, so that a file cut off anywhere loses only its last
//! line; writing a row allocates nothing. Times are whole nanoseconds since the run began, and an
//! empty cell means "never" or "none".
//!
//! Readers find columns by name, so that later versions may add some.

mod reader;

pub use reader::RequestRows;

use super::run_file::Settings;
use crate::outcome::{EarlierAttempt, RequestRecord};
use crate::time::Instant;

/// The name of the file in its directory.
pub const REQUESTS_FILE: &str = "requests.csv";

/// The longest message that is kept, in bytes.
const MESSAGE_BYTES: usize = 400;

/// The columns, in the order in which they are written.
const COLUMNS: [&str; 21] = [
    "id",
    "class",
    "model",
    "due_ns",
    "admitted_ns",
    "last_admitted_ns",
    "sent_ns",
    "first_token_ns",
    "finished_ns",
    "outcome",
    "reason",
    "attempts",
    "input_estimate",
    "reserved",
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "settled",
    "earlier",
    "message",
];

/// Turns records into rows. The names of classes and models are escaped once.
#[derive(Debug)]
pub(super) struct RowFormat {
    classes: Vec<Vec<u8>>,
    models: Vec<Vec<u8>>,
}

impl RowFormat {
    /// Rows with the names of these settings.
    pub(super) fn new(settings: &Settings) -> Self {
        let escaped = |name: &str| {
            let mut cell = Vec::new();
            push_text(&mut cell, name);
            cell
        };
        Self {
            classes: settings
                .classes
                .iter()
                .map(|class| escaped(&class.name))
                .collect(),
            models: settings
                .models
                .iter()
                .map(|model| escaped(&model.name))
                .collect(),
        }
    }

    /// The first line.
    pub(super) fn push_header(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(COLUMNS.join(",").as_bytes());
        out.push(b'\n');
    }

    /// One record's line.
    pub(super) fn push(&self, out: &mut Vec<u8>, record: &RequestRecord) {
        push_number(out, record.id);
        out.push(b',');
        out.extend_from_slice(&self.classes[usize::from(record.class.0)]);
        out.push(b',');
        out.extend_from_slice(&self.models[usize::from(record.model.0)]);
        push_time(out, Some(record.due));
        push_time(out, record.admitted);
        push_time(out, record.last_admitted);
        push_time(out, record.sent);
        push_time(out, record.first_token);
        push_time(out, Some(record.finished));
        out.push(b',');
        out.extend_from_slice(record.outcome.name().as_bytes());
        out.push(b',');
        out.extend_from_slice(record.outcome.reason().unwrap_or_default().as_bytes());
        for count in [
            u64::from(record.attempts),
            record.input_estimate.0,
            record.reserved.0,
            record.usage.input.0,
            record.usage.output.0,
            record.usage.cache_read.0,
            record.usage.cache_write.0,
            record.settled.0,
        ] {
            out.push(b',');
            push_number(out, count);
        }
        out.push(b',');
        push_earlier(out, &record.earlier);
        out.push(b',');
        let message = record.message.as_deref().unwrap_or_default();
        push_text(out, &message[..message.floor_char_boundary(MESSAGE_BYTES)]);
        out.push(b'\n');
    }
}

fn push_number(out: &mut Vec<u8>, mut value: u64) {
    let mut digits = [0; 20];
    let mut start = digits.len();
    loop {
        start -= 1;
        digits[start] = b'0' + (value % 10) as u8;
        value /= 10;
        if value == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[start..]);
}

/// A comma, and the time if there is one.
fn push_time(out: &mut Vec<u8>, time: Option<Instant>) {
    out.push(b',');
    if let Some(time) = time {
        push_number(out, time.as_nanos());
    }
}

/// `sent-finished:failure`, separated by semicolons.
fn push_earlier(out: &mut Vec<u8>, earlier: &[EarlierAttempt]) {
    for (place, attempt) in earlier.iter().enumerate() {
        if place > 0 {
            out.push(b';');
        }
        push_number(out, attempt.sent.as_nanos());
        out.push(b'-');
        push_number(out, attempt.finished.as_nanos());
        out.push(b':');
        out.extend_from_slice(attempt.failure.name().as_bytes());
    }
}

/// Text as one cell on one line: control characters become spaces, quotes are doubled.
fn push_text(out: &mut Vec<u8>, text: &str) {
    let plain = |character: char| !matches!(character, ',' | '"') && !character.is_control();
    if text.chars().all(plain) {
        out.extend_from_slice(text.as_bytes());
        return;
    }
    out.push(b'"');
    for character in text.chars() {
        match character {
            '"' => out.extend_from_slice(b"\"\""),
            control if control.is_control() => out.push(b' '),
            other => out.extend_from_slice(other.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests;
