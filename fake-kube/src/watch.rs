//! Watches: a line of JSON for each change that a selector lets through.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use futures_util::stream;
use serde_json::{Value, json};

use crate::Shared;
use crate::store::Change;
use crate::target::Target;

/// Which objects are meant.
#[derive(Debug, Clone, Default)]
pub(super) struct Selector {
    labels: Vec<(String, Option<String>)>,
    name: Option<String>,
}

impl Selector {
    /// Of `labelSelector` and `fieldSelector`.
    pub(super) fn parse(labels: &str, fields: &str) -> Self {
        let labels = labels.split(',').filter(|label| !label.is_empty());
        let label = |label: &str| match label.split_once('=') {
            Some((name, value)) => (
                name.trim_end_matches('=').to_owned(),
                Some(value.trim_start_matches('=').to_owned()),
            ),
            None => (label.to_owned(), None),
        };
        Self {
            labels: labels.map(label).collect(),
            name: fields
                .split(',')
                .find_map(|field| field.strip_prefix("metadata.name="))
                .map(str::to_owned),
        }
    }

    pub(super) fn takes(&self, object: &Value) -> bool {
        let labels = &object["metadata"]["labels"];
        let labels = self.labels.iter().all(|(name, wanted)| match wanted {
            Some(wanted) => labels[name] == wanted.as_str(),
            None => labels.get(name).is_some(),
        });
        labels
            && self
                .name
                .as_ref()
                .is_none_or(|name| object["metadata"]["name"] == name.as_str())
    }
}

/// Where a watch is.
struct Watch {
    shared: Arc<Shared>,
    target: Target,
    selector: Selector,
    at: u64,
    cuts: u64,
    bookmarks: bool,
    begun: bool,
}

/// The body of the answer to a watch from this version on.
pub(super) fn body(
    shared: Arc<Shared>,
    target: Target,
    selector: Selector,
    from: Option<u64>,
    bookmarks: bool,
) -> Body {
    let (now, cuts) = {
        let state = shared.lock();
        (state.store.version(), state.cuts)
    };
    let watch = Watch {
        shared,
        target,
        selector,
        at: from.unwrap_or(now),
        cuts,
        bookmarks,
        begun: false,
    };
    Body::from_stream(stream::unfold(Some(watch), |watch| async {
        let mut watch = watch?;
        let Some((lines, goes_on)) = watch.next().await else {
            let torn = watch.shared.lock().tears;
            let broken = std::io::Error::new(std::io::ErrorKind::ConnectionReset, "a test tore it");
            return torn.then_some((Err(broken), None));
        };
        Some((Ok(Bytes::from(lines)), goes_on.then_some(watch)))
    }))
}

impl Watch {
    /// The next lines, and whether there may be more; none at the end.
    async fn next(&mut self) -> Option<(String, bool)> {
        let mut changed = self.shared.changed.subscribe();
        loop {
            let lines = {
                let state = self.shared.lock();
                if state.cuts != self.cuts {
                    return None;
                }
                let Some(changes) = state.store.since(self.at) else {
                    let gone = crate::status(410, "Expired", "too old resource version");
                    return Some((line("ERROR", &gone), false));
                };
                let mut lines: String = changes
                    .filter(|change| self.is_told(change))
                    .map(|change| line(change.kind, &change.object))
                    .collect();
                self.at = state.store.version();
                if self.bookmarks && !std::mem::replace(&mut self.begun, true) {
                    lines += &self.bookmark();
                }
                lines
            };
            if !lines.is_empty() {
                return Some((lines, true));
            }
            changed.changed().await.ok()?;
        }
    }

    fn is_told(&self, change: &Change) -> bool {
        self.target.holds(&change.target) && self.selector.takes(&change.object)
    }

    fn bookmark(&self) -> String {
        let (group, kind) = (&self.target.version, &self.target.resource);
        let metadata = json!({"resourceVersion": self.at.to_string()});
        line(
            "BOOKMARK",
            &json!({"apiVersion": group, "kind": kind, "metadata": metadata}),
        )
    }
}

fn line(kind: &str, object: &Value) -> String {
    format!("{}\n", json!({"type": kind, "object": object}))
}
