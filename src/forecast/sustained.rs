//! The rate that a quota sustains while requests are always waiting, for each way to count it.
//!
//! Promises: closed forms, with R reserved, S settled, a holding time W, a limit Q per period P, and a
//! capacity or window T of which Q·T/P may be spent at once:
//!
//! | | requests per second |
//! |---|---|
//! | bucket | Q / (P·S) |
//! | ledger | min(Q / (P·S), ⌊(Q·T/P) / R⌋ / W) |
//! | rolling | (Q·T/P) / (W·R + (T − W)·S), W at most T |
//! | fixed | not above bucket; how far below, only a simulation tells |
//!
//! W is a mean here, and the ledger's slots count requests of one size: for mixes of very different
//! requests the result is an estimate.

use std::time::Duration;

use crate::quota::{Dimension, Enforcement, MeterSettings};

/// What one request takes of one dimension.
#[derive(Clone, Copy, Debug)]
pub(super) struct Take {
    /// While it is under way, in requests or tokens.
    pub reserved: f64,
    /// In the end.
    pub settled: f64,
    /// For how long it is under way, in seconds.
    pub held: f64,
}

/// The requests per minute that `limit` sustains in `dimension`.
pub(super) fn sustained_per_minute(
    dimension: Dimension,
    limit: u64,
    settings: &MeterSettings,
    take: Take,
) -> f64 {
    let period = Duration::from_nanos(dimension.period_nanos()).as_secs_f64();
    let limit = limit as f64;
    let bucket = limit / (period * take.settled);
    // The settings say how much may be spent at once in minutes, which are days for a day's quota.
    let window = settings.burst.as_secs_f64() * period / 60.0;
    let capacity = (limit * window / period).floor();
    let per_second = match settings.enforcement {
        Enforcement::Ledger if dimension != Dimension::Rpm => {
            let slots = (capacity / take.reserved).floor();
            bucket.min(slots / take.held)
        }
        Enforcement::Bucket | Enforcement::Ledger | Enforcement::Fixed => bucket,
        Enforcement::Rolling => {
            let held = take.held.min(window);
            capacity / (held * take.reserved + (window - held) * take.settled)
        }
    };
    per_second * 60.0
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The chat mix: 1,155 tokens in, 211 out at burndown 5, 3.5 s, 3 M TPM, `max_tokens` 64,000.
    #[test]
    fn the_chat_mix_as_published() {
        let per_minute = |enforcement| {
            let settings = MeterSettings {
                enforcement,
                ..MeterSettings::default()
            };
            let take = Take {
                reserved: 65_155.0,
                settled: 2_210.0,
                held: 3.5,
            };
            sustained_per_minute(Dimension::Tpm, 3_000_000, &settings, take).round()
        };
        assert_eq!(
            Enforcement::ALL.map(per_minute),
            [1_357.0, 789.0, 510.0, 1_357.0]
        );
    }
}
