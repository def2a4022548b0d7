//! The trace that items come in with.
//!
//! It goes on with the one that memq itself was started in, as `TRACEPARENT` and `TRACESTATE` in its environment
//! name it. Where spans are exported, each request is a span of it, or else begins a trace of its own.

use queue_api::Trace;
use queue_client::QueueClient;
use telemetry::{Kind, Span};

/// A span for a request that brings so many bytes of items, and the client to make it by.
pub(super) fn sending(queue: &QueueClient, bytes: usize) -> (Span, QueueClient) {
    let around = around(|name| std::env::var(name).ok());
    let name = || format!("load {}", queue.name());
    let mut span = Span::begin(Kind::Producer, name, around.as_ref());
    span.say("queue.name", queue.name().as_str());
    span.count("item.bytes", bytes as u64);
    let trace = span.trace().or(around);
    (span, queue.with_trace(trace))
}

fn around(variable: impl Fn(&str) -> Option<String>) -> Option<Trace> {
    Trace::new(&variable("TRACEPARENT")?, variable("TRACESTATE").as_deref())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_come_in_with_the_trace_that_memq_was_started_in() {
        let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let found = around(|name| {
            let value = match name {
                "TRACEPARENT" => parent,
                _ => "a=1",
            };
            Some(value.to_owned())
        });
        let found = found.expect("a trace");
        assert_eq!(
            (found.traceparent(), found.tracestate()),
            (parent, Some("a=1"))
        );
        assert_eq!(around(|_| None), None);
        assert_eq!(around(|_| Some("no trace".to_owned())), None);
    }
}
