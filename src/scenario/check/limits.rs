//! One limit for each dimension, as `[model.NAME.quota]` and `[limiter]` write them.

use super::super::problems::Problems;
use super::super::value::{Field, Placed};
use crate::quota::{Dimension, Quota};

/// The limits that are stated, in the order of [`Dimension::ALL`].
pub(super) struct Limits([Option<Placed<u64>>; 5]);

/// Reads them; `fields` are in the order of [`Dimension::ALL`].
pub(super) fn limits(fields: [Option<Field<u64>>; 5], problems: &mut Problems) -> Limits {
    let mut dimensions = Dimension::ALL.into_iter();
    Limits(fields.map(|field| {
        let limit = problems.read(field);
        if let Some(dimension) = dimensions.next() {
            problems.above_zero(dimension.name(), limit.as_ref());
        }
        limit
    }))
}

impl Limits {
    /// What is stated, and for the rest what `quota` says.
    pub fn or(&self, quota: Quota) -> Quota {
        let [rpm, tpm, tpd, input_tpm, output_tpm] = &self.0;
        let stated = |limit: &Option<Placed<u64>>| limit.as_ref().map(|limit| limit.value);
        Quota {
            rpm: stated(rpm).or(quota.rpm),
            tpm: stated(tpm).or(quota.tpm),
            tpd: stated(tpd).or(quota.tpd),
            input_tpm: stated(input_tpm).or(quota.input_tpm),
            output_tpm: stated(output_tpm).or(quota.output_tpm),
        }
    }

    /// What is stated, with its place.
    pub fn stated(&self) -> impl Iterator<Item = (Dimension, &Placed<u64>)> {
        let limits = Dimension::ALL.into_iter().zip(&self.0);
        limits.filter_map(|(dimension, limit)| Some((dimension, limit.as_ref()?)))
    }
}
