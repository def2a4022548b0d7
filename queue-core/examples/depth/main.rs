//! What an operation costs in a queue 10 million items deep against one 1,000 deep, what memory an
//! item takes, and how long the longest single command stops a deep queue:
//! `cargo run --release -p queue-core --example depth`.
//!
//! Both queues are measured by turns in one run. The figures are medians; a shared machine shifts both
//! sides alike. Single commands are measured by the time of their thread alone, so that whoever else
//! runs on the machine does not count.

#![allow(clippy::print_stdout, reason = "printing figures is what it does")]

mod busy;

use std::error::Error;
use std::process::Command;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use queue_core::{Entry, How, Options};
use rustix::time::{ClockId, clock_gettime};

use busy::{BODY, Busy, LEASE, MOST};

/// The allocator of the server's programs: what it rounds up and when it gives memory back counts here.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

type Measured<T> = Result<T, Box<dyn Error>>;

const SHALLOW: usize = 1_000;
const DEEP: usize = 10_000_000;

/// Commands between two looks at the clock.
const ROUND: usize = 1_000;
const ROUNDS: usize = 401;

/// Items a batched command takes.
const BATCH: usize = 100;

/// Items whose memory is measured in each state.
const MEASURED: usize = 1_000_000;

fn main() -> Measured<()> {
    match std::env::args().nth(1).as_deref() {
        Some("commands") => return single_commands(),
        Some(state) => return print_memory(state),
        None => {}
    }
    println!("memory an item beside its body, of {MEASURED} items in one state:");
    for state in ["ready", "leased", "delayed", "done"] {
        run_apart(state)?;
    }
    for given in ["keyed", "grouped", "waiting", "expiring"] {
        run_apart(given)?;
    }
    let mut shallow = Busy::filled(SHALLOW)?;
    let before = resident()?;
    let start = Instant::now();
    let mut deep = Busy::filled(DEEP)?;
    let filled = start.elapsed();
    let bytes = (resident()? - before) as f64 / DEEP as f64;
    println!("  ready    {bytes:6.1} bytes, of {DEEP}");
    println!("filling with {DEEP} in {filled:.2?}");
    for batch in [1, BATCH] {
        compare(&mut shallow, &mut deep, batch)?;
    }
    println!("drain {:6.1} ns an item, one by one", drain(&mut deep)?);
    drop(deep);
    run_apart("commands")
}

/// Runs a part of this program in a process of its own, so that memory freed before neither hides what
/// is taken now nor serves it.
fn run_apart(part: &str) -> Measured<()> {
    let status = Command::new(std::env::current_exe()?).arg(part).status()?;
    match status.success() {
        true => Ok(()),
        false => Err(format!("measuring {part}: {status}").into()),
    }
}

/// Measures both queues by turns.
fn compare(shallow: &mut Busy, deep: &mut Busy, batch: usize) -> Measured<()> {
    let (mut of_shallow, mut of_deep) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        of_shallow.push(round(shallow, batch)?);
        of_deep.push(round(deep, batch)?);
    }
    println!("ns an item, {batch} a command: {SHALLOW} deep, {DEEP} deep, rate deep / shallow");
    let mut sums = [0.0; 2];
    for (column, name) in ["enqueue", "lease", "ack"].into_iter().enumerate() {
        let shallow = median(&of_shallow, column);
        let deep = median(&of_deep, column);
        sums[0] += shallow;
        sums[1] += deep;
        println!("  {name:8} {shallow:8.1} {deep:8.1} {:6.2}", shallow / deep);
    }
    println!(
        "  {:8} {:8.1} {:8.1} {:6.2}",
        "all",
        sums[0],
        sums[1],
        sums[0] / sums[1]
    );
    Ok(())
}

/// One round of enqueue, lease and ack, `batch` items a command: nanoseconds an item for each. The
/// queue is as deep after it as before.
fn round(busy: &mut Busy, batch: usize) -> Measured<[f64; 3]> {
    let mut tokens = Vec::with_capacity(ROUND);
    let start = Instant::now();
    for _ in 0..ROUND / batch {
        busy.enqueue(batch)?;
    }
    let enqueued = Instant::now();
    for _ in 0..ROUND / batch {
        busy.lease(batch, &mut tokens);
    }
    let leased = Instant::now();
    for token in tokens {
        busy.settle(token, How::Acked)?;
    }
    let settled = Instant::now();
    let each = |duration: Duration| duration.as_nanos() as f64 / ROUND as f64;
    Ok([
        each(enqueued - start),
        each(leased - enqueued),
        each(settled - leased),
    ])
}

fn median(rounds: &[[f64; 3]], column: usize) -> f64 {
    let mut figures: Vec<f64> = rounds.iter().map(|round| round[column]).collect();
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

/// Drains the whole depth: nanoseconds an item.
fn drain(deep: &mut Busy) -> Measured<f64> {
    let (mut items, mut tokens) = (0_usize, Vec::new());
    let start = Instant::now();
    loop {
        deep.lease(1, &mut tokens);
        let Some(token) = tokens.pop() else { break };
        deep.settle(token, How::Acked)?;
        items += 1;
    }
    Ok(start.elapsed().as_nanos() as f64 / items as f64)
}

/// Takes a queue through all its growth and back, and says how long each kind of command took at most:
/// single ones up to the whole depth and down again, then the slices of mass work.
fn single_commands() -> Measured<()> {
    println!("single commands up to {DEEP} deep and back, microseconds of their thread:");
    let mut busy = Busy::new(DEEP as u64 / 10);
    let mut enqueue = Timed::new()?;
    for _ in 0..DEEP {
        enqueue.time(|| busy.enqueue(1))??;
    }
    enqueue.print("enqueue");

    let (mut lease, mut tokens) = (Timed::new()?, Vec::with_capacity(DEEP / 2));
    for _ in 0..DEEP / 2 {
        lease.time(|| busy.lease(1, &mut tokens))?;
        // Leases outlive the measurement: the clock stands still.
        busy.now -= 1;
    }
    lease.print("lease");
    let mut ack = Timed::new()?;
    for token in tokens.drain(..DEEP / 4) {
        ack.time(|| busy.settle(token, How::Acked))??;
        busy.now -= 1;
    }
    ack.print("ack");
    let mut nack = Timed::new()?;
    for token in tokens.drain(..DEEP / 8) {
        nack.time(|| busy.settle(token, How::Nacked))??;
        busy.now -= 1;
    }
    nack.print("nack");

    let mut due = Timed::new()?;
    // A command is a millisecond ahead of where the clock stands.
    busy.now += LEASE.as_millis() as u64 + 1;
    while busy.queue.counts().leased + busy.queue.counts().delayed > 0 {
        due.time(|| busy.due())?;
    }
    due.print("expiry of 1,000");
    let mut batch = Timed::new()?;
    for _ in 0..DEEP / 4 / MOST {
        batch.time(|| busy.lease(MOST, &mut tokens))?;
    }
    batch.print("lease of 1,000");
    let mut purge = Timed::new()?;
    while busy.queue.counts().ready > 0 {
        purge.time(|| busy.purge())?;
    }
    purge.print("purge of 1,000");
    Ok(())
}

/// Times of single commands.
struct Timed {
    nanos: Histogram<u64>,
}

impl Timed {
    fn new() -> Measured<Self> {
        let nanos = Histogram::new(3)?;
        Ok(Self { nanos })
    }

    fn time<T>(&mut self, command: impl FnOnce() -> T) -> Measured<T> {
        let begun = own_nanos();
        let answer = command();
        self.nanos.record(own_nanos() - begun)?;
        Ok(answer)
    }

    fn print(&self, name: &str) {
        let micros = |nanos: u64| nanos as f64 / 1_000.0;
        let [median, high] = [0.5, 0.9999].map(|at| micros(self.nanos.value_at_quantile(at)));
        let longest = micros(self.nanos.max());
        println!("  {name:16} median {median:7.2}, p99.99 {high:7.1}, longest {longest:8.1}");
    }
}

/// What this thread has spent on a processor.
fn own_nanos() -> u64 {
    let spent = clock_gettime(ClockId::ThreadCPUTime);
    spent.tv_sec as u64 * 1_000_000_000 + spent.tv_nsec as u64
}

fn print_memory(state: &str) -> Measured<()> {
    let before = resident()?;
    let mut busy = Busy::new(MEASURED as u64 + 1);
    let mut tokens = Vec::new();
    for _ in 0..MEASURED / MOST {
        if let Some(options) = given(state, busy.now) {
            let entries = options.each_ref().map(|options| Entry {
                body: BODY,
                options: Some(options),
            });
            busy.offer(&entries)?;
            continue;
        }
        busy.enqueue(MOST)?;
        if state == "ready" {
            continue;
        }
        busy.lease(MOST, &mut tokens);
        let how = match state {
            "leased" => {
                tokens.clear();
                continue;
            }
            "delayed" => How::Nacked,
            _ => How::Acked,
        };
        for token in tokens.drain(..) {
            // The clock stands still here: what waits must still wait at the end.
            busy.now -= 1;
            busy.settle(token, how)?;
        }
    }
    let bytes = (resident()? - before) as f64 / MEASURED as f64;
    println!("  {state:8} {bytes:6.1} bytes");
    Ok(())
}

/// What a thousand items are given besides their bodies. Keys are 16 bytes long each, which count;
/// groups have a thousand items; instants differ from one item to the next.
fn given(what: &str, now: u64) -> Option<[Options; MOST]> {
    let hour = |at: usize| Duration::from_millis(3_600_000 + (now % 1_000) * 1_000 + at as u64);
    let options = |at: usize| match what {
        "keyed" => Some(Options {
            key: Some(format!("{now:08}{at:08}").into()),
            ..Options::default()
        }),
        "grouped" => Some(Options {
            group: Some(format!("group {now}").into()),
            ..Options::default()
        }),
        "waiting" => Some(Options {
            delay: hour(at),
            ..Options::default()
        }),
        "expiring" => Some(Options {
            ttl: Some(hour(at)),
            ..Options::default()
        }),
        _ => None,
    };
    options(0)?;
    Some(std::array::from_fn(|at| options(at).unwrap_or_default()))
}

/// Bytes of memory this process holds.
fn resident() -> Measured<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().next());
    Ok(kib
        .ok_or("/proc/self/status has no VmRSS")?
        .parse::<u64>()?
        * 1024)
}
