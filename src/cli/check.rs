//! `check`: what is wrong with scenario files, and what they will do.

use std::path::Path;

use bedload::forecast::Forecast;
use bedload::scenario::Scenario;
use serde_json::json;

use super::args::{Check, Format};
use super::exit::Exit;
use super::{drawing, output};

/// `bedload check`.
pub fn check(args: &Check) -> anyhow::Result<Exit> {
    let mut exit = Exit::Done;
    let mut reports = Vec::new();
    for path in &args.scenarios {
        let good = match args.format {
            Format::Text => check_for_people(path)?,
            Format::Json => check_for_editors(path, &mut reports),
        };
        if !good {
            exit = Exit::BadInput;
        }
    }
    if args.format == Format::Json {
        output::print(&format!("{:#}\n", json!(reports)))?;
    }
    Ok(exit)
}

fn check_for_people(path: &Path) -> anyhow::Result<bool> {
    let file = path.display().to_string();
    let Some(scenario) = drawing::accept(&file, Scenario::load(path))? else {
        return Ok(false);
    };
    output::print(&format!("{file}: ok\n{}", Forecast::of(&scenario)))?;
    Ok(true)
}

fn check_for_editors(path: &Path, reports: &mut Vec<serde_json::Value>) -> bool {
    let file = path.display().to_string();
    let loaded = Scenario::load(path);
    let problems = match &loaded {
        Ok(checked) => {
            let text = &checked.scenario.text;
            checked
                .warnings
                .iter()
                .map(|warning| warning.report(&file, text))
                .collect()
        }
        Err(error) => error.reports(),
    };
    reports.push(json!({ "file": file, "ok": loaded.is_ok(), "problems": problems }));
    loaded.is_ok()
}
