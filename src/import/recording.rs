//! Requests as they were recorded, 24 bytes each.

use std::collections::BTreeMap;

use super::lines::Problems;

/// What `max_tokens` is where the source does not show it.
pub(super) const UNSEEN: u32 = 0;

/// What `max_tokens` is where the request had none.
pub(super) const UNSET: u32 = u32::MAX;

/// One request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// When it came, in nanoseconds since 1970 (or since the recording's own beginning).
    pub at: i64,
    /// Input tokens that count against a quota.
    pub input: u32,
    /// Output tokens.
    pub output: u32,
    /// Its `max_tokens`: 0 where the source does not show it, `u32::MAX` where it had none.
    pub max_tokens: u32,
    /// Its model's place in [`Recording::models`].
    pub model: u16,
    /// Its key's place in [`Recording::keys()`].
    pub key: u16,
}

/// Names, each once, with a number.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    numbers: BTreeMap<String, u16>,
    names: Vec<String>,
}

impl Names {
    /// The number of `name`; none beyond 65,536 names.
    pub fn number(&mut self, name: &str) -> Option<u16> {
        if let Some(&number) = self.numbers.get(name) {
            return Some(number);
        }
        let number = u16::try_from(self.names.len()).ok()?;
        self.numbers.insert(name.to_owned(), number);
        self.names.push(name.to_owned());
        Some(number)
    }

    pub fn all(&self) -> &[String] {
        &self.names
    }
}

/// What was recorded.
#[derive(Clone, Debug, Default)]
pub struct Recording {
    /// The requests, in order of time.
    pub records: Vec<Record>,
    /// Lines that could not be read.
    pub problems: Problems,
    /// Calls that failed, by error; they are left out.
    pub failed: BTreeMap<String, u64>,
    /// Calls by Region, where the source says so.
    pub regions: BTreeMap<String, u64>,
    /// Calls without counts of tokens, such as those that made images; they are left out.
    pub without_tokens: u64,
    /// Input tokens that came from a cache, which no quota counts.
    pub cache_read: u64,
    pub(super) models: Names,
    pub(super) keys: Names,
    /// By model: how often each operation was called, in the order of [`OPERATIONS`].
    pub(super) operations: Vec<[u64; 4]>,
    pub(super) unseen: Vec<String>,
    pub(super) notes: Vec<String>,
}

/// The operations of Bedrock's runtime that scenarios know, with their names there.
pub(super) const OPERATIONS: [(&str, &str); 4] = [
    ("InvokeModel", "invoke-model"),
    ("Converse", "converse"),
    ("InvokeModelWithResponseStream", "invoke-model-stream"),
    ("ConverseStream", "converse-stream"),
];

impl Recording {
    /// The ids of the models that were called; empty text where the source names none.
    #[must_use]
    pub fn models(&self) -> &[String] {
        self.models.all()
    }

    /// The keys by which requests were told apart; empty text where they were not.
    #[must_use]
    pub fn keys(&self) -> &[String] {
        self.keys.all()
    }

    /// What the source does not show.
    pub(super) fn unseen(&mut self, what: &str) {
        if !self.unseen.iter().any(|known| known == what) {
            self.unseen.push(what.to_owned());
        }
    }

    pub(super) fn note(&mut self, note: String) {
        self.notes.push(note);
    }

    /// Counts a call of an operation of a model.
    pub(super) fn operation(&mut self, model: u16, operation: &str) {
        let place = usize::from(model);
        if self.operations.len() <= place {
            self.operations.resize(place + 1, [0; 4]);
        }
        let known = OPERATIONS.iter().position(|(name, _)| *name == operation);
        if let Some(known) = known {
            self.operations[place][known] += 1;
        }
    }

    /// Puts requests in order of time; those of one instant stay in the order in which they were read.
    pub(super) fn sort(&mut self) {
        if !self.records.is_sorted_by_key(|record| record.at) {
            self.records.sort_by_key(|record| record.at);
        }
    }

    /// From the first request to the last, in seconds.
    #[must_use]
    pub fn seconds(&self) -> f64 {
        match (self.records.first(), self.records.last()) {
            (Some(first), Some(last)) => (last.at - first.at) as f64 / 1e9,
            _ => 0.0,
        }
    }
}
