//! Taking items by the call of the book, which gives each away at most once.

use anyhow::{Context as _, Result};
use serde::Deserialize;

use super::expect;
use crate::ledger::{Book, Tick};
use crate::side::Heard;
use crate::wire::Answer;

/// As much of a message as counting needs.
#[derive(Deserialize)]
struct Message<'a> {
    body: &'a str,
}

/// One connection that takes.
#[derive(Debug)]
pub(super) struct TakeTalk {
    request: Vec<u8>,
    book: Book,
    asked: Tick,
}

impl TakeTalk {
    pub(super) fn new(request: Vec<u8>, book: Book) -> Self {
        let asked = book.lock().tick();
        Self {
            request,
            book,
            asked,
        }
    }

    pub(super) fn request(&mut self) -> &[u8] {
        self.asked = self.book.lock().tick();
        &self.request
    }

    pub(super) fn hear(&mut self, answer: &Answer<'_>) -> Result<Heard> {
        if answer.status == 204 {
            return Ok(Heard::Dry(0));
        }
        expect(answer, 200)?;
        let Message { body } =
            serde_json::from_slice(answer.body).context("the message that was taken is odd")?;
        let mut ledger = self.book.lock();
        if let Some(number) = ledger.delivered(body, self.asked) {
            // It is gone from the server: nobody else may have it.
            ledger.settled(number, false);
        }
        Ok(Heard::Items(1))
    }
}
