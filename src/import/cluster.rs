//! Kinds of requests by their lengths: k-means over the logarithms of input and output tokens.
//!
//! Promises: the same requests give the same kinds. Centres are found on a sample and begin at quantiles
//! of length, so that nothing is random.

use super::recording::Record;

/// Requests that centres are found on, at most.
const SAMPLE: usize = 20_000;

/// Centres seldom move after a dozen rounds.
const ROUNDS: usize = 50;

type Point = [f64; 2];

fn point(record: &Record) -> Point {
    [
        f64::from(record.input).ln_1p(),
        f64::from(record.output).ln_1p(),
    ]
}

fn distance(one: Point, other: Point) -> f64 {
    (one[0] - other[0]).powi(2) + (one[1] - other[1]).powi(2)
}

fn nearest(centres: &[Point], point: Point) -> usize {
    let mut best = (0, f64::INFINITY);
    for (place, &centre) in centres.iter().enumerate() {
        let distance = distance(centre, point);
        if distance < best.1 {
            best = (place, distance);
        }
    }
    best.0
}

/// Parts `members` into at most `kinds` groups; none is empty.
pub(super) fn kinds(records: &[Record], members: Vec<u32>, kinds: usize) -> Vec<Vec<u32>> {
    if kinds < 2 || members.len() < 2 {
        return vec![members];
    }
    let step = members.len().div_ceil(SAMPLE);
    let mut sample: Vec<Point> = members
        .iter()
        .step_by(step)
        .map(|&member| point(&records[member as usize]))
        .collect();
    sample.sort_by(|one, other| (one[0] + one[1]).total_cmp(&(other[0] + other[1])));
    let quantile = |kind: usize| sample[(2 * kind + 1) * sample.len() / (2 * kinds)];
    let mut centres: Vec<Point> = (0..kinds).map(quantile).collect();
    for _ in 0..ROUNDS {
        let mut sums = vec![([0.0; 2], 0_u32); kinds];
        for &point in &sample {
            let (sum, count) = &mut sums[nearest(&centres, point)];
            sum[0] += point[0];
            sum[1] += point[1];
            *count += 1;
        }
        let mut moved = false;
        for (centre, (sum, count)) in centres.iter_mut().zip(sums) {
            if count > 0 {
                let mean = sum.map(|sum| sum / f64::from(count));
                moved |= mean != *centre;
                *centre = mean;
            }
        }
        if !moved {
            break;
        }
    }
    let mut groups = vec![Vec::new(); kinds];
    for member in members {
        groups[nearest(&centres, point(&records[member as usize]))].push(member);
    }
    groups.retain(|group| !group.is_empty());
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(input: u32, output: u32) -> Record {
        Record {
            at: 0,
            input,
            output,
            max_tokens: 0,
            model: 0,
            key: 0,
        }
    }

    #[test]
    fn what_is_far_apart_is_told_apart() {
        let records: Vec<Record> = (0..3_000)
            .map(|number| match number % 3 {
                0 => record(100 + number % 7, 50 + number % 5),
                1 => record(5_000 + number % 700, 40 + number % 5),
                _ => record(900 + number % 90, 2_000 + number % 300),
            })
            .collect();
        let groups = kinds(&records, (0..3_000).collect(), 3);
        assert_eq!(groups.iter().map(Vec::len).collect::<Vec<_>>(), [1_000; 3]);
        for group in groups {
            assert!(group.iter().all(|member| member % 3 == group[0] % 3));
        }
    }

    #[test]
    fn requests_that_are_all_alike_are_one_kind() {
        let records = vec![record(10, 10); 100];
        assert_eq!(kinds(&records, (0..100).collect(), 4).len(), 1);
    }
}
