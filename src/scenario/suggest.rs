//! "Did you mean": the nearest of some names, and how a list of names is written.

/// Longer words are not compared: nobody mistypes a name by this much.
const LONGEST_WORD: usize = 80;

/// The nearest name, if one is near enough to be meant: at most a third of the word is wrong.
pub(super) fn closest<'a>(word: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if word.len() > LONGEST_WORD {
        return None;
    }
    let written = word.to_lowercase().replace('-', "_");
    let tolerance = (word.chars().count() / 3).max(1);
    names
        .into_iter()
        .map(|name| {
            (
                strsim::osa_distance(&written, &name.replace('-', "_")),
                name,
            )
        })
        .filter(|&(distance, _)| distance <= tolerance)
        .min()
        .map(|(_, name)| name)
}

/// Names in backticks with commas and an "and".
pub(super) fn listed<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let names: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
    match names.as_slice() {
        [] => "nothing".to_owned(),
        [one] => one.clone(),
        [most @ .., last] => format!("{} and {last}", most.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_is_a_third_of_the_word() {
        let names = ["duration", "drain", "max_requests"];
        assert_eq!(closest("duraton", names), Some("duration"));
        assert_eq!(closest("max-requests", names), Some("max_requests"));
        assert_eq!(closest("Drain", names), Some("drain"));
        assert_eq!(closest("burst", names), None);
        assert_eq!(closest(&"x".repeat(1_000_000), names), None);
    }

    #[test]
    fn lists_end_in_and() {
        assert_eq!(listed(["a"]), "`a`");
        assert_eq!(listed(["a", "b", "c"]), "`a`, `b` and `c`");
    }
}
