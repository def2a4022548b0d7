//! NDJSON of an enqueue: one object a line becomes an item and its options.
//!
//! A body is borrowed from the request wherever its JSON text is the body itself; only escapes and
//! base64 make a copy. What this file does not know: what the queue makes of an option.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use queue_api::Trace;
use queue_api::limits::MAX_ENQUEUE_ITEMS;
use queue_core::Options;
use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::items::too_many;
use super::options::Given;
use crate::engine::Entry;
use crate::http::error::ApiError;

/// Items after which other calls have a turn: a millisecond or two.
const SLICE: usize = 10_000;

/// The items of a request.
#[derive(Debug, Default)]
pub(super) struct Items<'a> {
    items: Vec<Item<'a>>,
    /// Options that differ from the default ones of the request.
    options: Vec<Options>,
    groups: Groups,
    traces: Traces,
}

#[derive(Debug)]
struct Item<'a> {
    body: Cow<'a, [u8]>,
    /// Which of the options are its own.
    own: Option<u32>,
}

/// A line as it is sent.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line<'a> {
    #[serde(borrow, default)]
    body: Option<&'a RawValue>,
    #[serde(borrow, default)]
    body_base64: Option<Text<'a>>,
    #[serde(default)]
    delay_ms: Option<u64>,
    #[serde(default)]
    priority: Option<i16>,
    #[serde(borrow, default)]
    key: Option<Text<'a>>,
    #[serde(borrow, default)]
    group: Option<Text<'a>>,
    #[serde(default)]
    ttl_ms: Option<u64>,
    #[serde(borrow, default)]
    traceparent: Option<Text<'a>>,
    #[serde(borrow, default)]
    tracestate: Option<Text<'a>>,
}

/// Reads the items of a request, or says which line is wrong. Blank lines are skipped.
pub(super) async fn read<'a>(bytes: &'a [u8], defaults: &Given) -> Result<Items<'a>, ApiError> {
    let text = std::str::from_utf8(bytes).map_err(|broken| {
        let number = newlines(&bytes[..broken.valid_up_to()]) + 1;
        ApiError::bad_request(format!("line {number} is not UTF-8"))
    })?;
    let mut items = Items::default();
    for (at, line) in text.split('\n').enumerate() {
        let line = line.trim_matches([' ', '\t', '\r']);
        if line.is_empty() {
            continue;
        }
        if items.items.len() == MAX_ENQUEUE_ITEMS {
            return Err(too_many());
        }
        items.add(at + 1, line, defaults)?;
        if items.items.len().is_multiple_of(SLICE) {
            tokio::task::yield_now().await;
        }
    }
    Ok(items)
}

impl<'a> Items<'a> {
    /// The items as a queue takes them.
    pub(super) fn entries<'e>(&'e self, defaults: Option<&'e Options>) -> Vec<Entry<'e>> {
        let entry = |item: &'e Item<'_>| Entry {
            body: &item.body,
            options: item
                .own
                .map_or(defaults, |own| Some(&self.options[own as usize])),
        };
        self.items.iter().map(entry).collect()
    }

    fn add(&mut self, number: usize, text: &'a str, defaults: &Given) -> Result<(), ApiError> {
        let wrong = |why: &dyn fmt::Display| ApiError::bad_request(format!("line {number}: {why}"));
        // serde reads an array as an object by position.
        if !text.starts_with('{') {
            return Err(wrong(
                &"give an object with `body` or `body_base64`, and options",
            ));
        }
        let line: Line<'_> = serde_json::from_str(text).map_err(|error| misread(number, &error))?;
        let body = match (line.body, line.body_base64) {
            (Some(json), None) => {
                body_of(json).map_err(|error| wrong(&format_args!("`body`: {}", said(&error))))?
            }
            (None, Some(Text(encoded))) => {
                let bytes = BASE64_STANDARD.decode(encoded.as_bytes());
                bytes
                    .map(Cow::Owned)
                    .map_err(|error| wrong(&format_args!("body_base64 is not base64: {error}")))?
            }
            _ => return Err(wrong(&"give exactly one of `body` and `body_base64`")),
        };
        let given = Given {
            delay: line.delay_ms.map(Duration::from_millis),
            priority: line.priority,
            key: line.key.map(|Text(key)| key.into()),
            group: line.group.map(|Text(group)| self.groups.shared(&group)),
            ttl: line.ttl_ms.map(Duration::from_millis),
            trace: line.traceparent.and_then(|Text(parent)| {
                let state = line.tracestate.as_ref().map(|Text(state)| &**state);
                self.traces.shared(Trace::new(&parent, state)?)
            }),
        };
        let own = match given.is_none() {
            true => None,
            false => {
                given.check().map_err(|error| wrong(&error))?;
                self.options.push(given.or(defaults));
                Some((self.options.len() - 1) as u32)
            }
        };
        self.items.push(Item { body, own });
        Ok(())
    }
}

/// A string as its text, any other value as its JSON.
fn body_of(json: &RawValue) -> serde_json::Result<Cow<'_, [u8]>> {
    let json = json.get();
    match json
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
    {
        Some(plain) if !plain.contains('\\') => Ok(Cow::Borrowed(plain.as_bytes())),
        Some(_) => serde_json::from_str(json).map(|text: String| Cow::Owned(text.into_bytes())),
        None => Ok(Cow::Borrowed(json.as_bytes())),
    }
}

/// What serde says, about a line of the request instead of the only one that it saw.
fn misread(number: usize, error: &serde_json::Error) -> ApiError {
    let (column, said) = (error.column(), said(error));
    ApiError::bad_request(format!("line {number}, column {column}: {said}"))
}

/// What serde says, without the place.
fn said(error: &serde_json::Error) -> String {
    let place = format!(" at line {} column {}", error.line(), error.column());
    let mut said = error.to_string();
    if said.ends_with(&place) {
        said.truncate(said.len() - place.len());
    }
    said
}

fn newlines(bytes: &[u8]) -> usize {
    bytes.iter().filter(|byte| **byte == b'\n').count()
}

/// A string that is borrowed where it has no escapes.
#[derive(Debug)]
struct Text<'a>(Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;

        impl<'de> Visitor<'de> for Reader {
            type Value = Text<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Borrowed(text)))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }

        deserializer.deserialize_str(Reader)
    }
}

/// Names of groups, each kept once: a request often names few, and many times.
#[derive(Debug, Default)]
struct Groups {
    last: Option<Arc<str>>,
    all: HashSet<Arc<str>>,
}

impl Groups {
    fn shared(&mut self, name: &str) -> Arc<str> {
        if let Some(last) = self.last.as_ref().filter(|last| ***last == *name) {
            return Arc::clone(last);
        }
        let shared = self
            .all
            .get(name)
            .map_or_else(|| Arc::from(name), Arc::clone);
        self.all.insert(Arc::clone(&shared));
        self.last = Some(Arc::clone(&shared));
        shared
    }
}

/// The trace of the line before: those of one trace often follow each other.
#[derive(Debug, Default)]
struct Traces {
    last: Option<Arc<str>>,
}

impl Traces {
    fn shared(&mut self, trace: Trace) -> Option<Arc<str>> {
        if self.last.as_deref() != Some(&**trace.text()) {
            self.last = Some(Arc::clone(trace.text()));
        }
        self.last.clone()
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;
    use queue_api::Code;

    use super::*;

    /// Reads a request that is so short that it takes one turn.
    fn read<'a>(bytes: &'a [u8], defaults: &Given) -> Result<Items<'a>, ApiError> {
        super::read(bytes, defaults)
            .now_or_never()
            .expect("one turn is enough")
    }

    fn bodies(text: &str) -> Vec<String> {
        let items = read(text.as_bytes(), &Given::default()).expect("items");
        let entries = items.entries(None);
        let body = |entry: &Entry<'_>| String::from_utf8_lossy(entry.body).into_owned();
        entries.iter().map(body).collect()
    }

    fn refused(text: impl AsRef<[u8]>) -> String {
        let refused = read(text.as_ref(), &Given::default()).expect_err("no items");
        assert_eq!(refused.code(), Code::BadRequest);
        refused.detail().to_owned()
    }

    #[test]
    fn a_string_is_its_text_and_any_other_value_its_json() {
        let text = concat!(
            "{\"body\":\"plain\"}\n",
            "{\"body\":\"\"}\r\n",
            "  { \"body\" : \"a\\n\\u00e9\\ud83d\\ude00\\\\\" }\n",
            "\n \t\r\n",
            "{\"body\":{\"b\": 1.50, \"a\":[null]}}\n",
            "{\"body\":-0}\n",
            "{\"body\":false}\n",
            "{\"body\":null,\"body_base64\":\"aGk=\"}",
        );
        let expected = [
            "plain",
            "",
            "a\né😀\\",
            "{\"b\": 1.50, \"a\":[null]}",
            "-0",
            "false",
            "hi",
        ];
        assert_eq!(bodies(text), expected);
        assert_eq!(bodies(""), [""; 0]);
    }

    #[test]
    fn a_plain_body_is_not_copied() {
        let text = r#"{"body":"plain"}"#;
        let items = read(text.as_bytes(), &Given::default()).expect("items");
        assert!(matches!(items.items[0].body, Cow::Borrowed(_)));
    }

    #[test]
    fn an_error_names_the_line_and_what_is_wrong_with_it() {
        for (text, line, wrong) in [
            ("{\"body\":\"a\"}\n\n[1]", "line 3:", "an object"),
            ("\"a\"", "line 1:", "an object"),
            ("{\"body\":\"a\"}\n{\"boby\":1}", "line 2, column", "boby"),
            ("{\"body\":1}\n{\"body\":", "line 2, column 8:", "EOF"),
            (
                "{\"body\":1} {\"body\":2}",
                "line 1, column 12:",
                "trailing",
            ),
            ("{}", "line 1:", "exactly one"),
            ("{\"body\":null}", "line 1:", "exactly one"),
            ("{\"body\":1,\"body\":2}", "line 1, column", "duplicate"),
            (
                "{\"body\":1,\"body_base64\":\"\"}",
                "line 1:",
                "exactly one",
            ),
            ("{\"body_base64\":\"a\"}", "line 1:", "base64"),
            ("{\"body_base64\":1}", "line 1, column", "a string"),
            ("{\"body\":\"\\ud800\"}", "line 1: `body`:", "hex escape"),
            ("{\"body\":\"a\tb\"}", "line 1, column", "control character"),
            ("{\"body\":1,\"priority\":32768}", "line 1, column", "32768"),
            ("{\"body\":1,\"priority\":1.5}", "line 1, column", "1.5"),
            ("{\"body\":1,\"ttl_ms\":0}", "line 1:", "ttl_ms"),
            ("{\"body\":1,\"delay_ms\":-1}", "line 1, column", "-1"),
            ("{\"body\":1,\"key\":\"\"}", "line 1:", "key"),
            ("{\"body\":1,\"group\":\"\\u0000\"}", "line 1:", "group"),
        ] {
            let refused = refused(text);
            assert!(refused.starts_with(line), "{text}: {refused}");
            assert!(refused.contains(wrong), "{text}: {refused}");
        }
        let refused = refused(b"{\"body\":\"a\"}\n{\"body\":\"\xff\"}\n");
        assert_eq!(refused, "line 2 is not UTF-8");
    }

    #[test]
    fn a_line_says_otherwise_than_the_request() {
        let defaults = Given {
            delay: Some(Duration::from_secs(9)),
            priority: Some(7),
            ..Given::default()
        };
        let text = concat!(
            "{\"body\":1}\n",
            "{\"body\":2,\"priority\":-1,\"key\":\"k\\u0031\"}\n",
            "{\"body\":3,\"group\":\"g\",\"ttl_ms\":5,\"priority\":null}\n",
            "{\"body\":4,\"group\":\"g\",\"delay_ms\":0}\n",
        );
        let items = read(text.as_bytes(), &defaults).expect("items");
        let shared = defaults.options();
        let entries = items.entries(shared.as_ref());
        let options: Vec<&Options> = entries.iter().filter_map(|entry| entry.options).collect();
        let delay = Duration::from_secs(9);
        let own = |priority| Options {
            priority,
            delay,
            ..Options::default()
        };
        let second = Options {
            key: Some("k1".into()),
            ..own(-1)
        };
        let third = Options {
            group: Some("g".into()),
            ttl: Some(Duration::from_millis(5)),
            ..own(7)
        };
        let fourth = Options {
            group: Some("g".into()),
            delay: Duration::ZERO,
            ..own(7)
        };
        assert_eq!(options, [&own(7), &second, &third, &fourth]);
        let group = |at: usize| options[at].group.as_ref().expect("a group");
        assert!(Arc::ptr_eq(group(2), group(3)), "a name is kept once");
    }

    #[tokio::test]
    async fn one_item_past_the_limit_is_too_many() {
        let most = "{\"body\":1}\n".repeat(MAX_ENQUEUE_ITEMS);
        let read = super::read;
        assert!(read(most.as_bytes(), &Given::default()).await.is_ok());
        let more = most + "{\"body\":1}";
        let refused = read(more.as_bytes(), &Given::default()).await;
        let refused = refused.expect_err("too many");
        assert_eq!(refused.code(), Code::BodyTooLarge);
    }
}
