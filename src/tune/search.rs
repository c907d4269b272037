//! The search: a coarse grid, halved as seeds are added, then refined about the best.
//!
//! ```text
//! grid, 1 seed ─► best third, 2 seeds ─► best third, 4 ─► … ─► between neighbours, 8 seeds ─► finalists
//! ```
//!
//! Promises: settings of one round are tried with the same seeds, so that they meet the same requests; the
//! same knobs and seeds find the same finalists on any number of threads; no more runs are made than the
//! budget has, but for a round that has begun.
//!
//! Source of the halving: K. Jamieson and A. Talwalkar, "Non-stochastic best arm identification and
//! hyperparameter optimization" (2016).

use std::collections::{BTreeMap, BTreeSet};

use super::score::{Sample, most_of, utility};
use super::trial::{Score, trial};
use crate::goal::Goal;
use crate::parallel;
use crate::rng::Seed;
use crate::scenario::{Knob, Scenario};

/// What part of a round goes on to the next.
const KEPT: usize = 3;

/// So many go on at least.
const KEPT_MIN: usize = 8;

/// Seeds of the last round of halving, and of refinement.
const SEEDS_MAX: usize = 8;

/// About so many of the best neighbours are looked for.
const REFINED: usize = 3;

/// How often neighbours are looked for.
const REFINEMENTS: usize = 4;

/// A setting: a value for each knob, in their order.
pub(super) type Point = Vec<String>;

/// Makes the scenario of a setting; none where it cannot be run.
pub type Make<'a> = dyn Fn(&[String]) -> Option<Scenario> + Sync + 'a;

/// What a search needs to know, and what it has found out.
pub(super) struct Search<'a> {
    pub knobs: &'a [Knob],
    pub make: &'a Make<'a>,
    /// The values that the knobs have now, if that is a setting.
    pub present: Option<&'a Point>,
    pub goal: &'a Goal,
    pub threads: usize,
    /// The most runs.
    pub budget: u64,
    pub first_seed: u64,
    pub progress: &'a (dyn Fn(u64) + Sync),
    /// Whether there is time for another round.
    pub goes_on: &'a (dyn Fn() -> bool + Sync),
    /// Runs made so far.
    pub runs: u64,
    /// Settings that cannot be run.
    pub refused: BTreeSet<Point>,
    /// By setting: its runs, by seed.
    pub found: BTreeMap<Point, Vec<Score>>,
}

impl Search<'_> {
    /// The best settings, best first; empty where no setting can be run.
    pub fn finalists(&mut self, count: usize) -> Vec<Point> {
        let mut points = self.grid();
        points.extend(self.present.cloned());
        let mut seeds = 1;
        while seeds <= SEEDS_MAX {
            points = self.best(&points, seeds);
            if self.is_spent() {
                break;
            }
            if seeds < SEEDS_MAX {
                points.truncate((points.len() / KEPT).max(KEPT_MIN));
            }
            seeds *= 2;
        }
        for _ in 0..REFINEMENTS {
            let near = self.neighbours(&points[..points.len().min(REFINED)]);
            if near.is_empty() || self.is_spent() {
                break;
            }
            points.truncate(KEPT_MIN);
            points.extend(near);
            points = self.best(&points, SEEDS_MAX.min(seeds));
        }
        points.truncate(count);
        if let Some(present) = self
            .present
            .filter(|present| self.found.contains_key(*present))
            && !points.contains(present)
        {
            points.push(present.clone());
        }
        points
    }

    /// How many knobs are as they are now.
    pub fn kept(&self, point: &Point) -> usize {
        let present = self.present.into_iter().flatten();
        present.zip(point).filter(|(now, own)| now == own).count()
    }

    fn is_spent(&self) -> bool {
        self.runs >= self.budget || !(self.goes_on)()
    }

    /// Every combination, or as many of them as half the budget has runs for, spread over all.
    fn grid(&self) -> Vec<Point> {
        let sizes: Vec<u64> = self
            .knobs
            .iter()
            .map(|knob| knob.values.len() as u64)
            .collect();
        let all: u64 = sizes.iter().fold(1, |all, size| all.saturating_mul(*size));
        let most = (self.budget / 2).max(1);
        let taken = all.min(most);
        // A golden step through the numbers of all combinations leaves none of them far from one that is tried.
        let stride = if taken == all {
            1
        } else {
            coprime((all as f64 * 0.618_033_988_75) as u64, all)
        };
        let point = |number: u64| {
            let mut rest = (u128::from(number) * u128::from(stride) % u128::from(all)) as u64;
            let values = self.knobs.iter().zip(&sizes).map(|(knob, size)| {
                let value = knob.values[(rest % size) as usize].clone();
                rest /= size;
                value
            });
            values.collect()
        };
        (0..taken).map(point).collect()
    }

    /// Tries settings with the first so many seeds; those that can be run, best first.
    pub fn best(&mut self, points: &[Point], seeds: usize) -> Vec<Point> {
        self.evaluate(points, seeds);
        let known: Vec<(&Point, &[Score])> = points
            .iter()
            .filter_map(|point| {
                let scores = self.found.get(point)?;
                Some((point, &scores[..scores.len().min(seeds)]))
            })
            .collect();
        let most = most_of(known.iter().map(|(_, scores)| *scores));
        let mut ranked: Vec<(f64, usize, &Point)> = known
            .into_iter()
            .map(|(point, scores)| {
                let worth = utility(self.goal, &Sample::of(scores), most);
                (worth, self.kept(point), point)
            })
            .collect();
        // Of equals those that change less come first, and then they stay in the order of the grid.
        ranked.sort_by(|one, other| other.0.total_cmp(&one.0).then(other.1.cmp(&one.1)));
        let mut best: Vec<Point> = Vec::with_capacity(ranked.len());
        for (_, _, point) in ranked {
            if !best.contains(point) {
                best.push(point.clone());
            }
        }
        best
    }

    /// Runs what has not been run of these settings and seeds.
    pub fn evaluate(&mut self, points: &[Point], seeds: usize) {
        let mut jobs = Vec::new();
        for point in points {
            let known = self.found.get(point).map_or(0, Vec::len);
            if self.refused.contains(point) {
                continue;
            }
            if known < seeds && !jobs.iter().any(|(other, _)| *other == point) {
                jobs.push((point, known));
            }
        }
        let before = self.runs;
        let results = parallel::map(
            &jobs,
            self.threads,
            |(point, known)| {
                let scenario = (self.make)(point)?;
                let seeds = *known..seeds;
                let scores = seeds
                    .map(|seed| trial(&scenario, Seed(self.first_seed.wrapping_add(seed as u64))));
                Some(scores.collect::<Vec<Score>>())
            },
            |done| (self.progress)(before + done as u64),
        );
        for ((point, _), scores) in jobs.into_iter().zip(results) {
            match scores {
                Some(scores) => {
                    self.runs += scores.len() as u64;
                    self.found.entry(point.clone()).or_default().extend(scores);
                }
                None => {
                    self.refused.insert(point.clone());
                }
            }
        }
    }

    /// The settings halfway to the next values that were tried, one knob at a time.
    fn neighbours(&self, points: &[Point]) -> Vec<Point> {
        let mut near = Vec::new();
        for point in points {
            for (place, knob) in self.knobs.iter().enumerate() {
                for next in [
                    self.below(place, knob, point),
                    self.above(place, knob, point),
                ] {
                    let Some(value) = next else { continue };
                    let mut neighbour = point.clone();
                    neighbour[place] = value;
                    let known =
                        self.found.contains_key(&neighbour) || self.refused.contains(&neighbour);
                    if !known && !near.contains(&neighbour) {
                        near.push(neighbour);
                    }
                }
            }
        }
        near
    }

    fn below(&self, place: usize, knob: &Knob, point: &Point) -> Option<String> {
        let tried = self.tried(place, knob, point)?;
        let at = tried.iter().position(|value| *value == point[place])?;
        knob.between(&tried[at.checked_sub(1)?], &tried[at])
    }

    fn above(&self, place: usize, knob: &Knob, point: &Point) -> Option<String> {
        let tried = self.tried(place, knob, point)?;
        let at = tried.iter().position(|value| *value == point[place])?;
        knob.between(&tried[at], tried.get(at + 1)?)
    }

    /// The values of one knob that were tried with all others as they are, in order; and the grid's.
    fn tried(&self, place: usize, knob: &Knob, point: &Point) -> Option<Vec<String>> {
        knob.scale?;
        let mut values = knob.values.clone();
        for other in self.found.keys() {
            let same = other
                .iter()
                .zip(point)
                .enumerate()
                .all(|(at, (one, own))| at == place || one == own);
            if same && !values.contains(&other[place]) {
                values.push(other[place].clone());
            }
        }
        values.sort_by(|one, other| knob.order(one, other));
        Some(values)
    }
}

/// The first number from `from` on that has no divisor in common with `of`.
fn coprime(from: u64, of: u64) -> u64 {
    let divisor = |mut one: u64, mut other: u64| {
        while other > 0 {
            (one, other) = (other, one % other);
        }
        one
    };
    (from.max(1)..)
        .find(|&step| divisor(step, of) == 1)
        .unwrap_or(1)
}
