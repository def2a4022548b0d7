//! The table of specs: what is read, and what each mistake is told.

mod mistakes;
mod object;
mod order;
mod room;
mod several;
mod trouble;

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

/// A spec around the given lines of all its steps.
fn steps(lines: &str) -> String {
    let head = "apiVersion: memq.dev/v1alpha1\nkind: Run\nmetadata: {name: t}\nspec:\n  steps:\n";
    lines
        .lines()
        .fold(head.to_owned(), |text, line| format!("{text}  {line}\n"))
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
    assert_eq!(spec.base_name, "keygen");
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
