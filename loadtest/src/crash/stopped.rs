//! SIGSTOP: of a client until its lease is over, and of the server under load.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use queue_api::{LeaseRequest, QueueName, SettingsPatch, SettleAs, Settlement};
use queue_client::EnqueueOptions;
use rustix::process::{Pid, Signal, kill_process};

use super::chance::Chance;
use super::ending;
use super::load::{BODY, Crew, Load, body_text};
use super::scenario::{Report, Setting};
use crate::process::Process;
use crate::setup::{self, new_book};

/// Lease of the client that is stopped.
const LEASE: Duration = Duration::from_millis(800);
/// Longest that its item may take to the next one, past the lease.
const HANDED_ON: Duration = Duration::from_secs(5);
const CREW: Crew = Crew {
    putters: 4,
    workers: 6,
    lease: Duration::from_millis(500),
    body: BODY,
};
/// How long the server works and how long it is stopped, in milliseconds: past every lease.
const WORKS: (u64, u64) = (100, 500);
const STOPPED: (u64, u64) = (700, 1_500);

/// A client that holds an item is stopped until another has it: its own settlement comes too late.
pub(super) async fn client(setting: &Setting) -> Result<Report> {
    let plan = setting.plan("stopped-client")?;
    let server = plan.start().await?;
    let name: QueueName = "held".parse()?;
    let queue = setup::client(&server.target)?.queue(name.clone());
    queue
        .create(&SettingsPatch::default())
        .await
        .context("cannot make a queue")?;
    let book = new_book(BODY)?;
    let times = if setting.short { 2 } else { 10 };
    for _ in 0..times {
        let (number, body) = {
            let mut ledger = book.lock();
            let number = ledger.send();
            (number, ledger.bodies().body(number))
        };
        let put = queue.enqueue(body.into_bytes(), EnqueueOptions::default());
        put.await.context("cannot enqueue")?;
        book.lock().accepted(number);

        let asked = book.lock().tick();
        let mut holder = Holder::start(&server, &name)?;
        let held = holder.line()?;
        book.lock().delivered(&held, asked);
        holder.signal(Signal::STOP)?;
        let asked = book.lock().tick();
        let ask = LeaseRequest {
            wait_ms: Some(u64::try_from((LEASE + HANDED_ON).as_millis())?),
            ..LeaseRequest::default()
        };
        let answer = queue.lease(&ask).await.context("waiting for the item")?;
        let [item] = &answer.items[..] else {
            anyhow::bail!("the item did not come to another client when its lease was over");
        };
        let next = book.lock().delivered(body_text(&item.body)?, asked);
        ensure!(
            next == Some(number),
            "another item came than the one that was held"
        );
        holder.signal(Signal::CONT)?;
        let said = holder.line()?;
        ensure!(
            said == "lease_lost",
            "a settlement past its lease was answered {said}"
        );
        let settlement = Settlement::new(item.lease.clone(), SettleAs::Ack);
        let settled = queue
            .settle(vec![settlement])
            .await
            .context("cannot settle")?;
        ensure!(
            settled.iter().all(|settled| settled.ok),
            "the new lease cannot settle"
        );
        book.lock().settled(number, false);
    }
    for outcome in queue
        .outcomes(0, 1_000)
        .await
        .context("cannot read the outcomes")?
    {
        book.lock().found_done(body_text(&outcome.body)?);
    }
    let audit = book.lock().audit();
    Ok(Report {
        audit,
        blows: times,
        recoveries: Vec::new(),
    })
}

/// The server is stopped under load, for longer than any lease.
pub(super) async fn server(setting: &Setting) -> Result<Report> {
    let mut chance = Chance::new(setting.seed, u64::MAX - 1);
    let plan = setting.plan("stopped-server")?;
    let server = plan.start().await?;
    let mut load = Load::start(&server.target, setting.seed, CREW).await?;
    let times = if setting.short { 3 } else { 20 };
    for _ in 0..times {
        load.go_on(chance.millis(WORKS.0, WORKS.1)).await?;
        server.signal(Signal::STOP)?;
        load.go_on(chance.millis(STOPPED.0, STOPPED.1)).await?;
        server.signal(Signal::CONT)?;
    }
    let audit = ending::audit(load, &server.target).await?;
    Ok(Report {
        audit,
        blows: times,
        recoveries: Vec::new(),
    })
}

/// The process of a client that holds an item; killed when dropped.
struct Holder {
    child: Child,
    lines: BufReader<ChildStdout>,
}

impl Holder {
    fn start(server: &Process, queue: &QueueName) -> Result<Self> {
        let program = std::env::current_exe().context("cannot tell where this program lies")?;
        let mut command = Command::new(program);
        command.args(["hold", "--server", &server.target.url()]);
        command.args(["--queue", queue.as_str()]);
        command.args(["--lease", &format!("{}ms", LEASE.as_millis())]);
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().context("cannot start a client")?;
        let lines = child.stdout.take().context("a client without output")?;
        let lines = BufReader::new(lines);
        Ok(Self { child, lines })
    }

    /// The next line it prints. Blocks, while nothing else has to go on.
    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        let read = self
            .lines
            .read_line(&mut line)
            .context("cannot read a client's words")?;
        ensure!(
            read > 0,
            "the client ended without a word; its words are above"
        );
        Ok(line.trim_end().into())
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        let pid = pid.context("a child without a process id")?;
        kill_process(pid, signal).context("cannot signal a client")
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        if self.child.kill().is_ok() {
            let _ = self.child.wait();
        }
    }
}
