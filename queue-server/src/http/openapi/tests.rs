//! The document tells what is served, and all of it.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::body::Body;
use axum::http::header::ALLOW;
use axum::http::{Method, Request};
use queue_api::limits;
use serde_json::{Value, json};
use tower::Service as _;

use crate::config::Config;
use crate::engine::tests::engine;
use crate::http::router;

fn document() -> Value {
    serde_json::from_str(&super::document()).expect("JSON")
}

fn keys(value: &Value) -> BTreeSet<String> {
    let object = value.as_object().expect("an object");
    object.keys().cloned().collect()
}

#[tokio::test]
async fn every_route_is_described_with_its_methods_and_nothing_else_is() {
    let document = document();
    let mut router = router(
        engine(),
        Arc::default(),
        &Config::default().http,
        Arc::default(),
    )
    .router;
    // There is no other way to ask a router for its routes.
    let shown = format!("{router:?}");
    // What axum adds to a nested router is none: `/`, and whatever it has no route for.
    let routed: BTreeSet<_> = shown
        .split('"')
        .filter(|part| part.starts_with('/') && *part != "/" && !part.contains("__private__"))
        .collect();
    assert!(routed.contains("/healthz"), "{shown}");
    // The web page is no part of the API, and needs no token. Nothing else may be added beside the API: what is
    // described has a role.
    let page = "/ui/{*path}";
    let described = keys(&document["paths"]);
    let nested = "/memq/server";
    for path in routed {
        let inner = format!("{nested}{path}");
        let known = described.contains(path)
            || described.contains(&inner)
            || path.starts_with(nested)
            || path == page;
        assert!(known, "{path} is served and not described");
    }
    for path in described {
        let concrete = path.replace("{queue}", "q").replace("{lease}", "l");
        let concrete = concrete.replace("{run}", "r");
        let concrete = concrete.replace("{id}", &"0".repeat(32));
        let request = Request::builder().method(Method::TRACE).uri(concrete);
        let request = request.body(Body::empty()).expect("a request");
        let answer = router.call(request).await.expect("an answer");
        assert_eq!(answer.status(), 405, "{path}");
        let allowed = answer.headers()[ALLOW]
            .to_str()
            .expect("text")
            .to_lowercase();
        let mut allowed: BTreeSet<_> = allowed.split(',').map(str::to_owned).collect();
        // Served wherever GET is, and described by it.
        allowed.remove("head");
        assert_eq!(allowed, keys(&document["paths"][&path]), "{path}");
    }
}

#[test]
fn every_code_of_an_error_is_described_in_its_shape() {
    let document = document();
    let codes = document["components"]["schemas"]["Code"].clone();
    let codes = codes["enum"].as_array().or(codes["oneOf"].as_array());
    let codes: BTreeSet<_> = codes
        .expect("codes")
        .iter()
        .filter_map(Value::as_str)
        .collect();
    assert!(codes.len() > 15, "{codes:?}");
    let answers = document["components"]["responses"]
        .as_object()
        .expect("answers");
    let mut described = BTreeSet::new();
    for (name, answer) in answers {
        let schema = &answer["content"]["application/problem+json"]["schema"];
        assert_eq!(
            schema["allOf"][0],
            json!({"$ref": "#/components/schemas/Problem"}),
            "{name}"
        );
        described.extend(name.split('.'));
    }
    assert_eq!(codes, described);
}

#[test]
fn every_operation_has_a_name_of_its_own_and_a_summary() {
    let document = document();
    let mut ids = BTreeSet::new();
    for (path, item) in document["paths"].as_object().expect("paths") {
        for (method, operation) in item.as_object().expect("methods") {
            let id = operation["operationId"].as_str().expect("an id");
            assert!(
                ids.insert(id),
                "{method} {path}: {id} is the name of another"
            );
            assert!(operation["summary"].is_string(), "{method} {path}");
        }
    }
}

#[test]
fn every_reference_leads_somewhere() {
    let document = document();
    let mut open = vec![&document];
    while let Some(value) = open.pop() {
        match value {
            Value::Object(fields) => {
                if let Some(reference) = fields.get("$ref").and_then(Value::as_str) {
                    let pointer = reference.strip_prefix('#').expect("within the document");
                    assert!(document.pointer(pointer).is_some(), "{reference}");
                }
                open.extend(fields.values());
            }
            Value::Array(values) => open.extend(values),
            _ => {}
        }
    }
}

#[test]
fn limits_are_described_as_they_are() {
    let document = document();
    let schemas = &document["components"]["schemas"];
    let longest = json!(limits::MAX_DURATION.as_millis() as u64);
    let request = json!(limits::MAX_REQUEST_BYTES);
    for (field, bound, value) in [
        ("QueueName", "maxLength", json!(limits::MAX_NAME_BYTES)),
        ("LeaseToken", "maxLength", json!(limits::MAX_TOKEN_BYTES)),
        (
            "LeaseRequest/max",
            "maximum",
            json!(limits::MAX_LEASE_ITEMS),
        ),
        (
            "LeaseRequest/wait_ms",
            "maximum",
            json!(limits::MAX_WAIT.as_millis() as u64),
        ),
        (
            "LeaseRequest/lease_ms",
            "minimum",
            json!(limits::MIN_LEASE.as_millis() as u64),
        ),
        ("LeaseRequest/lease_ms", "maximum", longest.clone()),
        (
            "LeaseRequest/worker",
            "maxLength",
            json!(limits::MAX_WORKER_BYTES),
        ),
        (
            "LeaseRequest/settle",
            "maxItems",
            json!(limits::MAX_SETTLEMENTS),
        ),
        (
            "SettleRequest/settle",
            "maxItems",
            json!(limits::MAX_SETTLEMENTS),
        ),
        (
            "ExtendRequest/leases",
            "maxItems",
            json!(limits::MAX_SETTLEMENTS),
        ),
        ("ExtendRequest/lease_ms", "maximum", longest.clone()),
        ("SettingsPatch/lease_ms", "maximum", longest.clone()),
        (
            "SettingsPatch/max_attempts",
            "maximum",
            json!(limits::MAX_ATTEMPTS),
        ),
        ("SettingsPatch/max_body_bytes", "maximum", request.clone()),
        ("SettingsPatch/max_result_bytes", "maximum", request),
        ("SettingsPatch/key_window_ms", "maximum", longest),
        (
            "RunReport/spec",
            "maxLength",
            json!(limits::MAX_RUN_NAME_BYTES),
        ),
        (
            "RunReport/message",
            "maxLength",
            json!(limits::MAX_RUN_MESSAGE_BYTES),
        ),
        ("RunReport/steps", "maxItems", json!(limits::MAX_RUN_STEPS)),
        (
            "RunStep/name",
            "maxLength",
            json!(limits::MAX_RUN_NAME_BYTES),
        ),
        (
            "RunStep/message",
            "maxLength",
            json!(limits::MAX_RUN_MESSAGE_BYTES),
        ),
        ("RunStep/queues", "maxItems", json!(limits::MAX_STEP_QUEUES)),
        ("SettingsPatch/burst", "maximum", json!(limits::MAX_BURST)),
        (
            "SettingsPatch/rate_per_s",
            "maximum",
            json!(limits::MAX_RATE),
        ),
        (
            "SettingsPatch/rate_per_s",
            "minimum",
            json!(limits::MIN_RATE),
        ),
    ] {
        let pointer = field.replace('/', "/properties/");
        let schema = schemas.pointer(&format!("/{pointer}")).expect(field);
        assert_eq!(schema[bound].as_f64(), value.as_f64(), "{field} {bound}");
    }
}
