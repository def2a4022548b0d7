//! P10: whether many queues are as fast as one, and how long it takes to scrape their metrics.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use queue_api::SettingsPatch;

use super::goal::Line;
use super::mixed::{Mixed, Tour};
use super::rates::per_second;
use super::sides::Lab;
use crate::args::{BenchArgs, Goal};
use crate::closed_loop::{Limits, round};
use crate::ledger::Book;
use crate::process::Process;
use crate::report::{self, Spread, span};
use crate::setup::{client, new_book};
use crate::talk::{Api, Op, Work};
use crate::wire::{Connection, request};

const CONNECTIONS: u64 = 64;
const SCRAPES: u32 = 5;
/// What a scrape may take.
const SCRAPE: Duration = Duration::from_millis(100);
const ROUND_TIME: Duration = Duration::from_secs(120);
/// The same rate, the spread of a median allowed for.
const SAME: f64 = 0.95;

pub(super) async fn lines(lab: &Lab, args: &BenchArgs) -> Result<Vec<Line>> {
    let mut plan = lab.plan("queues", CONNECTIONS)?;
    let most = (args.queues + 16).to_string();
    plan.extra.extend(["--max-queues".into(), most]);
    let server = plan.start().await?;
    let client = client(&server.target)?;
    for number in 0..args.queues {
        let queue = client.queue(name(number).parse()?);
        queue.create(&SettingsPatch::default()).await?;
    }
    let mut rates = [const { Vec::new() }; 2];
    let book = new_book(args.body_bytes)?;
    for number in 0..=args.rounds {
        for (queues, rates) in [1, args.queues].into_iter().zip(&mut rates) {
            let limits = Limits {
                requests: args.requests,
                duration: ROUND_TIME,
            };
            let sides = sides(&server, &book, queues)?;
            let round = round(&server.target, sides, limits).await?;
            // The first warms up.
            if number > 0 {
                rates.push(round.rate());
            }
        }
        report::progress(&format!("many queues: round {number} of {}", args.rounds));
    }
    let [one, many] = rates;
    let ratio = Spread::of(many.iter().zip(&one).map(|(many, one)| many / one)).median;
    let rate = |rates: &[f64]| per_second(Spread::of(rates.iter().copied()).median);
    let what = format!("{} queues: put, take and settle", args.queues);
    let beside = format!("one queue {}", rate(&one));
    let mut lines = vec![Line::ratio(
        Goal::P10,
        what,
        rate(&many),
        beside,
        ratio,
        SAME,
    )];
    lines.push(scrape(&server, args.queues).await?);
    drop(server);
    lab.scratch.clear("queues");
    Ok(lines)
}

fn name(number: u64) -> String {
    format!("many-{number}")
}

/// A side for each connection, which goes round its share of the queues.
fn sides(server: &Process, book: &Book, queues: u64) -> Result<Vec<Tour>> {
    let mixed = |number: u64| {
        let work = Work {
            api: Api::V1,
            op: Op::Put,
            queue: name(number).parse()?,
            book: book.clone(),
            batch: 1,
        };
        Mixed::new(&server.target, &work, 1)
    };
    let tour = |connection: u64| {
        let first = connection % queues;
        let step = usize::try_from(CONNECTIONS.min(queues))?;
        let share: Result<_> = (first..queues).step_by(step).map(mixed).collect();
        Ok(Tour::new(share?))
    };
    (0..CONNECTIONS).map(tour).collect()
}

async fn scrape(server: &Process, queues: u64) -> Result<Line> {
    let mut connection = Connection::open(&server.target).await?;
    let mut bytes = Vec::new();
    request(&mut bytes, "GET", &server.target, "/metrics", b"");
    let (mut times, mut length) = (Vec::new(), 0);
    for _ in 0..SCRAPES {
        let begun = Instant::now();
        let answer = connection.exchange(&bytes).await?;
        times.push(begun.elapsed().as_secs_f64());
        ensure!(answer.status == 200, "/metrics answers {}", answer.status);
        length = answer.body.len();
    }
    let median = Duration::from_secs_f64(Spread::of(times).median);
    let what = format!("scrape of {queues} queues");
    let measured = format!("{}, {} KiB", span(median), length / 1024);
    let asked = format!("≤ {}", span(SCRAPE));
    Ok(Line::figure(
        Goal::P10,
        what,
        measured,
        asked,
        median <= SCRAPE,
    ))
}
