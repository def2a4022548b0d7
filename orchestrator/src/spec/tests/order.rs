//! Mistakes in how steps follow one another, in elements, in defaults and in what pods are asked for.

use super::mistakes::{Case, each_is_told};
use super::{params, step, steps};

#[test]
fn each_mistake_between_steps_is_told_with_its_line_its_field_and_what_is_allowed() {
    let good = "items: {count: 1}\nbuiltin: echo\n";
    let cases: &[Case] = &[
        (
            "a name twice",
            steps("- {name: a, command: [x]}\n- {name: a, command: [x]}"),
            "7:12: spec.steps[1].name",
            "another step has the name `a` already",
            "choose another",
        ),
        (
            "an unknown step before",
            steps("- {name: fetch, command: [x]}\n- {name: b, after: [fecth], command: [x]}"),
            "7:23: spec.steps[1].after[0]",
            "there is no step `fecth`",
            "did you mean `fetch`? the steps are fetch, b",
        ),
        (
            "a circle",
            steps(
                "- {name: a, command: [x]}\n- {name: b, after: [a, d], command: [x]}\n\
                   - {name: c, after: [b], command: [x]}\n- {name: d, after: [c], command: [x]}",
            ),
            "7:22: spec.steps[1].after",
            "these steps wait for one another: b after d after c after b",
            "take one of them out",
        ),
        (
            "a step after itself",
            steps("- {name: a, after: [a], command: [x]}"),
            "6:22: spec.steps[0].after",
            "these steps wait for one another: a after a",
            "",
        ),
        (
            "the same step before twice",
            steps("- {name: a, command: [x]}\n- {name: b, after: [a, a], command: [x]}"),
            "7:26: spec.steps[1].after[1]",
            "`a` stands here twice",
            "remove one",
        ),
        (
            "another when",
            steps(
                "- {name: a, command: [x]}\n- {name: b, after: [a], when: sometimes, command: [x]}",
            ),
            "7:33: spec.steps[1].when",
            "the text `sometimes`",
            "succeeded, failed or always",
        ),
        (
            "a when without after",
            step("when: failed\ncommand: [x]"),
            "7:11: spec.steps[0].when",
            "no steps before this one",
            "after",
        ),
        (
            "nothing to run",
            step("timeout: 1m"),
            "6:5: spec.steps[0]",
            "one of command, script, builtin, process, http is missing",
            "or an image that runs by itself",
        ),
        (
            "items and elements",
            step(&format!("{good}forEach: [a]")),
            "9:14: spec.steps[0].forEach",
            "`items` and `forEach` exclude each other",
            "",
        ),
        (
            "retries of items",
            step(&format!("{good}retries: 2")),
            "9:14: spec.steps[0].retries",
            "`retries` does not go with `items`",
            "item: {attempts",
        ),
        (
            "workers without items",
            step("command: [x]\nworkers: 3"),
            "8:14: spec.steps[0].workers",
            "this goes with `items` only",
            "",
        ),
        (
            "side by side without elements",
            step("command: [x]\nmaxParallel: 3"),
            "8:18: spec.steps[0].maxParallel",
            "this goes with `forEach` only",
            "",
        ),
        (
            "no element",
            step("forEach: []\ncommand: [x]"),
            "7:14: spec.steps[0].forEach",
            "there is no element",
            "a list of texts, a map of texts",
        ),
        (
            "an element that is a list",
            step("forEach: {a: [b]}\ncommand: [x]"),
            "7:18: spec.steps[0].forEach.a",
            "this is a list",
            "a text",
        ),
        (
            "an element where there is none",
            step("command: [x, $(each.key)]"),
            "7:18: spec.steps[0].command[1]",
            "`$(each.key)` means nothing here",
            "forEach",
        ),
        (
            "an element in a field that all share",
            step("forEach: [a]\ncommand: [x]\nimage: $(each.value)"),
            "9:12: spec.steps[0].image",
            "`$(each.value)` means nothing here",
            "command, script and env",
        ),
        (
            "a name that is put in",
            step("command: [x]").replace("name: s", "name: $(run.name)"),
            "6:11: spec.steps[0].name",
            "a parameter cannot stand for this word",
            "write the word out",
        ),
        (
            "a list that is put in",
            params("c: {type: list, default: [x]}", "[a]")
                .replace("builtin: echo", "command: $(params.c)"),
            "8:44: spec.steps[0].command",
            "a parameter cannot stand for this list",
            "write the list out",
        ),
        (
            "two things in one place",
            step("command: [x]\nvolumes: {/d: {pvc: a, emptyDir: {}}}"),
            "8:38: spec.steps[0].volumes./d.emptyDir",
            "`pvc` and `emptyDir` exclude each other",
            "",
        ),
        (
            "nothing in a place",
            step("command: [x]\nvolumes: {/d: {}}"),
            "8:19: spec.steps[0].volumes./d",
            "one of pvc, configMap, secret, emptyDir is missing",
            "{pvc: NAME, local: DIR}",
        ),
        (
            "a place that is none",
            step("command: [x]\nvolumes: {d: {pvc: a}}"),
            "8:18: spec.steps[0].volumes.d",
            "`d` is no place to mount at",
            "/data",
        ),
        (
            "an amount that is none",
            step("command: [x]\nresources: {limits: {memory: 1gb}}"),
            "8:34: spec.steps[0].resources.limits.memory",
            "the text `1gb`",
            "256Mi",
        ),
        (
            "a field of a container",
            step("command: [x]\nresources: {limit: {memory: 1Gi}}"),
            "8:17: spec.steps[0].resources.limit",
            "unknown or unsupported field `limit`",
            "did you mean `limits`?",
        ),
        (
            "a pod that is a list",
            step("command: [x]\npod: [a]"),
            "8:10: spec.steps[0].pod",
            "this is a list",
            "PodTemplateSpec",
        ),
        (
            "defaults that are a step's own",
            steps("- {name: a, command: [x]}")
                .replace("  steps:", "  defaults: {command: [x]}\n  steps:"),
            "5:14: spec.defaults.command",
            "unknown or unsupported field `command`",
            "allowed here: image, env",
        ),
        (
            "a queue of no name",
            step("items: {queue: a b}\nbuiltin: echo"),
            "7:20: spec.steps[0].items.queue",
            "`a b` is not a queue name",
            "loaded already",
        ),
    ];
    each_is_told(cases);
}
