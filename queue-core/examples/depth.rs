//! What an operation costs in a queue 10 million items deep against one 1,000 deep, and what memory
//! an item takes: `cargo run --release -p queue-core --example depth`.
//!
//! Both queues are measured by turns in one run, each command with its look for what is due, as a
//! server runs it. The figures are medians; a shared machine shifts both sides alike.

#![allow(clippy::print_stdout, reason = "printing figures is what it does")]

use std::error::Error;
use std::process::Command;
use std::time::{Duration, Instant};

use queue_core::{
    Blob, Event, Fence, How, LeaseLost, Queue, Refusal, Seq, Settings, Settlement, Time,
};

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

const LEASE: Duration = Duration::from_secs(30);

static BODIES: [Blob; SHALLOW] = [Blob { place: 1, len: 64 }; SHALLOW];

/// A queue with a clock that a command moves on, so that timers differ as they do in life.
struct Bench {
    queue: Queue,
    now: u64,
    events: Vec<Event>,
    free: Vec<Blob>,
}

impl Bench {
    fn new(done_retention_items: u64) -> Self {
        let settings = Settings {
            done_retention_items,
            ..Settings::default()
        };
        let queue = Queue::new(settings);
        Self {
            queue,
            now: 0,
            events: Vec::new(),
            free: Vec::new(),
        }
    }

    fn filled(items: usize) -> Measured<Self> {
        let mut bench = Self::new(10_000);
        for _ in 0..items / SHALLOW {
            bench.enqueue(SHALLOW)?;
        }
        Ok(bench)
    }

    fn act<T>(&mut self, decide: impl FnOnce(&Queue, Time, u64, &mut Vec<Event>) -> T) -> T {
        self.now += 1;
        self.queue.due(Time(self.now), &mut self.events);
        self.apply();
        let answer = decide(&self.queue, Time(self.now), self.now, &mut self.events);
        self.apply();
        answer
    }

    fn apply(&mut self) {
        for event in self.events.drain(..) {
            self.queue.evolve(&event, &mut self.free);
        }
        self.free.clear();
    }

    fn enqueue(&mut self, items: usize) -> Result<(), Refusal> {
        self.act(|queue, now, _, events| queue.enqueue(now, &BODIES[..items], events))
    }

    /// Leases items into `tokens`.
    fn lease(&mut self, items: usize, tokens: &mut Vec<(Seq, Fence)>) {
        self.act(|queue, now, entropy, events| {
            queue.lease(now, items, LEASE, None, entropy, events);
            tokens.extend(events.iter().filter_map(|event| match event {
                Event::Leased { seq, fence, .. } => Some((*seq, *fence)),
                _ => None,
            }));
        });
    }

    fn settle(&mut self, (seq, fence): (Seq, Fence), how: How) -> Result<(), LeaseLost> {
        let settlement = Settlement {
            how,
            delay: None,
            note: None,
            exit_code: None,
        };
        self.act(|queue, now, entropy, events| {
            queue
                .settle(now, seq, fence, settlement, entropy, events)
                .map(|_| ())
        })
    }

    /// One round of enqueue, lease and ack, `batch` items a command: nanoseconds an item for each.
    /// The queue is as deep after it as before.
    fn round(&mut self, batch: usize) -> Measured<[f64; 3]> {
        let mut tokens = Vec::with_capacity(ROUND);
        let start = Instant::now();
        for _ in 0..ROUND / batch {
            self.enqueue(batch)?;
        }
        let enqueued = Instant::now();
        for _ in 0..ROUND / batch {
            self.lease(batch, &mut tokens);
        }
        let leased = Instant::now();
        for token in tokens {
            self.settle(token, How::Acked)?;
        }
        let settled = Instant::now();
        let each = |duration: Duration| duration.as_nanos() as f64 / ROUND as f64;
        Ok([
            each(enqueued - start),
            each(leased - enqueued),
            each(settled - leased),
        ])
    }
}

fn main() -> Measured<()> {
    if let Some(state) = std::env::args().nth(1) {
        return print_memory(&state);
    }
    println!("memory an item beside its body, of {MEASURED} items in one state:");
    for state in ["ready", "leased", "delayed", "done"] {
        let status = Command::new(std::env::current_exe()?).arg(state).status()?;
        if !status.success() {
            return Err(format!("measuring {state} items: {status}").into());
        }
    }
    let mut shallow = Bench::filled(SHALLOW)?;
    let before = resident()?;
    let start = Instant::now();
    let mut deep = Bench::filled(DEEP)?;
    let filled = start.elapsed();
    let bytes = (resident()? - before) as f64 / DEEP as f64;
    println!("  ready    {bytes:6.1} bytes, of {DEEP}");
    println!("filling with {DEEP} in {filled:.2?}");
    for batch in [1, BATCH] {
        compare(&mut shallow, &mut deep, batch)?;
    }
    drain(&mut deep)
}

/// Measures both queues by turns.
fn compare(shallow: &mut Bench, deep: &mut Bench, batch: usize) -> Measured<()> {
    let (mut of_shallow, mut of_deep) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        of_shallow.push(shallow.round(batch)?);
        of_deep.push(deep.round(batch)?);
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

/// Drains the whole depth, and says how long the longest single command took.
fn drain(deep: &mut Bench) -> Measured<()> {
    let (mut longest, mut items) = (Duration::ZERO, 0_usize);
    let start = Instant::now();
    let mut tokens = Vec::new();
    loop {
        let begun = Instant::now();
        deep.lease(1, &mut tokens);
        longest = longest.max(begun.elapsed());
        let Some(token) = tokens.pop() else { break };
        let begun = Instant::now();
        deep.settle(token, How::Acked)?;
        longest = longest.max(begun.elapsed());
        items += 1;
    }
    let each = start.elapsed().as_nanos() as f64 / items as f64;
    println!("draining {items} one by one: {each:.1} ns an item, longest command {longest:.1?}");
    Ok(())
}

fn median(rounds: &[[f64; 3]], column: usize) -> f64 {
    let mut figures: Vec<f64> = rounds.iter().map(|round| round[column]).collect();
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

/// In a process of its own, so that memory freed before does not hide what is taken now.
fn print_memory(state: &str) -> Measured<()> {
    let before = resident()?;
    let mut bench = Bench::new(MEASURED as u64 + 1);
    let mut tokens = Vec::new();
    for _ in 0..MEASURED / SHALLOW {
        bench.enqueue(SHALLOW)?;
        if state == "ready" {
            continue;
        }
        bench.lease(SHALLOW, &mut tokens);
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
            bench.now -= 1;
            bench.settle(token, how)?;
        }
    }
    let bytes = (resident()? - before) as f64 / MEASURED as f64;
    println!("  {state:8} {bytes:6.1} bytes");
    Ok(())
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
