//! How the text formats of Prometheus (0.0.4) and OpenMetrics (1.0.0) are written.
//! <https://prometheus.io/docs/instrumenting/exposition_formats/>,
//! <https://prometheus.io/docs/specs/om/open_metrics_spec/>

use std::fmt::{self, Display, Write};

use crate::histogram::Distribution;

/// A text format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// 0.0.4
    Prometheus,
    /// 1.0.0
    OpenMetrics,
}

impl Format {
    /// What a client takes, by the header `Accept`.
    pub fn accepted(accept: &str) -> Self {
        let names = |range: &str| {
            range
                .split(';')
                .next()
                .unwrap_or_default()
                .trim()
                .eq_ignore_ascii_case("application/openmetrics-text")
        };
        match accept.split(',').any(names) {
            true => Self::OpenMetrics,
            false => Self::Prometheus,
        }
    }

    /// As `Content-Type` has it.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Counter,
    Gauge,
    Histogram,
    Info,
}

/// What metrics are written to.
pub(crate) struct Writer {
    out: String,
    format: Format,
}

/// Labels: names and values.
pub(crate) type Pairs<'a> = [(&'a str, &'a str)];

impl Writer {
    /// Empty.
    pub fn new(format: Format) -> Self {
        Self {
            out: String::new(),
            format,
        }
    }

    /// All that was written.
    pub fn end(mut self) -> String {
        if self.format == Format::OpenMetrics {
            self.out.push_str("# EOF\n");
        }
        self.out
    }

    /// Begins a family; `name` is without the suffix of a counter.
    pub fn family(&mut self, name: &str, kind: Kind, help: &str) -> fmt::Result {
        let (suffix, kind) = match (self.format, kind) {
            (Format::Prometheus, Kind::Counter) => ("_total", "counter"),
            (Format::Prometheus, Kind::Info) => ("_info", "gauge"),
            (Format::OpenMetrics, Kind::Counter) => ("", "counter"),
            (Format::OpenMetrics, Kind::Info) => ("", "info"),
            (_, Kind::Gauge) => ("", "gauge"),
            (_, Kind::Histogram) => ("", "histogram"),
        };
        writeln!(self.out, "# HELP bedrock_{name}{suffix} {help}")?;
        writeln!(self.out, "# TYPE bedrock_{name}{suffix} {kind}")
    }

    /// One value.
    pub fn sample(
        &mut self,
        name: &str,
        labels: &[&Pairs<'_>],
        value: impl Display,
    ) -> fmt::Result {
        write!(self.out, "bedrock_{name}")?;
        let mut before = '{';
        for (name, value) in labels.iter().flat_map(|labels| labels.iter()) {
            write!(self.out, "{before}{name}=\"{}\"", Escaped(value))?;
            before = ',';
        }
        let end = if before == '{' { "" } else { "}" };
        writeln!(self.out, "{end} {value}")
    }

    /// A distribution of values, of which `unit` are one.
    pub fn histogram(
        &mut self,
        name: &str,
        labels: &Pairs<'_>,
        bounds: &[u64],
        unit: f64,
        of: &Distribution,
    ) -> fmt::Result {
        let bucket = format!("{name}_bucket");
        let bounds = bounds
            .iter()
            .map(|bound| format!("{:?}", *bound as f64 / unit));
        for (bound, count) in bounds.chain(["+Inf".to_owned()]).zip(of.cumulative()) {
            self.sample(&bucket, &[labels, &[("le", &bound)]], count)?;
        }
        self.sample(&format!("{name}_sum"), &[labels], of.sum as f64 / unit)?;
        self.sample(&format!("{name}_count"), &[labels], of.count())
    }
}

/// A label's value, as both formats have it.
struct Escaped<'a>(&'a str);

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|char| match char {
            '\\' => f.write_str("\\\\"),
            '"' => f.write_str("\\\""),
            '\n' => f.write_str("\\n"),
            char => f.write_char(char),
        })
    }
}
