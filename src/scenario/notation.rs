//! How quantities are written: `"1.5s"`, `"90/min"`, `"2%"`, `"$0.50"`.
//!
//! Promises: decimals become whole nanoseconds, events, parts per million and picodollars without
//! passing through a float, so `"0.1/s"` is exactly one event in ten seconds; what cannot be kept
//! exactly is refused, and every refusal says what is wrong with the text.
//!
//! Deliberately not: TOML, keys and places; those are `value` and `raw`.

use std::time::Duration;

use crate::units::{Rate, Share, Usd};

/// Units of time, in nanoseconds.
const TIME_UNITS: [(&str, u64); 7] = [
    ("ns", 1),
    ("us", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
    ("d", 86_400_000_000_000),
];

/// Reads a length of time: `"1500ms"`, `"1.5s"`, `"1m30s"`.
pub fn duration(text: &str) -> Result<Duration, String> {
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err("it is empty".to_owned());
    }
    let mut nanos: u128 = 0;
    while !rest.is_empty() {
        let (number, behind) = split_number(rest)?;
        let behind = behind.trim_start();
        let end = behind
            .find(|c: char| !c.is_alphabetic())
            .unwrap_or(behind.len());
        let (name, after) = behind.split_at(end);
        let unit = time_unit(name)?;
        nanos += number
            .times(u128::from(unit))
            .ok_or("it is finer than a nanosecond or longer than can be counted")?;
        rest = after.trim_start();
    }
    u64::try_from(nanos)
        .map(Duration::from_nanos)
        .map_err(|_| "it is longer than can be counted".to_owned())
}

/// Reads a rate: `"2/s"`, `"90/min"`, `"0.5/s"`, `"3600/h"`.
pub(super) fn rate(text: &str) -> Result<Rate, String> {
    let Some((events, period)) = text.split_once('/') else {
        return Err("a rate has a `/` and a unit of time".to_owned());
    };
    let (number, behind) = split_number(events.trim())?;
    if !behind.is_empty() {
        return Err(format!("`{behind}` before the `/` is not part of a number"));
    }
    let period = match period.trim() {
        "s" => 1_000_000_000,
        "m" | "min" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        other => {
            return Err(format!(
                "unknown unit `{other}`; rates are per `s`, `min` or `h`"
            ));
        }
    };
    number
        .rate(period)
        .ok_or_else(|| "it has too many digits".to_owned())
}

/// Reads a share of a whole: `"2%"`.
pub fn share(text: &str) -> Result<Share, String> {
    let Some(percent) = text.trim().strip_suffix('%') else {
        return Err("a share ends in `%`".to_owned());
    };
    let (number, behind) = split_number(percent.trim_end())?;
    if !behind.is_empty() {
        return Err(format!("`{behind}` is not part of a number"));
    }
    let ppm = number.times(10_000).ok_or("it is finer than a millionth")?;
    u32::try_from(ppm)
        .map(|ppm| Share { ppm })
        .map_err(|_| "it is too large".to_owned())
}

/// Reads an amount of money: `"$5"`, `"$0.50"`.
pub(super) fn money(text: &str) -> Result<Usd, String> {
    let Some(dollars) = text.trim().strip_prefix('$') else {
        return Err("an amount of money begins with `$`".to_owned());
    };
    let (number, behind) = split_number(dollars)?;
    if !behind.is_empty() {
        return Err(format!("`{behind}` is not part of a number"));
    }
    let pico = number
        .times(1_000_000_000_000)
        .ok_or("it is finer than a picodollar")?;
    u64::try_from(pico)
        .map(|pico| Usd { pico })
        .map_err(|_| "it is too large".to_owned())
}

fn time_unit(name: &str) -> Result<u64, String> {
    TIME_UNITS
        .iter()
        .find(|(unit, _)| *unit == name)
        .map(|&(_, nanos)| nanos)
        .ok_or_else(|| {
            if name.is_empty() {
                "the unit is missing".to_owned()
            } else {
                format!(
                    "unknown unit `{name}`; the units are `ns`, `us`, `ms`, `s`, `m`, `h` and `d`"
                )
            }
        })
}

/// A decimal as it was written: `digits / 10^decimals`.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Decimal {
    digits: u128,
    decimals: u32,
}

impl Decimal {
    /// The product, if it is whole and can be counted.
    fn times(self, factor: u128) -> Option<u128> {
        let product = self.digits.checked_mul(factor)?;
        let divisor = 10_u128.pow(self.decimals);
        product.is_multiple_of(divisor).then(|| product / divisor)
    }

    /// So many events in each period, as the fraction with the fewest digits.
    fn rate(self, period_nanos: u64) -> Option<Rate> {
        let scale = 10_u128.pow(self.decimals);
        let common = greatest_common_divisor(self.digits, scale);
        let events = u64::try_from(self.digits / common).ok()?;
        let period_nanos = u64::try_from(scale / common)
            .ok()?
            .checked_mul(period_nanos)?;
        Some(Rate {
            events,
            period_nanos,
        })
    }
}

const fn greatest_common_divisor(a: u128, b: u128) -> u128 {
    if b == 0 {
        a
    } else {
        greatest_common_divisor(b, a % b)
    }
}

/// The number at the beginning of the text, and what is behind it. Underscores group digits.
fn split_number(text: &str) -> Result<(Decimal, &str), String> {
    if text.starts_with('-') {
        return Err("it is negative".to_owned());
    }
    let end = text
        .find(|c: char| !(c.is_ascii_digit() || c == '.' || c == '_'))
        .unwrap_or(text.len());
    let (written, behind) = text.split_at(end);
    let (whole, part) = written.split_once('.').unwrap_or((written, ""));
    let digits: String = whole
        .chars()
        .chain(part.chars())
        .filter(|&c| c != '_')
        .collect();
    if digits.is_empty() || part.contains('.') {
        return Err("it does not begin with a number".to_owned());
    }
    let decimals = part.chars().filter(|&c| c != '_').count();
    if digits.len() > 24 {
        return Err("it has too many digits".to_owned());
    }
    let digits = digits
        .parse()
        .map_err(|_| "it does not begin with a number".to_owned())?;
    let decimals = u32::try_from(decimals).map_err(|_| "it has too many digits".to_owned())?;
    Ok((Decimal { digits, decimals }, behind))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lengths_of_time() {
        let millis = |text| duration(text).map(|length| length.as_millis());
        assert_eq!(millis("1500ms"), Ok(1_500));
        assert_eq!(millis("1.5s"), Ok(1_500));
        assert_eq!(millis("1m30s"), Ok(90_000));
        assert_eq!(millis("1.5h"), Ok(5_400_000));
        assert_eq!(duration("1_000us"), Ok(Duration::from_millis(1)));
        assert_eq!(duration("0s"), Ok(Duration::ZERO));
        for (text, problem) in [
            ("", "it is empty"),
            ("-1s", "it is negative"),
            ("12", "the unit is missing"),
            ("s", "it does not begin with a number"),
            (
                "0.1ns",
                "it is finer than a nanosecond or longer than can be counted",
            ),
            ("999999d", "it is longer than can be counted"),
        ] {
            assert_eq!(duration(text), Err(problem.to_owned()), "{text}");
        }
        assert!(duration("3 fortnights").is_err_and(|problem| problem.contains("unit")));
    }

    #[test]
    fn rates_are_exact_fractions() {
        let fraction = |text| rate(text).map(|rate| (rate.events, rate.period_nanos));
        assert_eq!(fraction("1/s"), Ok((1, 1_000_000_000)));
        assert_eq!(fraction("90/min"), Ok((90, 60_000_000_000)));
        assert_eq!(fraction("0.5/s"), Ok((1, 2_000_000_000)));
        assert_eq!(fraction("0.1/s"), Ok((1, 10_000_000_000)));
        assert_eq!(fraction("2.25/s"), Ok((9, 4_000_000_000)));
        assert_eq!(fraction("3600/h"), Ok((3_600, 3_600_000_000_000)));
        assert_eq!(fraction("0/s"), Ok((0, 1_000_000_000)));
        assert_eq!(fraction("-1/s"), Err("it is negative".to_owned()));
        assert_eq!(
            fraction("0.00000000000000000001/s"),
            Err("it has too many digits".to_owned())
        );
        assert!(rate("1").is_err() && rate("1/fortnight").is_err() && rate("x/s").is_err());
    }

    #[test]
    fn shares_and_money() {
        assert_eq!(share("2%"), Ok(Share::percent(2)));
        assert_eq!(share("0.5 %"), Ok(Share { ppm: 5_000 }));
        assert_eq!(
            money("$5"),
            Ok(Usd {
                pico: 5_000_000_000_000
            })
        );
        assert_eq!(
            money("$0.50"),
            Ok(Usd {
                pico: 500_000_000_000
            })
        );
        assert!(share("2").is_err() && share("0.00001%").is_err() && money("5").is_err());
    }

    proptest! {
        #[test]
        fn no_text_panics(text in ".*") {
            let _ = (duration(&text), rate(&text), share(&text), money(&text));
        }

        #[test]
        fn a_decimal_rate_is_its_integer_rate_scaled(milli in 1_u64..1_000_000_000) {
            let text = format!("{}.{:03}/s", milli / 1_000, milli % 1_000);
            let Rate { events, period_nanos } = rate(&text).unwrap_or(Rate { events: 0, period_nanos: 1 });
            prop_assert_eq!(
                u128::from(events) * 1_000_000_000_000,
                u128::from(milli) * u128::from(period_nanos)
            );
        }
    }
}
