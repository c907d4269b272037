//! The charts of a tuning and of a league.

use super::figure::{Data, Figure};
use super::run_page::short;
use super::words::{percent, seconds};
use crate::chart::{Axis, Forest, Interval, Look, Plot, Scale, Scatter, Spot};
use crate::tune::{League, Match, Summary, Tried, Tuning};
use crate::units::significant;

/// Spots of settings that are not on the front, at most: the best.
const SPOTS: usize = 300;

fn spot(label: &str, values: &[String], summary: &Summary) -> Spot {
    Spot {
        x: summary.goodput.mean,
        y: summary.wait_p99_s.mean,
        label: label.to_owned(),
        title: format!(
            "{}: {} answers/s, {} throttled, wait p99 {}",
            values.join(", "),
            significant(summary.goodput.mean),
            percent(summary.throttle_share.mean),
            seconds(summary.wait_p99_s.mean)
        ),
    }
}

/// What was tried: answers against waits, the front and the choice among them.
pub(super) fn pareto(tuning: &Tuning) -> Figure {
    let title = "What was tried: answers against waits";
    let summaries = || {
        let tried = tuning.all.iter().chain(&tuning.front);
        tried
            .map(|tried| tried.summary)
            .chain([tuning.present, tuning.chosen.promise])
    };
    let x = Axis {
        label: "answers per second".to_owned(),
        scale: Scale::between(summaries().map(|summary| summary.goodput.mean)),
        show: short,
    };
    let y = Axis {
        label: "99th percentile of the wait for quota".to_owned(),
        scale: Scale::up_to(summaries().map(|summary| summary.wait_p99_s.mean * 1.1)),
        show: |value| seconds(value),
    };
    let mut plot = Plot::new(title, x, y);
    plot.about =
        "a point for each setting: to the right are more answers, further down shorter waits"
            .to_owned();
    let keeps = |tried: &&Tried| tried.summary.holds;
    let spots = |settings: &[Tried], kept: bool| -> Vec<Spot> {
        settings
            .iter()
            .filter(|tried| keeps(tried) == kept)
            .take(SPOTS)
            .map(|tried| spot("", &tried.values, &tried.summary))
            .collect()
    };
    for (name, look, spots) in [
        ("breaks a bound", Look::Bad, spots(&tuning.all, false)),
        ("keeps the bounds", Look::Quiet, spots(&tuning.all, true)),
        ("the front", Look::Series(0), front(tuning)),
    ] {
        plot.scatters.push(Scatter {
            name: name.to_owned(),
            look,
            spots,
        });
    }
    let ends = vec![
        spot("present", &["present".to_owned()], &tuning.present),
        spot("recommended", &tuning.chosen.values, &tuning.chosen.promise),
    ];
    plot.scatters.push(Scatter {
        name: String::new(),
        look: Look::Good,
        spots: ends,
    });
    let mut columns = tuning.knobs.clone();
    columns.extend(["answers/s", "throttled", "wait p99 (s)", "wasted"].map(str::to_owned));
    let rows = tuning.front.iter().map(|tried| {
        let mut row: Vec<_> = tried
            .values
            .iter()
            .map(|value| value.as_str().into())
            .collect();
        row.extend([
            tried.summary.goodput.mean.into(),
            tried.summary.throttle_share.mean.into(),
            tried.summary.wait_p99_s.mean.into(),
            tried.summary.wasted_share.mean.into(),
        ]);
        row
    });
    Figure {
        title: title.to_owned(),
        note: format!("The best {SPOTS} of each kind at most. The numbers are those of the front."),
        svg: plot.svg(),
        data: Data {
            columns,
            rows: rows.collect(),
        },
    }
}

fn front(tuning: &Tuning) -> Vec<Spot> {
    let front = tuning.front.iter();
    front
        .map(|tried| spot("", &tried.values, &tried.summary))
        .collect()
}

/// What each other value of each knob costs in answers.
pub(super) fn sensitivity(tuning: &Tuning) -> Option<Figure> {
    if tuning.sensitivity.is_empty() {
        return None;
    }
    let title = "What each knob is worth, one at a time";
    let mut data = Data::new(["knob", "value", "change of answers"]);
    let rows = tuning.sensitivity.iter().map(|turned| {
        data.row([
            turned.knob.as_str().into(),
            turned.value.as_str().into(),
            turned.goodput_change.into(),
        ]);
        let change = turned.goodput_change.unwrap_or(0.0);
        Interval {
            name: format!("{} = {}", turned.knob, turned.value),
            value: change,
            ends: None,
            allowed: None,
            look: if turned.summary.holds {
                Look::Good
            } else {
                Look::Bad
            },
            said: format!("{:+.2} %", change * 100.0),
            title: format!(
                "{} = {}: {} answers/s, wait p99 {}",
                turned.knob,
                turned.value,
                significant(turned.summary.goodput.mean),
                seconds(turned.summary.wait_p99_s.mean)
            ),
        }
    });
    let rows: Vec<Interval> = rows.collect();
    let changes: Vec<f64> = rows.iter().map(|row| row.value).collect();
    let forest = Forest {
        title: title.to_owned(),
        about: "change of answers per second if one knob is set otherwise".to_owned(),
        axis: Axis {
            label: "change of answers per second".to_owned(),
            scale: Scale::around(changes),
            show: |value| format!("{:+.1} %", value * 100.0),
        },
        rows,
    };
    Some(Figure {
        title: title.to_owned(),
        note: "A cross breaks a bound in too many runs.".to_owned(),
        svg: forest.svg(),
        data,
    })
}

/// Goodput of each strategy as a part of the oracle's.
pub(super) fn league(league: &League, of: &Match) -> Figure {
    let title = format!("{}: answers, as a part of what could be had", of.scenario);
    let mut data = Data::new(["strategy", "of the oracle", "throttled", "wait p99 (s)"]);
    let mut rows = Vec::new();
    for entry in &of.entries {
        let throttled = entry.summary.throttle_share.mean;
        data.row([
            entry.strategy.as_str().into(),
            entry.of_oracle.into(),
            throttled.into(),
            entry.summary.wait_p99_s.mean.into(),
        ]);
        rows.push(Interval {
            name: entry.strategy.clone(),
            value: entry.of_oracle,
            ends: None,
            allowed: None,
            look: if throttled <= league.goal.throttle_share {
                Look::Good
            } else {
                Look::Bad
            },
            said: format!(
                "{}, {} throttled",
                percent(entry.of_oracle),
                percent(throttled)
            ),
            title: format!(
                "{}: {} answers/s",
                entry.strategy,
                significant(entry.summary.goodput.mean)
            ),
        });
    }
    let forest = Forest {
        title: title.clone(),
        about: "answers per second by strategy, as a part of the oracle's".to_owned(),
        axis: Axis {
            label: "of the oracle".to_owned(),
            scale: Scale::up_to(of.entries.iter().map(|entry| entry.of_oracle)),
            show: percent,
        },
        rows,
    };
    Figure {
        title,
        note: format!(
            "A cross: more than {} of attempts were throttled.",
            percent(league.goal.throttle_share)
        ),
        svg: forest.svg(),
        data,
    }
}
