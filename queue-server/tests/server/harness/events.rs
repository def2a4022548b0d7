//! A stream of server-sent events, as a browser reads it.

use std::pin::Pin;

use http_body_util::BodyExt;
use hyper::HeaderMap;
use hyper::body::{Bytes, Incoming};
use serde_json::Value;

use super::{Api, client, within};

/// What a client of events has read.
pub(crate) struct Events {
    headers: HeaderMap,
    body: Pin<Box<Incoming>>,
    read: Vec<u8>,
}

impl Events {
    /// Opens a stream, or fails the test.
    pub(crate) async fn open(api: &Api, query: &str) -> Self {
        Self::try_open(api, query).await.expect("a stream")
    }

    /// Opens a stream, unless it is refused.
    pub(crate) async fn try_open(api: &Api, query: &str) -> Option<Self> {
        let path = format!("/v1/events{query}");
        let open = client::open(api.address(), "GET", &path, &[], Bytes::new());
        let response = within(open).await;
        if response.status() != 200 {
            return None;
        }
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Some(Self {
            headers: response.headers().clone(),
            body: Box::pin(response.into_body()),
            read: Vec::new(),
        })
    }

    /// What stood on the answer under this name.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().expect("a header of text")
    }

    /// The next event: its name and its data. Comments are passed over.
    pub(crate) async fn next(&mut self) -> (String, Value) {
        loop {
            if let Some(end) = self.read.windows(2).position(|bytes| bytes == b"\n\n") {
                let block: Vec<u8> = self.read.drain(..end + 2).collect();
                let block = String::from_utf8(block).expect("text");
                if block.starts_with(':') {
                    continue;
                }
                let mut lines = block.lines();
                let mut field = |name: &str| {
                    let line = lines.next().unwrap_or_default();
                    let value = line.strip_prefix(name).unwrap_or_else(|| panic!("{block}"));
                    value.to_owned()
                };
                let (name, data) = (field("event: "), field("data: "));
                return (name, serde_json::from_str(&data).expect("JSON"));
            }
            let frame = within(self.body.frame()).await.expect("no end yet");
            let frame = frame.expect("an orderly body");
            self.read.extend_from_slice(frame.data_ref().expect("data"));
        }
    }

    /// Nothing more comes, and the end is an orderly one.
    pub(crate) async fn ends(&mut self) {
        while let Some(frame) = within(self.body.frame()).await {
            frame.expect("an orderly end");
        }
    }
}
