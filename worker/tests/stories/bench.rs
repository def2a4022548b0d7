//! A server, queues on it and workers beside it, all gone when the test is over.

use std::future::Future;
use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use queue_api::{Finish, LeaseRequest, Leased, Outcome, SettingsPatch};
use queue_client::{Client, EnqueueOptions, QueueClient, Token};
use queue_server::{Access, Config, DiskStorage, Server, Storage};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStdin, Command};

/// Nothing in these tests takes as long as this unless it is broken.
pub(crate) const LONG: Duration = Duration::from_secs(60);

/// A server with one queue.
pub(crate) struct Bench {
    pub(crate) url: String,
    pub(crate) queue: QueueClient,
    _server: Server,
    _data: TempDir,
}

impl Bench {
    /// A server with a queue of these settings over short default ones.
    pub(crate) async fn new(settings: &str) -> Self {
        Self::guarded(settings, None).await
    }

    /// The same, behind the tokens of this file, of which this one is for everything.
    pub(crate) async fn guarded(settings: &str, tokens: Option<(&Path, &str)>) -> Self {
        let listen = ([127, 0, 0, 1], 0).into();
        let data = tempfile::tempdir().unwrap();
        let config = Config {
            listen,
            storage: Storage::Disk(DiskStorage {
                data_dir: data.path().to_owned(),
                ..DiskStorage::default()
            }),
            access: Access {
                tokens: tokens.map(|(file, _)| file.to_owned()),
                ..Access::default()
            },
            ..Config::default()
        };
        let mut server = Server::start(config).await.unwrap();
        server.recovered().await.unwrap();
        let url = server.url();
        let token = tokens.map(|(_, token)| Token::from_text(token, "a test").unwrap());
        let client = Client::builder(&url).token(token).build().unwrap();
        let queue = client.queue("q".parse().unwrap());
        let short = r#"{"quiet_ms":100,"backoff":{"min_ms":20,"max_ms":50}}"#;
        for settings in [short, settings] {
            let patch: SettingsPatch = serde_json::from_str(settings).unwrap();
            queue.create(&patch).await.unwrap();
        }
        Self {
            url,
            queue,
            _server: server,
            _data: data,
        }
    }

    /// A server with a queue that holds these items.
    pub(crate) async fn with(settings: &str, items: &[&str]) -> Self {
        let bench = Self::new(settings).await;
        for item in items {
            bench.add(item.as_bytes()).await;
        }
        bench
    }

    pub(crate) async fn add(&self, body: &[u8]) {
        let body = body.to_vec();
        self.queue
            .enqueue(body, EnqueueOptions::default())
            .await
            .unwrap();
    }

    /// Leases an item as another worker would.
    pub(crate) async fn take(&self) -> Leased {
        let answer = self.queue.lease(&LeaseRequest::default()).await.unwrap();
        answer.items.into_iter().next().expect("an item is ready")
    }

    /// A worker of the queue, not started yet.
    pub(crate) fn worker(&self) -> Worker {
        Worker::bare().args(["--server", &self.url, "--queue", "q"])
    }

    /// Runs a worker of this shell command to its end, which must be 0.
    pub(crate) async fn run_sh(&self, script: &str) -> Running {
        let mut worker = self.worker().sh(script).start();
        assert_eq!(worker.exit().await, 0, "{}", worker.log());
        worker
    }

    pub(crate) async fn outcomes(&self) -> Vec<Outcome> {
        self.queue.outcomes(0, 10_000).await.unwrap()
    }

    /// The only finished item.
    pub(crate) async fn outcome(&self) -> Outcome {
        let outcomes = self.outcomes().await;
        let [outcome] = &outcomes[..] else {
            panic!("not one outcome: {outcomes:?}")
        };
        outcome.clone()
    }

    pub(crate) async fn done(&self) -> Outcome {
        let outcome = self.outcome().await;
        assert_eq!(outcome.state, Finish::Done, "{outcome:?}");
        outcome
    }

    pub(crate) async fn dead(&self) -> Outcome {
        let outcome = self.outcome().await;
        assert_eq!(outcome.state, Finish::Dead, "{outcome:?}");
        outcome
    }
}

/// A worker to be started.
pub(crate) struct Worker(Command);

impl Worker {
    pub(crate) fn bare() -> Self {
        Self::of(env!("CARGO_BIN_EXE_memq-worker"))
    }

    /// A worker started by another program; its own name is to follow as an argument.
    pub(crate) fn of(program: &str) -> Self {
        let mut command = Command::new(program);
        // What the person who runs the tests has set up is theirs.
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("MEMQ_") {
                command.env_remove(name);
            }
        }
        command
            .env("NO_COLOR", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        Self(command)
    }

    pub(crate) fn args<'a>(mut self, args: impl IntoIterator<Item = &'a str>) -> Self {
        self.0.args(args);
        self
    }

    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.0.env(name, value);
        self
    }

    /// Handles items by a shell script.
    pub(crate) fn sh(self, script: &str) -> Self {
        self.args(["--", "sh", "-c", script])
    }

    pub(crate) fn start(mut self) -> Running {
        let mut child = self.0.spawn().unwrap();
        let log = Arc::new(Mutex::new(String::new()));
        let (stderr, kept) = (child.stderr.take().unwrap(), log.clone());
        let reader = tokio::spawn(async move {
            let mut lines = BufReader::new(stderr).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                let mut log = kept.lock().unwrap();
                log.push_str(&line);
                log.push('\n');
            }
        });
        let stdin = child.stdin.take();
        Running {
            child,
            log,
            reader: Some(reader),
            stdin,
        }
    }
}

/// A worker that was started. Killed when dropped.
pub(crate) struct Running {
    child: Child,
    log: Arc<Mutex<String>>,
    reader: Option<tokio::task::JoinHandle<()>>,
    stdin: Option<ChildStdin>,
}

impl Running {
    /// The exit code, once it ended; -1 for a signal.
    pub(crate) async fn exit(&mut self) -> i32 {
        let ended = tokio::time::timeout(LONG, self.child.wait()).await;
        let status = ended
            .unwrap_or_else(|_| panic!("it did not end:\n{}", self.log()))
            .unwrap();
        if let Some(reader) = self.reader.take() {
            // What it started may hold its log open.
            let _ = tokio::time::timeout(Duration::from_secs(1), reader).await;
        }
        status.code().unwrap_or(-1)
    }

    /// Whether it still runs.
    pub(crate) fn runs(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// Waits until the log has this text.
    pub(crate) async fn says(&self, text: &str) {
        let what = format!("`{text}` in the log");
        until(&what, async || self.log().contains(text)).await;
    }

    pub(crate) fn pid(&self) -> Pid {
        pid(self.child.id().expect("it runs"))
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).unwrap();
    }

    pub(crate) fn close_stdin(&mut self) {
        self.stdin = None;
    }
}

pub(crate) fn pid(number: u32) -> Pid {
    Pid::from_raw(i32::try_from(number).unwrap()).unwrap()
}

/// Waits until the condition holds.
pub(crate) async fn until<F: Future<Output = bool>>(what: &str, condition: impl Fn() -> F) {
    let end = Instant::now() + LONG;
    while !condition().await {
        assert!(Instant::now() < end, "never: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// A process that a handler wrote down the id of, once it has.
pub(crate) async fn noted_pid(file: &Path) -> Pid {
    until("the handler notes its process id", async || {
        std::fs::read_to_string(file).is_ok_and(|text| text.ends_with('\n'))
    })
    .await;
    pid(std::fs::read_to_string(file)
        .unwrap()
        .trim()
        .parse()
        .unwrap())
}

/// Waits until a process is gone, or dead and waiting for whoever buries it.
pub(crate) async fn gone(pid: Pid) {
    until("the process is gone", async || {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero()));
        stat.map_or(true, |stat| {
            stat.rsplit(')').next().unwrap().trim().starts_with('Z')
        })
    })
    .await;
}
