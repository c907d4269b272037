//! Arrival processes that make sense; a trace is read here.

use std::ops::Range;
use std::path::Path;
use std::time::Duration;

use super::super::choice::SpacingName;
use super::super::diagnostic::Diagnostic;
use super::super::problems::Problems;
use super::super::raw::{
    RawArrivals, RawClosedLoop, RawGamma, RawRamp, RawSine, RawStep, RawSteps, RawTrace,
};
use super::super::trace;
use super::super::value::{Field, Placed};
use super::distribution::distribution;
use crate::arrivals::{ArrivalProcess, Profile, Spacing, Step};
use crate::distribution::Distribution;
use crate::units::Rate;

/// More requests a second than this are a slip of the pen: no client sends a hundredth of them.
const HIGHEST_RATE_PER_SECOND: u64 = 10_000_000;

/// Reads the arrival process; `folder` is where a trace's path begins, and `prompts` are the names that
/// it may use.
pub(super) fn arrivals(
    raw: Placed<RawArrivals>,
    folder: &Path,
    prompts: &[String],
    problems: &mut Problems,
) -> Option<ArrivalProcess> {
    match raw.value {
        RawArrivals::Constant(raw) => {
            let rate = average(problems, raw.value.rate, &raw.span)?;
            Some(open(Profile::Constant(rate), Spacing::Even))
        }
        RawArrivals::Poisson(raw) => {
            let rate = average(problems, raw.value.rate, &raw.span)?;
            Some(open(Profile::Constant(rate), Spacing::Poisson))
        }
        RawArrivals::Gamma(raw) => gamma(raw, problems),
        RawArrivals::Ramp(raw) => ramp(raw, problems),
        RawArrivals::Steps(raw) => steps(raw, problems),
        RawArrivals::Sine(raw) => sine(raw, problems),
        RawArrivals::ClosedLoop(raw) => closed_loop(raw, problems),
        RawArrivals::Trace(raw) => recorded(raw, folder, prompts, problems),
    }
}

const fn open(profile: Profile, spacing: Spacing) -> ArrivalProcess {
    ArrivalProcess::Open { profile, spacing }
}

fn gamma(raw: Placed<RawGamma>, problems: &mut Problems) -> Option<ArrivalProcess> {
    let Placed { span, value: raw } = raw;
    let rate = average(problems, raw.rate, &span);
    let cv = problems.require(raw.cv, "cv", &span, "`cv`, such as `cv = 4` for bursts");
    problems.above_zero("cv", cv.as_ref());
    Some(open(
        Profile::Constant(rate?),
        Spacing::Gamma { cv: cv?.value },
    ))
}

fn ramp(raw: Placed<RawRamp>, problems: &mut Problems) -> Option<ArrivalProcess> {
    let Placed { span, value: raw } = raw;
    let from = bounded(problems, raw.from, "from", &span);
    let to = bounded(problems, raw.to, "to", &span);
    let over = problems.require(raw.over, "over", &span, "`over`, such as `over = \"60s\"`");
    problems.above_zero("over", over.as_ref());
    let spacing = spacing(problems, raw.spacing, raw.cv, &span);
    let (from, to, over) = (from?, to?, over?);
    if from.value.events == 0 && to.value.events == 0 {
        let problem = Diagnostic::error("zero-rate", "the ramp goes from zero to zero");
        problems.push(problem.at(to.span, "").help("write a rate above zero"));
        return None;
    }
    let profile = Profile::Ramp {
        from: from.value,
        to: to.value,
        over: over.value,
    };
    Some(open(profile, spacing))
}

fn steps(raw: Placed<RawSteps>, problems: &mut Problems) -> Option<ArrivalProcess> {
    let Placed { span, value: raw } = raw;
    let spacing = spacing(problems, raw.spacing, raw.cv, &span);
    let Some(list) = raw.steps else {
        problems.missing(
            "steps",
            Some(&span),
            "`steps = [{ rate = \"1/s\", lasts = \"10s\" }]`",
        );
        return None;
    };
    let given = list.value.len();
    let steps: Vec<Step> = list
        .value
        .into_iter()
        .filter_map(|raw| step(raw, problems))
        .collect();
    if steps.len() < given {
        return None;
    }
    if steps.iter().all(|step| step.rate.events == 0) {
        let problem = Diagnostic::error("zero-rate", "no step has a rate above zero");
        problems.push(
            problem
                .at(list.span, "")
                .help("give at least one step a rate above zero"),
        );
        return None;
    }
    Some(open(Profile::Steps(steps), spacing))
}

fn step(raw: Placed<RawStep>, problems: &mut Problems) -> Option<Step> {
    let Placed { span, value: raw } = raw;
    let rate = bounded(problems, raw.rate, "rate", &span);
    let lasts = problems.require(
        raw.lasts,
        "lasts",
        &span,
        "`lasts`, such as `lasts = \"10s\"`",
    );
    problems.above_zero("lasts", lasts.as_ref());
    Some(Step {
        rate: rate?.value,
        lasts: lasts?.value,
    })
}

fn sine(raw: Placed<RawSine>, problems: &mut Problems) -> Option<ArrivalProcess> {
    let Placed { span, value: raw } = raw;
    let mean = bounded(problems, raw.mean, "mean", &span);
    nonzero(problems, mean.as_ref());
    let amplitude = bounded(problems, raw.amplitude, "amplitude", &span);
    let period = problems.require(
        raw.period,
        "period",
        &span,
        "`period`, such as `period = \"5m\"`",
    );
    problems.above_zero("period", period.as_ref());
    let spacing = spacing(problems, raw.spacing, raw.cv, &span);
    let (mean, amplitude, period) = (mean?, amplitude?, period?);
    if is_above(amplitude.value, mean.value) {
        problems.push(
            Diagnostic::error("amplitude-above-mean", "`amplitude` is above `mean`")
                .at(amplitude.span, "the rate would swing below zero")
                .context(mean.span, "the mean")
                .help("write an `amplitude` that is not above the `mean`"),
        );
        return None;
    }
    let profile = Profile::Sine {
        mean: mean.value,
        amplitude: amplitude.value,
        period: period.value,
    };
    Some(open(profile, spacing))
}

fn closed_loop(raw: Placed<RawClosedLoop>, problems: &mut Problems) -> Option<ArrivalProcess> {
    let Placed { span, value: raw } = raw;
    let workers = problems.require(
        raw.workers,
        "workers",
        &span,
        "`workers`, such as `workers = 8`",
    );
    problems.above_zero("workers", workers.as_ref());
    let think = match raw.think {
        Some(raw) => distribution(raw, problems)?.value,
        None => Distribution::Constant(0),
    };
    Some(ArrivalProcess::ClosedLoop {
        workers: workers?.value,
        think,
    })
}

fn recorded(
    raw: Placed<RawTrace>,
    folder: &Path,
    prompts: &[String],
    problems: &mut Problems,
) -> Option<ArrivalProcess> {
    let Placed { span, value: raw } = raw;
    let path = problems.require(raw.path, "path", &span, "`path`, a file beside this one");
    let speed = problems.read(raw.speed);
    problems.above_zero("speed", speed.as_ref());
    let path = path?;
    match trace::read(&folder.join(&path.value), prompts) {
        Ok(points) => {
            let speed = speed.map_or(1.0, |speed| speed.value);
            Some(ArrivalProcess::Trace { points, speed })
        }
        Err(error) => {
            let problem = Diagnostic::error(error.code(), format!("`{}` {error}", path.value));
            problems.push(problem.at(path.span, "named here").help(error.help()));
            None
        }
    }
}

/// How long a recording goes on when it is replayed.
pub(super) fn trace_length(process: &ArrivalProcess) -> Option<Duration> {
    let ArrivalProcess::Trace { points, speed } = process else {
        return None;
    };
    let last = points.last()?.at.as_nanos();
    Some(Duration::from_nanos((last as f64 / speed) as u64))
}

/// A rate that the whole run goes by, and so must not be zero.
fn average(
    problems: &mut Problems,
    field: Option<Field<Rate>>,
    table: &Range<usize>,
) -> Option<Rate> {
    let rate = bounded(problems, field, "rate", table);
    nonzero(problems, rate.as_ref());
    rate.map(|rate| rate.value)
}

fn nonzero(problems: &mut Problems, rate: Option<&Placed<Rate>>) {
    if let Some(rate) = rate.filter(|rate| rate.value.events == 0) {
        let problem = Diagnostic::error("zero-rate", "the rate is zero");
        problems.push(
            problem
                .at(rate.span.clone(), "")
                .help("write a rate above zero"),
        );
    }
}

fn bounded(
    problems: &mut Problems,
    field: Option<Field<Rate>>,
    key: &str,
    table: &Range<usize>,
) -> Option<Placed<Rate>> {
    let example = format!("`{key}`, such as `{key} = \"2/s\"`");
    let rate = problems.require(field, key, table, &example)?;
    let highest = Rate {
        events: HIGHEST_RATE_PER_SECOND,
        period_nanos: 1_000_000_000,
    };
    if is_above(rate.value, highest) {
        let title = format!("`{key}` is above {highest}");
        let problem = Diagnostic::error("rate-too-high", title).at(rate.span, "");
        problems.push(problem.help("write a lower rate"));
        return None;
    }
    Some(rate)
}

/// Compares exactly: neither product can pass 128 bits.
fn is_above(rate: Rate, other: Rate) -> bool {
    u128::from(rate.events) * u128::from(other.period_nanos)
        > u128::from(other.events) * u128::from(rate.period_nanos)
}

fn spacing(
    problems: &mut Problems,
    name: Option<Field<SpacingName>>,
    cv: Option<Field<f64>>,
    table: &Range<usize>,
) -> Spacing {
    match problems.get(name) {
        Some(SpacingName::Gamma) => {
            let example = "`cv`, such as `cv = 4` for bursts";
            let cv = problems.require(cv, "cv", table, example);
            problems.above_zero("cv", cv.as_ref());
            Spacing::Gamma {
                cv: cv.map_or(1.0, |cv| cv.value),
            }
        }
        other => {
            if let Some(cv) = problems.read(cv) {
                let title = "`cv` is only for `spacing = \"gamma\"`";
                let problem = Diagnostic::error("cv-without-gamma", title).at(cv.span, "");
                problems.push(problem.help("add `spacing = \"gamma\"`, or take `cv` out"));
            }
            match other {
                Some(SpacingName::Poisson) => Spacing::Poisson,
                _ => Spacing::Even,
            }
        }
    }
}
