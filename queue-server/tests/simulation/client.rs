//! One client: a connection, and requests drawn by chance. What it asks and what it is told goes into
//! the ledger.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::body::Bytes;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpStream;

use crate::chance::Chance;
use crate::given::GIVEN;
use crate::ledger::{How, Ledger};

/// Longer than any answer takes: reached only when something hangs.
const BOUND: Duration = Duration::from_secs(20);
/// What is said of bytes that the disk does not give.
const READ: &[u8] = b"cannot read the log at position";
/// The queues of the world whose items are given nothing: they are purged, sealed and deleted.
pub(crate) const QUEUES: [&str; 3] = ["a", "b", "c"];
/// All queues: the last is [`GIVEN`].
pub(crate) const ALL: [&str; 4] = ["a", "b", "c", GIVEN];

/// The server is gone, or has said that it goes.
#[derive(Debug)]
pub(crate) struct Gone;

/// An answer.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) status: u16,
    pub(crate) text: String,
    /// It is the answer to an earlier request, given again.
    pub(crate) is_replayed: bool,
}

impl Told {
    pub(crate) fn json(&self) -> Value {
        let json = serde_json::from_str(&self.text);
        json.unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }
}

/// A connection to a server.
pub(crate) struct Line(SendRequest<Full<Bytes>>);

impl Line {
    pub(crate) async fn connect(address: SocketAddr) -> Result<Self, Gone> {
        let stream = TcpStream::connect(address).await.map_err(|_| Gone)?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|_| Gone)?;
        // Ends with the connection.
        tokio::spawn(connection);
        Ok(Self(sender))
    }

    pub(crate) async fn call(
        &mut self,
        method: &str,
        path: &str,
        body: String,
    ) -> Result<Told, Gone> {
        self.call_with(method, path, &[], body).await
    }

    pub(crate) async fn call_with(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: String,
    ) -> Result<Told, Gone> {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in [("host", "localhost")].iter().chain(headers) {
            request = request.header(*name, *value);
        }
        let request = request
            .body(Full::new(Bytes::from(body)))
            .expect("a request");
        let answer = async {
            self.0.ready().await.ok()?;
            let (head, body) = self.0.send_request(request).await.ok()?.into_parts();
            let bytes = body.collect().await.ok()?.to_bytes();
            let is_replayed = head.headers.contains_key("idempotency-replayed");
            Some((head.status.as_u16(), is_replayed, bytes))
        };
        let answered = tokio::time::timeout(BOUND, answer).await;
        let (status, is_replayed, bytes) = answered
            .unwrap_or_else(|_| panic!("{method} {path} hangs"))
            .ok_or(Gone)?;
        match status {
            503 => Err(Gone),
            // The power is off, and the log's thread has not noticed yet.
            500 if bytes.windows(READ.len()).any(|part| part == READ) => Err(Gone),
            500 => panic!("{method} {path}: {}", String::from_utf8_lossy(&bytes)),
            _ => Ok(Told {
                status,
                text: String::from_utf8(bytes.to_vec()).expect("text"),
                is_replayed,
            }),
        }
    }
}

/// A lease in a client's hands.
#[derive(Debug, Clone)]
struct Held {
    queue: &'static str,
    lease: String,
    body: String,
}

pub(crate) struct Client {
    pub(crate) line: Line,
    pub(crate) chance: Chance,
    pub(crate) ledger: Arc<Ledger>,
    held: Vec<Held>,
}

impl Client {
    pub(crate) async fn connect(
        address: SocketAddr,
        chance: Chance,
        ledger: Arc<Ledger>,
    ) -> Result<Self, Gone> {
        Ok(Self {
            line: Line::connect(address).await?,
            chance,
            ledger,
            held: Vec::new(),
        })
    }

    /// Asks so many times, or until the server is gone.
    pub(crate) async fn run(mut self, requests: u64) {
        // Whoever comes back after a crash first says again what was not answered.
        if self.repeat().await.is_err() {
            self.ledger.see(|seen| seen.unanswered += 1);
            return;
        }
        for _ in 0..requests {
            if self.request().await.is_err() {
                self.ledger.see(|seen| seen.unanswered += 1);
                return;
            }
        }
    }

    async fn request(&mut self) -> Result<(), Gone> {
        let queue = self.chance.one_of(&QUEUES);
        let any = self.chance.one_of(&ALL);
        match self.chance.below(130) {
            0..35 => self.enqueue(queue).await,
            35..60 => self.lease(any).await,
            60..92 => self.settle().await,
            92..97 => self.extend().await,
            97..101 => self.dequeue(any).await,
            101..104 => self.look(any).await,
            104..105 => self.purge(queue).await,
            105..106 => self.delete(queue).await,
            106..108 => self.seal(queue).await,
            _ => self.give().await,
        }
    }

    async fn enqueue(&mut self, queue: &'static str) -> Result<(), Gone> {
        let longest = self.chance.one_of(&[10, 300, 3_000, 20_000]);
        let lengths: Vec<u64> = (0..1 + self.chance.below(4))
            .map(|_| self.chance.below(longest))
            .collect();
        let bodies = self.ledger.offer(queue, &lengths);
        let path = format!("/v1/queues/{queue}/items?lines=true&create=true");
        let told = self.line.call("POST", &path, bodies.join("\n")).await?;
        match told.status {
            201 => {
                let items = &told.json()["items"];
                assert_eq!(
                    items.as_array().map(Vec::len),
                    Some(bodies.len()),
                    "{items}"
                );
                self.ledger.enqueued(&bodies);
            }
            // All or nothing.
            409 | 429 | 507 => self.ledger.refused(&bodies, told.status),
            _ => panic!("{told:?}"),
        }
        Ok(())
    }

    async fn lease(&mut self, queue: &'static str) -> Result<(), Gone> {
        let path = format!("/v1/queues/{queue}/lease");
        let request = json!({
            "max": 1 + self.chance.below(3),
            "wait_ms": self.chance.one_of(&[0, 0, 30]),
            "lease_ms": self.chance.one_of(&[100, 200, 600]),
        });
        let (ended, asked) = (self.ledger.known(queue), self.ledger.moment());
        let told = self.line.call("POST", &path, request.to_string()).await?;
        match told.status {
            200 => {}
            404 | 410 | 507 => return Ok(()),
            _ => panic!("{told:?}"),
        }
        let answer = told.json();
        if answer["state"] == "drained" {
            self.ledger.drained(&ended);
        }
        for item in answer["items"].as_array().into_iter().flatten() {
            let text = |name: &str| item[name].as_str().expect(name).to_owned();
            let (body, lease) = (text("body"), text("lease"));
            self.ledger.leased(&body, &lease, asked);
            // Some workers die with what they hold.
            if self.chance.percent(85) {
                self.held.push(Held { queue, lease, body });
            }
        }
        Ok(())
    }

    async fn settle(&mut self) -> Result<(), Gone> {
        if self.held.is_empty() {
            return Ok(());
        }
        let at = self.chance.below(self.held.len() as u64) as usize;
        let held = self.held.swap_remove(at);
        let how = match self.chance.below(100) {
            0..65 => How::Acked,
            65..80 => How::Nacked,
            80..92 => How::Released,
            _ => How::Dead,
        };
        let (verdict, note) = match how {
            How::Acked => ("ack", "result"),
            How::Nacked => ("nack", "error"),
            How::Released => ("release", "error"),
            How::Dead => ("dead", "error"),
        };
        let length = self.chance.one_of(&[0, 10, 500]);
        let said = format!("{}{}", tag(&held.body), "n".repeat(length));
        let mut settlement = json!({"lease": held.lease, "as": verdict, note: said});
        if self.chance.percent(20) {
            settlement["log"] = json!("l".repeat(length + 1));
        }
        if matches!(how, How::Nacked | How::Released) {
            settlement["delay_ms"] = json!(self.chance.one_of(&[0, 0, 40]));
        }
        let settlement = json!({"settle": [settlement]});
        let path = format!("/v1/queues/{}/settle", held.queue);
        let told = self
            .line
            .call("POST", &path, settlement.to_string())
            .await?;
        if told.status != 200 {
            assert!(matches!(told.status, 404 | 507), "{told:?}");
            return Ok(());
        }
        let settled = &told.json()["settled"][0];
        if settled["ok"] == true {
            self.ledger.settled(&held.body, how, &said);
            // Answers get lost: whoever says it again is told that it was said before.
            if self.chance.percent(20) {
                let told = self
                    .line
                    .call("POST", &path, settlement.to_string())
                    .await?;
                if told.status == 200 {
                    let again = &told.json()["settled"][0];
                    let moved_on = how != How::Acked || again["code"] == "lease_lost";
                    assert!(again["repeated"] == true || moved_on, "{again}");
                    if how == How::Acked && again["code"] == "lease_lost" {
                        self.ledger.may_be_gone(&held.body);
                    }
                }
            }
        }
        Ok(())
    }

    async fn extend(&mut self) -> Result<(), Gone> {
        let Some(held) = self.held.last() else {
            return Ok(());
        };
        let path = format!("/v1/leases/{}/extend?lease_ms=300", held.lease);
        let told = self.line.call("POST", &path, String::new()).await?;
        assert!(matches!(told.status, 200 | 404 | 409), "{told:?}");
        Ok(())
    }

    async fn dequeue(&mut self, queue: &'static str) -> Result<(), Gone> {
        let path = format!("/memq/server/queues/{queue}/dequeue");
        let asked = self.ledger.moment();
        let told = self.line.call("POST", &path, String::new()).await?;
        match told.status {
            200 => {
                let body = told.json()["body"].as_str().expect("text").to_owned();
                self.ledger.taken(&body, asked);
            }
            204 | 404 | 507 => {}
            // kuard's refusals are text.
            _ => assert!(told.status < 500, "{told:?}"),
        }
        Ok(())
    }

    async fn look(&mut self, queue: &'static str) -> Result<(), Gone> {
        let path = format!("/v1/queues/{queue}");
        let told = self.line.call("GET", &path, String::new()).await?;
        if told.status == 200 {
            assert_numbers_add_up(&told.json());
        }
        Ok(())
    }

    async fn purge(&mut self, queue: &'static str) -> Result<(), Gone> {
        self.ledger.purging(queue);
        let path = format!("/v1/queues/{queue}/purge");
        self.line.call("POST", &path, String::new()).await?;
        // Some may have come in while it was under way.
        self.ledger.purging(queue);
        Ok(())
    }

    async fn delete(&mut self, queue: &'static str) -> Result<(), Gone> {
        let before = self.ledger.deleting(queue);
        let path = format!("/v1/queues/{queue}?force=true");
        let told = self.line.call("DELETE", &path, String::new()).await?;
        // Some may have come in before it was under way.
        self.ledger.purging(queue);
        if told.status == 204 {
            self.ledger.deleted(&before);
        }
        Ok(())
    }

    async fn seal(&mut self, queue: &'static str) -> Result<(), Gone> {
        if !self.chance.percent(60) {
            return Ok(());
        }
        let path = format!("/v1/queues/{queue}/seal");
        self.line.call("POST", &path, String::new()).await?;
        // Whoever seals it asks whether it has come to its end, again and again.
        for _ in 0..4 {
            self.lease(queue).await?;
            self.settle().await?;
        }
        Ok(())
    }
}

/// What tells a body from all others.
pub(crate) fn tag(body: &str) -> &str {
    body.split(':').next().unwrap_or_default()
}

/// What is always so.
pub(crate) fn assert_numbers_add_up(queue: &Value) {
    let number = |pointer: &str| {
        queue
            .pointer(pointer)
            .and_then(Value::as_u64)
            .expect(pointer)
    };
    let count = |state: &str| number(&format!("/counts/{state}"));
    let total = |what: &str| number(&format!("/totals/{what}"));
    let unfinished = count("ready") + count("leased") + count("delayed");
    let finished = count("done") + total("item_expired") + total("cancelled");
    let all = unfinished + count("dead") + finished + total("purged");
    assert_eq!(total("enqueued"), all, "{queue}");
    assert_eq!(count("done"), total("acked") + total("taken"), "{queue}");
}
