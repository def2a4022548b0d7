//! What single commands and batches cost, at two depths: `cargo bench -p queue-core`.
//!
//! A queue is as deep after each round as before it; what brings it back is not timed.

#[path = "../examples/depth/busy.rs"]
mod busy;

use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use queue_core::How;

use busy::{Busy, MOST, Token};

/// The allocator of the server's programs.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Something a round does with a thousand items.
type Step = fn(&mut Busy, &mut Vec<Token>);

/// What is timed, between what comes before it and what comes after.
const COMMANDS: [(&str, Step, Step, Step); 4] = [
    ("enqueue", nothing, enqueue, take),
    ("lease", enqueue, lease, ack),
    ("ack", enqueue_and_lease, ack, nothing),
    ("take", enqueue, take, nothing),
];

fn commands(criterion: &mut Criterion) {
    for depth in [1_000, 1_000_000] {
        let mut busy = Busy::filled(depth).expect("a queue without limits");
        let mut group = criterion.benchmark_group(format!("{depth} deep"));
        for (name, before, timed, after) in COMMANDS {
            group.throughput(Throughput::Elements(1));
            group.bench_function(name, |bencher| {
                bencher.iter_custom(|commands| {
                    // Whole rounds, and of them the share that was asked for.
                    let rounds = commands.div_ceil(MOST as u64);
                    let spent = time(&mut busy, rounds, before, timed, after);
                    spent.mul_f64(commands as f64 / (rounds * MOST as u64) as f64)
                });
            });
        }
        group.throughput(Throughput::Elements(MOST as u64));
        group.bench_function("enqueue, lease and ack, batches of 1,000", |bencher| {
            bencher.iter_custom(|rounds| time(&mut busy, rounds, nothing, batches, nothing));
        });
        group.finish();
    }
}

fn time(busy: &mut Busy, rounds: u64, before: Step, timed: Step, after: Step) -> Duration {
    let mut tokens = Vec::with_capacity(MOST);
    let mut spent = Duration::ZERO;
    for _ in 0..rounds {
        before(busy, &mut tokens);
        let begun = Instant::now();
        timed(busy, &mut tokens);
        spent += begun.elapsed();
        after(busy, &mut tokens);
    }
    spent
}

fn nothing(_: &mut Busy, _: &mut Vec<Token>) {}

fn enqueue(busy: &mut Busy, _: &mut Vec<Token>) {
    for _ in 0..MOST {
        busy.enqueue(1).expect("a queue without limits");
    }
}

fn lease(busy: &mut Busy, tokens: &mut Vec<Token>) {
    for _ in 0..MOST {
        busy.lease(1, tokens);
    }
}

fn enqueue_and_lease(busy: &mut Busy, tokens: &mut Vec<Token>) {
    enqueue(busy, tokens);
    lease(busy, tokens);
}

fn ack(busy: &mut Busy, tokens: &mut Vec<Token>) {
    for token in tokens.drain(..) {
        busy.settle(token, How::Acked).expect("a live lease");
    }
}

fn take(busy: &mut Busy, _: &mut Vec<Token>) {
    for _ in 0..MOST {
        busy.take();
    }
}

fn batches(busy: &mut Busy, tokens: &mut Vec<Token>) {
    busy.enqueue(MOST).expect("a queue without limits");
    busy.lease(MOST, tokens);
    ack(busy, tokens);
}

criterion_group!(benches, commands);
criterion_main!(benches);
