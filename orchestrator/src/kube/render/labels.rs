//! The labels by which everything of a run is found again.

use std::collections::BTreeMap;

use crate::kube::object::{RUN_LABEL, STEP_LABEL};

/// The annotation that carries the key of a `forEach`'s element: too free a text for a label.
pub const ELEMENT_ANNOTATION: &str = "memq.dev/element";

/// What a pod is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Component {
    /// It does a step's work.
    Worker,
    /// It serves queues.
    Server,
    /// It carries out runs.
    Controller,
}

impl Component {
    fn name(self) -> &'static str {
        match self {
            Self::Worker => "worker",
            Self::Server => "server",
            Self::Controller => "controller",
        }
    }
}

/// The labels of what belongs to this run, and to this step if it is a step's.
#[must_use]
pub fn labels(component: Component, run: &str, step: Option<&str>) -> BTreeMap<String, String> {
    let mut labels: BTreeMap<String, String> = [
        ("app.kubernetes.io/name", "memq"),
        ("app.kubernetes.io/component", component.name()),
        ("app.kubernetes.io/managed-by", "memq"),
        (RUN_LABEL, run),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into();
    labels.extend(step.map(|step| (STEP_LABEL.to_owned(), step.to_owned())));
    labels
}
