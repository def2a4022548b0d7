//! The export of spans: OTLP, protobuf over HTTP, set up by the variables that OpenTelemetry names.
//!
//! Spans wait in a bounded queue for a thread of their own, which sends them in batches; what does not fit
//! is dropped. No call of a server ever waits for a collector.

use std::env;
use std::fmt;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use opentelemetry::trace::{
    Span as _, SpanContext, SpanId, SpanKind, Status, TraceContextExt as _, TraceFlags, TraceId,
    TraceState, Tracer as _, TracerProvider as _,
};
use opentelemetry::{Context, KeyValue};
use opentelemetry_otlp::SpanExporter;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider, Span as SdkSpan, SpanData};
use queue_api::Trace;

use crate::span::Kind;

/// Where spans are to be sent. One of them must be set, or nothing is recorded.
const ENDPOINTS: [&str; 2] = [
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    "OTEL_EXPORTER_OTLP_ENDPOINT",
];
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
    if !is_wanted(|name| env::var(name).ok()) || is_on() {
        return None;
    }
    let exporter = match SpanExporter::builder().with_http().build() {
        Ok(exporter) => exporter,
        Err(error) => {
            tracing::error!(error.message = %error, "spans are not exported");
            return None;
        }
    };
    let provider = SdkTracerProvider::builder()
        .with_batch_exporter(Telling {
            exporter,
            failing: AtomicBool::new(false),
        })
        .with_resource(resource(program))
        .build();
    let tracer = provider.tracer("memq");
    TRACER.set(tracer).ok()?;
    Some(Exporting(provider))
}

/// Whether the environment asks for an export.
fn is_wanted(variable: impl Fn(&str) -> Option<String>) -> bool {
    let is = |name: &str, word: &str| {
        variable(name).is_some_and(|value| value.trim().eq_ignore_ascii_case(word))
    };
    let endpoint = ENDPOINTS.into_iter().find_map(&variable);
    endpoint.is_some_and(|endpoint| !endpoint.trim().is_empty())
        && !is("OTEL_SDK_DISABLED", "true")
        && !is("OTEL_TRACES_EXPORTER", "none")
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
struct Telling {
    exporter: SpanExporter,
    failing: AtomicBool,
}

impl fmt::Debug for Telling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Telling").finish_non_exhaustive()
    }
}

impl opentelemetry_sdk::trace::SpanExporter for Telling {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = batch.len();
        let exported = self.exporter.export(batch).await;
        let failing = exported.is_err();
        match (self.failing.swap(failing, Ordering::Relaxed), &exported) {
            (false, Err(error)) => {
                tracing::warn!(span.count = spans, error.message = %error, "spans cannot be exported; more are tried, and not told of");
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
pub(crate) struct Recorded(SdkSpan);

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
    Some(Recorded(tracer.build_with_context(builder, &context)))
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
        let context = self.0.span_context();
        let flags = context.trace_flags().to_u8();
        let parent = format!(
            "00-{}-{}-{flags:02x}",
            context.trace_id(),
            context.span_id()
        );
        let state = context.trace_state().header();
        Trace::new(&parent, Some(&state))
    }

    pub(crate) fn text(&mut self, field: &'static str, text: String) {
        self.0.set_attribute(KeyValue::new(field, text));
    }

    pub(crate) fn number(&mut self, field: &'static str, number: u64) {
        let number = i64::try_from(number).unwrap_or(i64::MAX);
        self.0.set_attribute(KeyValue::new(field, number));
    }

    pub(crate) fn fail(&mut self, why: String) {
        self.0.set_status(Status::error(why));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_exported_only_where_the_environment_says_so() {
        let asked = |all: &'static [(&str, &str)]| {
            is_wanted(|name| {
                let found = all.iter().find(|(known, _)| *known == name);
                found.map(|(_, value)| (*value).to_owned())
            })
        };
        assert!(!asked(&[]));
        assert!(asked(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4318")]));
        assert!(asked(&[(
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
            "http://c/x"
        )]));
        assert!(!asked(&[("OTEL_EXPORTER_OTLP_ENDPOINT", " ")]));
        let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4318");
        for off in [
            ("OTEL_SDK_DISABLED", "TRUE"),
            ("OTEL_TRACES_EXPORTER", "none"),
        ] {
            let all = Box::leak(Box::new([endpoint, off]));
            assert!(!asked(all), "{off:?}");
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
