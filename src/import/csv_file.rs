//! Recordings in CSV: the Azure LLM inference traces and BurstGPT.
//!
//! Sources: github.com/Azure/AzurePublicDataset (2023 and 2024 traces); github.com/HPMLL/BurstGPT.

use std::path::Path;

use csv::{ByteRecord, Reader, ReaderBuilder};

use super::lines::{Problems, open};
use super::recording::{Record, Recording, UNSEEN};
use super::{BurstGptKey, ImportError, time};

/// A CSV file by the names of its columns.
struct Table<'a> {
    path: &'a Path,
    reader: Reader<Box<dyn std::io::BufRead>>,
    columns: Vec<usize>,
    names: &'a [&'a str],
}

impl<'a> Table<'a> {
    /// Opens a file that has `names` among the columns of its first line.
    fn open(path: &'a Path, names: &'a [&'a str]) -> Result<Self, ImportError> {
        let mut reader = ReaderBuilder::new().flexible(true).from_reader(open(path)?);
        let wrong = |problem: String| ImportError::Format {
            path: path.to_owned(),
            problem,
        };
        let headers = reader
            .byte_headers()
            .map_err(|error| wrong(format!("is no CSV file: {error}")))?
            .clone();
        let place = |name: &&str| {
            let mut columns = headers.iter();
            let found = columns.position(|column| {
                let column = column.strip_prefix(b"\xef\xbb\xbf").unwrap_or(column);
                column.trim_ascii().eq_ignore_ascii_case(name.as_bytes())
            });
            found.ok_or_else(|| wrong(format!("has no column `{name}` in its first line")))
        };
        let columns = names.iter().map(place).collect::<Result<_, _>>()?;
        Ok(Self {
            path,
            reader,
            columns,
            names,
        })
    }

    /// Hands every row to `take`.
    fn each(
        mut self,
        problems: &mut Problems,
        mut take: impl FnMut(&Row<'_>) -> Result<(), (usize, String)>,
    ) {
        let mut record = ByteRecord::new();
        loop {
            match self.reader.read_byte_record(&mut record) {
                Ok(false) => break,
                Ok(true) => {}
                Err(error) => {
                    let line = error.position().map_or(0, csv::Position::line);
                    problems.push(self.path, line, 1, format!("cannot be read: {error}"));
                    if error.is_io_error() {
                        break;
                    }
                    continue;
                }
            }
            let row = Row {
                record: &record,
                columns: &self.columns,
                names: self.names,
            };
            if let Err((column, what)) = take(&row) {
                let line = record.position().map_or(0, csv::Position::line);
                let before = record.iter().take(column).map(|field| field.len() + 1);
                let column = before.sum::<usize>() as u64 + 1;
                problems.push(self.path, line, column, what);
            }
        }
    }
}

/// One line, by the columns that were asked for.
struct Row<'a> {
    record: &'a ByteRecord,
    columns: &'a [usize],
    names: &'a [&'a str],
}

impl Row<'_> {
    fn text(&self, which: usize) -> Result<&str, (usize, String)> {
        let column = self.columns[which];
        let name = self.names[which];
        let field = self.record.get(column);
        let field = field.ok_or_else(|| (self.record.len(), format!("has no `{name}`")))?;
        let text = std::str::from_utf8(field);
        text.map(str::trim)
            .map_err(|_| (column, format!("`{name}` is not UTF-8")))
    }

    fn tokens(&self, which: usize) -> Result<u32, (usize, String)> {
        let text = self.text(which)?;
        // Some exports write whole numbers with a decimal point.
        let digits = text.strip_suffix(".0").unwrap_or(text);
        digits.parse().map_err(|_| {
            let name = self.names[which];
            let what = format!(
                "`{name}` needs a whole number of tokens, not `{}`",
                short(text)
            );
            (self.columns[which], what)
        })
    }
}

/// The beginning of a text, for a message.
fn short(text: &str) -> String {
    text.chars().take(40).collect()
}

/// Reads an Azure trace.
pub(super) fn azure(path: &Path, recording: &mut Recording) -> Result<(), ImportError> {
    let names = ["TIMESTAMP", "ContextTokens", "GeneratedTokens"];
    let model = recording.models.number("").unwrap_or_default();
    let key = recording.keys.number("").unwrap_or_default();
    let records = &mut recording.records;
    Table::open(path, &names)?.each(&mut recording.problems, |row| {
        let written = row.text(0)?;
        let at = time::nanos(written).ok_or_else(|| {
            let what = format!(
                "expected a time like `2023-11-16 18:17:03.97`, not `{}`",
                short(written)
            );
            (row.columns[0], what)
        })?;
        records.push(Record {
            at,
            input: row.tokens(1)?,
            output: row.tokens(2)?,
            max_tokens: UNSEEN,
            model,
            key,
        });
        Ok(())
    });
    Ok(())
}

/// Reads a BurstGPT trace. Rows without an answer are failures there.
pub(super) fn burstgpt(
    path: &Path,
    by: BurstGptKey,
    recording: &mut Recording,
) -> Result<(), ImportError> {
    let names = [
        "Timestamp",
        "Request tokens",
        "Response tokens",
        match by {
            BurstGptKey::Model => "Model",
            BurstGptKey::LogType | BurstGptKey::None => "Log Type",
        },
    ];
    let model = recording.models.number("").unwrap_or_default();
    let Recording {
        records,
        problems,
        keys,
        failed,
        ..
    } = recording;
    Table::open(path, &names)?.each(problems, |row| {
        let written = row.text(0)?;
        let seconds: f64 = written
            .parse()
            .ok()
            .filter(|seconds: &f64| (0.0..9e9).contains(seconds))
            .ok_or_else(|| {
                let what = format!("expected seconds, not `{}`", short(written));
                (row.columns[0], what)
            })?;
        let key = match by {
            BurstGptKey::None => "",
            _ => row.text(3)?,
        };
        let record = Record {
            at: (seconds * 1e9).round() as i64,
            input: row.tokens(1)?,
            output: row.tokens(2)?,
            max_tokens: UNSEEN,
            model,
            key: keys
                .number(key)
                .ok_or_else(|| (row.columns[3], "has too many different keys".to_owned()))?,
        };
        if record.output == 0 {
            *failed.entry("no answer".to_owned()).or_default() += 1;
        } else {
            records.push(record);
        }
        Ok(())
    });
    Ok(())
}
