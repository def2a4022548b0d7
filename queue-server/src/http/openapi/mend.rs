//! What the library says in another way than the wire, put right.

use std::collections::BTreeSet;

use queue_api::{Code, PROBLEM_JSON};
use serde_json::{Map, Value, json};
use utoipa::openapi::OpenApi;

use super::problems::problem;

/// The document with all of it put right.
///
/// # Panics
/// If the document is not one of JSON, which a test rules out.
pub(super) fn mended(document: OpenApi) -> Value {
    let mut document = serde_json::to_value(document).expect("a document is JSON");
    let asked = asked(&document);
    let mut ids = BTreeSet::new();
    for operation in operations(&mut document) {
        name_once(operation, &mut ids);
        if let Some(body) = operation.get_mut("requestBody") {
            for content in objects(&mut body["content"]) {
                // A body that may be absent is not one that may be `null`.
                without_null(&mut content["schema"]);
            }
        }
    }
    share_problems(&mut document);
    bound_integers(&mut document);
    close(&mut document["components"]["schemas"]["Settlement"]);
    for (name, schema) in document["components"]["schemas"]
        .as_object_mut()
        .into_iter()
        .flatten()
    {
        if !asked.contains(name) {
            without_nulls(schema);
        }
    }
    document
}

fn operations(document: &mut Value) -> impl Iterator<Item = &mut Value> {
    objects(&mut document["paths"]).flat_map(objects)
}

fn objects(value: &mut Value) -> impl Iterator<Item = &mut Value> {
    value.as_object_mut().into_iter().flat_map(Map::values_mut)
}

/// A handler may answer several methods; each needs a name of its own.
fn name_once(operation: &mut Value, ids: &mut BTreeSet<String>) {
    let Some(id) = operation["operationId"].as_str().map(str::to_owned) else {
        return;
    };
    let mut unlike = id.clone();
    while !ids.insert(unlike.clone()) {
        unlike.push_str("Again");
    }
    operation["operationId"] = unlike.into();
}

/// Answers of the same codes are one answer, said once: half of the document would be their repetition.
fn share_problems(document: &mut Value) {
    let mut shared = Map::new();
    for code in [Code::NotFound, Code::MethodNotAllowed] {
        let response = problem(code.status(), &[code]);
        let response = serde_json::to_value(response).expect("a response is JSON");
        shared.insert(code.as_str().to_owned(), response);
    }
    for operation in operations(document) {
        for response in objects(&mut operation["responses"]) {
            let Some(codes) = codes(response) else {
                continue;
            };
            let reference = json!({"$ref": format!("#/components/responses/{codes}")});
            shared.insert(codes, std::mem::replace(response, reference));
        }
    }
    document["components"]["responses"] = shared.into();
}

/// The codes of an answer that is a problem.
fn codes(response: &Value) -> Option<String> {
    let schema = &response["content"][PROBLEM_JSON]["schema"];
    let codes = schema["allOf"][1]["properties"]["code"]["enum"].as_array()?;
    let codes: Vec<_> = codes.iter().filter_map(Value::as_str).collect();
    Some(codes.join("."))
}

/// The schemas that stand in what clients send, where null is the same as absent.
fn asked(document: &Value) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let paths = document["paths"].as_object().into_iter().flatten();
    let mut open: Vec<&Value> = paths
        .flat_map(|(_, path)| path.as_object().into_iter().flatten())
        .map(|(_, operation)| &operation["requestBody"])
        .collect();
    while let Some(value) = open.pop() {
        match value {
            Value::Object(fields) => open.extend(fields.values()),
            Value::Array(values) => open.extend(values),
            Value::String(text) => {
                if let Some(name) = text.strip_prefix("#/components/schemas/")
                    && found.insert(name.to_owned())
                {
                    open.push(&document["components"]["schemas"][name]);
                }
            }
            _ => {}
        }
    }
    found
}

/// The library calls every integer signed.
fn bound_integers(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            let unsigned = fields
                .get("minimum")
                .is_some_and(|least| least.as_u64().is_some());
            let (format, most) = match fields.get("format").and_then(Value::as_str) {
                Some("int64") if unsigned => ("uint64", json!(u64::MAX)),
                Some("int32") if unsigned => ("uint32", json!(u32::MAX)),
                _ => return fields.values_mut().for_each(bound_integers),
            };
            fields.insert("format".into(), format.into());
            fields.entry("maximum").or_insert(most);
        }
        Value::Array(values) => values.iter_mut().for_each(bound_integers),
        _ => {}
    }
}

/// The library leaves it out where a shape is one of several: other fields are refused.
fn close(shape: &mut Value) {
    for choice in shape["oneOf"].as_array_mut().into_iter().flatten() {
        choice["additionalProperties"] = false.into();
    }
}

/// Answers hold no null: what is not there is absent.
fn without_nulls(schema: &mut Value) {
    without_null(schema);
    match schema {
        Value::Object(fields) => fields.values_mut().for_each(without_nulls),
        Value::Array(values) => values.iter_mut().for_each(without_nulls),
        _ => {}
    }
}

/// A schema that takes no null, in either way of saying that it does.
fn without_null(schema: &mut Value) {
    if let Some(kinds) = schema.get_mut("type").and_then(Value::as_array_mut) {
        kinds.retain(|kind| kind != "null");
        if let [only] = kinds.as_slice() {
            schema["type"] = only.clone();
        }
    }
    if let Some(choices) = schema.get_mut("oneOf").and_then(Value::as_array_mut) {
        choices.retain(|choice| choice["type"] != "null");
        if choices.len() == 1 {
            let only = choices.remove(0);
            // What is said of the field stays beside what it is.
            let Some(fields) = schema.as_object_mut() else {
                return;
            };
            fields.remove("oneOf");
            if let Value::Object(only) = only {
                for (name, value) in only {
                    fields.entry(name).or_insert(value);
                }
            }
        }
    }
}
