//! Looking into a located tree without caring what is missing.

use crate::spec::{Node, NodeValue};

/// The entry of a map: its key and its value.
pub(super) fn entry<'a>(node: &'a Node, name: &str) -> Option<(&'a Node, &'a Node)> {
    let NodeValue::Map(map) = &node.value else {
        return None;
    };
    map.iter()
        .find(|(key, _)| key.text() == Some(name))
        .map(|(key, value)| (key, value))
}

/// The value at a path of maps; nothing where it is null.
pub(super) fn at<'a>(node: &'a Node, path: &[&str]) -> Option<&'a Node> {
    path.iter()
        .try_fold(node, |node, name| entry(node, name).map(|(_, value)| value))
        .filter(|node| node.value != NodeValue::Null)
}

/// The text at a path, whatever YAML took it for.
pub(super) fn text<'a>(node: &'a Node, path: &[&str]) -> Option<&'a str> {
    at(node, path)?.text()
}

/// The whole number at a path.
pub(super) fn number(node: &Node, path: &[&str]) -> Option<i64> {
    match at(node, path)?.value {
        NodeValue::Int(number) => Some(number),
        _ => None,
    }
}

/// The elements of the list at a path.
pub(super) fn list<'a>(node: &'a Node, path: &[&str]) -> &'a [Node] {
    match at(node, path).map(|node| &node.value) {
        Some(NodeValue::List(list)) => list,
        _ => &[],
    }
}

/// The entries of the map at a path.
pub(super) fn map<'a>(node: &'a Node, path: &[&str]) -> &'a [(Node, Node)] {
    match at(node, path).map(|node| &node.value) {
        Some(NodeValue::Map(map)) => map,
        _ => &[],
    }
}
