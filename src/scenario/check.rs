//! What was written → what will be done, or every reason why not.
//!
//! Promises: checking changes nothing and stops at nothing. Each table is read as far as it goes,
//! and a scenario comes out only if no problem is an error.
//!
//! Deliberately not: defaults hidden in the types. Each one stands where its table is read, and in
//! the description of its key in `raw`.

mod arrivals;
mod catalogue;
mod distribution;
mod expect;
mod faults;
mod fit;
mod gate;
mod lengths;
mod limiter;
mod limits;
mod models;
mod prompts;
mod reserve;
mod service;
mod settings;
mod strategy;
mod surroundings;
mod tune;

use std::path::Path;

use super::diagnostic::Diagnostic;
use super::problems::Problems;
use super::raw::{RawArrivals, RawGate, RawPrompt, RawScenario, RawTune};
use super::value::{List, Placed};
use super::{Checked, Prompt, Scenario, TargetSettings};
use crate::arrivals::ArrivalProcess;
use crate::gate::GateSettings;
use crate::goal::TuneSettings;
use crate::rng::Seed;

/// Turns a document into a scenario; `folder` is where the files begin that it names.
pub(super) fn check(
    raw: RawScenario,
    text: &str,
    folder: &Path,
    mut problems: Problems,
) -> Result<Checked, Vec<Diagnostic>> {
    let scenario = scenario(raw, text, folder, &mut problems);
    let failed = problems.any_error();
    match scenario {
        Some(scenario) if !failed => Ok(Checked {
            scenario,
            warnings: problems.sorted(),
        }),
        _ => Err(problems.sorted()),
    }
}

fn scenario(
    raw: RawScenario,
    text: &str,
    folder: &Path,
    problems: &mut Problems,
) -> Option<Scenario> {
    missing(&raw, problems);
    let name = problems.read(raw.name);
    if let Some(name) = &name {
        problems.name(name);
    }
    let about = problems.get(raw.about);
    let seed = problems.get(raw.seed).unwrap_or(1);
    let target = settings::target(raw.target, problems);
    let process = raw.arrivals.as_ref().map(|raw| &raw.value);
    let recorded = matches!(process, Some(RawArrivals::Trace(_)));
    let named = prompt_names(raw.prompt.as_ref());
    let arrivals = raw
        .arrivals
        .and_then(|raw| arrivals::arrivals(raw, folder, &named, problems));
    let run = settings::run(raw.run, arrivals.as_ref(), recorded, problems);
    let models = raw.model.iter().flat_map(|models| models.value.keys());
    let model_names: Vec<String> = models.cloned().collect();
    let service = service::service(raw.service, &model_names, problems);
    let limiter = limiter::limiter(raw.limiter, &service, &target, problems);
    let retry = settings::retry(raw.retry, problems);
    let catalogue = catalogue::catalogue(raw.catalogue, folder, problems);
    let models = raw.model.map(|raw| raw.value).unwrap_or_default();
    let limits = models::Limiting {
        limiter: limiter.as_ref(),
        service: &service,
        target: &target,
        catalogue: &catalogue,
    };
    let models = models::models(models, &limits, problems);
    let around = surroundings::Surroundings {
        models: &models,
        limiter: limiter.as_ref(),
        service: (!matches!(target, TargetSettings::Bedrock { .. })).then_some(&service.settings),
        recorded,
        trace_input: arrivals.as_ref().and_then(trace_input),
    };
    let prompts = raw
        .prompt
        .map(|list| prompts::prompts(list, &around, problems));
    let prompts = prompts.into_iter().flatten().collect::<Option<Vec<_>>>();
    let named = expect::Named {
        classes: &named,
        models: &model_names,
    };
    let expect = expect::expectations(raw.expect, &named, problems);
    let (gate, tune) = comparing(raw.gate, raw.tune, problems);
    let models = models.into_iter().map(|model| model.model);
    Some(Scenario {
        name: name?.value,
        about,
        seed: Seed(seed),
        target,
        run,
        prompts: weighed(prompts?, arrivals.as_ref()),
        arrivals: arrivals?,
        models: models.collect::<Option<_>>()?,
        retry,
        service: service.settings,
        expect,
        gate,
        tune,
        text: text.to_owned(),
    })
}

/// By what runs of the scenario are compared with one another.
fn comparing(
    gate: Option<Placed<RawGate>>,
    tune: Option<Placed<RawTune>>,
    problems: &mut Problems,
) -> (Option<GateSettings>, Option<TuneSettings>) {
    (
        gate.map(|raw| gate::gate(raw.value, problems)),
        tune.map(|raw| tune::tune(raw.value, problems)),
    )
}

/// Says which tables and keys are missing from the top of the file.
fn missing(raw: &RawScenario, problems: &mut Problems) {
    let no_models = raw
        .model
        .as_ref()
        .is_none_or(|models| models.value.is_empty());
    let no_prompts = raw
        .prompt
        .as_ref()
        .is_none_or(|prompts| prompts.value.is_empty());
    for (key, missing, example) in [
        (
            "name",
            raw.name.is_none(),
            "`name = \"my-scenario\"` at the top of the file",
        ),
        (
            "arrivals",
            raw.arrivals.is_none(),
            "a table such as `[arrivals.poisson]` with its `rate`",
        ),
        (
            "model",
            no_models,
            "a table such as `[model.NAME]` with the model's `id`",
        ),
        (
            "prompt",
            no_prompts,
            "a table `[[prompt]]` with a `name` and a `text`",
        ),
    ] {
        if missing {
            problems.missing(key, None, example);
        }
    }
}

/// The prompts' names, in their order; empty where one cannot be read.
fn prompt_names(list: Option<&List<Placed<RawPrompt>>>) -> Vec<String> {
    let prompts = list.map(|list| list.value.as_slice()).unwrap_or_default();
    let name = |prompt: &Placed<RawPrompt>| {
        let name = prompt.value.name.as_ref()?;
        name.value.0.as_ref().ok().cloned()
    };
    let names = prompts
        .iter()
        .map(|prompt| name(prompt).unwrap_or_default());
    names.collect()
}

/// The prompts, as often as a recording has them if it says which each request is.
fn weighed(mut prompts: Vec<Prompt>, arrivals: Option<&ArrivalProcess>) -> Vec<Prompt> {
    let Some(ArrivalProcess::Trace { points, .. }) = arrivals else {
        return prompts;
    };
    let mut counts = vec![0_u64; prompts.len()];
    for class in points.iter().filter_map(|point| point.class) {
        counts[usize::from(class.0)] += 1;
    }
    if counts.iter().any(|&count| count > 0) {
        for (prompt, count) in prompts.iter_mut().zip(counts) {
            prompt.weight = count as f64;
        }
    }
    prompts
}

/// The shortest and the longest input of a recording.
fn trace_input(process: &ArrivalProcess) -> Option<(u64, u64)> {
    let ArrivalProcess::Trace { points, .. } = process else {
        return None;
    };
    let inputs = || points.iter().map(|point| point.input.0);
    Some((inputs().min()?, inputs().max()?))
}
