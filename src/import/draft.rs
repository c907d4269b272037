//! The scenario that a recording makes.

use std::io::{self, Write};

use super::arrivals::Profile;
use super::caps::{Caps, cap_for};
use super::classes::{self, count, counted, length_name, lengths, slug};
use super::recording::{OPERATIONS, Recording};
use super::{ImportError, Series, time};
use crate::catalogue;

/// Recordings of more requests than this are fitted unless a trace is asked for.
pub const TRACE_MAX: usize = 200_000;

/// More classes than this are a key that was badly chosen.
const CLASSES_MAX: usize = 100;

/// What is asked of a draft.
#[derive(Clone, Debug, Default)]
pub struct DraftOptions {
    /// The scenario's name.
    pub name: String,
    /// What it is made from, in words.
    pub from: String,
    /// Which model is meant by which name of the recording; `None` stands for every name.
    pub models: Vec<(Option<String>, String)>,
    /// Names of the recording's models that are left out.
    pub without: Vec<String>,
    /// `max_tokens` where the recording does not show it.
    pub max_tokens: Option<u32>,
    /// About how many classes requests are parted into by length.
    pub kinds: usize,
    /// Whether requests are told apart by their key instead.
    pub by_key: bool,
    /// The name of the trace's file.
    pub trace_file: String,
    /// Whether arrivals are replayed (true) or fitted (false); by the number of requests unless given.
    pub trace: Option<bool>,
}

/// A model of a draft.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DraftModel {
    /// Its name in the scenario.
    pub name: String,
    /// Its id.
    pub id: String,
    /// The operation most often called.
    pub api: Option<&'static str>,
}

/// A prompt class of a draft.
#[derive(Clone, Debug, PartialEq)]
pub struct Class {
    /// Its name.
    pub name: String,
    /// Its model's place.
    pub model: usize,
    /// How many requests it has.
    pub requests: u64,
    /// Mean input and output tokens.
    pub means: (f64, f64),
    /// Input tokens, equally often.
    pub inputs: Vec<u64>,
    /// Output tokens, equally often.
    pub outputs: Vec<u64>,
    /// Its `max_tokens`; none where requests had none.
    pub max_tokens: Option<u32>,
}

/// When requests come.
#[derive(Clone, Debug, PartialEq)]
pub enum Arrivals {
    /// As recorded, from a file of this name beside the scenario.
    Trace(String),
    /// At rates that were fitted.
    Fitted(Profile),
}

/// A scenario, before it is text.
#[derive(Clone, Debug)]
pub struct Draft {
    /// Its name.
    pub name: String,
    /// What it is made from.
    pub from: String,
    /// Its models.
    pub models: Vec<DraftModel>,
    /// Its classes, the most frequent first.
    pub classes: Vec<Class>,
    /// When requests come.
    pub arrivals: Arrivals,
    /// How many requests were recorded.
    pub requests: u64,
    /// When the first one came; none if only distances are known.
    pub began: Option<String>,
    /// From the first request to the last, in seconds.
    pub seconds: f64,
    /// What the source does not show.
    pub unseen: Vec<String>,
    /// What was left out, put in or found on the way.
    pub notes: Vec<String>,
    /// By record: its class; `NOWHERE` for those that are left out.
    class_of: Vec<u16>,
}

const NOWHERE: u16 = u16::MAX;

impl Draft {
    /// A scenario of requests that were recorded one by one.
    ///
    /// # Errors
    ///
    /// If there is no request, a model is not known, or there are too many classes.
    pub fn of_recording(
        recording: &Recording,
        options: &DraftOptions,
    ) -> Result<Self, ImportError> {
        if recording.records.is_empty() {
            let left_out = left_out(recording);
            let said = left_out.iter().map(|note| format!("; {note}"));
            return Err(ImportError::Empty(said.collect()));
        }
        let (models, places) = models(recording, options)?;
        let groups = classes::groups(recording, &places, options.by_key, options.kinds);
        if groups.is_empty() {
            let help = ": `--without` leaves none of its models";
            return Err(ImportError::Empty(help.to_owned()));
        }
        if groups.len() > CLASSES_MAX {
            return Err(ImportError::TooMany(format!(
                "there are {} different classes, which is more than {CLASSES_MAX}: choose another key for \
                 `--by`, or leave it out",
                count(groups.len() as u64)
            )));
        }
        let mut notes = left_out(recording);
        notes.extend(recording.notes.iter().cloned());
        let mut unseen = recording.unseen.clone();
        let caps = Caps::new(recording, &places, &models, options);
        let (classes, class_of) = classes_of(recording, &groups, &models, &caps);
        if groups.iter().any(|group| group.unseen) {
            notes.push(caps.said());
            if recording.unseen.is_empty() {
                unseen.push("max_tokens of some calls, which is what a quota reserves".to_owned());
            }
        }
        let requests = groups.iter().map(|group| group.members.len() as u64).sum();
        let trace = options
            .trace
            .unwrap_or(recording.records.len() <= TRACE_MAX);
        let arrivals = if trace {
            Arrivals::Trace(options.trace_file.clone())
        } else {
            let kept = |(place, _): &(usize, &_)| class_of[*place] != NOWHERE;
            let kept = recording.records.iter().enumerate().filter(kept);
            let kept: Vec<_> = kept.map(|(_, record)| *record).collect();
            let mut profile = Profile::of(&kept);
            notes.append(&mut profile.notes);
            unseen.push("(fitted) that long or short requests came together".to_owned());
            Arrivals::Fitted(profile)
        };
        let first = recording.records.first().map_or(0, |record| record.at);
        Ok(Self {
            name: options.name.clone(),
            from: options.from.clone(),
            models,
            classes,
            arrivals,
            requests,
            // Recordings that begin at 0 know distances only.
            began: (first > YEAR_2000_NS).then(|| time::shown(first)),
            seconds: recording.seconds(),
            unseen,
            notes,
            class_of,
        })
    }

    /// A scenario of metrics, of which only sums are known.
    ///
    /// # Errors
    ///
    /// If there was no call, or the model is not known.
    pub fn of_series(series: &Series, options: &DraftOptions) -> Result<Self, ImportError> {
        let Some((_, id)) = options.models.first() else {
            return Err(ImportError::Model(NO_MODEL.to_owned()));
        };
        known(id, None)?;
        let drawn = series.drawn()?;
        let cap = options.max_tokens.unwrap_or_else(|| {
            let longest = drawn.outputs.iter().map(|(value, _)| *value).max();
            // Single answers are longer than a period's mean; four times is a guess that is said.
            cap_for(longest.unwrap_or(1).saturating_mul(4), id)
        });
        let mut notes = drawn.notes;
        if options.max_tokens.is_none() {
            notes.push(format!(
                "max_tokens is taken to be {cap}: write your own with `--max-tokens`"
            ));
        }
        let mut profile = drawn.profile;
        notes.append(&mut profile.notes);
        let model = DraftModel {
            name: model_name(id),
            id: id.clone(),
            api: Some("converse"),
        };
        let class = Class {
            name: "all".to_owned(),
            model: 0,
            requests: drawn.requests,
            means: (mean(&drawn.inputs), mean(&drawn.outputs)),
            inputs: lengths(drawn.inputs),
            outputs: lengths(drawn.outputs),
            max_tokens: Some(cap),
        };
        Ok(Self {
            name: options.name.clone(),
            from: options.from.clone(),
            models: vec![model],
            classes: vec![class],
            arrivals: Arrivals::Fitted(profile),
            requests: drawn.requests,
            began: Some(time::shown(drawn.begin)),
            seconds: drawn.seconds,
            unseen: drawn.unseen,
            notes,
            class_of: Vec::new(),
        })
    }

    /// Writes the trace that the scenario names: a row for each request.
    ///
    /// # Errors
    ///
    /// If it cannot be written.
    pub fn write_trace(&self, recording: &Recording, out: &mut impl Write) -> io::Result<()> {
        out.write_all(b"TIMESTAMP,ContextTokens,GeneratedTokens,Prompt\n")?;
        for (record, &class) in recording.records.iter().zip(&self.class_of) {
            if class != NOWHERE {
                let at = time::written(record.at);
                let name = &self.classes[usize::from(class)].name;
                writeln!(out, "{at},{},{},{name}", record.input, record.output)?;
            }
        }
        Ok(())
    }
}

/// 2000-01-01 in nanoseconds since 1970: what comes before is a distance, not a date.
const YEAR_2000_NS: i64 = 946_684_800_000_000_000;

const NO_MODEL: &str = "the recording names no model: say which one would answer with `--model ID`, such as \
                        `--model us.anthropic.claude-sonnet-4-5-20250929-v1:0`";

/// The draft's models, and where each of the recording's is among them.
fn models(
    recording: &Recording,
    options: &DraftOptions,
) -> Result<(Vec<DraftModel>, Vec<Option<usize>>), ImportError> {
    let mut models: Vec<DraftModel> = Vec::new();
    let mut calls: Vec<[u64; 4]> = Vec::new();
    let mut places = Vec::new();
    for (number, recorded) in recording.models().iter().enumerate() {
        if options.without.contains(recorded) {
            places.push(None);
            continue;
        }
        let own = |(of, _): &&(Option<String>, String)| of.as_deref() == Some(recorded);
        let any = |(of, _): &&(Option<String>, String)| of.is_none();
        let mapped = options.models.iter().find(own);
        let mapped = mapped.or_else(|| options.models.iter().find(any));
        let id = mapped.map_or(recorded, |(_, id)| id);
        if id.is_empty() {
            return Err(ImportError::Model(NO_MODEL.to_owned()));
        }
        let requests = || {
            let own = |record: &&super::Record| usize::from(record.model) == number;
            recording.records.iter().filter(own).count()
        };
        known(id, Some((recorded, requests() as u64)))?;
        let place = models.iter().position(|model| model.id == *id);
        let place = place.unwrap_or_else(|| {
            let taken = |name: &str| models.iter().any(|model| model.name == name);
            let name = unique(&model_name(id), taken);
            models.push(DraftModel {
                name,
                id: id.clone(),
                api: None,
            });
            calls.push([0; 4]);
            models.len() - 1
        });
        let operations = recording
            .operations
            .get(number)
            .copied()
            .unwrap_or_default();
        for (sum, operation) in calls[place].iter_mut().zip(operations) {
            *sum += operation;
        }
        places.push(Some(place));
    }
    for (model, calls) in models.iter_mut().zip(calls) {
        let most = (0..calls.len()).max_by_key(|&place| calls[place]);
        let most = most.filter(|&place| calls[place] > 0);
        model.api = Some(most.map_or("converse", |place| OPERATIONS[place].1));
    }
    Ok((models, places))
}

/// Whether the catalogue knows a model; `recorded` is what the recording calls it, and how often.
fn known(id: &str, recorded: Option<(&str, u64)>) -> Result<(), ImportError> {
    if catalogue::find(id).is_some() {
        return Ok(());
    }
    let near = catalogue::closest(id).map(|near| format!("; did you mean `{near}`?"));
    let near = near.unwrap_or_else(|| "; `bedload models` lists all".to_owned());
    Err(ImportError::Model(match recorded {
        Some((recorded, requests)) if recorded == id => format!(
            "no model is known as `{id}`, which has {} of the requests: say which one it is with \
             `--model {id}=ID`, or leave it out with `--without {id}`{near}",
            count(requests)
        ),
        _ => format!("no model is known as `{id}`{near}"),
    }))
}

/// The classes of a draft, and by record its class.
fn classes_of(
    recording: &Recording,
    groups: &[classes::Group],
    models: &[DraftModel],
    caps: &Caps,
) -> (Vec<Class>, Vec<u16>) {
    let mut class_of = vec![NOWHERE; recording.records.len()];
    let mut classes: Vec<Class> = Vec::new();
    for (number, group) in (0_u16..).zip(groups) {
        for &member in &group.members {
            class_of[member as usize] = number;
        }
        let key = group
            .key
            .map(|key| recording.keys.all()[usize::from(key)].as_str());
        let mut class = class(recording, group, key.filter(|key| !key.is_empty()));
        if group.unseen {
            class.max_tokens = Some(caps.of(group.model));
        }
        let of_model = groups.iter().filter(|other| other.model == group.model);
        let differs = |other: &classes::Group| other.max_tokens != group.max_tokens;
        if let Some(cap) = class.max_tokens.filter(|_| of_model.clone().any(differs)) {
            class.name = format!("{}-max-{cap}", class.name);
        }
        if models.len() > 1 {
            class.name = format!("{}-{}", models[group.model].name, class.name);
        }
        class.name = unique(&class.name, |name| {
            classes.iter().any(|known: &Class| known.name == name)
        });
        classes.push(class);
    }
    (classes, class_of)
}

fn class(recording: &Recording, group: &classes::Group, key: Option<&str>) -> Class {
    let record = |&member: &u32| &recording.records[member as usize];
    let members = || group.members.iter().map(record);
    let inputs: Vec<(u32, f64)> = members().map(|record| (record.input, 1.0)).collect();
    // An answer of no tokens is none; the shortest has one.
    let outputs: Vec<(u32, f64)> = members()
        .map(|record| (record.output.max(1), 1.0))
        .collect();
    let means = (mean(&inputs), mean(&outputs));
    Class {
        name: key.map_or_else(|| length_name(means.0, means.1), slug),
        model: group.model,
        requests: group.members.len() as u64,
        means,
        inputs: lengths(inputs),
        outputs: lengths(outputs),
        max_tokens: group.max_tokens,
    }
}

fn mean(values: &[(u32, f64)]) -> f64 {
    let weight: f64 = values.iter().map(|(_, weight)| weight).sum();
    let sum: f64 = values
        .iter()
        .map(|(value, weight)| f64::from(*value) * weight)
        .sum();
    sum / weight.max(1e-9)
}

/// What of a recording is not in the scenario.
fn left_out(recording: &Recording) -> Vec<String> {
    let mut notes = Vec::new();
    if recording.problems.count > 0 {
        notes.push(format!(
            "{} could not be read and are left out",
            counted(recording.problems.count, "line")
        ));
    }
    let failed: u64 = recording.failed.values().sum();
    if failed > 0 {
        let kinds: Vec<String> = recording
            .failed
            .iter()
            .map(|(kind, number)| format!("{} {kind}", count(*number)))
            .collect();
        notes.push(format!(
            "{} failed and are left out ({}): the traffic wants that much more",
            counted(failed, "call"),
            kinds.join(", ")
        ));
    }
    if recording.without_tokens > 0 {
        notes.push(format!(
            "left out for want of counts of input and output tokens (embeddings, images): {}",
            counted(recording.without_tokens, "call")
        ));
    }
    if recording.cache_read > 0 {
        notes.push(format!(
            "{} input tokens were read from a cache, which no quota counts, and are left out",
            count(recording.cache_read)
        ));
    }
    notes
}

/// `name`, or `name-2` and so on if it is taken.
fn unique(name: &str, taken: impl Fn(&str) -> bool) -> String {
    let mut unique = name.to_owned();
    for number in 2.. {
        if !taken(&unique) {
            break;
        }
        unique = format!("{name}-{number}");
    }
    unique
}

/// A short name for a model in a scenario: `claude-sonnet-4-5` of its long id.
fn model_name(id: &str) -> String {
    let name = catalogue::find(id).map(|model| model.name);
    let name = name.unwrap_or_else(|| id.to_owned());
    slug(&name).to_lowercase().replace('.', "-")
}
