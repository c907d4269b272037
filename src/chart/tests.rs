//! What holds for every chart, whatever the numbers.

use proptest::prelude::*;

use super::*;

fn plain(value: f64) -> String {
    format!("{value:.1e}")
}

fn axis(scale: Scale) -> Axis {
    Axis {
        label: "seconds < \"minutes\" & more".to_owned(),
        scale,
        show: plain,
    }
}

/// Every number in an attribute or a path; what is no number there fails.
fn numbers(svg: &str) -> Vec<f64> {
    let tree = roxmltree::Document::parse(svg).expect("well-formed");
    let mut found = Vec::new();
    for attribute in tree.descendants().flat_map(|node| node.attributes()) {
        let words = attribute
            .value()
            .split(|c: char| c.is_ascii_alphabetic() || c.is_whitespace());
        if [
            "x", "y", "x1", "x2", "y1", "y2", "width", "height", "d", "viewBox",
        ]
        .contains(&attribute.name())
        {
            let words = words.filter(|word| !word.is_empty());
            found.extend(words.map(|word| word.parse::<f64>().expect("a number")));
        }
    }
    found
}

/// Where the drawing's texts begin and end, and whether they are within it.
fn assert_texts_fit(svg: &str) {
    let tree = roxmltree::Document::parse(svg).expect("well-formed");
    let size: Vec<f64> = tree
        .root_element()
        .attribute("viewBox")
        .expect("a size")
        .split(' ')
        .map(|number| number.parse().expect("a number"))
        .collect();
    for text in tree.descendants().filter(|node| node.has_tag_name("text")) {
        let at = |name: &str| {
            text.attribute(name)
                .expect("a place")
                .parse::<f64>()
                .unwrap()
        };
        let length = svg::width(text.text().unwrap_or_default());
        let begins = match text.attribute("text-anchor") {
            Some("end") => at("x") - length,
            Some("middle") => at("x") - length / 2.0,
            _ => at("x"),
        };
        let said = text.text();
        assert!(
            begins > -1.0 && begins + length < size[2] + 1.0,
            "{said:?} in {svg}"
        );
        assert!(at("y") > 0.0 && at("y") <= size[3], "{said:?} in {svg}");
    }
}

fn odd() -> impl Strategy<Value = f64> {
    prop_oneof![
        8 => -1e9..1e9_f64,
        2 => 0.0..1.0_f64,
        1 => Just(f64::NAN),
        1 => Just(f64::INFINITY),
        1 => Just(f64::NEG_INFINITY),
        1 => any::<f64>(),
    ]
}

proptest! {
    #[test]
    fn ticks_are_in_order_and_cover_the_range(low in -1e12..1e12_f64, span in 1e-6..1e12_f64) {
        let values = [low, low + span];
        let scale = Scale::around(values);
        let ticks = scale.ticks(5);
        prop_assert!(ticks.len() >= 2 && ticks.len() <= 13, "{:?}", ticks);
        prop_assert!(ticks.windows(2).all(|two| two[0] < two[1]), "{:?}", ticks);
        let slack = (ticks[1] - ticks[0]) * 1e-3;
        prop_assert!(ticks[0] <= low.min(0.0) + slack, "{:?} from {}", ticks, low);
        let last = ticks[ticks.len() - 1];
        prop_assert!(last >= (low + span).max(0.0) - slack, "{:?} to {}", ticks, low + span);
    }

    #[test]
    fn logarithmic_ticks_lie_on_their_axis(low in 1e-9..1e9_f64, factor in 1.0..1e9_f64) {
        let scale = Scale::log_around([low, low * factor]);
        let Scale::Log { low: from, high: to } = scale else { unreachable!("it is logarithmic") };
        prop_assert!(from <= low * 1.000_01 && to * 1.000_01 >= low * factor);
        let ticks = scale.ticks(6);
        prop_assert!(!ticks.is_empty() && ticks.len() <= 14, "{:?}", ticks);
        prop_assert!(ticks.windows(2).all(|two| two[0] < two[1]), "{:?}", ticks);
        prop_assert!(ticks.iter().all(|tick| *tick >= from * 0.999 && *tick <= to * 1.001));
    }

    #[test]
    fn times_have_few_ticks(end in 0.001..1e9_f64) {
        let ticks = Scale::Time { end }.ticks(8);
        prop_assert!(!ticks.is_empty() && ticks.len() <= 12, "{:?}", ticks);
        prop_assert!(ticks.iter().all(|tick| *tick <= end * 1.000_01));
    }

    #[test]
    fn every_number_has_a_place(value in odd(), end in 1e-3..1e6_f64) {
        for scale in [
            Scale::Linear { low: 0.0, high: end },
            Scale::Time { end },
            Scale::Log { low: end / 10.0, high: end },
            Scale::percentiles(end as u64),
        ] {
            let place = scale.place(value);
            prop_assert!((0.0..=1.0).contains(&place), "{} at {}", value, place);
        }
    }

    #[test]
    fn a_plot_is_well_formed_and_holds_its_points(
        values in prop::collection::vec((odd(), odd()), 0..40),
        name in "\\PC{0,12}|[<>&\"'\u{0}\u{1b}]{1,4}",
        step in any::<bool>(),
    ) {
        let mut plot = Plot::new(
            name.clone(),
            axis(Scale::Time { end: 60.0 }),
            axis(Scale::up_to(values.iter().map(|value| value.1))),
        );
        plot.about.clone_from(&name);
        let points = values.iter().map(|&(x, y)| (x, Some(y)));
        let line = Line {
            name: name.clone(), look: Look::Series(1), points: points.collect(),
            step, marked: true, leaves: step,
        };
        plot.lines.push(line);
        plot.bands.push(Band {
            name: name.clone(), look: Look::Series(2), step,
            points: values.iter().map(|&(x, y)| (x, (x > 0.0).then_some((y, x)))).collect(),
        });
        plot.columns = Columns {
            parts: vec![(name.clone(), Look::Bad), (name.clone(), Look::Series(0))],
            columns: values.iter().map(|&(x, y)| Column {
                from: x, to: x + 1.0, values: vec![x, y], title: name.clone(),
            }).collect(),
        };
        plot.rules.push(Rule { at: 1.0, label: name.clone(), look: Look::Bad });
        plot.scatters.push(Scatter {
            name: name.clone(), look: Look::Good,
            spots: values.iter().map(|&(x, y)| Spot { x, y, label: name.clone(), title: name.clone() }).collect(),
        });
        plot.hovers.push(Hover { from: 0.0, to: 5.0, title: name });
        let svg = plot.svg();
        prop_assert!(!svg.contains("NaN"), "{}", svg);
        for number in numbers(&svg) {
            prop_assert!(number.is_finite() && number.abs() < 1_000.0, "{} in {}", number, svg);
        }
    }

    #[test]
    fn bars_and_intervals_are_well_formed(
        values in prop::collection::vec((odd(), odd(), odd()), 0..12),
        name in "\\PC{0,40}",
    ) {
        let bars = Bars {
            title: name.clone(), about: name.clone(),
            axis: axis(Scale::up_to(values.iter().map(|value| value.0))),
            parts: vec![(name.clone(), Look::Series(1)), (name.clone(), Look::Series(2))],
            bars: values.iter().map(|value| Bar {
                name: name.clone(), values: vec![value.0, value.1], said: "12 ms".to_owned(),
            }).collect(),
        };
        let forest = Forest {
            title: name.clone(), about: name.clone(),
            axis: axis(Scale::around(values.iter().map(|value| value.0))),
            rows: values.iter().map(|value| Interval {
                name: name.clone(), value: value.0, ends: Some((value.1, value.2)),
                allowed: Some((f64::NEG_INFINITY, value.1)), look: Look::Caution,
                said: "12 ms".to_owned(), title: name.clone(),
            }).collect(),
        };
        for svg in [bars.svg(), forest.svg()] {
            prop_assert!(numbers(&svg).into_iter().all(|number| number.is_finite() && number.abs() < 2_000.0));
        }
    }

    #[test]
    fn hatches_stay_within_what_they_fill(
        x in 0.0..700.0_f64, y in 0.0..300.0_f64, width in 0.0..300.0_f64, height in 0.0..300.0_f64,
    ) {
        let path = svg::hatch([x, y, width, height], 5.0);
        for stroke in path.split(['M', 'L']).filter(|stroke| !stroke.is_empty()) {
            let (across, down) = stroke.split_once(' ').expect("a pair");
            let (across, down): (f64, f64) = (across.parse().unwrap(), down.parse().unwrap());
            prop_assert!(across >= x - 0.1 && across <= x + width + 0.1);
            prop_assert!(down >= y - 0.1 && down <= y + height + 0.1);
        }
    }
}

#[test]
fn percentiles_are_where_hdrhistogram_has_them() {
    let scale = Scale::percentiles(10_000);
    assert_eq!(scale.ticks(9), [0.0, 0.5, 0.9, 0.99, 0.999, 0.9999]);
    for (part, place) in [
        (0.0, 0.0),
        (0.9, 0.25),
        (0.99, 0.5),
        (0.999, 0.75),
        (0.9999, 1.0),
    ] {
        assert!((scale.place(part) - place).abs() < 1e-9, "{part}");
    }
}

#[test]
fn a_line_that_goes_to_infinity_leaves_by_the_top() {
    let mut plot = Plot::new(
        "t",
        axis(Scale::percentiles(100)),
        axis(Scale::up_to([2.0])),
    );
    plot.lines.push(Line {
        name: String::new(),
        look: Look::Series(0),
        points: vec![(0.0, Some(1.0)), (0.5, Some(2.0))],
        step: false,
        marked: false,
        leaves: true,
    });
    let svg = plot.svg();
    assert!(svg.contains("V32m-4 7l4 -7l4 7"), "{svg}");
}

#[test]
fn labels_stay_within_the_drawing() {
    let clock = |value: f64| format!("{}:{:02}", value as u64 / 60, value as u64 % 60);
    let mut plot = Plot::new(
        "t",
        Axis {
            label: "since the run began".to_owned(),
            scale: Scale::Time { end: 3_600.0 },
            show: clock,
        },
        Axis {
            label: "tokens per minute".to_owned(),
            scale: Scale::up_to([123_456_789.0]),
            show: plain,
        },
    );
    for name in [
        "reserved",
        "settled",
        "refused",
        "a long name of something that is counted",
    ] {
        plot.lines.push(Line {
            name: name.to_owned(),
            look: Look::Quiet,
            points: Vec::new(),
            step: true,
            marked: true,
            leaves: false,
        });
        plot.rules.push(Rule {
            at: 1e8,
            label: format!("quota of {name}"),
            look: Look::Bad,
        });
    }
    plot.scatters.push(Scatter {
        name: "front".to_owned(),
        look: Look::Good,
        spots: vec![Spot {
            x: 3_600.0,
            y: 2e8,
            label: "burst=20s".to_owned(),
            title: String::new(),
        }],
    });
    assert_texts_fit(&plot.svg());
}

#[test]
fn what_several_series_look_like_differs_without_colour() {
    let looks: Vec<_> = (0..4).map(Look::Series).collect();
    for (place, one) in looks.iter().enumerate() {
        for other in &looks[place + 1..] {
            assert_ne!(one.dash(), other.dash());
            assert_ne!(one.marker(), other.marker());
            assert_ne!(one.hatch(), other.hatch());
        }
    }
}
