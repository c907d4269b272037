//! Finds the keys and tables of a document that do not belong, all of them, and takes them out.
//!
//! Promises: what is left deserializes, so that one misspelt key hides neither another nor a bad
//! value elsewhere. What belongs is read from the JSON schema, which is derived from `raw`: there
//! is no second list of keys.
//!
//! Deliberately not: values (`value`) and missing keys (`check`).

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::LazyLock;

use serde_json::Value;
use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

use super::diagnostic::Diagnostic;
use super::schema::scenario_schema;
use super::suggest::{closest, listed};
use super::value::shortened;

/// What may stand in a place.
#[derive(Clone, Debug, PartialEq)]
enum Shape {
    /// A table with these keys.
    Table(BTreeMap<String, Shape>),
    /// A table with exactly one of these keys.
    OneOf(BTreeMap<String, Shape>),
    /// A value, or a table with exactly one of these keys.
    ValueOrOneOf(BTreeMap<String, Shape>),
    /// A table whose keys are names.
    Named(Box<Shape>),
    /// A list.
    List(Box<Shape>),
    /// A value.
    Value,
}

static SCENARIO: LazyLock<Shape> = LazyLock::new(|| {
    let schema = scenario_schema();
    shape_of(&schema, &schema["$defs"])
});

/// What did not belong.
#[derive(Debug, Default)]
pub(super) struct Pruned {
    /// The problems, one for each key or table.
    pub problems: Vec<Diagnostic>,
    /// Keys that were taken out or that were probably meant: their absence is no second problem.
    pub excused: BTreeSet<String>,
}

/// Takes out of the document what does not belong into a scenario.
pub(super) fn prune(document: &mut DeTable<'_>) -> Pruned {
    let mut pruned = Pruned::default();
    prune_table(document, &SCENARIO, &Path::default(), 0..0, &mut pruned);
    pruned
}

/// The names of the tables and keys that lead to a place.
#[derive(Clone, Debug, Default)]
struct Path {
    names: Vec<String>,
    in_list: bool,
}

impl Path {
    fn join(&self, name: &str) -> Self {
        let mut names = self.names.clone();
        names.push(shortened(name));
        Self {
            names,
            in_list: false,
        }
    }

    fn item(&self) -> Self {
        Self {
            names: self.names.clone(),
            in_list: self.names.len() == 1,
        }
    }

    /// Where a key of this table stands, in words.
    fn place(&self) -> String {
        let path = self.names.join(".");
        match (self.names.is_empty(), self.in_list) {
            (true, _) => "at the top of the file".to_owned(),
            (_, true) => format!("in [[{path}]]"),
            _ => format!("in [{path}]"),
        }
    }
}

/// Prunes what stands at `path`; false if it has to go altogether.
fn prune_value(
    value: &mut Spanned<DeValue<'_>>,
    shape: &Shape,
    path: &Path,
    pruned: &mut Pruned,
) -> bool {
    let span = value.span();
    let kind = value.get_ref().type_str();
    match (shape, value.get_mut()) {
        (Shape::Value | Shape::ValueOrOneOf(_), found) if !found.is_table() => true,
        (Shape::Value, _) => true,
        (Shape::List(items), DeValue::Array(list)) => {
            let path = path.item();
            let mut kept = std::mem::replace(list, DeArray::new())
                .into_iter()
                .collect::<Vec<_>>();
            kept.retain_mut(|item| prune_value(item, items, &path, pruned));
            *list = kept.into_iter().collect();
            true
        }
        (Shape::List(items), found) => {
            let help = if found.is_table() && matches!(**items, Shape::Table(_)) {
                format!("write `[[{}]]` with two brackets", path.names.join("."))
            } else {
                "put it between brackets: `[…]`".to_owned()
            };
            let title = format!("`{}` must be a list, not {}", path.names.join("."), a(kind));
            pruned.problems.push(
                Diagnostic::error("wrong-type", title)
                    .at(span, "")
                    .help(help),
            );
            false
        }
        (_, DeValue::Table(table)) => prune_table(table, shape, path, span, pruned),
        _ => {
            let name = path.names.join(".");
            let title = format!("`{name}` must be a table, not {}", a(kind));
            pruned.problems.push(
                Diagnostic::error("wrong-type", title)
                    .at(span, "")
                    .help(example(&name, shape)),
            );
            false
        }
    }
}

fn prune_table(
    table: &mut DeTable<'_>,
    shape: &Shape,
    path: &Path,
    span: Range<usize>,
    pruned: &mut Pruned,
) -> bool {
    let keys = match shape {
        Shape::Table(keys) | Shape::OneOf(keys) | Shape::ValueOrOneOf(keys) => Some(keys),
        _ => None,
    };
    if let Some(keys) = keys {
        let unknown: Vec<Spanned<String>> = table
            .keys()
            .filter(|key| !keys.contains_key(key.get_ref().as_ref()))
            .map(|key| Spanned::new(key.span(), key.get_ref().to_string()))
            .collect();
        for key in unknown {
            pruned.unknown_key(&key, keys, path);
            table.remove(key.get_ref().as_str());
            if table.is_empty() && matches!(shape, Shape::OneOf(_) | Shape::ValueOrOneOf(_)) {
                return false;
            }
        }
    }
    // Emptied by what was wrong inside, a table of choices has nothing left to choose.
    let chosen = matches!(shape, Shape::OneOf(_) | Shape::ValueOrOneOf(_));
    if let Some(keys) = keys.filter(|_| chosen)
        && !choose_one(table, keys, path, span, pruned)
    {
        return false;
    }
    let mut wrong = Vec::new();
    for (key, value) in table.iter_mut() {
        let name = key.get_ref().as_ref();
        let inner = match shape {
            Shape::Named(inner) => Some(&**inner),
            _ => keys.and_then(|keys| keys.get(name)),
        };
        if inner.is_some_and(|inner| !prune_value(value, inner, &path.join(name), pruned)) {
            wrong.push(name.to_owned());
        }
    }
    for name in wrong {
        table.remove(name.as_str());
        pruned.excused.insert(name);
    }
    !(chosen && table.is_empty())
}

/// Keeps the first of several choices, and says that there are too many or none.
fn choose_one(
    table: &mut DeTable<'_>,
    keys: &BTreeMap<String, Shape>,
    path: &Path,
    span: Range<usize>,
    pruned: &mut Pruned,
) -> bool {
    let name = path.names.join(".");
    let choices = || listed(keys.keys().map(String::as_str));
    let mut found: Vec<Spanned<String>> = table
        .keys()
        .map(|key| Spanned::new(key.span(), key.get_ref().to_string()))
        .collect();
    found.sort_by_key(|key| key.span().start);
    let mut found = found.into_iter();
    let Some(first) = found.next() else {
        let title = format!("`{name}` names none of its kinds");
        let help = format!("give it one of {}", choices());
        pruned.problems.push(
            Diagnostic::error("missing-choice", title)
                .at(span, "")
                .help(help),
        );
        return false;
    };
    for other in found {
        let title = format!(
            "`{name}` is both `{}` and `{}`",
            first.get_ref(),
            other.get_ref()
        );
        pruned.problems.push(
            Diagnostic::error("several-choices", title)
                .at(other.span(), "one too many")
                .context(first.span(), "the first one")
                .help(format!("keep one of them; `{name}` takes exactly one")),
        );
        table.remove(other.get_ref().as_str());
    }
    true
}

impl Pruned {
    fn unknown_key(&mut self, key: &Spanned<String>, keys: &BTreeMap<String, Shape>, path: &Path) {
        let word = key.get_ref();
        let known = || keys.keys().map(String::as_str);
        let title = format!("unknown key `{}` {}", shortened(word), path.place());
        let near = closest(word, known());
        let help = if let Some(near) = near {
            self.excused.insert(near.to_owned());
            format!(
                "did you mean `{near}`? The keys here are {}",
                listed(known())
            )
        } else if let Some(table) = table_with(word) {
            format!(
                "`{word}` belongs in {table}; the keys here are {}",
                listed(known())
            )
        } else if keys.is_empty() {
            "this table takes no keys".to_owned()
        } else {
            format!("the keys here are {}", listed(known()))
        };
        self.problems.push(
            Diagnostic::error("unknown-key", title)
                .at(key.span(), "not known here")
                .help(help),
        );
    }
}

/// Where this key belongs, if it does in no more than two tables.
fn table_with(key: &str) -> Option<String> {
    let mut found = Vec::new();
    tables_with(key, &SCENARIO, &mut vec![], &mut found);
    (1..=2).contains(&found.len()).then(|| found.join(" or "))
}

fn tables_with(key: &str, shape: &Shape, path: &mut Vec<String>, found: &mut Vec<String>) {
    let mut visit = |name: &str, inner: &Shape| {
        path.push(name.to_owned());
        tables_with(key, inner, path, found);
        path.pop();
    };
    match shape {
        Shape::Table(keys) | Shape::OneOf(keys) | Shape::ValueOrOneOf(keys) => {
            for (name, inner) in keys {
                visit(name, inner);
            }
            if keys.contains_key(key) && !path.is_empty() {
                found.push(format!("`[{}]`", path.join(".")));
            }
        }
        Shape::Named(inner) => visit("NAME", inner),
        Shape::List(inner) => tables_with(key, inner, path, found),
        Shape::Value => {}
    }
}

fn a(kind: &str) -> String {
    let article = if kind.starts_with(['a', 'i']) {
        "an"
    } else {
        "a"
    };
    format!("{article} {kind}")
}

fn example(name: &str, shape: &Shape) -> String {
    match shape {
        Shape::OneOf(keys) => match keys.keys().next() {
            Some(key) => format!("write a table such as `[{name}.{key}]`"),
            None => format!("write `[{name}]`"),
        },
        Shape::Named(_) => format!("write `[{name}.NAME]`"),
        _ => format!("write `[{name}]` and its keys below it"),
    }
}

/// Reads a shape out of a JSON schema as `schemars` writes it.
fn shape_of(schema: &Value, definitions: &Value) -> Shape {
    if let Some(Value::String(reference)) = schema.get("$ref") {
        let name = reference.rsplit('/').next().unwrap_or_default();
        return shape_of(&definitions[name], definitions);
    }
    let inner = |schema: &Value| shape_of(schema, definitions);
    if let Some(Value::Array(choices)) = schema.get("anyOf") {
        let table = choices
            .iter()
            .map(inner)
            .find(|shape| matches!(shape, Shape::OneOf(_)));
        return match table {
            Some(Shape::OneOf(keys)) => Shape::ValueOrOneOf(keys),
            _ => Shape::Value,
        };
    }
    if let Some(Value::Array(choices)) = schema.get("oneOf") {
        return Shape::OneOf(
            choices
                .iter()
                .flat_map(|choice| properties(choice, definitions))
                .collect(),
        );
    }
    if schema.get("properties").is_some()
        || schema.get("additionalProperties") == Some(&Value::Bool(false))
    {
        return Shape::Table(properties(schema, definitions));
    }
    if let Some(named @ Value::Object(_)) = schema.get("additionalProperties") {
        return Shape::Named(Box::new(inner(named)));
    }
    match schema.get("items") {
        Some(items) => Shape::List(Box::new(inner(items))),
        None => Shape::Value,
    }
}

fn properties(schema: &Value, definitions: &Value) -> BTreeMap<String, Shape> {
    let Some(Value::Object(properties)) = schema.get("properties") else {
        return BTreeMap::new();
    };
    properties
        .iter()
        .map(|(name, schema)| (name.clone(), shape_of(schema, definitions)))
        .collect()
}
