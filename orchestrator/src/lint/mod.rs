//! Mistakes in run specs and in manifests of Jobs, found before anything runs.
//!
//! Pure: a text in, findings out. Owns which mistakes there are ([`rules`]) and how each is recognised. It asks no
//! cluster, so what only a cluster knows (rights, quotas, what an image holds) is `memq doctor`'s to find.
//! A rule's code never changes its meaning: people write it into their own notes and pipelines.

mod containers;
mod documents;
mod env;
mod jobs;
mod manifest;
mod rules;
mod run;
mod tokens;
mod view;

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::spec::{Node, Place};

pub use rules::{RULES, Rule, Severity, table};

/// What is judged, and what is known beside its text.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// The text: YAML, one document or several.
    pub text: &'a str,
    /// What findings call it.
    pub file: &'a Path,
    /// Where relative names in a run spec start.
    pub dir: &'a Path,
    /// Whether it is a template of a Helm chart.
    pub in_chart: bool,
    /// Parameters for run specs, as name and text.
    pub params: &'a [(String, String)],
    /// The variables that memq's programs read, all that begin with `MEMQ_`.
    pub variables: &'a [String],
}

/// A mistake, and where it stands.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Finding {
    /// The file.
    pub file: PathBuf,
    /// Its line, from 1.
    pub line: u64,
    /// The column in it, from 1.
    pub column: u64,
    /// The rule.
    pub rule: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong here.
    pub what: String,
    /// Why that is a mistake.
    pub why: &'static str,
    /// What to do.
    pub help: String,
}

/// Every mistake in a text, in the order of the text.
#[must_use]
pub fn lint(subject: &Subject<'_>) -> Vec<Finding> {
    let mut found = Found {
        subject,
        asks_for_tokens: false,
        findings: Vec::new(),
    };
    match documents::read(subject.text) {
        Err(_) if is_template(subject) => found.add(
            &rules::TEMPLATE,
            Place { line: 1, column: 1 },
            "this is a template, not YAML",
        ),
        Err(fault) => {
            let what = fault.message.clone();
            found.add(&rules::SPEC, fault.place, what);
        }
        Ok(documents) => {
            let mut objects = documents.iter().map(|document| &document.node);
            found.asks_for_tokens = objects.any(tokens::are_asked_for);
            for document in &documents {
                one(document, &mut found);
            }
        }
    }
    let mut findings = found.findings;
    findings.sort_by_key(|finding| (finding.line, finding.column, finding.rule));
    findings.dedup();
    findings
}

fn one(document: &documents::Document, found: &mut Found<'_>) {
    let api = view::text(&document.node, &["apiVersion"]).unwrap_or_default();
    let kind = view::text(&document.node, &["kind"]).unwrap_or_default();
    match kind {
        "Run" if api.starts_with("memq.dev/") => run::lint(document, found),
        _ => manifest::lint(&document.node, found),
    }
}

/// Helm's marks make most templates unreadable as YAML.
fn is_template(subject: &Subject<'_>) -> bool {
    subject.in_chart || subject.text.contains("{{")
}

/// What has been found so far, and in what.
struct Found<'a> {
    subject: &'a Subject<'a>,
    /// Whether a server that asks for tokens stands in the same text.
    asks_for_tokens: bool,
    findings: Vec<Finding>,
}

impl Found<'_> {
    /// A mistake at this place.
    fn add(&mut self, rule: &'static Rule, place: Place, what: impl Into<String>) {
        self.add_with(rule, place, what, rule.help);
    }

    /// A mistake at this value.
    fn at(&mut self, rule: &'static Rule, node: &Node, what: impl Into<String>) {
        self.add(rule, node.place, what);
    }

    /// A mistake with advice of its own.
    fn add_with(
        &mut self,
        rule: &'static Rule,
        place: Place,
        what: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.findings.push(Finding {
            file: self.subject.file.to_owned(),
            line: place.line.max(1),
            column: place.column.max(1),
            rule: rule.code,
            severity: rule.severity,
            what: what.into(),
            why: rule.why,
            help: help.into(),
        });
    }
}

#[cfg(test)]
mod tests;
