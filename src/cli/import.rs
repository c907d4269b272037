//! `import`: from recorded traffic to a scenario file.

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use bedload::account::metrics::{MetricsQuery, metrics};
use bedload::exchange::account_config;
use bedload::import::{
    self, Arrivals, BurstGptKey, Draft, DraftOptions, ImportError, LogKey, LogOptions, Problems,
    Recording, RunClass, Series, Source,
};
use bedload::report::{self, Style};
use bedload::scenario::Scenario;
use indicatif::{ProgressBar, ProgressStyle};
use jiff::Timestamp;
use tempfile::NamedTempFile;

use super::args::import::{ArrivalsName, Import, SourceName};
use super::exit::{BadInput, Exit};
use super::past_run::PastRun;
use super::{drawing, output};

/// `bedload import`.
pub fn import(args: &Import) -> anyhow::Result<Exit> {
    check(args)?;
    let name = name(args);
    let out = args
        .out
        .clone()
        .unwrap_or_else(|| PathBuf::from(format!("{name}.toml")));
    let trace = out.with_extension("csv");
    let mut options = options(args, name, &trace)?;
    if args.source == SourceName::Cloudwatch {
        let series = match args.paths.as_slice() {
            [] => ask(args)?,
            paths => import::exported_metrics(paths).map_err(told)?,
        };
        if series.is_empty() {
            let help = "there are no metrics: check the model's id (CloudWatch keeps them by the id that \
                        requests carry), the Region and the time";
            return Err(BadInput(help.to_owned()).into());
        }
        let draft = Draft::of_series(&series, &options).map_err(told)?;
        return write(args, &draft, None, &out, &trace);
    }
    let Some(recording) = recording(args, &mut options)? else {
        return Ok(Exit::BadInput);
    };
    tell(&recording.problems, args.lenient);
    if recording.problems.count > 0 && !args.lenient {
        return Ok(Exit::BadInput);
    }
    let draft = Draft::of_recording(&recording, &options).map_err(told)?;
    write(args, &draft, Some(&recording), &out, &trace)
}

/// Mistakes in what was typed, before anything is read.
fn check(args: &Import) -> Result<(), BadInput> {
    let cloudwatch = args.source == SourceName::Cloudwatch;
    let wrong = |help: &str| Err(BadInput(help.to_owned()));
    if args.paths.is_empty() && !cloudwatch {
        return wrong("`bedload import` needs a file or folder after the source");
    }
    let asks = args.from.is_some() || args.to.is_some();
    if asks && (!cloudwatch || !args.paths.is_empty()) {
        return wrong("`--from` and `--to` are for `import cloudwatch` without files");
    }
    if cloudwatch && args.paths.is_empty() && args.from.is_none() {
        return wrong(
            "`import cloudwatch` needs `--from`, such as `--from 2026-11-01`, or exported files",
        );
    }
    if cloudwatch && args.arrivals == Some(ArrivalsName::Trace) {
        return wrong("metrics are sums: `--arrivals trace` needs a source of single requests");
    }
    if cloudwatch && args.by.is_some() {
        return wrong("metrics are sums: `--by` needs a source of single requests");
    }
    if cloudwatch && (args.model.len() != 1 || args.model[0].contains('=')) {
        return wrong("`import cloudwatch` needs one `--model ID`: the id that requests carried");
    }
    if args.source == SourceName::Run && args.paths.len() > 1 {
        return wrong("`import run` reads one run: name one folder");
    }
    if args.period.as_secs() == 0
        || !args.period.as_secs().is_multiple_of(60)
        || args.period.subsec_nanos() > 0
    {
        return wrong("`--period` needs whole minutes, such as 1m or 5m");
    }
    Ok(())
}

/// The scenario's name: what was typed, or what the first file is called.
fn name(args: &Import) -> String {
    let given = args.name.clone();
    let of_out = || {
        Some(
            args.out
                .as_ref()?
                .file_stem()?
                .to_string_lossy()
                .into_owned(),
        )
    };
    let of_path = || {
        let path = args.paths.first()?;
        // `trace.json.gz` is called `trace`.
        let name = path.file_name()?.to_string_lossy().into_owned();
        Some(name.split('.').next().unwrap_or_default().to_owned())
    };
    let text = given.or_else(of_out).or_else(of_path).unwrap_or_default();
    let allowed = |c: char| {
        if c.is_ascii_alphanumeric() || c == '_' {
            c
        } else {
            '-'
        }
    };
    let name: String = text.chars().map(allowed).collect();
    let name = name.trim_matches('-');
    if name.is_empty() {
        "imported".to_owned()
    } else {
        name.to_owned()
    }
}

fn options(args: &Import, name: String, trace: &Path) -> Result<DraftOptions, BadInput> {
    let models = args.model.iter().map(|model| match model.split_once('=') {
        Some((recorded, id)) if !recorded.is_empty() && !id.is_empty() => {
            Ok((Some(recorded.to_owned()), id.to_owned()))
        }
        None if !model.is_empty() => Ok((None, model.clone())),
        _ => Err(BadInput(format!(
            "`--model {model}` needs an id, or the form RECORDED=ID"
        ))),
    });
    let file = |path: &Path| {
        let name = path.file_name().unwrap_or(path.as_os_str());
        name.to_string_lossy().into_owned()
    };
    let from = match (args.source, args.paths.as_slice()) {
        (SourceName::Cloudwatch, []) => "CloudWatch".to_owned(),
        (SourceName::Run, _) => "a run of bedload".to_owned(),
        (_, [path]) => file(path),
        (_, paths) => format!("{} files and folders", paths.len()),
    };
    let trace = file(trace);
    Ok(DraftOptions {
        name,
        from,
        models: models.collect::<Result<_, _>>()?,
        without: args.without.clone(),
        max_tokens: args.max_tokens,
        kinds: usize::from(args.classes),
        by_key: args.by.is_some(),
        trace: args
            .arrivals
            .map(|arrivals| arrivals == ArrivalsName::Trace),
        trace_file: trace,
    })
}

/// Reads requests one by one; none if a run's scenario has problems, which have then been printed.
fn recording(args: &Import, options: &mut DraftOptions) -> anyhow::Result<Option<Recording>> {
    let wrong = |keys: &str| {
        let by = args.by.as_deref().unwrap_or_default();
        BadInput(format!(
            "`--by {by}` is no key of this source, which has {keys}"
        ))
    };
    let logs = |by| {
        Source::Logs(LogOptions {
            by,
            region: args.account.region.clone(),
        })
    };
    let source = match (args.source, args.by.as_deref()) {
        (SourceName::Azure, None) => Source::Azure,
        (SourceName::Mooncake, None) => Source::Mooncake,
        (SourceName::Azure | SourceName::Mooncake, Some(_)) => return Err(wrong("none").into()),
        (SourceName::Burstgpt, None) => Source::BurstGpt(BurstGptKey::None),
        (SourceName::Burstgpt, Some("model")) => Source::BurstGpt(BurstGptKey::Model),
        (SourceName::Burstgpt, Some("log-type")) => Source::BurstGpt(BurstGptKey::LogType),
        (SourceName::Burstgpt, Some(_)) => return Err(wrong("`model` and `log-type`").into()),
        (SourceName::Logs, None) => logs(LogKey::None),
        (SourceName::Logs, Some("operation")) => logs(LogKey::Operation),
        (SourceName::Logs, Some("identity")) => logs(LogKey::Identity),
        (SourceName::Logs, Some(by)) => match by.strip_prefix("metadata.") {
            Some(key) if !key.is_empty() => logs(LogKey::Metadata(key.to_owned())),
            _ => return Err(wrong("`operation`, `identity` and `metadata.KEY`").into()),
        },
        (SourceName::Run, None | Some("prompt")) => {
            options.by_key = true;
            return of_run(&args.paths[0]);
        }
        (SourceName::Run, Some(_)) => return Err(wrong("`prompt`").into()),
        (SourceName::Cloudwatch, _) => unreachable!("metrics are no single requests"),
    };
    let bar = output::is_watched().then(|| {
        let style = ProgressStyle::with_template("reading {bar:30} {pos}/{len} files, {eta} left");
        ProgressBar::new(0).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
    });
    let read = source.read(&args.paths, &mut |done, of| {
        if let Some(bar) = &bar {
            bar.set_length(of as u64);
            bar.set_position(done as u64);
        }
    });
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
    Ok(Some(read.map_err(told)?))
}

/// The requests of a run, with what its scenario says of its prompts.
fn of_run(path: &Path) -> anyhow::Result<Option<Recording>> {
    let Some(run) = PastRun::open(path, None, &[])? else {
        return Ok(None);
    };
    let scenario = &run.scenario;
    let class = |prompt: &bedload::scenario::Prompt| {
        let model = &scenario.models[usize::from(prompt.model.0)];
        RunClass {
            name: prompt.name.clone(),
            model: model.id.clone(),
            api: model.api.name(),
            max_tokens: prompt
                .max_tokens
                .and_then(|tokens| u32::try_from(tokens.0).ok()),
        }
    };
    let classes: Vec<RunClass> = scenario.prompts.iter().map(class).collect();
    let began = run
        .file
        .started
        .as_deref()
        .and_then(instant)
        .unwrap_or_default();
    Ok(Some(import::of_run(began, &classes, run.rows()?)?))
}

/// Nanoseconds since 1970.
fn instant(text: &str) -> Option<i64> {
    let time: Timestamp = text.parse().ok()?;
    i64::try_from(time.as_nanosecond()).ok()
}

/// Asks the account for its metrics.
fn ask(args: &Import) -> anyhow::Result<Series> {
    let moment = |flag: &str, text: &str| -> Result<Timestamp, BadInput> {
        let day = format!("{text}T00:00:00Z");
        let found = text.parse::<Timestamp>().or_else(|_| day.parse());
        found.map_err(|_| {
            BadInput(format!(
                "`{flag} {text}` is no time: write 2026-11-01 or 2026-11-01T08:00:00Z"
            ))
        })
    };
    let from = moment("--from", args.from.as_deref().unwrap_or_default())?;
    let to = match args.to.as_deref() {
        Some(text) => moment("--to", text)?,
        None => bedload::clock::Clock::start().started(),
    };
    if to <= from {
        return Err(BadInput("`--to` is not after `--from`".to_owned()).into());
    }
    let query = MetricsQuery {
        model_id: args.model[0].clone(),
        from,
        to,
        period: args.period,
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    let account = args.account.clone();
    let asked = runtime.block_on(async {
        let config = account_config(account.region, account.profile, account.endpoint_url).await;
        metrics(&config, &query).await
    });
    Ok(asked?)
}

/// Broken lines, with their places.
fn tell(problems: &Problems, lenient: bool) {
    if problems.count == 0 {
        return;
    }
    for problem in &problems.first {
        output::hint(&format!(
            "{}:{}:{}: {}",
            problem.path.display(),
            problem.line,
            problem.column,
            problem.what
        ));
    }
    let more = problems.count - problems.first.len() as u64;
    if more > 0 {
        output::hint(&format!("… and {more} more"));
    }
    let lines = match problems.count {
        1 => "1 line cannot be read".to_owned(),
        count => format!("{count} lines cannot be read"),
    };
    if lenient {
        output::hint(&format!("{lines}: left out (`--lenient`)"));
    } else {
        output::complain(&format!(
            "{lines}: mend them, or leave them out with `--lenient`; nothing was written"
        ));
    }
}

/// What is wrong with a file is bad input; what the file system refuses is not, but as clear.
fn told(error: ImportError) -> BadInput {
    BadInput(error.to_string())
}

/// Writes the scenario, and its trace before it: a scenario that is there can be used.
fn write(
    args: &Import,
    draft: &Draft,
    recording: Option<&Recording>,
    out: &Path,
    trace: &Path,
) -> anyhow::Result<Exit> {
    let with_trace = matches!(draft.arrivals, Arrivals::Trace(_));
    for path in [Some(out), with_trace.then_some(trace)]
        .into_iter()
        .flatten()
    {
        if path.exists() && !args.force {
            let help = format!(
                "`{}` is there already: write elsewhere with `--out`, or over it with `--force`",
                path.display()
            );
            return Err(BadInput(help).into());
        }
    }
    let text = draft.toml();
    if let (true, Some(recording)) = (with_trace, recording) {
        persist(trace, |file| draft.write_trace(recording, file))?;
    }
    // What is written is read once, as a user's own file would be.
    let shown = out.display().to_string();
    let folder = out.parent().unwrap_or(Path::new("")).join("scenario.toml");
    if drawing::accept_quietly(&shown, Scenario::parse_as(&folder, text.clone()))?.is_none() {
        return Ok(Exit::BadInput);
    }
    persist(out, |file| file.write_all(text.as_bytes()))?;
    let style = Style::new(output::color());
    output::print(&report::import(draft, style))?;
    output::print(&format!(
        "\nWritten to {shown}. Next: bedload plan {shown}\n"
    ))
}

/// Writes a whole file, or none.
fn persist(
    path: &Path,
    write: impl FnOnce(&mut BufWriter<NamedTempFile>) -> std::io::Result<()>,
) -> anyhow::Result<()> {
    let folder = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    let written = (|| {
        let file = NamedTempFile::new_in(folder.unwrap_or(Path::new(".")))?;
        let mut file = BufWriter::new(file);
        write(&mut file)?;
        let file = file
            .into_inner()
            .map_err(std::io::IntoInnerError::into_error)?;
        file.as_file().sync_all()?;
        file.persist(path).map_err(|error| error.error)?;
        readable(path)
    })();
    written.with_context(|| format!("cannot write `{}`", path.display()))
}

/// Temporary files are their owner's alone; a scenario is like any file.
fn readable(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o644))
}
