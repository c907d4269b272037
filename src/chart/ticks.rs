//! Round numbers for axes.

/// The step of 1, 2, 2.5 or 5 times a power of ten that makes about so many.
fn step(span: f64, about: usize) -> f64 {
    let rough = span / about.max(1) as f64;
    let power = 10_f64.powf(rough.log10().floor());
    let steps = [1.0, 2.0, 2.5, 5.0, 10.0];
    let round = steps
        .into_iter()
        .find(|step| step * power >= rough * 0.999_999);
    round.unwrap_or(10.0) * power
}

/// How many ticks an axis of numbers has, about.
pub(super) const ABOUT: usize = 5;

/// Round ends that hold both numbers, and are ticks themselves.
pub(super) fn nice_ends(low: f64, high: f64) -> (f64, f64) {
    let (mut low, mut high) = (low, high);
    // A wider axis may have a larger step, of which its ends are then made multiples.
    for _ in 0..4 {
        let step = step((high - low).max(f64::MIN_POSITIVE), ABOUT);
        // A hair's breadth beyond a round number is that number.
        let rounded = (
            (low / step + 1e-9).floor() * step,
            (high / step - 1e-9).ceil() * step,
        );
        if rounded == (low, high) {
            break;
        }
        (low, high) = rounded;
    }
    (low, high)
}

pub(super) fn linear(low: f64, high: f64, about: usize) -> Vec<f64> {
    let span = high - low;
    if !(span > 0.0 && span.is_finite()) {
        return vec![low];
    }
    let step = step(span, about);
    let (first, last) = ((low / step - 1e-9).ceil(), (high / step + 1e-9).floor());
    (0..=(last - first).max(0.0) as usize)
        .map(|place| (first + place as f64) * step)
        .collect()
}

/// Steps of clocks, in seconds.
const CLOCK: [f64; 20] = [
    1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1_800.0, 3_600.0, 7_200.0,
    10_800.0, 21_600.0, 43_200.0, 86_400.0, 172_800.0, 604_800.0,
];

pub(super) fn time(end: f64, about: usize) -> Vec<f64> {
    let rough = end / about.max(1) as f64;
    if rough < CLOCK[0] || !rough.is_finite() {
        return linear(0.0, end, about);
    }
    let step = CLOCK.into_iter().find(|step| *step >= rough);
    let step = step.unwrap_or_else(|| step_of_days(rough));
    (0..=(end / step + 1e-9) as usize)
        .map(|place| place as f64 * step)
        .collect()
}

fn step_of_days(rough: f64) -> f64 {
    step(rough / 86_400.0, 1) * 86_400.0
}

/// Ends of 1, 2 or 5 times a power of ten that hold both numbers, a factor of two apart at least.
pub(super) fn log_ends(low: f64, high: f64) -> (f64, f64) {
    let below = |value: f64| {
        let power = 10_f64.powf(value.log10().floor());
        let steps = [5.0, 2.0, 1.0];
        let found = steps
            .into_iter()
            .find(|step| step * power <= value * 1.000_001);
        found.unwrap_or(1.0) * power
    };
    let above = |value: f64| {
        let power = 10_f64.powf(value.log10().floor());
        let steps = [1.0, 2.0, 5.0, 10.0];
        let found = steps
            .into_iter()
            .find(|step| step * power >= value * 0.999_999);
        found.unwrap_or(10.0) * power
    };
    let (low, high) = (below(low), above(high));
    if high > low * 1.5 {
        (low, high)
    } else {
        (below(low / 1.5), above(high * 1.5))
    }
}

pub(super) fn log(low: f64, high: f64, about: usize) -> Vec<f64> {
    let decades = (high / low).log10();
    let steps: &[f64] = if decades * 3.0 <= about as f64 + 1.0 {
        &[1.0, 2.0, 5.0]
    } else {
        &[1.0]
    };
    let skip = (decades / about.max(1) as f64).ceil().max(1.0) as i32;
    let first = low.log10().floor() as i32;
    let last = high.log10().ceil() as i32;
    (first..=last)
        .step_by(skip as usize)
        .flat_map(|power| steps.iter().map(move |step| step * 10_f64.powi(power)))
        .filter(|tick| *tick >= low * 0.999_999 && *tick <= high * 1.000_001)
        .collect()
}

pub(super) fn percentile(most: f64) -> Vec<f64> {
    let known = [0.0, 0.5, 0.9, 0.99, 0.999, 0.9999, 0.99999, 0.999_999];
    known
        .into_iter()
        .filter(|part| *part <= most + 1e-12)
        .collect()
}
