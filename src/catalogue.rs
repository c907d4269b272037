//! What is known about each model: dated facts as data, with a source on each row.
//!
//! Promises: a fact that is not known is absent, never guessed. An unknown model is [`None`], not a
//! model with a burndown of 1, and a scope without a known price has none, not another scope's.
//!
//! Deliberately not: an account's quotas. Those that AWS publishes are here ([`QuotaLine`]), with the
//! codes by which one asks for more; what an account really has, a scenario states.
//!
//! The facts are in `catalogue/models.toml` and `catalogue/quotas.csv`. They age: burndown rates
//! changed twice in 18 months, which is why every row has its date, and why a file of the user's can
//! correct or add rows ([`Catalogue::with`]).

mod family;
mod file;
mod matching;
mod model_id;
mod quota_line;

use std::collections::BTreeMap;
use std::sync::LazyLock;

pub use self::family::Family;
pub use self::file::CatalogueError;
pub use self::matching::{AccountQuota, ListedQuota, Matched, match_quotas};
use self::model_id::ModelId;
pub use self::model_id::Scope;
pub use self::quota_line::{QuotaLine, QuotaScope};
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
    /// The quotas of it that AWS publishes, in every scope; not what an account has.
    pub quotas: Vec<QuotaLine>,
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
            quotas: Vec::new(),
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

/// A set of rows: those that are shipped, or those with a user's own on top.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Catalogue {
    entries: Vec<Entry>,
}

impl Catalogue {
    /// The rows that are part of the program.
    #[must_use]
    pub fn shipped() -> &'static Self {
        &SHIPPED
    }

    /// These rows, corrected and added to by the TOML of a user's file: `[[model]]` tables as in
    /// `models.toml`. One whose `id` is known needs only what differs; a new one needs all.
    ///
    /// # Errors
    ///
    /// If the text is no such TOML, or a new model lacks a fact.
    pub fn with(&self, text: &str) -> Result<Self, CatalogueError> {
        let mut entries = self.entries.clone();
        file::correct(&mut entries, text)?;
        Ok(Self { entries })
    }

    /// Every row, in the order of the file.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The model that `id` names, with the price of the scope in which `id` calls it.
    ///
    /// `id` is what a request carries: a foundation model's id, an inference profile's id, or the ARN
    /// of either. None if the model is not in the catalogue, or if only the account could tell which
    /// it is (application inference profiles, provisioned throughput).
    #[must_use]
    pub fn find(&self, id: &str) -> Option<Model> {
        let ModelId { foundation, scope } = ModelId::parse(id)?;
        let entry = self.entry(foundation)?;
        Some(Model {
            price: entry.prices.get(&scope).copied(),
            ..entry.model.clone()
        })
    }

    /// The row of a foundation model.
    #[must_use]
    pub fn entry(&self, foundation: &str) -> Option<&Entry> {
        let mut entries = self.entries.iter();
        entries.find(|entry| entry.model.id == foundation)
    }

    /// The foundation model's id that looks most like `id`, for "did you mean"; none if none is near.
    #[must_use]
    pub fn closest(&self, id: &str) -> Option<&str> {
        let meant = ModelId::parse(id)?.foundation.to_lowercase();
        let ids = || self.entries.iter().map(|entry| entry.model.id.as_str());
        // An id without its date or version is nearer to the whole id than edit distance says.
        let begun =
            ids().filter(|known| meant.len() >= SHORTEST_FRAGMENT && known.contains(&meant));
        begun.min_by_key(|known| known.len()).or_else(|| {
            ids()
                .map(|known| (likeness(&meant, known), known))
                .filter(|(likeness, _)| *likeness >= LEAST_LIKENESS)
                .max_by(|(left, _), (right, _)| left.total_cmp(right))
                .map(|(_, known)| known)
        })
    }
}

/// How much two ids look alike, from 0 to 1. What the longer one has at its end, a date or a version,
/// counts little: else a wrong version would lead to whichever model has the shortest id.
fn likeness(meant: &str, known: &str) -> f64 {
    let whole = strsim::normalized_damerau_levenshtein(meant, known);
    let Some(begun) = known
        .get(..meant.len())
        .filter(|cut| cut.len() >= SHORTEST_FRAGMENT)
    else {
        return whole;
    };
    whole.max(strsim::normalized_damerau_levenshtein(meant, begun) - VERSION_PENALTY)
}

/// [`Catalogue::find`] among the shipped rows.
#[must_use]
pub fn find(id: &str) -> Option<Model> {
    SHIPPED.find(id)
}

/// [`Catalogue::closest`] among the shipped rows.
#[must_use]
pub fn closest(id: &str) -> Option<&'static str> {
    Catalogue::shipped().closest(id)
}

/// The scope in which `id` is called; none where only the account could tell.
#[must_use]
pub fn scope(id: &str) -> Option<Scope> {
    ModelId::parse(id).map(|parsed| parsed.scope)
}

/// Every shipped row, in the order of the file.
#[must_use]
pub fn all() -> &'static [Entry] {
    SHIPPED.entries()
}

/// Fragments shorter than this are part of too many ids to mean one.
const SHORTEST_FRAGMENT: usize = 6;

/// Below this, another id is more of a surprise than a help.
const LEAST_LIKENESS: f64 = 0.6;

/// What it counts against an id that it goes on after what was meant.
const VERSION_PENALTY: f64 = 0.02;

static SHIPPED: LazyLock<Catalogue> = LazyLock::new(|| Catalogue {
    entries: file::shipped(),
});

#[cfg(test)]
mod tests;
