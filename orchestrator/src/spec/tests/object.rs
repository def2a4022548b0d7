//! The same run as a file, as the object a cluster is given, and as the controller reads it back.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::{KEYGEN, read};
use crate::spec::{Document, EnvValue, Given, Items, RunSpec, Work, from_object};

const ODD: &str = r#"apiVersion: memq.dev/v1alpha1
kind: Run
metadata: {name: odd}
spec:
  params:
    who: {default: 007}
    many: {type: integer, required: true}
    list: {type: list, enum: [[1.10, no], [a]], default: [1.10, no]}
  steps:
  - name: s
    items: {list: $(params.list)}
    command: [sleep, 1.50, $(params.who)]
    env: {ZIP: 00501, YES: yes}
    workers: $(params.many)
    resources: {limits: {cpu: 0.5}}
  - {name: t, forEach: {a: 010}, script: "true", nodeSelector: {gpu: true}}
"#;

fn object(text: &str, params: &[(&str, &str)]) -> serde_json::Value {
    let params: Vec<_> = params
        .iter()
        .map(|(n, v)| ((*n).into(), (*v).into()))
        .collect();
    let given = Given {
        params: &params,
        suffix: "x7k2p",
    };
    let document = Document::parse(text, Path::new("run.yaml"), Path::new("/specs"));
    document.and_then(|d| d.object(given)).expect("a good spec")
}

/// The spec without what only a file has.
fn bare(spec: RunSpec) -> RunSpec {
    RunSpec {
        file: PathBuf::new(),
        dir: PathBuf::new(),
        ..spec
    }
}

#[test]
fn a_cluster_reads_from_the_object_what_the_file_says() {
    let local = read(ODD, &[("many", "3")]).expect("a good spec");
    let object = object(ODD, &[("many", "3")]);
    assert_eq!(from_object(&object).expect("a good object"), bare(local));
    assert_eq!(object["spec"]["steps"][0]["env"]["ZIP"], "00501");
    assert_eq!(object["spec"]["steps"][0]["workers"], "$(params.many)");
}

#[test]
fn what_is_given_becomes_the_default() {
    let object = object(KEYGEN, &[("keys", "7")]);
    assert_eq!(object["spec"]["params"]["keys"]["default"], 7);
    assert_eq!(object["metadata"], json!({"generateName": "keygen-"}));
    let object = self::object(ODD, &[("many", "3"), ("list", "[a]")]);
    let params = &object["spec"]["params"];
    assert_eq!(params["many"], json!({"type": "integer", "default": 3}));
    assert_eq!(params["list"]["default"], json!(["a"]));
    assert_eq!(params["list"]["enum"], json!([["1.10", "no"], ["a"]]));
}

#[test]
fn what_the_cluster_adds_to_an_object_is_its_own() {
    let mut object = object(KEYGEN, &[]);
    object["metadata"] =
        json!({"name": "keygen-abcde", "uid": "1-2", "generation": 1, "managedFields": []});
    object["status"] = json!({"phase": "Running"});
    let spec = from_object(&object).expect("a good object");
    assert_eq!(
        (spec.name.as_str(), spec.generated),
        ("keygen-abcde", false)
    );
    assert_eq!(spec.base_name, "keygen-abcde");
    let Work::Items(pool) = &spec.steps[0].work else {
        panic!("{:?}", spec.steps[0].work)
    };
    assert!(matches!(pool.items, Items::Count { count: 100, .. }));
}

#[test]
fn runs_of_one_spec_have_a_name_in_common_wherever_they_were_named() {
    for (metadata, base_name) in [
        (
            json!({"name": "keygen-abcde", "generateName": "keygen-"}),
            "keygen",
        ),
        (json!({"name": "k2.abcde", "generateName": "k2."}), "k2"),
        (json!({"name": "nightly", "generateName": null}), "nightly"),
        (json!({"name": "other", "generateName": "keygen-"}), "other"),
        (json!({"name": "abcde", "generateName": ""}), "abcde"),
    ] {
        let mut object = object(KEYGEN, &[]);
        object["metadata"] = metadata;
        let spec = from_object(&object).expect("a good object");
        assert_eq!(spec.base_name, base_name);
    }
}

#[test]
fn a_mistake_in_an_object_is_told_in_one_line_with_its_field() {
    let mut object = object(KEYGEN, &[]);
    object["metadata"] = json!({"name": "k"});
    let step = object.pointer_mut("/spec/steps/0").expect("a step");
    step["workers"] = json!({"min": 5, "max": 2});
    assert_eq!(
        from_object(&object).expect_err("a mistake").to_string(),
        "spec.steps[0].workers.max: `max` is below `min`; give at least 5"
    );
}

#[test]
fn a_file_that_only_the_laptop_has_is_not_looked_for_in_a_cluster() {
    let mut object = object(KEYGEN, &[]);
    object["metadata"] = json!({"name": "k"});
    object["spec"]["steps"][0]["items"] = json!({"lines": "nowhere.txt"});
    let spec = from_object(&object).expect("a good object");
    assert!(
        matches!(&spec.steps[0].work, Work::Items(pool) if matches!(&pool.items, Items::Lines { .. }))
    );
}

#[test]
fn a_text_that_json_no_longer_has_is_not_guessed() {
    let mut object = object(KEYGEN, &[]);
    object["metadata"] = json!({"name": "k"});
    object["spec"]["steps"][0]["env"] = json!({"PORT": 80});
    let spec = from_object(&object).expect("a whole number is what it says");
    assert_eq!(spec.steps[0].env["PORT"], EnvValue::Text("80".into()));
    for value in [json!(true), json!(1.1)] {
        object["spec"]["steps"][0]["env"]["PORT"] = value;
        let error = from_object(&object)
            .expect_err("it may have been `yes` or `1.10`")
            .to_string();
        assert!(
            error.starts_with("spec.steps[0].env.PORT: this is"),
            "{error}"
        );
        assert!(error.ends_with(", in quotes"), "{error}");
    }
}
