//! A document as JSON, each value as the field's shape wants it: `007` stays a text where a text is meant.

use serde_json::{Map, Value as Json};

use super::{Object, PARAM, Shape};
use crate::spec::node::{Node, Value};

/// The tree as JSON.
pub(crate) fn json(node: &Node, shape: &Shape) -> Json {
    match (shape, &node.value) {
        (
            Shape::Text { .. }
            | Shape::Name { .. }
            | Shape::Scalar { .. }
            | Shape::Word(_)
            | Shape::Duration
            | Shape::Quantity,
            _,
        ) => node.text().map_or_else(|| plain(node), Json::from),
        (Shape::List { of, .. }, Value::List(list)) => list.iter().map(|n| json(n, of)).collect(),
        (Shape::Map { of, .. }, Value::Map(map)) => entries(map, |_, value| json(value, of)),
        (Shape::Object(object), Value::Map(map)) => fields(object, map),
        (Shape::Either(forms), value) => forms
            .iter()
            .find(|form| suits(form, value))
            .map_or_else(|| plain(node), |form| json(node, form)),
        _ => plain(node),
    }
}

fn fields(object: &'static Object, map: &[(Node, Node)]) -> Json {
    // What a parameter may be is a text unless its declaration says otherwise.
    let texts = object.name == PARAM.name
        && !map.iter().any(|(key, value)| {
            key.text() == Some("type") && matches!(value.text(), Some("integer" | "boolean"))
        });
    entries(map, |name, value| {
        match object.field(name).map(|f| &f.shape) {
            Some(
                Shape::Typed
                | Shape::List {
                    of: Shape::Typed, ..
                },
            ) if texts => all_texts(value),
            Some(shape) => json(value, shape),
            None => plain(value),
        }
    })
}

/// Each scalar as a text, however deep it lies in lists.
fn all_texts(node: &Node) -> Json {
    match &node.value {
        Value::List(list) => list.iter().map(all_texts).collect(),
        _ => node.text().map_or_else(|| plain(node), Json::from),
    }
}

/// The entries of a map; those that are null count as absent.
fn entries(map: &[(Node, Node)], value: impl Fn(&str, &Node) -> Json) -> Json {
    let entries = map.iter().filter(|(_, value)| value.value != Value::Null);
    entries
        .filter_map(|(key, node)| {
            let name = key.text()?;
            Some((name.to_owned(), value(name, node)))
        })
        .collect::<Map<_, _>>()
        .into()
}

fn suits(form: &Shape, value: &Value) -> bool {
    match value {
        Value::Map(_) => matches!(form, Shape::Map { .. } | Shape::Object(_)),
        Value::List(_) => matches!(form, Shape::List { .. }),
        Value::Int(_) => matches!(form, Shape::Integer { .. } | Shape::Scalar { .. }),
        _ => matches!(form, Shape::Scalar { .. }),
    }
}

fn plain(node: &Node) -> Json {
    match &node.value {
        Value::Null => Json::Null,
        Value::Bool(value) => (*value).into(),
        Value::Int(number) => (*number).into(),
        // What JSON cannot say, such as .inf, stays as it was written.
        Value::Float(number) => serde_json::Number::from_f64(*number)
            .map_or_else(|| node.written.as_str().into(), Json::Number),
        Value::Text(text) => text.as_str().into(),
        Value::List(list) => list.iter().map(plain).collect(),
        Value::Map(map) => map
            .iter()
            .filter_map(|(key, value)| Some((key.text()?.to_owned(), plain(value))))
            .collect::<Map<_, _>>()
            .into(),
    }
}
