//! Variables of containers and of run specs.

use super::view::{entry, text};
use super::{Found, rules};
use crate::spec::{Node, NodeValue};

/// What a name ends with that holds something secret.
const SECRETS: [&str; 7] = [
    "PASSWORD",
    "PASSWD",
    "SECRET",
    "TOKEN",
    "API_KEY",
    "ACCESS_KEY",
    "PRIVATE_KEY",
];

/// This one holds a Secret's name.
const SECRETS_NAME: &str = "MEMQ_WORKER_TOKEN_SECRET";

/// The variables of a container.
pub(super) fn container(env: &[Node], found: &mut Found<'_>) {
    for variable in env {
        let Some(name) = text(variable, &["name"]) else {
            continue;
        };
        let value = entry(variable, "value").map(|(_, value)| value);
        if name.starts_with("MEMQ_") && !found.subject.variables.iter().any(|known| known == name) {
            let place = entry(variable, "name").map_or(variable.place, |(_, name)| name.place);
            let what = format!("no program of memq reads `{name}`");
            found.add(&rules::UNKNOWN_VARIABLE, place, what);
        }
        match value.map(|node| (node, &node.value)) {
            Some((node, NodeValue::Bool(_) | NodeValue::Int(_) | NodeValue::Float(_))) => {
                let kind = node.value.kind();
                let help = format!("write value: \"{}\"", node.written);
                let what = format!("the value of `{name}` is {kind}");
                found.add_with(&rules::ENV_NOT_TEXT, node.place, what, help);
            }
            Some((node, NodeValue::Text(value))) => plain(name, value, node, found),
            _ => {}
        }
    }
}

/// A variable whose value is written out.
pub(super) fn plain(name: &str, value: &str, node: &Node, found: &mut Found<'_>) {
    let upper = name.to_ascii_uppercase();
    let secret = SECRETS.iter().any(|word| upper.ends_with(word)) && upper != SECRETS_NAME;
    if secret && !value.is_empty() && !value.starts_with('$') {
        let what = format!("the value of `{name}` stands here for everybody to read");
        found.at(&rules::SECRET, node, what);
    }
}
