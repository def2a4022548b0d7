//! What the metrics of memq's programs have in common.
//!
//! Each program declares every family it exposes as a [`Family`] beside the component that counts it, and
//! lists them all in a [`Catalog`]. Instruments are made from those declarations, `docs/metrics.md` is
//! written from them, and [`check`] holds a scrape of a running program to them. What is counted, and when,
//! is the programs' own business.

#![forbid(unsafe_code)]

mod catalog;
pub mod check;
mod family;
mod page;
mod process;
mod rows;
mod timing;

pub use catalog::{Catalog, Group};
pub use family::{Family, Kind, Label, Values};
pub use page::page;
pub use process::{BUILD_INFO, PROCESS, Process};
pub use rows::Rows;
pub use timing::Timing;

/// The content type of [`text`].
pub const CONTENT_TYPE: &str = prometheus::TEXT_FORMAT;

/// Families as Prometheus reads them, by name. Those without a series are left out.
///
/// # Errors
///
/// A family whose series are not of its kind.
pub fn text(mut families: Vec<prometheus::proto::MetricFamily>) -> prometheus::Result<String> {
    families.retain(|family| !family.get_metric().is_empty());
    families.sort_by(|a, b| a.name().cmp(b.name()));
    prometheus::TextEncoder::new().encode_to_string(&families)
}
