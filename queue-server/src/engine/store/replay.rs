//! Queues from their records: the same `evolve` that made them, run again.
//!
//! A queue begins where it was made, or where a snapshot of it begins. While a snapshot is under way
//! both are followed: if it was never finished, the older one goes on.

use std::any::Any;
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use queue_api::{QueueName, Settings};
use queue_core::{Blob, Queue, Seq, Time};
use queue_log::{Lsn, Replayed};

use super::super::bodies::Bodies;
use super::super::names::Names;
use super::super::settings::for_core;
use super::Logged;
use super::decode::{self, Introduced, Keeper, Kind, Opening};
use super::wire::{Malformed, Reader, Stored};

/// A queue that was put together from its records.
#[derive(Debug)]
pub(crate) struct Recovered {
    /// What tells it from other queues of its name.
    pub(crate) incarnation: u64,
    /// Its name.
    pub(crate) name: QueueName,
    /// Its settings.
    pub(crate) settings: Settings,
    /// Where its records begin.
    pub(crate) base: Lsn,
    /// Its state.
    pub(crate) core: Queue,
    /// Its bytes.
    pub(crate) bodies: Bodies,
    /// The names of its workers.
    pub(crate) workers: Names,
}

/// Puts queues together.
#[derive(Debug)]
pub(crate) struct Replay {
    queues: HashMap<u64, Versions>,
    /// Bytes of bodies that memory has room for.
    budget: u64,
    held: u64,
    /// The latest time any record tells of.
    latest: Time,
    /// Records.
    read: u64,
}

/// What is known of one queue.
#[derive(Debug, Default)]
struct Versions {
    current: Option<Version>,
    /// A snapshot that is not finished.
    shadow: Option<Version>,
}

#[derive(Debug)]
struct Version {
    queue: Recovered,
    free: Vec<Blob>,
}

/// The records contradict each other.
#[derive(Debug, thiserror::Error)]
enum Contradiction {
    /// A bug, in this release or in the one that wrote them.
    #[error("an event does not fit its queue: {0}")]
    Event(String),
}

impl Replay {
    /// Keeps bodies in memory up to a budget of bytes; the others stay where they are in the log.
    pub(crate) fn new(budget: u64) -> Self {
        Self {
            queues: HashMap::new(),
            budget,
            held: 0,
            latest: Time(0),
            read: 0,
        }
    }

    /// Takes in a frame, whose first byte has this address.
    pub(crate) fn frame(&mut self, at: Lsn, bytes: &[u8]) -> Replayed {
        self.take_in(at, bytes, None)
    }

    /// Takes in a frame of the log of another server: what memory has no room for goes aside.
    pub(in crate::engine) fn frame_of_another_log(
        &mut self,
        at: Lsn,
        bytes: &[u8],
        aside: Aside<'_>,
    ) -> Replayed {
        self.take_in(at, bytes, Some(aside))
    }

    fn take_in(&mut self, at: Lsn, bytes: &[u8], aside: Option<Aside<'_>>) -> Replayed {
        // What does not fit panics in the core: here it says which frame it was.
        let records = || self.records(Reader::new(bytes, at), aside);
        let replayed = catch_unwind(AssertUnwindSafe(records));
        match replayed {
            Ok(replayed) => replayed.map_err(Into::into),
            Err(panic) => Err(Contradiction::Event(message(panic.as_ref())).into()),
        }
    }

    /// The latest time any record tells of.
    pub(crate) fn latest(&self) -> Time {
        self.latest
    }

    /// Records so far.
    pub(crate) fn read(&self) -> u64 {
        self.read
    }

    /// Queues so far.
    pub(crate) fn len(&self) -> usize {
        self.queues.len()
    }

    /// The queues as the last frame left them. One of which there is no more than an unfinished snapshot
    /// was being restored, and never was there.
    pub(crate) fn finish(self) -> Vec<Recovered> {
        let versions = self.queues.into_values();
        versions
            .filter_map(|versions| Some(versions.current?.queue))
            .collect()
    }

    fn records(
        &mut self,
        mut frame: Reader<'_>,
        mut aside: Option<Aside<'_>>,
    ) -> Result<(), Malformed> {
        while !frame.is_at_end() {
            let base = frame.position();
            let mut reader = frame.record()?;
            self.read += 1;
            let Opening { incarnation, kind } = decode::opening(&mut reader)?;
            let room = &mut Room {
                budget: self.budget,
                held: &mut self.held,
                // Borrowed anew each time round, which `as_deref_mut` cannot do for a closure.
                aside: match &mut aside {
                    Some(aside) => Some(&mut **aside),
                    None => None,
                },
            };
            match kind {
                Kind::Created(queue) => {
                    self.latest = self.latest.max(queue.now);
                    let core = Queue::new(for_core(&queue.settings));
                    let version = Version::new(incarnation, queue, base, core);
                    self.queues.entry(incarnation).or_default().current = Some(version);
                }
                Kind::Deleted { now } => {
                    self.latest = self.latest.max(now);
                    if let Some(Versions { current, shadow }) = self.queues.remove(&incarnation) {
                        for version in [current, shadow].into_iter().flatten() {
                            self.held -= version.queue.bodies.held();
                        }
                    }
                }
                Kind::Events { now, count } => {
                    self.latest = self.latest.max(now);
                    // Without one: what precedes the snapshot that the queue begins with.
                    let Some(versions) = self.queues.get_mut(&incarnation) else {
                        continue;
                    };
                    if let Some(shadow) = &mut versions.shadow {
                        shadow.events(&mut reader.clone(), now, count, room)?;
                    }
                    if let Some(current) = &mut versions.current {
                        current.events(&mut reader, now, count, room)?;
                    }
                }
                Kind::Head(queue, head) => {
                    self.latest = self.latest.max(queue.now);
                    let core = Queue::restoring(&head.with(for_core(&queue.settings)));
                    let begun = Version::new(incarnation, queue, base, core);
                    let versions = self.queues.entry(incarnation).or_default();
                    if let Some(given_up) = versions.shadow.replace(begun) {
                        self.held -= given_up.queue.bodies.held();
                    }
                }
                // Bytes that a restore put aside: what refers to them brings its own copy.
                Kind::Aside => {}
                Kind::Parts { count } => {
                    let versions = self.queues.get_mut(&incarnation);
                    let Some(versions) = versions.filter(|versions| versions.shadow.is_some())
                    else {
                        continue;
                    };
                    let Some(shadow) = &mut versions.shadow else {
                        continue;
                    };
                    shadow.parts(&mut reader, count, room)?;
                    if !shadow.queue.core.is_restoring() {
                        let finished = versions.shadow.take();
                        if let Some(older) = std::mem::replace(&mut versions.current, finished) {
                            self.held -= older.queue.bodies.held();
                        }
                    }
                }
            }
        }
        Ok(())
    }
}

impl Version {
    fn new(incarnation: u64, queue: Introduced, base: Lsn, core: Queue) -> Self {
        let Introduced { name, settings, .. } = queue;
        let queue = Recovered {
            incarnation,
            name,
            settings: *settings,
            base,
            core,
            bodies: Bodies::default(),
            workers: Names::default(),
        };
        let free = Vec::new();
        Self { queue, free }
    }

    fn events(
        &mut self,
        reader: &mut Reader<'_>,
        now: Time,
        count: u64,
        room: &mut Room<'_>,
    ) -> Result<(), Malformed> {
        let before = self.queue.bodies.held();
        for _ in 0..count {
            let queue = &mut self.queue;
            let event = decode::event(reader, now, &mut Taking { queue, room })?;
            queue.core.evolve(&event, &mut self.free);
            self.let_go();
        }
        room.count(before, self.queue.bodies.held());
        Ok(())
    }

    fn parts(
        &mut self,
        reader: &mut Reader<'_>,
        count: u64,
        room: &mut Room<'_>,
    ) -> Result<(), Malformed> {
        let before = self.queue.bodies.held();
        for _ in 0..count {
            let queue = &mut self.queue;
            let part = decode::part(reader, &mut Taking { queue, room })?;
            queue.core.restore(part, &mut self.free);
            self.let_go();
        }
        room.count(before, self.queue.bodies.held());
        Ok(())
    }

    fn let_go(&mut self) {
        for blob in self.free.drain(..) {
            self.queue.bodies.free(blob);
        }
    }
}

/// What memory still has room for, and where the rest goes.
struct Room<'a> {
    budget: u64,
    held: &'a mut u64,
    aside: Option<Aside<'a>>,
}

/// Keeps bytes that are not in this server's log yet; where they are now.
pub(in crate::engine) type Aside<'a> = &'a mut dyn FnMut(&[u8]) -> Lsn;

impl Room<'_> {
    fn count(&mut self, before: u64, now: u64) {
        *self.held = *self.held - before + now;
    }
}

/// A version that takes in what its records hold.
struct Taking<'a, 'r> {
    queue: &'a mut Recovered,
    room: &'a mut Room<'r>,
}

impl Keeper for Taking<'_, '_> {
    fn next_seq(&self) -> Seq {
        self.queue.core.next_seq()
    }

    fn keep(&mut self, stored: Stored<'_>) -> Blob {
        if *self.room.held <= self.room.budget {
            return self.queue.bodies.put(stored.bytes);
        }
        let at = match &mut self.room.aside {
            Some(aside) => aside(stored.bytes),
            None => stored.at,
        };
        self.queue.bodies.put_logged(Logged {
            at,
            len: u32::try_from(stored.bytes.len()).expect("a record is under 4 GiB"),
        })
    }

    fn name(&mut self, name: &str) -> Arc<str> {
        self.queue.workers.intern(name)
    }

    fn configure(&mut self, settings: Settings) -> queue_core::Settings {
        self.queue.settings = settings;
        for_core(&settings)
    }
}

/// What a panic said.
fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("no reason is given").to_owned()
}
