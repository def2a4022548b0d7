//! The table of rules: for each a text that breaks it, where, and one that does not.

use std::path::Path;

use super::{Finding, RULES, Severity, Subject, lint, table};

/// A text that breaks a rule, the line where, and one that keeps it.
struct Case {
    rule: &'static str,
    bad: &'static str,
    line: u64,
    good: &'static str,
}

/// A run spec whose step has these lines; its name is on line 6, they begin on line 7.
fn run(step: &str) -> String {
    let head = "apiVersion: memq.dev/v1alpha1\nkind: Run\nmetadata: {name: t}\nspec:\n  steps:\n  - name: s\n";
    indent(head, "    ", step)
}

/// A Job with these lines in its spec and a whole container; they begin on line 5.
fn job(lines: &str) -> String {
    let head = "apiVersion: batch/v1\nkind: Job\nmetadata: {name: t}\nspec:\n";
    let lines = format!(
        "{lines}\ntemplate: {{spec: {{restartPolicy: Never, containers: [{{name: c, image: 'x:1'}}]}}}}"
    );
    indent(head, "  ", lines.trim_start())
}

/// A Job whose container has these lines; they begin on line 10.
fn container(lines: &str) -> String {
    let head = "apiVersion: batch/v1\nkind: Job\nmetadata: {name: t}\nspec:\n  parallelism: 2\n  podFailurePolicy: {rules: []}\n  template:\n    spec: {restartPolicy: Never, containers: [{\n      name: c,\n";
    indent(head, "      ", &format!("{lines}\n}}]}}"))
}

/// A server that asks for tokens, and a worker beside it, on line 13, with this in its container.
fn guarded(worker: &str) -> String {
    let pods = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: t}\nspec:\n  template:\n    spec: {containers: [";
    let server = "{name: s, image: 'memq:1', args: [server, --tokens, /t]}";
    let worker = format!("{{name: w, image: 'memq:1', args: [worker, --queue, q]{worker}}}");
    format!("{pods}{server}]}}\n{pods}{worker}]}}\n").replacen("]}\napi", "]}\n---\napi", 1)
}

fn indent(head: &str, by: &str, lines: &str) -> String {
    lines
        .lines()
        .fold(head.to_owned(), |text, line| format!("{text}{by}{line}\n"))
}

fn found(text: &str, in_chart: bool) -> Vec<Finding> {
    let variables =
        ["MEMQ_SERVER", "MEMQ_QUEUE", "MEMQ_UNTIL", "MEMQ_TOKEN_FILE"].map(str::to_owned);
    lint(&Subject {
        text,
        file: Path::new("f.yaml"),
        dir: Path::new("."),
        in_chart,
        params: &[],
        variables: &variables,
    })
}

const WHOLE: &str =
    "items: {count: 9}\nimage: 'x:1'\ncommand: [x]\nworkers: {min: 1, max: 4}\nitem: {timeout: 1m}";

#[test]
fn every_rule_finds_its_mistake_where_it_stands_and_no_other() {
    let text = |text: String| -> &'static str { Box::leak(text.into_boxed_str()) };
    let head = |api: &str, kind: &str| {
        text(format!(
            "apiVersion: {api}\nkind: {kind}\nmetadata: {{name: t}}\n"
        ))
    };
    let cases = [
        case(
            "L001",
            text(run(&format!("{WHOLE}\nitmes: 1"))),
            12,
            text(run(WHOLE)),
        ),
        case("L001", "a: [1\n", 1, "a: [1]\n"),
        case(
            "L001",
            text(run(&WHOLE.replace("[x]", "[sh, -c, 'rm {}']"))),
            9,
            text(run(&WHOLE.replace("[x]", "[rm, '{}']"))),
        ),
        case(
            "L002",
            "{{- if .Values.job }}\nkind: Job\n{{- end }}\n",
            1,
            "kind: Job\n",
        ),
        case(
            "L003",
            text(run(WHOLE).replace("  steps:", "  params: {day: {required: true}}\n  steps:")),
            5,
            text(run(WHOLE).replace("  steps:", "  params: {day: {default: monday}}\n  steps:")),
        ),
        case(
            "L101",
            text(run(&WHOLE.replace("image: 'x:1'\n", ""))),
            8,
            text(run(WHOLE)),
        ),
        case(
            "L101",
            text(run(&format!("{WHOLE}\npod: {{spec: {{nodeNmae: a}}}}"))),
            6,
            text(run(&format!("{WHOLE}\npod: {{spec: {{nodeName: a}}}}"))),
        ),
        case(
            "L102",
            text(run("image: 'x:1'\ntimeout: 1m")),
            7,
            text(run("image: 'x:1'\ncommand: [x]\ntimeout: 1m")),
        ),
        case(
            "L103",
            text(run(&WHOLE.replace("item: {timeout: 1m}", ""))),
            7,
            text(run(WHOLE)),
        ),
        case(
            "L104",
            text(run(&WHOLE.replace(", max: 4", ""))),
            10,
            text(run(&WHOLE.replace("{min: 1, max: 4}", "3"))),
        ),
        case(
            "L105",
            text(run(
                "image: 'x:1'\ntimeout: 1m\nforEach: [a]\nscript: echo $(each.value)",
            )),
            10,
            text(run(
                "image: 'x:1'\ntimeout: 1m\nforEach: [a]\nenv: {WHO: $(each.value)}\nscript: echo $(date) $WHO",
            )),
        ),
        case(
            "L105",
            text(run(
                "image: 'x:1'\ntimeout: 1m\nforEach: [a]\ncommand: [sh, -ec, 'echo $(each.value)']",
            )),
            10,
            text(run(
                "image: 'x:1'\ntimeout: 1m\nforEach: [a]\ncommand: [echo, $(each.value)]",
            )),
        ),
        case(
            "L106",
            text(run("image: 'x:1'\ncommand: [x]")),
            6,
            text(run("image: 'x:1'\ncommand: [x]\ntimeout: 1h")),
        ),
        case(
            "L106",
            text(run("image: 'x:1'\ncommand: [x]")),
            6,
            text(
                run("image: 'x:1'\ncommand: [x]")
                    .replace("  steps:", "  defaults: {timeout: 1h}\n  steps:"),
            ),
        ),
        case(
            "L201",
            head("batch/v1beta1", "CronJob"),
            1,
            head("batch/v1", "CronJob"),
        ),
        case(
            "L201",
            head("extensions/v1beta1", "Deployment"),
            1,
            head("apps/v1", "Deployment"),
        ),
        case(
            "L202",
            text(container("image: 'x:1', restartPolicy: Never")),
            10,
            text(container("image: 'x:1'")),
        ),
        case(
            "L203",
            text(container("image: 'x:1', command: ['python x.py']")),
            10,
            text(container("image: 'x:1', command: [python, x.py]")),
        ),
        case(
            "L203",
            text(container("image: 'x:1', command: python x.py")),
            10,
            text(container("image: 'x:1', command: [sh, -c, python x.py]")),
        ),
        case(
            "L204",
            "apiVersion: v1\nkind: Pod\nmetadata:\n  labels:\n    name: t\nspec: {}\n",
            5,
            "apiVersion: v1\nkind: Pod\nmetadata:\n  name: t\n  labels: {name: t}\nspec: {}\n",
        ),
        case(
            "L205",
            text(job("").replace("restartPolicy: Never, ", "")),
            5,
            text(job("")),
        ),
        case(
            "L205",
            text(job("").replace("Never", "Always")),
            5,
            text(job("")),
        ),
        case(
            "L206",
            text(job("").replace("Never", "OnFailure")),
            5,
            text(job("")),
        ),
        case(
            "L207",
            text(job("podFailurePolicy: {rules: []}").replace("Never", "OnFailure")),
            5,
            text(job("podFailurePolicy: {rules: []}")),
        ),
        case(
            "L208",
            text(job("").replace("spec: {restart", "spec: {backoffLimit: 3, restart")),
            5,
            text(job("backoffLimit: 3")),
        ),
        case(
            "L209",
            text(container("image: 'x:1', env: [{name: A, value: 5}]")),
            10,
            text(container("image: 'x:1', env: [{name: A, value: '5'}]")),
        ),
        case(
            "L210",
            text(container(
                "image: 'x:1', args: [--keygen-enable, --keygen-memq-queue=q, --keygen-exit-on-complete]",
            )),
            10,
            text(container(
                "image: 'x:1', args: [--keygen-enable, --keygen-num-to-gen=9, --keygen-exit-on-complete]",
            )),
        ),
        case(
            "L210",
            text(container(
                "image: 'x:1', args: [worker, --queue, q, --until, empty]",
            )),
            10,
            text(container(
                "image: 'x:1', args: [worker, --queue, q, --until, drained]",
            )),
        ),
        case(
            "L210",
            text(container(
                "image: 'x:1', env: [{name: MEMQ_QUEUE, value: q}, {name: MEMQ_UNTIL, value: empty}]",
            )),
            10,
            text(container(
                "image: 'x:1', env: [{name: MEMQ_QUEUE, value: q}, {name: MEMQ_UNTIL, value: drained}]",
            )),
        ),
        case(
            "L211",
            text(
                container("image: 'x:1', args: [worker]")
                    .replace("parallelism: 2", "parallelism: 2\n  completions: 9"),
            ),
            6,
            text(container("image: 'x:1', args: [worker]")),
        ),
        case(
            "L212",
            text(container("image: 'x:1', args: [worker]").replace("  parallelism: 2\n", "")),
            5,
            text(container("image: 'x:1', args: [worker]")),
        ),
        case(
            "L213",
            text(
                container("image: 'x:1', args: [worker]")
                    .replace("  podFailurePolicy: {rules: []}\n", ""),
            ),
            7,
            text(container("image: 'x:1', args: [worker]")),
        ),
        case(
            "L214",
            text(container("image: 'x:1', args: [worker, --until=forever]")),
            10,
            text(container("image: 'x:1', args: [worker, --until=drained]")),
        ),
        case(
            "L215",
            text(job("ttlSecondsAfterFinished: 9").replace(
                "{name: t}",
                "{name: t, annotations: {argocd.argoproj.io/tracking-id: x}}",
            )),
            5,
            text(job("ttlSecondsAfterFinished: 9")),
        ),
        case(
            "L216",
            text(job("").replace("{name: t}", "{name: t, labels: {helm.sh/chart: x}}")),
            1,
            text(job("").replace(
                "{name: t}",
                "{name: t, labels: {helm.sh/chart: x}, annotations: {helm.sh/hook: test}}",
            )),
        ),
        case(
            "L217",
            text(container(
                "image: 'x:latest', imagePullPolicy: IfNotPresent",
            )),
            10,
            text(container("image: 'registry:5000/x:1'")),
        ),
        case(
            "L217",
            text(run(&WHOLE.replace("x:1", "registry:5000/x"))),
            8,
            text(run(&WHOLE.replace("x:1", "x@sha256:0"))),
        ),
        case(
            "L218",
            text(container(
                "image: 'x:1', env: [{name: MEMQ_SERVR, value: x}]",
            )),
            10,
            text(container(
                "image: 'x:1', env: [{name: MEMQ_SERVER, value: x}]",
            )),
        ),
        case(
            "L219",
            text(container(
                "image: 'x:1', livenessProbe: {exec: {command: [curl, 'http://db:80/']}}",
            )),
            10,
            text(container(
                "image: 'x:1', livenessProbe: {exec: {command: [curl, 'http://localhost:80/']}}",
            )),
        ),
        case(
            "L219",
            text(container(
                "image: 'x:1', livenessProbe: {httpGet: {path: /readyz, port: 80}}",
            )),
            10,
            text(container(
                "image: 'x:1', livenessProbe: {httpGet: {path: /healthz, port: 80}}",
            )),
        ),
        case(
            "L220",
            text(container(
                "image: 'x:1', env: [{name: DB_PASSWORD, value: hunter2}]",
            )),
            10,
            text(container(
                "image: 'x:1', env: [{name: DB_PASSWORD, valueFrom: {secretKeyRef: {name: a, key: b}}}]",
            )),
        ),
        case(
            "L220",
            text(run(&format!("{WHOLE}\nenv: {{API_TOKEN: abc}}"))),
            12,
            text(run(&format!(
                "{WHOLE}\nenv: {{API_TOKEN: {{secret: a/b}}}}"
            ))),
        ),
        case(
            "L221",
            text(guarded("")),
            13,
            text(guarded(", env: [{name: MEMQ_TOKEN_FILE, value: /t}]")),
        ),
    ];
    let mut wrong = Vec::new();
    for Case {
        rule,
        bad,
        line,
        good,
    } in &cases
    {
        let findings = found(bad, false);
        let lines: Vec<_> = findings
            .iter()
            .filter(|f| f.rule == *rule)
            .map(|f| f.line)
            .collect();
        if lines.first() != Some(line) {
            wrong.push(format!(
                "{rule} is on line {line} and not {lines:?} of\n{bad}"
            ));
        }
        for finding in found(good, false) {
            if finding.rule == *rule || finding.severity == Severity::Error {
                wrong.push(format!("{finding:?} is not in\n{good}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let untried: Vec<_> = RULES
        .iter()
        .filter(|rule| !cases.iter().any(|case| case.rule == rule.code))
        .map(|rule| rule.code)
        .collect();
    assert_eq!(untried, [""; 0], "each rule has a bad and a good example");
}

fn case(rule: &'static str, bad: &'static str, line: u64, good: &'static str) -> Case {
    Case {
        rule,
        bad,
        line,
        good,
    }
}

#[test]
fn each_document_of_a_file_is_judged_with_its_own_lines() {
    let text = format!(
        "{}---\n{}---\n{}",
        run(WHOLE),
        job(""),
        run(&format!("{WHOLE}\nitmes: 1"))
    );
    let findings = found(&text, false);
    let errors: Vec<_> = findings
        .iter()
        .filter(|f| f.severity == Severity::Error)
        .collect();
    let [finding] = errors.as_slice() else {
        panic!("{findings:#?}")
    };
    assert_eq!((finding.rule, finding.line), ("L001", 11 + 1 + 5 + 1 + 12));
}

#[test]
fn a_list_is_judged_by_its_objects() {
    let job = job("").replace("Never", "Always");
    let items = indent("apiVersion: v1\nkind: List\nitems:\n-\n", "  ", &job);
    assert_eq!(found(&items, false)[0].rule, "L205");
}

#[test]
fn what_a_chart_installs_is_known_by_where_it_lies() {
    assert_eq!(found(&job(""), true)[0].rule, "L216");
    assert_eq!(found(&job(""), false), []);
}

#[test]
fn a_sidecar_restarts_and_other_yaml_is_left_alone() {
    let text = job("").replace(
        "containers:",
        "initContainers: [{name: s, image: 'y:1', restartPolicy: Always}], containers:",
    );
    assert_eq!(found(&text, false), []);
    assert_eq!(
        found("replicas: 3\nimage: x\n", false),
        [],
        "values of a chart"
    );
    assert_eq!(found("", false), []);
}

#[test]
fn codes_are_in_order_and_no_two_rules_share_one() {
    let codes: Vec<_> = RULES.iter().map(|rule| rule.code).collect();
    let mut sorted = codes.clone();
    sorted.sort_unstable();
    sorted.dedup();
    assert_eq!(codes, sorted);
}

/// `MEMQ_BLESS=1` writes the table anew.
#[test]
fn the_book_of_rules_lists_every_rule() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/lint.md");
    let text = std::fs::read_to_string(&path).expect("docs/lint.md");
    let (begin, end) = ("<!-- rules -->\n", "<!-- /rules -->");
    let (before, rest) = text.split_once(begin).expect("a mark");
    let (listed, after) = rest.split_once(end).expect("a mark");
    if std::env::var_os("MEMQ_BLESS").is_some() {
        let text = format!("{before}{begin}{}{end}{after}", table());
        std::fs::write(&path, text).expect("the file is written");
        return;
    }
    assert_eq!(listed, table(), "run this test with MEMQ_BLESS=1");
}
