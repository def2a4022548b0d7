//! A span for each attempt, from its lease to its verdict, where spans are exported.
//!
//! An item's trace goes on in the attempt: what is told to its handler and sent with its settlement is the
//! place of the attempt in the trace. Where nothing is exported it stays the place that the item came with,
//! as the standard asks of those who take no part.

use std::collections::HashMap;

use queue_api::{ItemId, Leased, QueueName};
use queue_client::Lease;
use telemetry::{Kind, Span};

use crate::verdict::Verdict;

/// The spans of attempts that go on.
#[derive(Debug, Default)]
pub(super) struct Spans {
    of: HashMap<ItemId, Span>,
}

impl Spans {
    /// An item was lent to us.
    pub(super) fn begin(&mut self, queue: &QueueName, item: &mut Leased) {
        if !telemetry::is_exporting() {
            return;
        }
        let name = || format!("attempt {queue}");
        let mut span = Span::begin(Kind::Consumer, name, item.trace().as_ref());
        span.say("queue.name", queue.as_str());
        span.say("item.id", item.id.to_string());
        span.count("item.attempt", item.attempt.into());
        if let Some(trace) = span.trace() {
            item.traceparent = Some(trace.traceparent().to_owned());
            item.tracestate = trace.tracestate().map(str::to_owned);
        }
        self.of.insert(item.id, span);
    }

    /// It is ours no more, or will be once this is settled.
    pub(super) fn end(&mut self, lease: &Lease, verdict: &Verdict) {
        let Some(mut span) = self.of.remove(&lease.id) else {
            return;
        };
        let (word, failure) = match verdict {
            Verdict::Ack { .. } => ("ack", None),
            Verdict::Nack(failure, _) => ("nack", Some(failure.headline())),
            Verdict::Dead(failure) => ("dead", Some(failure.headline())),
            Verdict::Release(..) | Verdict::Broken(_) => ("release", None),
            Verdict::Lost => ("lost", Some("the lease was lost")),
        };
        span.say("item.verdict", word);
        if let Some(failure) = failure {
            span.fail(failure);
        }
    }
}
