//! Run specs: what their reader says, and what it takes and will be regretted.

use super::documents::Document;
use super::view::{at, entry, list, map, text};
use super::{Found, containers, env, rules};
use crate::kube::render::{self, Place};
use crate::spec::{
    Document as Spec, Given, Machine, Node, NodeValue, RunSpec, SpecError, Trouble,
    cluster_trouble, local_trouble,
};

/// Ends a generated name here.
const SUFFIX: &str = "xxxxx";

/// Judges a run spec.
pub(super) fn lint(document: &Document, found: &mut Found<'_>) {
    let node = &document.node;
    let mut complete = true;
    for (name, declared) in map(node, &["spec", "params"]) {
        let given = found
            .subject
            .params
            .iter()
            .any(|(given, _)| Some(given.as_str()) == name.text());
        let required = text(declared, &["required"]) == Some("true");
        if required && !given {
            complete = false;
            let what = format!("`{}` has no value", name.text().unwrap_or_default());
            found.at(&rules::PARAMETER, name, what);
        }
    }
    let inherited = at(node, &["spec", "defaults", "timeout"]).is_some();
    for step in list(node, &["spec", "steps"]) {
        written(step, inherited, found);
    }
    if complete {
        match read(document, found) {
            Ok(spec) => whole(&spec, node, found),
            Err(error) => unreadable(&error, found),
        }
    }
}

fn read(document: &Document, found: &Found<'_>) -> Result<RunSpec, SpecError> {
    let given = Given {
        params: found.subject.params,
        suffix: SUFFIX,
    };
    Spec::parse(&document.text, found.subject.file, found.subject.dir)?.read(given)
}

fn unreadable(error: &SpecError, found: &mut Found<'_>) {
    match error {
        SpecError::Invalid(invalid) => {
            let what = match invalid.field.as_str() {
                "" => invalid.message.clone(),
                field => format!("{field}: {}", invalid.message),
            };
            let help = match invalid.help.as_str() {
                "" => rules::SPEC.help,
                help => help,
            };
            found.add_with(&rules::SPEC, invalid.place, what, help);
        }
        other => found.add(
            &rules::SPEC,
            crate::spec::Place { line: 1, column: 1 },
            other.to_string(),
        ),
    }
}

/// What shows in a step as it is written; `inherited` says whether it has a time limit by the defaults.
fn written(step: &Node, inherited: bool, found: &mut Found<'_>) {
    if let Some(items) = entry(step, "items").map(|(key, _)| key) {
        if at(step, &["item", "timeout"]).is_none() {
            found.at(&rules::NO_ITEM_TIMEOUT, items, "`item.timeout` is missing");
        }
        let workers = at(step, &["workers"]);
        let bounded = workers.is_some_and(|workers| {
            !matches!(workers.value, NodeValue::Map(_)) || at(workers, &["max"]).is_some()
        });
        if !bounded {
            let what = "`workers.max` is missing: the most is the least";
            found.at(&rules::NO_BOUNDS, workers.unwrap_or(items), what);
        }
    } else if at(step, &["timeout"]).is_none() && !inherited {
        found.at(&rules::NO_STEP_TIMEOUT, step, "`timeout` is missing");
    }
    code(step, found);
    if let Some(node) = at(step, &["image"])
        && let Some(moves) = node.text().and_then(containers::moving)
    {
        found.at(&rules::LATEST, node, moves);
    }
    for (name, value) in map(step, &["env"]) {
        if let (Some(name), NodeValue::Text(text)) = (name.text(), &value.value) {
            env::plain(name, text, value, found);
        }
    }
}

/// Values that are put into what a shell reads as code.
fn code(step: &Node, found: &mut Found<'_>) {
    let script = at(step, &["script"]);
    let words = list(step, &["command"]);
    let is_c = |word: &Node| {
        word.text().is_some_and(|text| {
            text.len() > 1
                && text.starts_with('-')
                && !text.starts_with("--")
                && text.ends_with('c')
        })
    };
    let argument = words
        .windows(2)
        .find(|pair| is_c(&pair[0]))
        .map(|pair| &pair[1]);
    for node in script.into_iter().chain(argument) {
        let text = node.text().unwrap_or_default();
        let put = ["$(params.", "$(each."]
            .iter()
            .filter_map(|begin| Some((text.find(begin)?, *begin)))
            .filter(|(at, _)| !text[..*at].ends_with('$'))
            .min();
        if let Some((at, _)) = put {
            let name = text[at..].split_inclusive(')').next().unwrap_or_default();
            found.at(&rules::CODE, node, format!("`{name}` stands in code"));
        }
    }
}

/// What shows in the run as it is meant.
fn whole(spec: &RunSpec, node: &Node, found: &mut Found<'_>) {
    let troubles = cluster_trouble(spec);
    for trouble in &troubles {
        report(trouble, &rules::CLUSTER, node, found);
    }
    if troubles.iter().all(|trouble| !trouble.fatal) {
        unrenderable(spec, node, found);
    }
    let machine = Machine {
        variable: &|_| true,
        server: true,
    };
    for trouble in &local_trouble(spec, machine) {
        report(trouble, &rules::MACHINE, node, found);
    }
}

fn report(trouble: &Trouble, rule: &'static super::Rule, node: &Node, found: &mut Found<'_>) {
    let step = step_of(node, &trouble.step);
    let (first, rest) = match trouble.field.split_once('.') {
        Some((first, rest)) => (first, Some(rest)),
        None => (trouble.field.as_str(), None),
    };
    // What a step inherits stands elsewhere: the step is named then.
    let place = step.map_or(node.place, |step| {
        let field = at(step, &[first]);
        let inner = rest.and_then(|rest| field.and_then(|field| entry(field, rest)));
        inner.map_or(field.unwrap_or(step).place, |(key, _)| key.place)
    });
    let what = format!("step {}: {}", trouble.step, trouble.message);
    found.add_with(rule, place, what, trouble.help.clone());
}

/// What only shows when the Job is made: a mistake in `pod` or `resources`, a script that is too long.
fn unrenderable(spec: &RunSpec, node: &Node, found: &mut Found<'_>) {
    let place = Place {
        namespace: "default".into(),
        run: spec.name.to_string(),
        owner: None,
        server: String::new(),
        image: render::IMAGE.into(),
        worker_account: None,
        worker_token: None,
    };
    for step in &spec.steps {
        if let Err(error) = render::first_job(spec, step, &place) {
            let place = step_of(node, &step.name).map_or(node.place, |at| at.place);
            found.add(&rules::CLUSTER, place, error.to_string());
        }
    }
}

fn step_of<'a>(node: &'a Node, name: &str) -> Option<&'a Node> {
    list(node, &["spec", "steps"])
        .iter()
        .find(|step| text(step, &["name"]) == Some(name))
}
