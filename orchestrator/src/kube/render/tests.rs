//! What the objects of a run look like: whole, as committed files, and by the rules one by one.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::*;
use crate::spec::{Document, Given, RunSpec};

const HEAD: &str =
    "apiVersion: memq.dev/v1alpha1\nkind: Run\nmetadata: {name: t}\nspec:\n  steps:\n  - name: s\n";
const GIVEN: Given<'_> = Given {
    params: &[],
    suffix: "xxxxx",
};

fn place(run: &str) -> Place {
    Place {
        namespace: "team".into(),
        run: run.into(),
        owner: None,
        server: "http://memq:8080".into(),
        image: IMAGE.into(),
        worker_account: None,
        worker_token: None,
    }
}

/// The spec of a step with these lines.
fn spec(lines: &str) -> RunSpec {
    let text = lines
        .lines()
        .fold(HEAD.to_owned(), |text, line| format!("{text}    {line}\n"));
    let document = Document::parse(&text, Path::new("run.yaml"), Path::new("/specs"));
    document
        .and_then(|document| document.read(GIVEN))
        .unwrap_or_else(|error| panic!("{lines}: {error}"))
}

/// A Job of a step with these lines.
fn try_job(lines: &str, element: Option<u32>) -> Result<Rendered, RenderError> {
    let spec = spec(lines);
    let wanted = Wanted {
        name: "t-s-1".into(),
        step: &spec.steps[0],
        element,
        number: 2,
        queue: "run.team.t.s".into(),
        parallelism: 4,
    };
    job(&place("t"), &wanted)
}

fn made(lines: &str) -> Value {
    let rendered = try_job(lines, None).unwrap_or_else(|error| panic!("{lines}: {error}"));
    serde_json::to_value(rendered.job).expect("JSON")
}

fn pod(lines: &str) -> Value {
    made(lines)["spec"]["template"]["spec"].take()
}

fn worker(lines: &str) -> Value {
    pod(lines)["containers"][0].take()
}

fn variable<'a>(container: &'a Value, name: &str) -> Option<&'a Value> {
    let env = container["env"].as_array().expect("variables");
    env.iter().find(|variable| variable["name"] == name)
}

/// The committed file says what is rendered. `MEMQ_BLESS=1` writes it anew; look at what changed.
#[rstest::rstest]
#[case::a_pool("examples/keygen", "keygen", false)]
#[case::where_memq_is_not_installed("examples/keygen", "keygen-ephemeral", true)]
#[case::every_field("orchestrator/tests/rendered/every-field.yaml", "every-field", false)]
fn a_run_is_rendered_as_its_committed_file_says(
    #[case] spec: &str,
    #[case] file: &str,
    #[case] ephemeral: bool,
) {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
    let document = Document::open(&root.join(spec)).expect("a spec");
    let object = document.object(GIVEN).expect("an object");
    let spec = document.read(GIVEN).expect("a run");
    let place = place(spec.name.as_str());
    let objects = review(&spec, &object, &place, ephemeral).expect("objects");
    let text = serde_saphyr::to_string_multiple(&objects).expect("YAML");
    let path = root.join("manifests/rendered").join(format!("{file}.yaml"));
    if std::env::var_os("MEMQ_BLESS").is_some() {
        std::fs::write(&path, &text).expect("the file is written");
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(
        text,
        committed,
        "{} is not what is rendered; run the test with MEMQ_BLESS=1",
        path.display()
    );
    let back: Vec<Value> = serde_saphyr::from_multiple(&text).expect("YAML that can be read");
    assert_eq!(back, objects, "the file says what was meant");
}

#[test]
fn a_pool_is_judged_by_its_workers_exit_codes() {
    let job = made("items: {count: 9}\nbuiltin: echo\nworkers: {min: 1, max: 5}");
    let spec = &job["spec"];
    assert_eq!(spec["parallelism"], 4);
    assert_eq!(spec.get("completions"), None, "the queue ends it");
    assert_eq!(spec["backoffLimit"], 15);
    assert_eq!(spec["template"]["spec"]["restartPolicy"], "Never");
    let rules = spec["podFailurePolicy"]["rules"].as_array().expect("rules");
    let said: Vec<_> = rules
        .iter()
        .map(|rule| {
            (
                rule["action"].clone(),
                rule["onExitCodes"]["values"].clone(),
            )
        })
        .collect();
    assert_eq!(
        said,
        [
            (json!("Ignore"), json!(null)),
            (json!("Ignore"), json!([69, 75])),
            (json!("FailJob"), json!([64, 65, 77, 78])),
        ]
    );
    assert_eq!(rules[0]["onPodConditions"][0]["type"], "DisruptionTarget");
    assert_eq!(
        made("items: {count: 9}\nbuiltin: echo")["spec"]["backoffLimit"],
        6
    );
}

#[test]
fn a_command_has_one_try_in_its_job() {
    for lines in [
        "image: x:1\ncommand: [x]\nretries: 3",
        "image: x:1",
        "image: x:1\nscript: echo",
    ] {
        let spec = &made(lines)["spec"];
        assert_eq!(
            (&spec["completions"], &spec["backoffLimit"]),
            (&json!(1), &json!(0)),
            "{lines}"
        );
        let container = &spec["template"]["spec"]["containers"][0];
        assert_eq!(container.get("readinessProbe"), None, "nobody answers");
        assert_eq!(
            variable(container, "MEMQ_STEP").expect("a variable")["value"],
            "s"
        );
        assert_eq!(variable(container, "MEMQ_QUEUE"), None);
    }
}

#[test]
fn what_a_step_runs_is_started_byte_for_byte() {
    let words = |lines: &str| {
        let container = worker(lines);
        (container["command"].clone(), container["args"].clone())
    };
    assert_eq!(
        words("image: x:1\ncommand: [sh, -c, 'echo $(date) $$']"),
        (json!(["sh", "-c", "echo $$(date) $$$$"]), json!(null))
    );
    assert_eq!(
        words("items: {count: 1}\nimage: x:1\ncommand: [wc, '{}']"),
        (
            json!(["/memq-program/memq"]),
            json!(["worker", "--", "wc", "{}"])
        )
    );
    assert_eq!(
        words("items: {count: 1}\nbuiltin: echo"),
        (json!(null), json!(["worker"]))
    );
    assert_eq!(words("image: x:1"), (json!(null), json!(null)), "its own");
    assert_eq!(
        words("command: [memq, queue, ls]"),
        (json!(["memq", "queue", "ls"]), json!(null)),
        "our image has our program"
    );
    assert_eq!(
        words("image: x:1\nscript: \"#!/bin/python3\\nprint()\""),
        (json!(["/memq-script/script"]), json!(null)),
        "what reads it is in its first line"
    );
}

#[test]
fn an_image_that_is_not_ours_gets_the_worker_and_a_user() {
    let pod = pod("items: {count: 1}\nimage: x:1\ncommand: [x]");
    assert_eq!(
        pod["initContainers"][0]["args"],
        json!(["worker", "install", "/memq-program"])
    );
    assert_eq!(pod["initContainers"][0]["image"], IMAGE);
    assert_eq!(pod["securityContext"]["runAsUser"], 65532);
    let ours = self::pod("items: {count: 1}\nbuiltin: echo");
    assert_eq!(ours.get("initContainers"), None);
    assert_eq!(
        ours["securityContext"],
        json!({"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}}),
        "the image says which"
    );
    let without = "items: {count: 1}\nimage: x:1\ncommand: [x]\n\
        pod: {spec: {securityContext: {runAsUser: null, runAsGroup: null}}}";
    assert_eq!(
        self::pod(without)["securityContext"],
        ours["securityContext"]
    );
    let half = without.replace(", runAsGroup: null", "");
    assert_eq!(
        self::pod(&half)["securityContext"],
        ours["securityContext"],
        "no pod starts with a group that has no user"
    );
    let laid = "items: {count: 1}\ncommand: [x]\n\
        pod: {spec: {containers: [{name: worker, image: 'x:1'}]}}";
    assert_eq!(
        self::pod(laid)["initContainers"],
        pod["initContainers"],
        "wherever the image is named"
    );
}

#[test]
fn only_who_names_an_account_gets_its_token() {
    let plain = "items: {count: 1}\nbuiltin: echo";
    assert_eq!(pod(plain)["automountServiceAccountToken"], false);
    let named = pod(&format!("{plain}\nserviceAccountName: reader"));
    assert_eq!(named["automountServiceAccountToken"], true);
    let spec = spec(plain);
    let place = Place {
        worker_account: Some("memq-worker".into()),
        ..place("t")
    };
    let pod = pool_pod(&place, &spec.steps[0]).expect("a pod");
    assert_eq!(pod.service_account_name.as_deref(), Some("memq-worker"));
    assert_eq!(pod.automount_service_account_token, Some(false));
}

#[test]
fn pods_of_steps_mount_the_token_for_the_queue_server_and_no_other_key_of_its_secret() {
    for lines in [
        "items: {count: 1}\nbuiltin: echo",
        "items: {count: 1}\nimage: x:1\nscript: echo",
        "image: x:1\ncommand: [load]",
    ] {
        assert!(!pod(lines).to_string().contains("secret"), "{lines}");
        let spec = spec(lines);
        let place = Place {
            worker_token: Some("memq-work-token".into()),
            ..place("t")
        };
        let pod = pool_pod(&place, &spec.steps[0]).expect("a pod");
        let pod = serde_json::to_value(pod).expect("JSON");
        let volumes = pod["volumes"].as_array().expect("volumes");
        let volume = volumes.iter().find(|volume| volume["name"] == "memq-token");
        let secret =
            json!({"secretName": "memq-work-token", "items": [{"key": "token", "path": "token"}]});
        assert_eq!(volume.expect("the token's")["secret"], secret, "{lines}");
        let worker = &pod["containers"][0];
        let mounts = worker["volumeMounts"].as_array().expect("mounts");
        let at =
            json!({"name": "memq-token", "mountPath": "/var/run/secrets/memq", "readOnly": true});
        assert!(mounts.contains(&at), "{mounts:?}");
        let env = worker["env"].as_array().expect("variables");
        let file = json!({"name": "MEMQ_TOKEN_FILE", "value": "/var/run/secrets/memq/token"});
        assert!(env.contains(&file), "{env:?}");
        for container in pod["initContainers"].as_array().into_iter().flatten() {
            assert!(!container.to_string().contains("token"), "{container}");
        }
    }
    let taken = "image: x:1\nvolumes: {/var/run/secrets/memq: {emptyDir: {}}}";
    assert!(matches!(
        try_job(taken, None),
        Err(RenderError::ReservedMount { .. })
    ));
}

#[test]
fn every_container_is_restricted_and_bounded() {
    let lines = "items: {count: 1}\nimage: x:1\nscript: echo";
    let pod = pod(lines);
    let of = |field: &str| pod[field].as_array().expect("containers").clone();
    for container in [of("containers"), of("initContainers")].concat() {
        let security = &container["securityContext"];
        assert_eq!(security["allowPrivilegeEscalation"], false);
        assert_eq!(security["readOnlyRootFilesystem"], true);
        assert_eq!(security["capabilities"]["drop"], json!(["ALL"]));
        for side in ["requests", "limits"] {
            for resource in ["cpu", "memory", "ephemeral-storage"] {
                assert!(
                    container["resources"][side][resource].is_string(),
                    "{side} {resource}"
                );
            }
        }
        assert_eq!(
            container["terminationMessagePolicy"],
            "FallbackToLogsOnError"
        );
    }
    assert_eq!(pod["enableServiceLinks"], false);
    let grace = pod["terminationGracePeriodSeconds"]
        .as_u64()
        .expect("seconds");
    assert!(
        grace > container::GRACE.as_secs(),
        "what runs may end, and be told of"
    );
}

#[test]
fn autoscalers_leave_long_items_alone() {
    let stays = |lines: &str| {
        let job = made(lines);
        let annotations = &job["spec"]["template"]["metadata"]["annotations"];
        annotations["karpenter.sh/do-not-disrupt"] == "true"
    };
    let pool = "items: {count: 1}\nbuiltin: echo\nitem: {timeout: 10m}";
    assert!(stays(pool));
    assert!(stays("image: x:1"));
    assert!(!stays(&pool.replace("10m", "30s")), "it is soon done again");
}

#[test]
fn an_element_has_its_own_command_and_is_named() {
    let lines = "forEach: [anna, bob]\nimage: x:1\ncommand: [greet, $(each.value)]\nenv: {WHO: $(each.key)}";
    let rendered = try_job(lines, Some(1)).expect("a Job");
    let job = serde_json::to_value(rendered.job).expect("JSON");
    assert_eq!(job["metadata"]["annotations"]["memq.dev/element"], "bob");
    let container = &job["spec"]["template"]["spec"]["containers"][0];
    assert_eq!(container["command"], json!(["greet", "bob"]));
    assert_eq!(
        variable(container, "WHO").expect("a variable")["value"],
        "bob"
    );
    assert_eq!(
        try_job(lines, Some(2)),
        Err(RenderError::NoSuchElement {
            step: "s".into(),
            element: 2
        })
    );
}

#[test]
fn another_text_is_another_script() {
    let name = |text: &str| {
        let rendered = try_job(&format!("image: x:1\nscript: {text}"), None).expect("a Job");
        let [map] = rendered.config_maps.as_slice() else {
            panic!("one script")
        };
        assert_eq!(map.immutable, Some(true));
        let job = serde_json::to_value(&rendered.job).expect("JSON");
        let volume = &job["spec"]["template"]["spec"]["volumes"][1]["configMap"];
        assert_eq!(
            volume["name"],
            json!(map.metadata.name),
            "it is what is mounted"
        );
        assert_eq!(volume["defaultMode"], 0o555);
        map.metadata.name.clone().expect("a name")
    };
    assert_eq!(name("one"), name("one"));
    assert_ne!(name("one"), name("two"));
}

#[test]
fn what_a_cluster_cannot_do_is_said() {
    for (lines, said) in [
        ("command: [x]", "needs an `image`"),
        ("script: x", "needs an `image`"),
        ("items: {count: 1}\ncommand: [x]", "needs an `image`"),
        (
            "image: x:1\nvolumes: {/d: {local: .}}",
            "says nothing for a cluster",
        ),
        (
            "image: x:1\nvolumes: {/memq-program: {pvc: p}}",
            "puts its own files",
        ),
        ("image: x:1\npod: {spec: {nodeNmae: a}}", "`spec.nodeNmae`"),
    ] {
        let error = try_job(lines, None).expect_err(lines).to_string();
        assert!(
            error.contains("step `s`") || error.contains("of step `s`"),
            "{error}"
        );
        assert!(error.contains(said), "{error}");
    }
    let most = 1024 * 1024 - "script".len() - 1;
    let script = |bytes: usize| format!("image: x:1\nscript: {}", "x".repeat(bytes));
    assert!(try_job(&script(most), None).is_ok());
    assert!(matches!(
        try_job(&script(most + 1), None),
        Err(RenderError::ScriptTooLong { .. })
    ));
}

#[test]
fn all_of_a_bundle_belongs_to_its_job() {
    let mut bundle = ephemeral::bundle(&place("keys.v2"), "{}");
    bundle.belong_to("uid-1");
    let owners = |meta: &kube::api::ObjectMeta| meta.owner_references.clone().unwrap_or_default();
    assert!(owners(&bundle.job.metadata).is_empty());
    for meta in [
        &bundle.config_map.metadata,
        &bundle.service_account.metadata,
        &bundle.role.metadata,
        &bundle.role_binding.metadata,
        &bundle.service.metadata,
    ] {
        let [owner] = &owners(meta)[..] else {
            panic!("one owner")
        };
        assert_eq!((owner.kind.as_str(), owner.uid.as_str()), ("Job", "uid-1"));
        assert_eq!(Some(&owner.name), bundle.job.metadata.name.as_ref());
    }
}

#[test]
fn an_overlay_cannot_hide_its_pods() {
    for (labels, named) in [
        ("{labels: {memq.dev/run: other}}", "`memq.dev/run`"),
        ("{labels: {memq.dev/step: null}}", "`memq.dev/step`"),
        (
            "{labels: {app.kubernetes.io/component: web}}",
            "`app.kubernetes.io/component`",
        ),
        ("{labels: null}", "`app.kubernetes.io/component`"),
        ("null", "`app.kubernetes.io/component`"),
    ] {
        let lines = format!("image: x:1\npod: {{metadata: {labels}}}");
        let error = try_job(&lines, None).expect_err(labels).to_string();
        assert!(
            error.contains("step `s`") && error.contains(named),
            "{error}"
        );
    }
    let lines =
        "image: x:1\npod: {metadata: {labels: {memq.dev/client: \"true\", memq.dev/step: s}}}";
    let labels = made(lines)["spec"]["template"]["metadata"]["labels"].take();
    assert_eq!(labels["memq.dev/client"], "true");
    assert_eq!(labels["memq.dev/run"], "t");
}
