//! The catalogue's files → rows: those that are shipped, and a user's own.
//!
//! Promises: a new model states all its facts; what a user's file says of a known one takes the place
//! of what is shipped, and the rest stays.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{Entry, Family, Model, QuotaLine, QuotaScope, Scope};
use crate::price::Price;
use crate::quota::Dimension;
use crate::units::Tokens;

/// Why a user's catalogue cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CatalogueError {
    /// It is not what it should be; the text has the line.
    #[error("{0}")]
    Malformed(#[from] toml::de::Error),
    /// A new model is not described in full.
    #[error("`{id}` is not among the shipped models, so its row needs {missing} as well")]
    Incomplete {
        /// The model.
        id: String,
        /// The keys that are missing.
        missing: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    model: Vec<Row>,
}

/// A row as it stands in a file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    id: String,
    name: Option<String>,
    family: Option<Family>,
    burndown: Option<u32>,
    context: Option<u64>,
    max_output: Option<u64>,
    profile_only: Option<bool>,
    retired: Option<bool>,
    end_of_life: Option<String>,
    as_of: Option<String>,
    source: Option<String>,
    #[serde(default)]
    price: BTreeMap<Scope, Dollars>,
    quota: Option<Vec<QuotaLine>>,
}

/// US dollars for a million tokens, as price lists print them.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Dollars {
    input: f64,
    output: f64,
    cache_read: Option<f64>,
    cache_write: Option<f64>,
}

impl From<Dollars> for Price {
    /// Without a price of their own, cached tokens cost as much as other input.
    fn from(dollars: Dollars) -> Self {
        let micro = |dollars: f64| (dollars * 1e6).round() as u64;
        Self {
            input: micro(dollars.input),
            output: micro(dollars.output),
            cache_read: micro(dollars.cache_read.unwrap_or(dollars.input)),
            cache_write: micro(dollars.cache_write.unwrap_or(dollars.input)),
        }
    }
}

/// The rows that are part of the program.
pub(super) fn shipped() -> Vec<Entry> {
    let mut entries = Vec::new();
    correct(&mut entries, include_str!("models.toml"))
        .expect("catalogue/models.toml is part of the program and a test parses it");
    let mut reader = csv::ReaderBuilder::new()
        .comment(Some(b'#'))
        .from_reader(include_str!("quotas.csv").as_bytes());
    for line in reader.deserialize() {
        let Published { model, line } =
            line.expect("catalogue/quotas.csv is part of the program and a test parses it");
        let entry = entries.iter_mut().find(|entry| entry.model.id == model);
        let entry =
            entry.unwrap_or_else(|| panic!("quotas.csv names `{model}`, models.toml does not"));
        entry.model.quotas.push(line);
    }
    entries
}

/// A row of `quotas.csv`.
struct Published {
    model: String,
    line: QuotaLine,
}

impl<'de> Deserialize<'de> for Published {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        // csv knows no flattened structs that keep their numbers.
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Columns {
            model: String,
            scope: QuotaScope,
            dimension: Dimension,
            code: Option<String>,
            default: Option<u64>,
            name: String,
            note: Option<String>,
            as_of: String,
            source: String,
        }
        let row = Columns::deserialize(from)?;
        Ok(Self {
            model: row.model,
            line: QuotaLine {
                scope: row.scope,
                dimension: row.dimension,
                code: row.code,
                default: row.default,
                name: row.name,
                note: row.note,
                as_of: row.as_of,
                source: row.source,
            },
        })
    }
}

/// Puts the rows of `text` into `entries`: in the place of what they correct, or at the end.
pub(super) fn correct(entries: &mut Vec<Entry>, text: &str) -> Result<(), CatalogueError> {
    let file: File = toml::from_str(text)?;
    for row in file.model {
        match entries.iter_mut().find(|entry| entry.model.id == row.id) {
            Some(entry) => row.correct(entry),
            None => entries.push(row.into_entry()?),
        }
    }
    Ok(())
}

impl Row {
    fn into_entry(self) -> Result<Entry, CatalogueError> {
        let given = [
            ("name", self.name.is_some()),
            ("family", self.family.is_some()),
            ("burndown", self.burndown.is_some()),
            ("context", self.context.is_some()),
            ("max_output", self.max_output.is_some()),
        ];
        let (Some(name), Some(family), Some(burndown), Some(context), Some(max_output)) = (
            &self.name,
            self.family,
            self.burndown,
            self.context,
            self.max_output,
        ) else {
            let missing = given.iter().filter(|(_, given)| !given);
            let missing: Vec<String> = missing.map(|(key, _)| format!("`{key}`")).collect();
            return Err(CatalogueError::Incomplete {
                id: self.id,
                missing: missing.join(", "),
            });
        };
        let mut model = Model::stated(
            &self.id,
            family,
            burndown,
            Tokens(context),
            Tokens(max_output),
        );
        model.name.clone_from(name);
        let mut entry = Entry {
            model,
            prices: BTreeMap::new(),
        };
        self.correct(&mut entry);
        Ok(entry)
    }

    fn correct(self, entry: &mut Entry) {
        let model = &mut entry.model;
        let set = |known: &mut String, given: Option<String>| {
            if let Some(given) = given {
                *known = given;
            }
        };
        set(&mut model.name, self.name);
        set(&mut model.as_of, self.as_of);
        set(&mut model.source, self.source);
        model.family = self.family.unwrap_or(model.family);
        model.burndown = self.burndown.unwrap_or(model.burndown);
        model.context = self.context.map_or(model.context, Tokens);
        model.max_output = self.max_output.map_or(model.max_output, Tokens);
        model.profile_only = self.profile_only.unwrap_or(model.profile_only);
        model.retired = self.retired.unwrap_or(model.retired);
        model.end_of_life = self.end_of_life.or_else(|| model.end_of_life.take());
        if let Some(quotas) = self.quota {
            model.quotas = quotas;
        }
        let prices = self.price.into_iter();
        entry
            .prices
            .extend(prices.map(|(scope, dollars)| (scope, dollars.into())));
        entry.model.price = entry.prices.get(&Scope::Base).copied();
    }
}
