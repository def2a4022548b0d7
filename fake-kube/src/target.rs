//! What a path of the API is about.

use serde_json::Value;

/// An object, a collection, or a part of an object.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) struct Target {
    /// Group and version, as `batch/v1`; the core's is `v1`.
    pub(super) version: String,
    /// The plural.
    pub(super) resource: String,
    /// Empty for all namespaces, and for what lies in none.
    pub(super) namespace: String,
    /// Empty for a collection.
    pub(super) name: String,
    /// As `status`; empty for the object itself.
    pub(super) part: String,
}

impl Target {
    /// Of a path; none for what is no resource.
    pub(super) fn parse(path: &str) -> Option<Self> {
        let words: Vec<&str> = path.split('/').filter(|word| !word.is_empty()).collect();
        let (version, rest) = match words.as_slice() {
            ["api", version, rest @ ..] => ((*version).to_owned(), rest),
            ["apis", group, version, rest @ ..] => (format!("{group}/{version}"), rest),
            _ => return None,
        };
        let (namespace, rest) = match rest {
            ["namespaces", namespace, rest @ ..] if !rest.is_empty() => (*namespace, rest),
            rest => ("", rest),
        };
        let (resource, name, part) = match rest {
            [resource] => (*resource, "", ""),
            [resource, name] => (*resource, *name, ""),
            [resource, name, part] => (*resource, *name, *part),
            _ => return None,
        };
        Some(Self {
            version,
            resource: resource.to_owned(),
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            part: part.to_owned(),
        })
    }

    /// Of an object, by what it says itself.
    pub(super) fn of(object: &Value) -> Self {
        let text = |path: &str| {
            let found = object.pointer(path).and_then(Value::as_str);
            found.unwrap_or_default().to_owned()
        };
        let kind = text("/kind").to_lowercase();
        let ending = if kind.ends_with('y') { "ies" } else { "s" };
        let namespace = match text("/metadata/namespace") {
            none if none.is_empty() => crate::NAMESPACE.to_owned(),
            namespace => namespace,
        };
        Self {
            version: text("/apiVersion"),
            resource: format!("{}{ending}", kind.trim_end_matches('y')),
            namespace,
            name: text("/metadata/name"),
            part: String::new(),
        }
    }

    /// The same without its part.
    pub(super) fn whole(&self) -> Self {
        Self {
            part: String::new(),
            ..self.clone()
        }
    }

    /// The API group.
    pub(super) fn group(&self) -> &str {
        self.version.split_once('/').map_or("", |(group, _)| group)
    }

    /// As RBAC names it, as `runs/status`.
    pub(super) fn resource_and_part(&self) -> String {
        match self.part.as_str() {
            "" => self.resource.clone(),
            part => format!("{}/{part}", self.resource),
        }
    }

    /// Whether an object lies in this collection.
    pub(super) fn holds(&self, other: &Self) -> bool {
        self.version == other.version
            && self.resource == other.resource
            && (self.namespace.is_empty() || self.namespace == other.namespace)
    }
}
