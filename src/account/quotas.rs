//! An account's quotas, by Service Quotas.
//!
//! Promises: every page is read; a value that was applied to the account stands before AWS's default.
//! Service Quotas lists applied values only of quotas that have one, which is why defaults are asked for as
//! well (AWS documentation, ListServiceQuotas).

use aws_config::SdkConfig;
use aws_sdk_servicequotas::Client;
use aws_sdk_servicequotas::types::ServiceQuota;

use super::AccountError;
use crate::catalogue::ListedQuota;

const SERVICE: &str = "Service Quotas";

/// What Service Quotas calls Bedrock.
const SERVICE_CODE: &str = "bedrock";

/// Every quota of Bedrock that the account has in the configuration's Region: applied values first.
///
/// # Errors
///
/// If the account does not answer, or not with quotas.
pub async fn quotas(config: &SdkConfig) -> Result<Vec<ListedQuota>, AccountError> {
    if config.region().is_none() {
        return Err(AccountError::Region);
    }
    let client = Client::new(config);
    let mut listed = Vec::new();
    let mut pages = client
        .list_service_quotas()
        .service_code(SERVICE_CODE)
        .into_paginator()
        .send();
    while let Some(page) = pages.next().await {
        let action = "servicequotas:ListServiceQuotas";
        let page = page.map_err(|error| AccountError::of(SERVICE, action, &error))?;
        listed.extend(page.quotas().iter().filter_map(|quota| read(quota, true)));
    }
    let mut pages = client
        .list_aws_default_service_quotas()
        .service_code(SERVICE_CODE)
        .into_paginator()
        .send();
    while let Some(page) = pages.next().await {
        let action = "servicequotas:ListAWSDefaultServiceQuotas";
        let page = page.map_err(|error| AccountError::of(SERVICE, action, &error))?;
        listed.extend(page.quotas().iter().filter_map(|quota| read(quota, false)));
    }
    Ok(listed)
}

/// None for a quota whose value the service could not tell.
fn read(quota: &ServiceQuota, applied: bool) -> Option<ListedQuota> {
    Some(ListedQuota {
        code: quota.quota_code()?.to_owned(),
        name: quota.quota_name().unwrap_or_default().to_owned(),
        value: quota.value()?,
        applied,
    })
}
