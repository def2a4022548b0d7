//! Items packed into requests: as lines where lines can carry them, else as lines of JSON; those that are too large to
//! share a request alone.
//!
//! The same items in the same order always make the same requests: on that rests that they can be sent again. The
//! numbers here and the way items are packed are part of that, so another memq that changes them cannot go on with a
//! load that this one began.

use std::borrow::Cow;

use bytes::Bytes;
use queue_api::{NewItem, Options};

use super::Item;

/// Bytes a request of lines is filled to: large enough that a request's own cost vanishes, small
/// enough that workers get their first items at once and a lost answer leaves little in doubt.
const FULL_BYTES: usize = 1024 * 1024;
/// Items a request of lines is filled to, for the same reason.
const FULL_ITEMS: u64 = 10_000;

/// What goes into one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// How many items came before it.
    pub first: u64,
    /// How many items it holds.
    pub items: u64,
    /// The number of the last item's line, where items are lines.
    pub last_line: u64,
    /// Whether any of its items has a unique key.
    pub keyed: bool,
    /// How the items are written.
    pub form: Form,
    /// What the request carries.
    pub body: Bytes,
}

/// How the items of a request are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Form {
    /// One a line, all with these options.
    Lines(Options),
    /// One as it is.
    Raw(Options),
    /// A JSON object a line.
    Ndjson,
}

/// Packs items in their order.
#[derive(Debug)]
pub struct Batcher {
    /// What all items are given; none where each is given something of its own.
    same: Option<Options>,
    /// Whether the request that is being filled is written as JSON.
    in_json: bool,
    text: Vec<u8>,
    items: u64,
    keyed: bool,
    sent: u64,
    last_line: u64,
}

impl Batcher {
    /// For items that are all given the same.
    #[must_use]
    pub fn of_lines(options: Options) -> Self {
        Self {
            same: Some(options),
            in_json: false,
            text: Vec::new(),
            items: 0,
            keyed: false,
            sent: 0,
            last_line: 0,
        }
    }

    /// For items that each may be given something else.
    #[must_use]
    pub fn of_ndjson() -> Self {
        Self {
            same: None,
            in_json: true,
            ..Self::of_lines(Options::default())
        }
    }

    /// Adds an item; gives what is ready to be sent.
    pub fn push(&mut self, item: &Item<'_>) -> impl Iterator<Item = Batch> + use<> {
        let body = item.body;
        if body.len() > FULL_BYTES {
            let before = self.flush();
            let own = self.alone(item);
            return before.into_iter().chain(Some(own));
        }
        // As a line it would become two items, lose its end, or vanish. What follows it goes as JSON with it, so that
        // such items among others do not make a request each.
        let no_line = body.is_empty() || body.contains(&b'\n') || body.ends_with(b"\r");
        let mut line = written(item, self.in_json || no_line);
        let mut before = None;
        if (no_line && !self.in_json) || self.is_full(line.len() + 1) {
            before = self.flush();
            self.in_json |= no_line;
            line = written(item, self.in_json);
        }
        self.text.extend_from_slice(&line);
        self.text.push(b'\n');
        self.items += 1;
        self.keyed |= item.options.key.is_some();
        self.last_line = item.line;
        before.into_iter().chain(None)
    }

    fn is_full(&self, more: usize) -> bool {
        self.text.len() + more > FULL_BYTES || self.items >= FULL_ITEMS
    }

    fn alone(&mut self, item: &Item<'_>) -> Batch {
        let options = item.options.clone();
        let first = self.sent;
        self.sent += 1;
        Batch {
            first,
            items: 1,
            last_line: item.line,
            keyed: options.key.is_some(),
            form: Form::Raw(options),
            body: Bytes::copy_from_slice(item.body),
        }
    }

    /// What is left.
    pub fn flush(&mut self) -> Option<Batch> {
        let items = std::mem::take(&mut self.items);
        let text = std::mem::take(&mut self.text);
        let keyed = std::mem::take(&mut self.keyed);
        let in_json = std::mem::replace(&mut self.in_json, self.same.is_none());
        let first = self.sent;
        self.sent += items;
        (items > 0).then(|| Batch {
            first,
            items,
            last_line: self.last_line,
            keyed,
            form: match &self.same {
                Some(options) if !in_json => Form::Lines(options.clone()),
                _ => Form::Ndjson,
            },
            body: text.into(),
        })
    }
}

/// An item as a line, without its end.
fn written<'a>(item: &Item<'a>, in_json: bool) -> Cow<'a, [u8]> {
    if !in_json {
        return item.body.into();
    }
    let line = NewItem {
        body: item.body.to_vec().into(),
        options: item.options.clone(),
    };
    serde_json::to_vec(&line)
        .expect("texts and numbers are JSON")
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pack(mut batcher: Batcher, items: &[(&[u8], Options)]) -> Vec<Batch> {
        let mut batches = Vec::new();
        for (line, (body, options)) in (1..).zip(items) {
            let options = options.clone();
            batches.extend(batcher.push(&Item {
                body,
                options,
                line,
            }));
        }
        batches.extend(batcher.flush());
        batches
    }

    fn plain(bodies: &[&'static [u8]]) -> Vec<Batch> {
        let items: Vec<_> = bodies
            .iter()
            .map(|body| (*body, Options::default()))
            .collect();
        pack(Batcher::of_lines(Options::default()), &items)
    }

    fn told(batches: &[Batch]) -> Vec<(u64, u64, u64, Vec<u8>)> {
        let told = |batch: &'_ Batch| -> (u64, u64, u64, Vec<u8>) {
            let Batch {
                first,
                items,
                last_line,
                body,
                ..
            } = batch;
            (*first, *items, *last_line, body.to_vec())
        };
        batches.iter().map(told).collect()
    }

    #[test]
    fn what_no_line_can_carry_goes_as_json_with_what_follows_it() {
        let batches = plain(&[b"a", b"b", b"c\nd", b"", b"e\r", b"f\rg", b"h"]);
        let json = [r#""c\nd""#, "\"\"", r#""e\r""#, r#""f\rg""#, r#""h""#]
            .map(|body| format!("{{\"body\":{body}}}\n"))
            .concat();
        let wanted = [(0, 2, 2, b"a\nb\n".to_vec()), (2, 5, 7, json.into_bytes())];
        assert_eq!(told(&batches), wanted);
        assert_eq!(batches[0].form, Form::Lines(Options::default()));
        assert_eq!(batches[1].form, Form::Ndjson);
        assert_eq!(plain(&[]), []);
    }

    #[test]
    fn items_that_no_line_can_carry_do_not_make_a_request_each() {
        let group = Options {
            group: Some("g".into()),
            ..Options::default()
        };
        let mut items = vec![(b"a".as_slice(), group.clone()); 20_001];
        for (number, item) in items.iter_mut().enumerate() {
            if number % 2 == 1 {
                item.0 = b"a\r";
            }
        }
        let batches = pack(Batcher::of_lines(group.clone()), &items);
        let sizes: Vec<_> = batches.iter().map(|batch| batch.items).collect();
        assert_eq!(sizes, [1, 10_000, 10_000]);
        assert!(
            batches[1]
                .body
                .starts_with(b"{\"body\":\"a\\r\",\"group\":\"g\"}\n")
        );
        assert_eq!(batches[2].form, Form::Ndjson);
    }

    #[test]
    fn items_that_differ_go_as_json_lines_whatever_their_bodies_are() {
        let key = |key: &str| Options {
            key: Some(key.into()),
            ..Options::default()
        };
        let large = vec![b'x'; FULL_BYTES + 1];
        let items: Vec<(&[u8], Options)> = vec![
            (b"a\nb", key("1")),
            (b"\xff", Options::default()),
            (&large, key("2")),
            (b"", Options::default()),
        ];
        let batches = pack(Batcher::of_ndjson(), &items);
        let lines = "{\"body\":\"a\\nb\",\"key\":\"1\"}\n{\"body_base64\":\"/w==\"}\n";
        assert_eq!(batches[0].body, lines.as_bytes());
        assert_eq!(batches[1].form, Form::Raw(key("2")));
        assert_eq!(batches[2].body, "{\"body\":\"\"}\n".as_bytes());
        let keyed: Vec<_> = batches.iter().map(|batch| batch.keyed).collect();
        assert_eq!(keyed, [true, true, false]);
    }

    #[test]
    fn a_request_is_full_by_bytes_or_by_items() {
        let body = vec![b'x'; FULL_BYTES / 2];
        let none = Options::default;
        let sizes = |items: &[(&[u8], Options)]| -> Vec<_> {
            let batches = pack(Batcher::of_lines(none()), items);
            batches.iter().map(|batch| batch.items).collect()
        };
        let halves: [(&[u8], Options); 3] = [(&body, none()), (&body, none()), (b"y", none())];
        assert_eq!(
            sizes(&halves),
            [1, 2],
            "two halves and their line ends are one byte too many"
        );
        let many = vec![(b"z".as_slice(), none()); 10_001];
        assert_eq!(sizes(&many), [10_000, 1]);
    }
}
