//! Many questions at once: how much each answer is still worth.

/// Adjusts p-values so that, held against one level, at most that part of all families has any false alarm.
/// They come back in the order in which they came.
///
/// Source: S. Holm, "A simple sequentially rejective multiple test procedure" (1979).
#[must_use]
pub fn holm(p_values: &[f64]) -> Vec<f64> {
    let count = p_values.len();
    let mut order: Vec<usize> = (0..count).collect();
    order.sort_by(|one, other| p_values[*one].total_cmp(&p_values[*other]));
    let mut adjusted = vec![0.0; count];
    let mut least = 0.0_f64;
    for (rank, place) in order.into_iter().enumerate() {
        least = least.max(p_values[place] * (count - rank) as f64).min(1.0);
        adjusted[place] = least;
    }
    adjusted
}
