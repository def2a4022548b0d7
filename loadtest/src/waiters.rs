//! What waiting costs: many lease calls parked on an empty queue, then one item at a time.
//!
//! It measures the server's processor time and memory while nothing happens, how soon an item
//! reaches a waiter, that it reaches one only, and how soon all are told that the queue is drained.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use queue_api::limits::MAX_WAIT;
use queue_api::{LeaseAnswer, QueueName, QueueState, SettingsPatch, SettleAs, Settlement};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::timeout;

use crate::args::WaitersArgs;
use crate::machine::{self, Core};
use crate::process::ServerPlan;
use crate::report::{self, Spread, span};
use crate::scratch::Scratch;
use crate::setup::client;
use crate::target::Target;
use crate::wire::{Connection, request};

/// Longest one item may take to its waiter, and all waiters to be told of the end.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long a second waiter is looked for that should not have been woken.
const ECHO: Duration = Duration::from_millis(20);
/// The server has come to rest once it used next to nothing for this long; looked for this often.
const REST: Duration = Duration::from_millis(300);
const LOOKS_FOR_REST: u32 = 50;

/// What waiting cost.
#[derive(Debug)]
pub struct Figures {
    /// Parked calls.
    pub waiters: u64,
    /// The part of a core that the server used while nothing happened.
    pub idle_cpu: Option<f64>,
    /// The server's resident bytes before the waiters came, and with them.
    pub resident: Option<(u64, u64)>,
    /// How long each item took to its one waiter.
    pub reached: Vec<Duration>,
    /// How long it took until the last waiter knew that the queue is drained.
    pub told: Duration,
}

/// Starts a server, measures and prints.
pub(crate) async fn waiters(args: WaitersArgs) -> Result<()> {
    let WaitersArgs {
        server_bin,
        storage,
        data_dir,
        waiters,
        watch,
        wakes,
    } = args;
    machine::allow_open_files(waiters + 512)?;
    machine::keep_to(Core::Client);
    let scratch = Scratch::new(&data_dir, "waiters")?;
    let mut plan = ServerPlan::new(server_bin.as_deref(), storage, scratch.dir("server")?)?;
    plan.connections = waiters;
    let server = plan.start().await?;
    let figures = measure(&server.target, server.pid(), waiters, watch, wakes).await?;
    figures.lines().iter().for_each(|line| report::say(line));
    Ok(())
}

/// Measures the server with this process id.
///
/// # Errors
///
/// An item reached no waiter or more than one, a waiter was answered before there was anything to
/// say, or the server refused.
pub async fn measure(
    target: &Target,
    pid: u32,
    waiters: u64,
    watch: Duration,
    wakes: u64,
) -> Result<Figures> {
    ensure!(
        wakes < waiters,
        "{wakes} items for {waiters} waiters leave none to wait"
    );
    let queue: QueueName = format!("waiters-{}", std::process::id()).parse()?;
    let control = client(target)?.queue(queue.clone());
    control
        .create(&SettingsPatch::default())
        .await
        .context("cannot make a queue to wait on")?;
    let before = machine::resident(pid);
    let mut woken = park(target, &queue, waiters).await?;
    come_to_rest(pid).await;
    if let Ok(early) = woken.try_recv() {
        let state = early?.1.state;
        bail!("a waiter was told `{state:?}` before there was anything to say");
    }
    let cpu = machine::cpu_of(pid);
    let watched = Instant::now();
    tokio::time::sleep(watch).await;
    let used = machine::cpu_of(pid)
        .zip(cpu)
        .map(|(after, before)| after - before);
    let idle_cpu = used.map(|used| used.as_secs_f64() / watched.elapsed().as_secs_f64());
    let resident = before.zip(machine::resident(pid));

    let mut connection = Connection::open(target).await?;
    let mut put = Vec::new();
    request(
        &mut put,
        "POST",
        target,
        &format!("/v1/queues/{queue}/items"),
        b"one item",
    );
    let (mut reached, mut settlements) = (Vec::new(), Vec::new());
    for _ in 0..wakes {
        let sent = Instant::now();
        let answer = connection.exchange(&put).await?;
        ensure!(
            answer.status == 201,
            "an item was refused with status {}",
            answer.status
        );
        let (at, answer) = next(&mut woken)
            .await
            .context("no waiter was woken by an item")??;
        let [item] = &answer.items[..] else {
            bail!("one item became {} in a lease answer", answer.items.len());
        };
        settlements.push(Settlement::new(item.lease.clone(), SettleAs::Ack));
        reached.push(at - sent);
        ensure!(
            timeout(ECHO, woken.recv()).await.is_err(),
            "one item woke a second waiter"
        );
    }

    control
        .settle(settlements)
        .await
        .context("cannot settle what was leased")?;
    let sealed = Instant::now();
    control.seal().await.context("cannot seal the queue")?;
    for _ in wakes..waiters {
        let (_, answer) = next(&mut woken)
            .await
            .context("a waiter was not told of the end")??;
        ensure!(
            answer.state == QueueState::Drained,
            "a waiter was told {:?}",
            answer.state
        );
    }
    let told = sealed.elapsed();
    control
        .delete(false)
        .await
        .context("cannot delete the queue that was waited on")?;
    Ok(Figures {
        waiters,
        idle_cpu,
        resident,
        reached,
        told,
    })
}

type Woken = Result<(Instant, LeaseAnswer)>;

/// Parks the calls, each on a connection of its own.
async fn park(
    target: &Target,
    queue: &QueueName,
    waiters: u64,
) -> Result<UnboundedReceiver<Woken>> {
    let body = format!("{{\"wait_ms\":{}}}", MAX_WAIT.as_millis());
    let mut call = Vec::new();
    request(
        &mut call,
        "POST",
        target,
        &format!("/v1/queues/{queue}/lease"),
        body.as_bytes(),
    );
    let (tell, woken) = unbounded_channel();
    for number in 0..waiters {
        let connection = Connection::open(target).await;
        let connection = connection.with_context(|| format!("waiter {number} of {waiters}"))?;
        tokio::spawn(wait(connection, call.clone(), tell.clone()));
        // Its call goes out before the next connection is made.
        tokio::task::yield_now().await;
    }
    Ok(woken)
}

async fn wait(mut connection: Connection, call: Vec<u8>, tell: UnboundedSender<Woken>) {
    let woken = async {
        let answer = connection.exchange(&call).await?;
        let at = Instant::now();
        ensure!(
            answer.status == 200,
            "a lease call was answered {}",
            answer.status
        );
        Ok((
            at,
            serde_json::from_slice(answer.body).context("the lease answer is odd")?,
        ))
    };
    // Nobody listens any more once the measurement has failed.
    let _ = tell.send(woken.await);
}

async fn next(woken: &mut UnboundedReceiver<Woken>) -> Result<Woken> {
    let woken = timeout(PATIENCE, woken.recv()).await;
    woken
        .with_context(|| format!("waited {} s", PATIENCE.as_secs()))?
        .context("all waiters left")
}

/// Waits until the server has dealt with the new connections; one that never rests is measured as
/// it is.
async fn come_to_rest(pid: u32) {
    let mut before = machine::cpu_of(pid);
    for _ in 0..LOOKS_FOR_REST {
        tokio::time::sleep(REST).await;
        let now = machine::cpu_of(pid);
        if now == before {
            return;
        }
        before = now;
    }
}

impl Figures {
    /// As people read them.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let Self {
            waiters,
            idle_cpu,
            resident,
            reached,
            told,
        } = self;
        let cpu = idle_cpu.map_or("unknown".into(), |cpu| format!("{:.2} %", cpu * 100.0));
        let memory = resident.map_or("unknown".into(), |(before, with)| {
            let each = with.saturating_sub(before) as f64 / *waiters as f64 / 1024.0;
            let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
            format!(
                "{:.0} MiB ({:.0} without; {each:.1} KiB a waiter)",
                mib(with),
                mib(before)
            )
        });
        let millis = reached.iter().map(|time| time.as_secs_f64());
        let reach = Spread::of(millis).show(|time| span(Duration::from_secs_f64(time)));
        vec![
            format!("{waiters} waiters parked: the server uses {cpu} of a core and {memory}"),
            format!(
                "an item reaches one waiter, and only one, in {reach}; {} items",
                reached.len()
            ),
            format!("sealed: the last waiter knows after {}", span(*told)),
        ]
    }
}
