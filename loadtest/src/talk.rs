//! What one connection says and hears, for each operation of each API.
//!
//! It knows the calls and reads the answers far enough to count items; it sends nothing itself and
//! knows no time.

mod lease;
mod put;
mod take;

use anyhow::{Result, bail, ensure};
use clap::ValueEnum;
use queue_api::QueueName;

use crate::ledger::Book;
use crate::side::{Heard, Side, Turned};
use crate::target::Target;
use crate::wire::{Answer, Connection, request};
use lease::LeaseTalk;
use put::PutTalk;
use take::TakeTalk;

/// Whose calls are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Api {
    /// The MemQ API of the book: one item a call, taken at most once
    Memq,
    /// Ours: leases, and each carries the settlements of the one before
    V1,
    /// The floor, which answers as many bytes as an item has
    Floor,
}

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Op {
    /// Put items in
    Put,
    /// Take items out, and settle them where the API knows that
    Take,
}

/// One operation, set up.
#[derive(Debug, Clone)]
pub struct Work {
    /// Whose calls.
    pub api: Api,
    /// Which of them.
    pub op: Op,
    /// The queue they are about.
    pub queue: QueueName,
    /// Where the items are noted, which says how large they are too.
    pub book: Book,
    /// Items a request.
    pub batch: usize,
}

/// One connection's side of the talk.
#[derive(Debug)]
pub struct Talk(Kind);

#[derive(Debug)]
enum Kind {
    /// The same request over and over.
    Floor(Vec<u8>),
    Put(PutTalk),
    Take(TakeTalk),
    /// Leases, whose requests name the leases before.
    Lease(LeaseTalk),
}

impl Work {
    /// The operation as a table names it.
    #[must_use]
    pub fn name(&self) -> String {
        let api = match self.api {
            Api::Memq => "MemQ API",
            Api::V1 => "v1",
            Api::Floor => "floor",
        };
        let what = match (self.api, self.op) {
            (_, Op::Put) => "put",
            (Api::V1, Op::Take) => "take and settle",
            (_, Op::Take) => "take",
        };
        match self.batch {
            1 => format!("{api}: {what}"),
            batch => format!("{api}: {what}, {batch} a request"),
        }
    }

    /// A talk for one connection.
    ///
    /// # Errors
    ///
    /// The API has no such operation.
    pub fn talk(&self, target: &Target) -> Result<Talk> {
        let (queue, book) = (&self.queue, self.book.clone());
        let body_bytes = book.lock().bodies().bytes();
        let put = |path: &str, status| {
            let put = PutTalk::new(target, path, self.batch, status, book.clone());
            Ok(Talk(Kind::Put(put)))
        };
        match (self.api, self.op) {
            (Api::V1, Op::Take) => {
                let path = format!("/v1/queues/{queue}/lease");
                let lease = LeaseTalk::new(target.clone(), path, self.batch, book);
                Ok(Talk(Kind::Lease(lease)))
            }
            (Api::V1, Op::Put) if self.batch > 1 => put(
                &format!("/v1/queues/{queue}/items?lines=true&ids=false"),
                201,
            ),
            (Api::Memq | Api::Floor, _) if self.batch > 1 => {
                bail!("only the v1 API moves several items a request")
            }
            (Api::V1, Op::Put) => put(&format!("/v1/queues/{queue}/items"), 201),
            (Api::Memq, Op::Put) => put(&format!("/memq/server/queues/{queue}/enqueue"), 200),
            (Api::Memq, Op::Take) => {
                let path = format!("/memq/server/queues/{queue}/dequeue");
                let mut bytes = Vec::new();
                request(&mut bytes, "POST", target, &path, b"");
                Ok(Talk(Kind::Take(TakeTalk::new(bytes, book))))
            }
            (Api::Floor, Op::Put) => Ok(Talk::floor(target, 0, body_bytes)),
            (Api::Floor, Op::Take) => bail!("the floor keeps nothing to take: measure its put"),
        }
    }
}

impl Talk {
    /// What the floor is asked so that request and answer are of these sizes, as near as its own
    /// head and message allow.
    #[must_use]
    pub fn floor(target: &Target, request_bytes: usize, answer_bytes: usize) -> Self {
        let (mut bytes, path) = (Vec::new(), format!("/{answer_bytes}"));
        request(&mut bytes, "POST", target, &path, b"");
        let body = "x".repeat(request_bytes.saturating_sub(bytes.len()));
        request(&mut bytes, "POST", target, &path, body.as_bytes());
        Self(Kind::Floor(bytes))
    }

    /// The next request.
    pub fn request(&mut self) -> &[u8] {
        match &mut self.0 {
            Kind::Floor(request) => request,
            Kind::Put(put) => put.request(),
            Kind::Take(take) => take.request(),
            Kind::Lease(lease) => lease.request(),
        }
    }

    /// Reads its answer.
    ///
    /// # Errors
    ///
    /// The server refused, or answered something else.
    pub fn hear(&mut self, answer: &Answer<'_>) -> Result<Heard> {
        match &mut self.0 {
            Kind::Floor(_) => {
                expect(answer, 200)?;
                Ok(Heard::Items(1))
            }
            Kind::Put(put) => put.hear(answer),
            Kind::Take(take) => take.hear(answer),
            Kind::Lease(lease) => lease.hear(answer),
        }
    }

    /// The request that leaves nothing lent out, if one is needed.
    pub fn last_request(&mut self) -> Option<&[u8]> {
        match &mut self.0 {
            Kind::Lease(lease) => lease.last_request(),
            Kind::Floor(_) | Kind::Put(_) | Kind::Take(_) => None,
        }
    }
}

impl Side for Talk {
    async fn turn(&mut self, connection: &mut Connection) -> Result<Turned> {
        let request = self.request();
        let sent = request.len() as u64;
        let answer = connection.exchange(request).await?;
        let heard = self.hear(&answer)?;
        let got = answer.body.len() as u64;
        Ok(Turned { heard, sent, got })
    }

    async fn finish(&mut self, connection: &mut Connection) -> Result<u64> {
        let Some(request) = self.last_request() else {
            return Ok(0);
        };
        let answer = connection.exchange(request).await?;
        let (Heard::Items(items) | Heard::Dry(items)) = self.hear(&answer)?;
        Ok(items)
    }
}

/// Refuses an answer with another status, in the server's own words.
fn expect(answer: &Answer<'_>, status: u16) -> Result<()> {
    let words = String::from_utf8_lossy(answer.body);
    ensure!(
        answer.status == status,
        "the server answered {} instead of {status}: {}",
        answer.status,
        words.trim().chars().take(300).collect::<String>()
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::{Bodies, LEAST_BODY};

    async fn talk(api: Api, op: Op, batch: usize) -> Result<Talk> {
        let target = Target::resolve("http://127.0.0.1:9", false).await?;
        let queue = "q".parse().expect("a name");
        Work {
            api,
            op,
            queue,
            book: Book::new(Bodies::new(1, LEAST_BODY)?),
            batch,
        }
        .talk(&target)
    }

    async fn asked(api: Api, op: Op, batch: usize) -> String {
        let mut talk = talk(api, op, batch)
            .await
            .expect("there is such an operation");
        let text = String::from_utf8_lossy(talk.request()).into_owned();
        let (head, body) = text.split_once("\r\n\r\n").expect("a head and a body");
        let line = head.lines().next().expect("a first line");
        format!("{line} | {body}")
    }

    #[tokio::test]
    async fn each_operation_makes_its_call() {
        assert_eq!(
            asked(Api::Memq, Op::Put, 1).await,
            "POST /memq/server/queues/q/enqueue HTTP/1.1 | 00000001-0000000000"
        );
        assert_eq!(
            asked(Api::Memq, Op::Take, 1).await,
            "POST /memq/server/queues/q/dequeue HTTP/1.1 | "
        );
        assert_eq!(
            asked(Api::V1, Op::Put, 1).await,
            "POST /v1/queues/q/items HTTP/1.1 | 00000001-0000000000"
        );
        assert_eq!(
            asked(Api::V1, Op::Put, 2).await,
            "POST /v1/queues/q/items?lines=true&ids=false HTTP/1.1 | 00000001-0000000000\n00000001-0000000001\n"
        );
        assert_eq!(asked(Api::Floor, Op::Put, 1).await, "POST /19 HTTP/1.1 | ");
    }

    #[tokio::test]
    async fn what_an_api_does_not_have_is_refused() {
        assert!(talk(Api::Floor, Op::Take, 1).await.is_err());
        assert!(talk(Api::Memq, Op::Put, 2).await.is_err());
        assert!(talk(Api::Memq, Op::Take, 2).await.is_err());
    }

    #[tokio::test]
    async fn items_are_counted_by_the_answer() {
        let heard = |talk: &mut Talk, status, body: &'static str| {
            talk.hear(&Answer {
                status,
                body: body.as_bytes(),
            })
        };
        let mut put = talk(Api::V1, Op::Put, 5).await.expect("a talk");
        put.request();
        let all = r#"{"count":5}"#;
        assert_eq!(
            heard(&mut put, 201, all).expect("taken in"),
            Heard::Items(5)
        );
        put.request();
        let few = heard(&mut put, 201, r#"{"count":4}"#).expect_err("one is missing");
        assert!(few.to_string().contains("and 4 acknowledged"), "{few}");
        let refused = heard(&mut put, 404, "{\"code\":\"no_such_queue\"}\n").expect_err("refused");
        assert!(
            refused
                .to_string()
                .contains("404 instead of 201: {\"code\""),
            "{refused}"
        );
        let mut take = talk(Api::Memq, Op::Take, 1).await.expect("a talk");
        let message = r#"{"kind":"message","body":"00000001-0000000000"}"#;
        assert_eq!(
            heard(&mut take, 200, message).expect("taken"),
            Heard::Items(1)
        );
        assert_eq!(
            heard(&mut take, 204, "").expect("nothing left"),
            Heard::Dry(0)
        );
        assert!(heard(&mut put, 204, "").is_err());
    }
}
