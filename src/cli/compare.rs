//! `compare`: did it get worse?

use std::path::{Path, PathBuf};

use anyhow::Context;
use bedload::compare::{
    CALIBRATION_PAIRS_MIN, Comparison, Field, Gate, Noise, NotComparable, Verdict,
};
use bedload::report::{self, Form, Sides, Style};
use bedload::results::{Run, RunFile};
use hdrhistogram::Histogram;

use super::args::compare::{Compare, CompareFormat};
use super::exit::{BadInput, Exit};
use super::pairs::Making;
use super::{baseline, calibration, output, pages};

/// Pairs of a calibration, unless said otherwise.
const CALIBRATION_PAIRS: u32 = 10;

/// `bedload compare`.
pub fn compare(args: &Compare) -> anyhow::Result<Exit> {
    if let Some(name) = &args.save_baseline {
        let [saved] = args.of.as_slice() else {
            let help = "`--save-baseline` needs one side: a run, or a pattern of several in quotes";
            return Err(BadInput(help.to_owned()).into());
        };
        return baseline::save(&args.baselines, name, &files(&runs(saved)?));
    }
    if args.calibrate {
        return calibrate(args);
    }
    let Some((base, new)) = sides(args)? else {
        return Ok(Exit::Interrupted);
    };
    let gate = gate(args, &new)?;
    let comparison =
        Comparison::of(&files(&base), &files(&new), &gate).map_err(|error| refusal(&error))?;
    if let Some(path) = &args.html {
        let sides = Sides {
            base: latency(&base)?,
            new: latency(&new)?,
        };
        pages::write(path, &report::comparison_page(&comparison, &sides))?;
    }
    if args.html.as_deref() != Some(Path::new("-")) {
        output::print(&text(&comparison, args.format)?)?;
    }
    Ok(exit(&comparison, gate.settings.strict))
}

fn text(comparison: &Comparison, format: CompareFormat) -> anyhow::Result<String> {
    Ok(match format {
        CompareFormat::Text => {
            report::comparison(comparison, Form::Text(Style::new(output::color())))
        }
        CompareFormat::Markdown => report::comparison(comparison, Form::Markdown),
        CompareFormat::Json => serde_json::to_string_pretty(comparison)? + "\n",
        CompareFormat::Junit => report::comparison_junit(comparison),
        CompareFormat::Github => report::comparison_annotations(comparison),
    })
}

fn exit(comparison: &Comparison, strict: bool) -> Exit {
    match comparison.verdict {
        Verdict::Passed => Exit::Done,
        Verdict::Regressed => Exit::No,
        Verdict::Inconclusive if strict => Exit::No,
        Verdict::Inconclusive => {
            output::hint("inconclusive: `--strict` would take this as a no");
            Exit::Done
        }
    }
}

fn files(runs: &[Run]) -> Vec<RunFile> {
    runs.iter().map(|run| run.file.clone()).collect()
}

/// Latency of a side's runs together; none if any of them has no histograms.
fn latency(runs: &[Run]) -> anyhow::Result<Option<Histogram<u64>>> {
    let mut all: Option<Histogram<u64>> = None;
    for run in runs {
        let Some(mut whole) = pages::series(run)?.whole else {
            return Ok(None);
        };
        match &mut all {
            Some(all) => all
                .add(&whole)
                .context("histograms of one program add up")?,
            None => {
                whole.auto(true);
                all = Some(whole);
            }
        }
    }
    Ok(all)
}

/// Compares two settings of one scenario by what it says itself.
pub fn settings(base: &[Run], new: &[Run]) -> anyhow::Result<Comparison> {
    let own = new.first().and_then(|run| run.file.settings.gate.clone());
    let gate = Gate {
        settings: own.unwrap_or_default(),
        allowed: vec![Field::Digest],
        noise: None,
    };
    Comparison::of(&files(base), &files(new), &gate).map_err(|error| refusal(&error).into())
}

/// Both sides' runs, found or made; none if somebody interrupted.
fn sides(args: &Compare) -> anyhow::Result<Option<(Vec<Run>, Vec<Run>)>> {
    match (args.pairs, args.of.as_slice()) {
        (None, [new]) if args.baseline.is_some() => {
            let new = runs(new)?;
            let name = args.baseline.as_deref().unwrap_or_default();
            let base = baseline::load(&args.baselines, name, &files(&new))?;
            let base = base.into_iter().map(|file| Run {
                dir: None,
                file,
                partial: None,
            });
            Ok(Some((base.collect(), new)))
        }
        (Some(pairs), [scenario]) => Making::new(args, scenario)?.make(pairs),
        (None, [base, new]) if args.baseline.is_none() => Ok(Some((runs(base)?, runs(new)?))),
        (Some(_), _) => Err(BadInput("`--pairs` needs one scenario file".to_owned()).into()),
        (None, _) => {
            let help = "`bedload compare` needs two sides, BASE and NEW; NEW alone with `--baseline`; or `--pairs N` and a \
                        scenario";
            Err(BadInput(help.to_owned()).into())
        }
    }
}

/// `--calibrate`: a scenario against itself.
fn calibrate(args: &Compare) -> anyhow::Result<Exit> {
    let [scenario] = args.of.as_slice() else {
        return Err(BadInput("`--calibrate` needs one scenario file".to_owned()).into());
    };
    let pairs = args.pairs.unwrap_or(CALIBRATION_PAIRS);
    if (pairs as usize) < CALIBRATION_PAIRS_MIN {
        let help = format!(
            "`--pairs {pairs}` says too little of how much pairs scatter: make {CALIBRATION_PAIRS_MIN} or more"
        );
        return Err(BadInput(help).into());
    }
    let making = Making::new(args, scenario)?;
    if making.is_simulated() {
        let help = "in virtual time the same runs are the same, and there is no noise to measure: calibrate a \
                    scenario whose target is the stub";
        return Err(BadInput(help.to_owned()).into());
    }
    let Some((base, new)) = making.make(pairs)? else {
        return Ok(Exit::Interrupted);
    };
    let noise = Noise::of(&files(&base), &files(&new), calibration::machine())
        .map_err(|error| refusal(&error))?;
    let text = match args.format {
        CompareFormat::Json => serde_json::to_string_pretty(&noise)? + "\n",
        CompareFormat::Markdown => report::noise(&noise, Form::Markdown),
        _ => report::noise(&noise, Form::Text(Style::new(output::color()))),
    };
    output::print(&text)?;
    calibration::save(&args.baselines, &noise)
}

/// Why two sides cannot be compared, and what to do about it.
fn refusal(error: &NotComparable) -> BadInput {
    match error {
        NotComparable::Different(fields) => {
            let allow: Vec<String> = fields
                .iter()
                .map(|difference| format!("--allow {}", difference.field.name()))
                .collect();
            BadInput(format!(
                "{error}; `{}` compares them all the same",
                allow.join(" ")
            ))
        }
        NotComparable::Pairing(_) => BadInput(error.to_string()),
        NotComparable::BelowNoise(_) => BadInput(format!(
            "{error}; make more pairs or longer runs, raise `--margin` for these, or judge others with `--metric`"
        )),
    }
}

/// What is typed, before what the scenario says, before what applies to all.
fn gate(args: &Compare, new: &[Run]) -> anyhow::Result<Gate> {
    let mut allowed: Vec<Field> = Field::ALL
        .into_iter()
        .filter(|field| args.allow.iter().any(|name| name == field.name()))
        .collect();
    if args.pairs.is_some() {
        // That two settings are compared is what was asked for.
        allowed.push(Field::Digest);
    }
    let own = new.first().and_then(|run| run.file.settings.gate.clone());
    Ok(Gate {
        settings: own.unwrap_or_default().overridden_by(&args.settings()),
        allowed,
        noise: match new.first() {
            Some(run) => calibration::load(&args.baselines, &run.file)?,
            None => None,
        },
    })
}

/// The runs that a path or a pattern means, in order of their names, which are times.
fn runs(text: &str) -> anyhow::Result<Vec<Run>> {
    let paths: Vec<PathBuf> = if text.contains(['*', '?', '[']) {
        let found = glob::glob(text)
            .map_err(|error| BadInput(format!("`{text}` is no pattern: {error}")))?;
        // A folder may hold other things beside runs.
        found
            .filter_map(Result::ok)
            .filter(|path| path.join("run.json").is_file() || path.is_file())
            .collect()
    } else {
        vec![PathBuf::from(text)]
    };
    if paths.is_empty() {
        return Err(BadInput(format!("no run matches `{text}`")).into());
    }
    let mut runs = Vec::with_capacity(paths.len());
    for path in paths {
        runs.push(Run::open(&path)?);
    }
    Ok(runs)
}
