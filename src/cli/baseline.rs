//! Baselines: what runs came to, small enough for a repository. A baseline is a folder of `run.json` files, one
//! for each scenario and seed; request rows and histograms stay with the runs.

use std::fs;
use std::path::Path;

use anyhow::Context;
use bedload::results::{RunFile, replace_file};

use super::exit::{BadInput, Exit};
use super::{calibration, output};

/// What a run is called in a baseline.
fn file_name(run: &RunFile) -> String {
    format!("{}-{}.json", run.scenario.name, run.seed)
}

/// Saves runs in the place of those of the same scenario and seed.
pub fn save(folder: &Path, name: &str, runs: &[RunFile]) -> anyhow::Result<Exit> {
    if name == calibration::FOLDER {
        let help = format!("`{name}` is the folder of calibrations: name the baseline otherwise");
        return Err(BadInput(help).into());
    }
    if name.is_empty()
        || !name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
        || name.starts_with('.')
    {
        let help =
            format!("`{name}` is no name for a baseline: use letters, digits, `-`, `_` and `.`");
        return Err(BadInput(help).into());
    }
    let folder = folder.join(name);
    fs::create_dir_all(&folder).with_context(|| format!("cannot make `{}`", folder.display()))?;
    for run in runs {
        replace_file(&folder.join(file_name(run)), run.to_json().as_bytes())?;
    }
    output::print(&format!(
        "{} runs saved in {}\n",
        runs.len(),
        folder.display()
    ))
}

/// The baseline's runs of the same scenarios and seeds as `new`.
pub fn load(folder: &Path, name: &str, new: &[RunFile]) -> anyhow::Result<Vec<RunFile>> {
    let folder = folder.join(name);
    let mut runs = Vec::with_capacity(new.len());
    for run in new {
        let path = folder.join(file_name(run));
        if !path.is_file() {
            let help = format!(
                "the baseline `{name}` has no run of `{}` with seed {} (`{}`): save one with `--save-baseline`",
                run.scenario.name,
                run.seed,
                path.display()
            );
            return Err(BadInput(help).into());
        }
        runs.push(RunFile::read(&path)?);
    }
    Ok(runs)
}
