//! One seed, many independent streams of random numbers.
//!
//! Promises: the same seed gives the same numbers on every machine and in every version of the
//! standard library (PCG-XSL-RR 128/64-MCG, O'Neill 2014); streams are told apart by name, so a new
//! draw in one never shifts another; [`Seed::keyed`] gives each request a generator of its own, so
//! that what happens to request 17 does not depend on the order in which requests are served.
//!
//! Deliberately not: a source of secrets.

use rand_pcg::Pcg64Mcg;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The generator that every draw in bedload comes from.
pub type Rng = Pcg64Mcg;

/// What all of a run's randomness is made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Seed(pub u64);

/// The name of a stream: who draws from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// When requests are due.
    Arrivals,
    /// Which request it is, and how long its input and output are.
    Mix,
    /// How long workers of a closed loop think.
    Think,
    /// How long a retry waits.
    Retry,
    /// How fast the simulated service answers.
    Service,
    /// How long calls are under way to it and back.
    Network,
    /// Which of its calls go wrong.
    Fault,
    /// How the stub cuts and pads the frames of streams.
    Frames,
}

impl Stream {
    /// A constant of its own for each stream; changing one changes every result.
    const fn salt(self) -> u64 {
        match self {
            Self::Arrivals => 0xA221_7A15_0000_0001,
            Self::Mix => 0x31C5_0000_0000_0002,
            Self::Think => 0x7417_0000_0000_0003,
            Self::Retry => 0x2E72_0000_0000_0004,
            Self::Service => 0x5E27_0000_0000_0005,
            Self::Network => 0x4E77_0000_0000_0006,
            Self::Fault => 0xFA17_0000_0000_0007,
            Self::Frames => 0xF2A3_0000_0000_0008,
        }
    }
}

impl Seed {
    /// A stream that one owner draws from in order.
    #[must_use]
    pub fn stream(self, stream: Stream) -> Rng {
        self.keyed(stream, 0, 0)
    }

    /// A generator for one thing, known by two numbers (such as a request and its attempt).
    #[must_use]
    pub fn keyed(self, stream: Stream, major: u64, minor: u64) -> Rng {
        let base = split_mix(self.0 ^ stream.salt());
        let key =
            split_mix(base ^ split_mix(major).rotate_left(17) ^ split_mix(!minor).rotate_left(41));
        let state = (u128::from(split_mix(key)) << 64) | u128::from(split_mix(key ^ base));
        Pcg64Mcg::new(state)
    }
}

/// `SplitMix64`'s step and finaliser (Steele, Lea and Flood 2014): spreads neighbouring numbers apart.
const fn split_mix(value: u64) -> u64 {
    let value = value.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests {
    use rand::Rng as _;

    use super::*;

    #[test]
    fn numbers_are_the_same_for_ever() {
        let mut rng = Seed(7).stream(Stream::Arrivals);
        assert_eq!(
            [rng.next_u64(), rng.next_u64()],
            [3_688_811_409_487_435_432, 17_326_178_492_182_960_011]
        );
    }

    #[test]
    fn neighbouring_keys_and_streams_share_nothing() {
        let mut seen = std::collections::BTreeSet::new();
        for seed in 0..4 {
            for stream in [
                Stream::Arrivals,
                Stream::Mix,
                Stream::Think,
                Stream::Retry,
                Stream::Service,
                Stream::Network,
            ] {
                for major in 1..20 {
                    for minor in 1..5 {
                        seen.insert(Seed(seed).keyed(stream, major, minor).next_u64());
                    }
                }
            }
        }
        assert_eq!(seen.len(), 4 * 6 * 19 * 4);
    }
}
