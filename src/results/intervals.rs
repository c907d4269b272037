//! `intervals.csv`: one row for each five seconds of a run, for spreadsheets and charts.
//!
//! Promises: times are whole nanoseconds since the run began, an empty cell means "none", and the
//! counters of all rows add up to the run's totals. The histograms are in `histograms.hlog`.

use std::io::Write as _;

use crate::recorder::interval::Interval;

/// The name of the file in its directory.
pub const INTERVALS_FILE: &str = "intervals.csv";

const COLUMNS: [&str; 22] = [
    "start_ns",
    "end_ns",
    "due",
    "completed",
    "failed",
    "dropped",
    "cancelled",
    "sent",
    "throttled_requests",
    "throttled_tokens",
    "throttled_tokens_per_day",
    "throttled_other",
    "failed_attempts",
    "in_flight",
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "reserved",
    "settled",
    "latency_p50_ns",
    "latency_p99_ns",
];

/// The first line.
pub(super) fn push_header(out: &mut Vec<u8>) {
    out.extend_from_slice(COLUMNS.join(",").as_bytes());
    out.push(b'\n');
}

/// One interval's line.
pub(super) fn push(out: &mut Vec<u8>, interval: &Interval) {
    let Interval {
        counts,
        throttled,
        usage,
        ..
    } = interval;
    let cells: [Option<u64>; COLUMNS.len()] = [
        Some(interval.start.as_nanos()),
        Some(interval.end.as_nanos()),
        Some(counts.intended),
        Some(counts.completed),
        Some(counts.failed),
        Some(counts.dropped),
        Some(counts.cancelled),
        Some(interval.sent),
        Some(throttled.requests),
        Some(throttled.tokens),
        Some(throttled.tokens_per_day),
        Some(throttled.other),
        Some(interval.failed_attempts),
        Some(interval.in_flight),
        Some(usage.input.0),
        Some(usage.output.0),
        Some(usage.cache_read.0),
        Some(usage.cache_write.0),
        Some(interval.reserved.0),
        Some(interval.settled.0),
        interval.latency_p50_ns,
        interval.latency_p99_ns,
    ];
    for (place, cell) in cells.into_iter().enumerate() {
        if place > 0 {
            out.push(b',');
        }
        if let Some(number) = cell {
            write!(out, "{number}").expect("a Vec takes everything");
        }
    }
    out.push(b'\n');
}
