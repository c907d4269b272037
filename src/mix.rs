//! Which request it is: a weighted choice of prompt classes, and how long each one's text is.
//!
//! Promises: the choice of classes, each class's input lengths and each class's output lengths come
//! from streams of their own, so that another length distribution in one class changes neither the
//! order of the classes nor the lengths of any other.
//!
//! Deliberately not: text. Whoever sends a request makes the text up to the length drawn here.

use rand::Rng as _;

use crate::distribution::{Distribution, Sampler};
use crate::outcome::{ClassIndex, ModelIndex};
use crate::rng::{Rng, Seed, Stream};
use crate::units::Tokens;

/// One class of prompts, as the mix sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct MixClass {
    /// How often it is chosen, against the sum of all weights; not negative.
    pub weight: f64,
    /// The model that it is sent to.
    pub model: ModelIndex,
    /// Input tokens; none where they come from the trace.
    pub input: Option<Distribution>,
    /// Output tokens; none where they come from the trace.
    pub output: Option<Distribution>,
}

/// One request drawn from the mix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Draw {
    /// Its class.
    pub class: ClassIndex,
    /// The model that it is sent to.
    pub model: ModelIndex,
    /// Its input tokens, as the client expects them.
    pub input: Tokens,
    /// The output tokens that the stub and the simulator generate, were there no `max_tokens`; at
    /// least one.
    pub output: Tokens,
}

/// A scenario's prompt classes, ready to be drawn from.
#[derive(Clone, Debug)]
pub struct Mix {
    /// Every class, by its index.
    classes: Vec<Class>,
    /// For each class but the last: the end of its share of all `u64`s, the start being the end of
    /// the one before.
    ends: Vec<u64>,
    choice: Rng,
}

impl Mix {
    /// The mix of `classes`, numbered by their position.
    ///
    /// # Panics
    ///
    /// If no weight is above zero, or there are more than 65,536 classes; scenarios are checked for
    /// both when they are read.
    #[must_use]
    pub fn new(classes: &[MixClass], seed: Seed) -> Self {
        let total: f64 = classes.iter().map(|class| class.weight.max(0.0)).sum();
        assert!(total > 0.0, "a mix has a class with a weight above zero");
        let mut mix = Self {
            classes: Vec::new(),
            ends: Vec::new(),
            choice: seed.keyed(Stream::Mix, Purpose::Choice as u64, 0),
        };
        let mut reached = 0.0;
        for (position, class) in classes.iter().enumerate() {
            let index = u16::try_from(position).expect("a mix has at most 65,536 classes");
            // A class without weight ends where the one before it does: it is never chosen.
            reached += class.weight.max(0.0);
            mix.classes.push(Class::new(ClassIndex(index), class, seed));
            mix.ends.push((reached / total * 2_f64.powi(64)) as u64);
        }
        mix.ends.pop();
        mix
    }

    /// The next request.
    ///
    /// `lengths` are the input and output tokens that a trace gives it; they count for a class that
    /// has no distribution of its own. With neither, the input is empty and the output one token.
    /// `class` is the class that a trace gives it, if it does; it is not chosen then.
    ///
    /// # Panics
    ///
    /// If there is no such class; a trace's are checked when it is read.
    pub fn draw(&mut self, lengths: Option<(Tokens, Tokens)>, class: Option<ClassIndex>) -> Draw {
        let place = if let Some(class) = class {
            usize::from(class.0)
        } else if self.ends.is_empty() {
            0
        } else {
            let drawn = self.choice.next_u64();
            self.ends.partition_point(|&end| end <= drawn)
        };
        let class = &mut self.classes[place];
        let (input, output) = lengths.unwrap_or_default();
        Draw {
            class: class.index,
            model: class.model,
            input: class.input.as_mut().map_or(input, Lengths::draw),
            output: class
                .output
                .as_mut()
                .map_or(output, Lengths::draw)
                .max(Tokens(1)),
        }
    }
}

/// What a stream of the mix is for; the numbers are part of what a seed means.
#[derive(Clone, Copy)]
enum Purpose {
    Choice = 0,
    Input = 1,
    Output = 2,
}

#[derive(Clone, Debug)]
struct Class {
    index: ClassIndex,
    model: ModelIndex,
    input: Option<Lengths>,
    output: Option<Lengths>,
}

impl Class {
    fn new(index: ClassIndex, class: &MixClass, seed: Seed) -> Self {
        let lengths = |distribution: &Option<Distribution>, purpose: Purpose| {
            distribution.as_ref().map(|distribution| Lengths {
                sampler: distribution.sampler(),
                rng: seed.keyed(Stream::Mix, purpose as u64, u64::from(index.0)),
            })
        };
        Self {
            index,
            model: class.model,
            input: lengths(&class.input, Purpose::Input),
            output: lengths(&class.output, Purpose::Output),
        }
    }
}

#[derive(Clone, Debug)]
struct Lengths {
    sampler: Sampler,
    rng: Rng,
}

impl Lengths {
    fn draw(&mut self) -> Tokens {
        Tokens(self.sampler.sample(&mut self.rng))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(weight: f64, input: Distribution) -> MixClass {
        MixClass {
            weight,
            model: ModelIndex(0),
            input: Some(input),
            output: Some(Distribution::Lognormal {
                median: 180.0,
                p95: 420.0,
            }),
        }
    }

    fn uniform(max: u64) -> Distribution {
        Distribution::Uniform { min: 1, max }
    }

    fn draws(classes: &[MixClass], count: usize) -> Vec<Draw> {
        let mut mix = Mix::new(classes, Seed(7));
        (0..count).map(|_| mix.draw(None, None)).collect()
    }

    #[test]
    fn shares_are_those_of_the_weights() {
        let weights = [4.0, 0.0, 1.0, 2.5, 0.0];
        let classes: Vec<_> = weights
            .iter()
            .map(|&weight| class(weight, uniform(9)))
            .collect();
        let drawn = draws(&classes, 100_000);
        for (index, weight) in weights.iter().enumerate() {
            let count = drawn
                .iter()
                .filter(|draw| draw.class.0 == index as u16)
                .count();
            let off = count as f64 / 100_000.0 - weight / 7.5;
            assert!(off.abs() < 0.006, "class {index} was drawn {count} times");
            assert!(*weight > 0.0 || count == 0, "class {index} has no weight");
        }
    }

    #[test]
    fn one_classs_lengths_change_nothing_else() {
        let before = [
            class(4.0, uniform(500)),
            class(1.0, uniform(500)),
            class(2.0, uniform(500)),
        ];
        let mut after = before.clone();
        after[1].input = Some(Distribution::Normal {
            mean: 2_000.0,
            sd: 400.0,
        });
        let (before, after) = (draws(&before, 5_000), draws(&after, 5_000));
        let mut changed = 0;
        for (before, after) in before.iter().zip(&after) {
            if before.class == ClassIndex(1) {
                changed += usize::from(before.input != after.input);
                assert_eq!((before.class, before.output), (after.class, after.output));
            } else {
                assert_eq!(before, after);
            }
        }
        assert!(changed > 500, "the class itself did change: {changed}");
    }

    #[test]
    fn weights_do_not_change_a_classs_own_lengths() {
        let of_first = |weight| -> Vec<_> {
            let classes = [class(weight, uniform(500)), class(1.0, uniform(500))];
            let drawn = draws(&classes, 4_000).into_iter();
            drawn.filter(|draw| draw.class.0 == 0).take(500).collect()
        };
        assert_eq!(of_first(1.0), of_first(3.0));
    }

    #[test]
    fn a_traces_lengths_count_where_a_class_has_none() {
        let mut from_trace = class(1.0, Distribution::Constant(70));
        from_trace.output = None;
        let mut mix = Mix::new(&[from_trace], Seed(7));
        let trace = Some((Tokens(1_155), Tokens(211)));
        let lengths = |draw: Draw| (draw.input.0, draw.output.0);
        assert_eq!(lengths(mix.draw(trace, None)), (70, 211));
        assert_eq!(
            lengths(mix.draw(Some((Tokens(5), Tokens(0))), None)),
            (70, 1)
        );
        assert_eq!(lengths(mix.draw(None, None)), (70, 1));
    }

    #[test]
    fn a_trace_may_say_which_class_it_is() {
        let classes = [class(1.0, uniform(9)), class(0.0, uniform(9))];
        let mut mix = Mix::new(&classes, Seed(7));
        for index in [1, 0, 1] {
            let drawn = mix.draw(None, Some(ClassIndex(index)));
            assert_eq!(drawn.class, ClassIndex(index));
        }
    }
}
