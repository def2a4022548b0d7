//! Every Rust file opens with `//!`: what it owns, and what it does not know.

use super::{Finding, Source};

/// Finds the file if it opens with anything else. Build scripts and the `mod.rs` of shared test
/// helpers are free: what they are, their place says.
#[must_use]
pub fn check(file: &Source) -> Option<Finding> {
    let helper = file.is_test() && file.path.ends_with("/mod.rs");
    let script = file.path.ends_with("build.rs");
    let first = file.text.lines().next().unwrap_or_default();
    let said = first
        .strip_prefix("//!")
        .is_some_and(|rest| !rest.trim().is_empty());
    let what = "open the file with `//!`: what it owns, and what it does not know";
    (!helper && !script && !said).then(|| Finding::new(&file.path, 1, what))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_says_what_it_is_passes() {
        assert_eq!(
            check(&Source::new("a/src/b.rs", "//! Owns b.\nfn b() {}\n")),
            None
        );
    }

    #[test]
    fn a_file_that_does_not_is_found() {
        for text in [
            "",
            "fn b() {}\n",
            "// Owns b.\n",
            "//!\nfn b() {}",
            "\n//! Owns b.\n",
        ] {
            let found = check(&Source::new("a/src/b.rs", text)).expect("it is found");
            assert_eq!(
                (found.path.as_str(), found.line),
                ("a/src/b.rs", 1),
                "{text}"
            );
        }
    }

    #[test]
    fn build_scripts_and_shared_test_helpers_are_free() {
        for path in ["a/build.rs", "a/tests/common/mod.rs"] {
            assert_eq!(check(&Source::new(path, "fn b() {}\n")), None);
        }
        assert!(check(&Source::new("a/src/b/mod.rs", "fn b() {}\n")).is_some());
    }
}
