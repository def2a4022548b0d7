//! What keeping costs: groups of several sizes made durable on a real disk, beside the bare writes and
//! syncs that they need; reading a log back; checksums. `cargo bench -p queue-log`.
//!
//! The disk is the one that holds the target directory, or `MEMQ_BENCH_DIR`: in memory (`/dev/shm`)
//! what is left is what the log itself costs.

use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use queue_log::{Disk as _, DiskFile, Log, Lsn, Opened, Options, Progress, RealDisk};
use tempfile::TempDir;

const OPTIONS: Options = Options {
    segment_bytes: 64 << 20,
    max_bytes: None,
    accept_loss: false,
};
/// What is kept of the log while it is written, so that its segments are recycled.
const KEPT: u64 = 128 << 20;
/// Bytes of a record: a head of 16 and a body.
const BODY: [u8; 48] = [b'x'; 48];

/// A directory on a disk: a temporary one of the system may be in memory.
fn directory() -> TempDir {
    let chosen = std::env::var_os("MEMQ_BENCH_DIR");
    let on = chosen.unwrap_or_else(|| env!("CARGO_TARGET_TMPDIR").into());
    tempfile::tempdir_in(on).expect("a directory")
}

/// What is durable, to be waited for.
#[derive(Clone, Default)]
struct Durable(Arc<(Mutex<Lsn>, Condvar)>);

impl Durable {
    fn callback(&self) -> Box<dyn Fn(Progress) + Send + Sync> {
        let durable = self.clone();
        Box::new(move |progress| {
            assert!(progress.failed.is_none(), "{progress:?}");
            let mut known = durable.0.0.lock().expect("nobody panicked");
            if *known < progress.durable {
                *known = progress.durable;
                durable.0.1.notify_one();
            }
        })
    }

    fn wait(&self, end: Lsn) {
        let known = self.0.0.lock().expect("nobody panicked");
        let behind = |known: &mut Lsn| *known < end;
        drop(self.0.1.wait_while(known, behind).expect("nobody panicked"));
    }
}

fn open(directory: &TempDir) -> (Log, Durable) {
    let disk = RealDisk::open(directory.path()).expect("a directory");
    let opened = Opened::read(Arc::new(disk), OPTIONS, &mut |_, _| Ok(())).expect("a log");
    let durable = Durable::default();
    let log = opened.start(durable.callback()).expect("a log");
    (log, durable)
}

/// Encodes and appends a group, and hands it over.
fn group(log: &Log, records: u64, number: &mut u64) -> Lsn {
    let mut end = Lsn(0);
    for _ in 0..records {
        *number += 1;
        end = log.append(|record| {
            record.put_u8(1);
            record.put(&number.to_le_bytes());
            record.put_u8(0);
            record.put(&(BODY.len() as u32).to_le_bytes());
            record.put(&[0; 2]);
            record.put(&BODY);
        });
    }
    log.hand_over();
    end
}

/// Appends groups as a server does: while one is synced the next gathers.
fn append(log: &Log, durable: &Durable, records: u64, groups: u64) -> Duration {
    let mut number = 0;
    let mut before = log.progress().durable;
    let started = Instant::now();
    for _ in 0..groups {
        let end = group(log, records, &mut number);
        durable.wait(before);
        before = end;
        log.trim(Lsn(end.0.saturating_sub(KEPT)));
    }
    durable.wait(before);
    started.elapsed()
}

/// The floor: as many bytes written to a file that was zeroed before, and synced, one after the other.
fn bare(file: &dyn DiskFile, bytes: &[u8], times: u64) -> Duration {
    let started = Instant::now();
    for time in 0..times {
        let room = OPTIONS.segment_bytes / bytes.len() as u64;
        file.write_at(bytes, time % room * bytes.len() as u64)
            .expect("a write");
        file.sync().expect("a sync");
    }
    started.elapsed()
}

fn appending(criterion: &mut Criterion) {
    let mut bench = criterion.benchmark_group("append");
    for records in [1, 16, 256, 1000] {
        let directory = directory();
        let (log, durable) = open(&directory);
        // Until the log is as long as it stays its segments are made, and not recycled.
        append(&log, &durable, 1000, KEPT * 2 / 64_000);
        bench.throughput(Throughput::Elements(records));
        bench.bench_function(
            BenchmarkId::new("64 bytes, a sync each", records),
            |bencher| {
                bencher.iter_custom(|groups| append(&log, &durable, records, groups));
            },
        );
        drop(log);
        let disk = RealDisk::open(directory.path()).expect("a directory");
        let file = disk.create("floor", OPTIONS.segment_bytes);
        let file = file.expect("a file");
        let bytes = vec![b'x'; 40 + 64 * records as usize];
        bench.bench_function(
            BenchmarkId::new("bare write and sync", records),
            |bencher| {
                bencher.iter_custom(|times| bare(&*file, &bytes, times));
            },
        );
    }
    bench.finish();
}

fn recovery(criterion: &mut Criterion) {
    let directory = directory();
    let (log, durable) = open(&directory);
    let records = 1_000_000;
    let mut number = 0;
    for _ in 0..records / 1000 {
        let end = group(&log, 1000, &mut number);
        durable.wait(end);
    }
    drop(log);
    let mut bench = criterion.benchmark_group("recovery");
    bench.sample_size(20);
    bench.throughput(Throughput::Elements(records));
    bench.bench_function("1 M records of 64 bytes, in the cache", |bencher| {
        bencher.iter(|| {
            let disk = RealDisk::open(directory.path()).expect("a directory");
            let mut read = 0;
            let opened = Opened::read(Arc::new(disk), OPTIONS, &mut |_, body| {
                read += body.chunks_exact(64).count();
                Ok(())
            });
            opened.expect("a log");
            assert_eq!(read, 1_000_000);
        });
    });
    bench.finish();
}

fn checksums(criterion: &mut Criterion) {
    let mut bench = criterion.benchmark_group("checksum");
    for bytes in [104_usize, 4096, 64 << 10] {
        let frame = vec![0x5a; bytes];
        bench.throughput(Throughput::Bytes(bytes as u64));
        bench.bench_with_input(
            BenchmarkId::from_parameter(bytes),
            &frame,
            |bencher, frame| {
                bencher.iter(|| crc32c::crc32c(frame));
            },
        );
    }
    bench.finish();
}

criterion_group!(benches, appending, recovery, checksums);
criterion_main!(benches);
