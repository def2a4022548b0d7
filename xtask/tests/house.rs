//! Holds the workspace to the house rules. That each rule finds what it forbids is tested beside it.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use xtask::house::{
    Finding, Source, Workspace, arrows, core_purity, lengths, lints, marks, openings, orphans,
    sleeps, unsafety,
};

static WORKSPACE: LazyLock<Workspace> =
    LazyLock::new(|| Workspace::read().expect("the workspace can be read"));

fn rust() -> Vec<&'static Source> {
    WORKSPACE.rust().collect()
}

#[track_caller]
fn none(found: impl IntoIterator<Item = Finding>) {
    let found: Vec<String> = found.into_iter().map(|f| f.to_string()).collect();
    assert!(found.is_empty(), "house rule broken:\n{}", found.join("\n"));
}

#[test]
fn crates_keep_the_arrows_of_the_architecture() {
    none(arrows::check(&arrows::edges(&WORKSPACE.metadata)));
}

#[test]
fn every_file_opens_by_saying_what_it_owns() {
    none(rust().into_iter().filter_map(openings::check));
}

#[test]
fn no_file_is_an_orphan() {
    let packages = WORKSPACE.metadata.workspace_packages();
    let targets = packages.iter().flat_map(|package| &package.targets);
    let roots: BTreeSet<String> = targets
        .map(|target| WORKSPACE.relative(target.src_path.as_std_path()))
        .collect();
    assert!(
        roots.contains("xtask/tests/house.rs"),
        "the targets are not those of the workspace"
    );
    none(orphans::check(&rust(), &roots));
}

#[test]
fn nothing_is_marked_unfinished() {
    none(WORKSPACE.sources.iter().flat_map(marks::check));
}

#[test]
fn no_file_is_too_long() {
    none(lengths::check(&rust()));
}

#[test]
fn unsafe_code_is_explained() {
    none(unsafety::check(&rust()));
}

#[test]
fn the_core_reaches_no_clock_file_or_thread() {
    let is_core = |file: &&&Source| file.path.starts_with("queue-core/src/");
    let core: Vec<_> = WORKSPACE.rust().filter(|file| is_core(&file)).collect();
    let root = core
        .iter()
        .find(|file| file.path == "queue-core/src/lib.rs");
    none(core_purity::root(root.expect("the core has a root")));
    none(core.into_iter().flat_map(core_purity::check));
}

#[test]
fn no_test_sleeps_and_hopes() {
    none(rust().into_iter().flat_map(sleeps::check));
}

#[test]
fn every_crate_inherits_the_lints() {
    let packages = WORKSPACE.metadata.workspace_packages();
    let manifests = packages
        .iter()
        .map(|p| WORKSPACE.relative(p.manifest_path.as_std_path()));
    let manifests: BTreeSet<String> = manifests.collect();
    let files = WORKSPACE
        .sources
        .iter()
        .filter(|file| manifests.contains(&file.path));
    let files: Vec<_> = files.collect();
    assert_eq!(files.len(), manifests.len(), "some manifest was not read");
    none(files.into_iter().filter_map(lints::check));
}
