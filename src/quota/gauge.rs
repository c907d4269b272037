//! What a quota has left, for whoever watches: levels and what they can hold, now and when next.
//!
//! Promises: looking changes nothing, and tells what a decision at that instant would go by.

use super::meters::{Meter, Meters, Rule};
use super::{Dimension, signed};
use crate::time::Instant;

/// One dimension, at an instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gauge {
    /// Which.
    pub dimension: Dimension,
    /// What is left, in whole requests or tokens, rounded down; negative in debt.
    pub level: i64,
    /// The most that can be left.
    pub capacity: u64,
    /// When one request or token can be taken if nothing else is: now or before, unless the level is
    /// used up. None if that hangs on calls under way.
    pub free_at: Option<Instant>,
    /// When everything is left if nothing is taken. None if that hangs on calls under way.
    pub full_at: Option<Instant>,
}

impl Meters {
    /// Every dimension that is counted, at `now`, or at the instant last advanced to if that is later.
    pub fn gauges(&self, now: Instant) -> impl Iterator<Item = Gauge> {
        self.meters.iter().map(move |meter| meter.gauge(now))
    }
}

impl Meter {
    fn gauge(&self, now: Instant) -> Gauge {
        let level = match &self.rule {
            Rule::Bucket(bucket) => bucket.level_at(now),
            Rule::Ledger { bucket, held } => bucket.level_at(now).saturating_sub(signed(*held)),
            Rule::Rolling(window) => window.level_at(now),
            Rule::Fixed(window) => window.level_at(now),
        };
        Gauge {
            dimension: self.dimension,
            level,
            capacity: self.capacity,
            free_at: self.when_ready(1),
            full_at: self.when_ready(self.capacity),
        }
    }

    fn when_ready(&self, amount: u64) -> Option<Instant> {
        match &self.rule {
            Rule::Bucket(bucket) => bucket.ready_at(amount),
            Rule::Ledger { bucket, held } => bucket.ready_at(held.saturating_add(amount)),
            Rule::Rolling(window) => window.ready_at(amount),
            Rule::Fixed(window) => window.ready_at(amount),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::time::Duration;

    use super::super::{Cost, Enforcement, MeterSettings, Quota};
    use super::*;
    use crate::units::Tokens;

    /// Looking at a level says what advancing to that instant and asking would.
    #[test]
    fn a_gauge_shows_what_a_decision_would_go_by() {
        let quota = Quota {
            rpm: Some(60),
            tpm: Some(6_000),
            ..Quota::default()
        };
        for enforcement in Enforcement::ALL {
            let settings = MeterSettings {
                enforcement,
                burst: Duration::from_secs(10),
                ..MeterSettings::default()
            };
            let mut meters = Meters::new(quota, &settings);
            let mut levels = BTreeSet::new();
            for second in 1..=40 {
                if second % 3 == 0 {
                    meters.take(Cost::call(Tokens(700)));
                    if second % 2 == 0 {
                        meters.settle(
                            Instant::from_secs(second),
                            Cost::call(Tokens(700)),
                            Cost::call(Tokens(900)),
                        );
                    }
                }
                let later = Instant::from_millis(1_000 * second + 700);
                let shown: Vec<Gauge> = meters.gauges(later).collect();
                meters.advance(later);
                for gauge in shown {
                    levels.insert(gauge.level);
                    assert_eq!(
                        Some(gauge.level),
                        meters.level(gauge.dimension),
                        "{enforcement} {gauge:?}"
                    );
                    assert_eq!(Some(gauge.capacity), meters.capacity(gauge.dimension));
                }
                meters.advance(Instant::from_secs(second + 1));
            }
            assert!(levels.len() > 3, "{enforcement}: nothing moved");
        }
    }

    #[test]
    fn a_used_up_bucket_says_when_it_has_some_and_when_all() {
        let quota = Quota {
            tpm: Some(6_000),
            ..Quota::default()
        };
        let mut meters = Meters::new(quota, &MeterSettings::default());
        meters.take(Cost::call(Tokens(6_100)));
        let gauge = meters.gauges(Instant::ZERO).next().unwrap();
        assert_eq!(gauge.level, -100);
        assert_eq!(gauge.free_at, Some(Instant::from_millis(1_010)));
        assert_eq!(gauge.full_at, Some(Instant::from_secs(61)));
    }
}
