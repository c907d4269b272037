//! The words with which a family says why generation stopped.
//!
//! Promises: reading never fails, since AWS adds words without notice; what is unknown or missing
//! is [`StopReason::Other`]. Families that say the same for a finished answer and for a stop
//! sequence are read as finished.

use crate::outcome::StopReason;

/// One family's words.
pub(super) struct StopWords {
    pub(super) end_turn: &'static str,
    pub(super) max_tokens: &'static str,
    pub(super) stop_sequence: &'static str,
    /// One of the words for anything else.
    pub(super) other: &'static str,
}

/// Claude, Nova and `Converse`.
pub(super) const MESSAGES: StopWords = StopWords {
    end_turn: "end_turn",
    max_tokens: "max_tokens",
    stop_sequence: "stop_sequence",
    other: "tool_use",
};

/// Llama, Mistral, DeepSeek and all that follow OpenAI.
pub(super) const COMPLETIONS: StopWords = StopWords {
    end_turn: "stop",
    max_tokens: "length",
    stop_sequence: "stop",
    other: "tool_calls",
};

/// Cohere's models.
pub(super) const COHERE: StopWords = StopWords {
    end_turn: "COMPLETE",
    max_tokens: "MAX_TOKENS",
    stop_sequence: "COMPLETE",
    other: "ERROR",
};

impl StopWords {
    /// The word for a reason.
    pub(super) const fn write(&self, stop: StopReason) -> &'static str {
        match stop {
            StopReason::EndTurn => self.end_turn,
            StopReason::MaxTokens => self.max_tokens,
            StopReason::StopSequence => self.stop_sequence,
            StopReason::Other => self.other,
        }
    }

    /// The reason behind a word. Case is ignored: Cohere's documentation and service differ in it.
    pub(super) fn read(&self, word: Option<&str>) -> StopReason {
        let is = |known: &str| word.is_some_and(|word| word.eq_ignore_ascii_case(known));
        if is(self.end_turn) {
            StopReason::EndTurn
        } else if is(self.max_tokens) {
            StopReason::MaxTokens
        } else if is(self.stop_sequence) {
            StopReason::StopSequence
        } else {
            StopReason::Other
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_and_missing_words_are_no_error() {
        assert_eq!(MESSAGES.read(None), StopReason::Other);
        assert_eq!(
            MESSAGES.read(Some("model_context_window_exceeded")),
            StopReason::Other
        );
    }

    #[test]
    fn case_does_not_matter() {
        assert_eq!(COHERE.read(Some("max_tokens")), StopReason::MaxTokens);
    }
}
