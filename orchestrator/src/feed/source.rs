//! Where bodies come from: numbers, a list, the lines of a file.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read as _};
use std::path::PathBuf;

use crate::spec::Items;

/// Longest body in bytes: one more for its line end still fits the largest request.
pub const MAX_BODY_BYTES: usize = queue_api::limits::MAX_REQUEST_BYTES - 1;

/// Why items cannot be read. All of them are for whoever provides the items.
#[derive(Debug, thiserror::Error)]
pub enum FeedError {
    /// The file cannot be opened or read.
    #[error("cannot read items from {name}")]
    Read {
        /// What is read.
        name: String,
        /// Why not.
        source: io::Error,
    },
    /// A line is longer than a request may be.
    #[error(
        "line {line} of {name} is longer than {MAX_BODY_BYTES} bytes, the most an item may have"
    )]
    TooLong {
        /// What is read.
        name: String,
        /// The line, from 1.
        line: u64,
    },
    /// An entry of a list is longer than a request may be.
    #[error(
        "entry {entry} of the list is longer than {MAX_BODY_BYTES} bytes, the most an item may have"
    )]
    EntryTooLong {
        /// The entry, from 0.
        entry: usize,
    },
}

/// Lines as items: ended by LF, one CR before it dropped, empty ones skipped.
#[derive(Debug)]
pub struct LineReader<R> {
    reader: R,
    name: String,
    line: Vec<u8>,
    number: u64,
}

impl<R: BufRead> LineReader<R> {
    /// Reads from here; errors call it by this name.
    pub fn new(reader: R, name: impl Into<String>) -> Self {
        Self {
            reader,
            name: name.into(),
            line: Vec::new(),
            number: 0,
        }
    }

    /// The next item, with the number of its line; none at the end.
    pub fn read(&mut self) -> Result<Option<(u64, &[u8])>, FeedError> {
        loop {
            self.line.clear();
            let most = MAX_BODY_BYTES as u64 + 2;
            let read = (&mut self.reader)
                .take(most)
                .read_until(b'\n', &mut self.line);
            let length = read.map_err(|source| FeedError::Read {
                name: self.name.clone(),
                source,
            })?;
            if length == 0 {
                return Ok(None);
            }
            self.number += 1;
            if self.line.last() == Some(&b'\n') {
                self.line.pop();
            }
            if self.line.last() == Some(&b'\r') {
                self.line.pop();
            }
            if self.line.len() > MAX_BODY_BYTES {
                return Err(FeedError::TooLong {
                    name: self.name.clone(),
                    line: self.number,
                });
            }
            if !self.line.is_empty() {
                return Ok(Some((self.number, &self.line)));
            }
        }
    }
}

/// The items of a step, to be gone through as often as one likes.
#[derive(Debug)]
pub struct Source {
    items: Items,
    /// Kept open, so that a file put in its place later is not mixed with it.
    file: Option<(File, PathBuf)>,
}

impl Source {
    /// Opens the items of a step.
    pub fn open(items: Items) -> Result<Self, FeedError> {
        let file = match &items {
            Items::Lines { file: path } => {
                let file = File::open(path).map_err(|source| FeedError::Read {
                    name: format!("`{}`", path.display()),
                    source,
                })?;
                Some((file, path.clone()))
            }
            Items::Count { .. } | Items::List(_) | Items::Queue(_) => None,
        };
        Ok(Self { items, file })
    }

    /// Bytes of the longest body; a file is read for it.
    pub fn longest(&self) -> Result<u64, FeedError> {
        let mut longest = match &self.items {
            // Numbers grow no shorter.
            Items::Count { count: 0, .. } => return Ok(0),
            Items::Count { count, format } => return Ok(format.with(count - 1).len() as u64),
            Items::List(_) | Items::Lines { .. } | Items::Queue(_) => 0,
        };
        self.visit(|body| {
            longest = longest.max(body.len());
            Visit::Go
        })?;
        Ok(longest as u64)
    }

    /// Shows every body to `each`, in order, until it says stop.
    pub fn visit(&self, mut each: impl FnMut(&[u8]) -> Visit) -> Result<(), FeedError> {
        match (&self.items, &self.file) {
            (Items::Count { count, format }, _) => {
                for number in 0..*count {
                    if each(format.with(number).as_bytes()) == Visit::Stop {
                        break;
                    }
                }
            }
            (Items::List(list), _) => {
                for (entry, body) in list.iter().enumerate() {
                    if body.len() > MAX_BODY_BYTES {
                        return Err(FeedError::EntryTooLong { entry });
                    }
                    if each(body.as_bytes()) == Visit::Stop {
                        break;
                    }
                }
            }
            (Items::Lines { .. }, Some((file, path))) => {
                let name = format!("`{}`", path.display());
                io::Seek::rewind(&mut &*file).map_err(|source| FeedError::Read {
                    name: name.clone(),
                    source,
                })?;
                let mut lines = LineReader::new(BufReader::with_capacity(256 * 1024, file), name);
                while let Some((_, body)) = lines.read()? {
                    if each(body) == Visit::Stop {
                        break;
                    }
                }
            }
            // They lie in the queue already.
            (Items::Queue(_), _) => {}
            (Items::Lines { .. }, None) => unreachable!("a source of lines is made with its file"),
        }
        Ok(())
    }
}

/// Whether a visit goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Visit {
    /// Show the next one.
    Go,
    /// No more.
    Stop,
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::spec::{Given, Work};

    #[test]
    fn lines_are_items_as_the_server_reads_them() {
        let text = b"a\r\n\n b \r\r\n\r\nlast";
        let mut lines = LineReader::new(text.as_slice(), "text");
        let mut got = Vec::new();
        while let Some((number, line)) = lines.read().expect("lines") {
            got.push((number, String::from_utf8_lossy(line).into_owned()));
        }
        assert_eq!(
            got,
            [(1, "a".into()), (3, " b \r".into()), (5, "last".into())]
        );
    }

    #[test]
    fn the_longest_body_is_known_before_any_is_sent() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(&file, "a\nlonger\r\n\nbb").expect("lines");
        let counted = "items: {count: 1000001, format: 'n%d'}";
        for (items, longest) in [
            (Items::List(vec!["ab".into(), "abc".into()]), 3),
            (
                Items::Lines {
                    file: file.path().to_owned(),
                },
                6,
            ),
            (Items::List(Vec::new()), 0),
            (of_step(counted), "n1000000".len() as u64),
            (of_step("items: {count: 0}"), 0),
        ] {
            let source = Source::open(items.clone()).expect("a source");
            assert_eq!(source.longest().expect("a length"), longest, "{items:?}");
        }
    }

    /// The items of a step with this line.
    fn of_step(items: &str) -> Items {
        let text = format!(
            "apiVersion: memq.dev/v1alpha1\nkind: Run\nmetadata: {{name: t}}\nspec:\n  steps:\n  - name: s\n    \
             builtin: echo\n    {items}\n"
        );
        let (here, given) = (
            Path::new("."),
            Given {
                params: &[],
                suffix: "",
            },
        );
        let mut spec = crate::spec::parse(&text, here, here, given).expect("a spec");
        match spec.steps.remove(0).work {
            Work::Items(pool) => pool.items,
            work => panic!("{work:?}"),
        }
    }

    #[test]
    fn a_line_one_past_the_limit_is_refused_by_its_number() {
        let mut text = b"short\n".to_vec();
        text.extend(std::iter::repeat_n(b'x', MAX_BODY_BYTES));
        text.extend(b"\n");
        let mut lines = LineReader::new(text.as_slice(), "text");
        lines.read().expect("a line");
        assert!(matches!(lines.read(), Ok(Some((2, line))) if line.len() == MAX_BODY_BYTES));
        text.insert(6, b'x');
        let mut lines = LineReader::new(text.as_slice(), "text");
        lines.read().expect("a line");
        assert!(matches!(
            lines.read(),
            Err(FeedError::TooLong { line: 2, .. })
        ));
    }
}
