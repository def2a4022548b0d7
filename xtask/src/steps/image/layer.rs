//! A layer of an image: files and folders as a compressed tar archive, the same bytes each time.

use std::collections::BTreeSet;
use std::io::Write as _;

use anyhow::{Context as _, Result};
use flate2::{Compression, GzBuilder};
use sha2::{Digest as _, Sha256};
use tar::{Builder, EntryType, Header};

/// The byte that says that no system in particular compressed it.
const NO_SYSTEM: u8 = 255;

/// Something in a layer.
#[derive(Debug)]
pub(super) struct Entry {
    path: String,
    mode: u32,
    owner: u64,
    what: What,
}

#[derive(Debug)]
enum What {
    File(Vec<u8>),
    Folder,
    Link(String),
}

impl Entry {
    fn new(path: &str, mode: u32, what: What) -> Self {
        Self {
            path: path.into(),
            mode,
            owner: 0,
            what,
        }
    }

    pub(super) fn file(path: &str, mode: u32, bytes: Vec<u8>) -> Self {
        Self::new(path, mode, What::File(bytes))
    }

    pub(super) fn folder(path: &str, mode: u32) -> Self {
        Self::new(path, mode, What::Folder)
    }

    /// A symbolic link to a path.
    pub(super) fn link(path: &str, to: &str) -> Self {
        Self::new(path, 0o777, What::Link(to.into()))
    }

    /// It belongs to the user and the group of this number instead of root.
    pub(super) fn owned_by(mut self, number: u64) -> Self {
        self.owner = number;
        self
    }
}

/// A compressed layer, and what an image says about it.
#[derive(Debug)]
pub(super) struct Layer {
    pub(super) compressed: Vec<u8>,
    /// Of what it unpacks to.
    pub(super) diff_id: String,
}

impl Layer {
    /// The layer of these entries. Folders above them are made.
    pub(super) fn of(mut entries: Vec<Entry>) -> Result<Self> {
        let paths: BTreeSet<_> = entries.iter().map(|entry| entry.path.clone()).collect();
        let above: BTreeSet<_> = paths
            .iter()
            .flat_map(|path| path.match_indices('/').map(|(end, _)| &path[..end]))
            .filter(|folder| !paths.contains(*folder))
            .collect();
        entries.extend(above.into_iter().map(|path| Entry::folder(path, 0o755)));
        entries.sort_by(|a, b| a.path.cmp(&b.path));
        let mut tar = Builder::new(Vec::new());
        for entry in &entries {
            append(&mut tar, entry).with_context(|| format!("cannot pack `{}`", entry.path))?;
        }
        let bytes = tar.into_inner()?;
        let mut gzip = GzBuilder::new()
            .mtime(0)
            .operating_system(NO_SYSTEM)
            .write(Vec::new(), Compression::best());
        gzip.write_all(&bytes)?;
        Ok(Self {
            compressed: gzip.finish()?,
            diff_id: sha256(&bytes),
        })
    }
}

fn append(tar: &mut Builder<Vec<u8>>, entry: &Entry) -> Result<()> {
    let Entry {
        path,
        mode,
        owner,
        what,
    } = entry;
    let mut header = Header::new_gnu();
    header.set_mode(*mode);
    header.set_uid(*owner);
    header.set_gid(*owner);
    header.set_mtime(0);
    header.set_size(0);
    match what {
        What::File(bytes) => {
            header.set_size(bytes.len() as u64);
            tar.append_data(&mut header, path, &bytes[..])?;
        }
        What::Folder => {
            header.set_entry_type(EntryType::Directory);
            tar.append_data(&mut header, format!("{path}/"), &[][..])?;
        }
        What::Link(to) => {
            header.set_entry_type(EntryType::Symlink);
            tar.append_link(&mut header, path, to)?;
        }
    }
    Ok(())
}

/// The digest as images write it.
pub(super) fn sha256(bytes: &[u8]) -> String {
    format!("sha256:{:x}", Sha256::digest(bytes))
}
