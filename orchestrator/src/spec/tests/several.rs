//! Runs of several steps: their order, their elements, what they inherit.

use std::path::PathBuf;
use std::time::Duration;

use super::{read, step, steps};
use crate::spec::{EnvValue, Handler, Items, Step, When, Work};

const NIGHTLY: &str = r#"apiVersion: memq.dev/v1alpha1
kind: Run
metadata: {name: nightly, namespace: batch, labels: {team: data}}
spec:
  params:
    users: {type: list, default: [anna, bob]}
    tries: {type: integer, default: 2}
  ttl: 1d
  defaults:
    image: python:3.13
    env: {REGION: eu, LEVEL: info}
    volumes: {/data: {pvc: shared, local: data}, /tmp: {emptyDir: {}}}
    timeout: 1h
    retries: $(params.tries)
    resources: {requests: {cpu: 500m}}
    nodeSelector: {disk: ssd}
  steps:
  - name: fetch
    script: curl -o /data/all "$URL"
    env: {URL: {configMap: sources/url}, TOKEN: {secret: api/token}, LEVEL: debug}
  - name: left
    after: [fetch]
    items: {queue: leftovers}
    command: [wc, -c, "{}"]
    workers: {max: 3}
  - name: users
    after: [fetch]
    forEach: $(params.users)
    maxParallel: 4
    failFast: true
    command: [report, --user, $(each.key), $$(each.key), "$(each.value)@$(run.name)"]
    env: {WHO: $(each.value)}
    retries: 0
    volumes: {/tmp: {pvc: scratch, local: /scratch, readOnly: true}}
    serviceAccountName: reporter
    pod: {spec: {priorityClassName: low, containers: [{name: main, tty: true}]}}
  - name: sweep
    after: [left, users]
    when: always
    image: busybox:1
    timeout: 5m
"#;

#[test]
fn a_run_of_several_steps_is_read_whole() {
    let spec = read(NIGHTLY, &[]).expect("a good spec");
    assert_eq!(spec.ttl, Some(Duration::from_secs(86_400)));
    let [fetch, left, users, sweep] = spec.steps.as_slice() else {
        panic!("{} steps", spec.steps.len())
    };
    let order = |step: &Step| (step.after.join(","), step.when);
    assert_eq!(order(fetch), (String::new(), When::Succeeded));
    assert_eq!(order(users), ("fetch".into(), When::Succeeded));
    assert_eq!(order(sweep), ("left,users".into(), When::Always));

    assert!(
        matches!(&left.work, Work::Items(pool) if matches!(&pool.items, Items::Queue(q) if q.as_str() == "leftovers"))
    );
    assert_eq!(
        (&sweep.work, &sweep.handler),
        (&Work::Once, &Handler::Image)
    );
    assert_eq!(sweep.pod.image.as_deref(), Some("busybox:1"));
    let overlay = users.pod.overlay.as_ref().expect("an overlay");
    assert_eq!(overlay["spec"]["containers"][0]["tty"], true);
    assert_eq!(users.pod.service_account.as_deref(), Some("reporter"));
}

#[test]
fn a_step_inherits_what_it_does_not_say_itself() {
    let spec = read(NIGHTLY, &[]).expect("a good spec");
    let [fetch, left, users, sweep] = spec.steps.as_slice() else {
        panic!("{} steps", spec.steps.len())
    };
    let text = |text: &str| EnvValue::Text(text.into());
    assert_eq!(fetch.env["REGION"], text("eu"));
    assert_eq!(fetch.env["LEVEL"], text("debug"));
    let (name, key) = ("sources".into(), "url".into());
    assert_eq!(fetch.env["URL"], EnvValue::ConfigMap { name, key });
    assert_eq!(
        fetch.env["TOKEN"].variable().as_deref(),
        Some("MEMQ_SECRET_API_TOKEN")
    );
    assert_eq!(left.pod.image.as_deref(), Some("python:3.13"));
    assert_eq!(left.pod.node_selector["disk"], "ssd");
    assert_eq!(fetch.timeout, Some(Duration::from_secs(3_600)));
    assert_eq!(sweep.timeout, Some(Duration::from_secs(300)));
    // A step with items has attempts in place of retries.
    let retries: Vec<_> = spec.steps.iter().map(|step| step.retries).collect();
    assert_eq!(retries, [2, 0, 0, 2]);

    let mounts = |step: &Step| {
        let volumes = step.pod.volumes.iter();
        let shown = volumes.map(|v| (v.mount.clone(), v.pvc.clone(), v.local.clone(), v.read_only));
        shown.collect::<Vec<_>>()
    };
    let shared = (
        "/data".into(),
        Some("shared".into()),
        Some(PathBuf::from("/specs/data")),
        false,
    );
    assert_eq!(
        mounts(fetch),
        [shared.clone(), ("/tmp".into(), None, None, false)]
    );
    assert!(fetch.pod.volumes[1].empty_dir);
    let scratch = (
        "/tmp".into(),
        Some("scratch".into()),
        Some(PathBuf::from("/scratch")),
        true,
    );
    assert_eq!(mounts(users), [shared, scratch]);
}

#[test]
fn an_element_is_put_into_what_runs_for_it_and_nowhere_else() {
    let spec = read(NIGHTLY, &[("users", "o'neil,$(params.tries)")]).expect("a good spec");
    let users = &spec.steps[2];
    let Work::Each(each) = &users.work else {
        panic!("{:?}", users.work)
    };
    assert_eq!((each.max_parallel, each.fail_fast), (Some(4), true));
    let words = |handler: &Handler| match handler {
        Handler::Command(words) => words[2..].join(" "),
        handler => panic!("{handler:?}"),
    };
    assert_eq!(
        words(&each.elements[0].handler),
        "o'neil $(each.key) o'neil@nightly"
    );
    // What is put in is never looked at again.
    assert_eq!(each.elements[1].key, "$(params.tries)");
    assert_eq!(
        each.elements[1].env["WHO"],
        EnvValue::Text("$(params.tries)".into())
    );
    assert_eq!(each.elements[1].env["REGION"], EnvValue::Text("eu".into()));
    assert_eq!(
        words(&users.handler),
        "$(each.key) $(each.key) $(each.value)@nightly"
    );
}

#[test]
fn the_elements_of_a_map_have_keys_and_values() {
    let text = step("forEach: {eu: 007, us: two}\nscript: echo $(each.key) $(each.value)");
    let spec = read(&text, &[]).expect("a good spec");
    let Work::Each(each) = &spec.steps[0].work else {
        panic!("{:?}", spec.steps[0].work)
    };
    let shown: Vec<_> = each
        .elements
        .iter()
        .map(|e| (e.key.as_str(), e.value.as_str()))
        .collect();
    assert_eq!(shown, [("eu", "007"), ("us", "two")]);
    assert_eq!(
        each.elements[0].handler,
        Handler::Script("echo eu 007\n".into())
    );
}

#[test]
fn a_thousand_elements_are_the_most() {
    let list = |n: usize| {
        let names: Vec<_> = (0..n).map(|n| format!("u{n}")).collect();
        step(&format!("forEach: [{}]\ncommand: [x]", names.join(", ")))
    };
    assert!(read(&list(1_000), &[]).is_ok());
    let error = read(&list(1_001), &[])
        .expect_err("one too many")
        .to_string();
    assert!(error.contains("1001 elements, more than 1000"), "{error}");
}

#[test]
fn a_hundred_steps_are_the_most() {
    let many = |n: usize| {
        let lines: Vec<_> = (0..n)
            .map(|n| format!("- {{name: s{n}, command: [x]}}"))
            .collect();
        steps(&lines.join("\n"))
    };
    assert_eq!(
        read(&many(100), &[]).map(|spec| spec.steps.len()).ok(),
        Some(100)
    );
    let error = read(&many(101), &[]).expect_err("one too many").to_string();
    assert!(
        error.contains("spec.steps[100]: these are 101 steps"),
        "{error}"
    );
}
