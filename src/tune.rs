//! Which settings are best for this traffic: a search in virtual time, and how far its answer can be trusted.
//!
//! ```text
//! knobs ─► search (first seeds) ─► finalists ─► held-out seeds ─► choice ─► fresh seeds ─► promise
//!                                                                     ├─► neighbours: sensitivity
//!                                                                     └─► other worlds: robustness
//! ```
//!
//! Promises: the same scenario, knobs and budget give the same answer on any number of threads; what is
//! promised of the choice was measured with seeds that had no part in choosing it; the present settings are
//! always among those that are compared.
//!
//! Deliberately not: files and command lines (a setting is made into a scenario by whoever calls), or the
//! confirmation on the real clock, which is a comparison of runs.

mod front;
mod league;
mod robust;
mod score;
mod search;
mod trial;

use std::time::Duration;

use schemars::{JsonSchema, schema_for};
use serde::{Deserialize, Serialize};

use self::front::front;
pub use self::league::{Entry, League, Match, league};
pub use self::score::{Figure, Summary};
use self::score::{Sample, most_of, utility};
pub use self::search::Make;
use self::search::{Point, Search};
pub use self::trial::{Score, trial};
use crate::goal::{Goal, KnobText};
use crate::quota::Enforcement;
use crate::results::digest;
use crate::rng::Seed;
use crate::scenario::{Knob, Scenario, duration_text};

/// The version of the JSON.
pub const SCHEMA_VERSION: u32 = 1;

/// Settings that are tried with held-out seeds.
const FINALISTS: usize = 5;

/// Held-out seeds for the choice between finalists.
const HELD_OUT: usize = 10;

/// Fresh seeds for what is promised of the choice.
const PROMISED: usize = 20;

/// Seeds for how the choice fares elsewhere.
const ELSEWHERE: usize = 8;

/// What is turned unless somebody says otherwise.
#[must_use]
pub fn usual_knobs(scenario: &Scenario, goal: &Goal) -> Vec<KnobText> {
    let text = |key: &str, values: &str| KnobText {
        key: key.to_owned(),
        values: values.to_owned(),
    };
    let counted = scenario
        .models
        .iter()
        .find_map(|model| model.limiter.as_ref())
        .map_or(scenario.service.meters.enforcement, |limiter| {
            limiter.meters.enforcement
        });
    let mut knobs = Vec::new();
    // A window or slots are as large as the service's: a smaller one only lets less through.
    if counted == Enforcement::Bucket {
        knobs.push(text("limiter.burst", "1s..60s/6"));
    }
    knobs.push(text("limiter.headroom", "0%..8%/5"));
    knobs.push(text("limiter.reservation", "max-tokens, mirror, expected"));
    knobs.push(text("limiter.backoff.decrease", "unset, 70%"));
    knobs.push(text("retry.max_attempts", "1, 3"));
    if let Some(wait) = goal.wait_p99_s {
        // Whoever would wait longer is dropped.
        let most = Duration::from_millis((wait * 1e3) as u64);
        let most = format!("unset, {}", duration_text(most));
        knobs.push(text("limiter.quota_timeout", &most));
    }
    knobs
}

/// What is asked of a tuner.
#[derive(Clone, Debug, PartialEq)]
pub struct TuneOptions {
    /// What may be turned.
    pub knobs: Vec<Knob>,
    /// The values that the knobs have now, where that is a setting like any other.
    pub present: Option<Vec<String>>,
    /// What is looked for.
    pub goal: Goal,
    /// The most runs of the search. What comes after it is some hundred more.
    pub budget: u64,
    /// Threads to simulate on. They do not change the answer.
    pub threads: usize,
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Tuning {
    /// The version of this format: 1.
    pub schema_version: u32,
    /// The scenario's name.
    pub scenario: String,
    /// The SHA-256 of its text.
    pub digest: String,
    /// How the service is taken to count.
    pub enforcement: String,
    /// What was looked for.
    pub goal: Goal,
    /// What was turned, in this order everywhere below.
    pub knobs: Vec<String>,
    /// Simulated runs, all together.
    pub runs: u64,
    /// Settings that were tried.
    pub tried: u64,
    /// Settings that cannot be run, such as a bucket that a prompt never fits into.
    pub refused: u64,
    /// The scenario as it is.
    pub present: Summary,
    /// The best setting.
    pub chosen: Chosen,
    /// Settings that no other is better than in everything, by goodput.
    pub front: Vec<Tried>,
    /// What each other value of each knob would change.
    pub sensitivity: Vec<Turned>,
    /// How the choice fares where things are not as supposed.
    pub robustness: Vec<Elsewhere>,
    /// Everything that was tried: those with the most seeds first, and of these the best.
    pub all: Vec<Tried>,
}

/// The best setting.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Chosen {
    /// A value for each knob.
    pub values: Vec<String>,
    /// What it came to with fresh seeds.
    pub promise: Summary,
    /// Whether it is worth more than the scenario as it is, with the seeds of the choice.
    pub is_better: bool,
    /// Goodput, compared with the scenario as it is and the same seeds, as a part of that; none where that has
    /// none.
    pub gain: Option<f64>,
}

/// A setting and what it came to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Tried {
    /// A value for each knob.
    pub values: Vec<String>,
    /// What it came to, by as many seeds as it was tried with.
    pub summary: Summary,
}

/// The choice with one knob at another value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Turned {
    /// The knob.
    pub knob: String,
    /// Its other value.
    pub value: String,
    /// What that comes to, with the seeds of the promise.
    pub summary: Summary,
    /// Goodput, as a part of the choice's: −0.01 is one per cent less; none where that has none.
    pub goodput_change: Option<f64>,
}

/// The choice in another world.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Elsewhere {
    /// What is different.
    pub world: String,
    /// What the choice comes to there.
    pub chosen: Summary,
    /// What the scenario as it is comes to there.
    pub present: Summary,
}

/// The JSON schema of a tuning.
#[must_use]
pub fn json_schema() -> String {
    let schema = schema_for!(Tuning);
    serde_json::to_string_pretty(&schema).unwrap_or_default() + "\n"
}

/// Why nothing was found.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TuneError {
    /// No setting can be run.
    #[error("none of the {0} settings can be run")]
    NothingRuns(u64),
    /// There is nothing to turn.
    #[error("there is nothing to turn: name a knob")]
    NoKnobs,
}

/// Looks for the best setting. `make` turns a setting, a value for each knob, into a scenario. `progress` is
/// told how many settings were tried; `goes_on` says before each round whether there is time for it.
///
/// # Errors
///
/// If there is nothing to turn, or nothing that can be run.
pub fn tune(
    scenario: &Scenario,
    make: &Make<'_>,
    options: &TuneOptions,
    progress: &(dyn Fn(u64) + Sync),
    goes_on: &(dyn Fn() -> bool + Sync),
) -> Result<Tuning, TuneError> {
    if options.knobs.is_empty() {
        return Err(TuneError::NoKnobs);
    }
    let mut search = Search {
        knobs: &options.knobs,
        make,
        present: options.present.as_ref(),
        goal: &options.goal,
        threads: options.threads,
        budget: options.budget.max(1),
        first_seed: scenario.seed.0,
        progress,
        goes_on,
        runs: 0,
        refused: Default::default(),
        found: Default::default(),
    };
    let finalists = search.finalists(FINALISTS);
    let bench = Bench {
        goal: &options.goal,
        threads: options.threads,
        first_seed: scenario.seed.0,
    };
    let tried = finalists.len();
    let (point, chosen, is_better) =
        choose(finalists, &search, scenario, &bench).ok_or(TuneError::NothingRuns(0))?;
    let mut runs = search.runs + ((tried + 1) * HELD_OUT) as u64;
    let fresh = bench.seeds(2, PROMISED);
    let promise = bench.summary(&chosen, &fresh);
    let present = bench.summary(scenario, &fresh);
    runs += 2 * fresh.len() as u64;
    let sensitivity = sensitivity(&search, &bench, &point, &promise, &fresh);
    let robustness = robust::elsewhere(&bench, &chosen, scenario, &bench.seeds(3, ELSEWHERE));
    runs += (sensitivity.len() * fresh.len() + robustness.len() * 2 * ELSEWHERE) as u64;
    let all = ranked(&search);
    Ok(Tuning {
        schema_version: SCHEMA_VERSION,
        scenario: scenario.name.clone(),
        digest: digest(&scenario.text),
        enforcement: scenario.service.meters.enforcement.to_string(),
        goal: options.goal.clone(),
        knobs: options.knobs.iter().map(|knob| knob.key.clone()).collect(),
        runs,
        tried: all.len() as u64,
        refused: search.refused.len() as u64,
        chosen: Chosen {
            values: point,
            promise,
            is_better,
            gain: (present.goodput.mean > 0.0)
                .then(|| promise.goodput.mean / present.goodput.mean - 1.0),
        },
        present,
        front: front(&all),
        sensitivity,
        robustness,
        all,
    })
}

/// Settings that are worth no more than this beyond one that changes less are not worth the change.
const LEVEL: f64 = 1e-4;

/// The finalist that is worth most with held-out seeds, and whether that is more than the scenario as it is.
fn choose(
    mut finalists: Vec<Point>,
    search: &Search<'_>,
    present: &Scenario,
    bench: &Bench<'_>,
) -> Option<(Point, Scenario, bool)> {
    let held_out = bench.seeds(1, HELD_OUT);
    finalists.sort_by_key(|point| std::cmp::Reverse(search.kept(point)));
    let tried: Vec<(Point, Scenario, Vec<Score>)> = finalists
        .into_iter()
        .filter_map(|point| {
            let candidate = (search.make)(&point)?;
            let scores = bench.scores(&candidate, &held_out);
            Some((point, candidate, scores))
        })
        .collect();
    let now = bench.scores(present, &held_out);
    let all = tried.iter().map(|(_, _, scores)| scores.as_slice());
    let most = most_of(all.chain([now.as_slice()]));
    let worth = |scores: &[Score]| utility(bench.goal, &Sample::of(scores), most);
    let mut best: Option<(f64, Point, Scenario)> = None;
    for (point, candidate, scores) in tried {
        let worth = worth(&scores);
        if best.as_ref().is_none_or(|(most, ..)| worth > most + LEVEL) {
            best = Some((worth, point, candidate));
        }
    }
    let (most, point, chosen) = best?;
    let is_better = most > worth(&now) + LEVEL;
    Some((point, chosen, is_better))
}

/// Every setting that was tried: those with the most seeds first, and of these the best.
fn ranked(search: &Search<'_>) -> Vec<Tried> {
    let most = most_of(search.found.values().map(Vec::as_slice));
    let mut all: Vec<(f64, Tried)> = search
        .found
        .iter()
        .map(|(point, scores)| {
            let sample = Sample::of(scores);
            let tried = Tried {
                values: point.clone(),
                summary: sample.summary(search.goal),
            };
            (utility(search.goal, &sample, most), tried)
        })
        .collect();
    // What was tried with few seeds may look better than it is.
    all.sort_by(|one, other| {
        let runs = |tried: &(f64, Tried)| tried.1.summary.runs;
        runs(other).cmp(&runs(one)).then(other.0.total_cmp(&one.0))
    });
    all.into_iter().map(|(_, tried)| tried).collect()
}

/// The choice with each knob at each of its other values.
fn sensitivity(
    search: &Search<'_>,
    bench: &Bench<'_>,
    point: &Point,
    promise: &Summary,
    seeds: &[Seed],
) -> Vec<Turned> {
    let mut turned = Vec::new();
    for (place, knob) in search.knobs.iter().enumerate() {
        for value in knob.values.iter().filter(|value| **value != point[place]) {
            let mut other = point.clone();
            other[place].clone_from(value);
            let Some(scenario) = (search.make)(&other) else {
                continue;
            };
            let summary = bench.summary(&scenario, seeds);
            turned.push(Turned {
                knob: knob.key.clone(),
                value: value.clone(),
                summary,
                goodput_change: (promise.goodput.mean > 0.0)
                    .then(|| summary.goodput.mean / promise.goodput.mean - 1.0),
            });
        }
    }
    turned
}

/// Runs of one scenario with several seeds.
struct Bench<'a> {
    goal: &'a Goal,
    threads: usize,
    first_seed: u64,
}

impl Bench<'_> {
    /// Seeds of a set of their own: the search's own are set 0.
    fn seeds(&self, set: u64, count: usize) -> Vec<Seed> {
        let first = self.first_seed.wrapping_add(set * 1_000_000);
        (0..count as u64)
            .map(|seed| Seed(first.wrapping_add(seed)))
            .collect()
    }

    fn scores(&self, scenario: &Scenario, seeds: &[Seed]) -> Vec<Score> {
        crate::parallel::map(seeds, self.threads, |seed| trial(scenario, *seed), |_| {})
    }

    fn summary(&self, scenario: &Scenario, seeds: &[Seed]) -> Summary {
        Sample::of(&self.scores(scenario, seeds)).summary(self.goal)
    }
}
