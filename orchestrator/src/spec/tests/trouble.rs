//! What is legal and still cannot work in a place.

use super::{read, steps};
use crate::spec::{Machine, Trouble, cluster_trouble, local_trouble};

fn shown(found: Vec<Trouble>) -> Vec<String> {
    found
        .into_iter()
        .map(|t| format!("{}{t}", if t.fatal { "" } else { "(warning) " }))
        .collect()
}

#[test]
fn what_needs_a_cluster_is_named_with_what_helps() {
    let text = steps(
        "- {name: a, image: busybox}\n\
         - {name: b, command: [x], env: {T: {secret: db/pass}, U: {configMap: c/known}}}\n\
         - {name: c, command: [x], volumes: {/d: {pvc: p}, /e: {emptyDir: {}}, /f: {pvc: q, local: .}}}\n\
         - {name: d, items: {queue: q}, builtin: echo}\n\
         - {name: e, forEach: [u, v], command: [x], env: {T: {secret: $(each.key)/pass}}}",
    );
    let spec = read(&text, &[]).expect("it is legal");
    let machine = Machine {
        variable: &|name| name == "MEMQ_CONFIGMAP_C_KNOWN" || name == "MEMQ_SECRET_V_PASS",
        server: false,
    };
    assert_eq!(
        shown(local_trouble(&spec, machine)),
        [
            "step a: image: what an image runs by itself cannot run without a cluster; give a command \
             or a script, or run it with --kube",
            "step b: env.T: its value lies in Secret db, which only a cluster has; set \
             MEMQ_SECRET_DB_PASS, or run it with --kube",
            "step c: volumes./d: no folder of this machine stands for it; give `local: DIR` beside it, \
             or run it with --kube",
            "step d: items.queue: the run's own server has no queue q; name the server that has it \
             with --server URL",
            "step e: env.T: its value lies in Secret u, which only a cluster has; set \
             MEMQ_SECRET_U_PASS, or run it with --kube",
        ]
    );
}

#[test]
fn what_needs_a_laptop_is_named_with_what_helps() {
    let text = steps(
        "- {name: a, command: [x]}\n\
         - {name: b, script: x, image: busybox}\n\
         - {name: c, items: {count: 1}, script: x}\n\
         - {name: d, items: {lines: /etc/hostname}, builtin: echo}\n\
         - {name: e, command: [/memq, queue, ls], volumes: {/d: {local: .}}}\n\
         - {name: f, command: [x], pod: {spec: {containers: [{name: main, image: y}]}}}",
    );
    let spec = read(&text, &[]).expect("it is legal");
    assert_eq!(
        shown(cluster_trouble(&spec)),
        [
            "step a: command: a command needs an image that has its program, and memq's own image holds \
             memq alone; give `image: NAME` to the step or to `defaults`",
            "step c: script: a script needs a shell, and memq's own image holds memq alone; give \
             `image: NAME` to the step or to `defaults`",
            "(warning) step d: items.lines: a cluster does not see `/etc/hostname`; `memq run \
             --kube` loads it; a Run made in another way waits for its items",
            "step e: volumes./d: nothing in a cluster stands for this folder; give pvc, configMap, \
             secret or emptyDir beside `local`",
        ]
    );
}
