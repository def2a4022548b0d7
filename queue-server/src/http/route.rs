//! A path as it may be told: without what is secret in it, and, for the name of a span, without what is
//! different each time.
//!
//! It does not know which routes there are: it looks at the words around a name.

use std::borrow::Cow;

/// A lease's token stands behind this, and whoever has it can settle the lease.
const LEASES: &str = "/v1/leases/";

/// A path for a line of the log: one that holds a lease's token without it.
pub(super) fn shown(path: &str) -> Cow<'_, str> {
    match path.strip_prefix(LEASES) {
        None => Cow::Borrowed(path),
        Some(rest) => {
            let call = rest.split_once('/').map_or("", |(_, call)| call);
            Cow::Owned(format!("{LEASES}{{lease}}/{call}"))
        }
    }
}

/// A path with the kinds of things in the place of their names, so that there are few of them. What cannot be
/// one of ours is only said to be that.
pub(super) fn template(path: &str) -> String {
    let mut told = String::with_capacity(path.len() + 8);
    let mut before = "";
    for (at, part) in path.trim_start_matches('/').split('/').enumerate() {
        let name = match before {
            "queues" => "{queue}",
            "items" => "{id}",
            "leases" => "{lease}",
            "runs" => "{run}",
            _ => part,
        };
        let known = at > 0 || matches!(part, "v1" | "memq" | "ui" | "");
        let is_word = name != part || part.bytes().all(|b| b.is_ascii_lowercase() || b == b'1');
        if !(known && is_word) && at < 4 {
            return "other".to_owned();
        }
        told.push('/');
        told.push_str(name);
        before = name;
    }
    told
}

/// The queue that a path names.
pub(super) fn queue(path: &str) -> Option<&str> {
    let (_, rest) = path.split_once("/queues/")?;
    rest.split('/').next().filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_is_not_told() {
        assert_eq!(shown("/v1/leases/s3cret/ack"), "/v1/leases/{lease}/ack");
        assert_eq!(shown("/v1/leases/s3cret"), "/v1/leases/{lease}/");
        assert_eq!(shown("/v1/queues/q/lease"), "/v1/queues/q/lease");
    }

    #[test]
    fn names_are_told_by_what_they_name() {
        for (path, told) in [
            ("/v1/queues", "/v1/queues"),
            ("/v1/queues/q", "/v1/queues/{queue}"),
            ("/v1/queues/items/items/1f", "/v1/queues/{queue}/items/{id}"),
            ("/v1/leases/s3cret/nack", "/v1/leases/{lease}/nack"),
            (
                "/memq/server/queues/q/dequeue",
                "/memq/server/queues/{queue}/dequeue",
            ),
            ("/v1/runs/nightly", "/v1/runs/{run}"),
            ("/wp-login.php", "other"),
            ("/v1/Q", "other"),
            ("/", "/"),
        ] {
            assert_eq!(template(path), told, "{path}");
        }
        assert_eq!(queue("/v1/queues/q/items"), Some("q"));
        assert_eq!(queue("/v1/queues"), None);
        assert_eq!(queue("/v1/leases/s3cret/ack"), None);
    }
}
