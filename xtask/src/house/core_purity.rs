//! queue-core is pure: no standard library, so no clock, no file and no thread.
//!
//! `#![no_std]` alone does not do it: a later `extern crate std` would bring all of it back.

use super::tokens::{line, reads, walk, word};
use super::{Finding, Source};

/// Words that bring in what the core must not reach.
const REACHES_OUT: [&str; 4] = ["std", "SystemTime", "Instant", "tokio"];

/// Finds a root that does not say `#![no_std]`.
#[must_use]
pub fn root(file: &Source) -> Option<Finding> {
    let mut said = false;
    walk(file.tokens(), &mut |trees, at, _| {
        // A `cfg_attr` around it would make it a matter of circumstances.
        said |= word(trees, at).as_deref() == Some("no_std") && trees.len() == 1;
    });
    let what = "the core says `#![no_std]`, in all circumstances";
    (!said).then(|| Finding::new(&file.path, 0, what))
}

/// Finds what reaches out of the core, outside of tests.
#[must_use]
pub fn check(file: &Source) -> Vec<Finding> {
    let mut found = Vec::new();
    walk(file.tokens(), &mut |trees, at, place| {
        let Some(word) = word(trees, at).filter(|word| REACHES_OUT.contains(&word.as_str())) else {
            return;
        };
        // Tests need the standard library, and ask for it by name.
        let for_tests = place.in_test || is_extern_for_tests(trees, at);
        if !for_tests {
            let what = format!("the core takes time as an argument and knows no `{word}`");
            found.push(Finding::new(&file.path, line(&trees[at]), what));
        }
    });
    found
}

/// `#[cfg(test)] extern crate std`, at its last word.
fn is_extern_for_tests(trees: &[proc_macro2::TokenTree], at: usize) -> bool {
    at >= 4
        && reads(trees, at - 2, &["extern", "crate"])
        && trees[at - 3].to_string().replace(' ', "") == "[cfg(test)]"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> usize {
        check(&Source::new("queue-core/src/lib.rs", text)).len()
    }

    #[test]
    fn a_root_must_say_no_std_in_all_circumstances() {
        let says = |text: &str| root(&Source::new("queue-core/src/lib.rs", text)).is_none();
        assert!(says("//! The core.\n#![no_std]\nextern crate alloc;"));
        assert!(!says("//! The core.\nextern crate alloc;"));
        assert!(!says("//! The core, `no_std`.\n// #![no_std]"));
        assert!(!says("#![cfg_attr(not(test), no_std)]"));
    }

    #[test]
    fn what_reaches_out_is_found() {
        assert_eq!(words("use std::time::Duration;"), 1);
        assert_eq!(
            words("fn a() { let now = ::std::time::SystemTime::now(); }"),
            2
        );
        assert_eq!(words("extern crate std;"), 1);
        assert_eq!(words("#[cfg(feature = \"a\")] extern crate std;"), 1);
        assert_eq!(words("fn a(at: Instant) {}"), 1);
    }

    #[test]
    fn the_core_and_its_tests_pass() {
        assert_eq!(
            words("use core::time::Duration; use alloc::vec::Vec; // not std"),
            0
        );
        assert_eq!(words("#[cfg(test)] extern crate std;"), 0);
        assert_eq!(words("#[cfg(test)] mod tests { use std::vec; }"), 0);
    }
}
