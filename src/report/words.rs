//! Numbers as people say them.
//!
//! Promises: three significant digits, thousands grouped, and a unit on each number.

use crate::units::{grouped, significant};

/// A whole number with commas between thousands.
pub(super) fn count(value: u64) -> String {
    grouped(i64::try_from(value).unwrap_or(i64::MAX))
}

/// A number of things: `1 request`, `600 requests`.
pub(super) fn counted(value: u64, thing: &str) -> String {
    let ending = if value == 1 { "" } else { "s" };
    format!("{} {thing}{ending}", count(value))
}

/// A length of time: `45 µs`, `312 ms`, `1.24 s`, `60 s`, `2 min 5 s`, `1 h 3 min`.
pub(super) fn length(nanos: u64) -> String {
    let value = nanos as f64;
    // Each unit ends where its number would be rounded up to the next one's 1.
    match nanos {
        0 => "0 s".to_owned(),
        1..1_000 => format!("{nanos} ns"),
        1_000..999_500 => format!("{} µs", significant(value / 1e3)),
        999_500..999_500_000 => format!("{} ms", significant(value / 1e6)),
        999_500_000..119_500_000_000 => format!("{} s", significant(value / 1e9)),
        _ => whole_length((value / 1e9).round() as u64),
    }
}

fn whole_length(seconds: u64) -> String {
    let (large, small, units) = if seconds < 3_600 {
        (seconds / 60, seconds % 60, ("min", "s"))
    } else {
        (seconds / 3_600, seconds % 3_600 / 60, ("h", "min"))
    };
    if small == 0 {
        format!("{} {}", count(large), units.0)
    } else {
        format!("{} {} {small} {}", count(large), units.0, units.1)
    }
}

/// A length of time that is given in seconds.
pub(super) fn seconds(value: f64) -> String {
    length((value * 1e9) as u64)
}

/// A part of one, in hundredths.
pub(super) fn percent(share: f64) -> String {
    format!("{} %", significant(share * 100.0))
}

/// What part of `whole` it is, in parentheses with a space before; nothing of nothing.
pub(super) fn part_of(part: u64, whole: u64) -> String {
    if whole == 0 {
        return String::new();
    }
    format!(" ({})", percent(part as f64 / whole as f64))
}

/// The text broken into lines of at most `width` characters, at spaces. A longer word has a line
/// of its own, because a path that is cut cannot be copied.
pub(super) fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut used = 0;
    for word in text.split(' ') {
        let length = word.chars().count();
        if used > 0 && used + 1 + length > width {
            lines.push(String::new());
            used = 0;
        }
        let line = lines.last_mut().expect("there is always a line");
        if used > 0 {
            line.push(' ');
            used += 1;
        }
        line.push_str(word);
        used += length;
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_have_three_digits_and_the_unit_that_suits_them() {
        let shown = [
            0,
            999,
            45_000,
            999_499,
            999_500,
            312_000_000,
            999_600_000,
            1_240_000_000,
            60_000_000_000,
            119_499_000_000,
            119_500_000_000,
            125_000_000_000,
            3_600_000_000_000,
            3_780_000_000_000,
        ]
        .map(length);
        assert_eq!(
            shown,
            [
                "0 s",
                "999 ns",
                "45 µs",
                "999 µs",
                "1 ms",
                "312 ms",
                "1 s",
                "1.24 s",
                "60 s",
                "119 s",
                "2 min",
                "2 min 5 s",
                "1 h",
                "1 h 3 min",
            ]
        );
    }

    #[test]
    fn parts_are_said_in_hundredths() {
        assert_eq!(part_of(2, 600), " (0.333 %)");
        assert_eq!(part_of(0, 0), "");
        assert_eq!(counted(1, "request"), "1 request");
        assert_eq!(counted(1_200, "request"), "1,200 requests");
    }

    #[test]
    fn text_breaks_at_spaces_and_words_stay_whole() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(
            wrap("a reports/support-desk b", 5),
            ["a", "reports/support-desk", "b"]
        );
        assert_eq!(wrap("", 5), [""]);
    }
}
