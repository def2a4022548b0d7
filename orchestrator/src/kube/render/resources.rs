//! What a container asks of its node, and the most it may take.
//!
//! A resource that the step names in its requests or its limits is the step's business alone: a default
//! beside it could contradict it. Every other one has our defaults, because a namespace with a quota
//! refuses pods without them.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ResourceRequirements;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use serde_json::Value;

/// Name, request and limit of each resource of a step's own container. The limit of the processor is per item
/// that is handled at once.
const STEP: [(&str, &str, &str); 3] = [
    ("cpu", "100m", "1"),
    ("memory", "128Mi", "1Gi"),
    ("ephemeral-storage", "128Mi", "2Gi"),
];

/// The resources of a step's container that handles so many items at once.
pub(super) fn of_step(given: Option<&Value>, slots: u32) -> Result<ResourceRequirements, String> {
    let mut resources: ResourceRequirements = match given {
        None => ResourceRequirements::default(),
        Some(given) => super::overlay::typed(&quantities_as_text(given.clone()))?,
    };
    let requests = resources.requests.get_or_insert_default();
    let limits = resources.limits.get_or_insert_default();
    for (name, request, limit) in STEP {
        if requests.contains_key(name) || limits.contains_key(name) {
            continue;
        }
        let limit = match name {
            "cpu" => slots.max(1).to_string(),
            _ => limit.to_owned(),
        };
        requests.insert(name.into(), Quantity(request.into()));
        limits.insert(name.into(), Quantity(limit));
    }
    Ok(resources)
}

/// Fixed resources: name, request, limit.
pub(super) fn fixed(table: [(&str, &str, &str); 3]) -> ResourceRequirements {
    let column = |pick: fn((&str, &str, &str)) -> String| -> BTreeMap<String, Quantity> {
        table
            .iter()
            .map(|row| (row.0.to_owned(), Quantity(pick(*row))))
            .collect()
    };
    ResourceRequirements {
        requests: Some(column(|row| row.1.to_owned())),
        limits: Some(column(|row| row.2.to_owned())),
        claims: None,
    }
}

/// `cpu: 1` is a number in YAML and a quantity for Kubernetes, which takes both.
pub(super) fn quantities_as_text(value: Value) -> Value {
    fn text(value: Value) -> Value {
        match value {
            Value::Number(number) => Value::String(number.to_string()),
            other => other,
        }
    }
    match value {
        Value::Object(map) => Value::Object(
            map.into_iter()
                .map(|(key, value)| {
                    let value = match (key.as_str(), value) {
                        ("requests" | "limits", Value::Object(inner)) => {
                            Value::Object(inner.into_iter().map(|(k, v)| (k, text(v))).collect())
                        }
                        ("sizeLimit" | "storage", value) => text(value),
                        (_, value) => quantities_as_text(value),
                    };
                    (key, value)
                })
                .collect(),
        ),
        Value::Array(list) => Value::Array(list.into_iter().map(quantities_as_text).collect()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn rendered(given: &Value) -> Value {
        let resources = of_step(Some(given), 1).expect("resources");
        serde_json::to_value(resources).expect("JSON")
    }

    #[test]
    fn a_default_never_contradicts_what_is_given() {
        let of = rendered(&json!({"requests": {"memory": "4Gi"}}));
        assert_eq!(of["requests"]["memory"], "4Gi");
        assert_eq!(of["limits"].get("memory"), None, "1Gi would be below it");
        assert_eq!(of["requests"]["cpu"], "100m");
        let of = rendered(&json!({"limits": {"cpu": 2, "nvidia.com/gpu": 1}}));
        assert_eq!(of["limits"]["cpu"], "2", "a bare number is a quantity");
        assert_eq!(of["limits"]["nvidia.com/gpu"], "1");
        assert_eq!(
            of["requests"].get("cpu"),
            None,
            "Kubernetes takes the limit"
        );
    }

    #[test]
    fn what_is_no_resources_is_refused() {
        for given in [
            json!({"request": {"cpu": 1}}),
            json!([1]),
            json!({"limits": 1}),
        ] {
            assert!(of_step(Some(&given), 1).is_err(), "{given}");
        }
    }
}
