//! CloudWatch's metrics of Bedrock: sums over periods, from which only rates and mean lengths are known.
//!
//! Source: AWS documentation, "Monitoring the performance of Amazon Bedrock", namespace `AWS/Bedrock`;
//! `EstimatedTPMQuotaUsage` "does not reflect the reservation-based token consumption".

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use serde::Deserialize;

use super::arrivals::Profile;
use super::classes::count;
use super::lines::open;
use super::{ImportError, cannot_read, time};

/// A metric of the namespace `AWS/Bedrock` that an import reads, by its sum over a period.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Metric {
    /// Calls that were answered.
    Invocations,
    /// Their input tokens.
    InputTokenCount,
    /// Their output tokens.
    OutputTokenCount,
    /// Tokens written to a cache, which count against quotas like input.
    CacheWriteInputTokenCount,
    /// Calls that were throttled.
    InvocationThrottles,
    /// What AWS estimates that a quota was used by.
    EstimatedTpmQuotaUsage,
}

impl Metric {
    /// Every one.
    pub const ALL: [Self; 6] = [
        Self::Invocations,
        Self::InputTokenCount,
        Self::OutputTokenCount,
        Self::CacheWriteInputTokenCount,
        Self::InvocationThrottles,
        Self::EstimatedTpmQuotaUsage,
    ];

    /// Its name in CloudWatch.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Invocations => "Invocations",
            Self::InputTokenCount => "InputTokenCount",
            Self::OutputTokenCount => "OutputTokenCount",
            Self::CacheWriteInputTokenCount => "CacheWriteInputTokenCount",
            Self::InvocationThrottles => "InvocationThrottles",
            Self::EstimatedTpmQuotaUsage => "EstimatedTPMQuotaUsage",
        }
    }

    /// The metric that a label or a column means: one of whose words is its name.
    #[must_use]
    pub fn of_label(label: &str) -> Option<Self> {
        let mut words = label.split(|c: char| !c.is_ascii_alphanumeric());
        words.find_map(|word| {
            let mut all = Self::ALL.into_iter();
            all.find(|metric| metric.name().eq_ignore_ascii_case(word))
        })
    }
}

/// Sums of metrics by period.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Series {
    rows: BTreeMap<i64, BTreeMap<Metric, f64>>,
}

/// What a series tells of traffic.
pub(super) struct Drawn {
    pub requests: u64,
    pub begin: i64,
    pub seconds: f64,
    /// Mean lengths of a period, with its calls.
    pub inputs: Vec<(u32, f64)>,
    pub outputs: Vec<(u32, f64)>,
    pub profile: Profile,
    pub notes: Vec<String>,
    pub unseen: Vec<String>,
}

impl Series {
    /// Adds a period's sum. `at` is when the period begins, in nanoseconds since 1970.
    pub fn add(&mut self, metric: Metric, at: i64, sum: f64) {
        if sum.is_finite() && sum >= 0.0 {
            *self.rows.entry(at).or_default().entry(metric).or_default() += sum;
        }
    }

    /// Whether there is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The period: the shortest distance between two rows, a minute if there is only one.
    fn period_s(&self) -> f64 {
        let times: Vec<i64> = self.rows.keys().copied().collect();
        let shortest = times.windows(2).map(|pair| pair[1] - pair[0]).min();
        shortest.map_or(60.0, |nanos| nanos as f64 / 1e9)
    }

    fn sum(&self, metric: Metric) -> f64 {
        self.rows.values().filter_map(|row| row.get(&metric)).sum()
    }

    pub(super) fn drawn(&self) -> Result<Drawn, ImportError> {
        let requests = self.sum(Metric::Invocations);
        if requests < 1.0 {
            let help = ": the metric `Invocations` has no sum above zero";
            return Err(ImportError::Empty(help.to_owned()));
        }
        for needed in [Metric::InputTokenCount, Metric::OutputTokenCount] {
            if self.sum(needed) <= 0.0 {
                let help = format!(": the metric `{}` has no sum above zero", needed.name());
                return Err(ImportError::Empty(help));
            }
        }
        let period = self.period_s();
        let begin = self.rows.keys().next().copied().unwrap_or_default();
        let last = self.rows.keys().next_back().copied().unwrap_or_default();
        let seconds = (last - begin) as f64 / 1e9 + period;
        let value = |row: &BTreeMap<Metric, f64>, metric| row.get(&metric).copied().unwrap_or(0.0);
        let (mut inputs, mut outputs) = (Vec::new(), Vec::new());
        for row in self.rows.values() {
            let calls = value(row, Metric::Invocations);
            if calls > 0.0 {
                let input = value(row, Metric::InputTokenCount)
                    + value(row, Metric::CacheWriteInputTokenCount);
                inputs.push(((input / calls).round() as u32, calls));
                let output = value(row, Metric::OutputTokenCount) / calls;
                outputs.push(((output.round() as u32).max(1), calls));
            }
        }
        let times = || {
            self.rows.iter().map(move |(at, row)| {
                let middle = (at - begin) as f64 / 1e9 + period / 2.0;
                (middle, value(row, Metric::Invocations))
            })
        };
        Ok(Drawn {
            requests: requests.round() as u64,
            begin,
            seconds,
            inputs,
            outputs,
            profile: Profile::of_sums(times, begin as f64 / 1e9, seconds, period),
            notes: self.notes(period),
            unseen: vec![
                "max_tokens and with it the reservation, which decides what is throttled"
                    .to_owned(),
                format!(
                    "single calls: {period:.0} s are summed up, so that lengths are means of many calls (their \
                     spread is wider than this) and arrivals within that time are taken as Poisson"
                ),
            ],
        })
    }

    fn notes(&self, period: f64) -> Vec<String> {
        let mut notes = Vec::new();
        let throttled = self.sum(Metric::InvocationThrottles);
        if throttled > 0.0 {
            let share = throttled / (throttled + self.sum(Metric::Invocations)) * 100.0;
            notes.push(format!(
                "{} calls were throttled ({share:.1} %) and are left out: without retries, the traffic wants \
                 that much more",
                count(throttled as u64)
            ));
        }
        let used = |row: &BTreeMap<Metric, f64>| row.get(&Metric::EstimatedTpmQuotaUsage).copied();
        let most = self.rows.values().filter_map(used).fold(0.0, f64::max);
        if most > 0.0 {
            notes.push(format!(
                "EstimatedTPMQuotaUsage peaked at {} tokens in {period:.0} s; it leaves reservations out",
                count(most as u64)
            ));
        }
        notes
    }
}

/// What `aws cloudwatch get-metric-data` prints, or `get-metric-statistics`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Exported {
    #[serde(default)]
    metric_data_results: Vec<Results>,
    #[serde(default)]
    label: Option<String>,
    #[serde(default)]
    datapoints: Vec<Datapoint>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Results {
    #[serde(default)]
    id: String,
    #[serde(default)]
    label: String,
    #[serde(default)]
    timestamps: Vec<String>,
    #[serde(default)]
    values: Vec<f64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Datapoint {
    timestamp: String,
    sum: Option<f64>,
}

/// Reads an export.
pub(super) fn read(path: &Path, series: &mut Series) -> Result<(), ImportError> {
    let mut text = String::new();
    open(path)?
        .read_to_string(&mut text)
        .map_err(cannot_read(path))?;
    let wrong = |problem: String| ImportError::Format {
        path: path.to_owned(),
        problem,
    };
    if text.trim_start().starts_with('{') {
        read_json(&text, series).map_err(wrong)
    } else {
        read_csv(&text, series).map_err(wrong)
    }
}

fn instant(text: &str) -> Result<i64, String> {
    // The console writes days with slashes.
    let iso = text.replace('/', "-");
    time::nanos(&iso)
        .ok_or_else(|| format!("has `{text}` where a time like `2026-11-23T10:15:00Z` is needed"))
}

fn read_json(text: &str, series: &mut Series) -> Result<(), String> {
    let exported: Exported =
        serde_json::from_str(text).map_err(|error| format!("is no export of metrics: {error}"))?;
    let mut found = false;
    for results in &exported.metric_data_results {
        let metric = Metric::of_label(&results.label).or_else(|| Metric::of_label(&results.id));
        let Some(metric) = metric else { continue };
        found = true;
        if results.timestamps.len() != results.values.len() {
            return Err(format!(
                "has {} times and {} values for {}",
                results.timestamps.len(),
                results.values.len(),
                metric.name()
            ));
        }
        for (at, value) in results.timestamps.iter().zip(&results.values) {
            series.add(metric, instant(at)?, *value);
        }
    }
    if let Some(metric) = exported.label.as_deref().and_then(Metric::of_label) {
        found = true;
        for point in &exported.datapoints {
            let sum = point.sum.ok_or_else(|| {
                "has a datapoint without `Sum`: export with `--statistics Sum`".to_owned()
            })?;
            series.add(metric, instant(&point.timestamp)?, sum);
        }
    }
    if found {
        Ok(())
    } else {
        Err(format!(
            "has none of the metrics {}: export `AWS/Bedrock` with their names as labels",
            names()
        ))
    }
}

fn names() -> String {
    Metric::ALL.map(Metric::name).join(", ")
}

fn read_csv(text: &str, series: &mut Series) -> Result<(), String> {
    let mut reader = csv::ReaderBuilder::new()
        .flexible(true)
        .has_headers(false)
        .from_reader(text.as_bytes());
    let mut columns: Vec<Option<Metric>> = Vec::new();
    for (number, row) in (1..).zip(reader.records()) {
        let row = row.map_err(|error| format!("is no CSV file: {error}"))?;
        let metrics: Vec<Option<Metric>> = row.iter().map(Metric::of_label).collect();
        if metrics.iter().flatten().count() > 0 {
            columns = metrics;
            continue;
        }
        let first = row.get(0).unwrap_or_default();
        // Before its columns, the console's export says where it is from.
        if columns.is_empty() || !first.starts_with(|c: char| c.is_ascii_digit()) {
            continue;
        }
        let at = instant(first).map_err(|problem| format!("{problem}, in row {number}"))?;
        for (field, metric) in row.iter().zip(&columns) {
            if let (Some(metric), false) = (metric, field.trim().is_empty()) {
                let value = field.trim().parse().map_err(|_| {
                    format!("has `{field}` where a number is needed, in row {number}")
                })?;
                series.add(*metric, at, value);
            }
        }
    }
    if columns.is_empty() {
        return Err(format!("has no column named after a metric: {}", names()));
    }
    Ok(())
}
