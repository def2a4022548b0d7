//! What one connection says and hears, for each operation of each API.
//!
//! It knows the calls and reads the answers far enough to count items; it sends nothing itself and
//! knows no time.

mod lease;

use anyhow::{Result, bail, ensure};
use clap::ValueEnum;
use queue_api::QueueName;

use crate::target::Target;
use crate::wire::{Answer, request};
use lease::LeaseTalk;

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
    /// Bytes of an item.
    pub body_bytes: usize,
    /// Items a request.
    pub batch: usize,
}

/// What an answer brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    /// This many items went in, or came out for good.
    Items(u64),
    /// There is nothing left to take; so many came out for good all the same.
    Dry(u64),
}

/// One connection's side of the talk.
#[derive(Debug)]
pub struct Talk(Kind);

#[derive(Debug)]
enum Kind {
    /// The same request over and over, and the status that means so many items.
    Same {
        request: Vec<u8>,
        status: u16,
        items: u64,
    },
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
        let queue = &self.queue;
        let item = "x".repeat(self.body_bytes);
        let same = |path: &str, body: &str, status, items| {
            let mut bytes = Vec::new();
            request(&mut bytes, "POST", target, path, body.as_bytes());
            Ok(Talk(Kind::Same {
                request: bytes,
                status,
                items,
            }))
        };
        match (self.api, self.op) {
            (Api::V1, Op::Take) => {
                let path = format!("/v1/queues/{queue}/lease");
                Ok(Talk(Kind::Lease(LeaseTalk::new(
                    target.clone(),
                    path,
                    self.batch,
                ))))
            }
            (Api::V1, Op::Put) if self.batch > 1 => {
                let path = format!("/v1/queues/{queue}/items?lines=true&ids=false");
                let lines = format!("{item}\n").repeat(self.batch);
                same(&path, &lines, 201, self.batch as u64)
            }
            (Api::Memq | Api::Floor, _) if self.batch > 1 => {
                bail!("only the v1 API moves several items a request")
            }
            (Api::V1, Op::Put) => same(&format!("/v1/queues/{queue}/items"), &item, 201, 1),
            (Api::Memq, Op::Put) => same(
                &format!("/memq/server/queues/{queue}/enqueue"),
                &item,
                200,
                1,
            ),
            (Api::Memq, Op::Take) => {
                same(&format!("/memq/server/queues/{queue}/dequeue"), "", 200, 1)
            }
            (Api::Floor, Op::Put) => same(&format!("/{}", self.body_bytes), &item, 200, 1),
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
        Self(Kind::Same {
            request: bytes,
            status: 200,
            items: 1,
        })
    }

    /// The next request.
    pub fn request(&mut self) -> &[u8] {
        match &mut self.0 {
            Kind::Same { request, .. } => request,
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
            Kind::Same { status: 200, .. } if answer.status == 204 => Ok(Heard::Dry(0)),
            Kind::Same { status, items, .. } => {
                expect(answer, *status)?;
                Ok(Heard::Items(*items))
            }
            Kind::Lease(lease) => lease.hear(answer),
        }
    }

    /// The request that leaves nothing lent out, if one is needed.
    pub fn last_request(&mut self) -> Option<&[u8]> {
        match &mut self.0 {
            Kind::Same { .. } => None,
            Kind::Lease(lease) => lease.last_request(),
        }
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

    async fn talk(api: Api, op: Op, batch: usize) -> Result<Talk> {
        let target = Target::resolve("http://127.0.0.1:9", false).await?;
        let queue = "q".parse().expect("a name");
        Work {
            api,
            op,
            queue,
            body_bytes: 3,
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
            "POST /memq/server/queues/q/enqueue HTTP/1.1 | xxx"
        );
        assert_eq!(
            asked(Api::Memq, Op::Take, 1).await,
            "POST /memq/server/queues/q/dequeue HTTP/1.1 | "
        );
        assert_eq!(
            asked(Api::V1, Op::Put, 1).await,
            "POST /v1/queues/q/items HTTP/1.1 | xxx"
        );
        assert_eq!(
            asked(Api::V1, Op::Put, 2).await,
            "POST /v1/queues/q/items?lines=true&ids=false HTTP/1.1 | xxx\nxxx\n"
        );
        assert_eq!(
            asked(Api::Floor, Op::Put, 1).await,
            "POST /3 HTTP/1.1 | xxx"
        );
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
        assert_eq!(
            heard(&mut put, 201, "{}").expect("taken in"),
            Heard::Items(5)
        );
        let refused = heard(&mut put, 404, "{\"code\":\"no_such_queue\"}\n").expect_err("refused");
        assert!(
            refused
                .to_string()
                .contains("404 instead of 201: {\"code\""),
            "{refused}"
        );
        let mut take = talk(Api::Memq, Op::Take, 1).await.expect("a talk");
        assert_eq!(heard(&mut take, 200, "{}").expect("taken"), Heard::Items(1));
        assert_eq!(
            heard(&mut take, 204, "").expect("nothing left"),
            Heard::Dry(0)
        );
        assert!(heard(&mut put, 204, "").is_err());
    }
}
