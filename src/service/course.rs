//! The course of an answer: when each token is there, and where the answer breaks off, if it does.
//!
//! Promises: pure arithmetic on whole nanoseconds. The simulator tells the client's outcome from it,
//! the stub plays it, and the service settles by it, so that the three cannot disagree.
//!
//! Of n tokens, token i (from 0) is there at `first_token` + i/n of the time of generation, and the
//! end follows the last token as one token follows another. A stall lies before the middle token.

use std::time::Duration;

use super::fault::Flaw;
use crate::outcome::{Failure, Gaps, StopReason};
use crate::time::{Instant, nanos};
use crate::units::{TokenUsage, Tokens};

/// The course of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Course {
    /// When the call arrived.
    pub arrived: Instant,
    /// When its first token is there.
    pub first_token: Instant,
    /// When the whole answer is complete.
    pub complete: Instant,
    /// The part of that time in which nothing is generated.
    pub stall: Duration,
    /// The tokens of the whole answer.
    pub usage: TokenUsage,
    /// Why it ends.
    pub stop: StopReason,
    /// How it is broken, if it is.
    pub flaw: Option<Flaw>,
    /// Whether it is sent token by token.
    pub streams: bool,
}

impl Course {
    /// When token `index`, from 0, is there.
    #[must_use]
    pub fn token(&self, index: u64) -> Instant {
        let output = self.usage.output.0.max(1);
        let generation = nanos((self.complete - self.first_token).saturating_sub(self.stall));
        let part = u128::from(generation) * u128::from(index.min(output)) / u128::from(output);
        let part = Duration::from_nanos(u64::try_from(part).unwrap_or(u64::MAX));
        let stall = if index >= self.middle().max(1) {
            self.stall
        } else {
            Duration::ZERO
        };
        self.first_token + part + stall
    }

    /// The token before which a broken answer breaks.
    #[must_use]
    pub const fn middle(&self) -> u64 {
        self.usage.output.0.div_ceil(2)
    }

    /// How many tokens are there at `at`.
    #[must_use]
    pub fn tokens_by(&self, at: Instant) -> u64 {
        let (mut there, mut not_there) = (0, self.usage.output.0);
        while there < not_there {
            let between = there + (not_there - there) / 2;
            if self.token(between) <= at {
                there = between + 1;
            } else {
                not_there = between;
            }
        }
        there
    }

    /// When its last byte leaves, and how many of its tokens have left by then.
    #[must_use]
    pub fn end(&self) -> (Instant, Tokens) {
        let middle = (self.token(self.middle()), Tokens(self.middle()));
        let head = (self.first_token, Tokens::ZERO);
        let whole = (self.complete, self.usage.output);
        match self.flaw {
            None | Some(Flaw::LargeBody) => whole,
            Some(Flaw::Exception(_)) => middle,
            Some(flaw) if self.streams => match flaw {
                Flaw::ResetBeforeHead
                | Flaw::ResetAfterHead
                | Flaw::ContentType
                | Flaw::EmptyBody => head,
                _ => middle,
            },
            Some(Flaw::ResetBeforeHead) => middle,
            Some(_) => whole,
        }
    }

    /// What it has cost when it has ended as it does.
    #[must_use]
    pub fn spent(&self) -> TokenUsage {
        TokenUsage {
            output: self.end().1,
            ..self.usage
        }
    }

    /// The same, so much later.
    #[must_use]
    pub fn later(self, by: Duration) -> Self {
        Self {
            arrived: self.arrived + by,
            first_token: self.first_token + by,
            complete: self.complete + by,
            ..self
        }
    }

    /// What whoever asked takes it for; none if it is an answer.
    #[must_use]
    pub fn seen_as(&self) -> Option<Failure> {
        self.flaw?.seen_as(self.streams)
    }

    /// The pauses between its tokens.
    #[must_use]
    pub fn gaps(&self) -> Gaps {
        let mut gaps = Gaps::default();
        let output = self.usage.output.0;
        if !self.streams || output < 2 {
            return gaps;
        }
        let stalled = self.middle().max(1);
        self.even_gaps(1, stalled, &mut gaps);
        if stalled < output {
            gaps.push(self.token(stalled) - self.token(stalled - 1), 1);
            self.even_gaps(stalled + 1, output, &mut gaps);
        }
        gaps
    }

    /// The pauses before tokens `from..to`, which differ by a nanosecond at most.
    fn even_gaps(&self, from: u64, to: u64, gaps: &mut Gaps) {
        if from >= to {
            return;
        }
        let number = to - from;
        let all = nanos(self.token(to - 1) - self.token(from - 1));
        let (short, longer) = (all / number, all % number);
        gaps.push(Duration::from_nanos(short), number - longer);
        gaps.push(Duration::from_nanos(short + 1), longer);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    prop_compose! {
        fn any_course()(
            output in 0_u64..300,
            wait in 0_u64..1_000_000,
            generation in 0_u64..1_000_000_000,
            stall in prop_oneof![Just(0), 0_u64..1_000_000_000],
            streams in any::<bool>(),
            flaw in prop::option::of(prop::sample::select(vec![
                Flaw::Exception(Failure::ModelError), Flaw::ResetBeforeHead, Flaw::ResetAfterHead,
                Flaw::ResetMidBody, Flaw::TruncatedChunk, Flaw::Corrupt, Flaw::EarlyEnd,
                Flaw::ContentType, Flaw::EmptyBody, Flaw::LargeBody,
            ])),
        ) -> Course {
            let first_token = Instant::from_nanos(wait);
            Course {
                arrived: Instant::ZERO,
                first_token,
                complete: first_token + Duration::from_nanos(generation + stall),
                stall: Duration::from_nanos(stall),
                usage: TokenUsage { output: Tokens(output), ..TokenUsage::default() },
                stop: StopReason::EndTurn,
                flaw,
                streams,
            }
        }
    }

    proptest! {
        #[test]
        fn tokens_come_in_order_between_the_first_and_the_end(course in any_course()) {
            let output = course.usage.output.0;
            prop_assert_eq!(course.token(0), course.first_token);
            prop_assert_eq!(course.token(output.max(1)), course.complete);
            for index in 0..output {
                prop_assert!(course.token(index) <= course.token(index + 1));
            }
        }

        #[test]
        fn gaps_are_the_pauses_between_tokens(course in any_course()) {
            let output = course.usage.output.0;
            let pauses = if course.streams { output.saturating_sub(1) } else { 0 };
            let (mut times, mut all) = (0, Duration::ZERO);
            for (gap, count) in course.gaps().iter() {
                times += count;
                all += gap * u32::try_from(count).expect("few");
            }
            prop_assert_eq!(times, pauses);
            if pauses > 0 {
                prop_assert_eq!(all, course.token(output - 1) - course.token(0));
            }
        }

        #[test]
        fn as_many_tokens_are_there_as_have_come(course in any_course(), at in 0_u64..2_000_000_000) {
            let at = Instant::from_nanos(at);
            let come = (0..course.usage.output.0).filter(|&index| course.token(index) <= at);
            prop_assert_eq!(course.tokens_by(at), come.count() as u64);
        }

        #[test]
        fn what_breaks_off_costs_no_more_than_the_whole(course in any_course()) {
            let (end, tokens) = course.end();
            prop_assert!(end <= course.complete && tokens <= course.usage.output);
            if course.seen_as().is_none() {
                prop_assert_eq!(course.spent(), course.usage);
            }
        }
    }
}
