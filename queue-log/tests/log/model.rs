//! A log against the simplest thing that could be one: a list of groups.

use std::sync::Arc;

use proptest::prelude::*;
use queue_log::faulty::FaultyDisk;
use queue_log::{LogError, Lsn};

use crate::support::{Running, SMALL, open};

#[derive(Debug, Clone)]
enum Step {
    Append(usize),
    HandOver,
    Trim(usize),
    Read(usize),
    Frames(usize, usize),
    Restart,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        8 => (0..3000_usize).prop_map(Step::Append),
        1 => (15_000..40_000_usize).prop_map(Step::Append),
        5 => Just(Step::HandOver),
        1 => any::<usize>().prop_map(Step::Trim),
        3 => any::<usize>().prop_map(Step::Read),
        1 => (any::<usize>(), any::<usize>()).prop_map(|(a, b)| Step::Frames(a, b)),
        1 => Just(Step::Restart),
    ];
    proptest::collection::vec(step, 1..60)
}

/// A group: the address of its first byte, and its bytes.
type Group = (Lsn, Vec<u8>);

#[derive(Debug)]
struct Model {
    disk: FaultyDisk,
    running: Option<Running>,
    /// Groups that were handed over, all of them, and the one that gathers.
    groups: Vec<Group>,
    gathers: Option<Group>,
    trimmed: Lsn,
    /// So many bytes were appended: each record is filled with another number.
    appended: u8,
}

impl Model {
    fn new() -> Self {
        let disk = FaultyDisk::new();
        let running = open(Arc::new(disk.clone()), SMALL).expect("a new log");
        Self {
            disk,
            running: Some(running),
            groups: Vec::new(),
            gathers: None,
            trimmed: Lsn(0),
            appended: 0,
        }
    }

    fn running(&self) -> &Running {
        self.running.as_ref().expect("it runs")
    }

    fn step(&mut self, step: &Step) {
        match *step {
            Step::Append(length) => self.append(length),
            Step::HandOver => self.hand_over(),
            Step::Trim(at) => {
                if let Some((at, _)) = self.pick(at) {
                    self.trimmed = self.trimmed.max(*at);
                    self.running().log.trim(self.trimmed);
                }
            }
            Step::Read(at) => self.read(at),
            Step::Frames(from, to) => self.frames(from, to),
            Step::Restart => self.restart(),
        }
    }

    fn pick(&self, at: usize) -> Option<&Group> {
        self.groups.get(at.checked_rem(self.groups.len())?)
    }

    fn append(&mut self, length: usize) {
        self.appended = self.appended.wrapping_add(1);
        let bytes = vec![self.appended; length];
        let (at, end) = self.running().append(&bytes);
        if length == 0 {
            return;
        }
        let (base, gathers) = self.gathers.get_or_insert((at, Vec::new()));
        assert_eq!(
            at.0,
            base.0 + gathers.len() as u64,
            "records lie end to end"
        );
        gathers.extend(bytes);
        assert_eq!(end.0, base.0 + gathers.len() as u64);
    }

    fn hand_over(&mut self) {
        self.running().log.hand_over();
        let Some((at, bytes)) = self.gathers.take() else {
            return;
        };
        let end = Lsn(at.0 + bytes.len() as u64);
        assert!(self.running().until_durable(end).failed.is_none());
        self.groups.push((at, bytes));
    }

    fn read(&self, at: usize) {
        let Some((at, expected)) = self.pick(at) else {
            return;
        };
        let mut bytes = vec![0; expected.len()];
        match self.running().log.read(*at, &mut bytes) {
            Ok(()) => assert!(bytes == *expected, "what is read was written"),
            Err(error) => {
                assert!(matches!(error, LogError::Gone(_)), "{error}");
                assert!(*at < self.trimmed, "only what was trimmed is gone");
            }
        }
    }

    fn frames(&self, from: usize, to: usize) {
        let (Some((from, _)), Some((to, _))) = (self.pick(from), self.pick(to)) else {
            return;
        };
        let expected = self.groups.iter();
        let expected: Vec<&Group> = expected.filter(|(at, _)| at >= from && at < to).collect();
        let mut seen = Vec::new();
        let header = 40;
        let read = self.running().log.frames(
            Lsn(from.0 - header),
            Lsn((to.0 - header).max(from.0 - header)),
            &mut |at, body| {
                seen.push((at, body.to_vec()));
                Ok(())
            },
        );
        match read {
            Ok(()) => assert!(seen.iter().eq(expected), "the frames of a range"),
            Err(_) => assert!(*from < self.trimmed, "only what was trimmed is gone"),
        }
    }

    fn restart(&mut self) {
        let running = self.running.take().expect("it runs");
        assert!(running.log.close().failed.is_none());
        self.groups.extend(self.gathers.take());
        self.disk = self.disk.crash(0);
        let running = open(Arc::new(self.disk.clone()), SMALL).expect("a healthy log");
        let left = running.replayed.len();
        assert!(left <= self.groups.len());
        let (gone, kept) = self.groups.split_at(self.groups.len() - left);
        assert!(
            kept == running.replayed,
            "what is left is the end of what was written"
        );
        assert!(gone.last().is_none_or(|(at, _)| *at < self.trimmed));
        self.running = Some(running);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_log_is_a_list_of_groups(steps in steps()) {
        let mut model = Model::new();
        for step in steps.iter().chain([&Step::HandOver, &Step::Restart]) {
            model.step(step);
        }
    }
}
