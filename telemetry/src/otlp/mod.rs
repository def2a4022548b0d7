//! The export of spans: OTLP, protobuf over HTTP, set up by the variables that OpenTelemetry names.
//!
//! Spans wait in a bounded queue for a thread of their own, which sends them in batches; what does not fit
//! is dropped. No call of a server ever waits for a collector.

use std::env;
use std::error::Error;
use std::fmt;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use opentelemetry::trace::{
    Span as _, SpanContext, SpanId, SpanKind, Status, TraceContextExt as _, TraceFlags, TraceId,
    TraceState, Tracer as _, TracerProvider as _,
};
use opentelemetry::{Context, KeyValue};
use opentelemetry_otlp::{SpanExporter, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider, Span as SdkSpan, SpanData};
use queue_api::Trace;

use self::collector::{Caller, Reason};
use crate::chain;
use crate::span::Kind;

mod collector;

/// How long the end of a program waits for the last spans to be sent.
const FAREWELL: Duration = Duration::from_secs(3);
/// Hexadecimal digits.
const HEX: u32 = 16;

static TRACER: OnceLock<SdkTracer> = OnceLock::new();

/// Spans are exported while this lives. When it is dropped, those that are left are sent, for three seconds
/// at most.
#[derive(Debug)]
pub struct Exporting(SdkTracerProvider);

impl Drop for Exporting {
    fn drop(&mut self) {
        if let Err(error) = self.0.shutdown_with_timeout(FAREWELL) {
            tracing::warn!(error.message = %error, "the last spans may not have been exported");
        }
    }
}

pub(crate) fn is_on() -> bool {
    TRACER.get().is_some()
}

pub(crate) fn start(program: &'static str) -> Option<Exporting> {
    let variable = |name: &str| env::var(name).ok();
    let endpoint = wanted(variable)?;
    if is_on() {
        return None;
    }
    let exporter = match exporter(&endpoint, variable) {
        Ok(exporter) => exporter,
        Err(error) => {
            tracing::error!(error.message = chain(&*error), "spans are not exported");
            return None;
        }
    };
    let provider = SdkTracerProvider::builder()
        .with_batch_exporter(exporter)
        .with_resource(resource(program))
        .build();
    let tracer = provider.tracer("memq");
    TRACER.set(tracer).ok()?;
    Some(Exporting(provider))
}

fn exporter(
    endpoint: &str,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<Telling, Box<dyn Error>> {
    let caller = Caller::new(endpoint, variable)?;
    let reason = caller.reason();
    let exporter = SpanExporter::builder()
        .with_http()
        .with_http_client(caller)
        .build()?;
    Ok(Telling {
        exporter,
        reason,
        failing: AtomicBool::new(false),
    })
}

/// Where the environment asks to have spans exported to, if it asks for that.
fn wanted(variable: impl Fn(&str) -> Option<String>) -> Option<String> {
    let is = |name: &str, word: &str| {
        variable(name).is_some_and(|value| value.trim().eq_ignore_ascii_case(word))
    };
    let off = is("OTEL_SDK_DISABLED", "true") || is("OTEL_TRACES_EXPORTER", "none");
    collector::endpoint(&variable).filter(|_| !off)
}

fn resource(program: &'static str) -> Resource {
    let named = env::var("OTEL_SERVICE_NAME").is_ok_and(|name| !name.is_empty())
        || env::var("OTEL_RESOURCE_ATTRIBUTES").is_ok_and(|all| all.contains("service.name="));
    let version = KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
    // What the environment says of the resource comes with every builder.
    let resource = Resource::builder().with_attribute(version);
    match named {
        true => resource.build(),
        false => resource.with_service_name(program).build(),
    }
}

/// An exporter whose first failure is told, and that it is over.
struct Telling<E = SpanExporter> {
    exporter: E,
    /// What lies under a failure, where that is known.
    reason: Reason,
    failing: AtomicBool,
}

impl<E> fmt::Debug for Telling<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Telling").finish_non_exhaustive()
    }
}

impl<E: opentelemetry_sdk::trace::SpanExporter> opentelemetry_sdk::trace::SpanExporter
    for Telling<E>
{
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = batch.len();
        // What lay under an earlier failure says nothing of this one.
        self.reason.take();
        let exported = self.exporter.export(batch).await;
        let failing = exported.is_err();
        match (self.failing.swap(failing, Ordering::Relaxed), &exported) {
            (false, Err(error)) => {
                let why = self.reason.take().unwrap_or_else(|| error.to_string());
                tracing::warn!(
                    span.count = spans,
                    error.message = why,
                    "spans cannot be exported; more are tried, and not told of"
                );
            }
            (true, Ok(())) => tracing::info!("spans are exported again"),
            _ => {}
        }
        exported
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}

/// A span that is recorded.
#[derive(Debug)]
pub(crate) struct Recorded {
    span: SdkSpan,
    /// The `tracestate` that it goes on with: as it came. OpenTelemetry drops the whole of one that has a key
    /// which only the standard's second edition allows.
    state: Option<String>,
}

pub(crate) fn begin(
    kind: Kind,
    name: impl FnOnce() -> String,
    parent: Option<&Trace>,
) -> Option<Recorded> {
    let tracer = TRACER.get()?;
    let kind = match kind {
        Kind::Server => SpanKind::Server,
        Kind::Producer => SpanKind::Producer,
        Kind::Consumer => SpanKind::Consumer,
    };
    let context = Context::new();
    let context = match parent.and_then(remote) {
        Some(parent) => context.with_remote_span_context(parent),
        None => context,
    };
    let builder = tracer.span_builder(name()).with_kind(kind);
    Some(Recorded {
        span: tracer.build_with_context(builder, &context),
        state: parent.and_then(Trace::tracestate).map(str::to_owned),
    })
}

fn remote(trace: &Trace) -> Option<SpanContext> {
    let flags = trace.traceparent().get(53..)?;
    let state = trace.tracestate().and_then(|state| state.parse().ok());
    Some(SpanContext::new(
        TraceId::from_hex(trace.trace_id()).ok()?,
        SpanId::from_hex(trace.span_id()).ok()?,
        TraceFlags::new(u8::from_str_radix(flags, HEX).ok()?),
        true,
        state.unwrap_or(TraceState::NONE),
    ))
}

impl Recorded {
    pub(crate) fn trace(&self) -> Option<Trace> {
        let context = self.span.span_context();
        let flags = context.trace_flags().to_u8();
        let parent = format!(
            "00-{}-{}-{flags:02x}",
            context.trace_id(),
            context.span_id()
        );
        Trace::new(&parent, self.state.as_deref())
    }

    pub(crate) fn text(&mut self, field: &'static str, text: String) {
        self.span.set_attribute(KeyValue::new(field, text));
    }

    pub(crate) fn number(&mut self, field: &'static str, number: u64) {
        let number = i64::try_from(number).unwrap_or(i64::MAX);
        self.span.set_attribute(KeyValue::new(field, number));
    }

    pub(crate) fn fail(&mut self, why: String) {
        self.span.set_status(Status::error(why));
    }

    pub(crate) fn end_before(mut self, rest: Duration) {
        #[expect(
            clippy::disallowed_methods,
            reason = "a span begins and ends at a date, as the SDK has them"
        )]
        let end = SystemTime::now().checked_sub(rest);
        self.span.end_with_timestamp(end.unwrap_or(UNIX_EPOCH));
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::io;
    use std::pin::pin;
    use std::sync::{Arc, Mutex};
    use std::task::{Context as Polling, Poll, Waker};

    use opentelemetry_sdk::error::OTelSdkError;
    use opentelemetry_sdk::trace::SpanExporter as _;

    use super::*;

    /// What is logged.
    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Log {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("no panic").write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// A collector that does one after the other, the last first: nothing goes wrong, or its calls fail with
    /// this, or it answers that it will not.
    #[derive(Debug)]
    struct Collector {
        does: Mutex<Vec<Result<(), Option<&'static str>>>>,
        reason: Reason,
    }

    impl opentelemetry_sdk::trace::SpanExporter for Collector {
        async fn export(&self, _: Vec<SpanData>) -> OTelSdkResult {
            match self.does.lock().expect("no panic").pop() {
                Some(Err(why)) => {
                    if let Some(why) = why {
                        self.reason.keep(why.into());
                    }
                    Err(OTelSdkError::InternalFailure("status code: 401".into()))
                }
                Some(Ok(())) | None => Ok(()),
            }
        }
    }

    #[test]
    fn a_failure_is_told_with_its_own_reason() {
        let reason = Reason::default();
        let exporter = Collector {
            does: Mutex::new(vec![
                Err(None),
                Ok(()),
                Err(Some("still away")),
                Err(Some("away")),
            ]),
            reason: reason.clone(),
        };
        let telling = Telling {
            exporter,
            reason,
            failing: AtomicBool::new(false),
        };
        let log = Log::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt().with_writer(move || writer.clone());
        tracing::subscriber::with_default(subscriber.finish(), || {
            for _ in 0..4 {
                let exported = pin!(telling.export(Vec::new()));
                let polled = exported.poll(&mut Polling::from_waker(Waker::noop()));
                assert!(matches!(polled, Poll::Ready(_)));
            }
        });
        let logged = log.0.lock().expect("no panic");
        let logged = String::from_utf8_lossy(&logged);
        let told: Vec<_> = logged
            .lines()
            .filter(|line| line.contains("WARN"))
            .collect();
        assert_eq!(told.len(), 2, "{logged}");
        assert!(
            told[0].contains("away") && !told[0].contains("still"),
            "{logged}"
        );
        assert!(
            told[1].contains("401") && !told[1].contains("away"),
            "{logged}"
        );
    }

    fn asked(all: &[(&str, &str)]) -> Option<String> {
        wanted(|name| {
            let found = all.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn spans_are_exported_only_where_the_environment_says_so() {
        let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4318");
        let of_traces = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";
        assert_eq!(asked(&[]), None);
        assert_eq!(asked(&[endpoint]).as_deref(), Some("http://c:4318"));
        let both = asked(&[endpoint, (of_traces, "http://c/x")]);
        assert_eq!(both.as_deref(), Some("http://c/x"));
        let unset = asked(&[endpoint, (of_traces, "")]);
        assert_eq!(unset.as_deref(), Some("http://c:4318"));
        assert_eq!(asked(&[("OTEL_EXPORTER_OTLP_ENDPOINT", " ")]), None);
        for off in [
            ("OTEL_SDK_DISABLED", "TRUE"),
            ("OTEL_TRACES_EXPORTER", "none"),
        ] {
            assert_eq!(asked(&[endpoint, off]), None, "{off:?}");
        }
    }

    #[test]
    fn a_place_in_a_trace_is_the_same_on_both_sides() {
        let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let trace = Trace::new(parent, Some("a=1,b=2")).expect("a trace");
        let context = remote(&trace).expect("a context");
        assert_eq!(context.trace_id().to_string(), trace.trace_id());
        assert_eq!(context.span_id().to_string(), trace.span_id());
        assert!(context.is_sampled() && context.is_remote());
        assert_eq!(context.trace_state().header(), "a=1,b=2");
    }
}
