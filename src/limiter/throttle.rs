//! The reaction to throttles: how much of the limits is in use.
//!
//! Promises: a cut always recovers, whether or not anything else happens, and the share stays within
//! its bounds.

use std::time::Duration;

use super::Reaction;
use crate::time::Instant;
use crate::units::Share;

const WHOLE: Share = Share::percent(100);

/// No interval is shorter: time that does not pass gives nothing back.
const SHORTEST: Duration = Duration::from_millis(1);

/// How much of the limits is in use, and when the next part comes back.
#[derive(Clone, Copy, Debug)]
pub(super) struct Throttle {
    reaction: Reaction,
    share: Share,
    last_cut: Option<Instant>,
    next_step: Option<Instant>,
}

impl Throttle {
    /// All of them.
    pub const fn new(reaction: Reaction) -> Self {
        Self {
            reaction,
            share: WHOLE,
            last_cut: None,
            next_step: None,
        }
    }

    /// The service has throttled a call; whether that changes the share.
    pub fn cut(&mut self, now: Instant) -> bool {
        let again = self
            .last_cut
            .is_some_and(|last| now.since(last) < self.reaction.interval);
        if again {
            return false;
        }
        self.last_cut = Some(now);
        self.next_step = Some(now + self.reaction.interval.max(SHORTEST));
        let less = part_of(self.share, self.reaction.decrease).max(self.reaction.floor);
        let cut = less < self.share;
        if cut {
            self.share = less;
        }
        cut
    }

    /// When the share grows next, if nothing happens; none while it is whole.
    pub const fn next_step(&self) -> Option<Instant> {
        self.next_step
    }

    /// Takes the step that is due.
    pub fn step(&mut self) {
        if let Some(at) = self.next_step.take() {
            let grown = self
                .share
                .ppm
                .saturating_add(self.reaction.increase.ppm.max(1));
            self.share.ppm = grown.min(WHOLE.ppm);
            if self.share < WHOLE {
                self.next_step = Some(at + self.reaction.interval.max(SHORTEST));
            }
        }
    }

    /// The share of the limits in use.
    pub const fn share(&self) -> Share {
        self.share
    }
}

/// A share of a share.
pub(super) fn part_of(whole: Share, part: Share) -> Share {
    let ppm = u64::from(whole.ppm) * u64::from(part.ppm) / 1_000_000;
    Share {
        ppm: u32::try_from(ppm).unwrap_or(u32::MAX),
    }
}
