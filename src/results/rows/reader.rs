//! Rows → records.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Take};
use std::path::{Path, PathBuf};

use super::super::error::ResultsError;
use super::super::run_file::Settings;
use super::{COLUMNS, REQUESTS_FILE};
use crate::outcome::{
    ClassIndex, DropReason, EarlierAttempt, Failure, Gaps, ModelIndex, Outcome, RequestRecord,
};
use crate::time::Instant;
use crate::units::{TokenUsage, Tokens};

/// The records of a `requests.csv`, row by row.
///
/// A last line without its end is left out: the program was killed while it wrote it.
#[derive(Debug)]
pub struct RequestRows {
    path: PathBuf,
    reader: csv::Reader<Take<File>>,
    row: csv::ByteRecord,
    columns: [usize; COLUMNS.len()],
    classes: Vec<String>,
    models: Vec<String>,
    torn_line: bool,
}

impl RequestRows {
    /// Opens the rows of a directory whose `run.json` holds these settings.
    pub fn open(dir: &Path, settings: &Settings) -> Result<Self, ResultsError> {
        let path = dir.join(REQUESTS_FILE);
        let (file, whole, torn_line) =
            open_whole_lines(&path).map_err(ResultsError::io("read", &path))?;
        let mut reader = csv::ReaderBuilder::new()
            .buffer_capacity(64 * 1024)
            .from_reader(file.take(whole));
        let header = reader
            .byte_headers()
            .map_err(|error| malformed(&path, 1, error))?;
        let mut columns = [0; COLUMNS.len()];
        for (place, name) in columns.iter_mut().zip(COLUMNS) {
            *place = header
                .iter()
                .position(|cell| cell == name.as_bytes())
                .ok_or_else(|| malformed(&path, 1, format!("there is no column `{name}`")))?;
        }
        Ok(Self {
            path,
            reader,
            row: csv::ByteRecord::new(),
            columns,
            classes: settings
                .classes
                .iter()
                .map(|class| class.name.clone())
                .collect(),
            models: settings
                .models
                .iter()
                .map(|model| model.name.clone())
                .collect(),
            torn_line,
        })
    }

    /// Whether the file ends in the middle of a line.
    #[must_use]
    pub const fn torn_line(&self) -> bool {
        self.torn_line
    }

    fn decode(&self) -> Result<RequestRecord, String> {
        let mut cells = Cells {
            row: &self.row,
            columns: self.columns.iter().zip(COLUMNS),
        };
        let id = cells.number()?;
        let class = ClassIndex(cells.name_in(&self.classes)?);
        let model = ModelIndex(cells.name_in(&self.models)?);
        let due = cells.time()?;
        let admitted = cells.optional_time()?;
        let last_admitted = cells.optional_time()?;
        let sent = cells.optional_time()?;
        let first_token = cells.optional_time()?;
        let finished = cells.time()?;
        let outcome = parse_outcome(cells.text()?, cells.text()?)?;
        let attempts = cells.number()?;
        let attempts =
            u32::try_from(attempts).map_err(|_| format!("`{attempts}` attempts are too many"))?;
        let input_estimate = Tokens(cells.number()?);
        let reserved = Tokens(cells.number()?);
        let usage = TokenUsage {
            input: Tokens(cells.number()?),
            output: Tokens(cells.number()?),
            cache_read: Tokens(cells.number()?),
            cache_write: Tokens(cells.number()?),
        };
        let settled = Tokens(cells.number()?);
        let earlier = parse_earlier(cells.text()?)?;
        let message = Some(cells.text()?)
            .filter(|text| !text.is_empty())
            .map(Box::from);
        Ok(RequestRecord {
            id,
            class,
            model,
            due,
            admitted,
            last_admitted,
            sent,
            first_token,
            gaps: Gaps::default(),
            finished,
            outcome,
            message,
            attempts,
            input_estimate,
            reserved,
            usage,
            settled,
            earlier,
        })
    }
}

impl Iterator for RequestRows {
    type Item = Result<RequestRecord, ResultsError>;

    fn next(&mut self) -> Option<Self::Item> {
        let line = self.reader.position().line();
        match self.reader.read_byte_record(&mut self.row) {
            Ok(false) => None,
            Ok(true) => Some(
                self.decode()
                    .map_err(|problem| malformed(&self.path, line, problem)),
            ),
            Err(error) => Some(Err(malformed(&self.path, line, error))),
        }
    }
}

/// The file, how many of its bytes are whole lines, and whether there are more.
fn open_whole_lines(path: &Path) -> io::Result<(File, u64, bool)> {
    let mut file = File::open(path)?;
    let length = file.seek(SeekFrom::End(0))?;
    let mut whole = length;
    let mut chunk = [0; 4096];
    while whole > 0 {
        let start = whole.saturating_sub(chunk.len() as u64);
        let read = &mut chunk[..(whole - start) as usize];
        file.seek(SeekFrom::Start(start))?;
        file.read_exact(read)?;
        if let Some(newline) = read.iter().rposition(|&byte| byte == b'\n') {
            whole = start + newline as u64 + 1;
            break;
        }
        whole = start;
    }
    file.seek(SeekFrom::Start(0))?;
    Ok((file, whole, whole < length))
}

/// The cells of one row, taken in the order of [`COLUMNS`]; a problem names its column.
struct Cells<'a, C> {
    row: &'a csv::ByteRecord,
    columns: C,
}

impl<'a, C: Iterator<Item = (&'a usize, &'static str)>> Cells<'a, C> {
    fn next(&mut self) -> Result<(&'a str, &'static str), String> {
        let (&place, name) = self
            .columns
            .next()
            .expect("a row asks for each column once");
        let cell = self
            .row
            .get(place)
            .ok_or_else(|| format!("`{name}` is missing"))?;
        match std::str::from_utf8(cell) {
            Ok(text) => Ok((text, name)),
            Err(_) => Err(format!("`{name}` is not UTF-8")),
        }
    }

    fn text(&mut self) -> Result<&'a str, String> {
        self.next().map(|(text, _)| text)
    }

    fn number(&mut self) -> Result<u64, String> {
        let (text, name) = self.next()?;
        text.parse()
            .map_err(|_| format!("`{name}` is `{text}`, which is no whole number"))
    }

    fn optional_time(&mut self) -> Result<Option<Instant>, String> {
        let (text, name) = self.next()?;
        if text.is_empty() {
            return Ok(None);
        }
        parse_time(text)
            .map(Some)
            .map_err(|problem| format!("`{name}`: {problem}"))
    }

    fn time(&mut self) -> Result<Instant, String> {
        let (text, name) = self.next()?;
        parse_time(text).map_err(|problem| format!("`{name}`: {problem}"))
    }

    fn name_in(&mut self, names: &[String]) -> Result<u16, String> {
        let (text, name) = self.next()?;
        names
            .iter()
            .position(|known| known == text)
            .and_then(|place| u16::try_from(place).ok())
            .ok_or_else(|| format!("`{name}` is `{text}`, which `run.json` does not have"))
    }
}

fn malformed(path: &Path, line: u64, problem: impl ToString) -> ResultsError {
    ResultsError::Malformed {
        path: path.to_owned(),
        line,
        problem: problem.to_string(),
    }
}

fn parse_time(text: &str) -> Result<Instant, String> {
    text.parse()
        .map(Instant::from_nanos)
        .map_err(|_| format!("`{text}` is no whole number of nanoseconds"))
}

fn parse_outcome(outcome: &str, reason: &str) -> Result<Outcome, String> {
    let parsed = match outcome {
        "completed" => Some(Outcome::Completed),
        "cancelled" => Some(Outcome::Cancelled),
        "failed" => Failure::from_name(reason).map(Outcome::Failed),
        "dropped" => DropReason::from_name(reason).map(Outcome::Dropped),
        _ => None,
    };
    parsed.ok_or_else(|| format!("`{outcome}` with the reason `{reason}` is no known outcome"))
}

fn parse_earlier(text: &str) -> Result<Vec<EarlierAttempt>, String> {
    let attempts = text.split(';').filter(|attempt| !attempt.is_empty());
    attempts
        .map(|attempt| {
            let known = || {
                let (times, failure) = attempt.split_once(':')?;
                let (sent, finished) = times.split_once('-')?;
                Some(EarlierAttempt {
                    sent: parse_time(sent).ok()?,
                    finished: parse_time(finished).ok()?,
                    failure: Failure::from_name(failure)?,
                })
            };
            known().ok_or_else(|| format!("`earlier` has `{attempt}`, which is no attempt"))
        })
        .collect()
}
