//! One family of metrics: its declaration, and the instruments that are made of it.

use prometheus::{
    Counter, Gauge, GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec,
    IntGauge, IntGaugeVec, Opts,
};

/// What a family's series are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// Only ever grows, and begins anew at 0 with its program.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts in buckets with these upper bounds, in the family's unit; a last one for all that is larger is implied.
    Histogram(&'static [f64]),
}

/// What a label may say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Values {
    /// One of these words.
    Of(&'static [&'static str]),
    /// Something that is not known beforehand; says what.
    Any(&'static str),
}

/// A label of a family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Label {
    /// Its name.
    pub name: &'static str,
    /// What it may say.
    pub values: Values,
}

impl Label {
    /// A label that is one of these words.
    #[must_use]
    pub const fn of(name: &'static str, values: &'static [&'static str]) -> Self {
        Self {
            name,
            values: Values::Of(values),
        }
    }

    /// A label that is something of this kind.
    #[must_use]
    pub const fn any(name: &'static str, what: &'static str) -> Self {
        Self {
            name,
            values: Values::Any(what),
        }
    }
}

/// A family of metrics.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Family {
    /// Its name. Ends with its unit if that is seconds or bytes, and then with `_total` if it is a counter.
    pub name: &'static str,
    /// What its series are.
    pub kind: Kind,
    /// What a value of 1 is one of: `seconds`, `bytes`, `items` and so on.
    pub unit: &'static str,
    /// Its labels, in the order in which their values are given.
    pub labels: &'static [Label],
    /// A sentence that says what it is.
    pub help: &'static str,
    /// When it is there, if it is not always.
    pub when: Option<&'static str>,
}

impl Family {
    const fn new(name: &'static str, kind: Kind, unit: &'static str, help: &'static str) -> Self {
        Self {
            name,
            kind,
            unit,
            labels: &[],
            help,
            when: None,
        }
    }

    /// A counter without labels.
    #[must_use]
    pub const fn counter(name: &'static str, unit: &'static str, help: &'static str) -> Self {
        Self::new(name, Kind::Counter, unit, help)
    }

    /// A gauge without labels.
    #[must_use]
    pub const fn gauge(name: &'static str, unit: &'static str, help: &'static str) -> Self {
        Self::new(name, Kind::Gauge, unit, help)
    }

    /// A histogram of seconds without labels.
    #[must_use]
    pub const fn seconds(name: &'static str, bounds: &'static [f64], help: &'static str) -> Self {
        Self::new(name, Kind::Histogram(bounds), "seconds", help)
    }

    /// With these labels.
    #[must_use]
    pub const fn by(self, labels: &'static [Label]) -> Self {
        Self { labels, ..self }
    }

    /// There only then: a clause that begins with a small letter.
    #[must_use]
    pub const fn when(self, when: &'static str) -> Self {
        Self {
            when: Some(when),
            ..self
        }
    }

    /// Its one counter.
    #[must_use]
    pub fn to_counter(&self) -> IntCounter {
        made(IntCounter::with_opts(self.opts()))
    }

    /// Its one counter, of parts of a unit.
    #[must_use]
    pub fn to_float_counter(&self) -> Counter {
        made(Counter::with_opts(self.opts()))
    }

    /// Its counters by their labels.
    #[must_use]
    pub fn to_counters(&self) -> IntCounterVec {
        made(IntCounterVec::new(self.opts(), &self.names()))
    }

    /// Its one gauge.
    #[must_use]
    pub fn to_gauge(&self) -> IntGauge {
        made(IntGauge::with_opts(self.opts()))
    }

    /// Its one gauge, of parts of a unit.
    #[must_use]
    pub fn to_float_gauge(&self) -> Gauge {
        made(Gauge::with_opts(self.opts()))
    }

    /// Its gauges by their labels.
    #[must_use]
    pub fn to_gauges(&self) -> IntGaugeVec {
        made(IntGaugeVec::new(self.opts(), &self.names()))
    }

    /// Its gauges by their labels, of parts of a unit.
    #[must_use]
    pub fn to_float_gauges(&self) -> GaugeVec {
        made(GaugeVec::new(self.opts(), &self.names()))
    }

    /// Its one histogram.
    #[must_use]
    pub fn to_histogram(&self) -> Histogram {
        made(Histogram::with_opts(self.histogram_opts()))
    }

    /// Its histograms by their labels.
    #[must_use]
    pub fn to_histograms(&self) -> HistogramVec {
        made(HistogramVec::new(self.histogram_opts(), &self.names()))
    }

    fn opts(&self) -> Opts {
        Opts::new(self.name, self.help)
    }

    fn histogram_opts(&self) -> HistogramOpts {
        let Kind::Histogram(bounds) = self.kind else {
            panic!(
                "{} is declared as something else than a histogram",
                self.name
            );
        };
        HistogramOpts::from(self.opts()).buckets(bounds.to_vec())
    }

    fn names(&self) -> Vec<&'static str> {
        self.labels.iter().map(|label| label.name).collect()
    }
}

/// What a declaration cannot get wrong at run time: it is a constant, and every one is made in tests.
fn made<T>(instrument: prometheus::Result<T>) -> T {
    instrument.expect("a family is declared with legal names")
}
