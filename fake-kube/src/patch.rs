//! Merge patches (RFC 7386), and server-side apply for one manager at a time.
//!
//! Lists are taken as a whole: none of our kinds is applied by two managers to one list.

use std::collections::BTreeMap;

use serde_json::Value;

/// Lays a merge patch over a value.
pub(super) fn merge(value: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *value = patch.clone();
        return;
    };
    if !value.is_object() {
        *value = Value::Object(serde_json::Map::new());
    }
    let Value::Object(fields) = value else { return };
    for (name, patch) in patch {
        if patch.is_null() {
            fields.remove(name);
        } else {
            merge(fields.entry(name.clone()).or_insert(Value::Null), patch);
        }
    }
}

/// What each manager applied last to an object and to its parts.
#[derive(Debug, Default)]
pub(super) struct Applied(BTreeMap<(String, String), Value>);

impl Applied {
    pub(super) fn note(&mut self, manager: &str, part: &str, sent: &Value) {
        let key = (manager.to_owned(), part.to_owned());
        self.0.insert(key, sent.clone());
    }

    /// Lays what is wanted now over an object, and takes away what was wanted before alone.
    pub(super) fn lay(&mut self, manager: &str, part: &str, sent: &Value, over: &mut Value) {
        let key = (manager.to_owned(), part.to_owned());
        if let Some(before) = self.0.get(&key) {
            take(over, before, sent);
        }
        merge(over, sent);
        self.note(manager, part, sent);
    }
}

/// Takes away the fields that `before` has and `now` has not.
fn take(value: &mut Value, before: &Value, now: &Value) {
    let (Value::Object(fields), Value::Object(before)) = (value, before) else {
        return;
    };
    for (name, before) in before {
        match now.get(name) {
            None => {
                // What else lies under it is somebody else's.
                let mut rest = fields.get(name).cloned().unwrap_or_default();
                take(&mut rest, before, &Value::Object(serde_json::Map::new()));
                let leaf = rest.as_object().is_none_or(serde_json::Map::is_empty);
                if leaf {
                    fields.remove(name);
                } else {
                    fields.insert(name.clone(), rest);
                }
            }
            Some(now) => {
                if let Some(field) = fields.get_mut(name) {
                    take(field, before, now);
                }
            }
        }
    }
}
