//! Writes a run's directory while the run goes on.
//!
//! Promises: after [`RunWriter::create`] the directory says that a run goes on; what was recorded
//! is on the disk after each [`flush`](RunWriter::flush); only [`finish`](RunWriter::finish) says
//! otherwise than "running", and does so in one step. An error while rows are written never stops
//! the run: it is kept, told by the next flush and again by `finish`.
//!
//! Deliberately not: the choice of a directory's stamp or of the moment to flush. No clock is read.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::error::ResultsError;
use super::file::{self, Appender};
use super::histograms::{HISTOGRAMS_FILE, LogFormat};
use super::intervals::{self, INTERVALS_FILE};
use super::rows::{REQUESTS_FILE, RowFormat};
use super::run_file::{
    RunFile, RunState, SCHEMA_VERSION, ScenarioSummary, Settings, Target, Tool, digest,
};
use super::{Run, SCENARIO_FILE};
use crate::outcome::RequestRecord;
use crate::recorder::interval::Interval;
use crate::recorder::measured::Measured;
use crate::recorder::verdict::Verdict;

/// The most directories that may share one stamp; a program that asks for more is in a loop.
const MAX_SAME_STAMP: u32 = 1_000;

/// What is known of a run before it begins, beside the scenario's name and text.
#[derive(Clone, Debug, PartialEq)]
pub struct RunHeader {
    /// Where its requests go.
    pub target: Target,
    /// What the scenario is about.
    pub about: Option<String>,
    /// What the run's randomness is made from.
    pub seed: u64,
    /// When it begins, by RFC 3339; none in virtual time.
    pub started: Option<String>,
    /// The settings that give the numbers their meaning.
    pub settings: Settings,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Ending {
    /// How far it came; `running` is no ending.
    pub state: RunState,
    /// What was measured, if anything.
    pub measured: Option<Measured>,
    /// What was measured of the requests after the warm-up, if there was one.
    pub measured_after_warm_up: Option<Measured>,
    /// The pass marks against it.
    pub verdicts: Vec<Verdict>,
    /// Why it could not be completed.
    pub error: Option<String>,
}

/// A directory of results that is being written.
pub struct RunWriter {
    dir: PathBuf,
    file: RunFile,
    row_format: RowFormat,
    log_format: LogFormat,
    /// None where the scenario asks for no rows.
    requests: Option<Appender>,
    intervals: Appender,
    histograms: Appender,
}

impl RunWriter {
    /// Makes `<root>/<scenario_name>/<stamp>/`, or the same with `-2`, `-3`, … where that exists,
    /// and opens the files in it.
    pub fn create(
        root: &Path,
        scenario_name: &str,
        stamp: &str,
        scenario_text: &str,
        header: RunHeader,
    ) -> Result<Self, ResultsError> {
        let dir = create_dir(root, scenario_name, stamp)?;
        file::replace(&dir.join(SCENARIO_FILE), scenario_text.as_bytes())?;
        let file = RunFile {
            schema_version: SCHEMA_VERSION,
            tool: Tool {
                name: env!("CARGO_PKG_NAME").to_owned(),
                version: env!("CARGO_PKG_VERSION").to_owned(),
            },
            state: RunState::Running,
            target: header.target,
            scenario: ScenarioSummary {
                name: scenario_name.to_owned(),
                digest: digest(scenario_text),
                about: header.about,
            },
            seed: header.seed,
            started: header.started,
            settings: header.settings,
            measured: None,
            measured_after_warm_up: None,
            verdicts: Vec::new(),
            error: None,
        };
        file.write(&dir)?;

        let settings = &file.settings;
        let row_format = RowFormat::new(settings);
        let classes = settings
            .classes
            .iter()
            .map(|class| class.name.clone())
            .collect();
        let mut log_format = LogFormat::new(classes);
        let mut requests = settings
            .request_rows
            .then(|| Appender::create(dir.join(REQUESTS_FILE)))
            .transpose()?;
        let mut intervals = Appender::create(dir.join(INTERVALS_FILE))?;
        let mut histograms = Appender::create(dir.join(HISTOGRAMS_FILE))?;
        if let Some(requests) = &mut requests {
            requests.append(|out| row_format.push_header(out));
        }
        intervals.append(intervals::push_header);
        histograms.append(|out| log_format.push_header(out, started_at(&file)));
        let mut writer = Self {
            dir,
            file,
            row_format,
            log_format,
            requests,
            intervals,
            histograms,
        };
        writer.flush()?;
        Ok(writer)
    }

    /// Where the run is written.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Writes the row of a request that has ended.
    pub fn record(&mut self, record: &RequestRecord) {
        if let Some(requests) = &mut self.requests {
            requests.append(|out| self.row_format.push(out, record));
        }
    }

    /// Writes an interval that has closed.
    pub fn interval(&mut self, interval: &Interval) {
        self.intervals.append(|out| intervals::push(out, interval));
        self.histograms
            .append(|out| self.log_format.push(out, interval));
    }

    /// Hands all rows to the operating system. An error is the first that there has been; the run
    /// may go on, its totals are still right.
    pub fn flush(&mut self) -> Result<(), ResultsError> {
        self.appenders()
            .map(Appender::flush)
            .fold(Ok(()), Result::and)
    }

    /// Waits until all rows are on the disk and puts the final `run.json` in its place.
    ///
    /// When rows could not be written, `run.json` says so and the error is returned.
    pub fn finish(mut self, ending: Ending) -> Result<Run, ResultsError> {
        let synced = self
            .appenders()
            .map(Appender::sync)
            .fold(Ok(()), Result::and);
        let mut file = self.file.clone();
        file.state = ending.state;
        file.measured = ending.measured;
        file.measured_after_warm_up = ending.measured_after_warm_up;
        file.verdicts = ending.verdicts;
        file.error = ending.error.or_else(|| {
            synced
                .as_ref()
                .err()
                .map(|error| format!("rows are missing: {}", error.without_directory()))
        });
        file.write(&self.dir)?;
        synced.map(|()| Run {
            dir: Some(self.dir.clone()),
            file,
            partial: None,
        })
    }

    /// The files that grow. All of them are flushed whatever becomes of the others.
    fn appenders(&mut self) -> impl Iterator<Item = &mut Appender> {
        self.requests
            .iter_mut()
            .chain([&mut self.intervals, &mut self.histograms])
    }
}

/// Makes a directory that was not there before, so that no run is ever overwritten.
fn create_dir(root: &Path, scenario_name: &str, stamp: &str) -> Result<PathBuf, ResultsError> {
    for name in [scenario_name, stamp] {
        let usable = |character: char| {
            character.is_ascii_alphanumeric() || matches!(character, '-' | '_' | '.')
        };
        if name.is_empty() || name.starts_with('.') || !name.chars().all(usable) {
            return Err(ResultsError::Name {
                name: name.to_owned(),
            });
        }
    }
    let parent = root.join(scenario_name);
    fs::create_dir_all(&parent).map_err(ResultsError::io("create", &parent))?;
    for number in 1..=MAX_SAME_STAMP {
        let dir = match number {
            1 => parent.join(stamp),
            more => parent.join(format!("{stamp}-{more}")),
        };
        match fs::create_dir(&dir) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            made => {
                return made
                    .map(|()| dir.clone())
                    .map_err(ResultsError::io("create", &dir));
            }
        }
    }
    let taken = io::Error::from(io::ErrorKind::AlreadyExists);
    Err(ResultsError::io("create", &parent.join(stamp))(taken))
}

/// When the run began, for tools that read the histogram log; none if it is no known date.
fn started_at(file: &RunFile) -> Option<SystemTime> {
    let started: jiff::Timestamp = file.started.as_deref()?.parse().ok()?;
    SystemTime::try_from(started).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `/dev/full` refuses every write as a full disk does.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_disk_that_fills_up_stops_neither_the_run_nor_its_totals() {
        let root = tempfile::tempdir().unwrap();
        let header = RunHeader {
            target: Target::Sim,
            about: None,
            seed: 1,
            started: None,
            settings: Settings {
                duration_ns: 1,
                clock_offset_ns: 0,
                enforcement: None,
                adjustment: None,
                streaming: false,
                warm_up_ns: 0,
                request_rows: false,
                models: Vec::new(),
                classes: Vec::new(),
                gate: None,
            },
        };
        let mut writer = RunWriter::create(root.path(), "desk", "1", "", header).unwrap();
        let full = fs::File::options().write(true).open("/dev/full").unwrap();
        writer.intervals = Appender::over(writer.dir.join(INTERVALS_FILE), full);
        writer.interval(&Interval::default());
        let told = writer.flush().unwrap_err().to_string();
        assert!(told.contains(INTERVALS_FILE), "{told}");

        let dir = writer.dir.clone();
        let error = writer.finish(Ending {
            state: RunState::Complete,
            measured: Some(Measured::default()),
            measured_after_warm_up: None,
            verdicts: Vec::new(),
            error: None,
        });
        assert_eq!(error.unwrap_err().to_string(), told);
        let file = Run::open(&dir).unwrap().file;
        assert_eq!(
            (file.state, file.measured),
            (RunState::Complete, Some(Measured::default()))
        );
        let kept = file.error.unwrap();
        assert!(
            kept.starts_with("rows are missing: cannot write `intervals.csv`: No"),
            "{kept}"
        );
    }
}
