//! Items packed into requests: many as lines where lines can carry them, as JSON lines where each says something of
//! its own, else one by one.
//!
//! The same items in the same order always make the same requests: on that rests that they can be sent again.

use std::io::Write as _;

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
            ..Self::of_lines(Options::default())
        }
    }

    /// Adds an item; gives what is ready to be sent.
    pub fn push(&mut self, item: &Item<'_>) -> impl Iterator<Item = Batch> + use<> {
        let (before, own) = match &self.same {
            Some(options) => {
                let body = item.body;
                // As a line it would become two items, lose its end, or vanish.
                let raw = body.is_empty() || body.contains(&b'\n') || body.ends_with(b"\r");
                if raw {
                    let options = options.clone();
                    (self.flush(), Some(self.alone(item, options)))
                } else {
                    let over = self.is_full(body.len() + 1);
                    let before = over.then(|| self.flush()).flatten();
                    self.text.extend_from_slice(body);
                    (before, None)
                }
            }
            None if item.body.len() > FULL_BYTES => {
                (self.flush(), Some(self.alone(item, item.options.clone())))
            }
            None => {
                let line = NewItem {
                    body: item.body.to_vec().into(),
                    options: item.options.clone(),
                };
                let line = serde_json::to_vec(&line).expect("texts and numbers are JSON");
                let before = self.is_full(line.len() + 1).then(|| self.flush()).flatten();
                let _a_buffer_takes_all = self.text.write_all(&line);
                self.keyed |= item.options.key.is_some();
                (before, None)
            }
        };
        if own.is_none() {
            self.text.push(b'\n');
            self.items += 1;
            self.last_line = item.line;
        }
        before.into_iter().chain(own)
    }

    fn is_full(&self, more: usize) -> bool {
        self.text.len() + more > FULL_BYTES || self.items >= FULL_ITEMS
    }

    fn alone(&mut self, item: &Item<'_>, options: Options) -> Batch {
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
        let first = self.sent;
        self.sent += items;
        (items > 0).then(|| Batch {
            first,
            items,
            last_line: self.last_line,
            keyed,
            form: match &self.same {
                Some(options) => Form::Lines(options.clone()),
                None => Form::Ndjson,
            },
            body: text.into(),
        })
    }
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
    fn what_no_line_can_carry_goes_alone_and_in_order() {
        let batches = plain(&[b"a", b"b", b"c\nd", b"", b"e\r", b"f\rg", b"h"]);
        let wanted = [
            (0, 2, 2, b"a\nb\n".to_vec()),
            (2, 1, 3, b"c\nd".to_vec()),
            (3, 1, 4, b"".to_vec()),
            (4, 1, 5, b"e\r".to_vec()),
            (5, 2, 7, b"f\rg\nh\n".to_vec()),
        ];
        assert_eq!(told(&batches), wanted);
        assert!(
            matches!(batches[0].form, Form::Lines(_)) && matches!(batches[1].form, Form::Raw(_))
        );
        assert_eq!(plain(&[]), []);
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
