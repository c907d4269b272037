//! One metric on two sides: its change, its interval, its verdict.
//!
//! Promises: a verdict needs an interval that is wholly within the margin or wholly beyond it; what cannot be
//! told is inconclusive; a metric that refused load made infinite is worse.
//!
//! Deliberately not: what many metrics together are worth (`compare`).

use super::noise::Noise;
use super::pairs::Pairs;
use super::{CONFIDENCE, Compared, Verdict};
use crate::expect::{Kind, Metric};
use crate::gate::{GateSettings, Gauge};
use crate::recorder::measured::Measured;
use crate::results::RunFile;
use crate::statistics::{Interval, mean_test, newcombe, sign_test};

/// With one pair a change has to stand out of the noise by so many floors to be one.
const FLOORS: f64 = 3.0;

/// What a run measured, after its warm-up if it had one.
pub(super) fn judged(run: &RunFile) -> Option<&Measured> {
    let warm = run.measured_after_warm_up.as_ref();
    warm.or(run.measured.as_ref())
}

/// A gauge's value in a run, after its warm-up if it had one; none if it was not measured.
#[must_use]
pub fn value(gauge: Gauge, run: &RunFile) -> Option<f64> {
    let measured = judged(run)?;
    match gauge {
        Gauge::Of(metric) => measured.value(metric),
        Gauge::CostPerThousand => {
            let answers = measured.total.counts.completed;
            let cost = measured.total.cost?.dollars();
            (answers > 0).then(|| cost * 1_000.0 / answers as f64)
        }
    }
}

/// How one metric changed, pair by pair.
pub(super) struct Changes {
    /// Logarithms of ratios, or differences. Above zero is more.
    pub values: Vec<f64>,
    pub ratios: bool,
    /// The mean over the base's runs.
    base: f64,
}

impl Changes {
    /// None where it was not measured in every run, or is infinite in one.
    pub fn of(gauge: Gauge, pairs: &Pairs<'_>) -> Option<Self> {
        let known: Option<Vec<(f64, f64)>> = pairs
            .each()
            .map(|(base, new)| Some((value(gauge, base)?, value(gauge, new)?)))
            .collect();
        let known = known?;
        let finite = |pair: &(f64, f64)| pair.0.is_finite() && pair.1.is_finite();
        known
            .iter()
            .all(finite)
            .then(|| Self::between(gauge, &known))
    }

    fn between(gauge: Gauge, known: &[(f64, f64)]) -> Self {
        // Ratios where there are any; a share or a wait of nothing has none.
        let ratios =
            gauge.kind() != Kind::Share && known.iter().all(|pair| pair.0 > 0.0 && pair.1 > 0.0);
        let values = known.iter().map(|(base, new)| {
            if ratios {
                (new / base).ln()
            } else {
                new - base
            }
        });
        Self {
            values: values.collect(),
            ratios,
            base: known.iter().map(|pair| pair.0).sum::<f64>() / known.len() as f64,
        }
    }

    /// What may pass, in the measure of the values. Where more is better, what may pass is a fall.
    pub fn margin(&self, gauge: Gauge, settings: &GateSettings) -> f64 {
        let allowed = settings.allowed(gauge, self.base);
        let part = allowed / self.base;
        match (self.ratios, gauge.is_better_higher()) {
            (false, _) => allowed,
            (true, false) => part.ln_1p(),
            (true, true) if part < 1.0 => -(-part).ln_1p(),
            (true, true) => f64::INFINITY,
        }
    }

    /// A change as it is told: a part of the base, or a difference.
    pub fn told(&self, change: f64) -> f64 {
        if self.ratios { change.exp_m1() } else { change }
    }
}

/// What verdicts rest on.
pub(super) struct Judge<'a> {
    pub settings: &'a GateSettings,
    pub gauges: Vec<Gauge>,
    pub noise: Option<&'a Noise>,
    /// Whether runs are in virtual time, where every difference is one of behaviour.
    pub exact: bool,
}

impl Judge<'_> {
    /// One metric; none if neither side measured it.
    pub fn compared(&self, gauge: Gauge, pairs: &Pairs<'_>) -> Option<Compared> {
        let values: Vec<(Option<f64>, Option<f64>)> = pairs
            .each()
            .map(|(base, new)| (value(gauge, base), value(gauge, new)))
            .collect();
        // Whoever names a metric wants to know that it was not measured.
        let named = self.settings.metrics.contains(&gauge);
        let nothing = values
            .iter()
            .all(|(base, new)| base.is_none() && new.is_none());
        if nothing && !named {
            return None;
        }
        // What the base could not measure, nothing can be worse than.
        let measured = values.iter().all(|(base, _)| base.is_some());
        let gated = named || (measured && self.gauges.contains(&gauge));
        let known: Option<Vec<(f64, f64)>> = values
            .iter()
            .map(|(base, new)| Some(((*base)?, (*new)?)))
            .collect();
        let mut row = blank(gauge, known.as_deref(), gated);
        row.margin = self.settings.allowed(gauge, row.base.unwrap_or(0.0));
        let Some(known) = known else {
            row.note = Some(
                "not measured in every run: too few samples, or nothing of the kind".to_owned(),
            );
            return Some(row);
        };
        if known
            .iter()
            .any(|(base, new)| base.is_infinite() || new.is_infinite())
        {
            row.note = Some("it falls among requests that failed or were dropped".to_owned());
            if gated {
                self.judge_infinite(&mut row, gauge, &known);
            }
            return Some(row);
        }
        self.judge(&mut row, gauge, &Changes::between(gauge, &known), pairs);
        Some(row)
    }

    /// Fills in the change, its interval and its verdict.
    fn judge(&self, row: &mut Compared, gauge: Gauge, changes: &Changes, pairs: &Pairs<'_>) {
        let margin = changes.margin(gauge, self.settings);
        // Above zero is worse.
        let sign = if gauge.is_better_higher() { -1.0 } else { 1.0 };
        let worse: Vec<f64> = changes.values.iter().map(|change| sign * change).collect();
        let mean = worse.iter().sum::<f64>() / worse.len() as f64;
        row.relative = changes.ratios;
        row.change = Some(changes.told(sign * mean));
        row.margin = if changes.ratios {
            self.settings.allowed(gauge, changes.base) / changes.base
        } else {
            margin
        };
        let Some(mut test) = mean_test(&worse, margin, CONFIDENCE, self.exact) else {
            return self.judge_one(row, gauge, changes, pairs);
        };
        // In virtual time each pair's change is a fact; where all are beyond the margin there is no doubt.
        if self.exact && worse.iter().all(|change| *change > margin) {
            test.p = 0.0;
        }
        let ends =
            [sign * test.interval.low, sign * test.interval.high].map(|end| changes.told(end));
        row.low = Some(ends[0].min(ends[1]));
        row.high = Some(ends[0].max(ends[1]));
        if row.verdict.is_some() {
            row.p = Some(test.p);
            // What is beyond the margin is decided when all metrics are known.
            if test.interval.high <= margin {
                row.verdict = Some(Verdict::Passed);
            } else {
                row.pairs_needed = test.needed;
                if test.interval.low > margin {
                    let beyond = "beyond its margin, but with so few pairs not surely enough among so many metrics";
                    row.note = Some(beyond.to_owned());
                }
            }
        }
    }

    /// A metric that is infinite in some run. In virtual time each pair is a fact; else runs near the edge are
    /// infinite by chance, and pairs that became so are held against pairs that ceased to be (sign test).
    fn judge_infinite(&self, row: &mut Compared, gauge: Gauge, known: &[(f64, f64)]) {
        let count = |of: fn(&(f64, f64)) -> bool| known.iter().filter(|pair| of(pair)).count();
        let worse = count(|(base, new)| base.is_finite() && new.is_infinite());
        let better = count(|(base, new)| base.is_infinite() && new.is_finite());
        // In virtual time all that changed has to have changed for the worse.
        let p = if self.exact {
            f64::from(u8::from(worse == 0 || better > 0))
        } else {
            sign_test(worse as u64, (worse + better) as u64)
        };
        row.p = Some(p);
        // Pairs that are finite on both sides have to be within the margin by themselves.
        let finite = known
            .iter()
            .filter(|(base, new)| base.is_finite() && new.is_finite());
        let within = |(base, new): &(f64, f64)| new - base <= self.settings.allowed(gauge, *base);
        if worse == 0 && finite.clone().all(within) {
            row.verdict = Some(Verdict::Passed);
        }
    }

    /// One pair on the real clock: a calibration, if there is one, says what is noise.
    fn judge_one(&self, row: &mut Compared, gauge: Gauge, changes: &Changes, pairs: &Pairs<'_>) {
        let floor = self
            .noise
            .and_then(|noise| noise.floor(gauge, changes.ratios, 1));
        let Some(floor) = floor else {
            let own = own_interval(gauge, pairs);
            row.low = own.map(|own| own.low);
            row.high = own.map(|own| own.high);
            row.note = Some(match own {
                Some(_) => "the interval is that of two runs whose events do not come in clusters; a verdict needs two \
                            pairs of runs and more, or a calibration"
                    .to_owned(),
                None => "it needs two pairs of runs and more, or a calibration".to_owned(),
            });
            return;
        };
        let change = changes.values[0];
        let (mut low, mut high) = (change - FLOORS * floor, change + FLOORS * floor);
        // A calibration in which nothing failed says little of how seldom something fails.
        if let Some(own) = own_interval(gauge, pairs) {
            low = low.min(own.low);
            high = high.max(own.high);
        }
        row.low = Some(changes.told(low));
        row.high = Some(changes.told(high));
        if row.verdict.is_some() {
            let margin = changes.margin(gauge, self.settings);
            let (least, most) = if gauge.is_better_higher() {
                (-high, -low)
            } else {
                (low, high)
            };
            row.verdict = Some(if least > margin {
                Verdict::Regressed
            } else if most <= margin {
                Verdict::Passed
            } else {
                Verdict::Inconclusive
            });
        }
    }
}

/// What two runs alone say of a share: Newcombe's interval of the difference, which is too narrow where events
/// come in clusters, as throttles do. So it is shown, and decides nothing.
fn own_interval(gauge: Gauge, pairs: &Pairs<'_>) -> Option<Interval> {
    let counted = |run: &RunFile| {
        let total = &judged(run)?.total;
        let (counts, attempts) = (total.counts, &total.attempts);
        let requests = counts.intended - counts.cancelled;
        let (hits, of) = match gauge {
            Gauge::Of(Metric::ThrottleShare) => (
                attempts.throttled.total(),
                attempts.sent - attempts.unfinished,
            ),
            Gauge::Of(Metric::FailureShare) => (counts.failed, requests),
            Gauge::Of(Metric::DropShare) => (counts.dropped, requests),
            _ => return None,
        };
        Some((hits as f64, of as f64))
    };
    let (base, new) = pairs.each().next()?;
    Some(newcombe(counted(new)?, counted(base)?, CONFIDENCE))
}

/// A row without a change.
fn blank(gauge: Gauge, known: Option<&[(f64, f64)]>, gated: bool) -> Compared {
    let mean = |side: fn(&(f64, f64)) -> f64, known: &[(f64, f64)]| {
        let mean = known.iter().map(side).sum::<f64>() / known.len() as f64;
        mean.is_finite().then_some(mean)
    };
    Compared {
        metric: gauge.to_string(),
        unit: unit(gauge.kind()).to_owned(),
        base: known.and_then(|known| mean(|pair| pair.0, known)),
        new: known.and_then(|known| mean(|pair| pair.1, known)),
        change: None,
        relative: false,
        low: None,
        high: None,
        margin: 0.0,
        p: None,
        verdict: gated.then_some(Verdict::Inconclusive),
        note: None,
        pairs_needed: None,
    }
}

const fn unit(kind: Kind) -> &'static str {
    match kind {
        Kind::Time => "s",
        Kind::Share => "share",
        Kind::Number => "number",
        Kind::Money => "usd",
    }
}
