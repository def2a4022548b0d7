//! NATS's protocol, as much of it as one item's way through a work-queue stream takes: published and
//! acknowledged by the stream, fetched from a pull consumer, acknowledged and that confirmed.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};

use super::line;
use crate::ledger::{Bodies, Book};
use crate::side::{Heard, Turned};
use crate::target::Target;
use crate::wire::Connection;

/// One replica, a file store, every write synced before its acknowledgement.
pub(super) fn command(directory: &Path, address: SocketAddr) -> Result<Command> {
    let config = directory.join("nats.conf");
    let text = format!(
        "jetstream {{\n  store_dir: \"{}\"\n  sync_interval: always\n}}\nping_interval: \"1h\"\n",
        directory.display()
    );
    std::fs::write(&config, text).context("cannot write a configuration for nats-server")?;
    let mut command = Command::new("nats-server");
    command.args(["-a", &address.ip().to_string()]);
    command.args(["-p", &address.port().to_string()]);
    command.arg("-c").arg(&config);
    // Its log goes to the file, not between our lines.
    command.arg("-l").arg(directory.join("nats.log"));
    Ok(command)
}

/// Said at the start of each connection.
const CONNECT: &str =
    "CONNECT {\"verbose\":false,\"pedantic\":false,\"headers\":true,\"no_responders\":true}\r\n";
const PING: &[u8] = b"PING\r\n";

/// Makes the stream and its consumer.
pub(super) async fn prepare(target: &Target, queue: &str) -> Result<()> {
    let mut connection = Connection::open(target).await?;
    let inbox = format!("_INBOX.prepare-{queue}");
    greet(&mut connection, &inbox).await?;
    let stream = format!(
        "{{\"name\":\"{queue}\",\"subjects\":[\"{queue}\"],\"retention\":\"workqueue\",\
         \"storage\":\"file\",\"num_replicas\":1}}"
    );
    let consumer = format!(
        "{{\"stream_name\":\"{queue}\",\"config\":{{\"durable_name\":\"all\",\
         \"ack_policy\":\"explicit\",\"max_ack_pending\":100000}}}}"
    );
    for (subject, body) in [
        (format!("$JS.API.STREAM.CREATE.{queue}"), stream),
        (
            format!("$JS.API.CONSUMER.DURABLE.CREATE.{queue}.all"),
            consumer,
        ),
    ] {
        let said = publish(&subject, &inbox, &body);
        let (message, bytes) = connection.exchange_as(&said, frame).await?;
        let text = String::from_utf8_lossy(message.body(bytes));
        ensure!(!text.contains("\"error\""), "{subject} was answered {text}");
    }
    Ok(())
}

/// Introduces us and subscribes to the answers.
async fn greet(connection: &mut Connection, inbox: &str) -> Result<()> {
    // The server speaks first, at a length that only the line's end tells: the ping's answer ends it.
    let hello = format!("{CONNECT}SUB {inbox} 1\r\n");
    let mut hello = hello.into_bytes();
    hello.extend_from_slice(PING);
    connection
        .exchange_as(&hello, |bytes| {
            let end = bytes.windows(6).position(|six| six == b"PONG\r\n");
            Ok(end.map(|at| ((), at + 6)))
        })
        .await?;
    Ok(())
}

/// One connection.
#[derive(Debug)]
pub struct Talk {
    greeted: bool,
    inbox: String,
    /// The publication, with room for the number; empty where items are taken.
    put: Vec<u8>,
    at: usize,
    fetch: Vec<u8>,
    book: Book,
}

/// A message that came back: where its parts lie.
#[derive(Debug)]
struct Message {
    reply: Option<String>,
    /// A status that says why there is no item.
    status: bool,
    head: usize,
    length: usize,
}

impl Message {
    fn body<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        &bytes[self.head..self.head + self.length]
    }
}

impl Talk {
    pub(super) fn new(queue: &str, puts: bool, number: u64, book: Book) -> Self {
        let inbox = format!("_INBOX.{queue}-{puts}-{number}");
        let body = book.lock().bodies().first();
        let put = publish(queue, &inbox, &body);
        let next = format!("$JS.API.CONSUMER.MSG.NEXT.{queue}.all");
        let fetch = publish(&next, &inbox, "{\"batch\":1,\"no_wait\":true}");
        Self {
            greeted: false,
            inbox,
            at: put.len() - body.len() - 2,
            put: if puts { put } else { Vec::new() },
            fetch,
            book,
        }
    }

    pub(super) async fn turn(&mut self, connection: &mut Connection) -> Result<Turned> {
        if !self.greeted {
            greet(connection, &self.inbox).await?;
            self.greeted = true;
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
        let (message, bytes) = connection.exchange_as(&self.put, frame).await?;
        let got = bytes.len() as u64;
        let body = String::from_utf8_lossy(message.body(bytes));
        ensure!(
            body.contains("\"seq\"") && !body.contains("\"error\""),
            "a publication was answered {body}"
        );
        self.book.lock().accepted(number);
        Ok(Turned {
            heard: Heard::Items(1),
            sent: self.put.len() as u64,
            got,
        })
    }

    async fn take(&mut self, connection: &mut Connection) -> Result<Turned> {
        let asked = self.book.lock().tick();
        let (message, bytes) = connection.exchange_as(&self.fetch, frame).await?;
        let (mut sent, mut got) = (self.fetch.len() as u64, bytes.len() as u64);
        if message.status {
            let heard = Heard::Dry(0);
            return Ok(Turned { heard, sent, got });
        }
        let body = std::str::from_utf8(message.body(bytes)).context("an odd body")?;
        let number = self.book.lock().delivered(body, asked);
        let ack = message
            .reply
            .context("an item that cannot be acknowledged")?;
        let said = publish(&ack, &self.inbox, "+ACK");
        let (_, bytes) = connection.exchange_as(&said, frame).await?;
        sent += said.len() as u64;
        got += bytes.len() as u64;
        if let Some(number) = number {
            self.book.lock().settled(number, false);
        }
        let heard = Heard::Items(1);
        Ok(Turned { heard, sent, got })
    }
}

fn publish(subject: &str, inbox: &str, body: &str) -> Vec<u8> {
    format!("PUB {subject} {inbox} {}\r\n{body}\r\n", body.len()).into_bytes()
}

/// Reads `MSG subject sid [reply] bytes` or `HMSG subject sid [reply] head-bytes bytes`.
///
/// The server may ask at any time whether we are there: before an answer or behind it. We are, and it
/// waits for longer than any measurement lasts, so that it need not be told.
fn frame(bytes: &[u8]) -> Result<Option<(Message, usize)>> {
    let mut at = 0;
    while bytes[at..].starts_with(PING) {
        at += PING.len();
    }
    let Some((first, head)) = line(&bytes[at..]) else {
        return Ok(None);
    };
    let head = at + head;
    let words: Vec<&str> = first.split(' ').collect();
    let odd = || format!("nats answered `{first}`");
    let number = |word: &str| word.parse::<usize>().with_context(odd);
    let (reply, skipped, total, status) = match words[..] {
        ["MSG", _, _, total] => (None, 0, number(total)?, false),
        ["MSG", _, _, reply, total] => (Some(reply.to_owned()), 0, number(total)?, false),
        // We publish no headers, so that what has some is a status.
        ["HMSG", .., header, total] => (None, number(header)?, number(total)?, true),
        _ => bail!(odd()),
    };
    ensure!(skipped <= total, odd());
    let message = Message {
        reply,
        status,
        head: head + skipped,
        length: total - skipped,
    };
    let end = head + total + 2;
    let asked = bytes.get(end..).is_some_and(|rest| rest == PING);
    Ok(Some((message, if asked { bytes.len() } else { end })))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_says_how_long_it_is() {
        assert!(frame(b"MSG a 1 3").expect("so far").is_none());
        let bytes = b"MSG a 1 $JS.ACK.x 3\r\nabc\r\n";
        let (message, length) = frame(bytes).expect("whole").expect("a message");
        assert_eq!(message.reply.as_deref(), Some("$JS.ACK.x"));
        assert_eq!((message.body(bytes), length), (&b"abc"[..], bytes.len()));
        for asked in [
            &b"PING\r\nMSG a 1 3\r\nabc\r\n"[..],
            b"MSG a 1 3\r\nabc\r\nPING\r\n",
        ] {
            let (message, length) = frame(asked).expect("whole").expect("a message");
            assert_eq!((message.body(asked), length), (&b"abc"[..], asked.len()));
        }
        let none = b"HMSG a 1 8 8\r\nNATS/1.0\r\n";
        let (message, length) = frame(none).expect("whole").expect("a status");
        assert!(message.status && length == none.len());
        let error = frame(b"-ERR 'no'\r\n").expect_err("refused");
        assert!(error.to_string().contains("-ERR 'no'"), "{error}");
    }
}
