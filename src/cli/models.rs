//! `models`: what is known about models, and how old that knowledge is.

use std::borrow::Cow;
use std::path::Path;

use bedload::catalogue::{Catalogue, Entry};
use bedload::clock::Clock;
use bedload::report::{self, Style};
use bedload::scenario::read_text;
use serde_json::json;

use super::args::{Format, Models};
use super::exit::{BadInput, Exit};
use super::output;

/// `bedload models`.
pub fn models(args: &Models) -> anyhow::Result<Exit> {
    let catalogue = catalogue(args.catalogue.as_deref())?;
    let shown = match &args.name {
        Some(name) => named(&catalogue, name)?,
        None => catalogue.entries().iter().collect(),
    };
    if args.format == Format::Json {
        let rows: Vec<_> = shown.iter().map(|entry| as_json(entry)).collect();
        return output::print(&format!("{:#}\n", json!(rows)));
    }
    let today = Clock::start().started().to_string();
    let today = today.get(..10).unwrap_or_default();
    let style = Style::new(output::color());
    output::print(&if args.name.is_some() && shown.len() <= FULLY_SHOWN {
        let pages = shown.iter().map(|entry| report::model(entry, style));
        pages.collect::<Vec<_>>().join("\n") + &report::model_ages(&shown, today)
    } else {
        report::models(&shown, style) + &report::model_ages(&shown, today)
    })
}

/// More matches than this are listed, not described.
const FULLY_SHOWN: usize = 3;

/// What is shipped, with a user's file on top.
fn catalogue(path: Option<&Path>) -> anyhow::Result<Cow<'static, Catalogue>> {
    let shipped = Catalogue::shipped();
    let Some(path) = path else {
        return Ok(Cow::Borrowed(shipped));
    };
    let corrected = shipped.with(&read_text(path)?);
    let corrected = corrected.map_err(|error| BadInput(format!("{}: {error}", path.display())))?;
    Ok(Cow::Owned(corrected))
}

/// The row that `name` is the id of, or else those that have it in their id or name.
fn named<'a>(catalogue: &'a Catalogue, name: &str) -> Result<Vec<&'a Entry>, BadInput> {
    if let Some(entry) = catalogue
        .find(name)
        .and_then(|found| catalogue.entry(&found.id))
    {
        return Ok(vec![entry]);
    }
    let wanted = name.to_lowercase();
    let has = |text: &str| text.to_lowercase().contains(&wanted);
    let entries = catalogue.entries().iter();
    let found: Vec<&Entry> = entries
        .filter(|entry| has(&entry.model.id) || has(&entry.model.name))
        .collect();
    if found.is_empty() {
        let near = catalogue.closest(name);
        let near = near.map(|id| format!("; did you mean `{id}`?"));
        let near = near.unwrap_or_else(|| "; `bedload models` lists all".to_owned());
        return Err(BadInput(format!("no model is known as `{name}`{near}")));
    }
    Ok(found)
}

fn as_json(entry: &Entry) -> serde_json::Value {
    let model = &entry.model;
    let prices: serde_json::Map<_, _> = entry
        .prices
        .iter()
        .map(|(scope, price)| (scope.name().to_owned(), json!(price)))
        .collect();
    json!({
        "id": model.id,
        "name": model.name,
        "family": model.family,
        "burndown": model.burndown,
        "context": model.context,
        "max_output": model.max_output,
        "profile_only": model.profile_only,
        "retired": model.retired,
        "end_of_life": model.end_of_life,
        "micro_dollars_per_million_tokens": prices,
        "quotas": model.quotas,
        "as_of": model.as_of,
        "source": model.source,
    })
}
