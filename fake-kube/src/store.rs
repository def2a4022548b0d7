//! Objects with their versions, and the history that watches are told.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::patch::{self, Applied};
use crate::target::Target;

/// What happened to an object.
#[derive(Debug, Clone)]
pub(super) struct Change {
    pub(super) version: u64,
    /// `ADDED`, `MODIFIED` or `DELETED`.
    pub(super) kind: &'static str,
    pub(super) target: Target,
    pub(super) object: Value,
}

/// Why something is not done: code, reason, message.
pub(super) type Refused = (u16, &'static str, String);

/// All objects.
#[derive(Debug, Default)]
pub(super) struct Store {
    objects: BTreeMap<Target, Value>,
    applied: BTreeMap<Target, Applied>,
    version: u64,
    history: Vec<Change>,
    /// Changes up to this version are not told any more.
    forgotten: u64,
    made: u64,
}

impl Store {
    /// The version of the last change.
    pub(super) fn version(&self) -> u64 {
        self.version
    }

    pub(super) fn forget(&mut self) {
        self.history.clear();
        // Whoever saw nothing since is behind as well.
        self.version += 1;
        self.forgotten = self.version;
    }

    /// The changes after a version; none if they are not known any more.
    pub(super) fn since(&self, version: u64) -> Option<impl Iterator<Item = &Change>> {
        let known = version >= self.forgotten;
        known.then(|| self.history.iter().filter(move |c| c.version > version))
    }

    pub(super) fn get(&self, target: &Target) -> Option<&Value> {
        self.objects.get(target)
    }

    /// The objects of a collection.
    pub(super) fn list(&self, target: &Target) -> impl Iterator<Item = &Value> {
        let target = target.clone();
        let there = move |found: &(&Target, &Value)| target.holds(found.0);
        self.objects.iter().filter(there).map(|(_, object)| object)
    }

    /// An object by plural and name, whatever its namespace.
    pub(super) fn find(&self, resource: &str, name: &str) -> Option<(&Target, &Value)> {
        let mut objects = self.objects.iter();
        objects.find(|(target, _)| target.resource == resource && target.name == name)
    }

    pub(super) fn names(&self, resource: &str) -> Vec<String> {
        let targets = self.objects.keys().filter(|t| t.resource == resource);
        let mut names: Vec<_> = targets.map(|target| target.name.clone()).collect();
        names.sort();
        names
    }

    /// Makes an object that must not be there.
    pub(super) fn create(&mut self, target: &Target, mut object: Value) -> Result<Value, Refused> {
        let mut target = target.clone();
        if let Some(name) = text(&object, "/metadata/name") {
            target.name = name.to_owned();
        } else if let Some(start) = text(&object, "/metadata/generateName") {
            target.name = format!("{start}{}", self.made + 1);
            object["metadata"]["name"] = target.name.clone().into();
        }
        if self.objects.contains_key(&target) {
            let message = format!("{} \"{}\" already exists", target.resource, target.name);
            return Err((409, "AlreadyExists", message));
        }
        if has_status(&target) {
            object.as_object_mut().map(|object| object.remove("status"));
        }
        Ok(self.put(&target, object))
    }

    /// Puts a new state of an object in place of the old one, if it is another.
    pub(super) fn put(&mut self, target: &Target, mut object: Value) -> Value {
        let before = self.objects.get(target);
        let kept = |path: &str, other: Value| {
            let found = before.and_then(|before| before.pointer(path));
            found.cloned().unwrap_or(other)
        };
        if before.is_none() {
            self.made += 1;
        }
        let uid = text(&object, "/metadata/uid").map_or_else(
            || kept("/metadata/uid", format!("uid-{}", self.made).into()),
            Into::into,
        );
        let now = now();
        let created = text(&object, "/metadata/creationTimestamp").map_or_else(
            || kept("/metadata/creationTimestamp", now.into()),
            Into::into,
        );
        let generation = kept("/metadata/generation", 1.into());
        let changed = before.is_some_and(|before| before.get("spec") != object.get("spec"));
        let generation = generation.as_u64().unwrap_or(1) + u64::from(changed);
        let meta = &mut object["metadata"];
        meta["uid"] = uid;
        meta["creationTimestamp"] = created;
        meta["generation"] = generation.into();
        meta["name"] = target.name.clone().into();
        if !target.namespace.is_empty() {
            meta["namespace"] = target.namespace.clone().into();
        }
        meta["resourceVersion"] = kept("/metadata/resourceVersion", Value::Null);
        if before == Some(&object) {
            return object;
        }
        let kind = if before.is_some() {
            "MODIFIED"
        } else {
            "ADDED"
        };
        self.note(kind, target, object)
    }

    fn note(&mut self, kind: &'static str, target: &Target, mut object: Value) -> Value {
        self.version += 1;
        object["metadata"]["resourceVersion"] = self.version.to_string().into();
        self.history.push(Change {
            version: self.version,
            kind,
            target: target.clone(),
            object: object.clone(),
        });
        if kind == "DELETED" {
            self.objects.remove(target);
            self.applied.remove(target);
        } else {
            self.objects.insert(target.clone(), object.clone());
        }
        object
    }

    /// Deletes an object, and what has no other owner.
    pub(super) fn delete(&mut self, target: &Target) -> Option<Value> {
        let object = self.objects.get(target)?.clone();
        let object = self.note("DELETED", target, object);
        let uid = object["metadata"]["uid"].clone();
        let belongs = |object: &&Value| {
            let owners = object
                .pointer("/metadata/ownerReferences")
                .and_then(Value::as_array);
            owners
                .is_some_and(|owners| !owners.is_empty() && owners.iter().all(|o| o["uid"] == uid))
        };
        let mut orphans = self.objects.iter().filter(|(_, object)| belongs(object));
        let orphans: Vec<Target> = orphans.by_ref().map(|(target, _)| target.clone()).collect();
        for orphan in orphans {
            self.delete(&orphan);
        }
        Some(object)
    }

    /// Replaces an object, or its status.
    pub(super) fn replace(&mut self, target: &Target, sent: &Value) -> Result<Value, Refused> {
        let whole = target.whole();
        let before = self.objects.get(&whole).ok_or_else(|| missing(&whole))?;
        guard(&whole, before, sent)?;
        let after = part_of(&whole, &target.part, before, sent.clone());
        Ok(self.put(&whole, after))
    }

    /// Lays a merge patch over an object, or over its status.
    pub(super) fn merge(&mut self, target: &Target, sent: &Value) -> Result<Value, Refused> {
        let whole = target.whole();
        let before = self.objects.get(&whole).ok_or_else(|| missing(&whole))?;
        guard(&whole, before, sent)?;
        let mut after = before.clone();
        patch::merge(&mut after, sent);
        let after = part_of(&whole, &target.part, before, after);
        Ok(self.put(&whole, after))
    }

    /// Applies what a field manager wants; what it wanted before and does not now goes.
    pub(super) fn apply(
        &mut self,
        target: &Target,
        manager: &str,
        sent: &Value,
    ) -> Result<Value, Refused> {
        let whole = target.whole();
        let Some(before) = self.objects.get(&whole) else {
            if !target.part.is_empty() {
                return Err(missing(&whole));
            }
            if text(sent, "/metadata/resourceVersion").is_some()
                || text(sent, "/metadata/uid").is_some()
            {
                return Err((409, "Conflict", format!("{} is gone", whole.name)));
            }
            self.applied
                .entry(whole.clone())
                .or_default()
                .note(manager, "", sent);
            return self.create(&whole, sent.clone());
        };
        guard(&whole, before, sent)?;
        let mut after = before.clone();
        let applied = self.applied.entry(whole.clone()).or_default();
        applied.lay(manager, &target.part, sent, &mut after);
        let after = part_of(&whole, &target.part, before, after);
        Ok(self.put(&whole, after))
    }
}

/// The date as Kubernetes writes it.
#[expect(
    clippy::disallowed_methods,
    reason = "an object says on which date it was made"
)]
fn now() -> String {
    let now = jiff::Timestamp::now().round(jiff::Unit::Second);
    now.map_or_else(|_| String::new(), |now| now.to_string())
}

/// Whether a kind's status is a part of its own that its main path leaves alone.
fn has_status(target: &Target) -> bool {
    matches!(target.resource.as_str(), "runs" | "jobs" | "pods")
}

/// What a request to a part of an object may change of it.
fn part_of(target: &Target, part: &str, before: &Value, mut after: Value) -> Value {
    let status = |object: &Value| object.get("status").cloned().unwrap_or(Value::Null);
    if part == "status" {
        let mut object = before.clone();
        object["status"] = status(&after);
        return object;
    }
    if has_status(target) {
        after["status"] = status(before);
        if after["status"].is_null() {
            after.as_object_mut().map(|object| object.remove("status"));
        }
    }
    after
}

/// Refuses what was meant for another state of the object, or for another object of its name.
fn guard(target: &Target, before: &Value, sent: &Value) -> Result<(), Refused> {
    for path in ["/metadata/resourceVersion", "/metadata/uid"] {
        let (wanted, is) = (text(sent, path), text(before, path));
        if wanted.is_some() && wanted != is {
            let message = format!(
                "Operation cannot be fulfilled on {} \"{}\": the object has been modified; \
                 please apply your changes to the latest version and try again",
                target.resource, target.name
            );
            return Err((409, "Conflict", message));
        }
    }
    Ok(())
}

/// The answer that there is no such object.
pub(super) fn missing(target: &Target) -> Refused {
    let resource = match target.group() {
        "" => target.resource.clone(),
        group => format!("{}.{group}", target.resource),
    };
    (
        404,
        "NotFound",
        format!("{resource} \"{}\" not found", target.name),
    )
}

/// A list as Kubernetes answers it.
pub(super) fn list_of(items: Vec<Value>, version: u64) -> Value {
    json!({
        "kind": "List", "apiVersion": "v1",
        "metadata": {"resourceVersion": version.to_string()}, "items": items,
    })
}

fn text<'a>(object: &'a Value, path: &str) -> Option<&'a str> {
    object
        .pointer(path)?
        .as_str()
        .filter(|text| !text.is_empty())
}
