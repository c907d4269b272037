//! What is made of a recorder when its run is over.
//!
//! Promises: models and the whole are sums of prompt classes, and the whole run is the sum of its
//! warm-up and what came after.

use std::time::Duration;

use super::early::Standing;
use super::ends;
use super::interval::Interval;
use super::measured::Measured;
use super::meter::Meter;
use super::tally::{Frame, Tally};
use super::verdict::{Judged, Verdict, judge};
use super::warnings::warnings;
use super::{Recorder, RecorderSettings, add_costs};
use crate::expect::Expectation;
use crate::outcome::ModelIndex;
use crate::time::{Instant, nanos};
use crate::units::Usd;

/// Everything that is known at the end of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Conclusion {
    /// The whole run.
    pub measured: Measured,
    /// The requests that were due after the warm-up; none if the run has none.
    pub after_warm_up: Option<Measured>,
    /// The intervals that were not taken out before.
    pub intervals: Vec<Interval>,
    /// The pass marks against the requests that were due after the warm-up.
    pub verdicts: Vec<Verdict>,
}

/// Concludes a run whose last event was at `last` and whose last interval is closed. `missed` is the mark
/// that ended it.
pub(super) fn conclude(
    mut recorder: Recorder,
    last: Instant,
    marks: &[Expectation],
    missed: Option<Expectation>,
) -> Conclusion {
    let elapsed = last - Instant::ZERO;
    let intervals = recorder.closed.drain(..).collect();
    let ends: Vec<_> = marks
        .iter()
        .map(|mark| {
            if !mark.metric.has_interval() {
                return None;
            }
            let Standing { sum, .. } = recorder.standing(mark.of, mark.metric);
            ends::of_metric(&sum, mark.metric)
        })
        .collect();
    let Recorder {
        settings,
        mut tallies,
        meters,
        warm_up,
        paused,
        ..
    } = recorder;
    let frame = |warm_up: Duration| Frame {
        window: settings.duration.saturating_sub(warm_up),
        elapsed: elapsed.saturating_sub(warm_up),
        streaming: settings.streaming,
    };
    let after_warm_up = warm_up.map(|warm_up| {
        let after = measure(&settings, &tallies, warm_up.meters, frame(settings.warm_up));
        for (all, early) in tallies.iter_mut().zip(&warm_up.tallies) {
            all.merge(early);
        }
        after
    });
    let mut measured = measure(&settings, &tallies, meters, frame(Duration::ZERO));
    debug_assert!(
        measured.conserved,
        "requests were lost or counted twice: {:?}",
        measured.total.counts
    );
    measured.paused_ns = nanos(paused);
    measured.warnings = warnings(&measured);
    let judged = after_warm_up.as_ref().unwrap_or(&measured);
    let verdicts = marks
        .iter()
        .zip(ends)
        .map(|(&mark, interval)| {
            judge(
                Judged {
                    mark,
                    interval,
                    ended_the_run: missed == Some(mark),
                },
                judged,
            )
        })
        .collect();
    Conclusion {
        measured,
        after_warm_up,
        intervals,
        verdicts,
    }
}

/// What these totals come to, without warnings.
fn measure(
    settings: &RecorderSettings,
    tallies: &[Tally],
    meters: Vec<Meter>,
    frame: Frame,
) -> Measured {
    let price = |model: ModelIndex| settings.models[usize::from(model.0)].price;
    let costs: Vec<Option<Usd>> = settings
        .classes
        .iter()
        .zip(tallies)
        .map(|(&(_, model), tally)| tally.cost(price(model)))
        .collect();
    let sum_of = |name: &str, chosen: &dyn Fn(ModelIndex) -> bool| {
        let mut sum = Tally::default();
        let mut cost = Some(Usd::ZERO);
        for (position, &(_, model)) in settings.classes.iter().enumerate() {
            if chosen(model) {
                sum.merge(&tallies[position]);
                cost = add_costs(cost, costs[position]);
            }
        }
        sum.group(name, cost, frame)
    };
    let total = sum_of("total", &|_| true);
    Measured {
        window_ns: nanos(frame.window),
        elapsed_ns: nanos(frame.elapsed),
        paused_ns: 0,
        clock_offset_ns: nanos(settings.clock_offset),
        conserved: total.counts.conserved(),
        classes: (settings.classes.iter().zip(tallies).zip(&costs))
            .map(|(((name, _), tally), &cost)| tally.group(name, cost, frame))
            .collect(),
        models: (0_u16..)
            .zip(&settings.models)
            .map(|(position, model)| sum_of(&model.name, &|of| of.0 == position))
            .collect(),
        quota_use: (meters.into_iter().zip(&settings.models))
            .map(|(meter, model)| meter.quota_use(&model.name, model.quota, frame.elapsed))
            .collect(),
        total,
        warnings: Vec::new(),
    }
}
