//! An account's metrics of one model, by CloudWatch.
//!
//! Promises: every page is read; sums of periods, for the one model (or inference profile) that is asked for.

use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_cloudwatch::Client;
use aws_sdk_cloudwatch::types::{
    Dimension, Metric as CloudWatchMetric, MetricDataQuery, MetricStat,
};
use aws_smithy_types::DateTime;
use jiff::Timestamp;

use super::AccountError;
use crate::import::{Metric, Series};

const SERVICE: &str = "CloudWatch";

/// The namespace and the dimension of Bedrock's metrics. Source: AWS documentation, "Monitoring the
/// performance of Amazon Bedrock".
const NAMESPACE: &str = "AWS/Bedrock";
const MODEL_ID: &str = "ModelId";

/// Which metrics are asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetricsQuery {
    /// What requests carried: a model's id, a profile's id or an ARN.
    pub model_id: String,
    /// The first moment.
    pub from: Timestamp,
    /// The moment after the last.
    pub to: Timestamp,
    /// What is summed up; whole minutes.
    pub period: Duration,
}

/// Reads the metrics that `query` asks for.
///
/// # Errors
///
/// If the account does not answer, or not with metrics.
pub async fn metrics(config: &SdkConfig, query: &MetricsQuery) -> Result<Series, AccountError> {
    if config.region().is_none() {
        return Err(AccountError::Region);
    }
    let client = Client::new(config);
    let mut pages = client
        .get_metric_data()
        .start_time(moment(query.from))
        .end_time(moment(query.to))
        .set_metric_data_queries(Some(queries(query)))
        .into_paginator()
        .send();
    let mut series = Series::default();
    while let Some(page) = pages.next().await {
        let action = "cloudwatch:GetMetricData";
        let page = page.map_err(|error| AccountError::of(SERVICE, action, &error))?;
        for result in page.metric_data_results() {
            let place = result.id().and_then(|id| id.strip_prefix('m'));
            let place = place.and_then(|place| place.parse::<usize>().ok());
            let Some(&metric) = place.and_then(|place| Metric::ALL.get(place)) else {
                continue;
            };
            for (at, value) in result.timestamps().iter().zip(result.values()) {
                let nanos = i64::try_from(at.as_nanos()).unwrap_or_default();
                series.add(metric, nanos, *value);
            }
        }
    }
    Ok(series)
}

fn moment(time: Timestamp) -> DateTime {
    DateTime::from_secs(time.as_second())
}

fn queries(query: &MetricsQuery) -> Vec<MetricDataQuery> {
    let dimension = Dimension::builder()
        .name(MODEL_ID)
        .value(&query.model_id)
        .build();
    let period = i32::try_from(query.period.as_secs()).unwrap_or(i32::MAX);
    let of = |(place, metric): (usize, Metric)| {
        let metric = CloudWatchMetric::builder()
            .namespace(NAMESPACE)
            .metric_name(metric.name())
            .dimensions(dimension.clone())
            .build();
        let stat = MetricStat::builder()
            .metric(metric)
            .period(period)
            .stat("Sum")
            .build();
        MetricDataQuery::builder()
            .id(format!("m{place}"))
            .metric_stat(stat)
            .build()
    };
    Metric::ALL.into_iter().enumerate().map(of).collect()
}
