//! The rate that a quota sustains while requests are always waiting, for each way to count it.
//!
//! Promises: closed forms over a mix of calls, each of which reserves R, settles S and lasts W, with a
//! limit Q per period P, and a capacity or window T of which C = Q·T/P may be spent at once:
//!
//! | | requests per second |
//! |---|---|
//! | bucket | Q / (P·E\[S\]) |
//! | ledger | min(Q / (P·E\[S\]), C′ / E\[R·W\]) |
//! | rolling | C′ / E\[W·R + (T − W)·S\], W at most T; if S is above R, as `fixed` |
//! | fixed | n / T, where n solves C = ∫ g(t − s) dn(s) from an empty window on |
//!
//! C′ is what reservations can fill of C: whole slots, ⌊C/R⌋·R, if all are of one size, else C less the
//! mean gap before the one that waits, E\[R²\] / 2E\[R\]. Under `fixed` calls that come back within the
//! window let others in: g(a) = E\[R; W > a\] + E\[S; W ≤ a\] is what a call of age a is charged, and the
//! window admits whatever keeps the sum at C. Calls of one size and length come in waves of whole calls.
//!
//! Where they hold to within a few per cent, and where not, `tests/plan.rs` measures.

use std::time::Duration;

use crate::distribution::Distribution;
use crate::quota::{Counting, Dimension, Enforcement, MeterSettings};
use crate::units::Tokens;

/// Points at which a distribution's quantiles are read to average over it.
const POINTS: usize = 2000;

/// Steps of so many through the points pair inputs with outputs evenly: near the golden ratio's part of
/// [`POINTS`], and without a common factor, so that each input comes once.
const SHUFFLE: usize = 1_237;

/// More waves than this in a window are as good as a steady flow.
const WAVES_MAX: f64 = 100_000.0;

/// Steps in which a window is solved.
const STEPS: usize = 600;

/// A length of one kind of call.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shape {
    /// Input tokens.
    pub input: f64,
    /// Output tokens, were there no `max_tokens`.
    pub output: f64,
    /// What is reserved for output, and where the answer is cut off.
    pub cap: f64,
    /// How often it comes, against the sum of all.
    pub weight: f64,
}

/// The calls to one model: their lengths, and how fast they are answered.
#[derive(Clone, Debug, PartialEq)]
pub struct Calls {
    /// Their lengths.
    pub shapes: Vec<Shape>,
    /// Mean seconds to the first token.
    pub first_token: f64,
    /// Output tokens per second; zero takes no time.
    pub output_rate: f64,
}

/// Lengths that are drawn apart, as points that stand for them evenly.
#[must_use]
pub fn points(input: &Distribution, output: &Distribution) -> Vec<(f64, f64)> {
    if let (Distribution::Constant(input), Distribution::Constant(output)) = (input, output) {
        return vec![(*input as f64, *output as f64)];
    }
    let inputs = quantiles(input);
    let outputs = quantiles(output);
    (0..POINTS)
        .map(|place| (inputs[place * SHUFFLE % POINTS], outputs[place]))
        .collect()
}

/// Values that stand for a distribution evenly, with its very mean.
fn quantiles(distribution: &Distribution) -> Vec<f64> {
    let mut values = raw_quantiles(distribution);
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    if mean > 0.0 {
        let scale = distribution.mean() / mean;
        values.iter_mut().for_each(|value| *value *= scale);
    }
    values
}

fn raw_quantiles(distribution: &Distribution) -> Vec<f64> {
    if let Distribution::Empirical(values) = distribution {
        // Sorted once, not once for each point.
        let mut values = values.clone();
        values.sort_unstable();
        let pick = |place: usize| values[place * values.len() / POINTS] as f64;
        return (0..POINTS).map(pick).collect();
    }
    let at = |place: usize| (place as f64 + 0.5) / POINTS as f64;
    (0..POINTS)
        .map(|place| distribution.quantile(at(place)) as f64)
        .collect()
}

/// What calls take of one dimension: means over the mix.
#[derive(Clone, Debug, PartialEq)]
pub struct Take {
    /// E\[R\]: while under way, in requests or tokens.
    pub reserved: f64,
    /// E\[S\]: in the end.
    pub settled: f64,
    /// E\[W\]: for how long it is under way, in seconds.
    pub held: f64,
    /// E\[R·W\].
    reserved_held: f64,
    /// E\[R·W − S·W\] with W cut at the window, for a window of this many seconds.
    window: f64,
    excess_held: f64,
    /// E\[R²\].
    reserved_squared: f64,
    /// Whether all reserve the same.
    uniform: bool,
    /// Whether all take the same time as well.
    identical: bool,
    /// g at each step of the window; empty where no window needs it.
    charged: Vec<f64>,
}

impl Calls {
    /// The share of all weights.
    #[must_use]
    pub fn weight(&self) -> f64 {
        self.shapes.iter().map(|shape| shape.weight).sum()
    }

    /// A mean over the mix; zero for no calls.
    #[must_use]
    pub fn mean(&self, value: impl Fn(&Shape) -> f64) -> f64 {
        let weight = self.weight();
        if weight <= 0.0 {
            return 0.0;
        }
        let sum: f64 = self
            .shapes
            .iter()
            .map(|shape| shape.weight * value(shape))
            .sum();
        sum / weight
    }

    /// For how many seconds a call is under way.
    #[must_use]
    pub fn held(&self, shape: &Shape) -> f64 {
        let output = shape.output.min(shape.cap);
        if self.output_rate <= 0.0 {
            self.first_token
        } else {
            self.first_token + output / self.output_rate
        }
    }

    /// The same calls with another `max_tokens`.
    #[must_use]
    pub fn capped(&self, cap: Tokens) -> Self {
        let mut calls = self.clone();
        for shape in &mut calls.shapes {
            shape.cap = cap.0 as f64;
        }
        calls
    }

    /// The share of answers that `max_tokens` cuts off.
    #[must_use]
    pub fn cut_off(&self) -> f64 {
        self.mean(|shape| if shape.output > shape.cap { 1.0 } else { 0.0 })
    }

    /// The output tokens that a share `q` of answers does not exceed.
    #[must_use]
    pub fn output_quantile(&self, q: f64) -> f64 {
        let mut outputs: Vec<(f64, f64)> = self
            .shapes
            .iter()
            .map(|shape| (shape.output, shape.weight))
            .collect();
        outputs.sort_by(|left, right| left.0.total_cmp(&right.0));
        let wanted = q * self.weight();
        let mut reached = 0.0;
        for (output, weight) in &outputs {
            reached += weight;
            if reached >= wanted {
                return *output;
            }
        }
        outputs.last().map_or(0.0, |(output, _)| *output)
    }

    /// What they take of `dimension`, with what `settings` need to know of it.
    #[must_use]
    pub fn take(
        &self,
        dimension: Dimension,
        counting: &Counting,
        settings: &MeterSettings,
    ) -> Take {
        let window = window(dimension, settings);
        let cost = |shape: &Shape| cost(shape, dimension, counting);
        let reserved = self.mean(|shape| cost(shape).0);
        let mut sizes = self.shapes.iter().map(|shape| cost(shape).0);
        let first = sizes.next();
        let uniform = sizes.all(|size| Some(size) == first);
        let mut times = self.shapes.iter().map(|shape| self.held(shape));
        let first = times.next();
        let identical = uniform && times.all(|held| Some(held) == first);
        let settled = self.mean(|shape| cost(shape).1);
        let windowed = match settings.enforcement {
            Enforcement::Fixed => !identical,
            Enforcement::Rolling => settled > reserved && !identical,
            Enforcement::Bucket | Enforcement::Ledger => false,
        };
        Take {
            reserved,
            settled,
            held: self.mean(|shape| self.held(shape)),
            reserved_held: self.mean(|shape| cost(shape).0 * self.held(shape)),
            window,
            excess_held: self.mean(|shape| {
                let (reserved, settled) = cost(shape);
                (reserved - settled) * self.held(shape).min(window)
            }),
            reserved_squared: self.mean(|shape| cost(shape).0.powi(2)),
            uniform,
            identical,
            charged: if windowed {
                self.charged(window, cost)
            } else {
                Vec::new()
            },
        }
    }

    /// What a call is charged on average at each of [`STEPS`] ages up to `window` seconds.
    fn charged(&self, window: f64, cost: impl Fn(&Shape) -> (f64, f64)) -> Vec<f64> {
        let mut charged = vec![0.0; STEPS];
        for shape in &self.shapes {
            let (reserved, settled) = cost(shape);
            let back = (self.held(shape) / window * STEPS as f64) as usize;
            for (age, charge) in charged.iter_mut().enumerate() {
                *charge += shape.weight * if age > back { settled } else { reserved };
            }
        }
        let weight = self.weight();
        charged.iter_mut().for_each(|charge| *charge /= weight);
        charged
    }
}

/// What one call reserves and settles.
fn cost(shape: &Shape, dimension: Dimension, counting: &Counting) -> (f64, f64) {
    let burndown = f64::from(counting.burndown);
    let reserved_burndown = if counting.reserves_burndown {
        burndown
    } else {
        1.0
    };
    let output = shape.output.min(shape.cap);
    match dimension {
        Dimension::Rpm => (1.0, 1.0),
        Dimension::Tpm | Dimension::Tpd => (
            shape.input + shape.cap * reserved_burndown,
            shape.input + output * burndown,
        ),
        Dimension::InputTpm => (shape.input, shape.input),
        Dimension::OutputTpm => (shape.cap, output),
    }
}

/// Seconds in the period of a dimension.
fn period(dimension: Dimension) -> f64 {
    Duration::from_nanos(dimension.period_nanos()).as_secs_f64()
}

/// Seconds of quota that may be spent at once. Settings say it in minutes, which are days for a day's.
fn window(dimension: Dimension, settings: &MeterSettings) -> f64 {
    settings.burst.as_secs_f64() * period(dimension) / 60.0
}

/// How many requests or tokens may be spent at once.
#[must_use]
pub fn capacity(dimension: Dimension, limit: u64, settings: &MeterSettings) -> f64 {
    (limit as f64 * window(dimension, settings) / period(dimension)).floor()
}

/// The requests per minute that `limit` sustains in `dimension`; infinite where calls take nothing.
#[must_use]
pub fn per_minute(dimension: Dimension, limit: u64, settings: &MeterSettings, take: &Take) -> f64 {
    let bucket = limit as f64 / (period(dimension) * take.settled);
    let capacity = capacity(dimension, limit, settings);
    let per_second = match settings.enforcement {
        Enforcement::Ledger if dimension != Dimension::Rpm => {
            bucket.min(filled(capacity, take) / take.reserved_held)
        }
        Enforcement::Bucket | Enforcement::Ledger => bucket,
        Enforcement::Fixed => admitted(capacity, take) / take.window,
        // What has come back is charged more than it had reserved: once a window is over-full, nothing
        // goes before it is empty again, which is a fixed window.
        Enforcement::Rolling if take.settled > take.reserved => {
            admitted(capacity, take) / take.window
        }
        Enforcement::Rolling => {
            filled(capacity, take) / (take.excess_held + take.window * take.settled)
        }
    };
    per_second * 60.0
}

/// What reservations can fill of a capacity.
fn filled(capacity: f64, take: &Take) -> f64 {
    if take.uniform && take.reserved > 0.0 {
        return (capacity / take.reserved).floor() * take.reserved;
    }
    (capacity - take.reserved_squared / (2.0 * take.reserved)).max(0.0)
}

/// How many calls a window lets in that begins with none.
fn admitted(capacity: f64, take: &Take) -> f64 {
    if take.identical {
        return waves(capacity, take);
    }
    let mut starts: Vec<f64> = Vec::with_capacity(STEPS);
    for step in 0..STEPS {
        let earlier = starts.iter().enumerate();
        let held: f64 = earlier
            .map(|(began, calls)| calls * take.charged[step - began])
            .sum();
        starts.push(((capacity - held) / take.charged[0]).max(0.0));
    }
    starts.iter().sum()
}

/// As many as fit, then as many as those make room for that have come back, and so on.
fn waves(capacity: f64, take: &Take) -> f64 {
    let waves = (take.window / take.held).ceil();
    if !waves.is_finite() || waves > WAVES_MAX {
        return capacity / take.settled;
    }
    let mut admitted = 0.0;
    for _ in 0..waves as u64 {
        let more = ((capacity - admitted * take.settled) / take.reserved).floor();
        if more < 1.0 {
            break;
        }
        admitted += more;
    }
    admitted
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The chat mix: 1,155 tokens in, 211 out at burndown 5, 3.5 s, 3 M TPM, `max_tokens` 64,000.
    fn chat() -> Calls {
        Calls {
            shapes: vec![Shape {
                input: 1_155.0,
                output: 211.0,
                cap: 64_000.0,
                weight: 2.0,
            }],
            first_token: 3.5,
            output_rate: 0.0,
        }
    }

    #[test]
    fn the_chat_mix_as_published() {
        let rate = |enforcement| {
            let settings = MeterSettings {
                enforcement,
                ..MeterSettings::default()
            };
            let take = chat().take(Dimension::Tpm, &Counting::documented(5), &settings);
            per_minute(Dimension::Tpm, 3_000_000, &settings, &take).round()
        };
        assert_eq!(
            [
                Enforcement::Bucket,
                Enforcement::Ledger,
                Enforcement::Rolling
            ]
            .map(rate),
            [1_357.0, 789.0, 510.0]
        );
    }

    #[test]
    fn requests_are_sustained_at_their_limit_however_they_are_counted() {
        for enforcement in Enforcement::ALL {
            let settings = MeterSettings {
                enforcement,
                ..MeterSettings::default()
            };
            let take = chat().take(Dimension::Rpm, &Counting::documented(5), &settings);
            let rate = per_minute(Dimension::Rpm, 600, &settings, &take);
            assert!((rate - 600.0).abs() < 1e-6, "{enforcement}: {rate}");
        }
    }

    #[test]
    fn points_have_the_means_of_what_they_stand_for() {
        let input = Distribution::Lognormal {
            median: 1_800.0,
            p95: 6_000.0,
        };
        let output = Distribution::Uniform { min: 1, max: 999 };
        let points = points(&input, &output);
        let count = points.len() as f64;
        let mean = |value: fn(&(f64, f64)) -> f64| points.iter().map(value).sum::<f64>() / count;
        assert!((mean(|point| point.0) / input.mean() - 1.0).abs() < 1e-9);
        assert!((mean(|point| point.1) / output.mean() - 1.0).abs() < 1e-9);
        // Drawn apart, the mean of the product is the product of the means.
        let together = mean(|point| point.0 * point.1) / (input.mean() * output.mean());
        assert!((together - 1.0).abs() < 0.01, "{together}");
    }

    #[test]
    fn max_tokens_cuts_off_what_is_longer() {
        let mut calls = chat();
        calls.shapes.push(Shape {
            output: 900.0,
            weight: 1.0,
            ..calls.shapes[0]
        });
        assert_eq!(calls.cut_off(), 0.0);
        assert!((calls.capped(Tokens(500)).cut_off() - 1.0 / 3.0).abs() < 1e-12);
        assert_eq!(
            [calls.output_quantile(0.5), calls.output_quantile(0.99)],
            [211.0, 900.0]
        );
    }
}
