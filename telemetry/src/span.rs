//! Spans: what a program did for a trace, from when to when.
//!
//! Without the feature `otlp`, or where nobody asked for an export, a span is nothing and costs nothing, and
//! its callers need not know. What becomes of those that are recorded is for `otlp` to say.

use std::time::Duration;

use queue_api::Trace;

#[cfg(feature = "otlp")]
use crate::otlp::{self as recorded, Exporting};

/// Which part somebody plays in what a span tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Answers a request.
    Server,
    /// Hands work over that others do later.
    Producer,
    /// Does work that was handed over earlier.
    Consumer,
}

/// Something that goes on. It ends when it is dropped.
#[derive(Debug, Default)]
pub struct Span {
    #[cfg(feature = "otlp")]
    recorded: Option<recorded::Recorded>,
}

/// Begins to export spans, if this program can and the environment says where to (`OTEL_EXPORTER_OTLP_ENDPOINT`).
/// What is still to be sent goes out when the answer is dropped: keep it until the end, and drop it outside
/// of any runtime.
///
/// `program` is the service's name where `OTEL_SERVICE_NAME` gives none.
#[must_use]
pub fn export(program: &'static str) -> Option<Exporting> {
    #[cfg(feature = "otlp")]
    return recorded::start(program);
    #[cfg(not(feature = "otlp"))]
    {
        let _nobody_exports = program;
        None
    }
}

/// Whether spans are exported.
#[inline]
#[must_use]
pub fn is_exporting() -> bool {
    #[cfg(feature = "otlp")]
    return recorded::is_on();
    #[cfg(not(feature = "otlp"))]
    false
}

impl Span {
    /// Begins a span behind a place in a trace, or a trace of its own. It is nothing unless spans are exported.
    #[must_use]
    pub fn begin(kind: Kind, name: impl FnOnce() -> String, parent: Option<&Trace>) -> Self {
        #[cfg(feature = "otlp")]
        return Self {
            recorded: recorded::begin(kind, name, parent),
        };
        #[cfg(not(feature = "otlp"))]
        {
            let _nobody_records = (kind, name, parent);
            Self::default()
        }
    }

    /// Its place in the trace, for whoever goes on with it; `None` of a span that is nothing.
    #[must_use]
    pub fn trace(&self) -> Option<Trace> {
        #[cfg(feature = "otlp")]
        return self.recorded.as_ref().and_then(recorded::Recorded::trace);
        #[cfg(not(feature = "otlp"))]
        None
    }

    /// Says a text of it. The names are those of the log's fields.
    pub fn say(&mut self, field: &'static str, text: impl Into<String>) {
        #[cfg(feature = "otlp")]
        if let Some(recorded) = &mut self.recorded {
            recorded.text(field, text.into());
        }
        #[cfg(not(feature = "otlp"))]
        let _nobody_records = (field, text);
    }

    /// Says a number of it.
    pub fn count(&mut self, field: &'static str, number: u64) {
        #[cfg(feature = "otlp")]
        if let Some(recorded) = &mut self.recorded {
            recorded.number(field, number);
        }
        #[cfg(not(feature = "otlp"))]
        let _nobody_records = (field, number);
    }

    /// It was over so long ago: what went on since then belongs to something else.
    pub fn end_before(self, rest: Duration) {
        #[cfg(feature = "otlp")]
        if let Some(recorded) = self.recorded {
            recorded.end_before(rest);
        }
        #[cfg(not(feature = "otlp"))]
        let _nobody_records = rest;
    }

    /// What it tells of failed, for this reason.
    pub fn fail(&mut self, why: impl Into<String>) {
        #[cfg(feature = "otlp")]
        if let Some(recorded) = &mut self.recorded {
            recorded.fail(why.into());
        }
        #[cfg(not(feature = "otlp"))]
        let _nobody_records = why;
    }
}

/// What is left to be exported: nothing, in a program that exports none.
#[cfg(not(feature = "otlp"))]
#[derive(Debug)]
pub struct Exporting(());
