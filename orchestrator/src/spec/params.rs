//! Parameters: what a spec declares, what the command line gives, and what comes of both.
//!
//! It checks values against declarations. Where they are put is [`super::substitute`]'s business.

use std::collections::BTreeMap;

use regex::{Regex, RegexBuilder};

use super::cursor::At;
use super::fault::{Fault, SpecError};
use super::node::{Node, Value};
use super::room::PER_ENTRY;
use super::schema::PARAM;

/// The value of a parameter.
#[derive(Debug, Clone, PartialEq)]
pub enum Param {
    /// A text.
    Text(String),
    /// A whole number.
    Integer(i64),
    /// `true` or `false`.
    Boolean(bool),
    /// A list of texts.
    List(Vec<String>),
}

/// The values of all parameters; `None` for one that is declared and has none.
pub(crate) type Values = BTreeMap<String, Option<Param>>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Integer,
    Boolean,
    List,
}

impl Kind {
    fn wanted(self) -> &'static str {
        match self {
            Self::Text => "a text",
            Self::Integer => "an integer",
            Self::Boolean => "true or false",
            Self::List => "a list of texts",
        }
    }
}

/// Most parameters of a run: each may have a pattern to compile.
const MAX_PARAMS: usize = 100;
/// Most that a pattern may come to once it is compiled, in bytes; `^\w{63}$` comes to three million.
const MAX_PATTERN: usize = 4 * 1024 * 1024;

/// What a spec says of one parameter.
#[derive(Debug)]
struct Declaration {
    kind: Kind,
    required: bool,
    minimum: Option<i64>,
    maximum: Option<i64>,
    pattern: Option<String>,
    allowed: Option<Vec<Param>>,
}

/// Reads the declarations and lays the command line's values over their defaults.
pub(crate) fn resolve(
    declared: Option<&At<'_>>,
    given: &[(String, String)],
) -> Result<Result<Values, Fault>, SpecError> {
    let mut values = Values::new();
    let mut declarations = BTreeMap::new();
    let mut missing = Vec::new();
    if let Some(map) = declared {
        let entries = match map.entries("a map: name: {type: integer, default: 100}") {
            Ok(entries) => entries,
            Err(fault) => return Ok(Err(fault)),
        };
        if entries.len() > MAX_PARAMS {
            let message = format!(
                "these are {} parameters, more than {MAX_PARAMS}",
                entries.len()
            );
            return Ok(Err(map.fault(message, "give what is so many as `items`")));
        }
        for (_, name, at) in entries {
            let (declaration, default) = match declare(name, &at) {
                Ok(read) => read,
                Err(fault) => return Ok(Err(fault)),
            };
            if declaration.required && !given.iter().any(|(n, _)| n == name) {
                missing.push(at.fault(
                    format!("the parameter `{name}` is required and was not given"),
                    format!("run with -p {name}=VALUE ({})", declaration.rules()),
                ));
            }
            values.insert(name.to_owned(), default);
            declarations.insert(name, declaration);
        }
    }
    for (name, text) in given {
        let refuse = |message: String| SpecError::Argument {
            argument: format!("{name}={text}"),
            message,
        };
        let Some(declaration) = declarations.get(name.as_str()) else {
            return Err(refuse(unknown(name, declarations.keys().copied())));
        };
        let value = declaration
            .read(text)
            .filter(|value| declaration.accepts(value))
            .ok_or_else(|| refuse(format!("`{name}` takes {}", declaration.rules())))?;
        values.insert(name.clone(), Some(value));
    }
    Ok(match missing.into_iter().next() {
        Some(fault) => Err(fault),
        None => Ok(values),
    })
}

/// Says that there is no such parameter, and which there are.
pub(crate) fn unknown<'n>(name: &str, declared: impl Iterator<Item = &'n str>) -> String {
    let declared: Vec<_> = declared.collect();
    if declared.is_empty() {
        format!("there is no parameter `{name}`: the spec declares none under spec.params")
    } else {
        let near = super::cursor::nearest(name, &declared)
            .map_or(String::new(), |near| format!("; did you mean `{near}`?"));
        format!(
            "there is no parameter `{name}`{near}; declared: {}",
            declared.join(", ")
        )
    }
}

fn declare(name: &str, at: &At<'_>) -> Result<(Declaration, Option<Param>), Fault> {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    if name.is_empty() || !name.chars().all(legal) {
        let rule = "use A-Z a-z 0-9 _ - so that $(params.name) can name it";
        return Err(at.fault(format!("`{name}` is no parameter name"), rule));
    }
    let fields = at.fields(&PARAM)?;
    let kind = match fields.get("type") {
        None => Kind::Text,
        Some(at) => match at.text("string, integer, boolean or list")? {
            "string" => Kind::Text,
            "integer" => Kind::Integer,
            "boolean" => Kind::Boolean,
            "list" => Kind::List,
            _ => return Err(at.wrong("string, integer, boolean or list")),
        },
    };
    for (field, takes) in [
        ("minimum", Kind::Integer),
        ("maximum", Kind::Integer),
        ("pattern", Kind::Text),
    ] {
        if let Some(at) = fields.get(field).filter(|_| kind != takes) {
            let message = format!("`{field}` does not go with this type");
            return Err(at.fault(message, format!("it is for {}", takes.wanted())));
        }
    }
    let bound = |field| {
        fields
            .get(field)
            .map(|at| at.integer(i64::MIN..=i64::MAX))
            .transpose()
    };
    let (minimum, maximum) = (bound("minimum")?, bound("maximum")?);
    if let (Some(low), Some(high), Some(at)) = (minimum, maximum, fields.get("maximum"))
        && high < low
    {
        return Err(at.fault("the maximum is below the minimum", ""));
    }
    let pattern = match fields.get("pattern") {
        None => None,
        Some(at) => {
            let text = at.text("a regular expression")?;
            regex(text).map_err(|error| {
                let error = error.to_string();
                at.fault(
                    "this is no regular expression",
                    error.lines().last().unwrap_or(""),
                )
            })?;
            Some(text.to_owned())
        }
    };
    let allowed = match fields.get("enum") {
        None => None,
        Some(at) => Some(
            at.list("the list of allowed values")?
                .iter()
                .map(|at| of_node(kind, at.node()).ok_or_else(|| at.wrong(kind.wanted())))
                .collect::<Result<Vec<_>, _>>()?,
        ),
    };
    let required = fields
        .get("required")
        .map(At::boolean)
        .transpose()?
        .unwrap_or(false);
    let declaration = Declaration {
        kind,
        required,
        minimum,
        maximum,
        pattern,
        allowed,
    };
    let default = match fields.get("default") {
        None => None,
        Some(at) if required => {
            return Err(at.fault(
                "a required parameter has no default",
                "remove `required` or `default`",
            ));
        }
        Some(at) => Some(
            of_node(kind, at.node())
                .filter(|value| declaration.accepts(value))
                .ok_or_else(|| at.wrong(declaration.rules()))?,
        ),
    };
    Ok((declaration, default))
}

/// Made anew for each use: a few letters can be a machine of megabytes, and there may be many of them.
fn regex(pattern: &str) -> Result<Regex, regex::Error> {
    RegexBuilder::new(pattern)
        .size_limit(MAX_PATTERN)
        .dfa_size_limit(MAX_PATTERN)
        .build()
}

fn of_node(kind: Kind, node: &Node) -> Option<Param> {
    match (kind, &node.value) {
        (Kind::Text, _) => node.text().map(|text| Param::Text(text.to_owned())),
        (Kind::Integer, Value::Int(number)) => Some(Param::Integer(*number)),
        (Kind::Boolean, Value::Bool(value)) => Some(Param::Boolean(*value)),
        (Kind::List, Value::List(list)) => list
            .iter()
            .map(|node| node.text().map(str::to_owned))
            .collect::<Option<_>>()
            .map(Param::List),
        _ => None,
    }
}

impl Declaration {
    /// Reads a value as the command line gives it.
    fn read(&self, text: &str) -> Option<Param> {
        match self.kind {
            Kind::Text => Some(Param::Text(text.to_owned())),
            Kind::Integer => text.parse().ok().map(Param::Integer),
            Kind::Boolean => text.parse().ok().map(Param::Boolean),
            Kind::List if text.trim_start().starts_with('[') => {
                of_node(Kind::List, &super::node::parse(text).ok()?)
            }
            Kind::List if text.is_empty() => Some(Param::List(Vec::new())),
            Kind::List => Some(Param::List(text.split(',').map(str::to_owned).collect())),
        }
    }

    fn accepts(&self, value: &Param) -> bool {
        let within = match value {
            Param::Integer(number) => {
                self.minimum.is_none_or(|low| *number >= low)
                    && self.maximum.is_none_or(|high| *number <= high)
            }
            Param::Text(text) => self
                .pattern
                .as_ref()
                .is_none_or(|pattern| regex(pattern).is_ok_and(|regex| regex.is_match(text))),
            Param::Boolean(_) | Param::List(_) => true,
        };
        within
            && self
                .allowed
                .as_ref()
                .is_none_or(|allowed| allowed.contains(value))
    }

    /// All that a value must be, in one phrase.
    fn rules(&self) -> String {
        let mut rules = self.kind.wanted().to_owned();
        if self.kind == Kind::List {
            rules.push_str(" (a,b,c or [a, b, c])");
        }
        match (self.minimum, self.maximum) {
            (Some(low), Some(high)) => rules.push_str(&format!(" from {low} to {high}")),
            (Some(low), None) => rules.push_str(&format!(", at least {low}")),
            (None, Some(high)) => rules.push_str(&format!(", at most {high}")),
            (None, None) => {}
        }
        if let Some(pattern) = &self.pattern {
            rules.push_str(&format!(" matching {pattern}"));
        }
        if let Some(allowed) = &self.allowed {
            let allowed: Vec<_> = allowed.iter().map(Param::to_string).collect();
            rules.push_str(&format!(", one of {}", allowed.join(", ")));
        }
        rules
    }
}

impl Param {
    /// What it counts wherever it is put in.
    pub(crate) fn weight(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Integer(_) | Self::Boolean(_) => PER_ENTRY,
            Self::List(list) => list.iter().map(|text| PER_ENTRY + text.len()).sum(),
        }
    }

    /// The value as JSON.
    pub(crate) fn json(&self) -> serde_json::Value {
        match self {
            Self::Text(text) => text.as_str().into(),
            Self::Integer(number) => (*number).into(),
            Self::Boolean(value) => (*value).into(),
            Self::List(list) => list.as_slice().into(),
        }
    }
}

impl std::fmt::Display for Param {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Integer(number) => write!(f, "{number}"),
            Self::Boolean(value) => write!(f, "{value}"),
            Self::List(list) => f.write_str(&list.join(",")),
        }
    }
}
