//! Every crate inherits the workspace's lints; one that forgets is checked by nothing.

use super::{Finding, Source};

/// Finds a member's manifest that does not say `[lints] workspace = true`.
#[must_use]
pub fn check(manifest: &Source) -> Option<Finding> {
    let lines = manifest
        .text
        .lines()
        .map(str::trim)
        .skip_while(|line| *line != "[lints]");
    let section = lines.skip(1).take_while(|line| !line.starts_with('['));
    let inherits = section
        .into_iter()
        .any(|line| line.replace(' ', "") == "workspace=true");
    let what = "this crate does not inherit the lints: add `[lints]` with `workspace = true`";
    (!inherits).then(|| Finding::new(&manifest.path, 0, what))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_that_inherits_passes() {
        let text = "[package]\nname = \"a\"\n\n[lints]\nworkspace = true\n";
        assert_eq!(check(&Source::new("a/Cargo.toml", text)), None);
    }

    #[test]
    fn a_manifest_that_does_not_is_found() {
        for text in [
            "[package]\nname = \"a\"\n",
            "[lints]\n[dependencies.b]\nworkspace = true\n",
            "[lints]\nworkspace = false\n",
            "# [lints]\n# workspace = true\n",
        ] {
            assert!(
                check(&Source::new("a/Cargo.toml", text)).is_some(),
                "{text}"
            );
        }
    }
}
