//! Rates that change in straight lines, and jump: constant rates, ramps and steps.
//!
//! Units and the meaning of the methods are those of [`Curve`](super::curve::Curve).

/// A rate that is a straight line in each piece; the last piece has no end.
#[derive(Clone, Debug, Default)]
pub(super) struct Pieces {
    pieces: Vec<Piece>,
    /// The piece in which `time_of` last ended.
    current: usize,
}

impl Pieces {
    /// Adds a piece that goes from one rate to another in a straight line.
    pub(super) fn push(&mut self, from: f64, to: f64, lasts: f64) {
        if lasts == 0.0 {
            return;
        }
        let (starts, before) = self.pieces.last().map_or((0.0, 0.0), |last| {
            (last.starts + last.lasts, last.before + last.count)
        });
        let slope = (to - from) / lasts;
        let count = snapped(before + f64::midpoint(from, to) * lasts) - before;
        self.pieces.push(Piece {
            starts,
            lasts,
            from,
            to,
            slope,
            before,
            count,
        });
    }

    /// Adds the last piece; at rate zero it would have no requests and is left out.
    pub(super) fn go_on(&mut self, rate: f64) {
        if rate > 0.0 {
            self.push(rate, rate, f64::INFINITY);
        }
    }

    pub(super) fn count_by(&self, time: f64) -> f64 {
        let begun = self.pieces.partition_point(|piece| piece.starts <= time);
        let Some(piece) = self.pieces[..begun].last() else {
            return 0.0;
        };
        let inside = (time - piece.starts).min(piece.lasts);
        piece.before + inside * (piece.from + piece.slope * inside / 2.0)
    }

    #[inline]
    pub(super) fn time_of(&mut self, count: f64) -> Option<f64> {
        while let Some(piece) = self.pieces.get(self.current) {
            let inside = count - piece.before;
            if inside < piece.count {
                return Some(piece.starts + piece.time_of(inside));
            }
            self.current += 1;
        }
        None
    }

    pub(super) fn peak_by(&self, time: f64) -> f64 {
        let begun = self.pieces.iter().filter(|piece| piece.starts < time);
        begun
            .map(|piece| piece.peak_by(time - piece.starts))
            .fold(0.0, f64::max)
    }
}

#[derive(Clone, Copy, Debug)]
struct Piece {
    starts: f64,
    lasts: f64,
    from: f64,
    to: f64,
    slope: f64,
    /// Requests before it.
    before: f64,
    /// Requests in it.
    count: f64,
}

impl Piece {
    /// How long after its start so many of its requests are due.
    #[inline]
    fn time_of(&self, count: f64) -> f64 {
        if self.slope == 0.0 {
            count / self.from
        } else if self.slope > 0.0 {
            rising_time(self.from, self.slope, count).min(self.lasts)
        } else {
            // Counted back from the end, where the rate is low and the root would cancel.
            (self.lasts - rising_time(self.to, -self.slope, self.count - count)).max(0.0)
        }
    }

    fn peak_by(&self, inside: f64) -> f64 {
        self.from
            .max(self.from + self.slope * inside.min(self.lasts))
    }
}

/// The time `t` at which `low · t + slope · t² / 2 = count`, without cancellation.
fn rising_time(low: f64, slope: f64, count: f64) -> f64 {
    let rate_then = (low * low + 2.0 * slope * count).sqrt();
    if rate_then == 0.0 {
        0.0
    } else {
        2.0 * count / (low + rate_then)
    }
}

/// The whole number that rounding alone keeps `count` from, if any: the request with that number is
/// the first of the next piece, not the last of this one.
fn snapped(count: f64) -> f64 {
    let whole = count.round();
    if (count - whole).abs() <= 1e-14 * (1.0 + whole) {
        whole
    } else {
        count
    }
}
