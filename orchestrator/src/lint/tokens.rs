//! Containers that call a queue server which asks for tokens, as far as one text shows both.

use super::manifest::pod_of;
use super::view::{at, list, text};
use super::{Found, rules};
use crate::spec::Node;

/// Whether an object, or one of a list, is a server that asks for tokens.
pub(super) fn are_asked_for(object: &Node) -> bool {
    if text(object, &["kind"]) == Some("List") {
        return list(object, &["items"]).iter().any(are_asked_for);
    }
    let pod = pod_of(object);
    let containers = pod.into_iter().flat_map(|pod| list(pod, &["containers"]));
    containers.into_iter().any(|container| {
        has_variable(container, "MEMQ_TOKENS")
            || words(container).any(|word| is_flag(word, "--tokens"))
    })
}

/// Judges a container beside such a server.
pub(super) fn container(container: &Node, found: &mut Found<'_>) {
    if !found.asks_for_tokens || !calls(container) || has_token(container) {
        return;
    }
    found.at(
        &rules::NO_TOKEN,
        container,
        "it calls a queue server that asks for tokens, and has none",
    );
}

/// Whether it is told where a server is, or is a program of ours that calls one.
fn calls(container: &Node) -> bool {
    let ours = |word: &str| {
        let name = word.rsplit('/').next().unwrap_or(word);
        matches!(name, "worker" | "memq-worker" | "controller")
    };
    has_variable(container, "MEMQ_SERVER")
        || words(container).take(2).any(ours)
        || words(container).any(|word| is_flag(word, "--server"))
}

fn has_token(container: &Node) -> bool {
    let variables = ["MEMQ_TOKEN_FILE", "MEMQ_TOKEN"];
    variables.iter().any(|name| has_variable(container, name))
        || words(container).any(|word| is_flag(word, "--token-file"))
        // It may be in there.
        || at(container, &["envFrom"]).is_some()
        // Copies the program, and calls nobody.
        || words(container).any(|word| word == "install")
}

fn words(container: &Node) -> impl Iterator<Item = &str> {
    let fields = ["command", "args"].into_iter();
    let nodes = fields.flat_map(|field| list(container, &[field]));
    nodes.filter_map(Node::text)
}

fn is_flag(word: &str, flag: &str) -> bool {
    word.strip_prefix(flag)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('='))
}

fn has_variable(container: &Node, name: &str) -> bool {
    let env = list(container, &["env"]);
    env.iter().any(|one| text(one, &["name"]) == Some(name))
}
