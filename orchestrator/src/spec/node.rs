//! A YAML document as a tree in which each value knows its place in the text.
//!
//! It knows YAML and nothing of runs. Reading into a tree first, and into a spec from there, is what
//! lets every later complaint name a line, and lets parameters be put in before types are checked.

use std::fmt;

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess};
use serde_saphyr::Spanned;

use super::fault::{Fault, Place};

/// A value and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Node {
    /// The value.
    pub(crate) value: Value,
    /// Where it begins.
    pub(crate) place: Place,
    /// A scalar as it was written: `1.10` and `007` stay so where a text is wanted. Empty for a boolean
    /// or a fraction of JSON, which may have been written otherwise once.
    pub(crate) written: String,
    /// Whether a parameter or another value was put in.
    pub(crate) put: bool,
}

/// What YAML can say.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    /// Nothing.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Any other number.
    Float(f64),
    /// A text.
    Text(String),
    /// A list.
    List(Vec<Node>),
    /// A map, in the order of the file.
    Map(Vec<(Node, Node)>),
}

impl Value {
    /// The kind, as an error names it.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Bool(_) => "a boolean",
            Self::Int(_) => "an integer",
            Self::Float(_) => "a number",
            Self::Text(_) => "a text",
            Self::List(_) => "a list",
            Self::Map(_) => "a map",
        }
    }
}

impl Node {
    /// The text of a scalar, whatever YAML took it for; none for null, lists and maps.
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            Value::Bool(_) | Value::Int(_) | Value::Float(_) => {
                Some(self.written.as_str()).filter(|written| !written.is_empty())
            }
            Value::Null | Value::List(_) | Value::Map(_) => None,
        }
    }
}

/// The same tree of JSON, which knows no places.
pub(crate) fn from_json(json: &serde_json::Value) -> Node {
    use serde_json::Value as Json;
    let value = match json {
        Json::Null => Value::Null,
        Json::Bool(value) => Value::Bool(*value),
        Json::Number(number) => match number.as_i64() {
            Some(number) => Value::Int(number),
            None => Value::Float(number.as_f64().unwrap_or(f64::NAN)),
        },
        Json::String(text) => Value::Text(text.clone()),
        Json::Array(list) => Value::List(list.iter().map(from_json).collect()),
        Json::Object(map) => Value::Map(
            map.iter()
                .map(|(key, value)| (from_json(&Json::String(key.clone())), from_json(value)))
                .collect(),
        ),
    };
    Node {
        written: match &value {
            Value::Int(number) => number.to_string(),
            _ => String::new(),
        },
        value,
        place: Place { line: 0, column: 0 },
        put: false,
    }
}

/// Reads one document.
pub(crate) fn parse(text: &str) -> Result<Node, Fault> {
    let located = serde_saphyr::from_str::<Located>(text).map_err(unreadable)?;
    Ok(located.node(text))
}

/// Reads every document of a text.
pub(crate) fn documents(text: &str) -> Result<Vec<Node>, Fault> {
    let located = serde_saphyr::from_multiple::<Located>(text).map_err(unreadable)?;
    Ok(located.into_iter().map(|node| node.node(text)).collect())
}

fn unreadable(error: serde_saphyr::Error) -> Fault {
    let place = error
        .location()
        .map_or(Place { line: 1, column: 1 }, |l| Place {
            line: l.line(),
            column: l.column(),
        });
    let said = error.without_snippet().to_string();
    // The place stands in front already, and one piece of advice is for programmers.
    let said = said
        .split(", set DuplicateKeyPolicy")
        .next()
        .unwrap_or(&said);
    let message = said
        .rsplit_once(" at line ")
        .map_or(said, |(message, _)| message);
    let (message, help) = if message.starts_with("multiple YAML documents") {
        (
            "a second document begins here",
            "a run spec is one document: remove the `---`",
        )
    } else {
        (message, "")
    };
    Fault {
        place,
        field: String::new(),
        message: message.to_owned(),
        help: help.to_owned(),
    }
}

/// A value with the library's own location, until the text it was cut from is laid beside it.
struct Located {
    shape: Shape,
    location: serde_saphyr::Location,
}

enum Shape {
    Scalar(Value),
    List(Vec<Located>),
    Map(Vec<(Located, Located)>),
}

impl Located {
    fn node(self, text: &str) -> Node {
        let span = self.location.span();
        let cut = || {
            let start = usize::try_from(span.byte_offset()?).ok()?;
            let length = usize::try_from(span.byte_len()?).ok()?;
            text.get(start..start.checked_add(length)?)
        };
        let written = match &self.shape {
            Shape::Scalar(_) => cut().unwrap_or_default().trim().to_owned(),
            Shape::List(_) | Shape::Map(_) => String::new(),
        };
        Node {
            place: Place {
                line: self.location.line(),
                column: self.location.column(),
            },
            written,
            put: false,
            value: match self.shape {
                Shape::Scalar(value) => value,
                Shape::List(list) => Value::List(list.into_iter().map(|n| n.node(text)).collect()),
                Shape::Map(map) => Value::Map(
                    map.into_iter()
                        .map(|(k, v)| (k.node(text), v.node(text)))
                        .collect(),
                ),
            },
        }
    }
}

impl<'de> Deserialize<'de> for Located {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<Shape>::deserialize(deserializer)?;
        Ok(Self {
            shape: spanned.value,
            location: spanned.referenced,
        })
    }
}

impl<'de> Deserialize<'de> for Shape {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ShapeVisitor)
    }
}

struct ShapeVisitor;

impl<'de> de::Visitor<'de> for ShapeVisitor {
    type Value = Shape;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a YAML value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Shape, E> {
        Ok(Shape::Scalar(Value::Bool(value)))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Shape, E> {
        Ok(Shape::Scalar(Value::Int(value)))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Shape, E> {
        // Past i64 no field takes it; as a float it is refused with its own text.
        Ok(Shape::Scalar(
            i64::try_from(value).map_or(Value::Float(value as f64), Value::Int),
        ))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Shape, E> {
        Ok(Shape::Scalar(Value::Float(value)))
    }

    fn visit_str<E>(self, value: &str) -> Result<Shape, E> {
        Ok(Shape::Scalar(Value::Text(value.to_owned())))
    }

    fn visit_unit<E>(self) -> Result<Shape, E> {
        Ok(Shape::Scalar(Value::Null))
    }

    fn visit_none<E>(self) -> Result<Shape, E> {
        Ok(Shape::Scalar(Value::Null))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Shape, A::Error> {
        let mut list = Vec::new();
        while let Some(element) = access.next_element()? {
            list.push(element);
        }
        Ok(Shape::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Shape, A::Error> {
        let mut map = Vec::new();
        while let Some(entry) = access.next_entry()? {
            map.push(entry);
        }
        Ok(Shape::Map(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_value_knows_its_place_and_how_it_was_written() {
        let node = parse("a: [007, 1.10, no, \"x\"]\nb: $(params.x)\n").expect("YAML");
        let Value::Map(map) = &node.value else {
            panic!("a map, not {}", node.value.kind())
        };
        let Value::List(list) = &map[0].1.value else {
            panic!("a list")
        };
        let texts: Vec<_> = list.iter().map(Node::text).collect();
        assert_eq!(texts, [Some("007"), Some("1.10"), Some("no"), Some("x")]);
        assert_eq!(
            list[1].place,
            Place {
                line: 1,
                column: 10
            }
        );
        assert_eq!(map[1].1.place, Place { line: 2, column: 4 });
    }

    #[test]
    fn what_is_no_yaml_is_refused_with_its_place() {
        for (text, line, said) in [
            ("a: 1\na: 2\n", 2, "duplicate mapping key: a"),
            ("a:\n\tb: 2\n", 2, "tabs disallowed"),
            ("a: 1\n---\nb: 2\n", 3, "a second document begins here"),
        ] {
            let fault = parse(text).expect_err(text);
            assert_eq!(fault.place.line, line, "{text}");
            assert!(fault.message.starts_with(said), "{}", fault.message);
            assert!(!fault.message.contains(" at line "), "{}", fault.message);
        }
    }
}
