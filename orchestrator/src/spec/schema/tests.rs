//! That the schema, the parser, the files made from it and the examples say the same.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::{Field, Object, RUN, Shape, crd, editor, tables};
use crate::spec::{Document, Given};

thread_local! {
    static ASKED: RefCell<BTreeSet<(&'static str, String)>> = const { RefCell::new(BTreeSet::new()) };
}

/// Notes that the parser asked for a field. That the schema has it is asserted where it asks.
pub(crate) fn asked(object: &'static Object, name: &str) {
    ASKED.with_borrow_mut(|asked| asked.insert((object.name, name.to_owned())));
}

/// A spec that goes through every map there is.
const WHOLE: &str = r#"apiVersion: memq.dev/v1alpha1
kind: Run
metadata: {name: whole}
spec:
  params: {n: {type: integer, default: 1}}
  defaults: {env: {A: {secret: a/b}}, volumes: {/a: {emptyDir: {}}}, resources: {limits: {cpu: 1}}}
  steps:
  - {name: a, items: {count: 1}, builtin: echo, workers: {min: 1}, item: {attempts: 1}, tolerate: {dead: 0}}
  - {name: b, after: [a], when: always, forEach: [x], maxParallel: 1, command: [x]}
"#;

fn objects() -> Vec<&'static Object> {
    fn visit(shape: &Shape, found: &mut Vec<&'static Object>) {
        match shape {
            Shape::Object(object) => {
                found.push(object);
                object
                    .fields
                    .iter()
                    .for_each(|field| visit(&field.shape, found));
            }
            Shape::List { of, .. } | Shape::Map { of, .. } => visit(of, found),
            Shape::Either(forms) => forms.iter().for_each(|form| visit(form, found)),
            _ => {}
        }
    }
    let mut found = Vec::new();
    visit(&Shape::Object(&RUN), &mut found);
    found
}

#[test]
fn each_field_that_is_documented_is_read() {
    let given = Given {
        params: &[],
        suffix: "x",
    };
    let document = Document::parse(WHOLE, Path::new("run.yaml"), Path::new("."));
    document.and_then(|d| d.read(given)).expect("a good spec");
    let asked = ASKED.with_borrow(Clone::clone);
    let ignored: Vec<_> = objects()
        .into_iter()
        .flat_map(|object| {
            object
                .fields
                .iter()
                .map(move |field| (object.name, field.name))
        })
        .filter(|(object, field)| !asked.contains(&(*object, (*field).to_owned())))
        .collect();
    assert!(ignored.is_empty(), "never read: {ignored:?}");
}

#[test]
fn each_field_says_what_it_means_in_one_row() {
    for object in objects() {
        let mut names = BTreeSet::new();
        for Field {
            name,
            meaning,
            absent,
            ..
        } in object.fields
        {
            assert!(names.insert(name), "{} has {name} twice", object.name);
            assert!(
                !meaning.is_empty(),
                "{name} of {} has no meaning",
                object.name
            );
            let plain = |text: &str| !text.contains(['|', '\n']) && !text.contains("  ");
            assert!(plain(meaning) && plain(absent), "{name} of {}", object.name);
        }
    }
}

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn kept(path: &str) -> String {
    let path = workspace().join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn the_files_made_from_the_schema_are_those_of_this_schema() {
    let help = "run `cargo xtask generate`";
    let page = kept("docs/runspec.md");
    assert_eq!(
        tables::put_into(&page).expect("a page with marks"),
        page,
        "{help}"
    );
    assert_eq!(
        editor::file().expect("JSON"),
        kept("docs/run.schema.json"),
        "{help}"
    );
    assert_eq!(
        crd::file().expect("YAML"),
        kept("manifests/base/crd.yaml"),
        "{help}"
    );
}

/// Every spec that is shown to users, as JSON.
fn shown() -> Vec<(String, serde_json::Value)> {
    let mut texts = Vec::new();
    for folder in std::fs::read_dir(workspace().join("examples")).expect("examples") {
        let file = folder.expect("a folder").path().join("run.yaml");
        if let Ok(text) = std::fs::read_to_string(&file) {
            texts.push((file.display().to_string(), text));
        }
    }
    for (number, block) in kept("docs/runspec.md")
        .split("```yaml\n")
        .skip(1)
        .enumerate()
    {
        let text = block.split("```").next().unwrap_or(block);
        if text.starts_with("apiVersion: memq.dev/") {
            texts.push((
                format!("docs/runspec.md, example {number}"),
                text.to_owned(),
            ));
        }
    }
    texts.push(("a whole spec".into(), WHOLE.into()));
    texts
        .into_iter()
        .map(|(name, text)| {
            let json =
                serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
            (name, json)
        })
        .collect()
}

#[test]
fn what_is_shown_to_users_is_what_the_editor_takes() {
    let schema = jsonschema::draft202012::new(&editor::schema()).expect("a schema");
    let shown = shown();
    assert!(shown.len() >= 4, "only {} specs are shown", shown.len());
    for (name, spec) in shown {
        let found: Vec<_> = schema
            .iter_errors(&spec)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert!(found.is_empty(), "{name}: {}", found.join("; "));
    }
}

#[test]
fn what_the_parser_refuses_by_shape_the_editor_underlines() {
    let schema = jsonschema::draft202012::new(&editor::schema()).expect("a schema");
    let good: serde_json::Value = serde_saphyr::from_str(WHOLE).expect("YAML");
    for (at, bad) in [
        ("/kind", serde_json::json!("Job")),
        ("/spec/steps", serde_json::json!([])),
        ("/spec/steps/0/itmes", serde_json::json!({"count": 1})),
        ("/spec/steps/0/workers", serde_json::json!(0)),
        ("/spec/steps/0/workers", serde_json::json!({"minimum": 1})),
        ("/spec/steps/0/timeout", serde_json::json!(60)),
        ("/spec/steps/0/tolerate/dead", serde_json::json!("1")),
        (
            "/spec/steps/0/env",
            serde_json::json!({"A": {"secrets": "a/b"}}),
        ),
        ("/spec/steps/1/when", serde_json::json!("never")),
        ("/spec/steps/1/command", serde_json::json!("x y")),
    ] {
        let mut spec = good.clone();
        let (parent, name) = at.rsplit_once('/').expect("a path");
        spec.pointer_mut(parent).expect("a place")[name] = bad;
        assert!(!schema.is_valid(&spec), "{at} is taken: {spec}");
    }
}
