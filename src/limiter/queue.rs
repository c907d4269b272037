//! Who waits, and whose turn is next.
//!
//! Within a class of priority: first come, first served. Between classes: deficit round robin
//! (Shreedhar and Varghese 1995), counted in tokens: while quota is short, each class gets it in
//! proportion to its weight, so that none starves. Whoever is chosen stays chosen until it goes: a
//! request that needs much is not overtaken while quota gathers for it.
//!
//! Promises: choosing, admitting and cancelling cost little however long the line is; a cancelled
//! request's place is given up at the latest when half of its line is such places.

use std::collections::VecDeque;

use crate::quota::Cost;
use crate::time::Instant;

/// A place in the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    lane: u16,
    number: u64,
}

/// A request that waits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Waiting {
    pub ticket: u32,
    pub class: u16,
    /// What is set aside for it.
    pub held: Cost,
    /// What the service reserves for it.
    pub reserved: Cost,
    pub deadline: Instant,
}

#[derive(Debug)]
struct Slot {
    number: u64,
    /// None where it was cancelled.
    waiting: Option<Waiting>,
}

#[derive(Debug)]
struct Lane {
    weight: u64,
    deficit: u64,
    slots: VecDeque<Slot>,
    cancelled: usize,
}

/// All lines of one limiter.
#[derive(Debug)]
pub(super) struct Queue {
    lanes: Vec<Lane>,
    /// The lane whose first request is next, once that is settled.
    chosen: Option<usize>,
    /// Where the round goes on.
    cursor: usize,
    next_number: u64,
    waiting: usize,
}

impl Queue {
    /// Empty lines with these weights; one line if there are none.
    pub fn new(weights: &[u32]) -> Self {
        let lane = |weight: u32| Lane {
            weight: u64::from(weight.max(1)),
            deficit: 0,
            slots: VecDeque::new(),
            cancelled: 0,
        };
        let lanes = match weights {
            [] => vec![lane(1)],
            weights => weights.iter().copied().map(lane).collect(),
        };
        Self {
            lanes,
            chosen: None,
            cursor: 0,
            next_number: 0,
            waiting: 0,
        }
    }

    pub const fn len(&self) -> usize {
        self.waiting
    }

    pub const fn is_empty(&self) -> bool {
        self.waiting == 0
    }

    /// Puts a request at the end of its priority's line; a priority without a line uses the last.
    pub fn push(&mut self, priority: u8, waiting: Waiting) -> Place {
        let index = usize::from(priority).min(self.lanes.len() - 1);
        let number = self.next_number;
        self.next_number += 1;
        self.waiting += 1;
        self.lanes[index].slots.push_back(Slot {
            number,
            waiting: Some(waiting),
        });
        Place {
            lane: u16::try_from(index).unwrap_or(u16::MAX),
            number,
        }
    }

    /// The request whose turn is next.
    pub fn head(&mut self) -> Option<&Waiting> {
        if self.chosen.is_none() && self.waiting > 0 {
            self.chosen = Some(self.choose());
        }
        self.lanes[self.chosen?].front()
    }

    /// Takes the request whose turn is next.
    pub fn pop_head(&mut self) -> Option<Waiting> {
        self.head()?;
        let index = self.chosen.take()?;
        let waiting = self.pop(index)?;
        let lane = &mut self.lanes[index];
        lane.deficit = if lane.slots.is_empty() {
            0
        } else {
            lane.deficit.saturating_sub(size(&waiting))
        };
        Some(waiting)
    }

    /// The first deadline of all that wait.
    pub fn first_deadline(&self) -> Option<Instant> {
        if let [lane] = self.lanes.as_slice() {
            return lane.front().map(|waiting| waiting.deadline);
        }
        self.fronts().map(|(deadline, _)| deadline).min()
    }

    /// Takes the request with the first deadline. Everybody waits equally long, so it is the first
    /// of its line.
    pub fn pop_first_deadline(&mut self) -> Option<Waiting> {
        let (_, index) = self.fronts().min()?;
        self.forget_choice(index);
        self.pop(index)
    }

    /// Gives a place up; whether somebody still had it.
    pub fn cancel(&mut self, place: Place) -> bool {
        let index = usize::from(place.lane);
        let Some(lane) = self.lanes.get_mut(index) else {
            return false;
        };
        let at = lane
            .slots
            .partition_point(|slot| slot.number < place.number);
        let Some(slot) = lane.slots.get_mut(at) else {
            return false;
        };
        if slot.number != place.number || slot.waiting.take().is_none() {
            return false;
        }
        lane.cancelled += 1;
        if lane.cancelled * 2 > lane.slots.len() {
            lane.slots.retain(|slot| slot.waiting.is_some());
            lane.cancelled = 0;
        }
        lane.skip_cancelled();
        self.waiting -= 1;
        if at == 0 {
            self.forget_choice(index);
        }
        true
    }

    /// Takes everything, line by line.
    pub fn drain(&mut self) -> impl Iterator<Item = Waiting> + '_ {
        self.chosen = None;
        self.waiting = 0;
        self.lanes.iter_mut().flat_map(|lane| {
            lane.deficit = 0;
            lane.cancelled = 0;
            lane.slots.drain(..).filter_map(|slot| slot.waiting)
        })
    }

    fn fronts(&self) -> impl Iterator<Item = (Instant, usize)> + '_ {
        self.lanes
            .iter()
            .enumerate()
            .filter_map(|(index, lane)| Some((lane.front()?.deadline, index)))
    }

    fn forget_choice(&mut self, lane: usize) {
        if self.chosen == Some(lane) {
            self.chosen = None;
        }
    }

    fn pop(&mut self, index: usize) -> Option<Waiting> {
        let lane = &mut self.lanes[index];
        let waiting = lane.slots.pop_front()?.waiting?;
        lane.skip_cancelled();
        self.waiting -= 1;
        Some(waiting)
    }

    /// The lane whose first request is next. Whole rounds in which nobody's deficit suffices are
    /// taken at once.
    fn choose(&mut self) -> usize {
        let lanes = self.lanes.len();
        if lanes == 1 {
            return 0;
        }
        let rounds = self
            .lanes
            .iter()
            .filter_map(Lane::rounds)
            .min()
            .unwrap_or(0);
        for lane in &mut self.lanes {
            if lane.slots.is_empty() {
                lane.deficit = 0;
            } else {
                let gained = lane.weight.saturating_mul(rounds);
                lane.deficit = lane.deficit.saturating_add(gained);
            }
        }
        let next = (0..lanes)
            .map(|step| (self.cursor + step) % lanes)
            .find(|index| self.lanes[*index].rounds() == Some(0))
            .unwrap_or(0);
        self.cursor = (next + 1) % lanes;
        next
    }
}

impl Lane {
    fn front(&self) -> Option<&Waiting> {
        self.slots.front()?.waiting.as_ref()
    }

    /// Keeps the promise that the first place is taken.
    fn skip_cancelled(&mut self) {
        while let Some(slot) = self.slots.front()
            && slot.waiting.is_none()
        {
            self.slots.pop_front();
            self.cancelled -= 1;
        }
    }

    /// How many rounds until its first request may go.
    fn rounds(&self) -> Option<u64> {
        let missing = size(self.front()?).saturating_sub(self.deficit);
        Some(missing.div_ceil(self.weight))
    }
}

/// What a request takes from its line's share. A request without tokens counts as one.
fn size(waiting: &Waiting) -> u64 {
    let held = waiting.held;
    held.tokens
        .0
        .max(held.input.0.saturating_add(held.output.0))
        .max(1)
}
