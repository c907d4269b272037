//! Metrics as text: Prometheus's exposition format, and OpenMetrics, which grew out of it.
//!
//! Promises: the samples of a family stand together under its name, type and help; label values and
//! help are escaped; a counter's samples end in `_total`; OpenMetrics text ends with `# EOF`.
//!
//! Sources: Prometheus documentation, "Exposition formats" (text format 0.0.4); OpenMetrics 1.0.

use std::fmt::Write as _;

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// Text format 0.0.4, which every Prometheus reads.
    Prometheus,
    /// OpenMetrics 1.0.
    OpenMetrics,
}

/// The type of a family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// What only grows.
    Counter,
    /// What goes up and down.
    Gauge,
    /// Counts by upper bound.
    Histogram,
    /// Quantiles.
    Summary,
    /// Facts, as labels of a 1.
    Info,
}

/// Text that grows family by family.
#[derive(Clone, Debug)]
pub struct Exposition {
    dialect: Dialect,
    text: String,
    family: String,
    kind: Kind,
}

/// Labels of a sample.
pub type Labels<'a> = &'a [(&'a str, &'a str)];

impl Exposition {
    /// No metrics.
    #[must_use]
    pub const fn new(dialect: Dialect) -> Self {
        Self {
            dialect,
            text: String::new(),
            family: String::new(),
            kind: Kind::Gauge,
        }
    }

    /// Begins a family. `name` is without `_total` or `_info`; if it ends in `_seconds`, `_bytes` or
    /// the like, that is its unit.
    pub fn family(&mut self, name: &str, kind: Kind, help: &str) {
        name.clone_into(&mut self.family);
        self.kind = kind;
        let (shown, word) = match (self.dialect, kind) {
            (_, Kind::Gauge) => (name.to_owned(), "gauge"),
            (_, Kind::Histogram) => (name.to_owned(), "histogram"),
            (_, Kind::Summary) => (name.to_owned(), "summary"),
            (Dialect::OpenMetrics, Kind::Counter) => (name.to_owned(), "counter"),
            (Dialect::OpenMetrics, Kind::Info) => (name.to_owned(), "info"),
            (Dialect::Prometheus, Kind::Counter) => (format!("{name}_total"), "counter"),
            (Dialect::Prometheus, Kind::Info) => (format!("{name}_info"), "gauge"),
        };
        let mut escaped = help.replace('\\', "\\\\").replace('\n', "\\n");
        if self.dialect == Dialect::OpenMetrics {
            escaped = escaped.replace('"', "\\\"");
        }
        push(
            &mut self.text,
            format_args!("# HELP {shown} {escaped}\n# TYPE {shown} {word}\n"),
        );
        if self.dialect == Dialect::OpenMetrics && name.ends_with("_seconds") {
            push(&mut self.text, format_args!("# UNIT {shown} seconds\n"));
        }
    }

    /// A whole number of the family.
    pub fn count(&mut self, labels: Labels<'_>, number: u64) {
        let suffix = self.suffix();
        self.sample(suffix, labels, &number.to_string());
    }

    /// Any number of the family.
    pub fn value(&mut self, labels: Labels<'_>, number: f64) {
        let suffix = self.suffix();
        self.sample(suffix, labels, &shortest(number));
    }

    /// The facts of an info.
    pub fn info(&mut self, labels: Labels<'_>) {
        self.sample("_info", labels, "1");
    }

    /// One series of a histogram: each upper bound in seconds with how many are no greater, how many
    /// there are, and their sum.
    pub fn histogram(
        &mut self,
        labels: Labels<'_>,
        buckets: impl Iterator<Item = (f64, u64)>,
        count: u64,
        sum: f64,
    ) {
        for (bound, below) in buckets {
            self.bounded(
                "_bucket",
                labels,
                "le",
                &format!("{bound:?}"),
                &below.to_string(),
            );
        }
        self.bounded("_bucket", labels, "le", "+Inf", &count.to_string());
        self.sample("_count", labels, &count.to_string());
        self.sample("_sum", labels, &shortest(sum));
    }

    /// One series of a summary: quantiles, how many there are, and their sum.
    pub fn summary(
        &mut self,
        labels: Labels<'_>,
        quantiles: impl Iterator<Item = (f64, f64)>,
        count: u64,
        sum: f64,
    ) {
        for (quantile, value) in quantiles {
            self.bounded(
                "",
                labels,
                "quantile",
                &format!("{quantile:?}"),
                &shortest(value),
            );
        }
        self.sample("_count", labels, &count.to_string());
        self.sample("_sum", labels, &shortest(sum));
    }

    /// The text.
    #[must_use]
    pub fn finish(mut self) -> String {
        if self.dialect == Dialect::OpenMetrics {
            self.text.push_str("# EOF\n");
        }
        self.text
    }

    const fn suffix(&self) -> &'static str {
        match self.kind {
            Kind::Counter => "_total",
            _ => "",
        }
    }

    fn bounded(&mut self, suffix: &str, labels: Labels<'_>, name: &str, bound: &str, value: &str) {
        let mut all = labels.to_vec();
        all.push((name, bound));
        self.sample(suffix, &all, value);
    }

    fn sample(&mut self, suffix: &str, labels: Labels<'_>, value: &str) {
        let text = &mut self.text;
        text.push_str(&self.family);
        text.push_str(suffix);
        for (place, (name, label)) in labels.iter().enumerate() {
            text.push(if place == 0 { '{' } else { ',' });
            push(text, format_args!("{name}=\"{}\"", escape(label)));
        }
        if !labels.is_empty() {
            text.push('}');
        }
        push(text, format_args!(" {value}\n"));
    }
}

fn push(text: &mut String, words: std::fmt::Arguments<'_>) {
    text.write_fmt(words).expect("a String takes everything");
}

fn escape(label: &str) -> String {
    label
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

/// The shortest decimal that means the same number.
fn shortest(number: f64) -> String {
    format!("{number}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn both(write: impl Fn(&mut Exposition)) -> (String, String) {
        let text = |dialect| {
            let mut text = Exposition::new(dialect);
            write(&mut text);
            text.finish()
        };
        (text(Dialect::Prometheus), text(Dialect::OpenMetrics))
    }

    #[test]
    fn counters_are_named_as_each_format_wants_them() {
        let (prometheus, open) = both(|text| {
            text.family("bedload_requests", Kind::Counter, "Requests.");
            text.count(&[("class", "chat")], 3);
        });
        let sample = "bedload_requests_total{class=\"chat\"} 3\n";
        assert_eq!(
            prometheus,
            format!(
                "# HELP bedload_requests_total Requests.\n# TYPE bedload_requests_total counter\n{sample}"
            )
        );
        assert_eq!(
            open,
            format!(
                "# HELP bedload_requests Requests.\n# TYPE bedload_requests counter\n{sample}# EOF\n"
            )
        );
    }

    #[test]
    fn labels_and_help_are_escaped() {
        let (prometheus, open) = both(|text| {
            text.family("a", Kind::Gauge, "a \"b\" \\ \n c");
            text.value(&[("x", "q\" \\ \n"), ("y", "é")], 0.5);
        });
        let sample = "a{x=\"q\\\" \\\\ \\n\",y=\"é\"} 0.5\n";
        assert_eq!(
            prometheus,
            format!("# HELP a a \"b\" \\\\ \\n c\n# TYPE a gauge\n{sample}")
        );
        assert!(
            open.starts_with("# HELP a a \\\"b\\\" \\\\ \\n c\n"),
            "{open}"
        );
    }

    #[test]
    fn bounds_are_written_as_floats() {
        let (prometheus, open) = both(|text| {
            text.family("t_seconds", Kind::Histogram, "T.");
            text.histogram(&[], [(0.005, 1), (1.0, 2)].into_iter(), 3, 9.5);
        });
        let samples = "t_seconds_bucket{le=\"0.005\"} 1\nt_seconds_bucket{le=\"1.0\"} 2\n\
                       t_seconds_bucket{le=\"+Inf\"} 3\nt_seconds_count 3\nt_seconds_sum 9.5\n";
        assert!(prometheus.ends_with(samples), "{prometheus}");
        assert!(open.contains("# UNIT t_seconds seconds\n"), "{open}");
    }
}
