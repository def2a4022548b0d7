//! The manifests give the controller what it needs and nothing else: the Role in `manifests/` and the list in the code
//! are one.

use std::collections::BTreeSet;
use std::path::Path;

use k8s_openapi::api::rbac::v1::PolicyRule;
use orchestrator::kube::render::rights;
use serde_json::Value;

/// One verb on one resource, of one name or of all.
type Grant = (String, String, String, String);

fn grants(rules: &[PolicyRule]) -> BTreeSet<Grant> {
    let mut grants = BTreeSet::new();
    for rule in rules {
        let any = [String::new()];
        let names = rule.resource_names.as_deref().unwrap_or(&any);
        for group in rule.api_groups.iter().flatten() {
            for resource in rule.resources.iter().flatten() {
                for name in names {
                    for verb in &rule.verbs {
                        grants.insert((
                            group.clone(),
                            resource.clone(),
                            name.clone(),
                            verb.clone(),
                        ));
                    }
                }
            }
        }
    }
    grants
}

/// The rules of this kind in a file below `manifests/`.
fn rules_of(path: &str, kind: &str) -> Vec<PolicyRule> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../manifests")
        .join(path);
    let text = std::fs::read_to_string(&path).expect("the manifest is there");
    let objects: Vec<Value> = serde_saphyr::from_multiple(&text).expect("it is YAML");
    let role = objects
        .into_iter()
        .find(|object| object["kind"] == kind)
        .expect("it has a role");
    serde_json::from_value(role["rules"].clone()).expect("its rules are rules")
}

#[test]
fn the_role_is_what_the_controller_asks_for() {
    let role = rules_of("base/rbac.yaml", "Role");
    assert_eq!(grants(&role), grants(&rights::rules()));
}

#[test]
fn for_all_namespaces_it_is_the_same_but_for_the_lease() {
    let mut wanted = grants(&rights::rules());
    wanted.retain(|(_, resource, ..)| resource != "leases");
    let role = rules_of("components/all-namespaces/rbac.yaml", "ClusterRole");
    assert_eq!(grants(&role), wanted);
}
