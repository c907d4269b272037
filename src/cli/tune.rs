//! `tune`: which settings of the limiter and of retries are best for a scenario.

use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use bedload::clock::Clock;
use bedload::compare::Verdict;
use bedload::expect::{Metric, Statistic, Timing};
use bedload::goal::{Goal, KnobText};
use bedload::report::{self, Form, Style};
use bedload::results::RunFile;
use bedload::scenario::{Knob, Scenario, UNSET, read_text};
use bedload::time::Instant;
use bedload::tune::{TuneError, TuneOptions, Tuning, league, tune as search, usual_knobs};
use indicatif::{ProgressBar, ProgressStyle};
use toml_edit::{DocumentMut, Item};

use super::args::tune::{Tune, TuneFormat};
use super::args::{ScenarioArgs, TargetName};
use super::exit::{BadInput, Exit};
use super::pairs::{Making, Wanted};
use super::{compare, output, overrides, pages};

/// `bedload tune`.
pub fn tune(args: &Tune) -> anyhow::Result<Exit> {
    if args.rivals {
        return rivals(args);
    }
    if args.confirm && matches!(args.format, TuneFormat::Json | TuneFormat::Csv) {
        let help = "`--confirm` answers in text or Markdown: leave `--format` out, or confirm in a call of its own";
        return Err(BadInput(help.to_owned()).into());
    }
    let [path] = args.scenarios.as_slice() else {
        return Err(BadInput("`bedload tune` needs one scenario file".to_owned()).into());
    };
    let typed = ScenarioArgs {
        scenario: path.clone(),
        seed: args.seed,
        duration: args.duration.clone(),
        set: args.set.clone(),
    };
    let Some(present) = overrides::load(&typed, Some(TargetName::Sim))? else {
        return Ok(Exit::BadInput);
    };
    let text = overrides::changed(&read_text(path)?, &typed, Some(TargetName::Sim))?;
    let document: DocumentMut = text.parse().context("a scenario that was read is TOML")?;
    let options = options(args, &present, &document)?;
    known_keys(path, &document, &options.knobs)?;
    let make = |values: &[String]| {
        let text = turned(&document, &options.knobs, values).ok()?.to_string();
        let checked = Scenario::parse_as(path, text).ok()?;
        Some(checked.scenario)
    };
    let bar = Bar::new(args.quiet);
    let clock = Clock::start();
    let goes_on = || {
        let most = args.time.unwrap_or(Duration::MAX);
        clock.now().since(Instant::ZERO) < most
    };
    let found = search(&present, &make, &options, &|done| bar.show(done), &goes_on);
    bar.0.finish_and_clear();
    let tuning = found.map_err(|error| why_nothing(path, &document, &options, &error))?;
    print(args, &document, &options, &tuning)?;
    let mut exit = if tuning.chosen.promise.holds {
        Exit::Done
    } else {
        output::hint("no setting keeps the bounds: the one above comes nearest");
        Exit::No
    };
    if args.confirm {
        // Against the file as it is: what is written below would be compared with itself.
        match confirm(args, path, &options, &tuning)? {
            Exit::Done => {}
            other => exit = other,
        }
    }
    if args.write && exit == Exit::Done && tuning.chosen.is_better {
        write(path, &options, &tuning.chosen.values)?;
    } else if args.write {
        output::hint("nothing is written");
    }
    Ok(exit)
}

/// `--rivals`: every strategy on every scenario.
fn rivals(args: &Tune) -> anyhow::Result<Exit> {
    let mut scenarios = Vec::with_capacity(args.scenarios.len());
    for path in &args.scenarios {
        let typed = ScenarioArgs {
            scenario: path.clone(),
            seed: args.seed,
            duration: args.duration.clone(),
            set: args.set.clone(),
        };
        match overrides::load_variant(&typed, TargetName::Sim, [])? {
            Some(scenario) => scenarios.push(scenario),
            None => return Ok(Exit::BadInput),
        }
    }
    let goal = Goal {
        throttle_share: args
            .throttle_share
            .unwrap_or(Goal::default().throttle_share),
        ..Goal::default()
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let bar = Bar::new(args.quiet);
    let found = league(&scenarios, &goal, threads, &|done| bar.show(done));
    bar.0.finish_and_clear();
    if let Some(path) = &args.html {
        pages::write(path, &report::league_page(&found))?;
        if path.as_os_str() == "-" {
            return Ok(Exit::Done);
        }
    }
    output::print(&match args.format {
        TuneFormat::Text => report::league(&found, Form::Text(Style::new(output::color()))),
        TuneFormat::Markdown => report::league(&found, Form::Markdown),
        TuneFormat::Json => serde_json::to_string_pretty(&found)? + "\n",
        TuneFormat::Csv => report::league_csv(&found),
    })
}

/// What is typed, before what the scenario says, before what is usual.
fn options(
    args: &Tune,
    scenario: &Scenario,
    document: &DocumentMut,
) -> anyhow::Result<TuneOptions> {
    let own = scenario.tune.clone().unwrap_or_default();
    let mut goal: Goal = own.goal;
    goal.throttle_share = args.throttle_share.unwrap_or(goal.throttle_share);
    goal.runs_share = args.runs_share.unwrap_or(goal.runs_share);
    if let Some(wait) = args.wait_p99 {
        goal.wait_p99_s = Some(wait.as_secs_f64());
    }
    let texts: Vec<KnobText> = if !args.knob.is_empty() {
        args.knob.clone()
    } else if !own.knobs.is_empty() {
        own.knobs
    } else {
        usual_knobs(scenario, &goal)
    };
    let mut knobs: Vec<Knob> = Vec::with_capacity(texts.len());
    for text in &texts {
        let knob = Knob::read(text).map_err(|problem| {
            BadInput(format!("`{} = \"{}\"`: {problem}", text.key, text.values))
        })?;
        if knobs.iter().any(|known| known.key == knob.key) {
            return Err(BadInput(format!("`{}` is named twice", knob.key)).into());
        }
        knobs.push(knob);
    }
    let present = present_values(document, &mut knobs);
    Ok(TuneOptions {
        knobs,
        present,
        goal,
        budget: args.budget,
        threads: std::thread::available_parallelism().map_or(1, usize::from),
    })
}

/// The values that the knobs have now, each of which becomes one to be tried; none where the scenario has no
/// limiter that does anything, since every setting has one.
fn present_values(document: &DocumentMut, knobs: &mut [Knob]) -> Option<Vec<String>> {
    let mut present = Vec::with_capacity(knobs.len());
    for knob in knobs.iter_mut() {
        let now = overrides::get(document, &knob.key).unwrap_or_else(|| UNSET.to_owned());
        let as_number = knob.number(&now);
        let same = knob
            .values
            .iter()
            .find(|value| **value == now || as_number.is_some() && knob.number(value) == as_number);
        let now = match same {
            Some(value) => value.clone(),
            None => {
                knob.values.push(now.clone());
                now
            }
        };
        present.push(now);
    }
    let limiter = document.get("limiter").and_then(Item::as_table_like)?;
    let enabled = limiter.get("enabled").and_then(Item::as_bool);
    (enabled != Some(false)).then_some(present)
}

/// A key that no scenario has is told before anything runs.
fn known_keys(path: &Path, document: &DocumentMut, knobs: &[Knob]) -> anyhow::Result<()> {
    for knob in knobs {
        let one = std::slice::from_ref(knob);
        let value = knob.values.iter().find(|value| *value != UNSET);
        let Some(value) = value else { continue };
        let text = turned(document, one, std::slice::from_ref(value))?.to_string();
        let Err(problems) = Scenario::parse_as(path, text) else {
            continue;
        };
        let reports = problems.reports();
        let unknown = reports
            .iter()
            .find(|report| report.code.starts_with("unknown"));
        if let Some(report) = unknown {
            let help = report.help.as_deref().unwrap_or_default();
            return Err(BadInput(format!("`{}`: {}; {help}", knob.key, report.message)).into());
        }
    }
    Ok(())
}

/// The document with these values. A limiter that is switched off is switched on: there is nothing to tune in
/// one that does nothing.
fn turned(
    document: &DocumentMut,
    knobs: &[Knob],
    values: &[String],
) -> Result<DocumentMut, BadInput> {
    let mut turned = document.clone();
    if let Some(limiter) = turned.get_mut("limiter").and_then(Item::as_table_like_mut) {
        limiter.remove("enabled");
    }
    for (knob, value) in knobs.iter().zip(values) {
        overrides::apply(&mut turned, &knob.key, value)?;
    }
    Ok(turned)
}

/// Says what is wrong with the settings, by the example of the first.
fn why_nothing(
    path: &Path,
    document: &DocumentMut,
    options: &TuneOptions,
    error: &TuneError,
) -> anyhow::Error {
    let first: Vec<String> = options
        .knobs
        .iter()
        .map(|knob| knob.values[0].clone())
        .collect();
    if let Ok(turned) = turned(document, &options.knobs, &first)
        && let Err(problems) = Scenario::parse_as(path, turned.to_string())
    {
        for report in problems.reports() {
            output::hint(&format!("{}: {}", report.code, report.message));
        }
    }
    BadInput(format!("{error}: give the knobs other values")).into()
}

fn print(
    args: &Tune,
    document: &DocumentMut,
    options: &TuneOptions,
    tuning: &Tuning,
) -> anyhow::Result<()> {
    let block = block(document, &options.knobs, &tuning.chosen.values)?;
    if let Some(path) = &args.html {
        pages::write(path, &report::tuning_page(tuning, &block))?;
        if path.as_os_str() == "-" {
            return Ok(());
        }
    }
    let form = match args.format {
        TuneFormat::Json => {
            output::print(&(serde_json::to_string_pretty(tuning)? + "\n"))?;
            return Ok(());
        }
        TuneFormat::Csv => {
            output::print(&report::tuning_csv(tuning))?;
            return Ok(());
        }
        TuneFormat::Markdown => Form::Markdown,
        TuneFormat::Text => Form::Text(Style::new(output::color())),
    };
    output::print(&report::tuning(tuning, &block, form))?;
    Ok(())
}

/// `[limiter]` and `[retry]` as they are recommended, and what else was turned.
fn block(document: &DocumentMut, knobs: &[Knob], values: &[String]) -> anyhow::Result<String> {
    let turned = turned(document, knobs, values)?;
    let mut kept = DocumentMut::new();
    for table in ["limiter", "retry"] {
        if let Some(item) = turned.get(table) {
            let mut item = item.clone();
            if let Some(table) = item.as_table_mut() {
                table.decor_mut().clear();
            }
            kept.insert(table, item);
        }
    }
    let mut text = kept.to_string().trim().to_owned();
    for (knob, value) in knobs.iter().zip(values) {
        if knob.key.starts_with("prompt.") {
            text.push_str(&format!("\n# {} = {value}", knob.key));
        }
    }
    Ok(text + "\n")
}

/// Puts the choice into the file; all else in it stays as it is.
fn write(path: &Path, options: &TuneOptions, values: &[String]) -> anyhow::Result<()> {
    let document: DocumentMut = read_text(path)?
        .parse()
        .with_context(|| format!("cannot read `{}`", path.display()))?;
    let turned = turned(&document, &options.knobs, values)?;
    output::rewrite(path, &turned.to_string())?;
    output::hint(&format!("written into {}", path.display()));
    Ok(())
}

/// `--confirm`: the present settings and the choice, on the stub, in turns.
fn confirm(
    args: &Tune,
    path: &Path,
    options: &TuneOptions,
    tuning: &Tuning,
) -> anyhow::Result<Exit> {
    let mut changes = vec!["limiter.enabled=true".to_owned()];
    for (knob, value) in options.knobs.iter().zip(&tuning.chosen.values) {
        changes.push(format!("{}={value}", knob.key));
    }
    let mut base = args.set.clone();
    let mut new = args.set.clone();
    if let Some(duration) = &args.duration {
        base.push(format!("run.duration={duration}"));
    }
    new.extend(base.iter().skip(args.set.len()).cloned());
    new.extend(changes);
    let making = Making::of_settings(&Wanted {
        scenario: path,
        out: &args.out,
        seed: args.seed,
        sets: [base, new],
    })?;
    let Some((base, new)) = making.make(args.pairs)? else {
        return Ok(Exit::Interrupted);
    };
    let files: Vec<RunFile> = new.iter().map(|run| run.file.clone()).collect();
    let comparison = compare::settings(&base, &new)?;
    output::print("\n")?;
    let form = match args.format {
        TuneFormat::Markdown => Form::Markdown,
        _ => Form::Text(Style::new(output::color())),
    };
    output::print(&report::confirmation(tuning, &files, form))?;
    output::print(&report::comparison(&comparison, form))?;
    let kept = files
        .iter()
        .filter_map(|run| run.measured.as_ref())
        .all(|measured| {
            let share = measured.total.attempts.throttle_share().unwrap_or(0.0);
            let wait = measured
                .value(Metric::Time(Timing::LimiterWait, Statistic::P99))
                .unwrap_or(0.0);
            share <= tuning.goal.throttle_share
                && tuning.goal.wait_p99_s.is_none_or(|most| wait <= most)
        });
    Ok(if comparison.verdict == Verdict::Regressed || !kept {
        Exit::No
    } else {
        Exit::Done
    })
}

/// How far it is.
struct Bar(ProgressBar);

impl Bar {
    fn new(quiet: bool) -> Self {
        let bar = if quiet || !output::is_watched() {
            ProgressBar::hidden()
        } else {
            ProgressBar::new_spinner()
        };
        if let Ok(style) =
            ProgressStyle::with_template("{spinner} {pos} settings and seeds tried, {elapsed}")
        {
            bar.set_style(style);
        }
        Self(bar)
    }

    fn show(&self, done: u64) {
        self.0.set_position(done);
    }
}
