//! Which AWS account is asked, and how it is reached.

/// An account. Credentials are found as the AWS CLI finds them.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct AccountArgs {
    /// The AWS Region; AWS_REGION or the profile's unless given
    #[arg(long, value_name = "REGION")]
    pub region: Option<String>,
    /// The profile in the AWS configuration; AWS_PROFILE or the default one unless given
    #[arg(long, value_name = "NAME")]
    pub profile: Option<String>,
    /// Another address for the service
    #[arg(long, value_name = "URL")]
    pub endpoint_url: Option<String>,
}
