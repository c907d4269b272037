//! What a model id names: a foundation model, and the scope in which it is called.
//!
//! Promises: an id is taken apart, never looked up, so a new model needs no change here.
//!
//! Deliberately not: ids that say nothing about their model. Application inference profiles,
//! provisioned throughput, custom models and prompt routers are names that only the account can
//! resolve.
//!
//! Source: AWS documentation, "Increase throughput with cross-Region inference", for the prefixes;
//! Service Authorization Reference, "Resource types defined by Amazon Bedrock", for the ARNs.

use serde::Deserialize;

/// Where a call may be answered, which decides its price and its quota.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    /// The plain model id: in the Region that is called.
    Base,
    /// The `us.` profile.
    Us,
    /// The `eu.` profile.
    Eu,
    /// The `apac.` profile.
    Apac,
    /// The `jp.` profile.
    Jp,
    /// The `au.` profile.
    Au,
    /// The `ca.` profile.
    Ca,
    /// The `in.` profile.
    In,
    /// The `us-gov.` profile.
    UsGov,
    /// The `global.` profile.
    Global,
}

impl Scope {
    /// Its name in files and reports: the profile's prefix, or `base`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Base => "base",
            Self::Us => "us",
            Self::Eu => "eu",
            Self::Apac => "apac",
            Self::Jp => "jp",
            Self::Au => "au",
            Self::Ca => "ca",
            Self::In => "in",
            Self::UsGov => "us-gov",
            Self::Global => "global",
        }
    }

    fn of_prefix(prefix: &str) -> Option<Self> {
        Some(match prefix {
            "us" => Self::Us,
            "eu" => Self::Eu,
            "apac" => Self::Apac,
            "jp" => Self::Jp,
            "au" => Self::Au,
            "ca" => Self::Ca,
            "in" => Self::In,
            "us-gov" => Self::UsGov,
            "global" => Self::Global,
            _ => return None,
        })
    }
}

/// A model id, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ModelId<'a> {
    /// The foundation model's id, without a prefix.
    pub foundation: &'a str,
    /// The scope that the prefix stands for.
    pub scope: Scope,
}

impl<'a> ModelId<'a> {
    /// Takes apart a foundation model's id, an inference profile's id, or the ARN of either.
    /// None for an ARN that names neither.
    pub(super) fn parse(id: &'a str) -> Option<Self> {
        if !id.starts_with("arn:") {
            return Some(Self::of_name(id));
        }
        // arn:partition:bedrock:region:account:type/name, where the name may have colons of its own.
        let mut parts = id.splitn(6, ':');
        let service = parts.nth(2)?;
        let (kind, name) = parts.nth(2)?.split_once('/')?;
        let parsed = Self::of_name(name);
        let fits = match kind {
            "foundation-model" => parsed.scope == Scope::Base,
            "inference-profile" => parsed.scope != Scope::Base,
            _ => false,
        };
        (service == "bedrock" && fits).then_some(parsed)
    }

    fn of_name(name: &'a str) -> Self {
        name.split_once('.')
            .and_then(|(prefix, foundation)| {
                Scope::of_prefix(prefix).map(|scope| Self { foundation, scope })
            })
            .unwrap_or(Self {
                foundation: name,
                scope: Scope::Base,
            })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn prefixes_name_the_scope() {
        for (prefix, scope) in [
            ("", Scope::Base),
            ("us.", Scope::Us),
            ("eu.", Scope::Eu),
            ("apac.", Scope::Apac),
            ("jp.", Scope::Jp),
            ("au.", Scope::Au),
            ("ca.", Scope::Ca),
            ("in.", Scope::In),
            ("us-gov.", Scope::UsGov),
            ("global.", Scope::Global),
        ] {
            let id = format!("{prefix}amazon.nova-lite-v1:0");
            let expected = ModelId {
                foundation: "amazon.nova-lite-v1:0",
                scope,
            };
            assert_eq!(ModelId::parse(&id), Some(expected), "{id}");
        }
    }

    #[test]
    fn arns_are_taken_apart_when_they_name_their_model() {
        let model = "arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-lite-v1:0";
        let expected = ModelId {
            foundation: "amazon.nova-lite-v1:0",
            scope: Scope::Base,
        };
        assert_eq!(ModelId::parse(model), Some(expected));

        let profile =
            "arn:aws-us-gov:bedrock:us-gov-west-1:123456789012:inference-profile/us-gov.x.y-v1:0";
        let expected = ModelId {
            foundation: "x.y-v1:0",
            scope: Scope::UsGov,
        };
        assert_eq!(ModelId::parse(profile), Some(expected));
    }

    #[test]
    fn arns_that_only_the_account_can_resolve_are_nothing() {
        for arn in [
            "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/a1b2c3d4e5f6",
            "arn:aws:bedrock:us-east-1:123456789012:provisioned-model/a1b2c3d4e5f6",
            "arn:aws:bedrock:us-east-1:123456789012:inference-profile/no-prefix",
            "arn:aws:s3:::bucket/us.amazon.nova-lite-v1:0",
            "arn:aws:bedrock",
            "arn:",
        ] {
            assert_eq!(ModelId::parse(arn), None, "{arn}");
        }
    }

    proptest! {
        #[test]
        fn no_text_is_too_odd_to_take_apart(id in "(arn:)?[a-z:./-]{0,40}|.*") {
            if let Some(parsed) = ModelId::parse(&id) {
                prop_assert!(id.ends_with(parsed.foundation));
            }
        }
    }
}
