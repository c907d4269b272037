//! What things are made of: latency of its parts, requests of their outcomes, tokens of guesses and counts.

use super::super::figure::{Data, Figure};
use super::super::table::name;
use super::super::words::{count, counted, part_of, percent};
use super::{in_seconds, seconds, short};
use crate::chart::{Axis, Bar, Bars, Look, Scale};
use crate::outcome::Failure;
use crate::recorder::measured::{Group, Measured, Spread};

/// The prompt classes, and all of them together where there are several.
fn groups(measured: &Measured) -> Vec<(String, &Group)> {
    let classes = measured
        .classes
        .iter()
        .map(|group| (name(&group.name), group));
    let mut groups: Vec<_> = classes.collect();
    if groups.len() > 1 {
        groups.insert(0, ("all".to_owned(), &measured.total));
    }
    groups
}

fn mean(spread: &Spread) -> f64 {
    spread.mean_ns.map_or(0.0, in_seconds)
}

/// Mean latency by its parts.
pub(super) fn time(measured: &Measured) -> Figure {
    let groups = groups(measured);
    let parts = |group: &Group| {
        let (wait, lag, service) = (
            mean(&group.limiter_wait),
            mean(&group.dispatch_lag),
            mean(&group.service_time),
        );
        // What is left went into attempts before the last and the pauses between them.
        let rest = (mean(&group.latency) - wait - lag - service).max(0.0);
        [wait, rest, lag, service]
    };
    let mut data = Data::new([
        "prompt",
        "wait for quota (s)",
        "retries (s)",
        "dispatch lag (s)",
        "service (s)",
        "mean latency (s)",
    ]);
    let mut bars = Vec::new();
    for (name, group) in &groups {
        let [wait, rest, lag, service] = parts(group);
        let latency = mean(&group.latency);
        data.row([
            name.as_str().into(),
            wait.into(),
            rest.into(),
            lag.into(),
            service.into(),
            latency.into(),
        ]);
        bars.push(Bar {
            name: name.clone(),
            values: vec![wait, rest, lag, service],
            said: seconds(latency),
        });
    }
    let title = "Mean latency, by what it was spent on";
    let drawn = Bars {
        title: title.to_owned(),
        about: "mean seconds of waiting for quota, of retries, of dispatch and of service"
            .to_owned(),
        axis: Axis {
            label: "mean time per request".to_owned(),
            scale: Scale::up_to(bars.iter().map(|bar| bar.values.iter().sum())),
            show: seconds,
        },
        parts: vec![
            ("waiting for quota".to_owned(), Look::Series(1)),
            ("earlier attempts and pauses".to_owned(), Look::Bad),
            ("dispatch lag".to_owned(), Look::Series(3)),
            ("service, last attempt".to_owned(), Look::Series(0)),
        ],
        bars,
    };
    let differ = groups
        .iter()
        .any(|(_, group)| group.limiter_wait.count != group.latency.count);
    let mut note = "Behind each bar is the mean latency of answered requests.".to_owned();
    if differ {
        note += " Waits are means over all admitted requests, also those that were not answered; so the parts \
                 need not add up to it.";
    }
    Figure {
        title: title.to_owned(),
        note,
        svg: drawn.svg(),
        data,
    }
}

/// How requests ended, as parts of those that became due.
pub(super) fn outcomes(measured: &Measured) -> Figure {
    let throttled = |group: &Group| -> u64 {
        let failures = group.failures.iter();
        failures
            .filter(|(name, _)| Failure::from_name(name).is_some_and(Failure::is_throttle))
            .map(|(_, times)| times)
            .sum()
    };
    let mut data = Data::new([
        "prompt",
        "due",
        "answered",
        "throttled",
        "failed",
        "dropped",
        "cancelled",
    ]);
    let mut bars = Vec::new();
    for (name, group) in groups(measured) {
        let counts = group.counts;
        let throttled = throttled(group);
        let each = [
            counts.completed,
            throttled,
            counts.failed.saturating_sub(throttled),
            counts.dropped,
            counts.cancelled,
        ];
        let [answered, throttled, failed, dropped, cancelled] = each.map(Into::into);
        data.row([
            name.as_str().into(),
            counts.intended.into(),
            answered,
            throttled,
            failed,
            dropped,
            cancelled,
        ]);
        let whole = counts.intended.max(1) as f64;
        bars.push(Bar {
            name,
            values: each.map(|times| times as f64 / whole).to_vec(),
            said: counted(counts.intended, "request"),
        });
    }
    let parts = [
        ("answered", Look::Series(0)),
        ("throttled at last", Look::Bad),
        ("failed otherwise", Look::Caution),
        ("dropped", Look::Series(3)),
        ("cancelled", Look::Quiet),
    ];
    // What did not happen needs no place in the legend.
    let occurs = |place: &usize| bars.iter().any(|bar: &Bar| bar.values[*place] > 0.0);
    let kept: Vec<usize> = (0..parts.len()).filter(occurs).collect();
    for bar in &mut bars {
        bar.values = kept.iter().map(|place| bar.values[*place]).collect();
    }
    let title = "How requests ended, by prompt";
    let drawn = Bars {
        title: title.to_owned(),
        about: "parts of the requests that became due".to_owned(),
        axis: Axis {
            label: "part of the requests that became due".to_owned(),
            scale: Scale::Linear {
                low: 0.0,
                high: 1.0,
            },
            show: percent,
        },
        parts: kept
            .iter()
            .map(|place| (parts[*place].0.to_owned(), parts[*place].1))
            .collect(),
        bars,
    };
    let note = "A request that was throttled and answered at a later attempt counts as answered."
        .to_owned();
    Figure {
        title: title.to_owned(),
        note,
        svg: drawn.svg(),
        data,
    }
}

/// What the client expected and set aside, against what was counted and charged, per request.
pub(super) fn tokens(measured: &Measured) -> Figure {
    let mut data = Data::new([
        "prompt",
        "input expected",
        "input counted",
        "reserved",
        "settled",
        "settled for nothing",
    ]);
    let mut bars = Vec::new();
    for (name, group) in groups(measured) {
        data.row([
            name.as_str().into(),
            group.input_estimated.0.into(),
            group.input_counted.0.into(),
            group.reserved.0.into(),
            group.settled.0.into(),
            group.wasted.0.into(),
        ]);
        let off = |of: u64, whole: u64| format!("{}{}", count(of), part_of(of, whole));
        let (estimated, counted) = (group.input_estimated.0, group.input_counted.0);
        let used = group.settled.0.saturating_sub(group.wasted.0);
        for (what, values, said) in [
            (
                "expected",
                [estimated as f64, 0.0, 0.0, 0.0, 0.0],
                off(estimated, counted),
            ),
            (
                "counted",
                [0.0, counted as f64, 0.0, 0.0, 0.0],
                count(counted),
            ),
            (
                "reserved",
                [0.0, 0.0, group.reserved.0 as f64, 0.0, 0.0],
                off(group.reserved.0, group.settled.0),
            ),
            (
                "settled",
                [0.0, 0.0, 0.0, used as f64, group.wasted.0 as f64],
                count(group.settled.0),
            ),
        ] {
            bars.push(Bar {
                name: format!("{name}: {what}"),
                values: values.to_vec(),
                said,
            });
        }
    }
    let title = "Tokens: expected and reserved, counted and settled";
    let drawn = Bars {
        title: title.to_owned(),
        about: "tokens that the client expected and reserved, against those that the service counted and charged".to_owned(),
        axis: Axis {
            label: "tokens".to_owned(),
            scale: Scale::up_to(bars.iter().map(|bar| bar.values.iter().sum())),
            show: short,
        },
        parts: vec![
            ("input, expected".to_owned(), Look::Quiet),
            ("input, counted".to_owned(), Look::Series(0)),
            ("reserved".to_owned(), Look::Series(1)),
            ("settled".to_owned(), Look::Series(2)),
            ("settled without an answer".to_owned(), Look::Bad),
        ],
        bars,
    };
    let note =
        "In parentheses: as part of what the service counted, or settled, in the end.".to_owned();
    Figure {
        title: title.to_owned(),
        note,
        svg: drawn.svg(),
        data,
    }
}
