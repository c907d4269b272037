//! Which run of one side belongs to which of the other.

use std::collections::BTreeMap;

use super::NotComparable;
use crate::results::{RunFile, Target};

/// Pairs of runs; at least one.
#[derive(Clone, Debug)]
pub(super) struct Pairs<'a>(Vec<(&'a RunFile, &'a RunFile)>);

impl<'a> Pairs<'a> {
    /// In virtual time runs are paired by seed; else in the order in which they came.
    pub fn of(base: &'a [RunFile], new: &'a [RunFile]) -> Result<Self, NotComparable> {
        if base.is_empty() || new.is_empty() {
            return Err(NotComparable::Pairing("each side needs a run".to_owned()));
        }
        if let Some(run) = base.iter().chain(new).find(|run| run.measured.is_none()) {
            return Err(NotComparable::Pairing(format!(
                "a run of `{}` has measured nothing",
                run.scenario.name
            )));
        }
        if base.iter().chain(new).all(|run| run.target == Target::Sim) {
            return by_seed(base, new);
        }
        if base.len() != new.len() {
            return Err(NotComparable::Pairing(format!(
                "there are {} runs on one side and {} on the other: give as many of each, in the order in \
                 which they ran",
                base.len(),
                new.len()
            )));
        }
        Ok(Self(base.iter().zip(new).collect()))
    }

    pub const fn len(&self) -> usize {
        self.0.len()
    }

    pub fn first(&self) -> &'a RunFile {
        self.0[0].0
    }

    pub fn each(&self) -> impl Iterator<Item = (&'a RunFile, &'a RunFile)> {
        self.0.iter().copied()
    }
}

fn by_seed<'a>(base: &'a [RunFile], new: &'a [RunFile]) -> Result<Pairs<'a>, NotComparable> {
    let of = |runs: &'a [RunFile]| -> BTreeMap<u64, &'a RunFile> {
        runs.iter().map(|run| (run.seed, run)).collect()
    };
    for side in [base, new] {
        if of(side).len() < side.len() {
            return Err(NotComparable::Pairing(
                "in virtual time runs are paired by seed, and a side has several of one seed: leave out all but one of \
                 each"
                    .to_owned(),
            ));
        }
    }
    let (base, new) = (of(base), of(new));
    let lonely: Vec<String> = base
        .keys()
        .filter(|seed| !new.contains_key(seed))
        .chain(new.keys().filter(|seed| !base.contains_key(seed)))
        .map(u64::to_string)
        .collect();
    if !lonely.is_empty() {
        return Err(NotComparable::Pairing(format!(
            "in virtual time runs are paired by seed, and these seeds are on one side only: {}",
            lonely.join(", ")
        )));
    }
    let pairs = base.into_iter().zip(new.into_values());
    Ok(Pairs(pairs.map(|((_, base), new)| (base, new)).collect()))
}
