//! `pod:` laid over the pod we made: a strategic merge, as `kubectl patch` does it, of a PodTemplateSpec.
//!
//! Maps are merged, `null` removes, lists whose elements Kubernetes tells apart are merged by that key, all
//! other lists are replaced. Of the patch's own words there is none: `$patch`, `$retainKeys` and
//! `$setElementOrder` are fields that no pod has. The typed merge that comes with the API's types was not used because it cannot
//! remove. A field that a PodTemplateSpec does not have is refused: the API server would drop it.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// The lists of a pod that are merged, and the key of their elements. A volume is replaced whole: it is of one
/// kind, and the other kind's fields must not stay.
const KEYS: [(&str, &str); 14] = [
    ("containers", "name"),
    ("initContainers", "name"),
    ("ephemeralContainers", "name"),
    ("volumes", "name"),
    ("env", "name"),
    ("imagePullSecrets", "name"),
    ("resourceClaims", "name"),
    ("claims", "name"),
    ("schedulingGates", "name"),
    ("volumeMounts", "mountPath"),
    ("volumeDevices", "devicePath"),
    ("ports", "containerPort"),
    ("hostAliases", "ip"),
    ("topologySpreadConstraints", "topologyKey"),
];

/// Lays `over` over `base`, which is a `T`, and gives a `T`.
pub(super) fn lay<T: Serialize + DeserializeOwned>(base: &T, over: &Value) -> Result<T, String> {
    let over = super::resources::quantities_as_text(over.clone());
    // On its own first, so that a mistake is told with the path in the overlay.
    let _: T = typed(&without_nulls(over.clone()))?;
    let mut merged = serde_json::to_value(base).map_err(|error| error.to_string())?;
    merge(&mut merged, over);
    typed(&merged)
}

/// This value as a `T`, none of its fields unknown to it.
pub(super) fn typed<T: Serialize + DeserializeOwned>(value: &Value) -> Result<T, String> {
    let typed = T::deserialize(value).map_err(|error| error.to_string())?;
    let known = serde_json::to_value(&typed).map_err(|error| error.to_string())?;
    match lost(value, &known, "") {
        Some(path) => Err(format!("there is no field `{path}`")),
        None => Ok(typed),
    }
}

/// The first field of `value` that is not in `known`.
fn lost(value: &Value, known: &Value, path: &str) -> Option<String> {
    match (value, known) {
        (Value::Object(value), Value::Object(known)) => value.iter().find_map(|(key, inner)| {
            let path = match path {
                "" => key.clone(),
                _ => format!("{path}.{key}"),
            };
            match known.get(key) {
                Some(known) => lost(inner, known, &path),
                None => Some(path),
            }
        }),
        (Value::Array(value), Value::Array(known)) => value
            .iter()
            .zip(known)
            .enumerate()
            .find_map(|(index, (value, known))| lost(value, known, &format!("{path}[{index}]"))),
        _ => None,
    }
}

fn merge(base: &mut Value, over: Value) {
    match (base, over) {
        (Value::Object(base), Value::Object(over)) => {
            for (key, value) in over {
                merge_field(base, key, value);
            }
        }
        (base, over) => *base = without_nulls(over),
    }
}

fn merge_field(base: &mut Map<String, Value>, key: String, over: Value) {
    if over.is_null() {
        base.remove(&key);
        return;
    }
    let merged_by = KEYS.iter().find(|(list, _)| *list == key);
    match (base.get_mut(&key), merged_by, over) {
        (Some(Value::Array(base)), Some((_, name)), Value::Array(over)) => {
            let whole = key == "volumes";
            for element in over {
                let same = |there: &&mut Value| {
                    element.get(name).is_some() && there.get(name) == element.get(name)
                };
                match base.iter_mut().find(same) {
                    Some(there) if whole => *there = without_nulls(element),
                    Some(there) => merge(there, element),
                    None => base.push(without_nulls(element)),
                }
            }
        }
        (Some(there), _, over) => merge(there, over),
        (None, _, over) => {
            base.insert(key, without_nulls(over));
        }
    }
}

fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(map) => Value::Object(
            map.into_iter()
                .filter(|(_, value)| !value.is_null())
                .map(|(key, value)| (key, without_nulls(value)))
                .collect(),
        ),
        Value::Array(list) => Value::Array(list.into_iter().map(without_nulls).collect()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::PodTemplateSpec;
    use serde_json::json;

    use super::*;

    fn base() -> PodTemplateSpec {
        let base = json!({"spec": {
            "securityContext": {"runAsNonRoot": true, "runAsUser": 65532},
            "containers": [{"name": "worker", "image": "memq", "args": ["worker"],
                "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
                "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}]}],
            "volumes": [{"name": "tmp", "emptyDir": {}}],
        }});
        serde_json::from_value(base).expect("a pod")
    }

    fn laid(over: &Value) -> Value {
        let laid = lay(&base(), over).expect("an overlay");
        serde_json::to_value(laid).expect("JSON")["spec"].take()
    }

    #[test]
    fn containers_are_met_by_name_and_their_lists_by_key() {
        let pod = laid(&json!({"spec": {
            "containers": [
                {"name": "worker", "args": ["worker", "--lease", "5m"], "env": [{"name": "B", "value": "3"}, {"name": "C", "value": "4"}]},
                {"name": "proxy", "image": "proxy:1"},
            ],
        }}));
        let worker = &pod["containers"][0];
        assert_eq!(worker["image"], "memq", "what is not named stays");
        assert_eq!(
            worker["args"],
            json!(["worker", "--lease", "5m"]),
            "a plain list is replaced"
        );
        let env: Vec<_> = worker["env"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|e| e["value"].as_str())
            .collect();
        assert_eq!(env, [Some("1"), Some("3"), Some("4")]);
        assert_eq!(pod["containers"][1]["name"], "proxy");
    }

    #[test]
    fn null_removes() {
        let pod = laid(&json!({"spec": {"securityContext": {"runAsUser": null}}}));
        assert_eq!(pod["securityContext"], json!({"runAsNonRoot": true}));
    }

    #[test]
    fn a_volume_changes_its_kind() {
        let pod = laid(
            &json!({"spec": {"volumes": [{"name": "tmp", "persistentVolumeClaim": {"claimName": "big"}}]}}),
        );
        assert_eq!(
            pod["volumes"],
            json!([{"name": "tmp", "persistentVolumeClaim": {"claimName": "big"}}])
        );
    }

    #[test]
    fn a_field_that_no_pod_has_is_refused_by_its_path() {
        for (over, said) in [
            (
                json!({"spec": {"containers": [{"name": "worker", "imagePullPolice": "Always"}]}}),
                "`spec.containers[0].imagePullPolice`",
            ),
            (json!({"sepc": {}}), "`sepc`"),
            // What `kubectl patch` is told besides: here `null` removes, and nothing else does.
            (json!({"spec": {"$patch": "replace"}}), "`spec.$patch`"),
            (
                json!({"spec": {"containers": [{"name": "worker", "$patch": "delete"}]}}),
                "`spec.containers[0].$patch`",
            ),
            (
                json!({"spec": {"volumes": [{"name": "tmp", "$retainKeys": ["name"]}]}}),
                "`spec.volumes[0].$retainKeys`",
            ),
            (
                json!({"spec": {"$setElementOrder/containers": []}}),
                "`spec.$setElementOrder/containers`",
            ),
            (json!({"spec": {"containers": {}}}), "invalid type"),
        ] {
            let error = lay(&base(), &over).expect_err("a mistake");
            assert!(error.contains(said), "{error}");
        }
    }
}
