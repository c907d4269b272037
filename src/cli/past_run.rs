//! A run that is on disk with its requests, and the scenario that it ran.

use std::path::{Path, PathBuf};

use bedload::results::{REQUESTS_FILE, RequestRows, Run, RunFile, SCENARIO_FILE};
use bedload::scenario::Scenario;

use super::args::{ScenarioArgs, TargetName};
use super::exit::BadInput;
use super::overrides;

/// A run with a row for each request.
pub struct PastRun {
    /// Its folder.
    pub dir: PathBuf,
    /// What its `run.json` says.
    pub file: RunFile,
    /// What was run. Its arrivals are none of the run's: what was due is in the rows.
    pub scenario: Scenario,
}

impl PastRun {
    /// Opens a run by its folder, its `run.json` or its scenario's folder of results, with changes to its
    /// scenario; none if that has problems, which have then been printed.
    pub fn open(path: &Path, seed: Option<u64>, set: &[String]) -> anyhow::Result<Option<Self>> {
        let run = Run::open(path)?;
        let dir = run.dir.unwrap_or_else(|| path.to_owned());
        if !dir.join(REQUESTS_FILE).exists() {
            let help = format!(
                "{} has no {REQUESTS_FILE}, which this is made from: run with `run.request_rows = true`",
                dir.display()
            );
            return Err(BadInput(help).into());
        }
        let mut set = set.to_vec();
        // A recording that the scenario names may be elsewhere.
        set.push("arrivals={ constant = { rate = \"1/s\" } }".to_owned());
        let scenario = ScenarioArgs {
            scenario: dir.join(SCENARIO_FILE),
            seed,
            duration: None,
            set,
        };
        let scenario = overrides::load(&scenario, None::<TargetName>)?;
        Ok(scenario.map(|scenario| Self {
            dir,
            file: run.file,
            scenario,
        }))
    }

    /// Its requests, in the order in which they ended.
    pub fn rows(&self) -> anyhow::Result<RequestRows> {
        Ok(RequestRows::open(&self.dir, &self.file.settings)?)
    }
}
