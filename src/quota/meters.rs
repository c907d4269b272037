//! One model's quota, counted in every dimension, in one of four ways.
//!
//! AWS does not say how the minute is counted, and published load tests fit different answers. So
//! how it is counted is a strategy, and whoever counts says which one. With Q tokens a minute, a
//! capacity C, and calls that reserve R, cost S and last W seconds:
//!
//! | | a call may start if | always-backlogged rate, per second |
//! |---|---|---|
//! | [`Enforcement::Bucket`] | level ≥ R; the level refills at Q/60 up to C, R − S comes back at the end | Q / 60S |
//! | [`Enforcement::Ledger`] | level − outstanding ≥ R: reservations hold slots | min(Q / 60S, ⌊C/R⌋ / W) |
//! | [`Enforcement::Rolling`] | charges of the last 60 s + R ≤ C; a charge is R until settled, then S, dated at the call's start | Q / (W·R + (60 − W)·S) |
//! | [`Enforcement::Fixed`] | charges since the clock's minute began + R ≤ C | – |
//!
//! Promises: a cost is met by all dimensions or by none; a charge is adjusted and settled in the
//! same way everywhere; one parameter, `burst`, says how much may be spent at once: it is the size
//! of a bucket and the length of a window, as time at the full rate.
//!
//! A request is spent when it is made, so RPM is never held as a slot: a ledger counts it as a
//! bucket does.

use std::fmt;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Bucket, Cost, Dimension, Fixed, QUOTA_MAX, Quota, Rolling, signed};
use crate::time::{Instant, NANOS_PER_MINUTE, nanos};
use crate::units::Share;

/// How the minute is counted. See the module's documentation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Enforcement {
    /// A token bucket that refills continuously.
    #[default]
    Bucket,
    /// A bucket in which reservations hold slots until they are settled.
    Ledger,
    /// A sum over the last sixty seconds.
    Rolling,
    /// A count that begins again with each minute of the clock.
    Fixed,
}

impl Enforcement {
    /// Every one, in the order in which tables list them.
    pub const ALL: [Self; 4] = [Self::Bucket, Self::Ledger, Self::Rolling, Self::Fixed];

    /// Its name in files and reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bucket => "bucket",
            Self::Ledger => "ledger",
            Self::Rolling => "rolling",
            Self::Fixed => "fixed",
        }
    }
}

impl fmt::Display for Enforcement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How a quota is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MeterSettings {
    /// The strategy.
    pub enforcement: Enforcement,
    /// How much may be spent at once, as time at the full rate: a bucket's size, a window's length.
    /// Above zero. A day's quota takes as many days' minutes: one minute here is one day there.
    pub burst: Duration,
    /// The share of the quota that is left alone; below one.
    pub headroom: Share,
    /// How much is unused at the start; one is everything.
    pub initial_fill: Share,
    /// How far into a minute of the clock the instant zero lies; for [`Enforcement::Fixed`].
    pub clock_offset: Duration,
    /// How far another clock, and the way to it, may be off: rolling windows are so much longer,
    /// and fixed ones admit nothing so close to their ends.
    pub clock_margin: Duration,
}

impl Default for MeterSettings {
    /// A full bucket of one minute.
    fn default() -> Self {
        Self {
            enforcement: Enforcement::Bucket,
            burst: Duration::from_secs(60),
            headroom: Share::ZERO,
            initial_fill: Share::percent(100),
            clock_offset: Duration::ZERO,
            clock_margin: Duration::ZERO,
        }
    }
}

/// When a cost can be met in every dimension.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// Now.
    Now,
    /// Not before then, for want of the dimension.
    At(Instant, Dimension),
    /// Only when calls under way have ended: they hold what is left of the dimension.
    Blocked(Dimension),
    /// Never: it is more than this dimension can hold.
    Never(Dimension),
}

/// Why a cost cannot be met now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shortage {
    /// The dimension that it waits for longest.
    pub dimension: Dimension,
    /// How many requests or tokens are missing there.
    pub missing: u64,
    /// When it could be met if nothing else is taken; none if that hangs on calls under way.
    pub at: Option<Instant>,
}

/// Why a cost can never be met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Misfit {
    /// The dimension.
    pub dimension: Dimension,
    /// How many requests or tokens it takes there.
    pub needs: u64,
    /// How many can be held there.
    pub holds: u64,
}

/// What one model's quota has left. See the module's documentation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Meters {
    pub(super) meters: Vec<Meter>,
    now: Instant,
}

/// One dimension.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Meter {
    pub(super) dimension: Dimension,
    limit: u64,
    burst_nanos: u64,
    /// The most that it holds when nothing is used, whatever [`Meters::keep`] says meanwhile.
    pub(super) capacity: u64,
    pub(super) rule: Rule,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Rule {
    Bucket(Bucket),
    Ledger { bucket: Bucket, held: u64 },
    Rolling(Rolling),
    Fixed(Fixed),
}

impl Meters {
    /// A meter for each dimension that `quota` limits, at the instant zero.
    #[must_use]
    pub fn new(quota: Quota, settings: &MeterSettings) -> Self {
        let meters = quota
            .limited()
            .map(|(dimension, limit)| Meter::new(dimension, limit, settings))
            .collect();
        Self {
            meters,
            now: Instant::ZERO,
        }
    }

    /// From now on keeps to the share `kept` of every limit, headroom included.
    pub fn keep(&mut self, kept: Share) {
        for meter in &mut self.meters {
            meter.keep(kept);
        }
    }

    /// Lets time pass. An instant before the last one changes nothing.
    pub fn advance(&mut self, now: Instant) {
        if now > self.now {
            self.now = now;
            for meter in &mut self.meters {
                meter.advance(now);
            }
        }
    }

    /// The first dimension that cannot meet `cost` at the instant last advanced to.
    #[must_use]
    pub fn lacks(&self, cost: Cost) -> Option<Dimension> {
        self.meters
            .iter()
            .find(|meter| !meter.holds(cost.of(meter.dimension)))
            .map(|meter| meter.dimension)
    }

    /// When `cost` can be met by all dimensions together, if nothing else is taken.
    #[must_use]
    pub fn readiness(&self, cost: Cost) -> Readiness {
        let mut readiness = Readiness::Now;
        for meter in &self.meters {
            let amount = cost.of(meter.dimension);
            if !meter.holds(amount) {
                readiness = later(readiness, meter.readiness(amount));
            }
        }
        match readiness {
            Readiness::At(at, dimension) => Readiness::At(self.after_margins(at), dimension),
            other => other,
        }
    }

    /// The first dimension that could not hold `cost` even if nothing were used.
    #[must_use]
    pub fn never_holds(&self, cost: Cost) -> Option<Misfit> {
        self.meters.iter().find_map(|meter| {
            let needs = cost.of(meter.dimension);
            (needs > meter.capacity).then_some(Misfit {
                dimension: meter.dimension,
                needs,
                holds: meter.capacity,
            })
        })
    }

    /// `cost`, with no dimension above what can be held when nothing is used.
    #[must_use]
    pub fn capped(&self, cost: Cost) -> Cost {
        let mut capped = cost;
        for meter in &self.meters {
            let most = meter.capacity;
            match meter.dimension {
                Dimension::Rpm => capped.requests = capped.requests.min(most),
                Dimension::Tpm | Dimension::Tpd => capped.tokens.0 = capped.tokens.0.min(most),
                Dimension::InputTpm => capped.input.0 = capped.input.0.min(most),
                Dimension::OutputTpm => capped.output.0 = capped.output.0.min(most),
            }
        }
        capped
    }

    /// Why `cost` cannot be met at the instant last advanced to, if so.
    #[must_use]
    pub fn shortage(&self, cost: Cost) -> Option<Shortage> {
        let (dimension, at) = match self.readiness(cost) {
            Readiness::Now => return None,
            Readiness::At(at, dimension) => (dimension, Some(at)),
            Readiness::Blocked(dimension) | Readiness::Never(dimension) => (dimension, None),
        };
        let level = self.level(dimension).unwrap_or_default();
        let wanted = signed(cost.of(dimension));
        Some(Shortage {
            dimension,
            missing: u64::try_from(wanted.saturating_sub(level)).unwrap_or(0),
            at,
        })
    }

    /// Fixed windows in which nothing has been charged begin at the instant last advanced to.
    pub fn begin_windows(&mut self) {
        for meter in &mut self.meters {
            if let Rule::Fixed(window) = &mut meter.rule {
                window.begin();
            }
        }
    }

    /// Takes `cost` at the instant last advanced to, into debt if need be: a call starts.
    pub fn take(&mut self, cost: Cost) {
        for meter in &mut self.meters {
            meter.take(cost.of(meter.dimension));
        }
    }

    /// A call that started at `start` and holds `from` holds `to` instead, while it goes on.
    pub fn adjust(&mut self, start: Instant, from: Cost, to: Cost) {
        for meter in &mut self.meters {
            meter.adjust(start, from.of(meter.dimension), to.of(meter.dimension));
        }
    }

    /// A call that started at `start` and holds `held` is over and has cost `settled`, be it more or
    /// less.
    pub fn settle(&mut self, start: Instant, held: Cost, settled: Cost) {
        for meter in &mut self.meters {
            meter.settle(start, held.of(meter.dimension), settled.of(meter.dimension));
        }
    }

    /// The dimensions that are counted.
    pub fn dimensions(&self) -> impl Iterator<Item = Dimension> {
        self.meters.iter().map(|meter| meter.dimension)
    }

    /// What one dimension has left at the instant last advanced to, in whole requests or tokens,
    /// rounded down; negative in debt; none if it is not limited.
    #[must_use]
    pub fn level(&self, dimension: Dimension) -> Option<i64> {
        self.get(dimension).map(Meter::level)
    }

    /// The most that one dimension holds, in whole requests or tokens, rounded down; none if it is
    /// not limited.
    #[must_use]
    pub fn capacity(&self, dimension: Dimension) -> Option<u64> {
        self.get(dimension).map(|meter| meter.capacity)
    }

    fn get(&self, dimension: Dimension) -> Option<&Meter> {
        self.meters
            .iter()
            .find(|meter| meter.dimension == dimension)
    }

    /// `at`, or the first instant after it that lies in no window's margin.
    fn after_margins(&self, at: Instant) -> Instant {
        self.meters.iter().fold(at, |at, meter| match &meter.rule {
            Rule::Fixed(window) => window.after_margin(at),
            _ => at,
        })
    }
}

/// The stronger of two reasons to wait.
fn later(a: Readiness, b: Readiness) -> Readiness {
    use Readiness::{At, Blocked, Never, Now};
    match (a, b) {
        (Never(_), _) | (Blocked(_), Now | At(..) | Blocked(_)) | (_, Now) => a,
        (At(first, _), At(second, _)) if first >= second => a,
        _ => b,
    }
}

impl Meter {
    fn new(dimension: Dimension, limit: u64, settings: &MeterSettings) -> Self {
        let period = dimension.period_nanos();
        let limit = limit.min(QUOTA_MAX);
        let burst_nanos = nanos(settings.burst)
            .max(1)
            .saturating_mul(period / NANOS_PER_MINUTE);
        let burst = Duration::from_nanos(burst_nanos);
        let bucket = || {
            let fill = settings.initial_fill;
            Bucket::new(limit, period, settings.headroom, burst, fill)
        };
        let kept = Share {
            ppm: 1_000_000_u32.saturating_sub(settings.headroom.ppm),
        };
        let in_window = window_limit(limit, period, burst_nanos, kept);
        let unused = u128::from(in_window) * u128::from(settings.initial_fill.ppm.min(1_000_000));
        let used = in_window - u64::try_from(unused / 1_000_000).unwrap_or(in_window);
        let rule = match settings.enforcement {
            Enforcement::Ledger if dimension != Dimension::Rpm => Rule::Ledger {
                bucket: bucket(),
                held: 0,
            },
            Enforcement::Bucket | Enforcement::Ledger => Rule::Bucket(bucket()),
            Enforcement::Rolling => {
                let length = burst.saturating_add(settings.clock_margin);
                Rule::Rolling(Rolling::new(in_window, length, used))
            }
            Enforcement::Fixed => Rule::Fixed(Fixed::new(
                in_window,
                burst,
                settings.clock_offset,
                settings.clock_margin,
                used,
            )),
        };
        let capacity = match &rule {
            Rule::Bucket(bucket) | Rule::Ledger { bucket, .. } => bucket.capacity(),
            Rule::Rolling(_) | Rule::Fixed(_) => in_window,
        };
        Self {
            dimension,
            limit,
            burst_nanos,
            capacity,
            rule,
        }
    }

    fn keep(&mut self, kept: Share) {
        let limit = window_limit(
            self.limit,
            self.dimension.period_nanos(),
            self.burst_nanos,
            kept,
        );
        match &mut self.rule {
            Rule::Bucket(bucket) | Rule::Ledger { bucket, .. } => bucket.keep(kept),
            Rule::Rolling(window) => window.set_limit(limit),
            Rule::Fixed(window) => window.set_limit(limit),
        }
    }

    fn advance(&mut self, now: Instant) {
        match &mut self.rule {
            Rule::Bucket(bucket) | Rule::Ledger { bucket, .. } => bucket.advance(now),
            Rule::Rolling(window) => window.advance(now),
            Rule::Fixed(window) => window.advance(now),
        }
    }

    fn holds(&self, amount: u64) -> bool {
        match &self.rule {
            Rule::Bucket(bucket) => bucket.holds(amount),
            Rule::Ledger { bucket, held } => bucket.holds(held.saturating_add(amount)),
            Rule::Rolling(window) => window.holds(amount),
            Rule::Fixed(window) => window.holds(amount),
        }
    }

    fn readiness(&self, amount: u64) -> Readiness {
        let at = match &self.rule {
            Rule::Bucket(bucket) => bucket.ready_at(amount),
            Rule::Ledger { bucket, held } => bucket.ready_at(held.saturating_add(amount)),
            Rule::Rolling(window) => window.ready_at(amount),
            Rule::Fixed(window) => window.ready_at(amount),
        };
        match at {
            Some(at) => Readiness::At(at, self.dimension),
            // Where the limit is cut for a while, what is too much now may fit again later.
            None if amount <= self.capacity => Readiness::Blocked(self.dimension),
            None => Readiness::Never(self.dimension),
        }
    }

    fn take(&mut self, amount: u64) {
        match &mut self.rule {
            Rule::Bucket(bucket) => bucket.take(amount),
            Rule::Ledger { held, .. } => *held = held.saturating_add(amount),
            Rule::Rolling(window) => window.take(amount),
            Rule::Fixed(window) => window.take(amount),
        }
    }

    fn adjust(&mut self, start: Instant, from: u64, to: u64) {
        match &mut self.rule {
            Rule::Bucket(bucket) if to > from => bucket.take(to - from),
            Rule::Bucket(bucket) => bucket.give(from - to),
            Rule::Ledger { held, .. } => *held = held.saturating_sub(from).saturating_add(to),
            Rule::Rolling(window) => window.adjust(start, from, to),
            Rule::Fixed(window) => window.adjust(start, from, to),
        }
    }

    fn settle(&mut self, start: Instant, held_before: u64, settled: u64) {
        match &mut self.rule {
            Rule::Ledger { bucket, held } => {
                *held = held.saturating_sub(held_before);
                bucket.take(settled);
            }
            _ => self.adjust(start, held_before, settled),
        }
    }

    fn level(&self) -> i64 {
        match &self.rule {
            Rule::Bucket(bucket) => bucket.level(),
            Rule::Ledger { bucket, held } => bucket.level().saturating_sub(signed(*held)),
            Rule::Rolling(window) => window.level(),
            Rule::Fixed(window) => window.level(),
        }
    }
}

/// What a window of `burst_nanos` holds, in whole requests or tokens, rounded down.
fn window_limit(limit: u64, period_nanos: u64, burst_nanos: u64, kept: Share) -> u64 {
    let parts = u128::from(limit) * u128::from(kept.ppm.min(1_000_000));
    // At most 10^18 parts times 2^64 nanoseconds: below 2^128.
    let held = parts * u128::from(burst_nanos) / (u128::from(period_nanos) * 1_000_000);
    u64::try_from(held).unwrap_or(u64::MAX)
}
