//! The load: clients that enqueue, lease, settle and extend over all lives of a server, and note
//! every answer in one ledger.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use queue_api::{Body, QueueName, SettingsPatch};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::chance::Chance;
use super::{putter, worker};
use crate::ledger::Book;
use crate::setup::{client, new_book};
use crate::target::Target;
use crate::wire::Connection;

/// Bytes of an item, where nothing else is asked for.
pub(super) const BODY: u64 = 64;
/// A call that takes longer is given up; a server that is stopped answers none.
pub(super) const PATIENCE: Duration = Duration::from_secs(8);
/// Pause before the next try to reach a server that is not there.
pub(super) const AWAY: Duration = Duration::from_millis(3);
/// Attempts that an item has: so many that none dies of what is done to its server.
const ATTEMPTS: u32 = 1_000;
/// How long outcomes are kept, in milliseconds: ten years, as clocks may jump by one.
const RETENTION: u64 = 10 * 365 * 24 * 3600 * 1000;

/// What is asked of the clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    /// Enqueue, and work in every way.
    Load,
    /// Enqueue nothing more.
    Work,
    /// Finish whatever comes, until nothing is left.
    Drain,
    /// Go home.
    Over,
}

/// What all clients of a scenario share.
#[derive(Debug, Clone)]
pub(super) struct Field {
    pub(super) queue: QueueName,
    pub(super) book: Book,
    /// Where the server is at the moment.
    at: Arc<Mutex<Option<Target>>>,
    phase: watch::Sender<Phase>,
}

/// How many clients there are, and how long their leases are.
#[derive(Debug, Clone, Copy)]
pub(super) struct Crew {
    pub(super) putters: u64,
    pub(super) workers: u64,
    pub(super) lease: Duration,
    /// Bytes of an item.
    pub(super) body: u64,
}

/// Clients at work.
#[derive(Debug)]
pub(super) struct Load {
    pub(super) field: Field,
    clients: JoinSet<Result<()>>,
}

/// The text of an item that somebody of this run made.
pub(super) fn body_text(body: &Body) -> Result<&str> {
    body.as_text().context("an item came back that is not text")
}

impl Field {
    fn new(book: Book, phase: Phase) -> Result<Self> {
        Ok(Self {
            queue: "crash".parse()?,
            book,
            at: Arc::default(),
            phase: watch::Sender::new(phase),
        })
    }

    /// Where the server is, as soon as there is one; `None` once all is over.
    pub(super) async fn target(&self) -> Option<Target> {
        loop {
            match (self.at(), self.phase()) {
                (_, Phase::Over) => return None,
                (Some(target), _) => return Some(target),
                (None, _) => tokio::time::sleep(AWAY).await,
            }
        }
    }

    /// A connection to the server, as soon as there is one that takes it; `None` once all is over.
    pub(super) async fn connect(&self) -> Option<(Target, Connection)> {
        loop {
            let target = self.target().await?;
            let opened = timeout(PATIENCE, Connection::open(&target)).await;
            match opened {
                Ok(Ok(connection)) => return Some((target, connection)),
                _ => tokio::time::sleep(AWAY).await,
            }
        }
    }

    fn at(&self) -> Option<Target> {
        let at = self.at.lock().unwrap_or_else(PoisonError::into_inner);
        at.clone()
    }

    pub(super) fn phase(&self) -> Phase {
        *self.phase.borrow()
    }

    /// Where the server is from now on.
    pub(super) fn server_is_at(&self, target: &Target) {
        let mut at = self.at.lock().unwrap_or_else(PoisonError::into_inner);
        *at = Some(target.clone());
    }
}

impl Load {
    /// Makes the queue and sends the crew to work.
    pub(super) async fn start(target: &Target, seed: u64, crew: Crew) -> Result<Self> {
        Self::start_with(target, seed, crew, SettingsPatch::default()).await
    }

    /// The same with settings of its own, attempts and retention apart.
    pub(super) async fn start_with(
        target: &Target,
        seed: u64,
        crew: Crew,
        settings: SettingsPatch,
    ) -> Result<Self> {
        let field = Field::new(new_book(crew.body)?, Phase::Load)?;
        field.server_is_at(target);
        let settings = SettingsPatch {
            max_attempts: Some(Some(ATTEMPTS)),
            done_retention_ms: Some(Some(RETENTION)),
            ..settings
        };
        let queue = client(target)?.queue(field.queue.clone());
        queue
            .create(&settings)
            .await
            .context("cannot make a queue to load")?;
        Ok(Self::of(field, seed, crew))
    }

    /// Sends a crew to work on a queue that is there, with a ledger that knows what must be in it.
    pub(super) fn resume(
        target: &Target,
        seed: u64,
        crew: Crew,
        book: Book,
        phase: Phase,
    ) -> Result<Self> {
        let field = Field::new(book, phase)?;
        field.server_is_at(target);
        Ok(Self::of(field, seed, crew))
    }

    fn of(field: Field, seed: u64, crew: Crew) -> Self {
        let mut clients = JoinSet::new();
        for number in 0..crew.putters {
            let chance = Chance::new(seed, number);
            clients.spawn(putter::put(field.clone(), chance));
        }
        for number in 0..crew.workers {
            let chance = Chance::new(seed, 1_000 + number);
            clients.spawn(worker::work(field.clone(), crew.lease, chance));
        }
        Self { field, clients }
    }

    /// Lets time pass under load; fails at once if a client does.
    pub(super) async fn go_on(&mut self, time: Duration) -> Result<()> {
        let pass = async {
            tokio::time::sleep(time).await;
            Ok(())
        };
        self.while_it(pass).await
    }

    /// Lets something else happen under load; fails at once if a client does.
    pub(super) async fn while_it(&mut self, other: impl Future<Output = Result<()>>) -> Result<()> {
        tokio::pin!(other);
        loop {
            tokio::select! {
                done = &mut other => return done,
                Some(ended) = self.clients.join_next() => match ended {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) => return Err(error),
                    Err(panicked) => bail!("a client panicked: {panicked}"),
                },
            }
        }
    }

    /// What the clients are to do from now on.
    pub(super) fn phase(&self, phase: Phase) {
        self.field.phase.send_replace(phase);
    }

    /// Sends everybody home and waits for them.
    pub(super) async fn end(mut self) -> Result<Field> {
        self.phase(Phase::Over);
        while let Some(ended) = self.clients.join_next().await {
            ended.context("a client panicked")??;
        }
        Ok(self.field)
    }
}
