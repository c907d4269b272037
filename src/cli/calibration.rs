//! Calibrations: how much runs of this machine differ by themselves, kept beside the baselines.

use std::path::{Path, PathBuf};

use anyhow::Context;
use bedload::compare::{Machine, NOISE_VERSION, Noise};
use bedload::results::{RunFile, Target, replace_file};

use super::exit::{BadInput, Exit};
use super::output;

/// The folder of calibrations among the baselines.
pub const FOLDER: &str = "noise";

fn path(baselines: &Path, scenario: &str) -> PathBuf {
    baselines.join(FOLDER).join(format!("{scenario}.json"))
}

/// This machine, as far as it may be told.
pub fn machine() -> Machine {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    Machine {
        system: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
        processors: processors as u64,
    }
}

/// Saves a calibration in the place of an earlier one.
pub fn save(baselines: &Path, noise: &Noise) -> anyhow::Result<Exit> {
    let path = path(baselines, &noise.scenario);
    let folder = baselines.join(FOLDER);
    std::fs::create_dir_all(&folder)
        .with_context(|| format!("cannot make `{}`", folder.display()))?;
    let text = serde_json::to_string_pretty(noise)? + "\n";
    replace_file(&path, text.as_bytes())?;
    output::hint(&format!("saved in {}", path.display()));
    Ok(Exit::Done)
}

/// The calibration for runs of this scenario, if there is one that was made on such a machine.
pub fn load(baselines: &Path, run: &RunFile) -> anyhow::Result<Option<Noise>> {
    let path = path(baselines, &run.scenario.name);
    if run.target == Target::Sim || !path.is_file() {
        return Ok(None);
    }
    let text = std::fs::read_to_string(&path)
        .with_context(|| format!("cannot read `{}`", path.display()))?;
    let noise: Noise = serde_json::from_str(&text).map_err(|error| {
        let help = format!(
            "`{}` is no calibration ({error}): make it again with `--calibrate`",
            path.display()
        );
        BadInput(help)
    })?;
    let unlike = if noise.schema_version > NOISE_VERSION {
        "was written by a newer program"
    } else if noise.target != run.target {
        "is of another target"
    } else if noise.machine != machine() {
        "is of another kind of machine"
    } else {
        return Ok(Some(noise));
    };
    output::hint(&format!(
        "the calibration in {} {unlike} and is not used",
        path.display()
    ));
    Ok(None)
}
