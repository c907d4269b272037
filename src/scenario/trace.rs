//! Recorded traces: CSV files with the columns `TIMESTAMP,ContextTokens,GeneratedTokens`, as in the
//! Azure Public Dataset's LLM inference traces, and perhaps `Prompt`, the name of a prompt class.
//!
//! Promises: a trace is in order of time and not empty; what is wrong with a file is told with its
//! line and column; twenty thousand rows take a few milliseconds.
//!
//! Deliberately not: a time zone. Only the distance to the first row matters.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use super::suggest::closest;
use super::value::shortened;
use crate::arrivals::TracePoint;
use crate::outcome::ClassIndex;
use crate::time::Instant;
use crate::units::Tokens;

/// The largest file that is read: about six million requests.
const LARGEST: u64 = 256 << 20;

const HEADER: &str = "TIMESTAMP,ContextTokens,GeneratedTokens";

const HEADER_WITH_PROMPT: &str = "TIMESTAMP,ContextTokens,GeneratedTokens,Prompt";

/// Why a trace could not be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum TraceError {
    #[error("cannot be read: {0}")]
    Io(#[from] io::Error),
    #[error("is larger than {} MiB", LARGEST >> 20)]
    TooLarge,
    #[error("has no requests in it")]
    Empty,
    #[error("line {line}, column {column}: {problem}")]
    Malformed {
        line: usize,
        column: usize,
        problem: String,
    },
}

impl TraceError {
    /// The kind of problem, in kebab case.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Io(_) => "trace-unreadable",
            Self::TooLarge => "trace-too-large",
            Self::Empty => "trace-empty",
            Self::Malformed { .. } => "trace-malformed",
        }
    }

    /// What to change.
    pub fn help(&self) -> String {
        match self {
            Self::Io(_) => "a trace's path begins at the scenario's own folder".to_owned(),
            Self::TooLarge => "cut it into parts".to_owned(),
            Self::Empty => format!("write a line for each request below `{HEADER}`"),
            Self::Malformed { .. } => {
                "rows look like `2023-11-16 18:17:03.9799600,4808,10`, in order of time".to_owned()
            }
        }
    }
}

/// Reads a trace from a file. `prompts` are the names of the classes that it may name, in their order.
pub(super) fn read(path: &Path, prompts: &[String]) -> Result<Arc<[TracePoint]>, TraceError> {
    let mut bytes = Vec::new();
    // One byte more than is allowed tells a file that is too large from one that just fits.
    File::open(path)?
        .take(LARGEST + 1)
        .read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LARGEST {
        return Err(TraceError::TooLarge);
    }
    parse(&bytes, prompts)
}

/// Reads a trace from the bytes of a file.
fn parse(bytes: &[u8], prompts: &[String]) -> Result<Arc<[TracePoint]>, TraceError> {
    let mut lines = bytes
        .split(|&byte| byte == b'\n')
        .map(|line| line.trim_ascii_end());
    let header = lines.next().unwrap_or_default();
    if header.is_empty() && bytes.trim_ascii().is_empty() {
        return Err(TraceError::Empty);
    }
    let header = header.strip_prefix(b"\xef\xbb\xbf").unwrap_or(header);
    let named = header == HEADER_WITH_PROMPT.as_bytes();
    if !named && header != HEADER.as_bytes() {
        let problem =
            format!("the first line must be `{HEADER}`, with or without `,Prompt` at its end");
        return Err(TraceError::Malformed {
            line: 1,
            column: 1,
            problem,
        });
    }
    let mut points = Vec::with_capacity(bytes.len() / 32);
    let mut first = None;
    for (number, line) in (2..).zip(lines) {
        if line.is_empty() {
            continue;
        }
        let malformed = |(column, problem): (usize, &str)| TraceError::Malformed {
            line: number,
            column: column + 1,
            problem: problem.to_owned(),
        };
        let (line, class) = if named {
            let (line, name) = split_name(line).map_err(malformed)?;
            let class =
                class_of(name, prompts).map_err(|problem| malformed((line.len() + 1, &problem)))?;
            (line, Some(class))
        } else {
            (line, None)
        };
        let row = parse_row(line).map_err(malformed)?;
        let first = *first.get_or_insert(row.nanos);
        let at = u64::try_from(row.nanos - first).map(Instant::from_nanos);
        let last = points
            .last()
            .map_or(Instant::ZERO, |point: &TracePoint| point.at);
        match at {
            Ok(at) if at >= last => {
                points.push(TracePoint {
                    at,
                    input: row.input,
                    output: row.output,
                    class,
                });
            }
            _ => return Err(malformed((0, "the time is before the line above it"))),
        }
    }
    if points.is_empty() {
        Err(TraceError::Empty)
    } else {
        Ok(points.into())
    }
}

/// A line in two: what every trace has, and the name after its last comma.
fn split_name(line: &[u8]) -> Result<(&[u8], &[u8]), RowProblem> {
    let commas = || line.iter().filter(|&&byte| byte == b',').count();
    let last = line.iter().rposition(|&byte| byte == b',');
    match last {
        Some(at) if commas() == 3 => Ok((&line[..at], &line[at + 1..])),
        _ => Err((line.len(), "the line needs four columns, as the first line")),
    }
}

fn class_of(name: &[u8], prompts: &[String]) -> Result<ClassIndex, String> {
    let place = prompts.iter().position(|prompt| prompt.as_bytes() == name);
    if let Some(index) = place.and_then(|place| u16::try_from(place).ok()) {
        return Ok(ClassIndex(index));
    }
    let name = String::from_utf8_lossy(name);
    let near = closest(&name, prompts.iter().map(String::as_str));
    let near = near.map(|near| format!("; did you mean `{near}`?"));
    Err(format!(
        "there is no `[[prompt]]` named `{}`{}",
        shortened(&name),
        near.unwrap_or_default()
    ))
}

/// What is wrong with a line, and at which byte.
type RowProblem = (usize, &'static str);

struct Row {
    nanos: i128,
    input: Tokens,
    output: Tokens,
}

/// Reads one line; a problem comes with its byte in the line.
fn parse_row(line: &[u8]) -> Result<Row, RowProblem> {
    let mut fields = line.split(|&byte| byte == b',');
    let timestamp = fields.next().unwrap_or_default();
    let input = fields
        .next()
        .ok_or((line.len(), "the line has one column instead of three"))?;
    let output = fields
        .next()
        .ok_or((line.len(), "the line has two columns instead of three"))?;
    let input_at = timestamp.len() + 1;
    let output_at = input_at + input.len() + 1;
    if fields.next().is_some() {
        return Err((
            output_at + output.len(),
            "the line has more than three columns",
        ));
    }
    Ok(Row {
        nanos: parse_timestamp(timestamp)?,
        input: Tokens(digits(input).ok_or((input_at, "expected a whole number of tokens"))?),
        output: Tokens(digits(output).ok_or((output_at, "expected a whole number of tokens"))?),
    })
}

/// Nanoseconds since an arbitrary day, from `2023-11-16 18:17:03.9799600`; the fraction may have
/// up to nine digits or be left out.
fn parse_timestamp(text: &[u8]) -> Result<i128, RowProblem> {
    let part = |from: usize, to: usize| {
        text.get(from..to)
            .and_then(digits)
            .ok_or((from, "expected a time like `2023-11-16 18:17:03.97`"))
    };
    let separator = |at: usize, allowed: &[u8]| match text.get(at) {
        Some(byte) if allowed.contains(byte) => Ok(()),
        _ => Err((
            at.min(text.len()),
            "expected a time like `2023-11-16 18:17:03.97`",
        )),
    };
    let (year, month, day) = (part(0, 4)?, part(5, 7)?, part(8, 10)?);
    let (hour, minute, second) = (part(11, 13)?, part(14, 16)?, part(17, 19)?);
    for (at, allowed) in [(4, "-"), (7, "-"), (10, " T"), (13, ":"), (16, ":")] {
        separator(at, allowed.as_bytes())?;
    }
    let nanos = match text.get(19..) {
        None | Some([]) => 0,
        Some([b'.', fraction @ ..]) if (1..=9).contains(&fraction.len()) => {
            let value = digits(fraction).ok_or((20, "expected the fraction of a second"))?;
            value * 10_u64.pow(9 - fraction.len() as u32)
        }
        Some(_) => return Err((19, "expected a fraction of one to nine digits, and no zone")),
    };
    if !(1..=12).contains(&month) || !(1..=days_in(year, month)).contains(&day) {
        return Err((5, "there is no such day"));
    }
    if hour > 23 || minute > 59 || second > 59 {
        return Err((11, "there is no such time of day"));
    }
    let seconds = days_before(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second;
    Ok(i128::from(seconds) * 1_000_000_000 + i128::from(nanos))
}

/// A whole number of at most 18 digits, so that none overflows.
fn digits(text: &[u8]) -> Option<u64> {
    if text.is_empty() || text.len() > 18 || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(
        text.iter()
            .fold(0, |value, digit| value * 10 + u64::from(digit - b'0')),
    )
}

const fn days_in(year: u64, month: u64) -> u64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => {
            29
        }
        2 => 28,
        _ => 31,
    }
}

/// Days since a fixed day long ago. Counting years from March puts the leap day last; 400 years
/// more keep them positive and the leap years where they are.
const fn days_before(year: u64, month: u64, day: u64) -> u64 {
    let (year, month) = if month > 2 {
        (year + 400, month - 3)
    } else {
        (year + 399, month + 9)
    };
    year * 365 + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5 + day
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rows(text: &str) -> Result<Vec<(u64, u64, u64)>, String> {
        parse(format!("{HEADER}\n{text}").as_bytes(), &[])
            .map(|points| {
                points
                    .iter()
                    .map(|p| (p.at.as_nanos(), p.input.0, p.output.0))
                    .collect()
            })
            .map_err(|error| error.to_string())
    }

    #[test]
    fn times_count_from_the_first_row() {
        let text = "2023-12-31 23:59:59.9799600,4808,10\r\n2024-01-01 00:00:00.0319600,3180,8";
        assert_eq!(rows(text), Ok(vec![(0, 4_808, 10), (52_000_000, 3_180, 8)]));
        let leap = "2024-02-28 00:00:00,1,1\n2024-03-01 00:00:00,1,1\n";
        assert_eq!(
            rows(leap),
            Ok(vec![(0, 1, 1), (2 * 86_400_000_000_000, 1, 1)])
        );
    }

    #[test]
    fn problems_name_line_and_column() {
        let error = |text: &str| rows(text).err().unwrap_or_default();
        let good = "2023-11-16 18:17:03.97,1,2";
        assert_eq!(error(""), "has no requests in it");
        assert_eq!(
            error("2023-11-16 18:17:03.97,x,2"),
            "line 2, column 24: expected a whole number of tokens"
        );
        assert_eq!(
            error(&format!("{good}\n2023-11-16 18:17:02.97,1,2")),
            "line 3, column 1: the time is before the line above it"
        );
        assert_eq!(
            error("2023-02-29 00:00:00,1,2"),
            "line 2, column 6: there is no such day"
        );
        assert_eq!(
            error("2023-11-16 18:17:03Z,1,2"),
            "line 2, column 20: expected a fraction of one to nine digits, and no zone"
        );
        assert_eq!(
            error("2023-11-16 18:17:03,1"),
            "line 2, column 22: the line has two columns instead of three"
        );
        assert!(error("16.11.2023,1,2").starts_with("line 2, column 1: expected a time"));
        let headless = parse(b"1,2,3", &[]).map_err(|error| error.to_string());
        assert!(headless.is_err_and(|error| error.starts_with("line 1, column 1: the first line")));
    }

    #[test]
    fn a_fourth_column_names_prompts() {
        let prompts = ["chat".to_owned(), "summary".to_owned()];
        let rows = |text: &str| {
            parse(format!("{HEADER_WITH_PROMPT}\n{text}").as_bytes(), &prompts)
                .map(|points| points.iter().map(|point| point.class).collect::<Vec<_>>())
                .map_err(|error| error.to_string())
        };
        let time = "2023-11-16 18:17:03,1,2";
        assert_eq!(
            rows(&format!("{time},summary\n{time},chat")),
            Ok(vec![Some(ClassIndex(1)), Some(ClassIndex(0))])
        );
        assert_eq!(
            rows(&format!("{time},sumary")),
            Err(
                "line 2, column 25: there is no `[[prompt]]` named `sumary`; did you mean `summary`?"
                    .to_owned()
            )
        );
        assert_eq!(
            rows(time),
            Err("line 2, column 24: the line needs four columns, as the first line".to_owned())
        );
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&bytes, &[]);
            let _ = parse(&[HEADER.as_bytes(), b"\n", &bytes].concat(), &[]);
            let _ = parse(&[HEADER_WITH_PROMPT.as_bytes(), b"\n", &bytes].concat(), &[]);
            let _ = parse_row(&bytes);
        }

        #[test]
        fn distances_agree_with_a_calendar(seconds in 0_i64..3_000_000_000, more in 0_i64..3_000_000_000) {
            let row = |seconds: i64| {
                let time = jiff::Timestamp::from_second(seconds).map(|t| t.to_string()).unwrap_or_default();
                format!("{},1,1", time.trim_end_matches('Z').replace('T', " "))
            };
            let text = format!("{}\n{}", row(seconds), row(seconds + more));
            let nanos = u64::try_from(more).unwrap_or_default() * 1_000_000_000;
            prop_assert_eq!(rows(&text), Ok(vec![(0, 1, 1), (nanos, 1, 1)]));
        }
    }
}
