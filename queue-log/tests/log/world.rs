//! One life of a log, and the judge of each of its starts.

use std::sync::Arc;

use queue_log::faulty::{Chance, FaultyDisk};
use queue_log::{LogError, Lsn, OpenError, Opened, Options, Replayed, Room};

use crate::support::{Running, SMALL, Watch};

/// What a life has shown, so that a test can tell that it was worth living.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) starts: u64,
    /// Records that were appended, not durable, and not there after a crash.
    pub(crate) lost: u64,
}

/// A record as the judge knows it: its number is its place in `World::records`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Kept {
    at: Lsn,
    end: Lsn,
    bytes: Vec<u8>,
}

#[derive(Debug)]
pub(crate) struct World {
    dice: Chance,
    disk: FaultyDisk,
    /// Every record of the life, trimmed ones too, that may still be there.
    records: Vec<Kept>,
    /// So many of them must be there.
    durable: usize,
    /// The log was told to let go of what is before this one.
    trimmed: usize,
    /// The log was durable up to there.
    reached: Lsn,
    seen: Seen,
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            dice: Chance::new(seed),
            disk: FaultyDisk::new(),
            records: Vec::new(),
            durable: 0,
            trimmed: 0,
            reached: Lsn(0),
            seen: Seen::default(),
        }
    }

    pub(crate) fn live(mut self) -> Seen {
        for _ in 0..4 + self.dice.below(4) {
            let Some(running) = self.start() else {
                continue;
            };
            self.seen.starts += 1;
            self.work(&running);
            self.end(running);
        }
        self.seen
    }

    fn options(&mut self) -> Options {
        Options {
            segment_bytes: (16 << 10) << self.dice.below(2),
            max_bytes: (self.dice.below(4) == 0).then_some(512 << 10),
            accept_loss: false,
        }
    }

    /// Starts the log, sometimes without living to see it.
    fn start(&mut self) -> Option<Running> {
        let cut = self.dice.below(3) == 0;
        if cut {
            self.disk.power_off_after(self.dice.below(8));
        }
        let images = self.dice.below(4) == 0;
        if images {
            self.disk.keep_images();
        }
        let options = self.options();
        let mut bodies = Vec::new();
        let mut replay = |at: Lsn, body: &[u8]| -> Replayed {
            bodies.push((at, body.to_vec()));
            Ok(())
        };
        let opened = Opened::read(Arc::new(self.disk.clone()), options, &mut replay);
        let opened = match opened {
            Ok(opened) => opened,
            Err(error) => return self.cut_off(cut, &error),
        };
        let recovery = opened.recovery;
        self.judge(&bodies);
        // A position is never given out twice, trimmed or not.
        assert!(recovery.end >= self.reached, "{recovery:?}");
        let watch = Watch::default();
        match opened.start(watch.callback()) {
            Ok(log) => {
                // What a start has found, a start has made durable.
                self.durable = self.records.len();
                self.reached = log.progress().durable;
                Some(Running {
                    log,
                    watch,
                    recovery,
                    replayed: bodies,
                })
            }
            Err(error) => self.cut_off(cut, &error),
        }
    }

    fn cut_off(&mut self, expected: bool, error: &OpenError) -> Option<Running> {
        assert!(expected, "a healthy log is refused: {error:?}");
        assert!(matches!(error, OpenError::Io { .. }), "{error:?}");
        self.next_disk();
        None
    }

    /// Compares what is there with what was appended.
    fn judge(&mut self, bodies: &[(Lsn, Vec<u8>)]) {
        let first = bodies.first().map_or(Lsn(u64::MAX), |(at, _)| *at);
        let mut number = self
            .records
            .iter()
            .take_while(|kept| kept.at < first)
            .count();
        assert!(
            number <= self.trimmed || bodies.is_empty(),
            "the log begins too late"
        );
        if bodies.is_empty() {
            assert!(self.durable <= self.trimmed, "all is lost");
            number = number.min(self.trimmed);
        }
        for (at, body) in bodies {
            let mut at = *at;
            let mut rest = &body[..];
            while !rest.is_empty() {
                let kept = self.records.get(number).expect("it was never appended");
                assert_eq!(kept.at, at, "record {number} has moved");
                let (bytes, after) = rest.split_at(kept.bytes.len());
                assert!(bytes == kept.bytes, "record {number} is not what it was");
                (at, rest) = (kept.end, after);
                number += 1;
            }
        }
        assert!(
            number >= self.durable,
            "{number} of {} are there",
            self.durable
        );
        self.seen.lost += (self.records.len() - number) as u64;
        self.records.truncate(number);
    }

    fn work(&mut self, running: &Running) {
        if self.dice.below(2) == 0 {
            self.fault();
        }
        for _ in 0..self.dice.below(120) {
            match self.dice.below(20) {
                0..10 => self.append(running),
                10..15 => running.log.hand_over(),
                15..17 => {
                    running.log.hand_over();
                    if let Some(last) = self.records.last() {
                        running.until_durable(last.end);
                    }
                }
                17..19 => self.read(running),
                _ => self.trim(running),
            }
        }
    }

    fn fault(&mut self) {
        let soon = 1 + self.dice.below(40);
        match self.dice.below(4) {
            0 => self.disk.fail_sync(soon),
            1 => self.disk.fail_write(soon),
            2 => self.disk.power_off_after(soon * 2),
            _ => self.disk.fill_up(self.dice.below(600) << 10),
        }
    }

    fn append(&mut self, running: &Running) {
        let length = match self.dice.below(20) {
            0 => 20_000 + self.dice.below(30_000),
            1..5 => 1 + self.dice.below(4000),
            _ => 1 + self.dice.below(100),
        };
        // A full log is not appended to, and never fails for it.
        let faults = running.log.progress().failed.is_some();
        if running.log.room_for(length) < Room::Grow || faults {
            return;
        }
        let salt = self.dice.below(256);
        let bytes: Vec<u8> = (0..length).map(|at| (at ^ salt) as u8).collect();
        let (at, end) = running.append(&bytes);
        self.records.push(Kept { at, end, bytes });
    }

    fn read(&mut self, running: &Running) {
        if self.records.is_empty() {
            return;
        }
        let number = self.dice.below(self.records.len() as u64) as usize;
        let kept = &self.records[number];
        let written = running.log.progress().written >= kept.end;
        let mut bytes = vec![0; kept.bytes.len()];
        match running.log.read(kept.at, &mut bytes) {
            Ok(()) => assert!(bytes == kept.bytes, "record {number} reads otherwise"),
            Err(LogError::Gone(_)) => assert!(number < self.trimmed || !written),
            // The power is off.
            Err(LogError::Io { .. }) => {}
            Err(error) => panic!("record {number}: {error}"),
        }
    }

    fn trim(&mut self, running: &Running) {
        let durable = self.durable_records(running);
        if durable > self.trimmed {
            let more = self.dice.below((durable - self.trimmed) as u64 + 1);
            self.trimmed += more as usize;
            let before = self.records.get(self.trimmed);
            running.log.trim(before.map_or(Lsn(0), |kept| kept.at));
        }
    }

    fn durable_records(&self, running: &Running) -> usize {
        let durable = running.log.progress().durable;
        self.records.partition_point(|kept| kept.end <= durable)
    }

    /// Ends the process in one of the ways that processes end.
    fn end(&mut self, running: Running) {
        self.reached = running.log.progress().durable;
        match self.dice.below(3) {
            0 => {
                let progress = running.log.close();
                let kept = |kept: &Kept| kept.end <= progress.durable;
                self.durable = self.durable.max(self.records.partition_point(kept));
                self.images();
                self.next_disk();
            }
            _ => {
                self.durable = self.durable.max(self.durable_records(&running));
                self.next_disk();
                drop(running);
            }
        }
    }

    fn next_disk(&mut self) {
        self.disk = if self.dice.below(3) == 0 {
            self.disk.kill()
        } else {
            self.disk.crash(self.dice.below(u64::MAX))
        };
        self.disk.make_room();
    }

    /// Every image of the disk is a healthy log, and none is shorter than the one before.
    fn images(&self) {
        let mut end = Lsn(0);
        for image in self.disk.images() {
            let opened = Opened::read(Arc::new(image), SMALL, &mut |_, _| Ok(()));
            let recovery = opened.expect("an image is healthy").recovery;
            assert!(recovery.end >= end, "{recovery:?} is shorter than {end}");
            end = recovery.end;
        }
    }
}
