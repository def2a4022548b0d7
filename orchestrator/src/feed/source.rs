//! Where items come from: numbers, a list, names of files, the lines of a file or of a pipe.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use queue_api::Options;

use super::lines::{LineReader, described};
use crate::spec::{GlobError, Input, Items, Marks};

/// Longest body in bytes: one more for its line end still fits the largest request.
pub const MAX_BODY_BYTES: usize = queue_api::limits::MAX_REQUEST_BYTES - 1;
/// How much of a file is read at once.
const BUFFER: usize = 256 * 1024;

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
    /// An item is not what it must be, or lacks what it must have.
    #[error("{what} {why}")]
    Item {
        /// Which one.
        what: String,
        /// What is wrong with it.
        why: String,
    },
    /// More items have unique keys than can be told apart.
    #[error(
        "more than {0} items have unique keys; load them with `memq load`, and name the queue in the run"
    )]
    TooManyKeys(usize),
    /// A pattern gives no names.
    #[error(transparent)]
    Glob(#[from] GlobError),
}

/// An item on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item<'a> {
    /// Its body.
    pub body: &'a [u8],
    /// What it is given.
    pub options: Options,
    /// The number of its line, where it is one.
    pub line: u64,
}

/// The items of a step, to be gone through as often as one likes; those of a pipe once.
pub struct Source {
    bodies: Bodies,
    marks: Marks,
}

enum Bodies {
    /// As the spec has them.
    Spec(Items),
    /// Names of files, looked for once.
    Names(Vec<PathBuf>),
    /// Lines of a file that is kept open, so that a file put in its place later is not mixed with it.
    File {
        file: File,
        name: String,
        described: bool,
    },
    /// Lines that come but once.
    Pipe {
        reader: Mutex<Option<Box<dyn BufRead + Send>>>,
        name: String,
        described: bool,
    },
}

impl Source {
    /// Opens the items of a step. Standard input is read to its end, into a file without a name.
    pub fn open(items: Items, marks: Marks) -> Result<Self, FeedError> {
        let bodies = match items {
            Items::Lines(input) => opened(&input, false)?,
            Items::Ndjson(input) => opened(&input, true)?,
            Items::Glob(glob) => Bodies::Names(glob.names()?),
            items @ (Items::Count { .. } | Items::List(_) | Items::Queue(_)) => Bodies::Spec(items),
        };
        Ok(Self { bodies, marks })
    }

    /// Lines that come but once, and are gone through once.
    pub fn piped(
        reader: impl BufRead + Send + 'static,
        name: String,
        described: bool,
        marks: Marks,
    ) -> Self {
        let reader = Mutex::new(Some(Box::new(reader) as Box<dyn BufRead + Send>));
        Self {
            bodies: Bodies::Pipe {
                reader,
                name,
                described,
            },
            marks,
        }
    }

    /// What all items are given; none where each may be given something else.
    #[must_use]
    pub fn same(&self) -> Option<Options> {
        let described = match self.bodies {
            Bodies::File { described, .. } | Bodies::Pipe { described, .. } => described,
            Bodies::Spec(_) | Bodies::Names(_) => false,
        };
        (!described && !self.marks.vary()).then(|| self.marks.same())
    }

    /// Bytes of the longest body; a file is read for it.
    pub fn longest(&self) -> Result<u64, FeedError> {
        let mut longest = match &self.bodies {
            // Numbers grow no shorter.
            Bodies::Spec(Items::Count { count: 0, .. }) => return Ok(0),
            Bodies::Spec(Items::Count { count, format }) => {
                return Ok(format.with(count - 1).len() as u64);
            }
            _ => 0,
        };
        self.visit(|item| {
            longest = longest.max(item.body.len());
            Visit::Go
        })?;
        Ok(longest as u64)
    }

    /// Shows every item to `each`, in order, until it says stop.
    pub fn visit(&self, mut each: impl FnMut(&Item<'_>) -> Visit) -> Result<(), FeedError> {
        let same = self.same();
        let mut show = |what: &dyn Fn() -> String, body: &[u8], own: Options, line| {
            let options = match &same {
                Some(same) => same.clone(),
                None => self
                    .marks
                    .of(body, own)
                    .map_err(|why| FeedError::Item { what: what(), why })?,
            };
            Ok::<_, FeedError>(each(&Item {
                body,
                options,
                line,
            }))
        };
        let none = Options::default;
        match &self.bodies {
            Bodies::Spec(Items::Count { count, format }) => {
                for number in 0..*count {
                    let body = format.with(number);
                    let what = || format!("item {number}");
                    if show(&what, body.as_bytes(), none(), 0)? == Visit::Stop {
                        break;
                    }
                }
            }
            Bodies::Spec(Items::List(list)) => {
                for (entry, body) in list.iter().enumerate() {
                    if body.len() > MAX_BODY_BYTES {
                        return Err(FeedError::EntryTooLong { entry });
                    }
                    let what = || format!("entry {entry} of the list");
                    if show(&what, body.as_bytes(), none(), 0)? == Visit::Stop {
                        break;
                    }
                }
            }
            Bodies::Names(names) => {
                for name in names {
                    let what = || format!("the name `{}`", name.display());
                    if show(&what, name.as_os_str().as_bytes(), none(), 0)? == Visit::Stop {
                        break;
                    }
                }
            }
            Bodies::File {
                file,
                name,
                described,
            } => {
                io::Seek::rewind(&mut &*file).map_err(|source| FeedError::Read {
                    name: name.clone(),
                    source,
                })?;
                lines(
                    BufReader::with_capacity(BUFFER, file),
                    name,
                    *described,
                    show,
                )?;
            }
            Bodies::Pipe {
                reader,
                name,
                described,
            } => {
                let reader = reader.lock().unwrap_or_else(PoisonError::into_inner).take();
                if let Some(reader) = reader {
                    lines(reader, name, *described, show)?;
                }
            }
            // They lie in the queue already; the others were opened.
            Bodies::Spec(_) => {}
        }
        Ok(())
    }
}

fn opened(input: &Input, described: bool) -> Result<Bodies, FeedError> {
    let name = input.to_string();
    let file = match input {
        Input::File(path) => File::open(path),
        Input::Stdin => tempfile::tempfile().and_then(|mut file| {
            io::copy(&mut io::stdin().lock(), &mut file)?;
            Ok(file)
        }),
    };
    let file = file.map_err(|source| FeedError::Read {
        name: name.clone(),
        source,
    })?;
    Ok(Bodies::File {
        file,
        name,
        described,
    })
}

fn lines(
    reader: impl BufRead,
    name: &str,
    is_described: bool,
    mut show: impl FnMut(&dyn Fn() -> String, &[u8], Options, u64) -> Result<Visit, FeedError>,
) -> Result<(), FeedError> {
    let mut lines = LineReader::new(reader, name);
    while let Some((number, line)) = lines.read()? {
        let what = || format!("line {number} of {name}");
        let visit = match is_described {
            false => show(&what, line, Options::default(), number)?,
            true => {
                let (body, own) =
                    described(line).map_err(|why| FeedError::Item { what: what(), why })?;
                show(&what, &body, own, number)?
            }
        };
        if visit == Visit::Stop {
            break;
        }
    }
    Ok(())
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
    fn the_longest_body_is_known_before_any_is_sent() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(&file, "a\nlonger\r\n\nbb").expect("lines");
        let counted = "items: {count: 1000001, format: 'n%d'}";
        for (items, longest) in [
            (Items::List(vec!["ab".into(), "abc".into()]), 3),
            (Items::Lines(Input::File(file.path().to_owned())), 6),
            (Items::List(Vec::new()), 0),
            (of_step(counted), "n1000000".len() as u64),
            (of_step("items: {count: 0}"), 0),
        ] {
            let source = Source::open(items.clone(), Marks::default()).expect("a source");
            assert_eq!(source.longest().expect("a length"), longest, "{items:?}");
        }
    }

    fn bodies(source: &Source) -> Result<Vec<(String, Options)>, FeedError> {
        let mut found = Vec::new();
        source.visit(|item| {
            let body = String::from_utf8_lossy(item.body).into_owned();
            found.push((body, item.options.clone()));
            Visit::Go
        })?;
        Ok(found)
    }

    #[test]
    fn json_lines_keep_what_they_say_of_themselves_and_get_the_rest() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let text = "{\"body\":{\"id\":1}}\n\n{\"body\":\"x\",\"key\":\"own\",\"group\":\"g\"}\n";
        std::fs::write(&file, text).expect("lines");
        let marks = Marks {
            key: Some(".id".parse().expect("a place")),
            group: Some("usual".parse().expect("a group")),
            ..Marks::default()
        };
        let items = Items::Ndjson(Input::File(file.path().to_owned()));
        let source = Source::open(items, marks).expect("a source");
        let found = bodies(&source).expect("two items");
        assert_eq!(found[0].0, "{\"id\":1}");
        assert_eq!(
            (found[0].1.key.as_deref(), found[0].1.group.as_deref()),
            (Some("1"), Some("usual"))
        );
        assert_eq!(found[1].0, "x");
        assert_eq!(
            (found[1].1.key.as_deref(), found[1].1.group.as_deref()),
            (Some("own"), Some("g"))
        );

        std::fs::write(&file, "{\"body\":1,\"key\":\"a\"}\n{\"body\":2}\n").expect("lines");
        let error = bodies(&source)
            .expect_err("the second has no id")
            .to_string();
        assert!(
            error.starts_with("line 2 of `") && error.contains("no JSON object")
                || error.contains("has no `.id`"),
            "{error}"
        );
    }

    #[test]
    fn names_of_files_are_items_in_order_as_seen_from_the_folder() {
        let dir = tempfile::tempdir().expect("a folder");
        std::fs::create_dir_all(dir.path().join("[a]/b")).expect("folders");
        for name in [
            "[a]/2.jpg",
            "[a]/10.jpg",
            "[a]/b/1.jpg",
            "[a]/.hidden.jpg",
            "[a]/x.txt",
        ] {
            std::fs::write(dir.path().join(name), "").expect("a file");
        }
        let names = |pattern: &str| -> Vec<String> {
            let glob = crate::spec::Glob {
                pattern: pattern.to_owned(),
                // A folder whose own name would be a pattern.
                dir: dir.path().join("[a]"),
            };
            let source = Source::open(Items::Glob(glob), Marks::default()).expect("a source");
            bodies(&source)
                .expect("names")
                .into_iter()
                .map(|(body, _)| body)
                .collect()
        };
        assert_eq!(names("*.jpg"), ["10.jpg", "2.jpg"]);
        assert_eq!(names("**/*.jpg"), ["10.jpg", "2.jpg", "b/1.jpg"]);
        assert_eq!(names("*/*.jpg"), ["b/1.jpg"]);
        assert_eq!(names("b/1.jpg"), ["b/1.jpg"]);
        assert_eq!(names("nowhere/*.jpg"), Vec::<String>::new());
        assert_eq!(names("*.png"), Vec::<String>::new());
        // Links that lead back, of which each could be gone through in the other.
        for link in ["here", "there"] {
            std::os::unix::fs::symlink(".", dir.path().join("[a]").join(link)).expect("a link");
        }
        assert_eq!(names("**/*.jpg"), ["10.jpg", "2.jpg", "b/1.jpg"]);
        assert_eq!(names("b*/*.jpg"), ["b/1.jpg"]);
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
}
