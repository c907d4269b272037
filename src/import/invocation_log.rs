//! Amazon Bedrock's model invocation logs: a JSON object in each line.
//!
//! Source: AWS documentation, "Monitor model invocation using CloudWatch Logs and Amazon S3", the record's
//! fields `timestamp`, `operation`, `modelId`, `errorCode`, `identity`, `requestMetadata`,
//! `input.inputTokenCount`, `output.outputTokenCount` and the bodies. Lines that CloudWatch Logs exports to
//! S3 begin with a time of their own.
//!
//! Promises: bodies are skipped over, not kept: of them, only the key that says `max_tokens` is read.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::lines::each_line;
use super::recording::{Record, Recording, UNSEEN, UNSET};
use super::{ImportError, time};

/// By what the calls of a log may be told apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogKey {
    /// Not at all.
    None,
    /// The operation.
    Operation,
    /// Who called, by the last part of the ARN that is a role or user.
    Identity,
    /// A key of the call's `requestMetadata`.
    Metadata(String),
}

/// Which calls of a log are wanted, and how they are told apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogOptions {
    /// By what they are told apart.
    pub by: LogKey,
    /// Only those of this Region; each Region has quotas of its own.
    pub region: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line<'a> {
    #[serde(borrow)]
    timestamp: Option<Cow<'a, str>>,
    #[serde(borrow)]
    model_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    region: Option<Cow<'a, str>>,
    #[serde(borrow)]
    operation: Option<Cow<'a, str>>,
    #[serde(borrow)]
    error_code: Option<Cow<'a, str>>,
    #[serde(borrow)]
    identity: Option<Identity<'a>>,
    #[serde(borrow)]
    request_metadata: Option<BTreeMap<Cow<'a, str>, Cow<'a, str>>>,
    input: Option<Input>,
    output: Option<Output>,
}

#[derive(Deserialize)]
struct Identity<'a> {
    #[serde(borrow)]
    arn: Option<Cow<'a, str>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Input {
    input_token_count: Option<u64>,
    cache_read_input_token_count: Option<u64>,
    cache_write_input_token_count: Option<u64>,
    input_body_json: Option<MaxTokens>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Output {
    output_token_count: Option<u64>,
}

/// What a request's body says of `max_tokens`: a body, a table in it, or the number itself.
struct MaxTokens(Option<u64>);

/// The names that families of models have for it, and for the table it is in. Source: AWS documentation,
/// "Inference request parameters and response fields".
#[derive(Deserialize)]
#[serde(field_identifier)]
enum BodyKey {
    #[serde(
        rename = "max_tokens",
        alias = "max_completion_tokens",
        alias = "max_gen_len",
        alias = "max_new_tokens",
        alias = "max_tokens_to_sample",
        alias = "maxTokenCount",
        alias = "maxTokens"
    )]
    MaxTokens,
    #[serde(rename = "inferenceConfig", alias = "textGenerationConfig")]
    Nested,
    #[serde(other)]
    Other,
}

impl<'de> Deserialize<'de> for MaxTokens {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Anything)
    }
}

/// Bodies are somebody else's: whatever stands there is no mistake.
struct Anything;

impl<'de> Visitor<'de> for Anything {
    type Value = MaxTokens;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a body")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<MaxTokens, A::Error> {
        let mut found = None;
        while let Some(key) = map.next_key()? {
            match key {
                BodyKey::MaxTokens | BodyKey::Nested => {
                    found = found.or(map.next_value::<MaxTokens>()?.0);
                }
                BodyKey::Other => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(MaxTokens(found))
    }

    fn visit_u64<E>(self, value: u64) -> Result<MaxTokens, E> {
        Ok(MaxTokens(Some(value)))
    }

    fn visit_f64<E>(self, value: f64) -> Result<MaxTokens, E> {
        Ok(MaxTokens((value >= 0.0).then_some(value as u64)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<MaxTokens, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(MaxTokens(None))
    }

    fn visit_i64<E>(self, _: i64) -> Result<MaxTokens, E> {
        Ok(MaxTokens(None))
    }

    fn visit_bool<E>(self, _: bool) -> Result<MaxTokens, E> {
        Ok(MaxTokens(None))
    }

    fn visit_str<E>(self, _: &str) -> Result<MaxTokens, E> {
        Ok(MaxTokens(None))
    }

    fn visit_unit<E>(self) -> Result<MaxTokens, E> {
        Ok(MaxTokens(None))
    }
}

/// What serde says, without the place that is told beside it.
pub(super) fn said(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let end = text.rfind(" at line ").unwrap_or(text.len());
    text[..end].to_owned()
}

/// Reads a log.
pub(super) fn read(
    path: &Path,
    wanted: &LogOptions,
    recording: &mut Recording,
) -> Result<(), ImportError> {
    let mut problems = std::mem::take(&mut recording.problems);
    let read = each_line(path, &mut problems, |number, bytes, problems| {
        let begin = bytes.iter().position(|&byte| byte == b'{').unwrap_or(0);
        let line: Line<'_> = match serde_json::from_slice(&bytes[begin..]) {
            Ok(line) => line,
            Err(error) => {
                let column = (begin + error.column()) as u64;
                problems.push(path, number, column, said(&error));
                return;
            }
        };
        if let Err(what) = take(&line, wanted, recording) {
            problems.push(path, number, begin as u64 + 1, what);
        }
    });
    recording.problems = problems;
    read
}

/// Adds a line's call.
fn take(line: &Line<'_>, wanted: &LogOptions, recording: &mut Recording) -> Result<(), String> {
    let missing = |key: &str| format!("the record has no `{key}`");
    let written = line
        .timestamp
        .as_deref()
        .ok_or_else(|| missing("timestamp"))?;
    let at = time::nanos(written)
        .ok_or_else(|| "`timestamp` is no time like `2026-11-23T10:15:00Z`".to_owned())?;
    let model = line.model_id.as_deref().ok_or_else(|| missing("modelId"))?;
    if let Some(region) = line.region.as_deref() {
        match recording.regions.get_mut(region) {
            Some(calls) => *calls += 1,
            None => {
                recording.regions.insert(region.to_owned(), 1);
            }
        }
        if wanted
            .region
            .as_deref()
            .is_some_and(|wanted| wanted != region)
        {
            return Ok(());
        }
    }
    if let Some(error) = &line.error_code {
        *recording.failed.entry(error.to_string()).or_default() += 1;
        return Ok(());
    }
    let (Some(input), Some(output)) = (
        line.input.as_ref(),
        line.output
            .as_ref()
            .and_then(|output| output.output_token_count),
    ) else {
        recording.without_tokens += 1;
        return Ok(());
    };
    let Some(counted) = input.input_token_count else {
        recording.without_tokens += 1;
        return Ok(());
    };
    // Reads from a cache count against no quota; writes do (AWS documentation, token burndown).
    let counted = counted + input.cache_write_input_token_count.unwrap_or(0);
    recording.cache_read += input.cache_read_input_token_count.unwrap_or(0);
    let max_tokens = match &input.input_body_json {
        None => UNSEEN,
        Some(MaxTokens(None)) => UNSET,
        Some(MaxTokens(Some(tokens))) => u32::try_from(*tokens).unwrap_or(UNSET).clamp(1, UNSET),
    };
    let too_many = || "there are more than 65,536 different models or keys".to_owned();
    let model = recording.models.number(model).ok_or_else(too_many)?;
    let operation = line.operation.as_deref().unwrap_or("");
    recording.operation(model, operation);
    let key = key_of(line, &wanted.by, operation);
    let key = recording.keys.number(key).ok_or_else(too_many)?;
    let tokens = |count: u64| u32::try_from(count).unwrap_or(u32::MAX);
    recording.records.push(Record {
        at,
        input: tokens(counted),
        output: tokens(output),
        max_tokens,
        model,
        key,
    });
    Ok(())
}

fn key_of<'a>(line: &'a Line<'_>, by: &LogKey, operation: &'a str) -> &'a str {
    match by {
        LogKey::None => "",
        LogKey::Operation => operation,
        LogKey::Identity => {
            let arn = line.identity.as_ref().and_then(|id| id.arn.as_deref());
            // arn:aws:sts::123456789012:assumed-role/ROLE/SESSION, or …:user/NAME
            let mut parts = arn.unwrap_or("unknown").split('/');
            let first = parts.next().unwrap_or_default();
            parts.next().unwrap_or(first)
        }
        LogKey::Metadata(name) => {
            let metadata = line.request_metadata.as_ref();
            let value = metadata.and_then(|metadata| metadata.get(name.as_str()));
            value.map_or("none", |value| value)
        }
    }
}
