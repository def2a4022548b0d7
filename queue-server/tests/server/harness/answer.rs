//! An answer, and what a test says about it.

use hyper::HeaderMap;
use hyper::body::Bytes;
use serde_json::Value;

/// A whole answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) request: String,
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    /// Asserts the status; on failure the whole answer is shown.
    #[track_caller]
    pub(crate) fn is(self, status: u16) -> Self {
        assert_eq!(
            self.status,
            status,
            "{} was answered {}",
            self.request,
            self.text()
        );
        self
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        assert_eq!(
            self.header("content-type"),
            "application/json",
            "{}",
            self.request
        );
        self.parse()
    }

    #[track_caller]
    pub(crate) fn parse(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|e| panic!("{}: {e}: {}", self.request, self.text()))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    #[track_caller]
    pub(crate) fn header(&self, name: &str) -> &str {
        let value = self
            .headers
            .get(name)
            .unwrap_or_else(|| panic!("no {name} in {self:?}"));
        value.to_str().expect("a header of text")
    }

    /// Asserts a problem of RFC 9457 with this status and code, whole in every part, and gives its
    /// detail.
    #[track_caller]
    pub(crate) fn problem(&self, status: u16, code: &str) -> String {
        let shown = format!(
            "{} was answered {} {}",
            self.request,
            self.status,
            self.text()
        );
        assert_eq!(self.status, status, "{shown}");
        assert_eq!(
            self.header("content-type"),
            "application/problem+json",
            "{shown}"
        );
        let problem = self.parse();
        assert_eq!(problem["code"], code, "{shown}");
        assert_eq!(problem["status"], status, "{shown}");
        for text in ["type", "title", "detail"] {
            assert!(
                !problem[text].as_str().unwrap_or_default().is_empty(),
                "{text}: {shown}"
            );
        }
        let transient = matches!(status, 429 | 503 | 507);
        assert_eq!(
            self.headers.contains_key("retry-after"),
            transient || status == 408,
            "{shown}"
        );
        problem["detail"].as_str().expect("text").to_owned()
    }
}
