//! A world around one directory: a life of the server follows the other, each with its clients, its
//! fault and its end.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use queue_log::Disk;
use queue_log::faulty::FaultyDisk;
use queue_server::{Config, DiskStorage, Machine, Server, Storage};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::chance::Chance;
use crate::client::{ALL, Client, Line, assert_numbers_add_up, tag};
use crate::given;
use crate::ledger::{self, Ledger};
use crate::seen::Seen;

/// Longer than anything takes: reached only when something hangs.
const BOUND: Duration = Duration::from_secs(30);

/// The file that every log begins with.
const FIRST: &str = "000000000000.log";

pub(crate) struct World {
    chance: Chance,
    disk: FaultyDisk,
    config: Config,
    ledger: Arc<Ledger>,
    wall_clock: Duration,
}

/// How a life ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Stopped,
    Killed,
    PowerLost,
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        let mut chance = Chance::new(seed);
        let storage = DiskStorage {
            segment_bytes: chance.one_of(&[16 << 10, 32 << 10, 64 << 10]),
            body_memory: chance.one_of(&[0, 20_000, 1 << 30]),
            ..DiskStorage::default()
        };
        let config = Config {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            storage: Storage::Disk(storage),
            ..Config::default()
        };
        Self {
            chance,
            disk: FaultyDisk::new(),
            config,
            ledger: Arc::default(),
            wall_clock: Machine::default().wall_clock,
        }
    }

    /// Lives all lives, and says what was seen.
    pub(crate) async fn run(mut self) -> Seen {
        let lives = 3 + self.chance.below(4);
        for _ in 0..lives {
            self.life().await;
        }
        self.disk.make_room();
        let server = self.start().await;
        self.conclude(server.local_addr()).await;
        server.stop().await.expect("no panic");
        self.ledger.seen()
    }

    async fn life(&mut self) {
        self.ledger.see(|seen| seen.lives += 1);
        let server = self.start().await;
        self.audit(server.local_addr()).await;
        given::prepare(server.local_addr()).await;
        let end = self
            .chance
            .one_of(&[End::Stopped, End::Killed, End::PowerLost]);
        self.arm();
        let mut clients = self.clients(server.local_addr()).await;
        if end == End::Stopped || self.chance.percent(50) {
            while let Some(client) = clients.join_next().await {
                fails_with(client);
            }
        } else {
            let cut = Duration::from_millis(self.chance.below(150));
            let all = async { while clients.join_next().await.map(fails_with).is_some() {} };
            // Cut off in the middle of their requests: whether it happens is chance, and either is fine.
            let _cut = tokio::time::timeout(cut, all).await;
        }
        // What they were told until now is what counts.
        clients.abort_all();
        while let Some(client) = clients.join_next().await {
            if !client.as_ref().is_err_and(|error| error.is_cancelled()) {
                fails_with(client);
            }
        }
        self.end(server, end).await;
    }

    /// Lets something go wrong with the disk, or nothing.
    fn arm(&mut self) {
        let soon = 1 + self.chance.below(120);
        match self.chance.below(8) {
            0 => self.disk.fail_write(soon),
            1 => self.disk.fail_sync(soon),
            2 => self.disk.power_off_after(soon),
            3 => self.disk.fill_up(200_000 + self.chance.below(400_000)),
            _ => return,
        }
        self.ledger.see(|seen| seen.failed_io += 1);
    }

    async fn clients(&mut self, address: SocketAddr) -> JoinSet<()> {
        let mut clients = JoinSet::new();
        for _ in 0..1 + self.chance.below(5) {
            let chance = Chance::new(self.chance.next());
            let requests = 5 + self.chance.below(120);
            let ledger = Arc::clone(&self.ledger);
            clients.spawn(async move {
                if let Ok(client) = Client::connect(address, chance, ledger).await {
                    client.run(requests).await;
                }
            });
        }
        clients
    }

    async fn end(&mut self, server: Server, end: End) {
        match end {
            End::Stopped => {
                let stopped = tokio::time::timeout(BOUND, server.stop()).await;
                stopped.expect("stopping hangs").expect("no panic");
                self.disk = self.disk.kill();
            }
            End::Killed => {
                self.ledger.see(|seen| seen.killed += 1);
                self.disk = self.disk.kill();
                drop(server);
            }
            End::PowerLost => {
                self.ledger.see(|seen| seen.power_lost += 1);
                self.disk = self.disk.crash(self.chance.next());
                drop(server);
            }
        }
        self.disk.make_room();
        let files = self.disk.list().expect("a healthy disk");
        // The log has let go of its beginning.
        let is_compacted = files.first().is_some_and(|first| first != FIRST);
        self.ledger
            .see(|seen| seen.compacted += u64::from(is_compacted));
    }

    /// Starts a server, if need be again and again: a recovery too is cut short now and then.
    async fn start(&mut self) -> Server {
        // The wall clock leaps by up to an hour between two lives, forth and back.
        let leap = Duration::from_secs(self.chance.below(3600));
        self.wall_clock = match self.chance.percent(50) {
            true => self.wall_clock + leap,
            false => self.wall_clock - leap,
        };
        loop {
            let faulty = self.chance.percent(20);
            if faulty {
                self.disk.power_off_after(self.chance.below(12));
            }
            let machine = Machine {
                disk: Some(Arc::new(self.disk.clone())),
                wall_clock: self.wall_clock,
            };
            let started = Server::start_on(self.config.clone(), machine).await;
            let mut server = started.expect("a port");
            let recovered = tokio::time::timeout(BOUND, server.recovered()).await;
            match recovered.expect("recovering hangs") {
                Ok(()) if !faulty => return server,
                Ok(()) => {}
                Err(broken) => {
                    let error = anyhow::Error::from(broken);
                    assert!(faulty, "a healthy disk is refused: {error:#}");
                    self.ledger.see(|seen| seen.failed_starts += 1);
                }
            }
            self.disk = self.disk.crash(self.chance.next());
            drop(server);
        }
    }

    /// What a server tells must be what clients were told.
    async fn audit(&self, address: SocketAddr) -> HashSet<String> {
        let mut line = Line::connect(address).await.expect("it listens");
        let listed = get(&mut line, "/v1/queues").await;
        let listed: Value = serde_json::from_str(&listed.expect("a list")).expect("JSON");
        let queues = listed["queues"].as_array().expect("a list");
        queues.iter().for_each(assert_numbers_add_up);
        let mut told = HashSet::new();
        for queue in ALL {
            let path = format!("/v1/queues/{queue}/outcomes?limit=10000");
            let joblog = get(&mut line, &path).await.unwrap_or_default();
            let mut lines = joblog_of(&joblog);
            // A page ends at a mebibyte.
            while let Some(last) = lines.last().map(|last| last.number) {
                let next = get(&mut line, &format!("{path}&after={last}")).await;
                let next = joblog_of(&next.unwrap_or_default());
                if next.is_empty() {
                    break;
                }
                lines.extend(next);
            }
            self.ledger.judge(queue, &lines);
            told.extend(lines.iter().map(|line| tag(&line.body).to_owned()));
        }
        told
    }

    /// Works everything off, and closes the ledger.
    async fn conclude(&self, address: SocketAddr) {
        let mut line = Line::connect(address).await.expect("it listens");
        for queue in ALL {
            let seal = format!("/v1/queues/{queue}/seal");
            let sealed = line.call("POST", &seal, String::new());
            if sealed.await.expect("it serves").status == 404 {
                continue;
            }
            let begin = Instant::now();
            let mut settle = json!([]);
            loop {
                assert!(begin.elapsed() < 4 * BOUND, "{queue} never drains");
                let request = json!({"max": 100, "wait_ms": 500, "settle": settle});
                let path = format!("/v1/queues/{queue}/lease");
                let told = line.call("POST", &path, request.to_string()).await;
                let answer = told.expect("it serves").json();
                let asked = self.ledger.moment();
                if answer["state"] == "drained" {
                    break;
                }
                let items = answer["items"].as_array().expect("items");
                self.ledger.judge_order(items);
                let ack = |item: &Value| {
                    let text = |name: &str| item[name].as_str().expect(name);
                    self.ledger.leased(text("body"), text("lease"), asked);
                    json!({"lease": text("lease"), "as": "ack", "result": tag(text("body"))})
                };
                settle = items.iter().map(ack).collect();
            }
        }
        let told = self.audit(address).await;
        self.ledger.conclude(&told);
        self.ledger.judge_keys(&told);
    }
}

async fn get(line: &mut Line, path: &str) -> Option<String> {
    let told = line.call("GET", path, String::new()).await;
    let told = told.expect("it serves");
    (told.status == 200).then_some(told.text)
}

fn joblog_of(text: &str) -> Vec<ledger::Line> {
    let line = |line: &str| {
        let line: Value = serde_json::from_str(line).expect("JSON");
        let text = |name: &str| line[name].as_str().map(str::to_owned);
        ledger::Line {
            number: line["outcome"].as_u64().expect("a number"),
            body: text("body").expect("text"),
            state: text("state").expect("a state"),
            result: text("result"),
        }
    };
    // One that was thrown away when it was dead left that it died, and not what it was.
    let is_known = |line: &ledger::Line| !line.body.is_empty();
    text.lines().map(line).filter(is_known).collect()
}

/// A client's failed assertion is the world's.
fn fails_with(client: Result<(), tokio::task::JoinError>) {
    if let Err(error) = client {
        std::panic::resume_unwind(error.into_panic());
    }
}
