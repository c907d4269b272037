//! How long answers turn out to be, by prompt class.
//!
//! Promises: old answers are forgotten. Each class keeps its last one to two thousand; memory is a
//! few kilobytes a class; the same answers in the same order give the same quantiles.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;

use crate::units::{Share, Tokens};

/// So many answers make a quantile.
const ENOUGH: u64 = 20;
/// So many answers later, it is looked at again.
const REFRESH: u64 = 32;
/// So many answers are kept together; the generation before them is kept, too.
const GENERATION: u64 = 1000;

/// The output lengths of each prompt class.
#[derive(Debug)]
pub(super) struct Learned {
    quantile: f64,
    /// By number; whoever numbers classes may leave gaps.
    classes: BTreeMap<u16, Class>,
}

#[derive(Debug)]
struct Class {
    current: Histogram<u32>,
    previous: Histogram<u32>,
    seen: u64,
    known: Option<Tokens>,
}

impl Learned {
    /// Nothing yet, of this quantile.
    pub fn new(quantile: Share) -> Self {
        Self {
            quantile: quantile.fraction(),
            classes: BTreeMap::new(),
        }
    }

    /// An answer of this class had so many output tokens.
    pub fn record(&mut self, class: u16, output: Tokens) {
        let quantile = self.quantile;
        let class = self.classes.entry(class).or_insert_with(Class::new);
        class.record(output, quantile);
    }

    /// The quantile of this class, to two digits and rounded up, once it is known.
    pub fn get(&self, class: u16) -> Option<Tokens> {
        self.classes.get(&class)?.known
    }
}

impl Class {
    fn new() -> Self {
        Self {
            current: lengths(),
            previous: lengths(),
            seen: 0,
            known: None,
        }
    }

    fn record(&mut self, output: Tokens, quantile: f64) {
        self.current.saturating_record(output.0);
        self.seen += 1;
        if self.seen >= ENOUGH && (self.known.is_none() || self.seen.is_multiple_of(REFRESH)) {
            let mut both = self.previous.clone();
            both += &self.current;
            self.known = Some(Tokens(both.value_at_quantile(quantile)));
        }
        if self.current.len() >= GENERATION {
            std::mem::swap(&mut self.current, &mut self.previous);
            self.current.reset();
        }
    }
}

fn lengths() -> Histogram<u32> {
    // Up to 2^20 tokens, longer than any model writes, to two digits.
    Histogram::new_with_bounds(1, 1 << 20, 2).expect("bounds that hdrhistogram accepts")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_known_after_enough_answers_and_follows_them() {
        let mut learned = Learned::new(Share::percent(90));
        for length in 1..20 {
            learned.record(3, Tokens(length));
        }
        assert_eq!(learned.get(3), None);
        learned.record(3, Tokens(20));
        assert_eq!(learned.get(3), Some(Tokens(18)));
        assert_eq!(learned.get(0), None);
        assert_eq!(learned.get(70), None);
        for _ in 0..3000 {
            learned.record(3, Tokens(100));
        }
        assert_eq!(learned.get(3), Some(Tokens(100)));
    }
}
