//! Which of an account's quotas are a model's: by code, and else by name.
//!
//! Promises: a code that the catalogue knows decides; a name is only looked at where none does, and counts
//! only if it means the model, the scope and the dimension without a doubt. What is matched says how.
//!
//! Service Quotas spells names in many ways: `Cross-region`, `Cross-Region`, `InvokeModel tokens per
//! minute`, `… for Anthropic Claude 3.5 Sonnet V2`. Source: AWS General Reference, "Amazon Bedrock endpoints
//! and quotas".

use super::{Model, QuotaScope};
use crate::quota::{Dimension, Quota};

/// A quota as an account has it.
#[derive(Clone, Debug, PartialEq)]
pub struct ListedQuota {
    /// Its code.
    pub code: String,
    /// Its name.
    pub name: String,
    /// Its value, per minute or day.
    pub value: f64,
    /// Whether it is the account's own value; else it is AWS's default.
    pub applied: bool,
}

/// One that is a model's.
#[derive(Clone, Debug, PartialEq)]
pub struct Matched {
    /// What it counts.
    pub dimension: Dimension,
    /// How much calls of the model's scope may use.
    pub limit: u64,
    /// The quota that says so.
    pub listed: ListedQuota,
    /// Whether its code was known; else its name was understood.
    pub by_code: bool,
    /// Whether calls through a geographic profile may use twice its value.
    pub doubled: bool,
}

/// What an account has of one model.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AccountQuota {
    /// The limits.
    pub quota: Quota,
    /// Where each is from.
    pub matched: Vec<Matched>,
}

/// Finds the quotas that count calls of `model` in `scope`.
#[must_use]
pub fn match_quotas(model: &Model, scope: QuotaScope, listed: &[ListedQuota]) -> AccountQuota {
    let mut found = AccountQuota::default();
    for dimension in [Dimension::Rpm, Dimension::Tpm, Dimension::Tpd] {
        let Some(matched) = by_code(model, scope, dimension, listed)
            .or_else(|| by_name(model, scope, dimension, listed))
        else {
            continue;
        };
        match dimension {
            Dimension::Rpm => found.quota.rpm = Some(matched.limit),
            Dimension::Tpd => found.quota.tpd = Some(matched.limit),
            _ => found.quota.tpm = Some(matched.limit),
        }
        found.matched.push(matched);
    }
    found
}

fn by_code(
    model: &Model,
    scope: QuotaScope,
    dimension: Dimension,
    listed: &[ListedQuota],
) -> Option<Matched> {
    let lines = model.quotas.iter();
    let codes = lines
        .filter(|line| line.scope == scope && line.dimension == dimension)
        .filter_map(|line| line.code.as_deref());
    for code in codes {
        if let Some(quota) = best(listed, |quota| quota.code == code) {
            return Some(matched(quota, scope, dimension, true));
        }
    }
    None
}

fn by_name(
    model: &Model,
    scope: QuotaScope,
    dimension: Dimension,
    listed: &[ListedQuota],
) -> Option<Matched> {
    // What AWS calls it in one quota, it may call it in another.
    let lines = model
        .quotas
        .iter()
        .filter_map(|line| Meaning::of(&line.name));
    let mut names: Vec<Vec<String>> = lines.map(|meaning| meaning.model).collect();
    names.push(words(&model.name));
    let is_it = |quota: &ListedQuota| {
        Meaning::of(&quota.name).is_some_and(|meaning| {
            meaning.dimension == dimension
                && meaning.counts(scope)
                && names.contains(&meaning.model)
        })
    };
    best(listed, is_it).map(|quota| matched(quota, scope, dimension, false))
}

/// The applied value before the default.
fn best(listed: &[ListedQuota], is_it: impl Fn(&ListedQuota) -> bool) -> Option<&ListedQuota> {
    let found = || listed.iter().filter(|quota| is_it(quota));
    found()
        .find(|quota| quota.applied)
        .or_else(|| found().next())
}

fn matched(quota: &ListedQuota, scope: QuotaScope, dimension: Dimension, by_code: bool) -> Matched {
    let doubled = dimension == Dimension::Tpd
        && scope == QuotaScope::CrossRegion
        && quota.name.to_lowercase().contains("doubled");
    let value = if doubled {
        quota.value * 2.0
    } else {
        quota.value
    };
    Matched {
        dimension,
        limit: value.max(0.0) as u64,
        listed: quota.clone(),
        by_code,
        doubled,
    }
}

/// What a quota's name says.
struct Meaning {
    dimension: Dimension,
    scope: QuotaScope,
    /// Whether it counts both plain ids and geographic profiles.
    shared: bool,
    /// The words of the model's name, in order of the alphabet.
    model: Vec<String>,
}

impl Meaning {
    fn of(name: &str) -> Option<Self> {
        let name = name.to_lowercase();
        // Quotas of their own, for calls that say so.
        let others = [
            "latency-optimized",
            "1m context",
            "batch",
            "provisioned",
            "custom",
        ];
        if others.iter().any(|other| name.contains(other)) {
            return None;
        }
        let dimension = if name.contains("requests per minute") {
            Dimension::Rpm
        } else if name.contains("tokens per minute") {
            Dimension::Tpm
        } else if name.contains("tokens per day") {
            Dimension::Tpd
        } else {
            return None;
        };
        let (kind, model) = name.split_once(" for ")?;
        let shared = model.contains("doubled for cross-region");
        let model = model.split('(').next().unwrap_or(model);
        let scope = if kind.contains("global") {
            QuotaScope::Global
        } else if kind.contains("cross-region") {
            QuotaScope::CrossRegion
        } else {
            QuotaScope::OnDemand
        };
        Some(Self {
            dimension,
            scope,
            shared,
            model: words(model),
        })
    }

    fn counts(&self, scope: QuotaScope) -> bool {
        self.scope == scope || (self.shared && scope == QuotaScope::CrossRegion)
    }
}

/// Words that names have or have not.
const OPTIONAL: [&str; 14] = [
    "anthropic",
    "amazon",
    "meta",
    "mistral-ai",
    "ai",
    "cohere",
    "ai21",
    "labs",
    "openai",
    "google",
    "instruct",
    "it",
    "v1",
    "v1.0",
];

/// What matters of a model's name: its words in order of the alphabet.
fn words(name: &str) -> Vec<String> {
    let name = name.to_lowercase();
    let separates = |c: char| !(c.is_alphanumeric() || c == '.' || c == '+');
    let mut words: Vec<String> = name
        .split(separates)
        .filter(|word| !word.is_empty() && !OPTIONAL.contains(word))
        .map(str::to_owned)
        .collect();
    words.sort();
    words.dedup();
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue;

    fn listed(code: &str, name: &str, value: f64, applied: bool) -> ListedQuota {
        ListedQuota {
            code: code.to_owned(),
            name: name.to_owned(),
            value,
            applied,
        }
    }

    fn model(id: &str) -> Model {
        catalogue::find(id).expect("it is in the catalogue")
    }

    /// Every name that the catalogue has is understood as the line that it is on.
    #[test]
    fn names_are_understood_without_their_codes() {
        let mut wrong = Vec::new();
        for entry in catalogue::all() {
            for line in &entry.model.quotas {
                let other = listed("L-00000000", &line.name, 7.0, true);
                let found = match_quotas(&entry.model, line.scope, &[other]);
                if found.matched.first().map(|found| found.dimension) != Some(line.dimension) {
                    wrong.push(format!("{}: {}", entry.model.id, line.name));
                }
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    /// … and as no other model's.
    #[test]
    fn no_name_means_two_models() {
        for entry in catalogue::all() {
            for line in &entry.model.quotas {
                let other = [listed("L-00000000", &line.name, 7.0, true)];
                let means: Vec<&str> = catalogue::all()
                    .iter()
                    .filter(|known| {
                        !match_quotas(&known.model, line.scope, &other)
                            .matched
                            .is_empty()
                    })
                    .map(|known| known.model.id.as_str())
                    .collect();
                assert!(means.len() <= 1, "{} means {means:?}", line.name);
            }
        }
    }

    #[test]
    fn a_code_decides_before_a_name_and_what_is_applied_before_a_default() {
        let model = model("us.anthropic.claude-sonnet-4-5-20250929-v1:0");
        let name =
            "Cross-region model inference tokens per minute for Anthropic Claude Sonnet 4.5 V1";
        let quotas = [
            listed("L-00000000", name, 1.0, true),
            listed("L-F4DDD3EB", "renamed", 5_000_000.0, false),
            listed("L-F4DDD3EB", "renamed", 200_000.0, true),
        ];
        let found = match_quotas(&model, QuotaScope::CrossRegion, &quotas);
        assert_eq!(found.quota.tpm, Some(200_000));
        assert!(found.matched[0].by_code && found.matched[0].listed.applied);
        let found = match_quotas(&model, QuotaScope::CrossRegion, &quotas[..1]);
        assert_eq!(found.quota.tpm, Some(1));
        assert!(!found.matched[0].by_code);
        let found = match_quotas(&model, QuotaScope::Global, &quotas);
        assert_eq!(found.quota.tpm, None);
    }

    #[test]
    fn spellings_do_not_matter_and_quotas_of_their_own_do_not_count() {
        let model = model("us.anthropic.claude-3-5-haiku-20241022-v1:0");
        for name in [
            "Cross-Region model inference requests per minute for Anthropic Claude 3.5 Haiku",
            "cross-region InvokeModel requests per minute for Claude 3.5 Haiku V1",
        ] {
            let quota = listed("L-00000000", name, 12.0, true);
            let found = match_quotas(&model, QuotaScope::CrossRegion, &[quota]);
            assert_eq!(found.quota.rpm, Some(12), "{name}");
        }
        let other = "Cross-Region, latency-optimized model inference requests per minute for Claude 3.5 Haiku";
        let other = listed("L-00000000", other, 12.0, true);
        let found = match_quotas(&model, QuotaScope::CrossRegion, &[other]);
        assert_eq!(found, AccountQuota::default());
    }

    #[test]
    fn tokens_of_a_day_are_doubled_through_a_profile() {
        let model = model("us.amazon.nova-lite-v1:0");
        let name = "Model invocation max tokens per day for Amazon Nova Lite (doubled for cross-region calls)";
        let quota = [listed("L-00000000", name, 500.0, true)];
        let through = |scope| match_quotas(&model, scope, &quota).quota.tpd;
        assert_eq!(through(QuotaScope::OnDemand), Some(500));
        assert_eq!(through(QuotaScope::CrossRegion), Some(1_000));
        assert_eq!(through(QuotaScope::Global), None);
    }
}
