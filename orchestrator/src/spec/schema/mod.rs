//! Every field of a run spec, once: its name, what it may hold, what it means and what its absence means.
//!
//! The parser takes its lists of known fields and their bounds from here; the CRD, the editor's schema and
//! the tables of docs/runspec.md are made from it. It does not know how a field is read into a type.

pub mod crd;
pub mod editor;
mod node_json;
mod pods;
mod run;
mod steps;
pub mod tables;

pub(crate) use node_json::json;
pub(crate) use pods::{ENV_SOURCE, RESOURCE, VOLUME};
pub(crate) use run::{DEFAULTS, METADATA, PARAM, RUN, SPEC};
pub(crate) use steps::{ITEM, ITEMS, STEP, TOLERATE, WORKERS};

/// A map with named fields.
#[derive(Debug)]
pub struct Object {
    /// What it is called where fields are checked against each other; unique.
    pub name: &'static str,
    /// Its fields, in the order people are told them.
    pub fields: &'static [Field],
    /// What a schema cannot say by shapes alone.
    pub rules: &'static [Rule],
    /// Fields that exclude each other, where at least one is [`Shape::Either`] or [`Shape::Typed`]: rules
    /// in Kubernetes do not see those.
    pub apart: &'static [&'static [&'static str]],
}

/// One field of a map.
#[derive(Debug)]
pub struct Field {
    /// Its name.
    pub name: &'static str,
    /// What it may hold.
    pub shape: Shape,
    /// What it means, in a phrase; Markdown.
    pub meaning: &'static str,
    /// What holds without it. [`NEEDED`] for a field that must be there.
    pub absent: &'static str,
}

/// The absence of a field that must be there.
pub const NEEDED: &str = "an error";

/// A rule between fields, checked by the API server of a cluster too.
#[derive(Debug)]
pub struct Rule {
    /// In the Common Expression Language, over the map as `self`.
    pub cel: &'static str,
    /// What is wrong where it does not hold.
    pub message: &'static str,
}

/// What a field may hold. Where a bound has no meaning it is the type's own limit.
#[derive(Debug)]
pub enum Shape {
    /// A text.
    Text {
        /// Most characters.
        most: u32,
        /// A regular expression for the whole of it; empty: any text.
        pattern: &'static str,
    },
    /// A text of which nothing is put in from parameters, as other fields name it.
    Name {
        /// Most characters.
        most: u32,
        /// A regular expression for the whole of it.
        pattern: &'static str,
    },
    /// A text, a number or a boolean, taken as text the way it was written.
    Scalar {
        /// Most characters.
        most: u32,
    },
    /// One of these words.
    Word(&'static [&'static str]),
    /// A whole number.
    Integer {
        /// The least.
        least: i64,
        /// The most.
        most: i64,
    },
    /// A whole number, not negative, or a text of this form.
    IntegerOr {
        /// A regular expression for the whole of the text.
        pattern: &'static str,
    },
    /// `true` or `false`.
    Boolean,
    /// A time with its unit.
    Duration,
    /// An amount as Kubernetes writes it: `500m`, `2Gi`.
    Quantity,
    /// A list.
    List {
        /// What its elements are.
        of: &'static Shape,
        /// Fewest elements.
        least: u32,
        /// Most elements.
        most: u32,
        /// How Kubernetes tells elements apart.
        told: Told,
    },
    /// A map of names of the user's own.
    Map {
        /// What its values are.
        of: &'static Shape,
        /// Most entries.
        most: u32,
        /// What a name stands for in the tables.
        key: &'static str,
    },
    /// A map of our own names.
    Object(&'static Object),
    /// One of several. Kubernetes has no word for it, so there the controller alone checks it.
    Either(&'static [Shape]),
    /// A parameter that is a list.
    ListParam,
    /// A map without fields.
    Nothing,
    /// Whatever the parameter's type is.
    Typed,
    /// A map that is handed on as it is.
    Free,
}

/// How Kubernetes tells elements of a list apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// By their place.
    Place,
    /// By themselves: none stands there twice.
    Value,
    /// By their `name`: none has it twice.
    Name,
}

impl Object {
    /// The names of its fields.
    pub fn names(&self) -> Vec<&'static str> {
        self.fields.iter().map(|field| field.name).collect()
    }

    /// A field of it.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&'static Field> {
        self.fields.iter().find(|field| field.name == name)
    }
}

/// What a schema says of a field: plain text, as editors and `kubectl explain` show it.
fn description(field: &Field) -> String {
    let mut said = field.meaning.replace('`', "");
    if let Some(first) = said.get(..1) {
        said = first.to_uppercase() + &said[1..];
    }
    match field.absent {
        "" => format!("{said}."),
        NEEDED => format!("{said}. Required."),
        absent => format!("{said}. If absent: {}.", absent.replace('`', "")),
    }
}

/// Longest text that is not a name.
const TEXT: u32 = 4_096;
/// Longest script, in characters: it must fit a ConfigMap.
const SCRIPT: u32 = 262_144;
/// A name of Kubernetes that may hold dots, or a value put in.
const OBJECT_NAME: &str = r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$|\$\(";
/// `name/key` of a Secret or ConfigMap, or a value put in.
const NAME_AND_KEY: &str = r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?/[A-Za-z0-9._-]+$|\$\(";
/// A time with its unit, or a value put in.
const DURATION: &str = r"^([0-9]+(ms|s|m|h|d))+$|\$\(";

#[cfg(test)]
pub(crate) use tests::asked;

#[cfg(test)]
mod tests;
