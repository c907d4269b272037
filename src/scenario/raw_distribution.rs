//! How a distribution is written: `240`, or `{ lognormal = { median = 180, p95 = 420 } }`.
//!
//! Promises: both forms keep the places of their values, which an untagged enum would lose; a bare
//! value is a constant. The same shapes serve lengths in tokens ([`Count`]) and in time ([`Time`]).
//!
//! Deliberately not: whether the parameters make sense; that is `check`'s.

use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use schemars::JsonSchema;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, de};

use super::value::{Field, Placed, Reading, ScalarVisitor, Value};
use crate::time::nanos;

/// What is being distributed.
pub(super) trait Amount: fmt::Debug {
    /// One value.
    type Whole: Value + fmt::Debug + Copy;
    /// A mean, a deviation or a quantile.
    type Real: Value + fmt::Debug + Copy;

    /// Tokens or nanoseconds.
    fn whole(value: Self::Whole) -> u64;

    /// Tokens or nanoseconds.
    fn real(value: Self::Real) -> f64;
}

/// Tokens.
#[derive(Debug, JsonSchema)]
pub(super) struct Count;

impl Amount for Count {
    type Whole = u64;
    type Real = f64;

    fn whole(value: u64) -> u64 {
        value
    }

    fn real(value: f64) -> f64 {
        value
    }
}

/// Lengths of time.
#[derive(Debug, JsonSchema)]
pub(super) struct Time;

impl Amount for Time {
    type Whole = Duration;
    type Real = Duration;

    fn whole(value: Duration) -> u64 {
        nanos(value)
    }

    fn real(value: Duration) -> f64 {
        nanos(value) as f64
    }
}

/// A distribution as written.
#[derive(Debug, JsonSchema)]
#[schemars(untagged, rename = "{A}Distribution", bound = "A: Amount + JsonSchema")]
pub(super) enum RawDistribution<A: Amount> {
    /// Always this.
    Bare(Reading<A::Whole>),
    /// One of the shapes.
    Shaped(RawShape<A>),
}

/// A distribution's shape and parameters.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields, bound = "")]
#[schemars(rename = "{A}Shape", bound = "A: Amount + JsonSchema")]
pub(super) enum RawShape<A: Amount> {
    /// Always this.
    Constant(Field<A::Whole>),
    /// Each value from `min` to `max` equally often.
    Uniform(Placed<RawUniform<A>>),
    /// Normal, and never below zero.
    Normal(Placed<RawNormal<A>>),
    /// Lognormal: a long tail, told by two quantiles.
    Lognormal(Placed<RawLognormal<A>>),
    /// One of these, equally often.
    Empirical(Placed<Vec<Field<A::Whole>>>),
}

/// Each value equally often.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, bound = "")]
#[schemars(rename = "{A}Uniform", bound = "A: Amount + JsonSchema")]
pub(super) struct RawUniform<A: Amount> {
    /// The smallest value.
    #[schemars(required)]
    pub min: Option<Field<A::Whole>>,
    /// The largest value.
    #[schemars(required)]
    pub max: Option<Field<A::Whole>>,
}

/// A bell curve.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, bound = "")]
#[schemars(rename = "{A}Normal", bound = "A: Amount + JsonSchema")]
pub(super) struct RawNormal<A: Amount> {
    /// The mean.
    #[schemars(required)]
    pub mean: Option<Field<A::Real>>,
    /// The standard deviation.
    #[schemars(required)]
    pub sd: Option<Field<A::Real>>,
}

/// A long tail.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, bound = "")]
#[schemars(rename = "{A}Lognormal", bound = "A: Amount + JsonSchema")]
pub(super) struct RawLognormal<A: Amount> {
    /// Half of all values are below this.
    #[schemars(required)]
    pub median: Option<Field<A::Real>>,
    /// 95 of 100 values are below this.
    #[schemars(required)]
    pub p95: Option<Field<A::Real>>,
}

impl<'de, A: Amount> Deserialize<'de> for RawDistribution<A> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(DistributionVisitor(PhantomData))
    }
}

/// A table is a shape, anything else a constant.
struct DistributionVisitor<A>(PhantomData<A>);

impl<A: Amount> DistributionVisitor<A> {
    const BARE: ScalarVisitor<A::Whole> = ScalarVisitor(PhantomData);
}

impl<'de, A: Amount> Visitor<'de> for DistributionVisitor<A> {
    type Value = RawDistribution<A>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Self::BARE.expecting(f)
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Self::Value, E> {
        Self::BARE
            .visit_bool(value)
            .map(Reading)
            .map(RawDistribution::Bare)
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Self::Value, E> {
        Self::BARE
            .visit_i64(value)
            .map(Reading)
            .map(RawDistribution::Bare)
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Self::Value, E> {
        Self::BARE
            .visit_f64(value)
            .map(Reading)
            .map(RawDistribution::Bare)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
        Self::BARE
            .visit_str(text)
            .map(Reading)
            .map(RawDistribution::Bare)
    }

    fn visit_seq<S: SeqAccess<'de>>(self, list: S) -> Result<Self::Value, S::Error> {
        Self::BARE
            .visit_seq(list)
            .map(Reading)
            .map(RawDistribution::Bare)
    }

    fn visit_map<M: MapAccess<'de>>(self, table: M) -> Result<Self::Value, M::Error> {
        RawShape::deserialize(MapAccessDeserializer::new(table)).map(RawDistribution::Shaped)
    }
}
