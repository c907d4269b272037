//! `sweep`: one key at several values, and where the load stops fitting.

use std::path::Path;

use anyhow::Context;
use bedload::drive::simulated;
use bedload::goal::KnobText;
use bedload::recorder::measured::Measured;
use bedload::report::{self, Form, Style};
use bedload::scenario::{Knob, Scenario, TargetSettings, read_text};
use bedload::sweep::{SCHEMA_VERSION, Step, Sweep, knee};
use toml_edit::{DocumentMut, Item};

use super::args::sweep::{Sweep as Args, SweepFormat};
use super::args::{ScenarioArgs, TargetName};
use super::exit::{BadInput, Exit};
use super::pairs::{Making, Wanted};
use super::{output, overrides, pages};

/// The largest share of throttles or losses at which a load is said to fit, whatever the scenario puts up with.
const BOUND_MAX: f64 = 0.01;

/// `bedload sweep`.
pub fn sweep(args: &Args) -> anyhow::Result<Exit> {
    let typed = ScenarioArgs {
        scenario: args.scenario.clone(),
        seed: args.seed,
        duration: args.duration.clone(),
        set: args.set.clone(),
    };
    // Whoever does not ask for the real clock does not wait for it.
    let wanted = args.target.unwrap_or(TargetName::Sim);
    let Some(present) = overrides::load(&typed, Some(wanted))? else {
        return Ok(Exit::BadInput);
    };
    let knob = knob(args)?;
    let target = target(&present)?;
    // A mistake in any of them is found before the first is run.
    let mut scenarios = Vec::with_capacity(knob.values.len());
    for value in &knob.values {
        let change = format!("{}={value}", knob.key);
        match overrides::load_variant(&typed, target, [change])? {
            Some(scenario) => scenarios.push(scenario),
            None => return Ok(Exit::BadInput),
        }
    }
    let Some(measured) = (match target {
        TargetName::Sim => Some(simulate(&scenarios)),
        _ => on_the_stub(args, &typed, &knob)?,
    }) else {
        return Ok(Exit::Interrupted);
    };
    let steps: Vec<Step> = knob
        .values
        .iter()
        .zip(&measured)
        .enumerate()
        .map(|(place, (value, measured))| {
            let number = knob.number(value).unwrap_or(place as f64 + 1.0);
            Step::of(value, number, measured)
        })
        .collect();
    let bound = present.run.max_throttled.fraction().min(BOUND_MAX);
    let found = Sweep {
        schema_version: SCHEMA_VERSION,
        scenario: present.name,
        target: if target == TargetName::Sim {
            "sim"
        } else {
            "stub"
        }
        .to_owned(),
        key: knob.key,
        bound,
        knee: knee(&steps, bound),
        steps,
    };
    if let Some(path) = &args.html {
        pages::write(path, &report::sweep_page(&found))?;
    }
    if args.html.as_deref() == Some(Path::new("-")) {
        return Ok(Exit::Done);
    }
    output::print(&match args.format {
        SweepFormat::Text => report::sweep(&found, Form::Text(Style::new(output::color()))),
        SweepFormat::Markdown => report::sweep(&found, Form::Markdown),
        SweepFormat::Json => serde_json::to_string_pretty(&found)? + "\n",
    })
}

fn target(scenario: &Scenario) -> Result<TargetName, BadInput> {
    match scenario.target {
        TargetSettings::Sim => Ok(TargetName::Sim),
        TargetSettings::Stub => Ok(TargetName::Stub),
        TargetSettings::Bedrock { .. } => {
            let help = "a sweep runs in virtual time or on the stub: add `--target sim` or `--target stub`";
            Err(BadInput(help.to_owned()))
        }
    }
}

/// The key and its values.
fn knob(args: &Args) -> anyhow::Result<Knob> {
    let [vary] = args.vary.as_slice() else {
        let help = "a sweep is over one key: `bedload sim --vary` makes a table of several";
        return Err(BadInput(help.to_owned()).into());
    };
    let wrong = |problem: String| BadInput(format!("`--vary {vary}`: {problem}"));
    let Some((key, values)) = vary.split_once('=') else {
        return Err(
            wrong("it has the form KEY=VALUES, such as limiter.burst=1s..60s".to_owned()).into(),
        );
    };
    let key = match key.trim() {
        "arrivals.rate" => rate_key(args)?,
        key => key.to_owned(),
    };
    let text = KnobText {
        key,
        values: values.trim().to_owned(),
    };
    Ok(Knob::read_evenly(&text, args.steps as usize).map_err(wrong)?)
}

/// Where the scenario has the rate of its arrivals.
fn rate_key(args: &Args) -> anyhow::Result<String> {
    let typed = ScenarioArgs {
        scenario: args.scenario.clone(),
        seed: None,
        duration: None,
        set: args.set.clone(),
    };
    let text = overrides::changed(&read_text(&args.scenario)?, &typed, None)?;
    let document: Option<DocumentMut> = text.parse().ok();
    let arrivals = document
        .as_ref()
        .and_then(|document| document.get("arrivals"))
        .and_then(Item::as_table_like);
    let process = arrivals.and_then(|table| table.iter().next());
    match process.map(|(name, _)| name) {
        Some(name @ ("constant" | "poisson" | "gamma")) => Ok(format!("arrivals.{name}.rate")),
        Some("sine") => Ok("arrivals.sine.mean".to_owned()),
        Some("closed_loop") => {
            let help = "workers of a closed loop have no rate: sweep `--arrivals.closed_loop.workers 10..100`";
            Err(BadInput(help.to_owned()).into())
        }
        Some(name) => {
            let help = format!(
                "arrivals of the kind `{name}` have no one rate: name a key of it, such as `--arrivals.{name}.speed`"
            );
            Err(BadInput(help).into())
        }
        None => Err(BadInput("the scenario has no arrivals".to_owned()).into()),
    }
}

/// All of them in virtual time, on all processors.
fn simulate(scenarios: &[Scenario]) -> Vec<Measured> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    bedload::parallel::map(
        scenarios,
        threads,
        |scenario| {
            let conclusion = simulated::measure(scenario);
            conclusion.after_warm_up.unwrap_or(conclusion.measured)
        },
        |_| {},
    )
}

/// One after the other on the stub; none if somebody interrupted.
fn on_the_stub(
    args: &Args,
    typed: &ScenarioArgs,
    knob: &Knob,
) -> anyhow::Result<Option<Vec<Measured>>> {
    let mut measured = Vec::with_capacity(knob.values.len());
    for (place, value) in knob.values.iter().enumerate() {
        if !args.quiet {
            output::hint(&format!(
                "{} of {}: {} = {value}",
                place + 1,
                knob.values.len(),
                knob.key
            ));
        }
        let mut set = typed.set.clone();
        set.push(format!("{}={value}", knob.key));
        if let Some(duration) = &typed.duration {
            set.push(format!("run.duration={duration}"));
        }
        let making = Making::of_settings(&Wanted {
            scenario: &typed.scenario,
            out: &args.out,
            seed: typed.seed,
            sets: [set.clone(), set],
        })?;
        match making.one()? {
            Some(run) => {
                let after = run.file.measured_after_warm_up.or(run.file.measured);
                measured.push(after.context("the run has measured nothing")?);
            }
            None => return Ok(None),
        }
    }
    Ok(Some(measured))
}
