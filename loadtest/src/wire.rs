//! As much of HTTP/1.1 as a measurement needs: one request at a time on a connection that stays
//! open, one write and mostly one read each.
//!
//! A full client costs about as much a request as the server under test, and would measure itself.

use anyhow::{Context as _, Result, bail, ensure};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::target::Target;

/// Largest answer in bytes: a thousand leased items of the largest size asked for would be more
/// than any measurement means.
const MOST_BYTES: usize = 64 * 1024 * 1024;
/// Most headers of an answer.
const MOST_HEADERS: usize = 32;
/// Room for an answer at first, in bytes: ten thousand waiting connections hold one each.
const FIRST_ROOM: usize = 1024;

/// An open connection.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    authority: String,
    incoming: Vec<u8>,
}

/// What came back.
#[derive(Debug, PartialEq, Eq)]
pub struct Answer<'a> {
    /// The HTTP status.
    pub status: u16,
    /// The body, whole.
    pub body: &'a [u8],
}

impl Connection {
    /// Connects.
    ///
    /// # Errors
    ///
    /// Nobody listens there.
    pub async fn open(target: &Target) -> Result<Self> {
        let stream = TcpStream::connect(target.address())
            .await
            .with_context(|| format!("cannot connect to {}", target.url()))?;
        stream.set_nodelay(true).context("cannot set TCP_NODELAY")?;
        let incoming = Vec::with_capacity(FIRST_ROOM);
        Ok(Self {
            stream,
            authority: target.authority().into(),
            incoming,
        })
    }

    /// Sends a request made by [`request`] and reads its answer.
    ///
    /// # Errors
    ///
    /// The connection broke, or what came back is not an answer that keeps it open.
    pub async fn exchange(&mut self, request: &[u8]) -> Result<Answer<'_>> {
        let (head, bytes) = self.exchange_as(request, Head::parse).await?;
        Ok(Answer {
            status: head.status,
            body: &bytes[head.length..],
        })
    }

    /// Sends a request of any protocol and reads its answer, whole. `frame` looks at the first bytes
    /// of the answer and says what it is and how long, or `None` while that cannot be told.
    ///
    /// # Errors
    ///
    /// The connection broke, `frame` refused the bytes, or more came than the answer.
    pub async fn exchange_as<T>(
        &mut self,
        request: &[u8],
        frame: impl Fn(&[u8]) -> Result<Option<(T, usize)>>,
    ) -> Result<(T, &[u8])> {
        let what = |doing: &str| format!("{doing} {}", self.authority);
        self.incoming.clear();
        self.stream
            .write_all(request)
            .await
            .with_context(|| what("cannot send to"))?;
        let (answer, end) = loop {
            if let Some(framed) = frame(&self.incoming).with_context(|| what("odd answer of"))? {
                break framed;
            }
            let read = self.stream.read_buf(&mut self.incoming).await;
            let read = read.with_context(|| what("cannot read from"))?;
            ensure!(read > 0, what("connection closed by"));
        };
        self.incoming
            .reserve(end.saturating_sub(self.incoming.len()));
        while self.incoming.len() < end {
            let read = self.stream.read_buf(&mut self.incoming).await;
            ensure!(
                read.with_context(|| what("cannot read from"))? > 0,
                what("connection closed in the middle of an answer by")
            );
        }
        ensure!(
            self.incoming.len() == end,
            what("more than one answer from")
        );
        Ok((answer, &self.incoming))
    }

    /// Sends what has no answer.
    ///
    /// # Errors
    ///
    /// The connection broke.
    pub async fn tell(&mut self, bytes: &[u8]) -> Result<()> {
        let told = self.stream.write_all(bytes).await;
        told.with_context(|| format!("cannot send to {}", self.authority))
    }
}

/// Writes a request over whatever `into` held.
pub fn request(into: &mut Vec<u8>, method: &str, target: &Target, path: &str, body: &[u8]) {
    let (authority, length) = (target.authority(), body.len());
    into.clear();
    for part in [
        method,
        " ",
        path,
        " HTTP/1.1\r\nhost: ",
        authority,
        "\r\ncontent-length: ",
    ] {
        into.extend_from_slice(part.as_bytes());
    }
    into.extend_from_slice(length.to_string().as_bytes());
    if let Some(shown) = target.authorization() {
        into.extend_from_slice(b"\r\nauthorization: ");
        into.extend_from_slice(shown.as_bytes());
    }
    into.extend_from_slice(b"\r\n\r\n");
    into.extend_from_slice(body);
}

struct Head {
    status: u16,
    /// Bytes of the head itself.
    length: usize,
}

impl Head {
    /// The head, and the bytes of head and body together.
    fn parse(bytes: &[u8]) -> Result<Option<(Self, usize)>> {
        let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
        let mut response = httparse::Response::new(&mut headers);
        let httparse::Status::Complete(length) = response.parse(bytes).context("not HTTP/1.1")?
        else {
            return Ok(None);
        };
        let status = response.code.unwrap_or_default();
        let value = |name: &str| {
            let header = response
                .headers
                .iter()
                .find(|h| h.name.eq_ignore_ascii_case(name));
            header.map(|h| String::from_utf8_lossy(h.value))
        };
        if value("connection").is_some_and(|text| text.eq_ignore_ascii_case("close")) {
            bail!("status {status}, and it closes the connection, which would be measured too");
        }
        let body = match value("content-length") {
            Some(text) => text.parse().context("content-length is not a number")?,
            None if status == 204 => 0,
            None => bail!("status {status} without a content-length"),
        };
        ensure!(
            body <= MOST_BYTES,
            "status {status} with {body} bytes, over {MOST_BYTES}"
        );
        Ok(Some((Self { status, length }, length + body)))
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    /// What the client makes of these bytes, sent in pieces.
    async fn answer(pieces: &'static [&'static str]) -> Result<(u16, String)> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let target = Target::resolve(&format!("http://{}", listener.local_addr()?), false).await?;
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.expect("a client comes");
            let mut sink = [0; 1024];
            let _ = stream.read(&mut sink).await.expect("it asks");
            for piece in pieces {
                stream
                    .write_all(piece.as_bytes())
                    .await
                    .expect("it listens");
                tokio::task::yield_now().await;
            }
        });
        let mut bytes = Vec::new();
        request(&mut bytes, "POST", &target, "/a", b"b");
        let mut connection = Connection::open(&target).await?;
        let answer = connection.exchange(&bytes).await;
        let answer = answer.map(|a| (a.status, String::from_utf8_lossy(a.body).into_owned()));
        server.await?;
        answer
    }

    #[test]
    fn a_request_says_host_length_and_body() {
        let target = tokio::runtime::Builder::new_current_thread()
            .build()
            .expect("a runtime");
        let target = target
            .block_on(Target::resolve("http://127.0.0.1:9", false))
            .expect("local");
        let mut bytes = b"left over".to_vec();
        request(&mut bytes, "POST", &target, "/a", b"bc");
        assert_eq!(
            String::from_utf8_lossy(&bytes),
            "POST /a HTTP/1.1\r\nhost: 127.0.0.1:9\r\ncontent-length: 2\r\n\r\nbc"
        );
        let token = queue_client::Token::from_text("of-tests", "a test").expect("a token");
        let target = target.with_token(Some(&token));
        request(&mut bytes, "POST", &target, "/a", b"bc");
        assert_eq!(
            String::from_utf8_lossy(&bytes),
            "POST /a HTTP/1.1\r\nhost: 127.0.0.1:9\r\ncontent-length: 2\r\nauthorization: Bearer of-tests\r\n\r\nbc"
        );
        assert!(!format!("{target:?}").contains("of-tests"));
    }

    #[tokio::test]
    async fn an_answer_in_pieces_is_one_answer() {
        let pieces = &[
            "HTTP/1.1 20",
            "1 Created\r\nContent-Length: 5\r\n",
            "\r\nhe",
            "llo",
        ];
        assert_eq!(answer(pieces).await.expect("whole"), (201, "hello".into()));
        let none = &["HTTP/1.1 204 No Content\r\n\r\n"];
        assert_eq!(answer(none).await.expect("whole"), (204, String::new()));
    }

    #[tokio::test]
    async fn an_answer_that_cannot_be_measured_says_why() {
        for (pieces, why) in [
            (&["SSH-2.0-x\r\n"] as &[_], "not HTTP"),
            (&["HTTP/1.1 200 OK\r\n\r\n"], "without a content-length"),
            (
                &["HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n"],
                "closes the connection",
            ),
            (
                &["HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc"],
                "in the middle",
            ),
            (
                &["HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nabc"],
                "more than one answer",
            ),
            (
                &["HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n"],
                "over",
            ),
            (&[], "closed"),
        ] {
            let error = answer(pieces).await.expect_err(why);
            assert!(format!("{error:#}").contains(why), "{why}: {error:#}");
        }
    }
}
