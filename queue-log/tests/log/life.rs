//! A log on the file system: what is kept, read, trimmed and locked.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use queue_log::{Disk, LogError, Lsn, OpenError, Opened, Options, RealDisk, Room};

use crate::support::{Running, SMALL, eventually, open};

fn real(directory: &Path) -> Arc<dyn Disk> {
    Arc::new(RealDisk::open(directory).expect("a directory"))
}

fn opened(directory: &Path) -> Running {
    open(real(directory), SMALL).expect("a log")
}

#[test]
fn what_was_kept_is_there_again_in_order() {
    let directory = tempfile::tempdir().unwrap();
    let mut kept = Vec::new();
    for start in 0..4 {
        let running = opened(directory.path());
        assert_eq!(running.texts(), kept);
        assert_eq!(running.recovery.epoch, start);
        for number in 0..20 {
            let text = format!("record {number} of start {start}");
            running.keep(text.as_bytes());
            kept.push(text);
        }
        let progress = running.log.close();
        assert_eq!(progress.written, progress.durable);
    }
}

#[test]
fn a_group_is_one_frame_and_each_record_has_its_address() {
    let directory = tempfile::tempdir().unwrap();
    let running = opened(directory.path());
    let (first, _) = running.append(b"first");
    let (second, end) = running.append(b"second");
    running.log.hand_over();
    running.until_durable(end);
    let mut bytes = [0; 6];
    running.log.read(second, &mut bytes).unwrap();
    assert_eq!(&bytes, b"second");
    assert_eq!(second, Lsn(first.0 + 5));
    assert_eq!(running.log.usage().frames, 1);
    drop(running);
    let running = opened(directory.path());
    assert_eq!(running.replayed, [(first, b"firstsecond".to_vec())]);
    running.log.read(second, &mut bytes).unwrap();
    assert_eq!(&bytes, b"second");
}

#[test]
fn closing_keeps_what_was_never_handed_over() {
    let directory = tempfile::tempdir().unwrap();
    let running = opened(directory.path());
    let (_, end) = running.append(b"late");
    assert!(running.log.close().durable >= end);
    assert_eq!(opened(directory.path()).texts(), ["late"]);
}

#[test]
fn appending_nothing_waits_for_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let running = opened(directory.path());
    let end = running.log.append(|_| {});
    running.log.hand_over();
    assert!(running.log.progress().durable >= end);
}

#[test]
fn a_record_whose_writer_panics_leaves_nothing_behind() {
    let directory = tempfile::tempdir().unwrap();
    let running = opened(directory.path());
    running.append(b"whole");
    let panics = std::panic::AssertUnwindSafe(|| {
        running.log.append(|record| {
            record.put(b"half");
            panic!("the encoder is broken");
        })
    });
    std::panic::catch_unwind(panics).unwrap_err();
    running.keep(b"after");
    drop(running);
    assert_eq!(opened(directory.path()).texts(), ["wholeafter"]);
}

#[test]
fn a_second_process_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let running = opened(directory.path());
    let second = open(real(directory.path()), SMALL);
    assert!(matches!(second, Err(OpenError::Locked)), "{second:?}");
    drop(running);
    opened(directory.path());
}

#[test]
fn trimming_gives_the_disk_back_and_keeps_the_rest() {
    let directory = tempfile::tempdir().unwrap();
    let running = opened(directory.path());
    let record = [7; 4000];
    let mut kept = Vec::new();
    for _ in 0..60 {
        kept.push(running.keep(&record));
    }
    let full = running.log.usage();
    let from = kept[50];
    running.log.trim(from);
    let fell = || running.log.usage().bytes <= full.bytes / 3;
    eventually(fell, "the disk is given back");
    let mut bytes = [0; 4000];
    running.log.read(from, &mut bytes).unwrap();
    assert_eq!(bytes, record);
    let gone = running.log.read(kept[0], &mut bytes);
    assert!(matches!(gone, Err(LogError::Gone(_))), "{gone:?}");
    drop(running);
    let running = opened(directory.path());
    let replayed: Vec<Lsn> = running.replayed.iter().map(|(at, _)| *at).collect();
    assert!(kept.ends_with(&replayed), "{replayed:?}");
    assert!(replayed.contains(&from));
}

#[test]
fn a_record_larger_than_a_segment_gets_one_of_its_own() {
    let directory = tempfile::tempdir().unwrap();
    let large: Vec<u8> = (0..100_000_u32).map(|at| at as u8).collect();
    let running = opened(directory.path());
    running.keep(b"before");
    let at = running.keep(&large);
    running.keep(b"after");
    let mut bytes = vec![0; large.len()];
    running.log.read(at, &mut bytes).unwrap();
    assert_eq!(bytes, large);
    drop(running);
    let replayed = opened(directory.path()).replayed;
    let bodies: Vec<&[u8]> = replayed.iter().map(|(_, body)| &body[..]).collect();
    assert_eq!(bodies, [b"before", &large[..], b"after"]);
}

#[test]
fn the_frames_of_a_range_are_those_that_begin_in_it() {
    let directory = tempfile::tempdir().unwrap();
    let running = opened(directory.path());
    let kept: Vec<Lsn> = (0..40_u8).map(|n| running.keep(&[n; 1500])).collect();
    let mut seen = Vec::new();
    let to = Lsn(kept[30].0 - 40);
    running
        .log
        .frames(Lsn(kept[10].0 - 40), to, &mut |at, body| {
            seen.push((at, body[0]));
            Ok(())
        })
        .unwrap();
    let expected: Vec<(Lsn, u8)> = (10..30).map(|n| (kept[usize::from(n)], n)).collect();
    assert_eq!(seen, expected);
    let past = Lsn(running.log.progress().durable.0 + 1);
    let beyond = running.log.frames(to, past, &mut |_, _| Ok(()));
    assert!(matches!(beyond, Err(LogError::Gone(_))), "{beyond:?}");
}

#[test]
fn a_range_stays_while_it_is_read_although_it_is_trimmed() {
    let directory = tempfile::tempdir().unwrap();
    let running = opened(directory.path());
    for number in 0..20_u8 {
        running.keep(&[number; 4000]);
    }
    let to = running.log.progress().durable;
    let mut expected = 0..20_u8;
    let read = running.log.frames(Lsn(0), to, &mut |_, body| {
        assert_eq!(body[0], expected.next().expect("twenty frames"));
        running.log.trim(to);
        // What is trimmed is gone at once, and none of its bytes are written over.
        running.keep(&[99; 4000]);
        Ok(())
    });
    read.unwrap();
    assert_eq!(expected.next(), None);
    let files = || {
        let names = fs::read_dir(directory.path()).expect("a directory");
        let logs = names.filter(|name| name.as_ref().expect("an entry").file_name() != "lock");
        logs.count() as u64
    };
    eventually(
        || files() == running.log.usage().segments,
        "no file is left over",
    );
}

#[test]
fn a_log_that_is_read_and_not_started_is_as_it_was() {
    let directory = tempfile::tempdir().unwrap();
    opened(directory.path()).keep(b"kept");
    for _ in 0..3 {
        let opened = Opened::read(real(directory.path()), SMALL, &mut |_, _| Ok(())).unwrap();
        assert_eq!(opened.recovery.frames, 1);
        assert_eq!(opened.recovery.epoch, 1);
    }
}

#[test]
fn a_replay_that_refuses_a_record_names_it() {
    let directory = tempfile::tempdir().unwrap();
    let at = opened(directory.path()).keep(b"odd");
    let refused = Opened::read(real(directory.path()), SMALL, &mut |_, _| Err("odd".into()));
    let refused = refused.unwrap_err();
    assert!(
        matches!(refused, OpenError::Replay { lsn, .. } if lsn == at),
        "{refused:?}"
    );
}

#[test]
fn room_ends_at_the_limit_for_growth_first() {
    let directory = tempfile::tempdir().unwrap();
    let options = Options {
        max_bytes: Some(256 << 10),
        ..SMALL
    };
    let running = open(real(directory.path()), options).unwrap();
    let mut seen = vec![running.log.room()];
    while running.log.room() > Room::Nothing {
        running.keep(&[1; 500]);
        let room = running.log.room();
        if seen.last() != Some(&room) {
            seen.push(room);
        }
        assert!(running.log.usage().bytes <= 256 << 10);
    }
    assert_eq!(seen, [Room::Grow, Room::Lend, Room::Settle, Room::Nothing]);
    running.log.trim(running.log.progress().durable);
    eventually(|| running.log.room() == Room::Grow, "room comes back");
    running.keep(&[1; 500]);
}
