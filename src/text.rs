//! Made-up text of a given length in tokens, and the guess that goes the other way.
//!
//! Promises: [`made_up`] and [`estimate_tokens`] are each other's inverse, so that the stub, which
//! counts what it is sent, finds as many tokens as the scenario asked for.
//!
//! Deliberately not: a tokenizer. Four characters to a token is a common rule of thumb for English;
//! real tokenizers differ by tens of per cent, and reports say by how much the guess was off.

use crate::units::Tokens;

/// Characters that count as one token.
pub const CHARACTERS_PER_TOKEN: u64 = 4;

/// ASCII, so that characters are bytes, and free of what JSON must escape.
const PASSAGE: &str = "The river carries what it can. Fine sand hangs in the water and travels as \
fast as the water does; pebbles roll and hop along the bed, and the great stones wait for a flood. \
Whoever wants to know what will move tomorrow measures the slope, the depth and the grain, and does \
not ask the stones. Above a threshold everything goes at once, below it nothing does, and most of \
the year is spent close to that line. ";

/// The number of tokens that a text of so many characters is guessed to have.
#[must_use]
pub const fn estimate_tokens(characters: u64) -> Tokens {
    Tokens(characters.div_ceil(CHARACTERS_PER_TOKEN))
}

/// Text that [`estimate_tokens`] finds to have so many tokens.
#[must_use]
pub fn made_up(tokens: Tokens) -> String {
    let length =
        usize::try_from(tokens.0.saturating_mul(CHARACTERS_PER_TOKEN)).unwrap_or(usize::MAX);
    let mut text = PASSAGE.repeat(length.div_ceil(PASSAGE.len()));
    text.truncate(length);
    text
}

/// Token `index` of any [`made_up`] text, from 0, without the others.
#[must_use]
pub fn made_up_token(index: u64) -> String {
    let length = PASSAGE.len() as u64;
    let start = index % length * CHARACTERS_PER_TOKEN;
    (start..start + CHARACTERS_PER_TOKEN)
        .map(|place| char::from(PASSAGE.as_bytes()[(place % length) as usize]))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_by_themselves_are_the_text() {
        let tokens = 3 * PASSAGE.len() as u64;
        let text: String = (0..tokens).map(made_up_token).collect();
        assert_eq!(text, made_up(Tokens(tokens)));
        assert_eq!(made_up_token(u64::MAX).len(), 4);
    }

    #[test]
    fn text_has_the_tokens_asked_for() {
        for tokens in [0, 1, 3, 100, 4321] {
            let text = made_up(Tokens(tokens));
            assert!(text.is_ascii() && !text.contains(['"', '\\', '\n']));
            assert_eq!(estimate_tokens(text.len() as u64), Tokens(tokens));
        }
    }
}
