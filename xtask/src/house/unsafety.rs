//! No `unsafe` but where a table says why. The lint denies it too; this rule finds the `allow` that
//! would silence the lint.

use super::tokens::{line, walk, word};
use super::{Exception, Finding, Source, without};

/// Files that may, each with what makes it sound.
const MAY: [Exception; 0] = [];

/// Finds files with unsafe code that the table does not know.
#[must_use]
pub fn check(files: &[&Source]) -> Vec<Finding> {
    without(
        &MAY,
        files.iter().flat_map(|file| unsafe_in(file)).collect(),
    )
}

fn unsafe_in(file: &Source) -> Vec<Finding> {
    let mut found = Vec::new();
    walk(file.tokens(), &mut |trees, at, _| {
        if word(trees, at).as_deref() == Some("unsafe") {
            let what = "unsafe code: use a safe crate (rustix for system calls)";
            found.push(Finding::new(&file.path, line(&trees[at]), what));
        }
    });
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unsafe_code_is_found_wherever_it_stands() {
        for text in [
            "unsafe fn a() {}",
            "fn a() { unsafe { b() } }",
            "m! { unsafe { b() } }",
        ] {
            assert_eq!(unsafe_in(&Source::new("a.rs", text)).len(), 1, "{text}");
        }
    }

    #[test]
    fn the_word_alone_is_not_unsafe_code() {
        let text = "#![forbid(unsafe_code)]\n// unsafe\nconst A: &str = \"unsafe\";";
        assert_eq!(unsafe_in(&Source::new("a.rs", text)), []);
    }
}
