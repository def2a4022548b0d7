//! Adds up the result lines of many test programs.

use std::fmt;
use std::ops::AddAssign;

/// How many tests passed, failed and were left out so far.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Results {
    pub(super) passed: u64,
    pub(super) failed: u64,
    pub(super) skipped: u64,
}

impl Results {
    /// Adds a line if it is a test program's last one; any other line changes nothing.
    pub(super) fn add(&mut self, line: &str) {
        let Some((_, counts)) = line
            .strip_prefix("test result: ")
            .and_then(|rest| rest.split_once(". "))
        else {
            return;
        };
        for count in counts.split("; ") {
            match count
                .split_once(' ')
                .map(|(n, what)| (n.parse::<u64>(), what))
            {
                Some((Ok(n), "passed")) => self.passed += n,
                Some((Ok(n), "failed")) => self.failed += n,
                Some((Ok(n), "ignored")) => self.skipped += n,
                _ => {}
            }
        }
    }
}

impl AddAssign for Results {
    fn add_assign(&mut self, more: Self) {
        let Self {
            passed,
            failed,
            skipped,
        } = more;
        self.passed += passed;
        self.failed += failed;
        self.skipped += skipped;
    }
}

impl fmt::Display for Results {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            passed,
            failed,
            skipped,
        } = self;
        write!(
            f,
            "tests: {passed} passed, {failed} failed, {skipped} skipped"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn result_lines_add_up_and_other_lines_do_not_count() {
        let mut results = Results::default();
        for line in [
            "running 3 tests",
            "test a::b ... ok",
            "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 7 filtered out; finished in 0.01s",
            "test result: FAILED. 2 passed; 4 failed; 0 ignored; 0 measured; 0 filtered out; finished in 9.00s",
            "the last test result: ok. 100 passed; 0 failed",
        ] {
            results.add(line);
        }
        assert_eq!(
            results,
            Results {
                passed: 5,
                failed: 4,
                skipped: 1
            }
        );
        results += Results {
            passed: 1,
            failed: 2,
            skipped: 3,
        };
        assert_eq!(results.to_string(), "tests: 6 passed, 6 failed, 4 skipped");
    }
}
