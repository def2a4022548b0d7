//! Looking at a log without changing it, and the log of each format that was ever written.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use queue_log::inspect::{Inspection, inspect};
use queue_log::{Lsn, OpenError, RealDisk};

use crate::support::{Running, SMALL, open};

fn opened(directory: &Path) -> Running {
    let disk = RealDisk::open(directory).expect("a directory");
    open(Arc::new(disk), SMALL).expect("a log")
}

fn look(directory: &Path) -> (Inspection, Vec<(Lsn, Vec<u8>)>) {
    let disk = RealDisk::existing(directory).expect("a directory");
    let mut seen = Vec::new();
    let found = inspect(&disk, &mut |at, body| {
        seen.push((at, body.to_vec()));
        Ok(())
    });
    (found.expect("it can be read"), seen)
}

fn files(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(directory).expect("a directory");
    let read = entries.map(|entry| {
        let entry = entry.expect("an entry");
        let name = entry.file_name().into_string().expect("text");
        (name, fs::read(entry.path()).expect("a file"))
    });
    read.collect()
}

/// What the fixtures hold: three starts, a record longer than a segment, a group of two records.
fn fill(directory: &Path) {
    let running = opened(directory);
    running.keep(b"the first record");
    running.append(b"a group of ");
    running.keep(b"two records");
    drop(running);
    let running = opened(directory);
    running.keep(&[b'z'; 20_000]);
    drop(running);
    opened(directory).keep(b"the last record");
}

fn expected() -> Vec<Vec<u8>> {
    vec![
        b"the first record".to_vec(),
        b"a group of two records".to_vec(),
        vec![b'z'; 20_000],
        b"the last record".to_vec(),
    ]
}

fn fixture(format: &str) -> PathBuf {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    fixtures.join(format)
}

#[test]
fn looking_changes_nothing_and_tells_what_is_there() {
    let directory = tempfile::tempdir().unwrap();
    fill(directory.path());
    let before = files(directory.path());
    let (found, seen) = look(directory.path());
    assert_eq!(files(directory.path()), before);
    assert!(!found.in_use && found.damage.is_none(), "{found:?}");
    assert_eq!(found.epoch, 3);
    let frames = found.segments.iter().filter_map(|s| s.passed);
    assert_eq!(frames.map(|passed| passed.frames).sum::<u64>(), 4);
    assert!(!found.spares.is_empty() && found.spares.iter().all(|spare| !spare.used));
    let bodies: Vec<Vec<u8>> = seen.into_iter().map(|(_, body)| body).collect();
    assert_eq!(bodies, expected());
}

#[test]
fn a_directory_in_use_is_said_to_be() {
    let directory = tempfile::tempdir().unwrap();
    let running = opened(directory.path());
    running.keep(b"kept");
    assert!(look(directory.path()).0.in_use);
    drop(running);
    assert!(!look(directory.path()).0.in_use);
}

#[test]
fn a_directory_without_a_log_is_looked_at_too() {
    let directory = tempfile::tempdir().unwrap();
    let (found, seen) = look(directory.path());
    assert!(found.segments.is_empty() && seen.is_empty());
    assert!(files(directory.path()).is_empty());
}

#[test]
fn damage_is_found_with_what_it_hides() {
    let directory = tempfile::tempdir().unwrap();
    fill(directory.path());
    let name = look(directory.path()).0.segments[0].file.clone();
    let path = directory.path().join(&name);
    let mut bytes = fs::read(&path).unwrap();
    bytes[4096 + 100] ^= 1;
    fs::write(&path, bytes).unwrap();
    let (found, seen) = look(directory.path());
    let damage = found.damage.expect("it is damaged");
    assert!(
        matches!(&damage, OpenError::Damaged { file, .. } if *file == name),
        "{damage:?}"
    );
    assert!(seen.len() < expected().len());
    assert!(found.lost > 20_000, "{} bytes are lost", found.lost);
    assert!(found.segments.last().unwrap().passed.is_none());
}

#[test]
fn a_log_of_format_1_is_read() {
    let (found, seen) = look(&fixture("v1"));
    assert!(found.damage.is_none(), "{found:?}");
    let bodies: Vec<Vec<u8>> = seen.into_iter().map(|(_, body)| body).collect();
    assert_eq!(bodies, expected());

    let directory = tempfile::tempdir().unwrap();
    for (name, bytes) in files(&fixture("v1")) {
        fs::write(directory.path().join(name), bytes).unwrap();
    }
    let running = opened(directory.path());
    running.keep(b"and written on");
    drop(running);
    assert_eq!(
        opened(directory.path()).texts().pop().unwrap(),
        "and written on"
    );
}

/// Run by hand when a format is new, and never again for it:
/// `cargo test -p queue-log --test log -- --ignored the_fixture_of_the_format_that_is_written`.
#[test]
#[ignore = "it writes a fixture, which is kept for ever"]
fn the_fixture_of_the_format_that_is_written() {
    let directory = fixture("v1");
    assert!(!directory.exists(), "a fixture is never written again");
    fill(&directory);
    fs::remove_file(directory.join("lock")).unwrap();
}
