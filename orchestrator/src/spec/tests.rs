//! The table of specs: what is read, and what each mistake is told.

use std::path::Path;
use std::time::Duration;

use super::{
    EnvValue, Given, Handler, Items, Pool, RunSpec, SpecError, Tolerate, Work, Workers, parse,
};

const KEYGEN: &str = r#"apiVersion: memq.dev/v1alpha1
kind: Run
metadata: {generateName: keygen-}
spec:
  params:
    keys: {type: integer, default: 100, minimum: 1}
  steps:
  - name: keys
    items: {count: $(params.keys), format: "work-item-%d"}
    builtin: keygen
    workers: {min: 1, max: 5, deadline: 10m}
    item: {timeout: 60s, attempts: 3, backoff: 1s..30s}
    tolerate: {dead: 0}
"#;

fn read(text: &str, params: &[(&str, &str)]) -> Result<RunSpec, SpecError> {
    let params: Vec<_> = params
        .iter()
        .map(|(n, v)| ((*n).into(), (*v).into()))
        .collect();
    let given = Given {
        params: &params,
        suffix: "x7k2p",
    };
    parse(text, Path::new("run.yaml"), Path::new("/specs"), given)
}

/// The pool of its first step.
fn pool(spec: &RunSpec) -> &Pool {
    match &spec.steps[0].work {
        Work::Items(pool) => pool,
        work => panic!("{work:?}"),
    }
}

/// A spec around the given lines of its step.
fn step(lines: &str) -> String {
    let head = "apiVersion: memq.dev/v1alpha1\nkind: Run\nmetadata: {name: t}\nspec:\n  steps:\n  - name: s\n";
    lines
        .lines()
        .fold(head.to_owned(), |text, line| format!("{text}    {line}\n"))
}

/// A spec around the given lines of its parameters.
fn params(lines: &str, item: &str) -> String {
    let head = "apiVersion: memq.dev/v1alpha1\nkind: Run\nmetadata: {name: t}\nspec:\n  params:\n";
    let head = lines
        .lines()
        .fold(head.to_owned(), |text, line| format!("{text}    {line}\n"));
    format!("{head}  steps:\n  - {{name: s, items: {{list: {item}}}, builtin: echo}}\n")
}

#[test]
fn the_spec_of_the_book_is_read_whole() {
    let spec = read(KEYGEN, &[]).expect("a good spec");
    assert_eq!((spec.name.as_str(), spec.generated), ("keygen-x7k2p", true));
    let (step, pool) = (&spec.steps[0], pool(&spec));
    let Items::Count { count: 100, format } = &pool.items else {
        panic!("{:?}", pool.items)
    };
    assert_eq!(format.with(99), "work-item-99");
    assert_eq!(step.handler, Handler::Builtin("keygen".into()));
    let workers = Workers {
        min: 1,
        max: 5,
        deadline: Some(Duration::from_secs(600)),
        concurrency: 1,
    };
    assert_eq!(pool.workers, workers);
    assert_eq!(pool.item.timeout, Some(Duration::from_secs(60)));
    assert_eq!(pool.item.attempts, Some(3));
    assert_eq!(
        pool.item.backoff,
        Some((Duration::from_secs(1), Duration::from_secs(30)))
    );
    assert_eq!(pool.item.dead_on, [65]);
    assert_eq!(pool.tolerate, Tolerate::Items(0));
}

#[test]
fn the_command_line_overrides_a_default() {
    let spec = read(KEYGEN, &[("keys", "7")]).expect("a good spec");
    assert!(
        matches!(pool(&spec).items, Items::Count { count: 7, .. }),
        "{:?}",
        pool(&spec).items
    );
}

#[test]
fn values_are_put_in_and_the_shell_keeps_what_is_its_own() {
    let text = "\
apiVersion: memq.dev/v1alpha1
kind: Run
metadata: {name: t}
spec:
  params: {who: {default: world}, users: {type: list}, loud: {type: boolean, default: true}}
  steps:
  - name: s
    items: {list: $(params.users)}
    command: [sh, -c, 'echo $(date) $(params.who) $$(params.who) $(params.loud)']
    env: {RUN: $(run.name), LOUD: $(params.loud), ZIP: 00501}
    tolerate: {dead: \"2.5%\"}
";
    for users in ["anna,bob", "[anna, bob]"] {
        let spec = read(text, &[("users", users)]).expect("a good spec");
        let step = &spec.steps[0];
        assert_eq!(
            pool(&spec).items,
            Items::List(vec!["anna".into(), "bob".into()])
        );
        let Handler::Command(command) = &step.handler else {
            panic!("{:?}", step.handler)
        };
        assert_eq!(command[2], "echo $(date) world $(params.who) true");
        let env: Vec<_> = step
            .env
            .iter()
            .map(|(n, v)| (n.as_str(), v.clone()))
            .collect();
        let text = |text: &str| EnvValue::Text(text.into());
        let wanted = [("LOUD", "true"), ("RUN", "t"), ("ZIP", "00501")];
        assert_eq!(env, wanted.map(|(n, v)| (n, text(v))));
        assert_eq!(pool(&spec).tolerate, Tolerate::Percent(2.5));
    }
}

#[test]
fn items_of_a_list_stay_as_they_were_written() {
    let text = step("items: {list: [007, 1.10, no, ' x ', \"a\\nb\"]}\nbuiltin: echo");
    let spec = read(&text, &[]).expect("a good spec");
    assert_eq!(
        pool(&spec).items,
        Items::List(["007", "1.10", "no", " x ", "a\nb"].map(Into::into).into())
    );
}

#[test]
fn a_share_of_dead_is_counted_exactly() {
    let one_in_hundred = Tolerate::Percent(1.0);
    assert!(one_in_hundred.allows(1, 100) && !one_in_hundred.allows(2, 100));
    assert!(one_in_hundred.allows(0, 99) && !one_in_hundred.allows(1, 99));
    assert!(Tolerate::Items(2).allows(2, 3) && !Tolerate::Items(2).allows(3, 3));
}

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
            step(&format!("{good}forEach: [a]")),
            "9:5: spec.steps[0].forEach",
            "unknown or unsupported field `forEach`",
            "allowed here: name, items",
        ),
        (
            "no items",
            step("builtin: echo"),
            "6:5: spec.steps[0]",
            "`items` is missing",
            "lines",
        ),
        (
            "count and lines",
            step("items: {count: 1, lines: f}\nbuiltin: echo"),
            "7:30: spec.steps[0].items.lines",
            "`count` and `lines` exclude each other",
            "exactly one of count, lines, list",
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
            "a secret",
            step(&format!("{good}env: {{TOKEN: {{secret: a/b}}}}")),
            "9:18: spec.steps[0].env.TOKEN",
            "this is a map",
            "a plain value",
        ),
        (
            "a variable of ours",
            step(&format!("{good}env: {{MEMQ_SERVER: x}}")),
            "9:24: spec.steps[0].env.MEMQ_SERVER",
            "would change how the worker itself runs",
            "MEMQ_",
        ),
        (
            "a second step",
            format!("{}  - name: t\n", step(good)),
            "9:5: spec.steps[1]",
            "unknown or unsupported second step",
            "exactly one step",
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
         did you mean `items`? allowed here: name, items, command, script, builtin, workers, item, \
         tolerate, env, timeout"
    );
}

#[test]
fn a_value_given_by_hand_is_held_to_the_declaration() {
    for (given, said) in [
        (("key", "1"), "did you mean `keys`?"),
        (("keys", "0"), "`keys` takes an integer, at least 1"),
        (("keys", "ten"), "`keys` takes an integer, at least 1"),
    ] {
        let error = read(KEYGEN, &[given]).expect_err(said).to_string();
        assert!(
            error.contains(&format!("-p {}={}", given.0, given.1)),
            "{error}"
        );
        assert!(error.contains(said), "{error}");
    }
    let text = params(
        "c: {enum: [red, blue]}\nb: {type: boolean, default: false}",
        "['$(params.c)']",
    );
    assert!(read(&text, &[("c", "blue"), ("b", "true")]).is_ok());
    let error = read(&text, &[("c", "green")])
        .expect_err("not allowed")
        .to_string();
    assert!(error.contains("one of red, blue"), "{error}");
    assert!(read(&text, &[("c", "red"), ("b", "yes")]).is_err());
}
