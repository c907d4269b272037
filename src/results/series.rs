//! A run over time, as charts want it: intervals, and how latency was distributed in and over them.
//!
//! Promises: latency is that of the histograms, merged over prompt classes and, where a run has more
//! intervals than are wanted, over neighbours: quantiles of a longer span, and not an average of shorter
//! ones'. What a directory does not hold is none.

use std::path::Path;
use std::time::Duration;

use hdrhistogram::Histogram;

use super::error::ResultsError;
use super::histograms::{HISTOGRAMS_FILE, each_histogram};
use super::intervals::{self, INTERVALS_FILE};
use crate::recorder::interval::{INTERVAL, Interval};
use crate::time::Instant;

/// A run over time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Series {
    /// Its intervals, without histograms.
    pub intervals: Vec<Interval>,
    /// How many of them each span of `latency` is made of.
    pub intervals_per_span: usize,
    /// Latency of answered requests, span by span.
    pub latency: Vec<LatencySpan>,
    /// Latency of all answered requests, in nanoseconds; none if its histograms are not there.
    pub whole: Option<Histogram<u64>>,
}

/// Latency of the requests that were answered in a span of time, however few.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LatencySpan {
    /// When the span began.
    pub start: Instant,
    /// When it ended.
    pub end: Instant,
    /// How many were answered.
    pub count: u64,
    /// Their median, in nanoseconds.
    pub p50_ns: u64,
    /// Nine of ten are no greater; none if the histograms are not there.
    pub p90_ns: Option<u64>,
    /// 99 of 100 are no greater.
    pub p99_ns: u64,
    /// The greatest; none if the histograms are not there.
    pub max_ns: Option<u64>,
}

impl Series {
    /// Reads a directory of results; latency in so many spans at most.
    pub fn read(dir: &Path, spans_max: usize) -> Result<Self, ResultsError> {
        if !dir.join(INTERVALS_FILE).is_file() {
            return Ok(Self::default());
        }
        let intervals = intervals::read(dir)?;
        let per_span = intervals.len().div_ceil(spans_max.max(1)).max(1);
        let mut series = Self {
            intervals,
            intervals_per_span: per_span,
            ..Self::default()
        };
        if !dir.join(HISTOGRAMS_FILE).is_file() {
            series.latency = series.intervals.iter().filter_map(from_interval).collect();
            series.intervals_per_span = 1;
            return Ok(series);
        }
        let mut open: Option<(usize, Histogram<u64>)> = None;
        let wanted = |tag: &str| tag.starts_with("latency.");
        each_histogram(dir, wanted, |logged| {
            // The log has milliseconds; half an interval is enough to tell which one it is.
            let middle = logged.start + INTERVAL / 2;
            let place = (middle.as_nanos() / INTERVAL.as_nanos() as u64) as usize / per_span;
            match &mut open {
                Some((of, histogram)) if *of == place => add(histogram, &logged.histogram),
                _ => {
                    let before = open.replace((place, logged.histogram));
                    series.close(before);
                }
            }
        })?;
        series.close(open);
        Ok(series)
    }

    fn close(&mut self, span: Option<(usize, Histogram<u64>)>) {
        let Some((place, histogram)) = span.filter(|(_, histogram)| !histogram.is_empty()) else {
            return;
        };
        let length =
            INTERVAL.saturating_mul(u32::try_from(self.intervals_per_span).unwrap_or(u32::MAX));
        let start = Instant::ZERO + length.saturating_mul(u32::try_from(place).unwrap_or(u32::MAX));
        let last = self.intervals.last().map_or(Instant::MAX, |last| last.end);
        self.latency.push(LatencySpan {
            start,
            end: (start + length).min(last.max(start + Duration::from_nanos(1))),
            count: histogram.len(),
            p50_ns: histogram.value_at_quantile(0.5),
            p90_ns: Some(histogram.value_at_quantile(0.9)),
            p99_ns: histogram.value_at_quantile(0.99),
            max_ns: Some(histogram.max()),
        });
        match &mut self.whole {
            Some(whole) => add(whole, &histogram),
            None => self.whole = Some(histogram),
        }
    }
}

fn add(sum: &mut Histogram<u64>, other: &Histogram<u64>) {
    // An automatic histogram grows to hold another's values; one that was read has a size of its own.
    sum.auto(true);
    sum.add(other)
        .expect("a histogram that resizes holds another's values");
}

/// What an interval's row itself tells.
fn from_interval(interval: &Interval) -> Option<LatencySpan> {
    let (p50_ns, p99_ns) = (interval.latency_p50_ns?, interval.latency_p99_ns?);
    Some(LatencySpan {
        start: interval.start,
        end: interval.end,
        count: interval.counts.completed,
        p50_ns,
        p90_ns: None,
        p99_ns,
        max_ns: None,
    })
}
