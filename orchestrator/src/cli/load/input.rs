//! What is loaded, and the name that its content gives the load.
//!
//! It does not know queues.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read as _, Seek as _};
use std::path::PathBuf;

use anyhow::Context as _;
use sha2::{Digest as _, Sha256};

use crate::cli::Misuse;

/// Bytes of a file read at once.
const BUFFER: usize = 256 * 1024;
/// Digits of a name made of a file's content, or of chance: 128 bits.
const ID_DIGITS: usize = 32;

/// Where the items come from, and what names them.
pub(super) struct Input {
    pub(super) reader: Box<dyn BufRead + Send>,
    /// For people.
    pub(super) shown: String,
    pub(super) id: String,
    /// Whether the same command makes the same name.
    pub(super) lasting: bool,
    /// Lines it has, where that is known.
    pub(super) lines: Option<u64>,
}

/// Opens what is to be loaded. `way` is how its lines are read: another way makes other items of them.
pub(super) fn open(file: Option<PathBuf>, id: Option<String>, way: &str) -> anyhow::Result<Input> {
    let Some(path) = file else {
        return Ok(Input {
            reader: Box::new(BufReader::new(io::stdin())),
            shown: "standard input".into(),
            lasting: id.is_some(),
            id: id.map_or_else(chance, Ok)?,
            lines: None,
        });
    };
    let shown = format!("`{}`", path.display());
    let opened = File::open(&path).with_context(|| format!("cannot open {shown}"));
    let mut file = opened?;
    let kind = file
        .metadata()
        .with_context(|| format!("cannot look at {shown}"))?;
    if kind.is_dir() {
        anyhow::bail!(Misuse(format!(
            "{shown} is a folder: give a file, an item a line"
        )));
    }
    let mut most = u64::MAX;
    let (id, lasting, lines) = match id {
        Some(id) => (id, true, None),
        // What comes out of a pipe can be read but once.
        None if !kind.is_file() => (chance()?, false, None),
        None => {
            let named = read_through(&file, way).with_context(|| format!("cannot read {shown}"))?;
            file.rewind()
                .with_context(|| format!("cannot read {shown} again"))?;
            // What is written to its end meanwhile is not what the name stands for.
            most = named.bytes;
            (named.id, true, Some(named.lines))
        }
    };
    Ok(Input {
        reader: Box::new(BufReader::with_capacity(BUFFER, file.take(most))),
        shown,
        id,
        lasting,
        lines,
    })
}

/// What is in a file.
struct Content {
    /// A name for it, read in a way.
    id: String,
    lines: u64,
    bytes: u64,
}

fn read_through(mut file: &File, way: &str) -> io::Result<Content> {
    let mut hash = Sha256::new();
    hash.update(format!("memq load 1, {way}\n"));
    let (mut buffer, mut lines, mut bytes, mut last) = (vec![0; BUFFER], 0, 0, b'\n');
    loop {
        let read = match file.read(&mut buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            read => read?,
        };
        let Some(end) = buffer[..read].last() else {
            lines += u64::from(last != b'\n');
            let id = digits(&hash.finalize());
            return Ok(Content { id, lines, bytes });
        };
        last = *end;
        bytes += read as u64;
        hash.update(&buffer[..read]);
        lines += buffer[..read].iter().filter(|byte| **byte == b'\n').count() as u64;
    }
}

fn chance() -> anyhow::Result<String> {
    let mut bytes = [0; ID_DIGITS / 2];
    getrandom::fill(&mut bytes)
        .map_err(|error| anyhow::anyhow!("cannot get random bytes: {error}"))?;
    Ok(digits(&bytes))
}

fn digits(bytes: &[u8]) -> String {
    bytes[..ID_DIGITS / 2]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn a_file_has_the_name_of_what_is_in_it_and_of_how_it_is_read() {
        let named = |text: &str, way: &str| {
            let mut file = tempfile::tempfile().expect("a file");
            file.write_all(text.as_bytes()).expect("it can be written");
            file.rewind().expect("it can be read");
            let content = read_through(&file, way).expect("a name");
            (content.id, content.lines, content.bytes)
        };
        assert_eq!(named("a\nb", "lines"), named("a\nb", "lines"));
        let (_, lines, bytes) = named("a\nb", "lines");
        assert_eq!((lines, bytes), (2, 3));
        assert_ne!(named("a\nb", "lines").0, named("a\nb\n", "lines").0);
        assert_ne!(named("a\nb", "lines").0, named("a\nb", "ndjson").0);
        assert_eq!(named("", "lines").1, 0);
    }
}
