//! What the service has counted: each model's quota, and the calls that hold reservations.
//!
//! Promises: settlements happen at their own instants and in their order, however late the next call
//! comes; a call that nobody waits for any more is settled all the same.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use slab::Slab;

use super::{Adjustment, ServedModel};
use crate::outcome::ModelIndex;
use crate::quota::{Cost, Counting, Demand, Dimension, MeterSettings, Meters};
use crate::time::Instant;
use crate::units::Tokens;

/// How often a reservation is adjusted where that is continuous.
const STEP: Duration = Duration::from_secs(1);

/// The service's books.
#[derive(Debug)]
pub(super) struct Ledger {
    models: Vec<Account>,
    continuous: bool,
    running: Slab<Running>,
    /// When each running call is next adjusted or settled; among those of one instant, the first to
    /// arrive comes first.
    due: BinaryHeap<Reverse<(Instant, u64, usize)>>,
    arrivals: u64,
}

#[derive(Debug)]
struct Account {
    meters: Meters,
    counting: Counting,
    running: u64,
}

/// A call that is being answered.
#[derive(Clone, Copy, Debug)]
pub(super) struct Running {
    pub model: ModelIndex,
    pub start: Instant,
    pub first_token: Instant,
    pub complete: Instant,
    pub reserved: Cost,
    /// What it holds now.
    pub held: Cost,
    /// What it will have cost.
    pub settled: Cost,
}

impl Ledger {
    pub fn new(models: &[ServedModel], meters: &MeterSettings, adjustment: Adjustment) -> Self {
        let models = models
            .iter()
            .map(|model| Account {
                meters: Meters::new(model.quota, meters),
                counting: model.counting,
                running: 0,
            })
            .collect();
        Self {
            models,
            continuous: adjustment == Adjustment::Continuous,
            running: Slab::new(),
            due: BinaryHeap::new(),
            arrivals: 0,
        }
    }

    /// A call arrives: what it reserves, or the dimension that lacks.
    pub fn start(
        &mut self,
        now: Instant,
        model: ModelIndex,
        demand: Demand,
    ) -> Result<Cost, Dimension> {
        self.settle_until(now);
        self.arrivals += 1;
        let account = &mut self.models[usize::from(model.0)];
        account.meters.advance(now);
        let reserved = account.counting.reserve(demand);
        match account.meters.lacks(reserved) {
            None => {
                account.meters.take(reserved);
                Ok(reserved)
            }
            Some(dimension) => {
                account.meters.take(account.counting.throttled());
                Err(dimension)
            }
        }
    }

    /// A call is throttled whatever the quota says.
    pub fn throttle(&mut self, now: Instant, model: ModelIndex) {
        self.settle_until(now);
        let account = &mut self.models[usize::from(model.0)];
        account.meters.advance(now);
        account.meters.take(account.counting.throttled());
    }

    /// It is `now`.
    pub fn advance(&mut self, now: Instant) {
        self.settle_until(now);
        for account in &mut self.models {
            account.meters.advance(now);
        }
    }

    /// The call that has just been let in is answered so.
    pub fn run(&mut self, call: Running) {
        self.models[usize::from(call.model.0)].running += 1;
        let first = if self.continuous {
            (call.first_token + STEP).min(call.complete)
        } else {
            call.complete
        };
        let slot = self.running.insert(call);
        self.due.push(Reverse((first, self.arrivals, slot)));
    }

    pub fn counting(&self, model: ModelIndex) -> &Counting {
        &self.models[usize::from(model.0)].counting
    }

    pub fn level(&self, model: ModelIndex, dimension: Dimension) -> Option<i64> {
        self.models
            .get(usize::from(model.0))?
            .meters
            .level(dimension)
    }

    pub fn outstanding(&self, model: ModelIndex) -> u64 {
        self.models
            .get(usize::from(model.0))
            .map_or(0, |account| account.running)
    }

    fn settle_until(&mut self, now: Instant) {
        while let Some(Reverse((at, arrival, slot))) = self.due.peek().copied()
            && at <= now
        {
            self.due.pop();
            let call = &mut self.running[slot];
            let account = &mut self.models[usize::from(call.model.0)];
            let meters = &mut account.meters;
            meters.advance(at);
            if at < call.complete {
                let holds = call.holds_at(at);
                meters.adjust(call.start, call.held, holds);
                call.held = holds;
                let next = (at + STEP).min(call.complete);
                self.due.push(Reverse((next, arrival, slot)));
            } else {
                meters.settle(call.start, call.held, call.settled);
                account.running -= 1;
                self.running.remove(slot);
            }
        }
    }
}

impl Running {
    /// What it holds when the part of its output is generated that is due by `at`.
    fn holds_at(&self, at: Instant) -> Cost {
        let part = (at - self.first_token).as_nanos();
        let whole = (self.complete - self.first_token).as_nanos().max(1);
        let between = |from: u64, to: u64| {
            let moved = u128::from(from.abs_diff(to)) * part / whole;
            let moved = u64::try_from(moved).unwrap_or(u64::MAX);
            if to > from {
                from + moved
            } else {
                from - moved
            }
        };
        let tokens = |from: Tokens, to: Tokens| Tokens(between(from.0, to.0));
        Cost {
            requests: self.reserved.requests,
            tokens: tokens(self.reserved.tokens, self.settled.tokens),
            input: tokens(self.reserved.input, self.settled.input),
            output: tokens(self.reserved.output, self.settled.output),
        }
    }
}
