//! No mark of unfinished work without the issue that finishes it: a note to oneself is read by
//! everyone else.

use super::{Finding, Source};

/// The marks, each written in two halves so that this file does not find itself.
const MARKS: [&str; 3] = [
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("XX", "X"),
];

/// Finds marks that are not followed by `(#` and an issue's number.
#[must_use]
pub fn check(file: &Source) -> Vec<Finding> {
    let lines = file.text.lines().enumerate();
    let bare = lines.filter_map(|(at, line)| {
        let mark = MARKS.iter().find(|mark| has_bare(line, mark))?;
        let what = format!("`{mark}` without an issue: finish it, or write {mark}(#number)");
        Some(Finding::new(&file.path, at + 1, what))
    });
    bare.collect()
}

fn has_bare(line: &str, mark: &str) -> bool {
    line.match_indices(mark).any(|(at, _)| {
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let after = &line[at + mark.len()..];
        let whole = !line[..at].ends_with(is_word) && !after.starts_with(is_word);
        let issue = after
            .strip_prefix("(#")
            .and_then(|rest| rest.split_once(')'));
        let numbered = issue.is_some_and(|(n, _)| n.parse::<u32>().is_ok());
        whole && !numbered
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<usize> {
        check(&Source::new("a.rs", text))
            .into_iter()
            .map(|found| found.line)
            .collect()
    }

    #[test]
    fn a_bare_mark_is_found_wherever_it_stands() {
        for mark in MARKS {
            for text in [
                "// M: later",
                "let a = 1; // M",
                "//! M(me) M",
                "M",
                "# M(#)",
            ] {
                assert_eq!(
                    lines(&format!("\n{}", text.replace('M', mark))),
                    [2],
                    "{mark} {text}"
                );
            }
        }
    }

    #[test]
    fn a_mark_with_its_issue_and_a_longer_word_pass() {
        for text in [
            "// M(#12): when the log is there",
            "mktemp /tmp/aMMM",
            "M_ST",
            "AUTOM",
        ] {
            let text = text.replace('M', MARKS[0]);
            assert!(lines(&text).is_empty(), "{text}");
        }
    }
}
