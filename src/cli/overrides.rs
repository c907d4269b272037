//! A scenario as it was typed: the file, with what the command line changes in it.
//!
//! Changes are made to the text before it is read, so that the copy in the folder of results is what
//! was run, and a mistake in a change is found like a mistake in the file.

use bedload::scenario::{Scenario, UNSET, read_text};
use toml_edit::{DocumentMut, Item, Table, TableLike, Value};

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
pub fn changed(
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
        apply(&mut document, key.trim(), value.trim())?;
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

/// Sets a key to what was typed; the bare word `unset` takes it out. What is TOML is taken as TOML, and else as
/// text: `5`, `true` and `"5s"` are, `5s` is not.
pub fn apply(document: &mut DocumentMut, key: &str, typed: &str) -> Result<(), BadInput> {
    if typed == UNSET {
        let parts: Vec<&str> = key.split('.').collect();
        take_out(document.as_table_mut(), &parts);
        return Ok(());
    }
    set(
        document,
        key,
        typed.parse().unwrap_or_else(|_| typed.into()),
    )
}

/// The value of a key as it would be typed; none where it is not a value or not there.
pub fn get(document: &DocumentMut, key: &str) -> Option<String> {
    let mut document = document.clone();
    let mut parts: Vec<&str> = key.split('.').collect();
    let last = parts.pop()?;
    let mut table: &mut dyn TableLike = document.as_table_mut();
    let mut parts = parts.into_iter();
    while let Some(part) = parts.next() {
        let entry = table.get_mut(part)?;
        table = if entry.is_array_of_tables() || entry.is_array() {
            named(entry, parts.next()?)?
        } else {
            entry.as_table_like_mut()?
        };
    }
    let value = table.get(last)?.as_value()?;
    Some(match value.as_str() {
        Some(text) => text.to_owned(),
        None => value.clone().decorated("", "").to_string(),
    })
}

/// Takes a key out, and the tables that it leaves empty.
fn take_out(table: &mut dyn TableLike, parts: &[&str]) {
    match parts {
        [] => {}
        [last] => {
            table.remove(last);
        }
        [part, rest @ ..] => {
            let Some(inner) = table.get_mut(part) else {
                return;
            };
            if inner.is_array_of_tables() || inner.is_array() {
                if let Some(inner) = named(inner, rest[0]) {
                    take_out(inner, &rest[1..]);
                }
                return;
            }
            let Some(inner) = inner.as_table_like_mut() else {
                return;
            };
            take_out(inner, rest);
            if inner.is_empty() {
                table.remove(part);
            }
        }
    }
}

/// Sets a key. In `prompt.NAME.key`, as in every list of tables, a table is found by its `name`.
fn set(document: &mut DocumentMut, key: &str, value: Value) -> Result<(), BadInput> {
    let mut parts: Vec<&str> = key.split('.').collect();
    let Some(last) = parts.pop().filter(|last| !last.is_empty()) else {
        return Err(BadInput(format!("`--set {key}` names no key")));
    };
    let mut table: &mut dyn TableLike = document.as_table_mut();
    let mut parts = parts.into_iter();
    while let Some(part) = parts.next() {
        let entry = table
            .entry(part)
            .or_insert_with(|| Item::Table(Table::new()));
        let is_list = entry.is_array_of_tables() || entry.is_array();
        table = if is_list {
            let name = parts.next().ok_or_else(|| {
                BadInput(format!(
                    "`--set {key}` names no key: `{part}` is a list, and `{part}.NAME.KEY` a key of one of its tables"
                ))
            })?;
            named(entry, name).ok_or_else(|| {
                BadInput(format!("`--set {key}`: no `{part}` has the name `{name}`"))
            })?
        } else {
            entry
                .as_table_like_mut()
                .ok_or_else(|| BadInput(format!("`--set {key}`: `{part}` is not a table")))?
        };
    }
    if let Some(Item::Value(old)) = table.get_mut(last) {
        // What stands about a value, such as a remark behind it, stays.
        let decor = old.decor().clone();
        *old = value;
        *old.decor_mut() = decor;
    } else {
        table.insert(last, Item::Value(value));
    }
    Ok(())
}

/// The table of a list that has this name.
fn named<'a>(list: &'a mut Item, name: &str) -> Option<&'a mut dyn TableLike> {
    let is_it = |table: &dyn TableLike| table.get("name").and_then(Item::as_str) == Some(name);
    match list {
        Item::ArrayOfTables(tables) => tables
            .iter_mut()
            .find(|table| is_it(*table))
            .map(|table| table as &mut dyn TableLike),
        Item::Value(Value::Array(values)) => values
            .iter_mut()
            .filter_map(Value::as_inline_table_mut)
            .find(|table| is_it(*table))
            .map(|table| table as &mut dyn TableLike),
        _ => None,
    }
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
