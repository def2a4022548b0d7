//! The joblog: a file with a line of JSON for each finished item, element and step, and the memory of a run.
//!
//! Owns the file: who may write it, how a line is added, what an earlier run left in it. It does not
//! know which steps and items a run has; what is done is told by step, as bodies and how often.
//!
//! A line is one write to a file opened for appending: a process killed at any moment leaves whole
//! lines and at most one torn one at the end, which the next run takes away.

mod items;
mod line;
mod past;

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use queue_api::Outcome;

pub use items::{ItemLine, items};
pub use line::Ended;
pub use past::{Done, Past, Tail};

/// Why a joblog cannot be used. All of them are for whoever named the file.
#[derive(Debug, thiserror::Error)]
pub enum JoblogError {
    /// The file cannot be opened, read or mended: check the path, the rights, the disk.
    #[error("cannot {what} joblog `{}`", path.display())]
    Io {
        /// The operation.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// Another run writes to it: wait for that run, or name another file.
    #[error("joblog `{}` is in use by another run: wait for it, or give another file", .0.display())]
    Busy(PathBuf),
    /// The file is something else: name another one. It has been left as it was.
    #[error(
        "`{}` is no joblog: {problem} in line {line}; give another file, or mend this one",
        path.display()
    )]
    Foreign {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// What is wrong with it.
        problem: String,
    },
}

/// An open joblog, which nobody else writes to.
#[derive(Debug)]
pub struct Joblog {
    file: File,
    path: PathBuf,
    /// Bytes of whole lines: nobody else writes to the file.
    length: u64,
    buffer: Vec<u8>,
}

impl Joblog {
    /// Opens or makes the file, reads what is in it and takes away a torn last line.
    pub fn open(path: &Path) -> Result<(Self, Past), JoblogError> {
        let io = |what| {
            move |source| JoblogError::Io {
                what,
                path: path.to_owned(),
                source,
            }
        };
        if let Ok(found) = path.metadata()
            && !found.is_file()
        {
            let odd = io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file");
            return Err(io("open")(odd));
        }
        let open = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .open(path);
        let file = open.map_err(io("open"))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(JoblogError::Busy(path.to_owned())),
            Err(TryLockError::Error(error)) => return Err(io("lock")(error)),
        }
        let past = past::read(&file, path)?;
        match past.tail {
            Tail::Whole => {}
            Tail::Unended => (&file).write_all(b"\n").map_err(io("mend"))?,
            Tail::Torn { whole } => file.set_len(whole).map_err(io("mend"))?,
        }
        let length = file.metadata().map_err(io("read"))?.len();
        let joblog = Self {
            file,
            path: path.to_owned(),
            length,
            buffer: Vec::new(),
        };
        Ok((joblog, past))
    }

    /// Adds the line that says this item of a step is finished. It survives this process from then on.
    pub fn append(&mut self, step: &str, outcome: &Outcome) -> Result<(), JoblogError> {
        self.add(|buffer| line::write(buffer, step, outcome))
    }

    /// Adds the line that says this step or element is finished; it survives likewise.
    pub fn append_ended(&mut self, ended: &Ended<'_>) -> Result<(), JoblogError> {
        self.add(|buffer| line::write_ended(buffer, ended))
    }

    /// Adds the line that says this step is done anew: what stands above it of that step counts no more.
    pub fn append_anew(&mut self, step: &str) -> Result<(), JoblogError> {
        self.add(|buffer| line::write_anew(buffer, step))
    }

    fn add(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> Result<(), JoblogError> {
        self.buffer.clear();
        write(&mut self.buffer);
        if let Err(source) = self.file.write_all(&self.buffer) {
            // A line after half a line would spoil both: on a full disk the half is taken back.
            let _still_torn = self.file.set_len(self.length);
            return Err(JoblogError::Io {
                what: "write to",
                path: self.path.clone(),
                source,
            });
        }
        self.length += self.buffer.len() as u64;
        Ok(())
    }

    /// Waits until all lines are on the disk.
    pub fn sync(&self) -> Result<(), JoblogError> {
        self.file.sync_data().map_err(|source| JoblogError::Io {
            what: "sync",
            path: self.path.clone(),
            source,
        })
    }
}

#[cfg(test)]
mod tests;
