//! What must be the same on both sides for a difference to mean something.

use std::fmt;

use super::pairs::Pairs;
use crate::results::RunFile;

/// Something that gives a run's numbers their meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// The version of `run.json`.
    Schema,
    /// The scenario's name.
    Name,
    /// The scenario's text, settings of the command line included.
    Digest,
    /// Where requests went.
    Target,
    /// How long requests went on becoming due.
    Duration,
    /// How quota was counted.
    Enforcement,
    /// The models, with what calls them and their quotas.
    Models,
    /// The prompt classes.
    Classes,
}

impl Field {
    /// Every one.
    pub const ALL: [Self; 8] = [
        Self::Schema,
        Self::Name,
        Self::Digest,
        Self::Target,
        Self::Duration,
        Self::Enforcement,
        Self::Models,
        Self::Classes,
    ];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Schema => "schema",
            Self::Name => "name",
            Self::Digest => "digest",
            Self::Target => "target",
            Self::Duration => "duration",
            Self::Enforcement => "enforcement",
            Self::Models => "models",
            Self::Classes => "classes",
        }
    }

    fn of(self, run: &RunFile) -> String {
        let settings = &run.settings;
        match self {
            Self::Schema => run.schema_version.to_string(),
            Self::Name => run.scenario.name.clone(),
            Self::Digest => run.scenario.digest.chars().take(12).collect(),
            Self::Target => format!("{:?}", run.target).to_lowercase(),
            Self::Duration => format!("{} s", settings.duration_ns as f64 / 1e9),
            Self::Enforcement => [&settings.enforcement, &settings.adjustment]
                .map(|value| value.as_deref().unwrap_or("the service's own"))
                .join(", "),
            Self::Models => {
                let models = settings.models.iter();
                let each = models.map(|model| {
                    let limits = model.quota.limited();
                    let limits =
                        limits.map(|(dimension, limit)| format!(" {} {limit}", dimension.name()));
                    format!("{} {}{}", model.id, model.api, limits.collect::<String>())
                });
                each.collect::<Vec<_>>().join(", ")
            }
            Self::Classes => {
                let classes = settings.classes.iter();
                classes
                    .map(|class| class.name.as_str())
                    .collect::<Vec<_>>()
                    .join(", ")
            }
        }
    }
}

/// What a run was of, whatever its seed: length, counting, models and classes.
pub(super) fn fingerprint(run: &RunFile) -> String {
    let fields = [
        Field::Duration,
        Field::Enforcement,
        Field::Models,
        Field::Classes,
    ];
    fields.map(|field| field.of(run)).join("; ")
}

/// A field that differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Which.
    pub field: Field,
    /// What the base has.
    pub base: String,
    /// What the new side has.
    pub new: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} and {}", self.field.name(), self.base, self.new)
    }
}

/// The fields in which a pair differs, or the pairs among themselves; each once. Seeds, and with them
/// texts, differ from pair to pair.
pub(super) fn differences(pairs: &Pairs<'_>, allowed: &[Field]) -> Vec<Difference> {
    let mut found: Vec<Difference> = Vec::new();
    let mut compare = |field: Field, base: &RunFile, new: &RunFile| {
        let (base, new) = (field.of(base), field.of(new));
        if base != new && !found.iter().any(|known| known.field == field) {
            found.push(Difference { field, base, new });
        }
    };
    for field in Field::ALL {
        if allowed.contains(&field) {
            continue;
        }
        for (base, new) in pairs.each() {
            compare(field, base, new);
            if field != Field::Digest {
                compare(field, pairs.first(), base);
            }
        }
    }
    found
}
