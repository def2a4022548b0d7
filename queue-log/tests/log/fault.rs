//! A disk that fails: what a log does on the first failure, and what a full disk still lets through.

use std::sync::Arc;
use std::time::Duration;

use queue_log::faulty::FaultyDisk;
use queue_log::{Opened, Room};

use crate::support::{Running, SMALL, eventually, open};

fn on(disk: &FaultyDisk) -> Running {
    open(Arc::new(disk.clone()), SMALL).expect("a healthy log")
}

#[test]
fn the_first_failed_sync_ends_the_log_for_good() {
    let disk = FaultyDisk::new();
    let running = on(&disk);
    let kept = running.keep(b"kept");
    disk.fail_sync(1);
    let (_, end) = running.append(b"lost");
    running.log.hand_over();
    let progress = running.until_durable(end);
    let failed = progress.failed.expect("it has failed");
    assert_eq!(failed.to_string(), "the disk fails a sync");
    assert!(progress.durable < end && progress.written >= end);

    // The disk works again, and that is no reason to go on.
    let syncs = disk.syncs();
    for _ in 0..10 {
        let (_, end) = running.append(b"more");
        running.log.hand_over();
        assert!(running.until_durable(end).durable < end);
    }
    let mut bytes = [0; 4];
    running.log.read(kept, &mut bytes).unwrap();
    assert!(running.log.close().failed.is_some());
    assert_eq!(disk.syncs(), syncs);
    let texts = on(&disk.crash(1)).texts();
    assert_eq!(texts, ["kept"]);
}

#[test]
fn the_first_failed_write_ends_the_log_for_good() {
    let disk = FaultyDisk::new();
    let running = on(&disk);
    running.keep(b"kept");
    disk.fail_write(1);
    let (_, end) = running.append(b"lost");
    running.log.hand_over();
    let progress = running.until_durable(end);
    assert!(progress.failed.is_some() && progress.written < end);
    let writes = disk.writes();
    running.append(b"more");
    assert!(running.log.close().failed.is_some());
    assert_eq!(disk.writes(), writes);
    assert_eq!(on(&disk.kill()).texts(), ["kept"]);
}

#[test]
fn what_a_failed_sync_left_in_the_cache_is_made_durable_by_the_next_start() {
    let disk = FaultyDisk::new();
    let running = on(&disk);
    disk.fail_sync(1);
    let (_, end) = running.append(b"seen again");
    running.log.hand_over();
    running.until_durable(end);
    // The process ends, the machine goes on: the cache shows a frame that the medium does not have.
    let disk = disk.kill();
    assert_eq!(on(&disk).texts(), ["seen again"]);
    // What one start has shown, the next one shows too, whatever the power does in between.
    for seed in 0..20 {
        assert_eq!(on(&disk.crash(seed)).texts(), ["seen again"]);
    }
}

#[test]
fn while_a_sync_is_slow_the_next_group_gathers() {
    let disk = FaultyDisk::new();
    let running = on(&disk);
    let before = disk.syncs();
    disk.slow_sync(Duration::from_secs(3600));
    let (_, first) = running.append(b"0");
    running.log.hand_over();
    running.watch.until(|progress| progress.written >= first);
    let mut last = first;
    for number in 1..100_u8 {
        (_, last) = running.append(&[number]);
        running.log.hand_over();
    }
    assert!(running.log.progress().written < last);
    disk.slow_sync(Duration::ZERO);
    running.until_durable(last);
    assert_eq!(disk.syncs() - before, 2);
}

#[test]
fn a_group_is_not_written_before_it_is_handed_over() {
    let disk = FaultyDisk::new();
    let running = on(&disk);
    let (_, end) = running.append(b"gathers");
    let usage = running.log.usage();
    assert_eq!((usage.end, usage.frames), (end, 0));
    running.log.hand_over();
    running.until_durable(end);
    assert_eq!(running.log.usage().frames, 1);
}

#[test]
fn every_image_of_the_disk_is_a_log_with_all_that_was_durable_then() {
    let disk = FaultyDisk::new();
    let running = on(&disk);
    disk.keep_images();
    let mut texts = Vec::new();
    for number in 0..40 {
        let text = format!("{number}{}", " ".repeat(1000));
        running.keep(text.as_bytes());
        texts.push(text);
    }
    let images = disk.images();
    assert_eq!(images.len(), 40);
    for (at, image) in images.iter().enumerate() {
        assert_eq!(on(image).texts(), texts[..=at]);
    }
}

#[test]
fn a_full_disk_refuses_growth_and_still_ends_items() {
    let disk = FaultyDisk::new();
    let running = on(&disk);
    disk.fill_up(100 << 10);
    let mut records = Vec::new();
    while running.log.room() == Room::Grow {
        records.push(running.keep(&[1; 300]));
    }
    assert!(running.log.progress().failed.is_none());
    // The reserve is there although the disk has nothing left to give.
    let mut settled = 0;
    while running.log.room() >= Room::Settle {
        running.keep(&[2; 60]);
        settled += 60;
    }
    assert!(settled > 1500, "{settled} bytes settled");
    running.log.trim(running.log.progress().durable);
    eventually(|| running.log.room() == Room::Grow, "room comes back");
    running.keep(&[3; 300]);
}

#[test]
fn a_full_disk_that_others_empty_is_found_out_without_our_doing() {
    let disk = FaultyDisk::new();
    let running = on(&disk);
    disk.fill_up(50 << 10);
    while running.log.room() == Room::Grow {
        running.keep(&[1; 300]);
    }
    disk.make_room();
    eventually(|| running.log.room() == Room::Grow, "room comes back");
}

#[test]
fn a_full_log_starts_again_and_again() {
    let disk = FaultyDisk::new();
    let running = on(&disk);
    disk.fill_up(100 << 10);
    while running.log.room() > Room::Nothing {
        running.keep(&[1; 300]);
    }
    drop(running);
    let mut disk = disk;
    for seed in 0..50 {
        disk = disk.crash(seed);
        assert_eq!(on(&disk).log.room(), Room::Nothing);
    }
}

#[test]
fn what_does_not_fit_on_a_full_disk_is_a_failure_and_no_loss() {
    let disk = FaultyDisk::new();
    let running = on(&disk);
    running.keep(b"kept");
    disk.fill_up(0);
    assert_eq!(running.log.room_for(1 << 20), Room::Nothing);
    let (_, end) = running.append(&[0; 1 << 20]);
    running.log.hand_over();
    let failed = running.until_durable(end).failed.expect("it has failed");
    assert_eq!(failed.kind(), std::io::ErrorKind::StorageFull);
    assert_eq!(on(&disk.kill()).texts(), ["kept"]);
}

#[test]
fn a_start_that_fails_leaves_a_healthy_log() {
    let disk = FaultyDisk::new();
    on(&disk).keep(b"kept");
    for operations in 0..4 {
        let disk = disk.kill();
        disk.power_off_after(operations);
        let opened = Opened::read(Arc::new(disk.clone()), SMALL, &mut |_, _| Ok(()));
        let started = opened.and_then(|opened| opened.start(Box::new(|_| {})));
        drop(started);
        for seed in 0..20 {
            assert_eq!(on(&disk.crash(seed)).texts(), ["kept"]);
        }
    }
}
