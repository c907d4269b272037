//! What several runs of one setting are worth.
//!
//! Promises: a setting that breaks its bounds in too many runs is worth less than any that keeps them; within
//! the bounds more answers are worth more, and between equals shorter waits.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::trial::Score;
use crate::goal::Goal;
use crate::statistics::{mean_and_deviation, students_quantile};

/// What waits and waste are worth where goodput is equal: half a per cent of it at most.
const TIE: f64 = 0.004;

/// The wait that is worth half of that.
const TIE_WAIT_S: f64 = 10.0;

/// How sure intervals are.
const CONFIDENCE: f64 = 0.95;

/// Runs of one setting.
pub(super) struct Sample<'a> {
    scores: &'a [Score],
}

/// A figure over several runs, and where that of one more run lies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Figure {
    /// The mean.
    pub mean: f64,
    /// The lower end of where one more run lies at 95 %; none of fewer than two runs.
    pub low: Option<f64>,
    /// The upper end.
    pub high: Option<f64>,
}

/// What runs of one setting came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Summary {
    /// Runs, each with a seed of its own.
    pub runs: u64,
    /// Whole answers a second.
    pub goodput: Figure,
    /// Answers a second, those that `max_tokens` cut off included.
    pub answered: Figure,
    /// Requests a second that became due.
    pub offered: Figure,
    /// The part of ended attempts that was throttled.
    pub throttle_share: Figure,
    /// The 99th percentile of the wait for quota, in seconds.
    pub wait_p99_s: Figure,
    /// The part of settled tokens that attempts without an answer cost.
    pub wasted_share: Figure,
    /// The part of requests that was dropped or failed.
    pub lost_share: Figure,
    /// The part of runs that kept the bounds.
    pub kept: f64,
    /// Whether that is as many as was asked for.
    pub holds: bool,
}

impl<'a> Sample<'a> {
    /// Of these runs; at least one.
    pub const fn of(scores: &'a [Score]) -> Self {
        Self { scores }
    }

    fn mean(&self, of: fn(&Score) -> f64) -> f64 {
        self.scores.iter().map(of).sum::<f64>() / self.scores.len().max(1) as f64
    }

    fn figure(&self, of: fn(&Score) -> f64) -> Figure {
        let mean = self.mean(of);
        let count = self.scores.len();
        let values: Vec<f64> = self.scores.iter().map(of).collect();
        let spread = mean_and_deviation(&values).and_then(|(_, deviation)| {
            let student = students_quantile(CONFIDENCE, count as u64 - 1)?;
            // One more value lies about the mean with its own scatter and the mean's.
            Some(student * deviation * (1.0 + 1.0 / count as f64).sqrt())
        });
        Figure {
            mean,
            low: spread.map(|spread| (mean - spread).max(0.0)),
            high: spread.map(|spread| mean + spread),
        }
    }

    /// The part of runs in which the bounds held.
    fn kept(&self, goal: &Goal) -> f64 {
        let kept = self.scores.iter().filter(|score| keeps(goal, score));
        kept.count() as f64 / self.scores.len().max(1) as f64
    }

    pub fn summary(&self, goal: &Goal) -> Summary {
        let kept = self.kept(goal);
        Summary {
            runs: self.scores.len() as u64,
            goodput: self.figure(|score| score.goodput),
            answered: self.figure(|score| score.answered),
            offered: self.figure(|score| score.offered),
            throttle_share: self.figure(|score| score.throttle_share),
            wait_p99_s: self.figure(|score| score.wait_p99_s),
            wasted_share: self.figure(|score| score.wasted_share),
            lost_share: self.figure(|score| score.lost_share),
            kept,
            holds: kept >= goal.runs_share,
        }
    }
}

/// The most answers a second that any of these came to, or was offered.
pub(super) fn most_of<'a>(samples: impl IntoIterator<Item = &'a [Score]>) -> f64 {
    let each = samples.into_iter().map(|scores| {
        let sample = Sample::of(scores);
        let offered = sample.mean(|score| score.offered);
        sample.mean(|score| score.goodput).max(offered)
    });
    each.fold(0.0, f64::max)
}

fn keeps(goal: &Goal, score: &Score) -> bool {
    score.throttle_share <= goal.throttle_share
        && goal.wait_p99_s.is_none_or(|most| score.wait_p99_s <= most)
}

/// What a setting is worth; settings that break their bounds in too many runs are worth less than zero. `most` is
/// what answers a second are held against, the same for all that are compared: in a closed loop a setting decides
/// itself how much is offered.
pub(super) fn utility(goal: &Goal, sample: &Sample<'_>, most: f64) -> f64 {
    let goodput = sample.mean(|score| score.goodput) / most.max(f64::MIN_POSITIVE);
    let wait = sample.mean(|score| score.wait_p99_s);
    let wasted = sample.mean(|score| score.wasted_share);
    let throttled = sample.mean(|score| score.throttle_share);
    let worth = match goal.weights {
        Some(weights) => {
            weights.goodput * goodput
                - weights.throttle_share * throttled
                - weights.wait_p99_s * wait
                - weights.wasted_share * wasted
        }
        None => goodput - TIE * (wait / (wait + TIE_WAIT_S) + wasted) / 2.0,
    };
    let broken = goal.runs_share - sample.kept(goal);
    if broken <= 0.0 {
        return worth;
    }
    // How far it is beyond its bounds counts most: a search that finds nothing better says the nearest.
    let beyond = (throttled - goal.throttle_share).max(0.0)
        + goal
            .wait_p99_s
            .map_or(0.0, |most| (wait - most).max(0.0) / most.max(1e-9));
    -1e6 * (1.0 + beyond) + worth
}

#[cfg(test)]
mod tests {
    use super::*;

    fn score(goodput: f64, throttle_share: f64, wait_p99_s: f64) -> Score {
        Score {
            goodput,
            offered: 10.0,
            throttle_share,
            wait_p99_s,
            ..Score::default()
        }
    }

    fn worth(goal: &Goal, scores: &[Score]) -> f64 {
        utility(goal, &Sample::of(scores), 10.0)
    }

    #[test]
    fn more_answers_are_worth_more_and_shorter_waits_decide_between_equals() {
        let goal = Goal::default();
        let of = |goodput, wait| worth(&goal, &[score(goodput, 0.0, wait)]);
        assert!(of(9.1, 30.0) > of(9.0, 0.0));
        assert!(of(9.0, 1.0) > of(9.0, 2.0));
    }

    #[test]
    fn whoever_breaks_the_bounds_in_too_many_runs_is_last() {
        let goal = Goal {
            wait_p99_s: Some(5.0),
            ..Goal::default()
        };
        let kept = [score(1.0, 0.0, 5.0); 20];
        let mut once = [score(9.0, 0.0, 1.0); 20];
        once[7].throttle_share = 0.5;
        let mut twice = once;
        twice[8].wait_p99_s = 6.0;
        assert!(worth(&goal, &once) > worth(&goal, &kept));
        assert!(worth(&goal, &twice) < worth(&goal, &kept));
        // Nearer to the bounds is better among those that break them.
        let far = [score(9.0, 0.4, 1.0)];
        let near = [score(2.0, 0.1, 1.0)];
        assert!(worth(&goal, &near) > worth(&goal, &far));
    }

    #[test]
    fn one_more_run_lies_about_the_mean() {
        let scores = [
            score(1.0, 0.0, 0.0),
            score(2.0, 0.0, 0.0),
            score(3.0, 0.0, 0.0),
        ];
        let summary = Sample::of(&scores).summary(&Goal::default());
        // t = 4.303 with two degrees of freedom, sd 1: 4.303 · √(4/3) = 4.968.
        assert_eq!(summary.goodput.mean, 2.0);
        assert_eq!(summary.goodput.low, Some(0.0));
        assert!((summary.goodput.high.unwrap_or(0.0) - 6.968).abs() < 0.001);
        assert_eq!(
            Sample::of(&scores[..1])
                .summary(&Goal::default())
                .goodput
                .low,
            None
        );
    }
}
