//! Rounds: every operation of everybody in turns, and after each single one the floor with requests
//! and answers of the same size.
//!
//! Turns and not blocks, because a shared machine is faster in one minute than in the next: what
//! is compared ran side by side. Each round has a queue and a ledger of its own.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use queue_api::{Queue, QueueName, SettingsPatch};

use super::row::Row;
use super::sides::{Server, Sides, Who};
use crate::closed_loop::{Limits, Round, round};
use crate::ledger::Book;
use crate::machine;
use crate::peers::Peer;
use crate::report;
use crate::setup::{client, measure, new_book};
use crate::talk::{Api, Op, Talk, Work};
use crate::target::Target;

/// Items that a batched round moves for each request that a single one makes, so that both last
/// long enough to be timed.
const ITEMS_A_REQUEST: u64 = 20;
/// A peer that syncs each item by itself gets this part of the requests, to be done in time.
const PEER_PART: u64 = 4;
/// Longest one round may take.
const ROUND_TIME: Duration = Duration::from_secs(300);

/// The sizes of one block of the table.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    pub(crate) connections: u64,
    pub(crate) requests: u64,
    pub(crate) body_bytes: u64,
}

/// What is measured: whose, items a request of a put, items a request of a take.
#[derive(Debug, Clone, Copy)]
struct Case {
    who: Who,
    put: usize,
    take: usize,
}

/// One round of an operation with the floor's beside it.
pub(crate) struct Turn {
    pub(super) who: Who,
    pub(super) op: Op,
    pub(super) batch: usize,
    pub(super) name: String,
    pub(super) connections: u64,
    pub(super) round: Round,
    pub(super) server_cpu: Option<Duration>,
    /// Missing where the floor has no such request.
    pub(super) floor: Option<Round>,
    /// Items a second through the put before and this take together.
    pub(super) both: Option<f64>,
}

impl Turn {
    fn summary(&self) -> String {
        format!("{} {} k/s", self.name, report::thousands(self.round.rate()))
    }
}

/// The rows of all operations at one number of connections.
pub(crate) async fn rows(sides: &Sides, plan: Plan, rounds: u64) -> Result<Vec<Row>> {
    let cases = cases(sides);
    let mut rows: Vec<(Row, Row)> = Vec::new();
    // Round 0 warms everybody up, at a tenth of the length, and is not counted.
    for number in 0..=rounds {
        for (at, &case) in cases.iter().enumerate() {
            let (put, take) = put_and_take(sides, plan, case, number).await?;
            if number == 0 {
                rows.push((Row::like(&put), Row::like(&take)));
            } else {
                let (of_put, of_take) = (put.summary(), take.summary());
                report::progress(&format!("round {number} of {rounds}: {of_put}; {of_take}"));
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

fn cases(sides: &Sides) -> Vec<Case> {
    let case = |who, put, take| Case { who, put, take };
    let mut cases = vec![
        case(Who::Server(Api::Memq), 1, 1),
        case(Who::Server(Api::V1), 1, 1),
        case(Who::Server(Api::V1), 1_000, 100),
    ];
    if sides.in_memory.is_some() {
        cases.push(case(Who::InMemory, 1, 1));
        cases.push(case(Who::InMemory, 1_000, 100));
    }
    let peers = sides.peers.iter();
    cases.extend(peers.map(|peer| case(Who::Peer(peer.kind), 1, 1)));
    cases
}

async fn put_and_take(sides: &Sides, plan: Plan, case: Case, number: u64) -> Result<(Turn, Turn)> {
    let requests = match number {
        0 => plan.requests.div_ceil(10),
        _ => plan.requests,
    };
    let plan = Plan { requests, ..plan };
    let queue = format!("bench-{}-{}-{number}", std::process::id(), plan.connections);
    let book = new_book(plan.body_bytes)?;
    let (put, mut take) = match case.who {
        Who::Peer(kind) => {
            let peer = sides.peers.iter().find(|peer| peer.kind == kind);
            let peer = peer.context("a peer that was not started")?;
            of_peer(peer, plan, &queue, &book).await?
        }
        Who::Server(api) => of_server(sides, &sides.server, api, case, plan, &queue, &book).await?,
        Who::InMemory => {
            let server = sides.in_memory.as_ref().context("no server in memory")?;
            of_server(sides, server, Api::V1, case, plan, &queue, &book).await?
        }
    };
    let elapsed = put.round.elapsed + take.round.elapsed;
    take.both = Some(take.round.items as f64 / elapsed.as_secs_f64());
    let audit = book.audit_by_answers();
    ensure!(audit.is_clean(), "{}: {audit}", take.name);
    Ok((put, take))
}

/// Fills a new queue, empties it, and holds the server's counts against what it answered.
async fn of_server(
    sides: &Sides,
    server: &Server,
    api: Api,
    case: Case,
    plan: Plan,
    queue: &str,
    book: &Book,
) -> Result<(Turn, Turn)> {
    let queue: QueueName = queue.parse()?;
    let control = client(&server.target)?.queue(queue.clone());
    control
        .create(&SettingsPatch::default())
        .await
        .context("cannot make a queue to measure")?;
    let work = Work {
        api,
        op: Op::Put,
        queue,
        book: book.clone(),
        batch: case.put,
    };
    let puts = match case.put as u64 {
        1 => plan.requests,
        batch => (plan.requests * ITEMS_A_REQUEST).div_ceil(batch),
    };
    let put = turn(sides, server, case.who, &work, plan.connections, puts).await?;
    let work = Work {
        op: Op::Take,
        batch: case.take,
        ..work
    };
    // Each connection learns by one request more that nothing is left.
    let takes = put.round.items + plan.connections;
    let take = turn(sides, server, case.who, &work, plan.connections, takes).await?;
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

async fn turn(
    sides: &Sides,
    server: &Server,
    who: Who,
    work: &Work,
    connections: u64,
    requests: u64,
) -> Result<Turn> {
    let limits = Limits {
        requests,
        duration: ROUND_TIME,
    };
    let cpu = || server.pid.and_then(machine::cpu_of);
    let before = cpu();
    let measured = measure(&server.target, work, connections, limits).await?;
    let server_cpu = cpu().zip(before).map(|(after, before)| after - before);
    let floor = if work.batch == 1 {
        Some(floor_like(&sides.floor.target, &measured, connections).await?)
    } else {
        None
    };
    let aside = match who {
        Who::InMemory => "in memory, ",
        Who::Server(_) | Who::Peer(_) => "",
    };
    Ok(Turn {
        who,
        op: work.op,
        batch: work.batch,
        name: format!("{aside}{}", work.name()),
        connections,
        round: measured,
        server_cpu,
        floor,
        both: None,
    })
}

async fn of_peer(peer: &Peer, plan: Plan, queue: &str, book: &Book) -> Result<(Turn, Turn)> {
    peer.prepare(queue).await?;
    let requests = plan.requests.div_ceil(PEER_PART);
    let mut turns = Vec::with_capacity(2);
    let (put, take) = peer.kind.words();
    for (op, words) in [(Op::Put, put), (Op::Take, take)] {
        let sides = (0..plan.connections)
            .map(|number| peer.side(queue, op == Op::Put, number, book.clone()))
            .collect();
        let most = match op {
            Op::Put => requests,
            Op::Take => requests + plan.connections,
        };
        let limits = Limits {
            requests: most,
            duration: ROUND_TIME,
        };
        let name = format!("{}: {words}", peer.kind.name());
        let before = machine::cpu_of(peer.pid());
        let measured = round(peer.target(), sides, limits).await;
        let round = measured.with_context(|| format!("measuring {name}"))?;
        let server_cpu = machine::cpu_of(peer.pid())
            .zip(before)
            .map(|(after, before)| after - before);
        turns.push(Turn {
            who: Who::Peer(peer.kind),
            op,
            batch: 1,
            name,
            connections: plan.connections,
            round,
            server_cpu,
            floor: None,
            both: None,
        });
    }
    let (take, put) = (turns.pop(), turns.pop());
    put.zip(take).context("a round without its turns")
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
