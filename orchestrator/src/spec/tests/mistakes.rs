//! The table of mistakes, and what each is told.

use super::{KEYGEN, params, read, step};

/// What is wrong, the spec, and what must be said: where, what, and what helps.
pub(super) type Case = (
    &'static str,
    String,
    &'static str,
    &'static str,
    &'static str,
);

/// Each case is told as it says.
pub(super) fn each_is_told(cases: &[Case]) {
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
fn each_mistake_is_told_with_its_line_its_field_and_what_is_allowed() {
    let good = "items: {count: 1}\nbuiltin: echo\n";
    let cases: &[Case] = &[
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
            "exactly one of count, lines, ndjson, glob, list, queue",
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
            "a pattern that matches nothing",
            step("items: {glob: \"*.nothing\"}\nbuiltin: echo"),
            "7:19: spec.steps[0].items.glob",
            "this matches nothing in `/specs`",
            "folder of the spec",
        ),
        (
            "a pattern that is none",
            step("items: {glob: \"a/***\"}\nbuiltin: echo"),
            "7:19: spec.steps[0].items.glob",
            "this is no pattern",
            "`**/` for any folders",
        ),
        (
            "a key that all items would share",
            step("items: {count: 2, key: same}\nbuiltin: echo"),
            "7:28: spec.steps[0].items.key",
            "a key that all items share would leave one of them",
            "`.` for the item itself",
        ),
        (
            "a group that is too long",
            step(&format!(
                "items: {{count: 2, group: {}}}\nbuiltin: echo",
                "g".repeat(256)
            )),
            "7:30: spec.steps[0].items.group",
            "this cannot be used",
            "give at most 255",
        ),
        (
            "a priority past its limit",
            step("items: {count: 2, priority: 32768}\nbuiltin: echo"),
            "7:33: spec.steps[0].items.priority",
            "`32768`",
            "-32768 to 32767",
        ),
        (
            "a group for what lies in a queue",
            step("items: {queue: q, group: g}\nbuiltin: echo"),
            "7:30: spec.steps[0].items.group",
            "has its key, group and priority already",
            "where the queue is loaded",
        ),
        (
            "a process without items",
            step("process: [cat]"),
            "7:14: spec.steps[0].process",
            "this step has none",
            "give `items`",
        ),
        (
            "an item in the words of a process",
            step("items: {count: 1}\nprocess: [cat, \"{}\"]"),
            "8:14: spec.steps[0].process",
            "is given many items",
            "standard input",
        ),
        (
            "an address of another protocol",
            step("items: {count: 1}\nhttp: ftp://x/y"),
            "8:11: spec.steps[0].http",
            "`ftp://x/y`",
            "http://127.0.0.1:8000/item",
        ),
        (
            "no handler",
            step("items: {count: 1}"),
            "6:5: spec.steps[0]",
            "one of command, script, builtin, process, http is missing",
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
    each_is_told(cases);
}

#[test]
fn a_mistake_is_shown_in_its_line() {
    let error = read(&step("itmes: {count: 1}"), &[]).expect_err("a slip");
    assert_eq!(
        error.to_string(),
        "run.yaml:7:5: spec.steps[0].itmes: unknown or unsupported field `itmes`\n    \
         7 |     itmes: {count: 1}\n      |     ^\n  \
         did you mean `items`? allowed here: name, after, when, items, forEach, maxParallel, \
         failFast, command, script, builtin, process, http, env, workers, item, tolerate, timeout, retries, image, \
         resources, volumes, serviceAccountName, nodeSelector, pod"
    );
}
