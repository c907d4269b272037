//! `compare`: did it get worse?

use std::path::{Path, PathBuf};

use anyhow::Context;
use bedload::compare::{Comparison, Field, Gate, NotComparable, Verdict};
use bedload::report::{self, Form, Sides, Style};
use bedload::results::{Run, RunFile};
use hdrhistogram::Histogram;

use super::args::compare::{Compare, CompareFormat};
use super::exit::{BadInput, Exit};
use super::pairs::Making;
use super::{baseline, output, pages};

/// `bedload compare`.
pub fn compare(args: &Compare) -> anyhow::Result<Exit> {
    let mut gate = gate(args);
    if let Some(name) = &args.save_baseline {
        let [saved] = args.of.as_slice() else {
            let help = "`--save-baseline` needs one side: a run, or a pattern of several in quotes";
            return Err(BadInput(help.to_owned()).into());
        };
        return baseline::save(&args.baselines, name, &files(&runs(saved)?));
    }
    let (base, new) = match (args.pairs, args.of.as_slice()) {
        (None, [new]) if args.baseline.is_some() => {
            let new = runs(new)?;
            let name = args.baseline.as_deref().unwrap_or_default();
            let base = baseline::load(&args.baselines, name, &files(&new))?;
            let base = base.into_iter().map(|file| Run {
                dir: None,
                file,
                partial: None,
            });
            (base.collect(), new)
        }
        (Some(pairs), [scenario]) => {
            // That two settings are compared is what was asked for.
            gate.allowed.push(Field::Digest);
            match Making::new(args, scenario)?.make(pairs)? {
                Some(sides) => sides,
                None => return Ok(Exit::Interrupted),
            }
        }
        (None, [base, new]) if args.baseline.is_none() => (runs(base)?, runs(new)?),
        (Some(_), _) => {
            return Err(BadInput("`--pairs` needs one scenario file".to_owned()).into());
        }
        (None, _) => {
            let help = "`bedload compare` needs two sides, BASE and NEW; NEW alone with `--baseline`; or `--pairs N` and a \
                        scenario";
            return Err(BadInput(help.to_owned()).into());
        }
    };
    let comparison = Comparison::of(&files(&base), &files(&new), &gate).map_err(|error| {
        let fields = match &error {
            NotComparable::Different(fields) => fields.as_slice(),
            NotComparable::Pairing(_) => return BadInput(error.to_string()),
        };
        let allow = fields
            .iter()
            .map(|difference| format!("--allow {}", difference.field.name()));
        let allow: Vec<String> = allow.collect();
        BadInput(format!(
            "{error}; `{}` compares them all the same",
            allow.join(" ")
        ))
    })?;
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
    Ok(exit(&comparison, args))
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

fn exit(comparison: &Comparison, args: &Compare) -> Exit {
    match comparison.verdict {
        Verdict::Passed => Exit::Done,
        Verdict::Regressed => Exit::No,
        Verdict::Inconclusive if args.strict => Exit::No,
        Verdict::Inconclusive => {
            output::hint("inconclusive: `--strict` takes this as a no");
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
        let Some(whole) = pages::series(run)?.whole else {
            return Ok(None);
        };
        match &mut all {
            Some(all) => all
                .add(&whole)
                .context("histograms of one program add up")?,
            None => all = Some(whole),
        }
    }
    Ok(all)
}

fn gate(args: &Compare) -> Gate {
    let default = Gate::default();
    let allowed = |field: &Field| args.allow.iter().any(|name| name == field.name());
    Gate {
        gauges: if args.metric.is_empty() {
            default.gauges
        } else {
            args.metric.clone()
        },
        margin: args.margin,
        margin_s: args.margin_time.as_secs_f64(),
        margin_share: args.margin_share,
        allowed: Field::ALL.into_iter().filter(allowed).collect(),
    }
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
