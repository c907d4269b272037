//! Mooncake traces: JSON lines of `timestamp` (milliseconds), `input_length`, `output_length` and
//! `hash_ids`, one for each 512 tokens of input.
//!
//! Source: github.com/kvcache-ai/Mooncake, "FAST25-release".

use std::collections::HashSet;
use std::path::Path;

use serde::Deserialize;

use super::ImportError;
use super::lines::each_line;
use super::recording::{Record, Recording, UNSEEN};

#[derive(Deserialize)]
struct Line {
    timestamp: f64,
    input_length: u32,
    output_length: u32,
    #[serde(default)]
    hash_ids: Vec<u64>,
}

/// Reads a Mooncake trace.
pub(super) fn read(path: &Path, recording: &mut Recording) -> Result<(), ImportError> {
    let model = recording.models.number("").unwrap_or_default();
    let key = recording.keys.number("").unwrap_or_default();
    let mut known = HashSet::new();
    let (mut blocks, mut again) = (0_u64, 0_u64);
    let records = &mut recording.records;
    each_line(path, &mut recording.problems, |number, bytes, problems| {
        let line: Line = match serde_json::from_slice(bytes) {
            Ok(line) => line,
            Err(error) => {
                let what = super::invocation_log::said(&error);
                problems.push(path, number, error.column() as u64, what);
                return;
            }
        };
        if !(0.0..9e12).contains(&line.timestamp) {
            problems.push(path, number, 1, "`timestamp` needs milliseconds");
            return;
        }
        blocks += line.hash_ids.len() as u64;
        // A cache holds prefixes: what comes after the first new block is new as well.
        let new = line.hash_ids.iter().position(|id| !known.contains(id));
        again += new.unwrap_or(line.hash_ids.len()) as u64;
        known.extend(line.hash_ids);
        records.push(Record {
            at: (line.timestamp * 1e6).round() as i64,
            input: line.input_length,
            output: line.output_length,
            max_tokens: UNSEEN,
            model,
            key,
        });
    })?;
    if blocks > 0 {
        let share = again as f64 / blocks as f64 * 100.0;
        recording.note(format!(
            "{share:.0} % of the input's blocks were prefixes that had come before: a cache that forgets \
             nothing would hold them (`bedload plan --cached {share:.0}%`)"
        ));
    }
    Ok(())
}
