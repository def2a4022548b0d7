//! `$(params.x)`, `$(run.name)`, `$(each.key)`: values put into the tree before its types are checked.
//!
//! Only what begins with one of our words is ours: `$(date)` belongs to the shell that will read it.
//! Keys are never touched. `$$(params.x)` stands for the text `$(params.x)`.

use super::cursor::At;
use super::fault::Fault;
use super::node::{Node, Value};
use super::params::{Param, Values, unknown};
use super::room::{MAX_ADDED, Room, weigh};

/// What can be put in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Known<'a> {
    /// Parameters and their values.
    pub(crate) params: &'a Values,
    /// The run's name.
    pub(crate) run: &'a str,
    /// What stands for the element of a `forEach`.
    pub(crate) each: Each<'a>,
    /// How much may still be put in. What an element adds is taken beforehand, by [`share`].
    pub(crate) room: &'a Room,
}

/// What stands for `$(each.key)` and `$(each.value)`.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Each<'a> {
    /// Nothing: there is no element here.
    None,
    /// Themselves, as what is read is what all elements have in common.
    Kept,
    /// This element's.
    Is {
        /// Its key.
        key: &'a str,
        /// Its value.
        value: &'a str,
    },
}

/// The words that begin a substitution; where one means nothing it is refused by name rather than
/// handed to a shell, which would run it as a command.
const WORDS: [&str; 4] = ["params.", "run.", "steps.", "each."];

/// The same tree with every value put in.
pub(crate) fn substitute(at: &At<'_>, known: &Known<'_>) -> Result<Node, Fault> {
    let node = at.node();
    let value = match &node.value {
        Value::Text(text) => return put(at, text, known),
        Value::List(_) => {
            let list = at.list("a list")?;
            Value::List(
                list.iter()
                    .map(|at| substitute(at, known))
                    .collect::<Result<_, _>>()?,
            )
        }
        Value::Map(_) => Value::Map(
            at.entries("a map")?
                .into_iter()
                .map(|(key, _, at)| Ok((key.clone(), substitute(&at, known)?)))
                .collect::<Result<_, Fault>>()?,
        ),
        scalar => scalar.clone(),
    };
    Ok(Node {
        value,
        place: node.place,
        written: node.written.clone(),
        put: node.put,
    })
}

fn put(at: &At<'_>, text: &str, known: &Known<'_>) -> Result<Node, Fault> {
    let node = at.node();
    let mut out = String::new();
    let mut some = false;
    let mut rest = text;
    while let Some((before, name, after)) = next(rest) {
        if let Some(literal) = before.strip_suffix('$') {
            out.push_str(literal);
            out.push_str(&rest[before.len()..rest.len() - after.len()]);
            rest = after;
            continue;
        }
        some = true;
        let Some(value) = look_up(at, name, known)? else {
            out.push_str(&rest[..rest.len() - after.len()]);
            rest = after;
            continue;
        };
        if before.is_empty() && after.is_empty() && out.is_empty() {
            return Ok(typed(node, value));
        }
        if matches!(value, Param::List(_)) {
            return Err(at.fault(
                format!("`$({name})` is a list, and there is text around it"),
                "a list stands only as a whole value",
            ));
        }
        out.push_str(before);
        out.push_str(&value.to_string());
        rest = after;
    }
    out.push_str(rest);
    Ok(Node {
        value: Value::Text(out),
        place: node.place,
        written: node.written.clone(),
        put: some,
    })
}

/// Splits at the next `$(word.name)`: what is before, the name, what is after.
fn next(text: &str) -> Option<(&str, &str, &str)> {
    text.match_indices("$(").find_map(|(start, _)| {
        let inside = &text[start + 2..];
        if !WORDS.iter().any(|word| inside.starts_with(word)) {
            return None;
        }
        let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        let end = inside.find(|c| !legal(c))?;
        inside[end..]
            .starts_with(')')
            .then(|| (&text[..start], &inside[..end], &inside[end + 1..]))
    })
}

/// The value of a name; none for one that is kept as it is.
fn look_up(at: &At<'_>, name: &str, known: &Known<'_>) -> Result<Option<Param>, Fault> {
    let text = |text: &str| Ok(Some(Param::Text(text.to_owned())));
    match (name, known.each) {
        ("run.name", _) => {
            take(at, name, known.run.len(), known)?;
            return text(known.run);
        }
        ("each.key" | "each.value", Each::Kept) => return Ok(None),
        ("each.key", Each::Is { key, .. }) => return text(key),
        ("each.value", Each::Is { value, .. }) => return text(value),
        ("each.key" | "each.value", Each::None) => {
            return Err(at.fault(
                format!("`$({name})` means nothing here"),
                "it stands in command, script and env of a step with forEach",
            ));
        }
        _ => {}
    }
    let Some(param) = name.strip_prefix("params.") else {
        return Err(at.fault(
            format!("`$({name})` is unknown or unsupported"),
            "known are $(params.NAME), $(run.name), $(each.key) and $(each.value)",
        ));
    };
    match known.params.get(param) {
        Some(Some(value)) => {
            take(at, name, value.weight(), known)?;
            Ok(Some(value.clone()))
        }
        Some(None) => Err(at.fault(
            format!("the parameter `{param}` has no value"),
            format!("run with -p {param}=VALUE, or give it a default"),
        )),
        None => Err(at.fault(unknown(param, known.params.keys().map(String::as_str)), "")),
    }
}

fn take(at: &At<'_>, name: &str, bytes: usize, known: &Known<'_>) -> Result<(), Fault> {
    if matches!(known.each, Each::Is { .. }) {
        return Ok(());
    }
    known.room.take(bytes).map_err(|all| {
        at.fault(
            format!(
                "`$({name})` is {bytes} bytes; with what else is put in these are {all}, of {MAX_ADDED} (2 MiB) that \
                 values and elements may add to a run"
            ),
            "put it in fewer places, or give what is so much as a file of `items`",
        )
    })
}

/// What one element makes of a tree into which nothing has been put yet.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Share {
    /// Bytes that are the same for each.
    pub(crate) same: usize,
    /// How often its key is put in.
    pub(crate) keys: usize,
    /// How often its value is.
    pub(crate) values: usize,
}

/// Counts what each element's copy of a tree will be, so that no copy is made to find out.
pub(crate) fn share(node: &Node, known: &Known<'_>) -> Share {
    let (mut keys, mut values) = (0, 0);
    let same = weigh(node, &mut |text| {
        let (mut bytes, mut rest) = (0, text);
        while let Some((before, name, after)) = next(rest) {
            bytes += before.len();
            match name {
                _ if before.ends_with('$') => bytes += rest.len() - before.len() - after.len(),
                "each.key" => keys += 1,
                "each.value" => values += 1,
                "run.name" => bytes += known.run.len(),
                _ => {
                    let param = name.strip_prefix("params.");
                    let value = param.and_then(|name| known.params.get(name)?.as_ref());
                    bytes += value.map_or(0, Param::weight);
                }
            }
            rest = after;
        }
        bytes + rest.len()
    });
    Share { same, keys, values }
}

fn typed(node: &Node, value: Param) -> Node {
    let written = value.to_string();
    let value = match value {
        Param::Text(text) => Value::Text(text),
        Param::Integer(number) => Value::Int(number),
        Param::Boolean(value) => Value::Bool(value),
        Param::List(list) => Value::List(
            list.into_iter()
                .map(|text| Node {
                    value: Value::Text(text),
                    place: node.place,
                    written: String::new(),
                    put: true,
                })
                .collect(),
        ),
    };
    Node {
        value,
        place: node.place,
        written,
        put: true,
    }
}
