//! Records as they go out and come back, and what does not read as one.

mod samples;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use proptest::prelude::*;
use queue_api::Settings;
use queue_core::{
    Attempt, Blob, Event, Fence, Group, GroupId, Head, How, Kept, Lease, Next, Outcome, Part,
    Recalled, Seq, State, Terms, Time, Totals,
};
use queue_log::faulty::FaultyDisk;
use queue_log::{Lsn, Opened, Options, Record};

use self::samples::{every_event, every_part};
use super::decode::{self, Keeper, Kind, Opening};
use super::encode::{self, Introduced, Source};
use super::wire::{Malformed, Reader, Stored};
use super::{Rest, Store};
use crate::engine::settings::for_core;

const NOW: Time = Time(1_700_000_000_000);
const QUEUE: u64 = 0x0123_4567_89ab_cdef;

/// What a log keeps of one record.
async fn written(write: impl FnOnce(&mut Record<'_>)) -> Vec<u8> {
    let disk = Arc::new(FaultyDisk::new());
    let options = Options {
        segment_bytes: 64 * 1024,
        max_bytes: None,
        accept_loss: false,
    };
    let opened = Opened::read(disk, options, &mut |_, _| Ok(())).expect("a new log");
    let store = Arc::new(Store::on_log(opened, 0, 0).expect("a healthy disk"));
    let running = tokio::spawn({
        let store = Arc::clone(&store);
        async move { store.run().await }
    });
    let start = store.usage().unwrap_or_default().start;
    let (_, durable) = store.append(write).expect("it is on disk");
    let rest = Rest {
        durable,
        ..Rest::default()
    };
    store.wait(rest).await.expect("a healthy disk");
    let mut bytes = Vec::new();
    let mut visit = |_: Lsn, frame: &[u8]| {
        bytes.extend_from_slice(frame);
        Ok(())
    };
    let frames = store.frames(start, store.durable(), &mut visit);
    frames.expect("what was written can be read");
    running.abort();
    bytes
}

/// The bytes of blobs, each told by its place.
fn text_of(blob: Blob) -> &'static [u8] {
    &b"0123456789abcdefghijklmnopqrstuvwxyz"[..blob.len as usize]
}

fn blob(len: u32) -> Blob {
    Blob {
        place: len.into(),
        len,
    }
}

async fn events(events: &[Event]) -> Vec<u8> {
    let settings = Settings::default();
    written(|record| {
        let source = &mut Source {
            bytes: &|blob| text_of(blob),
            placed: &mut |_, _| {},
        };
        encode::events(record, QUEUE, NOW, &settings, events, source);
    })
    .await
}

async fn parts(parts: &[Part]) -> Vec<u8> {
    written(|record| {
        let source = &mut Source {
            bytes: &|blob| text_of(blob),
            placed: &mut |_, _| {},
        };
        encode::parts(record, QUEUE, parts, source);
    })
    .await
}

/// Keeps what it is given, a blob by its length.
#[derive(Default)]
struct Keeping {
    next: u64,
    names: Mutex<HashMap<String, Arc<str>>>,
}

impl Keeper for Keeping {
    fn next_seq(&self) -> Seq {
        Seq(self.next)
    }

    fn keep(&mut self, stored: Stored<'_>) -> Blob {
        let len = stored.bytes.len() as u32;
        assert_eq!(stored.bytes, text_of(blob(len)));
        blob(len)
    }

    fn name(&mut self, name: &str) -> Arc<str> {
        let mut names = self.names.lock().expect("no test panics in it");
        Arc::clone(names.entry(name.to_owned()).or_insert_with(|| name.into()))
    }

    fn configure(&mut self, settings: Settings) -> queue_core::Settings {
        for_core(&settings)
    }
}

/// What a record holds.
type Read = (Vec<Event>, Vec<Part>, Option<Head>);

/// Reads whatever a record holds.
fn read(bytes: &[u8]) -> Result<Read, Malformed> {
    let mut frame = Reader::new(bytes, Lsn(0));
    let mut keeper = Keeping::default();
    let (mut events, mut parts, mut head) = (Vec::new(), Vec::new(), None);
    while !frame.is_at_end() {
        let mut reader = frame.record()?;
        let Opening { kind, .. } = decode::opening(&mut reader)?;
        match kind {
            Kind::Events { now, count } => {
                for _ in 0..count {
                    let event = decode::event(&mut reader, now, &mut keeper)?;
                    keeper.next += u64::from(matches!(event, Event::Enqueued { .. }));
                    events.push(event);
                }
            }
            Kind::Parts { count } => {
                for _ in 0..count {
                    parts.push(decode::part(&mut reader, &mut keeper)?);
                }
            }
            Kind::Head(queue, raw) => head = Some(raw.with(for_core(&queue.settings))),
            Kind::Created(_) | Kind::Deleted { .. } | Kind::Aside => {}
        }
    }
    Ok((events, parts, head))
}

#[tokio::test]
async fn every_event_reads_back_as_it_was_written() {
    let told = every_event();
    let (read, _, _) = read(&events(&told).await).expect("a record");
    assert_eq!(read, told);
}

#[tokio::test]
async fn every_part_reads_back_as_it_was_written() {
    let told = every_part();
    let (_, read, _) = read(&parts(&told).await).expect("a record");
    assert_eq!(read, told);
}

#[tokio::test]
async fn a_head_reads_back_as_it_was_written() {
    for next_answer in [0, 300] {
        let settings = Settings {
            rate_per_s: Some(0.5),
            max_leased_per_group: Some(3),
            ..Settings::default()
        };
        let head = Head {
            settings: for_core(&settings),
            sealed: next_answer > 0,
            paused: next_answer == 0,
            next_seq: Seq(5),
            last_enqueued: NOW,
            first_outcome: 7,
            next_outcome: 9,
            next_answer,
        };
        let name = "q".parse().expect("a name");
        let bytes = written(|record| {
            let queue = Introduced {
                incarnation: QUEUE,
                name: &name,
                settings: &settings,
            };
            encode::head(record, queue, NOW, &head);
        });
        let (_, _, read) = read(&bytes.await).expect("a record");
        assert_eq!(read, Some(head));
    }
}

/// A queue without options writes what it wrote before there were any, byte for byte.
#[tokio::test]
async fn plain_items_are_written_as_they_always_were() {
    let plain = [
        Event::Enqueued {
            at: NOW,
            seq: Seq(0),
            body: blob(3),
            due: None,
            terms: None,
        },
        Event::Settled {
            at: NOW,
            seq: Seq(300),
            how: How::Nacked,
            next: Next::Delayed(Time(NOW.0 + 5)),
            spent: true,
            note: Some(blob(2)),
            exit_code: Some(-2),
            log: None,
        },
    ];
    let plain = events(&plain).await;
    let blob = |text: &[u8]| {
        [
            &[text.len() as u8],
            &crc32c::crc32c(text).to_le_bytes()[..],
            text,
        ]
        .concat()
    };
    let events = [
        &[2][..],
        &blob(b"012"),
        &[5, 0xac, 2, 0b1111_0001, 0, 5],
        &blob(b"01"),
        &[3],
    ]
    .concat();
    let body = [
        &[3][..],
        &QUEUE.to_le_bytes(),
        &[0x80, 0xd0, 0x95, 0xff, 0xbc, 0x31, 2],
        &events,
    ]
    .concat();
    let expected = [&(body.len() as u32).to_le_bytes()[..], &body].concat();
    assert_eq!(plain, expected);
}

#[tokio::test]
async fn attempts_that_cannot_add_up_are_refused() {
    let items = every_part().into_iter().filter_map(|part| match part {
        Part::Item(kept) => Some(kept),
        _ => None,
    });
    let items: Vec<Kept> = items.collect();
    let leased = items.iter().find(|kept| kept.lease.is_some());
    let tried = items
        .iter()
        .find(|kept| kept.lease.is_none() && !kept.story.is_empty());
    let (leased, tried) = (leased.expect("a leased item"), tried.expect("a story"));
    let spoilt = |kept: &Kept, attempts: u16, uncounted: Option<u32>| {
        let (mut kept, few) = (kept.clone(), kept.story.len().min(1));
        kept.story.truncate(few);
        (kept.attempts, kept.uncounted) = (attempts, uncounted);
        Part::Item(kept)
    };
    for part in [
        spoilt(leased, 0, None),
        spoilt(leased, 0, Some(7)),
        spoilt(leased, 1, Some(u32::MAX)),
        spoilt(leased, u16::MAX, None),
    ] {
        let refused = read(&parts(std::slice::from_ref(&part)).await);
        let told = refused.expect_err("it cannot be").to_string();
        assert!(told.contains("the attempts of an item"), "{told}");
    }
    for part in [spoilt(tried, 1, Some(9)), spoilt(tried, 0, None)] {
        let read = read(&parts(std::slice::from_ref(&part)).await);
        assert!(read.is_ok(), "{part:?}");
    }
}

#[tokio::test]
async fn a_record_that_is_cut_off_anywhere_does_not_read() {
    for whole in [events(&every_event()).await, parts(&every_part()).await] {
        let contents = &whole[4..];
        for len in 0..contents.len() {
            let cut = [&(len as u32).to_le_bytes()[..], &contents[..len]].concat();
            assert!(read(&cut).is_err(), "{len} of {}", contents.len());
        }
    }
}

/// A number that says how many follow is not believed before they have come.
#[tokio::test]
async fn a_count_of_more_than_there_is_allocates_nothing_for_it() {
    let many = [0xff; 9].into_iter().chain([1]);
    let record = |kind: u8, rest: &[u8]| {
        let body = [&[kind][..], &QUEUE.to_le_bytes(), rest].concat();
        [&(body.len() as u32).to_le_bytes()[..], &body].concat()
    };
    let many: Vec<u8> = many.collect();
    let remembered = [&[0, 1, 21, 1, b'k'][..], &[0; 8], &[0, 0], &many].concat();
    let story = [&[1, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0][..], &many].concat();
    for malformed in [
        record(3, &[&[0][..], &many].concat()),
        record(5, &many),
        record(5, &[&[1, 3][..], &many].concat()),
        record(3, &remembered),
        record(5, &story),
        record(3, &[&[0, 1, 2][..], &many].concat()),
        record(3, &[&[0, 1, 21][..], &many].concat()),
    ] {
        assert!(read(&malformed).is_err(), "{malformed:?}");
    }
}

#[tokio::test]
async fn what_is_not_known_is_refused_and_not_passed_over() {
    let record = |event: &[u8]| {
        let body = [&[3][..], &QUEUE.to_le_bytes(), &[0, 1], event].concat();
        [&(body.len() as u32).to_le_bytes()[..], &body].concat()
    };
    for (event, what) in [
        (&[23][..], "an event of a later release"),
        (&[14, 0x80, 2, 0, 0, 0, 0, 0], "terms of a later release"),
        (
            &[14, 1 << 5, 0, 0, 0, 0, 0],
            "a key that is held from the start",
        ),
        (
            &[14, 0b100, 0, 1, 1, b'g', 0, 0, 0, 0, 0],
            "a group without a number",
        ),
        (&[14, 0b100, 1, 0, 0, 0, 0, 0, 0], "a group without a name"),
        (
            &[14, 0b10, 0x80, 0x80, 4, 0, 0, 0, 0, 0],
            "a priority too high",
        ),
        (
            &[14, 0b1000, 1, 0xff, 0, 0, 0, 0, 0],
            "a key that is no text",
        ),
        (&[5, 0, 0b110, 0], "an end of a later release"),
    ] {
        assert!(read(&record(event)).is_err(), "{what}");
    }
}

proptest! {
    #[test]
    fn no_bytes_make_a_reader_panic(
        kind in 0_u8..8,
        contents in proptest::collection::vec(prop_oneof![Just(0), Just(1), 0_u8..24, any::<u8>()], 0..200),
    ) {
        let body = [&[kind][..], &QUEUE.to_le_bytes(), &contents].concat();
        let record = [&(body.len() as u32).to_le_bytes()[..], &body].concat();
        let _malformed_or_not = read_any(&record);
    }
}

/// As [`read`], with blobs that are anything.
fn read_any(bytes: &[u8]) -> Result<(), Malformed> {
    let mut reader = Reader::new(bytes, Lsn(0)).record()?;
    let Opening { kind, .. } = decode::opening(&mut reader)?;
    let mut keeper = Anything;
    match kind {
        Kind::Events { now, count } => {
            (0..count).try_for_each(|_| decode::event(&mut reader, now, &mut keeper).map(drop))
        }
        Kind::Parts { count } => {
            (0..count).try_for_each(|_| decode::part(&mut reader, &mut keeper).map(drop))
        }
        _ => Ok(()),
    }
}

struct Anything;

impl Keeper for Anything {
    fn next_seq(&self) -> Seq {
        Seq(0)
    }

    fn keep(&mut self, stored: Stored<'_>) -> Blob {
        blob(stored.bytes.len() as u32)
    }

    fn name(&mut self, name: &str) -> Arc<str> {
        name.into()
    }

    fn configure(&mut self, settings: Settings) -> queue_core::Settings {
        for_core(&settings)
    }
}
