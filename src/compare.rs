//! Did it get worse: two sides of runs, metric by metric.
//!
//! ```text
//! runs of a side ─► pairs (by seed in virtual time, by order else) ─► changes ─► interval ─► verdict
//! ```
//!
//! Promises: what is not comparable is refused, with the fields that differ; a verdict needs an interval
//! that is wholly within the margin or wholly beyond it, and is inconclusive otherwise; false alarms are
//! bounded over all metrics together (Holm); comparing a side with itself is never a regression.
//!
//! A pair's change is one number, and the interval is Student's over pairs: runs differ from one another by
//! more than their own requests tell, which is what makes tests on pooled requests cry wolf.
//!
//! Deliberately not: words and tables (`report`), or the making of runs.

mod comparable;
mod gauge;
mod pairs;
mod shift;

use schemars::{JsonSchema, schema_for};
use serde::{Deserialize, Serialize};

pub use self::comparable::{Difference, Field};
pub use self::gauge::Gauge;
use self::pairs::Pairs;
pub use self::shift::Shift;
use crate::expect::Kind;
use crate::results::{RunFile, Target};
use crate::statistics::{holm, mean_test};

/// The version of a comparison's JSON.
pub const SCHEMA_VERSION: u32 = 1;

/// How sure an interval is.
const CONFIDENCE: f64 = 0.95;

/// What is compared, and how much worse may pass.
#[derive(Clone, Debug, PartialEq)]
pub struct Gate {
    /// What a verdict is given for; others are shown.
    pub gauges: Vec<Gauge>,
    /// The largest change for the worse, as a part of the base.
    pub margin: f64,
    /// … and in seconds: smaller changes of a time pass whatever part they are.
    pub margin_s: f64,
    /// … and of a share, as a part of one.
    pub margin_share: f64,
    /// What may differ between the sides.
    pub allowed: Vec<Field>,
}

impl Default for Gate {
    fn default() -> Self {
        Self {
            gauges: Gauge::all().filter(|gauge| gauge.is_gated()).collect(),
            margin: 0.05,
            margin_s: 0.005,
            margin_share: 0.005,
            allowed: Vec::new(),
        }
    }
}

/// What a comparison came to, for a metric or for all.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It is no worse than the margin allows.
    Passed,
    /// The interval holds the margin, or there is none.
    Inconclusive,
    /// It is worse than the margin allows.
    Regressed,
}

/// Two sides compared.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Comparison {
    /// The version of this format: 1.
    pub schema_version: u32,
    /// The scenario's name.
    pub scenario: String,
    /// Where the runs' requests went.
    pub target: Target,
    /// How many pairs of runs there are.
    pub pairs: u64,
    /// Whether runs are paired by seed in virtual time, where every difference is one of behaviour.
    pub exact: bool,
    /// Whether everything that was measured is the same on both sides.
    pub identical: bool,
    /// The worst verdict of all that is gated.
    pub verdict: Verdict,
    /// Each metric.
    pub metrics: Vec<Compared>,
    /// Which prompt class and which part of its latency moved; the largest first.
    pub shifts: Vec<Shift>,
    /// What a reader must know.
    pub warnings: Vec<String>,
}

/// One metric on two sides.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Compared {
    /// Its name.
    pub metric: String,
    /// What its numbers are in: `s`, `share`, `number` or `usd`.
    pub unit: String,
    /// Its mean over the base's runs; none if it was not measured in all of them. Infinite latencies are
    /// none as well.
    pub base: Option<f64>,
    /// Its mean over the new runs.
    pub new: Option<f64>,
    /// The change: a part of the base if `relative`, else in the metric's unit. Above zero is more.
    pub change: Option<f64>,
    /// Whether the change is a part of the base.
    pub relative: bool,
    /// The lower end of the change's interval; none where there is none.
    pub low: Option<f64>,
    /// Its upper end.
    pub high: Option<f64>,
    /// The largest change for the worse that passes, as `change` is told.
    pub margin: f64,
    /// How likely such a change is if it were no more than the margin, adjusted by Holm; none where it is not
    /// gated or not known.
    pub p: Option<f64>,
    /// The verdict; none where the metric is not gated, or was not measured in every run of the base.
    pub verdict: Option<Verdict>,
    /// Why it is inconclusive, or what stands out.
    pub note: Option<String>,
    /// How many pairs would decide, by what these vary; none where they do already or cannot tell.
    pub pairs_needed: Option<u64>,
}

/// The JSON schema of a comparison.
#[must_use]
pub fn json_schema() -> String {
    let schema = schema_for!(Comparison);
    serde_json::to_string_pretty(&schema).unwrap_or_default() + "\n"
}

/// Why two sides cannot be compared.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum NotComparable {
    /// They differ in what was run.
    #[error("the two sides differ in {}", list(.0))]
    Different(Vec<Difference>),
    /// There is nothing to pair.
    #[error("{0}")]
    Pairing(String),
}

fn list(differences: &[Difference]) -> String {
    let each: Vec<String> = differences.iter().map(ToString::to_string).collect();
    each.join("; ")
}

impl Comparison {
    /// Compares `new` with `base`.
    ///
    /// # Errors
    ///
    /// If they are not comparable.
    pub fn of(base: &[RunFile], new: &[RunFile], gate: &Gate) -> Result<Self, NotComparable> {
        let pairs = Pairs::of(base, new)?;
        let differences = comparable::differences(&pairs, &gate.allowed);
        if !differences.is_empty() {
            return Err(NotComparable::Different(differences));
        }
        let first = pairs.first();
        let exact = first.target == Target::Sim;
        let mut metrics: Vec<Compared> = Gauge::all()
            .filter_map(|gauge| compared(gauge, &pairs, gate, exact))
            .collect();
        adjust(&mut metrics);
        let verdicts = metrics.iter().filter_map(|metric| metric.verdict);
        let verdict = verdicts.max().unwrap_or(Verdict::Inconclusive);
        Ok(Self {
            schema_version: SCHEMA_VERSION,
            scenario: first.scenario.name.clone(),
            target: first.target,
            pairs: pairs.len() as u64,
            exact,
            identical: pairs
                .each()
                .all(|(base, new)| base.measured == new.measured),
            verdict,
            metrics,
            shifts: shift::shifts(&pairs),
            warnings: warnings(&pairs, exact),
        })
    }
}

fn warnings(pairs: &Pairs<'_>, exact: bool) -> Vec<String> {
    let mut warnings = Vec::new();
    if !exact && pairs.len() < 2 {
        warnings.push(
            "one run a side says nothing of how much runs differ by themselves: no verdict is possible"
                .to_owned(),
        );
    }
    let mut partial = pairs.each().filter(|(base, new)| {
        let whole = |run: &RunFile| run.state == crate::results::RunState::Complete;
        !whole(base) || !whole(new)
    });
    if partial.next().is_some() {
        warnings.push("not every run came to its planned end".to_owned());
    }
    warnings
}

/// One metric; none if neither side measured it.
fn compared(gauge: Gauge, pairs: &Pairs<'_>, gate: &Gate, exact: bool) -> Option<Compared> {
    let values: Vec<(Option<f64>, Option<f64>)> = pairs
        .each()
        .map(|(base, new)| (gauge.value(base), gauge.value(new)))
        .collect();
    if values
        .iter()
        .all(|(base, new)| base.is_none() && new.is_none())
    {
        return None;
    }
    // What the base could not measure, nothing can be worse than.
    let measured = values.iter().all(|(base, _)| base.is_some());
    let gated = measured && gate.gauges.contains(&gauge);
    let known: Option<Vec<(f64, f64)>> = values
        .iter()
        .map(|(base, new)| Some(((*base)?, (*new)?)))
        .collect();
    let mean = |side: fn(&(f64, f64)) -> f64, known: &[(f64, f64)]| {
        let mean = known.iter().map(side).sum::<f64>() / known.len() as f64;
        mean.is_finite().then_some(mean)
    };
    let mut row = Compared {
        metric: gauge.to_string(),
        unit: unit(gauge.kind()).to_owned(),
        base: known.as_ref().and_then(|known| mean(|pair| pair.0, known)),
        new: known.as_ref().and_then(|known| mean(|pair| pair.1, known)),
        change: None,
        relative: false,
        low: None,
        high: None,
        margin: gate.margin,
        p: None,
        verdict: gated.then_some(Verdict::Inconclusive),
        note: None,
        pairs_needed: None,
    };
    let Some(known) = known else {
        row.note =
            Some("not measured in every run: too few samples, or nothing of the kind".to_owned());
        return Some(row);
    };
    if known
        .iter()
        .any(|(base, new)| base.is_infinite() || new.is_infinite())
    {
        let worse = known
            .iter()
            .any(|(base, new)| base.is_finite() && new.is_infinite());
        row.note = Some("it falls among requests that failed or were dropped".to_owned());
        if gated {
            let same = known.iter().all(|(base, new)| base == new);
            row.verdict = Some(match (worse, same) {
                (true, _) => Verdict::Regressed,
                (false, true) => Verdict::Passed,
                _ => Verdict::Inconclusive,
            });
        }
        return Some(row);
    }
    judge(&mut row, gauge, &known, gate, exact);
    Some(row)
}

const fn unit(kind: Kind) -> &'static str {
    match kind {
        Kind::Time => "s",
        Kind::Share => "share",
        Kind::Number => "number",
        Kind::Money => "usd",
    }
}

/// Fills in the change, its interval and its verdict.
fn judge(row: &mut Compared, gauge: Gauge, known: &[(f64, f64)], gate: &Gate, exact: bool) {
    let base = row.base.unwrap_or(0.0);
    let absolute = match gauge.kind() {
        Kind::Time => gate.margin_s,
        Kind::Share => gate.margin_share,
        Kind::Number | Kind::Money => 0.0,
    };
    // Ratios where there are any; a share or a wait of nothing has none.
    let ratios =
        gauge.kind() != Kind::Share && known.iter().all(|pair| pair.0 > 0.0 && pair.1 > 0.0);
    let allowed = (gate.margin * base.abs()).max(absolute);
    let (changes, margin): (Vec<f64>, f64) = if ratios {
        let changes = known.iter().map(|(base, new)| (new / base).ln());
        (changes.collect(), (allowed / base).ln_1p())
    } else {
        (
            known.iter().map(|(base, new)| new - base).collect(),
            allowed,
        )
    };
    let told = |change: f64| if ratios { change.exp_m1() } else { change };
    // Above zero is worse.
    let sign = if gauge.is_better_higher() { -1.0 } else { 1.0 };
    let worse: Vec<f64> = changes.iter().map(|change| sign * change).collect();
    let mean = worse.iter().sum::<f64>() / worse.len() as f64;
    row.relative = ratios;
    row.change = Some(told(sign * mean));
    row.margin = told(margin);
    let Some(mut test) = mean_test(&worse, margin, CONFIDENCE, exact) else {
        row.note = Some("it needs two pairs of runs and more".to_owned());
        return;
    };
    // In virtual time each pair's change is a fact; where all are beyond the margin there is no doubt.
    if exact && worse.iter().all(|change| *change > margin) {
        test.p = 0.0;
    }
    let ends = [sign * test.interval.low, sign * test.interval.high].map(told);
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

/// Adjusts p-values over all gated metrics, and says what regressed.
fn adjust(metrics: &mut [Compared]) {
    let gated: Vec<usize> = (0..metrics.len())
        .filter(|&place| metrics[place].p.is_some())
        .collect();
    let p_values: Vec<f64> = gated.iter().filter_map(|&place| metrics[place].p).collect();
    for (place, p) in gated.into_iter().zip(holm(&p_values)) {
        let metric = &mut metrics[place];
        metric.p = Some(p);
        // One-sided, as the lower end of a two-sided interval is.
        if p <= (1.0 - CONFIDENCE) / 2.0 {
            metric.verdict = Some(Verdict::Regressed);
            metric.pairs_needed = None;
            metric.note = None;
        }
    }
}
