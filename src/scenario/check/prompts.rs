//! `[[prompt]]`: each class by itself and beside its model, then all of them together.

use std::collections::BTreeMap;
use std::ops::Range;

use super::super::diagnostic::Diagnostic;
use super::super::problems::{Problems, did_you_mean};
use super::super::raw::RawPrompt;
use super::super::suggest::listed;
use super::super::value::{Placed, shortened};
use super::super::{Prompt, ScenarioModel};
use super::distribution::distribution;
use super::lengths::lengths;
use super::reserve::{fits, reserve};
use super::surroundings::Surroundings;
use crate::distribution::Distribution;
use crate::outcome::ModelIndex;
use crate::units::Tokens;

/// More classes than this are a generated file gone wrong, and would not fit a class's index.
const MOST_PROMPTS: usize = 1_000;

/// Output tokens of an answer where the scenario does not say.
const USUAL_OUTPUT: u64 = 200;

/// Reads all prompts.
pub(super) fn prompts(
    list: Placed<Vec<Placed<RawPrompt>>>,
    around: &Surroundings<'_>,
    problems: &mut Problems,
) -> Vec<Option<Prompt>> {
    if list.value.len() > MOST_PROMPTS {
        let title = format!("there are more than {MOST_PROMPTS} prompts");
        let help = "draw lengths from a distribution instead of naming each prompt";
        problems.push(
            Diagnostic::error("too-many-prompts", title)
                .at(list.span, "")
                .help(help),
        );
        return Vec::new();
    }
    let mut names: BTreeMap<String, Range<usize>> = BTreeMap::new();
    let mut used = vec![false; around.models.len()];
    let mut weights = Vec::new();
    let mut prompts = Vec::new();
    for raw in list.value {
        let class = prompt(raw, around, &mut names, problems);
        weights.extend(class.weight);
        if let Some(index) = class.model {
            used[index] = true;
        }
        prompts.push(class.prompt);
    }
    weigh(&weights, problems);
    for (model, used) in around.models.iter().zip(used) {
        // A prompt whose model is unclear might have meant this one.
        if !used && prompts.iter().all(Option::is_some) {
            let title = format!("no prompt uses the model `{}`", model.name);
            let problem = Diagnostic::warning("unused-model", title).at(model.span.clone(), "");
            problems.push(problem.help("name it as a prompt's `model`, or take it out"));
        }
    }
    prompts
}

/// Reports prompts that are never chosen: all of them at once, or each by itself.
fn weigh(weights: &[Placed<f64>], problems: &mut Problems) {
    let zeros = || weights.iter().filter(|weight| weight.value == 0.0);
    if let Some(last) = zeros()
        .next_back()
        .filter(|_| zeros().count() == weights.len())
    {
        let problem = Diagnostic::error("zero-weights", "the weights of all prompts are zero");
        let help = "give at least one prompt a weight above zero";
        problems.push(problem.at(last.span.clone(), "").help(help));
        return;
    }
    for weight in zeros() {
        let problem = Diagnostic::warning("never-chosen", "a prompt of weight 0 is never chosen");
        let help = "give it a weight, or take it out";
        problems.push(problem.at(weight.span.clone(), "").help(help));
    }
}

/// What became of one prompt.
struct Class {
    /// Its weight, if that could be read.
    weight: Option<Placed<f64>>,
    /// Its model, if that could be found.
    model: Option<usize>,
    /// The prompt, if all of it could be read.
    prompt: Option<Prompt>,
}

fn prompt(
    raw: Placed<RawPrompt>,
    around: &Surroundings<'_>,
    names: &mut BTreeMap<String, Range<usize>>,
    problems: &mut Problems,
) -> Class {
    let Placed {
        span,
        value: mut raw,
    } = raw;
    let name = name(&mut raw, &span, names, problems);
    let weight = weight(&mut raw, &span, problems);
    let index = model_index(&mut raw, &span, around, problems);
    let candidate = index.and_then(|index| around.models[index].model.as_ref());
    let lengths = lengths(&mut raw, &span, around, problems);
    let unset = raw.max_tokens.is_none();
    let max_tokens = problems.read(raw.max_tokens.take());
    problems.above_zero("max_tokens", max_tokens.as_ref());
    let priority = priority(&mut raw, &span, around, problems);
    let sampling = sampling(&mut raw, candidate, problems);
    let stop = problems.list(raw.stop.take());
    let output = raw
        .output_tokens
        .take()
        .map(|raw| distribution(raw, problems));
    // A `max_tokens` that could not be read reserves nobody knows what.
    let candidate = candidate.filter(|_| unset || max_tokens.is_some());
    let reserved = candidate.and_then(|model| {
        let place = max_tokens.as_ref().map_or(&span, |placed| &placed.span);
        let reserved = reserve(model, max_tokens.as_ref(), &span, &lengths, problems)?;
        let label = name.as_ref().map_or("?", |name| name.value.as_str());
        fits(label, place, model, reserved, &lengths, around, problems);
        Some(reserved)
    });
    let share = weight.as_ref().map(|weight| weight.value);
    let prompt = || {
        let reserved = reserved?;
        Some(Prompt {
            name: name?.value,
            weight: share?,
            model: ModelIndex(u16::try_from(index?).ok()?),
            text: lengths.text?,
            system: lengths.system,
            input: lengths.input?,
            output: match output {
                Some(distribution) => Some(distribution?.value),
                None if around.recorded => None,
                None => Some(Distribution::Constant(USUAL_OUTPUT.min(reserved.0))),
            },
            max_tokens: max_tokens.map(|tokens| Tokens(tokens.value)),
            reserved_output: reserved,
            priority: priority?,
            temperature: sampling.0.map(|value| value as f32),
            top_p: sampling.1.map(|value| value as f32),
            stop,
        })
    };
    Class {
        weight,
        model: index,
        prompt: prompt(),
    }
}

fn name(
    raw: &mut RawPrompt,
    span: &Range<usize>,
    names: &mut BTreeMap<String, Range<usize>>,
    problems: &mut Problems,
) -> Option<Placed<String>> {
    let name = problems.require(raw.name.take(), "name", span, "`name`, for the reports")?;
    problems.name(&name);
    if let Some(first) = names.get(&name.value) {
        let title = format!("two prompts have the name `{}`", shortened(&name.value));
        problems.push(
            Diagnostic::error("duplicate-name", title)
                .at(name.span.clone(), "the second one")
                .context(first.clone(), "the first one")
                .help("give each prompt a name of its own"),
        );
    } else {
        names.insert(name.value.clone(), name.span.clone());
    }
    Some(name)
}

fn weight(
    raw: &mut RawPrompt,
    span: &Range<usize>,
    problems: &mut Problems,
) -> Option<Placed<f64>> {
    let Some(field) = raw.weight.take() else {
        return Some(Placed::new(span.clone(), 1.0));
    };
    let weight = problems.read(Some(field))?;
    if weight.value < 0.0 {
        let problem = Diagnostic::error("negative-weight", "`weight` is negative");
        problems.push(problem.at(weight.span, "").help("write zero or more"));
        return None;
    }
    Some(weight)
}

fn model_index(
    raw: &mut RawPrompt,
    span: &Range<usize>,
    around: &Surroundings<'_>,
    problems: &mut Problems,
) -> Option<usize> {
    let names = || around.models.iter().map(|model| model.name.as_str());
    let Some(field) = raw.model.take() else {
        if around.models.len() > 1 {
            problems.missing(
                "model",
                Some(span),
                "`model`, since there are several to choose from",
            );
        }
        return (around.models.len() == 1).then_some(0);
    };
    let model = problems.read(Some(field))?;
    let found = names().position(|name| name == model.value);
    if found.is_none() {
        let title = format!("there is no model `{}` here", shortened(&model.value));
        let help = did_you_mean(&model.value, names());
        let problem = Diagnostic::error("unknown-model-name", title);
        problems.push(problem.at(model.span, "named here").help(help));
    }
    found
}

/// The class of priority: the place of its name among the limiter's.
fn priority(
    raw: &mut RawPrompt,
    span: &Range<usize>,
    around: &Surroundings<'_>,
    problems: &mut Problems,
) -> Option<u8> {
    let Some(limiter) = around.limiter else {
        // Without a limiter nobody waits, and what is written here may wait for one.
        problems.read(raw.priority.take());
        return Some(0);
    };
    let names = || limiter.priorities.iter().map(String::as_str);
    let Some(field) = raw.priority.take() else {
        if limiter.priorities.is_empty() {
            return Some(0);
        }
        let help = format!("`priority`, one of {}", listed(names()));
        problems.missing("priority", Some(span), &help);
        return None;
    };
    let priority = problems.read(Some(field))?;
    let found = names().position(|name| name == priority.value);
    if found.is_none() {
        let title = format!(
            "the limiter has no class of priority `{}`",
            shortened(&priority.value)
        );
        let help = if limiter.priorities.is_empty() {
            "add it to `[limiter.priorities]` with its weight, or take it out".to_owned()
        } else {
            did_you_mean(&priority.value, names())
        };
        let problem = Diagnostic::error("unknown-priority", title);
        problems.push(problem.at(priority.span, "named here").help(help));
    }
    found.and_then(|place| u8::try_from(place).ok())
}

type Sampling = (Option<f64>, Option<f64>);

fn sampling(
    raw: &mut RawPrompt,
    model: Option<&ScenarioModel>,
    problems: &mut Problems,
) -> Sampling {
    let temperature = problems.read(raw.temperature.take());
    let top_p = problems.read(raw.top_p.take());
    for (key, field) in [("temperature", &temperature), ("top_p", &top_p)] {
        if let Some(field) = field
            .as_ref()
            .filter(|field| !(0.0..=1.0).contains(&field.value))
        {
            let problem = Diagnostic::error("out-of-range", format!("`{key}` is not from 0 to 1"));
            problems.push(
                problem
                    .at(field.span.clone(), "")
                    .help("write a number from 0 to 1"),
            );
        }
    }
    if let (Some(temperature), Some(top_p), Some(model)) = (&temperature, &top_p, model)
        && claude_version(&model.facts.id).is_some_and(|version| version >= (4, 5))
    {
        let title = format!(
            "`{}` takes `temperature` or `top_p`, not both",
            model.facts.name
        );
        problems.push(
            Diagnostic::warning("temperature-and-top-p", title)
                .at(top_p.span.clone(), "the second one")
                .context(temperature.span.clone(), "the first one")
                .help("keep one of them"),
        );
    }
    (
        temperature.map(|field| field.value),
        top_p.map(|field| field.value),
    )
}

/// The version in the id of a Claude model: 4.5 of `anthropic.claude-sonnet-4-5-20250929-v1:0`.
fn claude_version(id: &str) -> Option<(u32, u32)> {
    let (_, name) = id.split_once("claude-")?;
    // Dates have eight digits, versions one or two.
    let mut numbers = name
        .split(['-', '.'])
        .filter(|part| part.len() <= 2)
        .filter_map(|part| part.parse::<u32>().ok());
    Some((numbers.next()?, numbers.next().unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_claude() {
        assert_eq!(
            claude_version("anthropic.claude-sonnet-4-5-20250929-v1:0"),
            Some((4, 5))
        );
        assert_eq!(
            claude_version("anthropic.claude-3-5-haiku-20241022-v1:0"),
            Some((3, 5))
        );
        assert_eq!(
            claude_version("anthropic.claude-sonnet-4-20250514-v1:0"),
            Some((4, 0))
        );
        assert_eq!(claude_version("anthropic.claude-opus-5"), Some((5, 0)));
        assert_eq!(claude_version("anthropic.claude-v2:1"), None);
        assert_eq!(claude_version("amazon.nova-lite-v1:0"), None);
    }
}
