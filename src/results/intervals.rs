//! `intervals.csv`: one row for each five seconds of a run, for spreadsheets and charts.
//!
//! Promises: times are whole nanoseconds since the run began, an empty cell means "none", and the
//! counters of all rows add up to the run's totals. The histograms are in `histograms.hlog`.

use std::io::Write as _;
use std::path::Path;

use super::error::ResultsError;
use super::file;
use crate::recorder::interval::Interval;
use crate::recorder::measured::{Counts, Throttles};
use crate::time::Instant;
use crate::units::{TokenUsage, Tokens};

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

/// Every interval of a directory of results, without histograms. A last line that was cut off is left out.
pub(super) fn read(dir: &Path) -> Result<Vec<Interval>, ResultsError> {
    let path = dir.join(INTERVALS_FILE);
    let text = file::read(&path)?;
    let text = String::from_utf8_lossy(&text);
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    let malformed = |line: usize, problem: String| ResultsError::Malformed {
        path: path.clone(),
        line: line as u64,
        problem,
    };
    let mut intervals = Vec::new();
    for (number, line) in (1..).zip(whole.lines()) {
        if number == 1 {
            // Later versions may add columns behind these.
            if !line.starts_with(&COLUMNS.join(",")) {
                return Err(malformed(
                    1,
                    format!("expected the columns {}", COLUMNS.join(",")),
                ));
            }
            continue;
        }
        let read = interval(line).map_err(|problem| malformed(number, problem))?;
        intervals.push(read);
    }
    Ok(intervals)
}

fn interval(line: &str) -> Result<Interval, String> {
    let mut cells = [None; COLUMNS.len()];
    let mut found = line.split(',');
    for (cell, name) in cells.iter_mut().zip(COLUMNS) {
        let text = found
            .next()
            .ok_or_else(|| format!("there is no `{name}`"))?;
        if !text.is_empty() {
            let number = text.parse::<u64>();
            *cell = Some(
                number.map_err(|_| format!("`{name}` is `{text}`, which is no whole number"))?,
            );
        }
    }
    let known = cells.map(Option::unwrap_or_default);
    Ok(Interval {
        start: Instant::from_nanos(known[0]),
        end: Instant::from_nanos(known[1]),
        counts: Counts {
            intended: known[2],
            completed: known[3],
            failed: known[4],
            dropped: known[5],
            cancelled: known[6],
        },
        sent: known[7],
        throttled: Throttles {
            requests: known[8],
            tokens: known[9],
            tokens_per_day: known[10],
            other: known[11],
        },
        failed_attempts: known[12],
        in_flight: known[13],
        usage: TokenUsage {
            input: Tokens(known[14]),
            output: Tokens(known[15]),
            cache_read: Tokens(known[16]),
            cache_write: Tokens(known[17]),
        },
        reserved: Tokens(known[18]),
        settled: Tokens(known[19]),
        latency_p50_ns: cells[20],
        latency_p99_ns: cells[21],
        classes: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let written = Interval {
            start: Instant::from_nanos(5),
            end: Instant::from_nanos(9),
            counts: Counts {
                intended: 10,
                completed: 4,
                failed: 3,
                dropped: 2,
                cancelled: 1,
            },
            sent: 11,
            in_flight: 12,
            reserved: Tokens(13),
            settled: Tokens(14),
            latency_p50_ns: Some(15),
            ..Interval::default()
        };
        let mut file = Vec::new();
        push_header(&mut file);
        push(&mut file, &written);
        file.extend_from_slice(b"10,20,to");
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(INTERVALS_FILE), &file).unwrap();
        assert_eq!(read(dir.path()).unwrap(), [written]);

        file.extend_from_slice(b"rn\n");
        std::fs::write(dir.path().join(INTERVALS_FILE), &file).unwrap();
        let error = read(dir.path()).unwrap_err().to_string();
        assert!(
            error.ends_with("line 3: `due` is `torn`, which is no whole number"),
            "{error}"
        );
    }
}
