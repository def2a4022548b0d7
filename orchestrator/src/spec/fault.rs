//! What is wrong with a spec, and where: said so that a person can mend it without reading code.
//!
//! It knows places in a text, not what the text means.

use std::fmt;
use std::io;
use std::path::PathBuf;

/// A line and a column in a spec file, both from 1; 0 where there is no file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Place {
    /// The line.
    pub line: u64,
    /// The column, in characters.
    pub column: u64,
}

/// One mistake in a spec, before it is known which file it stands in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    /// Where it stands.
    pub(crate) place: Place,
    /// The field, as `spec.steps[0].items.count`; empty for the document itself.
    pub(crate) field: String,
    /// What is wrong.
    pub(crate) message: String,
    /// What would be right.
    pub(crate) help: String,
}

/// Why a run spec cannot be used. All of them are for whoever wrote the file or the command line.
#[derive(Debug, thiserror::Error)]
pub enum SpecError {
    /// The file cannot be read: check the path.
    #[error("cannot read run spec `{}`", path.display())]
    Read {
        /// The path asked for.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The file is wrong at one place: mend it there.
    #[error(transparent)]
    Invalid(Box<Invalid>),
    /// A `-p name=value` does not fit what the spec declares: mend the command line.
    #[error("cannot use `-p {argument}`: {message}")]
    Argument {
        /// What was given after `-p`.
        argument: String,
        /// What is wrong with it, and what is allowed.
        message: String,
    },
}

/// A mistake in a spec file, with the line it stands in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invalid {
    /// The file, as it was given.
    pub file: PathBuf,
    /// Where in it.
    pub place: Place,
    /// The field, as `spec.steps[0].items.count`; empty for the document itself.
    pub field: String,
    /// What is wrong.
    pub message: String,
    /// What would be right; may be empty.
    pub help: String,
    /// The line itself.
    pub excerpt: String,
}

impl Invalid {
    pub(crate) fn new(file: PathBuf, text: &str, fault: Fault) -> Self {
        let line = usize::try_from(fault.place.line).unwrap_or(0);
        let excerpt = text.lines().nth(line.saturating_sub(1)).unwrap_or("");
        Self {
            file,
            place: fault.place,
            field: fault.field,
            message: fault.message,
            help: fault.help,
            excerpt: excerpt.replace('\t', " "),
        }
    }
}

impl Invalid {
    /// In one line, as the condition of an object wants it.
    fn fmt_without_place(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.field.is_empty() {
            write!(f, "{}: ", self.field)?;
        }
        f.write_str(&self.message)?;
        if !self.help.is_empty() {
            write!(f, "; {}", self.help)?;
        }
        Ok(())
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Place { line, column } = self.place;
        if line == 0 {
            return self.fmt_without_place(f);
        }
        write!(f, "{}:{line}:{column}: ", self.file.display())?;
        if !self.field.is_empty() {
            write!(f, "{}: ", self.field)?;
        }
        f.write_str(&self.message)?;
        if !self.excerpt.trim().is_empty() {
            let indent = usize::try_from(column).unwrap_or(1).saturating_sub(1);
            write!(f, "\n{line:>5} | {}\n      | {:indent$}^", self.excerpt, "")?;
        }
        if !self.help.is_empty() {
            write!(f, "\n  {}", self.help)?;
        }
        Ok(())
    }
}

impl std::error::Error for Invalid {}
