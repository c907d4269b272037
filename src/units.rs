//! The quantities that cross module boundaries, each a type of its own.
//!
//! Promises: no bare number says "tokens" in one module and "tokens per minute" in the next; money
//! is counted in whole picodollars, so that adding a billion prices loses nothing.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A number of tokens.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
)]
#[serde(transparent)]
pub struct Tokens(pub u64);

impl Tokens {
    /// No tokens.
    pub const ZERO: Self = Self(0);

    /// The difference, or zero.
    #[must_use]
    pub const fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl Add for Tokens {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl AddAssign for Tokens {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sum for Tokens {
    fn sum<I: Iterator<Item = Self>>(tokens: I) -> Self {
        tokens.fold(Self::ZERO, Add::add)
    }
}

impl fmt::Display for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} tokens", self.0)
    }
}

/// What the service says it read and wrote for one call.
///
/// `input` excludes what came from or went into the prompt cache, as in Bedrock's own `usage`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TokenUsage {
    /// Input tokens that were neither read from nor written to the prompt cache.
    pub input: Tokens,
    /// Output tokens, as generated (not multiplied by burndown).
    pub output: Tokens,
    /// Input tokens read from the prompt cache.
    pub cache_read: Tokens,
    /// Input tokens written to the prompt cache.
    pub cache_write: Tokens,
}

impl TokenUsage {
    /// All tokens, those of the prompt cache included.
    #[must_use]
    pub fn total(&self) -> Tokens {
        self.input + self.output + self.cache_read + self.cache_write
    }
}

impl AddAssign for TokenUsage {
    fn add_assign(&mut self, other: Self) {
        self.input += other.input;
        self.output += other.output;
        self.cache_read += other.cache_read;
        self.cache_write += other.cache_write;
    }
}

/// A share of a whole, in parts per million: 2 % is 20,000.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(transparent)]
pub struct Share {
    /// Parts per million.
    pub ppm: u32,
}

impl Share {
    /// Nothing.
    pub const ZERO: Self = Self { ppm: 0 };

    /// So many hundredths of the whole.
    #[must_use]
    pub const fn percent(percent: u32) -> Self {
        Self {
            ppm: percent.saturating_mul(10_000),
        }
    }

    /// The share as a fraction of one.
    #[must_use]
    pub fn fraction(self) -> f64 {
        f64::from(self.ppm) / 1e6
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} %", f64::from(self.ppm) / 1e4)
    }
}

/// So many events in a length of time, kept as a fraction so that due times are exact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Events in each period; zero means never.
    pub events: u64,
    /// The period, in nanoseconds; never zero.
    pub period_nanos: u64,
}

impl Rate {
    /// Events per second, for printing and for distributions.
    #[must_use]
    pub fn per_second(self) -> f64 {
        self.events as f64 * 1e9 / self.period_nanos as f64
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let per_second = self.per_second();
        if per_second >= 1.0 || per_second == 0.0 {
            write!(f, "{}/s", significant(per_second))
        } else {
            write!(f, "{}/min", significant(per_second * 60.0))
        }
    }
}

/// US dollars, in whole picodollars (10⁻¹² of a dollar).
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(transparent)]
pub struct Usd {
    /// Picodollars; one dollar is 10¹².
    pub pico: u64,
}

impl Usd {
    /// Nothing.
    pub const ZERO: Self = Self { pico: 0 };

    /// Dollars as a floating-point number, for printing only.
    #[must_use]
    pub fn dollars(self) -> f64 {
        self.pico as f64 / 1e12
    }
}

impl AddAssign for Usd {
    fn add_assign(&mut self, other: Self) {
        self.pico = self.pico.saturating_add(other.pico);
    }
}

impl fmt::Display for Usd {
    /// Cents for amounts of a dollar and more, four significant digits below.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dollars = self.dollars();
        if self.pico == 0 || dollars >= 1.0 {
            write!(f, "${dollars:.2}")
        } else {
            write!(f, "${dollars:.4}")
        }
    }
}

/// A number with about three significant digits and no trailing zeros, for people.
#[must_use]
pub fn significant(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return format!("{value}");
    }
    let digits = 2 - value.abs().log10().floor() as i32;
    if digits <= 0 {
        return grouped(value.round() as i64);
    }
    let text = format!("{value:.*}", digits.unsigned_abs() as usize);
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

/// A whole number with commas between thousands.
#[must_use]
pub fn grouped(value: i64) -> String {
    let digits = value.unsigned_abs().to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3 + 1);
    if value < 0 {
        text.push('-');
    }
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_for_people() {
        let shown: Vec<String> = [0.0, 0.012_34, 1.0, 1.5, 12.34, 123.4, 1234.0, 1_234_567.0]
            .map(significant)
            .to_vec();
        assert_eq!(
            shown,
            [
                "0",
                "0.0123",
                "1",
                "1.5",
                "12.3",
                "123",
                "1,234",
                "1,234,567"
            ]
        );
        assert_eq!(grouped(-1_234), "-1,234");
    }

    #[test]
    fn quantities_print_with_their_unit() {
        assert_eq!(Share::percent(2).to_string(), "2 %");
        assert_eq!(
            Usd {
                pico: 1_230_000_000_000
            }
            .to_string(),
            "$1.23"
        );
        assert_eq!(
            Usd {
                pico: 4_500_000_000
            }
            .to_string(),
            "$0.0045"
        );
        assert_eq!(
            Rate {
                events: 3,
                period_nanos: 60_000_000_000
            }
            .to_string(),
            "3/min"
        );
    }
}
