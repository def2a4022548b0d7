//! The table of the fields of log lines is what the programs use, and what the documentation shows.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use telemetry::fields::{self, EACH, FIELDS, Field};

/// Folders whose sources say lines.
const SOURCES: [&str; 6] = [
    "queue-client",
    "queue-server",
    "worker",
    "orchestrator",
    "telemetry",
    "metrics",
];
const MACROS: [&str; 6] = [
    "info!(",
    "warn!(",
    "error!(",
    "debug!(",
    "trace!(",
    "debug_span!(",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn table(fields: &[Field]) -> String {
    let mut table = "| field | says |\n|---|---|\n".to_owned();
    for Field { name, meaning } in fields {
        writeln!(table, "| `{name}` | {meaning} |").unwrap();
    }
    table
}

#[test]
fn the_documentation_shows_every_field() {
    let page = std::fs::read_to_string(root().join("docs/logging.md")).unwrap();
    for fields in [EACH, FIELDS] {
        let table = table(fields);
        assert!(
            page.contains(&table),
            "docs/logging.md does not show this table:\n\n{table}"
        );
    }
}

#[test]
fn the_table_is_in_order_and_names_each_field_once() {
    let names: Vec<&str> = FIELDS.iter().map(|field| field.name).collect();
    let mut sorted = names.clone();
    sorted.sort_by_key(|name| name.replace('.', "\0"));
    sorted.dedup();
    assert_eq!(names.len(), sorted.len());
    for name in names {
        let is_word = |part: &str| {
            !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')
        };
        assert!(name.split('.').all(is_word), "{name}");
    }
}

/// The fields of the call of a macro: `name = value` as it stands, anything else as `?`.
fn fields_of(call: &str) -> Vec<String> {
    let (mut depth, mut quoted, mut escaped) = (0_usize, false, false);
    let mut arguments = vec![String::new()];
    for c in call.chars() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ if quoted => {}
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' if depth == 0 => break,
            ')' | ']' | '}' => depth -= 1,
            ',' if depth == 0 => {
                arguments.push(String::new());
                continue;
            }
            _ => {}
        }
        arguments.last_mut().unwrap().push(c);
    }
    let arguments = arguments.iter().map(|argument| argument.trim());
    let mut fields = Vec::new();
    for argument in arguments.take_while(|argument| !argument.starts_with('"')) {
        if let Some(inner) = argument.strip_prefix('{') {
            fields.extend(fields_of(inner));
        } else if argument.starts_with("target:") || argument.starts_with("parent:") {
        } else if let Some((name, _)) = argument.split_once('=') {
            fields.push(name.trim().to_owned());
        } else if !argument.is_empty() {
            fields.push(format!("? {argument}"));
        }
    }
    fields
}

#[test]
fn the_fields_of_a_call_are_found() {
    let found = |call| fields_of(call).join(" ");
    assert_eq!(found(r#"a.b = 1, c = f(x, "y)"), "{d}", e = 3);"#), "a.b c");
    assert_eq!(found(r#"target: "h", { a.b = x, c = y }, "z")"#), "a.b c");
    assert_eq!(found(r#"%error, "z")"#), "? %error");
    assert_eq!(found(r#""only {words}, {}", more)"#), "");
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn no_line_has_a_field_that_the_table_lacks() {
    let mut files = Vec::new();
    for folder in SOURCES {
        sources(&root().join(folder).join("src"), &mut files);
    }
    let (mut calls, mut strange) = (0, String::new());
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        for name in MACROS {
            for (at, _) in text.match_indices(name) {
                if text[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_') {
                    continue;
                }
                calls += 1;
                let mut call = &text[at + name.len()..];
                if name == "debug_span!(" {
                    // Its name stands first.
                    call = call.split_once(',').map_or("", |(_, fields)| fields);
                }
                for field in fields_of(call) {
                    if !fields::is_known(&field) {
                        let line = text[..at].matches('\n').count() + 1;
                        writeln!(strange, "{}:{line}: {field}", file.display()).unwrap();
                    }
                }
            }
        }
    }
    assert!(calls > 100, "{calls} calls");
    assert!(
        strange.is_empty(),
        "fields that the table does not have:\n{strange}"
    );
}
