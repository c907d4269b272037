//! The values of a scenario file, each with its place: a [`Field`] is what was typed, read or not.
//!
//! Promises: a value that cannot be read stops nothing. Its [`Flaw`] stays in the field until
//! `check` asks for it, so that one pass reports every bad value in the file.
//!
//! Deliberately not: what a value means beside others (`check`), or how quantities are spelt
//! (`notation`).

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Range;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use toml::Spanned;

use super::notation;
use crate::expect::Kind;
use crate::units::{Rate, Share, Usd};

/// Something and where it stands in the text.
#[derive(Clone, Debug)]
pub(super) struct Placed<T> {
    pub span: Range<usize>,
    pub value: T,
}

/// A single value, read or not.
pub(super) type Field<T> = Placed<Reading<T>>;

/// Several values, each in its place.
pub(super) type List<T> = Placed<Vec<T>>;

/// The outcome of reading a value.
#[derive(Clone, Debug)]
pub(super) struct Reading<T>(pub Result<T, Flaw>);

/// Why a value could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Flaw {
    pub title: String,
    pub help: Option<String>,
}

/// What TOML can hold in the place of a value.
#[derive(Clone, Copy, Debug)]
pub(super) enum Scalar<'a> {
    Bool(bool),
    Integer(i64),
    Float(f64),
    Text(&'a str),
    List,
    TableOrDate,
}

impl fmt::Display for Scalar<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(value) => write!(f, "`{value}`"),
            Self::Integer(value) => write!(f, "the number `{value}`"),
            Self::Float(value) => write!(f, "the number `{value}`"),
            Self::Text(text) => write!(f, "the text `{}`", shortened(text)),
            Self::List => f.write_str("a list"),
            Self::TableOrDate => f.write_str("a table or a date"),
        }
    }
}

/// Something that a single value can be read as.
pub(super) trait Value: Sized {
    /// What it is called, with its article.
    const NOUN: &'static str;
    /// How it is written.
    const EXAMPLE: &'static str;

    /// Reads it. An empty problem means that a scalar of this kind cannot be meant at all.
    fn read(scalar: Scalar<'_>) -> Result<Self, String>;

    /// Its JSON schema.
    fn schema() -> Schema;
}

/// Marks a scalar of the wrong kind.
fn wrong_kind<T>() -> Result<T, String> {
    Err(String::new())
}

/// Reads a scalar and dresses the problem, if there is one, in a sentence.
pub(super) fn read<T: Value>(scalar: Scalar<'_>) -> Result<T, Flaw> {
    T::read(scalar).map_err(|problem| Flaw {
        title: match scalar {
            Scalar::Text(text) if !problem.is_empty() => {
                format!("`{}` is not {}: {problem}", shortened(text), T::NOUN)
            }
            _ if problem.is_empty() => format!("expected {}, found {scalar}", T::NOUN),
            _ => format!("expected {}, found {scalar}: {problem}", T::NOUN),
        },
        help: Some(format!("write {}", T::EXAMPLE)),
    })
}

/// The beginning of a text that may be long or hold line breaks, fit for a message.
pub(super) fn shortened(text: &str) -> String {
    let mut short: String = text.chars().take(40).flat_map(char::escape_debug).collect();
    if text.chars().nth(40).is_some() {
        short.push('…');
    }
    short
}

impl<T> Placed<T> {
    pub const fn new(span: Range<usize>, value: T) -> Self {
        Self { span, value }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Placed<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<T>::deserialize(deserializer)?;
        Ok(Self::new(spanned.span(), spanned.into_inner()))
    }
}

impl<T: JsonSchema> JsonSchema for Placed<T> {
    fn inline_schema() -> bool {
        T::inline_schema()
    }

    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn schema_id() -> Cow<'static, str> {
        T::schema_id()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

impl<'de, T: Value> Deserialize<'de> for Reading<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let read = deserializer.deserialize_any(ScalarVisitor(PhantomData));
        Ok(Self(read.unwrap_or_else(|error| {
            Err(Flaw {
                title: error.to_string(),
                help: None,
            })
        })))
    }
}

impl<T: Value> JsonSchema for Reading<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        T::NOUN.into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        T::schema()
    }
}

/// Turns whatever stands in the file into a [`Scalar`] and reads it.
pub(super) struct ScalarVisitor<T>(pub PhantomData<T>);

impl<'de, T: Value> Visitor<'de> for ScalarVisitor<T> {
    type Value = Result<T, Flaw>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::NOUN)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
        Ok(read(Scalar::Bool(value)))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
        Ok(read(Scalar::Integer(value)))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Self::Value, E> {
        Ok(read(Scalar::Float(value)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(read(Scalar::Text(text)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, _: A) -> Result<Self::Value, A::Error> {
        Ok(read(Scalar::List))
    }

    fn visit_map<A: MapAccess<'de>>(self, _: A) -> Result<Self::Value, A::Error> {
        Ok(read(Scalar::TableOrDate))
    }
}

impl Value for String {
    const NOUN: &'static str = "a text";
    const EXAMPLE: &'static str = "it between quotes";

    fn read(scalar: Scalar<'_>) -> Result<Self, String> {
        match scalar {
            Scalar::Text(text) => Ok(text.to_owned()),
            _ => wrong_kind(),
        }
    }

    fn schema() -> Schema {
        json_schema!({ "type": "string" })
    }
}

impl Value for bool {
    const NOUN: &'static str = "`true` or `false`";
    const EXAMPLE: &'static str = "`true` or `false`, without quotes";

    fn read(scalar: Scalar<'_>) -> Result<Self, String> {
        match scalar {
            Scalar::Bool(value) => Ok(value),
            _ => wrong_kind(),
        }
    }

    fn schema() -> Schema {
        json_schema!({ "type": "boolean" })
    }
}

impl Value for f64 {
    const NOUN: &'static str = "a number";
    const EXAMPLE: &'static str = "a number such as `2` or `0.5`, without quotes";

    fn read(scalar: Scalar<'_>) -> Result<Self, String> {
        match scalar {
            // Counts and weights above 2^53 lose their last digits, which nothing depends on.
            Scalar::Integer(value) => Ok(value as Self),
            Scalar::Float(value) if value.is_finite() => Ok(value),
            Scalar::Float(_) => Err("it is not finite".to_owned()),
            _ => wrong_kind(),
        }
    }

    fn schema() -> Schema {
        json_schema!({ "type": "number" })
    }
}

impl Value for u64 {
    const NOUN: &'static str = "a whole number";
    const EXAMPLE: &'static str = "a whole number such as `500` or `100_000`, without quotes";

    fn read(scalar: Scalar<'_>) -> Result<Self, String> {
        match scalar {
            Scalar::Integer(value) => {
                Self::try_from(value).map_err(|_| "it is negative".to_owned())
            }
            _ => wrong_kind(),
        }
    }

    fn schema() -> Schema {
        json_schema!({ "type": "integer", "minimum": 0 })
    }
}

impl Value for u32 {
    const NOUN: &'static str = u64::NOUN;
    const EXAMPLE: &'static str = u64::EXAMPLE;

    fn read(scalar: Scalar<'_>) -> Result<Self, String> {
        let value = <u64 as Value>::read(scalar)?;
        Self::try_from(value).map_err(|_| format!("the largest is `{}`", Self::MAX))
    }

    fn schema() -> Schema {
        json_schema!({ "type": "integer", "minimum": 0, "maximum": Self::MAX })
    }
}

impl Value for Duration {
    const NOUN: &'static str = "a length of time";
    const EXAMPLE: &'static str = "a length of time such as `\"500ms\"`, `\"1.5s\"` or `\"1m30s\"`";

    fn read(scalar: Scalar<'_>) -> Result<Self, String> {
        match scalar {
            Scalar::Text(text) => notation::duration(text),
            Scalar::Integer(_) | Scalar::Float(_) => Err("the unit is missing".to_owned()),
            _ => wrong_kind(),
        }
    }

    fn schema() -> Schema {
        json_schema!({ "type": "string", "pattern": r"^\s*([0-9_.]+\s*(ns|us|ms|s|m|h|d)\s*)+$" })
    }
}

impl Value for Rate {
    const NOUN: &'static str = "a rate";
    const EXAMPLE: &'static str = "a rate such as `\"2/s\"`, `\"0.5/s\"` or `\"90/min\"`";

    fn read(scalar: Scalar<'_>) -> Result<Self, String> {
        match scalar {
            Scalar::Text(text) => notation::rate(text),
            Scalar::Integer(_) | Scalar::Float(_) => Err("the unit is missing".to_owned()),
            _ => wrong_kind(),
        }
    }

    fn schema() -> Schema {
        json_schema!({ "type": "string", "pattern": r"^\s*[0-9_.]+\s*/\s*(s|m|min|h)\s*$" })
    }
}

impl Value for Share {
    const NOUN: &'static str = "a share";
    const EXAMPLE: &'static str = "a share such as `\"2%\"` or `0.02`";

    fn read(scalar: Scalar<'_>) -> Result<Self, String> {
        let fraction = match scalar {
            Scalar::Text(text) => return notation::share(text),
            Scalar::Integer(value) => value as f64,
            Scalar::Float(value) => value,
            _ => return wrong_kind(),
        };
        if (0.0..=1.0).contains(&fraction) {
            Ok(Self {
                ppm: (fraction * 1e6).round() as u32,
            })
        } else {
            Err("a bare number is a part of one, from 0 to 1".to_owned())
        }
    }

    fn schema() -> Schema {
        json_schema!({ "anyOf": [
            { "type": "string", "pattern": r"^\s*[0-9_.]+\s*%\s*$" },
            { "type": "number", "minimum": 0, "maximum": 1 },
        ] })
    }
}

impl Value for Usd {
    const NOUN: &'static str = "an amount of money";
    const EXAMPLE: &'static str = "dollars such as `\"$5\"` or `\"$0.50\"`";

    fn read(scalar: Scalar<'_>) -> Result<Self, String> {
        match scalar {
            Scalar::Text(text) => notation::money(text),
            Scalar::Integer(_) | Scalar::Float(_) => Err("the `$` is missing".to_owned()),
            _ => wrong_kind(),
        }
    }

    fn schema() -> Schema {
        json_schema!({ "type": "string", "pattern": r"^\s*\$[0-9_.]+\s*$" })
    }
}

/// A mark to be passed, in the unit of its kind; a bare number takes the metric's own unit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Bound {
    pub value: f64,
    pub kind: Option<Kind>,
}

impl Value for Bound {
    const NOUN: &'static str = "a bound";
    const EXAMPLE: &'static str =
        "a number, or a text with a unit such as `\"12s\"`, `\"1%\"` or `\"$5\"`";

    fn read(scalar: Scalar<'_>) -> Result<Self, String> {
        let (value, kind) = match scalar {
            Scalar::Text(text) if text.trim().ends_with('%') => {
                (notation::share(text)?.fraction(), Some(Kind::Share))
            }
            Scalar::Text(text) if text.trim().starts_with('$') => {
                (notation::money(text)?.dollars(), Some(Kind::Money))
            }
            Scalar::Text(text) => (notation::duration(text)?.as_secs_f64(), Some(Kind::Time)),
            _ => (<f64 as Value>::read(scalar)?, None),
        };
        Ok(Self { value, kind })
    }

    fn schema() -> Schema {
        json_schema!({ "type": ["number", "string"] })
    }
}
