//! `histograms.hlog`: an `HdrHistogram` interval log, so that runs can be cut, merged and compared.
//!
//! Promises: each line is tagged `metric.class`, holds nanoseconds with three significant digits
//! and is compressed as `HdrHistogram`'s own tools expect it; the column for the greatest value is
//! in milliseconds, for people. Times are seconds since the run began; a run that knows when it
//! began says so in the header. A histogram without samples has no line.

use std::path::Path;
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::interval_log::{
    IntervalLogIterator, IntervalLogWriterBuilder, LogEntry, LogIteratorError, Tag,
};
use hdrhistogram::serialization::{Deserializer, V2DeflateSerializer};

use super::error::ResultsError;
use super::file;
use crate::recorder::interval::Interval;
use crate::time::Instant;

/// The name of the file in its directory.
pub const HISTOGRAMS_FILE: &str = "histograms.hlog";

/// Nanoseconds in a millisecond: what the column for people is divided by.
const MILLISECOND: f64 = 1e6;

/// One histogram of one interval, as read back.
#[derive(Clone, Debug, PartialEq)]
pub struct LoggedHistogram {
    /// What was measured and of which prompt class: `metric.class`.
    pub tag: String,
    /// When the interval began, to the millisecond.
    pub start: Instant,
    /// How long it was, to the millisecond.
    pub length: Duration,
    /// Nanoseconds.
    pub histogram: Histogram<u64>,
}

/// Every histogram of a directory of results, in the order of the log. A last line that was cut
/// off is left out.
pub fn read_histograms(dir: &Path) -> Result<Vec<LoggedHistogram>, ResultsError> {
    let mut found = Vec::new();
    each_histogram(dir, |_| true, |logged| found.push(logged))?;
    Ok(found)
}

/// Takes the histograms whose tag is wanted, one by one: those of an hour do not fit into memory together.
pub(super) fn each_histogram(
    dir: &Path,
    wanted: impl Fn(&str) -> bool,
    mut take: impl FnMut(LoggedHistogram),
) -> Result<(), ResultsError> {
    let path = dir.join(HISTOGRAMS_FILE);
    let log = file::read(&path)?;
    let whole = log
        .iter()
        .rposition(|&byte| byte == b'\n')
        .map_or(0, |newline| newline + 1);
    let malformed = |offset: usize, problem: &str| ResultsError::Malformed {
        path: path.clone(),
        line: 1 + log[..offset].iter().filter(|&&byte| byte == b'\n').count() as u64,
        problem: problem.to_owned(),
    };
    for entry in IntervalLogIterator::new(&log[..whole]) {
        let logged = match entry {
            Ok(LogEntry::Interval(logged)) => logged,
            Ok(LogEntry::StartTime(_) | LogEntry::BaseTime(_)) => continue,
            Err(LogIteratorError::ParseError { offset }) => {
                return Err(malformed(
                    offset,
                    "this is no line of an HdrHistogram interval log",
                ));
            }
        };
        let tag = logged.tag().map_or("", |tag| tag.as_str());
        if !wanted(tag) {
            continue;
        }
        let encoded = logged.encoded_histogram();
        // The text is a slice of the log, so its place in the log is the distance between them.
        let offset = encoded.as_ptr() as usize - log.as_ptr() as usize;
        let histogram = BASE64_STANDARD
            .decode(encoded)
            .ok()
            .and_then(|bytes| Deserializer::new().deserialize(&mut bytes.as_slice()).ok())
            .ok_or_else(|| malformed(offset, "the histogram cannot be decoded"))?;
        take(LoggedHistogram {
            tag: tag.to_owned(),
            start: Instant::ZERO + logged.start_timestamp(),
            length: logged.duration(),
            histogram,
        });
    }
    Ok(())
}

/// Turns intervals into lines.
pub(super) struct LogFormat {
    /// The names of the prompt classes.
    classes: Vec<String>,
    serializer: V2DeflateSerializer,
    scratch: Vec<u8>,
}

impl LogFormat {
    /// Lines for these prompt classes.
    pub(super) fn new(classes: Vec<String>) -> Self {
        Self {
            classes,
            serializer: V2DeflateSerializer::new(),
            scratch: Vec::new(),
        }
    }

    /// The comments at the top of the log. `started` is when the run began, where that is known.
    pub(super) fn push_header(&mut self, out: &mut Vec<u8>, started: Option<SystemTime>) {
        let mut header = log_builder();
        // The version that HdrHistogram's own tools look for.
        header.add_comment("[Histogram log format version 1.3]");
        header.add_comment("nanoseconds, tagged metric.class");
        if let Some(started) = started {
            header.with_start_time(started).with_base_time(started);
        }
        header
            .begin_log_with(out, &mut self.serializer)
            .expect("a Vec takes everything");
    }

    /// One interval's lines.
    pub(super) fn push(&mut self, out: &mut Vec<u8>, interval: &Interval) {
        self.scratch.clear();
        // A log writer borrows what it writes to for its whole life, and this struct cannot hold a
        // borrow of its owner. So each interval is a log of its own, without that log's header.
        let mut log = log_builder()
            .begin_log_with(&mut self.scratch, &mut self.serializer)
            .expect("a Vec takes everything");
        for (class, histograms) in self.classes.iter().zip(&interval.classes) {
            for (timing, histogram) in histograms.iter().filter(|(_, found)| !found.is_empty()) {
                let tag = format!("{}.{class}", timing.name());
                log.write_histogram(
                    histogram,
                    interval.start - Instant::ZERO,
                    interval.end - interval.start,
                    Tag::new(&tag),
                )
                .expect("a Vec takes everything, and a histogram of u64 has a serialised form");
            }
        }
        let header = self
            .scratch
            .iter()
            .position(|&byte| byte == b'\n')
            .map_or(0, |end| end + 1);
        out.extend_from_slice(&self.scratch[header..]);
    }
}

/// A log whose header is one line: what the column for people is divided by.
fn log_builder() -> IntervalLogWriterBuilder {
    let mut builder = IntervalLogWriterBuilder::new();
    builder.with_max_value_divisor(MILLISECOND);
    builder
}
