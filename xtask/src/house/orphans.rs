//! Every Rust file is reached by a `mod` declaration from some target: the compiler never says a
//! word about one that is not, and people edit it in vain.

use std::collections::BTreeSet;

use proc_macro2::{Delimiter, TokenStream, TokenTree};

use super::tokens::{group, reads, word};
use super::{Finding, Source};

/// Finds files that none of the roots reaches. Roots are the files that targets begin with.
#[must_use]
pub fn check(files: &[&Source], roots: &BTreeSet<String>) -> Vec<Finding> {
    let mut reached = BTreeSet::new();
    let mut open: Vec<(String, bool)> = roots.iter().map(|root| (root.clone(), true)).collect();
    while let Some((path, is_root)) = open.pop() {
        let Some(file) = files.iter().find(|file| file.path == path) else {
            continue;
        };
        if reached.insert(path) {
            let declared = declarations(file, is_root);
            open.extend(declared.into_iter().map(|path| (path, false)));
        }
    }
    let orphans = files.iter().filter(|file| !reached.contains(&file.path));
    let what = "no `mod` declaration reaches this file, so it is never compiled";
    orphans
        .map(|file| Finding::new(&file.path, 0, what))
        .collect()
}

/// Every path at which a module that this file declares may lie.
fn declarations(file: &Source, is_root: bool) -> Vec<String> {
    let (folder, name) = file.path.rsplit_once('/').unwrap_or(("", &file.path));
    let stem = name.trim_end_matches(".rs");
    let below = if is_root || stem == "mod" {
        folder.into()
    } else {
        join(folder, stem)
    };
    let mut into = Vec::new();
    modules(file.tokens(), folder, &below, &mut into);
    into
}

fn modules(tokens: TokenStream, folder: &str, below: &str, into: &mut Vec<String>) {
    let trees: Vec<TokenTree> = tokens.into_iter().collect();
    let mut given_path = None;
    for (at, tree) in trees.iter().enumerate() {
        if let Some(attribute) = group(&trees, at, Delimiter::Bracket) {
            given_path = path_attribute(attribute.stream()).or(given_path);
        }
        if let TokenTree::Group(inner) = tree {
            let inline = at >= 2 && word(&trees, at - 2).as_deref() == Some("mod");
            let name = inline.then(|| word(&trees, at - 1)).flatten();
            let below = name.map_or_else(|| below.into(), |name| join(below, &name));
            modules(inner.stream(), folder, &below, into);
        }
        if let (true, Some(name)) = (reads(&trees, at, &["mod"]), word(&trees, at + 1)) {
            let given = given_path.take();
            if reads(&trees, at + 2, &[";"]) {
                match given {
                    Some(path) => into.push(join(folder, &path)),
                    None => into.extend([
                        join(below, &format!("{name}.rs")),
                        join(below, &format!("{name}/mod.rs")),
                    ]),
                }
            }
        }
    }
}

fn path_attribute(attribute: TokenStream) -> Option<String> {
    let text = attribute.to_string();
    let path = text
        .strip_prefix("path")?
        .trim_start()
        .strip_prefix('=')?
        .trim();
    Some(path.trim_matches('"').into())
}

/// The path with its `..` taken out, as the list of files has it.
fn join(folder: &str, rest: &str) -> String {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in rest.split('/') {
        match part {
            ".." => drop(parts.pop()),
            "." => {}
            part => parts.push(part),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn orphans(files: &[(&str, &str)], roots: &[&str]) -> Vec<String> {
        let files: Vec<Source> = files.iter().map(|(p, t)| Source::new(*p, *t)).collect();
        let files: Vec<&Source> = files.iter().collect();
        let roots = roots.iter().map(|root| (*root).into()).collect();
        check(&files, &roots)
            .into_iter()
            .map(|found| found.path)
            .collect()
    }

    #[test]
    fn files_are_reached_the_way_the_compiler_finds_them() {
        let files = [
            (
                "a/src/lib.rs",
                "mod b; pub(crate) mod c; mod inline { mod d; }",
            ),
            ("a/src/b.rs", "#[cfg(test)] mod tests;"),
            ("a/src/b/tests.rs", ""),
            ("a/src/c/mod.rs", "mod e;"),
            ("a/src/c/e.rs", ""),
            ("a/src/inline/d.rs", ""),
            (
                "a/tests/all.rs",
                "mod common; #[path = \"../shared/f.rs\"] mod f;",
            ),
            ("a/tests/common/mod.rs", ""),
            ("a/shared/f.rs", ""),
        ];
        assert!(orphans(&files, &["a/src/lib.rs", "a/tests/all.rs"]).is_empty());
    }

    #[test]
    fn a_file_that_nothing_declares_is_found() {
        let files = [
            ("a/src/lib.rs", "// mod b;\nconst C: &str = \"mod c;\";"),
            ("a/src/b.rs", ""),
        ];
        assert_eq!(orphans(&files, &["a/src/lib.rs"]), ["a/src/b.rs"]);
    }

    #[test]
    fn a_file_that_only_an_orphan_declares_is_found() {
        let files = [
            ("a/src/lib.rs", ""),
            ("a/src/b.rs", "mod c;"),
            ("a/src/b/c.rs", ""),
        ];
        assert_eq!(
            orphans(&files, &["a/src/lib.rs"]),
            ["a/src/b.rs", "a/src/b/c.rs"]
        );
    }

    #[test]
    fn a_module_beside_its_parent_and_not_below_it_is_found() {
        let files = [
            ("a/src/lib.rs", "mod b;"),
            ("a/src/b.rs", "mod c;"),
            ("a/src/c.rs", ""),
        ];
        assert_eq!(orphans(&files, &["a/src/lib.rs"]), ["a/src/c.rs"]);
    }
}
