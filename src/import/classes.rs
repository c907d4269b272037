//! Prompt classes: requests that a scenario draws from one pot.
//!
//! Promises: a class is of one model and, if asked for, of one key; `max_tokens` is the request's own, or
//! the mean of a range of a factor of two where there are too many; sums of tokens are kept.

use std::collections::BTreeMap;

use super::cluster;
use super::recording::{Recording, UNSEEN, UNSET};
use crate::units::grouped;

/// Values of a length that a class lists, at most.
const LENGTHS_MAX: usize = 200;

/// More different `max_tokens` than these are put together.
const CAPS_MAX: usize = 8;

/// A class with less than this part of all requests is not parted by length.
const LEAST_SHARE: f64 = 0.001;

/// Requests that belong together.
#[derive(Clone, Debug)]
pub(super) struct Group {
    /// The place of their model among those of the draft.
    pub model: usize,
    /// Their key, if they were told apart by one.
    pub key: Option<u16>,
    /// Their `max_tokens`; none where they have none, or it is not known.
    pub max_tokens: Option<u32>,
    /// Whether the source does not show it.
    pub unseen: bool,
    /// Their places in the recording.
    pub members: Vec<u32>,
}

/// Requests of one `max_tokens`.
type Capped = (u32, Vec<u32>);

/// Parts requests by model, key and `max_tokens`, and then by length into about `kinds` classes.
///
/// `models` are the places of the recording's models in the draft; none for those that are left out.
pub(super) fn groups(
    recording: &Recording,
    models: &[Option<usize>],
    by_key: bool,
    kinds: usize,
) -> Vec<Group> {
    let mut parts: BTreeMap<(usize, u16, u32), Vec<u32>> = BTreeMap::new();
    for (place, record) in (0_u32..).zip(&recording.records) {
        let Some(model) = models[usize::from(record.model)] else {
            continue;
        };
        let key = if by_key { record.key } else { 0 };
        let part = parts.entry((model, key, record.max_tokens)).or_default();
        part.push(place);
    }
    let total: usize = parts.values().map(Vec::len).sum();
    let mut groups = Vec::new();
    let mut by_model_and_key: BTreeMap<(usize, u16), Vec<Capped>> = BTreeMap::new();
    for ((model, key, cap), members) in parts {
        let caps = by_model_and_key.entry((model, key)).or_default();
        caps.push((cap, members));
    }
    for ((model, key), caps) in by_model_and_key {
        for (cap, members) in joined(caps) {
            let share = members.len() as f64 / total as f64;
            let parts = if by_key || share < LEAST_SHARE {
                1
            } else {
                ((kinds as f64 * share).round() as usize).max(1)
            };
            for members in cluster::kinds(&recording.records, members, parts) {
                groups.push(Group {
                    model,
                    key: by_key.then_some(key),
                    max_tokens: (cap != UNSEEN && cap != UNSET).then_some(cap),
                    unseen: cap == UNSEEN,
                    members,
                });
            }
        }
    }
    // The most frequent first, as a reader would list them.
    groups.sort_by_key(|group| std::cmp::Reverse(group.members.len()));
    groups
}

/// Puts `max_tokens` of a factor of two together if there are too many.
fn joined(caps: Vec<Capped>) -> Vec<Capped> {
    if caps.len() <= CAPS_MAX {
        return caps;
    }
    let mut ranges: BTreeMap<(u32, u32), (f64, Vec<u32>)> = BTreeMap::new();
    for (cap, mut members) in caps {
        let said = cap != UNSEEN && cap != UNSET;
        let range = if said { (1, cap.ilog2()) } else { (0, cap) };
        let (sum, all) = ranges.entry(range).or_default();
        *sum += f64::from(cap) * members.len() as f64;
        all.append(&mut members);
    }
    ranges
        .into_values()
        .map(|(sum, mut members)| {
            members.sort_unstable();
            ((sum / members.len() as f64).round() as u32, members)
        })
        .collect()
}

/// At most [`LENGTHS_MAX`] values, equally often, that add up to the same: the means of slices of equal
/// weight. `values` are lengths and how often each came.
pub(super) fn lengths(mut values: Vec<(u32, f64)>) -> Vec<u64> {
    values.sort_by_key(|(value, _)| *value);
    let total: f64 = values.iter().map(|(_, weight)| weight).sum();
    let same = values.first().map(|(value, _)| *value) == values.last().map(|(value, _)| *value);
    if same {
        return values
            .first()
            .map(|(value, _)| u64::from(*value))
            .into_iter()
            .collect();
    }
    let equal = values.iter().all(|(_, weight)| *weight == 1.0);
    if equal && values.len() <= LENGTHS_MAX {
        return values.iter().map(|(value, _)| u64::from(*value)).collect();
    }
    let slice = total / LENGTHS_MAX as f64;
    let mut means = Vec::with_capacity(LENGTHS_MAX);
    let (mut sum, mut filled) = (0.0, 0.0);
    // What rounding to whole tokens leaves goes on to the next slice.
    let mut left_over = 0.0;
    for (value, mut weight) in values {
        while means.len() + 1 < LENGTHS_MAX && filled + weight >= slice {
            let part = slice - filled;
            sum += f64::from(value) * part;
            weight -= part;
            let mean: f64 = sum / slice + left_over;
            left_over = mean - mean.round();
            means.push(mean.round() as u64);
            (sum, filled) = (0.0, 0.0);
        }
        sum += f64::from(value) * weight;
        filled += weight;
    }
    if filled > 0.0 {
        means.push((sum / filled + left_over).round() as u64);
    }
    means
}

/// A name for a class, such as `in-1200-out-240`.
pub(super) fn length_name(input: f64, output: f64) -> String {
    format!("in-{}-out-{}", rounded(input), rounded(output))
}

/// Two significant digits are enough for a name.
fn rounded(value: f64) -> u64 {
    let unit = 10_f64.powf(value.max(1.0).log10().floor() - 1.0).max(1.0);
    ((value / unit).round() * unit) as u64
}

/// What a scenario allows in a name, of any text.
pub(super) fn slug(text: &str) -> String {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.');
    let mut slug = String::new();
    for c in text.chars().take(48) {
        if allowed(c) {
            slug.push(c);
        } else if !slug.ends_with('-') {
            slug.push('-');
        }
    }
    let slug = slug.trim_matches(['-', '.']);
    if slug.is_empty() {
        "none".to_owned()
    } else {
        slug.to_owned()
    }
}

/// A number of things, for people: `1 line`, `2,000 lines`.
pub(super) fn counted(number: u64, thing: &str) -> String {
    let ending = if number == 1 { "" } else { "s" };
    format!("{} {thing}{ending}", count(number))
}

/// A number, for people.
pub(super) fn count(number: u64) -> String {
    grouped(i64::try_from(number).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn lengths_add_up_to_the_same(values in prop::collection::vec(0_u32..100_000, 1..3_000)) {
            let mean = values.iter().map(|&value| f64::from(value)).sum::<f64>() / values.len() as f64;
            let kept = lengths(values.iter().map(|&value| (value, 1.0)).collect());
            prop_assert!(kept.len() <= LENGTHS_MAX);
            prop_assert!(kept.is_sorted());
            let kept = kept.iter().sum::<u64>() as f64 / kept.len() as f64;
            prop_assert!((kept - mean).abs() <= 1.0 + mean * 1e-3, "{} and {}", kept, mean);
        }

        #[test]
        fn any_text_makes_a_name(text in ".*") {
            let slug = slug(&text);
            prop_assert!(!slug.is_empty());
            prop_assert!(slug.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c)));
        }
    }
}
