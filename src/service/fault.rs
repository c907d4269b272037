//! What goes wrong on purpose: which calls, and how.
//!
//! Promises: whether a fault strikes depends on the seed, the call's number and its attempt, or on
//! the count of calls, or on the time, and on nothing else; so the simulator and the stub strike the
//! same calls. Faults do not disturb each other's draws.
//!
//! Deliberately not: bytes. How a broken answer looks on the wire is the stub's affair.

use std::time::Duration;

use rand::RngExt as _;

use super::Call;
use crate::outcome::{Failure, ModelIndex};
use crate::rng::{Seed, Stream};
use crate::time::Instant;
use crate::units::Share;

/// Something that goes wrong with some calls.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    /// What goes wrong.
    pub kind: FaultKind,
    /// With which calls.
    pub when: When,
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// The call is refused with an error of the service.
    Refuse(Failure),
    /// The first token, or the refusal, comes so much later.
    Delay(Duration),
    /// The answer pauses so long in its middle.
    Stall(Duration),
    /// The answer is broken.
    Break(Flaw),
}

/// How an answer is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// An error of the service in the middle: a frame of a stream, or a late refusal of a call whose
    /// answer would come whole.
    Exception(Failure),
    /// The connection is reset before the answer's head.
    ResetBeforeHead,
    /// The connection is reset after the answer's head.
    ResetAfterHead,
    /// The connection is reset in the middle of the answer's body.
    ResetMidBody,
    /// The connection is closed in the middle of a chunk of the body.
    TruncatedChunk,
    /// A frame's checksum is wrong; an answer that comes whole has none, and gets a wrong byte.
    Corrupt,
    /// The body ends cleanly, but before the answer does.
    EarlyEnd,
    /// The body is somebody else's, and says so: HTML, such as a proxy's.
    ContentType,
    /// There is no body.
    EmptyBody,
    /// The body is larger than anybody expects; it is right all the same.
    LargeBody,
}

/// With which calls a fault strikes: those for which all that is given here holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct When {
    /// Calls to this model only.
    pub model: Option<ModelIndex>,
    /// So many of them, by chance.
    pub share: Option<Share>,
    /// Those that are counted so, from 1, in order of arrival (attempts count apart, and of those
    /// only the ones to `model`). Sorted.
    pub calls: Option<Vec<u64>>,
    /// Those that arrive in this time.
    pub during: Option<During>,
}

/// A length of time since the run began, once or again and again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct During {
    /// When it begins.
    pub from: Duration,
    /// When it has ended; after `from`.
    pub to: Duration,
    /// How long it is until it begins again; none if it never does. At least `to` - `from`.
    pub every: Option<Duration>,
}

impl Flaw {
    /// What whoever asked takes the answer for; none if it can be used.
    #[must_use]
    pub const fn seen_as(self, streams: bool) -> Option<Failure> {
        match self {
            Self::Exception(failure) => Some(failure),
            Self::ResetBeforeHead => Some(Failure::Transport),
            Self::ResetAfterHead | Self::ResetMidBody | Self::TruncatedChunk if streams => {
                Some(Failure::Interrupted)
            }
            Self::ResetAfterHead | Self::ResetMidBody | Self::TruncatedChunk => {
                Some(Failure::Transport)
            }
            Self::EarlyEnd | Self::EmptyBody if streams => Some(Failure::Interrupted),
            Self::Corrupt | Self::ContentType | Self::EarlyEnd | Self::EmptyBody => {
                Some(Failure::Unreadable)
            }
            Self::LargeBody => None,
        }
    }
}

impl During {
    fn holds(&self, at: Instant) -> bool {
        let since = at.since(Instant::ZERO);
        let Some(since) = since.checked_sub(self.from) else {
            return false;
        };
        let length = self.to.saturating_sub(self.from);
        match self.every {
            Some(every) if !every.is_zero() => {
                since.as_nanos() % every.as_nanos() < length.as_nanos()
            }
            _ => since < length,
        }
    }
}

/// All that strikes one call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Strike {
    pub refusal: Option<Failure>,
    pub delay: Duration,
    pub stall: Duration,
    pub flaw: Option<Flaw>,
}

/// The faults of a service, and how many calls each has seen.
#[derive(Debug)]
pub(super) struct Faults {
    faults: Vec<(Fault, u64)>,
    seed: Seed,
}

impl Faults {
    pub fn new(faults: &[Fault], seed: Seed) -> Self {
        Self {
            faults: faults.iter().map(|fault| (fault.clone(), 0)).collect(),
            seed,
        }
    }

    /// What strikes this call. Delays and stalls add up; of refusals and of flaws the first counts.
    pub fn strike(&mut self, now: Instant, call: &Call) -> Strike {
        let mut strike = Strike::default();
        if self.faults.is_empty() {
            return strike;
        }
        let mut rng = self
            .seed
            .keyed(Stream::Fault, call.request, u64::from(call.attempt));
        for (Fault { kind, when }, seen) in &mut self.faults {
            // Drawn for every fault, so that none shifts another's.
            let drawn: u32 = rng.random_range(0..1_000_000);
            if when.model.is_some_and(|model| model != call.model) {
                continue;
            }
            *seen += 1;
            let listed = |calls: &Vec<u64>| calls.binary_search(seen).is_ok();
            let strikes = when.share.is_none_or(|share| drawn < share.ppm)
                && when.calls.as_ref().is_none_or(listed)
                && when.during.is_none_or(|during| during.holds(now));
            if strikes {
                strike.add(*kind);
            }
        }
        strike
    }
}

impl Strike {
    fn add(&mut self, kind: FaultKind) {
        match kind {
            FaultKind::Refuse(failure) => {
                self.refusal.get_or_insert(failure);
            }
            FaultKind::Delay(delay) => self.delay = self.delay.saturating_add(delay),
            FaultKind::Stall(stall) => self.stall = self.stall.saturating_add(stall),
            FaultKind::Break(flaw) => {
                self.flaw.get_or_insert(flaw);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Tokens;

    fn call(request: u64, attempt: u32, model: u16) -> Call {
        Call {
            request,
            attempt,
            model: ModelIndex(model),
            streams: false,
            input: Tokens(1),
            max_tokens: Tokens(1),
            output: Tokens(1),
        }
    }

    fn refused(when: When) -> Fault {
        Fault {
            kind: FaultKind::Refuse(Failure::Unavailable),
            when,
        }
    }

    fn struck(faults: &[Fault], calls: impl IntoIterator<Item = (u64, Call)>) -> Vec<usize> {
        let mut faults = Faults::new(faults, Seed(3));
        let struck = calls
            .into_iter()
            .enumerate()
            .filter_map(|(place, (ms, call))| {
                let strike = faults.strike(Instant::from_millis(ms), &call);
                strike.refusal.map(|_| place)
            });
        struck.collect()
    }

    #[test]
    fn a_schedule_counts_the_calls_to_its_model() {
        let when = When {
            model: Some(ModelIndex(1)),
            calls: Some(vec![2, 3]),
            ..When::default()
        };
        let calls = [1, 0, 1, 1, 1].map(|model| (0, call(0, 1, model)));
        assert_eq!(struck(&[refused(when)], calls), [2, 3]);
    }

    #[test]
    fn an_interval_comes_again() {
        let second = Duration::from_secs(1);
        let during = During {
            from: second,
            to: second * 2,
            every: Some(second * 10),
        };
        let when = |during| When {
            during: Some(during),
            ..When::default()
        };
        let calls = || [999, 1_000, 1_999, 2_000, 11_500].map(|ms| (ms, call(0, 1, 0)));
        assert_eq!(struck(&[refused(when(during))], calls()), [1, 2, 4]);
        let once = During {
            every: None,
            ..during
        };
        assert_eq!(struck(&[refused(when(once))], calls()), [1, 2]);
    }

    #[test]
    fn chance_is_the_calls_own_and_no_other_fault_shifts_it() {
        let tenth = || {
            refused(When {
                share: Some(Share::percent(10)),
                ..When::default()
            })
        };
        let slow = Fault {
            kind: FaultKind::Delay(Duration::from_secs(1)),
            when: When::default(),
        };
        let calls = || (0..10_000).map(|request| (request, call(request, 1, 0)));
        let alone = struck(&[tenth()], calls());
        assert!((900..1_100).contains(&alone.len()), "{}", alone.len());
        assert_eq!(struck(&[tenth(), slow], calls()), alone);
        let mut backwards: Vec<usize> = struck(&[tenth()], calls().rev())
            .into_iter()
            .map(|place| 9_999 - place)
            .collect();
        backwards.reverse();
        assert_eq!(backwards, alone);
        let second: Vec<_> = (0..10_000)
            .map(|request| (request, call(request, 2, 0)))
            .collect();
        assert_ne!(struck(&[tenth()], second), alone);
    }
}
