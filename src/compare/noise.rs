//! How much runs differ by themselves: what a build against itself comes to, measured once for a machine.
//!
//! Promises: a floor is in the same measure as the changes that it is held against, and falls with the square
//! root of the number of pairs.
//!
//! Deliberately not: who the machine is. Processors and kind of system are enough to see that a calibration
//! comes from another one.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::pairs::Pairs;
use super::{CONFIDENCE, Changes, NotComparable};
use crate::gate::Gauge;
use crate::results::{RunFile, Target};
use crate::statistics::{mean_and_deviation, students_quantile};

/// The version of a calibration's JSON.
pub const NOISE_VERSION: u32 = 1;

/// Fewer pairs say too little of how much pairs scatter.
pub const CALIBRATION_PAIRS_MIN: usize = 5;

/// A calibration: pairs of runs of the same thing, and how much their metrics differ.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Noise {
    /// The version of this format: 1.
    pub schema_version: u32,
    /// The scenario's name.
    pub scenario: String,
    /// What was run: length, counting, models and classes.
    pub settings: String,
    /// Where the runs' requests went.
    pub target: Target,
    /// How many pairs there were.
    pub pairs: u64,
    /// What they ran on.
    pub machine: Machine,
    /// By metric, how much pairs scatter.
    pub metrics: BTreeMap<String, Scatter>,
}

/// What runs were made on, as far as it may be told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Machine {
    /// The system and the instruction set, such as `linux x86_64`.
    pub system: String,
    /// Processors that the program may use.
    pub processors: u64,
}

/// How much the change of a metric scatters from pair to pair, where nothing changed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Scatter {
    /// Whether changes are logarithms of ratios; else they are differences in the metric's unit.
    pub relative: bool,
    /// Their standard deviation.
    pub sd: f64,
    /// Their mean, which is zero but for chance.
    pub mean: f64,
}

/// A metric whose margin nobody could tell from noise.
#[derive(Clone, Debug, PartialEq)]
pub struct TooNoisy {
    /// The metric.
    pub metric: String,
    /// Its margin, a part of the base or in the metric's unit.
    pub margin: f64,
    /// The floor, in the same measure.
    pub floor: f64,
    /// Whether both are parts of the base.
    pub relative: bool,
    /// So many pairs would bring the floor below the margin; none where none would.
    pub pairs_needed: Option<u64>,
}

impl Noise {
    /// What pairs of runs of the same thing say.
    ///
    /// # Errors
    ///
    /// If the runs cannot be paired, are too few, are of different things, or are in virtual time.
    pub fn of(base: &[RunFile], new: &[RunFile], machine: Machine) -> Result<Self, NotComparable> {
        let pairs = Pairs::of(base, new)?;
        let first = pairs.first();
        if first.target == Target::Sim {
            return Err(NotComparable::Pairing(
                "in virtual time the same runs are the same: there is no noise to measure"
                    .to_owned(),
            ));
        }
        if pairs.len() < CALIBRATION_PAIRS_MIN {
            return Err(NotComparable::Pairing(format!(
                "{} pairs say too little of how much pairs scatter: make {CALIBRATION_PAIRS_MIN} or more",
                pairs.len()
            )));
        }
        let differences = super::comparable::differences(&pairs, &[]);
        if !differences.is_empty() {
            return Err(NotComparable::Different(differences));
        }
        let metrics = Gauge::all().filter_map(|gauge| {
            let changes = Changes::of(gauge, &pairs)?;
            let (mean, sd) = mean_and_deviation(&changes.values)?;
            let scatter = Scatter {
                relative: changes.ratios,
                sd,
                mean,
            };
            Some((gauge.to_string(), scatter))
        });
        Ok(Self {
            schema_version: NOISE_VERSION,
            scenario: first.scenario.name.clone(),
            settings: super::comparable::fingerprint(first),
            target: first.target,
            pairs: pairs.len() as u64,
            machine,
            metrics: metrics.collect(),
        })
    }

    /// By how much the mean of so many pairs is off at 95 % if nothing changed: half of Student's interval
    /// with the calibration's deviation. None where the metric was not measured or in another way.
    #[must_use]
    pub fn floor(&self, gauge: Gauge, ratios: bool, pairs: usize) -> Option<f64> {
        let scatter = self.metrics.get(&gauge.to_string())?;
        // What never scattered was not there to be seen, or is the same whatever happens: no floor.
        if scatter.relative != ratios || scatter.sd <= 0.0 {
            return None;
        }
        let student = students_quantile(CONFIDENCE, self.pairs - 1)?;
        Some(student * scatter.sd / (pairs as f64).sqrt())
    }

    /// Whether a margin is below what `pairs` pairs can tell.
    pub(super) fn drowns(&self, gauge: Gauge, changes: &Changes, margin: f64) -> Option<TooNoisy> {
        let pairs = changes.values.len();
        let floor = self.floor(gauge, changes.ratios, pairs)?;
        (margin < floor).then(|| TooNoisy {
            metric: gauge.to_string(),
            margin: changes.told(margin),
            floor: changes.told(floor),
            relative: changes.ratios,
            pairs_needed: (margin > 0.0)
                .then(|| (pairs as f64 * (floor / margin).powi(2)).ceil() as u64),
        })
    }
}

impl std::fmt::Display for TooNoisy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let told = |value: f64| {
            if self.relative {
                format!("{:.2} %", value * 100.0)
            } else {
                crate::units::significant(value)
            }
        };
        write!(
            f,
            "`{}`: margin {}, noise {}",
            self.metric,
            told(self.margin),
            told(self.floor)
        )?;
        match self.pairs_needed {
            Some(pairs) => write!(f, ", {pairs} pairs would do"),
            None => Ok(()),
        }
    }
}
