//! A scenario as it was typed: the file, with what the command line changes in it.
//!
//! Changes are made to the text before it is read, so that the copy in the folder of results is what
//! was run, and a mistake in a change is found like a mistake in the file.

use bedload::scenario::{Scenario, read_text};
use toml_edit::{DocumentMut, Item, Table, Value};

use super::args::{ScenarioArgs, TargetName};
use super::drawing;
use super::exit::BadInput;

/// Reads and checks the scenario; none if it has problems, which have then been printed.
pub fn load(args: &ScenarioArgs, target: Option<TargetName>) -> anyhow::Result<Option<Scenario>> {
    let path = &args.scenario;
    let loaded = match read_text(path) {
        Ok(text) => Scenario::parse_as(path, changed(&text, args, target)?),
        Err(error) => Err(error),
    };
    drawing::accept(&path.display().to_string(), loaded)
}

/// As [`load`], with more changes after those of `args`, and without a word about what is only worth
/// a warning.
pub fn load_variant(
    args: &ScenarioArgs,
    target: TargetName,
    changes: impl IntoIterator<Item = String>,
) -> anyhow::Result<Option<Scenario>> {
    let path = &args.scenario;
    let mut args = args.clone();
    args.set.extend(changes);
    let loaded = match read_text(path) {
        Ok(text) => Scenario::parse_as(path, changed(&text, &args, Some(target))?),
        Err(error) => Err(error),
    };
    drawing::accept_quietly(&path.display().to_string(), loaded)
}

/// The text with the changes made; unchanged where it is no TOML, so that reading it says why.
fn changed(
    text: &str,
    args: &ScenarioArgs,
    target: Option<TargetName>,
) -> Result<String, BadInput> {
    if args.set.is_empty() && args.seed.is_none() && args.duration.is_none() && target.is_none() {
        return Ok(text.to_owned());
    }
    let Ok(mut document) = text.parse::<DocumentMut>() else {
        return Ok(text.to_owned());
    };
    for change in &args.set {
        let Some((key, value)) = change.split_once('=') else {
            let help =
                format!("`--set {change}` needs the form KEY=VALUE, such as limiter.burst=5s");
            return Err(BadInput(help));
        };
        set(&mut document, key.trim(), parse_value(value.trim()))?;
    }
    if let Some(seed) = args.seed {
        let seed = i64::try_from(seed)
            .map_err(|_| BadInput(format!("`--seed {seed}` is above {}", i64::MAX)))?;
        set(&mut document, "seed", seed.into())?;
    }
    if let Some(duration) = &args.duration {
        set(&mut document, "run.duration", duration.as_str().into())?;
    }
    if let Some(target) = target {
        retarget(&mut document, target);
    }
    Ok(document.to_string())
}

/// A value as TOML if it is TOML, else as text: `5`, `true` and `"5s"` are, `5s` is not.
fn parse_value(text: &str) -> Value {
    text.parse().unwrap_or_else(|_| text.into())
}

fn set(document: &mut DocumentMut, key: &str, value: Value) -> Result<(), BadInput> {
    let mut parts: Vec<&str> = key.split('.').collect();
    let Some(last) = parts.pop().filter(|last| !last.is_empty()) else {
        return Err(BadInput(format!("`--set {key}` names no key")));
    };
    let mut table: &mut dyn toml_edit::TableLike = document.as_table_mut();
    for part in parts {
        let entry = table
            .entry(part)
            .or_insert_with(|| Item::Table(Table::new()));
        table = entry
            .as_table_like_mut()
            .ok_or_else(|| BadInput(format!("`--set {key}`: `{part}` is not a table")))?;
    }
    table.insert(last, Item::Value(value));
    Ok(())
}

/// Puts `target` in the place of the scenario's; its settings are kept if it is the same.
fn retarget(document: &mut DocumentMut, target: TargetName) {
    let name = match target {
        TargetName::Stub => "stub",
        TargetName::Bedrock => "bedrock",
        TargetName::Sim => "sim",
    };
    let old = document.get("target").and_then(Item::as_table_like);
    if old.is_some_and(|old| old.len() > 1) {
        // A mistake of the file's own: left for the reader to find.
        return;
    }
    let kept = old
        .and_then(|old| old.get(name))
        .cloned()
        .unwrap_or_else(|| Item::Table(Table::new()));
    let mut table = Table::new();
    table.set_implicit(true);
    table.insert(name, kept);
    document.insert("target", Item::Table(table));
}
