//! Reading typed fields out of a tree, with complaints that name the field and what it may hold.
//!
//! It knows how fields are asked for, not which fields a spec has.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::rc::Rc;
use std::time::Duration;

use super::fault::Fault;
use super::node::{Node, Value};
use super::schema::Object;

/// A node and the path that led to it.
#[derive(Debug, Clone)]
pub(crate) struct At<'a> {
    node: &'a Node,
    path: Path<'a>,
}

/// The way to a node. It is spelt out for a complaint alone: written at every node, the path below one long
/// name would be as much text again for each of its fields.
#[derive(Debug, Clone)]
enum Path<'a> {
    Given(Rc<str>),
    Field(Rc<Path<'a>>, &'a str),
    Entry(Rc<Path<'a>>, usize),
}

impl Path<'_> {
    fn write(&self, out: &mut String) {
        match self {
            Self::Given(path) => out.push_str(path),
            Self::Field(above, name) => {
                above.write(out);
                if !out.is_empty() {
                    out.push('.');
                }
                out.push_str(&shorten(name));
            }
            Self::Entry(above, index) => {
                above.write(out);
                out.push_str(&format!("[{index}]"));
            }
        }
    }
}

/// The fields of a map, all of them known to whoever asked.
#[derive(Debug)]
pub(crate) struct Fields<'a> {
    map: At<'a>,
    object: &'static Object,
    entries: Vec<(&'a str, At<'a>)>,
}

impl<'a> At<'a> {
    /// The document itself.
    pub(crate) fn root(node: &'a Node) -> Self {
        Self {
            node,
            path: Path::Given("".into()),
        }
    }

    /// A part of the document, at the path it is known by.
    pub(crate) fn part(node: &'a Node, path: &str) -> Self {
        Self {
            node,
            path: Path::Given(path.into()),
        }
    }

    /// The node.
    pub(crate) fn node(&self) -> &'a Node {
        self.node
    }

    /// The path as errors show it.
    pub(crate) fn path(&self) -> String {
        let mut path = String::new();
        self.path.write(&mut path);
        path
    }

    /// A complaint about this value.
    pub(crate) fn fault(&self, message: impl Display, help: impl Display) -> Fault {
        Fault {
            place: self.node.place,
            field: self.path(),
            message: message.to_string(),
            help: help.to_string(),
        }
    }

    /// A complaint that this is not what it must be.
    pub(crate) fn wrong(&self, wanted: impl Display) -> Fault {
        let found = match (&self.node.value, self.node.text()) {
            (Value::Text(text), _) => format!("the text `{}`", shorten(text)),
            (value, Some(written)) => format!("{} (`{}`)", value.kind(), shorten(written)),
            (value, None) => value.kind().to_owned(),
        };
        self.fault(format!("this is {found}"), format!("give {wanted}"))
    }

    /// The entries of a map of names, in the order of the file.
    pub(crate) fn entries(&self, wanted: &str) -> Result<Vec<(&'a Node, &'a str, Self)>, Fault> {
        let Value::Map(map) = &self.node.value else {
            return Err(self.wrong(wanted));
        };
        let above = Rc::new(self.path.clone());
        map.iter()
            .map(|(key, node)| match key.text() {
                Some(name) => {
                    let path = Path::Field(Rc::clone(&above), name);
                    Ok((key, name, Self { node, path }))
                }
                None => Err(Self::root(key).fault("a field's name is a text", "")),
            })
            .collect()
    }

    /// The fields of a map, each one that the schema knows. A field that is null counts as absent.
    pub(crate) fn fields(&self, object: &'static Object) -> Result<Fields<'a>, Fault> {
        self.fields_besides(object, |_| false)
    }

    /// The same, with fields that are somebody else's left aside.
    pub(crate) fn fields_besides(
        &self,
        object: &'static Object,
        foreign: fn(&str) -> bool,
    ) -> Result<Fields<'a>, Fault> {
        let allowed = object.names();
        let wanted = format!("a map with {}", allowed.join(", "));
        let mut entries = Vec::new();
        for (key, name, at) in self.entries(&wanted)? {
            if !allowed.contains(&name) {
                if foreign(name) {
                    continue;
                }
                let near = nearest(name, &allowed)
                    .map_or(String::new(), |near| format!("did you mean `{near}`? "));
                return Err(Fault {
                    place: key.place,
                    field: at.path(),
                    message: format!("unknown or unsupported field `{name}`"),
                    help: format!("{near}allowed here: {}", allowed.join(", ")),
                });
            }
            if at.node.value != Value::Null {
                entries.push((name, at));
            }
        }
        Ok(Fields {
            map: self.clone(),
            object,
            entries,
        })
    }

    /// The elements of a list that is written out. A parameter for the whole of it is refused, as a
    /// cluster's API server, which knows the spec before parameters are put in, would refuse it.
    pub(crate) fn list(&self, wanted: &str) -> Result<Vec<Self>, Fault> {
        match self.node.value {
            Value::List(_) if self.node.put => Err(self.put("list")),
            _ => self.list_or_param(wanted),
        }
    }

    fn put(&self, what: &str) -> Fault {
        let help = format!("write the {what} out");
        self.fault(format!("a parameter cannot stand for this {what}"), help)
    }

    /// A name or a word that must be known before anything is put in.
    pub(crate) fn name(&self, wanted: impl Display) -> Result<&'a str, Fault> {
        if self.node.put {
            return Err(self.put("word"));
        }
        self.text(wanted)
    }

    /// The elements of a list, written out or the value of a parameter.
    pub(crate) fn list_or_param(&self, wanted: &str) -> Result<Vec<Self>, Fault> {
        let Value::List(list) = &self.node.value else {
            return Err(self.wrong(wanted));
        };
        let above = Rc::new(self.path.clone());
        Ok(list
            .iter()
            .enumerate()
            .map(|(index, node)| Self {
                node,
                path: Path::Entry(Rc::clone(&above), index),
            })
            .collect())
    }

    /// A scalar as text: `007` and `true` are texts where a text is wanted.
    pub(crate) fn text(&self, wanted: impl Display) -> Result<&'a str, Fault> {
        self.node.text().ok_or_else(|| match self.node.value {
            // A number in JSON may have been `007`, and `true` may have been `yes`.
            Value::Bool(_) | Value::Float(_) => {
                let mut fault = self.wrong(wanted);
                fault.help.push_str(", in quotes");
                fault
            }
            _ => self.wrong(wanted),
        })
    }

    /// A whole number within limits.
    pub(crate) fn integer(&self, range: RangeInclusive<i64>) -> Result<i64, Fault> {
        let wanted = || match *range.end() {
            i64::MAX => format!("an integer, at least {}", range.start()),
            end => format!("an integer from {} to {end}", range.start()),
        };
        match self.node.value {
            Value::Int(number) if range.contains(&number) => Ok(number),
            _ => Err(self.wrong(wanted())),
        }
    }

    /// `true` or `false`.
    pub(crate) fn boolean(&self) -> Result<bool, Fault> {
        match self.node.value {
            Value::Bool(_) if self.node.put => Err(self.put("boolean")),
            Value::Bool(value) => Ok(value),
            _ => Err(self.wrong("true or false")),
        }
    }

    /// A duration with a unit, above zero. A bare number is refused: whoever writes `timeout: 60`
    /// means a minute, and milliseconds would be read.
    pub(crate) fn duration(&self) -> Result<Duration, Fault> {
        match &self.node.value {
            Value::Text(text) => duration(text).ok_or_else(|| self.wrong(DURATION)),
            _ => Err(self.wrong(DURATION)),
        }
    }
}

/// What a duration looks like.
pub(crate) const DURATION: &str = "a duration with its unit, above zero: 500ms, 30s, 10m, 1h30m";

/// Reads a duration above zero that names its unit.
pub(crate) fn duration(text: &str) -> Option<Duration> {
    let bare = text.bytes().all(|b| b.is_ascii_digit());
    let read = queue_api::parse_duration(text).ok()?;
    (!bare && !read.is_zero()).then_some(read)
}

impl<'a> Fields<'a> {
    /// A field that may be absent.
    pub(crate) fn get(&self, name: &str) -> Option<&At<'a>> {
        let Self { object, .. } = self;
        debug_assert!(object.field(name).is_some(), "{name} of {}", object.name);
        #[cfg(test)]
        super::schema::asked(object, name);
        self.entries
            .iter()
            .find(|(n, _)| *n == name)
            .map(|(_, at)| at)
    }

    /// A field that must be there; `wanted` says what to write.
    pub(crate) fn need(&self, name: &str, wanted: &str) -> Result<&At<'a>, Fault> {
        self.get(name).ok_or_else(|| {
            self.map.fault(
                format!("the field `{name}` is missing"),
                format!("give {wanted}"),
            )
        })
    }

    /// The only one present of several that exclude each other.
    pub(crate) fn one_of(&self, names: &[&str], wanted: &str) -> Result<(&'a str, &At<'a>), Fault> {
        self.at_most_one(names)?.ok_or_else(|| {
            let message = format!("one of {} is missing", names.join(", "));
            self.map.fault(message, wanted)
        })
    }

    /// The only one present, if any is, of several that exclude each other.
    pub(crate) fn at_most_one(&self, names: &[&str]) -> Result<Option<(&'a str, &At<'a>)>, Fault> {
        #[cfg(test)]
        for name in names {
            super::schema::asked(self.object, name);
        }
        let mut present = self.entries.iter().filter(|(n, _)| names.contains(n));
        let Some((name, at)) = present.next() else {
            return Ok(None);
        };
        match present.next() {
            None => Ok(Some((name, at))),
            Some((second, extra)) => Err(extra.fault(
                format!("`{name}` and `{second}` exclude each other"),
                format!("give exactly one of {}", names.join(", ")),
            )),
        }
    }

    /// Refuses fields that mean nothing without `other`.
    pub(crate) fn only_with(&self, names: &[&str], other: &str) -> Result<(), Fault> {
        match names.iter().find_map(|name| self.get(name)) {
            Some(at) if self.get(other).is_none() => Err(at.fault(
                format!("this goes with `{other}` only"),
                format!("remove it, or give `{other}`"),
            )),
            _ => Ok(()),
        }
    }
}

fn shorten(text: &str) -> String {
    let mut line: String = text.lines().next().unwrap_or("").chars().take(60).collect();
    if line.len() < text.trim_end().len() {
        line.push('…');
    }
    line
}

/// The allowed name at most two slips away. Names that differ more in length are too far, and those past
/// what a person types are not compared: the cost grows with both.
pub(crate) fn nearest<'n>(name: &str, allowed: &[&'n str]) -> Option<&'n str> {
    let comparable =
        |near: &str| near.len() <= MAX_COMPARED && near.len().abs_diff(name.len()) <= 8;
    allowed
        .iter()
        .filter(|near| comparable(near))
        .map(|near| (slips(&name.to_lowercase(), &near.to_lowercase()), *near))
        .filter(|(slips, near)| *slips <= 2 && *slips < near.len())
        .min()
        .map(|(_, near)| near)
}

/// Longest name that others are compared with, in bytes.
const MAX_COMPARED: usize = 100;

/// Letters to change, add, leave out or swap to get from one word to the other.
fn slips(from: &str, to: &str) -> usize {
    let (from, to): (Vec<char>, Vec<char>) = (from.chars().collect(), to.chars().collect());
    let mut rows: Vec<Vec<usize>> = vec![(0..=to.len()).collect()];
    for (i, a) in from.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, b) in to.iter().enumerate() {
            let changed = rows[i][j] + usize::from(a != b);
            let mut least = changed.min(rows[i][j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *a == to[j - 1] && *b == from[i - 1] {
                least = least.min(rows[i - 1][j - 1] + 1);
            }
            row.push(least);
        }
        rows.push(row);
    }
    rows[from.len()][to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_pen_finds_its_field() {
        let allowed = ["items", "item", "workers", "command", "deadOn"];
        assert_eq!(nearest("itmes", &allowed), Some("items"));
        assert_eq!(nearest("deadon", &allowed), Some("deadOn"));
        assert_eq!(nearest("Command", &allowed), Some("command"));
        assert_eq!(nearest("forEach", &allowed), None);
    }

    #[test]
    fn a_duration_names_its_unit() {
        assert_eq!(duration("90s"), Some(Duration::from_secs(90)));
        for text in ["60", "0s", "", "soon"] {
            assert_eq!(duration(text), None, "{text}");
        }
    }
}
