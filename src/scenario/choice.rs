//! Values that are one of a few names: an API, a spacing, a family of models, a class of failures.
//!
//! Promises: a name that is not among them is answered with the nearest one that is, or with all.

use schemars::{Schema, json_schema};

use super::Api;
use super::suggest::{closest, listed};
use super::value::{Scalar, Value};
use crate::catalogue::Family;
use crate::expect::Metric;
use crate::gate::Gauge;
use crate::limiter::{Oversize, Strategy};
use crate::outcome::Failure;
use crate::quota::Enforcement;
use crate::service::Adjustment;
use crate::service::fault::Flaw;

/// How requests lie between one another, as written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SpacingName {
    Even,
    Poisson,
    Gamma,
}

/// Where a connection is reset, as written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ResetName(pub Flaw);

/// How an answer is damaged, as written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct DamageName(pub Flaw);

/// What a limiter sets aside, as written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ReservationName {
    MaxTokens,
    Expected,
    Mirror,
}

const RESERVATIONS: &[(&str, ReservationName)] = &[
    ("max-tokens", ReservationName::MaxTokens),
    ("expected", ReservationName::Expected),
    ("mirror", ReservationName::Mirror),
];

const OVERSIZES: &[(&str, Oversize)] = &[
    ("refuse", Oversize::Refuse),
    ("overdraw", Oversize::Overdraw),
];

const ENFORCEMENTS: &[(&str, Enforcement)] = &[
    ("bucket", Enforcement::Bucket),
    ("ledger", Enforcement::Ledger),
    ("rolling", Enforcement::Rolling),
    ("fixed", Enforcement::Fixed),
];

const ADJUSTMENTS: &[(&str, Adjustment)] = &[
    ("at_end", Adjustment::AtEnd),
    ("continuous", Adjustment::Continuous),
];

const SPACINGS: &[(&str, SpacingName)] = &[
    ("even", SpacingName::Even),
    ("poisson", SpacingName::Poisson),
    ("gamma", SpacingName::Gamma),
];

const APIS: &[(&str, Api)] = &[
    ("invoke-model", Api::InvokeModel),
    ("converse", Api::Converse),
    ("invoke-model-stream", Api::InvokeModelStream),
    ("converse-stream", Api::ConverseStream),
];

const RESETS: &[(&str, ResetName)] = &[
    ("before-head", ResetName(Flaw::ResetBeforeHead)),
    ("after-head", ResetName(Flaw::ResetAfterHead)),
    ("mid-body", ResetName(Flaw::ResetMidBody)),
];

const DAMAGES: &[(&str, DamageName)] = &[
    ("truncated-chunk", DamageName(Flaw::TruncatedChunk)),
    ("corrupt", DamageName(Flaw::Corrupt)),
    ("early-end", DamageName(Flaw::EarlyEnd)),
    ("content-type", DamageName(Flaw::ContentType)),
    ("empty-body", DamageName(Flaw::EmptyBody)),
    ("large-body", DamageName(Flaw::LargeBody)),
];

const FAMILIES: &[(&str, Family)] = &[
    ("claude", Family::Claude),
    ("llama", Family::Llama),
    ("titan", Family::Titan),
    ("nova", Family::Nova),
    ("command", Family::Command),
    ("command-r", Family::CommandR),
    ("jamba", Family::Jamba),
    ("jurassic", Family::Jurassic),
    ("mistral", Family::Mistral),
    ("mistral-chat", Family::MistralChat),
    ("deepseek", Family::DeepSeek),
    ("openai", Family::OpenAi),
];

/// The choice with this name, or what to choose from.
fn choose<T: Copy>(scalar: Scalar<'_>, choices: &[(&str, T)]) -> Result<T, String> {
    let Scalar::Text(text) = scalar else {
        return Err(String::new());
    };
    if let Some(&(_, choice)) = choices.iter().find(|(name, _)| *name == text) {
        return Ok(choice);
    }
    let names = || choices.iter().map(|&(name, _)| name);
    Err(match closest(text, names()) {
        Some(name) => format!("did you mean `{name}`?"),
        None => format!("it is none of {}", listed(names())),
    })
}

fn names_schema<T>(choices: &[(&str, T)]) -> Schema {
    let names: Vec<&str> = choices.iter().map(|&(name, _)| name).collect();
    json_schema!({ "enum": names })
}

macro_rules! choice {
    ($type:ty, $choices:expr, $noun:literal, $example:literal) => {
        impl Value for $type {
            const NOUN: &'static str = $noun;
            const EXAMPLE: &'static str = $example;

            fn read(scalar: Scalar<'_>) -> Result<Self, String> {
                choose(scalar, $choices)
            }

            fn schema() -> Schema {
                names_schema($choices)
            }
        }
    };
}

choice!(
    SpacingName,
    SPACINGS,
    "a spacing",
    "`\"even\"` or `\"poisson\"`"
);
choice!(
    ReservationName,
    RESERVATIONS,
    "a strategy of reservation",
    "`\"max-tokens\"`, `\"expected\"` or `\"mirror\"`"
);
choice!(
    Oversize,
    OVERSIZES,
    "a policy for requests that are too large",
    "`\"refuse\"` or `\"overdraw\"`"
);
choice!(
    Enforcement,
    ENFORCEMENTS,
    "a way to count a quota",
    "`\"bucket\"`, `\"ledger\"`, `\"rolling\"` or `\"fixed\"`"
);
choice!(
    Adjustment,
    ADJUSTMENTS,
    "a time of adjustment",
    "`\"at_end\"` or `\"continuous\"`"
);
choice!(
    Family,
    FAMILIES,
    "a family of models",
    "the family whose request bodies the model understands, such as `\"claude\"`"
);
choice!(
    Failure,
    &failures(),
    "a class of failures",
    "a class of failures such as `\"throttled_tokens\"` or `\"timeout\"`"
);

choice!(
    Strategy,
    &strategies(),
    "a strategy",
    "a strategy such as `\"bedload\"` or `\"gcra\"`"
);
choice!(
    Api,
    APIS,
    "an API",
    "`\"invoke-model\"`, `\"converse\"`, `\"invoke-model-stream\"` or `\"converse-stream\"`"
);
choice!(
    ResetName,
    RESETS,
    "a place to reset a connection",
    "`\"before-head\"`, `\"after-head\"` or `\"mid-body\"`"
);
choice!(
    DamageName,
    DAMAGES,
    "a way to damage an answer",
    "a way to damage an answer such as `\"early-end\"` or `\"empty-body\"`"
);

impl Value for Metric {
    const NOUN: &'static str = "a metric";
    const EXAMPLE: &'static str = "a metric such as `\"latency.p99\"` or `\"throttle_share\"`";

    fn read(scalar: Scalar<'_>) -> Result<Self, String> {
        named(scalar, Self::parse, &Self::names().collect::<Vec<_>>())
    }

    fn schema() -> Schema {
        json_schema!({ "enum": Self::names().collect::<Vec<String>>() })
    }
}

impl Value for Gauge {
    const NOUN: &'static str = "a metric that runs are compared by";
    const EXAMPLE: &'static str = Metric::EXAMPLE;

    fn read(scalar: Scalar<'_>) -> Result<Self, String> {
        let names: Vec<String> = Self::all().map(|gauge| gauge.to_string()).collect();
        named(scalar, Self::parse, &names)
    }

    fn schema() -> Schema {
        json_schema!({ "enum": Self::all().map(|gauge| gauge.to_string()).collect::<Vec<String>>() })
    }
}

/// What a name means, or which name was meant.
fn named<T>(
    scalar: Scalar<'_>,
    parse: fn(&str) -> Option<T>,
    names: &[String],
) -> Result<T, String> {
    let Scalar::Text(text) = scalar else {
        return Err(String::new());
    };
    let names = || names.iter().map(String::as_str);
    parse(text).ok_or_else(|| match closest(text, names()) {
        Some(name) => format!("did you mean `{name}`?"),
        None => format!("it is none of {}", listed(names())),
    })
}

fn strategies() -> Vec<(&'static str, Strategy)> {
    Strategy::ALL
        .iter()
        .map(|&strategy| (strategy.name(), strategy))
        .collect()
}

fn failures() -> Vec<(&'static str, Failure)> {
    Failure::ALL
        .iter()
        .map(|&failure| (failure.name(), failure))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_name_is_answered_with_the_right_one() {
        let spacing = |text| SpacingName::read(Scalar::Text(text));
        assert_eq!(spacing("poisson"), Ok(SpacingName::Poisson));
        assert_eq!(spacing("poison"), Err("did you mean `poisson`?".to_owned()));
        assert_eq!(
            spacing("weibull"),
            Err("it is none of `even`, `poisson` and `gamma`".to_owned())
        );
        assert_eq!(Failure::read(Scalar::Text("timeout")), Ok(Failure::Timeout));
        assert_eq!(Family::read(Scalar::Integer(3)), Err(String::new()));
    }
}
