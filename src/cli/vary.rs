//! `sim --vary`: one simulation for each combination of values, and a table of what they came to.

use bedload::drive::{self, Observer, Wish, simulated};
use bedload::engine::Engine;
use bedload::outcome::Event;
use bedload::recorder::Recorder;
use bedload::recorder::measured::Measured;
use bedload::report::{self, Style, Variant};
use bedload::scenario::Scenario;
use bedload::time::Instant;

use super::args::{Sim, TargetName};
use super::exit::{BadInput, Exit};
use super::progress::Progress;
use super::pulse::Pulse;
use super::signals::Signals;
use super::{output, overrides};

/// More combinations than this are a slip of the keyboard.
const MOST_VARIANTS: usize = 1_000;

/// A key and its values.
struct Axis {
    key: String,
    values: Vec<String>,
}

/// Simulates every combination. A mistake in any of them is found before the first is run.
pub fn sim(args: &Sim) -> anyhow::Result<Exit> {
    if args.watch.events.is_some() || args.watch.openmetrics.is_some() {
        let help = "`--events` and `--openmetrics` are for one run: leave them or `--vary` out";
        return Err(BadInput(help.to_owned()).into());
    }
    let axes = axes(&args.vary)?;
    let mut variants = Vec::new();
    for values in combinations(&axes)? {
        let changes = axes.iter().zip(&values);
        let changes = changes.map(|(axis, value)| format!("{}={value}", axis.key));
        match overrides::load_variant(&args.scenario, TargetName::Sim, changes)? {
            Some(scenario) => variants.push((values, scenario)),
            None => return Ok(Exit::BadInput),
        }
    }
    let signals = Signals::listen()?;
    let mut rows = Vec::new();
    for (values, scenario) in variants {
        let (wanted, quiet) = (args.watch.progress, args.out.quiet);
        let progress = Progress::start(wanted, quiet, false, scenario.run.duration, &signals);
        let Some(measured) = simulate(&scenario, progress, &signals) else {
            break;
        };
        rows.push(Variant { values, measured });
    }
    let keys: Vec<String> = axes.into_iter().map(|axis| axis.key).collect();
    let style = Style::new(output::color());
    output::print(&report::variants(&keys, &rows, style))?;
    if signals.wish() == Wish::GoOn {
        Ok(Exit::Done)
    } else {
        output::complain("stopped: the rest was not simulated");
        Ok(Exit::Interrupted)
    }
}

fn axes(given: &[String]) -> Result<Vec<Axis>, BadInput> {
    given
        .iter()
        .map(|text| {
            let parts = text.split_once('=');
            let (key, values) = parts.unwrap_or((text, ""));
            let values: Vec<String> = values
                .split(',')
                .map(|value| value.trim().to_owned())
                .collect();
            if key.trim().is_empty() || values.iter().any(String::is_empty) {
                let help = format!(
                    "`--vary {text}` needs the form KEY=A,B,C, such as limiter.burst=1s,5s,10s"
                );
                return Err(BadInput(help));
            }
            let key = key.trim().to_owned();
            Ok(Axis { key, values })
        })
        .collect()
}

/// Every choice of one value for each key; the last key varies fastest.
fn combinations(axes: &[Axis]) -> Result<Vec<Vec<String>>, BadInput> {
    let mut all = vec![Vec::new()];
    for axis in axes {
        if all.len().saturating_mul(axis.values.len()) > MOST_VARIANTS {
            let help = format!("`--vary` asks for more than {MOST_VARIANTS} simulations");
            return Err(BadInput(help));
        }
        let longer = all.iter().flat_map(|chosen: &Vec<String>| {
            let with = |value: &String| chosen.iter().cloned().chain([value.clone()]).collect();
            axis.values.iter().map(with)
        });
        all = longer.collect();
    }
    Ok(all)
}

/// What a run measures; none if it was stopped.
fn simulate(scenario: &Scenario, progress: Progress, signals: &Signals) -> Option<Measured> {
    let mut watcher = Unwritten {
        recorder: drive::recorder(scenario, std::time::Duration::ZERO),
        pulse: Pulse::new(scenario, "sim"),
        progress,
        signals: signals.clone(),
    };
    let mut engine = drive::engine(scenario);
    let now = simulated::run(scenario, &mut engine, &mut watcher);
    watcher.progress.clear();
    let (measured, _) = watcher.recorder.finish(now);
    engine.stopped().is_none().then_some(measured)
}

/// Records a run and writes nothing.
struct Unwritten {
    recorder: Recorder,
    pulse: Pulse,
    progress: Progress,
    signals: Signals,
}

impl Observer for Unwritten {
    fn event(&mut self, event: &Event) {
        self.recorder.observe(event);
        if self.progress.is_shown() {
            self.pulse.event(event);
        }
        // Intervals are for the results; here they are only shown.
        while let Some(interval) = self.recorder.poll_interval() {
            self.pulse.interval(&interval);
        }
    }

    fn tick(&mut self, now: Instant, engine: &Engine) -> Wish {
        self.pulse.sample(now, engine);
        self.progress.show(&self.pulse);
        self.signals.wish()
    }
}
