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
mod judge;
mod noise;
mod pairs;
mod shift;

use schemars::{JsonSchema, schema_for};
use serde::{Deserialize, Serialize};

pub use self::comparable::{Difference, Field};
pub use self::judge::value;
use self::judge::{Changes, Judge};
pub use self::noise::{CALIBRATION_PAIRS_MIN, Machine, NOISE_VERSION, Noise, Scatter, TooNoisy};
use self::pairs::Pairs;
pub use self::shift::Shift;
use crate::gate::{GateSettings, Gauge};
use crate::results::{RunFile, Target};
use crate::statistics::holm;

/// The version of a comparison's JSON.
pub const SCHEMA_VERSION: u32 = 1;

/// How sure an interval is.
const CONFIDENCE: f64 = 0.95;

/// What is compared, and how much worse may pass.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Gate {
    /// Metrics and margins.
    pub settings: GateSettings,
    /// What may differ between the sides.
    pub allowed: Vec<Field>,
    /// How much runs differ by themselves, if that was measured. In virtual time it counts for nothing.
    pub noise: Option<Noise>,
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
    /// Whether what the runs cannot tell is a no.
    #[serde(default)]
    pub strict: bool,
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
    /// Margins that the noise of this machine drowns.
    #[error("margins are below what this machine's runs differ by themselves: {}", list(.0))]
    BelowNoise(Vec<TooNoisy>),
}

fn list(items: &[impl ToString]) -> String {
    let each: Vec<String> = items.iter().map(ToString::to_string).collect();
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
        let exact = pairs
            .each()
            .all(|(base, new)| base.target == Target::Sim && new.target == Target::Sim);
        let gauges = gate.settings.gauges();
        let noise = gate.noise.as_ref().filter(|_| !exact);
        if let Some(noise) = noise.filter(|_| pairs.len() > 1) {
            let drowned = gauges.iter().filter_map(|&gauge| {
                let changes = Changes::of(gauge, &pairs)?;
                noise.drowns(gauge, &changes, changes.margin(gauge, &gate.settings))
            });
            let drowned: Vec<TooNoisy> = drowned.collect();
            if !drowned.is_empty() {
                return Err(NotComparable::BelowNoise(drowned));
            }
        }
        let judge = Judge {
            settings: &gate.settings,
            gauges,
            noise,
            exact,
        };
        let mut metrics: Vec<Compared> = Gauge::all()
            .filter_map(|gauge| judge.compared(gauge, &pairs))
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
            strict: gate.settings.strict,
            metrics,
            shifts: shift::shifts(&pairs),
            warnings: warnings(&pairs, exact, noise),
        })
    }
}

fn warnings(pairs: &Pairs<'_>, exact: bool, noise: Option<&Noise>) -> Vec<String> {
    let mut warnings = Vec::new();
    match noise {
        None if !exact && pairs.len() < 2 => warnings.push(
            "one run a side says nothing of how much runs differ by themselves: no verdict is possible without a \
             calibration"
                .to_owned(),
        ),
        Some(noise) if noise.settings != comparable::fingerprint(pairs.first()) => warnings.push(
            "the calibration is of the scenario with other settings".to_owned(),
        ),
        _ => {}
    }
    let mut partial = pairs.each().filter(|(base, new)| {
        let whole = |run: &RunFile| run.state == crate::results::RunState::Complete;
        !whole(base) || !whole(new)
    });
    if partial.next().is_some() {
        warnings.push("not every run came to its planned end".to_owned());
    }
    let mut measured = pairs
        .each()
        .flat_map(|(base, new)| [&base.measured, &new.measured]);
    if measured.any(|measured| {
        measured
            .as_ref()
            .is_some_and(|measured| measured.paused_ns > 0)
    }) {
        warnings.push("somebody paused a run: its requests waited for that".to_owned());
    }
    warnings
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
