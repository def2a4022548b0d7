//! Putting items in: each with a number of its own, written over that of the one before.

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;

use super::expect;
use crate::ledger::{Bodies, Book};
use crate::side::Heard;
use crate::target::Target;
use crate::wire::{Answer, request};

/// What an enqueue of several items answers.
#[derive(Deserialize)]
struct Enqueued {
    count: u64,
}

/// One connection that enqueues.
#[derive(Debug)]
pub(super) struct PutTalk {
    /// Made once; only the numbers change.
    request: Vec<u8>,
    /// Where the first body begins, and how far apart they are.
    at: usize,
    apart: usize,
    batch: u64,
    status: u16,
    book: Book,
    /// The first number of the request under way.
    first: u64,
}

impl PutTalk {
    /// Puts `batch` items a request, each on a line of its own if there are several, which an answer
    /// with this status acknowledges.
    pub(super) fn new(target: &Target, path: &str, batch: usize, status: u16, book: Book) -> Self {
        let first = book.lock().bodies().first();
        let apart = first.len() + 1;
        let body = match batch {
            1 => first,
            batch => format!("{first}\n").repeat(batch),
        };
        let mut bytes = Vec::new();
        request(&mut bytes, "POST", target, path, body.as_bytes());
        let at = bytes.len() - body.len();
        Self {
            request: bytes,
            at,
            apart,
            batch: batch as u64,
            status,
            book,
            first: 0,
        }
    }

    pub(super) fn request(&mut self) -> &[u8] {
        let mut ledger = self.book.lock();
        self.first = ledger.sent();
        for body in self.request[self.at..].chunks_mut(self.apart) {
            Bodies::renumber(body, ledger.send());
        }
        &self.request
    }

    pub(super) fn hear(&mut self, answer: &Answer<'_>) -> Result<Heard> {
        expect(answer, self.status)?;
        if self.batch > 1 {
            let Enqueued { count } = serde_json::from_slice(answer.body)
                .context("the answer to an enqueue of several items is odd")?;
            ensure!(
                count == self.batch,
                "{} items were sent in one request and {count} acknowledged",
                self.batch
            );
        }
        let mut ledger = self.book.lock();
        for number in self.first..self.first + self.batch {
            ledger.accepted(number);
        }
        Ok(Heard::Items(self.batch))
    }
}
