//! Redis's protocol, as much of it as one item's way through a list takes: pushed, moved to a list of
//! its worker's so that a crash does not lose it, and removed from there.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use super::line;
use crate::ledger::{Bodies, Book};
use crate::side::{Heard, Turned};
use crate::wire::Connection;

/// Every write is synced before its answer; no snapshots beside it.
pub(super) fn command(directory: &Path, address: SocketAddr) -> Command {
    let mut command = Command::new("redis-server");
    command.args(["--bind", &address.ip().to_string()]);
    command.args(["--port", &address.port().to_string()]);
    command.arg("--dir").arg(directory);
    command.args(["--appendonly", "yes", "--appendfsync", "always"]);
    command.args(["--save", "", "--loglevel", "warning"]);
    command
}

/// One connection.
#[derive(Debug)]
pub struct Talk {
    queue: String,
    /// Where what this connection took waits until it is done.
    held: String,
    /// The push, with room for the number; empty where items are taken.
    push: Vec<u8>,
    at: usize,
    book: Book,
}

/// What came back.
enum Reply {
    Number(i64),
    Bulk { head: usize, body: usize },
    Nothing,
}

impl Talk {
    pub(super) fn new(queue: &str, puts: bool, number: u64, book: Book) -> Self {
        let body = book.lock().bodies().first();
        let push = call(&["LPUSH", queue, &body]);
        Self {
            queue: queue.into(),
            held: format!("{queue}-held-{number}"),
            at: push.len() - body.len() - 2,
            push: if puts { push } else { Vec::new() },
            book,
        }
    }

    pub(super) async fn turn(&mut self, connection: &mut Connection) -> Result<Turned> {
        if self.push.is_empty() {
            self.take(connection).await
        } else {
            self.put(connection).await
        }
    }

    async fn put(&mut self, connection: &mut Connection) -> Result<Turned> {
        let number = self.book.lock().send();
        Bodies::renumber(&mut self.push[self.at..], number);
        let (reply, bytes) = connection.exchange_as(&self.push, frame).await?;
        let got = bytes.len() as u64;
        let Reply::Number(1..) = reply else {
            bail!("a push was not answered with the list's length");
        };
        self.book.lock().accepted(number);
        Ok(Turned {
            heard: Heard::Items(1),
            sent: self.push.len() as u64,
            got,
        })
    }

    async fn take(&mut self, connection: &mut Connection) -> Result<Turned> {
        let asked = self.book.lock().tick();
        let said = call(&["LMOVE", &self.queue, &self.held, "RIGHT", "LEFT"]);
        let (reply, bytes) = connection.exchange_as(&said, frame).await?;
        let (mut sent, mut got) = (said.len() as u64, bytes.len() as u64);
        let text = match reply {
            Reply::Bulk { head, body } => std::str::from_utf8(&bytes[head..head + body]),
            Reply::Nothing => {
                let heard = Heard::Dry(0);
                return Ok(Turned { heard, sent, got });
            }
            Reply::Number(_) => bail!("a move was answered with a number"),
        };
        let text = text.context("an odd body")?;
        let number = self.book.lock().delivered(text, asked);
        let said = call(&["LREM", &self.held, "1", text]);
        let (reply, bytes) = connection.exchange_as(&said, frame).await?;
        let Reply::Number(1) = reply else {
            bail!("an item that was taken could not be removed");
        };
        sent += said.len() as u64;
        got += bytes.len() as u64;
        if let Some(number) = number {
            self.book.lock().settled(number, false);
        }
        let heard = Heard::Items(1);
        Ok(Turned { heard, sent, got })
    }
}

/// A command as Redis reads it.
fn call(words: &[&str]) -> Vec<u8> {
    let mut text = format!("*{}\r\n", words.len());
    for word in words {
        text += &format!("${}\r\n{word}\r\n", word.len());
    }
    text.into_bytes()
}

fn frame(bytes: &[u8]) -> Result<Option<(Reply, usize)>> {
    let Some((first, head)) = line(bytes) else {
        return Ok(None);
    };
    let (kind, rest) = first.split_at_checked(1).context("an empty answer")?;
    let number = || rest.parse().context("an answer without its number");
    Ok(Some(match kind {
        ":" => (Reply::Number(number()?), head),
        "$" if rest == "-1" => (Reply::Nothing, head),
        "$" => {
            let body = usize::try_from(number()?).context("an answer of negative length")?;
            (Reply::Bulk { head, body }, head + body + 2)
        }
        "_" => (Reply::Nothing, head),
        _ => bail!("redis answered `{first}`"),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_says_how_long_each_word_is() {
        assert_eq!(
            String::from_utf8_lossy(&call(&["LPUSH", "q", "ab"])),
            "*3\r\n$5\r\nLPUSH\r\n$1\r\nq\r\n$2\r\nab\r\n"
        );
    }

    #[test]
    fn an_answer_says_how_long_it_is() {
        assert!(frame(b"$3\r").expect("so far").is_none());
        let (reply, length) = frame(b"$3\r\na").expect("so far").expect("a head");
        assert!(matches!(reply, Reply::Bulk { head: 4, body: 3 }));
        assert_eq!(length, 9);
        assert!(matches!(frame(b"$-1\r\n"), Ok(Some((Reply::Nothing, 5)))));
        assert!(matches!(
            frame(b":12\r\n"),
            Ok(Some((Reply::Number(12), 5)))
        ));
        let error = frame(b"-ERR no\r\n").err().expect("refused");
        assert!(error.to_string().contains("-ERR no"), "{error}");
    }
}
