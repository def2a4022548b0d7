//! The house rules that no compiler keeps: what a file, a crate and a test must look like here.
//!
//! Each rule is a pure function from sources to [`Finding`]s, in a module of its own whose tests
//! show that it finds what it forbids. Exceptions stand in the rule's own table, each with its
//! reason; an exception that is no longer needed is a finding too.

pub mod arrows;
pub mod core_purity;
pub mod lengths;
pub mod lints;
pub mod marks;
pub mod openings;
pub mod orphans;
pub mod sleeps;
mod tokens;
pub mod unsafety;
mod workspace;

use std::fmt;

pub use workspace::{Source, Workspace};

/// A place that breaks a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The file, from the workspace's root.
    pub path: String,
    /// The line, or 0 where the whole file is meant.
    pub line: usize,
    /// What is wrong, and what to do about it.
    pub what: String,
}

impl Finding {
    fn new(path: &str, line: usize, what: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            line,
            what: what.into(),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.path, self.what),
            line => write!(f, "{}:{line}: {}", self.path, self.what),
        }
    }
}

/// A file that may break a rule, and why.
pub type Exception = (&'static str, &'static str);

/// Takes the excepted files out of what was found; an exception that excepts nothing is a finding
/// itself, so that the table cannot outlive its reasons.
fn without(exceptions: &[Exception], found: Vec<Finding>) -> Vec<Finding> {
    let stale = exceptions
        .iter()
        .filter(|(path, _)| !found.iter().any(|f| f.path == *path));
    let stale = stale.map(|(path, _)| Finding::new(path, 0, "excepted from a rule it keeps"));
    let stale: Vec<_> = stale.collect();
    let excepted = |f: &Finding| exceptions.iter().any(|(path, _)| f.path == *path);
    found
        .into_iter()
        .filter(|f| !excepted(f))
        .chain(stale)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exception_hides_its_file_only() {
        let found = vec![
            Finding::new("a.rs", 1, "bad"),
            Finding::new("b.rs", 2, "bad"),
        ];
        let left = without(&[("a.rs", "a reason")], found);
        assert_eq!(left, [Finding::new("b.rs", 2, "bad")]);
    }

    #[test]
    fn an_exception_without_need_is_found() {
        let left = without(&[("gone.rs", "a reason")], Vec::new());
        assert_eq!(left.len(), 1);
        assert_eq!(left[0].path, "gone.rs");
    }
}
