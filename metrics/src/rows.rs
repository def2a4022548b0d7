//! A family whose series are written down when it is scraped: what something else knows anyway is not
//! counted twice, and the series of what is gone go with it.

use prometheus::proto::{self, LabelPair, Metric, MetricFamily, MetricType};

use crate::{Family, Kind};

/// A family on its way into a scrape.
#[derive(Debug)]
pub struct Rows {
    declared: &'static Family,
    series: Vec<Metric>,
}

impl Rows {
    /// A family without a series.
    #[must_use]
    pub fn new(declared: &'static Family) -> Self {
        Self {
            declared,
            series: Vec::new(),
        }
    }

    /// A family with the one series that it has without labels.
    #[must_use]
    pub fn one(declared: &'static Family, value: f64) -> MetricFamily {
        let mut rows = Self::new(declared);
        rows.add(&[], value);
        rows.into_family()
    }

    /// Adds a series: the values of its labels in the order they are declared, and its own.
    pub fn add(&mut self, labels: &[&str], value: f64) {
        let mut metric = self.labelled(labels);
        match self.declared.kind {
            Kind::Counter => {
                let mut counter = proto::Counter::default();
                counter.set_value(value);
                metric.set_counter(counter);
            }
            Kind::Gauge => {
                let mut gauge = proto::Gauge::default();
                gauge.set_value(value);
                metric.set_gauge(gauge);
            }
            Kind::Histogram(_) => panic!("{} is a histogram", self.declared.name),
        }
        self.series.push(metric);
    }

    /// Adds a series of a histogram: how many values were in each bucket, the last one for all that were
    /// larger than its bounds, and their sum.
    pub fn add_histogram(&mut self, labels: &[&str], buckets: &[u64], sum: f64) {
        let Kind::Histogram(bounds) = self.declared.kind else {
            panic!("{} is no histogram", self.declared.name);
        };
        assert_eq!(
            buckets.len(),
            bounds.len() + 1,
            "one for each bound and the rest"
        );
        let mut metric = self.labelled(labels);
        let mut count = 0;
        let mut shown = Vec::with_capacity(bounds.len());
        for (bound, values) in bounds.iter().zip(buckets) {
            count += values;
            let mut bucket = proto::Bucket::default();
            bucket.set_upper_bound(*bound);
            bucket.set_cumulative_count(count);
            shown.push(bucket);
        }
        let mut histogram = proto::Histogram::default();
        histogram.set_bucket(shown);
        histogram.set_sample_count(count + buckets[bounds.len()]);
        histogram.set_sample_sum(sum);
        metric.set_histogram(histogram);
        self.series.push(metric);
    }

    fn labelled(&self, values: &[&str]) -> Metric {
        assert_eq!(values.len(), self.declared.labels.len(), "a value a label");
        let pair = |(label, value): (&crate::Label, &&str)| {
            let mut pair = LabelPair::default();
            pair.set_name(label.name.to_owned());
            pair.set_value((*value).to_owned());
            pair
        };
        Metric::from_label(self.declared.labels.iter().zip(values).map(pair).collect())
    }

    /// The family as a scrape takes it.
    #[must_use]
    pub fn into_family(self) -> MetricFamily {
        let mut family = MetricFamily::default();
        family.set_name(self.declared.name.to_owned());
        family.set_help(self.declared.help.to_owned());
        family.set_field_type(match self.declared.kind {
            Kind::Counter => MetricType::COUNTER,
            Kind::Gauge => MetricType::GAUGE,
            Kind::Histogram(_) => MetricType::HISTOGRAM,
        });
        family.set_metric(self.series);
        family
    }
}
