//! `max_tokens` where a recording does not show it.

use super::draft::{DraftModel, DraftOptions};
use super::recording::Recording;
use crate::catalogue;

/// `max_tokens` where the source does not show it, by model.
pub(super) struct Caps {
    given: Option<u32>,
    by_model: Vec<u32>,
}

impl Caps {
    pub fn new(
        recording: &Recording,
        places: &[Option<usize>],
        models: &[DraftModel],
        options: &DraftOptions,
    ) -> Self {
        let mut longest = vec![1; models.len()];
        for record in &recording.records {
            if let Some(place) = places[usize::from(record.model)] {
                longest[place] = record.output.max(longest[place]);
            }
        }
        let caps = longest.iter().zip(models);
        Self {
            given: options.max_tokens,
            by_model: caps
                .map(|(&longest, model)| cap_for(longest, &model.id))
                .collect(),
        }
    }

    pub fn of(&self, model: usize) -> u32 {
        self.given.unwrap_or(self.by_model[model])
    }

    pub fn said(&self) -> String {
        match self.given {
            Some(given) => format!("max_tokens is {given}, as was asked for"),
            None => "max_tokens is taken to be the least power of two that cuts off no answer: write your own \
                     with `--max-tokens`"
                .to_owned(),
        }
    }
}

/// The least power of two that is not below `longest`, or the model's own limit.
pub(super) fn cap_for(longest: u32, id: &str) -> u32 {
    let most = catalogue::find(id).map_or(u64::MAX, |model| model.max_output.0);
    let cap = longest
        .max(16)
        .checked_next_power_of_two()
        .unwrap_or(u32::MAX);
    cap.min(u32::try_from(most).unwrap_or(u32::MAX))
}
