//! The worker's steady state: each lease call settles what the one before lent.

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;

use super::expect;
use crate::ledger::{Book, Tick};
use crate::side::Heard;
use crate::target::Target;
use crate::wire::{Answer, request};

/// As much of a lease answer as counting needs, borrowed from its bytes.
#[derive(Deserialize)]
struct LeaseAnswer<'a> {
    #[serde(borrow)]
    items: Vec<Lent<'a>>,
    #[serde(borrow, default)]
    settled: Vec<Settled<'a>>,
}

#[derive(Deserialize)]
struct Lent<'a> {
    lease: &'a str,
    body: &'a str,
}

#[derive(Deserialize)]
struct Settled<'a> {
    ok: bool,
    #[serde(default)]
    repeated: bool,
    #[serde(default)]
    code: Option<&'a str>,
}

/// One connection that leases and settles.
#[derive(Debug)]
pub(super) struct LeaseTalk {
    target: Target,
    path: String,
    batch: usize,
    /// The settlements of what is lent to us, as the next request carries them.
    settle: String,
    /// The items that are lent to us, where they are ours.
    lent: Vec<Option<u64>>,
    body: String,
    request: Vec<u8>,
    book: Book,
    /// When the request was made.
    asked: Tick,
}

impl LeaseTalk {
    pub(super) fn new(target: Target, path: String, batch: usize, book: Book) -> Self {
        let (settle, lent, body, request) = Default::default();
        let asked = book.lock().tick();
        Self {
            target,
            path,
            batch,
            settle,
            lent,
            body,
            request,
            book,
            asked,
        }
    }

    pub(super) fn request(&mut self) -> &[u8] {
        self.asking_for(self.batch)
    }

    pub(super) fn last_request(&mut self) -> Option<&[u8]> {
        (!self.lent.is_empty()).then(|| self.asking_for(0))
    }

    fn asking_for(&mut self, max: usize) -> &[u8] {
        self.asked = self.book.lock().tick();
        self.body.clear();
        for part in [
            "{\"max\":",
            &max.to_string(),
            ",\"settle\":[",
            &self.settle,
            "]}",
        ] {
            self.body.push_str(part);
        }
        request(
            &mut self.request,
            "POST",
            &self.target,
            &self.path,
            self.body.as_bytes(),
        );
        &self.request
    }

    pub(super) fn hear(&mut self, answer: &Answer<'_>) -> Result<Heard> {
        expect(answer, 200)?;
        let LeaseAnswer { items, settled } =
            serde_json::from_slice(answer.body).context("the answer to a lease call is odd")?;
        ensure!(
            settled.len() == self.lent.len(),
            "{} leases were settled and {} answered for",
            self.lent.len(),
            settled.len()
        );
        if let Some(refused) = settled.iter().find(|settled| !settled.ok) {
            let code = refused.code.unwrap_or("no code");
            anyhow::bail!("the server refused to settle a lease it had just given: {code}");
        }
        let mut ledger = self.book.lock();
        for (number, settled) in self.lent.drain(..).zip(&settled) {
            if let Some(number) = number {
                ledger.settled(number, settled.repeated);
            }
        }
        self.settle.clear();
        for item in &items {
            self.lent.push(ledger.delivered(item.body, self.asked));
            let comma = if self.settle.is_empty() { "" } else { "," };
            for part in [comma, "{\"lease\":\"", item.lease, "\",\"as\":\"ack\"}"] {
                self.settle.push_str(part);
            }
        }
        let done = settled.len() as u64;
        Ok(if items.is_empty() {
            Heard::Dry(done)
        } else {
            Heard::Items(done)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::{Bodies, LEAST_BODY};

    async fn talk(batch: usize) -> LeaseTalk {
        let target = Target::resolve("http://127.0.0.1:9", false)
            .await
            .expect("local");
        let book = Book::new(Bodies::new(1, LEAST_BODY).expect("long enough"));
        for _ in 0..2 {
            let number = book.lock().send();
            book.lock().accepted(number);
        }
        LeaseTalk::new(target, "/v1/queues/q/lease".into(), batch, book)
    }

    fn body(request: &[u8]) -> &str {
        let text = std::str::from_utf8(request).expect("text");
        text.split_once("\r\n\r\n").expect("a head and a body").1
    }

    fn hear(talk: &mut LeaseTalk, body: &'static str) -> Result<Heard> {
        talk.hear(&Answer {
            status: 200,
            body: body.as_bytes(),
        })
    }

    const TWO: &str = r#"{"items":[{"id":"1","body":"00000001-0000000000","lease":"a"},{"body":"00000001-0000000001","lease":"b"}],"state":"open"}"#;

    #[tokio::test]
    async fn each_lease_settles_the_one_before() {
        let mut talk = talk(2).await;
        assert_eq!(body(talk.request()), r#"{"max":2,"settle":[]}"#);
        assert_eq!(hear(&mut talk, TWO).expect("two"), Heard::Items(0));
        let settles = r#"{"max":2,"settle":[{"lease":"a","as":"ack"},{"lease":"b","as":"ack"}]}"#;
        assert_eq!(body(talk.request()), settles);
        let answer = r#"{"items":[],"state":"drained","settled":[{"lease":"a","ok":true},{"lease":"b","ok":true}]}"#;
        assert_eq!(hear(&mut talk, answer).expect("dry"), Heard::Dry(2));
        assert_eq!(talk.last_request(), None);
        let audit = talk.book.audit_by_answers();
        assert!(audit.is_clean() && audit.settled == 2, "{audit}");
    }

    #[tokio::test]
    async fn the_last_request_settles_and_asks_for_nothing() {
        let mut talk = talk(2).await;
        hear(&mut talk, TWO).expect("two");
        let last = talk.last_request().map(|bytes| body(bytes).to_owned());
        let settles = r#"{"max":0,"settle":[{"lease":"a","as":"ack"},{"lease":"b","as":"ack"}]}"#;
        assert_eq!(last.as_deref(), Some(settles));
    }

    #[tokio::test]
    async fn a_settlement_that_is_refused_or_missing_ends_the_measurement() {
        for (answer, why) in [
            (
                r#"{"items":[],"settled":[{"ok":true}]}"#,
                "2 leases were settled and 1",
            ),
            (
                r#"{"items":[],"settled":[{"ok":true},{"ok":false,"code":"lease_lost"}]}"#,
                "lease_lost",
            ),
            ("{}", "odd"),
        ] {
            let mut talk = talk(2).await;
            hear(&mut talk, TWO).expect("two");
            let error = hear(&mut talk, answer).expect_err(why);
            assert!(error.to_string().contains(why), "{error}");
        }
    }
}
