//! What the items of a step are: counted, lines of a file, names of files, or a list.

use std::fmt;
use std::path::{Path, PathBuf};

use queue_api::QueueName;

use super::cursor::At;
use super::fault::Fault;
use super::marks::Marks;
use super::schema::ITEMS;

/// Where a step's items come from.
#[derive(Debug, Clone, PartialEq)]
pub enum Items {
    /// This many, each a text with its number in it, from 0.
    Count {
        /// How many.
        count: u64,
        /// The text.
        format: NumberFormat,
    },
    /// Each line that is not empty.
    Lines(Input),
    /// Each line, a JSON object with the item's body and its options.
    Ndjson(Input),
    /// The name of each file and folder that a pattern matches, in order.
    Glob(Glob),
    /// These.
    List(Vec<String>),
    /// What lies in a queue of the server already: the run neither loads nor seals it.
    Queue(QueueName),
}

/// Where lines are read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// A file.
    File(PathBuf),
    /// The standard input of the command that carries the run out.
    Stdin,
}

impl fmt::Display for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "`{}`", path.display()),
            Self::Stdin => f.write_str("standard input"),
        }
    }
}

/// Names of files that match a pattern, seen from a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glob {
    /// The pattern, as it was given.
    pub pattern: String,
    /// The folder.
    pub dir: PathBuf,
}

/// Most names that a pattern may match: they are held in memory.
pub(crate) const MAX_NAMES: usize = 1_000_000;

/// Why a pattern gives no names. All of them are for whoever wrote it.
#[derive(Debug, thiserror::Error)]
pub enum GlobError {
    /// It is no pattern.
    #[error("`{pattern}` is no pattern: {why}")]
    Pattern {
        /// The pattern.
        pattern: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A folder cannot be looked into.
    #[error("cannot look for `{pattern}`: {why}")]
    Look {
        /// The pattern.
        pattern: String,
        /// Which folder, and why not.
        why: String,
    },
    /// It matches too much to be held.
    #[error("`{0}` matches more than {MAX_NAMES} names")]
    TooMany(String),
}

impl Glob {
    /// The names that match now, sorted by their bytes. A name below the folder is told from there on.
    pub fn names(&self) -> Result<Vec<PathBuf>, GlobError> {
        let literal = |part: &&str| !part.contains(['*', '?', '[']);
        let parts: Vec<_> = self.pattern.split('/').collect();
        // At least the last one is looked for, so that a name without a star must be there, too.
        let fixed = parts.iter().take_while(|part| literal(part)).count();
        let fixed = fixed.min(parts.len() - 1);
        let (before, parts) = parts.split_at(fixed);
        let base = match before {
            [] => self.dir.clone(),
            [""] => "/".into(),
            before => self.dir.join(before.join("/")),
        };
        let read = |text: &str| {
            glob::Pattern::new(text).map_err(|error| GlobError::Pattern {
                pattern: self.pattern.clone(),
                why: error.msg,
            })
        };
        let pattern = read(&parts.join("/"))?;
        let steps = parts.iter().take_while(|part| **part != "**");
        let steps: Vec<_> = steps.map(|part| read(part)).collect::<Result<_, _>>()?;
        let deep = steps.len() < parts.len();
        let as_shells = glob::MatchOptions {
            case_sensitive: true,
            require_literal_separator: true,
            require_literal_leading_dot: true,
        };
        let mut names = Vec::new();
        // As in shells `**` does not go through links: two that lead back would never end.
        let walk = walkdir::WalkDir::new(&base)
            .min_depth(1)
            .max_depth(if deep { usize::MAX } else { parts.len() })
            .follow_links(!deep);
        let may_lead_there = |entry: &walkdir::DirEntry| {
            let step = entry.depth().checked_sub(1).and_then(|at| steps.get(at));
            let name = entry.file_name().to_string_lossy();
            step.is_none_or(|step| step.matches_with(&name, as_shells))
        };
        for entry in walk.into_iter().filter_entry(may_lead_there) {
            let entry = match entry {
                Ok(entry) => entry,
                Err(error) if is_nothing(&error) => continue,
                Err(error) => {
                    return Err(GlobError::Look {
                        pattern: self.dir.join(&self.pattern).display().to_string(),
                        why: error.to_string(),
                    });
                }
            };
            let name = entry.path();
            let below = name.strip_prefix(&base).unwrap_or(name);
            if !pattern.matches_path_with(below, as_shells) {
                continue;
            }
            if names.len() == MAX_NAMES {
                return Err(GlobError::TooMany(self.pattern.clone()));
            }
            names.push(name.strip_prefix(&self.dir).unwrap_or(name).to_owned());
        }
        names.sort_unstable();
        Ok(names)
    }
}

/// Whether there is nothing to be looked into: a folder or a link's end that is not there, a link that leads back.
fn is_nothing(error: &walkdir::Error) -> bool {
    let kind = error.io_error().map(std::io::Error::kind);
    error.loop_ancestor().is_some() || kind == Some(std::io::ErrorKind::NotFound)
}

/// A text with one `%d` (or `%05d`) in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NumberFormat {
    before: String,
    width: usize,
    after: String,
}

impl NumberFormat {
    /// Reads a format: exactly one `%d` or `%0Nd`, and `%%` for a per cent sign.
    fn parse(text: &str) -> Option<Self> {
        let (mut before, mut after, mut width) = (String::new(), String::new(), None);
        let mut rest = text;
        while let Some(at) = rest.find('%') {
            let side = if width.is_none() {
                &mut before
            } else {
                &mut after
            };
            side.push_str(&rest[..at]);
            rest = &rest[at + 1..];
            if let Some(tail) = rest.strip_prefix('%') {
                side.push('%');
                rest = tail;
                continue;
            }
            let (digits, tail) = rest.split_once('d')?;
            let places = match digits.strip_prefix('0') {
                _ if digits.is_empty() => 0,
                Some(places) => places.parse().ok().filter(|n| (1..=19).contains(n))?,
                None => return None,
            };
            if width.replace(places).is_some() {
                return None;
            }
            rest = tail;
        }
        after.push_str(rest);
        Some(Self {
            before,
            width: width?,
            after,
        })
    }

    /// The text with this number.
    #[must_use]
    pub fn with(&self, number: u64) -> String {
        let Self {
            before,
            width,
            after,
        } = self;
        format!("{before}{number:0width$}{after}")
    }
}

/// Where files that a spec names are, and whether they are there to be looked at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Files<'a> {
    /// The folder that relative names start at.
    pub(crate) dir: &'a Path,
    /// Whether this machine is the one that has them.
    pub(crate) here: bool,
}

impl Files<'_> {
    /// A file that is there and can be read in order.
    fn find(self, at: &At<'_>, name: &str) -> Result<PathBuf, Fault> {
        let file = self.dir.join(name);
        if !self.here {
            return Ok(file);
        }
        let problem = match std::fs::metadata(&file) {
            Err(error) => format!("cannot read `{}`: {error}", file.display()),
            Ok(found) if !found.is_file() => format!("`{}` is not a regular file", file.display()),
            Ok(_) => return Ok(file),
        };
        let help =
            "give a text file, an item a line; a relative name starts at the folder of the spec";
        Err(at.fault(problem, help))
    }

    /// A file, or the standard input.
    fn input(self, at: &At<'_>) -> Result<Input, Fault> {
        match at.text("the name of a text file, an item a line, or `-` for standard input")? {
            "-" => Ok(Input::Stdin),
            name => self.find(at, name).map(Input::File),
        }
    }

    /// A pattern that matches something, where that can be seen.
    fn glob(self, at: &At<'_>) -> Result<Glob, Fault> {
        let glob = Glob {
            pattern: at
                .text("a pattern of names of files: photos/*.jpg")?
                .to_owned(),
            dir: self.dir.to_owned(),
        };
        if let Err(error) = glob::Pattern::new(&glob.pattern) {
            let message = format!("this is no pattern: {}", error.msg);
            return Err(at.fault(
                message,
                "`*` and `?` stand for what is no `/`, `**/` for any folders",
            ));
        }
        if self.here {
            let none = glob
                .names()
                .map_err(|error| at.fault(error, "give a pattern of names of files"))?;
            if none.is_empty() {
                let message = format!("this matches nothing in `{}`", self.dir.display());
                return Err(at.fault(
                    message,
                    "a relative pattern starts at the folder of the spec",
                ));
            }
        }
        Ok(glob)
    }
}

/// Most items a `count` may ask for: past it, it is a slip of the pen.
pub(super) const MAX_COUNT: i64 = 1_000_000_000;

const WANTED: &str = "{count: 100, format: \"work-item-%d\"}, {lines: FILE}, {ndjson: FILE}, {glob: \"*.jpg\"}, \
                      {list: [a, b, c]} or {queue: NAME}";

impl Items {
    /// Reads the items, and what they are given besides their bodies.
    pub(crate) fn read(at: &At<'_>, files: Files<'_>) -> Result<(Self, Marks), Fault> {
        let fields = at.fields(&ITEMS)?;
        let sources = ["count", "lines", "ndjson", "glob", "list", "queue"];
        let (source, value) = fields.one_of(&sources, WANTED)?;
        let marks = Marks::read(&fields)?;
        if source == "queue"
            && let Some(at) = ["key", "group", "priority"]
                .iter()
                .find_map(|name| fields.get(name))
        {
            return Err(at.fault(
                "what lies in a queue has its key, group and priority already",
                "give it where the queue is loaded",
            ));
        }
        if let Some(format) = fields.get("format").filter(|_| source != "count") {
            return Err(format.fault(
                format!("`format` does not go with `{source}`"),
                "it is for `count`",
            ));
        }
        let items = match source {
            "count" => {
                let format = match fields.get("format") {
                    None => NumberFormat::parse("%d"),
                    Some(at) => NumberFormat::parse(at.text(FORMAT)?),
                };
                Ok(Self::Count {
                    count: value.integer(0..=MAX_COUNT)?.unsigned_abs(),
                    format: format
                        .ok_or_else(|| fields.get("format").unwrap_or(at).wrong(FORMAT))?,
                })
            }
            "lines" => files.input(value).map(Self::Lines),
            "ndjson" => files.input(value).map(Self::Ndjson),
            "glob" => files.glob(value).map(Self::Glob),
            "queue" => {
                let name = value.text("the name of a queue")?;
                name.parse().map(Self::Queue).map_err(|error| {
                    value.fault(
                        format!("{error}"),
                        "give the name of a queue that is loaded already",
                    )
                })
            }
            _ => value
                .list_or_param("a list of items: [a, b, c]")?
                .iter()
                .map(|item| {
                    item.text("a text, a number or a boolean")
                        .map(str::to_owned)
                })
                .collect::<Result<_, _>>()
                .map(Self::List),
        };
        Ok((items?, marks))
    }

    /// The field and the words for items that lie with whoever carries the run out, and not in the spec.
    #[must_use]
    pub fn lie_outside(&self) -> Option<(&'static str, String)> {
        match self {
            Self::Lines(input) => Some(("items.lines", input.to_string())),
            Self::Ndjson(input) => Some(("items.ndjson", input.to_string())),
            Self::Glob(glob) => Some(("items.glob", format!("`{}`", glob.pattern))),
            Self::Count { .. } | Self::List(_) | Self::Queue(_) => None,
        }
    }

    /// Whether they are read from standard input.
    #[must_use]
    pub fn are_piped(&self) -> bool {
        matches!(self, Self::Lines(Input::Stdin) | Self::Ndjson(Input::Stdin))
    }
}

const FORMAT: &str =
    "a text with exactly one %d, or %05d for leading zeros (a per cent sign is %%)";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_format_puts_the_number_in_its_place() {
        for (format, text) in [
            ("work-item-%d", "work-item-7"),
            ("%05d", "00007"),
            ("100%% of %d%%", "100% of 7%"),
            ("%d/été", "7/été"),
        ] {
            let format = NumberFormat::parse(format).expect(format);
            assert_eq!(format.with(7), text);
        }
    }

    #[test]
    fn a_format_without_exactly_one_number_is_refused() {
        for format in [
            "", "item", "%d-%d", "%s", "%5d", "%", "%0d", "%099d", "100%",
        ] {
            assert_eq!(NumberFormat::parse(format), None, "{format}");
        }
    }
}
