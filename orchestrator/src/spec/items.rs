//! What the items of a step are: counted, lines of a file, or a list.

use std::path::{Path, PathBuf};

use queue_api::QueueName;

use super::cursor::At;
use super::fault::Fault;
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
    /// Each line of a file that is not empty.
    Lines {
        /// The file.
        file: PathBuf,
    },
    /// These.
    List(Vec<String>),
    /// What lies in a queue of the server already: the run neither loads nor seals it.
    Queue(QueueName),
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
}

/// Most items a `count` may ask for: past it, it is a slip of the pen.
pub(super) const MAX_COUNT: i64 = 1_000_000_000;

const WANTED: &str = "{count: 100, format: \"work-item-%d\"}, {lines: FILE}, {list: [a, b, c]} \
                      or {queue: NAME}";

impl Items {
    pub(crate) fn read(at: &At<'_>, files: Files<'_>) -> Result<Self, Fault> {
        let fields = at.fields(&ITEMS)?;
        let (source, value) = fields.one_of(&["count", "lines", "list", "queue"], WANTED)?;
        if let Some(format) = fields.get("format").filter(|_| source != "count") {
            return Err(format.fault(
                format!("`format` does not go with `{source}`"),
                "it is for `count`",
            ));
        }
        match source {
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
            "lines" => {
                let wanted = "the name of a text file, an item a line";
                Ok(Self::Lines {
                    file: files.find(value, value.text(wanted)?)?,
                })
            }
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
        }
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
