//! Points in time as recordings write them.

use jiff::Timestamp;

/// Nanoseconds since 1970; a time without a zone is taken to be UTC.
pub(super) fn nanos(text: &str) -> Option<i64> {
    let text = text.trim();
    let timestamp: Timestamp = text.parse().or_else(|_| format!("{text}Z").parse()).ok()?;
    i64::try_from(timestamp.as_nanosecond()).ok()
}

/// A date and time as scenarios and traces write them: `2026-11-23 10:15:00.250000000`.
pub(super) fn written(nanos: i64) -> String {
    let timestamp = Timestamp::from_nanosecond(i128::from(nanos)).unwrap_or_default();
    timestamp.strftime("%Y-%m-%d %H:%M:%S.%9f").to_string()
}

/// A date and time for people, to the minute.
pub(super) fn shown(nanos: i64) -> String {
    let timestamp = Timestamp::from_nanosecond(i128::from(nanos)).unwrap_or_default();
    timestamp.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_as_recordings_write_them() {
        let second = 1_700_158_623_000_000_000;
        for (text, nanos_after) in [
            ("2023-11-16 18:17:03.9799600", 979_960_000),
            ("2023-11-16 18:17:03.979960+00:00", 979_960_000),
            ("2023-11-16T18:17:03Z", 0),
            ("2023-11-16T19:17:03+01:00", 0),
            ("2023-11-16 18:17:03", 0),
        ] {
            assert_eq!(nanos(text), Some(second + nanos_after), "{text}");
        }
        assert_eq!(nanos("yesterday"), None);
        assert_eq!(written(second + 5), "2023-11-16 18:17:03.000000005");
    }
}
