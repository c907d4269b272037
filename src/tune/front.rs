//! The Pareto front: settings that no other is at least as good as in everything and better in something.

use super::Tried;
use super::score::Summary;

/// No front of a table has more.
const FRONT_MAX: usize = 20;

/// What is wanted, all of it more: goodput, and none of the rest.
fn wants(summary: &Summary) -> [f64; 4] {
    [
        summary.goodput.mean,
        -summary.throttle_share.mean,
        -summary.wait_p99_s.mean,
        -summary.wasted_share.mean,
    ]
}

fn dominates(one: &Summary, other: &Summary) -> bool {
    let (one, other) = (wants(one), wants(other));
    one.iter().zip(&other).all(|(one, other)| one >= other) && one != other
}

/// The front of settings that were tried with the most seeds, most goodput first; settings that came to the
/// same are there once. A long front is thinned evenly, its ends kept.
pub(super) fn front(all: &[Tried]) -> Vec<Tried> {
    let most = all
        .iter()
        .map(|tried| tried.summary.runs)
        .max()
        .unwrap_or(0);
    let last: Vec<&Tried> = all
        .iter()
        .filter(|tried| tried.summary.runs == most)
        .collect();
    let mut front: Vec<Tried> = Vec::new();
    for tried in &last {
        let beaten = last
            .iter()
            .any(|other| dominates(&other.summary, &tried.summary));
        let known = front
            .iter()
            .any(|other| wants(&other.summary) == wants(&tried.summary));
        if !beaten && !known {
            front.push((*tried).clone());
        }
    }
    front.sort_by(|one, other| {
        let goodput = |tried: &Tried| tried.summary.goodput.mean;
        goodput(other).total_cmp(&goodput(one))
    });
    if front.len() > FRONT_MAX {
        let last = front.len() - 1;
        front = (0..FRONT_MAX)
            .map(|place| front[place * last / (FRONT_MAX - 1)].clone())
            .collect();
    }
    front
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::score::Figure;
    use super::*;

    fn tried(goodput: f64, wait: f64) -> Tried {
        let figure = |mean| Figure {
            mean,
            ..Figure::default()
        };
        Tried {
            values: vec![format!("{goodput} {wait}")],
            summary: Summary {
                runs: 8,
                goodput: figure(goodput),
                wait_p99_s: figure(wait),
                ..Summary::default()
            },
        }
    }

    proptest! {
        #[test]
        fn nothing_beats_the_front_and_the_front_beats_the_rest(
            settings in prop::collection::vec((0_u8..8, 0_u8..8), 1..15),
        ) {
            let all: Vec<Tried> = settings.iter().map(|&(goodput, wait)| tried(goodput.into(), wait.into())).collect();
            let front = front(&all);
            prop_assert!(!front.is_empty());
            for one in &all {
                let beaten = front.iter().any(|best| dominates(&best.summary, &one.summary));
                let known = front.iter().any(|best| wants(&best.summary) == wants(&one.summary));
                prop_assert!(beaten != known);
            }
        }
    }

    #[test]
    fn a_long_front_keeps_its_ends() {
        let all: Vec<Tried> = (0..100)
            .map(|place| tried(f64::from(place), f64::from(place)))
            .collect();
        let front = front(&all);
        assert_eq!(front.len(), FRONT_MAX);
        assert_eq!(
            (
                front[0].summary.goodput.mean,
                front[19].summary.goodput.mean
            ),
            (99.0, 0.0)
        );
    }
}
