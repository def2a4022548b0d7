//! What is damage and what is a healthy end: the log refuses to start over the first and names it.

use std::sync::Arc;

use queue_log::faulty::FaultyDisk;
use queue_log::{Disk as _, Lsn, OpenError, Options, Room};

use crate::support::{Running, SMALL, eventually, open};

/// Bytes before the body of a frame, and before the first frame of a segment.
const FRAME: u64 = 40;
const HEADER: u64 = 4096;

fn on(disk: &FaultyDisk) -> Result<Running, OpenError> {
    open(Arc::new(disk.clone()), SMALL)
}

fn accepting(disk: &FaultyDisk) -> Running {
    let options = Options {
        accept_loss: true,
        ..SMALL
    };
    open(Arc::new(disk.clone()), options).expect("the loss was accepted")
}

/// A log in one segment with these records, each durable by itself, and where their frames are in
/// the file.
fn written(records: &[&str]) -> (FaultyDisk, Vec<u64>) {
    let disk = FaultyDisk::new();
    let running = on(&disk).expect("a new log");
    let at = records.iter().map(|text| running.keep(text.as_bytes()));
    let at = at.map(|lsn| HEADER + lsn.0 - FRAME).collect();
    drop(running);
    (disk.kill(), at)
}

fn flip(disk: &FaultyDisk, file: &str, at: u64) {
    disk.damage(file, |bytes| bytes[at as usize] ^= 0x10);
}

fn first(disk: &FaultyDisk) -> String {
    let mut names = disk.list().expect("a list");
    names.sort();
    names.swap_remove(0)
}

/// A log in several segments, and their files in order.
fn long() -> (FaultyDisk, Vec<String>) {
    let disk = FaultyDisk::new();
    let running = on(&disk).expect("a new log");
    for number in 0..12 {
        running.keep(format!("{number:04000}").as_bytes());
    }
    drop(running);
    let mut names = disk.list().expect("a list");
    names.sort();
    names.retain(|name| disk.bytes(name)[..8] == *b"memq log");
    assert!(names.len() >= 3, "{names:?}");
    (disk.kill(), names)
}

#[track_caller]
fn refused(disk: &FaultyDisk, expected: &str) -> (u64, Lsn) {
    match on(disk) {
        Err(OpenError::Damaged {
            file, offset, lsn, ..
        }) => {
            assert_eq!(file, expected);
            (offset, lsn)
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_byte_of_a_synced_frame_counts() {
    let (disk, at) = written(&["first record", "second record", "third record"]);
    let file = first(&disk);
    for byte in at[1]..at[2] {
        let disk = disk.kill();
        flip(&disk, &file, byte);
        assert_eq!(
            refused(&disk, &file),
            (at[1], Lsn(at[1] - HEADER)),
            "byte {} of the frame",
            byte - at[1]
        );
    }
}

#[test]
fn a_bad_last_frame_is_a_healthy_end() {
    let (disk, at) = written(&["first record", "second record"]);
    let file = first(&disk);
    for byte in at[1]..at[1] + FRAME + 13 {
        let disk = disk.kill();
        flip(&disk, &file, byte);
        assert_eq!(on(&disk).unwrap().texts(), ["first record"]);
    }
}

#[test]
fn once_a_start_has_seen_a_frame_its_loss_is_damage() {
    let (disk, at) = written(&["first record", "second record"]);
    let file = first(&disk);
    drop(on(&disk).unwrap());
    let disk = disk.kill();
    flip(&disk, &file, at[1]);
    assert_eq!(refused(&disk, &file).0, at[1]);
}

#[test]
fn accepted_loss_is_told_and_the_log_goes_on_before_it() {
    let (disk, at) = written(&["first record", "second record", "third record"]);
    let file = first(&disk);
    flip(&disk, &file, at[1]);
    let running = accepting(&disk);
    assert_eq!(running.texts(), ["first record"]);
    assert_eq!(running.recovery.lost, 2 * (FRAME + 16));
    running.keep(b"after");
    drop(running);
    for seed in 0..10 {
        let running = on(&disk.crash(seed)).unwrap();
        assert_eq!(running.texts(), ["first record", "after"]);
        assert_eq!(running.recovery.lost, 0);
    }
}

#[test]
fn accepted_loss_ends_what_came_after_in_other_segments() {
    let (disk, files) = long();
    flip(&disk, &files[1], HEADER);
    let (offset, _) = refused(&disk.kill(), &files[1]);
    assert_eq!(offset, HEADER);
    let running = accepting(&disk);
    let left = running.texts().len();
    assert!((1..12).contains(&left), "{left} records are left");
    assert!(running.recovery.lost >= (12 - left as u64) * 4000);
    running.keep(b"after");
    drop(running);
    let texts = on(&disk.kill()).unwrap().texts();
    assert_eq!((texts.len(), texts[left].as_str()), (left + 1, "after"));
}

#[test]
fn frames_of_an_abandoned_end_do_not_come_back() {
    // Begin epoch (40 bytes) and a record of 8 bytes (48) end exactly where the second frame is.
    let (disk, at) = written(&[&"x".repeat(48), "abandoned", "abandoned too"]);
    let file = first(&disk);
    flip(&disk, &file, at[0] + FRAME);
    let running = accepting(&disk);
    let taken = running.keep(b"8 bytes!");
    assert_eq!(HEADER + taken.0 + 8, at[1]);
    drop(running);
    assert_eq!(on(&disk.kill()).unwrap().texts(), ["8 bytes!"]);
}

#[test]
fn a_lost_header_is_damage_wherever_it_is() {
    let (disk, files) = long();
    for (place, file) in files.iter().enumerate() {
        for byte in [0, 8, 12, 16, 24, 32, 40] {
            let disk = disk.kill();
            flip(&disk, file, byte);
            let refused = on(&disk);
            assert!(
                matches!(refused, Err(OpenError::Damaged { .. })),
                "segment {place}, byte {byte}: {refused:?}"
            );
        }
    }
}

#[test]
fn what_cannot_be_read_is_never_a_healthy_end() {
    let (disk, at) = written(&["first record", "second record"]);
    let file = first(&disk);
    disk.go_bad(&file, at[1] + FRAME);
    let refused = on(&disk.kill()).unwrap_err();
    assert!(
        matches!(&refused, OpenError::Io { operation: "read", file: named, .. } if *named == file),
        "{refused:?}"
    );
    let running = accepting(&disk.kill());
    assert_eq!(running.texts(), ["first record"]);
    assert!(running.recovery.lost > 0);
}

#[test]
fn a_segment_that_is_missing_is_damage() {
    let (disk, files) = long();
    disk.remove(&files[1]).unwrap();
    let (_, lsn) = refused(&disk, &files[0]);
    assert!(lsn > Lsn(0));
}

#[test]
fn a_format_of_a_later_release_is_refused_by_its_number() {
    let (disk, _) = written(&["from the future"]);
    let file = first(&disk);
    disk.damage(&file, |bytes| {
        bytes[8] = 2;
        bytes[12..16].fill(0);
        let sum = crc32c::crc32c(&bytes[..64]);
        bytes[12..16].copy_from_slice(&sum.to_le_bytes());
    });
    let refused = on(&disk).unwrap_err();
    assert!(
        matches!(
            refused,
            OpenError::Format {
                found: 2,
                known: 1,
                ..
            }
        ),
        "{refused:?}"
    );
    assert_eq!(
        refused.to_string(),
        format!("`{file}` has format 2; this release reads up to 1")
    );
}

#[test]
fn recycled_segments_never_replay() {
    let disk = FaultyDisk::new();
    let running = on(&disk).unwrap();
    for number in 0..12 {
        running.keep(format!("{number:04000}").as_bytes());
    }
    let last = running.keep(b"last");
    let before: Vec<String> = disk.list().unwrap();
    running.log.trim(last);
    eventually(|| running.log.usage().start > Lsn(0), "it is trimmed");
    let recycled = || {
        let names = disk.list().expect("a list");
        let stale = |name: &&String| {
            // It was begun under another number, and holds frames of that time.
            !before.contains(name)
                && disk.bytes(name)[HEADER as usize..][..FRAME as usize] != [0; 40]
        };
        names.iter().filter(stale).count()
    };
    eventually(|| recycled() > 0, "a segment is recycled");
    for seed in 0..20 {
        let texts = on(&disk.crash(seed)).unwrap().texts();
        assert_eq!(texts.last().map(String::as_str), Some("last"));
        assert!(texts.len() < 8, "{} frames", texts.len());
    }
    // Nor when they are begun again.
    let again = on(&disk.kill()).unwrap();
    assert!(again.log.room() == Room::Grow);
}
