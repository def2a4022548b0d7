//! What goes before and around a round: the queue made, items loaded, a talk for each connection.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use queue_api::SettingsPatch;
use queue_client::Client;

use crate::closed_loop::{Limits, Round, round};
use crate::ledger::{Bodies, Book};
use crate::open_loop::{Paced, Schedule, paced};
use crate::talk::{Api, Op, Work};
use crate::target::Target;
use crate::wire::{Connection, request};

/// Items a request while loading, and connections: to be done with it soon.
const LOAD_BATCH: u64 = 1_000;
const LOAD_CONNECTIONS: u64 = 4;
/// Longest that loading may take.
const LOAD_TIME: Duration = Duration::from_secs(300);

/// A book for items of this size, told apart from those of any other run.
///
/// # Errors
///
/// An item of this size cannot tell its number.
pub fn new_book(body_bytes: u64) -> Result<Book> {
    // A new hasher has keys drawn by chance: numbers that differ from run to run are all it takes.
    let run = RandomState::new().build_hasher().finish() as u32;
    let bytes = usize::try_from(body_bytes).context("an item of that size")?;
    Ok(Book::new(Bodies::new(run, bytes)?))
}

/// A client that says at once when nobody is there.
pub(crate) fn client(target: &Target) -> Result<Client> {
    let mut client = Client::builder(&target.url()).give_up_after(Duration::ZERO);
    if let Some(shown) = target.authorization() {
        client = client.secret_header("authorization", shown.clone());
    }
    client.build().context("cannot set up a client")
}

/// Makes the work's queue in the API that the work is about, so that a server that has only this
/// API can be measured too. A queue that is there already is used as it is.
pub async fn make_queue(target: &Target, work: &Work) -> Result<()> {
    let queue = &work.queue;
    let made = match work.api {
        Api::Floor => return Ok(()),
        Api::V1 => client(target)?
            .queue(queue.clone())
            .create(&SettingsPatch::default())
            .await
            .map(drop)
            .map_err(Into::into),
        Api::Memq => make_memq_queue(target, &format!("/memq/server/queues/{queue}")).await,
    };
    made.with_context(|| format!("cannot make queue `{queue}` at {}", target.url()))
}

async fn make_memq_queue(target: &Target, path: &str) -> Result<()> {
    let mut connection = Connection::open(target).await?;
    let mut bytes = Vec::new();
    request(&mut bytes, "PUT", target, path, b"");
    let answer = connection.exchange(&bytes).await?;
    match (answer.status, answer.body) {
        (200, _) | (400, b"already exists\n") => Ok(()),
        (status, body) => bail!("status {status}: {}", String::from_utf8_lossy(body).trim()),
    }
}

/// Puts in at least this many items for the work to take.
pub async fn load(target: &Target, work: &Work, items: u64) -> Result<()> {
    let batch = if work.api == Api::V1 {
        LOAD_BATCH.min(items)
    } else {
        1
    };
    let put = Work {
        op: Op::Put,
        batch: usize::try_from(batch)?,
        ..work.clone()
    };
    let limits = Limits {
        requests: items.div_ceil(batch),
        duration: LOAD_TIME,
    };
    let loaded = measure(target, &put, LOAD_CONNECTIONS, limits).await;
    loaded
        .map(drop)
        .with_context(|| format!("cannot load queue `{}`", work.queue))
}

/// Runs one round of the work on so many connections.
pub async fn measure(
    target: &Target,
    work: &Work,
    connections: u64,
    limits: Limits,
) -> Result<Round> {
    let talks = (0..connections)
        .map(|_| work.talk(target))
        .collect::<Result<_>>()?;
    round(target, talks, limits)
        .await
        .with_context(|| format!("measuring {}", work.name()))
}

/// Runs an open loop of the work on so many connections.
///
/// # Errors
///
/// The server refused, or a connection broke.
pub async fn measure_paced(
    target: &Target,
    work: &Work,
    connections: u64,
    schedule: Schedule,
) -> Result<Paced> {
    let talks = (0..connections)
        .map(|_| work.talk(target))
        .collect::<Result<_>>()?;
    paced(target, talks, schedule)
        .await
        .with_context(|| format!("measuring {}", work.name()))
}
