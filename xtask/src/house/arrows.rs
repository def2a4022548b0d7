//! Which of our crates may use which: ARCHITECTURE.md's arrows.
//!
//! Only what ships is held to them. A test may lean on any crate that keeps the arrows free of
//! circles, and cargo itself refuses those.

use cargo_metadata::{DependencyKind, Metadata};

use super::Finding;

/// Each crate and those of ours it may depend on. What is not here has no place yet: a new crate
/// says in this table where it stands.
const ARROWS: [(&str, &[&str]); 12] = [
    ("queue-core", &[]),
    ("queue-log", &[]),
    ("queue-api", &[]),
    ("metrics", &[]),
    ("telemetry", &["queue-api"]),
    ("queue-client", &["queue-api"]),
    (
        "queue-server",
        &[
            "queue-api",
            "queue-core",
            "queue-log",
            "metrics",
            "telemetry",
        ],
    ),
    (
        "worker",
        &["queue-api", "queue-client", "metrics", "telemetry"],
    ),
    (
        "loadtest",
        &["queue-api", "queue-client", "queue-log", "queue-server"],
    ),
    (
        "orchestrator",
        &[
            "queue-api",
            "queue-client",
            "metrics",
            "telemetry",
            "queue-server",
            "worker",
        ],
    ),
    // For tests: nothing that ships may lean on it.
    ("fake-kube", &[]),
    ("xtask", &[]),
];

/// A crate and those of ours that what it ships depends on.
pub type Edges = (String, Vec<String>);

/// The arrows that cargo sees.
#[must_use]
pub fn edges(metadata: &Metadata) -> Vec<Edges> {
    let packages = metadata.workspace_packages();
    let ours: Vec<&str> = packages
        .iter()
        .map(|package| package.name.as_str())
        .collect();
    let ships = |kind| matches!(kind, DependencyKind::Normal | DependencyKind::Build);
    let edges = packages.iter().map(|package| {
        let uses = package.dependencies.iter().filter(|d| ships(d.kind));
        let uses = uses
            .map(|d| d.name.clone())
            .filter(|name| ours.contains(&name.as_str()));
        (package.name.to_string(), uses.collect())
    });
    edges.collect()
}

/// Finds arrows that are not in the table, and crates and rows that the other side lacks.
#[must_use]
pub fn check(edges: &[Edges]) -> Vec<Finding> {
    against(&ARROWS, edges)
}

fn against(table: &[(&str, &[&str])], edges: &[Edges]) -> Vec<Finding> {
    let mut found = Vec::new();
    for (name, uses) in edges {
        let manifest = format!("{name}/Cargo.toml");
        let Some((_, allowed)) = table.iter().find(|(row, _)| row == name) else {
            found.push(Finding::new(
                &manifest,
                0,
                "this crate is not in the table of arrows",
            ));
            continue;
        };
        for used in uses.iter().filter(|used| !allowed.contains(&used.as_str())) {
            let what = format!("`{name}` may not depend on `{used}`: see ARCHITECTURE.md");
            found.push(Finding::new(&manifest, 0, what));
        }
    }
    for (row, _) in table
        .iter()
        .filter(|(row, _)| !edges.iter().any(|(name, _)| name == row))
    {
        let what = "the table of arrows names this crate, which the workspace does not have";
        found.push(Finding::new(&format!("{row}/Cargo.toml"), 0, what));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: [(&str, &[&str]); 2] = [("core", &[]), ("server", &["core"])];

    fn edge(name: &str, uses: &[&str]) -> Edges {
        (
            name.into(),
            uses.iter().map(|used| (*used).into()).collect(),
        )
    }

    #[test]
    fn arrows_of_the_table_pass() {
        let edges = [edge("core", &[]), edge("server", &["core"])];
        assert_eq!(against(&TABLE, &edges), []);
    }

    #[test]
    fn an_arrow_the_wrong_way_is_found() {
        let found = against(&TABLE, &[edge("core", &["server"]), edge("server", &[])]);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].path, "core/Cargo.toml");
        assert!(
            found[0].what.contains("`core` may not depend on `server`"),
            "{}",
            found[0]
        );
    }

    #[test]
    fn a_crate_without_a_row_and_a_row_without_a_crate_are_found() {
        let found = against(&TABLE, &[edge("core", &[]), edge("log", &[])]);
        let paths: Vec<_> = found.iter().map(|f| f.path.as_str()).collect();
        assert_eq!(paths, ["log/Cargo.toml", "server/Cargo.toml"]);
    }
}
