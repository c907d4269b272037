//! What the figures of a plan rest on, in words.

use super::Plan;
use crate::quota::Dimension;
use crate::units::significant;

pub(super) fn assumptions(plan: &Plan) -> Vec<String> {
    let mut said = vec![
        String::from(
            "AWS does not say how it counts the minute. The way marked * is this scenario's; the others show \
             what it costs to be wrong. Where a call settles more than it reserves, `rolling` and `fixed` let \
             more through than the quota: what is over is forgotten with the window."
        ),
        format!(
            "Simulated figures are means over {} seeds, with 95 % intervals by Student's t, on a grid of \
             1 %; each trial is {} of virtual time. Percentiles of minutes have 95 % intervals by order \
             statistics, where there are enough minutes.",
            plan.seeds,
            hours(plan.trial_s),
        ),
        "Answers take as long as the scenario's `[service]` says, whatever the load. A minute's value is its \
         greatest second's sum over the last sixty, and has to fit into one minute's quota."
            .to_owned(),
        "Prices are list prices, without tax, discounts or the prompt cache's writes.".to_owned(),
    ];
    if plan.recorded {
        said.push(
            "Arrivals are one recording: intervals do not say how another day would have been. More load is \
             made by copies that are shifted by up to 30 s."
                .to_owned(),
        );
    }
    if plan
        .models
        .iter()
        .any(|model| model.quota.get(Dimension::Tpd).is_none())
    {
        said.push(
            "A quota of tokens a day is not given for every model. AWS's default across models is 700 M a day, \
             which 486,000 tokens a minute use up."
                .to_owned(),
        );
    }
    said
}

fn hours(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", significant(seconds as f64 / 60.0)),
        _ => format!("{} h", significant(seconds as f64 / 3_600.0)),
    }
}
