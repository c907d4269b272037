//! `compare`: did it get worse?

use std::path::PathBuf;

use bedload::compare::{
    CALIBRATION_PAIRS_MIN, Comparison, Field, Gate, Noise, NotComparable, Verdict,
};
use bedload::report::{self, Form, Style};
use bedload::results::{Run, RunFile};

use super::args::compare::{Compare, CompareFormat};
use super::exit::{BadInput, Exit};
use super::pairs::Making;
use super::{baseline, calibration, output};

/// Pairs of a calibration, unless said otherwise.
const CALIBRATION_PAIRS: u32 = 10;

/// `bedload compare`.
pub fn compare(args: &Compare) -> anyhow::Result<Exit> {
    if let Some(name) = &args.save_baseline {
        let [saved] = args.of.as_slice() else {
            let help = "`--save-baseline` needs one side: a run, or a pattern of several in quotes";
            return Err(BadInput(help.to_owned()).into());
        };
        return baseline::save(&args.baselines, name, &runs(saved)?);
    }
    if args.calibrate {
        return calibrate(args);
    }
    let Some((base, new)) = sides(args)? else {
        return Ok(Exit::Interrupted);
    };
    let gate = gate(args, &new)?;
    let comparison = Comparison::of(&base, &new, &gate).map_err(|error| refusal(&error))?;
    let text = match args.format {
        CompareFormat::Text => {
            report::comparison(&comparison, Form::Text(Style::new(output::color())))
        }
        CompareFormat::Markdown => report::comparison(&comparison, Form::Markdown),
        CompareFormat::Json => serde_json::to_string_pretty(&comparison)? + "\n",
        CompareFormat::Junit => report::comparison_junit(&comparison),
        CompareFormat::Github => report::comparison_annotations(&comparison),
    };
    output::print(&text)?;
    Ok(match comparison.verdict {
        Verdict::Passed => Exit::Done,
        Verdict::Regressed => Exit::No,
        Verdict::Inconclusive if gate.settings.strict => Exit::No,
        Verdict::Inconclusive => {
            output::hint("inconclusive: `--strict` takes this as a no");
            Exit::Done
        }
    })
}

/// Compares two settings of one scenario by what it says itself.
pub fn settings(base: &[RunFile], new: &[RunFile]) -> anyhow::Result<Comparison> {
    let own = new.first().and_then(|run| run.settings.gate.clone());
    let gate = Gate {
        settings: own.unwrap_or_default(),
        allowed: vec![Field::Digest],
        noise: None,
    };
    Comparison::of(base, new, &gate).map_err(|error| refusal(&error).into())
}

/// Both sides' runs, found or made; none if somebody interrupted.
fn sides(args: &Compare) -> anyhow::Result<Option<(Vec<RunFile>, Vec<RunFile>)>> {
    match (args.pairs, args.of.as_slice()) {
        (None, [new]) if args.baseline.is_some() => {
            let new = runs(new)?;
            let name = args.baseline.as_deref().unwrap_or_default();
            Ok(Some((baseline::load(&args.baselines, name, &new)?, new)))
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
    let noise = Noise::of(&base, &new, calibration::machine()).map_err(|error| refusal(&error))?;
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
fn gate(args: &Compare, new: &[RunFile]) -> anyhow::Result<Gate> {
    let mut allowed: Vec<Field> = Field::ALL
        .into_iter()
        .filter(|field| args.allow.iter().any(|name| name == field.name()))
        .collect();
    if args.pairs.is_some() {
        // That two settings are compared is what was asked for.
        allowed.push(Field::Digest);
    }
    let own = new.first().and_then(|run| run.settings.gate.clone());
    Ok(Gate {
        settings: own.unwrap_or_default().overridden_by(&args.settings()),
        allowed,
        noise: match new.first() {
            Some(run) => calibration::load(&args.baselines, run)?,
            None => None,
        },
    })
}

/// The runs that a path or a pattern means, in order of their names, which are times.
fn runs(text: &str) -> anyhow::Result<Vec<RunFile>> {
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
        runs.push(Run::open(&path)?.file);
    }
    Ok(runs)
}
