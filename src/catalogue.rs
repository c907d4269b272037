//! What is known about each model: dated facts as data, with a source on each row.
//!
//! Promises: a fact that is not known is absent, never guessed. An unknown model is [`None`], not a
//! model with a burndown of 1, and a scope without a known price has none, not another scope's.
//!
//! Deliberately not: quotas. They belong to an account; a scenario states them.
//!
//! The facts are in `catalogue/models.toml`. They age: burndown rates changed twice in 18 months,
//! which is why every row has its date and a scenario may override what it needs.

mod family;
mod model_id;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;

pub use self::family::Family;
use self::model_id::ModelId;
pub use self::model_id::Scope;
use crate::price::Price;
use crate::units::Tokens;

/// One model, as `bedload` knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Model {
    /// The foundation model's id, without a Region prefix.
    pub id: String,
    /// Its name as people say it.
    pub name: String,
    /// The shape of its `InvokeModel` bodies.
    pub family: Family,
    /// How many tokens of quota one output token costs.
    pub burndown: u32,
    /// The largest context, in tokens.
    pub context: Tokens,
    /// The largest `max_tokens`; what is reserved where `Converse` leaves it unset.
    pub max_output: Tokens,
    /// On-demand price of the id as asked for (profiles differ), where known.
    pub price: Option<Price>,
    /// Whether it can be called only through an inference profile.
    pub profile_only: bool,
    /// Whether AWS lists it as Legacy (closed to new customers) or End-of-Life (gone).
    pub retired: bool,
    /// The day of its end of life, as `YYYY-MM-DD`, where one is known.
    pub end_of_life: Option<String>,
    /// The day on which these facts were looked up, as `YYYY-MM-DD`.
    pub as_of: String,
    /// Where these facts are from.
    pub source: String,
}

impl Model {
    /// A model that the catalogue does not know, by the facts that somebody states: the shape of its
    /// `InvokeModel` bodies, what one output token costs of a quota, the largest context and the
    /// largest `max_tokens`. Its price is not known.
    #[must_use]
    pub fn stated(
        id: &str,
        family: Family,
        burndown: u32,
        context: Tokens,
        max_output: Tokens,
    ) -> Self {
        Self {
            id: id.to_owned(),
            name: id.to_owned(),
            family,
            burndown,
            context,
            max_output,
            price: None,
            profile_only: false,
            retired: false,
            end_of_life: None,
            as_of: String::new(),
            source: "stated".to_owned(),
        }
    }
}

/// One row of the catalogue: a model in every scope in which it can be called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The model; its price is that of the plain id.
    pub model: Model,
    /// The prices that are known, by scope.
    pub prices: BTreeMap<Scope, Price>,
}

/// The model that `id` names, with the price of the scope in which `id` calls it.
///
/// `id` is what a request carries: a foundation model's id, an inference profile's id, or the ARN of
/// either. None if the model is not in the catalogue, or if only the account could tell which it is
/// (application inference profiles, provisioned throughput).
#[must_use]
pub fn find(id: &str) -> Option<Model> {
    let ModelId { foundation, scope } = ModelId::parse(id)?;
    let entry = all().iter().find(|entry| entry.model.id == foundation)?;
    Some(Model {
        price: entry.prices.get(&scope).copied(),
        ..entry.model.clone()
    })
}

/// The foundation model's id that looks most like `id`, for "did you mean"; none if none is near.
#[must_use]
pub fn closest(id: &str) -> Option<&'static str> {
    let meant = ModelId::parse(id)?.foundation.to_lowercase();
    let ids = || all().iter().map(|entry| entry.model.id.as_str());
    // An id without its date or version is nearer to the whole id than edit distance says.
    let begun = ids().filter(|known| meant.len() >= SHORTEST_FRAGMENT && known.contains(&meant));
    begun.min_by_key(|known| known.len()).or_else(|| {
        ids()
            .map(|known| (strsim::normalized_damerau_levenshtein(&meant, known), known))
            .filter(|(likeness, _)| *likeness >= LEAST_LIKENESS)
            .max_by(|(left, _), (right, _)| left.total_cmp(right))
            .map(|(_, known)| known)
    })
}

/// Every row, in the order of the file.
#[must_use]
pub fn all() -> &'static [Entry] {
    &CATALOGUE
}

/// Fragments shorter than this are part of too many ids to mean one.
const SHORTEST_FRAGMENT: usize = 6;

/// Below this, another id is more of a surprise than a help.
const LEAST_LIKENESS: f64 = 0.6;

static CATALOGUE: LazyLock<Vec<Entry>> = LazyLock::new(|| {
    let file: File = toml::from_str(include_str!("catalogue/models.toml"))
        .expect("catalogue/models.toml is part of the program and a test parses it");
    file.model.into_iter().map(Entry::from).collect()
});

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    model: Vec<Row>,
}

/// A row as it stands in the file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    id: String,
    name: String,
    family: Family,
    burndown: u32,
    context: u64,
    max_output: u64,
    #[serde(default)]
    profile_only: bool,
    #[serde(default)]
    retired: bool,
    end_of_life: Option<String>,
    as_of: String,
    source: String,
    #[serde(default)]
    price: BTreeMap<Scope, Dollars>,
}

impl From<Row> for Entry {
    fn from(row: Row) -> Self {
        let prices: BTreeMap<Scope, Price> = row
            .price
            .into_iter()
            .map(|(scope, dollars)| (scope, dollars.into()))
            .collect();
        let model = Model {
            id: row.id,
            name: row.name,
            family: row.family,
            burndown: row.burndown,
            context: Tokens(row.context),
            max_output: Tokens(row.max_output),
            price: prices.get(&Scope::Base).copied(),
            profile_only: row.profile_only,
            retired: row.retired,
            end_of_life: row.end_of_life,
            as_of: row.as_of,
            source: row.source,
        };
        Self { model, prices }
    }
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

#[cfg(test)]
mod tests;
