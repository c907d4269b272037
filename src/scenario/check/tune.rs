//! The table `[tune]`: what a tuner looks for, and what it may turn.

use super::super::diagnostic::Diagnostic;
use super::super::knob::Knob;
use super::super::problems::Problems;
use super::super::raw::{RawTune, RawWeights};
use super::super::value::Placed;
use super::settings::share;
use crate::goal::{Goal, KnobText, TuneSettings, Weights};
use crate::units::Share;

/// What is given, and the defaults for the rest.
pub(super) fn tune(raw: RawTune, problems: &mut Problems) -> TuneSettings {
    let default = Goal::default();
    let mut part = |field, key, default: f64| {
        let whole = Share {
            ppm: (default * 1e6).round() as u32,
        };
        share(problems, field, key, whole).fraction()
    };
    let throttle_share = part(raw.throttle_share, "throttle_share", default.throttle_share);
    let runs_share = part(raw.runs_share, "runs_share", default.runs_share);
    let wait_p99 = problems.get(raw.wait_p99);
    let weights = raw.weights.map(|raw| weights(raw.value, problems));
    let knobs = raw.knobs.map(|table| table.value).unwrap_or_default();
    let mut texts = Vec::new();
    for (key, field) in knobs {
        let span = field.span.clone();
        if !Knob::can_be_tuned(&key) {
            let title = format!("`{key}` is no key that can be turned");
            let help =
                "name a key of `limiter`, `retry` or `prompt.NAME`, such as `\"limiter.burst\"`";
            problems.push(
                Diagnostic::error("unknown-knob", title)
                    .at(span, "")
                    .help(help),
            );
            continue;
        }
        let Some(values) = problems.get(Some(field)) else {
            continue;
        };
        let text = KnobText { key, values };
        if let Err(problem) = Knob::read(&text) {
            problems.push(
                Diagnostic::error("knob-values", problem).at(span, "").help(
                    "write a list such as `\"1s, 5s, 10s\"`, or a range such as `\"1s..60s\"`",
                ),
            );
        }
        texts.push(text);
    }
    TuneSettings {
        goal: Goal {
            throttle_share,
            wait_p99_s: wait_p99.map(|wait| wait.as_secs_f64()),
            runs_share,
            weights,
        },
        knobs: texts,
    }
}

fn weights(raw: RawWeights, problems: &mut Problems) -> Weights {
    let mut weight = |field, default| {
        let weight: Option<Placed<f64>> = problems.read(field);
        if let Some(negative) = weight.as_ref().filter(|weight| weight.value < 0.0) {
            let problem = Diagnostic::error("negative-weight", "a weight is below zero");
            problems.push(
                problem
                    .at(negative.span.clone(), "")
                    .help("what is not wanted counts against already: write a number above zero"),
            );
        }
        weight.map_or(default, |weight| weight.value)
    };
    Weights {
        goodput: weight(raw.goodput, 1.0),
        throttle_share: weight(raw.throttle_share, 0.0),
        wait_p99_s: weight(raw.wait_p99, 0.0),
        wasted_share: weight(raw.wasted_share, 0.0),
    }
}
