//! A knob: a key of the scenario, and the values that it may be set to.
//!
//! Promises: values are text as it stands in a scenario, so that each setting is read and checked as if it
//! had been written; between two values of a range there is always another, until they are as near as
//! matters.
//!
//! Deliberately not: what a key means.

use std::cmp::Ordering;
use std::time::Duration;

use super::notation::{duration as read_duration, share as read_share};
use crate::goal::KnobText;

/// The value that takes a key out of the scenario.
pub const UNSET: &str = "unset";

/// The coarse values of a range, unless it says how many.
const STEPS: usize = 5;

/// No range is cut into more.
const STEPS_MAX: usize = 100;

/// A key and its values.
#[derive(Clone, Debug, PartialEq)]
pub struct Knob {
    /// The key, such as `limiter.burst`.
    pub key: String,
    /// Its values, in order.
    pub values: Vec<String>,
    /// How to find values between two of them; none where these are all.
    pub scale: Option<Scale>,
}

/// What lies between two values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// A length of time; halfway is the geometric mean.
    Time,
    /// A share; halfway is the mean.
    Share,
    /// A whole number; halfway is the geometric mean.
    Whole,
    /// A number; halfway is the mean.
    Number,
    /// A rate per second, minute or hour, which both ends have; halfway is the mean.
    Rate(Per),
}

/// What a rate is per.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Per {
    /// Second.
    Second,
    /// Minute.
    Minute,
    /// Hour.
    Hour,
}

impl Per {
    const ALL: [(&'static str, Self); 4] = [
        ("/s", Self::Second),
        ("/min", Self::Minute),
        ("/m", Self::Minute),
        ("/h", Self::Hour),
    ];

    const fn text(self) -> &'static str {
        match self {
            Self::Second => "/s",
            Self::Minute => "/min",
            Self::Hour => "/h",
        }
    }
}

impl Knob {
    /// Whether a key is one that a tuner may turn: what the client decides itself.
    #[must_use]
    pub fn can_be_tuned(key: &str) -> bool {
        let mut parts = key.split('.');
        let first = parts.next().unwrap_or_default();
        ["limiter", "retry", "prompt"].contains(&first) && parts.next().is_some()
    }

    /// Reads `A, B, C`, or `FROM..TO`, or `FROM..TO/STEPS`.
    ///
    /// # Errors
    ///
    /// What is wrong with the text, as the end of a sentence.
    pub fn read(text: &KnobText) -> Result<Self, String> {
        Self::read_with(text, STEPS, false)
    }

    /// The same, with so many values of a range in even steps.
    ///
    /// # Errors
    ///
    /// As [`Self::read`].
    pub fn read_evenly(text: &KnobText, steps: usize) -> Result<Self, String> {
        Self::read_with(text, steps, true)
    }

    fn read_with(text: &KnobText, steps: usize, evenly: bool) -> Result<Self, String> {
        let key = text.key.trim().to_owned();
        if key.split('.').any(str::is_empty) {
            return Err(format!(
                "`{key}` is no key of a scenario, such as `limiter.burst`"
            ));
        }
        if let Some((from, to)) = text.values.split_once("..") {
            // What is behind a rate's stroke is no number.
            let (to, steps) = match to.rsplit_once('/') {
                Some((to, given)) => match given.trim().parse() {
                    Ok(given) => (to, given),
                    Err(_) => (
                        text.values.split_once("..").map_or(to, |ends| ends.1),
                        steps,
                    ),
                },
                None => (to, steps),
            };
            if !(2..=STEPS_MAX).contains(&steps) {
                return Err(format!("a range has 2 to {STEPS_MAX} steps, not {steps}"));
            }
            let (values, scale) = range(from.trim(), to.trim(), steps, evenly)?;
            return Ok(Self {
                key,
                values,
                scale: Some(scale),
            });
        }
        let values: Vec<String> = text
            .values
            .split(',')
            .map(|value| value.trim().to_owned())
            .collect();
        if values.iter().any(String::is_empty) {
            return Err(format!(
                "`{}` is no list `A, B, C` and no range `FROM..TO`",
                text.values
            ));
        }
        Ok(Self {
            key,
            values,
            scale: None,
        })
    }

    /// A value as a number: seconds, a part of one, or as it stands; none where it is a word.
    #[must_use]
    pub fn number(&self, value: &str) -> Option<f64> {
        let scales = [
            Scale::Time,
            Scale::Share,
            Scale::Whole,
            Scale::Number,
            Scale::Rate(Per::Second),
            Scale::Rate(Per::Minute),
            Scale::Rate(Per::Hour),
        ];
        let own = self.scale.into_iter().chain(scales);
        own.into_iter().find_map(|scale| {
            let number = number(value, scale).ok()?;
            Some(match scale {
                // A list may mix them.
                Scale::Rate(Per::Minute) if self.scale.is_none() => number / 60.0,
                Scale::Rate(Per::Hour) if self.scale.is_none() => number / 3_600.0,
                _ => number,
            })
        })
    }

    /// Which of two values comes first; as they stand in the list where there is no scale.
    #[must_use]
    pub fn order(&self, one: &str, other: &str) -> Ordering {
        let place = |value: &str| match self.scale.map(|scale| number(value, scale)) {
            Some(Ok(number)) => number,
            _ => {
                let mut values = self.values.iter();
                values.position(|own| own == value).unwrap_or(usize::MAX) as f64
            }
        };
        place(one).total_cmp(&place(other))
    }

    /// The value halfway between two; none where they are next to each other.
    #[must_use]
    pub fn between(&self, low: &str, high: &str) -> Option<String> {
        let scale = self.scale?;
        let (from, to) = (number(low, scale).ok()?, number(high, scale).ok()?);
        let middle = scale.at(from, to, 0.5);
        let text = scale.text(middle);
        let near = (to - from).abs() <= 0.01 * from.abs().max(to.abs());
        (!near && text != low && text != high).then_some(text)
    }
}

impl Scale {
    fn at(self, from: f64, to: f64, part: f64) -> f64 {
        match self {
            Self::Share | Self::Number | Self::Rate(_) => from + (to - from) * part,
            // Zero has no logarithm.
            _ if from <= 0.0 || to <= 0.0 => from + (to - from) * part,
            Self::Time | Self::Whole => from * (to / from).powf(part),
        }
    }

    /// A value as it stands in a scenario; three digits are as fine as anything is tuned.
    fn text(self, value: f64) -> String {
        match self {
            Self::Time => {
                let digits = 10_f64.powf((value.max(1e-9)).log10().floor() - 2.0);
                let nanos = (value / digits).round() * digits * 1e9;
                duration_text(Duration::from_nanos(nanos.round() as u64))
            }
            Self::Share => {
                let percent = (value * 1e4).round() / 100.0;
                format!("{percent}%")
            }
            Self::Whole => format!("{}", value.round() as u64),
            Self::Number => format!("{}", (value * 1e3).round() / 1e3),
            Self::Rate(per) => format!("{}{}", (value * 1e3).round() / 1e3, per.text()),
        }
    }
}

/// A length of time as people write it: `2.27s`, `250ms`.
pub(crate) fn duration_text(length: Duration) -> String {
    let nanos = length.as_nanos();
    let (unit, size) = [("s", 1_000_000_000), ("ms", 1_000_000), ("us", 1_000)]
        .into_iter()
        .find(|(_, size)| nanos >= *size)
        .unwrap_or(("ns", 1));
    let (whole, rest) = (nanos / size, nanos % size);
    if rest == 0 {
        return format!("{whole}{unit}");
    }
    let digits = size.ilog10() as usize;
    let rest = format!("{rest:0digits$}");
    format!("{whole}.{}{unit}", rest.trim_end_matches('0'))
}

fn number(text: &str, scale: Scale) -> Result<f64, String> {
    match scale {
        Scale::Time => read_duration(text).map(|length| length.as_secs_f64()),
        Scale::Share => read_share(text).map(|share| share.fraction()),
        Scale::Number => text.parse().map_err(|_| "it is no number".to_owned()),
        Scale::Rate(per) => {
            let own = Per::ALL
                .into_iter()
                .find_map(|(end, per)| Some((text.strip_suffix(end)?, per)));
            let (digits, _) = own
                .filter(|(_, own)| *own == per)
                .ok_or_else(|| format!("it is no rate in `{}`", per.text()))?;
            let digits = digits.trim().replace('_', "");
            digits.parse().map_err(|_| "it is no rate".to_owned())
        }
        Scale::Whole => {
            let digits = text.replace('_', "");
            let whole: Result<u64, _> = digits.parse();
            whole
                .map(|whole| whole as f64)
                .map_err(|_| "it is no whole number".to_owned())
        }
    }
}

fn range(from: &str, to: &str, steps: usize, evenly: bool) -> Result<(Vec<String>, Scale), String> {
    let rate = Per::ALL.into_iter().find(|(end, _)| from.ends_with(end));
    let scale = if let Some((_, per)) = rate {
        Scale::Rate(per)
    } else if from.contains('.') && !from.ends_with(char::is_alphabetic) && !from.ends_with('%') {
        Scale::Number
    } else if from.ends_with('%') {
        Scale::Share
    } else if from.ends_with(char::is_alphabetic) {
        Scale::Time
    } else {
        Scale::Whole
    };
    let end = |text: &str| number(text, scale).map_err(|problem| format!("`{text}`: {problem}"));
    let (low, high) = (end(from)?, end(to)?);
    if low >= high {
        return Err(format!(
            "`{from}..{to}` goes down: write the smaller end first"
        ));
    }
    let mut values = vec![from.to_owned()];
    for step in 1..steps - 1 {
        let part = step as f64 / (steps - 1) as f64;
        let between = if evenly {
            low + (high - low) * part
        } else {
            scale.at(low, high, part)
        };
        let value = scale.text(between);
        if values.last() != Some(&value) {
            values.push(value);
        }
    }
    if values.last().map(String::as_str) != Some(to) {
        values.push(to.to_owned());
    }
    Ok((values, scale))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn knob(values: &str) -> Result<Knob, String> {
        Knob::read(&KnobText {
            key: "limiter.burst".to_owned(),
            values: values.to_owned(),
        })
    }

    #[test]
    fn lists_and_ranges_are_read() {
        let values = |text| knob(text).expect("it can be read").values;
        assert_eq!(values("1s, 5s,10s"), ["1s", "5s", "10s"]);
        assert_eq!(values("1s..16s"), ["1s", "2s", "4s", "8s", "16s"]);
        assert_eq!(values("0%..10%/3"), ["0%", "5%", "10%"]);
        assert_eq!(values("1..4/9"), ["1", "2", "3", "4"]);
        assert_eq!(values("100ms..1s/2"), ["100ms", "1s"]);
        assert_eq!(values("1s..60s/3"), ["1s", "7.75s", "60s"]);
        assert_eq!(values("1/s..3/s/3"), ["1/s", "2/s", "3/s"]);
        assert_eq!(values("30/min..90/min/2"), ["30/min", "90/min"]);
        assert_eq!(values("0.5..2/4"), ["0.5", "1", "1.5", "2"]);
    }

    #[test]
    fn what_cannot_be_read_says_why() {
        let said = |text| knob(text).expect_err("it cannot be read");
        assert!(said("10s..1s").contains("smaller end first"));
        assert!(said("1s..10%").contains("`10%`"), "{}", said("1s..10%"));
        assert!(said("1s..10s/1").contains("2 to 100"));
        assert!(said("1s,,2s").contains("no list"));
        assert!(said("1/s..9/min").contains("no rate in `/s`"));
        let text = KnobText {
            key: "limiter..burst".to_owned(),
            values: "1s".to_owned(),
        };
        assert!(Knob::read(&text).expect_err("no path").contains("no key"));
    }

    proptest! {
        #[test]
        fn between_two_values_lies_another_until_they_are_near(low in 1_u64..10_000, more in 1_u64..10_000) {
            let knob = knob("1ms..2ms").expect("a range");
            let (mut low, mut high) = (format!("{low}ms"), format!("{}ms", low + more));
            let mut halvings = 0;
            while let Some(middle) = knob.between(&low, &high) {
                let seconds = |text: &str| read_duration(text).expect("a time");
                prop_assert!(seconds(&low) < seconds(&middle) && seconds(&middle) < seconds(&high));
                if halvings % 2 == 0 { low = middle } else { high = middle }
                halvings += 1;
                prop_assert!(halvings < 40);
            }
        }
    }
}
