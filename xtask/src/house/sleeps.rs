//! A test waits for what it expects, with a bound; it does not sleep and hope.
//!
//! A sleep inside a loop is the pause between two looks and passes. One outside a loop is a guess
//! about someone else's speed, unless a comment on it says why there is nothing to wait for: the
//! proof that something does not happen has to let time pass. In code that ships, a thread that
//! sleeps cannot be told to stop.

use proc_macro2::Delimiter;

use super::tokens::{group, line, reads, walk, word};
use super::{Finding, Source};

/// Finds sleeps that are guesses.
#[must_use]
pub fn check(file: &Source) -> Vec<Finding> {
    // With a paused clock a sleep takes no time and guesses nothing.
    let virtual_time = file.text.contains("start_paused") || file.text.contains("time::pause()");
    let mut found = Vec::new();
    walk(file.tokens(), &mut |trees, at, place| {
        let call = word(trees, at).as_deref() == Some("sleep")
            && group(trees, at + 1, Delimiter::Parenthesis).is_some()
            && !(at > 0 && (reads(trees, at - 1, &["fn"]) || reads(trees, at - 1, &["."])));
        if !call {
            return;
        }
        let line = line(&trees[at]);
        let blocks = at >= 3 && reads(trees, at - 3, &["thread", ":", ":"]);
        let waits = place.in_loop || (virtual_time && !blocks) || explained(&file.text, line);
        let what = match (place.in_test || file.is_test(), blocks) {
            (true, _) if !waits => {
                "a bare sleep in a test: wait for the condition, in a loop with a bound, or say in \
                 a comment above it why there is nothing to wait for"
            }
            (false, true) => "a thread that sleeps cannot be told to stop: wait on a condition",
            _ => return,
        };
        found.push(Finding::new(&file.path, line, what));
    });
    found
}

/// Whether a comment stands on this line or on the one above.
fn explained(text: &str, line: usize) -> bool {
    let mut lines = text.lines().skip(line.saturating_sub(2));
    let above = line > 1
        && lines
            .next()
            .is_some_and(|text| text.trim().starts_with("// "));
    above || lines.next().is_some_and(|text| text.contains("// "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sleeps(path: &str, text: &str) -> usize {
        check(&Source::new(path, text)).len()
    }

    #[test]
    fn a_bare_sleep_in_a_test_is_found() {
        let body = "fn a() { std::thread::sleep(SECOND); }";
        assert_eq!(sleeps("a/tests/a.rs", body), 1);
        assert_eq!(
            sleeps(
                "a/src/a.rs",
                &format!("#[cfg(test)] mod tests {{ {body} }}")
            ),
            1
        );
        assert_eq!(
            sleeps(
                "a/tests/a.rs",
                "async fn a() { tokio::time::sleep(B).await; }"
            ),
            1
        );
        assert_eq!(
            sleeps(
                "a/tests/a.rs",
                "async fn a() { for b in c {} sleep(B).await; }"
            ),
            1
        );
    }

    #[test]
    fn a_pause_between_two_looks_passes() {
        let body = "fn a() { while !done() { assert!(in_time()); thread::sleep(B); } }";
        assert_eq!(sleeps("a/tests/a.rs", body), 0);
        assert_eq!(
            sleeps("a/tests/a.rs", "fn sleep(a: u8) {} fn b() { c.sleep(1) }"),
            0
        );
    }

    #[test]
    fn a_sleep_that_says_why_passes() {
        let body = "fn a() {\n    // Nothing may happen for a lease's length.\n    sleep(B);\n}";
        assert_eq!(sleeps("a/tests/a.rs", body), 0);
        assert_eq!(
            sleeps(
                "a/tests/a.rs",
                "fn a() {\n    // Why.\n    b();\n    sleep(C);\n}"
            ),
            1
        );
        assert_eq!(
            sleeps("a/tests/a.rs", "//! Story.\n\nfn a() { sleep(C) }"),
            1
        );
    }

    #[test]
    fn virtual_time_excuses_the_timer_and_not_the_thread() {
        let test = "#[tokio::test(start_paused = true)] async fn a()";
        assert_eq!(
            sleeps(
                "a/tests/a.rs",
                &format!("{test} {{ time::sleep(B).await; }}")
            ),
            0
        );
        assert_eq!(
            sleeps("a/tests/a.rs", &format!("{test} {{ thread::sleep(B); }}")),
            1
        );
    }

    #[test]
    fn what_ships_may_use_the_timer_and_not_block_a_thread() {
        assert_eq!(
            sleeps(
                "a/src/a.rs",
                "async fn a() { tokio::time::sleep(B).await; }"
            ),
            0
        );
        assert_eq!(
            sleeps("a/src/a.rs", "fn a() { loop { std::thread::sleep(B); } }"),
            1
        );
    }
}
