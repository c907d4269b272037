//! `report`: runs that are on disk, as text, tables or a page.

use std::path::{Path, PathBuf};

use bedload::report::{self, Form, Style};
use bedload::results::{REPORT_FILE, Run, RunFile};

use super::args::Report;
use super::exit::{BadInput, Exit};
use super::{output, pages};

/// `bedload report`.
pub fn report(args: &Report) -> anyhow::Result<Exit> {
    let on_stdout = args.html.as_deref() == Some(Path::new("-"));
    let printed = args.markdown || args.json || args.csv || args.openmetrics;
    if on_stdout && (printed || args.open) {
        let help = "`--html -` has stdout for itself: give the page a file, or leave the rest out";
        return Err(BadInput(help.to_owned()).into());
    }
    if args.open && args.html.is_none() && args.runs.len() > 1 {
        let help = "`--open` with several runs needs `--html FILE` for the page of all of them";
        return Err(BadInput(help.to_owned()).into());
    }
    if args.openmetrics && args.runs.len() > 1 {
        return Err(BadInput("`--openmetrics` is of one run".to_owned()).into());
    }
    let mut runs = Vec::with_capacity(args.runs.len());
    for path in &args.runs {
        runs.push(Run::open(path)?);
    }
    if let Some(text) = text(args, &runs)? {
        output::print(&text)?;
    }
    let page: Option<PathBuf> = match (&args.html, runs.as_slice()) {
        (Some(path), _) => {
            pages::write(path, &page(&runs)?)?;
            Some(path.clone())
        }
        (None, [run]) if args.open => {
            pages::keep(run)?;
            run.dir.as_ref().map(|dir| dir.join(REPORT_FILE))
        }
        _ => None,
    };
    if let (true, Some(page)) = (args.open, page) {
        pages::open(&page)?;
    }
    Ok(Exit::Done)
}

/// What goes to stdout beside a page; nothing if only a page was asked for.
fn text(args: &Report, runs: &[Run]) -> anyhow::Result<Option<String>> {
    let style = Style::new(output::color());
    Ok(Some(match runs {
        [run] if args.openmetrics => report::openmetrics(&run.file),
        [run] if args.json => run.file.to_json(),
        _ if args.json => {
            let files: Vec<&RunFile> = runs.iter().map(|run| &run.file).collect();
            serde_json::to_string_pretty(&files)? + "\n"
        }
        _ if args.csv => report::runs_csv(runs),
        [run] if args.markdown => report::run_markdown(run),
        _ if args.markdown => report::runs(runs, Form::Markdown),
        _ if args.html.is_some() || args.open => return Ok(None),
        [run] => report::summary(run, style),
        _ => report::runs(runs, Form::Text(style)),
    }))
}

fn page(runs: &[Run]) -> anyhow::Result<String> {
    if let [run] = runs {
        return Ok(report::run_page(run, &pages::series(run)?));
    }
    if runs.len() > report::RUNS_MAX {
        let help = format!(
            "a page shows at most {} runs beside each other, and these are {}",
            report::RUNS_MAX,
            runs.len()
        );
        return Err(BadInput(help).into());
    }
    let mut with_series = Vec::with_capacity(runs.len());
    for run in runs {
        with_series.push((run.clone(), pages::series(run)?));
    }
    Ok(report::runs_page(&with_series))
}
