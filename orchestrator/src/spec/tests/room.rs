//! That no small file becomes a large run: what values, defaults and elements add is bounded.

use std::fmt::Write as _;

use super::{params, read, step, steps};
use crate::spec::{Work, cursor::nearest};

/// As many names as asked for, in one list.
fn names(many: usize) -> String {
    let names: Vec<_> = (0..many).map(|n| format!("u{n}")).collect();
    names.join(", ")
}

fn refused(text: &str) -> String {
    read(text, &[]).expect_err("too much").to_string()
}

#[test]
fn the_elements_of_all_steps_together_have_one_limit() {
    let script = "x".repeat(900);
    let each = |count: usize| {
        (0..count).fold(String::new(), |mut lines, n| {
            let names = names(1_000);
            let _infallible = writeln!(
                lines,
                "- {{name: s{n}, forEach: [{names}], script: {script}}}"
            );
            lines
        })
    };
    let spec = read(&steps(&each(2)), &[]).expect("two fit");
    assert!(matches!(&spec.steps[1].work, Work::Each(each) if each.elements.len() == 1_000));
    let error = refused(&steps(&each(3)));
    for said in [
        "spec.steps[2].forEach",
        "1000 elements of step `s2`",
        "of 2097152 (2 MiB)",
    ] {
        assert!(error.contains(said), "{said}: {error}");
    }
}

#[test]
fn what_elements_come_to_is_told_exactly() {
    let text = step("forEach: [aa, bb]\nscript: \"$(each.key)X\"\nenv: {K: \"$(each.value)\"}")
        .replace('X', &"x".repeat(2 * 1024 * 1024));
    // Each: itself (an entry, key and value), its script, and an entry for the variable.
    let each = (32 + 4) + (2 + 2_097_152) + (32 + 1 + 2);
    let error = refused(&text);
    assert!(error.contains(&format!("{} bytes", 2 * each)), "{error}");
}

#[test]
fn a_parameter_is_not_put_in_without_end() {
    let value = "x".repeat(100_000);
    let uses = |times: usize| {
        params(
            &format!("big: {{default: {value}}}"),
            &format!("[\"{}\"]", "$(params.big)".repeat(times)),
        )
    };
    assert!(read(&uses(20), &[]).is_ok());
    let error = refused(&uses(30));
    assert!(
        error.contains("spec.steps[0].items.list[0]: `$(params.big)`"),
        "{error}"
    );
    assert!(error.contains("2097152 (2 MiB)"), "{error}");
}

#[test]
fn a_list_counts_for_its_entries_however_short() {
    let list = |times: usize| {
        let lines: Vec<_> = (0..times)
            .map(|n| format!("- {{name: s{n}, items: {{list: $(params.l)}}, builtin: echo}}"))
            .collect();
        let declared = format!(
            "  params: {{l: {{type: list, default: [{}]}}}}\n  steps:",
            names(5_000)
        );
        steps(&lines.join("\n")).replace("  steps:", &declared)
    };
    assert!(read(&list(10), &[]).is_ok());
    let error = refused(&list(20));
    assert!(error.contains(".items.list: `$(params.l)`"), "{error}");
}

#[test]
fn defaults_count_for_each_step_and_element() {
    let value = "x".repeat(100_000);
    let text = |steps_: &str| {
        let defaults = format!("  defaults: {{env: {{BIG: {value}}}}}\n  steps:");
        steps(steps_).replace("  steps:", &defaults)
    };
    let one = "- {name: s, command: [x]}";
    assert!(read(&text(one), &[]).is_ok());
    let many: Vec<_> = (0..30)
        .map(|n| format!("- {{name: s{n}, command: [x]}}"))
        .collect();
    let error = refused(&text(&many.join("\n")));
    assert!(error.contains("2097152 (2 MiB)"), "{error}");
    let each = format!("- {{name: s, forEach: [{}], command: [x]}}", names(30));
    let error = refused(&text(&each));
    assert!(error.contains("30 elements of step `s`"), "{error}");
}

#[test]
fn what_is_only_written_may_be_long() {
    let list = vec!["x".repeat(1_000); 3_000].join(", ");
    assert!(
        read(
            &step(&format!("items: {{list: [{list}]}}\nbuiltin: echo")),
            &[]
        )
        .is_ok()
    );
}

#[test]
fn a_pattern_that_grows_large_is_refused() {
    let error = refused(&params("a: {default: x, pattern: '(\\w{50}){2}'}", "[a]"));
    assert!(error.contains("spec.params.a.pattern"), "{error}");
    assert!(
        read(
            &params("a: {default: x, pattern: '^\\w{0,63}$'}", "[a]"),
            &[]
        )
        .is_ok()
    );
    let declared: Vec<_> = (0..101).map(|n| format!("p{n}: {{}}")).collect();
    let error = refused(&params(&declared.join("\n"), "[a]"));
    assert!(error.contains("101 parameters, more than 100"), "{error}");
}

#[test]
fn a_name_of_any_length_is_compared_with_short_ones_alone() {
    let (name, near) = ("x".repeat(2_000), "x".repeat(2_001));
    assert_eq!(nearest(&name, &[&near]), None);
    let error = refused(&steps(&format!(
        "- {{name: a, command: [x], after: [{}]}}",
        names(101)
    )));
    assert!(error.contains("101 names"), "{error}");
}
