//! What was used of a quota in the last sixty seconds, second by second.

use bedload::time::{Instant, NANOS_PER_SECOND};
use bedload::units::Tokens;

const SECONDS: usize = 60;

/// Requests and tokens of the last sixty seconds.
#[derive(Clone, Debug)]
pub struct Minute {
    /// By second of the run, modulo sixty.
    slots: [(u64, Tokens); SECONDS],
    second: u64,
}

impl Default for Minute {
    fn default() -> Self {
        Self {
            slots: [(0, Tokens::ZERO); SECONDS],
            second: 0,
        }
    }
}

impl Minute {
    /// Lets time pass.
    pub fn advance(&mut self, now: Instant) {
        let second = now.as_nanos() / NANOS_PER_SECOND;
        let passed = second.saturating_sub(self.second).min(SECONDS as u64);
        for later in 1..=passed {
            // Whatever the distance, at most sixty slots are emptied.
            let slot = (second - passed + later) % SECONDS as u64;
            self.slots[slot as usize] = (0, Tokens::ZERO);
        }
        self.second = self.second.max(second);
    }

    /// A call that took so many tokens ended at `at`; late news counts in the second that it is.
    pub fn add(&mut self, at: Instant, tokens: Tokens) {
        self.advance(at);
        let slot = &mut self.slots[(self.second % SECONDS as u64) as usize];
        slot.0 += 1;
        slot.1 += tokens;
    }

    /// Requests of the last sixty seconds.
    pub fn requests(&self) -> u64 {
        self.slots.iter().map(|slot| slot.0).sum()
    }

    /// Tokens of the last sixty seconds.
    pub fn tokens(&self) -> Tokens {
        self.slots.iter().map(|slot| slot.1).sum()
    }
}
