//! No file is longer than one can hold in mind.

use super::{Exception, Finding, Source, without};

/// Most lines of a Rust file. The good ones have about a hundred.
const MOST_LINES: usize = 500;

/// Longer files, each with the reason why splitting it would make it harder to read.
const LONGER: [Exception; 0] = [];

/// Finds files over the limit that the table does not know.
#[must_use]
pub fn check(files: &[&Source]) -> Vec<Finding> {
    without(&LONGER, too_long(files))
}

fn too_long(files: &[&Source]) -> Vec<Finding> {
    let long = files.iter().filter_map(|file| {
        let lines = file.text.lines().count();
        let what = format!("{lines} lines, over {MOST_LINES}: split it by noun");
        (lines > MOST_LINES).then(|| Finding::new(&file.path, 0, what))
    });
    long.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_at_the_limit_passes_and_one_line_more_is_found() {
        let at = Source::new("at.rs", "x\n".repeat(MOST_LINES));
        let past = Source::new("past.rs", "x\n".repeat(MOST_LINES + 1));
        let found = too_long(&[&at, &past]);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].path, "past.rs");
    }
}
