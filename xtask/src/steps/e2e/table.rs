//! What came of the stories, for people and for the sum of all tests.

use std::fmt;
use std::time::Duration;

use super::super::results::Results;

/// What came of a story.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Came {
    Passed,
    /// The cluster cannot hold it, and why.
    Skipped(String),
    Failed(String),
}

/// A story that was told.
#[derive(Debug, Clone)]
pub(super) struct Row {
    pub(super) name: &'static str,
    pub(super) shows: &'static str,
    pub(super) came: Came,
    pub(super) took: Duration,
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            name,
            shows,
            came,
            took,
        } = self;
        let (mark, why) = match came {
            Came::Passed => ("ok", ""),
            Came::Skipped(why) => ("SKIPPED", why.as_str()),
            Came::Failed(why) => ("FAILED", why.as_str()),
        };
        write!(f, "{mark:8} {name:20} {:>4} s  {shows}", took.as_secs())?;
        for line in why.lines() {
            write!(f, "\n         {line}")?;
        }
        Ok(())
    }
}

/// All that were told.
#[derive(Debug)]
pub(in super::super) struct Table {
    rows: Vec<Row>,
    took: Duration,
}

impl Table {
    pub(super) fn new(rows: Vec<Row>, took: Duration) -> Self {
        Self { rows, took }
    }

    fn count(&self, which: fn(&Came) -> bool) -> u64 {
        let rows = self.rows.iter().filter(|row| which(&row.came));
        u64::try_from(rows.count()).unwrap_or(u64::MAX)
    }

    pub(super) fn passed(&self) -> u64 {
        self.count(|came| *came == Came::Passed)
    }

    fn skipped(&self) -> u64 {
        self.count(|came| matches!(came, Came::Skipped(_)))
    }

    fn failed(&self) -> u64 {
        self.count(|came| matches!(came, Came::Failed(_)))
    }

    /// Whether none failed.
    pub(in super::super) fn is_well(&self) -> bool {
        self.failed() == 0
    }

    /// For the sum of all tests.
    pub(in super::super) fn results(&self) -> Results {
        Results {
            passed: self.passed(),
            failed: self.failed(),
            skipped: self.skipped(),
        }
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f)?;
        for row in &self.rows {
            writeln!(f, "{row}")?;
        }
        let skipped = match self.skipped() {
            0 => "",
            _ => ": what is skipped was NOT tried",
        };
        write!(
            f,
            "end to end: {} passed, {} failed, {} skipped in {} s{skipped}",
            self.passed(),
            self.failed(),
            self.skipped(),
            self.took.as_secs()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(came: Came) -> Row {
        Row {
            name: "a-story",
            shows: "that it ends",
            came,
            took: Duration::from_secs(7),
        }
    }

    #[test]
    fn what_was_not_tried_is_said_and_what_failed_is_no_success() {
        let skipped = Came::Skipped("no volume".to_owned());
        let table = Table::new(
            vec![row(Came::Passed), row(skipped)],
            Duration::from_secs(9),
        );
        assert!(table.is_well());
        let text = table.to_string();
        assert!(
            text.contains("SKIPPED") && text.contains("no volume"),
            "{text}"
        );
        assert!(
            text.ends_with("1 passed, 0 failed, 1 skipped in 9 s: what is skipped was NOT tried"),
            "{text}"
        );
        let table = Table::new(vec![row(Came::Failed("gone".to_owned()))], Duration::ZERO);
        assert!(!table.is_well() && table.passed() == 0);
    }
}
