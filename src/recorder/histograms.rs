//! One `HdrHistogram` for each length of time that is measured.
//!
//! Promises: nanoseconds, three significant digits, no memory for what was never recorded, and
//! merging two sets gives the set that would have recorded both.
//!
//! Deliberately not: `record_correct`. Latency starts when a request was due, so that there is no
//! coordinated omission to correct for.

use hdrhistogram::Histogram;

/// A length of time that is measured, named by its two ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Timing {
    /// Due → finished, of completed requests.
    Latency,
    /// Due → first admission by the limiter, of requests that were admitted.
    LimiterWait,
    /// Sent → finished of the last attempt, of completed requests.
    ServiceTime,
    /// Last admission → sent, of requests that were sent.
    DispatchLag,
    /// Sent → first token of the last attempt, of completed requests; streams only.
    Ttft,
}

impl Timing {
    /// Every one, in the order in which reports list them.
    pub const ALL: [Self; 5] = [
        Self::Latency,
        Self::LimiterWait,
        Self::ServiceTime,
        Self::DispatchLag,
        Self::Ttft,
    ];

    /// The name used in files, scenarios and reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Latency => "latency",
            Self::LimiterWait => "limiter_wait",
            Self::ServiceTime => "service_time",
            Self::DispatchLag => "dispatch_lag",
            Self::Ttft => "ttft",
        }
    }
}

/// A histogram for each [`Timing`] that was recorded at all.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Histograms {
    kept: [Option<Histogram<u64>>; Timing::ALL.len()],
}

impl Histograms {
    /// The histogram of one timing; none if nothing was recorded.
    #[must_use]
    pub const fn get(&self, timing: Timing) -> Option<&Histogram<u64>> {
        self.kept[timing as usize].as_ref()
    }

    /// Each timing that was recorded, with its histogram.
    pub fn iter(&self) -> impl Iterator<Item = (Timing, &Histogram<u64>)> {
        Timing::ALL
            .into_iter()
            .filter_map(|timing| Some((timing, self.get(timing)?)))
    }

    /// Adds one value, in nanoseconds.
    pub fn record(&mut self, timing: Timing, nanos: u64) {
        self.kept[timing as usize]
            .get_or_insert_with(empty)
            .saturating_record(nanos);
    }

    /// Adds everything that `other` holds.
    pub fn merge(&mut self, other: &Self) {
        for (timing, histogram) in other.iter() {
            self.kept[timing as usize]
                .get_or_insert_with(empty)
                .add(histogram)
                .expect("histograms that resize themselves hold one another");
        }
    }
}

/// A histogram that grows with what it is given.
fn empty() -> Histogram<u64> {
    Histogram::new(3).expect("three digits are within the crate's limits of 0 to 5")
}
