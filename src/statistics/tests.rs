//! Against scipy: `tests/statistics/make.py` made the figures.

use serde::Deserialize;

use super::*;

type Values = Vec<f64>;

/// A confidence, and the ranks of both ends.
type Ranks = (f64, Option<u64>, Option<u64>);

#[derive(Deserialize)]
struct Fixtures {
    wilson: Vec<(f64, f64, f64, f64, f64)>,
    mean: Vec<(Values, f64, f64, f64)>,
    quantile: Vec<(Values, f64, Vec<Ranks>)>,
    holm: Vec<(Values, Values)>,
}

fn fixtures() -> Fixtures {
    let text = include_str!("../../tests/statistics/fixtures.json");
    serde_json::from_str(text).expect("the script writes what is read here")
}

fn near(one: f64, other: f64) -> bool {
    (one - other).abs() <= 1e-9 * other.abs().max(1.0)
}

#[test]
fn wilsons_interval_is_scipys() {
    for (hits, count, confidence, low, high) in fixtures().wilson {
        let found = wilson(hits, count, confidence);
        assert!(
            near(found.low, low) && near(found.high, high),
            "{found:?} {low} {high}"
        );
    }
}

#[test]
fn newcombes_interval_is_the_published_one() {
    // Newcombe 1998, table II, example (a), method 10.
    let found = newcombe((56.0, 70.0), (48.0, 80.0), 0.95);
    let rounded = found.map(|end| (end * 1e4).round() / 1e4);
    assert_eq!((rounded.low, rounded.high), (0.0524, 0.3339));
    let nothing = newcombe((0.0, 300.0), (0.0, 300.0), 0.95);
    assert!(nothing.contains(0.0) && nothing.high < 0.0130);
}

#[test]
fn students_interval_is_scipys() {
    for (values, confidence, low, high) in fixtures().mean {
        let (_, found) = mean_interval(&values, confidence).expect("two values and more");
        assert!(
            near(found.low, low) && near(found.high, high),
            "{found:?} {low} {high}"
        );
    }
    assert_eq!(mean_interval(&[1.0], 0.95), None);
}

#[test]
fn order_statistics_are_scipys() {
    for (values, q, ends) in fixtures().quantile {
        for (confidence, low, high) in ends {
            let found = quantile_ranks(values.len() as u64, q, confidence);
            assert_eq!(
                found,
                (low, high),
                "{} values, {q}, {confidence}",
                values.len()
            );
        }
    }
    for (q, needed) in [(0.5, 5), (0.9, 29), (0.95, 59), (0.99, 299), (0.999, 2_995)] {
        assert_eq!(samples_needed(q, 0.95), needed);
    }
}

#[test]
fn holms_p_values_are_the_step_down_ones() {
    for (p_values, expected) in fixtures().holm {
        let found = holm(&p_values);
        let all = found
            .iter()
            .zip(&expected)
            .all(|(found, expected)| near(*found, *expected));
        assert!(all, "{found:?} {expected:?}");
    }
}

#[test]
fn a_mean_is_tested_against_a_bound() {
    // t = (0.2 - 0.05) / (0.1 / √3) = 2.598, of which two degrees of freedom leave 6.1 %.
    let test = mean_test(&[0.1, 0.2, 0.3], 0.05, 0.95, false).expect("three values");
    assert!((test.p - 0.0608).abs() < 0.0002, "{test:?}");
    assert!(test.interval.contains(0.05));
    // z = 1.96 + 0.3, sd 0.1, 0.03 away: (2.26 · 0.1 / 0.03)² = 56.7.
    let near = mean_test(&[0.1, 0.2, 0.3], 0.17, 0.95, false).expect("three values");
    assert_eq!(near.needed, Some(57));
    // Three do not do, whatever a rule of thumb says.
    assert_eq!(test.needed, Some(4));
    let exact = mean_test(&[0.2], 0.05, 0.95, true).expect("it is exact");
    assert_eq!(
        (exact.p, exact.interval.low, exact.needed),
        (0.0, 0.2, None)
    );
    let same = mean_test(&[0.0, 0.0], 0.05, 0.95, false).expect("two values");
    assert_eq!((same.p, same.interval.high), (1.0, 0.0));
    assert_eq!(mean_test(&[0.2], 0.05, 0.95, false), None);
}

#[test]
fn a_sign_test_counts_which_way_changes_went() {
    // Of ten changes, eight or more one way: (45 + 10 + 1) / 1024.
    assert!(near(sign_test(8, 10), 56.0 / 1024.0));
    assert!(near(sign_test(5, 5), 1.0 / 32.0));
    assert_eq!((sign_test(0, 10), sign_test(0, 0)), (1.0, 1.0));
}
