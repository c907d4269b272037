//! The charts of a plan: demand against the quota, what fits, and what each `max_tokens` costs.

use super::figure::{Data, Figure};
use super::plan::{counted_as, interval};
use super::run_page::short;
use super::table::name;
use super::words::{count, percent};
use crate::chart::{
    Axis, Bar, Bars, Forest, Interval, Line, Look, Plot, Rule, Scale, Scatter, Spot,
};
use crate::plan::{ModelPlan, Plan};
use crate::quota::Enforcement;
use crate::units::significant;

/// Demand's minutes against the quota, for each way to count.
pub(super) fn needs(plan: &Plan, model: &ModelPlan) -> Option<Figure> {
    if plan.closed_loop || model.demand.minutes < 2 {
        return None;
    }
    let demand = &model.demand;
    let mut data = Data::new([
        "counted as",
        "median minute",
        "p90",
        "percentile asked for",
        "greatest",
    ]);
    let mut bars = Vec::new();
    for (way, peaks) in Enforcement::ALL.into_iter().zip(&demand.tokens_per_minute) {
        data.row([
            way.to_string().as_str().into(),
            peaks.p50.into(),
            peaks.p90.into(),
            peaks.asked.value.into(),
            peaks.max.into(),
        ]);
        let parts = [
            peaks.p50,
            peaks.p90 - peaks.p50,
            peaks.asked.value - peaks.p90,
            peaks.max - peaks.asked.value,
        ];
        bars.push(Bar {
            name: counted_as(plan, way),
            values: parts.to_vec(),
            said: significant(peaks.max),
        });
    }
    if let Some(tpm) = model.quota.tpm {
        bars.push(Bar {
            name: "the quota".to_owned(),
            values: vec![0.0, 0.0, 0.0, 0.0, tpm as f64],
            said: count(tpm),
        });
        data.row([
            "the quota".into(),
            tpm.into(),
            tpm.into(),
            tpm.into(),
            tpm.into(),
        ]);
    }
    let title = format!(
        "{}: tokens per minute that today's load asks for",
        name(&model.name)
    );
    let asked = format!("p{}", significant(plan.percentile * 100.0));
    let drawn = Bars {
        title: title.clone(),
        about: "peaks of minutes by way to count, against the quota".to_owned(),
        axis: Axis {
            label: "tokens per minute".to_owned(),
            scale: Scale::up_to(bars.iter().map(|bar| bar.values.iter().sum())),
            show: short,
        },
        parts: vec![
            ("median minute".to_owned(), Look::Series(0)),
            ("p90".to_owned(), Look::Series(1)),
            (asked, Look::Series(2)),
            ("the greatest".to_owned(), Look::Quiet),
            ("the quota".to_owned(), Look::Caution),
        ],
        bars,
    };
    let note = "Peaks of minutes at today's load, were there no quota. Each part ends where its percentile is.";
    let note = note.to_owned();
    Some(Figure {
        title,
        note,
        svg: drawn.svg(),
        data,
    })
}

/// How much fits, with its interval, against what comes today.
pub(super) fn fits(plan: &Plan, model: &ModelPlan) -> Option<Figure> {
    if model.fits.is_empty() {
        return None;
    }
    let mut data = Data::new(["counted as", "fits, part of today's", "low", "high"]);
    let mut rows = Vec::new();
    // What passes is to be seen also where nothing does.
    let mut ends = vec![0.05];
    for fit in &model.fits {
        let part = |load: f64| load / plan.load - 1.0;
        let value = part(fit.load.value);
        let both = fit
            .load
            .low
            .zip(fit.load.high)
            .map(|(low, high)| (part(low), part(high)));
        ends.push(value);
        ends.extend(both.iter().flat_map(|ends| [ends.0, ends.1]));
        rows.push(Interval {
            name: counted_as(plan, fit.enforcement),
            value,
            ends: both,
            allowed: Some((0.0, f64::INFINITY)),
            look: if value < 0.0 { Look::Bad } else { Look::Good },
            said: format!("{} /min", significant(fit.simulated.value)),
            title: format!(
                "{}: {} requests/min",
                fit.enforcement,
                interval(&fit.simulated)
            ),
        });
        data.row([
            fit.enforcement.to_string().as_str().into(),
            (1.0 + value).into(),
            both.map(|ends| 1.0 + ends.0).into(),
            both.map(|ends| 1.0 + ends.1).into(),
        ]);
    }
    let title = format!(
        "{}: how much more than today's load fits",
        name(&model.name)
    );
    let drawn = Forest {
        title: title.clone(),
        about: "what fits into the quota, as change of today's load, by way to count".to_owned(),
        axis: Axis {
            label: "more or less than today's load".to_owned(),
            scale: Scale::around(ends),
            show: |value| {
                let sign = if value > 0.0 { "+" } else { "" };
                format!("{sign}{}", percent(value))
            },
        },
        rows,
    };
    let note =
        "Shaded: today's load fits. Whiskers are 95 % intervals over seeds. A cross does not fit.";
    Some(Figure {
        title,
        note: note.to_owned(),
        svg: drawn.svg(),
        data,
    })
}

/// What each `max_tokens` sustains, and where answers begin to be cut off.
pub(super) fn curve(plan: &Plan, model: &ModelPlan) -> Option<Figure> {
    let curve = model.curve.as_ref()?;
    let mut columns = vec!["max_tokens".to_owned()];
    columns.extend(Enforcement::ALL.map(|way| format!("{way} (requests/min)")));
    columns.push("cut off".to_owned());
    let mut data = Data {
        columns,
        rows: Vec::new(),
    };
    for candidate in &curve.candidates {
        let mut row = vec![candidate.max_tokens.into()];
        row.extend(candidate.sustained.iter().map(|rate| (*rate).into()));
        row.push(candidate.cut_off.into());
        data.rows.push(row);
    }
    let axis = Axis {
        label: "max_tokens (logarithmic)".to_owned(),
        scale: Scale::log_around(
            curve
                .candidates
                .iter()
                .map(|candidate| candidate.max_tokens as f64),
        ),
        show: short,
    };
    let rates = curve
        .candidates
        .iter()
        .flat_map(|candidate| candidate.sustained.iter().copied());
    let y = Axis {
        label: "requests per minute that are sustained".to_owned(),
        // Some room above the highest, for what is written there.
        scale: Scale::up_to(
            rates
                .chain([model.demand.requests_mean])
                .map(|rate| rate * 1.15),
        ),
        show: short,
    };
    let title = format!("{}: what each max_tokens lets through", name(&model.name));
    let mut plot = Plot::new(title.clone(), axis, y);
    plot.about = "requests per minute by max_tokens, a line for each way to count".to_owned();
    for (place, way) in (0_u8..).zip(Enforcement::ALL) {
        let points = curve.candidates.iter().map(|candidate| {
            let rate = candidate.sustained.get(usize::from(place)).copied();
            (
                candidate.max_tokens as f64,
                rate.filter(|rate| rate.is_finite()),
            )
        });
        plot.lines.push(Line {
            name: counted_as(plan, way),
            look: Look::Series(place),
            points: points.collect(),
            step: false,
            marked: false,
            leaves: false,
        });
    }
    let own = Enforcement::ALL
        .iter()
        .position(|way| *way == plan.enforcement)
        .unwrap_or(0);
    let spots = curve
        .candidates
        .iter()
        .filter(|candidate| candidate.present || candidate.max_tokens == curve.recommended);
    let spots = spots.filter_map(|candidate| {
        let y = candidate
            .sustained
            .get(own)
            .copied()
            .filter(|rate| rate.is_finite())?;
        let label = if candidate.max_tokens == curve.recommended {
            "enough"
        } else {
            "now"
        };
        Some(Spot {
            x: candidate.max_tokens as f64,
            y,
            label: format!("{label}: {}", count(candidate.max_tokens)),
            title: format!(
                "max_tokens {}: {} requests/min, cuts off {} of answers",
                count(candidate.max_tokens),
                significant(y),
                percent(candidate.cut_off)
            ),
        })
    });
    plot.scatters.push(Scatter {
        name: String::new(),
        look: Look::Good,
        spots: spots.collect(),
    });
    plot.rules.push(Rule {
        at: model.demand.requests_mean,
        label: format!(
            "today {} requests/min",
            significant(model.demand.requests_mean)
        ),
        look: Look::Caution,
    });
    let note = format!(
        "In closed form. Left of “enough”, more than {} of answers are cut off.",
        percent(curve.cut_off_max)
    );
    Some(Figure {
        title,
        note,
        svg: plot.svg(),
        data,
    })
}
