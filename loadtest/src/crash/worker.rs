//! A client that leases, and does with its items what workers do: finishes them, fails, gives them
//! back, extends, or forgets them.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use queue_api::{
    Code, ExtendRequest, LeaseAnswer, LeaseRequest, LeaseToken, QueueState, SettleAs, Settlement,
};
use tokio::time::timeout;

use super::chance::Chance;
use super::load::{AWAY, Field, PATIENCE, Phase, body_text};
use crate::ledger::Tick;
use crate::target::Target;
use crate::wire::{Connection, request};

/// Most items of a lease.
const MOST: u64 = 8;
/// How long a lease call may park: short, so that a change of phase is seen.
const WAIT: Duration = Duration::from_millis(50);
/// How often in a hundred items a worker does not finish but …
const FAILS: u64 = 5;
const GIVES_BACK: u64 = 3;
const FORGETS: u64 = 4;
/// Longest that an item that failed is delayed, in milliseconds.
const LONGEST_DELAY: u64 = 100;
/// How often in a hundred leases it extends first.
const EXTENDS: u64 = 20;

/// A verdict that the server has not confirmed yet.
#[derive(Debug)]
struct Open {
    number: Option<u64>,
    settlement: Settlement,
}

/// One worker.
struct Worker {
    field: Field,
    lease: Duration,
    chance: Chance,
    /// Sent with each lease until it is confirmed or refused, across all lives of the server.
    open: Vec<Open>,
}

/// Works until it is over or, while draining, nothing is left.
pub(super) async fn work(field: Field, lease: Duration, chance: Chance) -> Result<()> {
    let mut worker = Worker {
        field,
        lease,
        chance,
        open: Vec::new(),
    };
    while let Some((target, mut connection)) = worker.field.connect().await {
        if worker.converse(&target, &mut connection).await? {
            return Ok(());
        }
        tokio::time::sleep(AWAY).await;
    }
    Ok(())
}

impl Worker {
    /// Leases and settles over one connection until it breaks; true if it is time to go home.
    async fn converse(&mut self, target: &Target, connection: &mut Connection) -> Result<bool> {
        loop {
            let phase = self.field.phase();
            if phase == Phase::Over {
                return Ok(true);
            }
            let Some((asked, answer)) = self.lease(target, connection).await? else {
                return Ok(false);
            };
            self.confirmed(&answer)?;
            if phase == Phase::Drain && answer.state == QueueState::Drained && self.open.is_empty()
            {
                return Ok(true);
            }
            let tokens: Vec<LeaseToken> = answer.items.iter().map(|i| i.lease.clone()).collect();
            for item in answer.items {
                let number = self
                    .field
                    .book
                    .lock()
                    .delivered(body_text(&item.body)?, asked);
                self.decide(number, item.lease, phase);
            }
            if phase != Phase::Drain && !tokens.is_empty() && self.chance.percent(EXTENDS) {
                let extended = self.extend(target, connection, tokens).await?;
                if !extended {
                    return Ok(false);
                }
            }
        }
    }

    /// `None` if the connection broke.
    async fn lease(
        &mut self,
        target: &Target,
        connection: &mut Connection,
    ) -> Result<Option<(Tick, LeaseAnswer)>> {
        let ask = LeaseRequest {
            max: Some(u32::try_from(1 + self.chance.below(MOST))?),
            wait_ms: Some(u64::try_from(WAIT.as_millis())?),
            lease_ms: Some(u64::try_from(self.lease.as_millis())?),
            settle: self
                .open
                .iter()
                .map(|open| open.settlement.clone())
                .collect(),
            ..LeaseRequest::default()
        };
        let path = format!("/v1/queues/{}/lease", self.field.queue);
        let asked = self.field.book.lock().tick();
        let body = serde_json::to_vec(&ask).context("cannot write a lease call")?;
        let Some(answer) = call(target, connection, &path, &body).await? else {
            return Ok(None);
        };
        let answer = serde_json::from_slice(&answer).context("a lease answer is odd")?;
        Ok(Some((asked, answer)))
    }

    /// Notes what the server says of the verdicts that the last call carried.
    fn confirmed(&mut self, answer: &LeaseAnswer) -> Result<()> {
        let open = std::mem::take(&mut self.open);
        anyhow::ensure!(
            answer.settled.len() == open.len(),
            "{} settlements were sent and {} answered for",
            open.len(),
            answer.settled.len()
        );
        let mut ledger = self.field.book.lock();
        for (open, settled) in open.into_iter().zip(&answer.settled) {
            match (open.number, settled.ok, settled.code) {
                (None, ..) | (_, false, Some(Code::LeaseLost)) => {}
                (Some(number), true, _) if open.settlement.verdict == SettleAs::Ack => {
                    ledger.settled(number, settled.repeated);
                }
                (Some(number), true, _) => ledger.given_back(number),
                (_, false, code) => bail!("a settlement was refused with {code:?}"),
            }
        }
        Ok(())
    }

    fn decide(&mut self, number: Option<u64>, lease: LeaseToken, phase: Phase) {
        let verdict = match self.chance.below(100) {
            _ if phase == Phase::Drain => SettleAs::Ack,
            part if part < FAILS => SettleAs::Nack,
            part if part < FAILS + GIVES_BACK => SettleAs::Release,
            part if part < FAILS + GIVES_BACK + FORGETS => {
                if let Some(number) = number {
                    self.field.book.lock().given_back(number);
                }
                return;
            }
            _ => SettleAs::Ack,
        };
        let settlement = Settlement {
            delay_ms: (verdict == SettleAs::Nack).then(|| self.chance.below(LONGEST_DELAY)),
            ..Settlement::new(lease, verdict)
        };
        self.open.push(Open { number, settlement });
    }

    /// Asks for more time. A lease that is lost already will be refused when it is settled. False if
    /// the connection broke.
    async fn extend(
        &self,
        target: &Target,
        connection: &mut Connection,
        leases: Vec<LeaseToken>,
    ) -> Result<bool> {
        let lease_ms = Some(u64::try_from(self.lease.as_millis())?);
        let ask = ExtendRequest { leases, lease_ms };
        let body = serde_json::to_vec(&ask).context("cannot write an extension")?;
        let path = format!("/v1/queues/{}/extend", self.field.queue);
        Ok(call(target, connection, &path, &body).await?.is_some())
    }
}

/// Calls and answers the body; `None` if the connection broke or the server is not able to.
async fn call(
    target: &Target,
    connection: &mut Connection,
    path: &str,
    body: &[u8],
) -> Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    request(&mut bytes, "POST", target, path, body);
    let Ok(Ok(answer)) = timeout(PATIENCE, connection.exchange(&bytes)).await else {
        return Ok(None);
    };
    match answer.status {
        200 => Ok(Some(answer.body.to_vec())),
        500 | 503 => Ok(None),
        status => {
            let words = String::from_utf8_lossy(answer.body);
            bail!("{path} was answered {status}: {}", words.trim())
        }
    }
}
