//! The table: every operation of both APIs, round by round, and after each the floor with requests
//! and answers of the same size.
//!
//! Turns and not blocks, because a shared machine is faster in one minute than in the next: what
//! is compared ran side by side.

mod row;

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use queue_api::{Queue, QueueName, SettingsPatch};

use crate::args::BenchArgs;
use crate::closed_loop::{Limits, Round, round};
use crate::machine::{self, Core};
use crate::process::Process;
use crate::report;
use crate::setup::{client, measure};
use crate::talk::{Api, Op, Talk, Work};
use crate::target::Target;
use row::{HEAD, Row};

/// What is measured: whose API, items a request of a put, items a request of a take.
const CASES: [(Api, usize, usize); 3] = [(Api::Memq, 1, 1), (Api::V1, 1, 1), (Api::V1, 1_000, 100)];
/// Items that a batched round moves for each request that a single one makes, so that both last
/// long enough to be timed.
const ITEMS_A_REQUEST: u64 = 20;
/// Longest one round may take.
const ROUND_TIME: Duration = Duration::from_secs(300);

/// Both sides of the comparison.
struct Sides {
    server: Target,
    /// Whose processor time is read, if it is on this machine and ours.
    server_pid: Option<u32>,
    floor: Process,
    /// Kept so that it lives as long as the measurement.
    _server: Option<Process>,
}

/// Starts what is to be measured, measures it and prints the table.
pub(crate) async fn bench(args: BenchArgs) -> Result<()> {
    let BenchArgs {
        server_bin,
        server,
        allow_remote,
        rounds,
        requests,
        connections,
        body_bytes,
    } = args;
    let most = connections.iter().copied().max().unwrap_or_default();
    machine::allow_open_files(most + 512)?;
    let pinned = server.is_none() && machine::keep_to(Core::Client);
    let sides = sides(server.as_deref(), allow_remote, server_bin.as_deref(), most).await?;
    let body_bytes = usize::try_from(body_bytes).context("an item of that size")?;
    let mut rows = Vec::new();
    for connections in connections {
        let plan = Plan {
            connections,
            requests,
            body_bytes,
        };
        rows.extend(rows_of(&sides, &plan, rounds).await?);
    }
    let cores = if pinned {
        "one core a side"
    } else {
        "nothing pinned to a core"
    };
    report::say(&format!(
        "{body_bytes}-byte items, {cores}, median of {rounds} rounds of {requests} requests:\n"
    ));
    report::say(&report::table(
        &HEAD,
        &rows.iter().map(Row::cells).collect::<Vec<_>>(),
    ));
    Ok(())
}

async fn sides(
    url: Option<&str>,
    allow_remote: bool,
    program: Option<&std::path::Path>,
    connections: u64,
) -> Result<Sides> {
    let floor = Process::floor(url.is_none()).await?;
    let Some(url) = url else {
        let process = Process::server(program, connections).await?;
        let (server, server_pid) = (process.target.clone(), Some(process.pid()));
        return Ok(Sides {
            server,
            server_pid,
            floor,
            _server: Some(process),
        });
    };
    let server = Target::resolve(url, allow_remote).await?;
    Ok(Sides {
        server,
        server_pid: None,
        floor,
        _server: None,
    })
}

/// The sizes of one block of the table.
struct Plan {
    connections: u64,
    requests: u64,
    body_bytes: usize,
}

async fn rows_of(sides: &Sides, plan: &Plan, rounds: u64) -> Result<Vec<Row>> {
    let mut rows: Vec<(Row, Row)> = Vec::new();
    // Round 0 warms both sides up, at a tenth of the length, and is not counted.
    for number in 0..=rounds {
        for (at, case) in CASES.into_iter().enumerate() {
            let (put, take) = put_and_take(sides, plan, case, number).await?;
            if number == 0 {
                rows.push((Row::like(&put), Row::like(&take)));
            } else {
                report::progress(&format!(
                    "round {number} of {rounds}: {}; {}",
                    put.summary(),
                    take.summary()
                ));
                let (puts, takes) = &mut rows[at];
                puts.add(put);
                takes.add(take);
            }
        }
    }
    Ok(rows
        .into_iter()
        .flat_map(|(put, take)| [put, take])
        .collect())
}

/// One round of an operation with the floor's beside it.
pub(crate) struct Turn {
    name: String,
    connections: u64,
    round: Round,
    server_cpu: Option<Duration>,
    /// Missing where the floor has no such request.
    floor: Option<Round>,
}

impl Turn {
    fn summary(&self) -> String {
        format!("{} {} k/s", self.name, report::thousands(self.round.rate()))
    }
}

/// Fills a new queue, empties it, and holds the server's counts against what it answered.
async fn put_and_take(
    sides: &Sides,
    plan: &Plan,
    (api, put_batch, take_batch): (Api, usize, usize),
    number: u64,
) -> Result<(Turn, Turn)> {
    let &Plan {
        connections,
        requests,
        body_bytes,
    } = plan;
    let requests = if number == 0 {
        requests.div_ceil(10)
    } else {
        requests
    };
    let queue: QueueName =
        format!("bench-{}-{connections}-{number}", std::process::id()).parse()?;
    let control = client(&sides.server)?.queue(queue.clone());
    control
        .create(&SettingsPatch::default())
        .await
        .context("cannot make a queue to measure")?;

    let work = Work {
        api,
        op: Op::Put,
        queue,
        body_bytes,
        batch: put_batch,
    };
    let puts = match put_batch as u64 {
        1 => requests,
        batch => (requests * ITEMS_A_REQUEST).div_ceil(batch),
    };
    let put = turn(sides, &work, connections, puts).await?;
    let work = Work {
        op: Op::Take,
        batch: take_batch,
        ..work
    };
    // Each connection learns by one request more that nothing is left.
    let take = turn(sides, &work, connections, put.round.items + connections).await?;

    let counted = control
        .show()
        .await
        .context("cannot ask for the queue's counts")?;
    check(&counted, put.round.items, take.round.items)?;
    control
        .delete(false)
        .await
        .context("cannot delete the queue that was measured")?;
    Ok((put, take))
}

async fn turn(sides: &Sides, work: &Work, connections: u64, requests: u64) -> Result<Turn> {
    let limits = Limits {
        requests,
        duration: ROUND_TIME,
    };
    let cpu = || sides.server_pid.and_then(machine::cpu_of);
    let before = cpu();
    let measured = measure(&sides.server, work, connections, limits).await?;
    let server_cpu = cpu().zip(before).map(|(after, before)| after - before);
    let single = work.batch == 1;
    let floor = if single {
        Some(floor_like(&sides.floor.target, &measured, connections).await?)
    } else {
        None
    };
    Ok(Turn {
        name: work.name(),
        connections,
        round: measured,
        server_cpu,
        floor,
    })
}

/// The floor with as many requests as the round had, of the size they had on average.
async fn floor_like(floor: &Target, like: &Round, connections: u64) -> Result<Round> {
    let average = |bytes: u64| usize::try_from(bytes / like.requests.max(1)).unwrap_or(usize::MAX);
    let (request_bytes, answer_bytes) = (average(like.sent), average(like.heard));
    let talks = (0..connections)
        .map(|_| Talk::floor(floor, request_bytes, answer_bytes))
        .collect();
    let limits = Limits {
        requests: like.requests,
        duration: ROUND_TIME,
    };
    round(floor, talks, limits)
        .await
        .context("measuring the floor")
}

/// What was answered is what happened: a server that counts otherwise has lost something, and its
/// speed is of no interest.
fn check(queue: &Queue, put: u64, taken: u64) -> Result<()> {
    let out = queue.totals.acked + queue.totals.taken;
    ensure!(
        queue.totals.enqueued == put && out == taken && queue.unfinished == 0 && put == taken,
        "the counts of `{}` contradict its answers: {put} items were acknowledged and {} are \
         counted, {taken} were taken and {out} are counted, {} are left",
        queue.name,
        queue.totals.enqueued,
        queue.unfinished
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(enqueued: u64, acked: u64, taken: u64, unfinished: u64) -> Queue {
        serde_json::from_value(serde_json::json!({
            "name": "q", "sealed": false, "paused": false, "drained": false, "empty": true,
            "counts": { "ready": unfinished, "leased": 0, "delayed": 0, "dead": 0, "done": acked },
            "backlog": unfinished, "unfinished": unfinished, "rate_per_s": 0.0,
            "totals": {
                "enqueued": enqueued, "leased": acked, "acked": acked, "nacked": 0, "released": 0,
                "lease_expired": 0, "dead": 0, "purged": 0, "taken": taken
            },
            "settings": queue_api::Settings::default(),
        }))
        .expect("a queue")
    }

    #[test]
    fn counts_that_agree_pass_whichever_way_the_items_left() {
        check(&counted(9, 9, 0, 0), 9, 9).expect("leased and settled");
        check(&counted(9, 0, 9, 0), 9, 9).expect("taken");
    }

    #[test]
    fn a_server_that_lost_or_invented_an_item_gets_no_figures() {
        for (queue, put, taken) in [
            (counted(8, 8, 0, 0), 9, 8),
            (counted(9, 8, 0, 0), 9, 9),
            (counted(9, 9, 0, 0), 9, 10),
            (counted(9, 8, 0, 1), 9, 8),
            (counted(9, 9, 0, 1), 9, 9),
        ] {
            let error = check(&queue, put, taken).expect_err("a contradiction");
            assert!(error.to_string().contains("contradict"), "{error}");
        }
    }
}
