//! What can be typed after `quotas`.

use super::Format;
use super::account::AccountArgs;

pub const EXAMPLES: &str = "\
Examples:
  bedload quotas us.anthropic.claude-sonnet-4-5-20250929-v1:0 --region us-east-1
  bedload quotas my.toml
  bedload quotas my.toml --write
  bedload quotas us.amazon.nova-lite-v1:0 --format json

Needs the IAM actions servicequotas:ListServiceQuotas and servicequotas:ListAWSDefaultServiceQuotas.";

/// `bedload quotas`.
#[derive(Debug, clap::Args)]
pub struct Quotas {
    /// A scenario file, for all of its models; or ids of models or inference profiles
    #[arg(required = true, value_name = "SCENARIO|ID")]
    pub of: Vec<String>,
    /// Write the quotas into the scenario file, in the place of those that are there
    #[arg(long)]
    pub write: bool,
    /// The account
    #[command(flatten)]
    pub account: AccountArgs,
    /// How to print it
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}
