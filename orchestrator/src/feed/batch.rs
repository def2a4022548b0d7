//! Bodies packed into requests: many as lines where lines can carry them, else one by one.

use bytes::Bytes;

/// Bytes a request of lines is filled to: large enough that a request's own cost vanishes, small
/// enough that workers get their first items at once and a lost answer leaves little in doubt.
const FULL_BYTES: usize = 1024 * 1024;
/// Items a request of lines is filled to, for the same reason.
const FULL_ITEMS: u64 = 10_000;

/// What goes into one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Batch {
    /// Items as lines.
    Lines {
        /// The lines.
        lines: Bytes,
        /// How many.
        items: u64,
    },
    /// One item as it is.
    Raw(Bytes),
}

impl Batch {
    /// How many items it holds.
    #[must_use]
    pub fn items(&self) -> u64 {
        match self {
            Self::Lines { items, .. } => *items,
            Self::Raw(_) => 1,
        }
    }
}

/// Packs bodies in their order.
#[derive(Debug, Default)]
pub struct Batcher {
    lines: Vec<u8>,
    items: u64,
}

impl Batcher {
    /// Adds a body; gives what is ready to be sent.
    pub fn push(&mut self, body: &[u8]) -> impl Iterator<Item = Batch> + use<> {
        // As a line it would become two items, lose its end, or vanish.
        let raw = body.is_empty() || body.contains(&b'\n') || body.ends_with(b"\r");
        let over = self.lines.len() + body.len() + 1 > FULL_BYTES || self.items >= FULL_ITEMS;
        let before = if raw || over { self.flush() } else { None };
        let own = raw.then(|| Batch::Raw(Bytes::copy_from_slice(body)));
        if !raw {
            self.lines.extend_from_slice(body);
            self.lines.push(b'\n');
            self.items += 1;
        }
        before.into_iter().chain(own)
    }

    /// What is left.
    pub fn flush(&mut self) -> Option<Batch> {
        let items = std::mem::take(&mut self.items);
        let lines = std::mem::take(&mut self.lines);
        (items > 0).then(|| Batch::Lines {
            lines: lines.into(),
            items,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pack(bodies: &[&[u8]]) -> Vec<Batch> {
        let mut batcher = Batcher::default();
        let mut batches: Vec<_> = bodies.iter().flat_map(|body| batcher.push(body)).collect();
        batches.extend(batcher.flush());
        batches
    }

    fn lines(text: &'static str, items: u64) -> Batch {
        Batch::Lines {
            lines: Bytes::from_static(text.as_bytes()),
            items,
        }
    }

    #[test]
    fn what_no_line_can_carry_goes_alone_and_in_order() {
        let raw = |body: &'static [u8]| Batch::Raw(Bytes::from_static(body));
        assert_eq!(
            pack(&[b"a", b"b", b"c\nd", b"", b"e\r", b"f\rg", b"h"]),
            [
                lines("a\nb\n", 2),
                raw(b"c\nd"),
                raw(b""),
                raw(b"e\r"),
                lines("f\rg\nh\n", 2)
            ]
        );
        assert_eq!(pack(&[]), []);
    }

    #[test]
    fn a_request_is_full_by_bytes_or_by_items() {
        let body = vec![b'x'; FULL_BYTES / 2];
        let sizes: Vec<_> = pack(&[&body, &body, b"y"])
            .iter()
            .map(Batch::items)
            .collect();
        assert_eq!(
            sizes,
            [1, 2],
            "two halves and their line ends are one byte too many"
        );
        let many = vec![b"z".as_slice(); 10_001];
        let sizes: Vec<_> = pack(&many).iter().map(Batch::items).collect();
        assert_eq!(sizes, [10_000, 1]);
    }
}
