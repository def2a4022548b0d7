//! beanstalkd's protocol, as much of it as one item's way through a tube takes.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};

use super::line;
use crate::ledger::{Bodies, Book};
use crate::side::{Heard, Turned};
use crate::wire::Connection;

/// Synced at each write.
pub(super) fn command(directory: &Path, address: SocketAddr) -> Command {
    let mut command = Command::new("beanstalkd");
    command.args(["-l", &address.ip().to_string()]);
    command.args(["-p", &address.port().to_string()]);
    command.arg("-b").arg(directory).args(["-f", "0"]);
    command
}

/// One connection.
#[derive(Debug)]
pub struct Talk {
    /// Said once, and what it is answered with.
    first: Option<(String, String)>,
    /// The put, with room for the number; empty where items are taken.
    put: Vec<u8>,
    at: usize,
    book: Book,
}

/// What came back.
enum Reply {
    Word(String),
    Reserved { id: u64, head: usize, body: usize },
}

impl Talk {
    pub(super) fn new(queue: &str, puts: bool, book: Book) -> Self {
        let body = book.lock().bodies().first();
        let head = format!("put 0 0 120 {}\r\n", body.len());
        let first = if puts {
            (format!("use {queue}\r\n"), format!("USING {queue}"))
        } else {
            // Without the default tube, which nobody fills.
            (format!("watch {queue}\r\n"), "WATCHING 2".into())
        };
        Self {
            first: Some(first),
            at: head.len(),
            put: if puts {
                format!("{head}{body}\r\n").into_bytes()
            } else {
                Vec::new()
            },
            book,
        }
    }

    pub(super) async fn turn(&mut self, connection: &mut Connection) -> Result<Turned> {
        if let Some((said, expected)) = self.first.take() {
            word(connection, said.as_bytes(), &expected).await?;
        }
        if self.put.is_empty() {
            self.take(connection).await
        } else {
            self.put(connection).await
        }
    }

    async fn put(&mut self, connection: &mut Connection) -> Result<Turned> {
        let number = self.book.lock().send();
        Bodies::renumber(&mut self.put[self.at..], number);
        let (reply, bytes) = connection.exchange_as(&self.put, frame).await?;
        let got = bytes.len() as u64;
        match reply {
            Reply::Word(word) if word.starts_with("INSERTED ") => {}
            other => bail!("a put was answered `{}`", other.shown()),
        }
        self.book.lock().accepted(number);
        Ok(Turned {
            heard: Heard::Items(1),
            sent: self.put.len() as u64,
            got,
        })
    }

    async fn take(&mut self, connection: &mut Connection) -> Result<Turned> {
        const RESERVE: &[u8] = b"reserve-with-timeout 0\r\n";
        let asked = self.book.lock().tick();
        let (reply, bytes) = connection.exchange_as(RESERVE, frame).await?;
        let (mut sent, mut got) = (RESERVE.len() as u64, bytes.len() as u64);
        let (id, head, body) = match reply {
            Reply::Reserved { id, head, body } => (id, head, body),
            Reply::Word(word) if word == "TIMED_OUT" => {
                let heard = Heard::Dry(0);
                return Ok(Turned { heard, sent, got });
            }
            Reply::Word(word) => bail!("a reserve was answered `{word}`"),
        };
        let text = std::str::from_utf8(&bytes[head..head + body]).context("an odd body")?;
        let number = self.book.lock().delivered(text, asked);
        let delete = format!("delete {id}\r\n");
        got += word(connection, delete.as_bytes(), "DELETED").await?;
        sent += delete.len() as u64;
        if let Some(number) = number {
            self.book.lock().settled(number, false);
        }
        let heard = Heard::Items(1);
        Ok(Turned { heard, sent, got })
    }
}

impl Reply {
    fn shown(&self) -> &str {
        match self {
            Self::Word(word) => word,
            Self::Reserved { .. } => "RESERVED",
        }
    }
}

/// Says a line and expects another; answers how many bytes came.
async fn word(connection: &mut Connection, said: &[u8], expected: &str) -> Result<u64> {
    let (reply, bytes) = connection.exchange_as(said, frame).await?;
    ensure!(
        reply.shown() == expected,
        "beanstalkd answered `{}` and not `{expected}`",
        reply.shown()
    );
    Ok(bytes.len() as u64)
}

fn frame(bytes: &[u8]) -> Result<Option<(Reply, usize)>> {
    let Some((first, head)) = line(bytes) else {
        return Ok(None);
    };
    let Some(reserved) = first.strip_prefix("RESERVED ") else {
        return Ok(Some((Reply::Word(first.to_owned()), head)));
    };
    let numbers = reserved
        .split_once(' ')
        .and_then(|(id, body)| Some((id.parse().ok()?, body.parse().ok()?)));
    let (id, body): (u64, usize) = numbers.context("a reservation without its numbers")?;
    Ok(Some((Reply::Reserved { id, head, body }, head + body + 2)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_says_how_long_it_is() {
        assert!(frame(b"RESERVED 7 3").expect("so far").is_none());
        let (reply, length) = frame(b"RESERVED 7 3\r\nab")
            .expect("so far")
            .expect("a head");
        assert!(matches!(
            reply,
            Reply::Reserved {
                id: 7,
                head: 14,
                body: 3
            }
        ));
        assert_eq!(length, 19);
        let (reply, length) = frame(b"INSERTED 5\r\n").expect("whole").expect("a line");
        assert_eq!((reply.shown(), length), ("INSERTED 5", 12));
        assert!(frame(b"RESERVED x 3\r\n").is_err());
    }
}
