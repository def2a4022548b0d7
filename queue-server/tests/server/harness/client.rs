//! A client of one connection a call: no pool, no retries, nothing between a test and the wire.

use std::net::SocketAddr;
use std::pin::Pin;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{Answer, within};

/// What may stand as a body: text, bytes, JSON, nothing.
pub(crate) trait IntoBody {
    fn into_body(self) -> Bytes;
}

impl IntoBody for () {
    fn into_body(self) -> Bytes {
        Bytes::new()
    }
}

impl IntoBody for &str {
    fn into_body(self) -> Bytes {
        Bytes::copy_from_slice(self.as_bytes())
    }
}

impl IntoBody for String {
    fn into_body(self) -> Bytes {
        self.into()
    }
}

impl IntoBody for Bytes {
    fn into_body(self) -> Bytes {
        self
    }
}

impl IntoBody for Vec<u8> {
    fn into_body(self) -> Bytes {
        self.into()
    }
}

impl IntoBody for Value {
    fn into_body(self) -> Bytes {
        self.to_string().into()
    }
}

/// Sends a request on a connection of its own and gives the answer's head.
pub(super) async fn open(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: Bytes,
) -> Response<Incoming> {
    let stream = TcpStream::connect(address).await.expect("a connection");
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
        .await
        .expect("HTTP/1.1");
    // Ends with the connection, which ends with the answer or with whoever awaits it.
    tokio::spawn(connection);
    let mut request = Request::builder()
        .method(method)
        .uri(path)
        .header("host", address.to_string());
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Full::new(body)).expect("a request");
    sender.send_request(request).await.expect("an answer")
}

/// Sends a request and reads the whole answer.
pub(crate) async fn call(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: Bytes,
) -> Answer {
    let shown: String = String::from_utf8_lossy(&body).chars().take(200).collect();
    let request = format!("{method} {path} {shown}");
    within(async {
        let (parts, body) = open(address, method, path, headers, body)
            .await
            .into_parts();
        Answer {
            request,
            status: parts.status.as_u16(),
            headers: parts.headers,
            body: body.collect().await.expect("a whole body").to_bytes(),
        }
    })
    .await
}

/// A body that comes line by line.
pub(crate) struct Lines {
    body: Pin<Box<Incoming>>,
    read: Vec<u8>,
}

impl Lines {
    pub(super) fn new(body: Incoming) -> Self {
        Self {
            body: Box::pin(body),
            read: Vec::new(),
        }
    }

    /// The next line as JSON, or none at the end.
    pub(crate) async fn next(&mut self) -> Option<Value> {
        loop {
            if let Some(end) = self.read.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.read.drain(..=end).collect();
                return Some(serde_json::from_slice(&line).expect("a line of JSON"));
            }
            match within(self.body.frame()).await {
                Some(frame) => {
                    let frame = frame.expect("an orderly body");
                    self.read.extend_from_slice(frame.data_ref().expect("data"));
                }
                None => {
                    assert_eq!(self.read, b"", "the last line is not ended");
                    return None;
                }
            }
        }
    }
}

impl Lines {
    /// The rest is cut off: no further line, and no orderly end.
    pub(crate) async fn breaks_off(&mut self) {
        let frame = within(self.body.frame()).await;
        assert!(matches!(frame, Some(Err(_))), "{frame:?}");
    }
}

/// A bare connection, for what no client should send.
pub(crate) struct Wire(pub(crate) TcpStream);

impl Wire {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        Self(TcpStream::connect(address).await.expect("a connection"))
    }

    pub(crate) async fn send(&mut self, text: impl AsRef<[u8]>) {
        self.0
            .write_all(text.as_ref())
            .await
            .expect("the connection takes it");
    }

    /// Everything until this text has come.
    pub(crate) async fn read_until(&mut self, text: &str) -> String {
        let mut read = String::new();
        while !read.contains(text) {
            let mut bytes = [0; 1024];
            let count = within(self.0.read(&mut bytes))
                .await
                .expect("an open connection");
            assert!(count > 0, "closed after {read:?}");
            read.push_str(&String::from_utf8_lossy(&bytes[..count]));
        }
        read
    }

    /// What comes next, added to what came before.
    pub(crate) async fn read_some(&mut self, read: &mut Vec<u8>) {
        let count = within(self.0.read_buf(read)).await;
        assert!(count.expect("an open connection") > 0, "closed");
    }

    /// Everything until the server closes.
    pub(crate) async fn read_to_end(&mut self) -> String {
        let mut bytes = Vec::new();
        within(self.0.read_to_end(&mut bytes))
            .await
            .expect("an orderly close");
        String::from_utf8_lossy(&bytes).into_owned()
    }
}
