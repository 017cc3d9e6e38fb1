//! Reads the counters on the page `/metrics` of a running server, in Prometheus' text format.

/// The text of `/metrics`.
pub struct Metrics(String);

impl Metrics {
    /// Metrics in the text format.
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The sum of a series' values over all lines that have this label.
    pub fn sum(&self, series: &str, label: &str) -> u64 {
        self.lines(series)
            .filter(|(labels, _)| labels.contains(label))
            .map(|(_, count)| count)
            .sum()
    }

    /// Each value of a label with its count.
    pub fn labelled(&self, series: &str, label: &str) -> Vec<(String, u64)> {
        let value = |labels: &str| {
            let (_, rest) = labels.split_once(&format!("{label}=\""))?;
            rest.split_once('"').map(|(value, _)| value.to_owned())
        };
        self.lines(series).filter_map(|(labels, count)| Some((value(labels)?, count))).collect()
    }

    /// Each pair of values of two labels with its count.
    pub fn pairs(&self, series: &str, (one, other): (&str, &str)) -> Vec<(String, String, u64)> {
        let value = |labels: &str, label: &str| {
            let (_, rest) = labels.split_once(&format!("{label}=\""))?;
            rest.split_once('"').map(|(value, _)| value.to_owned())
        };
        self.lines(series)
            .filter_map(|(labels, count)| Some((value(labels, one)?, value(labels, other)?, count)))
            .collect()
    }

    /// `series{labels} count`; our labels have no braces in them.
    fn lines(&self, series: &str) -> impl Iterator<Item = (&str, u64)> {
        self.0.lines().filter_map(move |line| {
            let (labels, count) =
                line.strip_prefix(series)?.strip_prefix('{')?.rsplit_once("} ")?;
            Some((labels, count.trim().parse::<f64>().ok()? as u64))
        })
    }
}
