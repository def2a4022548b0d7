//! The table of mistakes, and what each is told.

use super::{KEYGEN, params, read, step, steps};

#[test]
fn each_mistake_is_told_with_its_line_its_field_and_what_is_allowed() {
    let good = "items: {count: 1}\nbuiltin: echo\n";
    let cases: &[(&str, String, &str, &str, &str)] = &[
        (
            "an empty file",
            String::new(),
            "1:1",
            "no run spec",
            "kind: Run",
        ),
        (
            "not a map",
            "- a\n".into(),
            "1:1",
            "this is a list",
            "apiVersion",
        ),
        (
            "another kind",
            KEYGEN.replace("Run", "Job"),
            "2:7: kind",
            "the text `Job`",
            "give Run",
        ),
        (
            "another version",
            KEYGEN.replace("v1alpha1", "v2"),
            "1:13: apiVersion",
            "memq.dev/v2",
            "memq.dev/v1alpha1",
        ),
        (
            "no kind",
            KEYGEN.replace("kind: Run\n", ""),
            "1:1",
            "`kind` is missing",
            "kind: Run",
        ),
        (
            "two names",
            KEYGEN.replace("{generateName: keygen-}", "{name: a, generateName: b-}"),
            "3:35: metadata.generateName",
            "`name` and `generateName` exclude each other",
            "exactly one",
        ),
        (
            "a bad name",
            KEYGEN.replace("generateName: keygen-", "name: Key_Gen"),
            "3:18: metadata.name",
            "`Key_Gen` is no name for a run",
            "a-z 0-9",
        ),
        (
            "a slip in a field",
            step("itmes: {count: 1}\nbuiltin: echo"),
            "7:5: spec.steps[0].itmes",
            "unknown or unsupported field `itmes`",
            "did you mean `items`?",
        ),
        (
            "a field of another kind of step",
            step(&format!("{good}callback: [a]")),
            "9:5: spec.steps[0].callback",
            "unknown or unsupported field `callback`",
            "allowed here: name, after, when, items",
        ),
        (
            "a built-in without items",
            step("builtin: echo"),
            "7:14: spec.steps[0].builtin",
            "this step has none",
            "give `items`",
        ),
        (
            "count and lines",
            step("items: {count: 1, lines: f}\nbuiltin: echo"),
            "7:30: spec.steps[0].items.lines",
            "`count` and `lines` exclude each other",
            "exactly one of count, lines, list, queue",
        ),
        (
            "a format for lines",
            step("items: {lines: f, format: \"%d\"}\nbuiltin: echo"),
            "7:31: spec.steps[0].items.format",
            "`format` does not go with `lines`",
            "",
        ),
        (
            "a format without a number",
            step("items: {count: 1, format: item}\nbuiltin: echo"),
            "7:31: spec.steps[0].items.format",
            "the text `item`",
            "exactly one %d",
        ),
        (
            "a count that is text",
            step("items: {count: many}\nbuiltin: echo"),
            "7:20: spec.steps[0].items.count",
            "the text `many`",
            "an integer from 0",
        ),
        (
            "a file that is not there",
            step("items: {lines: nowhere.txt}\nbuiltin: echo"),
            "7:20: spec.steps[0].items.lines",
            "cannot read `/specs/nowhere.txt`",
            "folder of the spec",
        ),
        (
            "no handler",
            step("items: {count: 1}"),
            "6:5: spec.steps[0]",
            "one of command, script, builtin is missing",
            "script: TEXT",
        ),
        (
            "two handlers",
            step(&format!("{good}script: x")),
            "9:13: spec.steps[0].script",
            "`builtin` and `script` exclude each other",
            "",
        ),
        (
            "a command that is a line",
            step("items: {count: 1}\ncommand: wc -c"),
            "8:14: spec.steps[0].command",
            "the text `wc -c`",
            "use `script`",
        ),
        (
            "an unknown built-in",
            step("items: {count: 1}\nbuiltin: keygn"),
            "8:14: spec.steps[0].builtin",
            "no built-in handler `keygn`",
            "keygen, sleep, echo, fail",
        ),
        (
            "an item inside code",
            step("items: {count: 1}\ncommand: [env, /bin/bash, -ec, 'wc -c {}']"),
            "8:36: spec.steps[0].command[3]",
            "would let an item run commands",
            "\"$MEMQ_ITEM\"",
        ),
        (
            "no workers",
            step(&format!("{good}workers: 0")),
            "9:14: spec.steps[0].workers",
            "an integer (`0`)",
            "from 1 to 1000",
        ),
        (
            "most below least",
            step(&format!("{good}workers: {{min: 5, max: 2}}")),
            "9:28: spec.steps[0].workers.max",
            "`max` is below `min`",
            "at least 5",
        ),
        (
            "a time without unit",
            step(&format!("{good}item: {{timeout: 60}}")),
            "9:21: spec.steps[0].item.timeout",
            "an integer (`60`)",
            "with its unit",
        ),
        (
            "a back-off the wrong way round",
            step(&format!("{good}item: {{backoff: 30s..1s}}")),
            "9:21: spec.steps[0].item.backoff",
            "the text `30s..1s`",
            "the shortest and the longest",
        ),
        (
            "no attempts",
            step(&format!("{good}item: {{attempts: 0}}")),
            "9:22: spec.steps[0].item.attempts",
            "an integer (`0`)",
            "from 1 to 1000",
        ),
        (
            "an exit code past 255",
            step(&format!("{good}item: {{deadOn: [65, 256]}}")),
            "9:25: spec.steps[0].item.deadOn[1]",
            "(`256`)",
            "from 1 to 255",
        ),
        (
            "a share past all",
            step(&format!("{good}tolerate: {{dead: 101%}}")),
            "9:22: spec.steps[0].tolerate.dead",
            "the text `101%`",
            "\"1%\"",
        ),
        (
            "a secret without its key",
            step(&format!("{good}env: {{TOKEN: {{secret: a}}}}")),
            "9:27: spec.steps[0].env.TOKEN.secret",
            "the text `a`",
            "NAME/KEY",
        ),
        (
            "a variable of ours",
            step(&format!("{good}env: {{MEMQ_SERVER: x}}")),
            "9:24: spec.steps[0].env.MEMQ_SERVER",
            "would change how the worker itself runs",
            "MEMQ_",
        ),
        (
            "a second step without a name",
            format!("{}  - builtin: echo\n", step(good)),
            "9:5: spec.steps[1]",
            "`name` is missing",
            "small letters",
        ),
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
            "one of command, script, builtin is missing",
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
        (
            "an unknown parameter",
            params("user: {}", "[$(params.users)]"),
            "8:30: spec.steps[0].items.list[0]",
            "no parameter `users`; did you mean `user`?",
            "",
        ),
        (
            "no parameter at all",
            step("items: {count: $(params.n)}\nbuiltin: echo"),
            "7:20: spec.steps[0].items.count",
            "declares none",
            "",
        ),
        (
            "a parameter without a value",
            params("user: {}", "[$(params.user)]"),
            "8:30: spec.steps[0].items.list[0]",
            "`user` has no value",
            "-p user=VALUE",
        ),
        (
            "a list inside text",
            params("u: {type: list, default: [a]}", "['x $(params.u)']"),
            "8:30: spec.steps[0].items.list[0]",
            "`$(params.u)` is a list",
            "whole value",
        ),
        (
            "a result of a step",
            params("u: {}", "['$(steps.a.result)']"),
            "8:30",
            "`$(steps.a.result)` is unknown or unsupported",
            "$(params.NAME)",
        ),
        (
            "a required parameter",
            params("user: {required: true, pattern: '^[a-z]+$'}", "[a]"),
            "6:11: spec.params.user",
            "`user` is required",
            "-p user=VALUE (a text matching ^[a-z]+$)",
        ),
        (
            "an unknown type",
            params("u: {type: map}", "[a]"),
            "6:15: spec.params.u.type",
            "the text `map`",
            "string, integer, boolean or list",
        ),
        (
            "a default of another type",
            params("n: {type: integer, minimum: 1, default: ten}", "[a]"),
            "6:45: spec.params.n.default",
            "the text `ten`",
            "an integer, at least 1",
        ),
        (
            "a minimum for a text",
            params("n: {minimum: 1}", "[a]"),
            "6:18: spec.params.n.minimum",
            "does not go with this type",
            "an integer",
        ),
        (
            "a pattern that is none",
            params("n: {pattern: '('}", "[a]"),
            "6:18: spec.params.n.pattern",
            "no regular expression",
            "unclosed group",
        ),
    ];
    let mut wrong = Vec::new();
    for (what, text, place, message, help) in cases {
        let said = match read(text, &[]) {
            Ok(spec) => format!("read as {spec:?}"),
            Err(error) => error.to_string(),
        };
        let right = said.starts_with(&format!("run.yaml:{place}"))
            && said.contains(message)
            && said.contains(help);
        if !right {
            wrong.push(format!("{what}: wanted {place}, {message}, {help}\n{said}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn a_mistake_is_shown_in_its_line() {
    let error = read(&step("itmes: {count: 1}"), &[]).expect_err("a slip");
    assert_eq!(
        error.to_string(),
        "run.yaml:7:5: spec.steps[0].itmes: unknown or unsupported field `itmes`\n    \
         7 |     itmes: {count: 1}\n      |     ^\n  \
         did you mean `items`? allowed here: name, after, when, items, forEach, maxParallel, \
         failFast, command, script, builtin, env, workers, item, tolerate, timeout, retries, image, \
         resources, volumes, serviceAccountName, nodeSelector, pod"
    );
}
